/* lockstep.c - see compare.h: every launch of a step, repeated in another context on the same inputs. */
#include "lockstep.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct lockstep {
    weft__observer observer; /* first: the callbacks get its address */
    weft__undo undo;         /* in memory of reference, for a step that is left by longjmp */
    weft__savepoint reference_before, other_before;
    weft_ctx *reference, *other, *arbiter;
    weft_lockstep_options options;
    weft_lockstep_report *report; /* complete; out, of size bytes, is the caller's */
    void *out;
    size_t size;
    weft__frozen frozen;
    bool holds; /* frozen has the inputs of the launch that runs */
    int depth;  /* launches in progress: a callback of the user's may call operations */
    int step;
    int64_t call;
} lockstep;

static const char function[] = "lockstep", report_type[] = "weft_lockstep_report";

/* What is known so far: a step may never come back. The size was seen to fit. */
static void publish(const lockstep *s)
{
    (void)weft_struct_out(NULL, function, report_type, s->report, sizeof *s->report, s->out, s->size);
}

static bool over(const lockstep *s)
{
    return (s->report->differences > 0 && !s->options.keep_going) || s->reference->status != WEFT_OK;
}

static void begin(weft__observer *observer, const weft__launch *launch)
{
    lockstep *s = (lockstep *)observer;
    if (!weft__can_rerun(s->other, launch) || s->depth++ > 0)
        return;
    s->holds = false;
    if (over(s))
        return;
    s->holds = weft__freeze_inputs(&s->frozen, s->reference, launch);
    if (!s->holds) {
        weft__frozen_drop(&s->frozen);
        weft__fail_named(s->reference, "lockstep", WEFT_E_NOMEM,
                         "out of host memory for a copy of the operands of weft_%s", launch->name);
    }
}

static void show_difference(lockstep *s, const weft__verdict *v, const weft__held *got)
{
    weft_difference d = {.step = s->step, .call = s->call};
    weft__describe_difference(&s->frozen, v, got, s->arbiter, &d);
    weft__pair pair;
    if (!weft__pair_begins(&pair, s->reference, s->other, "the difference callback of weft_lockstep"))
        return;
    s->options.difference(s->options.user, &d);
    weft__pair_ends(&pair);
}

static void note_difference(lockstep *s, const weft__verdict *v, const weft__held *got)
{
    weft_lockstep_report *report = s->report;
    const bool first = report->differences++ == 0;
    if (s->options.difference)
        show_difference(s, v, got);
    if (first && s->options.save_path && !s->frozen.custom) /* a file cannot hold a callback */
        report->saved = weft__save_launch(s->arbiter, s->options.save_path, &s->frozen, got) == WEFT_OK;
}

static void judge(lockstep *s)
{
    weft__verdict v;
    const bool widen = s->options.widen && !s->frozen.custom; /* a callback knows the dtypes that it was given */
    weft__held *got = weft__rerun(s->other, &s->frozen, weft__rerun_kind_for(s->frozen.op, widen));
    const bool judged = got && weft__judge(&s->frozen, got, s->arbiter, &v);
    weft_lockstep_report *report = s->report;
    if (!judged) { /* where neither context says why, a copy on the host could not be had */
        const weft_ctx *why = s->other->status != WEFT_OK ? s->other : s->arbiter;
        weft__fail_named(s->reference, "lockstep", why->status != WEFT_OK ? why->status : WEFT_E_NOMEM,
                         "weft_%s could not be compared: %s", s->frozen.name,
                         why->status != WEFT_OK ? why->message : "out of host memory");
    }
    if (judged) {
        report->launches++;
        report->ties += v.ties;
        if (!v.agrees) {
            note_difference(s, &v, got);
        } else if (v.relative_l2 > report->worst) {
            report->worst = v.relative_l2;
            weft_text(report->worst_kernel, sizeof report->worst_kernel, "%s", weft__frozen_kernel(&s->frozen));
        }
    }
    if (got)
        weft__results_drop(&s->frozen, got);
    publish(s);
}

static void end(weft__observer *observer, const weft__launch *launch, weft_status status)
{
    lockstep *s = (lockstep *)observer;
    if (!weft__can_rerun(s->other, launch) || --s->depth > 0 || !s->holds)
        return;
    if (status == WEFT_OK) {
        if (weft__freeze_outputs(&s->frozen, launch))
            judge(s);
        else
            weft__fail_named(s->reference, "lockstep", WEFT_E_NOMEM,
                             "out of host memory for a copy of the results of weft_%s", launch->name);
    }
    weft__frozen_drop(&s->frozen);
    s->holds = false;
    s->call++;
    weft__pair pair;
    if (!s->options.progress ||
        !weft__pair_begins(&pair, s->reference, s->other, "the progress callback of weft_lockstep"))
        return;
    s->options.progress(s->options.user, s->step, s->call);
    weft__pair_ends(&pair);
}

static void cut(weft__observer *observer, int open)
{
    lockstep *s = (lockstep *)observer;
    if (s->depth <= open)
        return;
    s->depth = open;
    if (s->holds && open == 0) {
        weft__frozen_drop(&s->frozen);
        s->holds = false;
    }
}

/* ---- The two runs ---- */

/* Everything that the comparison holds; s itself is part of it. */
static void drop(weft_ctx *reference, weft__undo *undo)
{
    lockstep *s = (lockstep *)((char *)undo - offsetof(lockstep, undo));
    weft__unobserve(reference, &s->observer);
    if (s->holds)
        weft__frozen_drop(&s->frozen);
    weft_ctx_close(s->arbiter);
    weft__host_free(reference, s, sizeof *s);
}

/* One step of the program's. *gone: it closed scopes of reference that were open before, and s with them. */
static weft_status run_step(lockstep *s, weft_ctx *ctx, void *model, weft_step step, double *loss, bool *gone)
{
    static const char name[] = "a step of weft_lockstep";
    weft_ctx *reference = s->reference, *other = s->other;
    const weft__call_id first = weft__call_begins_from(reference, name, &s->reference_before);
    if (!first)
        return reference->status;
    const weft__call_id second = weft__call_begins_from(other, name, &s->other_before);
    weft_status status = second ? step(ctx, model, s->step, loss) : other->status;
    if (second && !weft__call_ends(other, "lockstep", second))
        status = WEFT_E_STATE;
    *gone = !weft__call_ends(reference, "lockstep", first);
    return *gone ? WEFT_E_STATE : status;
}

static weft_status observed_step(lockstep *s, void *model, weft_step step, double *loss, bool *gone)
{
    s->call = 0;
    s->depth = 0;
    weft__observe(s->reference, &s->observer);
    const weft_status status = run_step(s, s->reference, model, step, loss, gone);
    if (!*gone)
        weft__unobserve(s->reference, &s->observer);
    return status;
}

static weft_status run_reference(lockstep *s, void *model, weft_step step, bool *gone)
{
    for (s->step = 0; s->step < s->options.steps; s->step++) {
        double loss = NAN;
        const weft_status status = observed_step(s, model, step, &loss, gone);
        if (status != WEFT_OK)
            return status;
        s->report->steps++;
        publish(s);
        if (s->step < s->options.drift_room && s->options.drift)
            s->options.drift[s->step] = (weft_drift){.reference_loss = loss};
    }
    return WEFT_OK;
}

/* One step in each, then their difference. */
static weft_status run_both(lockstep *s, void *model, void *other_model, weft_step step, bool *gone)
{
    weft_lockstep_report *report = s->report;
    weft_status status = weft__copy_parameters(s->reference, s->other);
    for (s->step = 0; status == WEFT_OK && s->step < s->options.steps; s->step++) {
        weft_drift drift = {.reference_loss = NAN, .other_loss = NAN};
        status = observed_step(s, model, step, &drift.reference_loss, gone);
        if (status == WEFT_OK)
            status = run_step(s, s->other, other_model, step, &drift.other_loss, gone);
        if (status == WEFT_OK)
            status = weft__parameter_error(s->reference, s->other, &drift.parameter_error);
        if (status != WEFT_OK)
            return status;
        const double size = fabs(drift.reference_loss), off = fabs(drift.other_loss - drift.reference_loss);
        drift.loss_error = size > 0 ? off / size : off;
        report->steps++;
        if (s->options.drift && report->n_drift < s->options.drift_room)
            s->options.drift[report->n_drift++] = drift;
    }
    return status;
}

static weft_status refuse(weft_ctx *ctx, const char *why)
{
    return weft__fail_named(ctx, "lockstep", WEFT_E_INVALID, "%s", why);
}

weft_status weft_lockstep(weft_ctx *reference, void *reference_model, weft_ctx *other, void *other_model,
                          weft_step step, const weft_lockstep_options *options, weft_lockstep_report *report,
                          size_t size)
{
    static const weft_lockstep_options defaults = WEFT_LOCKSTEP_DEFAULTS;
    weft_lockstep_report found = {0};
    if (report) /* also where the call is refused */
        (void)weft_struct_out(NULL, function, report_type, &found, sizeof found, report, size);
    if (!reference || !other || !step || !report)
        return weft__fail_named(reference ? reference : other, "lockstep", WEFT_E_NULL_ARGUMENT,
                                "needs two contexts, a step and a report");
    lockstep first = {.observer = {.begin = begin, .end = end, .cut = cut},
                      .reference_before = weft__savepoint_now(reference),
                      .other_before = weft__savepoint_now(other),
                      .reference = reference,
                      .other = other,
                      .report = &found,
                      .out = report,
                      .size = size};
    if (reference == other)
        return refuse(reference, "reference and other are one context; open a second one");
    if (!weft__pair_ready(reference, other, "lockstep"))
        return reference->status != WEFT_OK ? reference->status : other->status;
    weft_status status = weft_struct_out(reference, function, report_type, &found, sizeof found, report, size);
    if (status == WEFT_OK)
        status = weft_struct_in(reference, function, "weft_lockstep_options", &defaults, options, &first.options);
    if (status != WEFT_OK)
        return status;
    if (first.options.steps < 1)
        return refuse(reference, "the option steps must be at least 1");
    lockstep *s = weft__host_alloc(reference, sizeof *s);
    if (!s)
        return weft__fail_named(reference, "lockstep", WEFT_E_NOMEM, "out of host memory");
    *s = first;
    weft__undo_push(reference, &s->undo, drop);
    bool gone = false;
    if (!(s->arbiter = weft__open_arbiter(reference)))
        status = reference->status;
    else
        status = other_model ? run_both(s, reference_model, other_model, step, &gone)
                             : run_reference(s, reference_model, step, &gone);
    (void)weft_struct_out(NULL, function, report_type, &found, sizeof found, report,
                          size); /* the size was seen to fit */
    if (gone)
        return status;
    weft__undo_pop(reference, &s->undo);
    drop(reference, &s->undo);
    return status == WEFT_OK && found.differences > 0 ? WEFT_E_MISMATCH : status;
}
