/* derivation.h - what the functions of weft/functional.h have in common: the call of the program's function on stand-
 * ins of the inputs, and passes over what it recorded. */
#ifndef WEFT_AUTOGRAD_DERIVATION_H
#define WEFT_AUTOGRAD_DERIVATION_H

#include "walk.h"
#include <weft/functional.h>

/* The lists of a derivation, in memory of the context: the program's function may be left by longjmp. */
typedef struct weft__derivation_block weft__derivation_block;

/* On the stack of the function in progress. */
typedef struct weft__derivation {
    weft_ctx *ctx;
    const char *name; /* of the public function */
    weft__site site;
    weft__savepoint savepoint; /* before it */
    bool create_graph, allow_unused, check_rows;
    bool entered; /* the context is within that function */
    bool gone;    /* a callback has closed the scopes around it: nothing of this is there any more */
    int scope;    /* that all of it lives in */
    weft__derivation_block *block;
    int n, n_wanted;            /* all that f is given, and what is differentiated by */
    weft_tensor *const *inputs; /* the caller's */
    weft_tensor **x;            /* [n] what f is given */
    weft_tensor **wanted;       /* [n_wanted] those of x that are differentiated by */
    int *place;                 /* [n_wanted] where they stand in x */
    weft_tensor **g;            /* [n_wanted] room for gradients */
    weft_tensor **few, **more;  /* [n_wanted] room for lists of results and cotangents */
    weft_tensor *y;
} weft__derivation;

/* How it begins. */
typedef struct weft__request {
    weft_ctx *ctx;
    const char *name;
    weft_tensor *const *inputs, *const *batch; /* all that f is given */
    int n, n_batch;                            /* inputs are differentiated by, batch is not */
    weft_tensor *const *vectors;               /* for the inputs; NULL: there are none */
    bool only_along;                           /* an input whose vector is NULL is a constant */
    bool copies;                               /* f gets inputs as many times as the batch is long */
    weft_function f;
    void *user;
    int flags;
} weft__request;

/* False: there is no room for what is to be handed back, error recorded. */
bool weft__has_room(weft_ctx *ctx, const char *name, weft_tensor **result, weft_tensor **list);
/* Calls f. d->y is its result then, and the context is entered. Where it fails d is still to be ended. */
bool weft__derivation_begin(weft__derivation *d, const weft__request *q);

/* gradients[k] = sum of d results / d inputs[k] applied to cotangents, NULL where inputs[k] is not reached, in the
 * innermost scope. Only what leads to the inputs is looked at. twice: the record must be complete, so that it can be
 * differentiated. visit: marks of an earlier pass by the same inputs, or 0. False: an error, or all is gone. */
bool weft__pull(weft__derivation *d, weft_tensor *const *results, weft_tensor *const *cotangents, int n_results,
                weft_tensor *const *inputs, int n_inputs, bool create_graph, bool twice, uint32_t *visit,
                weft_tensor **gradients);

/* A leaf like t, full of value, which is never reported as unreached. */
weft_tensor *weft__seed_leaf(weft__derivation *d, const weft_tensor *t, double value);
weft_tensor *weft__zeros_of(weft__derivation *d, const weft_tensor *t);
/* t, or NULL, for the caller: in the caller's scope, and without history unless that was asked for. */
weft_tensor *weft__hand(weft__derivation *d, weft_tensor *t);
weft_status weft__derivation_fail(weft__derivation *d, weft_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Wanted input j is not reached: false with the error recorded unless that was allowed. */
bool weft__may_be_unused(weft__derivation *d, int j);
bool weft__has_one_element(weft__derivation *d);

/* The ways to end: all that the derivation holds is given up, whatever has happened. */
weft_status weft__derivation_end(weft__derivation *d);
/* The same after handing over t and the result, either of which nobody may want; after an error both are NULL. */
weft_status weft__hand_one(weft__derivation *d, weft_tensor *t, weft_tensor **result, weft_tensor **to);
/* Likewise d->g, each at its input's place in list [n], which is NULL elsewhere. */
weft_status weft__hand_list(weft__derivation *d, int n, weft_tensor **result, weft_tensor **list);

#endif
