/* scale_rows.c - see scale_rows.h. */
#include "scale_rows.h"
#include <math.h>
#include <stddef.h>

/* ---- What is computed ---- */

static real top_of(const slice *s)
{
    real top = s->x[0];
    for (int64_t i = 1; i < s->n; i++)
        top = s->x[i] > top ? s->x[i] : top;
    return top;
}

static real sum_of(const slice *s, real *sizes)
{
    real sum = 0;
    *sizes = 0;
    for (int64_t i = 0; i < s->n; i++) {
        sum += s->x[i];
        *sizes += fabsl((real)s->x[i]);
    }
    return sum;
}

static real exps_of(const slice *s, real top)
{
    real sum = 0;
    for (int64_t i = 0; i < s->n; i++)
        sum += expl((real)s->x[i] - top);
    return sum;
}

/* The mean of (x - center)^2. */
static real spread_of(const slice *s, real center)
{
    real sum = 0;
    for (int64_t i = 0; i < s->n; i++)
        sum += ((real)s->x[i] - center) * ((real)s->x[i] - center);
    return sum / (real)s->n;
}

static void want_sum(const slice *s)
{
    *s->y = sum_of(s, s->measure);
}

static void want_mean(const slice *s)
{
    *s->y = sum_of(s, s->measure) / (real)s->n;
    *s->measure /= (real)s->n;
}

static void want_prod(const slice *s)
{
    *s->y = 1;
    for (int64_t i = 0; i < s->n; i++)
        *s->y *= s->x[i];
    *s->measure = fabsl(*s->y);
}

static void want_max(const slice *s)
{
    *s->y = top_of(s);
}

static void want_min(const slice *s)
{
    *s->y = s->x[0];
    for (int64_t i = 1; i < s->n; i++)
        *s->y = s->x[i] < *s->y ? s->x[i] : *s->y;
}

static void want_argmax(const slice *s)
{
    int64_t at = 0;
    for (int64_t i = 1; i < s->n; i++)
        at = s->x[i] > s->x[at] ? i : at;
    *s->y = at;
}

static void want_argmin(const slice *s)
{
    int64_t at = 0;
    for (int64_t i = 1; i < s->n; i++)
        at = s->x[i] < s->x[at] ? i : at;
    *s->y = at;
}

static void want_logsumexp(const slice *s)
{
    const real top = top_of(s);
    *s->y = top + logl(exps_of(s, top));
    *s->measure = fabsl(*s->y) + 1;
}

static void want_norm(const slice *s)
{
    *s->y = *s->measure = sqrtl(spread_of(s, 0) * (real)s->n);
}

static void want_var(const slice *s)
{
    real sizes;
    const real n = (real)s->n;
    *s->y = *s->measure = spread_of(s, sum_of(s, &sizes) / n) * n / (n - 1);
}

static void want_cumsum(const slice *s)
{
    real sum = 0, sizes = 0;
    for (int64_t i = 0; i < s->n; i++) {
        s->y[i] = sum += s->x[i];
        s->measure[i] = sizes += fabsl((real)s->x[i]);
    }
}

static void want_softmax(const slice *s)
{
    const real top = top_of(s), sum = exps_of(s, top);
    for (int64_t i = 0; i < s->n; i++) {
        s->y[i] = expl((real)s->x[i] - top) / sum;
        s->measure[i] = s->y[i] * (2 + top - (real)s->x[i]);
    }
}

static void want_log_softmax(const slice *s)
{
    const real top = top_of(s), log_sum = logl(exps_of(s, top));
    for (int64_t i = 0; i < s->n; i++) {
        s->y[i] = ((real)s->x[i] - top) - log_sum;
        s->measure[i] = top - (real)s->x[i] + log_sum + 1;
    }
}

static void want_layer_norm(const slice *s)
{
    real sizes;
    const real mean = sum_of(s, &sizes) / (real)s->n, scale = 1 / sqrtl(spread_of(s, mean) + (real)1e-5);
    for (int64_t i = 0; i < s->n; i++) {
        s->y[i] = ((real)s->x[i] - mean) * scale;
        s->measure[i] = fabsl(s->y[i]) + 1;
    }
}

static void want_rms_norm(const slice *s)
{
    const real scale = 1 / sqrtl(spread_of(s, 0) + (real)1e-5);
    for (int64_t i = 0; i < s->n; i++) {
        s->y[i] = (real)s->x[i] * scale;
        s->measure[i] = fabsl(s->y[i]);
    }
}

static void want_mse(const slice *s)
{
    *s->y = *s->measure = spread_of(s, s->target);
}

static void want_huber(const slice *s)
{
    real sum = 0;
    for (int64_t i = 0; i < s->n; i++) {
        const real d = fabsl((real)s->x[i] - s->target);
        sum += d < 1 ? d * d / 2 : d - 0.5L;
    }
    *s->y = *s->measure = sum / (real)s->n;
}

static void want_bce(const slice *s)
{
    real sum = 0;
    for (int64_t i = 0; i < s->n; i++) {
        const real x = s->x[i];
        sum += (x > 0 ? x : 0) + log1pl(expl(-fabsl(x))) - 0.25L * x;
    }
    *s->y = *s->measure = sum / (real)s->n;
}

static void want_nll(const slice *s)
{
    *s->y = -(real)s->x[s->n / 3];
    *s->measure = fabsl(*s->y);
}

static void want_cross_entropy(const slice *s)
{
    const real top = top_of(s), log_sum = logl(exps_of(s, top)), away = top - (real)s->x[s->n / 3];
    *s->y = away + log_sum;
    *s->measure = away + log_sum + 1;
}

/* With a tenth of the weight on all classes. */
static void want_smoothed(const slice *s)
{
    real sizes;
    const real top = top_of(s), log_sum = logl(exps_of(s, top)), away = top - (real)s->x[s->n / 3];
    const real mean_away = top - sum_of(s, &sizes) / (real)s->n;
    *s->y = 0.9L * (away + log_sum) + 0.1L * (mean_away + log_sum);
    *s->measure = away + log_sum + mean_away + 1;
}

/* ---- What the library makes of it: x [slices, n] for dim 1, [n, slices] for dim 0 ---- */

static weft_tensor *rows_of(const call *c)
{
    return c->dim == 1 ? c->x : weft_transpose(c->x, 0, 1);
}

#define ALONG(name)                                                                                                    \
    static weft_tensor *run_##name(const call *c)                                                                      \
    {                                                                                                                  \
        return weft_##name(c->x, WEFT_DIMS(c->dim), false);                                                            \
    }
ALONG(sum)
ALONG(mean)
ALONG(prod)
ALONG(max_over)
ALONG(min_over)
ALONG(argmax)
ALONG(argmin)
ALONG(logsumexp)
ALONG(norm)

static weft_tensor *run_var(const call *c)
{
    return weft_var(c->x, WEFT_DIMS(c->dim), false, 1);
}

static weft_tensor *var_and_mean(const call *c, int which)
{
    weft_tensor *y[2];
    return weft_var_mean(c->x, WEFT_DIMS(c->dim), false, 1, &y[0], &y[1]) == WEFT_OK ? y[which] : NULL;
}

static weft_tensor *run_var_of_both(const call *c)
{
    return var_and_mean(c, 0);
}

static weft_tensor *run_mean_of_both(const call *c)
{
    return var_and_mean(c, 1);
}

static weft_tensor *run_cumsum(const call *c)
{
    return weft_cumsum(c->x, c->dim);
}

static weft_tensor *run_softmax(const call *c)
{
    return weft_softmax(c->x, c->dim);
}

static weft_tensor *run_log_softmax(const call *c)
{
    return weft_log_softmax(c->x, c->dim);
}

/* Results of rows, as the call has its slices. */
static weft_tensor *turned_back(const call *c, weft_tensor *y)
{
    return c->dim == 1 ? y : weft_transpose(y, 0, 1);
}

static weft_tensor *run_layer_norm(const call *c)
{
    return turned_back(c, weft_layer_norm(rows_of(c), NULL, NULL, 1e-5));
}

static weft_tensor *run_rms_norm(const call *c)
{
    return turned_back(c, weft_rms_norm(rows_of(c), NULL, 1e-5));
}

/* Slices are channels: planes of one image, or columns of a matrix. */
static weft_tensor *run_batch_norm(const call *c)
{
    const weft_batch_norm_params params = {sizeof params, 0.1, 1e-5, true};
    weft_tensor *x = c->dim == 1 ? weft_unsqueeze(c->x, 0) : c->x;
    weft_tensor *y = weft_batch_norm(x, NULL, NULL, NULL, NULL, &params);
    return c->dim == 1 ? weft_squeeze(y, WEFT_DIMS(0)) : y;
}

static weft_tensor *run_mse(const call *c)
{
    return weft_mse(c->x, weft_full_like(c->x, c->target));
}

static weft_tensor *run_huber(const call *c)
{
    return weft_huber(c->x, weft_full_like(c->x, c->target), 1);
}

static weft_tensor *run_bce(const call *c)
{
    return weft_bce_with_logits(c->x, weft_full_like(c->x, 0.25));
}

static weft_tensor *classes_of(const call *c)
{
    return weft_full(weft_ctx_of(c->x), WEFT_I64, WEFT_DIMS(c->slices), (double)(c->n / 3));
}

static weft_tensor *run_nll(const call *c)
{
    return weft_nll(rows_of(c), classes_of(c));
}

static weft_tensor *run_cross_entropy(const call *c)
{
    return weft_cross_entropy_with(rows_of(c), classes_of(c), -100, 0, WEFT_REDUCTION_NONE);
}

static weft_tensor *run_smoothed(const call *c)
{
    return weft_cross_entropy_with(rows_of(c), classes_of(c), -100, 0.1, WEFT_REDUCTION_NONE);
}

const row scale_rows[] = {
    {"sum", run_sum, want_sum, ONE, 4, ALL_KINDS, 0, false},
    {"mean", run_mean, want_mean, ONE, 4, ALL_KINDS, 0, false},
    {"prod", run_prod, want_prod, ONE, 4, ALL_KINDS, 0, false},
    {"max_over", run_max_over, want_max, ONE, 0, ALL_KINDS, 0, false},
    {"min_over", run_min_over, want_min, ONE, 0, ALL_KINDS, 0, false},
    {"argmax", run_argmax, want_argmax, ONE, 0, ALL_KINDS, 0, false},
    {"argmin", run_argmin, want_argmin, ONE, 0, ALL_KINDS, 0, false},
    {"logsumexp", run_logsumexp, want_logsumexp, ONE, 4, ALL_KINDS, 1e-30, false},
    {"norm", run_norm, want_norm, ONE, 4, ALL_KINDS, 1e-30, false},
    {"var", run_var, want_var, ONE, 32, TAME | CENTRED, 1e-30, true},
    {"var of var_mean", run_var_of_both, want_var, ONE, 8, TAME | CENTRED, 1e-30, true},
    {"mean of var_mean", run_mean_of_both, want_mean, ONE, 4, TAME, 0, false},
    {"cumsum", run_cumsum, want_cumsum, EACH, 2, ALL_KINDS, 0, false},
    {"softmax", run_softmax, want_softmax, EACH, 4, ALL_KINDS, 1, false},
    {"log_softmax", run_log_softmax, want_log_softmax, EACH, 4, ALL_KINDS, 1, false},
    {"layer_norm", run_layer_norm, want_layer_norm, EACH, 8, TAME | CENTRED, 1e-30, true},
    {"rms_norm", run_rms_norm, want_rms_norm, EACH, 8, TAME, 1e-30, false},
    {"batch_norm", run_batch_norm, want_layer_norm, EACH, 8, TAME | CENTRED, 1e-30, true},
    {"mse", run_mse, want_mse, TOTAL, 8, TAME, 1e-30, false},
    {"huber", run_huber, want_huber, TOTAL, 8, TAME | 1 << TINY, 1e-30, false},
    {"bce_with_logits", run_bce, want_bce, TOTAL, 8, TAME | 1 << TINY, 1e-30, false},
    {"nll", run_nll, want_nll, TOTAL, 8, TAME | 1 << TINY, 0, false},
    {"cross_entropy", run_cross_entropy, want_cross_entropy, ONE, 8, ALL_KINDS, 7, true},
    {"smoothed cross_entropy", run_smoothed, want_smoothed, ONE, 8, ALL_KINDS, 7, true},
};
const int scale_row_count = sizeof scale_rows / sizeof *scale_rows;
