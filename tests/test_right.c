/* test_right.c - derivatives and sums that PyTorch gets silently wrong (right/cases.h): Weft's against what is exact,
 * and those of f64 against central differences of the order below. */
#include <math.h>
#include <stdio.h>

#include "harness/weft_test.h"
#include "right/cases.h"
#include "samples/layout.h"

static void check_exact(const right_case *c, double value)
{
    const double most = c->tolerance * fmax(fabs(c->exact), 1);
    if (!(value == c->exact || fabs(value - c->exact) <= most))
        WEFT_FAIL("%s, order %d: %.17g, not %.17g", c->name, c->order, value, c->exact);
}

/* (d(h) - d(-h)) / 2h, d the derivative of the order below, with an error of h^2 of the second order above. */
static void check_difference(weft_ctx *ctx, const right_case *c)
{
    const double h = 1e-4;
    double after, before;
    WEFT_CHECK_OK(right_derivative(ctx, c, c->order - 1, h, &after));
    WEFT_CHECK_OK(right_derivative(ctx, c, c->order - 1, -h, &before));
    const double difference = (after - before) / (2 * h);
    if (!(fabs(difference - c->exact) <= 1e-5 * fmax(fabs(c->exact), 1)))
        WEFT_FAIL("%s, order %d: the difference is %.12g, not %.12g", c->name, c->order, difference, c->exact);
}

static void run_case(void *user)
{
    const right_case *c = user;
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    const int mark = weft_scope_push(ctx);
    double value = 0;
    if (right_derivative(ctx, c, c->order, 0, &value) != WEFT_OK)
        WEFT_FAIL("%s, order %d: %s", c->name, c->order, weft_ctx_message(ctx));
    else
        check_exact(c, value);
    if (c->order > 0 && c->dtype == WEFT_F64)
        check_difference(ctx, c);
    weft_ctx_clear(ctx);
    WEFT_CHECK_OK(weft_scope_pop(ctx, mark));
    test_ctx_close(ctx, &memory);
}

WEFT_TEST_INIT(right)
{
    for (int k = 0; k < right_case_count; k++) {
        char name[64];
        snprintf(name, sizeof name, "%s/%s/%d/%d", right_cases[k].name, weft_dtype_name(right_cases[k].dtype),
                 right_cases[k].order, k);
        weft_test_add("Right", name, run_case, (void *)(uintptr_t)&right_cases[k], __FILE__, __LINE__);
    }
}
