/* sample_reference.h - what the sample kernels should compute, in double. */
#ifndef WEFT_TESTS_SAMPLE_REFERENCE_H
#define WEFT_TESTS_SAMPLE_REFERENCE_H

#include <algorithm>
#include <cmath>
#include <vector>

using Reals = std::vector<double>;

inline double silu_of(double x)
{
    return x / (1.0 + std::exp(-x));
}

inline Reals silu_reference(const std::vector<float> &x)
{
    Reals y(x.size());
    std::transform(x.begin(), x.end(), y.begin(), [](float value) { return silu_of(static_cast<double>(value)); });
    return y;
}

inline Reals softmax_reference(const std::vector<float> &x, size_t rows, size_t cols)
{
    Reals y(x.size());
    for (size_t row = 0; row < rows; row++) {
        const float *values = &x[row * cols];
        const double maximum = static_cast<double>(*std::max_element(values, values + cols));
        double sum = 0;
        for (size_t col = 0; col < cols; col++)
            sum += std::exp(static_cast<double>(values[col]) - maximum);
        for (size_t col = 0; col < cols; col++)
            y[row * cols + col] = std::exp(static_cast<double>(values[col]) - maximum) / sum;
    }
    return y;
}

inline Reals column_sums_reference(const std::vector<float> &x, size_t rows, size_t cols)
{
    Reals sums(cols);
    for (size_t row = 0; row < rows; row++)
        for (size_t col = 0; col < cols; col++)
            sums[col] += static_cast<double>(x[row * cols + col]);
    return sums;
}

inline Reals transpose_reference(const std::vector<float> &x, size_t rows, size_t cols)
{
    Reals y(x.size());
    for (size_t row = 0; row < rows; row++)
        for (size_t col = 0; col < cols; col++)
            y[col * rows + row] = static_cast<double>(x[row * cols + col]);
    return y;
}

inline Reals product_reference(const std::vector<float> &a, const std::vector<float> &b, size_t m, size_t n, size_t k)
{
    Reals c(m * n);
    for (size_t i = 0; i < m; i++)
        for (size_t inner = 0; inner < k; inner++)
            for (size_t j = 0; j < n; j++)
                c[i * n + j] += static_cast<double>(a[i * k + inner]) * static_cast<double>(b[inner * n + j]);
    return c;
}

/* The largest |got - expected| / (1 + |expected|); infinite where got is NaN. */
inline double worst_error(const std::vector<float> &got, const Reals &expected)
{
    double worst = got.size() == expected.size() ? 0 : INFINITY;
    for (size_t i = 0; i < got.size() && i < expected.size(); i++) {
        const double error = std::fabs(static_cast<double>(got[i]) - expected[i]) / (1.0 + std::fabs(expected[i]));
        worst = std::isnan(error) ? INFINITY : std::max(worst, error);
    }
    return worst;
}

#endif
