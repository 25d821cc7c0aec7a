/* block_scan.h - what the threads of a block that come before each one make together, above all their sum. */
#ifndef WEFT_KERNELS_BLOCK_SCAN_H
#define WEFT_KERNELS_BLOCK_SCAN_H

#include "block_reduce.h"

/* What join makes of the values of the block's threads before this one, in their order, none before the first; all
 * becomes what it makes of them all. Every thread calls it. Nothing is taken off again: infinity less itself is not
 * what came before it. A value is a number or a struct with moved (block_reduce.h). */
template <int THREADS, class V, class Join> __device__ V weft_joined_before(V value, V none, Join join, V &all)
{
    enum { WARPS = THREADS / 32 };
    WEFT_SHARED(V, of_warp, [WARPS]);
    const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    V joined = value;
    for (unsigned distance = 1; distance < 32; distance *= 2) {
        const V other =
            weft_moved(joined, [distance](auto part) { return __shfl_up_sync(0xffffffffu, part, distance); });
        joined = lane >= distance ? join(other, joined) : joined;
    }
    const V in_warp = weft_moved(joined, [](auto part) { return __shfl_up_sync(0xffffffffu, part, 1); });
    if (lane == 31)
        of_warp[warp] = joined;
    __syncthreads();
    V before = none;
    all = none;
    for (unsigned w = 0; w < WARPS; w++) {
        before = w < warp ? join(before, of_warp[w]) : before;
        all = join(all, of_warp[w]);
    }
    __syncthreads();
    return lane > 0 ? join(before, in_warp) : before;
}

/* The sum of value over the block's threads before this one; all becomes the sum over all. */
template <int THREADS, class S> __device__ S weft_sum_before(S value, S &all)
{
    return weft_joined_before<THREADS>(
        value, S(0), [](S a, S b) { return a + b; }, all);
}

#endif
