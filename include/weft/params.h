/* params.h - plain structs that operations take by pointer.
 *
 * Each begins with struct_size and has a macro that sets it and gives every field its default:
 *
 *     weft_conv2d_params same = WEFT_CONV2D_DEFAULTS;
 *     same.padding[0] = same.padding[1] = 1;
 *     weft_tensor *y = weft_conv2d(x, w, b, &same);
 *
 * What a field says then is what is used, 0 too: no value stands for another one. So a struct that was not begun with
 * its macro, all of whose fields are 0, is refused (WEFT_E_INVALID, with a sentence) instead of being taken for a
 * choice. A program that was built with an earlier header gives fewer fields; the others have their defaults.
 *
 * Part of the public API; include <weft/weft.h>. */
#ifndef WEFT_PARAMS_H
#define WEFT_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weft_tensor;

/* What a loss does with its per-row values. */
typedef enum weft_reduction { WEFT_REDUCTION_NONE, WEFT_REDUCTION_MEAN, WEFT_REDUCTION_SUM } weft_reduction;

/* What weft_linear_act applies to its sums. The tanh form of GELU is the one that matrix libraries fuse. */
typedef enum weft_activation { WEFT_ACTIVATION_NONE, WEFT_ACTIVATION_RELU, WEFT_ACTIVATION_GELU_TANH } weft_activation;

/* Two-dimensional convolution; pairs are {height, width}. NULL: the defaults. */
typedef struct weft_conv2d_params {
    size_t struct_size;        /* set by WEFT_CONV2D_DEFAULTS */
    int64_t stride[2];         /* at least 1; default 1 */
    int64_t padding[2];        /* zeros added on both sides; default 0 */
    int64_t dilation[2];       /* distance between kernel taps, at least 1; default 1 */
    int64_t output_padding[2]; /* conv2d_transpose only: extra rows and columns at the end; less than the stride */
    int64_t groups;            /* at least 1, which is the default; must divide the channels of input and output */
} weft_conv2d_params;
#define WEFT_CONV2D_DEFAULTS                                                                                           \
    {                                                                                                                  \
        sizeof(weft_conv2d_params), {1, 1}, {0, 0}, {1, 1}, {0, 0}, 1                                                  \
    }

/* Two-dimensional pooling; pairs are {height, width}. */
typedef struct weft_pool2d_params {
    size_t struct_size; /* set by WEFT_POOL2D_DEFAULTS */
    int64_t kernel[2];  /* at least 1; there is no default */
    int64_t stride[2];  /* at least 1, or WEFT_POOL2D_KERNEL, the default: the kernel's size */
    int64_t padding[2]; /* at most half the kernel; default 0 */
} weft_pool2d_params;
#define WEFT_POOL2D_KERNEL (-1)
#define WEFT_POOL2D_DEFAULTS                                                                                           \
    {                                                                                                                  \
        sizeof(weft_pool2d_params), {0, 0}, {WEFT_POOL2D_KERNEL, WEFT_POOL2D_KERNEL},                                  \
        {                                                                                                              \
            0, 0                                                                                                       \
        }                                                                                                              \
    }

/* The scale of weft_attention that is 1 / sqrt(D) (1 if D is 0). Every other finite number is a scale, 0 too. */
#define WEFT_ATTENTION_SCALE (-1e308)

/* Batch normalisation. NULL: the defaults. */
typedef struct weft_batch_norm_params {
    size_t struct_size; /* set by WEFT_BATCH_NORM_DEFAULTS */
    double momentum;    /* share of the batch in the running values, in [0, 1]: 1 forgets what was, 0 leaves them */
    double eps;         /* added to the variance; at least 0 */
    bool training;      /* by the batch's own mean and variance; else by the running ones */
} weft_batch_norm_params;
#define WEFT_BATCH_NORM_DEFAULTS                                                                                       \
    {                                                                                                                  \
        sizeof(weft_batch_norm_params), 0.1, 1e-5, false                                                               \
    }

/* Steps of optimisers compute in f32, for f64 parameters in f64. State (velocity, m, v) is f32 beside parameters of
 * half types and else of the parameter's dtype. A half parameter takes the step and is rounded: steps below half of its
 * spacing (2^-9 of it in bf16, 2^-12 in f16) leave it where it is. Master weights, an f32 copy of the parameter, gather
 * them: the step is taken there, and the parameter is the copy rounded. master [n] has one for each half parameter that
 * is to have one, NULL for all others; master NULL: none has. Where a parameter is not its copy rounded, it was written
 * since, and the copy starts from it. */

/* v <- momentum v + (1 - dampening) g, with v = g at the first step; p <- p - lr v. Nesterov: p <- p - lr (g + momentum
 * v). g includes weight_decay p. Source: Sutskever et al. 2013, in the form used by PyTorch. */
typedef struct weft_sgd_step_params {
    size_t struct_size;  /* set by WEFT_SGD_STEP_DEFAULTS */
    double lr;           /* learning rate; default 0.01 */
    double momentum;     /* default 0: none, and no velocity */
    double dampening;    /* in [0, 1]; 0 with nesterov; default 0 */
    double weight_decay; /* default 0 */
    bool nesterov;       /* needs momentum > 0 */
    int64_t step; /* number of this step, counted from 1, where velocity holds nothing yet; there is no default */
    struct weft_tensor *const *master;
} weft_sgd_step_params;
#define WEFT_SGD_STEP_DEFAULTS                                                                                         \
    {                                                                                                                  \
        sizeof(weft_sgd_step_params), 0.01, 0, 0, 0, false, 0, NULL                                                    \
    }

/* m <- b1 m + (1 - b1) g; v <- b2 v + (1 - b2) g^2; p <- p - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps).
 * Coupled (Adam, Kingma & Ba 2015): g includes weight_decay p. Decoupled (AdamW, Loshchilov & Hutter 2019):
 * p <- p (1 - lr weight_decay) first. */
typedef struct weft_adam_step_params {
    size_t struct_size;  /* set by WEFT_ADAM_STEP_DEFAULTS */
    double lr;           /* default 0.001 */
    double beta1, beta2; /* in [0, 1); defaults 0.9 and 0.999 */
    double eps;          /* default 1e-8 */
    double weight_decay; /* default 0 */
    bool decoupled;      /* AdamW */
    int64_t step;        /* t: number of this step, counted from 1; there is no default */
    struct weft_tensor *const *master;
} weft_adam_step_params;
#define WEFT_ADAM_STEP_DEFAULTS                                                                                        \
    {                                                                                                                  \
        sizeof(weft_adam_step_params), 0.001, 0.9, 0.999, 1e-8, 0, false, 0, NULL                                      \
    }

#ifdef __cplusplus
}
#endif
#endif
