/* compare.c - see compare.h. */
#include "compare.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- Tolerances ---- */

/* The design binds f32 to 4 ulp. It says nothing of f64, the reference itself: 64 ulp are 1.4e-14, enough to tell any
 * two formulas apart, and let functions of a rounded argument (gelu) go by the C library. */
static double most_ulps(weft_dtype dtype)
{
    return dtype == WEFT_F32 ? 4 : 64;
}

double reduction_tolerance(weft_dtype dtype, int64_t k)
{
    switch (dtype) {
    case WEFT_F64:
        return 1e-15 * (4 + sqrt((double)k));
    case WEFT_F16:
        return 1e-3;
    case WEFT_BF16:
        return 5e-3;
    default:
        return fmin(fmax(3e-7, 1e-6 * sqrt((double)k / 1024)), 1e-5);
    }
}

double gradient_tolerance(weft_dtype dtype)
{
    return dtype == WEFT_F64 ? 1e-11 : dtype == WEFT_F16 ? 2e-3 : dtype == WEFT_BF16 ? 1e-2 : 1e-5;
}

/* ---- Reading ---- */

static double real_at(weft_dtype dtype, const void *data, int64_t at)
{
    switch (dtype) {
    case WEFT_F64:
        return ((const double *)data)[at];
    case WEFT_F32:
        return (double)((const float *)data)[at];
    case WEFT_F16:
        return (double)weft_f16_to_f32(((const uint16_t *)data)[at]);
    default:
        return (double)weft_bf16_to_f32(((const uint16_t *)data)[at]);
    }
}

static int64_t integer_at(weft_dtype dtype, const void *data, int64_t at)
{
    switch (dtype) {
    case WEFT_I64:
        return ((const int64_t *)data)[at];
    case WEFT_I32:
        return ((const int32_t *)data)[at];
    case WEFT_I8:
        return ((const int8_t *)data)[at];
    default: /* a bool that is neither 0 nor 1 must not pass */
        return ((const uint8_t *)data)[at];
    }
}

static void *read_all(weft_ctx *ctx, weft_tensor *t)
{
    size_t bytes = (size_t)weft_count(t) * weft_dtype_size(weft_dtype_of(t));
    void *data = malloc(bytes + 1);
    if (data && weft_read(ctx, t, data, bytes) != WEFT_OK) {
        free(data);
        return NULL;
    }
    return data;
}

double *read_doubles(weft_ctx *ctx, weft_tensor *t)
{
    void *data = read_all(ctx, t);
    double *list = malloc(sizeof *list * (size_t)(weft_count(t) + 1));
    for (int64_t e = 0; data && e < weft_count(t); e++)
        list[e] = weft_dtype_is_float(weft_dtype_of(t)) ? real_at(weft_dtype_of(t), data, e)
                                                        : (double)integer_at(weft_dtype_of(t), data, e);
    if (!data) {
        free(list);
        list = NULL;
    }
    free(data);
    return list;
}

/* ---- One element ---- */

/* Spacing of the numbers of a format with `digits` significant bits and smallest exponent `lowest` around x. */
static double spacing(double x, int digits, int lowest)
{
    int exponent;
    frexp(x, &exponent);
    return ldexp(1.0, (exponent < lowest ? lowest : exponent) - digits);
}

static double ulp_at(weft_dtype dtype, double x)
{
    return dtype == WEFT_F64 ? spacing(x, DBL_MANT_DIG, DBL_MIN_EXP) : spacing(x, FLT_MANT_DIG, FLT_MIN_EXP);
}

double f32_ulps(double got, double want)
{
    if (got == want || (float)want == (float)got || (isnan(got) && isnan(want)))
        return 0;
    if (!isfinite(got) || !isfinite(want))
        return (double)INFINITY;
    return fabs(got - want) / ulp_at(WEFT_F32, want);
}

/* want as the nearest number of dtype, where that overflows to an infinity; otherwise want. */
static double limited(weft_dtype dtype, double want)
{
    double beyond = dtype == WEFT_F16 ? 65520 : dtype == WEFT_F64 ? (double)INFINITY : 0x1.ffffffp127;
    if (dtype == WEFT_BF16)
        beyond = 0x1.ffp127;
    return fabs(want) >= beyond ? copysign((double)INFINITY, want) : want;
}

static bool close_enough(gold_compare how, weft_dtype dtype, double got, double want, double tolerance)
{
    if (got == want)
        return true;
    if (how == GOLD_EXACT)
        return false;
    if (how == GOLD_ULP && (dtype == WEFT_F32 || dtype == WEFT_F64))
        return fabs(got - want) <= most_ulps(dtype) * ulp_at(dtype, want);
    if (how == GOLD_ULP) {
        double smallest = dtype == WEFT_F16 ? 0x1p-24 : 0x1p-133;
        return fabs(got - want) <= (dtype == WEFT_F16 ? 1e-3 : 8e-3) * fabs(want) + smallest;
    }
    return fabs(got - want) <= tolerance;
}

/* ---- A whole output ---- */

weft_dtype output_dtype(const gold_tensor *want, weft_dtype dtype)
{
    bool is_float = weft_dtype_is_float(dtype);
    switch (want->kind) {
    case 'F':
        return is_float ? dtype : WEFT_F32;
    case 'N':
        return dtype == WEFT_BOOL ? WEFT_I64 : dtype;
    case 'A':
        return is_float ? dtype : WEFT_I64;
    case 'I':
        return WEFT_I64;
    case 'B':
        return WEFT_BOOL;
    case 'T':
        return want->dtype;
    default:
        return dtype;
    }
}

static bool same_shape(const gold_tensor *want, const weft_tensor *got)
{
    if (weft_ndim(got) != want->ndim)
        return false;
    for (int d = 0; d < want->ndim; d++)
        if (weft_shape(got)[d] != want->shape[d])
            return false;
    return true;
}

static int64_t wrapped(int64_t value, weft_dtype dtype)
{
    switch (dtype) {
    case WEFT_I32:
        return (int32_t)value;
    case WEFT_I8:
        return (int8_t)value;
    case WEFT_U8:
        return (uint8_t)value;
    default:
        return value;
    }
}

static bool compare_integers(const gold_tensor *want, const void *data, weft_dtype dtype, char *why, size_t size)
{
    for (int64_t e = 0; e < want->count; e++) {
        int64_t a = integer_at(dtype, data, e), b = wrapped(want->n[e], dtype);
        if (a != b) {
            snprintf(why, size, "element %lld is %lld, not %lld", (long long)e, (long long)a, (long long)b);
            return false;
        }
    }
    return true;
}

/* L2 norm of what errors are measured against: an output's scales, or its values. */
static double joint_scale(const gold_tensor *want)
{
    const double *scales = want->mag ? want->mag : want->f;
    double squares = 0;
    for (int64_t e = 0; e < want->count; e++)
        squares += isfinite(want->f[e]) ? scales[e] * scales[e] : 0;
    return sqrt(squares);
}

/* The smallest steps of the half types are coarse: allowed on top. */
static double floor_of(weft_dtype dtype)
{
    return dtype == WEFT_F16 ? 0x1p-24 : dtype == WEFT_BF16 ? 0x1p-133 : 0;
}

/* "(off by ..., allowed ...)" behind the values. */
static void explain(const gold_record *record, weft_dtype dtype, int64_t e, double got, double want, double allowed,
                    char *why, size_t size)
{
    int used = snprintf(why, size, "element %lld is %.9g, not %.9g", (long long)e, got, want);
    if (used < 0 || (size_t)used >= size || !isfinite(got) || !isfinite(want))
        return;
    double off = fabs(got - want);
    if (off == 0)
        snprintf(why + used, size - (size_t)used, " (the sign of zero)");
    else if (record->compare == GOLD_MAG)
        snprintf(why + used, size - (size_t)used, " (off by %.3g, allowed %.3g)", off, allowed);
    else
        snprintf(why + used, size - (size_t)used, " (off by %.3g relative, %.1f ulp)", off / fabs(want),
                 off / ulp_at(dtype, want));
}

/* With scales: relative L2 against them, and no element off by more than SPREAD times that. */
static bool compare_reals(const gold_record *record, const gold_tensor *want, const void *data, weft_dtype dtype,
                          char *why, size_t size)
{
    enum { SPREAD = 4 };
    double tolerance = reduction_tolerance(dtype, record->k), squares = 0;
    double whole = tolerance * joint_scale(want) + floor_of(dtype) * sqrt((double)want->count);
    for (int64_t e = 0; e < want->count; e++) {
        double got = real_at(dtype, data, e), target = limited(dtype, want->f[e]);
        double allowed = want->mag ? SPREAD * tolerance * want->mag[e] + floor_of(dtype) : whole;
        bool good = isnan(target) ? isnan(got) : close_enough(record->compare, dtype, got, target, allowed);
        if (good && record->flags & GOLD_SIGNZERO && target == 0)
            good = !signbit(got) == !signbit(target);
        if (!good) {
            explain(record, dtype, e, got, target, allowed, why, size);
            return false;
        }
        squares += isfinite(target) ? (got - target) * (got - target) : 0;
    }
    if (record->compare == GOLD_MAG && !(sqrt(squares) <= whole)) {
        snprintf(why, size, "the result is off by %.3g in the L2 norm, allowed %.3g", sqrt(squares), whole);
        return false;
    }
    return true;
}

bool compare_output(weft_ctx *ctx, const gold_record *record, const gold_tensor *want, weft_tensor *got,
                    weft_dtype dtype, char *why, size_t size)
{
    weft_dtype expected = output_dtype(want, dtype);
    if (weft_dtype_of(got) != expected) {
        snprintf(why, size, "the result is %s, not %s", weft_dtype_name(weft_dtype_of(got)), weft_dtype_name(expected));
        return false;
    }
    if (!same_shape(want, got)) {
        snprintf(why, size, "the result has %d dims and %lld elements, not %d and %lld, or other sizes", weft_ndim(got),
                 (long long)weft_count(got), want->ndim, (long long)want->count);
        return false;
    }
    void *data = read_all(ctx, got);
    if (!data) {
        snprintf(why, size, "weft_read: %.300s", weft_ctx_message(ctx));
        return false;
    }
    bool good = weft_dtype_is_float(expected) ? compare_reals(record, want, data, expected, why, size)
                                              : compare_integers(want, data, expected, why, size);
    free(data);
    return good;
}

void l2_add(l2_error *error, const double *got, const double *want, int64_t count)
{
    for (int64_t e = 0; e < count; e++) {
        if (isfinite(want[e]))
            error->all += want[e] * want[e];
        if (got[e] == want[e] || (isnan(got[e]) && isnan(want[e])))
            continue;
        error->off +=
            isfinite(got[e]) && isfinite(want[e]) ? (got[e] - want[e]) * (got[e] - want[e]) : (double)INFINITY;
    }
}

double l2_relative(const l2_error *error, double smallest)
{
    return error->off == 0 ? 0 : sqrt(error->off) / fmax(sqrt(error->all), smallest);
}
