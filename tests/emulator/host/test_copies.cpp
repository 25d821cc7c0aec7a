/* test_copies.cpp - kernels/copy.cu and kernels/create.cu through the backend, bit for bit as the CPU has it. */
#include "host_test.h"
#include <cmath>
#include <limits>

namespace
{

class Copies : public Streams
{
};
FOR_ALL_STREAMS(Copies);

const weft_dtype all_dtypes[] = {WEFT_F32, WEFT_F64, WEFT_F16, WEFT_BF16, WEFT_I64,
                                 WEFT_I32, WEFT_I8,  WEFT_U8,  WEFT_BOOL};

/* 0, 1, 2 ... in any dtype, small enough for all of them. */
weft_tensor *ramp(weft_ctx *ctx, weft_dtype dtype, const int64_t *shape, int ndim)
{
    int64_t count = 1;
    for (int d = 0; d < ndim; d++)
        count *= shape[d];
    std::vector<int32_t> values(static_cast<size_t>(count));
    for (size_t k = 0; k < values.size(); k++)
        values[k] = static_cast<int32_t>(k * 7 % 101);
    return weft_cast(weft_from_data(ctx, WEFT_I32, shape, ndim, values.data()), dtype);
}

TEST_P(Copies, EveryLayoutOfEveryDtype)
{
    Context c("cuda");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    for (weft_dtype dtype : all_dtypes) {
        const int mark = weft_scope_push(c);
        auto same = [&](const std::function<weft_tensor *(weft_tensor *)> &view, std::initializer_list<int64_t> shape) {
            expect_same_on_cpu(c, [&](weft_ctx *ctx) {
                return weft_clone(view(ramp(ctx, dtype, std::data(shape), static_cast<int>(shape.size()))));
            });
        };
        same([](weft_tensor *x) { return x; }, {37});
        same([](weft_tensor *x) { return x; }, {});
        same([](weft_tensor *x) { return x; }, {3, 0, 2});
        same([](weft_tensor *x) { return weft_transpose(x, 0, 1); }, {45, 70});
        same([](weft_tensor *x) { return weft_transpose(x, 0, 1); }, {3, 5});
        same([](weft_tensor *x) { return weft_transpose(x, 0, 2); }, {33, 3, 40});
        same([](weft_tensor *x) { return weft_permute(x, WEFT_DIMS(1, 3, 0, 2)); }, {2, 9, 3, 17});
        same([](weft_tensor *x) { return weft_slice(x, 1, 1, 30, 3); }, {4, 31});
        same([](weft_tensor *x) { return weft_slice(x, 1, 16, 48, 1); }, {5, 64});
        same([](weft_tensor *x) { return weft_slice(x, 1, 1, 30, 1); }, {5, 31});
        same([](weft_tensor *x) { return weft_expand(x, WEFT_DIMS(6, 4, 13)); }, {4, 1});
        same([](weft_tensor *x) { return weft_select(x, 2, 3); }, {3, 4, 5});
        EXPECT_EQ(weft_scope_pop(c, mark), WEFT_OK) << weft_dtype_name(dtype) << ": " << c.message();
    }
}

TEST_P(Copies, EveryCastOfEveryKindOfNumber)
{
    const double inf = std::numeric_limits<double>::infinity();
    const std::vector<double> reals = {
        0.0,    -0.0,        1.0,    -1.0,    0.5,  -2.5,    126.7, 127.5,  -128.9,        255.4,
        256,    -1e-9,       65504,  65520,   1e-8, 5.96e-8, 3e38,  4e38,   1e300,         -1e300,
        3e9,    -3e9,        9.3e18, -9.3e18, inf,  -inf,    NAN,   2049.0, 1.00390625001, 0.333333333333333333,
        1e-310, 2147483647.5};
    const std::vector<int64_t> integers = {0,           1,
                                           -1,          127,
                                           128,         -128,
                                           255,         256,
                                           -129,        2049,
                                           65535,       65536,
                                           1 << 24,     (1 << 24) + 1,
                                           INT32_MAX,   INT64_C(1) << 31,
                                           INT32_MIN,   INT64_MAX,
                                           INT64_MIN,   (INT64_C(1) << 53) + 1,
                                           -77777777777};
    Context c("cuda");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    for (weft_dtype from : all_dtypes) {
        for (weft_dtype to : all_dtypes) {
            const int mark = weft_scope_push(c);
            SCOPED_TRACE(std::string(weft_dtype_name(from)) + " to " + weft_dtype_name(to));
            auto source = [&](weft_ctx *ctx) {
                weft_tensor *x = weft_dtype_is_float(from)
                                     ? weft_from_data(ctx, WEFT_F64, WEFT_DIMS(4, 8), reals.data())
                                     : weft_from_data(ctx, WEFT_I64, WEFT_DIMS(3, 7), integers.data());
                return weft_cast(x, from);
            };
            expect_same_on_cpu(c, [&](weft_ctx *ctx) { return weft_cast(source(ctx), to); });
            expect_same_on_cpu(c, [&](weft_ctx *ctx) { return weft_cast(weft_transpose(source(ctx), 0, 1), to); });
            expect_same_on_cpu(c, [&](weft_ctx *ctx) { return weft_cast(weft_slice(source(ctx), 1, 1, 6, 1), to); });
            EXPECT_EQ(weft_scope_pop(c, mark), WEFT_OK) << c.message();
        }
    }
}

/* More elements than one round of the largest grid takes. */
TEST_P(Copies, LargeArrays)
{
    Context c("cuda");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    expect_same_on_cpu(c, [](weft_ctx *ctx) { return weft_cast(weft_arange(ctx, WEFT_F32, 0, 40003, 1), WEFT_BF16); });
    expect_same_on_cpu(c, [](weft_ctx *ctx) { return weft_cast(weft_arange(ctx, WEFT_I32, 0, 40003, 1), WEFT_F16); });
    expect_same_on_cpu(c, [](weft_ctx *ctx) {
        return weft_clone(
            weft_transpose(weft_reshape(weft_arange(ctx, WEFT_F32, 0, 299 * 301, 1), WEFT_DIMS(299, 301)), 0, 1));
    });
    expect_same_on_cpu(c, [](weft_ctx *ctx) {
        return weft_clone(
            weft_slice(weft_reshape(weft_arange(ctx, WEFT_F64, 0, 299 * 301, 1), WEFT_DIMS(299, 301)), 1, 2, 300, 2));
    });
}

TEST_P(Copies, CopiesInPlaceIntoViews)
{
    Context c("cuda");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    for (weft_dtype dtype : all_dtypes) {
        expect_same_on_cpu(c, [&](weft_ctx *ctx) {
            weft_tensor *x = ramp(ctx, dtype, WEFT_DIMS(6, 40));
            weft_copy_(weft_slice(x, 1, 3, 20, 2), ramp(ctx, WEFT_F32, WEFT_DIMS(9)));
            weft_copy_(weft_slice(x, 0, 0, 6, 2), weft_transpose(ramp(ctx, dtype, WEFT_DIMS(40, 3)), 0, 1));
            return x;
        });
    }
}

TEST_P(Copies, Fills)
{
    Context c("cuda");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    for (weft_dtype dtype : all_dtypes) {
        SCOPED_TRACE(weft_dtype_name(dtype));
        for (double value : {0.0, 1.0, 2.7, -3.0, 1000.0})
            for (int64_t n : {0, 1, 7, 16, 33, 1000})
                expect_same_on_cpu(c, [&](weft_ctx *ctx) { return weft_full(ctx, dtype, WEFT_DIMS(n), value); });
        expect_same_on_cpu(c, [&](weft_ctx *ctx) { return weft_scalar(ctx, dtype, 1); });
        expect_same_on_cpu(c, [&](weft_ctx *ctx) { return weft_eye(ctx, dtype, 5, 7); });
        expect_same_on_cpu(c, [&](weft_ctx *ctx) {
            weft_tensor *x = weft_zeros(ctx, dtype, WEFT_DIMS(5, 11, 3));
            weft_fill_(weft_slice(x, 1, 1, 10, 3), 1);
            weft_fill_(weft_select(x, 2, 0), 1);
            return x;
        });
    }
    EXPECT_EQ(weft_ctx_status(c), WEFT_OK) << c.message();
}

TEST_P(Copies, Ramps)
{
    Context c("cuda");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    for (weft_dtype dtype : all_dtypes) {
        if (dtype == WEFT_BOOL)
            continue;
        SCOPED_TRACE(weft_dtype_name(dtype));
        const double most = weft_dtype_size(dtype) == 1 ? 120 : 1000, least = dtype == WEFT_U8 ? 0 : -20;
        expect_same_on_cpu(c, [&](weft_ctx *ctx) { return weft_arange(ctx, dtype, 3, most, 1); });
        expect_same_on_cpu(c, [&](weft_ctx *ctx) { return weft_arange(ctx, dtype, 43, least, -2); });
        expect_same_on_cpu(c, [&](weft_ctx *ctx) { return weft_arange(ctx, dtype, 3, 3, 1); });
        if (weft_dtype_is_float(dtype)) {
            expect_same_on_cpu(c, [&](weft_ctx *ctx) { return weft_linspace(ctx, dtype, -1, 0.3, 401); });
            expect_same_on_cpu(c, [&](weft_ctx *ctx) { return weft_linspace(ctx, dtype, 2, 3, 1); });
        }
    }
}

} /* namespace */
