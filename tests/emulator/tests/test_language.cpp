/* test_language.cpp - CUDA's kernel language on the emulator: indices, arguments, shared and constant memory, atomics,
 * intrinsics, launch limits. */
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cmath>
#include <cstring>
#include "device_array.h"
#include "emulator.h"
#include "language_kernels.h"
#include "misuse.h"

namespace
{

TEST(Language, EveryThreadHasItsIndices)
{
    const DeviceArray<int> device_y(2 * 3 * 2 * 5 * 2 * 3);
    ASSERT_EQ(language::indices(device_y.data(), dim3(2, 3, 2), dim3(5, 2, 3), nullptr), cudaSuccess);
    const std::vector<int> y = device_y.download();
    for (size_t i = 0; i < y.size(); i++)
        EXPECT_EQ(y[i], static_cast<int>(i));
}

TEST(Language, ArgumentsAreConvertedAndCopiedAtTheCall)
{
    simt_set_streams(SIMT_LAZY, 1);
    const DeviceArray<int> device_y(100);
    {
        language::Numbers numbers;
        for (int i = 0; i < 100; i++)
            numbers.values[i] = i;
        ASSERT_EQ(language::struct_argument(device_y.data(), numbers, 1000, nullptr), cudaSuccess);
        memset(&numbers, 0, sizeof numbers);
    }
    const std::vector<int> y = device_y.download();
    for (int i = 0; i < 100; i++)
        EXPECT_EQ(y[static_cast<size_t>(i)], i + 1000);
}

TEST(Language, ConstantMemory)
{
    const DeviceArray<float> device_y(4);
    ASSERT_EQ(language::constant_table(device_y.data(), nullptr), cudaSuccess);
    EXPECT_EQ(device_y.download(), (std::vector<float>{1, 2, 4, 8}));
}

TEST(Language, SharedArraysDoNotOverlap)
{
    const DeviceArray<unsigned> device_y(1);
    ASSERT_EQ(language::shared_arrays(device_y.data(), 40, nullptr), cudaSuccess);
    EXPECT_EQ(device_y.download()[0], 1u);
}

TEST(Language, SharedMemoryLimits)
{
    simt_set_streams(SIMT_EAGER, 1);
    const DeviceArray<float> device_y(1);
    EXPECT_EQ(language::large_dynamic_shared(device_y.data(), 48 << 10, false, nullptr), cudaSuccess);
    EXPECT_EQ(language::large_dynamic_shared(device_y.data(), 100 << 10, false, nullptr), cudaErrorInvalidValue);
    EXPECT_EQ(language::large_dynamic_shared(device_y.data(), 100 << 10, true, nullptr), cudaSuccess);
    EXPECT_EQ(language::large_dynamic_shared(device_y.data(), 228 << 10, true, nullptr), cudaErrorInvalidValue);
    EXPECT_EQ(language::large_static_shared(device_y.data(), 0, false, nullptr), cudaSuccess);
    EXPECT_EQ(language::large_static_shared(device_y.data(), 100 << 10, true, nullptr), cudaSuccess);
    EXPECT_EQ(simt_reports_total(), 0);
}

/* A GPU refuses what dynamic and static shared memory come to together. */
TEST(Language, SharedMemoryLimitsCountStaticArrays)
{
    simt_set_streams(SIMT_EAGER, 1);
    simt_set_quiet(1);
    const DeviceArray<float> device_y(1);
    EXPECT_EQ(language::large_static_shared(device_y.data(), 16, false, nullptr), cudaSuccess);
    EXPECT_EQ(simt_reports(SIMT_SHARED_LIMIT), 1);
    EXPECT_NE(std::string(simt_last_report()).find("without cudaFuncSetAttribute"), std::string::npos);
    simt_clear_reports();
    EXPECT_EQ(language::large_static_shared(device_y.data(), 200 << 10, true, nullptr), cudaSuccess);
    EXPECT_EQ(simt_reports(SIMT_SHARED_LIMIT), 1);
    EXPECT_NE(std::string(simt_last_report()).find("granted"), std::string::npos);
    simt_clear_reports();
}

/* Between another thread's grant and its launch, that is an error on a GPU. */
TEST(Language, AGrantOfSharedMemoryMustNotShrink)
{
    simt_set_streams(SIMT_EAGER, 1);
    simt_set_quiet(1);
    const DeviceArray<float> device_y(1);
    EXPECT_EQ(language::large_dynamic_shared(device_y.data(), 96 << 10, true, nullptr), cudaSuccess);
    EXPECT_EQ(language::large_dynamic_shared(device_y.data(), 96 << 10, true, nullptr), cudaSuccess);
    EXPECT_EQ(simt_reports_total(), 0);
    EXPECT_EQ(language::large_dynamic_shared(device_y.data(), 60 << 10, true, nullptr), cudaSuccess);
    EXPECT_EQ(simt_reports(SIMT_SHARED_LIMIT), 1);
    EXPECT_NE(std::string(simt_last_report()).find("lowers"), std::string::npos);
    simt_clear_reports();
}

TEST(Language, LaunchLimits)
{
    const DeviceArray<int> device_y(1);
    const auto launch = [&](dim3 grid, dim3 block) { return language::indices(device_y.data(), grid, block, nullptr); };
    EXPECT_EQ(launch(1, 1025), cudaErrorInvalidConfiguration);
    EXPECT_EQ(launch(1, dim3(1, 1, 65)), cudaErrorInvalidConfiguration);
    EXPECT_EQ(launch(0, 1), cudaErrorInvalidConfiguration);
    EXPECT_EQ(launch(dim3(1, 65536), 1), cudaErrorInvalidConfiguration);
    EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidConfiguration);
    EXPECT_EQ(cudaGetLastError(), cudaSuccess);
    EXPECT_EQ(launch(1, 1), cudaSuccess);
}

TEST(Language, Atomics)
{
    DeviceArray<language::Atomics> device_y(1);
    language::Atomics start = {};
    start.bit_and = -1;
    start.swapped = 5;
    ASSERT_EQ(cudaMemcpy(device_y.data(), &start, sizeof start, cudaMemcpyHostToDevice), cudaSuccess);
    ASSERT_EQ(language::atomics(device_y.data(), nullptr), cudaSuccess);
    const language::Atomics y = device_y.download()[0];
    EXPECT_EQ(y.add, 2016);
    EXPECT_EQ(y.sub, -2016);
    EXPECT_EQ(y.minimum, -63);
    EXPECT_EQ(y.maximum, 63);
    EXPECT_EQ(y.exchanged, 7);
    EXPECT_EQ(y.bit_and, -64);
    EXPECT_EQ(y.bit_or, 63);
    EXPECT_EQ(y.bit_xor, 0);
    EXPECT_EQ(y.increment, 4u); /* 64 steps round 0..9 */
    EXPECT_EQ(y.decrement, 6u);
    EXPECT_EQ(y.swapped, 6u);
    EXPECT_EQ(y.add_long, 64ull << 40);
    EXPECT_EQ(y.add_float, 32.0f);
    EXPECT_EQ(y.add_double, 16.0);
}

TEST(Language, HalfAtomics)
{
    DeviceArray<__half> half(1);
    DeviceArray<__nv_bfloat16> bfloat(1);
    ASSERT_EQ(language::half_atomics(half.zero().data(), bfloat.zero().data(), nullptr), cudaSuccess);
    EXPECT_EQ(static_cast<float>(half.download()[0]), 32.0f);
    EXPECT_EQ(static_cast<float>(bfloat.download()[0]), 32.0f);
}

TEST(Language, FloatIntrinsics)
{
    const std::vector<float> expected = {expf(2),
                                         logf(2),
                                         0.5f,
                                         1 / sqrtf(2),
                                         1,
                                         5,
                                         std::nextafter(2.0f, 3.0f),
                                         3,
                                         2, /* 2.5 rounds to even */
                                         -2,
                                         2147483648.0f, /* clamped */
                                         5,
                                         1,
                                         2,
                                         1.5f};
    DeviceArray<float> device_y(expected.size());
    ASSERT_EQ(language::float_intrinsics(device_y.data(), nullptr), cudaSuccess);
    const std::vector<float> y = device_y.download();
    for (size_t i = 0; i < expected.size(); i++)
        EXPECT_FLOAT_EQ(y[i], expected[i]) << i;
}

TEST(Language, IntegerIntrinsics)
{
    const uint64_t x = 0x00f00001u;
    const std::vector<unsigned> expected = {5,
                                            8,
                                            4,
                                            0x80000f00u,
                                            static_cast<unsigned>(x * x >> 32),
                                            static_cast<unsigned>(x >> 1),
                                            static_cast<unsigned>(x << 1 | 1),
                                            0x18000000u,
                                            static_cast<unsigned>(x + 3),
                                            5 - 127 * 128 + 127 - 2 + 128 * 128,
                                            5 + 127 * 128 + 127 + 2 * 255 + 128 * 128};
    DeviceArray<unsigned> device_y(expected.size());
    ASSERT_EQ(language::integer_intrinsics(device_y.data(), nullptr), cudaSuccess);
    EXPECT_EQ(device_y.download(), expected);
}

TEST(Language, BytesOfAWordAreSeparate)
{
    DeviceArray<unsigned char> y(33);
    ASSERT_EQ(misuse::bytes(y.data(), false, nullptr), cudaSuccess);
    EXPECT_EQ(simt_reports_total(), 0);
}

} /* namespace */
