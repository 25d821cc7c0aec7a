/* test_optim_groups.c - optimisers joined as parameter groups, averages of parameters, and what optimisers made of
 * public operations do with half parameters, without memory, and when they are asked for what they cannot do. */
#include <math.h>
#include "harness/structs.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"

typedef weft_status (*opener)(weft_ctx *c, weft_tensor *const *p, int n, bool masters, weft_optim **out);
#define OPENER(name, NAME, ...)                                                                                        \
    static weft_status open_##name(weft_ctx *c, weft_tensor *const *p, int n, bool masters, weft_optim **out)          \
    {                                                                                                                  \
        weft_##name##_options o = WEFT_##NAME##_DEFAULTS;                                                              \
        o.master_weights = masters;                                                                                    \
        __VA_ARGS__;                                                                                                   \
        return weft_##name##_open(c, p, n, &o, out);                                                                   \
    }
OPENER(lamb, LAMB, o.lr = 1e-3)
OPENER(adafactor, ADAFACTOR, o.lr = 1e-3)
OPENER(muon, MUON, o.lr = 1e-3)
OPENER(barzilai_borwein, BARZILAI_BORWEIN, o.lr = 1e-3)
OPENER(lbfgs, LBFGS, o.lr = 1e-3; o.max_iter = 2)
static const opener openers[] = {open_lamb, open_adafactor, open_muon, open_barzilai_borwein, open_lbfgs};
enum { OPENERS = sizeof openers / sizeof openers[0] };

static weft_tensor *param(weft_ctx *c, weft_dtype dtype, double value, const char *name)
{
    return weft_param(weft_full(c, dtype, WEFT_DIMS(2, 3), value), name);
}

/* Halves of squares, whose gradient is the parameter itself. */
static double squares(weft_ctx *c, void *user)
{
    weft_tensor *p = user, *loss = weft_mul_scalar(weft_sum(weft_square(p), WEFT_ALL, false), 0.5);
    weft_backward(c, loss);
    return weft_item(c, loss);
}

static double first_of(weft_ctx *c, weft_tensor *t)
{
    return weft_item(c, weft_select(weft_select(weft_cast(weft_detach(t), WEFT_F64), 0, 0), 0, 0));
}

WEFT_TEST(OptimGroups, StepByTheirOwnOptions)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *a = param(c, WEFT_F64, 1, "a"), *b = param(c, WEFT_F64, 1, "b"), *state[4];
    weft_optim *part[2] = {NULL, NULL}, *both = NULL;
    WEFT_CHECK_OK(weft_sgd_open(c, &a, 1, &WITH_SGD(.lr = 0.5, .momentum = 0.5), &part[0]));
    WEFT_CHECK_OK(weft_adam_open(c, &b, 1, &WITH_ADAM(.lr = 0.25, .eps = 0), &part[1]));
    WEFT_CHECK_OK(weft_optim_join(c, part, 2, &both));
    WEFT_CHECK_EQ_INT(weft_optim_groups(both), 2);
    WEFT_CHECK_EQ_INT(weft_optim_groups(part[0]), 1);
    WEFT_CHECK(weft_optim_group(both, 1) == part[1]);
    WEFT_CHECK_EQ_INT(weft_optim_state(both, state, 4), 3);
    WEFT_CHECK_OK(weft_backward(c, weft_add(weft_sum(a, WEFT_ALL, false), weft_sum(b, WEFT_ALL, false))));
    WEFT_CHECK_OK(weft_optim_step(c, both));
    WEFT_CHECK_NEAR(first_of(c, a), 0.5, 0);
    WEFT_CHECK_NEAR(first_of(c, b), 0.75, 1e-15);
    WEFT_CHECK_EQ_INT(weft_optim_steps(both) + weft_optim_steps(part[1]), 2);
    WEFT_CHECK_OK(weft_optim_zero_grad(c, both));
    WEFT_CHECK_OK(weft_backward(c, weft_sum(a, WEFT_ALL, false)));
    WEFT_CHECK_STATUS(weft_optim_step(c, both), WEFT_E_NO_GRADIENT); /* and the first group has not moved */
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "parameter 0 of group 1 b has no gradient");
    weft_ctx_clear(c);
    WEFT_CHECK_NEAR(first_of(c, a), 0.5, 0);
    WEFT_CHECK_OK(weft_optim_set_lr(both, 0.125));
    WEFT_CHECK_NEAR(weft_optim_lr(part[1]), 0.125, 0);
    WEFT_CHECK_NEAR(weft_optim_base_lr(part[1]), 0.25, 0);
    WEFT_CHECK_OK(weft_optim_set_steps(both, 7));
    WEFT_CHECK_EQ_INT(weft_optim_steps(part[0]), 7);
    WEFT_CHECK(weft_optim_group(both, 2) == NULL);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "group is 2; there are 2");
    weft_ctx_clear(c);
    weft_optim_close(part[0]);
    WEFT_CHECK_STATUS(weft_optim_step(c, both), WEFT_E_STATE);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "group 0 was closed by itself");
    weft_ctx_clear(c);
    weft_optim_close(both);
    WEFT_CHECK_EQ_INT(weft_optim_groups(part[1]), 0); /* closed with it */
    weft_release(a);
    weft_release(b);
    fault_ctx_close(c, &m);
}

WEFT_TEST(OptimGroups, RefuseWhatCannotBeJoined)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *a = param(c, WEFT_F32, 1, "a"), *v = weft_param(weft_ones(c, WEFT_F32, WEFT_DIMS(3)), "v");
    weft_optim *part[2] = {NULL, NULL}, *both = NULL;
    WEFT_CHECK_OK(weft_sgd_open(c, &a, 1, NULL, &part[0]));
    WEFT_CHECK_OK(weft_adam_open(c, &a, 1, NULL, &part[1]));
    WEFT_CHECK_STATUS(weft_optim_join(c, part, 2, &both), WEFT_E_INVALID);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "parameter a is in two of the optimisers");
    weft_ctx_clear(c);
    weft_optim_close(part[1]);
    WEFT_CHECK_OK(weft_lbfgs_open(c, &v, 1, NULL, &part[1]));
    WEFT_CHECK_STATUS(weft_optim_join(c, part, 2, &both), WEFT_E_INVALID);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "optimiser 1 searches");
    weft_ctx_clear(c);
    WEFT_CHECK_STATUS(weft_optim_step(c, part[1]), WEFT_E_INVALID);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "weft_optim_step_with");
    weft_ctx_clear(c);
    weft_optim_close(part[1]);
    WEFT_CHECK_STATUS(weft_muon_open(c, &v, 1, NULL, &part[1]), WEFT_E_SHAPE);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "weft_muon_open: parameter 0 has 1 dims");
    weft_ctx_clear(c);
    weft_optim_close(part[0]);
    weft_release(a);
    weft_release(v);
    fault_ctx_close(c, &m);
}

/* A half parameter with master weights is what an f32 one is, rounded. An L-BFGS ends at a step that changes no loss,
 * which comes sooner where the loss is computed in bf16. */
WEFT_TEST(OptimComposed, MasterWeightsAreWhatF32Has)
{
    for (int k = 0; k < OPENERS; k++) {
        double end[2];
        for (int half = 0; half < 2; half++) {
            fault_memory m = {0};
            weft_ctx *c = fault_ctx_open(&m);
            weft_tensor *p = param(c, half ? WEFT_BF16 : WEFT_F32, 1, "p"), *state[8];
            weft_optim *opt = NULL;
            WEFT_CHECK_OK(openers[k](c, &p, 1, true, &opt));
            const int mark = weft_scope_push(c);
            WEFT_CHECK_OK(weft_optim_step_with(c, opt, squares, p, NULL));
            WEFT_CHECK_OK(weft_scope_pop(c, mark));
            const int n = weft_optim_state(opt, state, 8);
            end[half] = first_of(c, half ? state[n - 1] : p);
            WEFT_CHECK(end[half] < 1);
            if (half)
                WEFT_CHECK_NEAR(first_of(c, weft_cast(state[n - 1], WEFT_BF16)), first_of(c, p), 0);
            weft_optim_close(opt);
            weft_release(p);
            fault_ctx_close(c, &m);
        }
        WEFT_CHECK_NEAR(end[0], end[1], k == OPENERS - 1 ? 2e-3 : 0);
    }
}

/* Whichever allocation fails, nothing leaks, and the step says so or was taken. */
WEFT_TEST(OptimComposed, SurviveEveryFailingAllocation)
{
    for (int k = 0; k < OPENERS; k++) {
        for (long at = 1, last = 0; !last && at < 2000; at++) {
            fault_memory m = {0};
            weft_ctx *c = fault_ctx_open(&m);
            weft_tensor *p = param(c, WEFT_F32, 1, "p");
            weft_optim *opt = NULL;
            m.fail_at = m.calls + at;
            weft_status status = openers[k](c, &p, 1, false, &opt);
            if (status == WEFT_OK)
                status = weft_optim_step_with(c, opt, squares, p, NULL);
            last = m.calls < m.fail_at;
            m.fail_at = 0;
            WEFT_CHECK(status == WEFT_OK || (status == WEFT_E_NOMEM && !last));
            weft_ctx_clear(c);
            WEFT_CHECK((weft_optim_steps(opt) == 1) == (status == WEFT_OK));
            weft_optim_close(opt);
            weft_release(p);
            fault_ctx_close(c, &m);
        }
    }
}

WEFT_TEST(OptimEma, AveragesAndIsPutInPlace)
{
    static const weft_dtype dtypes[] = {WEFT_F64, WEFT_F32, WEFT_BF16};
    for (int k = 0; k < 3; k++) {
        fault_memory m = {0};
        weft_ctx *c = fault_ctx_open(&m);
        weft_tensor *p = param(c, dtypes[k], 2, "p"), *average;
        weft_ema *ema = NULL;
        WEFT_CHECK_OK(weft_ema_open(c, &p, 1, 0.75, &ema));
        WEFT_CHECK_EQ_INT(weft_ema_state(ema, &average, 1), 1);
        WEFT_CHECK_EQ_INT(weft_dtype_of(average), k == 0 ? WEFT_F64 : WEFT_F32);
        WEFT_CHECK_OK(weft_ema_update(c, ema));
        WEFT_CHECK_NEAR(first_of(c, average), 2, 0);
        const bool was = weft_set_grad_enabled(c, false);
        weft_copy_(p, weft_full_like(p, 6));
        weft_set_grad_enabled(c, was);
        WEFT_CHECK_OK(weft_ema_update(c, ema));
        WEFT_CHECK_NEAR(first_of(c, average), 3, 0);
        WEFT_CHECK_NEAR(first_of(c, p), 6, 0);
        WEFT_CHECK_STATUS(weft_ema_swap_out(c, ema), WEFT_E_STATE);
        WEFT_CHECK_STR_HAS(weft_ctx_message(c), "weft_ema_swap_out: the averages are not in the parameters");
        weft_ctx_clear(c);
        WEFT_CHECK_OK(weft_ema_swap_in(c, ema));
        WEFT_CHECK_NEAR(first_of(c, p), 3, 0);
        WEFT_CHECK_STATUS(weft_ema_update(c, ema), WEFT_E_STATE);
        weft_ctx_clear(c);
        WEFT_CHECK_OK(weft_ema_swap_out(c, ema));
        WEFT_CHECK_NEAR(first_of(c, p), 6, 0);
        WEFT_CHECK_EQ_INT(weft_ema_updates(ema), 2);
        WEFT_CHECK_STATUS(weft_ema_set_updates(ema, -1), WEFT_E_INVALID);
        weft_ctx_clear(c);
        weft_ema_close(ema);
        WEFT_CHECK_STATUS(weft_ema_open(c, &p, 1, 1, &ema), WEFT_E_INVALID);
        WEFT_CHECK_STR_HAS(weft_ctx_message(c), "decay is 1; it must be in (0, 1)");
        weft_ctx_clear(c);
        weft_release(p);
        fault_ctx_close(c, &m);
    }
}

WEFT_TEST(OptimSchedule, NamesTheFieldThatIsOutOfRange)
{
    static const struct {
        weft_schedule s;
        const char *words;
    } bad[] = {
        {{.kind = WEFT_SCHEDULE_KIND_STEP, .gamma = 0.5}, "every, which must be at least 1, is 0"},
        {{.kind = WEFT_SCHEDULE_KIND_EXPONENTIAL, .gamma = -1}, "gamma, which must be finite and at least 0, is -1"},
        {{.kind = WEFT_SCHEDULE_KIND_COSINE}, "total, which must be at least 1, is 0"},
        {{.kind = WEFT_SCHEDULE_KIND_WARMUP_COSINE, .total = 5, .warmup = 5}, "warmup, which"},
        {{.kind = WEFT_SCHEDULE_KIND_ONE_CYCLE, .total = 5, .rise = 1}, "rise, which must be in (0, 1), is 1"},
        {{.kind = (weft_schedule_kind)99}, "kind, which must be one of weft_schedule_kind, is 99"}};
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *p = param(c, WEFT_F32, 1, "p");
    weft_optim *opt = NULL;
    WEFT_CHECK_OK(weft_sgd_open(c, &p, 1, NULL, &opt));
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
        weft_schedule s = bad[k].s;
        s.struct_size = sizeof s;
        WEFT_CHECK_STATUS(weft_schedule_apply(opt, &s, 0), WEFT_E_INVALID);
        WEFT_CHECK_STR_HAS(weft_ctx_message(c), bad[k].words);
        weft_ctx_clear(c);
        WEFT_CHECK(isnan(weft_schedule_lr(&s, 1, 0)));
    }
    weft_schedule fine = WEFT_SCHEDULE_DEFAULTS;
    WEFT_CHECK_STATUS(weft_schedule_apply(opt, &fine, -1), WEFT_E_INVALID);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "t is -1; it must be at least 0");
    weft_ctx_clear(c);
    weft_optim_close(opt);
    weft_release(p);
    fault_ctx_close(c, &m);
}
