/* attention.cu - scaled dot-product attention without a matrix of scores: a block takes a tile of queries through the
 * tiles of keys that they see and keeps each row's maximum and sum up to date (Milakov & Gimelshein 2018, Dao et al.
 * 2022). */
#include "attention.h"
#include "cuda/kernels.h"

namespace
{

/* A block works on SIDE queries and COLUMNS columns of the result; the one with column 0 writes lse.
 * q [batch, T, D], k [batch, S, D], v [batch, S, E], result [batch, T, E], lse [batch, T] */
template <class Tile>
__global__ void __launch_bounds__(WEFT_TILE_THREADS)
    k_attention(weft_attention a, const typename Tile::type *q, const typename Tile::type *k,
                const typename Tile::type *v, typename Tile::type *result, typename Tile::C *lse, int64_t row_tiles,
                int64_t column_tiles)
{
    using C = typename Tile::C;
    enum { R = Tile::R, SIDE = Tile::SIDE, L = WEFT_TILE_LANES };
    WEFT_SHARED(C, stage, [Tile::STAGE]);
    WEFT_SHARED(C, weights, [Tile::WEIGHTS]);
    const int x = static_cast<int>(threadIdx.x) % L, y = static_cast<int>(threadIdx.x) / L;
    const C none = -C(INFINITY), scale = C(a.scale);
    const int64_t tasks = a.batch * row_tiles * column_tiles;
    for (int64_t task = blockIdx.x; task < tasks; task += gridDim.x) {
        const weft_tile_place at = weft_tile_place_of(task, row_tiles, column_tiles, SIDE, Tile::COLUMNS);
        C out[R][Tile::WIDE], top[R], sum[R];
#pragma unroll
        for (int i = 0; i < R; i++) {
            top[i] = none;
            sum[i] = 0;
#pragma unroll
            for (int j = 0; j < Tile::WIDE; j++)
                out[i][j] = 0;
        }
        const int64_t last = at.first + SIDE < a.t ? at.first + SIDE - 1 : a.t - 1;
        const int64_t end = last + a.ahead + 1 < a.s ? last + a.ahead + 1 : a.s;
        for (int64_t key = 0; key < end; key += SIDE) {
            C p[R][R];
            weft_tile_scores<Tile>(p, stage, q + at.item * a.t * a.d, a.t, at.first, k + at.item * a.s * a.d, a.s, key,
                                   a.d);
#pragma unroll
            for (int i = 0; i < R; i++) {
                const int64_t seen = at.first + y + L * i + a.ahead;
                C best = top[i], added = 0;
#pragma unroll
                for (int j = 0; j < R; j++) {
                    const int64_t s = key + x + L * j;
                    p[i][j] = s < a.s && s <= seen ? p[i][j] * scale : none;
                    best = p[i][j] > best || p[i][j] != p[i][j] ? p[i][j] : best;
                }
                best = weft_reduce_lanes<L>(best, [](C u, C w) { return u > w || u != u ? u : w; });
                const C shift = best == none ? C(0) : best, kept = weft_tile_exp(top[i] - shift);
#pragma unroll
                for (int j = 0; j < R; j++) {
                    p[i][j] = weft_tile_exp(p[i][j] - shift);
                    added += p[i][j];
                }
                added = weft_reduce_lanes<L>(added, [](C u, C w) { return u + w; });
                sum[i] = sum[i] * kept + added;
                top[i] = best;
#pragma unroll
                for (int j = 0; j < Tile::WIDE; j++)
                    out[i][j] *= kept;
            }
            weft_tile_keep<Tile>(weights, p);
            const weft_tile_mask<false> mask(at.first, last - at.first + 1, key, key + SIDE < a.s ? SIDE : a.s - key,
                                             a.ahead);
            weft_tile_gather<Tile>(out, stage, weights, v + at.item * a.s * a.e, a.s, key, a.e, at.column, mask);
        }
        C share[R];
#pragma unroll
        for (int i = 0; i < R; i++) {
            const int64_t row = at.first + y + L * i;
            share[i] = sum[i] == 0 ? C(0) : C(1) / sum[i];
            if (x == 0 && at.column == 0 && row < a.t)
                lse[at.item * a.t + row] = sum[i] == 0 ? none : top[i] + C(log(sum[i]));
        }
        weft_tile_put<Tile>(result + at.item * a.t * a.e, a.t, at.first, a.e, at.column, out, share);
    }
}

} /* namespace */

extern "C" weft_status weft__cuda_attention_tiled(const weft__exec *e)
{
    const weft_attention a = weft_attention_of(e);
    if (a.batch * a.t == 0)
        return WEFT_OK;
    return weft__cuda_status(e, weft_visit_float(e->in[0]->dtype, cudaErrorInvalidValue, [&](auto name) {
                                 using T = typename decltype(name)::type;
                                 return weft_visit_tile<T>(a.e, [&](auto tile_name) {
                                     using Tile = typename decltype(tile_name)::type;
                                     const int64_t rows = weft_tiles(a.t, Tile::SIDE);
                                     const int64_t columns = a.e ? weft_tiles(a.e, Tile::COLUMNS) : 1; /* for lse */
                                     return weft_launch(
                                         k_attention<Tile>, weft__cuda_blocks(e, a.batch * rows * columns, 1),
                                         WEFT_TILE_THREADS, 0, weft__stream(e), a,
                                         static_cast<const T *>(e->in[0]->data), static_cast<const T *>(e->in[1]->data),
                                         static_cast<const T *>(e->in[2]->data), static_cast<T *>(e->out[0]->data),
                                         static_cast<typename Tile::C *>(e->out[1]->data), rows, columns);
                                 });
                             }));
}
