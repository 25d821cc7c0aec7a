/* ops.c - every operation in every dtype and layout in two contexts, against f64: see compare.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "lockstep.h"
#include "samples.h"

typedef struct session {
    weft__observer observer; /* first: the callbacks get its address */
    weft_ctx *reference, *other, *arbiter;
    weft_op_agreement row;
    weft_difference first; /* of the row */
    weft__frozen frozen;
    bool holds, failed; /* failed: a launch could not be compared */
    char text[WEFT__MESSAGE_SIZE];
} session;

const char *weft_layout_name(weft_layout layout)
{
    static const char *const names[] = {"contiguous", "transposed", "sliced"};
    return layout >= 0 && layout < WEFT_LAYOUT_COUNT ? names[layout] : "invalid";
}

static void begin(weft__observer *observer, const weft__launch *launch)
{
    session *s = (session *)observer;
    s->holds = weft__freeze_inputs(&s->frozen, s->reference, launch);
    s->failed |= !s->holds;
    if (!s->holds)
        weft__frozen_drop(&s->frozen);
}

static void keep_worst(double *worst, double value)
{
    if (fabs(value) > fabs(*worst) || isnan(value))
        *worst = value;
}

/* Both sides' errors against f64. */
static void measure(session *s, const weft__held *got)
{
    const weft__frozen *f = &s->frozen;
    weft__held *exact = weft__rerun(s->arbiter, f, weft__rerun_kind_for(f->op, true));
    weft_op_agreement *row = &s->row;
    for (int k = 0; exact && k < f->n_out; k++) {
        if (!f->out[k].block || !weft_dtype_is_float((weft_dtype)f->out[k].a.dtype))
            continue;
        const weft__accuracy a = weft__accuracy_of(f->owner, &f->out[k], &exact[k]);
        const weft__accuracy b = weft__accuracy_of(f->owner, &got[k], &exact[k]);
        if (f->phase != WEFT__BACKWARD) { /* differences cancel in derivatives: their last places say nothing */
            keep_worst(&row->reference_ulp, a.ulp);
            keep_worst(&row->other_ulp, b.ulp);
        }
        keep_worst(&row->reference_error, a.relative_l2);
        keep_worst(&row->other_error, b.relative_l2);
        keep_worst(&row->reference_bias, a.bias);
        keep_worst(&row->other_bias, b.bias);
    }
    if (exact)
        weft__results_drop(f, exact);
    else
        weft_ctx_clear(s->arbiter); /* no kernel in f64: nothing to measure against */
}

/* The operands' values at the place of a bad element, where they have the result's shape. */
static void note_inputs(session *s, const weft__verdict *v)
{
    const weft__frozen *f = &s->frozen;
    size_t used = 0;
    for (int k = 0; k < f->n_in && v->element >= 0 && used < sizeof s->row.inputs; k++) {
        if (!f->in[k].block || !weft__same_shape(&f->in[k].a, &f->out[v->result].a))
            continue;
        double *values = weft__values(f->owner, &f->in[k]);
        if (!values)
            return;
        used += (size_t)weft_text(s->row.inputs + used, sizeof s->row.inputs - used, "%soperand %d = %.9g",
                                  used ? ", " : "", k, values[v->element]);
        weft__host_free(f->owner, values, sizeof *values * (size_t)(f->in[k].a.count + 1));
    }
}

static void judge(session *s)
{
    weft__verdict v;
    weft__held *got = weft__rerun(s->other, &s->frozen, WEFT__AS_IT_WAS);
    const bool judged = got && weft__judge(&s->frozen, got, s->arbiter, &v);
    s->failed |= !judged;
    if (judged) {
        s->row.launches++;
        measure(s, got);
        if (!v.agrees && s->row.agrees) {
            s->row.agrees = false;
            weft__describe_difference(&s->frozen, &v, got, s->arbiter, &s->first);
            s->row.first = &s->first;
            note_inputs(s, &v);
        }
    }
    if (got)
        weft__results_drop(&s->frozen, got);
}

static void end(weft__observer *observer, const weft__launch *launch, weft_status status)
{
    session *s = (session *)observer;
    if (s->holds && status == WEFT_OK) {
        if (weft__freeze_outputs(&s->frozen, launch))
            judge(s);
        else
            s->failed = true;
    }
    weft__frozen_drop(&s->frozen);
    s->holds = false;
}

/* The operation on the operands of a recipe, then its gradient along a random direction. False: there is no such
 * recipe, or an error. */
static bool run_recipe(session *s, int op, int recipe)
{
    weft__sampler sampler;
    const bool made = weft__sampler_make(&sampler, s->reference, op, recipe, s->row.dtype, s->row.layout);
    weft__observe(s->reference, &s->observer);
    weft_tensor *y = made && weft_sample_run(&sampler.call) == WEFT_OK ? weft_sample_result(&sampler.call) : NULL;
    if (y && weft__requires(y)) {
        weft_tensor *g = weft_randn(s->reference, weft_dtype_of(y), weft_shape(y), weft_ndim(y), 0, 1);
        weft_backward_with(s->reference, &y, &g, 1);
    }
    weft__unobserve(s->reference, &s->observer);
    if (s->reference->status == WEFT_OK)
        weft_zero_grad(s->reference, sampler.leaves, sampler.n_leaves);
    weft__sampler_drop(&sampler);
    return y != NULL;
}

static void run_row(session *s, int op)
{
    for (int recipe = 0; run_recipe(s, op, recipe); recipe++)
        ;
}

/* True if the row may be shown. */
static bool compare_row(session *s, int op, weft_dtype dtype, weft_layout layout)
{
    s->row = (weft_op_agreement){
        .op = weft__ops[op].name, .dtype = dtype, .layout = layout, .agrees = true, .ran = true, .text = ""};
    s->failed = false;
    const int mark = weft_scope_push(s->reference);
    run_row(s, op);
    const weft_status status = mark >= 0 ? weft_scope_pop(s->reference, mark) : s->reference->status;
    weft_ctx *const all[] = {s->reference, s->other, s->arbiter};
    for (int k = 0; k < 3; k++) {
        if (all[k]->status == WEFT_OK)
            continue;
        weft_text(s->text, sizeof s->text, "%s", all[k]->message);
        s->row.text = s->text;
        s->row.ran = false;
        s->row.agrees &= k == 0; /* an error of the other side is a disagreement */
        weft_ctx_clear(all[k]);
    }
    if (s->failed && s->row.ran) {
        s->row.ran = s->row.agrees = false;
        s->row.text = "out of memory for copies of its operands";
    }
    return status != WEFT_E_NOMEM;
}

static void show(session *s, void (*row)(void *user, const weft_op_agreement *agreement), void *user)
{
    weft__pair pair;
    if (!weft__pair_begins(&pair, s->reference, s->other, "a row callback of weft_compare_ops"))
        return;
    row(user, &s->row);
    weft__pair_ends(&pair);
}

static bool wanted(const weft_compare_ops_options *o, int op)
{
    return weft__ops[op].family != WEFT__KERNEL && (!o->op || strcmp(o->op, weft__ops[op].name) == 0);
}

static weft_status compare_all(session *s, const weft_compare_ops_options *o,
                               void (*row)(void *user, const weft_op_agreement *agreement), void *user,
                               int64_t *disagreeing)
{
    int n = 0;
    for (int op = 0; op < WEFT_OP_COUNT; op++) {
        if (!wanted(o, op))
            continue;
        n++;
        for (int d = 0; d < WEFT_DTYPE_COUNT; d++)
            for (int l = 0; l < WEFT_LAYOUT_COUNT; l++) {
                if (!(o->dtypes >> d & 1) || !(o->layouts >> l & 1))
                    continue;
                if (!compare_row(s, op, (weft_dtype)d, (weft_layout)l))
                    return WEFT_E_NOMEM;
                *disagreeing += !s->row.agrees;
                if (row)
                    show(s, row, user);
            }
    }
    if (n == 0)
        return weft__fail_named(s->reference, "compare_ops", WEFT_E_INVALID, "\"%s\" is no operation; see docs/ops.md",
                                o->op);
    return *disagreeing > 0 ? WEFT_E_MISMATCH : WEFT_OK;
}

weft_status weft_compare_ops(weft_ctx *reference, weft_ctx *other, const weft_compare_ops_options *options,
                             void (*row)(void *user, const weft_op_agreement *agreement), void *user,
                             int64_t *disagreeing)
{
    if (disagreeing)
        *disagreeing = 0;
    if (!reference || !other || !disagreeing)
        return weft__fail_named(reference ? reference : other, "compare_ops", WEFT_E_NULL_ARGUMENT,
                                "needs two contexts and a place for the number of rows that disagree");
    if (reference == other)
        return weft__fail_named(reference, "compare_ops", WEFT_E_INVALID,
                                "reference and other are one context; open a second one");
    if (!weft__pair_ready(reference, other, "compare_ops"))
        return reference->status != WEFT_OK ? reference->status : other->status;
    static const weft_compare_ops_options all = WEFT_COMPARE_OPS_DEFAULTS;
    weft_compare_ops_options o;
    const weft_status read = weft_struct_in(reference, "compare_ops", "weft_compare_ops_options", &all, options, &o);
    if (read != WEFT_OK)
        return read;
    if (!(o.dtypes & all.dtypes) || !(o.layouts & all.layouts))
        return weft__fail_named(reference, "compare_ops", WEFT_E_INVALID, "the options name no dtype or no layout");
    session s = {.observer = {.begin = begin, .end = end}, .reference = reference, .other = other};
    if (!(s.arbiter = weft__open_arbiter(reference)))
        return reference->status;
    const weft_status status = compare_all(&s, &o, row, user, disagreeing);
    weft_ctx_close(s.arbiter);
    return status;
}
