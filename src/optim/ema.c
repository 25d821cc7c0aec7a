/* ema.c - a moving average of parameters, and putting it in their place. */
#include <math.h>
#include <string.h>
#include "list.h"
#include "optim.h"

typedef struct ema {
    weft_ctx *ctx;
    size_t bytes;
    double decay;
    int n;
    int64_t updates;
    bool swapped;
    weft_tensor **params, **average, **kept; /* [n]; kept: what was in the parameters, while they hold the averages */
} ema;

static void end(void *object)
{
    ema *e = object;
    for (int k = 0; k < 3 * e->n; k++)
        weft_owned_release(e->params[k]);
    weft_ctx_free(e->ctx, e, e->bytes);
}

static const weft_object_kind kind = {sizeof kind, "average of parameters", "weft_ema_close", end, false};

static weft_status check_open(weft_ctx *ctx, weft_tensor *const *params, int n, double decay)
{
    if (!(decay > 0 && decay < 1))
        return weft_ctx_fail(ctx, WEFT_E_INVALID, "weft_ema_open: decay is %g; it must be in (0, 1)", decay);
    if (weft_check_params(ctx, "ema_open", params, n, WEFT_CHECK_PARAMS_CONTIGUOUS) != WEFT_OK)
        return weft_ctx_status(ctx);
    int before = 0;
    const int k = weft__first_repeated(ctx, params, n, &before);
    if (k >= 0)
        return weft_ctx_fail(ctx, WEFT_E_INVALID, "weft_ema_open: parameter %d is parameter %d again; list it once", k,
                             before);
    return weft_ctx_status(ctx);
}

static weft_status fill(ema *e, weft_tensor *const *params)
{
    const bool recording = weft_set_grad_enabled(e->ctx, false);
    const int mark = weft_scope_push(e->ctx);
    for (int k = 0; k < e->n; k++) {
        e->params[k] = weft_owned_keep(params[k]);
        const weft_dtype dtype = (weft_dtype)weft__wide_dtype((int32_t)weft_dtype_of(params[k]));
        e->average[k] = weft_owned_keep(weft_clone(weft_cast(weft_detach(params[k]), dtype)));
    }
    const weft_status status = weft_scope_pop(e->ctx, mark);
    weft_set_grad_enabled(e->ctx, recording);
    return status;
}

weft_status weft_ema_open(weft_ctx *ctx, weft_tensor *const *params, int n, double decay, weft_ema **out)
{
    if (out)
        *out = NULL;
    if (!ctx)
        return WEFT_E_NULL_ARGUMENT;
    if (weft_ctx_status(ctx) != WEFT_OK)
        return weft_ctx_status(ctx);
    if (!out)
        return weft_ctx_fail(ctx, WEFT_E_NULL_ARGUMENT, "weft_ema_open: out is NULL");
    if (check_open(ctx, params, n, decay) != WEFT_OK)
        return weft_ctx_status(ctx);
    const size_t bytes = sizeof(ema) + 3 * sizeof(weft_tensor *) * (size_t)n;
    ema *e = weft_ctx_alloc(ctx, bytes);
    if (!e)
        return weft_ctx_status(ctx);
    memset(e, 0, bytes);
    *e = (ema){.ctx = ctx, .bytes = bytes, .decay = decay, .n = n};
    e->params = (weft_tensor **)(void *)(e + 1);
    e->average = e->params + n;
    e->kept = e->average + n;
    if (fill(e, params) == WEFT_OK)
        *out = weft_own(ctx, &kind, e, "ema_open");
    if (*out)
        return WEFT_OK;
    end(e);
    return weft_ctx_status(ctx);
}

void weft_ema_close(weft_ema *handle)
{
    weft_owned_end(&kind, handle);
}

/* *out is the average, if it is one of ctx, that has no error, and the averages are where `swapped` says. */
static weft_status find(weft_ctx *ctx, const weft_ema *handle, const char *function, bool swapped, ema **out)
{
    ema *e = *out = weft_owned(&kind, handle);
    if (!e)
        return weft_owned_fail(ctx, function, &kind, handle);
    if (!ctx)
        return WEFT_E_NULL_ARGUMENT;
    if (weft_ctx_status(ctx) != WEFT_OK)
        return weft_ctx_status(ctx);
    if (e->ctx != ctx)
        return weft_ctx_fail(ctx, WEFT_E_MIXED_CONTEXTS, "weft_%s: the average belongs to another context", function);
    if (e->swapped != swapped)
        return weft_ctx_fail(ctx, WEFT_E_STATE, "weft_%s: the averages are%s in the parameters%s", function,
                             swapped ? " not" : "", swapped ? "" : "; weft_ema_swap_out first");
    return WEFT_OK;
}

/* The velocity of SGD with as much dampening as momentum is such an average of what it takes for gradients, set by the
 * first step. At rate 0 the parameters stay. */
weft_status weft_ema_update(weft_ctx *ctx, weft_ema *handle)
{
    ema *e;
    const weft_status status = find(ctx, handle, "ema_update", false, &e);
    if (status != WEFT_OK)
        return status;
    weft_sgd_options sgd = WEFT_SGD_DEFAULTS;
    sgd.lr = 0;
    sgd.momentum = sgd.dampening = e->decay;
    weft_step_lists lists = WEFT_STEP_LISTS_DEFAULTS;
    lists.params = lists.grads = e->params;
    lists.state = e->average;
    lists.n = e->n;
    lists.step = e->updates + 1;
    if (weft_sgd_step(ctx, &lists, &sgd) == WEFT_OK)
        e->updates++;
    return weft_ctx_status(ctx);
}

static void copy_all(const ema *e, weft_tensor *const *from)
{
    for (int k = 0; k < e->n; k++)
        weft_copy_(e->params[k], from[k]);
}

static void drop_kept(ema *e)
{
    for (int k = 0; k < e->n; k++) {
        weft_owned_release(e->kept[k]);
        e->kept[k] = NULL;
    }
}

weft_status weft_ema_swap_in(weft_ctx *ctx, weft_ema *handle)
{
    ema *e;
    weft_status status = find(ctx, handle, "ema_swap_in", false, &e);
    if (status != WEFT_OK)
        return status;
    const bool recording = weft_set_grad_enabled(ctx, false);
    const int mark = weft_scope_push(ctx);
    for (int k = 0; k < e->n; k++) /* all memory first: without it nothing changes */
        e->kept[k] = weft_owned_keep(weft_clone(weft_detach(e->params[k])));
    copy_all(e, e->average);
    status = weft_scope_pop(ctx, mark);
    weft_set_grad_enabled(ctx, recording);
    e->swapped = status == WEFT_OK;
    if (status != WEFT_OK)
        drop_kept(e);
    return status;
}

weft_status weft_ema_swap_out(weft_ctx *ctx, weft_ema *handle)
{
    ema *e;
    weft_status status = find(ctx, handle, "ema_swap_out", true, &e);
    if (status != WEFT_OK)
        return status;
    const bool recording = weft_set_grad_enabled(ctx, false);
    copy_all(e, e->kept);
    weft_set_grad_enabled(ctx, recording);
    status = weft_ctx_status(ctx);
    e->swapped = status != WEFT_OK;
    if (status == WEFT_OK)
        drop_kept(e);
    return status;
}

int weft_ema_state(weft_ema *handle, weft_tensor **state, int room)
{
    const ema *e = weft_owned(&kind, handle);
    for (int k = 0; e && state && k < e->n && k < room; k++)
        state[k] = e->average[k];
    return e ? e->n : 0;
}

int64_t weft_ema_updates(const weft_ema *handle)
{
    const ema *e = weft_owned(&kind, handle);
    return e ? e->updates : 0;
}

weft_status weft_ema_set_updates(weft_ema *handle, int64_t updates)
{
    ema *e = weft_owned(&kind, handle);
    if (!e)
        return weft_owned_fail(NULL, "ema_set_updates", &kind, handle);
    if (updates < 0)
        return weft_ctx_fail(e->ctx, WEFT_E_INVALID, "weft_ema_set_updates: updates is %lld; it must be at least 0",
                             (long long)updates);
    e->updates = updates;
    return WEFT_OK;
}
