/* optim.c - optimisers in use: one fused step for all parameters, and what a checkpoint needs. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "optim.h"

static weft__optim *look(const weft_optim *handle)
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

static weft_status missing(const weft__optim *o, int k)
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
static weft_status find(weft_ctx *ctx, const weft_optim *handle, const char *function, weft__optim **out)
{
    weft__optim *o = *out = look(handle);
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
    weft__optim *o;
    weft_status status = find(ctx, handle, "optim_step", &o);
    if (status != WEFT_OK)
        return status;
    for (int k = 0; k < o->n; k++) {
        o->grads[k] = weft_grad_of(o->params[k]);
        if (!o->grads[k] && !o->allow_missing)
            return missing(o, k);
    }
    weft_step_lists lists = WEFT_STEP_LISTS_DEFAULTS;
    lists.params = o->params;
    lists.grads = o->grads;
    lists.state = o->state;
    lists.master = o->master;
    lists.n = o->n;
    lists.step = o->steps + 1;
    status = weft__step(ctx, o->rule, &lists, o->options);
    if (status == WEFT_OK)
        o->steps++;
    return status;
}

weft_status weft_optim_zero_grad(weft_ctx *ctx, weft_optim *handle)
{
    weft__optim *o;
    const weft_status status = find(ctx, handle, "optim_zero_grad", &o);
    return status == WEFT_OK ? weft_zero_grad(ctx, o->params, o->n) : status;
}

double weft_optim_lr(const weft_optim *handle)
{
    const weft__optim *o = look(handle);
    double lr = (double)NAN;
    if (o)
        memcpy(&lr, (const char *)o->options + o->rule->lr, sizeof lr);
    return lr;
}

weft_status weft_optim_set_lr(weft_optim *handle, double lr)
{
    weft__optim *o = look(handle);
    if (!o)
        return weft_owned_fail(NULL, "optim_set_lr", &weft__optim_kind, handle);
    if (!(lr >= 0 && isfinite(lr)))
        return weft_ctx_fail(o->ctx, WEFT_E_INVALID,
                             "weft_optim_set_lr: the learning rate is %g; it must be finite and at least 0", lr);
    memcpy((char *)o->options + o->rule->lr, &lr, sizeof lr);
    return WEFT_OK;
}

int64_t weft_optim_steps(const weft_optim *handle)
{
    const weft__optim *o = look(handle);
    return o ? o->steps : 0;
}

weft_status weft_optim_set_steps(weft_optim *handle, int64_t steps)
{
    const int64_t most = (int64_t)1 << 53; /* beyond, the bias corrections could not tell one step from the next */
    weft__optim *o = look(handle);
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
    const weft__optim *o = look(handle);
    int count = 0;
    for (int k = 0; o && k < o->states * o->n; k++, count++)
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
