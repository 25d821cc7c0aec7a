/* compare_files.c - `weft compare files`. */
#include "command.h"
#include "compare.h"
#include "json.h"
#include "options.h"
#include "terminal.h"

typedef struct report {
    bool as_json, begun; /* JSON is begun when both files are read: nothing is printed before a complaint */
    json j;
    table *rows;
    int64_t tensors, differ, lone; /* lone: in one file, or of two shapes */
} report;

static void begin_json(report *r)
{
    if (r->begun)
        return;
    r->begun = true;
    r->j = json_begin(stdout);
    json_object(&r->j, NULL);
    json_text(&r->j, "schema", "weft-compare-files/1");
    json_array(&r->j, "tensors");
}

static void json_tensor(report *r, const weft_file_difference *d)
{
    begin_json(r);
    json_object(&r->j, NULL);
    json_text(&r->j, "name", d->name);
    json_text(&r->j, "first", d->in_first ? d->shape_first : NULL);
    json_text(&r->j, "first_dtype", d->in_first ? weft_dtype_name(d->dtype_first) : NULL);
    json_text(&r->j, "second", d->in_second ? d->shape_second : NULL);
    json_text(&r->j, "second_dtype", d->in_second ? weft_dtype_name(d->dtype_second) : NULL);
    json_bool(&r->j, "comparable", d->comparable);
    json_int(&r->j, "different", d->different);
    json_real(&r->j, "max_absolute", d->max_absolute);
    json_real(&r->j, "max_relative", d->max_relative);
    json_real(&r->j, "relative_l2", d->relative_l2);
    json_int(&r->j, "worst", d->worst);
    if (d->integers) {
        json_int(&r->j, "worst_first", d->first_integer);
        json_int(&r->j, "worst_second", d->second_integer);
    } else {
        json_real(&r->j, "worst_first", d->first);
        json_real(&r->j, "worst_second", d->second);
    }
    json_close(&r->j);
}

static void take_tensor(void *user, const weft_file_difference *d)
{
    report *r = user;
    r->tensors++;
    r->differ += d->comparable && d->different > 0;
    r->lone += !d->comparable;
    if (r->as_json) {
        json_tensor(r, d);
        return;
    }
    table_cell(r->rows, STYLE_BOLD, "%s", d->name);
    table_cell(r->rows, STYLE_PLAIN, "%s %s", d->in_first ? weft_dtype_name(d->dtype_first) : "missing",
               d->shape_first);
    table_cell(r->rows, STYLE_PLAIN, "%s %s", d->in_second ? weft_dtype_name(d->dtype_second) : "missing",
               d->shape_second);
    if (!d->comparable) {
        for (int k = 0; k < 5; k++)
            table_cell(r->rows, STYLE_BAD, "-");
        return;
    }
    table_cell(r->rows, d->different ? STYLE_WARN : STYLE_GOOD, "%lld", (long long)d->different);
    table_cell(r->rows, STYLE_PLAIN, "%.3g", d->max_absolute);
    table_cell(r->rows, STYLE_PLAIN, "%.3g", d->max_relative);
    table_cell(r->rows, STYLE_PLAIN, "%.3g", d->relative_l2);
    if (d->worst >= 0 && d->integers)
        table_cell(r->rows, STYLE_PLAIN, "[%lld] %lld, %lld", (long long)d->worst, (long long)d->first_integer,
                   (long long)d->second_integer);
    else if (d->worst >= 0)
        table_cell(r->rows, STYLE_PLAIN, "[%lld] %.9g, %.9g", (long long)d->worst, d->first, d->second);
    else
        table_cell(r->rows, STYLE_PLAIN, "-");
}

static void print_verdict(const report *r, bool equal)
{
    say(stdout, "\n%s%s%s: %lld tensors, %lld with elements that differ, %lld in one file only or of two shapes\n",
        style(stdout, equal ? STYLE_GOOD : STYLE_BAD),
        equal && r->differ ? "equal within the tolerances"
        : equal            ? "equal"
                           : "not equal",
        style(stdout, STYLE_PLAIN), (long long)r->tensors, (long long)r->differ, (long long)r->lone);
}

int compare_run_files(const compare_options *o, int n, char **words)
{
    weft_ctx *ctx = compare_open("cpu");
    report r = {.as_json = o->json};
    (void)n;
    if (!ctx)
        return EXIT_USAGE;
    if (!o->json)
        r.rows = table_open("lllrrrrl", (const char *[]){"tensor", "first", "second", "differ", "max abs", "max rel",
                                                         "rel L2", "worst: first, second"});
    const weft_status status = weft_compare_files(ctx, words[0], words[1], o->rtol, o->atol, take_tensor, &r);
    const bool fine = status == WEFT_OK || status == WEFT_E_MISMATCH;
    if (o->json && fine)
        begin_json(&r);
    if (r.begun) {
        json_close(&r.j);
        json_bool(&r.j, "equal", status == WEFT_OK);
        json_close(&r.j);
    }
    if (r.rows)
        table_print_or_drop(r.rows, stdout, fine);
    if (fine && !o->json)
        print_verdict(&r, status == WEFT_OK);
    if (!fine)
        complain("%s", weft_ctx_message(ctx));
    weft_ctx_close(ctx);
    return !fine ? EXIT_USAGE : status == WEFT_OK ? EXIT_FINE : EXIT_FAILED;
}
