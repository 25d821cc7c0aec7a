/* norm.cu - layer_norm, rms_norm and their first-order gradients. x is seen as [M, N] with N the elements normalised.
 *
 *   layer_norm: xhat = (x - mean) rstd, rstd = 1 / sqrt(var + eps), y = xhat w + b
 *   rms_norm:   xhat = x rstd, rstd = 1 / sqrt(mean of x^2 + eps),  y = xhat w
 *
 *   gradients, with h = g w (Ba et al. 2016; Zhang & Sennrich 2019):
 *   layer_norm: dx = rstd (h - mean(h) - xhat mean(h xhat))
 *   rms_norm:   dx = rstd (h - xhat mean(h xhat))
 *   both:       dw = sum over rows of g xhat, db = sum over rows of g
 *
 * Forward is rows.h. Backward, every block sums dw and db of its own rows in shared memory while it makes dx, so that g
 * and x are read once; the blocks' sums are added up afterwards, in order. Rows that are too long for that go through
 * rows.h for dx, and through a kernel that sums down the columns. */
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "rows.h"

namespace
{

/* ---- Forward ---- */

template <class T> struct layer_norm_op {
    using type = T;
    using C = weft_compute_t<T>;
    using stat = weft_moments<C>;
    enum { INPUTS = 1 };
    const T *in[INPUTS];
    T *out;
    weft_weights<T> w, b; /* [N] or none */
    C *mean, *rstd;       /* [M] */
    C eps;

    struct use {
        C mean, rstd;
    };

    __device__ __forceinline__ stat start() const
    {
        return {0, 0, 0};
    }

    template <int N> __device__ __forceinline__ void add(stat &s, const C (&v)[INPUTS][N], int64_t, int64_t) const
    {
        s.add(v[0]);
    }

    __device__ __forceinline__ use finish(const stat &s, int64_t row, int64_t n, bool first) const
    {
        const use u = {s.mean, C(1) / sqrt(s.spread / static_cast<C>(n) + eps)};
        if (first) {
            mean[row] = u.mean;
            rstd[row] = u.rstd;
        }
        return u;
    }

    template <int N>
    __device__ __forceinline__ void emit(C (&y)[N], const use &u, const C (&v)[INPUTS][N], int64_t i) const
    {
        C scale[N], offset[N];
        w.get(scale, i, C(1));
        b.get(offset, i, C(0));
#pragma unroll
        for (int k = 0; k < N; k++)
            y[k] = (v[0][k] - u.mean) * u.rstd * scale[k] + offset[k];
    }
};

template <class T> struct rms_norm_op {
    using type = T;
    using C = weft_compute_t<T>;
    enum { INPUTS = 1 };
    const T *in[INPUTS];
    T *out;
    weft_weights<T> w; /* [N] or none */
    C *rstd;           /* [M] */
    C eps;

    using stat = weft_sums<C>; /* of squares; nothing */

    __device__ __forceinline__ stat start() const
    {
        return {0, 0};
    }

    template <int N> __device__ __forceinline__ void add(stat &s, const C (&v)[INPUTS][N], int64_t, int64_t) const
    {
        C squares = 0;
#pragma unroll
        for (int k = 0; k < N; k++)
            squares += v[0][k] * v[0][k];
        s.first += squares;
    }

    __device__ __forceinline__ C finish(const stat &s, int64_t row, int64_t n, bool first) const
    {
        const C scale = C(1) / sqrt(s.first / static_cast<C>(n) + eps);
        if (first)
            rstd[row] = scale;
        return scale;
    }

    template <int N> __device__ __forceinline__ void emit(C (&y)[N], C u, const C (&v)[INPUTS][N], int64_t i) const
    {
        C scale[N];
        w.get(scale, i, C(1));
#pragma unroll
        for (int k = 0; k < N; k++)
            y[k] = v[0][k] * u * scale[k];
    }
};

/* ---- Backward: dx ---- */

/* in = {g, x}, out = dx */
template <class T> struct norm_grad_op {
    using type = T;
    using C = weft_compute_t<T>;
    using stat = weft_sums<C>; /* of h; of h (x - mean) */
    enum { INPUTS = 2 };
    const T *in[INPUTS];
    T *out;
    weft_weights<T> w;    /* [N] or none */
    const C *mean, *rstd; /* [M]; mean NULL: rms_norm */

    struct use {
        C center, rstd, mean_h, slope;
    };

    __device__ __forceinline__ stat start() const
    {
        return {0, 0};
    }

    template <int N> __device__ __forceinline__ void add(stat &s, const C (&v)[INPUTS][N], int64_t row, int64_t i) const
    {
        const C center = center_of(row);
        C scale[N], plain = 0, product = 0;
        w.get(scale, i, C(1));
#pragma unroll
        for (int k = 0; k < N; k++) {
            const C h = v[0][k] * scale[k];
            plain += h;
            product += h * (v[1][k] - center);
        }
        s.first += plain;
        s.second += product;
    }

    __device__ __forceinline__ C center_of(int64_t row) const
    {
        return mean ? mean[row] : C(0);
    }

    /* xhat mean(h xhat) = (x - mean) rstd^2 mean(h (x - mean)) */
    __device__ __forceinline__ use finish(const stat &s, int64_t row, int64_t n, bool) const
    {
        const C r = rstd[row], inverse = weft_quick_quotient(C(1), static_cast<C>(n));
        return {center_of(row), r, mean ? s.first * inverse : C(0), s.second * inverse * r * r};
    }

    template <int N>
    __device__ __forceinline__ void emit(C (&y)[N], const use &u, const C (&v)[INPUTS][N], int64_t i) const
    {
        C scale[N];
        w.get(scale, i, C(1));
#pragma unroll
        for (int k = 0; k < N; k++)
            y[k] = u.rstd * (v[0][k] * scale[k] - u.mean_h - (v[1][k] - u.center) * u.slope);
    }
};

/* ---- Backward: dx, dw and db ---- */

/* What a row's columns keep in shared memory takes so many elements: n, up to a whole pack. */
template <class T> __host__ __device__ constexpr int64_t columns_room(int64_t n)
{
    return (n + weft_width<T> - 1) / weft_width<T> * weft_width<T>;
}

/* dw[N] += g xhat and db[N] += g, of elements v = {g, x} of one row */
template <int N, class C, class Use>
__device__ __forceinline__ void add_to_sums(C *dw, C *db, const C (&v)[2][N], const Use &u)
{
    C a[N], b[N];
    weft_widen(a, weft_get<N>(dw));
    weft_widen(b, weft_get<N>(db));
#pragma unroll
    for (int k = 0; k < N; k++) {
        a[k] += v[0][k] * ((v[1][k] - u.center) * u.rstd);
        b[k] += v[0][k];
    }
    weft_put_all(dw, a);
    weft_put_all(db, b);
}

/* Every thread keeps to its own columns, whatever the row, so that only the end needs a barrier. packed: rows are made
 * of packs, and begin at 16-byte borders or must be added up as if they did.
 * op.in = {g, x} [rows, n], op.out dx [rows, n] or NULL, sums [blocks][dw, db][n]; shared memory: [groups][dw,
 * db][room] of sums, [groups][g, x][room] of the rows under work */
template <int GROUP, class T>
__global__ void __launch_bounds__(weft_row_threads<GROUP>)
    k_norm_grad(norm_grad_op<T> op, int64_t rows, int64_t n, bool packed, weft_compute_t<T> *sums)
{
    using C = weft_compute_t<T>;
    constexpr int THREADS = weft_row_threads<GROUP>, GROUPS = THREADS / GROUP, WIDTH = weft_width<T>;
    WEFT_DYN_SHARED(C, shared);
    const int lane = static_cast<int>(threadIdx.x) % GROUP, group = static_cast<int>(threadIdx.x) / GROUP;
    const int64_t room = columns_room<T>(n);
    C *dw = shared + group * 2 * room, *db = dw + room;
    T *kept = reinterpret_cast<T *>(shared + GROUPS * 2 * room) + group * 2 * room;
    const weft_row whole = packed ? weft_row{n, n / WIDTH, 0} : weft_row{n, 0, static_cast<int>(n)};
    const weft_row nothing = {0, 0, 0};
    weft_each<GROUP, T>(whole, lane, [&](auto number, int64_t i, int64_t) {
        constexpr int N = decltype(number)::value;
        const C zeros[N] = {};
        weft_put_all(dw + i, zeros);
        weft_put_all(db + i, zeros);
    });
    for (int64_t base = static_cast<int64_t>(blockIdx.x) * GROUPS; base < rows;
         base += static_cast<int64_t>(gridDim.x) * GROUPS) {
        const bool active = base + group < rows;
        const int64_t row = active ? base + group : 0, offset = row * n;
        const weft_row extent = active ? whole : nothing;
        weft_sums<C> stat = op.start();
        weft_each<GROUP, T>(extent, lane, [&](auto number, int64_t i, int64_t) {
            constexpr int N = decltype(number)::value;
            C v[2][N];
#pragma unroll
            for (int k = 0; k < 2; k++) {
                const weft_pack<T, N> pack = weft_get<N>(op.in[k] + offset + i);
                weft_put(kept + k * room + i, pack);
                weft_widen(v[k], pack);
            }
            op.add(stat, v, row, i);
        });
        stat = weft_reduce_group<GROUP>(stat, weft_sums<C>::merge);
        const auto use = op.finish(stat, row, n, false);
        weft_each<GROUP, T>(extent, lane, [&](auto number, int64_t i, int64_t) {
            constexpr int N = decltype(number)::value;
            C v[2][N], y[N];
            weft_widen(v[0], weft_get<N>(kept + i));
            weft_widen(v[1], weft_get<N>(kept + room + i));
            add_to_sums(dw + i, db + i, v, use);
            if (!op.out)
                return;
            op.emit(y, use, v, i);
            weft_put_all(op.out + offset + i, y);
        });
    }
    __syncthreads();
    for (int64_t j = threadIdx.x; j < 2 * n; j += THREADS) {
        const int64_t at = j < n ? j : j - n + room;
        C total = 0;
        for (int k = 0; k < GROUPS; k++)
            total += shared[k * 2 * room + at];
        sums[static_cast<int64_t>(blockIdx.x) * 2 * n + j] = total;
    }
}

enum { COLUMNS = 32, SHARES = 8 };

/* dw and db alone, of rows that are too long for k_norm_grad. Block (x, y) sums 32 columns over the rows of piece y.
 * op.in = {g, x} [rows, n], sums [pieces][dw, db][n] */
template <class T>
__global__ void __launch_bounds__(COLUMNS *SHARES)
    k_norm_columns(norm_grad_op<T> op, int64_t rows, int64_t n, int64_t piece, weft_compute_t<T> *sums)
{
    using C = weft_compute_t<T>;
    WEFT_SHARED(weft_sums<C>, partial, [SHARES][COLUMNS]);
    const int x = static_cast<int>(threadIdx.x), share = static_cast<int>(threadIdx.y);
    const int64_t column = static_cast<int64_t>(blockIdx.x) * COLUMNS + x;
    const int64_t first = blockIdx.y * piece, last = column < n ? (first + piece < rows ? first + piece : rows) : 0;
    weft_sums<C> s = {0, 0};
#pragma unroll 4
    for (int64_t row = first + share; row < last; row += SHARES) {
        const C g = weft_load(op.in[0][row * n + column]), v = weft_load(op.in[1][row * n + column]);
        s.first += g * ((v - op.center_of(row)) * op.rstd[row]);
        s.second += g;
    }
    partial[share][x] = s;
    __syncthreads();
    if (share != 0 || column >= n)
        return;
    for (int k = 1; k < SHARES; k++)
        s = weft_sums<C>::merge(s, partial[k][x]);
    sums[blockIdx.y * 2 * n + column] = s.first;
    sums[(blockIdx.y * 2 + 1) * n + column] = s.second;
}

/* out[n] = sum of the blocks' sums, in order; blockIdx.y: dw or db (either may be none)
 * sums [blocks][dw, db][n] */
template <class T>
__global__ void __launch_bounds__(COLUMNS *SHARES) k_add_sums(int64_t n, int64_t blocks, const weft_compute_t<T> *sums,
                                                              weft_weights_grad<T> dw, weft_weights_grad<T> db)
{
    WEFT_SHARED(double, partial, [SHARES][COLUMNS]);
    const int x = static_cast<int>(threadIdx.x), share = static_cast<int>(threadIdx.y);
    const int64_t column = static_cast<int64_t>(blockIdx.x) * COLUMNS + x, last = column < n ? blocks : 0;
    const weft_weights_grad<T> out = blockIdx.y == 0 ? dw : db;
    double total = 0;
#pragma unroll 4
    for (int64_t k = share; k < last; k += SHARES)
        total += static_cast<double>(sums[(k * 2 + blockIdx.y) * n + column]);
    partial[share][x] = total;
    __syncthreads();
    if (share != 0 || column >= n)
        return;
    for (int k = 1; k < SHARES; k++)
        total += partial[k][x];
    out.put(column, static_cast<weft_compute_t<T>>(total));
}

/* ---- Launchers ---- */

template <class T> cudaError_t layer_norm(const weft__exec *e)
{
    using C = weft_compute_t<T>;
    const layer_norm_op<T> op = {{static_cast<const T *>(e->in[0]->data)},
                                 static_cast<T *>(e->out[0]->data),
                                 weft_weights_of<T>(e->in[1]),
                                 weft_weights_of<T>(e->in[2]),
                                 static_cast<C *>(e->out[1]->data),
                                 static_cast<C *>(e->out[2]->data),
                                 static_cast<C>(e->attrs->norm.eps)};
    return weft_run_rows(e, op, e->out[1]->count, e->attrs->norm.size);
}

template <class T> cudaError_t rms_norm(const weft__exec *e)
{
    using C = weft_compute_t<T>;
    const rms_norm_op<T> op = {{static_cast<const T *>(e->in[0]->data)},
                               static_cast<T *>(e->out[0]->data),
                               weft_weights_of<T>(e->in[1]),
                               static_cast<C *>(e->out[1]->data),
                               static_cast<C>(e->attrs->norm.eps)};
    return weft_run_rows(e, op, e->out[1]->count, e->attrs->norm.size);
}

/* How the sums of dw and db are made: by this k_norm_grad, whose blocks take so many rows at a time, or (NULL) by
 * k_norm_columns. */
template <class T> struct plan {
    void (*kernel)(norm_grad_op<T> op, int64_t rows, int64_t n, bool packed, weft_compute_t<T> *sums);
    int rows_at_a_time;
    size_t shared;
    int64_t blocks;
};

template <class T> plan<T> choose_kernel(const weft__exec *e, int64_t n)
{
    const size_t usual = weft__cuda_usual_shared(e), most = weft__cuda_most_shared(e);
    const size_t twice = 100 * 1024; /* two such blocks share a multiprocessor of the larger kinds */
    const size_t row = static_cast<size_t>(columns_room<T>(n)) * 2 * (sizeof(T) + sizeof(weft_compute_t<T>));
    if (n <= WEFT_SHORT_ROW && row * 64 <= usual)
        return {k_norm_grad<4, T>, 64, row * 64, 0};
    if (n <= WEFT_WARP_ROW / 4 && row * 8 <= usual)
        return {k_norm_grad<WEFT_WARP, T>, 8, row * 8, 0};
    if (row <= (most < twice ? most : twice))
        return {k_norm_grad<256, T>, 1, row, 0};
    return {nullptr, 0, 0, 0};
}

/* As many blocks as run at a time: each goes on to further rows, so that there are few sums to add up. */
template <class T> cudaError_t make_plan(const weft__exec *e, int64_t rows, int64_t n, plan<T> &p)
{
    p = choose_kernel<T>(e, n);
    int64_t limit, wanted;
    if (p.kernel) {
        cudaError_t error = weft__cuda_allow_shared(e, p.kernel, p.shared);
        if (error == cudaSuccess)
            error = weft__cuda_resident(e, p.kernel, weft_row_threads<256>, p.shared, &limit);
        if (error != cudaSuccess)
            return error;
        wanted = (rows + p.rows_at_a_time - 1) / p.rows_at_a_time;
    } else {
        const int64_t tiles = (n + COLUMNS - 1) / COLUMNS,
                      enough = static_cast<int64_t>(weft__cuda_device_of(e)->sm_count) * 16;
        limit = enough / tiles < 1 ? 1 : enough / tiles;
        wanted = (rows + 63) / 64;
    }
    p.blocks = wanted < limit ? wanted : limit;
    return cudaSuccess;
}

/* The sums of p.blocks blocks, and dx if it is wanted. */
template <class T>
cudaError_t make_sums(const weft__exec *e, const norm_grad_op<T> &op, int64_t rows, int64_t n, const plan<T> &p,
                      weft_compute_t<T> *sums)
{
    const unsigned blocks = static_cast<unsigned>(p.blocks);
    if (p.kernel) {
        const bool aligned = weft__cuda_aligned16(op.in[0]) && weft__cuda_aligned16(op.in[1]);
        const bool packed = n % weft_width<T> == 0 && (aligned || weft__cuda_invariant(e));
        return weft_launch(p.kernel, blocks, weft_row_threads<256>, p.shared, weft__stream(e), op, rows, n, packed,
                           sums);
    }
    const cudaError_t error = op.out ? weft_run_rows(e, op, rows, n) : cudaSuccess;
    if (error != cudaSuccess)
        return error;
    const dim3 grid(static_cast<unsigned>((n + COLUMNS - 1) / COLUMNS), blocks);
    return weft_launch(k_norm_columns<T>, grid, dim3(COLUMNS, SHARES), 0, weft__stream(e), op, rows, n,
                       (rows + p.blocks - 1) / p.blocks, sums);
}

template <class T>
weft_status backward(const weft__exec *e, const weft__array *mean, const weft__array *rstd, weft__array *db)
{
    using C = weft_compute_t<T>;
    weft__array *dx = e->out[0], *dw = e->out[1];
    const int64_t rows = rstd->count, n = e->attrs->norm.size;
    const norm_grad_op<T> op = {{static_cast<const T *>(e->in[0]->data), static_cast<const T *>(e->in[1]->data)},
                                dx ? static_cast<T *>(dx->data) : nullptr,
                                weft_weights_of<T>(e->in[2]),
                                mean ? static_cast<const C *>(mean->data) : nullptr,
                                static_cast<const C *>(rstd->data)};
    if (n == 0)
        return WEFT_OK;
    if (!dw && !db)
        return weft__cuda_status(e, weft_run_rows(e, op, rows, n));
    plan<T> p = {};
    C *sums = nullptr;
    if (rows > 0) {
        cudaError_t error = make_plan(e, rows, n, p);
        if (error != cudaSuccess)
            return weft__cuda_status(e, error);
        sums = static_cast<C *>(weft__scratch(e, p.blocks * 2 * n, sizeof(C)));
        if (!sums)
            return WEFT_E_NOMEM;
        error = make_sums(e, op, rows, n, p, sums);
        if (error != cudaSuccess)
            return weft__cuda_status(e, error);
    }
    const dim3 grid(static_cast<unsigned>((n + COLUMNS - 1) / COLUMNS), 2);
    return weft__cuda_status(e, weft_launch(k_add_sums<T>, grid, dim3(COLUMNS, SHARES), 0, weft__stream(e), n, p.blocks,
                                            sums, weft_weights_grad_of<T>(dw), weft_weights_grad_of<T>(db)));
}

weft_status backward_any(const weft__exec *e, const weft__array *mean, const weft__array *rstd, weft__array *db)
{
    return weft_visit_float(e->in[0]->dtype, WEFT_E_INTERNAL,
                            [&](auto name) { return backward<typename decltype(name)::type>(e, mean, rstd, db); });
}

} /* namespace */

extern "C" weft_status weft__cuda_layer_norm(const weft__exec *e)
{
    return weft__cuda_status(e, weft_visit_float(e->in[0]->dtype, cudaErrorInvalidValue, [&](auto name) {
                                 return layer_norm<typename decltype(name)::type>(e);
                             }));
}

extern "C" weft_status weft__cuda_rms_norm(const weft__exec *e)
{
    return weft__cuda_status(e, weft_visit_float(e->in[0]->dtype, cudaErrorInvalidValue, [&](auto name) {
                                 return rms_norm<typename decltype(name)::type>(e);
                             }));
}

extern "C" weft_status weft__cuda_layer_norm_grad(const weft__exec *e)
{
    return backward_any(e, e->in[3], e->in[4], e->out[2]);
}

extern "C" weft_status weft__cuda_rms_norm_grad(const weft__exec *e)
{
    return backward_any(e, nullptr, e->in[3], nullptr);
}
