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
    double base_lr;     /* the rate that it was opened with */
    double rate;        /* of the step that is being taken, where the rule finds it */
    weft_optim **parts; /* [n] of one that joins others, which has no rule and nothing of the above; else NULL */
} weft__optim;

extern const weft_object_kind weft__optim_kind;

/* Reads and checks options (NULL: the rule's defaults), makes the state and gives the handle, as all weft_NAME_open do;
 * function is that one's name without weft_. */
weft_status weft__optim_open(weft_ctx *ctx, const char *function, const weft__rule *rule, weft_tensor *const *params,
                             int n, const void *options, weft_optim **out);

/* ---- For optimisers made of public operations ---- */

/* Zeros of the type that steps of parameter k are computed in. */
weft_tensor *weft__step_zeros(const weft__optim *o, int k, const int64_t *shape, int ndim);

/* Parameter k in that type: its master weights, unless it was written since; and its gradient. */
weft_tensor *weft__step_weights(const weft__optim *o, int k);
weft_tensor *weft__step_gradient(const weft__optim *o, int k);

/* Writes them back, rounded for the parameter itself. */
void weft__step_write(const weft__optim *o, int k, weft_tensor *weights);

/* Calls step for each parameter that has a gradient, in a scope of its own. An error says which parameter it was, and
 * that those before it have been stepped. */
weft_status weft__step_each(weft__optim *o, void (*step)(weft__optim *o, int k));

/* State tensor number `kind` of parameter k. */
#define STATE_OF(o, kind, k) ((o)->state[(kind) * (o)->n + (k)])

/* The choice of an option that is an enum: a value in [0, n). */
weft_status weft__check_choice(weft_ctx *ctx, const char *function, const char *name, int value, int n);

#endif
