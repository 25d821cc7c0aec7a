/* checker.h - the access checker: a state for every byte of device and shared memory, and who touched it last.
 *
 * Kernels of a checked build are compiled with -fsanitize=thread and linked without its run-time; hooks.cpp supplies
 * the functions that the compiler calls at each load and store. In other builds everything here is a no-op. */
#ifndef WEFT_TESTS_SIMT_CHECKER_H
#define WEFT_TESTS_SIMT_CHECKER_H

#include <cstddef>
#include "core.h"

namespace simt::checker
{

#if defined(SIMT_CHECKER)
inline constexpr bool present = true;

/* A piece of device or shared memory begins to exist, uninitialised; ceases to exist. */
void allocated(void *start, size_t bytes);
void released(void *start, size_t bytes);

/* A copy or fill of the stand-in libraries. */
void written(void *start, size_t bytes);
void copied(void *to, const void *from, size_t bytes);
void forgotten(void *start, size_t bytes);
/* Reports bytes that nothing has written; reader names the call. */
void read_by(const char *reader, const void *start, size_t bytes);

/* Accesses of the running thread that the compiler does not see. */
void atomic(const void *address, size_t bytes, const void *pc);
void access_at(const void *address, size_t bytes, bool write, Site site);
void access(const void *address, size_t bytes, bool write, const void *pc);
#else
inline constexpr bool present = false;

inline void allocated(void *, size_t)
{
}
inline void released(void *, size_t)
{
}
inline void written(void *, size_t)
{
}
inline void copied(void *, const void *, size_t)
{
}
inline void forgotten(void *, size_t)
{
}
inline void read_by(const char *, const void *, size_t)
{
}
inline void atomic(const void *, size_t, const void *)
{
}
inline void access_at(const void *, size_t, bool, Site)
{
}
#endif

} /* namespace simt::checker */

#endif
