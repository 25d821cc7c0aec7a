/* ctx.h - contexts, errors, scopes and memory.
 *
 * A context owns everything that is made in it: tensors, the gradient tape, the memory cache, the random stream, the
 * worker threads. One thread uses a context at a time; different threads use different contexts without any locking.
 *
 * Part of the public API; include <weft/weft.h>. */
#ifndef WEFT_CTX_H
#define WEFT_CTX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weft/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_ctx weft_ctx;
typedef struct weft_tensor weft_tensor;

typedef enum weft_log_level { WEFT_LOG_LEVEL_INFO, WEFT_LOG_LEVEL_WARNING, WEFT_LOG_LEVEL_ERROR } weft_log_level;

/* Options of a context: `weft_options o = WEFT_OPTIONS_DEFAULTS;`, then what is to be otherwise. What a field says is
 * what is used, 0 too; params.h says more of such structs. */
typedef struct weft_options {
    size_t struct_size;   /* set by WEFT_OPTIONS_DEFAULTS */
    const char *device;   /* "cpu" (the default, or NULL), "cuda" or "cuda:1" (the second GPU). See device.h */
    int threads;          /* CPU threads an operation may use, the caller included, up to 1024; -1: as many as cores.
                             Default 1. Results do not depend on it. No thread is started before an operation is large
                             enough to need one */
    uint64_t seed;        /* of the random stream; the same seed gives the same numbers on every device. Default 0 */
    size_t memory_budget; /* most bytes of tensor data, work space and cached blocks included; default SIZE_MAX: no
                             limit */
    bool nan_watch;       /* check every result of every operation, forward and backward, and what hooks return: the
                             first that makes a NaN or infinity from finite inputs becomes the error
                             WEFT_E_NOT_FINITE. It names the operation, the result, the pass, and, in a backward one,
                             the line of the call whose derivative it was. Where a derivative makes one because an
                             operand had it already, the error says where that operand's came from. Slow: for
                             debugging */

    /* Host memory: every byte the library takes goes through these. alignment is a power of two, at most 64 (larger
     * only for large blocks); a block that is not so aligned is given back and counts as none (WEFT_E_INVALID from
     * weft_ctx_open). free gets the size that was asked for. Both NULL: the C library. Contexts on several threads, and
     * shared tensors, may call them at the same time. They do not use the context (see Callbacks). */
    void *(*alloc)(void *user, size_t bytes, size_t alignment);
    void (*free)(void *user, void *block, size_t bytes);
    void *alloc_user;

    /* Messages worth reading: every first error, and warnings (a leak at close, an ignored setting, an unreached
     * parameter). NULL: none. The library never prints by itself. The message is valid during the call, which only
     * looks at the context (see Callbacks). */
    void (*log)(void *user, weft_log_level level, const char *message);
    void *log_user;

    /* Matrix products on CUDA. By default they are exact to f32, and each takes the first algorithm that cuBLASLt
     * proposes for its shape among those that repeat bit by bit, so that runs on the same GPU with the same cuBLASLt
     * agree.
     *
     * allow_tf32: products of f32 may round their factors to TF32 (10 bits after the point): several times faster.
     *
     * time_matmul: try all of cuBLASLt's proposals when a product is first met, and keep the fastest; likewise its way
     * to apply weft_linear_act's activation against a kernel of ours. Which one wins can differ from run to run, and
     * with it the last bits, unless the choices are kept in a file.
     *
     * matmul_choices: path of that file, NULL: none; must live as long as the context. Choices in it are taken; with
     * time_matmul, new ones are added. It holds for one kind of GPU and one version of cuBLASLt. Met by others, with
     * time_matmul it is begun anew, without it the first product fails (WEFT_E_IO), as it does when there is no such
     * file or it is damaged: nothing runs with another choice than was asked for. */
    bool allow_tf32, time_matmul;
    const char *matmul_choices;

    /* What an operation gives for a row does not depend on the rows that come with it (see Batch invariance). */
    bool batch_invariant;
} weft_options;
#define WEFT_OPTIONS_DEFAULTS                                                                                          \
    {                                                                                                                  \
        sizeof(weft_options), "cpu", 1, 0, SIZE_MAX, false, NULL, NULL, NULL, NULL, NULL, false, false, NULL, false    \
    }

/* ---- Batch invariance ----
 * With the option batch_invariant, what an operation gives for one row of a batch does not depend on how many rows come
 * with it, nor on which, nor on its place among them, bit for bit. So a request is answered alike alone and in any
 * company, and what is generated a token at a time can be compared with one pass over all of it. By default the fastest
 * way is taken for each number of rows, and they differ in the last bits. The promise, on either device and for every
 * dtype:
 *
 *   - matrix products (weft_matmul, weft_linear, weft_linear_act and what is made of them): an element of the result
 *     depends on its row of the one operand and its column of the other alone. Vectors are such rows and columns, and
 *     each product of a batch is one by itself;
 *   - layer_norm, rms_norm, group_norm, softmax, log_softmax, logsumexp, sums, means, variances and the other
 *     reductions over some dims: the dims that stay are the batch. Of losses, what reduction NONE gives;
 *   - attention: an entry of the leading dims depends on its own queries, keys and values alone, and a query on no
 *     other one: the last query alone, with all keys, gives the last row of all queries;
 *   - convolutions: an image depends on no other one;
 *   - recurrent layers, and whatever goes element by element, moves, looks up, sorts, scans or transforms;
 *   - the gradients of all these by what has a row for each row of the batch, given the same gradient of the results:
 *     of a product, a linear layer, a norm or a convolution by x, of attention by q, k and v.
 *
 * Outside of it is what adds up or looks at the whole batch: gradients of weights, biases and tables, losses that are
 * reduced, batch norm while training, random numbers (a number's place in the stream is its place in the batch);
 * further weft_einsum of three operands and more, whose order of products follows from the sizes; and operations of
 * your own. Rows are compared on one device, with one instruction set and one build of the library; layouts may differ.
 *
 * What it costs depends on the shape: `weft bench invariance` prints it. On CUDA, products, attention and convolutions
 * then keep to Weft's own kernels, and allow_tf32, time_matmul and matmul_choices have no effect. */

/* Opens a context. options NULL: the defaults. On failure *out is NULL, the status says why (WEFT_E_INVALID,
 * WEFT_E_NOMEM, WEFT_E_DEVICE) and the log callback gets the message. */
WEFT_API WEFT_MUST_CHECK weft_status weft_ctx_open(const weft_options *options, weft_ctx **out);

/* Frees the context with everything in it: optimisers and profiles that were never closed and tensors that are still
 * kept (each is logged, with the place where it was made). NULL is fine. Pointers to its tensors are dead afterwards;
 * shared tensors (weft_share) live on. Closing one of its optimisers or profiles afterwards does nothing. From within a
 * callback of the context's it does nothing but record WEFT_E_STATE. */
WEFT_API void weft_ctx_close(weft_ctx *ctx);

/* ---- Errors ----
 * The first error of a context sticks: it is kept with its message, and until weft_ctx_clear every operation of that
 * context does nothing and returns NULL (or the status). Operations given a NULL tensor return NULL. So a long
 * expression needs one check, at its end: weft_scope_pop, weft_backward, weft_read ... return the first error. */

WEFT_API weft_status
weft_ctx_status(const weft_ctx *ctx); /* the sticking error, or WEFT_OK. NULL ctx: WEFT_E_NULL_ARGUMENT */
WEFT_API const char *
weft_ctx_message(const weft_ctx *ctx);              /* its message, "" if none; valid until the next error or clear */
WEFT_API weft_status weft_ctx_clear(weft_ctx *ctx); /* forgets the error and returns what it was */

/* Records an error of your own, as an operation would, by weft_text; the first one wins. Returns status. In a callback
 * the message begins with the name of the operation; where your text does too ("swish: x must be positive"), it is not
 * repeated. Control characters, which names from files may have, become question marks. format NULL: the status's own
 * text. */
WEFT_API weft_status weft_ctx_fail(weft_ctx *ctx, weft_status status, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;

/* ---- Callbacks ----
 * The library calls code of the program's. Meanwhile the context cannot be closed, and there are two kinds of
 * callbacks:
 *
 * Hooks of weft_add_hook, the callbacks of a weft_custom_op, functions under weft_gradcheck, steps of weft_lockstep,
 * work of weft_bench_measure, and what reads or lists files (io.h) may use the context in any way: operations, scopes
 * of their own, files, backward passes, also through the graph of the pass that called them, up to 32 deep. Whether
 * operations are recorded is afterwards as it was before.
 *
 * The hooks alloc and free, log, release of weft_wrap, and everything else that reports, shows a row or progress only
 * look: they may ask for statuses, messages, memory, shapes and names, call weft_release, and (not in alloc and free)
 * weft_ctx_alloc and weft_ctx_free. Anything else does nothing and is WEFT_E_STATE, recorded if it is the first error;
 * weft_ctx_clear does nothing there, so that what failed still says so.
 *
 * A callback of the first kind may be left for good, by longjmp or an exception. What was in progress is undone at the
 * next use of the context, at the latest when a scope from before is popped, which is the rule: setjmp,
 * weft_scope_push; afterwards weft_scope_pop with that mark. One that pops such a scope and returns has given up the
 * function that called it, which returns WEFT_E_STATE. Those of the second kind, and those of files, must return. */

/* For functions of your own that call back: what is called between these two is such a callback, name ("a visitor of
 * trees") is for messages and must live as long as that. begin: 0 if callbacks nest too deep (WEFT_E_STATE, recorded):
 * do not call. end: false if it has closed a scope that was open before (recorded); touch none of the tensors that you
 * held, and return. function is that of yours, without a prefix. */
WEFT_API uint64_t weft_callback_begin(weft_ctx *ctx, const char *name, bool only_look);
WEFT_API WEFT_MUST_CHECK bool weft_callback_end(weft_ctx *ctx, const char *function, uint64_t call);

/* A call whose operands are all NULL or all shared (weft_share) has no context to record its error in. Of NULLs the
 * context of the call that gave the first one tells already. The first such error of a thread is kept for it here:
 * returns it and forgets it; *message (may be NULL) is its sentence, "" if there is none, valid until the thread's next
 * such error. weft_ctx_clear and weft_ctx_close forget it too. That all operands were shared (WEFT_E_STATE), or that
 * there were none (WEFT_E_INVALID: weft_concat of no tensors), becomes the error of the context whose weft_scope_pop
 * comes next in the thread, unless that has one; the sentence about a NULL operand quotes it. */
WEFT_API weft_status weft_lost_error(const char **message);

/* ---- Scopes ----
 * A new tensor belongs to the innermost open scope and dies when that scope is popped, unless somebody else still holds
 * it (weft_keep, or the graph of a tensor that lives). A context has a root scope, which lasts until it is closed.
 *
 *     int mark = weft_scope_push(ctx);
 *     ... temporaries ...
 *     return weft_scope_pop(ctx, mark);
 *
 * Pop takes the mark and closes every scope opened since, so that an early return or longjmp in between loses nothing.
 *
 * What an operation makes on the way to its result (a cast, a contiguous copy, the steps of a loss) dies when it
 * returns, unless the graph needs it. Results live until the scope ends, since C cannot tell when the last pointer to
 * one is gone; where that is too much, say so: a scope for each layer takes what the layer made on its way, and
 * weft_drop its input, so that a forward pass without gradients needs no more than its largest layer.
 *
 *     int mark = weft_scope_push_no_grad(ctx);
 *     weft_tensor *h = x;
 *     for (int k = 0; k < n; k++) {
 *         int inner = weft_scope_push(ctx);
 *         weft_tensor *next = weft_escape(layer(k, h));
 *         if (weft_scope_pop(ctx, inner) != WEFT_OK)
 *             break;
 *         if (h != x)
 *             weft_drop(h);
 *         h = next;
 *     }
 *     weft_escape(h);
 *     return weft_scope_pop(ctx, mark);
 *
 * A use of a tensor that was freed is WEFT_E_DEAD_TENSOR with the place where it was made. That is certain until 64
 * more tensors have been freed (4096 in debug builds); later its memory may be another tensor's. */

WEFT_API int weft_scope_push(weft_ctx *ctx); /* the mark for weft_scope_pop; -1 after an error of memory (recorded) */
/* The same, and switches recording off until that scope is popped, also by the pop of an outer one or on an early
 * return; then it is what it was before (see weft_set_grad_enabled). */
WEFT_API int weft_scope_push_no_grad(weft_ctx *ctx);
WEFT_API WEFT_MUST_CHECK weft_status weft_scope_pop(weft_ctx *ctx,
                                                    int mark); /* the context's first error, or WEFT_OK */

/* Makes the caller an owner beside the scope: t lives until as many weft_release calls. Returns t; NULL gives NULL. */
WEFT_API weft_tensor *weft_keep(weft_tensor *t);

/* Gives up one weft_keep. NULL is fine. Releasing what was not kept is an error of the context (WEFT_E_STATE). */
WEFT_API void weft_release(weft_tensor *t);

/* Takes t out of its scope before that ends: t and its memory are free at once, unless weft_keep, a view or the graph
 * of a tensor that lives still holds them. t must not be used afterwards (WEFT_E_DEAD_TENSOR). NULL, and what is in no
 * scope, are fine. */
WEFT_API void weft_drop(weft_tensor *t);

/* Moves t from its scope to the enclosing one: the way to return a tensor from a function that has a scope. Returns t.
 * */
WEFT_API weft_tensor *weft_escape(weft_tensor *t);

/* ---- Memory ---- */

typedef struct weft_memory_info {
    size_t live_bytes;    /* tensor data in use */
    size_t peak_bytes;    /* the most that live_bytes has been since the context was opened or weft_memory_reset_peak */
    size_t cached_bytes;  /* freed blocks kept for reuse */
    size_t host_bytes;    /* everything taken from the allocator at present: data, cache, headers, tape */
    int64_t live_tensors; /* tensor headers in use, internal ones included */
    int64_t live_nodes;   /* operations on the tape */
    size_t budget_bytes;  /* the option memory_budget; SIZE_MAX: no limit */
} weft_memory_info;

/* Fills *out; size is sizeof *out. WEFT_E_NULL_ARGUMENT, or WEFT_E_INVALID for a size that the struct never had. */
WEFT_API weft_status weft_memory(const weft_ctx *ctx, weft_memory_info *out, size_t size);
WEFT_API void weft_memory_reset_peak(weft_ctx *ctx);
WEFT_API void weft_memory_trim(weft_ctx *ctx); /* gives cached blocks back to the allocator */

/* Whether the data of ctx's tensors is in host memory, so that the program may read and write at weft_data. */
WEFT_API bool weft_ctx_on_host(const weft_ctx *ctx);

/* Host memory through the context's hooks, for code that lives beside the library (64-byte aligned, not zeroed). NULL
 * with the error recorded when out of memory. weft_ctx_free takes the size that was asked for; NULL is fine. */
WEFT_API void *weft_ctx_alloc(weft_ctx *ctx, size_t bytes);
WEFT_API void weft_ctx_free(weft_ctx *ctx, void *block, size_t bytes);

/* One tensor that the caller still keeps, or an optimiser or profile that was not closed. Strings are valid during the
 * call. */
typedef struct weft_leak {
    const char *op;   /* the operation or function that made it */
    const char *file; /* where that was called, or NULL if unknown (call sites are recorded by the macros of ops.h) */
    int line;
    const char *name; /* weft_set_name, or "" */
    const char *text; /* all of it in one line: "f32 [64, 784] by weft_randn at train.c:31, 200704 bytes, kept 1x" */
    size_t bytes;     /* 0 for what is no tensor */
} weft_leak;

/* Calls report (may be NULL; it only looks, see Callbacks) for each open optimiser and profile, then for each tensor
 * with an unreleased weft_keep, and returns their number. What an optimiser itself keeps, its parameters and state, is
 * not counted. */
WEFT_API int64_t weft_leaks(const weft_ctx *ctx, void (*report)(void *user, const weft_leak *leak), void *user);

/* The live tensors that one call site has made: what a forgotten scope or a kept graph piles up shows as a large count.
 * */
typedef struct weft_live {
    const char *op;   /* the operation that made them */
    const char *file; /* where that was called, or NULL if unknown */
    int line;
    int64_t tensors; /* how many of them live */
    size_t bytes;    /* of the memory that they hold; what several tensors share (views) counts once, for one of them */
    int outermost;   /* the outermost scope that one of them belongs to, counted from the root scope's 0; -1: none */
    const char *text; /* all of it in one line: "20000 tensors, 81920000 bytes, made by weft_relu at train.c:31, in
                         scope 0 and deeper; one of them is f32 [64, 16]" */
} weft_live;

/* Calls report (may be NULL; it only looks, see Callbacks) for each call site that has live tensors, the one with most
 * bytes first, and returns their number; -1 with WEFT_E_NOMEM recorded when out of memory. Internal tensors, which the
 * tape and optimisers hold, count for the call that made them. The strings of a report are valid during the call. */
WEFT_API int64_t weft_live_tensors(weft_ctx *ctx, void (*report)(void *user, const weft_live *group), void *user);

/* ---- Devices ----
 * On a GPU operations are queued and run while the program goes on; weft_read and weft_item wait for what they read. An
 * error that only the running work can find - an index out of range, a failing GPU - appears at the next wait, naming
 * the operation where it can; WEFT_SYNC=1 in the environment (read when a context is opened) waits after each one. */

/* Waits until everything queued has run. The context's first error, also of the queued work, or WEFT_OK. */
WEFT_API weft_status weft_synchronise(weft_ctx *ctx);

/* ---- Random stream ----
 * Philox4x32-10, keyed by the seed; each random call of the context draws from a stream of its own, numbered from 0. */
WEFT_API void weft_seed(weft_ctx *ctx, uint64_t seed); /* sets the seed and restarts the numbering */

/* ---- Call sites ----
 * The macros at the end of ops.h and tensor.h record the caller's file and line just before each call, so that errors
 * and leaks can name them. file and
 * function (without the weft_ prefix) must live as long as the program. Define WEFT_NO_CALL_SITES before including to
 * leave it out. */
WEFT_API void weft_call_site(const char *file, int line, const char *function);

/* Version of the library that is linked, as "major.minor.patch". */
WEFT_API const char *weft_version(void);

#ifdef __cplusplus
}
#endif
#endif
