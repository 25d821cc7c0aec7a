/* product.h - a matrix product as both of its paths see it, cuBLASLt's (blas.c) and the kernels' (kernels/matmul.cu).
 * C17 and C++17. */
#ifndef WEFT_CUDA_PRODUCT_H
#define WEFT_CUDA_PRODUCT_H

#include "engine/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WEFT__BATCH_DIMS = WEFT__MAX_DIMS - 2 };

/* y[s, i, j] = act(sum over l of a[s, i, l] b[s, l, j], + bias[j]). Any strides (in elements) of a and b, 0 to
 * broadcast; y is contiguous. All of one dtype, f32, f64, f16 or bf16; halves are added up in f32. Products of linear
 * layers, which alone have more than a bias, have no batches. */
typedef struct weft__cuda_product {
    int32_t dtype;
    int64_t m, n, k;         /* k may be 0: y is then the bias, or 0 */
    const void *a, *b;       /* [batch.., m, k], [batch.., k, n] */
    int64_t a_row, a_column; /* strides */
    int64_t b_row, b_column;
    const void *bias;   /* [n] or NULL */
    void *y;            /* [batch.., m, n] */
    int32_t activation; /* weft_activation */
    void *pre;          /* [m, n]: what the activation is applied to, or NULL */
    void *row_sums;     /* [m]: the sums of a's rows, or NULL */
    int64_t batches;    /* product of batch */
    int32_t dims;       /* of batch: 0 to WEFT__BATCH_DIMS, none of size 1 */
    int64_t batch[WEFT__BATCH_DIMS], a_batch[WEFT__BATCH_DIMS], b_batch[WEFT__BATCH_DIMS]; /* shape, strides */
} weft__cuda_product;

/* What e, a MATMUL, LINEAR, LINEAR_ACT or LINEAR_GRAD, asks for, with as few batch dims as its strides allow. */
void weft__cuda_describe_product(const weft__exec *e, weft__cuda_product *p);

/* Joins batch dims that are one in a and b both, and makes them rows of a where b is the same for all of them. */
void weft__cuda_join_batches(weft__cuda_product *p);

/* p's product without what else p asks for; the sums that an activation is applied to go where they are kept, or to
 * y. */
weft__cuda_product weft__cuda_bare_product(const weft__cuda_product *p);

/* Applies e's activation to the result of its bare product. */
typedef weft_status (*weft__cuda_rest)(const weft__exec *e);

/* Runs p by cuBLASLt. *done: false if there is none, or none of its algorithms does all that p asks for; p then still
 * describes the product. rest: what would apply p's activation instead, if it has one. is_first: of e's products. Only
 * where the module is built with cublasLt.h (WEFT__CUBLASLT). */
weft_status weft__cuda_product_library(const weft__exec *e, weft__cuda_product *p, weft__cuda_rest rest, bool is_first,
                                       bool *done);

/* The kernels: every product (kernels/matmul.cu), and those with m or n of 1 (kernels/matvec.cu), but for row_sums. */
weft_status weft__cuda_product_tiled(const weft__exec *e, const weft__cuda_product *p);
weft_status weft__cuda_product_vector(const weft__exec *e, const weft__cuda_product *p);

#ifdef __cplusplus
}
#endif

#endif
