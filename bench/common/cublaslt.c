/* cublaslt.c - see cublaslt.h. */
#include "cublaslt.h"
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "measure.h"

#ifdef BENCH_HAS_CUBLASLT
#include <cublasLt.h>
#include <cuda_runtime_api.h>

enum {
    CANDIDATES = 128,
    FINALISTS = 4, /* are timed again, in turns */
    FINALS = 5
};

static const int64_t workspace_bytes = (int64_t)64 << 20;

/* The functions that are used: X(member, function). */
#define FUNCTIONS(X)                                                                                                   \
    X(create, cublasLtCreate)                                                                                          \
    X(destroy, cublasLtDestroy)                                                                                        \
    X(operation_init, cublasLtMatmulDescInit_internal)                                                                 \
    X(operation_set, cublasLtMatmulDescSetAttribute)                                                                   \
    X(layout_init, cublasLtMatrixLayoutInit_internal)                                                                  \
    X(layout_set, cublasLtMatrixLayoutSetAttribute)                                                                    \
    X(preference_init, cublasLtMatmulPreferenceInit_internal)                                                          \
    X(preference_set, cublasLtMatmulPreferenceSetAttribute)                                                            \
    X(heuristic, cublasLtMatmulAlgoGetHeuristic)                                                                       \
    X(matmul, cublasLtMatmul)

struct bench_lt {
    weft_ctx *ctx;
    cublasLtHandle_t handle;
#define MEMBER(member, function) __typeof__(function) *member;
    FUNCTIONS(MEMBER)
#undef MEMBER
};

struct bench_lt_plan {
    bench_lt *lt;
    bench_product p;
    weft_custom_op op; /* the product as an operation, so that it runs on the context's stream */
    weft_tensor *a, *b, *workspace;
    cublasLtMatmulDescOpaque_t operation;
    cublasLtMatrixLayoutOpaque_t a_layout, b_layout, y_layout;
    cublasLtMatmulHeuristicResult_t found[CANDIDATES];
    double seconds[CANDIDATES]; /* of one run; INFINITY: it does not run */
    int n, chosen;
};

/* ---- The library ---- */

static bool find_functions(bench_lt *lt, void *library)
{
    void *symbol;
#define FIND(member, function)                                                                                         \
    symbol = dlsym(library, #function);                                                                                \
    if (!symbol)                                                                                                       \
        return false;                                                                                                  \
    memcpy(&lt->member, &symbol, sizeof symbol); /* ISO C has no cast from object to function pointers */
    FUNCTIONS(FIND)
#undef FIND
    return true;
}

static void *open_library(const char *path)
{
    const char *given = getenv("WEFT_CUBLASLT");
    char name[64];
    if (given && strcmp(given, "self") == 0)
        return dlopen(NULL, RTLD_NOW);
    snprintf(name, sizeof name, "libcublasLt.so.%d", CUDART_VERSION / 1000);
    return dlopen(path[0] ? path : name, RTLD_NOW | RTLD_LOCAL);
}

bench_lt *bench_lt_open(weft_ctx *ctx, const char *path, char *note, size_t size)
{
    void *library = open_library(path);
    if (!library) {
        snprintf(note, size, "%s", dlerror());
        return NULL;
    }
    bench_lt *lt = calloc(1, sizeof *lt);
    if (lt && find_functions(lt, library) && lt->create(&lt->handle) == CUBLAS_STATUS_SUCCESS) {
        lt->ctx = ctx;
        return lt;
    }
    snprintf(note, size, "the cuBLASLt that was opened lacks a function, or gives no handle");
    free(lt);
    return NULL;
}

void bench_lt_close(bench_lt *lt)
{
    if (lt)
        (void)lt->destroy(lt->handle);
    free(lt);
}

/* ---- A product as an operation ---- */

static cublasStatus_t run_candidate(const bench_lt_plan *plan, int k, const weft_array *in, void *y, void *stream)
{
    const float one = 1, zero = 0;
    return plan->lt->matmul(plan->lt->handle, (cublasLtMatmulDesc_t)&plan->operation, &one, in[1].data,
                            (cublasLtMatrixLayout_t)&plan->b_layout, in[0].data,
                            (cublasLtMatrixLayout_t)&plan->a_layout, &zero, y, (cublasLtMatrixLayout_t)&plan->y_layout,
                            y, (cublasLtMatrixLayout_t)&plan->y_layout, &plan->found[k].algo, in[2].data,
                            (size_t)workspace_bytes, (cudaStream_t)stream);
}

static weft_status forward_cuda(weft_ctx *ctx, const weft_array *in, int n, weft_array *out, void *stream, void *user)
{
    const bench_lt_plan *plan = user;
    (void)n;
    const cublasStatus_t status = run_candidate(plan, plan->chosen, in, out->data, stream);
    if (status == CUBLAS_STATUS_SUCCESS)
        return WEFT_OK;
    return weft_ctx_fail(ctx, WEFT_E_DEVICE, "cublasLtMatmul of the benchmark gives status %d", (int)status);
}

static weft_status infer(weft_ctx *ctx, const weft_array *in, int n, weft_dtype *dtype, int64_t *shape, int *ndim,
                         void *user)
{
    const bench_product *p = &((const bench_lt_plan *)user)->p;
    (void)ctx, (void)in, (void)n;
    *dtype = p->dtype;
    *ndim = 3;
    shape[0] = p->batches;
    shape[1] = p->m;
    shape[2] = p->n;
    return WEFT_OK;
}

void bench_lt_run(bench_lt_plan *plan)
{
    weft_custom(&plan->op, (weft_tensor *[]){plan->a, plan->b, plan->workspace}, 3);
}

/* ---- Descriptors: cuBLASLt works by column, so it gets y^T = b^T a^T ---- */

static cudaDataType type_of(weft_dtype dtype)
{
    return dtype == WEFT_F16 ? CUDA_R_16F : dtype == WEFT_BF16 ? CUDA_R_16BF : CUDA_R_32F;
}

static bool make_layout(const bench_lt_plan *plan, cublasLtMatrixLayout_t layout, int64_t rows, int64_t columns)
{
    const bench_lt *lt = plan->lt;
    const int32_t batches = (int32_t)plan->p.batches;
    const int64_t stride = rows * columns;
    return lt->layout_init(layout, sizeof *layout, type_of(plan->p.dtype), (uint64_t)columns, (uint64_t)rows,
                           columns) == CUBLAS_STATUS_SUCCESS &&
           lt->layout_set(layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &batches, sizeof batches) ==
               CUBLAS_STATUS_SUCCESS &&
           lt->layout_set(layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride, sizeof stride) ==
               CUBLAS_STATUS_SUCCESS;
}

static bool make_descriptors(bench_lt_plan *plan)
{
    const bench_lt *lt = plan->lt;
    const bench_product *p = &plan->p;
    const int32_t b_op = p->b_turned ? CUBLAS_OP_T : CUBLAS_OP_N, a_op = p->a_turned ? CUBLAS_OP_T : CUBLAS_OP_N;
    const cublasComputeType_t compute =
        p->tf32 && p->dtype == WEFT_F32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
    return lt->operation_init(&plan->operation, sizeof plan->operation, compute, CUDA_R_32F) == CUBLAS_STATUS_SUCCESS &&
           lt->operation_set(&plan->operation, CUBLASLT_MATMUL_DESC_TRANSA, &b_op, sizeof b_op) ==
               CUBLAS_STATUS_SUCCESS &&
           lt->operation_set(&plan->operation, CUBLASLT_MATMUL_DESC_TRANSB, &a_op, sizeof a_op) ==
               CUBLAS_STATUS_SUCCESS &&
           make_layout(plan, &plan->a_layout, p->a_turned ? p->k : p->m, p->a_turned ? p->m : p->k) &&
           make_layout(plan, &plan->b_layout, p->b_turned ? p->n : p->k, p->b_turned ? p->k : p->n) &&
           make_layout(plan, &plan->y_layout, p->m, p->n);
}

/* All proposals: no alignment below the arrays' 256 bytes, no restriction to sums that repeat bit by bit. */
static void propose(bench_lt_plan *plan)
{
    cublasLtMatmulPreferenceOpaque_t preference;
    const bench_lt *lt = plan->lt;
    const uint64_t bytes = (uint64_t)workspace_bytes;
    int n = 0;
    if (lt->preference_init(&preference, sizeof preference) != CUBLAS_STATUS_SUCCESS ||
        lt->preference_set(&preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &bytes, sizeof bytes) !=
            CUBLAS_STATUS_SUCCESS ||
        lt->heuristic(lt->handle, &plan->operation, &plan->b_layout, &plan->a_layout, &plan->y_layout, &plan->y_layout,
                      &preference, CANDIDATES, plan->found, &n) != CUBLAS_STATUS_SUCCESS)
        return;
    for (int k = 0; k < n; k++)
        if (plan->found[k].state == CUBLAS_STATUS_SUCCESS)
            plan->found[plan->n++] = plan->found[k];
}

/* ---- The fastest ---- */

/* Seconds of one of `times` runs of candidate k; INFINITY if it does not run. */
static double time_candidate(bench_lt_plan *plan, int k, int times)
{
    weft_ctx *ctx = plan->lt->ctx;
    plan->chosen = k;
    const double start = bench_now();
    for (int t = 0; t < times; t++) {
        const int mark = weft_scope_push(ctx);
        bench_lt_run(plan);
        if (weft_scope_pop(ctx, mark) != WEFT_OK)
            break;
    }
    weft_synchronise(ctx);
    const double seconds = (bench_now() - start) / times;
    return weft_ctx_clear(ctx) == WEFT_OK ? seconds : (double)INFINITY;
}

static int fastest_of(const bench_lt_plan *plan)
{
    int best = 0;
    for (int k = 1; k < plan->n; k++)
        if (plan->seconds[k] < plan->seconds[best])
            best = k;
    return best;
}

/* The FINALISTS best of the first timing once more; those behind them are out. */
static void run_finals(bench_lt_plan *plan)
{
    int at[FINALISTS], n = 0;
    double times[FINALISTS];
    for (; n < FINALISTS && n < plan->n; n++) {
        at[n] = fastest_of(plan);
        times[n] = plan->seconds[at[n]];
        plan->seconds[at[n]] = INFINITY;
    }
    for (int k = 0; k < plan->n; k++)
        plan->seconds[k] = INFINITY;
    for (int round = 0; round < FINALS; round++)
        for (int k = 0; k < n; k++)
            if (isfinite(times[k]))
                plan->seconds[at[k]] =
                    fmin(plan->seconds[at[k]], time_candidate(plan, at[k], 1 + (int)(1e-3 / times[k])));
}

static bool choose(bench_lt_plan *plan)
{
    double best = INFINITY;
    for (int k = 0; k < plan->n; k++) {
        const double once = time_candidate(plan, k, 1);
        plan->seconds[k] = once < 1.5 * best ? time_candidate(plan, k, 3) : once; /* the others are out already */
        best = fmin(best, plan->seconds[k]);
    }
    if (!isfinite(best))
        return false;
    run_finals(plan);
    plan->chosen = fastest_of(plan);
    return isfinite(plan->seconds[plan->chosen]);
}

static void make_operands(bench_lt_plan *plan)
{
    const bench_product *p = &plan->p;
    weft_ctx *c = plan->lt->ctx;
    plan->a =
        weft_rand(c, p->dtype, WEFT_DIMS(p->batches, p->a_turned ? p->k : p->m, p->a_turned ? p->m : p->k), -1, 1);
    plan->b =
        weft_rand(c, p->dtype, WEFT_DIMS(p->batches, p->b_turned ? p->n : p->k, p->b_turned ? p->k : p->n), -1, 1);
    plan->workspace = weft_zeros(c, WEFT_U8, WEFT_DIMS(workspace_bytes));
}

bench_lt_plan *bench_lt_prepare(bench_lt *lt, const bench_product *p, char *message, size_t size)
{
    bench_lt_plan *plan = calloc(1, sizeof *plan);
    if (!plan) {
        snprintf(message, size, "out of host memory");
        return NULL;
    }
    plan->lt = lt;
    plan->p = *p;
    plan->op = (weft_custom_op){.struct_size = sizeof plan->op,
                                .name = "cublaslt",
                                .infer = infer,
                                .devices = {{"cuda", forward_cuda}},
                                .user = plan};
    make_operands(plan);
    if (weft_ctx_status(lt->ctx) != WEFT_OK) {
        snprintf(message, size, "%s", weft_ctx_message(lt->ctx));
        weft_ctx_clear(lt->ctx);
    } else if (!make_descriptors(plan)) {
        snprintf(message, size, "cuBLASLt refuses a descriptor");
    } else {
        propose(plan);
        if (choose(plan))
            return plan;
        snprintf(message, size, "none of cuBLASLt's %d algorithms runs", plan->n);
    }
    free(plan);
    return NULL;
}

int bench_lt_candidates(const bench_lt_plan *plan)
{
    return plan->n;
}

void bench_lt_drop(bench_lt_plan *plan)
{
    free(plan);
}

#else

bench_lt *bench_lt_open(weft_ctx *ctx, const char *path, char *note, size_t size)
{
    (void)ctx, (void)path;
    snprintf(note, size, "bench_ops was built without cublasLt.h");
    return NULL;
}

void bench_lt_close(bench_lt *lt)
{
    (void)lt;
}

bench_lt_plan *bench_lt_prepare(bench_lt *lt, const bench_product *p, char *message, size_t size)
{
    (void)lt, (void)p, (void)message, (void)size;
    return NULL;
}

int bench_lt_candidates(const bench_lt_plan *plan)
{
    (void)plan;
    return 0;
}

void bench_lt_drop(bench_lt_plan *plan)
{
    (void)plan;
}

void bench_lt_run(bench_lt_plan *plan)
{
    (void)plan;
}

#endif
