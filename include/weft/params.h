/* params.h - plain structs that operations take by pointer. A zero field means its default.
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

/* Two-dimensional convolution; pairs are {height, width}. */
typedef struct weft_conv2d_params {
    int64_t stride[2];         /* 0: 1 */
    int64_t padding[2];        /* zeros added on both sides; 0: none */
    int64_t dilation[2];       /* distance between kernel taps; 0: 1 */
    int64_t output_padding[2]; /* conv2d_transpose only: extra rows and columns at the end; less than the stride */
    int64_t groups;            /* 0: 1; must divide the channels of input and output */
} weft_conv2d_params;

/* Two-dimensional pooling; pairs are {height, width}. */
typedef struct weft_pool2d_params {
    int64_t kernel[2];  /* required */
    int64_t stride[2];  /* 0: the kernel size */
    int64_t padding[2]; /* at most half the kernel */
} weft_pool2d_params;

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
typedef struct weft_sgd_params {
    double lr;
    double momentum;
    double dampening; /* in [0, 1]; 0 with nesterov */
    double weight_decay;
    bool nesterov;
    bool first_step; /* velocity holds nothing yet: set it to g */
    struct weft_tensor *const *master;
} weft_sgd_params;

/* m <- b1 m + (1 - b1) g; v <- b2 v + (1 - b2) g^2; p <- p - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps).
 * Coupled (Adam, Kingma & Ba 2015): g includes weight_decay p. Decoupled (AdamW, Loshchilov & Hutter 2019):
 * p <- p (1 - lr weight_decay) first. */
typedef struct weft_adam_params {
    double lr;
    double beta1; /* in [0, 1), as is beta2 */
    double beta2;
    double eps;
    double weight_decay;
    bool decoupled;
    struct weft_tensor *const *master;
} weft_adam_params;

#ifdef __cplusplus
}
#endif
#endif
