/* scalar_quick.h - functions that have branches or loops, for the elements that need none: one expression each, so
 * that a loop over it becomes vector code. weft__is_quick_NAME says for which elements it holds; there the remainders
 * are the exact ones, bit for bit those of scalar.h, and the others as near to the true value as scalar_special.h.
 * Whoever loops asks those functions for the rest. Host only. */
#ifndef WEFT_BASE_SCALAR_QUICK_H
#define WEFT_BASE_SCALAR_QUICK_H

#include "base/scalar.h"

/* ---- Remainders ----
 *
 * Of floats x >= 0, y > 0, in double: x / y is off by less than 1 from a whole number n, and x - n y, a multiple of the
 * smaller one's last place, has few bits, so that nothing is rounded. Without fma the product has to fit, too. */
#ifdef WEFT__FAST_FMA
#define WEFT__MOST_QUOTIENT 0x1p50
#else
#define WEFT__MOST_QUOTIENT 0x1p28
#endif

WEFT_HD double weft__quick_remainder(double x, double y)
{
    const double magic = 0x1.8p52; /* rounds to a whole number */
    const double n = (x / y + magic) - magic;
    double r = weft__fma_f64(-n, y, x);
    r = r < 0 ? r + y : r;
    return r >= y ? r - y : r;
}

WEFT_HD bool weft__is_quick_fmod(float a, float b)
{
    const double x = fabs((double)a), y = fabs((double)b);
    return (x / y < WEFT__MOST_QUOTIENT) & (y <= 0x1p128 - 0x1p104); /* neither NaN, nor b 0 or infinite */
}

WEFT_HD float weft__quick_fmod(float a, float b)
{
    return weft__copysign_f32((float)weft__quick_remainder(fabs((double)a), fabs((double)b)), a);
}

WEFT_HD float weft__quick_mod(float a, float b)
{
    const float r = weft__quick_fmod(a, b);
    const float y = (b < 0) != (r < 0) ? r + b : r;
    return r == 0 ? weft__copysign_f32(0.0f, b) : y;
}

/* As floor_divide in double, where |a| / |b| is below 2^28 and its floor needs no library. */
WEFT_HD bool weft__is_quick_floor_divide(float a, float b)
{
    const double x = fabs((double)a), y = fabs((double)b);
    return (x / y < 0x1p28) & (y <= 0x1p128 - 0x1p104);
}

WEFT_HD float weft__quick_floor_divide(float a, float b)
{
    const double magic = 0x1.8p52, x = (double)a, y = (double)b, ratio = x / y;
    const double r = copysign(weft__quick_remainder(fabs(x), fabs(y)), x);
    const double less = (r != 0) & ((b < 0) != (r < 0)) ? 1 : 0;
    const double whole = ((x - r) / y - less + magic) - magic; /* the nearest: all but a rounding is whole already */
    return (float)(whole == 0 ? copysign(0.0, ratio) : whole);
}

/* ---- The gamma function ---- */

/* log x for a normal double, to 2^-44 of itself. */
WEFT_HD double weft__quick_log(double x)
{
    return weft__log2_wide_f32(x) * 0.69314718055994530942;
}

WEFT_HD bool weft__is_quick_lgamma(float x)
{
    return (x > 0) & (x <= 0x1p120f);
}

/* From 4 on Stirling's series; below (x - 1) (x - 2) times a polynomial in x - 2.5, to 2^-32, and from 1 down
 * log Gamma(x + 1) - log x, so that the zeros at 1 and 2 are kept. */
WEFT_HD float weft__quick_lgamma(float x)
{
    const double v = (double)x, at = v < 1 ? v + 1 : v, far = v < 4 ? 4 : v,
                 log_v = weft__quick_log(v < 1 || v >= 4 ? v : 4);
    const double u = (at > 4 ? 4 : at) - 2.5, z = 1 / (far * far);
    double p = 0x1.5190b3088ecbap-27, s;
    p = weft__fma_f64(p, u, -0x1.b75b46f4febe7p-26);
    p = weft__fma_f64(p, u, -0x1.490c413d9f7a2p-25);
    p = weft__fma_f64(p, u, 0x1.a968b17d641c5p-24);
    p = weft__fma_f64(p, u, 0x1.d021a3c2e88d4p-23);
    p = weft__fma_f64(p, u, -0x1.2fb78215a8748p-21);
    p = weft__fma_f64(p, u, 0x1.59bc955549738p-22);
    p = weft__fma_f64(p, u, -0x1.d9ad259cd400fp-21);
    p = weft__fma_f64(p, u, 0x1.15a0b4a788d84p-18);
    p = weft__fma_f64(p, u, -0x1.7869323741079p-17);
    p = weft__fma_f64(p, u, 0x1.e9b2cca728162p-16);
    p = weft__fma_f64(p, u, -0x1.53cc6c0ccb799p-14);
    p = weft__fma_f64(p, u, 0x1.e06d61627449dp-13);
    p = weft__fma_f64(p, u, -0x1.595c3f6fe8870p-11);
    p = weft__fma_f64(p, u, 0x1.feeec198f7b49p-10);
    p = weft__fma_f64(p, u, -0x1.8a71ffdd83265p-8);
    p = weft__fma_f64(p, u, 0x1.462044db94f34p-6);
    p = weft__fma_f64(p, u, -0x1.31d26eaef6d8dp-4);
    p = weft__fma_f64(p, u, 0x1.84afe00cddfdfp-2);
    p *= (at - 1) * (at - 2);
    s = 1.0 / 12 - z * (1.0 / 360 - z * (1.0 / 1260 - z * (1.0 / 1680 - z * (1.0 / 1188))));
    s = (far - 0.5) * log_v - far + 0.91893853320467274178 + s / far;
    return (float)((v < 4 ? (v < 1 ? p - log_v : p) : s) + 0.0); /* at 1 and 2 no -0 */
}

/* Not beside digamma's zero, where the logarithm is too coarse. */
WEFT_HD bool weft__is_quick_digamma(float x)
{
    return (x > 0) & (x <= 0x1p120f) & (weft__m_fabs_f32(x - 1.46163214f) > 0x1p-10f);
}

/* The series from 6 on; below, six steps of psi(x) = psi(x + 1) - 1 / x, as one fraction. */
WEFT_HD float weft__quick_digamma(float x)
{
    const double v = (double)x, low = v < 6 ? v : 1, far = v < 6 ? v + 6 : v;
    double above = 1, below = low, z;
    above = above * (low + 1) + below, below *= low + 1;
    above = above * (low + 2) + below, below *= low + 2;
    above = above * (low + 3) + below, below *= low + 3;
    above = above * (low + 4) + below, below *= low + 4;
    above = above * (low + 5) + below, below *= low + 5;
    z = 1 / (far * far);
    z *= 1.0 / 12 - z * (1.0 / 120 - z * (1.0 / 252 - z * (1.0 / 240 - z * (1.0 / 132 - z * (691.0 / 32760)))));
    return (float)(weft__quick_log(far) - 0.5 / far - z - (v < 6 ? above / below : 0));
}

WEFT_HD bool weft__is_quick_trigamma(float x)
{
    return (x > 0) & (x <= 0x1p60f);
}

/* Likewise with psi'(x) = psi'(x + 1) + 1 / x^2, pair by pair. */
WEFT_HD float weft__quick_trigamma(float x)
{
    const double v = (double)x, low = v < 6 ? v : 1, far = v < 6 ? v + 6 : v;
    const double a = low * low, b = (low + 1) * (low + 1), c = (low + 2) * (low + 2), d = (low + 3) * (low + 3);
    const double e = (low + 4) * (low + 4), f = (low + 5) * (low + 5), inverse = 1 / far, z = inverse * inverse;
    const double sum = (a + b) / (a * b) + (c + d) / (c * d) + (e + f) / (e * f);
    const double s = 1.0 / 6 - z * (1.0 / 30 - z * (1.0 / 42 - z * (1.0 / 30 - z * (5.0 / 66 - z * (691.0 / 2730)))));
    return (float)(inverse + 0.5 * z + s * z * inverse + (v < 6 ? sum : 0));
}

#endif
