/* create.h - what makers of tensors share. */
#ifndef WEFT_OPS_CREATE_H
#define WEFT_OPS_CREATE_H

#include "define.h"

#define MAKER(ID, name, effect, numbers)                                                                               \
    WEFT__DEFINE(ID, name, NO_OPERANDS, ATTRS(name), INFER(infer_##name, AS_GIVEN), RESULTS(0, ELEMENTWISE),           \
                 EFFECT(effect), NO_DERIVATIVE, WORK(weft__terms_one, weft__flops_each, weft__bytes_once),             \
                 SAMPLE(call_##name, RECIPE("", numbers)))

/* Enters, and writes a shape's sizes to those of attributes. False: there is no shape of that kind, and left. */
bool weft__begin_making(weft_ctx *ctx, const char *name, weft_dtype dtype, const int64_t *shape, int ndim,
                        int64_t *sizes);

/* The rest of a maker that has entered the context, and leaves it. */
weft_tensor *weft__make(weft_ctx *ctx, int op, weft__attrs *attrs);

#endif
