/* rng.h - random numbers that are the same bits on every device: Philox4x32-10 (Salmon et al., SC 2011).
 *
 * A counter-based generator: four 32-bit words w0 .. w3 are a function of key = seed (64 bits) and counter = {block
 * (64 bits), call (64 bits)}; call numbers the random calls of a context. Which words an element takes:
 *
 *   one word an element      block e / 4, word e % 4: f32, f16 and bf16 uniforms, bernoulli, dropout
 *   two words an element     block e / 2, words 2 (e % 2), the upper half, and 2 (e % 2) + 1: f64 uniforms, integers
 *   f32 normals              block e / 4; words 0 and 1 make elements 0 and 1 of the block, words 2 and 3 the others
 *   f64 normals              block e / 2; all four words make both elements
 *
 * Every sum of products is an explicit fused multiply-add and everything else is rounded once, so that host (compiled
 * with
 * -ffp-contract=off) and device agree to the last bit. */
#ifndef WEFT_BASE_RNG_H
#define WEFT_BASE_RNG_H

#include "base/scalar_math.h"

/* Arithmetic that no compiler may fuse or split. */
#ifdef __CUDA_ARCH__
#define WEFT__RN_FMAF(a, b, c) __fmaf_rn(a, b, c)
#define WEFT__RN_MULF(a, b) __fmul_rn(a, b)
#define WEFT__RN_ADDF(a, b) __fadd_rn(a, b)
#define WEFT__RN_SQRTF(a) __fsqrt_rn(a)
#define WEFT__RN_FMA(a, b, c) __fma_rn(a, b, c)
#define WEFT__RN_MUL(a, b) __dmul_rn(a, b)
#define WEFT__RN_ADD(a, b) __dadd_rn(a, b)
#define WEFT__RN_DIV(a, b) __ddiv_rn(a, b)
#define WEFT__RN_SQRT(a) __dsqrt_rn(a)
#else
#define WEFT__RN_FMAF(a, b, c) fmaf(a, b, c)
#define WEFT__RN_MULF(a, b) ((a) * (b))
#define WEFT__RN_ADDF(a, b) ((a) + (b))
#define WEFT__RN_SQRTF(a) sqrtf(a)
#define WEFT__RN_FMA(a, b, c) fma(a, b, c)
#define WEFT__RN_MUL(a, b) ((a) * (b))
#define WEFT__RN_ADD(a, b) ((a) + (b))
#define WEFT__RN_DIV(a, b) ((a) / (b))
#define WEFT__RN_SQRT(a) sqrt(a)
#endif

/* One round on the counter c with round key k0, k1. */
WEFT_HD void weft__philox_round(uint32_t c[4], uint32_t k0, uint32_t k1)
{
    uint64_t p0 = (uint64_t)0xd2511f53u * c[0];
    uint64_t p1 = (uint64_t)0xcd9e8d57u * c[2];
    uint32_t c1 = c[1];
    uint32_t c3 = c[3];
    c[0] = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
    c[1] = (uint32_t)p1;
    c[2] = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c[3] = (uint32_t)p0;
}

/* The four words of a block. Unrolled, so that loops over blocks vectorise. */
WEFT_HD void weft__philox(uint64_t seed, uint64_t call, uint64_t block, uint32_t w[4])
{
    const uint32_t a = 0x9e3779b9u; /* golden ratio, sqrt 3 - 1: the steps of the key */
    const uint32_t b = 0xbb67ae85u;
    uint32_t k0 = (uint32_t)seed;
    uint32_t k1 = (uint32_t)(seed >> 32);
    w[0] = (uint32_t)block;
    w[1] = (uint32_t)(block >> 32);
    w[2] = (uint32_t)call;
    w[3] = (uint32_t)(call >> 32);
    weft__philox_round(w, k0, k1);
    weft__philox_round(w, k0 + a, k1 + b);
    weft__philox_round(w, k0 + 2 * a, k1 + 2 * b);
    weft__philox_round(w, k0 + 3 * a, k1 + 3 * b);
    weft__philox_round(w, k0 + 4 * a, k1 + 4 * b);
    weft__philox_round(w, k0 + 5 * a, k1 + 5 * b);
    weft__philox_round(w, k0 + 6 * a, k1 + 6 * b);
    weft__philox_round(w, k0 + 7 * a, k1 + 7 * b);
    weft__philox_round(w, k0 + 8 * a, k1 + 8 * b);
    weft__philox_round(w, k0 + 9 * a, k1 + 9 * b);
}

/* Bits that a uniform number of a dtype is made of: as many as [1/2, 1) of the dtype resolves. f64 has 53. */
enum { WEFT__UNIFORM_F32 = 24, WEFT__UNIFORM_F16 = 11, WEFT__UNIFORM_BF16 = 8 };

/* [0, 1) from the upper bits of a word. */
WEFT_HD float weft__uniform_f32(uint32_t w, int bits)
{
    return WEFT__RN_MULF((float)(int32_t)(w >> (32 - bits)), weft__exp2i_f32((uint32_t)-bits));
}

/* [0, 1) from the upper 53 of 64 bits. */
WEFT_HD double weft__uniform_f64(uint32_t upper, uint32_t lower)
{
    double u = (double)(int32_t)(upper >> 6);
    double v = (double)(int32_t)((upper & 63u) << 21 | lower >> 11);
    return WEFT__RN_MUL(WEFT__RN_FMA(u, 0x1p27, v), 0x1p-53);
}

/* lo + u (hi - lo) in [lo, hi): where rounding reaches hi, lo. For half types the result is rounded to the dtype and
 * the same is done again. */
WEFT_HD float weft__rand_f32(float u, float lo, float hi)
{
    float y = WEFT__RN_FMAF(u, WEFT__RN_ADDF(hi, -lo), lo);
    return y < hi ? y : lo;
}

WEFT_HD double weft__rand_f64(double u, double lo, double hi)
{
    double y = WEFT__RN_FMA(u, WEFT__RN_ADD(hi, -lo), lo);
    return y < hi ? y : lo;
}

/* lo + floor(v n / 2^64) for a 64-bit v, n = hi - lo: the upper half of a product. No value is more than n / 2^64 too
 * likely. */
WEFT_HD int64_t weft__randint(uint32_t upper, uint32_t lower, int64_t lo, int64_t hi)
{
    uint64_t n = (uint64_t)hi - (uint64_t)lo;
    uint64_t n0 = n & 0xffffffffu;
    uint64_t n1 = n >> 32;
    uint64_t mid = upper * n0 + ((lower * n0) >> 32); /* at most 2^64 - 2^32 - 1 */
    uint64_t low = lower * n1 + (mid & 0xffffffffu);
    return (int64_t)((uint64_t)lo + upper * n1 + (mid >> 32) + (low >> 32));
}

/* log u for 2^-32 <= u <= 1, to 1 ulp: u = 2^e (1 + f), 3/4 <= 1 + f < 3/2, as in scalar_math.h. */
WEFT_HD float weft__rng_log_f32(float u)
{
    uint32_t b = weft__bits_f32(u) - 0x3f400000u;
    float e = (float)((int32_t)b >> 23);
    float f = WEFT__RN_ADDF(weft__from_bits_f32((b & 0x7fffffu) + 0x3f400000u), -1.0f);
    float p = -0x1.79632p-5f;
    p = WEFT__RN_FMAF(p, f, 0x1.b1fa52p-4f);
    p = WEFT__RN_FMAF(p, f, -0x1.0e8f8p-3f);
    p = WEFT__RN_FMAF(p, f, 0x1.2875e6p-3f);
    p = WEFT__RN_FMAF(p, f, -0x1.54d6c8p-3f);
    p = WEFT__RN_FMAF(p, f, 0x1.99672p-3f);
    p = WEFT__RN_FMAF(p, f, -0x1.000082p-2f);
    p = WEFT__RN_FMAF(p, f, 0x1.5555acp-2f);
    p = WEFT__RN_FMAF(p, f, -0.5f);
    p = WEFT__RN_FMAF(WEFT__RN_MULF(p, f), f, f);
    p = WEFT__RN_FMAF(e, -0x1.bd0106p-13f, p);
    return WEFT__RN_FMAF(e, 0x1.63p-1f, p);
}

/* Two normals by Box and Muller: sqrt(-2 log u) (cos t, sin t). u = (31 bits + 1/2) / 2^31 reaches 6.6 sigma. The angle
 * t, w1 / 2^32 turns, is the nearest quarter turn plus r in [-pi/4, pi/4). */
WEFT_HD void weft__normal_pair_f32(uint32_t w0, uint32_t w1, float *z0, float *z1)
{
    float u = WEFT__RN_FMAF((float)(int32_t)(w0 >> 1), 0x1p-31f, 0x1p-32f);
    float radius = WEFT__RN_SQRTF(WEFT__RN_MULF(-2.0f, weft__rng_log_f32(u)));
    uint32_t n = (w1 + 0x20000000u) >> 30;
    float r = WEFT__RN_MULF((float)(int32_t)(w1 << 2), 0x1.921fb6p-32f);
    float x = WEFT__RN_MULF(r, r);
    float s = -0x1.995406p-13f;
    float c = 0x1.99e80cp-16f;
    float a, b;
    s = WEFT__RN_FMAF(s, x, 0x1.110778p-7f);
    s = WEFT__RN_FMAF(s, x, -0x1.555546p-3f);
    s = WEFT__RN_FMAF(WEFT__RN_MULF(s, x), r, r);
    c = WEFT__RN_FMAF(c, x, -0x1.6c0c28p-10f);
    c = WEFT__RN_FMAF(c, x, 0x1.55554ap-5f);
    c = WEFT__RN_FMAF(c, x, -0.5f);
    c = WEFT__RN_FMAF(c, x, 1.0f);
    a = n & 1 ? s : c;
    b = n & 1 ? c : s;
    a = weft__from_bits_f32(weft__bits_f32(a) ^ (((n + 1) & 2) << 30));
    b = weft__from_bits_f32(weft__bits_f32(b) ^ ((n & 2) << 30));
    *z0 = WEFT__RN_MULF(radius, a);
    *z1 = WEFT__RN_MULF(radius, b);
}

/* log u for 2^-53 <= u <= 1: u = 2^e (1 + f), sqrt(1/2) <= 1 + f < sqrt 2, s = f / (2 + f), log(1 + f) = 2 atanh s =
 * f - s (f - R(s^2)). Coefficients of R: fdlibm's e_log.c. */
WEFT_HD double weft__rng_log_f64(double u)
{
    const uint64_t one = 0x3ff0000000000000u;
    uint64_t b = weft__bits_f64(u) - 0x3fe6a09e667f3bcdu + one;
    double e = (double)((int32_t)(b >> 52) - 1023);
    double f = WEFT__RN_ADD(weft__from_bits_f64(weft__bits_f64(u) - (b & 0xfff0000000000000u) + one), -1.0);
    double s = WEFT__RN_DIV(f, WEFT__RN_ADD(f, 2.0));
    double z = WEFT__RN_MUL(s, s);
    double h = WEFT__RN_MUL(WEFT__RN_MUL(f, 0.5), f);
    double p = 1.479819860511658591e-01;
    p = WEFT__RN_FMA(p, z, 1.531383769920937332e-01);
    p = WEFT__RN_FMA(p, z, 1.818357216161805012e-01);
    p = WEFT__RN_FMA(p, z, 2.222219843214978396e-01);
    p = WEFT__RN_FMA(p, z, 2.857142874366239149e-01);
    p = WEFT__RN_FMA(p, z, 3.999999999940941908e-01);
    p = WEFT__RN_FMA(p, z, 6.666666666666735130e-01);
    p = WEFT__RN_FMA(p, z, h); /* log(1 + f) = f - (h - s (h + R)) */
    p = WEFT__RN_FMA(e, 1.90821492927058770002e-10, WEFT__RN_MUL(s, p));
    p = WEFT__RN_ADD(f, WEFT__RN_ADD(p, -h));
    return WEFT__RN_FMA(e, 6.93147180369123816490e-01, p);
}

/* As weft__normal_pair_f32. u = (53 bits + 1) / 2^53. Coefficients: fdlibm's k_sin.c and k_cos.c. */
WEFT_HD void weft__normal_pair_f64(const uint32_t w[4], double *z0, double *z1)
{
    double u = WEFT__RN_ADD(weft__uniform_f64(w[0], w[1]), 0x1p-53);
    double radius = WEFT__RN_SQRT(WEFT__RN_MUL(-2.0, weft__rng_log_f64(u)));
    uint64_t v = (uint64_t)w[2] << 32 | w[3];
    uint32_t n = (w[2] + 0x20000000u) >> 30;
    double r = WEFT__RN_MUL((double)(int64_t)(v << 2), 0x1.921fb54442d18p-64);
    double x = WEFT__RN_MUL(r, r);
    double s = 1.58969099521155010221e-10;
    double c = -1.13596475577881948265e-11;
    double a, b;
    s = WEFT__RN_FMA(s, x, -2.50507602534068634195e-08);
    s = WEFT__RN_FMA(s, x, 2.75573137070700676789e-06);
    s = WEFT__RN_FMA(s, x, -1.98412698298579493134e-04);
    s = WEFT__RN_FMA(s, x, 8.33333333332248946124e-03);
    s = WEFT__RN_FMA(s, x, -1.66666666666666324348e-01);
    s = WEFT__RN_FMA(WEFT__RN_MUL(s, x), r, r);
    c = WEFT__RN_FMA(c, x, 2.08757232129817482790e-09);
    c = WEFT__RN_FMA(c, x, -2.75573143513906633035e-07);
    c = WEFT__RN_FMA(c, x, 2.48015872894767294178e-05);
    c = WEFT__RN_FMA(c, x, -1.38888888888741095749e-03);
    c = WEFT__RN_FMA(c, x, 4.16666666666666019037e-02);
    c = WEFT__RN_FMA(WEFT__RN_MUL(c, x), x, WEFT__RN_FMA(-0.5, x, 1.0));
    a = n & 1 ? s : c;
    b = n & 1 ? c : s;
    *z0 = WEFT__RN_MUL(radius, (n + 1) & 2 ? -a : a);
    *z1 = WEFT__RN_MUL(radius, n & 2 ? -b : b);
}

#endif
