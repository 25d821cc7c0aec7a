/* half.h - conversions between f32 and the 16-bit formats, inline and branch-free, so that loops over them vectorise.
 *
 * f16 is IEEE binary16, bf16 the upper half of an f32. To 16 bits: round to nearest even, overflow to infinity, gradual
 * underflow. NaN becomes a quiet NaN with the upper bits of its payload, as the F16C instructions do it. */
#ifndef WEFT_BASE_HALF_H
#define WEFT_BASE_HALF_H

#include "base/scalar_math.h"

#ifdef __F16C__
#include <immintrin.h>
#endif

WEFT_HD float weft__bf16_to_f32(uint16_t h)
{
    return weft__from_bits_f32((uint32_t)h << 16);
}

WEFT_HD uint16_t weft__bf16_from_f32(float x)
{
    uint32_t u = weft__bits_f32(x);
    uint32_t rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    uint32_t quiet = (u >> 16) | 0x40u;
    return (uint16_t)((u & 0x7fffffffu) > 0x7f800000u ? quiet : rounded);
}

/* The exponent is moved by a multiplication, which also normalises denormals. */
WEFT_HD float weft__f16_to_f32(uint16_t h)
{
    uint32_t a = h & 0x7fffu;
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
    uint32_t u = weft__bits_f32(weft__from_bits_f32(a << 13) * 0x1p112f);
    u = a >= 0x7c00u ? u | 0x7f800000u : u;
    u = a > 0x7c00u ? u | 0x00400000u : u;
    return weft__from_bits_f32(u | sign);
}

/* Results below 2^-14 are denormal: adding 1/2 rounds them at 2^-24, the last place of 1/2 and of every f16
 * denormal. */
WEFT_HD uint16_t weft__f16_from_f32(float x)
{
    uint32_t u = weft__bits_f32(x);
    uint32_t a = u & 0x7fffffffu;
    uint32_t normal = (a - (112u << 23) + 0xfffu + ((a >> 13) & 1u)) >> 13;
    uint32_t tiny = weft__bits_f32(weft__from_bits_f32(a) + 0.5f) - 0x3f000000u;
    uint32_t h = a < 0x38800000u ? tiny : normal;
    h = a >= 0x477ff000u ? 0x7c00u : h; /* 65520, half way between the largest f16 and 2^16 */
    h = a > 0x7f800000u ? 0x7e00u | ((a >> 13) & 0x3ffu) : h;
    return (uint16_t)(h | ((u >> 16) & 0x8000u));
}

/* x rounded to odd: toward zero, with the last bit set if anything was lost. Rounding that again to 16 bits gives what
 * rounding x directly would. */
WEFT_HD float weft__f64_to_f32_odd(double x)
{
    float f = (float)x;
    double d = (double)f;
    uint32_t u = weft__bits_f32(f);
    uint32_t odd = ((d < 0 ? -d : d) > (x < 0 ? -x : x) ? u - 1u : u) | 1u;
    return d == x || x != x ? f : weft__from_bits_f32(odd);
}

/* n elements; host only. */
static inline void weft__f16_to_f32_n(int64_t n, const uint16_t *h, float *x)
{
    int64_t i = 0;
#ifdef __F16C__
    for (; i + 8 <= n; i += 8) {
        _mm256_storeu_ps(x + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(h + i))));
    }
#endif
    for (; i < n; i++) {
        x[i] = weft__f16_to_f32(h[i]);
    }
}

static inline void weft__f16_from_f32_n(int64_t n, const float *x, uint16_t *h)
{
    int64_t i = 0;
#ifdef __F16C__
    for (; i + 8 <= n; i += 8) {
        _mm_storeu_si128((__m128i *)(void *)(h + i), _mm256_cvtps_ph(_mm256_loadu_ps(x + i), 0)); /* 0: nearest even */
    }
#endif
    for (; i < n; i++) {
        h[i] = weft__f16_from_f32(x[i]);
    }
}

#endif
