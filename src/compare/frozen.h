/* frozen.h - one kernel launch with host copies of what it read and wrote, so that it can be run again anywhere. */
#ifndef WEFT_COMPARE_FROZEN_H
#define WEFT_COMPARE_FROZEN_H

#include "engine/observe.h"

/* An array in host memory of its own, strided as the one it was copied from. */
typedef struct weft__held {
    weft__array a; /* a.data lies in block */
    void *block;   /* NULL: the launch had no such array */
    size_t bytes;
    int64_t lowest; /* a.data is this many elements (negative: back) from the block's start: block = data + lowest */
    int shares;     /* an output that is the memory of input shares; -1: of its own */
} weft__held;

typedef struct weft__frozen {
    weft_ctx *owner; /* whose host memory it is in */
    int op;
    bool grad;
    weft__phase phase;
    char name[48];
    weft__site site;
    int n_in, n_out;
    weft__held *in, *out; /* n_in and n_out; out as the launch left them */
    bool has_attrs;
    weft__attrs attrs;
    const weft_custom_op *custom; /* of the launch: a callback of the user's, run by run */
    weft_status (*run)(weft_ctx *ctx, const weft_custom_op *custom, const weft__array *const *in, int n,
                       weft__array *const *out);
} weft__frozen;

/* Copies the inputs before the launch, and the outputs after it. An optimiser step has no outputs: what it changes
 * among its inputs becomes out. False: out of memory, or the device failed to copy. */
bool weft__freeze_inputs(weft__frozen *f, weft_ctx *owner, const weft__launch *launch);
bool weft__frozen_lists(weft__frozen *f); /* empty ones, for n_in and n_out */
bool weft__freeze_outputs(weft__frozen *f, const weft__launch *launch);
void weft__frozen_drop(weft__frozen *f); /* fine if the above failed, or twice */

/* How the inputs of a rerun differ from the frozen ones. */
typedef enum weft__rerun_kind {
    WEFT__AS_IT_WAS,
    WEFT__WIDENED,  /* every floating array in f64 */
    WEFT__ABSOLUTE, /* in f64, of |inputs|: of a sum of products that gives the sum of |a b| */
    WEFT__SHAKEN    /* in f64, each floating element moved by one part in 2^23 (f64: 2^52) up or down */
} weft__rerun_kind;

/* What ran: the row's name, or that of the user's operation. */
const char *weft__frozen_kernel(const weft__frozen *f);

/* Whether the launch can be run in ctx: a callback may be missing for its device. */
bool weft__can_rerun(const weft_ctx *ctx, const weft__launch *launch);

/* Runs the launch in ctx on fresh memory full of NaN and gives host copies of its results: n_out entries of f's owner's
 * memory, to be given back by weft__results_drop. NULL: an error in ctx, or out of memory. */
weft__held *weft__rerun(weft_ctx *ctx, const weft__frozen *f, weft__rerun_kind kind);
void weft__results_drop(const weft__frozen *f, weft__held *results);

/* The elements of a in row-major order as doubles, of the memory of ctx; integers of 64 bits keep what a double holds.
 * NULL: out of memory. Give back with weft__host_free(ctx, values, 8 * (count + 1)). */
double *weft__values(weft_ctx *ctx, const weft__held *h);

/* An empty held array for a (strides kept), its block not filled. False: out of memory. */
bool weft__held_make(weft_ctx *owner, const weft__array *a, weft__held *h);
void weft__held_drop(weft_ctx *owner, weft__held *h);

double weft__element_get(const void *block, int32_t dtype, int64_t k);
void weft__element_set(void *block, int32_t dtype, int64_t k, double value);

#endif
