/* compare.c - `weft compare`: where two devices, precisions or instruction sets part. The options and the contexts; each
 * part has a file of its own in compare_*.c. */
#include "compare.h"

#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "options.h"

static const usage compare_usage = {
    "weft compare", "ops NAME... | lockstep [MODEL] | files A B | replay FILE [options]",
    "ops: operations in every dtype and layout here and on the other side, against f64 on the CPU.\n"
    "lockstep: a training step, kernel by kernel on the same inputs: the first one beyond its bound is named.\n"
    "files: two .npz or .safetensors. replay: one operation that lockstep saved.\n"
    "The other side: cuda, cuda:1, f64 (lockstep only), avx512, avx2, plain, or threads:N on the CPU.\n"
    "Exit code 1 if they do not agree.",
    "  weft compare ops all --other cuda           is my GPU build right?\n"
    "  weft compare lockstep mlp --other cuda      where do CPU and GPU part?\n"
    "  weft compare lockstep lenet --other f64 --steps 20 --svg drift.svg\n"
    "  weft compare files before.npz after.npz --rtol 1e-6\n"
    "  weft compare replay bad.npz --other cuda --json\n"};

weft_ctx *compare_open(const char *side)
{
    weft_options options = {.seed = 1};
    weft_ctx *ctx = NULL;
    const bool isa = strcmp(side, "plain") == 0 || strcmp(side, "avx2") == 0 || strcmp(side, "avx512") == 0;
    if (strncmp(side, "threads:", 8) == 0)
        options.threads = atoi(side + 8);
    else if (!isa && strcmp(side, "f64") != 0)
        options.device = side;
    const char *before = getenv("WEFT_ISA");
    if (isa)
        setenv("WEFT_ISA", side, 1);
    const weft_status status = weft_ctx_open(&options, &ctx);
    if (isa && before)
        setenv("WEFT_ISA", before, 1);
    else if (isa)
        unsetenv("WEFT_ISA");
    if (status != WEFT_OK)
        complain("\"%s\" cannot be compared with: %s; `weft info` says what this machine has", side,
                 weft_status_text(status));
    return ctx;
}

int command_compare(int argc, char **argv)
{
    compare_options o = {.steps = 3};
    const option options[] = {
        {"other", "SIDE", "cuda, f64, plain, threads:4 ...; default: cuda if there is one", OPTION_TEXT, &o.other},
        {"steps", "N", "lockstep: how many steps; default 3", OPTION_INT, &o.steps},
        {"batch", "N", "lockstep: how large a batch; default: the model's own", OPTION_INT, &o.batch},
        {"save", "FILE", "lockstep: the first bad operation, for replay", OPTION_TEXT, &o.save},
        {"svg", "FILE", "lockstep: the drift as an image", OPTION_TEXT, &o.svg},
        {"rtol", "R", "files: what an element may be off by, relative; default 0", OPTION_REAL, &o.rtol},
        {"atol", "A", "files: and absolute; default 0", OPTION_REAL, &o.atol},
        {"json", NULL, "print JSON", OPTION_FLAG, &o.json},
        {0}};
    static const struct {
        const char *name;
        int least, most; /* words that it takes */
        int (*run)(const compare_options *o, int n, char **words);
    } parts[] = {{"ops", 1, 256, compare_run_ops},
                 {"lockstep", 0, 1, compare_run_lockstep},
                 {"files", 2, 2, compare_run_files},
                 {"replay", 1, 1, compare_run_replay}};
    int status;
    if (!options_parse(&compare_usage, options, &argc, argv, &status))
        return status;
    for (size_t k = 0; argc > 1 && k < sizeof parts / sizeof *parts; k++) {
        if (strcmp(parts[k].name, argv[1]) != 0)
            continue;
        if (argc - 2 >= parts[k].least && argc - 2 <= parts[k].most)
            return parts[k].run(&o, argc - 2, argv + 2);
        complain("weft compare %s takes another number of words; see `weft compare --help`", argv[1]);
        return EXIT_USAGE;
    }
    complain("weft compare needs one of ops, lockstep, files and replay; see `weft compare --help`");
    return EXIT_USAGE;
}
