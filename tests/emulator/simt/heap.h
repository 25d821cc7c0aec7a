/* heap.h - device memory: host memory that only running kernels and the stand-in libraries may touch.
 *
 * One reserved range of addresses; no address is ever handed out twice, so that a use after free is always seen.
 * Allocations lie between redzones and start filled with 0xFF. While host code runs, the whole range is PROT_NONE. */
#ifndef WEFT_TESTS_SIMT_HEAP_H
#define WEFT_TESTS_SIMT_HEAP_H

#include <cstddef>
#include <string>
#include "fiber.h"

namespace simt
{

AddressRange heap_range();

/* bytes > 0; 256-byte aligned. nullptr when the range of addresses is used up. */
void *heap_allocate(size_t bytes);
/* start must be a live allocation. */
void heap_release(void *start);
/* Bytes of the live allocation that begins at start; 0 if there is none. */
size_t heap_size(const void *start);
/* Whether [address, address + bytes) lies in one live allocation. */
bool heap_holds(const void *address, size_t bytes);
/* "4 bytes after the allocation of 400 bytes at 0x...", for reports. */
std::string heap_describe(const void *address);
size_t heap_live_bytes();

/* Whether the host is kept out (it is, to begin with). */
void heap_set_guard(bool on);

/* Device memory can be touched while one of these lives. */
class HeapAccess
{
  public:
    HeapAccess();
    ~HeapAccess();
    HeapAccess(const HeapAccess &) = delete;
    HeapAccess &operator=(const HeapAccess &) = delete;
};

} /* namespace simt */

#endif
