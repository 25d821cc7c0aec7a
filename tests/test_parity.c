/* test_parity.c - every operation that PyTorch has against what PyTorch 2.15 gives (tests/parity, made by
 * make_parity.py there): results, their dtypes, gradients and gradients of gradients, in f64 and f32. One GoogleTest
 * case is one operation; where Weft differs on purpose stands in src/ops/equivalents.def, and has to be seen here. */
#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/op_table.h"
#include "harness/weft_test.h"
#include "samples/compare.h"
#include "samples/layout.h"

enum { FEWEST_RECORDS = 15, MOST_REPORTS = 6, SECOND_WEIGHTS = 7 };

typedef enum part { VALUE, GRADIENT, SECOND } part;
static const char *const part_names[] = {"value", "gradient", "second gradient"};

/* How far from PyTorch's an element may be: of itself, and of the largest number of the record, results and gradients,
 * for what is left where terms cancel. Both sides round: sums are in another order, and 15 digits are written. */
typedef struct tolerance {
    double relative, of_largest;
} tolerance;

static tolerance tolerance_of(weft_dtype dtype)
{
    switch (dtype) {
    case WEFT_F64:
        return (tolerance){2e-12, 2e-13};
    case WEFT_F32:
        return (tolerance){2e-5, 2e-6};
    case WEFT_F16:
        return (tolerance){2e-3, 2e-3};
    case WEFT_BF16:
        return (tolerance){2e-2, 2e-2};
    default:
        return (tolerance){0, 0};
    }
}

/* ---- The tables ---- */

typedef struct equivalent {
    weft_op op;
    const char *pytorch, *numpy, *onnx;
} equivalent;

typedef struct difference {
    weft_op op;
    part part;
    const char *records, *what, *why;
} difference;

static const equivalent equivalents[] = {
#define EQUIVALENT(ID, pytorch, numpy, onnx) {WEFT_OP_##ID, pytorch, numpy, onnx},
#include "ops/equivalents.def"
};
enum { N_EQUIVALENTS = sizeof equivalents / sizeof equivalents[0] };

/* What PyTorch computes with fewer digits. */
typedef struct coarser {
    weft_op op;
    part part;
    double relative;
} coarser;

static const coarser coarse[] = {
#define COARSER(ID, part, relative, why) {WEFT_OP_##ID, part, relative},
#include "ops/equivalents.def"
};
enum { N_COARSE = sizeof coarse / sizeof coarse[0] };

static const difference differences[] = {
#define DIFFERS(ID, part, records, what, why) {WEFT_OP_##ID, part, records, what, why},
#include "ops/equivalents.def"
};
enum { N_DIFFERENCES = sizeof differences / sizeof differences[0] };

/* ---- One record ---- */

typedef struct run {
    weft_ctx *ctx;
    const case_row *row;
    const gold_record *gold, *want;
    weft_dtype dtype;
    double largest; /* number of the record */
    bool seen[N_DIFFERENCES], coarse_seen[N_COARSE];
    int samples;
} run;

static bool is_of(weft_op op, const run *r)
{
    return strcmp(weft__ops[op].name, r->row->name) == 0;
}

/* Whether a name fits one of several patterns with blanks between. */
static bool fits(const char *patterns, const char *name)
{
    char one[64];
    for (const char *at = patterns; *at; at += *at == ' ') {
        const size_t length = strcspn(at, " ");
        snprintf(one, sizeof one, "%.*s", (int)length, at);
        if (fnmatch(one, name, 0) == 0)
            return true;
        at += length;
    }
    return false;
}

/* PyTorch gives another: said in the table, or an error. */
static void differs(run *r, part part, const char *why)
{
    bool said = false;
    for (int k = 0; k < N_DIFFERENCES; k++)
        if (is_of(differences[k].op, r) && differences[k].part == part && fits(differences[k].records, r->want->name))
            r->seen[k] = said = true;
    if (!said && weft_test_failures() < MOST_REPORTS)
        WEFT_FAIL("%s, record %s (%d), %s, %s: %s", r->row->name, r->want->name, r->want->nth,
                  weft_dtype_name(r->dtype), part_names[part], why);
}

static bool alike(double got, double want, double largest, tolerance t)
{
    if (isnan(want) || isinf(want))
        return isnan(want) ? isnan(got) : got == want;
    return fabs(got - want) <= t.relative * fabs(want) + t.of_largest * largest;
}

static double largest_of(const gold_tensor *t, int n)
{
    double most = 0;
    for (int k = 0; k < n; k++)
        for (int64_t e = 0; e < t[k].count; e++)
            if (t[k].f && isfinite(t[k].f[e]) && fabs(t[k].f[e]) > most)
                most = fabs(t[k].f[e]);
    return most;
}

static double largest_of_record(const gold_record *record)
{
    const double second = largest_of(record->second, record->n_second);
    return fmax(second, fmax(largest_of(record->out, record->n_out), largest_of(record->grad, record->n_grad)));
}

/* Whether PyTorch's are known to have fewer digits than this element is off. */
static bool is_coarse(run *r, part part, double got, double want, tolerance t)
{
    for (int k = 0; k < N_COARSE; k++)
        if (is_of(coarse[k].op, r) && coarse[k].part == part) {
            const tolerance more = {coarse[k].relative, coarse[k].relative};
            return r->coarse_seen[k] = true, alike(got, want, r->largest, more) && more.relative > t.relative;
        }
    return false;
}

/* got NULL: zeros. */
static bool compare(run *r, part part, const gold_tensor *want, weft_tensor *got, char *why, size_t size)
{
    double *values = got ? read_doubles(r->ctx, got) : NULL;
    if (got && !values)
        return snprintf(why, size, "%.300s", weft_ctx_message(r->ctx)), false;
    const tolerance t = tolerance_of(want->kind == 'T' ? want->dtype : r->dtype);
    bool fine = !got || weft_count(got) == want->count;
    if (!fine)
        snprintf(why, size, "%lld elements, not %lld", (long long)weft_count(got), (long long)want->count);
    for (int64_t e = 0; fine && e < want->count; e++) {
        const double mine = values ? values[e] : 0, theirs = want->f ? want->f[e] : (double)want->n[e];
        fine = alike(mine, theirs, r->largest, t) || is_coarse(r, part, mine, theirs, t);
        if (!fine)
            snprintf(why, size, "element %lld is %.17g, PyTorch's %.17g", (long long)e, mine, theirs);
    }
    free(values);
    return fine;
}

static bool same_shape(const gold_tensor *want, weft_tensor *got)
{
    if (weft_ndim(got) != want->ndim)
        return false;
    for (int d = 0; d < want->ndim; d++)
        if (weft_shape(got)[d] != want->shape[d])
            return false;
    return true;
}

static void check_result(run *r, const gold_tensor *want, weft_tensor *got)
{
    char why[400] = "";
    const weft_dtype dtype = want->kind == 'T' ? want->dtype : r->dtype;
    if (weft_dtype_of(got) != dtype)
        snprintf(why, sizeof why, "its dtype is %s, not %s", weft_dtype_name(weft_dtype_of(got)),
                 weft_dtype_name(dtype));
    else if (!same_shape(want, got))
        snprintf(why, sizeof why, "another shape");
    else if (compare(r, VALUE, want, got, why, sizeof why))
        return;
    differs(r, VALUE, why);
}

/* The factor of element e of result k: weight() of make_parity.py. */
static weft_tensor *weights_like(weft_ctx *ctx, weft_tensor *y, int k)
{
    const int64_t n = weft_count(y);
    double *w = malloc(sizeof *w * (size_t)(n + 1));
    for (int64_t e = 0; e < n; e++)
        w[e] = ((double)((e * 37 + k * 17 + 5) % 32) - 15.5) / 16;
    weft_tensor *made = weft_cast(weft_from_data(ctx, WEFT_F64, weft_shape(y), weft_ndim(y), w), weft_dtype_of(y));
    free(w);
    return made;
}

typedef struct operands {
    weft_tensor *of[GOLD_MAX_IN];
    int n;
} operands;

/* Gradients of the sum of weights times what may be differentiated of y, by each operand; NULL where there is none. */
static bool gradients(run *r, weft_tensor *const *y, int n, int first, const operands *by, weft_tensor **found)
{
    weft_tensor *results[GOLD_MAX_IN], *weights[GOLD_MAX_IN];
    int count = 0;
    for (int k = 0; k < n; k++) {
        if (!y[k] || !weft_requires_grad(y[k]))
            continue;
        results[count] = y[k];
        weights[count++] = weights_like(r->ctx, y[k], first + k);
    }
    memset(found, 0, sizeof *found * (size_t)by->n);
    return count == 0 || weft_grad(r->ctx, results, weights, count, by->of, by->n,
                                   WEFT_GRAD_CREATE_GRAPH | WEFT_GRAD_ALLOW_UNUSED, found) == WEFT_OK;
}

static void check_gradients(run *r, part part, const gold_tensor *want, weft_tensor *const *got, int n)
{
    char why[400] = "";
    static double zero[4096];
    for (int k = 0; k < n; k++) {
        gold_tensor none = {.kind = 'F', .f = zero};
        const gold_tensor *one = &want[k];
        if (one->kind == 'a')
            continue;
        if (!one->kind && got[k]) {
            none.count = weft_count(got[k]);
            one = &none;
            WEFT_REQUIRE(none.count < (int64_t)(sizeof zero / sizeof zero[0]));
        }
        if (one->kind && !compare(r, part, one, got[k], why, sizeof why))
            differs(r, part, why);
    }
}

/* Both orders, as far as PyTorch has them. */
static void check_orders(run *r, const weft_case *c, const operands *by)
{
    const gold_record *want = r->want;
    weft_tensor *first[GOLD_MAX_IN], *second[GOLD_MAX_IN];
    if (want->n_grad != by->n || (want->n_second && want->n_second != by->n)) {
        WEFT_FAIL("%s, record %s: %d gradients, but %d operands", r->row->name, want->name, want->n_grad, by->n);
        return;
    }
    if (!gradients(r, c->out, c->n_smooth, 0, by, first)) {
        differs(r, GRADIENT, weft_ctx_message(r->ctx));
        return;
    }
    check_gradients(r, GRADIENT, want->grad, first, by->n);
    for (int k = 0; k < by->n; k++)
        if (want->grad[k].kind == 'a')
            first[k] = NULL;
    if (want->n_second && !gradients(r, first, by->n, SECOND_WEIGHTS, by, second))
        differs(r, SECOND, weft_ctx_message(r->ctx));
    else if (want->n_second)
        check_gradients(r, SECOND, want->second, second, by->n);
}

static void run_record(run *r)
{
    weft_case c;
    operands by = {.n = 0};
    const int mark = weft_scope_push(r->ctx);
    case_begin(&c, r->ctx, r->gold);
    bool fine = lay_out_all(&c, r->gold, r->dtype, LAYOUT_CONTIGUOUS);
    for (int k = 0; fine && k < r->gold->n_in && r->want->n_grad; k++)
        if (r->gold->in[k].kind == 'v')
            by.of[by.n++] = weft_set_requires_grad(c.in[k], true);
    fine = fine && case_run(r->row, &c) && c.n_out == r->want->n_out;
    if (!fine)
        differs(r, VALUE, weft_ctx_message(r->ctx)[0] ? weft_ctx_message(r->ctx) : "another number of results");
    for (int k = 0; fine && k < c.n_out; k++)
        check_result(r, &r->want->out[k], c.out[k]);
    if (fine && r->want->n_grad)
        check_orders(r, &c, &by);
    weft_ctx_clear(r->ctx);
    WEFT_CHECK_OK(weft_scope_pop(r->ctx, mark));
    r->samples++;
}

/* ---- One operation ---- */

static bool is_run(const run *r)
{
    if (r->gold->integer)
        return r->dtype == (r->gold->flags & GOLD_BYTES ? WEFT_I8 : WEFT_I64);
    /* What is large or small in f64 is infinite or zero in f32. */
    return record_takes(r->gold, r->dtype) && !(r->dtype == WEFT_F32 && r->gold->flags & GOLD_SPECIAL);
}

/* A line of the tables that nothing shows any longer is to go. */
static void check_seen(const run *r)
{
    for (int k = 0; k < N_DIFFERENCES; k++)
        if (is_of(differences[k].op, r) && !r->seen[k])
            WEFT_FAIL("%s, %s of %s: no record shows this difference", r->row->name, part_names[differences[k].part],
                      differences[k].records);
    for (int k = 0; k < N_COARSE; k++)
        if (is_of(coarse[k].op, r) && !r->coarse_seen[k])
            WEFT_FAIL("%s, %s: PyTorch's has all its digits", r->row->name, part_names[coarse[k].part]);
}

static void run_row(void *user)
{
    static const weft_dtype dtypes[] = {WEFT_F64, WEFT_F32, WEFT_I64, WEFT_I8};
    test_memory memory;
    run r = {.row = user, .ctx = test_ctx_open(&memory, 1)};
    WEFT_REQUIRE(r.ctx);
    int records = 0;
    for (r.want = parity_next(r.row->name, NULL); r.want; r.want = parity_next(r.row->name, r.want)) {
        r.gold = gold_of_parity(r.want);
        if (!r.gold) {
            WEFT_FAIL("%s has no record %s (%d): make_parity.py is to be run", r.row->name, r.want->name, r.want->nth);
            continue;
        }
        records++;
        r.largest = largest_of_record(r.want);
        for (size_t d = 0; d < sizeof dtypes / sizeof dtypes[0]; d++) {
            r.dtype = dtypes[d];
            if (is_run(&r))
                run_record(&r);
        }
    }
    if (records < FEWEST_RECORDS)
        WEFT_FAIL("%s has %d records", r.row->name, records);
    check_seen(&r);
    weft_test_property("samples", r.samples);
    test_ctx_close(r.ctx, &memory);
}

static const equivalent *equivalent_of(const char *name)
{
    for (int k = 0; k < N_EQUIVALENTS; k++)
        if (strcmp(weft__ops[equivalents[k].op].name, name) == 0)
            return &equivalents[k];
    return NULL;
}

WEFT_TEST_INIT(parity)
{
    for (int k = 0; k < case_row_count; k++) {
        const equivalent *e = equivalent_of(case_rows[k].name);
        if (e && e->pytorch[0] != '-')
            weft_test_add("Parity", case_rows[k].name, run_row, (void *)(uintptr_t)&case_rows[k], __FILE__, __LINE__);
    }
}

WEFT_TEST(ParityFiles, CanBeRead)
{
    WEFT_CHECK(parity_next("exp", NULL) != NULL);
    if (gold_error())
        WEFT_FAIL("%s", gold_error());
}

/* ---- The table of equivalents ---- */

static void check_text(const char *name, const char *whose, const char *text)
{
    if (!text[0] || (text[0] == '-' && strncmp(text, "- ", 2) != 0) || strlen(text) < 2)
        WEFT_FAIL("%s: what %s has is \"%s\": neither a name nor \"- why not\"", name, whose, text);
}

WEFT_TEST(Equivalents, EveryPublicOperationHasOneLine)
{
    for (int k = 0; k < case_row_count; k++) {
        const equivalent *e = equivalent_of(case_rows[k].name);
        if (!e)
            WEFT_FAIL("%s has no line in src/ops/equivalents.def", case_rows[k].name);
    }
    for (int k = 0; k < N_EQUIVALENTS; k++) {
        const char *name = weft__ops[equivalents[k].op].name;
        if (!case_row_named(name))
            WEFT_FAIL("%s is not public", name);
        if (equivalent_of(name) != &equivalents[k])
            WEFT_FAIL("%s has more than one line", name);
        check_text(name, "PyTorch", equivalents[k].pytorch);
        check_text(name, "NumPy", equivalents[k].numpy);
        check_text(name, "ONNX", equivalents[k].onnx);
    }
}
