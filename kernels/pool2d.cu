/* pool2d.cu - max and average pooling of [N, C, H, W] and their gradients. All arrays contiguous, floats.
 *
 * Every result element is one thread's own: gradients gather from the windows that cover the element, row by row, which
 * is the order in which the CPU adds. So there is nothing to scatter and every run gives the same bits. */
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "space.h"
#include "types.h"

namespace
{

enum { THREADS = 256 };

/* N C planes; size is the larger side, pooled the smaller one. */
struct pooling {
    int64_t planes;
    int32_t size[2], pooled[2];
    int32_t kernel[2], stride[2], padding[2];
};

struct range {
    int32_t first, last; /* last is not part of it */
};

/* The part of window k along one axis that lies inside the plane; never empty. */
__device__ __forceinline__ range window_of(const pooling &l, int axis, int32_t k)
{
    const int64_t start = static_cast<int64_t>(k) * l.stride[axis] - l.padding[axis], end = start + l.kernel[axis];
    return {static_cast<int32_t>(start < 0 ? 0 : start), static_cast<int32_t>(end > l.size[axis] ? l.size[axis] : end)};
}

/* The windows along one axis that cover position at; may be empty. */
__device__ __forceinline__ range windows_over(const pooling &l, int axis, int32_t at)
{
    const int64_t end = static_cast<int64_t>(at) + l.padding[axis], start = end - l.kernel[axis];
    const int64_t first = start < 0 ? 0 : start / l.stride[axis] + 1, last = end / l.stride[axis] + 1;
    return {static_cast<int32_t>(first), static_cast<int32_t>(last > l.pooled[axis] ? l.pooled[axis] : last)};
}

/* Element i of [planes, rows, columns]. */
struct place {
    int64_t plane;
    int32_t row, column;
};

template <class I> __device__ __forceinline__ place place_of(I i, const int32_t (&shape)[2])
{
    const I columns = static_cast<I>(shape[1]), rows = static_cast<I>(shape[0]);
    const I line = i / columns, plane = line / rows;
    return {static_cast<int64_t>(plane), static_cast<int32_t>(line - plane * rows),
            static_cast<int32_t>(i - line * columns)};
}

/* The first of the largest; a NaN beats what is not one, and the first stays.
 * x [planes, size], y and index [planes, pooled] */
template <class T, class I>
__global__ void __launch_bounds__(THREADS) k_max(pooling l, I count, const T *x, T *y, int64_t *index)
{
    const I step = static_cast<I>(gridDim.x) * THREADS;
    for (I i = static_cast<I>(blockIdx.x) * THREADS + threadIdx.x; i < count; i += step) {
        const place p = place_of(i, l.pooled);
        const range rows = window_of(l, 0, p.row), columns = window_of(l, 1, p.column);
        const T *plane = x + p.plane * l.size[0] * l.size[1];
        int64_t best = static_cast<int64_t>(rows.first) * l.size[1] + columns.first;
        T best_element = plane[best];
        auto best_value = weft_load(best_element);
        for (int32_t h = rows.first; h < rows.last; h++)
            for (int32_t w = columns.first; w < columns.last; w++) {
                const int64_t at = static_cast<int64_t>(h) * l.size[1] + w;
                const T element = plane[at];
                const auto value = weft_load(element);
                if (value > best_value || (value != value && best_value == best_value)) {
                    best = at;
                    best_element = element;
                    best_value = value;
                }
            }
        y[i] = best_element;
        index[i] = best;
    }
}

/* g and index [planes, pooled], dx [planes, size] */
template <class T, class I>
__global__ void __launch_bounds__(THREADS) k_max_grad(pooling l, I count, const T *g, const int64_t *index, T *dx)
{
    const I step = static_cast<I>(gridDim.x) * THREADS;
    for (I i = static_cast<I>(blockIdx.x) * THREADS + threadIdx.x; i < count; i += step) {
        const place p = place_of(i, l.size);
        const range rows = windows_over(l, 0, p.row), columns = windows_over(l, 1, p.column);
        const int64_t plane = p.plane * l.pooled[0] * l.pooled[1];
        const int64_t own = static_cast<int64_t>(p.row) * l.size[1] + p.column;
        weft_compute_t<T> sum = 0;
        for (int32_t r = rows.first; r < rows.last; r++)
            for (int32_t c = columns.first; c < columns.last; c++) {
                const int64_t at = plane + static_cast<int64_t>(r) * l.pooled[1] + c;
                if (index[at] == own)
                    sum += weft_load(g[at]);
            }
        weft_store(&dx[i], sum);
    }
}

/* Padding counts as zeros that are averaged too.
 * x [planes, size], y [planes, pooled] */
template <class T, class I>
__global__ void __launch_bounds__(THREADS) k_average(pooling l, I count, const T *x, T *y, weft_compute_t<T> scale)
{
    const I step = static_cast<I>(gridDim.x) * THREADS;
    for (I i = static_cast<I>(blockIdx.x) * THREADS + threadIdx.x; i < count; i += step) {
        const place p = place_of(i, l.pooled);
        const range rows = window_of(l, 0, p.row), columns = window_of(l, 1, p.column);
        const T *plane = x + p.plane * l.size[0] * l.size[1];
        weft_compute_t<T> sum = 0;
        for (int32_t h = rows.first; h < rows.last; h++)
            for (int32_t w = columns.first; w < columns.last; w++)
                sum += weft_load(plane[static_cast<int64_t>(h) * l.size[1] + w]);
        weft_store(&y[i], sum * scale);
    }
}

/* g [planes, pooled], dx [planes, size] */
template <class T, class I>
__global__ void __launch_bounds__(THREADS) k_spread(pooling l, I count, const T *g, T *dx, weft_compute_t<T> scale)
{
    const I step = static_cast<I>(gridDim.x) * THREADS;
    for (I i = static_cast<I>(blockIdx.x) * THREADS + threadIdx.x; i < count; i += step) {
        const place p = place_of(i, l.size);
        const range rows = windows_over(l, 0, p.row), columns = windows_over(l, 1, p.column);
        const T *plane = g + p.plane * l.pooled[0] * l.pooled[1];
        weft_compute_t<T> sum = 0;
        for (int32_t r = rows.first; r < rows.last; r++)
            for (int32_t c = columns.first; c < columns.last; c++)
                sum += weft_load(plane[static_cast<int64_t>(r) * l.pooled[1] + c]) * scale;
        weft_store(&dx[i], sum);
    }
}

pooling make_pooling(const weft__exec *e, const weft__array *large, const weft__array *small)
{
    pooling l = {};
    l.planes = large->shape[0] * large->shape[1];
    for (int d = 0; d < 2; d++) {
        l.size[d] = static_cast<int32_t>(large->shape[2 + d]);
        l.pooled[d] = static_cast<int32_t>(small->shape[2 + d]);
        l.kernel[d] = static_cast<int32_t>(e->attrs->pool.kernel[d]);
        l.stride[d] = static_cast<int32_t>(e->attrs->pool.stride[d]);
        l.padding[d] = static_cast<int32_t>(e->attrs->pool.padding[d]);
    }
    return l;
}

template <class T> weft_compute_t<T> scale_of(const pooling &l)
{
    return static_cast<weft_compute_t<T>>(1.0 / (static_cast<double>(l.kernel[0]) * l.kernel[1]));
}

/* Calls launch(name of the type, pooling, blocks, count) with count a uint32_t or an int64_t, as the number of result
 * elements allows. */
template <class Launch>
weft_status run(const weft__exec *e, const weft__array *large, const weft__array *small, Launch &&launch)
{
    const weft__array *y = e->out[0];
    if (y->count == 0)
        return WEFT_OK;
    const pooling l = make_pooling(e, large, small);
    const unsigned blocks = weft__cuda_blocks(e, y->count, THREADS);
    return weft__cuda_status(e, weft_visit_float(y->dtype, cudaErrorInvalidValue, [&](auto name) -> cudaError_t {
                                 return weft_fits_32_bits(y->count)
                                            ? launch(name, l, blocks, static_cast<uint32_t>(y->count))
                                            : launch(name, l, blocks, y->count);
                             }));
}

template <class T> const T *input(const weft__exec *e, int k)
{
    return static_cast<const T *>(e->in[k]->data);
}

template <class T> T *output(const weft__exec *e, int k)
{
    return static_cast<T *>(e->out[k]->data);
}

} /* namespace */

/* x [N, C, H, W], out y and index [N, C, H', W'], index into the H W elements of the plane */
extern "C" weft_status weft__cuda_max_pool2d(const weft__exec *e)
{
    return run(e, e->in[0], e->out[0], [e](auto name, const pooling &l, unsigned blocks, auto count) -> cudaError_t {
        using T = typename decltype(name)::type;
        return weft_launch(k_max<T, decltype(count)>, blocks, THREADS, 0, weft__stream(e), l, count, input<T>(e, 0),
                           output<T>(e, 0), output<int64_t>(e, 1));
    });
}

/* g and index [N, C, H', W'], out dx [N, C, H, W] */
extern "C" weft_status weft__cuda_max_pool2d_grad(const weft__exec *e)
{
    return run(e, e->out[0], e->in[0], [e](auto name, const pooling &l, unsigned blocks, auto count) -> cudaError_t {
        using T = typename decltype(name)::type;
        return weft_launch(k_max_grad<T, decltype(count)>, blocks, THREADS, 0, weft__stream(e), l, count,
                           input<T>(e, 0), input<int64_t>(e, 1), output<T>(e, 0));
    });
}

/* x [N, C, H, W], out [N, C, H', W'] */
extern "C" weft_status weft__cuda_avg_pool2d(const weft__exec *e)
{
    return run(e, e->in[0], e->out[0], [e](auto name, const pooling &l, unsigned blocks, auto count) -> cudaError_t {
        using T = typename decltype(name)::type;
        return weft_launch(k_average<T, decltype(count)>, blocks, THREADS, 0, weft__stream(e), l, count, input<T>(e, 0),
                           output<T>(e, 0), scale_of<T>(l));
    });
}

/* g [N, C, H', W'], out dx [N, C, H, W] */
extern "C" weft_status weft__cuda_avg_unpool2d(const weft__exec *e)
{
    return run(e, e->out[0], e->in[0], [e](auto name, const pooling &l, unsigned blocks, auto count) -> cudaError_t {
        using T = typename decltype(name)::type;
        return weft_launch(k_spread<T, decltype(count)>, blocks, THREADS, 0, weft__stream(e), l, count, input<T>(e, 0),
                           output<T>(e, 0), scale_of<T>(l));
    });
}
