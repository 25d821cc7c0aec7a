/* test_optim_state.c - what optimisers keep beside half parameters, what they refuse, and who may close them when. */
#include <math.h>
#include <string.h>
#include <weft/profile.h>
#include "harness/structs.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"

/* Steps with the same gradient g each time. */
static void push(weft_ctx *c, weft_tensor *p, weft_optim *opt, double g, int steps)
{
    for (int k = 0; k < steps; k++) {
        int mark = weft_scope_push(c);
        weft_backward(c, weft_sum(weft_mul_scalar(p, g), WEFT_ALL, false));
        weft_optim_step(c, opt);
        weft_optim_zero_grad(c, opt);
        WEFT_CHECK_OK(weft_scope_pop(c, mark));
    }
}

static double largest_of(weft_ctx *c, weft_tensor *t)
{
    return weft_item(c, weft_max_over(weft_cast(t, WEFT_F64), WEFT_ALL, false));
}

/* ---- Half types ---- */

/* Adam moves by lr whatever the size of a constant gradient; its square must not be kept in f16. */
WEFT_TEST(OptimHalf, StateOfHalfParametersIsF32)
{
    static const struct {
        weft_dtype dtype;
        double g;
        int steps;
        double tolerance; /* of the roundings of p */
    } runs[] = {{WEFT_F16, 1e-4, 1000, 0.03}, {WEFT_F16, 1e4, 100, 2e-3},   {WEFT_F16, 1e-7, 100, 2e-3},
                {WEFT_BF16, 1e-4, 100, 0.02}, {WEFT_F32, 1e-4, 1000, 1e-3}, {WEFT_F64, 1e-4, 1000, 1e-3}};
    for (size_t k = 0; k < sizeof runs / sizeof runs[0]; k++) {
        fault_memory m = {0};
        weft_ctx *c = fault_ctx_open(&m);
        weft_tensor *p = weft_param(weft_zeros(c, runs[k].dtype, WEFT_DIMS(3)), "p"), *state[3];
        weft_optim *opt;
        WEFT_CHECK_OK(weft_adam_open(c, &p, 1, &WITH_ADAM(.lr = 1e-3, .eps = 1e-12), &opt));
        push(c, p, opt, runs[k].g, runs[k].steps);
        WEFT_CHECK_NEAR(largest_of(c, p), -1e-3 * runs[k].steps, runs[k].tolerance);
        WEFT_CHECK_EQ_INT(weft_optim_state(opt, state, 3), 2);
        for (int i = 0; i < 2; i++)
            WEFT_CHECK_EQ_INT(weft_dtype_of(state[i]), runs[k].dtype == WEFT_F64 ? WEFT_F64 : WEFT_F32);
        weft_optim_close(opt);
        weft_release(p);
        fault_ctx_close(c, &m);
    }
}

typedef weft_status (*opener)(weft_ctx *c, weft_tensor *const *params, int n, bool master, weft_optim **out);

static weft_status plain_sgd(weft_ctx *c, weft_tensor *const *p, int n, bool master, weft_optim **out)
{
    return weft_sgd_open(c, p, n, &WITH_SGD(.lr = 1, .master_weights = master), out);
}

static weft_status nesterov(weft_ctx *c, weft_tensor *const *p, int n, bool master, weft_optim **out)
{
    weft_sgd_options o = INIT_SGD(.lr = 0.1, .momentum = 0.9, .nesterov = true, .master_weights = master);
    return weft_sgd_open(c, p, n, &o, out);
}

static weft_status adam(weft_ctx *c, weft_tensor *const *p, int n, bool master, weft_optim **out)
{
    return weft_adam_open(c, p, n, &WITH_ADAM(.lr = 1e-3, .master_weights = master), out);
}

static weft_status adamw(weft_ctx *c, weft_tensor *const *p, int n, bool master, weft_optim **out)
{
    weft_adam_options o = INIT_ADAM(.lr = 1e-3, .weight_decay = 0.01, .master_weights = master);
    return weft_adamw_open(c, p, n, &o, out);
}

static const opener openers[] = {plain_sgd, nesterov, adam, adamw};

/* Where 1000 steps of about 1e-3 end; the last state tensor, the master weights if there are any, in *last. */
static double descend(opener open, weft_dtype dtype, bool master, double *last)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *p = weft_param(weft_zeros(c, dtype, WEFT_DIMS(2, 3)), "p"), *state[3] = {NULL};
    weft_optim *opt;
    WEFT_CHECK_OK(open(c, &p, 1, master, &opt));
    push(c, p, opt, 0x1p-10, 1000); /* the same gradient in every type */
    const double end = largest_of(c, p);
    const int n = weft_optim_state(opt, state, 3);
    *last = n > 0 ? largest_of(c, state[n - 1]) : 0;
    weft_optim_close(opt);
    weft_release(p);
    fault_ctx_close(c, &m);
    return end;
}

/* The same descent as of an f32 parameter; without master weights bf16 sticks where a step is less than half its
 * spacing. */
WEFT_TEST(OptimHalf, MasterWeightsReachWhatF32Reaches)
{
    for (size_t k = 0; k < sizeof openers / sizeof openers[0]; k++) {
        double last, in_f32 = descend(openers[k], WEFT_F32, true, &last);
        WEFT_CHECK_NEAR(in_f32, -1, 0.05);
        WEFT_CHECK_NEAR(descend(openers[k], WEFT_F16, true, &last), in_f32, 0x1p-12);
        WEFT_CHECK_NEAR(last, in_f32, 0);
        WEFT_CHECK_NEAR(descend(openers[k], WEFT_BF16, true, &last), in_f32, 0x1p-9);
        WEFT_CHECK_NEAR(last, in_f32, 0);
        WEFT_CHECK(descend(openers[k], WEFT_BF16, false, &last) > -0.6);
    }
}

WEFT_TEST(OptimHalf, StateWithMasterWeightsContinuesBitForBit)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *p[] = {weft_param(weft_full(c, WEFT_BF16, WEFT_DIMS(4), 0.5), "half"),
                        weft_param(weft_full(c, WEFT_F32, WEFT_DIMS(2), 0.5), "single"),
                        weft_param(weft_full(c, WEFT_F16, WEFT_DIMS(3), 0.5), "other")};
    weft_tensor *state[8];
    weft_optim *opt;
    WEFT_CHECK_OK(weft_adam_open(c, p, 3, &WITH_ADAM(.master_weights = true, .allow_missing = true), &opt));
    WEFT_CHECK_EQ_INT(weft_optim_state(opt, NULL, 0), 8); /* two moments each, copies of the two half ones */
    WEFT_CHECK_EQ_INT(weft_optim_state(opt, state, 8), 8);
    WEFT_CHECK_EQ_INT(weft_count(state[6]), 4);
    WEFT_CHECK_EQ_INT(weft_count(state[7]), 3);
    for (int k = 0; k < 8; k++)
        WEFT_CHECK_EQ_INT(weft_dtype_of(state[k]), WEFT_F32);
    weft_tensor *all[11], *saved[11];
    memcpy(all, state, sizeof state);
    memcpy(all + 8, p, sizeof p);
    for (int k = 0; k < 3; k++)
        push(c, p[k], opt, 0.3 * (k + 1), 5);
    const int64_t steps = weft_optim_steps(opt);
    for (int k = 0; k < 11; k++)
        saved[k] = weft_clone(weft_detach(all[k]));
    double straight[2][3];
    for (int turn = 0; turn < 2; turn++) {
        for (int k = 0; k < 3; k++)
            push(c, p[k], opt, 0.7, 5);
        for (int k = 0; k < 3; k++)
            straight[turn][k] = largest_of(c, state[k == 1 ? 1 : 6 + k / 2]);
        bool was = weft_set_grad_enabled(c, false);
        for (int k = 0; k < 11; k++)
            weft_copy_(all[k], saved[k]);
        weft_set_grad_enabled(c, was);
        weft_optim_set_steps(opt, steps);
    }
    for (int k = 0; k < 3; k++)
        WEFT_CHECK(straight[0][k] == straight[1][k]);
    weft_optim_close(opt);
    for (int k = 0; k < 3; k++)
        weft_release(p[k]);
    fault_ctx_close(c, &m);
}

/* A parameter that is loaded after the open is not overwritten by its stale copy. */
WEFT_TEST(OptimHalf, MasterWeightsTakeUpWhatIsWritten)
{
    static const weft_dtype dtypes[] = {WEFT_F16, WEFT_BF16};
    for (int k = 0; k < 2; k++) {
        fault_memory m = {0};
        weft_ctx *c = fault_ctx_open(&m);
        weft_tensor *p = weft_param(weft_zeros(c, dtypes[k], WEFT_DIMS(5)), "p"), *state[1];
        weft_optim *opt;
        WEFT_CHECK_OK(weft_sgd_open(c, &p, 1, &WITH_SGD(.lr = 0.25, .master_weights = true), &opt));
        push(c, p, opt, 1, 2);
        bool was = weft_set_grad_enabled(c, false);
        weft_copy_(p, weft_arange(c, WEFT_F32, -0.5, 4, 1)); /* the first element stays what it is */
        weft_set_grad_enabled(c, was);
        push(c, p, opt, 1, 1);
        WEFT_CHECK_EQ_INT(weft_optim_state(opt, state, 1), 1);
        for (int i = 0; i < 5; i++) {
            WEFT_CHECK_NEAR(weft_item(c, weft_select(p, 0, i)), -0.75 + i, 0);
            WEFT_CHECK_NEAR(weft_item(c, weft_select(state[0], 0, i)), -0.75 + i, 0);
        }
        weft_optim_close(opt);
        weft_release(p);
        fault_ctx_close(c, &m);
    }
}

WEFT_TEST(OptimHalf, StepsRefuseStateOfAnotherType)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *p = weft_ones(c, WEFT_F16, WEFT_DIMS(2)), *f = weft_ones(c, WEFT_F32, WEFT_DIMS(2));
    const weft_sgd_options momentum = INIT_SGD(.momentum = 0.5);
    weft_step_lists lists = INIT_STEP_LISTS(.params = &p, .grads = &p, .state = &p, .n = 1, .step = 1);
    WEFT_CHECK_STATUS(weft_sgd_step(c, &lists, &momentum), WEFT_E_DTYPE);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c),
                       "state 0 is f16 [2], but for parameter 0, which is f16 [2], it must be f32");
    weft_ctx_clear(c);
    lists.params = lists.grads = lists.master = &f;
    WEFT_CHECK_STATUS(weft_sgd_step(c, &lists, NULL), WEFT_E_DTYPE);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "which needs none");
    weft_ctx_clear(c);
    lists = WITH_STEP_LISTS(.params = &p, .grads = &p, .state = (weft_tensor *[]){f, f}, .n = 1, .step = 1);
    WEFT_CHECK_STATUS(weft_adam_step(c, &lists, &WITH_ADAM(.beta1 = NAN)), WEFT_E_INVALID);
    weft_ctx_clear(c);
    lists.master = &p;
    WEFT_CHECK_STATUS(weft_adam_step(c, &lists, NULL), WEFT_E_DTYPE);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "weft_adam_step: master weights 0 is f16");
    weft_ctx_clear(c);
    lists.master = NULL;
    lists.step = 0;
    WEFT_CHECK_STATUS(weft_adam_step(c, &lists, NULL), WEFT_E_INVALID);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "step is 0; steps count from 1");
    weft_ctx_clear(c);
    lists.step = 1;
    lists.state = NULL;
    WEFT_CHECK_STATUS(weft_adam_step(c, &lists, NULL), WEFT_E_NULL_ARGUMENT);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "state is NULL");
    weft_ctx_clear(c);
    fault_ctx_close(c, &m);
}

/* ---- State ---- */

/* Velocity holds nothing before the first step, and without momentum there is none: whatever stands there does no harm,
 * in f32, f64 and for half parameters. */
WEFT_TEST(OptimState, IsNotReadBeforeTheFirstStep)
{
    static const weft_dtype dtypes[] = {WEFT_F32, WEFT_F64, WEFT_F16, WEFT_BF16};
    for (int k = 0; k < 4; k++) {
        fault_memory m = {0};
        weft_ctx *c = fault_ctx_open(&m);
        weft_tensor *p = weft_ones(c, dtypes[k], WEFT_DIMS(2500)), *g = weft_full(c, dtypes[k], WEFT_DIMS(2500), 0.5);
        weft_tensor *v = weft_full(c, k == 1 ? WEFT_F64 : WEFT_F32, WEFT_DIMS(2500), NAN);
        weft_step_lists lists = INIT_STEP_LISTS(.params = &p, .grads = &g, .state = &v, .n = 1, .step = 1);
        WEFT_CHECK_OK(weft_sgd_step(c, &lists, &WITH_SGD(.lr = 0.25))); /* does not even look at it */
        WEFT_CHECK(isnan(largest_of(c, v)));
        WEFT_CHECK_NEAR(largest_of(c, p), 0.875, 0);
        WEFT_CHECK_OK(weft_sgd_step(c, &lists, &WITH_SGD(.lr = 0.25, .momentum = 0.5, .nesterov = true)));
        WEFT_CHECK_NEAR(largest_of(c, v), 0.5, 0);
        WEFT_CHECK_NEAR(largest_of(c, p), 0.875 - 0.25 * 0.75, 0);
        WEFT_CHECK_NEAR(largest_of(c, weft_neg(p)), -0.6875, 0);
        fault_ctx_close(c, &m);
    }
}

/* A parameter without a gradient keeps its version: what was saved of it for a backward pass is still good. */
WEFT_TEST(OptimState, LeavesAloneWhatHasNoGradient)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *p[] = {weft_param(weft_ones(c, WEFT_F32, WEFT_DIMS(2)), "p"),
                        weft_param(weft_ones(c, WEFT_F32, WEFT_DIMS(2)), "q")};
    weft_tensor *g[] = {NULL, weft_ones(c, WEFT_F32, WEFT_DIMS(2))}, *saved = weft_square(p[0]);
    const weft_step_lists lists = INIT_STEP_LISTS(.params = p, .grads = g, .n = 2, .step = 1);
    WEFT_CHECK_OK(weft_sgd_step(c, &lists, &WITH_SGD(.lr = 0.5)));
    WEFT_CHECK_NEAR(largest_of(c, p[0]), 1, 0);
    WEFT_CHECK_NEAR(largest_of(c, p[1]), 0.5, 0);
    WEFT_CHECK_OK(weft_backward(c, weft_sum(saved, WEFT_ALL, false)));
    g[1] = NULL; /* nothing at all to do */
    WEFT_CHECK_OK(weft_sgd_step(c, &lists, NULL));
    weft_release(p[0]);
    weft_release(p[1]);
    fault_ctx_close(c, &m);
}

/* ---- Clipping ---- */

WEFT_TEST(OptimHalf, ClipsNormsThatTheGradientsTypeCannotHold)
{
    static const weft_dtype dtypes[] = {WEFT_F16, WEFT_BF16, WEFT_F32, WEFT_F64};
    for (int k = 0; k < 4; k++) {
        fault_memory m = {0};
        weft_ctx *c = fault_ctx_open(&m);
        weft_tensor *p = weft_param(weft_zeros(c, dtypes[k], WEFT_DIMS(16)), "p");
        weft_backward(c, weft_sum(weft_mul_scalar(p, 49152), WEFT_ALL, false));
        WEFT_CHECK_NEAR(weft_clip_grad_norm(c, &p, 1, 1e6), 4 * 49152, 1);
        WEFT_CHECK_NEAR(weft_item(c, weft_select(weft_grad_of(p), 0, 3)), 49152, 0);
        WEFT_CHECK_NEAR(weft_clip_grad_norm(c, &p, 1, 0x1p-10), 4 * 49152, 1); /* a factor that f16 has no digits for */
        WEFT_CHECK_NEAR(weft_item(c, weft_select(weft_grad_of(p), 0, 3)), 0x1p-12, 1e-7);
        WEFT_CHECK_NEAR(weft_clip_grad_norm(c, &p, 1, 1), 0x1p-10, 1e-6);
        weft_release(p);
        fault_ctx_close(c, &m);
    }
}

WEFT_TEST(OptimList, ClippingCountsAParameterOnce)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *p = weft_param(weft_ones(c, WEFT_F32, WEFT_SCALAR), "tied"),
                *q = weft_param(weft_ones(c, WEFT_F32, WEFT_SCALAR), "q"), *list[] = {p, q, p, p};
    weft_backward(c, weft_add(weft_mul_scalar(p, 8), weft_mul_scalar(q, 6)));
    WEFT_CHECK_NEAR(weft_clip_grad_norm(c, list, 4, 5), 10, 1e-6);
    WEFT_CHECK_NEAR(weft_item(c, weft_grad_of(p)), 4, 1e-6);
    WEFT_CHECK_NEAR(weft_item(c, weft_grad_of(q)), 3, 1e-6);
    weft_release(p);
    weft_release(q);
    fault_ctx_close(c, &m);
}

/* ---- What is refused ---- */

static void check_refused(weft_ctx *c, weft_tensor *const *params, int n, weft_status status, const char *text)
{
    weft_optim *opt = (weft_optim *)&n;
    WEFT_CHECK_STATUS(weft_adam_open(c, params, n, NULL, &opt), status);
    WEFT_CHECK(opt == NULL);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "weft_adam_open: ");
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), text);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "test_optim_state.c:");
    weft_ctx_clear(c);
}

WEFT_TEST(OptimList, OpenRefusesWhatCannotBeStepped)
{
    fault_memory m = {0}, other_m = {0};
    weft_ctx *c = fault_ctx_open(&m), *other = fault_ctx_open(&other_m);
    weft_tensor *w = weft_param(weft_ones(c, WEFT_F32, WEFT_DIMS(2, 3)), "w"),
                *foreign = weft_param(weft_ones(other, WEFT_F32, WEFT_DIMS(2)), "foreign"),
                *turned = weft_param(weft_transpose(weft_ones(c, WEFT_F32, WEFT_DIMS(2, 3)), 0, 1), "turned");
    int mark = weft_scope_push(c);
    weft_tensor *dead = weft_set_requires_grad(weft_ones(c, WEFT_F32, WEFT_DIMS(2)), true);
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
    check_refused(c, (weft_tensor *[]){w, dead}, 2, WEFT_E_DEAD_TENSOR, "parameter 1 was freed");
    check_refused(c, (weft_tensor *[]){w, weft_mul_scalar(w, 2)}, 2, WEFT_E_NO_GRADIENT,
                  "parameter 1 (f32 [2, 3]) was computed");
    check_refused(c, (weft_tensor *[]){w, foreign}, 2, WEFT_E_MIXED_CONTEXTS, "parameter 1 (foreign f32 [2]) belongs");
    check_refused(c, (weft_tensor *[]){turned}, 1, WEFT_E_NO_GRADIENT, "weft_contiguous");
    check_refused(c, (weft_tensor *[]){w, NULL}, 2, WEFT_E_NULL_ARGUMENT, "parameter 1 is NULL");
    check_refused(c, (weft_tensor *[]){w, turned}, 0, WEFT_E_INVALID, "n is 0");
    check_refused(c, NULL, 2, WEFT_E_NULL_ARGUMENT, "params is NULL");
    check_refused(c, (weft_tensor *[]){weft_ones(c, WEFT_F32, WEFT_DIMS(2))}, 1, WEFT_E_NO_GRADIENT, "weft_param");
    weft_tensor *dense = weft_param(weft_zeros(c, WEFT_F32, WEFT_DIMS(1)), NULL);
    check_refused(c, (weft_tensor *[]){w, dense, w}, 3, WEFT_E_INVALID, "parameter 2 w is parameter 0 again");
    weft_tensor *result = weft_mul_scalar(w, 2);
    WEFT_CHECK(isnan(weft_clip_grad_norm(c, &result, 1, 1)));
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "weft_clip_grad_norm: parameter 0");
    weft_ctx_clear(c);
    weft_release(w);
    weft_release(turned);
    weft_release(dense);
    fault_ctx_close(c, &m);
    weft_release(foreign);
    fault_ctx_close(other, &other_m);
}

WEFT_TEST(OptimList, OpenRefusesOptionsOutsideTheirDomain)
{
    static const struct {
        weft_sgd_options o;
        const char *text;
    } sgd[] = {{INIT_SGD(.lr = INFINITY), "lr is inf"},
               {INIT_SGD(.lr = NAN), "lr is nan"},
               {INIT_SGD(.lr = -1), "lr is -1"},
               {INIT_SGD(.momentum = NAN), "momentum is nan"},
               {INIT_SGD(.momentum = -0.5), "momentum is -0.5"},
               {INIT_SGD(.momentum = INFINITY), "momentum is inf"},
               {INIT_SGD(.weight_decay = NAN), "weight_decay is nan"},
               {INIT_SGD(.weight_decay = INFINITY), "weight_decay is inf"},
               {INIT_SGD(.momentum = 0.5, .dampening = 1.5), "dampening is 1.5"},
               {INIT_SGD(.momentum = 0.5, .dampening = NAN), "dampening is nan"},
               {INIT_SGD(.nesterov = true), "nesterov needs"}};
    static const struct {
        weft_adam_options o;
        const char *text;
    } adam[] = {{INIT_ADAM(.lr = INFINITY), "lr is inf"},
                {INIT_ADAM(.beta1 = NAN), "beta1 is nan"},
                {INIT_ADAM(.beta2 = NAN), "beta2 is nan"},
                {INIT_ADAM(.beta2 = 1), "beta2 is 1; it must be in [0, 1)"},
                {INIT_ADAM(.eps = NAN), "eps is nan"},
                {INIT_ADAM(.eps = -1e-8), "eps is -1e-08"},
                {INIT_ADAM(.eps = INFINITY), "eps is inf"},
                {INIT_ADAM(.weight_decay = -1), "weight_decay is -1"},
                {INIT_ADAM(.weight_decay = NAN), "weight_decay is nan"}};
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *p = weft_param(weft_ones(c, WEFT_F32, WEFT_DIMS(2)), "p");
    for (size_t k = 0; k < sizeof sgd / sizeof sgd[0] + sizeof adam / sizeof adam[0]; k++) {
        const size_t n = sizeof sgd / sizeof sgd[0];
        weft_optim *opt = (weft_optim *)&m;
        WEFT_CHECK_STATUS(k < n ? weft_sgd_open(c, &p, 1, &sgd[k].o, &opt)
                                : weft_adamw_open(c, &p, 1, &adam[k - n].o, &opt),
                          WEFT_E_INVALID);
        WEFT_CHECK(opt == NULL);
        WEFT_CHECK_STR_HAS(weft_ctx_message(c), k < n ? sgd[k].text : adam[k - n].text);
        weft_ctx_clear(c);
    }
    WEFT_CHECK_STATUS(weft_adam_open(c, &p, 1, NULL, NULL), WEFT_E_NULL_ARGUMENT);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "out is NULL");
    weft_ctx_clear(c);
    weft_release(p);
    fault_ctx_close(c, &m);
}

WEFT_TEST(OptimList, StepsAndRateStayInTheirDomain)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *p = weft_param(weft_ones(c, WEFT_F32, WEFT_DIMS(2)), "p");
    weft_optim *opt;
    WEFT_CHECK_OK(weft_adam_open(c, &p, 1, NULL, &opt));
    static const int64_t bad[] = {-1, INT64_MIN, INT64_MAX, ((int64_t)1 << 53) + 1};
    for (int k = 0; k < 4; k++) {
        WEFT_CHECK_STATUS(weft_optim_set_steps(opt, bad[k]), WEFT_E_INVALID);
        WEFT_CHECK_STR_HAS(weft_ctx_message(c), "weft_optim_set_steps: the number of steps is");
        WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_INVALID);
    }
    WEFT_CHECK_EQ_INT(weft_optim_steps(opt), 0);
    WEFT_CHECK_STATUS(weft_optim_set_lr(opt, INFINITY), WEFT_E_INVALID);
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_INVALID);
    WEFT_CHECK_STATUS(weft_optim_set_lr(opt, NAN), WEFT_E_INVALID);
    WEFT_CHECK_STATUS(weft_optim_set_lr(NULL, 1), WEFT_E_NULL_ARGUMENT);
    WEFT_CHECK_STATUS(weft_optim_set_steps(NULL, 1), WEFT_E_NULL_ARGUMENT);
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_INVALID);
    WEFT_CHECK_NEAR(weft_optim_lr(opt), 1e-3, 0);
    WEFT_CHECK_OK(weft_optim_set_steps(opt, (int64_t)1 << 53));
    push(c, p, opt, 1, 1);
    WEFT_CHECK(isfinite(largest_of(c, p)));
    weft_optim_close(opt);
    weft_release(p);
    fault_ctx_close(c, &m);
}

/* ---- Who closes what, and when ---- */

typedef struct lines {
    char text[16][512];
    int n;
} lines;

static void remember(void *user, weft_log_level level, const char *message)
{
    lines *l = user;
    if (level != WEFT_LOG_LEVEL_INFO && l->n < 16)
        snprintf(l->text[l->n++], sizeof l->text[0], "%s", message);
}

/* What every function says of a handle whose optimiser has ended. */
static void use_dead(weft_ctx *c, weft_optim *opt)
{
    weft_tensor *state;
    WEFT_CHECK_STATUS(weft_optim_step(c, opt), WEFT_E_STATE);
    WEFT_CHECK_STATUS(weft_optim_zero_grad(c, opt), WEFT_E_STATE);
    WEFT_CHECK(isnan(weft_optim_lr(opt)));
    WEFT_CHECK_EQ_INT(weft_optim_steps(opt), 0);
    WEFT_CHECK_EQ_INT(weft_optim_state(opt, &state, 1), 0);
    WEFT_CHECK_STATUS(weft_optim_set_lr(opt, 1), WEFT_E_STATE);
    WEFT_CHECK_STATUS(weft_optim_set_steps(opt, 1), WEFT_E_STATE);
    weft_optim_close(opt);
    weft_optim_close(opt);
}

WEFT_TEST(OptimOwner, TheContextEndsWhatWasNeverClosed)
{
    fault_memory m = {0};
    lines l = {.n = 0};
    weft_options o = fault_options(&m);
    o.log = remember;
    o.log_user = &l;
    weft_ctx *c;
    WEFT_REQUIRE(weft_ctx_open(&o, &c) == WEFT_OK);
    weft_tensor *p = weft_param(weft_ones(c, WEFT_BF16, WEFT_DIMS(2)), "p");
    weft_optim *first, *second;
    weft_profile *profile;
    WEFT_CHECK_OK(weft_adam_open(c, &p, 1, &WITH_ADAM(.master_weights = true), &first));
    WEFT_CHECK_OK(weft_sgd_open(c, &p, 1, &WITH_SGD(.momentum = 0.9), &second));
    WEFT_CHECK_OK(weft_profile_begin(c, &profile));
    push(c, p, first, 1, 1);
    WEFT_CHECK_EQ_INT(weft_leaks(c, NULL, NULL),
                      4); /* these three and p, of which the optimisers' keeps are no leaks */
    weft_release(p);
    WEFT_CHECK_EQ_INT(weft_leaks(c, NULL, NULL), 3);
    weft_release(p); /* once too often: the optimisers' keeps stay theirs */
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_STATE);
    l.n = 0;
    weft_ctx_close(c);
    WEFT_CHECK_EQ_INT(m.live_blocks, 0);
    WEFT_REQUIRE(l.n == 3);
    WEFT_CHECK_STR_HAS(l.text[0], "never closed: profile made by weft_profile_begin at ");
    WEFT_CHECK_STR_HAS(l.text[1], "never closed: optimiser made by weft_sgd_open at ");
    WEFT_CHECK_STR_HAS(l.text[2], "never closed: optimiser made by weft_adam_open at ");
    for (int k = 0; k < 3; k++)
        WEFT_CHECK_STR_HAS(l.text[k], "test_optim_state.c:");
    WEFT_CHECK_STR_HAS(l.text[2], "weft_optim_close");
    use_dead(c, first); /* c is gone: nothing may touch it */
    use_dead(c, second);
    char table[64];
    WEFT_CHECK_EQ_INT(totals_of(profile).launches, 0);
    WEFT_CHECK_EQ_INT(weft_profile_ops(profile, NULL, 0, sizeof(weft_profile_op)), 0);
    WEFT_CHECK_EQ_INT(weft_profile_table(profile, table, sizeof table), 0);
    WEFT_CHECK_STATUS(weft_profile_trace(profile, "/nonexistent/trace.json"), WEFT_E_STATE);
    weft_profile_end(profile);
    weft_profile_free(profile);
    WEFT_CHECK_EQ_INT(m.live_blocks, 0);
}

WEFT_TEST(OptimOwner, AClosedHandleIsNamedAndNeverTheNextOne)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *p = weft_param(weft_ones(c, WEFT_F32, WEFT_DIMS(2)), "p");
    weft_optim *old, *now;
    WEFT_CHECK_OK(weft_adam_open(c, &p, 1, NULL, &old));
    weft_optim_close(old);
    WEFT_CHECK_STATUS(weft_optim_step(c, old), WEFT_E_STATE);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "weft_optim_step: the optimiser that weft_adam_open made at ");
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "was closed before");
    weft_ctx_clear(c);
    WEFT_CHECK_STATUS(weft_optim_set_lr(old, 1), WEFT_E_STATE);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "weft_optim_set_lr: the optimiser");
    weft_ctx_clear(c);
    for (int k = 0; k < 3; k++) {
        WEFT_CHECK_OK(weft_sgd_open(c, &p, 1, NULL, &now));
        WEFT_CHECK(now != old);
        weft_optim_close(old);
        WEFT_CHECK_STATUS(weft_optim_step(c, old), WEFT_E_STATE);
        weft_ctx_clear(c);
        push(c, p, now, 1, 1);
        WEFT_CHECK_EQ_INT(weft_optim_steps(now), 1);
        weft_optim_close(now);
    }
    WEFT_CHECK_STATUS(weft_optim_step(c, NULL), WEFT_E_NULL_ARGUMENT);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "weft_optim_step: the optimiser is NULL");
    weft_ctx_clear(c);
    weft_profile *profile;
    WEFT_CHECK_OK(weft_profile_begin(c, &profile));
    weft_optim_close((weft_optim *)profile); /* of another kind */
    push(c, p, old, 1, 0);
    weft_add(p, p);
    WEFT_CHECK(totals_of(profile).launches > 0);
    weft_profile_free(profile);
    weft_profile_free(profile);
    weft_release(p);
    fault_ctx_close(c, &m);
}

/* More than one context at a time, closed in every order; far more handles than slots, one after the other. */
WEFT_TEST(OptimOwner, ManyHandlesInTurn)
{
    fault_memory m[2] = {{0}, {0}};
    weft_ctx *c[2] = {fault_ctx_open(&m[0]), fault_ctx_open(&m[1])};
    weft_optim *opt[2][3];
    for (int k = 0; k < 2; k++) {
        weft_tensor *p = weft_param(weft_ones(c[k], WEFT_F32, WEFT_SCALAR), "p");
        for (int turn = 0; turn < 3; turn++)
            WEFT_CHECK_OK(weft_sgd_open(c[k], &p, 1, NULL, &opt[k][turn]));
        weft_optim_close(opt[k][1]);
        WEFT_CHECK_STATUS(weft_optim_zero_grad(c[1 - k], opt[k][0]), WEFT_E_MIXED_CONTEXTS);
        weft_ctx_clear(c[1 - k]);
        for (int turn = 0; turn < 1000; turn++) {
            weft_optim *brief;
            WEFT_CHECK_OK(weft_sgd_open(c[k], &p, 1, NULL, &brief));
            weft_optim_close(brief);
        }
        weft_release(p);
    }
    weft_ctx_close(c[0]);
    WEFT_CHECK_EQ_INT(m[0].live_blocks, 0);
    WEFT_CHECK_NEAR(weft_optim_lr(opt[1][0]), 0.01, 0);
    for (int turn = 0; turn < 3; turn++)
        weft_optim_close(opt[0][turn]);
    for (int turn = 0; turn < 3; turn++)
        weft_optim_close(opt[1][turn]);
    fault_ctx_close(c[1], &m[1]);
}

WEFT_TEST(OptimOwner, OutOfMemoryAtOpenLeavesNothing)
{
    for (long at = 1; at < 40; at++) {
        fault_memory m = {0};
        weft_ctx *c = fault_ctx_open(&m);
        weft_tensor *p[] = {weft_param(weft_ones(c, WEFT_F16, WEFT_DIMS(40000)), "p"),
                            weft_param(weft_ones(c, WEFT_F32, WEFT_DIMS(40000)), "q")};
        weft_optim *opt = NULL;
        m.fail_at = m.calls + at;
        weft_status status = weft_adam_open(c, p, 2, &WITH_ADAM(.master_weights = true), &opt);
        m.fail_at = 0;
        WEFT_CHECK(status == WEFT_OK ? opt != NULL : opt == NULL && status == WEFT_E_NOMEM);
        weft_optim_close(opt);
        weft_ctx_clear(c);
        WEFT_CHECK_EQ_INT(weft_leaks(c, NULL, NULL), 2);
        weft_release(p[0]);
        weft_release(p[1]);
        fault_ctx_close(c, &m);
        if (status == WEFT_OK)
            break;
    }
}

/* One element is written: its master weight is taken up, and those of the others keep their digits. */
WEFT_TEST(OptimHalf, MasterWeightsOfTheOthersStay)
{
    static const weft_dtype dtypes[] = {WEFT_F16, WEFT_BF16};
    for (int k = 0; k < 2; k++)
        for (int written = 0; written < 3; written++) {
            fault_memory m = {0};
            weft_ctx *c = fault_ctx_open(&m);
            weft_tensor *p = weft_param(weft_ones(c, dtypes[k], WEFT_DIMS(3)), "p"), *state[1];
            weft_optim *opt;
            WEFT_CHECK_OK(weft_sgd_open(c, &p, 1, &WITH_SGD(.lr = 1e-3, .master_weights = true), &opt));
            push(c, p, opt, 1, 1);
            const bool was = weft_set_grad_enabled(c, false);
            weft_fill_(weft_select(p, 0, written), 2);
            weft_set_grad_enabled(c, was);
            push(c, p, opt, 1, 1);
            WEFT_CHECK_EQ_INT(weft_optim_state(opt, state, 1), 1);
            for (int i = 0; i < 3; i++)
                WEFT_CHECK_NEAR(weft_item(c, weft_select(state[0], 0, i)), i == written ? 1.999 : 0.998, 1e-6);
            weft_optim_close(opt);
            weft_release(p);
            fault_ctx_close(c, &m);
        }
}
