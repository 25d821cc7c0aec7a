/* test_sums.c - how the gradients of several uses of a tensor become one: in f32 for half types, in place where nobody
 * sees it, slices into one buffer. */
#include <math.h>
#include <string.h>
#include "harness/structs.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"
#include "weft/profile.h"

/* ---- Half types ---- */

/* The sum of n uses of t, in f32 so that the value itself does not stop anywhere. */
static weft_tensor *many_uses(weft_tensor *t, int n)
{
    weft_ctx *c = weft_ctx_of(t);
    weft_tensor *one = weft_scalar(c, weft_dtype_of(t), 1), *total = weft_scalar(c, WEFT_F32, 0);
    for (int k = 0; k < n; k++)
        total = weft_add(total, weft_cast(weft_mul(t, one), WEFT_F32));
    return total;
}

WEFT_TEST(Sums, ManyUsesDoNotStopInHalfTypes)
{
    for (int k = 0; k < 2; k++) {
        const weft_dtype dtype = k ? WEFT_F16 : WEFT_BF16;
        fault_memory m = {0};
        weft_ctx *c = fault_ctx_open(&m);
        weft_tensor *w = weft_set_requires_grad(weft_scalar(c, dtype, 1), true), *g = NULL;
        WEFT_CHECK_OK(weft_backward(c, many_uses(w, 3072))); /* of a leaf */
        WEFT_CHECK_NEAR(weft_item(c, weft_grad_of(w)), 3072, 0);
        weft_tensor *u = weft_neg(w), *loss = many_uses(u, 3072); /* of a result */
        WEFT_CHECK_OK(weft_grad(c, &loss, NULL, 1, &u, 1, 0, &g));
        WEFT_CHECK_NEAR(weft_item(c, g), 3072, 0);
        WEFT_CHECK_EQ_INT(weft_dtype_of(g), dtype);
        WEFT_CHECK_OK(weft_grad(c, &loss, NULL, 1, &w, 1, WEFT_GRAD_CREATE_GRAPH, &g));
        WEFT_CHECK_NEAR(weft_item(c, g), -3072, 0);
        WEFT_CHECK_EQ_INT(weft_dtype_of(g), dtype);
        fault_ctx_close(c, &m);
    }
}

/* Each slice adds to one element in place; ones would add up to 256 in bf16 and no further. */
WEFT_TEST(Sums, ManySlicesDoNotStopInHalfTypes)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *w = weft_set_requires_grad(weft_ones(c, WEFT_BF16, WEFT_DIMS(3, 2)), true), *u = weft_neg(w);
    weft_tensor *total = weft_scalar(c, WEFT_F32, 0), *inputs[] = {w, u}, *g[2];
    for (int k = 0; k < 768; k++) {
        total = weft_add(total, weft_cast(weft_sum(weft_select(w, 0, 1), WEFT_ALL, false), WEFT_F32));
        total = weft_add(total, weft_cast(weft_sum(weft_slice(u, 0, 0, 3, 2), WEFT_ALL, false), WEFT_F32));
    }
    WEFT_CHECK_OK(weft_grad(c, &total, NULL, 1, inputs, 2, 0, g));
    for (int row = 0; row < 3; row++) {
        WEFT_CHECK_NEAR(weft_item(c, weft_select(weft_select(g[0], 0, row), 0, 1)), row == 1 ? 768 : -768, 0);
        WEFT_CHECK_NEAR(weft_item(c, weft_select(weft_select(g[1], 0, row), 0, 0)), row == 1 ? 0 : 768, 0);
    }
    fault_ctx_close(c, &m);
}

WEFT_TEST(Sums, ManyCallsDoNotStopInHalfTypes)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *w = weft_set_requires_grad(weft_ones(c, WEFT_BF16, WEFT_DIMS(3)), true);
    weft_tensor *loss = weft_sum(w, WEFT_ALL, false);
    for (int k = 0; k < 768; k++)
        WEFT_CHECK_OK(weft_backward(c, loss));
    WEFT_CHECK_NEAR(weft_item(c, weft_select(weft_grad_of(w), 0, 2)), 768, 0);
    WEFT_CHECK_OK(weft_backward(c, loss)); /* 769 lies between 768 and 772 */
    weft_fill_(weft_grad_of(w), 5);        /* what the caller writes holds, without what rounding had taken */
    WEFT_CHECK_OK(weft_backward(c, loss));
    WEFT_CHECK_NEAR(weft_item(c, weft_select(weft_grad_of(w), 0, 0)), 6, 0);
    WEFT_CHECK_OK(weft_zero_grad(c, &w, 1));
    WEFT_CHECK_OK(weft_backward(c, loss));
    WEFT_CHECK_NEAR(weft_item(c, weft_select(weft_grad_of(w), 0, 0)), 1, 0);
    fault_ctx_close(c, &m);
}

WEFT_TEST(Sums, InfinityStaysInHalfTypes)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *w = weft_set_requires_grad(weft_scalar(c, WEFT_F16, 1), true);
    weft_tensor *loss = weft_mul_scalar(w, 60000);
    for (int k = 0; k < 4; k++)
        WEFT_CHECK_OK(weft_backward(c, loss));
    WEFT_CHECK(isinf(weft_item(c, weft_grad_of(w))));
    fault_ctx_close(c, &m);
}

/* ---- Whose memory is changed ---- */

typedef struct handed {
    float values[2];
    weft_tensor *kept;
} handed;

/* The gradient is memory of the caller's. */
static weft_status wrapped_gradient(weft_ctx *c, weft_tensor *const *in, int n, weft_tensor *y, weft_tensor *g,
                                    weft_tensor **out, void *user)
{
    (void)in, (void)n, (void)y, (void)g;
    out[0] = weft_wrap(c, WEFT_F32, WEFT_DIMS(2), ((handed *)user)->values, NULL, NULL);
    return WEFT_OK;
}

static weft_status same(weft_ctx *c, const weft_array *in, int n, weft_array *out, void *user)
{
    (void)c, (void)n, (void)user;
    memcpy(out->data, in[0].data, sizeof(float) * (size_t)in[0].count);
    return WEFT_OK;
}

WEFT_TEST(Sums, WrappedMemoryOfACallbackIsNotChanged)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    handed h = {.values = {1, 2}};
    const weft_custom_op op =
        INIT_CUSTOM_OP(.name = "wrapping", .forward = same, .backward = wrapped_gradient, .user = &h);
    weft_tensor *x = weft_set_requires_grad(weft_ones(c, WEFT_F32, WEFT_DIMS(2)), true);
    weft_tensor *loss = weft_sum(weft_custom(&op, &x, 1), WEFT_ALL, false);
    for (int k = 0; k < 3; k++)
        WEFT_CHECK_OK(weft_backward(c, loss));
    WEFT_CHECK_NEAR(weft_item(c, weft_select(weft_grad_of(x), 0, 1)), 6, 0);
    WEFT_CHECK_NEAR(h.values[1], 2, 0);
    weft_tensor *twice = weft_add(loss, weft_sum(weft_custom(&op, &x, 1), WEFT_ALL, false));
    WEFT_CHECK_OK(weft_backward(c, twice));
    WEFT_CHECK_NEAR(weft_item(c, weft_select(weft_grad_of(x), 0, 1)), 10, 0);
    WEFT_CHECK_NEAR(h.values[1], 2, 0);
    fault_ctx_close(c, &m);
}

static weft_tensor *keep_gradient(void *user, weft_tensor *t, weft_tensor *g)
{
    (void)t;
    ((handed *)user)->kept = weft_keep(g);
    return NULL;
}

WEFT_TEST(Sums, AGradientThatAHookKeepsIsNotChanged)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    handed h = {.kept = NULL};
    weft_tensor *x = weft_set_requires_grad(weft_ones(c, WEFT_F32, WEFT_DIMS(4)), true);
    weft_tensor *early = weft_mul_scalar(x, 3), *late = weft_mul_scalar(x, 2);
    WEFT_CHECK_OK(weft_add_hook(late, keep_gradient, &h)); /* its gradient goes on to x, by way of a reshape */
    weft_tensor *shown = weft_reshape(late, WEFT_DIMS(2, 2));
    weft_tensor *more = weft_add(weft_sum(shown, WEFT_ALL, false), weft_sum(early, WEFT_ALL, false));
    for (int k = 0; k < 4; k++)
        more = weft_add(more, weft_select(x, 0, k));
    WEFT_CHECK_OK(weft_backward(c, more));
    WEFT_CHECK_NEAR(weft_item(c, weft_select(weft_grad_of(x), 0, 3)), 6, 0);
    WEFT_CHECK_NEAR(weft_item(c, weft_select(h.kept, 0, 3)), 1, 0);
    weft_release(h.kept);
    fault_ctx_close(c, &m);
}

/* ---- Slices ---- */

enum { ROWS = 5, COLUMNS = 6, DEPTH = 4, COUNT = ROWS * COLUMNS * DEPTH, KINDS = 14 };

/* One of many ways to look at x [ROWS, COLUMNS, DEPTH]. */
static weft_tensor *look(weft_tensor *x, int kind)
{
    switch (kind) {
    case 0:
        return weft_select(x, 0, 3);
    case 1:
        return weft_select(x, 1, -1);
    case 2:
        return weft_slice(x, 1, 1, 4, 1);
    case 3:
        return weft_slice(x, 1, 2, 6, 1);
    case 4:
        return weft_slice(x, 2, 1, 4, 2);
    case 5:
        return weft_select(weft_transpose(x, 0, 2), 0, 2);
    case 6:
        return weft_slice(weft_permute(x, WEFT_DIMS(2, 0, 1)), 2, 0, 6, 3);
    case 7:
        return weft_select(weft_reshape(x, WEFT_DIMS(ROWS, COLUMNS * DEPTH)), 1, 7);
    case 8:
        return weft_slice(weft_slice(x, 0, 1, 5, 2), 0, 1, 2, 1);
    case 9:
        return weft_slice(weft_select(weft_unsqueeze(x, 1), 2, 5), 0, 2, 2, 1); /* of no elements */
    case 10:                                                                    /* its reshape copies */
        return weft_select(weft_reshape(weft_transpose(x, 0, 1), WEFT_DIMS(COLUMNS, ROWS * DEPTH)), 1, 9);
    case 11:
        return weft_slice(weft_flatten(x, 0, 2), 0, 7, 100, 9);
    case 12:
        return weft_squeeze(weft_slice(x, 1, 4, 5, 1), WEFT_DIMS(1));
    default:
        return weft_mul_scalar(x, 1);
    }
}

/* The gradient of sum over kinds of c_k look(x, k), counted with the same looks at the numbers of the elements. */
static void expected(weft_ctx *c, const int *kinds, int n, double *want)
{
    weft_tensor *numbers = weft_reshape(weft_arange(c, WEFT_F64, 0, COUNT, 1), WEFT_DIMS(ROWS, COLUMNS, DEPTH));
    memset(want, 0, sizeof *want * COUNT);
    for (int k = 0; k < n; k++) {
        double at[COUNT];
        weft_tensor *seen = look(numbers, kinds[k]);
        WEFT_REQUIRE(seen);
        WEFT_CHECK_OK(weft_read(c, seen, at, sizeof *at * (size_t)weft_count(seen)));
        for (int64_t i = 0; i < weft_count(seen); i++)
            want[(int)at[i]] += k + 1;
    }
}

static weft_tensor *loss_of(weft_tensor *x, const int *kinds, int n, bool squared)
{
    weft_tensor *total = weft_scalar(weft_ctx_of(x), weft_dtype_of(x), 0);
    for (int k = 0; k < n; k++) {
        weft_tensor *seen = look(x, kinds[k]);
        seen = squared ? weft_square(seen) : seen;
        total = weft_add(total, weft_mul_scalar(weft_sum(seen, WEFT_ALL, false), k + 1));
    }
    return total;
}

static void check_gradient(weft_ctx *c, weft_tensor *g, const double *want, double factor, const char *what, int trial)
{
    double got[COUNT];
    WEFT_REQUIRE(g);
    WEFT_CHECK_OK(weft_read(c, weft_cast(g, WEFT_F64), got, sizeof got));
    for (int i = 0; i < COUNT; i++)
        if (got[i] != factor * want[i]) {
            WEFT_FAIL("%s, trial %d: element %d is %g, not %g", what, trial, i, got[i], factor * want[i]);
            return;
        }
}

WEFT_TEST(Sums, SlicesOfEveryKindMeetInOneGradient)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    uint32_t random = 1;
    for (int trial = 0; trial < 60; trial++) {
        const weft_dtype dtypes[] = {WEFT_F64, WEFT_F32, WEFT_BF16}, dtype = dtypes[trial % 3];
        int mark = weft_scope_push(c), kinds[12], n = trial < KINDS ? 1 : 12;
        double want[COUNT];
        for (int k = 0; k < n; k++)
            kinds[k] = trial < KINDS ? trial : (int)((random = random * 1664525u + 1013904223u) >> 16) % KINDS;
        expected(c, kinds, n, want);
        weft_tensor *x =
            weft_set_requires_grad(weft_full(c, dtype, WEFT_DIMS(ROWS, COLUMNS, DEPTH), trial % 4 + 1), true);
        weft_tensor *loss = loss_of(x, kinds, n, false), *g = NULL, *second = NULL;
        WEFT_CHECK_OK(weft_backward(c, loss));
        check_gradient(c, weft_grad_of(x), want, 1, "leaf", trial);
        weft_tensor *between = weft_mul_scalar(x, 1); /* not a leaf, and with a result of its own layout */
        loss = loss_of(between, kinds, n, true);
        WEFT_CHECK_OK(weft_grad(c, &loss, NULL, 1, &between, 1, 0, &g));
        check_gradient(c, g, want, 2 * (trial % 4 + 1), "squares", trial);
        WEFT_CHECK_OK(weft_grad(c, &loss, NULL, 1, &x, 1, WEFT_GRAD_CREATE_GRAPH, &g));
        check_gradient(c, g, want, 2 * (trial % 4 + 1), "recorded", trial);
        loss = weft_sum(g, WEFT_ALL, false);
        if (weft_requires_grad(loss)) {
            WEFT_CHECK_OK(weft_grad(c, &loss, NULL, 1, &x, 1, 0, &second));
            check_gradient(c, second, want, 2, "second", trial);
        }
        WEFT_CHECK_OK(weft_scope_pop(c, mark));
    }
    fault_ctx_close(c, &m);
}

/* The reshape is a view of the leaf, which is laid out by columns, and would be a copy of a buffer laid out by rows. */
WEFT_TEST(Sums, AViewOfTheTensorThatIsNoneOfItsGradient)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *x =
        weft_set_requires_grad(weft_detach(weft_transpose(weft_ones(c, WEFT_F32, WEFT_DIMS(3, 2)), 0, 1)), true);
    weft_tensor *row = weft_reshape(weft_transpose(x, 0, 1), WEFT_DIMS(6));
    WEFT_CHECK(weft_data(row) == weft_data(x));
    WEFT_CHECK_OK(weft_backward(c, weft_add(weft_select(row, 0, 1), weft_select(row, 0, 4))));
    float got[6];
    const float want[6] = {0, 0, 1, 1, 0, 0};
    WEFT_CHECK_OK(weft_read(c, weft_grad_of(x), got, sizeof got));
    WEFT_CHECK(memcmp(got, want, sizeof got) == 0);
    fault_ctx_close(c, &m);
}

/* What is between a slice and its tensor is passed by only where nobody looks. */
WEFT_TEST(Sums, AViewThatIsAskedForGetsItsGradient)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    handed h = {.kept = NULL};
    weft_tensor *x = weft_set_requires_grad(weft_ones(c, WEFT_F32, WEFT_DIMS(2, 3)), true), *g[2];
    weft_tensor *turned = weft_transpose(x, 0, 1), *back = weft_transpose(turned, 0, 1);
    weft_tensor *loss = weft_sum(weft_add(weft_select(turned, 0, 1), weft_select(back, 1, 1)), WEFT_ALL, false);
    WEFT_CHECK_OK(weft_grad(c, &loss, NULL, 1, (weft_tensor *[]){turned, x}, 2, 0, g));
    WEFT_CHECK_NEAR(weft_item(c, weft_sum(g[0], WEFT_ALL, false)), 4, 0);
    WEFT_CHECK_NEAR(weft_item(c, weft_sum(g[1], WEFT_ALL, false)), 4, 0);
    WEFT_CHECK_NEAR(weft_item(c, weft_select(weft_select(g[0], 0, 1), 0, 0)), 2, 0);
    WEFT_CHECK_OK(weft_add_hook(turned, keep_gradient, &h));
    WEFT_CHECK_OK(weft_backward(c, loss));
    WEFT_CHECK_NEAR(weft_item(c, weft_select(weft_select(h.kept, 0, 1), 0, 1)), 2, 0);
    WEFT_CHECK_NEAR(weft_item(c, weft_sum(weft_grad_of(x), WEFT_ALL, false)), 4, 0);
    weft_release(h.kept);
    fault_ctx_close(c, &m);
}

/* Bytes that the launches of a backward pass read and write, over those of x. */
static double traffic(weft_ctx *c, weft_tensor *x, weft_tensor *loss, int flags)
{
    weft_profile *p = NULL;
    weft_profile_op rows[64];
    weft_tensor *g = NULL;
    double bytes = 0;
    WEFT_CHECK_OK(weft_profile_begin(c, &p));
    WEFT_CHECK_OK(weft_grad(c, &loss, NULL, 1, &x, 1, flags, &g));
    weft_profile_end(p);
    const int n = weft_profile_ops(p, rows, 64, sizeof(weft_profile_op));
    for (int k = 0; k < n && k < 64; k++)
        bytes += rows[k].bytes;
    weft_profile_free(p);
    return bytes / ((double)weft_count(x) * 4);
}

/* A recurrent cell takes its steps in one of these ways. */
static weft_tensor *step_of(weft_tensor *x, int t, int way)
{
    switch (way) {
    case 0:
        return weft_select(x, 0, t);
    case 1:
        return weft_squeeze(weft_slice(x, 0, t, t + 1, 1), WEFT_DIMS(0));
    case 2:
        return weft_select(weft_transpose(x, 0, 1), 1, t);
    default:
        return weft_select(weft_reshape(x, WEFT_DIMS(-1, 64)), 0, t);
    }
}

WEFT_TEST(Sums, ManySlicesCostWhatTheyHold)
{
    enum { T = 128, WAYS = 4 };
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    for (int way = 0; way < WAYS; way++) {
        weft_tensor *x = weft_set_requires_grad(weft_ones(c, WEFT_F32, WEFT_DIMS(T, 8, 8)), true);
        weft_tensor *h = NULL;
        for (int t = 0; t < T; t++) {
            weft_tensor *now = step_of(x, t, way);
            h = h ? weft_tanh(weft_add(h, now)) : now;
        }
        weft_tensor *loss = weft_sum(h, WEFT_ALL, false);
        const double moved = traffic(c, x, loss, 0);
        if (moved > 20)
            WEFT_FAIL("way %d: the gradients of %d slices moved %g times the tensor", way, T, moved);
        const double recorded = way < 2 ? traffic(c, x, loss, WEFT_GRAD_CREATE_GRAPH) : 0;
        if (recorded > 40)
            WEFT_FAIL("way %d: recorded, they moved %g times the tensor", way, recorded);
    }
    fault_ctx_close(c, &m);
}
