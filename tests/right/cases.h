/* cases.h - functions whose derivatives or sums PyTorch 2.15 (or JAX) gets silently wrong on valid input, at points
 * where it does. Each is a number f(x) of a few; what is asked for is its kth derivative along u, d^k/dt^k f(x + t u)
 * at t = 0, by k gradients of gradients; order 0 is the value. test_right.c holds Weft to what is exact, make_right.py
 * runs PyTorch on the same and makes the table of docs/ops.md. A case is a function and a line in cases.c, and a line
 * in make_right.py. */
#ifndef WEFT_TESTS_RIGHT_CASES_H
#define WEFT_TESTS_RIGHT_CASES_H

#include <weft/weft.h>

enum { RIGHT_MOST = 16 };

typedef struct right_case {
    const char *name;
    weft_tensor *(*f)(weft_ctx *ctx, weft_tensor *x); /* x [n] to a number */
    weft_dtype dtype;
    int order, n;
    double x[RIGHT_MOST], u[RIGHT_MOST];
    double exact;     /* as mpmath has it, which make_right.py checks */
    double tolerance; /* relative to the larger of exact and 1 */
} right_case;

extern const right_case right_cases[];
extern const int right_case_count;

/* The derivative of that order at x + shift u; *value may be any number after an error. */
weft_status right_derivative(weft_ctx *ctx, const right_case *c, int order, double shift, double *value);

#endif
