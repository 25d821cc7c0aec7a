/* dropout.c - front end of dropout. */
#include "core.h"

weft_tensor *weft_dropout(weft_tensor *x, double p, bool training)
{
    enum { OP = WEFT_OP_DROPOUT };
    weft_ctx *ctx = weft__enter(OP, &x, 1, 0);
    if (!ctx)
        return NULL;
    weft_tensor *y = NULL;
    if (!(p >= 0 && p <= 1)) {
        weft__fail(ctx, OP, WEFT_E_INVALID, "p is %g, but a probability is in [0, 1]; x is %s", p, weft__describe(x).s);
    } else if (!weft__need_float(ctx, OP, "x", x) || !training || p == 0) {
        y = x;
    } else {
        weft__attrs attrs = {.ni = 2, .nf = 1, .i = {(int64_t)ctx->seed, (int64_t)ctx->random_call++}, .f = {p}};
        weft__call call = {.op = OP, .ctx = ctx, .in = &x, .n_in = 1, .n_out = 2, .attrs = &attrs};
        call.out[0] = weft__new(ctx, OP, (weft_dtype)x->a.dtype, x->a.shape, x->a.ndim);
        call.out[1] = weft__new(ctx, OP, WEFT_BOOL, x->a.shape, x->a.ndim);
        y = ctx->status == WEFT_OK ? weft__run(&call) : NULL;
    }
    y = ctx->status == WEFT_OK ? y : NULL;
    return weft__leave_with(ctx, y);
}
