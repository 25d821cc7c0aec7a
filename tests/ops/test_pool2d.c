/* test_pool2d.c - pooling and its gradients over several blocks: windows that overlap, that leave gaps, that reach over
 * the border, equal elements and NaNs. */
#include "device/both.h"

#include <math.h>
#include <stdio.h>

#include "harness/structs.h"
#include "harness/weft_test.h"

typedef struct pool_case {
    weft_dtype dtype;
    int64_t size[2];
    weft_pool2d_params p;
} pool_case;

static pool_case cases[] = {
    {WEFT_F32, {30, 31}, INIT_POOL2D(.kernel = {2, 2})},
    {WEFT_F64, {17, 22}, INIT_POOL2D(.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1})},
    {WEFT_BF16, {19, 20}, INIT_POOL2D(.kernel = {3, 5}, .stride = {1, 2}, .padding = {1, 2})},
    {WEFT_F16, {25, 14}, INIT_POOL2D(.kernel = {2, 1}, .stride = {3, 2}, .padding = {1, 0})},
    {WEFT_F32, {9, 8}, INIT_POOL2D(.kernel = {9, 8})},
    {WEFT_F32, {39, 41}, INIT_POOL2D(.kernel = {2, 2}, .stride = {1, 1})},
};
enum { CASES = sizeof cases / sizeof cases[0] };

enum { PLANES = 3 * 4, MOST_ELEMENTS = PLANES * 39 * 41 };

/* Few different numbers, so that windows hold equal ones; every 47th is NaN. */
static weft_tensor *image(weft_ctx *ctx, const pool_case *c, bool with_nan)
{
    static double x[MOST_ELEMENTS];
    uint64_t state = 5;
    for (int k = 0; k < MOST_ELEMENTS; k++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        x[k] = with_nan && k % 47 == 0 ? (double)NAN : (double)(state >> 60) - 8;
    }
    return weft_cast(weft_from_data(ctx, WEFT_F64, WEFT_DIMS(3, 4, c->size[0], c->size[1]), x), c->dtype);
}

static weft_tensor *largest(weft_ctx *ctx, void *user)
{
    const pool_case *c = user;
    return weft_max_pool2d(image(ctx, c, true), &c->p);
}

static weft_tensor *mean(weft_ctx *ctx, void *user)
{
    const pool_case *c = user;
    return weft_avg_pool2d(image(ctx, c, false), &c->p);
}

/* The gradient of a pooling of x for a cotangent of positive numbers. */
static weft_tensor *gradient(weft_ctx *ctx, const pool_case *c, bool max)
{
    weft_tensor *x = weft_set_requires_grad(image(ctx, c, max), true), *dx = NULL;
    weft_tensor *y = max ? weft_max_pool2d(x, &c->p) : weft_avg_pool2d(x, &c->p);
    if (!y)
        return NULL;
    const int64_t shape[4] = {3, 4, weft_size(y, 2), weft_size(y, 3)};
    weft_tensor *g = both_input(ctx, c->dtype, shape, 4, 0, 1, 3);
    return weft_grad(ctx, &y, &g, 1, &x, 1, 0, &dx) == WEFT_OK ? dx : NULL;
}

static weft_tensor *gradient_of_largest(weft_ctx *ctx, void *user)
{
    return gradient(ctx, user, true);
}

static weft_tensor *gradient_of_mean(weft_ctx *ctx, void *user)
{
    return gradient(ctx, user, false);
}

static void check_all(both_fn *make, bool exact)
{
    for (int k = 0; k < CASES; k++) {
        const bool half = weft_dtype_size(cases[k].dtype) == 2;
        const double tolerance = exact ? 0 : half ? 8e-3 : 1e-6;
        char what[32];
        snprintf(what, sizeof what, "case %d, %s", k, weft_dtype_name(cases[k].dtype));
        check_both(what, make, &cases[k], tolerance, tolerance);
    }
}

WEFT_TEST(DevicePool2d, TakesTheLargest)
{
    check_all(largest, true);
}

WEFT_TEST(DevicePool2d, GivesTheLargestTheGradient)
{
    check_all(gradient_of_largest, false);
}

WEFT_TEST(DevicePool2d, Averages)
{
    check_all(mean, false);
}

WEFT_TEST(DevicePool2d, SpreadsTheGradientOfAMean)
{
    check_all(gradient_of_mean, false);
}
