/* walk.h - one backward pass over the tape. */
#ifndef WEFT_AUTOGRAD_WALK_H
#define WEFT_AUTOGRAD_WALK_H

#include "core/core.h"

typedef struct weft__walk {
    weft_ctx *ctx;
    bool create_graph;
    int64_t pending;            /* nodes that wait with a gradient */
    weft__leaf *touched;        /* leaves that were reached, linked */
    weft_tensor *const *inputs; /* weft_grad: tensors whose gradient is asked for */
    weft_tensor **captured;     /* their gradients, strong */
    int n_inputs;
} weft__walk;

/* Seeds, walks and leaves the gradients of leaves in leaf->pass.whole (linked from touched) and captured[]. The status is the
 * context's. weft__walk_end drops what is still held. */
weft_status weft__walk_run(weft__walk *w, weft_tensor *const *results, weft_tensor *const *cotangents, int n);
void weft__walk_end(weft__walk *w);

/* Notes which used leaves a finished pass has not reached, and what cut them off; logs them. */
void weft__note_unreached(weft_ctx *ctx);

#endif
