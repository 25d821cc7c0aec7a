/* work.c - what a launch moves and computes. */
#include "profile.h"

static double array_bytes(const weft__array *a)
{
    double count = 1;
    for (int d = 0; a && d < a->ndim; d++) /* what is repeated by stride 0 is read once */
        count *= a->strides[d] == 0 && a->shape[d] > 1 ? 1 : (double)a->shape[d];
    return a ? count * (double)weft_dtype_size((weft_dtype)a->dtype) : 0;
}

double weft__launch_bytes(const weft__launch *l)
{
    double bytes = 0;
    for (int k = 0; k < l->n_in; k++)
        bytes += array_bytes(l->in[k]);
    for (int k = 0; k < l->n_out; k++)
        bytes += array_bytes(l->out[k]);
    return bytes;
}

static double count_of(const weft__array *a)
{
    return a ? (double)a->count : 0;
}

double weft__launch_flops(const weft__launch *l)
{
    const weft__array *a = l->n_in > 0 ? l->in[0] : NULL, *b = l->n_in > 1 ? l->in[1] : NULL;
    const weft__array *y = l->n_out > 0 ? l->out[0] : NULL;
    switch (l->op) {
    case WEFT_OP_MATMUL:
    case WEFT_OP_LINEAR:
    case WEFT_OP_LINEAR_ACT:
        return a && a->ndim > 0 ? 2 * count_of(y) * (double)a->shape[a->ndim - 1] : 0;
    case WEFT_OP_LINEAR_GRAD: /* every element of y: a column of g */
        return a && a->ndim > 0 ? 2 * count_of(y) * (double)a->shape[0] : 0;
    case WEFT_OP_CONV2D: /* every element of y: a window of w's channels */
        return b && b->shape[0] > 0 ? 2 * count_of(y) * count_of(b) / (double)b->shape[0] : 0;
    case WEFT_OP_CONV2D_TRANSPOSE:
        return b && b->shape[0] > 0 ? 2 * count_of(a) * count_of(b) / (double)b->shape[0] : 0;
    case WEFT_OP_CONV2D_WEIGHT:
        return y && y->shape[0] > 0 ? 2 * count_of(b) * count_of(y) / (double)y->shape[0] : 0;
    default: {
        double most = count_of(y);
        for (int k = 0; k < l->n_in; k++)
            most = count_of(l->in[k]) > most ? count_of(l->in[k]) : most;
        return most;
    }
    }
}
