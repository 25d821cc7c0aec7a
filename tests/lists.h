/* lists.h - tensors of f64 from lists of values, and compared with them. */
#ifndef WEFT_TESTS_LISTS_H
#define WEFT_TESTS_LISTS_H

#include <math.h>
#include <weft/weft.h>
#include "harness/weft_test.h"

#define VALUES(c, shape, ...) weft_from_data(c, WEFT_F64, shape, (const double[]){__VA_ARGS__})

static inline void check_values(int line, weft_ctx *c, weft_tensor *t, const double *want, int64_t n, double tolerance)
{
    double got[64];
    if (weft_ctx_status(c) != WEFT_OK)
        WEFT_FAIL("line %d: %s", line, weft_ctx_message(c));
    WEFT_REQUIRE(t && n <= 64);
    if (weft_count(t) != n)
        WEFT_FAIL("line %d: %lld elements, not %lld", line, (long long)weft_count(t), (long long)n);
    WEFT_REQUIRE(weft_count(t) == n);
    WEFT_CHECK_OK(weft_read(c, weft_cast(weft_detach(t), WEFT_F64), got, sizeof *got * (size_t)n));
    for (int64_t k = 0; k < n; k++)
        if (!(fabs(got[k] - want[k]) <= tolerance))
            WEFT_FAIL("line %d: element %lld is %.17g, not %.17g", line, (long long)k, got[k], want[k]);
}
#define CHECK_LIST(c, t, list) check_values(__LINE__, c, t, list, (int64_t)(sizeof(list) / sizeof(double)), 1e-13)
#define CHECK_VALUES(c, t, ...)                                                                                        \
    check_values(__LINE__, c, t, (const double[]){__VA_ARGS__},                                                        \
                 (int64_t)(sizeof((const double[]){__VA_ARGS__}) / sizeof(double)), 1e-13)

static inline void check_shape(weft_tensor *t, const int64_t *shape, int ndim)
{
    WEFT_REQUIRE(t);
    WEFT_CHECK_EQ_INT(weft_ndim(t), ndim);
    for (int d = 0; d < ndim && d < weft_ndim(t); d++)
        WEFT_CHECK_EQ_INT(weft_size(t, d), shape[d]);
}

#endif
