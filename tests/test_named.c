/* test_named.c - whatever is wrong with the operands or numbers of an operation, and whichever operation inside it
 * finds out, the message begins with the function that the program called. Every operation by its samples. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <weft/reference.h>
#include <weft/sample.h>
#include "harness/structs.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"

/* What becomes of one operand, or of one number, of a call that is right. */
typedef enum mishap { OTHER_SHAPE, NO_DIMS, TRUTHS, WHOLE, REAL, NOT_THERE, MISHAPS } mishap;

static weft_tensor *mishandled(weft_ctx *c, mishap what)
{
    switch (what) {
    case OTHER_SHAPE:
        return weft_ones(c, WEFT_F32, WEFT_DIMS(7, 1, 11));
    case NO_DIMS:
        return weft_ones(c, WEFT_F32, WEFT_SCALAR);
    case TRUTHS:
        return weft_ones(c, WEFT_BOOL, WEFT_DIMS(3, 4));
    case WHOLE:
        return weft_full(c, WEFT_I64, WEFT_DIMS(3), 77);
    case REAL:
        return weft_ones(c, WEFT_F64, WEFT_DIMS(3));
    default:
        return NULL;
    }
}

/* Calls, and looks at the error if there is one. */
static int check_call(weft_sample_call *call, const char *name, const char *what, int number)
{
    weft_ctx *c = call->ctx;
    char begins[96];
    (void)weft_sample_run(call);
    snprintf(begins, sizeof begins, "weft_%s: ", name);
    const bool failed = weft_ctx_status(c) != WEFT_OK;
    if (failed && strncmp(weft_ctx_message(c), begins, strlen(begins)) != 0)
        WEFT_FAIL("weft_%s with %s %d: \"%s\"", name, what, number, weft_ctx_message(c));
    weft_ctx_clear(c);
    return failed;
}

/* A call by a recipe; false: there is none. */
static bool make_call(weft_ctx *c, int op, int recipe, weft_sample_call *call)
{
    const weft_sample_options o = INIT_SAMPLE(.recipe = recipe, .sizes = {3, 4, -1, 5});
    return weft_sample_make(c, op, &o, call) == WEFT_OK;
}

static int check_operation(weft_ctx *c, int op, const char *name, int recipe)
{
    weft_sample_call right, call; /* of a call that could not be made no operand and no number is tried */
    int failed = 0;
    const int mark = weft_scope_push(c);
    WEFT_CHECK(make_call(c, op, recipe, &right));
    for (int k = 0; k < right.n_in; k++)
        for (int what = 0; what < MISHAPS; what++) {
            make_call(c, op, recipe, &call);
            call.in[k] = mishandled(c, (mishap)what);
            failed += check_call(&call, name, "another operand", k);
        }
    for (int k = 0; k < right.ni; k++)
        for (int sign = -1; sign <= 1; sign += 2) {
            make_call(c, op, recipe, &call);
            call.i[k] = 99 * sign;
            failed += check_call(&call, name, "another whole number", k);
        }
    for (int k = 0; k < right.nf; k++) {
        make_call(c, op, recipe, &call);
        call.f[k] = -(double)INFINITY;
        failed += check_call(&call, name, "an infinite number", k);
    }
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
    return failed;
}

WEFT_TEST(Named, ErrorsBeginWithTheFunctionThatWasCalled)
{
    fault_memory memory = {0};
    weft_ctx *c = fault_ctx_open(&memory);
    WEFT_REQUIRE(c);
    int failed = 0;
    for (int op = 0; op < weft_op_count(); op++) {
        weft_op_description about;
        weft_sample_description samples;
        WEFT_CHECK_OK(weft_op_describe(op, &about, sizeof about));
        WEFT_CHECK_OK(weft_sample_describe(op, &samples, sizeof samples));
        for (int r = 0; r < samples.recipes; r++)
            failed += check_operation(c, op, about.name, r);
    }
    WEFT_CHECK(failed > 1000); /* else it tries nothing */
    fault_ctx_close(c, &memory);
}

/* ---- Within a callback ---- */

static weft_tensor *wrong_class(void *user, weft_tensor *t, weft_tensor *g)
{
    weft_ctx *c = user;
    (void)t;
    (void)weft_nll(g, weft_full(c, WEFT_I64, WEFT_DIMS(2), 7));
    return NULL;
}

static weft_tensor *wrong_sizes(void *user, weft_tensor *t, weft_tensor *g)
{
    weft_ctx *c = user;
    (void)t;
    (void)weft_nll(g, weft_zeros(c, WEFT_I64, WEFT_DIMS(2))); /* is right, and over when the next one is called */
    (void)weft_matmul(g, g);
    return NULL;
}

static void check_hook(weft_hook hook, weft_status status, const char *text)
{
    fault_memory memory = {0};
    weft_ctx *c = fault_ctx_open(&memory);
    weft_tensor *x = weft_set_requires_grad(weft_ones(c, WEFT_F64, WEFT_DIMS(2, 3)), true);
    WEFT_CHECK_OK(weft_add_hook(x, hook, c));
    WEFT_CHECK_STATUS(weft_backward(c, weft_sum(weft_square(x), WEFT_ALL, false)), status);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), text);
    weft_ctx_clear(c);
    fault_ctx_close(c, &memory);
}

/* The function whose callback it was, the operation that the callback called, and what ran inside. */
WEFT_TEST(Named, ErrorsOfACallbackNameWhatItCalled)
{
    check_hook(wrong_class, WEFT_E_INVALID, "weft_backward: in weft_nll: in weft_gather: target[0] = 7 is outside");
    check_hook(wrong_sizes, WEFT_E_SHAPE, "weft_backward: in weft_matmul: inner sizes differ");
}
