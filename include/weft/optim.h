/* optim.h - optimisers and gradient clipping.
 *
 *     weft_optim *opt;
 *     weft_adam_options adam = WEFT_ADAM_DEFAULTS;
 *     adam.lr = 3e-4;
 *     if (weft_adam_open(ctx, params, n, &adam, &opt) != WEFT_OK) ...
 *     each step: weft_backward(ctx, loss); weft_optim_step(ctx, opt); weft_optim_zero_grad(ctx, opt);
 *     weft_optim_close(opt);
 *
 * Each optimiser has a struct of options with its defaults, an open, and, for who keeps the state himself, its step as
 * an operation (ops.h): weft_sgd_options, weft_sgd_open, weft_sgd_step. All else is the same for all.
 *
 * A step computes in f32, for f64 parameters in f64, and its state (velocity, moments) is of that type, so that small
 * gradients are not lost in half types. A half parameter itself is rounded after each step: steps below half of its
 * spacing (2^-9 of it in bf16, 2^-12 in f16) leave it where it is. Master weights, an f32 copy of the parameter, gather
 * them: the step is taken there, and the parameter is the copy rounded. Training in bf16 then reaches what f32 reaches,
 * for 4 bytes more an element. A parameter that is written in between, by weft_write say, is taken up by its copy.
 *
 * A weft_optim * is a handle and no address. The context owns the optimiser: weft_ctx_close ends one that was never
 * closed, after a warning with the place of its open. A handle whose optimiser has ended, either way, is safe to use:
 * closing it does nothing, and every other function refuses it (WEFT_E_STATE, recorded where the context is known to
 * live).
 *
 * Part of the public API; include <weft/weft.h>. */
#ifndef WEFT_OPTIM_H
#define WEFT_OPTIM_H

#include <weft/autograd.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_optim weft_optim;

/* ---- The optimisers ----
 * In formulas p is an element of a parameter, g of its gradient, t the number of the step, counted from 1; assignments
 * (<-) are made in the order written.
 *
 * weft_NAME_open makes an optimiser for n >= 1 parameters, which it keeps until closed: contiguous leaves of ctx that
 * require a gradient, each listed once. Options (NULL: the defaults) are finite and at least 0 where nothing else is
 * said. On failure *out is NULL and the error, which names parameter (counted from 0) or option, is recorded in ctx.
 *
 * Of all options allow_missing and master_weights are open's alone; a step leaves parameters without a gradient alone
 * and has master weights where its lists do. */

/* g <- g + weight_decay p; p <- p - lr g. With momentum: v <- momentum v + (1 - dampening) g, but v <- g at the first
 * step; p <- p - lr v. With nesterov p <- p - lr (g + momentum v) instead. State: v, with momentum alone.
 * Source: Sutskever et al. 2013, in the form used by PyTorch. */
typedef struct weft_sgd_options {
    size_t struct_size;  /* set by WEFT_SGD_DEFAULTS (params.h says more) */
    double lr;           /* learning rate; default 0.01 */
    double momentum;     /* default 0: none */
    double dampening;    /* of the gradient in the velocity, in [0, 1]; 0 with nesterov; default 0 */
    double weight_decay; /* default 0: none */
    bool nesterov;       /* needs momentum > 0 */
    bool allow_missing;  /* a parameter without a gradient is left alone instead of being an error */
    bool master_weights; /* f32 copies of half parameters, see above */
} weft_sgd_options;
#define WEFT_SGD_DEFAULTS                                                                                              \
    {                                                                                                                  \
        sizeof(weft_sgd_options), 0.01, 0, 0, 0, false, false, false                                                   \
    }
WEFT_API WEFT_MUST_CHECK weft_status weft_sgd_open(weft_ctx *ctx, weft_tensor *const *params, int n,
                                                   const weft_sgd_options *options, weft_optim **out);

/* m <- beta1 m + (1 - beta1) g; v <- beta2 v + (1 - beta2) g^2;
 * p <- p - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps). State: m, v.
 * Coupled (Adam, Kingma & Ba 2015): g <- g + weight_decay p first. Decoupled (AdamW, Loshchilov & Hutter 2019):
 * p <- p (1 - lr weight_decay) first. AMSGrad (Reddi et al. 2018): w <- max(w, v), and w stands for v in the root;
 * state: m, v, w. */
typedef struct weft_adam_options {
    size_t struct_size;  /* set by WEFT_ADAM_DEFAULTS */
    double lr;           /* default 0.001 */
    double beta1;        /* in [0, 1); default 0.9 */
    double beta2;        /* in [0, 1); default 0.999 */
    double eps;          /* default 1e-8 */
    double weight_decay; /* default 0 */
    bool decoupled;      /* AdamW */
    bool allow_missing;  /* as above */
    bool master_weights; /* as above */
    bool amsgrad;        /* default false */
} weft_adam_options;
#define WEFT_ADAM_DEFAULTS                                                                                             \
    {                                                                                                                  \
        sizeof(weft_adam_options), 0.001, 0.9, 0.999, 1e-8, 0, false, false, false, false                              \
    }
WEFT_API WEFT_MUST_CHECK weft_status weft_adam_open(weft_ctx *ctx, weft_tensor *const *params, int n,
                                                    const weft_adam_options *options, weft_optim **out);
/* The same with decoupled set, whatever options say of it. */
WEFT_API WEFT_MUST_CHECK weft_status weft_adamw_open(weft_ctx *ctx, weft_tensor *const *params, int n,
                                                     const weft_adam_options *options, weft_optim **out);

/* g <- g + weight_decay p; v <- alpha v + (1 - alpha) g^2; d = g / (sqrt(v) + eps). Centered (Graves 2013):
 * m <- alpha m + (1 - alpha) g, and v - m^2 stands for v in the root, 0 where rounding has made it less. With momentum:
 * b <- momentum b + d; p <- p - lr b, else p <- p - lr d. State: v; b, with momentum alone; m, of a centered one alone.
 * Source: Tieleman & Hinton 2012, in the form used by PyTorch. */
typedef struct weft_rmsprop_options {
    size_t struct_size;  /* set by WEFT_RMSPROP_DEFAULTS */
    double lr;           /* default 0.01 */
    double alpha;        /* in [0, 1]; default 0.99 */
    double eps;          /* default 1e-8 */
    double weight_decay; /* default 0 */
    double momentum;     /* default 0: none */
    bool centered;       /* default false */
    bool allow_missing;  /* as above */
    bool master_weights; /* as above */
} weft_rmsprop_options;
#define WEFT_RMSPROP_DEFAULTS                                                                                          \
    {                                                                                                                  \
        sizeof(weft_rmsprop_options), 0.01, 0.99, 1e-8, 0, 0, false, false, false                                      \
    }
WEFT_API WEFT_MUST_CHECK weft_status weft_rmsprop_open(weft_ctx *ctx, weft_tensor *const *params, int n,
                                                       const weft_rmsprop_options *options, weft_optim **out);

/* g <- g + weight_decay p; s <- s + g^2; p <- p - lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps). State: s, at first
 * initial_accumulator. Source: Duchi et al. 2011, in the form used by PyTorch (Adagrad). */
typedef struct weft_adagrad_options {
    size_t struct_size;         /* set by WEFT_ADAGRAD_DEFAULTS */
    double lr;                  /* default 0.01 */
    double lr_decay;            /* default 0 */
    double weight_decay;        /* default 0 */
    double initial_accumulator; /* default 0 */
    double eps;                 /* default 1e-10 */
    bool allow_missing;         /* as above */
    bool master_weights;        /* as above */
} weft_adagrad_options;
#define WEFT_ADAGRAD_DEFAULTS                                                                                          \
    {                                                                                                                  \
        sizeof(weft_adagrad_options), 0.01, 0, 0, 0, 1e-10, false, false                                               \
    }
WEFT_API WEFT_MUST_CHECK weft_status weft_adagrad_open(weft_ctx *ctx, weft_tensor *const *params, int n,
                                                       const weft_adagrad_options *options, weft_optim **out);

/* g <- g + weight_decay p; v <- rho v + (1 - rho) g^2; d = sqrt(u + eps) / sqrt(v + eps) g;
 * u <- rho u + (1 - rho) d^2; p <- p - lr d. State: v, u. Source: Zeiler 2012, in the form used by PyTorch. */
typedef struct weft_adadelta_options {
    size_t struct_size;  /* set by WEFT_ADADELTA_DEFAULTS */
    double lr;           /* default 1 */
    double rho;          /* in [0, 1]; default 0.9 */
    double eps;          /* default 1e-6 */
    double weight_decay; /* default 0 */
    bool allow_missing;  /* as above */
    bool master_weights; /* as above */
} weft_adadelta_options;
#define WEFT_ADADELTA_DEFAULTS                                                                                         \
    {                                                                                                                  \
        sizeof(weft_adadelta_options), 1, 0.9, 1e-6, 0, false, false                                                   \
    }
WEFT_API WEFT_MUST_CHECK weft_status weft_adadelta_open(weft_ctx *ctx, weft_tensor *const *params, int n,
                                                        const weft_adadelta_options *options, weft_optim **out);

/* With b(k) = beta1 (1 - 0.96^(k momentum_decay) / 2), and B = b(1) ... b(t) their product:
 * m <- beta1 m + (1 - beta1) g; v <- beta2 v + (1 - beta2) g^2;
 * p <- p - lr (b(t + 1) m / (1 - B b(t + 1)) + (1 - b(t)) g / (1 - B)) / (sqrt(v / (1 - beta2^t)) + eps). State: m, v.
 * Weight decay is coupled, or decoupled as AdamW's. Source: Dozat 2016, in the form used by PyTorch, which multiplies B
 * up in f32, where here it is f64. */
typedef struct weft_nadam_options {
    size_t struct_size;    /* set by WEFT_NADAM_DEFAULTS */
    double lr;             /* default 0.002 */
    double beta1;          /* in [0, 1); default 0.9 */
    double beta2;          /* in [0, 1); default 0.999 */
    double eps;            /* default 1e-8 */
    double weight_decay;   /* default 0 */
    double momentum_decay; /* default 0.004 */
    bool decoupled;        /* PyTorch's decoupled_weight_decay; default false */
    bool allow_missing;    /* as above */
    bool master_weights;   /* as above */
} weft_nadam_options;
#define WEFT_NADAM_DEFAULTS                                                                                            \
    {                                                                                                                  \
        sizeof(weft_nadam_options), 0.002, 0.9, 0.999, 1e-8, 0, 0.004, false, false, false                             \
    }
WEFT_API WEFT_MUST_CHECK weft_status weft_nadam_open(weft_ctx *ctx, weft_tensor *const *params, int n,
                                                     const weft_nadam_options *options, weft_optim **out);

/* p <- p (1 - lr weight_decay) - lr sign(beta1 m + (1 - beta1) g); m <- beta2 m + (1 - beta2) g. State: m. A gradient
 * that is NaN makes the parameter NaN, where the sign of NaN as 0 would hide it. Source: Chen et al. 2023; PyTorch has
 * none. */
typedef struct weft_lion_options {
    size_t struct_size;  /* set by WEFT_LION_DEFAULTS */
    double lr;           /* default 1e-4 */
    double beta1;        /* in [0, 1); default 0.9 */
    double beta2;        /* in [0, 1); default 0.99 */
    double weight_decay; /* default 0 */
    bool allow_missing;  /* as above */
    bool master_weights; /* as above */
} weft_lion_options;
#define WEFT_LION_DEFAULTS                                                                                             \
    {                                                                                                                  \
        sizeof(weft_lion_options), 1e-4, 0.9, 0.99, 0, false, false                                                    \
    }
WEFT_API WEFT_MUST_CHECK weft_status weft_lion_open(weft_ctx *ctx, weft_tensor *const *params, int n,
                                                    const weft_lion_options *options, weft_optim **out);

/* ---- Optimisers made of public operations ----
 * They have no step as an operation. Each parameter is stepped by itself: where memory ends in the middle, the error
 * says which parameter was not stepped; those before it were, and weft_optim_steps has not counted the step. */

/* m and v as Adam's; r = (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps) + weight_decay p;
 * p <- p - lr |p| / |r| r, with norms over the parameter, and 1 for their quotient where one is 0. State: m, v.
 * Source: You et al. 2020; PyTorch has none. */
typedef struct weft_lamb_options {
    size_t struct_size;  /* set by WEFT_LAMB_DEFAULTS */
    double lr;           /* default 0.001 */
    double beta1;        /* in [0, 1); default 0.9 */
    double beta2;        /* in [0, 1); default 0.999 */
    double eps;          /* default 1e-6 */
    double weight_decay; /* default 0 */
    bool allow_missing;  /* as above */
    bool master_weights; /* as above */
} weft_lamb_options;
#define WEFT_LAMB_DEFAULTS                                                                                             \
    {                                                                                                                  \
        sizeof(weft_lamb_options), 0.001, 0.9, 0.999, 1e-6, 0, false, false                                            \
    }
WEFT_API WEFT_MUST_CHECK weft_status weft_lamb_open(weft_ctx *ctx, weft_tensor *const *params, int n,
                                                    const weft_lamb_options *options, weft_optim **out);

/* With c = t^beta2_decay: of a parameter [..., R, C] r <- r + c (mean of g^2 over C - r), s <- s + c (mean over R - s),
 * v = r s / max(mean of r over R, eps1); of one with fewer dims v <- v + c (g^2 - v). u = g / sqrt(max(v, eps1^2));
 * a = max(eps2, rms(p)) min(lr, 1 / sqrt(t)); p <- p (1 - lr weight_decay) - a u / max(1, rms(u) / d).
 * State: all r, then all s, then all v, each of the parameters that have it. Source: Shazeer & Stern 2018, in the form
 * used by PyTorch, whose eps1 is the spacing of the parameter's dtype at 1 where nothing is said. */
typedef struct weft_adafactor_options {
    size_t struct_size;  /* set by WEFT_ADAFACTOR_DEFAULTS */
    double lr;           /* the largest rate; default 0.01 */
    double beta2_decay;  /* in [-1, 0]; default -0.8 */
    double eps1;         /* default 2^-23 */
    double eps2;         /* default 0.001 */
    double d;            /* > 0; default 1 */
    double weight_decay; /* default 0 */
    bool allow_missing;  /* as above */
    bool master_weights; /* as above */
} weft_adafactor_options;
#define WEFT_ADAFACTOR_DEFAULTS                                                                                        \
    {                                                                                                                  \
        sizeof(weft_adafactor_options), 0.01, -0.8, 0x1p-23, 1e-3, 1, 0, false, false                                  \
    }
WEFT_API WEFT_MUST_CHECK weft_status weft_adafactor_open(weft_ctx *ctx, weft_tensor *const *params, int n,
                                                         const weft_adafactor_options *options, weft_optim **out);

/* What weft_muon_open multiplies the rate by, for a matrix [R, C]: sqrt(max(1, R / C)); 0.2 sqrt(max(R, C)), with which
 * rates and decays of AdamW fit; sqrt(R / C). */
typedef enum weft_muon_scale {
    WEFT_MUON_SCALE_ORIGINAL,
    WEFT_MUON_SCALE_MATCH_RMS_ADAMW,
    WEFT_MUON_SCALE_SPECTRAL
} weft_muon_scale;

/* For parameters of 2 dims: m <- momentum m + (1 - momentum) g; x = m, with nesterov (1 - momentum) g + momentum m;
 * x <- x / max(|x|, eps), transposed if it has more rows than columns, and `iterations` times
 * x <- 3.4445 x + (-4.7750 A + 2.0315 A A) x with A = x x^T; p <- p (1 - lr weight_decay) - lr scale x. State: m.
 * Source: Jordan et al. 2024, in the form used by PyTorch, which computes x in bf16: here it is f32, of f64 parameters
 * f64. */
typedef struct weft_muon_options {
    size_t struct_size;    /* set by WEFT_MUON_DEFAULTS */
    double lr;             /* default 0.001 */
    double weight_decay;   /* default 0.1 */
    double momentum;       /* in [0, 1); default 0.95 */
    double eps;            /* default 1e-7 */
    int iterations;        /* 0 to 99; PyTorch's ns_steps; default 5 */
    weft_muon_scale scale; /* PyTorch's adjust_lr_fn; default WEFT_MUON_SCALE_ORIGINAL */
    bool nesterov;         /* default true */
    bool allow_missing;    /* as above */
    bool master_weights;   /* as above */
} weft_muon_options;
#define WEFT_MUON_DEFAULTS                                                                                             \
    {                                                                                                                  \
        sizeof(weft_muon_options), 0.001, 0.1, 0.95, 1e-7, 5, WEFT_MUON_SCALE_ORIGINAL, true, false, false             \
    }
WEFT_API WEFT_MUST_CHECK weft_status weft_muon_open(weft_ctx *ctx, weft_tensor *const *params, int n,
                                                    const weft_muon_options *options, weft_optim **out);

/* Which quotient is the rate: s s / (s y), or s y / (y y), the shorter one. */
typedef enum weft_barzilai_borwein_form {
    WEFT_BARZILAI_BORWEIN_FORM_LONG,
    WEFT_BARZILAI_BORWEIN_FORM_SHORT
} weft_barzilai_borwein_form;

/* p <- p - a g, where a is the quotient of form, with s what all parameters together moved by since the last step and y
 * what their gradient changed by. a is lr at the first step, and where s y is not above 0: the loss curves downwards
 * there. State: the parameters and the gradient at the last step. Source: Barzilai & Borwein 1988 (Gorgonia's
 * BarzilaiBorweinSolver); PyTorch has none. */
typedef struct weft_barzilai_borwein_options {
    size_t struct_size;              /* set by WEFT_BARZILAI_BORWEIN_DEFAULTS */
    double lr;                       /* default 0.001 */
    weft_barzilai_borwein_form form; /* default WEFT_BARZILAI_BORWEIN_FORM_LONG */
    bool allow_missing;              /* as above */
    bool master_weights;             /* as above */
} weft_barzilai_borwein_options;
#define WEFT_BARZILAI_BORWEIN_DEFAULTS                                                                                 \
    {                                                                                                                  \
        sizeof(weft_barzilai_borwein_options), 0.001, WEFT_BARZILAI_BORWEIN_FORM_LONG, false, false                    \
    }
WEFT_API WEFT_MUST_CHECK weft_status weft_barzilai_borwein_open(weft_ctx *ctx, weft_tensor *const *params, int n,
                                                                const weft_barzilai_borwein_options *options,
                                                                weft_optim **out);

/* Quasi-Newton steps, up to max_iter of them in one weft_optim_step_with, along d = -H g, where H comes from the last
 * history_size changes of parameters and gradient. Their length is lr (at first min(1, 1 / |g|_1) lr), or with
 * strong_wolfe what a search along d finds that begins there. Ends early when the gradient's largest element is at most
 * tolerance_grad, a step or the change of the loss below tolerance_change, or the loss was asked for max_eval times.
 * The loss must be the same function each time: no dropout, one batch. After an error the parameters are where the
 * search was. State: direction and last gradient [N] of all parameters' N elements, changes and moves
 * [history_size, N], and an f64 [5 + history_size] of numbers. Source: Nocedal 1980, in the form used by PyTorch. */
typedef struct weft_lbfgs_options {
    size_t struct_size;      /* set by WEFT_LBFGS_DEFAULTS */
    double lr;               /* default 1 */
    int max_iter;            /* at least 1; default 20 */
    int max_eval;            /* at least 1; default 25 */
    int history_size;        /* at least 1; default 100 */
    double tolerance_grad;   /* default 1e-7 */
    double tolerance_change; /* default 1e-9 */
    bool strong_wolfe;       /* PyTorch's line_search_fn="strong_wolfe"; default false */
    bool allow_missing;      /* as above */
    bool master_weights;     /* as above */
} weft_lbfgs_options;
#define WEFT_LBFGS_DEFAULTS                                                                                            \
    {                                                                                                                  \
        sizeof(weft_lbfgs_options), 1, 20, 25, 100, 1e-7, 1e-9, false, false, false                                    \
    }
WEFT_API WEFT_MUST_CHECK weft_status weft_lbfgs_open(weft_ctx *ctx, weft_tensor *const *params, int n,
                                                     const weft_lbfgs_options *options, weft_optim **out);

/* ---- Using one ---- */

/* Frees the optimiser and gives up its parameters. NULL and a handle whose optimiser has ended are fine. */
WEFT_API void weft_optim_close(weft_optim *optim);

/* One step over all parameters, in place, not recorded. A parameter without a gradient is the error WEFT_E_NO_GRADIENT,
 * which says which one and what cut it off, and then nothing is changed. */
WEFT_API weft_status weft_optim_step(weft_ctx *ctx, weft_optim *optim);
/* Clears the gradients, calls loss, which computes it, calls weft_backward and returns it (weft_item), and steps. An
 * L-BFGS calls loss several times and has no other step. *value (or NULL) is the first loss; NAN after an error. */
WEFT_API weft_status weft_optim_step_with(weft_ctx *ctx, weft_optim *optim, double (*loss)(weft_ctx *ctx, void *user),
                                          void *user, double *value);
WEFT_API weft_status weft_optim_zero_grad(weft_ctx *ctx, weft_optim *optim);

WEFT_API double weft_optim_lr(const weft_optim *optim); /* NAN where there is no optimiser */
/* lr finite, >= 0, 0 too. WEFT_E_INVALID is recorded; WEFT_E_NULL_ARGUMENT for NULL. */
WEFT_API weft_status weft_optim_set_lr(weft_optim *optim, double lr);
/* The rate that it was opened with, which schedules (schedule.h) start from; PyTorch's initial_lr. */
WEFT_API double weft_optim_base_lr(const weft_optim *optim);
WEFT_API int64_t weft_optim_steps(const weft_optim *optim); /* steps taken so far; 0 where there is no optimiser */

/* State for checkpoints, in the order that is said with the options: of the first kind (velocity, first moments) one
 * tensor for each parameter in their order, then of the second; last, with master_weights, the copies of the half
 * parameters in the order of these. Of the parameter's shape; f32 for half parameters, else of its dtype. Returns their
 * number and fills state[0..min(number, room)); the tensors belong to the optimiser and may be written to (weft_write).
 * With them go the parameters and weft_optim_steps. */
WEFT_API int weft_optim_state(weft_optim *optim, weft_tensor **state, int room);
/* steps 0 to 2^53; errors as of weft_optim_set_lr. */
WEFT_API weft_status weft_optim_set_steps(weft_optim *optim, int64_t steps);

/* ---- Parameter groups ---- */

/* One optimiser of n >= 1 others, its groups: each has its own parameters, options, even rule (Muon for matrices and
 * AdamW for all else). It steps, clears and closes them all; rate and steps that are asked for are the first group's,
 * those that are set are set for all, and the state is the groups' one after the other. A parameter in two groups, an
 * L-BFGS, and one that is joined itself, are refused (WEFT_E_INVALID). On failure *out is NULL and the n others stay
 * the caller's. */
WEFT_API WEFT_MUST_CHECK weft_status weft_optim_join(weft_ctx *ctx, weft_optim *const *optims, int n, weft_optim **out);

/* How many groups there are: 1 for an optimiser that was not joined; 0 where there is none. Group 0 ... of them, whose
 * rate may be set by itself; it is closed with what joins it. NULL: there is no such group; recorded. */
WEFT_API int weft_optim_groups(const weft_optim *optim);
WEFT_API weft_optim *weft_optim_group(weft_optim *optim, int group);

/* ---- Averages of parameters ---- */

typedef struct weft_ema weft_ema;

/* e <- decay e + (1 - decay) p for n >= 1 contiguous leaves, each listed once; e <- p at the first update. e is f32
 * beside a half parameter, else of its dtype. decay in (0, 1). PyTorch: swa_utils.AveragedModel with
 * get_ema_multi_avg_fn. The context owns it as it does optimisers. */
WEFT_API WEFT_MUST_CHECK weft_status weft_ema_open(weft_ctx *ctx, weft_tensor *const *params, int n, double decay,
                                                   weft_ema **out);
WEFT_API void weft_ema_close(weft_ema *ema);

/* After weft_optim_step, in one pass. */
WEFT_API weft_status weft_ema_update(weft_ctx *ctx, weft_ema *ema);

/* Puts the averages into the parameters, to evaluate, and the parameters back, bit for bit. WEFT_E_STATE for the wrong
 * one of both, and for an update in between. Without memory to keep the parameters nothing changes. */
WEFT_API weft_status weft_ema_swap_in(weft_ctx *ctx, weft_ema *ema);
WEFT_API weft_status weft_ema_swap_out(weft_ctx *ctx, weft_ema *ema);

/* For checkpoints: the averages, as weft_optim_state gives state, and the number of updates. */
WEFT_API int weft_ema_state(weft_ema *ema, weft_tensor **state, int room);
WEFT_API int64_t weft_ema_updates(const weft_ema *ema);
WEFT_API weft_status weft_ema_set_updates(weft_ema *ema, int64_t updates);

/* ---- Steps without one ---- */

/* What a step (weft_sgd_step ... of ops.h) works on: lists with an entry for each parameter. Parameters, state and
 * master weights are changed in place; all tensors are contiguous, of their parameter's shape, and gradients of its
 * dtype. State is f32 beside a half parameter, else of the parameter's dtype; NULL where there is none. */
typedef struct weft_step_lists {
    size_t struct_size;         /* set by WEFT_STEP_LISTS_DEFAULTS; all else is 0 or NULL there */
    weft_tensor *const *params; /* [n] */
    weft_tensor *const *grads;  /* [n]; NULL: the parameter is left alone, and what belongs to it */
    weft_tensor *const *state;  /* [kinds n], kind by kind, as weft_optim_state gives it before the first step */
    weft_tensor *const *master; /* [n]: f32 for a half parameter, or NULL; NULL for all others; NULL: none has */
    int n;                      /* at least 1 */
    int64_t step;               /* number of this step, counted from 1 */
} weft_step_lists;
#define WEFT_STEP_LISTS_DEFAULTS                                                                                       \
    {                                                                                                                  \
        sizeof(weft_step_lists), NULL, NULL, NULL, NULL, 0, 0                                                          \
    }

/* ---- Clipping ---- */

/* Scales the gradients of n leaves in place so that their joint Euclidean norm is at most max_norm (> 0), and returns
 * the norm from before, added up in f32 (f64 for f64) whatever the gradients' type. A leaf that is listed twice counts
 * once, one without a gradient nothing. A norm that is not finite is returned and nothing is scaled. NAN after an
 * error. Source: Pascanu et al. 2013. */
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
#define weft_rmsprop_open(...) (WEFT_HERE("rmsprop_open"), weft_rmsprop_open(__VA_ARGS__))
#define weft_adagrad_open(...) (WEFT_HERE("adagrad_open"), weft_adagrad_open(__VA_ARGS__))
#define weft_adadelta_open(...) (WEFT_HERE("adadelta_open"), weft_adadelta_open(__VA_ARGS__))
#define weft_nadam_open(...) (WEFT_HERE("nadam_open"), weft_nadam_open(__VA_ARGS__))
#define weft_lion_open(...) (WEFT_HERE("lion_open"), weft_lion_open(__VA_ARGS__))
#define weft_lamb_open(...) (WEFT_HERE("lamb_open"), weft_lamb_open(__VA_ARGS__))
#define weft_adafactor_open(...) (WEFT_HERE("adafactor_open"), weft_adafactor_open(__VA_ARGS__))
#define weft_muon_open(...) (WEFT_HERE("muon_open"), weft_muon_open(__VA_ARGS__))
#define weft_barzilai_borwein_open(...) (WEFT_HERE("barzilai_borwein_open"), weft_barzilai_borwein_open(__VA_ARGS__))
#define weft_lbfgs_open(...) (WEFT_HERE("lbfgs_open"), weft_lbfgs_open(__VA_ARGS__))
#define weft_optim_step(...) (WEFT_HERE("optim_step"), weft_optim_step(__VA_ARGS__))
#define weft_optim_zero_grad(...) (WEFT_HERE("optim_zero_grad"), weft_optim_zero_grad(__VA_ARGS__))
#define weft_optim_set_lr(...) (WEFT_HERE("optim_set_lr"), weft_optim_set_lr(__VA_ARGS__))
#define weft_optim_set_steps(...) (WEFT_HERE("optim_set_steps"), weft_optim_set_steps(__VA_ARGS__))
#define weft_optim_step_with(...) (WEFT_HERE("optim_step_with"), weft_optim_step_with(__VA_ARGS__))
#define weft_optim_join(...) (WEFT_HERE("optim_join"), weft_optim_join(__VA_ARGS__))
#define weft_ema_open(...) (WEFT_HERE("ema_open"), weft_ema_open(__VA_ARGS__))
#define weft_ema_update(...) (WEFT_HERE("ema_update"), weft_ema_update(__VA_ARGS__))
#define weft_ema_swap_in(...) (WEFT_HERE("ema_swap_in"), weft_ema_swap_in(__VA_ARGS__))
#define weft_ema_swap_out(...) (WEFT_HERE("ema_swap_out"), weft_ema_swap_out(__VA_ARGS__))
#define weft_ema_set_updates(...) (WEFT_HERE("ema_set_updates"), weft_ema_set_updates(__VA_ARGS__))
#define weft_clip_grad_norm(...) (WEFT_HERE("clip_grad_norm"), weft_clip_grad_norm(__VA_ARGS__))
#define weft_clip_grad_value(...) (WEFT_HERE("clip_grad_value"), weft_clip_grad_value(__VA_ARGS__))
#endif
#endif
