/* samples.h - operands for every public operation of the table, in any dtype and layout, and the call. */
#ifndef WEFT_COMPARE_SAMPLES_H
#define WEFT_COMPARE_SAMPLES_H

#include "core/core.h"
#include <weft/compare.h>

enum { WEFT__MOST_SAMPLES = 8 };

typedef struct weft__sampler {
    weft_ctx *ctx;
    weft_dtype dtype;
    weft_layout layout;
    double lo, hi;
    uint64_t state; /* of the values */
    bool zeros;     /* three elements are 0, whatever lo and hi are */
    double ignored; /* not 0: the second index is this class, which losses ignore */
    weft_tensor *leaves[WEFT__MOST_SAMPLES];
    int n_leaves; /* kept: to be released */
} weft__sampler;

/* Calls op on fresh operands; the result, or NULL after an error, or where there is nothing to call (*none: an
 * optimiser step or kernel row). */
weft_tensor *weft__sample_run(weft__sampler *s, int op, bool *none);
void weft__sample_drop(weft__sampler *s);

#endif
