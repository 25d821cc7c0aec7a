/* test_fft.c - what Fourier transforms promise beyond their values: a line's transform depends on no other line, bit
 * for bit; long lines of every kind; what is refused. */
#include <math.h>
#include <string.h>

#include "harness/test_ctx.h"
#include "harness/weft_test.h"

/* Bits of the transforms of all lines of x [lines, n, ...]: together, side by side in memory, and each by itself. */
static void check_lines(weft_ctx *ctx, weft_tensor *x, weft_tensor *(*transform)(weft_tensor *, int64_t))
{
    static char together[1 << 20], other[1 << 20];
    weft_tensor *y = weft_contiguous(transform(x, 1));
    const size_t bytes = (size_t)weft_count(y) * weft_dtype_size(weft_dtype_of(y));
    const int64_t lines = weft_size(x, 0);
    WEFT_REQUIRE(bytes <= sizeof together && weft_read(ctx, y, together, bytes) == WEFT_OK);
    weft_tensor *side = weft_contiguous(weft_transpose(x, 0, 1));
    WEFT_REQUIRE(weft_read(ctx, weft_contiguous(weft_transpose(transform(side, 0), 0, 1)), other, bytes) == WEFT_OK);
    WEFT_CHECK(memcmp(together, other, bytes) == 0);
    for (int64_t k = 0; k < lines; k++) {
        weft_tensor *one = transform(weft_contiguous(weft_slice(x, 0, k, k + 1, 1)), 1);
        WEFT_REQUIRE(weft_read(ctx, one, other + (size_t)k * (bytes / (size_t)lines), bytes / (size_t)lines) ==
                     WEFT_OK);
    }
    WEFT_CHECK(memcmp(together, other, bytes) == 0);
}

static weft_tensor *there(weft_tensor *x, int64_t dim)
{
    return weft_fft(x, dim, WEFT_FFT_NORM_BACKWARD);
}

static weft_tensor *half_spectrum(weft_tensor *x, int64_t dim)
{
    return weft_rfft(x, dim, WEFT_FFT_NORM_BACKWARD);
}

static weft_tensor *from_half_odd(weft_tensor *x, int64_t dim)
{
    return weft_irfft(x, 2 * weft_size(x, dim) - 1, dim, WEFT_FFT_NORM_BACKWARD);
}

static weft_tensor *from_half_even(weft_tensor *x, int64_t dim)
{
    return weft_irfft(x, 2 * weft_size(x, dim) - 2, dim, WEFT_FFT_NORM_BACKWARD);
}

WEFT_TEST(Fft, OfALineDependsOnNoOther)
{
    fault_memory memory = {0};
    weft_ctx *ctx = fault_ctx_open(&memory);
    static const int64_t sizes[] = {2, 7, 16, 30, 53, 64, 100, 243};
    for (int k = 0; k < (int)(sizeof sizes / sizeof sizes[0]); k++)
        for (int wide = 0; wide < 2; wide++) {
            const int mark = weft_scope_push(ctx);
            const weft_dtype dtype = wide ? WEFT_F64 : WEFT_F32;
            weft_tensor *real = weft_randn(ctx, dtype, WEFT_DIMS(37, sizes[k]), 0, 1);
            weft_tensor *pairs = weft_randn(ctx, dtype, WEFT_DIMS(37, sizes[k], 2), 0, 1);
            check_lines(ctx, pairs, there);
            check_lines(ctx, real, half_spectrum);
            check_lines(ctx, pairs, from_half_odd);
            check_lines(ctx, pairs, from_half_even);
            WEFT_REQUIRE(weft_scope_pop(ctx, mark) == WEFT_OK);
        }
    fault_ctx_close(ctx, &memory);
}

/* e^(2 pi i f j / n) has one frequency; and back it is the same. Sizes around those at which lines go together. */
WEFT_TEST(Fft, FindsAFrequency)
{
    fault_memory memory = {0};
    weft_ctx *ctx = fault_ctx_open(&memory);
    static const int64_t sizes[] = {1, 500, 1021, 4096, 10007, 1 << 15, 60000};
    static double wave[2 * 60000], found[2 * 60000];
    for (int k = 0; k < (int)(sizeof sizes / sizeof sizes[0]); k++) {
        const int mark = weft_scope_push(ctx);
        const int64_t n = sizes[k], f = n / 3;
        for (int64_t j = 0; j < n; j++) {
            const double turn = 2 * 3.14159265358979323846 * (double)(f * j % n) / (double)n;
            wave[2 * j] = cos(turn);
            wave[2 * j + 1] = sin(turn);
        }
        weft_tensor *x = weft_from_data(ctx, WEFT_F64, WEFT_DIMS(n, 2), wave), *y = there(x, 0);
        WEFT_REQUIRE(weft_read(ctx, y, found, (size_t)n * 2 * sizeof *found) == WEFT_OK);
        for (int64_t j = 0; j < n; j++) {
            WEFT_CHECK(fabs(found[2 * j] - (j == f ? (double)n : 0)) <= 1e-13 * (double)n);
            WEFT_CHECK(fabs(found[2 * j + 1]) <= 1e-13 * (double)n);
        }
        WEFT_REQUIRE(weft_read(ctx, weft_ifft(y, 0, WEFT_FFT_NORM_BACKWARD), found, (size_t)n * 2 * sizeof *found) ==
                     WEFT_OK);
        for (int64_t j = 0; j < 2 * n; j++)
            WEFT_CHECK(fabs(found[j] - wave[j]) <= 1e-13);
        WEFT_REQUIRE(weft_scope_pop(ctx, mark) == WEFT_OK);
    }
    fault_ctx_close(ctx, &memory);
}

WEFT_TEST(Fft, SaysWhatDoesNotFit)
{
    fault_memory memory = {0};
    weft_ctx *ctx = fault_ctx_open(&memory);
    weft_tensor *x = weft_zeros(ctx, WEFT_F32, WEFT_DIMS(3, 8, 2)), *empty = weft_zeros(ctx, WEFT_F32, WEFT_DIMS(3, 0));
    check_no_result(ctx, weft_fft(x, 2, WEFT_FFT_NORM_BACKWARD), WEFT_E_INVALID, "dim 2 of");
    check_no_result(ctx, weft_fft(empty, 0, WEFT_FFT_NORM_BACKWARD), WEFT_E_SHAPE, "last dim must be 2");
    check_no_result(ctx, weft_fft(x, 1, (weft_fft_norm)3), WEFT_E_INVALID, "none of weft_fft_norm");
    check_no_result(ctx, weft_rfft(empty, 1, WEFT_FFT_NORM_BACKWARD), WEFT_E_SHAPE, "no elements to transform");
    check_no_result(ctx, weft_irfft(x, 13, 1, WEFT_FFT_NORM_BACKWARD), WEFT_E_SHAPE, "use n 14 or 15");
    check_no_result(ctx, weft_fftn(x, (const int64_t[]){0, 0}, 2, WEFT_FFT_NORM_BACKWARD), WEFT_E_INVALID,
                    "given twice");
    weft_tensor *line = weft_zeros(ctx, WEFT_F32, WEFT_DIMS(8)), *window = weft_ones(ctx, WEFT_F32, WEFT_DIMS(9));
    check_no_result(ctx, weft_stft(line, window, 2, false), WEFT_E_SHAPE, "shorter than the window");
    check_no_result(ctx, weft_stft(line, window, 0, true), WEFT_E_INVALID, "hop is 0");
    check_no_result(ctx, weft_istft(x, window, 2, true, -1), WEFT_E_SHAPE, "half the spectrum");
    check_no_result(ctx, weft_complex_mul(line, x), WEFT_E_SHAPE, "pairs of real and imaginary parts");
    fault_ctx_close(ctx, &memory);
}
