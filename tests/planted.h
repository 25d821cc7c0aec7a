/* planted.h - a backend with one known bug: another one, with one kernel that does something wrong. */
#ifndef WEFT_TESTS_PLANTED_H
#define WEFT_TESTS_PLANTED_H

#include <weft/weft.h>
#include "engine/backend.h"

typedef enum planted_bug {
    PLANTED_ELEMENT,   /* one element is off by 1 % of the largest, in half types by an eighth */
    PLANTED_DRIFT,     /* every element is off by one part in 5000, in half types in 4 */
    PLANTED_NAN,       /* the last element is NaN */
    PLANTED_SWAP,      /* the first two operands change places */
    PLANTED_NO_THIRD,  /* the third operand, a bias, is left out */
    PLANTED_STALE,     /* nothing is written */
    PLANTED_SHIFT,     /* elements lie one place too far */
    PLANTED_REAL,      /* the first real attribute is 5 % too large */
    PLANTED_ZERO,      /* the last element is 0 */
    PLANTED_INDEX,     /* of the last result: every index is of the neighbour, 1 up or (odd) down */
    PLANTED_FAR_INDEX, /* of the last result: every index is off by 2 */
    PLANTED_COARSE     /* the first operand is read with the 11 bits of TF32 */
} planted_bug;

/* right with the bug, until the next call. grad: in the fused gradient. */
const weft__backend *planted_backend(const weft__backend *right, int op, bool grad, planted_bug bug);

/* From "linear:no_third" or "tanh (gradient):drift". NULL: there is no such operation or bug. */
const weft__backend *planted_named(const weft__backend *right, const char *text);

/* Turns ctx, which is on the CPU, into one on the backend with the bug. One at a time in a process. */
void plant(weft_ctx *ctx, int op, bool grad, planted_bug bug);

#endif
