/* join.c - records of concat, pad, flip. */
#include "define.h"

#define MOVES WORK(weft__terms_one, weft__flops_each, weft__bytes_once)

/* tensors...; i: dim */
CALL(concat)
{
    c->out[0] = weft_concat(c->in, c->n_in, c->i[0]);
}

/* i: before..., after...; f: value */
CALL(pad)
{
    const int ndim = c->ni / 2;
    c->out[0] = weft_pad(c->in[0], c->i, c->i + ndim, ndim, c->f[0]);
}

/* i: dims... */
CALL(flip)
{
    c->out[0] = weft_flip(c->in[0], c->i, c->ni);
}

WEFT__DEFINE(CONCAT, concat, LIST_OF(ANY_DTYPE | STRIDED), RESULTS(1, EXACT), EFFECT(PURE),
             DERIVATIVE(weft__vjp_concat, ROUNDS_ONCE, READS(NOTHING), NO_KERNEL,
                        GRADIENT("of each operand its slice of g")),
             MOVES, SAMPLE(call_concat, RECIPE("xab xab", "1"), RECIPE("xab xa5 xa1", "-1")))
WEFT__DEFINE(PAD, pad, OPERANDS(ANY_DTYPE | STRIDED), RESULTS(1, ELEMENTWISE), EFFECT(PURE),
             DERIVATIVE(weft__vjp_pad, ROUNDS_ONCE, READS(NOTHING), NO_KERNEL, GRADIENT("the inner part of g")), MOVES,
             SAMPLE(call_pad, RECIPE("xab", "1 0 0 2; 0.5")))
WEFT__DEFINE(FLIP, flip, OPERANDS(ANY_DTYPE | STRIDED), RESULTS(1, EXACT), EFFECT(PURE),
             DERIVATIVE(weft__vjp_flip, ROUNDS_ONCE, READS(NOTHING), NO_KERNEL, GRADIENT("g, flipped back")), MOVES,
             SAMPLE(call_flip, RECIPE("xab", "1"), RECIPE("xab", "0 1")))
