/* test_conv.cpp - which convolutions cuDNN gets, and what happens when it will not have them. Needs WEFT_CUDNN=self, as
 * the table tests of convolutions are run once more. */
#include "fixture.h"

#include <vector>

namespace
{

class CudnnConv : public CudnnTest
{
  protected:
    weft_tensor *ones(weft_dtype dtype, int64_t a, int64_t b, int64_t c, int64_t d)
    {
        const int64_t shape[] = {a, b, c, d};
        return weft_full(ctx, dtype, shape, 4, 1);
    }
    /* The middle element of a convolution of ones with 3 x 3 taps and bias 1: products + 1. */
    double middle(weft_dtype dtype, int64_t channels, const weft_conv2d_params &params)
    {
        const int64_t groups = params.groups ? params.groups : 1, out = 4;
        weft_tensor *bias = weft_full(ctx, dtype, &out, 1, 1);
        weft_tensor *y =
            weft_conv2d(ones(dtype, 2, channels, 9, 9), ones(dtype, 4, channels / groups, 3, 3), bias, &params);
        std::vector<double> values(static_cast<size_t>(weft_count(y)));
        weft_tensor *wide = weft_cast(y, WEFT_F64);
        EXPECT_EQ(weft_read(ctx, wide, values.data(), values.size() * sizeof(double)), WEFT_OK);
        const size_t width = static_cast<size_t>(weft_size(y, 3));
        return values.at(width / 2 * width + width / 2);
    }
};

TEST_F(CudnnConv, MakesAPlanOnce)
{
    const weft_conv2d_params params = WEFT_CONV2D_DEFAULTS;
    EXPECT_EQ(middle(WEFT_F32, 5, params), 46);
    const cudnn_counts first = cudnn_count();
    EXPECT_EQ(first.runs, before.runs + 1);
    EXPECT_EQ(middle(WEFT_F32, 5, params), 46);
    EXPECT_EQ(cudnn_count().plans, first.plans);
    EXPECT_EQ(cudnn_count().runs, before.runs + 2);
    EXPECT_EQ(middle(WEFT_BF16, 5, params), 46);
    EXPECT_GT(cudnn_count().plans, first.plans);
    EXPECT_EQ(cudnn_count().runs, before.runs + 3);
}

TEST_F(CudnnConv, IsNotAskedForWhatOwnKernelsDo)
{
    weft_conv2d_params depthwise = WEFT_CONV2D_DEFAULTS;
    depthwise.groups = 4;
    const weft_conv2d_params plain = WEFT_CONV2D_DEFAULTS;
    EXPECT_EQ(middle(WEFT_F64, 5, plain), 46);
    EXPECT_EQ(middle(WEFT_F32, 4, depthwise), 10);
    EXPECT_EQ(cudnn_count().plans, before.plans);
    EXPECT_EQ(cudnn_count().runs, before.runs);
}

TEST_F(CudnnConv, RefusesOnce)
{
    weft_conv2d_params dilated = WEFT_CONV2D_DEFAULTS;
    dilated.dilation[0] = dilated.dilation[1] = 2;
    EXPECT_EQ(middle(WEFT_F32, 5, dilated), 46);
    const cudnn_counts first = cudnn_count();
    EXPECT_GT(first.refused, before.refused);
    EXPECT_EQ(middle(WEFT_F32, 5, dilated), 46);
    EXPECT_EQ(cudnn_count().refused, first.refused);
    EXPECT_EQ(cudnn_count().runs, before.runs);
}

TEST_F(CudnnConv, FailsOnce)
{
    weft_conv2d_params apart = WEFT_CONV2D_DEFAULTS;
    apart.stride[0] = apart.stride[1] = 3;
    EXPECT_EQ(middle(WEFT_F32, 5, apart), 46);
    EXPECT_EQ(middle(WEFT_F32, 5, apart), 46);
    EXPECT_EQ(cudnn_count().failed, before.failed + 1);
    EXPECT_EQ(cudnn_count().runs, before.runs);
}

/* Before the image and behind it: arrays that do not fit what a graph says of its borders are refused. */
TEST_F(CudnnConv, IsToldTheBordersOfBothSides)
{
    weft_conv2d_params bordered = WEFT_CONV2D_DEFAULTS;
    bordered.padding[0] = 1;
    bordered.padding[1] = 2;
    EXPECT_EQ(middle(WEFT_F32, 5, bordered), 46);
    EXPECT_EQ(cudnn_count().refused, before.refused);
    EXPECT_EQ(cudnn_count().runs, before.runs + 1);
}

/* All three operations; that their numbers are right is the table tests' business. */
TEST_F(CudnnConv, HasEveryWay)
{
    const int64_t kernel[] = {3, 3};
    EXPECT_NE(weft_conv2d(ones(WEFT_F16, 1, 2, 6, 6), ones(WEFT_F16, 3, 2, 3, 3), nullptr, nullptr), nullptr);
    EXPECT_NE(weft_conv2d_transpose(ones(WEFT_F16, 1, 2, 6, 6), ones(WEFT_F16, 2, 3, 3, 3), nullptr, nullptr), nullptr);
    EXPECT_NE(weft_conv2d_weight(ones(WEFT_F16, 1, 2, 6, 6), ones(WEFT_F16, 1, 3, 4, 4), kernel, nullptr), nullptr);
    EXPECT_EQ(cudnn_count().runs, before.runs + 3);
}

} /* namespace */
