/* convert.c - cast, clone, contiguous. */
#include "core.h"

weft_tensor *weft_cast(weft_tensor *x, weft_dtype dtype)
{
    weft_ctx *ctx = weft__enter(WEFT_OP_CAST, &x, 1, 0);
    if (!ctx)
        return NULL;
    weft_tensor *y = NULL;
    if ((unsigned)dtype >= WEFT_DTYPE_COUNT)
        weft__fail(ctx, WEFT_OP_CAST, WEFT_E_DTYPE, "%d is not a dtype", (int)dtype);
    else
        y = weft__cast(x, dtype);
    return weft__leave_with(ctx, y);
}

/* A copy, recorded as a reshape to the same shape: its gradient is the identity. */
static weft_tensor *copy_of(weft_ctx *ctx, int op, weft_tensor *x)
{
    weft_tensor *y = weft__new(ctx, op, (weft_dtype)x->a.dtype, x->a.shape, x->a.ndim);
    if (!y || weft__copy_array(ctx, &x->a, &y->a) != WEFT_OK)
        return NULL;
    weft__attrs attrs;
    attrs.nf = 0;
    attrs.ni = x->a.ndim;
    for (int d = 0; d < x->a.ndim; d++)
        attrs.i[d] = x->a.shape[d];
    weft__call call = {.op = WEFT_OP_RESHAPE, .ctx = ctx, .in = &x, .n_in = 1, .out = {y}, .n_out = 1, .attrs = &attrs};
    return weft__record(&call) ? y : NULL;
}

weft_tensor *weft_clone(weft_tensor *x)
{
    weft_ctx *ctx = weft__enter(WEFT_OP_CLONE, &x, 1, 0);
    if (!ctx)
        return NULL;
    weft_tensor *y = copy_of(ctx, WEFT_OP_CLONE, x);
    return weft__leave_with(ctx, y);
}

weft_tensor *weft_contiguous(weft_tensor *x)
{
    weft_ctx *ctx = weft__enter(WEFT_OP_CONTIGUOUS, &x, 1, 0);
    if (!ctx)
        return NULL;
    weft_tensor *y = x->a.contiguous ? x : copy_of(ctx, WEFT_OP_CONTIGUOUS, x);
    return weft__leave_with(ctx, y);
}
