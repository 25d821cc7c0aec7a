/* ops.h - every operation. GENERATED from src/ops/ops.def (target update_ops): do not edit.
 *
 * Every operation returns a new tensor of the innermost scope, or NULL after an error (recorded in the context).
 * Inputs are not consumed. A NULL input gives NULL. docs/ops.md has formulas and derivatives.
 *
 * Dtypes: what operands may be; "promoted": to their joint dtype by the table in dtype.h. Errors: those that an
 * operation gives for what it was called with. Any can give besides: WEFT_E_NULL_ARGUMENT, WEFT_E_DEAD_TENSOR,
 * WEFT_E_MIXED_CONTEXTS, WEFT_E_STATE (all operands are shared; within a callback that only looks), WEFT_E_NOMEM,
 * WEFT_E_SHAPE (a result beyond 2^63 - 1 bytes), WEFT_E_UNSUPPORTED (the device has no such kernel), WEFT_E_DEVICE,
 * WEFT_E_THREAD, and WEFT_E_NOT_FINITE under nan_watch.
 *
 * Part of the public API; include <weft/weft.h>. */
#ifndef WEFT_OPS_H
#define WEFT_OPS_H

#include <weft/optim.h>
#include <weft/params.h>
#include <weft/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Elementwise, one operand ----
 * The result has x's shape. */

/* -x.
 * Dtypes: any, bool counts as i64; the result has it. */
WEFT_API weft_tensor *weft_neg(weft_tensor *x);

/* |x|; derivative 0 at 0.
 * Dtypes: any, bool counts as i64; the result has it. */
WEFT_API weft_tensor *weft_abs(weft_tensor *x);

/* -1, 0 or 1; keeps -0 and NaN; derivative 0, which weft_unreached reports.
 * Dtypes: any, bool counts as i64; the result has it. */
WEFT_API weft_tensor *weft_sign(weft_tensor *x);

/* e^x.
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_exp(weft_tensor *x);

/* e^x - 1, exact near 0.
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_expm1(weft_tensor *x);

/* natural logarithm; -inf at 0, NaN below.
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_log(weft_tensor *x);

/* log(1 + x), exact near 0.
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_log1p(weft_tensor *x);

/* base-2 logarithm.
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_log2(weft_tensor *x);

/* square root; NaN below 0.
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_sqrt(weft_tensor *x);

/* 1 / sqrt(x).
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_rsqrt(weft_tensor *x);

/* 1 / x.
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_reciprocal(weft_tensor *x);

/* x * x.
 * Dtypes: any, bool counts as i64; the result has it. */
WEFT_API weft_tensor *weft_square(weft_tensor *x);

/* sine, x in radians.
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_sin(weft_tensor *x);

/* cosine, x in radians.
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_cos(weft_tensor *x);

/* tangent, x in radians.
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_tan(weft_tensor *x);

/* hyperbolic tangent.
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_tanh(weft_tensor *x);

/* 1 / (1 + e^-x).
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_sigmoid(weft_tensor *x);

/* max(x, 0); NaN stays NaN; derivative 0 at 0.
 * Dtypes: any, bool counts as i64; the result has it. */
WEFT_API weft_tensor *weft_relu(weft_tensor *x);

/* x * Phi(x), Phi the normal distribution function (by erfc).
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_gelu(weft_tensor *x);

/* GELU by its tanh approximation: x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_gelu_tanh(weft_tensor *x);

/* x * sigmoid(x), also called swish.
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_silu(weft_tensor *x);

/* log(1 + e^x), without overflow.
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_softplus(weft_tensor *x);

/* error function.
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_erf(weft_tensor *x);

/* largest integer <= x; derivative 0, which weft_unreached reports.
 * Dtypes: any, bool counts as i64; the result has it. */
WEFT_API weft_tensor *weft_floor(weft_tensor *x);

/* smallest integer >= x; derivative 0, which weft_unreached reports.
 * Dtypes: any, bool counts as i64; the result has it. */
WEFT_API weft_tensor *weft_ceil(weft_tensor *x);

/* nearest integer, halves to even; derivative 0, which weft_unreached reports.
 * Dtypes: any, bool counts as i64; the result has it. */
WEFT_API weft_tensor *weft_round(weft_tensor *x);

/* x without its fraction; derivative 0, which weft_unreached reports.
 * Dtypes: any, bool counts as i64; the result has it. */
WEFT_API weft_tensor *weft_trunc(weft_tensor *x);

/* x - trunc(x), with x's sign; NaN of infinity.
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_frac(weft_tensor *x);

/* x * x * x.
 * Dtypes: any, bool counts as i64; the result has it. */
WEFT_API weft_tensor *weft_cube(weft_tensor *x);

/* 2^x.
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_exp2(weft_tensor *x);

/* base-10 logarithm.
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_log10(weft_tensor *x);

/* real cube root, negative below 0; derivative inf at 0.
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_cbrt(weft_tensor *x);

/* hyperbolic sine.
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_sinh(weft_tensor *x);

/* hyperbolic cosine.
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_cosh(weft_tensor *x);

/* angle in [-pi/2, pi/2] with that sine; NaN outside [-1, 1].
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_asin(weft_tensor *x);

/* angle in [0, pi] with that cosine; NaN outside [-1, 1].
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_acos(weft_tensor *x);

/* angle in (-pi/2, pi/2) with that tangent.
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_atan(weft_tensor *x);

/* inverse of sinh: log(x + sqrt(x^2 + 1)).
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_asinh(weft_tensor *x);

/* inverse of cosh, not negative; NaN below 1.
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_acosh(weft_tensor *x);

/* inverse of tanh: log((1 + x) / (1 - x)) / 2; NaN outside [-1, 1].
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_atanh(weft_tensor *x);

/* 1 - erf(x), exact far right of 0.
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_erfc(weft_tensor *x);

/* the y with erf(y) = x; +-inf at +-1, NaN beyond.
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_erfinv(weft_tensor *x);

/* log |Gamma(x)|; inf at 0 and at negative whole numbers.
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_lgamma(weft_tensor *x);

/* derivative of lgamma; inf at 0, against its sign, and NaN at negative whole numbers.
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_digamma(weft_tensor *x);

/* sin(pi x) / (pi x), 1 at 0 (NumPy's); 0 at infinity.
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_sinc(weft_tensor *x);

/* x * tanh(softplus(x)).
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_mish(weft_tensor *x);

/* log(sigmoid(x)) = -softplus(-x).
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_logsigmoid(weft_tensor *x);

/* x / (1 + |x|).
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_softsign(weft_tensor *x);

/* s x, or s a (e^x - 1) at and below 0, a = 1.6732632423543772848, s = 1.0507009873554804934 (Klambauer 2017).
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_selu(weft_tensor *x);

/* x limited to [0, 6]; NaN stays NaN; derivative 0 at the limits.
 * Dtypes: any, bool counts as i64; the result has it. */
WEFT_API weft_tensor *weft_relu6(weft_tensor *x);

/* relu6(x + 3) / 6; derivative 0 at -3 and 3.
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_hardsigmoid(weft_tensor *x);

/* x relu6(x + 3) / 6 (Howard 2019); derivative 0 at -3, 1 at 3.
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_hardswish(weft_tensor *x);

/* degrees to radians: x pi / 180.
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_deg2rad(weft_tensor *x);

/* radians to degrees: x 180 / pi.
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_rad2deg(weft_tensor *x);

/* ---- Elementwise, one operand and numbers ----
 * As above; the numbers are converted to the dtype that is computed in. */

/* x limited to [lo, hi], to hi where lo > hi; NaN stays NaN; derivative 1 inside and at the limits; limits of integers
 * are whole numbers, or beyond the dtype.
 * Dtypes: any, bool counts as i64; the result has it.
 * Errors: WEFT_E_DTYPE. */
WEFT_API weft_tensor *weft_clamp(weft_tensor *x, double lo, double hi);

/* x + s; integers take a whole number, another is an error.
 * Dtypes: any, bool counts as i64; the result has it.
 * Errors: WEFT_E_DTYPE. */
WEFT_API weft_tensor *weft_add_scalar(weft_tensor *x, double s);

/* x * s; integers take a whole number, another is an error.
 * Dtypes: any, bool counts as i64; the result has it.
 * Errors: WEFT_E_DTYPE. */
WEFT_API weft_tensor *weft_mul_scalar(weft_tensor *x, double s);

/* x^s.
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_pow_scalar(weft_tensor *x, double s);

/* x, or slope * x below 0; derivative slope at 0.
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_leaky_relu(weft_tensor *x, double slope);

/* x, or alpha * (e^x - 1) at and below 0; derivative alpha at 0.
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_elu(weft_tensor *x, double alpha);

/* x, or alpha (e^(x / alpha) - 1) at and below 0, alpha > 0; smooth at 0.
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_celu(weft_tensor *x, double alpha);

/* x limited to [lo, hi], lo <= hi; NaN stays NaN; derivative 0 at the limits, where clamp's is 1; limits of integers
 * are whole numbers, or beyond the dtype.
 * Dtypes: any, bool counts as i64; the result has it.
 * Errors: WEFT_E_DTYPE. */
WEFT_API weft_tensor *weft_hardtanh(weft_tensor *x, double lo, double hi);

/* x moved towards 0 by lambda >= 0, which it does not pass; NaN stays NaN; derivative 0 at the limits.
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_softshrink(weft_tensor *x, double lambda);

/* x, or 0 where |x| <= lambda; NaN stays NaN; derivative 0 at the limits.
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_hardshrink(weft_tensor *x, double lambda);

/* x above at, else value; NaN stays NaN; derivative 0 at the limit; numbers of integers are whole, or beyond the dtype.
 * Dtypes: any, bool counts as i64; the result has it.
 * Errors: WEFT_E_DTYPE. */
WEFT_API weft_tensor *weft_threshold(weft_tensor *x, double at, double value);

/* log(x / (1 - x)), x first limited to [eps, 1 - eps]; eps < 0: not limited, and NaN outside [0, 1].
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_logit(weft_tensor *x, double eps);

/* derivative of digamma of order 0, 1 ... 20; NaN for another order.
 * Dtypes: floating; integers and bool become f32; the result has that dtype. */
WEFT_API weft_tensor *weft_polygamma(weft_tensor *x, double order);

/* ---- Questions ----
 * The result is bool, of x's shape. */

/* true where x is NaN.
 * Dtypes: any; the result is bool. */
WEFT_API weft_tensor *weft_isnan(weft_tensor *x);

/* true where x is +inf or -inf.
 * Dtypes: any; the result is bool. */
WEFT_API weft_tensor *weft_isinf(weft_tensor *x);

/* true where x is neither NaN nor infinite.
 * Dtypes: any; the result is bool. */
WEFT_API weft_tensor *weft_isfinite(weft_tensor *x);

/* true where x is 0.
 * Dtypes: any; the result is bool. */
WEFT_API weft_tensor *weft_logical_not(weft_tensor *x);

/* true where x is +inf.
 * Dtypes: any; the result is bool. */
WEFT_API weft_tensor *weft_isposinf(weft_tensor *x);

/* true where x is -inf.
 * Dtypes: any; the result is bool. */
WEFT_API weft_tensor *weft_isneginf(weft_tensor *x);

/* true where x has a minus sign, also of -0 and NaN.
 * Dtypes: any; the result is bool. */
WEFT_API weft_tensor *weft_signbit(weft_tensor *x);

/* ---- Elementwise, two operands ----
 * Shapes broadcast as in NumPy; dtypes are promoted (dtype.h). */

/* a + b.
 * Dtypes: any, promoted, bool with bool counts as i64; the result has that dtype.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_add(weft_tensor *a, weft_tensor *b);

/* a - b.
 * Dtypes: any, promoted, bool with bool counts as i64; the result has that dtype.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_sub(weft_tensor *a, weft_tensor *b);

/* a * b.
 * Dtypes: any, promoted, bool with bool counts as i64; the result has that dtype.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_mul(weft_tensor *a, weft_tensor *b);

/* a / b, true division: integers give f32.
 * Dtypes: any, promoted, integers and bool become f32; the result has that dtype.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_div(weft_tensor *a, weft_tensor *b);

/* a^b; integers wrap, a negative integer power is 0 unless |a| = 1.
 * Dtypes: any, promoted, bool with bool counts as i64; the result has that dtype.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_pow(weft_tensor *a, weft_tensor *b);

/* smaller of a and b; NaN wins; a tie shares the gradient.
 * Dtypes: any, promoted, bool with bool counts as i64; the result has that dtype.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_min(weft_tensor *a, weft_tensor *b);

/* larger of a and b; NaN wins; a tie shares the gradient.
 * Dtypes: any, promoted, bool with bool counts as i64; the result has that dtype.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_max(weft_tensor *a, weft_tensor *b);

/* remainder with the sign of b (as Python and NumPy); an integer by 0 gives 0; derivative by b: minus the whole
 * quotient.
 * Dtypes: any, promoted, bool with bool counts as i64; the result has that dtype.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_mod(weft_tensor *a, weft_tensor *b);

/* angle of the point (b, a), in (-pi, pi]; derivative 0 at (0, 0).
 * Dtypes: any, promoted, integers and bool become f32; the result has that dtype.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_atan2(weft_tensor *a, weft_tensor *b);

/* remainder with the sign of a (as C); an integer by 0 gives 0; derivative by b: minus the whole quotient.
 * Dtypes: any, promoted, bool with bool counts as i64; the result has that dtype.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_fmod(weft_tensor *a, weft_tensor *b);

/* largest whole number <= a / b; integers stay integers, and one by 0 gives 0; derivatives 0.
 * Dtypes: any, promoted, bool with bool counts as i64; the result has that dtype.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_floor_divide(weft_tensor *a, weft_tensor *b);

/* smaller of a and b; a number wins against NaN; a tie shares the gradient.
 * Dtypes: any, promoted, bool with bool counts as i64; the result has that dtype.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_fmin(weft_tensor *a, weft_tensor *b);

/* larger of a and b; a number wins against NaN; a tie shares the gradient.
 * Dtypes: any, promoted, bool with bool counts as i64; the result has that dtype.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_fmax(weft_tensor *a, weft_tensor *b);

/* sqrt(a^2 + b^2), without overflow; derivative 0 at (0, 0).
 * Dtypes: any, promoted, integers and bool become f32; the result has that dtype.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_hypot(weft_tensor *a, weft_tensor *b);

/* |a| with the sign of b, also of -0; derivative by a: 1 or -1, 0 at 0; by b: 0.
 * Dtypes: any, promoted, integers and bool become f32; the result has that dtype.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_copysign(weft_tensor *a, weft_tensor *b);

/* log(e^a + e^b), without overflow.
 * Dtypes: any, promoted, integers and bool become f32; the result has that dtype.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_logaddexp(weft_tensor *a, weft_tensor *b);

/* log2(2^a + 2^b), without overflow.
 * Dtypes: any, promoted, integers and bool become f32; the result has that dtype.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_logaddexp2(weft_tensor *a, weft_tensor *b);

/* a log(b), and 0 for a = 0 whatever b but NaN.
 * Dtypes: any, promoted, integers and bool become f32; the result has that dtype.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_xlogy(weft_tensor *a, weft_tensor *b);

/* a log(1 + b), and 0 for a = 0 whatever b but NaN.
 * Dtypes: any, promoted, integers and bool become f32; the result has that dtype.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_xlog1py(weft_tensor *a, weft_tensor *b);

/* ---- Comparisons ----
 * Shapes broadcast, dtypes are promoted; the result is bool. A comparison with NaN is false, but for ne. */

/* a == b.
 * Dtypes: any, promoted; the result is bool.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_eq(weft_tensor *a, weft_tensor *b);

/* a != b.
 * Dtypes: any, promoted; the result is bool.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_ne(weft_tensor *a, weft_tensor *b);

/* a < b.
 * Dtypes: any, promoted; the result is bool.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_lt(weft_tensor *a, weft_tensor *b);

/* a <= b.
 * Dtypes: any, promoted; the result is bool.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_le(weft_tensor *a, weft_tensor *b);

/* a > b.
 * Dtypes: any, promoted; the result is bool.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_gt(weft_tensor *a, weft_tensor *b);

/* a >= b.
 * Dtypes: any, promoted; the result is bool.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_ge(weft_tensor *a, weft_tensor *b);

/* both nonzero.
 * Dtypes: any, promoted; the result is bool.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_logical_and(weft_tensor *a, weft_tensor *b);

/* at least one nonzero.
 * Dtypes: any, promoted; the result is bool.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_logical_or(weft_tensor *a, weft_tensor *b);

/* exactly one nonzero.
 * Dtypes: any, promoted; the result is bool.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_logical_xor(weft_tensor *a, weft_tensor *b);

/* ---- Whole numbers, two operands ----
 * Shapes broadcast, dtypes are promoted; computed in 64 bits. */

/* a and b, bit by bit; of bool: both are true.
 * Dtypes: integers and bool, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_bitwise_and(weft_tensor *a, weft_tensor *b);

/* a or b, bit by bit; of bool: one is true at least.
 * Dtypes: integers and bool, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_bitwise_or(weft_tensor *a, weft_tensor *b);

/* a or b but not both, bit by bit; of bool: one is true alone.
 * Dtypes: integers and bool, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_bitwise_xor(weft_tensor *a, weft_tensor *b);

/* a 2^b, as far as the dtype has bits for it; 0 for a negative b.
 * Dtypes: integers and bool, promoted, bool with bool counts as i64; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_bitwise_left_shift(weft_tensor *a, weft_tensor *b);

/* the largest whole number <= a / 2^b; for a negative b 0, or -1 if a is negative.
 * Dtypes: integers and bool, promoted, bool with bool counts as i64; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_bitwise_right_shift(weft_tensor *a, weft_tensor *b);

/* greatest common divisor, not negative but where the dtype has no such number; of 0 and 0: 0.
 * Dtypes: integers and bool, promoted, bool with bool counts as i64; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_gcd(weft_tensor *a, weft_tensor *b);

/* least common multiple, not negative but where it wraps; with 0: 0.
 * Dtypes: integers and bool, promoted, bool with bool counts as i64; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_lcm(weft_tensor *a, weft_tensor *b);

/* ---- Choice ----
 * All three shapes broadcast. */

/* a where the condition holds, else b; the condition is bool, or nonzero of another dtype.
 * Dtypes: c any, nonzero is true; a and b promoted, and the result has that dtype.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_where(weft_tensor *c, weft_tensor *a, weft_tensor *b);

/* ---- Reductions ----
 * Over the ndim dims listed (negative ones count from the end; none: all). keepdim keeps them with size 1. */

/* sum; bool and integers add up in i64.
 * Dtypes: any; the result has it, or is i64 of integers and bool.
 * Errors: WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_sum(weft_tensor *x, const int64_t *dims, int ndim, bool keepdim);

/* arithmetic mean; NaN over no elements.
 * Dtypes: floating; integers and bool become f32; the result has that dtype.
 * Errors: WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_mean(weft_tensor *x, const int64_t *dims, int ndim, bool keepdim);

/* product; 1 over no elements.
 * Dtypes: any; the result has it, or is i64 of integers and bool.
 * Errors: WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_prod(weft_tensor *x, const int64_t *dims, int ndim, bool keepdim);

/* largest element; NaN wins; ties share the gradient; no elements is an error.
 * Dtypes: any, bool counts as i64; the result has it.
 * Errors: WEFT_E_INVALID, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_max_over(weft_tensor *x, const int64_t *dims, int ndim, bool keepdim);

/* smallest element; NaN wins; ties share the gradient; no elements is an error.
 * Dtypes: any, bool counts as i64; the result has it.
 * Errors: WEFT_E_INVALID, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_min_over(weft_tensor *x, const int64_t *dims, int ndim, bool keepdim);

/* log of the sum of e^x, without overflow; -inf over no elements or all -inf.
 * Dtypes: floating; integers and bool become f32; the result has that dtype.
 * Errors: WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_logsumexp(weft_tensor *x, const int64_t *dims, int ndim, bool keepdim);

/* Euclidean norm, sqrt of the sum of squares; derivative 0 at 0.
 * Dtypes: floating; integers and bool become f32; the result has that dtype.
 * Errors: WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_norm(weft_tensor *x, const int64_t *dims, int ndim, bool keepdim);

/* index of the first largest element, counted row-major over the reduced dims; NaN wins; i64.
 * Dtypes: any; the result is i64.
 * Errors: WEFT_E_INVALID, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_argmax(weft_tensor *x, const int64_t *dims, int ndim, bool keepdim);

/* index of the first smallest element, counted row-major over the reduced dims; NaN wins; i64.
 * Dtypes: any; the result is i64.
 * Errors: WEFT_E_INVALID, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_argmin(weft_tensor *x, const int64_t *dims, int ndim, bool keepdim);

/* true if an element is nonzero (NaN counts as nonzero); false over no elements.
 * Dtypes: any; the result is bool.
 * Errors: WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_any(weft_tensor *x, const int64_t *dims, int ndim, bool keepdim);

/* true if every element is nonzero; true over no elements.
 * Dtypes: any; the result is bool.
 * Errors: WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_all(weft_tensor *x, const int64_t *dims, int ndim, bool keepdim);

/* ---- Views ----
 * The result shares x's storage; no data moves. */

/* the same elements in row-major order under a new shape; one entry may be -1 (inferred); copies only where strides
 * cannot express it.
 * Dtypes: any.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_reshape(weft_tensor *x, const int64_t *shape, int ndim);

/* swaps two dims; negative dims count from the end.
 * Dtypes: any.
 * Errors: WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_transpose(weft_tensor *x, int64_t dim0, int64_t dim1);

/* reorders dims: result dim i is x's dim dims[i].
 * Dtypes: any.
 * Errors: WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_permute(weft_tensor *x, const int64_t *dims, int ndim);

/* broadcasts dims of size 1 (and new leading dims) to shape without copying; -1 keeps a size.
 * Dtypes: any.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_expand(weft_tensor *x, const int64_t *shape, int ndim);

/* drops the named dims, which must have size 1; WEFT_ALL: every dim of size 1.
 * Dtypes: any.
 * Errors: WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_squeeze(weft_tensor *x, const int64_t *dims, int ndim);

/* inserts a dim of size 1 before dim; -1 appends.
 * Dtypes: any.
 * Errors: WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_unsqueeze(weft_tensor *x, int64_t dim);

/* x[start:stop:step] along dim as in Python: negative ends count from the end, ends are clipped. Step >= 1; below 0 the
 * order is reversed, which is a copy (weft_flip of a view): from start down to the element after stop, the whole of it
 * with start -1 and stop INT64_MIN.
 * Dtypes: any.
 * Errors: WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_slice(weft_tensor *x, int64_t dim, int64_t start, int64_t stop, int64_t step);

/* the slice at index along dim, with that dim dropped; a negative index counts from the end.
 * Dtypes: any.
 * Errors: WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_select(weft_tensor *x, int64_t dim, int64_t index);

/* the same data, cut from the graph: no gradient flows through.
 * Dtypes: any. */
WEFT_API weft_tensor *weft_detach(weft_tensor *x);

/* ---- Made of other operations ----
 * Derivatives of every order and all devices come with the parts. */

/* joins dims first_dim to last_dim into one.
 * Dtypes: any.
 * Errors: WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_flatten(weft_tensor *x, int64_t first_dim, int64_t last_dim);

/* joins tensors of one shape along a new dim; n >= 1: without a tensor there is no context for the error, and the next
 * message about a NULL tells it.
 * Dtypes: any, promoted.
 * Errors: WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_stack(weft_tensor *const *tensors, int n, int64_t dim);

/* cuts x along dim into n views of the given sizes, which must add up; fills out[0..n) (NULLs after an error).
 * Dtypes: any.
 * Errors: WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_status weft_split(weft_tensor *x, int64_t dim, const int64_t *sizes, int n, weft_tensor **out);

/* cuts x along dim into its n slices, views with that dim dropped; n must be the size of dim; fills out[0..n) (NULLs
 * after an error). The gradients of all of them cost one tensor of x's size.
 * Dtypes: any.
 * Errors: WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_status weft_unbind(weft_tensor *x, int64_t dim, int n, weft_tensor **out);

/* variance: sum of (x - mean)^2 / max(0, n - correction); correction 1 is the unbiased estimate.
 * Dtypes: floating; integers and bool become f32; the result has that dtype.
 * Errors: WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_var(weft_tensor *x, const int64_t *dims, int ndim, bool keepdim, double correction);

/* mean of (prediction - target)^2; one may broadcast to the other, but not both to a third shape: [8, 1] and [8] are an
 * error.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_mse(weft_tensor *prediction, weft_tensor *target);

/* mean of d^2/2 where |d| <= delta, else delta (|d| - delta/2), d = prediction - target; shapes as for mse.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_huber(weft_tensor *prediction, weft_tensor *target, double delta);

/* mean of softplus(logits) - target * logits: binary cross entropy, targets in [0, 1]; shapes as for mse.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_bce_with_logits(weft_tensor *logits, weft_tensor *target);

/* mean of -log_probs[i, target[i]]; log_probs [..., C], i64 or i32 target [...]; target -100 is ignored.
 * Dtypes: log_probs floating, and the result has its dtype; target i64 or i32.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_nll(weft_tensor *log_probs, weft_tensor *target);

/* cross_entropy_with(logits, target, -100, 0, WEFT_REDUCTION_MEAN).
 * Dtypes: logits floating, and the result has their dtype; target i64 or i32.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_cross_entropy(weft_tensor *logits, weft_tensor *target);

/* |prediction - target|, reduced: the mean, the sum, or of none in the shape to which both broadcast; shapes as for
 * mse; derivative 0 at 0.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_l1_loss(weft_tensor *prediction, weft_tensor *target, weft_reduction reduction);

/* d^2 / (2 beta) where |d| <= beta, else |d| - beta / 2, d = prediction - target, reduced; huber / beta.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_smooth_l1_loss(weft_tensor *prediction, weft_tensor *target, double beta,
                                          weft_reduction reduction);

/* max(q d, (q - 1) d), d = target - prediction, reduced: least for the q-quantile, q in [0, 1] (the pinball loss).
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_quantile_loss(weft_tensor *prediction, weft_tensor *target, double q,
                                         weft_reduction reduction);

/* (log v + (prediction - target)^2 / v) / 2, v = max(variance, eps), reduced; the variance broadcasts to the others.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_gaussian_nll_loss(weft_tensor *prediction, weft_tensor *target, weft_tensor *variance,
                                             double eps, weft_reduction reduction);

/* e^prediction - target prediction where the prediction is the logarithm of the rate, else prediction - target
 * log(prediction + eps); reduced; without the term of the target alone.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_poisson_nll_loss(weft_tensor *prediction, weft_tensor *target, bool is_log, double eps,
                                            weft_reduction reduction);

/* -(target log p + (1 - target) log(1 - p)), p the prediction in [0, 1], logarithms not below -100, reduced; of logits
 * take bce_with_logits, which loses nothing.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_bce(weft_tensor *prediction, weft_tensor *target, weft_reduction reduction);

/* p (log p - log_q), where is_log says that p is given as its logarithm, reduced: Kullback-Leibler divergence of q from
 * p; 0 log 0 is 0.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_kl_div(weft_tensor *log_q, weft_tensor *p, bool is_log, weft_reduction reduction);

/* log(1 + e^(-target prediction)), target -1 or 1, reduced.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_soft_margin_loss(weft_tensor *prediction, weft_tensor *target, weft_reduction reduction);

/* the prediction, a distance, where the target is above 0, elsewhere max(0, margin - prediction); reduced.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_hinge_embedding_loss(weft_tensor *prediction, weft_tensor *target, double margin,
                                                weft_reduction reduction);

/* max(0, margin - target (a - b)), target 1 where a should be the larger, else -1; reduced.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_margin_ranking_loss(weft_tensor *a, weft_tensor *b, weft_tensor *target, double margin,
                                               weft_reduction reduction);

/* a_t (1 - p_t)^gamma bce_with_logits of each element, p_t = p where the target is 1 and 1 - p where it is 0, p =
 * sigmoid(prediction), a_t likewise of alpha; alpha < 0: not weighted; reduced (Lin 2017).
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_focal_loss(weft_tensor *prediction, weft_tensor *target, double alpha, double gamma,
                                      weft_reduction reduction);

/* a (1 - w) + b w, broadcasting.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_lerp(weft_tensor *a, weft_tensor *b, weft_tensor *w);

/* x + value a b, broadcasting.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_addcmul(weft_tensor *x, weft_tensor *a, weft_tensor *b, double value);

/* x + value a / b, broadcasting.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_addcdiv(weft_tensor *x, weft_tensor *a, weft_tensor *b, double value);

/* |a - b| <= atol + rtol |b|, or a == b, or both are NaN and equal_nan says that they count; an infinity is close to
 * itself alone.
 * Dtypes: floating, promoted; the result is bool; of whole numbers eq is the question.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_isclose(weft_tensor *a, weft_tensor *b, double rtol, double atol, bool equal_nan);

/* x with nan, posinf and neginf in the places of NaN, inf and -inf.
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE. */
WEFT_API weft_tensor *weft_nan_to_num(weft_tensor *x, double nan, double posinf, double neginf);

/* x, or weight x at and below 0; the weight is one number, or one for each channel (dim 1).
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_prelu(weft_tensor *x, weft_tensor *weight);

/* value, converted as by cast, where the mask is true, elsewhere x; the mask broadcasts to x.
 * Dtypes: x any, and the result has its dtype; the mask bool, or nonzero.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_masked_fill(weft_tensor *x, weft_tensor *mask, double value);

/* a sigmoid(b), a and b the halves of x along dim.
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_glu(weft_tensor *x, int64_t dim);

/* silu(a) b (Shazeer 2020).
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_swiglu(weft_tensor *a, weft_tensor *b);

/* x[i + 1] - x[i] along dim, one element less.
 * Dtypes: any, bool counts as i64; the result has it.
 * Errors: WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_diff(weft_tensor *x, int64_t dim);

/* square root of var.
 * Dtypes: floating; integers and bool become f32; the result has that dtype.
 * Errors: WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_std(weft_tensor *x, const int64_t *dims, int ndim, bool keepdim, double correction);

/* how many elements are not 0; NaN is not.
 * Dtypes: any; the result is i64.
 * Errors: WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_count_nonzero(weft_tensor *x, const int64_t *dims, int ndim, bool keepdim);

/* sum of the elements that are not NaN.
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_nansum(weft_tensor *x, const int64_t *dims, int ndim, bool keepdim);

/* mean of the elements that are not NaN; NaN where there is none.
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_nanmean(weft_tensor *x, const int64_t *dims, int ndim, bool keepdim);

/* (sum of |x|^order)^(1 / order); order inf and -inf: the largest and the smallest |x|; 0: how many are not 0.
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_vector_norm(weft_tensor *x, double order, const int64_t *dims, int ndim, bool keepdim);

/* moves elements by shift along dim, those that leave at the end to its other end.
 * Dtypes: any.
 * Errors: WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_roll(weft_tensor *x, int64_t shift, int64_t dim);

/* x repeated as a whole, repeats[k] times along dim k; fewer repeats than dims count from the last one, more add
 * leading dims.
 * Dtypes: any.
 * Errors: WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_tile(weft_tensor *x, const int64_t *repeats, int n);

/* each slice along dim repeats times, one after the other.
 * Dtypes: any.
 * Errors: WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_repeat_interleave(weft_tensor *x, int64_t repeats, int64_t dim);

/* the last two dims on and below a diagonal (0: the main one, 1: the one above it), 0 elsewhere.
 * Dtypes: any.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_tril(weft_tensor *x, int64_t diagonal);

/* the last two dims on and above a diagonal, 0 elsewhere.
 * Dtypes: any.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_triu(weft_tensor *x, int64_t diagonal);

/* the diagonal of two dims, of which dim0 counts rows, as the last dim; offset 1 is the one above the main one. A copy.
 * Dtypes: any.
 * Errors: WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_diagonal(weft_tensor *x, int64_t offset, int64_t dim0, int64_t dim1);

/* matrices with the last dim of x on their diagonals, 0 elsewhere: [..., N] gives [..., N, N].
 * Dtypes: any.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_diag_embed(weft_tensor *x);

/* sum of the diagonal of a matrix.
 * Dtypes: any; the result has it, or is i64 of integers and bool.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_trace(weft_tensor *x);

/* 1 at [..., index[...]], 0 elsewhere, of shape [..., classes].
 * Dtypes: index i64 or i32; the result has dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_one_hot(weft_tensor *index, int64_t classes, weft_dtype dtype);

/* a view with dim from at to, the others in their order.
 * Dtypes: any.
 * Errors: WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_movedim(weft_tensor *x, int64_t from, int64_t to);

/* dim as n dims of these sizes, one of which may be -1.
 * Dtypes: any.
 * Errors: WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_unflatten(weft_tensor *x, int64_t dim, const int64_t *sizes, int n);

/* turned by so many right angles from dim0 towards dim1.
 * Dtypes: any.
 * Errors: WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_rot90(weft_tensor *x, int64_t turns, int64_t dim0, int64_t dim1);

/* [..., C r^2, H, W] to [..., C, H r, W r], r the factor (Shi 2016).
 * Dtypes: any.
 * Errors: WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_pixel_shuffle(weft_tensor *x, int64_t factor);

/* [..., C, H r, W r] to [..., C r^2, H, W], r the factor.
 * Dtypes: any.
 * Errors: WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_pixel_unshuffle(weft_tensor *x, int64_t factor);

/* dim 1 as [groups, C / groups], transposed (Zhang 2018).
 * Dtypes: any.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_channel_shuffle(weft_tensor *x, int64_t groups);

/* (x - mean) / sqrt(var + eps) over each group of channels (dim 1) and all that they hold, then weight and bias of each
 * channel, [C] or NULL.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_group_norm(weft_tensor *x, weft_tensor *weight, weft_tensor *bias, int64_t groups,
                                      double eps);

/* group_norm with each channel a group of its own.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_instance_norm(weft_tensor *x, weft_tensor *weight, weft_tensor *bias, double eps);

/* x / (k + alpha m)^beta, m the mean of the squares of size channels around each (dim 1), zeros beyond the ends
 * (Krizhevsky 2012; alpha as PyTorch has it).
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_local_response_norm(weft_tensor *x, int64_t size, double alpha, double beta, double k);

/* gain v / |v|, the norm over all dims but dim, with a gain for each slice along it (Salimans 2016).
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_weight_norm(weft_tensor *v, weft_tensor *gain, int64_t dim);

/* x / max(|x|, eps), the norm along dim.
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_normalize(weft_tensor *x, int64_t dim, double eps);

/* sum of a b along dim / (max(|a|, eps) max(|b|, eps)).
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_cosine_similarity(weft_tensor *a, weft_tensor *b, int64_t dim, double eps);

/* |a - b + eps| along the last dim, broadcasting.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_pairwise_distance(weft_tensor *a, weft_tensor *b, double eps);

/* distance of each row of a [..., M, D] from each of b [..., N, D]: [..., M, N]; derivative 0 where two are equal.
 * Needs M N D elements of memory.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_cdist(weft_tensor *a, weft_tensor *b);

/* a[i] b[j] of vectors [M] and [N]: [M, N].
 * Dtypes: any, promoted, bool with bool counts as i64; the result has that dtype.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_outer(weft_tensor *a, weft_tensor *b);

/* sum of a[i] b[i] of two vectors.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_dot(weft_tensor *a, weft_tensor *b);

/* Kronecker product: each element of a times b, in blocks; up to 4 dims.
 * Dtypes: any, promoted, bool with bool counts as i64; the result has that dtype.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_kron(weft_tensor *a, weft_tensor *b);

/* sums of products over the last dims of a and as many first of b, which have the same sizes.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_tensordot(weft_tensor *a, weft_tensor *b, int64_t dims);

/* beta c + alpha matmul(a, b), c broadcasting; with beta 0 c is not read, so that a NaN in it is of no matter.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_addmm(weft_tensor *c, weft_tensor *a, weft_tensor *b, double beta, double alpha);

/* max(0, |anchor - positive| - |anchor - negative| + margin), distances as pairwise_distance with eps 1e-6; reduced.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_triplet_margin_loss(weft_tensor *anchor, weft_tensor *positive, weft_tensor *negative,
                                               double margin, weft_reduction reduction);

/* 1 - cosine_similarity(a, b) along the last dim where the target is above 0, elsewhere max(0, that - margin); reduced.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_cosine_embedding_loss(weft_tensor *a, weft_tensor *b, weft_tensor *target, double margin,
                                                 weft_reduction reduction);

/* other sizes for the last n dims: the nearest element, a linear or cubic mix of those around (a = -3/4), or the mean
 * of those that an element covers, which is adaptive average pooling; align_corners: first and last elements are in the
 * same places (linear, cubic).
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_interpolate(weft_tensor *x, const int64_t *sizes, int n, weft_interpolation way,
                                       bool align_corners);

/* adds before[k] and after[k] elements around the kth of the last n dims: mirrored without the border, the border
 * repeated, or those of the other end.
 * Dtypes: any.
 * Errors: WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_pad_mode(weft_tensor *x, const int64_t *before, const int64_t *after, int n,
                                    weft_padding mode);

/* y[k] = sum of x[j] e^(2 pi i j k / n) along dim, over n by the usual norm: fft the other way; x [..., 2] holds
 * complex numbers as pairs.
 * Dtypes: floating; integers and bool become f32; the result has that dtype.
 * Errors: WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_ifft(weft_tensor *x, int64_t dim, weft_fft_norm norm);

/* fft along each of n dims (n -1: all but the last, which holds the pairs).
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_fftn(weft_tensor *x, const int64_t *dims, int n, weft_fft_norm norm);

/* ifft along each of n dims (n -1: all but the last, which holds the pairs).
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_ifftn(weft_tensor *x, const int64_t *dims, int n, weft_fft_norm norm);

/* rfft along the last of n dims (n -1: all), then fft along the others.
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_rfftn(weft_tensor *x, const int64_t *dims, int n, weft_fft_norm norm);

/* inverse of rfftn: ifft along all of n dims but the last, irfft to size last along that.
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_irfftn(weft_tensor *x, int64_t last, const int64_t *dims, int n, weft_fft_norm norm);

/* rolled by half of each of n dims (n -1: all): frequency 0 of a spectrum comes into the middle; of complex numbers
 * name the dims, since the pairs have one too.
 * Dtypes: any.
 * Errors: WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_fftshift(weft_tensor *x, const int64_t *dims, int n);

/* fftshift back: frequency 0 comes to the front.
 * Dtypes: any.
 * Errors: WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_ifftshift(weft_tensor *x, const int64_t *dims, int n);

/* spectra of short pieces of a signal x [..., T]: rfft of window times the n = size of window elements from each
 * multiple of hop on; result [..., n / 2 + 1, pieces, 2]. center: x is mirrored by n / 2 at both ends first, so that
 * piece k has element k hop in its middle.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_stft(weft_tensor *x, weft_tensor *window, int64_t hop, bool center);

/* the signal [..., length] whose stft is nearest to x [..., n / 2 + 1, pieces, 2] in the sum of squares (Griffin and
 * Lim 1984): pieces times window added up, over the sum of squared windows; 0 where no window reaches. length -1: what
 * the pieces cover, with center without half a piece at both ends.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_istft(weft_tensor *x, weft_tensor *window, int64_t hop, bool center, int64_t length);

/* products of complex numbers, pairs in the last dim; the others broadcast.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_complex_mul(weft_tensor *a, weft_tensor *b);

/* absolute values of complex numbers, pairs in the last dim, without overflow on the way; result without that dim.
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_complex_abs(weft_tensor *x);

/* cross-correlation of lines: x [N, C, L], w [K, C/groups, R], b [K] or NULL; result [N, K, (L + 2 padding - dilation
 * (R - 1) - 1) / stride + 1].
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_conv1d(weft_tensor *x, weft_tensor *w, weft_tensor *b, int64_t stride, int64_t padding,
                                  int64_t dilation, int64_t groups);

/* transpose (input gradient) of conv1d: x [N, C, L], w [C, K/groups, R], b [K] or NULL.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_conv1d_transpose(weft_tensor *x, weft_tensor *w, weft_tensor *b, int64_t stride,
                                            int64_t padding, int64_t output_padding, int64_t dilation, int64_t groups);

/* largest element of each window of x [N, C, L], as max_pool2d.
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_max_pool1d(weft_tensor *x, int64_t kernel, int64_t stride, int64_t padding);

/* mean of each window of x [N, C, L]; padding counts as 0 and is counted.
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_avg_pool1d(weft_tensor *x, int64_t kernel, int64_t stride, int64_t padding);

/* (sum of |x|^order)^(1 / order) over each square window of x [N, C, H, W].
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_lp_pool2d(weft_tensor *x, double order, int64_t kernel, int64_t stride);

/* softmax(scale q k^T + bias) v, the bias broadcasting to the scores [..., T, S]: positions, or a mask of 0 and -inf; a
 * row of all -inf gives zeros. The scores are kept: attention keeps none.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_attention_with_bias(weft_tensor *q, weft_tensor *k, weft_tensor *v, weft_tensor *bias,
                                               double scale);

/* x cosines + (-x2, x1) sines, x1 and x2 the halves of the last dim; cosines and sines broadcast (Su 2021, as GPT-NeoX
 * has the halves).
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_rotary_embedding(weft_tensor *x, weft_tensor *cosines, weft_tensor *sines);

/* the point of the simplex along dim that is nearest to x: max(0, x - t), t so that the sum is 1, which leaves zeros
 * where softmax has small numbers (Martins 2016).
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_sparsemax(weft_tensor *x, int64_t dim);

/* where weft_grid_sample reads for a picture or volume under an affine map: theta [N, n, n + 1], 2 sizes (H, W) or 3
 * (D, H, W); result [N, sizes..., n], the coordinate along the last size first. A place is in [-1, 1]: from the middle
 * of the first pixel to that of the last one (align_corners), else from the outer edge to the other.
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_affine_grid(weft_tensor *theta, const int64_t *sizes, int n, bool align_corners);

/* pictures x [N, C, H, W] read at the places grid [N, P, Q, 2], each (x, y) as weft_affine_grid has them: result [N, C,
 * P, Q]. The nearest pixel (halves to even), or a linear mix of four; outside of the picture 0, its border, or the
 * picture mirrored there (at the middles of its outer pixels, or, without align_corners, at their edges). No gradient
 * reaches the grid from the nearest pixel, nor from places that the border limits; a NaN place gives NaN.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_grid_sample(weft_tensor *x, weft_tensor *grid, weft_interpolation way, weft_outside outside,
                                       bool align_corners);

/* rows of weight [V, D] named by index [L], made one for each of n bags: sum, mean, or the largest of each column, of
 * which the first of equals takes the gradient and NaN wins; result [n, D]. Bag k is index[offsets[k]] up to the next
 * bag's begin: offsets[0] is 0, none is below the one before it; an empty bag gives zeros. scale [L] multiplies each
 * row first; or NULL. Sums are made in f32 at least, in the order of the index.
 * Dtypes: weight and scale floating, promoted, and the result has that dtype; index i64 or i32.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_embedding_bag(weft_tensor *weight, weft_tensor *index, weft_tensor *scale,
                                         const int64_t *offsets, int n, weft_bag way);

/* largest element of each window of x [N, C, D, H, W]; NaN wins; padding counts as -inf; the first of equals takes the
 * gradient.
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_max_pool3d(weft_tensor *x, const weft_pool3d_params *params);

/* mean of each window of x [N, C, D, H, W]; padding counts as 0 and is counted.
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_avg_pool3d(weft_tensor *x, const weft_pool3d_params *params);

/* largest element of each of sizes[k] windows along the kth of the last n dims: window o of S goes from floor(o L / S)
 * to before ceil((o + 1) L / S), L the dim's size (PyTorch's adaptive_max_pool1d to 3d); the first of equals takes the
 * gradient. The mean of such windows is weft_interpolate with WEFT_INTERPOLATION_AREA.
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_adaptive_max_pool(weft_tensor *x, const int64_t *sizes, int n);

/* weft_max_pool2d and where its elements are: indices into the H W elements of each plane, for weft_max_unpool2d
 * (PyTorch: return_indices); places as for topk.
 * Dtypes: floating; values have it, indices are i64.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_status weft_max_pool2d_with_index(weft_tensor *x, const weft_pool2d_params *params, weft_tensor **values,
                                                weft_tensor **indices);

/* x [N, C, P, Q] at the places index, of its shape, of planes of size {H, W}, 0 elsewhere: [N, C, H, W]. Of elements
 * with one place, as overlapping windows have them, the last one stays and takes the gradient: PyTorch 2.15 gives it to
 * all of them.
 * Dtypes: x floating, and the result has its dtype; index i64 or i32.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_max_unpool2d(weft_tensor *x, weft_tensor *index, const int64_t *size);

/* cross-correlation of volumes: x [N, C, D, H, W], w [K, C/groups, T, R, S], b [K] or NULL; result [N, K, D', H', W'],
 * sizes as of weft_conv2d. By a convolution of planes with C T channels, which needs T times the memory of x.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_conv3d(weft_tensor *x, weft_tensor *w, weft_tensor *b, const weft_conv3d_params *params);

/* transpose (input gradient) of conv3d, PyTorch's conv_transpose3d: x [N, C, D, H, W], w [C, K/groups, T, R, S], b [K]
 * or NULL; sizes as of weft_conv2d_transpose. Needs T times the memory of the result.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_conv3d_transpose(weft_tensor *x, weft_tensor *w, weft_tensor *b,
                                            const weft_conv3d_params *params);

/* one step: tanh(w_ih x + b_ih + w_hh h + b_hh), or relu of that; x [N, I], h [N, H], w_ih [H, I], w_hh [H, H], biases
 * [H] or NULL; result [N, H].
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_rnn_cell(weft_tensor *x, weft_tensor *h, weft_tensor *w_ih, weft_tensor *w_hh,
                                    weft_tensor *b_ih, weft_tensor *b_hh, bool relu);

/* one step of long short-term memory (Hochreiter 1997): a = w_ih x + b_ih + w_hh h + b_hh, of four gates i, f, g, o in
 * PyTorch's order; next_c = sigmoid(f) c + sigmoid(i) tanh(g), next_h = sigmoid(o) tanh(next_c). x [N, I], h and c [N,
 * H], w_ih [4H, I], w_hh [4H, H], biases [4H] or NULL; places as for topk.
 * Dtypes: floating, promoted; the results have that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE. */
WEFT_API weft_status weft_lstm_cell(weft_tensor *x, weft_tensor *h, weft_tensor *c, weft_tensor *w_ih,
                                    weft_tensor *w_hh, weft_tensor *b_ih, weft_tensor *b_hh, weft_tensor **next_h,
                                    weft_tensor **next_c);

/* one step of a gated recurrent unit (Cho 2014, as PyTorch and cuDNN have it): of the gates r, z, n of a = w_ih x +
 * b_ih and u = w_hh h + b_hh, r = sigmoid(a_r + u_r), z = sigmoid(a_z + u_z), n = tanh(a_n + r u_n), result (1 - z) n +
 * z h. x [N, I], h [N, H], w_ih [3H, I], w_hh [3H, H], biases [3H] or NULL.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_gru_cell(weft_tensor *x, weft_tensor *h, weft_tensor *w_ih, weft_tensor *w_hh,
                                    weft_tensor *b_ih, weft_tensor *b_hh);

/* weft_rnn_cell over all steps of x [T, N, I] (or [N, T, I]: params), layer over layer, each reading the outputs of the
 * one below; bidirectional ones have a second cell that begins at the last step, and give both outputs side by side. y
 * [T, N, ways H] (or [N, T, ...]): the last layer's output at each step; h [layers ways, N, H]: the state of each layer
 * and direction after its last step. h0 likewise, the states to begin with, or NULL: zeros. The n weights are w_ih,
 * w_hh, b_ih, b_hh (biases may be NULL) of layer 0, of its second direction, of layer 1 ..., PyTorch's order; layers
 * above 0 have ways H inputs. Places as for topk.
 * Dtypes: floating, promoted; the results have that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_status weft_rnn(weft_tensor *x, weft_tensor *h0, weft_tensor *const *weights, int n,
                              const weft_recurrent_params *params, weft_tensor **y, weft_tensor **h);

/* weft_gru_cell over all steps; all else as for weft_rnn.
 * Dtypes: floating, promoted; the results have that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_status weft_gru(weft_tensor *x, weft_tensor *h0, weft_tensor *const *weights, int n,
                              const weft_recurrent_params *params, weft_tensor **y, weft_tensor **h);

/* weft_lstm_cell over all steps, with two states: c0 (or NULL) and c are as h0 and h; all else as for weft_rnn.
 * Dtypes: floating, promoted; the results have that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_status weft_lstm(weft_tensor *x, weft_tensor *h0, weft_tensor *c0, weft_tensor *const *weights, int n,
                               const weft_recurrent_params *params, weft_tensor **y, weft_tensor **h, weft_tensor **c);

/* connectionist temporal classification (Graves 2006): minus the logarithm of the probability of a label sequence, over
 * all ways to spread it over the steps with repeated labels and blanks. log_probs [T, N, C], logarithms as of
 * weft_log_softmax; targets [N, S], of which sequence n has the first target_lengths[n] labels, none of them the blank,
 * and takes the first input_lengths[n] steps; NULL: all of them. The mean is of the losses divided by their targets'
 * lengths. A target that does not fit into its steps has the loss inf, with zero_infinity 0, and the gradient 0
 * (PyTorch's is NaN of inf). The gradient is that by log_probs, to every order; PyTorch's assumes that a log_softmax
 * comes before, and has no second one.
 * Dtypes: log_probs floating, and the result has their dtype; targets i64 or i32.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_ctc_loss(weft_tensor *log_probs, weft_tensor *targets, const int64_t *input_lengths,
                                    const int64_t *target_lengths, int64_t blank, bool zero_infinity,
                                    weft_reduction reduction);

/* sum over the other classes j of max(0, margin - x[target] + x[j])^power / C, x the scores of C classes, power 1 or 2,
 * reduced: prediction [..., C], target [...].
 * Dtypes: prediction floating, and the result has its dtype; target i64 or i32.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_multi_margin_loss(weft_tensor *prediction, weft_tensor *target, int64_t power, double margin,
                                             weft_reduction reduction);

/* sum of max(0, 1 - x[j] + x[i]) / C over the right classes j and the wrong ones i, reduced: prediction and target
 * [..., C], the target the right classes, then -1. Needs C times the prediction's memory.
 * Dtypes: prediction floating, and the result has its dtype; target i64 or i32.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_multilabel_margin_loss(weft_tensor *prediction, weft_tensor *target,
                                                  weft_reduction reduction);

/* mean over the last dim of softplus(-x) target + softplus(x) (1 - target), targets in [0, 1], then reduced; shapes as
 * for mse.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_multilabel_soft_margin_loss(weft_tensor *prediction, weft_tensor *target,
                                                       weft_reduction reduction);

/* overlap of boxes [x1, y1, x2, y2], each of a [..., M, 4] with each of b [..., N, 4]: the area of what both cover by
 * that of what one covers, [..., M, N]; leading dims broadcast. A box with x2 < x1 or y2 < y1 has no area; two without
 * one overlap by 0.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_box_iou(weft_tensor *a, weft_tensor *b);

/* box_iou less the share of the smallest box around both that neither covers (Rezatofighi 2019): from -1 to 1, with a
 * gradient for boxes apart.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_generalized_box_iou(weft_tensor *a, weft_tensor *b);

/* boxes [x1, y1, x2, y2] from anchors, which are such, and what a network gives, (dx, dy, dw, dh): the centre moved by
 * centre_scale dx of the width and dy of the height, sizes times e^min(size_scale dw, limit) (Ren 2015). [..., 4] both,
 * broadcasting. torchvision's weights (10, 10, 5, 5) are scales 0.1 and 0.2, and its limit is log(1000 / 16).
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_box_decode(weft_tensor *anchors, weft_tensor *offsets, double centre_scale,
                                      double size_scale, double limit);

/* which boxes [N, 4] stay, by falling score [N], each unless it overlaps one that stays by more than the threshold
 * (box_iou): their indices, i64 [K]. K is known only then: boxes and scores are read by the host, which waits for the
 * device. Of equal scores the lower index comes first, NaN before all.
 * Dtypes: floating; the result is i64.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_nms(weft_tensor *boxes, weft_tensor *scores, double threshold);

/* largest element of each window over the last dims of x: with gaps (dilation) and a last window that is not full
 * (ceil_mode), of 1 to 3 dims; where there is no element counts as -inf, NaN wins, the first of equals takes the
 * gradient. weft_max_pool2d is faster, where it is enough.
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_max_pool(weft_tensor *x, const weft_window_params *params);

/* mean of each window over the last dims of x: the sum of its elements by the number of its places within the padding,
 * or of its elements alone (exclude_padding).
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_avg_pool(weft_tensor *x, const weft_window_params *params);

/* (sum of |x|^order)^(1 / order) over each window of the last dims of x; a window of zeros gives 0, with the gradient
 * 0. A window that is not full is not scaled as if it were, which PyTorch does.
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_lp_pool(weft_tensor *x, double order, const weft_window_params *params);

/* other sizes for the last n dims, linear or cubic (a = -1/2), where fewer elements are each a mix of all that they
 * stand for: a filter as wide as that, as PyTorch's antialias and Pillow have it; corners are not aligned.
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_interpolate_antialias(weft_tensor *x, const int64_t *sizes, int n, weft_interpolation way);

/* the indices of weft_sort: gather of x by them is sorted.
 * Dtypes: any; the result is i64.
 * Errors: WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_argsort(weft_tensor *x, int64_t dim, bool descending);

/* the k-th smallest element along dim, k from 1 on, and its index; NaN counts as the largest, of equals the lower index
 * comes first. For few of the largest weft_topk is faster; places as for topk.
 * Dtypes: any; values have it, indices are i64.
 * Errors: WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_status weft_kthvalue(weft_tensor *x, int64_t k, int64_t dim, bool keepdim, weft_tensor **values,
                                   weft_tensor **indices);

/* the element in the middle along dim, of an even number the lower of the two (weft_quantile by 0.5 is their mean), and
 * its index; where there is a NaN it is that, the first one; no elements is an error; places as for topk.
 * Dtypes: any; values have it, indices are i64.
 * Errors: WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_status weft_median(weft_tensor *x, int64_t dim, bool keepdim, weft_tensor **values,
                                 weft_tensor **indices);

/* median of the elements that are not NaN; NaN where there is none; no elements is an error; places as for topk.
 * Dtypes: any; values have it, indices are i64.
 * Errors: WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_status weft_nanmedian(weft_tensor *x, int64_t dim, bool keepdim, weft_tensor **values,
                                    weft_tensor **indices);

/* the value at place q (n - 1), q in [0, 1], of the n elements along dim in order, linear between neighbours (NumPy's
 * method linear); NaN where there is one; no elements is an error. Equal neighbours: the lower one takes the gradient.
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_quantile(weft_tensor *x, double q, int64_t dim, bool keepdim);

/* quantile of the elements that are not NaN; NaN where there is none; no elements is an error.
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_nanquantile(weft_tensor *x, double q, int64_t dim, bool keepdim);

/* the m different elements of x, of any shape, in rising order [m]; inverse, of x's shape: which of them each element
 * is; counts [m]: how often each is there. Every NaN is one by itself. The host waits for m (docs/design.md, Sizes that
 * depend on data); places as for topk.
 * Dtypes: any; values have it, inverse and counts are i64. */
WEFT_API weft_status weft_unique(weft_tensor *x, weft_tensor **values, weft_tensor **inverse, weft_tensor **counts);

/* which interval between boundaries [n], sorted, each element is in: weft_searchsorted of x in them.
 * Dtypes: any, promoted, bool counts as i64; the result is i64.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_bucketize(weft_tensor *x, weft_tensor *boundaries, bool right);

/* how many elements of x, of any shape, are 0, 1 ... bins - 1 [bins]; another one is an error. Weighted:
 * weft_scatter_add of the weights to zeros [bins].
 * Dtypes: i64 or i32; the result is i64.
 * Errors: WEFT_E_DTYPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_bincount(weft_tensor *x, int64_t bins);

/* how many elements of x, of any shape, lie in each of so many bins of one width from lo to hi, lo < hi [bins]: edges
 * are weft_linspace in f32 (f64 of f64); a bin has its lower edge, the last one both. What lies beyond, and NaN, is not
 * counted.
 * Dtypes: floating; the result is i64.
 * Errors: WEFT_E_DTYPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_histc(weft_tensor *x, int64_t bins, double lo, double hi);

/* the indices of the m elements that are not 0 (NaN is not), row-major: [m, dims of x]. The host waits for m
 * (docs/design.md, Sizes that depend on data).
 * Dtypes: any; the result is i64. */
WEFT_API weft_tensor *weft_nonzero(weft_tensor *x);

/* the m elements of x where the mask is true, row-major [m]; the mask broadcasts to x. The host waits for m
 * (docs/design.md, Sizes that depend on data).
 * Dtypes: x any, and the result has its dtype; the mask bool, or nonzero.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_masked_select(weft_tensor *x, weft_tensor *mask);

/* x of l l^T x = b, l [..., n, n] lower as weft_cholesky gives it, b [..., n, k]; leading dims broadcast.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_cholesky_solve(weft_tensor *l, weft_tensor *b);

/* the logarithm of the determinants of x [..., n, n]: [...]; -inf where one is 0, NaN where it is negative
 * (weft_slogdet has the logarithm of its size). Its gradient needs the inverse: an error where x is singular.
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_logdet(weft_tensor *x);

/* the values of weft_eigh alone: [..., n], rising. A second derivative needs them apart.
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_eigvalsh(weft_tensor *x);

/* the singular values of weft_svd alone: [..., min(m, n)], falling. A second derivative needs them apart.
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_svdvals(weft_tensor *x);

/* x that makes |a x - b| smallest and is the shortest of those, for a [..., m, n] of any rank: weft_pinv(a, rtol) b,
 * with b [..., m, k], or [m] as of weft_matmul. Its derivatives hold where the rank does not change.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_lstsq(weft_tensor *a, weft_tensor *b, double rtol);

/* elements of x by their numbers in row-major order: y[...] = flat x[index[...]]; an index outside [0, count) is an
 * error.
 * Dtypes: x any, and the result has its dtype; index i64 or i32.
 * Errors: WEFT_E_DTYPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_take(weft_tensor *x, weft_tensor *index);

/* gather along dim, x and index first broadcast to each other in the other dims: with topk's or argmax's indices, what
 * they name (PyTorch take_along_dim, NumPy take_along_axis).
 * Dtypes: x any, and the result has its dtype; index i64 or i32.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_take_along(weft_tensor *x, weft_tensor *index, int64_t dim);

/* x with value, converted as by cast, in the slices along dim that index [n] names.
 * Dtypes: x any, and the result has its dtype; index i64 or i32.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_index_fill(weft_tensor *x, weft_tensor *index, int64_t dim, double value);

/* x with slice j of src in the place of slice index[j] along dim; of equal indices the last one stays, and it alone has
 * a gradient.
 * Dtypes: x and src any, promoted; index i64 or i32.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_index_copy(weft_tensor *x, weft_tensor *index, weft_tensor *src, int64_t dim);

/* x with values at [indices[0][...], indices[1][...], ..., :], in the place of what is there, or added to it. An index
 * for each of the first n dims, which broadcast to one shape; values broadcast to that shape and the other dims of x.
 * Of equal places the last one stays, and it alone has a gradient.
 * Dtypes: x and values any, promoted, not both bool where they are added; indices i64 or i32.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_index_put(weft_tensor *x, weft_tensor *values, weft_tensor *const *indices, int n,
                                     bool accumulate);

/* x with the product of itself, if include_self, and all src[i, j, k] that scatter_add would add there; where there are
 * none x stays. Derivatives of every order are right where factors are 0, too (PyTorch scatter_reduce "prod").
 * Dtypes: x and src floating, promoted; index i64 or i32.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_scatter_prod(weft_tensor *x, weft_tensor *index, weft_tensor *src, int64_t dim,
                                        bool include_self);

/* x with the mean of itself, if include_self, and all src[i, j, k] that scatter_add would add there; where there are
 * none x stays. Sums and counts are f64 (PyTorch scatter_reduce "mean").
 * Dtypes: x and src floating, promoted; index i64 or i32.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_scatter_mean(weft_tensor *x, weft_tensor *index, weft_tensor *src, int64_t dim,
                                        bool include_self);

/* windows of size elements, one every step along dim: [..., (D - size) / step + 1, ..., size], what is in a window as
 * the last dim (PyTorch Tensor.unfold; a copy).
 * Dtypes: any.
 * Errors: WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_windows(weft_tensor *x, int64_t dim, int64_t size, int64_t step);

/* patches of x [N, C, H, W] as columns (im2col): [N, C R S, L], kernel {R, S}, L the number of places that conv2d with
 * these params has, row by row; params NULL: stride 1, no padding; groups and output_padding have no meaning here
 * (PyTorch nn.functional.unfold).
 * Dtypes: any.
 * Errors: WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_unfold2d(weft_tensor *x, const int64_t *kernel, const weft_conv2d_params *params);

/* the adjoint of unfold2d (col2im): columns x [N, C R S, L] added up at the elements that they were of in images [N, C,
 * H, W], size {H, W}, kernel {R, S} (PyTorch nn.functional.fold).
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_fold2d(weft_tensor *x, const int64_t *size, const int64_t *kernel,
                                  const weft_conv2d_params *params);

/* n vectors as coordinates of a grid: out[k] is vector k along dim k, repeated along the other n - 1, a view; xy: the
 * first two dims in the other order, as NumPy has it by default; n >= 1; fills out[0..n) (NULLs after an error).
 * Dtypes: any.
 * Errors: WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_status weft_meshgrid(weft_tensor *const *vectors, int n, bool xy, weft_tensor **out);

/* all points of the grid of n vectors, the last one changing fastest: [n0 n1 ..., n]; n >= 1: without a vector there is
 * no context for the error (PyTorch drops the second dim for one vector).
 * Dtypes: any, promoted.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_cartesian_prod(weft_tensor *const *vectors, int n);

/* cuts x along dim into n views of ceil(size / n) elements, the last with what is left; what is beyond the end is
 * empty, where PyTorch has fewer parts; fills out[0..n) (NULLs after an error).
 * Dtypes: any.
 * Errors: WEFT_E_INVALID. */
WEFT_API weft_status weft_chunk(weft_tensor *x, int64_t dim, int n, weft_tensor **out);

/* Vandermonde matrices: n powers of each element, as the last dim, from x^(n - 1) down to 1, or up from 1; products, so
 * that derivatives hold at 0.
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_vander(weft_tensor *x, int64_t n, bool increasing);

/* of a vector the square matrix with it on that diagonal (1: the one above the main one), 0 elsewhere; of a matrix its
 * diagonal.
 * Dtypes: any.
 * Errors: WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_diag(weft_tensor *x, int64_t diagonal);

/* addmm of batches: beta c + alpha a b, a [B, M, K], b [B, K, N], c broadcasting to [B, M, N].
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_baddbmm(weft_tensor *c, weft_tensor *a, weft_tensor *b, double beta, double alpha);

/* the product of n of the square matrices x [..., N, N], by repeated squares; n >= 0, and 0 gives the identity.
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_matrix_power(weft_tensor *x, int64_t n);

/* vector product of the three elements along dim, counted after broadcasting.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_cross(weft_tensor *a, weft_tensor *b, int64_t dim);

/* covariance of the rows of x [..., V, N], N observations of V variables: [..., V, V], sums over N / max(0, N -
 * correction).
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_cov(weft_tensor *x, double correction);

/* correlation of the rows of x [..., V, N]: [..., V, V]; NaN for a row that does not vary.
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_corrcoef(weft_tensor *x);

/* integral of y along dim by the trapezoidal rule: sum of (y[i] + y[i + 1]) / 2 (x[i + 1] - x[i]); x [D], or of y's
 * shape, or NULL: dx apart.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_trapezoid(weft_tensor *y, weft_tensor *x, double dx, int64_t dim);

/* the same up to each element but the first: one element less along dim.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_cumulative_trapezoid(weft_tensor *y, weft_tensor *x, double dx, int64_t dim);

/* slices along dim whose vector_norm of that order is above most, scaled down to it, the others as they are (PyTorch
 * adds 1e-7 to the norm).
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_renorm(weft_tensor *x, double order, int64_t dim, double most);

/* sums of products by letters: "ij,jk->ik" is a matrix product. A letter for each dim of each operand, then those of
 * the result; letters that the result lacks are summed over, one that comes twice in an operand takes its diagonal, and
 * "..." stands for any dims, which broadcast. Without "->" the result has the letters that come once, in order. Pairs
 * are contracted by matmul, in the order that is cheapest (up to 4 operands) or greedily so; n >= 1, up to 16.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_einsum(weft_tensor *const *operands, int n, const char *equation);

/* a copy with storage of its own, contiguous; gradients flow through.
 * Dtypes: any. */
WEFT_API weft_tensor *weft_clone(weft_tensor *x);

/* x itself if it is contiguous, else a copy that is.
 * Dtypes: any. */
WEFT_API weft_tensor *weft_contiguous(weft_tensor *x);

/* ---- Everything else ---- */

/* converts the dtype; floats to integers truncate toward 0 and saturate, NaN gives 0; integers wrap; to bool: true
 * unless 0; gradients flow between floating types.
 * Dtypes: any.
 * Errors: WEFT_E_DTYPE. */
WEFT_API weft_tensor *weft_cast(weft_tensor *x, weft_dtype dtype);

/* matrix product of the last two dims, a [..., M, K] by b [..., K, N], leading dims broadcast; a 1-d operand is a
 * vector, as in NumPy.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_matmul(weft_tensor *a, weft_tensor *b);

/* the matrix product of 8-bit integers, (a - a_zero) (b - b_zero), in i32, where sums wrap: exact for K up to 33025,
 * and the same bits everywhere. a [..., M, K] by b [..., K, N] as of weft_matmul; a_zero, [] or one for each row [M],
 * and b_zero, [] or one for each column [N], are what stands for 0 in quantised data, or NULL: 0 (PyTorch
 * torch._int_mm, ONNX MatMulInteger).
 * Dtypes: a and b each i8 or u8, zero points as what they are of; the result is i32.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_matmul_integer(weft_tensor *a, weft_tensor *b, weft_tensor *a_zero, weft_tensor *b_zero);

/* x w^T + b: x [..., K], w [N, K], b [N] or NULL; result [..., N].
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_linear(weft_tensor *x, weft_tensor *w, weft_tensor *b);

/* act(x w^T + b), a linear layer and its activation in one pass: x [..., K], w [N, K], b [N] or NULL; result [..., N];
 * the same as relu or gelu_tanh of linear.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_linear_act(weft_tensor *x, weft_tensor *w, weft_tensor *b, weft_activation act);

/* joins tensors along dim; other dims must agree; dtypes are promoted; n >= 1: without a tensor there is no context for
 * the error, and the next message about a NULL tells it.
 * Dtypes: any, promoted.
 * Errors: WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_concat(weft_tensor *const *tensors, int n, int64_t dim);

/* adds before[i] and after[i] >= 0 elements of value, converted as by cast, around dim i.
 * Dtypes: any.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_pad(weft_tensor *x, const int64_t *before, const int64_t *after, int ndim, double value);

/* reverses the order along the named dims.
 * Dtypes: any.
 * Errors: WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_flip(weft_tensor *x, const int64_t *dims, int ndim);

/* y[i, j, k] = x[i, index[i, j, k], k] for dim 1 and likewise; index has x's rank and is no larger than x in other
 * dims.
 * Dtypes: x any, and the result has its dtype; index i64 or i32.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_gather(weft_tensor *x, weft_tensor *index, int64_t dim);

/* a copy of x with src[i, j, k] added at [i, index[i, j, k], k] for dim 1 and likewise; index and src of one shape.
 * Dtypes: x and src promoted, not both bool; index i64 or i32.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_scatter_add(weft_tensor *x, weft_tensor *index, weft_tensor *src, int64_t dim);

/* a copy of x with src[i, j, k] in the place of [i, index[i, j, k], k] (dim 1); index has src's shape, and is no larger
 * than x in the other dims. Of equal places the last one along dim stays, and it alone has a gradient.
 * Dtypes: x and src any, promoted; index i64 or i32.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_scatter(weft_tensor *x, weft_tensor *index, weft_tensor *src, int64_t dim);

/* x with the largest of itself, if include_self, and all src[i, j, k] that scatter_add would add there; NaN wins; where
 * there are none x stays. Equal ones share the gradient evenly (PyTorch scatter_reduce "amax").
 * Dtypes: x and src promoted, not both bool; index i64 or i32.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_scatter_max(weft_tensor *x, weft_tensor *index, weft_tensor *src, int64_t dim,
                                       bool include_self);

/* likewise the smallest (PyTorch scatter_reduce "amin").
 * Dtypes: x and src promoted, not both bool; index i64 or i32.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_scatter_min(weft_tensor *x, weft_tensor *index, weft_tensor *src, int64_t dim,
                                       bool include_self);

/* the slices of x along dim named by the 1-d index.
 * Dtypes: x any, and the result has its dtype; index i64 or i32.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_index_select(weft_tensor *x, weft_tensor *index, int64_t dim);

/* a copy of x with slice j of src added to slice index[j], along dim; index 1-d.
 * Dtypes: x and src promoted, not both bool; index i64 or i32.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_index_add(weft_tensor *x, weft_tensor *index, weft_tensor *src, int64_t dim);

/* rows of weight [V, D] named by index [...]: result [..., D].
 * Dtypes: weight any, and the result has its dtype; index i64 or i32.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_embedding(weft_tensor *weight, weft_tensor *index);

/* e^x / sum of e^x along dim; a slice of all -inf gives zeros.
 * Dtypes: floating; integers and bool become f32; the result has that dtype.
 * Errors: WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_softmax(weft_tensor *x, int64_t dim);

/* x - logsumexp(x) along dim; a slice of all -inf gives -inf.
 * Dtypes: floating; integers and bool become f32; the result has that dtype.
 * Errors: WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_log_softmax(weft_tensor *x, int64_t dim);

/* -sum over classes of q log softmax(logits), q = (1 - s) [class = target] + s / C; logits [..., C], i64 or i32 target
 * [...]; rows whose target is ignore_index count nothing; the mean of no rows is 0.
 * Dtypes: logits floating, and the result has their dtype; target i64 or i32.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_cross_entropy_with(weft_tensor *logits, weft_tensor *target, int64_t ignore_index,
                                              double label_smoothing, weft_reduction reduction);

/* y[i] = x[0] + ... + x[i] along dim; bool and integers add up in i64.
 * Dtypes: any; the result has it, or is i64 of integers and bool.
 * Errors: WEFT_E_INVALID, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_cumsum(weft_tensor *x, int64_t dim);

/* y[i] = x[0] ... x[i], multiplied, along dim; bool and integers multiply in i64.
 * Dtypes: any; the result has it, or is i64 of integers and bool.
 * Errors: WEFT_E_INVALID, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_cumprod(weft_tensor *x, int64_t dim);

/* the largest of x[0] ... x[i] along dim and its index; NaN wins. The first of equals gives the index and takes the
 * gradient; places as for topk.
 * Dtypes: any; values have it, indices are i64.
 * Errors: WEFT_E_INVALID, WEFT_E_SHAPE. */
WEFT_API weft_status weft_cummax(weft_tensor *x, int64_t dim, weft_tensor **values, weft_tensor **indices);

/* the smallest of x[0] ... x[i] along dim and its index; NaN wins. The first of equals gives the index and takes the
 * gradient; places as for topk.
 * Dtypes: any; values have it, indices are i64.
 * Errors: WEFT_E_INVALID, WEFT_E_SHAPE. */
WEFT_API weft_status weft_cummin(weft_tensor *x, int64_t dim, weft_tensor **values, weft_tensor **indices);

/* y[i] = log(e^x[0] + ... + e^x[i]) along dim, without overflow; -inf as long as all are, +inf from a +inf on, which is
 * then all that has a derivative.
 * Dtypes: floating; integers and bool become f32; the result has that dtype.
 * Errors: WEFT_E_INVALID, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_logcumsumexp(weft_tensor *x, int64_t dim);

/* y[0] = b[0], y[i] = a[i] y[i - 1] + b[i] along dim: a linear recurrence, as of state space models (Gu 2023); a[0] is
 * not read.
 * Dtypes: floating; integers and bool become f32; promoted, the result has that dtype.
 * Errors: WEFT_E_INVALID, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_linear_scan(weft_tensor *a, weft_tensor *b, int64_t dim);

/* y[k] = sum of x[j] e^(-2 pi i j k / n) along dim; x [..., 2] holds complex numbers as pairs of real and imaginary
 * part, and dim is not the last. Every n >= 1: O(n log n), also where n is prime. On CUDA cuFFT has the long lines and
 * the large primes: of those the bits may depend on how many lines come together, of others never.
 * Dtypes: floating; integers and bool become f32; the result has that dtype.
 * Errors: WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_fft(weft_tensor *x, int64_t dim, weft_fft_norm norm);

/* fft of real numbers: the first n / 2 + 1 of the spectrum along dim, as pairs in a new last dim; the others are the
 * conjugates of these.
 * Dtypes: floating; integers and bool become f32; the result has that dtype.
 * Errors: WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_rfft(weft_tensor *x, int64_t dim, weft_fft_norm norm);

/* inverse of rfft: n real numbers from the first n / 2 + 1 of their spectrum along dim, pairs in the last dim, which
 * goes; of the ends (k = 0, and n / 2 of an even n) only the real part counts.
 * Dtypes: floating; integers and bool become f32; the result has that dtype.
 * Errors: WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_irfft(weft_tensor *x, int64_t n, int64_t dim, weft_fft_norm norm);

/* softmax(scale q k^T) v, scaled dot-product attention: q [..., T, D], k [..., S, D], v [..., S, E] with equal leading
 * dims (batch, heads); result [..., T, E]; scale WEFT_ATTENTION_SCALE is 1 / sqrt(D). causal: query t sees the keys s
 * <= t + S - T, so that the last query sees all; a query that sees no key gives zeros. What is not seen is skipped, not
 * multiplied by 0: a NaN there does not come through (unless cuDNN is asked: docs/gpu-status.md).
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_attention(weft_tensor *q, weft_tensor *k, weft_tensor *v, double scale, bool causal);

/* (x - mean) / sqrt(var + eps) * w + b over the trailing dims that w (or b) has; w and b, of x's dtype or f32, may be
 * NULL, both NULL: the last dim.
 * Dtypes: x floating, and the result has its dtype; w and b floating.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_layer_norm(weft_tensor *x, weft_tensor *w, weft_tensor *b, double eps);

/* x / sqrt(mean of x^2 + eps) * w over the trailing dims that w, of x's dtype or f32, has; w NULL: the last dim, not
 * scaled.
 * Dtypes: x floating, and the result has its dtype; w floating.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_rms_norm(weft_tensor *x, weft_tensor *w, double eps);

/* normalises x [N, C, ...] per channel C. Training (params.h): by the batch's mean and (biased) variance, and moves
 * running_mean and running_var (unbiased) by momentum toward them in place; else by the running values. w, b [C] may be
 * NULL, running_* when training; beside half types all of them are best f32, which is not rounded.
 * Dtypes: x floating, and the result has its dtype; the others floating.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_batch_norm(weft_tensor *x, weft_tensor *w, weft_tensor *b, weft_tensor *running_mean,
                                      weft_tensor *running_var, const weft_batch_norm_params *params);

/* training: zeroes elements with probability p and scales the others by 1 / (1 - p), so that p 1 gives zeros; else x
 * itself.
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_dropout(weft_tensor *x, double p, bool training);

/* cross-correlation: x [N, C, H, W], w [K, C/groups, R, S], b [K] or NULL; result [N, K, H', W'], H' = (H + 2 padding -
 * dilation (R - 1) - 1) / stride + 1; params NULL: stride 1, no padding.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_conv2d(weft_tensor *x, weft_tensor *w, weft_tensor *b, const weft_conv2d_params *params);

/* transpose (input gradient) of conv2d: x [N, C, H, W], w [C, K/groups, R, S], b [K] or NULL; H' = (H - 1) stride - 2
 * padding + dilation (R - 1) + output_padding + 1.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_conv2d_transpose(weft_tensor *x, weft_tensor *w, weft_tensor *b,
                                            const weft_conv2d_params *params);

/* weight gradient of conv2d as an operation: x [N, C, H, W], g [N, K, H', W'], kernel {R, S}; result [K, C/groups, R,
 * S].
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_conv2d_weight(weft_tensor *x, weft_tensor *g, const int64_t *kernel,
                                         const weft_conv2d_params *params);

/* largest element of each window of x [N, C, H, W]; NaN wins; padding counts as -inf; the first of equals takes the
 * gradient.
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_max_pool2d(weft_tensor *x, const weft_pool2d_params *params);

/* mean of each window of x [N, C, H, W]; padding counts as 0 and is counted.
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_avg_pool2d(weft_tensor *x, const weft_pool2d_params *params);

/* input gradient of avg_pool2d as an operation: g [N, C, H', W'], size {H, W}; result [N, C, H, W].
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_avg_unpool2d(weft_tensor *g, const int64_t *size, const weft_pool2d_params *params);

/* the k largest (or smallest) elements along dim, in order, and where they are: values and indices, i64, with k in
 * dim's place. NaN comes first; of equals the lower index. indices has no gradient; one of the two may be NULL, which
 * is not wanted then, and both are NULL after an error.
 * Dtypes: any; values have it, indices are i64.
 * Errors: WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_status weft_topk(weft_tensor *x, int64_t k, int64_t dim, bool largest, weft_tensor **values,
                               weft_tensor **indices);

/* the elements along dim in rising order, or falling, and where they were: values and indices, i64. Stable: equals stay
 * in their order. NaN counts as the largest; places as for topk.
 * Dtypes: any; values have it, indices are i64.
 * Errors: WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_status weft_sort(weft_tensor *x, int64_t dim, bool descending, weft_tensor **values,
                               weft_tensor **indices);

/* how many elements of the sorted row [n], or of the row of its own, [..., n] beside values [..., m], come before each
 * value; right: those that are equal, too. NaN counts as the largest; of rows that are not sorted any number from 0 to
 * n.
 * Dtypes: any, promoted, bool counts as i64; the result is i64.
 * Errors: WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_searchsorted(weft_tensor *sorted, weft_tensor *values, bool right);

/* largest element along dim and its index, i64; NaN wins. The first of equals gives the index and takes the whole
 * gradient, where max_over shares it; no elements is an error; places as for topk.
 * Dtypes: any; values have it, indices are i64.
 * Errors: WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_status weft_max_with_index(weft_tensor *x, int64_t dim, bool keepdim, weft_tensor **values,
                                         weft_tensor **indices);

/* smallest element along dim and its index, i64; NaN wins. The first of equals gives the index and takes the whole
 * gradient, where min_over shares it; no elements is an error; places as for topk.
 * Dtypes: any; values have it, indices are i64.
 * Errors: WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_status weft_min_with_index(weft_tensor *x, int64_t dim, bool keepdim, weft_tensor **values,
                                         weft_tensor **indices);

/* var and mean over the same dims in one pass over x, both differentiable; what is computed for a gradient is what is
 * used. Of no elements both are NaN; places as for topk.
 * Dtypes: floating; integers and bool become f32; the results have that dtype.
 * Errors: WEFT_E_INVALID. */
WEFT_API weft_status weft_var_mean(weft_tensor *x, const int64_t *dims, int ndim, bool keepdim, double correction,
                                   weft_tensor **var, weft_tensor **mean);

/* the lower matrix l with a positive diagonal and l l^T = (x + x^T) / 2, x [..., n, n] symmetric positive definite; an
 * error names the first matrix that is not, and its leading minor. For an upper one transpose it. (PyTorch reads one
 * triangle of x; the gradient is symmetric in both.).
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_cholesky(weft_tensor *x);

/* x of a x = b for a lower matrix a [..., n, n], of which the rest is not read, and b [..., n, k]; leading dims
 * broadcast. Flags (params.h): an upper a, its transpose, a diagonal of 1 that is not read, x a = b. A 0 on the
 * diagonal is an error that names the matrix. (PyTorch: linalg.solve_triangular, which gives infinities there.).
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_triangular_solve(weft_tensor *a, weft_tensor *b, int flags);

/* x of a x = b: a [..., n, n], b [..., n, k], or [n] for one right side; leading dims broadcast. LU with partial
 * pivoting; a pivot of 0 is an error that names the matrix.
 * Dtypes: floating, promoted; the result has that dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_solve(weft_tensor *a, weft_tensor *b);

/* the inverse of x [..., n, n], by LU with partial pivoting; a pivot of 0 is an error that names the matrix. To solve,
 * weft_solve is faster and more exact.
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_inverse(weft_tensor *x);

/* the determinants of x [..., n, n]: [...]; of no elements 1. Its derivatives of every order hold for singular matrices
 * of any rank too, for which PyTorch's second is NaN; from the third on they take n^4 numbers of memory.
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_det(weft_tensor *x);

/* sign, -1, 0 or 1, and logarithm of the size of the determinants of x [..., n, n], both [...]: what weft_det of large
 * matrices would overflow. 0 and -inf where x is singular, where the gradient is an error; places as for topk.
 * Dtypes: floating; the results have it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE. */
WEFT_API weft_status weft_slogdet(weft_tensor *x, weft_tensor **sign, weft_tensor **log_of_size);

/* the cofactors of x [..., n, n]: (-1)^(i + j) times the determinant of x without row i and column j, for x of any
 * rank. The transpose is the adjugate: x times that is det(x) times the unit matrix.
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_cofactor(weft_tensor *x);

/* x = q r by Householder's reflections, reduced: x [..., m, n], q [..., m, k] with orthonormal columns, r [..., k, n]
 * upper with a diagonal that is not negative, k = min(m, n); so both are unique where the first k columns of x are
 * independent, and only there is there a gradient: else it is an error. (PyTorch's r may have negative ones.) Places as
 * for topk.
 * Dtypes: floating; the results have it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_status weft_qr(weft_tensor *x, weft_tensor **q, weft_tensor **r);

/* eigenvalues [..., n], rising, and eigenvectors [..., n, n], the columns, of the symmetric matrices (x + x^T) / 2, by
 * Jacobi's rotations. Of each vector the first component that is the largest but for 0.1 % is positive. The gradient of
 * vectors of values that are equal but for rounding, n times the dtype's epsilon of the largest, is an error; places as
 * for topk.
 * Dtypes: floating; the results have it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_status weft_eigh(weft_tensor *x, weft_tensor **values, weft_tensor **vectors);

/* x = u diag(s) vh, reduced: x [..., m, n], u [..., m, k] and vh [..., k, n] with orthonormal columns and rows, s [...,
 * k] falling, k = min(m, n), by one-sided Jacobi rotations. Of each column of u the first component that is the largest
 * but for 0.1 % is positive. The gradient of vectors of singular values that are equal but for rounding, or 0 where m
 * is not n, is an error; places as for topk.
 * Dtypes: floating; the results have it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_status weft_svd(weft_tensor *x, weft_tensor **u, weft_tensor **s, weft_tensor **vh);

/* the pseudoinverse (Moore and Penrose) of x [..., m, n]: [..., n, m]. Singular values up to rtol times the largest
 * count as 0; a negative rtol is max(m, n) times the dtype's epsilon. Its derivatives hold where the rank does not
 * change, equal singular values included.
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_pinv(weft_tensor *x, double rtol);

/* e^x of matrices x [..., n, n]: 1 + x + x x / 2 + ..., by scaling and squaring with Pade's approximant of order 13.
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE. */
WEFT_API weft_tensor *weft_matrix_exp(weft_tensor *x);

/* y[..., i, j] = 1 / (x[..., j] - x[..., i]), 0 for i = j, of x [..., n]: what derivatives of eigenvectors and singular
 * vectors are made with. Values that lie no further apart than n times the dtype's epsilon of the largest are an error.
 * Dtypes: floating; the result has it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_reciprocal_gaps(weft_tensor *x);

/* x += y in place; y broadcasts to x; an integer x takes no floating y; returns x.
 * Dtypes: any but bool, and x keeps its own; y converts to it, but no floating y to an integer x.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_STATE. */
WEFT_API weft_tensor *weft_add_(weft_tensor *x, weft_tensor *y);

/* x -= y in place; y broadcasts to x; an integer x takes no floating y; returns x.
 * Dtypes: any but bool, and x keeps its own; y converts to it, but no floating y to an integer x.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_STATE. */
WEFT_API weft_tensor *weft_sub_(weft_tensor *x, weft_tensor *y);

/* x *= y in place; y broadcasts to x; an integer x takes no floating y; returns x.
 * Dtypes: any but bool, and x keeps its own; y converts to it, but no floating y to an integer x.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_STATE. */
WEFT_API weft_tensor *weft_mul_(weft_tensor *x, weft_tensor *y);

/* x /= y in place; y broadcasts to x; floating dtypes; returns x.
 * Dtypes: x floating, and keeps its dtype; y converts to it.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_STATE. */
WEFT_API weft_tensor *weft_div_(weft_tensor *x, weft_tensor *y);

/* x = -x in place; returns x.
 * Dtypes: any but bool, and x keeps its own.
 * Errors: WEFT_E_DTYPE, WEFT_E_STATE. */
WEFT_API weft_tensor *weft_neg_(weft_tensor *x);

/* x = relu(x) in place; returns x.
 * Dtypes: any but bool, and x keeps its own.
 * Errors: WEFT_E_DTYPE, WEFT_E_STATE. */
WEFT_API weft_tensor *weft_relu_(weft_tensor *x);

/* x = e^x in place; floating dtypes; returns x.
 * Dtypes: x floating, and keeps its dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_STATE. */
WEFT_API weft_tensor *weft_exp_(weft_tensor *x);

/* x = square root of x in place; floating dtypes; returns x.
 * Dtypes: x floating, and keeps its dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_STATE. */
WEFT_API weft_tensor *weft_sqrt_(weft_tensor *x);

/* x = tanh(x) in place; floating dtypes; returns x.
 * Dtypes: x floating, and keeps its dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_STATE. */
WEFT_API weft_tensor *weft_tanh_(weft_tensor *x);

/* x = sigmoid(x) in place; floating dtypes; returns x.
 * Dtypes: x floating, and keeps its dtype.
 * Errors: WEFT_E_DTYPE, WEFT_E_STATE. */
WEFT_API weft_tensor *weft_sigmoid_(weft_tensor *x);

/* x = clamp(x, lo, hi) in place; returns x.
 * Dtypes: any but bool, and x keeps its own.
 * Errors: WEFT_E_DTYPE, WEFT_E_STATE. */
WEFT_API weft_tensor *weft_clamp_(weft_tensor *x, double lo, double hi);

/* x += s in place; integers take a whole number, another is an error; returns x.
 * Dtypes: any but bool, and x keeps its own.
 * Errors: WEFT_E_DTYPE, WEFT_E_STATE. */
WEFT_API weft_tensor *weft_add_scalar_(weft_tensor *x, double s);

/* x *= s in place; integers take a whole number, another is an error; returns x.
 * Dtypes: any but bool, and x keeps its own.
 * Errors: WEFT_E_DTYPE, WEFT_E_STATE. */
WEFT_API weft_tensor *weft_mul_scalar_(weft_tensor *x, double s);

/* x = value, converted as by cast, where the mask is true, in place; the mask broadcasts to x; returns x.
 * Dtypes: x any, and keeps its dtype; the mask bool, or nonzero.
 * Errors: WEFT_E_SHAPE, WEFT_E_STATE. */
WEFT_API weft_tensor *weft_masked_fill_(weft_tensor *x, weft_tensor *mask, double value);

/* x = index_add(x, index, src, dim) in place; returns x.
 * Dtypes: any but bool, and x keeps its own; src converts to it, but no floating src to an integer x; index i64 or i32.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID, WEFT_E_STATE. */
WEFT_API weft_tensor *weft_index_add_(weft_tensor *x, weft_tensor *index, weft_tensor *src, int64_t dim);

/* x = scatter_add(x, index, src, dim) in place; returns x.
 * Dtypes: any but bool, and x keeps its own; src converts to it, but no floating src to an integer x; index i64 or i32.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID, WEFT_E_STATE. */
WEFT_API weft_tensor *weft_scatter_add_(weft_tensor *x, weft_tensor *index, weft_tensor *src, int64_t dim);

/* x = index_copy(x, index, src, dim) in place; of equal indices the last one stays; returns x.
 * Dtypes: any, and x keeps its own; src converts to it, but no floating src to an integer x; index i64 or i32.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID, WEFT_E_STATE. */
WEFT_API weft_tensor *weft_index_copy_(weft_tensor *x, weft_tensor *index, weft_tensor *src, int64_t dim);

/* x = y in place, converting as cast does; y broadcasts to x; a leaf may be overwritten while operations are recorded;
 * returns x.
 * Dtypes: any; y converts as by cast.
 * Errors: WEFT_E_SHAPE, WEFT_E_STATE. */
WEFT_API weft_tensor *weft_copy_(weft_tensor *x, weft_tensor *y);

/* x = value in place, converted as by cast; a leaf may be overwritten while operations are recorded; returns x.
 * Dtypes: any.
 * Errors: WEFT_E_STATE. */
WEFT_API weft_tensor *weft_fill_(weft_tensor *x, double value);

/* ---- Steps of optimisers ----
 * Over n parameters at once, in place: see weft_step_lists in optim.h, which has the formulas, too. */

/* one step of SGD over n parameters, in place and in one pass; its state, with momentum, is the velocity.
 * Dtypes: floating; weft_step_lists says which beside which.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID, WEFT_E_STATE. */
WEFT_API weft_status weft_sgd_step(weft_ctx *ctx, const weft_step_lists *lists, const weft_sgd_options *options);

/* one step of Adam or AdamW over n parameters, in place and in one pass; its state is the first and the second moment,
 * and of AMSGrad the largest second moment so far.
 * Dtypes: floating; weft_step_lists says which beside which.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID, WEFT_E_STATE. */
WEFT_API weft_status weft_adam_step(weft_ctx *ctx, const weft_step_lists *lists, const weft_adam_options *options);

/* one step of RMSprop over n parameters, in place and in one pass; its state is the average of squares, with momentum
 * the sum of steps, and centered the average of gradients.
 * Dtypes: floating; weft_step_lists says which beside which.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID, WEFT_E_STATE. */
WEFT_API weft_status weft_rmsprop_step(weft_ctx *ctx, const weft_step_lists *lists,
                                       const weft_rmsprop_options *options);

/* one step of AdaGrad over n parameters, in place and in one pass; its state is the sum of squares.
 * Dtypes: floating; weft_step_lists says which beside which.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID, WEFT_E_STATE. */
WEFT_API weft_status weft_adagrad_step(weft_ctx *ctx, const weft_step_lists *lists,
                                       const weft_adagrad_options *options);

/* one step of Adadelta over n parameters, in place and in one pass; its state is the averages of squared gradients and
 * of squared steps.
 * Dtypes: floating; weft_step_lists says which beside which.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID, WEFT_E_STATE. */
WEFT_API weft_status weft_adadelta_step(weft_ctx *ctx, const weft_step_lists *lists,
                                        const weft_adadelta_options *options);

/* one step of NAdam over n parameters, in place and in one pass; its state is the first and the second moment.
 * Dtypes: floating; weft_step_lists says which beside which.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID, WEFT_E_STATE. */
WEFT_API weft_status weft_nadam_step(weft_ctx *ctx, const weft_step_lists *lists, const weft_nadam_options *options);

/* one step of Lion over n parameters, in place and in one pass; its state is the average of gradients.
 * Dtypes: floating; weft_step_lists says which beside which.
 * Errors: WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID, WEFT_E_STATE. */
WEFT_API weft_status weft_lion_step(weft_ctx *ctx, const weft_step_lists *lists, const weft_lion_options *options);

#ifdef __cplusplus
}
#endif

/* Each call records its place in the source, for error messages and leak reports. */
#ifndef WEFT_NO_CALL_SITES
#define weft_neg(...) (WEFT_HERE("neg"), weft_neg(__VA_ARGS__))
#define weft_abs(...) (WEFT_HERE("abs"), weft_abs(__VA_ARGS__))
#define weft_sign(...) (WEFT_HERE("sign"), weft_sign(__VA_ARGS__))
#define weft_exp(...) (WEFT_HERE("exp"), weft_exp(__VA_ARGS__))
#define weft_expm1(...) (WEFT_HERE("expm1"), weft_expm1(__VA_ARGS__))
#define weft_log(...) (WEFT_HERE("log"), weft_log(__VA_ARGS__))
#define weft_log1p(...) (WEFT_HERE("log1p"), weft_log1p(__VA_ARGS__))
#define weft_log2(...) (WEFT_HERE("log2"), weft_log2(__VA_ARGS__))
#define weft_sqrt(...) (WEFT_HERE("sqrt"), weft_sqrt(__VA_ARGS__))
#define weft_rsqrt(...) (WEFT_HERE("rsqrt"), weft_rsqrt(__VA_ARGS__))
#define weft_reciprocal(...) (WEFT_HERE("reciprocal"), weft_reciprocal(__VA_ARGS__))
#define weft_square(...) (WEFT_HERE("square"), weft_square(__VA_ARGS__))
#define weft_sin(...) (WEFT_HERE("sin"), weft_sin(__VA_ARGS__))
#define weft_cos(...) (WEFT_HERE("cos"), weft_cos(__VA_ARGS__))
#define weft_tan(...) (WEFT_HERE("tan"), weft_tan(__VA_ARGS__))
#define weft_tanh(...) (WEFT_HERE("tanh"), weft_tanh(__VA_ARGS__))
#define weft_sigmoid(...) (WEFT_HERE("sigmoid"), weft_sigmoid(__VA_ARGS__))
#define weft_relu(...) (WEFT_HERE("relu"), weft_relu(__VA_ARGS__))
#define weft_gelu(...) (WEFT_HERE("gelu"), weft_gelu(__VA_ARGS__))
#define weft_gelu_tanh(...) (WEFT_HERE("gelu_tanh"), weft_gelu_tanh(__VA_ARGS__))
#define weft_silu(...) (WEFT_HERE("silu"), weft_silu(__VA_ARGS__))
#define weft_softplus(...) (WEFT_HERE("softplus"), weft_softplus(__VA_ARGS__))
#define weft_erf(...) (WEFT_HERE("erf"), weft_erf(__VA_ARGS__))
#define weft_floor(...) (WEFT_HERE("floor"), weft_floor(__VA_ARGS__))
#define weft_ceil(...) (WEFT_HERE("ceil"), weft_ceil(__VA_ARGS__))
#define weft_round(...) (WEFT_HERE("round"), weft_round(__VA_ARGS__))
#define weft_trunc(...) (WEFT_HERE("trunc"), weft_trunc(__VA_ARGS__))
#define weft_frac(...) (WEFT_HERE("frac"), weft_frac(__VA_ARGS__))
#define weft_cube(...) (WEFT_HERE("cube"), weft_cube(__VA_ARGS__))
#define weft_exp2(...) (WEFT_HERE("exp2"), weft_exp2(__VA_ARGS__))
#define weft_log10(...) (WEFT_HERE("log10"), weft_log10(__VA_ARGS__))
#define weft_cbrt(...) (WEFT_HERE("cbrt"), weft_cbrt(__VA_ARGS__))
#define weft_sinh(...) (WEFT_HERE("sinh"), weft_sinh(__VA_ARGS__))
#define weft_cosh(...) (WEFT_HERE("cosh"), weft_cosh(__VA_ARGS__))
#define weft_asin(...) (WEFT_HERE("asin"), weft_asin(__VA_ARGS__))
#define weft_acos(...) (WEFT_HERE("acos"), weft_acos(__VA_ARGS__))
#define weft_atan(...) (WEFT_HERE("atan"), weft_atan(__VA_ARGS__))
#define weft_asinh(...) (WEFT_HERE("asinh"), weft_asinh(__VA_ARGS__))
#define weft_acosh(...) (WEFT_HERE("acosh"), weft_acosh(__VA_ARGS__))
#define weft_atanh(...) (WEFT_HERE("atanh"), weft_atanh(__VA_ARGS__))
#define weft_erfc(...) (WEFT_HERE("erfc"), weft_erfc(__VA_ARGS__))
#define weft_erfinv(...) (WEFT_HERE("erfinv"), weft_erfinv(__VA_ARGS__))
#define weft_lgamma(...) (WEFT_HERE("lgamma"), weft_lgamma(__VA_ARGS__))
#define weft_digamma(...) (WEFT_HERE("digamma"), weft_digamma(__VA_ARGS__))
#define weft_sinc(...) (WEFT_HERE("sinc"), weft_sinc(__VA_ARGS__))
#define weft_mish(...) (WEFT_HERE("mish"), weft_mish(__VA_ARGS__))
#define weft_logsigmoid(...) (WEFT_HERE("logsigmoid"), weft_logsigmoid(__VA_ARGS__))
#define weft_softsign(...) (WEFT_HERE("softsign"), weft_softsign(__VA_ARGS__))
#define weft_selu(...) (WEFT_HERE("selu"), weft_selu(__VA_ARGS__))
#define weft_relu6(...) (WEFT_HERE("relu6"), weft_relu6(__VA_ARGS__))
#define weft_hardsigmoid(...) (WEFT_HERE("hardsigmoid"), weft_hardsigmoid(__VA_ARGS__))
#define weft_hardswish(...) (WEFT_HERE("hardswish"), weft_hardswish(__VA_ARGS__))
#define weft_deg2rad(...) (WEFT_HERE("deg2rad"), weft_deg2rad(__VA_ARGS__))
#define weft_rad2deg(...) (WEFT_HERE("rad2deg"), weft_rad2deg(__VA_ARGS__))
#define weft_clamp(...) (WEFT_HERE("clamp"), weft_clamp(__VA_ARGS__))
#define weft_add_scalar(...) (WEFT_HERE("add_scalar"), weft_add_scalar(__VA_ARGS__))
#define weft_mul_scalar(...) (WEFT_HERE("mul_scalar"), weft_mul_scalar(__VA_ARGS__))
#define weft_pow_scalar(...) (WEFT_HERE("pow_scalar"), weft_pow_scalar(__VA_ARGS__))
#define weft_leaky_relu(...) (WEFT_HERE("leaky_relu"), weft_leaky_relu(__VA_ARGS__))
#define weft_elu(...) (WEFT_HERE("elu"), weft_elu(__VA_ARGS__))
#define weft_celu(...) (WEFT_HERE("celu"), weft_celu(__VA_ARGS__))
#define weft_hardtanh(...) (WEFT_HERE("hardtanh"), weft_hardtanh(__VA_ARGS__))
#define weft_softshrink(...) (WEFT_HERE("softshrink"), weft_softshrink(__VA_ARGS__))
#define weft_hardshrink(...) (WEFT_HERE("hardshrink"), weft_hardshrink(__VA_ARGS__))
#define weft_threshold(...) (WEFT_HERE("threshold"), weft_threshold(__VA_ARGS__))
#define weft_logit(...) (WEFT_HERE("logit"), weft_logit(__VA_ARGS__))
#define weft_polygamma(...) (WEFT_HERE("polygamma"), weft_polygamma(__VA_ARGS__))
#define weft_isnan(...) (WEFT_HERE("isnan"), weft_isnan(__VA_ARGS__))
#define weft_isinf(...) (WEFT_HERE("isinf"), weft_isinf(__VA_ARGS__))
#define weft_isfinite(...) (WEFT_HERE("isfinite"), weft_isfinite(__VA_ARGS__))
#define weft_logical_not(...) (WEFT_HERE("logical_not"), weft_logical_not(__VA_ARGS__))
#define weft_isposinf(...) (WEFT_HERE("isposinf"), weft_isposinf(__VA_ARGS__))
#define weft_isneginf(...) (WEFT_HERE("isneginf"), weft_isneginf(__VA_ARGS__))
#define weft_signbit(...) (WEFT_HERE("signbit"), weft_signbit(__VA_ARGS__))
#define weft_add(...) (WEFT_HERE("add"), weft_add(__VA_ARGS__))
#define weft_sub(...) (WEFT_HERE("sub"), weft_sub(__VA_ARGS__))
#define weft_mul(...) (WEFT_HERE("mul"), weft_mul(__VA_ARGS__))
#define weft_div(...) (WEFT_HERE("div"), weft_div(__VA_ARGS__))
#define weft_pow(...) (WEFT_HERE("pow"), weft_pow(__VA_ARGS__))
#define weft_min(...) (WEFT_HERE("min"), weft_min(__VA_ARGS__))
#define weft_max(...) (WEFT_HERE("max"), weft_max(__VA_ARGS__))
#define weft_mod(...) (WEFT_HERE("mod"), weft_mod(__VA_ARGS__))
#define weft_atan2(...) (WEFT_HERE("atan2"), weft_atan2(__VA_ARGS__))
#define weft_fmod(...) (WEFT_HERE("fmod"), weft_fmod(__VA_ARGS__))
#define weft_floor_divide(...) (WEFT_HERE("floor_divide"), weft_floor_divide(__VA_ARGS__))
#define weft_fmin(...) (WEFT_HERE("fmin"), weft_fmin(__VA_ARGS__))
#define weft_fmax(...) (WEFT_HERE("fmax"), weft_fmax(__VA_ARGS__))
#define weft_hypot(...) (WEFT_HERE("hypot"), weft_hypot(__VA_ARGS__))
#define weft_copysign(...) (WEFT_HERE("copysign"), weft_copysign(__VA_ARGS__))
#define weft_logaddexp(...) (WEFT_HERE("logaddexp"), weft_logaddexp(__VA_ARGS__))
#define weft_logaddexp2(...) (WEFT_HERE("logaddexp2"), weft_logaddexp2(__VA_ARGS__))
#define weft_xlogy(...) (WEFT_HERE("xlogy"), weft_xlogy(__VA_ARGS__))
#define weft_xlog1py(...) (WEFT_HERE("xlog1py"), weft_xlog1py(__VA_ARGS__))
#define weft_eq(...) (WEFT_HERE("eq"), weft_eq(__VA_ARGS__))
#define weft_ne(...) (WEFT_HERE("ne"), weft_ne(__VA_ARGS__))
#define weft_lt(...) (WEFT_HERE("lt"), weft_lt(__VA_ARGS__))
#define weft_le(...) (WEFT_HERE("le"), weft_le(__VA_ARGS__))
#define weft_gt(...) (WEFT_HERE("gt"), weft_gt(__VA_ARGS__))
#define weft_ge(...) (WEFT_HERE("ge"), weft_ge(__VA_ARGS__))
#define weft_logical_and(...) (WEFT_HERE("logical_and"), weft_logical_and(__VA_ARGS__))
#define weft_logical_or(...) (WEFT_HERE("logical_or"), weft_logical_or(__VA_ARGS__))
#define weft_logical_xor(...) (WEFT_HERE("logical_xor"), weft_logical_xor(__VA_ARGS__))
#define weft_bitwise_and(...) (WEFT_HERE("bitwise_and"), weft_bitwise_and(__VA_ARGS__))
#define weft_bitwise_or(...) (WEFT_HERE("bitwise_or"), weft_bitwise_or(__VA_ARGS__))
#define weft_bitwise_xor(...) (WEFT_HERE("bitwise_xor"), weft_bitwise_xor(__VA_ARGS__))
#define weft_bitwise_left_shift(...) (WEFT_HERE("bitwise_left_shift"), weft_bitwise_left_shift(__VA_ARGS__))
#define weft_bitwise_right_shift(...) (WEFT_HERE("bitwise_right_shift"), weft_bitwise_right_shift(__VA_ARGS__))
#define weft_gcd(...) (WEFT_HERE("gcd"), weft_gcd(__VA_ARGS__))
#define weft_lcm(...) (WEFT_HERE("lcm"), weft_lcm(__VA_ARGS__))
#define weft_where(...) (WEFT_HERE("where"), weft_where(__VA_ARGS__))
#define weft_sum(...) (WEFT_HERE("sum"), weft_sum(__VA_ARGS__))
#define weft_mean(...) (WEFT_HERE("mean"), weft_mean(__VA_ARGS__))
#define weft_prod(...) (WEFT_HERE("prod"), weft_prod(__VA_ARGS__))
#define weft_max_over(...) (WEFT_HERE("max_over"), weft_max_over(__VA_ARGS__))
#define weft_min_over(...) (WEFT_HERE("min_over"), weft_min_over(__VA_ARGS__))
#define weft_logsumexp(...) (WEFT_HERE("logsumexp"), weft_logsumexp(__VA_ARGS__))
#define weft_norm(...) (WEFT_HERE("norm"), weft_norm(__VA_ARGS__))
#define weft_argmax(...) (WEFT_HERE("argmax"), weft_argmax(__VA_ARGS__))
#define weft_argmin(...) (WEFT_HERE("argmin"), weft_argmin(__VA_ARGS__))
#define weft_any(...) (WEFT_HERE("any"), weft_any(__VA_ARGS__))
#define weft_all(...) (WEFT_HERE("all"), weft_all(__VA_ARGS__))
#define weft_reshape(...) (WEFT_HERE("reshape"), weft_reshape(__VA_ARGS__))
#define weft_transpose(...) (WEFT_HERE("transpose"), weft_transpose(__VA_ARGS__))
#define weft_permute(...) (WEFT_HERE("permute"), weft_permute(__VA_ARGS__))
#define weft_expand(...) (WEFT_HERE("expand"), weft_expand(__VA_ARGS__))
#define weft_squeeze(...) (WEFT_HERE("squeeze"), weft_squeeze(__VA_ARGS__))
#define weft_unsqueeze(...) (WEFT_HERE("unsqueeze"), weft_unsqueeze(__VA_ARGS__))
#define weft_slice(...) (WEFT_HERE("slice"), weft_slice(__VA_ARGS__))
#define weft_select(...) (WEFT_HERE("select"), weft_select(__VA_ARGS__))
#define weft_detach(...) (WEFT_HERE("detach"), weft_detach(__VA_ARGS__))
#define weft_flatten(...) (WEFT_HERE("flatten"), weft_flatten(__VA_ARGS__))
#define weft_stack(...) (WEFT_HERE("stack"), weft_stack(__VA_ARGS__))
#define weft_split(...) (WEFT_HERE("split"), weft_split(__VA_ARGS__))
#define weft_unbind(...) (WEFT_HERE("unbind"), weft_unbind(__VA_ARGS__))
#define weft_var(...) (WEFT_HERE("var"), weft_var(__VA_ARGS__))
#define weft_mse(...) (WEFT_HERE("mse"), weft_mse(__VA_ARGS__))
#define weft_huber(...) (WEFT_HERE("huber"), weft_huber(__VA_ARGS__))
#define weft_bce_with_logits(...) (WEFT_HERE("bce_with_logits"), weft_bce_with_logits(__VA_ARGS__))
#define weft_nll(...) (WEFT_HERE("nll"), weft_nll(__VA_ARGS__))
#define weft_cross_entropy(...) (WEFT_HERE("cross_entropy"), weft_cross_entropy(__VA_ARGS__))
#define weft_l1_loss(...) (WEFT_HERE("l1_loss"), weft_l1_loss(__VA_ARGS__))
#define weft_smooth_l1_loss(...) (WEFT_HERE("smooth_l1_loss"), weft_smooth_l1_loss(__VA_ARGS__))
#define weft_quantile_loss(...) (WEFT_HERE("quantile_loss"), weft_quantile_loss(__VA_ARGS__))
#define weft_gaussian_nll_loss(...) (WEFT_HERE("gaussian_nll_loss"), weft_gaussian_nll_loss(__VA_ARGS__))
#define weft_poisson_nll_loss(...) (WEFT_HERE("poisson_nll_loss"), weft_poisson_nll_loss(__VA_ARGS__))
#define weft_bce(...) (WEFT_HERE("bce"), weft_bce(__VA_ARGS__))
#define weft_kl_div(...) (WEFT_HERE("kl_div"), weft_kl_div(__VA_ARGS__))
#define weft_soft_margin_loss(...) (WEFT_HERE("soft_margin_loss"), weft_soft_margin_loss(__VA_ARGS__))
#define weft_hinge_embedding_loss(...) (WEFT_HERE("hinge_embedding_loss"), weft_hinge_embedding_loss(__VA_ARGS__))
#define weft_margin_ranking_loss(...) (WEFT_HERE("margin_ranking_loss"), weft_margin_ranking_loss(__VA_ARGS__))
#define weft_focal_loss(...) (WEFT_HERE("focal_loss"), weft_focal_loss(__VA_ARGS__))
#define weft_lerp(...) (WEFT_HERE("lerp"), weft_lerp(__VA_ARGS__))
#define weft_addcmul(...) (WEFT_HERE("addcmul"), weft_addcmul(__VA_ARGS__))
#define weft_addcdiv(...) (WEFT_HERE("addcdiv"), weft_addcdiv(__VA_ARGS__))
#define weft_isclose(...) (WEFT_HERE("isclose"), weft_isclose(__VA_ARGS__))
#define weft_nan_to_num(...) (WEFT_HERE("nan_to_num"), weft_nan_to_num(__VA_ARGS__))
#define weft_prelu(...) (WEFT_HERE("prelu"), weft_prelu(__VA_ARGS__))
#define weft_masked_fill(...) (WEFT_HERE("masked_fill"), weft_masked_fill(__VA_ARGS__))
#define weft_glu(...) (WEFT_HERE("glu"), weft_glu(__VA_ARGS__))
#define weft_swiglu(...) (WEFT_HERE("swiglu"), weft_swiglu(__VA_ARGS__))
#define weft_diff(...) (WEFT_HERE("diff"), weft_diff(__VA_ARGS__))
#define weft_std(...) (WEFT_HERE("std"), weft_std(__VA_ARGS__))
#define weft_count_nonzero(...) (WEFT_HERE("count_nonzero"), weft_count_nonzero(__VA_ARGS__))
#define weft_nansum(...) (WEFT_HERE("nansum"), weft_nansum(__VA_ARGS__))
#define weft_nanmean(...) (WEFT_HERE("nanmean"), weft_nanmean(__VA_ARGS__))
#define weft_vector_norm(...) (WEFT_HERE("vector_norm"), weft_vector_norm(__VA_ARGS__))
#define weft_roll(...) (WEFT_HERE("roll"), weft_roll(__VA_ARGS__))
#define weft_tile(...) (WEFT_HERE("tile"), weft_tile(__VA_ARGS__))
#define weft_repeat_interleave(...) (WEFT_HERE("repeat_interleave"), weft_repeat_interleave(__VA_ARGS__))
#define weft_tril(...) (WEFT_HERE("tril"), weft_tril(__VA_ARGS__))
#define weft_triu(...) (WEFT_HERE("triu"), weft_triu(__VA_ARGS__))
#define weft_diagonal(...) (WEFT_HERE("diagonal"), weft_diagonal(__VA_ARGS__))
#define weft_diag_embed(...) (WEFT_HERE("diag_embed"), weft_diag_embed(__VA_ARGS__))
#define weft_trace(...) (WEFT_HERE("trace"), weft_trace(__VA_ARGS__))
#define weft_one_hot(...) (WEFT_HERE("one_hot"), weft_one_hot(__VA_ARGS__))
#define weft_movedim(...) (WEFT_HERE("movedim"), weft_movedim(__VA_ARGS__))
#define weft_unflatten(...) (WEFT_HERE("unflatten"), weft_unflatten(__VA_ARGS__))
#define weft_rot90(...) (WEFT_HERE("rot90"), weft_rot90(__VA_ARGS__))
#define weft_pixel_shuffle(...) (WEFT_HERE("pixel_shuffle"), weft_pixel_shuffle(__VA_ARGS__))
#define weft_pixel_unshuffle(...) (WEFT_HERE("pixel_unshuffle"), weft_pixel_unshuffle(__VA_ARGS__))
#define weft_channel_shuffle(...) (WEFT_HERE("channel_shuffle"), weft_channel_shuffle(__VA_ARGS__))
#define weft_group_norm(...) (WEFT_HERE("group_norm"), weft_group_norm(__VA_ARGS__))
#define weft_instance_norm(...) (WEFT_HERE("instance_norm"), weft_instance_norm(__VA_ARGS__))
#define weft_local_response_norm(...) (WEFT_HERE("local_response_norm"), weft_local_response_norm(__VA_ARGS__))
#define weft_weight_norm(...) (WEFT_HERE("weight_norm"), weft_weight_norm(__VA_ARGS__))
#define weft_normalize(...) (WEFT_HERE("normalize"), weft_normalize(__VA_ARGS__))
#define weft_cosine_similarity(...) (WEFT_HERE("cosine_similarity"), weft_cosine_similarity(__VA_ARGS__))
#define weft_pairwise_distance(...) (WEFT_HERE("pairwise_distance"), weft_pairwise_distance(__VA_ARGS__))
#define weft_cdist(...) (WEFT_HERE("cdist"), weft_cdist(__VA_ARGS__))
#define weft_outer(...) (WEFT_HERE("outer"), weft_outer(__VA_ARGS__))
#define weft_dot(...) (WEFT_HERE("dot"), weft_dot(__VA_ARGS__))
#define weft_kron(...) (WEFT_HERE("kron"), weft_kron(__VA_ARGS__))
#define weft_tensordot(...) (WEFT_HERE("tensordot"), weft_tensordot(__VA_ARGS__))
#define weft_addmm(...) (WEFT_HERE("addmm"), weft_addmm(__VA_ARGS__))
#define weft_triplet_margin_loss(...) (WEFT_HERE("triplet_margin_loss"), weft_triplet_margin_loss(__VA_ARGS__))
#define weft_cosine_embedding_loss(...) (WEFT_HERE("cosine_embedding_loss"), weft_cosine_embedding_loss(__VA_ARGS__))
#define weft_interpolate(...) (WEFT_HERE("interpolate"), weft_interpolate(__VA_ARGS__))
#define weft_pad_mode(...) (WEFT_HERE("pad_mode"), weft_pad_mode(__VA_ARGS__))
#define weft_ifft(...) (WEFT_HERE("ifft"), weft_ifft(__VA_ARGS__))
#define weft_fftn(...) (WEFT_HERE("fftn"), weft_fftn(__VA_ARGS__))
#define weft_ifftn(...) (WEFT_HERE("ifftn"), weft_ifftn(__VA_ARGS__))
#define weft_rfftn(...) (WEFT_HERE("rfftn"), weft_rfftn(__VA_ARGS__))
#define weft_irfftn(...) (WEFT_HERE("irfftn"), weft_irfftn(__VA_ARGS__))
#define weft_fftshift(...) (WEFT_HERE("fftshift"), weft_fftshift(__VA_ARGS__))
#define weft_ifftshift(...) (WEFT_HERE("ifftshift"), weft_ifftshift(__VA_ARGS__))
#define weft_stft(...) (WEFT_HERE("stft"), weft_stft(__VA_ARGS__))
#define weft_istft(...) (WEFT_HERE("istft"), weft_istft(__VA_ARGS__))
#define weft_complex_mul(...) (WEFT_HERE("complex_mul"), weft_complex_mul(__VA_ARGS__))
#define weft_complex_abs(...) (WEFT_HERE("complex_abs"), weft_complex_abs(__VA_ARGS__))
#define weft_conv1d(...) (WEFT_HERE("conv1d"), weft_conv1d(__VA_ARGS__))
#define weft_conv1d_transpose(...) (WEFT_HERE("conv1d_transpose"), weft_conv1d_transpose(__VA_ARGS__))
#define weft_max_pool1d(...) (WEFT_HERE("max_pool1d"), weft_max_pool1d(__VA_ARGS__))
#define weft_avg_pool1d(...) (WEFT_HERE("avg_pool1d"), weft_avg_pool1d(__VA_ARGS__))
#define weft_lp_pool2d(...) (WEFT_HERE("lp_pool2d"), weft_lp_pool2d(__VA_ARGS__))
#define weft_attention_with_bias(...) (WEFT_HERE("attention_with_bias"), weft_attention_with_bias(__VA_ARGS__))
#define weft_rotary_embedding(...) (WEFT_HERE("rotary_embedding"), weft_rotary_embedding(__VA_ARGS__))
#define weft_sparsemax(...) (WEFT_HERE("sparsemax"), weft_sparsemax(__VA_ARGS__))
#define weft_affine_grid(...) (WEFT_HERE("affine_grid"), weft_affine_grid(__VA_ARGS__))
#define weft_grid_sample(...) (WEFT_HERE("grid_sample"), weft_grid_sample(__VA_ARGS__))
#define weft_embedding_bag(...) (WEFT_HERE("embedding_bag"), weft_embedding_bag(__VA_ARGS__))
#define weft_max_pool3d(...) (WEFT_HERE("max_pool3d"), weft_max_pool3d(__VA_ARGS__))
#define weft_avg_pool3d(...) (WEFT_HERE("avg_pool3d"), weft_avg_pool3d(__VA_ARGS__))
#define weft_adaptive_max_pool(...) (WEFT_HERE("adaptive_max_pool"), weft_adaptive_max_pool(__VA_ARGS__))
#define weft_max_pool2d_with_index(...) (WEFT_HERE("max_pool2d_with_index"), weft_max_pool2d_with_index(__VA_ARGS__))
#define weft_max_unpool2d(...) (WEFT_HERE("max_unpool2d"), weft_max_unpool2d(__VA_ARGS__))
#define weft_conv3d(...) (WEFT_HERE("conv3d"), weft_conv3d(__VA_ARGS__))
#define weft_conv3d_transpose(...) (WEFT_HERE("conv3d_transpose"), weft_conv3d_transpose(__VA_ARGS__))
#define weft_rnn_cell(...) (WEFT_HERE("rnn_cell"), weft_rnn_cell(__VA_ARGS__))
#define weft_lstm_cell(...) (WEFT_HERE("lstm_cell"), weft_lstm_cell(__VA_ARGS__))
#define weft_gru_cell(...) (WEFT_HERE("gru_cell"), weft_gru_cell(__VA_ARGS__))
#define weft_rnn(...) (WEFT_HERE("rnn"), weft_rnn(__VA_ARGS__))
#define weft_gru(...) (WEFT_HERE("gru"), weft_gru(__VA_ARGS__))
#define weft_lstm(...) (WEFT_HERE("lstm"), weft_lstm(__VA_ARGS__))
#define weft_ctc_loss(...) (WEFT_HERE("ctc_loss"), weft_ctc_loss(__VA_ARGS__))
#define weft_multi_margin_loss(...) (WEFT_HERE("multi_margin_loss"), weft_multi_margin_loss(__VA_ARGS__))
#define weft_multilabel_margin_loss(...) (WEFT_HERE("multilabel_margin_loss"), weft_multilabel_margin_loss(__VA_ARGS__))
#define weft_multilabel_soft_margin_loss(...) \
    (WEFT_HERE("multilabel_soft_margin_loss"), weft_multilabel_soft_margin_loss(__VA_ARGS__))
#define weft_box_iou(...) (WEFT_HERE("box_iou"), weft_box_iou(__VA_ARGS__))
#define weft_generalized_box_iou(...) (WEFT_HERE("generalized_box_iou"), weft_generalized_box_iou(__VA_ARGS__))
#define weft_box_decode(...) (WEFT_HERE("box_decode"), weft_box_decode(__VA_ARGS__))
#define weft_nms(...) (WEFT_HERE("nms"), weft_nms(__VA_ARGS__))
#define weft_max_pool(...) (WEFT_HERE("max_pool"), weft_max_pool(__VA_ARGS__))
#define weft_avg_pool(...) (WEFT_HERE("avg_pool"), weft_avg_pool(__VA_ARGS__))
#define weft_lp_pool(...) (WEFT_HERE("lp_pool"), weft_lp_pool(__VA_ARGS__))
#define weft_interpolate_antialias(...) (WEFT_HERE("interpolate_antialias"), weft_interpolate_antialias(__VA_ARGS__))
#define weft_argsort(...) (WEFT_HERE("argsort"), weft_argsort(__VA_ARGS__))
#define weft_kthvalue(...) (WEFT_HERE("kthvalue"), weft_kthvalue(__VA_ARGS__))
#define weft_median(...) (WEFT_HERE("median"), weft_median(__VA_ARGS__))
#define weft_nanmedian(...) (WEFT_HERE("nanmedian"), weft_nanmedian(__VA_ARGS__))
#define weft_quantile(...) (WEFT_HERE("quantile"), weft_quantile(__VA_ARGS__))
#define weft_nanquantile(...) (WEFT_HERE("nanquantile"), weft_nanquantile(__VA_ARGS__))
#define weft_unique(...) (WEFT_HERE("unique"), weft_unique(__VA_ARGS__))
#define weft_bucketize(...) (WEFT_HERE("bucketize"), weft_bucketize(__VA_ARGS__))
#define weft_bincount(...) (WEFT_HERE("bincount"), weft_bincount(__VA_ARGS__))
#define weft_histc(...) (WEFT_HERE("histc"), weft_histc(__VA_ARGS__))
#define weft_nonzero(...) (WEFT_HERE("nonzero"), weft_nonzero(__VA_ARGS__))
#define weft_masked_select(...) (WEFT_HERE("masked_select"), weft_masked_select(__VA_ARGS__))
#define weft_cholesky_solve(...) (WEFT_HERE("cholesky_solve"), weft_cholesky_solve(__VA_ARGS__))
#define weft_logdet(...) (WEFT_HERE("logdet"), weft_logdet(__VA_ARGS__))
#define weft_eigvalsh(...) (WEFT_HERE("eigvalsh"), weft_eigvalsh(__VA_ARGS__))
#define weft_svdvals(...) (WEFT_HERE("svdvals"), weft_svdvals(__VA_ARGS__))
#define weft_lstsq(...) (WEFT_HERE("lstsq"), weft_lstsq(__VA_ARGS__))
#define weft_take(...) (WEFT_HERE("take"), weft_take(__VA_ARGS__))
#define weft_take_along(...) (WEFT_HERE("take_along"), weft_take_along(__VA_ARGS__))
#define weft_index_fill(...) (WEFT_HERE("index_fill"), weft_index_fill(__VA_ARGS__))
#define weft_index_copy(...) (WEFT_HERE("index_copy"), weft_index_copy(__VA_ARGS__))
#define weft_index_put(...) (WEFT_HERE("index_put"), weft_index_put(__VA_ARGS__))
#define weft_scatter_prod(...) (WEFT_HERE("scatter_prod"), weft_scatter_prod(__VA_ARGS__))
#define weft_scatter_mean(...) (WEFT_HERE("scatter_mean"), weft_scatter_mean(__VA_ARGS__))
#define weft_windows(...) (WEFT_HERE("windows"), weft_windows(__VA_ARGS__))
#define weft_unfold2d(...) (WEFT_HERE("unfold2d"), weft_unfold2d(__VA_ARGS__))
#define weft_fold2d(...) (WEFT_HERE("fold2d"), weft_fold2d(__VA_ARGS__))
#define weft_meshgrid(...) (WEFT_HERE("meshgrid"), weft_meshgrid(__VA_ARGS__))
#define weft_cartesian_prod(...) (WEFT_HERE("cartesian_prod"), weft_cartesian_prod(__VA_ARGS__))
#define weft_chunk(...) (WEFT_HERE("chunk"), weft_chunk(__VA_ARGS__))
#define weft_vander(...) (WEFT_HERE("vander"), weft_vander(__VA_ARGS__))
#define weft_diag(...) (WEFT_HERE("diag"), weft_diag(__VA_ARGS__))
#define weft_baddbmm(...) (WEFT_HERE("baddbmm"), weft_baddbmm(__VA_ARGS__))
#define weft_matrix_power(...) (WEFT_HERE("matrix_power"), weft_matrix_power(__VA_ARGS__))
#define weft_cross(...) (WEFT_HERE("cross"), weft_cross(__VA_ARGS__))
#define weft_cov(...) (WEFT_HERE("cov"), weft_cov(__VA_ARGS__))
#define weft_corrcoef(...) (WEFT_HERE("corrcoef"), weft_corrcoef(__VA_ARGS__))
#define weft_trapezoid(...) (WEFT_HERE("trapezoid"), weft_trapezoid(__VA_ARGS__))
#define weft_cumulative_trapezoid(...) (WEFT_HERE("cumulative_trapezoid"), weft_cumulative_trapezoid(__VA_ARGS__))
#define weft_renorm(...) (WEFT_HERE("renorm"), weft_renorm(__VA_ARGS__))
#define weft_einsum(...) (WEFT_HERE("einsum"), weft_einsum(__VA_ARGS__))
#define weft_clone(...) (WEFT_HERE("clone"), weft_clone(__VA_ARGS__))
#define weft_contiguous(...) (WEFT_HERE("contiguous"), weft_contiguous(__VA_ARGS__))
#define weft_cast(...) (WEFT_HERE("cast"), weft_cast(__VA_ARGS__))
#define weft_matmul(...) (WEFT_HERE("matmul"), weft_matmul(__VA_ARGS__))
#define weft_matmul_integer(...) (WEFT_HERE("matmul_integer"), weft_matmul_integer(__VA_ARGS__))
#define weft_linear(...) (WEFT_HERE("linear"), weft_linear(__VA_ARGS__))
#define weft_linear_act(...) (WEFT_HERE("linear_act"), weft_linear_act(__VA_ARGS__))
#define weft_concat(...) (WEFT_HERE("concat"), weft_concat(__VA_ARGS__))
#define weft_pad(...) (WEFT_HERE("pad"), weft_pad(__VA_ARGS__))
#define weft_flip(...) (WEFT_HERE("flip"), weft_flip(__VA_ARGS__))
#define weft_gather(...) (WEFT_HERE("gather"), weft_gather(__VA_ARGS__))
#define weft_scatter_add(...) (WEFT_HERE("scatter_add"), weft_scatter_add(__VA_ARGS__))
#define weft_scatter(...) (WEFT_HERE("scatter"), weft_scatter(__VA_ARGS__))
#define weft_scatter_max(...) (WEFT_HERE("scatter_max"), weft_scatter_max(__VA_ARGS__))
#define weft_scatter_min(...) (WEFT_HERE("scatter_min"), weft_scatter_min(__VA_ARGS__))
#define weft_index_select(...) (WEFT_HERE("index_select"), weft_index_select(__VA_ARGS__))
#define weft_index_add(...) (WEFT_HERE("index_add"), weft_index_add(__VA_ARGS__))
#define weft_embedding(...) (WEFT_HERE("embedding"), weft_embedding(__VA_ARGS__))
#define weft_softmax(...) (WEFT_HERE("softmax"), weft_softmax(__VA_ARGS__))
#define weft_log_softmax(...) (WEFT_HERE("log_softmax"), weft_log_softmax(__VA_ARGS__))
#define weft_cross_entropy_with(...) (WEFT_HERE("cross_entropy_with"), weft_cross_entropy_with(__VA_ARGS__))
#define weft_cumsum(...) (WEFT_HERE("cumsum"), weft_cumsum(__VA_ARGS__))
#define weft_cumprod(...) (WEFT_HERE("cumprod"), weft_cumprod(__VA_ARGS__))
#define weft_cummax(...) (WEFT_HERE("cummax"), weft_cummax(__VA_ARGS__))
#define weft_cummin(...) (WEFT_HERE("cummin"), weft_cummin(__VA_ARGS__))
#define weft_logcumsumexp(...) (WEFT_HERE("logcumsumexp"), weft_logcumsumexp(__VA_ARGS__))
#define weft_linear_scan(...) (WEFT_HERE("linear_scan"), weft_linear_scan(__VA_ARGS__))
#define weft_fft(...) (WEFT_HERE("fft"), weft_fft(__VA_ARGS__))
#define weft_rfft(...) (WEFT_HERE("rfft"), weft_rfft(__VA_ARGS__))
#define weft_irfft(...) (WEFT_HERE("irfft"), weft_irfft(__VA_ARGS__))
#define weft_attention(...) (WEFT_HERE("attention"), weft_attention(__VA_ARGS__))
#define weft_layer_norm(...) (WEFT_HERE("layer_norm"), weft_layer_norm(__VA_ARGS__))
#define weft_rms_norm(...) (WEFT_HERE("rms_norm"), weft_rms_norm(__VA_ARGS__))
#define weft_batch_norm(...) (WEFT_HERE("batch_norm"), weft_batch_norm(__VA_ARGS__))
#define weft_dropout(...) (WEFT_HERE("dropout"), weft_dropout(__VA_ARGS__))
#define weft_conv2d(...) (WEFT_HERE("conv2d"), weft_conv2d(__VA_ARGS__))
#define weft_conv2d_transpose(...) (WEFT_HERE("conv2d_transpose"), weft_conv2d_transpose(__VA_ARGS__))
#define weft_conv2d_weight(...) (WEFT_HERE("conv2d_weight"), weft_conv2d_weight(__VA_ARGS__))
#define weft_max_pool2d(...) (WEFT_HERE("max_pool2d"), weft_max_pool2d(__VA_ARGS__))
#define weft_avg_pool2d(...) (WEFT_HERE("avg_pool2d"), weft_avg_pool2d(__VA_ARGS__))
#define weft_avg_unpool2d(...) (WEFT_HERE("avg_unpool2d"), weft_avg_unpool2d(__VA_ARGS__))
#define weft_topk(...) (WEFT_HERE("topk"), weft_topk(__VA_ARGS__))
#define weft_sort(...) (WEFT_HERE("sort"), weft_sort(__VA_ARGS__))
#define weft_searchsorted(...) (WEFT_HERE("searchsorted"), weft_searchsorted(__VA_ARGS__))
#define weft_max_with_index(...) (WEFT_HERE("max_with_index"), weft_max_with_index(__VA_ARGS__))
#define weft_min_with_index(...) (WEFT_HERE("min_with_index"), weft_min_with_index(__VA_ARGS__))
#define weft_var_mean(...) (WEFT_HERE("var_mean"), weft_var_mean(__VA_ARGS__))
#define weft_cholesky(...) (WEFT_HERE("cholesky"), weft_cholesky(__VA_ARGS__))
#define weft_triangular_solve(...) (WEFT_HERE("triangular_solve"), weft_triangular_solve(__VA_ARGS__))
#define weft_solve(...) (WEFT_HERE("solve"), weft_solve(__VA_ARGS__))
#define weft_inverse(...) (WEFT_HERE("inverse"), weft_inverse(__VA_ARGS__))
#define weft_det(...) (WEFT_HERE("det"), weft_det(__VA_ARGS__))
#define weft_slogdet(...) (WEFT_HERE("slogdet"), weft_slogdet(__VA_ARGS__))
#define weft_cofactor(...) (WEFT_HERE("cofactor"), weft_cofactor(__VA_ARGS__))
#define weft_qr(...) (WEFT_HERE("qr"), weft_qr(__VA_ARGS__))
#define weft_eigh(...) (WEFT_HERE("eigh"), weft_eigh(__VA_ARGS__))
#define weft_svd(...) (WEFT_HERE("svd"), weft_svd(__VA_ARGS__))
#define weft_pinv(...) (WEFT_HERE("pinv"), weft_pinv(__VA_ARGS__))
#define weft_matrix_exp(...) (WEFT_HERE("matrix_exp"), weft_matrix_exp(__VA_ARGS__))
#define weft_reciprocal_gaps(...) (WEFT_HERE("reciprocal_gaps"), weft_reciprocal_gaps(__VA_ARGS__))
#define weft_add_(...) (WEFT_HERE("add_"), weft_add_(__VA_ARGS__))
#define weft_sub_(...) (WEFT_HERE("sub_"), weft_sub_(__VA_ARGS__))
#define weft_mul_(...) (WEFT_HERE("mul_"), weft_mul_(__VA_ARGS__))
#define weft_div_(...) (WEFT_HERE("div_"), weft_div_(__VA_ARGS__))
#define weft_neg_(...) (WEFT_HERE("neg_"), weft_neg_(__VA_ARGS__))
#define weft_relu_(...) (WEFT_HERE("relu_"), weft_relu_(__VA_ARGS__))
#define weft_exp_(...) (WEFT_HERE("exp_"), weft_exp_(__VA_ARGS__))
#define weft_sqrt_(...) (WEFT_HERE("sqrt_"), weft_sqrt_(__VA_ARGS__))
#define weft_tanh_(...) (WEFT_HERE("tanh_"), weft_tanh_(__VA_ARGS__))
#define weft_sigmoid_(...) (WEFT_HERE("sigmoid_"), weft_sigmoid_(__VA_ARGS__))
#define weft_clamp_(...) (WEFT_HERE("clamp_"), weft_clamp_(__VA_ARGS__))
#define weft_add_scalar_(...) (WEFT_HERE("add_scalar_"), weft_add_scalar_(__VA_ARGS__))
#define weft_mul_scalar_(...) (WEFT_HERE("mul_scalar_"), weft_mul_scalar_(__VA_ARGS__))
#define weft_masked_fill_(...) (WEFT_HERE("masked_fill_"), weft_masked_fill_(__VA_ARGS__))
#define weft_index_add_(...) (WEFT_HERE("index_add_"), weft_index_add_(__VA_ARGS__))
#define weft_scatter_add_(...) (WEFT_HERE("scatter_add_"), weft_scatter_add_(__VA_ARGS__))
#define weft_index_copy_(...) (WEFT_HERE("index_copy_"), weft_index_copy_(__VA_ARGS__))
#define weft_copy_(...) (WEFT_HERE("copy_"), weft_copy_(__VA_ARGS__))
#define weft_fill_(...) (WEFT_HERE("fill_"), weft_fill_(__VA_ARGS__))
#define weft_sgd_step(...) (WEFT_HERE("sgd_step"), weft_sgd_step(__VA_ARGS__))
#define weft_adam_step(...) (WEFT_HERE("adam_step"), weft_adam_step(__VA_ARGS__))
#define weft_rmsprop_step(...) (WEFT_HERE("rmsprop_step"), weft_rmsprop_step(__VA_ARGS__))
#define weft_adagrad_step(...) (WEFT_HERE("adagrad_step"), weft_adagrad_step(__VA_ARGS__))
#define weft_adadelta_step(...) (WEFT_HERE("adadelta_step"), weft_adadelta_step(__VA_ARGS__))
#define weft_nadam_step(...) (WEFT_HERE("nadam_step"), weft_nadam_step(__VA_ARGS__))
#define weft_lion_step(...) (WEFT_HERE("lion_step"), weft_lion_step(__VA_ARGS__))
#endif
#endif
