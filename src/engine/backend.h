/* backend.h - the interface between the engine and a device: plain tables of functions in both directions.
 *
 * A backend fills weft__backend; the engine fills weft__host. Nothing else crosses the border, so that a backend can
 * be a module that imports no symbol of the library. */
#ifndef WEFT_ENGINE_BACKEND_H
#define WEFT_ENGINE_BACKEND_H

#include <stddef.h>
#include <weft/device.h>
#include <weft/status.h>
#include "base/array.h"
#include "base/attrs.h"
#include "base/op_table.h"

typedef struct weft__exec weft__exec;
typedef weft_status (*weft__kernel)(const weft__exec *e);

/* Where the kernels of a device ask for other operands than the record says (op_def.h); bit k is in[k]. */
typedef struct weft__exception {
    uint8_t any_dtype; /* operands that are computed with, and taken in any dtype all the same */
    uint8_t dense;     /* operands that must be contiguous, although the row lets them be strided */
    bool wide;         /* integers must be i64, although small ones are fine elsewhere */
} weft__exception;

/* What the kernels of a device need beyond what the row says. */
typedef struct weft__needs {
    weft__kernel copy;                                             /* of COPY: any dtypes, any strides */
    weft_status (*step)(const weft__exec *e, weft__kernel kernel); /* optimiser steps; NULL: the kernel alone */
    bool halves;                                                   /* f16 and bf16 are computed with as they come */
    bool small_integers;                                           /* i32, i8, u8 and bool likewise */
    const weft__exception *exceptions;                             /* WEFT_OP_COUNT of them */
} weft__needs;

/* Services of the engine to a running kernel. */
typedef struct weft__host {
    size_t struct_size;
    /* Records "<op>: <message>" as the context's error and returns status, so that a kernel can return it. */
    weft_status (*fail)(const weft__exec *e, weft_status status, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
    /* 64-byte aligned memory of the executing device until the kernel returns; NULL (error already recorded) when out
     * of memory: return WEFT_E_NOMEM then. Not to be called from inside a parallel region. */
    void *(*scratch)(const weft__exec *e, size_t bytes);
    /* Likewise, but NULL is no error: the kernel can do with less. */
    void *(*try_scratch)(const weft__exec *e, size_t bytes);
    /* Runs kernel for e->op on arrays that its contract allows, converting before and after where needed. */
    weft_status (*drive)(const weft__exec *e, const weft__needs *needs, weft__kernel kernel);
    /* Whether the row has operands whose elements may be out of range. */
    bool (*checks_positions)(weft_op op);
} weft__host;

/* One operation to run. */
struct weft__exec {
    weft_op op;
    weft_op caller; /* the operation that the program called, for messages: op, or a composite that it is a part of */
    int32_t n_in, n_out;
    const weft__array *const *in; /* entries may be NULL where the contract (ops.def) says so */
    weft__array *const *out;
    const weft__attrs *attrs;
    const weft__host *host;
    void *device; /* the backend's own state for this context: thread pool, stream ... */
    void *engine; /* the engine's own */
};

/* The launch of a COPY kernel within another launch: to = from, converting; both of one shape. */
static inline weft_status weft__copy_within(const weft__exec *e, weft__kernel copy, const weft__array *from,
                                            weft__array *to)
{
    weft__exec c = *e;
    c.op = WEFT_OP_COPY;
    c.in = &from;
    c.out = &to;
    c.n_in = c.n_out = 1;
    c.attrs = NULL;
    return copy(&c);
}

/* What the caller calls the operand whose elements may be out of range. */
static inline const char *weft__positions_name(weft_op caller)
{
    switch ((int)caller) {
    case WEFT_OP_NLL:
    case WEFT_OP_CROSS_ENTROPY:
    case WEFT_OP_CROSS_ENTROPY_WITH:
    case WEFT_OP_CROSS_ENTROPY_GRAD:
        return "target";
    default:
        return "index";
    }
}

/* Scratch memory for count elements of size bytes. */
static inline void *weft__scratch(const weft__exec *e, int64_t count, size_t size)
{
    size_t bytes;
    (void)weft__bytes_of(count, size, &bytes); /* too many: the host refuses SIZE_MAX */
    return e->host->scratch(e, bytes);
}

typedef struct weft__device_options {
    int threads;                                                /* CPU: worker threads including the caller; >= 1 */
    void *(*alloc)(void *user, size_t bytes, size_t alignment); /* host memory hooks of the context */
    void (*free)(void *user, void *block, size_t bytes);
    void *user;
    int index;                    /* which device of the kind, from 0 */
    bool allow_tf32, time_matmul; /* CUDA: as in weft_options (weft/ctx.h) */
    const char *matmul_choices;
    bool batch_invariant; /* as in weft_options */
} weft__device_options;

typedef struct weft__backend {
    const char *name; /* "cpu", "cuda" ... (registry.h) */
    bool host_memory; /* the host may read and write its memory directly */
    /* A context's state on this device; error text goes to message (at most size bytes). */
    weft_status (*open)(const weft__device_options *options, void **device, char *message, size_t size);
    /* Returns the bytes of device memory that were not given back: 0, or there is a defect. */
    size_t (*close)(void *device);
    /* Device memory, 64-byte aligned (256 on CUDA); NULL when out of memory, or for what message then tells. The engine
     * caches blocks above this. */
    void *(*alloc)(void *device, size_t bytes);
    void (*free)(void *device, void *block, size_t bytes);
    /* Copies between this device and the host; both return when the host side may be reused or read. These three also
     * give the first error of work that was queued before. */
    weft_status (*to_host)(void *device, void *host, const void *block, size_t bytes);
    weft_status (*from_host)(void *device, void *block, const void *host, size_t bytes);
    weft_status (*synchronize)(void *device);
    /* Copies from the memory of another context's device of the same backend: after the work that is queued there, and
     * before what is queued there later. NULL: it goes by way of the host. */
    weft_status (*from_device)(void *device, void *block, void *other, const void *from, size_t bytes);
    /* A sentence on why the last of the calls above failed, valid until the next one; NULL: there are no such texts. */
    const char *(*message)(void *device);
    /* Calls call with the device current and the stream that its work is queued on (a cudaStream_t), for work of
     * others; returns what it returns. NULL: the device has no stream. */
    weft_status (*with_stream)(void *device, weft_status (*call)(void *stream, void *user), void *user);
    /* A clock in the queue of work, for profiles: n marks, numbered from 0. NULL: work is done when its call returns,
     * or the clock cannot be had (message tells). Marks may be set again. */
    void *(*clock_open)(void *device, int n);
    void (*clock_close)(void *clock);
    /* Puts a mark behind the work that was queued before. */
    weft_status (*clock_mark)(void *clock, int mark);
    /* Seconds from one mark to a later one; waits until the device has reached that. */
    weft_status (*clock_between)(void *clock, int from, int to, double *seconds);
    /* How many devices of the kind there are; for 0 why tells the reason (at most size bytes), else it is "". */
    int (*count)(char *why, size_t size);
    /* Fills in what is known of a device; kind and index are set. */
    weft_status (*info)(int index, weft_device_info *info);
    /* Whether the kernel of a row computes with, or moves, elements of this dtype. NULL: every kernel takes every dtype
     * that its row does. Such a device must still copy, convert and fill all dtypes. */
    bool (*supports)(weft_op op, int32_t dtype);
    weft__kernel run[WEFT_OP_COUNT];  /* NULL: it has none; for VIEW and COMPOSITE rows there is none to have */
    weft__kernel grad[WEFT_OP_COUNT]; /* fused first-order gradients of UNARY(_P), BINARY and TERNARY rows */
} weft__backend;

const weft__backend *weft__cpu_backend(void);

#endif
