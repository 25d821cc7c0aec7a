/* test_several.c - operations with several results: what arrives at each of them, and what does not. */
#include <math.h>
#include "harness/test_ctx.h"
#include "harness/weft_test.h"

typedef struct scene {
    fault_memory memory;
    weft_ctx *c;
    weft_tensor *x; /* a parameter [4]: 1, 2, 4, 9, of mean 4 and variance 38 / 3 */
    weft_tensor *var, *mean, *product;
    int calls;
} scene;

static void set_up(scene *s)
{
    *s = (scene){.calls = 0};
    s->c = fault_ctx_open(&s->memory);
    s->x = weft_param(weft_from_data(s->c, WEFT_F64, WEFT_DIMS(4), (double[]){1, 2, 4, 9}), "x");
    WEFT_CHECK_OK(weft_var_mean(s->x, WEFT_ALL, false, 1, &s->var, &s->mean));
}

static void tear_down(scene *s)
{
    weft_release(s->x);
    fault_ctx_close(s->c, &s->memory);
}

static double at(weft_tensor *t, int64_t k)
{
    return weft_item(weft_ctx_of(t), weft_select(weft_detach(t), 0, k));
}

/* d var / d x_k, of x = 1, 2, 4, 9 */
static double slope(int64_t k)
{
    static const double x[] = {1, 2, 4, 9};
    return 2 * (x[k] - 4) / 3;
}

static void check_gradient(scene *s, weft_tensor *g, double of_var, double of_mean)
{
    WEFT_REQUIRE(g);
    for (int64_t k = 0; k < 4; k++)
        WEFT_CHECK_NEAR(at(g, k), of_var * slope(k) + of_mean / 4, 1e-14);
    WEFT_CHECK_OK(weft_ctx_status(s->c));
}

WEFT_TEST(Several, EachResultHasItsOwnGradient)
{
    scene s;
    set_up(&s);
    WEFT_CHECK_NEAR(weft_item(s.c, s.var), 38.0 / 3, 1e-14);
    WEFT_CHECK_NEAR(weft_item(s.c, s.mean), 4, 1e-14);
    weft_tensor *loss = weft_add(weft_mul_scalar(s.var, 3), weft_add(s.mean, weft_mul_scalar(s.mean, 4)));
    WEFT_CHECK_OK(weft_backward(s.c, loss));
    check_gradient(&s, weft_grad_of(s.x), 3, 5);
    tear_down(&s);
}

WEFT_TEST(Several, ResultsCanBeStartedFromAndAskedFor)
{
    scene s;
    set_up(&s);
    weft_tensor *const results[] = {s.mean, s.var};
    weft_tensor *const cotangents[] = {weft_scalar(s.c, WEFT_F64, 2), weft_scalar(s.c, WEFT_F64, 7)};
    weft_tensor *g[3];
    WEFT_CHECK_OK(weft_grad(s.c, results, cotangents, 2, (weft_tensor *[]){s.x, s.mean, s.var}, 3, 0, g));
    check_gradient(&s, g[0], 7, 2);
    WEFT_CHECK_NEAR(weft_item(s.c, g[1]), 2, 0);
    WEFT_CHECK_NEAR(weft_item(s.c, g[2]), 7, 0);
    /* One that nothing arrives at is not reached, though its operation is. */
    weft_tensor *square = weft_square(s.mean);
    WEFT_CHECK_OK(weft_grad(s.c, &square, NULL, 1, (weft_tensor *[]){s.var, s.mean}, 2, WEFT_GRAD_ALLOW_UNUSED, g));
    WEFT_CHECK(g[0] == NULL);
    WEFT_CHECK_NEAR(weft_item(s.c, g[1]), 8, 1e-14);
    tear_down(&s);
}

/* With an infinity in x the variance is NaN, and so would be its gradient, even times 0. */
WEFT_TEST(Several, WhatNobodyUsesIsNotComputed)
{
    scene s;
    set_up(&s);
    weft_tensor *x = weft_from_data(s.c, WEFT_F64, WEFT_DIMS(3), (double[]){1, (double)INFINITY, 2}), *var, *mean, *g;
    weft_set_requires_grad(x, true);
    WEFT_CHECK_OK(weft_var_mean(x, WEFT_ALL, false, 1, &var, &mean));
    WEFT_CHECK(isnan(weft_item(s.c, var)) && isinf(weft_item(s.c, mean)));
    for (int flags = 0; flags <= WEFT_GRAD_CREATE_GRAPH; flags += WEFT_GRAD_CREATE_GRAPH) {
        WEFT_CHECK_OK(weft_grad(s.c, &mean, NULL, 1, &x, 1, flags, &g));
        for (int64_t k = 0; k < 3; k++)
            WEFT_CHECK_NEAR(at(g, k), 1.0 / 3, 1e-15);
    }
    tear_down(&s);
}

/* ---- Hooks ---- */

static weft_tensor *doubles(void *user, weft_tensor *t, weft_tensor *g)
{
    scene *s = user;
    (void)t;
    s->calls++;
    return weft_mul_scalar(g, 2);
}

WEFT_TEST(Several, HooksBelongToOneResult)
{
    scene s;
    set_up(&s);
    WEFT_CHECK_OK(weft_add_hook(s.var, doubles, &s));
    weft_tensor *g, *inputs[] = {s.var, s.mean}, *both[2];
    WEFT_CHECK_OK(weft_grad(s.c, &s.mean, NULL, 1, &s.x, 1, 0, &g));
    WEFT_CHECK_EQ_INT(s.calls, 0);
    check_gradient(&s, g, 0, 1);
    weft_tensor *sum = weft_add(s.var, s.mean);
    WEFT_CHECK_OK(weft_grad(s.c, &sum, NULL, 1, &s.x, 1, 0, &g));
    WEFT_CHECK_EQ_INT(s.calls, 1);
    check_gradient(&s, g, 2, 1);
    WEFT_CHECK_OK(weft_grad(s.c, &sum, NULL, 1, inputs, 2, 0, both));
    WEFT_CHECK_NEAR(weft_item(s.c, both[0]), 2, 0);
    WEFT_CHECK_NEAR(weft_item(s.c, both[1]), 1, 0);
    tear_down(&s);
}

static weft_tensor *another_pass(void *user, weft_tensor *t, weft_tensor *g)
{
    scene *s = user;
    (void)t, (void)g;
    if (s->calls++ > 0)
        return NULL;
    weft_tensor *inner;
    WEFT_CHECK_OK(weft_grad(s->c, &s->product, NULL, 1, &s->x, 1, 0, &inner));
    check_gradient(s, inner, 4, 38.0 / 3);
    return NULL;
}

/* The hook of one result runs while the gradient of the other still waits at the same operation. */
WEFT_TEST(Several, APassWithinAPassLeavesTheOtherResultsGradientAlone)
{
    for (int which = 0; which < 2; which++) {
        scene s;
        set_up(&s);
        s.product = weft_mul(s.var, s.mean);
        weft_tensor *before = weft_mul_scalar(which ? s.mean : s.var, 1), *g;
        WEFT_CHECK_OK(weft_add_hook(before, another_pass, &s));
        weft_tensor *loss = weft_add(which ? before : s.mean, weft_mul_scalar(which ? s.var : before, 3));
        WEFT_CHECK_OK(weft_grad(s.c, &loss, NULL, 1, &s.x, 1, 0, &g));
        WEFT_CHECK_EQ_INT(s.calls, 1);
        check_gradient(&s, g, 3, 1);
        tear_down(&s);
    }
}

/* ---- Graphs of gradients ---- */

/* The derivative reads the mean: with its history, whether the tensor still lives or not. */
WEFT_TEST(Several, SecondOrderGoesThroughASavedResult)
{
    for (int drop = 0; drop < 2; drop++) {
        scene s;
        set_up(&s);
        if (drop)
            weft_drop(s.mean);
        weft_tensor *g, *second;
        WEFT_CHECK_OK(weft_grad(s.c, &s.var, NULL, 1, &s.x, 1, WEFT_GRAD_CREATE_GRAPH, &g));
        weft_tensor *first = weft_select(g, 0, 0); /* 2 (x_0 - mean) / 3, whose derivatives are 2/3 - 1/6 and -1/6 */
        WEFT_CHECK_OK(weft_grad(s.c, &first, NULL, 1, &s.x, 1, 0, &second));
        for (int64_t k = 0; k < 4; k++)
            WEFT_CHECK_NEAR(at(second, k), (k == 0 ? 2.0 / 3 : 0) - 1.0 / 6, 1e-15);
        tear_down(&s);
    }
}

/* ---- Results that are written ---- */

static void check_refused(scene *s, weft_tensor *loss, const char *says)
{
    weft_tensor *g;
    WEFT_CHECK_EQ_INT(weft_grad(s->c, &loss, NULL, 1, &s->x, 1, 0, &g), WEFT_E_OVERWRITTEN);
    WEFT_CHECK_STR_HAS(weft_ctx_message(s->c), says);
    weft_ctx_clear(s->c);
}

WEFT_TEST(Several, AnOverwrittenResultIsNamedByItsNumber)
{
    scene s;
    weft_tensor *values, *indices, *g;
    set_up(&s);
    weft_fill_(weft_detach(s.var), 0); /* which the derivative does not read */
    WEFT_CHECK_OK(weft_grad(s.c, &s.var, NULL, 1, &s.x, 1, 0, &g));
    check_gradient(&s, g, 1, 0);
    weft_fill_(weft_detach(s.mean), 0);
    check_refused(&s, s.var, "result 1 of weft_var_mean");
    WEFT_CHECK_OK(weft_topk(s.x, 2, 0, true, &values, &indices));
    weft_fill_(indices, 0);
    check_refused(&s, weft_sum(values, WEFT_ALL, false), "result 1 of weft_topk");
    tear_down(&s);
}

/* ---- Paths that end ---- */

static void keep_text(void *user, weft_tensor *leaf, const char *why)
{
    (void)leaf;
    snprintf(user, 512, "%s", why);
}

WEFT_TEST(Several, StepFunctionsAreToldWhereAllResultsGoThroughThem)
{
    for (int flat = 0; flat < 2; flat++) {
        scene s;
        char text[512] = "";
        set_up(&s);
        weft_tensor *loss = weft_add(weft_round(s.var), flat ? weft_floor(s.mean) : s.mean);
        WEFT_CHECK_OK(weft_backward(s.c, loss));
        WEFT_CHECK_EQ_INT(weft_unreached(s.c, keep_text, text), flat);
        if (flat)
            WEFT_CHECK_STR_HAS(text, "step function");
        check_gradient(&s, weft_grad_of(s.x), 0, flat ? 0 : 1);
        tear_down(&s);
    }
}

WEFT_TEST(Several, AnIndexHasNoGradientAndSaysSo)
{
    scene s;
    weft_tensor *values, *indices;
    set_up(&s);
    WEFT_CHECK_OK(weft_max_with_index(s.x, 0, false, &values, &indices));
    WEFT_CHECK(weft_requires_grad(values) && !weft_requires_grad(indices));
    WEFT_CHECK_EQ_INT(weft_backward(s.c, weft_cast(indices, WEFT_F64)), WEFT_E_NO_GRADIENT);
    WEFT_CHECK_STR_HAS(weft_ctx_message(s.c), "weft_max_with_index");
    WEFT_CHECK_STR_HAS(weft_ctx_message(s.c), "not differentiable");
    weft_ctx_clear(s.c);
    tear_down(&s);
}

WEFT_TEST(Several, WithoutRecordingBothResultsSayWhatCutThem)
{
    scene s;
    set_up(&s);
    weft_set_grad_enabled(s.c, false);
    WEFT_CHECK_OK(weft_var_mean(s.x, WEFT_ALL, false, 1, &s.var, &s.mean));
    weft_set_grad_enabled(s.c, true);
    WEFT_CHECK(!weft_requires_grad(s.var) && !weft_requires_grad(s.mean));
    WEFT_CHECK_EQ_INT(weft_backward(s.c, s.mean), WEFT_E_NO_GRADIENT);
    WEFT_CHECK_STR_HAS(weft_ctx_message(s.c), "cut by weft_var_mean");
    weft_ctx_clear(s.c);
    tear_down(&s);
}

/* ---- Memory ---- */

/* Every allocation of a pass over such an operation may fail: an error, and nothing is lost. */
WEFT_TEST(Several, NothingIsLostWhereMemoryRunsOut)
{
    for (long n = 1; n < 400; n++) {
        scene s;
        set_up(&s);
        s.memory.fail_at = s.memory.calls + n;
        weft_tensor *var, *mean, *g;
        bool fine = weft_var_mean(s.x, WEFT_ALL, false, 1, &var, &mean) == WEFT_OK;
        weft_tensor *loss = fine ? weft_add(var, mean) : NULL;
        fine = loss && weft_grad(s.c, &loss, NULL, 1, &s.x, 1, WEFT_GRAD_CREATE_GRAPH, &g) == WEFT_OK;
        if (!fine) {
            WEFT_CHECK_EQ_INT(weft_ctx_status(s.c), WEFT_E_NOMEM);
            WEFT_CHECK(var == NULL || mean != NULL);
        }
        const bool over = s.memory.calls < s.memory.fail_at;
        s.memory.fail_at = 0;
        weft_ctx_clear(s.c);
        tear_down(&s);
        if (over)
            return;
    }
    WEFT_FAIL("the pass takes more allocations than were tried");
}

/* ---- The rows ---- */

WEFT_TEST(Several, TheFirstOfEqualsTakesTheWholeGradient)
{
    scene s;
    set_up(&s);
    weft_tensor *x = weft_from_data(s.c, WEFT_F64, WEFT_DIMS(5), (double[]){2, 7, 7, 2, 7}), *values, *indices, *g;
    weft_set_requires_grad(x, true);
    WEFT_CHECK_OK(weft_max_with_index(x, 0, false, &values, &indices));
    WEFT_CHECK_NEAR(weft_item(s.c, indices), 1, 0);
    WEFT_CHECK_OK(weft_grad(s.c, &values, NULL, 1, &x, 1, 0, &g));
    for (int64_t k = 0; k < 5; k++)
        WEFT_CHECK_NEAR(at(g, k), k == 1, 0);
    weft_tensor *over = weft_max_over(x, WEFT_ALL, false); /* which shares it */
    WEFT_CHECK_OK(weft_grad(s.c, &over, NULL, 1, &x, 1, 0, &g));
    for (int64_t k = 0; k < 5; k++)
        WEFT_CHECK_NEAR(at(g, k), k == 1 || k == 2 || k == 4 ? 1.0 / 3 : 0, 1e-15);
    WEFT_CHECK_OK(weft_topk(x, 2, 0, true, &values, &indices));
    weft_tensor *sum = weft_sum(values, WEFT_ALL, false);
    WEFT_CHECK_OK(weft_grad(s.c, &sum, NULL, 1, &x, 1, 0, &g));
    for (int64_t k = 0; k < 5; k++)
        WEFT_CHECK_NEAR(at(g, k), k == 1 || k == 2, 0);
    tear_down(&s);
}

WEFT_TEST(Several, OneOfTheResultsMayBeUnwanted)
{
    scene s;
    set_up(&s);
    weft_tensor *values = NULL, *indices = NULL, *mean = NULL;
    WEFT_CHECK_OK(weft_topk(s.x, 1, 0, false, &values, NULL));
    WEFT_CHECK_NEAR(at(values, 0), 1, 0);
    WEFT_CHECK_OK(weft_topk(s.x, 1, 0, false, NULL, &indices));
    WEFT_CHECK_NEAR(at(indices, 0), 0, 0);
    WEFT_CHECK_OK(weft_var_mean(s.x, WEFT_ALL, false, 1, NULL, &mean));
    WEFT_CHECK_OK(weft_backward(s.c, mean));
    check_gradient(&s, weft_grad_of(s.x), 0, 1);
    WEFT_CHECK_EQ_INT(weft_var_mean(s.x, WEFT_ALL, false, 1, NULL, NULL), WEFT_E_NULL_ARGUMENT);
    weft_ctx_clear(s.c);
    tear_down(&s);
}

static void check_message(scene *s, weft_status got, weft_status want, const char *says)
{
    WEFT_CHECK_EQ_INT(got, want);
    WEFT_CHECK_STR_HAS(weft_ctx_message(s->c), says);
    weft_ctx_clear(s->c);
}

WEFT_TEST(Several, MistakesAreNamed)
{
    scene s;
    set_up(&s);
    weft_tensor *y = s.x, *z = s.x, *scalar = weft_scalar(s.c, WEFT_F32, 1),
                *none = weft_zeros(s.c, WEFT_F32, WEFT_DIMS(3, 0));
    check_message(&s, weft_topk(s.x, 5, 0, true, &y, &z), WEFT_E_SHAPE,
                  "k is 5, but dim 0 of x f64 [4] has 4 elements");
    WEFT_CHECK(y == NULL && z == NULL);
    check_message(&s, weft_topk(s.x, -1, 0, true, &y, &z), WEFT_E_SHAPE, "k is -1");
    check_message(&s, weft_topk(s.x, 1, 1, true, &y, &z), WEFT_E_INVALID, "dim 1 is out of range");
    check_message(&s, weft_topk(scalar, 1, 0, true, &y, &z), WEFT_E_SHAPE, "1 to 8 dims");
    check_message(&s, weft_max_with_index(scalar, 0, true, &y, &z), WEFT_E_SHAPE, "1 to 8 dims");
    check_message(&s, weft_min_with_index(none, 1, true, &y, &z), WEFT_E_SHAPE, "nothing to choose from");
    check_message(&s, weft_var_mean(s.x, WEFT_DIMS(0, 0), true, 1, &y, &z), WEFT_E_INVALID, "listed twice");
    WEFT_CHECK(y == NULL && z == NULL);
    WEFT_CHECK_OK(weft_max_with_index(none, 0, false, &y, &z)); /* of each of no columns */
    WEFT_CHECK_EQ_INT(weft_count(y), 0);
    tear_down(&s);
}
