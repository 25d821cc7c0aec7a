/* dropout.c - records of dropout and its kernel. */
#include "define.h"

#define EACH WORK(weft__terms_one, weft__flops_each, weft__bytes_once)

WEFT__DEFINE(DROPOUT, dropout, OPERANDS(FLOATS), RESULTS(1, ELEMENTWISE, EXACT), EFFECT(DRAWS),
             DERIVATIVE(weft__vjp_dropout, IN_STEPS, READS(NOTHING), DROPOUT_GRAD), EACH)
WEFT__DEFINE(DROPOUT_GRAD, dropout_grad, OPERANDS(FLOATS, TRUTHS), RESULTS(0, ELEMENTWISE), EFFECT(PURE), NO_DERIVATIVE,
             EACH)
