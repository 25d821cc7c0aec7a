/* loss.h - what losses share. */
#ifndef WEFT_OPS_LOSS_H
#define WEFT_OPS_LOSS_H

#include "define.h"

/* Checks that in[0], the prediction, is floating and that in[1], the target, broadcasts to it or it to the target, and
 * widens both; *dtype is the result's. False: error recorded. */
bool weft__loss_pair(weft_ctx *ctx, int op, weft_tensor **in, weft_dtype *dtype);

/* The mean, the sum, or the loss itself, as narrow as dtype; another reduction is refused. */
weft_tensor *weft__reduced_loss(weft_ctx *ctx, int op, weft_tensor *loss, weft_reduction reduction, weft_dtype dtype);

#endif
