/* device.cpp - the devices: which is current, their properties, versions, memory pool, and the names of errors. */
#include <cstdlib>
#include <cstring>
#include "../simt/heap.h"
#include "runtime.h"

namespace
{

using cudart::Call;

constexpr int multiprocessors = 4; /* few, so that grid-stride loops go round more than once */

/* WEFT_SIMT_MAJOR: the compute capability's, for code that looks at it. */
int compute_major()
{
    const char *wish = getenv("WEFT_SIMT_MAJOR");
    return wish ? atoi(wish) : 9;
}

/* The calls that ask about a device, given its number. */
bool valid_device(int device)
{
    return device >= 0 && device < cudart::devices();
}

thread_local int current;

struct Attribute {
    cudaDeviceAttr attribute;
    int value;
};
const Attribute attributes[] = {
    {cudaDevAttrMultiProcessorCount, multiprocessors},
    {cudaDevAttrWarpSize, 32},
    {cudaDevAttrMaxThreadsPerBlock, 1024},
    {cudaDevAttrMaxThreadsPerMultiProcessor, 2048},
    {cudaDevAttrMaxBlockDimX, 1024},
    {cudaDevAttrMaxBlockDimY, 1024},
    {cudaDevAttrMaxBlockDimZ, 64},
    {cudaDevAttrMaxGridDimX, 2147483647},
    {cudaDevAttrMaxGridDimY, 65535},
    {cudaDevAttrMaxGridDimZ, 65535},
    {cudaDevAttrComputeCapabilityMinor, 0},
    {cudaDevAttrMaxSharedMemoryPerBlock, 48 << 10},
    {cudaDevAttrMaxSharedMemoryPerBlockOptin, 227 << 10},
    {cudaDevAttrMaxSharedMemoryPerMultiprocessor, 228 << 10},
    {cudaDevAttrReservedSharedMemoryPerBlock, 1 << 10},
    {cudaDevAttrMaxRegistersPerBlock, 65536},
    {cudaDevAttrMaxRegistersPerMultiprocessor, 65536},
    {cudaDevAttrL2CacheSize, 4 << 20},
    {cudaDevAttrUnifiedAddressing, 1},
    {cudaDevAttrAsyncEngineCount, 2},
    {cudaDevAttrConcurrentKernels, 1},
    {cudaDevAttrTextureAlignment, 512},
    {cudaDevAttrClockRate, 1000000},
    {cudaDevAttrMemoryClockRate, 500000},
    {cudaDevAttrGlobalMemoryBusWidth, 64},
};

struct ErrorText {
    cudaError_t error;
    const char *name, *text;
};
const ErrorText error_texts[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInitializationError, "cudaErrorInitializationError", "initialization error"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration", "invalid configuration argument"},
    {cudaErrorInvalidPitchValue, "cudaErrorInvalidPitchValue", "invalid pitch argument"},
    {cudaErrorInsufficientDriver, "cudaErrorInsufficientDriver",
     "CUDA driver version is insufficient for CUDA runtime version"},
    {cudaErrorInvalidDeviceFunction, "cudaErrorInvalidDeviceFunction", "invalid device function"},
    {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorNoKernelImageForDevice, "cudaErrorNoKernelImageForDevice",
     "no kernel image is available for execution on the device"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
    {cudaErrorIllegalAddress, "cudaErrorIllegalAddress", "an illegal memory access was encountered"},
    {cudaErrorHostMemoryAlreadyRegistered, "cudaErrorHostMemoryAlreadyRegistered",
     "part or all of the requested memory range is already mapped"},
    {cudaErrorHostMemoryNotRegistered, "cudaErrorHostMemoryNotRegistered",
     "pointer does not correspond to a registered memory region"},
    {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure"},
    {cudaErrorNotPermitted, "cudaErrorNotPermitted", "operation not permitted"},
    {cudaErrorNotSupported, "cudaErrorNotSupported", "operation not supported"},
    {cudaErrorUnknown, "cudaErrorUnknown", "unknown error"},
};

const ErrorText *find_text(cudaError_t error)
{
    for (const ErrorText &entry : error_texts)
        if (entry.error == error)
            return &entry;
    return nullptr;
}

char pool_objects[cudart::most_devices]; /* the handle of each device's default memory pool points here */

cudaMemPool_t default_pool(int device)
{
    return reinterpret_cast<cudaMemPool_t>(&pool_objects[device]);
}

cudaError_t check_pool(cudaMemPool_t pool)
{
    for (int device = 0; device < cudart::devices(); device++)
        if (cudart::has_pools() && pool == default_pool(device))
            return cudaSuccess;
    return cudaErrorInvalidValue;
}

} /* namespace */

int cudart::current_device()
{
    return current;
}

/* Of the calling thread; others have begun with the first device and ended their tests with it. */
void cudart::reset_devices()
{
    current = 0;
}

extern "C" {

const char *cudaGetErrorName(cudaError_t error)
{
    const ErrorText *entry = find_text(error);
    return entry ? entry->name : "unrecognized error code";
}

const char *cudaGetErrorString(cudaError_t error)
{
    const ErrorText *entry = find_text(error);
    return entry ? entry->text : "unrecognized error code";
}

cudaError_t cudaRuntimeGetVersion(int *version)
{
    *version = CUDART_VERSION;
    return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int *version)
{
    Call call("cudaDriverGetVersion");
    /* Without a driver the answer is 0, not an error. */
    *version = call.refused() ? 0 : CUDART_VERSION;
    return cudaSuccess;
}

cudaError_t cudaGetDevice(int *device)
{
    Call call("cudaGetDevice");
    if (call.refused())
        return call.result();
    *device = current;
    return call.result();
}

cudaError_t cudaSetDevice(int device)
{
    Call call("cudaSetDevice");
    if (call.refused())
        return call.result();
    if (!valid_device(device))
        return call.result(cudaErrorInvalidDevice);
    current = device;
    return call.result();
}

cudaError_t cudaSetDeviceFlags(unsigned)
{
    Call call("cudaSetDeviceFlags");
    return call.result();
}

cudaError_t cudaInitDevice(int device, unsigned, unsigned)
{
    Call call("cudaInitDevice");
    return call.result(valid_device(device) ? cudaSuccess : cudaErrorInvalidDevice);
}

cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int device)
{
    Call call("cudaDeviceGetAttribute");
    if (call.refused())
        return call.result();
    if (!valid_device(device))
        return call.result(cudaErrorInvalidDevice);
    *value = attribute == cudaDevAttrComputeCapabilityMajor ? compute_major() : 0;
    for (const Attribute &entry : attributes)
        if (entry.attribute == attribute)
            *value = entry.value;
    if (attribute == cudaDevAttrMemoryPoolsSupported)
        *value = cudart::has_pools();
    return call.result();
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int device)
{
    Call call("cudaGetDeviceProperties");
    if (call.refused())
        return call.result();
    if (!valid_device(device))
        return call.result(cudaErrorInvalidDevice);
    *properties = {};
    strcpy(properties->name, "Weft CUDA emulator");
    properties->major = compute_major();
    properties->minor = 0;
    properties->totalGlobalMem = cudart::memory_limit();
    properties->multiProcessorCount = multiprocessors;
    properties->warpSize = 32;
    properties->maxThreadsPerBlock = 1024;
    properties->maxThreadsPerMultiProcessor = 2048;
    properties->maxThreadsDim[0] = properties->maxThreadsDim[1] = 1024;
    properties->maxThreadsDim[2] = 64;
    properties->maxGridSize[0] = 2147483647;
    properties->maxGridSize[1] = properties->maxGridSize[2] = 65535;
    properties->sharedMemPerBlock = 48 << 10;
    properties->sharedMemPerBlockOptin = 227 << 10;
    properties->sharedMemPerMultiprocessor = 228 << 10;
    properties->regsPerBlock = properties->regsPerMultiprocessor = 65536;
    properties->l2CacheSize = 4 << 20;
    properties->memoryBusWidth = 5120;
    properties->unifiedAddressing = 1;
    properties->asyncEngineCount = 2;
    properties->concurrentKernels = 1;
    properties->memoryPoolsSupported = cudart::has_pools();
    return call.result();
}

/* --- the default memory pool: it keeps nothing, so there is nothing to tune or trim ------------------------------- */

cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t *pool, int device)
{
    Call call("cudaDeviceGetDefaultMemPool");
    if (call.refused())
        return call.result();
    if (!valid_device(device))
        return call.result(cudaErrorInvalidDevice);
    if (!cudart::has_pools())
        return call.result(cudaErrorNotSupported);
    *pool = default_pool(device);
    return call.result();
}

cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, cudaMemPoolAttr, void *)
{
    Call call("cudaMemPoolSetAttribute");
    return call.result(check_pool(pool));
}

cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void *value)
{
    Call call("cudaMemPoolGetAttribute");
    if (call.refused())
        return call.result();
    if (check_pool(pool) != cudaSuccess)
        return call.result(cudaErrorInvalidValue);
    const bool current = attribute == cudaMemPoolAttrReservedMemCurrent || attribute == cudaMemPoolAttrUsedMemCurrent;
    if (!current)
        return call.result(cudaErrorNotSupported);
    const uint64_t bytes = simt::heap_live_bytes();
    memcpy(value, &bytes, sizeof bytes);
    return call.result();
}

cudaError_t cudaMemPoolTrimTo(cudaMemPool_t pool, size_t)
{
    Call call("cudaMemPoolTrimTo");
    return call.result(check_pool(pool));
}

cudaError_t cudaDeviceCanAccessPeer(int *can, int, int)
{
    Call call("cudaDeviceCanAccessPeer");
    if (call.refused())
        return call.result();
    *can = 0;
    return call.result();
}

} /* extern "C" */
