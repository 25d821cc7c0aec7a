/* loss.c - records of cross_entropy_with and its kernel. */
#include "define.h"

/* i: ignore index, reduction; f: label smoothing */
CALL(cross_entropy_with)
{
    c->out[0] = weft_cross_entropy_with(c->in[0], c->in[1], c->i[0], c->f[0], (weft_reduction)c->i[1]);
}

WEFT__DEFINE(
    CROSS_ENTROPY_WITH, cross_entropy_with, OPERANDS(FLOATS, POSITIONS), RESULTS(1, ROWWISE, ROWWISE), EFFECT(PURE),
    DERIVATIVE(weft__vjp_cross_entropy_with, IN_STEPS, READS(FIRST | SECOND), CROSS_ENTROPY_GRAD,
               GRADIENT("g (softmax(logits) - q), q = (1 - s) [class = target] + s / C; for the mean over rows "
                        "that count; 0 in the others")),
    WORK(weft__terms_ratio, weft__flops_each, weft__bytes_once),
    SAMPLE(call_cross_entropy_with, RECIPE("xab ka<b", "-100 2; 0.1"), RECIPE("xab ka<b", "-100 0; 0"),
           RECIPE("xab ka<b", "-100 1; 0.1")))
WEFT__DEFINE(CROSS_ENTROPY_GRAD, cross_entropy_grad, OPERANDS(FLOATS, POSITIONS, FLOATS, FLOATS), RESULTS(0, DERIVED),
             EFFECT(PURE), NO_DERIVATIVE, WORK(weft__terms_ratio, weft__flops_each, weft__bytes_once),
             SAMPLE_OF(CROSS_ENTROPY_WITH))
