/* sample_kernels.cu - see sample_kernels.h. A planted bug is one "if constexpr" on the kernel's template parameter. */
#include "sample_kernels.h"

#include <cstring>
#include "weft_cuda.h"

namespace samples
{
namespace
{

constexpr unsigned all_lanes = 0xffffffffu;

unsigned blocks_for(size_t items, size_t per_block, unsigned limit)
{
    const size_t blocks = (items + per_block - 1) / per_block;
    return blocks < 1 ? 1 : blocks > limit ? limit : static_cast<unsigned>(blocks);
}

/* --- elementwise, 16 bytes at a time ------------------------------------------------------------------------------ */

__device__ __forceinline__ float to_float(float x)
{
    return x;
}
__device__ __forceinline__ float to_float(__half x)
{
    return __half2float(x);
}
__device__ __forceinline__ float to_float(__nv_bfloat16 x)
{
    return __bfloat162float(x);
}

__device__ __forceinline__ void from_float(float x, float *y)
{
    *y = x;
}
__device__ __forceinline__ void from_float(float x, __half *y)
{
    *y = __float2half_rn(x);
}
__device__ __forceinline__ void from_float(float x, __nv_bfloat16 *y)
{
    *y = __float2bfloat16_rn(x);
}

/* x[n] -> y[n] */
template <Bug BUG, class T>
__global__ void __launch_bounds__(128) k_silu(const T *__restrict__ x, T *__restrict__ y, size_t n)
{
    constexpr size_t width = 16 / sizeof(T);
    const size_t first = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    const size_t step = static_cast<size_t>(gridDim.x) * blockDim.x;
    size_t vectors = n / width;
    if constexpr (BUG == Bug::vector_tail)
        vectors = (n + width - 1) / width;
    for (size_t i = first; i < vectors; i += step) {
        uint4 raw = __ldg(reinterpret_cast<const uint4 *>(x) + i);
        T values[width];
        memcpy(static_cast<void *>(values), &raw, 16);
#pragma unroll
        for (size_t j = 0; j < width; j++) {
            const float v = to_float(values[j]);
            from_float(__fdividef(v, 1.0f + __expf(-v)), &values[j]);
        }
        memcpy(&raw, static_cast<const void *>(values), 16);
        __stcs(reinterpret_cast<uint4 *>(y) + i, raw);
    }
    const size_t end = BUG == Bug::skip_last ? n - 1 : n;
    for (size_t i = vectors * width + first; i < end; i += step) {
        const float v = to_float(x[i]);
        from_float(__fdividef(v, 1.0f + __expf(-v)), &y[i]);
    }
}

template <Bug BUG, class T> cudaError_t run_silu(const void *x, void *y, size_t n, cudaStream_t stream)
{
    return weft_launch(k_silu<BUG, T>, blocks_for(n, 512, 8), 128, 0, stream, static_cast<const T *>(x),
                       static_cast<T *>(y), n);
}

/* --- block reduction by shuffles ---------------------------------------------------------------------------------- */

__device__ __forceinline__ float warp_sum(float value)
{
#pragma unroll
    for (unsigned distance = 16; distance > 0; distance /= 2)
        value += __shfl_down_sync(all_lanes, value, distance);
    return value;
}

/* x[n], sum[1] */
template <Bug BUG> __global__ void __launch_bounds__(256) k_sum(const float *__restrict__ x, float *sum, size_t n)
{
    constexpr unsigned warps = 256 / 32;
    WEFT_SHARED(float, partial, [warps]);
    float value = 0;
    for (size_t i = static_cast<size_t>(blockIdx.x) * 256 + threadIdx.x; i < n;
         i += static_cast<size_t>(gridDim.x) * 256)
        value += x[i];
    value = warp_sum(value);
    const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    if (lane == 0)
        partial[warp] = value;
    if constexpr (BUG != Bug::missing_barrier)
        __syncthreads();
    if (warp != 0)
        return;
    value = lane < warps ? partial[lane] : 0.0f;
    if constexpr (BUG == Bug::divergent_shuffle) {
        if (lane < warps)
            value = warp_sum(value);
        __syncwarp();
    } else {
        value = warp_sum(value);
    }
    if (lane != 0)
        return;
    if constexpr (BUG == Bug::plain_global_add)
        *sum += value;
    else
        atomicAdd(sum, value);
}

template <Bug BUG> cudaError_t run_sum(const float *x, float *sum, size_t n, cudaStream_t stream)
{
    return weft_launch(k_sum<BUG>, blocks_for(n, 1024, 4), 256, 0, stream, x, sum, n);
}

/* --- online softmax of a row -------------------------------------------------------------------------------------- */

/* The maximum of a set and the sum of e^(x - maximum) over it. */
struct Online {
    float maximum, sum;
};

__device__ __forceinline__ Online merge(Online a, Online b)
{
    const float maximum = fmaxf(a.maximum, b.maximum);
    if (maximum == -INFINITY)
        return {maximum, 0.0f};
    return {maximum, a.sum * __expf(a.maximum - maximum) + b.sum * __expf(b.maximum - maximum)};
}

__device__ __forceinline__ Online warp_merge(Online value)
{
    for (int distance = 16; distance > 0; distance /= 2) {
        const Online other = {__shfl_xor_sync(all_lanes, value.maximum, distance),
                              __shfl_xor_sync(all_lanes, value.sum, distance)};
        value = merge(value, other);
    }
    return value;
}

/* x, y [gridDim.x, cols]; one block of 128 threads a row */
template <Bug BUG>
__global__ void __launch_bounds__(128) k_softmax(const float *__restrict__ x, float *__restrict__ y, int cols)
{
    WEFT_SHARED(Online, partial, [32]);
    const float *row = x + static_cast<size_t>(blockIdx.x) * cols;
    const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
    Online value = {-INFINITY, 0.0f};
    for (int i = static_cast<int>(threadIdx.x); i < cols; i += static_cast<int>(blockDim.x))
        value = merge(value, Online{row[i], 1.0f});
    value = warp_merge(value);
    if (lane == 0)
        partial[BUG == Bug::shared_overrun ? warp * 32 : warp] = value;
    __syncthreads();
    if (warp == 0) {
        value = {-INFINITY, 0.0f};
        if (lane < warps || BUG == Bug::shared_uninitialised)
            value = partial[lane];
        value = warp_merge(value);
        if constexpr (BUG == Bug::missing_syncwarp) {
            /* In the place of the shuffles' result, the neighbour's through shared memory. */
            partial[lane] = value;
            value = partial[(lane + 1) % 32];
        }
        if (lane == 0)
            partial[0] = value;
    }
    if constexpr (BUG == Bug::barrier_in_branch) {
        if (warp == 0)
            __syncthreads();
        else
            __syncthreads();
    } else {
        __syncthreads();
    }
    value = partial[0];
    const float scale = 1.0f / value.sum;
    for (int i = static_cast<int>(threadIdx.x); i < cols; i += static_cast<int>(blockDim.x))
        y[static_cast<size_t>(blockIdx.x) * cols + i] = __expf(row[i] - value.maximum) * scale;
}

template <Bug BUG> cudaError_t run_softmax(const float *x, float *y, int rows, int cols, cudaStream_t stream)
{
    return weft_launch(k_softmax<BUG>, static_cast<unsigned>(rows), 128, 0, stream, x, y, cols);
}

/* --- column sums through dynamic shared memory and atomics -------------------------------------------------------- */

/* x [rows, cols], sums [cols]; blockDim = (32, warps), one row a warp at a time */
template <Bug BUG> __global__ void k_column_sums(const float *__restrict__ x, float *sums, int rows, int cols)
{
    WEFT_DYN_SHARED(float, local); /* [cols] */
    const int thread = static_cast<int>(threadIdx.y * 32 + threadIdx.x), threads = static_cast<int>(blockDim.y * 32);
    const int last = BUG == Bug::dynamic_overrun ? cols + 1 : cols;
    for (int col = thread; col < last; col += threads)
        local[col] = 0;
    __syncthreads();
    for (int row = static_cast<int>(blockIdx.x * blockDim.y + threadIdx.y); row < rows;
         row += static_cast<int>(gridDim.x * blockDim.y))
        for (int col = static_cast<int>(threadIdx.x); col < cols; col += 32) {
            const float value = x[static_cast<size_t>(row) * cols + col];
            if constexpr (BUG == Bug::plain_shared_add)
                local[col] += value;
            else
                atomicAdd(&local[col], value);
        }
    __syncthreads();
    for (int col = thread; col < cols; col += threads)
        atomicAdd(&sums[col], local[col]);
}

template <Bug BUG> cudaError_t run_column_sums(const float *x, float *sums, int rows, int cols, cudaStream_t stream)
{
    return weft_launch(k_column_sums<BUG>, blocks_for(static_cast<size_t>(rows), 8, 4), dim3(32, 4),
                       static_cast<size_t>(cols) * sizeof(float), stream, x, sums, rows, cols);
}

/* --- transpose through a padded tile ------------------------------------------------------------------------------ */

/* x [rows, cols], y [cols, rows]; 32x8 threads for a tile of 32x32 */
template <Bug BUG>
__global__ void __launch_bounds__(256)
    k_transpose(const float *__restrict__ x, float *__restrict__ y, int rows, int cols)
{
    WEFT_SHARED(float, tile, [32][33]);
    const int lane = static_cast<int>(threadIdx.x), part = static_cast<int>(threadIdx.y);
    const int row0 = static_cast<int>(blockIdx.y) * 32, col0 = static_cast<int>(blockIdx.x) * 32;
    for (int j = part; j < 32; j += 8)
        if (row0 + j < rows && col0 + lane < cols)
            tile[j][lane] = x[static_cast<size_t>(row0 + j) * cols + col0 + lane];
    if constexpr (BUG != Bug::tile_missing_barrier)
        __syncthreads();
    const int shift = BUG == Bug::tile_overrun ? 1 : 0;
    for (int j = part; j < 32; j += 8)
        if (row0 + lane < rows && col0 + j < cols)
            y[static_cast<size_t>(col0 + j) * rows + row0 + lane] = tile[lane + shift][j];
}

template <Bug BUG> cudaError_t run_transpose(const float *x, float *y, int rows, int cols, cudaStream_t stream)
{
    const dim3 grid(static_cast<unsigned>(cols + 31) / 32, static_cast<unsigned>(rows + 31) / 32);
    return weft_launch(k_transpose<BUG>, grid, dim3(32, 8), 0, stream, x, y, rows, cols);
}

/* --- tiled matrix product with two buffers ------------------------------------------------------------------------ */

constexpr int tile_m = 32, tile_n = 32, tile_k = 8;

/* Copies the tiles at k0 of a[m, k] and b[k, n] into shared memory, zeros outside. 128 threads. */
__device__ __forceinline__ void load_tiles(const float *a, const float *b, float (&tile_a)[tile_k][tile_m + 4],
                                           float (&tile_b)[tile_k][tile_n], int m, int n, int k, int row0, int col0,
                                           int k0)
{
    const int thread = static_cast<int>(threadIdx.x);
    for (int i = thread; i < tile_m * tile_k; i += 128) {
        const int row = row0 + i / tile_k, inner = k0 + i % tile_k;
        tile_a[i % tile_k][i / tile_k] = row < m && inner < k ? a[static_cast<size_t>(row) * k + inner] : 0.0f;
    }
    for (int i = thread; i < tile_k * tile_n; i += 128) {
        const int inner = k0 + i / tile_n, col = col0 + i % tile_n;
        tile_b[i / tile_n][i % tile_n] = inner < k && col < n ? b[static_cast<size_t>(inner) * n + col] : 0.0f;
    }
}

/* a [m, k], b [k, n], c [m, n]; 16x8 threads with 2x4 results each */
template <Bug BUG>
__global__ void __launch_bounds__(128)
    k_sgemm(const float *__restrict__ a, const float *__restrict__ b, float *__restrict__ c, int m, int n, int k)
{
    WEFT_SHARED(float, tiles_a, [2][tile_k][tile_m + 4]);
    WEFT_SHARED(float, tiles_b, [2][tile_k][tile_n]);
    const int row0 = static_cast<int>(blockIdx.y) * tile_m, col0 = static_cast<int>(blockIdx.x) * tile_n;
    const int row = static_cast<int>(threadIdx.x) / 8 * 2, col = static_cast<int>(threadIdx.x) % 8 * 4;
    float sums[2][4] = {};
    load_tiles(a, b, tiles_a[0], tiles_b[0], m, n, k, row0, col0, 0);
    __syncthreads();
    int current = 0;
    for (int k0 = 0; k0 < k; k0 += tile_k) {
        if (k0 + tile_k < k)
            load_tiles(a, b, tiles_a[current ^ 1], tiles_b[current ^ 1], m, n, k, row0, col0, k0 + tile_k);
        for (int inner = 0; inner < tile_k; inner++)
#pragma unroll
            for (int i = 0; i < 2; i++)
#pragma unroll
                for (int j = 0; j < 4; j++)
                    sums[i][j] = fmaf(tiles_a[current][inner][row + i], tiles_b[current][inner][col + j], sums[i][j]);
        if constexpr (BUG != Bug::buffer_reuse)
            __syncthreads();
        current ^= 1;
    }
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 4; j++)
            if (row0 + row + i < m && col0 + col + j < n)
                c[static_cast<size_t>(row0 + row + i) * n + col0 + col + j] = sums[i][j];
}

template <Bug BUG>
cudaError_t run_sgemm(const float *a, const float *b, float *c, int m, int n, int k, cudaStream_t stream)
{
    const dim3 grid(static_cast<unsigned>((n + tile_n - 1) / tile_n), static_cast<unsigned>((m + tile_m - 1) / tile_m));
    return weft_launch(k_sgemm<BUG>, grid, 128, 0, stream, a, b, c, m, n, k);
}

/* --- two tiles filled by asynchronous copies ---------------------------------------------------------------------- */

/* x, y [n]; one block of 32 threads, 128 values a tile */
template <Bug BUG>
__global__ void __launch_bounds__(32)
    k_staged_scale(const float *__restrict__ x, float *__restrict__ y, float scale, int n)
{
    WEFT_SHARED(uint4, tiles, [2][32]);
    const int lane = static_cast<int>(threadIdx.x), vectors = n / 4;
    const uint4 *source = reinterpret_cast<const uint4 *>(x);
    float4 *target = reinterpret_cast<float4 *>(y);
    if (lane < vectors)
        weft_async_copy16(&tiles[0][lane], &source[lane]);
    weft_async_commit();
    for (int first = 0, current = 0; first < vectors; first += 32, current ^= 1) {
        if (first + 32 + lane < vectors)
            weft_async_copy16(&tiles[current ^ 1][lane], &source[first + 32 + lane]);
        weft_async_commit();
        if constexpr (BUG != Bug::missing_copy_wait)
            weft_async_wait<1>();
        __syncwarp();
        const int mirrored = first + 32 <= vectors ? 31 - lane : lane; /* another lane's value, where all are there */
        if (first + lane < vectors) {
            const uint4 raw = tiles[current][mirrored];
            target[first + mirrored] = make_float4(__uint_as_float(raw.x) * scale, __uint_as_float(raw.y) * scale,
                                                   __uint_as_float(raw.z) * scale, __uint_as_float(raw.w) * scale);
        }
        __syncwarp();
    }
}

template <Bug BUG> cudaError_t run_staged_scale(const float *x, float *y, float scale, int n, cudaStream_t stream)
{
    return weft_launch(k_staged_scale<BUG>, 1, 32, 0, stream, x, y, scale, n);
}

} /* namespace */

cudaError_t silu(Bug bug, Type type, const void *x, void *y, size_t n, cudaStream_t stream)
{
    if (type == Type::f16)
        return run_silu<Bug::none, __half>(x, y, n, stream);
    if (type == Type::bf16)
        return run_silu<Bug::none, __nv_bfloat16>(x, y, n, stream);
    if (bug == Bug::vector_tail)
        return run_silu<Bug::vector_tail, float>(x, y, n, stream);
    if (bug == Bug::skip_last)
        return run_silu<Bug::skip_last, float>(x, y, n, stream);
    return run_silu<Bug::none, float>(x, y, n, stream);
}

cudaError_t sum(Bug bug, const float *x, float *sum, size_t n, cudaStream_t stream)
{
    if (bug == Bug::missing_barrier)
        return run_sum<Bug::missing_barrier>(x, sum, n, stream);
    if (bug == Bug::divergent_shuffle)
        return run_sum<Bug::divergent_shuffle>(x, sum, n, stream);
    if (bug == Bug::plain_global_add)
        return run_sum<Bug::plain_global_add>(x, sum, n, stream);
    return run_sum<Bug::none>(x, sum, n, stream);
}

cudaError_t softmax(Bug bug, const float *x, float *y, int rows, int cols, cudaStream_t stream)
{
    if (bug == Bug::shared_overrun)
        return run_softmax<Bug::shared_overrun>(x, y, rows, cols, stream);
    if (bug == Bug::shared_uninitialised)
        return run_softmax<Bug::shared_uninitialised>(x, y, rows, cols, stream);
    if (bug == Bug::barrier_in_branch)
        return run_softmax<Bug::barrier_in_branch>(x, y, rows, cols, stream);
    if (bug == Bug::missing_syncwarp)
        return run_softmax<Bug::missing_syncwarp>(x, y, rows, cols, stream);
    return run_softmax<Bug::none>(x, y, rows, cols, stream);
}

cudaError_t column_sums(Bug bug, const float *x, float *sums, int rows, int cols, cudaStream_t stream)
{
    if (bug == Bug::plain_shared_add)
        return run_column_sums<Bug::plain_shared_add>(x, sums, rows, cols, stream);
    if (bug == Bug::dynamic_overrun)
        return run_column_sums<Bug::dynamic_overrun>(x, sums, rows, cols, stream);
    return run_column_sums<Bug::none>(x, sums, rows, cols, stream);
}

cudaError_t transpose(Bug bug, const float *x, float *y, int rows, int cols, cudaStream_t stream)
{
    if (bug == Bug::tile_missing_barrier)
        return run_transpose<Bug::tile_missing_barrier>(x, y, rows, cols, stream);
    if (bug == Bug::tile_overrun)
        return run_transpose<Bug::tile_overrun>(x, y, rows, cols, stream);
    return run_transpose<Bug::none>(x, y, rows, cols, stream);
}

cudaError_t sgemm(Bug bug, const float *a, const float *b, float *c, int m, int n, int k, cudaStream_t stream)
{
    if (bug == Bug::buffer_reuse)
        return run_sgemm<Bug::buffer_reuse>(a, b, c, m, n, k, stream);
    return run_sgemm<Bug::none>(a, b, c, m, n, k, stream);
}

cudaError_t staged_scale(Bug bug, const float *x, float *y, float scale, int n, cudaStream_t stream)
{
    if (bug == Bug::missing_copy_wait)
        return run_staged_scale<Bug::missing_copy_wait>(x, y, scale, n, stream);
    return run_staged_scale<Bug::none>(x, y, scale, n, stream);
}

} /* namespace samples */
