/* poison.h - memory that a context holds back (cached blocks, freed headers) looks valid to the tools that find a use
 * after free, unless they are told. AddressSanitizer is told in builds with it, valgrind when the program runs under
 * it, which costs one test of a flag otherwise. Without either all of this is nothing. */
#ifndef WEFT_BASE_POISON_H
#define WEFT_BASE_POISON_H

#include <stdbool.h>
#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define WEFT__ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEFT__ASAN 1
#endif
#endif
#ifndef WEFT__ASAN
#define WEFT__ASAN 0
#endif

#if !WEFT__ASAN && defined(__has_include)
#if __has_include(<valgrind/memcheck.h>)
#define WEFT__VALGRIND 1
#endif
#endif
#ifndef WEFT__VALGRIND
#define WEFT__VALGRIND 0
#endif

/* WEFT__POISONS: whether anybody listens. */
#if WEFT__ASAN
#define WEFT__POISONS 1
#include <sanitizer/asan_interface.h>

static inline void weft__poison(const void *p, size_t bytes)
{
    ASAN_POISON_MEMORY_REGION(p, bytes);
}

/* What is there counts as never written, but for the first `defined` bytes. */
static inline void weft__unpoison(const void *p, size_t bytes, size_t defined)
{
    (void)defined;
    ASAN_UNPOISON_MEMORY_REGION(p, bytes);
}

#elif WEFT__VALGRIND
#include <valgrind/memcheck.h>

extern bool weft__on_valgrind; /* memory.c; set when the library is loaded */
#define WEFT__POISONS __builtin_expect(weft__on_valgrind, 0)

static inline void weft__poison(const void *p, size_t bytes)
{
    if (WEFT__POISONS)
        (void)VALGRIND_MAKE_MEM_NOACCESS(p, bytes);
}

static inline void weft__unpoison(const void *p, size_t bytes, size_t defined)
{
    if (!WEFT__POISONS)
        return;
    (void)VALGRIND_MAKE_MEM_DEFINED(p, defined);
    (void)VALGRIND_MAKE_MEM_UNDEFINED((const char *)p + defined, bytes - defined);
}

#else
#define WEFT__POISONS 0

static inline void weft__poison(const void *p, size_t bytes)
{
    (void)p, (void)bytes;
}

static inline void weft__unpoison(const void *p, size_t bytes, size_t defined)
{
    (void)p, (void)bytes, (void)defined;
}

#endif
#endif
