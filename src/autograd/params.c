/* params.c - the check of a list of parameters: see weft/extend.h. */
#include "engine/engine.h"
#include <weft/extend.h>

/* Why t does not do, with the remedy; NULL if it does. */
static const char *fault_of(const weft_tensor *t, int flags)
{
    if (t->node)
        return "was computed from others and is no leaf; list the leaves that weft_param made, or weft_detach it and "
               "make it one";
    if (flags & WEFT_CHECK_PARAMS_REQUIRE_GRAD && !weft__requires(t))
        return "does not require a gradient; make it with weft_param";
    if (flags & WEFT_CHECK_PARAMS_CONTIGUOUS && !t->a.contiguous)
        return "is not contiguous, as a view can be; make the parameter of weft_contiguous of it";
    return NULL;
}

weft_status weft_check_params(weft_ctx *ctx, const char *function, weft_tensor *const *params, int n, int flags)
{
    if (!ctx)
        return WEFT_E_NULL_ARGUMENT;
    /* No weft__enter: what function does next is still at the call site noted for it. */
    weft_status status = ctx->status;
    if (status != WEFT_OK)
        return status;
    if (n < 1)
        status = weft__fail_named(ctx, function, WEFT_E_INVALID, "n is %d; at least one parameter is needed", n);
    else if (!params)
        status = weft__fail_named(ctx, function, WEFT_E_NULL_ARGUMENT, "params is NULL");
    for (int k = 0; k < n && status == WEFT_OK; k++) {
        const weft_tensor *t = params[k];
        if (!weft__check(ctx, function, t, "parameter", k)) {
            status = ctx->status;
        } else if (fault_of(t, flags)) {
            status = weft__fail_named(ctx, function, WEFT_E_NO_GRADIENT, "parameter %d (%s) %s", k, weft__describe(t).s,
                                      fault_of(t, flags));
        }
    }
    return status;
}
