/* misuse.cu - see misuse.h */
#include "misuse.h"

#include "weft_cuda.h"

namespace misuse
{
namespace
{

__global__ void k_copy(const float *x, float *y)
{
    y[threadIdx.x] = x[threadIdx.x];
}

__global__ void k_copy_vectors(const float4 *x, float4 *y)
{
    y[threadIdx.x] = x[threadIdx.x];
}

__global__ void k_early_return(float *y)
{
    if (threadIdx.x > 40)
        return;
    __syncthreads();
    y[threadIdx.x] = 1.0f;
}

__global__ void k_foreign_mask(float *y)
{
    if (threadIdx.x < 16)
        y[threadIdx.x] = __shfl_xor_sync(0xffff0000u, 1.0f, 1);
}

__global__ void k_absent_lane(float *y)
{
    float value = 1.0f;
    if (threadIdx.x < 16)
        value = __shfl_xor_sync(0x0000ffffu, static_cast<float>(threadIdx.x), 16);
    y[threadIdx.x] = value;
}

__global__ void k_local_array(float *y, int index)
{
    float local[4] = {1.0f, 2.0f, 3.0f, 4.0f};
    float *pointer = local;
    y[threadIdx.x] = pointer[index];
}

__global__ void k_foreign_local(float *y)
{
    WEFT_SHARED(float *, pointers, [32]);
    float mine = static_cast<float>(threadIdx.x);
    pointers[threadIdx.x] = &mine;
    __syncwarp();
    const float theirs = *pointers[(threadIdx.x + 31) % 32];
    __syncwarp();
    y[threadIdx.x] = theirs;
}

__global__ void k_spin(int *flag)
{
    if (threadIdx.x == 0)
        while (atomicAdd(flag, 0) == 0) {
        }
    if (threadIdx.x == 32)
        atomicExch(flag, 1);
}

__global__ void k_trap(int *flag)
{
    if (*flag == 0)
        __trap();
    *flag = 2;
}

__device__ int deeper(volatile int *depth, int level)
{
    volatile int frame[64];
    frame[level % 64] = level;
    *depth = level;
    return level < 1000000 ? deeper(depth, level + 1) + frame[level % 64] : 0;
}

__global__ void k_recurse(int *depth)
{
    *depth = deeper(depth, 0);
}

__global__ void k_bytes(unsigned char *y, bool both)
{
    y[threadIdx.x] = static_cast<unsigned char>(threadIdx.x);
    if (both)
        y[32] = static_cast<unsigned char>(threadIdx.x);
}

} /* namespace */

cudaError_t copy(const float *x, float *y, cudaStream_t stream)
{
    return weft_launch(k_copy, 1, 32, 0, stream, x, y);
}

cudaError_t copy_vectors(const float *x, float *y, cudaStream_t stream)
{
    return weft_launch(k_copy_vectors, 1, 8, 0, stream, reinterpret_cast<const float4 *>(x),
                       reinterpret_cast<float4 *>(y));
}

cudaError_t early_return(float *y, cudaStream_t stream)
{
    return weft_launch(k_early_return, 1, 64, 0, stream, y);
}

cudaError_t foreign_mask(float *y, cudaStream_t stream)
{
    return weft_launch(k_foreign_mask, 1, 32, 0, stream, y);
}

cudaError_t absent_lane(float *y, cudaStream_t stream)
{
    return weft_launch(k_absent_lane, 1, 32, 0, stream, y);
}

cudaError_t local_array(float *y, int index, cudaStream_t stream)
{
    return weft_launch(k_local_array, 1, 32, 0, stream, y, index);
}

cudaError_t foreign_local(float *y, cudaStream_t stream)
{
    return weft_launch(k_foreign_local, 1, 32, 0, stream, y);
}

cudaError_t spin(int *flag, cudaStream_t stream)
{
    return weft_launch(k_spin, 1, 64, 0, stream, flag);
}

cudaError_t trap(int *flag, cudaStream_t stream)
{
    return weft_launch(k_trap, 1, 1, 0, stream, flag);
}

cudaError_t recurse(int *depth, cudaStream_t stream)
{
    return weft_launch(k_recurse, 1, 1, 0, stream, depth);
}

cudaError_t bytes(unsigned char *y, bool both, cudaStream_t stream)
{
    return weft_launch(k_bytes, 1, 32, 0, stream, y, both);
}

} /* namespace misuse */
