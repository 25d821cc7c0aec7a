/* test_reduce.c - reductions over sizes that take every path of the kernels: rows with ragged ends, columns packed and
 * spread, chunks that a second kernel joins, segments, strides of any kind; ties and NaN far apart. */
#include "device/both.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/structs.h"
#include "harness/weft_test.h"
#include "samples/device.h"

typedef weft_tensor *reduce_fn(weft_tensor *x, const int64_t *dims, int ndim, bool keepdim);

/* Which view of a fresh tensor is reduced. */
typedef enum view { DENSE, TRANSPOSED, SLICED, REPEATED } view;

typedef struct reduction {
    reduce_fn *run;
    weft_dtype dtype;
    const char *text;
    int64_t shape[4];
    int ndim;
    int64_t dims[4];
    int n_dims;
    view view;
    double lo, hi;
} reduction;

static weft_tensor *viewed(weft_tensor *x, view view)
{
    if (view == TRANSPOSED)
        return weft_transpose(x, 0, -1);
    if (view == SLICED) /* starts off every 16-byte border, and leaves gaps */
        return weft_slice(x, -1, 1, weft_size(x, -1), 1);
    if (view == REPEATED)
        return weft_expand(weft_unsqueeze(x, 0), WEFT_DIMS(3, weft_size(x, 0), weft_size(x, 1)));
    return x;
}

static weft_tensor *reduced(weft_ctx *ctx, void *user)
{
    const reduction *r = user;
    weft_tensor *x = both_input(ctx, r->dtype, r->shape, r->ndim, r->lo, r->hi, 3);
    return r->run(viewed(x, r->view), r->dims, r->n_dims, false);
}

static double tolerance(weft_dtype dtype)
{
    return dtype == WEFT_BF16 ? 8e-3 : dtype == WEFT_F16 ? 1e-3 : dtype == WEFT_F64 ? 1e-13 : 2e-6;
}

/* The layouts, each with what it is there for. */
static const reduction layouts[] = {
    {.text = "everything, in chunks", .shape = {70001}, .ndim = 1, .dims = {0}, .n_dims = 1},
    {.text = "everything, off the border", .shape = {20011}, .ndim = 1, .dims = {0}, .n_dims = 1, .view = SLICED},
    {.text = "long rows", .shape = {5, 3001}, .ndim = 2, .dims = {1}, .n_dims = 1},
    {.text = "rows of a warp", .shape = {67, 131}, .ndim = 2, .dims = {1}, .n_dims = 1},
    {.text = "rows with gaps", .shape = {33, 130}, .ndim = 2, .dims = {1}, .n_dims = 1, .view = SLICED},
    {.text = "short rows", .shape = {700, 5}, .ndim = 2, .dims = {1}, .n_dims = 1},
    {.text = "packed columns", .shape = {200, 136}, .ndim = 2, .dims = {0}, .n_dims = 1},
    {.text = "spread columns", .shape = {150, 77}, .ndim = 2, .dims = {0}, .n_dims = 1},
    {.text = "columns with gaps", .shape = {70, 65}, .ndim = 2, .dims = {0}, .n_dims = 1, .view = SLICED},
    {.text = "few rows, many columns", .shape = {3, 2100}, .ndim = 2, .dims = {0}, .n_dims = 1},
    {.text = "many rows, few columns", .shape = {6000, 3}, .ndim = 2, .dims = {0}, .n_dims = 1},
    {.text = "the middle", .shape = {3, 90, 36}, .ndim = 3, .dims = {1}, .n_dims = 1},
    {.text = "first and last", .shape = {9, 5, 7, 31}, .ndim = 4, .dims = {0, 2, 3}, .n_dims = 3},
    {.text = "ends of columns", .shape = {6, 40, 5, 12}, .ndim = 4, .dims = {0, 2}, .n_dims = 2},
    {.text = "rows across", .shape = {19, 6, 150}, .ndim = 3, .dims = {0}, .n_dims = 1, .view = TRANSPOSED},
    {.text = "all, with gaps", .shape = {40, 3, 61}, .ndim = 3, .dims = {0, 1, 2}, .n_dims = 3, .view = SLICED},
    {.text = "no dim", .shape = {40, 3, 61}, .ndim = 3, .n_dims = 0, .view = SLICED},
    {.text = "repeated", .shape = {21, 35}, .ndim = 2, .dims = {0, 2}, .n_dims = 2, .view = REPEATED},
    {.text = "nothing there", .shape = {4, 0, 3}, .ndim = 3, .dims = {1}, .n_dims = 1},
};

enum { LAYOUTS = sizeof layouts / sizeof *layouts };

static bool finds_one(const reduction *r)
{
    return r->run == weft_max_over || r->run == weft_min_over || r->run == weft_argmax || r->run == weft_argmin;
}

/* run over every layout */
static void check_layouts(const char *name, reduce_fn *run, weft_dtype dtype, double lo, double hi, double rtol,
                          double atol)
{
    for (int k = 0; k < LAYOUTS; k++) {
        char what[96];
        reduction r = layouts[k];
        r.run = run;
        r.dtype = dtype;
        r.lo = lo;
        r.hi = hi;
        if (finds_one(&r) && r.shape[1] == 0 && r.ndim > 1)
            continue; /* the engine refuses */
        snprintf(what, sizeof what, "%s of %s, %s", name, weft_dtype_name(dtype), r.text);
        check_both(what, reduced, &r, rtol, atol);
    }
}

static void check_four(weft_ctx *c, weft_tensor *y, const double want[4])
{
    double got[4] = {NAN, NAN, NAN, NAN};
    WEFT_REQUIRE(weft_read(c, weft_cast(y, WEFT_F64), got, sizeof got) == WEFT_OK);
    for (int k = 0; k < 4; k++)
        if (!(fabs(got[k] - want[k]) < 1e-12))
            WEFT_FAIL("element %d is %g, not %g", k, got[k], want[k]);
}

typedef struct long_rows {
    reduce_fn *run;
    int64_t dim;
} long_rows;

static weft_tensor *of_long_rows(weft_ctx *ctx, void *user)
{
    const long_rows *r = user;
    return r->run(both_input(ctx, WEFT_F32, WEFT_DIMS(70, 2500), -1, 1, 5), &r->dim, 1, false);
}

/* More long rows than there are blocks on a small device (the emulator's has 64): one block goes round more than once.
 */
WEFT_TEST(DeviceReduce, BlocksThatGoRoundTwice)
{
    static reduce_fn *const runs[] = {weft_sum, weft_argmax, weft_norm, weft_logsumexp};
    for (int k = 0; k < 4; k++)
        for (int64_t dim = 0; dim < 2; dim++) {
            long_rows r = {runs[k], dim};
            check_both(k == 1 ? "argmax of many long rows" : "a reduction of many long rows", of_long_rows, &r, 1e-5,
                       1e-5);
        }
}

/* An empty list of dims is none, not all: each element is reduced by itself. */
WEFT_TEST(DeviceReduce, AnEmptyListIsNoDim)
{
    static const struct {
        reduce_fn *run;
        double of[4]; /* -2, 0, 0.5, 3 */
    } each[] = {{weft_sum, {-2, 0, 0.5, 3}},       {weft_mean, {-2, 0, 0.5, 3}},     {weft_prod, {-2, 0, 0.5, 3}},
                {weft_max_over, {-2, 0, 0.5, 3}},  {weft_min_over, {-2, 0, 0.5, 3}}, {weft_norm, {2, 0, 0.5, 3}},
                {weft_logsumexp, {-2, 0, 0.5, 3}}, {weft_argmax, {0, 0, 0, 0}},      {weft_argmin, {0, 0, 0, 0}},
                {weft_any, {1, 0, 1, 1}},          {weft_all, {1, 0, 1, 1}}};
    static const double zeros[4] = {0}, threes[] = {3, 3, 3, 3};
    weft_ctx *c = NULL;
    WEFT_REQUIRE(weft_ctx_open(&WITH_OPTIONS(.device = test_device()), &c) == WEFT_OK);
    weft_tensor *x = weft_from_data(c, WEFT_F64, WEFT_DIMS(2, 1, 2), (const double[]){-2, 0, 0.5, 3}), *parts[2], *dx;
    for (size_t k = 0; k < sizeof each / sizeof *each; k++)
        check_four(c, each[k].run(x, NULL, 0, false), each[k].of);
    WEFT_CHECK_OK(weft_var_mean(x, NULL, 0, true, 0, &parts[0], &parts[1]));
    check_four(c, parts[0], zeros);
    check_four(c, parts[1], each[0].of);
    check_four(c, weft_var(x, NULL, 0, true, 0), zeros);
    check_four(c, weft_flip(x, NULL, 0), each[0].of);
    WEFT_CHECK_EQ_INT(weft_ndim(weft_squeeze(x, NULL, 0)), 3);
    WEFT_CHECK_EQ_INT(weft_ndim(weft_squeeze(x, WEFT_ALL)), 2);
    x = weft_set_requires_grad(x, true);
    weft_tensor *y = weft_prod(x, NULL, 0, false), *g = weft_full_like(x, 3);
    WEFT_CHECK_OK(weft_grad(c, &y, &g, 1, &x, 1, WEFT_GRAD_CREATE_GRAPH, &dx));
    check_four(c, dx, threes);
    weft_ctx_close(c);
}

static const weft_dtype floats[] = {WEFT_F32, WEFT_F64, WEFT_F16, WEFT_BF16};

WEFT_TEST(DeviceReduce, Sums)
{
    for (int k = 0; k < 4; k++)
        check_layouts("sum", weft_sum, floats[k], -.5, 1, tolerance(floats[k]), 1e-4);
}

WEFT_TEST(DeviceReduce, Means)
{
    for (int k = 0; k < 4; k++)
        check_layouts("mean", weft_mean, floats[k], -.5, 1, tolerance(floats[k]), 1e-6);
}

WEFT_TEST(DeviceReduce, SumsOfIntegersWrap)
{
    check_layouts("sum", weft_sum, WEFT_I64, -9e18, 9e18, 0, 0);
    check_layouts("sum", weft_sum, WEFT_I8, -100, 100, 0, 0);
    check_layouts("prod", weft_prod, WEFT_I64, -9, 9, 0, 0);
}

WEFT_TEST(DeviceReduce, Products)
{
    for (int k = 0; k < 4; k++)
        check_layouts("prod", weft_prod, floats[k], .98, 1.02, 2 * tolerance(floats[k]), 0);
}

WEFT_TEST(DeviceReduce, Norms)
{
    for (int k = 0; k < 4; k++)
        check_layouts("norm", weft_norm, floats[k], -2, 2, tolerance(floats[k]), 0);
}

WEFT_TEST(DeviceReduce, LogsOfSumsOfPowers)
{
    for (int k = 0; k < 4; k++)
        check_layouts("logsumexp", weft_logsumexp, floats[k], -30, 30, tolerance(floats[k]), 1e-6);
}

/* Few values, so that there are ties everywhere. */
WEFT_TEST(DeviceReduce, ExtremesAndTheirPlaces)
{
    const weft_dtype dtypes[] = {WEFT_F32, WEFT_F64, WEFT_F16, WEFT_BF16, WEFT_I64, WEFT_I32, WEFT_I8, WEFT_U8};
    for (int k = 0; k < 8; k++) {
        const double lo = dtypes[k] == WEFT_U8 ? 0 : -20;
        check_layouts("max", weft_max_over, dtypes[k], lo, 20, 0, 0);
        check_layouts("argmin", weft_argmin, dtypes[k], lo, 20, 0, 0);
    }
    check_layouts("min", weft_min_over, WEFT_F16, -20, 20, 0, 0);
    check_layouts("argmax", weft_argmax, WEFT_I8, -20, 20, 0, 0);
    check_layouts("min", weft_min_over, WEFT_I64, -20, 20, 0, 0);
    check_layouts("argmax", weft_argmax, WEFT_BOOL, 0, 2, 0, 0);
}

WEFT_TEST(DeviceReduce, TruthValues)
{
    check_layouts("any", weft_any, WEFT_U8, 0, 1.02, 0, 0);
    check_layouts("all", weft_all, WEFT_I32, 0, 90, 0, 0);
    check_layouts("any", weft_any, WEFT_BOOL, 0, 1, 0, 0);
    check_layouts("all", weft_all, WEFT_F64, 0, 1, 0, 0);
    check_layouts("all", weft_all, WEFT_BF16, -1, 1, 0, 0);
}

/* ---- Values that have to be found among many ---- */

/* n numbers 1, 2, 3, 1 ... with one other at a place, reduced by rows and by columns. */
typedef struct needle {
    reduce_fn *run;
    weft_dtype dtype;
    double value;
    int64_t at;
    bool columns;
} needle;

enum { ROW = 4200, ROWS = 3 };

static weft_tensor *found(weft_ctx *ctx, void *user)
{
    const needle *n = user;
    float *x = malloc(sizeof *x * ROW * ROWS);
    for (int64_t k = 0; k < ROW * ROWS; k++)
        x[k] = (float)(1 + k % 3);
    for (int row = 0; row < ROWS; row++)
        x[row * ROW + n->at] = (float)n->value;
    weft_tensor *t = weft_cast(weft_from_data(ctx, WEFT_F32, WEFT_DIMS(ROWS, ROW), x), n->dtype);
    free(x);
    if (n->columns)
        t = weft_contiguous(weft_transpose(t, 0, 1));
    return n->run(t, WEFT_DIMS(n->columns ? 0 : 1), false);
}

WEFT_TEST(DeviceReduce, FindsOneAmongMany)
{
    static const struct {
        const char *name;
        reduce_fn *run;
    } ops[] = {{"max", weft_max_over},  {"min", weft_min_over}, {"argmax", weft_argmax},
               {"argmin", weft_argmin}, {"norm", weft_norm},    {"sum", weft_sum},
               {"any", weft_any},       {"all", weft_all},      {"logsumexp", weft_logsumexp}};
    static const double values[] = {NAN, INFINITY, -INFINITY, 0, -0.0};
    static const int64_t places[] = {0, 2049, ROW - 1};
    for (int op = 0; op < 9; op++)
        for (int v = 0; v < 5; v++)
            for (int k = 0; k < 6; k++) {
                needle n = {ops[op].run, floats[(op + v) % 4], values[v], places[k / 2], k % 2 != 0};
                char what[96];
                snprintf(what, sizeof what, "%s of %s with %g at %d, by %s", ops[op].name, weft_dtype_name(n.dtype),
                         n.value, (int)n.at, n.columns ? "columns" : "rows");
                check_both(what, found, &n, tolerance(n.dtype), 0);
            }
}

/* Squares that overflow or vanish in their own type. */
static weft_tensor *far_out(weft_ctx *ctx, void *user)
{
    const double *scale = user;
    const double x[6] = {3 * scale[0], -4 * scale[0], 3 * scale[1], 4 * scale[1], 12 * scale[1], 0};
    return weft_norm(weft_from_data(ctx, WEFT_F64, WEFT_DIMS(6), x), WEFT_ALL, false);
}

WEFT_TEST(DeviceReduce, NormOfTheVeryLargeAndTheVerySmall)
{
    static const double scales[][2] = {{1e200, 1e180},   {1e-200, 1e-180}, {1e-310, 1e-312}, {1e160, 1e140},
                                       {1e-154, 1e-150}, {1e300, 1e-300},  {1e307, 1e307},   {1, 1e-170}};
    for (int k = 0; k < 8; k++) {
        char what[64];
        snprintf(what, sizeof what, "norm at %g and %g", scales[k][0], scales[k][1]);
        check_both(what, far_out, (void *)(uintptr_t)scales[k], 1e-14, 5e-324);
    }
}

/* A million numbers whose sum f64 knows: within the table of the design. */
WEFT_TEST(DeviceReduce, AddsUpAMillion)
{
    reduction r = {weft_sum, WEFT_F32, "a million", {1000003}, 1, {0}, 1, DENSE, 0, 1};
    check_both(r.text, reduced, &r, 3e-6, 0);
}
