/* tally.h - what a context holds, and the state of its calls: a call that fails must leave all of it as it was. */
#ifndef WEFT_TEST_TALLY_H
#define WEFT_TEST_TALLY_H

#include "engine/engine.h"

typedef struct tally {
    int64_t tensors, storages, nodes, leaves;
    int64_t live_bytes;
    int64_t other_bytes; /* of the host, beside blocks of tensors and slabs, which grow with what is in use */
    int64_t scopes, depth, callbacks, launches, undo, grad_enabled, in_backward;
} tally;

/* Cached blocks are given back first: only what is in use counts. */
tally tally_of(weft_ctx *ctx);

/* Records a failure for each count that differs. what: a sentence about the call in between. False: one did. */
bool tally_same(const tally *before, weft_ctx *ctx, const char *what, ...) __attribute__((format(printf, 3, 4)));

/* Leaves in every slab of the context no more than so many objects: for the next one a new block is taken, so that an
 * allocator which fails is asked in the middle of a call for that too. */
void tally_starve(weft_ctx *ctx, int spare);

#endif
