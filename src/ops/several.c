/* several.c - see several.h. */
#include "several.h"
#include "vjp.h"

weft_ctx *weft__begin_several(int op, weft_tensor **x, weft_tensor **const *y, int n)
{
    bool any = false;
    for (int k = 0; k < n; k++) {
        any |= y[k] != NULL;
        if (y[k])
            *y[k] = NULL;
    }
    weft_ctx *ctx = weft__begin(op, x, 1);
    if (ctx && !any)
        weft__fail(ctx, op, WEFT_E_NULL_ARGUMENT, "every place for a result is NULL; give at least one");
    return ctx;
}

weft_status weft__refused(const weft_tensor *x)
{
    return x && x->ctx ? x->ctx->status : WEFT_E_NULL_ARGUMENT;
}

weft_status weft__end_several(weft_ctx *ctx, bool done, weft_tensor *const *out, weft_tensor **const *y, int n)
{
    for (int k = 0; k < n && done; k++)
        if (y[k])
            *y[k] = out[k];
    const weft_status status = ctx->status;
    for (int k = 0; k < n && done; k++)
        if (y[k])
            weft__ref(out[k]);
    (void)weft__leave_with(ctx, NULL);
    for (int k = 0; k < n && done; k++)
        if (y[k])
            weft__unref(out[k]);
    return status;
}

bool weft__complete_choice(weft_ctx *ctx, int op, weft_tensor *x, weft__attrs *attrs, weft_tensor **out)
{
    if (x->a.dtype != WEFT_BOOL)
        return weft__complete(ctx, op, &x, 1, attrs, out);
    weft__array bytes = x->a;
    bytes.dtype = WEFT_U8;
    weft_tensor *as_bytes = weft__new_on(ctx, op, &bytes, x->storage);
    if (!as_bytes || !weft__complete(ctx, op, &as_bytes, 1, attrs, out))
        return false;
    out[0]->a.dtype = WEFT_BOOL;
    return true;
}

void weft__put_back(weft__vjp *v, weft_tensor *g, weft_tensor *index, int64_t dim)
{
    if (!g || !index)
        return;
    const weft__array *x = &v->in[0]->a;
    weft_tensor *zeros = weft_zeros(v->ctx, (weft_dtype)g->a.dtype, x->shape, x->ndim);
    v->out[0] = weft_scatter_add(zeros, index, g, dim);
}
