/* muon.c - Muon, in public operations: the momentum of a matrix, made nearly orthogonal by Newton-Schulz steps. */
#include "optim.h"

static const weft_muon_options defaults = WEFT_MUON_DEFAULTS;

static weft_status check(weft_ctx *ctx, const char *function, const void *options)
{
    const weft_muon_options *o = options;
    const weft_status status = CHECK_OPTIONS(ctx, function, NOT_NEGATIVE(o, lr), NOT_NEGATIVE(o, weight_decay),
                                             BELOW_1(o, momentum), NOT_NEGATIVE(o, eps));
    if (status == WEFT_OK && (o->iterations < 0 || o->iterations > 99))
        return weft_ctx_fail(ctx, WEFT_E_INVALID, "weft_%s: iterations is %d; it must be in [0, 99]", function,
                             o->iterations);
    return status == WEFT_OK ? weft__check_choice(ctx, function, "scale", (int)o->scale, 3) : status;
}

static unsigned states(const void *options)
{
    (void)options;
    return 1;
}

static weft_tensor *make_state(const weft__optim *o, int state, int k)
{
    const weft_tensor *p = o->params[k];
    (void)state;
    if (weft_ndim(p) == 2)
        return weft__step_zeros(o, k, weft_shape(p), 2);
    weft_ctx_fail(o->ctx, WEFT_E_SHAPE,
                  "weft_muon_open: parameter %d has %d dims; Muon steps matrices: give the others to AdamW and "
                  "weft_optim_join both",
                  k, weft_ndim(p));
    return NULL;
}

/* Nearly U V^T where x = U S V^T. */
static weft_tensor *orthogonal(weft_tensor *x, const weft_muon_options *a)
{
    const bool tall = weft_size(x, 0) > weft_size(x, 1);
    x = tall ? weft_transpose(x, 0, 1) : x;
    x = weft_div(x, weft_clamp(weft_norm(x, WEFT_ALL, false), a->eps, (double)INFINITY));
    for (int k = 0; k < a->iterations; k++) {
        weft_tensor *gram = weft_matmul(x, weft_transpose(x, 0, 1));
        weft_tensor *poly =
            weft_add(weft_mul_scalar(gram, 0 - 4.7750), weft_mul_scalar(weft_matmul(gram, gram), 2.0315));
        x = weft_add(weft_mul_scalar(x, 3.4445), weft_matmul(poly, x));
    }
    return tall ? weft_transpose(x, 0, 1) : x;
}

static double scale_of(const weft_muon_options *a, double rows, double columns)
{
    switch (a->scale) {
    case WEFT_MUON_SCALE_MATCH_RMS_ADAMW:
        return 0.2 * sqrt(fmax(rows, columns));
    case WEFT_MUON_SCALE_SPECTRAL:
        return sqrt(rows / columns);
    default:
        return sqrt(fmax(1, rows / columns));
    }
}

static void step_one(weft__optim *o, int k)
{
    const weft_muon_options *a = o->options;
    weft_tensor *p = weft__step_weights(o, k), *g = weft__step_gradient(o, k), *was = STATE_OF(o, 0, k);
    if (weft_count(p) == 0)
        return;
    weft_tensor *m = weft_add(was, weft_mul_scalar(weft_sub(g, was), 1 - a->momentum));
    weft_tensor *way = a->nesterov ? weft_add(g, weft_mul_scalar(weft_sub(m, g), a->momentum)) : m;
    const double rate = a->lr * scale_of(a, (double)weft_size(p, 0), (double)weft_size(p, 1));
    p = weft_sub(weft_mul_scalar(p, 1 - a->lr * a->weight_decay), weft_mul_scalar(orthogonal(way, a), rate));
    weft_copy_(was, m);
    weft__step_write(o, k, p);
}

static weft_status update(weft__optim *o)
{
    return weft__step_each(o, step_one);
}

WEFT__RULE(muon) = {OPTIONS_ALONE(weft_muon_options, defaults), .check = check, .states = states,
                    .make_state = make_state, .update = update};

weft_status weft_muon_open(weft_ctx *ctx, weft_tensor *const *params, int n, const weft_muon_options *options,
                           weft_optim **out)
{
    return weft__optim_open(ctx, "muon_open", &weft__rule_muon, params, n, options, out);
}
