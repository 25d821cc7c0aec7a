/* atomic.h - atomics, fences and cached loads and stores under their CUDA names.
 *
 * Threads of a launch are fibers of one operating system thread and switch only at synchronisation points, so a plain
 * read-modify-write is atomic. */
#ifndef WEFT_TESTS_SIMT_ATOMIC_H
#define WEFT_TESTS_SIMT_ATOMIC_H

#include "core.h"

namespace simt
{

template <class T> struct identity {
    using type = T;
};
template <class T> using identity_t = typename identity<T>::type;

/* Not inlined, so that its return address is the kernel's code. */
template <class T, class Update> SIMT_UNCHECKED __attribute__((noinline)) T read_modify_write(T *address, Update update)
{
    atomic_access(address, sizeof(T), __builtin_return_address(0));
    const T old = *address;
    *address = update(old);
    return old;
}

} /* namespace simt */

#define SIMT_ATOMIC(name, T, expression)                                                                               \
    SIMT_INLINE T name(T *address, simt::identity_t<T> value)                                                          \
    {                                                                                                                  \
        return simt::read_modify_write(address, [value](T old) -> T {                                                  \
            (void)old;                                                                                                 \
            return static_cast<T>(expression);                                                                         \
        });                                                                                                            \
    }
#define SIMT_ATOMIC_INTEGERS(name, expression)                                                                         \
    SIMT_ATOMIC(name, int, expression)                                                                                 \
    SIMT_ATOMIC(name, unsigned, expression)                                                                            \
    SIMT_ATOMIC(name, unsigned long long, expression)

/* Integer atomics wrap around, hence the unsigned sum. */
SIMT_ATOMIC(atomicAdd, int, static_cast<unsigned>(old) + static_cast<unsigned>(value))
SIMT_ATOMIC(atomicAdd, unsigned, old + value)
SIMT_ATOMIC(atomicAdd, unsigned long long, old + value)
SIMT_ATOMIC(atomicAdd, float, old + value)
SIMT_ATOMIC(atomicAdd, double, old + value)
SIMT_ATOMIC(atomicAdd, __half, __float2half_rn(__half2float(old) + __half2float(value)))
SIMT_ATOMIC(atomicAdd, __nv_bfloat16, __float2bfloat16_rn(__bfloat162float(old) + __bfloat162float(value)))
SIMT_ATOMIC(atomicSub, int, static_cast<unsigned>(old) - static_cast<unsigned>(value))
SIMT_ATOMIC(atomicSub, unsigned, old - value)
SIMT_ATOMIC_INTEGERS(atomicMax, old > value ? old : value)
SIMT_ATOMIC_INTEGERS(atomicMin, old < value ? old : value)
SIMT_ATOMIC_INTEGERS(atomicExch, value)
SIMT_ATOMIC(atomicExch, float, value)
SIMT_ATOMIC_INTEGERS(atomicAnd, old &value)
SIMT_ATOMIC_INTEGERS(atomicOr, old | value)
SIMT_ATOMIC_INTEGERS(atomicXor, old ^ value)
SIMT_ATOMIC(atomicInc, unsigned, old >= value ? 0u : old + 1u)
SIMT_ATOMIC(atomicDec, unsigned, old == 0u || old > value ? value : old - 1u)

#define SIMT_COMPARE_AND_SWAP(T)                                                                                       \
    SIMT_INLINE T atomicCAS(T *address, simt::identity_t<T> compare, simt::identity_t<T> value)                        \
    {                                                                                                                  \
        return simt::read_modify_write(address, [=](T old) { return old == compare ? value : old; });                  \
    }
SIMT_COMPARE_AND_SWAP(int)
SIMT_COMPARE_AND_SWAP(unsigned)
SIMT_COMPARE_AND_SWAP(unsigned long long)
SIMT_COMPARE_AND_SWAP(unsigned short)

#undef SIMT_ATOMIC
#undef SIMT_ATOMIC_INTEGERS
#undef SIMT_COMPARE_AND_SWAP

/* Memory is sequentially consistent here; fences order nothing that the race rules would count. */
inline void __threadfence()
{
}
inline void __threadfence_block()
{
}

#define SIMT_LOAD(name)                                                                                                \
    template <class T> SIMT_INLINE T name(const T *address)                                                            \
    {                                                                                                                  \
        return *address;                                                                                               \
    }
SIMT_LOAD(__ldg)
SIMT_LOAD(__ldca)
SIMT_LOAD(__ldcg)
SIMT_LOAD(__ldcs)
SIMT_LOAD(__ldlu)
#undef SIMT_LOAD

#define SIMT_STORE(name)                                                                                               \
    template <class T> SIMT_INLINE void name(T *address, simt::identity_t<T> value)                                    \
    {                                                                                                                  \
        *address = value;                                                                                              \
    }
SIMT_STORE(__stwb)
SIMT_STORE(__stcg)
SIMT_STORE(__stcs)
SIMT_STORE(__stwt)
#undef SIMT_STORE

#endif
