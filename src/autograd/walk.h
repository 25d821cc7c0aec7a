/* walk.h - one backward pass over the tape. */
#ifndef WEFT_AUTOGRAD_WALK_H
#define WEFT_AUTOGRAD_WALK_H

#include "sum.h"

typedef struct weft__displaced weft__displaced;

/* In memory of the context, not of the stack: a callback may be left by longjmp. */
typedef struct weft__walk {
    weft__undo undo; /* first */
    size_t bytes;    /* of this block, with the arrays */
    weft_ctx *ctx;
    bool create_graph;
    bool narrow;                /* only what leads to the inputs is of interest, and the pass ends at them */
    bool twice;                 /* the gradients are to be differentiated: the record of them must be complete */
    uint32_t visit;             /* narrow: the mark of nodes that lead to the inputs; 0: none yet */
    int64_t pending;            /* results of nodes that wait with a gradient, each with a reference to its node */
    weft__leaf *touched;        /* leaves that were reached, linked */
    weft__displaced *displaced; /* of passes around this one */
    weft__node *node;           /* in progress, with the reference of its gradients */
    weft_tensor **grads;        /* of its results or of a leaf, NULL where none arrived, strong; &held or in block */
    weft_tensor **saved;        /* results as the derivative sees them, NULL where it reads none; likewise */
    int n_grads;                /* set entries of grads */
    bool replaced;              /* a hook has put another one in a gradient's place */
    weft_tensor *held, *held_saved;
    weft_tensor *hooked; /* whose hooks run, strong */
    weft_tensor **out;   /* gradients of many operands, in block; else NULL */
    weft_tensor **block; /* for a node of many results or operands; else NULL */
    size_t block_bytes;
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

/* ---- One node of a pass (differentiate.c) ---- */

/* Has a callback, called since the context was at this depth, closed the scopes around the pass? Then the pass is gone,
 * the walk too. */
static inline bool weft__pass_is_gone(const weft_ctx *ctx, int depth)
{
    return ctx->depth < depth;
}

/* Record the error of what the derivative reads and somebody has overwritten: operand or result k. */
void weft__refuse_operand(weft_ctx *ctx, const weft__node *node, int k);
void weft__refuse_result(weft_ctx *ctx, const weft__node *node, int k, const weft_tensor *t);
/* Gradients of the operands, into out, from w->grads. place: as in weft__vjp. The pass may be gone after it. */
void weft__differentiate(weft__walk *w, weft__node *node, weft_tensor **out, weft__place *place);
/* A gradient that a callback gave, as the pass goes on with it: a tensor of this context, and without the history that
 * it may have (a leaf, say) where no graph is wanted, so that a leaf never holds itself. NULL: error recorded. */
weft_tensor *weft__taken(weft__walk *w, const char *function, weft_tensor *g, const char *what, int number);

/* ---- What leads to the inputs (narrow.c) ---- */

/* Marks the nodes on the tape that lead from inputs to results. Returns the mark, which holds until ctx->visit is
 * another: somebody else has marked then. */
uint32_t weft__mark_leads(weft_ctx *ctx, weft_tensor *const *inputs, int n);
/* Is a custom operation among those? */
bool weft__leads_through_custom(const weft_ctx *ctx, uint32_t visit);
/* Whether t is one of the inputs of a narrow pass, or leads to one. Marks are made anew where they are another's. */
bool weft__leads(weft__walk *w, const weft_tensor *t);
bool weft__is_asked_for(const weft__walk *w, const weft__node *node);

/* ---- What is not reached (unreached.c) ---- */

/* "weft_detach at train.c:38 (that is its purpose)" of a tensor's cut_op and cut_site. */
weft__reason weft__cut_text(int op, weft__site site);
const char *weft__cut_name(int op);

/* What a node's derivative makes of a gradient that arrived flat, or not; one that a hook put in its place is not. */
weft__flat weft__flat_behind(const weft__node *node, weft__flat arrived, bool replaced);

/* Notes which used leaves a finished pass has not reached, or only by way of step functions, and what cut them off. */
void weft__note_unreached(weft_ctx *ctx);

#endif
