/* observe.h - somebody who watches every kernel launch of a context: what lockstep comparison and profiling stand
 * on. */
#ifndef WEFT_ENGINE_OBSERVE_H
#define WEFT_ENGINE_OBSERVE_H

#include <string.h>
#include "engine/engine.h"

typedef enum weft__phase { WEFT__FORWARD, WEFT__BACKWARD, WEFT__OPTIMISER } weft__phase;

/* One launch. Everything is valid during the callback alone; arrays are in the device's memory. */
typedef struct weft__launch {
    weft_ctx *ctx;
    int op;    /* WEFT_OP_COUNT: a callback of the user's, see custom */
    bool grad; /* the fused gradient of the row, not the row itself; of custom: its backward callback */
    weft__phase phase;
    const char *name;   /* what a reader calls it: the row's name, or that of the operation it is the derivative of */
    weft__site site;    /* where the user called that operation (in the backward phase: forward) */
    const char *caller; /* the public function in progress, or NULL */
    const weft__array *const *in;
    weft__array *const *out;
    int n_in, n_out;
    const weft__attrs *attrs; /* may be NULL */

    /* An operation of weft_custom, or NULL. run calls its forward callback on dense arrays, in any context. A backward
     * callback has no arrays here and launches kernels of its own, which are observed within it. */
    const weft_custom_op *custom;
    weft_status (*run)(weft_ctx *ctx, const weft_custom_op *custom, const weft__array *const *in, int n,
                       weft__array *const *out);
} weft__launch;

struct weft__observer {
    weft__observer *next;
    int before; /* launches that were under way when it came: their ends are not for it */
    void (*begin)(weft__observer *self, const weft__launch *launch);
    void (*end)(weft__observer *self, const weft__launch *launch, weft_status status);
    /* Launches that it has seen begin will never end: open of them are still under way. NULL: that cannot happen to
     * it. */
    void (*cut)(weft__observer *self, int open);
};

/* observer sees whole launches alone, their begin and their end: a callback of the user's may bring it in the midst of
 * one. */
void weft__observe(weft_ctx *ctx, weft__observer *observer);
void weft__unobserve(weft_ctx *ctx, weft__observer *observer); /* fine if it is not there */

/* Fills in what the user's program did to bring about a launch of ctx, and tells the observers. */
void weft__launch_begins(weft__launch *launch);
void weft__launch_ends(const weft__launch *launch, weft_status status);
/* All but the first `launches` that are under way are given up: a callback within them will not return. */
void weft__launches_cut(weft_ctx *ctx, int launches);

/* Whether an operation of weft_custom, known by weft__custom_known, has a forward callback for the device of ctx, on
 * which *device (may be NULL) then is: NULL where it is the one for the host. */
static inline bool weft__custom_runs(const weft_ctx *ctx, const weft_custom_op *op, const weft_custom_device **device)
{
    const weft_custom_device *found = NULL;
    for (int k = 0; !found && k < WEFT_CUSTOM_DEVICES && op->devices[k].device; k++)
        if (strcmp(op->devices[k].device, ctx->backend->name) == 0)
            found = &op->devices[k];
    if (device)
        *device = found;
    return found ? found->forward != NULL : ctx->backend->host_memory && op->forward;
}

/* The row's name, or that of the user's operation. */
const char *weft__launch_kernel(const weft__launch *launch);

/* The launch as the records' functions of sizes see it. */
static inline weft__work weft__launch_work(const weft__launch *l)
{
    return (weft__work){.op = l->op,
                        .n_in = l->n_in,
                        .n_out = l->n_out,
                        .in = l->in,
                        .out = (const weft__array *const *)l->out,
                        .attrs = l->attrs};
}

/* The text of a phase: "forward", "backward", "optimiser". */
const char *weft__phase_name(weft__phase phase);

#endif
