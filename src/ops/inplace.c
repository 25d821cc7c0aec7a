/* inplace.c - operations that change their first operand: what may be changed is weft__begin's to say, that it was
 * changed weft__complete's. */
#include "define.h"

#define MOVES WORK(weft__terms_one, weft__flops_each, weft__bytes_once)

/* ---- Shapes and dtypes ---- */

static bool fits(weft__infer *q)
{
    const weft__array *x = q->in[0], *y = q->in[1];
    weft__array joint = {.ndim = 0};
    if (weft__same_shape(x, y) || (weft__broadcast(x, y, joint.shape, &joint.ndim) && weft__same_shape(&joint, x)))
        return true;
    return weft__refuse(q, WEFT_E_SHAPE, "%s does not broadcast to %s, which is changed in place and keeps its shape",
                        weft__operand_text(q, 1).s, weft__operand_text(q, 0).s);
}

static bool infer_overwritten(weft__infer *q)
{
    return (q->n_in < 2 || fits(q)) && weft__infer_like(q);
}

static bool infer_changed(weft__infer *q)
{
    const weft_dtype dtype = (weft_dtype)q->in[0]->dtype, other = (weft_dtype)q->in[1]->dtype;
    if (!fits(q))
        return false;
    if (weft__is_float(q->in[0]->dtype))
        return weft__infer_like(q);
    if (weft_dtype_is_float(other))
        return weft__refuse(
            q, WEFT_E_DTYPE,
            "%s would be cut to whole numbers before it meets %s, which keeps its dtype; use the operation without "
            "the underscore, or weft_cast it if that is meant",
            weft__operand_text(q, 1).s, weft__operand_text(q, 0).s);
    if (dtype == WEFT_BOOL)
        return weft__refuse(
            q, WEFT_E_DTYPE,
            "%s is bool, which has no arithmetic in place; use weft_logical_and, weft_logical_or or weft_logical_xor",
            weft__operand_text(q, 0).s);
    return weft__infer_like(q);
}

/* ---- Records ---- */

#define IN_PLACE_ROW(ID, name, kind)                                                                                   \
    CALL(name)                                                                                                         \
    {                                                                                                                  \
        c->out[0] = weft_##name(c->in[0], c->in[1]);                                                                   \
    }                                                                                                                  \
    WEFT__DEFINE(ID, name, OPERANDS(kind | STRIDED | CHANGED, NUMBERS | STRIDED | BROADCAST), NO_ATTRS,                \
                 INFER(infer_changed, LIKE_FIRST), RESULTS(0, ELEMENTWISE), EFFECT(IN_PLACE), NO_DERIVATIVE, MOVES,    \
                 SAMPLE(call_##name, RECIPE("rab oab", ""), RECIPE("rab o1b", "")))

IN_PLACE_ROW(ADD_, add_, NUMBERS)
IN_PLACE_ROW(SUB_, sub_, NUMBERS)
IN_PLACE_ROW(MUL_, mul_, NUMBERS)
IN_PLACE_ROW(DIV_, div_, FLOATS)

CALL(copy_)
{
    c->out[0] = weft_copy_(c->in[0], c->in[1]);
}

/* f: value */
CALL(fill_)
{
    c->out[0] = weft_fill_(c->in[0], c->f[0]);
}

/* What operand 0 held is not read. */
static double overwriting_bytes(const weft__work *w)
{
    return weft__bytes_once(
        &(weft__work){.op = w->op, .n_in = w->n_in - 1, .in = w->in + 1, .n_out = w->n_out, .out = w->out});
}

#define OVERWRITES WORK(weft__terms_one, weft__flops_each, overwriting_bytes)

WEFT__DEFINE(COPY_, copy_, OPERANDS(ANY_DTYPE | STRIDED | CHANGED, ANY_DTYPE | STRIDED | BROADCAST), NO_ATTRS,
             INFER(infer_overwritten, AS_GIVEN), RESULTS(0, ELEMENTWISE), EFFECT(IN_PLACE), NO_DERIVATIVE, OVERWRITES,
             SAMPLE(call_copy_, RECIPE("rab rab", ""), RECIPE("rab r1b", "")))
WEFT__DEFINE(FILL_, fill_, OPERANDS(ANY_DTYPE | STRIDED | CHANGED), ATTRS(fill), INFER(infer_overwritten, AS_GIVEN),
             RESULTS(0, ELEMENTWISE), EFFECT(IN_PLACE), NO_DERIVATIVE, OVERWRITES,
             SAMPLE(call_fill_, RECIPE("rab", "; 0.75")))

/* ---- Front ends ---- */

static weft_tensor *change(int op, weft_tensor *x, weft_tensor *y)
{
    weft_tensor *in[2] = {x, y};
    return weft__apply(op, in, 2, NULL);
}

weft_tensor *weft_add_(weft_tensor *x, weft_tensor *y)
{
    return change(WEFT_OP_ADD_, x, y);
}

weft_tensor *weft_sub_(weft_tensor *x, weft_tensor *y)
{
    return change(WEFT_OP_SUB_, x, y);
}

weft_tensor *weft_mul_(weft_tensor *x, weft_tensor *y)
{
    return change(WEFT_OP_MUL_, x, y);
}

weft_tensor *weft_div_(weft_tensor *x, weft_tensor *y)
{
    return change(WEFT_OP_DIV_, x, y);
}

weft_tensor *weft_copy_(weft_tensor *x, weft_tensor *y)
{
    return change(WEFT_OP_COPY_, x, y);
}

weft_tensor *weft_fill_(weft_tensor *x, double value)
{
    weft__attrs attrs = {.fill = {.value = value}};
    return weft__apply(WEFT_OP_FILL_, &x, 1, &attrs);
}
