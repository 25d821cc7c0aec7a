/* language_kernels.h - kernels that try CUDA's kernel language feature by feature. Each writes what it saw. */
#ifndef WEFT_TESTS_LANGUAGE_KERNELS_H
#define WEFT_TESTS_LANGUAGE_KERNELS_H

#include <cuda_runtime_api.h>

namespace language
{

/* y[blocks * threads] = a unique number made of blockIdx, threadIdx, blockDim and gridDim. */
cudaError_t indices(int *y, dim3 grid, dim3 block, cudaStream_t stream);

struct Numbers {
    int values[100];
};
/* y[100] = numbers + scale */
cudaError_t struct_argument(int *y, const Numbers &numbers, short scale, cudaStream_t stream);
/* y[4] = a table in constant memory */
cudaError_t constant_table(float *y, cudaStream_t stream);
/* y[1] = 1 if two shared arrays and the dynamic one do not overlap */
cudaError_t shared_arrays(unsigned *y, size_t dynamic_bytes, cudaStream_t stream);
cudaError_t large_dynamic_shared(float *y, size_t bytes, bool allow, cudaStream_t stream);
/* 48 KiB of static shared memory beside dynamic_bytes of dynamic */
cudaError_t large_static_shared(float *y, size_t dynamic_bytes, bool allow, cudaStream_t stream);

/* Every atomic by 64 threads on its own word. */
struct Atomics {
    int add, sub, minimum, maximum, exchanged, bit_and, bit_or, bit_xor;
    unsigned increment, decrement, swapped;
    unsigned long long add_long;
    float add_float;
    double add_double;
};
cudaError_t atomics(Atomics *y, cudaStream_t stream);
/* *half += 1, *bfloat += 1 by 32 threads */
cudaError_t half_atomics(void *half, void *bfloat, cudaStream_t stream);

/* y[]: results of intrinsics, in the order of test_language.cpp */
cudaError_t float_intrinsics(float *y, cudaStream_t stream);
cudaError_t integer_intrinsics(unsigned *y, cudaStream_t stream);

/* Warp operations by one warp: y[32]. */
enum class Warp {
    shuffle_broadcast, /* lane 5's index */
    shuffle_up,        /* from 3 lanes below */
    shuffle_down_8,    /* from 2 lanes above, in segments of 8 */
    shuffle_xor,       /* from lane ^ 16 */
    shuffle_double,    /* lane + 1's half, as a double */
    ballot,            /* of odd lanes */
    votes,             /* any, all of lane < 32 and lane < 31 as bits */
    match,             /* lanes with the same lane / 5 */
    reduce,            /* signed minimum of lane - 10, plus unsigned maximum, plus sum */
    half_warp,         /* sum within each half, masks exact */
    active             /* lanes still there when those below 4 have returned */
};
cudaError_t warp(Warp what, int *y, cudaStream_t stream);
/* y[3] = __syncthreads_count, _and, _or of thread < 40 among 64 */
cudaError_t block_votes(int *y, cudaStream_t stream);
/* One barrier, reached with 70 threads (two full warps and a part of one): y[70] = sum of all indices */
cudaError_t partial_warp(int *y, cudaStream_t stream);
/* Neighbours exchange values through shared memory with __syncwarp between. */
cudaError_t warp_exchange(int *y, cudaStream_t stream);

} /* namespace language */

#endif
