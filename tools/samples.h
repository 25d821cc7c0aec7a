/* samples.h - the operations' samples (weft/sample.h) as gradcheck and bench use them: the points where formulas have a
 * case of their own, and the work of gradients. */
#ifndef WEFT_TOOLS_SAMPLES_H
#define WEFT_TOOLS_SAMPLES_H

#include <weft/sample.h>

typedef struct sample {
    weft_op_description op;
    weft_sample_description how;
    int index;
    int rank;   /* sizes that it is made for: 2 (rows, columns) or 4 (batch, channels, height, width) */
    bool inner; /* a product of rank 2, which takes a third size: what its sums are over; 0: as many as columns */
} sample;

/* Finds operation index (of weft_op_describe). False if it cannot be run by itself (optimiser steps, which need
 * state). */
bool sample_find(int index, sample *s);

/* Makes the operands of a recipe for few elements, on the host, with the points of sample_points.h. False after an
 * error of the context. */
bool sample_make(const sample *s, weft_ctx *ctx, weft_dtype dtype, const int64_t *sizes, int recipe,
                 weft_sample_call *call);

/* Those of the first recipe for many elements, at random on the device. */
bool sample_make_large(const sample *s, weft_ctx *ctx, weft_dtype dtype, const int64_t *sizes, weft_sample_call *call);

/* Runs the operation. What it gives as one tensor, or NULL after an error of the context. */
weft_tensor *sample_run(weft_sample_call *call);

/* What the gradients of a call cost that was run and costs so much itself: the cotangent read and each gradient
 * written, once; and the flops once for each gradient of an operand of two dims or more, as it is for products. What
 * else a derivative reads depends on it. */
void sample_gradient_work(const weft_sample_call *call, double *flops, double *bytes);

#endif
