/* test_solver.cpp - which matrices cuSOLVER gets, and what happens when it will not have them. Needs
 * WEFT_CUSOLVER=self, as the table tests of linear algebra are run once more, then with matrices of any size. */
#include "cusolver.h"

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

struct Problem {
    int64_t batch, m, n;
    weft_dtype dtype;
};

weft_tensor *input(weft_ctx *c, const Problem &p, int64_t m, int64_t n, double most = 1)
{
    const int64_t shape[] = {p.batch, m, n};
    return both_input(c, p.dtype, shape, 3, -most, most, 8);
}

void all_factors(weft_ctx *c, void *user, weft_tensor **y)
{
    const Problem &p = *static_cast<const Problem *>(user);
    weft_tensor *x = input(c, p, p.m, p.n);
    weft_svd(x, &y[0], &y[1], &y[2]);
    y[3] = weft_pinv(x, 0.1);
}

void all_triangles(weft_ctx *c, void *user, weft_tensor **y)
{
    const Problem &p = *static_cast<const Problem *>(user);
    weft_qr(input(c, p, p.m, p.n), &y[0], &y[1]);
    weft_tensor *x = weft_transpose(input(c, p, p.n, p.n), 1, 2);
    weft_eigh(x, &y[2], &y[3]);
}

void all_solutions(weft_ctx *c, void *user, weft_tensor **y)
{
    const Problem &p = *static_cast<const Problem *>(user);
    const int64_t shape[] = {p.n, p.m};
    weft_tensor *strong = weft_add(input(c, p, p.n, p.n), weft_mul_scalar(weft_eye(c, p.dtype, p.n, p.n), 1.5));
    y[0] = weft_solve(strong, both_input(c, p.dtype, shape, 2, -1, 1, 7)); /* the same sides for all */
    y[1] = weft_inverse(strong);
    y[2] = weft_cholesky(weft_add(strong, weft_mul_scalar(weft_eye(c, p.dtype, p.n, p.n), double(p.n))));
    y[3] = weft_det(strong);
}

void all_determinants(weft_ctx *c, void *user, weft_tensor **y)
{
    const Problem &p = *static_cast<const Problem *>(user);
    weft_slogdet(input(c, p, p.n, p.n), &y[0], &y[1]);
    weft_slogdet(weft_mul_scalar(input(c, p, p.n, p.n), 0), &y[2], &y[3]); /* singular is no error here */
}

/* Of the other triangle nothing counts, not even a NaN; what is infinite is left. */
void all_halves(weft_ctx *c, void *user, weft_tensor **y)
{
    const Problem &p = *static_cast<const Problem *>(user);
    const int64_t shape[] = {p.n, p.m}, one[] = {p.batch, 1, 1};
    const double factors[] = {1, 2, INFINITY};
    weft_tensor *b = both_input(c, p.dtype, shape, 2, -1, 1, 7), *x = input(c, p, p.n, p.n);
    weft_tensor *strong = weft_add(x, weft_mul_scalar(weft_eye(c, p.dtype, p.n, p.n), 3));
    weft_tensor *wild = weft_add(weft_tril(strong, 0), weft_triu(weft_log(weft_mul_scalar(x, 0)), 1));
    y[0] = weft_triangular_solve(strong, b, WEFT_TRIANGULAR_SOLVE_UPPER);
    y[1] = weft_triangular_solve(wild, weft_mul(b, weft_from_data(c, WEFT_F64, one, 3, factors)), 0);
    y[2] = weft_triangular_solve(x, b, WEFT_TRIANGULAR_SOLVE_UPPER | WEFT_TRIANGULAR_SOLVE_UNIT);
    y[3] = weft_triangular_solve(weft_mul(strong, weft_from_data(c, WEFT_F64, one, 3, factors)), b, 0);
}

/* A NaN, an infinity, sizes whose squares are none: not for cuSOLVER. */
void all_wild(weft_ctx *c, void *user, weft_tensor **y)
{
    const Problem &p = *static_cast<const Problem *>(user);
    const int64_t one[] = {p.batch, 1, 1};
    const double factors[] = {1, NAN, 1e160, INFINITY, 1e-160};
    weft_tensor *f = weft_from_data(c, WEFT_F64, one, 3, factors);
    weft_tensor *x = weft_mul(input(c, p, p.m, p.n), f);
    weft_svd(x, &y[0], &y[1], &y[2]);
    weft_qr(x, &y[3], nullptr);
}

class Cusolver : public testing::Test
{
  protected:
    void SetUp() override
    {
        const char *wish = getenv("WEFT_CUSOLVER");
        if (!wish || strcmp(wish, "self") != 0)
            GTEST_SKIP() << "the stand-in for cuSOLVER is used with WEFT_CUSOLVER=self";
        before = cusolver_count();
        setenv("WEFT_CUSOLVER_FROM", "1", 1);
    }
    void TearDown() override
    {
        close();
        cusolver_fail(0, 0);
        cusolver_give_up(false);
        cusolver_want_more(0);
        cusolver_set_version(0);
        setenv("WEFT_CUSOLVER_FROM", "1", 1);
        EXPECT_EQ(cusolver_count().live, 0);
        EXPECT_EQ(cusolver_count().misuse, before.misuse);
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
    /* The largest error of the inverses of 2 I, and how many calls cuSOLVER got. */
    long runs_of_inverse(int64_t batch, int64_t n)
    {
        const long so_far = cusolver_count().runs;
        const int mark = weft_scope_push(ctx);
        const int64_t shape[] = {batch, n, n};
        weft_tensor *x =
            weft_mul_scalar(weft_add(weft_eye(ctx, WEFT_F32, n, n), weft_zeros(ctx, WEFT_F32, shape, 3)), 2);
        weft_tensor *y = weft_inverse(x);
        std::vector<float> got(static_cast<size_t>(batch * n * n));
        EXPECT_EQ(weft_read(ctx, y, got.data(), got.size() * sizeof(float)), WEFT_OK) << weft_ctx_message(ctx);
        for (size_t i = 0; i < got.size(); i++)
            EXPECT_EQ(got[i], i % size_t(n * n) % size_t(n + 1) == 0 ? 0.5f : 0.f);
        EXPECT_EQ(weft_scope_pop(ctx, mark), WEFT_OK) << weft_ctx_message(ctx);
        return cusolver_count().runs - so_far;
    }
    void check_all(const Problem &p)
    {
        const double most = p.dtype == WEFT_F64 ? 1e-10 : p.dtype == WEFT_F32 ? 1e-5 : 8e-3;
        Problem copy = p;
        const std::string what = std::to_string(p.m) + " by " + std::to_string(p.n);
        check_both_all(what.c_str(), all_factors, &copy, 4, most, most);
        check_both_all(what.c_str(), all_triangles, &copy, 4, most, most);
        if (p.dtype == WEFT_F64 || p.dtype == WEFT_F32)
            check_both_all(what.c_str(), all_solutions, &copy, 4, most, most);
        check_both_all(what.c_str(), all_determinants, &copy, 4, most, most);
    }
    /* The message of an operation that must fail when it is waited for. */
    std::string complaint(weft_tensor *y)
    {
        std::vector<char> got(static_cast<size_t>(weft_count(y)) * 8);
        EXPECT_EQ(weft_read(ctx, y, got.data(), static_cast<size_t>(weft_count(y)) * 8), WEFT_E_INVALID);
        const std::string text = weft_ctx_message(ctx);
        weft_ctx_clear(ctx);
        return text;
    }

    weft_ctx *ctx = nullptr;
    cusolver_counts before = {};
};

TEST_F(Cusolver, GetsLargeMatricesUnlessThereAreMany)
{
    open();
    unsetenv("WEFT_CUSOLVER_FROM");
    EXPECT_EQ(runs_of_inverse(1, 63), 0);
    EXPECT_EQ(runs_of_inverse(1, 64), 2);
    EXPECT_EQ(runs_of_inverse(2, 64), 0);
    EXPECT_EQ(runs_of_inverse(4, 128), 8);
}

TEST_F(Cusolver, GivesWhatTheCpuGives)
{
    for (const Problem &p : {Problem{2, 6, 6, WEFT_F32}, Problem{2, 9, 5, WEFT_F64}, Problem{3, 4, 7, WEFT_F64},
                             Problem{1, 1, 1, WEFT_F64}, Problem{2, 5, 3, WEFT_F16}, Problem{2, 3, 5, WEFT_BF16},
                             Problem{2, 1, 4, WEFT_F32}, Problem{1, 33, 40, WEFT_F64}})
        check_all(p);
    EXPECT_GT(cusolver_count().runs, before.runs);
}

TEST_F(Cusolver, GivesUpAndOwnKernelsGoOn)
{
    cusolver_give_up(true);
    check_all({2, 6, 4, WEFT_F64});
    check_all({2, 3, 4, WEFT_F64});
    EXPECT_GT(cusolver_count().runs, before.runs);
}

TEST_F(Cusolver, FailsAndOwnKernelsGoOn)
{
    cusolver_fail(0, 7);
    check_all({2, 6, 4, WEFT_F64});
    EXPECT_GT(cusolver_count().failed, before.failed);
    cusolver_fail(7, 0);
    check_all({2, 6, 4, WEFT_F64});
    EXPECT_EQ(cusolver_count().runs, before.runs);
}

TEST_F(Cusolver, LeavesWildMatricesToOwnKernels)
{
    for (Problem p : {Problem{5, 4, 4, WEFT_F64}, Problem{5, 6, 3, WEFT_F64}, Problem{5, 3, 4, WEFT_F64}})
        check_both_all("wild matrices", all_wild, &p, 4, 1e-10, 1e-10);
    EXPECT_GT(cusolver_count().runs, before.runs);
}

TEST_F(Cusolver, SolvesTriangles)
{
    for (Problem p : {Problem{3, 2, 6, WEFT_F64}, Problem{3, 4, 1, WEFT_F64}, Problem{3, 1, 35, WEFT_F64}})
        check_both_all("triangles", all_halves, &p, 4, 1e-10, 1e-10);
    EXPECT_GT(cusolver_count().runs, before.runs);
}

TEST_F(Cusolver, NamesMatricesWithoutAResult)
{
    open();
    const double x[] = {1, 0, 0, 2, 3, 4, 6, 8, 2, 1, 1, 2}, y[] = {2, 0, 0, 2, 3, 0, 0, 3, 1, 2, 2, 1};
    const int64_t shape[] = {3, 2, 2};
    weft_tensor *a = weft_from_data(ctx, WEFT_F64, shape, 3, x), *b = weft_from_data(ctx, WEFT_F64, shape, 3, y);
    EXPECT_NE(complaint(weft_inverse(a)).find("matrix 1 is singular: pivot 1 is 0"), std::string::npos);
    a = weft_from_data(ctx, WEFT_F64, shape, 3, x);
    b = weft_from_data(ctx, WEFT_F64, shape, 3, y);
    EXPECT_NE(complaint(weft_solve(a, b)).find("matrix 1 is singular: pivot 1 is 0"), std::string::npos);
    a = weft_from_data(ctx, WEFT_F64, shape, 3, y);
    b = weft_from_data(ctx, WEFT_F64, shape, 3, x);
    a = weft_sub(a, weft_mul_scalar(weft_eye(ctx, WEFT_F64, 2, 2), 3));
    EXPECT_NE(complaint(weft_triangular_solve(a, b, 0)).find("matrix 1 is singular: pivot 0 is 0"), std::string::npos);
    b = weft_from_data(ctx, WEFT_F64, shape, 3, y);
    EXPECT_NE(complaint(weft_cholesky(b)).find("matrix 2 is not positive definite: its leading minor of order 2"),
              std::string::npos);
    EXPECT_GT(cusolver_count().runs, before.runs);
}

TEST_F(Cusolver, GivesWayWhereTheBudgetIsShort)
{
    open(256 << 10);
    cusolver_want_more(100000); /* f64 */
    EXPECT_EQ(runs_of_inverse(2, 20), 0);
    cusolver_want_more(100);
    EXPECT_EQ(runs_of_inverse(2, 20), 4);
}

TEST_F(Cusolver, OfAnotherVersionIsNotUsed)
{
    weft_device_info info = {};
    ASSERT_EQ(weft_device_info_get("cuda", 0, &info, sizeof info), WEFT_OK) << info.note;
    EXPECT_STREQ(info.libraries[5].name, "cuSOLVER");
    EXPECT_STREQ(info.libraries[5].reason, "");
    cusolver_set_version(9001);
    ASSERT_EQ(weft_device_info_get("cuda", 0, &info, sizeof info), WEFT_OK) << info.note;
    EXPECT_NE(std::string(info.libraries[5].reason).find("is version 9.0, but "), std::string::npos)
        << info.libraries[5].reason;
    open();
    EXPECT_EQ(runs_of_inverse(1, 3), 0);
}

} /* namespace */
