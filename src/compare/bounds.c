/* bounds.c - which operations may differ by how much. */
#include <math.h>
#include "judge.h"

/* How the results of every row of the table that runs a kernel of its own may differ. Elementwise families have one
 * class; any other row is named here, or it does not compile. */
enum {
    HOW_CAST = WEFT__ELEMENTWISE,
    HOW_PAD = WEFT__ELEMENTWISE,
    HOW_DROPOUT = WEFT__ELEMENTWISE,
    HOW_DROPOUT_GRAD = WEFT__ELEMENTWISE,
    HOW_ADD_ = WEFT__ELEMENTWISE,
    HOW_SUB_ = WEFT__ELEMENTWISE,
    HOW_MUL_ = WEFT__ELEMENTWISE,
    HOW_DIV_ = WEFT__ELEMENTWISE,
    HOW_COPY_ = WEFT__ELEMENTWISE,
    HOW_FILL_ = WEFT__ELEMENTWISE,
    HOW_FILL = WEFT__ELEMENTWISE,
    HOW_ARANGE = WEFT__ELEMENTWISE,
    HOW_RAND = WEFT__ELEMENTWISE,
    HOW_RANDN = WEFT__ELEMENTWISE,
    HOW_RANDINT = WEFT__ELEMENTWISE,
    HOW_BERNOULLI = WEFT__ELEMENTWISE,

    HOW_COPY = WEFT__EXACT,
    HOW_CONCAT = WEFT__EXACT,
    HOW_FLIP = WEFT__EXACT,
    HOW_GATHER = WEFT__EXACT,
    HOW_INDEX_SELECT = WEFT__EXACT,
    HOW_EMBEDDING = WEFT__EXACT,
    HOW_MAX_OVER = WEFT__EXACT,
    HOW_MIN_OVER = WEFT__EXACT,
    HOW_ARGMAX = WEFT__EXACT,
    HOW_ARGMIN = WEFT__EXACT,
    HOW_ANY = WEFT__EXACT,
    HOW_ALL = WEFT__EXACT,
    HOW_MAX_POOL2D = WEFT__EXACT,
    HOW_COUNT_NONFINITE = WEFT__EXACT,

    HOW_SUM = WEFT__SUMMED,
    HOW_MEAN = WEFT__SUMMED,
    HOW_MATMUL = WEFT__SUMMED,
    HOW_LINEAR = WEFT__SUMMED,
    HOW_LINEAR_ACT = WEFT__SUMMED,
    HOW_LINEAR_GRAD = WEFT__SUMMED,
    HOW_CONV2D = WEFT__SUMMED,
    HOW_CONV2D_TRANSPOSE = WEFT__SUMMED,
    HOW_CONV2D_WEIGHT = WEFT__SUMMED,
    HOW_AVG_POOL2D = WEFT__SUMMED,
    HOW_AVG_UNPOOL2D = WEFT__SUMMED,
    HOW_SCATTER_ADD = WEFT__SUMMED,
    HOW_INDEX_ADD = WEFT__SUMMED,
    HOW_MAX_POOL2D_GRAD = WEFT__SUMMED,

    HOW_PROD = WEFT__ROWWISE,
    HOW_LOGSUMEXP = WEFT__ROWWISE,
    HOW_NORM = WEFT__ROWWISE,
    HOW_SOFTMAX = WEFT__ROWWISE,
    HOW_LOG_SOFTMAX = WEFT__ROWWISE,
    HOW_CROSS_ENTROPY_WITH = WEFT__ROWWISE,
    HOW_ATTENTION = WEFT__ROWWISE,
    HOW_LAYER_NORM = WEFT__ROWWISE,
    HOW_RMS_NORM = WEFT__ROWWISE,
    HOW_BATCH_NORM = WEFT__ROWWISE,

    HOW_SOFTMAX_GRAD = WEFT__DERIVED,
    HOW_LOG_SOFTMAX_GRAD = WEFT__DERIVED,
    HOW_CROSS_ENTROPY_GRAD = WEFT__DERIVED,
    HOW_ATTENTION_GRAD = WEFT__DERIVED,
    HOW_LAYER_NORM_GRAD = WEFT__DERIVED,
    HOW_RMS_NORM_GRAD = WEFT__DERIVED,
    HOW_BATCH_NORM_GRAD = WEFT__DERIVED,
    HOW_SGD_STEP = WEFT__DERIVED,
    HOW_ADAM_STEP = WEFT__DERIVED
};

static weft__agreement by_op(int op)
{
    static const unsigned char how[WEFT_OP_COUNT] = {
#define WEFT_OP(ID, name, family, doc) [WEFT_OP_##ID] = WEFT__ELEMENTWISE,
#define WEFT_TERNARY(ID, name, f, da, db, doc) [WEFT_OP_##ID] = WEFT__EXACT, /* one of two elements */
#define WEFT_VIEW(ID, name, params, doc)                                     /* no kernel */
#define WEFT_COMPOSITE(ID, name, result, params, doc)                        /* those of others */
#define WEFT_REDUCE(ID, name, cls, result, grad, doc) [WEFT_OP_##ID] = HOW_##ID,
#define WEFT_CUSTOM(ID, name, result, params, grad, doc) [WEFT_OP_##ID] = HOW_##ID,
#define WEFT_KERNEL(ID, name, doc) [WEFT_OP_##ID] = HOW_##ID,
#include "core/ops.def"
    };
    return (weft__agreement)how[op];
}

/* Statistics and bias gradients are sums like any other, whatever the operation's main result is. */
static weft__agreement by_result(int op, int result)
{
    switch (op) {
    case WEFT_OP_LAYER_NORM: /* y, mean, rstd */
    case WEFT_OP_BATCH_NORM: /* y, mean, rstd, var */
        return result == 0 ? by_op(op) : result == 1 ? WEFT__SUMMED : WEFT__POSITIVE;
    case WEFT_OP_RMS_NORM: /* y, rstd */
        return result == 0 ? by_op(op) : WEFT__POSITIVE;
    case WEFT_OP_LAYER_NORM_GRAD: /* dx, dw, db = the sums of g */
    case WEFT_OP_BATCH_NORM_GRAD:
        return result == 2 ? WEFT__SUMMED : by_op(op);
    default:
        return by_op(op);
    }
}

weft__agreement weft__agreement_of(const weft__frozen *f, int result)
{
    if (!weft_dtype_is_float((weft_dtype)f->out[result].a.dtype))
        return WEFT__EXACT;
    return f->grad || f->custom ? WEFT__DERIVED
                                : by_result(f->op, result); /* of a callback nothing is known: the widest */
}

/* ---- Terms ---- */

static int64_t ratio(int64_t a, int64_t b)
{
    return b > 0 && a > b ? a / b : 1;
}

/* Extent of a's dim, counted from the last one. */
static int64_t extent(const weft__array *a, int from_last)
{
    return a && a->ndim >= from_last ? a->shape[a->ndim - from_last] : 1;
}

/* Sums over the keys (or queries) of what are sums over a head's width themselves. */
static int64_t attention_terms(const weft__frozen *f, int result)
{
    const weft__array *q = &f->in[0].a, *k = &f->in[1].a, *v = &f->in[2].a;
    const bool by_key = f->op == WEFT_OP_ATTENTION_GRAD && result > 0; /* dk, dv: over the queries */
    const int64_t scores = extent(q, 1) + extent(by_key ? q : k, 2);
    return f->op == WEFT_OP_ATTENTION_GRAD ? scores + extent(v, 1) : scores;
}

int64_t weft__terms_of(const weft__frozen *f, int result)
{
    if (f->grad || f->custom || f->n_in == 0 || !f->in[0].block || !f->out[result].block)
        return 1;
    const weft__array *a = &f->in[0].a, *b = f->n_in > 1 && f->in[1].block ? &f->in[1].a : NULL;
    const weft__array *y = &f->out[result].a;
    switch (f->op) {
    case WEFT_OP_MATMUL:
    case WEFT_OP_LINEAR:
    case WEFT_OP_LINEAR_ACT:
        return extent(a, 1);
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
    case WEFT_OP_BATCH_NORM:
    case WEFT_OP_BATCH_NORM_GRAD:
        return ratio(a->count, a->shape[1]);
    case WEFT_OP_LAYER_NORM:
    case WEFT_OP_RMS_NORM:
        return f->attrs.i[0];
    case WEFT_OP_LAYER_NORM_GRAD:
    case WEFT_OP_RMS_NORM_GRAD: /* dw and db are sums over the rows */
        return result == 0 ? f->attrs.i[0] : ratio(a->count, f->attrs.i[0]);
    case WEFT_OP_ATTENTION:
    case WEFT_OP_ATTENTION_GRAD:
        return attention_terms(f, result);
    default:
        return ratio(a->count, y->count);
    }
}

/* ---- Bounds ---- */

/* What the roundings of two sums of n terms in f32 typically come to, as a share of the sum of their sizes. No partial
 * sum is larger than that sum, so that each rounding is at most u = 2^-24 of it and, rounded either way, typically u /
 * sqrt(3): sqrt(2 n / 3) u after 2 n of them. A few large terms of one sign, the first of a sequential sum, come close
 * to it. Short sums: what a product, a bias and an activation add. Long ones: every kernel adds in blocks. */
static double summed(int64_t terms)
{
    const double typical = 0x1p-24 * sqrt((double)terms);
    return typical < 6e-7 ? 6e-7 : typical > 2e-5 ? 2e-5 : typical;
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
    const bool half = dtype == WEFT_F16 || dtype == WEFT_BF16;
    const double one = (half ? 2 : WEFT__FEW) * c.sum; /* of half types the rounding at the end is all, and bounded */
    switch (how) {
    case WEFT__EXACT:
        return (weft__bounds){0};
    case WEFT__ELEMENTWISE:
        return (weft__bounds){.relative = c.elementwise, .absolute = c.elementwise / 2, .norm = c.elementwise};
    case WEFT__SUMMED: /* a rounding to the dtype comes after the sum */
        return (weft__bounds){.relative = half ? c.elementwise : 0, .magnitude = one, .norm = half ? one : c.sum};
    case WEFT__POSITIVE:
        return (weft__bounds){.relative = fmax(c.elementwise, one), .norm = fmax(c.elementwise, one)};
    case WEFT__ROWWISE:
        return (weft__bounds){.relative = c.elementwise, .absolute = c.sum, .norm = fmax(c.elementwise, c.sum)};
    default:
        return (weft__bounds){
            .relative = c.gradient, .absolute = fmax(c.gradient / 4, c.sum), .norm = fmax(c.gradient, c.sum)};
    }
}
