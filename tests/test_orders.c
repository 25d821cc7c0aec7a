/* test_orders.c - derivatives exist to every order: every differentiable operation's are taken to the third, by each of
 * its recipes. What they are is checked by the gradchecks, test_parity.c and test_right.c; here that nothing ends. */
#include "harness/structs.h"
#include "harness/weft_test.h"
#include "samples/device.h"
#include <weft/sample.h>

enum { ORDERS = 3 };

/* The sum of everything that a gradient was found for; NULL: of nothing. */
static weft_tensor *sum_of(weft_tensor *const *g, int n)
{
    weft_tensor *all = NULL;
    for (int k = 0; k < n; k++) {
        if (!g[k] || !weft_requires_grad(g[k]))
            continue;
        weft_tensor *one = weft_sum(weft_square(g[k]), WEFT_ALL, false);
        all = all ? weft_add(all, one) : one;
    }
    return all;
}

static void take_orders(weft_ctx *c, const weft_op_description *about, int recipe, weft_sample_call *call)
{
    weft_tensor *leaves[WEFT_SAMPLE_OPERANDS], *g[WEFT_SAMPLE_OPERANDS];
    int n = 0;
    for (int k = 0; k < call->n_in; k++)
        if (call->in[k] && call->smooth[k])
            leaves[n++] = weft_set_requires_grad(call->in[k], true);
    if (n == 0)
        return;
    WEFT_CHECK_OK(weft_sample_run(call));
    weft_tensor *y = weft_sample_result(call);
    y = y ? weft_sum(weft_square(y), WEFT_ALL, false) : NULL;
    for (int order = 1; order <= ORDERS && y; order++) {
        const weft_status status =
            weft_grad(c, &y, NULL, 1, leaves, n, WEFT_GRAD_CREATE_GRAPH | WEFT_GRAD_ALLOW_UNUSED, g);
        if (status != WEFT_OK) {
            WEFT_FAIL("%s, recipe %d, order %d: %s", about->name, recipe, order, weft_ctx_message(c));
            return;
        }
        y = sum_of(g, n);
    }
}

WEFT_TEST(Orders, EveryDerivativeHasAThird)
{
    weft_ctx *c = NULL;
    WEFT_REQUIRE(weft_ctx_open(&WITH_OPTIONS(.device = test_device(), .threads = 1), &c) == WEFT_OK);
    int differentiable = 0;
    for (int op = 0; op < weft_op_count(); op++) {
        weft_op_description about = {0};
        weft_sample_description recipes = {0};
        WEFT_CHECK_OK(weft_op_describe(op, &about, sizeof about));
        WEFT_CHECK_OK(weft_sample_describe(op, &recipes, sizeof recipes));
        differentiable += about.differentiable;
        for (int recipe = 0; about.differentiable && recipe < recipes.recipes; recipe++) {
            weft_sample_call call;
            weft_sample_options how = WEFT_SAMPLE_DEFAULTS;
            how.dtype = WEFT_F64;
            how.recipe = recipe;
            const int mark = weft_scope_push(c);
            WEFT_CHECK_OK(weft_sample_make(c, op, &how, &call));
            take_orders(c, &about, recipe, &call);
            weft_ctx_clear(c);
            WEFT_CHECK_OK(weft_scope_pop(c, mark));
        }
    }
    WEFT_CHECK(differentiable > 150);
    weft_ctx_close(c);
}
