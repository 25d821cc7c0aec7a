/* bench_diff.c - `weft bench diff A.json B.json`: what changed by more than noise. */
#include "bench.h"
#include "command.h"
#include "json.h"
#include "json_read.h"
#include "options.h"
#include "terminal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const usage diff_usage = {
    "weft bench diff", "A.json B.json [options]",
    "Compares two reports of `weft bench --json`. For each case that both have: the ratio of the median times, B over "
    "A,\n"
    "with a 99 % confidence interval from the samples. \"slower\" and \"faster\" mean that the whole interval lies\n"
    "beyond the threshold, \"same\" that it lies within; else these samples \"cannot tell\". The threshold is for "
    "what\n"
    "changes from run to run without showing within one (other programs, heat, where memory lies): measure the same\n"
    "build twice to see how large that is on your machine.\n"
    "Exit code 1 if a case of A is missing from B, or one of the two could not be measured; with --fail-on-regression\n"
    "also if one is slower or, as far as these samples tell, may be.",
    "  weft bench diff before.json after.json\n"
    "  weft bench diff before.json after.json --fail-on-regression --threshold 10    in continuous integration\n"};

typedef struct pair {
    const char *id;
    double a, b; /* medians */
    weft_bench_difference d;
    const char *problem; /* why it cannot be compared, or NULL */
    bool added;          /* only the second report has it, which is no fault */
} pair;

/* ---- Comparing ---- */

static int read_samples(const json_value *c, double *samples)
{
    const json_value *list = json_get(json_get(c, "seconds"), "samples");
    int n = 0;
    for (const json_value *e = list ? list->first : NULL; e && n < WEFT_BENCH_SAMPLES; e = e->next)
        if (e->kind == JSON_NUMBER)
            samples[n++] = e->number;
    return n;
}

static const json_value *find_case(const json_value *report, const char *id)
{
    const json_value *cases = json_get(report, "cases");
    for (const json_value *c = cases ? cases->first : NULL; c; c = c->next)
        if (strcmp(json_get_text(c, "id", ""), id) == 0)
            return c;
    return NULL;
}

static pair compare(const json_value *a, const json_value *b, const char *id, double threshold)
{
    pair p = {.id = id};
    double of_a[WEFT_BENCH_SAMPLES], of_b[WEFT_BENCH_SAMPLES];
    int n_a = read_samples(a, of_a), n_b = read_samples(b, of_b);
    p.a = json_get_number(json_get(a, "seconds"), "median", (double)NAN);
    p.b = json_get_number(json_get(b, "seconds"), "median", (double)NAN);
    p.added = !a && n_b > 0;
    if (!a || !b)
        p.problem = a ? "only in the first report" : "only in the second report";
    else if (n_a == 0 || n_b == 0)
        p.problem = n_a ? "not measured in the second report" : "not measured in the first report";
    else if (weft_bench_compare(of_a, n_a, of_b, n_b, threshold, &p.d, sizeof p.d) != WEFT_OK)
        p.problem = "a sample is not a positive number of seconds";
    return p;
}

static int count_cases(const json_value *report)
{
    const json_value *cases = json_get(report, "cases");
    int n = 0;
    for (const json_value *c = cases ? cases->first : NULL; c; c = c->next)
        n++;
    return n;
}

/* All cases of a, then those that only b has. */
static int compare_all(const json_value *a, const json_value *b, double threshold, pair *pairs)
{
    int n = 0;
    for (const json_value *c = json_get(a, "cases")->first; c; c = c->next) {
        const char *id = json_get_text(c, "id", "");
        pairs[n++] = compare(c, find_case(b, id), id, threshold);
    }
    for (const json_value *c = json_get(b, "cases")->first; c; c = c->next)
        if (!find_case(a, json_get_text(c, "id", "")))
            pairs[n++] = compare(NULL, c, json_get_text(c, "id", ""), threshold);
    return n;
}

/* ---- Output ---- */

static const char *verdict_name(const pair *p)
{
    return p->problem         ? "none"
           : p->d.verdict > 0 ? "slower"
           : p->d.verdict < 0 ? "faster"
           : p->d.same        ? "same"
                              : "cannot tell";
}

/* Slower than the threshold lets pass, surely or perhaps. */
static bool may_be_slower(const pair *p, double threshold)
{
    return !p->problem && p->d.high > 1 + threshold && p->d.verdict >= 0;
}

static text_style verdict_look(const pair *p)
{
    return p->d.verdict > 0 ? STYLE_BAD : p->d.verdict < 0 ? STYLE_GOOD : p->d.same ? STYLE_DIM : STYLE_WARN;
}

static void print_text(const pair *pairs, int n)
{
    int slower = 0, faster = 0, same = 0, unsure = 0, problems = 0;
    table *t = table_open("lrrrll", (const char *[]){"case", "A", "B", "B / A", "99 % interval", "verdict"});
    for (int k = 0; k < n; k++) {
        const pair *p = &pairs[k];
        problems += p->problem != NULL;
        if (p->problem)
            continue;
        unsure += p->d.verdict == 0 && !p->d.same;
        slower += p->d.verdict > 0;
        faster += p->d.verdict < 0;
        same += p->d.verdict == 0 && p->d.same;
        table_cell(t, STYLE_PLAIN, "%s", p->id);
        table_cell(t, STYLE_PLAIN, "%s", text_seconds(p->a));
        table_cell(t, STYLE_PLAIN, "%s", text_seconds(p->b));
        table_cell(t, STYLE_BOLD, "%.3f", p->d.ratio);
        table_cell(t, STYLE_DIM, "%.3f .. %.3f", p->d.low, p->d.high);
        table_cell(t, verdict_look(p), "%s", verdict_name(p));
    }
    table_print(t, stdout);
    for (int k = 0; k < n; k++)
        if (pairs[k].problem)
            say(stdout, "%s: %s\n", pairs[k].id, pairs[k].problem);
    say(stdout, "\n%d slower, %d faster, %d the same", slower, faster, same);
    if (unsure)
        say(stdout, ", of %d these samples cannot tell: measure again, with more --samples or less else running",
            unsure);
    say(stdout, problems ? "; %d not compared\n" : "\n", problems);
}

static void print_json(const pair *pairs, int n, double threshold, bool same_machine, bool quick)
{
    json j = json_begin(stdout);
    json_object(&j, NULL);
    json_text(&j, "schema", "weft-bench-diff/1");
    json_bool(&j, "same_machine", same_machine);
    json_bool(&j, "quick", quick);
    json_real(&j, "threshold", threshold);
    json_array(&j, "cases");
    for (int k = 0; k < n; k++) {
        const pair *p = &pairs[k];
        const double none = (double)NAN;
        json_object(&j, NULL);
        json_text(&j, "id", p->id);
        json_text(&j, "verdict", verdict_name(p));
        json_real(&j, "a", p->a);
        json_real(&j, "b", p->b);
        json_real(&j, "ratio", p->problem ? none : p->d.ratio);
        json_real(&j, "low", p->problem ? none : p->d.low);
        json_real(&j, "high", p->problem ? none : p->d.high);
        json_text(&j, "problem", p->problem);
        json_close(&j);
    }
    json_close(&j);
    json_close(&j);
}

/* ---- The command ---- */

static json_value *load(const char *path)
{
    char message[256];
    json_value *v = json_load(path, message, sizeof message);
    if (!v) {
        complain("%s: %s", path, message);
        return NULL;
    }
    const json_value *cases = json_get(v, "cases");
    if (strcmp(json_get_text(v, "schema", ""), "weft-bench/1") == 0 && cases && cases->kind == JSON_ARRAY)
        return v;
    complain("%s is not a report of `weft bench --json` (schema weft-bench/1)", path);
    json_free(v);
    return NULL;
}

static bool same_machine(const json_value *a, const json_value *b)
{
    const char *one = json_get_text(json_get(a, "machine"), "fingerprint", "");
    return strcmp(one, json_get_text(json_get(b, "machine"), "fingerprint", "")) == 0;
}

static bool is_quick(const json_value *report)
{
    const json_value *quick = json_get(json_get(report, "settings"), "quick");
    return quick && quick->kind == JSON_BOOL && quick->number != 0;
}

static void warn(const char *sentence)
{
    say(stdout, "%s%s%s\n\n", style(stdout, STYLE_WARN), sentence, style(stdout, STYLE_PLAIN));
}

static int show(const json_value *a, const json_value *b, double threshold, bool as_json, bool fail)
{
    pair *pairs = take((size_t)(count_cases(a) + count_cases(b)) * sizeof *pairs);
    int n = compare_all(a, b, threshold, pairs), regressions = 0, problems = 0;
    const bool same = same_machine(a, b), quick = is_quick(a) || is_quick(b);
    if (!same && !as_json)
        warn("The reports come from different machines or thread counts.");
    if (quick && !as_json)
        warn("A report of --quick is among them: its figures mean nothing.");
    if (as_json)
        print_json(pairs, n, threshold, same, quick);
    else
        print_text(pairs, n);
    for (int k = 0; k < n; k++)
        regressions += may_be_slower(&pairs[k], threshold);
    for (int k = 0; k < n; k++)
        problems += pairs[k].problem && !pairs[k].added;
    free(pairs);
    if (fail && quick) {
        complain("a report of --quick tells nothing of regressions");
        return EXIT_USAGE;
    }
    return problems || n == 0 || (fail && regressions) ? EXIT_FAILED : EXIT_FINE;
}

int bench_diff(int argc, char **argv)
{
    bool as_json = false, fail = false;
    double percent = 5;
    const option options[] = {
        {"threshold", "PERCENT", "smaller differences count as the same; 5", OPTION_REAL, &percent, 0, 1e6},
        {"fail-on-regression", NULL, "exit code 1 if a case is, or may be, slower", OPTION_FLAG, &fail, 0, 0},
        {"json", NULL, "print JSON (schema weft-bench-diff/1)", OPTION_FLAG, &as_json, 0, 0},
        {0}};
    int status;
    if (!options_parse(&diff_usage, options, &argc, argv, &status))
        return status;
    if (argc != 3) {
        complain("weft bench diff needs two reports: `weft bench diff A.json B.json`");
        return EXIT_USAGE;
    }
    json_value *a = load(argv[1]), *b = a ? load(argv[2]) : NULL;
    status = b ? show(a, b, percent / 100, as_json, fail) : EXIT_USAGE;
    json_free(a);
    json_free(b);
    return status;
}
