/* lockstep.h - what judging launches one after the other needs, shared by lockstep and the comparison of all
 * operations. */
#ifndef WEFT_COMPARE_LOCKSTEP_H
#define WEFT_COMPARE_LOCKSTEP_H

#include "judge.h"
#include <weft/compare.h>

/* Fills a difference from a verdict; got: what the other context made. exact: asks arbiter for the values in f64. */
void weft__describe_difference(const weft__frozen *f, const weft__verdict *v, const weft__held *got, weft_ctx *arbiter,
                               weft_difference *d);

/* Error of results against a run in f64. */
typedef struct weft__accuracy {
    double ulp, relative_l2, bias;
} weft__accuracy;
weft__accuracy weft__accuracy_of(weft_ctx *owner, const weft__held *results, const weft__held *exact);

/* How a launch is repeated for the comparison: random numbers of f64 are others, so they stay. */
weft__rerun_kind weft__rerun_kind_for(int op, bool widen);

/* A context on the CPU for reruns in f64, with the memory hooks of ctx. NULL: the error is in ctx. */
weft_ctx *weft__open_arbiter(weft_ctx *ctx);

/* Both contexts are without an error and may be used now; else the error is in one of them. */
bool weft__pair_ready(weft_ctx *reference, weft_ctx *other, const char *function);

/* A callback that may look at both contexts, no more. False: the error is in one of them; do not call. */
typedef struct weft__pair {
    weft_ctx *reference, *other;
    weft__call_id in_reference, in_other;
} weft__pair;
bool weft__pair_begins(weft__pair *pair, weft_ctx *reference, weft_ctx *other, const char *name);
void weft__pair_ends(const weft__pair *pair);

/* The npz of one launch (saved.c). */
weft_status weft__save_launch(weft_ctx *ctx, const char *path, const weft__frozen *f, const weft__held *got);

/* Drift (drift.c). */
weft_status weft__copy_parameters(weft_ctx *from, weft_ctx *to);
weft_status weft__parameter_error(weft_ctx *reference, weft_ctx *other, double *error);

#endif
