/* create.cu - arrays made from numbers: FILL, fill_ and ARANGE; and the probe for kernels of this GPU. */
#include <cstring>
#include "base/number.h"
#include "base/rng.h"
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "space.h"
#include "types.h"

namespace
{

enum { THREADS = 256 };

/* ---- Fill ---- */

/* y[bytes / 16] packs of one pattern */
__global__ void __launch_bounds__(THREADS) k_fill(int64_t packs, uint4 *y, uint4 pattern)
{
    const int64_t step = static_cast<int64_t>(gridDim.x) * THREADS;
    for (int64_t i = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x; i < packs; i += step)
        y[i] = pattern;
}

/* space of {y} */
template <class U> __global__ void __launch_bounds__(THREADS) k_fill_strided(weft_space<1> s, U *y, U value)
{
    const int64_t step = static_cast<int64_t>(gridDim.x) * THREADS;
    for (int64_t i = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x; i < s.count; i += step) {
        int64_t at[1];
        weft_space_offsets(s, i, at);
        y[at[0]] = value;
    }
}

template <class U> cudaError_t fill_strided(const weft__exec *e, const weft_space<1> &s, void *y, const void *element)
{
    U value;
    memcpy(&value, element, sizeof value);
    return weft_launch(k_fill_strided<U>, weft__cuda_blocks(e, s.count, THREADS), THREADS, 0, weft__stream(e), s,
                       static_cast<U *>(y), value);
}

cudaError_t fill_space(const weft__exec *e, const weft_space<1> &s, void *y, const void *element, size_t bytes)
{
    switch (bytes) {
    case 1:
        return fill_strided<uint8_t>(e, s, y, element);
    case 2:
        return fill_strided<uint16_t>(e, s, y, element);
    case 4:
        return fill_strided<uint32_t>(e, s, y, element);
    default:
        return fill_strided<uint64_t>(e, s, y, element);
    }
}

/* Packs of 16 bytes, then the elements that are left. */
cudaError_t fill_dense(const weft__exec *e, const weft__array *y, const unsigned char *element, size_t bytes)
{
    uint4 pattern;
    for (size_t at = 0; at < sizeof pattern; at += bytes)
        memcpy(reinterpret_cast<unsigned char *>(&pattern) + at, element, bytes);
    const int64_t width = static_cast<int64_t>(16 / bytes), packs = y->count / width, left = y->count % width;
    cudaError_t error = cudaSuccess;
    if (packs > 0)
        error = weft_launch(k_fill, weft__cuda_blocks(e, packs, THREADS * 4), THREADS, 0, weft__stream(e), packs,
                            static_cast<uint4 *>(y->data), pattern);
    if (error != cudaSuccess || left == 0)
        return error;
    weft_space<1> rest = {};
    rest.ndim = 1;
    rest.count = rest.shape[0] = left;
    rest.stride[0][0] = 1;
    return fill_space(e, rest, static_cast<unsigned char *>(y->data) + packs * 16, element, bytes);
}

/* y = value: any strides, any dtype. */
cudaError_t fill(const weft__exec *e)
{
    const weft__array *y = e->out[0];
    const size_t bytes = weft__cuda_bytes(y->dtype);
    unsigned char element[8], zeros[8] = {};
    if (y->count == 0)
        return cudaSuccess;
    weft__encode(y->dtype, e->attrs->fill.value, element);
    if (y->contiguous && memcmp(element, zeros, bytes) == 0)
        return cudaMemsetAsync(y->data, 0, static_cast<size_t>(y->count) * bytes, weft__stream(e));
    if (y->contiguous && weft__cuda_aligned16(y->data))
        return fill_dense(e, y, element, bytes);
    return fill_space(e, weft_make_space<1>({y}), y->data, element, bytes);
}

/* ---- Arange ---- */

struct ramp {
    double start, step, last;
    bool exact_last; /* the last element is last, not the rounded sum */
    int64_t int_start, int_step;
};

/* start + k step, rounded twice as on the host */
__device__ __forceinline__ double real_at(const ramp &r, int64_t k, int64_t count)
{
    return r.exact_last && k == count - 1 ? r.last
                                          : WEFT__RN_ADD(r.start, WEFT__RN_MUL(static_cast<double>(k), r.step));
}

template <class T> __device__ __forceinline__ T element_at(const ramp &r, int64_t k, int64_t count)
{
    if constexpr (std::is_same_v<T, float>)
        return static_cast<float>(real_at(r, k, count));
    else if constexpr (std::is_same_v<T, double>)
        return real_at(r, k, count);
    else if constexpr (std::is_same_v<T, __half>)
        return __float2half_rn(weft__f64_to_f32_odd(real_at(r, k, count)));
    else if constexpr (std::is_same_v<T, __nv_bfloat16>)
        return __float2bfloat16_rn(weft__f64_to_f32_odd(real_at(r, k, count)));
    else /* integers wrap */
        return static_cast<T>(static_cast<uint64_t>(r.int_start) +
                              static_cast<uint64_t>(k) * static_cast<uint64_t>(r.int_step));
}

/* y[count] */
template <class T> __global__ void __launch_bounds__(THREADS) k_arange(int64_t count, T *y, ramp r)
{
    const int64_t step = static_cast<int64_t>(gridDim.x) * THREADS;
    for (int64_t k = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x; k < count; k += step)
        y[k] = element_at<T>(r, k, count);
}

} /* namespace */

extern "C" weft_status weft__cuda_fill(const weft__exec *e)
{
    return weft__cuda_status(e, fill(e));
}

extern "C" weft_status weft__cuda_fill_(const weft__exec *e)
{
    return weft__cuda_status(e, fill(e));
}

/* y [n], any dtype but bool. */
extern "C" weft_status weft__cuda_arange(const weft__exec *e)
{
    const weft__array *y = e->out[0];
    const weft__arange_attrs *a = &e->attrs->arange;
    const ramp r = {a->start, a->step, a->last, a->ends != 0, a->whole_start, a->whole_step};
    if (y->count == 0)
        return WEFT_OK;
    return weft__cuda_status(e, weft_visit(y->dtype, cudaErrorInvalidValue, [&](auto name) -> cudaError_t {
                                 using T = typename decltype(name)::type;
                                 if constexpr (std::is_same_v<T, weft_bool>)
                                     return cudaErrorInvalidValue;
                                 else
                                     return weft_launch(k_arange<T>, weft__cuda_blocks(e, y->count, THREADS), THREADS,
                                                        0, weft__stream(e), y->count, static_cast<T *>(y->data), r);
                             }));
}

extern "C" cudaError_t weft__cuda_probe(void)
{
    cudaFuncAttributes attributes;
    return cudaFuncGetAttributes(&attributes, reinterpret_cast<const void *>(k_fill));
}
