#define _POSIX_C_SOURCE 200809L /* setenv */
/* test_optimisers.c - what is true of every optimiser of the table, opened with its defaults but for the fields that
 * all have. What each computes has golden values (test_golden.c). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "optim/optim.h" /* first: it wants no places of calls */

#include <weft/compare.h>

#include "harness/structs.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"

#define WEFT_OP(ID, name, family, doc)
#define WEFT_STEP(ID, name, ...) extern const weft__rule weft__rule_##name;
#include "ops/ops.def"

static const weft__rule *const rules[] = {
#define WEFT_OP(ID, name, family, doc)
#define WEFT_STEP(ID, name, ...) &weft__rule_##name,
#include "ops/ops.def"
};
enum { RULES = sizeof rules / sizeof rules[0], MOST_STATE = 12 };

typedef struct settings {
    double lr;
    bool allow_missing, master_weights;
} settings;

static weft_status open_rule(weft_ctx *c, const weft__rule *rule, weft_tensor *const *params, int n, settings s,
                             weft_optim **out)
{
    union {
        char bytes[WEFT__MOST_OPTIONS];
        double align;
    } o;
    memcpy(&o, rule->defaults, rule->size);
    memcpy(o.bytes + rule->lr, &s.lr, sizeof s.lr);
    memcpy(o.bytes + rule->allow_missing, &s.allow_missing, sizeof(bool));
    memcpy(o.bytes + rule->master_weights, &s.master_weights, sizeof(bool));
    return weft__optim_open(c, weft__ops[rule->op].name, rule, params, n, &o, out);
}

/* A rate with which each rule goes from 0 to the minimum, 3 away, in a thousand steps. */
static double rate_of(const weft__rule *rule)
{
    return rule->op == WEFT_OP_ADAGRAD_STEP ? 1 : rule->op == WEFT_OP_ADADELTA_STEP ? 3 : 0.01;
}

/* Steps along the gradient of (x - 3)^2 + 10 (y + 1)^2; returns its last value. */
static double descend(weft_ctx *c, weft_tensor *const *xy, weft_optim *opt, int steps)
{
    double loss = NAN;
    for (int k = 0; k < steps; k++) {
        const int mark = weft_scope_push(c);
        weft_tensor *dx = weft_add_scalar(xy[0], -3), *dy = weft_add_scalar(xy[1], 1);
        weft_tensor *l = weft_sum(weft_add(weft_square(dx), weft_mul_scalar(weft_square(dy), 10)), WEFT_ALL, false);
        weft_backward(c, l);
        weft_optim_step(c, opt);
        weft_optim_zero_grad(c, opt);
        loss = weft_item(c, l);
        if (weft_scope_pop(c, mark) != WEFT_OK)
            return NAN;
    }
    return loss;
}

static void make_params(weft_ctx *c, weft_dtype dtype, weft_tensor **xy)
{
    xy[0] = weft_param(weft_zeros(c, dtype, WEFT_DIMS(5)), "x");
    xy[1] = weft_param(weft_zeros(c, dtype, WEFT_DIMS(5)), "y");
}

static double first_of(weft_ctx *c, weft_tensor *t)
{
    return weft_item(c, weft_select(weft_cast(t, WEFT_F64), 0, 0));
}

WEFT_TEST(Optimisers, FindTheMinimum)
{
    for (int k = 0; k < 2 * RULES; k++) {
        fault_memory m = {0};
        weft_ctx *c = fault_ctx_open(&m);
        weft_tensor *xy[2];
        weft_optim *opt = NULL;
        make_params(c, k % 2 ? WEFT_F32 : WEFT_F64, xy);
        WEFT_CHECK_OK(open_rule(c, rules[k / 2], xy, 2, (settings){.lr = rate_of(rules[k / 2])}, &opt));
        const double last = descend(c, xy, opt, 1000);
        if (!(last < 0.05))
            WEFT_FAIL("%s: from 95 to %g in 1000 steps", weft__ops[rules[k / 2]->op].name, last);
        WEFT_CHECK_EQ_INT(weft_optim_steps(opt), 1000);
        weft_optim_set_lr(opt, 0.5);
        WEFT_CHECK_NEAR(weft_optim_lr(opt), 0.5, 0);
        weft_optim_close(opt);
        weft_release(xy[0]);
        weft_release(xy[1]);
        fault_ctx_close(c, &m);
    }
}

/* A half parameter with master weights is what an f32 one is, rounded; both get the same gradient. */
WEFT_TEST(Optimisers, MasterWeightsAreWhatF32Has)
{
    static const weft_dtype dtypes[] = {WEFT_F32, WEFT_F16, WEFT_BF16};
    for (int k = 0; k < RULES; k++) {
        double end[3] = {0};
        for (int d = 0; d < 3; d++) {
            fault_memory m = {0};
            weft_ctx *c = fault_ctx_open(&m);
            weft_tensor *p = weft_param(weft_zeros(c, dtypes[d], WEFT_DIMS(3)), "p"), *state[MOST_STATE];
            weft_optim *opt = NULL;
            WEFT_CHECK_OK(open_rule(c, rules[k], &p, 1, (settings){.lr = 1e-3, .master_weights = true}, &opt));
            for (int step = 0; step < 50; step++) {
                const int mark = weft_scope_push(c);
                weft_backward(c, weft_sum(weft_mul_scalar(p, 0.25), WEFT_ALL, false));
                weft_optim_step(c, opt);
                weft_optim_zero_grad(c, opt);
                WEFT_CHECK_OK(weft_scope_pop(c, mark));
            }
            const int n = weft_optim_state(opt, state, MOST_STATE);
            for (int i = 0; i < n; i++)
                WEFT_CHECK_EQ_INT(weft_dtype_of(state[i]), WEFT_F32);
            end[d] = first_of(c, d == 0 ? p : state[n - 1]);
            WEFT_CHECK(end[d] < 0);
            if (d > 0) {
                WEFT_CHECK_NEAR(end[d], end[0], 0);
                WEFT_CHECK_NEAR(first_of(c, weft_cast(state[n - 1], dtypes[d])), first_of(c, p), 0);
            }
            weft_optim_close(opt);
            weft_release(p);
            fault_ctx_close(c, &m);
        }
    }
}

/* Parameters, state and the number of steps are all that a step depends on. */
WEFT_TEST(Optimisers, StateRestoredContinuesBitForBit)
{
    static const weft_dtype dtypes[] = {WEFT_F32, WEFT_F64, WEFT_BF16};
    for (int k = 0; k < 3 * RULES; k++) {
        fault_memory m = {0};
        weft_ctx *c = fault_ctx_open(&m);
        weft_tensor *all[MOST_STATE + 2], *saved[MOST_STATE + 2], *end[MOST_STATE + 2];
        weft_optim *opt = NULL;
        make_params(c, dtypes[k % 3], all);
        WEFT_CHECK_OK(open_rule(c, rules[k / 3], all, 2, (settings){.lr = 0.1, .master_weights = true}, &opt));
        const int n = 2 + weft_optim_state(opt, all + 2, MOST_STATE);
        descend(c, all, opt, 7);
        for (int i = 0; i < n; i++)
            saved[i] = weft_clone(weft_detach(all[i]));
        descend(c, all, opt, 5);
        const bool was = weft_set_grad_enabled(c, false);
        for (int i = 0; i < n; i++) {
            end[i] = weft_clone(weft_detach(all[i]));
            weft_copy_(all[i], saved[i]);
        }
        weft_set_grad_enabled(c, was);
        WEFT_CHECK_OK(weft_optim_set_steps(opt, 7));
        descend(c, all, opt, 5);
        for (int i = 0; i < n; i++)
            if (weft_item(c, weft_sum(weft_ne(all[i], end[i]), WEFT_ALL, false)) != 0)
                WEFT_FAIL("%s in %s: tensor %d of %d is another", weft__ops[rules[k / 3]->op].name,
                          weft_dtype_name(dtypes[k % 3]), i, n);
        weft_optim_close(opt);
        weft_release(all[0]);
        weft_release(all[1]);
        fault_ctx_close(c, &m);
    }
}

WEFT_TEST(Optimisers, NeedGradientsUnlessTheyMayBeMissing)
{
    for (int k = 0; k < 2 * RULES; k++) {
        fault_memory m = {0};
        weft_ctx *c = fault_ctx_open(&m);
        weft_tensor *xy[2];
        weft_optim *opt = NULL;
        make_params(c, WEFT_F32, xy);
        WEFT_CHECK_OK(open_rule(c, rules[k / 2], xy, 2, (settings){.lr = 0.1, .allow_missing = k % 2}, &opt));
        weft_backward(c, weft_sum(xy[1], WEFT_ALL, false));
        WEFT_CHECK_STATUS(weft_optim_step(c, opt), k % 2 ? WEFT_OK : WEFT_E_NO_GRADIENT);
        if (k % 2 == 0)
            WEFT_CHECK_STR_HAS(weft_ctx_message(c), "parameter 0 x has no gradient");
        weft_ctx_clear(c);
        WEFT_CHECK_NEAR(first_of(c, xy[0]), 0, 0);
        WEFT_CHECK((first_of(c, xy[1]) < 0) == (k % 2 == 1));
        weft_optim_close(opt);
        weft_release(xy[0]);
        weft_release(xy[1]);
        fault_ctx_close(c, &m);
    }
}

WEFT_TEST(Optimisers, RefuseALearningRateThatIsNone)
{
    static const double bad[] = {NAN, INFINITY, -1};
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *p = weft_param(weft_zeros(c, WEFT_F32, WEFT_DIMS(3)), "p");
    for (int k = 0; k < 3 * RULES; k++) {
        weft_optim *opt = NULL;
        WEFT_CHECK_STATUS(open_rule(c, rules[k / 3], &p, 1, (settings){.lr = bad[k % 3]}, &opt), WEFT_E_INVALID);
        WEFT_CHECK(opt == NULL);
        WEFT_CHECK_STR_HAS(weft_ctx_message(c), "lr is ");
        weft_ctx_clear(c);
    }
    weft_release(p);
    fault_ctx_close(c, &m);
}

/* ---- Lockstep ---- */

typedef struct model {
    weft_tensor *xy[2];
    weft_optim *opt;
} model;

static weft_status model_step(weft_ctx *c, void *user, int step, double *loss)
{
    model *n = user;
    (void)step;
    *loss = descend(c, n->xy, n->opt, 1);
    return weft_ctx_status(c);
}

static void model_open(weft_ctx **c, model *n, const weft__rule *rule, const char *isa)
{
    if (isa)
        setenv("WEFT_ISA", isa, 1);
    WEFT_CHECK_OK(weft_ctx_open(NULL, c));
    unsetenv("WEFT_ISA");
    make_params(*c, WEFT_BF16, n->xy);
    WEFT_CHECK_OK(open_rule(*c, rule, n->xy, 2, (settings){.lr = 0.1, .master_weights = true}, &n->opt));
}

static void model_close(weft_ctx *c, model *n)
{
    weft_optim_close(n->opt);
    weft_release(n->xy[0]);
    weft_release(n->xy[1]);
    weft_ctx_close(c);
}

/* The step is launched again, on the other side, from what stood there before it. */
WEFT_TEST(Optimisers, AreComparedInLockstep)
{
    const char *was = getenv("WEFT_ISA");
    char *isa = was ? strdup(was) : NULL;
    for (int k = 0; k < RULES; k++) {
        weft_ctx *reference, *other;
        model a, b;
        weft_lockstep_report report;
        model_open(&reference, &a, rules[k], NULL);
        model_open(&other, &b, rules[k], "plain");
        WEFT_CHECK_OK(
            weft_lockstep(reference, &a, other, &b, model_step, &WITH_LOCKSTEP(.steps = 4), &report, sizeof report));
        WEFT_CHECK_EQ_INT(report.differences, 0);
        model_close(reference, &a);
        model_close(other, &b);
    }
    if (isa)
        setenv("WEFT_ISA", isa, 1);
    free(isa);
}
