/* step.h - what optimisers share: their rule as the table, the step and the opening see it. The file of an optimiser
 * (src/optim) has its rule, its record, its step and its opening; what a rule computes stands in its row of ops.def. */
#ifndef WEFT_OPS_STEP_H
#define WEFT_OPS_STEP_H

#include <math.h>
#include "define.h"
#include "base/scalar_step.h"

/* One option as a check sees it: 0 <= value <= most, or < most. */
typedef struct weft__option {
    const char *name;
    double value, most;
    bool below;
} weft__option;

/* Of a struct o of options: finite and at least 0; in [0, 1); in [0, 1]. */
#define NOT_NEGATIVE(o, name) ((weft__option){#name, (o)->name, INFINITY, true})
#define BELOW_1(o, name) ((weft__option){#name, (o)->name, 1, true})
#define UP_TO_1(o, name) ((weft__option){#name, (o)->name, 1, false})

/* WEFT_E_INVALID, recorded on behalf of function, for the first option that is not in its range. */
weft_status weft__check_options(weft_ctx *ctx, const char *function, const weft__option *options, int n);
#define CHECK_OPTIONS(ctx, function, ...)                                                                              \
    weft__check_options(ctx, function, (const weft__option[]){__VA_ARGS__},                                            \
                        (int)(sizeof((const weft__option[]){__VA_ARGS__}) / sizeof(weft__option)))

struct weft__optim; /* src/optim/optim.h */

/* An optimiser. Its options are a public struct that begins with struct_size and has fields lr, allow_missing and
 * master_weights somewhere. */
typedef struct weft__rule {
    int op;
    const char *type;     /* of the options, for messages: "weft_sgd_options" */
    const void *defaults; /* a complete struct of them */
    size_t size;
    size_t lr, allow_missing, master_weights; /* where these fields are */

    /* Every option in its range; else recorded on behalf of function. */
    weft_status (*check)(weft_ctx *ctx, const char *function, const void *options);
    /* The attributes of step number `step`. */
    void (*attrs)(const void *options, int64_t step, weft__attrs *attrs);
    /* Which of the row's states a step with these options has: bit k for state k. NULL: all. */
    unsigned (*states)(const void *options);
    /* What the first state is filled with before the first step. NULL: 0, as every other state. */
    double (*initial)(const void *options);

    /* An optimiser made of public operations has no row; its op is -1, it has no attrs, and these: */
    weft_tensor *(*make_state)(const struct weft__optim *o, int state, int k); /* of parameter k; NULL: there is none */
    weft_status (*update)(struct weft__optim *o); /* step number o->steps + 1, from o->grads; not recorded */
    weft_status (*search)(struct weft__optim *o, double (*loss)(weft_ctx *ctx, void *user), void *user,
                          double *value); /* instead of update where a step asks for the loss several times */
} weft__rule;

#define OPTIONS_ALONE(type_, defaults_) OPTIONS_FOR(-1, type_, defaults_)
/* WEFT__RULE(sgd_step) = {OPTIONS_OF(...), ...}: found by the row's name, as by tests of every optimiser. */
#define WEFT__RULE(NAME)                                                                                               \
    extern const weft__rule weft__rule_##NAME;                                                                         \
    const weft__rule weft__rule_##NAME
#define WEFT__MOST_OPTIONS 256 /* bytes of a struct of options; a larger one does not compile */
#define OPTIONS_OF(ID, type_, defaults_) OPTIONS_FOR(WEFT_OP_##ID, type_, defaults_)
#define OPTIONS_FOR(op_, type_, defaults_)                                                                             \
    .op = (op_), .type = #type_, .defaults = &(defaults_),                                                             \
    .size = sizeof(type_) * sizeof(char[sizeof(type_) <= WEFT__MOST_OPTIONS ? 1 : -1]), .lr = offsetof(type_, lr),     \
    .allow_missing = offsetof(type_, allow_missing), .master_weights = offsetof(type_, master_weights)

/* One operation for each element of all parameters. All is read, but for state that is unset, and all but the
 * gradients is written. */
double weft__step_flops(const weft__work *w);
double weft__step_bytes(const weft__work *w, bool unset);

/* The record of a STEP row: the name of its attributes, its sample, and its states, each STATE, or STATE | OR_NULL
 * where not every call has it. */
#define STATE (FLOATS | CHANGED)
#define WEFT__DEFINE_STEP(ID, NAME, attributes, sample, ...)                                                           \
    static double bytes_of_##NAME(const weft__work *w)                                                                 \
    {                                                                                                                  \
        return weft__step_bytes(w, w->attrs && weft__unset_##NAME(&w->attrs->attributes));                             \
    }                                                                                                                  \
    WEFT__DEFINE_(ID, NAME, LISTS(FLOATS | CHANGED, FLOATS, __VA_ARGS__, FLOATS | CHANGED | OR_NULL),                  \
                  ATTRS(attributes), NO_INFER, NO_RESULTS, EFFECT(STEPS), NO_DERIVATIVE,                               \
                  WORK(weft__terms_one, weft__step_flops, bytes_of_##NAME), sample)

/* Which of the row's states a step with these (checked) options has. */
unsigned weft__states(const weft__rule *rule, const void *options);

int weft__count_states(const weft__rule *rule, const void *options);

/* What state number `state` of such a step is filled with before the first one. */
double weft__initial(const weft__rule *rule, const void *options, int state);

/* Room for any rule's options. */
typedef union weft__any_options {
    char bytes[WEFT__MOST_OPTIONS];
    double align;
} weft__any_options;

/* What the caller says of the options (NULL: the defaults), checked on behalf of function, in *own. */
weft_status weft__read_options(weft_ctx *ctx, const char *function, const weft__rule *rule, const void *options,
                               weft__any_options *own);

/* The public step of the rule. */
weft_status weft__step(weft_ctx *ctx, const weft__rule *rule, const weft_step_lists *lists, const void *options);

/* Runs the call of a sample: c->i[0] parameters and c->i[1] steps; with master weights if c->i[3] is there and not 0.
 * Results: the parameters, then their state, in their dtype. */
void weft__step_sample(weft_sample_call *c, const weft__rule *rule, const void *options);

#endif
