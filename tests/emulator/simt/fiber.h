/* fiber.h - one stack for each thread of a block, and the switch between them and the scheduler.
 *
 * On x86-64 the switch is a dozen instructions (40-50 ns with its cache misses); elsewhere ucontext does it, some 15
 * times slower. Between stacks lie guard pages. Only one operating system thread uses the fibers at a time. */
#ifndef WEFT_TESTS_SIMT_FIBER_H
#define WEFT_TESTS_SIMT_FIBER_H

#include <cstddef>

namespace simt
{

constexpr unsigned max_block_threads = 1024;

struct AddressRange {
    const char *start;
    size_t bytes;

    bool holds(const void *address) const
    {
        return static_cast<const char *>(address) >= start && static_cast<const char *>(address) < start + bytes;
    }
};

/* Gives fiber index an empty stack; the next switch to it calls entry, which must not return. */
void fiber_start(unsigned index, void (*entry)());
/* From the scheduler to a fiber; returns when that, or one that it has passed to, yields. */
void fiber_switch_to(unsigned index);
/* From fiber index back to the scheduler, or on to fiber next; returns at the next switch to it. A fiber that is never
 * switched to again is not ended in any other way. */
void fiber_yield(unsigned index);
void fiber_pass(unsigned index, unsigned next);
/* Forgets a fiber that will not be run to its end. */
void fiber_abandon(unsigned index);

AddressRange fiber_stack(unsigned index);
AddressRange fiber_all_stacks();

} /* namespace simt */

#endif
