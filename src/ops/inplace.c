/* inplace.c - operations that change their first operand: what may be changed is weft__begin's to say, that it was
 * changed weft__complete's. */
#include "define.h"
#include "base/number.h"

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

/* Of one operand: whole numbers have arithmetic, truth values have none. */
static bool infer_alone(weft__infer *q)
{
    if (q->in[0]->dtype == WEFT_BOOL)
        return weft__refuse(q, WEFT_E_DTYPE, "%s is bool, which has no arithmetic in place; use weft_logical_not",
                            weft__operand_text(q, 0).s);
    return weft__infer_like(q);
}

/* The value as x's dtype has it; a half type's such that it is rounded once, from f32. */
static bool infer_masked_fill(weft__infer *q)
{
    const int32_t dtype = q->in[0]->dtype;
    double *value = &q->attrs->scalar.p;
    if (!weft__is_float(dtype))
        *value = (double)weft__to_integer(dtype, *value);
    else if (dtype == WEFT_F16 || dtype == WEFT_BF16)
        *value = weft__f64_to_f32_odd(*value);
    return infer_overwritten(q);
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

#define ALONE(ID, name, kind, domain, attributes, numbers)                                                             \
    WEFT__DEFINE(ID, name, OPERANDS(kind | STRIDED | CHANGED), ATTRS(attributes), INFER(infer_alone, AS_GIVEN),        \
                 RESULTS(0, ELEMENTWISE), EFFECT(IN_PLACE), NO_DERIVATIVE, MOVES,                                      \
                 SAMPLE(call_##name, RECIPE(domain "ab", numbers), RECIPE(domain "a1b", numbers)))
#define ALONE_ROW(ID, name, kind, domain)                                                                              \
    CALL(name)                                                                                                         \
    {                                                                                                                  \
        c->out[0] = weft_##name(c->in[0]);                                                                             \
    }                                                                                                                  \
    ALONE(ID, name, kind, domain, none, "")

ALONE_ROW(NEG_, neg_, NUMBERS, "r")
ALONE_ROW(RELU_, relu_, NUMBERS, "r")
ALONE_ROW(EXP_, exp_, FLOATS, "r")
ALONE_ROW(SQRT_, sqrt_, FLOATS, "o")
ALONE_ROW(TANH_, tanh_, FLOATS, "r")
ALONE_ROW(SIGMOID_, sigmoid_, FLOATS, "r")

/* f: lo, hi */
CALL(clamp_)
{
    c->out[0] = weft_clamp_(c->in[0], c->f[0], c->f[1]);
}

/* f: the scalar */
CALL(add_scalar_)
{
    c->out[0] = weft_add_scalar_(c->in[0], c->f[0]);
}

CALL(mul_scalar_)
{
    c->out[0] = weft_mul_scalar_(c->in[0], c->f[0]);
}

ALONE(CLAMP_, clamp_, NUMBERS, "r", scalar, "; -1 1")
ALONE(ADD_SCALAR_, add_scalar_, NUMBERS, "r", scalar, "; 1")
ALONE(MUL_SCALAR_, mul_scalar_, NUMBERS, "r", scalar, "; -1")

/* x, mask; f: value */
CALL(masked_fill_)
{
    c->out[0] = weft_masked_fill_(c->in[0], c->in[1], c->f[0]);
}

WEFT__DEFINE(MASKED_FILL_, masked_fill_, OPERANDS(ANY_DTYPE | STRIDED | CHANGED, TRUTHS | STRIDED | BROADCAST),
             ATTRS(scalar), INFER(infer_masked_fill, AS_GIVEN), RESULTS(0, EXACT), EFFECT(IN_PLACE), NO_DERIVATIVE,
             MOVES, SAMPLE(call_masked_fill_, RECIPE("rab cab", "; 0.5"), RECIPE("rab cb", "; 0.5")))

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

/* base is the row whose kernel it is: its class says which numbers integers take. */
static weft_tensor *change_alone(int op, int base, weft_tensor *x, double p, double q)
{
    weft_tensor *out[1];
    weft_ctx *ctx = weft__begin(op, &x, 1);
    if (!ctx)
        return NULL;
    weft__attrs attrs = {.scalar = {.p = p, .q = q}};
    const bool fits = weft__ops[base].family != WEFT__UNARY_P || weft__scalars_fit(ctx, base, p, q, x);
    return weft__leave_with(ctx, fits && weft__complete(ctx, op, &x, 1, &attrs, out) ? out[0] : NULL);
}

weft_tensor *weft_neg_(weft_tensor *x)
{
    return change_alone(WEFT_OP_NEG_, WEFT_OP_NEG, x, 0, 0);
}

weft_tensor *weft_relu_(weft_tensor *x)
{
    return change_alone(WEFT_OP_RELU_, WEFT_OP_RELU, x, 0, 0);
}

weft_tensor *weft_exp_(weft_tensor *x)
{
    return change_alone(WEFT_OP_EXP_, WEFT_OP_EXP, x, 0, 0);
}

weft_tensor *weft_sqrt_(weft_tensor *x)
{
    return change_alone(WEFT_OP_SQRT_, WEFT_OP_SQRT, x, 0, 0);
}

weft_tensor *weft_tanh_(weft_tensor *x)
{
    return change_alone(WEFT_OP_TANH_, WEFT_OP_TANH, x, 0, 0);
}

weft_tensor *weft_sigmoid_(weft_tensor *x)
{
    return change_alone(WEFT_OP_SIGMOID_, WEFT_OP_SIGMOID, x, 0, 0);
}

weft_tensor *weft_clamp_(weft_tensor *x, double lo, double hi)
{
    return change_alone(WEFT_OP_CLAMP_, WEFT_OP_CLAMP, x, lo, hi);
}

weft_tensor *weft_add_scalar_(weft_tensor *x, double s)
{
    return change_alone(WEFT_OP_ADD_SCALAR_, WEFT_OP_ADD_SCALAR, x, s, 0);
}

weft_tensor *weft_mul_scalar_(weft_tensor *x, double s)
{
    return change_alone(WEFT_OP_MUL_SCALAR_, WEFT_OP_MUL_SCALAR, x, s, 0);
}

weft_tensor *weft_masked_fill_(weft_tensor *x, weft_tensor *mask, double value)
{
    weft_tensor *in[2] = {x, mask};
    weft__attrs attrs = {.scalar = {.p = value}};
    return weft__apply(WEFT_OP_MASKED_FILL_, in, 2, &attrs);
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
