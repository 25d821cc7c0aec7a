/* scalar_special.h - functions with no short formula, for float and double, host and device: the inverse error
 * function, the logarithm of the gamma function and its derivatives. */
#ifndef WEFT_BASE_SCALAR_SPECIAL_H
#define WEFT_BASE_SCALAR_SPECIAL_H

#include "base/scalar_math.h"

/* y with erf(y) = x, in Giles' variable w = -log(1 - x^2) ("Approximating the erfinv function", 2010): x times a
 * polynomial in w below 5, in sqrt(w) above, by minimax fits of relative error 2^-24.6 and 2^-26. */
WEFT_HD float weft__m_erfinv_f32(float x)
{
    float w = -weft__m_log_f32((1 - x) * (1 + x));
    float a = w - 2.5f;
    float b = sqrtf(w < 5.0f ? 5.0f : w) - 3.0f;
    float p = -0x1.1b5cdp-27f;
    float q = 0x1.db0ac2p-14f;
    float y;
    p = weft__fma_f32(p, a, 0x1.e36ae8p-26f);
    p = weft__fma_f32(p, a, 0x1.edfff2p-22f);
    p = weft__fma_f32(p, a, -0x1.d8dafcp-19f);
    p = weft__fma_f32(p, a, -0x1.4bc812p-18f);
    p = weft__fma_f32(p, a, 0x1.ca628ap-13f);
    p = weft__fma_f32(p, a, -0x1.4866fap-10f);
    p = weft__fma_f32(p, a, -0x1.11c99ap-8f);
    p = weft__fma_f32(p, a, 0x1.f91e8ap-3f);
    p = weft__fma_f32(p, a, 0x1.805c5ep0f);
    q = weft__fma_f32(q, b, -0x1.4005cep-12f);
    q = weft__fma_f32(q, b, -0x1.d1705cp-15f);
    q = weft__fma_f32(q, b, 0x1.83ce6ap-10f);
    q = weft__fma_f32(q, b, -0x1.d768ep-9f);
    q = weft__fma_f32(q, b, 0x1.74df2ep-8f);
    q = weft__fma_f32(q, b, -0x1.f48d34p-8f);
    q = weft__fma_f32(q, b, 0x1.357cf2p-7f);
    q = weft__fma_f32(q, b, 0x1.006dc6p0f);
    q = weft__fma_f32(q, b, 0x1.6a9efcp1f);
    y = x * (w < 5.0f ? p : q);
    return weft__m_fabs_f32(x) == 1 ? x * weft__from_bits_f32(0x7f800000u) : y; /* NaN beyond 1, as the logarithm is */
}

/* The same to a few units of double: a value good to 2^-9 or better, then Halley's method on erf, for large y on
 * erfc. */
WEFT_HD double weft__m_erfinv_f64(double x)
{
    const double a = fabs(x);
    double w, y;
    if (!(a < 1)) {
        return a == 1 ? x * (double)INFINITY : (double)NAN;
    }
    w = -log1p(-a * a);
    y = w < 5 ? (double)weft__m_erfinv_f32((float)a) : sqrt(w + 0.12078223763524522 - 0.5 * log(w));
    for (int step = 0; step < 3 && y > 0x1p-500; step++) {
        const double miss = a < 0.5 ? erf(y) - a : (1 - a) - erfc(y);
        const double u = miss / (1.1283791670955125739 * exp(-y * y));
        y -= u / (1 + y * u);
    }
    return copysign(y > 0x1p-500 ? y : a * 0.88622692545275801365, x);
}

/* log |Gamma(x)| */
WEFT_HD double weft__m_lgamma_f64(double x)
{
    return lgamma(x);
}

WEFT_HD float weft__m_lgamma_f32(float x)
{
    return (float)lgamma((double)x);
}

/* x - n, n the nearest whole number, times pi: of what has the period 1. */
WEFT_HD double weft__pi_times_rest(double x)
{
    return 3.14159265358979323846 * (x - rint(x));
}

/* The derivative of log Gamma: psi(x) = psi(x + 1) - 1/x up to 10, there the series of Abramowitz and Stegun 6.3.18;
 * below 0 psi(1 - x) - pi / tan(pi x). Infinite at 0, against the sign of x, and NaN at the other poles. */
WEFT_HD double weft__m_digamma_f64(double x)
{
    double sum = 0, z;
    if (x == 0) {
        return copysign((double)INFINITY, -x);
    }
    if (x < 0) {
        if (x == floor(x)) {
            return (double)NAN;
        }
        sum = -3.14159265358979323846 / tan(weft__pi_times_rest(x));
        x = 1 - x;
    }
    for (; x < 10; x += 1) {
        sum -= 1 / x;
    }
    z = 1 / (x * x);
    z *= 1.0 / 12 -
         z * (1.0 / 120 - z * (1.0 / 252 - z * (1.0 / 240 - z * (1.0 / 132 - z * (691.0 / 32760 - z * (1.0 / 12))))));
    return sum + (log(x) - 0.5 / x - z);
}

WEFT_HD float weft__m_digamma_f32(float x)
{
    return (float)weft__m_digamma_f64((double)x);
}

enum { WEFT__MOST_POLYGAMMA = 20 };

/* The nth derivative of pi cot(pi x) by x: a polynomial in c = cot(pi x), as c' = -pi (1 + c^2). */
WEFT_HD double weft__cot_derivative(int n, double x)
{
    const double pi = 3.14159265358979323846;
    const double c = 1 / tan(weft__pi_times_rest(x));
    double p[WEFT__MOST_POLYGAMMA + 3] = {0, pi}; /* of c^0, c^1 ... */
    double y = 0;
    for (int k = 1; k <= n; k++) {
        double slope[WEFT__MOST_POLYGAMMA + 3] = {0};
        for (int j = 1; j <= k; j++) {
            slope[j - 1] -= pi * j * p[j];
            slope[j + 1] -= pi * j * p[j];
        }
        for (int j = 0; j <= k + 1; j++) {
            p[j] = slope[j];
        }
    }
    for (int j = n + 1; j >= 0; j--) {
        y = y * c + p[j];
    }
    return y;
}

/* The nth derivative of digamma for n = 0 ... 20, else NaN: (-1)^(n+1) n! times the sum of 1 / (x + k)^(n+1), whose
 * terms are added up to n + 12; the rest by Euler and Maclaurin's formula. Below 0 by reflection. */
WEFT_HD double weft__m_polygamma_f64(double x, double order)
{
    const double bernoulli[] = {1.0 / 6,  -1.0 / 30,     1.0 / 42, -1.0 / 30,
                                5.0 / 66, -691.0 / 2730, 7.0 / 6,  -3617.0 / 510};
    double factorial = 1, sum = 0, rest, term, sign, reflected = 0;
    int n;
    if (order == 0) {
        return weft__m_digamma_f64(x);
    }
    if (!(order >= 1 && order <= WEFT__MOST_POLYGAMMA && order == floor(order)) || x != x) {
        return (double)NAN;
    }
    n = (int)order;
    sign = n % 2 == 0 ? -1 : 1;
    for (int k = 2; k <= n; k++) {
        factorial *= k;
    }
    if (x <= 0) {
        if (x == floor(x)) {
            return n % 2 == 0 ? (double)NAN : (double)INFINITY; /* both sides of the pole */
        }
        if (x > -1e-30) {
            return sign * factorial * pow(x, -(n + 1)); /* beside which the others are nothing */
        }
        reflected = -weft__cot_derivative(n, x);
        sign = n % 2 == 0 ? sign : -sign; /* psi(n, x) = (-1)^n psi(n, 1 - x) - d^n/dx^n pi cot(pi x) */
        x = 1 - x;
    }
    for (; x < n + 12; x += 1) {
        sum += pow(x, -(n + 1));
    }
    rest = pow(x, -n) / n + 0.5 * pow(x, -(n + 1));
    term = (n + 1) * pow(x, -(n + 2)) / 2;
    for (int k = 0; k < 8; k++) { /* B_2k / (2k)! (n+1) (n+2) ... (n+2k-1) / x^(n+2k) */
        rest += bernoulli[k] * term;
        term *= (double)(n + 2 * k + 2) * (n + 2 * k + 3) / ((2 * k + 3) * (2 * k + 4) * x * x);
    }
    return reflected + sign * factorial * (sum + rest);
}

WEFT_HD float weft__m_polygamma_f32(float x, float order)
{
    return (float)weft__m_polygamma_f64((double)x, (double)order);
}

#endif
