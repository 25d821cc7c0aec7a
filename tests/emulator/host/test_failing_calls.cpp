/* test_failing_calls.cpp - every CUDA call fails once: the error is clean, nothing is lost, the context goes on. And
 * errors that kernels find. */
#include "host_test.h"

namespace
{

class FailingCalls : public Streams
{
};
FOR_ALL_STREAMS(FailingCalls);

/* Uploads large and small, kernels, scratch memory, downloads. The sum of what it read, or -1 with the error
 * recorded. */
long work(weft_ctx *ctx)
{
    const int mark = weft_scope_push(ctx);
    const std::vector<unsigned char> large(5 << 20, 1);
    std::vector<int32_t> read(4000);
    weft_tensor *big = weft_from_data(ctx, WEFT_U8, WEFT_DIMS(static_cast<int64_t>(large.size())), large.data());
    weft_tensor *x = weft_from_data(ctx, WEFT_U8, WEFT_DIMS(40, 100), large.data());
    weft_tensor *y = weft_cast(weft_transpose(x, 0, 1), WEFT_F16);
    weft_tensor *z = weft_cast(weft_clone(weft_transpose(y, 0, 1)), WEFT_I32);
    weft_fill_(weft_select(z, 0, 3), 2);
    long sum = 0;
    if (weft_read(ctx, z, read.data(), read.size() * sizeof read[0]) == WEFT_OK)
        for (int32_t value : read)
            sum += value;
    std::vector<unsigned char> back(large.size());
    if (weft_read(ctx, big, back.data(), back.size()) == WEFT_OK)
        sum += static_cast<long>(std::count(back.begin(), back.end(), static_cast<unsigned char>(1)));
    return weft_scope_pop(ctx, mark) == WEFT_OK ? sum : -1;
}

constexpr long right = 4100 + (5 << 20);

/* The whole life of a context, once with each call failing. */
void fail_each_call(cudaError_t error, bool forever)
{
    long nth = 1;
    for (;; nth++) {
        simt_fail_call(nth, forever, error);
        {
            Context c("cuda");
            const long sum = c.open_status() == WEFT_OK ? work(c) : -1;
            const bool failed = simt_failed_call() != nullptr;
            const weft_status status = c.open_status() == WEFT_OK ? weft_ctx_status(c) : c.open_status();
            if (status == WEFT_OK) {
                EXPECT_EQ(sum, right) << "a failing " << (failed ? simt_failed_call() : "nothing") << " was overlooked";
            } else {
                EXPECT_TRUE(failed) << c.log();
                EXPECT_TRUE(status == WEFT_E_DEVICE || status == WEFT_E_NOMEM) << c.log();
                EXPECT_NE(c.log().find(error == cudaErrorMemoryAllocation ? "memory" : "(cudaError"), std::string::npos)
                    << simt_failed_call() << ": " << c.log();
            }
        }
        const bool done = !simt_failed_call();
        simt_fail_call(0, 0, cudaSuccess);
        (void)cudaGetLastError();
        expect_nothing_held();
        if (done || testing::Test::HasFailure())
            break;
    }
    EXPECT_GT(nth, 60) << "so many calls should have failed";
}

TEST_P(FailingCalls, OnceOutOfMemory)
{
    fail_each_call(cudaErrorMemoryAllocation, false);
}

TEST_P(FailingCalls, OnceUnknown)
{
    fail_each_call(cudaErrorUnknown, false);
}

TEST_P(FailingCalls, FromThenOn)
{
    fail_each_call(cudaErrorLaunchFailure, true);
}

TEST_P(FailingCalls, TheContextGoesOnAfterwards)
{
    Context c("cuda");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    for (long nth = 1;; nth++) {
        simt_fail_call(nth, 0, cudaErrorUnknown);
        work(c);
        const bool done = !simt_failed_call();
        simt_fail_call(0, 0, cudaSuccess);
        weft_ctx_clear(c);
        ASSERT_EQ(work(c), right) << "after failing call " << nth << ": " << c.message();
        if (done)
            break;
    }
}

/* An error of the program's own that it has not looked at yet does not become ours, nor ours its. */
TEST_P(FailingCalls, ErrorsAreNotLeftBehind)
{
    Context c("cuda");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    simt_fail_call(2, 0, cudaErrorUnknown);
    EXPECT_EQ(weft_zeros(c, WEFT_F32, WEFT_DIMS(100)), nullptr);
    EXPECT_EQ(weft_ctx_status(c), WEFT_E_DEVICE);
    EXPECT_EQ(cudaPeekAtLastError(), cudaSuccess);
}

/* ---- What kernels find ---- */

weft_tensor *bad_gather(weft_ctx *ctx)
{
    const int64_t index[] = {0, 1, 2, 7, 1, -1};
    weft_tensor *x = weft_ones(ctx, WEFT_F32, WEFT_DIMS(5, 3));
    return weft_index_select(x, weft_from_data(ctx, WEFT_I64, WEFT_DIMS(6), index), 0);
}

TEST_P(FailingCalls, AnIndexOutOfRangeIsReportedAtTheNextWait)
{
    Context c("cuda");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    weft_tensor *y = bad_gather(c);
    EXPECT_NE(y, nullptr) << "the kernel is only queued: " << c.message();
    EXPECT_EQ(weft_synchronise(c), WEFT_E_INVALID);
    const std::string message = c.message();
    EXPECT_NE(message.find("weft_index_select"), std::string::npos) << message;
    EXPECT_TRUE(message.find("index[3] = 7 is outside [0, 5)") != std::string::npos ||
                message.find("index[5] = -1 is outside [0, 5)") != std::string::npos)
        << message;
    weft_ctx_clear(c);
    EXPECT_EQ(weft_synchronise(c), WEFT_OK) << "the record is cleared: " << c.message();
    EXPECT_EQ(work(c), right);
}

TEST_P(FailingCalls, AReadReportsItToo)
{
    Context c("cuda");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    weft_tensor *y = bad_gather(c);
    float values[18];
    EXPECT_EQ(weft_read(c, y, values, sizeof values), WEFT_E_INVALID);
    EXPECT_NE(c.message().find("weft_index_select"), std::string::npos) << c.message();
}

TEST_P(FailingCalls, WithSyncTheOperationItselfFails)
{
    setenv("WEFT_SYNC", "1", 1);
    Context c("cuda");
    unsetenv("WEFT_SYNC");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    EXPECT_EQ(work(c), right) << c.message();
    EXPECT_EQ(bad_gather(c), nullptr);
    EXPECT_EQ(weft_ctx_status(c), WEFT_E_INVALID);
    EXPECT_EQ(c.message().find("weft_index_select: index["), 0u) << c.message();
    weft_ctx_clear(c);
    EXPECT_EQ(work(c), right) << c.message();
}

} /* namespace */
