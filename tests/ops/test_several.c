/* test_several.c - operations with several results over sizes that take every path of their kernels: slices held by a
 * warp, by a block, in chunks and sorted whole; rows, columns and chunks of statistics; ties and NaN. */
#include "device/both.h"

#include <math.h>
#include <stdio.h>

#include "harness/weft_test.h"

typedef struct choice {
    const char *text;
    int64_t shape[3];
    int ndim;
    int64_t k, dim;
    weft_dtype dtype;
    bool largest, gaps, nan;
    double hi;
} choice;

static weft_tensor *input(weft_ctx *ctx, const choice *c)
{
    weft_tensor *x = both_input(ctx, c->dtype, c->shape, c->ndim, c->dtype == WEFT_U8 ? 0 : -c->hi, c->hi, 5);
    if (c->nan) { /* every so often 0 / 0 */
        weft_tensor *zero = weft_zeros_like(x), *half = weft_full_like(x, c->hi / 2);
        x = weft_where(weft_gt(x, half), weft_div(zero, zero), x);
    }
    return c->gaps ? weft_slice(x, -1, 1, weft_size(x, -1), 1) : x;
}

static void first_ones(weft_ctx *ctx, void *user, weft_tensor **y)
{
    const choice *c = user;
    (void)weft_topk(input(ctx, c), c->k, c->dim, c->largest, &y[0], &y[1]);
}

static void best_one(weft_ctx *ctx, void *user, weft_tensor **y)
{
    const choice *c = user;
    if (c->largest)
        (void)weft_max_with_index(input(ctx, c), c->dim, false, &y[0], &y[1]);
    else
        (void)weft_min_with_index(input(ctx, c), c->dim, true, &y[0], &y[1]);
}

static void check_choice(const char *name, both_all_fn *run, choice c)
{
    char what[128];
    for (int largest = 0; largest < 2; largest++) {
        c.largest = largest;
        snprintf(what, sizeof what, "%s of %s, %s%s", name, weft_dtype_name(c.dtype), c.text,
                 c.largest ? "" : ", smallest");
        check_both_all(what, run, &c, 2, 0, 0);
    }
}

static const choice slices[] = {
    {.text = "two of few, many slices", .shape = {300, 64}, .ndim = 2, .k = 2, .dim = 1},
    {.text = "held by a warp, along columns", .shape = {250, 9}, .ndim = 2, .k = 32, .dim = 0},
    {.text = "all of them", .shape = {3, 5, 2}, .ndim = 3, .k = 5, .dim = 1},
    {.text = "more than a warp takes", .shape = {4, 200}, .ndim = 2, .k = 33, .dim = 1},
    {.text = "a block, ragged", .shape = {3, 1021}, .ndim = 2, .k = 50, .dim = 1, .gaps = true},
    {.text = "a block along the middle", .shape = {2, 600, 3}, .ndim = 3, .k = 7, .dim = 1},
    {.text = "in chunks", .shape = {40003}, .ndim = 1, .k = 40, .dim = 0},
    {.text = "in chunks along columns", .shape = {17000, 2}, .ndim = 2, .k = 3, .dim = 0},
    {.text = "sorted whole", .shape = {2, 2500}, .ndim = 2, .k = 1100, .dim = 1},
    {.text = "one slice sorted whole", .shape = {3000}, .ndim = 1, .k = 3000, .dim = 0},
};
enum { SLICES = sizeof slices / sizeof *slices };

/* Few values, so that there are ties everywhere; or many. */
static void check_slices(weft_dtype dtype, double hi, bool nan)
{
    for (int k = 0; k < SLICES; k++) {
        choice c = slices[k];
        c.dtype = dtype;
        c.hi = hi;
        c.nan = nan;
        check_choice("topk", first_ones, c);
    }
}

WEFT_TEST(DeviceSeveral, TopK)
{
    check_slices(WEFT_F32, 1000, false);
    check_slices(WEFT_F32, 20, true);
    check_slices(WEFT_F64, 1000, true);
}

WEFT_TEST(DeviceSeveral, TopKOfNarrowDtypes)
{
    check_slices(WEFT_BF16, 20, true);
    check_slices(WEFT_I8, 100, false);
    check_slices(WEFT_BOOL, 2, false);
}

WEFT_TEST(DeviceSeveral, TopKOfWideIntegers)
{
    check_slices(WEFT_I64, 9e18, false);
}

WEFT_TEST(DeviceSeveral, BestWithItsIndex)
{
    static const choice rows[] = {
        {.text = "a long row", .shape = {70001}, .ndim = 1, .dim = 0},
        {.text = "rows", .shape = {67, 131}, .ndim = 2, .dim = 1, .gaps = true},
        {.text = "columns", .shape = {150, 77}, .ndim = 2, .dim = 0},
        {.text = "packed columns", .shape = {200, 136}, .ndim = 2, .dim = 0},
        {.text = "the middle", .shape = {3, 90, 36}, .ndim = 3, .dim = 1},
        {.text = "many rows, few columns", .shape = {6000, 3}, .ndim = 2, .dim = 0},
    };
    static const weft_dtype dtypes[] = {WEFT_F32, WEFT_F64, WEFT_F16, WEFT_BF16, WEFT_I64, WEFT_I8, WEFT_U8, WEFT_BOOL};
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
        for (int d = 0; d < 8; d++) {
            choice c = rows[k];
            c.dtype = dtypes[d];
            c.hi = dtypes[d] == WEFT_BOOL ? 2 : 20;
            check_choice("best", best_one, c);
        }
}

/* ---- var_mean ---- */

typedef struct moments {
    const char *text;
    int64_t shape[3];
    int ndim;
    int64_t dims[2];
    int n_dims;
    weft_dtype dtype;
    double around; /* where the values lie */
} moments;

static void moments_of(weft_ctx *ctx, void *user, weft_tensor **y)
{
    const moments *m = user;
    weft_tensor *x = both_input(ctx, m->dtype, m->shape, m->ndim, m->around - 1, m->around + 1, 3);
    (void)weft_var_mean(x, m->dims, m->n_dims, false, 1, &y[0], &y[1]);
}

static weft_tensor *their_gradient(weft_ctx *ctx, void *user)
{
    const moments *m = user;
    weft_tensor *x = both_input(ctx, m->dtype, m->shape, m->ndim, m->around - 1, m->around + 1, 3), *y[2] = {NULL};
    weft_set_requires_grad(x, true);
    (void)weft_var_mean(x, m->dims, m->n_dims, false, 1, &y[0], &y[1]);
    weft_tensor *loss = weft_sum(weft_add(weft_square(y[0]), weft_mul(y[0], y[1])), WEFT_ALL, false), *g = NULL;
    (void)weft_grad(ctx, &loss, NULL, 1, &x, 1, 0, &g);
    return g;
}

WEFT_TEST(DeviceSeveral, VarianceAndMean)
{
    static const moments cases[] = {
        {.text = "everything, in chunks", .shape = {70001}, .ndim = 1, .dims = {0}, .n_dims = 1},
        {.text = "long rows", .shape = {5, 3001}, .ndim = 2, .dims = {1}, .n_dims = 1},
        {.text = "short rows", .shape = {700, 5}, .ndim = 2, .dims = {1}, .n_dims = 1},
        {.text = "packed columns", .shape = {200, 136}, .ndim = 2, .dims = {0}, .n_dims = 1},
        {.text = "spread columns", .shape = {150, 77}, .ndim = 2, .dims = {0}, .n_dims = 1},
        {.text = "first and last", .shape = {9, 5, 31}, .ndim = 3, .dims = {0, 2}, .n_dims = 2},
        {.text = "many rows, few columns", .shape = {6000, 3}, .ndim = 2, .dims = {0}, .n_dims = 1},
    };
    static const weft_dtype dtypes[] = {WEFT_F32, WEFT_F64, WEFT_F16, WEFT_BF16};
    static const double tolerances[] = {1e-6, 1e-13, 1e-3, 8e-3};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        for (int d = 0; d < 4; d++) {
            char what[128];
            moments m = cases[k];
            m.dtype = dtypes[d];
            for (int far = 0; far < 2; far++) { /* far from 0 a sum of squares would lose the digits */
                m.around = far ? 100 : 0.25;
                snprintf(what, sizeof what, "variance and mean of %s, %s", weft_dtype_name(m.dtype), m.text);
                check_both_all(what, moments_of, &m, 2, tolerances[d], tolerances[d] * 1e-2);
            }
            m.around = 0.25;
            snprintf(what, sizeof what, "gradient of %s, %s", weft_dtype_name(m.dtype), m.text);
            check_both(what, their_gradient, &m, tolerances[d] * 8, tolerances[d]); /* small variances cancel */
        }
}
