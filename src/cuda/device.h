/* device.h - a context's state on a CUDA device, and the record that kernels leave errors in. C17 and C++17. */
#ifndef WEFT_CUDA_DEVICE_H
#define WEFT_CUDA_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cuda_runtime_api.h>
#include "engine/backend.h"

/* In device memory, all zero until a kernel finds an index out of range (weft__cuda_report in launch.h), or a matrix
 * that has no result. The host looks at its next synchronisation and turns it into an error (fault.c). */
typedef struct weft__cuda_fault {
    uint32_t set;     /* 0: nothing found; the kernel that turns it into 1 fills in the rest */
    int32_t op;       /* weft_op: what the program called */
    int64_t position; /* row-major number of the element of the index array, or the matrix's in its batch */
    int64_t value;    /* the index found there, or what is wrong with the matrix (base/linalg.h) */
    int64_t limit;    /* it must be in [0, limit); -1: of a matrix */
} weft__cuda_fault;

/* State of a part of the backend that needs more than a stream (cuBLASLt, cuDNN, cuFFT, cuSOLVER), made on its first
 * use. */
typedef enum weft__cuda_part {
    WEFT__CUDA_BLAS,
    WEFT__CUDA_DNN,
    WEFT__CUDA_FFT,
    WEFT__CUDA_SOLVER,
    WEFT__CUDA_PARTS
} weft__cuda_part;

/* Blocks of a launch that a multiprocessor holds at a time (weft__cuda_resident in launch.h). kernel NULL: nothing
 * yet. */
typedef struct weft__cuda_resident_blocks {
    const void *kernel;
    size_t shared;
    int threads, each;
} weft__cuda_resident_blocks;

enum { WEFT__CUDA_RESIDENTS = 16 };

typedef struct weft__cuda_device weft__cuda_device;
struct weft__cuda_device {
    cudaStream_t stream; /* everything of a context runs on it, in order */
    int ordinal;
    int sm_count;
    int compute_major, compute_minor;
    size_t shared_per_block;        /* a block's shared memory, static and dynamic, without asking ... */
    size_t shared_per_block_opt_in; /* ... and after weft_allow_shared */
    weft__cuda_fault *fault;        /* device memory */
    weft__cuda_resident_blocks residents[WEFT__CUDA_RESIDENTS];

    /* NULL until the part is used; close is called with the stream idle, before the stream goes. */
    struct {
        void *state;
        void (*close)(weft__cuda_device *d, void *state);
    } parts[WEFT__CUDA_PARTS];

    weft__device_options options; /* host memory goes through its hooks */

    /* The host side's own (src/cuda). */
    bool fault_possible; /* a kernel that may report has been launched since the record was last read */
    bool sync;           /* WEFT_SYNC=1: synchronise after each operation */
    bool pools;          /* the device has stream-ordered allocation */
    struct weft__cuda_staging *staging;
    size_t live_bytes; /* device memory that the context holds, work spaces of the parts included */
    char message[512]; /* why the last call that is not an operation failed */
};

#endif
