/* optim.h - optimisers and gradient clipping.
 *
 *     weft_optim *opt;
 *     if (weft_adam_open(ctx, params, n, &(weft_adam_options){.lr = 1e-3}, &opt) != WEFT_OK) ...
 *     each step: weft_backward(ctx, loss); weft_optim_step(ctx, opt); weft_optim_zero_grad(ctx, opt);
 *     weft_optim_close(opt);
 *
 * The formulas stand in params.h.
 *
 * Part of the public API; include <weft/weft.h>. */
#ifndef WEFT_OPTIM_H
#define WEFT_OPTIM_H

#include <weft/autograd.h>
#include <weft/params.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_optim weft_optim;

typedef struct weft_sgd_options {
    double lr;           /* learning rate; 0: 0.01 */
    double momentum;     /* 0: none */
    double dampening;    /* of the gradient in the velocity; must be 0 with nesterov */
    double weight_decay; /* 0: none */
    bool nesterov;       /* needs momentum > 0 */
    bool allow_missing;  /* a parameter without a gradient is left alone instead of being an error */
} weft_sgd_options;

typedef struct weft_adam_options {
    double lr;           /* 0: 0.001 */
    double beta1;        /* 0: 0.9 */
    double beta2;        /* 0: 0.999 */
    double eps;          /* 0: 1e-8 */
    double weight_decay; /* Adam: added to the gradient. AdamW: decoupled */
    bool allow_missing;  /* as above */
} weft_adam_options;

/* Makes an optimiser for n >= 1 leaves of ctx, which it keeps until closed. options may be NULL. On failure *out is NULL
 * and the error is recorded in ctx. */
WEFT_API WEFT_MUST_CHECK weft_status weft_sgd_open(weft_ctx *ctx, weft_tensor *const *params, int n,
                                                   const weft_sgd_options *options, weft_optim **out);
WEFT_API WEFT_MUST_CHECK weft_status weft_adam_open(weft_ctx *ctx, weft_tensor *const *params, int n,
                                                    const weft_adam_options *options, weft_optim **out);
WEFT_API WEFT_MUST_CHECK weft_status weft_adamw_open(weft_ctx *ctx, weft_tensor *const *params, int n,
                                                     const weft_adam_options *options, weft_optim **out);

/* Frees the optimiser and gives up its parameters; before its context is closed. NULL is fine. */
WEFT_API void weft_optim_close(weft_optim *optim);

/* One step over all parameters, in place, not recorded. A parameter without a gradient is the error WEFT_E_NO_GRADIENT,
 * which says which one and what cut it off, and then nothing is changed. optim NULL is an error too. */
WEFT_API weft_status weft_optim_step(weft_ctx *ctx, weft_optim *optim);
WEFT_API weft_status weft_optim_zero_grad(weft_ctx *ctx, weft_optim *optim);

WEFT_API double weft_optim_lr(const weft_optim *optim);
WEFT_API void weft_optim_set_lr(weft_optim *optim, double lr); /* lr >= 0, 0 too; else an error of the context */
WEFT_API int64_t weft_optim_steps(const weft_optim *optim);    /* steps taken so far */

/* State for checkpoints: velocity, or first and second moments, in the order of the parameters. Returns their number and
 * fills state[0..min(number, room)); the tensors belong to the optimiser and may be written to (weft_write). */
WEFT_API int weft_optim_state(weft_optim *optim, weft_tensor **state, int room);
WEFT_API void weft_optim_set_steps(weft_optim *optim, int64_t steps);

/* Scales the gradients of n leaves in place so that their joint Euclidean norm is at most max_norm (> 0), and returns the
 * norm from before; leaves without a gradient count nothing. A norm that is not finite is returned and nothing is
 * scaled. NAN after an error. Source: Pascanu et al. 2013. */
WEFT_API double weft_clip_grad_norm(weft_ctx *ctx, weft_tensor *const *params, int n, double max_norm);

/* Limits every element of the gradients of n leaves to [-limit, limit], in place; limit > 0. */
WEFT_API weft_status weft_clip_grad_value(weft_ctx *ctx, weft_tensor *const *params, int n, double limit);

#ifdef __cplusplus
}
#endif

#ifndef WEFT_NO_CALL_SITES
#define weft_sgd_open(...) (WEFT_HERE("sgd_open"), weft_sgd_open(__VA_ARGS__))
#define weft_adam_open(...) (WEFT_HERE("adam_open"), weft_adam_open(__VA_ARGS__))
#define weft_adamw_open(...) (WEFT_HERE("adamw_open"), weft_adamw_open(__VA_ARGS__))
#define weft_optim_step(...) (WEFT_HERE("optim_step"), weft_optim_step(__VA_ARGS__))
#define weft_clip_grad_norm(...) (WEFT_HERE("clip_grad_norm"), weft_clip_grad_norm(__VA_ARGS__))
#define weft_clip_grad_value(...) (WEFT_HERE("clip_grad_value"), weft_clip_grad_value(__VA_ARGS__))
#endif
#endif
