/* test_optim.c - optimiser steps over more tensors than one launch takes, of every floating dtype and of sizes with
 * ragged ends, some without a gradient, some with master weights, some that do not start at a border of 16 bytes. */
#include "device/both.h"

#include <stdio.h>

#include "harness/structs.h"
#include "harness/weft_test.h"

enum { TENSORS = 70, STEPS = 3, LISTS = 4 };

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

static bool is_half(const run *r, int k)
{
    return dtype_of(r, k) == WEFT_F16 || dtype_of(r, k) == WEFT_BF16;
}

/* Every third tensor is a view that starts one element into its memory. */
static weft_tensor *make(weft_ctx *ctx, weft_dtype dtype, int k, double lo, double hi, uint64_t seed)
{
    const int64_t n = size_of(k);
    if (k % 3 != 0)
        return both_input(ctx, dtype, WEFT_DIMS(n), lo, hi, seed);
    return weft_slice(both_input(ctx, dtype, WEFT_DIMS(n + 1), lo, hi, seed), 0, 1, n + 1, 1);
}

static weft_tensor *make_state(weft_ctx *ctx, const run *r, int k, uint64_t seed)
{
    return make(ctx, is_half(r, k) ? WEFT_F32 : dtype_of(r, k), k, 0, 1, seed);
}

/* Every other half tensor has them; every fourth has been written since they were made. */
static weft_tensor *make_master(const run *r, int k, weft_tensor *param)
{
    if (!is_half(r, k) || k % 2 == 0)
        return NULL;
    weft_tensor *master = weft_add_scalar(weft_cast(param, WEFT_F32), 1e-5);
    if (k % 4 == 1)
        weft_copy_(param, weft_neg(param));
    return master;
}

/* Parameters, states and master weights of all tensors after a few steps, in one row. */
static weft_tensor *stepped(weft_ctx *ctx, void *user)
{
    const run *r = user;
    weft_tensor *params[TENSORS], *grads[TENSORS], *first[TENSORS], *second[TENSORS], *master[TENSORS],
        *all[LISTS * TENSORS];
    for (int k = 0; k < TENSORS; k++) {
        params[k] = make(ctx, dtype_of(r, k), k, -1, 1, (uint64_t)k + 1);
        grads[k] = k % 7 == 2 ? NULL : make(ctx, dtype_of(r, k), k, -2, 2, (uint64_t)k + 1000);
        first[k] = make_state(ctx, r, k, (uint64_t)k + 2000);
        second[k] = make_state(ctx, r, k, (uint64_t)k + 3000);
        master[k] = make_master(r, k, params[k]);
    }
    for (int step = 0; step < STEPS; step++) {
        if (r->adam)
            weft_adam_step(ctx, params, grads, first, second, TENSORS,
                           &WITH_ADAM_STEP(.lr = 0.02, .beta1 = 0.8, .beta2 = 0.95, .eps = 1e-6,
                                           .weight_decay = r->weight_decay, .decoupled = r->flag, .step = step + 1,
                                           .master = master));
        else
            weft_sgd_step(ctx, params, grads, r->momentum != 0 ? first : NULL, TENSORS,
                          &WITH_SGD_STEP(.lr = 0.05, .momentum = r->momentum, .dampening = r->dampening,
                                         .weight_decay = r->weight_decay, .nesterov = r->flag, .step = step + 1,
                                         .master = master));
    }
    for (int k = 0; k < TENSORS; k++) {
        all[k] = weft_cast(params[k], WEFT_F64);
        all[TENSORS + k] = weft_cast(first[k], WEFT_F64);
        all[2 * TENSORS + k] = weft_cast(second[k], WEFT_F64);
        all[3 * TENSORS + k] = master[k] ? weft_cast(master[k], WEFT_F64) : all[k];
    }
    int64_t count = 0;
    for (int k = 0; k < LISTS * TENSORS; k++)
        count += weft_count(all[k]);
    weft_tensor *joined = weft_zeros(ctx, WEFT_F64, WEFT_DIMS(count));
    for (int64_t k = 0, at = 0; k < LISTS * TENSORS; at += weft_count(all[k]), k++)
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

/* Gradients after clipping, and the norm: more than f16 holds. */
static weft_tensor *clipped(weft_ctx *ctx, void *user)
{
    const run *r = user;
    weft_tensor *p[3], *parts[4];
    for (int k = 0; k < 3; k++) {
        p[k] = weft_set_requires_grad(make(ctx, r->dtype, k + 1, -1, 1, (uint64_t)k), true);
        weft_tensor *g = make(ctx, r->dtype, k + 1, 20000, 30000, (uint64_t)k + 10);
        weft_backward(ctx, weft_sum(weft_mul(p[k], g), WEFT_ALL, false));
    }
    const double norm = weft_clip_grad_norm(ctx, p, 3, 3);
    for (int k = 0; k < 3; k++)
        parts[k] = weft_cast(weft_grad_of(p[k]), WEFT_F64);
    parts[3] = weft_full(ctx, WEFT_F64, WEFT_DIMS(1), norm);
    return weft_concat(parts, 4, 0);
}

WEFT_TEST(DeviceSteps, ClippingOfEveryType)
{
    static const weft_dtype dtypes[] = {WEFT_F32, WEFT_F64, WEFT_F16, WEFT_BF16};
    for (int k = 0; k < 4; k++)
        check_both(weft_dtype_name(dtypes[k]), clipped, &(run){.dtype = dtypes[k]}, k < 2 ? 1e-5 : 1e-2, 0);
}
