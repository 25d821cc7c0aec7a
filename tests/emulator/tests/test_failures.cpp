/* test_failures.cpp - failures on purpose, devices that are not there, errors that stick. */
#include <functional>
#include "device_array.h"
#include "emulator.h"
#include "misuse.h"
#include "sample_kernels.h"

namespace
{

/* A little program of eight calls that gives everything back, whatever fails. Returns the first error. */
cudaError_t small_program()
{
    cudaStream_t stream = nullptr;
    void *x = nullptr, *y = nullptr;
    cudaError_t error = cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    const auto step = [&error](const std::function<cudaError_t()> &call) {
        if (error == cudaSuccess)
            error = call();
    };
    step([&] { return cudaMalloc(&x, 128); });
    step([&] { return cudaMalloc(&y, 128); });
    step([&] { return cudaMemsetAsync(x, 0, 128, stream); });
    step([&] { return misuse::copy(static_cast<float *>(x), static_cast<float *>(y), stream); });
    step([&] { return cudaStreamSynchronize(stream); });
    for (void *memory : {x, y}) {
        const cudaError_t freed = cudaFree(memory);
        step([freed] { return freed; });
    }
    if (stream) {
        const cudaError_t destroyed = cudaStreamDestroy(stream);
        step([destroyed] { return destroyed; });
    }
    return error;
}

TEST(Failures, EachCallFailsOnceAndForGood)
{
    const size_t bytes = simt_device_bytes();
    const long handles = simt_live_handles();
    const long calls = simt_calls();
    ASSERT_EQ(small_program(), cudaSuccess);
    const long count = simt_calls() - calls;
    EXPECT_EQ(count, 9);
    for (int forever = 0; forever < 2; forever++)
        for (long nth = 1; nth <= count; nth++) {
            simt_fail_call(nth, forever, cudaErrorUnknown);
            EXPECT_EQ(small_program(), cudaErrorUnknown) << nth;
            EXPECT_NE(simt_failed_call(), nullptr) << nth;
            simt_fail_call(0, 0, cudaSuccess);
            EXPECT_EQ(simt_device_bytes(), bytes) << nth;
            EXPECT_EQ(simt_live_handles(), handles) << nth;
            EXPECT_EQ(small_program(), cudaSuccess) << "usable after failure " << nth;
        }
    cudaGetLastError();
}

TEST(Failures, TheFailedCallIsNamed)
{
    simt_fail_call(2, 0, cudaErrorMemoryAllocation);
    EXPECT_EQ(simt_failed_call(), nullptr);
    int device = 0;
    EXPECT_EQ(cudaGetDevice(&device), cudaSuccess);
    void *memory = nullptr;
    EXPECT_EQ(cudaMalloc(&memory, 4), cudaErrorMemoryAllocation);
    EXPECT_STREQ(simt_failed_call(), "cudaMalloc");
    EXPECT_EQ(cudaGetLastError(), cudaErrorMemoryAllocation);
}

TEST(Failures, NoDriver)
{
    simt_set_devices(0, cudaErrorInsufficientDriver);
    int count = 77;
    EXPECT_EQ(cudaGetDeviceCount(&count), cudaErrorInsufficientDriver);
    EXPECT_EQ(count, 77) << "left as it was, as the real function does";
    void *memory = nullptr;
    EXPECT_EQ(cudaMalloc(&memory, 4), cudaErrorInsufficientDriver);
    int version = -1;
    EXPECT_EQ(cudaDriverGetVersion(&version), cudaSuccess);
    EXPECT_EQ(version, 0);
}

TEST(Failures, NoDevice)
{
    simt_set_devices(0, cudaSuccess);
    int count = 77;
    EXPECT_EQ(cudaGetDeviceCount(&count), cudaSuccess);
    EXPECT_EQ(count, 0);
}

TEST(Failures, OneDeviceWithItsProperties)
{
    int count = 0, value = 0;
    ASSERT_EQ(cudaGetDeviceCount(&count), cudaSuccess);
    EXPECT_EQ(count, 1);
    cudaDeviceProp properties;
    ASSERT_EQ(cudaGetDeviceProperties(&properties, 0), cudaSuccess);
    EXPECT_STREQ(properties.name, "Weft CUDA emulator");
    EXPECT_EQ(properties.major, 9);
    ASSERT_EQ(cudaDeviceGetAttribute(&value, cudaDevAttrMultiProcessorCount, 0), cudaSuccess);
    EXPECT_EQ(value, properties.multiProcessorCount);
    EXPECT_EQ(cudaSetDevice(0), cudaSuccess);
    EXPECT_EQ(cudaSetDevice(1), cudaErrorInvalidDevice);
    EXPECT_EQ(cudaGetDeviceProperties(&properties, 1), cudaErrorInvalidDevice);
    EXPECT_STREQ(cudaGetErrorName(cudaErrorInvalidDevice), "cudaErrorInvalidDevice");
    EXPECT_STREQ(cudaGetErrorString(cudaErrorMemoryAllocation), "out of memory");
}

TEST(Failures, AFailedKernelShowsAtTheNextSynchronisationAndSticks)
{
    simt_set_streams(SIMT_LAZY, 1);
    simt_set_quiet(1);
    {
        DeviceArray<int> flag(1);
        ASSERT_EQ(misuse::trap(flag.zero().data(), nullptr), cudaSuccess);
        EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorLaunchFailure);
        EXPECT_EQ(simt_reports(SIMT_TRAP), 1);
        void *memory = nullptr;
        EXPECT_EQ(cudaMalloc(&memory, 4), cudaErrorLaunchFailure);
        EXPECT_EQ(cudaGetLastError(), cudaErrorLaunchFailure);
        EXPECT_EQ(cudaGetLastError(), cudaErrorLaunchFailure) << "it sticks";
    }
    EXPECT_EQ(cudaDeviceReset(), cudaSuccess);
    EXPECT_EQ(cudaGetLastError(), cudaSuccess);
    simt_clear_reports();
    EXPECT_EQ(small_program(), cudaSuccess);
}

TEST(Failures, GetLastErrorClears)
{
    void *memory = nullptr;
    simt_set_memory_limit(16);
    EXPECT_EQ(cudaMalloc(&memory, 32), cudaErrorMemoryAllocation);
    EXPECT_EQ(cudaPeekAtLastError(), cudaErrorMemoryAllocation);
    EXPECT_EQ(cudaGetLastError(), cudaErrorMemoryAllocation);
    EXPECT_EQ(cudaPeekAtLastError(), cudaSuccess);
}

} /* namespace */
