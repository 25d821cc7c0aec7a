/* element.h - elements as they stand in a file, and how they become those of a tensor. */
#ifndef WEFT_IO_ELEMENT_H
#define WEFT_IO_ELEMENT_H

#include "common.h"

typedef struct weft__element {
    int bytes;
    weft_dtype dtype; /* of the tensor */
    char kind; /* what stands in the file: f, i, u, b (bool), V (bf16), or of 8 bits 4 (e4m3), 5 (e5m2), 8 (e8m0) */
    bool swap; /* big endian */
} weft__element;

/* Whether elements are copied as they are. Bool is not: whatever is not 0 becomes 1. */
bool weft__element_is_plain(const weft__element *e);

/* One element, as bits or as a number of the tensor's width. */
void weft__element_convert(const weft__element *e, const unsigned char *from, unsigned char *to);

/* The number of elements of a shape, or -1 if their bytes in a file (of size bytes each) are more than 2^62. */
int64_t weft__element_count(const int64_t *shape, int ndim, int bytes);

static inline uint64_t weft__little(const unsigned char *p, int bytes)
{
    uint64_t x = 0;
    for (int k = bytes - 1; k >= 0; k--)
        x = x << 8 | p[k];
    return x;
}

#endif
