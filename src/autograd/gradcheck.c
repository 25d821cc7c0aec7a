/* gradcheck.c - derivatives against central differences. */
#include <math.h>
#include <string.h>
#include "engine/engine.h"

typedef struct check {
    weft_ctx *ctx;
    weft_function f;
    void *user;
    weft_tensor *const *inputs;
    int n;
    weft_gradcheck_options o;
    weft__savepoint savepoint;
    bool given_up; /* f has closed scopes that were open before: all that the check held is gone */
    uint64_t call; /* random stream of the cotangent, and of f: the same at every evaluation */
} check;

static weft_status read_options(weft_ctx *ctx, const weft_gradcheck_options *given, weft_gradcheck_options *o)
{
    static const weft_gradcheck_options defaults = WEFT_GRADCHECK_DEFAULTS;
    const weft_status status = weft_struct_in(ctx, "gradcheck", "weft_gradcheck_options", &defaults, given, o);
    if (status != WEFT_OK || (o->eps > 0 && isfinite(o->eps) && o->atol >= 0 && o->rtol >= 0))
        return status;
    return weft__fail_named(ctx, "gradcheck", WEFT_E_INVALID,
                            "eps is %g, atol %g and rtol %g; eps must be above 0 and finite, the others at least 0",
                            o->eps, o->atol, o->rtol);
}

static weft_status prepare(check *c, weft_ctx *ctx, weft_function f, void *user, weft_tensor *const *inputs, int n,
                           const weft_gradcheck_options *options)
{
    *c = (check){.ctx = ctx, .f = f, .user = user, .inputs = inputs, .n = n};
    if (!ctx)
        return WEFT_E_NULL_ARGUMENT;
    if ((ctx->n_callbacks && !weft__may_enter(ctx, "gradcheck")) || ctx->status != WEFT_OK)
        return ctx->status;
    c->savepoint = weft__savepoint_now(ctx);
    weft_status status = read_options(ctx, options, &c->o);
    if (status != WEFT_OK)
        return status;
    if (!f || !inputs || n < 1)
        return weft__fail_named(ctx, "gradcheck", WEFT_E_NULL_ARGUMENT, "needs a function and at least one input");
    bool any = false;
    for (int k = 0; k < n; k++) {
        if (!weft__check(ctx, "gradcheck", inputs[k], "input", k))
            return ctx->status;
        if (!weft__requires(inputs[k]))
            continue;
        any = true;
        if (inputs[k]->a.dtype != WEFT_F64 || inputs[k]->node)
            return weft__fail_named(ctx, "gradcheck", WEFT_E_DTYPE,
                                    "input %d is %s; inputs that require a gradient must be f64 leaves", k,
                                    weft__describe(inputs[k]).s);
    }
    if (!any)
        return weft__fail_named(ctx, "gradcheck", WEFT_E_NO_GRADIENT, "no input requires a gradient");
    c->call = ctx->random_call;
    return WEFT_OK;
}

/* sum(f(inputs) * cotangent), the cotangent fixed and random, so that errors of opposite sign cannot cancel. */
static weft_tensor *scalar(check *c)
{
    weft_ctx *ctx = c->ctx;
    ctx->random_call = c->call + 1;
    const weft__call_id call = weft__call_begins_from(ctx, "a function under weft_gradcheck", &c->savepoint);
    weft_tensor *y = call ? c->f(ctx, c->inputs, c->n, c->user) : NULL;
    c->given_up = call && !weft__call_ends(ctx, "gradcheck", call);
    if (c->given_up)
        return NULL;
    if (!y && ctx->status == WEFT_OK)
        weft__fail_named(ctx, "gradcheck", WEFT_E_CALLBACK, "the function returned NULL");
    if (!y || ctx->status != WEFT_OK || !weft__check(ctx, "gradcheck", y, "the function's result", -1))
        return NULL;
    uint64_t after = ctx->random_call;
    ctx->random_call = c->call;
    weft_tensor *cotangent = weft_rand(ctx, WEFT_F64, y->a.shape, y->a.ndim, 0.5, 1.5);
    ctx->random_call = after;
    return weft_sum(weft_mul(y, cotangent), WEFT_ALL, false);
}

static double value_at(check *c, int k, double *data, size_t bytes, int64_t element, double x)
{
    double was = data[element];
    data[element] = x;
    weft_write(c->ctx, c->inputs[k], data, bytes);
    data[element] = was;
    int mark = weft_scope_push(c->ctx);
    bool grad = weft_set_grad_enabled(c->ctx, false);
    weft_tensor *y = scalar(c);
    if (c->given_up)
        return (double)NAN;
    double value = weft_item(c->ctx, y);
    weft_set_grad_enabled(c->ctx, grad);
    return weft_scope_pop(c->ctx, mark) == WEFT_OK ? value : (double)NAN;
}

/* A NaN has a sign that says nothing. */
static weft__text number_text(double x)
{
    weft__text text = {"NaN"};
    if (!isnan(x))
        weft_text(text.s, sizeof text.s, "%.12g", x);
    return text;
}

static weft_status differs(const check *c, int k, int64_t e, double at, double analytic, double numeric,
                           const char *order)
{
    const char *why = "";
    if (isnan(analytic) && isnan(numeric))
        why = "; neither tells anything: choose inputs where the function has a derivative";
    else if (!isfinite(numeric))
        why = "; the function is not finite there: choose other inputs";
    return weft__fail_named(c->ctx, "gradcheck", WEFT_E_MISMATCH,
                            "%s derivative by input %d (%s), element %lld, at %.6g: %s, but the differences give %s%s",
                            order, k, weft__describe(c->inputs[k]).s, (long long)e, at, number_text(analytic).s,
                            number_text(numeric).s, why);
}

static weft_status compare(check *c, int k, double *data, const double *analytic, const char *order)
{
    weft_tensor *t = c->inputs[k];
    size_t bytes = weft__array_bytes(&t->a);
    weft_status status = weft_read(c->ctx, t, data, bytes);
    for (int64_t e = 0; e < t->a.count && status == WEFT_OK; e++) {
        double h = c->o.eps * fmax(1, fabs(data[e]));
        double above = value_at(c, k, data, bytes, e, data[e] + h);
        double below = c->given_up ? above : value_at(c, k, data, bytes, e, data[e] - h);
        double numeric = (above - below) / (2 * h);
        if (c->given_up)
            return c->ctx->status;
        if (c->ctx->status != WEFT_OK)
            status = c->ctx->status;
        else if (!(fabs(numeric - analytic[e]) <= c->o.atol + c->o.rtol * fabs(numeric)))
            status = differs(c, k, e, data[e], analytic[e], numeric, order);
    }
    weft_status error = c->ctx->status; /* put the input back in any case */
    c->ctx->status = WEFT_OK;
    weft_write(c->ctx, t, data, bytes);
    if (error != WEFT_OK)
        c->ctx->status = error;
    return status;
}

/* The values of one input, and its gradient; given back if f is left by longjmp. */
typedef struct figures {
    weft__undo undo; /* first */
    size_t bytes;    /* of this block */
    double values[];
} figures;

static void drop_figures(weft_ctx *ctx, weft__undo *undo)
{
    weft__host_free(ctx, undo, ((figures *)undo)->bytes);
}

static weft_status check_values(check *c, int k, const char *order, double *data)
{
    weft_ctx *ctx = c->ctx;
    weft_tensor *t = c->inputs[k];
    size_t bytes = weft__array_bytes(&t->a);
    double *analytic = data + t->a.count;
    int mark = weft_scope_push(ctx);
    weft_tensor *y = scalar(c), *g = NULL;
    if (c->given_up)
        return ctx->status;
    weft_status status = y ? weft_grad(ctx, &y, NULL, 1, &t, 1, WEFT_GRAD_ALLOW_UNUSED, &g) : ctx->status;
    memset(analytic, 0, bytes);
    if (status == WEFT_OK && g)
        status = weft_read(ctx, g, analytic, bytes);
    if (weft_scope_pop(ctx, mark) == WEFT_OK && status == WEFT_OK)
        status = compare(c, k, data, analytic, order);
    return status;
}

static weft_status check_input(check *c, int k, const char *order)
{
    weft_ctx *ctx = c->ctx;
    size_t bytes;
    bool fits = weft__bytes_of(c->inputs[k]->a.count, 2 * sizeof(double), &bytes);
    figures *f = fits ? weft__host_alloc(ctx, bytes += sizeof *f) : NULL;
    if (!f)
        return weft__fail_named(ctx, "gradcheck", WEFT_E_NOMEM, "out of memory for %zu bytes", bytes);
    f->bytes = bytes;
    weft__undo_push(ctx, &f->undo, drop_figures);
    weft_status status = check_values(c, k, order, f->values);
    if (c->given_up)
        return status;
    weft__undo_pop(ctx, &f->undo);
    drop_figures(ctx, &f->undo);
    return status;
}

static weft_status check_all(check *c, const char *order)
{
    bool grad = weft_set_grad_enabled(c->ctx, true);
    weft_status status = WEFT_OK;
    for (int k = 0; k < c->n && status == WEFT_OK; k++)
        if (weft__requires(c->inputs[k]))
            status = check_input(c, k, order);
    if (!c->given_up)
        weft_set_grad_enabled(c->ctx, grad);
    return status;
}

weft_status weft_gradcheck(weft_ctx *ctx, weft_tensor *const *inputs, int n, weft_function f, void *user,
                           const weft_gradcheck_options *options)
{
    check c;
    weft_status status = prepare(&c, ctx, f, user, inputs, n, options);
    return status == WEFT_OK ? check_all(&c, "first") : status;
}

/* The gradient of f along random directions, as a function to be checked in turn. */
static weft_tensor *gradient_of(weft_ctx *ctx, weft_tensor *const *inputs, int n, void *user)
{
    check *inner = user;
    bool grad = weft_set_grad_enabled(ctx, true); /* needed for its value, even where differences are taken */
    weft_tensor *y = scalar(inner), *total = NULL;
    if (inner->given_up)
        return NULL;
    for (int k = 0; k < n && y; k++) {
        weft_tensor *g = NULL;
        if (!weft__requires(inputs[k]))
            continue;
        if (weft_grad(ctx, &y, NULL, 1, &inputs[k], 1, WEFT_GRAD_CREATE_GRAPH | WEFT_GRAD_ALLOW_UNUSED, &g) != WEFT_OK)
            break;
        if (!g)
            continue;
        weft_tensor *direction = weft_rand(ctx, WEFT_F64, g->a.shape, g->a.ndim, 0.5, 1.5);
        weft_tensor *part = weft_sum(weft_mul(g, direction), WEFT_ALL, false);
        total = total ? weft_add(total, part) : part;
    }
    weft_set_grad_enabled(ctx, grad);
    return total || ctx->status != WEFT_OK ? total : weft_scalar(ctx, WEFT_F64, 0);
}

weft_status weft_gradgradcheck(weft_ctx *ctx, weft_tensor *const *inputs, int n, weft_function f, void *user,
                               const weft_gradcheck_options *options)
{
    check inner, outer;
    weft_status status = prepare(&inner, ctx, f, user, inputs, n, options);
    if (status != WEFT_OK)
        return status;
    inner.call += 1000; /* streams of its own, apart from the outer check's */
    prepare(&outer, ctx, gradient_of, &inner, inputs, n, options);
    return check_all(&outer, "second");
}
