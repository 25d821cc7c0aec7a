/* reduce.h - the kernels of every reduction, over a fold: one operation on one type.
 *
 *   element, acc, out                    types: of x in memory, of a running result, of y in memory
 *   init()                               the result of nothing
 *   take<N>(acc, x[N], at, weight)       takes N elements, whose positions are at, at + weight ...
 *   merge(acc, other)                    joins two results; the order does not matter
 *   finish(y, acc)                       writes the result
 *
 * An acc has no padding: all its bytes travel through shuffles, shared and scratch memory. */
#ifndef WEFT_KERNELS_REDUCE_H
#define WEFT_KERNELS_REDUCE_H

#include <cstring>
#include "cuda/launch.h"
#include "reduce_plan.h"
#include "types.h"

/* Elements of 16 bytes, for rows; of 8 bytes, 4 at most, for columns. */
template <class T> constexpr int weft_row_width = 16 / static_cast<int>(sizeof(T));
template <class T> constexpr int weft_column_width = sizeof(T) >= 8 ? 1 : sizeof(T) == 4 ? 2 : 4;

/* Memory offset of position i (row-major), and its place in terms of the steps. */
__device__ __forceinline__ int64_t weft_axes_offset(const weft_axes &a, int64_t i, int64_t *place)
{
    int64_t offset = 0;
    *place = 0;
    for (int d = a.ndim - 1; d >= 0; d--) {
        const weft_axis &x = a.axis[d];
        const int64_t next = d > 0 ? i / x.n : 0, at = i - next * x.n;
        offset += at * x.stride;
        *place += at * x.step;
        i = next;
    }
    return offset;
}

/* ---- Joining the results of threads ---- */

template <class A> __device__ __forceinline__ A weft_shuffle_xor(A value, int lanes)
{
    constexpr int WORDS = sizeof(A) / 4;
    static_assert(sizeof(A) % 4 == 0, "moves in words");
    uint32_t words[WORDS];
    memcpy(words, &value, sizeof value);
#pragma unroll
    for (int k = 0; k < WORDS; k++)
        words[k] = __shfl_xor_sync(0xffffffffu, words[k], lanes);
    memcpy(&value, words, sizeof value);
    return value;
}

/* The joined results of each group of neighbouring threads, a power of two up to the block, in the group's first
 * thread. All threads of the block call it; shared [THREADS / 32]. */
template <class F>
__device__ __forceinline__ typename F::acc weft_join_group(const F &fold, typename F::acc a, int group,
                                                           typename F::acc *shared)
{
    for (int lanes = (group < 32 ? group : 32) / 2; lanes > 0; lanes /= 2)
        fold.merge(a, weft_shuffle_xor(a, lanes));
    if (group <= 32)
        return a;
    const int warp = static_cast<int>(threadIdx.x) / 32;
    if (threadIdx.x % 32 == 0)
        shared[warp] = a;
    __syncthreads();
    if (static_cast<int>(threadIdx.x) % group == 0)
        for (int k = 1; k < group / 32; k++)
            fold.merge(a, shared[warp + k]);
    __syncthreads();
    return a;
}

/* ---- By rows ---- */

/* Elements i, i + group ... of n with distance stride from x on; positions at, at + weight ... */
template <class F>
__device__ __forceinline__ void weft_take_each(const F &fold, typename F::acc &a, const typename F::element *x,
                                               int64_t n, int64_t stride, int64_t at, int64_t weight, int64_t i,
                                               int group)
{
    for (; i < n; i += group) {
        const typename F::element v[1] = {x[i * stride]};
        fold.template take<1>(a, v, at + i * weight, weight);
    }
}

/* All n of them, by the whole group. */
template <class F>
__device__ __forceinline__ void weft_take_strided(const F &fold, typename F::acc &a, const typename F::element *x,
                                                  int64_t n, int64_t stride, int64_t at, int64_t weight, int lane,
                                                  int group)
{
    int64_t i = lane;
    for (; i + (WEFT_REDUCE_UNROLL - 1) * group < n; i += WEFT_REDUCE_UNROLL * group) {
        typename F::element v[WEFT_REDUCE_UNROLL];
#pragma unroll
        for (int k = 0; k < WEFT_REDUCE_UNROLL; k++)
            v[k] = x[(i + k * group) * stride];
        fold.template take<WEFT_REDUCE_UNROLL>(a, v, at + i * weight, group * weight);
    }
    weft_take_each(fold, a, x, n, stride, at, weight, i, group);
}

/* The same with stride 1: packs of 16 bytes, the elements before the first and after the last one by one. */
template <class F>
__device__ __forceinline__ void weft_take_dense(const F &fold, typename F::acc &a, const typename F::element *x,
                                                int64_t n, int64_t at, int64_t weight, int lane, int group)
{
    using T = typename F::element;
    constexpr int WIDTH = weft_row_width<T>;
    using pack = weft_pack<T, WIDTH>;
    const int64_t apart = static_cast<int64_t>((0 - reinterpret_cast<uintptr_t>(x)) % 16 / sizeof(T));
    const int64_t head = apart < n ? apart : n, packs = (n - head) / WIDTH, tail = head + packs * WIDTH;
    weft_take_each(fold, a, x, head, 1, at, weight, lane, group);
    const pack *p = reinterpret_cast<const pack *>(x + head);
    const int64_t from = at + head * weight;
    int64_t i = lane;
    for (; i + (WEFT_REDUCE_UNROLL - 1) * group < packs; i += WEFT_REDUCE_UNROLL * group) {
        pack v[WEFT_REDUCE_UNROLL];
#pragma unroll
        for (int k = 0; k < WEFT_REDUCE_UNROLL; k++)
            v[k] = p[i + k * group];
#pragma unroll
        for (int k = 0; k < WEFT_REDUCE_UNROLL; k++)
            fold.template take<WIDTH>(a, v[k].element, from + (i + k * group) * WIDTH * weight, weight);
    }
    for (; i < packs; i += group) {
        const pack v = p[i];
        fold.template take<WIDTH>(a, v.element, from + i * WIDTH * weight, weight);
    }
    weft_take_each(fold, a, x + tail, n - tail, 1, at + tail * weight, weight, lane, group);
}

/* Units [begin, end) behind the output whose first element is x. */
template <class F>
__device__ __forceinline__ void weft_take_units(const F &fold, typename F::acc &a, const weft_reduce_plan &p,
                                                const typename F::element *x, int64_t begin, int64_t end, int lane)
{
    for (int64_t u = begin; u < end; u++) {
        const int64_t segment = p.pieces == 1 ? u : u / p.pieces, row = (u - segment * p.pieces) * p.piece;
        const int64_t n = p.rows.n - row < p.piece ? p.rows.n - row : p.piece;
        int64_t place;
        const int64_t offset = weft_axes_offset(p.reduced, segment, &place) + row * p.rows.stride;
        const int64_t at = place + row * p.rows.step;
        if (p.dense)
            weft_take_dense(fold, a, x + offset, n, at, p.rows.step, lane, p.group);
        else
            weft_take_strided(fold, a, x + offset, n, p.rows.stride, at, p.rows.step, lane, p.group);
    }
}

/* x [kept.., reduced..] by the plan's strides, y [outputs], partial [chunks][outputs] when there is more than one */
template <class F>
__global__ void __launch_bounds__(WEFT_REDUCE_THREADS, WEFT_REDUCE_RESIDENT)
    k_reduce_rows(weft_reduce_plan p, F fold, const typename F::element *x, typename F::out *y,
                  typename F::acc *partial)
{
    using acc = typename F::acc;
    WEFT_SHARED(acc, shared, [WEFT_REDUCE_THREADS / 32]);
    const int groups = WEFT_REDUCE_THREADS / p.group, lane = static_cast<int>(threadIdx.x) % p.group;
    const int64_t items = p.outputs * p.chunks;
    for (int64_t first = static_cast<int64_t>(blockIdx.x) * groups; first < items;
         first += static_cast<int64_t>(gridDim.x) * groups) {
        const int64_t item = first + static_cast<int>(threadIdx.x) / p.group;
        const int64_t output = p.chunks == 1 ? item : item / p.chunks, chunk = item - output * p.chunks;
        acc a = fold.init();
        if (item < items) {
            int64_t place;
            const int64_t begin = chunk * p.chunk_units, end = begin + p.chunk_units;
            weft_take_units(fold, a, p, x + weft_axes_offset(p.kept, output, &place), begin,
                            end < p.units ? end : p.units, lane);
        }
        a = weft_join_group(fold, a, p.group, shared);
        if (lane != 0 || item >= items)
            continue;
        if (p.chunks == 1)
            fold.finish(y + output, a);
        else
            partial[chunk * p.outputs + output] = a;
    }
}

/* ---- By columns ---- */

/* Where a thread's columns lie: packed, side by side; else spread over the tile, so that neighbours load neighbours. */
struct weft_columns {
    int64_t first, apart; /* columns first, first + apart ... of cols.n */
    bool packed;
};

/* One row's elements in this thread's columns; the rest of v, beyond the last column, is left as it is. */
template <class T, int W>
__device__ __forceinline__ void weft_load_columns(T (&v)[W], const T *row, const weft_columns &c, const weft_axis &cols)
{
    if (c.packed) {
        const weft_pack<T, W> pack = *reinterpret_cast<const weft_pack<T, W> *>(row + c.first);
#pragma unroll
        for (int k = 0; k < W; k++)
            v[k] = pack.element[k];
        return;
    }
#pragma unroll
    for (int k = 0; k < W; k++)
        if (c.first + k * c.apart < cols.n)
            v[k] = row[(c.first + k * c.apart) * cols.stride];
}

/* N rows of one unit, from x on and step apart, into the accumulators of the thread's columns. */
template <int N, class F, int W>
__device__ __forceinline__ void weft_take_rows(const F &fold, typename F::acc (&a)[W], const typename F::element *x,
                                               int64_t step, const weft_columns &c, const weft_axis &cols, int64_t at,
                                               int64_t weight)
{
    using T = typename F::element;
    T v[N][W];
#pragma unroll
    for (int i = 0; i < N; i++)
        weft_load_columns(v[i], x + i * step, c, cols);
#pragma unroll
    for (int k = 0; k < W; k++) {
        if (c.first + k * c.apart >= cols.n)
            continue;
        T column[N];
#pragma unroll
        for (int i = 0; i < N; i++)
            column[i] = v[i][k];
        fold.template take<N>(a[k], column, at, weight);
    }
}

/* Rows strand, strand + strands ... of units [begin, end). */
template <class F, int W>
__device__ __forceinline__ void weft_take_column_units(const F &fold, typename F::acc (&a)[W],
                                                       const weft_reduce_plan &p, const typename F::element *x,
                                                       const weft_columns &c, int64_t begin, int64_t end)
{
    const int strand = static_cast<int>(threadIdx.x) / p.group, strands = WEFT_REDUCE_THREADS / p.group;
    const int64_t step = strands * p.rows.stride, weight = strands * p.rows.step;
    for (int64_t u = begin; u < end; u++) {
        const int64_t segment = p.pieces == 1 ? u : u / p.pieces, row = (u - segment * p.pieces) * p.piece;
        const int64_t n = p.rows.n - row < p.piece ? p.rows.n - row : p.piece;
        int64_t place;
        const int64_t offset = weft_axes_offset(p.reduced, segment, &place);
        const typename F::element *from = x + offset + row * p.rows.stride;
        const int64_t at = place + row * p.rows.step;
        int64_t i = strand;
        for (; i + (WEFT_REDUCE_UNROLL - 1) * strands < n; i += WEFT_REDUCE_UNROLL * strands)
            weft_take_rows<WEFT_REDUCE_UNROLL>(fold, a, from + i * p.rows.stride, step, c, p.cols, at + i * p.rows.step,
                                               weight);
        for (; i < n; i += strands)
            weft_take_rows<1>(fold, a, from + i * p.rows.stride, step, c, p.cols, at + i * p.rows.step, weight);
    }
}

/* x [kept.., reduced..] by the plan's strides, y [outputs], partial [chunks][outputs] when there is more than one */
template <class F>
__global__ void __launch_bounds__(WEFT_REDUCE_THREADS, WEFT_REDUCE_RESIDENT)
    k_reduce_columns(weft_reduce_plan p, F fold, const typename F::element *x, typename F::out *y,
                     typename F::acc *partial)
{
    using acc = typename F::acc;
    constexpr int W = weft_column_width<typename F::element>;
    WEFT_SHARED(acc, shared, [W][WEFT_REDUCE_THREADS]);
    const int lane = static_cast<int>(threadIdx.x) % p.group;
    for (int64_t item = blockIdx.x; item < p.tiles * p.chunks; item += gridDim.x) {
        const int64_t tile = item / p.chunks, chunk = item - tile * p.chunks;
        const int64_t outer = tile / p.strips, strip = (tile - outer * p.strips) * p.group * W;
        const weft_columns c =
            p.packed ? weft_columns{strip + lane * W, 1, true} : weft_columns{strip + lane, p.group, false};
        int64_t place;
        const int64_t offset = weft_axes_offset(p.kept, outer, &place);
        acc a[W];
#pragma unroll
        for (int k = 0; k < W; k++)
            a[k] = fold.init();
        const int64_t begin = chunk * p.chunk_units, end = begin + p.chunk_units;
        if (c.first < p.cols.n)
            weft_take_column_units(fold, a, p, x + offset, c, begin, end < p.units ? end : p.units);
#pragma unroll
        for (int k = 0; k < W; k++)
            shared[k][threadIdx.x] = a[k];
        __syncthreads();
        for (int apart = WEFT_REDUCE_THREADS / 2; apart >= p.group; apart /= 2) {
            if (static_cast<int>(threadIdx.x) < apart)
#pragma unroll
                for (int k = 0; k < W; k++) {
                    fold.merge(a[k], shared[k][threadIdx.x + apart]);
                    shared[k][threadIdx.x] = a[k];
                }
            __syncthreads();
        }
        if (static_cast<int>(threadIdx.x) >= p.group)
            continue;
#pragma unroll
        for (int k = 0; k < W; k++) {
            const int64_t column = c.first + k * c.apart, output = place + column * p.cols.step;
            if (column >= p.cols.n)
                continue;
            if (p.chunks == 1)
                fold.finish(y + output, a[k]);
            else
                partial[chunk * p.outputs + output] = a[k];
        }
    }
}

/* ---- Joining the chunks ---- */

/* partial [chunks][outputs], y [outputs]; group threads an output */
template <class F>
__global__ void __launch_bounds__(WEFT_REDUCE_THREADS, WEFT_REDUCE_RESIDENT)
    k_reduce_chunks(int64_t outputs, int64_t chunks, int32_t group, F fold, const typename F::acc *partial,
                    typename F::out *y)
{
    using acc = typename F::acc;
    WEFT_SHARED(acc, shared, [WEFT_REDUCE_THREADS / 32]);
    const int groups = WEFT_REDUCE_THREADS / group, lane = static_cast<int>(threadIdx.x) % group;
    for (int64_t first = static_cast<int64_t>(blockIdx.x) * groups; first < outputs;
         first += static_cast<int64_t>(gridDim.x) * groups) {
        const int64_t output = first + static_cast<int>(threadIdx.x) / group;
        acc a = fold.init();
        if (output < outputs)
            for (int64_t c = lane; c < chunks; c += group)
                fold.merge(a, partial[c * outputs + output]);
        a = weft_join_group(fold, a, group, shared);
        if (lane == 0 && output < outputs)
            fold.finish(y + output, a);
    }
}

/* ---- Launching ---- */

/* y = the fold of x over the dims of mask. y's elements may be of any type of F::out's size. */
template <class F>
inline weft_status weft_reduce(const weft__exec *e, const weft__array *x, int64_t mask, const weft__array *y,
                               const F &fold)
{
    using T = typename F::element;
    using acc = typename F::acc;
    if (y->count == 0)
        return WEFT_OK;
    const weft_reduce_plan p =
        weft_make_reduce_plan(x, mask, sizeof(T), weft_row_width<T>, weft_column_width<T>, weft__cuda_invariant(e));
    const T *from = static_cast<const T *>(x->data);
    typename F::out *to = static_cast<typename F::out *>(y->data);
    acc *partial = nullptr;
    if (p.chunks > 1) {
        partial = static_cast<acc *>(weft__scratch(e, p.outputs * p.chunks, sizeof(acc)));
        if (!partial)
            return WEFT_E_NOMEM;
    }
    const int64_t at_once = p.by_columns ? 1 : WEFT_REDUCE_THREADS / p.group;
    const unsigned blocks = weft__cuda_blocks(e, p.tiles * p.chunks, at_once);
    cudaError_t error = p.by_columns ? weft_launch(k_reduce_columns<F>, blocks, WEFT_REDUCE_THREADS, 0, weft__stream(e),
                                                   p, fold, from, to, partial)
                                     : weft_launch(k_reduce_rows<F>, blocks, WEFT_REDUCE_THREADS, 0, weft__stream(e), p,
                                                   fold, from, to, partial);
    if (error != cudaSuccess || p.chunks == 1)
        return weft__cuda_status(e, error);
    const int32_t group = weft_power_above(p.chunks / 4, 1, WEFT_REDUCE_THREADS);
    return weft__cuda_status(
        e, weft_launch(k_reduce_chunks<F>, weft__cuda_blocks(e, p.outputs, WEFT_REDUCE_THREADS / group),
                       WEFT_REDUCE_THREADS, 0, weft__stream(e), p.outputs, p.chunks, group, fold, partial, to));
}

/* How many elements the dims of mask hold. */
inline int64_t weft_reduced_count(const weft__array *x, int64_t mask)
{
    int64_t n = 1;
    for (int d = 0; d < x->ndim; d++)
        n *= (mask >> d & 1) != 0 ? x->shape[d] : 1;
    return n;
}

/* The elements are of a floating dtype. (The module imports nothing of the library, weft_dtype_is_float included.) */
inline bool weft_holds_reals(const weft__array *x)
{
    return weft_visit_float(x->dtype, false, [](auto) { return true; });
}

/* For a dtype that the operation does not have, which the engine never lets through. */
inline weft_status weft_reduce_refuses(const weft__exec *e)
{
    return e->host->fail(e, WEFT_E_DTYPE, "has no kernel for dtype %d on this device", (int)e->in[0]->dtype);
}

#endif
