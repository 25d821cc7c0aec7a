/* measure.c - samples of how long work takes, and their summary (bench.h). */
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* clock_gettime */
#endif
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weft/bench.h>
#include <weft/extend.h>

enum { FEWEST_SAMPLES = 3 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- Summary ---- */

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The value below which a share of n sorted ones lies, interpolated. */
static double percentile(const double *sorted, int n, double share)
{
    double place = share * (n - 1);
    int below = (int)place;
    if (below + 1 >= n)
        return sorted[n - 1];
    return sorted[below] + (place - below) * (sorted[below + 1] - sorted[below]);
}

void weft_bench_summarise(weft_bench_result *result)
{
    if (!result || result->n < 1 || result->n > WEFT_BENCH_SAMPLES)
        return;
    double sorted[WEFT_BENCH_SAMPLES];
    memcpy(sorted, result->samples, (size_t)result->n * sizeof *sorted);
    qsort(sorted, (size_t)result->n, sizeof *sorted, by_value);
    result->best = sorted[0];
    result->p10 = percentile(sorted, result->n, 0.1);
    result->median = percentile(sorted, result->n, 0.5);
    result->p90 = percentile(sorted, result->n, 0.9);
}

/* ---- Measuring ---- */

typedef struct job {
    weft_bench_work work;
    void *user;
    weft_ctx *ctx;
} job;

static weft_status run(const job *j, int64_t times, double *seconds)
{
    const uint64_t call = j->ctx ? weft_callback_begin(j->ctx, "work that is measured", false) : 0;
    if (j->ctx && !call)
        return WEFT_E_STATE;
    const double start = now();
    weft_status status = j->work(j->user, times);
    if (call && !weft_callback_end(j->ctx, "bench_measure", call))
        return WEFT_E_STATE;
    if (status == WEFT_OK && j->ctx)
        status = weft_synchronise(j->ctx);
    *seconds = now() - start;
    return status;
}

/* Runs for at least `seconds`, in doubling portions; *each becomes the seconds of one unit, by the last portion. */
static weft_status warm_up(const job *j, double seconds, double *each)
{
    double spent = 0, took = 0;
    for (int64_t times = 1;; times *= 2) {
        weft_status status = run(j, times, &took);
        if (status != WEFT_OK)
            return status;
        *each = took / (double)times;
        spent += took;
        if (spent >= seconds)
            return WEFT_OK;
    }
}

static int64_t times_for(double sample_seconds, double each)
{
    if (sample_seconds <= 0 || each >= sample_seconds)
        return 1;
    double times = ceil(sample_seconds / fmax(each, 1e-10));
    return times < 1e9 ? (int64_t)times : (int64_t)1000000000;
}

static weft_status read_options(const weft_bench_options *given, weft_bench_options *o)
{
    static const weft_bench_options defaults = WEFT_BENCH_DEFAULTS;
    const weft_status status = weft_struct_in(NULL, "bench_measure", "weft_bench_options", &defaults, given, o);
    if (status != WEFT_OK)
        return status;
    const bool fine = o->samples >= 1 && o->samples <= WEFT_BENCH_SAMPLES && o->sample_seconds >= 0 &&
                      o->warm_seconds >= 0 && o->most_seconds >= 0;
    return fine ? WEFT_OK : WEFT_E_INVALID;
}

weft_status weft_bench_measure(weft_bench_work work, void *user, const weft_bench_options *options,
                               weft_bench_result *out)
{
    if (!work || !out)
        return WEFT_E_NULL_ARGUMENT;
    weft_bench_options o;
    weft_status status = read_options(options, &o);
    if (status != WEFT_OK)
        return status;
    const job j = {work, user, o.ctx};
    memset(out, 0, sizeof *out);
    double each = 0;
    status = warm_up(&j, o.warm_seconds, &each);
    if (status != WEFT_OK)
        return status;
    out->times = times_for(o.sample_seconds, each);
    const double end = now() + o.most_seconds;
    while (out->n < o.samples && (out->n < FEWEST_SAMPLES || now() < end)) {
        double took;
        status = run(&j, out->times, &took);
        if (status != WEFT_OK)
            return status;
        out->samples[out->n++] = took / (double)out->times;
    }
    weft_bench_summarise(out);
    return WEFT_OK;
}
