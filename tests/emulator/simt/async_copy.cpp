/* async_copy.cpp - asynchronous copies to shared memory: they wait with their thread, which carries them out when it
 * waits for them, not before. Instrumented as kernels are, so that a copy out of bounds is seen. */
#include <cstring>
#include <vector>
#include "block.h"
#include "checker.h"

namespace simt
{
namespace
{

struct AsyncCopy {
    void *shared;
    const void *global;
    size_t bytes;
    unsigned group;
    Site site;
};

struct AsyncQueue {
    std::vector<AsyncCopy> copies;
    unsigned group; /* the one that is being filled */
};
AsyncQueue async_queues[max_block_threads];

void carry_out(const AsyncCopy &copy)
{
    checker::access_at(copy.global, copy.bytes, false, copy.site);
    checker::access_at(copy.shared, copy.bytes, true, copy.site);
    memcpy(copy.shared, copy.global, copy.bytes);
}

} /* namespace */

void async_copy(void *shared, const void *global, size_t bytes, Site site)
{
    AsyncQueue &queue = async_queues[block.current->linear];
    if ((reinterpret_cast<uintptr_t>(shared) | reinterpret_cast<uintptr_t>(global)) % bytes)
        report(SIMT_MISALIGNED, "asynchronous copy of %zu bytes from %p to %p at %s:%d", bytes, global, shared,
               site.file, site.line);
    queue.copies.push_back({shared, global, bytes, queue.group, site});
}

void async_commit()
{
    async_queues[block.current->linear].group++;
}

void async_wait(unsigned keep)
{
    AsyncQueue &queue = async_queues[block.current->linear];
    size_t kept = 0;
    for (const AsyncCopy &copy : queue.copies) {
        if (copy.group + keep < queue.group)
            carry_out(copy);
        else
            queue.copies[kept++] = copy;
    }
    queue.copies.resize(kept);
}

void drop_async_copies(const Thread &thread)
{
    async_queues[thread.linear].copies.clear();
    async_queues[thread.linear].group = 0;
}

} /* namespace simt */
