/* linalg.cu - factorisations of matrices, what is solved with them, and functions of matrices: a block has one matrix
 * of a batch at a time, and computes in f64 by base/linalg.inc, in global memory. What brings matrices to cuSOLVER and
 * its results back (cuda/linalg.c) is in the second half. */
#include <cfloat>
#include <cmath>
#include "base/linalg.h"
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/solver.h"
#include "types.h"

namespace
{

enum { FEW = 32, MANY = 256, MOST_IN = 2, MOST_OUT = 3 }; /* threads of a block, for small and for large matrices */

/* A team is a block, a group of it a warp. */
#define TEAM_FN static __device__
#define TEAM_ONE (threadIdx.x == 0)
#define TEAM_EACH(i, from, to)                                                                                         \
    for (int64_t i = (from) + static_cast<int64_t>(threadIdx.x), i##_end = (to); i < i##_end; i += blockDim.x)
#define TEAM_ROWS(i, from, to)                                                                                         \
    for (int64_t i = (from) + static_cast<int64_t>(threadIdx.x / 32), i##_end = (to); i < i##_end; i += blockDim.x / 32)
#define TEAM_COLS(j, from, to)                                                                                         \
    for (int64_t j = (from) + static_cast<int64_t>(threadIdx.x % 32), j##_end = (to); j < j##_end; j += 32)
#define TEAM_SYNC __syncthreads()
#include "base/linalg.inc"

struct matrices {
    void *data;
    int32_t dtype, ndim;    /* leading dims alone */
    int64_t count, columns; /* of one matrix */
    int64_t row, column;    /* strides */
    int64_t shape[WEFT__MAX_DIMS], strides[WEFT__MAX_DIMS];
};

struct task {
    weft__matrix_problem problem;
    int32_t n_in, n_out, caller;
    int64_t n_batch, room;
    matrices in[MOST_IN], out[MOST_OUT];
    double *rooms;
    weft__cuda_fault *fault;
    const int *only; /* [n_batch]: the matrices where it is not 0; NULL: all */
};

/* Where matrix number `batch` begins. */
__device__ int64_t start_of(const matrices &a, int64_t batch)
{
    int64_t first = 0;
    for (int d = a.ndim - 1; d >= 0; d--) {
        first += batch % a.shape[d] * a.strides[d];
        batch /= a.shape[d];
    }
    return first;
}

__device__ double load_at(const matrices &a, int64_t at)
{
    switch (a.dtype) {
    case WEFT_F64:
        return static_cast<const double *>(a.data)[at];
    case WEFT_F32:
        return static_cast<double>(static_cast<const float *>(a.data)[at]);
    case WEFT_F16:
        return static_cast<double>(weft_load(static_cast<const __half *>(a.data)[at]));
    default:
        return static_cast<double>(weft_load(static_cast<const __nv_bfloat16 *>(a.data)[at]));
    }
}

__device__ void store_at(const matrices &a, int64_t at, double value)
{
    switch (a.dtype) {
    case WEFT_F64:
        static_cast<double *>(a.data)[at] = value;
        break;
    case WEFT_F32:
        static_cast<float *>(a.data)[at] = static_cast<float>(value);
        break;
    case WEFT_F16:
        weft_store(static_cast<__half *>(a.data) + at, static_cast<float>(value));
        break;
    default:
        weft_store(static_cast<__nv_bfloat16 *>(a.data) + at, static_cast<float>(value));
    }
}

__global__ void __launch_bounds__(MANY) k_matrices(task t)
{
    double *in[MOST_IN] = {nullptr, nullptr}, *out[MOST_OUT] = {nullptr, nullptr, nullptr};
    double *room = t.rooms + static_cast<int64_t>(blockIdx.x) * t.room;
    for (int k = 0; k < t.n_in; k++) {
        in[k] = room;
        room += t.in[k].count;
    }
    for (int k = 0; k < t.n_out; k++) {
        out[k] = room;
        room += t.out[k].count;
    }
    for (int64_t batch = blockIdx.x; batch < t.n_batch; batch += gridDim.x) {
        if (t.only && t.only[batch] == 0)
            continue;
        for (int k = 0; k < t.n_in; k++) {
            const matrices &a = t.in[k];
            const int64_t first = start_of(a, batch);
            TEAM_EACH (i, 0, a.count)
                in[k][i] = load_at(a, first + i / a.columns * a.row + i % a.columns * a.column);
        }
        __syncthreads();
        const int64_t code = solve_problem(&t.problem, in, out, room);
        __syncthreads();
        for (int k = 0; k < t.n_out; k++)
            TEAM_EACH (i, 0, t.out[k].count)
                store_at(t.out[k], batch * t.out[k].count + i, out[k][i]);
        if (code && threadIdx.x == 0) /* a limit below 0: no index */
            weft__cuda_report(t.fault, t.caller, batch, code, -1);
        __syncthreads();
    }
}

matrices matrices_of(const weft__array *a, int own)
{
    matrices made = {};
    made.data = a->data;
    made.dtype = a->dtype;
    made.ndim = a->ndim - own;
    made.columns = a->shape[a->ndim - 1];
    made.count = made.columns * (own == 2 ? a->shape[a->ndim - 2] : 1);
    made.row = own == 2 ? a->strides[a->ndim - 2] : 0;
    made.column = a->strides[a->ndim - 1];
    for (int d = 0; d < made.ndim; d++) {
        made.shape[d] = a->shape[d];
        made.strides[d] = a->strides[d];
    }
    return made;
}

int64_t batch_of(const weft__exec *e, int own)
{
    int64_t n = 1;
    for (int d = 0; d < e->in[0]->ndim - own; d++)
        n *= e->in[0]->shape[d];
    return n;
}

int own_dims(const weft__exec *e)
{
    return e->op == WEFT_OP_RECIPROCAL_GAPS ? 1 : 2;
}

/* The launch but for its work space. */
task task_of(const weft__exec *e)
{
    const int own = own_dims(e);
    task t = {};
    t.problem = weft__cuda_matrix_problem(e);
    t.n_batch = batch_of(e, own);
    t.n_in = e->n_in;
    t.n_out = e->n_out;
    t.room = weft__matrix_work(&t.problem);
    for (int k = 0; k < e->n_in; k++) {
        t.in[k] = matrices_of(e->in[k], own);
        t.room += t.in[k].count;
    }
    for (int k = 0; k < e->n_out && t.n_batch > 0; k++) {
        t.out[k].data = e->out[k]->data;
        t.out[k].dtype = e->out[k]->dtype;
        t.out[k].count = e->out[k]->count / t.n_batch;
        t.room += t.out[k].count;
    }
    t.caller = static_cast<int32_t>(e->caller);
    t.fault = weft__cuda_device_of(e)->fault;
    return t;
}

weft_status launch(const weft__exec *e, const task &t, unsigned blocks)
{
    weft__cuda_device_of(e)->fault_possible = true;
    const unsigned threads = t.problem.m <= FEW && t.problem.n <= FEW && t.problem.k <= FEW ? FEW : MANY;
    return weft__cuda_status(e, weft_launch(k_matrices, blocks, threads, 0, weft__stream(e), t));
}

weft_status run(const weft__exec *e)
{
    task t = task_of(e);
    if (t.n_batch == 0)
        return WEFT_OK;
    const unsigned blocks = weft__cuda_blocks(e, t.n_batch, 1);
    t.rooms = static_cast<double *>(weft__scratch(e, t.room * blocks, sizeof(double)));
    return t.rooms ? launch(e, t, blocks) : WEFT_E_NOMEM;
}

/* Of the matrices that cuSOLVER leaves, how many are worked on at a time. */
unsigned left_at_a_time(const task &t)
{
    constexpr int64_t most_left = 16;
    const int64_t fit = (INT64_C(256) << 20) / (t.room * static_cast<int64_t>(sizeof(double)) + 1);
    const int64_t most = fit < 1 ? 1 : fit < most_left ? fit : most_left;
    return static_cast<unsigned>(t.n_batch < most ? t.n_batch : most);
}

/* ---- For cuSOLVER ---- */

#define EACH_ITEM(i, n)                                                                                                \
    for (int64_t i = static_cast<int64_t>(blockIdx.x) * MANY + threadIdx.x, i##_end = (n); i < i##_end;                \
         i += static_cast<int64_t>(gridDim.x) * MANY)

/* Squares of what is larger or smaller may overflow or vanish. */
constexpr double most_size = 1e100, least_size = 1e-100;

__device__ __forceinline__ bool is_tame(double x)
{
    return x == 0 || (fabs(x) <= most_size && fabs(x) >= least_size);
}

/* Element of a matrix, of a triangle as it counts: nothing on the other side, a diagonal that may be 1. */
__device__ __forceinline__ double element_for_solver(const weft__solver_task &t, const matrices &a, int64_t first,
                                                     int64_t row, int64_t column)
{
    if (t.problem.op == WEFT_OP_TRIANGULAR_SOLVE) {
        if (t.problem.upper ? column < row : column > row)
            return 0;
        if (t.problem.unit && column == row)
            return 1;
    }
    return load_at(a, first + row * a.row + column * a.column);
}

/* left [count] of this part of the batch and infos are 0 before. */
__global__ void __launch_bounds__(MANY) k_solver_load(weft__solver_task t, matrices a)
{
    const int64_t m = t.problem.m, n = t.problem.n, all = m * n;
    const bool triangle = t.problem.op == WEFT_OP_TRIANGULAR_SOLVE;
    EACH_ITEM(i, t.count * all)
    {
        const int64_t matrix = i / all, row = i % all / n, column = i % n, first = start_of(a, t.first + matrix);
        double x = element_for_solver(t, a, first, row, column);
        if (!is_tame(x) || (triangle && row == column && x == 0))
            atomicOr(&t.left[t.first + matrix], 1);
        if (triangle && row == column) /* nothing is exchanged */
            t.pivots[matrix * n + row] = static_cast<int>(row + 1);
        int64_t to = row * n + column;
        if (t.form == WEFT__SOLVER_TURNED)
            to = column * m + row;
        else if (t.form == WEFT__SOLVER_SYMMETRIC)
            x = 0.5 * x + 0.5 * load_at(a, first + column * a.row + row * a.column);
        t.a[matrix * all + to] = x;
    }
}

/* Unit matrices in the places of those that are left. */
__global__ void __launch_bounds__(MANY) k_solver_calm(weft__solver_task t)
{
    const int64_t rows = t.form == WEFT__SOLVER_TURNED ? t.problem.m : t.problem.n, all = t.problem.m * t.problem.n;
    EACH_ITEM(i, t.count * all)
    if (t.left[t.first + i / all] != 0)
        t.a[i] = i % all % rows == i % all / rows;
}

/* Right sides by columns; of the inverse the unit matrix. */
__global__ void __launch_bounds__(MANY) k_solver_load_sides(weft__solver_task t, matrices b)
{
    const int64_t n = t.problem.n, all = n * t.rights;
    EACH_ITEM(i, t.count * all)
    {
        const int64_t matrix = i / all, column = i % all / n, row = i % n;
        const double x = b.data ? load_at(b, start_of(b, t.first + matrix) + row * b.row + column * b.column)
                                : static_cast<double>(row == column);
        if (!(fabs(x) <= DBL_MAX))
            atomicOr(&t.left[t.first + matrix], 1);
        t.b[i] = x;
    }
}

__global__ void __launch_bounds__(MANY) k_solver_sort_out(weft__solver_task t, int call)
{
    EACH_ITEM(i, t.count)
    if (t.infos[i * WEFT__SOLVER_INFOS + call] != 0)
        t.left[t.first + i] = 1;
}

/* Of vector number i of a matrix by base/linalg.inc, of rows of R by its diagonal. */
__global__ void __launch_bounds__(MANY) k_solver_signs(weft__solver_task t)
{
    const int64_t m = t.problem.m, n = t.problem.n, r = t.r;
    EACH_ITEM(i, t.count * r)
    {
        const int64_t matrix = i / r, vector = i % r;
        const double *a = t.a + matrix * m * n;
        double sign;
        if (t.problem.op == WEFT_OP_QR) {
            sign = a[vector * m + vector] < 0 ? -1 : 1;
        } else if (t.problem.op == WEFT_OP_EIGH) {
            sign = sign_of(a + vector * n, n);
        } else if (m > n) {
            sign = sign_of(t.b + matrix * m * r + vector * m, m);
        } else { /* u [m, m] is V^T by columns: vector i in its row i */
            const double *u = t.vt + matrix * r * r;
            double largest = 0;
            sign = 1;
            for (int64_t j = 0; j < m; j++)
                largest = fabs(u[j * m + vector]) > largest ? fabs(u[j * m + vector]) : largest;
            for (int64_t j = 0; j < m; j++)
                if (fabs(u[j * m + vector]) >= 0.999 * largest) {
                    sign = u[j * m + vector] < 0 ? -1 : 1;
                    break;
                }
        }
        t.signs[i] = sign;
    }
}

__device__ double determinant(const weft__solver_task &t, int64_t matrix, int result)
{
    const int64_t n = t.problem.n;
    const double *a = t.a + matrix * n * n;
    const int *pivots = t.pivots + matrix * n;
    double sign = 1, product = 1, sum = 0;
    for (int64_t i = 0; i < n; i++)
        sign = pivots[i] != i + 1 ? -sign : sign;
    product = sign;
    for (int64_t i = 0; i < n; i++) {
        const double pivot = a[i * n + i];
        product *= pivot;
        sum += log(fabs(pivot));
        sign = pivot < 0 ? -sign : sign;
    }
    return t.problem.op == WEFT_OP_DET ? product : result == 0 ? sum : sign;
}

/* Element i of a result of a matrix. */
__device__ double result_at(const weft__solver_task &t, int64_t matrix, int result, int64_t i)
{
    const int64_t m = t.problem.m, n = t.problem.n, r = t.r;
    const double *a = t.a + matrix * m * n, *b = t.b + matrix * n * t.rights, *signs = t.signs + matrix * r;
    const double *u = m > n ? t.b + matrix * m * r : t.vt + matrix * r * r;  /* m > n: by columns ... */
    const double *vh = m > n ? t.vt + matrix * r * r : t.b + matrix * n * r; /* ... likewise; else both by rows */
    switch (t.problem.op) {
    case WEFT_OP_CHOLESKY: /* the upper triangle by columns is the lower one by rows */
        return i % n <= i / n ? a[i] : 0;
    case WEFT_OP_SOLVE:
    case WEFT_OP_TRIANGULAR_SOLVE:
    case WEFT_OP_INVERSE:
        return b[i % t.rights * n + i / t.rights];
    case WEFT_OP_QR:
        if (result == 0)
            return signs[i % r] * a[i % r * m + i / r];
        return i % n < i / n ? 0 : signs[i / n] * a[i % n * m + i / n];
    case WEFT_OP_EIGH:
        return result == 0 ? t.values[matrix * r + i] : signs[i % n] * a[i % n * n + i / n];
    case WEFT_OP_SVD:
        if (result == 1)
            return t.values[matrix * r + i];
        if (result == 0)
            return signs[i % r] * (m > n ? u[i % r * m + i / r] : u[i]);
        return signs[i / n] * (m > n ? vh[i % n * r + i / n] : vh[i]);
    case WEFT_OP_PINV: {
        const double *s = t.values + matrix * r;
        const int64_t row = i / m, column = i % m; /* of [n, m] */
        double sum = 0;
        for (int64_t q = 0; q < r && s[q] > t.problem.rtol * s[0]; q++)
            sum += (m > n ? vh[row * r + q] * u[q * m + column] : vh[q * n + row] * u[column * m + q]) / s[q];
        return sum;
    }
    default:
        return determinant(t, matrix, result);
    }
}

__global__ void __launch_bounds__(MANY) k_solver_store(weft__solver_task t, matrices y, int result)
{
    EACH_ITEM(i, t.count * y.count)
    {
        const int64_t matrix = i / y.count;
        if (t.left[t.first + matrix] == 0)
            store_at(y, t.first * y.count + i, result_at(t, matrix, result, i % y.count));
    }
}

bool has_signs(const weft__solver_task *t)
{
    return t->problem.op == WEFT_OP_QR || t->problem.op == WEFT_OP_EIGH || t->problem.op == WEFT_OP_SVD;
}

} /* namespace */

extern "C" weft__matrix_problem weft__cuda_matrix_problem(const weft__exec *e)
{
    const weft__array *a = e->in[0], *b = e->n_in > 1 ? e->in[1] : nullptr;
    weft__matrix_problem problem = {};
    problem.op = static_cast<int32_t>(e->op);
    problem.n = a->shape[a->ndim - 1];
    problem.m = own_dims(e) == 2 ? a->shape[a->ndim - 2] : 1;
    problem.k = b ? b->shape[b->ndim - 1] : 0;
    if (e->op == WEFT_OP_TRIANGULAR_SOLVE) {
        problem.upper = e->attrs->triangle.upper != 0;
        problem.unit = e->attrs->triangle.unit != 0;
    } else if (e->op == WEFT_OP_PINV || e->op == WEFT_OP_RECIPROCAL_GAPS) {
        problem.rtol = e->attrs->rtol.rtol;
    }
    return problem;
}

extern "C" weft_status weft__cuda_solver_load(const weft__exec *e, const weft__solver_task *t)
{
    const int64_t all = t->count * t->problem.m * t->problem.n, sides = t->count * t->problem.n * t->rights;
    cudaError_t error =
        cudaMemsetAsync(t->left + t->first, 0, static_cast<size_t>(t->count) * sizeof(int), weft__stream(e));
    if (error == cudaSuccess)
        error = cudaMemsetAsync(t->infos, 0, static_cast<size_t>(t->count) * WEFT__SOLVER_INFOS * sizeof(int),
                                weft__stream(e));
    if (error == cudaSuccess)
        error = weft_launch(k_solver_load, weft__cuda_blocks(e, all, MANY), MANY, 0, weft__stream(e), *t,
                            matrices_of(e->in[0], 2));
    if (error == cudaSuccess)
        error = weft_launch(k_solver_calm, weft__cuda_blocks(e, all, MANY), MANY, 0, weft__stream(e), *t);
    if (error == cudaSuccess && t->rights)
        error = weft_launch(k_solver_load_sides, weft__cuda_blocks(e, sides, MANY), MANY, 0, weft__stream(e), *t,
                            e->n_in > 1 ? matrices_of(e->in[1], 2) : matrices{});
    return weft__cuda_status(e, error);
}

extern "C" weft_status weft__cuda_solver_sort_out(const weft__exec *e, const weft__solver_task *t, int call)
{
    return weft__cuda_status(
        e, weft_launch(k_solver_sort_out, weft__cuda_blocks(e, t->count, MANY), MANY, 0, weft__stream(e), *t, call));
}

/* The signs are found with the first result of an operation, of qr with the second, which comes first. */
extern "C" weft_status weft__cuda_solver_store(const weft__exec *e, const weft__solver_task *t, int result)
{
    cudaError_t error = cudaSuccess;
    matrices y = {};
    y.data = e->out[result]->data;
    y.dtype = e->out[result]->dtype;
    y.count = e->out[result]->count / t->batch;
    if (has_signs(t) && result == (t->problem.op == WEFT_OP_QR ? 1 : 0))
        error = weft_launch(k_solver_signs, weft__cuda_blocks(e, t->count * t->r, MANY), MANY, 0, weft__stream(e), *t);
    if (error == cudaSuccess)
        error = weft_launch(k_solver_store, weft__cuda_blocks(e, t->count * y.count, MANY), MANY, 0, weft__stream(e),
                            *t, y, result);
    return weft__cuda_status(e, error);
}

extern "C" size_t weft__cuda_matrices_left_room(const weft__exec *e)
{
    const task t = task_of(e);
    return static_cast<size_t>(t.room) * left_at_a_time(t) * sizeof(double);
}

extern "C" weft_status weft__cuda_matrices_left(const weft__exec *e, const int *left, void *room)
{
    task t = task_of(e);
    t.only = left;
    t.rooms = static_cast<double *>(room);
    return launch(e, t, left_at_a_time(t));
}

extern "C" weft_status weft__cuda_matrices_own(const weft__exec *e)
{
    return run(e);
}

/* What cuSOLVER has not. */
extern "C" weft_status weft__cuda_cofactor(const weft__exec *e)
{
    return run(e);
}

extern "C" weft_status weft__cuda_cofactor_grad(const weft__exec *e)
{
    return run(e);
}

extern "C" weft_status weft__cuda_matrix_exp(const weft__exec *e)
{
    return run(e);
}

extern "C" weft_status weft__cuda_reciprocal_gaps(const weft__exec *e)
{
    return run(e);
}
