/* dropout.c - records of dropout and its kernel. */
#include "define.h"

#define EACH WORK(weft__terms_one, weft__flops_each, weft__bytes_once)

/* i: training; f: p */
CALL(dropout)
{
    c->out[0] = weft_dropout(c->in[0], c->f[0], c->i[0] != 0);
}

WEFT__DEFINE(DROPOUT, dropout, OPERANDS(FLOATS), RESULTS(1, ELEMENTWISE, EXACT), EFFECT(DRAWS),
             DERIVATIVE(weft__vjp_dropout, IN_STEPS, READS(NOTHING), DROPOUT_GRAD,
                        GRADIENT("g / (1 - p) where the element was kept, 0 elsewhere; when not training g")),
             EACH, SAMPLE(call_dropout, RECIPE("xab", "1; 0.25")))
WEFT__DEFINE(DROPOUT_GRAD, dropout_grad, OPERANDS(FLOATS, TRUTHS), RESULTS(0, ELEMENTWISE), EFFECT(PURE), NO_DERIVATIVE,
             EACH, SAMPLE_OF(DROPOUT))
