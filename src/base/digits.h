/* digits.h - the decimal digits of a floating number: the fewest that give it back, computed exactly and without
 * libc. */
#ifndef WEFT_BASE_DIGITS_H
#define WEFT_BASE_DIGITS_H

#include <stdbool.h>
#include <stdint.h>
#include <weft/dtype.h>

enum { WEFT__MOST_DIGITS = 17 }; /* that an f64 can need */

/* 0.d1 d2 d3 ... times 10^point: "125" with point 1 is 1.25. Zero is "0" with point 1. Without zeros at the end. */
typedef struct weft__digits {
    char text[WEFT__MOST_DIGITS + 2];
    int n, point;
} weft__digits;

/* The fewest digits that tell |x|, a finite value of a floating dtype, apart from its neighbours there, and of those
 * the ones nearest to it; but none beyond the last place, 10^-decimals, or beyond `most` digits: x is rounded there,
 * half to even. If fewer than `least` would do, further ones of x's own. This is what NumPy prints (Steele and White's
 * algorithm, known as Dragon4). */
weft__digits weft__digits_of(double x, weft_dtype dtype, int decimals, int least, int most);

#endif
