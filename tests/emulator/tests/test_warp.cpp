/* test_warp.cpp - barriers, votes, shuffles and warp reductions in every order of threads. */
#include "device_array.h"
#include "emulator.h"
#include "language_kernels.h"

namespace
{

using language::Warp;

class WarpTest : public testing::TestWithParam<simt_order>
{
    void SetUp() override
    {
        simt_set_order(GetParam(), 7);
    }

  protected:
    static std::vector<int> run(Warp what)
    {
        DeviceArray<int> device_y(32);
        EXPECT_EQ(language::warp(what, device_y.zero().data(), nullptr), cudaSuccess);
        return device_y.download();
    }

    template <class Expected> static void check(Warp what, Expected expected)
    {
        const std::vector<int> y = run(what);
        for (int lane = 0; lane < 32; lane++)
            EXPECT_EQ(y[static_cast<size_t>(lane)], expected(lane)) << "lane " << lane;
    }
};

TEST_P(WarpTest, Shuffles)
{
    check(Warp::shuffle_broadcast, [](int) { return 5; });
    check(Warp::shuffle_up, [](int lane) { return lane < 3 ? lane : lane - 3; });
    check(Warp::shuffle_down_8, [](int lane) { return lane % 8 < 6 ? lane + 2 : lane; });
    check(Warp::shuffle_xor, [](int lane) { return lane ^ 16; });
    check(Warp::shuffle_double, [](int lane) { return (lane + 1) % 32; });
}

TEST_P(WarpTest, Votes)
{
    check(Warp::ballot, [](int) { return static_cast<int>(0xaaaaaaaau); });
    check(Warp::votes, [](int) { return 1 + 4; });
}

TEST_P(WarpTest, MatchAny)
{
    check(Warp::match, [](int lane) {
        const int first = lane / 5 * 5;
        const uint64_t lanes = 31ull << first & 0xffffffffu;
        return static_cast<int>(static_cast<unsigned>(lanes));
    });
}

TEST_P(WarpTest, Reductions)
{
    check(Warp::reduce, [](int) { return -10 + 31 + 496; });
}

TEST_P(WarpTest, HalfWarpsAreIndependent)
{
    check(Warp::half_warp, [](int lane) { return lane < 16 ? 120 : 376; });
}

TEST_P(WarpTest, ReturnedLanesAreNotWaitedFor)
{
    check(Warp::active, [](int lane) { return lane < 4 ? 0 : static_cast<int>(0xfffffff0u); });
}

TEST_P(WarpTest, BlockVotes)
{
    const DeviceArray<int> y(3);
    ASSERT_EQ(language::block_votes(y.data(), nullptr), cudaSuccess);
    EXPECT_EQ(y.download(), (std::vector<int>{40, 0, 1}));
}

TEST_P(WarpTest, PartialWarp)
{
    const DeviceArray<int> y(70);
    ASSERT_EQ(language::partial_warp(y.data(), nullptr), cudaSuccess);
    EXPECT_EQ(y.download(), std::vector<int>(70, 69 * 70 / 2));
}

TEST_P(WarpTest, SyncwarpOrdersSharedMemory)
{
    const DeviceArray<int> device_y(32);
    ASSERT_EQ(language::warp_exchange(device_y.data(), nullptr), cudaSuccess);
    const std::vector<int> y = device_y.download();
    for (int lane = 0; lane < 32; lane++)
        EXPECT_EQ(y[static_cast<size_t>(lane)], (lane + 3) % 32);
}

std::string order_name(const testing::TestParamInfo<simt_order> &info)
{
    static const char *const names[] = {"Forward", "Reverse", "Random"};
    return names[info.param];
}

INSTANTIATE_TEST_SUITE_P(Orders, WarpTest, testing::Values(SIMT_FORWARD, SIMT_REVERSE, SIMT_RANDOM), order_name);

} /* namespace */
