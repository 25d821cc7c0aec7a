/* shared.cpp - the shared memory of the running block: an arena in which every array lies between redzones and starts
 * filled with 0xFF (NaN, or -1), so that a missing initialisation gives a wrong result in every build. */
#include <sys/mman.h>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>
#include "block.h"
#include "checker.h"
#include "sanitizer.h"

namespace simt
{
namespace
{

constexpr size_t arena_bytes = 1 << 20;
constexpr size_t redzone_bytes = 64;
constexpr size_t static_limit = 48 << 10;
constexpr size_t block_limit = 227 << 10; /* sm_90 */

struct Array {
    const void *key;
    char *start;
    size_t bytes;
};

char *arena;
size_t used;
size_t static_bytes, dynamic_bytes, granted_bytes;
char dynamic_key;
std::vector<Array> arrays;

void map_arena()
{
    void *memory = mmap(nullptr, arena_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        perror("simt: no memory for the shared arena");
        abort();
    }
    arena = static_cast<char *>(memory);
    poison(arena, arena_bytes);
}

char *carve(const void *key, size_t bytes, size_t alignment)
{
    if (!arena)
        map_arena();
    alignment = alignment < 16 ? 16 : alignment;
    const size_t start = (used + redzone_bytes + alignment - 1) / alignment * alignment;
    used = start + bytes;
    if (used + redzone_bytes > arena_bytes) {
        report(SIMT_SHARED_LIMIT, "shared arrays of more than %zu bytes", arena_bytes);
        abort();
    }
    char *array = arena + start;
    unpoison(array, bytes);
    memset(array, 0xFF, bytes);
    checker::allocated(array, bytes);
    arrays.push_back({key, array, bytes});
    return array;
}

/* A GPU knows a kernel's static arrays beforehand and refuses the launch, or the grant, with cudaErrorInvalidValue;
 * here they show one by one. */
void check_limits()
{
    if (static_bytes > static_limit)
        report(SIMT_SHARED_LIMIT, "%zu bytes of static shared memory; the limit is %zu", static_bytes, static_limit);
    if (granted_bytes == 0 && static_bytes + dynamic_bytes > static_limit)
        report(SIMT_SHARED_LIMIT,
               "%zu bytes of static and %zu of dynamic shared memory; without cudaFuncSetAttribute the limit is %zu",
               static_bytes, dynamic_bytes, static_limit);
    if (static_bytes + granted_bytes > block_limit)
        report(SIMT_SHARED_LIMIT,
               "%zu bytes of static shared memory beside the %zu that cudaFuncSetAttribute granted; the limit is %zu",
               static_bytes, granted_bytes, block_limit);
}

} /* namespace */

void *shared_array(const void *key, size_t bytes, size_t alignment)
{
    for (const Array &array : arrays)
        if (array.key == key)
            return array.start;
    static_bytes += bytes;
    check_limits();
    return carve(key, bytes, alignment);
}

void *dynamic_shared()
{
    for (const Array &array : arrays)
        if (array.key == &dynamic_key)
            return array.start;
    return carve(&dynamic_key, dynamic_bytes, 16);
}

void set_dynamic_shared(size_t bytes, size_t granted)
{
    dynamic_bytes = bytes;
    granted_bytes = granted;
}

void release_shared()
{
    for (const Array &array : arrays) {
        checker::released(array.start, array.bytes);
        poison(array.start, (array.bytes + 7) / 8 * 8);
    }
    arrays.clear();
    used = 0;
    static_bytes = 0;
}

AddressRange shared_arena()
{
    if (!arena)
        map_arena();
    return {arena, arena_bytes};
}

} /* namespace simt */
