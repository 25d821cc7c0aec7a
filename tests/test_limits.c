/* test_limits.c - sizes at the edge of what can be counted, addressed or computed on: byte counts never wrap, what is
 * too large is refused by a sentence that names the operation and the shape, and nothing of it costs the context. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "engine/engine.h"
#include "harness/structs.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"

static weft_ctx *open_ctx(void)
{
    weft_ctx *c = NULL;
    WEFT_CHECK_OK(weft_ctx_open(NULL, &c));
    return c;
}

/* The context holds this error, with these words; clears it. */
static void check_error(weft_ctx *c, weft_status status, const char *a, const char *b)
{
    WEFT_CHECK_STATUS(weft_ctx_status(c), status);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), a);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), b);
    weft_ctx_clear(c);
}

WEFT_TEST(Limits, BytesOfNeverWraps)
{
    size_t bytes;
    WEFT_CHECK(weft__bytes_of(0, 8, &bytes) && bytes == 0);
    WEFT_CHECK(weft__bytes_of(3, 8, &bytes) && bytes == 24);
    WEFT_CHECK(weft__bytes_of(PTRDIFF_MAX / 8, 8, &bytes) && bytes == PTRDIFF_MAX / 8 * (size_t)8);
    WEFT_CHECK(!weft__bytes_of(PTRDIFF_MAX / 8 + 1, 8, &bytes) && bytes == SIZE_MAX);
    WEFT_CHECK(!weft__bytes_of((int64_t)1 << 62, 4, &bytes) && bytes == SIZE_MAX);
    WEFT_CHECK(!weft__bytes_of(-1, 4, &bytes) && bytes == SIZE_MAX);
}

WEFT_TEST(Limits, AViewWhoseBytesCannotBeAddressedIsRefused)
{
    weft_ctx *c = open_ctx();
    static const weft_dtype dtypes[] = {WEFT_F64, WEFT_F32, WEFT_F16, WEFT_U8};
    for (size_t k = 0; k < sizeof dtypes / sizeof *dtypes; k++) {
        weft_tensor *one = weft_ones(c, dtypes[k], WEFT_DIMS(1));
        int64_t most = INT64_MAX / (int64_t)weft_dtype_size(dtypes[k]);
        weft_tensor *large = weft_expand(one, WEFT_DIMS(most));
        WEFT_CHECK_OK(weft_ctx_status(c));
        WEFT_CHECK_EQ_INT(weft_count(large), most);
        WEFT_CHECK(weft_bytes(large) <= PTRDIFF_MAX && weft_bytes(large) / weft_dtype_size(dtypes[k]) == (size_t)most);
        if (dtypes[k] == WEFT_U8)
            continue; /* one more is no int64_t */
        WEFT_CHECK(!weft_expand(one, WEFT_DIMS(most + 1)));
        char shape[64];
        snprintf(shape, sizeof shape, "%s [%lld]", weft_dtype_name(dtypes[k]), (long long)(most + 1));
        check_error(c, WEFT_E_SHAPE, "weft_expand", shape);
    }
    weft_tensor *one = weft_ones(c, WEFT_F32, WEFT_DIMS(1));
    WEFT_CHECK(!weft_expand(one, WEFT_DIMS(1ll << 40, 1ll << 22)));
    check_error(c, WEFT_E_SHAPE, "weft_expand", "[1099511627776, 4194304]");
    WEFT_CHECK(!weft_expand(one, WEFT_DIMS(1ll << 40, 1ll << 40)));
    check_error(c, WEFT_E_SHAPE, "weft_expand", "[1099511627776, 1099511627776]");
    WEFT_CHECK(weft_expand(one, WEFT_DIMS(1ll << 40, 1)) != NULL);
    weft_ctx_close(c);
}

/* A view of nearly 2^63 bytes: nobody can copy it out, and everybody says so. */
WEFT_TEST(Limits, WhatNeedsACopyOfAVastViewSaysNoMemory)
{
    weft_ctx *c = open_ctx();
    char text[64];
    weft_tensor *vast = weft_expand(weft_ones(c, WEFT_F32, WEFT_DIMS(1)), WEFT_DIMS(1ll << 40, 1ll << 20));
    weft_tensor *flags = weft_expand(weft_ones(c, WEFT_U8, WEFT_DIMS(1)), WEFT_DIMS(1ll << 40, 1ll << 22));
    WEFT_REQUIRE(vast && flags);
    WEFT_CHECK(!weft_share(vast));
    check_error(c, WEFT_E_NOMEM, "weft_share", "f32 [1099511627776, 1048576]");
    WEFT_CHECK_EQ_INT(weft_format(c, vast, text, sizeof text), -1);
    check_error(c, WEFT_E_NOMEM, "weft_format", "f32 [1099511627776, 1048576]");
    WEFT_CHECK_STATUS(weft_read(c, vast, text, 0), WEFT_E_INVALID);
    check_error(c, WEFT_E_INVALID, "weft_read", "4611686018427387904 bytes");
    WEFT_CHECK(!weft_clone(vast));
    check_error(c, WEFT_E_NOMEM, "weft_clone", "[1099511627776, 1048576]");
    WEFT_CHECK(!weft_add(vast, vast));
    check_error(c, WEFT_E_NOMEM, "weft_add", "[1099511627776, 1048576]");
    WEFT_CHECK(!weft_cast(flags, WEFT_I64)); /* 2^65 bytes; a sum reads them as they are, for years */
    check_error(c, WEFT_E_SHAPE, "weft_cast", "i64 [1099511627776, 4194304]");
    WEFT_CHECK(!weft_softmax(vast, 1));
    check_error(c, WEFT_E_NOMEM, "weft_softmax", "[1099511627776, 1048576]");
    WEFT_CHECK_NEAR(weft_item(c, weft_sum(weft_slice(weft_select(vast, 0, 7), 0, 0, 3, 1), WEFT_ALL, false)), 3, 0);
    weft_ctx_close(c);
}

static weft_tensor *doubled(weft_ctx *c, weft_tensor *const *in, int n, void *user)
{
    (void)c, (void)n, (void)user;
    return weft_mul_scalar(in[0], 2);
}

/* Work space is counted in the dtype that is computed in, twice where two copies are made. */
WEFT_TEST(Limits, WorkSpaceForAVastViewDoesNotWrap)
{
    weft_ctx *c = open_ctx();
    weft_tensor *rows = weft_expand(weft_ones(c, WEFT_F16, WEFT_DIMS(1, 1)), WEFT_DIMS(1ll << 60, 2));
    weft_tensor *target = weft_expand(weft_zeros(c, WEFT_I32, WEFT_DIMS(1)), WEFT_DIMS(1ll << 60));
    WEFT_CHECK(!weft_cross_entropy_with(rows, target, -100, 0, WEFT_REDUCTION_SUM));
    check_error(c, WEFT_E_NOMEM, "weft_cross_entropy_with", "[1152921504606846976]");
    weft_tensor *leaf = weft_expand(weft_ones(c, WEFT_F64, WEFT_DIMS(1)), WEFT_DIMS((1ll << 60) - 1));
    weft_set_requires_grad(leaf, true);
    WEFT_CHECK_STATUS(weft_gradcheck(c, &leaf, 1, doubled, NULL, NULL), WEFT_E_NOMEM);
    check_error(c, WEFT_E_NOMEM, "weft_gradcheck", "bytes");
    weft_ctx_close(c);
}

WEFT_TEST(Limits, WrapRefusesMoreThanCanBeAddressed)
{
    weft_ctx *c = open_ctx();
    double x = 1;
    WEFT_CHECK(!weft_wrap(c, WEFT_F64, WEFT_DIMS(1ll << 61), &x, NULL, NULL)); /* 2^64 bytes */
    check_error(c, WEFT_E_SHAPE, "weft_wrap", "f64 [2305843009213693952]");
    WEFT_CHECK(!weft_zeros(c, WEFT_F64, WEFT_DIMS(2, -3)));
    check_error(c, WEFT_E_SHAPE, "weft_zeros", "f64 [2, -3] has a negative size");
    WEFT_CHECK(!weft_zeros(c, WEFT_F64, WEFT_DIMS(1ll << 61)));
    check_error(c, WEFT_E_SHAPE, "weft_zeros", "f64 [2305843009213693952] is too large");
    weft_ctx_close(c);
}

/* ---- Nothing to compute on ---- */

WEFT_TEST(Limits, BatchNormOfNothingHasStatisticsNanAndGradientsZero)
{
    static const int64_t shapes[][3] = {{2, 20, 0}, {0, 20, 3}, {0, 20, 40}, {2, 0, 3}};
    weft_ctx *c = open_ctx();
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++)
        for (int half = 0; half < 2; half++) {
            weft_dtype dtype = half ? WEFT_BF16 : WEFT_F32;
            int64_t channels = shapes[k][1];
            weft_tensor *x = weft_set_requires_grad(weft_zeros(c, dtype, shapes[k], 3), true);
            weft_tensor *w = weft_set_requires_grad(weft_ones(c, dtype, &channels, 1), true);
            weft_tensor *b = weft_set_requires_grad(weft_ones(c, dtype, &channels, 1), true);
            weft_tensor *mean = weft_full(c, WEFT_F32, &channels, 1, 7), *var = weft_full(c, WEFT_F32, &channels, 1, 8);
            weft_tensor *y = weft_batch_norm(
                x, w, b, mean, var, &(weft_batch_norm_params){sizeof(weft_batch_norm_params), 0.1, 1e-5, true});
            WEFT_CHECK_EQ_INT(weft_count(y), 0);
            WEFT_CHECK_OK(weft_backward(c, weft_sum(y, WEFT_ALL, false)));
            WEFT_CHECK_NEAR(weft_item(c, weft_sum(weft_abs(weft_grad_of(w)), WEFT_ALL, false)), 0, 0);
            WEFT_CHECK_NEAR(weft_item(c, weft_sum(weft_abs(weft_grad_of(b)), WEFT_ALL, false)), 0, 0);
            /* what has been seen of no element moves nothing */
            WEFT_CHECK_NEAR(weft_item(c, weft_sum(mean, WEFT_ALL, false)), 7.0 * (double)channels, 0);
            WEFT_CHECK_NEAR(weft_item(c, weft_sum(var, WEFT_ALL, false)), 8.0 * (double)channels, 0);
        }
    weft_ctx_close(c);
}

/* An image without rows is refused before the gradient can be asked for; one without channels is a sum of nothing. */
WEFT_TEST(Limits, ConvolutionsOfNothing)
{
    weft_ctx *c = open_ctx();
    weft_tensor *w = weft_ones(c, WEFT_F32, WEFT_DIMS(4, 3, 3, 3)), *b = weft_full(c, WEFT_F32, WEFT_DIMS(4), 0.25);
    const weft_conv2d_params wide = INIT_CONV2D(.padding = {2, 2});
    WEFT_CHECK(!weft_conv2d(weft_ones(c, WEFT_F32, WEFT_DIMS(2, 3, 0, 4)), w, b, &wide));
    check_error(c, WEFT_E_SHAPE, "weft_conv2d", "f32 [2, 3, 0, 4]");
    WEFT_CHECK(!weft_conv2d_transpose(weft_ones(c, WEFT_F32, WEFT_DIMS(2, 4, 4, 0)), w, NULL, NULL));
    check_error(c, WEFT_E_SHAPE, "weft_conv2d_transpose", "f32 [2, 4, 4, 0]");
    const int64_t kernel[] = {3, 3};
    WEFT_CHECK(!weft_conv2d_weight(weft_ones(c, WEFT_F32, WEFT_DIMS(2, 3, 2, 2)),
                                   weft_ones(c, WEFT_F32, WEFT_DIMS(2, 4, 0, 0)), kernel, NULL));
    check_error(c, WEFT_E_SHAPE, "weft_conv2d_weight", "f32 [2, 4, 0, 0]");

    static const int64_t groups[] = {1, 4};
    for (int k = 0; k < 2; k++)
        for (int64_t stride = 1; stride < 3; stride++) {
            const weft_conv2d_params params = INIT_CONV2D(.groups = groups[k], .stride = {stride, stride});
            weft_tensor *x = weft_set_requires_grad(weft_ones(c, WEFT_F32, WEFT_DIMS(2, 0, 5, 5)), true);
            weft_tensor *none = weft_set_requires_grad(weft_ones(c, WEFT_F32, WEFT_DIMS(4, 0, 3, 3)), true);
            weft_tensor *y = weft_conv2d(x, none, b, &params);
            WEFT_CHECK_NEAR(weft_item(c, weft_max_over(y, WEFT_ALL, false)), 0.25, 0);
            WEFT_CHECK_NEAR(weft_item(c, weft_min_over(y, WEFT_ALL, false)), 0.25, 0);
            WEFT_CHECK_OK(weft_backward(c, weft_sum(y, WEFT_ALL, false)));
            /* no output channels: the gradient by x is a sum of nothing too */
            weft_tensor *image = weft_set_requires_grad(weft_ones(c, WEFT_F32, WEFT_DIMS(2, 4, 5, 5)), true);
            weft_tensor *to_none = weft_ones(c, WEFT_F32, WEFT_DIMS(0, 4 / groups[k], 3, 3));
            WEFT_CHECK_OK(weft_backward(c, weft_sum(weft_conv2d(image, to_none, NULL, &params), WEFT_ALL, false)));
            WEFT_CHECK_NEAR(weft_item(c, weft_sum(weft_abs(weft_grad_of(image)), WEFT_ALL, false)), 0, 0);
        }
    weft_ctx_close(c);
}

/* Params that would overflow the sizes they are added to. */
WEFT_TEST(Limits, HugeWindowsAreRefused)
{
    weft_ctx *c = open_ctx();
    weft_tensor *x = weft_ones(c, WEFT_F32, WEFT_DIMS(1, 1, 4, 4)), *w = weft_ones(c, WEFT_F32, WEFT_DIMS(1, 1, 2, 2));
    weft_tensor *none = weft_ones(c, WEFT_F32, WEFT_DIMS(1, 0, 4, 4));
    WEFT_CHECK(!weft_conv2d(none, weft_ones(c, WEFT_F32, WEFT_DIMS(1, 0, 1ll << 33, 1)), NULL,
                            &WITH_CONV2D(.dilation = {INT32_MAX - 1, 1})));
    check_error(c, WEFT_E_SHAPE, "weft_conv2d", "[1, 0, 8589934592, 1]");
    WEFT_CHECK(!weft_conv2d_transpose(x, w, NULL, &WITH_CONV2D(.output_padding = {INT64_MAX, 0})));
    check_error(c, WEFT_E_INVALID, "weft_conv2d_transpose", "output_padding");
    WEFT_CHECK(!weft_conv2d_transpose(none, weft_ones(c, WEFT_F32, WEFT_DIMS(0, 4, 1, 1)), NULL,
                                      &WITH_CONV2D(.groups = 1ll << 62)));
    check_error(c, WEFT_E_SHAPE, "weft_conv2d_transpose", "groups 4611686018427387904");
    WEFT_CHECK(!weft_max_pool2d(x, &WITH_POOL2D(.kernel = {2, 2}, .padding = {1ll << 62, 1ll << 62})));
    check_error(c, WEFT_E_INVALID, "weft_max_pool2d", "padding");
    weft_ctx_close(c);
}
