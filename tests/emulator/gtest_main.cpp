/* gtest_main.cpp - main() for tests on the emulator.
 *
 * Before each test every setting of the emulator is reset; after it, a report that the test has not cleared fails it. A
 * test that runs for longer than its time limit ends the process. */
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>
#include "emulator.h"

namespace
{

constexpr unsigned seconds_for_a_test = 30;

class Guard : public testing::EmptyTestEventListener
{
    void OnTestStart(const testing::TestInfo &) override
    {
        simt_reset();
        simt_set_time_limit(seconds_for_a_test);
    }

    void OnTestEnd(const testing::TestInfo &) override
    {
        simt_set_time_limit(0);
        simt_fail_call(0, 0, cudaSuccess);
        cudaDeviceSynchronize(); /* work that was left in a queue belongs to this test */
        EXPECT_EQ(simt_reports_total(), 0) << "the emulator reported: " << simt_last_report();
        simt_clear_reports();
    }
};

} /* namespace */

int main(int argc, char **argv)
{
    testing::InitGoogleTest(&argc, argv);
    /* Ends of tests are told to listeners last to first: the guard's findings count before the result is printed. */
    testing::UnitTest::GetInstance()->listeners().Append(new Guard);
    return RUN_ALL_TESTS();
}
