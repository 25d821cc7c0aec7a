/* index.cu - rows and elements picked by index arrays: GATHER, INDEX_SELECT, EMBEDDING. All arrays contiguous, indices
 * i64. Elements only move, so dtypes matter by their size; rows move 16 bytes at a time where their length and the
 * addresses allow. What an index out of range names reads as zeros. */
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "index_bounds.h"
#include "space.h"
#include "types.h"

namespace
{

enum { THREADS = 256, EACH = 4 }; /* loads that a thread has under way */

/* ---- index_select, embedding ---- */

struct selection {
    int64_t count;          /* of y, in units */
    int64_t n, rows, inner; /* x [outer, rows, inner], y [outer, n, inner], inner in units */
    bool single;            /* outer is 1 */
    weft_bounds range;
};

/* y [outer, n, inner], x [outer, rows, inner], index [n] */
template <class U, class I>
__global__ void __launch_bounds__(THREADS) k_select(selection s, U *y, const U *x, const int64_t *index)
{
    const I count = static_cast<I>(s.count), inner = static_cast<I>(s.inner), n = static_cast<I>(s.n);
    const I step = static_cast<I>(gridDim.x) * (THREADS * EACH);
    for (I first = static_cast<I>(blockIdx.x) * (THREADS * EACH) + threadIdx.x; first < count; first += step) {
        int64_t row[EACH], from[EACH];
        U value[EACH];
#pragma unroll
        for (int k = 0; k < EACH; k++) {
            const I i = first + static_cast<I>(k * THREADS);
            if (i >= count)
                continue;
            const I at = i / inner, outer = s.single ? 0 : at / n;
            row[k] = index[at - outer * n];
            from[k] = static_cast<int64_t>(outer) * s.rows * s.inner + static_cast<int64_t>(i - at * inner);
        }
#pragma unroll
        for (int k = 0; k < EACH; k++) {
            const I i = first + static_cast<I>(k * THREADS);
            value[k] = U{};
            if (i < count && weft_is_inside(s.range, row[k]))
                value[k] = x[from[k] + row[k] * s.inner];
        }
#pragma unroll
        for (int k = 0; k < EACH; k++) {
            const I i = first + static_cast<I>(k * THREADS);
            if (i >= count)
                continue;
            y[i] = value[k];
            if (!weft_is_inside(s.range, row[k]))
                weft__cuda_report(s.range.fault, s.range.op, static_cast<int64_t>(i / inner % n), row[k],
                                  s.range.limit);
        }
    }
}

template <class U>
cudaError_t select_units(const weft__exec *e, const selection &s, void *y, const void *x, const int64_t *index)
{
    const unsigned blocks = weft__cuda_blocks(e, s.count, THREADS * EACH);
    U *to = static_cast<U *>(y);
    const U *from = static_cast<const U *>(x);
    return weft_fits_32_bits(s.count)
               ? weft_launch(k_select<U, uint32_t>, blocks, THREADS, 0, weft__stream(e), s, to, from, index)
               : weft_launch(k_select<U, int64_t>, blocks, THREADS, 0, weft__stream(e), s, to, from, index);
}

/* Bytes that move at a time: the most, up to 16, that divide a row and both addresses. */
size_t unit_of(size_t row_bytes, const void *y, const void *x)
{
    const size_t all = row_bytes | reinterpret_cast<uintptr_t>(y) | reinterpret_cast<uintptr_t>(x);
    size_t unit = 16;
    while (all % unit != 0)
        unit /= 2;
    return unit;
}

int64_t sizes(const weft__array *a, int first, int last)
{
    int64_t n = 1;
    for (int d = first; d < last; d++)
        n *= a->shape[d];
    return n;
}

/* x [.., rows, ..], index [n] of any shape, y [.., n, ..] along dim */
cudaError_t select_along(const weft__exec *e, int dim)
{
    const weft__array *x = e->in[0], *y = e->out[0];
    const int64_t *index = static_cast<const int64_t *>(e->in[1]->data);
    if (y->count == 0)
        return cudaSuccess;
    const size_t bytes = weft__cuda_bytes(x->dtype);
    const size_t row_bytes = static_cast<size_t>(sizes(x, dim + 1, x->ndim)) * bytes;
    const size_t unit = unit_of(row_bytes, y->data, x->data);
    selection s = {};
    s.count = static_cast<int64_t>(static_cast<size_t>(y->count) * bytes / unit);
    s.n = e->in[1]->count;
    s.rows = x->shape[dim];
    s.inner = static_cast<int64_t>(row_bytes / unit);
    s.single = sizes(x, 0, dim) == 1;
    s.range = weft_bounds_of(e, s.rows);
    switch (unit) {
    case 1:
        return select_units<uint8_t>(e, s, y->data, x->data, index);
    case 2:
        return select_units<uint16_t>(e, s, y->data, x->data, index);
    case 4:
        return select_units<uint32_t>(e, s, y->data, x->data, index);
    case 8:
        return select_units<uint64_t>(e, s, y->data, x->data, index);
    default:
        return select_units<uint4>(e, s, y->data, x->data, index);
    }
}

/* ---- gather ---- */

/* space of {y and index, x without the dim gathered along}; stride is x's along that dim
 * y [...], index likewise, x [...] */
template <class U, class I>
__global__ void __launch_bounds__(THREADS)
    k_gather(weft_space<2> s, int64_t stride, weft_bounds range, U *y, const U *x, const int64_t *index)
{
    const I count = static_cast<I>(s.count);
    const I step = static_cast<I>(gridDim.x) * (THREADS * EACH);
    for (I first = static_cast<I>(blockIdx.x) * (THREADS * EACH) + threadIdx.x; first < count; first += step) {
        int64_t at[EACH];
        U value[EACH];
#pragma unroll
        for (int k = 0; k < EACH; k++) {
            const I i = first + static_cast<I>(k * THREADS);
            at[k] = i < count ? index[i] : -1;
        }
#pragma unroll
        for (int k = 0; k < EACH; k++) {
            value[k] = U{};
            if (!weft_is_inside(range, at[k]))
                continue;
            int64_t offset[2];
            weft_space_offsets(s, static_cast<I>(first + static_cast<I>(k * THREADS)), offset);
            value[k] = x[offset[1] + at[k] * stride];
        }
#pragma unroll
        for (int k = 0; k < EACH; k++) {
            const I i = first + static_cast<I>(k * THREADS);
            if (i >= count)
                continue;
            y[i] = value[k];
            if (!weft_is_inside(range, at[k]))
                weft__cuda_report(range.fault, range.op, static_cast<int64_t>(i), at[k], range.limit);
        }
    }
}

template <class U> cudaError_t gather(const weft__exec *e, const weft_space<2> &s, int64_t stride, int64_t limit)
{
    const unsigned blocks = weft__cuda_blocks(e, s.count, THREADS * EACH);
    const weft_bounds range = weft_bounds_of(e, limit);
    U *y = static_cast<U *>(e->out[0]->data);
    const U *x = static_cast<const U *>(e->in[0]->data);
    const int64_t *index = static_cast<const int64_t *>(e->in[1]->data);
    return weft_fits_32_bits(s.count)
               ? weft_launch(k_gather<U, uint32_t>, blocks, THREADS, 0, weft__stream(e), s, stride, range, y, x, index)
               : weft_launch(k_gather<U, int64_t>, blocks, THREADS, 0, weft__stream(e), s, stride, range, y, x, index);
}

cudaError_t gather_along(const weft__exec *e, int dim)
{
    const weft__array *x = e->in[0], *y = e->out[0];
    if (y->count == 0)
        return cudaSuccess;
    weft__array around = *x; /* of y's shape: the index alone moves along dim */
    for (int d = 0; d < y->ndim; d++)
        around.shape[d] = y->shape[d];
    around.strides[dim] = 0;
    const weft_space<2> s = weft_make_space<2>({y, &around});
    switch (weft__cuda_bytes(x->dtype)) {
    case 1:
        return gather<uint8_t>(e, s, x->strides[dim], x->shape[dim]);
    case 2:
        return gather<uint16_t>(e, s, x->strides[dim], x->shape[dim]);
    case 4:
        return gather<uint32_t>(e, s, x->strides[dim], x->shape[dim]);
    default:
        return gather<uint64_t>(e, s, x->strides[dim], x->shape[dim]);
    }
}

} /* namespace */

/* x [...], index and out [...], no larger than x but in the dim: y[.., i, ..] = x[.., index[.., i, ..], ..] */
extern "C" weft_status weft__cuda_gather(const weft__exec *e)
{
    return weft__cuda_status(e, gather_along(e, static_cast<int>(e->attrs->along.dim)));
}

/* x [.., D, ..], index [n], out [.., n, ..] along the dim */
extern "C" weft_status weft__cuda_index_select(const weft__exec *e)
{
    return weft__cuda_status(e, select_along(e, static_cast<int>(e->attrs->along.dim)));
}

/* weight [V, D], index [...], out [..., D] */
extern "C" weft_status weft__cuda_embedding(const weft__exec *e)
{
    return weft__cuda_status(e, select_along(e, 0));
}
