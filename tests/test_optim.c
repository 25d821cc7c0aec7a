/* test_optim.c - optimisers as a user meets them, and clipping. The step formulas have golden values (test_golden.c).
 * */
#include <math.h>
#include "harness/structs.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"

/* Descends (x - 3)^2 + 10 (y + 1)^2 and returns the distance left. */
static double descend(weft_ctx *c, weft_tensor *const *xy, weft_optim *opt, int steps)
{
    for (int k = 0; k < steps; k++) {
        int mark = weft_scope_push(c);
        weft_tensor *dx = weft_add_scalar(xy[0], -3), *dy = weft_add_scalar(xy[1], 1);
        weft_backward(c, weft_add(weft_square(dx), weft_mul_scalar(weft_square(dy), 10)));
        weft_optim_step(c, opt);
        weft_optim_zero_grad(c, opt);
        if (weft_scope_pop(c, mark) != WEFT_OK)
            return NAN;
    }
    return fabs(weft_item(c, xy[0]) - 3) + fabs(weft_item(c, xy[1]) + 1);
}

typedef weft_status (*opener)(weft_ctx *c, weft_tensor *const *params, int n, weft_optim **out);

static weft_status plain_sgd(weft_ctx *c, weft_tensor *const *p, int n, weft_optim **out)
{
    return weft_sgd_open(c, p, n, &WITH_SGD(.lr = 0.04), out);
}

static weft_status nesterov(weft_ctx *c, weft_tensor *const *p, int n, weft_optim **out)
{
    return weft_sgd_open(c, p, n, &WITH_SGD(.lr = 0.02, .momentum = 0.8, .nesterov = true), out);
}

static weft_status adam(weft_ctx *c, weft_tensor *const *p, int n, weft_optim **out)
{
    return weft_adam_open(c, p, n, &WITH_ADAM(.lr = 0.2), out);
}

static weft_status adamw(weft_ctx *c, weft_tensor *const *p, int n, weft_optim **out)
{
    return weft_adamw_open(c, p, n, &WITH_ADAM(.lr = 0.2, .weight_decay = 1e-6), out);
}

WEFT_TEST(Optim, EveryKindFindsTheMinimum)
{
    static const opener openers[] = {plain_sgd, nesterov, adam, adamw};
    static const weft_dtype dtypes[] = {WEFT_F64, WEFT_F32};
    for (int k = 0; k < 8; k++) {
        fault_memory m = {0};
        weft_ctx *c = fault_ctx_open(&m);
        weft_tensor *xy[] = {weft_param(weft_scalar(c, dtypes[k % 2], 0), "x"),
                             weft_param(weft_scalar(c, dtypes[k % 2], 0), "y")};
        weft_optim *opt = NULL;
        WEFT_CHECK_OK(openers[k / 2](c, xy, 2, &opt));
        WEFT_CHECK_NEAR(descend(c, xy, opt, 300), 0, 2e-3);
        WEFT_CHECK_EQ_INT(weft_optim_steps(opt), 300);
        weft_optim_close(opt);
        weft_release(xy[0]);
        weft_release(xy[1]);
        fault_ctx_close(c, &m);
    }
}

/* A step by hand against the formulas of params.h, including the first step of momentum. */
WEFT_TEST(Optim, MomentumStartsWithTheGradient)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *p = weft_param(weft_scalar(c, WEFT_F64, 1), NULL);
    weft_optim *opt = NULL;
    weft_sgd_options o = INIT_SGD(.lr = 0.1, .momentum = 0.9, .dampening = 0.5, .weight_decay = 0.1);
    WEFT_CHECK_OK(weft_sgd_open(c, &p, 1, &o, &opt));
    double x = 1, v = 0;
    for (int k = 0; k < 3; k++) {
        weft_backward(c, weft_mul_scalar(p, 2));
        WEFT_CHECK_OK(weft_optim_step(c, opt));
        WEFT_CHECK_OK(weft_optim_zero_grad(c, opt));
        double g = 2 + 0.1 * x;
        v = k == 0 ? g : 0.9 * v + 0.5 * g;
        x -= 0.1 * v;
        WEFT_CHECK_NEAR(weft_item(c, p), x, 1e-14);
    }
    weft_tensor *state[4];
    WEFT_CHECK_EQ_INT(weft_optim_state(opt, state, 4), 1);
    WEFT_CHECK_NEAR(weft_item(c, state[0]), v, 1e-14);
    weft_optim_set_lr(opt, 0);
    WEFT_CHECK_NEAR(weft_optim_lr(opt), 0, 0);
    weft_optim_set_lr(opt, -3);
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_INVALID);
    WEFT_CHECK_NEAR(weft_optim_lr(opt), 0, 0);
    WEFT_CHECK_STATUS(weft_optim_step(c, opt), WEFT_E_NO_GRADIENT); /* cleared above: says so, and where */
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "weft_optim_step: parameter 0");
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "test_optim.c:");
    weft_ctx_clear(c);
    weft_optim_close(opt);
    weft_release(p);
    fault_ctx_close(c, &m);
}

WEFT_TEST(Optim, StateRestoredContinuesBitForBit)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    double x0, saved[3], straight;
    weft_tensor *p[] = {weft_param(weft_scalar(c, WEFT_F64, 5), "x"), weft_param(weft_scalar(c, WEFT_F64, 5), "y")},
                *state[4];
    weft_optim *opt = NULL;
    WEFT_CHECK_OK(weft_adam_open(c, p, 2, NULL, &opt));
    descend(c, p, opt, 10);
    x0 = weft_item(c, p[0]);
    WEFT_CHECK_EQ_INT(weft_optim_state(opt, state, 4), 4);
    saved[0] = weft_item(c, state[0]);
    saved[1] = weft_item(c, state[2]);
    descend(c, p, opt, 10);
    straight = weft_item(c, p[0]);
    weft_write(c, p[0], &x0, sizeof x0);
    weft_write(c, state[0], &saved[0], sizeof saved[0]);
    weft_write(c, state[2], &saved[1], sizeof saved[1]);
    weft_optim_set_steps(opt, 10);
    descend(c, p, opt, 10);
    WEFT_CHECK(weft_item(c, p[0]) == straight);
    weft_optim_close(opt);
    weft_release(p[0]);
    weft_release(p[1]);
    fault_ctx_close(c, &m);
}

WEFT_TEST(Optim, MistakesAreNamed)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *p = weft_param(weft_scalar(c, WEFT_F32, 1), "w"), *plain = weft_scalar(c, WEFT_F32, 1);
    weft_optim *opt = (weft_optim *)&m;
    WEFT_CHECK_STATUS(weft_sgd_open(c, &plain, 1, NULL, &opt), WEFT_E_NO_GRADIENT);
    WEFT_CHECK(opt == NULL);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "weft_param");
    weft_ctx_clear(c);
    WEFT_CHECK_STATUS(weft_sgd_open(c, &p, 1, &WITH_SGD(.nesterov = true), &opt), WEFT_E_INVALID);
    weft_ctx_clear(c);
    WEFT_CHECK_STATUS(weft_adam_open(c, &p, 1, &WITH_ADAM(.beta1 = 1), &opt), WEFT_E_INVALID);
    weft_ctx_clear(c);
    WEFT_CHECK_OK(weft_adamw_open(c, &p, 1, NULL, &opt));
    WEFT_CHECK_STATUS(weft_optim_step(c, opt), WEFT_E_NO_GRADIENT);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "parameter 0 w");
    weft_ctx_clear(c);
    WEFT_CHECK_NEAR(weft_item(c, p), 1, 0);
    weft_optim_close(opt);
    WEFT_CHECK_OK(weft_sgd_open(c, &p, 1, &WITH_SGD(.allow_missing = true), &opt));
    WEFT_CHECK_OK(weft_optim_step(c, opt));
    WEFT_CHECK_NEAR(weft_item(c, p), 1, 0);
    weft_optim_close(opt);
    weft_optim_close(NULL);
    weft_release(p);
    fault_ctx_close(c, &m);
}

WEFT_TEST(Optim, StepsManyHalfParameters)
{
    enum { MANY = 100 };
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *p[MANY], *sum = weft_scalar(c, WEFT_BF16, 0);
    for (int k = 0; k < MANY; k++) {
        p[k] = weft_param(weft_ones(c, WEFT_BF16, WEFT_DIMS(1)), NULL);
        sum = weft_add(sum, weft_sum(p[k], WEFT_ALL, false));
    }
    weft_optim *opt;
    WEFT_CHECK_OK(weft_adamw_open(c, p, MANY, &WITH_ADAM(.lr = 0.5), &opt));
    weft_backward(c, sum);
    WEFT_CHECK_OK(weft_optim_step(c, opt));
    for (int k = 0; k < MANY; k++) {
        WEFT_CHECK_NEAR(weft_item(c, p[k]), 0.5, 1e-2);
        weft_release(p[k]);
    }
    weft_optim_close(opt);
    fault_ctx_close(c, &m);
}

WEFT_TEST(Clip, NormAndValue)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *p[] = {weft_param(weft_ones(c, WEFT_F32, WEFT_DIMS(2)), NULL),
                        weft_param(weft_ones(c, WEFT_F64, WEFT_DIMS(1)), NULL),
                        weft_param(weft_scalar(c, WEFT_F32, 0), "unused")};
    weft_backward(c, weft_add(weft_sum(weft_mul_scalar(p[0], 2), WEFT_ALL, false),
                              weft_sum(weft_mul_scalar(p[1], 1), WEFT_ALL, false)));
    WEFT_CHECK_NEAR(weft_clip_grad_norm(c, p, 3, 100), 3, 1e-6); /* sqrt(4 + 4 + 1): nothing to clip */
    WEFT_CHECK_NEAR(weft_item(c, weft_grad_of(p[1])), 1, 0);
    WEFT_CHECK_NEAR(weft_clip_grad_norm(c, p, 3, 1.5), 3, 1e-6);
    WEFT_CHECK_NEAR(weft_item(c, weft_grad_of(p[1])), 0.5, 1e-7);
    WEFT_CHECK_OK(weft_clip_grad_value(c, p, 3, 0.25));
    WEFT_CHECK_NEAR(weft_item(c, weft_max_over(weft_grad_of(p[0]), WEFT_ALL, false)), 0.25, 0);
    WEFT_CHECK(isnan(weft_clip_grad_norm(c, p, 3, -1)));
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_INVALID);
    weft_fill_(weft_grad_of(p[0]), INFINITY);
    WEFT_CHECK(isinf(weft_clip_grad_norm(c, p, 3, 1)));
    WEFT_CHECK_NEAR(weft_item(c, weft_grad_of(p[1])), 0.25, 0); /* untouched */
    for (int k = 0; k < 3; k++)
        weft_release(p[k]);
    fault_ctx_close(c, &m);
}

/* Norms one after the other, each larger than those before; and values far below the limit. */
WEFT_TEST(Clip, LargerNormsLater)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *p[3], *loss = NULL;
    static const double slopes[] = {2, -3, 6};
    for (int k = 0; k < 3; k++) {
        p[k] = weft_param(weft_ones(c, WEFT_F32, WEFT_DIMS(1)), NULL);
        weft_tensor *part = weft_sum(weft_mul_scalar(p[k], slopes[k]), WEFT_ALL, false);
        loss = loss ? weft_add(loss, part) : part;
    }
    WEFT_CHECK_OK(weft_backward(c, loss));
    WEFT_CHECK_NEAR(weft_clip_grad_norm(c, p, 3, 100), 7, 1e-6);
    WEFT_CHECK_OK(weft_clip_grad_value(c, p, 3, 2.5));
    for (int k = 0; k < 3; k++)
        WEFT_CHECK_NEAR(weft_item(c, weft_grad_of(p[k])), k == 0 ? 2 : k == 1 ? -2.5 : 2.5, 0);
    for (int k = 0; k < 3; k++)
        weft_release(p[k]);
    fault_ctx_close(c, &m);
}

/* In the second step the first parameter has no gradient: the others keep their own velocities. */
WEFT_TEST(Optim, AMissingGradientShiftsNothing)
{
    static const double slopes[] = {100, 1, 10};
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *p[3];
    weft_optim *opt;
    for (int k = 0; k < 3; k++)
        p[k] = weft_param(weft_zeros(c, WEFT_F32, WEFT_DIMS(1)), NULL);
    WEFT_CHECK_OK(weft_sgd_open(c, p, 3, &WITH_SGD(.lr = 1, .momentum = 0.5, .allow_missing = true), &opt));
    for (int step = 0; step < 2; step++) {
        for (int k = step; k < 3; k++)
            WEFT_CHECK_OK(weft_backward(c, weft_sum(weft_mul_scalar(p[k], slopes[k]), WEFT_ALL, false)));
        WEFT_CHECK_OK(weft_optim_step(c, opt));
        WEFT_CHECK_OK(weft_optim_zero_grad(c, opt));
    }
    for (int k = 0; k < 3; k++)
        WEFT_CHECK_NEAR(weft_item(c, p[k]), -slopes[k] * (k == 0 ? 1 : 2.5), 0);
    weft_optim_close(opt);
    for (int k = 0; k < 3; k++)
        weft_release(p[k]);
    fault_ctx_close(c, &m);
}
