/* activation.h - what LINEAR_ACT makes of its sums while they are in registers. */
#ifndef WEFT_KERNELS_ACTIVATION_H
#define WEFT_KERNELS_ACTIVATION_H

#include <weft/params.h>
#include "base/scalar.h"
#include "weft_cuda.h"

/* activation: a weft_activation, the same for all threads. */
__device__ __forceinline__ float weft_activate(int32_t activation, float x)
{
    return activation == WEFT_ACTIVATION_RELU        ? weft__f_relu_f32(x)
           : activation == WEFT_ACTIVATION_GELU_TANH ? weft__f_gelu_tanh_f32(x)
                                                     : x;
}

__device__ __forceinline__ double weft_activate(int32_t activation, double x)
{
    return activation == WEFT_ACTIVATION_RELU        ? weft__f_relu_f64(x)
           : activation == WEFT_ACTIVATION_GELU_TANH ? weft__f_gelu_tanh_f64(x)
                                                     : x;
}

#endif
