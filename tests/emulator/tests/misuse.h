/* misuse.h - kernels with one fault each that no right kernel has a place for. */
#ifndef WEFT_TESTS_MISUSE_H
#define WEFT_TESTS_MISUSE_H

#include <cuda_runtime_api.h>

namespace misuse
{

/* y[32] = x[32]; x may be host memory, y freed memory, or either misaligned. */
cudaError_t copy(const float *x, float *y, cudaStream_t stream);
/* The same by 16-byte accesses, 8 threads. */
cudaError_t copy_vectors(const float *x, float *y, cudaStream_t stream);
/* 23 of 64 threads return before the block's barrier. */
cudaError_t early_return(float *y, cudaStream_t stream);
/* 16 lanes shuffle with a mask that names the other 16. */
cudaError_t foreign_mask(float *y, cudaStream_t stream);
/* 16 lanes shuffle among themselves, each reading from a lane that is not there. */
cudaError_t absent_lane(float *y, cudaStream_t stream);
/* y[32] = local[index] of an array of 4. */
cudaError_t local_array(float *y, int index, cudaStream_t stream);
/* Each thread reads the local variable of the thread before it. */
cudaError_t foreign_local(float *y, cudaStream_t stream);
/* Thread 0 waits for a flag that thread 32 sets. */
cudaError_t spin(int *flag, cudaStream_t stream);
cudaError_t trap(int *flag, cudaStream_t stream);
/* Recursion until local memory is used up. */
cudaError_t recurse(int *depth, cudaStream_t stream);
/* Threads write different bytes of a word, which is right, and then the same byte, if both is set. */
cudaError_t bytes(unsigned char *y, bool both, cudaStream_t stream);

} /* namespace misuse */

#endif
