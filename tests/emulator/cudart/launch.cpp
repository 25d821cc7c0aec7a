/* launch.cpp - kernel launches and what can be asked and set about kernels. */
#include <map>
#include <utility>
#include "../simt/block.h"
#include "runtime.h"

namespace cudart
{
namespace
{

constexpr size_t default_shared = 48 << 10;
constexpr size_t opt_in_shared = 227 << 10;
constexpr unsigned threads_per_multiprocessor = 2048;

/* Dynamic shared memory that cudaFuncSetAttribute has granted to a kernel on a device. */
using Place = std::pair<const void *, int>;
std::map<Place, size_t> &granted_shared()
{
    static auto *const map = new std::map<Place, size_t>;
    return *map;
}

/* 0: nothing was asked for. */
size_t grant_of(const void *kernel)
{
    const auto found = granted_shared().find({kernel, current_device()});
    return found == granted_shared().end() ? 0 : found->second;
}

size_t shared_limit(const void *kernel)
{
    const size_t granted = grant_of(kernel);
    return granted ? granted : default_shared;
}

/* The grant belongs to the kernel: a launch of another thread, on its way at this moment, may need what it was. */
void grant_shared(const void *kernel, size_t bytes)
{
    if (bytes < grant_of(kernel))
        simt::report(
            SIMT_SHARED_LIMIT,
            "cudaFuncSetAttribute lowers the shared memory of %s from %zu to %zu bytes, which another thread's "
            "launch may need",
            simt::function_name(kernel), grant_of(kernel), bytes);
    granted_shared()[{kernel, current_device()}] = bytes;
}

/* The limits of compute capability 9.0. */
bool grid_fits(dim3 grid)
{
    return grid.x && grid.y && grid.z && grid.x <= 2147483647u && grid.y <= 65535 && grid.z <= 65535;
}

bool block_fits(dim3 block)
{
    const uint64_t threads = static_cast<uint64_t>(block.x) * block.y * block.z;
    return threads && threads <= simt::max_block_threads && block.x <= 1024 && block.y <= 1024 && block.z <= 64;
}

} /* namespace */

void reset_kernel_limits()
{
    granted_shared().clear();
}

} /* namespace cudart */

using namespace cudart;

cudaError_t simt::queue_launch(Launch &&launch, cudaStream_t handle)
{
    Call call("cudaLaunchKernel");
    if (call.refused())
        return call.result();
    const StreamRef stream = find_stream(handle);
    if (!stream || (handle && stream->device != current_device()))
        return call.result(cudaErrorInvalidResourceHandle);
    if (!grid_fits(launch.grid) || !block_fits(launch.block))
        return call.result(cudaErrorInvalidConfiguration);
    if (launch.shared_bytes > shared_limit(launch.kernel))
        return call.result(cudaErrorInvalidValue);
    launch.granted_shared = grant_of(launch.kernel);
    count_launch();
    push(stream, [launch = std::move(launch)] {
        if (!run_grid(launch))
            set_sticky_error(cudaErrorLaunchFailure);
    });
    return call.result();
}

extern "C" {

cudaError_t cudaFuncSetAttribute(const void *kernel, cudaFuncAttribute attribute, int value)
{
    Call call("cudaFuncSetAttribute");
    if (call.refused())
        return call.result();
    if (!kernel || value < 0)
        return call.result(cudaErrorInvalidValue);
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize)
        return call.result(); /* a hint */
    if (static_cast<size_t>(value) > opt_in_shared)
        return call.result(cudaErrorInvalidValue);
    grant_shared(kernel, static_cast<size_t>(value));
    return call.result();
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes *attributes, const void *kernel)
{
    Call call("cudaFuncGetAttributes");
    if (call.refused())
        return call.result();
    *attributes = {};
    attributes->maxThreadsPerBlock = simt::max_block_threads;
    attributes->maxDynamicSharedSizeBytes = static_cast<int>(shared_limit(kernel));
    attributes->numRegs = 32;
    attributes->binaryVersion = attributes->ptxVersion = 90;
    return call.result();
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, const void *, int block_threads,
                                                          size_t shared_bytes)
{
    Call call("cudaOccupancyMaxActiveBlocksPerMultiprocessor");
    if (call.refused())
        return call.result();
    if (block_threads <= 0)
        return call.result(cudaErrorInvalidValue);
    size_t fitting = threads_per_multiprocessor / static_cast<unsigned>(block_threads);
    if (shared_bytes && opt_in_shared / shared_bytes < fitting)
        fitting = opt_in_shared / shared_bytes;
    *blocks = static_cast<int>(fitting < 32 ? fitting : 32);
    return call.result();
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks, const void *kernel, int block_threads,
                                                                   size_t shared_bytes, unsigned)
{
    return cudaOccupancyMaxActiveBlocksPerMultiprocessor(blocks, kernel, block_threads, shared_bytes);
}

} /* extern "C" */
