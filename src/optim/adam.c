/* adam.c - Adam and AdamW, also as AMSGrad: their options, their record, their step and their opening. The formula
 * stands in ops.def and <weft/optim.h>. */
#include "optim.h"

static const weft_adam_options defaults = WEFT_ADAM_DEFAULTS;

static weft_status check(weft_ctx *ctx, const char *function, const void *options)
{
    const weft_adam_options *o = options;
    return CHECK_OPTIONS(ctx, function, NOT_NEGATIVE(o, lr), BELOW_1(o, beta1), BELOW_1(o, beta2), NOT_NEGATIVE(o, eps),
                         NOT_NEGATIVE(o, weight_decay));
}

static void attrs(const void *options, int64_t step, weft__attrs *attrs)
{
    const weft_adam_options *o = options;
    attrs->adam = (weft__adam_attrs){.decoupled = o->decoupled,
                                     .step = step,
                                     .amsgrad = o->amsgrad,
                                     .lr = o->lr,
                                     .beta1 = o->beta1,
                                     .beta2 = o->beta2,
                                     .eps = o->eps,
                                     .weight_decay = o->weight_decay};
}

static unsigned states(const void *options)
{
    return ((const weft_adam_options *)options)->amsgrad ? 7 : 3;
}

WEFT__RULE(adam_step) = {OPTIONS_OF(ADAM_STEP, weft_adam_options, defaults), .check = check, .attrs = attrs,
                         .states = states};

/* i: parameters, steps, decoupled, master weights, amsgrad (the last two where there are so many);
 * f: lr, beta1, beta2, eps, weight decay */
CALL(adam_step)
{
    weft_adam_options o = WEFT_ADAM_DEFAULTS;
    o.decoupled = c->i[2] != 0;
    o.amsgrad = c->ni > 4 && c->i[4] != 0;
    o.lr = c->f[0];
    o.beta1 = c->f[1];
    o.beta2 = c->f[2];
    o.eps = c->f[3];
    o.weight_decay = c->f[4];
    weft__step_sample(c, &weft__rule_adam_step, &o);
}

WEFT__DEFINE_STEP(ADAM_STEP, adam_step, adam,
                  SAMPLE(call_adam_step, RECIPE("rab rab", "1 1 0 1; 0.1 0.9 0.99 1e-8 0.01"),
                         RECIPE("rab rab rab", "1 2 1 0; 0.1 0.9 0.99 1e-8 0.01"),
                         RECIPE("rab rab rab", "1 2 0 1 1; 0.1 0.9 0.99 1e-8 0.01")),
                  STATE, STATE, STATE | OR_NULL)

weft_status weft_adam_step(weft_ctx *ctx, const weft_step_lists *lists, const weft_adam_options *options)
{
    return weft__step(ctx, &weft__rule_adam_step, lists, options);
}

weft_status weft_adam_open(weft_ctx *ctx, weft_tensor *const *params, int n, const weft_adam_options *options,
                           weft_optim **out)
{
    return weft__optim_open(ctx, "adam_open", &weft__rule_adam_step, params, n, options, out);
}

weft_status weft_adamw_open(weft_ctx *ctx, weft_tensor *const *params, int n, const weft_adam_options *options,
                            weft_optim **out)
{
    const char *function = "adamw_open";
    weft_adam_options o = WEFT_ADAM_DEFAULTS;
    if (out)
        *out = NULL;
    if (weft_struct_in(ctx, function, "weft_adam_options", &defaults, options, &o) != WEFT_OK)
        return ctx ? weft_ctx_status(ctx) : WEFT_E_NULL_ARGUMENT;
    o.decoupled = true;
    return weft__optim_open(ctx, function, &weft__rule_adam_step, params, n, &o, out);
}
