/* compare_ops.c - `weft compare ops`. */
#include <stdlib.h>
#include <string.h>
#include <weft/reference.h>

#include "command.h"
#include "compare.h"
#include "json.h"
#include "options.h"
#include "terminal.h"

/* A row that the table shows: all that outlives the callback. */
typedef struct shown {
    const char *op;
    weft_dtype dtype;
    weft_layout layout;
    bool agrees;
    double reference_ulp, other_ulp, other_error, other_bias;
} shown;

typedef struct report {
    bool as_json, all;
    json j;
    table *rows;
    shown worst; /* of the operation that runs; op NULL: none yet */
    char *failures;
    size_t failures_size; /* of the text, without the 0 */
    int64_t agree, bad, skipped;
} report;

static void json_row_of(report *r, const weft_op_agreement *row)
{
    json_object(&r->j, NULL);
    json_text(&r->j, "op", row->op);
    json_text(&r->j, "dtype", weft_dtype_name(row->dtype));
    json_text(&r->j, "layout", weft_layout_name(row->layout));
    json_bool(&r->j, "ran", row->ran);
    json_bool(&r->j, "agrees", row->agrees);
    json_int(&r->j, "launches", row->launches);
    json_real(&r->j, "reference_ulp", row->reference_ulp);
    json_real(&r->j, "other_ulp", row->other_ulp);
    json_real(&r->j, "reference_error", row->reference_error);
    json_real(&r->j, "other_error", row->other_error);
    json_real(&r->j, "reference_bias", row->reference_bias);
    json_real(&r->j, "other_bias", row->other_bias);
    json_text(&r->j, "first_bad", row->agrees || !row->first ? NULL : row->first->text);
    json_text(&r->j, "inputs", row->inputs[0] ? row->inputs : NULL);
    json_text(&r->j, "why", row->text[0] ? row->text : NULL);
    json_close(&r->j);
}

static void show(report *r, const shown *row)
{
    if (!row->op)
        return;
    table_cell(r->rows, STYLE_BOLD, "%s", row->op);
    table_cell(r->rows, STYLE_PLAIN, "%s", weft_dtype_name(row->dtype));
    table_cell(r->rows, STYLE_PLAIN, "%s", weft_layout_name(row->layout));
    table_cell(r->rows, STYLE_PLAIN, "%.3g", row->reference_ulp);
    table_cell(r->rows, STYLE_PLAIN, "%.3g", row->other_ulp);
    table_cell(r->rows, STYLE_PLAIN, "%.2e", row->other_error);
    table_cell(r->rows, STYLE_PLAIN, "%+.1e", row->other_bias);
    table_cell(r->rows, row->agrees ? STYLE_GOOD : STYLE_BAD, "%s", row->agrees ? "agrees" : "DIFFERS");
}

/* Whether a is the row to show of an operation rather than b: one that differs, then the one with more ulp. */
static bool is_worse(const shown *a, const shown *b)
{
    if (!b->op || a->agrees != b->agrees)
        return !b->op || !a->agrees;
    return a->other_ulp > b->other_ulp || (a->other_ulp == b->other_ulp && a->other_error > b->other_error);
}

/* Rows of one operation come one after the other. */
static void show_or_keep(report *r, const shown *row)
{
    if (r->all) {
        show(r, row);
        return;
    }
    if (r->worst.op && strcmp(r->worst.op, row->op) != 0) {
        show(r, &r->worst);
        r->worst.op = NULL;
    }
    if (is_worse(row, &r->worst))
        r->worst = *row;
}

/* Told after the table, where they are seen. */
static void keep_failure(report *r, const weft_op_agreement *row)
{
    char text[sizeof row->first->text + sizeof row->inputs + 512];
    const int length = weft_text(text, sizeof text, "\n%s, %s, %s:\n%s%s\n%s%s%s", row->op, weft_dtype_name(row->dtype),
                                 weft_layout_name(row->layout), row->first ? row->first->text : "", row->text,
                                 row->inputs[0] ? "  where " : "", row->inputs, row->inputs[0] ? "\n" : "");
    const size_t n = length < (int)sizeof text ? (size_t)length : sizeof text - 1;
    r->failures = grow(r->failures, r->failures_size + n + 1);
    memcpy(r->failures + r->failures_size, text, n + 1);
    r->failures_size += n;
}

static void take_row(void *user, const weft_op_agreement *row)
{
    report *r = user;
    r->agree += row->ran && row->agrees;
    r->bad += !row->agrees;
    r->skipped += !row->ran && row->agrees;
    progress_show("%s %s", row->op, weft_dtype_name(row->dtype));
    if (r->as_json) {
        json_row_of(r, row);
        return;
    }
    if (!row->ran && row->agrees)
        return;
    const shown s = {.op = row->op,
                     .dtype = row->dtype,
                     .layout = row->layout,
                     .agrees = row->agrees,
                     .reference_ulp = row->reference_ulp,
                     .other_ulp = row->other_ulp,
                     .other_error = row->other_error,
                     .other_bias = row->other_bias};
    show_or_keep(r, &s);
    if (!row->agrees)
        keep_failure(r, row);
}

static const char *op_name(int index)
{
    weft_op_description op = {0};
    return weft_op_describe(index, &op, sizeof op) == WEFT_OK ? op.name : "";
}

/* The operation's name, NULL for all of them. */
static const char *wanted(const char *word)
{
    return strcmp(word, "all") == 0 ? NULL : op_name(weft_op_find(word));
}

/* False after a complaint: before anything is printed. */
static bool all_exist(int n, char **words)
{
    const int n_ops = weft_op_count();
    for (int k = 0; k < n; k++) {
        if (strcmp(words[k], "all") == 0 || weft_op_find(words[k]) >= 0)
            continue;
        const char **names = take((size_t)n_ops * sizeof *names);
        for (int op = 0; op < n_ops; op++)
            names[op] = op_name(op);
        const char *near = suggest(words[k], names, n_ops);
        free(names);
        complain("there is no operation \"%s\"%s%s; `weft ops` lists them, and all means all", words[k],
                 near ? "; did you mean " : "", near ? near : "");
        return false;
    }
    return true;
}

static bool run_names(report *r, weft_ctx *reference, weft_ctx *other, int n, char **words)
{
    for (int k = 0; k < n; k++) {
        int64_t bad;
        weft_compare_ops_options options = WEFT_COMPARE_OPS_DEFAULTS;
        options.op = wanted(words[k]);
        const weft_status status = weft_compare_ops(reference, other, &options, take_row, r, &bad);
        if (status == WEFT_OK || status == WEFT_E_MISMATCH)
            continue;
        progress_clear();
        complain("%s", weft_ctx_message(reference));
        return false;
    }
    progress_clear();
    return true;
}

static void print_table(report *r, const char *side)
{
    show(r, &r->worst);
    table_print(r->rows, stdout);
    if (!r->all)
        puts("\nshown: the worst dtype and layout of each operation; --all shows every one");
    if (r->failures)
        say(stdout, "%s", r->failures);
    say(stdout, "\n%lld agree, %lld differ, %lld do not exist; cpu against %s, errors against f64\n",
        (long long)r->agree, (long long)r->bad, (long long)r->skipped, side);
}

int compare_run_ops(const compare_options *o, int n, char **words)
{
    const char *side = o->other ? o->other : weft_device_count("cuda") > 0 ? "cuda" : "plain";
    if (compare_refuses_f64("ops", side) || !all_exist(n, words))
        return EXIT_USAGE;
    weft_ctx *reference = compare_open("cpu"), *other = compare_open(side);
    report r = {.as_json = o->json, .all = o->all};
    bool fine = reference && other;
    if (fine && o->json) {
        r.j = json_begin(stdout);
        json_object(&r.j, NULL);
        json_text(&r.j, "schema", "weft-compare-ops/1");
        json_text(&r.j, "other", side);
        json_array(&r.j, "rows");
    } else if (fine) {
        r.rows = table_open("lllrrrrl", (const char *[]){"op", "dtype", "layout", "ulp here", "ulp other",
                                                         "error other", "bias other", ""});
    }
    fine = fine && run_names(&r, reference, other, n, words);
    if (fine && o->json) {
        json_close(&r.j);
        json_int(&r.j, "disagreeing", r.bad);
        json_close(&r.j);
    } else if (fine) {
        print_table(&r, side);
    } else if (r.rows) {
        table_print_or_drop(r.rows, stdout, false);
    }
    free(r.failures);
    weft_ctx_close(other);
    weft_ctx_close(reference);
    return !fine ? EXIT_USAGE : r.bad ? EXIT_FAILED : EXIT_FINE;
}
