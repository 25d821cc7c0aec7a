/* test_passes.c - what a backward pass promises its caller beside the right numbers: what is asked for twice comes
 * twice, the order of results, hooks and nodes, what is let go of, and what may not be changed. */
#include <math.h>
#include "harness/structs.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"

static weft_tensor *leaf(weft_ctx *c, weft_dtype dtype, double value)
{
    return weft_set_requires_grad(weft_full(c, dtype, WEFT_DIMS(3), value), true);
}

static double first_of(weft_ctx *c, weft_tensor *t)
{
    return weft_item(c, weft_select(t, 0, 0));
}

/* ---- What is asked for ---- */

WEFT_TEST(Passes, WhatIsAskedForTwiceComesTwice)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *x = leaf(c, WEFT_F64, 2), *h = weft_square(x), *y = weft_mul_scalar(h, 3);
    weft_tensor *inputs[] = {x, h, x, h, x}, *cotangent = weft_full(c, WEFT_F64, WEFT_DIMS(3), 1), *g[5];
    for (int flags = 0; flags <= WEFT_GRAD_CREATE_GRAPH; flags += WEFT_GRAD_CREATE_GRAPH) {
        WEFT_CHECK_OK(weft_grad(c, &y, &cotangent, 1, inputs, 5, flags, g));
        for (int k = 0; k < 5; k++)
            if (g[k])
                WEFT_CHECK_NEAR(first_of(c, g[k]), k % 2 ? 3 : 12, 0);
            else
                WEFT_FAIL("flags %d: input %d has no gradient", flags, k);
    }
    fault_ctx_close(c, &m);
}

/* A result that depends on nothing stands before those that do, and the last made is not the last given. */
WEFT_TEST(Passes, ResultsComeInAnyOrder)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *x = leaf(c, WEFT_F64, 2), *early = weft_square(x), *late = weft_mul(early, x);
    weft_tensor *constant = weft_ones(c, WEFT_F64, WEFT_DIMS(3)), *ones = weft_ones(c, WEFT_F64, WEFT_DIMS(3));
    weft_tensor *results[][3] = {{constant, late, early}, {early, constant, late}, {late, early, constant}};
    for (int k = 0; k < 3; k++) {
        WEFT_CHECK_OK(weft_backward_with(c, results[k], (weft_tensor *[]){ones, ones, ones}, 3));
        WEFT_CHECK_NEAR(first_of(c, weft_grad_of(x)), 16, 0);
        WEFT_CHECK_OK(weft_zero_grad(c, &x, 1));
    }
    fault_ctx_close(c, &m);
}

/* ---- Several losses ---- */

static weft_tensor *count_pass(void *user, weft_tensor *t, weft_tensor *gradient)
{
    (void)t, (void)gradient;
    ++*(int *)user;
    return NULL;
}

/* One pass over what they share, as of their sum; cotangents are weights, and a NULL among them is 1. */
WEFT_TEST(Passes, SeveralLossesAreOnePass)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    int passes = 0;
    weft_tensor *x = leaf(c, WEFT_F64, 2), *shared = weft_square(x);
    WEFT_CHECK_OK(weft_add_hook(shared, count_pass, &passes));
    weft_tensor *losses[3] = {weft_sum(shared, WEFT_ALL, false), weft_mean(weft_mul(shared, x), WEFT_ALL, false),
                              weft_scalar(c, WEFT_F64, 1)};
    weft_tensor *half = weft_scalar(c, WEFT_F64, 0.5), *weights[3] = {NULL, half, half};
    WEFT_CHECK_OK(weft_backward_with(c, losses, NULL, 3)); /* 2 x + x^2 */
    WEFT_CHECK_NEAR(first_of(c, weft_grad_of(x)), 8, 1e-14);
    WEFT_CHECK_EQ_INT(passes, 1);
    WEFT_CHECK_OK(weft_zero_grad(c, &x, 1));
    WEFT_CHECK_OK(weft_backward_with(c, losses, weights, 3));
    WEFT_CHECK_NEAR(first_of(c, weft_grad_of(x)), 6, 1e-14);
    WEFT_CHECK_OK(weft_zero_grad(c, &x, 1));
    losses[2] = losses[0];
    WEFT_CHECK_OK(weft_backward_with(c, losses, NULL, 3)); /* twice the first */
    WEFT_CHECK_NEAR(first_of(c, weft_grad_of(x)), 12, 1e-14);
    WEFT_CHECK_EQ_INT(passes, 3);
    losses[1] = weft_scalar(c, WEFT_F64, 1);
    WEFT_CHECK_STATUS(weft_backward_with(c, &losses[1], NULL, 1), WEFT_E_NO_GRADIENT);
    weft_ctx_clear(c);
    losses[1] = NULL;
    WEFT_CHECK_STATUS(weft_backward_with(c, losses, NULL, 2), WEFT_E_NULL_ARGUMENT);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "operand 1 is NULL");
    weft_ctx_clear(c);
    losses[1] = shared;
    WEFT_CHECK_STATUS(weft_backward_with(c, losses, NULL, 2), WEFT_E_SHAPE);
    weft_ctx_clear(c);
    WEFT_CHECK_NEAR(first_of(c, weft_grad_of(x)), 12, 1e-14); /* as before those that failed */
    fault_ctx_close(c, &m);
}

/* ---- Hooks ---- */

typedef struct order {
    int *next, number;
} order;

static weft_tensor *follow(void *user, weft_tensor *t, weft_tensor *gradient)
{
    (void)t, (void)gradient;
    const order *o = user;
    WEFT_CHECK_EQ_INT(*o->next, o->number);
    ++*o->next;
    return NULL;
}

WEFT_TEST(Passes, HooksRunInTheOrderOfRegistration)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    int next = 0;
    order orders[4] = {{&next, 0}, {&next, 1}, {&next, 2}, {&next, 3}};
    weft_tensor *x = leaf(c, WEFT_F64, 2), *h = weft_square(x);
    for (int k = 0; k < 2; k++) {
        WEFT_CHECK_OK(weft_add_hook(h, follow, &orders[k]));
        WEFT_CHECK_OK(weft_add_hook(x, follow, &orders[2 + k]));
    }
    WEFT_CHECK_OK(weft_backward(c, weft_sum(h, WEFT_ALL, false)));
    WEFT_CHECK_EQ_INT(next, 4);
    fault_ctx_close(c, &m);
}

static weft_tensor *reshaped(void *user, weft_tensor *t, weft_tensor *gradient)
{
    (void)user, (void)t;
    return weft_reshape(gradient, WEFT_DIMS(3, 1));
}

WEFT_TEST(Passes, AHookGivesTheShapeBackNotTheCountAlone)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *x = leaf(c, WEFT_F64, 2);
    WEFT_CHECK_OK(weft_add_hook(x, reshaped, NULL));
    WEFT_CHECK_STATUS(weft_backward(c, weft_sum(x, WEFT_ALL, false)), WEFT_E_CALLBACK);
    weft_ctx_clear(c);
    fault_ctx_close(c, &m);
}

/* ---- Views ---- */

/* Slices behind so many views that a pass does not look past them all. */
WEFT_TEST(Passes, SlicesBehindManyViews)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    for (int deep = 0; deep < 24; deep++) {
        double got[6];
        weft_tensor *x = weft_set_requires_grad(weft_ones(c, WEFT_F64, WEFT_DIMS(2, 3)), true), *view = x;
        for (int k = 0; k < deep; k++)
            view = k % 3 == 2 ? weft_squeeze(weft_unsqueeze(view, 1), WEFT_DIMS(1)) : weft_transpose(view, 0, 1);
        view = weft_size(view, 0) == 2 ? view : weft_transpose(view, 0, 1);
        weft_tensor *loss = weft_add(weft_sum(weft_select(view, 1, 2), WEFT_ALL, false),
                                     weft_mul_scalar(weft_sum(weft_select(view, 0, 0), WEFT_ALL, false), 10));
        WEFT_CHECK_OK(weft_backward(c, loss));
        WEFT_CHECK_OK(weft_read(c, weft_grad_of(x), got, sizeof got));
        const double want[6] = {10, 10, 11, 0, 0, 1};
        for (int e = 0; e < 6; e++)
            WEFT_CHECK_NEAR(got[e], want[e], 0);
    }
    fault_ctx_close(c, &m);
}

/* ---- What is let go of ---- */

WEFT_TEST(Passes, ZeroGradLetsGoOfAllThatAHalfGradientKeeps)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *x = leaf(c, WEFT_BF16, 1), *weight = weft_full(c, WEFT_BF16, WEFT_DIMS(3), 1.0078125);
    double first[5];
    for (int round = 0; round < 2; round++) {
        const int64_t before = memory_of(c).live_tensors;
        for (int k = 0; k < 5; k++) {
            const int mark = weft_scope_push(c);
            WEFT_CHECK_OK(weft_backward(c, weft_sum(weft_mul(x, weight), WEFT_ALL, false)));
            const double now = first_of(c, weft_grad_of(x));
            if (round == 0)
                first[k] = now;
            else
                WEFT_CHECK_NEAR(now, first[k], 0); /* nothing is left of the first round */
            WEFT_CHECK_OK(weft_scope_pop(c, mark));
        }
        WEFT_CHECK_OK(weft_zero_grad(c, &x, 1));
        WEFT_CHECK_EQ_INT(memory_of(c).live_tensors, before);
    }
    fault_ctx_close(c, &m);
}

/* ---- What may not be changed while operations are recorded ---- */

WEFT_TEST(Passes, WhatHasAHistoryIsNotOverwritten)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    const double zeros[3] = {0, 0, 0};
    weft_tensor *x = leaf(c, WEFT_F64, 2), *y = weft_square(x), *other = weft_zeros(c, WEFT_F64, WEFT_DIMS(3));
    WEFT_CHECK(weft_fill_(y, 1) == NULL);
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_STATE);
    WEFT_CHECK(weft_copy_(y, other) == NULL);
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_STATE);
    WEFT_CHECK_STATUS(weft_write(c, y, zeros, sizeof zeros), WEFT_E_STATE);
    weft_ctx_clear(c);
    WEFT_CHECK_NEAR(first_of(c, weft_detach(y)), 4, 0);
    WEFT_CHECK_OK(weft_backward(c, weft_sum(y, WEFT_ALL, false)));
    WEFT_CHECK_NEAR(first_of(c, weft_grad_of(x)), 4, 0);
    fault_ctx_close(c, &m);
}

/* ---- weft_gradcheck ---- */

static weft_status squares(weft_ctx *c, const weft_array *in, int n, weft_array *out, void *user)
{
    (void)c, (void)n, (void)user;
    for (int64_t k = 0; k < out->count; k++)
        ((double *)out->data)[k] = ((const double *)in[0].data)[k] * ((const double *)in[0].data)[k];
    return WEFT_OK;
}

/* 2 x g, but for the last element, where it is what the test says times that. */
static weft_status last_is_off(weft_ctx *c, weft_tensor *const *in, int n, weft_tensor *out, weft_tensor *g,
                               weft_tensor **gradients, void *user)
{
    (void)n, (void)out;
    const double factors[3] = {2, 2, 2 * *(const double *)user};
    gradients[0] = weft_mul(weft_mul(g, in[0]), weft_from_data(c, WEFT_F64, WEFT_DIMS(3), factors));
    return WEFT_OK;
}

static weft_tensor *apply(weft_ctx *c, weft_tensor *const *in, int n, void *user)
{
    (void)c;
    return weft_custom(user, in, n);
}

WEFT_TEST(Passes, GradcheckLooksAtEveryElementAndLeavesThemAsTheyWere)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    const double factors[] = {1, 1.5, (double)NAN}, values[3] = {0.5, -1.25, 3};
    for (int k = 0; k < 3; k++) {
        double factor = factors[k], after[3];
        weft_custom_op op =
            INIT_CUSTOM_OP(.name = "squares", .forward = squares, .backward = last_is_off, .user = &factor);
        weft_tensor *x = weft_set_requires_grad(weft_from_data(c, WEFT_F64, WEFT_DIMS(3), values), true);
        WEFT_CHECK_STATUS(weft_gradcheck(c, &x, 1, apply, &op, NULL), k ? WEFT_E_MISMATCH : WEFT_OK);
        if (k)
            WEFT_CHECK_STR_HAS(weft_ctx_message(c), "element 2");
        weft_ctx_clear(c);
        WEFT_CHECK_OK(weft_read(c, x, after, sizeof after));
        WEFT_CHECK(memcmp(after, values, sizeof values) == 0);
    }
    fault_ctx_close(c, &m);
}
