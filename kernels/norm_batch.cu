/* norm_batch.cu - batch normalisation per channel by the batch's own statistics, and its first-order gradient.
 *
 *   x [N, C, S] (S: all further dims), n = N S elements a channel
 *   mean, var (biased), rstd = 1 / sqrt(var + eps) [C];  y = (x - mean) rstd w + b
 *   dx = w rstd (g - mean(g) - xhat mean(g xhat)),  dw = sum of g xhat,  db = sum of g      (Ioffe & Szegedy 2015)
 *
 * Three kernels each way: statistics of pieces of the channels, where a plane [S] is long along planes, else down the
 * columns of the matrix [N, C S]; what follows for each channel, in f64; and the map over all elements. */
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "rows.h"
#include "space.h"

namespace
{

enum { THREADS = 256, LONG_PLANE = 32, COLUMNS = 32, SHARES = 8, UNROLL = 4 };

struct extents {
    int64_t n, c, s;
    int64_t pieces;  /* that each channel's elements are cut into */
    int64_t columns; /* statistics of a piece: C, or C S where planes are short */
};

/* The map's numbers of one channel: y = scale g + slope (x - center) + offset; forward there is no g. */
template <class C> struct alignas(16) line {
    C center, slope, offset, scale;
};

/* ---- Statistics of pieces ---- */

/* Forward: count, mean and spread of x. */
template <class T> struct spread_of {
    using type = T;
    using C = weft_compute_t<T>;
    using stat = weft_moments<C>;
    const T *x;

    __device__ __forceinline__ stat start() const
    {
        return {0, 0, 0};
    }

    /* elements at + k step, k < N, of channel c */
    template <int N> __device__ __forceinline__ void add(stat &s, int64_t at, int64_t step, int64_t) const
    {
        C v[N];
        weft_get_spaced(v, x + at, step);
        s.add(v);
    }
};

/* Backward: sums of g and of g (x - mean). */
template <class T> struct product_of {
    using type = T;
    using C = weft_compute_t<T>;
    using stat = weft_sums<C>;
    const T *x, *g;
    const C *mean; /* [C] */

    __device__ __forceinline__ stat start() const
    {
        return {0, 0};
    }

    template <int N> __device__ __forceinline__ void add(stat &s, int64_t at, int64_t step, int64_t c) const
    {
        const C center = mean[c];
        C v[N], w[N], sum = 0, product = 0;
        weft_get_spaced(v, x + at, step);
        weft_get_spaced(w, g + at, step);
#pragma unroll
        for (int k = 0; k < N; k++) {
            sum += w[k];
            product += w[k] * (v[k] - center);
        }
        s.first += sum;
        s.second += product;
    }
};

/* Item: a piece of a channel's N planes, which are gone through in units of a pack, or of one element where planes
 * are not made of packs.
 * x, g [N, C, S], out [pieces, C] */
template <int WIDTH, class What>
__global__ void __launch_bounds__(THREADS) k_sum_planes(What what, extents t, typename What::stat *out)
{
    const int64_t units = t.s / WIDTH, all = t.n * units, piece = (all + t.pieces - 1) / t.pieces;
    const int64_t step_images = THREADS / units, step_units = THREADS % units;
    for (int64_t item = blockIdx.x; item < t.pieces * t.c; item += gridDim.x) {
        const int64_t part = item / t.c, c = item - part * t.c;
        const int64_t last = (part + 1) * piece < all ? (part + 1) * piece : all;
        int64_t at = part * piece + threadIdx.x, image = at / units, unit = at - image * units;
        typename What::stat s = what.start();
#pragma unroll 2
        for (; at < last; at += THREADS) {
            what.template add<WIDTH>(s, (image * t.c + c) * t.s + unit * WIDTH, 1, c);
            image += step_images;
            unit += step_units;
            if (unit >= units) {
                unit -= units;
                image++;
            }
        }
        s = weft_reduce_block<THREADS>(s, What::stat::merge);
        if (threadIdx.x == 0)
            out[item] = s;
    }
}

/* Block (x, y) takes 32 columns of piece y's rows.
 * x, g [N, C S], out [pieces, C S] */
template <class What>
__global__ void __launch_bounds__(COLUMNS *SHARES) k_sum_columns(What what, extents t, typename What::stat *out)
{
    using stat = typename What::stat;
    WEFT_SHARED(stat, partial, [SHARES][COLUMNS]);
    const int x = static_cast<int>(threadIdx.x), share = static_cast<int>(threadIdx.y);
    const int64_t column = static_cast<int64_t>(blockIdx.x) * COLUMNS + x, c = column / t.s;
    const int64_t piece = (t.n + t.pieces - 1) / t.pieces, first = blockIdx.y * piece;
    const int64_t last = column >= t.columns ? 0 : first + piece < t.n ? first + piece : t.n;
    stat s = what.start();
    int64_t row = first + share;
    for (; row + (UNROLL - 1) * SHARES < last; row += UNROLL * SHARES)
        what.template add<UNROLL>(s, row * t.columns + column, SHARES * t.columns, c);
    for (; row < last; row += SHARES)
        what.template add<1>(s, row * t.columns + column, SHARES * t.columns, c);
    partial[share][x] = s;
    __syncthreads();
    if (share != 0 || column >= t.columns)
        return;
    for (int k = 1; k < SHARES; k++)
        s = stat::merge(s, partial[k][x]);
    out[blockIdx.y * t.columns + column] = s;
}

/* ---- What follows for each channel ---- */

template <class C> __device__ __forceinline__ weft_moments<double> as_f64(const weft_moments<C> &s)
{
    return {static_cast<double>(s.count), static_cast<double>(s.mean), static_cast<double>(s.spread)};
}

template <class C> __device__ __forceinline__ weft_sums<double> as_f64(const weft_sums<C> &s)
{
    return {static_cast<double>(s.first), static_cast<double>(s.second)};
}

/* The statistics of channel c from those of its pieces, by one warp: stats [pieces, C, columns / C] */
template <template <class> class Stat, class C>
__device__ __forceinline__ Stat<double> channel(const extents &t, const Stat<C> *stats, int64_t c)
{
    using wide = Stat<double>;
    const int64_t per_channel = t.columns / t.c, count = t.pieces * per_channel;
    wide s = {};
    for (int64_t k = threadIdx.x % WEFT_WARP; k < count; k += WEFT_WARP) {
        const int64_t part = k / per_channel;
        s = wide::merge(s, as_f64(stats[part * t.columns + c * per_channel + (k - part * per_channel)]));
    }
    return weft_reduce_lanes<WEFT_WARP>(s, wide::merge);
}

/* w[c], or value where there is none */
template <class T> __device__ __forceinline__ double at(const weft_weights<T> &w, int64_t c, int value)
{
    weft_compute_t<T> v[1];
    w.get(v, c, weft_compute_t<T>(value));
    return static_cast<double>(v[0]);
}

/* A warp for each channel. stats [pieces, columns], w, b [C] or none, mean, rstd, var, lines [C] */
template <class T>
__global__ void __launch_bounds__(THREADS)
    k_channels(extents t, const weft_moments<weft_compute_t<T>> *stats, double eps, weft_weights<T> w,
               weft_weights<T> b, weft_compute_t<T> *mean, weft_compute_t<T> *rstd, weft_compute_t<T> *var,
               line<weft_compute_t<T>> *lines)
{
    using C = weft_compute_t<T>;
    const int64_t warp = (static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x) / WEFT_WARP;
    for (int64_t c = warp; c < t.c; c += static_cast<int64_t>(gridDim.x) * (THREADS / WEFT_WARP)) {
        const weft_moments<double> m = channel(t, stats, c);
        if (threadIdx.x % WEFT_WARP != 0)
            continue;
        const double middle = m.count > 0 ? m.mean : static_cast<double>(NAN), v = m.spread / m.count;
        const double r = 1 / sqrt(v + eps), a = r * at(w, c, 1);
        const C center = static_cast<C>(middle);
        const double tail = (static_cast<double>(center) - middle) * a; /* for the rounding of the centre */
        mean[c] = center;
        rstd[c] = static_cast<C>(r);
        var[c] = static_cast<C>(v);
        lines[c] = {center, static_cast<C>(a), static_cast<C>(at(b, c, 0) + tail), 0};
    }
}

/* The same backward. stats [pieces, columns], w [C] or none, mean, rstd [C], dw, db [C] or none, lines [C] */
template <class T>
__global__ void __launch_bounds__(THREADS)
    k_channels_grad(extents t, const weft_sums<weft_compute_t<T>> *stats, weft_weights<T> w,
                    const weft_compute_t<T> *mean, const weft_compute_t<T> *rstd, weft_weights_grad<T> dw,
                    weft_weights_grad<T> db, line<weft_compute_t<T>> *lines)
{
    using C = weft_compute_t<T>;
    const int64_t warp = (static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x) / WEFT_WARP;
    const double n = static_cast<double>(t.n * t.s);
    for (int64_t c = warp; c < t.c; c += static_cast<int64_t>(gridDim.x) * (THREADS / WEFT_WARP)) {
        const weft_sums<double> s = channel(t, stats, c);
        if (threadIdx.x % WEFT_WARP != 0)
            continue;
        const double r = static_cast<double>(rstd[c]), a = r * at(w, c, 1);
        dw.put(c,
               static_cast<C>(n > 0 ? s.second * r : 0.0)); /* the statistics of no elements are NaN, their sum is 0 */
        db.put(c, static_cast<C>(s.first));
        lines[c] = {mean[c], static_cast<C>(-a * r * r * s.second / n), static_cast<C>(-a * s.first / n),
                    static_cast<C>(a)};
    }
}

/* ---- The map over all elements ---- */

/* Elements [i, i + N), which are of one channel if whole. */
template <int N, bool GRAD, class I, class T>
__device__ __forceinline__ void map_at(const extents &t, I i, bool whole, const T *x, const T *g,
                                       const line<weft_compute_t<T>> *lines, T *y)
{
    using C = weft_compute_t<T>;
    const I size = static_cast<I>(t.s), channels = static_cast<I>(t.c), plane = i / size;
    I c = plane % channels, left = size - (i - plane * size); /* elements of this plane */
    line<C> f = lines[c];
    C v[N], w[N];
    weft_widen(v, weft_get<N>(x + i));
    if constexpr (GRAD)
        weft_widen(w, weft_get<N>(g + i));
#pragma unroll
    for (int k = 0; k < N; k++) {
        if (!whole && left == 0) {
            left = size;
            c = c + 1 < channels ? c + 1 : 0;
            f = lines[c];
        }
        left--;
        v[k] = f.slope * (v[k] - f.center) + f.offset;
        if constexpr (GRAD)
            v[k] += f.scale * w[k];
    }
    weft_put_all(y + i, v);
}

/* x, g (if GRAD), y [N, C, S], lines [C] */
template <bool GRAD, class I, class T>
__global__ void __launch_bounds__(THREADS)
    k_map(extents t, const T *x, const T *g, const line<weft_compute_t<T>> *lines, T *y)
{
    constexpr int WIDTH = weft_width<T>;
    const I first = static_cast<I>(blockIdx.x) * THREADS + threadIdx.x, step = static_cast<I>(gridDim.x) * THREADS;
    const I count = static_cast<I>(t.n * t.c * t.s), packs = count / WIDTH;
    const bool whole = t.s % WIDTH == 0;
    for (I p = first; p < packs; p += step)
        map_at<WIDTH, GRAD>(t, static_cast<I>(p * WIDTH), whole, x, g, lines, y);
    for (I i = packs * WIDTH + first; i < count; i += step)
        map_at<1, GRAD>(t, i, whole, x, g, lines, y);
}

/* ---- Launchers ---- */

extents extents_of(const weft__exec *e, const weft__array *x)
{
    extents t = {x->shape[0], x->shape[1], 1, 0, 0};
    for (int d = 2; d < x->ndim; d++)
        t.s *= x->shape[d];
    const bool planes = t.s >= LONG_PLANE;
    t.columns = planes ? t.c : t.c * t.s;
    if (x->count == 0)
        return t;
    /* blocks for the whole device, but for each enough to do */
    const int64_t blocks = planes ? t.c : (t.columns + COLUMNS - 1) / COLUMNS;
    const int64_t wanted = static_cast<int64_t>(weft__cuda_device_of(e)->sm_count) * 8 / blocks;
    const int64_t most = planes ? t.n * t.s / (THREADS * 16) : t.n / (SHARES * UNROLL);
    t.pieces = wanted < most ? wanted : most;
    t.pieces = t.pieces < 1 ? 1 : t.pieces;
    return t;
}

template <class What>
cudaError_t sum_pieces(const weft__exec *e, const What &what, const extents &t, bool aligned, typename What::stat *out)
{
    constexpr int WIDTH = weft_width<typename What::type>;
    if (t.pieces == 0)
        return cudaSuccess;
    if (t.s < LONG_PLANE) {
        const dim3 grid(static_cast<unsigned>((t.columns + COLUMNS - 1) / COLUMNS), static_cast<unsigned>(t.pieces));
        return weft_launch(k_sum_columns<What>, grid, dim3(COLUMNS, SHARES), 0, weft__stream(e), what, t, out);
    }
    const unsigned blocks = weft__cuda_blocks(e, t.pieces * t.c, 1);
    return weft_launch(aligned && t.s % WIDTH == 0 ? k_sum_planes<WIDTH, What> : k_sum_planes<1, What>, blocks, THREADS,
                       0, weft__stream(e), what, t, out);
}

template <bool GRAD, class T>
cudaError_t map_all(const weft__exec *e, const extents &t, const T *x, const T *g, const line<weft_compute_t<T>> *lines,
                    T *y)
{
    const int64_t count = t.n * t.c * t.s;
    if (count == 0)
        return cudaSuccess;
    const unsigned blocks = weft__cuda_blocks(e, count, THREADS * weft_width<T>);
    return weft_launch(weft_fits_32_bits(count) ? k_map<GRAD, uint32_t, T> : k_map<GRAD, int64_t, T>, blocks, THREADS,
                       0, weft__stream(e), t, x, g, lines, y);
}

unsigned channel_blocks(const weft__exec *e, const extents &t)
{
    return weft__cuda_blocks(e, t.c, THREADS / WEFT_WARP);
}

/* Work space: the pieces' statistics and the channels' lines. */
template <class Stat, class C> bool make_room(const weft__exec *e, const extents &t, Stat **stats, line<C> **lines)
{
    const int64_t count = t.pieces * t.columns;
    *stats = static_cast<Stat *>(weft__scratch(e, count > 0 ? count : 1, sizeof(Stat)));
    if (!*stats)
        return false;
    *lines = static_cast<line<C> *>(weft__scratch(e, t.c, sizeof(line<C>)));
    return *lines != nullptr;
}

template <class T> weft_status forward(const weft__exec *e)
{
    using C = weft_compute_t<T>;
    const extents t = extents_of(e, e->in[0]);
    const T *x = static_cast<const T *>(e->in[0]->data);
    weft_moments<C> *stats;
    line<C> *lines;
    if (t.c == 0)
        return WEFT_OK;
    if (!make_room(e, t, &stats, &lines))
        return WEFT_E_NOMEM;
    cudaError_t error = sum_pieces(e, spread_of<T>{x}, t, weft__cuda_aligned16(x), stats);
    if (error == cudaSuccess)
        error = weft_launch(k_channels<T>, channel_blocks(e, t), THREADS, 0, weft__stream(e), t, stats,
                            e->attrs->batch_norm.eps, weft_weights_of<T>(e->in[1]), weft_weights_of<T>(e->in[2]),
                            static_cast<C *>(e->out[1]->data), static_cast<C *>(e->out[2]->data),
                            static_cast<C *>(e->out[3]->data), lines);
    if (error == cudaSuccess)
        error = map_all<false, T>(e, t, x, nullptr, lines, static_cast<T *>(e->out[0]->data));
    return weft__cuda_status(e, error);
}

template <class T> weft_status backward(const weft__exec *e)
{
    using C = weft_compute_t<T>;
    const extents t = extents_of(e, e->in[1]);
    const T *g = static_cast<const T *>(e->in[0]->data), *x = static_cast<const T *>(e->in[1]->data);
    const C *mean = static_cast<const C *>(e->in[3]->data);
    const weft__array *dx = e->out[0], *dw = e->out[1], *db = e->out[2];
    weft_sums<C> *stats;
    line<C> *lines;
    if (t.c == 0)
        return WEFT_OK;
    if (!make_room(e, t, &stats, &lines))
        return WEFT_E_NOMEM;
    const bool aligned = weft__cuda_aligned16(x) && weft__cuda_aligned16(g);
    cudaError_t error = sum_pieces(e, product_of<T>{x, g, mean}, t, aligned, stats);
    if (error == cudaSuccess)
        error = weft_launch(k_channels_grad<T>, channel_blocks(e, t), THREADS, 0, weft__stream(e), t, stats,
                            weft_weights_of<T>(e->in[2]), mean, static_cast<const C *>(e->in[4]->data),
                            weft_weights_grad_of<T>(dw), weft_weights_grad_of<T>(db), lines);
    if (error == cudaSuccess && dx)
        error = map_all<true, T>(e, t, x, g, lines, static_cast<T *>(dx->data));
    return weft__cuda_status(e, error);
}

} /* namespace */

extern "C" weft_status weft__cuda_batch_norm(const weft__exec *e)
{
    return weft_visit_float(e->in[0]->dtype, WEFT_E_INTERNAL,
                            [&](auto name) { return forward<typename decltype(name)::type>(e); });
}

extern "C" weft_status weft__cuda_batch_norm_grad(const weft__exec *e)
{
    return weft_visit_float(e->in[0]->dtype, WEFT_E_INTERNAL,
                            [&](auto name) { return backward<typename decltype(name)::type>(e); });
}
