/* timing.c - what time_matmul measures: cuBLASLt's algorithms against each other, and an activation as its epilogue against
 * one as a kernel after the product. The second is worth a look because an epilogue that keeps GELU's sums gains little on
 * some GPUs and loses on others. */
#include <math.h>
#include "blas.h"

enum { TIMED_RUNS = 5 };

const cublasLtMatmulAlgo_t weft__blas_no_algorithm;

/* What is timed: plan by algorithm, then rest if there is one. */
typedef struct contender {
    weft__blas_plan *plan;
    const cublasLtMatmulAlgo_t *algorithm;
    const weft__blas_data *data;
    weft__cuda_rest rest;
} contender;

static bool run(const weft__exec *e, const weft__blas *blas, const contender *c)
{
    return weft__blas_run_plan(e, blas, c->plan, c->algorithm, c->data) == CUBLAS_STATUS_SUCCESS &&
           (!c->rest || c->rest(e) == WEFT_OK);
}

/* Milliseconds of TIMED_RUNS runs after one to warm up; infinite if it does not run. */
static cudaError_t time_one(const weft__exec *e, const weft__blas *blas, const contender *c, const cudaEvent_t *events,
                            float *time)
{
    *time = INFINITY;
    for (int k = 0; k <= TIMED_RUNS; k++) {
        cudaError_t error = k == 1 ? cudaEventRecord(events[0], weft__stream(e)) : cudaSuccess;
        if (error != cudaSuccess)
            return error;
        if (!run(e, blas, c))
            return cudaSuccess;
    }
    cudaError_t error = cudaEventRecord(events[1], weft__stream(e));
    if (error == cudaSuccess)
        error = cudaEventSynchronize(events[1]);
    return error == cudaSuccess ? cudaEventElapsedTime(time, events[0], events[1]) : error;
}

/* Which of n is the fastest; *fastest stays if none runs. */
static cudaError_t time_all(const weft__exec *e, const weft__blas *blas, const contender *contenders, int n,
                            int *fastest)
{
    cudaEvent_t events[2] = {NULL, NULL};
    float best = INFINITY;
    cudaError_t error = cudaEventCreate(&events[0]);
    if (error == cudaSuccess)
        error = cudaEventCreate(&events[1]);
    for (int k = 0; k < n && error == cudaSuccess; k++) {
        float time;
        error = time_one(e, blas, &contenders[k], events, &time);
        if (error == cudaSuccess && time < best) {
            best = time;
            *fastest = k;
        }
    }
    for (int k = 0; k < 2; k++)
        if (events[k])
            (void)cudaEventDestroy(events[k]);
    return error;
}

cudaError_t weft__blas_fastest(const weft__exec *e, const weft__blas *blas, weft__blas_plan *plan,
                               const cublasLtMatmulHeuristicResult_t *candidates, int n, const weft__blas_data *data,
                               int *fastest)
{
    contender contenders[WEFT__BLAS_CANDIDATES];
    for (int k = 0; k < n; k++)
        contenders[k] = (contender){plan, &candidates[k].algo, data, NULL};
    return time_all(e, blas, contenders, n, fastest);
}

weft_status weft__blas_weigh(const weft__exec *e, const weft__blas *blas, weft__blas_step *whole,
                             weft__blas_step *plain, weft__cuda_rest rest, bool *faster)
{
    const contender contenders[] = {{&whole->plan, &whole->plan.algorithm, &whole->data, NULL},
                                    {&plain->plan, &plain->plan.algorithm, &plain->data, rest}};
    int fastest = 0;
    const weft_status status = weft__cuda_status(e, time_all(e, blas, contenders, 2, &fastest));
    *faster = fastest == 0;
    return status;
}
