/* test_tensor.c - making tensors, promotion, reading and writing, printing, sharing. */
#include <math.h>
#include <stdio.h>
#include "fake_device.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"

static void check_values(weft_ctx *c, weft_tensor *t, const double *want, int n)
{
    double got[64] = {0};
    WEFT_CHECK_EQ_INT(weft_count(t), n);
    if (weft_count(t) != n || weft_read(c, weft_cast(t, WEFT_F64), got, sizeof got[0] * (size_t)n) != WEFT_OK)
        return;
    for (int k = 0; k < n; k++)
        WEFT_CHECK_NEAR(got[k], want[k], 1e-12);
}

#define CHECK_VALUES(t, ...)                                                                                           \
    check_values(c, t, (const double[]){__VA_ARGS__}, (int)(sizeof((const double[]){__VA_ARGS__}) / sizeof(double)))

WEFT_TEST(Tensor, Makers)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    CHECK_VALUES(weft_zeros(c, WEFT_I8, WEFT_DIMS(3)), 0, 0, 0);
    CHECK_VALUES(weft_full(c, WEFT_F16, WEFT_DIMS(2), 1.5), 1.5, 1.5);
    CHECK_VALUES(weft_full(c, WEFT_BOOL, WEFT_DIMS(2), 7), 1, 1);
    CHECK_VALUES(weft_arange(c, WEFT_I64, 2, 11, 3), 2, 5, 8);
    CHECK_VALUES(weft_arange(c, WEFT_I32, 3, 0, -1), 3, 2, 1);
    CHECK_VALUES(weft_arange(c, WEFT_F64, 0, 1, 0.25), 0, 0.25, 0.5, 0.75);
    WEFT_CHECK_EQ_INT(weft_count(weft_arange(c, WEFT_F32, 5, 0, 1)), 0);
    CHECK_VALUES(weft_linspace(c, WEFT_F64, -1, 1, 5), -1, -0.5, 0, 0.5, 1);
    CHECK_VALUES(weft_linspace(c, WEFT_F64, 3, 9, 1), 3);
    WEFT_CHECK_EQ_INT(weft_count(weft_linspace(c, WEFT_F32, 3, 9, 0)), 0);
    CHECK_VALUES(weft_eye(c, WEFT_F32, 2, 3), 1, 0, 0, 0, 1, 0);
    CHECK_VALUES(weft_full_like(weft_scalar(c, WEFT_I32, 0), -4), -4);
    fault_ctx_close(c, &m);
}

WEFT_TEST(Tensor, LinspaceEndsExactly)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *t = weft_linspace(c, WEFT_F64, 0.1, 0.7, 1001);
    WEFT_CHECK(weft_item(c, weft_select(t, 0, -1)) == 0.7);
    WEFT_CHECK(weft_item(c, weft_select(t, 0, 0)) == 0.1);
    fault_ctx_close(c, &m);
}

static void gone(void *user, void *data)
{
    (void)data;
    ++*(int *)user;
}

WEFT_TEST(Tensor, WrapUsesMemoryInPlaceAndLetsGoOnce)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    float data[6] = {0, 1, 2, 3, 4, 5};
    int released = 0, mark = weft_scope_push(c);
    weft_tensor *t = weft_wrap(c, WEFT_F32, WEFT_DIMS(2, 3), data, gone, &released);
    weft_tensor *view = weft_keep(weft_transpose(t, 0, 1));
    weft_fill_(t, 9);
    WEFT_CHECK_NEAR((double)data[4], 9, 0);
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
    WEFT_CHECK_EQ_INT(released, 0);
    weft_release(view);
    WEFT_CHECK_EQ_INT(released, 1);
    WEFT_CHECK(weft_wrap(c, WEFT_F32, WEFT_DIMS(2), NULL, gone, &released) == NULL);
    WEFT_CHECK_EQ_INT(released, 2);
    weft_ctx_clear(c);
    fault_ctx_close(c, &m);
}

WEFT_TEST(Tensor, PromotionTableIsTheDocumentedOne)
{
    static const weft_dtype order[] = {WEFT_BOOL, WEFT_U8,   WEFT_I8,  WEFT_I32, WEFT_I64,
                                       WEFT_F16,  WEFT_BF16, WEFT_F32, WEFT_F64};
    static const char *const table[9][9] = {{"bool", "u8", "i8", "i32", "i64", "f16", "bf16", "f32", "f64"},
                                            {"u8", "u8", "i32", "i32", "i64", "f16", "bf16", "f32", "f64"},
                                            {"i8", "i32", "i8", "i32", "i64", "f16", "bf16", "f32", "f64"},
                                            {"i32", "i32", "i32", "i32", "i64", "f16", "bf16", "f32", "f64"},
                                            {"i64", "i64", "i64", "i64", "i64", "f16", "bf16", "f32", "f64"},
                                            {"f16", "f16", "f16", "f16", "f16", "f16", "f32", "f32", "f64"},
                                            {"bf16", "bf16", "bf16", "bf16", "bf16", "f32", "bf16", "f32", "f64"},
                                            {"f32", "f32", "f32", "f32", "f32", "f32", "f32", "f32", "f64"},
                                            {"f64", "f64", "f64", "f64", "f64", "f64", "f64", "f64", "f64"}};
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    for (int i = 0; i < 9; i++)
        for (int j = 0; j < 9; j++) {
            WEFT_CHECK_STR_EQ(weft_dtype_name(weft_promote(order[i], order[j])), table[i][j]);
            weft_tensor *y = weft_mul(weft_full(c, order[i], WEFT_DIMS(2), 1), weft_full(c, order[j], WEFT_DIMS(2), 1));
            const char *want = i == 0 && j == 0 ? "i64" : table[i][j]; /* arithmetic on bool counts */
            WEFT_CHECK_STR_EQ(weft_dtype_name(weft_dtype_of(y)), want);
            WEFT_CHECK_NEAR(weft_item(c, weft_sum(y, WEFT_ALL, false)), 2, 0);
        }
    fault_ctx_close(c, &m);
}

WEFT_TEST(Tensor, HalfConversions)
{
    WEFT_CHECK_EQ_INT(weft_f32_to_f16(1.0f), 0x3C00);
    WEFT_CHECK_EQ_INT(weft_f32_to_f16(65504.0f), 0x7BFF);
    WEFT_CHECK_EQ_INT(weft_f32_to_f16(65520.0f), 0x7C00); /* rounds to infinity */
    WEFT_CHECK_EQ_INT(weft_f32_to_f16(5.9604645e-8f), 1); /* smallest denormal */
    WEFT_CHECK_EQ_INT(weft_f32_to_bf16(1.0f), 0x3F80);
    WEFT_CHECK_EQ_INT(weft_f32_to_bf16(1.00390625f), 0x3F80); /* a tie goes to even */
    WEFT_CHECK(isnan(weft_f16_to_f32(weft_f32_to_f16(NAN))));
    WEFT_CHECK(isnan(weft_bf16_to_f32(weft_f32_to_bf16(NAN))));
    for (uint32_t bits = 0; bits < 65536; bits++) {
        float half = weft_f16_to_f32((uint16_t)bits), brain = weft_bf16_to_f32((uint16_t)bits);
        if (!isnan(half) && weft_f32_to_f16(half) != bits)
            WEFT_FAIL("f16 %04x does not come back", bits);
        if (!isnan(brain) && weft_f32_to_bf16(brain) != bits)
            WEFT_FAIL("bf16 %04x does not come back", bits);
    }
}

WEFT_TEST(Tensor, ReadWriteItem)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *t = weft_from_data(c, WEFT_I32, WEFT_DIMS(2, 3), (const int32_t[]){1, 2, 3, 4, 5, 6});
    int32_t out[6];
    WEFT_CHECK_OK(weft_read(c, weft_transpose(t, 0, 1), out, sizeof out));
    WEFT_CHECK_EQ_INT(out[1], 4);
    WEFT_CHECK_OK(weft_write(c, weft_transpose(t, 0, 1), (const int32_t[]){10, 20, 30, 40, 50, 60}, sizeof out));
    CHECK_VALUES(t, 10, 30, 50, 20, 40, 60);
    WEFT_CHECK_EQ_INT(weft_item_i64(c, weft_scalar(c, WEFT_I64, -5)), -5);
    int64_t big = INT64_MAX - 1;
    WEFT_CHECK_EQ_INT(weft_item_i64(c, weft_from_data(c, WEFT_I64, WEFT_DIMS(1), &big)), big);
    WEFT_CHECK_STATUS(weft_read(c, t, out, 4), WEFT_E_INVALID);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "24 bytes");
    weft_ctx_clear(c);
    WEFT_CHECK(isnan(weft_item(c, t)));
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_SHAPE);
    WEFT_CHECK_EQ_INT(weft_size(t, -1), 3);
    WEFT_CHECK_EQ_INT(weft_size(t, 2), -1);
    WEFT_CHECK(weft_data(t) != NULL && weft_ctx_of(t) == c && weft_ndim(NULL) == 0);
    fault_ctx_close(c, &m);
}

/* ---- Printing ---- */

static void check_text(weft_ctx *c, weft_tensor *t, const char *want)
{
    char text[4096];
    int64_t length = weft_format(c, t, text, sizeof text);
    WEFT_CHECK_STR_EQ(text, want);
    WEFT_CHECK_EQ_INT(length, strlen(want));
    char small[8];
    WEFT_CHECK_EQ_INT(weft_format(c, t, small, sizeof small), strlen(want));
    WEFT_CHECK(strncmp(small, want, 7) == 0 && strlen(small) <= 7);
}

#define F32(...)                                                                                                       \
    weft_from_data(c, WEFT_F32, WEFT_DIMS((int64_t)(sizeof((float[]){__VA_ARGS__}) / 4)), (const float[]){__VA_ARGS__})

/* The expected texts are what NumPy 2.4 prints; thousands more in test_format.c. */
WEFT_TEST(Tensor, PrintsAsNumPy)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    check_text(c, weft_reshape(weft_arange(c, WEFT_F32, 0, 6, 1), WEFT_DIMS(2, 3)), "[[0. 1. 2.]\n [3. 4. 5.]]");
    check_text(c, weft_reshape(F32(1.5f, -2.25f, 100.125f, 0), WEFT_DIMS(2, 2)),
               "[[  1.5    -2.25 ]\n [100.125   0.   ]]");
    check_text(c, F32(1e-5f, 1), "[1.e-05 1.e+00]");
    check_text(c, F32(1e10f, 1), "[1.e+10 1.e+00]");
    check_text(c, F32(NAN, INFINITY, -INFINITY, 1), "[ nan  inf -inf   1.]");
    check_text(c, F32(0.1f, 0.2f, 0.33333334f), "[0.1        0.2        0.33333334]");
    check_text(c, F32(123456.789f, 0.001f), "[1.2345679e+05 1.0000000e-03]");
    check_text(c, weft_from_data(c, WEFT_BOOL, WEFT_DIMS(1, 2), (const uint8_t[]){1, 0}), "[[ True False]]");
    check_text(c, weft_from_data(c, WEFT_I64, WEFT_DIMS(3), (const int64_t[]){1, -200, 3}), "[   1 -200    3]");
    check_text(c, weft_arange(c, WEFT_I64, 0, 2000, 1), "[   0    1    2 ... 1997 1998 1999]");
    check_text(c, weft_zeros(c, WEFT_F32, WEFT_DIMS(2, 2, 2)), "[[[0. 0.]\n  [0. 0.]]\n\n [[0. 0.]\n  [0. 0.]]]");
    check_text(c, weft_zeros(c, WEFT_F32, WEFT_DIMS(0)), "[]");
    check_text(c, weft_scalar(c, WEFT_F32, 0.1), "0.1");
    check_text(c, weft_scalar(c, WEFT_F64, 2.5), "2.5");
    check_text(c, weft_scalar(c, WEFT_F64, 3), "3.0");
    check_text(c, weft_scalar(c, WEFT_F64, 1e-10), "1e-10");
    check_text(c, weft_scalar(c, WEFT_F64, 100000), "100000.0");
    check_text(c, weft_scalar(c, WEFT_I32, 3), "3");
    check_text(c, weft_full(c, WEFT_F16, WEFT_DIMS(2), 0.1), "[0.1 0.1]");
    check_text(c, weft_mul_scalar(weft_arange(c, WEFT_F64, 0, 30, 1), 1.5),
               "[ 0.   1.5  3.   4.5  6.   7.5  9.  10.5 12.  13.5 15.  16.5 18.  19.5\n"
               " 21.  22.5 24.  25.5 27.  28.5 30.  31.5 33.  34.5 36.  37.5 39.  40.5\n 42.  43.5]");
    check_text(c, weft_zeros(c, WEFT_F32, WEFT_DIMS(1001, 1001)),
               "[[0. 0. 0. ... 0. 0. 0.]\n [0. 0. 0. ... 0. 0. 0.]\n [0. 0. 0. ... 0. 0. 0.]\n ...\n"
               " [0. 0. 0. ... 0. 0. 0.]\n [0. 0. 0. ... 0. 0. 0.]\n [0. 0. 0. ... 0. 0. 0.]]");
    fault_ctx_close(c, &m);
}

/* ---- Random ---- */

WEFT_TEST(Random, SameSeedSameStreamAndMoments)
{
    enum { N = 20000 };
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_seed(c, 7);
    weft_tensor *a = weft_randn(c, WEFT_F32, WEFT_DIMS(N), 1, 2), *other = weft_randn(c, WEFT_F32, WEFT_DIMS(N), 1, 2);
    weft_seed(c, 7);
    weft_tensor *b = weft_randn(c, WEFT_F32, WEFT_DIMS(N), 1, 2);
    WEFT_CHECK_NEAR(weft_item(c, weft_all(weft_eq(a, b), WEFT_ALL, false)), 1, 0);
    WEFT_CHECK(weft_item(c, weft_sum(weft_eq(a, other), WEFT_ALL, false)) < 10);
    WEFT_CHECK_NEAR(weft_item(c, weft_mean(a, WEFT_ALL, false)), 1, 0.06);
    WEFT_CHECK_NEAR(weft_item(c, weft_var(a, WEFT_ALL, false, 1)), 4, 0.2);
    weft_tensor *u = weft_rand(c, WEFT_F64, WEFT_DIMS(N), -1, 3);
    WEFT_CHECK(weft_item(c, weft_min_over(u, WEFT_ALL, false)) >= -1 &&
               weft_item(c, weft_max_over(u, WEFT_ALL, false)) < 3);
    WEFT_CHECK_NEAR(weft_item(c, weft_mean(u, WEFT_ALL, false)), 1, 0.04);
    weft_tensor *k = weft_randint(c, WEFT_I8, WEFT_DIMS(N), -2, 3);
    WEFT_CHECK_NEAR(weft_item(c, weft_min_over(k, WEFT_ALL, false)), -2, 0);
    WEFT_CHECK_NEAR(weft_item(c, weft_max_over(k, WEFT_ALL, false)), 2, 0);
    WEFT_CHECK_NEAR(weft_item(c, weft_mean(k, WEFT_ALL, false)), 0, 0.05);
    WEFT_CHECK_NEAR(weft_item(c, weft_mean(weft_bernoulli(c, WEFT_BOOL, WEFT_DIMS(N), 0.3), WEFT_ALL, false)), 0.3,
                    0.02);
    weft_tensor *d = weft_dropout(weft_ones(c, WEFT_F32, WEFT_DIMS(N)), 0.25, true);
    WEFT_CHECK_NEAR(weft_item(c, weft_mean(d, WEFT_ALL, false)), 1, 0.03);
    WEFT_CHECK_NEAR(weft_item(c, weft_max_over(d, WEFT_ALL, false)), 1 / 0.75, 1e-6);
    fault_ctx_close(c, &m);
}

/* ---- Views ---- */

WEFT_TEST(Views, ShareStorageAndChain)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *x = weft_reshape(weft_arange(c, WEFT_I64, 0, 24, 1), WEFT_DIMS(2, 3, 4));
    weft_tensor *v = weft_slice(weft_permute(x, WEFT_DIMS(2, 0, 1)), 0, -1, -5, 1);
    WEFT_CHECK_EQ_INT(weft_count(v), 0);
    v = weft_select(weft_slice(x, -1, 1, 3, 1), 0, -1);
    CHECK_VALUES(v, 13, 14, 17, 18, 21, 22);
    weft_tensor *flat = weft_reshape(v, WEFT_DIMS(-1)); /* a copy: the strides cannot express it */
    weft_fill_(v, 0);
    CHECK_VALUES(flat, 13, 14, 17, 18, 21, 22);
    CHECK_VALUES(weft_select(weft_select(x, 0, 1), 0, 0), 12, 0, 0, 15);
    weft_tensor *e = weft_expand(weft_unsqueeze(weft_arange(c, WEFT_I64, 0, 2, 1), -1), WEFT_DIMS(2, 3));
    CHECK_VALUES(e, 0, 0, 0, 1, 1, 1);
    WEFT_CHECK(weft_fill_(e, 1) == NULL);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "expanded");
    weft_ctx_clear(c);
    WEFT_CHECK(weft_data(weft_reshape(weft_transpose(weft_transpose(x, 0, 2), 0, 2), WEFT_DIMS(6, 4))) == weft_data(x));
    WEFT_CHECK_EQ_INT(weft_ndim(weft_squeeze(weft_ones(c, WEFT_F32, WEFT_DIMS(1, 2, 1)), WEFT_ALL)), 1);
    WEFT_CHECK_EQ_INT(weft_size(weft_flatten(x, 1, -1), 1), 12);
    fault_ctx_close(c, &m);
}

WEFT_TEST(Views, ReshapeKeepsMemoryWhereItCan)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *x = weft_reshape(weft_arange(c, WEFT_I64, 0, 48, 1), WEFT_DIMS(4, 3, 4));
    weft_tensor *rows = weft_slice(x, 0, 0, 4, 2); /* [2, 3, 4], the last two dims still adjoin */
    weft_tensor *joined = weft_reshape(rows, WEFT_DIMS(2, 12));
    WEFT_CHECK(weft_data(joined) == weft_data(x));
    WEFT_CHECK_NEAR(weft_item(c, weft_select(weft_select(joined, 0, 1), 0, 5)), 29, 0);
    weft_tensor *split = weft_reshape(weft_transpose(x, 1, 2), WEFT_DIMS(2, 2, 4, 3));
    WEFT_CHECK(weft_data(split) == weft_data(x));
    WEFT_CHECK_NEAR(weft_item(c, weft_select(weft_select(weft_select(weft_select(split, 0, 1), 0, 0), 0, 3), 0, 2)), 35,
                    0);
    fault_ctx_close(c, &m);
}

/* ---- In place ---- */

WEFT_TEST(InPlace, OverlappingViewsReadBeforeTheyWrite)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *x = weft_arange(c, WEFT_F32, 0, 6, 1);
    weft_copy_(weft_slice(x, 0, 1, 6, 1), weft_slice(x, 0, 0, 5, 1));
    CHECK_VALUES(x, 0, 0, 1, 2, 3, 4);
    weft_tensor *square = weft_reshape(weft_arange(c, WEFT_F32, 0, 4, 1), WEFT_DIMS(2, 2));
    weft_add_(square, weft_transpose(square, 0, 1));
    CHECK_VALUES(square, 0, 3, 3, 6);
    weft_mul_(x, x);
    CHECK_VALUES(x, 0, 0, 1, 4, 9, 16);
    weft_sub_(x, weft_scalar(c, WEFT_I64, 1));
    weft_div_(x, weft_scalar(c, WEFT_F32, 2));
    CHECK_VALUES(x, -0.5, -0.5, 0, 1.5, 4, 7.5);
    fault_ctx_close(c, &m);
}

/* ---- Sharing ---- */

/* What it has taken for the copy, no context would give back. */
WEFT_TEST(Share, NothingStaysWhereTheCopyFails)
{
    weft__backend *fake = fake_device();
    const weft__backend was = *fake;
    fault_memory m = {0};
    weft_options o = fault_options(&m);
    o.device = "test";
    weft_ctx *c = NULL;
    WEFT_REQUIRE(weft_ctx_open(&o, &c) == WEFT_OK);
    weft_tensor *x = weft_ones(c, WEFT_F32, WEFT_DIMS(3));
    fake->to_host = fake_no_download;
    WEFT_CHECK(weft_share(x) == NULL);
    *fake = was;
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_DEVICE);
    fault_ctx_close(c, &m);
}

WEFT_TEST(Share, AnyContextReadsNobodyWrites)
{
    fault_memory m = {0}, n = {0};
    weft_ctx *c = fault_ctx_open(&m), *d = fault_ctx_open(&n);
    weft_tensor *w = weft_share(weft_arange(c, WEFT_F32, 0, 3, 1));
    WEFT_CHECK(w && weft_ctx_of(w) == NULL);
    WEFT_CHECK_NEAR(weft_item(d, weft_sum(weft_mul(w, weft_ones(d, WEFT_I32, WEFT_DIMS(3))), WEFT_ALL, false)), 3, 0);
    WEFT_CHECK_NEAR(weft_item(d, weft_sum(weft_borrow(d, w), WEFT_ALL, false)), 3, 0);
    WEFT_CHECK(weft_fill_(weft_borrow(d, w), 1) == NULL);
    WEFT_CHECK_STATUS(weft_ctx_clear(d), WEFT_E_STATE);
    weft_tensor *x = weft_set_requires_grad(weft_ones(d, WEFT_F32, WEFT_DIMS(2, 3)), true);
    WEFT_CHECK_OK(weft_backward(d, weft_sum(weft_mul(x, w), WEFT_ALL, false)));
    WEFT_CHECK_NEAR(weft_item(d, weft_sum(weft_grad_of(x), WEFT_ALL, false)), 6, 0);
    weft_release(w); /* d's graph still holds it */
    WEFT_CHECK_NEAR(weft_item(d, weft_sum(weft_grad_of(x), WEFT_ALL, false)), 6, 0);
    weft_ctx_close(d);
    WEFT_CHECK_EQ_INT(n.live_blocks, 0);
    fault_ctx_close(c, &m);
}
