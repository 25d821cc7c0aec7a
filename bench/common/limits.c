/* limits.c - see limits.h. */
#include "limits.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <weft/bench.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define TARGET(isa) __attribute__((target(isa)))
#else
#define TARGET(isa)
#endif

/* ---- Threads ---- */

typedef struct member {
    void (*part)(void *arg, int k, int threads, int64_t times);
    void *arg;
    int k, threads;
    int64_t times;
} member;

static void *member_main(void *arg)
{
    const member *m = arg;
    m->part(m->arg, m->k, m->threads, m->times);
    return NULL;
}

void bench_team(int threads, void (*part)(void *arg, int k, int threads, int64_t times), void *arg, int64_t times)
{
    pthread_t started[BENCH_MAX_THREADS];
    member members[BENCH_MAX_THREADS];
    for (int k = 1; k < threads; k++) {
        members[k] = (member){part, arg, k, threads, times};
        if (pthread_create(&started[k], NULL, member_main, &members[k]) != 0) {
            fprintf(stderr, "no thread to measure with\n");
            exit(1);
        }
    }
    part(arg, 0, threads, times);
    for (int k = 1; k < threads; k++)
        pthread_join(started[k], NULL);
}

/* ---- Arithmetic ---- */

bool bench_has_isa(const char *isa)
{
    return weft_bench_fma(isa, WEFT_F32, 0) == WEFT_OK;
}

static void fma_part(void *arg, int k, int threads, int64_t times)
{
    (void)k, (void)threads;
    (void)weft_bench_fma(((const bench_fma *)arg)->isa, WEFT_F32, times);
}

void bench_run_fma(void *fma, int64_t times)
{
    bench_team(((bench_fma *)fma)->threads, fma_part, fma, times);
}

/* ---- Memory ---- */

enum { LANES = 8, STEP = 4 * LANES }; /* floats of a vector, and of one turn of the loops */
typedef float vec __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

TARGET("avx2") static float read_all(const float *a, int64_t n)
{
    vec sums[4] = {{0}, {0}, {0}, {0}};
    int64_t i = 0;
    for (; i + STEP <= n; i += STEP)
        for (int k = 0; k < 4; k++)
            sums[k] += *(const vec *)(const void *)(a + i + k * LANES);
    float total = 0;
    for (; i < n; i++)
        total += a[i];
    const vec sum = sums[0] + sums[1] + sums[2] + sums[3];
    for (int k = 0; k < LANES; k++)
        total += sum[k];
    return total;
}

TARGET("avx2") static void triad_through(float *out, const float *a, const float *b, int64_t n)
{
    int64_t i = 0;
    for (; i + STEP <= n; i += STEP)
        for (int64_t k = i; k < i + STEP; k += LANES)
            *(vec *)(void *)(out + k) =
                *(const vec *)(const void *)(a + k) + 0.5f * *(const vec *)(const void *)(b + k);
    for (; i < n; i++)
        out[i] = a[i] + 0.5f * b[i];
}

TARGET("avx2") static void copy_through(float *out, const float *a, int64_t n)
{
    int64_t i = 0;
    for (; i + STEP <= n; i += STEP)
        for (int64_t k = i; k < i + STEP; k += LANES)
            *(vec *)(void *)(out + k) = *(const vec *)(const void *)(a + k);
    for (; i < n; i++)
        out[i] = a[i];
}

#if defined(__x86_64__)
TARGET("avx2") static void triad_past(float *out, const float *a, const float *b, int64_t n)
{
    const __m256 half = _mm256_set1_ps(0.5f);
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        _mm256_stream_ps(out + i, _mm256_add_ps(_mm256_loadu_ps(a + i), _mm256_mul_ps(half, _mm256_loadu_ps(b + i))));
    triad_through(out + i, a + i, b + i, n - i);
    _mm_sfence();
}

TARGET("avx2") static void copy_past(float *out, const float *a, int64_t n)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        _mm256_stream_ps(out + i, _mm256_loadu_ps(a + i));
    copy_through(out + i, a + i, n - i);
    _mm_sfence();
}
#else
#define triad_past triad_through
#define copy_past copy_through
#endif

static void stream_part(void *arg, int k, int threads, int64_t times)
{
    bench_stream *s = arg;
    const int64_t share = (s->count / threads + STEP - 1) / STEP * STEP, start = k * share;
    const int64_t n = s->count - start < share ? s->count - start : share;
    for (int64_t t = 0; t < times; t++) {
        if (s->pass == BENCH_READ)
            s->sums[k * 16] = read_all(s->a + start, n);
        else if (s->pass == BENCH_COPY)
            (s->streaming ? copy_past : copy_through)(s->out + start, s->a + start, n);
        else
            (s->streaming ? triad_past : triad_through)(s->out + start, s->a + start, s->b + start, n);
        __asm__ volatile("" ::: "memory");
    }
}

double bench_stream_bytes(const bench_stream *s)
{
    static const double each[] = {[BENCH_READ] = 4, [BENCH_COPY] = 8, [BENCH_TRIAD] = 12};
    return each[s->pass] * (double)s->count;
}

void bench_run_stream(void *stream, int64_t times)
{
    bench_team(((bench_stream *)stream)->threads, stream_part, stream, times);
}

float *bench_floats(int64_t count)
{
    const size_t page = (size_t)2 << 20, bytes = ((size_t)count * sizeof(float) + page - 1) / page * page;
    float *block = aligned_alloc(page, bytes);
    if (!block) {
        fprintf(stderr, "out of memory for %zu bytes\n", bytes);
        exit(1);
    }
#if defined(MADV_HUGEPAGE)
    (void)madvise(block, bytes, MADV_HUGEPAGE);
#endif
    for (int64_t k = 0; k < (int64_t)(bytes / sizeof(float)); k++)
        block[k] = (float)(k * 7919 % 1000) / 1000 - 0.5f;
    return block;
}
