/* optim.c - optimisers: state beside parameters, one fused step for all of them. A user of the public API. */
#define WEFT_NO_CALL_SITES
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <weft/weft.h>

typedef enum kind { SGD, ADAM } kind;

struct weft_optim {
    weft_ctx *ctx;
    size_t bytes; /* of this block, arrays included */
    kind kind;
    int n, n_state; /* parameters; state tensors (n for each moment) */
    weft_tensor **params, **grads, **state;
    weft_sgd_params sgd;
    weft_adam_params adam;
    bool allow_missing;
    int64_t steps;
};

static weft_status refuse(weft_ctx *ctx, const char *text)
{
    return weft_ctx_fail(ctx, WEFT_E_INVALID, "%s", text);
}

/* Zeroed state like each parameter, kept. */
static bool make_state(weft_optim *o)
{
    int mark = weft_scope_push(o->ctx);
    for (int k = 0; k < o->n_state; k++) {
        weft_tensor *p = o->params[k % o->n];
        o->state[k] = weft_keep(weft_zeros(o->ctx, weft_dtype_of(p), weft_shape(p), weft_ndim(p)));
    }
    return weft_scope_pop(o->ctx, mark) == WEFT_OK;
}

static weft_status open_with(weft_ctx *ctx, const char *name, kind kind, weft_tensor *const *params, int n, int moments,
                             weft_optim **out)
{
    *out = NULL;
    if (!params || n < 1)
        return weft_ctx_fail(ctx, WEFT_E_NULL_ARGUMENT, "%s: needs at least one parameter", name);
    for (int k = 0; k < n; k++)
        if (!params[k] || !weft_requires_grad(params[k]))
            return weft_ctx_fail(ctx, params[k] ? WEFT_E_NO_GRADIENT : WEFT_E_NULL_ARGUMENT, "%s: parameter %d %s",
                                 name, k,
                                 params[k] ? "does not require a gradient; make it with weft_param" : "is NULL");
    size_t bytes = sizeof(weft_optim) + sizeof(weft_tensor *) * (size_t)n * (size_t)(2 + moments);
    weft_optim *o = weft_ctx_alloc(ctx, bytes);
    if (!o)
        return weft_ctx_status(ctx);
    memset(o, 0, bytes);
    o->ctx = ctx;
    o->bytes = bytes;
    o->kind = kind;
    o->n = n;
    o->n_state = n * moments;
    o->params = (weft_tensor **)(o + 1);
    o->grads = o->params + n;
    o->state = o->grads + n;
    for (int k = 0; k < n; k++)
        o->params[k] = weft_keep(params[k]);
    if (!make_state(o)) {
        weft_optim_close(o);
        return weft_ctx_status(ctx);
    }
    *out = o;
    return WEFT_OK;
}

weft_status weft_sgd_open(weft_ctx *ctx, weft_tensor *const *params, int n, const weft_sgd_options *options,
                          weft_optim **out)
{
    weft_sgd_options o = options ? *options : (weft_sgd_options){0};
    if (!ctx || !out)
        return WEFT_E_NULL_ARGUMENT;
    *out = NULL;
    if (weft_ctx_status(ctx) != WEFT_OK)
        return weft_ctx_status(ctx);
    if (!(o.lr >= 0) || !(o.momentum >= 0) || !(o.weight_decay >= 0) || !(o.dampening >= 0 && o.dampening <= 1))
        return refuse(ctx, "weft_sgd_open: lr, momentum and weight_decay must be at least 0, dampening in [0, 1]");
    if (o.nesterov && (o.momentum == 0 || o.dampening != 0))
        return refuse(ctx, "weft_sgd_open: nesterov needs a momentum above 0 and no dampening");
    weft_status status = open_with(ctx, "weft_sgd_open", SGD, params, n, o.momentum != 0, out);
    if (status != WEFT_OK)
        return status;
    (*out)->allow_missing = o.allow_missing;
    (*out)->sgd = (weft_sgd_params){.lr = o.lr != 0 ? o.lr : 0.01,
                                    .momentum = o.momentum,
                                    .dampening = o.dampening,
                                    .weight_decay = o.weight_decay,
                                    .nesterov = o.nesterov};
    return WEFT_OK;
}

static weft_status open_adam(weft_ctx *ctx, const char *name, weft_tensor *const *params, int n,
                             const weft_adam_options *options, bool decoupled, weft_optim **out)
{
    weft_adam_options o = options ? *options : (weft_adam_options){0};
    if (!ctx || !out)
        return WEFT_E_NULL_ARGUMENT;
    *out = NULL;
    if (weft_ctx_status(ctx) != WEFT_OK)
        return weft_ctx_status(ctx);
    if (!(o.lr >= 0) || !(o.eps >= 0) || !(o.weight_decay >= 0) || !(o.beta1 >= 0 && o.beta1 < 1) ||
        !(o.beta2 >= 0 && o.beta2 < 1))
        return weft_ctx_fail(ctx, WEFT_E_INVALID,
                             "%s: lr, eps and weight_decay must be at least 0, the betas in [0, 1)", name);
    weft_status status = open_with(ctx, name, ADAM, params, n, 2, out);
    if (status != WEFT_OK)
        return status;
    (*out)->allow_missing = o.allow_missing;
    (*out)->adam = (weft_adam_params){.lr = o.lr != 0 ? o.lr : 1e-3,
                                      .beta1 = o.beta1 != 0 ? o.beta1 : 0.9,
                                      .beta2 = o.beta2 != 0 ? o.beta2 : 0.999,
                                      .eps = o.eps != 0 ? o.eps : 1e-8,
                                      .weight_decay = o.weight_decay,
                                      .decoupled = decoupled};
    return WEFT_OK;
}

weft_status weft_adam_open(weft_ctx *ctx, weft_tensor *const *params, int n, const weft_adam_options *options,
                           weft_optim **out)
{
    return open_adam(ctx, "weft_adam_open", params, n, options, false, out);
}

weft_status weft_adamw_open(weft_ctx *ctx, weft_tensor *const *params, int n, const weft_adam_options *options,
                            weft_optim **out)
{
    return open_adam(ctx, "weft_adamw_open", params, n, options, true, out);
}

void weft_optim_close(weft_optim *o)
{
    if (!o)
        return;
    for (int k = 0; k < o->n_state; k++)
        weft_release(o->state[k]);
    for (int k = 0; k < o->n; k++)
        weft_release(o->params[k]);
    weft_ctx_free(o->ctx, o, o->bytes);
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

static weft_status missing(weft_ctx *ctx, const weft_optim *o, int k)
{
    search s = {.leaf = o->params[k]};
    weft_unreached(ctx, match, &s);
    const char *name = weft_name(o->params[k]);
    return weft_ctx_fail(ctx, WEFT_E_NO_GRADIENT,
                         "weft_optim_step: parameter %d%s%s has no gradient: %s; set allow_missing if that is meant", k,
                         name[0] ? " " : "", name,
                         s.why[0] ? s.why : "weft_backward has not reached it since the gradients were cleared");
}

weft_status weft_optim_step(weft_ctx *ctx, weft_optim *o)
{
    if (!ctx)
        return WEFT_E_NULL_ARGUMENT;
    if (weft_ctx_status(ctx) != WEFT_OK)
        return weft_ctx_status(ctx);
    if (!o || o->ctx != ctx)
        return weft_ctx_fail(ctx, o ? WEFT_E_MIXED_CONTEXTS : WEFT_E_NULL_ARGUMENT, "weft_optim_step: the optimiser %s",
                             o ? "belongs to another context" : "is NULL");
    for (int k = 0; k < o->n; k++) {
        o->grads[k] = weft_grad_of(o->params[k]);
        if (!o->grads[k] && !o->allow_missing)
            return missing(ctx, o, k);
    }
    weft_status status;
    if (o->kind == SGD) {
        o->sgd.first_step = o->steps == 0;
        status = weft_sgd_step(ctx, o->params, o->grads, o->n_state ? o->state : NULL, o->n, &o->sgd);
    } else {
        status = weft_adam_step(ctx, o->params, o->grads, o->state, o->state + o->n, o->n, &o->adam, o->steps + 1);
    }
    if (status == WEFT_OK)
        o->steps++;
    return status;
}

weft_status weft_optim_zero_grad(weft_ctx *ctx, weft_optim *o)
{
    if (!ctx)
        return WEFT_E_NULL_ARGUMENT;
    if (!o)
        return weft_ctx_fail(ctx, WEFT_E_NULL_ARGUMENT, "weft_optim_zero_grad: the optimiser is NULL");
    return weft_zero_grad(ctx, o->params, o->n);
}

double weft_optim_lr(const weft_optim *o)
{
    if (!o)
        return (double)NAN;
    return o->kind == SGD ? o->sgd.lr : o->adam.lr;
}

void weft_optim_set_lr(weft_optim *o, double lr)
{
    if (!o)
        return;
    if (!(lr >= 0)) {
        weft_ctx_fail(o->ctx, WEFT_E_INVALID, "weft_optim_set_lr: the learning rate is %g; it must be at least 0", lr);
        return;
    }
    o->sgd.lr = lr;
    o->adam.lr = lr;
}

int64_t weft_optim_steps(const weft_optim *o)
{
    return o ? o->steps : 0;
}

void weft_optim_set_steps(weft_optim *o, int64_t steps)
{
    if (o && steps >= 0)
        o->steps = steps;
}

int weft_optim_state(weft_optim *o, weft_tensor **state, int room)
{
    if (!o)
        return 0;
    for (int k = 0; state && k < room && k < o->n_state; k++)
        state[k] = o->state[k];
    return o->n_state;
}
