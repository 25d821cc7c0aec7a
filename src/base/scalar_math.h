/* scalar_math.h - our own elementary functions on float, for the host's vector loops and for the device.
 *
 * Every function is one expression without branches, loops or calls, so that a compiler turns a plain loop over it into
 * vector code on any instruction set, and an element gives the same bits wherever it stands in the loop. Their largest
 * errors stand in src/ops/equivalents.def, from where they come into docs/ops.md.
 *
 * Polynomials are minimax fits (Remez exchange) with coefficients rounded one by one to float, refitting the rest.
 * Where a value is tested for being large, the test is written so that NaN takes the path that keeps it. */
#ifndef WEFT_BASE_SCALAR_MATH_H
#define WEFT_BASE_SCALAR_MATH_H

#ifndef __CUDACC_RTC__
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#endif

/* Qualifier of a function for host and device. Inlining is forced on the host: a call would stop vectorisation. */
#if defined(__CUDACC__)
#define WEFT_HD static __host__ __device__ __forceinline__
#elif defined(__GNUC__)
#define WEFT_HD static inline __attribute__((always_inline, unused))
#else
#define WEFT_HD static inline
#endif

/* Reinterpretation of bits. */
WEFT_HD uint32_t weft__bits_f32(float x)
{
#ifdef __CUDA_ARCH__
    return __float_as_uint(x);
#else
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
#endif
}

WEFT_HD float weft__from_bits_f32(uint32_t u)
{
#ifdef __CUDA_ARCH__
    return __uint_as_float(u);
#else
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
#endif
}

WEFT_HD uint64_t weft__bits_f64(double x)
{
#ifdef __CUDA_ARCH__
    return (uint64_t)__double_as_longlong(x);
#else
    uint64_t u;
    memcpy(&u, &x, sizeof u);
    return u;
#endif
}

WEFT_HD double weft__from_bits_f64(uint64_t u)
{
#ifdef __CUDA_ARCH__
    return __longlong_as_double((long long)u);
#else
    double x;
    memcpy(&x, &u, sizeof x);
    return x;
#endif
}

#if defined(__CUDA_ARCH__) || defined(__FP_FAST_FMAF) || defined(__FMA__)
#define WEFT__FAST_FMA 1
#endif

/* a * b + c, rounded once where the target does that at no cost, else twice. */
WEFT_HD float weft__fma_f32(float a, float b, float c)
{
#ifdef WEFT__FAST_FMA
    return fmaf(a, b, c);
#else
    return a * b + c;
#endif
}

WEFT_HD double weft__fma_f64(double a, double b, double c)
{
#ifdef WEFT__FAST_FMA
    return fma(a, b, c);
#else
    return a * b + c;
#endif
}

/* The rounding error of h, a * b rounded, exactly (barring underflow). Without fma: Dekker's product of 12-bit halves.
 * */
WEFT_HD float weft__product_error_f32(float a, float b, float h)
{
#ifdef WEFT__FAST_FMA
    return fmaf(a, b, -h);
#else
    float a1 = weft__from_bits_f32(weft__bits_f32(a) & 0xfffff000u);
    float b1 = weft__from_bits_f32(weft__bits_f32(b) & 0xfffff000u);
    float a2 = a - a1;
    float b2 = b - b1;
    return (((a1 * b1 - h) + a1 * b2) + a2 * b1) + a2 * b2;
#endif
}

WEFT_HD float weft__m_fabs_f32(float x)
{
    return weft__from_bits_f32(weft__bits_f32(x) & 0x7fffffffu);
}

/* |x| with the sign of s. */
WEFT_HD float weft__copysign_f32(float x, float s)
{
    return weft__from_bits_f32((weft__bits_f32(x) & 0x7fffffffu) | (weft__bits_f32(s) & 0x80000000u));
}

WEFT_HD float weft__m_sqrt_f32(float x)
{
    return sqrtf(x);
}

/* Nearest integer, halves to even; the sign of zero stays. Where there is no instruction: adding and subtracting 2^23
 * rounds, and from 2^23 on every float is an integer. */
WEFT_HD float weft__m_rint_f32(float x)
{
#if defined(__CUDA_ARCH__) || defined(__SSE4_1__) || defined(__aarch64__)
    return rintf(x);
#else
    float a = weft__m_fabs_f32(x);
    float r = weft__copysign_f32((a + 0x1p23f) - 0x1p23f, x);
    return a < 0x1p23f ? r : x;
#endif
}

WEFT_HD float weft__m_floor_f32(float x)
{
#if defined(__CUDA_ARCH__) || defined(__SSE4_1__) || defined(__aarch64__)
    return floorf(x);
#else
    float r = weft__m_rint_f32(x);
    return r > x ? r - 1 : r;
#endif
}

WEFT_HD float weft__m_ceil_f32(float x)
{
#if defined(__CUDA_ARCH__) || defined(__SSE4_1__) || defined(__aarch64__)
    return ceilf(x);
#else
    float r = weft__m_rint_f32(x);
    return weft__copysign_f32(r < x ? r + 1 : r, x); /* ceil(-0.7) is -0 */
#endif
}

/* 2^k for -127 < k < 128. Unsigned, because k is garbage when the argument was NaN. */
WEFT_HD float weft__exp2i_f32(uint32_t k)
{
    return weft__from_bits_f32((k + 127u) << 23);
}

/* x * 2^k for -252 <= k <= 254, rounded once: the first of two factors never underflows. */
WEFT_HD float weft__scale_f32(float x, uint32_t k)
{
    uint32_t half = (uint32_t)((int32_t)k >> 1);
    return x * weft__exp2i_f32(half) * weft__exp2i_f32(k - half);
}

/* The same for -226 <= k <= 27, with less work. */
WEFT_HD float weft__scale_down_f32(float x, uint32_t k)
{
    return x * weft__exp2i_f32(k + 100u) * 0x1p-100f;
}

/* Splits x = k ln 2 + r, |r| <= ln(2)/2 (a little more by rounding). Adding 1.5 * 2^23 rounds to the nearest integer
 * and leaves it in the low bits. The first part of ln 2 has 9 bits, so its product is exact with and without fma. */
WEFT_HD float weft__reduce_ln2_f32(float x, uint32_t *k)
{
    const float magic = 0x1.8p23f;
    float t = weft__fma_f32(x, 0x1.715476p0f, magic);
    float kf = t - magic;
    float r = weft__fma_f32(kf, -0x1.63p-1f, x);
    *k = weft__bits_f32(t) - weft__bits_f32(magic);
    return weft__fma_f32(kf, 0x1.bd0106p-13f, r);
}

/* e^r - 1 for |r| <= 0.347, to 2^-27.8 of e^r. */
WEFT_HD float weft__exp_tail_f32(float r)
{
    float p = 0x1.6ff098p-10f;
    p = weft__fma_f32(p, r, 0x1.1257d2p-7f);
    p = weft__fma_f32(p, r, 0x1.5552fep-5f);
    p = weft__fma_f32(p, r, 0x1.555466p-3f);
    p = weft__fma_f32(p, r, 0.5f);
    return weft__fma_f32(p, r * r, r);
}

/* e^r - 1 for |r| <= 0.347, to 2^-28.2 of itself. */
WEFT_HD float weft__expm1_tail_f32(float r)
{
    float p = 0x1.3b7a62p-13f;
    p = weft__fma_f32(p, r, 0x1.6d2e4ap-10f);
    p = weft__fma_f32(p, r, 0x1.1155a8p-7f);
    p = weft__fma_f32(p, r, 0x1.555502p-5f);
    p = weft__fma_f32(p, r, 0x1.55552cp-3f);
    p = weft__fma_f32(p, r, 0.5f);
    return weft__fma_f32(p, r * r, r);
}

/* Beyond the limits of the clamp the result is 0 or infinity anyway. */
WEFT_HD float weft__m_exp_f32(float x)
{
    uint32_t k;
    float r;
    x = weft__m_fabs_f32(x) > 105.0f ? weft__copysign_f32(105.0f, x) : x;
    r = weft__reduce_ln2_f32(x, &k);
    return weft__scale_f32(1 + weft__exp_tail_f32(r), k);
}

/* y e^(x + low) for x in [-150, 18] and a small correction low; y goes in before the last rounding. */
WEFT_HD float weft__mul_exp_f32(float y, float x, float low)
{
    uint32_t k;
    float r = weft__reduce_ln2_f32(x, &k) + low;
    return weft__scale_down_f32(weft__fma_f32(y, weft__exp_tail_f32(r), y), k);
}

/* With t = 2^(k-1): e^x - 1 = 2 (t (e^r - 1) + (t - 1/2)). The halving keeps k = 128 in range. */
WEFT_HD float weft__m_expm1_f32(float x)
{
    uint32_t k;
    float r, t, y;
    float c = x < -20.0f ? -20.0f : x;
    c = c > 89.0f ? 89.0f : c;
    r = weft__reduce_ln2_f32(c, &k);
    t = weft__exp2i_f32(k - 1);
    y = 2 * weft__fma_f32(t, weft__expm1_tail_f32(r), t - 0.5f);
    return weft__m_fabs_f32(x) < 0x1p-25f ? x : y; /* keeps -0 and denormals, which t would round */
}

/* tanh x = (e^2x - 1) / (e^2x + 1), from |x|, so that nothing cancels; 1 - tanh(10) is below half an ulp of 1. */
WEFT_HD float weft__m_tanh_f32(float x)
{
    uint32_t k;
    float r, t, m;
    float a = 2 * weft__m_fabs_f32(x);
    a = a > 20.0f ? 20.0f : a;
    r = weft__reduce_ln2_f32(a, &k);
    t = weft__exp2i_f32(k);
    m = weft__fma_f32(t, weft__expm1_tail_f32(r), t - 1);
    return weft__copysign_f32(m / (m + 2), x);
}

/* 1 / (1 + e^-x), or e^x / (1 + e^x) for negative x, given e^-|x| = 2^k e^r: the exponential never overflows. */
WEFT_HD float weft__sigmoid_core_f32(float x, float r, uint32_t k)
{
    float e = weft__scale_down_f32(1 + weft__exp_tail_f32(r), k);
    return (x < 0 ? e : 1.0f) / (1 + e);
}

WEFT_HD float weft__m_sigmoid_f32(float x)
{
    uint32_t k;
    float a = weft__m_fabs_f32(x);
    float r = weft__reduce_ln2_f32(a > 105.0f ? -105.0f : -a, &k);
    return weft__sigmoid_core_f32(x, r, k);
}

/* x sigmoid(x). For negative x it is x e^x / (1 + e^x), and x goes into the exponential before that is rounded:
 * sigmoid(-100) alone is a denormal with few bits left. Below -110 all is 0, but for -inf, which times 0 is NaN. */
WEFT_HD float weft__m_silu_f32(float x)
{
    uint32_t k;
    float c = x < -110.0f ? -110.0f : x;
    float a = weft__m_fabs_f32(c);
    float tail = weft__exp_tail_f32(weft__reduce_ln2_f32(a > 110.0f ? -110.0f : -a, &k));
    float e = weft__scale_down_f32(1 + tail, k);
    float xe = weft__scale_down_f32(weft__fma_f32(c, tail, c), k);
    return x < -110.0f ? x * 0.0f : (x < 0 ? xe : x) / (1 + e);
}

/* (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2, the stand-in for Phi(x) in GELU's tanh form (Hendrycks and Gimpel
 * 2016), as a sigmoid of twice that argument, u. An error of u counts absolutely, so it is needed to more than a float.
 * Returns r and k of e^-|u| = 2^k e^r, for |x| <= 12: beyond that the sigmoid is 0 or 1. */
WEFT_HD float weft__reduce_tanhcdf_f32(float x, uint32_t *k)
{
    double a = (double)x;
    double u = a * weft__fma_f64(a * a, 0.07135481627260025, 1.5957691216057307);
    float high = (float)u;
    float low = (float)(u - (double)high);
    float r = weft__reduce_ln2_f32(-weft__m_fabs_f32(high), k);
    return high < 0 ? r + low : r - low;
}

WEFT_HD float weft__m_tanhcdf_f32(float x)
{
    uint32_t k;
    float r = weft__reduce_tanhcdf_f32(weft__m_fabs_f32(x) > 12.0f ? weft__copysign_f32(12.0f, x) : x, &k);
    return weft__sigmoid_core_f32(x, r, k);
}

/* x tanhcdf(x), with x in the exponential as in silu. */
WEFT_HD float weft__m_gelu_tanh_f32(float x)
{
    uint32_t k;
    float c = x < -12.0f ? -12.0f : x;
    float tail = weft__exp_tail_f32(weft__reduce_tanhcdf_f32(c > 12.0f ? 12.0f : c, &k));
    float e = weft__scale_down_f32(1 + tail, k);
    float xe = weft__scale_down_f32(weft__fma_f32(c, tail, c), k);
    return x < -12.0f ? x * 0.0f : (x < 0 ? xe : x) / (1 + e);
}

/* log(1 + f) - f for -1/4 <= f <= 1/2; f added, to 2^-27.5 of log(1 + f). */
WEFT_HD float weft__log1p_tail_f32(float f)
{
    float p = -0x1.79632p-5f;
    p = weft__fma_f32(p, f, 0x1.b1fa52p-4f);
    p = weft__fma_f32(p, f, -0x1.0e8f8p-3f);
    p = weft__fma_f32(p, f, 0x1.2875e6p-3f);
    p = weft__fma_f32(p, f, -0x1.54d6c8p-3f);
    p = weft__fma_f32(p, f, 0x1.99672p-3f);
    p = weft__fma_f32(p, f, -0x1.000082p-2f);
    p = weft__fma_f32(p, f, 0x1.5555acp-2f);
    p = weft__fma_f32(p, f, -0.5f);
    return p * f * f;
}

/* Splits x > 0 into 2^e (1 + f), 3/4 <= 1 + f < 3/2; returns f. Denormals are scaled up first. */
WEFT_HD float weft__reduce_log_f32(float x, float *e)
{
    const uint32_t base = 0x3f400000u; /* 0.75 */
    int small = x < 0x1p-126f;
    uint32_t u = weft__bits_f32(small ? x * 0x1p23f : x) - base;
    *e = (float)((int32_t)u >> 23) - (small ? 23.0f : 0.0f);
    return weft__from_bits_f32((u & 0x7fffffu) + base) - 1;
}

/* y for positive finite x; the limits and NaN for the rest. */
WEFT_HD float weft__log_edges_f32(float x, float y)
{
    const float inf = weft__from_bits_f32(0x7f800000u);
    y = x < inf ? y : x; /* +inf, NaN */
    y = x == 0 ? -inf : y;
    return x < 0 ? weft__from_bits_f32(0x7fc00000u) : y;
}

WEFT_HD float weft__m_log_f32(float x)
{
    float e, t;
    float f = weft__reduce_log_f32(x, &e);
    t = weft__fma_f32(e, -0x1.bd0106p-13f, weft__log1p_tail_f32(f));
    return weft__log_edges_f32(x, weft__fma_f32(e, 0x1.63p-1f, f + t));
}

/* log2(1 + f) = log2(e) log(1 + f), with log2(e) in two parts; powers of two are exact. */
WEFT_HD float weft__m_log2_f32(float x)
{
    float e, t;
    float f = weft__reduce_log_f32(x, &e);
    t = f + weft__log1p_tail_f32(f);
    return weft__log_edges_f32(x, e + weft__fma_f32(t, 0x1.715476p0f, t * 0x1.4ae0cp-26f));
}

/* 1 + x = 2^e (1 + f) with f = x 2^-e + (2^-e - 1), whose two terms are exact. Past 2^30 the 1 no longer counts, and f
 * would leave the range of 2^-e: there x is scaled by 2^-64 first. */
WEFT_HD float weft__m_log1p_f32(float x)
{
    const uint32_t base = 0x3f400000u;
    const float inf = weft__from_bits_f32(0x7f800000u);
    int big = x > 0x1p30f;
    float v = big ? x * 0x1p-64f : x;
    float one = big ? 0.0f : 1.0f;
    uint32_t u = (weft__bits_f32(v + one) - base) & 0xff800000u;
    float s = weft__from_bits_f32(0x3f800000u - u); /* 2^-e */
    float e = (float)((int32_t)u >> 23);
    float f = big ? v * s - 1 : weft__fma_f32(v, s, s - 1);
    float t = weft__fma_f32(big ? e + 64 : e, -0x1.bd0106p-13f, weft__log1p_tail_f32(f));
    float y = weft__fma_f32(big ? e + 64 : e, 0x1.63p-1f, f + t);
    y = x < inf ? y : x;
    y = x == 0 ? x : y; /* keeps -0 */
    y = x == -1 ? -inf : y;
    return x < -1 ? weft__from_bits_f32(0x7fc00000u) : y;
}

/* x (2/pi) for 0 <= x: the nearest integer modulo 4 goes to quadrant, (x - nearest) pi/2 in [-pi/4, pi/4] is returned.
 *
 * Payne and Hanek's reduction, in double and without a branch. 2/pi is cut into two pieces of 29 bits, whose products
 * with a float are exact, and a rest of 53; of each product only the part below 1 is kept. From 2^51 on the leading
 * bits of 2/pi, which yield multiples of 4, are dropped to make room below: the pieces change every 26 binades. A float
 * comes no nearer to a multiple of pi/2 than 2^-30 or so, and the sum is good to 2^-57. */
WEFT_HD float weft__reduce_pio2_f32(float x, uint32_t *quadrant)
{
    const double magic = 0x1.8p52; /* rounds to an integer and leaves it in the low bits */
    double a = (double)x;
    double c0 = 0x1.abe8fa9p-79, c1 = 0x1.4ddc0dbp-108, c2 = 0x1.8a5664f10e41p-138;
    double t0, t1, m0, m1, f;
    c0 = a < 0x1p103 ? 0x1.4a7f09cp-54 : c0;
    c1 = a < 0x1p103 ? 0x1.5f47d4dp-82 : c1;
    c2 = a < 0x1p103 ? 0x1.bb81b6c52b328p-113 : c2;
    c0 = a < 0x1p77 ? 0x1.727220ap-27 : c0;
    c1 = a < 0x1p77 ? 0x1.29fc275p-56 : c1;
    c2 = a < 0x1p77 ? 0x1.f47d4d377036ep-86 : c2;
    c0 = a < 0x1p51 ? 0x1.45f306dp-1 : c0;
    c1 = a < 0x1p51 ? 0x1.9391054p-30 : c1;
    c2 = a < 0x1p51 ? 0x1.4fe13abe8fa9ap-59 : c2;
    t0 = a * c0;
    t1 = a * c1;
    m0 = t0 + magic;
    f = t0 - (m0 - magic);
    m1 = (f + t1) + magic;
    f = (f - (m1 - magic)) + t1; /* exact where it cancels */
    f = weft__fma_f64(a, c2, f);
    *quadrant = (uint32_t)weft__bits_f64(m0) + (uint32_t)weft__bits_f64(m1);
    return (float)(f * 0x1.921fb54442d18p0);
}

/* sin r and cos r for |r| <= pi/4, to 2^-27.9 and 2^-33. */
WEFT_HD float weft__sin_core_f32(float r)
{
    float z = r * r;
    float p = -0x1.995406p-13f;
    p = weft__fma_f32(p, z, 0x1.110778p-7f);
    p = weft__fma_f32(p, z, -0x1.555546p-3f);
    return weft__fma_f32(p * z, r, r);
}

WEFT_HD float weft__cos_core_f32(float r)
{
    float z = r * r;
    float p = 0x1.99e80cp-16f;
    p = weft__fma_f32(p, z, -0x1.6c0c28p-10f);
    p = weft__fma_f32(p, z, 0x1.55554ap-5f);
    p = weft__fma_f32(p, z, -0.5f);
    return weft__fma_f32(p, z, 1.0f);
}

WEFT_HD float weft__m_sin_f32(float x)
{
    uint32_t n;
    float r = weft__reduce_pio2_f32(weft__m_fabs_f32(x), &n);
    float y = n & 1 ? weft__cos_core_f32(r) : weft__sin_core_f32(r);
    return weft__from_bits_f32(weft__bits_f32(y) ^ ((n & 2) << 30) ^ (weft__bits_f32(x) & 0x80000000u));
}

WEFT_HD float weft__m_cos_f32(float x)
{
    uint32_t n;
    float r = weft__reduce_pio2_f32(weft__m_fabs_f32(x), &n);
    float y = n & 1 ? weft__sin_core_f32(r) : weft__cos_core_f32(r);
    return weft__from_bits_f32(weft__bits_f32(y) ^ (((n + 1) & 2) << 30));
}

WEFT_HD float weft__m_tan_f32(float x)
{
    uint32_t n;
    float r = weft__reduce_pio2_f32(weft__m_fabs_f32(x), &n);
    float s = weft__sin_core_f32(r);
    float c = weft__cos_core_f32(r);
    float y = (n & 1 ? -c : s) / (n & 1 ? s : c);
    return weft__from_bits_f32(weft__bits_f32(y) ^ (weft__bits_f32(x) & 0x80000000u));
}

/* Below 7/8: x + x P(x^2). Above: 1 - e^Q(|x|), Q = log(erfc), up to where 1 - erf is less than half an ulp of 1. */
WEFT_HD float weft__m_erf_f32(float x)
{
    float a = weft__m_fabs_f32(x);
    float b = a > 3.95f ? 3.95f : a;
    float z = x * x;
    float p = 0x1.49c748p-14f;
    float q = 0x1.a58542p-13f;
    float t;
    uint32_t k;
    p = weft__fma_f32(p, z, -0x1.a4c876p-11f);
    p = weft__fma_f32(p, z, 0x1.54313ep-8f);
    p = weft__fma_f32(p, z, -0x1.b7ff9p-6f);
    p = weft__fma_f32(p, z, 0x1.ce2d5cp-4f);
    p = weft__fma_f32(p, z, -0x1.81274p-2f);
    p = weft__fma_f32(p, z, 0x1.06eba8p-3f);
    q = weft__fma_f32(q, b, -0x1.95503cp-9f);
    q = weft__fma_f32(q, b, 0x1.6f554p-6f);
    q = weft__fma_f32(q, b, -0x1.ab5354p-4f);
    q = weft__fma_f32(q, b, -0x1.46026cp-1f);
    q = weft__fma_f32(q, b, -0x1.20c06cp0f);
    q = weft__fma_f32(q, b, -0x1.182114p-13f);
    q = weft__exp_tail_f32(weft__reduce_ln2_f32(q, &k));
    t = weft__exp2i_f32(k);
    q = weft__copysign_f32(1 - weft__fma_f32(t, q, t), x);
    return a < 0.875f ? weft__fma_f32(p, x, x) : q;
}

/* E / t, where E = Phi(-a) e^(a^2/2), Phi the normal distribution function, and t = 1 / (1 + a/4), 0 <= a <= 14.4: a
 * polynomial in t - 0.50390625, which keeps its rounding errors small, to 2^-26.4. */
WEFT_HD float weft__mills_core_f32(float t)
{
    float u = t - 0.50390625f;
    float p = 0x1.12c5fep-6f;
    p = weft__fma_f32(p, u, 0x1.8fb914p-7f);
    p = weft__fma_f32(p, u, -0x1.98afeap-5f);
    p = weft__fma_f32(p, u, -0x1.d7bd9ap-5f);
    p = weft__fma_f32(p, u, 0x1.e249a4p-5f);
    p = weft__fma_f32(p, u, 0x1.f136p-3f);
    p = weft__fma_f32(p, u, 0x1.81ep-2f);
    p = weft__fma_f32(p, u, 0x1.90ed6cp-2f);
    p = weft__fma_f32(p, u, 0x1.3a5b92p-2f);
    return weft__fma_f32(p, u, 0x1.852654p-3f);
}

/* y Phi(-(a + low)) for 0 <= a <= 14.4 and a correction low below an ulp of a. The rounded t belongs to an argument
 * that is too small by 4 (t (1 + a/4) - 1) / t; that and low are made good by E' = a E - 1/sqrt(2 pi), the equation
 * that E satisfies. The rounding error of a^2 goes into the exponential. */
WEFT_HD float weft__normal_tail_f32(float y, float a, float low)
{
    float c = 0.25f * a;
    float d = 1 + c;
    float t = 1 / d;
    float miss = weft__product_error_f32(t, d, 1.0f) + t * ((1 - d) + c);
    float q = weft__mills_core_f32(t);
    float h = a * a;
    float h_low = weft__product_error_f32(a, a, h) + 2 * a * low;
    float slope = weft__fma_f32(a * t, q, -0x1.988454p-2f);
    float e = weft__fma_f32(t, q, weft__fma_f32(4 * d, miss, low) * slope);
    return weft__mul_exp_f32(y * e, -0.5f * h, -0.5f * h_low);
}

WEFT_HD float weft__m_normcdf_f32(float x)
{
    float a = weft__m_fabs_f32(x);
    float y = weft__normal_tail_f32(1.0f, a > 14.25f ? 14.25f : a, 0.0f);
    return x > 0 ? 1 - y : y;
}

/* x Phi(x), with x in the exponential as in silu. Below -14.4 it is 0. */
WEFT_HD float weft__m_gelu_f32(float x)
{
    float a = weft__m_fabs_f32(x);
    float y = weft__normal_tail_f32(x > 0 ? 1.0f : x < -14.4f ? 0.0f : x, a > 14.4f ? 14.4f : a, 0.0f);
    return x > 0 ? x * (1 - y) : x < -14.4f ? x * 0.0f : y;
}

/* erfc(x) = 2 Phi(-x sqrt 2), with the rounding error of x sqrt 2. */
WEFT_HD float weft__m_erfc_f32(float x)
{
    float z = weft__m_fabs_f32(x);
    float a, y;
    z = z > 10.06f ? 10.06f : z;
    a = z * 0x1.6a09e6p0f;
    y = 2 * weft__normal_tail_f32(1.0f, a, weft__product_error_f32(z, 0x1.6a09e6p0f, a) + z * 0x1.9fcef4p-26f);
    return x < 0 ? 2 - y : y;
}

/* log2 of a float >= 0, in double to 2^-45: a = 2^e m with sqrt(1/2) <= m < sqrt 2, and
 * log2 m = 2 atanh(s) / ln 2 with s = (m - 1) / (m + 1). Not for NaN. */
WEFT_HD double weft__log2_wide_f32(double a)
{
    const double inf = weft__from_bits_f64(0x7ff0000000000000u);
    const uint64_t one = 0x3ff0000000000000u;
    uint64_t u = weft__bits_f64(a) - 0x3fe6a09e667f3bcdu + one; /* the exponent field of u is e + 1023 */
    double e = weft__from_bits_f64((u >> 52) | weft__bits_f64(0x1p52)) - (0x1p52 + 1023);
    double m = weft__from_bits_f64(weft__bits_f64(a) - (u & 0xfff0000000000000u) + one);
    double s = (m - 1) / (m + 1);
    double z = s * s;
    double p = 0x1.21b172e708360p-2;
    p = weft__fma_f64(p, z, 0x1.47954d49163d3p-2);
    p = weft__fma_f64(p, z, 0x1.a61a2efd087d1p-2);
    p = weft__fma_f64(p, z, 0x1.2776c293046dap-1);
    p = weft__fma_f64(p, z, 0x1.ec709dc53c91cp-1);
    p = weft__fma_f64(p, z, 0x1.71547652b8251p1);
    p = weft__fma_f64(p, s, e);
    p = a < inf ? p : inf;
    return a > 0 ? p : -inf;
}

/* 2^t rounded to float. */
WEFT_HD float weft__exp2_wide_f32(double t)
{
    const double magic = 0x1.8p52;
    double m;
    t = t < -160 ? -160 : t;
    t = t > 160 ? 160 : t;
    m = t + magic;
    t = (t - (m - magic)) * 0x1.62e42fefa39efp-1;
    return weft__scale_f32(1 + weft__exp_tail_f32((float)t), (uint32_t)weft__bits_f64(m));
}

/* a^b = 2^(b log2|a|), negative for negative a and odd b; special cases as in C (F.10.4.4). No choice rests on b alone:
 * in a loop with constant b that would be a branch that GCC does not vectorise. */
WEFT_HD float weft__pow_wide_f32(float a, double b, bool is_int, uint32_t is_odd)
{
    const float inf = weft__from_bits_f32(0x7f800000u);
    double l = weft__log2_wide_f32((double)weft__m_fabs_f32(a));
    float y = weft__exp2_wide_f32(l == 0 ? 0 : l * b); /* |a| = 1: also for infinite b */
    y = weft__from_bits_f32(weft__bits_f32(y) ^ (weft__bits_f32(a) & (is_odd << 31)));
    y = ((a < 0) & (a > -inf) & !is_int) ? weft__from_bits_f32(0x7fc00000u) : y;
    y = a != a ? a : y;
    return ((b == 0) | (a == 1)) ? 1.0f : y;
}

WEFT_HD float weft__m_pow_f32(float a, float b)
{
    bool is_int = weft__m_rint_f32(b) == b;
    return weft__pow_wide_f32(a, (double)b, is_int,
                              (uint32_t)is_int & (uint32_t)(weft__m_rint_f32(0.5f * b) != 0.5f * b));
}

/* a^(b - 1), b - 1 unrounded: from 2^24 on every float is even and one less is none. */
WEFT_HD float weft__m_pow_less_one_f32(float a, float b)
{
    bool is_int = weft__m_rint_f32(b) == b;
    uint32_t is_even = (uint32_t)(weft__m_rint_f32(0.5f * b) == 0.5f * b) & (uint32_t)(b - b == 0);
    return weft__pow_wide_f32(a, (double)b - 1, is_int, is_even);
}

/* atan of the smaller over the larger of |y|, |x|, reflected at the octant, axis and half plane. */
WEFT_HD float weft__m_atan2_f32(float y, float x)
{
    float ax = weft__m_fabs_f32(x);
    float ay = weft__m_fabs_f32(y);
    float hi = ay > ax ? ay : ax;
    float lo = ay > ax ? ax : ay;
    float q = lo == hi ? (lo == 0 ? 0.0f : 1.0f) : lo / hi; /* also inf / inf */
    float z = q * q;
    float p = -0x1.d32dacp-10f;
    p = weft__fma_f32(p, z, 0x1.6410e4p-7f);
    p = weft__fma_f32(p, z, -0x1.fd6fbcp-6f);
    p = weft__fma_f32(p, z, 0x1.da24cap-5f);
    p = weft__fma_f32(p, z, -0x1.580814p-4f);
    p = weft__fma_f32(p, z, 0x1.c08c1ap-4f);
    p = weft__fma_f32(p, z, -0x1.242084p-3f);
    p = weft__fma_f32(p, z, 0x1.9991e4p-3f);
    p = weft__fma_f32(p, z, -0x1.55553ep-2f);
    p = weft__fma_f32(p * z, q, q);
    p = ay > ax ? (0x1.921fb6p0f - p) - 0x1.777a5cp-25f : p;
    p = weft__bits_f32(x) >> 31 ? (0x1.921fb6p1f - p) - 0x1.777a5cp-24f : p;
    p = ((x != x) | (y != y)) ? x + y : p;
    return weft__copysign_f32(p, y);
}

#endif
