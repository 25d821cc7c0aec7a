/* matmul.cu - matrix products of any strides without a library: tiles of both operands pass through shared memory, each
 * thread keeps a square of sums in registers.
 *
 * While one pair of tiles is multiplied the next is under way: as asynchronous copies where an operand's elements lie
 * in memory as the tile wants them (same type, dense along its outer dim, 16-byte aligned), else through registers,
 * which also turn and convert. Every sum goes over l in ascending order, so that it does not depend on the tile. */
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/product.h"
#include "activation.h"
#include "types.h"

namespace
{

enum { SIDE = 16, THREADS = SIDE * SIDE, GROUP = 4, BAND = 8 };

/* How a tile of an operand is fetched. */
enum way { ASYNC, PACKS_OUTER, PACKS_INNER, SINGLE_OUTER, SINGLE_INNER };

/* a as [outer = m, inner = k], b as [outer = n, inner = k]. */
template <class T> struct operand {
    const T *data;
    int64_t outer, inner; /* strides */
    way how;
};

template <class T> struct product {
    int64_t m, n, k;
    operand<T> a, b;
    const T *bias; /* [n] or NULL */
    T *y;          /* [batches, m, n] */
    T *pre;        /* [m, n] or NULL: the sums before the activation */
    int32_t activation;
    bool packs; /* y may be written GROUP elements at a time */
    int64_t batches;
    int32_t dims;
    int64_t batch[WEFT__BATCH_DIMS], a_batch[WEFT__BATCH_DIMS], b_batch[WEFT__BATCH_DIMS];
};

/* A block's tile: OUTER x OUTER elements of y, DEPTH terms of the sums at a time; a thread has SPAN x SPAN elements, in
 * groups of GROUP. A tile of an operand in shared memory is [DEPTH][OUTER], rows padded to PITCH. */
template <class T, int TILE, int STEP> struct shape {
    using C = weft_compute_t<T>;
    static constexpr int OUTER = TILE, DEPTH = STEP, SPAN = TILE / SIDE, PITCH = TILE + GROUP;
    static constexpr int EACH = OUTER * DEPTH / THREADS; /* elements that a thread fetches */
    static constexpr int MOST = 16 / static_cast<int>(sizeof(T));
    static constexpr int WIDTH = EACH < MOST ? EACH : MOST; /* of a pack */
};

/* ---- Fetching a tile ---- */

/* Elements [first, first + OUTER) x [l, l + DEPTH) of an operand of size x k; what lies outside counts as 0. */
template <class T> struct window {
    const T *data; /* of this batch */
    int64_t outer, inner, size, k, first, l;
};

/* 16-byte pieces straight into the tile. A piece that is not wholly inside is written element by element. */
template <class S, class T> __device__ __forceinline__ void copy_tile(const window<T> &w, T *tile)
{
    constexpr int WIDE = 16 / static_cast<int>(sizeof(T)), LINE = S::OUTER / WIDE;
#pragma unroll
    for (int p = 0; p < LINE * S::DEPTH / THREADS; p++) {
        const int q = static_cast<int>(threadIdx.x) + p * THREADS, l = q / LINE, o = q % LINE * WIDE;
        T *to = tile + l * S::PITCH + o;
        const T *from = w.data + (w.l + l) * w.inner + w.first + o;
        if (w.l + l < w.k && w.first + o + WIDE <= w.size) {
            weft_async_copy16(to, from);
            continue;
        }
#pragma unroll
        for (int j = 0; j < WIDE; j++)
            to[j] = w.l + l < w.k && w.first + o + j < w.size ? from[j] : T(0);
    }
}

/* Where pack p of a thread lies in the tile: W elements along the outer dim or along the inner one. */
template <class S, int W, bool INNER> __device__ __forceinline__ void place(int p, int &o, int &l)
{
    constexpr int LINE = (INNER ? S::DEPTH : S::OUTER) / W;
    const int q = static_cast<int>(threadIdx.x) + p * THREADS;
    o = INNER ? q / LINE : q % LINE * W;
    l = INNER ? q % LINE * W : q / LINE;
}

template <class S, int W, bool INNER, class T>
__device__ __forceinline__ void load_packs(const window<T> &w, typename S::C (&kept)[S::EACH])
{
#pragma unroll
    for (int p = 0; p < S::EACH / W; p++) {
        int o, l;
        place<S, W, INNER>(p, o, l);
        const int64_t at = w.first + o, term = w.l + l;
        const T *from = w.data + at * w.outer + term * w.inner;
        if (at + (INNER ? 1 : W) <= w.size && term + (INNER ? W : 1) <= w.k) {
            const weft_pack<T, W> pack = *reinterpret_cast<const weft_pack<T, W> *>(from);
#pragma unroll
            for (int j = 0; j < W; j++)
                kept[p * W + j] = weft_load(pack.element[j]);
            continue;
        }
#pragma unroll
        for (int j = 0; j < W; j++) {
            const bool inside = INNER ? at < w.size && term + j < w.k : at + j < w.size && term < w.k;
            kept[p * W + j] = inside ? weft_load(from[j * (INNER ? w.inner : w.outer)]) : static_cast<typename S::C>(0);
        }
    }
}

template <class S, int W, bool INNER>
__device__ __forceinline__ void store_packs(const typename S::C (&kept)[S::EACH], typename S::C *tile)
{
#pragma unroll
    for (int p = 0; p < S::EACH / W; p++) {
        int o, l;
        place<S, W, INNER>(p, o, l);
#pragma unroll
        for (int j = 0; j < W; j++)
            tile[INNER ? (l + j) * S::PITCH + o : l * S::PITCH + o + j] = kept[p * W + j];
    }
}

/* Begins to fetch a tile: into shared memory, or into registers, from where put takes it there. */
template <class S, class T>
__device__ __forceinline__ void fetch(way how, const window<T> &w, typename S::C *tile, typename S::C (&kept)[S::EACH])
{
    switch (how) {
    case ASYNC:
        if constexpr (std::is_same_v<T, typename S::C>)
            copy_tile<S>(w, tile);
        break;
    case PACKS_OUTER:
        load_packs<S, S::WIDTH, false>(w, kept);
        break;
    case PACKS_INNER:
        load_packs<S, S::WIDTH, true>(w, kept);
        break;
    case SINGLE_OUTER:
        load_packs<S, 1, false>(w, kept);
        break;
    case SINGLE_INNER:
        load_packs<S, 1, true>(w, kept);
        break;
    }
}

template <class S>
__device__ __forceinline__ void put(way how, const typename S::C (&kept)[S::EACH], typename S::C *tile)
{
    switch (how) {
    case ASYNC:
        break;
    case PACKS_OUTER:
        store_packs<S, S::WIDTH, false>(kept, tile);
        break;
    case PACKS_INNER:
        store_packs<S, S::WIDTH, true>(kept, tile);
        break;
    case SINGLE_OUTER:
        store_packs<S, 1, false>(kept, tile);
        break;
    case SINGLE_INNER:
        store_packs<S, 1, true>(kept, tile);
        break;
    }
}

/* ---- Multiplying tiles ---- */

/* Row or column number r of a thread's square, counted from the tile's first: groups lie OUTER / (SPAN / GROUP) apart,
 * so that the threads of a warp read shared memory side by side. */
template <class S> __device__ __forceinline__ int spread(int thread, int r)
{
    return r / GROUP * (SIDE * GROUP) + thread * GROUP + r % GROUP;
}

template <class S>
__device__ __forceinline__ void read_line(const typename S::C *line, int thread, typename S::C (&x)[S::SPAN])
{
#pragma unroll
    for (int g = 0; g < S::SPAN; g += GROUP) {
        const weft_pack<typename S::C, GROUP> pack =
            *reinterpret_cast<const weft_pack<typename S::C, GROUP> *>(line + spread<S>(thread, g));
#pragma unroll
        for (int j = 0; j < GROUP; j++)
            x[g + j] = pack.element[j];
    }
}

/* sum += a^T b of two tiles in shared memory */
template <class S>
__device__ __forceinline__ void multiply(const typename S::C *a, const typename S::C *b,
                                         typename S::C (&sum)[S::SPAN][S::SPAN])
{
    const int row = static_cast<int>(threadIdx.x) / SIDE, column = static_cast<int>(threadIdx.x) % SIDE;
#pragma unroll
    for (int l = 0; l < S::DEPTH; l++) {
        typename S::C x[S::SPAN], y[S::SPAN];
        read_line<S>(a + l * S::PITCH, row, x);
        read_line<S>(b + l * S::PITCH, column, y);
#pragma unroll
        for (int i = 0; i < S::SPAN; i++)
#pragma unroll
            for (int j = 0; j < S::SPAN; j++)
                sum[i][j] += x[i] * y[j];
    }
}

/* GROUP elements of to [m, n], from (i, j0) on. */
template <class T>
__device__ __forceinline__ void write_group(const product<T> &p, T *to, int64_t i, int64_t j0,
                                            const weft_pack<T, GROUP> &pack)
{
    if (p.packs && j0 + GROUP <= p.n) {
        *reinterpret_cast<weft_pack<T, GROUP> *>(to + i * p.n + j0) = pack;
        return;
    }
#pragma unroll
    for (int j = 0; j < GROUP; j++)
        if (j0 + j < p.n)
            to[i * p.n + j0 + j] = pack.element[j];
}

/* The tile's elements of y [m, n], from (row0, column0) on. */
template <class S, class T>
__device__ __forceinline__ void write_tile(const product<T> &p, T *y, int64_t row0, int64_t column0,
                                           const typename S::C (&sum)[S::SPAN][S::SPAN])
{
    const int row = static_cast<int>(threadIdx.x) / SIDE, column = static_cast<int>(threadIdx.x) % SIDE;
#pragma unroll
    for (int g = 0; g < S::SPAN; g += GROUP) {
        const int64_t j0 = column0 + spread<S>(column, g);
        typename S::C bias[GROUP];
#pragma unroll
        for (int j = 0; j < GROUP; j++)
            bias[j] = p.bias && j0 + j < p.n ? weft_load(p.bias[j0 + j]) : static_cast<typename S::C>(0);
#pragma unroll
        for (int r = 0; r < S::SPAN; r++) {
            const int64_t i = row0 + spread<S>(row, r);
            weft_pack<T, GROUP> pack, pre;
#pragma unroll
            for (int j = 0; j < GROUP; j++) {
                const typename S::C x = sum[r][g + j] + bias[j];
                weft_store(&pre.element[j], x);
                weft_store(&pack.element[j], weft_activate(p.activation, x));
            }
            if (i >= p.m)
                continue;
            write_group(p, y, i, j0, pack);
            if (p.pre)
                write_group(p, p.pre, i, j0, pre);
        }
    }
}

/* ---- The kernel ---- */

/* Which tile of y number t is: bands of BAND rows of tiles, down and then along, so that blocks that run at the
 * same time share what they read. */
__device__ __forceinline__ void find_tile(int64_t t, int64_t down, int64_t along, int64_t &row, int64_t &column)
{
    const int64_t band = t / (BAND * along), first = band * BAND;
    const int64_t height = down - first < BAND ? down - first : BAND, rest = t - first * along;
    row = first + rest % height;
    column = rest / height;
}

template <class T>
__device__ __forceinline__ void find_batch(const product<T> &p, int64_t batch, int64_t &a, int64_t &b)
{
    a = b = 0;
    for (int d = p.dims - 1; d >= 0; d--) {
        const int64_t at = batch % p.batch[d];
        batch /= p.batch[d];
        a += at * p.a_batch[d];
        b += at * p.b_batch[d];
    }
}

/* p.y [batches, m, n] = act(p.pre), p.pre [m, n] or not kept = p.a [batches, m, k] p.b [batches, k, n] + p.bias [n] */
template <class T, int TILE, int STEP>
__global__ void __launch_bounds__(THREADS, TILE > 64 ? 1 : 2) k_matmul(product<T> p)
{
    using S = shape<T, TILE, STEP>;
    using C = typename S::C;
    WEFT_SHARED(C, a_tile, [2][S::DEPTH * S::PITCH]);
    WEFT_SHARED(C, b_tile, [2][S::DEPTH * S::PITCH]);
    const int64_t down = (p.m + TILE - 1) / TILE, along = (p.n + TILE - 1) / TILE, tiles = down * along;
    for (int64_t t = blockIdx.x; t < tiles * p.batches; t += gridDim.x) {
        const int64_t batch = t / tiles;
        int64_t row, column, a_at, b_at;
        find_tile(t % tiles, down, along, row, column);
        find_batch(p, batch, a_at, b_at);
        window<T> a = {p.a.data + a_at, p.a.outer, p.a.inner, p.m, p.k, row * TILE, 0};
        window<T> b = {p.b.data + b_at, p.b.outer, p.b.inner, p.n, p.k, column * TILE, 0};
        C a_kept[S::EACH], b_kept[S::EACH], sum[S::SPAN][S::SPAN] = {};
        fetch<S>(p.a.how, a, a_tile[0], a_kept);
        fetch<S>(p.b.how, b, b_tile[0], b_kept);
        weft_async_commit();
        put<S>(p.a.how, a_kept, a_tile[0]);
        put<S>(p.b.how, b_kept, b_tile[0]);
        weft_async_wait<0>();
        __syncthreads();
        int now = 0;
        for (int64_t l = 0; l < p.k; l += STEP, now ^= 1) {
            const bool more = l + STEP < p.k;
            if (more) {
                a.l = b.l = l + STEP;
                fetch<S>(p.a.how, a, a_tile[now ^ 1], a_kept);
                fetch<S>(p.b.how, b, b_tile[now ^ 1], b_kept);
                weft_async_commit();
            }
            multiply<S>(a_tile[now], b_tile[now], sum);
            if (more) {
                put<S>(p.a.how, a_kept, a_tile[now ^ 1]);
                put<S>(p.b.how, b_kept, b_tile[now ^ 1]);
            }
            weft_async_wait<0>();
            __syncthreads();
        }
        write_tile<S>(p, p.y + batch * p.m * p.n, row * TILE, column * TILE, sum);
    }
}

/* ---- Launching ---- */

/* Every row of a batch's matrix begins at a multiple of unit bytes. */
template <class T>
bool is_aligned(const T *data, int64_t stride, int32_t dims, const int64_t *batch_strides, size_t unit)
{
    int64_t strides = stride;
    for (int d = 0; d < dims; d++)
        strides |= batch_strides[d];
    return reinterpret_cast<uintptr_t>(data) % unit == 0 && static_cast<uint64_t>(strides) * sizeof(T) % unit == 0;
}

/* outer and inner are strides. Where both are 1 one of the dims has a single element: the other is the dense one. */
template <class S, class T>
operand<T> make_operand(const void *data, int64_t size, int64_t outer, int64_t inner, int32_t dims,
                        const int64_t *batch_strides)
{
    const T *from = static_cast<const T *>(data);
    const size_t pack = S::WIDTH * sizeof(T);
    const bool along_inner = inner == 1 && (outer != 1 || size == 1);
    if (along_inner)
        return {from, outer, inner, is_aligned(from, outer, dims, batch_strides, pack) ? PACKS_INNER : SINGLE_INNER};
    if (outer != 1)
        return {from, outer, inner, SINGLE_OUTER};
    if (std::is_same_v<T, typename S::C> && is_aligned(from, inner, dims, batch_strides, 16))
        return {from, outer, inner, ASYNC};
    return {from, outer, inner, is_aligned(from, inner, dims, batch_strides, pack) ? PACKS_OUTER : SINGLE_OUTER};
}

template <class T, int TILE, int STEP> cudaError_t launch(const weft__exec *e, const weft__cuda_product *from)
{
    using S = shape<T, TILE, STEP>;
    product<T> p = {};
    p.m = from->m;
    p.n = from->n;
    p.k = from->k;
    p.a = make_operand<S, T>(from->a, p.m, from->a_row, from->a_column, from->dims, from->a_batch);
    p.b = make_operand<S, T>(from->b, p.n, from->b_column, from->b_row, from->dims, from->b_batch);
    p.bias = static_cast<const T *>(from->bias);
    p.y = static_cast<T *>(from->y);
    p.pre = static_cast<T *>(from->pre);
    p.activation = from->activation;
    p.packs = is_aligned(p.y, p.n, 0, nullptr, sizeof(weft_pack<T, GROUP>)) &&
              is_aligned(p.pre, p.n, 0, nullptr, sizeof(weft_pack<T, GROUP>));
    p.batches = from->batches;
    p.dims = from->dims;
    for (int d = 0; d < p.dims; d++) {
        p.batch[d] = from->batch[d];
        p.a_batch[d] = from->a_batch[d];
        p.b_batch[d] = from->b_batch[d];
    }
    const int64_t tiles = ((p.m + TILE - 1) / TILE) * ((p.n + TILE - 1) / TILE) * p.batches;
    return weft_launch(k_matmul<T, TILE, STEP>, weft__cuda_blocks(e, tiles, 1), THREADS, 0, weft__stream(e), p);
}

/* Large tiles read less, small ones keep more of the GPU busy. */
bool is_large(const weft__exec *e, const weft__cuda_product *p)
{
    const int64_t tiles = ((p->m + 127) / 128) * ((p->n + 127) / 128) * p->batches;
    return p->m > 64 && p->n > 64 && tiles >= weft__cuda_device_of(e)->sm_count;
}

} /* namespace */

extern "C" weft_status weft__cuda_product_tiled(const weft__exec *e, const weft__cuda_product *p)
{
    if (p->m == 0 || p->n == 0 || p->batches == 0)
        return WEFT_OK;
    if ((p->m == 1 || p->n == 1) && !weft__cuda_invariant(e)) /* they add up in another order than tiles */
        return weft__cuda_product_vector(e, p);
    return weft__cuda_status(e, weft_visit_float(p->dtype, cudaErrorInvalidValue, [&](auto name) -> cudaError_t {
                                 using T = typename decltype(name)::type;
                                 if constexpr (!std::is_same_v<T, double>)
                                     if (is_large(e, p))
                                         return launch<T, 128, 16>(e, p);
                                 return launch<T, 64, 16>(e, p);
                             }));
}
