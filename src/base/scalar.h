/* scalar.h - every elementwise formula of ops.def, once, as inline functions of float, double and int64_t, for the CPU
 * loops and the CUDA functors: weft__f_exp_f32(x), weft__d_exp_f64(x, y, g), weft__da_mul_f32(a, b, y, g) ...
 * (scalar.inc lists them). C17 and CUDA C++17.
 *
 * M(fn) in a formula is weft__m_fn_f32, _f64 or _i64. The f32 functions are our own (scalar_math.h); f64 uses the
 * platform's library; i64 has those that NUM rows use, wrapping around like all integer arithmetic here. */
#ifndef WEFT_BASE_SCALAR_H
#define WEFT_BASE_SCALAR_H

#include "base/scalar_elementary.h"
#include "base/scalar_math.h"
#include "base/scalar_special.h"

/* Remainder with the sign of b, as in Python; a zero remainder too takes b's sign. */
WEFT_HD float weft__m_mod_f32(float a, float b)
{
    float r = fmodf(a, b);
    if (r == 0) {
        return weft__copysign_f32(0.0f, b);
    }
    return (b < 0) != (r < 0) ? r + b : r;
}

WEFT_HD double weft__m_mod_f64(double a, double b)
{
    double r = fmod(a, b);
    if (r == 0) {
        return copysign(0.0, b);
    }
    return (b < 0) != (r < 0) ? r + b : r;
}

WEFT_HD int64_t weft__m_mod_i64(int64_t a, int64_t b)
{
    int64_t r;
    if (b == 0 || b == -1) { /* by definition; and INT64_MIN % -1 traps */
        return 0;
    }
    r = a % b;
    return r != 0 && (b < 0) != (r < 0) ? r + b : r;
}

/* a^b modulo 2^64 by repeated squaring; for negative b the fraction is cut off. */
WEFT_HD int64_t weft__m_pow_i64(int64_t a, int64_t b)
{
    uint64_t x = (uint64_t)a;
    uint64_t y = 1;
    if (b < 0) {
        return a == 1 || a == -1 ? (b & 1 ? a : 1) : 0;
    }
    for (; b > 0; b >>= 1) {
        y = b & 1 ? y * x : y;
        x *= x;
    }
    return (int64_t)y;
}

/* Remainder with the sign of a, as C's. */
WEFT_HD float weft__m_fmod_f32(float a, float b)
{
    return fmodf(a, b);
}

WEFT_HD double weft__m_fmod_f64(double a, double b)
{
    return fmod(a, b);
}

WEFT_HD int64_t weft__m_fmod_i64(int64_t a, int64_t b)
{
    return b == 0 || b == -1 ? 0 : a % b; /* as mod */
}

/* The largest whole number <= a / b, exactly: from the remainder, where a / b may round up to one. As Python and
 * NumPy; an integer by 0 gives 0, and the one quotient that is too large wraps. */
WEFT_HD double weft__m_floor_divide_f64(double a, double b)
{
    const double r = fmod(a, b), ratio = a / b;
    double q, whole;
    if (b == 0) {
        return ratio;
    }
    q = (a - r) / b - (r != 0 && (b < 0) != (r < 0) ? 1 : 0);
    whole = floor(q);
    whole += q - whole > 0.5 ? 1 : 0;
    return q == 0 ? copysign(0.0, ratio) : whole;
}

WEFT_HD float weft__m_floor_divide_f32(float a, float b)
{
    return (float)weft__m_floor_divide_f64((double)a, (double)b);
}

WEFT_HD int64_t weft__m_floor_divide_i64(int64_t a, int64_t b)
{
    if (b == 0 || b == -1) {
        return b == 0 ? 0 : (int64_t)(0 - (uint64_t)a);
    }
    return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
}

/* sqrt(a^2 + b^2); in double no square overflows or vanishes. Infinite beside NaN, too, as in C. */
WEFT_HD float weft__m_hypot_f32(float a, float b)
{
    const float inf = weft__from_bits_f32(0x7f800000u);
    float y = (float)sqrt((double)a * (double)a + (double)b * (double)b);
    return (weft__m_fabs_f32(a) == inf) | (weft__m_fabs_f32(b) == inf) ? inf : y;
}

WEFT_HD double weft__m_hypot_f64(double a, double b)
{
    return hypot(a, b);
}

WEFT_HD float weft__m_copysign_f32(float a, float b)
{
    return weft__copysign_f32(a, b);
}

WEFT_HD double weft__m_copysign_f64(double a, double b)
{
    return copysign(a, b);
}

WEFT_HD bool weft__m_signbit_f32(float x)
{
    return weft__bits_f32(x) >> 31 != 0;
}

WEFT_HD bool weft__m_signbit_f64(double x)
{
    return weft__bits_f64(x) >> 63 != 0;
}

WEFT_HD bool weft__m_signbit_i64(int64_t x)
{
    return x < 0;
}

WEFT_HD int64_t weft__m_fabs_i64(int64_t x)
{
    return x < 0 ? (int64_t)(0 - (uint64_t)x) : x;
}

/* a 2^b and floor(a / 2^b); a shift by a negative number or by all bits leaves none of a but its sign. */
WEFT_HD int64_t weft__m_left_shift_i64(int64_t a, int64_t b)
{
    return (uint64_t)b < 64 ? (int64_t)((uint64_t)a << (uint64_t)b) : 0;
}

WEFT_HD int64_t weft__m_right_shift_i64(int64_t a, int64_t b)
{
    const uint64_t sign = a < 0 ? UINT64_MAX : 0; /* of a negative number the bits of its complement move */
    return (uint64_t)b < 64 ? (int64_t)((((uint64_t)a ^ sign) >> (uint64_t)b) ^ sign) : (int64_t)sign;
}

/* By Euclid's algorithm, on magnitudes. */
WEFT_HD int64_t weft__m_gcd_i64(int64_t a, int64_t b)
{
    uint64_t x = (uint64_t)weft__m_fabs_i64(a), y = (uint64_t)weft__m_fabs_i64(b);
    while (y != 0) {
        const uint64_t rest = x % y;
        x = y;
        y = rest;
    }
    return (int64_t)x;
}

WEFT_HD int64_t weft__m_lcm_i64(int64_t a, int64_t b)
{
    const uint64_t common = (uint64_t)weft__m_gcd_i64(a, b);
    return common == 0 ? 0 : (int64_t)((uint64_t)weft__m_fabs_i64(a) / common * (uint64_t)weft__m_fabs_i64(b));
}

WEFT_HD int64_t weft__m_floor_i64(int64_t x)
{
    return x;
}

WEFT_HD int64_t weft__m_ceil_i64(int64_t x)
{
    return x;
}

WEFT_HD int64_t weft__m_rint_i64(int64_t x)
{
    return x;
}

/* Functions of one double that the platform's library has. */
#define WEFT__LIBM(fn)                                                                                                 \
    WEFT_HD double weft__m_##fn##_f64(double x)                                                                        \
    {                                                                                                                  \
        return fn(x);                                                                                                  \
    }
WEFT__LIBM(fabs)
WEFT__LIBM(floor)
WEFT__LIBM(ceil)
WEFT__LIBM(rint)
WEFT__LIBM(sqrt)
WEFT__LIBM(exp)
WEFT__LIBM(expm1)
WEFT__LIBM(log)
WEFT__LIBM(log1p)
WEFT__LIBM(log2)
WEFT__LIBM(sin)
WEFT__LIBM(cos)
WEFT__LIBM(tan)
WEFT__LIBM(tanh)
WEFT__LIBM(erf)
WEFT__LIBM(erfc)
WEFT__LIBM(exp2)
WEFT__LIBM(log10)
WEFT__LIBM(cbrt)
WEFT__LIBM(sinh)
WEFT__LIBM(cosh)
WEFT__LIBM(asin)
WEFT__LIBM(acos)
WEFT__LIBM(atan)
WEFT__LIBM(asinh)
WEFT__LIBM(acosh)
WEFT__LIBM(atanh)
#undef WEFT__LIBM

WEFT_HD double weft__m_pow_f64(double a, double b)
{
    return pow(a, b);
}

/* a^(b - 1). From 2^53 on b is even, so that b - 1 is odd, which rounding hides from pow. */
WEFT_HD double weft__m_pow_less_one_f64(double a, double b)
{
    double y = pow(a, b - 1);
    return fabs(b) >= 0x1p53 && b - b == 0 ? copysign(y, a) : y;
}

WEFT_HD double weft__m_atan2_f64(double y, double x)
{
    return atan2(y, x);
}

/* e^-|x|. In f32 that is less work than exp, since no result is large. */
WEFT_HD float weft__m_exp_falling_f32(float x)
{
    uint32_t k;
    float a = weft__m_fabs_f32(x);
    float r = weft__reduce_ln2_f32(a > 105.0f ? -105.0f : -a, &k);
    return weft__scale_down_f32(1 + weft__exp_tail_f32(r), k);
}

WEFT_HD double weft__m_exp_falling_f64(double x)
{
    return exp(-fabs(x));
}

/* 1 / (1 + e^-x) without overflow. */
WEFT_HD double weft__m_sigmoid_f64(double x)
{
    double e = exp(-fabs(x));
    return (x < 0 ? e : 1.0) / (1 + e);
}

WEFT_HD double weft__m_tanhcdf_f64(double x)
{
    return weft__m_sigmoid_f64(1.5957691216057307117 * x * (1 + 0.044715 * x * x));
}

WEFT_HD double weft__m_normcdf_f64(double x)
{
    return 0.5 * erfc(x * -0.70710678118654752440);
}

WEFT_HD double weft__m_silu_f64(double x)
{
    return x * weft__m_sigmoid_f64(x);
}

WEFT_HD double weft__m_gelu_f64(double x)
{
    return x * weft__m_normcdf_f64(x);
}

WEFT_HD double weft__m_gelu_tanh_f64(double x)
{
    return x * weft__m_tanhcdf_f64(x);
}

WEFT_HD double weft__m_mish_f64(double x)
{
    const double w = exp(x < 40 ? x : 40);
    return x * (w * ((w + 2) / (w * (w + 2) + 2)));
}

/* As in f32, but that pi is rounded. */
WEFT_HD double weft__m_sinc_f64(double x)
{
    const double a = fabs(x) > 0x1p53 ? 0x1p53 : fabs(x);
    const double n = rint(2 * a), angle = 3.14159265358979323846 * (a - 0.5 * n);
    const double turns = n - 4 * floor(0.25 * n);
    const double s = turns == 1 || turns == 3 ? cos(angle) : sin(angle);
    const double y = (turns >= 2 ? -s : s) / (3.14159265358979323846 * fabs(x));
    return a < 0x1p-30 ? 1.0 : y;
}

#define T float
#define M(fn) weft__m_##fn##_f32
#define K(c) ((float)(c))
#define FN(stem, name) stem##name##_f32
#include "base/scalar.inc"

#define T double
#define M(fn) weft__m_##fn##_f64
#define K(c) ((double)(c))
#define FN(stem, name) stem##name##_f64
#include "base/scalar.inc"

#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtautological-compare" /* x != x asks for NaN, which integers do not have */
#endif
#define T int64_t
#define M(fn) weft__m_##fn##_i64
#define K(c) ((int64_t)(c))
#define FN(stem, name) stem##name##_i64
#define WEFT__T_IS_INT
#include "base/scalar.inc"
#undef WEFT__T_IS_INT
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

#endif
