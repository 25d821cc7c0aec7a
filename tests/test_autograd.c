/* test_autograd.c - the tape: accumulation, higher orders, hooks, cuts, versions, depth, NaN watch, gradcheck itself.
 * */
#include <math.h>
#include "harness/structs.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"

static weft_tensor *leaf(weft_ctx *c, double value)
{
    return weft_set_requires_grad(weft_scalar(c, WEFT_F64, value), true);
}

static double grad_value(weft_ctx *c, weft_tensor *t)
{
    return weft_item(c, weft_grad_of(t));
}

WEFT_TEST(Backward, AccumulatesOverUsesAndCalls)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *a = leaf(c, 3), *b = leaf(c, 4);
    WEFT_CHECK(weft_grad_of(a) == NULL);
    WEFT_CHECK_OK(weft_backward(c, weft_add(weft_mul(a, b), weft_square(a))));
    WEFT_CHECK_NEAR(grad_value(c, a), 4 + 6, 1e-12);
    WEFT_CHECK_NEAR(grad_value(c, b), 3, 1e-12);
    weft_tensor *address = weft_grad_of(a);
    WEFT_CHECK_OK(weft_backward(c, weft_mul(a, b)));
    WEFT_CHECK_NEAR(grad_value(c, a), 14, 1e-12);
    WEFT_CHECK(weft_grad_of(a) == address);
    WEFT_CHECK_OK(weft_zero_grad(c, (weft_tensor *[]){a, b}, 2));
    WEFT_CHECK(weft_grad_of(a) == NULL);
    weft_tensor *loss = weft_mul(a, b);
    WEFT_CHECK_OK(weft_backward(c, loss));
    WEFT_CHECK_OK(weft_backward(c, loss)); /* the graph stays */
    WEFT_CHECK_NEAR(grad_value(c, b), 6, 1e-12);
    fault_ctx_close(c, &m);
}

WEFT_TEST(Backward, GradientsOfOneSumDoNotShareMemory)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *a = leaf(c, 1), *b = leaf(c, 2);
    WEFT_CHECK_OK(weft_backward(c, weft_add(a, b)));
    weft_fill_(weft_grad_of(a), 100);
    WEFT_CHECK_NEAR(grad_value(c, b), 1, 0);
    fault_ctx_close(c, &m);
}

WEFT_TEST(Backward, ALeafIsItsOwnLoss)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *a = leaf(c, 5);
    WEFT_CHECK_OK(weft_backward(c, a));
    WEFT_CHECK_NEAR(grad_value(c, a), 1, 0);
    fault_ctx_close(c, &m);
}

WEFT_TEST(Backward, BroadcastIsSummedAndDtypesReturn)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *row = weft_set_requires_grad(weft_ones(c, WEFT_F32, WEFT_DIMS(1, 3)), true);
    weft_tensor *x = weft_set_requires_grad(weft_full(c, WEFT_F64, WEFT_DIMS(2, 4, 3), 2), true);
    WEFT_CHECK_OK(weft_backward(c, weft_sum(weft_mul(row, x), WEFT_ALL, false)));
    weft_tensor *g = weft_grad_of(row);
    WEFT_CHECK_EQ_INT(weft_ndim(g), 2);
    WEFT_CHECK_EQ_INT(weft_dtype_of(g), WEFT_F32);
    WEFT_CHECK_NEAR(weft_item(c, weft_mean(g, WEFT_ALL, false)), 16, 1e-6);
    WEFT_CHECK_EQ_INT(weft_count(weft_grad_of(x)), 24);
    fault_ctx_close(c, &m);
}

WEFT_TEST(Backward, CotangentsAndSeveralResults)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *x = weft_set_requires_grad(weft_ones(c, WEFT_F64, WEFT_DIMS(3)), true);
    weft_tensor *results[] = {weft_mul_scalar(x, 2), weft_mul_scalar(x, 5)};
    weft_tensor *cotangents[] = {weft_ones(c, WEFT_F64, WEFT_DIMS(3)), weft_full(c, WEFT_F64, WEFT_DIMS(3), 10)};
    WEFT_CHECK_OK(weft_backward_with(c, results, cotangents, 2));
    WEFT_CHECK_NEAR(weft_item(c, weft_mean(weft_grad_of(x), WEFT_ALL, false)), 52, 1e-12);
    WEFT_CHECK_STATUS(weft_backward(c, results[0]), WEFT_E_SHAPE);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "cotangent");
    weft_ctx_clear(c);
    cotangents[1] = weft_ones(c, WEFT_F64, WEFT_DIMS(2));
    WEFT_CHECK_STATUS(weft_backward_with(c, results, cotangents, 2), WEFT_E_SHAPE);
    weft_ctx_clear(c);
    WEFT_CHECK_EQ_INT(memory_of(c).live_nodes, 2); /* the failed pass left nothing behind */
    fault_ctx_close(c, &m);
}

/* ---- Higher orders ---- */

WEFT_TEST(Grad, ThreeOrdersOfACube)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *x = leaf(c, 2), *y = weft_mul(weft_square(x), x), *d1, *d2, *d3;
    WEFT_CHECK_OK(weft_grad(c, &y, NULL, 1, &x, 1, WEFT_GRAD_CREATE_GRAPH, &d1));
    WEFT_CHECK_OK(weft_grad(c, &d1, NULL, 1, &x, 1, WEFT_GRAD_CREATE_GRAPH, &d2));
    WEFT_CHECK_OK(weft_grad(c, &d2, NULL, 1, &x, 1, WEFT_GRAD_CREATE_GRAPH, &d3));
    WEFT_CHECK_NEAR(weft_item(c, d1), 12, 1e-12);
    WEFT_CHECK_NEAR(weft_item(c, d2), 12, 1e-12);
    WEFT_CHECK_NEAR(weft_item(c, d3), 6, 1e-12);
    WEFT_CHECK(weft_grad_of(x) == NULL);
    fault_ctx_close(c, &m);
}

WEFT_TEST(Grad, SavedResultsCarryTheirHistory)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *x = leaf(c, 0.5), *d1, *d2;
    int mark = weft_scope_push(c);
    weft_tensor *y = weft_escape(weft_add_scalar(weft_tanh(x), 0)); /* tanh's own header dies here */
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
    WEFT_CHECK_OK(weft_grad(c, &y, NULL, 1, &x, 1, WEFT_GRAD_CREATE_GRAPH, &d1));
    WEFT_CHECK_OK(weft_grad(c, &d1, NULL, 1, &x, 1, 0, &d2));
    double t = tanh(0.5);
    WEFT_CHECK_NEAR(weft_item(c, d1), 1 - t * t, 1e-12);
    WEFT_CHECK_NEAR(weft_item(c, d2), -2 * t * (1 - t * t), 1e-12);
    fault_ctx_close(c, &m);
}

WEFT_TEST(Grad, OfIntermediatesAndUnused)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *x = leaf(c, 3), *unused = leaf(c, 1), *h = weft_square(x), *y = weft_mul_scalar(h, 7);
    weft_tensor *inputs[] = {h, unused}, *g[2];
    WEFT_CHECK_STATUS(weft_grad(c, &y, NULL, 1, inputs, 2, 0, g), WEFT_E_NO_GRADIENT);
    WEFT_CHECK(g[0] == NULL && g[1] == NULL);
    weft_ctx_clear(c);
    WEFT_CHECK_OK(weft_grad(c, &y, NULL, 1, inputs, 2, WEFT_GRAD_ALLOW_UNUSED, g));
    WEFT_CHECK_NEAR(weft_item(c, g[0]), 7, 0);
    WEFT_CHECK(g[1] == NULL);
    fault_ctx_close(c, &m);
}

/* ---- Cuts ---- */

WEFT_TEST(Cut, ALossThatDependsOnNothingSaysWhy)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *x = weft_set_requires_grad(weft_ones(c, WEFT_F32, WEFT_DIMS(2, 3)), true);
    weft_tensor *hard = weft_cast(weft_argmax(x, WEFT_DIMS(1), false), WEFT_F32);
    WEFT_CHECK_STATUS(weft_backward(c, weft_mean(hard, WEFT_ALL, false)), WEFT_E_NO_GRADIENT);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "weft_argmax");
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "test_autograd.c");
    weft_ctx_clear(c);
    WEFT_CHECK_STATUS(weft_backward(c, weft_scalar(c, WEFT_F32, 1)), WEFT_E_NO_GRADIENT);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "weft_param");
    weft_ctx_clear(c);
    bool was = weft_set_grad_enabled(c, false);
    weft_tensor *silent = weft_sum(x, WEFT_ALL, false);
    weft_set_grad_enabled(c, was);
    WEFT_CHECK(!weft_requires_grad(silent));
    WEFT_CHECK_STATUS(weft_backward(c, silent), WEFT_E_NO_GRADIENT);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "switched off");
    weft_ctx_clear(c);
    fault_ctx_close(c, &m);
}

static void copy_why(void *user, weft_tensor *t, const char *why)
{
    (void)t;
    strcpy(user, why);
}

WEFT_TEST(Cut, AnUnreachedParameterIsReportedWithTheOperation)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *w1 = weft_param(weft_scalar(c, WEFT_F32, 2), "w1"),
                *w2 = weft_param(weft_scalar(c, WEFT_F32, 3), "w2");
    weft_tensor *params[] = {w1, w2};
    weft_optim *opt;
    WEFT_CHECK_OK(weft_sgd_open(c, params, 2, NULL, &opt));
    weft_tensor *h = weft_detach(weft_exp(weft_square(w1)));
    WEFT_CHECK_OK(weft_backward(c, weft_mul(h, w2)));
    char why[512] = "";
    WEFT_CHECK_EQ_INT(weft_unreached(c, copy_why, why), 1);
    WEFT_CHECK_STR_HAS(why, "w1");
    WEFT_CHECK_STR_HAS(why, "weft_detach");
    WEFT_CHECK_STR_HAS(why, "test_autograd.c");
    WEFT_CHECK_STR_HAS(m.last_log, "w1");
    WEFT_CHECK_STATUS(weft_optim_step(c, opt), WEFT_E_NO_GRADIENT);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "w1");
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "weft_detach");
    weft_ctx_clear(c);
    WEFT_CHECK_OK(weft_backward(c, weft_mul(w1, w2)));
    WEFT_CHECK_EQ_INT(weft_unreached(c, NULL, NULL), 0);
    WEFT_CHECK_OK(weft_optim_step(c, opt));
    weft_optim_close(opt);
    weft_release(w1);
    weft_release(w2);
    fault_ctx_close(c, &m);
}

/* Here the parameter itself is what was detached, compared or used without recording. */
WEFT_TEST(Cut, ALeafThatWasCutOffItselfIsReportedWithTheOperation)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *w1 = weft_param(weft_scalar(c, WEFT_F32, 2), "w1"),
                *w2 = weft_param(weft_scalar(c, WEFT_F32, 3), "w2");
    for (int k = 0; k < 2; k++) {
        char why[512] = "";
        weft_tensor *cut = k ? weft_cast(weft_gt(w1, weft_scalar(c, WEFT_F32, 1)), WEFT_F32) : weft_detach(w1);
        WEFT_CHECK_OK(weft_backward(c, weft_mul(cut, w2)));
        WEFT_CHECK_EQ_INT(weft_unreached(c, copy_why, why), 1);
        WEFT_CHECK_STR_HAS(why, "w1");
        WEFT_CHECK_STR_HAS(why, k ? "cut by weft_gt" : "cut by weft_detach");
    }
    weft_release(w1);
    weft_release(w2);
    fault_ctx_close(c, &m);
}

/* ---- A gradient that is 0 because a step function is in every way to it ---- */

static weft_tensor *straight_through(void *user, weft_tensor *t, weft_tensor *gradient)
{
    (void)t, (void)gradient;
    return weft_scalar(user, WEFT_F32, 5);
}

/* What reaches a tensor through a step function and another way too reaches it, whichever comes first, directly or by
 * way of a result. */
WEFT_TEST(Autograd, AStepFunctionBesideAnotherWayIsNoneInTheWay)
{
    for (int k = 0; k < 8; k++) {
        fault_memory m = {0};
        weft_ctx *c = fault_ctx_open(&m);
        weft_tensor *x = weft_set_requires_grad(weft_full(c, WEFT_F32, WEFT_DIMS(3), 1.5), true);
        weft_tensor *u = k & 1 ? weft_mul_scalar(x, 2) : x;
        weft_tensor *before = k & 4 ? weft_square(u) : NULL; /* what is made later is gone back through first */
        weft_tensor *step = k & 2 ? weft_add(weft_floor(u), weft_ceil(u)) : weft_floor(u);
        weft_tensor *y = weft_add(step, before ? before : weft_square(u));
        WEFT_CHECK_OK(weft_backward(c, weft_sum(y, WEFT_ALL, false)));
        WEFT_CHECK_EQ_INT(weft_unreached(c, NULL, NULL), 0);
        fault_ctx_close(c, &m);
    }
}

WEFT_TEST(Autograd, GradientsThroughStepFunctionsAloneAreReported)
{
    static const struct {
        const char *name;
        weft_tensor *(*run)(weft_tensor *x);
    } steps[] = {
        {"weft_round", weft_round}, {"weft_floor", weft_floor}, {"weft_ceil", weft_ceil}, {"weft_sign", weft_sign}};
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *w1 = weft_param(weft_scalar(c, WEFT_F32, 1.7), "w1");
    weft_tensor *w2 = weft_param(weft_scalar(c, WEFT_F32, 3), "w2");
    for (int k = 0; k < 4; k++) {
        char why[512] = "";
        weft_tensor *y = weft_square(steps[k].run(weft_exp(w1)));
        WEFT_CHECK_OK(weft_backward(c, weft_mul(y, w2)));
        WEFT_CHECK(weft_grad_of(w1) && weft_item(c, weft_grad_of(w1)) == 0);
        WEFT_CHECK_EQ_INT(weft_unreached(c, copy_why, why), 1);
        WEFT_CHECK_STR_HAS(why, "w1");
        WEFT_CHECK_STR_HAS(why, steps[k].name);
        WEFT_CHECK_STR_HAS(why, "step function");
        WEFT_CHECK_STR_HAS(m.last_log, "w1");
    }
    /* Another way to it, before or after, and there is nothing to report: the fraction, straight through, by a hook. */
    WEFT_CHECK_OK(weft_backward(c, weft_mul(weft_sub(w1, weft_floor(w1)), w2)));
    WEFT_CHECK_EQ_INT(weft_unreached(c, NULL, NULL), 0);
    WEFT_CHECK_OK(weft_backward(c, weft_mul(weft_add(weft_round(w1), w1), w2)));
    WEFT_CHECK_EQ_INT(weft_unreached(c, NULL, NULL), 0);
    WEFT_CHECK_OK(weft_backward(c, weft_add(w1, weft_mul(weft_detach(weft_sub(weft_round(w1), w1)), w2))));
    WEFT_CHECK_EQ_INT(weft_unreached(c, NULL, NULL), 0);
    weft_tensor *h = weft_exp(w1);
    WEFT_CHECK_OK(weft_add_hook(h, straight_through, c));
    WEFT_CHECK_OK(weft_backward(c, weft_mul(weft_round(h), w2)));
    WEFT_CHECK_EQ_INT(weft_unreached(c, NULL, NULL), 0);
    weft_release(w1);
    weft_release(w2);
    fault_ctx_close(c, &m);
}

/* ---- Versions ---- */

WEFT_TEST(Versions, AnOverwrittenOperandIsRefused)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *x = weft_set_requires_grad(weft_ones(c, WEFT_F32, WEFT_DIMS(3)), true);
    weft_tensor *data = weft_ones(c, WEFT_F32, WEFT_DIMS(3));
    weft_tensor *loss = weft_sum(weft_mul(x, data), WEFT_ALL, false);
    weft_fill_(weft_slice(data, 0, 1, 2, 1), 5); /* through a view */
    WEFT_CHECK_STATUS(weft_backward(c, loss), WEFT_E_OVERWRITTEN);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "weft_mul");
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "test_autograd.c");
    weft_ctx_clear(c);
    loss = weft_sum(weft_add(x, data), WEFT_ALL, false); /* a sum's derivative reads nothing */
    weft_fill_(data, 7);
    WEFT_CHECK_OK(weft_backward(c, loss));
    weft_tensor *y = weft_exp(x);
    loss = weft_sum(y, WEFT_ALL, false);
    bool was = weft_set_grad_enabled(c, false);
    weft_fill_(y, 0);
    weft_set_grad_enabled(c, was);
    WEFT_CHECK_STATUS(weft_backward(c, loss), WEFT_E_OVERWRITTEN);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "result of weft_exp");
    weft_ctx_clear(c);
    fault_ctx_close(c, &m);
}

WEFT_TEST(Versions, RecordedTensorsAreNotChangedInPlace)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *x = weft_set_requires_grad(weft_ones(c, WEFT_F32, WEFT_DIMS(3)), true), *y = weft_exp(x);
    WEFT_CHECK(weft_add_(y, x) == NULL);
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_STATE);
    WEFT_CHECK(weft_add_(weft_zeros(c, WEFT_F32, WEFT_DIMS(3)), y) == NULL);
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_STATE);
    WEFT_CHECK_OK(weft_write(c, x, (const float[]){1, 2, 3}, 12)); /* new values for a leaf */
    fault_ctx_close(c, &m);
}

/* ---- Hooks ---- */

static weft_tensor *double_it(void *user, weft_tensor *t, weft_tensor *g)
{
    (void)t;
    ++*(int *)user;
    return weft_mul_scalar(g, 2);
}

static weft_tensor *wrong_shape(void *user, weft_tensor *t, weft_tensor *g)
{
    (void)user, (void)t;
    return weft_unsqueeze(g, 0);
}

WEFT_TEST(Hooks, SeeCompleteGradientsAndReplaceThem)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    int calls = 0;
    weft_tensor *x = leaf(c, 3), *h = weft_square(x);
    WEFT_CHECK_OK(weft_add_hook(h, double_it, &calls));
    WEFT_CHECK_OK(weft_add_hook(x, double_it, &calls));
    WEFT_CHECK_OK(weft_backward(c, weft_add(weft_mul_scalar(h, 5), h))); /* two paths, one call */
    WEFT_CHECK_EQ_INT(calls, 2);
    WEFT_CHECK_NEAR(grad_value(c, x), 6 * 2 * 6 * 2, 1e-12);
    WEFT_CHECK_OK(weft_add_hook(x, wrong_shape, NULL));
    WEFT_CHECK_STATUS(weft_backward(c, weft_square(x)), WEFT_E_CALLBACK);
    weft_ctx_clear(c);
    fault_ctx_close(c, &m);
}

/* ---- Depth ---- */

WEFT_TEST(Depth, AMillionOperationsGoForthBackAndAway)
{
    weft_ctx *c = NULL;
    WEFT_REQUIRE(weft_ctx_open(NULL, &c) == WEFT_OK);
    weft_tensor *x = leaf(c, 1);
    int mark = weft_scope_push(c);
    weft_tensor *y = x;
    for (int k = 0; k < 1000000; k++)
        y = weft_add_scalar(y, 1);
    WEFT_CHECK_OK(weft_backward(c, y));
    WEFT_CHECK_NEAR(grad_value(c, x), 1, 0);
    y = weft_keep(y);
    WEFT_CHECK_OK(weft_scope_pop(c, mark)); /* only y holds the chain now */
    WEFT_CHECK_EQ_INT(memory_of(c).live_nodes, 1000000);
    weft_release(y);
    WEFT_CHECK_EQ_INT(memory_of(c).live_nodes, 0);
    weft_ctx_close(c);
}

/* ---- NaN watch ---- */

static void watch_case(weft_tensor *(*make)(weft_ctx *c), const char *name)
{
    fault_memory m = {0};
    weft_options o = fault_options(&m);
    weft_ctx *c = NULL;
    o.nan_watch = true;
    WEFT_REQUIRE(weft_ctx_open(&o, &c) == WEFT_OK);
    weft_tensor *y = make(c);
    if (y)
        weft_backward(c, weft_sum(y, WEFT_ALL, false));
    WEFT_CHECK_STATUS(weft_ctx_status(c), WEFT_E_NOT_FINITE);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), name);
    weft_ctx_clear(c);
    fault_ctx_close(c, &m);
}

static weft_tensor *log_of_zero(weft_ctx *c)
{
    return weft_exp(weft_log(weft_relu(leaf(c, -1))));
}

static weft_tensor *root_at_zero(weft_ctx *c) /* the value is fine, the derivative is not */
{
    return weft_sqrt(leaf(c, 0));
}

static weft_tensor *too_large(weft_ctx *c)
{
    return weft_neg(weft_exp(weft_cast(leaf(c, 1000), WEFT_F32)));
}

WEFT_TEST(NanWatch, NamesTheFirstOperation)
{
    watch_case(log_of_zero, "weft_log");
    watch_case(root_at_zero, "derivative of weft_sqrt");
    watch_case(too_large, "weft_exp");
}

static weft_tensor *in_place(weft_ctx *c)
{
    weft_tensor *y = weft_full(c, WEFT_F32, WEFT_DIMS(3), 3e38);
    return weft_mul_(y, weft_scalar(c, WEFT_F32, 2));
}

static weft_status reciprocal_of(weft_ctx *c, const weft_array *in, int n, weft_array *out, void *user)
{
    (void)c, (void)n, (void)user;
    *(double *)out->data = 1 / *(const double *)in[0].data;
    return WEFT_OK;
}

static weft_tensor *custom_pole(weft_ctx *c)
{
    static const weft_custom_op op = INIT_CUSTOM_OP(.name = "my_reciprocal", .forward = reciprocal_of);
    weft_tensor *x = weft_zeros(c, WEFT_F64, WEFT_SCALAR);
    return weft_custom(&op, &x, 1);
}

/* The data had the NaN: no layer made it. */
static weft_tensor *bad_data(weft_ctx *c)
{
    const float rows[4] = {1, NAN, 3, 4};
    weft_tensor *x = weft_from_data(c, WEFT_F32, WEFT_DIMS(2, 2), rows);
    weft_tensor *w = weft_set_requires_grad(weft_ones(c, WEFT_F32, WEFT_DIMS(2, 2)), true);
    weft_tensor *v = weft_set_requires_grad(weft_ones(c, WEFT_F32, WEFT_DIMS(2, 2)), true);
    return weft_linear(weft_tanh(weft_linear(x, w, NULL)), v, NULL);
}

WEFT_TEST(NanWatch, SeesCustomAndInPlaceOperations)
{
    watch_case(in_place, "weft_mul_: made 3");
    watch_case(custom_pole, "weft_my_reciprocal: made 1");
}

WEFT_TEST(NanWatch, SaysWhereDataCameInNonFinite)
{
    watch_case(bad_data, "made by weft_from_data at");
}

/* ---- gradcheck finds what it should ---- */

static weft_status wrong_forward(weft_ctx *c, const weft_array *in, int n, weft_array *out, void *user)
{
    (void)c, (void)n, (void)user;
    for (int64_t k = 0; k < out->count; k++)
        ((double *)out->data)[k] = ((const double *)in[0].data)[k] * ((const double *)in[0].data)[k];
    return WEFT_OK;
}

/* 2 x g, times a factor given by the test: 1 is right, -1 has the wrong sign. */
static weft_status scaled_backward(weft_ctx *c, weft_tensor *const *in, int n, weft_tensor *out, weft_tensor *g,
                                   weft_tensor **gradients, void *user)
{
    (void)c, (void)n, (void)out;
    gradients[0] = weft_mul(g, weft_mul_scalar(in[0], 2 * *(const double *)user));
    return WEFT_OK;
}

static weft_tensor *apply_custom(weft_ctx *c, weft_tensor *const *in, int n, void *user)
{
    (void)c;
    return weft_custom(user, in, n);
}

WEFT_TEST(Gradcheck, FindsASignAndAFactor)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *x = weft_set_requires_grad(weft_rand(c, WEFT_F64, WEFT_DIMS(2, 3), 0.5, 2), true);
    static const double factors[] = {1, -1, 1.01};
    for (int k = 0; k < 3; k++) {
        double factor = factors[k];
        weft_custom_op op =
            INIT_CUSTOM_OP(.name = "my_square", .forward = wrong_forward, .backward = scaled_backward, .user = &factor);
        int mark = weft_scope_push(c);
        WEFT_CHECK_STATUS(weft_gradcheck(c, &x, 1, apply_custom, &op, NULL), k ? WEFT_E_MISMATCH : WEFT_OK);
        if (k)
            WEFT_CHECK_STR_HAS(weft_ctx_message(c), "element 0");
        weft_ctx_clear(c);
        WEFT_CHECK_STATUS(weft_gradgradcheck(c, &x, 1, apply_custom, &op, NULL), WEFT_OK); /* consistent with itself */
        weft_ctx_clear(c);
        WEFT_CHECK_OK(weft_scope_pop(c, mark));
    }
    fault_ctx_close(c, &m);
}

WEFT_TEST(Gradcheck, RefusesWhatItCannotCheck)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    double one = 1;
    weft_custom_op op = INIT_CUSTOM_OP(.name = "my_square", .forward = wrong_forward, .user = &one);
    weft_tensor *x = weft_set_requires_grad(weft_ones(c, WEFT_F32, WEFT_DIMS(2)), true);
    WEFT_CHECK_STATUS(weft_gradcheck(c, &x, 1, apply_custom, &op, NULL), WEFT_E_DTYPE);
    weft_ctx_clear(c);
    x = weft_ones(c, WEFT_F64, WEFT_DIMS(2));
    WEFT_CHECK_STATUS(weft_gradcheck(c, &x, 1, apply_custom, &op, NULL), WEFT_E_NO_GRADIENT);
    weft_ctx_clear(c);
    x = weft_set_requires_grad(x, true);
    WEFT_CHECK_STATUS(weft_gradcheck(c, &x, 1, apply_custom, &op, NULL), WEFT_E_MISMATCH); /* it has no backward */
    weft_ctx_clear(c);
    fault_ctx_close(c, &m);
}

/* ---- Custom operations ---- */

static weft_status fail_forward(weft_ctx *c, const weft_array *in, int n, weft_array *out, void *user)
{
    (void)in, (void)n, (void)out, (void)user;
    return weft_ctx_fail(c, WEFT_E_IO, "no such table");
}

static weft_status outer_shape(weft_ctx *c, const weft_array *in, int n, weft_dtype *dtype, int64_t *shape, int *ndim,
                               void *user)
{
    (void)c, (void)user;
    if (n != 2 || in[0].ndim != 1 || in[1].ndim != 1)
        return weft_ctx_fail(c, WEFT_E_SHAPE, "needs two vectors");
    *dtype = WEFT_F64;
    *ndim = 2;
    shape[0] = in[0].shape[0];
    shape[1] = in[1].shape[0];
    return WEFT_OK;
}

static weft_status outer_forward(weft_ctx *c, const weft_array *in, int n, weft_array *out, void *user)
{
    (void)c, (void)n, (void)user;
    for (int64_t i = 0; i < out->shape[0]; i++)
        for (int64_t j = 0; j < out->shape[1]; j++)
            ((double *)out->data)[i * out->shape[1] + j] =
                ((const double *)in[0].data)[i] * ((const double *)in[1].data)[j];
    return WEFT_OK;
}

static weft_status outer_backward(weft_ctx *c, weft_tensor *const *in, int n, weft_tensor *out, weft_tensor *g,
                                  weft_tensor **gradients, void *user)
{
    (void)c, (void)n, (void)out, (void)user;
    gradients[0] = weft_matmul(g, in[1]);
    gradients[1] = weft_matmul(weft_transpose(g, 0, 1), in[0]);
    return WEFT_OK;
}

/* The sum of everything as the gradient of a vector. */
static weft_status small_backward(weft_ctx *c, weft_tensor *const *in, int n, weft_tensor *out, weft_tensor *g,
                                  weft_tensor **gradients, void *user)
{
    (void)c, (void)in, (void)n, (void)out, (void)user;
    gradients[0] = weft_sum(g, WEFT_ALL, false);
    return WEFT_OK;
}

WEFT_TEST(CustomOp, NamesWhatIsWrongWithItsBackward)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_custom_op op = INIT_CUSTOM_OP(.name = "outer", .infer = outer_shape, .forward = outer_forward);
    weft_tensor *in[] = {weft_set_requires_grad(weft_rand(c, WEFT_F64, WEFT_DIMS(3), -1, 1), true),
                         weft_rand(c, WEFT_F64, WEFT_DIMS(4), -1, 1)};
    WEFT_CHECK_STATUS(weft_backward(c, weft_sum(weft_custom(&op, in, 2), WEFT_ALL, false)), WEFT_E_NO_GRADIENT);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "weft_custom");
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "no backward callback");
    weft_ctx_clear(c);
    op.backward = outer_backward;
    bool recorded = weft_set_grad_enabled(c, false);
    weft_tensor *unrecorded = weft_custom(&op, in, 2);
    weft_set_grad_enabled(c, recorded);
    WEFT_CHECK_STATUS(weft_backward(c, weft_sum(unrecorded, WEFT_ALL, false)), WEFT_E_NO_GRADIENT);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "recording was switched off");
    weft_ctx_clear(c);
    op.backward = small_backward;
    WEFT_CHECK_STATUS(weft_backward(c, weft_sum(weft_custom(&op, in, 2), WEFT_ALL, false)), WEFT_E_CALLBACK);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "weft_outer");
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "as the gradient of operand 0");
    weft_ctx_clear(c);
    fault_ctx_close(c, &m);
}

WEFT_TEST(CustomOp, OuterProductPassesBothChecks)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_custom_op op =
        INIT_CUSTOM_OP(.name = "outer", .infer = outer_shape, .forward = outer_forward, .backward = outer_backward);
    weft_tensor *in[] = {weft_set_requires_grad(weft_rand(c, WEFT_F64, WEFT_DIMS(3), -1, 1), true),
                         weft_set_requires_grad(weft_rand(c, WEFT_F64, WEFT_DIMS(4), -1, 1), true)};
    WEFT_CHECK_OK(weft_gradcheck(c, in, 2, apply_custom, &op, NULL));
    WEFT_CHECK_OK(weft_gradgradcheck(c, in, 2, apply_custom, &op, NULL));
    weft_tensor *strided = weft_slice(weft_rand(c, WEFT_F64, WEFT_DIMS(6), 0, 1), 0, 0, 6, 2);
    WEFT_CHECK_EQ_INT(weft_size(weft_custom(&op, (weft_tensor *[]){strided, strided}, 2), 1), 3);
    WEFT_CHECK(weft_custom(&op, (weft_tensor *[]){weft_scalar(c, WEFT_F64, 1), strided}, 2) == NULL);
    WEFT_CHECK_STATUS(weft_ctx_status(c), WEFT_E_SHAPE);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "weft_outer");
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "two vectors");
    weft_ctx_clear(c);
    op.forward = fail_forward;
    WEFT_CHECK(weft_custom(&op, in, 2) == NULL);
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_IO);
    op.struct_size = 8;
    WEFT_CHECK(weft_custom(&op, in, 2) == NULL);
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_INVALID);
    fault_ctx_close(c, &m);
}
