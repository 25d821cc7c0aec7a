/* pool.c - records of pooling. */
#include "define.h"

#define SUMS WORK(weft__terms_ratio, weft__flops_each, weft__bytes_once)

/* The index of each largest element is kept, and is all that the derivative reads. */
WEFT__DEFINE(MAX_POOL2D, max_pool2d, OPERANDS(FLOATS), RESULTS(1, EXACT, EXACT), EFFECT(PURE),
             DERIVATIVE(weft__vjp_max_pool2d, ROUNDS_ONCE, READS(NOTHING), MAX_POOL2D_GRAD), SUMS)
WEFT__DEFINE(MAX_POOL2D_GRAD, max_pool2d_grad, OPERANDS(FLOATS, POSITIONS), RESULTS(0, SUMMED), EFFECT(PURE),
             NO_DERIVATIVE, SUMS)
WEFT__DEFINE(AVG_POOL2D, avg_pool2d, OPERANDS(FLOATS), RESULTS(1, SUMMED), EFFECT(PURE),
             DERIVATIVE(weft__vjp_avg_pool2d, ROUNDS_ONCE, READS(NOTHING), NO_KERNEL), SUMS)
WEFT__DEFINE(AVG_UNPOOL2D, avg_unpool2d, OPERANDS(FLOATS), RESULTS(1, SUMMED), EFFECT(PURE),
             DERIVATIVE(weft__vjp_avg_unpool2d, ROUNDS_ONCE, READS(NOTHING), NO_KERNEL), SUMS)
