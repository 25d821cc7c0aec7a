/* limits.h - what this machine can do at best, measured beside what is compared with it: arithmetic and memory. */
#ifndef BENCH_LIMITS_H
#define BENCH_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BENCH_MAX_THREADS = 8 };

/* ---- Threads ----
 * Runs part(arg, k, threads, times) on each of `threads` threads and waits for all. The threads are started for the
 * call: give them enough repetitions. */
void bench_team(int threads, void (*part)(void *arg, int k, int threads, int64_t times), void *arg, int64_t times);

/* ---- Arithmetic ----
 * A case (measure.h) of weft_bench_fma in f32. One unit of work is WEFT_BENCH_FMA_FLOPS flops on each thread. */
typedef struct bench_fma {
    const char *isa; /* "avx512", "avx2", "plain" */
    int threads;
} bench_fma;

bool bench_has_isa(const char *isa);
void bench_run_fma(void *fma, int64_t times);

/* ---- Memory ----
 * One pass over arrays of `count` floats, split between the threads. Streaming stores go past the caches, which is the
 * faster way for arrays that do not fit: the limit is the better of both. */
typedef enum bench_pass {
    BENCH_READ,  /* sum of a:     4 bytes an element */
    BENCH_COPY,  /* b = a:        8 */
    BENCH_TRIAD, /* c = a + s b: 12 */
} bench_pass;

typedef struct bench_stream {
    bench_pass pass;
    bool streaming; /* stores past the caches; ignored by READ and where the processor has none */
    int threads;
    const float *a, *b; /* [count] */
    float *out;         /* [count] */
    int64_t count;
    float sums[BENCH_MAX_THREADS * 16]; /* results of READ, a cache line apart */
} bench_stream;

double bench_stream_bytes(const bench_stream *s); /* read and written in one pass */
void bench_run_stream(void *stream, int64_t times);

/* Aligned floats with pages that are present (huge ones where the system has them), filled with small numbers; exits
 * with a message when out of memory. Free with free(). */
float *bench_floats(int64_t count);

#endif
