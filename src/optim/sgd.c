/* sgd.c - stochastic gradient descent, with momentum or without: its options, its record, its step and its opening. The
 * formula stands in ops.def and <weft/optim.h>. */
#include "optim.h"

static const weft_sgd_options defaults = WEFT_SGD_DEFAULTS;

static weft_status check(weft_ctx *ctx, const char *function, const void *options)
{
    const weft_sgd_options *o = options;
    const weft_status status = CHECK_OPTIONS(ctx, function, NOT_NEGATIVE(o, lr), NOT_NEGATIVE(o, momentum),
                                             UP_TO_1(o, dampening), NOT_NEGATIVE(o, weight_decay));
    if (status == WEFT_OK && o->nesterov && (o->momentum == 0 || o->dampening != 0))
        return weft__fail_named(ctx, function, WEFT_E_INVALID,
                                "nesterov needs a momentum above 0 and no dampening; they are %g and %g", o->momentum,
                                o->dampening);
    return status;
}

static void attrs(const void *options, int64_t step, weft__attrs *attrs)
{
    const weft_sgd_options *o = options;
    attrs->sgd = (weft__sgd_attrs){.nesterov = o->nesterov,
                                   .first_step = step == 1,
                                   .lr = o->lr,
                                   .momentum = o->momentum,
                                   .dampening = o->dampening,
                                   .weight_decay = o->weight_decay};
}

static unsigned states(const void *options)
{
    return ((const weft_sgd_options *)options)->momentum != 0;
}

WEFT__RULE(sgd_step) = {OPTIONS_OF(SGD_STEP, weft_sgd_options, defaults), .check = check, .attrs = attrs,
                        .states = states};

/* i: parameters, steps, nesterov, master weights; f: lr, momentum, dampening, weight decay */
CALL(sgd_step)
{
    weft_sgd_options o = WEFT_SGD_DEFAULTS;
    o.nesterov = c->i[2] != 0;
    o.lr = c->f[0];
    o.momentum = c->f[1];
    o.dampening = c->f[2];
    o.weight_decay = c->f[3];
    weft__step_sample(c, &weft__rule_sgd_step, &o);
}

WEFT__DEFINE_STEP(SGD_STEP, sgd_step, sgd,
                  SAMPLE(call_sgd_step, RECIPE("rab rab", "1 1 0 1; 0.1 0.9 0 0.01"),
                         RECIPE("rab rab rab", "1 2 1 0; 0.1 0.9 0 0.01"), RECIPE("rab rab", "1 1 0 1; 0.1 0 0 0.01"),
                         RECIPE("rab rab rab", "1 2 0 1; 0.1 0.9 0.2 0.01")),
                  STATE | OR_NULL)

weft_status weft_sgd_step(weft_ctx *ctx, const weft_step_lists *lists, const weft_sgd_options *options)
{
    return weft__step(ctx, &weft__rule_sgd_step, lists, options);
}

weft_status weft_sgd_open(weft_ctx *ctx, weft_tensor *const *params, int n, const weft_sgd_options *options,
                          weft_optim **out)
{
    return weft__optim_open(ctx, "sgd_open", &weft__rule_sgd_step, params, n, options, out);
}
