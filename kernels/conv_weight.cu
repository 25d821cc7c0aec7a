/* conv_weight.cu - CONV2D_WEIGHT as a product of the gradient with windows of the image, for each group:
 * dw[k, (channel, tap)] = g[k, (image, point)] x[(image, point), (channel, tap)]. The sums are long and the result is
 * small, so they are made in parts, which a second kernel adds in order. */
#include "conv.h"
#include "conv_product.h"
#include "cuda/kernels.h"

namespace
{

/* x [images][groups c][h][w], g [images][groups k][p][q], dw [groups k][c][r][s].
 * splits > 1: parts [splits][dw's elements] take the sums of one part of the points each. */
template <class T, class Tile_> struct weight_problem {
    using Tile = Tile_;
    using C = typename Tile::C;
    static constexpr bool B_ALONG_N = false;

    weft_conv_layer layer;
    const T *x, *g;
    T *dw;
    C *parts;
    int32_t splits;
    int64_t row_tiles, column_tiles, shares;

    /* One share of the work: a tile of a group and a part of the points. */
    struct Place {
        int32_t group, split, row0;
        int64_t column0, begin, count; /* the points of the part */
        weft_conv_counter jump;        /* K points */

        __device__ __forceinline__ void find(const weight_problem &p, int64_t share)
        {
            const weft_conv_layer &l = p.layer;
            int64_t rest = share / p.row_tiles;
            row0 = static_cast<int32_t>(share - rest * p.row_tiles) * Tile::M;
            column0 = rest % p.column_tiles * Tile::N;
            rest /= p.column_tiles;
            group = static_cast<int32_t>(rest % l.groups);
            split = static_cast<int32_t>(rest / l.groups);
            const int64_t points = l.images * l.axis[0].grid * l.axis[1].grid;
            const int64_t part = (points + p.splits - 1) / p.splits;
            begin = split * part;
            count = points <= begin ? 0 : begin + part < points ? part : points - begin;
            if (count > 0)
                jump.set(Tile::K, l.axis[0].grid, l.axis[1].grid);
        }

        __device__ __forceinline__ bool empty() const
        {
            return false;
        }
    };

    class Work
    {
      public:
        __device__ __forceinline__ Work(const weight_problem &problem, const Place &place) : p(problem), at(place)
        {
            left = at.count - Tile::fast_k();
            if (at.count > 0)
                start();
        }

        __device__ __forceinline__ void load(C (&a)[Tile::LOAD_A], C (&b)[Tile::LOAD_B])
        {
            const weft_conv_layer &l = p.layer;
            const weft_conv_axis &down = l.axis[0], &across = l.axis[1];
            const int64_t grid = static_cast<int64_t>(down.grid) * across.grid;
            const int64_t plane = static_cast<int64_t>(down.image) * across.image;
            const T *from =
                g_rows + point.a * (grid * l.groups * l.k) + static_cast<int64_t>(point.b) * across.grid + point.c;
#pragma unroll
            for (int i = 0; i < Tile::LOAD_A; i++) {
                a[i] = 0;
                if (left > 0 && at.row0 + Tile::fast_row(i) < l.k)
                    a[i] = weft_load(from[(Tile::fast_row(i) - Tile::fast_row(0)) * grid]);
            }
            const int32_t row0_of_window = point.b * down.stride - down.padding;
            const int32_t column0_of_window = point.c * across.stride - across.padding;
            const T *image = p.x + (static_cast<int64_t>(point.a) * l.groups + at.group) * l.c * plane;
#pragma unroll
            for (int i = 0; i < Tile::LOAD_B; i++) {
                const int32_t row = row0_of_window + tap_row[i], column = column0_of_window + tap_column[i];
                b[i] = 0;
                if (left > 0 && weft_conv_inside(row, down.image) && weft_conv_inside(column, across.image))
                    b[i] = weft_load(image[channel[i] * plane + static_cast<int64_t>(row) * across.image + column]);
            }
            point.advance(at.jump, down.grid, across.grid);
            left -= Tile::K;
        }

        __device__ __forceinline__ void write(const C (&sums)[Tile::TM][Tile::TN]) const
        {
            const weft_conv_layer &l = p.layer;
            const int64_t columns = static_cast<int64_t>(l.c) * l.axis[0].taps * l.axis[1].taps;
            const int64_t first = static_cast<int64_t>(at.group) * l.k * columns;
#pragma unroll
            for (int i = 0; i < Tile::TM; i++) {
                const int32_t row = at.row0 + Tile::row_of(i);
#pragma unroll
                for (int j = 0; j < Tile::TN; j++) {
                    const int64_t column = at.column0 + Tile::column_of(j), to = first + row * columns + column;
                    if (row >= l.k || column >= columns)
                        continue;
                    if (p.splits > 1)
                        p.parts[at.split * (l.groups * l.k * columns) + to] = sums[i][j];
                    else
                        weft_store(&p.dw[to], sums[i][j]);
                }
            }
        }

      private:
        /* This thread loads one point of several rows and columns. */
        __device__ __forceinline__ void start()
        {
            const weft_conv_layer &l = p.layer;
            const weft_conv_axis &down = l.axis[0], &across = l.axis[1];
            const int64_t grid = static_cast<int64_t>(down.grid) * across.grid;
            g_rows = p.g + (static_cast<int64_t>(at.group) * l.k + at.row0 + Tile::fast_row(0)) * grid;
            point.set(at.begin + Tile::fast_k(), down.grid, across.grid);
#pragma unroll
            for (int i = 0; i < Tile::LOAD_B; i++) {
                const int64_t column = at.column0 + Tile::fast_row(i);
                const bool there = column < static_cast<int64_t>(l.c) * down.taps * across.taps;
                weft_conv_counter tap = {};
                if (there)
                    tap.set(column, down.taps, across.taps);
                channel[i] = tap.a;
                tap_row[i] = there ? tap.b * down.dilation : WEFT_CONV_NOWHERE;
                tap_column[i] = tap.c * across.dilation;
            }
        }

        const weight_problem &p;
        const Place &at;
        int64_t left;
        const T *g_rows;
        weft_conv_counter point; /* image, point down, point across */
        int32_t channel[Tile::LOAD_B], tap_row[Tile::LOAD_B], tap_column[Tile::LOAD_B];
    };
};

template <class T, class Tile> weft_status run_tiles(const weft__exec *e, const weft_conv_layer &l)
{
    using C = typename Tile::C;
    const weft__array *dw = e->out[0];
    weight_problem<T, Tile> p = {};
    p.layer = l;
    p.x = static_cast<const T *>(e->in[0]->data);
    p.g = static_cast<const T *>(e->in[1]->data);
    p.dw = static_cast<T *>(dw->data);
    p.row_tiles = weft_conv_tiles(l.k, Tile::M);
    p.column_tiles = weft_conv_tiles(dw->count / dw->shape[0], Tile::N);
    const int64_t blocks = p.row_tiles * p.column_tiles * l.groups;
    p.splits = weft_conv_splits(e, blocks, l.images * l.axis[0].grid * l.axis[1].grid, dw->count, sizeof(C));
    p.shares = blocks * p.splits;
    if (p.splits > 1) {
        p.parts = static_cast<C *>(weft__scratch(e, p.splits * dw->count, sizeof(C)));
        if (!p.parts)
            return WEFT_E_NOMEM;
    }
    cudaError_t error = weft_launch(k_convolve<weight_problem<T, Tile>>, weft__cuda_blocks(e, p.shares, 1),
                                    WEFT_CONV_THREADS, 0, weft__stream(e), p);
    if (error == cudaSuccess && p.splits > 1)
        error = weft_conv_add_parts(e, dw, nullptr, p.parts, p.splits, 1, 1);
    return weft__cuda_status(e, error);
}

} /* namespace */

extern "C" weft_status weft__cuda_conv2d_weight_tiled(const weft__exec *e)
{
    const weft__array *dw = e->out[0];
    weft_conv_layer l;
    if (dw->count == 0)
        return WEFT_OK;
    if (!weft_conv_describe_weight(e, &l))
        return weft_conv_too_large(e);
    if (weft_conv_is_depthwise(l))
        return weft_conv_depthwise_weight(e, l);
    return weft_visit_float(dw->dtype, WEFT_E_INTERNAL, [&](auto name) {
        using T = typename decltype(name)::type;
        /* Parts of the sums keep the device busy, whatever the tile. */
        return weft_conv_choose_tile<weft_compute_t<T>, false>(
            l.k, dw->count / dw->shape[0], 1, l.groups, [&](auto tile) { return run_tiles<T, decltype(tile)>(e, l); });
    });
}
