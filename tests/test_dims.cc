/* test_dims.cc - lists of sizes and dims from C++: WEFT_DIMS is a macro with a C++ form of its own. */
#include <gtest/gtest.h>
#include <weft/weft.h>

namespace
{
int calls;

std::size_t next()
{
    return static_cast<std::size_t>(++calls);
}

/* What a function that takes a list gets. */
void expect(const int64_t *items, int n, int64_t first, int64_t second)
{
    ASSERT_EQ(n, 2);
    EXPECT_EQ(items[0], first);
    EXPECT_EQ(items[1], second);
}
} // namespace

TEST(Dims, EachExpressionIsEvaluatedOnceInCpp)
{
    calls = 0;
    expect(WEFT_DIMS(next(), 2), 1, 2); /* of an unsigned type, too: no braces to narrow in */
    EXPECT_EQ(calls, 1);
    expect(WEFT_DIMS(next(), -1), 2, -1);
    EXPECT_EQ(calls, 2);
}

TEST(Dims, SizesAndDimsAreOfOneType)
{
    weft_ctx *c = nullptr;
    ASSERT_EQ(weft_ctx_open(nullptr, &c), WEFT_OK);
    weft_tensor *x = weft_ones(c, WEFT_F32, WEFT_DIMS(2, 3));
    EXPECT_EQ(weft_count(x), 6);
    EXPECT_EQ(weft_count(weft_sum(x, WEFT_DIMS(1), false)), 2);
    EXPECT_EQ(weft_ctx_status(c), WEFT_OK) << weft_ctx_message(c);
    EXPECT_EQ(weft_sum(x, WEFT_DIMS(INT64_C(1) << 32), false), nullptr); /* no dim of a truncated number */
    EXPECT_EQ(weft_ctx_status(c), WEFT_E_INVALID);
    weft_ctx_close(c);
}
