/* optim.c - optimisers in use: one fused step for all parameters, and what a checkpoint needs. A user of the public
 * API. */
#include <math.h>
#include <stdio.h>
#include "optim.h"

static optim *look(const weft_optim *handle)
{
    return weft_owned(&weft__optim_kind, handle);
}

/* The reason why a parameter has no gradient, if the last backward knows one. */
typedef struct search {
    const weft_tensor *leaf;
    char why[400];
} search;

static void match(void *user, weft_tensor *leaf, const char *why)
{
    search *s = user;
    if (leaf == s->leaf)
        snprintf(s->why, sizeof s->why, "%s", why);
}

static weft_status missing(const optim *o, int k)
{
    search s = {.leaf = o->params[k]};
    weft_unreached(o->ctx, match, &s);
    const char *name = weft_name(o->params[k]);
    return weft_ctx_fail(o->ctx, WEFT_E_NO_GRADIENT,
                         "weft_optim_step: parameter %d%s%s has no gradient: %s; set allow_missing if that is meant", k,
                         name[0] ? " " : "", name,
                         s.why[0] ? s.why : "weft_backward has not reached it since the gradients were cleared");
}

/* *out is the optimiser, if it is one of ctx and that has no error. */
static weft_status find(weft_ctx *ctx, const weft_optim *handle, const char *function, optim **out)
{
    optim *o = *out = look(handle);
    if (!o)
        return weft_owned_fail(ctx, function, &weft__optim_kind, handle);
    if (!ctx)
        return WEFT_E_NULL_ARGUMENT;
    if (weft_ctx_status(ctx) == WEFT_OK && o->ctx != ctx)
        return weft_ctx_fail(ctx, WEFT_E_MIXED_CONTEXTS, "weft_%s: the optimiser belongs to another context", function);
    return weft_ctx_status(ctx);
}

weft_status weft_optim_step(weft_ctx *ctx, weft_optim *handle)
{
    optim *o;
    weft_status status = find(ctx, handle, "optim_step", &o);
    if (status != WEFT_OK)
        return status;
    for (int k = 0; k < o->n; k++) {
        o->grads[k] = weft_grad_of(o->params[k]);
        if (!o->grads[k] && !o->allow_missing)
            return missing(o, k);
    }
    o->sgd.step = o->adam.step = o->steps + 1;
    if (o->rule == OPTIM_SGD) {
        status = weft_sgd_step(ctx, o->params, o->grads, o->moments ? o->state : NULL, o->n, &o->sgd);
    } else {
        status = weft_adam_step(ctx, o->params, o->grads, o->state, o->state + o->n, o->n, &o->adam);
    }
    if (status == WEFT_OK)
        o->steps++;
    return status;
}

weft_status weft_optim_zero_grad(weft_ctx *ctx, weft_optim *handle)
{
    optim *o;
    const weft_status status = find(ctx, handle, "optim_zero_grad", &o);
    return status == WEFT_OK ? weft_zero_grad(ctx, o->params, o->n) : status;
}

double weft_optim_lr(const weft_optim *handle)
{
    const optim *o = look(handle);
    if (!o)
        return (double)NAN;
    return o->rule == OPTIM_SGD ? o->sgd.lr : o->adam.lr;
}

weft_status weft_optim_set_lr(weft_optim *handle, double lr)
{
    optim *o = look(handle);
    if (!o)
        return weft_owned_fail(NULL, "optim_set_lr", &weft__optim_kind, handle);
    if (!(lr >= 0 && isfinite(lr)))
        return weft_ctx_fail(o->ctx, WEFT_E_INVALID,
                             "weft_optim_set_lr: the learning rate is %g; it must be finite and at least 0", lr);
    o->sgd.lr = lr;
    o->adam.lr = lr;
    return WEFT_OK;
}

int64_t weft_optim_steps(const weft_optim *handle)
{
    const optim *o = look(handle);
    return o ? o->steps : 0;
}

weft_status weft_optim_set_steps(weft_optim *handle, int64_t steps)
{
    const int64_t most = (int64_t)1 << 53; /* beyond, the bias corrections could not tell one step from the next */
    optim *o = look(handle);
    if (!o)
        return weft_owned_fail(NULL, "optim_set_steps", &weft__optim_kind, handle);
    if (steps < 0 || steps > most)
        return weft_ctx_fail(o->ctx, WEFT_E_INVALID,
                             "weft_optim_set_steps: the number of steps is %lld; it must be 0 to 2^53",
                             (long long)steps);
    o->steps = steps;
    return WEFT_OK;
}

int weft_optim_state(weft_optim *handle, weft_tensor **state, int room)
{
    const optim *o = look(handle);
    int count = 0;
    for (int k = 0; o && k < o->moments * o->n; k++, count++)
        if (state && count < room)
            state[count] = o->state[k];
    for (int k = 0; o && o->master && k < o->n; k++) {
        if (!o->master[k])
            continue;
        if (state && count < room)
            state[count] = o->master[k];
        count++;
    }
    return count;
}
