#define _POSIX_C_SOURCE 200809L /* setenv */
/* test_golden.c - every public operation x dtype x memory layout against golden values made without Weft's formulas.
 *
 * One GoogleTest case is one operation at one dtype ("Golden.exp/f32"); its records and layouts loop inside. Fresh
 * memory is full of NaN, so an output element that is not written shows. The suite "Golden" runs on the instruction set
 * that a user gets; "GoldenPlain" and the like force each of the others that this processor has. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/op_def.h"
#include "cpu/isa.h"

#include "harness/weft_test.h"
#include "samples/compare.h"
#include "samples/device.h"
#include "samples/layout.h"

enum { FEWEST_SAMPLES = 50000, MOST_REPORTS = 5 };

static const weft_dtype dtypes[] = {WEFT_F32, WEFT_F64, WEFT_F16, WEFT_BF16, WEFT_I64,
                                    WEFT_I32, WEFT_I8,  WEFT_U8,  WEFT_BOOL};
enum { N_DTYPES = sizeof dtypes / sizeof dtypes[0] };

typedef struct golden_case {
    const case_row *row;
    weft_dtype dtype;
    int64_t samples;
    const char *isa; /* forced, or NULL */
} golden_case;

/* Samples are (record, layout) pairs. */
static int64_t count_samples(const case_row *row, weft_dtype dtype)
{
    int64_t n = 0;
    for (const gold_record *record = gold_next(row->name, NULL); record; record = gold_next(row->name, record))
        for (int how = 0; how < LAYOUT_COUNT; how++)
            n += record_takes(record, dtype) && layout_applies(record, (layout)how);
    return n;
}

static void report(const gold_record *record, layout how, const char *why)
{
    if (weft_test_failures() < MOST_REPORTS)
        WEFT_FAIL("%s, record %s, %s: %s", record->op, record->name, layout_name(how), why);
}

static void run_sample(const golden_case *g, weft_ctx *ctx, const gold_record *record, layout how)
{
    char why[512] = "";
    weft_case c;
    int mark = weft_scope_push(ctx);
    case_begin(&c, ctx, record);
    if (!lay_out_all(&c, record, g->dtype, how) || !case_run(g->row, &c)) {
        snprintf(why, sizeof why, "%.500s", weft_ctx_message(ctx));
        report(record, how, why[0] ? why : "NULL without an error");
    } else if (c.n_out != record->n_out) {
        report(record, how, "wrong number of outputs");
    } else {
        for (int k = 0; k < c.n_out; k++)
            if (!compare_output(ctx, record, &record->out[k], c.out[k], g->dtype, why, sizeof why))
                report(record, how, why);
    }
    weft_ctx_clear(ctx);
    WEFT_CHECK_OK(weft_scope_pop(ctx, mark));
    weft_memory_trim(ctx); /* so that the next sample gets fresh, poisoned memory */
}

/* A context on the case's instruction set, which the environment names while it is opened. */
static weft_ctx *open_on(const golden_case *g, test_memory *memory)
{
    enum { THREADS = 2 };
    if (!g->isa)
        return test_ctx_open(memory, THREADS);
    const char *was = getenv("WEFT_ISA");
    char *copy = was ? strdup(was) : NULL;
    setenv("WEFT_ISA", g->isa, 1);
    weft_ctx *ctx = test_ctx_open(memory, THREADS);
    if (copy)
        setenv("WEFT_ISA", copy, 1);
    else
        unsetenv("WEFT_ISA");
    free(copy);
    return ctx;
}

static void run_case(void *user)
{
    const golden_case *g = user;
    test_memory memory;
    weft_ctx *ctx = open_on(g, &memory);
    WEFT_REQUIRE(ctx);
    int64_t samples = 0;
    for (const gold_record *record = gold_next(g->row->name, NULL); record; record = gold_next(g->row->name, record))
        for (int how = 0; how < LAYOUT_COUNT; how++)
            if (record_takes(record, g->dtype) && layout_applies(record, (layout)how)) {
                run_sample(g, ctx, record, (layout)how);
                samples++;
            }
    WEFT_CHECK_EQ_INT(samples, g->samples);
    weft_test_property("samples", samples);
    test_ctx_close(ctx, &memory);
}

static golden_case cases[(int)WEFT__MAX_ISAS * 256 * N_DTYPES];
static int n_cases;

static void add_suite(const char *suite, const char *isa)
{
    for (int r = 0; r < case_row_count; r++)
        for (int d = 0; d < N_DTYPES; d++) {
            int64_t samples = count_samples(&case_rows[r], dtypes[d]);
            if (!samples || n_cases == (int)(sizeof cases / sizeof cases[0]))
                continue;
            golden_case *g = &cases[n_cases++];
            *g = (golden_case){.row = &case_rows[r], .dtype = dtypes[d], .samples = samples, .isa = isa};
            char name[96];
            snprintf(name, sizeof name, "%s/%s", g->row->name, weft_dtype_name(g->dtype));
            weft_test_add(suite, name, run_case, g, __FILE__, __LINE__);
        }
}

WEFT_TEST_INIT(golden)
{
    add_suite("Golden", NULL);
    if (!test_on_cpu())
        return;
    const weft__cpu_table *tables[WEFT__MAX_ISAS];
    int n = weft__cpu_isas(tables);
    for (int k = 0; k < n; k++) {
        char suite[64];
        snprintf(suite, sizeof suite, "Golden%c%s", toupper(tables[k]->isa[0]), tables[k]->isa + 1);
        if (tables[k] != weft__cpu_isa_choose())
            add_suite(suite, tables[k]->isa);
    }
}

WEFT_TEST(GoldenFiles, CanBeRead)
{
    if (gold_error())
        WEFT_FAIL("%s", gold_error());
}

WEFT_TEST(GoldenFiles, EveryOperationHasRecordsAtEveryDtypeOfItsKind)
{
    for (int r = 0; r < case_row_count; r++)
        for (int d = 0; d < 4; d++) {
            const bool small = weft__defs[case_rows[r].op]->in[0] & WEFT__SMALL;
            const weft_dtype dtype = dtypes[small || case_rows[r].family == CASE_INTEGER ? 4 + d : d];
            if (small && dtype != WEFT_I8 && dtype != WEFT_U8)
                continue;
            if (count_samples(&case_rows[r], dtype) < 25)
                WEFT_FAIL("%s at %s has fewer than 25 samples", case_rows[r].name, weft_dtype_name(dtype));
        }
}

WEFT_TEST(GoldenFiles, HoldEnoughSamples)
{
    int64_t samples = 0, floating = 0;
    int n = 0;
    for (int k = 0; k < n_cases && !cases[k].isa; k++, n++) {
        samples += cases[k].samples;
        floating += weft_dtype_is_float(cases[k].dtype) ? cases[k].samples : 0;
    }
    printf("golden samples (operation x dtype x record x layout): %lld, of them %lld floating, in %d cases\n",
           (long long)samples, (long long)floating, n);
    weft_test_property("samples", samples);
    if (samples < FEWEST_SAMPLES)
        WEFT_FAIL("only %lld samples", (long long)samples);
}

/* ---- Mixed dtypes ---- */

/* What the promotion table of dtype.h says, written down again. */
static weft_dtype promoted(weft_dtype a, weft_dtype b)
{
    static const char *const table[9] = {/* rows and columns: f32 f64 f16 bf16 i64 i32 i8 u8 bool */
                                         "0 1 0 0 0 0 0 0 0", "1 1 1 1 1 1 1 1 1", "0 1 2 0 2 2 2 2 2",
                                         "0 1 0 3 3 3 3 3 3", "0 1 2 3 4 4 4 4 4", "0 1 2 3 4 5 5 5 5",
                                         "0 1 2 3 4 5 6 5 6", "0 1 2 3 4 5 5 7 7", "0 1 2 3 4 5 6 7 8"};
    return (weft_dtype)(table[a][2 * b] - '0');
}

static bool is_flt(const char *name)
{
    static const char *const names = " div atan2 hypot copysign logaddexp logaddexp2 xlogy xlog1py ";
    char word[32];
    snprintf(word, sizeof word, " %s ", name);
    return strstr(names, word) != NULL;
}

/* a and b are 1 or 0 (2 or 3 where the dtype can): small enough to be exact in every dtype. */
static void check_pair(weft_ctx *ctx, const case_row *row, weft_dtype da, weft_dtype db)
{
    weft_case c;
    gold_record empty = {.op = row->name};
    case_begin(&c, ctx, &empty);
    double a = da == WEFT_BOOL ? 1 : 3, b = da == WEFT_BOOL || db == WEFT_BOOL ? 1 : 2;
    c.in[0] = weft_scalar(ctx, da, a);
    c.in[1] = weft_scalar(ctx, db, b);
    weft_dtype want = promoted(da, db);
    if (row->family == CASE_COMPARE)
        want = WEFT_BOOL;
    else if (is_flt(row->name) && !weft_dtype_is_float(want))
        want = WEFT_F32;
    else if (want == WEFT_BOOL)
        want = WEFT_I64;
    bool ran = case_run(row, &c);
    weft_dtype got = ran ? weft_dtype_of(c.out[0]) : WEFT_DTYPE_COUNT;
    /* The same in f64 throughout has the same value, up to the rounding of the result's dtype. */
    double value = weft_item(ctx, c.out[0]);
    c.in[0] = weft_scalar(ctx, WEFT_F64, a);
    c.in[1] = weft_scalar(ctx, WEFT_F64, b);
    double reference = case_run(row, &c) ? weft_item(ctx, c.out[0]) : 0;
    double off = value - reference, most = want == WEFT_BF16 ? 1e-2 : want == WEFT_F16 ? 1e-3 : 1e-6;
    if (got != want || !(off <= most && off >= -most))
        WEFT_FAIL("%s of %s and %s is %.9g in %s, not %.9g in %s: %s", row->name, weft_dtype_name(da),
                  weft_dtype_name(db), value, weft_dtype_name(got), reference, weft_dtype_name(want),
                  weft_ctx_message(ctx));
    weft_ctx_clear(ctx);
}

WEFT_TEST(Promotion, EveryPairOfDtypesForEveryBinaryOperation)
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    for (int r = 0; r < case_row_count; r++) {
        if (case_rows[r].family != CASE_BINARY && case_rows[r].family != CASE_COMPARE)
            continue;
        int mark = weft_scope_push(ctx);
        for (int a = 0; a < N_DTYPES; a++)
            for (int b = 0; b < N_DTYPES; b++)
                check_pair(ctx, &case_rows[r], dtypes[a], dtypes[b]);
        WEFT_CHECK_OK(weft_scope_pop(ctx, mark));
    }
    test_ctx_close(ctx, &memory);
}
