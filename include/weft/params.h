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

/* What a loss does with its per-row values. */
typedef enum weft_reduction { WEFT_REDUCTION_NONE, WEFT_REDUCTION_MEAN, WEFT_REDUCTION_SUM } weft_reduction;

/* What weft_linear_act applies to its sums. The tanh form of GELU is the one that matrix libraries fuse. */
typedef enum weft_activation { WEFT_ACTIVATION_NONE, WEFT_ACTIVATION_RELU, WEFT_ACTIVATION_GELU_TANH } weft_activation;

/* What weft_interpolate makes elements of. */
typedef enum weft_interpolation {
    WEFT_INTERPOLATION_NEAREST,
    WEFT_INTERPOLATION_LINEAR,
    WEFT_INTERPOLATION_CUBIC,
    WEFT_INTERPOLATION_AREA
} weft_interpolation;

/* What weft_pad_mode adds: the elements beside the border mirrored, those of the border, or those of the other end. */
typedef enum weft_padding { WEFT_PADDING_REFLECT, WEFT_PADDING_REPLICATE, WEFT_PADDING_CIRCULAR } weft_padding;

/* Which direction of a Fourier transform of n elements is divided by n: the inverse (there and back is the same, and
 * the forward transform is the plain sum), none but each by sqrt(n) (lengths of vectors stay), or the forward one. */
typedef enum weft_fft_norm { WEFT_FFT_NORM_BACKWARD, WEFT_FFT_NORM_ORTHO, WEFT_FFT_NORM_FORWARD } weft_fft_norm;

/* What weft_grid_sample finds outside of a picture. */
typedef enum weft_outside { WEFT_OUTSIDE_ZERO, WEFT_OUTSIDE_BORDER, WEFT_OUTSIDE_REFLECTION } weft_outside;

/* What weft_embedding_bag makes of the rows of a bag. */
typedef enum weft_bag { WEFT_BAG_SUM, WEFT_BAG_MEAN, WEFT_BAG_MAX } weft_bag;

/* Flags of weft_triangular_solve. */
typedef enum weft_triangular_solve_flags {
    WEFT_TRIANGULAR_SOLVE_UPPER = 1,      /* a is upper, else lower */
    WEFT_TRIANGULAR_SOLVE_TRANSPOSED = 2, /* solves with the transpose of a, which is upper or lower before that */
    WEFT_TRIANGULAR_SOLVE_UNIT = 4,       /* the diagonal of a counts as 1 and is not read */
    WEFT_TRIANGULAR_SOLVE_RIGHT = 8       /* x a = b: a stands to the right */
} weft_triangular_solve_flags;

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

/* Three-dimensional convolution; triples are {depth, height, width}. NULL: the defaults. */
typedef struct weft_conv3d_params {
    size_t struct_size;        /* set by WEFT_CONV3D_DEFAULTS */
    int64_t stride[3];         /* at least 1; default 1 */
    int64_t padding[3];        /* zeros added on both sides; default 0 */
    int64_t dilation[3];       /* distance between kernel taps, at least 1; default 1 */
    int64_t output_padding[3]; /* conv3d_transpose only: more at the end; less than the stride or the dilation */
    int64_t groups;            /* at least 1, which is the default; must divide the channels of input and output */
} weft_conv3d_params;
#define WEFT_CONV3D_DEFAULTS                                                                                           \
    {                                                                                                                  \
        sizeof(weft_conv3d_params), {1, 1, 1}, {0, 0, 0}, {1, 1, 1}, {0, 0, 0}, 1                                      \
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

/* Three-dimensional pooling; triples are {depth, height, width}. */
typedef struct weft_pool3d_params {
    size_t struct_size; /* set by WEFT_POOL3D_DEFAULTS */
    int64_t kernel[3];  /* at least 1; there is no default */
    int64_t stride[3];  /* at least 1, or WEFT_POOL2D_KERNEL, the default: the kernel's size */
    int64_t padding[3]; /* at most half the kernel; default 0 */
} weft_pool3d_params;
#define WEFT_POOL3D_DEFAULTS                                                                                           \
    {                                                                                                                  \
        sizeof(weft_pool3d_params), {0, 0, 0}, {WEFT_POOL2D_KERNEL, WEFT_POOL2D_KERNEL, WEFT_POOL2D_KERNEL},           \
        {                                                                                                              \
            0, 0, 0                                                                                                    \
        }                                                                                                              \
    }

/* Windows over the last dims (weft_max_pool, weft_avg_pool, weft_lp_pool); entry k is that of the kth of these dims. */
typedef struct weft_window_params {
    size_t struct_size;  /* set by WEFT_WINDOW_DEFAULTS */
    int64_t ndim;        /* how many of the last dims, 1 to 3; default 2 */
    int64_t kernel[3];   /* at least 1; there is no default */
    int64_t stride[3];   /* at least 1, or WEFT_POOL2D_KERNEL, the default: the kernel's size */
    int64_t padding[3];  /* at most half of what a window reaches over; default 0 */
    int64_t dilation[3]; /* distance between the elements of a window, at least 1; default 1 */
    bool ceil_mode; /* also a last window that is not full, if it begins before the padding behind; default false */
    bool exclude_padding; /* avg_pool: the mean of the elements alone (PyTorch: not count_include_pad); default false */
} weft_window_params;
#define WEFT_WINDOW_DEFAULTS                                                                                           \
    {                                                                                                                  \
        sizeof(weft_window_params), 2, {0, 0, 0}, {WEFT_POOL2D_KERNEL, WEFT_POOL2D_KERNEL, WEFT_POOL2D_KERNEL},        \
            {0, 0, 0}, {1, 1, 1}, false, false                                                                         \
    }

/* Recurrent layers (weft_rnn, weft_gru, weft_lstm). NULL: the defaults. */
typedef struct weft_recurrent_params {
    size_t struct_size; /* set by WEFT_RECURRENT_DEFAULTS */
    int64_t layers;     /* from 1, which is the default, to 32 */
    bool bidirectional; /* a second direction, from the last step to the first; default false */
    bool batch_first;   /* x and y are [N, T, ...] and not [T, N, ...]; states are not; default false */
    bool relu;          /* weft_rnn only: in the place of tanh; default false */
} weft_recurrent_params;
#define WEFT_RECURRENT_DEFAULTS                                                                                        \
    {                                                                                                                  \
        sizeof(weft_recurrent_params), 1, false, false, false                                                          \
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

#ifdef __cplusplus
}
#endif
#endif
