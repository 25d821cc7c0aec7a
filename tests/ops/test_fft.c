/* test_fft.c - Fourier transforms of lines that the golden records are too small for: more than a block's shared memory
 * holds, lines side by side in memory, primes. */
#include "device/both.h"

#include <stdio.h>

#include "harness/weft_test.h"

typedef struct fft_case {
    weft_dtype dtype;
    int64_t outer, n, inner;
} fft_case;

static fft_case cases[] = {
    {WEFT_F32, 5, 2048, 1}, {WEFT_F64, 2, 1536, 3}, {WEFT_F32, 2, 6144, 1}, {WEFT_F64, 1, 4375, 2},
    {WEFT_F32, 1, 1009, 2}, {WEFT_BF16, 3, 600, 1}, {WEFT_F16, 2, 77, 5},   {WEFT_F32, 300, 30, 1},
};
enum { CASES = sizeof cases / sizeof cases[0] };

static weft_tensor *pairs_there(weft_ctx *ctx, void *user)
{
    const fft_case *c = user;
    const int64_t shape[] = {c->outer, c->n, c->inner, 2};
    return weft_fft(both_input(ctx, c->dtype, shape, 4, -1, 1, 7), 1, WEFT_FFT_NORM_ORTHO);
}

static weft_tensor *pairs_back(weft_ctx *ctx, void *user)
{
    const fft_case *c = user;
    const int64_t shape[] = {c->outer, c->n, c->inner, 2};
    return weft_ifft(both_input(ctx, c->dtype, shape, 4, -1, 1, 8), 1, WEFT_FFT_NORM_ORTHO);
}

static weft_tensor *from_real(weft_ctx *ctx, void *user)
{
    const fft_case *c = user;
    const int64_t shape[] = {c->outer, c->n, c->inner};
    return weft_rfft(both_input(ctx, c->dtype, shape, 3, -1, 1, 9), 1, WEFT_FFT_NORM_ORTHO);
}

static weft_tensor *to_real(weft_ctx *ctx, void *user)
{
    const fft_case *c = user;
    const int64_t shape[] = {c->outer, c->n / 2 + 1, c->inner, 2};
    return weft_irfft(both_input(ctx, c->dtype, shape, 4, -1, 1, 10), c->n, 1, WEFT_FFT_NORM_ORTHO);
}

/* The derivatives, which are transforms with halved or doubled numbers. */
static weft_tensor *gradient_from_real(weft_ctx *ctx, void *user)
{
    const fft_case *c = user;
    const int64_t in[] = {c->outer, c->n, c->inner}, out[] = {c->outer, c->n / 2 + 1, c->inner, 2};
    weft_tensor *x = weft_set_requires_grad(both_input(ctx, c->dtype, in, 3, -1, 1, 9), true), *dx = NULL;
    weft_tensor *y = weft_rfft(x, 1, WEFT_FFT_NORM_ORTHO), *g = both_input(ctx, c->dtype, out, 4, -1, 1, 11);
    return weft_grad(ctx, &y, &g, 1, &x, 1, 0, &dx) == WEFT_OK ? dx : NULL;
}

static weft_tensor *gradient_to_real(weft_ctx *ctx, void *user)
{
    const fft_case *c = user;
    const int64_t out[] = {c->outer, c->n, c->inner}, in[] = {c->outer, c->n / 2 + 1, c->inner, 2};
    weft_tensor *x = weft_set_requires_grad(both_input(ctx, c->dtype, in, 4, -1, 1, 9), true), *dx = NULL;
    weft_tensor *y = weft_irfft(x, c->n, 1, WEFT_FFT_NORM_ORTHO), *g = both_input(ctx, c->dtype, out, 3, -1, 1, 11);
    return weft_grad(ctx, &y, &g, 1, &x, 1, 0, &dx) == WEFT_OK ? dx : NULL;
}

static void check_all(both_fn *make)
{
    for (int k = 0; k < CASES; k++) {
        const weft_dtype dtype = cases[k].dtype;
        const double tolerance = dtype == WEFT_F64    ? 1e-13
                                 : dtype == WEFT_F32  ? 5e-6
                                 : dtype == WEFT_BF16 ? 8e-3
                                                      : 1e-3;
        char what[48];
        snprintf(what, sizeof what, "%d lines of %d, %s", (int)(cases[k].outer * cases[k].inner), (int)cases[k].n,
                 weft_dtype_name(dtype));
        check_both(what, make, &cases[k], tolerance, tolerance);
    }
}

WEFT_TEST(DeviceFft, ThereAndBack)
{
    check_all(pairs_there);
    check_all(pairs_back);
}

WEFT_TEST(DeviceFft, OfRealNumbers)
{
    check_all(from_real);
    check_all(to_real);
}

WEFT_TEST(DeviceFft, GivesGradients)
{
    check_all(gradient_from_real);
    check_all(gradient_to_real);
}
