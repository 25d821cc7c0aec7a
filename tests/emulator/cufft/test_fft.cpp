/* test_fft.cpp - which Fourier transforms cuFFT gets, and what happens when it will not have them. Needs
 * WEFT_CUFFT=self, as the table tests of transforms are run once more, then with lines of any length. */
#include "cufft.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <gtest/gtest.h>
#include <string>
#include <vector>
#include <weft/weft.h>

extern "C" {
#include "device/both.h"
}

namespace
{

class Cufft : public testing::Test
{
  protected:
    void SetUp() override
    {
        const char *wish = getenv("WEFT_CUFFT");
        if (!wish || strcmp(wish, "self") != 0)
            GTEST_SKIP() << "the stand-in for cuFFT is used with WEFT_CUFFT=self";
        before = cufft_count();
        unsetenv("WEFT_CUFFT_FROM");
    }
    void TearDown() override
    {
        close();
        cufft_fail(0, 0);
        cufft_set_version(0);
        setenv("WEFT_CUFFT_FROM", "1", 1);
        EXPECT_EQ(cufft_count().live, 0);
        EXPECT_EQ(cufft_count().misuse, before.misuse);
    }

    void open(size_t budget = SIZE_MAX)
    {
        weft_options options = WEFT_OPTIONS_DEFAULTS;
        options.device = "cuda";
        options.memory_budget = budget;
        ASSERT_EQ(weft_ctx_open(&options, &ctx), WEFT_OK);
    }
    void close()
    {
        if (!ctx)
            return;
        EXPECT_EQ(weft_ctx_status(ctx), WEFT_OK) << weft_ctx_message(ctx);
        weft_ctx_close(ctx);
        ctx = nullptr;
    }
    /* The largest error of the last of `lines` spectra of ones: 1, then zeros. */
    double error_of(weft_dtype dtype, int64_t lines, int64_t n)
    {
        const int64_t shape[] = {lines, n};
        const int mark = weft_scope_push(ctx);
        weft_tensor *all = weft_rfft(weft_full(ctx, dtype, shape, 2, 1), 1, WEFT_FFT_NORM_FORWARD);
        weft_tensor *y = weft_cast(weft_slice(all, 0, lines - 1, lines, 1), WEFT_F64);
        std::vector<double> got(static_cast<size_t>(weft_count(y)));
        EXPECT_EQ(weft_read(ctx, y, got.data(), got.size() * sizeof(double)), WEFT_OK) << weft_ctx_message(ctx);
        double worst = 0;
        for (size_t i = 0; i < got.size(); i++)
            worst = std::fmax(worst, std::fabs(got[i] - (i == 0 ? 1 : 0)));
        EXPECT_EQ(weft_scope_pop(ctx, mark), WEFT_OK) << weft_ctx_message(ctx);
        return worst;
    }
    long runs() const
    {
        return cufft_count().runs - before.runs;
    }
    long plans() const
    {
        return cufft_count().plans - before.plans;
    }

    weft_ctx *ctx = nullptr;
    cufft_counts before = {};
};

TEST_F(Cufft, GetsLongLinesAndLargePrimes)
{
    open();
    EXPECT_LT(error_of(WEFT_F32, 3, 64), 1e-6);
    EXPECT_LT(error_of(WEFT_F32, 3, 31 * 4), 1e-6);
    EXPECT_EQ(runs(), 0);
    EXPECT_LT(error_of(WEFT_F32, 3, 37 * 2), 1e-6);
    EXPECT_EQ(runs(), 1);
    EXPECT_LT(error_of(WEFT_F32, 1, 6144), 1e-6);
    EXPECT_LT(error_of(WEFT_F64, 1, 4096), 1e-14);
    EXPECT_EQ(runs(), 3);
}

TEST_F(Cufft, MakesAPlanOnce)
{
    open();
    setenv("WEFT_CUFFT_FROM", "1", 1);
    for (int again = 0; again < 3; again++)
        EXPECT_LT(error_of(WEFT_F32, 3, 24), 1e-6);
    EXPECT_EQ(plans(), 1);
    EXPECT_EQ(runs(), 3);
    EXPECT_LT(error_of(WEFT_F32, 2, 24), 1e-6);
    EXPECT_LT(error_of(WEFT_F64, 3, 24), 1e-15);
    EXPECT_EQ(plans(), 3);
}

/* The one that was used longest ago goes. */
TEST_F(Cufft, KeepsSomePlans)
{
    open();
    setenv("WEFT_CUFFT_FROM", "1", 1);
    for (int n = 2; n < 80; n++) {
        EXPECT_LT(error_of(WEFT_F32, 1, n), 1e-6) << n;
        EXPECT_LT(error_of(WEFT_F32, 1, 100), 1e-6);
        EXPECT_LE(cufft_count().live, 32);
    }
    EXPECT_EQ(plans(), 79);
    EXPECT_LT(error_of(WEFT_F32, 1, 79), 1e-6);
    EXPECT_EQ(plans(), 79);
    EXPECT_LT(error_of(WEFT_F32, 1, 2), 1e-6);
    EXPECT_EQ(plans(), 80);
}

TEST_F(Cufft, RefusesOnce)
{
    open();
    cufft_fail(8, 0);
    EXPECT_LT(error_of(WEFT_F32, 2, 74), 1e-6);
    EXPECT_EQ(cufft_count().refused, before.refused + 1);
    cufft_fail(0, 0);
    EXPECT_LT(error_of(WEFT_F32, 2, 74), 1e-6);
    EXPECT_EQ(plans(), 0);
    EXPECT_EQ(runs(), 0);
}

TEST_F(Cufft, IsAskedAgainWhereMemoryWasMissing)
{
    open();
    cufft_fail(2, 0);
    EXPECT_LT(error_of(WEFT_F32, 2, 74), 1e-6);
    cufft_fail(0, 0);
    EXPECT_LT(error_of(WEFT_F32, 2, 74), 1e-6);
    EXPECT_EQ(plans(), 1);
    EXPECT_EQ(runs(), 1);
}

TEST_F(Cufft, FailsOnce)
{
    open();
    cufft_fail(0, 6);
    EXPECT_LT(error_of(WEFT_F32, 2, 74), 1e-6);
    EXPECT_EQ(cufft_count().failed, before.failed + 1);
    EXPECT_LT(error_of(WEFT_F32, 2, 74), 1e-6);
    cufft_fail(0, 0);
    EXPECT_LT(error_of(WEFT_F32, 2, 74), 1e-6);
    EXPECT_EQ(cufft_count().failed, before.failed + 1);
    EXPECT_EQ(runs(), 0);
}

/* The lines as f32 are twice what x and y have together. */
TEST_F(Cufft, GivesWayWhereTheBudgetIsShort)
{
    open(400 << 10);
    EXPECT_LT(error_of(WEFT_F16, 800, 74), 2e-3);
    EXPECT_EQ(runs(), 0);
    EXPECT_LT(error_of(WEFT_F16, 100, 74), 2e-3);
    EXPECT_EQ(runs(), 1);
}

TEST_F(Cufft, OfAnotherVersionIsNotUsed)
{
    weft_device_info info = {};
    ASSERT_EQ(weft_device_info_get("cuda", 0, &info, sizeof info), WEFT_OK) << info.note;
    EXPECT_STREQ(info.libraries[4].name, "cuFFT");
    EXPECT_STREQ(info.libraries[4].reason, "");
    cufft_set_version(10203);
    ASSERT_EQ(weft_device_info_get("cuda", 0, &info, sizeof info), WEFT_OK) << info.note;
    EXPECT_NE(std::string(info.libraries[4].reason).find("is version 10.2, but "), std::string::npos)
        << info.libraries[4].reason;
    EXPECT_NE(std::string(info.libraries[4].reason).find("Fourier transforms of long lines"), std::string::npos);
    open();
    EXPECT_LT(error_of(WEFT_F32, 2, 74), 1e-6);
    EXPECT_EQ(runs(), 0);
}

TEST_F(Cufft, SwitchedOffIsNotUsed)
{
    setenv("WEFT_CUFFT", "none", 1);
    open();
    EXPECT_LT(error_of(WEFT_F32, 2, 74), 1e-6);
    setenv("WEFT_CUFFT", "self", 1);
    EXPECT_LT(error_of(WEFT_F32, 2, 74), 1e-6); /* a context keeps to what it has found */
    EXPECT_EQ(runs(), 0);
}

/* What begins between two pairs, and what has lines in two places, is gathered first. */
weft_tensor *of_a_view(weft_ctx *c, void *)
{
    const int64_t shape[] = {51}, lines[] = {2, 24};
    weft_tensor *x = weft_slice(both_input(c, WEFT_F32, shape, 1, -1, 1, 5), 0, 1, 49, 1);
    return weft_rfft(weft_reshape(x, lines, 2), 1, WEFT_FFT_NORM_BACKWARD);
}

weft_tensor *of_lines_side_by_side(weft_ctx *c, void *user)
{
    const int64_t *outer = static_cast<const int64_t *>(user), shape[] = {*outer, 22, 3, 2};
    return weft_fft(both_input(c, WEFT_F64, shape, 4, -1, 1, 5), 1, WEFT_FFT_NORM_BACKWARD);
}

TEST_F(Cufft, TakesLinesWhereTheyLie)
{
    int64_t outer = 1;
    setenv("WEFT_CUFFT_FROM", "1", 1);
    check_both("a view", of_a_view, nullptr, 1e-5, 1e-5);
    check_both("lines side by side", of_lines_side_by_side, &outer, 1e-13, 1e-13);
    outer = 2;
    check_both("lines side by side, twice", of_lines_side_by_side, &outer, 1e-13, 1e-13);
    EXPECT_GE(runs(), 6);
}

} /* namespace */
