/* lion.c - Lion: its options, its record, its step and its opening. The formula stands in ops.def and
 * <weft/optim.h>. */
#include "optim.h"

static const weft_lion_options defaults = WEFT_LION_DEFAULTS;

static weft_status check(weft_ctx *ctx, const char *function, const void *options)
{
    const weft_lion_options *o = options;
    return CHECK_OPTIONS(ctx, function, NOT_NEGATIVE(o, lr), BELOW_1(o, beta1), BELOW_1(o, beta2),
                         NOT_NEGATIVE(o, weight_decay));
}

static void attrs(const void *options, int64_t step, weft__attrs *attrs)
{
    const weft_lion_options *o = options;
    (void)step;
    attrs->lion =
        (weft__lion_attrs){.lr = o->lr, .beta1 = o->beta1, .beta2 = o->beta2, .weight_decay = o->weight_decay};
}

WEFT__RULE(lion_step) = {OPTIONS_OF(LION_STEP, weft_lion_options, defaults), .check = check, .attrs = attrs};

/* i: parameters, steps, 0, master weights; f: lr, beta1, beta2, weight decay */
CALL(lion_step)
{
    weft_lion_options o = WEFT_LION_DEFAULTS;
    o.lr = c->f[0];
    o.beta1 = c->f[1];
    o.beta2 = c->f[2];
    o.weight_decay = c->f[3];
    weft__step_sample(c, &weft__rule_lion_step, &o);
}

WEFT__DEFINE_STEP(LION_STEP, lion_step, lion,
                  SAMPLE(call_lion_step, RECIPE("rab rab", "1 1 0 1; 0.1 0.9 0.99 0.01"),
                         RECIPE("rab rab rab", "1 2 0 0; 0.1 0.9 0.99 0.01")),
                  STATE)

weft_status weft_lion_step(weft_ctx *ctx, const weft_step_lists *lists, const weft_lion_options *options)
{
    return weft__step(ctx, &weft__rule_lion_step, lists, options);
}

weft_status weft_lion_open(weft_ctx *ctx, weft_tensor *const *params, int n, const weft_lion_options *options,
                           weft_optim **out)
{
    return weft__optim_open(ctx, "lion_open", &weft__rule_lion_step, params, n, options, out);
}
