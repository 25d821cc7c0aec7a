/* test_watch.c - what the NaN watch says of a backward pass: operation, pass and line of the call, also where the rule
 * takes several steps; and that what a rule masks is no alarm. */
#include <math.h>
#include <stdio.h>
#include "harness/structs.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"

static weft_ctx *open_watched(fault_memory *m)
{
    weft_options o = fault_options(m);
    weft_ctx *c = NULL;
    o.nan_watch = true;
    WEFT_CHECK_OK(weft_ctx_open(&o, &c));
    return c;
}

static weft_tensor *leaf(weft_ctx *c, weft_dtype dtype, double value)
{
    return weft_set_requires_grad(weft_full(c, dtype, WEFT_DIMS(3), value), true);
}

/* The error names the line at which the operation was called. */
static void check_alarm(weft_ctx *c, const char *what, int line)
{
    char at[64];
    snprintf(at, sizeof at, "test_watch.c:%d", line);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), what);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), at);
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_NOT_FINITE);
}

WEFT_TEST(Watch, NamesTheLineOfTheCallWhoseDerivativeItWas)
{
    fault_memory m = {0};
    weft_ctx *c = open_watched(&m);
    for (int dtype = WEFT_F32; dtype <= WEFT_BF16; dtype++)
        for (int flags = 0; flags <= WEFT_GRAD_CREATE_GRAPH && weft_dtype_is_float((weft_dtype)dtype);
             flags += WEFT_GRAD_CREATE_GRAPH) {
            weft_tensor *x = leaf(c, (weft_dtype)dtype, 0), *g = NULL;
            const int line = __LINE__ + 1;
            weft_tensor *root = weft_sqrt(x), *y = weft_sum(weft_mul_scalar(root, 3), WEFT_ALL, false);
            WEFT_CHECK_STATUS(weft_grad(c, &y, NULL, 1, &x, 1, flags, &g), WEFT_E_NOT_FINITE);
            WEFT_CHECK(!g);
            check_alarm(c, "in the backward pass the derivative of weft_sqrt", line);
        }
    /* A second derivative that is none, where the first is. */
    weft_tensor *x = leaf(c, WEFT_F64, 0), *g = NULL, *h = NULL;
    const int line = __LINE__ + 1;
    weft_tensor *y = weft_sum(weft_pow_scalar(x, 1.5), WEFT_ALL, false);
    WEFT_CHECK_OK(weft_grad(c, &y, NULL, 1, &x, 1, WEFT_GRAD_CREATE_GRAPH, &g));
    g = weft_sum(g, WEFT_ALL, false);
    WEFT_CHECK_STATUS(weft_grad(c, &g, NULL, 1, &x, 1, 0, &h), WEFT_E_NOT_FINITE);
    (void)line;
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "in the backward pass the derivative of weft_");
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_NOT_FINITE);
    fault_ctx_close(c, &m);
}

static weft_tensor *roots(weft_ctx *c, weft_tensor *const *in, int n, void *user)
{
    (void)c, (void)n;
    *(int *)user = __LINE__ + 1;
    return weft_mul_scalar(weft_sqrt(in[0]), 2);
}

WEFT_TEST(Watch, NamesLinesWithinAFunctionThatIsDifferentiated)
{
    fault_memory m = {0};
    weft_ctx *c = open_watched(&m);
    weft_tensor *x = weft_zeros(c, WEFT_F64, WEFT_DIMS(3)), *v = weft_ones(c, WEFT_F64, WEFT_DIMS(3)), *d = NULL;
    int line = 0;
    WEFT_CHECK_STATUS(weft_jvp(c, &x, &v, 1, roots, &line, 0, NULL, &d), WEFT_E_NOT_FINITE);
    check_alarm(c, "weft_jvp: in weft_backward: in the backward pass the derivative of weft_sqrt", line);
    WEFT_CHECK_STATUS(weft_jacobian(c, &x, 1, roots, &line, 0, NULL, &d), WEFT_E_NOT_FINITE);
    check_alarm(c, "the derivative of weft_sqrt", line);
    fault_ctx_close(c, &m);
}

WEFT_TEST(Watch, SaysForwardOfAForwardPass)
{
    fault_memory m = {0};
    weft_ctx *c = open_watched(&m);
    const int line = __LINE__ + 1;
    WEFT_CHECK(!weft_log(weft_zeros(c, WEFT_F32, WEFT_DIMS(2))));
    check_alarm(c, "weft_log: made 2 NaN or infinite elements of 2 in f32 [2] from finite operands in the forward pass",
                line);
    fault_ctx_close(c, &m);
}

static weft_tensor *spoil(void *user, weft_tensor *t, weft_tensor *gradient)
{
    (void)t;
    weft_tensor *nan = weft_from_data(user, WEFT_F64, WEFT_DIMS(3), (const double[]){1, (double)NAN, 2});
    return weft_dtype_of(gradient) == WEFT_F64 ? nan : NULL;
}

WEFT_TEST(Watch, SumsOfGradientsAndHooksAreLookedAt)
{
    fault_memory m = {0};
    weft_ctx *c = open_watched(&m);
    weft_tensor *x = leaf(c, WEFT_F32, 0), *y = weft_mul_scalar(x, 3e38);
    const int line = __LINE__ + 1;
    WEFT_CHECK_STATUS(weft_backward(c, weft_sum(weft_add(y, weft_mul_scalar(x, 2e38)), WEFT_ALL, false)),
                      WEFT_E_NOT_FINITE);
    check_alarm(c, "weft_add_: made 3", line - 2); /* at the first product, whose share comes last */
    const int hooked = __LINE__ + 1;
    weft_tensor *t = weft_square(leaf(c, WEFT_F64, 2));
    WEFT_CHECK_OK(weft_add_hook(t, spoil, c));
    WEFT_CHECK_STATUS(weft_backward(c, weft_sum(t, WEFT_ALL, false)), WEFT_E_NOT_FINITE);
    check_alarm(c, "a hook of f64 [3], made by weft_square", hooked);
    fault_ctx_close(c, &m);
}

/* What is infinite on the way, and masked, is none: in the steps of a recorded derivative too. */
static weft_tensor *at_corner(weft_ctx *c, int k, weft_tensor *x)
{
    weft_tensor *zero = weft_zeros_like(x);
    switch (k) {
    case 0:
        return weft_norm(x, WEFT_ALL, false);
    case 1:
        return weft_hypot(x, zero);
    case 2:
        return weft_atan2(x, zero);
    case 3:
        return weft_prod(x, WEFT_ALL, false);
    case 4:
        return weft_pow(x, weft_full(c, WEFT_F64, WEFT_SCALAR, 2));
    case 5:
        return weft_sinc(x);
    case 6:
        return weft_xlogy(zero, weft_add_scalar(x, 1));
    default:
        return NULL;
    }
}

WEFT_TEST(Watch, WhatARuleMasksIsNoAlarm)
{
    fault_memory m = {0};
    weft_ctx *c = open_watched(&m);
    for (int k = 0; at_corner(c, k, leaf(c, WEFT_F64, 0)); k++)
        for (int flags = 0; flags <= WEFT_GRAD_CREATE_GRAPH; flags += WEFT_GRAD_CREATE_GRAPH) {
            weft_tensor *x = leaf(c, WEFT_F64, 0), *y = weft_sum(at_corner(c, k, x), WEFT_ALL, false), *g = NULL;
            if (weft_grad(c, &y, NULL, 1, &x, 1, flags, &g) != WEFT_OK)
                WEFT_FAIL("corner %d, flags %d: %s", k, flags, weft_ctx_message(c));
            weft_ctx_clear(c);
        }
    /* A row that sees no key: the logarithm of its sum is -inf, and kept for the derivative. */
    weft_tensor *q = leaf(c, WEFT_F32, 1);
    q = weft_reshape(q, WEFT_DIMS(1, 3, 1));
    weft_tensor *few = weft_ones(c, WEFT_F32, WEFT_DIMS(1, 2, 1)), *y = weft_attention(q, few, few, 1, true);
    WEFT_CHECK_OK(weft_backward(c, weft_sum(y, WEFT_ALL, false)));
    fault_ctx_close(c, &m);
}

static weft_status value_and_pole(weft_ctx *c, const weft_array *in, int n, weft_array *out, void *user)
{
    (void)c, (void)n, (void)user;
    for (int64_t k = 0; k < in[0].count; k++) {
        ((double *)out[0].data)[k] = ((const double *)in[0].data)[k];
        ((double *)out[1].data)[k] = 1 / ((const double *)in[0].data)[k];
    }
    return WEFT_OK;
}

WEFT_TEST(Watch, LooksAtAllResults)
{
    fault_memory m = {0};
    weft_ctx *c = open_watched(&m);
    const weft_custom_op op = INIT_CUSTOM_OP(.name = "poles", .forward = value_and_pole, .n_outputs = 2);
    weft_tensor *x = weft_zeros(c, WEFT_F64, WEFT_DIMS(3)), *out[2];
    const int line = __LINE__ + 1;
    WEFT_CHECK_STATUS(weft_custom_all(&op, &x, 1, out), WEFT_E_NOT_FINITE);
    check_alarm(c, "weft_poles: made 3 NaN or infinite elements of 3 in result 1, f64 [3]", line);
    WEFT_CHECK(!out[0] && !out[1]);
    fault_ctx_close(c, &m);
}
