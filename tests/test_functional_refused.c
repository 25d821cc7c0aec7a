/* test_functional_refused.c - functional.h with wrong arguments, functions that fail, evade or jump, operations without
 * a second derivative: a sentence each, and nothing left behind. */
#include "callbacks.h"
#include "harness/structs.h"
#include "tally.h"

static weft_tensor *square(weft_ctx *c, weft_tensor *const *in, int n, void *user)
{
    (void)c, (void)n, (void)user;
    return weft_square(in[0]);
}

static weft_tensor *total(weft_ctx *c, weft_tensor *const *in, int n, void *user)
{
    return weft_sum(square(c, in, n, user), WEFT_ALL, false);
}

/* ---- Each function, as one call ---- */

enum { VJP, JVP, HVP, JACOBIAN, HESSIAN, BATCH, SAMPLE, FUNCTIONS };
static const char *const names[] = {"vjp", "jvp", "hvp", "jacobian", "hessian", "batch_jacobian", "per_sample_grad"};

/* Of one input, along v; what is handed back must be NULL after an error. */
static weft_status call(int which, weft_ctx *c, weft_tensor *x, weft_tensor *v, weft_function f, void *user, int flags)
{
    weft_tensor *y = x, *g = x;
    weft_status status = WEFT_E_INTERNAL;
    if (which == VJP)
        status = weft_vjp(c, &x, 1, v, f, user, flags, &y, &g);
    else if (which == JVP)
        status = weft_jvp(c, &x, &v, 1, f, user, flags, &y, &g);
    else if (which == HVP)
        status = weft_hvp(c, &x, &v, 1, f, user, flags, &y, &g);
    else if (which == JACOBIAN)
        status = weft_jacobian(c, &x, 1, f, user, flags, &y, &g);
    else if (which == HESSIAN)
        status = weft_hessian(c, &x, 1, f, user, flags, &y, &g);
    else if (which == BATCH)
        status = weft_batch_jacobian(c, &x, 1, f, user, flags, &y, &g);
    else if (x && v && weft_ndim(x) == 1) { /* a number that all samples share */
        x = weft_select(x, 0, 0);
        status = weft_per_sample_grad(c, &x, 1, &v, 1, f, user, flags, &y, &g);
    } else
        status = weft_per_sample_grad(c, &x, 1, &v, 1, f, user, flags, &y, &g);
    if (status != WEFT_OK && (y || g))
        WEFT_FAIL("weft_%s: something is handed back with the error", names[which]);
    if (status == WEFT_OK && (!y || !g))
        WEFT_FAIL("weft_%s: nothing is handed back", names[which]);
    WEFT_CHECK_STATUS(weft_ctx_status(c), status);
    return status;
}

/* The error is want, names the function and its line, says part, and nothing is left of the call. */
static void refuse(int which, weft_ctx *c, weft_tensor *x, weft_tensor *v, weft_function f, void *user,
                   weft_status want, const char *part)
{
    const tally before = tally_of(c);
    const int mark = weft_scope_push(c);
    const weft_status found = call(which, c, x, v, f, user, 0);
    if (found != want)
        WEFT_FAIL("weft_%s: %s, not %s", names[which], weft_status_name(found), weft_status_name(want));
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), names[which]);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), part);
    weft_ctx_clear(c);
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
    tally_same(&before, c, "weft_%s: %s", names[which], part);
}

static weft_tensor *nothing(weft_ctx *c, weft_tensor *const *in, int n, void *user)
{
    (void)c, (void)in, (void)n, (void)user;
    return NULL;
}

static weft_tensor *fails(weft_ctx *c, weft_tensor *const *in, int n, void *user)
{
    (void)n, (void)user;
    weft_scope_push(c);
    weft_set_grad_enabled(c, false);
    return weft_add(in[0], weft_ones(c, WEFT_F64, WEFT_DIMS(7)));
}

static weft_tensor *places(weft_ctx *c, weft_tensor *const *in, int n, void *user)
{
    (void)c, (void)n, (void)user;
    return weft_argmax(in[0], WEFT_ALL, false);
}

static weft_tensor *constant(weft_ctx *c, weft_tensor *const *in, int n, void *user)
{
    (void)in, (void)n, (void)user;
    return weft_ones(c, WEFT_F64, WEFT_DIMS(3));
}

static weft_tensor *cut(weft_ctx *c, weft_tensor *const *in, int n, void *user)
{
    (void)c, (void)n, (void)user;
    return weft_square(weft_detach(in[0]));
}

static weft_tensor *no_record(weft_ctx *c, weft_tensor *const *in, int n, void *user)
{
    const bool was = weft_set_grad_enabled(c, false);
    weft_tensor *y = square(c, in, n, user);
    weft_set_grad_enabled(c, was);
    return y;
}

static weft_tensor *dead(weft_ctx *c, weft_tensor *const *in, int n, void *user)
{
    (void)n, (void)user;
    const int mark = weft_scope_push(c);
    weft_tensor *y = weft_square(in[0]);
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
    return y;
}

static weft_tensor *deep(weft_ctx *c, weft_tensor *const *in, int n, void *user)
{
    (void)n, (void)user, (void)c;
    return weft_reshape(in[0], WEFT_DIMS(3, 1, 1, 1, 1, 1, 1, 1));
}

WEFT_TEST(FunctionalRefused, FunctionsThatDoNotDo)
{
    fault_memory m = {0};
    weft_ctx *c = open_faulty(&m);
    weft_tensor *x = weft_ones(c, WEFT_F64, WEFT_DIMS(3)), *v = weft_ones(c, WEFT_F64, WEFT_DIMS(3));
    for (int k = 0; k < FUNCTIONS; k++) {
        refuse(k, c, x, v, NULL, NULL, WEFT_E_NULL_ARGUMENT, "needs a function");
        refuse(k, c, x, v, nothing, NULL, WEFT_E_CALLBACK, "the function returned NULL");
        refuse(k, c, x, v, dead, NULL, WEFT_E_DEAD_TENSOR, "the function's result was freed");
        refuse(k, c, x, v, places, NULL, WEFT_E_DTYPE, "made by weft_argmax) has no derivative");
        if (k == HVP || k == HESSIAN) {
            refuse(k, c, x, v, square, NULL, WEFT_E_SHAPE, "must have one element");
            continue;
        }
        refuse(k, c, x, v, constant, NULL, WEFT_E_NO_GRADIENT,
               k == SAMPLE ? "does not depend on" : "input 0 (f64 [3])");
        refuse(k, c, x, v, cut, NULL, WEFT_E_NO_GRADIENT, "the path was cut by weft_detach at ");
        refuse(k, c, x, v, no_record, NULL, WEFT_E_NO_GRADIENT, "recording was switched off");
        if (k == JACOBIAN)
            refuse(k, c, x, v, deep, NULL, WEFT_E_SHAPE, "would have 9 dims");
        if (k == BATCH || k == SAMPLE)
            refuse(k, c, x, v, total, NULL, WEFT_E_SHAPE, k == BATCH ? "it must be [B, ...]" : "it must be [B]");
    }
    weft_tensor *const list[1] = {x};
    weft_tensor *out[4];
    for (int k = 0; k < FUNCTIONS; k++) { /* an error of f's own is the first, and what f left open is closed */
        const tally before = tally_of(c);
        const int mark = weft_scope_push(c);
        WEFT_CHECK_STATUS(call(k, c, x, v, fails, NULL, 0), WEFT_E_SHAPE);
        WEFT_CHECK_STR_HAS(weft_ctx_message(c), "weft_add: ");
        WEFT_CHECK_STATUS(call(k, c, x, v, square, NULL, 0), WEFT_E_SHAPE); /* it sticks */
        weft_ctx_clear(c);
        WEFT_CHECK(weft_grad_enabled(c));
        WEFT_CHECK_OK(weft_scope_pop(c, mark));
        tally_same(&before, c, "weft_%s of a function that fails", names[k]);
    }
    WEFT_CHECK_STATUS(weft_vjp(NULL, list, 1, NULL, square, NULL, 0, NULL, out), WEFT_E_NULL_ARGUMENT);
    WEFT_CHECK_STATUS(weft_hessian(NULL, list, 1, square, NULL, 0, NULL, out), WEFT_E_NULL_ARGUMENT);
    WEFT_CHECK_STATUS(weft_jvp(NULL, list, list, 1, square, NULL, 0, NULL, NULL), WEFT_E_NULL_ARGUMENT);
    WEFT_CHECK_STATUS(weft_jacobian(c, list, 1, square, NULL, 0, &out[0], NULL), WEFT_E_NULL_ARGUMENT);
    WEFT_CHECK(!out[0]);
    refused(c, WEFT_E_NULL_ARGUMENT, "weft_jacobian: needs room for the derivatives");
    WEFT_CHECK_STATUS(weft_jacobian(c, list, 1, square, NULL, 64, NULL, out), WEFT_E_INVALID);
    refused(c, WEFT_E_INVALID, "flags are 64");
    check_whole(c, &m);
}

WEFT_TEST(FunctionalRefused, InputsAndVectorsThatDoNotFit)
{
    fault_memory m = {0};
    weft_ctx *c = open_faulty(&m);
    weft_tensor *x = weft_ones(c, WEFT_F64, WEFT_DIMS(3)), *v = weft_ones(c, WEFT_F64, WEFT_DIMS(3)), *out[4];
    weft_tensor *whole = weft_ones(c, WEFT_I64, WEFT_DIMS(3)), *four = weft_ones(c, WEFT_F64, WEFT_DIMS(4));
    for (int k = 0; k < FUNCTIONS; k++) {
        refuse(k, c, NULL, v, square, NULL, WEFT_E_NULL_ARGUMENT,
               k == SAMPLE ? "parameter 0 is NULL" : "input 0 is NULL");
        refuse(k, c, whole, k == JVP || k == HVP ? v : NULL, square, NULL,
               k == SAMPLE            ? WEFT_E_NULL_ARGUMENT
               : k == JVP || k == HVP ? WEFT_E_DTYPE
                                      : WEFT_E_NO_GRADIENT,
               k == SAMPLE            ? "batch tensor 0 is NULL"
               : k == JVP || k == HVP ? "0 is given, but input 0 is i64 [3]"
                                      : "no input is of a floating dtype");
    }
    refuse(VJP, c, x, four, square, NULL, WEFT_E_SHAPE, "the cotangent is f64 [4], the function's result f64 [3]");
    refuse(VJP, c, x, NULL, square, NULL, WEFT_E_SHAPE, "has 3 elements, and the cotangent is NULL");
    refuse(JVP, c, x, four, square, NULL, WEFT_E_SHAPE, "tangent 0 is f64 [4], input 0 f64 [3]");
    refuse(HVP, c, x, four, total, NULL, WEFT_E_SHAPE, "direction 0 is f64 [4], input 0 f64 [3]");
    refuse(JVP, c, x, NULL, square, NULL, WEFT_E_INVALID, "every tangent is NULL");
    refuse(HVP, c, x, NULL, total, NULL, WEFT_E_INVALID, "every direction is NULL");
    refuse(BATCH, c, weft_ones(c, WEFT_F64, WEFT_SCALAR), NULL, constant, NULL, WEFT_E_SHAPE, "input 0 is f64 []");
    weft_tensor *const two[2] = {x, four}, *const one[1] = {x};
    WEFT_CHECK_STATUS(weft_per_sample_grad(c, one, 1, two, 2, square, NULL, 0, NULL, out), WEFT_E_SHAPE);
    refused(c, WEFT_E_SHAPE, "batch tensor 1 is f64 [4]; all must be [B, ...] with one and the same B, as in f64 [3]");
    WEFT_CHECK_STATUS(weft_per_sample_grad(c, one, 1, NULL, 0, square, NULL, 0, NULL, out), WEFT_E_NULL_ARGUMENT);
    refused(c, WEFT_E_NULL_ARGUMENT, "at least one parameter, and a batch");
    WEFT_CHECK_STATUS(weft_hvp(c, one, NULL, 1, total, NULL, 0, NULL, out), WEFT_E_NULL_ARGUMENT);
    refused(c, WEFT_E_NULL_ARGUMENT, "a list of as many tensors");
    check_whole(c, &m);
}

WEFT_TEST(FunctionalRefused, AListMayTakeWhatItGave)
{
    fault_memory m = {0};
    weft_ctx *c = open_faulty(&m);
    weft_tensor *x = weft_full(c, WEFT_F64, WEFT_DIMS(3), 2), *v = weft_full(c, WEFT_F64, WEFT_DIMS(3), 5);
    WEFT_CHECK_OK(weft_jvp(c, &x, &v, 1, square, NULL, 0, &x, &v));  /* 4, 20 */
    WEFT_CHECK_OK(weft_vjp(c, &x, 1, v, square, NULL, 0, NULL, &x)); /* 2 * 4 * 20 */
    WEFT_CHECK_NEAR(weft_item(c, weft_select(x, 0, 1)), 160, 0);
    WEFT_CHECK_OK(weft_hessian(c, &x, 1, total, NULL, 0, NULL, &x));
    WEFT_CHECK_NEAR(weft_item(c, weft_sum(x, WEFT_ALL, false)), 6, 0);
    check_whole(c, &m);
}

/* ---- Functions and hooks that do not come back ---- */

static weft_tensor *evades(weft_ctx *c, weft_tensor *const *in, int n, void *user)
{
    escapade *e = user;
    (void)n;
    weft_tensor *y = weft_sum(weft_square(in[0]), WEFT_ALL, false);
    WEFT_CHECK_OK(weft_scope_pop(c, e->outer));
    return y; /* dead */
}

static weft_tensor *jumps(weft_ctx *c, weft_tensor *const *in, int n, void *user)
{
    escapade *e = user;
    (void)c, (void)n;
    weft_square(in[0]);
    longjmp(e->back, 1);
}

static weft_tensor *hook_jumps(void *user, weft_tensor *t, weft_tensor *g)
{
    escapade *e = user;
    (void)t, (void)g;
    if (++e->depth == e->most)
        longjmp(e->back, 1);
    return NULL;
}

static weft_tensor *hook_evades(void *user, weft_tensor *t, weft_tensor *g)
{
    escapade *e = user;
    (void)t, (void)g;
    if (++e->depth == e->most)
        WEFT_CHECK_OK(weft_scope_pop(e->c, e->outer));
    return NULL;
}

static weft_tensor *hooked(weft_ctx *c, weft_tensor *const *in, int n, void *user)
{
    (void)c, (void)n;
    escapade *e = user;
    weft_tensor *y = weft_square(in[0]);
    WEFT_CHECK_OK(weft_add_hook(y, e->x ? hook_jumps : hook_evades, e));
    return weft_sum(y, WEFT_ALL, false);
}

static weft_tensor *hooked_rows(weft_ctx *c, weft_tensor *const *in, int n, void *user)
{
    (void)c, (void)n;
    escapade *e = user;
    weft_tensor *y = weft_square(in[0]);
    WEFT_CHECK_OK(weft_add_hook(y, e->x ? hook_jumps : hook_evades, e));
    return weft_mul_scalar(y, 2);
}

/* One that jumps does so out of here. */
static bool comes_back(int which, escapade *e, weft_tensor *v, weft_function g)
{
    if (setjmp(e->back))
        return false;
    WEFT_CHECK_STATUS(call(which, e->c, weft_ones(e->c, WEFT_F64, WEFT_DIMS(3)), v, g, e, 0), WEFT_E_STATE);
    return true;
}

enum { EVADES, JUMPS, HOOK_EVADES, HOOK_JUMPS, WAYS };

static void check_way(int which, int way)
{
    fault_memory m = {0};
    escapade e = {.c = open_faulty(&m), .most = 1};
    const tally before = tally_of(e.c);
    e.outer = weft_scope_push(e.c);
    weft_tensor *v = weft_ones(e.c, WEFT_F64, WEFT_DIMS(3));
    e.x = way == HOOK_JUMPS ? v : NULL;
    weft_function const late = which == HVP || which == HESSIAN ? hooked : hooked_rows;
    const bool back = comes_back(which, &e, v, way == EVADES ? evades : way == JUMPS ? jumps : late);
    WEFT_CHECK_EQ_INT(back, way == EVADES || way == HOOK_EVADES);
    if (back)
        refused(e.c, WEFT_E_STATE, "closed a scope that was open before");
    else
        WEFT_CHECK_OK(weft_scope_pop(e.c, e.outer));
    tally_same(&before, e.c, "weft_%s, way %d", names[which], way);
    check_whole(e.c, &m);
}

WEFT_TEST(FunctionalRefused, WhoDoesNotComeBackLeavesNothing)
{
    for (int k = 0; k < FUNCTIONS; k++)
        for (int way = 0; way < WAYS; way++)
            check_way(k, way);
}

/* ---- Custom operations ---- */

static weft_status sine_values(weft_ctx *c, const weft_array *in, int n, weft_array *out, void *user)
{
    (void)c, (void)n, (void)user;
    for (int64_t k = 0; k < out->count; k++) /* x^3 */
        ((double *)out->data)[k] =
            ((const double *)in[0].data)[k] * ((const double *)in[0].data)[k] * ((const double *)in[0].data)[k];
    return WEFT_OK;
}

static weft_status slope_values(weft_ctx *c, const weft_array *in, int n, weft_array *out, void *user)
{
    (void)c, (void)n, (void)user;
    for (int64_t k = 0; k < out->count; k++)
        ((double *)out->data)[k] = 3 * ((const double *)in[0].data)[k] * ((const double *)in[0].data)[k];
    return WEFT_OK;
}

static weft_status recorded(weft_ctx *c, weft_tensor *const *in, int n, weft_tensor *y, weft_tensor *g,
                            weft_tensor **out, void *user)
{
    (void)c, (void)n, (void)y, (void)user;
    out[0] = weft_mul(g, weft_mul_scalar(weft_square(in[0]), 3));
    return WEFT_OK;
}

/* By numbers: nothing is recorded at all. */
static weft_status by_numbers(weft_ctx *c, weft_tensor *const *in, int n, weft_tensor *y, weft_tensor *g,
                              weft_tensor **out, void *user)
{
    (void)n, (void)y, (void)user;
    double xs[3], gs[3];
    if (weft_read(c, in[0], xs, sizeof xs) != WEFT_OK || weft_read(c, g, gs, sizeof gs) != WEFT_OK)
        return weft_ctx_status(c);
    for (int k = 0; k < 3; k++)
        gs[k] *= 3 * xs[k] * xs[k];
    out[0] = weft_from_data(c, WEFT_F64, WEFT_DIMS(3), gs);
    return WEFT_OK;
}

static const weft_custom_op slope = INIT_CUSTOM_OP(.name = "slope", .forward = slope_values);

/* Recorded by the gradient, but its factor is a custom operation without a derivative. */
static weft_status by_slope(weft_ctx *c, weft_tensor *const *in, int n, weft_tensor *y, weft_tensor *g,
                            weft_tensor **out, void *user)
{
    (void)c, (void)n, (void)y, (void)user;
    out[0] = weft_mul(g, weft_custom(&slope, in, 1));
    return WEFT_OK;
}

/* The custom operation, and something that is differentiable twice: what is cut is only a part. */
static weft_tensor *with_custom(weft_ctx *c, weft_tensor *const *in, int n, void *user)
{
    (void)c, (void)n;
    return weft_add(weft_custom(user, in, 1), weft_square(in[0]));
}

static weft_tensor *with_custom_total(weft_ctx *c, weft_tensor *const *in, int n, void *user)
{
    return weft_sum(with_custom(c, in, n, user), WEFT_ALL, false);
}

WEFT_TEST(FunctionalRefused, CustomOperationsWithoutASecondDerivativeAreNamed)
{
    fault_memory m = {0};
    weft_ctx *c = open_faulty(&m);
    const weft_custom_op fine = INIT_CUSTOM_OP(.name = "fine", .forward = sine_values, .backward = recorded);
    const weft_custom_op numbers = INIT_CUSTOM_OP(.name = "numbers", .forward = sine_values, .backward = by_numbers);
    const weft_custom_op cuts = INIT_CUSTOM_OP(.name = "cuts", .forward = sine_values, .backward = by_slope);
    weft_tensor *x = weft_full(c, WEFT_F64, WEFT_DIMS(3), 2), *v = weft_full(c, WEFT_F64, WEFT_DIMS(3), 5), *out = NULL;
    /* slopes 12 + 4, curvatures 12 + 2 */
    WEFT_CHECK_OK(weft_jvp(c, &x, &v, 1, with_custom, (void *)&fine, 0, NULL, &out));
    WEFT_CHECK_NEAR(weft_item(c, weft_select(out, 0, 2)), 80, 0);
    WEFT_CHECK_OK(weft_hvp(c, &x, &v, 1, with_custom_total, (void *)&fine, 0, NULL, &out));
    WEFT_CHECK_NEAR(weft_item(c, weft_select(out, 0, 2)), 70, 0);
    WEFT_CHECK_OK(weft_jvp(c, &x, &v, 1, with_custom, (void *)&cuts, 0, NULL, &out)); /* the factor is all it takes */
    WEFT_CHECK_NEAR(weft_item(c, weft_select(out, 0, 2)), 80, 0);
    for (int k = 0; k < 2; k++) { /* one pass needs no record */
        void *op = (void *)(k ? &numbers : &cuts);
        WEFT_CHECK_OK(weft_vjp(c, &x, 1, v, with_custom, op, 0, NULL, &out));
        WEFT_CHECK_NEAR(weft_item(c, weft_select(out, 0, 2)), 80, 0);
        WEFT_CHECK_OK(weft_jacobian(c, &x, 1, with_custom, op, 0, NULL, &out));
        WEFT_CHECK_NEAR(weft_item(c, weft_sum(out, WEFT_ALL, false)), 48, 0);
    }
    static const struct {
        int which;
        bool by_numbers;
    } cases[] = {{JVP, true}, {HVP, true}, {HESSIAN, true}, {HVP, false}, {HESSIAN, false}};
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        const tally before = tally_of(c);
        const int mark = weft_scope_push(c);
        weft_function const f = cases[k].which == JVP ? with_custom : with_custom_total;
        WEFT_CHECK_STATUS(call(cases[k].which, c, x, v, f, (void *)(cases[k].by_numbers ? &numbers : &cuts), 0),
                          WEFT_E_NO_GRADIENT);
        WEFT_CHECK_STR_HAS(weft_ctx_message(c), cases[k].by_numbers ? "weft_numbers: it has no second derivative"
                                                                    : "weft_cuts: it has no second derivative");
        WEFT_CHECK_STR_HAS(weft_ctx_message(c), "called at ");
        weft_ctx_clear(c);
        WEFT_CHECK_OK(weft_scope_pop(c, mark));
        tally_same(&before, c, "case %zu", k);
    }
    for (int which = VJP; which <= JACOBIAN; which++) {
        weft_function const f = which == HVP ? with_custom_total : with_custom;
        WEFT_CHECK_STATUS(call(which, c, x, v, f, (void *)&cuts, WEFT_GRAD_CREATE_GRAPH), WEFT_E_NO_GRADIENT);
        refused(c, WEFT_E_NO_GRADIENT, "weft_cuts: it has no second derivative");
        WEFT_CHECK_STATUS(call(which, c, x, v, f, (void *)&numbers, WEFT_GRAD_CREATE_GRAPH), WEFT_E_NO_GRADIENT);
        refused(c, WEFT_E_NO_GRADIENT, "weft_numbers: it has no second derivative");
    }
    check_whole(c, &m);
}
