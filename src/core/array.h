/* array.h - a typed, strided block of memory: what a kernel sees of a tensor. Plain data, shared by core and backends. */
#ifndef WEFT_CORE_ARRAY_H
#define WEFT_CORE_ARRAY_H

#include <stdbool.h>
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

#endif
