/* test_cublaslt.cpp - the stand-in cuBLASLt: transposes, batches, types, epilogues, algorithms, refusals. */
#include <cublasLt.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <dlfcn.h>
#include <cmath>
#include "device_array.h"
#include "emulator.h"
#include "sample_reference.h"

namespace
{

/* Owns the descriptors of one product; every matrix is column-major and packed unless a test says otherwise. */
struct Product {
    Product(cudaDataType type, int m, int n, int k, bool transpose_a = false, bool transpose_b = false)
        : m(m), n(n), k(k), type(type)
    {
        const bool wide = type == CUDA_R_64F;
        EXPECT_EQ(cublasLtCreate(&handle), CUBLAS_STATUS_SUCCESS);
        EXPECT_EQ(cublasLtMatmulDescCreate(&operation, wide ? CUBLAS_COMPUTE_64F : CUBLAS_COMPUTE_32F,
                                           wide ? CUDA_R_64F : CUDA_R_32F),
                  CUBLAS_STATUS_SUCCESS);
        set(CUBLASLT_MATMUL_DESC_TRANSA, static_cast<int32_t>(transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N));
        set(CUBLASLT_MATMUL_DESC_TRANSB, static_cast<int32_t>(transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N));
        a = layout(transpose_a ? k : m, transpose_a ? m : k);
        b = layout(transpose_b ? n : k, transpose_b ? k : n);
        c = layout(m, n);
    }
    ~Product()
    {
        for (cublasLtMatrixLayout_t layout : {a, b, c})
            cublasLtMatrixLayoutDestroy(layout);
        cublasLtMatmulDescDestroy(operation);
        cublasLtDestroy(handle);
    }

    cublasLtMatrixLayout_t layout(int rows, int cols) const
    {
        cublasLtMatrixLayout_t made = nullptr;
        EXPECT_EQ(
            cublasLtMatrixLayoutCreate(&made, type, static_cast<uint64_t>(rows), static_cast<uint64_t>(cols), rows),
            CUBLAS_STATUS_SUCCESS);
        return made;
    }
    template <class T> void set(cublasLtMatmulDescAttributes_t attribute, T value) const
    {
        EXPECT_EQ(cublasLtMatmulDescSetAttribute(operation, attribute, &value, sizeof value), CUBLAS_STATUS_SUCCESS);
    }
    void set_epilogue(cublasLtEpilogue_t epilogue) const
    {
        set(CUBLASLT_MATMUL_DESC_EPILOGUE, static_cast<uint32_t>(epilogue));
    }
    void set_batches(cublasLtMatrixLayout_t layout, int32_t count, int64_t stride) const
    {
        cublasLtMatrixLayoutSetAttribute(layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof count);
        cublasLtMatrixLayoutSetAttribute(layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride, sizeof stride);
    }
    cublasStatus_t run(const void *pa, const void *pb, void *pc, float alpha = 1.0f, float beta = 0.0f,
                       const cublasLtMatmulAlgo_t *algorithm = nullptr, void *workspace = nullptr,
                       size_t workspace_bytes = 0) const
    {
        const double wide_alpha = static_cast<double>(alpha), wide_beta = static_cast<double>(beta);
        const bool wide = type == CUDA_R_64F;
        return cublasLtMatmul(handle, operation, wide ? static_cast<const void *>(&wide_alpha) : &alpha, pa, a, pb, b,
                              wide ? static_cast<const void *>(&wide_beta) : &beta, pc, c, pc, c, algorithm, workspace,
                              workspace_bytes, nullptr);
    }

    int m, n, k;
    cudaDataType type;
    cublasLtHandle_t handle = nullptr;
    cublasLtMatmulDesc_t operation = nullptr;
    cublasLtMatrixLayout_t a = nullptr, b = nullptr, c = nullptr;
};

constexpr int M = 5, N = 7, K = 3;

/* op(a) op(b) of column-major matrices, as column-major m x n. */
Reals expected_product(const std::vector<float> &a, const std::vector<float> &b, bool ta, bool tb, int m = M, int n = N,
                       int k = K)
{
    Reals c(static_cast<size_t>(m * n));
    for (int j = 0; j < n; j++)
        for (int i = 0; i < m; i++)
            for (int l = 0; l < k; l++)
                c[static_cast<size_t>(i + j * m)] +=
                    static_cast<double>(a[static_cast<size_t>(ta ? l + i * k : i + l * m)]) *
                    static_cast<double>(b[static_cast<size_t>(tb ? j + l * n : l + j * k)]);
    return c;
}

template <class T> void check_type(cudaDataType type, double tolerance)
{
    for (int transposes = 0; transposes < 4; transposes++) {
        const bool ta = transposes & 1, tb = transposes & 2;
        std::vector<float> a, b;
        std::vector<T> narrow_a, narrow_b;
        for (float value : random_floats(M * K, 1)) {
            narrow_a.push_back(T(value));
            a.push_back(static_cast<float>(narrow_a.back()));
        }
        for (float value : random_floats(K * N, 2)) {
            narrow_b.push_back(T(value));
            b.push_back(static_cast<float>(narrow_b.back()));
        }
        const DeviceArray<T> device_a(narrow_a), device_b(narrow_b), device_c(M * N);
        const Product product(type, M, N, K, ta, tb);
        ASSERT_EQ(product.run(device_a.data(), device_b.data(), device_c.data()), CUBLAS_STATUS_SUCCESS);
        std::vector<float> c;
        for (T value : device_c.download())
            c.push_back(static_cast<float>(value));
        EXPECT_LE(worst_error(c, expected_product(a, b, ta, tb)), tolerance) << transposes;
    }
}

TEST(CublasLt, TypesAndTransposes)
{
    check_type<double>(CUDA_R_64F, 1e-6); /* compared as floats */
    check_type<float>(CUDA_R_32F, 1e-6);
    check_type<__half>(CUDA_R_16F, 1e-3);
    check_type<__nv_bfloat16>(CUDA_R_16BF, 8e-3);
}

/* Inputs, a product and its result for the tests of everything else. */
struct Fixture {
    Fixture()
        : product(CUDA_R_32F, M, N, K), a(random_floats(M * K, 1)), b(random_floats(K * N, 2)), device_a(a),
          device_b(b), device_c(M * N)
    {
    }
    std::vector<float> run(float alpha = 1.0f, float beta = 0.0f)
    {
        EXPECT_EQ(product.run(device_a.data(), device_b.data(), device_c.data(), alpha, beta), CUBLAS_STATUS_SUCCESS);
        return device_c.download();
    }
    Reals expected(double (*function)(double) = nullptr, const std::vector<float> &bias = {}) const
    {
        Reals c = expected_product(a, b, false, false);
        for (size_t i = 0; i < c.size(); i++) {
            if (!bias.empty())
                c[i] += static_cast<double>(bias[i % M]);
            if (function)
                c[i] = function(c[i]);
        }
        return c;
    }

    Product product;
    std::vector<float> a, b;
    DeviceArray<float> device_a, device_b, device_c;
};

double relu_of(double x)
{
    return x > 0 ? x : 0;
}

double gelu_of(double x)
{
    return 0.5 * x * (1.0 + std::tanh(std::sqrt(2.0 / M_PI) * (x + 0.044715 * x * x * x)));
}

TEST(CublasLt, AlphaAndBeta)
{
    Fixture f; /* C is not read with beta 0: it holds NaN */
    const std::vector<float> once = f.run();
    EXPECT_LE(worst_error(once, f.expected()), 1e-6);
    Reals expected = f.expected();
    for (double &value : expected)
        value *= 2.0 + 0.5;
    EXPECT_LE(worst_error(f.run(2.0f, 0.5f), expected), 1e-6);
}

TEST(CublasLt, BiasAndActivations)
{
    Fixture f;
    const std::vector<float> bias = random_floats(M, 3);
    const DeviceArray<float> device_bias(bias);
    f.product.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, static_cast<void *>(device_bias.data()));
    f.product.set_epilogue(CUBLASLT_EPILOGUE_BIAS);
    EXPECT_LE(worst_error(f.run(), f.expected(nullptr, bias)), 1e-6);
    f.product.set_epilogue(CUBLASLT_EPILOGUE_RELU);
    EXPECT_LE(worst_error(f.run(), f.expected(relu_of)), 1e-6);
    f.product.set_epilogue(CUBLASLT_EPILOGUE_RELU_BIAS);
    EXPECT_LE(worst_error(f.run(), f.expected(relu_of, bias)), 1e-6);
    f.product.set_epilogue(CUBLASLT_EPILOGUE_GELU);
    EXPECT_LE(worst_error(f.run(), f.expected(gelu_of)), 1e-6);
    f.product.set_epilogue(CUBLASLT_EPILOGUE_GELU_BIAS);
    EXPECT_LE(worst_error(f.run(), f.expected(gelu_of, bias)), 1e-6);
}

TEST(CublasLt, ReluMaskGoesForwardAndBack)
{
    Fixture f;
    DeviceArray<unsigned char> mask(128 / 8 * N);
    f.product.set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, static_cast<void *>(mask.zero().data()));
    f.product.set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, int64_t{128});
    f.product.set_epilogue(CUBLASLT_EPILOGUE_RELU_AUX);
    EXPECT_LE(worst_error(f.run(), f.expected(relu_of)), 1e-6);

    const DeviceArray<float> device_gradient(M);
    f.product.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, static_cast<void *>(device_gradient.data()));
    f.product.set_epilogue(CUBLASLT_EPILOGUE_DRELU_BGRAD);
    const Reals masked = f.expected(relu_of); /* the product again, where it was positive */
    EXPECT_LE(worst_error(f.run(), masked), 1e-6);
    Reals sums(M);
    for (size_t i = 0; i < masked.size(); i++)
        sums[i % M] += masked[i];
    EXPECT_LE(worst_error(device_gradient.download(), sums), 1e-6);
}

TEST(CublasLt, GeluInputGoesForwardAndBack)
{
    Fixture f;
    constexpr int64_t LD = (M + 7) / 8 * 8; /* cuBLASLt wants multiples of 8 */
    DeviceArray<float> device_input(LD * N);
    f.product.set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, static_cast<void *>(device_input.zero().data()));
    f.product.set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, LD);
    f.product.set_epilogue(CUBLASLT_EPILOGUE_GELU_AUX);
    EXPECT_LE(worst_error(f.run(), f.expected(gelu_of)), 1e-6);
    const std::vector<float> input = device_input.download();
    std::vector<float> columns;
    for (int64_t j = 0; j < N; j++)
        columns.insert(columns.end(), input.begin() + j * LD, input.begin() + j * LD + M);
    EXPECT_LE(worst_error(columns, f.expected()), 1e-6);
    f.product.set_epilogue(CUBLASLT_EPILOGUE_DGELU);
    const Reals expected = f.expected([](double x) { return x * (gelu_of(x + 1e-6) - gelu_of(x - 1e-6)) / 2e-6; });
    EXPECT_LE(worst_error(f.run(), expected), 1e-6);
}

TEST(CublasLt, BiasGradientsOfTheInputs)
{
    Fixture f;
    const DeviceArray<float> rows(M), cols(N);
    Reals row_sums(M), col_sums(N);
    for (size_t i = 0; i < M * K; i++)
        row_sums[i % M] += static_cast<double>(f.a[i]);
    for (size_t i = 0; i < K * N; i++)
        col_sums[i / K] += static_cast<double>(f.b[i]);
    f.product.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, static_cast<void *>(rows.data()));
    f.product.set_epilogue(CUBLASLT_EPILOGUE_BGRADA);
    EXPECT_LE(worst_error(f.run(), f.expected()), 1e-6);
    EXPECT_LE(worst_error(rows.download(), row_sums), 1e-6);
    f.product.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, static_cast<void *>(cols.data()));
    f.product.set_epilogue(CUBLASLT_EPILOGUE_BGRADB);
    f.run();
    EXPECT_LE(worst_error(cols.download(), col_sums), 1e-6);
}

TEST(CublasLt, BatchesWithStridesAndABroadcastInput)
{
    Fixture f;
    const std::vector<float> two = random_floats(2 * K * N, 9);
    const DeviceArray<float> device_two(two), device_c(2 * M * N);
    f.product.set_batches(f.product.a, 2, 0);
    f.product.set_batches(f.product.b, 2, K * N);
    f.product.set_batches(f.product.c, 2, M * N);
    ASSERT_EQ(f.product.run(f.device_a.data(), device_two.data(), device_c.data()), CUBLAS_STATUS_SUCCESS);
    Reals expected;
    for (int batch = 0; batch < 2; batch++) {
        const std::vector<float> one(two.begin() + batch * K * N, two.begin() + (batch + 1) * K * N);
        const Reals c = expected_product(f.a, one, false, false);
        expected.insert(expected.end(), c.begin(), c.end());
    }
    EXPECT_LE(worst_error(device_c.download(), expected), 1e-6);
}

TEST(CublasLt, RowMajorLayouts)
{
    Fixture f;
    const int32_t order = CUBLASLT_ORDER_ROW;
    const struct {
        cublasLtMatrixLayout_t layout;
        int64_t ld;
    } rows[] = {{f.product.a, K}, {f.product.b, N}, {f.product.c, N}};
    for (const auto &row : rows) {
        cublasLtMatrixLayoutSetAttribute(row.layout, CUBLASLT_MATRIX_LAYOUT_ORDER, &order, sizeof order);
        cublasLtMatrixLayoutSetAttribute(row.layout, CUBLASLT_MATRIX_LAYOUT_LD, &row.ld, sizeof row.ld);
    }
    EXPECT_LE(worst_error(f.run(), product_reference(f.a, f.b, M, N, K)), 1e-6);
}

TEST(CublasLt, Tf32IsTheCallersChoice)
{
    Fixture f;
    const std::vector<float> exact = f.run();
    f.product.set(CUBLASLT_MATMUL_DESC_COMPUTE_TYPE, static_cast<int32_t>(CUBLAS_COMPUTE_32F_FAST_TF32));
    const std::vector<float> rounded = f.run();
    EXPECT_NE(exact, rounded);
    EXPECT_LE(worst_error(rounded, f.expected()), 1e-3);
}

TEST(CublasLt, HeuristicHonoursWorkspaceAndReduction)
{
    Fixture f;
    cublasLtMatmulPreference_t preference;
    ASSERT_EQ(cublasLtMatmulPreferenceCreate(&preference), CUBLAS_STATUS_SUCCESS);
    cublasLtMatmulHeuristicResult_t results[8];
    int found = 0;
    const auto ask = [&] {
        return cublasLtMatmulAlgoGetHeuristic(f.product.handle, f.product.operation, f.product.a, f.product.b,
                                              f.product.c, f.product.c, preference, 8, results, &found);
    };
    ASSERT_EQ(ask(), CUBLAS_STATUS_SUCCESS);
    EXPECT_EQ(found, 1);
    EXPECT_EQ(results[0].workspaceSize, 0u);
    const uint64_t limit = 32 << 20;
    cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &limit, sizeof limit);
    ASSERT_EQ(ask(), CUBLAS_STATUS_SUCCESS);
    EXPECT_EQ(found, 3);
    int32_t split = 0;
    EXPECT_EQ(cublasLtMatmulAlgoConfigGetAttribute(&results[1].algo, CUBLASLT_ALGO_CONFIG_SPLITK_NUM, &split,
                                                   sizeof split, nullptr),
              CUBLAS_STATUS_SUCCESS);
    EXPECT_GT(split, 1);
    const uint32_t mask = CUBLASLT_REDUCTION_SCHEME_NONE;
    cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &mask, sizeof mask);
    ASSERT_EQ(ask(), CUBLAS_STATUS_SUCCESS);
    EXPECT_EQ(found, 2);

    const DeviceArray<char> workspace(results[0].workspaceSize);
    const auto run = [&](size_t bytes) {
        return f.product.run(f.device_a.data(), f.device_b.data(), f.device_c.data(), 1, 0, &results[0].algo,
                             workspace.data(), bytes);
    };
    EXPECT_EQ(run(results[0].workspaceSize), CUBLAS_STATUS_SUCCESS);
    EXPECT_EQ(run(results[0].workspaceSize - 1), CUBLAS_STATUS_INVALID_VALUE);
    const cublasLtMatmulAlgo_t garbage = {};
    EXPECT_EQ(f.product.run(f.device_a.data(), f.device_b.data(), f.device_c.data(), 1, 0, &garbage),
              CUBLAS_STATUS_INVALID_VALUE);
    cublasLtMatmulPreferenceDestroy(preference);
}

TEST(CublasLt, WrongShapesAndTypesAreRefused)
{
    Fixture f;
    Product other(CUDA_R_32F, M, N, K + 1);
    std::swap(f.product.b, other.b);
    EXPECT_EQ(f.product.run(f.device_a.data(), f.device_b.data(), f.device_c.data()), CUBLAS_STATUS_INVALID_VALUE);
    std::swap(f.product.b, other.b);
    f.product.set_epilogue(CUBLASLT_EPILOGUE_BIAS); /* without a bias */
    EXPECT_EQ(f.product.run(f.device_a.data(), f.device_b.data(), f.device_c.data()), CUBLAS_STATUS_INVALID_VALUE);
    f.product.set_epilogue(CUBLASLT_EPILOGUE_DEFAULT);
    f.product.set(CUBLASLT_MATMUL_DESC_COMPUTE_TYPE, static_cast<int32_t>(CUBLAS_COMPUTE_64F));
    EXPECT_EQ(f.product.run(f.device_a.data(), f.device_b.data(), f.device_c.data()), CUBLAS_STATUS_NOT_SUPPORTED);
    const int64_t wide = 0;
    EXPECT_EQ(cublasLtMatmulDescSetAttribute(f.product.operation, CUBLASLT_MATMUL_DESC_TRANSA, &wide, sizeof wide),
              CUBLAS_STATUS_INVALID_VALUE);
}

TEST(CublasLt, MatricesAreCheckedAgainstTheirAllocations)
{
    Fixture f;
    simt_set_quiet(1);
    simt_set_streams(SIMT_EAGER, 1);
    EXPECT_EQ(f.product.run(f.device_a.data() + 1, f.device_b.data(), f.device_c.data()), CUBLAS_STATUS_SUCCESS);
    EXPECT_EQ(simt_reports(SIMT_OUT_OF_BOUNDS), 1);
    EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
    simt_reset();
    simt_set_quiet(1);
    simt_set_streams(SIMT_EAGER, 1);
    const DeviceArray<float> unwritten(M * K);
    EXPECT_EQ(f.product.run(unwritten.data(), f.device_b.data(), f.device_c.data()), CUBLAS_STATUS_SUCCESS);
    EXPECT_EQ(simt_reports(SIMT_UNINITIALISED) > 0, simt_has_checker() != 0);
    simt_clear_reports();
}

TEST(CublasLt, CanBeOpenedAtRunTime)
{
    void *self = dlopen(nullptr, RTLD_NOW);
    for (const char *name : {"cublasLtCreate", "cublasLtMatmulAlgoGetHeuristic", "cublasLtMatmul"})
        EXPECT_NE(dlsym(self, name), nullptr) << name;
    dlclose(self);
}

TEST(CublasLt, FailuresOnPurpose)
{
    Fixture f;
    simt_fail_call(1, 0, cudaErrorUnknown);
    EXPECT_EQ(f.product.run(f.device_a.data(), f.device_b.data(), f.device_c.data()), CUBLAS_STATUS_EXECUTION_FAILED);
    EXPECT_STREQ(simt_failed_call(), "cublasLtMatmul");
    simt_fail_call(1, 0, cudaErrorUnknown);
    cublasLtMatmulDesc_t operation = nullptr;
    EXPECT_EQ(cublasLtMatmulDescCreate(&operation, CUBLAS_COMPUTE_32F, CUDA_R_32F), CUBLAS_STATUS_ALLOC_FAILED);
    EXPECT_LE(worst_error(f.run(), f.expected()), 1e-6);
    cudaGetLastError();
}

} /* namespace */
