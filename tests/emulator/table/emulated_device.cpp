/* emulated_device.cpp - puts the CUDA backend on the emulator in the place of the module before the table tests are
 * listed, and fails a test during which the emulator reported something. */
#include <cstdlib>
#include <cstring>
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>
#include "cufft/cufft.h"
#include "cusolver/cusolver.h"
#include "emulator.h"
#include "harness/weft_test.h"

extern "C" {
#include "engine/registry.h"
extern const weft__backend weft__cuda_backend;
}

namespace
{

constexpr unsigned seconds_for_a_test = 120;
constexpr size_t memory_to_fill = 24 << 20; /* for tests that use all of it */

class Guard : public testing::EmptyTestEventListener
{
    void OnTestStart(const testing::TestInfo &test) override
    {
        simt_reset();
        if (!strcmp(test.test_suite_name(), "GpuMemory"))
            simt_set_memory_limit(memory_to_fill);
        simt_set_time_limit(seconds_for_a_test);
    }

    void OnTestEnd(const testing::TestInfo &) override
    {
        simt_set_time_limit(0);
        cudaDeviceSynchronize();
        EXPECT_EQ(simt_device_bytes(), 0u) << "device memory was not given back";
        EXPECT_EQ(simt_reports_total(), 0) << "the emulator reported: " << simt_last_report();
        simt_clear_reports();
        EXPECT_EQ(cufft_count().misuse + cusolver_count().misuse, 0) << "a library was misused";
    }
};

/* Before anything else asks for the device. */
struct Register {
    Register()
    {
        setenv("WEFT_TEST_DEVICE", "cuda", 1);
        setenv("WEFT_TEST_FILL", "1", 1);   /* nobody else uses this device */
        setenv("WEFT_CUBLASLT", "self", 0); /* the stand-in, not what may be installed here */
        setenv("WEFT_CUDNN", "none", 0);    /* the real ones would find no GPU */
        setenv("WEFT_CUFFT", "none", 0);
        setenv("WEFT_CUSOLVER", "none", 0);
        weft__backend_register(&weft__cuda_backend);
        weft_test_add_init([] { testing::UnitTest::GetInstance()->listeners().Append(new Guard); });
    }
} registered;

} /* namespace */
