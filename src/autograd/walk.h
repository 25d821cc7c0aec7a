/* walk.h - one backward pass over the tape. */
#ifndef WEFT_AUTOGRAD_WALK_H
#define WEFT_AUTOGRAD_WALK_H

#include "core/core.h"

typedef struct weft__displaced weft__displaced;

/* In memory of the context, not of the stack: a callback may be left by longjmp. */
typedef struct weft__walk {
    weft__undo undo; /* first */
    size_t bytes;    /* of this block, with the arrays */
    weft_ctx *ctx;
    bool create_graph;
    int64_t pending;            /* nodes that wait with a gradient */
    weft__leaf *touched;        /* leaves that were reached, linked */
    weft__displaced *displaced; /* of passes around this one */
    weft__node *node;           /* in progress, with the reference of its gradient */
    weft_tensor *held;          /* the gradient in progress, strong */
    weft_tensor *hooked;        /* whose hooks run, strong */
    weft_tensor **out;          /* gradients of many operands */
    size_t out_bytes;
    weft_tensor **results;  /* strong: they hold the graph, whatever a hook lets go of */
    weft_tensor **inputs;   /* weft_grad: tensors whose gradient is asked for, strong */
    weft_tensor **captured; /* their gradients, strong */
    int n_results, n_inputs;
    weft__flat flat; /* of what is delivered */
} weft__walk;

/* NULL: out of memory, recorded. */
weft__walk *weft__walk_new(weft_ctx *ctx, bool create_graph, weft_tensor *const *results, int n_results,
                           weft_tensor *const *inputs, int n_inputs);
/* Seeds, walks and leaves the gradients of leaves in leaf->pass.whole (linked from touched) and captured[]. The status
 * is the context's. False: a callback has closed the scopes around it, so that the pass is given up and gone, w too,
 * and the context is no longer within the function that called this. weft__walk_end drops what is still held, and w. */
bool weft__walk_run(weft__walk *w, weft_tensor *const *cotangents);
void weft__walk_end(weft__walk *w);

/* What a node's derivative makes of a gradient that arrived flat, or not; one that a hook put in its place is not. */
weft__flat weft__flat_behind(const weft__node *node, weft__flat arrived, bool replaced);

/* Notes which used leaves a finished pass has not reached, or only by way of step functions, and what cut them off. */
void weft__note_unreached(weft_ctx *ctx);

#endif
