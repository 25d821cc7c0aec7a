/* conv.cu - CONV2D and CONV2D_TRANSPOSE as products of the weights with windows that are gathered from the image as
 * they are loaded:   y[k, (image, point)] = w[k, (channel, tap)] x[(channel, tap), (image, point)]   for each group and
 * phase. */
#include "conv.h"
#include "conv_product.h"
#include "cuda/kernels.h"

namespace
{

/* x [images][groups c][h][w]; w as layer.w_in and w_out tell; bias [groups k] or NULL; y [images][groups k][p][q].
 * splits > 1: parts [splits][y's elements] take the sums of one part of the terms each, without the bias. */
template <class T, class Tile_> struct layer_problem {
    using Tile = Tile_;
    using C = typename Tile::C;
    static constexpr bool B_ALONG_N = true;

    weft_conv_layer layer;
    const T *x, *w, *bias;
    T *y;
    C *parts;
    int32_t splits;
    bool wide; /* V elements of y at a time, all of one image, at aligned places */
    int64_t row_tiles, column_tiles, shares;

    /* One share of the work: a tile of a phase, a group and a part of the terms. */
    struct Place {
        weft_conv_phase down, across;
        int32_t group, split, row0;
        int32_t begin, count; /* the terms of the part */
        int64_t column0, columns;
        weft_conv_counter jump; /* K terms */

        __device__ __forceinline__ void find(const layer_problem &p, int64_t share)
        {
            const weft_conv_layer &l = p.layer;
            int64_t rest = share / p.row_tiles;
            row0 = static_cast<int32_t>(share - rest * p.row_tiles) * Tile::M;
            column0 = rest % p.column_tiles * Tile::N;
            rest /= p.column_tiles;
            down = weft_conv_phase_of(l.axis[0], static_cast<int32_t>(rest % l.axis[0].phases), l.transposed);
            rest /= l.axis[0].phases;
            across = weft_conv_phase_of(l.axis[1], static_cast<int32_t>(rest % l.axis[1].phases), l.transposed);
            rest /= l.axis[1].phases;
            group = static_cast<int32_t>(rest % l.groups);
            split = static_cast<int32_t>(rest / l.groups);
            columns = l.images * down.points * across.points;
            const int32_t terms = l.c * down.taps * across.taps, part = (terms + p.splits - 1) / p.splits;
            begin = split * part;
            count = terms <= begin ? 0 : begin + part < terms ? part : terms - begin;
            if (count > 0)
                jump.set(Tile::K, down.taps, across.taps);
        }

        __device__ __forceinline__ bool empty() const
        {
            return column0 >= columns;
        }
    };

    class Work
    {
      public:
        __device__ __forceinline__ Work(const layer_problem &problem, const Place &place) : p(problem), at(place)
        {
            left = at.count;
            if (left == 0)
                return;
            start_windows();
            start_weights();
        }

        __device__ __forceinline__ void load(C (&a)[Tile::LOAD_A], C (&b)[Tile::LOAD_B])
        {
#pragma unroll
            for (int i = 0; i < Tile::LOAD_A; i++) {
                a[i] = 0;
                if (Tile::fast_k() < left && at.row0 + Tile::fast_row(i) < p.layer.k)
                    a[i] = weft_load(w_rows[w_term.a * p.layer.w_in +
                                            static_cast<int64_t>(w_term.b * at.down.tap_every) * p.layer.axis[1].taps +
                                            w_term.c * at.across.tap_every +
                                            (Tile::fast_row(i) - Tile::fast_row(0)) * p.layer.w_out]);
            }
            w_term.advance(at.jump, at.down.taps, at.across.taps);
            const int32_t height = p.layer.axis[0].image, width = p.layer.axis[1].image;
            const int64_t plane = static_cast<int64_t>(height) * width;
            weft_conv_counter term = x_term;
#pragma unroll
            for (int i = 0; i < Tile::LOAD_B; i++) {
                const int32_t row = x_row + term.b * at.down.tap_step, column = x_column + term.c * at.across.tap_step;
                b[i] = 0;
                if (Tile::slow_k() + i < left && weft_conv_inside(row, height) && weft_conv_inside(column, width))
                    b[i] = weft_load(x_image[term.a * plane + static_cast<int64_t>(row) * width + column]);
                term.advance({0, 0, 1}, at.down.taps, at.across.taps);
            }
            x_term.advance(at.jump, at.down.taps, at.across.taps);
            left -= Tile::K;
        }

        __device__ __forceinline__ void write(const C (&sums)[Tile::TM][Tile::TN]) const
        {
#pragma unroll
            for (int j = 0; j < Tile::TN; j += Tile::V)
                write_columns(sums, j);
        }

      private:
        /* This thread loads windows of one grid point. */
        __device__ __forceinline__ void start_windows()
        {
            const weft_conv_layer &l = p.layer;
            const int64_t column = at.column0 + Tile::slow_column();
            const bool there = column < at.columns;
            weft_conv_counter point = {};
            if (there)
                point.set(column, at.down.points, at.across.points);
            x_row = there ? point.b * at.down.step + at.down.base : WEFT_CONV_NOWHERE;
            x_column = point.c * at.across.step + at.across.base;
            const int64_t plane = static_cast<int64_t>(l.axis[0].image) * l.axis[1].image;
            x_image = p.x + (static_cast<int64_t>(point.a) * l.groups + at.group) * l.c * plane;
            x_term.set(at.begin + Tile::slow_k(), at.down.taps, at.across.taps);
        }

        /* And weights of one term. */
        __device__ __forceinline__ void start_weights()
        {
            const weft_conv_layer &l = p.layer;
            const int64_t all_taps = static_cast<int64_t>(l.axis[0].taps) * l.axis[1].taps;
            w_rows = p.w + at.group * (static_cast<int64_t>(l.c) * l.k * all_taps) +
                     (at.row0 + Tile::fast_row(0)) * l.w_out +
                     static_cast<int64_t>(at.down.tap_first) * l.axis[1].taps + at.across.tap_first;
            w_term.set(at.begin + Tile::fast_k(), at.down.taps, at.across.taps);
        }

        /* Columns j to j + V of the thread's sums. */
        __device__ __forceinline__ void write_columns(const C (&sums)[Tile::TM][Tile::TN], int j) const
        {
            const weft_conv_layer &l = p.layer;
            const int64_t column = at.column0 + Tile::column_of(j);
            if (column >= at.columns)
                return;
            const int32_t width = l.axis[1].grid;
            const int64_t plane = static_cast<int64_t>(l.axis[0].grid) * width;
            weft_conv_counter point;
            point.set(column, at.down.points, at.across.points);
            int64_t to[Tile::V];
#pragma unroll
            for (int v = 0; v < Tile::V; v++) {
                to[v] = (static_cast<int64_t>(point.a) * l.groups + at.group) * l.k * plane +
                        (at.down.first + static_cast<int64_t>(point.b) * at.down.every) * width + at.across.first +
                        static_cast<int64_t>(point.c) * at.across.every;
                point.advance({0, 0, 1}, at.down.points, at.across.points);
            }
            const int64_t left = at.columns - column;
#pragma unroll
            for (int i = 0; i < Tile::TM; i++) {
                const int32_t row = at.row0 + Tile::row_of(i);
                if (row >= l.k)
                    continue;
                C values[Tile::V];
#pragma unroll
                for (int v = 0; v < Tile::V; v++)
                    values[v] = sums[i][j + v];
                if (p.splits > 1)
                    put(p.parts + at.split * (l.images * l.groups * l.k * plane) + row * plane, to, left, values);
                else
                    put_with_bias(row, plane, to, left, values);
            }
        }

        __device__ __forceinline__ void put_with_bias(int32_t row, int64_t plane, const int64_t (&to)[Tile::V],
                                                      int64_t left, C (&values)[Tile::V]) const
        {
            if (p.bias) {
                const C bias = weft_load(p.bias[static_cast<int64_t>(at.group) * p.layer.k + row]);
#pragma unroll
                for (int v = 0; v < Tile::V; v++)
                    values[v] += bias;
            }
            put(p.y + row * plane, to, left, values);
        }

        template <class Y>
        __device__ __forceinline__ void put(Y *y, const int64_t (&to)[Tile::V], int64_t left,
                                            const C (&values)[Tile::V]) const
        {
            weft_pack<Y, Tile::V> pack;
#pragma unroll
            for (int v = 0; v < Tile::V; v++)
                weft_store(&pack.element[v], values[v]);
            if (p.wide) {
                *reinterpret_cast<weft_pack<Y, Tile::V> *>(y + to[0]) = pack;
                return;
            }
#pragma unroll
            for (int v = 0; v < Tile::V; v++)
                if (v < left)
                    y[to[v]] = pack.element[v];
        }

        const layer_problem &p;
        const Place &at;
        const T *x_image, *w_rows;
        int32_t x_row, x_column, left;
        weft_conv_counter x_term, w_term; /* channel, tap down, tap across */
    };
};

template <class T, class Tile> weft_status run_tiles(const weft__exec *e, const weft_conv_layer &l, int64_t columns)
{
    using C = typename Tile::C;
    const weft__array *bias = e->in[2], *y = e->out[0];
    const int64_t plane = static_cast<int64_t>(l.axis[0].grid) * l.axis[1].grid;
    layer_problem<T, Tile> p = {};
    p.layer = l;
    p.x = static_cast<const T *>(e->in[0]->data);
    p.w = static_cast<const T *>(e->in[1]->data);
    p.bias = bias ? static_cast<const T *>(bias->data) : nullptr;
    p.y = static_cast<T *>(y->data);
    p.row_tiles = weft_conv_tiles(l.k, Tile::M);
    p.column_tiles = weft_conv_tiles(columns, Tile::N);
    const int64_t phases = static_cast<int64_t>(l.axis[0].phases) * l.axis[1].phases;
    const int64_t blocks = p.row_tiles * p.column_tiles * phases * l.groups;
    const int64_t terms = static_cast<int64_t>(l.c) * l.axis[0].taps * l.axis[1].taps / phases;
    p.splits = weft_conv_splits(e, blocks, terms, y->count, sizeof(C));
    p.wide = phases == 1 && plane % Tile::V == 0 && reinterpret_cast<uintptr_t>(y->data) % (sizeof(T) * Tile::V) == 0;
    p.shares = blocks * p.splits;
    if (p.splits > 1) {
        p.parts = static_cast<C *>(weft__scratch(e, p.splits * y->count, sizeof(C)));
        if (!p.parts)
            return WEFT_E_NOMEM;
    }
    cudaError_t error = weft_launch(k_convolve<layer_problem<T, Tile>>, weft__cuda_blocks(e, p.shares, 1),
                                    WEFT_CONV_THREADS, 0, weft__stream(e), p);
    if (error == cudaSuccess && p.splits > 1)
        error = weft_conv_add_parts(e, y, bias, p.parts, p.splits, plane, l.groups * l.k);
    return weft__cuda_status(e, error);
}

/* The most grid points that a phase of the axis has. */
int64_t most_points(const weft_conv_axis &a)
{
    return (a.grid - 1) / a.phases + 1;
}

weft_status run(const weft__exec *e, bool transposed)
{
    weft_conv_layer l;
    if (e->out[0]->count == 0)
        return WEFT_OK;
    if (!weft_conv_describe(e, transposed, &l))
        return weft_conv_too_large(e);
    if (weft_conv_is_depthwise(l))
        return weft_conv_depthwise(e, l);
    const int64_t columns = l.images * most_points(l.axis[0]) * most_points(l.axis[1]);
    const int64_t batch = static_cast<int64_t>(l.groups) * l.axis[0].phases * l.axis[1].phases;
    return weft_visit_float(e->out[0]->dtype, WEFT_E_INTERNAL, [&](auto name) {
        using T = typename decltype(name)::type;
        return weft_conv_choose_tile<weft_compute_t<T>, true>(
            l.k, columns, weft__cuda_device_of(e)->sm_count, batch,
            [&](auto tile) { return run_tiles<T, decltype(tile)>(e, l, columns); });
    });
}

} /* namespace */

extern "C" weft_status weft__cuda_conv2d_tiled(const weft__exec *e)
{
    return run(e, false);
}

extern "C" weft_status weft__cuda_conv2d_transpose_tiled(const weft__exec *e)
{
    return run(e, true);
}
