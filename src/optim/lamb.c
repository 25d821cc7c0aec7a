/* lamb.c - LAMB, in public operations: Adam's direction, scaled for each parameter by the quotient of norms. */
#include "optim.h"

static const weft_lamb_options defaults = WEFT_LAMB_DEFAULTS;

static weft_status check(weft_ctx *ctx, const char *function, const void *options)
{
    const weft_lamb_options *o = options;
    return CHECK_OPTIONS(ctx, function, NOT_NEGATIVE(o, lr), BELOW_1(o, beta1), BELOW_1(o, beta2), NOT_NEGATIVE(o, eps),
                         NOT_NEGATIVE(o, weight_decay));
}

static unsigned states(const void *options)
{
    (void)options;
    return 3;
}

static weft_tensor *make_state(const weft__optim *o, int state, int k)
{
    (void)state;
    return weft__step_zeros(o, k, weft_shape(o->params[k]), weft_ndim(o->params[k]));
}

static weft_tensor *average(weft_tensor *old, weft_tensor *x, double beta)
{
    return weft_add(weft_mul_scalar(old, beta), weft_mul_scalar(x, 1 - beta));
}

static void step_one(weft__optim *o, int k)
{
    const weft_lamb_options *a = o->options;
    const double t = (double)o->steps + 1;
    weft_tensor *p = weft__step_weights(o, k), *g = weft__step_gradient(o, k);
    weft_tensor *m = average(STATE_OF(o, 0, k), g, a->beta1), *v = average(STATE_OF(o, 1, k), weft_square(g), a->beta2);
    weft_tensor *root = weft_sqrt(weft_mul_scalar(v, 1 / (1 - pow(a->beta2, t))));
    weft_tensor *r = weft_div(weft_mul_scalar(m, 1 / (1 - pow(a->beta1, t))), weft_add_scalar(root, a->eps));
    r = weft_add(r, weft_mul_scalar(p, a->weight_decay));
    weft_tensor *long_p = weft_norm(p, WEFT_ALL, false), *long_r = weft_norm(r, WEFT_ALL, false);
    weft_tensor *zero = weft_mul_scalar(long_p, 0);
    weft_tensor *both = weft_logical_and(weft_ne(long_p, zero), weft_ne(long_r, zero));
    weft_tensor *trust = weft_where(both, weft_div(long_p, long_r), weft_full_like(long_p, 1));
    p = weft_sub(p, weft_mul(r, weft_mul_scalar(trust, a->lr)));
    weft_copy_(STATE_OF(o, 0, k), m);
    weft_copy_(STATE_OF(o, 1, k), v);
    weft__step_write(o, k, p);
}

static weft_status update(weft__optim *o)
{
    return weft__step_each(o, step_one);
}

WEFT__RULE(lamb) = {OPTIONS_ALONE(weft_lamb_options, defaults), .check = check, .states = states,
                    .make_state = make_state, .update = update};

weft_status weft_lamb_open(weft_ctx *ctx, weft_tensor *const *params, int n, const weft_lamb_options *options,
                           weft_optim **out)
{
    return weft__optim_open(ctx, "lamb_open", &weft__rule_lamb, params, n, options, out);
}
