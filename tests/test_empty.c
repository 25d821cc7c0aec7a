/* test_empty.c - every operation of the table on operands without elements: the golden records with one of their sizes
 * replaced by 0, in every input at once or in one alone. What cannot be is an error with a sentence; what passes
 * forward has a gradient, by the fused kernels and by the composition alike. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "harness/weft_test.h"
#include "samples/device.h"
#include "samples/layout.h"

enum { MOST_SIZES = 16, MOST_REPORTS = 4, MOST_ELEMENTS = 4096, MOST_VARIANTS = 1 << 14 };

/* A golden record with sizes replaced. */
typedef struct variant {
    const case_row *row;
    const gold_record *record;
    weft_dtype dtype;
    int64_t size; /* of a dim that becomes 0 */
    int only;     /* in this input; -1: in all */
    int passed;   /* variants that ran forward */
    weft_ctx *ctx;
    uint64_t seen[MOST_VARIANTS]; /* a hash table of those that have run, 0 where there is none */
} variant;

static void report(const variant *v, const char *what)
{
    if (weft_test_failures() < MOST_REPORTS)
        WEFT_FAIL("%s, record %s, %s, size %lld as 0 in %s%d: %s: %s", v->row->name, v->record->name,
                  weft_dtype_name(v->dtype), (long long)v->size, v->only < 0 ? "all of " : "input ",
                  v->only < 0 ? v->record->n_in : v->only, what, weft_ctx_message(v->ctx));
}

static weft_tensor *operand(const variant *v, int k, bool grad)
{
    const gold_tensor *t = &v->record->in[k];
    int64_t shape[WEFT_MAX_DIMS];
    if (!t->kind)
        return NULL;
    for (int d = 0; d < t->ndim; d++)
        shape[d] = t->shape[d] == v->size && (v->only < 0 || v->only == k) ? 0 : t->shape[d];
    weft_dtype dtype = input_dtype(t, v->dtype, LAYOUT_CONTIGUOUS);
    if (t->kind == 'x' || t->kind == 'c' || t->kind == 'n')
        return weft_zeros(v->ctx, dtype, shape, t->ndim);
    weft_tensor *x = weft_full(v->ctx, dtype, shape, t->ndim, 0.5);
    return grad && t->kind == 'v' && weft_dtype_is_float(dtype) ? weft_set_requires_grad(x, true) : x;
}

/* Runs the operation on fresh operands; false: it was refused. */
static bool run_once(const variant *v, weft_case *c, bool grad)
{
    case_begin(c, v->ctx, v->record);
    for (int k = 0; k < v->record->n_in; k++)
        c->in[k] = operand(v, k, grad);
    return case_run(v->row, c);
}

static uint64_t mixed(uint64_t hash, int64_t value)
{
    return (hash ^ (uint64_t)value) * UINT64_C(0x100000001b3);
}

/* Whether the same call has run: operands are all of one value, so only dtypes, shapes and numbers tell calls apart. */
static bool has_run(variant *v)
{
    const gold_record *r = v->record;
    uint64_t hash = mixed(UINT64_C(0xcbf29ce484222325), v->dtype);
    for (int k = 0; k < r->n_in; k++) {
        const gold_tensor *t = &r->in[k];
        hash = mixed(hash, t->kind ? t->kind + 256 * t->ndim : -1);
        for (int d = 0; t->kind && d < t->ndim; d++)
            hash = mixed(hash, t->shape[d] == v->size && (v->only < 0 || v->only == k) ? 0 : t->shape[d]);
    }
    for (int k = 0; k < r->ni; k++)
        hash = mixed(hash, r->i[k]);
    for (int k = 0; k < r->nf; k++) {
        int64_t bits;
        memcpy(&bits, &r->f[k], sizeof bits);
        hash = mixed(hash, bits);
    }
    uint64_t at = (hash ^ hash >> 32) % MOST_VARIANTS;
    while (v->seen[at] && v->seen[at] != hash)
        at = (at + 1) % MOST_VARIANTS;
    const bool found = v->seen[at] == hash;
    v->seen[at] = hash;
    return found;
}

/* Row-major values of t as f64. */
static int64_t values(weft_ctx *ctx, weft_tensor *t, double *to)
{
    if (weft_count(t) > MOST_ELEMENTS)
        return 0;
    weft_tensor *wide = weft_cast(t, WEFT_F64);
    return weft_read(ctx, wide, to, weft_bytes(wide)) == WEFT_OK ? weft_count(t) : -1;
}

/* Gradients by the inputs, of the sum of all results. */
static bool gradients(const variant *v, weft_case *c, int flags, weft_tensor **inputs, weft_tensor **found, int *n)
{
    weft_tensor *ones[GOLD_MAX_OUT];
    *n = 0;
    for (int k = 0; k < v->record->n_in; k++)
        if (c->in[k] && weft_requires_grad(c->in[k]))
            inputs[(*n)++] = c->in[k];
    int n_out = c->n_smooth;
    for (int k = 0; k < n_out; k++) {
        if (!weft_requires_grad(c->out[k]))
            return *n = 0, true;
        ones[k] = weft_full_like(c->out[k], 1);
    }
    if (*n == 0)
        return true;
    return weft_grad(v->ctx, c->out, ones, n_out, inputs, *n, flags | WEFT_GRAD_ALLOW_UNUSED, found) == WEFT_OK;
}

static void compare_ways(variant *v)
{
    static double fused[MOST_ELEMENTS], composed[MOST_ELEMENTS];
    weft_case a, b;
    weft_tensor *inputs[GOLD_MAX_IN], *first[GOLD_MAX_IN], *second[GOLD_MAX_IN];
    int n, m;
    if (!run_once(v, &a, true) || !gradients(v, &a, 0, inputs, first, &n)) {
        report(v, "the fused gradient fails");
        return;
    }
    if (!run_once(v, &b, true) || !gradients(v, &b, WEFT_GRAD_CREATE_GRAPH, inputs, second, &m)) {
        report(v, "the composed gradient fails");
        return;
    }
    for (int k = 0; k < n; k++) {
        if (!first[k] || !second[k]) {
            if (first[k] || second[k])
                report(v, "a gradient is there one way only");
            continue;
        }
        int64_t count = values(v->ctx, first[k], fused);
        if (count != values(v->ctx, second[k], composed) || count < 0)
            report(v, "the gradients differ in size or cannot be read");
        for (int64_t e = 0; e < count; e++)
            if (!(fabs(fused[e] - composed[e]) <= 1e-2 * (1 + fabs(fused[e]))) &&
                !(isnan(fused[e]) && isnan(composed[e]))) {
                char text[128];
                snprintf(text, sizeof text, "gradient %d, element %lld: %g fused, %g composed", k, (long long)e,
                         fused[e], composed[e]);
                report(v, text);
                break;
            }
    }
}

static void run_variant(variant *v)
{
    weft_case c;
    int mark = weft_scope_push(v->ctx);
    bool ran = run_once(v, &c, false);
    weft_status status = weft_synchronise(v->ctx);
    if (status != WEFT_OK && weft_ctx_message(v->ctx)[0] == '\0')
        report(v, "refused without a sentence");
    else if (status == WEFT_OK && !ran)
        report(v, "NULL without an error");
    else if (status == WEFT_E_INTERNAL || status == WEFT_E_NOMEM)
        report(v, "not a refusal of its operands");
    if (status == WEFT_OK && ran) {
        v->passed++;
        for (int k = 0; k < c.n_out; k++) {
            static double unused[MOST_ELEMENTS];
            if (values(v->ctx, c.out[k], unused) < 0)
                report(v, "the result cannot be read");
        }
        if (v->row->differentiable && weft_dtype_is_float(v->dtype))
            compare_ways(v);
        if (weft_synchronise(v->ctx) != WEFT_OK)
            report(v, "passes forward and fails backward");
    }
    weft_ctx_clear(v->ctx);
    if (weft_scope_pop(v->ctx, mark) != WEFT_OK)
        report(v, "the scope is not clean");
}

/* Distinct sizes of the inputs. */
static int sizes_of(const gold_record *record, int64_t *sizes)
{
    int n = 0;
    for (int k = 0; k < record->n_in; k++)
        for (int d = 0; record->in[k].kind && d < record->in[k].ndim; d++) {
            int at = 0;
            while (at < n && sizes[at] != record->in[k].shape[d])
                at++;
            if (at == n && n < MOST_SIZES)
                sizes[n++] = record->in[k].shape[d];
        }
    return n;
}

static void run_row(void *user)
{
    static const weft_dtype dtypes[] = {WEFT_F32, WEFT_BF16, WEFT_F64, WEFT_I32, WEFT_U8};
    const case_row *row = user;
    test_memory memory;
    static variant v;
    int n_run = 0;
    v = (variant){.row = row, .ctx = test_ctx_open(&memory, 2)};
    for (const gold_record *r = gold_next(row->name, NULL); v.ctx && r; r = gold_next(row->name, r)) {
        int64_t sizes[MOST_SIZES];
        int n = sizes_of(r, sizes);
        v.record = r;
        for (size_t t = 0; t < sizeof dtypes / sizeof *dtypes; t++) {
            v.dtype = dtypes[t];
            if (!record_takes(r, v.dtype))
                continue;
            for (int s = 0; s < n; s++)
                for (v.only = -1; v.only < (r->n_in > 1 ? r->n_in : 0); v.only++) {
                    v.size = sizes[s];
                    if (n_run == MOST_VARIANTS / 2 || !has_run(&v)) {
                        n_run += n_run < MOST_VARIANTS / 2;
                        run_variant(&v);
                    }
                }
        }
    }
    if (gold_error())
        WEFT_FAIL("%s", gold_error());
    weft_test_property("variants_that_run", v.passed);
    if (v.ctx)
        test_ctx_close(v.ctx, &memory);
}

WEFT_TEST_INIT(empty)
{
    for (int k = 0; k < case_row_count; k++)
        weft_test_add("Empty", case_rows[k].name, run_row, (void *)&case_rows[k], __FILE__, __LINE__);
}
