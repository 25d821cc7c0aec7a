/* rows.h - helpers of the kernels that work on rows (reduce, softmax, loss, norm ...): wide accumulators, grain sizes.
 *
 * f32 sums run in short blocks of f32 vectors (at most 4 additions a lane) whose totals are added up in f64, so that
 * the error stays near half an ulp of sum |x| whatever the length, at the speed of plain f32. The order is fixed by the
 * length alone. rows.inc has the sums themselves. */
#ifndef WEFT_CPU_ROWS_H
#define WEFT_CPU_ROWS_H

#include <math.h>
#include "base/scalar.h"
#include "vec.h"

/* Short names for code in .inc files; WEFT_REAL is f32 or f64 (see vec.h) where they are used. */
#define REAL WEFT__R(weft__real)
#define VEC WEFT__R(weft__vec)
#define WIDE WEFT__R(weft__wide)
#define LANES WEFT__R(WEFT__LANES)
#define LOAD WEFT__R(weft__vload)
#define SPLAT WEFT__R(weft__vsplat)

/* Before a loop: no iteration reads what another one writes, so it may be vectorised without asking whether its arrays
 * overlap (a check that arrays changed in place would fail). */
#if defined(__clang__)
#define WEFT__INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define WEFT__INDEPENDENT _Pragma("GCC ivdep")
#else
#define WEFT__INDEPENDENT
#endif

/* A piece of work below this many elements is not worth handing to another thread. */
#define WEFT__GRAIN_ELEMENTS 16384

/* How many items of the given number of elements make a chunk for weft__pool_for. */
static inline int64_t weft__grain(int64_t elements_per_item)
{
    return elements_per_item >= WEFT__GRAIN_ELEMENTS ? 1 : WEFT__GRAIN_ELEMENTS / (elements_per_item + 1) + 1;
}

static inline int64_t weft__ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static inline int64_t weft__least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t weft__most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Distance, in f64, between two rows of at least n sums that are updated side by side: half a page off a multiple of
 * the page, since a store holds up a load whose address has the same low 12 bits. */
static inline int64_t weft__pitch(int64_t n)
{
    return (n + 255) / 512 * 512 + 256;
}

/* Accumulators of vectors in f64, from zero. */
typedef struct weft__wide_f32 {
    weft__vec_f64 lo, hi;
} weft__wide_f32;

typedef struct weft__wide_f64 {
    weft__vec_f64 all;
} weft__wide_f64;

typedef float weft__half_f32 __attribute__((vector_size(WEFT__VEC_BYTES / 2)));

/* The lanes of v as f64. */
WEFT__INLINE weft__wide_f32 weft__widen_f32(weft__vec_f32 v)
{
    weft__half_f32 part[2];
    memcpy(part, &v, sizeof v);
    return (weft__wide_f32){__builtin_convertvector(part[0], weft__vec_f64),
                            __builtin_convertvector(part[1], weft__vec_f64)};
}

WEFT__INLINE weft__wide_f64 weft__widen_f64(weft__vec_f64 v)
{
    return (weft__wide_f64){v};
}

WEFT__INLINE void weft__wide_add_f32(weft__wide_f32 *sum, weft__vec_f32 v)
{
    weft__wide_f32 w = weft__widen_f32(v);
    sum->lo += w.lo;
    sum->hi += w.hi;
}

WEFT__INLINE void weft__wide_add_f64(weft__wide_f64 *sum, weft__vec_f64 v)
{
    sum->all += v;
}

/* Adds the squares of the lanes, squared in f64. */
WEFT__INLINE void weft__wide_add_squares_f32(weft__wide_f32 *sum, weft__vec_f32 v)
{
    weft__wide_f32 w = weft__widen_f32(v);
    sum->lo += w.lo * w.lo;
    sum->hi += w.hi * w.hi;
}

WEFT__INLINE void weft__wide_add_squares_f64(weft__wide_f64 *sum, weft__vec_f64 v)
{
    sum->all += v * v;
}

WEFT__INLINE double weft__wide_total_f32(weft__wide_f32 sum)
{
    return weft__vsum_f64(sum.lo + sum.hi);
}

WEFT__INLINE double weft__wide_total_f64(weft__wide_f64 sum)
{
    return weft__vsum_f64(sum.all);
}

/* Integers as wide as the element, and the lanes' masks. */
typedef int32_t weft__int_f32;
typedef int64_t weft__int_f64;
typedef int32_t weft__ivec_f32 __attribute__((vector_size(WEFT__VEC_BYTES)));
typedef int64_t weft__ivec_f64 __attribute__((vector_size(WEFT__VEC_BYTES)));

/* a where the mask is set, b elsewhere. */
WEFT__INLINE weft__vec_f32 weft__vpick_f32(weft__ivec_f32 mask, weft__vec_f32 a, weft__vec_f32 b)
{
    return (weft__vec_f32)((mask & (weft__ivec_f32)a) | (~mask & (weft__ivec_f32)b));
}

WEFT__INLINE weft__vec_f64 weft__vpick_f64(weft__ivec_f64 mask, weft__vec_f64 a, weft__vec_f64 b)
{
    return (weft__vec_f64)((mask & (weft__ivec_f64)a) | (~mask & (weft__ivec_f64)b));
}

/* a > b ? a : b and a < b ? a : b in every lane, so b where either is NaN. */
#if WEFT__VEC_BYTES == 64

WEFT__INLINE weft__vec_f32 weft__vmax_f32(weft__vec_f32 a, weft__vec_f32 b)
{
    return _mm512_max_ps(a, b);
}

WEFT__INLINE weft__vec_f64 weft__vmax_f64(weft__vec_f64 a, weft__vec_f64 b)
{
    return _mm512_max_pd(a, b);
}

WEFT__INLINE weft__vec_f32 weft__vmin_f32(weft__vec_f32 a, weft__vec_f32 b)
{
    return _mm512_min_ps(a, b);
}

WEFT__INLINE weft__vec_f64 weft__vmin_f64(weft__vec_f64 a, weft__vec_f64 b)
{
    return _mm512_min_pd(a, b);
}

#elif WEFT__VEC_BYTES == 32

WEFT__INLINE weft__vec_f32 weft__vmax_f32(weft__vec_f32 a, weft__vec_f32 b)
{
    return _mm256_max_ps(a, b);
}

WEFT__INLINE weft__vec_f64 weft__vmax_f64(weft__vec_f64 a, weft__vec_f64 b)
{
    return _mm256_max_pd(a, b);
}

WEFT__INLINE weft__vec_f32 weft__vmin_f32(weft__vec_f32 a, weft__vec_f32 b)
{
    return _mm256_min_ps(a, b);
}

WEFT__INLINE weft__vec_f64 weft__vmin_f64(weft__vec_f64 a, weft__vec_f64 b)
{
    return _mm256_min_pd(a, b);
}

#else

WEFT__INLINE weft__vec_f32 weft__vmax_f32(weft__vec_f32 a, weft__vec_f32 b)
{
    return weft__vpick_f32(a > b, a, b);
}

WEFT__INLINE weft__vec_f64 weft__vmax_f64(weft__vec_f64 a, weft__vec_f64 b)
{
    return weft__vpick_f64(a > b, a, b);
}

WEFT__INLINE weft__vec_f32 weft__vmin_f32(weft__vec_f32 a, weft__vec_f32 b)
{
    return weft__vpick_f32(a < b, a, b);
}

WEFT__INLINE weft__vec_f64 weft__vmin_f64(weft__vec_f64 a, weft__vec_f64 b)
{
    return weft__vpick_f64(a < b, a, b);
}

#endif

#endif
