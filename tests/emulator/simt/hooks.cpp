/* hooks.cpp - the functions that code compiled with -fsanitize=thread calls at each load and store. NVIDIA's and the C
 * library's code is not compiled that way; host functions that are come here too and are ignored while no kernel
 * runs. */
#include <cstddef>
#include <cstdint>
#include <cstring>
#include "checker.h"

using simt::checker::access;

#define SIMT_PC __builtin_return_address(0)

/* The compiler names the size and the manner of each access in the function's name. */
#define SIMT_HOOK(manner, bytes)                                                                                       \
    void __tsan_##manner##read##bytes(void *address)                                                                   \
    {                                                                                                                  \
        access(address, bytes, false, SIMT_PC);                                                                        \
    }                                                                                                                  \
    void __tsan_##manner##write##bytes(void *address)                                                                  \
    {                                                                                                                  \
        access(address, bytes, true, SIMT_PC);                                                                         \
    }
#define SIMT_HOOKS(bytes)                                                                                              \
    SIMT_HOOK(, bytes)                                                                                                 \
    SIMT_HOOK(unaligned_, bytes)                                                                                       \
    SIMT_HOOK(volatile_, bytes)                                                                                        \
    SIMT_HOOK(unaligned_volatile_, bytes)                                                                              \
    void __tsan_read_write##bytes(void *address)                                                                       \
    {                                                                                                                  \
        access(address, bytes, false, SIMT_PC);                                                                        \
        access(address, bytes, true, SIMT_PC);                                                                         \
    }                                                                                                                  \
    void __tsan_unaligned_read_write##bytes(void *address)                                                             \
    {                                                                                                                  \
        access(address, bytes, false, SIMT_PC);                                                                        \
        access(address, bytes, true, SIMT_PC);                                                                         \
    }

/* C++ atomics appear in host code only (guards of static objects, reference counts); kernels use CUDA's. */
#define SIMT_ATOMIC_HOOKS(bits)                                                                                        \
    uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *address, int)                             \
    {                                                                                                                  \
        return __atomic_load_n(address, __ATOMIC_SEQ_CST);                                                             \
    }                                                                                                                  \
    void __tsan_atomic##bits##_store(volatile uint##bits##_t *address, uint##bits##_t value, int)                      \
    {                                                                                                                  \
        __atomic_store_n(address, value, __ATOMIC_SEQ_CST);                                                            \
    }                                                                                                                  \
    uint##bits##_t __tsan_atomic##bits##_exchange(volatile uint##bits##_t *address, uint##bits##_t value, int)         \
    {                                                                                                                  \
        return __atomic_exchange_n(address, value, __ATOMIC_SEQ_CST);                                                  \
    }                                                                                                                  \
    uint##bits##_t __tsan_atomic##bits##_fetch_add(volatile uint##bits##_t *address, uint##bits##_t value, int)        \
    {                                                                                                                  \
        return __atomic_fetch_add(address, value, __ATOMIC_SEQ_CST);                                                   \
    }                                                                                                                  \
    uint##bits##_t __tsan_atomic##bits##_fetch_sub(volatile uint##bits##_t *address, uint##bits##_t value, int)        \
    {                                                                                                                  \
        return __atomic_fetch_sub(address, value, __ATOMIC_SEQ_CST);                                                   \
    }                                                                                                                  \
    int __tsan_atomic##bits##_compare_exchange_strong(volatile uint##bits##_t *address, uint##bits##_t *expected,      \
                                                      uint##bits##_t value, int, int)                                  \
    {                                                                                                                  \
        return __atomic_compare_exchange_n(address, expected, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);       \
    }                                                                                                                  \
    int __tsan_atomic##bits##_compare_exchange_weak(volatile uint##bits##_t *address, uint##bits##_t *expected,        \
                                                    uint##bits##_t value, int, int)                                    \
    {                                                                                                                  \
        return __atomic_compare_exchange_n(address, expected, value, true, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);        \
    }

extern "C" {

SIMT_HOOKS(1)
SIMT_HOOKS(2)
SIMT_HOOKS(4)
SIMT_HOOKS(8)
SIMT_HOOKS(16)

void __tsan_read_range(void *address, unsigned long bytes)
{
    access(address, bytes, false, SIMT_PC);
}

void __tsan_write_range(void *address, unsigned long bytes)
{
    access(address, bytes, true, SIMT_PC);
}

/* clang puts these in the place of the C functions. */
void *__tsan_memcpy(void *to, const void *from, size_t bytes)
{
    access(from, bytes, false, SIMT_PC);
    access(to, bytes, true, SIMT_PC);
    return memcpy(to, from, bytes);
}

void *__tsan_memmove(void *to, const void *from, size_t bytes)
{
    access(from, bytes, false, SIMT_PC);
    access(to, bytes, true, SIMT_PC);
    return memmove(to, from, bytes);
}

void *__tsan_memset(void *to, int value, size_t bytes)
{
    access(to, bytes, true, SIMT_PC);
    return memset(to, value, bytes);
}

SIMT_ATOMIC_HOOKS(8)
SIMT_ATOMIC_HOOKS(16)
SIMT_ATOMIC_HOOKS(32)
SIMT_ATOMIC_HOOKS(64)

void __tsan_init()
{
}
void __tsan_func_entry(void *)
{
}
void __tsan_func_exit()
{
}
void __tsan_vptr_read(void **)
{
}
void __tsan_vptr_update(void **, void *)
{
}

} /* extern "C" */
