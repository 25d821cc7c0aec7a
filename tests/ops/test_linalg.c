/* test_linalg.c - linear algebra on the device under test and on the CPU, at sizes beyond the golden records. */
#include <stdio.h>
#include "device/both.h"
#include "harness/weft_test.h"

typedef struct problem {
    int64_t batch, m, n;
    weft_dtype dtype;
} problem;

static void all_solutions(weft_ctx *c, void *user, weft_tensor **y)
{
    const problem *p = user;
    weft_tensor *x = both_input(c, p->dtype, (const int64_t[]){p->batch, p->n, p->n}, 3, -1, 1, 6);
    weft_tensor *b = both_input(c, p->dtype, (const int64_t[]){p->n, 5}, 2, -1, 1, 7);
    weft_tensor *strong = weft_add(x, weft_mul_scalar(weft_eye(c, p->dtype, p->n, p->n), (double)p->n));
    y[0] = weft_solve(strong, b);
    y[1] = weft_cholesky(strong);
    y[2] = weft_det(weft_mul_scalar(x, 0.5));
    y[3] = weft_triangular_solve(strong, b, WEFT_TRIANGULAR_SOLVE_UPPER);
}

static void all_factors(weft_ctx *c, void *user, weft_tensor **y)
{
    const problem *p = user;
    weft_tensor *x = both_input(c, p->dtype, (const int64_t[]){p->batch, p->m, p->n}, 3, -1, 1, 8);
    (void)weft_svd(x, &y[0], &y[1], &y[2]);
    (void)weft_qr(x, &y[3], NULL);
}

WEFT_TEST(DeviceLinalg, GivesWhatTheCpuGives)
{
    static problem problems[] = {
        {3, 6, 6, WEFT_F32}, {2, 35, 35, WEFT_F64}, {3, 7, 4, WEFT_F16}, {2, 4, 6, WEFT_BF16}, {1, 33, 5, WEFT_F32}};
    for (size_t k = 0; k < sizeof problems / sizeof *problems; k++) {
        problem *p = &problems[k];
        const double most = p->dtype == WEFT_F64 ? 1e-11 : p->dtype == WEFT_F32 ? 1e-6 : 8e-3;
        char what[64];
        snprintf(what, sizeof what, "%s [%lld, %lld]", weft_dtype_name(p->dtype), (long long)p->m, (long long)p->n);
        check_both_all(what, all_factors, p, 4, most, most);
        if (p->m == p->n)
            check_both_all(what, all_solutions, p, 4, most, most);
    }
}
