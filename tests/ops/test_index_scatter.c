/* test_index_scatter.c - scatter_add and index_add over many chunks of sorted sources, with runs of equal indices from
 * none to thousands, in every dtype that adds up. check_both also compares the bits of two runs. */
#include "device/both.h"

#include <stdio.h>

#include "harness/weft_test.h"

typedef struct adding {
    weft_dtype dtype;
    int64_t shape[3], n;
    int dim;
    int64_t kinds; /* different indices */
} adding;

static double tolerance_of(weft_dtype dtype)
{
    switch (dtype) {
    case WEFT_F64:
        return 1e-14;
    case WEFT_F32:
        return 1e-5;
    case WEFT_F16:
        return 1e-3;
    case WEFT_BF16:
        return 8e-3;
    default:
        return 0;
    }
}

/* Sources are positive, so that sums are no smaller than what was added and the tolerance is relative to that too. */
static weft_tensor *rows_added(weft_ctx *ctx, void *user)
{
    const adding *a = user;
    int64_t shape[3] = {a->shape[0], a->shape[1], a->shape[2]};
    weft_tensor *x = both_input(ctx, a->dtype, shape, 3, 0, 3, 1);
    shape[a->dim] = a->n;
    weft_tensor *src = both_input(ctx, a->dtype, shape, 3, 0, 3, 2);
    return weft_index_add(x, both_input(ctx, WEFT_I64, WEFT_DIMS(a->n), 0, (double)a->kinds, 3), src, a->dim);
}

static weft_tensor *scattered(weft_ctx *ctx, void *user)
{
    const adding *a = user;
    int64_t shape[3] = {a->shape[0], a->shape[1], a->shape[2]};
    weft_tensor *x = both_input(ctx, a->dtype, shape, 3, 0, 3, 1);
    for (int d = 0; d < 3; d++)
        shape[d] -= shape[d] > 1;
    shape[a->dim] = a->n;
    weft_tensor *src = both_input(ctx, a->dtype, shape, 3, 0, 3, 2);
    return weft_scatter_add(x, both_input(ctx, WEFT_I64, shape, 3, 0, (double)a->kinds, 3), src, a->dim);
}

static void check_all(both_fn *make, adding *cases, int n)
{
    for (int k = 0; k < n; k++) {
        const adding *a = &cases[k];
        char what[96];
        snprintf(what, sizeof what, "case %d: %s, %lld sources along dim %d, %lld kinds", k, weft_dtype_name(a->dtype),
                 (long long)a->n, a->dim, (long long)a->kinds);
        check_both(what, make, &cases[k], tolerance_of(a->dtype), 0);
    }
}

WEFT_TEST(DeviceScatter, AddsRows)
{
    adding cases[] = {
        {WEFT_F32, {1, 500, 20}, 900, 1, 500}, {WEFT_F32, {2, 30, 9}, 400, 1, 3},    {WEFT_F64, {1, 70, 6}, 333, 1, 70},
        {WEFT_F16, {1, 60, 16}, 500, 1, 60},   {WEFT_BF16, {3, 40, 24}, 97, 1, 40},  {WEFT_BF16, {1, 9, 17}, 640, 1, 2},
        {WEFT_I64, {2, 50, 8}, 300, 1, 50},    {WEFT_I32, {1, 300, 5}, 1000, 1, 40}, {WEFT_F32, {1, 4, 64}, 256, 1, 1},
        {WEFT_F32, {1, 99, 67}, 8000, 1, 99},
    };
    check_all(rows_added, cases, 10);
}

WEFT_TEST(DeviceScatter, AddsAlongTheFirstAndTheLastDim)
{
    adding cases[] = {
        {WEFT_F32, {70, 5, 3}, 210, 0, 70},        {WEFT_F32, {4, 5, 300}, 150, 2, 300},
        {WEFT_BF16, {2, 3, 40}, 400, 2, 7},        {WEFT_F16, {3, 2, 90}, 130, 2, 90},
        {WEFT_F64, {5, 3, 4}, 100, 2, 4},          {WEFT_I64, {64, 1, 2}, 6000, 0, 64},
        {WEFT_F32, {70000, 1, 1}, 5000, 0, 70000},
    };
    check_all(rows_added, cases, 7);
}

WEFT_TEST(DeviceScatter, AddsAFewRows)
{
    adding cases[] = {
        {WEFT_F32, {2, 40, 300}, 9, 1, 40}, {WEFT_BF16, {2, 40, 30}, 32, 1, 5}, {WEFT_F16, {6, 4, 50}, 20, 0, 3},
        {WEFT_F64, {6, 4, 50}, 32, 2, 50},  {WEFT_I64, {3, 4, 10}, 31, 2, 1},
    };
    check_all(rows_added, cases, 5);
}

WEFT_TEST(DeviceScatter, Scatters)
{
    adding cases[] = {
        {WEFT_F32, {3, 90, 11}, 100, 1, 90}, {WEFT_F32, {2, 3, 900}, 1300, 2, 5}, {WEFT_F64, {50, 4, 5}, 120, 0, 50},
        {WEFT_F16, {2, 40, 30}, 70, 1, 40},  {WEFT_BF16, {2, 3, 4}, 1500, 2, 2},  {WEFT_I64, {3, 5, 80}, 500, 2, 80},
        {WEFT_I32, {1, 1, 3}, 7000, 2, 3},   {WEFT_F32, {1, 1, 5}, 140000, 2, 5},
    };
    check_all(scattered, cases, 8);
}

WEFT_TEST(DeviceScatter, ScattersAFew)
{
    adding cases[] = {
        {WEFT_F32, {40, 50, 11}, 1, 1, 50}, {WEFT_BF16, {20, 30, 11}, 32, 1, 4}, {WEFT_F16, {9, 8, 70}, 17, 2, 6},
        {WEFT_F64, {12, 30, 20}, 8, 0, 12}, {WEFT_I8, {4, 30, 20}, 8, 0, 2},
    };
    check_all(scattered, cases, 5);
}
