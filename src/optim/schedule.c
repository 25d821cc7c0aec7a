/* schedule.c - the rate as a function of the step. */
#include "optim.h"
#include <weft/schedule.h>

static const double pi = 3.14159265358979323846;
static const weft_schedule defaults = WEFT_SCHEDULE_DEFAULTS;

/* ---- Ranges ---- */

/* A field that is out of its range, or NULL; *range says which. */
static const char *bad_count(const weft_schedule *s, int64_t *value)
{
    const bool periods = s->kind == WEFT_SCHEDULE_KIND_STEP || s->kind == WEFT_SCHEDULE_KIND_WARM_RESTARTS;
    const bool exponents = s->kind == WEFT_SCHEDULE_KIND_MULTI_STEP || s->kind == WEFT_SCHEDULE_KIND_EXPONENTIAL;
    const int64_t least = s->kind == WEFT_SCHEDULE_KIND_ONE_CYCLE ? 2 : 1;
    if (periods && (*value = s->every) < 1)
        return "every, which must be at least 1,";
    if (s->kind == WEFT_SCHEDULE_KIND_WARM_RESTARTS && (*value = s->mult) < 1)
        return "mult, which must be at least 1,";
    if (!periods && !exponents && (*value = s->total) < least)
        return least == 2 ? "total, which must be at least 2," : "total, which must be at least 1,";
    if (s->kind == WEFT_SCHEDULE_KIND_WARMUP_COSINE && ((*value = s->warmup) < 0 || s->warmup >= s->total))
        return "warmup, which must be at least 0 and less than total,";
    if (s->kind == WEFT_SCHEDULE_KIND_MULTI_STEP && ((*value = s->n_milestones) < 0 || (*value && !s->milestones)))
        return "n_milestones, which must be the length of milestones,";
    return NULL;
}

static const char *bad_real(const weft_schedule *s, double *value)
{
    const bool gamma = s->kind <= WEFT_SCHEDULE_KIND_EXPONENTIAL, cycle = s->kind == WEFT_SCHEDULE_KIND_ONE_CYCLE;
    if (gamma && !((*value = s->gamma) >= 0 && isfinite(s->gamma)))
        return "gamma, which must be finite and at least 0,";
    if (s->kind == WEFT_SCHEDULE_KIND_POLYNOMIAL && !((*value = s->power) >= 0 && isfinite(s->power)))
        return "power, which must be finite and at least 0,";
    if (!((*value = s->min_lr) >= 0 && isfinite(s->min_lr)))
        return "min_lr, which must be finite and at least 0,";
    if (!((*value = s->start) >= 0 && isfinite(s->start)))
        return "start, which must be finite and at least 0,";
    if (!((*value = s->end) >= 0 && isfinite(s->end)))
        return "end, which must be finite and at least 0,";
    if (cycle && !((*value = s->rise) > 0 && s->rise < (s->three_phases ? 0.5 : 1)))
        return s->three_phases ? "rise, which must be in (0, 0.5)," : "rise, which must be in (0, 1),";
    if (cycle && !((*value = s->div) > 0 && isfinite(s->div)))
        return "div, which must be finite and above 0,";
    if (cycle && !((*value = s->final_div) > 0 && isfinite(s->final_div)))
        return "final_div, which must be finite and above 0,";
    return NULL;
}

/* What is wrong, with its value. */
static const char *bad_field(const weft_schedule *s, double *value)
{
    int64_t count = 0;
    *value = (double)s->kind;
    if ((int)s->kind < 0 || s->kind > WEFT_SCHEDULE_KIND_ONE_CYCLE)
        return "kind, which must be one of weft_schedule_kind,";
    const char *what = bad_count(s, &count);
    *value = (double)count;
    return what ? what : bad_real(s, value);
}

/* ---- Rates ---- */

static double cosine(double from, double to, double part)
{
    return to + (from - to) * (1 + cos(pi * part)) / 2;
}

static double linear(double from, double to, double part)
{
    return from + (to - from) * part;
}

static double milestones(const weft_schedule *s, double base, int64_t t)
{
    int passed = 0;
    for (int k = 0; k < s->n_milestones; k++)
        passed += s->milestones[k] <= t;
    return base * pow(s->gamma, passed);
}

static double warmup_cosine(const weft_schedule *s, double base, int64_t t)
{
    if (t < s->warmup)
        return base * linear(s->start, 1, (double)t / (double)s->warmup);
    if (t >= s->total)
        return s->min_lr;
    return cosine(base, s->min_lr, (double)(t - s->warmup) / (double)(s->total - s->warmup));
}

static double warm_restarts(const weft_schedule *s, double base, int64_t t)
{
    int64_t period = s->every;
    if (s->mult == 1)
        t %= period;
    while (t >= period) {
        t -= period;
        if (period > INT64_MAX / s->mult)
            break;
        period *= s->mult;
    }
    return cosine(base, s->min_lr, (double)t / (double)period);
}

static double one_cycle(const weft_schedule *s, double base, int64_t t)
{
    const double low = base / s->div, total = (double)s->total, at = fmin((double)t, total - 1);
    const double ends[] = {s->rise * total - 1, s->three_phases ? 2 * s->rise * total - 2 : total - 1, total - 1};
    const double rates[] = {low, base, s->three_phases ? low : low / s->final_div, low / s->final_div};
    int phase = 0;
    while (phase < (s->three_phases ? 2 : 1) && at > ends[phase])
        phase++;
    const double begin = phase ? ends[phase - 1] : 0, length = ends[phase] - begin;
    const double part = length > 0 ? (at - begin) / length : 1;
    return s->straight ? linear(rates[phase], rates[phase + 1], part) : cosine(rates[phase], rates[phase + 1], part);
}

static double rate(const weft_schedule *s, double base, int64_t t)
{
    const double part = (double)t / (double)s->total, ended = fmin(part, 1);
    switch (s->kind) {
    case WEFT_SCHEDULE_KIND_STEP:
        return base * pow(s->gamma, (double)(t / s->every));
    case WEFT_SCHEDULE_KIND_MULTI_STEP:
        return milestones(s, base, t);
    case WEFT_SCHEDULE_KIND_EXPONENTIAL:
        return base * pow(s->gamma, (double)t);
    case WEFT_SCHEDULE_KIND_LINEAR:
        return base * linear(s->start, s->end, ended);
    case WEFT_SCHEDULE_KIND_POLYNOMIAL:
        return base * pow(1 - ended, s->power);
    case WEFT_SCHEDULE_KIND_COSINE:
        return cosine(base, s->min_lr, part);
    case WEFT_SCHEDULE_KIND_WARMUP_COSINE:
        return warmup_cosine(s, base, t);
    case WEFT_SCHEDULE_KIND_WARM_RESTARTS:
        return warm_restarts(s, base, t);
    case WEFT_SCHEDULE_KIND_ONE_CYCLE:
        return one_cycle(s, base, t);
    }
    return (double)NAN;
}

double weft_schedule_lr(const weft_schedule *schedule, double base, int64_t t)
{
    weft_schedule s;
    double value;
    if (t < 0 || !schedule ||
        weft_struct_in(NULL, "schedule_lr", "weft_schedule", &defaults, schedule, &s) != WEFT_OK ||
        bad_field(&s, &value))
        return (double)NAN;
    return rate(&s, base, t);
}

weft_status weft_schedule_apply(weft_optim *handle, const weft_schedule *schedule, int64_t t)
{
    const weft__optim *o = weft_owned(&weft__optim_kind, handle);
    weft_schedule s;
    double value = 0;
    if (!o)
        return weft_owned_fail(NULL, "schedule_apply", &weft__optim_kind, handle);
    if (!schedule)
        return weft_ctx_fail(o->ctx, WEFT_E_NULL_ARGUMENT, "weft_schedule_apply: schedule is NULL");
    const weft_status status = weft_struct_in(o->ctx, "schedule_apply", "weft_schedule", &defaults, schedule, &s);
    if (status != WEFT_OK)
        return status;
    const char *bad = bad_field(&s, &value);
    if (bad)
        return weft_ctx_fail(o->ctx, WEFT_E_INVALID, "weft_schedule_apply: %s is %g", bad, value);
    if (t < 0)
        return weft_ctx_fail(o->ctx, WEFT_E_INVALID, "weft_schedule_apply: t is %lld; it must be at least 0",
                             (long long)t);
    weft_status set = WEFT_OK;
    for (int g = 0; g < weft_optim_groups(handle) && set == WEFT_OK; g++) {
        weft_optim *group = weft_optim_group(handle, g);
        set = weft_optim_set_lr(group, rate(&s, weft_optim_base_lr(group), t));
    }
    return set;
}

/* ---- On a plateau ---- */

static const weft_plateau_options flat = WEFT_PLATEAU_DEFAULTS;
enum { CALLS, BEST, SINCE, COOLDOWN };

static weft_status check_plateau(weft_ctx *ctx, const weft_plateau_options *o)
{
    const char *function = "plateau_step";
    const weft_status status = CHECK_OPTIONS(ctx, function, BELOW_1(o, factor), NOT_NEGATIVE(o, threshold),
                                             NOT_NEGATIVE(o, min_lr), NOT_NEGATIVE(o, eps));
    if (status == WEFT_OK && (o->patience < 0 || o->cooldown < 0))
        return weft_ctx_fail(ctx, WEFT_E_INVALID,
                             "weft_plateau_step: patience is %d and cooldown %d; they must be at least 0", o->patience,
                             o->cooldown);
    return status;
}

static bool is_better(const weft_plateau_options *o, double metric, double best)
{
    const double by = o->absolute ? o->threshold : o->threshold * best;
    return o->maximize ? metric > best + by : metric < best - by;
}

static weft_status reduce(weft_optim *optim, const weft_plateau_options *o)
{
    weft_status status = WEFT_OK;
    for (int g = 0; g < weft_optim_groups(optim) && status == WEFT_OK; g++) {
        weft_optim *group = weft_optim_group(optim, g);
        const double was = weft_optim_lr(group), now = fmax(was * o->factor, o->min_lr);
        if (was - now > o->eps)
            status = weft_optim_set_lr(group, now);
    }
    return status;
}

weft_status weft_plateau_step(weft_optim *handle, const weft_plateau_options *options, double metric, double *state)
{
    const weft__optim *o = weft_owned(&weft__optim_kind, handle);
    weft_plateau_options own;
    if (!o)
        return weft_owned_fail(NULL, "plateau_step", &weft__optim_kind, handle);
    if (!state)
        return weft_ctx_fail(o->ctx, WEFT_E_NULL_ARGUMENT, "weft_plateau_step: state is NULL");
    weft_status status = weft_struct_in(o->ctx, "plateau_step", "weft_plateau_options", &flat, options, &own);
    if (status == WEFT_OK)
        status = check_plateau(o->ctx, &own);
    if (status != WEFT_OK)
        return status;
    if (state[CALLS]++ == 0)
        state[BEST] = own.maximize ? -(double)INFINITY : (double)INFINITY;
    const bool first = isinf(state[BEST]);
    if (first ? !isnan(metric) : is_better(&own, metric, state[BEST])) {
        state[BEST] = metric;
        state[SINCE] = 0;
    } else {
        state[SINCE]++;
    }
    if (state[COOLDOWN] > 0) {
        state[COOLDOWN]--;
        state[SINCE] = 0;
    }
    if (state[SINCE] <= own.patience)
        return WEFT_OK;
    state[COOLDOWN] = own.cooldown;
    state[SINCE] = 0;
    return reduce(handle, &own);
}
