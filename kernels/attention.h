/* attention.h - tiles of attention for kernels: a block has SIDE rows of one matrix, its own, and meets the rows of
 * another, SIDE at a time. Own rows are queries, or in the gradients of keys and values keys.
 *
 * 16 x 16 threads; thread (x, y) holds R x R of a tile's elements, those of own rows y + 16 i and other rows x + 16 j,
 * and R x WIDE of a result's, those of columns x + 16 j. A row's 16 threads are neighbouring lanes. */
#ifndef WEFT_KERNELS_ATTENTION_H
#define WEFT_KERNELS_ATTENTION_H

#include "block_reduce.h"
#include "base/scalar.h"
#include "cuda/launch.h"
#include "types.h"

enum {
    WEFT_TILE_LANES = 16,
    WEFT_TILE_THREADS = WEFT_TILE_LANES * WEFT_TILE_LANES,
    WEFT_TILE_DEPTH = 32, /* columns, or rows to be summed over, that are in shared memory at once */
    WEFT_TILE_PITCH = WEFT_TILE_DEPTH + 1,
};

/* R x R elements a thread, results of COLUMNS columns. */
template <class T, int R_, int COLUMNS_> struct weft_tile {
    using type = T;
    using C = weft_compute_t<T>;
    enum { R = R_, SIDE = R * WEFT_TILE_LANES, COLUMNS = COLUMNS_, WIDE = COLUMNS / WEFT_TILE_LANES };
    enum { ROWS_ROOM = 2 * SIDE * WEFT_TILE_PITCH, COLUMNS_ROOM = WEFT_TILE_DEPTH * COLUMNS };
    enum { STAGE = ROWS_ROOM > COLUMNS_ROOM ? ROWS_ROOM : COLUMNS_ROOM };
    enum { WEIGHT_PITCH = SIDE + 1, WEIGHTS = SIDE * WEIGHT_PITCH };
};

/* The operands of one launch; those of an item of the batch follow each other. */
struct weft_attention {
    int64_t batch, t, s, d, e;
    int64_t ahead; /* query i sees the keys up to i + ahead */
    double scale;
};

inline weft_attention weft_attention_of(const weft__exec *e)
{
    const weft__array *q = e->in[0], *k = e->in[1], *v = e->in[2];
    const int n = q->ndim;
    weft_attention a = {1, q->shape[n - 2],          k->shape[n - 2], q->shape[n - 1], v->shape[n - 1],
                        0, e->attrs->attention.scale};
    a.ahead = e->attrs->attention.causal ? a.s - a.t : a.s;
    for (int d = 0; d < n - 2; d++)
        a.batch *= q->shape[d];
    return a;
}

/* e^x, where e^-inf is 0 */
__device__ __forceinline__ float weft_tile_exp(float x)
{
    return expf(x);
}
__device__ __forceinline__ double weft_tile_exp(double x)
{
    return exp(x);
}

/* stage[SIDE][DEPTH] = columns [at, at + DEPTH) of rows [first, first + SIDE); zeros past rows and width.
 * rows [rows, width] */
template <class Tile>
__device__ __forceinline__ void weft_tile_load_rows(typename Tile::C *stage, const typename Tile::type *matrix,
                                                    int64_t rows, int64_t width, int64_t first, int64_t at)
{
    const int thread = static_cast<int>(threadIdx.x), column = thread % WEFT_TILE_DEPTH;
#pragma unroll
    for (int row = thread / WEFT_TILE_DEPTH; row < Tile::SIDE; row += WEFT_TILE_THREADS / WEFT_TILE_DEPTH) {
        const bool there = first + row < rows && at + column < width;
        stage[row * WEFT_TILE_PITCH + column] =
            there ? weft_load(matrix[(first + row) * width + at + column]) : typename Tile::C(0);
    }
}

/* sums[R][R] = own rows by other rows, summed over their width. Begins with a barrier, so that stage is free, unless
 * the width is 0.   own [n_own, width], other [n_other, width] */
template <class Tile>
__device__ __forceinline__ void weft_tile_scores(typename Tile::C (&sums)[Tile::R][Tile::R], typename Tile::C *stage,
                                                 const typename Tile::type *own, int64_t n_own, int64_t own_first,
                                                 const typename Tile::type *other, int64_t n_other, int64_t other_first,
                                                 int64_t width)
{
    using C = typename Tile::C;
    enum { R = Tile::R, L = WEFT_TILE_LANES };
    C *mine = stage, *theirs = stage + Tile::SIDE * WEFT_TILE_PITCH;
    const int x = static_cast<int>(threadIdx.x) % L, y = static_cast<int>(threadIdx.x) / L;
#pragma unroll
    for (int i = 0; i < R; i++)
#pragma unroll
        for (int j = 0; j < R; j++)
            sums[i][j] = 0;
    for (int64_t at = 0; at < width; at += WEFT_TILE_DEPTH) {
        __syncthreads();
        weft_tile_load_rows<Tile>(mine, own, n_own, width, own_first, at);
        weft_tile_load_rows<Tile>(theirs, other, n_other, width, other_first, at);
        __syncthreads();
#pragma unroll 8
        for (int k = 0; k < WEFT_TILE_DEPTH; k++) {
            C a[R], b[R];
#pragma unroll
            for (int i = 0; i < R; i++) {
                a[i] = mine[(y + L * i) * WEFT_TILE_PITCH + k];
                b[i] = theirs[(x + L * i) * WEFT_TILE_PITCH + k];
            }
#pragma unroll
            for (int i = 0; i < R; i++)
#pragma unroll
                for (int j = 0; j < R; j++)
                    sums[i][j] += a[i] * b[j];
        }
    }
}

/* Keeps a thread's weights for weft_tile_gather of all. Begins with a barrier: those before have been used. */
template <class Tile>
__device__ __forceinline__ void weft_tile_keep(typename Tile::C *weights, const typename Tile::C (&w)[Tile::R][Tile::R])
{
    enum { L = WEFT_TILE_LANES };
    const int x = static_cast<int>(threadIdx.x) % L, y = static_cast<int>(threadIdx.x) / L;
    __syncthreads();
#pragma unroll
    for (int i = 0; i < Tile::R; i++)
#pragma unroll
        for (int j = 0; j < Tile::R; j++)
            weights[(y + L * i) * Tile::WEIGHT_PITCH + x + L * j] = w[i][j];
}

/* Which of a tile's pairs see each other, queries the keys up to `ahead` further on. Own rows are queries, or keys. */
template <bool KEYS> struct weft_tile_mask {
    int64_t own, ahead; /* the first own row */
    bool partial;       /* not all pairs do */

    /* own rows [own, own + n_own), other rows [other, other + n_other), those that are there */
    __device__ __forceinline__ weft_tile_mask(int64_t own_first, int64_t n_own, int64_t other, int64_t n_other,
                                              int64_t how_far)
        : own(own_first), ahead(how_far),
          partial(KEYS ? own_first + n_own - 1 > other + how_far : other + n_other - 1 > own_first + how_far)
    {
    }

    /* own row `own + i` and this other row */
    __device__ __forceinline__ bool sees(int i, int64_t other) const
    {
        return KEYS ? own + i <= other + ahead : other <= own + i + ahead;
    }
};

/* out[R][WIDE] += weights [SIDE][SIDE] by staged rows [DEPTH][COLUMNS], which are other rows from `first` on, the
 * weights' columns from `from` on. MASKED: pairs that do not see each other are skipped; their weight is 0, but 0 times
 * NaN is not. */
template <class Tile, bool MASKED, bool KEYS>
__device__ __forceinline__ void weft_tile_add(typename Tile::C (&out)[Tile::R][Tile::WIDE],
                                              const typename Tile::C *stage, const typename Tile::C *weights, int from,
                                              int64_t first, const weft_tile_mask<KEYS> &mask)
{
    using C = typename Tile::C;
    enum { R = Tile::R, WIDE = Tile::WIDE, L = WEFT_TILE_LANES };
    const int x = static_cast<int>(threadIdx.x) % L, y = static_cast<int>(threadIdx.x) / L;
#pragma unroll 8
    for (int k = 0; k < WEFT_TILE_DEPTH; k++) {
        C a[R], b[WIDE];
#pragma unroll
        for (int i = 0; i < R; i++)
            a[i] = weights[(y + L * i) * Tile::WEIGHT_PITCH + from + k];
#pragma unroll
        for (int j = 0; j < WIDE; j++)
            b[j] = stage[k * Tile::COLUMNS + x + L * j];
#pragma unroll
        for (int i = 0; i < R; i++) {
            if (MASKED && !mask.sees(y + L * i, first + k))
                continue;
#pragma unroll
            for (int j = 0; j < WIDE; j++)
                out[i][j] += a[i] * b[j];
        }
    }
}

/* out[R][WIDE] += weights by columns [column, column + COLUMNS) of other rows.
 * weights [SIDE][SIDE] in shared memory, other [n_other, width] */
template <class Tile, bool KEYS>
__device__ __forceinline__ void weft_tile_gather(typename Tile::C (&out)[Tile::R][Tile::WIDE], typename Tile::C *stage,
                                                 const typename Tile::C *weights, const typename Tile::type *other,
                                                 int64_t n_other, int64_t first, int64_t width, int64_t column,
                                                 const weft_tile_mask<KEYS> &mask)
{
    const int thread = static_cast<int>(threadIdx.x);
    for (int from = 0; from < Tile::SIDE && first + from < n_other; from += WEFT_TILE_DEPTH) {
        __syncthreads();
        for (int k = thread; k < Tile::COLUMNS_ROOM; k += WEFT_TILE_THREADS) {
            const int64_t row = first + from + k / Tile::COLUMNS, c = column + k % Tile::COLUMNS;
            stage[k] = row < n_other && c < width ? weft_load(other[row * width + c]) : typename Tile::C(0);
        }
        __syncthreads();
        if (mask.partial)
            weft_tile_add<Tile, true>(out, stage, weights, from, first + from, mask);
        else
            weft_tile_add<Tile, false>(out, stage, weights, from, first + from, mask);
    }
}

/* Writes what lies inside of out[R][WIDE], times share[R].   result [rows, width] */
template <class Tile>
__device__ __forceinline__ void weft_tile_put(typename Tile::type *result, int64_t rows, int64_t first, int64_t width,
                                              int64_t column, const typename Tile::C (&out)[Tile::R][Tile::WIDE],
                                              const typename Tile::C (&share)[Tile::R])
{
    enum { L = WEFT_TILE_LANES };
    const int x = static_cast<int>(threadIdx.x) % L, y = static_cast<int>(threadIdx.x) / L;
#pragma unroll
    for (int i = 0; i < Tile::R; i++)
#pragma unroll
        for (int j = 0; j < Tile::WIDE; j++) {
            const int64_t row = first + y + L * i, c = column + x + L * j;
            if (row < rows && c < width)
                weft_store(&result[row * width + c], out[i][j] * share[i]);
        }
}

/* A block's place: item of the batch, first own row, first column of the result. */
struct weft_tile_place {
    int64_t item, first, column;
};

__device__ __forceinline__ weft_tile_place weft_tile_place_of(int64_t task, int64_t row_tiles, int64_t column_tiles,
                                                              int side, int columns)
{
    const int64_t rest = task / column_tiles;
    return {rest / row_tiles, rest % row_tiles * side, (task - rest * column_tiles) * columns};
}

inline int64_t weft_tiles(int64_t n, int64_t each)
{
    return n / each + (n % each != 0);
}

/* Calls run(weft_type_name<Tile>()) with the tile for results of this width: wider ones are worked on 64 or 128 columns
 * at a time. */
template <class T, class Run> inline cudaError_t weft_visit_tile(int64_t width, Run &&run)
{
    if constexpr (std::is_same_v<T, double>)
        return run(weft_type_name<weft_tile<T, 2, 64>>());
    else if (width <= 64)
        return run(weft_type_name<weft_tile<T, 4, 64>>());
    else
        return run(weft_type_name<weft_tile<T, 4, 128>>());
}

#endif
