/* compare.h - what the parts of `weft compare` share. */
#ifndef WEFT_TOOLS_COMPARE_H
#define WEFT_TOOLS_COMPARE_H

#include <stdbool.h>
#include <weft/compare.h>

typedef struct compare_options {
    const char *other; /* NULL: chosen by the part */
    int steps, batch;  /* batch 0: the model's own */
    const char *save, *svg;
    double rtol, atol;
    bool all, json;
} compare_options;

/* A context for a side: a device, an instruction set, "threads:4" or "f64". NULL after a complaint. */
weft_ctx *compare_open(const char *side);

/* True after a complaint: the side is f64, which is the CPU itself where nothing is widened. */
bool compare_refuses_f64(const char *part, const char *side);

int compare_run_ops(const compare_options *o, int n, char **words);
int compare_run_lockstep(const compare_options *o, int n, char **words);
int compare_run_files(const compare_options *o, int n, char **words);
int compare_run_replay(const compare_options *o, int n, char **words);

#endif
