/* adafactor.c - Adafactor, in public operations: second moments of matrices as an outer product of their sums over rows
 * and columns. */
#include <string.h>
#include "optim.h"

static const weft_adafactor_options defaults = WEFT_ADAFACTOR_DEFAULTS;

static weft_status check(weft_ctx *ctx, const char *function, const void *options)
{
    const weft_adafactor_options *o = options;
    const weft_status status = CHECK_OPTIONS(ctx, function, NOT_NEGATIVE(o, lr), NOT_NEGATIVE(o, eps1),
                                             NOT_NEGATIVE(o, eps2), NOT_NEGATIVE(o, d), NOT_NEGATIVE(o, weight_decay));
    if (status == WEFT_OK && !(o->beta2_decay <= 0 && o->beta2_decay >= -1))
        return weft_ctx_fail(ctx, WEFT_E_INVALID, "weft_%s: beta2_decay is %g; it must be in [-1, 0]", function,
                             o->beta2_decay);
    if (status == WEFT_OK && o->d == 0)
        return weft_ctx_fail(ctx, WEFT_E_INVALID, "weft_%s: d is 0; it must be above 0", function);
    return status;
}

static unsigned states(const void *options)
{
    (void)options;
    return 7;
}

enum { ROWS, COLUMNS, VARIANCE };

static weft_tensor *make_state(const weft__optim *o, int state, int k)
{
    const weft_tensor *p = o->params[k];
    const int ndim = weft_ndim(p);
    int64_t shape[16];
    if ((state == VARIANCE) != (ndim < 2))
        return NULL;
    if (ndim > 0)
        memcpy(shape, weft_shape(p), sizeof *shape * (size_t)ndim);
    if (state != VARIANCE)
        shape[state == ROWS ? ndim - 1 : ndim - 2] = 1;
    return weft__step_zeros(o, k, shape, ndim);
}

/* old + (x - old) share */
static weft_tensor *towards(weft_tensor *old, weft_tensor *x, double share)
{
    return weft_add(old, weft_mul_scalar(weft_sub(x, old), share));
}

static weft_tensor *mean_along(weft_tensor *x, int64_t dim)
{
    return weft_mean(x, &dim, 1, true);
}

static double rms(weft_ctx *ctx, weft_tensor *x)
{
    return weft_item(ctx, weft_norm(x, WEFT_ALL, false)) / sqrt((double)weft_count(x));
}

static void step_one(weft__optim *o, int k)
{
    const weft_adafactor_options *a = o->options;
    const double t = (double)o->steps + 1, share = pow(t, a->beta2_decay), rho = fmin(a->lr, 1 / sqrt(t));
    weft_tensor *p = weft__step_weights(o, k), *g = weft__step_gradient(o, k), *square = weft_square(g);
    weft_tensor *rows = NULL, *columns = NULL, *variance;
    if (weft_count(p) == 0)
        return;
    if (weft_ndim(p) > 1) {
        rows = towards(STATE_OF(o, ROWS, k), mean_along(square, -1), share);
        columns = towards(STATE_OF(o, COLUMNS, k), mean_along(square, -2), share);
        variance = weft_div(weft_matmul(rows, columns), weft_clamp(mean_along(rows, -2), a->eps1, (double)INFINITY));
    } else {
        variance = towards(STATE_OF(o, VARIANCE, k), square, share);
    }
    weft_tensor *update = weft_mul(weft_rsqrt(weft_clamp(variance, a->eps1 * a->eps1, (double)INFINITY)), g);
    const double alpha = fmax(a->eps2, rms(o->ctx, p)) * rho, excess = fmax(1, rms(o->ctx, update) / a->d);
    p = weft_sub(weft_mul_scalar(p, 1 - a->lr * a->weight_decay), weft_mul_scalar(update, alpha / excess));
    if (rows) {
        weft_copy_(STATE_OF(o, ROWS, k), rows);
        weft_copy_(STATE_OF(o, COLUMNS, k), columns);
    } else {
        weft_copy_(STATE_OF(o, VARIANCE, k), variance);
    }
    weft__step_write(o, k, p);
}

static weft_status update(weft__optim *o)
{
    return weft__step_each(o, step_one);
}

WEFT__RULE(adafactor) = {OPTIONS_ALONE(weft_adafactor_options, defaults), .check = check, .states = states,
                         .make_state = make_state, .update = update};

weft_status weft_adafactor_open(weft_ctx *ctx, weft_tensor *const *params, int n, const weft_adafactor_options *options,
                                weft_optim **out)
{
    return weft__optim_open(ctx, "adafactor_open", &weft__rule_adafactor, params, n, options, out);
}
