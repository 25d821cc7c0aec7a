/* test_copy_to.cpp - weft_copy_to between contexts on one GPU, on two, and on GPU and CPU: the values whatever order
 * the streams run in, what comes before and after, and every call on the way failing. */
#include "host_test.h"

namespace
{

class CopyTo : public StreamsOfTwo
{
  protected:
    void TearDown() override
    {
        EXPECT_EQ(simt_reports_total(), 0) << simt_last_report();
        StreamsOfTwo::TearDown();
    }
};
FOR_ALL_STREAMS(CopyTo);

struct Way {
    const char *from, *to;
};
const Way ways[] = {{"cpu", "cuda"}, {"cuda", "cpu"}, {"cuda", "cuda"}, {"cuda:0", "cuda:1"}, {"cuda:1", "cuda:0"}};

TEST_P(CopyTo, EveryWayAndDtype)
{
    for (const Way &way : ways) {
        Context from(way.from), to(way.to);
        ASSERT_EQ(from.open_status(), WEFT_OK) << from.log();
        ASSERT_EQ(to.open_status(), WEFT_OK) << to.log();
        for (int d = 0; d < WEFT_DTYPE_COUNT; d++) {
            weft_tensor *x = weft_cast(weft_randn(from, WEFT_F32, WEFT_DIMS(5, 6), 0, 9), static_cast<weft_dtype>(d));
            weft_tensor *const sources[] = {x, weft_transpose(x, 0, 1), weft_expand(x, WEFT_DIMS(2, 5, 6)),
                                            weft_slice(x, 0, 2, 2, 1)};
            for (weft_tensor *source : sources) {
                weft_tensor *y = weft_copy_to(to, source);
                ASSERT_NE(y, nullptr) << to.message() << from.message();
                EXPECT_EQ(weft_ctx_of(y), static_cast<weft_ctx *>(to));
                EXPECT_EQ(weft_dtype_of(y), d);
                EXPECT_EQ(bytes_of(to, y), bytes_of(from, source)) << way.from << " to " << way.to;
            }
        }
        const std::vector<unsigned char> large = some_bytes((5 << 20) + 3); /* more than the staging takes at once */
        weft_tensor *x = weft_from_data(from, WEFT_U8, WEFT_DIMS(static_cast<int64_t>(large.size())), large.data());
        EXPECT_TRUE(bytes_of(to, weft_copy_to(to, x)) == large) << way.from << " to " << way.to;
    }
}

/* The copy sees what was queued in its source's context before, and none of what comes after: a change in place, and
 * memory that is free and used again at once. What is queued in its own context afterwards sees the copy. */
TEST_P(CopyTo, ComesBetweenWhatIsQueuedBeforeAndAfter)
{
    for (const Way &way : ways) {
        Context from(way.from), to(way.to);
        ASSERT_EQ(from.open_status(), WEFT_OK) << from.log();
        ASSERT_EQ(to.open_status(), WEFT_OK) << to.log();
        weft_tensor *total = weft_zeros(to, WEFT_F32, WEFT_DIMS(1000));
        for (int round = 1; round <= 5; round++) {
            const int mark = weft_scope_push(from);
            weft_tensor *x = weft_full(from, WEFT_F32, WEFT_DIMS(1000), round);
            for (int k = 0; k < 10; k++)
                x = weft_add_scalar(x, 1);
            weft_tensor *changed = weft_copy_to(to, x);
            weft_fill_(x, -1e6);
            weft_tensor *freed = weft_copy_to(to, weft_transpose(weft_reshape(x, WEFT_DIMS(10, 100)), 0, 1));
            EXPECT_EQ(weft_scope_pop(from, mark), WEFT_OK) << from.message();
            for (int k = 0; k < 4; k++) /* in the blocks that are free now */
                weft_full(from, WEFT_F32, WEFT_DIMS(1000), 1e9);
            weft_add_(total, changed);
            weft_add_(total, weft_reshape(freed, WEFT_DIMS(1000)));
            weft_fill_(changed, 1e12);
        }
        const float expected = 15 + 5 * 10 - 5 * 1e6f;
        std::vector<float> sums(1000);
        ASSERT_EQ(weft_read(to, total, sums.data(), sums.size() * sizeof(float)), WEFT_OK) << to.message();
        for (float sum : sums)
            ASSERT_EQ(sum, expected) << way.from << " to " << way.to;
    }
}

TEST_P(CopyTo, OutlivesTheContextThatItCameFrom)
{
    for (const Way &way : ways) {
        Context from(way.from), to(way.to);
        weft_tensor *y = weft_copy_to(to, weft_full(from, WEFT_F32, WEFT_DIMS(5000), 2));
        from.close();
        EXPECT_EQ(weft_item(to, weft_sum(y, WEFT_ALL, false)), 10000) << way.from << " to " << way.to;
    }
}

/* The context that receives is closed first, with the copy on its way. */
TEST_P(CopyTo, NobodyNeedsToReadIt)
{
    for (const Way &way : ways) {
        Context from(way.from), to(way.to);
        weft_tensor *x = weft_full(from, WEFT_F32, WEFT_DIMS(5000), 2);
        ASSERT_NE(weft_copy_to(to, x), nullptr) << to.message();
        to.close();
        EXPECT_EQ(weft_item(from, weft_sum(x, WEFT_ALL, false)), 10000);
    }
}

/* What only the running work can find appears where it runs. */
TEST_P(CopyTo, AnIndexOutOfRangeIsAnErrorOfItsOwnContext)
{
    Context from("cuda:0"), to("cuda:1"), cpu("cpu");
    weft_tensor *x = weft_ones(from, WEFT_F32, WEFT_DIMS(4));
    weft_tensor *bad = weft_full(from, WEFT_I64, WEFT_DIMS(2), 9);
    weft_tensor *y = weft_copy_to(to, weft_index_select(x, bad, 0));
    EXPECT_NE(y, nullptr) << to.message();
    EXPECT_EQ(weft_synchronise(to), WEFT_OK) << to.message();
    EXPECT_EQ(weft_synchronise(from), WEFT_E_INVALID);
    EXPECT_NE(from.message().find("= 9 is outside [0, 4)"), std::string::npos) << from.message();
    weft_ctx_clear(from);
    EXPECT_EQ(weft_copy_to(cpu, weft_index_select(x, bad, 0)), nullptr); /* waits, and finds it */
    EXPECT_EQ(weft_ctx_clear(from), WEFT_E_INVALID);
    EXPECT_NE(cpu.message().find("= 9 is outside [0, 4)"), std::string::npos) << cpu.message();
    EXPECT_EQ(weft_ctx_clear(cpu), WEFT_E_INVALID);
}

TEST_P(CopyTo, EachFailingCallIsAnErrorAndTheNextCopyIsFine)
{
    for (const Way &way : ways) {
        Context from(way.from), to(way.to);
        long nth = 1;
        for (bool done = false; !done && !HasFailure(); nth++) {
            const int mark = weft_scope_push(from);
            weft_tensor *x = weft_transpose(weft_full(from, WEFT_F32, WEFT_DIMS(40, 50), 3), 0, 1);
            simt_fail_call(nth, 0, cudaErrorUnknown);
            weft_tensor *y = weft_copy_to(to, x);
            const std::string failed = simt_failed_call() ? simt_failed_call() : "";
            simt_fail_call(0, 0, cudaSuccess);
            (void)cudaGetLastError();
            done = failed.empty();
            weft_fill_(x, 4); /* not before a copy that was begun has read it */
            const weft_status in_from = weft_ctx_clear(from), in_to = weft_ctx_clear(to);
            if (y)
                EXPECT_EQ(weft_item(to, weft_sum(y, WEFT_ALL, false)), 6000) << failed;
            else
                EXPECT_EQ(in_to, WEFT_E_DEVICE) << failed;
            EXPECT_TRUE(in_from == WEFT_OK || (!y && in_from == in_to)) << failed;
            weft_ctx_clear(from);
            y = weft_copy_to(to, weft_full(from, WEFT_F32, WEFT_DIMS(10), 5));
            EXPECT_EQ(weft_item(to, weft_sum(y, WEFT_ALL, false)), 50) << to.message() << from.message();
            EXPECT_EQ(weft_scope_pop(from, mark), WEFT_OK) << from.message();
        }
        EXPECT_GT(nth, 3) << way.from << " to " << way.to;
    }
}

} /* namespace */
