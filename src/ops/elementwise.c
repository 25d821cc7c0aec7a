/* elementwise.c - the elementwise families: shapes and front ends. What they compute stands in ops.def. */
#include "engine/engine.h"
#include "rows.h"

/* ---- Shapes ---- */

bool weft__infer_truth(weft__infer *q)
{
    weft__set_result(q, 0, WEFT_BOOL, q->in[0]->shape, q->in[0]->ndim);
    return true;
}

static bool infer_pair(weft__infer *q, int32_t dtype)
{
    const weft__array *a = q->in[0], *b = q->in[1];
    weft__array *y = &q->out[0];
    if (weft__same_shape(a, b)) {
        weft__set_result(q, 0, dtype, a->shape, a->ndim);
        return true;
    }
    y->dtype = dtype;
    return weft__broadcast(a, b, y->shape, &y->ndim) ||
           weft__refuse(q, WEFT_E_SHAPE,
                        "shapes do not broadcast: %s and %s; sizes must agree or be 1, counted from the last dim; "
                        "reshape or unsqueeze one of them",
                        weft__operand_text(q, 0).s, weft__operand_text(q, 1).s);
}

bool weft__infer_pair(weft__infer *q)
{
    return infer_pair(q, q->dtype[0]);
}

bool weft__infer_comparison(weft__infer *q)
{
    return infer_pair(q, WEFT_BOOL);
}

bool weft__infer_choice(weft__infer *q)
{
    weft__array joint, *y = &q->out[0];
    y->dtype = q->dtype[1];
    return (weft__broadcast(q->in[1], q->in[2], joint.shape, &joint.ndim) &&
            weft__broadcast(q->in[0], &joint, y->shape, &y->ndim)) ||
           weft__refuse(q, WEFT_E_SHAPE, "shapes do not broadcast: condition %s, %s and %s; sizes must agree or be 1",
                        weft__operand_text(q, 0).s, weft__operand_text(q, 1).s, weft__operand_text(q, 2).s);
}

/* ---- Front ends ---- */

weft_tensor *weft__unary(int op, weft_tensor *x, double p, double q)
{
    const bool has_numbers = weft__ops[op].family == WEFT__UNARY_P;
    weft_tensor *out[1];
    weft__attrs attrs;
    weft_ctx *ctx = weft__begin(op, &x, 1);
    if (!ctx)
        return NULL;
    attrs.scalar.p = p;
    attrs.scalar.q = q;
    const bool fits = !has_numbers || weft__scalars_fit(ctx, op, p, q, x);
    return weft__leave_with(ctx, fits && weft__complete(ctx, op, &x, 1, &attrs, out) ? out[0] : NULL);
}

weft_tensor *weft__two_operands(int op, weft_tensor *a, weft_tensor *b)
{
    weft_tensor *in[2] = {a, b};
    return weft__apply(op, in, 2, NULL);
}

weft_tensor *weft__ternary(int op, weft_tensor *c, weft_tensor *a, weft_tensor *b)
{
    weft_tensor *in[3] = {c, a, b};
    return weft__apply(op, in, 3, NULL);
}
