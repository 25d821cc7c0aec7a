/* rows.h - work on contiguous rows of n elements: each row by a group of 4 or 32 lanes or by a whole block.
 *
 * A row is gone through as single elements up to a 16-byte border, packs of 16 bytes, and single elements again; every
 * thread meets the same elements each time, so that what it keeps of them in shared memory is its own and needs no
 * barriers. */
#ifndef WEFT_KERNELS_ROWS_H
#define WEFT_KERNELS_ROWS_H

#include "block_reduce.h"
#include "base/scalar.h"
#include "cuda/launch.h"
#include "types.h"

/* Elements that fill 16 bytes. */
template <class T> constexpr int weft_width = static_cast<int>(16 / sizeof(T));

/* Compile-time numbers as arguments: how many elements, how many threads. */
template <int N> using weft_number = std::integral_constant<int, N>;

/* ---- Elements ---- */

/* p[N], wherever it starts */
template <int N, class T> __device__ __forceinline__ weft_pack<T, N> weft_get(const T *p)
{
    weft_pack<T, N> pack;
    if (N > 1 && reinterpret_cast<uintptr_t>(p) % alignof(weft_pack<T, N>) == 0)
        return *reinterpret_cast<const weft_pack<T, N> *>(p);
#pragma unroll
    for (int k = 0; k < N; k++)
        pack.element[k] = p[k];
    return pack;
}

template <int N, class T> __device__ __forceinline__ void weft_put(T *p, const weft_pack<T, N> &pack)
{
    if (N > 1 && reinterpret_cast<uintptr_t>(p) % alignof(weft_pack<T, N>) == 0) {
        *reinterpret_cast<weft_pack<T, N> *>(p) = pack;
        return;
    }
#pragma unroll
    for (int k = 0; k < N; k++)
        p[k] = pack.element[k];
}

template <int N, class T>
__device__ __forceinline__ void weft_widen(weft_compute_t<T> (&v)[N], const weft_pack<T, N> &pack)
{
#pragma unroll
    for (int k = 0; k < N; k++)
        v[k] = weft_load(pack.element[k]);
}

/* p[N] = v */
template <int N, class T> __device__ __forceinline__ void weft_put_all(T *p, const weft_compute_t<T> (&v)[N])
{
    weft_pack<T, N> pack;
#pragma unroll
    for (int k = 0; k < N; k++)
        weft_store(&pack.element[k], v[k]);
    weft_put(p, pack);
}

/* v = p[N], or value where p is NULL */
template <int N, class T>
__device__ __forceinline__ void weft_get_or(weft_compute_t<T> (&v)[N], const T *p, int64_t at, weft_compute_t<T> value)
{
    if (p) {
        weft_widen(v, weft_get<N>(p + at));
        return;
    }
#pragma unroll
    for (int k = 0; k < N; k++)
        v[k] = value;
}

/* Weights and biases of a norm over rows of type T: of that type, or of the one that T is computed in; none: both
 * NULL. */
template <class T> struct weft_weights {
    const T *own;
    const weft_compute_t<T> *wide;

    template <int N>
    __device__ __forceinline__ void get(weft_compute_t<T> (&v)[N], int64_t at, weft_compute_t<T> otherwise) const
    {
        if (wide)
            weft_widen(v, weft_get<N>(wide + at));
        else
            weft_get_or(v, own, at, otherwise);
    }
};

/* Their gradients, likewise. */
template <class T> struct weft_weights_grad {
    T *own;
    weft_compute_t<T> *wide;

    __device__ __forceinline__ void put(int64_t at, weft_compute_t<T> value) const
    {
        if (wide)
            wide[at] = value;
        else if (own)
            weft_store(&own[at], value);
    }
};

template <class T> bool weft_is_wide(const weft__array *a)
{
    return sizeof(T) != sizeof(weft_compute_t<T>) && a->dtype == WEFT_F32;
}

/* Of an array that may be NULL. */
template <class T> weft_weights<T> weft_weights_of(const weft__array *a)
{
    if (!a)
        return {nullptr, nullptr};
    if (weft_is_wide<T>(a))
        return {nullptr, static_cast<const weft_compute_t<T> *>(a->data)};
    return {static_cast<const T *>(a->data), nullptr};
}

template <class T> weft_weights_grad<T> weft_weights_grad_of(const weft__array *a)
{
    if (!a)
        return {nullptr, nullptr};
    if (weft_is_wide<T>(a))
        return {nullptr, static_cast<weft_compute_t<T> *>(a->data)};
    return {static_cast<T *>(a->data), nullptr};
}

/* v[k] = p[k step]; a step of 1 makes it one access where the address allows */
template <int N, class T>
__device__ __forceinline__ void weft_get_spaced(weft_compute_t<T> (&v)[N], const T *p, int64_t step)
{
    if (step == 1) {
        weft_widen(v, weft_get<N>(p));
        return;
    }
#pragma unroll
    for (int k = 0; k < N; k++)
        v[k] = weft_load(p[k * step]);
}

/* e^x, for results of type T: the fast one is off by far less than a half's rounding. */
template <class T> __device__ __forceinline__ weft_compute_t<T> weft_exp(weft_compute_t<T> x)
{
    if constexpr (sizeof(T) == 8)
        return exp(x);
    else if constexpr (sizeof(T) == 4)
        return expf(x);
    else
        return __expf(x);
}

/* ---- One row ---- */

struct weft_row {
    int64_t n, packs;
    int head; /* elements before the first pack */
};

/* Of n elements from p on. anywhere: cut by n alone, so that a row is added up alike wherever it lies; packs that are
 * not aligned are then read as single elements. */
template <class T> __device__ __forceinline__ weft_row weft_row_at(const T *p, int64_t n, bool anywhere)
{
    constexpr int WIDTH = weft_width<T>;
    if (anywhere)
        return {n, n / WIDTH, 0};
    const int beyond = static_cast<int>(reinterpret_cast<uintptr_t>(p) % 16 / sizeof(T));
    const int head = (WIDTH - beyond) % WIDTH;
    if (n < head + WIDTH)
        return {n, 0, static_cast<int>(n)};
    return {n, (n - head) / WIDTH, head};
}

/* Elements of room that a row of n takes in shared memory: packs, and less than a pack before and behind them. */
template <class T> __host__ __device__ constexpr int64_t weft_row_room(int64_t n)
{
    return n / weft_width<T> * weft_width<T> + 2 * weft_width<T>;
}

/* visit(weft_number<N>, i, slot) for this lane's share of the row: elements [i, i + N), whose place in shared memory
 * begins at slot. UNROLL packs are under way at a time. */
template <int GROUP, class T, int UNROLL = 2, class Visit>
__device__ __forceinline__ void weft_each(const weft_row &row, int lane, Visit visit)
{
    constexpr int WIDTH = weft_width<T>;
    const int64_t single = row.n / WIDTH * WIDTH; /* slots of the single elements */
    for (int i = lane; i < row.head; i += GROUP)
        visit(weft_number<1>(), static_cast<int64_t>(i), single + i);
#pragma unroll UNROLL
    for (int64_t p = lane; p < row.packs; p += GROUP)
        visit(weft_number<WIDTH>(), row.head + p * WIDTH, p * WIDTH);
    const int64_t behind = row.head + row.packs * WIDTH;
    for (int64_t i = lane; i < row.n - behind; i += GROUP)
        visit(weft_number<1>(), behind + i, single + WIDTH + i);
}

/* ---- All rows: a statistic of each, then the output from the statistic and the elements ---- */

/* What runs over rows is a struct Op with
 *
 *   type, INPUTS, in[INPUTS], out     the arrays, [rows, n]
 *   stat                              of some elements of a row: see block_reduce.h, with a static merge
 *   start()                           the stat of none
 *   add(stat, v[INPUTS][N], row, i)   takes N more elements, of row row from i on
 *   use = finish(stat, row, n, first) what the output is made with; first: this thread writes what is kept of the row
 *   emit(y[N], use, v[INPUTS][N], i)  elements i and following of the output */

template <int GROUP> constexpr int weft_row_threads = GROUP > WEFT_WARP ? GROUP : 256;

/* Threads of a block that has a multiprocessor to itself: a thread of 1024 has 64 registers, too few for f64. */
template <class T> constexpr int weft_largest_group = sizeof(T) == 8 ? 512 : 1024;

/* Blocks of 512 threads that keep their rows are meant to share a multiprocessor, which leaves 64 registers to a
 * thread: too few for f64. 0: as the compiler sees fit. */
template <int GROUP, bool KEPT, class T>
constexpr int weft_row_blocks = GROUP != 512     ? 0
                                : sizeof(T) == 8 ? 1
                                : KEPT           ? 2
                                                 : 0;

/* in[INPUTS] [rows, n], out [rows, n]; shared memory if KEPT: [groups][INPUTS][room] of the elements, which are then
 * read once. Else they are read twice. */
template <int GROUP, bool KEPT, class Op>
__global__ void __launch_bounds__(weft_row_threads<GROUP>, weft_row_blocks<GROUP, KEPT, typename Op::type>)
    k_rows(Op op, int64_t rows, int64_t n, bool anywhere)
{
    using T = typename Op::type;
    using C = weft_compute_t<T>;
    constexpr int GROUPS = weft_row_threads<GROUP> / GROUP, INPUTS = Op::INPUTS;
    constexpr int UNROLL = GROUP > 256 && INPUTS > 1 && sizeof(T) < 8 ? 1 : 2; /* 64 registers do for no more */
    WEFT_DYN_SHARED(T, shared);
    const int lane = static_cast<int>(threadIdx.x) % GROUP, group = static_cast<int>(threadIdx.x) / GROUP;
    const int64_t room = weft_row_room<T>(n);
    T *kept = shared + group * (INPUTS * room);
    for (int64_t base = static_cast<int64_t>(blockIdx.x) * GROUPS; base < rows;
         base += static_cast<int64_t>(gridDim.x) * GROUPS) {
        const bool active = base + group < rows;
        const int64_t row = active ? base + group : 0, offset = row * n;
        const weft_row extent = weft_row_at(op.in[0] + offset, active ? n : 0, anywhere);
        typename Op::stat stat = op.start();
        weft_each<GROUP, T, UNROLL>(extent, lane, [&](auto number, int64_t i, int64_t slot) {
            constexpr int N = decltype(number)::value;
            C v[INPUTS][N];
#pragma unroll
            for (int k = 0; k < INPUTS; k++) {
                const weft_pack<T, N> pack = weft_get<N>(op.in[k] + offset + i);
                if constexpr (KEPT)
                    weft_put(kept + k * room + slot, pack);
                weft_widen(v[k], pack);
            }
            op.add(stat, v, row, i);
        });
        stat = weft_reduce_group<GROUP>(stat, Op::stat::merge);
        const auto use = op.finish(stat, row, n, active && lane == 0);
        weft_each<GROUP, T, UNROLL>(extent, lane, [&](auto number, int64_t i, int64_t slot) {
            constexpr int N = decltype(number)::value;
            C v[INPUTS][N], y[N];
#pragma unroll
            for (int k = 0; k < INPUTS; k++)
                weft_widen(v[k], KEPT ? weft_get<N>(kept + k * room + slot) : weft_get<N>(op.in[k] + offset + i));
            op.emit(y, use, v, i);
            weft_put_all(op.out + offset + i, y);
        });
    }
}

template <int GROUP, bool KEPT, class Op>
inline cudaError_t weft_launch_rows(const weft__exec *e, const Op &op, int64_t rows, int64_t n, size_t group_bytes)
{
    constexpr int THREADS = weft_row_threads<GROUP>, GROUPS = THREADS / GROUP;
    const size_t bytes = KEPT ? GROUPS * group_bytes : 0;
    const cudaError_t error = weft__cuda_allow_shared(e, k_rows<GROUP, KEPT, Op>, bytes);
    if (error != cudaSuccess)
        return error;
    return weft_launch(k_rows<GROUP, KEPT, Op>, weft__cuda_blocks(e, rows, GROUPS), THREADS, bytes, weft__stream(e), op,
                       rows, n, weft__cuda_invariant(e));
}

/* Rows of up to this many elements go to groups of 4 lanes, to warps. */
enum { WEFT_SHORT_ROW = 32, WEFT_WARP_ROW = 1024 };

/* Longer ones go to blocks, which are the larger the fewer of them find shared memory on a multiprocessor; rows that no
 * block can keep are read twice. */
template <class Op> inline cudaError_t weft_run_rows(const weft__exec *e, const Op &op, int64_t rows, int64_t n)
{
    const size_t bytes =
        static_cast<size_t>(weft_row_room<typename Op::type>(n)) * Op::INPUTS * sizeof(typename Op::type);
    const size_t usual = weft__cuda_usual_shared(e), most = weft__cuda_most_shared(e);
    if (rows == 0 || n == 0)
        return cudaSuccess;
    if (n <= WEFT_SHORT_ROW)
        return weft_launch_rows<4, true>(e, op, rows, n, bytes);
    if (n <= WEFT_WARP_ROW && bytes <= usual / 8)
        return weft_launch_rows<WEFT_WARP, true>(e, op, rows, n, bytes);
    if (bytes <= usual)
        return weft_launch_rows<256, true>(e, op, rows, n, bytes);
    if (bytes <= most / 2 - WEFT__CUDA_STATIC_SHARED) /* two blocks; the system has its share of each too */
        return weft_launch_rows<512, true>(e, op, rows, n, bytes);
    if (bytes <= most)
        return weft_launch_rows<weft_largest_group<typename Op::type>, true>(e, op, rows, n, bytes);
    return weft_launch_rows<512, false>(e, op, rows, n, bytes);
}

/* ---- Sums of exponentials ---- */

/* The largest of some numbers, and the sum of e^(x - largest) over them. A NaN among them shows in the sum. T is the
 * type of the elements. */
template <class T> struct weft_online {
    using C = weft_compute_t<T>;
    C top, sum;

    template <class Move> __device__ __forceinline__ weft_online moved(Move move) const
    {
        return {move(top), move(sum)};
    }

    __device__ __forceinline__ static weft_online none()
    {
        return {-C(INFINITY), 0};
    }

    /* What is subtracted before exp; 0 where all are -inf, since -inf - -inf would be NaN. A +inf gives NaN, as the
     * formula does. */
    __device__ __forceinline__ C shift() const
    {
        return top == -C(INFINITY) ? C(0) : top;
    }

    __device__ __forceinline__ static weft_online merge(const weft_online &a, const weft_online &b)
    {
        const bool in_order = a.top >= b.top;
        const C top = in_order ? a.top : b.top, low = in_order ? b.top : a.top;
        const C larger = in_order ? a.sum : b.sum, smaller = in_order ? b.sum : a.sum;
        return {top, larger + smaller * (low == -C(INFINITY) ? C(1) : weft_exp<T>(low - top))};
    }

    template <int N> __device__ __forceinline__ void add(const C (&v)[N])
    {
        C highest = top;
#pragma unroll
        for (int k = 0; k < N; k++)
            highest = v[k] > highest ? v[k] : highest;
        if (highest > top) {
            sum *= weft_exp<T>(top - highest);
            top = highest;
        }
        const C from = shift();
#pragma unroll
        for (int k = 0; k < N; k++)
            sum += weft_exp<T>(v[k] - from);
    }
};

#endif
