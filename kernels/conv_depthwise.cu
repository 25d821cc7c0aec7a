/* conv_depthwise.cu - convolutions with few channels on both sides of a group, where a matrix product would be mostly
 * padding: every output is summed where it is needed. */
#include "conv.h"
#include "space.h"

namespace
{

enum { THREADS = 256, STRIP = 4, TAPS_AT_ONCE = 9, FEW = 4 };

/* ---- Forward and transposed ---- */

/* x, w, bias and y as in conv.cu */
template <class T> struct direct_problem {
    weft_conv_layer layer;
    const T *x, *w, *bias;
    T *y;
    int32_t rows, strips; /* of the largest phase */
    int64_t items;        /* strips of all phases, images and channels */
    bool wide;            /* strips of y are aligned */
};

/* The same taps from the last to the first. */
__device__ __forceinline__ void turn(weft_conv_phase &p)
{
    p.tap_first += (p.taps - 1) * p.tap_every;
    p.base += (p.taps - 1) * p.tap_step;
    p.tap_every = -p.tap_every;
    p.tap_step = -p.tap_step;
}

/* sums += one row of taps over STRIP points from column on. */
template <class T, class C>
__device__ __forceinline__ void add_row(C (&sums)[STRIP], const T *row, const T *w, int32_t column, int32_t width,
                                        const weft_conv_phase &across)
{
    for (int32_t tap = 0; tap < across.taps; tap++) {
        const C weight = weft_load(w[tap * across.tap_every]);
#pragma unroll
        for (int k = 0; k < STRIP; k++) {
            const int32_t at = column + k * across.step + tap * across.tap_step;
            if (weft_conv_inside(at, width))
                sums[k] += weight * weft_load(row[at]);
        }
    }
}

/* The same with TAPS taps next to each other and a known step: every element of the row is loaded once. */
template <int TAPS, int STEP, class T, class C>
__device__ __forceinline__ void add_dense_row(C (&sums)[STRIP], const T *row, const T *w, int32_t column, int32_t width,
                                              int32_t tap_every)
{
    constexpr int SPAN = (STRIP - 1) * STEP + TAPS;
    C x[SPAN];
#pragma unroll
    for (int k = 0; k < SPAN; k++)
        x[k] = weft_conv_inside(column + k, width) ? static_cast<C>(weft_load(row[column + k])) : C(0);
#pragma unroll
    for (int tap = 0; tap < TAPS; tap++) {
        const C weight = weft_load(w[tap * tap_every]);
#pragma unroll
        for (int k = 0; k < STRIP; k++)
            sums[k] += weight * x[k * STEP + tap];
    }
}

/* TAPS > 0: every phase has TAPS taps across, with step STEP and tap_step 1 or -1. I holds the number of items. */
template <class T, class I, int TAPS, int STEP> __global__ void __launch_bounds__(THREADS) k_direct(direct_problem<T> p)
{
    using C = weft_compute_t<T>;
    const weft_conv_layer &l = p.layer;
    const I items = static_cast<I>(p.items), step = static_cast<I>(gridDim.x) * THREADS;
    for (I item = static_cast<I>(blockIdx.x) * THREADS + threadIdx.x; item < items; item += step) {
        I rest = item / static_cast<I>(p.strips);
        const int32_t strip = static_cast<int32_t>(item - rest * static_cast<I>(p.strips)) * STRIP;
        I next = rest / static_cast<I>(p.rows);
        const int32_t row = static_cast<int32_t>(rest - next * static_cast<I>(p.rows));
        const int32_t channels = l.groups * l.k;
        rest = next / static_cast<I>(channels);
        const int32_t channel = static_cast<int32_t>(next - rest * static_cast<I>(channels));
        next = rest / static_cast<I>(l.images);
        const int64_t image = static_cast<int64_t>(rest - next * static_cast<I>(l.images));
        const int32_t phase = static_cast<int32_t>(next);
        const weft_conv_phase down = weft_conv_phase_of(l.axis[0], phase % l.axis[0].phases, l.transposed);
        weft_conv_phase across = weft_conv_phase_of(l.axis[1], phase / l.axis[0].phases, l.transposed);
        if (row >= down.points || strip >= across.points)
            continue;
        if (TAPS > 0 && across.tap_step < 0)
            turn(across);

        const int32_t group = channel / l.k, height = l.axis[0].image, width = l.axis[1].image;
        const T *w = p.w + static_cast<int64_t>(group) * l.c * l.k * l.axis[0].taps * l.axis[1].taps +
                     (channel - group * l.k) * l.w_out + across.tap_first;
        C sums[STRIP];
        const C bias = p.bias ? static_cast<C>(weft_load(p.bias[channel])) : C(0);
#pragma unroll
        for (int k = 0; k < STRIP; k++)
            sums[k] = bias;
        const int32_t column = strip * across.step + across.base;
        for (int32_t c = 0; c < l.c; c++) {
            const T *plane = p.x + ((image * l.groups + group) * l.c + c) * (static_cast<int64_t>(height) * width);
            for (int32_t tap = 0; tap < down.taps; tap++) {
                const int32_t at = row * down.step + down.base + tap * down.tap_step;
                if (!weft_conv_inside(at, height))
                    continue;
                const T *x_row = plane + static_cast<int64_t>(at) * width;
                const T *w_row =
                    w + c * l.w_in + static_cast<int64_t>(down.tap_first + tap * down.tap_every) * l.axis[1].taps;
                if constexpr (TAPS > 0)
                    add_dense_row<TAPS, STEP>(sums, x_row, w_row, column, width, across.tap_every);
                else
                    add_row(sums, x_row, w_row, column, width, across);
            }
        }

        const int32_t grid_width = l.axis[1].grid;
        T *y = p.y +
               ((image * channels + channel) * l.axis[0].grid + down.first + static_cast<int64_t>(row) * down.every) *
                   grid_width;
        weft_pack<T, STRIP> pack;
#pragma unroll
        for (int k = 0; k < STRIP; k++)
            weft_store(&pack.element[k], sums[k]);
        if (p.wide && sizeof pack <= 16) {
            *reinterpret_cast<weft_pack<T, STRIP> *>(y + strip) = pack;
            continue;
        }
#pragma unroll
        for (int k = 0; k < STRIP; k++)
            if (strip + k < across.points)
                y[across.first + static_cast<int64_t>(strip + k) * across.every] = pack.element[k];
    }
}

template <class T, class I, int TAPS, int STEP> cudaError_t launch_direct(const weft__exec *e, direct_problem<T> &p)
{
    return weft_launch(k_direct<T, I, TAPS, STEP>, weft__cuda_blocks(e, p.items, THREADS), THREADS, 0, weft__stream(e),
                       p);
}

/* Taps across that lie side by side in every phase. */
int dense_taps(const weft_conv_layer &l)
{
    const weft_conv_axis &a = l.axis[1];
    return a.dilation == 1 && a.phases == 1 && a.stride <= 2 ? a.taps : 0;
}

template <class T> cudaError_t choose_direct(const weft__exec *e, direct_problem<T> &p)
{
    const int taps = dense_taps(p.layer), stride = p.layer.axis[1].stride;
    if constexpr (!std::is_same_v<T, double>) {
        if (weft_fits_32_bits(p.items)) {
            if (taps == 3)
                return stride == 1 ? launch_direct<T, uint32_t, 3, 1>(e, p) : launch_direct<T, uint32_t, 3, 2>(e, p);
            if (taps == 5)
                return stride == 1 ? launch_direct<T, uint32_t, 5, 1>(e, p) : launch_direct<T, uint32_t, 5, 2>(e, p);
            return launch_direct<T, uint32_t, 0, 0>(e, p);
        }
    }
    return launch_direct<T, int64_t, 0, 0>(e, p);
}

int32_t most_points(const weft_conv_axis &a)
{
    return (a.grid - 1) / a.phases + 1;
}

/* ---- Weight gradient ---- */

/* x, g and dw as in conv_weight.cu; parts [splits][dw's elements] */
template <class T> struct direct_weight_problem {
    weft_conv_layer layer;
    const T *x, *g;
    T *dw;
    weft_compute_t<T> *parts;
    int32_t splits, chunks; /* chunks of TAPS_AT_ONCE taps */
    int64_t pairs, shares;  /* pairs of a channel of g and one of x */
};

/* The sum over all threads of the block, in thread 0; shared memory holds one value a warp. */
template <class C> __device__ __forceinline__ C warp_sum(C value)
{
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2)
        value += __shfl_down_sync(0xffffffffu, value, distance);
    return value;
}

/* A block sums, over one part of the points, the products of a pair's gradient with the windows of some taps. */
template <class T> __global__ void __launch_bounds__(THREADS) k_direct_weight(direct_weight_problem<T> p)
{
    using C = weft_compute_t<T>;
    WEFT_SHARED(C, warps, [TAPS_AT_ONCE][THREADS / 32]);
    const weft_conv_layer &l = p.layer;
    const weft_conv_axis &down = l.axis[0], &across = l.axis[1];
    const int64_t plane = static_cast<int64_t>(down.image) * across.image;
    const int64_t grid = static_cast<int64_t>(down.grid) * across.grid, points = l.images * grid;
    const int64_t taps = static_cast<int64_t>(down.taps) * across.taps;
    const int64_t part = (points + p.splits - 1) / p.splits;
    for (int64_t share = blockIdx.x; share < p.shares; share += gridDim.x) {
        const int64_t pair = share / p.chunks % p.pairs, split = share / p.chunks / p.pairs;
        const int64_t first_tap = share % p.chunks * TAPS_AT_ONCE;
        const int32_t channel = static_cast<int32_t>(pair / l.c);
        const int32_t from = channel / l.k * l.c + static_cast<int32_t>(pair % l.c);
        int32_t tap_row[TAPS_AT_ONCE], tap_column[TAPS_AT_ONCE];
        C sums[TAPS_AT_ONCE];
#pragma unroll
        for (int k = 0; k < TAPS_AT_ONCE; k++) {
            const int64_t tap = first_tap + k, row = tap / across.taps;
            tap_row[k] = tap < taps ? static_cast<int32_t>(row) * down.dilation : WEFT_CONV_NOWHERE;
            tap_column[k] = static_cast<int32_t>(tap - row * across.taps) * across.dilation;
            sums[k] = 0;
        }
        const int64_t end = (split + 1) * part < points ? (split + 1) * part : points;
        weft_conv_counter at, jump;
        at.set(split * part + threadIdx.x, down.grid, across.grid);
        jump.set(THREADS, down.grid, across.grid);
        for (int64_t point = split * part + threadIdx.x; point < end; point += THREADS) {
            const C gradient = weft_load(p.g[(static_cast<int64_t>(at.a) * l.groups * l.k + channel) * grid +
                                             static_cast<int64_t>(at.b) * across.grid + at.c]);
            const T *image = p.x + (static_cast<int64_t>(at.a) * l.groups * l.c + from) * plane;
            const int32_t row0 = at.b * down.stride - down.padding, column0 = at.c * across.stride - across.padding;
#pragma unroll
            for (int k = 0; k < TAPS_AT_ONCE; k++) {
                const int32_t row = row0 + tap_row[k], column = column0 + tap_column[k];
                if (weft_conv_inside(row, down.image) && weft_conv_inside(column, across.image))
                    sums[k] +=
                        gradient * static_cast<C>(weft_load(image[static_cast<int64_t>(row) * across.image + column]));
            }
            at.advance(jump, down.grid, across.grid);
        }
#pragma unroll
        for (int k = 0; k < TAPS_AT_ONCE; k++) {
            const C sum = warp_sum(sums[k]);
            if (threadIdx.x % 32 == 0)
                warps[k][threadIdx.x / 32] = sum;
        }
        __syncthreads();
        if (threadIdx.x < TAPS_AT_ONCE && first_tap + threadIdx.x < taps) {
            C sum = 0;
#pragma unroll
            for (int k = 0; k < THREADS / 32; k++)
                sum += warps[threadIdx.x][k];
            const int64_t to = pair * taps + first_tap + threadIdx.x;
            if (p.splits > 1)
                p.parts[split * (p.pairs * taps) + to] = sum;
            else
                weft_store(&p.dw[to], sum);
        }
        __syncthreads();
    }
}

template <class T> weft_status run_weight(const weft__exec *e, const weft_conv_layer &l)
{
    const weft__array *dw = e->out[0];
    using C = weft_compute_t<T>;
    direct_weight_problem<T> p = {};
    p.layer = l;
    p.x = static_cast<const T *>(e->in[0]->data);
    p.g = static_cast<const T *>(e->in[1]->data);
    p.dw = static_cast<T *>(dw->data);
    const int64_t taps = static_cast<int64_t>(l.axis[0].taps) * l.axis[1].taps;
    p.chunks = static_cast<int32_t>((taps + TAPS_AT_ONCE - 1) / TAPS_AT_ONCE);
    p.pairs = static_cast<int64_t>(l.groups) * l.k * l.c;
    const int64_t points = l.images * l.axis[0].grid * l.axis[1].grid;
    p.splits = weft_conv_splits(e, p.pairs * p.chunks, points, dw->count, sizeof(C));
    p.shares = p.pairs * p.chunks * p.splits;
    if (p.splits > 1) {
        p.parts = static_cast<C *>(weft__scratch(e, p.splits * dw->count, sizeof(C)));
        if (!p.parts)
            return WEFT_E_NOMEM;
    }
    cudaError_t error =
        weft_launch(k_direct_weight<T>, weft__cuda_blocks(e, p.shares, 1), THREADS, 0, weft__stream(e), p);
    if (error == cudaSuccess && p.splits > 1)
        error = weft_conv_add_parts(e, dw, nullptr, p.parts, p.splits, 1, 1);
    return weft__cuda_status(e, error);
}

} /* namespace */

bool weft_conv_is_depthwise(const weft_conv_layer &l)
{
    return (l.c == 1 && l.k <= FEW) || (l.k == 1 && l.c <= FEW);
}

weft_status weft_conv_depthwise(const weft__exec *e, const weft_conv_layer &l)
{
    const weft__array *bias = e->in[2], *y = e->out[0];
    return weft_visit_float(y->dtype, WEFT_E_INTERNAL, [&](auto name) {
        using T = typename decltype(name)::type;
        direct_problem<T> p = {};
        p.layer = l;
        p.x = static_cast<const T *>(e->in[0]->data);
        p.w = static_cast<const T *>(e->in[1]->data);
        p.bias = bias ? static_cast<const T *>(bias->data) : nullptr;
        p.y = static_cast<T *>(y->data);
        p.rows = most_points(l.axis[0]);
        p.strips = (most_points(l.axis[1]) + STRIP - 1) / STRIP;
        p.items =
            static_cast<int64_t>(p.rows) * p.strips * l.images * l.groups * l.k * l.axis[0].phases * l.axis[1].phases;
        p.wide = l.axis[1].phases == 1 && l.axis[1].grid % STRIP == 0 &&
                 reinterpret_cast<uintptr_t>(y->data) % (sizeof(T) * STRIP) == 0;
        return weft__cuda_status(e, choose_direct(e, p));
    });
}

weft_status weft_conv_depthwise_weight(const weft__exec *e, const weft_conv_layer &l)
{
    return weft_visit_float(e->out[0]->dtype, WEFT_E_INTERNAL,
                            [&](auto name) { return run_weight<typename decltype(name)::type>(e, l); });
}
