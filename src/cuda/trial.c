/* trial.c - a plan with an activation is tried once on numbers whose results are known, before it is used.
 *
 * cuBLASLt's documentation says max(x, 0) and GELU, but neither what becomes of a NaN, which must stay one here, nor
 * how exact its GELU is. The numbers go in as the y of act(0 a b + 1 y). Operands that hold a NaN or an infinity spoil
 * the trial, which then says nothing of the plan; a product that has no room for all numbers is done without. */
#include <math.h>
#include "blas.h"
#include "base/half.h"
#include "base/scalar.h"

enum { COUNT = 16 };

static const float numbers[COUNT] = {NAN,   -0.5f, 1.25f, -4.0f,  4.0f,     0.0f, -1.0f, 0.75f,
                                     -2.5f, 2.0f,  -3.0f, 0.125f, -0.0625f, 6.0f, -6.0f, -1.5f};

static void store(int64_t dtype, void *to, int k, float x)
{
    if (dtype == WEFT_F64)
        ((double *)to)[k] = (double)x;
    else if (dtype == WEFT_F32)
        ((float *)to)[k] = x;
    else
        ((uint16_t *)to)[k] = dtype == WEFT_F16 ? weft__f16_from_f32(x) : weft__bf16_from_f32(x);
}

static double load(int64_t dtype, const void *from, int k)
{
    if (dtype == WEFT_F64)
        return ((const double *)from)[k];
    if (dtype == WEFT_F32)
        return (double)((const float *)from)[k];
    const uint16_t half = ((const uint16_t *)from)[k];
    return (double)(dtype == WEFT_F16 ? weft__f16_to_f32(half) : weft__bf16_to_f32(half));
}

/* How far a result near 1 may be off: a few roundings. Products in TF32 are no more exact than its 11 bits. */
static double tolerance_of(const int64_t *key)
{
    switch (key[WEFT__KEY_DTYPE]) {
    case WEFT_F64:
        return 1e-14;
    case WEFT_F16:
        return 2e-3;
    case WEFT_BF16:
        return 1.6e-2;
    default:
        return key[WEFT__KEY_TF32] ? 1e-3 : 2e-6;
    }
}

static weft__blas_verdict judge(const weft__blas_key *key, const void *results)
{
    const bool relu = weft__blas_has(key, CUBLASLT_EPILOGUE_RELU);
    weft__blas_verdict verdict = WEFT__BLAS_RIGHT;
    for (int k = 0; k < COUNT; k++) {
        const double x = (double)numbers[k], want = relu ? weft__f_relu_f64(x) : weft__f_gelu_tanh_f64(x);
        const double got = load(key->part[WEFT__KEY_DTYPE], results, k);
        if (!isnan(x) && isnan(got)) /* 0 times what an operand holds */
            return WEFT__BLAS_SPOILT;
        if (isnan(x) ? !isnan(got) : !(fabs(got - want) <= tolerance_of(key->part) * (1 + fabs(want))))
            verdict = WEFT__BLAS_WRONG;
    }
    return verdict;
}

/* y [m, n] = numbers, then zeros; vector, if there is one, [n] zeros. */
static cudaError_t set_up(const weft__exec *e, const weft__blas_key *key, const weft__blas_data *data, void *vector,
                          const void *first, size_t bytes)
{
    const size_t each = weft__cuda_bytes((int32_t)key->part[WEFT__KEY_DTYPE]);
    const size_t n = (size_t)key->part[WEFT__KEY_N], m = (size_t)key->part[WEFT__KEY_M];
    cudaError_t error = cudaMemsetAsync(data->y, 0, m * n * each, weft__stream(e));
    if (error == cudaSuccess && vector)
        error = cudaMemsetAsync(vector, 0, n * each, weft__stream(e));
    if (error == cudaSuccess)
        error = cudaMemcpyAsync(data->y, first, bytes, cudaMemcpyHostToDevice, weft__stream(e));
    return error;
}

static cudaError_t fetch(const weft__exec *e, const void *y, void *results, size_t bytes)
{
    const cudaError_t error = cudaMemcpyAsync(results, y, bytes, cudaMemcpyDeviceToHost, weft__stream(e));
    return error == cudaSuccess ? cudaStreamSynchronize(weft__stream(e)) : error;
}

weft_status weft__blas_try_plan(const weft__exec *e, const weft__blas *blas, weft__blas_plan *plan,
                                const weft__blas_data *data, weft__blas_verdict *verdict)
{
    const int64_t *key = plan->key.part;
    const size_t each = weft__cuda_bytes((int32_t)key[WEFT__KEY_DTYPE]), bytes = COUNT * each;
    double buffer[COUNT]; /* of the dtype's elements */
    weft__blas_data trial = *data;
    trial.is_trial = true;
    *verdict = WEFT__BLAS_WRONG;
    if (key[WEFT__KEY_M] * key[WEFT__KEY_N] < COUNT)
        return WEFT_OK;
    void *zeros = data->vector ? weft__scratch(e, key[WEFT__KEY_N], each) : NULL;
    if (data->vector && !zeros)
        return WEFT_E_NOMEM;
    trial.vector = zeros;
    for (int k = 0; k < COUNT; k++)
        store(key[WEFT__KEY_DTYPE], buffer, k, numbers[k]);
    weft_status status = weft__cuda_status(e, set_up(e, &plan->key, data, zeros, buffer, bytes));
    if (status != WEFT_OK)
        return status;
    const cublasStatus_t ran = weft__blas_run_plan(e, blas, plan, &plan->algorithm, &trial);
    if (weft__blas_refuses(&plan->key, ran))
        return WEFT_OK;
    if (ran != CUBLAS_STATUS_SUCCESS)
        return weft__blas_fail(e, blas, ran, "cublasLtMatmul");
    status = weft__cuda_status(e, fetch(e, data->y, buffer, bytes));
    if (status == WEFT_OK)
        *verdict = judge(&plan->key, buffer);
    return status;
}
