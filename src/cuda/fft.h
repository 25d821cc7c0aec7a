/* fft.h - what cuFFT needs before and after it, by kernels (kernels/fft.cu). C17 and C++17. */
#ifndef WEFT_CUDA_FFT_H
#define WEFT_CUDA_FFT_H

#include "engine/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Which way a transform goes: pairs to pairs, numbers to half a spectrum, or back. */
typedef enum weft__fft_kind { WEFT__FFT_PAIRS, WEFT__FFT_FROM_REAL, WEFT__FFT_TO_REAL } weft__fft_kind;

/* The lines of e's arrays, which are [outer, n, inner]; inside halves are f32. */
typedef struct weft__fft_lines {
    weft__fft_kind kind;
    int64_t outer, n, half, inner; /* n real numbers, or pairs; half a spectrum has n / 2 + 1 */
    bool wide;                     /* f64 */
} weft__fft_lines;

weft__fft_lines weft__cuda_fft_lines(const weft__exec *e);

/* A line fits into a block's shared memory, where it is read and written once. */
bool weft__cuda_fft_is_short(const weft__exec *e, const weft__fft_lines *l);

/* to = the lines of x, one behind the other: n numbers, n pairs, or the half spectrum of a line. */
weft_status weft__cuda_fft_gather(const weft__exec *e, void *to);

/* y = the lines in from, with the scale and what adjoint asks for; from NULL: they are in y already. */
weft_status weft__cuda_fft_spread(const weft__exec *e, const void *from);

#ifdef __cplusplus
}
#endif

#endif
