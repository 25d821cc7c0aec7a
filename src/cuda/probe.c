/* probe.c - which GPUs there are and what they are, without a context. */
#include <stdio.h>
#include "host.h"
#include "kernels.h"

/* Why CUDA sees no device, and what helps. */
static void explain(cudaError_t error, char *why, size_t size)
{
    int driver = 0;
    (void)cudaDriverGetVersion(&driver);
    if (error == cudaErrorInsufficientDriver && driver == 0)
        snprintf(why, size,
                 "there is no NVIDIA driver (libcuda.so.1); install one, or give the container access to the GPU");
    else if (error == cudaErrorInsufficientDriver)
        snprintf(why, size,
                 "the NVIDIA driver serves CUDA up to %d.%d, the module was built with %d.%d; install a newer driver",
                 driver / 1000, driver / 10 % 100, CUDART_VERSION / 1000, CUDART_VERSION / 10 % 100);
    else if (error == cudaErrorNoDevice || error == cudaSuccess)
        snprintf(why, size, "the NVIDIA driver sees no GPU; is one built in, and does CUDA_VISIBLE_DEVICES name it?");
    else
        snprintf(why, size, "the NVIDIA driver does not answer: %s (%s)", cudaGetErrorString(error),
                 cudaGetErrorName(error));
}

int weft__cuda_count(char *why, size_t size)
{
    int n = 0;
    cudaError_t error = cudaGetDeviceCount(&n);
    why[0] = '\0';
    if (error == cudaSuccess && n > 0)
        return n;
    (void)cudaGetLastError();
    explain(error, why, size);
    return 0;
}

static void version_text(char *text, size_t size, int version)
{
    if (version > 0)
        snprintf(text, size, "%d.%d", version / 1000, version / 10 % 100);
}

/* 0 where the driver does not say: nothing but a report of speed wants to know. */
static int attribute_or_0(enum cudaDeviceAttr attribute, int index)
{
    int value = 0;
    if (cudaDeviceGetAttribute(&value, attribute, index) == cudaSuccess)
        return value;
    (void)cudaGetLastError();
    return 0;
}

/* The current device is the one described. */
static cudaError_t describe(int index, weft_device_info *info)
{
    struct cudaDeviceProp properties;
    int driver = 0, runtime = 0;
    cudaError_t error = cudaGetDeviceProperties(&properties, index);
    if (error == cudaSuccess)
        error = cudaMemGetInfo(&info->free_memory, &info->total_memory);
    if (error == cudaSuccess)
        error = cudaDriverGetVersion(&driver);
    if (error == cudaSuccess)
        error = cudaRuntimeGetVersion(&runtime);
    if (error != cudaSuccess)
        return error;
    snprintf(info->name, sizeof info->name, "%.120s", properties.name);
    info->cores = properties.multiProcessorCount;
    info->compute_major = properties.major;
    info->compute_minor = properties.minor;
    info->clock_khz = attribute_or_0(cudaDevAttrClockRate, index);
    info->memory_clock_khz = attribute_or_0(cudaDevAttrMemoryClockRate, index);
    info->memory_bus_bits = attribute_or_0(cudaDevAttrGlobalMemoryBusWidth, index);
    version_text(info->driver, sizeof info->driver, driver);
    version_text(info->runtime, sizeof info->runtime, runtime);
    if (weft__cuda_probe() != cudaSuccess) {
        (void)cudaGetLastError();
        snprintf(info->note, sizeof info->note,
                 "the module has no kernels for compute capability %d.%d; build it with WEFT_CUDA_ARCHS including %d%d",
                 properties.major, properties.minor, properties.major, properties.minor);
    }
    return cudaSuccess;
}

weft_status weft__cuda_info(int index, weft_device_info *info)
{
    int was;
    const weft__cuda_device d = {.ordinal = index};
    cudaError_t error = weft__cuda_enter(&d, &was);
    if (error == cudaSuccess) {
        error = describe(index, info);
        weft__cuda_leave(&d, was);
    }
    if (error != cudaSuccess) {
        (void)cudaGetLastError();
        snprintf(info->note, sizeof info->note, "the GPU cannot be used: CUDA: %s (%s)", cudaGetErrorString(error),
                 cudaGetErrorName(error));
        return WEFT_E_DEVICE;
    }
    weft__cuda_describe_libraries(info);
    return WEFT_OK;
}
