/* ticks.h - round numbers for the axes of a plot. */
#ifndef EXAMPLES_TICKS_H
#define EXAMPLES_TICKS_H

#include <stdbool.h>

enum { TICKS = 12 };

/* An axis: its ends and the round values to mark, all in [lo, hi]. */
typedef struct ticks {
    double lo, hi;
    double at[TICKS];
    int n;
    bool log;
} ticks;

/* About five multiples of 1, 2 or 5 times a power of ten. */
ticks ticks_inside(double lo, double hi); /* the ends stay as they are */
ticks ticks_around(double lo, double hi); /* the ends move out to marks */

/* 0 < lo <= hi. Powers of ten, with their 2- and 5-fold where the range is small, fewer where it is large. The ends
 * move out to 1, 2 or 5 times a power of ten. */
ticks ticks_log(double lo, double hi);

/* Where value lies: 0 at lo, 1 at hi. */
double ticks_position(const ticks *t, double value);

#endif
