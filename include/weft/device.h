/* device.h - the devices that a context can be opened on.
 *
 *     for (int k = 0; k < weft_device_count("cuda"); k++) { ... }          // 0 without a GPU, never an error
 *
 *     weft_device_info info;
 *     if (weft_device_info_get("cuda", 0, &info, sizeof info) != WEFT_OK)
 *         puts(info.note);                                                  // why there is none and what helps
 *
 * "cpu" is always there. "cuda" needs the module libweft_cuda.so, which is looked for the first time that CUDA is asked
 * for: at the path that the environment variable WEFT_CUDA_MODULE gives, else beside this library (or beside the
 * program, if it is linked statically), else wherever the dynamic loader looks. It is never unloaded.
 *
 * Part of the public API; include <weft/weft.h>. */
#ifndef WEFT_DEVICE_H
#define WEFT_DEVICE_H

#include <stddef.h>
#include <weft/ctx.h>
#include <weft/dtype.h>
#include <weft/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A library that the device's backend opens when an operation first profits from it. Complete: it never grows. */
typedef struct weft_device_library {
    char name[16];    /* "cuBLASLt" */
    char version[32]; /* "13.1.0"; "" if it is not used */
    char path[256];   /* the file it came from */
    char reason[256]; /* why it is not used, what is lost by that and what helps; "" if it is used */
} weft_device_library;

#define WEFT_DEVICE_LIBRARIES 8

typedef struct weft_device_info {
    char kind[16]; /* "cpu", "cuda" (weft_device_kind) */
    int index;
    char name[128];                   /* of the product; for "cpu" of the architecture */
    size_t total_memory;              /* bytes; 0: not known */
    size_t free_memory;               /* bytes, at this moment; 0: not known */
    int cores;                        /* CPU: processors online; CUDA: streaming multiprocessors */
    int compute_major, compute_minor; /* CUDA: compute capability, 9 and 0 for an H100 */
    char driver[32];                  /* CUDA: the newest CUDA version that the driver serves, "13.0" */
    char runtime[32];                 /* CUDA: the CUDA version that the module was built with */
    char isa[16];                     /* CPU: instruction set of the kernels, "avx2" */
    char note[512];                   /* why there is no such device; or something worth knowing; or "" */
    int n_libraries;                  /* how many of libraries are filled */
    weft_device_library libraries[WEFT_DEVICE_LIBRARIES];
    int clock_khz, memory_clock_khz; /* CUDA: the highest ones; 0: the driver does not say */
    int memory_bus_bits;             /* CUDA: width of the way to the device's memory; 0 likewise */
} weft_device_info;

/* How many devices of a kind ("cpu", "cuda") there are. Any difficulty - no module, no driver, no device, an unknown
 * kind - counts as 0; weft_device_info_get tells the reason. */
WEFT_API int weft_device_count(const char *kind);

/* Fills *out; size is sizeof *out. WEFT_E_DEVICE if there is none of this kind,
 * WEFT_E_INVALID for an unknown kind or an index that is not in [0, count): then note says why. For "cuda" this opens
 * the device and its libraries, which takes a moment and some device memory. */
WEFT_API weft_status weft_device_info_get(const char *kind, int index, weft_device_info *out, size_t size);

/* The same of the device that ctx is open on. */
WEFT_API weft_status weft_ctx_device_info(const weft_ctx *ctx, weft_device_info *out, size_t size);

/* The names of the kinds of devices that this library knows, whether there is one of them or not: "cpu" for k = 0,
 * "cuda" for 1; NULL past the last one. */
WEFT_API const char *weft_device_kind(int k);

/* Whether an operation ("conv2d" or "weft_conv2d") runs on a device ("cpu", "cuda:1") when it is called with operands
 * of dtype. That is the dtype of what it computes with or moves, not of conditions, indices or classes (which are i64
 * here).
 *   WEFT_OK             yes: a call with operands that fit does not fail with WEFT_E_UNSUPPORTED for want of a kernel
 *   WEFT_E_UNSUPPORTED  the device has no kernel for it, or none for that dtype
 *   WEFT_E_DTYPE        it is not defined for that dtype, on no device
 *   WEFT_E_DEVICE       there is no such device
 *   WEFT_E_INVALID      there is no such operation or dtype, or the text names no device
 * why (at most size bytes; may be NULL) gets a sentence that names operation, dtype, device and what helps; "" for
 * WEFT_OK. The CPU and CUDA have every kernel; others may not. A gradient needs no kernel of its own: where the device
 * has none, it is computed by other operations. Opens no device but a module that was not opened yet. */
WEFT_API weft_status weft_device_supports(const char *device, const char *op, weft_dtype dtype, char *why, size_t size);

#ifdef __cplusplus
}
#endif
#endif
