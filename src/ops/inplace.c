/* inplace.c - operations that change their first operand, with the rules that keep gradients true. */
#include <math.h>
#include <string.h>
#include "define.h"

#define MOVES WORK(weft__terms_one, weft__flops_each, weft__bytes_once)

/* ---- In place: the kernel writes to the memory of operand 0 ---- */

#define IN_PLACE_ROW(ID, name)                                                                                         \
    CALL(name)                                                                                                         \
    {                                                                                                                  \
        c->out[0] = weft_##name(c->in[0], c->in[1]);                                                                   \
    }                                                                                                                  \
    WEFT__DEFINE(ID, name, OPERANDS(NUMBERS | STRIDED | CHANGED, NUMBERS | STRIDED), NO_ATTRS, NO_INFER,               \
                 RESULTS(0, ELEMENTWISE), EFFECT(IN_PLACE), NO_DERIVATIVE, MOVES,                                      \
                 SAMPLE(call_##name, RECIPE("rab oab", ""), RECIPE("rab o1b", "")))

IN_PLACE_ROW(ADD_, add_)
IN_PLACE_ROW(SUB_, sub_)
IN_PLACE_ROW(MUL_, mul_)
IN_PLACE_ROW(DIV_, div_)

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

WEFT__DEFINE(COPY_, copy_, OPERANDS(ANY_DTYPE | STRIDED | CHANGED, ANY_DTYPE | STRIDED), NO_ATTRS, NO_INFER,
             RESULTS(0, ELEMENTWISE), EFFECT(IN_PLACE), NO_DERIVATIVE, OVERWRITES,
             SAMPLE(call_copy_, RECIPE("rab rab", ""), RECIPE("rab r1b", "")))
WEFT__DEFINE(FILL_, fill_, OPERANDS(ANY_DTYPE | STRIDED | CHANGED), ATTRS(fill), NO_INFER, RESULTS(0, ELEMENTWISE),
             EFFECT(IN_PLACE), NO_DERIVATIVE, OVERWRITES, SAMPLE(call_fill_, RECIPE("rab", "; 0.75")))

/* ---- Front ends ---- */

static bool fits(weft_ctx *ctx, int op, weft_tensor *x, weft_tensor *y)
{
    int64_t shape[WEFT__MAX_DIMS];
    int ndim;
    weft__array joint = {.ndim = 0};
    if (weft__broadcast(&x->a, &y->a, shape, &ndim)) {
        joint.ndim = ndim;
        memcpy(joint.shape, shape, sizeof shape);
        if (weft__same_shape(&joint, &x->a))
            return true;
    }
    weft__fail(ctx, op, WEFT_E_SHAPE, "%s does not broadcast to %s, which is changed in place and keeps its shape",
               weft__describe(y).s, weft__describe(x).s);
    return false;
}

static weft_tensor *change(int op, weft_tensor *x, weft_tensor *y)
{
    weft_tensor *in[2] = {x, y};
    weft_ctx *ctx = weft__enter(op, in, 2, 0);
    if (!ctx)
        return NULL;
    weft_tensor *result = NULL;
    weft_dtype dtype = (weft_dtype)x->a.dtype;
    if (!weft__localise(ctx, &in[1], 1) || !weft__writable(ctx, op, x) || !fits(ctx, op, x, y)) {
        result = NULL;
    } else if (ctx->grad_enabled && weft__requires(y)) {
        weft__fail(ctx, op, WEFT_E_STATE,
                   "operand 1 (%s) requires a gradient, which an in-place operation cannot carry; use the operation "
                   "without the underscore, or weft_detach it",
                   weft__describe(y).s);
    } else if (op == WEFT_OP_DIV_ && !weft_dtype_is_float(dtype)) {
        weft__fail(ctx, op, WEFT_E_DTYPE, "%s is not of a floating dtype; weft_div makes f32 from it",
                   weft__describe(x).s);
    } else if (op != WEFT_OP_COPY_ && !weft_dtype_is_float(dtype) && weft_dtype_is_float((weft_dtype)y->a.dtype)) {
        weft__fail(
            ctx, op, WEFT_E_DTYPE,
            "%s would be cut to whole numbers before it meets %s, which keeps its dtype; use the operation without "
            "the underscore, or weft_cast it if that is meant",
            weft__describe(y).s, weft__describe(x).s);
    } else if (dtype == WEFT_BOOL && op != WEFT_OP_COPY_) {
        weft__fail(
            ctx, op, WEFT_E_DTYPE,
            "%s is bool, which has no arithmetic in place; use weft_logical_and, weft_logical_or or weft_logical_xor",
            weft__describe(x).s);
    } else {
        result = weft__update(ctx, op, x, in[1]);
    }
    return weft__leave_with(ctx, result);
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
    weft_ctx *ctx = weft__enter(WEFT_OP_FILL_, &x, 1, 0);
    if (!ctx)
        return NULL;
    bool done = false;
    if (weft__writable(ctx, WEFT_OP_FILL_, x)) {
        done = weft__fill_array(ctx, &x->a, value) == WEFT_OK;
        weft__storage_written(ctx, x->storage);
    }
    weft__leave(ctx);
    return done ? x : NULL;
}
