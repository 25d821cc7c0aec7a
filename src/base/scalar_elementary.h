/* scalar_elementary.h - elementary functions on float that are made of those in scalar_math.h: one expression each,
 * for the host's vector loops and for the device. */
#ifndef WEFT_BASE_SCALAR_ELEMENTARY_H
#define WEFT_BASE_SCALAR_ELEMENTARY_H

#include "base/scalar_math.h"

/* 2^x = 2^k 2^r, k the nearest integer; x - k is exact. Beyond the limits of the clamp the result is 0 or infinity. */
WEFT_HD float weft__m_exp2_f32(float x)
{
    const float magic = 0x1.8p23f; /* rounds to an integer and leaves it in the low bits */
    float c = weft__m_fabs_f32(x) > 152.0f ? weft__copysign_f32(152.0f, x) : x;
    float t = c + magic;
    float r = c - (t - magic);
    uint32_t k = weft__bits_f32(t) - weft__bits_f32(magic);
    float y = weft__scale_f32(1 + weft__exp_tail_f32(r * 0x1.62e430p-1f), k);
    return x != x ? x : y;
}

/* log10(2^e (1 + f)): e log10(2) in two parts, of which the first has 12 bits, so that its product is exact. */
WEFT_HD float weft__m_log10_f32(float x)
{
    float e, t, low;
    float f = weft__reduce_log_f32(x, &e);
    t = f + weft__log1p_tail_f32(f);
    low = weft__fma_f32(e, 0x1.3509f800p-18f, t * -0x1.5b235ep-27f);
    low = weft__fma_f32(t, 0x1.bcb7b2p-2f, low);
    return weft__log_edges_f32(x, weft__fma_f32(e, 0x1.344p-2f, low));
}

/* Real cube root, by two steps of Halley's method in double from a third of the exponent (5 bits): 11, then 33 bits. */
WEFT_HD float weft__m_cbrt_f32(float x)
{
    float a = weft__m_fabs_f32(x);
    bool small = a < 0x1p-126f;
    double v = (double)(small ? a * 0x1p24f : a);
    double t = (double)weft__from_bits_f32(weft__bits_f32((float)v) / 3 + 0x2a5119f2u);
    double c = t * t * t;
    t = t * (c + 2 * v) / (2 * c + v);
    c = t * t * t;
    t = t * (c + 2 * v) / (2 * c + v);
    a = a - a == 0 && a > 0 ? (float)(small ? t * 0x1p-8 : t) : a;
    return weft__copysign_f32(a, x);
}

/* e^|x| / 2, with |x| limited to 90: beyond that it is infinite. */
WEFT_HD float weft__half_exp_f32(float a)
{
    uint32_t k;
    float r = weft__reduce_ln2_f32(a > 90.0f ? 90.0f : a, &k);
    return weft__scale_f32(1 + weft__exp_tail_f32(r), k - 1);
}

WEFT_HD float weft__m_cosh_f32(float x)
{
    float h = weft__half_exp_f32(weft__m_fabs_f32(x));
    float y = h + 0.25f / h;
    return x != x ? x : y;
}

/* From 1 on (e^a - e^-a) / 2; below, with m = e^a - 1, (m + m / (m + 1)) / 2, in which nothing cancels. */
WEFT_HD float weft__m_sinh_f32(float x)
{
    float a = weft__m_fabs_f32(x);
    float h = weft__half_exp_f32(a);
    float m = weft__m_expm1_f32(a > 1.0f ? 1.0f : a);
    float y = a > 1.0f ? h - 0.25f / h : 0.5f * (m + m / (m + 1));
    return x != x ? x : weft__copysign_f32(y, x);
}

WEFT_HD float weft__m_atan_f32(float x)
{
    return weft__m_atan2_f32(x, 1.0f);
}

/* The angle of the point (sqrt(1 - x^2), x) on the circle; 1 - x is exact where it is small. NaN outside [-1, 1]. */
WEFT_HD float weft__m_asin_f32(float x)
{
    return weft__m_atan2_f32(x, sqrtf((1 - x) * (1 + x)));
}

WEFT_HD float weft__m_acos_f32(float x)
{
    return weft__m_atan2_f32(sqrtf((1 - x) * (1 + x)), x);
}

/* log(a + sqrt(a^2 + 1)) = log1p(a + a^2 / (1 + sqrt(a^2 + 1))); from 2^14 on log(2 a), to a float. */
WEFT_HD float weft__m_asinh_f32(float x)
{
    float a = weft__m_fabs_f32(x);
    bool big = a > 0x1p14f;
    float c = big ? 1.0f : a;
    float v = c + c * c / (1 + sqrtf(weft__fma_f32(c, c, 1.0f)));
    float y = weft__m_log1p_f32(big ? a - 1 : v);
    y = big ? y + 0x1.62e430p-1f : y;
    return x != x ? x : weft__copysign_f32(y, x);
}

/* log(x + sqrt(x^2 - 1)) = log1p(t + sqrt(t (t + 2))), t = x - 1; NaN below 1. */
WEFT_HD float weft__m_acosh_f32(float x)
{
    bool big = x > 0x1p14f;
    float t = big ? 1.0f : x - 1;
    float v = t + sqrtf(t * (t + 2));
    float y = weft__m_log1p_f32(big ? x - 1 : v);
    y = big ? y + 0x1.62e430p-1f : y;
    return x < 1 ? weft__from_bits_f32(0x7fc00000u) : y;
}

/* log((1 + a) / (1 - a)) / 2 = log1p(2 a + 2 a^2 / (1 - a)) / 2; NaN beyond 1. */
WEFT_HD float weft__m_atanh_f32(float x)
{
    float a = weft__m_fabs_f32(x);
    float d = 2 * a;
    float v = a < 0.5f ? weft__fma_f32(d, a / (1 - a), d) : d / (1 - a);
    return weft__copysign_f32(0.5f * weft__m_log1p_f32(v), x);
}

/* x tanh(log(1 + w)), w = e^x (Misra 2019): x w (w + 2) / (w (w + 2) + 2), with x in the exponential as in silu.
 * From 15 on it is x, below -110 it is 0. */
WEFT_HD float weft__m_mish_f32(float x)
{
    uint32_t k;
    float c = x < -110.0f ? -110.0f : x > 15.0f ? 15.0f : x;
    float tail = weft__exp_tail_f32(weft__reduce_ln2_f32(c, &k));
    float w = weft__scale_down_f32(1 + tail, k);
    float xw = weft__scale_down_f32(weft__fma_f32(c, tail, c), k);
    float y = x > 0 ? x : xw; /* right of 0 an error of w hardly counts in the quotient */
    y = y * ((x > 0 ? w * (w + 2) : w + 2) / weft__fma_f32(w, w + 2, 2.0f));
    y = x > 15.0f ? x : y;
    y = x < -110.0f ? x * 0.0f : y;
    return x != x ? x : y;
}

/* sin(pi x) / (pi x), 1 at 0 and 0 at infinity. a - n/2 is exact, n the nearest integer to 2 a, and pi is taken to
 * more than a float. From 2^23 on a is whole. */
WEFT_HD float weft__m_sinc_f32(float x)
{
    float a = weft__m_fabs_f32(x);
    float c = a > 0x1p23f ? 0x1p23f : a;
    float n = weft__m_rint_f32(2 * c);
    uint32_t quadrant = (uint32_t)(int32_t)(n == n ? n : 0.0f);
    float r = weft__fma_f32(n, -0.5f, c);
    float angle = weft__fma_f32(r, 0x1.921fb6p1f, r * -0x1.777a5cp-24f);
    float s = quadrant & 1 ? weft__cos_core_f32(angle) : weft__sin_core_f32(angle);
    float y = weft__from_bits_f32(weft__bits_f32(s) ^ ((quadrant & 2) << 30)) / (a * 0x1.921fb6p1f);
    return a < 0x1p-13f ? 1.0f : y; /* also at 0 */
}

#endif
