/* host_memory.c - see host_memory.h. First touch of fresh memory costs more than most kernels: 64 MiB in pages of 4 KiB
 * take several times as long as in huge pages, so large blocks are aligned for them and ask for them. */
#if defined(__linux__) && !defined(_DEFAULT_SOURCE)
#define _DEFAULT_SOURCE /* madvise */
#endif
#include "base/host_memory.h"
#include <stdint.h>
#include <stdlib.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#define HUGE_PAGE ((size_t)2 << 20)
#define WORTH_HUGE ((size_t)4 << 20)

void *weft__default_alloc(void *user, size_t bytes, size_t alignment)
{
    (void)user;
    if (bytes > SIZE_MAX / 2)
        return NULL;
    if (alignment < sizeof(void *))
        alignment = sizeof(void *);
    if (bytes >= WORTH_HUGE && alignment < HUGE_PAGE)
        alignment = HUGE_PAGE;
    void *block = NULL;
    if (posix_memalign(&block, alignment, bytes ? bytes : alignment) != 0)
        return NULL;
#if defined(MADV_HUGEPAGE)
    if (bytes >= WORTH_HUGE)
        (void)madvise(block, bytes & ~(HUGE_PAGE - 1), MADV_HUGEPAGE); /* advice: refusal costs only speed */
#endif
    return block;
}

void weft__default_free(void *user, void *block, size_t bytes)
{
    (void)user, (void)bytes;
    free(block);
}
