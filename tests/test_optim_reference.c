/* test_optim_reference.c - ten steps of every optimiser and the rates of every schedule beside PyTorch's, or a paper's
 * formula's: tests/optim/make_reference.py made the files and says what the problem is. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/structs.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"
#include "samples/golden.h"

enum { PARAMS = 3, STEPS = 10, MOST = 19, RATES = 130 };

/* ---- The problem ---- */

static const int64_t shapes[PARAMS][2] = {{3, 2}, {5, 0}, {2, 4}};

typedef struct problem {
    weft_ctx *c;
    weft_tensor *p[PARAMS];
    int n, which[PARAMS];
} problem;

static weft_tensor *make(const problem *q, int j, double first, double second, int modulus, double shift, double scale)
{
    const int ndim = j == 1 ? 1 : 2;
    double values[MOST];
    int64_t n = 1;
    for (int d = 0; d < ndim; d++)
        n *= shapes[j][d];
    for (int64_t i = 0; i < n; i++)
        values[i] = (fmod(first * (double)i + second * j, modulus) + shift) / scale;
    return weft_from_data(q->c, WEFT_F64, shapes[j], ndim, values);
}

static double loss_of(weft_ctx *c, void *user)
{
    const problem *q = user;
    weft_tensor *total = NULL;
    for (int k = 0; k < q->n; k++) {
        const weft_dtype dtype = weft_dtype_of(q->p[k]);
        weft_tensor *aim = make(q, q->which[k], 5, 2, 9, -4, 4), *curve = make(q, q->which[k], 7, 3, 13, 4, 8);
        weft_tensor *d = weft_sub(q->p[k], weft_cast(aim, dtype)), *square = weft_mul(d, d);
        weft_tensor *two = weft_mul_scalar(weft_mul(weft_cast(curve, dtype), square), 0.5);
        weft_tensor *all = weft_add(two, weft_mul_scalar(weft_mul(square, square), 0.0625));
        weft_tensor *sum = weft_sum(all, WEFT_ALL, false);
        total = total ? weft_add(total, sum) : sum;
    }
    weft_backward(c, total);
    return weft_item(c, total);
}

/* ---- The optimisers, with the options of the script ---- */

typedef weft_status (*opener)(weft_ctx *c, weft_tensor *const *p, int n, weft_optim **out);
#define OPENER(label, name, NAME, ...)                                                                                 \
    static weft_status label(weft_ctx *c, weft_tensor *const *p, int n, weft_optim **out)                              \
    {                                                                                                                  \
        weft_##name##_options o = WEFT_##NAME##_DEFAULTS;                                                              \
        __VA_ARGS__;                                                                                                   \
        return weft_##name##_open(c, p, n, &o, out);                                                                   \
    }
#define MOMENTS o.lr = 0.05, o.beta1 = 0.8, o.beta2 = 0.95, o.eps = 1e-6, o.weight_decay = 0.1
OPENER(sgd, sgd, SGD, o.lr = 0.05, o.momentum = 0.9, o.dampening = 0.1, o.weight_decay = 0.1)
OPENER(nesterov, sgd, SGD, o.lr = 0.05, o.momentum = 0.9, o.nesterov = true, o.weight_decay = 0.1)
OPENER(adam, adam, ADAM, MOMENTS)
OPENER(adamw, adam, ADAM, MOMENTS, o.decoupled = true)
OPENER(amsgrad, adam, ADAM, MOMENTS, o.lr = 0.2, o.beta2 = 0.5, o.amsgrad = true)
OPENER(amsgradw, adam, ADAM, MOMENTS, o.lr = 0.2, o.beta2 = 0.5, o.amsgrad = o.decoupled = true)
OPENER(rmsprop, rmsprop, RMSPROP, o.lr = 0.05, o.alpha = 0.9, o.eps = 1e-4, o.weight_decay = 0.1, o.momentum = 0.5,
       o.centered = true)
OPENER(adagrad, adagrad, ADAGRAD, o.lr = 0.5, o.lr_decay = o.weight_decay = 0.1, o.initial_accumulator = 0.25,
       o.eps = 1e-6)
OPENER(adadelta, adadelta, ADADELTA, o.lr = 0.7, o.rho = 0.8, o.eps = 1e-3, o.weight_decay = 0.1)
OPENER(nadam, nadam, NADAM, MOMENTS, o.momentum_decay = 0.05)
OPENER(nadamw, nadam, NADAM, MOMENTS, o.momentum_decay = 0.05, o.decoupled = true)
OPENER(lion, lion, LION, o.lr = 0.05, o.beta1 = 0.8, o.beta2 = 0.95, o.weight_decay = 0.1)
OPENER(lamb, lamb, LAMB, MOMENTS)
OPENER(adafactor, adafactor, ADAFACTOR, o.lr = 0.3, o.beta2_decay = -0.7, o.eps1 = 1e-6, o.eps2 = 1e-2,
       o.weight_decay = 0.1)
OPENER(muon, muon, MUON, o.lr = 0.05, o.momentum = 0.8)
OPENER(muon_rms, muon, MUON, o.lr = 0.05, o.momentum = 0.8, o.nesterov = false,
       o.scale = WEFT_MUON_SCALE_MATCH_RMS_ADAMW)
OPENER(lbfgs, lbfgs, LBFGS, o.lr = 0.5, o.max_iter = 1, o.history_size = 3)
OPENER(lbfgs_wolfe, lbfgs, LBFGS, o.max_iter = o.history_size = 2, o.max_eval = 2, o.strong_wolfe = true,
       o.tolerance_change = o.tolerance_grad = 1e-15)
OPENER(bb_long, barzilai_borwein, BARZILAI_BORWEIN, o.lr = 0.05)
OPENER(bb_short, barzilai_borwein, BARZILAI_BORWEIN, o.lr = 0.05, o.form = WEFT_BARZILAI_BORWEIN_FORM_SHORT)

static const struct {
    const char *name;
    opener open;
    double tolerance; /* in f32; 1e-12 in f64 */
    bool matrices;    /* alone */
} optimisers[] = {
    {"sgd", sgd, 4e-6, false},           {"nesterov", nesterov, 4e-6, false},
    {"adam", adam, 4e-6, false},         {"adamw", adamw, 4e-6, false},
    {"amsgrad", amsgrad, 4e-6, false},   {"amsgradw", amsgradw, 4e-6, false},
    {"rmsprop", rmsprop, 1e-4, false},   {"adagrad", adagrad, 4e-6, false},
    {"adadelta", adadelta, 4e-6, false}, {"nadam", nadam, 4e-6, false},
    {"nadamw", nadamw, 4e-6, false},     {"lion", lion, 4e-6, false},
    {"lamb", lamb, 4e-6, false},         {"adafactor", adafactor, 4e-6, false},
    {"muon", muon, 4e-5, true},          {"muon_rms", muon_rms, 4e-5, true},
    {"lbfgs", lbfgs, 1e-3, false},       {"lbfgs_wolfe", lbfgs_wolfe, 1e-3, false},
    {"bb_long", bb_long, 1e-3, false},   {"bb_short", bb_short, 1e-3, false},
};
enum { OPTIMISERS = sizeof optimisers / sizeof optimisers[0] };

/* The file of tests/optim at the line after `heading`. */
static FILE *reference(const char *file, const char *heading)
{
    char path[1200], line[4096];
    snprintf(path, sizeof path, "%s/tests/optim/%s", gold_source_dir(), file);
    FILE *f = fopen(path, "r");
    if (!f)
        WEFT_FAIL("%s is not there", path);
    while (f && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        if (strcmp(line, heading) == 0)
            return f;
    }
    WEFT_FAIL("%s has no %s", path, heading);
    return NULL;
}

static void check_step(problem *q, FILE *f, const char *name, int step, double tolerance)
{
    for (int k = 0; k < q->n; k++) {
        double got[MOST], want;
        const int64_t n = weft_count(q->p[k]);
        WEFT_CHECK_OK(weft_read(q->c, weft_cast(weft_detach(q->p[k]), WEFT_F64), got, sizeof *got * (size_t)n));
        for (int64_t i = 0; i < n; i++) {
            WEFT_REQUIRE(fscanf(f, "%lf", &want) == 1);
            if (!(fabs(got[i] - want) <= tolerance))
                WEFT_FAIL("%s, step %d: element %lld of parameter %d is %.17g, not %.17g", name, step, (long long)i, k,
                          got[i], want);
        }
    }
}

static void ten_steps(int at, weft_dtype dtype)
{
    char heading[64];
    snprintf(heading, sizeof heading, "%s %s", optimisers[at].name, weft_dtype_name(dtype));
    FILE *f = reference("steps.txt", heading);
    WEFT_REQUIRE(f);
    fault_memory m = {0};
    problem q = {.c = fault_ctx_open(&m)};
    for (int j = 0; j < PARAMS; j++) {
        if (optimisers[at].matrices && j == 1)
            continue;
        q.which[q.n] = j;
        q.p[q.n++] = weft_param(weft_cast(make(&q, j, 3, 1, 7, -3, 2), dtype), NULL);
    }
    weft_optim *opt = NULL;
    WEFT_CHECK_OK(optimisers[at].open(q.c, q.p, q.n, &opt));
    for (int step = 1; step <= STEPS; step++) {
        const int mark = weft_scope_push(q.c);
        double loss = 0;
        WEFT_CHECK_OK(weft_optim_step_with(q.c, opt, loss_of, &q, &loss));
        WEFT_CHECK(isfinite(loss));
        check_step(&q, f, heading, step, dtype == WEFT_F64 ? 1e-12 : optimisers[at].tolerance);
        WEFT_CHECK_OK(weft_scope_pop(q.c, mark));
    }
    WEFT_CHECK_EQ_INT(weft_optim_steps(opt), STEPS);
    weft_optim_close(opt);
    for (int k = 0; k < q.n; k++)
        weft_release(q.p[k]);
    fault_ctx_close(q.c, &m);
    fclose(f);
}

WEFT_TEST(OptimReference, TenStepsInF64)
{
    for (int at = 0; at < OPTIMISERS; at++)
        ten_steps(at, WEFT_F64);
}

WEFT_TEST(OptimReference, TenStepsInF32)
{
    for (int at = 0; at < OPTIMISERS; at++)
        ten_steps(at, WEFT_F32);
}

/* ---- Schedules ---- */

static const int64_t milestones[] = {7, 50, 51, 100};
#define KIND(kind_) .struct_size = sizeof(weft_schedule), .kind = WEFT_SCHEDULE_KIND_##kind_
static const struct {
    const char *name;
    weft_schedule s;
} schedules[] = {
    {"step", {KIND(STEP), .every = 30, .gamma = 0.5}},
    {"multi_step", {KIND(MULTI_STEP), .milestones = milestones, .n_milestones = 4, .gamma = 0.3}},
    {"exponential", {KIND(EXPONENTIAL), .gamma = 0.97}},
    {"linear", {KIND(LINEAR), .total = 40, .start = 0.1, .end = 0.9}},
    {"polynomial", {KIND(POLYNOMIAL), .total = 90, .power = 1.7}},
    {"cosine", {KIND(COSINE), .total = 45, .min_lr = 0.001}},
    {"warmup_cosine", {KIND(WARMUP_COSINE), .total = 130, .warmup = 20, .start = 0.01, .min_lr = 0.001}},
    {"warm_restarts", {KIND(WARM_RESTARTS), .every = 9, .mult = 2, .min_lr = 0.001}},
    {"warm_restarts_1", {KIND(WARM_RESTARTS), .every = 13, .mult = 1, .min_lr = 0.001}},
    {"one_cycle", {KIND(ONE_CYCLE), .total = 130, .rise = 0.25, .div = 20, .final_div = 1000}},
    {"one_cycle_3",
     {KIND(ONE_CYCLE), .total = 130, .rise = 0.4, .div = 25, .final_div = 1e4, .three_phases = true, .straight = true}},
};
enum { SCHEDULES = sizeof schedules / sizeof schedules[0] };

/* Two groups: the second one's base is another. */
static weft_optim *two_groups(weft_ctx *c, weft_tensor **p)
{
    weft_optim *part[2] = {NULL, NULL}, *both = NULL;
    for (int k = 0; k < 2; k++) {
        p[k] = weft_param(weft_ones(c, WEFT_F32, WEFT_DIMS(2)), NULL);
        WEFT_CHECK_OK(weft_sgd_open(c, &p[k], 1, &WITH_SGD(.lr = k ? 0.05 : 0.2), &part[k]));
    }
    WEFT_CHECK_OK(weft_optim_join(c, part, 2, &both));
    return both;
}

WEFT_TEST(OptimReference, RatesOfSchedules)
{
    for (int at = 0; at < SCHEDULES; at++) {
        FILE *f = reference("rates.txt", schedules[at].name);
        WEFT_REQUIRE(f);
        fault_memory m = {0};
        weft_ctx *c = fault_ctx_open(&m);
        weft_tensor *p[2];
        weft_optim *opt = two_groups(c, p);
        for (int t = 0; t < RATES; t++) {
            double want;
            WEFT_REQUIRE(fscanf(f, "%lf", &want) == 1);
            const double got = weft_schedule_lr(&schedules[at].s, 0.2, t);
            if (!(fabs(got - want) <= 1e-12))
                WEFT_FAIL("%s at %d: %.17g, not %.17g", schedules[at].name, t, got, want);
            WEFT_CHECK_OK(weft_schedule_apply(opt, &schedules[at].s, t));
            WEFT_CHECK(weft_optim_lr(opt) == got);
            WEFT_CHECK(weft_optim_lr(weft_optim_group(opt, 1)) == weft_schedule_lr(&schedules[at].s, 0.05, t));
        }
        weft_optim_close(opt);
        weft_release(p[0]);
        weft_release(p[1]);
        fault_ctx_close(c, &m);
        fclose(f);
    }
}

WEFT_TEST(OptimReference, RatesOnAPlateau)
{
    static const char *const names[] = {"plateau", "plateau_max"};
    for (int at = 0; at < 2; at++) {
        weft_plateau_options o = WEFT_PLATEAU_DEFAULTS;
        o.factor = at ? 0.7 : 0.5;
        o.patience = at ? 0 : 3;
        o.cooldown = at ? 0 : 2;
        o.threshold = at ? 0.1 : 0.01;
        o.min_lr = at ? 0 : 0.02;
        o.eps = at ? 0.001 : 1e-8;
        o.maximize = o.absolute = at == 1;
        FILE *f = reference("rates.txt", names[at]);
        WEFT_REQUIRE(f);
        fault_memory m = {0};
        weft_ctx *c = fault_ctx_open(&m);
        weft_tensor *p[2];
        weft_optim *opt = two_groups(c, p);
        double state[4] = {0}, want;
        for (int t = 0; t < RATES; t++) {
            WEFT_REQUIRE(fscanf(f, "%lf", &want) == 1);
            if (!(fabs(weft_optim_lr(opt) - want) <= 1e-15))
                WEFT_FAIL("%s at %d: %.17g, not %.17g", names[at], t, weft_optim_lr(opt), want);
            const double metric = (double)(13 * t * t % 31) / 8 + 16.0 / (1 + t);
            WEFT_CHECK_OK(weft_plateau_step(opt, &o, metric, state));
        }
        WEFT_CHECK(want < 0.2);
        WEFT_CHECK_EQ_INT((int)state[0], RATES);
        weft_optim_close(opt);
        weft_release(p[0]);
        weft_release(p[1]);
        fault_ctx_close(c, &m);
        fclose(f);
    }
}
