/* attention.c - front end of scaled dot-product attention. */
#include <math.h>
#include <string.h>
#include "core.h"

enum { OP = WEFT_OP_ATTENTION };

static bool shapes_fit(weft_ctx *ctx, weft_tensor *const *in)
{
    static const char *const names[] = {"q", "k", "v"};
    for (int k = 0; k < 3; k++)
        if (!weft__need_rank(ctx, OP, names[k], in[k], 2, WEFT__MAX_DIMS) ||
            !weft__need_float(ctx, OP, names[k], in[k]))
            return false;
    const weft__array *q = &in[0]->a, *k = &in[1]->a, *v = &in[2]->a;
    const int lead = q->ndim - 2;
    const size_t bytes = sizeof *q->shape * (size_t)lead;
    if (k->ndim != q->ndim || v->ndim != q->ndim || memcmp(q->shape, k->shape, bytes) != 0 ||
        memcmp(q->shape, v->shape, bytes) != 0) {
        weft__fail(ctx, OP, WEFT_E_SHAPE,
                   "q is %s, k is %s, v is %s: their leading dims (batch, heads) must be equal; repeat k and v for the "
                   "heads that share them with weft_expand",
                   weft__describe(in[0]).s, weft__describe(in[1]).s, weft__describe(in[2]).s);
        return false;
    }
    if (k->shape[lead + 1] != q->shape[lead + 1] || v->shape[lead] != k->shape[lead]) {
        weft__fail(ctx, OP, WEFT_E_SHAPE,
                   "q is %s, k is %s, v is %s, but they must be q [..., T, D], k [..., S, D], v [..., S, E]; "
                   "weft_transpose swaps dims",
                   weft__describe(in[0]).s, weft__describe(in[1]).s, weft__describe(in[2]).s);
        return false;
    }
    return true;
}

static bool to_one_dtype(weft_tensor **in)
{
    weft_dtype dtype = (weft_dtype)in[0]->a.dtype;
    for (int k = 1; k < 3; k++)
        dtype = weft_promote(dtype, (weft_dtype)in[k]->a.dtype);
    for (int k = 0; k < 3; k++)
        if ((weft_dtype)in[k]->a.dtype != dtype && !(in[k] = weft_cast(in[k], dtype)))
            return false;
    return true;
}

static double scale_or_default(double scale, int64_t width)
{
    if (scale != 0)
        return scale;
    return width > 0 ? 1 / sqrt((double)width) : 1;
}

static weft_tensor *attention(weft_ctx *ctx, weft_tensor **in, double scale, bool causal)
{
    if (!weft__localise(ctx, in, 3) || !shapes_fit(ctx, in))
        return NULL;
    if (!isfinite(scale)) {
        weft__fail(ctx, OP, WEFT_E_INVALID, "scale is %g; it must be finite (0 means 1 / sqrt(D))", scale);
        return NULL;
    }
    if (!to_one_dtype(in))
        return NULL;
    const weft__array *q = &in[0]->a;
    const int n = q->ndim;
    int64_t shape[WEFT__MAX_DIMS];
    memcpy(shape, q->shape, sizeof shape);
    shape[n - 1] = in[2]->a.shape[n - 1];
    const weft_dtype dtype = (weft_dtype)q->dtype;
    weft__attrs attrs = {.ni = 1, .nf = 1, .i = {causal}, .f = {scale_or_default(scale, q->shape[n - 1])}};
    weft__call call = {.op = OP, .ctx = ctx, .in = in, .n_in = 3, .n_out = 2, .attrs = &attrs};
    call.out[0] = weft__new(ctx, OP, dtype, shape, n);
    call.out[1] = weft__new(ctx, OP, dtype == WEFT_F64 ? WEFT_F64 : WEFT_F32, shape, n - 1);
    return ctx->status == WEFT_OK ? weft__run(&call) : NULL;
}

weft_tensor *weft_attention(weft_tensor *q, weft_tensor *k, weft_tensor *v, double scale, bool causal)
{
    weft_tensor *in[] = {q, k, v};
    weft_ctx *ctx = weft__enter(OP, in, 3, 0);
    if (!ctx)
        return NULL;
    weft_tensor *y = attention(ctx, in, scale, causal);
    return weft__leave_with(ctx, y);
}
