/* profile.h - where the time of a context goes: each kernel launch with its time, bytes and operations.
 *
 *     weft_profile *p;
 *     if (weft_profile_begin(ctx, &p) != WEFT_OK) ...
 *     ... steps of training ...
 *     weft_profile_end(p);                                  // stops; what was measured stays
 *     for (int k = 0; k < weft_profile_ops(p, row, 64, sizeof row[0]); k++) ...
 *     weft_profile_trace(p, "trace.json");                  // for ui.perfetto.dev or chrome://tracing
 *     weft_profile_free(p);
 *
 * Without a line of code: the environment variable WEFT_PROFILE=FILE, read when a context is opened, profiles the
 * context from then on and writes a trace to FILE when it is closed (further contexts of the process: FILE.2, FILE.3
 * ...). What goes wrong with that is told to the log callback, or in a line on standard error where the context has
 * none; whether FILE can be written is looked at when the context is opened. Nothing is ever written without that
 * variable. `weft profile PROGRAM` sets it.
 *
 * On the CPU a launch is timed by the clock around its kernel. On CUDA it lies between two events in the stream, which
 * are read some hundred launches later, so that the host runs ahead of the device as it does without a profile. The
 * time between them is the device's; where it waits for the host, the host's time for the launch is in it. The trace
 * has a track for the host's launches and one for the stream, each by its own clock, aligned when the profile begins.
 * Each launch is also an NVTX range, if a tool such as Nsight Systems is there to see it.
 *
 * Operations of weft_custom have rows under their names. Their backward callbacks are counted without the operations
 * that they call, which have rows of their own (on CUDA that leaves no time).
 *
 * A weft_profile * is a handle and no address. The context owns the profile: weft_ctx_close frees one that never was,
 * after a warning with the place where it was begun. A handle whose profile was freed, either way, is safe to use: it
 * measured nothing, and freeing it again does nothing.
 *
 * Part of the public API; not included by weft.h. */
#ifndef WEFT_PROFILE_H
#define WEFT_PROFILE_H

#include <weft/weft.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_profile weft_profile;

/* All launches of one kernel in one phase. */
typedef struct weft_profile_op {
    const char *kernel; /* "matmul", or the name of a weft_custom_op; valid as long as the profile */
    const char *phase;  /* "forward", "backward", "optimiser" */
    bool gradient;      /* the fused gradient of kernel, or the backward callback */
    int64_t calls;
    double seconds; /* sum */
    double longest; /* of one call */
    double bytes;   /* read and written at least: every operand and result once, what a step changes twice */
    double flops;   /* 2 for each multiply-add of products and convolutions, else 1 for each element of the largest
                       operand or result (var_mean: 4), of steps for each element of the parameters */
} weft_profile_op;

typedef struct weft_profile_total {
    double wall;       /* seconds from begin to end */
    double in_kernels; /* seconds */
    double issuing;    /* seconds of the host in launches; on the CPU the kernels run in them */
    int64_t launches;
    int64_t kept;      /* launches in the trace: the first ones, up to 2^20; the rows and times here count all */
    size_t peak_bytes; /* most tensor data at a launch */
} weft_profile_total;

/* Starts to measure. On failure *out is NULL and the error is recorded in ctx. */
WEFT_API WEFT_MUST_CHECK weft_status weft_profile_begin(weft_ctx *ctx, weft_profile **out);
WEFT_API void weft_profile_end(weft_profile *profile);  /* twice is fine */
WEFT_API void weft_profile_free(weft_profile *profile); /* NULL is fine */

/* These may be called before the end too; they wait for the device. */

/* Fills *out, with zeros where there is no profile; size is sizeof *out. */
WEFT_API weft_status weft_profile_totals(weft_profile *profile, weft_profile_total *out, size_t size);
/* The rows, longest time first. Fills rows[0..min(number, room)) and returns the number; size is sizeof rows[0]. 0, and
 * nothing is filled, for a size that the struct never had. */
WEFT_API int weft_profile_ops(weft_profile *profile, weft_profile_op *rows, int room, size_t size);
/* The rows as a table of text, into buffer; returns the whole length as snprintf does. */
WEFT_API int weft_profile_table(weft_profile *profile, char *buffer, size_t size);
/* Writes the Chrome trace: the rows (in otherData), a slice for each launch with its shapes, place in the program,
 * bytes and FLOPs, on CUDA another one for the host's call with an arrow between them, and tensor memory over time. A
 * file at path is replaced when all is written, as io.h says of saving. WEFT_E_IO and WEFT_E_NOMEM, and WEFT_E_STATE
 * after the profile was freed, are recorded in the context. */
WEFT_API WEFT_MUST_CHECK weft_status weft_profile_trace(weft_profile *profile, const char *path);

#ifdef __cplusplus
}
#endif

#ifndef WEFT_NO_CALL_SITES
#define weft_profile_begin(...) (WEFT_HERE("profile_begin"), weft_profile_begin(__VA_ARGS__))
#endif
#endif
