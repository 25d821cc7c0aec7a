/* test_memory.cpp - allocation, limits, copies and fills of the stand-in cudart. */
#include <cmath>
#include <cstring>
#include "device_array.h"
#include "emulator.h"
#include "misuse.h"

namespace
{

TEST(Memory, AllocationIsAccountedFor)
{
    const size_t before = simt_device_bytes();
    void *block = nullptr;
    ASSERT_EQ(cudaMalloc(&block, 1000), cudaSuccess);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % 256, 0u);
    EXPECT_EQ(simt_device_bytes(), before + 1000);
    cudaPointerAttributes attributes;
    EXPECT_EQ(cudaPointerGetAttributes(&attributes, block), cudaSuccess);
    EXPECT_EQ(attributes.type, cudaMemoryTypeDevice);
    EXPECT_EQ(cudaFree(block), cudaSuccess);
    EXPECT_EQ(simt_device_bytes(), before);
    EXPECT_EQ(cudaFree(block), cudaErrorInvalidValue);
    EXPECT_EQ(cudaFree(nullptr), cudaSuccess);
    EXPECT_EQ(cudaMalloc(&block, 0), cudaSuccess);
    EXPECT_EQ(block, nullptr);
}

TEST(Memory, AddressesAreNeverUsedAgain)
{
    void *first = nullptr, *second = nullptr;
    ASSERT_EQ(cudaMalloc(&first, 4096), cudaSuccess);
    ASSERT_EQ(cudaFree(first), cudaSuccess);
    ASSERT_EQ(cudaMalloc(&second, 4096), cudaSuccess);
    EXPECT_NE(first, second);
    EXPECT_EQ(cudaFree(second), cudaSuccess);
}

TEST(Memory, LimitGivesOutOfMemoryAndGoesOn)
{
    simt_set_memory_limit(1 << 20);
    size_t free_bytes = 0, total = 0;
    ASSERT_EQ(cudaMemGetInfo(&free_bytes, &total), cudaSuccess);
    EXPECT_EQ(total, 1u << 20);
    void *large = nullptr, *small = nullptr;
    EXPECT_EQ(cudaMalloc(&large, (1 << 20) + 1), cudaErrorMemoryAllocation);
    EXPECT_EQ(cudaMalloc(&large, SIZE_MAX), cudaErrorMemoryAllocation);
    EXPECT_EQ(cudaGetLastError(), cudaErrorMemoryAllocation);
    ASSERT_EQ(cudaMalloc(&large, 1 << 20), cudaSuccess);
    EXPECT_EQ(cudaMallocAsync(&small, 1, nullptr), cudaErrorMemoryAllocation);
    ASSERT_EQ(cudaFree(large), cudaSuccess);
    ASSERT_EQ(cudaMallocAsync(&small, 1, nullptr), cudaSuccess);
    EXPECT_EQ(cudaFreeAsync(small, nullptr), cudaSuccess);
    EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
}

TEST(Memory, FreshMemoryIsPoisoned)
{
    simt_set_quiet(1); /* the access checker reports the read */
    const DeviceArray<float> fresh(3);
    for (float value : fresh.download())
        EXPECT_TRUE(std::isnan(value));
    EXPECT_EQ(simt_reports(SIMT_UNINITIALISED) > 0, simt_has_checker() != 0);
    simt_clear_reports();
}

TEST(Memory, CopiesCheckTheirDirectionAndRange)
{
    DeviceArray<float> device(16);
    std::vector<float> host(64);
    EXPECT_EQ(cudaMemcpy(device.data(), host.data(), 64, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
    EXPECT_EQ(cudaMemcpy(host.data(), device.data(), 64, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
    EXPECT_EQ(cudaMemcpy(device.data(), host.data(), 64, cudaMemcpyDeviceToDevice), cudaErrorInvalidValue);
    EXPECT_EQ(cudaMemcpy(device.data(), host.data(), 64, cudaMemcpyDefault), cudaSuccess);
    EXPECT_EQ(cudaMemcpy(device.data(), host.data(), 0, cudaMemcpyHostToDevice), cudaSuccess);
    EXPECT_EQ(simt_reports_total(), 0);
    simt_set_quiet(1);
    EXPECT_EQ(cudaMemcpy(device.data() + 1, host.data(), 64, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
    EXPECT_EQ(cudaMemset(device.data(), 0, 65), cudaErrorInvalidValue);
    EXPECT_EQ(cudaMemset(host.data(), 0, 4), cudaErrorInvalidValue);
    EXPECT_EQ(simt_reports(SIMT_OUT_OF_BOUNDS), 2);
    EXPECT_NE(strstr(simt_last_report(), "allocation of 64 bytes"), nullptr) << simt_last_report();
    simt_clear_reports();
}

TEST(Memory, RectanglesAndFills)
{
    DeviceArray<unsigned char> device(4 * 8);
    ASSERT_EQ(cudaMemset(device.data(), 9, 32), cudaSuccess);
    ASSERT_EQ(cudaMemset2DAsync(device.data() + 1, 8, 5, 2, 4, nullptr), cudaSuccess);
    std::vector<unsigned char> block(4 * 3, 0);
    ASSERT_EQ(cudaMemcpy2D(block.data(), 3, device.data(), 8, 3, 4, cudaMemcpyDeviceToHost), cudaSuccess);
    EXPECT_EQ(block, (std::vector<unsigned char>{9, 5, 5, 9, 5, 5, 9, 5, 5, 9, 5, 5}));
    ASSERT_EQ(cudaMemcpy2DAsync(device.data() + 4, 8, block.data(), 3, 3, 4, cudaMemcpyHostToDevice, nullptr),
              cudaSuccess);
    EXPECT_EQ(device.download()[29], 5);
    EXPECT_EQ(cudaMemcpy2D(block.data(), 2, device.data(), 8, 3, 4, cudaMemcpyDeviceToHost),
              cudaErrorInvalidPitchValue);
}

TEST(Memory, PinnedMemory)
{
    void *pinned = nullptr;
    ASSERT_EQ(cudaMallocHost(&pinned, 100), cudaSuccess);
    EXPECT_EQ(simt_pinned_bytes(), 100u);
    cudaPointerAttributes attributes;
    EXPECT_EQ(cudaPointerGetAttributes(&attributes, static_cast<char *>(pinned) + 99), cudaSuccess);
    EXPECT_EQ(attributes.type, cudaMemoryTypeHost);
    EXPECT_EQ(cudaFreeHost(pinned), cudaSuccess);
    EXPECT_EQ(cudaFreeHost(pinned), cudaErrorInvalidValue);
    EXPECT_EQ(simt_pinned_bytes(), 0u);

    std::vector<char> own(64);
    ASSERT_EQ(cudaHostRegister(own.data(), own.size(), 0), cudaSuccess);
    EXPECT_EQ(cudaHostRegister(own.data(), own.size(), 0), cudaErrorHostMemoryAlreadyRegistered);
    EXPECT_EQ(cudaHostUnregister(own.data()), cudaSuccess);
    EXPECT_EQ(cudaHostUnregister(own.data()), cudaErrorHostMemoryNotRegistered);
}

TEST(Memory, CopiesCarryTheStateOfTheirBytes)
{
    if (!simt_has_checker())
        GTEST_SKIP() << "this build has no access checker";
    simt_set_streams(SIMT_EAGER, 1);
    simt_set_quiet(1);
    DeviceArray<float> half_written(64), copy(64);
    std::vector<float> host(64, 1.0f);
    ASSERT_EQ(cudaMemcpy(half_written.data(), host.data(), 128, cudaMemcpyHostToDevice), cudaSuccess);
    ASSERT_EQ(cudaMemcpy(copy.data(), half_written.data(), 256, cudaMemcpyDeviceToDevice), cudaSuccess);
    EXPECT_EQ(misuse::copy(copy.data(), half_written.data(), nullptr), cudaSuccess);
    EXPECT_EQ(simt_reports_total(), 0);
    EXPECT_EQ(misuse::copy(copy.data() + 16, half_written.data(), nullptr), cudaSuccess);
    EXPECT_GT(simt_reports(SIMT_UNINITIALISED), 0);
    simt_clear_reports();

    simt_mark_uninitialised(half_written.data(), 4, nullptr);
    ASSERT_EQ(cudaMemcpy(host.data(), half_written.data(), 128, cudaMemcpyDeviceToHost), cudaSuccess);
    EXPECT_EQ(simt_reports(SIMT_UNINITIALISED), 1);
    EXPECT_TRUE(std::isnan(host[0]));
    simt_clear_reports();
}

TEST(Memory, LargeAllocationsCostLittle)
{
    for (int i = 0; i < 20; i++) {
        void *block = nullptr;
        ASSERT_EQ(cudaMalloc(&block, 8 << 20), cudaSuccess);
        ASSERT_EQ(cudaFree(block), cudaSuccess);
    }
}

} /* namespace */
