/* attention_grad.cu - first-order gradients of attention. With P = e^(scale q k^T - lse) and dS = P (g v^T - delta)
 * scale, delta the sums of g y over E:  dv = P^T g,  dk = dS^T q,  dq = dS k.
 *
 * One kernel, three ways: a block owns rows of one gradient and meets the rows of the other side in their order, so
 * there are no atomics and every run gives the same bits. P is computed again each time. */
#include "attention.h"
#include "cuda/kernels.h"

namespace
{

enum gradient { OF_Q, OF_K, OF_V };

/* delta[row] = sum over E of g y; a warp each.   y, g [rows, E] */
template <class T>
__global__ void __launch_bounds__(WEFT_TILE_THREADS)
    k_attention_delta(const T *y, const T *g, weft_compute_t<T> *delta, int64_t rows, int64_t width)
{
    using C = weft_compute_t<T>;
    enum { WARPS = WEFT_TILE_THREADS / WEFT_WARP };
    const int lane = static_cast<int>(threadIdx.x) % WEFT_WARP, warp = static_cast<int>(threadIdx.x) / WEFT_WARP;
    for (int64_t row = static_cast<int64_t>(blockIdx.x) * WARPS + warp; row < rows;
         row += static_cast<int64_t>(gridDim.x) * WARPS) {
        C sum = 0;
        for (int64_t c = lane; c < width; c += WEFT_WARP)
            sum += weft_load(y[row * width + c]) * weft_load(g[row * width + c]);
        sum = weft_reduce_lanes<WEFT_WARP>(sum, [](C a, C b) { return a + b; });
        if (lane == 0)
            delta[row] = sum;
    }
}

/* q [batch, T, D], k [batch, S, D], v [batch, S, E], g [batch, T, E], lse, delta [batch, T] */
template <class T> struct operands {
    const T *q, *k, *v, *g;
    const weft_compute_t<T> *lse, *delta;
};

/* w = P, or dS, of the tile at own row `first` and other row `other`; 0 outside. */
template <class Tile, gradient OF>
__device__ __forceinline__ void tile_weights(typename Tile::C (&w)[Tile::R][Tile::R], typename Tile::C *stage,
                                             const weft_attention &a, const operands<typename Tile::type> &p,
                                             int64_t item, int64_t first, int64_t other)
{
    using C = typename Tile::C;
    enum { R = Tile::R, L = WEFT_TILE_LANES };
    const int x = static_cast<int>(threadIdx.x) % L, y = static_cast<int>(threadIdx.x) / L;
    const auto *q = p.q + item * a.t * a.d, *k = p.k + item * a.s * a.d;
    const auto *g = p.g + item * a.t * a.e, *v = p.v + item * a.s * a.e;
    const C scale = C(a.scale);
    C slope[R][R];
    if constexpr (OF == OF_Q) {
        weft_tile_scores<Tile>(w, stage, q, a.t, first, k, a.s, other, a.d);
        weft_tile_scores<Tile>(slope, stage, g, a.t, first, v, a.s, other, a.e);
    } else {
        weft_tile_scores<Tile>(w, stage, k, a.s, first, q, a.t, other, a.d);
        if constexpr (OF == OF_K)
            weft_tile_scores<Tile>(slope, stage, v, a.s, first, g, a.t, other, a.e);
    }
#pragma unroll
    for (int i = 0; i < R; i++)
#pragma unroll
        for (int j = 0; j < R; j++) {
            const int64_t mine = first + y + L * i, theirs = other + x + L * j;
            const int64_t t = OF == OF_Q ? mine : theirs, s = OF == OF_Q ? theirs : mine;
            const bool inside = t < a.t && s < a.s && s <= t + a.ahead;
            const C lse = inside ? p.lse[item * a.t + t] : C(0);
            const bool seen = inside && lse != -C(INFINITY);
            C weight = seen ? weft_tile_exp(w[i][j] * scale - lse) : C(0);
            if constexpr (OF != OF_V)
                weight = seen ? weight * (slope[i][j] - p.delta[item * a.t + t]) * scale : C(0);
            w[i][j] = weight;
        }
}

/* A block works on SIDE rows and COLUMNS columns of the gradient: of q, k [.., D] or of v [.., E]. */
template <class Tile, gradient OF>
__global__ void __launch_bounds__(WEFT_TILE_THREADS)
    k_attention_grad(weft_attention a, operands<typename Tile::type> p, typename Tile::type *result, int64_t row_tiles,
                     int64_t column_tiles)
{
    using C = typename Tile::C;
    enum { R = Tile::R, SIDE = Tile::SIDE };
    WEFT_SHARED(C, stage, [Tile::STAGE]);
    WEFT_SHARED(C, weights, [Tile::WEIGHTS]);
    const int64_t tasks = a.batch * row_tiles * column_tiles;
    const int64_t rows = OF == OF_Q ? a.t : a.s, others = OF == OF_Q ? a.s : a.t, width = OF == OF_V ? a.e : a.d;
    const auto *other_rows = OF == OF_Q ? p.k : OF == OF_K ? p.q : p.g;
    for (int64_t task = blockIdx.x; task < tasks; task += gridDim.x) {
        const weft_tile_place at = weft_tile_place_of(task, row_tiles, column_tiles, SIDE, Tile::COLUMNS);
        C out[R][Tile::WIDE], share[R];
#pragma unroll
        for (int i = 0; i < R; i++) {
            share[i] = 1;
#pragma unroll
            for (int j = 0; j < Tile::WIDE; j++)
                out[i][j] = 0;
        }
        const int64_t last = at.first + SIDE < rows ? at.first + SIDE - 1 : rows - 1;
        const int64_t reach = last + a.ahead + 1, earliest = at.first - a.ahead;
        const int64_t end = OF == OF_Q && reach < others ? reach : others;
        const int64_t begin = OF == OF_Q || earliest < 0 ? 0 : earliest / SIDE * SIDE;
        for (int64_t other = begin; other < end; other += SIDE) {
            C w[R][R];
            tile_weights<Tile, OF>(w, stage, a, p, at.item, at.first, other);
            weft_tile_keep<Tile>(weights, w);
            const weft_tile_mask<OF != OF_Q> mask(at.first, last - at.first + 1, other,
                                                  other + SIDE < others ? SIDE : others - other, a.ahead);
            weft_tile_gather<Tile>(out, stage, weights, other_rows + at.item * others * width, others, other, width,
                                   at.column, mask);
        }
        weft_tile_put<Tile>(result + at.item * rows * width, rows, at.first, width, at.column, out, share);
    }
}

template <gradient OF, class T>
cudaError_t launch(const weft__exec *e, const weft_attention &a, const operands<T> &p, const weft__array *result)
{
    if (!result || result->count == 0)
        return cudaSuccess;
    const int64_t width = OF == OF_V ? a.e : a.d;
    return weft_visit_tile<T>(width, [&](auto tile_name) {
        using Tile = typename decltype(tile_name)::type;
        const int64_t rows = weft_tiles(OF == OF_Q ? a.t : a.s, Tile::SIDE), columns = weft_tiles(width, Tile::COLUMNS);
        return weft_launch(k_attention_grad<Tile, OF>, weft__cuda_blocks(e, a.batch * rows * columns, 1),
                           WEFT_TILE_THREADS, 0, weft__stream(e), a, p, static_cast<T *>(result->data), rows, columns);
    });
}

template <class T> cudaError_t run(const weft__exec *e, const weft_attention &a, weft_compute_t<T> *delta)
{
    using C = weft_compute_t<T>;
    const T *y = static_cast<const T *>(e->in[3]->data), *g = static_cast<const T *>(e->in[5]->data);
    const operands<T> p = {static_cast<const T *>(e->in[0]->data), static_cast<const T *>(e->in[1]->data),
                           static_cast<const T *>(e->in[2]->data), g,
                           static_cast<const C *>(e->in[4]->data), delta};
    const int64_t rows = a.batch * a.t;
    cudaError_t error = cudaSuccess;
    if (rows > 0 && (e->out[0] || e->out[1]))
        error = weft_launch(k_attention_delta<T>, weft__cuda_blocks(e, rows, WEFT_TILE_THREADS / WEFT_WARP),
                            WEFT_TILE_THREADS, 0, weft__stream(e), y, g, delta, rows, a.e);
    if (error == cudaSuccess)
        error = launch<OF_Q>(e, a, p, e->out[0]);
    if (error == cudaSuccess)
        error = launch<OF_K>(e, a, p, e->out[1]);
    return error == cudaSuccess ? launch<OF_V>(e, a, p, e->out[2]) : error;
}

} /* namespace */

extern "C" weft_status weft__cuda_attention_grad_tiled(const weft__exec *e)
{
    const weft_attention a = weft_attention_of(e);
    const size_t bytes = e->in[0]->dtype == WEFT_F64 ? sizeof(double) : sizeof(float);
    void *delta = weft__scratch(e, a.batch * a.t + 1, bytes);
    if (!delta)
        return WEFT_E_NOMEM;
    return weft__cuda_status(e, weft_visit_float(e->in[0]->dtype, cudaErrorInvalidValue, [&](auto name) {
                                 using T = typename decltype(name)::type;
                                 return run<T>(e, a, static_cast<weft_compute_t<T> *>(delta));
                             }));
}
