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

/* function: on whose behalf, without weft_; group: of a joined optimiser, or -1. */
static weft_status missing(const weft__optim *o, const char *function, int k, int group)
{
    search s = {.leaf = o->params[k]};
    char of[32] = "";
    if (group >= 0)
        snprintf(of, sizeof of, " of group %d", group);
    weft_unreached(o->ctx, match, &s);
    const char *name = weft_name(o->params[k]);
    return weft_ctx_fail(o->ctx, WEFT_E_NO_GRADIENT,
                         "weft_%s: parameter %d%s%s%s has no gradient: %s; set allow_missing if that is meant",
                         function, k, of, name[0] ? " " : "", name,
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

/* Part g of one that joins others. NULL: it was closed by itself; recorded. */
static weft__optim *part_of(const weft__optim *o, int g, const char *function)
{
    weft__optim *part = look(o->parts[g]);
    if (!part)
        weft_ctx_fail(o->ctx, WEFT_E_STATE,
                      "weft_%s: group %d was closed by itself; weft_optim_close of what joins it is enough", function,
                      g);
    return part;
}

static weft_status gather(const weft__optim *o, const char *function, int group)
{
    for (int k = 0; k < o->n; k++) {
        o->grads[k] = weft_grad_of(o->params[k]);
        if (!o->grads[k] && !o->allow_missing)
            return missing(o, function, k, group);
    }
    return WEFT_OK;
}

static weft_status by_row(const weft__optim *o)
{
    weft_step_lists lists = WEFT_STEP_LISTS_DEFAULTS;
    lists.params = o->params;
    lists.grads = o->grads;
    lists.state = o->state;
    lists.master = o->master;
    lists.n = o->n;
    lists.step = o->steps + 1;
    return weft__step(o->ctx, o->rule, &lists, o->options);
}

/* With the gradients that were gathered. */
static weft_status take(weft__optim *o)
{
    weft_status status;
    if (o->rule->update) {
        const bool recording = weft_set_grad_enabled(o->ctx, false);
        status = o->rule->update(o);
        weft_set_grad_enabled(o->ctx, recording);
    } else {
        status = by_row(o);
    }
    if (status == WEFT_OK)
        o->steps++;
    return status;
}

/* All gradients first, so that nothing has changed where one is missing. */
static weft_status take_all(weft__optim *o, const char *function)
{
    weft_status status = WEFT_OK;
    for (int g = 0; g < o->n && status == WEFT_OK; g++) {
        const weft__optim *part = part_of(o, g, function);
        status = !part ? WEFT_E_STATE : gather(part, function, g);
    }
    for (int g = 0; g < o->n && status == WEFT_OK; g++)
        status = take(look(o->parts[g]));
    if (status == WEFT_OK)
        o->steps++;
    return status;
}

static weft_status step_now(weft__optim *o, const char *function)
{
    if (o->parts)
        return take_all(o, function);
    if (o->rule->search)
        return weft_ctx_fail(o->ctx, WEFT_E_INVALID,
                             "weft_%s: this optimiser asks for the loss several times a step; use weft_optim_step_with",
                             function);
    const weft_status status = gather(o, function, -1);
    return status == WEFT_OK ? take(o) : status;
}

weft_status weft_optim_step(weft_ctx *ctx, weft_optim *handle)
{
    weft__optim *o;
    const weft_status status = find(ctx, handle, "optim_step", &o);
    return status == WEFT_OK ? step_now(o, "optim_step") : status;
}

weft_status weft_optim_step_with(weft_ctx *ctx, weft_optim *handle, double (*loss)(weft_ctx *ctx, void *user),
                                 void *user, double *value)
{
    weft__optim *o;
    weft_status status = find(ctx, handle, "optim_step_with", &o);
    if (value)
        *value = (double)NAN;
    if (status != WEFT_OK)
        return status;
    if (!loss)
        return weft_ctx_fail(ctx, WEFT_E_NULL_ARGUMENT, "weft_optim_step_with: loss is NULL");
    double found = (double)NAN;
    if (!o->parts && o->rule->search) {
        status = o->rule->search(o, loss, user, &found);
        o->steps += status == WEFT_OK;
    } else {
        status = weft_optim_zero_grad(ctx, handle);
        found = status == WEFT_OK ? loss(ctx, user) : found;
        status = weft_ctx_status(ctx);
        o = look(handle); /* the program may have closed it */
        if (status == WEFT_OK)
            status =
                o ? step_now(o, "optim_step_with") : weft_owned_fail(ctx, "optim_step_with", &weft__optim_kind, handle);
    }
    if (value)
        *value = found;
    return status;
}

weft_status weft_optim_zero_grad(weft_ctx *ctx, weft_optim *handle)
{
    weft__optim *o;
    weft_status status = find(ctx, handle, "optim_zero_grad", &o);
    if (status == WEFT_OK && !o->parts)
        return weft_zero_grad(ctx, o->params, o->n);
    for (int g = 0; status == WEFT_OK && g < o->n; g++) {
        const weft__optim *part = part_of(o, g, "optim_zero_grad");
        status = part ? weft_zero_grad(ctx, part->params, part->n) : WEFT_E_STATE;
    }
    return status;
}

int weft_optim_groups(const weft_optim *handle)
{
    const weft__optim *o = look(handle);
    return !o ? 0 : o->parts ? o->n : 1;
}

weft_optim *weft_optim_group(weft_optim *handle, int group)
{
    const weft__optim *o = look(handle);
    if (!o || group < 0 || group >= weft_optim_groups(handle)) {
        if (o)
            weft_ctx_fail(o->ctx, WEFT_E_INVALID, "weft_optim_group: group is %d; there are %d", group,
                          weft_optim_groups(handle));
        return NULL;
    }
    return o->parts ? o->parts[group] : handle;
}

double weft_optim_base_lr(const weft_optim *handle)
{
    const weft__optim *o = look(handle);
    return !o ? (double)NAN : o->parts ? weft_optim_base_lr(o->parts[0]) : o->base_lr;
}

double weft_optim_lr(const weft_optim *handle)
{
    const weft__optim *o = look(handle);
    double lr = (double)NAN;
    if (o && o->parts)
        return weft_optim_lr(o->parts[0]);
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
    for (int g = 0; o->parts && g < o->n; g++)
        if (part_of(o, g, "optim_set_lr") == NULL || weft_optim_set_lr(o->parts[g], lr) != WEFT_OK)
            return weft_ctx_status(o->ctx);
    if (o->parts)
        return WEFT_OK;
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
    for (int g = 0; o->parts && g < o->n; g++)
        if (part_of(o, g, "optim_set_steps") == NULL || weft_optim_set_steps(o->parts[g], steps) != WEFT_OK)
            return weft_ctx_status(o->ctx);
    o->steps = steps;
    return WEFT_OK;
}

/* Adds t, unless it is NULL, at place count. */
static int list_state(weft_tensor *t, weft_tensor **state, int room, int count)
{
    if (!t)
        return count;
    if (state && count < room)
        state[count] = t;
    return count + 1;
}

int weft_optim_state(weft_optim *handle, weft_tensor **state, int room)
{
    const weft__optim *o = look(handle);
    int count = 0;
    for (int g = 0; o && o->parts && g < o->n; g++) {
        const int left = state && room > count ? room - count : 0;
        count += weft_optim_state(o->parts[g], left ? state + count : NULL, left);
    }
    if (!o || o->parts)
        return count;
    for (int k = 0; k < o->states * o->n; k++)
        count = list_state(o->state[k], state, room, count);
    for (int k = 0; o->master && k < o->n; k++)
        count = list_state(o->master[k], state, room, count);
    return count;
}
