/* simt.h - what kernels/weft_cuda.h includes when the compiler is not nvcc: CUDA's kernel language for a host C++
 * compiler.
 *
 * Types and prototypes come from NVIDIA's real headers, so that a drifting signature is a compile error here. The
 * execution-space keywords become nothing; threadIdx and friends are variables that the scheduler sets at each switch
 * between threads; barriers, warp operations, atomics and intrinsics are functions. */
#ifndef WEFT_TESTS_SIMT_H
#define WEFT_TESTS_SIMT_H

#include <cuda_runtime_api.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <vector_functions.h>

#undef __global__
#undef __device__
#undef __host__
#undef __shared__
#undef __constant__
#undef __launch_bounds__
#undef __grid_constant__
#undef __forceinline__
#undef __noinline__
/* gcc's hooks miss a store of the form "*p = f()" when f returns a struct and is not inlined (a half, say): so
 * everything that a kernel calls goes into it. */
#if defined(__SANITIZE_THREAD__)
#define __global__ __attribute__((flatten))
#else
#define __global__
#endif
#define __device__
#define __host__
#define __shared__ use_WEFT_SHARED_instead_of__shared__
/* Constant memory is read-only data, initialised where it is defined (so no cudaMemcpyToSymbol). */
#define __constant__ const
#define __launch_bounds__(...)
#define __grid_constant__
#define __forceinline__ inline __attribute__((always_inline))

#include "simt/core.h"
#include "simt/launch.h"
#include "simt/warp.h"
#include "simt/atomic.h"
#include "simt/math.h"
#include "simt/half.h"

inline constexpr const uint3 &threadIdx = simt::builtins.thread_idx;
inline constexpr const uint3 &blockIdx = simt::builtins.block_idx;
inline constexpr const dim3 &blockDim = simt::builtins.block_dim;
inline constexpr const dim3 &gridDim = simt::builtins.grid_dim;
inline constexpr int warpSize = 32;

/* The static is a different object in each instantiation of a template, as shared memory is. */
#define SIMT_SHARED(T, name, dims)                                                                                     \
    using name##_array = T dims;                                                                                       \
    static constexpr char name##_key = 0;                                                                              \
    name##_array &name =                                                                                               \
        *static_cast<name##_array *>(::simt::shared_array(&name##_key, sizeof(name##_array), alignof(T)))
#define SIMT_DYN_SHARED(T, name) T *name = static_cast<T *>(::simt::dynamic_shared())

#endif
