/* timing.c - what time_matmul measures: cuBLASLt's algorithms against each other, and an activation as its epilogue
 * against one as a kernel after the product. The second is worth a look because an epilogue that keeps GELU's sums
 * gains little on some GPUs and loses on others. */
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

/* *ran: false if the library refuses. */
static weft_status run(const weft__exec *e, const weft__blas *blas, const contender *c, bool *ran)
{
    *ran = weft__blas_run_plan(e, blas, c->plan, c->algorithm, c->data) == CUBLAS_STATUS_SUCCESS;
    return *ran && c->rest ? c->rest(e) : WEFT_OK;
}

/* Milliseconds of TIMED_RUNS runs after one to warm up; infinite if it does not run. */
static weft_status time_one(const weft__exec *e, const weft__blas *blas, const contender *c, const cudaEvent_t *events,
                            float *time)
{
    *time = INFINITY;
    for (int k = 0; k <= TIMED_RUNS; k++) {
        bool ran = false;
        weft_status status = WEFT_OK;
        if (k == 1)
            status = weft__cuda_status(e, cudaEventRecord(events[0], weft__stream(e)));
        if (status == WEFT_OK)
            status = run(e, blas, c, &ran);
        if (status != WEFT_OK || !ran)
            return status;
    }
    cudaError_t error = cudaEventRecord(events[1], weft__stream(e));
    if (error == cudaSuccess)
        error = cudaEventSynchronize(events[1]);
    if (error == cudaSuccess)
        error = cudaEventElapsedTime(time, events[0], events[1]);
    return weft__cuda_status(e, error);
}

/* Which of n is the fastest; -1: none runs. */
static weft_status time_all(const weft__exec *e, const weft__blas *blas, const contender *contenders, int n,
                            int *fastest)
{
    cudaEvent_t events[2] = {NULL, NULL};
    float best = INFINITY;
    *fastest = -1;
    cudaError_t error = cudaEventCreate(&events[0]);
    if (error == cudaSuccess)
        error = cudaEventCreate(&events[1]);
    weft_status status = weft__cuda_status(e, error);
    for (int k = 0; k < n && status == WEFT_OK; k++) {
        float time;
        status = time_one(e, blas, &contenders[k], events, &time);
        if (status == WEFT_OK && time < best) {
            best = time;
            *fastest = k;
        }
    }
    for (int k = 0; k < 2; k++)
        if (events[k])
            (void)cudaEventDestroy(events[k]);
    return status;
}

weft_status weft__blas_fastest(const weft__exec *e, const weft__blas *blas, weft__blas_plan *plan,
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
    int fastest;
    const weft_status status = time_all(e, blas, contenders, 2, &fastest);
    *faster = fastest == 0;
    return status;
}
