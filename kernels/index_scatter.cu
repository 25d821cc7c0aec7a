/* index_scatter.cu - sums into elements named by index arrays: SCATTER_ADD and INDEX_ADD, the same bits every run. All
 * arrays contiguous, indices i64, floats or i64; halves add up in f32 and are rounded once.
 *
 * Few indices along the dim: the first source of a destination looks for the others and adds them in order. Many:
 * sources are sorted by destination, in order, and cut into chunks; a run of one destination inside a chunk is one sum,
 * in the order in which the CPU adds. Runs that cross chunks leave a partial sum in each, which a second kernel adds in
 * order. */
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "index_bounds.h"
#include "radix_sort.h"
#include "space.h"
#include "types.h"

namespace
{

enum {
    THREADS = 256,
    FEW = 32,   /* indices along the dim that are looked through rather than sorted */
    CHUNK = 32, /* sorted sources */
    BATCH = 4,  /* of them that are loaded at a time */
    NARROW = 32 /* bytes of a row below which threads share out sources, not columns */
};

/* i64 as unsigned, so that sums wrap */
template <class T> __device__ __forceinline__ weft_compute_t<T> load(T x)
{
    if constexpr (std::is_same_v<T, uint64_t>)
        return x;
    else
        return weft_load(x);
}

template <class T> __device__ __forceinline__ void store(T *y, weft_compute_t<T> x)
{
    if constexpr (std::is_same_v<T, uint64_t>)
        *y = x;
    else
        weft_store(y, x);
}

template <class T> const T *input(const weft__exec *e, int k)
{
    return static_cast<const T *>(e->in[k]->data);
}

template <class T> T *output(const weft__exec *e)
{
    return static_cast<T *>(e->out[0]->data);
}

/* The addition along dim: index is as src, or for index_add [n], the same for every position outside of dim. */
struct task {
    const weft__exec *e;
    int dim;
    bool rows; /* index_add */
    weft_bounds range;
};

/* ---- Few indices ---- */

/* Strides along the dim. */
struct steps {
    int64_t n, src, index, y;
};

/* space of {src, index, y without the dim}
 * x and y [...], src [...], no larger but in the dim, index as src or [n] */
template <class T, class I>
__global__ void __launch_bounds__(THREADS)
    k_add_few(weft_space<3> s, steps along, weft_bounds range, const T *x, const int64_t *index, const T *src, T *y)
{
    const I count = static_cast<I>(s.count);
    const I step = static_cast<I>(gridDim.x) * THREADS;
    for (I i = static_cast<I>(blockIdx.x) * THREADS + threadIdx.x; i < count; i += step) {
        int64_t at[3];
        weft_space_offsets(s, i, at);
        const int64_t own = index[at[1]];
        if (!weft_in_range(range, at[1], own))
            continue;
        const int64_t k = static_cast<int64_t>(i / static_cast<I>(along.src) % static_cast<I>(along.n));
        const int64_t *others = index + (at[1] - k * along.index);
        bool first = true;
        for (int64_t j = 0; j < k; j++)
            first = first && others[j * along.index] != own;
        if (!first)
            continue;
        const int64_t to = at[2] + own * along.y;
        weft_compute_t<T> sum = load(x[to]) + load(src[i]);
        for (int64_t j = k + 1; j < along.n; j++)
            if (others[j * along.index] == own)
                sum += load(src[static_cast<int64_t>(i) + (j - k) * along.src]);
        store(&y[to], sum);
    }
}

/* index as an array of src's shape, and the part of y that does not depend on it. */
void spread_out(const task &t, weft__array *index, weft__array *y)
{
    const weft__array *src = t.e->in[2];
    *index = *src;
    *y = *t.e->out[0];
    for (int d = 0; d < src->ndim; d++) {
        y->shape[d] = src->shape[d];
        if (t.rows)
            index->strides[d] = d == t.dim;
    }
    y->strides[t.dim] = 0;
}

template <class T> cudaError_t add_few(const task &t)
{
    const weft__array *src = t.e->in[2];
    weft__array index, y;
    spread_out(t, &index, &y);
    const weft_space<3> s = weft_make_space<3>({src, &index, &y});
    const steps along = {src->shape[t.dim], src->strides[t.dim], index.strides[t.dim], t.e->out[0]->strides[t.dim]};
    const unsigned blocks = weft__cuda_blocks(t.e, s.count, THREADS);
    const cudaStream_t stream = weft__stream(t.e);
    return weft_fits_32_bits(s.count)
               ? weft_launch(k_add_few<T, uint32_t>, blocks, THREADS, 0, stream, s, along, t.range, input<T>(t.e, 0),
                             input<int64_t>(t.e, 1), input<T>(t.e, 2), output<T>(t.e))
               : weft_launch(k_add_few<T, int64_t>, blocks, THREADS, 0, stream, s, along, t.range, input<T>(t.e, 0),
                             input<int64_t>(t.e, 1), input<T>(t.e, 2), output<T>(t.e));
}

/* ---- Many indices: keys are rows of y ---- */

/* space of {index, y without the dim}; an index out of range gets the key nowhere, which is the largest
 * index [n], keys [n] */
template <class I>
__global__ void __launch_bounds__(THREADS)
    k_keys(weft_space<2> s, int64_t stride, weft_bounds range, const int64_t *index, I nowhere, I *keys)
{
    const int64_t step = static_cast<int64_t>(gridDim.x) * THREADS;
    for (int64_t i = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x; i < s.count; i += step) {
        int64_t at[2];
        weft_space_offsets(s, static_cast<I>(i), at);
        const int64_t value = index[i];
        keys[i] = weft_in_range(range, i, value) ? static_cast<I>(at[1] + value * stride) : nowhere;
    }
}

/* x and y [outer, rows, inner], src [outer, n, inner]; columns are the outer x inner. scatter_add is the case of one
 * column. */
template <class T, class I> struct addition {
    const I *keys;    /* [n], ascending */
    const I *numbers; /* [n] of the sources that belong to them */
    I nowhere;
    int64_t n, chunks, rows, inner, columns;
    const T *x, *src;
    T *y;
    weft_compute_t<T>
        *partial; /* [chunks, 2, columns]: of a run from the chunk before; of one that begins here and goes on */
};

/* One column's first element in x and in src. */
struct column_start {
    int64_t x, src;
};

template <class T, class I> __device__ __forceinline__ column_start start_of(const addition<T, I> &a, int64_t column)
{
    const int64_t outer = a.columns == a.inner ? 0 : column / a.inner, inside = column - outer * a.inner;
    return {outer * a.rows * a.inner + inside, outer * a.n * a.inner + inside};
}

/* Source i of the sorted ones is in the chunk's first place and belongs to a run from the chunk before. */
template <class T, class I> __device__ __forceinline__ bool continues(const addition<T, I> &a, int64_t i)
{
    return i % CHUNK == 0 && i > 0 && a.keys[i - 1] == a.keys[i];
}

/* Stores V columns' sums over the piece of a run that ends before source end. */
template <int V, class T, class I>
__device__ __forceinline__ void finish(const addition<T, I> &a, int64_t end, I key, bool continued, int64_t column,
                                       const column_start &start, const weft_compute_t<T> (&sum)[V])
{
    const bool goes_on = end % CHUNK == 0 && end < a.n && a.keys[end] == key;
    if (!continued && !goes_on) {
        weft_pack<T, V> pack;
#pragma unroll
        for (int v = 0; v < V; v++)
            store(&pack.element[v], sum[v]);
        *reinterpret_cast<weft_pack<T, V> *>(a.y + start.x + static_cast<int64_t>(key) * a.inner) = pack;
        return;
    }
    weft_compute_t<T> *partial = a.partial + ((end - 1) / CHUNK * 2 + (continued ? 0 : 1)) * a.columns + column;
#pragma unroll
    for (int v = 0; v < V; v++)
        partial[v] = sum[v];
}

/* A thread sums V columns over a chunk; V columns are 16 bytes, aligned, or one. */
template <class T, class I, int V> __global__ void __launch_bounds__(THREADS) k_add_rows(addition<T, I> a)
{
    using pack = weft_pack<T, V>;
    const int64_t packs = a.columns / V, items = packs * a.chunks;
    const int64_t step = static_cast<int64_t>(gridDim.x) * THREADS;
    for (int64_t item = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x; item < items; item += step) {
        const int64_t chunk = item / packs, column = (item - chunk * packs) * V, first = chunk * CHUNK;
        const int64_t last = first + CHUNK < a.n ? first + CHUNK : a.n;
        const column_start start = start_of(a, column);
        I key = a.keys[first];
        bool continued = continues(a, first);
        weft_compute_t<T> sum[V] = {};
        for (int64_t i = first; i < last && a.keys[i] != a.nowhere; i += BATCH) {
            I keys[BATCH];
            bool begins[BATCH];
            pack from[BATCH], base[BATCH];
#pragma unroll
            for (int k = 0; k < BATCH; k++) {
                keys[k] = i + k < last ? a.keys[i + k] : a.nowhere;
                if (keys[k] == a.nowhere)
                    continue;
                begins[k] = i + k == first ? !continued : keys[k] != (k > 0 ? keys[k > 0 ? k - 1 : 0] : key);
                const int64_t number = static_cast<int64_t>(a.numbers[i + k]);
                from[k] = *reinterpret_cast<const pack *>(a.src + start.src + number * a.inner);
                if (begins[k])
                    base[k] = *reinterpret_cast<const pack *>(a.x + start.x + static_cast<int64_t>(keys[k]) * a.inner);
            }
#pragma unroll
            for (int k = 0; k < BATCH; k++) {
                if (keys[k] == a.nowhere)
                    continue;
                if (begins[k]) {
                    if (i + k > first) {
                        finish<V>(a, i + k, key, continued, column, start, sum);
                        continued = false;
                    }
                    key = keys[k];
#pragma unroll
                    for (int v = 0; v < V; v++)
                        sum[v] = load(base[k].element[v]);
                }
#pragma unroll
                for (int v = 0; v < V; v++)
                    sum[v] += load(from[k].element[v]);
            }
        }
        int64_t end = last;
        while (end > first && a.keys[end - 1] == a.nowhere)
            end--;
        if (end > first)
            finish<V>(a, end, key, continued, column, start, sum);
    }
}

/* A thread sums one column over the piece of a run that begins with its source, if one does. */
template <class T, class I> __global__ void __launch_bounds__(THREADS) k_add_narrow(addition<T, I> a)
{
    const int64_t items = a.n * a.columns, plane = a.n * a.inner;
    const int64_t step = static_cast<int64_t>(gridDim.x) * THREADS;
    for (int64_t item = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x; item < items; item += step) {
        const int64_t outer = a.columns == a.inner ? 0 : item / plane, rest = item - outer * plane;
        const int64_t first = a.inner == 1 ? rest : rest / a.inner;
        const I key = a.keys[first];
        if (key == a.nowhere || (first % CHUNK != 0 && a.keys[first - 1] == key))
            continue;
        const int64_t column = outer * a.inner + (rest - first * a.inner);
        const column_start start = start_of(a, column);
        const T *src = a.src + start.src;
        const bool continued = continues(a, first);
        weft_compute_t<T> sum[1] = {};
        if (!continued)
            sum[0] = load(a.x[start.x + static_cast<int64_t>(key) * a.inner]);
        int64_t i = first;
        do {
            sum[0] += load(src[static_cast<int64_t>(a.numbers[i]) * a.inner]);
            i++;
        } while (i % CHUNK != 0 && i < a.n && a.keys[i] == key);
        finish<1>(a, i, key, continued, column, start, sum);
    }
}

/* The chunk in which a run begins that goes on in the next adds up its partial sums. */
template <class T, class I> __global__ void __launch_bounds__(THREADS) k_join(addition<T, I> a)
{
    const int64_t items = (a.chunks - 1) * a.columns;
    const int64_t step = static_cast<int64_t>(gridDim.x) * THREADS;
    for (int64_t item = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x; item < items; item += step) {
        const int64_t chunk = a.columns == 1 ? item : item / a.columns, column = item - chunk * a.columns;
        int64_t end = (chunk + 1) * CHUNK;
        const I key = a.keys[end - 1];
        const bool begins = chunk == 0 || a.keys[chunk * CHUNK - 1] != key;
        if (key == a.nowhere || !begins || a.keys[end] != key)
            continue;
        weft_compute_t<T> sum = a.partial[(chunk * 2 + 1) * a.columns + column];
        for (int64_t next = chunk + 1; next < a.chunks && a.keys[next * CHUNK] == key; next++)
            sum += a.partial[next * 2 * a.columns + column];
        store(&a.y[start_of(a, column).x + static_cast<int64_t>(key) * a.inner], sum);
    }
}

template <class T, class I, int V> cudaError_t add_rows(const weft__exec *e, const addition<T, I> &a)
{
    return weft_launch(k_add_rows<T, I, V>, weft__cuda_blocks(e, a.columns / V * a.chunks, THREADS), THREADS, 0,
                       weft__stream(e), a);
}

template <class T, class I> cudaError_t add_sorted(const weft__exec *e, const addition<T, I> &a)
{
    constexpr int WIDTH = 16 / sizeof(T);
    const bool packs =
        a.inner % WIDTH == 0 && weft__cuda_aligned16(a.x) && weft__cuda_aligned16(a.src) && weft__cuda_aligned16(a.y);
    cudaError_t error = cudaSuccess;
    if (a.inner * static_cast<int64_t>(sizeof(T)) < NARROW)
        error = weft_launch(k_add_narrow<T, I>, weft__cuda_blocks(e, a.n * a.columns, THREADS), THREADS, 0,
                            weft__stream(e), a);
    else
        error = packs ? add_rows<T, I, WIDTH>(e, a) : add_rows<T, I, 1>(e, a);
    if (error != cudaSuccess || a.chunks == 1)
        return error;
    return weft_launch(k_join<T, I>, weft__cuda_blocks(e, (a.chunks - 1) * a.columns, THREADS), THREADS, 0,
                       weft__stream(e), a);
}

int64_t sizes(const weft__array *a, int first, int last)
{
    int64_t n = 1;
    for (int d = first; d < last; d++)
        n *= a->shape[d];
    return n;
}

/* Keys are rows along the dim for index_add, elements of x for scatter_add. */
template <class I> cudaError_t make_keys(const task &t, I nowhere, I *keys)
{
    const weft__array *index = t.e->in[1], *x = t.e->in[0];
    weft__array to = *index;
    for (int d = 0; d < to.ndim; d++)
        to.strides[d] = t.rows || d == t.dim ? 0 : x->strides[d];
    const weft_space<2> s = weft_make_space<2>({index, &to});
    return weft_launch(k_keys<I>, weft__cuda_blocks(t.e, s.count, THREADS), THREADS, 0, weft__stream(t.e), s,
                       t.rows ? 1 : x->strides[t.dim], t.range, input<int64_t>(t.e, 1), nowhere, keys);
}

template <class T, class I> weft_status add_many(const task &t)
{
    const weft__exec *e = t.e;
    const weft__array *x = e->in[0];
    addition<T, I> a = {};
    a.n = e->in[1]->count;
    a.chunks = a.n / CHUNK + (a.n % CHUNK != 0);
    a.rows = t.rows ? x->shape[t.dim] : x->count;
    a.inner = t.rows ? sizes(x, t.dim + 1, x->ndim) : 1;
    a.columns = t.rows ? sizes(x, 0, t.dim) * a.inner : 1;
    a.nowhere = static_cast<I>(a.rows);
    a.x = input<T>(e, 0);
    a.src = input<T>(e, 2);
    a.y = output<T>(e);
    a.partial = static_cast<weft_compute_t<T> *>(weft__scratch(e, a.chunks * 2 * a.columns, sizeof(weft_compute_t<T>)));
    weft_sort_arrays<I> s = {};
    if (!a.partial || !weft_sort_allocate(e, a.n, s))
        return WEFT_E_NOMEM;
    int sorted = 0;
    cudaError_t error = make_keys(t, a.nowhere, s.keys[0]);
    if (error == cudaSuccess)
        error = weft_sort(e, a.n, a.nowhere, s, &sorted);
    a.keys = s.keys[sorted];
    a.numbers = s.numbers[sorted];
    if (error == cudaSuccess)
        error = add_sorted(e, a);
    return weft__cuda_status(e, error);
}

/* A copy of x, then the additions. */
template <class T> weft_status add(const task &t)
{
    const weft__array *x = t.e->in[0];
    cudaError_t error = cudaSuccess;
    if (x->count > 0 && x->data != t.e->out[0]->data)
        error = cudaMemcpyAsync(t.e->out[0]->data, x->data, static_cast<size_t>(x->count) * sizeof(T),
                                cudaMemcpyDeviceToDevice, weft__stream(t.e));
    if (error != cudaSuccess || t.e->in[2]->count == 0)
        return weft__cuda_status(t.e, error);
    if (t.e->in[2]->shape[t.dim] <= FEW)
        return weft__cuda_status(t.e, add_few<T>(t));
    const int64_t keys = t.rows ? x->shape[t.dim] : x->count;
    return keys < INT64_C(1) << 31 && t.e->in[1]->count < INT64_C(1) << 31 ? add_many<T, uint32_t>(t)
                                                                           : add_many<T, uint64_t>(t);
}

weft_status add_along(const weft__exec *e, bool rows)
{
    const int dim = static_cast<int>(e->attrs->along.dim);
    const task t = {e, dim, rows, weft_bounds_of(e, e->in[0]->shape[dim])};
    switch (e->in[0]->dtype) {
    case WEFT_F32:
        return add<float>(t);
    case WEFT_F64:
        return add<double>(t);
    case WEFT_F16:
        return add<__half>(t);
    case WEFT_BF16:
        return add<__nv_bfloat16>(t);
    case WEFT_I64:
        return add<uint64_t>(t);
    default:
        return weft__cuda_status(e, cudaErrorInvalidValue);
    }
}

} /* namespace */

/* x and out [...], index and src [...], no larger than x but in the dim:
 * y[.., index[.., i, ..], ..] += src[.., i, ..] */
extern "C" weft_status weft__cuda_scatter_add(const weft__exec *e)
{
    return add_along(e, false);
}

/* x and out [.., D, ..], index [n], src [.., n, ..] along the dim: y[.., index[i], ..] += src[.., i, ..] */
extern "C" weft_status weft__cuda_index_add(const weft__exec *e)
{
    return add_along(e, true);
}

/* In place there is nothing to copy. */
extern "C" weft_status weft__cuda_index_add_(const weft__exec *e)
{
    return add_along(e, true);
}

extern "C" weft_status weft__cuda_scatter_add_(const weft__exec *e)
{
    return add_along(e, false);
}
