/* init.h - first values of parameters, by the formulas and defaults of PyTorch (torch.nn.init), so that a model trains
 * here as it does there.
 *
 *     weft_tensor *w = weft_param(weft_zeros(ctx, WEFT_F32, WEFT_DIMS(out, in)), "w");
 *     weft_tensor *b = weft_param(weft_zeros(ctx, WEFT_F32, WEFT_DIMS(out)), "b");
 *     weft_init_layer_(w, b);                                  // what torch.nn.Linear and Conv2d start from
 *
 * Each overwrites its tensor in place, whether it requires a gradient or not, and returns it; NULL gives NULL. The
 * tensor is of a floating dtype and was not computed from others. Values come from the context's random stream: the
 * same seed and order of calls give the same ones on every device. For half types they are drawn in f32 and rounded. An
 * error is recorded in the context, and NULL returned.
 *
 * Fans: w [out, in] of weft_linear, w [K, C / groups, R, S] of weft_conv2d: fan_in = the product of all sizes but the
 * first, the inputs that a result sums up; fan_out = the product of all sizes but the second. For w [C, K / groups, R,
 * S] of weft_conv2d_transpose the same, as PyTorch counts there too. gain makes up for what the activation after the
 * layer takes away: 1 without one or with sigmoid, 5/3 for tanh, sqrt(2) for relu, sqrt(2 / (1 + s^2)) for leaky_relu
 * of slope s.
 *
 * Part of the public API; include <weft/weft.h>. */
#ifndef WEFT_INIT_H
#define WEFT_INIT_H

#include <weft/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum weft_fan { WEFT_FAN_IN, WEFT_FAN_OUT } weft_fan;

/* A fan of w, which has two dims or more; else -1. */
WEFT_API int64_t weft_fan_of(const weft_tensor *w, weft_fan fan);

/* PyTorch's default for Linear and Conv2d: w, and b unless it is NULL, uniform in [-1 / sqrt(fan_in), 1 / sqrt(fan_in))
 * with the fan of w. (There: kaiming_uniform_ with a = sqrt(5), which is that.) Returns w. Source: LeCun et al.
 * 1998. */
WEFT_API weft_tensor *weft_init_layer_(weft_tensor *w, weft_tensor *b);

/* Keeps the variance from layer to layer in one direction, forward (WEFT_FAN_IN) or backward (WEFT_FAN_OUT): standard
 * deviation gain / sqrt(fan), uniform in gain sqrt(3 / fan) [-1, 1) or normal. Source: He et al. 2015. */
WEFT_API weft_tensor *weft_init_kaiming_uniform_(weft_tensor *w, weft_fan fan, double gain);
WEFT_API weft_tensor *weft_init_kaiming_normal_(weft_tensor *w, weft_fan fan, double gain);

/* In both directions about: standard deviation gain sqrt(2 / (fan_in + fan_out)), uniform in
 * gain sqrt(6 / (fan_in + fan_out)) [-1, 1) or normal. Source: Glorot & Bengio 2010. */
WEFT_API weft_tensor *weft_init_xavier_uniform_(weft_tensor *w, double gain);
WEFT_API weft_tensor *weft_init_xavier_normal_(weft_tensor *w, double gain);

/* Uniform in [lo, hi), normal: the same numbers as of weft_rand and weft_randn at this point of the stream. */
WEFT_API weft_tensor *weft_init_uniform_(weft_tensor *t, double lo, double hi);
WEFT_API weft_tensor *weft_init_normal_(weft_tensor *t, double mean, double std);

/* Normal, drawn anew where it lies outside of [lo, hi], lo < hi (trunc_normal_): the normal quantile of a uniform
 * number between the distribution's values at the ends. std above 0. (Of an interval that lies 8 and more standard
 * deviations away f64 has few such numbers, here and in PyTorch.) */
WEFT_API weft_tensor *weft_init_trunc_normal_(weft_tensor *t, double mean, double std, double lo, double hi);

/* gain times a matrix with orthonormal rows or, if it has more rows than columns, columns, spread evenly over all such
 * (orthogonal_): of w with two dims or more, the first of which are the rows. Source: Saxe et al. 2013. */
WEFT_API weft_tensor *weft_init_orthogonal_(weft_tensor *w, double gain);

/* All elements this value (constant_, zeros_, ones_). */
WEFT_API weft_tensor *weft_init_constant_(weft_tensor *t, double value);

#ifdef __cplusplus
}
#endif

#ifndef WEFT_NO_CALL_SITES
#define weft_init_layer_(...) (WEFT_HERE("init_layer_"), weft_init_layer_(__VA_ARGS__))
#define weft_init_kaiming_uniform_(...) (WEFT_HERE("init_kaiming_uniform_"), weft_init_kaiming_uniform_(__VA_ARGS__))
#define weft_init_kaiming_normal_(...) (WEFT_HERE("init_kaiming_normal_"), weft_init_kaiming_normal_(__VA_ARGS__))
#define weft_init_xavier_uniform_(...) (WEFT_HERE("init_xavier_uniform_"), weft_init_xavier_uniform_(__VA_ARGS__))
#define weft_init_xavier_normal_(...) (WEFT_HERE("init_xavier_normal_"), weft_init_xavier_normal_(__VA_ARGS__))
#define weft_init_uniform_(...) (WEFT_HERE("init_uniform_"), weft_init_uniform_(__VA_ARGS__))
#define weft_init_normal_(...) (WEFT_HERE("init_normal_"), weft_init_normal_(__VA_ARGS__))
#define weft_init_trunc_normal_(...) (WEFT_HERE("init_trunc_normal_"), weft_init_trunc_normal_(__VA_ARGS__))
#define weft_init_orthogonal_(...) (WEFT_HERE("init_orthogonal_"), weft_init_orthogonal_(__VA_ARGS__))
#define weft_init_constant_(...) (WEFT_HERE("init_constant_"), weft_init_constant_(__VA_ARGS__))
#endif
#endif
