/* test_boost.c - special functions against the reference tables of Boost.Math that SciPy's tests have (boost.npz): in
 * f32 at the arguments that it holds, and in f64. They are not part of this repository: WEFT_SHARED_DATA names the
 * directory that holds npy/scipy/boost.npz (default: ../shared/data beside the sources). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/weft_test.h"
#include "io/inflate.h"
#include "samples/layout.h"

enum { MOST_ULPS_F32 = 4 };

typedef struct set {
    const char *entry;
    int x, y; /* columns */
    const char *name;
    weft_tensor *(*function)(weft_tensor *x);
    double relative, absolute; /* what f64 may be off: the tables have 16 digits, and a root none of its own */
} set;

#define OF(f) #f, (weft_##f)

/* clang-format off: a line a set */
static const set sets[] = {
    {"erf_data_ipp-erf_data", 0, 1, OF(erf), 4e-15, 0},
    {"erf_data_ipp-erf_data", 0, 2, OF(erfc), 4e-15, 1e-290},
    {"erf_small_data_ipp-erf_small_data", 0, 1, OF(erf), 4e-15, 0},
    {"erf_small_data_ipp-erf_small_data", 0, 2, OF(erfc), 4e-15, 0},
    {"erf_large_data_ipp-erf_large_data", 0, 1, OF(erf), 4e-15, 0},
    {"erf_large_data_ipp-erf_large_data", 0, 2, OF(erfc), 4e-15, 1e-290},
    {"erf_inv_data_ipp-erf_inv_data", 0, 1, OF(erfinv), 4e-15, 0},
    {"test_gamma_data_ipp-factorials", 0, 2, OF(lgamma), 4e-15, 0},
    {"test_gamma_data_ipp-near_0", 0, 2, OF(lgamma), 4e-15, 0},
    {"test_gamma_data_ipp-near_1", 0, 2, OF(lgamma), 4e-15, 1e-16},
    {"test_gamma_data_ipp-near_2", 0, 2, OF(lgamma), 4e-15, 1e-16},
    {"test_gamma_data_ipp-near_m10", 0, 2, OF(lgamma), 4e-15, 1e-14},
    {"test_gamma_data_ipp-near_m55", 0, 2, OF(lgamma), 4e-15, 1e-13},
    {"digamma_data_ipp-digamma_data", 0, 1, OF(digamma), 4e-15, 0},
    {"digamma_small_data_ipp-digamma_small_data", 0, 1, OF(digamma), 4e-15, 0},
    {"digamma_root_data_ipp-digamma_root_data", 0, 1, OF(digamma), 4e-15, 1e-15},
    {"digamma_neg_data_ipp-digamma_neg_data", 0, 1, OF(digamma), 1e-13, 1e-13},
    {"cbrt_data_ipp-cbrt_data", 1, 0, OF(cbrt), 4e-15, 0},
    {"log1p_expm1_data_ipp-log1p_expm1_data", 0, 1, OF(log1p), 4e-15, 0},
    {"log1p_expm1_data_ipp-log1p_expm1_data", 0, 2, OF(expm1), 4e-15, 0},
};
/* clang-format on */
enum { N_SETS = sizeof sets / sizeof sets[0] };

/* In units of the last place of f32 at want. */
static double ulps(double got, double want)
{
    int exponent;
    if ((float)got == (float)want)
        return 0;
    frexp(want, &exponent);
    return fabs(got - want) / ldexp(1, (exponent < -125 ? -125 : exponent) - 24);
}

/* The worst error of a set at dtype; count: how many values. */
static double worst_of(weft_ctx *ctx, const set *s, weft_tensor *table, weft_dtype dtype, int64_t *count)
{
    const int64_t n = weft_shape(table)[0], columns = weft_shape(table)[1];
    double *all = malloc(sizeof *all * (size_t)(n * columns)), *x = malloc(sizeof *x * (size_t)n),
           *want = malloc(sizeof *want * (size_t)n), *got = malloc(sizeof *got * (size_t)n), worst = 0;
    WEFT_CHECK_OK(weft_read(ctx, table, all, sizeof *all * (size_t)(n * columns)));
    int64_t m = 0;
    for (int64_t k = 0; k < n; k++) {
        const double at = all[k * columns + s->x], value = all[k * columns + s->y];
        const bool held = dtype == WEFT_F64 || ((double)(float)at == at && fabs(value) < 3e38);
        if (!held)
            continue;
        x[m] = at;
        want[m++] = value;
    }
    weft_tensor *y = s->function(weft_cast(weft_from_data(ctx, WEFT_F64, &m, 1, x), dtype));
    WEFT_CHECK_OK(weft_read(ctx, weft_cast(y, WEFT_F64), got, sizeof *got * (size_t)m));
    for (int64_t k = 0; k < m; k++) {
        const double allowed = s->relative * fabs(want[k]) + s->absolute;
        const double error = dtype == WEFT_F32   ? ulps(got[k], want[k]) / MOST_ULPS_F32
                             : got[k] == want[k] ? 0
                                                 : fabs(got[k] - want[k]) / allowed;
        if (!(error <= 1) && weft_test_failures() < 8)
            WEFT_FAIL("%s(%.17g) in %s is %.17g, not %.17g: %.2f of what is allowed", s->name, x[k],
                      weft_dtype_name(dtype), got[k], want[k], error);
        worst = error > worst || error != error ? error : worst;
    }
    *count = m;
    free(all);
    free(x);
    free(want);
    free(got);
    return worst;
}

static void compare(weft_ctx *ctx, const set *s, const char *path)
{
    weft_named_tensor *all = NULL;
    int n = 0;
    int64_t single = 0, wide = 0;
    const int mark = weft_scope_push(ctx);
    if (weft_load_npz(ctx, path, &all, &n) != WEFT_OK) {
        WEFT_FAIL("%s", weft_ctx_message(ctx));
        weft_ctx_clear(ctx);
    }
    weft_tensor *table = weft_named(all, n, s->entry);
    if (table) {
        const double error = worst_of(ctx, s, table, WEFT_F32, &single);
        worst_of(ctx, s, table, WEFT_F64, &wide);
        weft_test_property("worst_milliulp", isfinite(error) ? (int64_t)(error * MOST_ULPS_F32 * 1000) : -1);
        weft_test_property("values", single + wide);
    }
    WEFT_CHECK(wide > 20);
    weft_named_free(ctx, all, n);
    WEFT_CHECK_OK(weft_scope_pop(ctx, mark));
}

static void run_set(void *user)
{
    const char *shared = getenv("WEFT_SHARED_DATA");
    char path[1300];
    snprintf(path, sizeof path, "%s%s/npy/scipy/boost.npz", shared ? shared : gold_source_dir(),
             shared ? "" : "/../shared/data");
    FILE *file = fopen(path, "rb");
    if (!file)
        WEFT_SKIP("SciPy's reference tables are not here: WEFT_SHARED_DATA may name their directory");
    fclose(file);
    if (!weft__inflate_here())
        WEFT_SKIP("zlib is not here, and the tables are compressed");
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    compare(ctx, user, path);
    test_ctx_close(ctx, &memory);
}

WEFT_TEST_INIT(boost)
{
    for (int k = 0; k < N_SETS; k++) {
        char name[96];
        snprintf(name, sizeof name, "%s/%s", sets[k].name, sets[k].entry);
        weft_test_add("Boost", name, run_set, (void *)(uintptr_t)&sets[k], __FILE__, __LINE__);
    }
}
