/* block_reduce.h - reductions of one value a thread over lanes, warps and blocks, by shuffles and in a fixed order.
 *
 * A value is float, double or a struct with moved(move), which applies move to each of its members. merge(a, b)
 * combines two values. Every thread gets the same result, bit by bit. All threads of the warp, or of the block, take
 * part. */
#ifndef WEFT_KERNELS_BLOCK_REDUCE_H
#define WEFT_KERNELS_BLOCK_REDUCE_H

#include "weft_cuda.h"

enum { WEFT_WARP = 32 };

/* move, which takes a float or a double, applied to all that v holds */
template <class V, class Move> __device__ __forceinline__ V weft_moved(const V &v, Move move)
{
    if constexpr (std::is_arithmetic_v<V>)
        return move(v);
    else
        return v.moved(move);
}

/* Over neighbouring lanes, LANES (a power of two up to 32) at a time. The broadcast at the end makes up for a merge
 * that rounds (a, b) and (b, a) differently. */
template <int LANES, class V, class Merge> __device__ __forceinline__ V weft_reduce_lanes(V v, Merge merge)
{
    static_assert(LANES >= 1 && LANES <= WEFT_WARP && (LANES & (LANES - 1)) == 0, "lanes of one warp");
#pragma unroll
    for (int distance = LANES / 2; distance > 0; distance /= 2)
        v = merge(v, weft_moved(v, [distance](auto part) { return __shfl_xor_sync(0xffffffffu, part, distance); }));
    return weft_moved(v, [](auto part) { return __shfl_sync(0xffffffffu, part, 0, LANES); });
}

/* Over a block of THREADS threads (a power of two of warps). */
template <int THREADS, class V, class Merge> __device__ __forceinline__ V weft_reduce_block(V v, Merge merge)
{
    constexpr int WARPS = THREADS / WEFT_WARP;
    WEFT_SHARED(V, partial, [WARPS]);
    const unsigned lane = threadIdx.x % WEFT_WARP, warp = threadIdx.x / WEFT_WARP;
    v = weft_reduce_lanes<WEFT_WARP>(v, merge);
    __syncthreads(); /* the partial results of the call before have been read */
    if (lane == 0)
        partial[warp] = v;
    __syncthreads();
    return weft_reduce_lanes<WARPS>(partial[lane % WARPS], merge);
}

/* Over groups of GROUP threads: lanes of a warp, or the whole block. */
template <int GROUP, class V, class Merge> __device__ __forceinline__ V weft_reduce_group(V v, Merge merge)
{
    if constexpr (GROUP <= WEFT_WARP)
        return weft_reduce_lanes<GROUP>(v, merge);
    else
        return weft_reduce_block<GROUP>(v, merge);
}

/* Two sums side by side. */
template <class C> struct weft_sums {
    C first, second;

    template <class Move> __device__ __forceinline__ weft_sums moved(Move move) const
    {
        return {move(first), move(second)};
    }

    __device__ __forceinline__ static weft_sums merge(const weft_sums &a, const weft_sums &b)
    {
        return {a.first + b.first, a.second + b.second};
    }
};

/* a / b to 2 ulp, for |b| < 2^126 */
__device__ __forceinline__ float weft_quick_quotient(float a, float b)
{
    return __fdividef(a, b);
}
__device__ __forceinline__ double weft_quick_quotient(double a, double b)
{
    return a / b;
}

/* How many numbers there were, their mean, and the sum of their squared distances from it (Chan, Golub & LeVeque 1983):
 * a large mean over a small spread does no harm. */
template <class C> struct weft_moments {
    C count, mean, spread;

    template <class Move> __device__ __forceinline__ weft_moments moved(Move move) const
    {
        return {move(count), move(mean), move(spread)};
    }

    __device__ __forceinline__ static weft_moments merge(const weft_moments &a, const weft_moments &b)
    {
        const C count = a.count + b.count, apart = b.mean - a.mean;
        const C share = count > 0 ? weft_quick_quotient(b.count, count) : C(0);
        return {count, a.mean + apart * share, a.spread + b.spread + apart * apart * (a.count * share)};
    }

    template <int N> __device__ __forceinline__ void add(const C (&v)[N])
    {
        C sum = 0, squares = 0;
#pragma unroll
        for (int k = 0; k < N; k++)
            sum += v[k];
        const C mean_of_these = sum * (C(1) / N);
#pragma unroll
        for (int k = 0; k < N; k++)
            squares += (v[k] - mean_of_these) * (v[k] - mean_of_these);
        *this = merge(*this, {C(N), mean_of_these, squares});
    }
};

#endif
