/* launch.h - what a launcher, the extern "C" function that queues an operation's kernels, works with. C17 and C++17;
 * the part for kernels themselves is C++ only. */
#ifndef WEFT_CUDA_LAUNCH_H
#define WEFT_CUDA_LAUNCH_H

#include "device.h"

static inline weft__cuda_device *weft__cuda_device_of(const weft__exec *e)
{
    return (weft__cuda_device *)e->device;
}

/* A row's result must not depend on how many rows come with it (the option batch_invariant): one order of summation,
 * which follows from what is summed alone. */
static inline bool weft__cuda_invariant(const weft__exec *e)
{
    return weft__cuda_device_of(e)->options.batch_invariant;
}

/* The stream that everything of the operation goes to. */
static inline cudaStream_t weft__stream(const weft__exec *e)
{
    return weft__cuda_device_of(e)->stream;
}

/* What a launcher returns for a CUDA call's result. The call's error is also taken off CUDA's list of the last ones. */
static inline weft_status weft__cuda_status(const weft__exec *e, cudaError_t error)
{
    if (error == cudaSuccess)
        return WEFT_OK;
    (void)cudaGetLastError();
    weft_status status = error == cudaErrorMemoryAllocation ? WEFT_E_NOMEM : WEFT_E_DEVICE;
    return e->host->fail(e, status, "CUDA: %s (%s)", cudaGetErrorString(error), cudaGetErrorName(error));
}

/* Bytes an element. (The module imports nothing of the library, weft_dtype_size included.) */
static inline size_t weft__cuda_bytes(int32_t dtype)
{
    switch (dtype) {
#define WEFT__CUDA_BYTES(name, bytes, text)                                                                            \
    case WEFT_##name:                                                                                                  \
        return bytes;
        WEFT_DTYPE_LIST(WEFT__CUDA_BYTES)
#undef WEFT__CUDA_BYTES
    default:
        return 0;
    }
}

/* Blocks of a grid-stride loop over items, per_block at a time: enough to fill the device several times over, never
 * more than there is work for, at least one. */
static inline unsigned weft__cuda_blocks(const weft__exec *e, int64_t items, int64_t per_block)
{
    int64_t most = (int64_t)weft__cuda_device_of(e)->sm_count * 16;
    int64_t blocks = items / per_block + (items % per_block != 0);
    return (unsigned)(blocks < 1 ? 1 : blocks < most ? blocks : most);
}

/* 16-byte accesses are possible at this address. */
static inline bool weft__cuda_aligned16(const void *p)
{
    return ((uintptr_t)p & 15) == 0;
}

#ifdef __cplusplus
#include "weft_cuda.h"

/* What a kernel's own WEFT_SHARED arrays may take where its dynamic shared memory is as much as can be: they count
 * too. */
enum { WEFT__CUDA_STATIC_SHARED = 1024 };

/* Dynamic shared memory that a block may have without asking, and after weft__cuda_allow_shared. */
static inline size_t weft__cuda_usual_shared(const weft__exec *e)
{
    return weft__cuda_device_of(e)->shared_per_block - WEFT__CUDA_STATIC_SHARED;
}

static inline size_t weft__cuda_most_shared(const weft__exec *e)
{
    return weft__cuda_device_of(e)->shared_per_block_opt_in - WEFT__CUDA_STATIC_SHARED;
}

/* Before kernel is launched with this much dynamic shared memory. What it is allowed belongs to the kernel and the
 * device, not to the launch, so it is always the same: another thread's launch never finds less than it has asked
 * for. */
template <class... Params>
inline cudaError_t weft__cuda_allow_shared(const weft__exec *e, void (*kernel)(Params...), size_t bytes)
{
    return bytes <= weft__cuda_usual_shared(e) ? cudaSuccess : weft_allow_shared(kernel, weft__cuda_most_shared(e));
}

/* In *blocks, how many blocks of kernel the device runs at a time, at least one. The answers are kept in the context's
 * state: asking takes longer than a launch. */
template <class... Params>
inline cudaError_t weft__cuda_resident(const weft__exec *e, void (*kernel)(Params...), int threads, size_t shared,
                                       int64_t *blocks)
{
    weft__cuda_device *d = weft__cuda_device_of(e);
    const void *address = reinterpret_cast<const void *>(kernel);
    const size_t slot = (reinterpret_cast<uintptr_t>(address) / 16 + shared / 1024) % WEFT__CUDA_RESIDENTS;
    weft__cuda_resident_blocks &known = d->residents[slot];
    if (known.kernel != address || known.threads != threads || known.shared != shared) {
        int each = 0;
        const cudaError_t error = cudaOccupancyMaxActiveBlocksPerMultiprocessor(&each, address, threads, shared);
        if (error != cudaSuccess)
            return error;
        known = {address, shared, threads, each < 1 ? 1 : each};
    }
    *blocks = static_cast<int64_t>(known.each) * d->sm_count;
    return cudaSuccess;
}

/* Notes that the index array of operation op (e->op) holds value at position, which is not in [0, limit); with
 * limit -1 what is wrong with a matrix (weft__cuda_fault). The first report is kept; the kernel skips the element and
 * goes on. */
__device__ __forceinline__ void weft__cuda_report(weft__cuda_fault *fault, int32_t op, int64_t position, int64_t value,
                                                  int64_t limit)
{
    if (atomicCAS(&fault->set, 0u, 1u) != 0u)
        return;
    fault->op = op;
    fault->position = position;
    fault->value = value;
    fault->limit = limit;
}
#endif

#endif
