/* block_scan.h - sums over the threads of a block that come before each one. */
#ifndef WEFT_KERNELS_BLOCK_SCAN_H
#define WEFT_KERNELS_BLOCK_SCAN_H

#include "weft_cuda.h"

/* The sum of value over the block's threads before this one; all becomes the sum over all. Every thread calls it.
 * Nothing is subtracted: infinity less itself is not what came before it. */
template <int THREADS, class S> __device__ S weft_sum_before(S value, S &all)
{
    enum { WARPS = THREADS / 32 };
    WEFT_SHARED(S, warp_sums, [WARPS]);
    const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    S sum = value;
    for (unsigned distance = 1; distance < 32; distance *= 2) {
        const S other = __shfl_up_sync(0xffffffffu, sum, distance);
        sum = lane >= distance ? other + sum : sum;
    }
    const S in_warp = __shfl_up_sync(0xffffffffu, sum, 1);
    if (lane == 31)
        warp_sums[warp] = sum;
    __syncthreads();
    S before = 0;
    all = 0;
    for (unsigned w = 0; w < WARPS; w++) {
        before = w < warp ? before + warp_sums[w] : before;
        all += warp_sums[w];
    }
    __syncthreads();
    return lane > 0 ? before + in_warp : before;
}

#endif
