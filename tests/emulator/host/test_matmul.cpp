/* test_matmul.cpp - matrix products by cuBLASLt (the stand-in): which of them it gets, its plans, failing calls, and
 * the file of choices. */
#include "products.h"
#include <cmath>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <unistd.h>

namespace
{

class Matmul : public Products
{
};
FOR_ALL_STREAMS(Matmul);

/* Kernels launched by what make queues, beside those of its operands. */
long launches_of(weft_ctx *ctx, weft_tensor *a, weft_tensor *b)
{
    const long before = simt_launches();
    EXPECT_NE(weft_matmul(a, b), nullptr) << weft_ctx_message(ctx);
    return simt_launches() - before;
}

/* Calls of CUDA and cuBLASLt that a product takes when its plan and its output's memory are there. */
long calls_of_known(weft_ctx *ctx, weft_tensor *a, weft_tensor *b)
{
    long calls = 0;
    for (int round = 0; round < 2; round++) {
        const int mark = weft_scope_push(ctx);
        const long before = simt_calls();
        EXPECT_NE(weft_matmul(a, b), nullptr) << weft_ctx_message(ctx);
        calls = simt_calls() - before;
        EXPECT_EQ(weft_scope_pop(ctx, mark), WEFT_OK);
    }
    return calls;
}

/* ---- Which products go to the library, and how ---- */

TEST_P(Matmul, TransposesNeedNoKernel)
{
    Context c("cuda");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    for (weft_dtype dtype : {WEFT_F32, WEFT_F64, WEFT_F16, WEFT_BF16}) {
        weft_tensor *a = numbers(c, {9, 6}, 1, dtype), *b = numbers(c, {6, 7}, 2, dtype);
        weft_tensor *at = weft_transpose(numbers(c, {6, 9}, 3, dtype), 0, 1);
        weft_tensor *bt = weft_transpose(numbers(c, {7, 6}, 4, dtype), 0, 1);
        for (weft_tensor *left : {a, at})
            for (weft_tensor *right : {b, bt})
                EXPECT_EQ(launches_of(c, left, right), 0) << weft_dtype_name(dtype);
    }
}

TEST_P(Matmul, PartsOfLargerMatricesNeedNoKernel)
{
    Context c("cuda");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    weft_tensor *large = numbers(c, {20, 30}, 1);
    weft_tensor *a = weft_slice(weft_slice(large, 0, 3, 12, 1), 1, 1, 9, 1); /* [9, 8], rows 30 apart */
    EXPECT_EQ(launches_of(c, a, numbers(c, {8, 5}, 2)), 0);
    EXPECT_EQ(launches_of(c, weft_transpose(a, 0, 1), numbers(c, {9, 5}, 2)), 0);
}

TEST_P(Matmul, BatchesOneStrideReachesAreOneCall)
{
    Context c("cuda");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    weft_tensor *a = numbers(c, {4, 3, 5, 6}, 1), *b = numbers(c, {4, 3, 6, 2}, 2);
    const long one = calls_of_known(c, a, b);
    const struct {
        weft_tensor *a, *b;
        long calls;
    } products[] = {
        {a, numbers(c, {6, 2}, 3), 1}, /* one product with 60 rows */
        {numbers(c, {5, 6}, 4), b, 1}, /* stride 0 */
        {weft_transpose(a, 0, 1), numbers(c, {6, 2}, 5), 3},
        {numbers(c, {4, 1, 5, 6}, 6), numbers(c, {3, 6, 2}, 7), 3},
        {weft_transpose(a, 0, 1), numbers(c, {3, 4, 6, 2}, 8), 3},
    };
    for (const auto &p : products)
        EXPECT_EQ(calls_of_known(c, p.a, p.b), one + p.calls - 1);
}

TEST_P(Matmul, AgreesWithTheCpuExactly)
{
    Context c("cuda");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    const std::function<weft_tensor *(weft_ctx *)> products[] = {
        [](weft_ctx *x) {
            return weft_matmul(numbers(x, {5, 6}, 1), numbers(x, {6, 7}, 2));
        },
        [](weft_ctx *x) {
            return weft_linear(numbers(x, {4, 5, 6}, 1), numbers(x, {7, 6}, 2), numbers(x, {7}, 3));
        },
        [](weft_ctx *x) {
            return weft_linear(numbers(x, {5, 6}, 1), weft_transpose(numbers(x, {6, 7}, 2), 0, 1), NULL);
        },
        [](weft_ctx *x) {
            return weft_linear(numbers(x, {6}, 1), numbers(x, {1, 6}, 2), numbers(x, {1}, 3));
        },
        [](weft_ctx *x) { /* no dense dim: both are copied */
                          return weft_matmul(weft_slice(numbers(x, {5, 12}, 1), 1, 0, 12, 2),
                                             weft_slice(numbers(x, {6, 14}, 2), 1, 0, 14, 2));
        },
        [](weft_ctx
               *x) { /* a row of a that is broadcast */
                     return weft_matmul(weft_expand(numbers(x, {1, 6}, 1), WEFT_DIMS(5, 6)), numbers(x, {6, 7}, 2));
        },
        [](weft_ctx *x) { /* 40 outer batches, irregular in a and broadcast in b */
                          return weft_matmul(weft_transpose(numbers(x, {50, 40, 2, 3}, 1), 0, 1),
                                             numbers(x, {40, 1, 3, 2}, 2));
        },
        [](weft_ctx
               *x) { /* three calls, each along the second batch dim; then along the first */
                     return weft_matmul(weft_transpose(numbers(x, {4, 3, 5, 6}, 1), 0, 1), numbers(x, {3, 4, 6, 2}, 2));
        },
        [](weft_ctx *x) {
            return weft_matmul(weft_transpose(numbers(x, {3, 4, 5, 6}, 1), 0, 1), numbers(x, {4, 3, 6, 2}, 2));
        },
        [](weft_ctx *x) {
            return weft_matmul(numbers(x, {3, 0}, 1), numbers(x, {0, 4}, 2));
        },
        [](weft_ctx *x) {
            return weft_linear(numbers(x, {3, 0}, 1), numbers(x, {4, 0}, 2), numbers(x, {4}, 3));
        },
        [](weft_ctx *x) {
            return weft_matmul(numbers(x, {0, 3}, 1), numbers(x, {3, 4}, 2));
        },
    };
    for (size_t k = 0; k < sizeof products / sizeof *products; k++) {
        SCOPED_TRACE(k);
        expect_same_on_cpu(c, products[k]);
    }
}

/* An algorithm for aligned matrices must not be run on others of the same shape. */
TEST_P(Matmul, AlignmentIsPartOfThePlan)
{
    Context c("cuda");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    weft_tensor *large = numbers(c, {8, 12}, 1), *b = numbers(c, {8, 5}, 2);
    EXPECT_NE(weft_matmul(weft_slice(large, 1, 0, 8, 1), b), nullptr) << c.message();
    EXPECT_NE(weft_matmul(weft_slice(large, 1, 1, 9, 1), b), nullptr) << c.message();
}

TEST_P(Matmul, ManyShapesEmptyTheTable)
{
    Context c("cuda");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    const int64_t shape[] = {70, 70};
    weft_tensor *a = numbers(c, {70, 70}, 1);
    for (int64_t m = 1; m <= shape[0]; m++)
        for (int64_t n = 1; n <= shape[1]; n++) {
            const int mark = weft_scope_push(c);
            ASSERT_NE(weft_matmul(weft_slice(weft_slice(a, 0, 0, m, 1), 1, 0, 1, 1),
                                  weft_slice(weft_slice(a, 0, 0, 1, 1), 1, 0, n, 1)),
                      nullptr)
                << c.message();
            ASSERT_EQ(weft_scope_pop(c, mark), WEFT_OK);
        }
    expect_same_on_cpu(c, [](weft_ctx *x) { return weft_matmul(numbers(x, {5, 6}, 1), numbers(x, {6, 7}, 2)); });
}

/* The plan is found again: no heuristic, no other call than the product's own. */
TEST_P(Matmul, PlansAreKept)
{
    Context c("cuda");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    weft_tensor *a = numbers(c, {5, 6}, 1), *b = numbers(c, {6, 7}, 2);
    ASSERT_NE(weft_matmul(a, b), nullptr) << c.message();
    ASSERT_NE(weft_matmul(a, b), nullptr) << c.message();
    bool asked = false, multiplied = false;
    for (long nth = 1; nth < 20; nth++) { /* every call of a second product, named by failing it */
        weft_memory_trim(c);              /* its result's block is no longer cached, so that the calls are the same */
        simt_fail_call(nth, 0, cudaErrorUnknown);
        weft_matmul(a, b);
        const std::string call = simt_failed_call() ? simt_failed_call() : "";
        simt_fail_call(0, 0, cudaSuccess);
        weft_ctx_clear(c);
        asked |= call == "cublasLtMatmulAlgoGetHeuristic";
        multiplied |= call == "cublasLtMatmul";
    }
    EXPECT_FALSE(asked);
    EXPECT_TRUE(multiplied);
}

TEST_P(Matmul, Tf32IsAnOption)
{
    const auto product = [](weft_ctx *ctx) {
        std::vector<float> values(36);
        for (size_t k = 0; k < values.size(); k++)
            values[k] = 1.0f + static_cast<float>(k) * 0.001234567f;
        weft_tensor *x = weft_from_data(ctx, WEFT_F32, WEFT_DIMS(6, 6), values.data());
        return bytes_of(ctx, weft_matmul(x, x));
    };
    Context exact("cuda"), rounded("cuda", [](weft_options &o) { o.allow_tf32 = true; });
    ASSERT_EQ(rounded.open_status(), WEFT_OK) << rounded.log();
    EXPECT_NE(product(exact), product(rounded));
}

TEST_P(Matmul, WithoutTheLibraryTheKernelsDoIt)
{
    for (const char *where : {"none", "/nowhere/libcublasLt.so", "libm.so.6"}) {
        Library library(where);
        Context c("cuda");
        ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
        EXPECT_EQ(launches_of(c, numbers(c, {5, 6}, 1), numbers(c, {6, 7}, 2)), 1) << where;
        expect_same_on_cpu(c, [](weft_ctx *x) { return weft_matmul(numbers(x, {5, 6}, 1), numbers(x, {6, 7}, 2)); });
    }
}

/* ---- Failing calls ---- */

/* Two products, one with a bias, one that copies an operand. The sum of their elements, or NaN. */
double work(weft_ctx *ctx)
{
    const int mark = weft_scope_push(ctx);
    weft_tensor *a = numbers(ctx, {5, 6}, 1);
    weft_tensor *y = weft_linear(a, numbers(ctx, {7, 6}, 2), numbers(ctx, {7}, 3));
    weft_tensor *z = weft_matmul(weft_slice(numbers(ctx, {5, 12}, 4), 1, 0, 12, 2), numbers(ctx, {6, 7}, 5));
    double sum = 0;
    for (weft_tensor *t : {y, z}) {
        float values[35];
        if (weft_read(ctx, t, values, sizeof values) == WEFT_OK)
            for (float value : values)
                sum += static_cast<double>(value) * (t == y ? 1 : 3);
    }
    return weft_scope_pop(ctx, mark) == WEFT_OK ? sum : NAN;
}

double right_sum()
{
    Context cpu("cpu");
    return work(cpu);
}

void fail_each_call(cudaError_t error, bool forever, const std::function<void(weft_options &)> &change)
{
    const double right = right_sum();
    long blas_calls = 0;
    for (long nth = 1;; nth++) {
        simt_fail_call(nth, forever, error);
        {
            Context c("cuda", change);
            const double sum = c.open_status() == WEFT_OK ? work(c) : NAN;
            const std::string call = simt_failed_call() ? simt_failed_call() : "";
            blas_calls += call.compare(0, 8, "cublasLt") == 0;
            const weft_status status = c.open_status() == WEFT_OK ? weft_ctx_status(c) : c.open_status();
            if (status == WEFT_OK) {
                EXPECT_EQ(sum, right) << "failing call " << nth << " " << call;
            } else {
                EXPECT_NE(call, "") << c.log();
                EXPECT_TRUE(status == WEFT_E_DEVICE || status == WEFT_E_NOMEM) << c.log();
            }
            simt_fail_call(0, 0, cudaSuccess);
            if (c.open_status() == WEFT_OK) {
                weft_ctx_clear(c);
                EXPECT_EQ(work(c), right) << "after failing call " << nth << " " << call << ": " << c.message();
            }
            if (call.empty()) {
                EXPECT_GT(blas_calls, 4);
                return;
            }
        }
        (void)cudaGetLastError();
        expect_nothing_held();
        if (testing::Test::HasFailure())
            return;
    }
}

TEST_P(Matmul, EachCallFailsOnce)
{
    fail_each_call(cudaErrorUnknown, false, {});
    fail_each_call(cudaErrorMemoryAllocation, false, {});
}

TEST_P(Matmul, EachCallFailsFromThenOn)
{
    fail_each_call(cudaErrorUnknown, true, {});
}

TEST_P(Matmul, EachCallOfTimedChoiceFails)
{
    fail_each_call(cudaErrorUnknown, false, [](weft_options &o) { o.time_matmul = true; });
}

TEST_P(Matmul, AFailureNamesTheCallAndTheRemedy)
{
    Context c("cuda");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    weft_tensor *a = numbers(c, {5, 6}, 1), *b = numbers(c, {6, 7}, 2);
    bool met = false;
    for (long nth = 1; nth < 10 && !met; nth++) {
        weft_memory_trim(c);
        simt_fail_call(nth, 0, cudaErrorUnknown);
        weft_matmul(a, b);
        met = simt_failed_call() && std::string(simt_failed_call()) == "cublasLtCreate";
        simt_fail_call(0, 0, cudaSuccess);
        if (met) {
            EXPECT_NE(c.message().find("weft_matmul: cuBLASLt: cublasLtCreate gives CUBLAS_STATUS_"), std::string::npos)
                << c.message();
            EXPECT_NE(c.message().find("WEFT_CUBLASLT=none"), std::string::npos) << c.message();
        }
        weft_ctx_clear(c);
    }
    EXPECT_TRUE(met);
}

/* The work space is scratch memory of each product: one that cannot have it takes nothing from the others. */
TEST_P(Matmul, NoDeviceMemoryForTheWorkSpace)
{
    Context c("cuda");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    /* An odd start allows only the algorithm of 16 KiB; the others take that of 64 KiB. */
    weft_tensor *a = weft_slice(numbers(c, {5, 7}, 1), 1, 1, 7, 1), *b = numbers(c, {6, 7}, 2);
    weft_tensor *large = numbers(c, {8, 8}, 1), *other = numbers(c, {8, 8}, 2);
    EXPECT_NE(weft_matmul(a, b), nullptr) << c.message();
    weft_memory_trim(c);
    simt_set_memory_limit(simt_device_bytes() + (24 << 10));
    EXPECT_EQ(weft_matmul(large, other), nullptr);
    EXPECT_EQ(weft_ctx_status(c), WEFT_E_NOMEM) << c.message();
    EXPECT_NE(c.message().find("work space"), std::string::npos) << c.message();
    weft_ctx_clear(c);
    EXPECT_NE(weft_matmul(a, b), nullptr) << c.message();
    simt_set_memory_limit(size_t{1} << 32);
    EXPECT_NE(weft_matmul(large, other), nullptr) << c.message();
}

/* ---- The file of choices ---- */

class Choices : public Matmul
{
  protected:
    void SetUp() override
    {
        Matmul::SetUp();
        path = testing::TempDir() + "weft_choices_" + std::to_string(getpid());
        std::remove(path.c_str());
    }
    void TearDown() override
    {
        std::remove(path.c_str());
        Matmul::TearDown();
    }

    /* The status of work in a context with the file. */
    weft_status run(bool timed)
    {
        Context c("cuda", [&](weft_options &o) {
            o.time_matmul = timed;
            o.matmul_choices = path.c_str();
        });
        EXPECT_EQ(c.open_status(), WEFT_OK) << c.log();
        const double sum = work(c);
        message = c.message();
        if (weft_ctx_status(c) == WEFT_OK) {
            EXPECT_EQ(sum, right_sum());
        }
        return weft_ctx_status(c);
    }
    std::string text() const
    {
        std::ifstream file(path);
        std::ostringstream all;
        all << file.rdbuf();
        return all.str();
    }
    void write(const std::string &all) const
    {
        std::ofstream(path) << all;
    }
    static long lines(const std::string &all)
    {
        return std::count(all.begin(), all.end(), '\n');
    }

    std::string path, message;
};
FOR_ALL_STREAMS(Choices);

TEST_P(Choices, AreSavedAndTaken)
{
    ASSERT_EQ(run(true), WEFT_OK) << message;
    const std::string saved = text();
    EXPECT_EQ(lines(saved), 2 + 2) << saved;
    ASSERT_EQ(run(true), WEFT_OK) << message;
    EXPECT_EQ(text(), saved) << "nothing is timed again";
    ASSERT_EQ(run(false), WEFT_OK) << message;
    EXPECT_EQ(text(), saved);
}

TEST_P(Choices, WithoutTimingTheFileMustBeThere)
{
    EXPECT_EQ(run(false), WEFT_E_IO);
    EXPECT_NE(message.find(path), std::string::npos) << message;
    path = "/nowhere/choices";
    EXPECT_EQ(run(true), WEFT_E_IO);
    EXPECT_NE(message.find("/nowhere/choices"), std::string::npos) << message;
}

/* Each character changed, one at a time: an error or the same results, and with timing the file stays as it is. */
TEST_P(Choices, DamageIsFound)
{
    ASSERT_EQ(run(true), WEFT_OK) << message;
    const std::string saved = text();
    const size_t body = saved.find('\n', saved.find('\n') + 1) + 1;
    for (size_t at = body; at + 1 < saved.size(); at += 13) {
        std::string damaged = saved;
        damaged[at] = damaged[at] == '7' ? '3' : '7';
        write(damaged);
        EXPECT_EQ(run(true), WEFT_E_IO) << "character " << at;
        EXPECT_NE(message.find("damaged in line"), std::string::npos) << message;
        EXPECT_EQ(text(), damaged);
    }
    write(saved.substr(0, saved.size() - 10));
    EXPECT_EQ(run(false), WEFT_E_IO);
    EXPECT_NE(message.find("damaged in line 4"), std::string::npos) << message;
    write("something else entirely\n");
    EXPECT_EQ(run(true), WEFT_E_IO);
    EXPECT_EQ(text(), "something else entirely\n") << "no file of the user's is overwritten";
    write("");
    EXPECT_EQ(run(true), WEFT_E_IO);
}

TEST_P(Choices, OfAnotherGpuAreMadeAnewOrRefused)
{
    ASSERT_EQ(run(true), WEFT_OK) << message;
    const std::string saved = text();
    std::string other = saved;
    other.replace(other.find("capability 9.0"), 14, "capability 8.0");
    write(other);
    EXPECT_EQ(run(false), WEFT_E_IO);
    EXPECT_NE(message.find("compute capability 8.0"), std::string::npos) << message;
    EXPECT_NE(message.find("time_matmul"), std::string::npos) << message;
    EXPECT_EQ(text(), other);
    ASSERT_EQ(run(true), WEFT_OK) << message;
    EXPECT_EQ(lines(text()), 4);
    EXPECT_EQ(text().find("capability 8.0"), std::string::npos);
}

} /* namespace */
