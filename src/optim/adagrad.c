/* adagrad.c - AdaGrad: its options, its record, its step and its opening. The formula stands in ops.def and
 * <weft/optim.h>. */
#include "optim.h"

static const weft_adagrad_options defaults = WEFT_ADAGRAD_DEFAULTS;

static weft_status check(weft_ctx *ctx, const char *function, const void *options)
{
    const weft_adagrad_options *o = options;
    return CHECK_OPTIONS(ctx, function, NOT_NEGATIVE(o, lr), NOT_NEGATIVE(o, lr_decay), NOT_NEGATIVE(o, weight_decay),
                         NOT_NEGATIVE(o, initial_accumulator), NOT_NEGATIVE(o, eps));
}

static double initial(const void *options)
{
    const weft_adagrad_options *o = options;
    return o->initial_accumulator;
}

static void attrs(const void *options, int64_t step, weft__attrs *attrs)
{
    const weft_adagrad_options *o = options;
    attrs->adagrad = (weft__adagrad_attrs){
        .lr = o->lr / (1 + (double)(step - 1) * o->lr_decay), .weight_decay = o->weight_decay, .eps = o->eps};
}

WEFT__RULE(adagrad_step) = {OPTIONS_OF(ADAGRAD_STEP, weft_adagrad_options, defaults), .check = check, .attrs = attrs,
                            .initial = initial};

/* i: parameters, steps, 0, master weights; f: lr, lr_decay, weight decay, initial accumulator, eps */
CALL(adagrad_step)
{
    weft_adagrad_options o = WEFT_ADAGRAD_DEFAULTS;
    o.lr = c->f[0];
    o.lr_decay = c->f[1];
    o.weight_decay = c->f[2];
    o.initial_accumulator = c->f[3];
    o.eps = c->f[4];
    weft__step_sample(c, &weft__rule_adagrad_step, &o);
}

WEFT__DEFINE_STEP(ADAGRAD_STEP, adagrad_step, adagrad,
                  SAMPLE(call_adagrad_step, RECIPE("rab rab", "1 1 0 1; 0.1 0.5 0.01 0.25 1e-8"),
                         RECIPE("rab rab rab", "1 2 0 0; 0.1 0.5 0 0.25 1e-8")),
                  STATE)

weft_status weft_adagrad_step(weft_ctx *ctx, const weft_step_lists *lists, const weft_adagrad_options *options)
{
    return weft__step(ctx, &weft__rule_adagrad_step, lists, options);
}

weft_status weft_adagrad_open(weft_ctx *ctx, weft_tensor *const *params, int n, const weft_adagrad_options *options,
                              weft_optim **out)
{
    return weft__optim_open(ctx, "adagrad_open", &weft__rule_adagrad_step, params, n, options, out);
}
