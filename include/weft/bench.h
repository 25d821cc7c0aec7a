/* bench.h - measuring: how long work takes, what the machine can do at best, whether two measurements differ.
 *
 *     static weft_status work(void *user, int64_t times)             // run it `times` times in a row
 *     {
 *         for (int64_t k = 0; k < times; k++) { ... }
 *         return WEFT_OK;
 *     }
 *     weft_bench_result r;
 *     weft_bench_options how = WEFT_BENCH_DEFAULTS;
 *     how.ctx = ctx;
 *     if (weft_bench_measure(work, &mine, &how, &r) == WEFT_OK)
 *         printf("%.3g s, nine of ten within %.3g s\n", r.median, r.p90);
 *
 * Short work is repeated until one sample takes long enough for the clock; times are of one unit of work. The command
 * `weft bench` is made of these calls.
 *
 * Part of the public API; include <weft/weft.h>. */
#ifndef WEFT_BENCH_H
#define WEFT_BENCH_H

#include <weft/ctx.h>
#include <weft/dtype.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEFT_BENCH_SAMPLES 101 /* most samples of one measurement */

/* Does its work `times` times in a row. Any status but WEFT_OK ends the measurement, which returns it. It may use the
 * context of the options (ctx.h: Callbacks). */
typedef weft_status (*weft_bench_work)(void *user, int64_t times);

typedef struct weft_bench_options {
    size_t struct_size;    /* set by WEFT_BENCH_DEFAULTS */
    weft_ctx *ctx;         /* its queued work is waited for at the end of each sample; default NULL: none */
    int samples;           /* 1 to WEFT_BENCH_SAMPLES; default 21 */
    double sample_seconds; /* least length of a sample: shorter work is repeated within it; 0: one run; default 0.005 */
    double warm_seconds;   /* how long to run before the first sample; 0: one run, to get to know it; default 0.05 */
    double most_seconds;   /* no new sample after this, once there are three; default 5 */
} weft_bench_options;
#define WEFT_BENCH_DEFAULTS                                                                                            \
    {                                                                                                                  \
        sizeof(weft_bench_options), NULL, 21, 0.005, 0.05, 5                                                           \
    }

/* Seconds of one unit of work. Complete: it never grows. */
typedef struct weft_bench_result {
    int n;                              /* samples taken */
    int64_t times;                      /* units of work in each */
    double samples[WEFT_BENCH_SAMPLES]; /* in the order they were taken */
    double median, p10, p90, best;      /* of the samples; p10 and p90 are percentiles */
} weft_bench_result;

/* Warms up, finds how often the work fits into a sample, takes the samples. options NULL: the defaults. The work's
 * status if it fails, or that of options.ctx; WEFT_E_INVALID for options out of their domains. */
WEFT_API weft_status weft_bench_measure(weft_bench_work work, void *user, const weft_bench_options *options,
                                        weft_bench_result *out);

/* Median and percentiles of n >= 1 samples that are there already: fills the rest of *result. */
WEFT_API void weft_bench_summarise(weft_bench_result *result);

/* ---- Ceilings: what the machine can do at best ---- */

typedef enum weft_bench_unit {
    WEFT_BENCH_UNIT_BYTES, /* bytes per second, read and written ones counted */
    WEFT_BENCH_UNIT_FLOPS, /* floating-point operations per second; a multiply-add is two */
    WEFT_BENCH_UNIT_CALLS  /* operations started per second */
} weft_bench_unit;

/* Complete: it never grows. */
typedef struct weft_bench_ceiling {
    char name[24];    /* "copy", "read", "fma", "matmul", "launch", "host_to_device", "device_to_host" */
    weft_dtype dtype; /* that is computed in, for FLOPS */
    weft_bench_unit unit;
    double size;               /* bytes touched by one run, or the edge of the product; 0: none */
    double work;               /* bytes, flops or calls of one unit of work */
    double value;              /* work per second, by the tenth percentile of the seconds: the machine undisturbed */
    weft_bench_result seconds; /* of one unit of work */
    char source[48]; /* what was run: "weft_matmul by cuBLASLt", a loop that has nothing of Weft's kernels ... */
    double theory;   /* a GPU's own limit by its highest clocks, in work per second; 0: not known */
} weft_bench_ceiling;

#define WEFT_BENCH_CEILINGS 16

/* Measures the ceilings of a device ("cpu", "cuda", "cuda:1") into out[0..*n), room for WEFT_BENCH_CEILINGS. CPU:
 * copies and reads of several sizes by plain loops, multiply-adds in registers with the widest vectors that there are,
 * an operation on a small tensor; on `threads` threads of its own (-1: as many as processors, as in weft_options),
 * which have ended when it returns. CUDA: copies in device memory, products of large matrices in f64, f32, f16 and
 * bf16, launches, transfers, all through Weft's own operations: what they fall short of theory is not seen in shares of
 * these ceilings. Takes a few seconds and up to 1 GiB, or little with 0 sample_seconds, whose figures mean nothing.
 * options.ctx is ignored; message (may be NULL) gets the reason of a failure. */
WEFT_API weft_status weft_bench_ceilings(const char *device, int threads, const weft_bench_options *options,
                                         weft_bench_ceiling *out, int *n, char *message, size_t size);

/* Multiply-adds in registers that do not wait for each other, on the calling thread: `times` units of
 * WEFT_BENCH_FMA_FLOPS operations in dtype, which is f32 or f64, with the vectors of an instruction set: "avx512",
 * "avx2" or "plain" (128 bits, multiplied, then added); NULL: the widest that the processor has. It is what
 * weft_bench_ceilings measures, for who measures it beside work of their own. Touches no memory and no context.
 * WEFT_E_UNSUPPORTED if the processor lacks the set, also for times 0; WEFT_E_DTYPE for another dtype; WEFT_E_INVALID
 * for another set, times below 0 or so many that their operations are no int64_t. */
#define WEFT_BENCH_FMA_FLOPS (768.0 * 1024)
WEFT_API weft_status weft_bench_fma(const char *isa, weft_dtype dtype, int64_t times);

/* The least seconds that `bytes` to and from memory and `flops` in dtype can take under n ceilings: the roofline.
 * *memory_bound (may be NULL) tells which of the two it is. NAN if the ceilings lack what is needed. Memory counts as
 * fast as the copy of the largest size: work that reads more than it writes, or that finds its data in a cache, can
 * beat that. */
WEFT_API double weft_bench_roofline(const weft_bench_ceiling *ceilings, int n, weft_dtype dtype, double bytes,
                                    double flops, bool *memory_bound);

/* ---- Differences ---- */

typedef struct weft_bench_difference {
    double ratio;     /* median of b over median of a: 2 is twice as slow */
    double low, high; /* confidence interval of the ratio, 99 % */
    int verdict;      /* -1: b is faster, 1: b is slower, 0: neither is sure */
    bool
        same; /* the whole interval lies within the threshold; with verdict 0 and not same, these samples cannot tell */
} weft_bench_difference;

/* Compares samples (seconds) of the same work. Slower and faster mean that the whole interval, by the bootstrap of the
 * two medians, lies beyond 1 + threshold or 1 / (1 + threshold), the same that it lies between them; threshold 0.05
 * allows for 5 % of change from one run of a program to the next, which no number of samples of one run shows. The
 * same samples give the same answer. WEFT_E_INVALID without samples (at most WEFT_BENCH_SAMPLES each) or with one that
 * is not positive. size is sizeof *out. */
WEFT_API weft_status weft_bench_compare(const double *a, int n_a, const double *b, int n_b, double threshold,
                                        weft_bench_difference *out, size_t size);

#ifdef __cplusplus
}
#endif
#endif
