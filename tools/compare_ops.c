/* compare_ops.c - `weft compare ops` and `weft compare files`. */
#include <string.h>

#include "command.h"
#include "compare.h"
#include "json.h"
#include "options.h"
#include "terminal.h"

typedef struct report {
    bool as_json;
    json j;
    table *rows;
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
    json_text(&r->j, "first_bad", row->agrees ? NULL : row->first.text);
    json_text(&r->j, "inputs", row->inputs[0] ? row->inputs : NULL);
    json_text(&r->j, "why", row->text[0] ? row->text : NULL);
    json_close(&r->j);
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
    table_cell(r->rows, STYLE_BOLD, "%s", row->op);
    table_cell(r->rows, STYLE_PLAIN, "%s", weft_dtype_name(row->dtype));
    table_cell(r->rows, STYLE_PLAIN, "%s", weft_layout_name(row->layout));
    table_cell(r->rows, STYLE_PLAIN, "%.3g", row->reference_ulp);
    table_cell(r->rows, STYLE_PLAIN, "%.3g", row->other_ulp);
    table_cell(r->rows, STYLE_PLAIN, "%.2e", row->other_error);
    table_cell(r->rows, STYLE_PLAIN, "%+.1e", row->other_bias);
    table_cell(r->rows, row->agrees ? STYLE_GOOD : STYLE_BAD, "%s", row->agrees ? "agrees" : "DIFFERS");
    if (!row->agrees) {
        progress_clear();
        printf("%s%s\n", row->first.text, row->text);
        if (row->inputs[0])
            printf("  where %s\n", row->inputs);
    }
}

static bool run_names(report *r, weft_ctx *reference, weft_ctx *other, int n, char **words)
{
    for (int k = 0; k < n; k++) {
        int64_t bad;
        const weft_compare_ops_options options = {.op = strcmp(words[k], "all") == 0 ? NULL : words[k]};
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

int compare_run_ops(const compare_options *o, int n, char **words)
{
    const char *side = o->other ? o->other : weft_device_count("cuda") > 0 ? "cuda" : "plain";
    weft_ctx *reference = compare_open("cpu"), *other = compare_open(side);
    report r = {.as_json = o->json};
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
    } else if (r.rows) {
        table_print_or_drop(r.rows, stdout, fine);
        if (fine)
            printf("\n%lld agree, %lld differ, %lld do not exist; cpu against %s, errors against f64\n",
                   (long long)r.agree, (long long)r.bad, (long long)r.skipped, side);
    }
    weft_ctx_close(other);
    weft_ctx_close(reference);
    return !fine ? EXIT_USAGE : r.bad ? EXIT_FAILED : EXIT_FINE;
}

/* ---- Files ---- */

static void take_tensor(void *user, const weft_file_difference *d)
{
    report *r = user;
    if (r->as_json) {
        json_object(&r->j, NULL);
        json_text(&r->j, "name", d->name);
        json_text(&r->j, "first", d->in_first ? d->shape_first : NULL);
        json_text(&r->j, "second", d->in_second ? d->shape_second : NULL);
        json_bool(&r->j, "comparable", d->comparable);
        json_int(&r->j, "different", d->different);
        json_real(&r->j, "max_absolute", d->max_absolute);
        json_real(&r->j, "max_relative", d->max_relative);
        json_real(&r->j, "relative_l2", d->relative_l2);
        json_close(&r->j);
        return;
    }
    table_cell(r->rows, STYLE_BOLD, "%s", d->name);
    table_cell(r->rows, STYLE_PLAIN, "%s %s", d->in_first ? weft_dtype_name(d->dtype_first) : "missing",
               d->shape_first);
    table_cell(r->rows, STYLE_PLAIN, "%s %s", d->in_second ? weft_dtype_name(d->dtype_second) : "missing",
               d->shape_second);
    if (!d->comparable) {
        for (int k = 0; k < 4; k++)
            table_cell(r->rows, STYLE_BAD, "-");
        return;
    }
    table_cell(r->rows, d->different ? STYLE_WARN : STYLE_GOOD, "%lld", (long long)d->different);
    table_cell(r->rows, STYLE_PLAIN, "%.3g", d->max_absolute);
    table_cell(r->rows, STYLE_PLAIN, "%.3g", d->max_relative);
    table_cell(r->rows, STYLE_PLAIN, "%.3g", d->relative_l2);
}

int compare_run_files(const compare_options *o, int n, char **words)
{
    weft_ctx *ctx = compare_open("cpu");
    report r = {.as_json = o->json};
    (void)n;
    if (!ctx)
        return EXIT_USAGE;
    if (o->json) {
        r.j = json_begin(stdout);
        json_object(&r.j, NULL);
        json_text(&r.j, "schema", "weft-compare-files/1");
        json_array(&r.j, "tensors");
    } else {
        r.rows = table_open("lllrrrr",
                            (const char *[]){"tensor", "first", "second", "differ", "max abs", "max rel", "rel L2"});
    }
    const weft_status status = weft_compare_files(ctx, words[0], words[1], o->rtol, o->atol, take_tensor, &r);
    const bool fine = status == WEFT_OK || status == WEFT_E_MISMATCH;
    if (o->json) {
        json_close(&r.j);
        json_bool(&r.j, "equal", status == WEFT_OK);
        json_close(&r.j);
    } else {
        table_print_or_drop(r.rows, stdout, fine);
    }
    if (!fine)
        complain("%s", weft_ctx_message(ctx));
    weft_ctx_close(ctx);
    return !fine ? EXIT_USAGE : status == WEFT_OK ? EXIT_FINE : EXIT_FAILED;
}
