/* conv.c - CONV2D, CONV2D_TRANSPOSE (the input gradient) and CONV2D_WEIGHT as matrix products over windows that are
 * packed straight from the image, a block at a time. */
#include "conv.h"

enum { SERIAL_TERMS = 128 * 1024 }; /* products below which a second thread does not pay */

static weft__windows windows_of(const weft__attrs *attrs, const int64_t *image, const int64_t *weights,
                                const int64_t *grid)
{
    weft__windows w = {
        .height = image[2], .width = image[3], .r = weights[2], .s = weights[3], .p = grid[2], .q = grid[3]};
    for (int d = 0; d < 2; d++) {
        w.stride[d] = attrs->conv.stride[d];
        w.padding[d] = attrs->conv.padding[d];
        w.dilation[d] = attrs->conv.dilation[d];
    }
    return w;
}

#define WEFT_REAL f32
#include "conv.inc"
#undef WEFT_REAL
#define WEFT_REAL f64
#include "conv.inc"
#undef WEFT_REAL

weft_status WEFT__CPU(conv2d)(const weft__exec *e)
{
    return e->out[0]->dtype == WEFT_F64 ? conv2d_f64(e) : conv2d_f32(e);
}

weft_status WEFT__CPU(conv2d_transpose)(const weft__exec *e)
{
    return e->out[0]->dtype == WEFT_F64 ? conv2d_transpose_f64(e) : conv2d_transpose_f32(e);
}

weft_status WEFT__CPU(conv2d_weight)(const weft__exec *e)
{
    return e->out[0]->dtype == WEFT_F64 ? conv2d_weight_f64(e) : conv2d_weight_f32(e);
}
