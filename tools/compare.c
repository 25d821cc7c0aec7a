/* compare.c - `weft compare`: where two devices, precisions or instruction sets part. The options and the contexts;
 * each part has a file of its own in compare_*.c. */
#include "compare.h"

#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "options.h"

static const usage compare_usage = {
    "weft compare", "ops NAME... | lockstep [MODEL] | files A B | replay FILE [options]",
    "ops: operations in every dtype and layout here and on the other side, against f64 on the CPU; errors in ulp, "
    "units in\n"
    "the last place of the result. lockstep: a training step, kernel by kernel on the same inputs: the first one "
    "beyond its\n"
    "bound is named. files: two .npz or .safetensors. replay: one operation that lockstep saved.\n"
    "The other side: cuda, cuda:1, f64 (lockstep only), avx512, avx2, plain, or threads:N on the CPU. Without --other "
    "cuda\n"
    "if there is one, else plain for ops, f64 for lockstep and cpu for replay.\n"
    "Exit code 1 if the sides differ by more than the bounds (files: the tolerances), 2 if they could not be compared.",
    "  weft compare ops all --other cuda           is my GPU build right?\n"
    "  weft compare lockstep mlp --other cuda      where do CPU and GPU part?\n"
    "  weft compare lockstep lenet --other f64 --steps 20 --svg drift.svg\n"
    "  weft compare files before.npz after.npz --rtol 1e-6\n"
    "  weft compare replay bad.npz --other cuda --json\n"};

/* ---- Sides ---- */

/* A whole number of 0 to most and nothing after it; -1: it is something else. */
static int number_in(const char *text, int most)
{
    char *end;
    const long value = strtol(text, &end, 10);
    const bool fine = *text >= '0' && *text <= '9' && *end == '\0' && value <= most;
    return fine ? (int)value : -1;
}

static bool is_isa(const char *side)
{
    return strcmp(side, "plain") == 0 || strcmp(side, "avx2") == 0 || strcmp(side, "avx512") == 0;
}

/* False after a complaint: the device is not there, and why. */
static bool device_there(const char *side, int index)
{
    weft_device_info info = {0};
    if (weft_device_info_get("cuda", index, &info, sizeof info) == WEFT_OK)
        return true;
    complain("%s cannot be compared with: %s", side, info.note);
    return false;
}

static bool no_side(const char *side)
{
    static const char *const names[] = {"cuda", "cpu", "f64", "plain", "avx2", "avx512", "threads:2"};
    const char *near = suggest(side, names, (int)(sizeof names / sizeof *names));
    complain("there is no side \"%s\"%s%s; --other takes cuda, cuda:1, f64, plain, avx2, avx512, cpu or threads:N",
             side, near ? "; did you mean " : "", near ? near : "");
    return false;
}

static bool read_side(const char *side, weft_options *options)
{
    enum { MOST_THREADS = 512, MOST_DEVICES = 1024 };
    if (strcmp(side, "cpu") == 0 || strcmp(side, "f64") == 0 || is_isa(side))
        return true;
    if (strncmp(side, "threads:", 8) == 0) {
        options->threads = number_in(side + 8, MOST_THREADS);
        if (options->threads > 0)
            return true;
        complain("\"%s\": threads: takes a number of 1 to %d, as in threads:4", side, MOST_THREADS);
        return false;
    }
    options->device = side;
    const int index = strcmp(side, "cuda") == 0        ? 0
                      : strncmp(side, "cuda:", 5) == 0 ? number_in(side + 5, MOST_DEVICES)
                                                       : -1;
    return index < 0 ? no_side(side) : device_there(side, index);
}

/* False after a complaint: the library ignores an instruction set that it cannot use. */
static bool uses_isa(const char *side)
{
    weft_device_info info = {0};
    if (weft_device_info_get("cpu", 0, &info, sizeof info) == WEFT_OK && strcmp(info.isa, side) == 0)
        return true;
    complain(
        "%s cannot be compared with: this processor or this build has no such kernels; `weft info` says what it has",
        side);
    return false;
}

weft_ctx *compare_open(const char *side)
{
    weft_options options = WEFT_OPTIONS_DEFAULTS;
    options.seed = 1;
    weft_ctx *ctx = NULL;
    if (!read_side(side, &options))
        return NULL;
    const bool isa = is_isa(side);
    char *before = isa && getenv("WEFT_ISA") ? strdup(getenv("WEFT_ISA")) : NULL;
    if (isa)
        setenv("WEFT_ISA", side, 1);
    const bool usable = !isa || uses_isa(side);
    const weft_status status = usable ? weft_ctx_open(&options, &ctx) : WEFT_OK;
    if (before)
        setenv("WEFT_ISA", before, 1);
    else if (isa)
        unsetenv("WEFT_ISA");
    free(before);
    if (status != WEFT_OK)
        complain("%s cannot be compared with: %s; `weft info` says what this machine has", side,
                 weft_status_text(status));
    return ctx;
}

bool compare_refuses_f64(const char *part, const char *side)
{
    if (strcmp(side, "f64") != 0)
        return false;
    complain("weft compare %s judges against f64 whatever the side; name another one (plain, avx2, cuda ...), or run "
             "`weft compare lockstep MODEL --other f64`",
             part);
    return true;
}

/* ---- The command ---- */

int command_compare(int argc, char **argv)
{
    compare_options o = {.steps = 3};
    const option options[] = {
        {"other", "SIDE", "cuda, f64, plain, threads:4 ...; default: cuda if there is one, else see above", OPTION_TEXT,
         &o.other, 0, 0},
        {"steps", "N", "lockstep: how many steps; default 3", OPTION_INT, &o.steps, 1, 10000},
        {"batch", "N", "lockstep: how large a batch; default: the model's own", OPTION_INT, &o.batch, 1, 1 << 16},
        {"save", "FILE", "lockstep: the first bad operation, for replay", OPTION_TEXT, &o.save, 0, 0},
        {"svg", "FILE", "lockstep: the drift as an image", OPTION_TEXT, &o.svg, 0, 0},
        {"rtol", "R", "files: what an element may be off by, relative; default 0", OPTION_REAL, &o.rtol, 0, 1e300},
        {"atol", "A", "files: and absolute; default 0", OPTION_REAL, &o.atol, 0, 1e300},
        {"all", NULL, "ops: every dtype and layout, not only the worst row of each operation", OPTION_FLAG, &o.all, 0,
         0},
        {"json", NULL, "print JSON", OPTION_FLAG, &o.json, 0, 0},
        {0}};
    static const struct {
        const char *name;
        int least, most; /* words that it takes */
        const char *takes;
        int (*run)(const compare_options *o, int n, char **words);
    } parts[] = {
        {"ops", 1, 256, "names of operations, or all: `weft compare ops gelu conv2d`", compare_run_ops},
        {"lockstep", 0, 1, "one model at most: `weft compare lockstep lenet`", compare_run_lockstep},
        {"files", 2, 2, "two files: `weft compare files before.npz after.npz`", compare_run_files},
        {"replay", 1, 1, "the file that lockstep --save wrote: `weft compare replay bad.npz`", compare_run_replay}};
    int status;
    if (!options_parse(&compare_usage, options, &argc, argv, &status))
        return status;
    for (size_t k = 0; argc > 1 && k < sizeof parts / sizeof *parts; k++) {
        if (strcmp(parts[k].name, argv[1]) != 0)
            continue;
        if (argc - 2 >= parts[k].least && argc - 2 <= parts[k].most)
            return parts[k].run(&o, argc - 2, argv + 2);
        complain("weft compare %s takes %s; `weft compare --help` explains", parts[k].name, parts[k].takes);
        return EXIT_USAGE;
    }
    complain("weft compare needs one of ops, lockstep, files and replay; see `weft compare --help`");
    return EXIT_USAGE;
}
