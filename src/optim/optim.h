/* optim.h - what every optimiser's file needs to open one. */
#ifndef WEFT_OPTIM_OPTIM_H
#define WEFT_OPTIM_OPTIM_H

#include "ops/step.h"
#include <weft/extend.h>

/* What a weft_optim * is the handle of. */
typedef struct weft__optim {
    weft_ctx *ctx;
    size_t bytes; /* of this block, arrays and options included */
    const weft__rule *rule;
    void *options; /* the rule's own struct */
    int n, states; /* parameters; state tensors for each */
    weft_tensor **params, **grads;
    weft_tensor **state;  /* [states n], state by state */
    weft_tensor **master; /* [n], NULL where there is none; NULL: none at all */
    bool allow_missing;
    int64_t steps;
} weft__optim;

extern const weft_object_kind weft__optim_kind;

/* Reads and checks options (NULL: the rule's defaults), makes the state and gives the handle, as all weft_NAME_open do;
 * function is that one's name without weft_. */
weft_status weft__optim_open(weft_ctx *ctx, const char *function, const weft__rule *rule, weft_tensor *const *params,
                             int n, const void *options, weft_optim **out);

#endif
