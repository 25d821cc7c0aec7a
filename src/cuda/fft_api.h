/* fft_api.h - the part of cuFFT that Weft calls. It is opened at run time and its header is not needed to build, so
 * its types and numbers stand here; the stand-in (tests/emulator/cufft) compares them with the header where there is
 * one. */
#ifndef WEFT_CUDA_FFT_API_H
#define WEFT_CUDA_FFT_API_H

#include <stddef.h>
#include <driver_types.h>

typedef int weft__fft_handle; /* cufftHandle */

enum {
    WEFT__FFT_SUCCESS = 0,
    WEFT__FFT_ALLOC_FAILED = 2, /* of cufftResult */
    WEFT__FFT_R2C = 0x2a,
    WEFT__FFT_C2R = 0x2c,
    WEFT__FFT_C2C = 0x29,
    WEFT__FFT_D2Z = 0x6a,
    WEFT__FFT_Z2D = 0x6c,
    WEFT__FFT_Z2Z = 0x69, /* of cufftType */
    WEFT__FFT_FORWARD = -1,
    WEFT__FFT_INVERSE = 1
};

/* In the order of WEFT__FFT_FUNCTIONS. */
typedef struct weft__fft_api {
    int (*create)(weft__fft_handle *plan);
    int (*destroy)(weft__fft_handle plan);
    int (*set_stream)(weft__fft_handle plan, cudaStream_t stream);
    int (*set_auto_allocation)(weft__fft_handle plan, int on);
    int (*set_work_area)(weft__fft_handle plan, void *area);
    int (*make_plan)(weft__fft_handle plan, int rank, long long *n, long long *inembed, long long istride,
                     long long idist, long long *onembed, long long ostride, long long odist, int type, long long batch,
                     size_t *work_size);
    int (*c2c)(weft__fft_handle plan, void *in, void *out, int direction);
    int (*r2c)(weft__fft_handle plan, void *in, void *out);
    int (*c2r)(weft__fft_handle plan, void *in, void *out);
    int (*z2z)(weft__fft_handle plan, void *in, void *out, int direction);
    int (*d2z)(weft__fft_handle plan, void *in, void *out);
    int (*z2d)(weft__fft_handle plan, void *in, void *out);
} weft__fft_api;

#define WEFT__FFT_FUNCTIONS                                                                                            \
    "cufftCreate", "cufftDestroy", "cufftSetStream", "cufftSetAutoAllocation", "cufftSetWorkArea",                     \
        "cufftMakePlanMany64", "cufftExecC2C", "cufftExecR2C", "cufftExecC2R", "cufftExecZ2Z", "cufftExecD2Z",         \
        "cufftExecZ2D"

#endif
