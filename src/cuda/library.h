/* library.h - NVIDIA's libraries that are opened at run time, when an operation first profits from one. A missing or
 * unfit one costs speed, never an operation. Of NVRTC (compilation at run time) and NCCL (sums over several GPUs) only
 * the presence and the version are told: nothing here uses them.
 *
 * Where each is looked for: the path in its environment variable (WEFT_CUBLASLT, WEFT_CUDNN, WEFT_NVRTC, WEFT_NCCL,
 * WEFT_CUFFT, WEFT_CUSOLVER), or "none" there to do without, or "self" for a program that has it linked; else wherever
 * the dynamic loader looks; else /usr/local/cuda/lib64. */
#ifndef WEFT_CUDA_LIBRARY_H
#define WEFT_CUDA_LIBRARY_H

#include "device.h"

typedef enum weft__cuda_library {
    WEFT__CUDA_CUBLASLT,
    WEFT__CUDA_CUDNN,
    WEFT__CUDA_NVRTC,
    WEFT__CUDA_NCCL,
    WEFT__CUDA_CUFFT,
    WEFT__CUDA_CUSOLVER,
    WEFT__CUDA_LIBRARIES
} weft__cuda_library;

typedef struct weft__cuda_opened {
    void *handle;     /* NULL: reason tells why */
    int version;      /* 10000 major + 100 minor + patch */
    char path[256];   /* the file, as far as it is known */
    char reason[256]; /* and what helps */
} weft__cuda_opened;

/* Opens a library; an open one is only counted again. It is never closed: these libraries keep threads and device
 * state. */
void weft__cuda_library_open(weft__cuda_library which, weft__cuda_opened *opened);

/* Fills functions[0..n) with the functions of these names. False: one is missing; handle becomes NULL, with the
 * reason. */
bool weft__cuda_library_functions(weft__cuda_opened *opened, int n, const char *const *names, void (**functions)(void));

/* Problems from which size on a library is used, whatever the rule of its launchers says: a number in this environment
 * variable, for measuring and for tests. 0: by the rule. */
int64_t weft__cuda_library_from(const char *variable);

#endif
