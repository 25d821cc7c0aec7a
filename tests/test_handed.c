/* test_handed.c - tensors that callbacks and callers hand over: freed ones, those of another context, shape or dtype
 * are an error with a sentence, shared ones work; the context and the gradients are whole afterwards. */
#include <stdio.h>
#include <stdlib.h>
#include "harness/structs.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"
#include "weft/io.h"

typedef struct bench {
    fault_memory memory, other_memory;
    weft_ctx *c, *other;
    weft_tensor *x;              /* a parameter [4] of ones */
    weft_tensor *dead, *foreign; /* [4] */
    weft_tensor *shared;         /* [4] of threes */
    weft_tensor *wide, *doubles; /* [5]; f64 [4] */
} bench;

static void set_up(bench *b)
{
    *b = (bench){0};
    weft_options o = fault_options(&b->memory), p = fault_options(&b->other_memory);
    WEFT_CHECK_OK(weft_ctx_open(&o, &b->c));
    WEFT_CHECK_OK(weft_ctx_open(&p, &b->other));
    b->x = weft_param(weft_ones(b->c, WEFT_F32, WEFT_DIMS(4)), "x");
    b->foreign = weft_ones(b->other, WEFT_F32, WEFT_DIMS(4));
    b->shared = weft_share(weft_full(b->c, WEFT_F32, WEFT_DIMS(4), 3));
    b->wide = weft_ones(b->c, WEFT_F32, WEFT_DIMS(5));
    b->doubles = weft_ones(b->c, WEFT_F64, WEFT_DIMS(4));
    int mark = weft_scope_push(b->c);
    b->dead = weft_full(b->c, WEFT_F32, WEFT_DIMS(4), 7);
    WEFT_CHECK_OK(weft_scope_pop(b->c, mark));
}

/* No two new tensors share memory, and nothing is left over. */
static void tear_down(bench *b)
{
    enum { N = 12 };
    weft_ctx_clear(b->c);
    void *data[N];
    for (int k = 0; k < N; k++) {
        data[k] = weft_data(weft_full(b->c, WEFT_F32, WEFT_DIMS(4), k));
        for (int j = 0; j < k; j++)
            WEFT_CHECK(data[j] != data[k]);
    }
    WEFT_CHECK_OK(weft_ctx_status(b->c));
    WEFT_CHECK_OK(weft_ctx_status(b->other));
    weft_release(b->shared);
    weft_release(b->x);
    WEFT_CHECK_EQ_INT(weft_leaks(b->c, NULL, NULL), 0);
    weft_ctx_close(b->c);
    weft_ctx_close(b->other);
    WEFT_CHECK_EQ_INT(b->memory.live_blocks, 0);
    WEFT_CHECK_EQ_INT(b->other_memory.live_blocks, 0);
    WEFT_CHECK(!b->memory.mismatch && !b->other_memory.mismatch);
}

static void refused(bench *b, weft_status got, weft_status want, const char *part)
{
    WEFT_CHECK_STATUS(got, want);
    WEFT_CHECK_STR_HAS(weft_ctx_message(b->c), part);
    WEFT_CHECK_STATUS(weft_ctx_clear(b->c), want);
    WEFT_CHECK(weft_grad_of(b->x) == NULL);
}

static float first(bench *b, weft_tensor *t)
{
    return (float)weft_item(b->c, weft_select(weft_detach(t), 0, 0));
}

WEFT_TEST(Handed, Cotangents)
{
    bench b;
    set_up(&b);
    weft_tensor *y = weft_mul(b.x, b.x), *g = NULL;
    struct {
        weft_tensor *t;
        weft_status status;
        const char *part;
    } bad[] = {{b.dead, WEFT_E_DEAD_TENSOR, "cotangent 0 was freed: it was made by weft_full at "},
               {b.foreign, WEFT_E_MIXED_CONTEXTS, "cotangent 0 (f32 [4]) belongs to another context"},
               {b.wide, WEFT_E_SHAPE, "cotangent 0 is f32 [5]"}};
    for (int k = 0; k < 3; k++) {
        refused(&b, weft_backward_with(b.c, &y, &bad[k].t, 1), bad[k].status, bad[k].part);
        refused(&b, weft_grad(b.c, &y, &bad[k].t, 1, &b.x, 1, 0, &g), bad[k].status, bad[k].part);
        WEFT_CHECK(g == NULL);
    }
    WEFT_CHECK_OK(weft_backward_with(b.c, &y, &b.shared, 1));
    WEFT_CHECK_NEAR(first(&b, weft_grad_of(b.x)), 6, 0);
    WEFT_CHECK_OK(weft_zero_grad(b.c, &b.x, 1));
    WEFT_CHECK_OK(weft_backward_with(b.c, &y, &b.doubles, 1)); /* cast */
    WEFT_CHECK_NEAR(first(&b, weft_grad_of(b.x)), 2, 0);
    tear_down(&b);
}

/* ---- Hooks ---- */

static weft_tensor *give(void *user, weft_tensor *t, weft_tensor *g)
{
    (void)t, (void)g;
    return *(weft_tensor **)user;
}

static weft_tensor *forget_escape(void *user, weft_tensor *t, weft_tensor *g)
{
    (void)t;
    weft_ctx *c = user;
    int mark = weft_scope_push(c);
    weft_tensor *half = weft_mul_scalar(g, 0.5);
    return weft_scope_pop(c, mark) == WEFT_OK ? half : NULL;
}

/* The hook sits at a leaf, or at an intermediate result. */
static void check_hooks(bool at_leaf)
{
    bench b;
    set_up(&b);
    weft_tensor *gift = NULL;
    struct {
        weft_tensor *t;
        weft_status status;
        const char *part;
    } bad[] = {{b.dead, WEFT_E_DEAD_TENSOR, "the gradient that a hook returned was freed: it was made by weft_full"},
               {b.foreign, WEFT_E_MIXED_CONTEXTS, "the gradient that a hook returned (f32 [4]) belongs to another"},
               {b.wide, WEFT_E_CALLBACK, "returned f32 [5] for a gradient that is f32 [4]"},
               {b.doubles, WEFT_E_CALLBACK, "returned f64 [4] for a gradient that is f32 [4]"}};
    weft_tensor *y = weft_mul(b.x, b.x);
    WEFT_CHECK_OK(weft_add_hook(at_leaf ? b.x : y, give, &gift));
    weft_tensor *loss = weft_sum(y, WEFT_ALL, false);
    for (int k = 0; k < 4; k++) {
        gift = bad[k].t;
        refused(&b, weft_backward(b.c, loss), bad[k].status, bad[k].part);
    }
    gift = b.shared;
    WEFT_CHECK_OK(weft_backward(b.c, loss));
    WEFT_CHECK_NEAR(first(&b, weft_grad_of(b.x)), at_leaf ? 3 : 6, 0);
    WEFT_CHECK_OK(weft_zero_grad(b.c, &b.x, 1));
    gift = b.x; /* requires a gradient: the parameter's gradient holds its values, not the parameter */
    WEFT_CHECK_OK(weft_backward(b.c, loss));
    WEFT_CHECK_NEAR(first(&b, weft_grad_of(b.x)), at_leaf ? 1 : 2, 0);
    WEFT_CHECK(!weft_requires_grad(weft_grad_of(b.x)));
    WEFT_CHECK(weft_data(weft_grad_of(b.x)) != weft_data(b.x));
    WEFT_CHECK_OK(weft_zero_grad(b.c, &b.x, 1));
    gift = NULL;
    WEFT_CHECK_OK(weft_add_hook(at_leaf ? b.x : y, forget_escape, b.c));
    refused(&b, weft_backward(b.c, loss), WEFT_E_DEAD_TENSOR, "was freed: it was made by weft_mul_scalar");
    tear_down(&b);
}

WEFT_TEST(Handed, WhatAHookOfALeafReturns)
{
    check_hooks(true);
}

WEFT_TEST(Handed, WhatAHookOfAResultReturns)
{
    check_hooks(false);
}

static weft_tensor *let_go(void *user, weft_tensor *t, weft_tensor *g)
{
    (void)g;
    if (*(int *)user == 0)
        weft_release(t); /* the last owner of t, and of this hook */
    ++*(int *)user;
    return NULL;
}

WEFT_TEST(Handed, AHookMayReleaseItsTensor)
{
    fault_memory m = {0};
    weft_options o = fault_options(&m);
    weft_ctx *c;
    WEFT_REQUIRE(weft_ctx_open(&o, &c) == WEFT_OK);
    weft_tensor *x = weft_param(weft_ones(c, WEFT_F32, WEFT_DIMS(4)), "x");
    int calls = 0, mark = weft_scope_push(c);
    weft_tensor *y = weft_keep(weft_exp(x));
    WEFT_CHECK_OK(weft_add_hook(y, let_go, &calls));
    WEFT_CHECK_OK(weft_add_hook(y, let_go, &calls));
    weft_tensor *loss = weft_keep(weft_sum(y, WEFT_ALL, false));
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
    WEFT_CHECK_OK(weft_backward(c, loss));
    WEFT_CHECK_EQ_INT(calls, 2);
    WEFT_CHECK_NEAR(weft_item(c, weft_select(weft_grad_of(x), 0, 0)), 2.718281828, 1e-6);
    weft_release(loss);
    weft_release(x);
    weft_ctx_close(c);
    WEFT_CHECK_EQ_INT(m.live_blocks, 0);
}

/* ---- Operations of one's own ---- */

static weft_status twice(weft_ctx *c, const weft_array *in, int n, weft_array *out, void *user)
{
    (void)c, (void)n, (void)user;
    for (int64_t k = 0; k < out->count; k++)
        ((float *)out->data)[k] = 2 * ((const float *)in[0].data)[k];
    return WEFT_OK;
}

static weft_status give_back(weft_ctx *c, weft_tensor *const *in, int n, weft_tensor *y, weft_tensor *g,
                             weft_tensor **out, void *user)
{
    (void)c, (void)in, (void)n, (void)y, (void)g;
    out[0] = *(weft_tensor **)user;
    return WEFT_OK;
}

static weft_status forget_to_escape(weft_ctx *c, weft_tensor *const *in, int n, weft_tensor *y, weft_tensor *g,
                                    weft_tensor **out, void *user)
{
    (void)in, (void)n, (void)y, (void)user;
    int mark = weft_scope_push(c);
    out[0] = weft_mul_scalar(g, 2);
    return weft_scope_pop(c, mark);
}

WEFT_TEST(Handed, GradientsOfACustomBackward)
{
    bench b;
    set_up(&b);
    weft_tensor *gift = NULL;
    weft_custom_op op = INIT_CUSTOM_OP(.name = "twice", .forward = twice, .backward = give_back, .user = &gift);
    weft_custom_op careless = INIT_CUSTOM_OP(.name = "careless", .forward = twice, .backward = forget_to_escape);
    struct {
        weft_tensor *t;
        weft_status status;
        const char *part;
    } bad[] = {{b.dead, WEFT_E_DEAD_TENSOR, "its backward callback's gradient of operand 0 was freed"},
               {b.foreign, WEFT_E_MIXED_CONTEXTS, "its backward callback's gradient of operand 0 (f32 [4]) belongs to"},
               {b.wide, WEFT_E_CALLBACK, "gave f32 [5] as the gradient of operand 0, which is "}};
    weft_tensor *loss = weft_sum(weft_custom(&op, &b.x, 1), WEFT_ALL, false);
    for (int k = 0; k < 3; k++) {
        gift = bad[k].t;
        refused(&b, weft_backward(b.c, loss), bad[k].status, bad[k].part);
    }
    gift = b.shared;
    WEFT_CHECK_OK(weft_backward(b.c, loss));
    WEFT_CHECK_NEAR(first(&b, weft_grad_of(b.x)), 3, 0);
    WEFT_CHECK_OK(weft_zero_grad(b.c, &b.x, 1));
    gift = b.x;
    WEFT_CHECK_OK(weft_backward(b.c, loss));
    WEFT_CHECK_NEAR(first(&b, weft_grad_of(b.x)), 1, 0);
    WEFT_CHECK(!weft_requires_grad(weft_grad_of(b.x)));
    WEFT_CHECK_OK(weft_zero_grad(b.c, &b.x, 1));
    weft_tensor *other = weft_sum(weft_custom(&careless, &b.x, 1), WEFT_ALL, false);
    refused(&b, weft_backward(b.c, other), WEFT_E_DEAD_TENSOR, "was freed: it was made by weft_mul_scalar");
    tear_down(&b);
}

/* ---- Lists ---- */

WEFT_TEST(Handed, ListsOfParameters)
{
    bench b;
    set_up(&b);
    weft_tensor *velocity = weft_zeros(b.c, WEFT_F32, WEFT_DIMS(4)), *g = weft_ones(b.c, WEFT_F32, WEFT_DIMS(4));
    struct {
        weft_tensor *t;
        weft_status status;
        const char *part;
    } bad[] = {{b.dead, WEFT_E_DEAD_TENSOR, " 1 was freed: it was made by weft_full"},
               {b.foreign, WEFT_E_MIXED_CONTEXTS, " 1 (f32 [4]) belongs to another context"},
               {NULL, WEFT_E_NULL_ARGUMENT, " 1 is NULL"}};
    const weft_sgd_options sgd = INIT_SGD(.lr = 1, .momentum = 0.5);
    for (int k = 0; k < 3; k++) {
        weft_tensor *list[] = {b.x, bad[k].t}, *good[] = {b.x, b.x}, *gs[] = {g, g}, *vs[] = {velocity, velocity};
        refused(&b, weft_zero_grad(b.c, list, 2), bad[k].status, bad[k].part);
        weft_clip_grad_norm(b.c, list, 2, 1);
        refused(&b, weft_ctx_status(b.c), bad[k].status, bad[k].part);
        refused(&b, weft_clip_grad_value(b.c, list, 2, 1), bad[k].status, bad[k].part);
        weft_step_lists lists = INIT_STEP_LISTS(.params = list, .grads = gs, .state = vs, .n = 2, .step = 1);
        refused(&b, weft_sgd_step(b.c, &lists, &sgd), bad[k].status, bad[k].part);
        lists.params = good;
        lists.grads = list;
        if (bad[k].t)
            refused(&b, weft_sgd_step(b.c, &lists, &sgd), bad[k].status, bad[k].part);
        lists.grads = gs;
        lists.state = list;
        refused(&b, weft_sgd_step(b.c, &lists, &sgd), bad[k].status, bad[k].part);
        weft_tensor *second[] = {velocity, velocity, b.x, bad[k].t};
        lists.state = second;
        refused(&b, weft_adam_step(b.c, &lists, NULL), bad[k].status, bad[k].part);
    }
    refused(&b,
            weft_sgd_step(
                b.c, &WITH_STEP_LISTS(.params = &b.x, .grads = &b.shared, .state = &velocity, .n = 1, .step = 1), &sgd),
            WEFT_E_STATE, "gradient 0 (f32 [4]) is shared");
    WEFT_CHECK_NEAR(first(&b, b.x), 1, 0); /* unchanged */
    tear_down(&b);
}

static weft_tensor *result(weft_ctx *c, weft_tensor *const *in, int n, void *user)
{
    (void)c, (void)in, (void)n;
    return *(weft_tensor **)user;
}

WEFT_TEST(Handed, FunctionsUnderGradcheck)
{
    bench b;
    set_up(&b);
    weft_tensor *gift = b.dead, *in = weft_set_requires_grad(weft_ones(b.c, WEFT_F64, WEFT_DIMS(2)), true);
    refused(&b, weft_gradcheck(b.c, &in, 1, result, &gift, NULL), WEFT_E_DEAD_TENSOR,
            "the function's result was freed");
    gift = b.foreign;
    refused(&b, weft_gradcheck(b.c, &in, 1, result, &gift, NULL), WEFT_E_MIXED_CONTEXTS, "the function's result (f32");
    weft_tensor *inputs[] = {in, b.dead};
    refused(&b, weft_gradcheck(b.c, inputs, 2, result, &gift, NULL), WEFT_E_DEAD_TENSOR, "input 1 was freed");
    tear_down(&b);
}

/* ---- Looking at what was freed ---- */

WEFT_TEST(Handed, LookingAtAFreedTensorIsAnError)
{
    bench b;
    set_up(&b);
    refused(&b, (weft_ndim(b.dead), weft_ctx_status(b.c)), WEFT_E_DEAD_TENSOR, "weft_ndim: the tensor was freed");
    refused(&b, (weft_shape(b.dead), weft_ctx_status(b.c)), WEFT_E_DEAD_TENSOR, "weft_shape: the tensor was freed");
    refused(&b, (weft_strides(b.dead), weft_ctx_status(b.c)), WEFT_E_DEAD_TENSOR, "weft_strides: ");
    refused(&b, (weft_size(b.dead, 0), weft_ctx_status(b.c)), WEFT_E_DEAD_TENSOR, "weft_size: ");
    refused(&b, (weft_count(b.dead), weft_ctx_status(b.c)), WEFT_E_DEAD_TENSOR, "weft_count: ");
    refused(&b, (weft_dtype_of(b.dead), weft_ctx_status(b.c)), WEFT_E_DEAD_TENSOR, "weft_dtype_of: ");
    refused(&b, (weft_is_contiguous(b.dead), weft_ctx_status(b.c)), WEFT_E_DEAD_TENSOR, "weft_is_contiguous: ");
    refused(&b, (weft_name(b.dead), weft_ctx_status(b.c)), WEFT_E_DEAD_TENSOR, "weft_name: ");
    refused(&b, (weft_data(b.dead), weft_ctx_status(b.c)), WEFT_E_DEAD_TENSOR, "weft_data: ");
    refused(&b, (weft_grad_of(b.dead), weft_ctx_status(b.c)), WEFT_E_DEAD_TENSOR, "weft_grad_of: ");
    refused(&b, (weft_requires_grad(b.dead), weft_ctx_status(b.c)), WEFT_E_DEAD_TENSOR, "weft_requires_grad: ");
    refused(&b, weft_check(b.c, "mine", b.dead, "weight", 3), WEFT_E_DEAD_TENSOR, "weft_mine: weight 3 was freed");
    WEFT_CHECK_OK(weft_check(b.c, "mine", b.shared, "weight", 3));
    tear_down(&b);
}
