/* test_hooks.c - hooks and backward callbacks that use the context they are called from: passes within passes, over the
 * same graph too, and ways out of a pass that never ends. */
#include <math.h>
#include <setjmp.h>
#include "harness/structs.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"
#include "weft/profile.h"

typedef struct scene {
    fault_memory memory;
    weft_ctx *c;
    weft_tensor *x;    /* a parameter [3] of twos */
    weft_tensor *loss; /* kept */
    int outer;         /* a scope from before */
    int calls, most;
    jmp_buf back;
    double seen[8];
} scene;

static void set_up(scene *s)
{
    *s = (scene){.calls = 0};
    weft_options o = fault_options(&s->memory);
    WEFT_CHECK_OK(weft_ctx_open(&o, &s->c));
    s->x = weft_param(weft_full(s->c, WEFT_F64, WEFT_DIMS(3), 2), "x");
}

static double first(weft_ctx *c, weft_tensor *t)
{
    return weft_item(c, weft_select(weft_detach(t), 0, 0));
}

/* sum(x^2 exp(x)), with the hook at x^2 or at x. Its derivative is (2x + x^2) exp(x). exp(x) comes first: its gradient
 * waits while the hook at x^2 runs. */
static void build(scene *s, weft_hook hook, bool at_leaf)
{
    weft_tensor *z = weft_exp(s->x), *y = weft_mul(s->x, s->x);
    WEFT_CHECK_OK(weft_add_hook(at_leaf ? s->x : y, hook, s));
    s->loss = weft_keep(weft_sum(weft_mul(y, z), WEFT_ALL, false));
}

static double derivative(void)
{
    return 8 * exp(2);
}

/* The context is as new, but for x. */
static void tear_down(scene *s)
{
    weft_ctx *c = s->c;
    WEFT_CHECK_OK(weft_ctx_status(c));
    WEFT_CHECK(weft_grad_enabled(c));
    WEFT_CHECK_OK(weft_zero_grad(c, &s->x, 1));
    const int mark = weft_scope_push(c);
    WEFT_CHECK_EQ_INT(mark, 1);
    s->most = -1; /* the hooks are still there, and do nothing */
    weft_tensor *again = weft_sum(weft_mul(s->x, weft_exp(s->x)), WEFT_ALL, false);
    WEFT_CHECK_OK(weft_backward(c, again));
    WEFT_CHECK_NEAR(first(c, weft_grad_of(s->x)), 3 * exp(2), 1e-12);
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
    weft_release(s->loss);
    weft_release(s->x);
    WEFT_CHECK_EQ_INT(weft_leaks(c, NULL, NULL), 0);
    WEFT_CHECK_OK(weft_ctx_status(c));
    weft_ctx_close(c);
    WEFT_CHECK_EQ_INT(s->memory.live_blocks, 0);
    WEFT_CHECK(!s->memory.mismatch);
}

/* ---- Passes within passes ---- */

static weft_tensor *backward_once(void *user, weft_tensor *t, weft_tensor *g)
{
    scene *s = user;
    (void)t, (void)g;
    if (s->calls++ == 0)
        WEFT_CHECK_OK(weft_backward(s->c, s->loss));
    return NULL;
}

WEFT_TEST(Reentry, BackwardThroughTheSameGraph)
{
    for (int at_leaf = 0; at_leaf < 2; at_leaf++) {
        scene s;
        set_up(&s);
        build(&s, backward_once, at_leaf);
        WEFT_CHECK_OK(weft_backward(s.c, s.loss));
        WEFT_CHECK_EQ_INT(s.calls, 2);
        WEFT_CHECK_NEAR(first(s.c, weft_grad_of(s.x)), 2 * derivative(), 1e-12);
        tear_down(&s);
    }
}

static weft_tensor *grad_once(void *user, weft_tensor *t, weft_tensor *g)
{
    scene *s = user;
    weft_tensor *inner = NULL, *second = NULL;
    if (s->calls++ > 0)
        return NULL;
    WEFT_CHECK_OK(weft_grad(s->c, &s->loss, NULL, 1, &s->x, 1, 0, &inner));
    s->seen[0] = first(s->c, inner);
    WEFT_CHECK_OK(weft_grad(s->c, &s->loss, NULL, 1, &t, 1, WEFT_GRAD_CREATE_GRAPH, &inner));
    s->seen[1] = first(s->c, inner);
    WEFT_CHECK_OK(weft_grad(s->c, &inner, &g, 1, &s->x, 1, 0, &second)); /* of exp(x), along exp(x) */
    s->seen[2] = first(s->c, second);
    return NULL;
}

WEFT_TEST(Reentry, GradThroughTheSameGraphAndOfHigherOrder)
{
    scene s;
    set_up(&s);
    build(&s, grad_once, false);
    WEFT_CHECK_OK(weft_backward(s.c, s.loss));
    WEFT_CHECK_NEAR(s.seen[0], derivative(), 1e-12);
    WEFT_CHECK_NEAR(s.seen[1], exp(2), 1e-12);
    WEFT_CHECK_NEAR(s.seen[2], exp(4), 1e-11);
    WEFT_CHECK_NEAR(first(s.c, weft_grad_of(s.x)), derivative(), 1e-12);
    tear_down(&s);
}

static weft_tensor *backward_always(void *user, weft_tensor *t, weft_tensor *g)
{
    scene *s = user;
    (void)t, (void)g;
    if (s->most < 0)
        return NULL;
    s->calls++;
    WEFT_CHECK_STATUS(weft_backward(s->c, s->loss), WEFT_E_STATE);
    return NULL;
}

WEFT_TEST(Reentry, AHookThatCallsItselfEnds)
{
    for (int at_leaf = 0; at_leaf < 2; at_leaf++) {
        scene s;
        set_up(&s);
        build(&s, backward_always, at_leaf);
        WEFT_CHECK_STATUS(weft_backward(s.c, s.loss), WEFT_E_STATE);
        WEFT_CHECK_STR_HAS(weft_ctx_message(s.c), "one of them brings itself about");
        WEFT_CHECK(s.calls > 8 && s.calls < 100);
        weft_ctx_clear(s.c);
        WEFT_CHECK(weft_grad_of(s.x) == NULL);
        tear_down(&s);
    }
}

/* A layer that forgets what it computed and computes it again: tanh(w x). */
static weft_status layer(weft_ctx *c, const weft_array *in, int n, weft_array *out, void *user)
{
    (void)c, (void)n, (void)user;
    for (int64_t k = 0; k < out->count; k++)
        ((double *)out->data)[k] = tanh(((const double *)in[0].data)[k] * ((const double *)in[1].data)[k]);
    return WEFT_OK;
}

static weft_status layer_again(weft_ctx *c, weft_tensor *const *in, int n, weft_tensor *y, weft_tensor *g,
                               weft_tensor **out, void *user)
{
    (void)n, (void)y;
    weft_tensor *w = user; /* the leaf itself, which the outer pass has reached already */
    const bool was = weft_set_grad_enabled(c, true);
    weft_tensor *x = weft_set_requires_grad(weft_detach(in[1]), true);
    weft_tensor *again = weft_tanh(weft_mul(w, x)), *both[] = {w, x};
    weft_set_grad_enabled(c, was);
    return weft_grad(c, &again, &g, 1, both, 2, 0, out);
}

WEFT_TEST(Reentry, CheckpointedLayersHaveTheGradientsOfPlainOnes)
{
    scene s;
    set_up(&s);
    weft_ctx *c = s.c;
    weft_custom_op op = INIT_CUSTOM_OP(.name = "layer", .forward = layer, .backward = layer_again, .user = s.x);
    weft_tensor *plain = weft_full(c, WEFT_F64, WEFT_DIMS(3), 0.3), *layered = plain;
    for (int k = 0; k < 5; k++) {
        plain = weft_tanh(weft_mul(s.x, plain));
        layered = weft_custom(&op, (weft_tensor *[]){s.x, layered}, 2);
    }
    weft_tensor *a = weft_sum(plain, WEFT_ALL, false), *b = weft_sum(layered, WEFT_ALL, false), *ga = NULL, *gb = NULL;
    WEFT_CHECK_OK(weft_grad(c, &a, NULL, 1, &s.x, 1, 0, &ga));
    WEFT_CHECK_OK(weft_grad(c, &b, NULL, 1, &s.x, 1, 0, &gb));
    WEFT_CHECK_NEAR(first(c, gb), first(c, ga), 1e-14);
    WEFT_CHECK(fabs(first(c, ga)) > 0.01);
    tear_down(&s);
}

/* ---- What a hook lets go of ---- */

static weft_tensor *gift, *returned;

static weft_tensor *gives(void *user, weft_tensor *t, weft_tensor *g)
{
    (void)user, (void)t;
    gift = weft_keep(weft_mul_scalar(g, 10));
    return returned = gift;
}

static weft_tensor *takes_back(void *user, weft_tensor *t, weft_tensor *g)
{
    scene *s = user;
    (void)t;
    WEFT_CHECK(g == returned);
    weft_release(gift);
    weft_release(s->loss); /* the whole graph */
    s->loss = NULL;
    weft_full(s->c, WEFT_F64, WEFT_DIMS(3), NAN);
    s->seen[0] = first(s->c, g);
    return NULL;
}

WEFT_TEST(Reentry, WhatHooksLetGoOfIsHeld)
{
    for (int at_leaf = 0; at_leaf < 2; at_leaf++) {
        scene s;
        set_up(&s);
        const int mark = weft_scope_push(s.c);
        weft_tensor *y = weft_mul(s.x, s.x), *t = at_leaf ? s.x : y;
        WEFT_CHECK_OK(weft_add_hook(t, gives, &s));
        WEFT_CHECK_OK(weft_add_hook(t, takes_back, &s));
        s.loss = weft_keep(weft_sum(weft_mul(y, weft_exp(s.x)), WEFT_ALL, false));
        WEFT_CHECK_OK(weft_scope_pop(s.c, mark));
        WEFT_CHECK_OK(weft_backward(s.c, s.loss));
        WEFT_CHECK_NEAR(s.seen[0], 10 * (at_leaf ? derivative() : exp(2)), 1e-11);
        WEFT_CHECK_NEAR(first(s.c, weft_grad_of(s.x)), (at_leaf ? 80 : 44) * exp(2), 1e-11);
        weft_release(s.x);
        weft_ctx_close(s.c);
        WEFT_CHECK_EQ_INT(s.memory.live_blocks, 0);
    }
}

static weft_tensor *records(void *user, weft_tensor *t, weft_tensor *g)
{
    scene *s = user;
    (void)t, (void)g;
    if (s->calls++ == 0)
        weft_set_grad_enabled(s->c, true);
    s->seen[0] = (double)memory_of(s->c).live_nodes;
    return NULL;
}

WEFT_TEST(Reentry, AHookThatSwitchesRecordingOnDoesNotRecordThePass)
{
    scene s;
    set_up(&s);
    build(&s, records, false);
    const int64_t nodes = memory_of(s.c).live_nodes;
    WEFT_CHECK_OK(weft_add_hook(s.x, records, &s));
    WEFT_CHECK_OK(weft_backward(s.c, s.loss));
    WEFT_CHECK_EQ_INT(s.calls, 2);
    WEFT_CHECK_EQ_INT(s.seen[0], nodes);
    tear_down(&s);
}

static weft_tensor *looks(void *user, weft_tensor *t, weft_tensor *g)
{
    scene *s = user;
    if (s->most < 0)
        return NULL;
    s->calls++;
    s->seen[0] += weft_grad_enabled(s->c);
    s->seen[1] += weft_requires_grad(g);
    s->seen[2] += weft_requires_grad(weft_mul(g, t));
    return NULL;
}

/* What a hook computes is part of the graph of the gradient, if there is to be one; else nothing is recorded. */
WEFT_TEST(Reentry, AHookRecordsAsThePassDoes)
{
    for (int how = 0; how < 3; how++) {
        scene s;
        set_up(&s);
        const int mark = weft_scope_push(s.c);
        weft_tensor *g = NULL;
        build(&s, looks, false);
        WEFT_CHECK_OK(weft_add_hook(s.x, looks, &s));
        if (how == 0)
            WEFT_CHECK_OK(weft_backward(s.c, s.loss));
        else
            WEFT_CHECK_OK(weft_grad(s.c, &s.loss, NULL, 1, &s.x, 1, how == 2 ? WEFT_GRAD_CREATE_GRAPH : 0, &g));
        WEFT_CHECK_EQ_INT(s.calls, 2);
        for (int k = 0; k < 3; k++)
            WEFT_CHECK_EQ_INT(s.seen[k], how == 2 ? 2 : 0);
        WEFT_CHECK_OK(weft_scope_pop(s.c, mark));
        tear_down(&s);
    }
}

/* ---- Ways out ---- */

static weft_tensor *closes(void *user, weft_tensor *t, weft_tensor *g)
{
    scene *s = user;
    (void)t, (void)g;
    if (s->most < 0)
        return NULL;
    weft_ctx_close(s->c);
    WEFT_CHECK_STR_HAS(weft_ctx_message(s->c), "weft_ctx_close: called from within a hook");
    return NULL;
}

WEFT_TEST(Reentry, AHookThatClosesTheContext)
{
    for (int at_leaf = 0; at_leaf < 2; at_leaf++) {
        scene s;
        set_up(&s);
        build(&s, closes, at_leaf);
        WEFT_CHECK_STATUS(weft_backward(s.c, s.loss), WEFT_E_STATE);
        WEFT_CHECK_STATUS(weft_ctx_clear(s.c), WEFT_E_STATE);
        tear_down(&s);
    }
}

static weft_tensor *pops_outer(void *user, weft_tensor *t, weft_tensor *g)
{
    scene *s = user;
    (void)t;
    if (s->most < 0)
        return NULL;
    WEFT_CHECK_OK(weft_scope_pop(s->c, s->outer));
    for (int k = 0; k < 40; k++)
        weft_full(s->c, WEFT_F64, WEFT_DIMS(3), NAN);
    return g; /* dead */
}

WEFT_TEST(Reentry, AHookThatClosesTheScopeAroundThePass)
{
    for (int at_leaf = 0; at_leaf < 2; at_leaf++) {
        scene s;
        set_up(&s);
        s.outer = weft_scope_push(s.c);
        build(&s, pops_outer, at_leaf);
        WEFT_CHECK_STATUS(weft_backward(s.c, s.loss), WEFT_E_STATE);
        WEFT_CHECK_STR_HAS(weft_ctx_message(s.c), "a callback closed a scope that was open before");
        weft_ctx_clear(s.c);
        tear_down(&s);
    }
}

static weft_tensor *jumps(void *user, weft_tensor *t, weft_tensor *g)
{
    scene *s = user;
    (void)t;
    if (s->most < 0)
        return NULL;
    weft_scope_push(s->c);
    weft_mul_scalar(g, 3);
    longjmp(s->back, 1);
}

/* A frame of its own, and a large one, so that what comes after lies deeper in the stack than the jump began. */
static __attribute__((noinline)) void pop_from_deep(scene *s)
{
    volatile char room[65536];
    room[0] = room[65535] = 0;
    WEFT_CHECK_OK(weft_scope_pop(s->c, s->outer));
}

/* how: 0 weft_backward, 1 weft_grad, 2 the same recorded. */
static void jump_out(scene *s, int how)
{
    weft_tensor *g = NULL;
    if (setjmp(s->back))
        return;
    if (how == 0)
        (void)!weft_backward(s->c, s->loss);
    else
        (void)!weft_grad(s->c, &s->loss, NULL, 1, &s->x, 1, how == 2 ? WEFT_GRAD_CREATE_GRAPH : 0, &g);
    WEFT_FAIL("it came back");
}

WEFT_TEST(Reentry, AHookThatIsLeftByLongjmp)
{
    for (int how = 0; how < 3; how++)
        for (int at_leaf = 0; at_leaf < 2; at_leaf++)
            for (int pop = 0; pop < 3; pop++) {
                scene s;
                set_up(&s);
                s.outer = weft_scope_push(s.c);
                build(&s, jumps, at_leaf);
                jump_out(&s, how);
                if (pop == 1)
                    WEFT_CHECK_OK(weft_scope_pop(s.c, s.outer));
                else if (pop == 2)
                    pop_from_deep(&s);
                else
                    WEFT_CHECK_OK((weft_exp(s.x), weft_scope_pop(s.c, s.outer)));
                tear_down(&s);
            }
}

WEFT_TEST(Reentry, CloseAfterALongjmp)
{
    scene s;
    set_up(&s);
    build(&s, jumps, true);
    jump_out(&s, 0);
    weft_ctx_close(s.c);
    WEFT_CHECK_EQ_INT(s.memory.live_blocks, 0);
}

/* The jump goes from a pass within a pass to the hook of the outer one, which returns. */
static weft_tensor *catches(void *user, weft_tensor *t, weft_tensor *g)
{
    scene *s = user;
    (void)t, (void)g;
    if (s->most < 0)
        return NULL;
    if (s->calls++ > 0)
        longjmp(s->back, 1);
    const int mark = weft_scope_push(s->c);
    jump_out(s, 0);
    WEFT_CHECK_OK(weft_scope_pop(s->c, mark));
    return NULL;
}

WEFT_TEST(Reentry, ALongjmpToAHookOfAnOuterPass)
{
    for (int at_leaf = 0; at_leaf < 2; at_leaf++) {
        scene s;
        set_up(&s);
        build(&s, catches, at_leaf);
        WEFT_CHECK_OK(weft_backward(s.c, s.loss));
        WEFT_CHECK_EQ_INT(s.calls, 2);
        WEFT_CHECK_NEAR(first(s.c, weft_grad_of(s.x)), derivative(), 1e-12);
        tear_down(&s);
    }
}

/* The callback of a custom operation, under a profile, with many operands. */
static weft_status add_all(weft_ctx *c, const weft_array *in, int n, weft_array *out, void *user)
{
    (void)c, (void)user;
    memset(out->data, 0, sizeof(double) * (size_t)out->count);
    for (int k = 0; k < n; k++)
        for (int64_t e = 0; e < out->count; e++)
            ((double *)out->data)[e] += ((const double *)in[k].data)[e];
    return WEFT_OK;
}

static weft_status jump_backward(weft_ctx *c, weft_tensor *const *in, int n, weft_tensor *y, weft_tensor *g,
                                 weft_tensor **out, void *user)
{
    scene *s = user;
    (void)in, (void)n, (void)y;
    out[0] = weft_mul_scalar(g, 2);
    if (s->calls++ % 2)
        longjmp(s->back, 1);
    WEFT_CHECK_OK(weft_scope_pop(c, s->outer));
    return WEFT_OK;
}

WEFT_TEST(Reentry, ABackwardCallbackUnderAProfile)
{
    scene s;
    set_up(&s);
    weft_custom_op op = INIT_CUSTOM_OP(.name = "jumping", .forward = add_all, .backward = jump_backward, .user = &s);
    weft_profile *p = NULL;
    WEFT_REQUIRE(weft_profile_begin(s.c, &p) == WEFT_OK);
    for (int k = 0; k < 4; k++) {
        weft_tensor *many[12];
        s.outer = weft_scope_push(s.c);
        for (int j = 0; j < 12; j++)
            many[j] = weft_exp(s.x);
        weft_tensor *loss = weft_sum(weft_custom(&op, many, 12), WEFT_ALL, false);
        s.loss = loss;
        if (k % 2)
            jump_out(&s, 0);
        else
            WEFT_CHECK_STATUS(weft_backward(s.c, loss), WEFT_E_STATE);
        weft_ctx_clear(s.c);
        if (k % 2)
            WEFT_CHECK_OK(weft_scope_pop(s.c, s.outer));
    }
    s.loss = NULL;
    const int64_t before = totals_of(p).launches;
    weft_exp(s.x);
    WEFT_CHECK_EQ_INT(totals_of(p).launches, before + 1);
    WEFT_CHECK(totals_of(p).in_kernels <= totals_of(p).wall);
    weft_profile_free(p);
    tear_down(&s);
}
