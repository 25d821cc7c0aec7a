/* signal.c - windows and filters: see weft/signal.h. A user of the public API. */
#define WEFT_NO_CALL_SITES
#include <math.h>
#include <weft/extend.h>

static weft_tensor *number(weft_ctx *ctx, double value)
{
    return weft_scalar(ctx, WEFT_F64, value);
}

/* 0, 1 ... n - 1, times factor. */
static weft_tensor *counted(weft_ctx *ctx, int64_t n, double factor)
{
    return weft_mul(weft_arange(ctx, WEFT_F64, 0, (double)n, 1), number(ctx, factor));
}

/* factor cos(2 pi turns t) */
static weft_tensor *wave(weft_tensor *t, double turns, double factor)
{
    weft_ctx *ctx = weft_ctx_of(t);
    return ctx ? weft_mul(weft_cos(weft_mul(t, number(ctx, 2 * 3.14159265358979323846 * turns))), number(ctx, factor))
               : NULL;
}

/* I0(x) = sum of (x^2 / 4)^k / k!^2, all terms positive: of x up to 700 the largest is at k = x / 2, and after k = x
 * they shrink by a quarter and more. */
static weft_tensor *bessel(weft_tensor *x, double largest)
{
    weft_ctx *ctx = weft_ctx_of(x);
    if (!ctx)
        return NULL;
    weft_tensor *quarter = weft_mul(weft_mul(x, x), number(ctx, 0.25));
    weft_tensor *term = weft_add(weft_mul(x, number(ctx, 0)), number(ctx, 1)), *sum = term;
    for (int k = 1; k <= (int)largest + 40 && sum; k++) {
        term = weft_mul(term, weft_mul(quarter, number(ctx, 1 / ((double)k * k))));
        sum = weft_add(sum, term);
    }
    return sum;
}

static weft_tensor *kaiser(weft_tensor *t, double beta)
{
    weft_ctx *ctx = weft_ctx_of(t);
    if (!ctx)
        return NULL;
    weft_tensor *u = weft_sub(weft_mul(t, number(ctx, 2)), number(ctx, 1));
    weft_tensor *root = weft_sqrt(weft_relu(weft_sub(number(ctx, 1), weft_mul(u, u))));
    return weft_div(bessel(weft_mul(root, number(ctx, beta)), beta), bessel(number(ctx, beta), beta));
}

static weft_tensor *window_over(weft_tensor *t, weft_window_kind kind, double beta)
{
    weft_ctx *ctx = weft_ctx_of(t);
    if (!ctx)
        return NULL;
    switch (kind) {
    case WEFT_WINDOW_KIND_HANN:
        return weft_sub(number(ctx, 0.5), wave(t, 1, 0.5));
    case WEFT_WINDOW_KIND_HAMMING:
        return weft_sub(number(ctx, 0.54), wave(t, 1, 0.46));
    case WEFT_WINDOW_KIND_BLACKMAN:
        return weft_add(weft_sub(number(ctx, 0.42), wave(t, 1, 0.5)), wave(t, 2, 0.08));
    case WEFT_WINDOW_KIND_BARTLETT:
        return weft_sub(number(ctx, 1), weft_abs(weft_sub(weft_mul(t, number(ctx, 2)), number(ctx, 1))));
    default:
        return kaiser(t, beta);
    }
}

/* What was made in the scope of mark since gradients were turned off, in dtype; the scope ends. */
static weft_tensor *finished(weft_ctx *ctx, weft_tensor *made, weft_dtype dtype, int mark)
{
    weft_tensor *y = made ? weft_escape(weft_cast(made, dtype)) : NULL;
    return weft_scope_pop(ctx, mark) == WEFT_OK ? y : NULL;
}

/* Whether function may make a tensor of dtype. */
static bool is_floating(weft_ctx *ctx, const char *function, weft_dtype dtype)
{
    if (weft_ctx_status(ctx) != WEFT_OK)
        return false;
    if (weft_dtype_is_float(dtype))
        return true;
    weft_ctx_fail(ctx, WEFT_E_DTYPE, "weft_%s: dtype is %s; it must be a floating one", function,
                  weft_dtype_name(dtype));
    return false;
}

weft_tensor *weft_window(weft_ctx *ctx, weft_dtype dtype, weft_window_kind kind, int64_t n, bool periodic, double beta)
{
    if (!ctx || !is_floating(ctx, "window", dtype))
        return NULL;
    if (n < 0) {
        weft_ctx_fail(ctx, WEFT_E_SHAPE, "weft_window: n is %lld; a window has 0 elements or more", (long long)n);
        return NULL;
    }
    if ((unsigned)kind > WEFT_WINDOW_KIND_KAISER || (kind == WEFT_WINDOW_KIND_KAISER && !(beta >= 0 && beta <= 700))) {
        weft_ctx_fail(ctx, WEFT_E_INVALID,
                      "weft_window: kind is %d and beta %g; kind must be one of weft_window_kind, beta 0 to 700",
                      (int)kind, beta);
        return NULL;
    }
    if (n <= 1)
        return weft_ones(ctx, dtype, &n, 1);
    const int mark = weft_scope_push_no_grad(ctx);
    return finished(ctx, window_over(counted(ctx, n, 1 / (double)(periodic ? n : n - 1)), kind, beta), dtype, mark);
}

static double mel_of(double f, weft_mel_scale scale)
{
    if (scale == WEFT_MEL_SCALE_HTK)
        return 2595 * log10(1 + f / 700);
    return f < 1000 ? 3 * f / 200 : 15 + 27 * log(f / 1000) / log(6.4);
}

/* The frequencies of equally distant mels. */
static weft_tensor *frequencies_of(weft_tensor *mels, weft_mel_scale scale)
{
    weft_ctx *ctx = weft_ctx_of(mels);
    if (!ctx)
        return NULL;
    if (scale == WEFT_MEL_SCALE_HTK)
        return weft_mul(weft_expm1(weft_mul(mels, number(ctx, log(10.0) / 2595))), number(ctx, 700));
    weft_tensor *above = weft_sub(mels, number(ctx, 15));
    weft_tensor *curve = weft_mul(weft_exp(weft_mul(weft_relu(above), number(ctx, log(6.4) / 27))), number(ctx, 1000));
    return weft_where(weft_lt(above, number(ctx, 0)), weft_mul(mels, number(ctx, 200.0 / 3)), curve);
}

weft_tensor *weft_mel_filters(weft_ctx *ctx, weft_dtype dtype, int64_t mels, int64_t bins, double rate, double from,
                              double to, weft_mel_scale scale)
{
    if (!ctx || !is_floating(ctx, "mel_filters", dtype))
        return NULL;
    if (mels < 1 || bins < 2) {
        weft_ctx_fail(ctx, WEFT_E_SHAPE, "weft_mel_filters: %lld mels of %lld bins; at least 1 of 2 are needed",
                      (long long)mels, (long long)bins);
        return NULL;
    }
    if (!(rate > 0 && from >= 0 && from < to && to <= rate / 2) || !isfinite(rate) ||
        (unsigned)scale > WEFT_MEL_SCALE_SLANEY) {
        weft_ctx_fail(
            ctx, WEFT_E_INVALID,
            "weft_mel_filters: from %g to %g Hz at a rate of %g, scale %d; 0 <= from < to <= rate / 2 and one of "
            "weft_mel_scale are needed",
            from, to, rate, (int)scale);
        return NULL;
    }
    const int mark = weft_scope_push_no_grad(ctx);
    const double low = mel_of(from, scale), high = mel_of(to, scale);
    weft_tensor *corners =
        frequencies_of(weft_add(counted(ctx, mels + 2, (high - low) / (double)(mels + 1)), number(ctx, low)), scale);
    corners = weft_unsqueeze(corners, 1);
    weft_tensor *rise = weft_slice(corners, 0, 0, mels, 1), *top = weft_slice(corners, 0, 1, mels + 1, 1),
                *fall = weft_slice(corners, 0, 2, mels + 2, 1);
    weft_tensor *f = weft_unsqueeze(counted(ctx, bins, rate / 2 / (double)(bins - 1)), 0);
    weft_tensor *up = weft_div(weft_sub(f, rise), weft_sub(top, rise));
    weft_tensor *down = weft_div(weft_sub(fall, f), weft_sub(fall, top));
    weft_tensor *filters = weft_relu(weft_min(up, down));
    if (scale == WEFT_MEL_SCALE_SLANEY)
        filters = weft_mul(filters, weft_div(number(ctx, 2), weft_sub(fall, rise)));
    return finished(ctx, filters, dtype, mark);
}
