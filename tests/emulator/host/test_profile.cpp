/* test_profile.cpp - profiles of a device that works through a queue: times come from its own clock, the host does not
 * wait for it, every failing call leaves a clean error. */
#include "host_test.h"
#include <cstdio>
#include <fstream>
#include <sstream>
#include <weft/profile.h>

namespace
{

class Profile : public Streams
{
};
FOR_ALL_STREAMS(Profile);

weft_status never_on_host(weft_ctx *, const weft_array *, int, weft_array *, void *)
{
    return WEFT_E_INVALID;
}

/* Fills its output on the stream, and asks whether the stream has caught up. */
weft_status ask_stream(weft_ctx *, const weft_array *, int, weft_array *out, void *stream, void *answer)
{
    auto *s = static_cast<cudaStream_t>(stream);
    *static_cast<cudaError_t *>(answer) = cudaStreamQuery(s);
    return cudaMemsetAsync(out->data, 0, sizeof(float) * static_cast<size_t>(out->count), s) == cudaSuccess
               ? WEFT_OK
               : WEFT_E_DEVICE;
}

weft_status twice(weft_ctx *, weft_tensor *const *, int, weft_tensor *, weft_tensor *gradient, weft_tensor **gradients,
                  void *)
{
    gradients[0] = weft_add(gradient, gradient);
    return WEFT_OK;
}

weft_custom_op asking_op(cudaError_t *answer)
{
    weft_custom_op op = WEFT_CUSTOM_OP_DEFAULTS;
    op.name = "ask_stream";
    op.forward = never_on_host;
    op.devices[0] = {"cuda", ask_stream};
    op.backward = twice;
    op.user = answer;
    return op;
}

const weft_profile_op *find(const std::vector<weft_profile_op> &rows, const std::string &kernel, bool gradient)
{
    for (const weft_profile_op &row : rows)
        if (row.kernel == kernel && row.gradient == gradient)
            return &row;
    return nullptr;
}

weft_profile_total totals_of(weft_profile *p)
{
    weft_profile_total total = {};
    EXPECT_EQ(weft_profile_totals(p, &total, sizeof total), WEFT_OK);
    return total;
}

std::vector<weft_profile_op> rows_of(weft_profile *p)
{
    std::vector<weft_profile_op> rows(64);
    rows.resize(static_cast<size_t>(weft_profile_ops(p, rows.data(), 64, sizeof(weft_profile_op))));
    return rows;
}

void launch(weft_ctx *c, int times)
{
    const int mark = weft_scope_push(c);
    weft_tensor *x = weft_ones(c, WEFT_F32, WEFT_DIMS(50));
    for (int k = 0; k < times; k++)
        x = weft_tanh(x);
    EXPECT_EQ(weft_scope_pop(c, mark), WEFT_OK) << weft_ctx_message(c);
}

TEST_P(Profile, CountsMoreLaunchesThanItHasMarksFor)
{
    Context c("cuda");
    weft_profile *p = nullptr;
    ASSERT_EQ(weft_profile_begin(c, &p), WEFT_OK) << c.message();
    launch(c, 700);
    EXPECT_EQ(totals_of(p).launches, 701); /* in the middle: with what the device has not done yet */
    EXPECT_EQ(find(rows_of(p), "tanh", false)->calls, 700);
    launch(c, 600);
    weft_profile_end(p);
    const weft_profile_op *row = nullptr;
    const std::vector<weft_profile_op> rows = rows_of(p);
    ASSERT_NE(row = find(rows, "tanh", false), nullptr);
    EXPECT_EQ(row->calls, 1300);
    const weft_profile_total total = totals_of(p);
    EXPECT_GT(row->seconds, 0);
    EXPECT_GE(row->seconds, row->longest);
    EXPECT_LE(total.in_kernels, total.wall);
    EXPECT_LE(total.issuing, total.wall);
    weft_profile_free(p);
}

TEST_P(Profile, LetsTheHostRunAhead)
{
    Context c("cuda");
    weft_profile *p = nullptr;
    cudaError_t answer = cudaErrorUnknown;
    const weft_custom_op op = asking_op(&answer);
    ASSERT_EQ(weft_profile_begin(c, &p), WEFT_OK) << c.message();
    launch(c, 200);
    weft_tensor *x = weft_ones(c, WEFT_F32, WEFT_DIMS(50));
    ASSERT_NE(weft_custom(&op, &x, 1), nullptr) << c.message();
    if (GetParam() == SIMT_LAZY) {
        EXPECT_EQ(answer, cudaErrorNotReady) << "the profile has waited for the device";
    }
    weft_profile_free(p);
}

TEST_P(Profile, NamesOperationsOfThePrograms)
{
    Context c("cuda");
    weft_profile *p = nullptr;
    cudaError_t answer = cudaErrorUnknown;
    const weft_custom_op op = asking_op(&answer);
    ASSERT_EQ(weft_profile_begin(c, &p), WEFT_OK) << c.message();
    weft_tensor *x = weft_param(weft_ones(c, WEFT_F32, WEFT_DIMS(50)), "x");
    EXPECT_EQ(weft_backward(c, weft_sum(weft_custom(&op, &x, 1), WEFT_ALL, false)), WEFT_OK) << c.message();
    weft_profile_end(p);
    const std::vector<weft_profile_op> rows = rows_of(p);
    const weft_profile_op *forward = find(rows, "ask_stream", false), *backward = find(rows, "ask_stream", true);
    ASSERT_TRUE(forward && backward && find(rows, "add", false));
    EXPECT_EQ(forward->calls, 1);
    EXPECT_GT(forward->seconds, 0);
    EXPECT_EQ(backward->calls, 1);
    EXPECT_EQ(backward->seconds, 0) << "it has no kernel but those of its operations";
    weft_release(x);
    weft_profile_free(p);
}

TEST_P(Profile, TracesHostAndStream)
{
    char path[] = "/tmp/weft_trace_XXXXXX";
    const int file = mkstemp(path);
    ASSERT_GE(file, 0);
    close(file);
    Context c("cuda");
    weft_profile *p = nullptr;
    ASSERT_EQ(weft_profile_begin(c, &p), WEFT_OK) << c.message();
    launch(c, 3);
    EXPECT_EQ(weft_profile_trace(p, path), WEFT_OK) << c.message();
    weft_profile_free(p);
    std::ifstream in(path);
    std::stringstream text;
    text << in.rdbuf();
    for (const char *part : {"CPU: launches", "GPU: stream", "\"launches\":\"tanh\"", "\"kernel\":\"tanh\"",
                             "\"ph\":\"s\"", "\"ph\":\"f\"", "tensor memory"})
        EXPECT_NE(text.str().find(part), std::string::npos) << part;
    unlink(path);
}

/* A whole profile, once with each call failing. */
TEST_P(Profile, FailingCallsLeaveACleanError)
{
    long nth = 1;
    for (bool done = false; !done && !HasFailure(); nth++) {
        simt_reset();
        simt_set_streams(GetParam(), 7);
        Context c("cuda");
        ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
        simt_fail_call(nth, 0, cudaErrorUnknown);
        weft_profile *p = nullptr;
        const weft_status began = weft_profile_begin(c, &p);
        if (began != WEFT_OK) {
            EXPECT_EQ(p, nullptr);
            EXPECT_EQ(began, WEFT_E_DEVICE);
            EXPECT_EQ(c.message().find("weft_profile_begin: "), 0u) << c.message();
            EXPECT_NE(c.message().find("cudaErrorUnknown"), std::string::npos) << c.message();
            nth += nth < 1000 ? 97 : 0; /* some of the thousand events that are made */
        } else {
            const int mark = weft_scope_push(c);
            weft_tensor *x = weft_tanh(weft_ones(c, WEFT_F32, WEFT_DIMS(50)));
            (void)x;
            const weft_status status = weft_scope_pop(c, mark);
            weft_profile_end(p);
            EXPECT_TRUE(status == WEFT_OK || simt_failed_call()) << c.message();
            const std::string failed = simt_failed_call() ? simt_failed_call() : "";
            done = failed == "cudaEventDestroy"; /* from here on events are given back, and nothing can be told */
            EXPECT_TRUE(failed.empty() || done || failed.find("Free") != std::string::npos || !c.log().empty())
                << failed << " went unnoticed";
            weft_profile_free(p);
        }
        ASSERT_NE(simt_failed_call(), nullptr);
        simt_fail_call(0, 0, cudaSuccess);
        (void)cudaGetLastError();
    }
    EXPECT_GT(nth, 1000) << "an event for each mark";
}

} /* namespace */
