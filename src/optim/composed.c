/* composed.c - what optimisers made of public operations share: weights and gradients in the type that steps are
 * computed in, and a step for each parameter. */
#include <stdio.h>
#include "optim.h"

static weft_dtype wide_of(const weft__optim *o, int k)
{
    return (weft_dtype)weft__wide_dtype((int32_t)weft_dtype_of(o->params[k]));
}

weft_tensor *weft__step_zeros(const weft__optim *o, int k, const int64_t *shape, int ndim)
{
    return weft_zeros(o->ctx, wide_of(o, k), shape, ndim);
}

weft_tensor *weft__step_weights(const weft__optim *o, int k)
{
    weft_tensor *p = weft_detach(o->params[k]), *wide = weft_cast(p, wide_of(o, k));
    if (!o->master || !o->master[k])
        return wide;
    weft_tensor *written = weft_ne(weft_cast(o->master[k], weft_dtype_of(p)), p);
    return weft_where(written, wide, o->master[k]);
}

weft_tensor *weft__step_gradient(const weft__optim *o, int k)
{
    return weft_cast(weft_detach(o->grads[k]), wide_of(o, k));
}

void weft__step_write(const weft__optim *o, int k, weft_tensor *weights)
{
    if (o->master && o->master[k])
        weft_copy_(o->master[k], weights);
    weft_copy_(o->params[k], weights);
}

weft_status weft__step_each(weft__optim *o, void (*step)(weft__optim *o, int k))
{
    for (int k = 0; k < o->n; k++) {
        if (!o->grads[k])
            continue;
        const int mark = weft_scope_push(o->ctx);
        step(o, k);
        const weft_status status = weft_scope_pop(o->ctx, mark);
        if (status != WEFT_OK) {
            char why[400];
            snprintf(why, sizeof why, "%s", weft_ctx_message(o->ctx));
            weft_ctx_clear(o->ctx);
            return weft_ctx_fail(o->ctx, status,
                                 "weft_optim_step: parameter %d of %d was not stepped, those before it were: %s", k,
                                 o->n, why);
        }
    }
    return WEFT_OK;
}

weft_status weft__check_choice(weft_ctx *ctx, const char *function, const char *name, int value, int n)
{
    if (value >= 0 && value < n)
        return WEFT_OK;
    return weft_ctx_fail(ctx, WEFT_E_INVALID, "weft_%s: %s is %d; it must be one of its enum's, 0 to %d", function,
                         name, value, n - 1);
}
