/* fused.c - what rules need that run a kernel for the first order. Compositions from public operations serve gradients
 * of gradients, and devices without that kernel. */
#include "vjp.h"
#include "engine/supports.h"

bool weft__has_fused(const weft__vjp *v, int op)
{
    return weft__backend_has_gradient(v->ctx->backend, op, v->g->a.dtype);
}

weft_status weft__run_fused(weft__vjp *v, int op, weft_tensor *const *in, int n_in, weft_tensor *const *out, int n_out)
{
    const weft__array *arrays[8];
    weft__array *outs[WEFT__MAX_DEF_RESULTS];
    for (int k = 0; k < n_in; k++)
        arrays[k] = in[k] ? &in[k]->a : NULL;
    for (int k = 0; k < n_out; k++)
        outs[k] = out[k] ? &out[k]->a : NULL;
    const bool has_attrs = weft__defs[op]->n_ints + weft__defs[op]->n_reals > 0;
    return weft__run_kernel(v->ctx, op, arrays, n_in, outs, n_out, has_attrs ? v->attrs : NULL);
}

/* An uninitialised tensor like operand k, if its gradient is wanted. */
weft_tensor *weft__room_for(weft__vjp *v, int k)
{
    if (!weft__wants(v, k))
        return NULL;
    const weft__array *a = &v->in[k]->a;
    return v->out[k] = weft__new(v->ctx, (int)v->node->op, (weft_dtype)a->dtype, a->shape, a->ndim);
}

void weft__drop_all(weft__vjp *v)
{
    for (int k = 0; k < v->node->n_in; k++)
        v->out[k] = NULL;
}
