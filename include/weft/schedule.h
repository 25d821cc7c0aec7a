/* schedule.h - learning rates that change as training goes on.
 *
 *     weft_schedule s = WEFT_SCHEDULE_DEFAULTS;
 *     s.kind = WEFT_SCHEDULE_KIND_WARMUP_COSINE;
 *     s.warmup = 100;
 *     s.total = 10000;
 *     each step: weft_schedule_apply(opt, &s, weft_optim_steps(opt)); ... weft_optim_step(ctx, opt);
 *
 * A schedule is numbers alone, and the rate a function of them and of the step: nothing else has to be saved to resume.
 * Each group of a joined optimiser goes by its own base, the rate that it was opened with (weft_optim_base_lr).
 *
 * Part of the public API; include <weft/weft.h>. */
#ifndef WEFT_SCHEDULE_H
#define WEFT_SCHEDULE_H

#include <weft/optim.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The rate at t, counted from 0 in whatever the program applies it by, steps or epochs; b: the base. PyTorch's names in
 * brackets; the rates are its schedulers' closed forms.
 *   STEP            b gamma^floor(t / every)  [StepLR: step_size]
 *   MULTI_STEP      b gamma^m, m: how many of the milestones are <= t  [MultiStepLR]
 *   EXPONENTIAL     b gamma^t  [ExponentialLR]
 *   LINEAR          b (start + (end - start) min(t, total) / total)  [LinearLR: start_factor, end_factor, total_iters]
 *   POLYNOMIAL      b (1 - min(t, total) / total)^power  [PolynomialLR: total_iters]
 *   COSINE          min_lr + (b - min_lr) (1 + cos(pi t / total)) / 2  [CosineAnnealingLR: T_max, eta_min]
 *   WARMUP_COSINE   LINEAR from start to 1 over warmup, then COSINE over the other total - warmup, then min_lr
 *                   [SequentialLR of LinearLR and CosineAnnealingLR]
 *   WARM_RESTARTS   COSINE over periods of every, every mult, every mult^2 ... steps
 *                   [CosineAnnealingWarmRestarts: T_0, T_mult]
 *   ONE_CYCLE       from b / div up to b in rise total - 1 steps, then down to b / (div final_div) at total - 1; with
 *                   three_phases down to b / div as fast as up, and then on. Along cosines, or with straight along
 *                   lines. [OneCycleLR: max_lr is b; pct_start, div_factor, final_div_factor; cycle_momentum=False] */
typedef enum weft_schedule_kind {
    WEFT_SCHEDULE_KIND_STEP,
    WEFT_SCHEDULE_KIND_MULTI_STEP,
    WEFT_SCHEDULE_KIND_EXPONENTIAL,
    WEFT_SCHEDULE_KIND_LINEAR,
    WEFT_SCHEDULE_KIND_POLYNOMIAL,
    WEFT_SCHEDULE_KIND_COSINE,
    WEFT_SCHEDULE_KIND_WARMUP_COSINE,
    WEFT_SCHEDULE_KIND_WARM_RESTARTS,
    WEFT_SCHEDULE_KIND_ONE_CYCLE
} weft_schedule_kind;

typedef struct weft_schedule {
    size_t struct_size; /* set by WEFT_SCHEDULE_DEFAULTS */
    weft_schedule_kind kind;
    int64_t total;             /* >= 1, more than warmup; ONE_CYCLE: >= 2; default 1000 */
    int64_t warmup;            /* >= 0; default 0 */
    int64_t every;             /* >= 1; default 100 */
    int64_t mult;              /* >= 1; default 1 */
    const int64_t *milestones; /* ascending; default none */
    int n_milestones;
    double gamma;      /* default 0.1 */
    double power;      /* default 1 */
    double min_lr;     /* default 0 */
    double start;      /* default 1/3 */
    double end;        /* default 1 */
    double rise;       /* in (0, 1), with three_phases in (0, 0.5); default 0.3 */
    double div;        /* > 0; default 25 */
    double final_div;  /* > 0; default 1e4 */
    bool three_phases; /* default false */
    bool straight;     /* default false */
} weft_schedule;
#define WEFT_SCHEDULE_DEFAULTS                                                                                         \
    {                                                                                                                  \
        sizeof(weft_schedule), WEFT_SCHEDULE_KIND_STEP, 1000, 0, 100, 1, NULL, 0, 0.1, 1, 0, 1.0 / 3, 1, 0.3, 25, 1e4, \
            false, false                                                                                               \
    }

/* NAN where a field that the kind uses is out of its range, or t < 0. */
WEFT_API double weft_schedule_lr(const weft_schedule *schedule, double base, int64_t t);

/* Sets the rate of each group of optim to that at t. WEFT_E_INVALID, which names the field, is recorded. */
WEFT_API weft_status weft_schedule_apply(weft_optim *optim, const weft_schedule *schedule, int64_t t);

/* ---- On a plateau ---- */

/* When metric has not become better for more than patience calls, each group's rate is multiplied by factor, but not
 * below min_lr nor where that changes it by no more than eps; the next cooldown calls do not count. Better: below
 * best (1 - threshold), or with absolute below best - threshold; with maximize above best (1 + threshold), or best +
 * threshold. [ReduceLROnPlateau: mode, threshold_mode] */
typedef struct weft_plateau_options {
    size_t struct_size; /* set by WEFT_PLATEAU_DEFAULTS */
    double factor;      /* in [0, 1); default 0.1 */
    int patience;       /* >= 0; default 10 */
    int cooldown;       /* >= 0; default 0 */
    double threshold;   /* default 1e-4 */
    double min_lr;      /* default 0 */
    double eps;         /* default 1e-8 */
    bool maximize;      /* default false */
    bool absolute;      /* default false */
} weft_plateau_options;
#define WEFT_PLATEAU_DEFAULTS                                                                                          \
    {                                                                                                                  \
        sizeof(weft_plateau_options), 0.1, 10, 0, 1e-4, 0, 1e-8, false, false                                          \
    }

/* state[4]: zeros before the first call; then calls, the best metric, calls since, calls of cooldown left. With it and
 * the rates (weft_optim_lr) training resumes. A metric that is NaN is not better. */
WEFT_API weft_status weft_plateau_step(weft_optim *optim, const weft_plateau_options *options, double metric,
                                       double *state);

#ifdef __cplusplus
}
#endif

#ifndef WEFT_NO_CALL_SITES
#define weft_schedule_apply(...) (WEFT_HERE("schedule_apply"), weft_schedule_apply(__VA_ARGS__))
#define weft_plateau_step(...) (WEFT_HERE("plateau_step"), weft_plateau_step(__VA_ARGS__))
#endif
#endif
