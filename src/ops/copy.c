/* copy.c - what copies and converts: cast, clone, contiguous; records of in-place rows and of kernels that fill. */
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

CALL(count_nonfinite)
{
    if (c->in[0])
        c->out[0] = weft_scalar(c->ctx, WEFT_I64, (double)weft__count_nonfinite(c->ctx, &c->in[0]->a));
}

WEFT__DEFINE(CAST, cast, OPERANDS(ANY_DTYPE | STRIDED), ATTRS(cast), INFER(infer_cast, AS_GIVEN),
             RESULTS(1, ELEMENTWISE), EFFECT(PURE),
             DERIVATIVE(weft__vjp_cast, ROUNDS_ONCE, READS(NOTHING), NO_KERNEL, GRADIENT("g, cast to x's dtype")),
             MOVES, SAMPLE(call_cast, RECIPE("xab", "t")))
WEFT__DEFINE(COPY, copy, OPERANDS(ANY_DTYPE | STRIDED), NO_ATTRS, NO_INFER, RESULTS(0, EXACT), EFFECT(PURE),
             NO_DERIVATIVE, MOVES, SAMPLE(call_copy, RECIPE("tab", "")))
WEFT__DEFINE(COUNT_NONFINITE, count_nonfinite, OPERANDS(FLOATS | STRIDED), NO_ATTRS, NO_INFER, RESULTS(0, EXACT),
             EFFECT(PURE), NO_DERIVATIVE, WORK(weft__terms_ratio, weft__flops_each, weft__bytes_once),
             SAMPLE(call_count_nonfinite, RECIPE("rab", "")))

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

/* ---- Makers ---- */

#define MAKER(ID, name, attributes, effect, numbers)                                                                   \
    WEFT__DEFINE(ID, name, NO_OPERANDS, ATTRS(attributes), NO_INFER, RESULTS(0, ELEMENTWISE), EFFECT(effect),          \
                 NO_DERIVATIVE, MOVES, SAMPLE(call_##name, RECIPE("", numbers)))

/* i: shape; f: value */
CALL(fill)
{
    c->out[0] = weft_full(c->ctx, c->dtype, c->i, c->ni, c->f[0]);
}

/* f: start, stop, step */
CALL(arange)
{
    c->out[0] = weft_arange(c->ctx, c->dtype, c->f[0], c->f[1], c->f[2]);
}

/* i: shape; f: lo, hi */
CALL(rand)
{
    c->out[0] = weft_rand(c->ctx, c->dtype, c->i, c->ni, c->f[0], c->f[1]);
}

/* i: shape; f: mean, deviation */
CALL(randn)
{
    c->out[0] = weft_randn(c->ctx, c->dtype, c->i, c->ni, c->f[0], c->f[1]);
}

/* i: shape, lo, hi */
CALL(randint)
{
    const int ndim = c->ni - 2;
    c->out[0] = weft_randint(c->ctx, WEFT_I64, c->i, ndim, c->i[ndim], c->i[ndim + 1]);
}

/* i: shape; f: p */
CALL(bernoulli)
{
    c->out[0] = weft_bernoulli(c->ctx, WEFT_BOOL, c->i, c->ni, c->f[0]);
}

MAKER(FILL, fill, fill, PURE, "a b; 0.75")
MAKER(ARANGE, arange, arange, PURE, "; 0 12 0.5")
MAKER(RAND, rand, rand, DRAWS, "a b; -1 1")
MAKER(RANDN, randn, randn, DRAWS, "a b; 0 1")
MAKER(RANDINT, randint, randint, DRAWS, "a b 0 9")
MAKER(BERNOULLI, bernoulli, chance, DRAWS, "a b; 0.25")

/* ---- Front ends ---- */

weft_tensor *weft_cast(weft_tensor *x, weft_dtype dtype)
{
    weft_ctx *ctx = weft__enter_op(WEFT_OP_CAST, &x, 1);
    if (!ctx)
        return NULL;
    weft_tensor *y = NULL;
    if ((unsigned)dtype >= WEFT_DTYPE_COUNT)
        weft__fail(ctx, WEFT_OP_CAST, WEFT_E_DTYPE, "%d is not a dtype", (int)dtype);
    else
        y = weft__localise(ctx, &x, 1) ? weft__cast(x, dtype) : NULL;
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
