/* emulator.h - how a test steers the CUDA emulator and its stand-in cudart. Plain C, so that tests in C can use it.
 *
 * The emulator has three parts: simt runs kernels (threads as fibers, one block at a time), cudart stands in for
 * NVIDIA's run-time library (queues for streams, guarded host memory as device memory), cublaslt for a subset of
 * cuBLASLt. Every setting here is process-wide. docs/testing-cuda.md tells what each mode finds. */
#ifndef WEFT_TESTS_EMULATOR_H
#define WEFT_TESTS_EMULATOR_H

#include <stddef.h>
#include <stdint.h>
#include <driver_types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Back to the defaults: forward order, eager streams, 4 GiB of memory, one device with pools, no planned failure, no
 * reports, no pending or sticky error. WEFT_SIMT_ORDER (forward, reverse, random), WEFT_SIMT_STREAMS (eager, lazy,
 * shuffle) and WEFT_SIMT_SEED in the environment change the defaults. Allocations, streams and queued work stay as they
 * are. */
void simt_reset(void);

/* --- running kernels ------------------------------------------------------------------------------------------- */

/* The order in which threads of a block and blocks of a grid run between their synchronisation points. */
typedef enum simt_order { SIMT_FORWARD, SIMT_REVERSE, SIMT_RANDOM } simt_order;
void simt_set_order(simt_order order, uint64_t seed);

/* What the emulator reports about kernels and about calls that name device memory. */
typedef enum simt_kind {
    SIMT_OUT_OF_BOUNDS,  /* access outside an allocation or a shared array */
    SIMT_USE_AFTER_FREE, /* access to freed device memory */
    SIMT_UNINITIALISED,  /* read of memory that nothing has written */
    SIMT_RACE,           /* two accesses, one a write, with no barrier between them */
    SIMT_HOST_POINTER,   /* a kernel used host memory, or the host used device memory */
    SIMT_LOCAL_MEMORY,   /* a thread used another thread's local memory */
    SIMT_MISALIGNED,     /* address not a multiple of the access size */
    SIMT_BARRIER,        /* threads of a block at different barriers, or gone before one */
    SIMT_WARP,           /* a wrong mask, or lanes in different warp operations */
    SIMT_DEADLOCK,       /* no thread of the block can go on */
    SIMT_SHARED_LIMIT,   /* more shared memory than the device has */
    SIMT_TRAP,           /* the kernel called __trap() */
    SIMT_KINDS
} simt_kind;

/* Reports since simt_reset or simt_clear_reports. The first of each kind is printed to stderr and kept as text. */
long simt_reports(simt_kind kind);
long simt_reports_total(void);
const char *simt_last_report(void); /* "" when there was none */
const char *simt_kind_name(simt_kind kind);
void simt_clear_reports(void);
void simt_set_quiet(int quiet); /* keep reports, print nothing */

/* Whether this build checks every access of a kernel, or runs under AddressSanitizer. */
int simt_has_checker(void);
int simt_has_asan(void);

/* Ends the process with a report when a test takes more processor time (0: no limit). A spin-wait shows itself this
 * way. */
void simt_set_time_limit(unsigned seconds);

/* --- streams and memory ---------------------------------------------------------------------------------------- */

/* When queued work runs: at the call; only when something waits for it; or at random later calls, in random order among
 * the streams that may go on. */
typedef enum simt_streams { SIMT_EAGER, SIMT_LAZY, SIMT_SHUFFLE } simt_streams;
void simt_set_streams(simt_streams policy, uint64_t seed);

void simt_set_memory_limit(size_t bytes);
/* Off: the host may read and write device memory. On (the default): doing so ends the process with a message. */
void simt_set_host_guard(int on);

size_t simt_device_bytes(void); /* allocated on the device now */
size_t simt_pinned_bytes(void); /* pinned host memory now */
long simt_live_handles(void);   /* streams and events that were created and not destroyed */
long simt_launches(void);       /* kernels launched since the start */

/* In stream order: fills the bytes with 0xFF and forgets that they were ever written. For a caching allocator that
 * hands a block out again, so that its next user is checked as if the memory were fresh. */
void simt_mark_uninitialised(void *device_memory, size_t bytes, cudaStream_t stream);

/* --- failures on purpose --------------------------------------------------------------------------------------- */

/* The nth call from now (1 is the next) of a function that can fail returns error and does nothing; with forever, so do
 * all calls after it. Functions that give something back (cudaFree, cudaStreamDestroy ...) do so all the same, as the
 * real ones do when they return the error of earlier work. nth 0 ends it. Kernel launches and cublasLt calls count. */
void simt_fail_call(long nth, int forever, cudaError_t error);
long simt_calls(void);              /* calls that could have failed, since simt_reset */
const char *simt_failed_call(void); /* the first function that failed on purpose since simt_fail_call, or NULL */

/* What cudaGetDeviceCount answers: up to 2 devices, which are alike and share the limit of memory. With an error there
 * is none, as on a machine without a driver. */
void simt_set_devices(int count, cudaError_t error);

/* Off: the devices have no memory pools, and the stream-ordered functions fail. On: the default. */
void simt_set_pools(int on);

#ifdef __cplusplus
}
#endif
#endif
