/* session.h - what every larger example begins and ends with. */
#ifndef EXAMPLES_SESSION_H
#define EXAMPLES_SESSION_H

#include <weft/weft.h>

/* A context on the device ("cpu", "cuda", "cuda:1") with as many threads as cores, which prints errors and warnings on
 * stderr. Exits after saying why: with 2 if there is no device of that name, with 1 if it does not work. */
weft_ctx *session_open(const char *device, uint64_t seed);

/* Makes the two parameters of a layer, p[0] of the given shape and p[1] with one value for each of its results, as
 * weft_init_layer_ makes them. Fits weft_linear and weft_conv2d. They belong to the innermost scope. */
void session_layer(weft_ctx *ctx, weft_tensor **p, const int64_t *shape, int ndim);

/* The rows of x (its slices along dim 0) in random order, as a copy. */
weft_tensor *session_shuffled(weft_tensor *x, uint64_t seed);

/* How many percent of the rows of logits [N, C] are largest at the class y [N]. */
double session_accuracy(weft_ctx *ctx, weft_tensor *logits, weft_tensor *y);

/* Closes the context. Returns the exit status: 0, or 1 if it had an error (which was printed when it happened). */
int session_close(weft_ctx *ctx);

#endif
