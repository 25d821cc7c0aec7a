/* step.c - records of the optimisers' steps. Their operands are lists: parameters, gradients, state, and last the
 * master weights of half parameters; all but the gradients are changed. */
#include "define.h"

#define STEP_WORK WORK(weft__terms_one, weft__flops_each, weft__bytes_once)

WEFT__DEFINE(SGD_STEP, sgd_step,
             LISTS(FLOATS | CHANGED, FLOATS | OR_NULL, FLOATS | CHANGED | OR_NULL, FLOATS | CHANGED | OR_NULL),
             NO_RESULTS, EFFECT(STEPS), NO_DERIVATIVE, STEP_WORK)
WEFT__DEFINE(ADAM_STEP, adam_step,
             LISTS(FLOATS | CHANGED, FLOATS | OR_NULL, FLOATS | CHANGED, FLOATS | CHANGED, FLOATS | CHANGED | OR_NULL),
             NO_RESULTS, EFFECT(STEPS), NO_DERIVATIVE, STEP_WORK)
