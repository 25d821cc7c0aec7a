/* attrs.h - the attributes of an operation as plain data, and the contract of every kernel that is found by name.
 *
 * Front ends, kernels and derivatives use the struct of their operation. The tape and saved runs, which know no
 * operation, see the same as ni integers and nf reals; so every struct is made of whole int64_t and double, its
 * integers from numbers.i[0] on and its reals from numbers.f[0] on. */
#ifndef WEFT_BASE_ATTRS_H
#define WEFT_BASE_ATTRS_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define WEFT__MAX_INT_ATTRS 24
#define WEFT__MAX_REAL_ATTRS 8

/* Between n integers and the reals. */
#define WEFT__AFTER(n) int64_t unused_[WEFT__MAX_INT_ATTRS - (n)]

/* ---- One struct for each kind of operation ---- */

/* UNARY_P */
typedef struct weft__scalar_attrs {
    WEFT__AFTER(0);
    double p, q;
} weft__scalar_attrs;

typedef struct weft__reduce_attrs {
    int64_t dims; /* bit d: dim d is reduced */
    int64_t keepdim;
} weft__reduce_attrs;

typedef struct weft__scan_attrs {
    int64_t dim;
    int64_t reverse; /* from each element on, not up to it */
} weft__scan_attrs;

typedef struct weft__cast_attrs {
    int64_t dtype; /* weft_dtype */
} weft__cast_attrs;

/* var_mean: as a reduction */
typedef struct weft__var_attrs {
    int64_t dims, keepdim;
    WEFT__AFTER(2);
    double correction;
} weft__var_attrs;

typedef struct weft__topk_attrs {
    int64_t dim, k, largest;
} weft__topk_attrs;

/* softmax, log_softmax, concat, indexing, unsqueeze */
typedef struct weft__along_attrs {
    int64_t dim;
} weft__along_attrs;

/* reshape, expand: ni sizes; permute: ni dims */
typedef struct weft__shape_attrs {
    int64_t sizes[8];
} weft__shape_attrs;

typedef struct weft__transpose_attrs {
    int64_t dim0, dim1;
} weft__transpose_attrs;

typedef struct weft__squeeze_attrs {
    int64_t dims;   /* bit d: dim d goes if its size is 1 */
    int64_t listed; /* another size is an error */
} weft__squeeze_attrs;

typedef struct weft__slice_attrs {
    int64_t dim, start, stop, step;
} weft__slice_attrs;

typedef struct weft__select_attrs {
    int64_t dim, index;
} weft__select_attrs;

typedef struct weft__flip_attrs {
    int64_t dims; /* bit d: dim d is reversed */
} weft__flip_attrs;

typedef struct weft__pad_attrs {
    int64_t before[8], after[8];
    WEFT__AFTER(16);
    double value; /* converted as CAST does */
} weft__pad_attrs;

typedef struct weft__fill_attrs {
    WEFT__AFTER(0);
    double value; /* converted as CAST does (number.h) */
} weft__fill_attrs;

typedef struct weft__arange_attrs {
    int64_t ends;                    /* 1: the last element is last exactly */
    int64_t whole_start, whole_step; /* for integer dtypes */
    WEFT__AFTER(3);
    double start, step, last;
} weft__arange_attrs;

/* What rand, randn, randint and those by chance begin with. */
typedef struct weft__draw_attrs {
    int64_t seed; /* Philox key, 64 bits */
    int64_t call; /* number of the random call in the context */
} weft__draw_attrs;

typedef struct weft__rand_attrs {
    int64_t seed, call;
    WEFT__AFTER(2);
    double lo, hi;
} weft__rand_attrs;

typedef struct weft__randn_attrs {
    int64_t seed, call;
    WEFT__AFTER(2);
    double mean, std;
} weft__randn_attrs;

typedef struct weft__randint_attrs {
    int64_t seed, call, lo, hi; /* hi: exclusive */
} weft__randint_attrs;

/* bernoulli: of a 1; dropout: of a 0 */
typedef struct weft__chance_attrs {
    int64_t seed, call;
    WEFT__AFTER(2);
    double p;
} weft__chance_attrs;

typedef struct weft__dropout_grad_attrs {
    WEFT__AFTER(0);
    double p;
} weft__dropout_grad_attrs;

typedef struct weft__linear_attrs {
    int64_t activation; /* weft_activation */
} weft__linear_attrs;

typedef struct weft__cross_entropy_attrs {
    int64_t reduction; /* weft_reduction */
    int64_t ignore_index;
    WEFT__AFTER(2);
    double label_smoothing;
} weft__cross_entropy_attrs;

typedef struct weft__attention_attrs {
    int64_t causal;
    WEFT__AFTER(1);
    double scale; /* not 0 */
} weft__attention_attrs;

/* layer_norm, rms_norm */
typedef struct weft__norm_attrs {
    int64_t size; /* elements that are normalised together */
    WEFT__AFTER(1);
    double eps;
} weft__norm_attrs;

typedef struct weft__batch_norm_attrs {
    WEFT__AFTER(0);
    double eps;
} weft__batch_norm_attrs;

/* two entries each: height, width */
typedef struct weft__conv_attrs {
    int64_t stride[2], padding[2], dilation[2], groups;
    int64_t output_padding[2]; /* conv2d_transpose: said by its result's size */
    int64_t filter[2];         /* conv2d_weight: the sizes of its result */
} weft__conv_attrs;

typedef struct weft__pool_attrs {
    int64_t kernel[2], stride[2], padding[2];
    int64_t size[2]; /* avg_unpool2d: of its result */
} weft__pool_attrs;

/* What all optimiser steps begin with. */
typedef struct weft__step_attrs {
    int64_t n; /* parameters */
} weft__step_attrs;

typedef struct weft__sgd_attrs {
    int64_t n;
    int64_t nesterov, first_step; /* first_step: velocity is unset */
    WEFT__AFTER(3);
    double lr, momentum, dampening, weight_decay; /* v = momentum v + (1 - dampening) g, see optim.h */
} weft__sgd_attrs;

typedef struct weft__adam_attrs {
    int64_t n;
    int64_t decoupled, step;
    WEFT__AFTER(3);
    double lr, beta1, beta2, eps, weight_decay;
} weft__adam_attrs;

/* ---- All of them ---- */

/* Every struct once: WHOLE(name, integers, varying), or MIXED(name, integers, reals, varying) where it has reals.
 * varying: what need not be the same when the same call is made again, in the next step of a training loop, so that a
 * recorded program must ask for it anew: WEFT__VARIES of each such field; all else is fixed. */
#define WEFT__ATTRS_STRUCTS(WHOLE, MIXED)                                                                              \
    MIXED(scalar, 0, 2, 0)                                                                                             \
    WHOLE(reduce, 2, 0)                                                                                                \
    MIXED(var, 2, 1, 0)                                                                                                \
    WHOLE(topk, 3, 0)                                                                                                  \
    WHOLE(cast, 1, 0)                                                                                                  \
    WHOLE(along, 1, 0)                                                                                                 \
    WHOLE(shape, 8, 0)                                                                                                 \
    WHOLE(transpose, 2, 0)                                                                                             \
    WHOLE(scan, 2, 0)                                                                                                  \
    WHOLE(squeeze, 2, 0)                                                                                               \
    WHOLE(slice, 4, 0)                                                                                                 \
    WHOLE(select, 2, 0)                                                                                                \
    WHOLE(flip, 1, 0)                                                                                                  \
    MIXED(pad, 16, 1, 0)                                                                                               \
    MIXED(fill, 0, 1, 0)                                                                                               \
    MIXED(arange, 3, 3, 0)                                                                                             \
    WHOLE(draw, 2, WEFT__VARIES(draw, seed) | WEFT__VARIES(draw, call))                                                \
    MIXED(rand, 2, 2, WEFT__VARIES(rand, seed) | WEFT__VARIES(rand, call))                                             \
    MIXED(randn, 2, 2, WEFT__VARIES(randn, seed) | WEFT__VARIES(randn, call))                                          \
    WHOLE(randint, 4, WEFT__VARIES(randint, seed) | WEFT__VARIES(randint, call))                                       \
    MIXED(chance, 2, 1, WEFT__VARIES(chance, seed) | WEFT__VARIES(chance, call))                                       \
    MIXED(dropout_grad, 0, 1, 0)                                                                                       \
    WHOLE(linear, 1, 0)                                                                                                \
    MIXED(cross_entropy, 2, 1, 0)                                                                                      \
    MIXED(attention, 1, 1, 0)                                                                                          \
    MIXED(norm, 1, 1, 0)                                                                                               \
    MIXED(batch_norm, 0, 1, 0)                                                                                         \
    WHOLE(conv, 11, 0)                                                                                                 \
    WHOLE(pool, 8, 0)                                                                                                  \
    WHOLE(step, 1, 0)                                                                                                  \
    MIXED(sgd, 3, 4, WEFT__VARIES(sgd, first_step) | WEFT__VARIES(sgd, lr))                                            \
    MIXED(adam, 3, 5, WEFT__VARIES(adam, step) | WEFT__VARIES(adam, lr))

/* Integer k is bit k, real k is bit WEFT__MAX_INT_ATTRS + k. */
#define WEFT__VARIES(name, field) (1 << offsetof(weft__##name##_attrs, field) / 8)

typedef struct weft__attrs {
    int32_t ni, nf; /* how many of numbers.i and numbers.f are set */
    union {
        struct {
            int64_t i[WEFT__MAX_INT_ATTRS];
            double f[WEFT__MAX_REAL_ATTRS];
        } numbers; /* for the tape, saved runs and copies of attributes: whatever the operation is */
#define WHOLE(name, ...) weft__##name##_attrs name;
        WEFT__ATTRS_STRUCTS(WHOLE, WHOLE)
#undef WHOLE
    };
} weft__attrs;

enum {
#define WHOLE(name, ints, varying) WEFT__INTS_##name = ints, WEFT__REALS_##name = 0, WEFT__VARYING_##name = varying,
#define MIXED(name, ints, reals, varying)                                                                              \
    WEFT__INTS_##name = ints, WEFT__REALS_##name = reals, WEFT__VARYING_##name = varying,
    WEFT__ATTRS_STRUCTS(WHOLE, MIXED)
#undef WHOLE
#undef MIXED
        WEFT__INTS_none = 0,
    WEFT__REALS_none = 0,
    WEFT__VARYING_none = 0
};

/* In an initialiser of a weft__attrs: how many integers and reals that struct has. */
#define WEFT__COUNTS(name) .ni = WEFT__INTS_##name, .nf = WEFT__REALS_##name

/* Nothing but integers and reals, the latter where numbers.f is. */
#define WEFT__HAS_SIZE(name, bytes)                                                                                    \
    static_assert(sizeof(weft__##name##_attrs) == (bytes), "integers from numbers.i on, reals from numbers.f on");
#define WHOLE(name, ints, varying) WEFT__HAS_SIZE(name, 8 * (ints))
#define MIXED(name, ints, reals, varying)                                                                              \
    WEFT__HAS_SIZE(name, sizeof(int64_t[WEFT__MAX_INT_ATTRS]) + 8 * (reals))                                           \
    static_assert(sizeof((weft__##name##_attrs *)0)->unused_ == 8 * (WEFT__MAX_INT_ATTRS - (ints)), "its integers");
WEFT__ATTRS_STRUCTS(WHOLE, MIXED)
#undef WHOLE
#undef MIXED
#undef WEFT__HAS_SIZE

/* Kernel contracts. in[k] may be NULL where "or NULL" is said; out[k] likewise (not wanted). Shapes are already checked
 * and outputs allocated; outputs hold garbage. "any" = any strides; everything else arrives contiguous. Unless said
 * otherwise data is f32 or f64 (the driver, drive.c, converts half types to f32 before and after) and all floating
 * arrays of one call share a dtype; index arrays are i64. M, N ... are read off the arrays' shapes.
 * The last word names the struct of the attributes, if there are any; gradients get that of their operation.
 *
 * UNARY, PREDICATE      in x any                     out y            UNARY_P: scalar
 *  its gradient         in x|NULL, y|NULL, g any     out dx           scalar (NULL where the row does not save it)
 * BINARY, COMPARE       in a, b any (broadcast by stride 0 to out's shape)   out y
 *  its gradient         in a|NULL, b|NULL, y|NULL, g any   out da|NULL, db|NULL, both of the full (broadcast) shape
 * TERNARY               in c (bool), a, b any        out y
 *  its gradient         in c, g any                  out da|NULL, db|NULL
 * REDUCE                in x any, any dtype (FLT: floats)   out y     reduce
 *                       integers add up and multiply to i64; max, min: no bool
 *                       out's elements are x's kept dims in order; argmax/argmin write i64, any/all write bool
 * MAX_WITH_INDEX, MIN_WITH_INDEX   in x any, any dtype   out y, index i64   reduce, one dim
 * VAR_MEAN              in x any, any float          out var, mean     var
 * TOPK                  in x                         out y, index i64  topk
 * CAST                  in x any, any dtype          out y any (same shape), any dtype: converts      cast
 * COPY                  likewise
 * FILL                  out y any, any dtype         fill
 * ARANGE                out y [n], any dtype         arange
 * RAND                  out y, f32 f64 f16 bf16      rand
 * RANDN                 out y, f32 f64 f16 bf16      randn
 * RANDINT               out y, any dtype             randint
 * BERNOULLI             out y, any dtype             chance
 * COUNT_NONFINITE       in x any, f32 or f64         out y i64 []
 * MATMUL                in a [..., M, K] any, b [..., K, N] any (batch dims already broadcast by stride 0)
 *                       out [..., M, N]
 * LINEAR                in x [..., K], w [N, K] any, b [N] or NULL          out [..., N]
 * LINEAR_ACT            in x [..., K], w [N, K] any, b [N] or NULL          out y [..., N], pre [..., N] | NULL
 *                       linear;   y = act(pre), pre = x w^T + b, which is kept for the gradient of GELU_TANH alone
 * LINEAR_GRAD           in g [M, N], x [M, K]        out dw [N, K], db [N] | NULL
 *                       no attributes;   dw = g^T x, db the sums of g's columns
 * CONCAT                n inputs any, any dtype      out y            along
 * PAD                   in x any, any dtype          out y            pad
 * FLIP                  in x any, any dtype          out y            flip
 * CUMSUM                in x                         out y            scan;   integers add up to i64
 * GATHER                in x, index  (any dtype x)   out y (index's shape)   along
 * SCATTER_ADD           in x, index, src (f32 f64 i64)   out y (x's shape)   along
 * INDEX_SELECT          in x, index [n] (any dtype x)    out y        along
 * INDEX_ADD             in x, index [n], src (f32 f64 i64)   out y    along
 * EMBEDDING             in weight [V, D], index (any dtype weight)   out y
 * SOFTMAX, LOG_SOFTMAX  in x                         out y            along
 * SOFTMAX_GRAD          in y, g                      out dx           dx = y (g - sum(g y)), also where a y has rounded
 *                                                                     to 1
 * LOG_SOFTMAX_GRAD      in y, g                      out dx           dx = g - e^y sum(g)
 * CROSS_ENTROPY_WITH    in x [..., C], target [...]  out loss ([] or [...] for reduction none), lse [...]
 *                                                    cross_entropy
 * CROSS_ENTROPY_GRAD    in x, target, lse, g (loss's shape)   out dx
 * ATTENTION             in q [.., T, D], k [.., S, D], v [.., S, E]   out y [.., T, E], lse [.., T]   attention
 *                       lse: log of the sum of e^(scale q k) over the keys that the query sees; -inf without any
 * ATTENTION_GRAD        in q, k, v, y, lse, g (y's shape)     out dq|NULL, dk|NULL, dv|NULL
 * LAYER_NORM            in x [M.., N..], w|NULL, b|NULL    out y, mean [M], rstd [M]                norm
 * LAYER_NORM_GRAD       in g, x, w|NULL, mean, rstd        out dx|NULL, dw|NULL, db|NULL
 * RMS_NORM              in x, w|NULL                       out y, rstd [M]                          norm
 * RMS_NORM_GRAD         in g, x, w|NULL, rstd              out dx|NULL, dw|NULL
 * BATCH_NORM            in x [N, C, S..], w|NULL, b|NULL   out y, mean [C], rstd [C], var [C] (biased)   batch_norm
 * BATCH_NORM_GRAD       in g, x, w|NULL, mean, rstd        out dx|NULL, dw|NULL, db|NULL
 *                       (norms: w, b and with them dw, db are each of x's dtype or, beside half types, f32)
 * DROPOUT               in x                         out y, mask (bool)      chance
 * DROPOUT_GRAD          in g, mask                   out dx                  dropout_grad
 * CONV2D                in x [N, C, H, W], w [K, C/groups, R, S], b [K] or NULL   out y [N, K, H', W']    conv
 * CONV2D_TRANSPOSE      in x [N, C, H, W], w [C, K/groups, R, S], b [K] or NULL
 *                       out y [N, K, H', W'] (size given by out)                                          conv
 * CONV2D_WEIGHT         in x [N, C, H, W], g [N, K, H', W']   out dw [K, C/groups, R, S]                  conv
 * MAX_POOL2D            in x [N, C, H, W]            out y, index i64 (into H*W of its plane)    pool
 * MAX_POOL2D_GRAD       in g, index                  out dx [N, C, H, W]
 * AVG_POOL2D            in x                         out y                   pool
 * AVG_UNPOOL2D          in g                         out dx [N, C, H, W]     pool
 * SGD_STEP              in params[n], grads[n], velocity[n], master[n]   changed in place, but for grads      sgd
 * ADAM_STEP             in params[n], grads[n], m[n], v[n], master[n]    changed in place, but for grads      adam
 *                       (both: every tensor by itself, contiguous. grads NULL: left alone. velocity all NULL: no
 *                       momentum. Beside a half parameter state is f32, and master, f32 or NULL, is what is stepped;
 *                       the parameter is that rounded, and where it was not so before, master is set to the parameter
 *                       first. Master beside a parameter of its own dtype: likewise, without that look. On the CPU
 *                       kernels know f32 and f64 and no master; half types and master are the driver's business)
 *
 * An index outside its dim, or a class outside [0, C), is reported by exec->host->fail with WEFT_E_INVALID naming the
 * position and the value. In-place rows (add_ ...) run the out-of-place kernel with out = in[0]. */

#endif
