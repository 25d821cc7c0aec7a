/* loss.c - records of cross_entropy_with and its kernel. */
#include "define.h"

WEFT__DEFINE(CROSS_ENTROPY_WITH, cross_entropy_with, OPERANDS(FLOATS, POSITIONS), RESULTS(1, ROWWISE, ROWWISE),
             EFFECT(PURE),
             DERIVATIVE(weft__vjp_cross_entropy_with, IN_STEPS, READS(FIRST | SECOND), CROSS_ENTROPY_GRAD),
             WORK(weft__terms_ratio, weft__flops_each, weft__bytes_once))
WEFT__DEFINE(CROSS_ENTROPY_GRAD, cross_entropy_grad, OPERANDS(FLOATS, POSITIONS, FLOATS, FLOATS), RESULTS(0, DERIVED),
             EFFECT(PURE), NO_DERIVATIVE, WORK(weft__terms_ratio, weft__flops_each, weft__bytes_once))
