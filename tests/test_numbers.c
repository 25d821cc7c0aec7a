/* test_numbers.c - values from outside that a dtype cannot hold: one conversion of real numbers for cast, full, scalar,
 * fill_ and pad, bytes of bool that are neither 0 nor 1, and scalars that integers cannot meet (mistakes.def has
 * those). */
#include <math.h>

#include "base/rng.h"
#include "base/scalar_math.h"
#include "harness/structs.h"
#include "harness/weft_test.h"
#include "samples/device.h"
#include "samples/layout.h"

/* ---- One conversion ---- */

static const double values[] = {0,           -0.0,       0.5,
                                -0.5,        0.999,      1,
                                1.5,         -1.5,       2,
                                127,         127.9,      128,
                                -128,        -129,       255,
                                256,         300,        65504,
                                65520,       1e6,        3e9,
                                -3e9,        2.5e9,      2147483647,
                                -2147483649, 1e18,       9.3e18,
                                -9.3e18,     1e30,       -1e30,
                                1e-8,        1e-45,      1e-320,
                                1e300,       INFINITY,   -INFINITY,
                                NAN,         0x1.0008p0, 0x1.00180000001p0};
enum { N_VALUES = sizeof values / sizeof values[0] };

/* What the issue of a dtype is, by plain C: integers toward 0 and saturated, bool: not 0. */
static int64_t integer_by_hand(weft_dtype dtype, double x)
{
    static const double lo[] = {[WEFT_I32] = -2147483648.0, [WEFT_I8] = -128, [WEFT_U8] = 0};
    static const double hi[] = {[WEFT_I32] = 2147483647.0, [WEFT_I8] = 127, [WEFT_U8] = 255};
    if (dtype == WEFT_BOOL)
        return x != 0;
    if (isnan(x))
        return 0;
    if (dtype == WEFT_I64)
        return x >= 9223372036854775807.0 ? INT64_MAX : x <= -9223372036854775808.0 ? INT64_MIN : (int64_t)x;
    return (int64_t)(x < lo[dtype] ? lo[dtype] : x > hi[dtype] ? hi[dtype] : x);
}

/* Which of its NaNs a device makes is its own affair. */
static bool same_bytes(weft_ctx *c, weft_tensor *a, weft_tensor *b)
{
    unsigned char x[8], y[8];
    const size_t size = weft_dtype_size(weft_dtype_of(a));
    if (isnan(weft_item(c, a)))
        return isnan(weft_item(c, b));
    return weft_read(c, a, x, size) == WEFT_OK && weft_read(c, b, y, size) == WEFT_OK && memcmp(x, y, size) == 0;
}

/* The padding next to one element, and the same through a stride. */
static weft_tensor *padded(weft_ctx *c, weft_dtype dtype, double value)
{
    return weft_select(
        weft_pad(weft_zeros(c, dtype, WEFT_DIMS(1)), (const int64_t[]){0}, (const int64_t[]){2}, 1, value), 0, 2);
}

static weft_tensor *filled_column(weft_ctx *c, weft_dtype dtype, double value)
{
    weft_tensor *t = weft_zeros(c, dtype, WEFT_DIMS(3, 2));
    weft_fill_(weft_select(t, 1, 1), value);
    return weft_select(weft_select(t, 0, 2), 0, 1);
}

static void check_value(weft_ctx *c, weft_dtype dtype, double value)
{
    weft_tensor *cast = weft_cast(weft_scalar(c, WEFT_F64, value), dtype);
    struct {
        const char *how;
        weft_tensor *made;
    } ways[] = {{"scalar", weft_scalar(c, dtype, value)},
                {"full", weft_select(weft_full(c, dtype, WEFT_DIMS(5), value), 0, 4)},
                {"full_like", weft_full_like(weft_zeros(c, dtype, WEFT_SCALAR), value)},
                {"fill_", weft_fill_(weft_zeros(c, dtype, WEFT_SCALAR), value)},
                {"fill_ of a column", filled_column(c, dtype, value)},
                {"pad", padded(c, dtype, value)}};
    for (size_t k = 0; k < sizeof ways / sizeof ways[0]; k++)
        if (!same_bytes(c, cast, ways[k].made))
            WEFT_FAIL("%s of %g in %s is not what cast makes: %g, cast %g (%s)", ways[k].how, value,
                      weft_dtype_name(dtype), weft_item(c, ways[k].made), weft_item(c, cast), weft_ctx_message(c));
    if (!weft_dtype_is_float(dtype))
        WEFT_CHECK_EQ_INT(weft_item_i64(c, cast), integer_by_hand(dtype, value));
}

WEFT_TEST(Numbers, CastFullFillAndPadConvertAlike)
{
    test_memory memory;
    weft_ctx *c = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(c);
    for (int d = 0; d < WEFT_DTYPE_COUNT; d++) {
        for (int k = 0; k < N_VALUES; k++) {
            int mark = weft_scope_push(c);
            check_value(c, (weft_dtype)d, values[k]);
            WEFT_CHECK_OK(weft_scope_pop(c, mark));
        }
    }
    test_ctx_close(c, &memory);
}

/* ---- Ranges hold whole numbers exactly ---- */

WEFT_TEST(Numbers, ARangeOfIntegersIsExact)
{
    test_memory memory;
    weft_ctx *c = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(c);
    weft_tensor *all = weft_arange(c, WEFT_U8, 0, 256, 1), *down = weft_arange(c, WEFT_I8, 127, -129, -1);
    WEFT_CHECK_EQ_INT(weft_count(all), 256);
    WEFT_CHECK_EQ_INT(weft_item_i64(c, weft_select(all, 0, -1)), 255);
    WEFT_CHECK_EQ_INT(weft_count(down), 256);
    WEFT_CHECK_EQ_INT(weft_item_i64(c, weft_select(down, 0, -1)), -128);
    test_ctx_close(c, &memory);
}

/* ---- Whole numbers of i64 do meet every integer dtype, and limits may lie beyond it ---- */

WEFT_TEST(Numbers, WholeScalarsAndOneSidedLimitsWorkOnIntegers)
{
    test_memory memory;
    weft_ctx *c = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(c);
    weft_tensor *u8 = weft_full(c, WEFT_U8, WEFT_DIMS(2), 200), *i64 = weft_full(c, WEFT_I64, WEFT_DIMS(2), -7);
    WEFT_CHECK_EQ_INT(weft_item_i64(c, weft_select(weft_add_scalar(u8, -1), 0, 1)), 199);
    WEFT_CHECK_EQ_INT(weft_item_i64(c, weft_select(weft_mul_scalar(i64, -3), 0, 1)), 21);
    WEFT_CHECK_EQ_INT(weft_item_i64(c, weft_select(weft_clamp(u8, -5, 1e300), 0, 1)), 200);
    WEFT_CHECK_EQ_INT(weft_item_i64(c, weft_select(weft_clamp(u8, -INFINITY, 100), 0, 1)), 100);
    WEFT_CHECK_EQ_INT(weft_item_i64(c, weft_select(weft_clamp(i64, 2, INFINITY), 0, 1)), 2);
    WEFT_CHECK_EQ_INT(weft_item_i64(c, weft_select(weft_add_(u8, weft_full(c, WEFT_I64, WEFT_SCALAR, 3)), 0, 1)), 203);
    test_ctx_close(c, &memory);
}

WEFT_TEST(Numbers, RandintDrawsAllThatADtypeHolds)
{
    test_memory memory;
    weft_ctx *c = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(c);
    weft_tensor *u8 = weft_randint(c, WEFT_U8, WEFT_DIMS(20000), 0, 256);
    WEFT_CHECK_EQ_INT(weft_item_i64(c, weft_max_over(u8, WEFT_ALL, false)), 255);
    WEFT_CHECK_EQ_INT(weft_item_i64(c, weft_min_over(u8, WEFT_ALL, false)), 0);
    weft_tensor *bf16 = weft_randint(c, WEFT_BF16, WEFT_DIMS(20000), -256, 257);
    WEFT_CHECK(weft_item(c, weft_max_over(bf16, WEFT_ALL, false)) == 256);
    WEFT_CHECK(weft_randint(c, WEFT_I64, WEFT_DIMS(3), INT64_MIN, INT64_MAX) != NULL);
    test_ctx_close(c, &memory);
}

/* ---- Bool is 0 or 1, whatever comes in ---- */

static void check_truths(weft_ctx *c, weft_tensor *t, const char *door)
{
    uint8_t seen[4] = {9, 9, 9, 9};
    WEFT_CHECK_OK(weft_read(c, t, seen, sizeof seen));
    if (memcmp(seen, (const uint8_t[]){0, 1, 1, 1}, sizeof seen) != 0)
        WEFT_FAIL("%s: the bytes are %d %d %d %d", door, seen[0], seen[1], seen[2], seen[3]);
    if (weft_item_i64(c, weft_sum(t, WEFT_ALL, false)) != 3)
        WEFT_FAIL("%s: three truths add up to %g", door, weft_item(c, weft_sum(t, WEFT_ALL, false)));
    WEFT_CHECK(weft_item(c, weft_all(weft_eq(t, weft_ne(t, weft_zeros_like(t))), WEFT_ALL, false)) == 1);
}

static weft_status bool_of(weft_ctx *ctx, const weft_array *in, int n, weft_dtype *dtype, int64_t *shape, int *ndim,
                           void *user)
{
    (void)ctx, (void)n, (void)user;
    *dtype = WEFT_BOOL;
    *ndim = in[0].ndim;
    shape[0] = in[0].shape[0];
    return WEFT_OK;
}

static weft_status copy_bytes(weft_ctx *ctx, const weft_array *in, int n, weft_array *out, void *user)
{
    (void)ctx, (void)n, (void)user;
    memcpy(out->data, in[0].data, (size_t)out->count);
    return WEFT_OK;
}

WEFT_TEST(Numbers, BoolIsZeroOrOneWhateverComesIn)
{
    static const uint8_t odd[] = {0, 1, 2, 255};
    static const weft_custom_op op = INIT_CUSTOM_OP(.name = "reinterpret", .infer = bool_of, .forward = copy_bytes);
    test_memory memory;
    weft_ctx *c = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(c);
    weft_tensor *t = weft_from_data(c, WEFT_BOOL, WEFT_DIMS(4), odd);
    check_truths(c, t, "from_data");
    weft_tensor *written = weft_zeros(c, WEFT_BOOL, WEFT_DIMS(4));
    WEFT_CHECK_OK(weft_write(c, written, odd, sizeof odd));
    check_truths(c, written, "write");
    weft_tensor *strided = weft_select(weft_zeros(c, WEFT_BOOL, WEFT_DIMS(4, 3)), 1, 1);
    WEFT_CHECK_OK(weft_write(c, strided, odd, sizeof odd));
    check_truths(c, strided, "write to a column");
    weft_tensor *bytes = weft_from_data(c, WEFT_U8, WEFT_DIMS(4), odd);
    if (test_on_cpu())
        check_truths(c, weft_custom(&op, &bytes, 1), "a custom operation");
    weft_tensor *shared = weft_share(t);
    check_truths(c, weft_borrow(c, shared), "shared memory");
    weft_release(shared);
    WEFT_CHECK_OK(weft_ctx_status(c));
    test_ctx_close(c, &memory);
}

static void count_release(void *user, void *data)
{
    (void)data;
    ++*(int *)user;
}

WEFT_TEST(Numbers, WrappedBoolIsRefusedAndNeverChanged)
{
    uint8_t fine[] = {0, 1, 1, 1}, odd[] = {0, 1, 1, 7};
    int released = 0;
    test_memory memory;
    weft_ctx *c = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(c);
    if (!test_on_cpu()) { /* there it takes no host memory at all */
        WEFT_CHECK(weft_wrap(c, WEFT_BOOL, WEFT_DIMS(4), fine, NULL, NULL) == NULL);
        WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_UNSUPPORTED);
        test_ctx_close(c, &memory);
        return;
    }
    check_truths(c, weft_wrap(c, WEFT_BOOL, WEFT_DIMS(4), fine, NULL, NULL), "wrap");
    WEFT_CHECK(weft_wrap(c, WEFT_BOOL, WEFT_DIMS(4), odd, count_release, &released) == NULL);
    WEFT_CHECK_STATUS(weft_ctx_status(c), WEFT_E_INVALID);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "byte 3 is 7");
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "weft_from_data");
    WEFT_CHECK_EQ_INT(released, 1);
    WEFT_CHECK_EQ_INT(odd[3], 7);
    weft_ctx_clear(c);
    test_ctx_close(c, &memory);
}

/* ---- Writing and copying into a parameter are one rule ---- */

WEFT_TEST(Numbers, ALeafIsOverwrittenByWriteCopyAndFillAlike)
{
    const float two[] = {2, 2};
    test_memory memory;
    weft_ctx *c = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(c);
    for (int way = 0; way < 3; way++) {
        weft_tensor *w = weft_set_requires_grad(weft_ones(c, WEFT_F32, WEFT_DIMS(2)), true);
        weft_tensor *keeps = weft_sum(weft_mul(w, w), WEFT_ALL, false), *computed = weft_add(w, w);
        if (way == 0)
            WEFT_CHECK_OK(weft_write(c, w, two, sizeof two));
        else
            WEFT_CHECK((way == 1 ? weft_copy_(w, weft_from_data(c, WEFT_F32, WEFT_DIMS(2), two)) : weft_fill_(w, 2)) ==
                       w);
        WEFT_CHECK(weft_item(c, weft_sum(w, WEFT_ALL, false)) == 4 && weft_requires_grad(w));
        WEFT_CHECK_STATUS(weft_backward(c, keeps), WEFT_E_OVERWRITTEN); /* a graph that reads the old values says so */
        weft_ctx_clear(c);
        /* What was computed from a leaf has a history, which neither may falsify. */
        WEFT_CHECK_STATUS(weft_write(c, computed, two, sizeof two), WEFT_E_STATE);
        weft_ctx_clear(c);
        WEFT_CHECK(weft_copy_(computed, weft_ones(c, WEFT_F32, WEFT_DIMS(2))) == NULL);
        weft_ctx_clear(c);
        WEFT_CHECK(weft_fill_(computed, 1) == NULL);
        weft_ctx_clear(c);
    }
    test_ctx_close(c, &memory);
}

/* ---- Losses pair operands, they do not multiply them ---- */

WEFT_TEST(Numbers, LossesStillBroadcastToOneOfTheirOperands)
{
    test_memory memory;
    weft_ctx *c = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(c);
    weft_tensor *p = weft_full(c, WEFT_F64, WEFT_DIMS(4, 3), 3), *row = weft_ones(c, WEFT_F64, WEFT_DIMS(3));
    WEFT_CHECK(weft_item(c, weft_mse(p, row)) == 4);
    WEFT_CHECK(weft_item(c, weft_mse(row, p)) == 4);
    WEFT_CHECK(weft_item(c, weft_huber(p, weft_scalar(c, WEFT_F64, 1), 1)) == 1.5);
    WEFT_CHECK(isnan(
        weft_item(c, weft_mse(weft_zeros(c, WEFT_F64, WEFT_DIMS(0, 1)), weft_zeros(c, WEFT_F64, WEFT_DIMS(1, 5))))));
    WEFT_CHECK_OK(weft_ctx_status(c));
    test_ctx_close(c, &memory);
}

/* ---- The ends of what is drawn, and of halves ---- */

/* NaNs whose payload lies in what bf16 cuts off are NaN there too. */
WEFT_TEST(Numbers, ANaNOfLowBitsStaysOneInHalves)
{
    test_memory memory;
    weft_ctx *c = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(c);
    static const uint32_t bits[] = {0x7F800001u, 0xFF800001u, 0x7F80FFFFu, 0x7FC00000u};
    for (int k = 0; k < 4; k++) {
        weft_tensor *x = weft_from_data(c, WEFT_F32, WEFT_DIMS(1), &bits[k]);
        WEFT_CHECK(isnan(weft_item(c, weft_cast(x, WEFT_BF16))));
        WEFT_CHECK(isnan(weft_item(c, weft_cast(x, WEFT_F16))));
    }
    test_ctx_close(c, &memory);
}

/* [1, 1 + 1 ulp): half of the numbers round to the end, which is not in it. */
WEFT_TEST(Numbers, UniformNumbersAreBelowTheirEnd)
{
    test_memory memory;
    weft_ctx *c = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(c);
    const double ulp[] = {0x1p-23, 0x1p-52};
    for (int k = 0; k < 2; k++) {
        weft_tensor *x = weft_rand(c, k ? WEFT_F64 : WEFT_F32, WEFT_DIMS(1000), 1, 1 + ulp[k]);
        WEFT_CHECK_NEAR(weft_item(c, weft_max_over(x, WEFT_ALL, false)), 1, 0);
        WEFT_CHECK_NEAR(weft_item(c, weft_min_over(x, WEFT_ALL, false)), 1, 0);
    }
    test_ctx_close(c, &memory);
}

/* lo + floor(v n / 2^64), by hand in 32-bit digits: v, n, and the product's upper half. */
WEFT_TEST(Numbers, WholeNumbersOfALargeRange)
{
    static const uint64_t cases[][3] = {
        {0xFFFFFFFFFFFFFFFFu, 0xFFFFFFFFFFFFFFFFu, 0xFFFFFFFFFFFFFFFEu},
        {0x8000000000000000u, 0x8000000000000001u, 0x4000000000000000u},
        {0x00000001FFFFFFFFu, 0xFFFFFFFF00000000u, 0x00000001FFFFFFFDu}, /* the parts below carry over */
        {0x123456789ABCDEF0u, 0xFEDCBA9876543210u, 0x121FA00AD77D7422u},
        {0x00000000FFFFFFFFu, 0x7FFFFFFFFFFFFFFFu, 0x000000007FFFFFFFu},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const uint64_t v = cases[k][0], n = cases[k][1];
        const int64_t lo = INT64_MIN, hi = (int64_t)((uint64_t)lo + n);
        const uint64_t got = (uint64_t)weft__randint((uint32_t)(v >> 32), (uint32_t)v, lo, hi) - (uint64_t)lo;
        if (got != cases[k][2])
            WEFT_FAIL("case %d: %llx instead of %llx", (int)k, (unsigned long long)got,
                      (unsigned long long)cases[k][2]);
    }
}

/* As they are where the processor has no instruction for them, which is how this file is compiled by default. */
WEFT_TEST(Numbers, RoundingKeepsTheSignOfZero)
{
    static const float x[] = {-0.7f, -0.5f, -0.0f, 0.0f, 0.3f, 0x1p23f, -0x1p23f, 8388607.5f, -8388607.5f, 1e30f};
    for (size_t k = 0; k < sizeof x / sizeof *x; k++) {
        const float got[] = {weft__m_ceil_f32(x[k]), weft__m_floor_f32(x[k]), weft__m_rint_f32(x[k])};
        const float want[] = {ceilf(x[k]), floorf(x[k]), rintf(x[k])};
        for (int i = 0; i < 3; i++)
            if (got[i] != want[i] || signbit(got[i]) != signbit(want[i]))
                WEFT_FAIL("function %d of %g: %g instead of %g", i, (double)x[k], (double)got[i], (double)want[i]);
    }
}
