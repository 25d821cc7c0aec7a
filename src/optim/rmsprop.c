/* rmsprop.c - RMSprop, centered or not, with momentum or without: its options, its record, its step and its opening.
 * The formula stands in ops.def and <weft/optim.h>. */
#include "optim.h"

static const weft_rmsprop_options defaults = WEFT_RMSPROP_DEFAULTS;

static weft_status check(weft_ctx *ctx, const char *function, const void *options)
{
    const weft_rmsprop_options *o = options;
    return CHECK_OPTIONS(ctx, function, NOT_NEGATIVE(o, lr), UP_TO_1(o, alpha), NOT_NEGATIVE(o, eps),
                         NOT_NEGATIVE(o, weight_decay), NOT_NEGATIVE(o, momentum));
}

static void attrs(const void *options, int64_t step, weft__attrs *attrs)
{
    const weft_rmsprop_options *o = options;
    (void)step;
    attrs->rmsprop = (weft__rmsprop_attrs){.centered = o->centered,
                                           .lr = o->lr,
                                           .alpha = o->alpha,
                                           .eps = o->eps,
                                           .weight_decay = o->weight_decay,
                                           .momentum = o->momentum};
}

static unsigned states(const void *options)
{
    const weft_rmsprop_options *o = options;
    return 1u | (o->momentum != 0 ? 2u : 0) | (o->centered ? 4u : 0);
}

WEFT__RULE(rmsprop_step) = {OPTIONS_OF(RMSPROP_STEP, weft_rmsprop_options, defaults), .check = check, .attrs = attrs,
                            .states = states};

/* i: parameters, steps, centered, master weights; f: lr, alpha, eps, weight decay, momentum */
CALL(rmsprop_step)
{
    weft_rmsprop_options o = WEFT_RMSPROP_DEFAULTS;
    o.centered = c->i[2] != 0;
    o.lr = c->f[0];
    o.alpha = c->f[1];
    o.eps = c->f[2];
    o.weight_decay = c->f[3];
    o.momentum = c->f[4];
    weft__step_sample(c, &weft__rule_rmsprop_step, &o);
}

WEFT__DEFINE_STEP(RMSPROP_STEP, rmsprop_step, rmsprop,
                  SAMPLE(call_rmsprop_step, RECIPE("rab rab", "1 1 0 1; 0.1 0.9 1e-8 0.01 0"),
                         RECIPE("rab rab rab", "1 2 1 1; 0.1 0.9 1e-8 0 0.5"),
                         RECIPE("rab rab rab", "1 2 1 0; 0.1 0.9 0.01 0.01 0"),
                         RECIPE("rab rab", "1 1 0 1; 0.1 0.9 1e-8 0.01 0.9")),
                  STATE, STATE | OR_NULL, STATE | OR_NULL)

weft_status weft_rmsprop_step(weft_ctx *ctx, const weft_step_lists *lists, const weft_rmsprop_options *options)
{
    return weft__step(ctx, &weft__rule_rmsprop_step, lists, options);
}

weft_status weft_rmsprop_open(weft_ctx *ctx, weft_tensor *const *params, int n, const weft_rmsprop_options *options,
                              weft_optim **out)
{
    return weft__optim_open(ctx, "rmsprop_open", &weft__rule_rmsprop_step, params, n, options, out);
}
