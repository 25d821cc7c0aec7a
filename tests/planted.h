/* planted.h - a backend with one known bug: the CPU's, with one kernel that does something wrong. */
#ifndef WEFT_TESTS_PLANTED_H
#define WEFT_TESTS_PLANTED_H

#include "core/core.h"

typedef enum planted_bug {
    PLANTED_ELEMENT,  /* one element is off by 1 % of the largest */
    PLANTED_DRIFT,    /* every element is off by one part in 5000 */
    PLANTED_NAN,      /* the last element is NaN */
    PLANTED_SWAP,     /* the first two operands change places */
    PLANTED_NO_THIRD, /* the third operand, a bias, is left out */
    PLANTED_STALE,    /* nothing is written */
    PLANTED_SHIFT,    /* elements lie one place too far */
    PLANTED_REAL,     /* the first real attribute is 5 % too large */
    PLANTED_ZERO      /* the last element is 0 */
} planted_bug;

/* Turns ctx, which is on the CPU, into one on the backend with the bug. One at a time in a process. */
void plant(weft_ctx *ctx, int op, bool grad, planted_bug bug);

#endif
