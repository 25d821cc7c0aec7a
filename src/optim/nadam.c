/* nadam.c - NAdam: its options, its record, its step and its opening. The formula stands in ops.def and
 * <weft/optim.h>. */
#include "optim.h"

static const weft_nadam_options defaults = WEFT_NADAM_DEFAULTS;

static weft_status check(weft_ctx *ctx, const char *function, const void *options)
{
    const weft_nadam_options *o = options;
    return CHECK_OPTIONS(ctx, function, NOT_NEGATIVE(o, lr), BELOW_1(o, beta1), BELOW_1(o, beta2), NOT_NEGATIVE(o, eps),
                         NOT_NEGATIVE(o, weight_decay), NOT_NEGATIVE(o, momentum_decay));
}

/* The momentum of step number k. */
static double momentum(const weft_nadam_options *o, double k)
{
    return o->beta1 * (1 - 0.5 * pow(0.96, k * o->momentum_decay));
}

/* The product of momenta is at most beta1^k: soon nothing beside 1, and its remaining factors with it. So it is made
 * anew each time, and a step depends on its number alone. */
static void attrs(const void *options, int64_t step, weft__attrs *attrs)
{
    const weft_nadam_options *o = options;
    double product = 1;
    for (int64_t k = 1; k <= step && product > 1e-30; k++)
        product *= momentum(o, (double)k);
    const double now = momentum(o, (double)step), next = momentum(o, (double)step + 1);
    attrs->nadam = (weft__nadam_attrs){.decoupled = o->decoupled,
                                       .step = step,
                                       .lr = o->lr,
                                       .beta1 = o->beta1,
                                       .beta2 = o->beta2,
                                       .eps = o->eps,
                                       .weight_decay = o->weight_decay,
                                       .along = next / (1 - product * next),
                                       .ahead = (1 - now) / (1 - product)};
}

WEFT__RULE(nadam_step) = {OPTIONS_OF(NADAM_STEP, weft_nadam_options, defaults), .check = check, .attrs = attrs};

/* i: parameters, steps, decoupled, master weights; f: lr, beta1, beta2, eps, weight decay, momentum decay */
CALL(nadam_step)
{
    weft_nadam_options o = WEFT_NADAM_DEFAULTS;
    o.decoupled = c->i[2] != 0;
    o.lr = c->f[0];
    o.beta1 = c->f[1];
    o.beta2 = c->f[2];
    o.eps = c->f[3];
    o.weight_decay = c->f[4];
    o.momentum_decay = c->f[5];
    weft__step_sample(c, &weft__rule_nadam_step, &o);
}

WEFT__DEFINE_STEP(NADAM_STEP, nadam_step, nadam,
                  SAMPLE(call_nadam_step, RECIPE("rab rab", "1 1 0 1; 0.1 0.9 0.99 1e-8 0.01 0.5"),
                         RECIPE("rab rab rab", "1 2 1 0; 0.1 0.9 0.99 1e-8 0.01 0.5")),
                  STATE, STATE)

weft_status weft_nadam_step(weft_ctx *ctx, const weft_step_lists *lists, const weft_nadam_options *options)
{
    return weft__step(ctx, &weft__rule_nadam_step, lists, options);
}

weft_status weft_nadam_open(weft_ctx *ctx, weft_tensor *const *params, int n, const weft_nadam_options *options,
                            weft_optim **out)
{
    return weft__optim_open(ctx, "nadam_open", &weft__rule_nadam_step, params, n, options, out);
}
