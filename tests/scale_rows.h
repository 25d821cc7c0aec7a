/* scale_rows.h - what test_scale.c compares: reductions, norms, softmaxes and losses, each beside a plain loop in long
 * double. */
#ifndef WEFT_TESTS_SCALE_ROWS_H
#define WEFT_TESTS_SCALE_ROWS_H

#include <weft/weft.h>

typedef enum kind {
    FAR,      /* 1e4 with a spread of 1 */
    WIDE,     /* from -60 to 60; the ends of a row are small */
    LARGE,    /* whose sum is more than the dtype holds; in f16 one of 16 whose square is */
    TINY,     /* whose squares vanish in the dtype */
    FARTHEST, /* 2^20 with a spread of 3: what rounding takes off a mean counts in the variance */
    KINDS
} kind;

enum { ALL_KINDS = (1 << FARTHEST) - 1, CENTRED = 1 << FARTHEST, TAME = 1 << FAR | 1 << WIDE };

typedef long double real;

/* A slice: its n values, and where its results and what they are measured by go: one, or n of each. */
typedef struct slice {
    const double *x;
    int64_t n;
    real *y, *measure;
    double target; /* of losses; of classes n / 3 is the right one */
} slice;

/* x [slices, n] for dim 1, [n, slices] for dim 0. */
typedef struct call {
    weft_tensor *x;
    int64_t dim, slices, n;
    double target;
} call;

typedef enum shape {
    ONE,  /* a result for each slice */
    EACH, /* one for each element */
    TOTAL /* the mean over all slices */
} shape;

typedef struct row {
    const char *name;
    weft_tensor *(*run)(const call *c);
    void (*want)(const slice *s);
    shape shape;
    double roundings; /* of its measure */
    unsigned kinds;   /* in f32 and f64, where squares of the largest numbers overflow on the way */
    double slope;     /* its gradient is compared as well; what it is measured by at least; 0: it is not */
    bool keeps_one;   /* a mean or logarithm of a sum that is rounded, which limits what FAR values give */
} row;

extern const row scale_rows[];
extern const int scale_row_count;

#endif
