/* test_linear.cpp - linear layers with an activation, and their gradients, by cuBLASLt (the stand-in): which epilogue
 * each gets, what is done where there is none, and failing calls. */
#include <cmath>
#include <cstdio>
#include <unistd.h>
#include "products.h"

namespace
{

class Linear : public Products
{
};
FOR_ALL_STREAMS(Linear);

const weft_activation activations[] = {WEFT_ACTIVATION_NONE, WEFT_ACTIVATION_RELU, WEFT_ACTIVATION_GELU_TANH};
const weft_dtype dtypes[] = {WEFT_F32, WEFT_F64, WEFT_F16, WEFT_BF16};

/* x [m, k], w [n, k], b [n]; scale keeps sums where GELU is curved. */
struct layer {
    weft_tensor *x, *w, *b;
};

layer make_layer(weft_ctx *ctx, int64_t m, int64_t k, int64_t n, weft_dtype dtype, bool biased, bool learns)
{
    layer l = {weft_mul_scalar(numbers(ctx, {m, k}, 1, dtype), 0.125),
               weft_mul_scalar(numbers(ctx, {n, k}, 2, dtype), 0.125), biased ? numbers(ctx, {n}, 3, dtype) : nullptr};
    if (learns)
        for (weft_tensor *t : {l.x, l.w, l.b})
            if (t)
                weft_set_requires_grad(t, true);
    return l;
}

std::vector<double> values_of(weft_ctx *ctx, weft_tensor *t)
{
    weft_tensor *wide = t ? weft_cast(weft_detach(t), WEFT_F64) : nullptr;
    std::vector<double> values(wide ? static_cast<size_t>(weft_count(wide)) : 0);
    if (!wide || weft_read(ctx, wide, values.data(), values.size() * sizeof(double)) != WEFT_OK)
        ADD_FAILURE() << weft_ctx_message(ctx);
    return values;
}

double tolerance(weft_dtype dtype)
{
    return dtype == WEFT_F64 ? 1e-12 : dtype == WEFT_F32 ? 1e-5 : dtype == WEFT_F16 ? 4e-3 : 3e-2;
}

void expect_near(const std::vector<double> &found, const std::vector<double> &expected, double by)
{
    ASSERT_EQ(found.size(), expected.size());
    for (size_t k = 0; k < found.size(); k++)
        if (std::isnan(expected[k]))
            EXPECT_TRUE(std::isnan(found[k])) << "element " << k;
        else
            ASSERT_NEAR(found[k], expected[k], by * (1 + std::fabs(expected[k]))) << "element " << k;
}

/* The layer's result and, if it learns, its gradients, one after another. */
std::vector<double> run_layer(weft_ctx *ctx, const layer &l, weft_activation act, bool learns)
{
    weft_tensor *y = weft_linear_act(l.x, l.w, l.b, act), *g = nullptr, *in[] = {l.x, l.w, l.b}, *out[3] = {};
    std::vector<double> all = values_of(ctx, y);
    if (!learns || all.empty())
        return all;
    g = numbers(ctx, {weft_size(y, 0), weft_size(y, 1)}, 4, weft_dtype_of(y));
    const int n = l.b ? 3 : 2;
    if (weft_grad(ctx, &y, &g, 1, in, n, 0, out) != WEFT_OK)
        ADD_FAILURE() << weft_ctx_message(ctx);
    for (int k = 0; k < n; k++) {
        const std::vector<double> one = values_of(ctx, out[k]);
        all.insert(all.end(), one.begin(), one.end());
    }
    return all;
}

/* Kernels of ours that the layer takes. */
long launches_of(weft_ctx *ctx, const layer &l, weft_activation act)
{
    const long before = simt_launches();
    EXPECT_NE(weft_linear_act(l.x, l.w, l.b, act), nullptr) << weft_ctx_message(ctx);
    return simt_launches() - before;
}

/* ---- Which epilogues the library gets ---- */

TEST_P(Linear, ActivationsNeedNoKernel)
{
    Context c("cuda");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    for (weft_dtype dtype : {WEFT_F32, WEFT_F16, WEFT_BF16})
        for (weft_activation act : activations)
            for (bool biased : {false, true})
                for (bool learns : {false, true})
                    EXPECT_EQ(launches_of(c, make_layer(c, 8, 16, 24, dtype, biased, learns), act), 0)
                        << weft_dtype_name(dtype) << " " << act << biased << learns;
}

/* Double precision has no GELU, and 25 elements are no multiple of 8: the sums are kept by a product, a kernel
 * follows. */
TEST_P(Linear, WhatTheLibraryLacksTakesOneKernel)
{
    Context c("cuda");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    EXPECT_EQ(launches_of(c, make_layer(c, 8, 16, 24, WEFT_F64, true, false), WEFT_ACTIVATION_RELU), 0);
    EXPECT_EQ(launches_of(c, make_layer(c, 8, 16, 24, WEFT_F64, true, false), WEFT_ACTIVATION_GELU_TANH), 1);
    EXPECT_EQ(launches_of(c, make_layer(c, 8, 16, 25, WEFT_F32, true, true), WEFT_ACTIVATION_GELU_TANH), 1);
    EXPECT_EQ(launches_of(c, make_layer(c, 8, 16, 25, WEFT_F32, true, false), WEFT_ACTIVATION_GELU_TANH), 0);
}

/* Rows that are not aligned are left to an algorithm whose max(x, 0) forgets NaN and whose GELU has 11 bits. */
TEST_P(Linear, AnActivationThatIsNotOursIsNotTaken)
{
    Context c("cuda");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    const layer l = make_layer(c, 8, 17, 24, WEFT_F32, true, false);
    const layer odd = {weft_contiguous(weft_slice(l.x, 1, 1, 17, 1)), weft_slice(l.w, 1, 1, 17, 1), l.b};
    EXPECT_EQ(launches_of(c, odd, WEFT_ACTIVATION_NONE), 0);
    EXPECT_EQ(launches_of(c, odd, WEFT_ACTIVATION_RELU), 1);
    EXPECT_EQ(launches_of(c, odd, WEFT_ACTIVATION_GELU_TANH), 1);
    const layer half = make_layer(c, 8, 17, 24, WEFT_F16, true, false);
    const layer odd_half = {weft_contiguous(weft_slice(half.x, 1, 1, 17, 1)), weft_slice(half.w, 1, 1, 17, 1), half.b};
    EXPECT_EQ(launches_of(c, odd_half, WEFT_ACTIVATION_GELU_TANH), 0);
}

TEST_P(Linear, NanStays)
{
    Context c("cuda");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    for (weft_activation act : activations)
        for (int64_t first : {0, 1}) {
            weft_tensor *x = weft_full(c, WEFT_F32, WEFT_DIMS(3, 16), NAN);
            weft_tensor *w = weft_slice(numbers(c, {8, 17}, 2), 1, first, first + 16, 1);
            for (double value : values_of(c, weft_linear_act(x, w, nullptr, act)))
                EXPECT_TRUE(std::isnan(value)) << act << first;
        }
}

TEST_P(Linear, GradientsOfWeightAndBiasAreOneCall)
{
    Context c("cuda");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    const layer l = make_layer(c, 8, 16, 24, WEFT_F32, true, true);
    weft_set_requires_grad(l.x, false);
    weft_tensor *g = numbers(c, {8, 24}, 4), *in[] = {l.w, l.b}, *out[2] = {};
    weft_tensor *y = weft_linear(l.x, l.w, l.b);
    const long before = simt_launches();
    ASSERT_EQ(weft_grad(c, &y, &g, 1, in, 2, 0, out), WEFT_OK) << c.message();
    EXPECT_EQ(simt_launches() - before, 0);
}

/* ---- What they compute ---- */

TEST_P(Linear, AgreesWithTheCpu)
{
    Context c("cuda"), cpu("cpu");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    for (weft_dtype dtype : dtypes)
        for (weft_activation act : activations)
            for (int64_t n : {24, 25, 1})
                for (bool biased : {false, true}) {
                    SCOPED_TRACE(std::string(weft_dtype_name(dtype)) + " act " + std::to_string(act) + " n " +
                                 std::to_string(n) + (biased ? " bias" : ""));
                    const bool learns = n != 1 || biased;
                    const layer here = make_layer(c, 9, 16, n, dtype, biased, learns);
                    const layer there = make_layer(cpu, 9, 16, n, dtype, biased, learns);
                    expect_near(run_layer(c, here, act, learns), run_layer(cpu, there, act, learns), tolerance(dtype));
                }
}

TEST_P(Linear, NoTermsAndNoColumns)
{
    Context c("cuda"), cpu("cpu");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    for (weft_activation act : activations)
        for (const auto &size : {std::vector<int64_t>{3, 0, 8}, {0, 4, 8}, {3, 4, 0}}) {
            const layer here = make_layer(c, size[0], size[1], size[2], WEFT_F32, true, true);
            const layer there = make_layer(cpu, size[0], size[1], size[2], WEFT_F32, true, true);
            expect_near(run_layer(c, here, act, true), run_layer(cpu, there, act, true), 1e-5);
        }
}

TEST_P(Linear, WithoutTheLibraryTheKernelsDoIt)
{
    Library none("none");
    Context c("cuda"), cpu("cpu");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    for (weft_activation act : activations) {
        EXPECT_EQ(launches_of(c, make_layer(c, 8, 16, 24, WEFT_F32, true, true), act), 1);
        expect_near(run_layer(c, make_layer(c, 9, 16, 25, WEFT_F32, true, true), act, true),
                    run_layer(cpu, make_layer(cpu, 9, 16, 25, WEFT_F32, true, true), act, true), 1e-5);
    }
}

/* A trial comes with the plan, not with the product. */
TEST_P(Linear, PlansAreTriedOnce)
{
    Context c("cuda");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    const layer l = make_layer(c, 8, 16, 24, WEFT_F32, true, false);
    long calls[3];
    for (long &count : calls) {
        const int mark = weft_scope_push(c);
        const long before = simt_calls();
        EXPECT_NE(weft_linear_act(l.x, l.w, l.b, WEFT_ACTIVATION_RELU), nullptr) << c.message();
        count = simt_calls() - before;
        EXPECT_EQ(weft_scope_pop(c, mark), WEFT_OK);
    }
    EXPECT_GT(calls[0], calls[1]);
    EXPECT_EQ(calls[1], calls[2]);
}

/* ---- Timing ---- */

/* The stand-in is slow to keep 64 sums a row: a kernel after the product wins, and the file remembers it. */
TEST_P(Linear, ASlowEpilogueIsNotTaken)
{
    const std::string path = testing::TempDir() + "weft_linear_choices_" + std::to_string(getpid());
    std::remove(path.c_str());
    for (bool timed : {true, false}) {
        Context cpu("cpu"), c("cuda", [&](weft_options &o) {
            o.time_matmul = timed;
            o.matmul_choices = path.c_str();
        });
        ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
        const layer l = make_layer(c, 4, 8, 64, WEFT_F32, true, true);
        if (timed)
            launches_of(c, l, WEFT_ACTIVATION_GELU_TANH);
        EXPECT_EQ(launches_of(c, l, WEFT_ACTIVATION_GELU_TANH), 1) << timed;
        expect_near(run_layer(c, l, WEFT_ACTIVATION_GELU_TANH, true),
                    run_layer(cpu, make_layer(cpu, 4, 8, 64, WEFT_F32, true, true), WEFT_ACTIVATION_GELU_TANH, true),
                    1e-5);
        for (weft_activation act : activations)
            expect_near(run_layer(c, make_layer(c, 9, 16, 24, WEFT_F32, true, false), act, false),
                        run_layer(cpu, make_layer(cpu, 9, 16, 24, WEFT_F32, true, false), act, false), 1e-5);
        EXPECT_TRUE(timed || weft_ctx_status(c) == WEFT_OK) << c.message();
    }
    std::remove(path.c_str());
}

/* ---- Failing calls ---- */

/* Columns and activation of layers. */
using Layers = std::vector<std::pair<int, weft_activation>>;

/* Every epilogue once, and one that the library lacks. */
const Layers each_epilogue = {
    {8, WEFT_ACTIVATION_RELU}, {8, WEFT_ACTIVATION_GELU_TANH}, {9, WEFT_ACTIVATION_GELU_TANH}};

std::vector<double> work(weft_ctx *ctx, const Layers &layers)
{
    std::vector<double> all;
    const int mark = weft_scope_push(ctx);
    for (const auto &[n, act] : layers) {
        const layer l = make_layer(ctx, 4, 8, n, WEFT_F32, n == 8, true);
        weft_tensor *y = weft_linear_act(weft_detach(l.x), l.w, l.b, act), *in[] = {l.w, l.b}, *out[2] = {};
        weft_tensor *g = y ? weft_full_like(weft_detach(y), 1) : nullptr;
        if (!y || !g || weft_grad(ctx, &y, &g, 1, in, l.b ? 2 : 1, 0, out) != WEFT_OK)
            break;
        for (weft_tensor *t : {y, out[0], out[1]}) {
            std::vector<float> values(t ? static_cast<size_t>(weft_count(t)) : 0);
            if (t && weft_read(ctx, t, values.data(), values.size() * sizeof(float)) == WEFT_OK)
                all.insert(all.end(), values.begin(), values.end());
        }
    }
    if (weft_scope_pop(ctx, mark) != WEFT_OK)
        all.clear();
    return all;
}

/* by: what results may differ; 0 where nothing is chosen by time. */
void fail_each_call(cudaError_t error, bool forever, const Layers &layers,
                    const std::function<void(weft_options &)> &change, double by)
{
    std::vector<double> right;
    {
        Context c("cuda", change);
        right = work(c, layers);
        ASSERT_FALSE(right.empty()) << c.message();
    }
    for (long nth = 1;; nth++) {
        SCOPED_TRACE("failing call " + std::to_string(nth));
        simt_fail_call(nth, forever, error);
        {
            Context c("cuda", change);
            const std::vector<double> found = c.open_status() == WEFT_OK ? work(c, layers) : std::vector<double>();
            const std::string call = simt_failed_call() ? simt_failed_call() : "";
            const weft_status status = c.open_status() == WEFT_OK ? weft_ctx_status(c) : c.open_status();
            if (status == WEFT_OK) {
                expect_near(found, right, by);
            } else {
                EXPECT_NE(call, "") << c.log();
                EXPECT_TRUE(status == WEFT_E_DEVICE || status == WEFT_E_NOMEM) << c.log();
            }
            simt_fail_call(0, 0, cudaSuccess);
            if (c.open_status() == WEFT_OK) {
                weft_ctx_clear(c);
                expect_near(work(c, layers), right, by);
            }
            if (call.empty())
                return;
        }
        (void)cudaGetLastError();
        expect_nothing_held();
        if (testing::Test::HasFailure())
            return;
    }
}

TEST_P(Linear, EachCallFailsOnce)
{
    fail_each_call(cudaErrorUnknown, false, each_epilogue, {}, 0);
}

TEST_P(Linear, EachCallIsOutOfMemoryOnce)
{
    fail_each_call(cudaErrorMemoryAllocation, false, each_epilogue, {}, 0);
}

TEST_P(Linear, EachCallFailsFromThenOn)
{
    fail_each_call(cudaErrorUnknown, true, each_epilogue, {}, 0);
}

TEST_P(Linear, EachCallOfTimedChoiceFails)
{
    fail_each_call(
        cudaErrorUnknown, false, {{8, WEFT_ACTIVATION_GELU_TANH}}, [](weft_options &o) { o.time_matmul = true; }, 1e-5);
}

} /* namespace */
