/* half.h - what NVIDIA's half headers offer on the device but not on the host: fused multiply-add and the commonest
 * functions. Weft's kernels compute in float; these serve the few places that stay in half precision. */
#ifndef WEFT_TESTS_SIMT_HALF_H
#define WEFT_TESTS_SIMT_HALF_H

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cmath>

/* The product of two halves is exact in double, so the result is rounded once. */
inline __half __hfma(__half x, __half y, __half z)
{
    const double product = static_cast<double>(__half2float(x)) * static_cast<double>(__half2float(y));
    return __double2half(product + static_cast<double>(__half2float(z)));
}
inline __nv_bfloat16 __hfma(__nv_bfloat16 x, __nv_bfloat16 y, __nv_bfloat16 z)
{
    const double product = static_cast<double>(__bfloat162float(x)) * static_cast<double>(__bfloat162float(y));
    return __double2bfloat16(product + static_cast<double>(__bfloat162float(z)));
}
inline __half2 __hfma2(__half2 x, __half2 y, __half2 z)
{
    return __halves2half2(__hfma(x.x, y.x, z.x), __hfma(x.y, y.y, z.y));
}
inline __nv_bfloat162 __hfma2(__nv_bfloat162 x, __nv_bfloat162 y, __nv_bfloat162 z)
{
    return __halves2bfloat162(__hfma(x.x, y.x, z.x), __hfma(x.y, y.y, z.y));
}

#define SIMT_HALF_1(name, function)                                                                                    \
    inline __half name(__half x)                                                                                       \
    {                                                                                                                  \
        return __float2half_rn(function(__half2float(x)));                                                             \
    }                                                                                                                  \
    inline __nv_bfloat16 name(__nv_bfloat16 x)                                                                         \
    {                                                                                                                  \
        return __float2bfloat16_rn(function(__bfloat162float(x)));                                                     \
    }
SIMT_HALF_1(hexp, expf)
SIMT_HALF_1(hlog, logf)
SIMT_HALF_1(hsqrt, sqrtf)
SIMT_HALF_1(hrsqrt, 1.0f / sqrtf)
SIMT_HALF_1(hrcp, 1.0f /)
SIMT_HALF_1(hsin, sinf)
SIMT_HALF_1(hcos, cosf)
#undef SIMT_HALF_1

#endif
