/* init.c - first values of parameters: see weft/init.h. A user of the public API. */
#define WEFT_NO_CALL_SITES
#include <math.h>
#include <weft/extend.h>

typedef enum shape { UNIFORM, NORMAL } shape; /* in [p, q); with mean p and standard deviation q */

/* Whether t may be given values; of NULL and after an error not. */
static bool is_writable(const char *function, weft_tensor *t)
{
    weft_ctx *ctx = weft_ctx_of(t);
    if (!ctx || weft_check_params(ctx, function, &t, 1, 0) != WEFT_OK)
        return false;
    if (weft_dtype_is_float(weft_dtype_of(t)))
        return true;
    weft_ctx_fail(ctx, WEFT_E_DTYPE, "weft_%s: the tensor is %s; it must be of a floating dtype", function,
                  weft_dtype_name(weft_dtype_of(t)));
    return false;
}

/* In which values for t are drawn. */
static weft_dtype drawn_for(const weft_tensor *t)
{
    return weft_dtype_of(t) == WEFT_F64 ? WEFT_F64 : WEFT_F32;
}

/* t's values, drawn anew on behalf of function. */
static weft_tensor *draw(const char *function, weft_tensor *t, shape how, double p, double q)
{
    if (!is_writable(function, t))
        return NULL;
    weft_ctx *ctx = weft_ctx_of(t);
    const weft_dtype drawn = drawn_for(t);
    if (!isfinite(p) || !isfinite(q) || !isfinite(q - p) || q < (how == UNIFORM ? p : 0)) {
        weft_ctx_fail(ctx, WEFT_E_INVALID,
                      how == UNIFORM ? "weft_%s: lo is %g and hi %g; they must be finite, lo at most hi"
                                     : "weft_%s: mean is %g and std %g; they must be finite, std at least 0",
                      function, p, q);
        return NULL;
    }
    const int mark = weft_scope_push(ctx);
    const bool recording = weft_set_grad_enabled(ctx, false);
    weft_copy_(t, how == UNIFORM ? weft_rand(ctx, drawn, weft_shape(t), weft_ndim(t), p, q)
                                 : weft_randn(ctx, drawn, weft_shape(t), weft_ndim(t), p, q));
    weft_set_grad_enabled(ctx, recording);
    return weft_scope_pop(ctx, mark) == WEFT_OK ? t : NULL;
}

/* The same with this standard deviation around 0. */
static weft_tensor *spread(const char *function, weft_tensor *t, shape how, double std)
{
    const double edge = std * sqrt(3.0);
    return how == UNIFORM ? draw(function, t, how, -edge, edge) : draw(function, t, how, 0, std);
}

int64_t weft_fan_of(const weft_tensor *w, weft_fan fan)
{
    const int ndim = weft_ndim(w), other = fan == WEFT_FAN_IN ? 0 : 1;
    int64_t n = 1;
    for (int d = 0; d < ndim; d++)
        n *= d == other ? 1 : weft_size(w, d);
    return ndim < 2 ? -1 : n;
}

/* Whether w has fans and gain is one. */
static bool fits(const char *function, weft_tensor *w, double gain)
{
    weft_ctx *ctx = weft_ctx_of(w);
    if (!ctx || weft_check_params(ctx, function, &w, 1, 0) != WEFT_OK)
        return false;
    if (weft_ndim(w) < 2)
        weft_ctx_fail(ctx, WEFT_E_SHAPE,
                      "weft_%s: the tensor has %d dims, but inputs and outputs are counted along two or more; "
                      "weft_init_uniform_ and weft_init_normal_ take any",
                      function, weft_ndim(w));
    else if (!(gain >= 0 && isfinite(gain)))
        weft_ctx_fail(ctx, WEFT_E_INVALID, "weft_%s: gain is %g; it must be finite and at least 0", function, gain);
    return weft_ctx_status(ctx) == WEFT_OK;
}

/* 1 / sqrt(n); of an empty tensor 0, so that nothing is infinite. */
static double inverse_root(double n)
{
    return n > 0 ? 1 / sqrt(n) : 0;
}

static weft_tensor *kaiming(const char *function, weft_tensor *w, weft_fan fan, double gain, shape how)
{
    if (!fits(function, w, gain))
        return NULL;
    return spread(function, w, how, gain * inverse_root((double)weft_fan_of(w, fan)));
}

static weft_tensor *xavier(const char *function, weft_tensor *w, double gain, shape how)
{
    if (!fits(function, w, gain))
        return NULL;
    const double fans = (double)weft_fan_of(w, WEFT_FAN_IN) + (double)weft_fan_of(w, WEFT_FAN_OUT);
    return spread(function, w, how, gain * sqrt(2.0) * inverse_root(fans));
}

weft_tensor *weft_init_layer_(weft_tensor *w, weft_tensor *b)
{
    const char *function = "init_layer_";
    if (!fits(function, w, 1))
        return NULL;
    const double edge = inverse_root((double)weft_fan_of(w, WEFT_FAN_IN));
    if (!draw(function, w, UNIFORM, -edge, edge) || (b && !draw(function, b, UNIFORM, -edge, edge)))
        return NULL;
    return w;
}

weft_tensor *weft_init_kaiming_uniform_(weft_tensor *w, weft_fan fan, double gain)
{
    return kaiming("init_kaiming_uniform_", w, fan, gain, UNIFORM);
}

weft_tensor *weft_init_kaiming_normal_(weft_tensor *w, weft_fan fan, double gain)
{
    return kaiming("init_kaiming_normal_", w, fan, gain, NORMAL);
}

weft_tensor *weft_init_xavier_uniform_(weft_tensor *w, double gain)
{
    return xavier("init_xavier_uniform_", w, gain, UNIFORM);
}

weft_tensor *weft_init_xavier_normal_(weft_tensor *w, double gain)
{
    return xavier("init_xavier_normal_", w, gain, NORMAL);
}

weft_tensor *weft_init_uniform_(weft_tensor *t, double lo, double hi)
{
    return draw("init_uniform_", t, UNIFORM, lo, hi);
}

weft_tensor *weft_init_normal_(weft_tensor *t, double mean, double std)
{
    return draw("init_normal_", t, NORMAL, mean, std);
}

/* The normal distribution's value at (at - mean) / std. */
static double below(double at, double mean, double std)
{
    return erfc((mean - at) / (std * sqrt(2.0))) / 2;
}

weft_tensor *weft_init_trunc_normal_(weft_tensor *t, double mean, double std, double lo, double hi)
{
    const char *function = "init_trunc_normal_";
    if (!is_writable(function, t))
        return NULL;
    weft_ctx *ctx = weft_ctx_of(t);
    if (!isfinite(mean) || !isfinite(std) || !(std > 0) || !(lo < hi)) {
        weft_ctx_fail(
            ctx, WEFT_E_INVALID,
            "weft_%s: mean is %g, std %g, lo %g and hi %g; mean and std must be finite, std above 0, lo below hi",
            function, mean, std, lo, hi);
        return NULL;
    }
    /* Of an interval far to the right differences from 1 would round away: its mirror image is drawn instead. */
    const bool mirrored = lo > mean;
    const double from = mirrored ? 2 * mean - hi : lo, to = mirrored ? 2 * mean - lo : hi;
    const double least = below(from, mean, std), most = below(to, mean, std);
    const int mark = weft_scope_push(ctx);
    const bool recording = weft_set_grad_enabled(ctx, false);
    weft_tensor *u = weft_rand(ctx, WEFT_F64, weft_shape(t), weft_ndim(t), 2 * least - 1, 2 * most - 1);
    weft_tensor *x = weft_mul_scalar(weft_erfinv(u), (mirrored ? -std : std) * sqrt(2.0));
    weft_copy_(t, weft_clamp(weft_add_scalar(x, mean), lo, hi));
    weft_set_grad_enabled(ctx, recording);
    return weft_scope_pop(ctx, mark) == WEFT_OK ? t : NULL;
}

weft_tensor *weft_init_orthogonal_(weft_tensor *w, double gain)
{
    const char *function = "init_orthogonal_";
    if (!fits(function, w, gain) || !is_writable(function, w))
        return NULL;
    weft_ctx *ctx = weft_ctx_of(w);
    const int64_t rows = weft_size(w, 0), columns = rows > 0 ? weft_count(w) / rows : 0;
    const bool wide = rows < columns;
    if (rows == 0 || columns == 0)
        return w;
    const int mark = weft_scope_push(ctx);
    const bool recording = weft_set_grad_enabled(ctx, false);
    weft_tensor *q = NULL, *r,
                *normal = weft_randn(ctx, drawn_for(w), WEFT_DIMS(wide ? columns : rows, wide ? rows : columns), 0, 1);
    if (weft_qr(normal, &q, &r) == WEFT_OK) /* r has no negative number on its diagonal, which makes q unbiased */
        weft_copy_(
            w, weft_reshape(weft_mul_scalar(wide ? weft_transpose(q, 0, 1) : q, gain), weft_shape(w), weft_ndim(w)));
    weft_set_grad_enabled(ctx, recording);
    return weft_scope_pop(ctx, mark) == WEFT_OK ? w : NULL;
}

weft_tensor *weft_init_constant_(weft_tensor *t, double value)
{
    return is_writable("init_constant_", t) ? weft_fill_(t, value) : NULL;
}
