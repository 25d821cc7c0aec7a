/* weft_cuda.h - the one CUDA header that the kernels, kernels/X.cu, include.
 *
 * Under nvcc it is CUDA. Under a host C++ compiler the same, unmodified kernel source is compiled against the emulator
 * in tests/emulator, which runs it on a machine without a GPU. What kernels may use, and the rules that keep them
 * testable, are in docs/testing-cuda.md. */
#ifndef WEFT_CUDA_H
#define WEFT_CUDA_H

#if defined(__CUDACC__)
#include <cuda_runtime.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#else
#include "simt.h"
#endif

#include <cstddef>
#include <cstdint>
#include <type_traits>

/* WEFT_SHARED(float, tile, [32][33]): an array in shared memory, uninitialised. The emulator puts it between redzones.
 * WEFT_DYN_SHARED(float, buffer): the launch's dynamic shared memory as a pointer, 16-byte aligned; every use in a
 * kernel names the same bytes. An element type that contains a comma needs an alias. */
#if defined(__CUDACC__)
#define WEFT_SHARED(T, name, dims) __shared__ T name dims
#define WEFT_DYN_SHARED(T, name)                                                                                       \
    extern __shared__ __align__(16) unsigned char weft_dyn_shared_bytes[];                                             \
    T *name = reinterpret_cast<T *>(weft_dyn_shared_bytes)
#else
#define WEFT_SHARED(T, name, dims) SIMT_SHARED(T, name, dims)
#define WEFT_DYN_SHARED(T, name) SIMT_DYN_SHARED(T, name)
#endif

/* Keeps a parameter out of template argument deduction, so that arguments convert to the kernel's own types. */
template <class T> struct weft_as_declared {
    using type = T;
};

/* Queues kernel(args...) on stream. The arguments are converted to the kernel's parameter types and copied now, so they
 * may die after the call. grid and block count blocks and threads; shared_bytes is the size of WEFT_DYN_SHARED. Returns
 * the launch's own error; errors of the running kernel appear at a later synchronisation. */
template <class... Params>
inline cudaError_t weft_launch(void (*kernel)(Params...), dim3 grid, dim3 block, size_t shared_bytes,
                               cudaStream_t stream, typename weft_as_declared<Params>::type... args)
{
    static_assert((std::is_trivially_copyable_v<Params> && ...), "kernel parameters are copied as bytes");
#if defined(__CUDACC__)
    void *pointers[sizeof...(Params) + 1] = {static_cast<void *>(&args)...};
    return cudaLaunchKernel(reinterpret_cast<const void *>(kernel), grid, block, pointers, shared_bytes, stream);
#else
    return simt::launch(kernel, grid, block, shared_bytes, stream, args...);
#endif
}

/* Lets kernel be launched with up to bytes of dynamic shared memory. Needed above 48 KiB; the device's limit is
 * cudaDevAttrMaxSharedMemoryPerBlockOptin. */
template <class... Params> inline cudaError_t weft_allow_shared(void (*kernel)(Params...), size_t bytes)
{
    return cudaFuncSetAttribute(reinterpret_cast<const void *>(kernel), cudaFuncAttributeMaxDynamicSharedMemorySize,
                                static_cast<int>(bytes));
}

/* Asynchronous copies of 16 bytes from global to shared memory (cp.async, sm_80 and later). A thread's copies since its
 * last commit form a group; weft_async_wait<N> returns when all but the thread's N latest groups have arrived. The data
 * are then visible to this thread; others need a barrier after the wait. Both addresses must be 16-byte aligned. */
#if defined(__CUDACC__)
__device__ __forceinline__ void weft_async_copy16(void *shared, const void *global)
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(shared));
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;\n" ::"r"(address), "l"(global) : "memory");
#else
    *static_cast<uint4 *>(shared) = *static_cast<const uint4 *>(global);
#endif
}

__device__ __forceinline__ void weft_async_commit()
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;\n" ::: "memory");
#endif
}

template <int KEEP> __device__ __forceinline__ void weft_async_wait()
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;\n" ::"n"(KEEP) : "memory");
#endif
}
#else
inline void weft_async_copy16(void *shared, const void *global, simt::Site site = simt::Site::here())
{
    simt::async_copy(shared, global, 16, site);
}

inline void weft_async_commit()
{
    simt::async_commit();
}

template <int KEEP> inline void weft_async_wait()
{
    static_assert(KEEP >= 0, "the number of groups that may stay under way");
    simt::async_wait(KEEP);
}
#endif

#endif
