/* copy.c - cast, clone, contiguous, and the record of the kernel that copies. */
#include "define.h"

#define MOVES WORK(weft__terms_one, weft__flops_each, weft__bytes_once)

static bool infer_cast(weft__infer *q)
{
    if ((uint64_t)q->attrs->cast.dtype >= WEFT_DTYPE_COUNT)
        return weft__refuse(q, WEFT_E_DTYPE, "%lld is not a dtype", (long long)q->attrs->cast.dtype);
    weft__set_result(q, 0, (int32_t)q->attrs->cast.dtype, q->in[0]->shape, q->in[0]->ndim);
    return true;
}

/* i: the dtype's number */
CALL(cast)
{
    c->out[0] = weft_cast(c->in[0], (weft_dtype)c->i[0]);
}

CALL(copy)
{
    c->out[0] = weft_contiguous(c->in[0]);
}

WEFT__DEFINE(CAST, cast, OPERANDS(ANY_DTYPE | STRIDED), ATTRS(cast), INFER(infer_cast, AS_GIVEN),
             RESULTS(1, ELEMENTWISE), EFFECT(PURE),
             DERIVATIVE(weft__vjp_cast, ROUNDS_ONCE, READS(NOTHING), NO_KERNEL, GRADIENT("g, cast to x's dtype")),
             MOVES, SAMPLE(call_cast, RECIPE("xab", "t")))
WEFT__DEFINE(COPY, copy, OPERANDS(ANY_DTYPE | STRIDED), NO_ATTRS, NO_INFER, RESULTS(0, EXACT), EFFECT(PURE),
             NO_DERIVATIVE, MOVES, SAMPLE(call_copy, RECIPE("tab", "")))

CALL(clone)
{
    c->out[0] = weft_clone(c->in[0]);
}

CALL(contiguous)
{
    c->out[0] = weft_contiguous(c->in[0]);
}

WEFT__DEFINE_COMPOSITE(CLONE, clone, NO_PARTS(ANY_DTYPE), GRADIENT("g"),
                       WORK(weft__terms_one, weft__flops_each, weft__bytes_once),
                       SAMPLE(call_clone, RECIPE("xab", ""), RECIPE("tab", "")))
WEFT__DEFINE_COMPOSITE(CONTIGUOUS, contiguous, NO_PARTS(ANY_DTYPE), GRADIENT("g"),
                       WORK(weft__terms_one, weft__flops_each, weft__bytes_once),
                       SAMPLE(call_contiguous, RECIPE("tab", "")))

/* ---- Front ends ---- */

weft_tensor *weft_cast(weft_tensor *x, weft_dtype dtype)
{
    weft_ctx *ctx = weft__begin(WEFT_OP_CAST, &x, 1);
    if (!ctx)
        return NULL;
    weft_tensor *y = NULL;
    if ((unsigned)dtype >= WEFT_DTYPE_COUNT)
        weft__fail(ctx, WEFT_OP_CAST, WEFT_E_DTYPE, "%d is not a dtype", (int)dtype);
    else
        y = weft__cast(x, dtype);
    return weft__leave_with(ctx, y);
}

weft_tensor *weft_clone(weft_tensor *x)
{
    weft_ctx *ctx = weft__enter(WEFT_OP_CLONE, &x, 1, 0);
    if (!ctx)
        return NULL;
    return weft__leave_with(ctx, weft__recorded_copy(ctx, WEFT_OP_CLONE, x));
}

weft_tensor *weft_contiguous(weft_tensor *x)
{
    weft_ctx *ctx = weft__enter(WEFT_OP_CONTIGUOUS, &x, 1, 0);
    if (!ctx)
        return NULL;
    return weft__leave_with(ctx, x->a.contiguous ? x : weft__recorded_copy(ctx, WEFT_OP_CONTIGUOUS, x));
}

/* ---- Derivatives ---- */

void weft__vjp_cast(weft__vjp *v)
{
    v->out[0] = v->g; /* cast back by the caller */
}
