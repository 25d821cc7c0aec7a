/* test_gradient_at.c - derivatives at single places: second ones at zeros, counts, masks, rounded results, nothing; in
 * every floating dtype, fused and composed. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/observe.h"
#include "harness/weft_test.h"
#include "samples/compare.h"
#include "samples/layout.h"

enum { N_DTYPES = 4 };
static const weft_dtype dtypes[N_DTYPES] = {WEFT_F64, WEFT_F32, WEFT_BF16, WEFT_F16};

typedef weft_tensor *(*of_one)(weft_tensor *x);

static weft_tensor *product(weft_tensor *x)
{
    return weft_prod(x, WEFT_ALL, false);
}

/* The second derivative of f along ones. */
static void second_along_ones(weft_ctx *ctx, of_one f, const double *at, const double *want, int n)
{
    const int mark = weft_scope_push(ctx);
    weft_tensor *x = weft_set_requires_grad(weft_from_data(ctx, WEFT_F64, WEFT_DIMS(n), at), true), *g, *h;
    weft_tensor *y = f(x);
    double got[8] = {0};
    WEFT_CHECK_OK(weft_grad(ctx, &y, NULL, 1, &x, 1, WEFT_GRAD_CREATE_GRAPH, &g));
    weft_tensor *sum = weft_sum(g, WEFT_ALL, false);
    WEFT_CHECK_OK(weft_grad(ctx, &sum, NULL, 1, &x, 1, 0, &h));
    WEFT_CHECK_OK(weft_read(ctx, h, got, sizeof *got * (size_t)n));
    for (int k = 0; k < n; k++)
        WEFT_CHECK_NEAR(got[k], want[k], 1e-14);
    WEFT_CHECK_OK(weft_scope_pop(ctx, mark));
}

WEFT_TEST(GradientAt, ZerosOfAProductCountInItsHessian)
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    second_along_ones(ctx, product, (const double[]){0, 2, 3}, (const double[]){5, 3, 2}, 3);
    second_along_ones(ctx, product, (const double[]){0, 0, 3}, (const double[]){3, 3, 0}, 3);
    second_along_ones(ctx, product, (const double[]){0, 0, 0, 4}, (const double[]){0, 0, 0, 0}, 4);
    second_along_ones(ctx, product, (const double[]){0, 2, 3, 5, 7}, (const double[]){247, 105, 70, 42, 30}, 5);
    second_along_ones(ctx, product, (const double[]){4, 5}, (const double[]){1, 1}, 2);
    test_ctx_close(ctx, &memory);
}

/* A product that overflows while those of the others do not; any set of reduced dims. */
WEFT_TEST(GradientAt, ProductsNeedNoDivision)
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    static const double at[12] = {1e30, 1e30, 1e-20, 2, 0, 3, 1, 1, 0, 5, 7, 0};
    static const double over[12] = {2e10, 2e10, 2e60, 1e40, 3, 0, 0, 0, 0, 0, 0, 0};
    double got[12];
    weft_tensor *x = weft_set_requires_grad(weft_from_data(ctx, WEFT_F64, WEFT_DIMS(3, 4), at), true), *dx;
    for (int flags = 0; flags <= WEFT_GRAD_CREATE_GRAPH; flags++) {
        weft_tensor *y = weft_sum(weft_prod(x, WEFT_DIMS(1), false), WEFT_ALL, false);
        WEFT_CHECK_OK(weft_grad(ctx, &y, NULL, 1, &x, 1, flags, &dx));
        WEFT_CHECK_OK(weft_read(ctx, dx, got, sizeof got));
        for (int k = 0; k < 12; k++)
            WEFT_CHECK_NEAR(got[k], over[k], 1e-12 * fabs(over[k]));
    }
    static const float large[3] = {1e30f, 3e30f, 2};
    float narrow[3];
    x = weft_set_requires_grad(weft_from_data(ctx, WEFT_F32, WEFT_DIMS(3), large), true);
    weft_tensor *y = product(x);
    WEFT_CHECK_OK(weft_grad(ctx, &y, NULL, 1, &x, 1, 0, &dx));
    WEFT_CHECK_OK(weft_read(ctx, dx, narrow, sizeof narrow));
    WEFT_CHECK_NEAR((double)narrow[0], 6e30, 1e24);
    WEFT_CHECK_NEAR((double)narrow[1], 2e30, 1e24);
    WEFT_CHECK(isinf(narrow[2]));
    test_ctx_close(ctx, &memory);
}

static weft_tensor *huber_at_zero(weft_tensor *x)
{
    return weft_huber(x, weft_zeros_like(x), 1);
}

WEFT_TEST(GradientAt, HuberBendsWherePredictionEqualsTarget)
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    second_along_ones(ctx, huber_at_zero, (const double[]){0, 0.5, -0.5, 3, -3}, (const double[]){0.2, 0.2, 0.2, 0, 0},
                      5);
    test_ctx_close(ctx, &memory);
}

/* Extremes that tie more often than a half type counts. */
WEFT_TEST(GradientAt, TiesAreCountedBeyondTheTypesRange)
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    enum { MANY = 70000 };
    for (int d = 0; d < N_DTYPES; d++)
        for (int flags = 0; flags <= WEFT_GRAD_CREATE_GRAPH; flags++) {
            const int mark = weft_scope_push(ctx);
            weft_tensor *x = weft_set_requires_grad(weft_zeros(ctx, dtypes[d], WEFT_DIMS(MANY)), true), *dx;
            weft_tensor *y[2] = {weft_max_over(x, WEFT_ALL, false), weft_min_over(x, WEFT_ALL, false)};
            for (int k = 0; k < 2; k++) {
                WEFT_CHECK_OK(weft_grad(ctx, &y[k], NULL, 1, &x, 1, flags, &dx));
                weft_tensor *most = weft_cast(weft_max_over(dx, WEFT_ALL, false), WEFT_F64);
                WEFT_CHECK_NEAR(weft_item(ctx, weft_detach(most)), 1.0 / MANY, 1e-7);
                weft_tensor *total = weft_sum(weft_cast(weft_detach(dx), WEFT_F64), WEFT_ALL, false);
                WEFT_CHECK_NEAR(weft_item(ctx, total), 1, 4e-3);
            }
            WEFT_CHECK_OK(weft_scope_pop(ctx, mark));
        }
    test_ctx_close(ctx, &memory);
}

/* Rows that are ignored hold NaN and infinity: 0 there, and the others as if they were alone. */
WEFT_TEST(GradientAt, IgnoredRowsMayHoldAnything)
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    static const double at[9] = {(double)NAN, 0, 1, 0, 0, 0, (double)INFINITY, -(double)INFINITY, (double)NAN};
    static const int64_t target[3] = {-100, 1, -100};
    for (int d = 0; d < N_DTYPES; d++)
        for (int how = 0; how < 8; how++) {
            const int mark = weft_scope_push(ctx);
            const weft_reduction reduction = how / 2 == 1   ? WEFT_REDUCTION_SUM
                                             : how / 2 == 2 ? WEFT_REDUCTION_NONE
                                                            : WEFT_REDUCTION_MEAN;
            weft_tensor *x = weft_cast(weft_from_data(ctx, WEFT_F64, WEFT_DIMS(3, 3), at), dtypes[d]), *dx;
            weft_tensor *rows = weft_from_data(ctx, WEFT_I64, WEFT_DIMS(3), target);
            x = weft_set_requires_grad(weft_detach(x), true);
            weft_tensor *y = how / 2 == 3 ? weft_nll(x, rows) : weft_cross_entropy_with(x, rows, -100, 0, reduction);
            weft_tensor *g = weft_full_like(y, 1);
            if (reduction == WEFT_REDUCTION_NONE) /* what arrives for a row that does not count does not count either */
                g = weft_cast(
                    weft_from_data(ctx, WEFT_F64, WEFT_DIMS(3), (const double[]){(double)NAN, 1, (double)INFINITY}),
                    dtypes[d]);
            WEFT_CHECK_OK(weft_grad(ctx, &y, &g, 1, &x, 1, how % 2 ? WEFT_GRAD_CREATE_GRAPH : 0, &dx));
            double *got = read_doubles(ctx, dx);
            for (int e = 0; got && e < 9; e++) {
                const double third = how / 2 == 3 ? 0 : 1.0 / 3, own = e / 3 == 1 ? third - (e == 4) : 0;
                WEFT_CHECK_NEAR(got[e], own, 3e-3);
            }
            free(got);
            WEFT_CHECK_OK(weft_scope_pop(ctx, mark));
        }
    test_ctx_close(ctx, &memory);
}

/* Sums whose result has rounded, or overflowed, where the derivative has not. */
WEFT_TEST(GradientAt, ReductionsDoNotReadWhatRoundedAway)
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    for (int d = 0; d < N_DTYPES; d++)
        for (int how = 0; how < 4; how++) {
            const int mark = weft_scope_push(ctx), flags = how % 2 ? WEFT_GRAD_CREATE_GRAPH : 0;
            const double ends[2][2] = {{100, 100.5}, {60000, 60000}}, *at = ends[how / 2];
            weft_tensor *x = weft_cast(weft_from_data(ctx, WEFT_F64, WEFT_DIMS(2, 1), at), dtypes[d]), *dx;
            x = weft_set_requires_grad(weft_detach(x), true);
            weft_tensor *y = how / 2 ? weft_norm(x, WEFT_ALL, false) : weft_logsumexp(x, WEFT_ALL, false);
            WEFT_CHECK_OK(weft_grad(ctx, &y, NULL, 1, &x, 1, flags, &dx));
            double *got = read_doubles(ctx, dx);
            WEFT_CHECK_NEAR(got[0], how / 2 ? sqrt(0.5) : 1 / (1 + exp(0.5)), 3e-3);
            WEFT_CHECK_NEAR(got[1], how / 2 ? sqrt(0.5) : 1 / (1 + exp(-0.5)), 3e-3);
            free(got);
            WEFT_CHECK_OK(weft_scope_pop(ctx, mark));
        }
    /* the quotient by a denormal norm overflows, x over it does not */
    const float tiny[2] = {3e-42f, 4e-42f};
    float near[2];
    weft_tensor *x = weft_set_requires_grad(weft_from_data(ctx, WEFT_F32, WEFT_DIMS(2), tiny), true), *dx;
    weft_tensor *y = weft_norm(x, WEFT_ALL, false);
    WEFT_CHECK_OK(weft_grad(ctx, &y, NULL, 1, &x, 1, 0, &dx));
    WEFT_CHECK_OK(weft_read(ctx, dx, near, sizeof near));
    WEFT_CHECK_NEAR((double)near[0], 0.6, 1e-3);
    WEFT_CHECK_NEAR((double)near[1], 0.8, 1e-3);
    test_ctx_close(ctx, &memory);
}

/* Of a slice whose largest element takes all but a trace, the gradient is that trace, for the largest as for the
 * others. */
WEFT_TEST(GradientAt, SoftmaxThatRoundedToOneHasASlope)
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    static const double tops[N_DTYPES] = {40, 20, 6.5, 8}, roundings[N_DTYPES] = {1e-13, 1e-6, 1.2e-2, 2e-3};
    enum { N = 100 };
    for (int d = 0; d < N_DTYPES; d++)
        for (int how = 0; how < 6; how++) { /* along rows, columns, short rows; both ways */
            const int mark = weft_scope_push(ctx), n = how / 2 == 2 ? 3 : N;
            double at[N] = {0}, cotangent[N] = {0};
            for (int k = 0; k < n; k++)
                cotangent[k] = k == n / 2 ? 3 : k % 2 ? 1 : 1.5;
            at[n / 2] = tops[d];
            weft_tensor *x = weft_from_data(ctx, WEFT_F64, WEFT_DIMS(n, 1), at), *dx;
            weft_tensor *g = weft_cast(weft_from_data(ctx, WEFT_F64, WEFT_DIMS(n, 1), cotangent), dtypes[d]);
            x = weft_cast(x, dtypes[d]);
            if (how / 2 == 1) { /* columns */
                x = weft_contiguous(weft_expand(x, WEFT_DIMS(n, 3)));
                g = weft_contiguous(weft_expand(g, WEFT_DIMS(n, 3)));
            }
            x = weft_set_requires_grad(weft_detach(x), true);
            weft_tensor *y = how / 2 == 1 ? weft_softmax(x, 0) : weft_softmax(weft_reshape(x, WEFT_DIMS(1, n)), 1);
            if (how / 2 != 1)
                g = weft_reshape(g, WEFT_DIMS(1, n));
            WEFT_CHECK_OK(weft_grad(ctx, &y, &g, 1, &x, 1, how % 2 ? WEFT_GRAD_CREATE_GRAPH : 0, &dx));
            double *got = read_doubles(ctx, dx), trace = exp(-tops[d]), sum = 1 + (n - 1) * trace, want = 0;
            for (int k = 0; k < n; k++)
                want += k == n / 2 ? 0 : (3 - cotangent[k]) * trace / (sum * sum);
            WEFT_CHECK_NEAR(got[n / 2 * (how / 2 == 1 ? 3 : 1)], want, roundings[d] * want);
            free(got);
            WEFT_CHECK_OK(weft_scope_pop(ctx, mark));
        }
    test_ctx_close(ctx, &memory);
}

static weft_tensor *bce_of_half(weft_tensor *x)
{
    return weft_bce_with_logits(x, weft_full_like(weft_detach(x), 0.5));
}

/* Where a prediction is right by far, and at 0, where its formula changes sides. */
WEFT_TEST(GradientAt, RightLogitsStillHaveALossAndASlope)
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    static const double at[6] = {20, -20, 20, 0, 0, 0.25}, target[6] = {1, 0, 0, 1, 0, 0.5};
    for (int d = 0; d < 2; d++)
        for (int k = 0; k < 6; k++)
            for (int flags = 0; flags <= WEFT_GRAD_CREATE_GRAPH; flags++) {
                weft_tensor *in[2] = {weft_full(ctx, dtypes[d], WEFT_DIMS(1), at[k]),
                                      weft_full(ctx, dtypes[d], WEFT_DIMS(1), target[k])},
                            *dx[2];
                for (int o = 0; o < 2; o++)
                    in[o] = weft_set_requires_grad(in[o], true);
                weft_tensor *y = weft_bce_with_logits(in[0], in[1]);
                const double loss = target[k] * log1p(exp(-at[k])) + (1 - target[k]) * log1p(exp(at[k]));
                const double slope = (1 - target[k]) / (1 + exp(-at[k])) - target[k] / (1 + exp(at[k]));
                WEFT_CHECK_NEAR(weft_item(ctx, weft_detach(y)), loss, 1e-6 * loss);
                WEFT_CHECK_OK(weft_grad(ctx, &y, NULL, 1, in, 2, flags, dx));
                WEFT_CHECK_NEAR(weft_item(ctx, weft_detach(dx[0])), slope, 1e-6 * fabs(slope));
                WEFT_CHECK_NEAR(weft_item(ctx, weft_detach(dx[1])), -at[k], 0);
            }
    second_along_ones(ctx, bce_of_half, (const double[]){0, 2, -2},
                      (const double[]){0.25 / 3, 0.10499358540350652 / 3, 0.10499358540350652 / 3}, 3);
    uint8_t bytes[2] = {1, 0};
    weft_tensor *x = weft_full(ctx, WEFT_F32, WEFT_DIMS(2), 3), *t = weft_from_data(ctx, WEFT_U8, WEFT_DIMS(2), bytes);
    WEFT_CHECK_NEAR(weft_item(ctx, weft_bce_with_logits(x, t)), (log1p(exp(-3)) + log1p(exp(3))) / 2, 1e-6);
    test_ctx_close(ctx, &memory);
}

/* A loser gets 0, not 0 times g. */
WEFT_TEST(GradientAt, LosersGetNothingOfAnInfiniteGradient)
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    static const double at[3] = {1, 3, 2};
    for (int flags = 0; flags <= WEFT_GRAD_CREATE_GRAPH; flags++) {
        weft_tensor *x =
            weft_set_requires_grad(weft_from_data(ctx, WEFT_F32, WEFT_DIMS(3), (const float[]){1, 3, 2}), true);
        weft_tensor *b = weft_set_requires_grad(weft_full(ctx, WEFT_F32, WEFT_DIMS(3), 2.5), true), *dx[2];
        weft_tensor *y[2] = {weft_max_over(x, WEFT_ALL, false), weft_sum(weft_max(x, b), WEFT_ALL, false)};
        float got[3];
        for (int k = 0; k < 2; k++) {
            weft_tensor *g = weft_scalar(ctx, WEFT_F32, (double)INFINITY);
            WEFT_CHECK_OK(weft_grad(ctx, &y[k], &g, 1, (weft_tensor *[]){x, b}, k + 1, flags, dx));
            WEFT_CHECK_OK(weft_read(ctx, dx[0], got, sizeof got));
            for (int e = 0; e < 3; e++)
                WEFT_CHECK(at[e] == 3 ? isinf(got[e]) : got[e] == 0);
        }
    }
    test_ctx_close(ctx, &memory);
}

/* Crossed limits: the upper one holds for all. */
WEFT_TEST(GradientAt, ClampWithCrossedLimitsIsConstant)
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    for (int d = 0; d < N_DTYPES; d++) {
        weft_tensor *x = weft_arange(ctx, dtypes[d], -5, 6, 1), *y = weft_clamp(x, 2, 1);
        WEFT_CHECK(weft_item(ctx, weft_all(weft_eq(y, weft_scalar(ctx, WEFT_F64, 1)), WEFT_ALL, false)) == 1);
    }
    weft_tensor *y = weft_clamp(weft_arange(ctx, WEFT_I64, -5, 6, 1), 2, 1);
    WEFT_CHECK(weft_item(ctx, weft_all(weft_eq(y, weft_scalar(ctx, WEFT_F64, 1)), WEFT_ALL, false)) == 1);
    WEFT_CHECK(isnan(weft_item(ctx, weft_clamp(weft_scalar(ctx, WEFT_F32, (double)NAN), 2, 1))));
    test_ctx_close(ctx, &memory);
}

/* ---- Nothing ---- */

/* The gradient of a mean over nothing, as a function of the factor that arrives: its derivative must not be 0 times
 * infinity. */
WEFT_TEST(GradientAt, TheMeanOfNothingDependsOnNothing)
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    for (int flags = 0; flags <= WEFT_GRAD_CREATE_GRAPH; flags++)
        for (int k = 0; k < 4; k++) {
            weft_tensor *p = weft_set_requires_grad(weft_full(ctx, WEFT_F32, WEFT_DIMS(1), 2), true);
            weft_tensor *s = weft_set_requires_grad(weft_full(ctx, WEFT_F32, WEFT_SCALAR, 3), true);
            weft_tensor *none = weft_zeros(ctx, WEFT_F32, WEFT_DIMS(0)), *x = weft_mul(p, none), *dp, *ds;
            weft_tensor *y = k == 0   ? weft_mean(x, WEFT_ALL, false)
                             : k == 1 ? weft_mse(x, none)
                             : k == 2 ? weft_huber(x, none, 1)
                                      : weft_bce_with_logits(x, none);
            WEFT_CHECK(isnan(weft_item(ctx, weft_detach(y))));
            WEFT_CHECK_OK(weft_grad(ctx, &y, &s, 1, &p, 1, flags, &dp));
            WEFT_CHECK(weft_item(ctx, weft_detach(dp)) == 0);
            if (!flags)
                continue;
            WEFT_CHECK_OK(weft_grad(ctx, &dp, NULL, 1, &s, 1, WEFT_GRAD_ALLOW_UNUSED, &ds));
            WEFT_CHECK(!ds || weft_item(ctx, ds) == 0);
        }
    test_ctx_close(ctx, &memory);
}

/* The gradient of what f gives, its elements summed, at n places. */
static void check_gradient(weft_ctx *ctx, const char *what, of_one f, const double *at, const double *want, int n)
{
    const int mark = weft_scope_push(ctx);
    weft_tensor *x = weft_set_requires_grad(weft_from_data(ctx, WEFT_F64, WEFT_DIMS(n), at), true), *g = NULL;
    weft_tensor *y = weft_sum(f(x), WEFT_ALL, false);
    double got[8] = {0};
    WEFT_CHECK_OK(weft_grad(ctx, &y, NULL, 1, &x, 1, 0, &g));
    WEFT_CHECK_OK(weft_read(ctx, g, got, sizeof *got * (size_t)n));
    for (int k = 0; k < n; k++)
        if (isnan(want[k]) ? !isnan(got[k]) : !(fabs(got[k] - want[k]) < 1e-14))
            WEFT_FAIL("%s, element %d: %g instead of %g", what, k, got[k], want[k]);
    WEFT_CHECK_OK(weft_scope_pop(ctx, mark));
}

static weft_tensor *largest(weft_tensor *x)
{
    return weft_max_over(x, WEFT_ALL, false);
}

static weft_tensor *smallest(weft_tensor *x)
{
    return weft_min_over(x, WEFT_ALL, false);
}

static weft_tensor *length(weft_tensor *x)
{
    return weft_norm(x, WEFT_ALL, false);
}

static weft_tensor *floor_and_square(weft_tensor *x)
{
    return weft_add(weft_floor(x), weft_square(x));
}

static weft_tensor *square_and_floor(weft_tensor *x)
{
    return weft_add(weft_square(x), weft_floor(x));
}

static weft_tensor *floor_and_square_of_half(weft_tensor *x)
{
    return floor_and_square(weft_mul_scalar(x, 0.5));
}

static weft_tensor *square_and_floor_of_half(weft_tensor *x)
{
    return square_and_floor(weft_mul_scalar(x, 0.5));
}

/* A NaN is the extreme, and so is the gradient; a length of 0 has slope 0; a step function does not hide what comes
 * another way, whichever comes first. */
WEFT_TEST(GradientAt, PlacesThatAreNone)
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    const double with_nan[] = {1, NAN, 2}, all_nan[] = {NAN, NAN, NAN}, zeros[] = {0, 0, 0}, some[] = {0.5, -1.5, 2},
                 twice[] = {1, -3, 4}, quarter[] = {0.25, -0.75, 1};
    check_gradient(ctx, "max_over", largest, with_nan, all_nan, 3);
    check_gradient(ctx, "min_over", smallest, with_nan, all_nan, 3);
    check_gradient(ctx, "norm", length, zeros, zeros, 3);
    check_gradient(ctx, "floor, then square", floor_and_square, some, twice, 3);
    check_gradient(ctx, "square, then floor", square_and_floor, some, twice, 3);
    check_gradient(ctx, "floor, then square, of a half", floor_and_square_of_half, some, quarter, 3);
    check_gradient(ctx, "square, then floor, of a half", square_and_floor_of_half, some, quarter, 3);
    test_ctx_close(ctx, &memory);
}

/* A bias alone: neither the operand nor the weights need a gradient. */
WEFT_TEST(GradientAt, ABiasAlone)
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    weft_tensor *x = weft_ones(ctx, WEFT_F64, WEFT_DIMS(4, 3)), *w = weft_ones(ctx, WEFT_F64, WEFT_DIMS(2, 3));
    weft_tensor *b = weft_set_requires_grad(weft_ones(ctx, WEFT_F64, WEFT_DIMS(2)), true), *g = NULL;
    weft_tensor *y = weft_sum(weft_linear(x, w, b), WEFT_ALL, false);
    double got[2] = {0};
    WEFT_CHECK_OK(weft_grad(ctx, &y, NULL, 1, &b, 1, WEFT_GRAD_CREATE_GRAPH, &g));
    WEFT_CHECK_OK(weft_read(ctx, g, got, sizeof got));
    WEFT_CHECK(got[0] == 4 && got[1] == 4);
    test_ctx_close(ctx, &memory);
}

/* ---- What a backward pass leaves, and arguments that are none ---- */

WEFT_TEST(GradientAt, AGradientHasNoHistoryThatNobodyAskedFor)
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    weft_tensor *x = weft_param(weft_ones(ctx, WEFT_F64, WEFT_DIMS(3, 4)), "x");
    const int mark = weft_scope_push(ctx);
    weft_tensor *y = weft_sum(weft_square(weft_cumsum(weft_square(x), 1)), WEFT_ALL, false), *g = NULL;
    WEFT_CHECK_OK(weft_grad(ctx, &y, NULL, 1, &x, 1, 0, &g));
    WEFT_CHECK(!weft_requires_grad(g));
    WEFT_CHECK_OK(weft_backward(ctx, y));
    WEFT_CHECK(!weft_requires_grad(weft_grad_of(x)));
    WEFT_CHECK_OK(weft_scope_pop(ctx, mark));
    weft_release(x);
    test_ctx_close(ctx, &memory);
}

WEFT_TEST(GradientAt, ArgumentsThatAreNone)
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    weft_tensor *x = weft_set_requires_grad(weft_ones(ctx, WEFT_F64, WEFT_DIMS(3)), true), *g = NULL;
    weft_tensor *y = weft_sum(weft_square(x), WEFT_ALL, false);
    WEFT_CHECK(weft_grad_of(NULL) == NULL);
    WEFT_CHECK(weft_grad_of(y) == NULL);
    WEFT_CHECK(weft_grad_of(weft_detach(y)) == NULL);
    WEFT_CHECK_STATUS(weft_grad(ctx, &y, NULL, 1, &x, 1, 0, NULL), WEFT_E_NULL_ARGUMENT);
    weft_ctx_clear(ctx);
    WEFT_CHECK_STATUS(weft_grad(ctx, &y, NULL, 1, NULL, 1, 0, &g), WEFT_E_NULL_ARGUMENT);
    weft_ctx_clear(ctx);
    WEFT_CHECK_STATUS(weft_grad(ctx, NULL, NULL, 1, &x, 1, 0, &g), WEFT_E_NULL_ARGUMENT);
    weft_ctx_clear(ctx);
    WEFT_CHECK_STATUS(weft_backward_with(ctx, NULL, NULL, 1), WEFT_E_NULL_ARGUMENT);
    weft_ctx_clear(ctx);
    WEFT_CHECK_STATUS(weft_backward_with(ctx, &y, NULL, 0), WEFT_E_NULL_ARGUMENT);
    weft_ctx_clear(ctx);
    WEFT_CHECK_OK(weft_backward(ctx, y));
    test_ctx_close(ctx, &memory);
}

static weft_tensor *half_wrong(weft_ctx *ctx, weft_tensor *const *in, int n, void *user)
{
    (void)ctx, (void)n, (void)user;
    return weft_add(weft_square(in[0]), weft_detach(weft_square(in[0])));
}

static weft_tensor *half_right(weft_ctx *ctx, weft_tensor *const *in, int n, void *user)
{
    (void)ctx, (void)n, (void)user;
    return weft_mul_scalar(weft_square(in[0]), 0.5);
}

WEFT_TEST(GradientAt, AGradcheckThatFailsSaysBothNumbers)
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    weft_tensor *x = weft_set_requires_grad(weft_full(ctx, WEFT_F64, WEFT_DIMS(1), 3), true);
    WEFT_CHECK_STATUS(weft_gradcheck(ctx, &x, 1, half_wrong, NULL, NULL), WEFT_E_MISMATCH);
    const char *numbers = strstr(weft_ctx_message(ctx), "at 3: "); /* times a cotangent: the rule has half of it */
    double rule = 0, differences = 0;
    WEFT_CHECK(numbers && sscanf(numbers, "at 3: %lf, but the differences give %lf", &rule, &differences) == 2);
    WEFT_CHECK_NEAR(differences, 2 * rule, 1e-4);
    WEFT_CHECK(rule != 0);
    weft_ctx_clear(ctx);
    test_ctx_close(ctx, &memory);
}

/* ---- A check within a check, and what a check draws ---- */

static weft_tensor *cube_that_checks(weft_ctx *ctx, weft_tensor *const *in, int n, void *user)
{
    int *good = user;
    (void)n;
    weft_tensor *other = weft_set_requires_grad(weft_full(ctx, WEFT_F64, WEFT_DIMS(2), 0.5), true);
    *good += weft_gradcheck(ctx, &other, 1, half_right, NULL, NULL) == WEFT_OK;
    return weft_mul(in[0], weft_square(in[0]));
}

WEFT_TEST(GradientAt, AGradcheckWithinAGradcheck)
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    int good = 0;
    weft_tensor *x = weft_set_requires_grad(weft_full(ctx, WEFT_F64, WEFT_DIMS(2), 3), true);
    WEFT_CHECK_OK(weft_gradcheck(ctx, &x, 1, cube_that_checks, &good, NULL));
    WEFT_CHECK_EQ_INT(good, 5); /* recorded once, then above and below of two elements */
    test_ctx_close(ctx, &memory);
}

WEFT_TEST(GradientAt, AGradcheckDoesNotDrawWhatWasDrawnBefore)
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    double drawn[8];
    int n = 0;
    weft_tensor *x = weft_set_requires_grad(weft_full(ctx, WEFT_F64, WEFT_DIMS(2), 3), true);
    for (int k = 0; k < 4; k++) {
        drawn[n++] = weft_item(ctx, weft_rand(ctx, WEFT_F64, NULL, 0, 0, 1));
        drawn[n++] = weft_item(ctx, weft_rand(ctx, WEFT_F64, NULL, 0, 0, 1));
        WEFT_CHECK_OK((k % 2 ? weft_gradgradcheck : weft_gradcheck)(ctx, &x, 1, half_right, NULL, NULL));
    }
    for (int a = 0; a < n; a++)
        for (int b = 0; b < a; b++)
            WEFT_CHECK(drawn[a] != drawn[b]);
    test_ctx_close(ctx, &memory);
}

/* ---- Slices that are taken again and again ---- */

typedef struct joins {
    weft__observer observer; /* first: the callbacks get its address */
    int64_t elements;        /* that concat made */
} joins;

static void begin_join(weft__observer *observer, const weft__launch *l)
{
    if (!l->custom && l->op == WEFT_OP_CONCAT)
        ((joins *)observer)->elements += l->out[0]->count;
}

static void end_join(weft__observer *observer, const weft__launch *l, weft_status status)
{
    (void)observer, (void)l, (void)status;
}

/* In a pass that is recorded the gradients of equal slices are added up before they become a gradient of the whole: the
 * work is that of a few wholes, not of as many as there are slices. */
WEFT_TEST(GradientAt, EqualSlicesAreJoinedOnce)
{
    enum { N = 100, TIMES = 30 };
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    joins seen = {.observer = {.begin = begin_join, .end = end_join}};
    weft_tensor *x = weft_set_requires_grad(weft_ones(ctx, WEFT_F64, WEFT_DIMS(N)), true), *y = NULL, *g = NULL;
    for (int k = 0; k < TIMES; k++) {
        weft_tensor *part = weft_square(weft_slice(x, 0, k % 2 * 40, k % 2 * 40 + 20, 1));
        y = y ? weft_add(y, part) : part;
    }
    y = weft_sum(y, WEFT_ALL, false);
    weft__observe(ctx, &seen.observer);
    WEFT_CHECK_OK(weft_grad(ctx, &y, NULL, 1, &x, 1, WEFT_GRAD_CREATE_GRAPH, &g));
    weft__unobserve(ctx, &seen.observer);
    double got[N];
    WEFT_CHECK_OK(weft_read(ctx, g, got, sizeof got));
    for (int e = 0; e < N; e++)
        WEFT_CHECK_NEAR(got[e], e < 20 || (e >= 40 && e < 60) ? TIMES : 0, 0);
    WEFT_CHECK_EQ_INT(seen.elements, N);
    test_ctx_close(ctx, &memory);
}

/* ---- As many dims as there are ---- */

static weft_tensor *both_moments(weft_ctx *ctx, weft_tensor *const *in, int n, void *user)
{
    weft_tensor *var = NULL, *mean = NULL;
    (void)ctx, (void)n, (void)user;
    weft_var_mean(in[0], WEFT_DIMS(0, 7), false, 1, &var, &mean);
    return weft_mul(var, weft_square(mean));
}

WEFT_TEST(GradientAt, MomentsOfEightDims)
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    weft_tensor *x = weft_rand(ctx, WEFT_F64, WEFT_DIMS(2, 1, 2, 1, 1, 1, 1, 3), 0.5, 1.5);
    weft_set_requires_grad(x, true);
    WEFT_CHECK_OK(weft_gradcheck(ctx, &x, 1, both_moments, NULL, NULL));
    test_ctx_close(ctx, &memory);
}
