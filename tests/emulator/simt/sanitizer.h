/* sanitizer.h - marks for AddressSanitizer that are nothing in other builds. */
#ifndef WEFT_TESTS_SIMT_SANITIZER_H
#define WEFT_TESTS_SIMT_SANITIZER_H

/* SIMT_ASAN comes from the build: some files of the emulator serve AddressSanitizer without being instrumented. */

#if defined(SIMT_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace simt
{

inline void poison([[maybe_unused]] const void *start, [[maybe_unused]] size_t bytes)
{
#if defined(SIMT_ASAN)
    __asan_poison_memory_region(start, bytes);
#endif
}

inline void unpoison([[maybe_unused]] const void *start, [[maybe_unused]] size_t bytes)
{
#if defined(SIMT_ASAN)
    __asan_unpoison_memory_region(start, bytes);
#endif
}

} /* namespace simt */

#endif
