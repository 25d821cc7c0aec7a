/* open.c - opening and closing optimisers: options, parameters, and the state beside them. */
#include <string.h>
#include "list.h"
#include "optim.h"

static void end(void *object);
const weft_object_kind weft__optim_kind = {sizeof weft__optim_kind, "optimiser", "weft_optim_close", end, false};

static void end(void *object)
{
    weft__optim *o = object;
    for (int k = 0; o->parts && k < o->n; k++)
        weft_owned_end(&weft__optim_kind, o->parts[k]);
    for (int k = 0; !o->parts && k < o->n; k++) {
        for (int state = 0; state < o->states; state++)
            weft_owned_release(o->state[state * o->n + k]);
        if (o->master)
            weft_owned_release(o->master[k]);
        weft_owned_release(o->params[k]);
    }
    weft_ctx_free(o->ctx, o, o->bytes);
}

static weft_tensor *state_of(const weft__optim *o, int state, int k, weft_dtype dtype)
{
    const weft_tensor *p = o->params[k];
    if (o->rule->make_state)
        return o->rule->make_state(o, state, k);
    return weft_full(o->ctx, dtype, weft_shape(p), weft_ndim(p), weft__initial(o->rule, o->options, state));
}

/* State in the type that the step computes in, and copies in it where master weights are asked for. */
static weft_status make_state(weft__optim *o)
{
    const int mark = weft_scope_push(o->ctx);
    for (int k = 0; k < o->n; k++) {
        weft_tensor *p = o->params[k];
        const weft_dtype dtype = (weft_dtype)weft__wide_dtype((int32_t)weft_dtype_of(p));
        for (int state = 0; state < o->states; state++)
            o->state[state * o->n + k] = weft_owned_keep(state_of(o, state, k, dtype));
        if (o->master && dtype != weft_dtype_of(p))
            o->master[k] = weft_owned_keep(weft_cast(p, dtype));
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

static bool flag_at(const void *options, size_t at)
{
    bool flag;
    memcpy(&flag, (const char *)options + at, sizeof flag);
    return flag;
}

/* The block of an optimiser of n parameters with these options, without tensors yet. */
static weft__optim *make_block(weft_ctx *ctx, const weft__rule *rule, int n, const void *options)
{
    const bool has_masters = flag_at(options, rule->master_weights);
    const int states = weft__count_states(rule, options);
    const size_t lists = 2 + (size_t)states + has_masters;
    const size_t own = (rule->size + sizeof(double) - 1) / sizeof(double) * sizeof(double);
    const size_t bytes = sizeof(weft__optim) + own + sizeof(weft_tensor *) * (size_t)n * lists;
    weft__optim *o = weft_ctx_alloc(ctx, bytes);
    if (!o)
        return NULL;
    memset(o, 0, bytes);
    *o = (weft__optim){.ctx = ctx, .bytes = bytes, .rule = rule, .n = n, .states = states};
    o->allow_missing = flag_at(options, rule->allow_missing);
    memcpy(&o->base_lr, (const char *)options + rule->lr, sizeof o->base_lr);
    o->options = o + 1;
    memcpy(o->options, options, rule->size);
    o->params = (weft_tensor **)(void *)((char *)o->options + own);
    o->grads = o->params + n;
    o->state = o->grads + n;
    o->master = has_masters ? o->state + states * n : NULL;
    return o;
}

static weft_status open_with(weft_ctx *ctx, const char *function, const weft__rule *rule, weft_tensor *const *params,
                             int n, const void *options, weft_optim **out)
{
    weft_status status = check_params(ctx, function, params, n);
    if (status != WEFT_OK)
        return status;
    weft__optim *o = make_block(ctx, rule, n, options);
    if (!o)
        return weft_ctx_status(ctx);
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

weft_status weft__optim_open(weft_ctx *ctx, const char *function, const weft__rule *rule, weft_tensor *const *params,
                             int n, const void *options, weft_optim **out)
{
    weft__any_options own;
    if (out)
        *out = NULL;
    if (!ctx)
        return WEFT_E_NULL_ARGUMENT;
    if (weft_ctx_status(ctx) != WEFT_OK)
        return weft_ctx_status(ctx);
    if (!out)
        return weft_ctx_fail(ctx, WEFT_E_NULL_ARGUMENT, "weft_%s: out is NULL", function);
    const weft_status status = weft__read_options(ctx, function, rule, options, &own);
    return status == WEFT_OK ? open_with(ctx, function, rule, params, n, &own, out) : status;
}

void weft_optim_close(weft_optim *handle)
{
    weft_owned_end(&weft__optim_kind, handle);
}
