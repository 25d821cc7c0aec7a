/* host_memory.h - the default memory hooks of a context: the C library, with huge pages for large blocks. */
#ifndef WEFT_BASE_HOST_MEMORY_H
#define WEFT_BASE_HOST_MEMORY_H

#include <stddef.h>

/* alignment is a power of two. NULL when out of memory; a size of 0 gives a block too. user is not used. */
void *weft__default_alloc(void *user, size_t bytes, size_t alignment);
void weft__default_free(void *user, void *block, size_t bytes);

#endif
