/* engine.h - the engine's own structs and functions: context, storage, tensor, node. Not for the rooms below it. */
#ifndef WEFT_ENGINE_ENGINE_H
#define WEFT_ENGINE_ENGINE_H

#ifndef WEFT_NO_CALL_SITES
#define WEFT_NO_CALL_SITES
#endif
#include <stdatomic.h>
#include <weft/extend.h>
#include "engine/backend.h"
#include "base/infer.h"

#ifdef NDEBUG
#define WEFT__DEBUG 0
#else
#define WEFT__DEBUG 1
#endif

#define WEFT__MESSAGE_SIZE 1024
#define WEFT__NAME_SIZE 48
#define WEFT__NODE_INPUTS 5 /* kept inside a node; more go to a block of their own */
#define WEFT__NODE_EXTRA 3
#define WEFT__NODE_VERSIONS 6 /* of operands and extra results together */
#define WEFT__NODE_INTS 4
#define WEFT__NODE_REALS 2
#define WEFT__SIZE_CLASSES 200
/* Freed headers that are held back, first in, first out, before they are used again: for so long a use of a freed
 * tensor is seen as such. More would cost the cache: a header is five lines. */
#define WEFT__QUARANTINE (WEFT__DEBUG ? 4096 : 64)
#define WEFT__MAX_CUSTOM_INPUTS 64
#define WEFT__MOST_CALLBACKS 32 /* of the program's, one within the other */
#define WEFT__MORE_CALLBACKS 8  /* of those that only look: what is undone after the last of the others needs them */

typedef struct weft__storage weft__storage;
typedef struct weft__node weft__node;
typedef struct weft__leaf weft__leaf;
typedef struct weft__observer weft__observer; /* observe.h */

typedef struct weft__site {
    const char *file; /* NULL: unknown */
    int line;
} weft__site;

/* ---- Slabs: fixed-size objects from chunks that live as long as the context ---- */

typedef struct weft__slab {
    size_t object_size;
    void *free_list; /* linked through the objects' first word */
    void *chunks;    /* linked through the chunks' first word */
    int64_t in_use;
    size_t shown_from, shown_to; /* the bytes of a free object that may still be looked at: see poison.h */
} weft__slab;

/* ---- Storage: a block of device memory, reference counted, cached by size class when free ---- */

struct weft__storage {
    weft__storage *next;  /* in the cache, in the context's list of wrapped memory, or of work space of one launch */
    weft__storage **link; /* in that list */
    void *data;
    size_t bytes; /* capacity */
    int32_t refs;
    uint32_t version;                        /* counts in-place changes */
    int32_t size_class;                      /* -1: wrapped, not ours to free */
    bool read_only;                          /* shared memory: never written */
    void (*release)(void *user, void *data); /* wrapped memory */
    void *release_user;
};

/* ---- Tensor ---- */

#define WEFT__LIVE 0x57454654u /* "WEFT" */
#define WEFT__DEAD 0xDEADDEADu

enum { WEFT__REQUIRES_GRAD = 1, WEFT__IS_SHARED = 2 };

struct weft_tensor {
    weft__array a;
    uint32_t magic;
    uint16_t op; /* weft_op that made it; WEFT_OP_COUNT for makers, see maker */
    uint8_t flags;
    uint8_t in_scope; /* linked in a scope's list, which owns one reference */
    int32_t refs;     /* for shared tensors shared_refs counts instead */
    int32_t kept;     /* references that belong to weft_keep */
    int32_t owned;    /* of these, those of objects that the context owns (weft/extend.h) */
    int32_t scope;    /* index of the scope it was made in, for messages */
    uint16_t
        cut_op;     /* requires_grad: an operation that used it without recording; else: the one that cut its history */
    int32_t result; /* which result of node it is, from 0 */
    weft_ctx *ctx;  /* NULL for shared tensors */
    const char *maker; /* name of the function or operation that made it */
    weft__site site;
    weft__storage *storage; /* from magic to here is what the name of a freed tensor needs: it stays readable */
    weft__node *node;       /* what made it, strong; NULL for leaves and constants */
    weft__leaf *leaf;       /* gradient, hooks, name: only where needed */
    weft_tensor *scope_next, **scope_link; /* list of its scope; scope_next also links the list of the dying */
    weft__site cut_site;
    uint32_t cut_epoch; /* ctx->backward_count when it was cut */
    atomic_int shared_refs;
};

typedef struct weft__hook_entry {
    struct weft__hook_entry *next;
    weft_hook hook;
    void *user;
} weft__hook_entry;

/* Why the gradient that a backward pass has gathered is 0 whatever it is given: all of it came through step functions,
 * such as weft_round. */
typedef struct weft__flat {
    uint16_t op; /* one of them; WEFT_OP_COUNT: some of it came by other ways */
    weft__site site;
} weft__flat;

/* The gradient of a tensor while a backward pass gathers it (autograd/sum.c). */
typedef struct weft__part weft__part;
typedef struct weft__sum {
    weft_tensor *whole; /* strong or NULL */
    weft__part *parts;  /* slices of a recorded pass that are not in whole yet */
    const void *walk;   /* the pass that gathers it: another one, begun by a hook, keeps its own */
    int32_t dtype;      /* of that tensor */
    bool begun;
    weft__flat flat;
} weft__sum;

/* Side data of a tensor that is a parameter, has hooks or a name. */
struct weft__leaf {
    weft__leaf *next, **link; /* the context's list of all */
    weft_tensor *owner;
    weft_tensor *grad;        /* strong */
    weft_tensor *rest;        /* half types: what rounding took from grad, f32, strong; NULL: nothing yet */
    weft__sum pass;           /* what the backward pass in progress has gathered */
    weft__leaf *next_touched; /* in that pass */
    weft__hook_entry *hooks;
    bool unreached;      /* by the last backward, though used, or only by way of step functions */
    bool only_flat;      /* then: the latter */
    const void *toucher; /* the innermost pass that has reached it, or NULL */
    uint16_t cut_op;     /* then: what cut it off, or WEFT_OP_COUNT */
    weft__site cut_site;
    weft__flat flat;        /* of the pass that reached it last */
    uint32_t used_epoch;    /* ctx->backward_count + 1 when an operation last recorded it */
    uint32_t reached_epoch; /* ctx->backward_count + 1 when backward last reached it */
    uint32_t rest_version;  /* of grad's storage, to which rest belongs */
    char name[WEFT__NAME_SIZE];
};

/* ---- Tape ---- */

/* A result of a recorded operation that gradients arrive at. */
typedef struct weft__result {
    weft_tensor *tensor; /* weak: while it lives (for hooks and captures), else NULL */
    weft_tensor *saved;  /* detached alias of it where the derivative reads it, strong */
    weft__sum pending;   /* gradient gathered for it during backward; not begun: nothing arrived */
    uint32_t version;    /* of saved's storage when recorded */
} weft__result;

/* One recorded operation: plain data. Its results 0 .. n_out - 1 are differentiable, the n_extra ones after them
 * (indices, masks, statistics) are not: they are kept for the derivative. */
struct weft__node {
    weft__node *prev, *next; /* the context's tape, in order of execution */
    int32_t refs;
    int32_t n_in, n_out;
    uint32_t visit; /* scratch for walks */
    uint16_t op;
    uint16_t n_extra;
    uint8_t ni, nf;
    bool is_custom, has_blocks;
    weft_tensor **in;   /* strong; entries may be NULL; points to in_place or a block of its own */
    uint32_t *versions; /* of the storages of in[k], then of those of the extra results, when recorded */
    weft__result first; /* result 0: most have no other */
    weft__result *more; /* results 1 and on, and behind them the extra ones, in a block; NULL: no more, few extra */
    int64_t *i;
    double *f;
    const weft_custom_op *custom;
    weft__site site;
    int64_t i_in_place[WEFT__NODE_INTS];
    double f_in_place[WEFT__NODE_REALS];
    weft_tensor *in_in_place[WEFT__NODE_INPUTS];
    weft_tensor *extra_in_place[WEFT__NODE_EXTRA]; /* strong; entries may be NULL */
    uint32_t versions_in_place[WEFT__NODE_VERSIONS];
};

static inline weft__result *weft__result_of(weft__node *node, int k)
{
    return k == 0 ? &node->first : &node->more[k - 1];
}

/* The n_extra results that are not differentiable. */
static inline weft_tensor **weft__extra_of(weft__node *node)
{
    return node->more ? (weft_tensor **)(node->more + node->n_out - 1) : node->extra_in_place;
}

/* ---- Context ---- */

typedef struct weft__scope {
    weft_tensor *first;
    bool no_grad; /* pop restores was */
    bool was;     /* ctx->grad_enabled before */
} weft__scope;

/* How things were when the public function in progress was called, to go back to if it never ends. */
typedef struct weft__undo weft__undo;
typedef struct weft__savepoint {
    bool grad_enabled;
    int n_scopes;
    weft__undo *undo;
} weft__savepoint;

/* A call into the program's own code that has not returned. */
typedef uint64_t weft__call_id; /* 0: none */
typedef struct weft__callback {
    weft__call_id id;
    const char *name;        /* "a hook" */
    uintptr_t thread, frame; /* where it was called from */
    bool only_look;          /* it may look at the context and release tensors; else all but close the context */
    bool grad_enabled, in_backward;
    int depth, n_scopes, launches, outer_op;
    const weft__node *deriving;
    weft__savepoint savepoint;
} weft__callback;

struct weft_ctx {
    uint64_t alive; /* WEFT__LIVE while open */
    weft_options options;
    const weft__backend *backend;
    void *device;
    int device_index; /* which one of its kind */

    weft_status status;
    char message[WEFT__MESSAGE_SIZE];
    bool trap;

    /* The call in progress. */
    int depth;    /* nesting of public operations: composites and derivatives call others */
    int outer_op; /* the operation that the program, or its callback, has called, for messages; -1: none */
    const char *outer_name;
    weft__site site;                  /* where it was called */
    atomic_uintptr_t busy;            /* debug: the thread inside */
    int made;                         /* tensors that the outermost call has made */
    int made_in;                      /* the scope of the first of them */
    weft_tensor *first_made, *before; /* that one, and the newest one in its scope before it */
    int base_depth; /* of the callback in progress, 0 outside of any: calls at this depth are the program's */
    int n_callbacks;
    bool only_look; /* of the innermost callback */
    weft__savepoint savepoint;
    weft__undo *undo; /* newest first */
    weft__call_id last_call;
    weft__callback callbacks[WEFT__MOST_CALLBACKS + WEFT__MORE_CALLBACKS];

    weft__observer *observer;                         /* of kernel launches; NULL: nobody */
    int launches;                                     /* observed ones that are under way */
    void (*before_close)(weft_ctx *ctx, void *state); /* NULL: nothing */
    void *before_close_state;
    char profile_path[512];
    int owned; /* slot of the latest of its objects, or -1 (owned.c) */

    bool grad_enabled;
    bool in_backward;           /* a backward pass is running */
    const weft__node *deriving; /* then: the operation whose derivative it computes, or NULL */
    uint32_t backward_count;

    weft__scope *scopes;
    int n_scopes, scope_room;

    weft__slab tensors, storages, nodes, leaves;
    weft__leaf *leaf_list;
    weft_tensor *quarantine[WEFT__QUARANTINE]; /* a ring */
    int32_t quarantine_next, quarantined;
    weft_tensor *dying; /* headers waiting to be torn down, so that release never recurses */
    bool tearing_down;

    weft__storage *cache[WEFT__SIZE_CLASSES];
    weft__storage *wrapped; /* memory that is not ours, in use */
    size_t live_bytes, peak_bytes, cached_bytes, host_bytes;

    weft__node *tape_first, *tape_last;
    uint32_t visit; /* last mark given out for weft__node.visit */
    uint32_t cuts;  /* how often an operation without a derivative was applied to what requires one, while recording */
    uint16_t last_cut;
    weft__site last_cut_site;

    uint64_t seed, random_call;
};

/* ---- Errors (error.c) ---- */

/* Records the first error: "weft_<op>: <message> [file:line]". Returns status. ctx NULL: only returns. */
weft_status weft__fail(weft_ctx *ctx, int op, weft_status status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
weft_status weft__struct_in(const char *type, const void *defaults, const void *given, void *out, char *message,
                            size_t room); /* weft_struct_in before there is a context */
weft_status weft__fail_named(weft_ctx *ctx, const char *function, weft_status status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The same for a call of the backend: with the backend's own sentence if it has one, else with what. */
weft_status weft__fail_device(weft_ctx *ctx, const char *function, weft_status status, const char *what);
void weft__log(const weft_ctx *ctx, weft_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Errors of calls that have no context to record them in, of this thread (weft_lost_error). note: keeps the first one.
 * adopt: a context without an error takes it over, where it is one that no earlier error explains. why_null: what a
 * message about a NULL tensor says of it, "the call that made it may have failed: weft_concat: was given no tensors".
 * */
void weft__note_lost(const char *function, weft_status status, const char *what);
void weft__adopt_lost(weft_ctx *ctx);
void weft__forget_lost(void);
typedef struct weft__reason {
    char s[600];
} weft__reason;
weft__reason weft__why_null(void);

/* "f32 [64, 784]" and "[64, 784]", in one of a few buffers of the calling frame. */
weft__text weft__describe(const weft_tensor *t);
weft__text weft__site_text(weft__site site);       /* "train.c:31" or "an unknown place" */
weft__text weft__budget_text(const weft_ctx *ctx); /* " of a budget of 1000", "" if there is none */

/* The place of the call of this function that begins now, if the macros noted it; taken once. An outermost call may
 * have left notes of calls behind that never began. */
weft__site weft__take_site(const char *function, bool outermost);

void weft__pop_to(weft_ctx *ctx, int mark); /* ctx.c: closes the scopes from mark on */

/* ---- Entering a public function (enter.c) ---- */

/* Checks the context and n inputs for an operation: NULL, dead, mixed contexts, earlier errors. Returns the context to
 * work in with ctx->depth raised, or NULL (error recorded if there was a context). optional: bit k set: in[k] may be
 * NULL; bit 31 stands for all from the 32nd on. */
weft_ctx *weft__enter(int op, weft_tensor *const *in, int n, unsigned optional);
/* The same, with what the operation's record says of its operands. *flags: all of theirs together. */
weft_ctx *weft__enter_op(int op, weft_tensor *const *in, int n, unsigned *flags);
weft_ctx *weft__enter_named(const char *function, weft_ctx *ctx, weft_tensor *const *in, int n, unsigned optional);
void weft__leave(weft_ctx *ctx);
/* The same for an outermost call that hands over y (or NULL, or an operand) and nothing else: what was made on the way
 * to it and is held by nobody dies now and not with the scope. Returns y. */
weft_tensor *weft__leave_with(weft_ctx *ctx, weft_tensor *y);

/* The same check for one tensor that comes from outside in any other way: a callback's result, a cotangent, an entry of
 * a list. "<what> <number>" names it in the message, number -1: what alone. False: error recorded. */
bool weft__check(weft_ctx *ctx, const char *function, const weft_tensor *t, const char *what, int number);
/* Whether t, not NULL, may be looked at; if it was freed the error is recorded in its context. */
bool weft__alive(const weft_tensor *t, const char *function);

/* ---- Calling the program (callback.c) ----
 * Every callback is called between weft__call_begins and weft__call_ends. Meanwhile the context is not closed, and,
 * only_look, not used. A callback may also be left for good: by longjmp or an exception (noticed at the next use of the
 * context from further up the stack), or by closing a scope that was open before (which is what one does after a
 * longjmp). Then everything that was in progress is undone; if it returns nevertheless, weft__call_ends says so. */

/* 0: callbacks nest too deep, error recorded; do not call. */
weft__call_id weft__call_begins(weft_ctx *ctx, const char *name, bool only_look);
/* The same for a function that does not enter the context, with how things were when it began. */
weft__call_id weft__call_begins_from(weft_ctx *ctx, const char *name, const weft__savepoint *savepoint);
/* False: the function in progress was undone and the error recorded; touch nothing that it made, and return. */
bool weft__call_ends(weft_ctx *ctx, const char *function, weft__call_id id);

/* What a function has to do if a callback that it calls is left for good: part of a block of the context's, not of the
 * stack, which is gone by then. */
struct weft__undo {
    weft__undo *older;
    void (*run)(weft_ctx *ctx, weft__undo *self);
};
void weft__undo_push(weft_ctx *ctx, weft__undo *undo, void (*run)(weft_ctx *ctx, weft__undo *self));
void weft__undo_pop(weft_ctx *ctx, weft__undo *undo); /* the newest one: the function has come to its end */

static inline weft__savepoint weft__savepoint_now(const weft_ctx *ctx)
{
    return (weft__savepoint){.grad_enabled = ctx->grad_enabled, .n_scopes = ctx->n_scopes, .undo = ctx->undo};
}

/* Undoes what was in progress in callbacks that have been left; the second: that began above this scope. */
void weft__settle(weft_ctx *ctx);
void weft__abandon_to_scope(weft_ctx *ctx, int mark);
/* Whether a public function may use the context now; else error recorded. Only to be asked if ctx->n_callbacks > 0. */
bool weft__may_enter(weft_ctx *ctx, const char *function);
uintptr_t weft__thread_mark(void); /* an address that differs between live threads */
void weft__unclaim(weft_ctx *ctx); /* enter.c: no thread is inside */

/* ---- Memory (memory.c) ---- */

/* Memory by the hooks; a block that is not aligned as asked goes back, and the answer is NULL. */
void *weft__hooked_alloc(const weft_options *o, size_t bytes, size_t alignment, bool *misaligned);
void *weft__host_alloc(weft_ctx *ctx, size_t bytes); /* NULL: out of memory, nothing recorded */
void *weft__host_alloc_aligned(weft_ctx *ctx, size_t bytes, size_t alignment);
/* count elements of size bytes; NULL likewise where that is more than can be addressed. */
void *weft__host_array(weft_ctx *ctx, int64_t count, size_t size);
void weft__host_free(weft_ctx *ctx, void *block, size_t bytes);
void weft__slab_init(weft__slab *slab, size_t object_size, size_t shown_from, size_t shown_to);
void *weft__slab_get(weft_ctx *ctx, weft__slab *slab);
void weft__slab_put(weft__slab *slab, void *object);
void weft__slab_hide(const weft__slab *slab, const void *object); /* it is free, though not yet put back */
void weft__slab_close(weft_ctx *ctx, weft__slab *slab);
weft__storage *weft__storage_new(weft_ctx *ctx,
                                 size_t bytes); /* NULL: out of memory, not recorded; a device's error is */
weft__storage *weft__storage_wrap(weft_ctx *ctx, void *data, size_t bytes);
void weft__storage_release(weft_ctx *ctx, weft__storage *s);
/* Whether an element of one can be an element of the other: the same block, or memory that was wrapped twice. */
bool weft__storages_overlap(const weft__storage *a, const weft__storage *b);
/* Notes a change in place, for gradients that saved what was there: of s and of all wraps that overlap it. */
void weft__storage_written(weft_ctx *ctx, weft__storage *s);
void weft__call_release(weft_ctx *ctx, void (*release)(void *user, void *data), void *user, void *data);
void weft__cache_trim(weft_ctx *ctx);

/* ---- Shapes (shape.c) ---- */

/* Product of the sizes; -1 on overflow or a negative size. */
static inline int64_t weft__count_of(const int64_t *shape, int ndim)
{
    int64_t count = 1;
    bool empty = false;
    for (int d = 0; d < ndim; d++) {
        if (shape[d] < 0)
            return -1;
        if (shape[d] == 0)
            empty = true;
        else if (__builtin_mul_overflow(count, shape[d], &count))
            return -1;
    }
    return empty ? 0 : count;
}
/* Bytes of a's elements, one after the other; of a tensor's array it cannot wrap (weft__bytes_of). */
static inline size_t weft__array_bytes(const weft__array *a)
{
    return (size_t)a->count * weft_dtype_size((weft_dtype)a->dtype);
}
void weft__set_contiguous(weft__array *a); /* strides, count and flag from shape and ndim */
void weft__refresh(weft__array *a);        /* count and flag from shape and strides */
static inline bool weft__same_shape(const weft__array *a, const weft__array *b)
{
    bool same = a->ndim == b->ndim;
    for (int d = 0; same && d < a->ndim; d++)
        same = a->shape[d] == b->shape[d];
    return same;
}
/* Joint shape by NumPy's rule; false if they do not fit. */
bool weft__broadcast(const weft__array *a, const weft__array *b, int64_t *shape, int *ndim);
/* a as seen under shape: stride 0 where it is repeated. The caller has checked that it fits. */
weft__array weft__expanded(const weft__array *a, const int64_t *shape, int ndim);
/* dim in [-ndim, ndim) made nonnegative, or -1 with the error recorded. */
int weft__dim(weft_ctx *ctx, int op, const weft_tensor *t, int64_t dim);
/* Set of dims as a bit mask; NULL and -1, as WEFT_ALL is: all. -1 with the error recorded (out of range, twice). */
int weft__dim_mask(weft_ctx *ctx, int op, const weft_tensor *t, const int64_t *dims, int n);

/* ---- Tensors (tensor.c) ---- */

/* A header in the innermost scope with storage, or with a given storage (one more reference). NULL: error recorded.
 * Both refuse what has more bytes than can be addressed, counting what a view repeats. */
weft_tensor *weft__new(weft_ctx *ctx, int op, weft_dtype dtype, const int64_t *shape, int ndim);
weft_tensor *weft__new_on(weft_ctx *ctx, int op, const weft__array *a, weft__storage *storage);
/* The same data without history, in the innermost scope. */
weft_tensor *weft__alias(weft_ctx *ctx, int op, weft_tensor *t);
void weft__ref(weft_tensor *t);
void weft__unref(weft_tensor *t);
void weft__shared_unref(weft_tensor *t);                  /* share.c */
weft_tensor *weft__borrow(weft_ctx *ctx, weft_tensor *t); /* weft_borrow inside of a call, t is shared (share.c) */
void weft__adopt(weft_ctx *ctx, weft_tensor *t);          /* hands the caller's reference to the innermost scope */
void weft__scope_remove(weft_tensor *t);                  /* takes the scope's reference away */
weft__leaf *weft__leaf_of(weft_tensor *t);                /* made on demand; NULL: out of memory, recorded */
void weft__node_unref(weft_ctx *ctx, weft__node *node);
void weft__node_free_blocks(weft_ctx *ctx, weft__node *node); /* record.c */
/* The attributes that were recorded: nothing of *attrs is set beyond them. */
void weft__node_attrs(const weft__node *node, weft__attrs *attrs);
static inline bool weft__requires(const weft_tensor *t)
{
    return t && (t->flags & WEFT__REQUIRES_GRAD);
}

/* Of the operation, without weft_ before it. */
static inline const char *weft__node_name(const weft__node *node)
{
    return node->is_custom ? node->custom->name : weft__ops[node->op].name;
}

/* Visits every header in use (ctx.c). */
void weft__each_tensor(const weft_ctx *ctx, void (*visit)(weft_tensor *t, void *arg), void *arg);

/* ---- Objects of a context (owned.c; weft/extend.h) ---- */

/* Describes each that is open, latest first; visit may be NULL. Returns their number. */
int64_t weft__each_owned(const weft_ctx *ctx, void (*visit)(void *user, const weft_leak *leak), void *user);
void weft__end_owned(weft_ctx *ctx); /* all of them, latest first, when ctx is closed */

/* ---- What rooms above the engine do for it (src/parts.c, which knows them all) ----
 * A constant table, so that any thread may use it at any time and nothing has to register first. */

typedef struct weft__parts {
    const weft__backend *(*cpu)(void); /* the backend that is always there */
    void (*opened)(weft_ctx *ctx);     /* by weft_ctx_open, on its thread, before the program gets the context */
} weft__parts;

extern const weft__parts weft__parts_of_library;

/* ---- Running (dispatch.c) ---- */

/* An operation that has run, or a view that has been made: what weft__record appends to the tape. */
typedef struct weft__call {
    int op;
    int n_in, n_out;
    weft_ctx *ctx;
    weft_tensor *const *in, *const *out;
    const weft__attrs *attrs;
} weft__call;

/* Only the kernel: no recording, no NaN watch. */
weft_status weft__run_kernel(weft_ctx *ctx, int op, const weft__array *const *in, int n_in, weft__array *const *out,
                             int n_out, const weft__attrs *attrs);
/* The same for a row without results, whose record says which of the n operands (entries may be NULL) it changes. */
weft_status weft__change(weft_ctx *ctx, int op, weft_tensor *const *in, int n, weft__attrs *attrs);
weft_status weft__run_grad(weft_ctx *ctx, int op, const weft__array *const *in, int n_in, weft__array *const *out,
                           int n_out, const weft__attrs *attrs);

/* ---- The NaN watch (watch.c) ---- */

/* How many elements are NaN or infinite; 0 for integers. */
int64_t weft__count_nonfinite(weft_ctx *ctx, const weft__array *a);
/* The first tensor with such an element, or -1; entries may be NULL. */
int weft__first_nonfinite(weft_ctx *ctx, weft_tensor *const *in, int n);
/* Fails with WEFT_E_NOT_FINITE if a result, which may be NULL, has such elements and no operand has; true if all is
 * well. */
bool weft__watch_results(weft_ctx *ctx, const char *name, weft_tensor *const *in, int n, weft_tensor *const *out,
                         int n_out);
/* The same for the gradients that node's derivative made of those of its results, which may be NULL; says where an
 * operand's elements came from. */
void weft__watch_gradients(weft_ctx *ctx, const weft__node *node, weft_tensor *const *gs, weft_tensor *const *out);

/* ---- The one way of a call (dispatch.c) ----
 * in[] is the caller's own array: shared tensors are replaced by views that belong to the context, and operands by what
 * they are converted to. attrs: as the caller wrote them; may be NULL where the operation has none. */

/* Enters and localises; of an operation in place also whether operand 0 may be changed. NULL: error recorded, and left.
 * Then weft__complete, and weft__leave_with. Makers, which have no operand, enter by weft__enter_named instead. */
weft_ctx *weft__begin(int op, weft_tensor **in, int n);
/* Promotes, infers, allocates, runs, records. Fills out[], the record's number of results; false: error recorded. In
 * place the result is operand 0: nothing is allocated or recorded, but its storage has a new version. */
bool weft__complete(weft_ctx *ctx, int op, weft_tensor **in, int n, weft__attrs *attrs, weft_tensor **out);
/* Only whether the call would be right; resolves the attributes. At most WEFT__MAX_DEF_OPERANDS operands. */
bool weft__ask(weft_ctx *ctx, int op, weft_tensor *const *in, int n, weft__attrs *attrs);
/* All of it, for operations whose other results serve their derivative alone. Returns result 0, or NULL. */
weft_tensor *weft__apply(int op, weft_tensor **in, int n, weft__attrs *attrs);

weft_tensor *weft__unary(int op, weft_tensor *x, double p, double q);
weft_tensor *weft__two_operands(int op, weft_tensor *a, weft_tensor *b);
weft_tensor *weft__ternary(int op, weft_tensor *c, weft_tensor *a, weft_tensor *b);
weft_tensor *weft__reduce(int op, weft_tensor *x, const int64_t *dims, int ndim, bool keepdim);

/* ---- Helpers of front ends (front.c) ---- */

/* x in another dtype, recorded, inside of a call that has been entered: x has a context. NULL gives NULL. */
weft_tensor *weft__cast(weft_tensor *x, weft_dtype dtype);
/* Composites on half types compute in f32, so that only the result is rounded: x in f32 if it is a half type, and the
 * way back for the result. NULL gives NULL. */
weft_tensor *weft__widened(weft_tensor *x);
weft_tensor *weft__narrowed(weft_tensor *y, weft_dtype dtype);
/* Replaces shared tensors by views that belong to ctx; false: error recorded. */
bool weft__localise(weft_ctx *ctx, weft_tensor **in, int n);
/* Checks that dtype is floating, records the error otherwise. */
bool weft__need_float(weft_ctx *ctx, int op, const char *what, const weft_tensor *t);
bool weft__need_index(weft_ctx *ctx, int op, const char *what, const weft_tensor *t);
bool weft__need_rank(weft_ctx *ctx, int op, const char *what, const weft_tensor *t, int lo, int hi);
/* May x be written? False: error recorded. */
bool weft__writable(weft_ctx *ctx, int op, weft_tensor *x);
/* A contiguous copy, recorded as a reshape to the same shape: its gradient is the identity. */
weft_tensor *weft__recorded_copy(weft_ctx *ctx, int op, weft_tensor *x);
/* Whether field[d] of an operation's params, height or width, is within what can be counted with; false: recorded. */
bool weft__field_fits(weft_ctx *ctx, int op, const char *field, int d, int64_t value, int64_t least, int64_t most,
                      const weft_tensor *x);
/* Contiguous data of t: t itself or a copy outside the tape; NULL: error recorded. */
weft_tensor *weft__dense(weft_ctx *ctx, weft_tensor *t);
weft_status weft__copy_array(weft_ctx *ctx, const weft__array *from, weft__array *to);
weft_status weft__fill_array(weft_ctx *ctx, weft__array *to, double value);
/* A contiguous copy of t, and a new tensor full of value, outside the tape. NULL: error recorded. */
weft_tensor *weft__copied(weft_ctx *ctx, weft_tensor *t);
weft_tensor *weft__filled(weft_ctx *ctx, weft_dtype dtype, const int64_t *shape, int ndim, double value);
/* x = x op y in place, op one of ADD_ ... COPY_, for who knows that x may be written, and y broadcasts to x and has no
 * history that matters. Converts y, or copies it if it overlaps x. Returns x, or NULL with the error recorded; y NULL
 * gives NULL. */
weft_tensor *weft__update(weft_ctx *ctx, int op, weft_tensor *x, weft_tensor *y);

/* ---- Between the host and the device (access.c): inside of a call, function is its name for messages ---- */

/* A tensor with a copy of data, which is NULL only if there is nothing to copy. NULL: error recorded. */
weft_tensor *weft__from_host(weft_ctx *ctx, const char *function, weft_dtype dtype, const int64_t *shape, int ndim,
                             const void *data);
/* All elements of t, one after the other. */
weft_status weft__to_host(weft_ctx *ctx, const char *function, weft_tensor *t, void *out);

/* ---- Values that a dtype cannot hold (value.c) ---- */

/* Where the first of n bytes is that is neither 0 nor 1, or -1. */
int64_t weft__first_untruth(const void *bytes, size_t n);
/* Makes the bytes of a bool that came from outside 0 and 1. */
weft_status weft__make_truths(weft_ctx *ctx, weft__array *a);
/* Whether arithmetic of x with a real number is what it says: integers meet whole numbers only. False: recorded. */
bool weft__scalar_fits(weft_ctx *ctx, int op, const char *what, double value, const weft_tensor *x);
/* The same for the parameters of a UNARY_P row. */
bool weft__scalars_fit(weft_ctx *ctx, int op, double p, double q, const weft_tensor *x);

/* ---- Recording (record.c) ---- */

/* What cut a path if it was a custom operation, which has no number of its own: one without a backward callback, or one
 * that ran while recording was switched off. */
enum { WEFT__CUT_CUSTOM = WEFT_OP_COUNT + 1, WEFT__CUT_CUSTOM_UNRECORDED, WEFT__CUT_COPY_TO };

/* Joined to an operation's number: the path goes through a result of it that is not differentiable. */
enum { WEFT__CUT_RESULT = 0x8000 };

/* Appends a node for the results if gradients are on and an input requires one; else marks the cut. False: out of
 * memory, recorded. */
bool weft__record(const weft__call *call);
/* The same for a custom operation, of whose results those of a floating dtype are differentiable. */
bool weft__record_custom(weft_ctx *ctx, const weft_custom_op *op, weft_tensor *const *in, int n,
                         weft_tensor *const *out, int n_out);
/* What a custom operation says: its fields as far as its struct goes, and the defaults of the others (sized.c). */
weft_custom_op weft__custom_known(const weft_custom_op *op);
void weft__mark_cut(weft_ctx *ctx, int op, weft_tensor *const *in, int n, weft_tensor *out);

extern const char weft__version_text[];

#endif
