/* warp.h - barriers, votes, shuffles and warp reductions under their CUDA names. */
#ifndef WEFT_TESTS_SIMT_WARP_H
#define WEFT_TESTS_SIMT_WARP_H

#include <cstring>
#include <type_traits>
#include "core.h"

namespace simt
{

template <class T> SIMT_UNCHECKED inline uint64_t to_bits(T value)
{
    static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>, "a warp operation moves at most 8 bytes");
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    return bits;
}

template <class T> SIMT_UNCHECKED inline T from_bits(uint64_t bits)
{
    T value;
    std::memcpy(static_cast<void *>(&value), &bits, sizeof value);
    return value;
}

/* The types for which nvcc has shuffles: the arithmetic ones and the half types of cuda_fp16.h and cuda_bf16.h. */
template <class T>
inline constexpr bool can_shuffle =
    std::is_arithmetic_v<T> || std::is_same_v<T, __half> || std::is_same_v<T, __half2> ||
    std::is_same_v<T, __nv_bfloat16> || std::is_same_v<T, __nv_bfloat162>;

template <class T> inline T shuffle(WarpOp op, unsigned mask, T value, unsigned argument, int width, Site site)
{
    static_assert(can_shuffle<T>, "nvcc has no shuffle for this type");
    return from_bits<T>(warp_operation({op, mask, to_bits(value), argument, static_cast<unsigned>(width), site}));
}

inline unsigned vote(WarpOp op, unsigned mask, bool predicate, Site site)
{
    return static_cast<unsigned>(warp_operation({op, mask, predicate, 0, 32, site}));
}

inline unsigned reduce(WarpOp op, unsigned mask, unsigned value, Site site)
{
    return static_cast<unsigned>(warp_operation({op, mask, value, 0, 32, site}));
}

} /* namespace simt */

inline void __syncthreads(simt::Site site = simt::Site::here())
{
    simt::block_barrier(simt::Vote::none, 0, site);
}
inline int __syncthreads_count(int predicate, simt::Site site = simt::Site::here())
{
    return simt::block_barrier(simt::Vote::count, predicate, site);
}
inline int __syncthreads_and(int predicate, simt::Site site = simt::Site::here())
{
    return simt::block_barrier(simt::Vote::all, predicate, site);
}
inline int __syncthreads_or(int predicate, simt::Site site = simt::Site::here())
{
    return simt::block_barrier(simt::Vote::any, predicate, site);
}
inline void __syncwarp(unsigned mask = 0xffffffffu, simt::Site site = simt::Site::here())
{
    simt::warp_operation({simt::WarpOp::sync, mask, 0, 0, 32, site});
}

template <class T>
inline T __shfl_sync(unsigned mask, T value, int lane, int width = 32, simt::Site site = simt::Site::here())
{
    return simt::shuffle(simt::WarpOp::shuffle, mask, value, static_cast<unsigned>(lane), width, site);
}
template <class T>
inline T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, simt::Site site = simt::Site::here())
{
    return simt::shuffle(simt::WarpOp::shuffle_up, mask, value, delta, width, site);
}
template <class T>
inline T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, simt::Site site = simt::Site::here())
{
    return simt::shuffle(simt::WarpOp::shuffle_down, mask, value, delta, width, site);
}
template <class T>
inline T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32, simt::Site site = simt::Site::here())
{
    return simt::shuffle(simt::WarpOp::shuffle_xor, mask, value, static_cast<unsigned>(lane_mask), width, site);
}

inline unsigned __ballot_sync(unsigned mask, int predicate, simt::Site site = simt::Site::here())
{
    return simt::vote(simt::WarpOp::ballot, mask, predicate != 0, site);
}
inline int __any_sync(unsigned mask, int predicate, simt::Site site = simt::Site::here())
{
    return static_cast<int>(simt::vote(simt::WarpOp::any, mask, predicate != 0, site));
}
inline int __all_sync(unsigned mask, int predicate, simt::Site site = simt::Site::here())
{
    return static_cast<int>(simt::vote(simt::WarpOp::all, mask, predicate != 0, site));
}
inline unsigned __activemask()
{
    return simt::active_mask();
}
template <class T> inline unsigned __match_any_sync(unsigned mask, T value, simt::Site site = simt::Site::here())
{
    return static_cast<unsigned>(
        simt::warp_operation({simt::WarpOp::match_any, mask, simt::to_bits(value), 0, 32, site}));
}

inline unsigned __reduce_add_sync(unsigned mask, unsigned value, simt::Site site = simt::Site::here())
{
    return simt::reduce(simt::WarpOp::add, mask, value, site);
}
inline int __reduce_add_sync(unsigned mask, int value, simt::Site site = simt::Site::here())
{
    return static_cast<int>(simt::reduce(simt::WarpOp::add, mask, static_cast<unsigned>(value), site));
}
inline unsigned __reduce_min_sync(unsigned mask, unsigned value, simt::Site site = simt::Site::here())
{
    return simt::reduce(simt::WarpOp::min, mask, value, site);
}
inline int __reduce_min_sync(unsigned mask, int value, simt::Site site = simt::Site::here())
{
    return static_cast<int>(simt::reduce(simt::WarpOp::min_signed, mask, static_cast<unsigned>(value), site));
}
inline unsigned __reduce_max_sync(unsigned mask, unsigned value, simt::Site site = simt::Site::here())
{
    return simt::reduce(simt::WarpOp::max, mask, value, site);
}
inline int __reduce_max_sync(unsigned mask, int value, simt::Site site = simt::Site::here())
{
    return static_cast<int>(simt::reduce(simt::WarpOp::max_signed, mask, static_cast<unsigned>(value), site));
}
inline unsigned __reduce_and_sync(unsigned mask, unsigned value, simt::Site site = simt::Site::here())
{
    return simt::reduce(simt::WarpOp::bit_and, mask, value, site);
}
inline unsigned __reduce_or_sync(unsigned mask, unsigned value, simt::Site site = simt::Site::here())
{
    return simt::reduce(simt::WarpOp::bit_or, mask, value, site);
}
inline unsigned __reduce_xor_sync(unsigned mask, unsigned value, simt::Site site = simt::Site::here())
{
    return simt::reduce(simt::WarpOp::bit_xor, mask, value, site);
}

inline void __trap(simt::Site site = simt::Site::here())
{
    simt::trap(site);
}

#endif
