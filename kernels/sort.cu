/* sort.cu - the elements along one dim in order, and where they were: SORT.
 *
 *   in x [outer, n, inner] contiguous, any dtype      out values, indices, as x
 *
 * Elements become keys (order.h), the smallest first; of equal keys the one that was first stays first. A block sorts
 * short slices in shared memory, several at a time; others are sorted all together, by key and then by slice. */
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "order.h"
#include "radix_sort.h"

namespace
{

enum {
    THREADS = WEFT_SORT_THREADS,
    SHORT = 2048,    /* elements of a slice that a block sorts */
    TOGETHER = 1024, /* places that it fills with slices that are shorter still */
};

template <class T> struct task {
    const T *x;
    T *values;
    int64_t *indices;
    int64_t slices, n, inner; /* slice s is (s / inner, s % inner) */
    weft_key<T> flip;         /* of a key's bits, where the largest come first */

    /* Where slice s begins; its elements lie inner apart. */
    __device__ __forceinline__ int64_t first(int64_t s) const
    {
        const int64_t outer = s / inner;
        return outer * n * inner + (s - outer * inner);
    }
    __device__ __forceinline__ weft_key<T> key(int64_t first, int64_t i) const
    {
        return weft_rising_key(x[first + i * inner]) ^ flip;
    }
    /* Element at comes in place i. */
    __device__ __forceinline__ void put(int64_t first, int64_t i, int64_t at) const
    {
        values[first + i * inner] = x[first + at * inner];
        indices[first + i * inner] = at;
    }
};

/* ---- In shared memory ---- */

template <class K> struct entry {
    K key;
    int32_t at;
};

template <class K> __device__ __forceinline__ bool before(const entry<K> &a, const entry<K> &b)
{
    return a.key < b.key || (a.key == b.key && a.at < b.at);
}

/* Bitonic sort of each of the lists of room places, a power of two, that lie one after the other in places. */
template <class K> __device__ void sort_lists(entry<K> *list, int room, int places)
{
    for (int run = 2; run <= room; run *= 2)
        for (int apart = run / 2; apart > 0; apart /= 2) {
            for (int i = static_cast<int>(threadIdx.x); i < places / 2; i += THREADS) {
                const int low = i / apart * 2 * apart + i % apart, high = low + apart;
                const bool rising = run == room || (low & run) == 0;
                const entry<K> a = list[low], b = list[high];
                if (before(b, a) == rising) {
                    list[low] = b;
                    list[high] = a;
                }
            }
            __syncthreads();
        }
}

/* each: slices of a block at a time */
template <class T> __global__ void __launch_bounds__(THREADS) k_sort_short(task<T> t, int room, int each)
{
    using K = weft_key<T>;
    WEFT_DYN_SHARED(entry<K>, list);
    const int places = room * each;
    for (int64_t group = blockIdx.x; group * each < t.slices; group += gridDim.x) {
        for (int i = static_cast<int>(threadIdx.x); i < places; i += THREADS) {
            const int64_t s = group * each + i / room;
            const int at = i % room; /* those beyond the slice come last, whatever the keys */
            list[i] = {s < t.slices && at < t.n ? t.key(t.first(s), at) : ~K(0), at};
        }
        __syncthreads();
        sort_lists(list, room, places);
        for (int i = static_cast<int>(threadIdx.x); i < places; i += THREADS) {
            const int64_t s = group * each + i / room;
            if (s < t.slices && i % room < t.n)
                t.put(t.first(s), i % room, list[i].at);
        }
        __syncthreads();
    }
}

template <class T> weft_status sort_short(const weft__exec *e, const task<T> &t)
{
    int room = 1;
    while (room < t.n)
        room *= 2;
    const int each = room < TOGETHER ? TOGETHER / room : 1;
    const size_t bytes = sizeof(entry<weft_key<T>>) * static_cast<size_t>(room * each);
    return weft__cuda_status(e, weft_launch(k_sort_short<T>, weft__cuda_blocks(e, t.slices, each), THREADS, bytes,
                                            weft__stream(e), t, room, each));
}

/* ---- All together ---- */

/* keys [slices, n] */
template <class T, class I> __global__ void __launch_bounds__(THREADS) k_sort_keys(task<T> t, I *keys)
{
    const int64_t step = static_cast<int64_t>(gridDim.x) * THREADS, count = t.slices * t.n;
    for (int64_t e = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x; e < count; e += step) {
        const int64_t s = e / t.n;
        keys[e] = t.key(t.first(s), e - s * t.n);
    }
}

/* numbers [slices, n]: of the elements in order */
template <class T, class I> __global__ void __launch_bounds__(THREADS) k_sort_take(task<T> t, const I *numbers)
{
    const int64_t step = static_cast<int64_t>(gridDim.x) * THREADS, count = t.slices * t.n;
    for (int64_t e = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x; e < count; e += step) {
        const int64_t s = e / t.n;
        t.put(t.first(s), e - s * t.n, static_cast<int64_t>(numbers[e]) - s * t.n);
    }
}

template <class T, class I> weft_status sort_all(const weft__exec *e, const task<T> &t)
{
    const int64_t count = t.slices * t.n;
    const unsigned blocks = weft__cuda_blocks(e, count, THREADS);
    weft_sort_arrays<I> s;
    if (!weft_sort_allocate(e, count, s))
        return WEFT_E_NOMEM;
    int which = 0;
    cudaError_t error = weft_launch(k_sort_keys<T, I>, blocks, THREADS, 0, weft__stream(e), t, s.keys[0]);
    if (error == cudaSuccess)
        error = weft_sort_slices<I>(e, t.slices, t.n, static_cast<I>(~weft_key<T>(0)), s, &which);
    if (error == cudaSuccess)
        error = weft_launch(k_sort_take<T, I>, blocks, THREADS, 0, weft__stream(e), t, s.numbers[which]);
    return weft__cuda_status(e, error);
}

template <class T> weft_status run(const weft__exec *e, const task<T> &t)
{
    if (t.n <= SHORT)
        return sort_short(e, t);
    if constexpr (sizeof(T) < 8)
        if (t.slices * t.n <= INT32_MAX)
            return sort_all<T, uint32_t>(e, t);
    return sort_all<T, uint64_t>(e, t);
}

} /* namespace */

/* x, any dtype; values, of x's dtype, and indices, i64, of its shape. attributes: sort */
extern "C" weft_status weft__cuda_sort(const weft__exec *e)
{
    const weft__array *x = e->in[0];
    const int dim = static_cast<int>(e->attrs->sort.dim);
    if (x->count == 0)
        return WEFT_OK;
    int64_t inner = 1;
    for (int d = dim + 1; d < x->ndim; d++)
        inner *= x->shape[d];
    const int64_t n = x->shape[dim];
    return weft_visit(x->dtype, WEFT_E_DTYPE, [&](auto name) {
        using T = typename decltype(name)::type;
        using K = weft_key<T>;
        const task<T> t = {static_cast<const T *>(x->data),
                           static_cast<T *>(e->out[0]->data),
                           static_cast<int64_t *>(e->out[1]->data),
                           x->count / n,
                           n,
                           inner,
                           e->attrs->sort.descending ? ~K(0) : K(0)};
        return run(e, t);
    });
}
