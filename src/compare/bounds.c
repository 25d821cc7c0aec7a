/* bounds.c - which operations may differ by how much. */
#include <math.h>
#include "judge.h"

static weft__agreement by_op(int op)
{
    switch (op) {
    case WEFT_OP_COPY:
    case WEFT_OP_CONCAT:
    case WEFT_OP_FLIP:
    case WEFT_OP_GATHER:
    case WEFT_OP_INDEX_SELECT:
    case WEFT_OP_EMBEDDING:
    case WEFT_OP_MAX_OVER:
    case WEFT_OP_MIN_OVER:
    case WEFT_OP_MAX_POOL2D:
    case WEFT_OP_WHERE:
        return WEFT__EXACT;
    case WEFT_OP_SUM:
    case WEFT_OP_MEAN:
    case WEFT_OP_MATMUL:
    case WEFT_OP_LINEAR:
    case WEFT_OP_LINEAR_ACT:
    case WEFT_OP_LINEAR_GRAD:
    case WEFT_OP_CONV2D:
    case WEFT_OP_CONV2D_TRANSPOSE:
    case WEFT_OP_CONV2D_WEIGHT:
    case WEFT_OP_AVG_POOL2D:
    case WEFT_OP_AVG_UNPOOL2D:
    case WEFT_OP_SCATTER_ADD:
    case WEFT_OP_INDEX_ADD:
    case WEFT_OP_MAX_POOL2D_GRAD:
        return WEFT__SUMMED;
    case WEFT_OP_PROD:
    case WEFT_OP_LOGSUMEXP:
    case WEFT_OP_NORM:
    case WEFT_OP_SOFTMAX:
    case WEFT_OP_LOG_SOFTMAX:
    case WEFT_OP_CROSS_ENTROPY_WITH:
    case WEFT_OP_LAYER_NORM:
    case WEFT_OP_RMS_NORM:
    case WEFT_OP_BATCH_NORM:
        return WEFT__ROWWISE;
    case WEFT_OP_SOFTMAX_GRAD:
    case WEFT_OP_LOG_SOFTMAX_GRAD:
    case WEFT_OP_CROSS_ENTROPY_GRAD:
    case WEFT_OP_LAYER_NORM_GRAD:
    case WEFT_OP_RMS_NORM_GRAD:
    case WEFT_OP_BATCH_NORM_GRAD:
    case WEFT_OP_SGD_STEP:
    case WEFT_OP_ADAM_STEP:
        return WEFT__DERIVED;
    default:
        return WEFT__ELEMENTWISE;
    }
}

weft__agreement weft__agreement_of(const weft__frozen *f, int result)
{
    if (!weft_dtype_is_float((weft_dtype)f->out[result].a.dtype))
        return WEFT__EXACT;
    return f->grad || f->custom ? WEFT__DERIVED : by_op(f->op); /* nothing is known of a callback: the widest */
}

static int64_t ratio(int64_t a, int64_t b)
{
    return b > 0 && a > b ? a / b : 1;
}

int64_t weft__terms_of(const weft__frozen *f)
{
    if (f->n_in == 0 || f->n_out == 0 || !f->in[0].block || !f->out[0].block)
        return 1;
    const weft__array *a = &f->in[0].a, *b = f->n_in > 1 && f->in[1].block ? &f->in[1].a : NULL, *y = &f->out[0].a;
    switch (f->op) {
    case WEFT_OP_MATMUL:
    case WEFT_OP_LINEAR:
    case WEFT_OP_LINEAR_ACT:
        return a->ndim > 0 ? a->shape[a->ndim - 1] : 1;
    case WEFT_OP_LINEAR_GRAD:
        return a->ndim > 0 ? a->shape[0] : 1;
    case WEFT_OP_CONV2D:
    case WEFT_OP_CONV2D_TRANSPOSE:
        return b ? ratio(b->count, b->shape[f->op == WEFT_OP_CONV2D ? 0 : 1]) : 1;
    case WEFT_OP_CONV2D_WEIGHT:
        return b ? ratio(b->count, b->shape[1]) : 1;
    case WEFT_OP_SCATTER_ADD:
    case WEFT_OP_INDEX_ADD:
        return f->in[2].block ? f->in[2].a.count : 1;
    case WEFT_OP_SOFTMAX:
    case WEFT_OP_LOG_SOFTMAX:
    case WEFT_OP_SOFTMAX_GRAD:
    case WEFT_OP_LOG_SOFTMAX_GRAD:
        return f->has_attrs && a->ndim > 0 ? a->shape[f->attrs.i[0]] : 1;
    default:
        return ratio(a->count, y->count);
    }
}

/* Roundings of a sum of n terms in f32, as a share of the sum of their sizes. */
static double summed(int64_t terms)
{
    const double grown = 1e-6 * sqrt((double)terms / 1024);
    return grown < 3e-7 ? 3e-7 : grown > 1e-5 ? 1e-5 : grown;
}

typedef struct column {
    double elementwise, sum, gradient;
} column;

/* The table's row of a dtype; that of f64 is f32's, scaled by the 29 bits that f64 has more, and a little. */
static column row_of(weft_dtype dtype, int64_t terms)
{
    switch (dtype) {
    case WEFT_F64:
        return (column){2e-14, summed(terms) * 1e-8, 1e-12};
    case WEFT_F16:
        return (column){1e-3, 1e-3, 2e-3};
    case WEFT_BF16:
        return (column){8e-3, 5e-3, 1e-2};
    default:
        return (column){2e-6, summed(terms), 1e-5};
    }
}

weft__bounds weft__bounds_of(weft__agreement how, weft_dtype dtype, int64_t terms)
{
    const column c = row_of(dtype, terms);
    switch (how) {
    case WEFT__EXACT:
        return (weft__bounds){0};
    case WEFT__ELEMENTWISE:
        return (weft__bounds){.relative = c.elementwise, .absolute = c.elementwise / 2, .norm = c.elementwise};
    case WEFT__SUMMED: /* a rounding to the dtype comes after the sum */
        return (weft__bounds){
            .relative = dtype == WEFT_F16 || dtype == WEFT_BF16 ? c.elementwise : 0, .magnitude = c.sum, .norm = c.sum};
    case WEFT__ROWWISE:
        return (weft__bounds){.relative = c.elementwise, .absolute = c.sum, .norm = fmax(c.elementwise, c.sum)};
    default:
        return (weft__bounds){.relative = c.gradient, .absolute = c.gradient / 4, .norm = c.gradient};
    }
}
