/* compare.c - whether two sets of samples differ by more than their noise (bench.h). */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <weft/bench.h>
#include <weft/extend.h>

enum { ROUNDS = 2000 };

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_of(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, by_value);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

/* The next number of a xorshift64* stream, below n. */
static int draw(uint64_t *state, int n)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (int)((*state * 2685821657736338717u >> 33) % (uint64_t)n);
}

/* The median of n samples drawn from the n, each any number of times. */
static double resampled_median(const double *samples, int n, uint64_t *state)
{
    double drawn[WEFT_BENCH_SAMPLES];
    for (int k = 0; k < n; k++)
        drawn[k] = samples[draw(state, n)];
    return median_of(drawn, n);
}

static bool usable(const double *samples, int n)
{
    if (!samples || n < 1 || n > WEFT_BENCH_SAMPLES)
        return false;
    for (int k = 0; k < n; k++)
        if (!(samples[k] > 0) || isinf(samples[k]))
            return false;
    return true;
}

static double plain_median(const double *samples, int n)
{
    double copy[WEFT_BENCH_SAMPLES];
    memcpy(copy, samples, (size_t)n * sizeof *copy);
    return median_of(copy, n);
}

weft_status weft_bench_compare(const double *a, int n_a, const double *b, int n_b, double threshold,
                               weft_bench_difference *out, size_t size)
{
    if (!out)
        return WEFT_E_NULL_ARGUMENT;
    if (!usable(a, n_a) || !usable(b, n_b) || !(threshold >= 0))
        return WEFT_E_INVALID;
    uint64_t state = 0x9e3779b97f4a7c15u;
    double ratios[ROUNDS];
    for (int k = 0; k < ROUNDS; k++)
        ratios[k] = resampled_median(b, n_b, &state) / resampled_median(a, n_a, &state);
    qsort(ratios, ROUNDS, sizeof *ratios, by_value);
    weft_bench_difference d;
    d.ratio = plain_median(b, n_b) / plain_median(a, n_a);
    d.low = ratios[ROUNDS / 200];
    d.high = ratios[ROUNDS - 1 - ROUNDS / 200];
    d.same = d.low >= 1 / (1 + threshold) && d.high <= 1 + threshold;
    d.verdict = d.low > 1 + threshold ? 1 : d.high < 1 / (1 + threshold) ? -1 : 0;
    return weft_struct_out(NULL, "bench_compare", "weft_bench_difference", &d, sizeof d, out, size);
}
