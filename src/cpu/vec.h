/* vec.h - one vector register of the instruction set that a file is compiled for, for f32 and f64 alike.
 *
 * Width: 64 bytes with AVX-512, 32 with AVX2 + FMA, else 16 (SSE2, NEON, or whatever the compiler makes of it). Built
 * on the vector extensions of GCC and clang, so + - * / work on the types; intrinsics only where the compiler needs
 * help.
 *
 * Code that serves both types is a file X.inc, included by X.c once with WEFT_REAL f32 and once with f64; in it
 * WEFT__R(weft__vload) is weft__vload_f32 or weft__vload_f64. */
#ifndef WEFT_CPU_VEC_H
#define WEFT_CPU_VEC_H

#include <stdint.h>
#include <string.h>
#include "cpu.h"

#if defined(__AVX512F__) && defined(__AVX512VL__)
#include <immintrin.h>
#define WEFT__VEC_BYTES 64
#elif defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#define WEFT__VEC_BYTES 32
#else
#define WEFT__VEC_BYTES 16
#endif

#define WEFT__LANES_f32 (WEFT__VEC_BYTES / 4)
#define WEFT__LANES_f64 (WEFT__VEC_BYTES / 8)

#define WEFT__R(name) WEFT__CAT(name, WEFT_REAL)
#define WEFT__CPU_R(name) WEFT__CAT(WEFT__CAT(weft__cpu_##name, WEFT_REAL), WEFT_ISA)

#define WEFT__INLINE static inline __attribute__((always_inline))

typedef float weft__real_f32;
typedef double weft__real_f64;
typedef float weft__vec_f32 __attribute__((vector_size(WEFT__VEC_BYTES)));
typedef double weft__vec_f64 __attribute__((vector_size(WEFT__VEC_BYTES)));
typedef float weft__vecu_f32 __attribute__((vector_size(WEFT__VEC_BYTES), aligned(4), may_alias));
typedef double weft__vecu_f64 __attribute__((vector_size(WEFT__VEC_BYTES), aligned(8), may_alias));

/* Loads and stores of a whole vector; no alignment needed. */
WEFT__INLINE weft__vec_f32 weft__vload_f32(const float *p)
{
    return *(const weft__vecu_f32 *)(const void *)p;
}

WEFT__INLINE weft__vec_f64 weft__vload_f64(const double *p)
{
    return *(const weft__vecu_f64 *)(const void *)p;
}

WEFT__INLINE void weft__vstore_f32(float *p, weft__vec_f32 v)
{
    *(weft__vecu_f32 *)(void *)p = v;
}

WEFT__INLINE void weft__vstore_f64(double *p, weft__vec_f64 v)
{
    *(weft__vecu_f64 *)(void *)p = v;
}

/* vsplat: x in every lane. vfma: a b + c, one rounding where the instruction set has it. vload_part: the first n lanes
 * (0 <= n <= lanes) from memory, the others 0, nothing past them is read; vstore_part writes the first n lanes only. */
#if WEFT__VEC_BYTES == 64

WEFT__INLINE weft__vec_f32 weft__vsplat_f32(float x)
{
    return _mm512_set1_ps(x);
}

WEFT__INLINE weft__vec_f64 weft__vsplat_f64(double x)
{
    return _mm512_set1_pd(x);
}

WEFT__INLINE weft__vec_f32 weft__vfma_f32(weft__vec_f32 a, weft__vec_f32 b, weft__vec_f32 c)
{
    return _mm512_fmadd_ps(a, b, c);
}

WEFT__INLINE weft__vec_f64 weft__vfma_f64(weft__vec_f64 a, weft__vec_f64 b, weft__vec_f64 c)
{
    return _mm512_fmadd_pd(a, b, c);
}

WEFT__INLINE weft__vec_f32 weft__vload_part_f32(const float *p, int n)
{
    return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
}

WEFT__INLINE weft__vec_f64 weft__vload_part_f64(const double *p, int n)
{
    return _mm512_maskz_loadu_pd((__mmask8)((1u << n) - 1), p);
}

WEFT__INLINE void weft__vstore_part_f32(float *p, weft__vec_f32 v, int n)
{
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), v);
}

WEFT__INLINE void weft__vstore_part_f64(double *p, weft__vec_f64 v, int n)
{
    _mm512_mask_storeu_pd(p, (__mmask8)((1u << n) - 1), v);
}

#elif WEFT__VEC_BYTES == 32

WEFT__INLINE weft__vec_f32 weft__vsplat_f32(float x)
{
    return _mm256_set1_ps(x);
}

WEFT__INLINE weft__vec_f64 weft__vsplat_f64(double x)
{
    return _mm256_set1_pd(x);
}

WEFT__INLINE weft__vec_f32 weft__vfma_f32(weft__vec_f32 a, weft__vec_f32 b, weft__vec_f32 c)
{
    return _mm256_fmadd_ps(a, b, c);
}

WEFT__INLINE weft__vec_f64 weft__vfma_f64(weft__vec_f64 a, weft__vec_f64 b, weft__vec_f64 c)
{
    return _mm256_fmadd_pd(a, b, c);
}

/* Lanes [0, n) all ones: a window into n ones followed by zeros. */
WEFT__INLINE __m256i weft__vmask_f32(int n)
{
    static const int32_t window[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
    return _mm256_loadu_si256((const __m256i *)(const void *)(window + 8 - n));
}

WEFT__INLINE weft__vec_f32 weft__vload_part_f32(const float *p, int n)
{
    return _mm256_maskload_ps(p, weft__vmask_f32(n));
}

WEFT__INLINE weft__vec_f64 weft__vload_part_f64(const double *p, int n)
{
    return _mm256_maskload_pd(p, weft__vmask_f32(2 * n));
}

/* In pieces of 4, 2 and 1: masked stores are microcoded on AMD cores. */
WEFT__INLINE void weft__vstore_part_f32(float *p, weft__vec_f32 v, int n)
{
    if (n >= 8) {
        weft__vstore_f32(p, v);
        return;
    }
    __m128 part = _mm256_castps256_ps128(v);
    if (n & 4) {
        _mm_storeu_ps(p, part);
        part = _mm256_extractf128_ps(v, 1);
        p += 4;
    }
    if (n & 2) {
        _mm_storel_pi((__m64 *)(void *)p, part);
        part = _mm_movehl_ps(part, part);
        p += 2;
    }
    if (n & 1)
        _mm_store_ss(p, part);
}

WEFT__INLINE void weft__vstore_part_f64(double *p, weft__vec_f64 v, int n)
{
    if (n >= 4) {
        weft__vstore_f64(p, v);
        return;
    }
    __m128d part = _mm256_castpd256_pd128(v);
    if (n & 2) {
        _mm_storeu_pd(p, part);
        part = _mm256_extractf128_pd(v, 1);
        p += 2;
    }
    if (n & 1)
        _mm_store_sd(p, part);
}

#else

WEFT__INLINE weft__vec_f32 weft__vsplat_f32(float x)
{
    return (weft__vec_f32){x, x, x, x};
}

WEFT__INLINE weft__vec_f64 weft__vsplat_f64(double x)
{
    return (weft__vec_f64){x, x};
}

WEFT__INLINE weft__vec_f32 weft__vfma_f32(weft__vec_f32 a, weft__vec_f32 b, weft__vec_f32 c)
{
    return a * b + c;
}

WEFT__INLINE weft__vec_f64 weft__vfma_f64(weft__vec_f64 a, weft__vec_f64 b, weft__vec_f64 c)
{
    return a * b + c;
}

WEFT__INLINE weft__vec_f32 weft__vload_part_f32(const float *p, int n)
{
    return (weft__vec_f32){n > 0 ? p[0] : 0, n > 1 ? p[1] : 0, n > 2 ? p[2] : 0, n > 3 ? p[3] : 0};
}

WEFT__INLINE weft__vec_f64 weft__vload_part_f64(const double *p, int n)
{
    return (weft__vec_f64){n > 0 ? p[0] : 0, n > 1 ? p[1] : 0};
}

WEFT__INLINE void weft__vstore_part_f32(float *p, weft__vec_f32 v, int n)
{
    for (int i = 0; i < n; i++)
        p[i] = v[i];
}

WEFT__INLINE void weft__vstore_part_f64(double *p, weft__vec_f64 v, int n)
{
    for (int i = 0; i < n; i++)
        p[i] = v[i];
}

#endif

/* Sum of the lanes, halves folded onto each other: a fixed order. */
#if WEFT__VEC_BYTES >= 32

WEFT__INLINE float weft__vsum_f32(weft__vec_f32 v)
{
#if WEFT__VEC_BYTES == 64
    const __m256 upper = _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(v), 1));
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(v), upper);
#else
    const __m256 eight = v;
#endif
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

WEFT__INLINE double weft__vsum_f64(weft__vec_f64 v)
{
#if WEFT__VEC_BYTES == 64
    const __m256d four = _mm256_add_pd(_mm512_castpd512_pd256(v), _mm512_extractf64x4_pd(v, 1));
#else
    const __m256d four = v;
#endif
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

#else

WEFT__INLINE float weft__vsum_f32(weft__vec_f32 v)
{
    return (v[0] + v[2]) + (v[1] + v[3]);
}

WEFT__INLINE double weft__vsum_f64(weft__vec_f64 v)
{
    return v[0] + v[1];
}

#endif

/* Transposes blocks: dst[j * ldd + i] = src[i * lds + j] for i < rows, j < cols. */
#if WEFT__VEC_BYTES >= 32

WEFT__INLINE void weft__transpose_block_f32(const float *src, int64_t lds, float *dst, int64_t ldd)
{
    __m256 r[8], s[8];
    for (int i = 0; i < 4; i++) { /* rows i and i + 4 of each half, so that only in-lane shuffles remain */
        const float *p = src + i * lds, *q = src + (i + 4) * lds;
        r[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), _mm_loadu_ps(q), 1);
        r[i + 4] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p + 4)), _mm_loadu_ps(q + 4), 1);
    }
    for (int h = 0; h < 8; h += 4) {
        s[h] = _mm256_unpacklo_ps(r[h], r[h + 1]);
        s[h + 1] = _mm256_unpackhi_ps(r[h], r[h + 1]);
        s[h + 2] = _mm256_unpacklo_ps(r[h + 2], r[h + 3]);
        s[h + 3] = _mm256_unpackhi_ps(r[h + 2], r[h + 3]);
        float *d = dst + h * ldd;
        _mm256_storeu_ps(d, _mm256_shuffle_ps(s[h], s[h + 2], 0x44));
        _mm256_storeu_ps(d + ldd, _mm256_shuffle_ps(s[h], s[h + 2], 0xee));
        _mm256_storeu_ps(d + 2 * ldd, _mm256_shuffle_ps(s[h + 1], s[h + 3], 0x44));
        _mm256_storeu_ps(d + 3 * ldd, _mm256_shuffle_ps(s[h + 1], s[h + 3], 0xee));
    }
}

WEFT__INLINE void weft__transpose_block_f64(const double *src, int64_t lds, double *dst, int64_t ldd)
{
    for (int h = 0; h < 2; h++) {
        const double *p = src + 2 * h;
        __m256d a = _mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_loadu_pd(p)), _mm_loadu_pd(p + 2 * lds), 1);
        __m256d b = _mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_loadu_pd(p + lds)), _mm_loadu_pd(p + 3 * lds), 1);
        _mm256_storeu_pd(dst + 2 * h * ldd, _mm256_unpacklo_pd(a, b));
        _mm256_storeu_pd(dst + (2 * h + 1) * ldd, _mm256_unpackhi_pd(a, b));
    }
}
#define WEFT__TRANSPOSE_BLOCK_f32 8
#define WEFT__TRANSPOSE_BLOCK_f64 4

#else

WEFT__INLINE void weft__transpose_block_f32(const float *src, int64_t lds, float *dst, int64_t ldd)
{
    for (int j = 0; j < 4; j++)
        weft__vstore_f32(dst + j * ldd, (weft__vec_f32){src[j], src[lds + j], src[2 * lds + j], src[3 * lds + j]});
}

WEFT__INLINE void weft__transpose_block_f64(const double *src, int64_t lds, double *dst, int64_t ldd)
{
    for (int j = 0; j < 2; j++)
        weft__vstore_f64(dst + j * ldd, (weft__vec_f64){src[j], src[lds + j]});
}
#define WEFT__TRANSPOSE_BLOCK_f32 4
#define WEFT__TRANSPOSE_BLOCK_f64 2

#endif

/* At most INT_MAX rows and columns. */
#define WEFT__DEFINE_TRANSPOSE(real)                                                                                   \
    static inline void weft__transpose_##real(const weft__real_##real *src, int64_t lds, int64_t rows, int64_t cols,   \
                                              weft__real_##real *dst, int64_t ldd)                                     \
    {                                                                                                                  \
        const int block = WEFT__TRANSPOSE_BLOCK_##real, m = (int)rows, n = (int)cols;                                  \
        int i = 0;                                                                                                     \
        for (; i + block <= m; i += block) {                                                                           \
            int j = 0;                                                                                                 \
            for (; j + block <= n; j += block)                                                                         \
                weft__transpose_block_##real(src + i * lds + j, lds, dst + j * ldd + i, ldd);                          \
            for (; j < n; j++)                                                                                         \
                for (int r = 0; r < block; r++)                                                                        \
                    dst[j * ldd + i + r] = src[(i + r) * lds + j];                                                     \
        }                                                                                                              \
        for (; i < m; i++)                                                                                             \
            for (int j = 0; j < n; j++)                                                                                \
                dst[j * ldd + i] = src[i * lds + j];                                                                   \
    }

WEFT__DEFINE_TRANSPOSE(f32)
WEFT__DEFINE_TRANSPOSE(f64)
#undef WEFT__DEFINE_TRANSPOSE

#endif
