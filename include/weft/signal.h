/* signal.h - constants of signal processing: windows for weft_stft, the filters that make a spectrum one of mels.
 *
 *     weft_tensor *window = weft_window(ctx, WEFT_F32, WEFT_WINDOW_KIND_HANN, 400, true, 0);
 *     weft_tensor *power = weft_square(weft_complex_abs(weft_stft(x, window, 160, true)));   // [..., 201, pieces]
 *     weft_tensor *filters = weft_mel_filters(ctx, WEFT_F32, 80, 201, 16000, 0, 8000, WEFT_MEL_SCALE_SLANEY);
 *     weft_tensor *mel = weft_log(weft_clamp(weft_matmul(filters, power), 1e-10, 1e10));  // [..., 80, pieces]
 *
 * Each is a new tensor of the innermost scope, of a floating dtype, without a gradient; it is computed in f64 and
 * rounded once. An error is recorded in the context, and NULL returned.
 *
 * Part of the public API; include <weft/weft.h>. */
#ifndef WEFT_SIGNAL_H
#define WEFT_SIGNAL_H

#include <weft/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Over t = k / N, where N is n of a periodic window and n - 1 of a symmetric one:
 *   HANN      0.5 - 0.5 cos(2 pi t)
 *   HAMMING   0.54 - 0.46 cos(2 pi t)
 *   BLACKMAN  0.42 - 0.5 cos(2 pi t) + 0.08 cos(4 pi t)
 *   BARTLETT  1 - |2 t - 1|, a triangle
 *   KAISER    I0(beta sqrt(1 - (2 t - 1)^2)) / I0(beta), I0 the modified Bessel function of order 0
 * Source: Harris 1978; PyTorch's torch.hann_window and its like. */
typedef enum weft_window_kind {
    WEFT_WINDOW_KIND_HANN,
    WEFT_WINDOW_KIND_HAMMING,
    WEFT_WINDOW_KIND_BLACKMAN,
    WEFT_WINDOW_KIND_BARTLETT,
    WEFT_WINDOW_KIND_KAISER
} weft_window_kind;

/* A window [n], n >= 0; of one element it is 1. periodic for spectra of pieces that overlap, symmetric to design
 * filters. beta, 0 to 700, is KAISER's alone. WEFT_E_DTYPE, WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_window(weft_ctx *ctx, weft_dtype dtype, weft_window_kind kind, int64_t n, bool periodic,
                                  double beta);

/* How mels follow from a frequency f in Hz, and how high the triangles are:
 *   HTK     mel = 2595 log10(1 + f / 700), each filter as high as 1 (torchaudio's default)
 *   SLANEY  mel = 3 f / 200 up to 1000 Hz, above it 15 + 27 log(f / 1000) / log 6.4; each filter's area is 1
 *           (librosa's default) */
typedef enum weft_mel_scale { WEFT_MEL_SCALE_HTK, WEFT_MEL_SCALE_SLANEY } weft_mel_scale;

/* Filters [mels, bins]: triangles over the frequencies of bins = n / 2 + 1 elements of a spectrum (0 to half of
 * rate, in Hz), with corners that are equally far apart in mels from `from` to `to` Hz; filter k rises from corner k
 * to k + 1 and falls to k + 2. mels >= 1, bins >= 2, rate > 0, 0 <= from < to <= rate / 2. WEFT_E_DTYPE,
 * WEFT_E_SHAPE, WEFT_E_INVALID. */
WEFT_API weft_tensor *weft_mel_filters(weft_ctx *ctx, weft_dtype dtype, int64_t mels, int64_t bins, double rate,
                                       double from, double to, weft_mel_scale scale);

#ifdef __cplusplus
}
#endif

#ifndef WEFT_NO_CALL_SITES
#define weft_window(...) (WEFT_HERE("window"), weft_window(__VA_ARGS__))
#define weft_mel_filters(...) (WEFT_HERE("mel_filters"), weft_mel_filters(__VA_ARGS__))
#endif
#endif
