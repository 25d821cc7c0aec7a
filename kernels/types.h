/* types.h - the element types of device memory, and their values in the three forms that conversions work with.
 *
 * f16 and bf16 are CUDA's own types; i64 ... u8 are C's; bool is weft_bool, a byte that is 0 or 1. */
#ifndef WEFT_KERNELS_TYPES_H
#define WEFT_KERNELS_TYPES_H

#include <weft/dtype.h>
#include "weft_cuda.h"

struct weft_bool {
    uint8_t byte;
};

/* Names a type as a value, for visitors. */
template <class T> struct weft_type_name {
    using type = T;
};

/* Calls visit(weft_type_name<T>()) with the type of a floating dtype, and gives what it returns; otherwise is returned
 * for every other dtype. */
template <class R, class Visit> inline R weft_visit_float(int32_t dtype, R otherwise, Visit &&visit)
{
    switch (dtype) {
    case WEFT_F32:
        return visit(weft_type_name<float>());
    case WEFT_F64:
        return visit(weft_type_name<double>());
    case WEFT_F16:
        return visit(weft_type_name<__half>());
    case WEFT_BF16:
        return visit(weft_type_name<__nv_bfloat16>());
    default:
        return otherwise;
    }
}

/* The same for every dtype. */
template <class R, class Visit> inline R weft_visit(int32_t dtype, R otherwise, Visit &&visit)
{
    switch (dtype) {
    case WEFT_I64:
        return visit(weft_type_name<int64_t>());
    case WEFT_I32:
        return visit(weft_type_name<int32_t>());
    case WEFT_I8:
        return visit(weft_type_name<int8_t>());
    case WEFT_U8:
        return visit(weft_type_name<uint8_t>());
    case WEFT_BOOL:
        return visit(weft_type_name<weft_bool>());
    default:
        return weft_visit_float(dtype, otherwise, visit);
    }
}

/* What elements of type T are computed in: halves in float. */
template <class T> struct weft_compute {
    using type = T;
};
template <> struct weft_compute<__half> {
    using type = float;
};
template <> struct weft_compute<__nv_bfloat16> {
    using type = float;
};
template <class T> using weft_compute_t = typename weft_compute<T>::type;

__device__ __forceinline__ float weft_load(float x)
{
    return x;
}
__device__ __forceinline__ double weft_load(double x)
{
    return x;
}
__device__ __forceinline__ float weft_load(__half x)
{
    return __half2float(x);
}
__device__ __forceinline__ float weft_load(__nv_bfloat16 x)
{
    return __bfloat162float(x);
}

/* Rounded to nearest even. */
__device__ __forceinline__ void weft_store(float *y, float x)
{
    *y = x;
}
__device__ __forceinline__ void weft_store(double *y, double x)
{
    *y = x;
}
__device__ __forceinline__ void weft_store(__half *y, float x)
{
    *y = __float2half_rn(x);
}
__device__ __forceinline__ void weft_store(__nv_bfloat16 *y, float x)
{
    *y = __float2bfloat16_rn(x);
}

/* N elements that move as one access, of 16 bytes at most; the address must be aligned to it. */
template <class T, int N> struct alignas(sizeof(T) * N < 16 ? sizeof(T) * N : 16) weft_pack {
    T element[N];
};

#endif
