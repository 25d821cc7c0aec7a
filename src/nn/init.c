/* init.c - first values of parameters: see weft/init.h. A user of the public API. */
#define WEFT_NO_CALL_SITES
#include <math.h>
#include <weft/extend.h>

typedef enum shape { UNIFORM, NORMAL } shape; /* in [p, q); with mean p and standard deviation q */

/* t's values, drawn anew on behalf of function. */
static weft_tensor *draw(const char *function, weft_tensor *t, shape how, double p, double q)
{
    weft_ctx *ctx = weft_ctx_of(t);
    if (!ctx || weft_check_params(ctx, function, &t, 1, 0) != WEFT_OK)
        return NULL;
    const weft_dtype dtype = weft_dtype_of(t), drawn = dtype == WEFT_F64 ? WEFT_F64 : WEFT_F32;
    if (!weft_dtype_is_float(dtype)) {
        weft_ctx_fail(ctx, WEFT_E_DTYPE, "weft_%s: the tensor is %s; it must be of a floating dtype", function,
                      weft_dtype_name(dtype));
        return NULL;
    }
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
