/* number.h - the one way from a real number to an element of a dtype, on the host and on the device: what cast does to
 * every element, full, fill_, scalar and pad do to their value. C17 and CUDA C++17.
 *
 * Floating dtypes: rounded once, to nearest even. Integer dtypes: toward 0, saturating; NaN gives 0. Bool: true unless
 * it is 0, so 0.5 and NaN are true. */
#ifndef WEFT_BASE_NUMBER_H
#define WEFT_BASE_NUMBER_H

#include <weft/dtype.h>
#include "base/half.h"

/* What an integer dtype holds. */
typedef struct weft__int_range {
    int64_t lo, hi;
} weft__int_range;

WEFT_HD weft__int_range weft__int_range_of(int32_t dtype)
{
    weft__int_range b;
    b.lo = dtype == WEFT_BOOL || dtype == WEFT_U8 ? 0
           : dtype == WEFT_I8                     ? INT8_MIN
           : dtype == WEFT_I32                    ? INT32_MIN
                                                  : INT64_MIN;
    b.hi = dtype == WEFT_BOOL  ? 1
           : dtype == WEFT_U8  ? UINT8_MAX
           : dtype == WEFT_I8  ? INT8_MAX
           : dtype == WEFT_I32 ? INT32_MAX
                               : INT64_MAX;
    return b;
}

/* To i64. */
WEFT_HD int64_t weft__to_i64(double x)
{
    double c = x < -0x1p63 || x >= 0x1p63 || x != x ? 0 : x;
    int64_t v = (int64_t)c;
    v = x < -0x1p63 ? INT64_MIN : v;
    return x >= 0x1p63 ? INT64_MAX : v;
}

/* Into a range that 32 bits hold, which vectorises. */
WEFT_HD int64_t weft__to_narrow(double x, double lo, double hi)
{
    double c = x < lo ? lo : x;
    c = c > hi ? hi : c;
    return (int32_t)(x != x ? 0 : c);
}

/* To an integer dtype or bool. */
WEFT_HD int64_t weft__to_integer(int32_t dtype, double x)
{
    weft__int_range b = weft__int_range_of(dtype);
    if (dtype == WEFT_BOOL)
        return x != 0;
    return dtype == WEFT_I64 ? weft__to_i64(x) : weft__to_narrow(x, (double)b.lo, (double)b.hi);
}

/* Whether an integer dtype holds x as it is; a bool 0 and 1. */
WEFT_HD bool weft__holds(int32_t dtype, double x)
{
    weft__int_range b = weft__int_range_of(dtype);
    return x >= (double)b.lo && (dtype == WEFT_I64 ? x < 0x1p63 : x <= (double)b.hi) && x == floor(x);
}

/* The bytes of one element, on the host; returns their number. */
static inline size_t weft__encode(int32_t dtype, double x, unsigned char *element)
{
    const float f32 = dtype == WEFT_F32 ? (float)x : weft__f64_to_f32_odd(x);
    const uint16_t half = dtype == WEFT_F16 ? weft__f16_from_f32(f32) : weft__bf16_from_f32(f32);
    const int64_t i64 = weft__to_integer(dtype, x);
    const int32_t i32 = (int32_t)i64;
    switch (dtype) {
    case WEFT_F32:
        memcpy(element, &f32, sizeof f32);
        return sizeof f32;
    case WEFT_F64:
        memcpy(element, &x, sizeof x);
        return sizeof x;
    case WEFT_F16:
    case WEFT_BF16:
        memcpy(element, &half, sizeof half);
        return sizeof half;
    case WEFT_I64:
        memcpy(element, &i64, sizeof i64);
        return sizeof i64;
    case WEFT_I32:
        memcpy(element, &i32, sizeof i32);
        return sizeof i32;
    default:
        element[0] = (unsigned char)i64;
        return 1;
    }
}

#endif
