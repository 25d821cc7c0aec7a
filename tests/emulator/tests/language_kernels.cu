/* language_kernels.cu - see language_kernels.h */
#include "language_kernels.h"

#include "weft_cuda.h"

namespace language
{
namespace
{

constexpr unsigned all_lanes = 0xffffffffu;

__global__ void k_indices(int *y)
{
    const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
    const unsigned position = block * (blockDim.x * blockDim.y * blockDim.z) + thread;
    y[position] = static_cast<int>(position);
}

__global__ void k_struct_argument(int *y, const Numbers numbers, int scale)
{
    y[threadIdx.x] = numbers.values[threadIdx.x] + scale;
}

__constant__ float table[4] = {1.0f, 2.0f, 4.0f, 8.0f};

__global__ void k_constant_table(float *y)
{
    y[threadIdx.x] = table[threadIdx.x];
}

__global__ void k_shared_arrays(unsigned *y, int dynamic_words)
{
    WEFT_SHARED(unsigned, first, [3]);
    WEFT_SHARED(double, second, [2][2]);
    WEFT_DYN_SHARED(unsigned, dynamic);
    first[0] = first[1] = first[2] = 1;
    second[0][0] = second[0][1] = second[1][0] = second[1][1] = 2.0;
    for (int i = 0; i < dynamic_words; i++)
        dynamic[i] = 3;
    y[0] = first[0] == 1 && first[2] == 1 && second[1][1] == 2.0 && dynamic[dynamic_words - 1] == 3;
}

__global__ void k_large_dynamic_shared(float *y, int count)
{
    WEFT_DYN_SHARED(float, values);
    for (int i = 0; i < count; i++)
        values[i] = 1.0f;
    y[0] = values[count - 1];
}

__global__ void k_large_static_shared(float *y)
{
    WEFT_SHARED(float, first, [6 << 10]);
    WEFT_SHARED(float, second, [6 << 10]);
    first[0] = second[0] = 1.0f;
    y[0] = first[0] + second[0];
}

__global__ void k_atomics(Atomics *y)
{
    const int i = static_cast<int>(threadIdx.x);
    atomicAdd(&y->add, i);
    atomicSub(&y->sub, i);
    atomicMin(&y->minimum, -i);
    atomicMax(&y->maximum, i);
    if (i == 7)
        atomicExch(&y->exchanged, 7);
    atomicAnd(&y->bit_and, ~i);
    atomicOr(&y->bit_or, i);
    atomicXor(&y->bit_xor, i);
    atomicInc(&y->increment, 9u);
    atomicDec(&y->decrement, 9u);
    if (i == 0)
        atomicCAS(&y->swapped, 5u, 6u);
    atomicAdd(&y->add_long, 1ull << 40);
    atomicAdd(&y->add_float, 0.5f);
    atomicAdd(&y->add_double, 0.25);
}

__global__ void k_half_atomics(__half *half, __nv_bfloat16 *bfloat)
{
    atomicAdd(half, __float2half_rn(1.0f));
    atomicAdd(bfloat, __float2bfloat16_rn(1.0f));
}

__global__ void k_float_intrinsics(float *y)
{
    const float two = static_cast<float>(blockDim.x) * 2.0f; /* not known to the compiler */
    int i = 0;
    y[i++] = __expf(two);
    y[i++] = __logf(two);
    y[i++] = __fdividef(1.0f, two);
    y[i++] = rsqrtf(two);
    y[i++] = __saturatef(two);
    y[i++] = __fmaf_rn(two, two, 1.0f);
    y[i++] = __int_as_float(__float_as_int(two) + 1);
    y[i++] = fminf(two, 1.0f) + max(two, 1.0f);
    y[i++] = static_cast<float>(__float2int_rn(two + 0.5f));
    y[i++] = static_cast<float>(__float2int_rz(-two * 1.4f));
    y[i++] = static_cast<float>(__float2int_rz(two * 1e20f));
    y[i++] = __half2float(__hfma(__float2half_rn(two), __float2half_rn(two), __float2half_rn(1.0f)));
    y[i++] = __bfloat162float(hexp(__float2bfloat16_rn(two - 2.0f)));
    y[i++] = static_cast<float>(__longlong_as_double(__double_as_longlong(static_cast<double>(two))));
    y[i++] = normcdff(two - 2.0f) + cospif(two);
}

__global__ void k_integer_intrinsics(unsigned *y)
{
    const unsigned x = blockDim.x * 0x00f00001u;
    int i = 0;
    y[i++] = static_cast<unsigned>(__popc(x));
    y[i++] = static_cast<unsigned>(__clz(static_cast<int>(x)));
    y[i++] = static_cast<unsigned>(__ffs(static_cast<int>(x << 3)));
    y[i++] = __brev(x);
    y[i++] = __umulhi(x, x);
    y[i++] = static_cast<unsigned>(__umul64hi(1ull << 63, x));
    y[i++] = __funnelshift_l(0x80000000u, x, 1);
    y[i++] = __funnelshift_r(0x80000000u, x, 4);
    y[i++] = min(x, 3u) + max(x, 3u);
    y[i++] = static_cast<unsigned>(__dp4a(static_cast<int>(0x80ff017fu), static_cast<int>(0x80027f80u), 5));
    y[i++] = __dp4a(0x80ff017fu, 0x80027f80u, 5u);
}

__device__ int half_warp_sum(int value, unsigned mask)
{
    for (int distance = 8; distance > 0; distance /= 2)
        value += __shfl_xor_sync(mask, value, distance, 16);
    return value;
}

__global__ void k_warp(Warp what, int *y)
{
    const int lane = static_cast<int>(threadIdx.x);
    int value = 0;
    switch (what) {
    case Warp::shuffle_broadcast:
        value = __shfl_sync(all_lanes, lane, 5);
        break;
    case Warp::shuffle_up:
        value = __shfl_up_sync(all_lanes, lane, 3);
        break;
    case Warp::shuffle_down_8:
        value = __shfl_down_sync(all_lanes, lane, 2, 8);
        break;
    case Warp::shuffle_xor:
        value = __shfl_xor_sync(all_lanes, lane, 16);
        break;
    case Warp::shuffle_double:
        value = static_cast<int>(2.0 * __shfl_sync(all_lanes, lane * 0.5, lane + 1));
        break;
    case Warp::ballot:
        value = static_cast<int>(__ballot_sync(all_lanes, lane & 1));
        break;
    case Warp::votes:
        value = __any_sync(all_lanes, lane == 3) + 2 * __any_sync(all_lanes, lane == 99) +
                4 * __all_sync(all_lanes, lane < 32) + 8 * __all_sync(all_lanes, lane < 31);
        break;
    case Warp::match:
        value = static_cast<int>(__match_any_sync(all_lanes, lane / 5));
        break;
    case Warp::reduce:
        value = __reduce_min_sync(all_lanes, lane - 10) +
                static_cast<int>(__reduce_max_sync(all_lanes, static_cast<unsigned>(lane))) +
                __reduce_add_sync(all_lanes, lane);
        break;
    case Warp::half_warp:
        value = half_warp_sum(lane, lane < 16 ? 0x0000ffffu : 0xffff0000u);
        break;
    case Warp::active:
        if (lane < 4)
            return;
        __syncwarp();
        value = static_cast<int>(__activemask());
        __syncwarp(); /* nobody returns before all have asked */
        break;
    }
    y[lane] = value;
}

__global__ void k_block_votes(int *y)
{
    const int predicate = threadIdx.x < 40;
    const int count = __syncthreads_count(predicate);
    const int all = __syncthreads_and(predicate);
    const int any = __syncthreads_or(predicate);
    if (threadIdx.x != 50)
        return;
    y[0] = count;
    y[1] = all;
    y[2] = any;
}

__global__ void k_partial_warp(int *y)
{
    WEFT_SHARED(int, total, [1]);
    const int thread = static_cast<int>(threadIdx.x);
    if (thread == 0)
        total[0] = 0;
    __syncthreads();
    const unsigned mask = thread < 64 ? all_lanes : 0x3fu;
    const int sum = __reduce_add_sync(mask, thread);
    if (thread % 32 == 0)
        atomicAdd(&total[0], sum);
    __syncthreads();
    y[thread] = total[0];
}

__global__ void k_warp_exchange(int *y)
{
    WEFT_SHARED(int, values, [32]);
    const unsigned lane = threadIdx.x;
    int value = static_cast<int>(lane);
    for (int round = 0; round < 3; round++) {
        values[lane] = value;
        __syncwarp();
        value = values[(lane + 1) % 32];
        __syncwarp();
    }
    y[lane] = value;
}

} /* namespace */

cudaError_t indices(int *y, dim3 grid, dim3 block, cudaStream_t stream)
{
    return weft_launch(k_indices, grid, block, 0, stream, y);
}

cudaError_t struct_argument(int *y, const Numbers &numbers, short scale, cudaStream_t stream)
{
    return weft_launch(k_struct_argument, 1, 100, 0, stream, y, numbers, scale);
}

cudaError_t constant_table(float *y, cudaStream_t stream)
{
    return weft_launch(k_constant_table, 1, 4, 0, stream, y);
}

cudaError_t shared_arrays(unsigned *y, size_t dynamic_bytes, cudaStream_t stream)
{
    return weft_launch(k_shared_arrays, 1, 1, dynamic_bytes, stream, y, static_cast<int>(dynamic_bytes / 4));
}

cudaError_t large_dynamic_shared(float *y, size_t bytes, bool allow, cudaStream_t stream)
{
    const cudaError_t error = allow ? weft_allow_shared(k_large_dynamic_shared, bytes) : cudaSuccess;
    if (error != cudaSuccess)
        return error;
    return weft_launch(k_large_dynamic_shared, 1, 1, bytes, stream, y, static_cast<int>(bytes / 4));
}

cudaError_t large_static_shared(float *y, size_t dynamic_bytes, bool allow, cudaStream_t stream)
{
    const cudaError_t error = allow ? weft_allow_shared(k_large_static_shared, dynamic_bytes) : cudaSuccess;
    if (error != cudaSuccess)
        return error;
    return weft_launch(k_large_static_shared, 1, 1, dynamic_bytes, stream, y);
}

cudaError_t atomics(Atomics *y, cudaStream_t stream)
{
    return weft_launch(k_atomics, 1, 64, 0, stream, y);
}

cudaError_t half_atomics(void *half, void *bfloat, cudaStream_t stream)
{
    return weft_launch(k_half_atomics, 1, 32, 0, stream, static_cast<__half *>(half),
                       static_cast<__nv_bfloat16 *>(bfloat));
}

cudaError_t float_intrinsics(float *y, cudaStream_t stream)
{
    return weft_launch(k_float_intrinsics, 1, 1, 0, stream, y);
}

cudaError_t integer_intrinsics(unsigned *y, cudaStream_t stream)
{
    return weft_launch(k_integer_intrinsics, 1, 1, 0, stream, y);
}

cudaError_t warp(Warp what, int *y, cudaStream_t stream)
{
    return weft_launch(k_warp, 1, 32, 0, stream, what, y);
}

cudaError_t block_votes(int *y, cudaStream_t stream)
{
    return weft_launch(k_block_votes, 1, 64, 0, stream, y);
}

cudaError_t partial_warp(int *y, cudaStream_t stream)
{
    return weft_launch(k_partial_warp, 1, 70, 0, stream, y);
}

cudaError_t warp_exchange(int *y, cudaStream_t stream)
{
    return weft_launch(k_warp_exchange, 1, 32, 0, stream, y);
}

} /* namespace language */
