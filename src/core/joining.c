/* joining.c - front ends of concat, pad, flip. */
#include <string.h>
#include "core.h"

static bool concat_shape(weft_ctx *ctx, weft_tensor *const *in, int n, int d, int64_t *shape)
{
    memcpy(shape, in[0]->a.shape, sizeof in[0]->a.shape);
    shape[d] = 0;
    for (int k = 0; k < n; k++) {
        weft__array like = in[0]->a;
        if (in[k]->a.ndim > d)
            like.shape[d] = in[k]->a.shape[d];
        if (!weft__same_shape(&like, &in[k]->a) || __builtin_add_overflow(shape[d], in[k]->a.shape[d], &shape[d])) {
            weft__fail(ctx, WEFT_OP_CONCAT, WEFT_E_SHAPE,
                       "operand %d is %s, operand 0 is %s; all sizes but dim %d must agree", k, weft__describe(in[k]).s,
                       weft__describe(in[0]).s, d);
            return false;
        }
    }
    return true;
}

static weft_tensor *concat(weft_ctx *ctx, weft_tensor **in, int n, int64_t dim)
{
    enum { OP = WEFT_OP_CONCAT };
    if (!weft__localise(ctx, in, n) || !weft__need_rank(ctx, OP, "operand 0", in[0], 1, WEFT__MAX_DIMS))
        return NULL;
    int d = weft__dim(ctx, OP, in[0], dim);
    int64_t shape[WEFT__MAX_DIMS];
    if (d < 0 || !concat_shape(ctx, in, n, d, shape))
        return NULL;
    weft_dtype dtype = (weft_dtype)in[0]->a.dtype;
    for (int k = 1; k < n; k++)
        dtype = weft_promote(dtype, (weft_dtype)in[k]->a.dtype);
    for (int k = 0; k < n; k++)
        if (!(in[k] = weft_cast(in[k], dtype)))
            return NULL;
    weft_tensor *y = weft__new(ctx, OP, dtype, shape, in[0]->a.ndim);
    if (!y)
        return NULL;
    weft__attrs attrs;
    attrs.ni = 1;
    attrs.nf = 0;
    attrs.i[0] = d;
    weft__call call = {.op = OP, .ctx = ctx, .in = in, .n_in = n, .out = {y}, .n_out = 1, .attrs = &attrs};
    return weft__run(&call);
}

weft_tensor *weft_concat(weft_tensor *const *tensors, int n, int64_t dim)
{
    if (!tensors || n < 1)
        return weft__note_lost("concat", WEFT_E_INVALID, tensors ? "was given no tensors" : "was given NULL"), NULL;
    weft_ctx *ctx = weft__enter(WEFT_OP_CONCAT, tensors, n, 0);
    if (!ctx)
        return NULL;
    size_t bytes = sizeof(weft_tensor *) * (size_t)n;
    weft_tensor **in = weft__host_alloc(ctx, bytes), *y = NULL;
    if (!in) {
        weft__fail(ctx, WEFT_OP_CONCAT, WEFT_E_NOMEM, "out of memory for %d operands", n);
    } else {
        memcpy(in, tensors, bytes);
        y = concat(ctx, in, n, dim);
        weft__host_free(ctx, in, bytes);
    }
    return weft__leave_with(ctx, y);
}

/* Checks the sizes and fills in shape and attributes. */
static bool pad_fits(weft_ctx *ctx, const weft_tensor *x, const int64_t *before, const int64_t *after, int ndim,
                     int64_t *shape, weft__attrs *attrs)
{
    enum { OP = WEFT_OP_PAD };
    if (ndim != x->a.ndim || (ndim > 0 && (!before || !after))) {
        weft__fail(
            ctx, OP, WEFT_E_SHAPE, "%s needs before and after with %d sizes each; %d were given, before %s, after %s",
            weft__describe(x).s, x->a.ndim, ndim, before ? "at an address" : "NULL", after ? "at an address" : "NULL");
        return false;
    }
    for (int d = 0; d < ndim; d++) {
        attrs->i[d] = before[d];
        attrs->i[8 + d] = after[d];
        bool negative = before[d] < 0 || after[d] < 0;
        if (!negative && !__builtin_add_overflow(x->a.shape[d], before[d], &shape[d]) &&
            !__builtin_add_overflow(shape[d], after[d], &shape[d]))
            continue;
        weft__fail(ctx, OP, WEFT_E_SHAPE, "dim %d of %s cannot have %lld elements before and %lld after it; %s", d,
                   weft__describe(x).s, (long long)before[d], (long long)after[d],
                   negative ? "they must be >= 0 (weft_slice takes away)" : "the sum is beyond 64 bits");
        return false;
    }
    return true;
}

weft_tensor *weft_pad(weft_tensor *x, const int64_t *before, const int64_t *after, int ndim, double value)
{
    enum { OP = WEFT_OP_PAD };
    weft_ctx *ctx = weft__enter(OP, &x, 1, 0);
    if (!ctx)
        return NULL;
    weft_tensor *y = NULL;
    int64_t shape[WEFT__MAX_DIMS];
    weft__attrs attrs = {.ni = 16, .nf = 1, .f = {value}};
    if (pad_fits(ctx, x, before, after, ndim, shape, &attrs) &&
        (y = weft__new(ctx, OP, (weft_dtype)x->a.dtype, shape, ndim))) {
        weft__call call = {.op = OP, .ctx = ctx, .in = &x, .n_in = 1, .out = {y}, .n_out = 1, .attrs = &attrs};
        y = weft__run(&call);
    }
    return weft__leave_with(ctx, y);
}

weft_tensor *weft_flip(weft_tensor *x, const int64_t *dims, int ndim)
{
    enum { OP = WEFT_OP_FLIP };
    weft_ctx *ctx = weft__enter(OP, &x, 1, 0);
    if (!ctx)
        return NULL;
    weft_tensor *y = NULL;
    int mask = weft__dim_mask(ctx, OP, x, dims, ndim);
    if (mask >= 0 && (y = weft__new(ctx, OP, (weft_dtype)x->a.dtype, x->a.shape, x->a.ndim))) {
        weft__attrs attrs;
        attrs.ni = 1;
        attrs.nf = 0;
        attrs.i[0] = mask;
        weft__call call = {.op = OP, .ctx = ctx, .in = &x, .n_in = 1, .out = {y}, .n_out = 1, .attrs = &attrs};
        y = weft__run(&call);
    }
    return weft__leave_with(ctx, y);
}
