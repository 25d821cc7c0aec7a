/* bench_invariance.c - `weft bench invariance`: what the option batch_invariant of a context costs. */
#include "bench.h"
#include "command.h"
#include "json.h"
#include "options.h"
#include "terminal.h"

#include <stdlib.h>
#include <string.h>
#include <weft/sample.h>

static const usage invariance_usage = {"weft bench invariance", "[options]",
                                       "What batch invariance costs (the option batch_invariant of a context): "
                                       "products, norms and attention with few and\n"
                                       "with many rows, each without the option and with it in turns, and the ratio of "
                                       "the medians with its 99 % interval.\n"
                                       "Operands are the same each time, and in the caches where they fit.",
                                       "  weft bench invariance                   on one CPU thread\n"
                                       "  weft bench invariance --device cuda     on the GPU\n"};

/* An operation with a rows; b, c and d are sizes of its own. */
typedef struct subject {
    const char *op, *label, *operands, *numbers;
    int64_t b, c;
} subject;

static const subject subjects[] = {
    {"matmul", "matmul, 1024 by 1024", "rac rcb", "", 1024, 1024},
    {"linear", "linear, 1024 to 1024", "rac rbc rb", "", 1024, 1024},
    {"layer_norm", "layer_norm of 1024", "rab rb rb", "; 1e-5", 1024, 0},
    {"rms_norm", "rms_norm of 1024", "rab rb", "; 1e-5", 1024, 0},
    {"softmax", "softmax of 1024", "rab", "-1", 1024, 0},
    {"sum", "sum of 1024", "rab", "0 -1", 1024, 0},
    {"attention", "attention, 128 queries of 64", "rabc rabc rabc", "1; 0.125", 128, 64},
    {"attention", "attention, 1 query, 256 keys of 64", "ra1c rabc rabc", "0; 0.125", 256, 64},
};

enum { SIZES = 4, CASES = (int)(sizeof subjects / sizeof *subjects) * SIZES, TURNS = 3 };

typedef struct result {
    const subject *what;
    int64_t rows;
    double without, with; /* seconds */
    weft_bench_difference d;
} result;

/* One side: a context, and the call that is repeated in it. */
typedef struct side {
    weft_ctx *ctx;
    weft_sample_call call;
    weft_bench_result seconds; /* of all turns */
} side;

typedef struct settings {
    const char *device;
    weft_dtype dtype;
    int threads, samples;
    bool quick;
} settings;

static void keep_message(void *user, weft_log_level level, const char *message)
{
    if (level == WEFT_LOG_LEVEL_ERROR)
        weft_text(user, 512, "%s", message);
}

static weft_status run_often(void *user, int64_t times)
{
    side *s = user;
    for (int64_t k = 0; k < times; k++) {
        const int mark = weft_scope_push(s->ctx);
        (void)weft_sample_run(&s->call); /* an error stays in the context */
        const weft_status status = weft_scope_pop(s->ctx, mark);
        if (status != WEFT_OK)
            return status;
    }
    return WEFT_OK;
}

static bool open_side(const settings *o, const subject *what, int64_t rows, bool invariant, side *s, char *message)
{
    weft_options how = WEFT_OPTIONS_DEFAULTS;
    weft_sample_options sample = WEFT_SAMPLE_DEFAULTS;
    const int64_t width = o->quick ? 16 : 0;
    *s = (side){.ctx = NULL};
    how.device = o->device;
    how.threads = o->threads;
    how.seed = 1;
    how.log = keep_message;
    how.log_user = message;
    how.batch_invariant = invariant;
    if (weft_ctx_open(&how, &s->ctx) != WEFT_OK)
        return false;
    sample.dtype = o->dtype;
    sample.random = true;
    sample.operands = what->operands;
    sample.numbers = what->numbers;
    sample.sizes[0] = rows;
    sample.sizes[1] = width ? width : what->b;
    sample.sizes[2] = width ? width : what->c;
    return weft_sample_make(s->ctx, weft_op_find(what->op), &sample, &s->call) == WEFT_OK;
}

static bool take_turn(const settings *o, side *s)
{
    weft_bench_options how = WEFT_BENCH_DEFAULTS;
    weft_bench_result turn;
    how.ctx = s->ctx;
    how.samples = o->quick ? 3 : (o->samples + TURNS - 1) / TURNS;
    if (o->quick)
        how.sample_seconds = how.warm_seconds = 0;
    if (weft_bench_measure(run_often, s, &how, &turn) != WEFT_OK)
        return false;
    for (int k = 0; k < turn.n && s->seconds.n < WEFT_BENCH_SAMPLES; k++)
        s->seconds.samples[s->seconds.n++] = turn.samples[k];
    weft_bench_summarise(&s->seconds);
    return true;
}

/* Without and with the option, in turns, so that a machine that slows down does so for both. */
static bool measure(const settings *o, result *r)
{
    char message[512] = "";
    side *sides = take(2 * sizeof *sides);
    bool fine = open_side(o, r->what, r->rows, false, &sides[0], message);
    fine = open_side(o, r->what, r->rows, true, &sides[1], message) && fine;
    for (int turn = 0; turn < TURNS && fine; turn++)
        fine = take_turn(o, &sides[0]) && take_turn(o, &sides[1]);
    r->without = sides[0].seconds.median;
    r->with = sides[1].seconds.median;
    if (fine)
        fine = weft_bench_compare(sides[0].seconds.samples, sides[0].seconds.n, sides[1].seconds.samples,
                                  sides[1].seconds.n, 0.05, &r->d, sizeof r->d) == WEFT_OK;
    for (int k = 0; k < 2; k++)
        weft_ctx_close(sides[k].ctx);
    free(sides);
    if (!fine) {
        progress_clear();
        complain("weft bench invariance: %s with %lld rows on %s: %s", r->what->label, (long long)r->rows, o->device,
                 message[0] ? message : "it could not be measured");
    }
    return fine;
}

static void print_table(const settings *o, const result *results)
{
    table *t = table_open("lrrrrr", (const char *[]){"operation", "rows", "without", "with", "ratio", "99 %"});
    for (int k = 0; k < CASES; k++) {
        const result *r = &results[k];
        table_cell(t, STYLE_PLAIN, "%s", r->what->label);
        table_cell(t, STYLE_PLAIN, "%lld", (long long)r->rows);
        table_cell(t, STYLE_PLAIN, "%s", text_seconds(r->without));
        table_cell(t, STYLE_PLAIN, "%s", text_seconds(r->with));
        table_cell(t, r->d.verdict > 0 ? STYLE_WARN : STYLE_GOOD, "%.2f", r->d.ratio);
        table_cell(t, STYLE_DIM, "%.2f - %.2f", r->d.low, r->d.high);
    }
    say(stdout, "Time with batch_invariant over the time without, %s on %s, %d thread%s%s\n\n",
        weft_dtype_name(o->dtype), o->device, o->threads, o->threads == 1 ? "" : "s",
        o->quick ? "; --quick: the figures mean nothing" : "");
    table_print(t, stdout);
}

static void print_json(const settings *o, const result *results)
{
    json j = json_begin(stdout);
    json_object(&j, NULL);
    json_text(&j, "schema", "weft-bench-invariance/1");
    json_text(&j, "device", o->device);
    json_text(&j, "dtype", weft_dtype_name(o->dtype));
    json_int(&j, "threads", o->threads);
    json_bool(&j, "quick", o->quick);
    json_array(&j, "cases");
    for (int k = 0; k < CASES; k++) {
        const result *r = &results[k];
        json_object(&j, NULL);
        json_text(&j, "op", r->what->op);
        json_text(&j, "what", r->what->label);
        json_int(&j, "rows", r->rows);
        json_real(&j, "without", r->without);
        json_real(&j, "with", r->with);
        json_real(&j, "ratio", r->d.ratio);
        json_real(&j, "low", r->d.low);
        json_real(&j, "high", r->d.high);
        json_close(&j);
    }
    json_close(&j);
    json_close(&j);
}

static int run_all(const settings *o, bool as_json)
{
    static const int64_t row_counts[2][SIZES] = {{1, 8, 64, 512}, {1, 2, 3, 4}};
    result *results = take(CASES * sizeof *results);
    bool fine = true;
    for (int k = 0; k < CASES && fine; k++) {
        results[k] = (result){.what = &subjects[k / SIZES], .rows = row_counts[o->quick][k % SIZES]};
        progress_show("%s, %lld rows", results[k].what->label, (long long)results[k].rows);
        fine = measure(o, &results[k]);
    }
    progress_clear();
    if (fine)
        (as_json ? print_json : print_table)(o, results);
    free(results);
    return fine ? EXIT_FINE : EXIT_USAGE;
}

int bench_invariance(int argc, char **argv)
{
    settings o = {.device = "cpu", .dtype = WEFT_F32, .threads = 1, .samples = 21};
    const char *dtype = "f32";
    bool as_json = false, known = false;
    const option options[] = {
        {"device", "DEVICE", "cpu (the default), cuda, cuda:1 ...", OPTION_TEXT, &o.device, 0, 0},
        {"dtype", "DTYPE", "f32 (the default), f64, f16 or bf16", OPTION_TEXT, &dtype, 0, 0},
        {"threads", "N", "CPU threads, 1 to 512; 1", OPTION_INT, &o.threads, 1, 512},
        {"samples", "N", "samples of each measurement, 3 to 99; 21", OPTION_INT, &o.samples, 3, 99},
        {"quick", NULL, "little work, few samples: shows that it works, the figures mean nothing", OPTION_FLAG,
         &o.quick, 0, 0},
        {"json", NULL, "print JSON (schema weft-bench-invariance/1)", OPTION_FLAG, &as_json, 0, 0},
        {0}};
    int status;
    if (!options_parse(&invariance_usage, options, &argc, argv, &status))
        return status;
    if (argc > 1) {
        complain("weft bench invariance takes no \"%s\"; `weft bench invariance --help` explains", argv[1]);
        return EXIT_USAGE;
    }
    static const weft_dtype floating[] = {WEFT_F32, WEFT_F64, WEFT_F16, WEFT_BF16};
    for (int k = 0; k < 4; k++)
        if (strcmp(weft_dtype_name(floating[k]), dtype) == 0) {
            o.dtype = floating[k];
            known = true;
        }
    if (!known) {
        complain("weft bench invariance: --dtype takes f32, f64, f16 or bf16, not \"%s\"", dtype);
        return EXIT_USAGE;
    }
    return run_all(&o, as_json);
}
