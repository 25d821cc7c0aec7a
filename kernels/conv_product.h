/* conv_product.h - tiles of a matrix product whose operands are gathered while they are loaded.
 *
 * A block of 256 threads makes M x N elements of the result, a thread TM x TN of them, from K terms at a time that wait
 * in shared memory, double buffered. What is multiplied is a Problem's business:
 *
 *   Place           a share of the work, in shared memory: find(problem, share), empty(), and count, its terms
 *   Work            a thread's part of one: load(a, b) gives its elements of the next K terms, 0 where there are none;
 *                   write(sums) takes its results
 *
 * What all threads share stays in shared memory, because registers decide how fast the innermost loop is. */
#ifndef WEFT_KERNELS_CONV_PRODUCT_H
#define WEFT_KERNELS_CONV_PRODUCT_H

#include "conv.h"

enum { WEFT_CONV_THREADS = 256 };

/* C: what is computed in. */
template <class C_, int M_, int N_, int K_, int TM_, int TN_> struct weft_conv_tile {
    using C = C_;
    static constexpr int M = M_, N = N_, K = K_, TM = TM_, TN = TN_;
    static constexpr int V = 16 / sizeof(C);               /* a thread's rows and columns come V side by side */
    static constexpr int PITCH_M = M + V, PITCH_N = N + V; /* 16-byte aligned rows; columns spread over the banks */
    static constexpr int ACROSS = N / TN;                  /* threads along N */
    static constexpr int LOAD_A = M * K / WEFT_CONV_THREADS, LOAD_B = N * K / WEFT_CONV_THREADS;
    static_assert(M / TM * ACROSS == WEFT_CONV_THREADS && ACROSS % 8 == 0 && TM % V == 0 && TN % V == 0, "layout");
    static_assert(WEFT_CONV_THREADS % K == 0 && M * K % WEFT_CONV_THREADS == 0 && WEFT_CONV_THREADS % N == 0 &&
                      N * K % WEFT_CONV_THREADS == 0,
                  "loads");

    /* Where this thread's sums lie: row i of TM, column j of TN. A warp covers 4 x 8 threads. */
    static __device__ __forceinline__ int row_of(int i)
    {
        const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
        const int down = warp / (ACROSS / 8) * 4 + lane / 8;
        return i / V * (M / (TM / V)) + down * V + i % V;
    }
    static __device__ __forceinline__ int column_of(int j)
    {
        const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
        const int along = warp % (ACROSS / 8) * 8 + lane % 8;
        return j / V * (N / (TN / V)) + along * V + j % V;
    }

    /* Loads along K: element i is term fast_k() of row (or column) fast_row(i). */
    static __device__ __forceinline__ int fast_k()
    {
        return static_cast<int>(threadIdx.x) % K;
    }
    static __device__ __forceinline__ int fast_row(int i)
    {
        return static_cast<int>(threadIdx.x) / K + i * (WEFT_CONV_THREADS / K);
    }

    /* Loads along N: element i is term slow_k() + i of column slow_column(). */
    static __device__ __forceinline__ int slow_k()
    {
        return static_cast<int>(threadIdx.x) / N * LOAD_B;
    }
    static __device__ __forceinline__ int slow_column()
    {
        return static_cast<int>(threadIdx.x) % N;
    }
};

/* problem.tiles shares of the work, one after the other. */
template <class Problem> __global__ void __launch_bounds__(WEFT_CONV_THREADS, 2) k_convolve(Problem problem)
{
    using Tile = typename Problem::Tile;
    using C = typename Tile::C;
    using Pack = weft_pack<C, Tile::V>;
    WEFT_SHARED(Pack, a_packs, [2][Tile::K][Tile::PITCH_M / Tile::V]);
    WEFT_SHARED(Pack, b_packs, [2][Tile::K][Tile::PITCH_N / Tile::V]);
    WEFT_SHARED(typename Problem::Place, places, [1]);
    const typename Problem::Place &place = places[0];
    for (int64_t share = blockIdx.x; share < problem.shares; share += gridDim.x) {
        if (threadIdx.x == 0)
            places[0].find(problem, share);
        __syncthreads();
        typename Problem::Work work(problem, place);
        C sums[Tile::TM][Tile::TN] = {};
        C a_next[Tile::LOAD_A], b_next[Tile::LOAD_B];
        const auto store = [&](int buffer) {
#pragma unroll
            for (int i = 0; i < Tile::LOAD_A; i++) {
                const int row = Tile::fast_row(i);
                a_packs[buffer][Tile::fast_k()][row / Tile::V].element[row % Tile::V] = a_next[i];
            }
#pragma unroll
            for (int i = 0; i < Tile::LOAD_B; i++) {
                const int k = Problem::B_ALONG_N ? Tile::slow_k() + i : Tile::fast_k();
                const int column = Problem::B_ALONG_N ? Tile::slow_column() : Tile::fast_row(i);
                b_packs[buffer][k][column / Tile::V].element[column % Tile::V] = b_next[i];
            }
        };
        const int32_t steps = place.empty() ? 0 : static_cast<int32_t>((place.count + Tile::K - 1) / Tile::K);
        if (steps > 0) {
            work.load(a_next, b_next);
            store(0);
        }
        __syncthreads();
        for (int32_t step = 0; step < steps; step++) {
            const int buffer = step & 1;
            const bool more = step + 1 < steps;
            if (more)
                work.load(a_next, b_next);
#pragma unroll 4
            for (int k = 0; k < Tile::K; k++) {
                Pack a[Tile::TM / Tile::V], b[Tile::TN / Tile::V];
#pragma unroll
                for (int i = 0; i < Tile::TM; i += Tile::V)
                    a[i / Tile::V] = a_packs[buffer][k][Tile::row_of(i) / Tile::V];
#pragma unroll
                for (int j = 0; j < Tile::TN; j += Tile::V)
                    b[j / Tile::V] = b_packs[buffer][k][Tile::column_of(j) / Tile::V];
#pragma unroll
                for (int i = 0; i < Tile::TM; i++)
#pragma unroll
                    for (int j = 0; j < Tile::TN; j++)
                        sums[i][j] += a[i / Tile::V].element[i % Tile::V] * b[j / Tile::V].element[j % Tile::V];
            }
            if (more)
                store(buffer ^ 1);
            __syncthreads();
        }
        work.write(sums);
        __syncthreads(); /* the place is about to change */
    }
}

/* How many tiles of so many rows. */
inline int64_t weft_conv_tiles(int64_t rows, int tile)
{
    return (rows + tile - 1) / tile;
}

/* Calls launch(weft_conv_tile<...>()) with the tile that suits a product of rows x columns, one of batch. A tile of
 * twice the size does more with what it loads, if that leaves wanted_blocks of them; WIDE: also one of twice the
 * columns. */
template <class C, bool WIDE, class Launch>
inline weft_status weft_conv_choose_tile(int64_t rows, int64_t columns, int64_t wanted_blocks, int64_t batch,
                                         Launch &&launch)
{
    if (rows <= 32)
        return launch(weft_conv_tile<C, 32, 128, 16, 4, 4>());
    if constexpr (std::is_same_v<C, float>) {
        const int64_t blocks = weft_conv_tiles(rows, 128) * weft_conv_tiles(columns, 64) * batch;
        const bool even = weft_conv_tiles(rows, 64) % 2 == 0; /* no half of a tall tile is empty */
        if (blocks >= wanted_blocks && even)
            return launch(weft_conv_tile<C, 128, 64, 16, 8, 4>());
        if constexpr (WIDE)
            if (blocks >= wanted_blocks && columns > 64)
                return launch(weft_conv_tile<C, 64, 128, 16, 4, 8>());
    }
    return launch(weft_conv_tile<C, 64, 64, 16, 4, 4>());
}

#endif
