/* heap.cpp - see heap.h */
#include "heap.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <map>
#include <set>
#include "block.h"
#include "checker.h"
#include "sanitizer.h"

namespace simt
{
namespace
{

constexpr size_t reserved_bytes = 1ull << 36;
constexpr size_t redzone_bytes = 256;
constexpr size_t alignment = 256;
constexpr size_t page_bytes = 4096;

struct Allocation {
    size_t bytes;
    bool live;
};

char *heap;
size_t used;
size_t retired; /* whole pages at the start that hold nothing live: closed for good, so that the rest stays small */
size_t live_bytes;
unsigned open_depth;
bool guarded = true;
struct sigaction previous_action;

std::map<char *, Allocation> &allocations()
{
    static auto *const map = new std::map<char *, Allocation>; /* outlives static destructors that free memory */
    return *map;
}

std::set<char *> &live_starts()
{
    static auto *const set = new std::set<char *>;
    return *set;
}

/* Says who touched what, then lets the fault happen again under the handler that was there before. */
void on_fault(int, siginfo_t *info, void *)
{
    const char *address = static_cast<const char *>(info->si_addr);
    const bool in_heap = heap && address >= heap && address < heap + reserved_bytes;
    const bool in_stacks = fiber_all_stacks().holds(address);
    char text[320];
    int length = 0;
    if (block.current)
        length = snprintf(text, sizeof text, "simt: fault at %p in block (%u,%u,%u), thread (%u,%u,%u): %s\n",
                          info->si_addr, builtins.block_idx.x, builtins.block_idx.y, builtins.block_idx.z,
                          builtins.thread_idx.x, builtins.thread_idx.y, builtins.thread_idx.z,
                          in_heap     ? "far outside any allocation"
                          : in_stacks ? "local memory overflows the fiber's stack"
                                      : "not device memory");
    else if (in_heap)
        length =
            snprintf(text, sizeof text, "simt: host-pointer: host code touches device memory at %p\n", info->si_addr);
    if (write(STDERR_FILENO, text, static_cast<size_t>(length)) < 0)
        _exit(125);
    sigaction(SIGSEGV, &previous_action, nullptr);
}

void install_handler()
{
    use_signal_stack();
    struct sigaction action = {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigaction(SIGSEGV, &action, &previous_action);
}

void reserve()
{
    void *memory = mmap(nullptr, reserved_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        perror("simt: no address space for device memory");
        abort();
    }
    heap = static_cast<char *>(memory);
    install_handler();
}

size_t round_up(size_t bytes, size_t multiple)
{
    return (bytes + multiple - 1) / multiple * multiple;
}

/* From byte first, the start of a page, to the end of what was ever handed out. */
void protect(size_t first, int protection)
{
    const size_t end = round_up(used, page_bytes);
    if (end > first)
        mprotect(heap + first, end - first, protection);
}

void protect(int protection)
{
    protect(retired, protection);
}

void retire()
{
    const size_t first =
        live_starts().empty() ? used : static_cast<size_t>(*live_starts().begin() - heap) - redzone_bytes;
    const size_t end = first / page_bytes * page_bytes;
    if (end <= retired)
        return;
    madvise(heap + retired, end - retired, MADV_DONTNEED);
    mprotect(heap + retired, end - retired, PROT_NONE);
    retired = end;
}

/* The allocation that begins at or before address; end() if none does. */
std::map<char *, Allocation>::iterator at_or_before(const void *address)
{
    auto next = allocations().upper_bound(static_cast<char *>(const_cast<void *>(address)));
    return next == allocations().begin() ? allocations().end() : std::prev(next);
}

/* Gives the pages of an allocation that has gone back to the system, but for those that live ones share; the addresses
 * stay unused. What is opened and closed for each piece of work is then only what lives. */
void drop_pages(char *start, size_t bytes)
{
    const auto next = live_starts().lower_bound(start);
    const char *low = heap + retired, *high = next == live_starts().end() ? heap + used : *next;
    if (next != live_starts().begin()) {
        const char *before = *std::prev(next);
        low = before + allocations()[const_cast<char *>(before)].bytes;
    }
    const size_t from = static_cast<size_t>(start - heap) - redzone_bytes, to = from + bytes + 2 * redzone_bytes;
    const size_t after_low = round_up(static_cast<size_t>(low - heap), page_bytes);
    const size_t before_high = static_cast<size_t>(high - heap) / page_bytes * page_bytes;
    const size_t first = std::max(from / page_bytes * page_bytes, after_low);
    const size_t end = std::min(round_up(to, page_bytes), before_high);
    if (end > first)
        madvise(heap + first, end - first, MADV_DONTNEED);
}

} /* namespace */

AddressRange heap_range()
{
    if (!heap)
        reserve();
    return {heap, reserved_bytes};
}

void *heap_allocate(size_t bytes)
{
    heap_range();
    const size_t rounded = round_up(bytes, alignment);
    if (bytes > reserved_bytes || used + redzone_bytes + rounded + redzone_bytes > reserved_bytes)
        return nullptr;
    char *start = heap + used + redzone_bytes;
    const size_t first_page = used / page_bytes * page_bytes;
    used += redzone_bytes + rounded + redzone_bytes;
    protect(first_page, PROT_READ | PROT_WRITE);
    poison(start - redzone_bytes, redzone_bytes + rounded + redzone_bytes);
    unpoison(start, bytes);
    memset(start, 0xFF, bytes);
    if (guarded && !open_depth)
        protect(first_page, PROT_NONE);
    checker::allocated(start, bytes);
    allocations()[start] = {bytes, true};
    live_starts().insert(start);
    live_bytes += bytes;
    return start;
}

void heap_release(void *start_)
{
    char *start = static_cast<char *>(start_);
    Allocation &allocation = allocations()[start];
    poison(start, round_up(allocation.bytes, alignment));
    checker::released(start, allocation.bytes);
    allocation.live = false;
    live_bytes -= allocation.bytes;
    live_starts().erase(start);
    drop_pages(start, allocation.bytes);
    retire();
}

size_t heap_size(const void *start)
{
    const auto found = allocations().find(static_cast<char *>(const_cast<void *>(start)));
    return found == allocations().end() || !found->second.live ? 0 : found->second.bytes;
}

bool heap_holds(const void *address, size_t bytes)
{
    const auto found = at_or_before(address);
    if (found == allocations().end() || !found->second.live)
        return false;
    const size_t offset = static_cast<size_t>(static_cast<const char *>(address) - found->first);
    return offset <= found->second.bytes && bytes <= found->second.bytes - offset;
}

std::string heap_describe(const void *address)
{
    char text[160];
    auto found = at_or_before(address);
    if (found == allocations().end()) {
        snprintf(text, sizeof text, "%p, before the first allocation", address);
        return text;
    }
    size_t distance = static_cast<size_t>(static_cast<const char *>(address) - found->first);
    const char *where = "inside";
    if (distance >= found->second.bytes) {
        const auto next = std::next(found);
        const size_t after = distance - found->second.bytes;
        where = "after";
        distance = after;
        if (next != allocations().end() &&
            static_cast<size_t>(next->first - static_cast<const char *>(address)) < after) {
            where = "before";
            distance = static_cast<size_t>(next->first - static_cast<const char *>(address));
            found = next;
        }
    }
    snprintf(text, sizeof text, "%p, %zu bytes %s the %s allocation of %zu bytes at %p", address, distance, where,
             found->second.live ? "live" : "freed", found->second.bytes, static_cast<void *>(found->first));
    return text;
}

size_t heap_live_bytes()
{
    return live_bytes;
}

void heap_set_guard(bool on)
{
    guarded = on;
    protect(on && !open_depth ? PROT_NONE : PROT_READ | PROT_WRITE);
}

HeapAccess::HeapAccess()
{
    if (open_depth++ == 0 && guarded)
        protect(PROT_READ | PROT_WRITE);
}

HeapAccess::~HeapAccess()
{
    if (--open_depth == 0 && guarded)
        protect(PROT_NONE);
}

} /* namespace simt */
