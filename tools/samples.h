/* samples.h - operands for every operation, small ones for gradcheck and large ones for bench, and the call itself.
 *
 * Families with a common signature are called through weft_op_describe; every other operation has a recipe in
 * samples.c, which says in a few letters what its operands are. A new operation of the table needs a recipe there: a
 * test of the command fails otherwise. */
#ifndef WEFT_TOOLS_SAMPLES_H
#define WEFT_TOOLS_SAMPLES_H

#include <weft/weft.h>

enum { MOST_OPERANDS = 5 };

typedef struct recipe recipe;

typedef struct sample {
    weft_op_description op;
    const recipe *how; /* NULL: through op.call */
    int rank;   /* dims of the shape that it is made for: 2 (rows, columns) or 4 (batch, channels, height, width) */
    bool inner; /* a product of rank 2, which takes a third size: what its sums are over; 0: as many as columns */
} sample;

typedef struct operands {
    weft_tensor *in[MOST_OPERANDS];
    bool smooth[MOST_OPERANDS]; /* a gradient with respect to it makes sense */
    int n;
} operands;

/* Finds operation index (of weft_op_describe). False if it has no recipe (only one that is no function of tensors, as
 * the optimiser steps). */
bool sample_find(int index, sample *s);

/* Makes the operands for a shape of s->rank sizes (and a third one or 0 after two), in the innermost scope: values of
 * the test domain, the same at each call. spread: values are chosen on the host, evenly and apart from kinks, for few
 * elements; else random ones made on the device. False after an error of the context. */
bool sample_make(const sample *s, weft_ctx *ctx, weft_dtype dtype, const int64_t *shape, bool spread, operands *out);

/* Runs the operation. NULL after an error of the context. */
weft_tensor *sample_run(const sample *s, weft_ctx *ctx, weft_tensor *const *in);

/* Bytes that one run must read and write at least: operands and result, each once; 0 for views. */
double sample_bytes(const sample *s, const operands *all, weft_tensor *result);

/* Floating-point operations of one run by the usual count: 2 for each multiply-add of products and convolutions, else
 * one for each element of the first operand; 0 for views. */
double sample_flops(const sample *s, const operands *all, const int64_t *shape);

/* Whether it is differentiable in one of its operands, by itself. */
bool sample_has_gradient(const sample *s);

/* The same for the gradients: the cotangent read and each gradient written, once; and the flops of the operation once
 * for each gradient of an operand of two dims or more, as it is for products. What else a derivative reads depends on
 * it. */
double sample_gradient_bytes(const sample *s, const operands *all, weft_tensor *result);
double sample_gradient_flops(const sample *s, const operands *all, const int64_t *shape);

#endif
