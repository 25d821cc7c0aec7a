/* test_umath.c - transcendental functions at f32 arguments chosen to be hard, with results from a higher precision: the
 * sets of tests/umath, which make_umath.py made, and NumPy's validation sets where they are. Those are not part of this
 * repository: WEFT_SHARED_DATA names the directory that holds umath/ (default: ../shared/data beside the sources). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/weft_test.h"
#include "samples/compare.h"
#include "samples/layout.h"

enum { MOST_VALUES = 4096, MOST_LINE = 256 };

typedef struct umath_set {
    const char *name, *numpy; /* of NumPy's set */
    bool own;                 /* tests/umath has one, too */
    weft_tensor *(*function)(weft_tensor *x);
} umath_set;

#define SET(name)                                                                                                      \
    {                                                                                                                  \
#name, #name, true, (weft_##name)                                                                              \
    }
#define NUMPY(name, numpy)                                                                                             \
    {                                                                                                                  \
#name, #numpy, false, (weft_##name)                                                                            \
    }
static const umath_set sets[] = {SET(exp),
                                 SET(expm1),
                                 SET(log),
                                 SET(log1p),
                                 SET(log2),
                                 SET(sin),
                                 SET(cos),
                                 SET(tan),
                                 SET(tanh),
                                 NUMPY(acos, arccos),
                                 NUMPY(asin, arcsin),
                                 NUMPY(atan, arctan),
                                 NUMPY(acosh, arccosh),
                                 NUMPY(asinh, arcsinh),
                                 NUMPY(atanh, arctanh),
                                 NUMPY(cbrt, cbrt),
                                 NUMPY(cosh, cosh),
                                 NUMPY(sinh, sinh),
                                 NUMPY(exp2, exp2),
                                 NUMPY(log10, log10)};
enum { N_SETS = sizeof sets / sizeof sets[0] };

typedef struct umath_values {
    float x[MOST_VALUES], y[MOST_VALUES];
    int n;
} umath_values;

static float from_bits(const char *text)
{
    uint32_t bits = (uint32_t)strtoul(text, NULL, 16);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Lines are "np.float32,0x3f800000,0x3f800000,4"; others are comments or other dtypes. */
static bool read_set(const char *path, umath_values *values)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    values->n = 0;
    char line[MOST_LINE];
    while (fgets(line, sizeof line, file) && values->n < MOST_VALUES) {
        char *x = strchr(line, ','), *y = x ? strchr(x + 1, ',') : NULL;
        if (strncmp(line, "np.float32,", 11) != 0 || !y)
            continue;
        values->x[values->n] = from_bits(x + 1);
        values->y[values->n++] = from_bits(y + 1);
    }
    fclose(file);
    return true;
}

static void compare_set(weft_ctx *ctx, const umath_set *set, const umath_values *values)
{
    int64_t shape[1] = {values->n};
    weft_tensor *y = set->function(weft_from_data(ctx, WEFT_F32, shape, 1, values->x));
    static float got[MOST_VALUES];
    WEFT_CHECK_OK(weft_read(ctx, y, got, sizeof(float) * (size_t)values->n));
    double worst = 0;
    for (int k = 0; k < values->n; k++) {
        double ulps = f32_ulps((double)got[k], (double)values->y[k]);
        if (ulps > 4 && weft_test_failures() < 8)
            WEFT_FAIL("%s(%a = %.9g) is %.9g, not %.9g: %.1f ulp", set->name, (double)values->x[k],
                      (double)values->x[k], (double)got[k], (double)values->y[k], ulps);
        worst = ulps > worst ? ulps : worst;
    }
    weft_test_property("values", values->n);
    weft_test_property("worst_milliulp", isfinite(worst) ? (int64_t)(worst * 1000) : -1);
}

static void compare_values(const umath_set *set, const umath_values *values)
{
    WEFT_CHECK(values->n > 100);
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    compare_set(ctx, set, values);
    test_ctx_close(ctx, &memory);
}

/* False: there is no such file. */
static bool compare_file(const umath_set *set, const char *path)
{
    static umath_values values;
    if (!read_set(path, &values))
        return false;
    compare_values(set, &values);
    return true;
}

static void run_set(void *user)
{
    const umath_set *set = user;
    const char *shared = getenv("WEFT_SHARED_DATA");
    char path[1300];
    snprintf(path, sizeof path, "%s/tests/umath/%s.csv", gold_source_dir(), set->name);
    if (set->own && !compare_file(set, path))
        WEFT_FAIL("%s is not there", path);
    snprintf(path, sizeof path, "%s%s/umath/umath-validation-set-%s.csv", shared ? shared : gold_source_dir(),
             shared ? "" : "/../shared/data", set->numpy);
    if (!compare_file(set, path) && !set->own)
        WEFT_SKIP("NumPy's validation sets are not here: WEFT_SHARED_DATA may name their directory");
}

WEFT_TEST_INIT(umath)
{
    for (int k = 0; k < N_SETS; k++)
        weft_test_add("Umath", sets[k].name, run_set, (void *)(uintptr_t)&sets[k], __FILE__, __LINE__);
}
