/* fixture.h - a context on the emulated device with the stand-in for cuDNN (WEFT_CUDNN=self). */
#ifndef WEFT_TESTS_EMULATOR_CUDNN_FIXTURE_H
#define WEFT_TESTS_EMULATOR_CUDNN_FIXTURE_H

#include "cudnn.h"

#include <cstdlib>
#include <cstring>
#include <gtest/gtest.h>
#include <weft/weft.h>

class CudnnTest : public testing::Test
{
  protected:
    void SetUp() override
    {
        const char *wish = getenv("WEFT_CUDNN");
        if (!wish || strcmp(wish, "self") != 0)
            GTEST_SKIP() << "the stand-in for cuDNN is used with WEFT_CUDNN=self";
        weft_options options = WEFT_OPTIONS_DEFAULTS;
        options.device = "cuda";
        ASSERT_EQ(weft_ctx_open(&options, &ctx), WEFT_OK);
        before = cudnn_count();
    }
    void TearDown() override
    {
        if (ctx) {
            EXPECT_EQ(weft_ctx_status(ctx), WEFT_OK) << weft_ctx_message(ctx);
            weft_ctx_close(ctx);
        }
        EXPECT_EQ(cudnn_count().live, 0);
    }

    long runs() const
    {
        return cudnn_count().runs - before.runs;
    }
    long plans() const
    {
        return cudnn_count().plans - before.plans;
    }

    weft_ctx *ctx = nullptr;
    cudnn_counts before = {};
};

#endif
