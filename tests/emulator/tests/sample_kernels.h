/* sample_kernels.h - small kernels of the kinds that Weft uses, to test the emulator with. Each can carry a planted
 * bug: with Bug::none it is right, and nvcc compiles it too. */
#ifndef WEFT_TESTS_SAMPLE_KERNELS_H
#define WEFT_TESTS_SAMPLE_KERNELS_H

#include <cuda_runtime_api.h>
#include <cstddef>

namespace samples
{

enum class Bug {
    none,
    vector_tail,          /* the vector loop goes past an end that is no multiple of four */
    skip_last,            /* the last element is not written */
    missing_barrier,      /* partial sums are read before all warps have written them */
    divergent_shuffle,    /* a mask names lanes that do not come */
    plain_global_add,     /* blocks add without an atomic */
    shared_overrun,       /* index past the end of a shared array */
    shared_uninitialised, /* shared entries are read that nobody wrote */
    barrier_in_branch,    /* threads meet at two different __syncthreads */
    missing_syncwarp,     /* a lane reads its neighbour's shared value at once */
    plain_shared_add,     /* warps add to shared memory without an atomic */
    dynamic_overrun,      /* index past the end of dynamic shared memory */
    tile_missing_barrier, /* the transposed tile is read too early */
    tile_overrun,         /* row 32 of a tile of 32 rows */
    buffer_reuse,         /* the next tile overwrites one that is still read */
    missing_copy_wait     /* an asynchronous copy is used before it has arrived */
};

/* Element types of the templates' instantiations. */
enum class Type { f32, f16, bf16 };

/* y[n] = x / (1 + e^-x); bugs: vector_tail, skip_last. x and y are 16-byte aligned. */
cudaError_t silu(Bug bug, Type type, const void *x, void *y, size_t n, cudaStream_t stream);
/* *sum += sum of x[n]; bugs: missing_barrier, divergent_shuffle, plain_global_add. */
cudaError_t sum(Bug bug, const float *x, float *sum, size_t n, cudaStream_t stream);
/* y[rows, cols] = softmax of each row of x[rows, cols]; bugs: shared_overrun, shared_uninitialised, barrier_in_branch,
 * missing_syncwarp. */
cudaError_t softmax(Bug bug, const float *x, float *y, int rows, int cols, cudaStream_t stream);
/* sums[cols] += column sums of x[rows, cols]; bugs: plain_shared_add, dynamic_overrun. */
cudaError_t column_sums(Bug bug, const float *x, float *sums, int rows, int cols, cudaStream_t stream);
/* y[cols, rows] = transpose of x[rows, cols]; bugs: tile_missing_barrier, tile_overrun. */
cudaError_t transpose(Bug bug, const float *x, float *y, int rows, int cols, cudaStream_t stream);
/* c[m, n] = a[m, k] b[k, n], row-major; bug: buffer_reuse. */
cudaError_t sgemm(Bug bug, const float *a, const float *b, float *c, int m, int n, int k, cudaStream_t stream);
/* y[n] = x[n] scaled, through two shared tiles filled by asynchronous copies; n a multiple of 4; bug:
 * missing_copy_wait. */
cudaError_t staged_scale(Bug bug, const float *x, float *y, float scale, int n, cudaStream_t stream);

} /* namespace samples */

#endif
