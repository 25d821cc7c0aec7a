/* fft_roots.h - roots of unity and the stages of a Fourier transform, for the CPU's kernels and the CUDA kernels. */
#ifndef WEFT_BASE_FFT_ROOTS_H
#define WEFT_BASE_FFT_ROOTS_H

#include "base/scalar.h"

/* e^(2 pi i k / n) for 0 <= k < n < 2^59. The angle is brought below pi / 4 in whole numbers first, so that its error
 * is that of one rounding, and the roots are as symmetric as they should be: those on the axes are exact. */
WEFT_HD void weft__fft_root(int64_t k, int64_t n, double *re, double *im)
{
    const int64_t quarter = 4 * k / n, rest = 4 * k - quarter * n;
    const bool beyond = 2 * rest > n; /* an eighth: take the angle from the other axis */
    const double angle = 1.57079632679489661923 * ((double)(beyond ? n - rest : rest) / (double)n);
    const double near = cos(angle), far = sin(angle);
    const double c = beyond ? far : near, s = beyond ? near : far;
    *re = quarter == 0 ? c : quarter == 1 ? -s : quarter == 2 ? -c : s;
    *im = quarter == 0 ? s : quarter == 1 ? c : quarter == 2 ? -s : -c;
}

/* The next factor of a transform of n > 1 elements: 4 while it goes, then 2, 3, 5 and whatever primes are left. */
WEFT_HD int64_t weft__fft_factor(int64_t n)
{
    if (n % 4 == 0) {
        return 4;
    }
    for (int64_t p = 2; p <= n / p; p++) {
        if (n % p == 0) {
            return p;
        }
    }
    return n;
}

#endif
