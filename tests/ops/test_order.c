/* test_order.c - what is put in order, scanned and searched, over sizes that take every path of the kernels: slices
 * sorted in shared memory, several at a time, or all together; rows of several tiles, columns; ties and NaN. And
 * derivatives of scans to the third order, where finite differences of the second one tell. */
#include "device/both.h"

#include <math.h>
#include <stdio.h>

#include "harness/weft_test.h"
#include "samples/layout.h"

typedef struct slices {
    const char *text;
    int64_t shape[3];
    int ndim;
    int64_t dim;
    weft_dtype dtype;
    bool falling, gaps, nan;
    double hi;
} slices;

static weft_tensor *input(weft_ctx *ctx, const slices *s)
{
    weft_tensor *x = both_input(ctx, s->dtype, s->shape, s->ndim, s->dtype == WEFT_U8 ? 0 : -s->hi, s->hi, 5);
    if (s->nan) { /* every so often 0 / 0 */
        weft_tensor *zero = weft_zeros_like(x);
        x = weft_where(weft_gt(x, weft_full_like(x, 0.9 * s->hi)), weft_div(zero, zero), x);
    }
    return s->gaps ? weft_slice(x, -1, 1, weft_size(x, -1), 1) : x;
}

/* ---- Order ---- */

static const slices orders[] = {
    {.text = "pairs", .shape = {3000, 2}, .ndim = 2, .dim = 1},
    {.text = "several of a block, ragged", .shape = {37, 64}, .ndim = 2, .dim = 1, .gaps = true},
    {.text = "columns, side by side", .shape = {70, 37}, .ndim = 2, .dim = 0},
    {.text = "the middle", .shape = {3, 90, 5}, .ndim = 3, .dim = 1},
    {.text = "one of a block", .shape = {3, 1500}, .ndim = 2, .dim = 1},
    {.text = "as many as a block sorts", .shape = {2048}, .ndim = 1, .dim = 0},
    {.text = "all together", .shape = {3, 2500}, .ndim = 2, .dim = 1},
    {.text = "all together, columns", .shape = {2100, 2}, .ndim = 2, .dim = 0},
    {.text = "large digits", .shape = {9001}, .ndim = 1, .dim = 0},
};
enum { ORDERS = sizeof orders / sizeof *orders };

static void sorted(weft_ctx *ctx, void *user, weft_tensor **y)
{
    const slices *s = user;
    weft_tensor *x = input(ctx, s);
    (void)weft_sort(x, s->dim, s->falling, &y[0], &y[1]);
    weft_tensor *earlier = weft_slice(y[0], s->dim, 0, -1, 1), *later = weft_slice(y[0], s->dim, 1, INT64_MAX, 1);
    weft_tensor *at = weft_slice(y[1], s->dim, 0, -1, 1), *next = weft_slice(y[1], s->dim, 1, INT64_MAX, 1);
    weft_tensor *right = weft_logical_or(s->falling ? weft_gt(earlier, later) : weft_lt(earlier, later),
                                         s->falling ? weft_isnan(earlier) : weft_isnan(later));
    y[2] =
        weft_all(weft_logical_or(right, weft_logical_and(weft_eq(earlier, later), weft_lt(at, next))), WEFT_ALL, false);
    y[3] = weft_all(weft_logical_or(weft_eq(weft_gather(x, y[1], s->dim), y[0]), weft_isnan(y[0])), WEFT_ALL, false);
    if (!weft_item_i64(ctx, y[2]) || !weft_item_i64(ctx, y[3]))
        WEFT_FAIL("%s: %s", s->text, weft_item_i64(ctx, y[2]) ? "other elements than those of x" : "not in order");
}

static void check_orders(weft_dtype dtype, double hi, bool nan)
{
    char what[128];
    for (int k = 0; k < 2 * ORDERS; k++) {
        slices s = orders[k / 2];
        s.dtype = dtype;
        s.hi = hi;
        s.nan = nan;
        s.falling = k % 2;
        snprintf(what, sizeof what, "sort of %s, %s%s", weft_dtype_name(dtype), s.text, s.falling ? ", falling" : "");
        check_both_all(what, sorted, &s, 4, 0, 0);
    }
}

WEFT_TEST(DeviceOrder, Sort)
{
    check_orders(WEFT_F32, 1000, false);
    check_orders(WEFT_F32, 10, true);
    check_orders(WEFT_F64, 1000, true);
}

WEFT_TEST(DeviceOrder, SortOfNarrowDtypes)
{
    check_orders(WEFT_BF16, 20, true);
    check_orders(WEFT_I8, 100, false);
    check_orders(WEFT_BOOL, 2, false);
}

WEFT_TEST(DeviceOrder, SortOfWideIntegers)
{
    check_orders(WEFT_I64, 9e18, false);
    check_orders(WEFT_I64, 2e9, false);
}

/* ---- Scans ---- */

static const slices scans[] = {
    {.text = "a row of several tiles", .shape = {5003}, .ndim = 1, .dim = 0},
    {.text = "rows", .shape = {7, 1025}, .ndim = 2, .dim = 1, .gaps = true},
    {.text = "columns", .shape = {150, 300}, .ndim = 2, .dim = 0},
    {.text = "the middle", .shape = {3, 90, 36}, .ndim = 3, .dim = 1},
};
enum { SCANS = sizeof scans / sizeof *scans };

static void largest_and_smallest(weft_ctx *ctx, void *user, weft_tensor **y)
{
    const slices *s = user;
    (void)weft_cummax(input(ctx, s), s->dim, &y[0], &y[1]);
    (void)weft_cummin(input(ctx, s), s->dim, &y[2], &y[3]);
}

WEFT_TEST(DeviceOrder, CumulativeExtremes)
{
    static const weft_dtype dtypes[] = {WEFT_F32, WEFT_F64, WEFT_F16, WEFT_I64, WEFT_U8, WEFT_BOOL};
    char what[128];
    for (int k = 0; k < SCANS * 6; k++) {
        slices s = scans[k / 6];
        s.dtype = dtypes[k % 6];
        s.hi = s.dtype == WEFT_BOOL ? 2 : 100;
        s.nan = k % 6 == 1;
        snprintf(what, sizeof what, "cummax and cummin of %s, %s", weft_dtype_name(s.dtype), s.text);
        check_both_all(what, largest_and_smallest, &s, 4, 0, 0);
    }
}

/* Factors around 1 or of 0, and with them the gradients. */
static void sums_and_products(weft_ctx *ctx, void *user, weft_tensor **y)
{
    const slices *s = user;
    weft_tensor *x = weft_detach(weft_add_scalar(weft_mul_scalar(input(ctx, s), 0.04), 1)), *g = NULL;
    weft_set_requires_grad(x, true);
    y[0] = weft_cumprod(x, s->dim);
    y[1] = weft_logcumsumexp(weft_mul_scalar(x, 20), s->dim);
    y[2] = weft_linear_scan(weft_mul_scalar(x, 0.8), x, s->dim);
    weft_tensor *all = weft_add(weft_add(weft_mul(y[0], x), weft_mul(y[1], x)), y[2]);
    weft_tensor *loss = weft_sum(all, WEFT_ALL, false);
    (void)weft_grad(ctx, &loss, NULL, 1, &x, 1, 0, &g);
    y[3] = g;
}

WEFT_TEST(DeviceOrder, SumsAndProducts)
{
    static const weft_dtype dtypes[] = {WEFT_F32, WEFT_F64, WEFT_BF16};
    static const double tolerances[] = {2e-5, 1e-11, 3e-2};
    char what[128];
    for (int k = 0; k < SCANS * 3; k++) {
        slices s = scans[k / 3];
        s.dtype = dtypes[k % 3];
        s.hi = 1;
        snprintf(what, sizeof what, "scans of %s, %s", weft_dtype_name(s.dtype), s.text);
        check_both_all(what, sums_and_products, &s, 4, tolerances[k % 3], tolerances[k % 3]);
    }
}

/* Halves 1100 times, then doubles as often: the product leaves the range of f64 within one tile and comes back. One
 * device goes element by element and may keep 0; no element may be NaN, as 0 times infinity would be. */
WEFT_TEST(DeviceOrder, ProductsBeyondTheRange)
{
    enum { N = 1100 };
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    weft_tensor *parts[] = {weft_full(ctx, WEFT_F32, WEFT_DIMS(N), 0.5), weft_full(ctx, WEFT_F32, WEFT_DIMS(N), 2)};
    weft_tensor *x = weft_concat(parts, 2, 0), *ones = weft_full_like(x, 1);
    WEFT_CHECK(!weft_item_i64(ctx, weft_any(weft_isnan(weft_cumprod(x, 0)), WEFT_ALL, false)));
    WEFT_CHECK(!weft_item_i64(ctx, weft_any(weft_isnan(weft_linear_scan(x, ones, 0)), WEFT_ALL, false)));
    WEFT_CHECK(weft_item(ctx, weft_select(weft_cumprod(x, 0), 0, 100)) == 0x1p-101);
    test_ctx_close(ctx, &memory);
}

/* ---- Search ---- */

static void found(weft_ctx *ctx, void *user, weft_tensor **y)
{
    const slices *s = user;
    weft_tensor *x = input(ctx, s), *rows = NULL, *flat = weft_reshape(x, WEFT_DIMS(-1)), *row = NULL;
    (void)weft_sort(x, -1, false, &rows, NULL);
    (void)weft_sort(flat, 0, false, &row, NULL);
    y[0] = weft_searchsorted(rows, x, false);
    y[1] = weft_searchsorted(row, x, true);
    y[2] = weft_bucketize(x, row, false);
    (void)weft_unique(x, NULL, NULL, &y[3]);
}

static void chosen(weft_ctx *ctx, void *user, weft_tensor **y)
{
    const slices *s = user;
    weft_tensor *x = input(ctx, s);
    y[0] = weft_nonzero(weft_relu(x));
    y[1] = weft_masked_select(x, weft_gt(x, weft_zeros_like(x)));
    (void)weft_median(x, s->dim, true, &y[2], NULL);
    (void)weft_kthvalue(x, weft_size(x, (int)s->dim) / 3 + 1, s->dim, false, NULL, &y[3]);
}

static void search_and_choose(weft_dtype dtype)
{
    char what[128];
    for (int k = 0; k < SCANS; k++) {
        slices s = scans[k];
        s.dtype = dtype;
        s.hi = 50;
        s.nan = dtype == WEFT_F64;
        snprintf(what, sizeof what, "search in %s, %s", weft_dtype_name(s.dtype), s.text);
        check_both_all(what, found, &s, 4, 0, 0);
        check_both_all(what, chosen, &s, 4, 0, 0);
    }
}

WEFT_TEST(DeviceOrder, SearchAndChoice)
{
    search_and_choose(WEFT_F32);
}

WEFT_TEST(DeviceOrder, SearchAndChoiceInOtherDtypes)
{
    static const weft_dtype dtypes[] = {WEFT_F64, WEFT_BF16, WEFT_I64, WEFT_I8};
    for (size_t k = 0; k < sizeof dtypes / sizeof *dtypes; k++)
        search_and_choose(dtypes[k]);
}
