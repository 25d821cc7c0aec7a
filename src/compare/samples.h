/* samples.h - the samples of the operations (weft/sample.h) in every layout, with the values at which formulas have a
 * case of their own. */
#ifndef WEFT_COMPARE_SAMPLES_H
#define WEFT_COMPARE_SAMPLES_H

#include "engine/engine.h"
#include <weft/compare.h>
#include <weft/sample.h>

typedef struct weft__sampler {
    weft_sample_call call;
    weft_tensor *leaves[WEFT_SAMPLE_OPERANDS];
    int n_leaves; /* kept: to be released */
} weft__sampler;

/* Makes the operands of a recipe of op, views of leaves where the layout asks for it. False after an error, or where
 * there is no such recipe. */
bool weft__sampler_make(weft__sampler *s, weft_ctx *ctx, int op, int recipe, weft_dtype dtype, weft_layout layout);
void weft__sampler_drop(weft__sampler *s);

#endif
