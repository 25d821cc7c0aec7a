/* test_sample_kernels.cpp - right kernels give right results, whatever the order of threads, and no report. */
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include "device_array.h"
#include "emulator.h"
#include "sample_kernels.h"
#include "sample_reference.h"

namespace
{

using samples::Bug;
using samples::Type;

struct Order {
    simt_order order;
    uint64_t seed;
};

class SampleKernels : public testing::TestWithParam<Order>
{
    void SetUp() override
    {
        simt_set_order(GetParam().order, GetParam().seed);
    }
};

TEST_P(SampleKernels, ElementwiseFloat)
{
    for (size_t n : {1, 3, 4, 513, 4099}) {
        const std::vector<float> x = random_floats(n);
        const DeviceArray<float> device_x(x), device_y(n);
        ASSERT_EQ(samples::silu(Bug::none, Type::f32, device_x.data(), device_y.data(), n, nullptr), cudaSuccess);
        EXPECT_LE(worst_error(device_y.download(), silu_reference(x)), 1e-6) << n;
    }
}

template <class Half> void check_half(Type type, double tolerance)
{
    const std::vector<float> x = random_floats(1029);
    std::vector<Half> narrow(x.size());
    Reals expected(x.size());
    for (size_t i = 0; i < x.size(); i++) {
        narrow[i] = Half(x[i]);
        expected[i] = silu_of(static_cast<double>(static_cast<float>(narrow[i])));
    }
    const DeviceArray<Half> device_x(narrow), device_y(x.size());
    ASSERT_EQ(samples::silu(Bug::none, type, device_x.data(), device_y.data(), x.size(), nullptr), cudaSuccess);
    std::vector<float> y;
    for (Half value : device_y.download())
        y.push_back(static_cast<float>(value));
    EXPECT_LE(worst_error(y, expected), tolerance);
}

TEST_P(SampleKernels, ElementwiseHalf)
{
    check_half<__half>(Type::f16, 6e-4);
    check_half<__nv_bfloat16>(Type::bf16, 5e-3);
}

TEST_P(SampleKernels, Sum)
{
    for (size_t n : {1, 255, 5003}) {
        const std::vector<float> x = random_floats(n);
        double expected = 0;
        for (float value : x)
            expected += static_cast<double>(value);
        const DeviceArray<float> device_x(x);
        DeviceArray<float> device_sum(1);
        ASSERT_EQ(samples::sum(Bug::none, device_x.data(), device_sum.zero().data(), n, nullptr), cudaSuccess);
        EXPECT_LE(worst_error(device_sum.download(), {expected}), 1e-5) << n;
    }
}

TEST_P(SampleKernels, Softmax)
{
    for (int cols : {1, 33, 130, 257}) {
        const int rows = 3;
        const std::vector<float> x = random_floats(static_cast<size_t>(rows * cols));
        const DeviceArray<float> device_x(x), device_y(x.size());
        ASSERT_EQ(samples::softmax(Bug::none, device_x.data(), device_y.data(), rows, cols, nullptr), cudaSuccess);
        EXPECT_LE(worst_error(device_y.download(), softmax_reference(x, rows, static_cast<size_t>(cols))), 1e-6)
            << cols;
    }
}

TEST_P(SampleKernels, ColumnSums)
{
    const int rows = 37, cols = 45;
    const std::vector<float> x = random_floats(static_cast<size_t>(rows * cols));
    const DeviceArray<float> device_x(x);
    DeviceArray<float> device_sums(cols);
    ASSERT_EQ(samples::column_sums(Bug::none, device_x.data(), device_sums.zero().data(), rows, cols, nullptr),
              cudaSuccess);
    EXPECT_LE(worst_error(device_sums.download(), column_sums_reference(x, rows, cols)), 1e-5);
}

TEST_P(SampleKernels, Transpose)
{
    const int rows = 45, cols = 70;
    const std::vector<float> x = random_floats(static_cast<size_t>(rows * cols));
    const DeviceArray<float> device_x(x), device_y(x.size());
    ASSERT_EQ(samples::transpose(Bug::none, device_x.data(), device_y.data(), rows, cols, nullptr), cudaSuccess);
    EXPECT_EQ(worst_error(device_y.download(), transpose_reference(x, rows, cols)), 0);
}

TEST_P(SampleKernels, MatrixProduct)
{
    const int m = 35, n = 38, k = 27;
    const std::vector<float> a = random_floats(m * k, 1), b = random_floats(k * n, 2);
    const DeviceArray<float> device_a(a), device_b(b), device_c(m * n);
    ASSERT_EQ(samples::sgemm(Bug::none, device_a.data(), device_b.data(), device_c.data(), m, n, k, nullptr),
              cudaSuccess);
    EXPECT_LE(worst_error(device_c.download(), product_reference(a, b, m, n, k)), 1e-5);
}

TEST_P(SampleKernels, AsynchronousCopies)
{
    for (int n : {4, 128, 132, 500}) {
        const std::vector<float> x = random_floats(static_cast<size_t>(n));
        const DeviceArray<float> device_x(x), device_y(x.size());
        ASSERT_EQ(samples::staged_scale(Bug::none, device_x.data(), device_y.data(), 2.0f, n, nullptr), cudaSuccess);
        Reals expected;
        for (float value : x)
            expected.push_back(2.0 * static_cast<double>(value));
        EXPECT_EQ(worst_error(device_y.download(), expected), 0) << n;
    }
}

std::string order_name(const testing::TestParamInfo<Order> &info)
{
    static const char *const names[] = {"Forward", "Reverse", "Random"};
    return names[info.param.order] + std::to_string(info.param.seed);
}

INSTANTIATE_TEST_SUITE_P(Orders, SampleKernels,
                         testing::Values(Order{SIMT_FORWARD, 0}, Order{SIMT_REVERSE, 0}, Order{SIMT_RANDOM, 1},
                                         Order{SIMT_RANDOM, 2}),
                         order_name);

} /* namespace */
