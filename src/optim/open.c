/* open.c - opening and closing optimisers: options, parameters, and the state beside them. A user of the public API. */
#include <string.h>
#include "optim.h"

static void end(void *object)
{
    optim *o = object;
    for (int k = 0; k < o->n; k++) {
        for (int moment = 0; moment < o->moments; moment++)
            weft_owned_release(o->state[moment * o->n + k]);
        if (o->master)
            weft_owned_release(o->master[k]);
        weft_owned_release(o->params[k]);
    }
    weft_ctx_free(o->ctx, o, o->bytes);
}

const weft_object_kind weft__optim_kind = {sizeof weft__optim_kind, "optimiser", "weft_optim_close", end};

static bool is_half(const weft_tensor *t)
{
    return weft_dtype_of(t) == WEFT_F16 || weft_dtype_of(t) == WEFT_BF16;
}

/* Zeros in the type that the step computes in, and copies in it where master weights are asked for. */
static weft_status make_state(optim *o)
{
    const int mark = weft_scope_push(o->ctx);
    for (int k = 0; k < o->n; k++) {
        weft_tensor *p = o->params[k];
        const weft_dtype dtype = is_half(p) ? WEFT_F32 : weft_dtype_of(p);
        for (int moment = 0; moment < o->moments; moment++)
            o->state[moment * o->n + k] = weft_owned_keep(weft_zeros(o->ctx, dtype, weft_shape(p), weft_ndim(p)));
        if (o->master && is_half(p))
            o->master[k] = weft_owned_keep(weft_cast(p, WEFT_F32));
    }
    return weft_scope_pop(o->ctx, mark);
}

static weft_status check_params(weft_ctx *ctx, const char *function, weft_tensor *const *params, int n)
{
    const weft_status status =
        weft_check_params(ctx, function, params, n, WEFT_CHECK_PARAMS_REQUIRE_GRAD | WEFT_CHECK_PARAMS_CONTIGUOUS);
    if (status != WEFT_OK)
        return status;
    int before = 0;
    const int k = weft__first_repeated(ctx, params, n, &before);
    if (k < 0)
        return weft_ctx_status(ctx);
    const char *name = weft_name(params[k]);
    return weft_ctx_fail(ctx, WEFT_E_INVALID,
                         "weft_%s: parameter %d%s%s is parameter %d again, and would be stepped twice; list it once",
                         function, k, name[0] ? " " : "", name, before);
}

/* An optimiser of n parameters whose options o has; the handle in *out. */
static weft_status open_with(const optim *options, const char *function, weft_tensor *const *params, int n,
                             bool master_weights, weft_optim **out)
{
    weft_ctx *ctx = options->ctx;
    weft_status status = check_params(ctx, function, params, n);
    if (status != WEFT_OK)
        return status;
    const size_t lists = 2 + (size_t)options->moments + master_weights;
    const size_t bytes = sizeof(optim) + sizeof(weft_tensor *) * (size_t)n * lists;
    optim *o = weft_ctx_alloc(ctx, bytes);
    if (!o)
        return weft_ctx_status(ctx);
    memset(o, 0, bytes);
    *o = *options;
    o->bytes = bytes;
    o->n = n;
    o->params = (weft_tensor **)(o + 1);
    o->grads = o->params + n;
    o->state = o->grads + n;
    o->master = master_weights ? o->state + o->moments * n : NULL;
    o->sgd.master = o->adam.master = o->master;
    for (int k = 0; k < n; k++)
        o->params[k] = weft_owned_keep(params[k]);
    const bool recording = weft_set_grad_enabled(ctx, false);
    status = make_state(o);
    weft_set_grad_enabled(ctx, recording);
    if (status == WEFT_OK)
        *out = weft_own(ctx, &weft__optim_kind, o, function);
    if (*out)
        return WEFT_OK;
    end(o);
    return weft_ctx_status(ctx);
}

/* What every open looks at first. */
static weft_status begin(weft_ctx *ctx, const char *function, weft_optim **out)
{
    if (out)
        *out = NULL;
    if (!ctx)
        return WEFT_E_NULL_ARGUMENT;
    if (weft_ctx_status(ctx) != WEFT_OK)
        return weft_ctx_status(ctx);
    return out ? WEFT_OK : weft_ctx_fail(ctx, WEFT_E_NULL_ARGUMENT, "weft_%s: out is NULL", function);
}

weft_status weft_sgd_open(weft_ctx *ctx, weft_tensor *const *params, int n, const weft_sgd_options *options,
                          weft_optim **out)
{
    const char *function = "sgd_open";
    static const weft_sgd_options defaults = WEFT_SGD_DEFAULTS;
    weft_sgd_options w;
    weft_status status = begin(ctx, function, out);
    if (status == WEFT_OK)
        status = weft_struct_in(ctx, function, "weft_sgd_options", &defaults, options, &w);
    if (status != WEFT_OK)
        return status;
    const optim o = {.ctx = ctx,
                     .rule = OPTIM_SGD,
                     .moments = w.momentum != 0,
                     .allow_missing = w.allow_missing,
                     .sgd = {.struct_size = sizeof o.sgd,
                             .lr = w.lr,
                             .momentum = w.momentum,
                             .dampening = w.dampening,
                             .weight_decay = w.weight_decay,
                             .nesterov = w.nesterov}};
    status = weft_check_sgd(ctx, function, &o.sgd);
    return status == WEFT_OK ? open_with(&o, function, params, n, w.master_weights, out) : status;
}

static weft_status open_adam(weft_ctx *ctx, const char *function, weft_tensor *const *params, int n,
                             const weft_adam_options *options, bool decoupled, weft_optim **out)
{
    static const weft_adam_options defaults = WEFT_ADAM_DEFAULTS;
    weft_adam_options w;
    weft_status status = begin(ctx, function, out);
    if (status == WEFT_OK)
        status = weft_struct_in(ctx, function, "weft_adam_options", &defaults, options, &w);
    if (status != WEFT_OK)
        return status;
    const optim o = {.ctx = ctx,
                     .rule = OPTIM_ADAM,
                     .moments = 2,
                     .allow_missing = w.allow_missing,
                     .adam = {.struct_size = sizeof o.adam,
                              .lr = w.lr,
                              .beta1 = w.beta1,
                              .beta2 = w.beta2,
                              .eps = w.eps,
                              .weight_decay = w.weight_decay,
                              .decoupled = decoupled}};
    status = weft_check_adam(ctx, function, &o.adam);
    return status == WEFT_OK ? open_with(&o, function, params, n, w.master_weights, out) : status;
}

weft_status weft_adam_open(weft_ctx *ctx, weft_tensor *const *params, int n, const weft_adam_options *options,
                           weft_optim **out)
{
    return open_adam(ctx, "adam_open", params, n, options, false, out);
}

weft_status weft_adamw_open(weft_ctx *ctx, weft_tensor *const *params, int n, const weft_adam_options *options,
                            weft_optim **out)
{
    return open_adam(ctx, "adamw_open", params, n, options, true, out);
}

void weft_optim_close(weft_optim *handle)
{
    weft_owned_end(&weft__optim_kind, handle);
}
