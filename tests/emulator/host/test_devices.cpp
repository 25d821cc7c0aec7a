/* test_devices.cpp - a second device, what the program itself has made current, and devices without memory pools. */
#include <cmath>
#include <thread>
#include "host_test.h"

namespace
{

class TwoDevices : public StreamsOfTwo
{
};
FOR_ALL_STREAMS(TwoDevices);

/* Uploads, kernels that need shared memory, work space and the allocator, downloads. */
double work(weft_ctx *ctx, int64_t n)
{
    const int mark = weft_scope_push(ctx);
    weft_tensor *x =
        weft_mul(weft_arange(ctx, WEFT_F32, 0, 3 * static_cast<double>(n), 1), weft_scalar(ctx, WEFT_F32, 1e-3));
    x = weft_reshape(x, WEFT_DIMS(3, n));
    weft_tensor *w = weft_param(weft_ones(ctx, WEFT_F32, WEFT_DIMS(n)), "w");
    weft_tensor *h = weft_layer_norm(x, w, nullptr, 1e-5), *y = weft_add(weft_square(h), weft_softmax(h, 1));
    weft_backward(ctx, weft_sum(y, WEFT_ALL, false));
    const double sum = weft_item(ctx, weft_sum(weft_abs(weft_grad_of(w)), WEFT_ALL, false));
    weft_release(w);
    return weft_scope_pop(ctx, mark) == WEFT_OK ? sum : NAN;
}

TEST_P(TwoDevices, AreCountedAndDescribed)
{
    weft__backend_register(&weft__cuda_backend);
    EXPECT_EQ(weft_device_count("cuda"), 2);
    weft_device_info info = {};
    EXPECT_EQ(weft_device_info_get("cuda", 1, &info, sizeof info), WEFT_OK) << info.note;
    EXPECT_EQ(weft_device_info_get("cuda", 2, &info, sizeof info), WEFT_E_INVALID);
    Context c("cuda:2");
    EXPECT_EQ(c.open_status(), WEFT_E_DEVICE);
}

TEST_P(TwoDevices, ComputeTheSame)
{
    Context first("cuda:0"), second("cuda:1"), cpu("cpu");
    ASSERT_EQ(first.open_status(), WEFT_OK) << first.log();
    ASSERT_EQ(second.open_status(), WEFT_OK) << second.log();
    for (int64_t n : {40, 700, 5000}) {
        const double there = work(second, n);
        EXPECT_EQ(there, work(first, n)) << first.message() << second.message();
        EXPECT_NEAR(there, work(cpu, n), 1e-5 * there);
    }
}

weft_status never(weft_ctx *, const weft_array *, int, weft_array *, void *)
{
    return WEFT_E_INTERNAL;
}

weft_status expect_device(weft_ctx *, const weft_array *in, int, weft_array *out, void *stream, void *wanted)
{
    int device = -1;
    cudaPointerAttributes from = {}, to = {};
    EXPECT_EQ(cudaGetDevice(&device), cudaSuccess);
    EXPECT_EQ(cudaPointerGetAttributes(&from, in[0].data), cudaSuccess);
    EXPECT_EQ(cudaPointerGetAttributes(&to, out->data), cudaSuccess);
    EXPECT_EQ(device, *static_cast<int *>(wanted));
    EXPECT_EQ(from.device, device);
    EXPECT_EQ(to.device, device);
    return cudaMemcpyAsync(out->data, in[0].data, sizeof(float) * static_cast<size_t>(out->count),
                           cudaMemcpyDeviceToDevice, static_cast<cudaStream_t>(stream)) == cudaSuccess
               ? WEFT_OK
               : WEFT_E_DEVICE;
}

void expect_own_memory(const char *name, int wanted)
{
    Context c(name);
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    weft_custom_op op = WEFT_CUSTOM_OP_DEFAULTS;
    op.name = "where";
    op.forward = never;
    op.devices[0] = {"cuda", expect_device};
    op.user = &wanted;
    weft_tensor *x = weft_full(c, WEFT_F32, WEFT_DIMS(300), 1.5);
    EXPECT_EQ(weft_item(c, weft_sum(weft_custom(&op, &x, 1), WEFT_ALL, false)), 450) << c.message();
}

TEST_P(TwoDevices, HaveTheMemoryOfTheirContexts)
{
    expect_own_memory("cuda:1", 1);
    expect_own_memory("cuda", 0);
}

TEST_P(TwoDevices, TheProgramsOwnChoiceIsPutBack)
{
    ASSERT_EQ(cudaSetDevice(1), cudaSuccess);
    {
        Context c("cuda:0");
        ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
        EXPECT_FALSE(std::isnan(work(c, 300))) << c.message();
        EXPECT_EQ(weft_synchronise(c), WEFT_OK);
        weft_memory_trim(c);
        int device = -1;
        EXPECT_EQ(cudaGetDevice(&device), cudaSuccess);
        EXPECT_EQ(device, 1);
    }
    expect_own_memory("cuda:0", 0);
    int device = -1;
    EXPECT_EQ(cudaGetDevice(&device), cudaSuccess);
    EXPECT_EQ(device, 1);
    EXPECT_EQ(cudaSetDevice(0), cudaSuccess);
}

/* The current device cannot be told, or not be changed: an error, and the next call is fine. */
TEST_P(TwoDevices, AFailureToSwitchIsAnError)
{
    Context c("cuda:1");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    weft_tensor *x = weft_ones(c, WEFT_F32, WEFT_DIMS(1000));
    ASSERT_EQ(weft_synchronise(c), WEFT_OK);
    for (long nth : {1, 2}) {
        simt_fail_call(nth, 0, cudaErrorUnknown);
        EXPECT_EQ(weft_synchronise(c), WEFT_E_DEVICE);
        EXPECT_STREQ(simt_failed_call(), nth == 1 ? "cudaGetDevice" : "cudaSetDevice");
        simt_fail_call(0, 0, cudaSuccess);
        weft_ctx_clear(c);
        EXPECT_EQ(weft_item(c, weft_sum(x, WEFT_ALL, false)), 1000);
    }
}

/* Each launch finds the shared memory that its own thread has asked for, whatever the other does meanwhile. */
TEST_P(TwoDevices, ThreadsWithLongAndShortRows)
{
    const int64_t columns[] = {6200, 3600, 3080, 5000};
    double sums[4] = {};
    std::vector<std::thread> threads;
    for (int k = 0; k < 4; k++)
        threads.emplace_back([&, k] {
            Context c(k == 3 ? "cuda:1" : "cuda:0");
            ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
            for (int round = 0; round < 3; round++) {
                sums[k] = work(c, columns[k]);
                ASSERT_FALSE(std::isnan(sums[k])) << c.message();
            }
        });
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(simt_reports_total(), 0) << simt_last_report();
    Context cpu("cpu");
    for (int k = 0; k < 4; k++)
        EXPECT_NEAR(sums[k], work(cpu, columns[k]), 1e-5 * sums[k]);
}

/* ---- Without memory pools ---- */

class NoPools : public Streams
{
  protected:
    void SetUp() override
    {
        simt_set_pools(0);
        Streams::SetUp();
    }
    void TearDown() override
    {
        Streams::TearDown();
        simt_set_pools(1);
    }
};
FOR_ALL_STREAMS(NoPools);

TEST_P(NoPools, EverythingWorksAndComesBack)
{
    Context c("cuda"), cpu("cpu");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    const double sum = work(cpu, 700);
    EXPECT_NEAR(work(c, 700), sum, 1e-5 * sum);
    weft_memory_trim(c);
    EXPECT_EQ(memory_of(c).cached_bytes, 0u);
    EXPECT_LT(simt_device_bytes(), 1u << 20);
    EXPECT_NEAR(work(c, 700), sum, 1e-5 * sum);
}

TEST_P(NoPools, OnTheSecondDevice)
{
    simt_set_devices(2, cudaSuccess);
    expect_own_memory("cuda:1", 1);
    expect_nothing_held();
    simt_set_devices(1, cudaSuccess);
}

TEST_P(NoPools, OutOfMemoryIsACleanError)
{
    simt_set_memory_limit(10 << 20);
    Context c("cuda");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    for (int64_t size : {6, 3, 7, 5, 8}) {
        const int mark = weft_scope_push(c);
        EXPECT_NE(weft_zeros(c, WEFT_U8, WEFT_DIMS(size << 20)), nullptr) << size << " MiB: " << c.message();
        EXPECT_EQ(weft_scope_pop(c, mark), WEFT_OK);
    }
    EXPECT_EQ(weft_zeros(c, WEFT_U8, WEFT_DIMS(12 << 20)), nullptr);
    EXPECT_EQ(weft_ctx_status(c), WEFT_E_NOMEM);
    weft_ctx_clear(c);
    EXPECT_EQ(weft_item(c, weft_sum(weft_ones(c, WEFT_F32, WEFT_DIMS(50)), WEFT_ALL, false)), 50);
}

} /* namespace */
