/* pool2d.h - what pools share. */
#ifndef WEFT_OPS_POOL2D_H
#define WEFT_OPS_POOL2D_H

#include "define.h"

/* Checks params and writes them to attrs->pool; false: error recorded. */
bool weft__pool2d_attrs(weft_ctx *ctx, int op, const weft_pool2d_params *params, const weft_tensor *x,
                        weft__attrs *attrs);

#endif
