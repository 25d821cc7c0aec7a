/* test_composed.c - a device without a fused kernel for a gradient, or without one for the dtype, gets the gradient by
 * the rule in public operations: for every row that has such a kernel, the fake device with all kernels but that one
 * against the CPU, by the row's samples. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/op_def.h"
#include "engine/supports.h"
#include "fake_device.h"
#include "harness/structs.h"
#include "harness/weft_test.h"
#include "ops/sample.h"

enum { MOST = 4096 };

/* The gradients of all operands of a sample, one after the other. */
typedef struct gradients {
    double values[MOST];
    int64_t count;
    char error[512];
} gradients;

static void append(weft_ctx *c, weft_tensor *g, gradients *out)
{
    const int64_t n = weft_count(g);
    if (out->count + n <= MOST &&
        weft_read(c, weft_cast(g, WEFT_F64), out->values + out->count, sizeof(double) * (size_t)n) == WEFT_OK)
        out->count += n;
}

/* By sum(y cos(y)) of its differentiable results, whose gradient differs from element to element. */
static void differentiate(weft_ctx *c, weft_sample_call *call, int flags, gradients *out)
{
    weft_tensor *wanted[WEFT_SAMPLE_OPERANDS], *found[WEFT_SAMPLE_OPERANDS];
    int n = 0;
    for (int k = 0; k < call->n_in; k++)
        if (call->in[k] && call->smooth[k])
            wanted[n++] = call->in[k] = weft_set_requires_grad(weft_detach(call->in[k]), true);
    if (weft_sample_run(call) != WEFT_OK)
        return;
    weft_tensor *y = weft_sample_result(call), *g = weft_cos(weft_detach(y));
    if (weft_grad(c, &y, &g, 1, wanted, n, flags, found) == WEFT_OK)
        for (int k = 0; k < n; k++)
            append(c, found[k], out);
}

static void gradients_on(const char *device, int op, int recipe, weft_dtype dtype, int flags, gradients *out)
{
    weft_ctx *c = NULL;
    weft_sample_call call;
    *out = (gradients){.count = 0};
    WEFT_REQUIRE(weft_ctx_open(&WITH_OPTIONS(.device = device, .seed = 7), &c) == WEFT_OK);
    const weft_sample_options o = INIT_SAMPLE(.recipe = recipe, .dtype = dtype, .sizes = {3, 4, 4, 5});
    if (weft_sample_make(c, op, &o, &call) == WEFT_OK)
        differentiate(c, &call, flags, out);
    snprintf(out->error, sizeof out->error, "%s", weft_ctx_message(c));
    weft_ctx_close(c);
}

static double tolerance(weft_dtype dtype)
{
    return dtype == WEFT_F64 ? 1e-12 : dtype == WEFT_F32 ? 2e-5 : 2e-2;
}

/* The same numbers as the composition on the CPU, bit by bit, and those of the fused kernel but for rounding. A graph
 * of linear_act's gradient takes the sum once more, which here is the one that was kept, rounded. */
static void check_recipe(int op, int recipe, weft_dtype dtype)
{
    static gradients found, composed, fused;
    const char *name = weft__ops[op].name;
    const bool exact = op != WEFT_OP_LINEAR_ACT;
    gradients_on("test", op, recipe, dtype, 0, &found);
    gradients_on("cpu", op, recipe, dtype, WEFT_GRAD_CREATE_GRAPH, &composed);
    gradients_on("cpu", op, recipe, dtype, 0, &fused);
    if (found.error[0] || composed.error[0] || fused.error[0])
        WEFT_FAIL("%s, recipe %d, %s: %s%s%s", name, recipe, weft_dtype_name(dtype), found.error, composed.error,
                  fused.error);
    WEFT_CHECK(found.count > 0 && found.count == composed.count && found.count == fused.count);
    double largest = 1;
    for (int64_t k = 0; k < fused.count; k++)
        largest = fmax(largest, fabs(fused.values[k]));
    for (int64_t k = 0; k < found.count; k++) {
        const double off = fabs(found.values[k] - fused.values[k]);
        if (off <= tolerance(dtype) * largest && (found.values[k] == composed.values[k] || !exact))
            continue;
        WEFT_FAIL("%s, recipe %d, %s, element %d: %.17g, the composition on the CPU %.17g, its kernel %.17g", name,
                  recipe, weft_dtype_name(dtype), (int)k, found.values[k], composed.values[k], fused.values[k]);
        return;
    }
}

static void check_recipes(int op, weft_dtype dtype)
{
    for (int r = 0; r < WEFT__MAX_RECIPES && weft__defs[op]->recipes[r].operands; r++)
        check_recipe(op, r, dtype);
}

static bool has_gradient(int op)
{
    return weft__ops[op].differentiable && weft__defs[op]->call && weft__defs[op]->fused >= 0;
}

/* ---- No kernel at all ---- */

WEFT_TEST(Composed, ADeviceWithoutAFusedGradient)
{
    weft__backend *fake = fake_device();
    int rows = 0;
    for (int op = 0; op < WEFT_OP_COUNT; op++) {
        if (!has_gradient(op))
            continue;
        const int fused = weft__defs[op]->fused;
        weft__kernel *place = weft__ops[fused].family == WEFT__KERNEL ? &fake->run[fused] : &fake->grad[fused];
        const weft__kernel right = *place;
        WEFT_CHECK(right != NULL);
        *place = NULL;
        check_recipes(op, WEFT_F64);
        check_recipes(op, WEFT_F32);
        check_recipes(op, WEFT_BF16);
        *place = right;
        rows++;
    }
    WEFT_CHECK(rows > 50);
}

/* linear_act runs two: that of the products, which is there, and that of the activation, which is not. */
WEFT_TEST(Composed, ADeviceWithoutTheGradientOfAnActivation)
{
    weft__backend *fake = fake_device();
    static const weft_op activations[] = {WEFT_OP_RELU, WEFT_OP_GELU_TANH};
    weft__kernel right[2];
    for (int k = 0; k < 2; k++) {
        right[k] = fake->grad[activations[k]];
        fake->grad[activations[k]] = NULL;
    }
    for (int r = 0; r < WEFT__MAX_RECIPES && weft__defs[WEFT_OP_LINEAR_ACT]->recipes[r].operands; r++) {
        static gradients found, fused;
        gradients_on("test", WEFT_OP_LINEAR_ACT, r, WEFT_BF16, 0, &found);
        gradients_on("cpu", WEFT_OP_LINEAR_ACT, r, WEFT_BF16, 0, &fused);
        WEFT_CHECK_STR_EQ(found.error, "");
        WEFT_CHECK(found.count > 0 && found.count == fused.count);
        for (int64_t k = 0; k < found.count; k++)
            WEFT_CHECK_NEAR(found.values[k], fused.values[k], tolerance(WEFT_BF16));
    }
    for (int k = 0; k < 2; k++)
        fake->grad[activations[k]] = right[k];
}

/* ---- None for the dtype ---- */

static int32_t missing;

static bool is_fused(int kernel)
{
    for (int op = 0; weft__ops[kernel].family == WEFT__KERNEL && op < WEFT_OP_COUNT; op++)
        if (weft__defs[op]->fused == kernel)
            return true;
    return false;
}

static bool has(weft_op op, int32_t dtype)
{
    return dtype != missing || !is_fused((int)op);
}

WEFT_TEST(Composed, ADeviceWithoutAFusedGradientInADtype)
{
    static const weft_dtype dtypes[] = {WEFT_F64, WEFT_F32, WEFT_BF16};
    fake_device()->supports = has;
    for (int d = 0; d < 3; d++) {
        missing = dtypes[d];
        for (int op = 0; op < WEFT_OP_COUNT; op++)
            if (has_gradient(op) && is_fused(weft__defs[op]->fused))
                check_recipes(op, dtypes[d]);
    }
    fake_device()->supports = NULL;
}
