/* compare_lockstep.c - `weft compare lockstep` and `weft compare replay`. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "compare.h"
#include "json.h"
#include "net.h"
#include "options.h"
#include "terminal.h"

typedef struct trainer {
    net n;
    const model *m;
    weft_optim *optim;
} trainer;

static bool build(trainer *t, weft_ctx *ctx, const model *m, weft_dtype dtype, int batch)
{
    t->m = m;
    t->n.ctx = ctx;
    t->n.dtype = dtype;
    t->n.batch = batch ? batch : m->cpu_batch;
    m->build(&t->n);
    weft_sgd_options sgd = WEFT_SGD_DEFAULTS;
    sgd.momentum = 0.9;
    return weft_ctx_status(ctx) == WEFT_OK &&
           weft_sgd_open(ctx, t->n.params, t->n.n_params, &sgd, &t->optim) == WEFT_OK;
}

static weft_status step(weft_ctx *ctx, void *model, int number, double *loss)
{
    trainer *t = model;
    (void)number;
    const int mark = weft_scope_push(ctx);
    weft_tensor *l = t->m->loss(&t->n);
    weft_backward(ctx, l);
    weft_optim_step(ctx, t->optim);
    weft_optim_zero_grad(ctx, t->optim);
    *loss = weft_item(ctx, l);
    return weft_scope_pop(ctx, mark);
}

/* The same numbers go into both models, whatever their dtypes. */
static weft_status copy_input(const trainer *from, const trainer *to)
{
    weft_ctx *a = from->n.ctx, *b = to->n.ctx;
    if (!weft_dtype_is_float(weft_dtype_of(from->n.x)))
        return WEFT_OK;
    const size_t bytes = sizeof(double) * (size_t)weft_count(from->n.x);
    double *values = take(bytes + 1);
    const int here = weft_scope_push(a), there = weft_scope_push(b);
    if (weft_read(a, weft_cast(from->n.x, WEFT_F64), values, bytes) == WEFT_OK)
        weft_copy_(to->n.x, weft_from_data(b, WEFT_F64, weft_shape(from->n.x), weft_ndim(from->n.x), values));
    free(values);
    const weft_status first = weft_scope_pop(a, here), second = weft_scope_pop(b, there);
    return first != WEFT_OK ? first : second;
}

/* False after a complaint. */
static bool write_svg(const char *path, const weft_drift *drift, int n)
{
    enum { ROOM = 1 << 18 };
    char *svg = take(ROOM);
    FILE *f = fopen(path, "w");
    const int length = weft_drift_svg(drift, n, svg, ROOM);
    bool written = f && length < ROOM && fwrite(svg, 1, (size_t)length, f) == (size_t)length;
    written = (!f || fclose(f) == 0) && written;
    if (!written)
        complain("%s could not be written: %s", path, length < ROOM ? strerror(errno) : "too many steps for an image");
    free(svg);
    return written;
}

/* What a comparison found. */
typedef struct findings {
    weft_lockstep_report report;
    weft_difference first; /* if there are differences */
    weft_drift *drift;
} findings;

static void print_text(const compare_options *o, const char *side, const findings *f)
{
    const weft_lockstep_report *r = &f->report;
    char plot[8192];
    say(stdout, "%d steps, %lld kernels compared on the same inputs, cpu against %s: ", r->steps,
        (long long)r->launches, side);
    if (r->differences == 0 && (r->worst > 0 || r->ties > 0))
        say(stdout, "%sall agree%s\nlargest relative L2 error of one: %.2e (%s); ties: %lld\n",
            style(stdout, STYLE_GOOD), style(stdout, STYLE_PLAIN), r->worst, r->worst_kernel, (long long)r->ties);
    else if (r->differences == 0)
        say(stdout, "%sall equal%s\n", style(stdout, STYLE_GOOD), style(stdout, STYLE_PLAIN));
    else
        say(stdout, "%sthey part%s in step %d, kernel %lld\n%s\n", style(stdout, STYLE_BAD), style(stdout, STYLE_PLAIN),
            f->first.step + 1, (long long)f->first.call + 1, f->first.text);
    if (r->saved)
        say(stdout, "  saved: weft compare replay %s --other %s\n", o->save, side);
    else if (r->differences > 0 && !o->save)
        say(stdout,
            "  with --save bad.npz this operation is kept, to be run again by itself: weft compare replay bad.npz\n");
    if (r->n_drift > 0 && weft_drift_plot(f->drift, r->n_drift, plot, sizeof plot) < (int)sizeof plot)
        say(stdout, "\ndrift of the same steps, each side on its own:\n%s", plot);
}

static void json_difference(json *j, const char *key, const weft_difference *d)
{
    json_object(j, key);
    json_text(j, "op", d->op);
    json_text(j, "kernel", d->kernel);
    json_text(j, "phase", d->phase);
    json_text(j, "file", d->file[0] ? d->file : NULL);
    json_int(j, "line", d->line);
    json_text(j, "dtype", weft_dtype_name(d->dtype));
    json_text(j, "shapes", d->shapes);
    json_text(j, "what", d->what);
    json_int(j, "element", d->element);
    json_real(j, "reference", d->reference);
    json_real(j, "other", d->other);
    json_real(j, "exact", d->exact);
    json_real(j, "error", d->error);
    json_real(j, "bound", d->bound);
    json_real(j, "reference_error", d->reference_error);
    json_real(j, "other_error", d->other_error);
    json_close(j);
}

static void print_json(const char *side, const char *name, const findings *f)
{
    const weft_lockstep_report *r = &f->report;
    json j = json_begin(stdout);
    json_object(&j, NULL);
    json_text(&j, "schema", "weft-lockstep/1");
    json_text(&j, "model", name);
    json_text(&j, "other", side);
    json_int(&j, "steps", r->steps);
    json_int(&j, "launches", r->launches);
    json_int(&j, "ties", r->ties);
    json_int(&j, "differences", r->differences);
    json_real(&j, "worst", r->worst);
    json_text(&j, "worst_kernel", r->worst_kernel[0] ? r->worst_kernel : NULL);
    if (r->differences)
        json_difference(&j, "first", &f->first);
    else
        json_null(&j, "first");
    json_array(&j, "drift");
    for (int k = 0; k < r->n_drift; k++) {
        json_object(&j, NULL);
        json_real(&j, "reference_loss", f->drift[k].reference_loss);
        json_real(&j, "other_loss", f->drift[k].other_loss);
        json_real(&j, "loss_error", f->drift[k].loss_error);
        json_real(&j, "parameter_error", f->drift[k].parameter_error);
        json_close(&j);
    }
    json_close(&j);
    json_close(&j);
}

static void keep_first(void *user, const weft_difference *difference)
{
    *(weft_difference *)user = *difference;
}

static void show_progress(void *user, int number, int64_t call)
{
    (void)user;
    progress_show("step %d, kernel %lld", number + 1, (long long)call);
}

static int run_pair(const compare_options *o, const char *side, const model *m, trainer *here, trainer *there)
{
    findings f = {.drift = take(sizeof(weft_drift) * (size_t)o->steps)};
    weft_lockstep_options options = WEFT_LOCKSTEP_DEFAULTS;
    options.steps = o->steps;
    options.widen = strcmp(side, "f64") == 0;
    options.save_path = o->save;
    options.drift = f.drift;
    options.drift_room = o->steps;
    options.difference = keep_first;
    options.progress = show_progress;
    options.user = &f.first;
    weft_status status = copy_input(here, there);
    if (status == WEFT_OK)
        status = weft_lockstep(here->n.ctx, here, there->n.ctx, there, step, &options, &f.report, sizeof f.report);
    progress_clear();
    bool fine = status == WEFT_OK || status == WEFT_E_MISMATCH;
    if (fine && o->json)
        print_json(side, m->name, &f);
    else if (fine)
        print_text(o, side, &f);
    else
        complain("%s%s", weft_ctx_message(here->n.ctx), weft_ctx_message(there->n.ctx));
    if (fine && o->svg)
        fine = write_svg(o->svg, f.drift, f.report.n_drift);
    free(f.drift);
    return !fine ? EXIT_USAGE : status == WEFT_OK ? EXIT_FINE : EXIT_FAILED;
}

int compare_run_lockstep(const compare_options *o, int n, char **words)
{
    const model *m = find_model(n ? words[0] : "mlp");
    if (!m)
        return EXIT_USAGE;
    const char *side = o->other ? o->other : weft_device_count("cuda") > 0 ? "cuda" : "f64";
    weft_ctx *reference = compare_open("cpu"), *other = compare_open(side);
    trainer here = {0}, there = {0};
    int code = EXIT_USAGE;
    if (reference && other) {
        const bool built = build(&here, reference, m, WEFT_F32, o->batch) &&
                           build(&there, other, m, strcmp(side, "f64") == 0 ? WEFT_F64 : WEFT_F32, o->batch);
        if (built)
            code = run_pair(o, side, m, &here, &there);
        else
            complain("%s%s", weft_ctx_message(reference), weft_ctx_message(other));
        weft_optim_close(there.optim);
        weft_optim_close(here.optim);
        net_close(&there.n);
        net_close(&here.n);
    }
    weft_ctx_close(other);
    weft_ctx_close(reference);
    return code;
}

int compare_run_replay(const compare_options *o, int n, char **words)
{
    const char *side = o->other ? o->other : weft_device_count("cuda") > 0 ? "cuda" : "cpu";
    weft_difference d;
    (void)n;
    weft_ctx *ctx = compare_refuses_f64("replay", side) ? NULL : compare_open(side);
    if (!ctx)
        return EXIT_USAGE;
    const weft_status status = weft_replay(ctx, words[0], &d, sizeof d);
    const bool fine = status == WEFT_OK || status == WEFT_E_MISMATCH;
    if (!fine) {
        complain("%s", weft_ctx_message(ctx));
    } else if (o->json) {
        json j = json_begin(stdout);
        json_object(&j, NULL);
        json_text(&j, "schema", "weft-replay/1");
        json_bool(&j, "agrees", status == WEFT_OK);
        json_difference(&j, "launch", &d);
        json_close(&j);
    } else if (status == WEFT_OK) {
        say(stdout, "%s on %s agrees with the reference in %s: relative L2 error %.2e\n", d.kernel, side, words[0],
            d.error);
    } else {
        say(stdout, "%s\n", d.text);
    }
    weft_ctx_close(ctx);
    return !fine ? EXIT_USAGE : status == WEFT_OK ? EXIT_FINE : EXIT_FAILED;
}
