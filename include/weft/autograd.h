/* autograd.h - gradients: the tape, backward, higher orders, checks, operations of your own.
 *
 * An operation whose input requires a gradient appends a node to the context's tape and its result requires one too.
 * A leaf is a tensor that requires a gradient and was made by no recorded operation: a parameter. Nodes live as long as
 * a tensor that was computed from them, so popping the scope of a training step frees its graph.
 *
 * Part of the public API; include <weft/weft.h>. */
#ifndef WEFT_AUTOGRAD_H
#define WEFT_AUTOGRAD_H

#include <weft/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- What gets a gradient ---- */

/* Makes t (floating dtype, no recorded history) a leaf, or an ordinary tensor again. Returns t. */
WEFT_API weft_tensor *weft_set_requires_grad(weft_tensor *t, bool on);
WEFT_API bool weft_requires_grad(const weft_tensor *t);

/* Keep, require a gradient, name: what one does to a new parameter. Release it with weft_release. name may be NULL. */
WEFT_API weft_tensor *weft_param(weft_tensor *t, const char *name);

/* Whether operations are recorded (true at first). Returns the former value, so that a region is
 * `bool was = weft_set_grad_enabled(ctx, false); ... weft_set_grad_enabled(ctx, was);`, or, with a scope of its own
 * that an early return cannot forget, weft_scope_push_no_grad. */
WEFT_API bool weft_set_grad_enabled(weft_ctx *ctx, bool on);
WEFT_API bool weft_grad_enabled(const weft_ctx *ctx);

/* ---- Backward ---- */

/* Adds d loss / d leaf to the gradient of every leaf that loss (one element) depends on. Within a pass the gradients of
 * several uses of a tensor add up in f32 where the tensor is f16 or bf16, and are rounded once; what that rounding
 * takes from the sum of several calls is kept beside the leaf and joins the next call's (unless the gradient was
 * changed in between), so that many small gradients are not lost. A loss that depends on none is
 * the error WEFT_E_NO_GRADIENT, which names the operation that cut the path. Leaves that were used since the last
 * backward but are not reached, or only through step functions (weft_round, floor, ceil, sign), whose derivative is 0,
 * are reported by weft_unreached and to the log. May be called more than once. */
WEFT_API weft_status weft_backward(weft_ctx *ctx, weft_tensor *loss);

/* The same for n results at once, in one pass: several losses, whose gradients add up as those of their sum would, or
 * results with given cotangents (gradients of the unknown loss with respect to them, shapes equal). cotangents, or an
 * entry of it, may be NULL where the result has one element: 1; so weights of losses are cotangents. A result that
 * depends on no leaf adds nothing; if none of them does, that is the error. The same result twice counts twice. */
WEFT_API weft_status weft_backward_with(weft_ctx *ctx, weft_tensor *const *results, weft_tensor *const *cotangents,
                                        int n);

/* The gradient gathered in leaf t, of t's shape and dtype; NULL if there is none (yet): not an error. Owned by t; its
 * address stays the same until weft_zero_grad. */
WEFT_API weft_tensor *weft_grad_of(weft_tensor *t);

/* Drops the gradients of n leaves. */
WEFT_API weft_status weft_zero_grad(weft_ctx *ctx, weft_tensor *const *params, int n);

/* Flags of weft_grad and of the functions in functional.h. */
typedef enum weft_grad_flags {
    WEFT_GRAD_CREATE_GRAPH = 1, /* record the computation of the gradients, so that they can be differentiated again */
    WEFT_GRAD_ALLOW_UNUSED = 2, /* an input that is not reached gets NULL instead of an error */
    WEFT_GRAD_CHECK_ROWS = 4    /* weft_batch_jacobian, weft_per_sample_grad: whether rows depend on rows of others */
} weft_grad_flags;

/* gradients[j] = sum over i of d results[i] / d inputs[j] applied to cotangents[i]; leaves' own gradients are
 * untouched. inputs may be leaves or intermediate results. cotangents as above. The gradients belong to the innermost
 * scope. */
WEFT_API weft_status weft_grad(weft_ctx *ctx, weft_tensor *const *results, weft_tensor *const *cotangents,
                               int n_results, weft_tensor *const *inputs, int n_inputs, int flags,
                               weft_tensor **gradients);

/* The leaves that the last weft_backward did not reach although they had been used since the backward before, and those
 * whose gradient came through step functions alone and is 0 therefore: calls report (may be NULL) for each with a
 * sentence that names the leaf and the operation that cut it off. Returns their number. report only looks, and may
 * release leaves (ctx.h: Callbacks). */
WEFT_API int64_t weft_unreached(weft_ctx *ctx, void (*report)(void *user, weft_tensor *leaf, const char *why),
                                void *user);

/* Calls hook with each gradient that arrives at t (complete, before it is used further). It may return another tensor
 * of the same shape and dtype, of this context or shared, to take its place, or NULL to leave it; what it made in a
 * scope of its own it hands over with weft_escape. A tensor that was freed, or does not fit, is an error. Hooks of t
 * run in the order of registration; they die with t. They may use the context, call backward on the same graph, let go
 * of t; not close the context or the scopes around the pass (ctx.h: Callbacks). They must not change gradient in place:
 * other tensors may share it. */
typedef weft_tensor *(*weft_hook)(void *user, weft_tensor *t, weft_tensor *gradient);
WEFT_API weft_status weft_add_hook(weft_tensor *t, weft_hook hook, void *user);

/* ---- Checks ---- */

/* A function under test: one result from n inputs. It may use the context (ctx.h: Callbacks). */
typedef weft_tensor *(*weft_function)(weft_ctx *ctx, weft_tensor *const *inputs, int n, void *user);

typedef struct weft_gradcheck_options {
    size_t struct_size; /* set by WEFT_GRADCHECK_DEFAULTS */
    double eps;         /* step of the central difference, above 0; default 1e-6 */
    double atol, rtol;  /* a difference of more than atol + rtol |numeric| is wrong; at least 0; 1e-5 and 1e-3 */
} weft_gradcheck_options;
#define WEFT_GRADCHECK_DEFAULTS                                                                                        \
    {                                                                                                                  \
        sizeof(weft_gradcheck_options), 1e-6, 1e-5, 1e-3                                                               \
    }

/* Compares the gradients of f with central differences, every element of every input that requires a gradient, all of
 * which must be f64. WEFT_E_MISMATCH names input, element and both values. options NULL: the defaults. */
WEFT_API weft_status weft_gradcheck(weft_ctx *ctx, weft_tensor *const *inputs, int n, weft_function f, void *user,
                                    const weft_gradcheck_options *options);

/* The same for second derivatives: checks the gradient of (the gradient of f along a random cotangent). */
WEFT_API weft_status weft_gradgradcheck(weft_ctx *ctx, weft_tensor *const *inputs, int n, weft_function f, void *user,
                                        const weft_gradcheck_options *options);

/* ---- Operations of your own ----
 * The callbacks may use the context (ctx.h: Callbacks), but must not let go of what they were given. */

/* A tensor's memory as a callback sees it: contiguous, row-major. Complete: it never grows. */
typedef struct weft_array {
    void *data;
    weft_dtype dtype;
    int ndim;
    const int64_t *shape;
    int64_t count;
} weft_array;

/* How a custom operation is computed on one kind of device. forward fills output: data point to that device's memory,
 * stream is where its work is queued (on "cuda" a cudaStream_t; NULL: the device has no such thing), which the callback
 * need not wait for. Complete: it never grows. */
typedef struct weft_custom_device {
    const char *device; /* its kind, "cuda" (weft_device_kind) */
    weft_status (*forward)(weft_ctx *ctx, const weft_array *inputs, int n, weft_array *output, void *stream,
                           void *user);
} weft_custom_device;

#define WEFT_CUSTOM_DEVICES 8
#define WEFT_CUSTOM_OUTPUTS 64

/* Read in place as long as a graph uses it, as far as struct_size goes: the fields behind that count as NULL and 0. */
typedef struct weft_custom_op {
    size_t struct_size; /* set by WEFT_CUSTOM_OP_DEFAULTS; all else is NULL or 0 there */
    const char *name;   /* for messages; must outlive every graph that uses the operation, as must this struct */

    /* Shape rule: sets *dtype, shape[0..*ndim) (room for 8) from the inputs (data pointers are NULL here). NULL: as
     * input 0. Any status but WEFT_OK becomes the context's error; record a message with weft_ctx_fail first. */
    weft_status (*infer)(weft_ctx *ctx, const weft_array *inputs, int n, weft_dtype *dtype, int64_t *shape, int *ndim,
                         void *user);

    /* Fills output where the host may touch its memory (weft_ctx_on_host): on the CPU. NULL: not available there. In a
     * bool, 0 is false and every other byte true, on each device: it becomes 1. */
    weft_status (*forward)(weft_ctx *ctx, const weft_array *inputs, int n, weft_array *output, void *user);

    /* Fills output on other devices, by the name of their kind: .devices = {{"cuda", launch_swish}}. The first one
     * without a name ends the list. A device that is in it is not asked for forward. One of the two is required; where
     * neither is of the context's device, weft_custom is WEFT_E_UNSUPPORTED. */
    weft_custom_device devices[WEFT_CUSTOM_DEVICES];

    /* Sets gradients[k] (NULL: none; else of input k's shape or one that it broadcasts to, of this context or shared,
     * alive: weft_escape it from a scope of your own) from the gradient of the output, by any operations, other custom
     * ones included; what it uses is recorded when a graph of the gradient is asked for. NULL: not differentiable. */
    weft_status (*backward)(weft_ctx *ctx, weft_tensor *const *inputs, int n, weft_tensor *output,
                            weft_tensor *gradient, weft_tensor **gradients, void *user);
    void *user;

    /* How many results it has, at most WEFT_CUSTOM_OUTPUTS; 0: one. Of several, infer sets dtype[k], ndim[k] and the
     * sizes from shape[8 * k] on of each result k (NULL: all as input 0), and forward, on every device, fills
     * output[k]. */
    size_t n_outputs;

    /* In place of backward: lists of all results and of their gradients. A gradient is NULL where nobody used that
     * result, which stands for zeros, and where the result is of no floating dtype: such a result carries none. What
     * has several results needs this one to be differentiable. */
    weft_status (*backward_all)(weft_ctx *ctx, weft_tensor *const *inputs, int n, weft_tensor *const *outputs,
                                weft_tensor *const *output_gradients, weft_tensor **gradients, void *user);
} weft_custom_op;
#define WEFT_CUSTOM_OP_DEFAULTS                                                                                        \
    {                                                                                                                  \
        sizeof(weft_custom_op), NULL, NULL, NULL, {{NULL, NULL}}, NULL, NULL, 0, NULL                                  \
    }

/* Runs op, which has one result, on n >= 1 inputs (at most 64). */
WEFT_API weft_tensor *weft_custom(const weft_custom_op *op, weft_tensor *const *inputs, int n);

/* Runs op on n >= 1 inputs (at most 64) and fills outputs, which has room for all of its results; they belong to the
 * innermost scope. On an error all of them are NULL. WEFT_E_INVALID: too many results, or a backward callback that is
 * for one. */
WEFT_API weft_status weft_custom_all(const weft_custom_op *op, weft_tensor *const *inputs, int n,
                                     weft_tensor **outputs);

#ifdef __cplusplus
}
#endif

#ifndef WEFT_NO_CALL_SITES
#define weft_backward(...) (WEFT_HERE("backward"), weft_backward(__VA_ARGS__))
#define weft_backward_with(...) (WEFT_HERE("backward"), weft_backward_with(__VA_ARGS__))
#define weft_grad(...) (WEFT_HERE("grad"), weft_grad(__VA_ARGS__))
#define weft_gradcheck(...) (WEFT_HERE("gradcheck"), weft_gradcheck(__VA_ARGS__))
#define weft_gradgradcheck(...) (WEFT_HERE("gradgradcheck"), weft_gradgradcheck(__VA_ARGS__))
#define weft_custom(...) (WEFT_HERE("custom"), weft_custom(__VA_ARGS__))
#define weft_custom_all(...) (WEFT_HERE("custom"), weft_custom_all(__VA_ARGS__))
#endif
#endif
