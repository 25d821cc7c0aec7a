/* test_memory.cpp - device memory: everything comes back, out of memory is a clean error, contexts are independent. */
#include "host_test.h"

namespace
{

class DeviceMemory : public Streams
{
};
FOR_ALL_STREAMS(DeviceMemory);

constexpr int64_t mebibyte = 1 << 20;

weft_tensor *zeros(weft_ctx *ctx, int64_t mebibytes)
{
    return weft_zeros(ctx, WEFT_U8, WEFT_DIMS(mebibytes * mebibyte));
}

TEST_P(DeviceMemory, CloseReturnsEverything)
{
    Context c("cuda");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    weft_keep(zeros(c, 3));
    const int mark = weft_scope_push(c);
    zeros(c, 5);
    EXPECT_EQ(weft_scope_pop(c, mark), WEFT_OK);
    EXPECT_GE(memory_of(c).cached_bytes, static_cast<size_t>(5 * mebibyte));
    EXPECT_GE(simt_device_bytes(), static_cast<size_t>(8 * mebibyte));
    c.close();
    EXPECT_EQ(c.log().find("not given back"), std::string::npos) << c.log();
    expect_nothing_held();
}

TEST_P(DeviceMemory, TrimGivesTheCacheBack)
{
    Context c("cuda");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    const int mark = weft_scope_push(c);
    zeros(c, 5);
    EXPECT_EQ(weft_scope_pop(c, mark), WEFT_OK);
    weft_memory_trim(c);
    EXPECT_EQ(weft_synchronise(c), WEFT_OK);
    EXPECT_EQ(memory_of(c).cached_bytes, 0u);
    EXPECT_LT(simt_device_bytes(), static_cast<size_t>(mebibyte));
}

TEST_P(DeviceMemory, OutOfMemoryIsACleanError)
{
    simt_set_memory_limit(10 * mebibyte);
    Context c("cuda");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    weft_tensor *a = weft_full(c, WEFT_U8, WEFT_DIMS(6 * mebibyte), 9);
    ASSERT_NE(a, nullptr);
    EXPECT_EQ(zeros(c, 6), nullptr);
    EXPECT_EQ(weft_ctx_status(c), WEFT_E_NOMEM);
    EXPECT_NE(c.message().find("out of memory for u8 [6291456]"), std::string::npos) << c.message();
    weft_ctx_clear(c);
    EXPECT_EQ(weft_item_i64(c, weft_select(a, 0, 6 * mebibyte - 1)), 9) << "the context stays usable";
    EXPECT_NE(zeros(c, 2), nullptr) << c.message();
}

/* Cached blocks of other sizes are released, and the call is tried again. */
TEST_P(DeviceMemory, CachedBlocksMakeRoom)
{
    simt_set_memory_limit(10 * mebibyte);
    Context c("cuda");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    for (int64_t size : {6, 3, 7, 5, 8}) {
        const int mark = weft_scope_push(c);
        EXPECT_NE(zeros(c, size), nullptr) << size << " MiB: " << c.message();
        EXPECT_EQ(weft_scope_pop(c, mark), WEFT_OK);
    }
}

TEST_P(DeviceMemory, ABudgetLimitsData)
{
    Context c("cuda", [](weft_options &o) { o.memory_budget = 4 * mebibyte; });
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    EXPECT_NE(zeros(c, 3), nullptr);
    EXPECT_EQ(zeros(c, 2), nullptr);
    EXPECT_EQ(weft_ctx_status(c), WEFT_E_NOMEM);
}

/* Blocks beside the pool: devices without stream-ordered allocation are not emulated, but the pool may be empty. */
TEST_P(DeviceMemory, WorkSpaceRunsOutInsideAnOperation)
{
    simt_set_memory_limit(5 * mebibyte);
    Context c("cuda");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    weft_tensor *x = weft_zeros(c, WEFT_F32, WEFT_DIMS(512, 1024)); /* 2 MiB */
    weft_tensor *index = weft_zeros(c, WEFT_I32, WEFT_DIMS(300, 1024));
    EXPECT_EQ(weft_gather(x, index, 0), nullptr) << "the i64 form of index takes 2.4 MiB more";
    EXPECT_EQ(weft_ctx_status(c), WEFT_E_NOMEM);
    EXPECT_NE(c.message().find("weft_gather"), std::string::npos) << c.message();
    weft_ctx_clear(c);
    EXPECT_EQ(weft_synchronise(c), WEFT_OK) << c.message();
}

TEST_P(DeviceMemory, TwoContextsAreIndependent)
{
    Context a("cuda"), b("cuda:0");
    ASSERT_EQ(a.open_status(), WEFT_OK) << a.log();
    ASSERT_EQ(b.open_status(), WEFT_OK) << b.log();
    weft_tensor *x = weft_full(a, WEFT_I32, WEFT_DIMS(1000), 1), *y = weft_full(b, WEFT_I32, WEFT_DIMS(1000), 2);
    EXPECT_EQ(weft_copy_(x, y), nullptr);
    EXPECT_EQ(weft_ctx_status(a), WEFT_E_MIXED_CONTEXTS);
    EXPECT_EQ(weft_item_i64(b, weft_select(y, 0, 5)), 2);
    a.close();
    EXPECT_EQ(weft_item_i64(b, weft_select(y, 0, 6)), 2);
}

} /* namespace */
