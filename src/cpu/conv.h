/* conv.h - the geometry of a two-dimensional convolution, and its windows as rows of a matrix that never exists. */
#ifndef WEFT_CPU_CONV_H
#define WEFT_CPU_CONV_H

#include "gemm.h"

/* Row (c, r, s) of the window matrix of an image, at grid point (p, q), is
 *   forward:    x[c, p stride - padding + r dilation, q ...]
 *   transposed: x[c, (p + padding - r dilation) / stride, ...] where that divides, else 0
 * and 0 outside the image. */
typedef struct weft__windows {
    int64_t height, width; /* of the image */
    int64_t r, s;          /* taps */
    int64_t p, q;          /* grid: columns of the matrix */
    int64_t stride[2], padding[2], dilation[2];
    bool transposed;
} weft__windows;

static inline int64_t weft__ceil_quotient(int64_t a, int64_t b)
{
    return a >= 0 ? (a + b - 1) / b : -(-a / b);
}

#endif
