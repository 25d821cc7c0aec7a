/* reduce.c - reductions: shapes and front end. */
#include "core/core.h"
#include "rows.h"

static bool chooses(int op)
{
    return op == WEFT_OP_MAX_OVER || op == WEFT_OP_MIN_OVER || op == WEFT_OP_ARGMAX || op == WEFT_OP_ARGMIN;
}

/* Integers add up in i64, and bool counts as them. */
static int32_t reduced_dtype(int op, int32_t dtype)
{
    if (weft__ops[op].result != WEFT__SAME)
        return weft__ops[op].result == WEFT__INDEX ? WEFT_I64 : WEFT_BOOL;
    const bool adds_up = op == WEFT_OP_SUM || op == WEFT_OP_PROD;
    return !weft_dtype_is_float((weft_dtype)dtype) && adds_up ? WEFT_I64 : dtype;
}

bool weft__infer_reduced(weft__infer *q)
{
    const weft__reduce_attrs *a = &q->attrs->reduce;
    const weft__array *x = q->in[0];
    weft__array *y = &q->out[0];
    int64_t reduced = 1;
    y->dtype = reduced_dtype(q->def->op, q->dtype[0]);
    y->ndim = 0;
    for (int d = 0; d < x->ndim; d++) {
        const bool goes = a->dims >> d & 1;
        if (goes)
            reduced *= x->shape[d];
        if (!goes || a->keepdim)
            y->shape[y->ndim++] = goes ? 1 : x->shape[d];
    }
    if (reduced == 0 && chooses(q->def->op) && weft__count_of(y->shape, y->ndim) > 0)
        return weft__refuse(q, WEFT_E_SHAPE, "nothing to choose from: the reduced dims of %s hold no elements",
                            weft__operand_text(q, 0).s);
    return true;
}

/* The largest truth value, found among bytes: the operand is never converted, the result is. */
static weft_tensor *over_truths(weft_ctx *ctx, int op, weft_tensor *x, weft__attrs *attrs)
{
    weft__array bytes = x->a;
    bytes.dtype = WEFT_U8;
    weft_tensor *as_bytes = weft__new_on(ctx, op, &bytes, x->storage), *out[1];
    return as_bytes && weft__complete(ctx, op, &as_bytes, 1, attrs, out) ? weft__cast(out[0], WEFT_I64) : NULL;
}

weft_tensor *weft__reduce(int op, weft_tensor *x, const int64_t *dims, int ndim, bool keepdim)
{
    weft_tensor *y = NULL, *out[1];
    weft__attrs attrs;
    weft_ctx *ctx = weft__begin(op, &x, 1);
    if (!ctx)
        return NULL;
    const int mask = weft__dim_mask(ctx, op, x, dims, ndim);
    attrs.reduce = (weft__reduce_attrs){.dims = mask, .keepdim = keepdim};
    if (mask >= 0 && x->a.dtype == WEFT_BOOL && (op == WEFT_OP_MAX_OVER || op == WEFT_OP_MIN_OVER))
        y = over_truths(ctx, op, x, &attrs);
    else if (mask >= 0)
        y = weft__complete(ctx, op, &x, 1, &attrs, out) ? out[0] : NULL;
    return weft__leave_with(ctx, y);
}
