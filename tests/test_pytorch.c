/* test_pytorch.c - Weft's side of docs/pytorch.md, one test of the same name for each row. */
#include <math.h>
#include <stdio.h>
#include <weft/nn.h>

#include "harness/structs.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"
#include "samples/layout.h"

/* ---- A row of the table, in a context of its own ---- */

#define DIFFERENCE(name)                                                                                               \
    static void name(weft_ctx *c);                                                                                     \
    WEFT_TEST(Pytorch, name)                                                                                           \
    {                                                                                                                  \
        test_memory memory;                                                                                            \
        weft_ctx *c = test_ctx_open(&memory, 1);                                                                       \
        WEFT_REQUIRE(c);                                                                                               \
        name(c);                                                                                                       \
        if (weft_ctx_status(c) != WEFT_OK)                                                                             \
            WEFT_FAIL("%s", weft_ctx_message(c));                                                                      \
        weft_ctx_clear(c);                                                                                             \
        test_ctx_close(c, &memory);                                                                                    \
    }                                                                                                                  \
    static void name(weft_ctx *c)

#define VALUES(c, ...)                                                                                                 \
    weft_from_data(c, WEFT_F64, WEFT_DIMS((int64_t)(sizeof((const double[]){__VA_ARGS__}) / sizeof(double))),          \
                   (const double[]){__VA_ARGS__})

static void check_values(weft_ctx *c, weft_tensor *t, const double *want, int64_t n)
{
    double got[16];
    WEFT_REQUIRE(n <= 16 && weft_count(t) == n);
    WEFT_CHECK_OK(weft_read(c, weft_cast(t, WEFT_F64), got, sizeof *got * (size_t)n));
    for (int64_t k = 0; k < n; k++)
        if (!(fabs(got[k] - want[k]) < 1e-12 || (isnan(got[k]) && isnan(want[k])) || got[k] == want[k]))
            WEFT_FAIL("element %lld is %.17g, not %.17g", (long long)k, got[k], want[k]);
}
#define CHECK_VALUES(c, t, ...)                                                                                        \
    check_values(c, t, (const double[]){__VA_ARGS__}, (int64_t)(sizeof((const double[]){__VA_ARGS__}) / sizeof(double)))

static weft_tensor *gradient(weft_ctx *c, weft_tensor *y, weft_tensor *x)
{
    weft_tensor *total = weft_sum(y, WEFT_ALL, false), *g = NULL;
    WEFT_CHECK_OK(weft_grad(c, &total, NULL, 1, &x, 1, 0, &g));
    return g;
}

static weft_tensor *leaf(weft_tensor *x)
{
    return weft_set_requires_grad(x, true);
}

/* ---- Values ---- */

DIFFERENCE(SignOfNan)
{
    CHECK_VALUES(c, weft_sign(VALUES(c, NAN, -2, 0, 3)), NAN, -1, 0, 1);
}

static weft_tensor *truths(weft_ctx *c, int n)
{
    return weft_from_data(c, WEFT_BOOL, WEFT_DIMS(n), (const uint8_t[]){0, 1, 0, 1});
}

DIFFERENCE(MaxOfBool)
{
    weft_tensor *most = weft_max_over(truths(c, 4), WEFT_ALL, false),
                *least = weft_min_over(truths(c, 4), WEFT_ALL, false);
    WEFT_CHECK(weft_dtype_of(most) == WEFT_I64 && weft_dtype_of(least) == WEFT_I64);
    WEFT_CHECK_EQ_INT(weft_item_i64(c, most), 1);
    WEFT_CHECK_EQ_INT(weft_item_i64(c, least), 0);
    WEFT_CHECK(weft_dtype_of(weft_any(truths(c, 4), WEFT_ALL, false)) == WEFT_BOOL);
}

DIFFERENCE(BoolArithmetic)
{
    weft_tensor *y = weft_add(truths(c, 2), truths(c, 2));
    WEFT_CHECK(weft_dtype_of(y) == WEFT_I64);
    CHECK_VALUES(c, y, 0, 2);
}

DIFFERENCE(IntegerMatmul)
{
    weft_tensor *a = weft_ones(c, WEFT_I64, WEFT_DIMS(2, 2));
    check_no_result(c, weft_matmul(a, a), WEFT_E_DTYPE, "weft_cast");
}

DIFFERENCE(IntegerTimesFraction)
{
    weft_tensor *x = weft_arange(c, WEFT_I64, 1, 4, 1);
    check_no_result(c, weft_mul_scalar(x, 0.5), WEFT_E_DTYPE, "weft_cast");
    check_no_result(c, weft_clamp(x, 0.5, 2.5), WEFT_E_DTYPE, "weft_cast");
    CHECK_VALUES(c, weft_mul_scalar(x, -2), -2, -4, -6);
    CHECK_VALUES(c, weft_mul_scalar(weft_cast(x, WEFT_F64), 0.5), 0.5, 1, 1.5);
}

DIFFERENCE(ConversionSaturates)
{
    CHECK_VALUES(c, weft_cast(VALUES(c, 3e9, -3e9, NAN, 1.9), WEFT_I32), 2147483647, -2147483648.0, 0, 1);
    CHECK_VALUES(c, weft_full(c, WEFT_I32, WEFT_DIMS(1), 3e9), 2147483647);
}

DIFFERENCE(RangesAreHeld)
{
    check_no_result(c, weft_arange(c, WEFT_U8, 0, 300, 1), WEFT_E_INVALID, "weft_cast");
    check_no_result(c, weft_randint(c, WEFT_U8, WEFT_DIMS(3), 0, 300), WEFT_E_INVALID, "weft_cast");
}

DIFFERENCE(NegativePower)
{
    weft_tensor *base = weft_arange(c, WEFT_I64, -2, 3, 1), *power = weft_full(c, WEFT_I64, WEFT_SCALAR, -1);
    CHECK_VALUES(c, weft_pow(base, power), 0, -1, 0, 1, 0);
}

DIFFERENCE(RemainderByZero)
{
    CHECK_VALUES(c, weft_mod(weft_arange(c, WEFT_I64, -1, 2, 1), weft_zeros(c, WEFT_I64, WEFT_SCALAR)), 0, 0, 0);
}

DIFFERENCE(NanIsFirst)
{
    weft_tensor *values = NULL, *indices = NULL;
    WEFT_CHECK_OK(weft_topk(VALUES(c, 2, (double)NAN, 1), 2, 0, false, &values, &indices));
    CHECK_VALUES(c, indices, 1, 2);
}

DIFFERENCE(TiesGoByPlace)
{
    weft_tensor *values = NULL, *indices = NULL;
    WEFT_CHECK_OK(weft_topk(VALUES(c, 5, 7, 5, 7, 7), 4, 0, true, &values, &indices));
    CHECK_VALUES(c, indices, 1, 3, 4, 0);
}

DIFFERENCE(MeanBesideAVariance)
{
    weft_tensor *mean = NULL;
    WEFT_CHECK_OK(weft_var_mean(VALUES(c, 1, (double)INFINITY, 2), WEFT_ALL, false, 1, NULL, &mean));
    CHECK_VALUES(c, mean, (double)INFINITY);
}

DIFFERENCE(SoftmaxOfNothing)
{
    CHECK_VALUES(c, weft_softmax(VALUES(c, -INFINITY, -INFINITY), 0), 0, 0);
}

DIFFERENCE(MeanOfNoRows)
{
    weft_tensor *x = leaf(weft_ones(c, WEFT_F64, WEFT_DIMS(2, 3))),
                *ignored = weft_full(c, WEFT_I64, WEFT_DIMS(2), -100);
    WEFT_CHECK(weft_item(c, weft_nll(x, ignored)) == 0);
    weft_tensor *y = weft_cross_entropy(x, ignored);
    WEFT_CHECK(weft_item(c, y) == 0);
    CHECK_VALUES(c, gradient(c, y, x), 0, 0, 0, 0, 0, 0);
}

DIFFERENCE(ClassesComeLast)
{
    weft_tensor *x = weft_zeros(c, WEFT_F64, WEFT_DIMS(2, 5, 3)); /* 2 x 5 rows of 3 classes */
    WEFT_CHECK_NEAR(weft_item(c, weft_cross_entropy(x, weft_zeros(c, WEFT_I64, WEFT_DIMS(2, 5)))), log(3), 1e-12);
}

DIFFERENCE(LossesPairOperands)
{
    weft_tensor *p = weft_ones(c, WEFT_F64, WEFT_DIMS(8, 1)), *t = weft_zeros(c, WEFT_F64, WEFT_DIMS(8));
    check_no_result(c, weft_mse(p, t), WEFT_E_SHAPE, "weft_squeeze");
    WEFT_CHECK(weft_item(c, weft_mse(weft_squeeze(p, WEFT_DIMS(1)), t)) == 1);
}

DIFFERENCE(BatchNormOfOneValue)
{
    weft_tensor *x = leaf(weft_full(c, WEFT_F64, WEFT_DIMS(1, 2), 7)), *b = VALUES(c, 3, -4);
    weft_tensor *mean = weft_zeros(c, WEFT_F64, WEFT_DIMS(2)), *var = weft_ones(c, WEFT_F64, WEFT_DIMS(2));
    weft_tensor *y = weft_batch_norm(x, NULL, b, mean, var,
                                     &(weft_batch_norm_params){sizeof(weft_batch_norm_params), 0.1, 1e-5, true});
    CHECK_VALUES(c, y, 3, -4);
    CHECK_VALUES(c, mean, 0.7, 0.7);
    CHECK_VALUES(c, var, 0.9, 0.9);
    CHECK_VALUES(c, gradient(c, y, x), 0, 0);
}

DIFFERENCE(DropoutOfEverything)
{
    for (int d = 0; d < 4; d++) {
        static const weft_dtype dtypes[] = {WEFT_F32, WEFT_F64, WEFT_F16, WEFT_BF16};
        weft_tensor *x = leaf(weft_cast(VALUES(c, 1, NAN, INFINITY, -2), dtypes[d])), *y = weft_dropout(x, 1, true);
        CHECK_VALUES(c, y, 0, 0, 0, 0);
        CHECK_VALUES(c, gradient(c, y, x), 0, 0, 0, 0);
        weft_tensor *g = weft_cast(VALUES(c, NAN, 1, 2, INFINITY), dtypes[d]), *dx = NULL;
        WEFT_CHECK_OK(weft_grad(c, &y, &g, 1, &x, 1, WEFT_GRAD_CREATE_GRAPH, &dx));
        CHECK_VALUES(c, dx, 0, 0, 0, 0);
    }
}

DIFFERENCE(CausalLooksBack)
{
    weft_tensor *q = weft_zeros(c, WEFT_F64, WEFT_DIMS(2, 1)), *k = weft_zeros(c, WEFT_F64, WEFT_DIMS(3, 1));
    weft_tensor *v = weft_reshape(VALUES(c, 1, 2, 3), WEFT_DIMS(3, 1));
    CHECK_VALUES(c, weft_attention(q, k, v, WEFT_ATTENTION_SCALE, true), 1.5, 2);
}

DIFFERENCE(HiddenStaysHidden)
{
    weft_tensor *q = weft_zeros(c, WEFT_F64, WEFT_DIMS(2, 1)), *v = weft_reshape(VALUES(c, 5, NAN), WEFT_DIMS(2, 1));
    CHECK_VALUES(c, weft_attention(q, q, v, WEFT_ATTENTION_SCALE, true), 5, NAN);
    CHECK_VALUES(c, weft_attention(q, v, v, WEFT_ATTENTION_SCALE, true), 5, NAN);
}

DIFFERENCE(RmspropOfAlikeGradients)
{
    weft_rmsprop_options o = WEFT_RMSPROP_DEFAULTS;
    o.alpha = 0.5;
    o.centered = true;
    weft_tensor *p = weft_zeros(c, WEFT_F64, WEFT_DIMS(2)), *g = VALUES(c, 0.1, 0.7);
    weft_tensor *state[] = {weft_zeros(c, WEFT_F64, WEFT_DIMS(2)), weft_zeros(c, WEFT_F64, WEFT_DIMS(2))};
    weft_step_lists lists = INIT_STEP_LISTS(.params = &p, .grads = &g, .state = state, .n = 1);
    for (lists.step = 1; lists.step <= 60; lists.step++)
        WEFT_CHECK_OK(weft_rmsprop_step(c, &lists, &o));
    CHECK_VALUES(c, weft_isfinite(p), 1, 1);
    weft_tensor *before = weft_clone(p);
    WEFT_CHECK_OK(weft_rmsprop_step(c, &lists, &o));
    weft_tensor *step = weft_div(weft_sub(before, p), g);
    CHECK_VALUES(c, weft_lt(weft_abs(weft_add_scalar(step, -0.01 / 1e-8)), weft_full_like(step, 1)), 1, 1);
}

DIFFERENCE(ClipIsExact)
{
    weft_tensor *p = weft_param(weft_zeros(c, WEFT_F64, WEFT_DIMS(2)), "p");
    WEFT_CHECK_OK(weft_backward(c, weft_sum(weft_mul(p, VALUES(c, 3, 4)), WEFT_ALL, false)));
    WEFT_CHECK(weft_clip_grad_norm(c, &p, 1, 5) == 5);
    CHECK_VALUES(c, weft_grad_of(p), 3, 4);
    weft_release(p);
}

DIFFERENCE(LeavesAreOverwritten)
{
    weft_tensor *w = leaf(weft_ones(c, WEFT_F64, WEFT_DIMS(2)));
    WEFT_CHECK(weft_copy_(w, VALUES(c, 3, 4)) == w && weft_requires_grad(w));
    CHECK_VALUES(c, gradient(c, weft_mul(w, w), w), 6, 8);
    weft_tensor *before = weft_sum(weft_mul(w, w), WEFT_ALL, false);
    WEFT_CHECK(weft_fill_(w, 1) == w);
    WEFT_CHECK_STATUS(weft_backward(c, before), WEFT_E_OVERWRITTEN);
    weft_ctx_clear(c);
}

DIFFERENCE(CummaxOfEquals)
{
    weft_tensor *indices = NULL;
    WEFT_CHECK_OK(weft_cummax(VALUES(c, 1, 3, 3, 2), 0, NULL, &indices));
    CHECK_VALUES(c, indices, 0, 1, 1, 1);
    WEFT_CHECK_OK(weft_cummin(VALUES(c, 1, 1, 3), 0, NULL, &indices));
    CHECK_VALUES(c, indices, 0, 0, 0);
}

DIFFERENCE(QuantileOfInfinities)
{
    CHECK_VALUES(c, weft_quantile(VALUES(c, INFINITY, INFINITY, 1), 0.75, 0, false), INFINITY);
}

DIFFERENCE(BinsAreAskedFor)
{
    weft_tensor *x = weft_arange(c, WEFT_I64, 0, 2, 1), *counts = weft_bincount(x, 4);
    CHECK_VALUES(c, counts, 1, 1, 0, 0);
    weft_tensor *histogram = weft_histc(VALUES(c, 0.5, 1, NAN), 2, 0, 2);
    WEFT_CHECK(weft_dtype_of(histogram) == WEFT_I64);
    CHECK_VALUES(c, histogram, 1, 1);
    check_no_result(c, weft_histc(VALUES(c, 0.5, 1), 2, 0, 0), WEFT_E_INVALID, "lo < hi");
}

static weft_tensor *two_by_two(weft_ctx *c, double a, double b, double d, double e)
{
    return weft_from_data(c, WEFT_F64, WEFT_DIMS(2, 2), (const double[]){a, b, d, e});
}

DIFFERENCE(SymmetricPart)
{
    weft_tensor *x = two_by_two(c, 2, 1, 0, 2), *values = NULL;
    CHECK_VALUES(c, weft_cholesky(x), sqrt(2), 0, 0.5 / sqrt(2), sqrt(2 - 0.125));
    WEFT_CHECK_OK(weft_eigh(x, &values, NULL));
    CHECK_VALUES(c, values, 1.5, 2.5);
}

DIFFERENCE(PositiveDiagonalOfR)
{
    weft_tensor *q = NULL, *r = NULL;
    WEFT_CHECK_OK(weft_qr(two_by_two(c, 3, 1, 4, 2), &q, &r));
    CHECK_VALUES(c, r, 5, 2.2, 0, 0.4);
    CHECK_VALUES(c, q, 0.6, -0.8, 0.8, 0.6);
}

DIFFERENCE(SingularTriangle)
{
    check_no_result(c, weft_triangular_solve(two_by_two(c, 1, 0, 1, 0), weft_ones(c, WEFT_F64, WEFT_DIMS(2, 1)), 0),
                    WEFT_E_INVALID, "matrix 0 is singular");
}

/* ---- Gradients ---- */

DIFFERENCE(ClampAtItsLimits)
{
    weft_tensor *x = leaf(VALUES(c, -1, 0, 0.5, 1, 2));
    CHECK_VALUES(c, gradient(c, weft_clamp(x, 0, 1), x), 0, 1, 1, 1, 0);
}

DIFFERENCE(ExtremesWithNan)
{
    weft_tensor *a = leaf(VALUES(c, NAN, 1, 2)), *b = leaf(VALUES(c, 1, NAN, 2));
    weft_tensor *y = weft_max(a, b), *z = weft_min(a, b);
    CHECK_VALUES(c, y, NAN, NAN, 2);
    CHECK_VALUES(c, gradient(c, y, a), 0, 0, 0.5);
    CHECK_VALUES(c, gradient(c, y, b), 0, 0, 0.5);
    CHECK_VALUES(c, gradient(c, z, a), 0, 0, 0.5);
}

DIFFERENCE(ReducedTiesShare)
{
    weft_tensor *x = leaf(VALUES(c, 1, 3, 3));
    CHECK_VALUES(c, gradient(c, weft_max_over(x, WEFT_DIMS(0), false), x), 0, 0.5, 0.5);
    weft_tensor *image = leaf(weft_ones(c, WEFT_F64, WEFT_DIMS(1, 1, 2, 2)));
    weft_tensor *pooled = weft_max_pool2d(image, &WITH_POOL2D(.kernel = {2, 2}));
    CHECK_VALUES(c, gradient(c, pooled, image), 1, 0, 0, 0);
    weft_tensor *first = NULL;
    WEFT_CHECK_OK(weft_max_with_index(x, 0, false, &first, NULL));
    CHECK_VALUES(c, gradient(c, first, x), 0, 1, 0);
}

static void keep_why(void *user, weft_tensor *t, const char *why)
{
    (void)t;
    snprintf(user, 512, "%s", why);
}

DIFFERENCE(StepsAreReported)
{
    char why[512] = "";
    weft_tensor *p = weft_param(VALUES(c, 1.2), "p");
    WEFT_CHECK_OK(weft_backward(c, weft_sum(weft_round(p), WEFT_ALL, false)));
    CHECK_VALUES(c, weft_grad_of(p), 0);
    WEFT_CHECK_EQ_INT(weft_unreached(c, keep_why, why), 1);
    WEFT_CHECK_STR_HAS(why, "weft_round");
    weft_release(p);
}

DIFFERENCE(GradientsAreOwned)
{
    weft_tensor *a = weft_param(VALUES(c, 1), "a"), *b = weft_param(VALUES(c, 2), "b");
    WEFT_CHECK_OK(weft_backward(c, weft_sum(weft_add(a, b), WEFT_ALL, false)));
    weft_fill_(weft_grad_of(a), 100);
    CHECK_VALUES(c, weft_grad_of(b), 1);
    weft_release(a);
    weft_release(b);
}

DIFFERENCE(UnpoolOfOverlaps)
{
    weft_tensor *x = leaf(weft_reshape(VALUES(c, 1, 5, 2), WEFT_DIMS(1, 1, 1, 3))), *most = NULL, *index = NULL;
    const weft_pool2d_params pairs = INIT_POOL2D(.kernel = {1, 2}, .stride = {1, 1});
    WEFT_CHECK_OK(weft_max_pool2d_with_index(x, &pairs, &most, &index));
    weft_tensor *back = weft_max_unpool2d(most, index, (const int64_t[]){1, 3});
    CHECK_VALUES(c, back, 0, 5, 0);
    CHECK_VALUES(c, gradient(c, back, x), 0, 1, 0);
}

static weft_tensor *ctc_of_one_step(weft_ctx *c, weft_tensor *log_probs, int labels)
{
    weft_tensor *targets = weft_ones(c, WEFT_I64, WEFT_DIMS(1, labels));
    return weft_ctc_loss(log_probs, targets, NULL, NULL, 0, false, WEFT_REDUCTION_SUM);
}

DIFFERENCE(CtcByLogProbs)
{
    weft_tensor *x = leaf(weft_reshape(VALUES(c, -1, -2), WEFT_DIMS(1, 1, 2))), *loss = ctc_of_one_step(c, x, 1);
    CHECK_VALUES(c, loss, 2);
    CHECK_VALUES(c, gradient(c, loss, x), 0, -1);
}

DIFFERENCE(HopelessCtc)
{
    weft_tensor *x = leaf(weft_reshape(VALUES(c, -1, -2), WEFT_DIMS(1, 1, 2))), *loss = ctc_of_one_step(c, x, 2);
    CHECK_VALUES(c, loss, INFINITY);
    CHECK_VALUES(c, gradient(c, loss, x), 0, 0);
}

DIFFERENCE(EqualEigenvalues)
{
    weft_tensor *x = leaf(two_by_two(c, 1, 0, 0, 1)), *values = NULL, *vectors = NULL, *g = NULL;
    WEFT_CHECK_OK(weft_eigh(x, &values, &vectors));
    CHECK_VALUES(c, gradient(c, values, x), 1, 0, 0, 1);
    weft_tensor *one = weft_sum(weft_select(vectors, 0, 0), WEFT_ALL, false);
    (void)weft_grad(c, &one, NULL, 1, &x, 1, 0, &g);
    check_no_result(c, g, WEFT_E_INVALID, "equals another one but for rounding");
}

DIFFERENCE(SingularDeterminant)
{
    weft_tensor *x = leaf(weft_zeros(c, WEFT_F64, WEFT_DIMS(2, 2))), *y = weft_det(x), *first = NULL;
    WEFT_CHECK_OK(weft_grad(c, &y, NULL, 1, &x, 1, WEFT_GRAD_CREATE_GRAPH, &first));
    CHECK_VALUES(c, gradient(c, weft_slice(weft_reshape(first, WEFT_DIMS(4)), 0, 0, 1, 1), x), 0, 0, 0, 1);
    CHECK_VALUES(c, gradient(c, weft_slice(weft_reshape(first, WEFT_DIMS(4)), 0, 1, 2, 1), x), 0, 0, -1, 0);
}

/* ---- The table itself ---- */

/* Every row of the page names a test of this file, and every test here is in the page. */
WEFT_TEST(Pytorch, ThePageAndTheTestsNameEachOther)
{
    static const char *const tests[] = {"SignOfNan",
                                        "MaxOfBool",
                                        "BoolArithmetic",
                                        "IntegerMatmul",
                                        "IntegerTimesFraction",
                                        "ConversionSaturates",
                                        "RangesAreHeld",
                                        "NegativePower",
                                        "RemainderByZero",
                                        "NanIsFirst",
                                        "TiesGoByPlace",
                                        "CummaxOfEquals",
                                        "QuantileOfInfinities",
                                        "BinsAreAskedFor",
                                        "MeanBesideAVariance",
                                        "SoftmaxOfNothing",
                                        "MeanOfNoRows",
                                        "ClassesComeLast",
                                        "LossesPairOperands",
                                        "BatchNormOfOneValue",
                                        "DropoutOfEverything",
                                        "CausalLooksBack",
                                        "HiddenStaysHidden",
                                        "MasksSayWhatIsSeen",
                                        "RmspropOfAlikeGradients",
                                        "ClipIsExact",
                                        "LeavesAreOverwritten",
                                        "SymmetricPart",
                                        "PositiveDiagonalOfR",
                                        "SingularTriangle",
                                        "ClampAtItsLimits",
                                        "ExtremesWithNan",
                                        "ReducedTiesShare",
                                        "StepsAreReported",
                                        "GradientsAreOwned",
                                        "UnpoolOfOverlaps",
                                        "CtcByLogProbs",
                                        "HopelessCtc",
                                        "LogcumsumexpOfNothing",
                                        "LogcumsumexpThirdDerivative",
                                        "EqualEigenvalues",
                                        "SingularDeterminant"};
    static char page[1 << 15];
    FILE *file = fopen(WEFT_SOURCE_DIR "/docs/pytorch.md", "rb");
    WEFT_REQUIRE(file);
    const size_t n = fread(page, 1, sizeof page - 1, file);
    fclose(file);
    WEFT_REQUIRE(n > 1000 && n < sizeof page - 1);
    int rows = 0;
    for (const char *row = page; (row = strstr(row, "\n| `")); row++)
        rows++;
    WEFT_CHECK_EQ_INT(rows, sizeof tests / sizeof tests[0]);
    for (size_t k = 0; k < sizeof tests / sizeof tests[0]; k++) {
        char start[64];
        snprintf(start, sizeof start, "\n| `%s`: ", tests[k]);
        WEFT_CHECK_STR_HAS(page, start);
    }
}

DIFFERENCE(MasksSayWhatIsSeen)
{
    weft_module *model = NULL;
    WEFT_CHECK_OK(weft_module_open(c, NULL, &model));
    weft_module *m = weft_nn_attention(model, "m", 4, 2, NULL);
    weft_tensor *x = weft_randn(c, WEFT_F32, WEFT_DIMS(1, 3, 4), 0, 1), *y = weft_detach(weft_forward(m, x));
    weft_forward_options o = WEFT_FORWARD_DEFAULTS;
    o.mask = weft_ones(c, WEFT_BOOL, WEFT_DIMS(3, 3));
    weft_tensor *off = weft_sub(weft_detach(weft_forward_with(m, x, &o)), y);
    WEFT_CHECK_NEAR(weft_item(c, weft_max_over(weft_abs(off), WEFT_ALL, false)), 0, 1e-6);
    weft_module_close(model);
}

DIFFERENCE(LogcumsumexpOfNothing)
{
    weft_tensor *x = leaf(VALUES(c, -INFINITY, -INFINITY, 1));
    CHECK_VALUES(c, gradient(c, weft_slice(weft_logcumsumexp(x, 0), 0, 1, 3, 1), x), 0, 0, 1);
}

/* y1 = log(1 + e) at (0, 1); its third derivative by the second element is s (1 - s) (1 - 2 s), s the sigmoid of 1. */
DIFFERENCE(LogcumsumexpThirdDerivative)
{
    const double s = 1 / (1 + exp(-1));
    weft_tensor *x = leaf(VALUES(c, 0, 1)), *y = weft_select(weft_logcumsumexp(x, 0), 0, 1);
    for (int k = 0; k < 3; k++) {
        weft_tensor *g = NULL;
        WEFT_CHECK_OK(weft_grad(c, &y, NULL, 1, &x, 1, WEFT_GRAD_CREATE_GRAPH, &g));
        y = weft_select(g, 0, 1);
    }
    CHECK_VALUES(c, weft_reshape(y, WEFT_DIMS(1)), s * (1 - s) * (1 - 2 * s));
}
