/* linalg.cu - factorisations of matrices, what is solved with them, and functions of matrices: a block has one matrix
 * of a batch at a time, and computes in f64 by base/linalg.inc, in global memory. */
#include <cfloat>
#include <cmath>
#include "base/linalg.h"
#include "cuda/kernels.h"
#include "cuda/launch.h"
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
};

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
        for (int k = 0; k < t.n_in; k++) {
            const matrices &a = t.in[k];
            int64_t first = 0, rest = batch;
            for (int d = a.ndim - 1; d >= 0; d--) {
                first += rest % a.shape[d] * a.strides[d];
                rest /= a.shape[d];
            }
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

weft_status run(const weft__exec *e, const weft__matrix_problem &problem)
{
    const int own = e->op == WEFT_OP_RECIPROCAL_GAPS ? 1 : 2;
    const weft__array *a = e->in[0], *b = e->n_in > 1 ? e->in[1] : nullptr;
    task t = {};
    t.problem = problem;
    t.problem.op = static_cast<int32_t>(e->op);
    t.problem.n = a->shape[a->ndim - 1];
    t.problem.m = own == 2 ? a->shape[a->ndim - 2] : 1;
    t.problem.k = b ? b->shape[b->ndim - 1] : 0;
    t.n_batch = 1;
    for (int d = 0; d < a->ndim - own; d++)
        t.n_batch *= a->shape[d];
    if (t.n_batch == 0)
        return WEFT_OK;
    t.n_in = e->n_in;
    t.n_out = e->n_out;
    t.room = weft__matrix_work(&t.problem);
    for (int k = 0; k < e->n_in; k++) {
        t.in[k] = matrices_of(e->in[k], own);
        t.room += t.in[k].count;
    }
    for (int k = 0; k < e->n_out; k++) {
        t.out[k].data = e->out[k]->data;
        t.out[k].dtype = e->out[k]->dtype;
        t.out[k].count = e->out[k]->count / t.n_batch;
        t.room += t.out[k].count;
    }
    t.caller = static_cast<int32_t>(e->caller);
    t.fault = weft__cuda_device_of(e)->fault;
    weft__cuda_device_of(e)->fault_possible = true;
    const unsigned blocks = weft__cuda_blocks(e, t.n_batch, 1);
    t.rooms = static_cast<double *>(weft__scratch(e, t.room * blocks, sizeof(double)));
    if (!t.rooms)
        return WEFT_E_NOMEM;
    const unsigned threads = t.problem.m <= FEW && t.problem.n <= FEW && t.problem.k <= FEW ? FEW : MANY;
    return weft__cuda_status(e, weft_launch(k_matrices, blocks, threads, 0, weft__stream(e), t));
}

weft_status run_plain(const weft__exec *e)
{
    return run(e, weft__matrix_problem{});
}

weft_status run_with_rtol(const weft__exec *e)
{
    weft__matrix_problem problem = {};
    problem.rtol = e->attrs->rtol.rtol;
    return run(e, problem);
}

} /* namespace */

extern "C" weft_status weft__cuda_cholesky(const weft__exec *e)
{
    return run_plain(e);
}

extern "C" weft_status weft__cuda_triangular_solve(const weft__exec *e)
{
    weft__matrix_problem problem = {};
    problem.upper = e->attrs->triangle.upper != 0;
    problem.unit = e->attrs->triangle.unit != 0;
    return run(e, problem);
}

extern "C" weft_status weft__cuda_solve(const weft__exec *e)
{
    return run_plain(e);
}

extern "C" weft_status weft__cuda_inverse(const weft__exec *e)
{
    return run_plain(e);
}

extern "C" weft_status weft__cuda_det(const weft__exec *e)
{
    return run_plain(e);
}

extern "C" weft_status weft__cuda_slogdet(const weft__exec *e)
{
    return run_plain(e);
}

extern "C" weft_status weft__cuda_cofactor(const weft__exec *e)
{
    return run_plain(e);
}

extern "C" weft_status weft__cuda_cofactor_grad(const weft__exec *e)
{
    return run_plain(e);
}

extern "C" weft_status weft__cuda_qr(const weft__exec *e)
{
    return run_plain(e);
}

extern "C" weft_status weft__cuda_eigh(const weft__exec *e)
{
    return run_plain(e);
}

extern "C" weft_status weft__cuda_svd(const weft__exec *e)
{
    return run_plain(e);
}

extern "C" weft_status weft__cuda_pinv(const weft__exec *e)
{
    return run_with_rtol(e);
}

extern "C" weft_status weft__cuda_matrix_exp(const weft__exec *e)
{
    return run_plain(e);
}

extern "C" weft_status weft__cuda_reciprocal_gaps(const weft__exec *e)
{
    return run_with_rtol(e);
}
