/* adadelta.c - Adadelta: its options, its record, its step and its opening. The formula stands in ops.def and
 * <weft/optim.h>. */
#include "optim.h"

static const weft_adadelta_options defaults = WEFT_ADADELTA_DEFAULTS;

static weft_status check(weft_ctx *ctx, const char *function, const void *options)
{
    const weft_adadelta_options *o = options;
    return CHECK_OPTIONS(ctx, function, NOT_NEGATIVE(o, lr), UP_TO_1(o, rho), NOT_NEGATIVE(o, eps),
                         NOT_NEGATIVE(o, weight_decay));
}

static void attrs(const void *options, int64_t step, weft__attrs *attrs)
{
    const weft_adadelta_options *o = options;
    (void)step;
    attrs->adadelta =
        (weft__adadelta_attrs){.lr = o->lr, .rho = o->rho, .eps = o->eps, .weight_decay = o->weight_decay};
}

WEFT__RULE(adadelta_step) = {OPTIONS_OF(ADADELTA_STEP, weft_adadelta_options, defaults), .check = check,
                             .attrs = attrs};

/* i: parameters, steps, 0, master weights; f: lr, rho, eps, weight decay */
CALL(adadelta_step)
{
    weft_adadelta_options o = WEFT_ADADELTA_DEFAULTS;
    o.lr = c->f[0];
    o.rho = c->f[1];
    o.eps = c->f[2];
    o.weight_decay = c->f[3];
    weft__step_sample(c, &weft__rule_adadelta_step, &o);
}

WEFT__DEFINE_STEP(ADADELTA_STEP, adadelta_step, adadelta,
                  SAMPLE(call_adadelta_step, RECIPE("rab rab", "1 1 0 1; 1 0.9 0.01 0.01"),
                         RECIPE("rab rab rab", "1 2 0 0; 1 0.9 0.01 0")),
                  STATE, STATE)

weft_status weft_adadelta_step(weft_ctx *ctx, const weft_step_lists *lists, const weft_adadelta_options *options)
{
    return weft__step(ctx, &weft__rule_adadelta_step, lists, options);
}

weft_status weft_adadelta_open(weft_ctx *ctx, weft_tensor *const *params, int n, const weft_adadelta_options *options,
                               weft_optim **out)
{
    return weft__optim_open(ctx, "adadelta_open", &weft__rule_adadelta_step, params, n, options, out);
}
