/* yields.h - to be included before a source file that a test compiles once more for itself: before each of its atomic
 * operations the thread may let others go first, so that what is read and written apart is seen in every run, and not
 * in one of eight. */
#ifndef WEFT_TESTS_YIELDS_H
#define WEFT_TESTS_YIELDS_H

#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

/* In one of four times, and in one of 256 for a while, long enough for another thread to be woken. */
static inline void yields(void)
{
    static _Thread_local uint64_t state;
    if (state == 0)
        state = (uintptr_t)&state | 1;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    if (state % 256 == 0)
        nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
    else if (state % 4 == 0)
        sched_yield();
}

#if defined(__clang__)
#define YIELDS_ATOMIC(name) __c11_atomic_##name
#define YIELDS_LOAD __c11_atomic_load
#define YIELDS_STORE __c11_atomic_store
#define YIELDS_SWAP(p, expected, wanted, order, other)                                                                 \
    __c11_atomic_compare_exchange_weak(p, expected, wanted, order, other)
#define YIELDS_STRONG_SWAP(p, expected, wanted)                                                                        \
    __c11_atomic_compare_exchange_strong(p, expected, wanted, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
#else
#define YIELDS_ATOMIC(name) __atomic_##name
#define YIELDS_LOAD __atomic_load_n
#define YIELDS_STORE __atomic_store_n
#define YIELDS_SWAP(p, expected, wanted, order, other)                                                                 \
    __atomic_compare_exchange_n(p, expected, wanted, true, order, other)
#define YIELDS_STRONG_SWAP(p, expected, wanted)                                                                        \
    __atomic_compare_exchange_n(p, expected, wanted, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
#endif

#undef atomic_load
#undef atomic_load_explicit
#undef atomic_store
#undef atomic_store_explicit
#undef atomic_fetch_add
#undef atomic_fetch_add_explicit
#undef atomic_fetch_sub
#undef atomic_fetch_sub_explicit
#undef atomic_fetch_and
#undef atomic_fetch_or
#undef atomic_compare_exchange_weak_explicit
#undef atomic_compare_exchange_strong
#define atomic_load_explicit(p, order) (yields(), YIELDS_LOAD(p, order))
#define atomic_load(p) atomic_load_explicit(p, __ATOMIC_SEQ_CST)
#define atomic_store_explicit(p, value, order) (yields(), YIELDS_STORE(p, value, order))
#define atomic_store(p, value) atomic_store_explicit(p, value, __ATOMIC_SEQ_CST)
#define atomic_fetch_add_explicit(p, value, order) (yields(), YIELDS_ATOMIC(fetch_add)(p, value, order))
#define atomic_fetch_add(p, value) atomic_fetch_add_explicit(p, value, __ATOMIC_SEQ_CST)
#define atomic_fetch_sub_explicit(p, value, order) (yields(), YIELDS_ATOMIC(fetch_sub)(p, value, order))
#define atomic_fetch_sub(p, value) atomic_fetch_sub_explicit(p, value, __ATOMIC_SEQ_CST)
#define atomic_fetch_and(p, value) (yields(), YIELDS_ATOMIC(fetch_and)(p, value, __ATOMIC_SEQ_CST))
#define atomic_fetch_or(p, value) (yields(), YIELDS_ATOMIC(fetch_or)(p, value, __ATOMIC_SEQ_CST))
#define atomic_compare_exchange_weak_explicit(p, expected, wanted, order, other)                                       \
    (yields(), YIELDS_SWAP(p, expected, wanted, order, other))
#define atomic_compare_exchange_strong(p, expected, wanted) (yields(), YIELDS_STRONG_SWAP(p, expected, wanted))

#endif
