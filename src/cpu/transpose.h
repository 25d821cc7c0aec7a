/* transpose.h - 4 by 4 elements of 32 bits with rows and columns exchanged, where the compiler has shuffles. */
#ifndef WEFT_CPU_TRANSPOSE_H
#define WEFT_CPU_TRANSPOSE_H

#include <stdint.h>
#include "vec.h"

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define WEFT__TRANSPOSES 1

typedef uint32_t weft__quad __attribute__((vector_size(16), aligned(4), may_alias));

WEFT__INLINE weft__quad weft__quad_at(const void *p)
{
    return *(const weft__quad *)p;
}

/* Four columns of four elements each into four rows. */
WEFT__INLINE void weft__exchange(weft__quad a, weft__quad b, weft__quad c, weft__quad d, void *row0, void *row1,
                                 void *row2, void *row3)
{
    weft__quad ab = __builtin_shufflevector(a, b, 0, 4, 1, 5);
    weft__quad cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
    *(weft__quad *)row0 = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
    *(weft__quad *)row1 = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
    ab = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    cd = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    *(weft__quad *)row2 = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
    *(weft__quad *)row3 = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
}

/* The columns begin at x, each stride bytes after the one before; likewise the rows. */
WEFT__INLINE void weft__exchange_from(const void *x, int64_t stride, void *row0, void *row1, void *row2, void *row3)
{
    const char *p = x;
    weft__exchange(weft__quad_at(p), weft__quad_at(p + stride), weft__quad_at(p + 2 * stride),
                   weft__quad_at(p + 3 * stride), row0, row1, row2, row3);
}

WEFT__INLINE void weft__exchange_to(const void *col0, const void *col1, const void *col2, const void *col3, void *y,
                                    int64_t stride)
{
    char *p = y;
    weft__exchange(weft__quad_at(col0), weft__quad_at(col1), weft__quad_at(col2), weft__quad_at(col3), p, p + stride,
                   p + 2 * stride, p + 3 * stride);
}
#endif
#endif

#endif
