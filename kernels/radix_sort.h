/* radix_sort.h - sorts numbered keys; equal keys stay in the order of their numbers, so the result is the same every
 * run.
 *
 * Eight bits a pass, the lowest first, three kernels a pass: blocks count the digits of their tiles, the counts of each
 * digit are summed over the tiles before, blocks put their keys where they belong. I is uint32_t or uint64_t: keys and
 * numbers alike. */
#ifndef WEFT_KERNELS_RADIX_WEFT_SORT_H
#define WEFT_KERNELS_RADIX_WEFT_SORT_H

#include "cuda/launch.h"
#include "weft_cuda.h"
#include "block_scan.h"

enum {
    WEFT_SORT_THREADS = 256,
    WEFT_SORT_WARPS = WEFT_SORT_THREADS / 32,
    WEFT_SORT_EACH = 8, /* keys of a thread */
    WEFT_SORT_TILE = WEFT_SORT_THREADS * WEFT_SORT_EACH,
    WEFT_SORT_BITS = 8,
    WEFT_SORT_DIGITS = 1 << WEFT_SORT_BITS,
};
static_assert(WEFT_SORT_DIGITS == WEFT_SORT_THREADS, "a thread looks after one digit");

template <class I> __device__ __forceinline__ unsigned weft_sort_digit(I key, int shift)
{
    return static_cast<unsigned>(key >> shift) & (WEFT_SORT_DIGITS - 1);
}

/* keys [n], counts [digits, tiles] */
template <class I>
__global__ void __launch_bounds__(WEFT_SORT_THREADS)
    k_sort_count(int64_t n, int64_t tiles, int shift, const I *keys, I *counts)
{
    WEFT_SHARED(unsigned, count, [WEFT_SORT_DIGITS]);
    for (int64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
        count[threadIdx.x] = 0;
        __syncthreads();
        for (int k = 0; k < WEFT_SORT_EACH; k++) {
            const int64_t i = tile * WEFT_SORT_TILE + k * WEFT_SORT_THREADS + threadIdx.x;
            if (i < n)
                atomicAdd(&count[weft_sort_digit(keys[i], shift)], 1u);
        }
        __syncthreads();
        counts[threadIdx.x * tiles + tile] = count[threadIdx.x];
    }
}

/* A block a digit: its counts become sums over the tiles before.
 * counts [digits, tiles], totals [digits] */
template <class I> __global__ void __launch_bounds__(WEFT_SORT_THREADS) k_sort_sum(int64_t tiles, I *counts, I *totals)
{
    I *row = counts + blockIdx.x * tiles;
    I total = 0;
    for (int64_t first = 0; first < tiles; first += WEFT_SORT_THREADS) {
        const int64_t tile = first + threadIdx.x;
        I all;
        const I before = weft_sum_before<WEFT_SORT_THREADS, I>(tile < tiles ? row[tile] : 0, all);
        if (tile < tiles)
            row[tile] = total + before;
        total += all;
    }
    if (threadIdx.x == 0)
        totals[blockIdx.x] = total;
}

/* Each warp ranks its part of a tile, 32 keys at a time: lanes with the same digit find each other.
 * keys and numbers [n] (numbers NULL: 0, 1, 2 ...), counts [digits, tiles] (NULL: one tile) and totals [digits] from
 * above */
template <class I>
__global__ void __launch_bounds__(WEFT_SORT_THREADS)
    k_sort_place(int64_t n, int64_t tiles, int shift, const I *keys, const I *numbers, const I *counts, const I *totals,
                 I *keys_out, I *numbers_out)
{
    WEFT_SHARED(
        unsigned,
        seen, [WEFT_SORT_WARPS][WEFT_SORT_DIGITS]); /* keys of a digit: in the warp's part, then in parts before */
    WEFT_SHARED(I, start, [WEFT_SORT_DIGITS]);      /* where the tile's keys of a digit go */
    const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    I all;
    const I digit_start = weft_sum_before<WEFT_SORT_THREADS, I>(totals[threadIdx.x], all);
    for (int64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
        const int64_t first = tile * WEFT_SORT_TILE + warp * (32 * WEFT_SORT_EACH) + lane;
        I key[WEFT_SORT_EACH];
        unsigned rank[WEFT_SORT_EACH];
        for (int w = 0; w < WEFT_SORT_WARPS; w++)
            seen[w][threadIdx.x] = 0;
        start[threadIdx.x] = digit_start + (counts ? counts[threadIdx.x * tiles + tile] : 0);
        __syncthreads();
#pragma unroll
        for (int k = 0; k < WEFT_SORT_EACH; k++) {
            const bool there = first + k * 32 < n;
            key[k] = there ? keys[first + k * 32] : 0;
            const unsigned digit = there ? weft_sort_digit(key[k], shift) : WEFT_SORT_DIGITS;
            const unsigned peers = __match_any_sync(0xffffffffu, digit);
            const unsigned before = there ? seen[warp][digit] : 0;
            const unsigned among = __popc(peers & ((1u << lane) - 1));
            rank[k] = before + among;
            __syncwarp();
            if (there && among == 0)
                seen[warp][digit] = before + __popc(peers);
            __syncwarp();
        }
        __syncthreads();
        unsigned before = 0;
        for (int w = 0; w < WEFT_SORT_WARPS; w++) {
            const unsigned own = seen[w][threadIdx.x];
            seen[w][threadIdx.x] = before;
            before += own;
        }
        __syncthreads();
#pragma unroll
        for (int k = 0; k < WEFT_SORT_EACH; k++) {
            const int64_t i = first + k * 32;
            if (i >= n)
                continue;
            const unsigned digit = weft_sort_digit(key[k], shift);
            const I to = start[digit] + seen[warp][digit] + rank[k];
            keys_out[to] = key[k];
            numbers_out[to] = numbers ? numbers[i] : static_cast<I>(i);
        }
        __syncthreads();
    }
}

/* Keys, and the number that each had in the beginning. The sort goes from one pair of arrays to the other and back. */
template <class I> struct weft_sort_arrays {
    I *keys[2], *numbers[2]; /* [n] */
    I *counts;               /* [digits, tiles] */
    I *totals;               /* [digits] */
};

inline int64_t weft_sort_tiles(int64_t n)
{
    return n / WEFT_SORT_TILE + (n % WEFT_SORT_TILE != 0);
}

/* Scratch memory for n keys; false if there is none. */
template <class I> bool weft_sort_allocate(const weft__exec *e, int64_t n, weft_sort_arrays<I> &s)
{
    const int64_t counts = weft_sort_tiles(n) * WEFT_SORT_DIGITS;
    I **const arrays[] = {&s.keys[0], &s.keys[1], &s.numbers[0], &s.numbers[1], &s.counts, &s.totals};
    const int64_t sizes[] = {n, n, n, n, counts, WEFT_SORT_DIGITS};
    for (int k = 0; k < 6; k++) {
        *arrays[k] = static_cast<I *>(weft__scratch(e, sizes[k], sizeof(I)));
        if (!*arrays[k])
            return false;
    }
    return true;
}

/* A pass over the digit at shift, from keys and numbers (or NULL) to keys_out and numbers_out. */
template <class I>
cudaError_t weft_sort_pass(const weft__exec *e, int64_t n, int shift, const weft_sort_arrays<I> &s, const I *keys,
                           const I *numbers, I *keys_out, I *numbers_out)
{
    const int64_t tiles = weft_sort_tiles(n);
    const unsigned blocks = weft__cuda_blocks(e, tiles, 1);
    const cudaStream_t stream = weft__stream(e);
    const bool one = tiles == 1; /* its counts are the totals */
    cudaError_t error =
        weft_launch(k_sort_count<I>, blocks, WEFT_SORT_THREADS, 0, stream, n, tiles, shift, keys, s.counts);
    if (error == cudaSuccess && !one)
        error = weft_launch(k_sort_sum<I>, WEFT_SORT_DIGITS, WEFT_SORT_THREADS, 0, stream, tiles, s.counts, s.totals);
    if (error != cudaSuccess)
        return error;
    return weft_launch(k_sort_place<I>, blocks, WEFT_SORT_THREADS, 0, stream, n, tiles, shift, keys, numbers,
                       one ? nullptr : s.counts, one ? s.counts : s.totals, keys_out, numbers_out);
}

/* Sorts keys[0][n], none above most. which tells where keys and numbers are afterwards. n is at least 1. */
template <class I>
cudaError_t weft_sort(const weft__exec *e, int64_t n, I most, const weft_sort_arrays<I> &s, int *which)
{
    int from = 0, shift = 0;
    do {
        const int to = 1 - from;
        const cudaError_t error = weft_sort_pass<I>(e, n, shift, s, s.keys[from],
                                                    shift == 0 ? nullptr : s.numbers[from], s.keys[to], s.numbers[to]);
        if (error != cudaSuccess)
            return error;
        from = to;
        shift += WEFT_SORT_BITS;
    } while (shift < static_cast<int>(sizeof(I)) * 8 && most >> shift != 0);
    *which = from;
    return cudaSuccess;
}

/* keys [count] = which slice each number is of */
template <class I>
__global__ void __launch_bounds__(WEFT_SORT_THREADS) k_sort_slices(int64_t count, int64_t n, const I *numbers, I *keys)
{
    const int64_t step = static_cast<int64_t>(gridDim.x) * WEFT_SORT_THREADS;
    for (int64_t e = static_cast<int64_t>(blockIdx.x) * WEFT_SORT_THREADS + threadIdx.x; e < count; e += step)
        keys[e] = static_cast<I>(static_cast<int64_t>(numbers[e]) / n);
}

/* Sorts each of the slices of n keys[0] by itself, none above most: all by key, then by slice. Numbers count through
 * all slices. */
template <class I>
cudaError_t weft_sort_slices(const weft__exec *e, int64_t slices, int64_t n, I most, const weft_sort_arrays<I> &s,
                             int *which)
{
    const int64_t count = slices * n;
    cudaError_t error = weft_sort<I>(e, count, most, s, which);
    if (error == cudaSuccess && slices > 1)
        error = weft_launch(k_sort_slices<I>, weft__cuda_blocks(e, count, WEFT_SORT_THREADS), WEFT_SORT_THREADS, 0,
                            weft__stream(e), count, n, s.numbers[*which], s.keys[*which]);
    for (int shift = 0; error == cudaSuccess && (slices - 1) >> shift != 0; shift += WEFT_SORT_BITS) {
        const int from = *which, to = 1 - from;
        error = weft_sort_pass<I>(e, count, shift, s, s.keys[from], s.numbers[from], s.keys[to], s.numbers[to]);
        *which = to;
    }
    return error;
}

#endif
