/* fiber.cpp - see fiber.h */
#include "fiber.h"

#include <sys/mman.h>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include "sanitizer.h"

#if !defined(__x86_64__) && !defined(SIMT_UCONTEXT)
#define SIMT_UCONTEXT 1
#endif
#if defined(SIMT_UCONTEXT)
#include <ucontext.h>
#endif

namespace simt
{
namespace
{

constexpr size_t page_bytes = 4096;
#if defined(SIMT_ASAN)
constexpr size_t stack_bytes = 256 << 10;
#else
constexpr size_t stack_bytes = 64 << 10;
#endif
constexpr size_t slot_bytes = stack_bytes + page_bytes; /* a guard page below each stack */

#if defined(SIMT_UCONTEXT)
using Context = ucontext_t;
#else
using Context = void *; /* the saved stack pointer; everything else is on the stack */
#endif

struct Fiber {
    Context context;
    bool mapped;
};

Fiber fibers[max_block_threads];
Context scheduler;
char *stacks;

char *stack_of(unsigned index)
{
    return stacks + index * slot_bytes + page_bytes;
}

void map_stack(unsigned index)
{
    if (!stacks) {
        void *memory = mmap(nullptr, max_block_threads * slot_bytes, PROT_NONE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) {
            perror("simt: no address space for fiber stacks");
            abort();
        }
        stacks = static_cast<char *>(memory);
    }
    if (mprotect(stack_of(index), stack_bytes, PROT_READ | PROT_WRITE)) {
        perror("simt: no memory for a fiber stack");
        abort();
    }
    fibers[index].mapped = true;
}

#if !defined(SIMT_UCONTEXT)
/* Saves the callee-saved registers and the stack pointer of the caller, and takes up another stack the same way. The
 * floating-point control words stay as they are: kernels do not change them. */
extern "C" void simt_switch_stack(void **save_from, void *to);
asm(".text\n"
    ".p2align 4\n"
    ".globl simt_switch_stack\n"
    ".type simt_switch_stack,@function\n"
    "simt_switch_stack:\n"
    "    pushq %rbp\n"
    "    pushq %rbx\n"
    "    pushq %r12\n"
    "    pushq %r13\n"
    "    pushq %r14\n"
    "    pushq %r15\n"
    "    movq %rsp, (%rdi)\n"
    "    movq %rsi, %rsp\n"
    "    popq %r15\n"
    "    popq %r14\n"
    "    popq %r13\n"
    "    popq %r12\n"
    "    popq %rbx\n"
    "    popq %rbp\n"
    "    ret\n"
    ".size simt_switch_stack, .-simt_switch_stack\n");

/* Stack tops at different offsets from their page keep the fibers out of each other's cache sets (1.6-2x). */
void prepare(unsigned index, void (*entry)())
{
    void **top = reinterpret_cast<void **>(stack_of(index) + stack_bytes - (index % 61) * 64);
    *--top = nullptr; /* the return address of entry, which never returns */
    *--top = reinterpret_cast<void *>(entry);
    for (int saved = 0; saved < 6; saved++)
        *--top = nullptr;
    fibers[index].context = top;
}

void swap_context(Context &from, Context &to)
{
    simt_switch_stack(&from, to);
}
#else
void prepare(unsigned index, void (*entry)())
{
    ucontext_t &context = fibers[index].context;
    getcontext(&context);
    context.uc_stack.ss_sp = stack_of(index);
    context.uc_stack.ss_size = stack_bytes;
    context.uc_link = nullptr;
    makecontext(&context, entry, 0);
}

void swap_context(Context &from, Context &to)
{
    swapcontext(&from, &to);
}
#endif

unsigned entered;                            /* the fiber that was switched to last */
[[maybe_unused]] thread_local bool on_fiber; /* this operating system thread runs it */

} /* namespace */

#if defined(SIMT_ASAN)
/* AddressSanitizer is told of no switch, which would take a third of the time: it asks for the stack's bounds where it
 * follows the frames of an error, and calls this before it does. Where it kept frames in memory of its own, one such
 * memory for all fibers, it would take those of one for ones that another has left. */
extern "C" void __asan_on_error()
{
    if (!on_fiber)
        return;
    void *fake_stack = nullptr;
    __sanitizer_start_switch_fiber(&fake_stack, stack_of(entered), stack_bytes);
    __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
}

extern "C" const char *__asan_default_options()
{
    return "detect_stack_use_after_return=0";
}
#endif

void fiber_start(unsigned index, void (*entry)())
{
    if (!fibers[index].mapped)
        map_stack(index);
    prepare(index, entry);
}

void fiber_switch_to(unsigned index)
{
    entered = index;
    on_fiber = true;
    swap_context(scheduler, fibers[index].context);
    on_fiber = false;
}

void fiber_yield(unsigned index)
{
    swap_context(fibers[index].context, scheduler);
}

void fiber_pass(unsigned index, unsigned next)
{
    entered = next;
    swap_context(fibers[index].context, fibers[next].context);
}

void fiber_abandon(unsigned index)
{
    unpoison(stack_of(index), stack_bytes); /* its frames never returned */
}

AddressRange fiber_stack(unsigned index)
{
    return {stack_of(index), stack_bytes};
}

AddressRange fiber_all_stacks()
{
    return {stacks, stacks ? max_block_threads * slot_bytes : 0};
}

} /* namespace simt */
