/* step.c - optimiser steps: many parameters with their gradients and state, changed in place by one launch. Their
 * operands are lists: parameters, gradients, state, and last the master weights of half parameters; all but the
 * gradients are changed. */
#include <math.h>
#include "define.h"

/* Zeros for the state of a step: of half parameters in f32. */
static weft_tensor *state_of(weft_tensor *p)
{
    const weft_dtype dtype = weft_dtype_of(p);
    return weft_zeros(weft_ctx_of(p), dtype == WEFT_F16 || dtype == WEFT_BF16 ? WEFT_F32 : dtype, weft_shape(p),
                      weft_ndim(p));
}

/* State as a result: in the parameter's dtype. */
static weft_tensor *result_of(weft_tensor *state, weft_tensor *p)
{
    weft_tensor *result = state ? weft_cast(state, weft_dtype_of(p)) : NULL;
    if (result != state)
        weft_drop(state);
    return result;
}

/* A master copy of a half parameter; NULL: it gets none. */
static weft_tensor *master_of(weft_tensor *p, bool wanted)
{
    const weft_dtype dtype = weft_dtype_of(p);
    return wanted && (dtype == WEFT_F16 || dtype == WEFT_BF16) ? weft_cast(p, WEFT_F32) : NULL;
}

/* Whether operands are there for n parameters and all steps. */
static bool has_operands(weft_sample_call *c, int64_t n, int64_t steps)
{
    const bool fits = n >= 0 && n <= c->n_in && steps >= 0 && steps <= c->n_in && n * (steps + 1) <= c->n_in;
    if (!fits)
        weft__fail(c->ctx, c->op, WEFT_E_INVALID, "%d operands are not %lld parameters and gradients for %lld steps",
                   c->n_in, (long long)n, (long long)steps);
    return fits;
}

/* i: parameters, steps, nesterov, master weights; f: lr, momentum, dampening, weight decay */
CALL(sgd_step)
{
    if (!has_operands(c, c->i[0], c->i[1]))
        return;
    const int n = (int)c->i[0];
    const bool masters = c->ni > 3 && c->i[3] != 0;
    weft_tensor *velocity[WEFT_SAMPLE_OPERANDS], *master[WEFT_SAMPLE_OPERANDS];
    weft_sgd_step_params hyper = {.struct_size = sizeof hyper,
                                  .lr = c->f[0],
                                  .momentum = c->f[1],
                                  .dampening = c->f[2],
                                  .weight_decay = c->f[3],
                                  .nesterov = c->i[2] != 0,
                                  .master = masters ? master : NULL};
    const bool has_state = hyper.momentum != 0;
    for (int k = 0; k < n; k++) {
        velocity[k] = has_state ? state_of(c->in[k]) : NULL;
        master[k] = master_of(c->in[k], masters);
    }
    for (int step = 0; step < c->i[1]; step++) {
        hyper.step = step + 1;
        if (weft_sgd_step(c->ctx, c->in, c->in + n * (step + 1), has_state ? velocity : NULL, n, &hyper) != WEFT_OK)
            return;
    }
    c->n_out = has_state ? 2 * n : n;
    for (int k = 0; k < n; k++) {
        c->out[k] = c->in[k];
        if (has_state)
            c->out[n + k] = result_of(velocity[k], c->in[k]);
    }
}

/* i: parameters, steps, decoupled, master weights; f: lr, beta1, beta2, eps, weight decay */
CALL(adam_step)
{
    if (!has_operands(c, c->i[0], c->i[1]))
        return;
    const int n = (int)c->i[0];
    const bool masters = c->ni > 3 && c->i[3] != 0;
    weft_tensor *m[WEFT_SAMPLE_OPERANDS], *v[WEFT_SAMPLE_OPERANDS], *master[WEFT_SAMPLE_OPERANDS];
    weft_adam_step_params hyper = {.struct_size = sizeof hyper,
                                   .lr = c->f[0],
                                   .beta1 = c->f[1],
                                   .beta2 = c->f[2],
                                   .eps = c->f[3],
                                   .weight_decay = c->f[4],
                                   .decoupled = c->i[2] != 0,
                                   .master = masters ? master : NULL};
    for (int k = 0; k < n; k++) {
        m[k] = state_of(c->in[k]);
        v[k] = state_of(c->in[k]);
        master[k] = master_of(c->in[k], masters);
    }
    for (int step = 0; step < c->i[1]; step++) {
        hyper.step = step + 1;
        if (weft_adam_step(c->ctx, c->in, c->in + n * (step + 1), m, v, n, &hyper) != WEFT_OK)
            return;
    }
    c->n_out = 3 * n;
    for (int k = 0; k < n; k++) {
        c->out[k] = c->in[k];
        c->out[n + k] = result_of(m[k], c->in[k]);
        c->out[2 * n + k] = result_of(v[k], c->in[k]);
    }
}

/* The lists of a step in the order in which the kernel gets them; lists of state may be missing. */
enum { PARAM, GRAD, STATE, MOST_LISTS = 5 };

/* Of operand k, which is one of a list of n: whether its parameter is stepped at all. */
static bool is_stepped(const weft__work *w, int k, int n)
{
    return w->in[k] && w->in[GRAD * n + k % n];
}

static int parameters_of(const weft__work *w)
{
    return w->attrs ? (int)w->attrs->step.n : 0;
}

/* One operation for each element of all parameters. */
static double step_flops(const weft__work *w)
{
    const int n = parameters_of(w);
    double flops = 0;
    for (int k = 0; k < n; k++)
        flops += is_stepped(w, k, n) ? weft__count(w->in[k]) : 0;
    return flops;
}

/* All is read, but for velocity that is unset, and all but the gradients is written. */
static double step_bytes(const weft__work *w)
{
    const int n = parameters_of(w);
    double bytes = 0;
    for (int k = 0; k < w->n_in && n > 0; k++) {
        const bool unset = w->op == WEFT_OP_SGD_STEP && k / n == STATE && w->attrs->sgd.first_step;
        if (is_stepped(w, k, n))
            bytes += (double)weft__array_bytes(w->in[k]) * (!unset + (k / n != GRAD));
    }
    return bytes;
}

#define STEP_WORK WORK(weft__terms_one, step_flops, step_bytes)

WEFT__DEFINE(SGD_STEP, sgd_step,
             LISTS(FLOATS | CHANGED, FLOATS | OR_NULL, FLOATS | CHANGED | OR_NULL, FLOATS | CHANGED | OR_NULL),
             ATTRS(sgd), NO_INFER, NO_RESULTS, EFFECT(STEPS), NO_DERIVATIVE, STEP_WORK,
             SAMPLE(call_sgd_step, RECIPE("rab rab", "1 1 0 1; 0.1 0.9 0 0.01"),
                    RECIPE("rab rab rab", "1 2 1 0; 0.1 0.9 0 0.01")))
WEFT__DEFINE(ADAM_STEP, adam_step,
             LISTS(FLOATS | CHANGED, FLOATS | OR_NULL, FLOATS | CHANGED, FLOATS | CHANGED, FLOATS | CHANGED | OR_NULL),
             ATTRS(adam), NO_INFER, NO_RESULTS, EFFECT(STEPS), NO_DERIVATIVE, STEP_WORK,
             SAMPLE(call_adam_step, RECIPE("rab rab", "1 1 0 1; 0.1 0.9 0.99 1e-8 0.01"),
                    RECIPE("rab rab rab", "1 2 1 0; 0.1 0.9 0.99 1e-8 0.01")))

/* ---- Front ends ---- */

/* ---- What a step is told ---- */

typedef struct value {
    const char *name;
    double value, least, below; /* least <= value < below */
} value;

static weft_status check_values(weft_ctx *ctx, const char *function, const value *values, int n)
{
    for (int k = 0; k < n; k++) {
        const value *v = &values[k];
        if (v->value >= v->least && v->value < v->below)
            continue;
        if (isinf(v->below))
            return weft__fail_named(ctx, function, WEFT_E_INVALID, "%s is %g; it must be finite and at least %g",
                                    v->name, v->value, v->least);
        return weft__fail_named(ctx, function, WEFT_E_INVALID, "%s is %g; it must be in [%g, %g)", v->name, v->value,
                                v->least, v->below);
    }
    return WEFT_OK;
}

weft_status weft_check_sgd(weft_ctx *ctx, const char *function, const weft_sgd_step_params *h)
{
    const value values[] = {{"lr", h->lr, 0, INFINITY},
                            {"momentum", h->momentum, 0, INFINITY},
                            {"dampening", h->dampening, 0, INFINITY},
                            {"weight_decay", h->weight_decay, 0, INFINITY}};
    const weft_status status = check_values(ctx, function, values, 4);
    if (status != WEFT_OK)
        return status;
    if (h->dampening > 1)
        return weft__fail_named(ctx, function, WEFT_E_INVALID, "dampening is %g; it must be in [0, 1]", h->dampening);
    if (h->nesterov && (h->momentum == 0 || h->dampening != 0))
        return weft__fail_named(ctx, function, WEFT_E_INVALID,
                                "nesterov needs a momentum above 0 and no dampening; they are %g and %g", h->momentum,
                                h->dampening);
    return WEFT_OK;
}

weft_status weft_check_adam(weft_ctx *ctx, const char *function, const weft_adam_step_params *h)
{
    const value values[] = {{"lr", h->lr, 0, INFINITY},
                            {"beta1", h->beta1, 0, 1},
                            {"beta2", h->beta2, 0, 1},
                            {"eps", h->eps, 0, INFINITY},
                            {"weight_decay", h->weight_decay, 0, INFINITY}};
    return check_values(ctx, function, values, 5);
}

static weft_status check_step(weft_ctx *ctx, const char *function, int64_t step)
{
    if (step >= 1)
        return WEFT_OK;
    return weft__fail_named(ctx, function, WEFT_E_INVALID, "step is %lld; steps count from 1", (long long)step);
}

/* What the caller says, checked. */
static weft_status read_sgd(weft_ctx *ctx, const weft_sgd_step_params *given, weft_sgd_step_params *h)
{
    static const weft_sgd_step_params defaults = WEFT_SGD_STEP_DEFAULTS;
    const char *function = weft__ops[WEFT_OP_SGD_STEP].name;
    weft_status status = weft_struct_in(ctx, function, "weft_sgd_step_params", &defaults, given, h);
    if (status == WEFT_OK)
        status = weft_check_sgd(ctx, function, h);
    return status == WEFT_OK ? check_step(ctx, function, h->step) : status;
}

static weft_status read_adam(weft_ctx *ctx, const weft_adam_step_params *given, weft_adam_step_params *h)
{
    static const weft_adam_step_params defaults = WEFT_ADAM_STEP_DEFAULTS;
    const char *function = weft__ops[WEFT_OP_ADAM_STEP].name;
    weft_status status = weft_struct_in(ctx, function, "weft_adam_step_params", &defaults, given, h);
    if (status == WEFT_OK)
        status = weft_check_adam(ctx, function, h);
    return status == WEFT_OK ? check_step(ctx, function, h->step) : status;
}

/* ---- What a step is given ---- */

typedef struct lists {
    weft_tensor *const *list[MOST_LISTS]; /* the last one: master weights */
    int n_lists, n;
} lists;

static const char *name_of(const lists *l, int list)
{
    static const char *const names[] = {"parameter", "gradient", "state", "second state"};
    return list == l->n_lists - 1 ? "master weights" : names[list];
}

static bool is_half(const weft_tensor *t)
{
    return t->a.dtype == WEFT_F16 || t->a.dtype == WEFT_BF16;
}

static weft_status check_entry(weft_ctx *ctx, int op, const lists *l, int list, int k)
{
    weft_tensor *t = l->list[list][k], *p = l->list[PARAM][k];
    const bool is_master = list == l->n_lists - 1;
    const char *what = name_of(l, list);
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
    if (is_master && !is_half(p))
        return weft__fail(ctx, op, WEFT_E_DTYPE, "%s %d are not NULL, but parameter %d is %s, which needs none", what,
                          k, k, weft__describe(p).s);
    const int dtype = list < STATE || !is_half(p) ? p->a.dtype : WEFT_F32;
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

static weft_status check(weft_ctx *ctx, int op, const lists *l)
{
    for (int list = 0; list < l->n_lists; list++)
        for (int k = 0; l->list[list] && k < l->n; k++)
            if (check_entry(ctx, op, l, list, k) != WEFT_OK)
                return ctx->status;
    return WEFT_OK;
}

static weft_status launch(weft_ctx *ctx, int op, const lists *l, const weft__attrs *attrs)
{
    const int n = l->n;
    const size_t bytes = sizeof(weft__array *) * (size_t)n * (size_t)l->n_lists;
    const weft__array **arrays = weft__host_alloc(ctx, bytes);
    if (!arrays)
        return weft__fail(ctx, op, WEFT_E_NOMEM, "out of memory for %d parameters", n);
    for (int list = 0; list < l->n_lists; list++)
        for (int k = 0; k < n; k++)
            arrays[list * n + k] = l->list[list] && l->list[list][k] ? &l->list[list][k]->a : NULL;
    const weft_status status = weft__run_kernel(ctx, op, arrays, n * l->n_lists, NULL, 0, attrs);
    for (int k = 0; k < n * l->n_lists && status == WEFT_OK; k++)
        if (arrays[k] && k / n != GRAD && l->list[GRAD][k % n])
            weft__storage_written(ctx, l->list[k / n][k % n]->storage);
    weft__host_free(ctx, arrays, bytes);
    return status;
}

static weft_status run_step(weft_ctx *ctx, int op, const lists *l, const weft__attrs *attrs)
{
    const bool was = ctx->grad_enabled;
    ctx->grad_enabled = false; /* the parameters are leaves: changing them is the purpose */
    weft_status status = check(ctx, op, l);
    if (status == WEFT_OK)
        status = launch(ctx, op, l, attrs);
    ctx->grad_enabled = was;
    return status;
}

weft_status weft_sgd_step(weft_ctx *ctx, weft_tensor *const *params, weft_tensor *const *grads,
                          weft_tensor *const *velocity, int n, const weft_sgd_step_params *hyper)
{
    enum { OP = WEFT_OP_SGD_STEP };
    if (!ctx)
        return WEFT_E_NULL_ARGUMENT;
    if (!weft__enter_named(weft__ops[OP].name, ctx, NULL, 0, 0))
        return ctx->status;
    weft_status status;
    weft_sgd_step_params h;
    if (!params || !grads || !hyper || n < 1) {
        status = weft__fail(ctx, OP, WEFT_E_NULL_ARGUMENT, "needs params, grads, hyper and n >= 1");
    } else if ((status = read_sgd(ctx, hyper, &h)) == WEFT_OK && h.momentum != 0 && !velocity) {
        status = weft__fail(ctx, OP, WEFT_E_NULL_ARGUMENT, "momentum is %g, which needs velocity tensors", h.momentum);
    } else if (status == WEFT_OK) {
        const weft__attrs attrs = {WEFT__COUNTS(sgd), .sgd = {.n = n,
                                                              .nesterov = h.nesterov,
                                                              .first_step = h.step == 1,
                                                              .lr = h.lr,
                                                              .momentum = h.momentum,
                                                              .dampening = h.dampening,
                                                              .weight_decay = h.weight_decay}};
        status = run_step(ctx, OP, &(lists){{params, grads, velocity, h.master}, 4, n}, &attrs);
    }
    weft__leave_with(ctx, NULL);
    return status;
}

weft_status weft_adam_step(weft_ctx *ctx, weft_tensor *const *params, weft_tensor *const *grads, weft_tensor *const *m,
                           weft_tensor *const *v, int n, const weft_adam_step_params *hyper)
{
    enum { OP = WEFT_OP_ADAM_STEP };
    if (!ctx)
        return WEFT_E_NULL_ARGUMENT;
    if (!weft__enter_named(weft__ops[OP].name, ctx, NULL, 0, 0))
        return ctx->status;
    weft_status status;
    weft_adam_step_params h;
    if (!params || !grads || !m || !v || !hyper || n < 1) {
        status = weft__fail(ctx, OP, WEFT_E_NULL_ARGUMENT, "needs params, grads, m, v, hyper and n >= 1");
    } else if ((status = read_adam(ctx, hyper, &h)) == WEFT_OK) {
        const weft__attrs attrs = {WEFT__COUNTS(adam), .adam = {.n = n,
                                                                .decoupled = h.decoupled,
                                                                .step = h.step,
                                                                .lr = h.lr,
                                                                .beta1 = h.beta1,
                                                                .beta2 = h.beta2,
                                                                .eps = h.eps,
                                                                .weight_decay = h.weight_decay}};
        status = run_step(ctx, OP, &(lists){{params, grads, m, v, h.master}, 5, n}, &attrs);
    }
    weft__leave_with(ctx, NULL);
    return status;
}
