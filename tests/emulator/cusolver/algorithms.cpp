/* algorithms.cpp - see algorithms.h. */
#include "algorithms.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace cusolver
{
namespace
{

using Vector = std::vector<double>;

double product(const double *a, const double *b, int n)
{
    return std::inner_product(a, a + n, b, 0.0);
}

/* The rotation that makes the product of two vectors of these squares 0. */
void find_rotation(double first, double second, double both, double *c, double *s)
{
    const double zeta = (second - first) / (2 * both);
    const double t = (zeta < 0 ? -1 : 1) / (std::fabs(zeta) + std::sqrt(1 + zeta * zeta));
    *c = 1 / std::sqrt(1 + t * t);
    *s = *c * t;
}

void rotate(double *a, double *b, int n, int step, double c, double s)
{
    for (int i = 0; i < n; i++) {
        const double x = a[i * step], y = b[i * step];
        a[i * step] = c * x - s * y;
        b[i * step] = s * x + c * y;
    }
}

std::vector<int> order_of(const Vector &values, bool falling)
{
    std::vector<int> order(values.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int i, int j) {
        const double x = values[static_cast<size_t>(i)], y = values[static_cast<size_t>(j)];
        return falling ? x > y : x < y;
    });
    return order;
}

/* u's column `at` becomes a unit vector that is orthogonal to those before. */
void complete(double *u, int m, int ldu, int at)
{
    double *x = u + at * ldu;
    for (int axis = 0; axis < m; axis++) {
        for (int i = 0; i < m; i++)
            x[i] = i == axis;
        for (int again = 0; again < 2; again++)
            for (int q = 0; q < at; q++) {
                const double f = product(u + q * ldu, x, m);
                for (int i = 0; i < m; i++)
                    x[i] -= f * u[q * ldu + i];
            }
        const double length = std::sqrt(product(x, x, m));
        if (length < 0.1 && axis + 1 < m)
            continue;
        for (int i = 0; i < m; i++)
            x[i] /= length;
        return;
    }
}

} /* namespace */

int potrf(int n, double *a, int lda)
{
    for (int k = 0; k < n; k++) {
        double pivot = a[k * lda + k];
        for (int i = 0; i < k; i++)
            pivot -= a[k * lda + i] * a[k * lda + i];
        if (!(pivot > 0))
            return k + 1;
        a[k * lda + k] = std::sqrt(pivot);
        for (int j = k + 1; j < n; j++)
            a[j * lda + k] = (a[j * lda + k] - product(a + k * lda, a + j * lda, k)) / a[k * lda + k];
    }
    return 0;
}

int getrf(int n, double *a, int lda, int *pivots)
{
    int info = 0;
    for (int k = 0; k < n; k++) {
        int best = k;
        for (int i = k + 1; i < n; i++)
            if (std::fabs(a[k * lda + i]) > std::fabs(a[k * lda + best]))
                best = i;
        pivots[k] = best + 1;
        for (int j = 0; j < n && best != k; j++)
            std::swap(a[j * lda + k], a[j * lda + best]);
        const double pivot = a[k * lda + k];
        if (pivot == 0) {
            info = info ? info : k + 1;
            continue;
        }
        for (int i = k + 1; i < n; i++)
            a[k * lda + i] /= pivot;
        for (int j = k + 1; j < n; j++)
            for (int i = k + 1; i < n; i++)
                a[j * lda + i] -= a[k * lda + i] * a[j * lda + k];
    }
    return info;
}

void getrs(bool transposed, int n, int k, const double *a, int lda, const int *pivots, double *b, int ldb)
{
    for (int column = 0; column < k; column++) {
        double *x = b + column * ldb;
        if (!transposed) {
            for (int i = 0; i < n; i++)
                std::swap(x[i], x[pivots[i] - 1]);
            for (int j = 0; j < n; j++)
                for (int i = j + 1; i < n; i++)
                    x[i] -= a[j * lda + i] * x[j];
            for (int j = n - 1; j >= 0; j--) {
                x[j] /= a[j * lda + j];
                for (int i = 0; i < j; i++)
                    x[i] -= a[j * lda + i] * x[j];
            }
            continue;
        }
        for (int i = 0; i < n; i++)
            x[i] = (x[i] - product(a + i * lda, x, i)) / a[i * lda + i];
        for (int i = n - 1; i >= 0; i--)
            x[i] -= product(a + i * lda + i + 1, x + i + 1, n - i - 1);
        for (int i = n - 1; i >= 0; i--)
            std::swap(x[i], x[pivots[i] - 1]);
    }
}

void geqrf(int m, int n, double *a, int lda, double *tau)
{
    for (int k = 0; k < std::min(m, n); k++) {
        double *v = a + k * lda + k;
        const int length = m - k;
        const double size = std::sqrt(product(v, v, length)), alpha = v[0] > 0 ? -size : size, head = v[0] - alpha;
        tau[k] = 0;
        if (size == 0 || product(v + 1, v + 1, length - 1) == 0)
            continue;
        tau[k] = -head / alpha;
        for (int i = 1; i < length; i++)
            v[i] /= head;
        v[0] = alpha;
        for (int j = k + 1; j < n; j++) {
            double *c = a + j * lda + k;
            const double f = tau[k] * (c[0] + product(v + 1, c + 1, length - 1));
            c[0] -= f;
            for (int i = 1; i < length; i++)
                c[i] -= f * v[i];
        }
    }
}

void orgqr(int m, int n, int k, double *a, int lda, const double *tau)
{
    Vector q(static_cast<size_t>(m) * static_cast<size_t>(n));
    for (int j = 0; j < n; j++) {
        double *c = &q[static_cast<size_t>(j) * static_cast<size_t>(m)];
        c[j] = 1;
        for (int p = k - 1; p >= 0; p--) {
            const double *v = a + p * lda, f = tau[p] * (c[p] + product(v + p + 1, c + p + 1, m - p - 1));
            c[p] -= f;
            for (int i = p + 1; i < m; i++)
                c[i] -= f * v[i];
        }
    }
    for (int j = 0; j < n; j++)
        std::copy_n(&q[static_cast<size_t>(j) * static_cast<size_t>(m)], m, a + j * lda);
}

void syevd(int n, double *a, int lda, double *w)
{
    const size_t size = static_cast<size_t>(n);
    Vector x(size * size), v(size * size), values(size);
    double all = 0;
    for (int j = 0; j < n; j++)
        for (int i = 0; i < n; i++) {
            x[size_t(j * n + i)] = i <= j ? a[j * lda + i] : a[i * lda + j];
            v[size_t(j * n + i)] = i == j;
            all += x[size_t(j * n + i)] * x[size_t(j * n + i)];
        }
    bool turned = true;
    for (int sweep = 0; sweep < 60 && turned; sweep++) {
        turned = false;
        for (int p = 0; p < n; p++)
            for (int q = p + 1; q < n; q++) {
                const double both = x[size_t(q * n + p)];
                double c, s;
                if (!(std::fabs(both) > 1e-17 * std::sqrt(all) / n))
                    continue;
                turned = true;
                find_rotation(x[size_t(p * n + p)], x[size_t(q * n + q)], both, &c, &s);
                rotate(&x[size_t(p * n)], &x[size_t(q * n)], n, 1, c, s);
                rotate(&x[size_t(p)], &x[size_t(q)], n, n, c, s);
                rotate(&v[size_t(p * n)], &v[size_t(q * n)], n, 1, c, s);
            }
    }
    for (int i = 0; i < n; i++)
        values[size_t(i)] = x[size_t(i * n + i)];
    const std::vector<int> order = order_of(values, false);
    for (int i = 0; i < n; i++) {
        w[i] = values[size_t(order[size_t(i)])];
        for (int j = 0; j < n; j++)
            a[i * lda + j] = v[size_t(order[size_t(i)] * n + j)];
    }
}

void gesvd(int m, int n, double *a, int lda, double *s, double *u, int ldu, double *vt, int ldvt)
{
    const size_t size = static_cast<size_t>(n);
    Vector v(size * size), values(size);
    double all = 0;
    for (int i = 0; i < n; i++) {
        v[size_t(i * n + i)] = 1;
        all += product(a + i * lda, a + i * lda, m);
    }
    bool turned = true;
    for (int sweep = 0; sweep < 60 && turned; sweep++) {
        turned = false;
        for (int p = 0; p < n; p++)
            for (int q = p + 1; q < n; q++) {
                double *x = a + p * lda, *y = a + q * lda, c, sine;
                const double first = product(x, x, m), second = product(y, y, m), both = product(x, y, m);
                if (!(first > 1e-33 * all && second > 1e-33 * all &&
                      std::fabs(both) > 1e-15 * std::sqrt(first * second)))
                    continue;
                turned = true;
                find_rotation(first, second, both, &c, &sine);
                rotate(x, y, m, 1, c, sine);
                rotate(&v[size_t(p * n)], &v[size_t(q * n)], n, 1, c, sine);
            }
    }
    for (int i = 0; i < n; i++)
        values[size_t(i)] = std::sqrt(product(a + i * lda, a + i * lda, m));
    const std::vector<int> order = order_of(values, true);
    for (int i = 0; i < n; i++) {
        const int from = order[size_t(i)];
        const double sign = i % 3 == 1 ? -1 : 1; /* as they come */
        s[i] = values[size_t(from)];
        for (int j = 0; j < n; j++)
            vt[j * ldvt + i] = sign * v[size_t(from * n + j)];
        if (s[i] <= 1e-15 * s[0])
            complete(u, m, ldu, i);
        else
            for (int j = 0; j < m; j++)
                u[i * ldu + j] = sign * a[from * lda + j] / s[i];
    }
}

} /* namespace cusolver */
