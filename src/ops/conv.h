/* conv.h - what convolutions of pictures and of volumes share. */
#ifndef WEFT_OPS_CONV_H
#define WEFT_OPS_CONV_H

#include "define.h"

/* The fields of a layer's parameters, dims of each. */
typedef struct weft__conv_fields {
    const int64_t *stride, *padding, *dilation, *output_padding;
    int dims;
    int64_t groups;
} weft__conv_fields;

/* Whether each is in its range; false: error recorded. x is the first operand. */
bool weft__conv_fields_fit(weft_ctx *ctx, int op, const weft__conv_fields *f, const weft_tensor *x);

#endif
