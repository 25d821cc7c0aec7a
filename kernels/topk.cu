/* topk.cu - the k first elements in order along one dim, and where they are: TOPK.
 *
 *   x [outer, n, inner] contiguous, any dtype      values, indices [outer, k, inner]
 *
 * Elements are compared as unsigned numbers, keys, the first in order the largest; equal keys go by position. So the
 * order is total, and every way to find it gives the same. Three ways:
 *
 *   short slices    a warp holds all keys of a slice and takes the best of them k times
 *   others          a block finds the k-th key digit by digit, collects what lies before it and sorts that in shared
 *                   memory; few long slices are cut into chunks first, whose best k are then the slice
 *   many of many    where they do not fit into shared memory all elements are sorted, by key and then by slice */
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "order.h"
#include "radix_sort.h"
#include "types.h"

namespace
{

enum {
    THREADS = WEFT_SORT_THREADS,
    DIGITS = WEFT_SORT_DIGITS,
    HELD = 8,           /* keys of a lane */
    SHORT = 32 * HELD,  /* elements of a slice that a warp holds */
    ROUNDS = 32,        /* that a warp takes at most */
    SORTED = 1024,      /* that a block sorts at most */
    CHUNK = 8192,       /* elements of a chunk at least */
    MANY_CHUNKS = 1024, /* of all slices together */
};

/* ---- Keys ---- */

template <class T> using key_of = weft_key<T>;

/* Keys whose largest come first; NaN is first in both directions. */
template <class T> struct order {
    bool largest;

    __device__ __forceinline__ key_of<T> key(T x) const
    {
        const key_of<T> up = weft_rising_key(x);
        return largest || weft_is_nan(x) ? up : ~up;
    }
};

template <class K> struct entry {
    K key;
    int64_t at;
};

/* Does a come before b? */
template <class K> __device__ __forceinline__ bool before(const entry<K> &a, const entry<K> &b)
{
    return a.key > b.key || (a.key == b.key && a.at < b.at);
}

/* ---- Slices ---- */

/* Where slice (o, j) begins, o * outer + j * inner, and the distance of its elements. */
struct layout {
    int64_t outer, inner, step;
};

template <class T> struct task {
    order<T> by;
    const T *x;
    const int64_t *from; /* as x: indices of candidates; NULL: their positions */
    T *values;
    int64_t *indices;
    layout in, out;
    int64_t slices, inner; /* slice s is (s / inner, s % inner) */
    int64_t n, k, chunks;  /* out has chunks * k elements a slice */
};

template <class T> struct slice {
    const T *x;
    const int64_t *from;
    T *values;
    int64_t *indices;
    int64_t first, n; /* of this chunk */
};

template <class T> __device__ __forceinline__ slice<T> find_slice(const task<T> &t, int64_t item)
{
    const int64_t s = item / t.chunks, chunk = item - s * t.chunks, o = s / t.inner, j = s - o * t.inner;
    const int64_t first = t.n / t.chunks * chunk + (chunk < t.n % t.chunks ? chunk : t.n % t.chunks);
    const int64_t in = o * t.in.outer + j * t.in.inner + first * t.in.step;
    const int64_t out = o * t.out.outer + j * t.out.inner + chunk * t.k * t.out.step;
    return {t.x + in, t.from ? t.from + in : nullptr,           t.values + out, t.indices + out,
            first,    t.n / t.chunks + (chunk < t.n % t.chunks)};
}

/* Writes the element at position at of the chunk to place i. */
template <class T> __device__ __forceinline__ void emit(const task<T> &t, const slice<T> &s, int64_t i, int64_t at)
{
    s.values[i * t.out.step] = s.x[at * t.in.step];
    s.indices[i * t.out.step] = s.from ? s.from[at * t.in.step] : s.first + at;
}

/* ---- Short slices ---- */

/* The first of the entries of a warp. */
template <class K> __device__ __forceinline__ entry<K> first_of_warp(entry<K> e)
{
    for (int lanes = 16; lanes > 0; lanes /= 2) {
        const entry<K> other = {__shfl_xor_sync(0xffffffffu, e.key, lanes), __shfl_xor_sync(0xffffffffu, e.at, lanes)};
        if (before(other, e))
            e = other;
    }
    return e;
}

template <class T> __global__ void __launch_bounds__(THREADS) k_topk_short(task<T> t)
{
    using K = key_of<T>;
    const int lane = static_cast<int>(threadIdx.x) % 32, warps = THREADS / 32;
    for (int64_t item = static_cast<int64_t>(blockIdx.x) * warps + threadIdx.x / 32; item < t.slices;
         item += static_cast<int64_t>(gridDim.x) * warps) {
        const slice<T> s = find_slice(t, item);
        K key[HELD];
        unsigned left = 0; /* of them that have not been taken */
#pragma unroll
        for (int h = 0; h < HELD; h++) {
            const int64_t at = lane + 32 * h;
            const bool there = at < s.n;
            key[h] = there ? t.by.key(s.x[at * t.in.step]) : K(0);
            left |= there ? 1u << h : 0u;
        }
        for (int64_t i = 0; i < t.k; i++) {
            entry<K> own = {0, INT64_MAX};
#pragma unroll
            for (int h = 0; h < HELD; h++) {
                const entry<K> e = {key[h], lane + 32 * h};
                if ((left >> h & 1u) != 0 && before(e, own))
                    own = e;
            }
            const entry<K> first = first_of_warp(own);
            if (first.at % 32 != lane)
                continue;
            left &= ~(1u << (first.at / 32));
            emit(t, s, i, first.at);
        }
    }
}

/* ---- A block a slice ---- */

/* What the block knows of the k-th key. */
template <class K> struct threshold {
    K key;            /* so far: its upper digits */
    unsigned wanted;  /* elements with these digits that belong to the first k */
    unsigned present; /* elements with these digits */
};

/* The next digit of the k-th key, below those of mask. Every thread calls it and has the same t. */
template <class T>
__device__ threshold<key_of<T>> next_digit(const task<T> &t, const slice<T> &s, threshold<key_of<T>> known,
                                           key_of<T> mask, int shift)
{
    using K = key_of<T>;
    WEFT_SHARED(unsigned, count, [DIGITS]);
    WEFT_SHARED(unsigned, found, [3]);
    count[threadIdx.x] = 0;
    __syncthreads();
    for (int64_t i = threadIdx.x; i < s.n; i += THREADS) {
        const K key = t.by.key(s.x[i * t.in.step]);
        if ((key & mask) == known.key)
            atomicAdd(&count[weft_sort_digit(key, shift)], 1u);
    }
    __syncthreads();
    const unsigned digit = DIGITS - 1 - threadIdx.x, own = count[digit];
    unsigned all;
    const unsigned higher = weft_sum_before<WEFT_SORT_THREADS, unsigned>(own, all);
    if (higher < known.wanted && higher + own >= known.wanted) {
        found[0] = digit;
        found[1] = known.wanted - higher;
        found[2] = own;
    }
    __syncthreads();
    const threshold<K> next = {known.key | static_cast<K>(found[0]) << shift, found[1], found[2]};
    __syncthreads();
    return next;
}

/* Collects what is beyond the threshold, in any order, then the first of what is equal to it. list [k] */
template <class T>
__device__ void collect(const task<T> &t, const slice<T> &s, const threshold<key_of<T>> &last, entry<key_of<T>> *list)
{
    using K = key_of<T>;
    WEFT_SHARED(unsigned, taken, [1]);
    const unsigned beyond = static_cast<unsigned>(t.k) - last.wanted;
    const bool all = last.present == last.wanted;
    if (threadIdx.x == 0)
        taken[0] = 0;
    __syncthreads();
    for (int64_t i = threadIdx.x; i < s.n; i += THREADS) {
        const K key = t.by.key(s.x[i * t.in.step]);
        if (key > last.key || (all && key == last.key))
            list[atomicAdd(&taken[0], 1u)] = {key, i};
    }
    unsigned equal = 0;
    for (int64_t first = 0; !all && first < s.n && equal < last.wanted; first += THREADS) {
        const int64_t i = first + threadIdx.x;
        const bool is = i < s.n && t.by.key(s.x[i * t.in.step]) == last.key;
        unsigned here;
        const unsigned place = equal + weft_sum_before<WEFT_SORT_THREADS, unsigned>(is ? 1u : 0u, here);
        if (is && place < last.wanted)
            list[beyond + place] = {last.key, i};
        equal += here;
    }
    __syncthreads();
}

/* Bitonic sort of list [room], room a power of two. */
template <class K> __device__ void sort_list(entry<K> *list, int room)
{
    for (int run = 2; run <= room; run *= 2)
        for (int apart = run / 2; apart > 0; apart /= 2) {
            for (int i = static_cast<int>(threadIdx.x); i < room / 2; i += THREADS) {
                const int low = i / apart * 2 * apart + i % apart, high = low + apart;
                const bool rising = (low & run) == 0;
                const entry<K> a = list[low], b = list[high];
                if (before(b, a) == rising) {
                    list[low] = b;
                    list[high] = a;
                }
            }
            __syncthreads();
        }
}

/* room: of the list, the power of two from k on */
template <class T> __global__ void __launch_bounds__(THREADS) k_topk_block(task<T> t, int room)
{
    using K = key_of<T>;
    WEFT_DYN_SHARED(entry<K>, list);
    for (int64_t item = blockIdx.x; item < t.slices * t.chunks; item += gridDim.x) {
        const slice<T> s = find_slice(t, item);
        threshold<K> last = {0, static_cast<unsigned>(t.k), 0};
        K mask = 0;
        for (int shift = 8 * static_cast<int>(sizeof(K)) - WEFT_SORT_BITS; shift >= 0; shift -= WEFT_SORT_BITS) {
            last = next_digit(t, s, last, mask, shift);
            mask |= static_cast<K>(DIGITS - 1) << shift;
        }
        for (int i = static_cast<int>(threadIdx.x) + static_cast<int>(t.k); i < room; i += THREADS)
            list[i] = {0, INT64_MAX};
        collect(t, s, last, list);
        sort_list(list, room);
        for (int i = static_cast<int>(threadIdx.x); i < t.k; i += THREADS)
            emit(t, s, i, list[i].at);
        __syncthreads();
    }
}

template <class T> cudaError_t run_blocks(const weft__exec *e, const task<T> &t)
{
    int room = 1;
    while (room < t.k)
        room *= 2;
    const size_t bytes = sizeof(entry<key_of<T>>) * static_cast<size_t>(room);
    return weft_launch(k_topk_block<T>, weft__cuda_blocks(e, t.slices * t.chunks, 1), THREADS, bytes, weft__stream(e),
                       t, room);
}

/* Chunks of about n / chunks elements first; candidates of one slice lie in order of their positions, so that equals
 * among them are still found by position. */
template <class T> weft_status run_chunks(const weft__exec *e, const task<T> &t, int64_t chunks)
{
    const int64_t each = chunks * t.k;
    task<T> first = t, second = t;
    first.values = static_cast<T *>(weft__scratch(e, t.slices * each, sizeof(T)));
    first.indices = static_cast<int64_t *>(weft__scratch(e, t.slices * each, sizeof(int64_t)));
    if (!first.values || !first.indices)
        return WEFT_E_NOMEM;
    first.chunks = chunks;
    first.out = second.in = {t.inner * each, each, 1};
    second.x = first.values;
    second.from = first.indices;
    second.n = each;
    const cudaError_t error = run_blocks(e, first);
    return weft__cuda_status(e, error == cudaSuccess ? run_blocks(e, second) : error);
}

/* ---- Sorting everything ---- */

/* keys [slices, n], ascending where elements come first */
template <class T, class I> __global__ void __launch_bounds__(THREADS) k_topk_keys(task<T> t, I *keys)
{
    const int64_t step = static_cast<int64_t>(gridDim.x) * THREADS, count = t.slices * t.n;
    for (int64_t e = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x; e < count; e += step) {
        const int64_t s = e / t.n, i = e - s * t.n, o = s / t.inner, j = s - o * t.inner;
        keys[e] = static_cast<key_of<T>>(~t.by.key(t.x[o * t.in.outer + j * t.in.inner + i * t.in.step]));
    }
}

/* numbers [slices, n]: of the elements in order */
template <class T, class I> __global__ void __launch_bounds__(THREADS) k_topk_take(task<T> t, const I *numbers)
{
    const int64_t step = static_cast<int64_t>(gridDim.x) * THREADS, count = t.slices * t.k;
    for (int64_t r = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x; r < count; r += step) {
        const int64_t s = r / t.k, i = r - s * t.k;
        emit(t, find_slice(t, s), i, static_cast<int64_t>(numbers[s * t.n + i]) - s * t.n);
    }
}

template <class T, class I> weft_status sort_all(const weft__exec *e, const task<T> &t)
{
    const int64_t count = t.slices * t.n;
    weft_sort_arrays<I> s;
    if (!weft_sort_allocate(e, count, s))
        return WEFT_E_NOMEM;
    int which = 0;
    cudaError_t error =
        weft_launch(k_topk_keys<T, I>, weft__cuda_blocks(e, count, THREADS), THREADS, 0, weft__stream(e), t, s.keys[0]);
    if (error == cudaSuccess)
        error = weft_sort_slices<I>(e, t.slices, t.n, static_cast<I>(~key_of<T>(0)), s, &which);
    if (error == cudaSuccess)
        error = weft_launch(k_topk_take<T, I>, weft__cuda_blocks(e, t.slices * t.k, THREADS), THREADS, 0,
                            weft__stream(e), t, s.numbers[which]);
    return weft__cuda_status(e, error);
}

/* ---- Which way ---- */

template <class T> weft_status run(const weft__exec *e, const task<T> &t)
{
    if (t.n <= SHORT && t.k <= ROUNDS)
        return weft__cuda_status(e, weft_launch(k_topk_short<T>, weft__cuda_blocks(e, t.slices, THREADS / 32), THREADS,
                                                0, weft__stream(e), t));
    if (t.k > SORTED) {
        if constexpr (sizeof(T) < 8)
            if (t.slices * t.n <= INT32_MAX)
                return sort_all<T, uint32_t>(e, t);
        return sort_all<T, uint64_t>(e, t);
    }
    const int64_t chunk = t.k > CHUNK / 8 ? t.k * 8 : static_cast<int64_t>(CHUNK), room = MANY_CHUNKS / t.slices;
    const int64_t chunks = t.n / chunk < room ? t.n / chunk : room;
    return chunks > 1 ? run_chunks(e, t, chunks) : weft__cuda_status(e, run_blocks(e, t));
}

} /* namespace */

/* x [.., n, ..], any dtype; values, of x's dtype, and indices, i64, [.., k, ..]. attributes: topk */
extern "C" weft_status weft__cuda_topk(const weft__exec *e)
{
    const weft__array *x = e->in[0], *values = e->out[0];
    const int dim = static_cast<int>(e->attrs->topk.dim);
    if (values->count == 0)
        return WEFT_OK;
    int64_t inner = 1;
    for (int d = dim + 1; d < x->ndim; d++)
        inner *= x->shape[d];
    const int64_t n = x->shape[dim], k = values->shape[dim];
    return weft_visit(x->dtype, WEFT_E_DTYPE, [&](auto name) {
        using T = typename decltype(name)::type;
        const task<T> t = {{e->attrs->topk.largest != 0},
                           static_cast<const T *>(x->data),
                           nullptr,
                           static_cast<T *>(values->data),
                           static_cast<int64_t *>(e->out[1]->data),
                           {n * inner, 1, inner},
                           {k * inner, 1, inner},
                           x->count / n,
                           inner,
                           n,
                           k,
                           1};
        return run(e, t);
    });
}
