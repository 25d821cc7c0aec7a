/* test_scan_orders.c - derivatives of scans to the third order against central differences of the order before, at
 * zeros, at -inf and over ranges that exponentials do not have; and mistakes of operations that return a status. */
#include <math.h>
#include <stdio.h>

#include <weft/weft.h>

#include "harness/weft_test.h"
#include "samples/layout.h"

typedef weft_tensor *function(weft_tensor *x);

/* The derivative of that order of the sum of w f(x) along the direction v, and the gradient of the last step in g. */
static double along(weft_ctx *c, function *f, const double *x, const double *v, int64_t n, double step, int order)
{
    double at[16];
    for (int64_t k = 0; k < n; k++)
        at[k] = x[k] + step * v[k];
    weft_tensor *leaf = weft_set_requires_grad(weft_from_data(c, WEFT_F64, &n, 1, at), true);
    weft_tensor *way = weft_from_data(c, WEFT_F64, &n, 1, v), *y = f(leaf);
    weft_tensor *weights = weft_cos(weft_arange(c, WEFT_F64, 0, (double)weft_count(y), 1));
    weft_tensor *s = weft_sum(weft_mul(y, weights), WEFT_ALL, false);
    for (int k = 0; k < order; k++) {
        weft_tensor *g = NULL;
        WEFT_CHECK_OK(weft_grad(c, &s, NULL, 1, &leaf, 1, WEFT_GRAD_CREATE_GRAPH, &g));
        s = weft_sum(weft_mul(g, way), WEFT_ALL, false);
    }
    return weft_item(c, s);
}

static void check_orders(const char *name, function *f, const double *x, int64_t n)
{
    static const double step = 1e-4;
    double v[16];
    test_memory memory;
    weft_ctx *c = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(c && n <= 16);
    for (int64_t k = 0; k < n; k++)
        v[k] = sin(1.0 + 2 * (double)k);
    for (int order = 1; order <= 3; order++) {
        const int mark = weft_scope_push(c);
        const double got = along(c, f, x, v, n, 0, order), above = along(c, f, x, v, n, step, order - 1),
                     below = along(c, f, x, v, n, -step, order - 1), want = (above - below) / (2 * step);
        if (!(fabs(got - want) <= 1e-6 * (1 + fabs(want))))
            WEFT_FAIL("%s: derivative %d is %.12g, not %.12g", name, order, got, want);
        WEFT_CHECK_OK(weft_scope_pop(c, mark));
    }
    WEFT_CHECK_OK(weft_ctx_status(c));
    test_ctx_close(c, &memory);
}
#define CHECK_ORDERS(f, ...)                                                                                           \
    check_orders(#f " of " #__VA_ARGS__, f, (const double[]){__VA_ARGS__},                                             \
                 (int64_t)(sizeof((const double[]){__VA_ARGS__}) / sizeof(double)))

static weft_tensor *products(weft_tensor *x)
{
    return weft_cumprod(x, 0);
}

static weft_tensor *log_sums(weft_tensor *x)
{
    return weft_logcumsumexp(x, 0);
}

/* -inf in front: what is finite afterwards only. */
static weft_tensor *log_sums_from_2(weft_tensor *x)
{
    return weft_slice(weft_logcumsumexp(x, 0), 0, 2, INT64_MAX, 1);
}

static weft_tensor *recurrence(weft_tensor *x)
{
    const int64_t n = weft_count(x) / 2;
    return weft_linear_scan(weft_slice(x, 0, 0, n, 1), weft_slice(x, 0, n, 2 * n, 1), 0);
}

static weft_tensor *extremes(weft_tensor *x)
{
    weft_tensor *largest = NULL, *smallest = NULL;
    (void)weft_cummax(weft_square(x), 0, &largest, NULL);
    (void)weft_cummin(weft_square(x), 0, &smallest, NULL);
    return weft_mul(largest, smallest);
}

static weft_tensor *sorted_cubes(weft_tensor *x)
{
    weft_tensor *y = NULL;
    (void)weft_sort(weft_cube(x), 0, true, &y, NULL);
    return y;
}

static weft_tensor *middles(weft_tensor *x)
{
    weft_tensor *cubes = weft_cube(x), *median = NULL, *second = NULL;
    (void)weft_median(cubes, 0, true, &median, NULL);
    (void)weft_kthvalue(cubes, 2, 0, true, &second, NULL);
    return weft_add(weft_mul(median, second), weft_quantile(cubes, 0.4, 0, true));
}

WEFT_TEST(ScanOrders, Products)
{
    CHECK_ORDERS(products, 1.5, -2, 0.5, 3, 1.25);
    CHECK_ORDERS(products, 1.5, 0, 0.5, 3, 1.25);
    CHECK_ORDERS(products, 0, 2, 0, 3, 0);
    CHECK_ORDERS(products, 0);
}

WEFT_TEST(ScanOrders, LogarithmsOfSums)
{
    CHECK_ORDERS(log_sums, 0.5, -1, 2, 0.25, 1);
    CHECK_ORDERS(log_sums, -400, 3, 2.5, 800, 799);
    CHECK_ORDERS(log_sums, 1000, -1000, 1000.5, 3, 1001);
    CHECK_ORDERS(log_sums, 2, -(double)INFINITY, 1, -(double)INFINITY, 3);
    CHECK_ORDERS(log_sums_from_2, -(double)INFINITY, -(double)INFINITY, 1, 2, -(double)INFINITY, 0.5);
}

WEFT_TEST(ScanOrders, Recurrences)
{
    CHECK_ORDERS(recurrence, 0.5, -1, 0.25, 2, 1, 3, -2, 0.5);
    CHECK_ORDERS(recurrence, 0, 0, 2, 0, 1, 3, 0, 0.5);
}

WEFT_TEST(ScanOrders, OrderedElements)
{
    CHECK_ORDERS(extremes, 0.5, -1, 0.25, 2, 1.5, -3);
    CHECK_ORDERS(sorted_cubes, 0.5, -1, 0.25, 2, 1.5, -3);
    CHECK_ORDERS(middles, 0.5, -1, 0.25, 2, 1.5, -3);
}

/* ---- Mistakes ---- */

static void check_refused(weft_ctx *c, weft_status got, weft_status want, const char *says, const char *name)
{
    WEFT_CHECK_EQ_INT(got, want);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), says);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), name);
    weft_ctx_clear(c);
}

WEFT_TEST(ScanOrders, MistakesAreNamed)
{
    test_memory memory;
    weft_ctx *c = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(c);
    weft_tensor *x = weft_ones(c, WEFT_F32, WEFT_DIMS(2, 3)), *none = weft_ones(c, WEFT_F32, WEFT_DIMS(2, 0)),
                *scalar = weft_scalar(c, WEFT_F32, 1), *y = x, *z = x;
    check_refused(c, weft_sort(x, 2, false, &y, &z), WEFT_E_INVALID, "dim 2 is out of range", "weft_sort");
    WEFT_CHECK(y == NULL && z == NULL);
    check_refused(c, weft_sort(scalar, 0, false, &y, &z), WEFT_E_SHAPE, "1 to 8 dims", "weft_sort");
    check_refused(c, weft_sort(x, 0, false, NULL, NULL), WEFT_E_NULL_ARGUMENT, "at least one", "weft_sort");
    check_refused(c, weft_kthvalue(x, 0, 1, false, &y, &z), WEFT_E_INVALID, "k from 1 to 3", "weft_kthvalue");
    check_refused(c, weft_kthvalue(x, 4, 1, false, &y, &z), WEFT_E_INVALID, "k is 4", "weft_kthvalue");
    check_refused(c, weft_kthvalue(x, 1, -3, false, &y, &z), WEFT_E_INVALID, "dim -3", "weft_kthvalue");
    check_refused(c, weft_median(none, 1, false, &y, &z), WEFT_E_SHAPE, "no elements", "weft_median");
    check_refused(c, weft_nanmedian(none, 1, false, &y, &z), WEFT_E_SHAPE, "no elements", "weft_nanmedian");
    check_refused(c, weft_median(scalar, 0, false, &y, &z), WEFT_E_SHAPE, "1 to 8 dims", "weft_median");
    check_refused(c, weft_cummax(x, 5, &y, &z), WEFT_E_INVALID, "dim 5", "weft_cummax");
    check_refused(c, weft_cummin(scalar, 0, &y, &z), WEFT_E_SHAPE, "1 to 8 dims", "weft_cummin");
    WEFT_CHECK(y == NULL && z == NULL);
    WEFT_CHECK_OK(weft_median(none, 0, false, &y, NULL)); /* of each of no columns */
    WEFT_CHECK_EQ_INT(weft_count(y), 0);
    WEFT_CHECK(weft_bincount(weft_full(c, WEFT_I64, WEFT_DIMS(3), 7), 5) == NULL || weft_synchronise(c) != WEFT_OK);
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_INVALID);
    test_ctx_close(c, &memory);
}
