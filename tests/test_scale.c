/* test_scale.c - reductions, norms, softmaxes and losses at size and scale: rows of a million elements, a mean ten
 * thousand times the spread, exponents far apart, and the ends of the dtypes; along rows and down columns, in several
 * memory layouts, against plain loops in long double. How far a result may be off does not depend on how long a row is:
 * it is a few roundings beside what the sum is of. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "harness/structs.h"
#include "harness/weft_test.h"
#include "samples/layout.h"
#include "scale_rows.h"

enum { MOST_REPORTS = 8, LONG = 1000003 };

/* ---- Data ---- */

static const char *const kind_names[] = {"far", "wide", "large", "tiny", "farthest"};

/* slices of n values, in [-1, 1]: k-th hash */
static double unit(int64_t k)
{
    uint64_t h = ((uint64_t)k + 1) * 0x9E3779B97F4A7C15u;
    h ^= h >> 29;
    h *= 0xBF58476D1CE4E5B9u;
    h ^= h >> 32;
    return (double)(h >> 40) / 8388608.0 - 1;
}

static double largest_of(weft_dtype dtype)
{
    return dtype == WEFT_F64 ? DBL_MAX : dtype == WEFT_F16 ? 65504 : dtype == WEFT_BF16 ? 0x1.fep127 : (double)FLT_MAX;
}

static double tiny_of(weft_dtype dtype)
{
    return dtype == WEFT_F64 ? 1e-160 : dtype == WEFT_F16 ? 1e-4 : 1e-25;
}

/* The unit of rounding, and the smallest number above 0. */
static double rounding_of(weft_dtype dtype)
{
    return dtype == WEFT_F64 ? 0x1p-53 : dtype == WEFT_F32 ? 0x1p-24 : dtype == WEFT_F16 ? 0x1p-11 : 0x1p-8;
}

static double least_of(weft_dtype dtype)
{
    return dtype == WEFT_F64 ? 0x1p-1074 : dtype == WEFT_F16 ? 0x1p-24 : 0x1p-133;
}

static double value(kind how, weft_dtype dtype, int64_t k, int64_t i, int64_t n)
{
    const double u = unit(k);
    switch (how) {
    case FAR:
        return 1e4 + 1.7 * u;
    case FARTHEST:
        return 0x1p20 + 3 * u;
    case WIDE: /* the largest lie in the middle */
        return 60 * u * (i == 0 || i + 1 == n ? 0.01 : 1);
    case LARGE:
        if (dtype == WEFT_F16)
            return i % 16 == 5 ? 500 + u : u;
        return largest_of(dtype) / (dtype == WEFT_F64 ? 1000 : 20) * (0.9 + 0.1 * u);
    default:
        return tiny_of(dtype) * (1.5 + u);
    }
}

/* ---- One comparison ---- */

/* Where the elements of x lie; dim 0 has them the other way round. */
typedef enum way { PLAIN, TURNED, STEPPED, WAYS } way;

static const char *const way_names[] = {"plain", "transposed", "with steps"};

typedef struct trial {
    weft_ctx *ctx;
    kind how;
    weft_dtype dtype;
    int64_t slices, n;
    double *values; /* [slices, n], as the dtype holds them */
    double target;
} trial;

/* x as the trial has it, [slices, n] or, for dim 0, [n, slices]. */
static weft_tensor *operand(const trial *t, weft_dtype dtype, int64_t dim, way lie)
{
    weft_tensor *x = weft_cast(weft_from_data(t->ctx, WEFT_F64, WEFT_DIMS(t->slices, t->n), t->values), dtype);
    if (dim == 0)
        x = weft_transpose(x, 0, 1);
    weft_tensor *dense = weft_contiguous(x);
    if (lie == TURNED)
        return weft_transpose(weft_contiguous(weft_transpose(dense, 0, 1)), 0, 1);
    if (lie == PLAIN)
        return dense;
    weft_tensor *pair[] = {dense, weft_full_like(dense, (double)NAN)};
    weft_tensor *mixed = weft_reshape(weft_stack(pair, 2, -1), WEFT_DIMS(weft_size(x, 0), 2 * weft_size(x, 1)));
    return weft_slice(mixed, 1, 0, INT64_MAX, 2);
}

static double as_dtype(weft_dtype dtype, real y)
{
    if (fabsl(y) > (real)largest_of(dtype) * (1 + rounding_of(dtype) / 2))
        return y > 0 ? (double)INFINITY : -(double)INFINITY;
    return (double)y;
}

static bool is_close(const trial *t, const row *r, weft_dtype result, double got, real y, real measure)
{
    const double want = as_dtype(result, y);
    if (got == want || (isnan(got) && isnan(want)))
        return true;
    const weft_dtype computed = t->dtype == WEFT_F64 ? WEFT_F64 : WEFT_F32;
    double roundings = r->roundings;
    if (computed == WEFT_F64) /* nothing wider is at hand */
        roundings = (roundings + (double)t->n) * (r->keeps_one && t->how == FAR ? 1000 : 1);
    double room = roundings * rounding_of(computed) * (double)measure + 4 * least_of(result);
    if (result != computed && weft_dtype_is_float(result))
        room += rounding_of(result) * fabs(want);
    return fabs(got - want) <= room;
}

/* Expected results and their measures; the caller's to free. */
static real *expected(const trial *t, const row *r, real **measures)
{
    const int64_t each = r->shape == EACH ? t->n : 1;
    real *y = calloc((size_t)(t->slices * each), sizeof *y), total = 0, measure = 0;
    *measures = calloc((size_t)(t->slices * each), sizeof *y);
    for (int64_t k = 0; k < t->slices; k++) {
        r->want(&(slice){t->values + k * t->n, t->n, y + k * each, *measures + k * each, t->target});
        total += y[k * each] / (real)t->slices;
        measure += (*measures)[k * each] / (real)t->slices;
    }
    if (r->shape == TOTAL) {
        y[0] = total;
        (*measures)[0] = measure;
    }
    return y;
}

static void describe(const trial *t, const row *r, int64_t dim, way lie, char *text, size_t size)
{
    snprintf(text, size, "%s of %lld x %lld %s, %s, along dim %d, %s", r->name, (long long)t->slices, (long long)t->n,
             weft_dtype_name(t->dtype), kind_names[t->how], (int)dim, way_names[lie]);
}

static void compare(const trial *t, const row *r, int64_t dim, way lie, const real *want, const real *measures)
{
    char what[160];
    const call c = {operand(t, t->dtype, dim, lie), dim, t->slices, t->n, t->target};
    weft_tensor *y = r->run(&c);
    const int64_t each = r->shape == EACH ? t->n : 1, n = r->shape == TOTAL ? 1 : t->slices * each;
    describe(t, r, dim, lie, what, sizeof what);
    if (!y || weft_count(y) != n) {
        WEFT_FAIL("%s: %s", what, y ? "another number of results" : weft_ctx_message(t->ctx));
        weft_ctx_clear(t->ctx);
        return;
    }
    double *got = malloc(sizeof *got * (size_t)n);
    weft_tensor *rowwise = r->shape == EACH && dim == 0 ? weft_transpose(y, 0, 1) : y;
    WEFT_CHECK_OK(weft_read(t->ctx, weft_cast(rowwise, WEFT_F64), got, sizeof *got * (size_t)n));
    for (int64_t e = 0; e < n; e++) {
        if (is_close(t, r, weft_dtype_of(y), got[e], want[e], measures[e]))
            continue;
        if (weft_test_failures() < MOST_REPORTS)
            WEFT_FAIL("%s: result %lld is %.9g, not %.9Lg, measured by %.3Lg", what, (long long)e, got[e], want[e],
                      measures[e]);
        break;
    }
    free(got);
}

/* The gradient by x of the results, each weighed; in f64. */
static double *gradient(const trial *t, const row *r, weft_dtype dtype, int64_t dim, way lie)
{
    double *values = calloc((size_t)(t->slices * t->n), sizeof *values);
    weft_tensor *x = weft_set_requires_grad(operand(t, dtype, dim, lie), true), *g = NULL;
    weft_tensor *y = r->run(&(call){x, dim, t->slices, t->n, t->target});
    weft_tensor *rowwise = r->shape == EACH && dim == 0 ? weft_transpose(y, 0, 1) : y;
    const int64_t n = y ? weft_count(y) : 0;
    weft_tensor *weights =
        weft_add_scalar(weft_mod(weft_arange(t->ctx, WEFT_F64, 0, (double)n, 1), weft_scalar(t->ctx, WEFT_F64, 7)), 1);
    weights = weft_cast(weft_reshape(weights, weft_shape(rowwise), weft_ndim(rowwise)), dtype);
    if (weft_grad(t->ctx, &rowwise, &weights, 1, &x, 1, 0, &g) != WEFT_OK) {
        WEFT_FAIL("%s: no gradient: %s", r->name, weft_ctx_message(t->ctx));
        weft_ctx_clear(t->ctx);
        return values;
    }
    g = dim == 0 ? weft_transpose(g, 0, 1) : g;
    WEFT_CHECK_OK(weft_read(t->ctx, weft_cast(g, WEFT_F64), values, sizeof *values * (size_t)(t->slices * t->n)));
    return values;
}

/* That of the dtype against that of f64. */
static void compare_slopes(const trial *t, const row *r, int64_t dim, way lie, const double *want)
{
    char what[160];
    double *got = gradient(t, r, t->dtype, dim, lie);
    describe(t, r, dim, lie, what, sizeof what);
    for (int64_t k = 0; k < t->slices; k++) {
        double most = r->slope, off = 0;
        for (int64_t i = k * t->n; i < (k + 1) * t->n; i++) {
            most = fmax(most, fabs(want[i]));
            off = got[i] == want[i]         ? off
                  : isnan(got[i] - want[i]) ? (double)INFINITY
                                            : fmax(off, fabs(got[i] - want[i]));
        }
        const double far = r->keeps_one && t->how == FAR ? 1000 : 1;
        const double rounding = t->dtype == WEFT_F32 ? 64 * far * 0x1p-24 : 8 * rounding_of(t->dtype);
        if (!(off <= rounding * most + 4 * least_of(t->dtype)) && weft_test_failures() < MOST_REPORTS)
            WEFT_FAIL("%s: the gradient of slice %lld is off by %.3g, of %.3g at most", what, (long long)k, off, most);
    }
    free(got);
}

/* ---- All of a row ---- */

static bool applies(const trial *t, const row *r)
{
    const bool narrow = t->dtype == WEFT_F16; /* computed in f32, where all of its numbers are tame */
    if (t->how == FARTHEST && t->dtype != WEFT_F32)
        return false;
    return narrow || (r->kinds >> t->how & 1) != 0;
}

static void try_values(const trial *t, const row *r, int ways)
{
    real *measures, *want = expected(t, r, &measures);
    const bool slopes = r->slope > 0 && t->dtype != WEFT_F64 && (t->how == FAR || t->how == WIDE);
    double *want_slopes = slopes ? gradient(t, r, WEFT_F64, 1, PLAIN) : NULL;
    for (int64_t dim = 0; dim < 2; dim++)
        for (int lie = 0; lie < ways; lie++) {
            const int mark = weft_scope_push(t->ctx);
            compare(t, r, dim, (way)lie, want, measures);
            if (slopes && (dim == 1 || t->n < LONG))
                compare_slopes(t, r, dim, (way)lie, want_slopes);
            WEFT_CHECK_OK(weft_scope_pop(t->ctx, mark));
        }
    free(want);
    free(measures);
    free(want_slopes);
}

static void try_shape(weft_ctx *ctx, const row *r, kind how, weft_dtype dtype, int64_t slices, int64_t n, int ways)
{
    trial t = {.ctx = ctx, .how = how, .dtype = dtype, .slices = slices, .n = n};
    if (!applies(&t, r))
        return;
    const int mark = weft_scope_push(ctx);
    const size_t bytes = sizeof *t.values * (size_t)(slices * n);
    t.values = malloc(bytes);
    for (int64_t k = 0; k < slices * n; k++)
        t.values[k] = value(how, dtype, k, k % n, n);
    weft_tensor *x = weft_from_data(ctx, WEFT_F64, WEFT_DIMS(slices * n), t.values);
    WEFT_CHECK_OK(weft_read(ctx, weft_cast(weft_cast(x, dtype), WEFT_F64), t.values, bytes));
    t.target = how == FAR ? weft_item(ctx, weft_scalar(ctx, dtype, 1e4)) : 0;
    try_values(&t, r, ways);
    free(t.values);
    WEFT_CHECK_OK(weft_scope_pop(ctx, mark));
}

static void check_short(void *user)
{
    static const weft_dtype dtypes[] = {WEFT_F64, WEFT_F32, WEFT_F16, WEFT_BF16};
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    for (int d = 0; d < 4; d++)
        for (int how = 0; how < KINDS; how++) {
            try_shape(ctx, user, (kind)how, dtypes[d], 5, 67, WAYS);
            try_shape(ctx, user, (kind)how, dtypes[d], 600, 33, 1); /* more columns than a tile or strip has */
        }
    test_ctx_close(ctx, &memory);
}

static void check_long(void *user)
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 2);
    WEFT_REQUIRE(ctx);
    try_shape(ctx, user, FAR, WEFT_F32, 2, LONG, 1);
    test_ctx_close(ctx, &memory);
}

WEFT_TEST_INIT(scale)
{
    for (int k = 0; k < scale_row_count; k++) {
        char name[64];
        for (size_t i = 0; i <= strlen(scale_rows[k].name); i++)
            name[i] = scale_rows[k].name[i] == ' ' ? '_' : scale_rows[k].name[i];
        weft_test_add("Scale", name, check_short, (void *)&scale_rows[k], __FILE__, __LINE__);
        if (strcmp(name, "prod") != 0) /* of so many, it would overflow */
            weft_test_add("ScaleOfLongRows", name, check_long, (void *)&scale_rows[k], __FILE__, __LINE__);
    }
}

/* ---- The sign of what is rounded ---- */

WEFT_TEST(Scale, RoundingKeepsTheSign)
{
    enum { N = 200 };
    static weft_tensor *(*const runs[])(weft_tensor * x) = {weft_floor, weft_ceil, weft_round};
    static double (*const wants[])(double x) = {floor, ceil, rint};
    static const weft_dtype dtypes[] = {WEFT_F64, WEFT_F32, WEFT_F16, WEFT_BF16};
    double x[N], got[N], seen[N];
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    for (int i = 0; i < N; i++) /* 0 and -0 among them, halves, and what has no fraction */
        x[i] = (i % 2 ? -1 : 1) * (i < 180 ? (double)(i / 2) / 16 : ldexp(1, i - 160));
    for (int d = 0; d < 4; d++) {
        weft_tensor *t = weft_cast(weft_from_data(ctx, WEFT_F64, WEFT_DIMS(N), x), dtypes[d]);
        WEFT_CHECK_OK(weft_read(ctx, weft_cast(t, WEFT_F64), seen, sizeof seen));
        for (int k = 0; k < 3; k++) {
            WEFT_CHECK_OK(weft_read(ctx, weft_cast(runs[k](t), WEFT_F64), got, sizeof got));
            for (int i = 0; i < N; i++) {
                const double want = wants[k](seen[i]);
                if (got[i] != want || signbit(got[i]) != signbit(want))
                    WEFT_FAIL("rounding %d of %g in %s is %g, not %g", k, seen[i], weft_dtype_name(dtypes[d]), got[i],
                              want);
            }
        }
    }
    test_ctx_close(ctx, &memory);
}

/* ---- Halves: between any two neighbours, to the even one in the middle, else to the nearer one ---- */

static double half_value(weft_dtype dtype, int bits)
{
    const int digits = dtype == WEFT_F16 ? 10 : 7, bias = dtype == WEFT_F16 ? 15 : 127;
    const int exponent = bits >> digits, fraction = bits & ((1 << digits) - 1);
    return exponent ? ldexp((1 << digits) + fraction, exponent - bias - digits) : ldexp(fraction, 1 - bias - digits);
}

/* Bits of x[n], which are of dtype from, as dtype. */
static void cast_bits(weft_ctx *ctx, weft_dtype from, weft_dtype dtype, const void *x, int64_t n, uint16_t *bits)
{
    const int mark = weft_scope_push(ctx);
    weft_tensor *t = weft_from_data(ctx, from, WEFT_DIMS(n), x);
    WEFT_CHECK_OK(weft_read(ctx, weft_cast(t, dtype), bits, sizeof *bits * (size_t)n));
    WEFT_CHECK_OK(weft_scope_pop(ctx, mark));
}

static void check_halves(weft_ctx *ctx, weft_dtype dtype)
{
    enum { MOST = 0x7f80, EACH = 3 };
    const int n = dtype == WEFT_F16 ? 0x7c00 : 0x7f80; /* the next one is infinity */
    double *wide = calloc(EACH * MOST, sizeof *wide);
    float *narrow = calloc(EACH * MOST, sizeof *narrow);
    uint16_t *got = calloc(EACH * MOST, sizeof *got);
    for (int h = 0; h < n; h++) {
        const double middle = (half_value(dtype, h) + half_value(dtype, h + 1)) / 2;
        const double near[EACH] = {middle, middle * (1 + 0x1p-45), middle * (1 - 0x1p-45)};
        const float close[EACH] = {(float)middle, nextafterf((float)middle, INFINITY), nextafterf((float)middle, 0)};
        memcpy(wide + EACH * h, near, sizeof near);
        memcpy(narrow + EACH * h, close, sizeof close);
    }
    for (int from = 0; from < 2; from++) {
        cast_bits(ctx, from ? WEFT_F32 : WEFT_F64, dtype, from ? (const void *)narrow : wide, EACH * n, got);
        for (int k = 0; k < EACH * n; k++) {
            const int h = k / EACH, want = k % EACH == 0 ? h + (h & 1) : k % EACH == 1 ? h + 1 : h;
            if (got[k] != want && weft_test_failures() < MOST_REPORTS)
                WEFT_FAIL("%s from %s: %.17g becomes bits %#x, not %#x", weft_dtype_name(dtype), from ? "f32" : "f64",
                          from ? (double)narrow[k] : wide[k], got[k], want);
        }
    }
    free(wide);
    free(narrow);
    free(got);
}

WEFT_TEST(Scale, HalvesRoundToTheNearestOrEven)
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    check_halves(ctx, WEFT_F16);
    check_halves(ctx, WEFT_BF16);
    test_ctx_close(ctx, &memory);
}

/* ---- The centre of batch_norm: its first image, here nothing like the others ---- */

WEFT_TEST(Scale, BatchNormLooksAgainWhereItsFirstImageIsFarOff)
{
    enum { N = 4096 };
    const weft_batch_norm_params params = {sizeof params, 0.1, 1e-5, true};
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    for (int64_t plane = 1; plane <= 64; plane *= 64) { /* columns of a matrix, planes of images */
        float x[N], got[N];
        real mean = 0, var = 0;
        for (int k = 0; k < N; k++)
            mean += x[k] = k < plane ? 0 : (float)(1e4 + 1.7 * unit(k));
        mean /= N;
        for (int k = 0; k < N; k++)
            var += ((real)x[k] - mean) * ((real)x[k] - mean) / N;
        weft_tensor *t = weft_from_data(ctx, WEFT_F32, WEFT_DIMS(N / plane, 1, plane), x);
        WEFT_CHECK_OK(weft_read(ctx, weft_batch_norm(t, NULL, NULL, NULL, NULL, &params), got, sizeof got));
        for (int k = 0; k < N; k++) {
            const double want = (double)(((real)x[k] - mean) / sqrtl(var + (real)1e-5));
            if (!(fabs((double)got[k] - want) <= 16 * 0x1p-24 * (1 + fabs(want))) &&
                weft_test_failures() < MOST_REPORTS)
                WEFT_FAIL("planes of %d: element %d is %.9g, not %.9g", (int)plane, k, (double)got[k], want);
        }
    }
    test_ctx_close(ctx, &memory);
}
