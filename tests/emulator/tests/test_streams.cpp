/* test_streams.cpp - streams, events and host functions under every policy. */
#include <cstring>
#include <thread>
#include "device_array.h"
#include "emulator.h"
#include "sample_kernels.h"

namespace
{

/* A stream, an event and pinned memory that clean up after themselves. */
struct Stream {
    explicit Stream(unsigned flags = cudaStreamNonBlocking)
    {
        EXPECT_EQ(cudaStreamCreateWithFlags(&handle, flags), cudaSuccess);
    }
    ~Stream()
    {
        EXPECT_EQ(cudaStreamDestroy(handle), cudaSuccess);
    }
    cudaStream_t handle;
};

struct Event {
    Event()
    {
        EXPECT_EQ(cudaEventCreate(&handle), cudaSuccess);
    }
    ~Event()
    {
        EXPECT_EQ(cudaEventDestroy(handle), cudaSuccess);
    }
    cudaEvent_t handle;
};

struct Pinned {
    explicit Pinned(size_t count)
    {
        EXPECT_EQ(cudaMallocHost(reinterpret_cast<void **>(&data), count * sizeof(float)), cudaSuccess);
    }
    ~Pinned()
    {
        EXPECT_EQ(cudaFreeHost(data), cudaSuccess);
    }
    float *data;
};

TEST(Streams, LazyWorkRunsAtTheSynchronisation)
{
    simt_set_streams(SIMT_LAZY, 1);
    const Stream stream;
    const DeviceArray<float> device(1);
    Pinned host(1);
    ASSERT_EQ(cudaMemsetAsync(device.data(), 0, 4, stream.handle), cudaSuccess);
    ASSERT_EQ(cudaMemcpyAsync(host.data, device.data(), 4, cudaMemcpyDeviceToHost, stream.handle), cudaSuccess);
    EXPECT_EQ(cudaStreamQuery(stream.handle), cudaErrorNotReady);
    EXPECT_NE(host.data[0], 0.0f); /* still the poison */
    EXPECT_EQ(cudaStreamSynchronize(stream.handle), cudaSuccess);
    EXPECT_EQ(cudaStreamQuery(stream.handle), cudaSuccess);
    EXPECT_EQ(host.data[0], 0.0f);
    EXPECT_EQ(cudaGetLastError(), cudaSuccess) << "not ready is no error";
}

TEST(Streams, EagerWorkRunsAtTheCall)
{
    simt_set_streams(SIMT_EAGER, 1);
    const Stream stream;
    const DeviceArray<float> device(1);
    Pinned host(1);
    ASSERT_EQ(cudaMemsetAsync(device.data(), 0, 4, stream.handle), cudaSuccess);
    ASSERT_EQ(cudaMemcpyAsync(host.data, device.data(), 4, cudaMemcpyDeviceToHost, stream.handle), cudaSuccess);
    EXPECT_EQ(host.data[0], 0.0f);
}

TEST(Streams, PageableSourceIsReadAtTheCallAndPinnedWhenItRuns)
{
    simt_set_streams(SIMT_LAZY, 1);
    const Stream stream;
    const DeviceArray<float> device(2);
    float pageable = 1.0f;
    Pinned pinned(1);
    pinned.data[0] = 1.0f;
    ASSERT_EQ(cudaMemcpyAsync(device.data(), &pageable, 4, cudaMemcpyHostToDevice, stream.handle), cudaSuccess);
    ASSERT_EQ(cudaMemcpyAsync(device.data() + 1, pinned.data, 4, cudaMemcpyHostToDevice, stream.handle), cudaSuccess);
    pageable = pinned.data[0] = 2.0f;
    ASSERT_EQ(cudaStreamSynchronize(stream.handle), cudaSuccess);
    EXPECT_EQ(device.download(), (std::vector<float>{1.0f, 2.0f}));
}

TEST(Streams, CopyToPageableMemoryIsDoneWhenItReturns)
{
    simt_set_streams(SIMT_LAZY, 1);
    const Stream stream;
    const DeviceArray<float> device(1);
    float host = 1.0f;
    ASSERT_EQ(cudaMemsetAsync(device.data(), 0, 4, stream.handle), cudaSuccess);
    ASSERT_EQ(cudaMemcpyAsync(&host, device.data(), 4, cudaMemcpyDeviceToHost, stream.handle), cudaSuccess);
    EXPECT_EQ(host, 0.0f);
}

TEST(Streams, EventsOrderStreamsUnderEveryPolicy)
{
    for (int round = 0; round < 12; round++) {
        simt_set_streams(round == 0 ? SIMT_EAGER : round == 1 ? SIMT_LAZY : SIMT_SHUFFLE, static_cast<uint64_t>(round));
        const Stream copy, compute;
        const Event uploaded;
        const std::vector<float> x = random_floats(100);
        const DeviceArray<float> device_x(100);
        const DeviceArray<float> device_y(100);
        Pinned host(100);
        memcpy(host.data, x.data(), 400);
        ASSERT_EQ(cudaMemcpyAsync(device_x.data(), host.data, 400, cudaMemcpyHostToDevice, copy.handle), cudaSuccess);
        ASSERT_EQ(cudaEventRecord(uploaded.handle, copy.handle), cudaSuccess);
        ASSERT_EQ(cudaStreamWaitEvent(compute.handle, uploaded.handle, 0), cudaSuccess);
        ASSERT_EQ(samples::transpose(samples::Bug::none, device_x.data(), device_y.data(), 10, 10, compute.handle),
                  cudaSuccess);
        ASSERT_EQ(cudaStreamSynchronize(compute.handle), cudaSuccess);
        const std::vector<float> y = device_y.download();
        for (size_t i = 0; i < 100; i++)
            ASSERT_EQ(y[i], x[i % 10 * 10 + i / 10]) << round;
    }
}

/* Without an event nothing orders two non-blocking streams, and the later one may well run first. */
TEST(Streams, LazyStreamsRunOnlyWhatIsWaitedFor)
{
    simt_set_streams(SIMT_LAZY, 1);
    const Stream first, second;
    const DeviceArray<unsigned char> device(1);
    ASSERT_EQ(cudaMemsetAsync(device.data(), 1, 1, first.handle), cudaSuccess);
    ASSERT_EQ(cudaMemsetAsync(device.data(), 2, 1, second.handle), cudaSuccess);
    ASSERT_EQ(cudaStreamSynchronize(second.handle), cudaSuccess);
    ASSERT_EQ(cudaStreamSynchronize(first.handle), cudaSuccess);
    EXPECT_EQ(device.download()[0], 1);
}

TEST(Streams, DefaultStreamWaitsForBlockingStreams)
{
    simt_set_streams(SIMT_LAZY, 1);
    const Stream blocking(cudaStreamDefault);
    const DeviceArray<unsigned char> device(1);
    ASSERT_EQ(cudaMemsetAsync(device.data(), 1, 1, blocking.handle), cudaSuccess);
    ASSERT_EQ(cudaMemsetAsync(device.data(), 2, 1, nullptr), cudaSuccess);
    ASSERT_EQ(cudaMemsetAsync(device.data(), 3, 1, blocking.handle), cudaSuccess);
    EXPECT_EQ(cudaStreamSynchronize(blocking.handle), cudaSuccess);
    EXPECT_EQ(device.download()[0], 3);
}

TEST(Streams, EventsTellTimeAndState)
{
    simt_set_streams(SIMT_LAZY, 1);
    const Stream stream;
    const Event start, end;
    float milliseconds = -1.0f;
    EXPECT_EQ(cudaEventElapsedTime(&milliseconds, start.handle, end.handle), cudaErrorInvalidResourceHandle);
    EXPECT_EQ(cudaEventQuery(start.handle), cudaSuccess) << "never recorded";
    ASSERT_EQ(cudaEventRecord(start.handle, stream.handle), cudaSuccess);
    ASSERT_EQ(cudaEventRecord(end.handle, stream.handle), cudaSuccess);
    EXPECT_EQ(cudaEventQuery(end.handle), cudaErrorNotReady);
    EXPECT_EQ(cudaEventElapsedTime(&milliseconds, start.handle, end.handle), cudaErrorNotReady);
    ASSERT_EQ(cudaEventSynchronize(end.handle), cudaSuccess);
    EXPECT_EQ(cudaEventElapsedTime(&milliseconds, start.handle, end.handle), cudaSuccess);
    EXPECT_GE(milliseconds, 0.0f);

    cudaEvent_t plain;
    ASSERT_EQ(cudaEventCreateWithFlags(&plain, cudaEventDisableTiming), cudaSuccess);
    ASSERT_EQ(cudaEventRecord(plain, stream.handle), cudaSuccess);
    ASSERT_EQ(cudaEventSynchronize(plain), cudaSuccess);
    EXPECT_EQ(cudaEventElapsedTime(&milliseconds, plain, plain), cudaErrorInvalidResourceHandle);
    EXPECT_EQ(cudaEventDestroy(plain), cudaSuccess);
}

TEST(Streams, DeadHandlesAreRefused)
{
    cudaStream_t stream;
    cudaEvent_t event;
    const long before = simt_live_handles();
    ASSERT_EQ(cudaStreamCreate(&stream), cudaSuccess);
    ASSERT_EQ(cudaEventCreate(&event), cudaSuccess);
    EXPECT_EQ(simt_live_handles(), before + 2);
    ASSERT_EQ(cudaStreamDestroy(stream), cudaSuccess);
    ASSERT_EQ(cudaEventDestroy(event), cudaSuccess);
    EXPECT_EQ(simt_live_handles(), before);
    EXPECT_EQ(cudaStreamSynchronize(stream), cudaErrorInvalidResourceHandle);
    EXPECT_EQ(cudaStreamDestroy(stream), cudaErrorInvalidResourceHandle);
    EXPECT_EQ(cudaEventRecord(event, nullptr), cudaErrorInvalidResourceHandle);
    const DeviceArray<int> device(1);
    EXPECT_EQ(cudaMemsetAsync(device.data(), 0, 4, stream), cudaErrorInvalidResourceHandle);
}

TEST(Streams, DestroyedStreamFinishesItsWork)
{
    simt_set_streams(SIMT_LAZY, 1);
    const DeviceArray<unsigned char> device(1);
    cudaStream_t stream;
    ASSERT_EQ(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
    ASSERT_EQ(cudaMemsetAsync(device.data(), 7, 1, stream), cudaSuccess);
    ASSERT_EQ(cudaStreamDestroy(stream), cudaSuccess);
    ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    EXPECT_EQ(device.download()[0], 7);
}

struct HostCall {
    int count;
    cudaError_t inner;
};

void CUDART_CB call_from_stream(void *argument)
{
    auto *call = static_cast<HostCall *>(argument);
    call->count++;
    call->inner = cudaDeviceSynchronize();
}

TEST(Streams, HostFunctionsRunInOrderAndMayNotCallBack)
{
    simt_set_streams(SIMT_LAZY, 1);
    const Stream stream;
    HostCall call = {0, cudaSuccess};
    ASSERT_EQ(cudaLaunchHostFunc(stream.handle, call_from_stream, &call), cudaSuccess);
    EXPECT_EQ(call.count, 0);
    ASSERT_EQ(cudaStreamSynchronize(stream.handle), cudaSuccess);
    EXPECT_EQ(call.count, 1);
    EXPECT_EQ(call.inner, cudaErrorNotPermitted);
}

TEST(Streams, FreedMemoryGoesWhenTheStreamGetsThere)
{
    simt_set_streams(SIMT_LAZY, 1);
    const Stream stream;
    const size_t before = simt_device_bytes();
    void *block = nullptr;
    ASSERT_EQ(cudaMallocAsync(&block, 64, stream.handle), cudaSuccess);
    ASSERT_EQ(cudaMemsetAsync(block, 0, 64, stream.handle), cudaSuccess);
    ASSERT_EQ(cudaFreeAsync(block, stream.handle), cudaSuccess);
    EXPECT_EQ(simt_device_bytes(), before + 64);
    ASSERT_EQ(cudaStreamSynchronize(stream.handle), cudaSuccess);
    EXPECT_EQ(simt_device_bytes(), before);
}

/* Host code of one thread runs while a kernel of another does. */
TEST(Streams, ThreadsShareTheDevice)
{
    const std::vector<float> x = random_floats(32 * 32);
    std::vector<int> wrong(3);
    std::vector<std::thread> threads;
    for (int &mine : wrong)
        threads.emplace_back([&x, &mine] {
            for (int round = 0; round < 10; round++) {
                const Stream stream;
                const DeviceArray<float> device_x(x), device_y(x.size());
                samples::transpose(samples::Bug::none, device_x.data(), device_y.data(), 32, 32, stream.handle);
                mine += cudaStreamSynchronize(stream.handle) != cudaSuccess;
                mine += device_y.download()[1] != x[32];
            }
        });
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(wrong, std::vector<int>(3, 0));
}

TEST(Streams, CaptureIsNotSupported)
{
    const Stream stream;
    EXPECT_EQ(cudaStreamBeginCapture(stream.handle, cudaStreamCaptureModeThreadLocal), cudaErrorNotSupported);
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusActive;
    EXPECT_EQ(cudaStreamIsCapturing(stream.handle, &status), cudaSuccess);
    EXPECT_EQ(status, cudaStreamCaptureStatusNone);
}

} /* namespace */
