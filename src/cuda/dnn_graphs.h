/* dnn_graphs.h - the graphs that Weft asks cuDNN for: what each needs to know, and the numbers of its tensors (+ 1).
 * The structs are compared as bytes: start from zeros. */
#ifndef WEFT_CUDA_DNN_GRAPHS_H
#define WEFT_CUDA_DNN_GRAPHS_H

#include "dnn_plan.h"

/* ---- Convolution (dnn_graph_conv.c) ---- */

typedef enum weft__dnn_way { WEFT__DNN_FORWARD, WEFT__DNN_DATA, WEFT__DNN_FILTER } weft__dnn_way;

typedef enum weft__dnn_role {
    WEFT__DNN_IMAGE,
    WEFT__DNN_WEIGHTS,
    WEFT__DNN_GRID,
    WEFT__DNN_ROLES,
    WEFT__DNN_BIAS = WEFT__DNN_ROLES,
    WEFT__DNN_CONV_TENSORS
} weft__dnn_role;

/* grid = image * weights. One of the three is the result, as way says. */
typedef struct weft__dnn_conv {
    int64_t way, data_type; /* weft__dnn_way; WEFT__DNN_DATA_... of all arrays; sums are f32 */
    int64_t bias;           /* 1: a value for each channel of the result is added (not with FILTER) */
    int64_t alignment;      /* in bytes, of every array */
    weft__dnn_layout arrays[WEFT__DNN_ROLES];
    int64_t stride[2], padding[2], dilation[2];
} weft__dnn_conv;

weft__dnn_problem weft__dnn_conv_problem(const weft__dnn_conv *conv);

/* ---- Attention (dnn_graph_attention.c) ---- */

/* Those up to SHIFT take part both ways. */
typedef enum weft__dnn_attention_tensor {
    WEFT__DNN_Q,      /* [batch, heads, queries, width] */
    WEFT__DNN_K,      /* [batch, heads, keys, width] */
    WEFT__DNN_V,      /* [batch, heads, keys, columns] */
    WEFT__DNN_Y,      /* [batch, heads, queries, columns] */
    WEFT__DNN_LSE,    /* f32 [batch, heads, queries], without gaps */
    WEFT__DNN_SCALE,  /* f32, in host memory like the next two */
    WEFT__DNN_HIDDEN, /* f32, the score of a key that is not seen: -inf */
    WEFT__DNN_SHIFT,  /* i32, keys - queries */
    WEFT__DNN_ATTENTION_TENSORS,
    WEFT__DNN_G = WEFT__DNN_ATTENTION_TENSORS, /* y's gradient */
    WEFT__DNN_DQ,
    WEFT__DNN_DK,
    WEFT__DNN_DV,
    WEFT__DNN_DELTA, /* f32 like lse, work space: sums of g y */
    WEFT__DNN_ONE,   /* f32 1, in host memory */
    WEFT__DNN_ATTENTION_GRAD_TENSORS
} weft__dnn_attention_tensor;

/* y = softmax(scale q k^T) v with its lse, or its gradients. Causal: query t sees the keys up to t + keys - queries,
 * and keys >= queries. */
typedef struct weft__dnn_attention {
    int64_t grad, causal, data_type; /* halves; all else is f32 */
    int64_t by_number;               /* 1: the gradients' engine is the one for compute capability 10 */
    int64_t batch, heads, queries, keys, width, columns;
    /* Of q, k, v, y and g: along batch, heads and rows; within a row 1. Gradients lie without gaps. */
    int64_t q[3], k[3], v[3], y[3], g[3];
} weft__dnn_attention;

weft__dnn_problem weft__dnn_attention_problem(const weft__dnn_attention *attention);

#endif
