/* host.h - what the files of the CUDA backend's host side share. */
#ifndef WEFT_CUDA_HOST_H
#define WEFT_CUDA_HOST_H

#include "device.h"

#if defined(__GNUC__)
#define WEFT__PRINTF(at) __attribute__((format(printf, at, at + 1)))
#else
#define WEFT__PRINTF(at)
#endif

/* ---- Errors (fault.c) ---- */

/* Why a call that is not an operation failed: "<what>: <CUDA's text>" becomes d->message. Returns the status for
 * error. */
weft_status weft__cuda_fail(weft__cuda_device *d, cudaError_t error, const char *what);

/* Queues a copy of the fault record to where the host can read it, if a kernel may have written one. */
cudaError_t weft__cuda_fault_fetch(weft__cuda_device *d);

/* After a synchronisation: WEFT_E_INVALID with d->message if a kernel has reported an index, and clears the record. The
 * text names the operation if with_op. */
weft_status weft__cuda_fault_check(weft__cuda_device *d, bool with_op);

/* ---- Memory (memory.c): on the device's stream, counted in d->live_bytes, also for the parts ---- */

void *weft__cuda_alloc(weft__cuda_device *d, size_t bytes); /* NULL: out of memory, or what d->message then tells */
void weft__cuda_free(weft__cuda_device *d, void *block, size_t bytes);

/* ---- Copies (transfer.c) ---- */

enum { WEFT__CUDA_SLOTS = 4 };

/* Pinned host memory that copies go through. A slot fills up with uploads until it is full; its event tells when the
 * last of them has been read and it may be filled again. */
typedef struct weft__cuda_slot {
    unsigned char *memory; /* NULL until needed */
    cudaEvent_t event;
    size_t used;
    bool waiting; /* event is recorded and nothing has waited for it */
} weft__cuda_slot;

typedef struct weft__cuda_staging {
    unsigned char *landing; /* a page: the fault record, then small downloads */
    weft__cuda_slot slots[WEFT__CUDA_SLOTS];
    int current;
    cudaEvent_t crossing; /* where copies to and from other contexts meet; NULL until needed */
} weft__cuda_staging;

cudaError_t weft__cuda_staging_open(weft__cuda_device *d);
void weft__cuda_staging_close(weft__cuda_device *d);

weft_status weft__cuda_to_host(weft__cuda_device *d, void *host, const void *block, size_t bytes);
weft_status weft__cuda_from_host(weft__cuda_device *d, void *block, const void *host, size_t bytes);

/* With d current; other may be on the same GPU or another. */
weft_status weft__cuda_from_device(weft__cuda_device *d, void *block, weft__cuda_device *other, const void *from,
                                   size_t bytes);

/* Waits for the stream, then looks for faults. what begins the message of an error. */
weft_status weft__cuda_wait(weft__cuda_device *d, const char *what);

/* The stream is known to be idle: every slot may be filled again. */
void weft__cuda_staging_idle(weft__cuda_device *d);

/* ---- Operations ---- */

typedef struct weft__cuda_table {
    weft__kernel run[WEFT_OP_COUNT];
    weft__kernel grad[WEFT_OP_COUNT];
} weft__cuda_table;

extern const weft__cuda_table weft__cuda_kernels; /* table.c */

/* Runs e->op's launcher on arrays that its contract allows, converting where needed (driver.c). */
weft_status weft__cuda_drive(const weft__exec *e);

/* Runs launch on contiguous arrays: the attention of our own, which takes no strides. */
weft_status weft__cuda_drive_dense(const weft__exec *e, weft__kernel launch);

/* The libraries of weft_device_info (library.c). */
void weft__cuda_describe_libraries(weft_device_info *info);

/* Which devices there are, and what they are (probe.c). */
int weft__cuda_count(char *why, size_t size);
weft_status weft__cuda_info(int index, weft_device_info *info);

/* The clock of the vtable (clock.c). */
void *weft__cuda_clock_open(void *device, int n);
void weft__cuda_clock_close(void *clock);
weft_status weft__cuda_clock_mark(void *clock, int mark);
weft_status weft__cuda_clock_between(void *clock, int from, int to, double *seconds);

/* The host's current device is set to d's for the length of a call, and back. */
cudaError_t weft__cuda_enter(const weft__cuda_device *d, int *was);
void weft__cuda_leave(const weft__cuda_device *d, int was);

extern const weft__backend weft__cuda_backend;

#endif
