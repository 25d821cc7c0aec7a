/* matmul.cpp - D = epilogue(alpha op(A) op(B) + beta C), queued on the caller's stream.
 *
 * Matrices are column-major unless their order says otherwise; sums are made in double and rounded once. Inputs of a
 * COMPUTE_32F_FAST_TF32 product are rounded to TF32 first, so that a test can tell the two apart. */
#include <chrono>
#include <cmath>
#include <cstring>
#include <thread>
#include <vector>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include "../cudart/runtime.h"
#include "../simt/block.h"
#include "../simt/checker.h"
#include "../simt/heap.h"
#include "descriptors.h"

namespace cublaslt
{
namespace
{

/* The epilogues are sums of these. */
enum EpilogueBits : uint32_t {
    relu = CUBLASLT_EPILOGUE_RELU,
    add_bias = CUBLASLT_EPILOGUE_BIAS,
    relu_gradient = CUBLASLT_EPILOGUE_DRELU & ~128u,
    bias_gradient = 16,
    gelu = CUBLASLT_EPILOGUE_GELU,
    gelu_gradient = CUBLASLT_EPILOGUE_DGELU & ~128u,
    with_aux = 128,
    bias_gradient_a = CUBLASLT_EPILOGUE_BGRADA,
    bias_gradient_b = CUBLASLT_EPILOGUE_BGRADB
};

size_t element_bytes(int type)
{
    return type == CUDA_R_64F ? 8 : type == CUDA_R_32F ? 4 : 2;
}

double load(const char *base, int64_t index, int type)
{
    const char *element = base + index * static_cast<int64_t>(element_bytes(type));
    switch (type) {
    case CUDA_R_64F:
        return *reinterpret_cast<const double *>(element);
    case CUDA_R_32F:
        return static_cast<double>(*reinterpret_cast<const float *>(element));
    case CUDA_R_16F:
        return static_cast<double>(__half2float(*reinterpret_cast<const __half *>(element)));
    default:
        return static_cast<double>(__bfloat162float(*reinterpret_cast<const __nv_bfloat16 *>(element)));
    }
}

void store(char *base, int64_t index, int type, double value)
{
    char *element = base + index * static_cast<int64_t>(element_bytes(type));
    switch (type) {
    case CUDA_R_64F:
        *reinterpret_cast<double *>(element) = value;
        break;
    case CUDA_R_32F:
        *reinterpret_cast<float *>(element) = static_cast<float>(value);
        break;
    case CUDA_R_16F:
        *reinterpret_cast<__half *>(element) = __double2half(value);
        break;
    default:
        *reinterpret_cast<__nv_bfloat16 *>(element) = __double2bfloat16(value);
    }
    simt::checker::written(element, element_bytes(type));
}

double to_tf32(double value)
{
    if (!std::isfinite(value) || value == 0)
        return value;
    int exponent = 0;
    const double fraction = std::frexp(value, &exponent); /* 11 significant bits, ties to even */
    return std::ldexp(std::nearbyint(std::ldexp(fraction, 11)), exponent - 11);
}

/* The tanh form, which is what cuBLASLt computes. */
double gelu_of(double x, bool hasty)
{
    const double t = std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x));
    return 0.5 * x * (1.0 + (hasty ? to_tf32(t) : t));
}

double relu_of(double x, bool hasty)
{
    return x > 0 ? x : std::isnan(x) && !hasty ? x : 0;
}

double gelu_slope(double x)
{
    const double t = std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x));
    return 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * 0.7978845608028654 * (1.0 + 3.0 * 0.044715 * x * x);
}

/* One matrix of a batch. */
struct Matrix {
    Layout layout;
    char *data;

    int64_t index(uint64_t row, uint64_t col) const
    {
        const auto r = static_cast<int64_t>(row), c = static_cast<int64_t>(col);
        return layout.order == CUBLASLT_ORDER_COL ? r + c * layout.ld : r * layout.ld + c;
    }
    /* Elements from the first to the last, gaps between columns included. */
    int64_t span() const
    {
        return index(layout.rows - 1, layout.cols - 1) + 1;
    }
    char *at_batch(int batch) const
    {
        return data + batch * layout.batch_stride * static_cast<int64_t>(element_bytes(layout.type));
    }
};

struct Product {
    Operation operation;
    Matrix a, b, c, d;
    double alpha, beta;
    uint64_t m, n, k;
    bool hasty;

    bool has(uint32_t bits) const
    {
        return (operation.epilogue & bits) != 0;
    }
    int bias_type() const
    {
        return operation.bias_type < 0 ? d.layout.type : operation.bias_type;
    }
    int aux_type() const
    {
        return operation.aux_type < 0 ? d.layout.type : operation.aux_type;
    }
};

/* op(matrix) of one batch as rows x cols doubles, row-major. */
std::vector<double> unpack(const Matrix &matrix, int batch, bool transpose, uint64_t rows, uint64_t cols, bool tf32)
{
    std::vector<double> values(rows * cols);
    const char *base = matrix.at_batch(batch);
    for (uint64_t i = 0; i < rows; i++)
        for (uint64_t j = 0; j < cols; j++) {
            const double value = load(base, transpose ? matrix.index(j, i) : matrix.index(i, j), matrix.layout.type);
            values[i * cols + j] = tf32 ? to_tf32(value) : value;
        }
    return values;
}

/* Reads or keeps the epilogue's second matrix for element (i, j): the GELU's input, or one bit whether x > 0. */
double apply_aux(const Product &p, char *aux, uint64_t i, uint64_t j, double x)
{
    const int64_t position = static_cast<int64_t>(i) + static_cast<int64_t>(j) * p.operation.aux_ld;
    if (p.has(gelu))
        store(aux, position, p.aux_type(), x);
    if (p.has(gelu_gradient))
        return x * gelu_slope(load(aux, position, p.aux_type()));
    if (!p.has(relu | relu_gradient))
        return x;
    auto &byte = reinterpret_cast<unsigned char &>(aux[position / 8]);
    const auto bit = static_cast<unsigned char>(1u << position % 8);
    if (p.has(relu_gradient))
        return byte & bit ? x : 0.0;
    byte = static_cast<unsigned char>(x > 0 ? byte | bit : byte & ~bit);
    simt::checker::written(&byte, 1);
    return x;
}

double apply_epilogue(const Product &p, char *bias, char *aux, uint64_t i, uint64_t j, double x)
{
    if (p.has(add_bias))
        x += load(bias, static_cast<int64_t>(i), p.bias_type());
    if (p.has(with_aux))
        x = apply_aux(p, aux, i, j, x);
    if (p.has(relu))
        x = relu_of(x, p.hasty);
    if (p.has(gelu))
        x = gelu_of(x, p.hasty);
    return x;
}

void store_sums(const Product &p, char *bias, const std::vector<double> &sums)
{
    for (size_t i = 0; i < sums.size(); i++)
        store(bias, static_cast<int64_t>(i), p.bias_type(), sums[i]);
}

void input_bias_gradient(const Product &p, char *bias, const std::vector<double> &a, const std::vector<double> &b)
{
    std::vector<double> sums(p.has(bias_gradient_a) ? p.m : p.n);
    for (size_t i = 0; i < sums.size(); i++)
        for (uint64_t l = 0; l < p.k; l++)
            sums[i] += p.has(bias_gradient_a) ? a[i * p.k + l] : b[l * p.n + i];
    store_sums(p, bias, sums);
}

void multiply_batch(const Product &p, int batch)
{
    const bool tf32 = p.operation.compute == CUBLAS_COMPUTE_32F_FAST_TF32 && p.a.layout.type == CUDA_R_32F;
    const std::vector<double> a = unpack(p.a, batch, p.operation.transpose_a != CUBLAS_OP_N, p.m, p.k, tf32);
    const std::vector<double> b = unpack(p.b, batch, p.operation.transpose_b != CUBLAS_OP_N, p.k, p.n, tf32);
    char *bias = static_cast<char *>(p.operation.bias);
    char *aux = static_cast<char *>(p.operation.aux);
    if (bias)
        bias += batch * p.operation.bias_batch_stride * static_cast<int64_t>(element_bytes(p.bias_type()));
    if (aux && p.has(relu | relu_gradient)) /* its strides count bits */
        aux += batch * p.operation.aux_batch_stride / 8;
    else if (aux)
        aux += batch * p.operation.aux_batch_stride * static_cast<int64_t>(element_bytes(p.aux_type()));
    if (p.has(bias_gradient_a | bias_gradient_b))
        input_bias_gradient(p, bias, a, b);
    std::vector<double> row_sums(p.m), row(p.n);
    for (uint64_t i = 0; i < p.m; i++) {
        row.assign(p.n, 0.0);
        for (uint64_t l = 0; l < p.k; l++)
            for (uint64_t j = 0; j < p.n; j++)
                row[j] += a[i * p.k + l] * b[l * p.n + j];
        for (uint64_t j = 0; j < p.n; j++) {
            double x = p.alpha * row[j];
            if (p.beta != 0) /* with beta 0, C is not read: it may hold NaN */
                x += p.beta * load(p.c.at_batch(batch), p.c.index(i, j), p.c.layout.type);
            x = apply_epilogue(p, bias, aux, i, j, x);
            row_sums[i] += x;
            store(p.d.at_batch(batch), p.d.index(i, j), p.d.layout.type, x);
        }
    }
    if (p.has(bias_gradient))
        store_sums(p, bias, row_sums);
}

/* --- checks ------------------------------------------------------------------------------------------------------- */

bool known_type(int type)
{
    return type == CUDA_R_64F || type == CUDA_R_32F || type == CUDA_R_16F || type == CUDA_R_16BF;
}

/* Double precision knows a bias and RELU. */
bool supported_epilogue(const Product &p)
{
    return p.d.layout.type != CUDA_R_64F || !p.has(~uint32_t{CUBLASLT_EPILOGUE_DEFAULT | CUBLASLT_EPILOGUE_RELU_BIAS});
}

/* The combinations of the stand-in: all double, or f32 accumulation over one of the narrower types. */
bool supported_types(const Product &p)
{
    const int input = p.a.layout.type, output = p.d.layout.type;
    if (!known_type(input) || p.b.layout.type != input || p.c.layout.type != output)
        return false;
    if (p.operation.compute == CUBLAS_COMPUTE_64F)
        return p.operation.scale == CUDA_R_64F && input == CUDA_R_64F && output == CUDA_R_64F;
    const bool f32 = p.operation.compute == CUBLAS_COMPUTE_32F || p.operation.compute == CUBLAS_COMPUTE_32F_PEDANTIC ||
                     p.operation.compute == CUBLAS_COMPUTE_32F_FAST_TF32;
    return f32 && p.operation.scale == CUDA_R_32F && input != CUDA_R_64F && (output == input || output == CUDA_R_32F);
}

bool supported_operation(const Product &p)
{
    return p.operation.pointer_mode == CUBLASLT_POINTER_MODE_HOST && p.operation.transpose_c == CUBLAS_OP_N &&
           p.operation.fill_mode == CUBLAS_FILL_MODE_FULL && p.operation.epilogue < 1024;
}

bool good_layout(const Layout &layout, uint64_t rows, uint64_t cols, int batch_count)
{
    if (layout.order != CUBLASLT_ORDER_COL && layout.order != CUBLASLT_ORDER_ROW)
        return false;
    const uint64_t line = layout.order == CUBLASLT_ORDER_COL ? rows : cols;
    return layout.rows == rows && layout.cols == cols && layout.ld >= static_cast<int64_t>(line) &&
           layout.batch_count == batch_count && batch_count >= 1;
}

bool good_epilogue(const Product &p)
{
    const bool needs_bias = p.has(add_bias | bias_gradient | bias_gradient_a | bias_gradient_b);
    if (needs_bias && !p.operation.bias)
        return false;
    if (!p.has(with_aux))
        return true;
    const int64_t unit = p.has(relu | relu_gradient) ? 128 : 8; /* bits, elements */
    return p.operation.aux && p.operation.aux_ld >= static_cast<int64_t>(p.m) && p.operation.aux_ld % unit == 0 &&
           p.operation.aux_batch_stride % unit == 0;
}

/* Reports a bias, or sums of a matrix, that leave their allocation. */
bool check_vector(const Product &p)
{
    const uint64_t length = p.has(bias_gradient_b) ? p.n : p.m;
    const char *start = static_cast<const char *>(p.operation.bias);
    const size_t bytes = static_cast<size_t>(length) * element_bytes(p.bias_type());
    if (!p.has(add_bias | bias_gradient | bias_gradient_a | bias_gradient_b))
        return true;
    if (!simt::heap_holds(start, bytes)) {
        simt::report(SIMT_OUT_OF_BOUNDS, "cublasLtMatmul: the bias of %zu bytes is not in one allocation (%s)", bytes,
                     simt::heap_describe(start).c_str());
        return false;
    }
    if (p.has(add_bias))
        simt::checker::read_by("cublasLtMatmul", start, bytes);
    return true;
}

/* The same for GELU's second matrix. */
bool check_aux(const Product &p)
{
    const int64_t last = static_cast<int64_t>(p.n - 1) * p.operation.aux_ld + static_cast<int64_t>(p.m);
    const size_t bytes = static_cast<size_t>(last) * element_bytes(p.aux_type());
    if (!p.has(with_aux) || p.has(relu | relu_gradient) || simt::heap_holds(p.operation.aux, bytes))
        return true;
    simt::report(SIMT_OUT_OF_BOUNDS, "cublasLtMatmul: the auxiliary matrix of %zu bytes is not in one allocation (%s)",
                 bytes, simt::heap_describe(p.operation.aux).c_str());
    return false;
}

/* Reports a matrix that leaves its allocation, or an input that nothing has written. */
bool check_matrix(const char *name, const Matrix &matrix, bool input)
{
    for (int batch = 0; batch < matrix.layout.batch_count; batch++) {
        const size_t bytes = static_cast<size_t>(matrix.span()) * element_bytes(matrix.layout.type);
        const char *start = matrix.at_batch(batch);
        if (!simt::heap_holds(start, bytes)) {
            simt::report(SIMT_OUT_OF_BOUNDS, "cublasLtMatmul: matrix %s of %zu bytes is not in one allocation (%s)",
                         name, bytes, simt::heap_describe(start).c_str());
            return false;
        }
        if (!input)
            continue;
        const bool by_column = matrix.layout.order == CUBLASLT_ORDER_COL;
        const uint64_t lines = by_column ? matrix.layout.cols : matrix.layout.rows;
        const uint64_t length = by_column ? matrix.layout.rows : matrix.layout.cols;
        for (uint64_t line = 0; line < lines; line++)
            simt::checker::read_by("cublasLtMatmul",
                                   start + static_cast<int64_t>(line) * matrix.layout.ld *
                                               static_cast<int64_t>(element_bytes(matrix.layout.type)),
                                   length * element_bytes(matrix.layout.type));
    }
    return true;
}

void carry_out(const Product &p)
{
    if (!check_matrix("A", p.a, true) || !check_matrix("B", p.b, true) || !check_matrix("D", p.d, false) ||
        (p.beta != 0 && !check_matrix("C", p.c, true)) || !check_vector(p) || !check_aux(p)) {
        cudart::set_sticky_error(cudaErrorIllegalAddress);
        return;
    }
    if (p.has(gelu) && p.has(with_aux) && p.m == 64) /* a slow epilogue, for tests of what timing makes of it */
        std::this_thread::sleep_for(std::chrono::milliseconds(30));
    for (int batch = 0; batch < p.d.layout.batch_count; batch++)
        multiply_batch(p, batch);
}

/* What an algorithm asks for, given p's matrices: its workspace; p is told its manner. False: it is none of ours, or
 * they do not suit it. */
bool workspace_need(const cublasLtMatmulAlgo_t *handle, Product &p, uint64_t *bytes)
{
    *bytes = 0;
    if (!handle)
        return true;
    Algorithm algorithm;
    memcpy(&algorithm, handle, sizeof algorithm);
    *bytes = algorithm.workspace;
    p.hasty = algorithm.is_hasty();
    if (algorithm.magic != algorithm_magic || !algorithm.knows(p.operation.epilogue))
        return false;
    const auto addresses = reinterpret_cast<uintptr_t>(p.a.data) | reinterpret_cast<uintptr_t>(p.b.data);
    return addresses % algorithm.alignment == 0;
}

Matrix matrix(cublasLtMatrixLayout_t layout, const void *data)
{
    return {*of(layout), static_cast<char *>(const_cast<void *>(data))};
}

/* Fills in p.m, p.n and p.k. */
cublasStatus_t find_sizes(Product &p)
{
    if (!supported_types(p) || !supported_operation(p) || !supported_epilogue(p))
        return CUBLAS_STATUS_NOT_SUPPORTED;
    const bool ta = p.operation.transpose_a != CUBLAS_OP_N, tb = p.operation.transpose_b != CUBLAS_OP_N;
    p.m = ta ? p.a.layout.cols : p.a.layout.rows;
    p.k = ta ? p.a.layout.rows : p.a.layout.cols;
    p.n = tb ? p.b.layout.rows : p.b.layout.cols;
    const int batches = p.d.layout.batch_count;
    const bool good = p.m != 0 && p.n != 0 && p.k != 0 &&
                      good_layout(p.a.layout, ta ? p.k : p.m, ta ? p.m : p.k, batches) &&
                      good_layout(p.b.layout, tb ? p.n : p.k, tb ? p.k : p.n, batches) &&
                      good_layout(p.c.layout, p.m, p.n, batches) && good_layout(p.d.layout, p.m, p.n, batches);
    return good ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

double scalar(const void *value, int type)
{
    return load(static_cast<const char *>(value), 0, type);
}

} /* namespace */

cublasStatus_t check_product(cublasLtMatmulDesc_t operation, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                             cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d)
{
    Product p = {
        *of(operation), matrix(a, nullptr), matrix(b, nullptr), matrix(c, nullptr), matrix(d, nullptr), 0, 0, 0, 0, 0,
        false};
    return find_sizes(p);
}

} /* namespace cublaslt */

using namespace cublaslt;

extern "C" cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation, const void *alpha,
                                         const void *a, cublasLtMatrixLayout_t a_layout, const void *b,
                                         cublasLtMatrixLayout_t b_layout, const void *beta, const void *c,
                                         cublasLtMatrixLayout_t c_layout, void *d, cublasLtMatrixLayout_t d_layout,
                                         const cublasLtMatmulAlgo_t *algorithm, void *workspace, size_t workspace_bytes,
                                         cudaStream_t stream_handle)
{
    cudart::Call call("cublasLtMatmul");
    if (call.refused())
        return CUBLAS_STATUS_EXECUTION_FAILED;
    if (!handle || !operation || !alpha || !beta || !a_layout || !b_layout || !c_layout || !d_layout)
        return CUBLAS_STATUS_INVALID_VALUE;
    Product p = {*of(operation),
                 matrix(a_layout, a),
                 matrix(b_layout, b),
                 matrix(c_layout, c),
                 matrix(d_layout, d),
                 0,
                 0,
                 0,
                 0,
                 0,
                 false};
    const cublasStatus_t status = find_sizes(p);
    if (status != CUBLAS_STATUS_SUCCESS)
        return status;
    if (!good_epilogue(p))
        return CUBLAS_STATUS_INVALID_VALUE;
    p.alpha = scalar(alpha, p.operation.scale);
    p.beta = scalar(beta, p.operation.scale);
    uint64_t need = 0;
    if (!workspace_need(algorithm, p, &need) || need > workspace_bytes)
        return CUBLAS_STATUS_INVALID_VALUE;
    const cudart::StreamRef stream = cudart::find_stream(stream_handle);
    if (!stream)
        return CUBLAS_STATUS_INVALID_VALUE;
    if (need && !simt::heap_holds(workspace, need))
        return CUBLAS_STATUS_INVALID_VALUE;
    cudart::push(stream, [p, workspace, need] {
        if (need) /* whatever was kept there is gone */
            memset(workspace, 0xFF, need);
        carry_out(p);
    });
    return CUBLAS_STATUS_SUCCESS;
}
