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

/* Flops of a product of attention for each column of its factors: two for each pair of a query and a key that it sees.
 * Causal, a query hides half of the square of the last queries and keys, the diagonal counted by half, as the benches
 * count. */
static double pairs_of(const weft__array *q, const weft__array *k, bool causal)
{
    const double queries = (double)q->shape[q->ndim - 2], keys = (double)k->shape[k->ndim - 2];
    const double square = queries < keys ? queries : keys;
    const double seen = !causal ? queries * keys : queries < keys ? square * (keys - square / 2) : square * square / 2;
    return queries > 0 && q->shape[q->ndim - 1] > 0 ? 2 * seen * count_of(q) / (queries * (double)q->shape[q->ndim - 1])
                                                    : 0;
}

/* Forward the scores and what they weigh. Backward the scores once more, and the products of the gradients that are
 * wanted. */
static double attention_flops(const weft__launch *l)
{
    const weft__array *q = l->in[0], *v = l->in[2];
    const double pairs = pairs_of(q, l->in[1], l->attrs && l->attrs->i[0] != 0);
    const double d = (double)q->shape[q->ndim - 1], e = (double)v->shape[v->ndim - 1];
    if (l->op == WEFT_OP_ATTENTION)
        return pairs * (d + e);
    const bool dq = l->out[0], dk = l->out[1], dv = l->out[2];
    return pairs * (d + (dq || dk ? e : 0) + (dq ? d : 0) + (dk ? d : 0) + (dv ? e : 0));
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
    case WEFT_OP_ATTENTION:
    case WEFT_OP_ATTENTION_GRAD:
        return attention_flops(l);
    default: {
        double most = count_of(y);
        for (int k = 0; k < l->n_in; k++)
            most = count_of(l->in[k]) > most ? count_of(l->in[k]) : most;
        return most;
    }
    }
}
