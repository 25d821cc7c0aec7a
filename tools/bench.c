/* bench.c - `weft bench`: command line, devices, ceilings. */
#include "bench.h"
#include "command.h"
#include "options.h"
#include "samples.h"
#include "terminal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const usage bench_usage = {
    "weft bench", "[ops [NAME... | all] | models [NAME...] | ceilings | invariance | diff A.json B.json] [options]",
    "How fast this machine is and how close Weft comes. First the ceilings are measured: memory, arithmetic, the start "
    "of\n"
    "an operation, transfers. Then operations and models, each with median, spread and the share of the roofline, the\n"
    "least time that its bytes and flops can take. Without a word: ceilings, usual operations and small models.\n"
    "Operands rotate through more memory than the caches hold. `weft bench diff --help` explains comparisons, `weft "
    "bench\n"
    "invariance --help` what a row that does not depend on its batch costs.",
    "  weft bench                                     how fast is this machine against its limit?\n"
    "  weft bench ops gelu softmax --dtype f32,bf16   two operations in two dtypes\n"
    "  weft bench ops matmul --shape 4096x4096 --device cpu,cuda\n"
    "                                                 CPU and GPU beside each other, with the ratio\n"
    "  weft bench ops linear conv2d --grad            and how long their gradients take\n"
    "  weft bench models gpt2-124m --device cuda      forward and training step of a model\n"
    "  weft bench --html report.html                  a page with roofline and charts, for any browser\n"
    "  weft bench ops all --json > today.json         for `weft bench diff` and other programs\n"
    "  weft bench invariance                          what batch invariance costs\n"
    "  weft bench diff yesterday.json today.json      what changed by more than noise\n"};

typedef enum bench_parts { PART_OPS = 1, PART_MODELS = 2 } bench_parts;

/* ---- The report ---- */

weft_bench_options bench_options(const bench_plan *plan, weft_ctx *ctx)
{
    weft_bench_options o = WEFT_BENCH_DEFAULTS;
    o.ctx = ctx;
    if (plan->samples)
        o.samples = plan->samples;
    if (plan->quick) {
        o.sample_seconds = 0;
        o.warm_seconds = 0;
        o.samples = 3;
    }
    return o;
}

bench_case *bench_add(bench_report *r, const char *kind, const char *name, const char *device, weft_dtype dtype)
{
    if (r->n_cases == r->room) {
        r->room = r->room ? 2 * r->room : 32;
        r->cases = grow(r->cases, (size_t)r->room * sizeof *r->cases);
    }
    bench_case *c = &r->cases[r->n_cases++];
    *c = (bench_case){.dtype = dtype};
    weft_text(c->kind, sizeof c->kind, "%s", kind);
    weft_text(c->name, sizeof c->name, "%s", name);
    weft_text(c->device, sizeof c->device, "%s", device);
    return c;
}

static void keep_error(void *user, weft_log_level level, const char *message)
{
    if (level == WEFT_LOG_LEVEL_ERROR)
        weft_text(user, 512, "%s", message);
}

weft_ctx *bench_open(const bench_report *r, const bench_device *d, char *message)
{
    weft_ctx *ctx = NULL;
    weft_options how = WEFT_OPTIONS_DEFAULTS;
    how.device = d->name;
    how.threads = r->plan.threads;
    how.seed = 1;
    how.log = keep_error;
    how.log_user = message;
    return weft_ctx_open(&how, &ctx) == WEFT_OK ? ctx : NULL;
}

const bench_case *bench_partner(const bench_report *r, int k)
{
    const bench_case *c = &r->cases[k];
    if (strcmp(c->device, "cpu") != 0)
        return NULL;
    for (int j = 0; j < r->n_cases; j++) {
        const bench_case *o = &r->cases[j];
        if (strncmp(o->device, "cuda", 4) == 0 && o->dtype == c->dtype && strcmp(o->kind, c->kind) == 0 &&
            strcmp(o->name, c->name) == 0 && strcmp(o->what, c->what) == 0)
            return o;
    }
    return NULL;
}

const char *bench_unit_name(weft_bench_unit unit)
{
    return unit == WEFT_BENCH_UNIT_BYTES ? "B/s" : unit == WEFT_BENCH_UNIT_FLOPS ? "flop/s" : "calls/s";
}

/* ---- Devices ---- */

static bool add_device(bench_report *r, const char *name, size_t length)
{
    if (r->n_devices == BENCH_MOST_DEVICES || length >= sizeof r->devices[0].name) {
        complain("weft bench: at most %d devices, named cpu, cuda, cuda:1 ...", BENCH_MOST_DEVICES);
        return false;
    }
    bench_device *d = &r->devices[r->n_devices++];
    weft_text(d->name, sizeof d->name, "%.*s", (int)length, name);
    bool gpu = strncmp(d->name, "cuda", 4) == 0;
    const char *colon = strchr(d->name, ':');
    weft_device_info info = {0};
    if (weft_device_info_get(gpu ? "cuda" : d->name, colon ? atoi(colon + 1) : 0, &info, sizeof info) != WEFT_OK) {
        complain("%s cannot be used: %s", d->name, info.note);
        return false;
    }
    weft_text(d->product, sizeof d->product, "%s", gpu ? info.name : r->host.cpu);
    weft_text(d->driver, sizeof d->driver, "%s", info.driver);
    weft_text(d->runtime, sizeof d->runtime, "%s", info.runtime);
    return true;
}

/* The devices of a list "cpu,cuda"; without one, the CPU and the first GPU if there is one. */
static bool add_devices(bench_report *r, const char *list)
{
    if (!list)
        list = weft_device_count("cuda") == 0 ? "cpu" : "cpu,cuda";
    r->plan.alike = strstr(list, "cpu") && strstr(list, "cuda");
    for (const char *at = list; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (!add_device(r, at, strcspn(at, ",")))
            return false;
    }
    return true;
}

static bool measure_ceilings(bench_report *r)
{
    for (int k = 0; k < r->n_devices; k++) {
        bench_device *d = &r->devices[k];
        char message[512] = "";
        progress_show("ceilings of %s", d->name);
        weft_bench_options how = bench_options(&r->plan, NULL);
        if (weft_bench_ceilings(d->name, r->plan.threads, &how, d->ceilings, &d->n_ceilings, message, sizeof message) !=
            WEFT_OK) {
            complain("the ceilings of %s: %s", d->name, message);
            return false;
        }
    }
    progress_clear();
    return true;
}

/* ---- Lists on the command line ---- */

static bool read_dtypes(bench_plan *plan, const char *list)
{
    static const weft_dtype known[] = {WEFT_F32, WEFT_F64, WEFT_F16, WEFT_BF16};
    for (const char *at = list; at; at = strchr(at, ',')) {
        at += *at == ',';
        size_t length = strcspn(at, ",");
        int before = plan->n_dtypes;
        for (int k = 0; k < 4 && plan->n_dtypes < BENCH_MOST_DTYPES; k++) {
            const char *name = weft_dtype_name(known[k]);
            if (strlen(name) == length && strncmp(name, at, length) == 0)
                plan->dtypes[plan->n_dtypes++] = known[k];
        }
        if (plan->n_dtypes == before) {
            complain("weft bench: --dtype takes a list of f32, f64, f16 and bf16, not \"%s\"", list);
            return false;
        }
    }
    return true;
}

static bool read_shape(bench_plan *plan, const char *text)
{
    const char *at = text;
    while (at && *at && plan->rank < 4) {
        char *end;
        errno = 0;
        long long size = strtoll(at, &end, 10);
        if (end == at || size < 2 || size > 1 << 30 || errno || (*end && *end != 'x'))
            break;
        plan->shape[plan->rank++] = size;
        at = *end ? end + 1 : NULL;
    }
    if (!at && plan->rank >= 2)
        return true;
    complain(
        "weft bench: --shape takes ROWSxCOLUMNS as 1024x768, MxNxK as 512x512x4096 for products (a result of MxN, sums "
        "over K), or NxCxHxW as 8x64x56x56 for convolution and pooling, sizes of 2 and more; not \"%s\"",
        text);
    return false;
}

/* Fills ops from names; n_names 0: the usual ones. Returns how many, -1 after a complaint. */
static int choose_ops(char **names, int n_names, int *ops)
{
    static const char *const usual[] = {"copy_",   "add",        "gelu",          "exp",    "sum",
                                        "softmax", "layer_norm", "cross_entropy", "matmul", "conv2d"};
    if (n_names == 1 && strcmp(names[0], "all") == 0) {
        sample s;
        int n = 0;
        for (int k = 0; k < weft_op_count(); k++)
            if (sample_find(k, &s))
                ops[n++] = k;
        return n;
    }
    int n = n_names ? n_names : (int)(sizeof usual / sizeof usual[0]);
    for (int k = 0; k < n; k++) {
        const char *name = n_names ? names[k] : usual[k];
        ops[k] = weft_op_find(name);
        if (ops[k] < 0) {
            complain("there is no operation \"%s\"; `weft ops %s` looks for one", name, name);
            return -1;
        }
    }
    return n;
}

/* ---- The command ---- */

static int write_html(const bench_report *r, const char *path)
{
    FILE *file = fopen(path, "w");
    if (!file) {
        complain("%s cannot be written: %s", path, strerror(errno));
        return EXIT_USAGE;
    }
    bench_print_html(r, file);
    const bool bad = ferror(file) != 0;
    if (fclose(file) != 0 || bad) {
        complain("%s cannot be written: %s", path, strerror(errno));
        return EXIT_USAGE;
    }
    if (is_terminal(stdout))
        say(stdout, "\nreport written to %s\n", path);
    return EXIT_FINE;
}

/* Exit code 1 and a sentence if a case could not be measured. */
static int complain_of_failures(const bench_report *r)
{
    int failed = 0;
    for (int k = 0; k < r->n_cases; k++)
        failed += r->cases[k].error[0] != 0;
    if (!failed)
        return EXIT_FINE;
    complain("%d of %d cases could not be measured", failed, r->n_cases);
    return EXIT_FAILED;
}

static int run_parts(bench_report *r, unsigned parts, char **names, int n_names, bool as_json, const char *html)
{
    int *ops = take((size_t)(weft_op_count() + n_names) * sizeof *ops);
    int n = parts & PART_OPS ? choose_ops(names, parts & PART_MODELS ? 0 : n_names, ops) : 0;
    bool fine = n >= 0 && measure_ceilings(r);
    if (fine && n > 0)
        bench_run_ops(r, ops, n);
    free(ops);
    if (fine && parts & PART_MODELS)
        fine = bench_run_models(r, names, parts & PART_OPS ? 0 : n_names);
    if (!fine)
        return EXIT_USAGE;
    (as_json ? bench_print_json : bench_print_text)(r, stdout);
    if (html && write_html(r, html) != EXIT_FINE)
        return EXIT_USAGE;
    return complain_of_failures(r);
}

/* What the first word asks for; -1: it asks for nothing known. */
static int parts_of(const char *word)
{
    if (!word)
        return PART_OPS | PART_MODELS;
    if (strcmp(word, "ops") == 0)
        return PART_OPS;
    if (strcmp(word, "models") == 0)
        return PART_MODELS;
    return strcmp(word, "ceilings") == 0 ? 0 : -1;
}

int command_bench(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "diff") == 0)
        return bench_diff(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "invariance") == 0)
        return bench_invariance(argc - 1, argv + 1);
    bench_report r = {.n_devices = 0};
    bool as_json = false;
    const char *html = NULL, *device = NULL, *dtype = "f32", *shape = NULL;
    const option options[] = {
        {"device", "LIST", "cpu, cuda, cuda:1 ... or several: cpu,cuda; the CPU and a GPU if there is one", OPTION_TEXT,
         &device, 0, 0},
        {"dtype", "LIST", "f32 (the default), f64, f16, bf16 or several: f32,bf16", OPTION_TEXT, &dtype, 0, 0},
        {"shape", "SHAPE", "1024x768 for operations over rows, MxNxK for products, 8x64x56x56 for images", OPTION_TEXT,
         &shape, 0, 0},
        {"batch", "N", "models: their batch, 1 to 65536; the model's own", OPTION_INT, &r.plan.batch, 1, 1 << 16},
        {"threads", "N", "CPU threads, 1 to 512; as many as processors", OPTION_INT, &r.plan.threads, 1, 512},
        {"grad", NULL, "operations: their gradients too", OPTION_FLAG, &r.plan.gradients, 0, 0},
        {"samples", "N", "samples of each measurement, 3 to 101; 21", OPTION_INT, &r.plan.samples, 3,
         WEFT_BENCH_SAMPLES},
        {"quick", NULL, "little work, three samples: shows that it works, the figures mean nothing", OPTION_FLAG,
         &r.plan.quick, 0, 0},
        {"html", "FILE", "also write a page with charts", OPTION_TEXT, &html, 0, 0},
        {"json", NULL, "print JSON (schema weft-bench/1) with every sample", OPTION_FLAG, &as_json, 0, 0},
        {0}};
    int status;
    if (!options_parse(&bench_usage, options, &argc, argv, &status))
        return status;
    int parts = parts_of(argc > 1 ? argv[1] : NULL);
    if (parts < 0) {
        static const char *const words[] = {"ops", "models", "ceilings", "invariance", "diff"};
        const char *near = weft_op_find(argv[1]) >= 0 ? "ops" : suggest(argv[1], words, 5);
        complain("weft bench has no \"%s\"; %s%s%s`weft bench --help` explains", argv[1],
                 near ? "did you mean `weft bench " : "", near ? near : "", near ? "`? " : "");
        return EXIT_USAGE;
    }
    machine_read(&r.host);
    if (r.plan.threads == 0)
        r.plan.threads = r.host.processors;
    if (!read_dtypes(&r.plan, dtype) || (shape && !read_shape(&r.plan, shape)) || !add_devices(&r, device))
        return EXIT_USAGE;
    status = run_parts(&r, (unsigned)parts, argv + 2, argc > 2 ? argc - 2 : 0, as_json, html);
    free(r.cases);
    return status;
}
