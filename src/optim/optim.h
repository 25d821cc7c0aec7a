/* optim.h - what opening, stepping and clipping share. */
#ifndef WEFT_OPTIM_OPTIM_H
#define WEFT_OPTIM_OPTIM_H

#define WEFT_NO_CALL_SITES
#include <weft/extend.h>

typedef enum optim_rule { OPTIM_SGD, OPTIM_ADAM } optim_rule;

/* What a weft_optim * is the handle of. */
typedef struct optim {
    weft_ctx *ctx;
    size_t bytes; /* of this block, arrays included */
    optim_rule rule;
    int n, moments; /* parameters; state tensors for each */
    weft_tensor **params, **grads;
    weft_tensor **state;  /* [moments n] */
    weft_tensor **master; /* [n], NULL where there is none; NULL: none at all */
    weft_sgd_step_params sgd;
    weft_adam_step_params adam;
    bool allow_missing;
    int64_t steps;
} optim;

extern const weft_object_kind weft__optim_kind;

/* The first entry of params that was there before, and where; -1: there is none. -2: out of memory, recorded. */
int weft__first_repeated(weft_ctx *ctx, weft_tensor *const *params, int n, int *before);

/* Copies params to distinct without what was there before, in their order. Returns their number; -1: out of memory,
 * recorded. */
int weft__distinct(weft_ctx *ctx, weft_tensor *const *params, int n, weft_tensor **distinct);

#endif
