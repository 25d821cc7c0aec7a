/* order.h - elements as unsigned numbers, keys, in the same order. -0 is 0, and NaN, however it is spelt, comes after
 * infinity. */
#ifndef WEFT_KERNELS_ORDER_H
#define WEFT_KERNELS_ORDER_H

#include "types.h"

template <class T> using weft_key = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;

__device__ __forceinline__ uint32_t weft_bits(float x)
{
    return static_cast<uint32_t>(__float_as_int(x));
}
__device__ __forceinline__ uint64_t weft_bits(double x)
{
    return static_cast<uint64_t>(__double_as_longlong(x));
}

template <class T> __device__ __forceinline__ bool weft_is_nan(T x)
{
    if constexpr (std::is_same_v<T, weft_bool> || std::is_integral_v<T>)
        return false;
    else
        return weft_load(x) != weft_load(x);
}

template <class T> __device__ __forceinline__ weft_key<T> weft_rising_key(T x)
{
    using K = weft_key<T>;
    constexpr K SIGN = K(1) << (8 * sizeof(K) - 1);
    if constexpr (std::is_same_v<T, weft_bool>) {
        return x.byte;
    } else if constexpr (std::is_integral_v<T>) {
        return static_cast<K>(static_cast<std::make_signed_t<K>>(x)) ^ SIGN;
    } else {
        const auto v = weft_load(x);
        const K bits = v == 0 ? K(0) : weft_bits(v);
        return v != v ? ~K(0) : bits & SIGN ? ~bits : bits | SIGN;
    }
}

#endif
