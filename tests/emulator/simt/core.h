/* core.h - the part of the emulator that inline kernel code calls: source positions, built-in variables, shared memory,
 * barriers, warp operations, asynchronous copies. */
#ifndef WEFT_TESTS_SIMT_CORE_H
#define WEFT_TESTS_SIMT_CORE_H

#include <vector_types.h>
#include <cstddef>
#include <cstdint>

/* Wrappers that touch memory for a kernel must be inlined, so that a report names the kernel's line. */
#define SIMT_INLINE inline __attribute__((always_inline))
/* The emulator's own accesses in kernel code are checked by hand, not by the compiler's hooks. */
#define SIMT_UNCHECKED __attribute__((no_sanitize("thread")))

namespace simt
{

/* A place in the kernel's source. As a default argument, here() is the caller's line. */
struct Site {
    const char *file;
    int line;

    static constexpr Site here(const char *file = __builtin_FILE(), int line = __builtin_LINE())
    {
        return Site{file, line};
    }
};

/* threadIdx, blockIdx, blockDim and gridDim of the running thread. */
struct Builtins {
    uint3 thread_idx, block_idx;
    dim3 block_dim, grid_dim;
};
extern Builtins builtins;

/* The block's shared array that belongs to key: carved and filled with 0xFF at the first call in a block. */
void *shared_array(const void *key, size_t bytes, size_t alignment);
void *dynamic_shared();

/* __syncthreads and its voting forms. Returns the vote's result. */
enum class Vote { none, count, all, any };
int block_barrier(Vote vote, int predicate, Site site);

enum class WarpOp {
    shuffle,
    shuffle_up,
    shuffle_down,
    shuffle_xor,
    ballot,
    any,
    all,
    sync,
    add,
    min,
    max,
    min_signed,
    max_signed,
    bit_and,
    bit_or,
    bit_xor,
    match_any
};

/* What a lane brings to a warp operation. value holds up to 8 bytes; argument is the source lane, distance or mask of a
 * shuffle, within segments of width lanes. */
struct WarpRequest {
    WarpOp op;
    unsigned mask;
    uint64_t value;
    unsigned argument;
    unsigned width;
    Site site;
};
uint64_t warp_operation(const WarpRequest &request);
unsigned active_mask();

/* Told of every atomic access before it is made; a no-op in builds without the access checker. */
void atomic_access(const void *address, size_t bytes, const void *pc);

/* 16-byte copies that happen only at the wait, so that a missing wait shows. */
void async_copy(void *shared, const void *global, size_t bytes, Site site);
void async_commit();
void async_wait(unsigned keep);

/* Ends the launch with a report. */
void trap(Site site);

} /* namespace simt */

#endif
