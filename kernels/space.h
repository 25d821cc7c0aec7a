/* space.h - the common iteration space of arrays of one shape (broadcast by stride 0): as few dims as they allow, in
 * the order in which the first array, the one that is written, lies in memory. */
#ifndef WEFT_KERNELS_SPACE_H
#define WEFT_KERNELS_SPACE_H

#include "base/array.h"
#include "weft_cuda.h"

template <int N> struct weft_space {
    int32_t ndim; /* 1 to 8 */
    int64_t count;
    int64_t shape[WEFT__MAX_DIMS];
    int64_t stride[N][WEFT__MAX_DIMS]; /* in elements */
};

template <int N> inline void weft_space_swap(weft_space<N> &s, int a, int b)
{
    const int64_t shape = s.shape[a];
    s.shape[a] = s.shape[b];
    s.shape[b] = shape;
    for (int k = 0; k < N; k++) {
        const int64_t stride = s.stride[k][a];
        s.stride[k][a] = s.stride[k][b];
        s.stride[k][b] = stride;
    }
}

/* Steps along dim d + 1 and around it lead where a step along dim d does, in every array. */
template <int N> inline bool weft_space_joins(const weft_space<N> &s, int d)
{
    for (int k = 0; k < N; k++)
        if (s.stride[k][d] != s.stride[k][d + 1] * s.shape[d + 1])
            return false;
    return true;
}

inline int64_t weft_magnitude(int64_t stride)
{
    return stride < 0 ? -stride : stride;
}

/* Of arrays that are not empty. NULL arrays get stride 0, but not the first. */
template <int N> inline weft_space<N> weft_make_space(const weft__array *const (&arrays)[N])
{
    weft_space<N> s = {};
    s.count = arrays[0]->count;
    for (int d = 0; d < arrays[0]->ndim; d++) {
        if (arrays[0]->shape[d] == 1)
            continue;
        s.shape[s.ndim] = arrays[0]->shape[d];
        for (int k = 0; k < N; k++)
            s.stride[k][s.ndim] = arrays[k] ? arrays[k]->strides[d] : 0;
        s.ndim++;
    }
    for (int end = 1; end < s.ndim; end++) /* insertion sort: steady, so that equal strides keep their order */
        for (int d = end; d > 0 && weft_magnitude(s.stride[0][d - 1]) < weft_magnitude(s.stride[0][d]); d--)
            weft_space_swap(s, d - 1, d);
    for (int d = s.ndim - 2; d >= 0; d--) {
        if (!weft_space_joins(s, d))
            continue;
        s.shape[d] *= s.shape[d + 1];
        for (int k = 0; k < N; k++)
            s.stride[k][d] = s.stride[k][d + 1];
        for (int later = d + 1; later + 1 < s.ndim; later++)
            weft_space_swap(s, later, later + 1);
        s.ndim--;
    }
    if (s.ndim == 0) {
        s.shape[0] = 1;
        s.ndim = 1;
    }
    return s;
}

/* Where element i of the space lies in each array, in elements from its first. I holds s.count. */
template <class I, int N>
__device__ __forceinline__ void weft_space_offsets(const weft_space<N> &s, I i, int64_t (&offset)[N])
{
#pragma unroll
    for (int k = 0; k < N; k++)
        offset[k] = 0;
#pragma unroll 1
    for (int d = s.ndim - 1; d > 0; d--) {
        const I next = i / static_cast<I>(s.shape[d]);
        const int64_t at = static_cast<int64_t>(i - next * static_cast<I>(s.shape[d]));
#pragma unroll
        for (int k = 0; k < N; k++)
            offset[k] += at * s.stride[k][d];
        i = next;
    }
#pragma unroll
    for (int k = 0; k < N; k++)
        offset[k] += static_cast<int64_t>(i) * s.stride[k][0];
}

/* Cuts s in two along its longest dim, after a multiple of 64 elements where it is that long (vectors stay aligned).
 * first: where high begins in each array, in elements. */
template <int N>
inline void weft_space_halve(const weft_space<N> &s, weft_space<N> &low, weft_space<N> &high, int64_t (&first)[N])
{
    int longest = 0;
    for (int d = 1; d < s.ndim; d++)
        if (s.shape[d] > s.shape[longest])
            longest = d;
    const int64_t half = s.shape[longest] / 2, cut = half < 64 ? half : half / 64 * 64;
    low = high = s;
    low.shape[longest] = cut;
    low.count = s.count / s.shape[longest] * cut;
    high.shape[longest] -= cut;
    high.count -= low.count;
    for (int k = 0; k < N; k++)
        first[k] = cut * s.stride[k][longest];
}

/* 32-bit index arithmetic does for this many elements, with room for a grid's step. */
inline bool weft_fits_32_bits(int64_t count)
{
    return count <= INT64_C(1) << 30;
}

#endif
