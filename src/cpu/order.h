/* order.h - numbers as unsigned integers, keys, in the same order. -0 is 0, and NaN, however it is spelt, comes after
 * infinity. */
#ifndef WEFT_CPU_ORDER_H
#define WEFT_CPU_ORDER_H

#include <stdint.h>
#include <string.h>
#include "vec.h"

WEFT__INLINE uint64_t weft__key_f32(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits = x == 0 ? 0 : bits;
    return x != x ? UINT32_MAX : bits >> 31 ? ~bits : bits | UINT32_C(1) << 31;
}

WEFT__INLINE uint64_t weft__key_f64(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits = x == 0 ? 0 : bits;
    return x != x ? UINT64_MAX : bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

WEFT__INLINE uint64_t weft__key_i64(int64_t x)
{
    return (uint64_t)x ^ UINT64_C(1) << 63;
}

#endif
