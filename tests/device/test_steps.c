/* test_steps.c - optimiser steps over more tensors than one launch takes, of every floating dtype and of sizes with
 * ragged ends, some without a gradient, some that do not start at a border of 16 bytes. */
#include "both.h"

#include <stdio.h>

#include "harness/weft_test.h"

enum { TENSORS = 70, STEPS = 3 };

typedef struct run {
    bool adam;
    weft_dtype dtype; /* WEFT_DTYPE_COUNT: each tensor another */
    double momentum, dampening, weight_decay;
    bool flag; /* nesterov, decoupled */
} run;

static int64_t size_of(int k)
{
    static const int64_t sizes[] = {1, 7, 64, 0, 250, 33, 8, 3};
    return k == 5 ? 20000 : sizes[k % 8]; /* one of several chunks */
}

static weft_dtype dtype_of(const run *r, int k)
{
    static const weft_dtype floats[] = {WEFT_F32, WEFT_BF16, WEFT_F64, WEFT_F16};
    return r->dtype == WEFT_DTYPE_COUNT ? floats[k / 2 % 4] : r->dtype;
}

/* Every third tensor is a view that starts one element into its memory. */
static weft_tensor *make(weft_ctx *ctx, const run *r, int k, double lo, double hi, uint64_t seed)
{
    const int64_t n = size_of(k);
    if (k % 3 != 0)
        return both_input(ctx, dtype_of(r, k), WEFT_DIMS(n), lo, hi, seed);
    return weft_slice(both_input(ctx, dtype_of(r, k), WEFT_DIMS(n + 1), lo, hi, seed), 0, 1, n + 1, 1);
}

/* Parameters and states of all tensors after a few steps, in one row. */
static weft_tensor *stepped(weft_ctx *ctx, void *user)
{
    const run *r = user;
    weft_tensor *params[TENSORS], *grads[TENSORS], *first[TENSORS], *second[TENSORS], *all[3 * TENSORS];
    for (int k = 0; k < TENSORS; k++) {
        params[k] = make(ctx, r, k, -1, 1, (uint64_t)k + 1);
        grads[k] = k % 7 == 2 ? NULL : make(ctx, r, k, -2, 2, (uint64_t)k + 1000);
        first[k] = make(ctx, r, k, 0, 1, (uint64_t)k + 2000);
        second[k] = make(ctx, r, k, 0, 1, (uint64_t)k + 3000);
    }
    for (int step = 0; step < STEPS; step++) {
        if (r->adam)
            weft_adam_step(ctx, params, grads, first, second, TENSORS,
                           &(weft_adam_params){.lr = 0.02,
                                               .beta1 = 0.8,
                                               .beta2 = 0.95,
                                               .eps = 1e-6,
                                               .weight_decay = r->weight_decay,
                                               .decoupled = r->flag},
                           step + 1);
        else
            weft_sgd_step(ctx, params, grads, r->momentum != 0 ? first : NULL, TENSORS,
                          &(weft_sgd_params){.lr = 0.05,
                                             .momentum = r->momentum,
                                             .dampening = r->dampening,
                                             .weight_decay = r->weight_decay,
                                             .nesterov = r->flag,
                                             .first_step = step == 0});
    }
    for (int k = 0; k < TENSORS; k++) {
        all[k] = weft_cast(params[k], WEFT_F64);
        all[TENSORS + k] = weft_cast(first[k], WEFT_F64);
        all[2 * TENSORS + k] = weft_cast(second[k], WEFT_F64);
    }
    int64_t count = 0;
    for (int k = 0; k < 3 * TENSORS; k++)
        count += weft_count(all[k]);
    weft_tensor *joined = weft_zeros(ctx, WEFT_F64, WEFT_DIMS(count));
    for (int64_t k = 0, at = 0; k < 3 * TENSORS; at += weft_count(all[k]), k++)
        weft_copy_(weft_slice(joined, 0, at, at + weft_count(all[k]), 1), all[k]);
    return joined;
}

static void check_steps(const char *name, run r)
{
    static const weft_dtype dtypes[] = {WEFT_F32, WEFT_F64, WEFT_F16, WEFT_BF16};
    static const double tolerance[] = {1e-6, 1e-14, 2e-3, 1.6e-2};
    for (int k = 0; k < 4; k++) {
        char what[64];
        r.dtype = dtypes[k];
        snprintf(what, sizeof what, "%s, %s", name, weft_dtype_name(r.dtype));
        check_both(what, stepped, &r, tolerance[k], tolerance[k]);
    }
    r.dtype = WEFT_DTYPE_COUNT;
    check_both("mixed dtypes", stepped, &r, 1.6e-2, 1.6e-2);
}

WEFT_TEST(DeviceSteps, PlainDescent)
{
    check_steps("sgd", (run){.weight_decay = 0.1});
}

WEFT_TEST(DeviceSteps, Momentum)
{
    check_steps("sgd with momentum", (run){.momentum = 0.9, .dampening = 0.2, .weight_decay = 0.1});
}

WEFT_TEST(DeviceSteps, Nesterov)
{
    check_steps("nesterov", (run){.momentum = 0.9, .flag = true});
}

WEFT_TEST(DeviceSteps, Adam)
{
    check_steps("adam", (run){.adam = true, .weight_decay = 0.1});
}

WEFT_TEST(DeviceSteps, AdamWithDecoupledDecay)
{
    check_steps("adamw", (run){.adam = true, .weight_decay = 0.1, .flag = true});
}
