/* both.h - one computation on the CPU and on the device under test, at sizes that the golden records are too small
 * for. */
#ifndef WEFT_TESTS_BOTH_H
#define WEFT_TESTS_BOTH_H

#include <weft/weft.h>

/* Makes a result, of any dtype and shape, in ctx. Called once on the CPU and twice on the device. */
typedef weft_tensor *both_fn(weft_ctx *ctx, void *user);

/* Runs make on both: the device's elements must be within atol + rtol |value| of the CPU's (a NaN equals NaN), dtype
 * and shape the same, and the device's two runs must agree bit by bit. */
void check_both(const char *what, both_fn *make, void *user, double rtol, double atol);

/* The same for up to four results of one run. */
typedef void both_all_fn(weft_ctx *ctx, void *user, weft_tensor **y);
void check_both_all(const char *what, both_all_fn *make, void *user, int n, double rtol, double atol);

/* The same numbers on every device: uniform in [lo, hi), whole numbers for integer dtypes, from the seed alone. */
weft_tensor *both_input(weft_ctx *ctx, weft_dtype dtype, const int64_t *shape, int ndim, double lo, double hi,
                        uint64_t seed);

#endif
