/* sample.h - samples of rows that are not public, too. */
#ifndef WEFT_OPS_SAMPLE_H
#define WEFT_OPS_SAMPLE_H

#include <weft/sample.h>

/* As weft_sample_make, for any row with a call; arguments are there and well. */
weft_status weft__sample_make(weft_ctx *ctx, int op, const weft_sample_options *options, weft_sample_call *call);

#endif
