/* softmax.cu - softmax, log_softmax and their first-order gradients along one dim.
 *
 * An array is seen as [outer, n, inner] with n the dim's size. With inner 1 a slice is a contiguous row (rows.h); else
 * neighbouring threads take neighbouring columns of [n, inner], and the threads of a block share a column's
 * elements. */
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "rows.h"

namespace
{

/* ---- The operations, as rows.h wants them ---- */

/* y = e^(x - shift) / sum; a slice of all -inf gives zeros */
template <class T> struct softmax_op {
    using type = T;
    using C = weft_compute_t<T>;
    using stat = weft_online<T>;
    enum { INPUTS = 1 };
    const T *in[INPUTS];
    T *out;

    struct use {
        C shift, scale;
    };

    __device__ __forceinline__ stat start() const
    {
        return stat::none();
    }

    template <int N> __device__ __forceinline__ void add(stat &s, const C (&v)[INPUTS][N], int64_t, int64_t) const
    {
        s.add(v[0]);
    }

    __device__ __forceinline__ use finish(const stat &s, int64_t, int64_t, bool) const
    {
        return {s.shift(), s.sum == 0 ? C(0) : C(1) / s.sum};
    }

    template <int N>
    __device__ __forceinline__ void emit(C (&y)[N], const use &u, const C (&v)[INPUTS][N], int64_t) const
    {
#pragma unroll
        for (int k = 0; k < N; k++)
            y[k] = weft_exp<T>(v[0][k] - u.shift) * u.scale;
    }
};

/* y = x - shift - log sum; a slice of all -inf gives -inf */
template <class T> struct log_softmax_op : softmax_op<T> {
    using C = weft_compute_t<T>;
    using stat = weft_online<T>;

    struct use {
        C shift, log_sum;
    };

    __device__ __forceinline__ use finish(const stat &s, int64_t, int64_t, bool) const
    {
        return {s.shift(), s.sum == 0 ? C(0) : C(log(s.sum))};
    }

    template <int N> __device__ __forceinline__ void emit(C (&y)[N], const use &u, const C (&v)[1][N], int64_t) const
    {
#pragma unroll
        for (int k = 0; k < N; k++)
            y[k] = (v[0][k] - u.shift) - u.log_sum;
    }
};

/* in = {y, g}:  dx = g - e^y sum(g) */
template <class T> struct log_softmax_grad_op {
    using type = T;
    using C = weft_compute_t<T>;
    enum { INPUTS = 2 };
    const T *in[INPUTS];
    T *out;

    struct stat {
        C sum;

        template <class Move> __device__ __forceinline__ stat moved(Move move) const
        {
            return {move(sum)};
        }

        __device__ __forceinline__ static stat merge(const stat &a, const stat &b)
        {
            return {a.sum + b.sum};
        }
    };

    __device__ __forceinline__ stat start() const
    {
        return {0};
    }

    template <int N> __device__ __forceinline__ void add(stat &s, const C (&v)[INPUTS][N], int64_t, int64_t) const
    {
        C sum = 0;
#pragma unroll
        for (int k = 0; k < N; k++)
            sum += v[1][k];
        s.sum += sum;
    }

    __device__ __forceinline__ C finish(const stat &s, int64_t, int64_t, bool) const
    {
        return s.sum;
    }

    template <int N> __device__ __forceinline__ void emit(C (&y)[N], C sum, const C (&v)[INPUTS][N], int64_t) const
    {
#pragma unroll
        for (int k = 0; k < N; k++)
            y[k] = v[1][k] - weft_exp<T>(v[0][k]) * sum;
    }
};

/* in = {y, g}:  dx = y (g - sum(g y)). The y add up to 1, so that any number may be taken off all g; that of a y near 1
 * makes its difference exact, of which nothing would be left once y has rounded to 1. */
template <class T> struct softmax_grad_op {
    using type = T;
    using C = weft_compute_t<T>;
    enum { INPUTS = 2 };
    const T *in[INPUTS];
    T *out;

    /* base: the g of the y above a half, 0 if there is none; dot, mass: sums of g y and y over the others */
    struct stat {
        C dot, mass, base;

        template <class Move> __device__ __forceinline__ stat moved(Move move) const
        {
            return {move(dot), move(mass), move(base)};
        }

        __device__ __forceinline__ static stat merge(const stat &a, const stat &b)
        {
            return {a.dot + b.dot, a.mass + b.mass, a.base + b.base};
        }
    };

    struct use {
        C base, dot;
    };

    __device__ __forceinline__ stat start() const
    {
        return {0, 0, 0};
    }

    template <int N> __device__ __forceinline__ void add(stat &s, const C (&v)[INPUTS][N], int64_t, int64_t) const
    {
#pragma unroll
        for (int k = 0; k < N; k++) {
            const bool most = v[0][k] > C(0.5);
            s.dot += most ? C(0) : v[0][k] * v[1][k];
            s.mass += most ? C(0) : v[0][k];
            s.base += most ? v[1][k] : C(0);
        }
    }

    __device__ __forceinline__ use finish(const stat &s, int64_t, int64_t, bool) const
    {
        return {s.base, s.dot - s.mass * s.base};
    }

    template <int N>
    __device__ __forceinline__ void emit(C (&y)[N], const use &u, const C (&v)[INPUTS][N], int64_t) const
    {
#pragma unroll
        for (int k = 0; k < N; k++)
            y[k] = v[0][k] * ((v[1][k] - u.base) - u.dot);
    }
};

/* ---- Columns ---- */

enum { COLUMNS = 32, SHARES = 8, UNROLL = 4 };

/* Elements [i, i + N) with a step of SHARES between them, of one column */
template <int N, class Op>
__device__ __forceinline__ void get_column(weft_compute_t<typename Op::type> (&v)[Op::INPUTS][N], const Op &op,
                                           int64_t first, int64_t inner)
{
#pragma unroll
    for (int k = 0; k < Op::INPUTS; k++)
#pragma unroll
        for (int j = 0; j < N; j++)
            v[k][j] = weft_load(op.in[k][first + j * SHARES * inner]);
}

/* A block takes 32 columns at a time, numbered through all of [outer, inner]; each column's elements go round its 8
 * threads, and are read twice.
 * in[INPUTS] [outer, n, inner], out [outer, n, inner] */
template <class Op>
__global__ void __launch_bounds__(COLUMNS *SHARES) k_softmax_columns(Op op, int64_t columns, int64_t n, int64_t inner)
{
    using T = typename Op::type;
    using C = weft_compute_t<T>;
    using stat = typename Op::stat;
    WEFT_SHARED(stat, partial, [SHARES][COLUMNS]);
    const int x = static_cast<int>(threadIdx.x), share = static_cast<int>(threadIdx.y);
    for (int64_t base = static_cast<int64_t>(blockIdx.x) * COLUMNS; base < columns;
         base += static_cast<int64_t>(gridDim.x) * COLUMNS) {
        const bool active = base + x < columns;
        const int64_t column = active ? base + x : 0, outer = column / inner, size = active ? n : 0;
        const int64_t first = outer * n * inner + (column - outer * inner);
        stat s = op.start();
        int64_t i = share;
        for (; i + (UNROLL - 1) * SHARES < size; i += UNROLL * SHARES) {
            C v[Op::INPUTS][UNROLL];
            get_column(v, op, first + i * inner, inner);
            op.add(s, v, column, i);
        }
        for (; i < size; i += SHARES) {
            C v[Op::INPUTS][1];
            get_column(v, op, first + i * inner, inner);
            op.add(s, v, column, i);
        }
        partial[share][x] = s;
        __syncthreads();
        s = partial[0][x];
#pragma unroll
        for (int k = 1; k < SHARES; k++)
            s = stat::merge(s, partial[k][x]);
        __syncthreads(); /* before the next tile's partial results */
        const auto use = op.finish(s, column, n, false);
#pragma unroll 4
        for (i = share; i < size; i += SHARES) {
            C v[Op::INPUTS][1], y[1];
            get_column(v, op, first + i * inner, inner);
            op.emit(y, use, v, i);
            weft_store(&op.out[first + i * inner], y[0]);
        }
    }
}

/* ---- Launchers ---- */

template <class Op> cudaError_t run(const weft__exec *e, const Op &op)
{
    const weft__array *x = e->in[0];
    const int dim = static_cast<int>(e->attrs->along.dim);
    int64_t outer = 1, n = 1, inner = 1;
    for (int d = 0; d < x->ndim; d++)
        *(d < dim ? &outer : d == dim ? &n : &inner) *= x->shape[d];
    if (x->count == 0)
        return cudaSuccess;
    /* One slice among others is added up as a column is; where they are a batch, one alone must be as well. */
    if (weft__cuda_invariant(e) ? dim == x->ndim - 1 : inner == 1)
        return weft_run_rows(e, op, outer, n);
    return weft_launch(k_softmax_columns<Op>, weft__cuda_blocks(e, outer * inner, COLUMNS), dim3(COLUMNS, SHARES), 0,
                       weft__stream(e), op, outer * inner, n, inner);
}

template <template <class> class Op> weft_status forward(const weft__exec *e)
{
    return weft__cuda_status(e, weft_visit_float(e->in[0]->dtype, cudaErrorInvalidValue, [&](auto name) {
                                 using T = typename decltype(name)::type;
                                 Op<T> op = {};
                                 op.in[0] = static_cast<const T *>(e->in[0]->data);
                                 op.out = static_cast<T *>(e->out[0]->data);
                                 return run(e, op);
                             }));
}

template <template <class> class Op> weft_status backward(const weft__exec *e)
{
    return weft__cuda_status(e, weft_visit_float(e->in[0]->dtype, cudaErrorInvalidValue, [&](auto name) {
                                 using T = typename decltype(name)::type;
                                 const Op<T> op = {
                                     {static_cast<const T *>(e->in[0]->data), static_cast<const T *>(e->in[1]->data)},
                                     static_cast<T *>(e->out[0]->data)};
                                 return run(e, op);
                             }));
}

} /* namespace */

extern "C" weft_status weft__cuda_softmax(const weft__exec *e)
{
    return forward<softmax_op>(e);
}

extern "C" weft_status weft__cuda_log_softmax(const weft__exec *e)
{
    return forward<log_softmax_op>(e);
}

extern "C" weft_status weft__cuda_softmax_grad(const weft__exec *e)
{
    return backward<softmax_grad_op>(e);
}

extern "C" weft_status weft__cuda_log_softmax_grad(const weft__exec *e)
{
    return backward<log_softmax_grad_op>(e);
}
