/* made.h - what composites of floating operands share. */
#ifndef WEFT_OPS_MADE_H
#define WEFT_OPS_MADE_H

#include "define.h"

/* Widens the n operands, each of which must be floating and is called by its name in messages; NULL ones stay.
 * *dtype is their joint dtype. False: error recorded. */
bool weft__join_floats(weft_ctx *ctx, int op, weft_tensor **in, const char *const *names, int n, weft_dtype *dtype);

/* A 0-d constant in like's dtype; NULL where like is. */
static inline weft_tensor *weft__constant_like(const weft_tensor *like, double value)
{
    return like ? weft_scalar(like->ctx, (weft_dtype)like->a.dtype, value) : NULL;
}

/* The last of the sums, i64 [n], of what is counted: a size, read on the host for function. 0 of none; -1: error. */
int64_t weft__counted(weft_ctx *ctx, const char *function, weft_tensor *sums);

/* The end of a composite's front end by an error of its arguments. */
#define REFUSE(OP, code, ...) return weft__fail(ctx, WEFT_OP_##OP, code, __VA_ARGS__), weft__leave_with(ctx, NULL)

#define EACH_ONCE WORK(weft__terms_one, weft__flops_each, weft__bytes_once)
#define ROW_ONCE WORK(weft__terms_ratio, weft__flops_each, weft__bytes_once)

#endif
