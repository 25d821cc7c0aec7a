/* wolfe.h - a search along a line for a step that fulfils the strong Wolfe conditions. */
#ifndef WEFT_OPTIM_WOLFE_H
#define WEFT_OPTIM_WOLFE_H

#include "optim.h"

/* What is searched: the loss at x + t direction. */
typedef struct weft__search {
    weft__optim *o;
    double (*loss)(weft_ctx *ctx, void *user);
    void *user;
    weft_tensor *x, *direction; /* all parameters as one vector; direction may be NULL: t is 0 */
    int evaluations;
} weft__search;

/* A place on the line: the loss there, its gradient, and the derivative along the line. */
typedef struct weft__point {
    double t, loss, slope;
    weft_tensor *gradient;
} weft__point;

/* Moves the parameters to x + t direction and fills *at, whose gradient is written in place. False: an error. */
bool weft__evaluate(weft__search *s, double t, weft__point *at);

/* *now is where the line begins, and becomes the place that was found, trying first t. At most most + 1 evaluations.
 * False: an error. The constants are PyTorch's. Source: Nocedal & Wright, Numerical Optimization, algorithms 3.5, 3.6;
 * cubic interpolation as in minFunc. */
bool weft__strong_wolfe(weft__search *s, double t, weft__point *now, double tolerance_change, int most);

/* The sum of products, the largest magnitude; NAN after an error. */
double weft__product(weft_ctx *ctx, weft_tensor *a, weft_tensor *b);
double weft__largest(weft_ctx *ctx, weft_tensor *a);

#endif
