/* step.c - steps of optimisers: many parameters with their gradients and state, changed in place by one launch. What
 * the call is given is checked here; which formula it is stands in the row (ops.def), and what its options mean in the
 * file of the optimiser (src/optim). */
#include <math.h>
#include <string.h>
#include "step.h"

/* ---- Options ---- */

weft_status weft__check_options(weft_ctx *ctx, const char *function, const weft__option *options, int n)
{
    for (int k = 0; k < n; k++) {
        const weft__option *o = &options[k];
        if (o->value >= 0 && (o->below ? o->value < o->most : o->value <= o->most))
            continue;
        if (isinf(o->most))
            return weft__fail_named(ctx, function, WEFT_E_INVALID, "%s is %g; it must be finite and at least 0",
                                    o->name, o->value);
        return weft__fail_named(ctx, function, WEFT_E_INVALID, "%s is %g; it must be in [0, %g%c", o->name, o->value,
                                o->most, o->below ? ')' : ']');
    }
    return WEFT_OK;
}

unsigned weft__states(const weft__rule *rule, const void *options)
{
    if (rule->states)
        return rule->states(options);
    const int states = weft__defs[rule->op]->n_in - 3; /* beside parameters, gradients, master weights */
    return (1u << states) - 1;
}

int weft__count_states(const weft__rule *rule, const void *options)
{
    int n = 0;
    for (unsigned left = weft__states(rule, options); left; left &= left - 1)
        n++;
    return n;
}

double weft__initial(const weft__rule *rule, const void *options, int state)
{
    return state == 0 && rule->initial ? rule->initial(options) : 0;
}

weft_status weft__read_options(weft_ctx *ctx, const char *function, const weft__rule *rule, const void *options,
                               weft__any_options *own)
{
    const weft_status status = weft_struct_in(ctx, function, rule->type, rule->defaults, options, own);
    return status == WEFT_OK ? rule->check(ctx, function, own) : status;
}

/* The lists of a step in the order in which the kernel gets them. */
enum { PARAM, GRAD, STATE_0 };

/* ---- Work ---- */

static int parameters_of(const weft__work *w)
{
    return w->n_in / weft__defs[w->op]->n_in;
}

double weft__step_flops(const weft__work *w)
{
    double flops = 0;
    for (int k = 0; k < parameters_of(w); k++)
        flops += weft__count(w->in[k]);
    return flops;
}

double weft__step_bytes(const weft__work *w, bool unset)
{
    const int n = parameters_of(w), masters = weft__defs[w->op]->n_in - 1;
    double bytes = 0;
    for (int k = 0; k < w->n_in; k++) {
        const int list = k / n;
        const bool is_read = !unset || list < STATE_0 || list == masters;
        if (w->in[k])
            bytes += (double)weft__array_bytes(w->in[k]) * (is_read + (list != GRAD));
    }
    return bytes;
}

/* ---- What a step is given ---- */

typedef struct step {
    weft_ctx *ctx;
    int op, n, n_lists;
    weft_tensor *const *list[WEFT__MAX_DEF_OPERANDS]; /* NULL: missing. The last one: master weights */
} step;

static const char *name_of(const step *s, int list)
{
    static const char *const names[] = {"parameter",    "gradient",    "state",
                                        "second state", "third state", "fourth state"};
    return list == s->n_lists - 1 ? "master weights" : names[list];
}

static weft_status check_entry(const step *s, int list, int k)
{
    weft_ctx *ctx = s->ctx;
    weft_tensor *t = s->list[list][k], *p = s->list[PARAM][k];
    const int op = s->op;
    const bool is_master = list == s->n_lists - 1;
    const char *what = name_of(s, list);
    if (!t && (list == GRAD || is_master))
        return WEFT_OK;
    if (!weft__check(ctx, weft__ops[op].name, t, what, k))
        return ctx->status;
    if (t->flags & WEFT__IS_SHARED) /* a kernel gets it as it is, and it may be memory of the host alone */
        return weft__fail(ctx, op, WEFT_E_STATE,
                          "%s %d (%s) is shared memory; use weft_borrow for a gradient, weft_clone for what is changed",
                          what, k, weft__describe(t).s);
    if (list == PARAM && !weft__need_float(ctx, op, "a parameter", t))
        return ctx->status;
    if (is_master && !weft__is_half(p->a.dtype))
        return weft__fail(ctx, op, WEFT_E_DTYPE, "%s %d are not NULL, but parameter %d is %s, which needs none", what,
                          k, k, weft__describe(p).s);
    const int32_t dtype = list < STATE_0 ? p->a.dtype : weft__wide_dtype(p->a.dtype);
    if (!weft__same_shape(&t->a, &p->a))
        return weft__fail(ctx, op, WEFT_E_SHAPE, "%s %d is %s, but the shape of parameter %d, which is %s, is needed",
                          what, k, weft__describe(t).s, k, weft__describe(p).s);
    if (t->a.dtype != dtype)
        return weft__fail(ctx, op, WEFT_E_DTYPE, "%s %d is %s, but for parameter %d, which is %s, it must be %s", what,
                          k, weft__describe(t).s, k, weft__describe(p).s, weft_dtype_name((weft_dtype)dtype));
    if (!t->a.contiguous)
        return weft__fail(ctx, op, WEFT_E_STATE, "%s %d (%s) is not contiguous; use weft_contiguous", what, k,
                          weft__describe(t).s);
    return list == GRAD || weft__writable(ctx, op, t) ? WEFT_OK : ctx->status;
}

/* Every entry in order. Returns how many parameters have a gradient; -1: an error, recorded. */
static int check_entries(const step *s)
{
    int n = 0;
    for (int list = 0; list < s->n_lists; list++)
        for (int k = 0; s->list[list] && k < s->n; k++)
            if (check_entry(s, list, k) != WEFT_OK)
                return -1;
    for (int k = 0; k < s->n; k++)
        n += s->list[GRAD][k] != NULL;
    return n;
}

/* The lists of the caller, state by state of those that the step has. */
static weft_status lay_out(step *s, const weft_step_lists *given, unsigned states)
{
    if (!given->params || !given->grads || given->n < 1)
        return weft__fail(s->ctx, s->op, WEFT_E_NULL_ARGUMENT, "needs params, grads and n >= 1");
    if (states && !given->state)
        return weft__fail(s->ctx, s->op, WEFT_E_NULL_ARGUMENT, "state is NULL; with these options there must be some");
    if (given->step < 1)
        return weft__fail(s->ctx, s->op, WEFT_E_INVALID, "step is %lld; steps count from 1", (long long)given->step);
    s->n = given->n;
    s->list[PARAM] = given->params;
    s->list[GRAD] = given->grads;
    s->list[s->n_lists - 1] = given->master;
    weft_tensor *const *next = given->state;
    for (int list = STATE_0; list < s->n_lists - 1; list++) {
        if (!(states >> (list - STATE_0) & 1u))
            continue;
        s->list[list] = next;
        next += given->n;
    }
    return WEFT_OK;
}

/* ---- The step ---- */

/* One launch for the n parameters that have a gradient. */
static weft_status launch(const step *s, int n, weft__attrs *attrs)
{
    const size_t bytes = sizeof(weft_tensor *) * (size_t)n * (size_t)s->n_lists;
    weft_tensor **in = weft__host_alloc(s->ctx, bytes);
    if (!in)
        return weft__fail(s->ctx, s->op, WEFT_E_NOMEM, "out of memory for %d parameters", n);
    for (int list = 0, at = 0; list < s->n_lists; list++)
        for (int k = 0; k < s->n; k++)
            if (s->list[GRAD][k])
                in[at++] = s->list[list] ? s->list[list][k] : NULL;
    const weft_status status = weft__change(s->ctx, s->op, in, n * s->n_lists, attrs);
    weft__host_free(s->ctx, in, bytes);
    return status;
}

static weft_status run(step *s, const weft__rule *rule, const weft_step_lists *lists, const void *options)
{
    weft__attrs attrs;
    const bool was = s->ctx->grad_enabled;
    s->n_lists = weft__defs[s->op]->n_in;
    weft_status status = lay_out(s, lists, weft__states(rule, options));
    if (status != WEFT_OK)
        return status;
    s->ctx->grad_enabled = false; /* the parameters are leaves: changing them is the purpose */
    const int n = check_entries(s);
    s->ctx->grad_enabled = was;
    if (n <= 0)
        return s->ctx->status;
    rule->attrs(options, lists->step, &attrs);
    return launch(s, n, &attrs);
}

weft_status weft__step(weft_ctx *ctx, const weft__rule *rule, const weft_step_lists *given, const void *options)
{
    static const weft_step_lists nothing = WEFT_STEP_LISTS_DEFAULTS;
    const char *function = weft__ops[rule->op].name;
    weft__any_options own;
    weft_step_lists lists;
    step s = {.ctx = ctx, .op = rule->op};
    if (!ctx)
        return WEFT_E_NULL_ARGUMENT;
    if (!weft__enter_named(function, ctx, NULL, 0, 0))
        return ctx->status;
    weft_status status = weft__read_options(ctx, function, rule, options, &own);
    if (status == WEFT_OK)
        status = weft_struct_in(ctx, function, "weft_step_lists", &nothing, given, &lists);
    if (status == WEFT_OK)
        status = run(&s, rule, &lists, &own);
    weft__leave_with(ctx, NULL);
    return status;
}

/* ---- A sample ---- */

enum { MOST_STATES = WEFT__MAX_DEF_OPERANDS - 3 };

/* Whether operands are there for n parameters and all steps, and places for the results. */
static bool fits(weft_sample_call *c, int64_t n, int64_t steps, int lists)
{
    const bool operands = n >= 0 && n <= c->n_in && steps >= 0 && steps <= c->n_in && n * (steps + 1) <= c->n_in;
    if (operands && n * lists <= WEFT_SAMPLE_RESULTS)
        return true;
    weft__fail(c->ctx, c->op, WEFT_E_INVALID, "%d operands are not %lld parameters and gradients for %lld steps",
               c->n_in, (long long)n, (long long)steps);
    return false;
}

/* t in the parameter's dtype. */
static weft_tensor *result_of(weft_tensor *t, weft_tensor *p)
{
    weft_tensor *result = t ? weft_cast(t, weft_dtype_of(p)) : NULL;
    if (result != t)
        weft_drop(t);
    return result;
}

void weft__step_sample(weft_sample_call *c, const weft__rule *rule, const void *options)
{
    weft_tensor *state[MOST_STATES * WEFT_SAMPLE_OPERANDS], *master[WEFT_SAMPLE_OPERANDS];
    const int n_states = weft__count_states(rule, options);
    if (!fits(c, c->i[0], c->i[1], 1 + n_states))
        return;
    const int n = (int)c->i[0];
    const bool masters = c->ni > 3 && c->i[3] != 0;
    for (int k = 0; k < n; k++) {
        weft_tensor *p = c->in[k];
        const weft_dtype beside = (weft_dtype)weft__wide_dtype((int32_t)weft_dtype_of(p));
        master[k] = masters && beside != weft_dtype_of(p) ? weft_cast(p, beside) : NULL;
        for (int list = 0; list < n_states; list++)
            state[list * n + k] =
                p ? weft_full(c->ctx, beside, weft_shape(p), weft_ndim(p), weft__initial(rule, options, list)) : NULL;
    }
    weft_step_lists lists = WEFT_STEP_LISTS_DEFAULTS;
    lists.n = n;
    lists.params = c->in;
    lists.state = state;
    lists.master = masters ? master : NULL;
    for (lists.step = 1; lists.step <= c->i[1]; lists.step++) {
        lists.grads = c->in + n * lists.step;
        if (weft__step(c->ctx, rule, &lists, options) != WEFT_OK)
            return;
    }
    c->n_out = (1 + n_states) * n;
    for (int k = 0; k < n; k++)
        c->out[k] = c->in[k];
    for (int k = 0; k < n_states * n; k++)
        c->out[n + k] = result_of(state[k], c->in[k % n]);
}
