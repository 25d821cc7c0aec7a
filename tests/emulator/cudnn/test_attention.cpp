/* test_attention.cpp - which attention cuDNN gets, in which parts, and what happens when it will not have it. Needs
 * WEFT_CUDNN=self, as the table tests of attention are run once more. */
#include "fixture.h"

#include <cmath>
#include <vector>
#include <cuda_runtime_api.h>
#include "emulator.h"

namespace
{

struct Sizes {
    int64_t batch = 2, heads = 3, queries = 5, keys = 5, width = 16;
};

/* A context's attention of made-up numbers, dense. */
struct Attention {
    weft_ctx *ctx;
    weft_tensor *operands[3] = {}, *y = nullptr;

    Attention(weft_ctx *ctx, weft_dtype dtype, const Sizes &s, double scale, bool causal) : ctx(ctx)
    {
        const int64_t q[] = {s.batch, s.heads, s.queries, s.width}, k[] = {s.batch, s.heads, s.keys, s.width};
        for (int n = 0; n < 3; n++)
            operands[n] = waves(dtype, n == 0 ? q : k, n + 1);
        y = weft_attention(operands[0], operands[1], operands[2], scale, causal);
    }
    weft_tensor *waves(weft_dtype dtype, const int64_t *shape, int seed)
    {
        std::vector<float> values(static_cast<size_t>(shape[0] * shape[1] * shape[2] * shape[3]));
        for (size_t k = 0; k < values.size(); k++)
            values[k] = std::sin(static_cast<float>(k) * 0.37f * static_cast<float>(seed));
        weft_tensor *x = weft_cast(weft_from_data(ctx, WEFT_F32, shape, 4, values.data()), dtype);
        weft_set_requires_grad(x, true);
        return x;
    }
    std::vector<float> read(weft_tensor *x) const
    {
        std::vector<float> values(static_cast<size_t>(weft_count(x)));
        EXPECT_EQ(weft_read(ctx, weft_cast(x, WEFT_F32), values.data(), values.size() * sizeof(float)), WEFT_OK);
        return values;
    }
    /* The gradient of operand `of` where y's is y itself, and of no other. */
    std::vector<float> gradient(int of)
    {
        weft_tensor *g = weft_detach(y), *d = nullptr;
        EXPECT_EQ(weft_grad(ctx, &y, &g, 1, &operands[of], 1, 0, &d), WEFT_OK);
        return read(d);
    }
};

void expect_near(const std::vector<float> &got, const std::vector<float> &want, float tolerance)
{
    ASSERT_EQ(got.size(), want.size());
    for (size_t k = 0; k < got.size(); k++)
        ASSERT_NEAR(got[k], want[k], tolerance) << "element " << k;
}

class CudnnAttention : public CudnnTest
{
  protected:
    void SetUp() override
    {
        CudnnTest::SetUp();
        if (!IsSkipped()) {
            ASSERT_EQ(weft_ctx_open(nullptr, &cpu), WEFT_OK);
        }
    }
    void TearDown() override
    {
        if (cpu)
            weft_ctx_close(cpu);
        CudnnTest::TearDown();
    }
    /* Result and gradients on the device agree with the CPU's. */
    void check(weft_dtype dtype, const Sizes &s, double scale = WEFT_ATTENTION_SCALE, bool causal = true)
    {
        Attention device(ctx, dtype, s, scale, causal), reference(cpu, dtype, s, scale, causal);
        expect_near(device.read(device.y), reference.read(reference.y), 0.02f);
        for (int of = 0; of < 3; of++)
            expect_near(device.gradient(of), reference.gradient(of), 0.03f);
    }

    weft_ctx *cpu = nullptr;
};

TEST_F(CudnnAttention, MakesAPlanOnce)
{
    check(WEFT_BF16, {});
    EXPECT_EQ(runs(), 4);
    EXPECT_EQ(plans(), 2 * 2); /* of each the greedy engine's, and the one that is kept */
    check(WEFT_BF16, {});
    EXPECT_EQ(plans(), 2 * 2);
    EXPECT_EQ(runs(), 8);
}

TEST_F(CudnnAttention, HasEveryForm)
{
    check(WEFT_F16, {}, 0.5, false);
    check(WEFT_F16, {2, 2, 4, 9, 8}, WEFT_ATTENTION_SCALE, true); /* the last query sees all keys */
    check(WEFT_F16, {2, 2, 9, 4, 8}, WEFT_ATTENTION_SCALE, false);
    EXPECT_EQ(runs(), 3 * 4);
}

TEST_F(CudnnAttention, IsNotAskedForWhatOwnKernelsDo)
{
    check(WEFT_F32, {});
    check(WEFT_F64, {});
    check(WEFT_F16, {1, 2, 5, 3, 16}, WEFT_ATTENTION_SCALE, true); /* queries that see no key */
    check(WEFT_F16, {1, 2, 5, 5, 16}, -0.5, true);
    check(WEFT_F16, {1, 2, 5, 5, 16}, 0, true);
    check(WEFT_F16, {1, 2, 5, 5, 12}, WEFT_ATTENTION_SCALE, true);  /* rows that are not 16 bytes apart */
    check(WEFT_F16, {1, 1, 3, 3, 264}, WEFT_ATTENTION_SCALE, true); /* wide heads */
    check(WEFT_F16, {1, 2, 1, 7, 16}, WEFT_ATTENTION_SCALE, true);  /* a step of generation */
    EXPECT_EQ(plans(), 0);
    EXPECT_EQ(runs(), 0);
}

/* Heads that share keys and values: what stands still is copied first. */
TEST_F(CudnnAttention, TakesSharedKeys)
{
    const int64_t all[] = {2, 4, 6, 8}, shared[] = {2, 1, 6, 8};
    std::vector<float> values[2];
    for (weft_ctx *at : {ctx, cpu}) {
        Attention of(at, WEFT_F16, {2, 4, 6, 6, 8}, WEFT_ATTENTION_SCALE, true);
        weft_tensor *k = weft_expand(of.waves(WEFT_F16, shared, 4), all, 4);
        values[at == cpu] = of.read(weft_attention(of.operands[0], k, k, WEFT_ATTENTION_SCALE, true));
    }
    expect_near(values[0], values[1], 0.01f);
    EXPECT_EQ(runs(), 2);
    EXPECT_EQ(cudnn_count().refused, before.refused);
}

/* More of them than the table has places. */
TEST_F(CudnnAttention, KeepsPlansApart)
{
    for (int64_t keys = 2; keys < 80; keys++) {
        const Sizes s = {1, 1, 2, keys, 8};
        Attention device(ctx, WEFT_F16, s, WEFT_ATTENTION_SCALE, true),
            reference(cpu, WEFT_F16, s, WEFT_ATTENTION_SCALE, true);
        expect_near(device.read(device.y), reference.read(reference.y), 0.01f);
    }
    EXPECT_EQ(runs(), 78 - 2); /* but for the products over 24 and 40 keys */
}

TEST_F(CudnnAttention, MakesRoomForGradientsThatNobodyWants)
{
    for (int of = 0; of < 3; of++) {
        std::vector<float> values[2];
        for (weft_ctx *at : {ctx, cpu}) {
            Attention a(at, WEFT_F16, {}, WEFT_ATTENTION_SCALE, true);
            weft_tensor *in[3];
            for (int k = 0; k < 3; k++)
                in[k] = k == of ? a.operands[k] : weft_detach(a.operands[k]);
            a.y = weft_attention(in[0], in[1], in[2], WEFT_ATTENTION_SCALE, true);
            values[at == cpu] = a.gradient(of);
        }
        expect_near(values[0], values[1], 0.03f);
    }
    EXPECT_EQ(runs(), 3 * 3);
}

TEST_F(CudnnAttention, RefusesOnce)
{
    check(WEFT_F16, {2, 3, 5, 5, 24});
    const cudnn_counts first = cudnn_count();
    EXPECT_GT(first.refused, before.refused);
    check(WEFT_F16, {2, 3, 5, 5, 24});
    EXPECT_EQ(cudnn_count().refused, first.refused);
    EXPECT_EQ(runs(), 0);
}

TEST_F(CudnnAttention, FailsOnce)
{
    check(WEFT_F16, {2, 3, 5, 5, 40});
    check(WEFT_F16, {2, 3, 5, 5, 40});
    EXPECT_EQ(cudnn_count().failed, before.failed + 2); /* forward and backward */
    EXPECT_EQ(runs(), 0);
}

/* The gradients keep a matrix of scores, rounded up to 128 x 128 a head, for which the work space is limited: a few
 * heads, or items of the batch, at a time. */
TEST_F(CudnnAttention, CutsLargeGradients)
{
    for (const Sizes &s : {Sizes{90, 96, 2, 2, 8}, Sizes{1, 8192, 2, 2, 8}}) {
        const long first = runs();
        Attention device(ctx, WEFT_F16, s, WEFT_ATTENTION_SCALE, true),
            reference(cpu, WEFT_F16, s, WEFT_ATTENTION_SCALE, true);
        expect_near(device.gradient(1), reference.gradient(1), 0.03f);
        EXPECT_EQ(runs() - first, 1 + 2);
    }
}

/* Gradients on compute capability 10 go to an engine by its number, uncut; on 11 to none. */
class CudnnAttentionElsewhere : public CudnnAttention, public testing::WithParamInterface<const char *>
{
  protected:
    void SetUp() override
    {
        setenv("WEFT_SIMT_MAJOR", GetParam(), 1);
        CudnnAttention::SetUp();
    }
    void TearDown() override
    {
        CudnnAttention::TearDown();
        unsetenv("WEFT_SIMT_MAJOR");
    }
};

TEST_P(CudnnAttentionElsewhere, Runs)
{
    const bool none = strcmp(GetParam(), "7") == 0, forward = strcmp(GetParam(), "11") == 0;
    check(WEFT_F16, {});
    EXPECT_EQ(runs(), none ? 0 : forward ? 1 : 4);
    if (strcmp(GetParam(), "10") == 0) {
        EXPECT_EQ(plans(), 2 + 1);
        Attention large(ctx, WEFT_F16, {90, 96, 2, 2, 8}, WEFT_ATTENTION_SCALE, true);
        large.gradient(0);
        EXPECT_EQ(runs(), 4 + 2);
    }
}

INSTANTIATE_TEST_SUITE_P(Major, CudnnAttentionElsewhere, testing::Values("7", "8", "10", "11", "12"));

TEST_F(CudnnAttention, DoesWithoutAWorkSpace)
{
    const Sizes s = {1, 2, 8, 8, 8};
    Attention reference(cpu, WEFT_F16, s, WEFT_ATTENTION_SCALE, true), device(ctx, WEFT_F16, s, -1, true);
    const auto again = [&] {
        return weft_attention(device.operands[0], device.operands[1], device.operands[2], WEFT_ATTENTION_SCALE, true);
    };
    const int mark = weft_scope_push(ctx);
    weft_neg(device.y); /* memory for the results, that the cache then has */
    weft_neg(weft_sum(device.y, WEFT_DIMS(-1), false));
    ASSERT_EQ(weft_scope_pop(ctx, mark), WEFT_OK);
    size_t left = 0, limit = 0;
    ASSERT_EQ(cudaMemGetInfo(&left, &limit), cudaSuccess);
    simt_set_memory_limit(simt_device_bytes());
    weft_tensor *y = again();
    simt_set_memory_limit(limit);
    EXPECT_EQ(runs(), 0);
    EXPECT_GT(plans(), 0);
    expect_near(device.read(y), reference.read(reference.y), 0.01f);
    again();
    EXPECT_EQ(runs(), 1);
}

} /* namespace */
