/* barzilai_borwein.c - gradient descent with Barzilai and Borwein's two-point step sizes, in public operations. */
#include "optim.h"

static const weft_barzilai_borwein_options defaults = WEFT_BARZILAI_BORWEIN_DEFAULTS;

static weft_status check(weft_ctx *ctx, const char *function, const void *options)
{
    const weft_barzilai_borwein_options *o = options;
    const weft_status status = CHECK_OPTIONS(ctx, function, NOT_NEGATIVE(o, lr));
    return status == WEFT_OK ? weft__check_choice(ctx, function, "form", (int)o->form, 2) : status;
}

static unsigned states(const void *options)
{
    (void)options;
    return 3; /* where the parameters and gradients of the last step were */
}

static weft_tensor *make_state(const weft__optim *o, int state, int k)
{
    (void)state;
    return weft__step_zeros(o, k, weft_shape(o->params[k]), weft_ndim(o->params[k]));
}

static double product(weft_ctx *ctx, weft_tensor *a, weft_tensor *b)
{
    return weft_item(ctx, weft_sum(weft_mul(a, b), WEFT_ALL, false));
}

/* The rate of this step, from how far parameters and gradients went since the last one. */
static weft_status find_rate(const weft__optim *o, double *rate)
{
    const weft_barzilai_borwein_options *a = o->options;
    double ss = 0, sy = 0, yy = 0;
    *rate = a->lr;
    for (int k = 0; o->steps > 0 && k < o->n; k++) {
        if (!o->grads[k])
            continue;
        const int mark = weft_scope_push(o->ctx);
        weft_tensor *s = weft_sub(weft__step_weights(o, k), STATE_OF(o, 0, k));
        weft_tensor *y = weft_sub(weft__step_gradient(o, k), STATE_OF(o, 1, k));
        ss += product(o->ctx, s, s);
        sy += product(o->ctx, s, y);
        yy += product(o->ctx, y, y);
        if (weft_scope_pop(o->ctx, mark) != WEFT_OK)
            return weft_ctx_status(o->ctx);
    }
    const double found = a->form == WEFT_BARZILAI_BORWEIN_FORM_LONG ? ss / sy : sy / yy;
    if (sy > 0 && isfinite(found))
        *rate = found;
    return WEFT_OK;
}

static void remember(weft__optim *o, int k)
{
    weft_copy_(STATE_OF(o, 0, k), weft__step_weights(o, k));
    weft_copy_(STATE_OF(o, 1, k), weft__step_gradient(o, k));
}

static void move(weft__optim *o, int k)
{
    weft__step_write(o, k, weft_sub(STATE_OF(o, 0, k), weft_mul_scalar(STATE_OF(o, 1, k), o->rate)));
}

static weft_status update(weft__optim *o)
{
    weft_status status = find_rate(o, &o->rate);
    if (status == WEFT_OK)
        status = weft__step_each(o, remember);
    return status == WEFT_OK ? weft__step_each(o, move) : status;
}

WEFT__RULE(barzilai_borwein) = {OPTIONS_ALONE(weft_barzilai_borwein_options, defaults), .check = check,
                                .states = states, .make_state = make_state, .update = update};

weft_status weft_barzilai_borwein_open(weft_ctx *ctx, weft_tensor *const *params, int n,
                                       const weft_barzilai_borwein_options *options, weft_optim **out)
{
    return weft__optim_open(ctx, "barzilai_borwein_open", &weft__rule_barzilai_borwein, params, n, options, out);
}
