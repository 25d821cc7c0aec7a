/* index_place.cu - elements put, or compared, where index arrays say: SCATTER, SCATTER_MAX and SCATTER_MIN, and
 * INDEX_COPY_, whose index is one for whole slices; the same bits every run. All arrays contiguous, indices i64;
 * integers that are compared are i64.
 *
 * Of sources with one destination the last along the dim stays: a first pass finds, by an atomic maximum, the largest
 * number of each destination, a second one stores the sources that have it. Values are compared as whole numbers in the
 * same order, by an atomic maximum, too, so that it is of no matter which comes first. */
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "index_bounds.h"
#include "space.h"
#include "types.h"

namespace
{

enum { THREADS = 256 };

template <class T> const T *input(const weft__exec *e, int k)
{
    return static_cast<const T *>(e->in[k]->data);
}

template <class T> T *output(const weft__exec *e)
{
    return static_cast<T *>(e->out[0]->data);
}

/* Where the sources go: number i of them, in row-major order, to an element of y. */
struct route {
    weft_space<3> s;  /* {src, index, y without the dim} */
    int64_t n, inner; /* sources along the dim, and from one of them to the next */
    int64_t stride;   /* y's along the dim */
    weft_bounds range;
};

/* rows: the index is [n], the same for every position outside of the dim. */
route route_of(const weft__exec *e, int dim, bool rows)
{
    const weft__array *src = e->in[2];
    weft__array y = *e->out[0], index = *src;
    int64_t inner = 1;
    for (int d = 0; d < src->ndim; d++) {
        y.shape[d] = src->shape[d];
        if (rows)
            index.strides[d] = d == dim;
        if (d > dim)
            inner *= src->shape[d];
    }
    y.strides[dim] = 0;
    return {weft_make_space<3>({src, &index, &y}), src->shape[dim], inner, e->out[0]->strides[dim],
            weft_bounds_of(e, e->in[0]->shape[dim])};
}

/* The number along the dim, from 1 on. */
template <class I> __device__ __forceinline__ I number_of(const route &r, I i)
{
    return i / static_cast<I>(r.inner) % static_cast<I>(r.n) + 1;
}

/* The element of y that source i goes to; -1: none, as its index is out of range, which is noted if it is to be. */
template <bool NOTES, class I> __device__ __forceinline__ int64_t destination(const route &r, I i, const int64_t *index)
{
    int64_t at[3];
    weft_space_offsets(r.s, i, at);
    const int64_t own = index[at[1]];
    const bool inside = NOTES ? weft_in_range(r.range, at[1], own) : weft_is_inside(r.range, own);
    return inside ? at[2] + own * r.stride : -1;
}

/* ---- Places ---- */

/* index as src or [n], last [y's count], 0 at first */
template <class I>
__global__ void __launch_bounds__(THREADS) k_claim(route r, const int64_t *index, unsigned long long *last)
{
    const I count = static_cast<I>(r.s.count), step = static_cast<I>(gridDim.x) * THREADS;
    for (I i = static_cast<I>(blockIdx.x) * THREADS + threadIdx.x; i < count; i += step) {
        const int64_t to = destination<true>(r, i, index);
        if (to >= 0)
            atomicMax(&last[to], static_cast<unsigned long long>(number_of(r, i)));
    }
}

/* src [...], index as src or [n], y and last [...] */
template <class U, class I>
__global__ void __launch_bounds__(THREADS)
    k_place(route r, const int64_t *index, const unsigned long long *last, const U *src, U *y)
{
    const I count = static_cast<I>(r.s.count), step = static_cast<I>(gridDim.x) * THREADS;
    for (I i = static_cast<I>(blockIdx.x) * THREADS + threadIdx.x; i < count; i += step) {
        const int64_t to = destination<false>(r, i, index);
        if (to >= 0 && last[to] == static_cast<unsigned long long>(number_of(r, i)))
            y[to] = src[i];
    }
}

/* Zeros, one for each element of y; NULL: out of memory, recorded. */
template <class T> T *zeros_for(const weft__exec *e, cudaError_t *error)
{
    T *made = static_cast<T *>(weft__scratch(e, e->out[0]->count, sizeof(T)));
    if (made)
        *error = cudaMemsetAsync(made, 0, static_cast<size_t>(e->out[0]->count) * sizeof(T), weft__stream(e));
    return made;
}

template <class U, class I> weft_status place(const weft__exec *e, const route &r)
{
    cudaError_t error = cudaSuccess;
    unsigned long long *last = zeros_for<unsigned long long>(e, &error);
    if (!last)
        return WEFT_E_NOMEM;
    const unsigned blocks = weft__cuda_blocks(e, r.s.count, THREADS);
    const cudaStream_t stream = weft__stream(e);
    if (error == cudaSuccess)
        error = weft_launch(k_claim<I>, blocks, THREADS, 0, stream, r, input<int64_t>(e, 1), last);
    if (error == cudaSuccess)
        error = weft_launch(k_place<U, I>, blocks, THREADS, 0, stream, r, input<int64_t>(e, 1), last, input<U>(e, 2),
                            output<U>(e));
    return weft__cuda_status(e, error);
}

template <class U> weft_status place_units(const weft__exec *e, const route &r)
{
    return weft_fits_32_bits(r.s.count) ? place<U, uint32_t>(e, r) : place<U, int64_t>(e, r);
}

weft_status place_all(const weft__exec *e, const route &r)
{
    switch (weft__cuda_bytes(e->in[0]->dtype)) {
    case 1:
        return place_units<uint8_t>(e, r);
    case 2:
        return place_units<uint16_t>(e, r);
    case 4:
        return place_units<uint32_t>(e, r);
    default:
        return place_units<uint64_t>(e, r);
    }
}

/* A copy of x; whether there is anything to put in it. */
bool begin(const weft__exec *e, weft_status *status)
{
    const weft__array *x = e->in[0];
    cudaError_t error = cudaSuccess;
    if (x->count > 0 && x->data != e->out[0]->data)
        error = cudaMemcpyAsync(e->out[0]->data, x->data, static_cast<size_t>(x->count) * weft__cuda_bytes(x->dtype),
                                cudaMemcpyDeviceToDevice, weft__stream(e));
    *status = weft__cuda_status(e, error);
    return error == cudaSuccess && e->in[2]->count > 0;
}

/* ---- Extremes ---- */

/* Values of a type as whole numbers in the same order, and back. */
template <class T> struct order {
    using key = unsigned; /* halves and f32 */
    static constexpr key SIGN = 0x80000000u;
    static __device__ __forceinline__ bool is_nan(T x)
    {
        const float wide = weft_load(x);
        return wide != wide;
    }
    static __device__ __forceinline__ key of(T x)
    {
        const key bits = __float_as_uint(weft_load(x));
        return bits & SIGN ? ~bits : bits | SIGN;
    }
    static __device__ __forceinline__ T back(key k)
    {
        T x;
        weft_store(&x, __uint_as_float(k & SIGN ? k & ~SIGN : ~k));
        return x;
    }
    static __device__ __forceinline__ T nan()
    {
        T x;
        weft_store(&x, __uint_as_float(0x7fc00000u));
        return x;
    }
};

template <> struct order<double> {
    using key = unsigned long long;
    static constexpr key SIGN = 1ull << 63;
    static __device__ __forceinline__ bool is_nan(double x)
    {
        return x != x;
    }
    static __device__ __forceinline__ key of(double x)
    {
        const key bits = static_cast<key>(__double_as_longlong(x));
        return bits & SIGN ? ~bits : bits | SIGN;
    }
    static __device__ __forceinline__ double back(key k)
    {
        return __longlong_as_double(static_cast<long long>(k & SIGN ? k & ~SIGN : ~k));
    }
    static __device__ __forceinline__ double nan()
    {
        return __longlong_as_double(0x7ff8000000000000ll);
    }
};

template <> struct order<int64_t> {
    using key = unsigned long long;
    static constexpr key SIGN = 1ull << 63;
    static __device__ __forceinline__ bool is_nan(int64_t)
    {
        return false;
    }
    static __device__ __forceinline__ key of(int64_t x)
    {
        return static_cast<key>(x) ^ SIGN;
    }
    static __device__ __forceinline__ int64_t back(key k)
    {
        return static_cast<int64_t>(k ^ SIGN);
    }
    static __device__ __forceinline__ int64_t nan()
    {
        return 0;
    }
};

/* The larger key is what stays; a NaN's is the largest. 0 is no source's, but of the one i64 that loses anyway. */
template <class T, bool LARGEST> __device__ __forceinline__ typename order<T>::key key_of(T x)
{
    using key = typename order<T>::key;
    if (order<T>::is_nan(x))
        return ~static_cast<key>(0);
    return LARGEST ? order<T>::of(x) : ~order<T>::of(x);
}

/* src [...], index as src, keys [y's count], 0 at first */
template <class T, bool LARGEST, class I>
__global__ void __launch_bounds__(THREADS)
    k_keys(route r, const int64_t *index, const T *src, typename order<T>::key *keys)
{
    const I count = static_cast<I>(r.s.count), step = static_cast<I>(gridDim.x) * THREADS;
    for (I i = static_cast<I>(blockIdx.x) * THREADS + threadIdx.x; i < count; i += step) {
        const int64_t to = destination<true>(r, i, index);
        if (to >= 0)
            atomicMax(&keys[to], key_of<T, LARGEST>(src[i]));
    }
}

/* keys and y [count] */
template <class T, bool LARGEST>
__global__ void __launch_bounds__(THREADS) k_stays(int64_t count, const typename order<T>::key *keys, T *y)
{
    using key = typename order<T>::key;
    const int64_t step = static_cast<int64_t>(gridDim.x) * THREADS;
    for (int64_t i = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x; i < count; i += step) {
        const key best = keys[i];
        if (best <= key_of<T, LARGEST>(y[i]))
            continue;
        const bool none = best == ~static_cast<key>(0) && order<T>::is_nan(order<T>::nan());
        y[i] = none ? order<T>::nan() : order<T>::back(LARGEST ? best : ~best);
    }
}

template <class T, bool LARGEST> weft_status compare(const weft__exec *e, const route &r)
{
    using key = typename order<T>::key;
    cudaError_t error = cudaSuccess;
    key *keys = zeros_for<key>(e, &error);
    if (!keys)
        return WEFT_E_NOMEM;
    const cudaStream_t stream = weft__stream(e);
    const unsigned blocks = weft__cuda_blocks(e, r.s.count, THREADS);
    const int64_t count = e->out[0]->count;
    if (error == cudaSuccess)
        error = weft_fits_32_bits(r.s.count) ? weft_launch(k_keys<T, LARGEST, uint32_t>, blocks, THREADS, 0, stream, r,
                                                           input<int64_t>(e, 1), input<T>(e, 2), keys)
                                             : weft_launch(k_keys<T, LARGEST, int64_t>, blocks, THREADS, 0, stream, r,
                                                           input<int64_t>(e, 1), input<T>(e, 2), keys);
    if (error == cudaSuccess)
        error = weft_launch(k_stays<T, LARGEST>, weft__cuda_blocks(e, count, THREADS), THREADS, 0, stream, count,
                            static_cast<const key *>(keys), output<T>(e));
    return weft__cuda_status(e, error);
}

/* Where x takes no part, one of the sources takes its place first. */
template <bool LARGEST> weft_status extreme(const weft__exec *e)
{
    weft_status status;
    if (!begin(e, &status))
        return status;
    const route r = route_of(e, static_cast<int>(e->attrs->extreme.dim), false);
    if (!e->attrs->extreme.include_self)
        status = place_all(e, r);
    if (status != WEFT_OK)
        return status;
    switch (e->in[0]->dtype) {
    case WEFT_F32:
        return compare<float, LARGEST>(e, r);
    case WEFT_F64:
        return compare<double, LARGEST>(e, r);
    case WEFT_F16:
        return compare<__half, LARGEST>(e, r);
    case WEFT_BF16:
        return compare<__nv_bfloat16, LARGEST>(e, r);
    case WEFT_I64:
        return compare<int64_t, LARGEST>(e, r);
    default:
        return weft__cuda_status(e, cudaErrorInvalidValue);
    }
}

} /* namespace */

/* x and out [...], index and src [...], no larger than x but in the dim:
 * y[.., index[.., i, ..], ..] = src[.., i, ..] */
extern "C" weft_status weft__cuda_scatter(const weft__exec *e)
{
    weft_status status;
    if (!begin(e, &status))
        return status;
    return place_all(e, route_of(e, static_cast<int>(e->attrs->along.dim), false));
}

/* x and out [.., D, ..], index [n], src [.., n, ..]: y[.., index[i], ..] = src[.., i, ..] */
extern "C" weft_status weft__cuda_index_copy_(const weft__exec *e)
{
    weft_status status;
    if (!begin(e, &status))
        return status;
    return place_all(e, route_of(e, static_cast<int>(e->attrs->along.dim), true));
}

/* likewise, the largest of x, if include_self, and of the sources */
extern "C" weft_status weft__cuda_scatter_max(const weft__exec *e)
{
    return extreme<true>(e);
}

extern "C" weft_status weft__cuda_scatter_min(const weft__exec *e)
{
    return extreme<false>(e);
}
