/* test_linalg.c - linear algebra beyond the golden records, on the device under test: factors put together again,
 * matrices for which there is no result, and derivatives where matrices are singular or values equal. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "harness/structs.h"
#include "harness/weft_test.h"
#include "samples/device.h"
#include "samples/layout.h"

/* ---- Factors put together again ---- */

typedef struct problem {
    int64_t batch, m, n;
    weft_dtype dtype;
} problem;

static weft_tensor *turned(weft_tensor *x)
{
    return weft_transpose(x, -1, -2);
}

static weft_tensor *unit(weft_ctx *c, weft_dtype dtype, int64_t n)
{
    return weft_eye(c, dtype, n, n);
}

static weft_tensor *input(weft_ctx *c, weft_dtype dtype, const int64_t *shape, int ndim, uint64_t seed)
{
    weft_seed(c, seed);
    return weft_rand(c, dtype, shape, ndim, -1, 1);
}

/* The largest difference of two tensors. */
static double apart(weft_ctx *c, weft_tensor *a, weft_tensor *b)
{
    return weft_item(c, weft_max_over(weft_abs(weft_sub(a, b)), WEFT_ALL, false));
}

static void check_factors(weft_ctx *c, const problem *p)
{
    const double most = p->dtype == WEFT_F64 ? 1e-12 : 1e-4;
    const int64_t r = p->m < p->n ? p->m : p->n;
    const int mark = weft_scope_push(c);
    weft_tensor *x = input(c, p->dtype, (const int64_t[]){p->batch, p->m, p->n}, 3, 3), *one = unit(c, p->dtype, r);
    weft_tensor *q, *up, *u, *s, *vh;
    WEFT_CHECK_OK(weft_qr(x, &q, &up));
    WEFT_CHECK(apart(c, weft_matmul(q, up), x) < most);
    WEFT_CHECK(apart(c, weft_matmul(turned(q), q), weft_expand(one, (const int64_t[]){p->batch, r, r}, 3)) < most);
    WEFT_CHECK(apart(c, weft_triu(up, 0), up) == 0);
    WEFT_CHECK(weft_item(c, weft_min_over(weft_diagonal(up, 0, 1, 2), WEFT_ALL, false)) >= 0);
    WEFT_CHECK_OK(weft_svd(x, &u, &s, &vh));
    WEFT_CHECK(apart(c, weft_matmul(weft_mul(u, weft_unsqueeze(s, -2)), vh), x) < most);
    WEFT_CHECK(apart(c, weft_matmul(turned(u), u), weft_expand(one, (const int64_t[]){p->batch, r, r}, 3)) < most);
    WEFT_CHECK(apart(c, weft_matmul(vh, turned(vh)), weft_expand(one, (const int64_t[]){p->batch, r, r}, 3)) < most);
    WEFT_CHECK(weft_item(c, weft_min_over(s, WEFT_ALL, false)) >= 0);
    if (r > 1)
        WEFT_CHECK(weft_item(c, weft_max_over(weft_diff(s, -1), WEFT_ALL, false)) <= 0);
    weft_tensor *y = weft_pinv(x, -1);
    WEFT_CHECK(apart(c, weft_matmul(weft_matmul(x, y), x), x) < most);
    WEFT_CHECK_OK(weft_ctx_status(c));
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
}

static void check_square(weft_ctx *c, const problem *p)
{
    const double most = p->dtype == WEFT_F64 ? 1e-11 : 1e-4, n = (double)p->n;
    const int mark = weft_scope_push(c);
    weft_tensor *x = input(c, p->dtype, (const int64_t[]){p->batch, p->n, p->n}, 3, 4);
    weft_tensor *one = unit(c, p->dtype, p->n), *many = weft_expand(one, weft_shape(x), 3), *values, *vectors, *sign,
                *size;
    weft_tensor *b = input(c, p->dtype, (const int64_t[]){p->batch, p->n, 3}, 3, 5);
    weft_tensor *even = weft_mul_scalar(weft_add(x, turned(x)), 0.5);
    WEFT_CHECK_OK(weft_eigh(x, &values, &vectors));
    WEFT_CHECK(apart(c, weft_matmul(weft_mul(vectors, weft_unsqueeze(values, -2)), turned(vectors)), even) < most);
    WEFT_CHECK(apart(c, weft_matmul(turned(vectors), vectors), many) < most);
    if (p->n > 1)
        WEFT_CHECK(weft_item(c, weft_min_over(weft_diff(values, -1), WEFT_ALL, false)) >= 0);
    weft_tensor *strong = weft_add(x, weft_mul_scalar(one, n)), *l = weft_cholesky(strong);
    WEFT_CHECK(apart(c, weft_matmul(l, turned(l)), weft_add(even, weft_mul_scalar(one, n))) < most * n);
    WEFT_CHECK(apart(c, weft_tril(l, 0), l) == 0);
    WEFT_CHECK(apart(c, weft_matmul(strong, weft_solve(strong, b)), b) < most);
    WEFT_CHECK(apart(c, weft_matmul(weft_inverse(strong), strong), many) < most);
    WEFT_CHECK(apart(c, weft_matmul(l, weft_triangular_solve(l, b, 0)), b) < most);
    WEFT_CHECK(apart(c, weft_matmul(turned(l), weft_triangular_solve(l, b, WEFT_TRIANGULAR_SOLVE_TRANSPOSED)), b) <
               most);
    WEFT_CHECK_OK(weft_slogdet(strong, &sign, &size));
    WEFT_CHECK(weft_item(c, weft_min_over(sign, WEFT_ALL, false)) == 1);
    weft_tensor *twice = weft_add(even, weft_mul_scalar(one, n)); /* l l^T */
    WEFT_CHECK_OK(weft_slogdet(twice, &sign, &size));
    weft_tensor *logs = weft_sum(weft_log(weft_diagonal(l, 0, 1, 2)), WEFT_DIMS(-1), false);
    WEFT_CHECK(apart(c, size, weft_mul_scalar(logs, 2)) < most * n);
    weft_tensor *flat =
        weft_mul(twice, weft_exp(weft_mul_scalar(weft_reshape(size, (const int64_t[]){p->batch, 1, 1}, 3), -1 / n)));
    WEFT_CHECK(apart(c, weft_det(flat), weft_full_like(size, 1)) < most * n);
    weft_tensor *inverse = weft_matrix_exp(weft_neg(weft_mul_scalar(x, 0.5)));
    WEFT_CHECK(apart(c, weft_matmul(weft_matrix_exp(weft_mul_scalar(x, 0.5)), inverse), many) < most * exp(n / 8));
    WEFT_CHECK_OK(weft_ctx_status(c));
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
}

WEFT_TEST(Linalg, FactorsGiveTheMatrix)
{
    /* The last ones are LAPACK's on a CPU that has it; an emulated device would take long. */
    enum { LARGE = 3 };
    static const problem problems[] = {{3, 5, 5, WEFT_F64},   {2, 37, 9, WEFT_F64},  {2, 9, 37, WEFT_F32},
                                       {1, 33, 33, WEFT_F64}, {40, 3, 3, WEFT_F32},  {1, 1, 6, WEFT_F64},
                                       {1, 40, 1, WEFT_F64},  {2, 70, 70, WEFT_F64}, {1, 65, 90, WEFT_F32},
                                       {1, 100, 64, WEFT_F64}};
    const size_t n = sizeof problems / sizeof *problems - (test_on_cpu() ? 0 : LARGE);
    test_memory memory;
    weft_ctx *c = test_ctx_open(&memory, 2);
    WEFT_REQUIRE(c);
    for (size_t k = 0; k < n; k++) {
        check_factors(c, &problems[k]);
        if (problems[k].m == problems[k].n)
            check_square(c, &problems[k]);
    }
    test_ctx_close(c, &memory);
}

/* ---- No result ---- */

static void check_refused(weft_ctx *c, weft_tensor *y, const char *operation, const char *what)
{
    const weft_status status = y ? weft_synchronise(c) : weft_ctx_status(c); /* a device tells when it has come to it */
    WEFT_CHECK_STATUS(status, WEFT_E_INVALID);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), operation);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), what);
    weft_ctx_clear(c);
}

WEFT_TEST(Linalg, NamesTheMatrixThatHasNoResult)
{
    test_memory memory;
    weft_ctx *c = test_ctx_open(&memory, 2);
    WEFT_REQUIRE(c);
    const int mark = weft_scope_push(c);
    static const double values[] = {2, 1, 1, 2, /**/ 3, 0, 0, 1, /**/ 1, 2, 2, 1, /**/ 1, 2, 2, 4};
    weft_tensor *x = weft_from_data(c, WEFT_F64, WEFT_DIMS(4, 2, 2), values),
                *b = weft_ones(c, WEFT_F64, WEFT_DIMS(2, 1));
    weft_tensor *indefinite = weft_slice(x, 0, 0, 3, 1), *singular = weft_slice(x, 0, 1, 4, 1);
    check_refused(c, weft_cholesky(indefinite), "cholesky",
                  "matrix 2 is not positive definite: its leading minor of order 2");
    check_refused(c, weft_solve(singular, b), "solve", "matrix 2 is singular: pivot 1 is 0");
    check_refused(c, weft_inverse(singular), "inverse", "matrix 2 is singular");
    check_refused(c, weft_triangular_solve(weft_sub(x, weft_full_like(x, 2)), b, 0), "triangular_solve",
                  "matrix 0 is singular: pivot 0");
    check_refused(c, weft_reciprocal_gaps(weft_full(c, WEFT_F64, WEFT_DIMS(1, 3), 7)), "reciprocal_gaps",
                  "value 0 of row 0 equals another");
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
    test_ctx_close(c, &memory);
}

/* A NaN is no fault of the matrix's: it goes through, as through any operation. */
WEFT_TEST(Linalg, NanGoesThrough)
{
    test_memory memory;
    weft_ctx *c = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(c);
    const int mark = weft_scope_push(c);
    weft_tensor *x = weft_full(c, WEFT_F64, WEFT_DIMS(3, 3), (double)NAN), *y[12] = {NULL};
    WEFT_CHECK_OK(weft_qr(x, &y[0], NULL));
    WEFT_CHECK_OK(weft_eigh(x, &y[1], &y[2]));
    WEFT_CHECK_OK(weft_svd(x, &y[3], &y[4], &y[5]));
    y[6] = weft_cholesky(x);
    y[7] = weft_inverse(x);
    y[8] = weft_det(x);
    y[9] = weft_cofactor(x);
    y[10] = weft_pinv(x, -1);
    y[11] = weft_matrix_exp(x);
    for (int k = 0; k < 12; k++)
        if (!y[k] || weft_item(c, weft_any(weft_isnan(y[k]), WEFT_ALL, false)) != 1)
            WEFT_FAIL("result %d has no NaN: %s", k, weft_ctx_message(c));
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
    test_ctx_close(c, &memory);
}

/* ---- Singular values of 0 ---- */

WEFT_TEST(Linalg, VectorsOfNothingAreOrthonormal)
{
    test_memory memory;
    weft_ctx *c = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(c);
    for (int k = 0; k < 3; k++) {
        const int mark = weft_scope_push(c);
        weft_tensor *a = input(c, WEFT_F64, WEFT_DIMS(7, 2), 11), *b = input(c, WEFT_F64, WEFT_DIMS(2, 5), 12);
        weft_tensor *x = k == 0   ? weft_zeros(c, WEFT_F64, WEFT_DIMS(7, 5))
                         : k == 1 ? weft_matmul(a, b)
                                  : turned(weft_matmul(a, b));
        weft_tensor *u, *s, *vh;
        WEFT_CHECK_OK(weft_svd(x, &u, &s, &vh));
        WEFT_CHECK(apart(c, weft_matmul(turned(u), u), unit(c, WEFT_F64, 5)) < 1e-13);
        WEFT_CHECK(apart(c, weft_matmul(vh, turned(vh)), unit(c, WEFT_F64, 5)) < 1e-13);
        WEFT_CHECK(apart(c, weft_matmul(weft_mul(u, weft_unsqueeze(s, -2)), vh), x) < 1e-13);
        WEFT_CHECK_OK(weft_scope_pop(c, mark));
    }
    test_ctx_close(c, &memory);
}

/* ---- Derivatives ---- */

/* Derivatives of a determinant along one direction, by the coefficients of det(x + t d) = sum of c[k] t^k: the k-th
 * derivative is k! c[k]. */
static void check_det(weft_ctx *c, const double *values, const double *along, int64_t n, const double *derivatives)
{
    const int mark = weft_scope_push(c);
    weft_tensor *t = weft_set_requires_grad(weft_scalar(c, WEFT_F64, 0), true);
    weft_tensor *x = weft_from_data(c, WEFT_F64, WEFT_DIMS(n, n), values),
                *d = weft_from_data(c, WEFT_F64, WEFT_DIMS(n, n), along);
    weft_tensor *y = weft_det(weft_add(x, weft_mul(d, t)));
    for (int order = 0; order <= 4; order++) {
        WEFT_CHECK_NEAR(weft_item(c, y), derivatives[order], 1e-9);
        weft_tensor *next = NULL;
        if (order < 4)
            WEFT_CHECK_OK(weft_grad(c, &y, NULL, 1, &t, 1, WEFT_GRAD_CREATE_GRAPH, &next));
        y = next;
    }
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
}

WEFT_TEST(Linalg, DerivativesOfDeterminantsHoldForSingularMatrices)
{
    test_memory memory;
    weft_ctx *c = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(c);
    static const double zeros[9] = {0}, counted[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, d[9] = {1, 0, 2, 0, 3, 1, 1, 1, 1};
    static const double rank_1[9] = {1, 2, 3, 2, 4, 6, 3, 6, 9};
    /* det(t d) = -4 t^3. det(counted + t d) = 0 - 12 t + ... by hand: the coefficients of t, t^2 and t^3 */
    check_det(c, zeros, d, 3, (const double[]){0, 0, 0, -4 * 6.0, 0});
    /* sum over d of cofactors (-3, 6, -3; 6, -12, 6; -3, 6, -3): -3 - 6 - 36 + 6 - 3 + 6 - 3 = -39. The cofactors of d
     * are (2, 1, -3; 2, -1, -1; -6, -1, 3): 2 + 2 - 9 + 8 - 5 - 6 - 42 - 8 + 27 = -31 */
    check_det(c, counted, d, 3, (const double[]){0, -39, -31 * 2.0, -4 * 6.0, 0});
    /* no cofactors; 2 + 2 - 9 + 4 - 4 - 6 - 18 - 6 + 27 = -8 */
    check_det(c, rank_1, d, 3, (const double[]){0, 0, -8 * 2.0, -4 * 6.0, 0});
    check_det(c, d, rank_1, 3, (const double[]){-4, -8, 0, 0, 0});
    test_ctx_close(c, &memory);
}

/* Of 2 times the unit matrix, by hand. */
WEFT_TEST(Linalg, PseudoinversesHaveDerivativesAtEqualSingularValues)
{
    test_memory memory;
    weft_ctx *c = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(c);
    const int mark = weft_scope_push(c);
    weft_tensor *x = weft_set_requires_grad(weft_mul_scalar(unit(c, WEFT_F64, 3), 2), true), *first = NULL,
                *second = NULL;
    weft_tensor *y = weft_sum(weft_square(weft_pinv(x, -1)), WEFT_ALL, false);       /* 3 / 4 */
    WEFT_CHECK_OK(weft_grad(c, &y, NULL, 1, &x, 1, WEFT_GRAD_CREATE_GRAPH, &first)); /* -2 / 2^3 */
    WEFT_CHECK(apart(c, first, weft_mul_scalar(unit(c, WEFT_F64, 3), -0.25)) < 1e-14);
    weft_tensor *trace = weft_trace(first);
    WEFT_CHECK_OK(weft_grad(c, &trace, NULL, 1, &x, 1, 0, &second)); /* 6 / 2^4 */
    WEFT_CHECK(apart(c, second, weft_mul_scalar(unit(c, WEFT_F64, 3), 0.375)) < 1e-14);
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
    test_ctx_close(c, &memory);
}

/* Values that are equal have first derivatives; their vectors have none, and so have the values no second one. */
WEFT_TEST(Linalg, EqualValuesAreAnErrorWhereVectorsMatter)
{
    test_memory memory;
    weft_ctx *c = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(c);
    for (int svd = 0; svd < 2; svd++)
        for (int order = 1; order <= 3; order++) { /* of values, of vectors, of values twice */
            const int mark = weft_scope_push(c);
            weft_tensor *x = weft_set_requires_grad(unit(c, WEFT_F64, 3), true), *values, *vectors, *first = NULL,
                        *second = NULL;
            WEFT_CHECK_OK(svd ? weft_svd(x, &vectors, &values, NULL) : weft_eigh(x, &values, &vectors));
            weft_tensor *y = weft_sum(weft_square(order == 2 ? weft_select(vectors, 0, 0) : values), WEFT_ALL, false);
            weft_status status = weft_grad(c, &y, NULL, 1, &x, 1, order == 3 ? WEFT_GRAD_CREATE_GRAPH : 0, &first);
            if (order == 3) {
                WEFT_CHECK_OK(status);
                y = weft_sum(weft_square(first), WEFT_ALL, false);
                status = weft_grad(c, &y, NULL, 1, &x, 1, 0, &second);
            }
            if (status == WEFT_OK)
                status = weft_synchronise(c);
            if (order == 1) {
                WEFT_CHECK_OK(status);
                WEFT_CHECK(apart(c, first, weft_mul_scalar(unit(c, WEFT_F64, 3), 2)) < 1e-14);
            } else {
                WEFT_CHECK_STATUS(status, WEFT_E_INVALID);
                WEFT_CHECK_STR_HAS(weft_ctx_message(c), "equals another one but for rounding");
            }
            weft_ctx_clear(c);
            WEFT_CHECK_OK(weft_scope_pop(c, mark));
        }
    test_ctx_close(c, &memory);
}
