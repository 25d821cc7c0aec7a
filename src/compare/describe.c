/* describe.c - a disagreement in words and numbers. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "lockstep.h"

static size_t add_array(char *text, size_t size, size_t used, const char *before, const weft__held *h)
{
    if (used >= size)
        return used;
    if (!h->block)
        return used + (size_t)weft_text(text + used, size - used, "%sNULL", before);
    return used + (size_t)weft_text(text + used, size - used, "%s%s %s", before,
                                    weft_dtype_name((weft_dtype)h->a.dtype), weft__shape_text(h->a.shape, h->a.ndim).s);
}

/* Long lists, of an optimiser step, are cut. */
static void describe_shapes(const weft__frozen *f, char *text, size_t size)
{
    enum { MOST = 5 };
    size_t used = 0;
    text[0] = '\0';
    for (int k = 0; k < f->n_in && k < MOST; k++)
        used = add_array(text, size, used, k ? ", " : "", &f->in[k]);
    if (f->n_in > MOST && used < size)
        used += (size_t)weft_text(text + used, size - used, ", ... (%d)", f->n_in);
    for (int k = 0; k < f->n_out && k < MOST; k++)
        used = add_array(text, size, used, k ? ", " : " -> ", &f->out[k]);
}

static double ulp_of(double x, int32_t dtype)
{
    const int digits = dtype == WEFT_F64 ? 52 : dtype == WEFT_F32 ? 23 : dtype == WEFT_F16 ? 10 : 7;
    const int lowest = dtype == WEFT_F64 ? -1022 : dtype == WEFT_F16 ? -14 : -126;
    int exponent = lowest;
    if (x != 0)
        exponent = ilogb(x);
    return ldexp(1, (exponent < lowest ? lowest : exponent) - digits);
}

weft__accuracy weft__accuracy_of(weft_ctx *owner, const weft__held *results, const weft__held *exact)
{
    weft__accuracy found = {0};
    const int64_t n = results->a.count;
    const bool real = weft_dtype_is_float((weft_dtype)results->a.dtype);
    double *got = weft__values(owner, results), *want = weft__values(owner, exact);
    double off = 0, size = 0, sum = 0;
    bool strange = false; /* NaN or infinity where the other is not */
    for (int64_t k = 0; got && want && k < n; k++) {
        const double error = got[k] - want[k];
        if (!isfinite(error)) {
            const bool same = got[k] == want[k] || (isnan(got[k]) && isnan(want[k]));
            found.ulp = same ? found.ulp : (double)INFINITY;
            strange |= !same;
            continue;
        }
        const double ulp = fabs(error) / (real ? ulp_of(want[k], results->a.dtype) : 1);
        found.ulp = ulp > found.ulp ? ulp : found.ulp;
        off += error * error;
        size += want[k] * want[k];
        sum += error;
    }
    found.relative_l2 = strange ? (double)INFINITY : size > 0 ? sqrt(off / size) : off > 0 ? (double)INFINITY : 0;
    found.bias = size > 0 && n > 0 ? sum / (double)n / sqrt(size / (double)n) : 0;
    if (got)
        weft__host_free(owner, got, sizeof *got * (size_t)(n + 1));
    if (want)
        weft__host_free(owner, want, sizeof *want * (size_t)(n + 1));
    return found;
}

/* What f64 says about both sides. */
static void ask_exact(const weft__frozen *f, const weft__verdict *v, const weft__held *got, weft_ctx *arbiter,
                      weft_difference *d)
{
    d->exact = d->reference_error = d->other_error = NAN;
    weft__held *exact = f->custom ? NULL : weft__rerun(arbiter, f, weft__rerun_kind_for(f->op, true));
    if (!exact)
        return;
    d->reference_error = weft__accuracy_of(f->owner, &f->out[v->result], &exact[v->result]).relative_l2;
    d->other_error = weft__accuracy_of(f->owner, &got[v->result], &exact[v->result]).relative_l2;
    double *values = v->element >= 0 ? weft__values(f->owner, &exact[v->result]) : NULL;
    if (values) {
        d->exact = values[v->element];
        weft__host_free(f->owner, values, sizeof *values * (size_t)(exact[v->result].a.count + 1));
    }
    weft__results_drop(f, exact);
}

/* "[3, 17]" of a row-major position. */
static weft__text position(const weft__array *a, int64_t k)
{
    int64_t at[WEFT__MAX_DIMS] = {0};
    for (int d = a->ndim - 1; d >= 0; d--) {
        at[d] = k % a->shape[d];
        k /= a->shape[d];
    }
    return weft__shape_text(at, a->ndim);
}

static void write_text(const weft__frozen *f, const weft__verdict *v, weft_difference *d)
{
    char place[192] = "", element[512] = "", sides[256] = "";
    if (d->file[0])
        weft_text(place, sizeof place, " called at %s:%d", d->file, d->line);
    if (d->element >= 0)
        weft_text(element, sizeof element,
                  "\n  element %s of result %d: reference %.9g, other %.9g, in f64 %.9g; %lld of %lld elements are off",
                  position(&f->out[v->result].a, v->element).s, v->result, d->reference, d->other, d->exact,
                  (long long)v->bad_elements, (long long)v->count);
    if (!isnan(d->reference_error) && weft_dtype_is_float(d->dtype))
        weft_text(sides, sizeof sides,
                  "\n  against f64 the reference is off by %.2e, the other by %.2e: the %s is wrong",
                  d->reference_error, d->other_error, d->other_error > d->reference_error ? "other" : "reference");
    weft_text(d->text, sizeof d->text, "weft_%s%s, %s: %s\n  kernel %s: %s\n  %s %.3g is beyond %.3g%s%s", d->op, place,
              d->phase, d->shapes, d->kernel, d->what, d->element >= 0 ? "an error of" : "a relative L2 error of",
              d->error, d->bound, element, sides);
}

void weft__describe_difference(const weft__frozen *f, const weft__verdict *v, const weft__held *got, weft_ctx *arbiter,
                               weft_difference *d)
{
    weft_text(d->op, sizeof d->op, "%s", f->name);
    weft_text(d->kernel, sizeof d->kernel, "%s%s", weft__frozen_kernel(f), f->grad ? " (gradient)" : "");
    weft_text(d->phase, sizeof d->phase, "%s", weft__phase_name(f->phase));
    if (f->site.file) {
        const size_t length = strlen(f->site.file), room = sizeof d->file - 1;
        weft_text(d->file, sizeof d->file, "%s", length > room ? f->site.file + length - room : f->site.file);
        d->line = f->site.line;
    }
    d->dtype = (weft_dtype)f->out[v->result].a.dtype;
    describe_shapes(f, d->shapes, sizeof d->shapes);
    weft_text(d->what, sizeof d->what, "%s", v->what);
    d->output = v->result;
    d->element = v->element;
    d->bad_elements = v->bad_elements;
    d->reference = v->want;
    d->other = v->got;
    d->error = v->error;
    d->bound = v->bound;
    ask_exact(f, v, got, arbiter, d);
    write_text(f, v, d);
}

weft__rerun_kind weft__rerun_kind_for(int op, bool widen)
{
    const bool draws = op < WEFT_OP_COUNT && weft__defs[op]->effect == WEFT__DRAWS; /* else a callback */
    return widen && !draws ? WEFT__WIDENED : WEFT__AS_IT_WAS;
}

weft_ctx *weft__open_arbiter(weft_ctx *ctx)
{
    weft_options options = WEFT_OPTIONS_DEFAULTS;
    options.alloc = ctx->options.alloc;
    options.free = ctx->options.free;
    options.alloc_user = ctx->options.alloc_user;
    options.threads = ctx->options.threads;
    weft_ctx *arbiter = NULL;
    const weft_status status = weft_ctx_open(&options, &arbiter);
    if (status != WEFT_OK)
        weft__fail_named(ctx, "lockstep", status, "no context on the CPU for reruns in f64: %s",
                         weft_status_text(status));
    return arbiter;
}
