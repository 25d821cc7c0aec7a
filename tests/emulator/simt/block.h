/* block.h - the state of the block that is running, shared by the scheduler, the collectives and the access checker. */
#ifndef WEFT_TESTS_SIMT_BLOCK_H
#define WEFT_TESTS_SIMT_BLOCK_H

#include <vector_types.h>
#include <cstdint>
#include "../emulator.h"
#include "core.h"
#include "fiber.h"
#include "launch.h"

namespace simt
{

enum class Run : uint8_t { fresh, ready, running, at_barrier, at_warp, done };

struct Thread {
    uint3 index;     /* threadIdx */
    unsigned linear; /* within the block; also its fiber */
    Run run;
    Site site;           /* where it waits */
    int vote;            /* result of the last barrier */
    WarpRequest request; /* what it brought to the warp operation that it waits in */
    uint64_t result;     /* what it got from the last one */
    unsigned warp_epoch; /* __syncwarp of the whole warp passed so far */
};

struct Warp {
    unsigned waiting; /* lanes in a warp operation */
    unsigned done;    /* lanes that have returned */
    bool alike;       /* those that wait brought the same operation, mask and line */
};

struct Block {
    Thread threads[max_block_threads];
    Warp warps[max_block_threads / 32];
    Thread *current; /* nullptr while no kernel runs */
    const Launch *launch;
    unsigned count, live; /* threads, and those that have not returned */
    unsigned arrived;     /* threads at the block barrier */
    Site barrier_site;    /* where the first of them is */
    int vote;
    unsigned barrier_epoch; /* block barriers passed */
    uint64_t index;         /* of the block in its grid */
    uint32_t launch_number;
    bool failed; /* the launch ends: deadlock or trap */
};
extern Block block;
/* Whether this operating system thread is the one that runs kernels just now. */
extern thread_local bool runs_kernel;

/* The threads of the warp of which thread is a member, and how many there are. */
struct WarpThreads {
    Thread *lanes;
    Warp *state;
    unsigned count;

    unsigned all() const
    {
        return count == 32 ? 0xffffffffu : (1u << count) - 1;
    }
};
WarpThreads warp_of(const Thread &thread);

/* Runs the whole grid now, on the calling thread. False when a deadlock or a trap ended it. */
bool run_grid(const Launch &launch);

/* Called as a thread returns from its kernel: those that wait for it must not wait for ever. */
void leave_collectives(Thread &thread);
/* Switches from the running thread to the scheduler until something makes it ready. */
void suspend(Thread &thread);

/* Takes back the shared memory of the block; the next one gets it anew. */
void release_shared();
void set_dynamic_shared(size_t bytes, size_t granted);
AddressRange shared_arena();

void drop_async_copies(const Thread &thread);

/* --- reports ---------------------------------------------------------------------------------------------------- */

/* Counts a report of this kind; prints and keeps the text of the first, with the kernel and thread that is running. */
void report(simt_kind kind, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Whether the next report of this kind would be printed: callers spare themselves the search for the source line. */
bool first_report(simt_kind kind);

/* "file:line" of an address in code; with function names, "function at file:line". The text lives until the next call
 * but three. */
const char *source_line(const void *pc);
const char *function_name(const void *function);

/* Signal handlers get a stack of their own: a kernel's fiber may be full. */
void use_signal_stack();

struct Settings {
    simt_order order;
    uint64_t seed;
    bool quiet;
};
extern Settings settings;

/* xorshift64*: small, seeded, the same everywhere. */
class Random
{
  public:
    explicit Random(uint64_t seed) : state(seed * 0x9E3779B97F4A7C15ull | 1)
    {
    }

    uint32_t next()
    {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        return static_cast<uint32_t>(state * 0x2545F4914F6CDD1Dull >> 32);
    }

    uint32_t below(uint64_t limit)
    {
        return static_cast<uint32_t>(next() * limit >> 32);
    }

  private:
    uint64_t state;
};

} /* namespace simt */

#endif
