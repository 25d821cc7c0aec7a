/* memory.c - device memory from the driver's stream-ordered pool. The engine keeps freed blocks by size
 * (engine/memory.c), so that this is only reached for new sizes. */
#include "host.h"

/* Work that was queued before may hold blocks that are already freed, and the pool may hold on to them. */
static void give_back_freed(const weft__cuda_device *d)
{
    cudaMemPool_t pool;
    if (cudaStreamSynchronize(d->stream) == cudaSuccess &&
        cudaDeviceGetDefaultMemPool(&pool, d->ordinal) == cudaSuccess)
        (void)cudaMemPoolTrimTo(pool, 0);
}

static cudaError_t allocate(const weft__cuda_device *d, void **block, size_t bytes)
{
    if (!d->pools)
        return cudaMalloc(block, bytes);
    cudaError_t error = cudaMallocAsync(block, bytes, d->stream);
    if (error != cudaErrorMemoryAllocation)
        return error;
    (void)cudaGetLastError();
    give_back_freed(d);
    return cudaMallocAsync(block, bytes, d->stream);
}

void *weft__cuda_alloc(weft__cuda_device *d, size_t bytes)
{
    void *block = NULL;
    cudaError_t error = allocate(d, &block, bytes);
    d->message[0] = '\0';
    if (error == cudaSuccess) {
        d->live_bytes += bytes;
        return block;
    }
    if (error == cudaErrorMemoryAllocation)
        (void)cudaGetLastError();
    else
        weft__cuda_fail(d, error, "allocation of device memory");
    return NULL;
}

void weft__cuda_free(weft__cuda_device *d, void *block, size_t bytes)
{
    if (!block)
        return;
    /* An error here is one of earlier work, which the next wait reports; the block is gone all the same. */
    if ((d->pools ? cudaFreeAsync(block, d->stream) : cudaFree(block)) != cudaSuccess)
        (void)cudaGetLastError();
    d->live_bytes -= bytes;
}
