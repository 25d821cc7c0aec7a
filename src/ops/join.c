/* join.c - records of concat, pad, flip. */
#include "define.h"

#define MOVES WORK(weft__terms_one, weft__flops_each, weft__bytes_once)

WEFT__DEFINE(CONCAT, concat, LIST_OF(ANY_DTYPE | STRIDED), RESULTS(1, EXACT), EFFECT(PURE),
             DERIVATIVE(weft__vjp_concat, ROUNDS_ONCE, READS(NOTHING), NO_KERNEL), MOVES)
WEFT__DEFINE(PAD, pad, OPERANDS(ANY_DTYPE | STRIDED), RESULTS(1, ELEMENTWISE), EFFECT(PURE),
             DERIVATIVE(weft__vjp_pad, ROUNDS_ONCE, READS(NOTHING), NO_KERNEL), MOVES)
WEFT__DEFINE(FLIP, flip, OPERANDS(ANY_DTYPE | STRIDED), RESULTS(1, EXACT), EFFECT(PURE),
             DERIVATIVE(weft__vjp_flip, ROUNDS_ONCE, READS(NOTHING), NO_KERNEL), MOVES)
