/* math.h - intrinsics and the math functions that CUDA has and C++ lacks.
 *
 * Fast intrinsics (__expf ...) are the exact functions here: results differ from a GPU's by a few ulp, so tests compare
 * with tolerances. Those with a rounding in their name (__fmaf_rn ...) are bit-equal. Names that glibc declares in its
 * own headers keep C linkage and noexcept. */
#ifndef WEFT_TESTS_SIMT_MATH_H
#define WEFT_TESTS_SIMT_MATH_H

#include <cmath>
#include <cstdint>
#include "warp.h"

#define SIMT_FLOAT_1(name, expression)                                                                                 \
    extern "C" inline float name(float x) noexcept                                                                     \
    {                                                                                                                  \
        return expression;                                                                                             \
    }
#define SIMT_FLOAT_2(name, expression)                                                                                 \
    extern "C" inline float name(float x, float y) noexcept                                                            \
    {                                                                                                                  \
        return expression;                                                                                             \
    }
#define SIMT_DOUBLE_1(name, expression)                                                                                \
    extern "C" inline double name(double x) noexcept                                                                   \
    {                                                                                                                  \
        return expression;                                                                                             \
    }
#define SIMT_DOUBLE_2(name, expression)                                                                                \
    extern "C" inline double name(double x, double y) noexcept                                                         \
    {                                                                                                                  \
        return expression;                                                                                             \
    }

/* Fast approximations on the device. */
SIMT_FLOAT_1(__expf, expf(x))
SIMT_FLOAT_1(__exp10f, powf(10.0f, x))
SIMT_FLOAT_1(__logf, logf(x))
SIMT_FLOAT_1(__log2f, log2f(x))
SIMT_FLOAT_1(__log10f, log10f(x))
SIMT_FLOAT_1(__sinf, sinf(x))
SIMT_FLOAT_1(__cosf, cosf(x))
SIMT_FLOAT_1(__tanf, tanf(x))
SIMT_FLOAT_1(__tanhf, tanhf(x))
SIMT_FLOAT_2(__powf, powf(x, y))
SIMT_FLOAT_2(__fdividef, x / y)
SIMT_FLOAT_2(fdividef, x / y)
/* NaN becomes 0, as on the device. */
SIMT_FLOAT_1(__saturatef, x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f)

/* Functions that CUDA adds to the C library's. */
SIMT_FLOAT_1(rsqrtf, 1.0f / sqrtf(x))
SIMT_FLOAT_1(rcbrtf, 1.0f / cbrtf(x))
SIMT_FLOAT_1(sinpif, static_cast<float>(sin(3.14159265358979323846 * fmod(static_cast<double>(x), 2.0))))
SIMT_FLOAT_1(cospif, static_cast<float>(cos(3.14159265358979323846 * fmod(static_cast<double>(x), 2.0))))
SIMT_FLOAT_1(normcdff, static_cast<float>(0.5 * erfc(-static_cast<double>(x) * 0.70710678118654752440)))
SIMT_DOUBLE_1(rsqrt, 1.0 / sqrt(x))
SIMT_DOUBLE_1(normcdf, 0.5 * erfc(-x * 0.70710678118654752440))

/* One operation, rounded to nearest, never contracted. */
SIMT_FLOAT_2(__fadd_rn, x + y)
SIMT_FLOAT_2(__fsub_rn, x - y)
SIMT_FLOAT_2(__fmul_rn, x *y)
SIMT_FLOAT_2(__fdiv_rn, x / y)
SIMT_FLOAT_1(__frcp_rn, 1.0f / x)
SIMT_FLOAT_1(__fsqrt_rn, sqrtf(x))
SIMT_FLOAT_1(__frsqrt_rn, static_cast<float>(1.0 / sqrt(static_cast<double>(x))))
SIMT_DOUBLE_2(__dadd_rn, x + y)
SIMT_DOUBLE_2(__dsub_rn, x - y)
SIMT_DOUBLE_2(__dmul_rn, x *y)
SIMT_DOUBLE_2(__ddiv_rn, x / y)
SIMT_DOUBLE_1(__drcp_rn, 1.0 / x)
SIMT_DOUBLE_1(__dsqrt_rn, sqrt(x))

#undef SIMT_FLOAT_1
#undef SIMT_FLOAT_2
#undef SIMT_DOUBLE_1
#undef SIMT_DOUBLE_2

inline float __fmaf_rn(float x, float y, float z)
{
    return fmaf(x, y, z);
}
inline double __fma_rn(double x, double y, double z)
{
    return fma(x, y, z);
}

/* Bit patterns. */
inline float __int_as_float(int x)
{
    return simt::from_bits<float>(static_cast<unsigned>(x));
}
inline float __uint_as_float(unsigned x)
{
    return simt::from_bits<float>(x);
}
inline int __float_as_int(float x)
{
    return static_cast<int>(simt::to_bits(x));
}
inline unsigned __float_as_uint(float x)
{
    return static_cast<unsigned>(simt::to_bits(x));
}
inline double __longlong_as_double(long long x)
{
    return simt::from_bits<double>(static_cast<uint64_t>(x));
}
inline long long __double_as_longlong(double x)
{
    return static_cast<long long>(simt::to_bits(x));
}
inline int __double2hiint(double x)
{
    return static_cast<int>(simt::to_bits(x) >> 32);
}
inline int __double2loint(double x)
{
    return static_cast<int>(simt::to_bits(x));
}
inline double __hiloint2double(int high, int low)
{
    return simt::from_bits<double>(static_cast<uint64_t>(static_cast<unsigned>(high)) << 32 |
                                   static_cast<unsigned>(low));
}

namespace simt
{

/* The device's conversions to integers clamp, and give 0 for NaN; C++'s are undefined there. */
template <class To, class From> inline To clamp_to(From x)
{
    constexpr From low = static_cast<From>(std::is_unsigned_v<To> ? 0 : -1) * static_cast<From>(1ull << 31) *
                         static_cast<From>(sizeof(To) == 8 ? 1ull << 32 : 1);
    constexpr From high = static_cast<From>(std::is_unsigned_v<To> ? 2 : 1) * static_cast<From>(1ull << 31) *
                          static_cast<From>(sizeof(To) == 8 ? 1ull << 32 : 1);
    if (x != x)
        return 0;
    if (x < low)
        return static_cast<To>(low);
    if (x >= high)
        return static_cast<To>(~uint64_t{0} >> (64 - 8 * sizeof(To) + (std::is_signed_v<To> ? 1 : 0)));
    return static_cast<To>(x);
}

} /* namespace simt */

inline int __float2int_rn(float x)
{
    return simt::clamp_to<int>(rintf(x));
}
inline int __float2int_rz(float x)
{
    return simt::clamp_to<int>(x);
}
inline int __float2int_rd(float x)
{
    return simt::clamp_to<int>(floorf(x));
}
inline int __float2int_ru(float x)
{
    return simt::clamp_to<int>(ceilf(x));
}
inline unsigned __float2uint_rn(float x)
{
    return simt::clamp_to<unsigned>(rintf(x));
}
inline unsigned __float2uint_rz(float x)
{
    return simt::clamp_to<unsigned>(x);
}
inline long long __float2ll_rz(float x)
{
    return simt::clamp_to<long long>(x);
}
inline int __double2int_rn(double x)
{
    return simt::clamp_to<int>(rint(x));
}
inline int __double2int_rz(double x)
{
    return simt::clamp_to<int>(x);
}
inline long long __double2ll_rz(double x)
{
    return simt::clamp_to<long long>(x);
}
inline float __int2float_rn(int x)
{
    return static_cast<float>(x);
}
inline float __uint2float_rn(unsigned x)
{
    return static_cast<float>(x);
}
inline float __double2float_rn(double x)
{
    return static_cast<float>(x);
}

/* Integer intrinsics. */
inline int __popc(unsigned x)
{
    return __builtin_popcount(x);
}
inline int __popcll(unsigned long long x)
{
    return __builtin_popcountll(x);
}
/* Four products of bytes, added up; the signed form wraps as the unsigned one does. */
inline unsigned __dp4a(unsigned a, unsigned b, unsigned sum)
{
    for (int k = 0; k < 32; k += 8)
        sum += (a >> k & 0xffu) * (b >> k & 0xffu);
    return sum;
}
inline int __dp4a(int a, int b, int sum)
{
    unsigned total = static_cast<unsigned>(sum);
    for (int k = 0; k < 32; k += 8)
        total += static_cast<unsigned>(static_cast<signed char>(a >> k) * static_cast<signed char>(b >> k));
    return static_cast<int>(total);
}
inline int __clz(int x)
{
    return x ? __builtin_clz(static_cast<unsigned>(x)) : 32;
}
inline int __clzll(long long x)
{
    return x ? __builtin_clzll(static_cast<unsigned long long>(x)) : 64;
}
inline int __ffs(int x)
{
    return __builtin_ffs(x);
}
inline int __ffsll(long long x)
{
    return __builtin_ffsll(x);
}
inline unsigned __brev(unsigned x)
{
    unsigned reversed = 0;
    for (int bit = 0; bit < 32; bit++)
        reversed |= (x >> bit & 1u) << (31 - bit);
    return reversed;
}
inline unsigned __umulhi(unsigned x, unsigned y)
{
    return static_cast<unsigned>(static_cast<uint64_t>(x) * y >> 32);
}
inline int __mulhi(int x, int y)
{
    return static_cast<int>(static_cast<int64_t>(x) * y >> 32);
}
inline unsigned long long __umul64hi(unsigned long long x, unsigned long long y)
{
    __extension__ using wide = unsigned __int128;
    return static_cast<unsigned long long>(static_cast<wide>(x) * y >> 64);
}
/* The shift count is taken modulo 32. */
inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned shift)
{
    return static_cast<unsigned>((static_cast<uint64_t>(high) << 32 | low) << (shift & 31) >> 32);
}
inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift)
{
    return static_cast<unsigned>((static_cast<uint64_t>(high) << 32 | low) >> (shift & 31));
}

/* min and max without std::, for the integer types and for floats (where NaN loses, as fminf has it). */
#define SIMT_MIN_MAX(T)                                                                                                \
    inline T min(T x, T y)                                                                                             \
    {                                                                                                                  \
        return y < x ? y : x;                                                                                          \
    }                                                                                                                  \
    inline T max(T x, T y)                                                                                             \
    {                                                                                                                  \
        return x < y ? y : x;                                                                                          \
    }
SIMT_MIN_MAX(int)
SIMT_MIN_MAX(unsigned)
SIMT_MIN_MAX(long)
SIMT_MIN_MAX(unsigned long)
SIMT_MIN_MAX(long long)
SIMT_MIN_MAX(unsigned long long)
#undef SIMT_MIN_MAX

inline float min(float x, float y)
{
    return fminf(x, y);
}
inline float max(float x, float y)
{
    return fmaxf(x, y);
}
inline double min(double x, double y)
{
    return fmin(x, y);
}
inline double max(double x, double y)
{
    return fmax(x, y);
}

#endif
