/* array.h - a typed, strided block of memory: what a kernel sees of a tensor. Plain data, which engine and backends
 * share. */
#ifndef WEFT_BASE_ARRAY_H
#define WEFT_BASE_ARRAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weft/dtype.h>

#define WEFT__MAX_DIMS 8

typedef struct weft__array {
    void *data;      /* first element (offset already applied); may be NULL when count is 0 */
    int32_t dtype;   /* weft_dtype */
    int32_t ndim;    /* 0..8 */
    int64_t count;   /* product of shape; 1 for ndim 0 */
    bool contiguous; /* row-major without gaps; true when count is 0 or 1 */
    int64_t shape[WEFT__MAX_DIMS];
    int64_t strides[WEFT__MAX_DIMS]; /* in elements; 0 for a broadcast dim, negative in reversed views inside kernels */
} weft__array;

/* weft_dtype_size and weft_dtype_is_float without a call. */
static inline size_t weft__dtype_size(int32_t dtype)
{
#define WEFT__DTYPE_SIZE(name, bytes, text) bytes,
    static const uint8_t sizes[] = {WEFT_DTYPE_LIST(WEFT__DTYPE_SIZE)};
#undef WEFT__DTYPE_SIZE
    return (uint32_t)dtype < WEFT_DTYPE_COUNT ? sizes[dtype] : 0;
}

static inline bool weft__is_float(int32_t dtype)
{
    enum { FLOATS = 1 << WEFT_F32 | 1 << WEFT_F64 | 1 << WEFT_F16 | 1 << WEFT_BF16 };
    return (uint32_t)dtype < WEFT_DTYPE_COUNT && FLOATS >> dtype & 1;
}

static inline bool weft__is_half(int32_t dtype)
{
    return dtype == WEFT_F16 || dtype == WEFT_BF16;
}

/* The dtype of sums, statistics and an optimiser's state beside values of this floating dtype: f32 for half types. */
static inline int32_t weft__wide_dtype(int32_t dtype)
{
    return dtype == WEFT_F64 ? WEFT_F64 : WEFT_F32;
}

/* Bytes of count elements of size bytes each: the one way from a count to bytes. False, and *bytes is SIZE_MAX, which
 * no allocator serves, if they are more than can be addressed (or count is negative). The logical bytes of every
 * tensor, views included, have been checked so when it was made. */
static inline bool weft__bytes_of(int64_t count, size_t size, size_t *bytes)
{
    if (count >= 0 && !__builtin_mul_overflow((size_t)count, size, bytes) && *bytes <= PTRDIFF_MAX)
        return true;
    *bytes = SIZE_MAX;
    return false;
}

/* Strides of that shape in row-major order without gaps, as if empty dims had size 1. */
static inline void weft__row_major(const int64_t *shape, int ndim, int64_t *strides)
{
    int64_t stride = 1;
    for (int d = ndim - 1; d >= 0; d--) {
        strides[d] = stride;
        stride *= shape[d] > 0 ? shape[d] : 1;
    }
}

#endif
