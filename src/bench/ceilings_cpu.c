/* ceilings_cpu.c - what the processor and its memory do at best: loops that do nothing else, on threads that live for
 * one sample. */
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "ceilings.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define TARGET(isa) __attribute__((target(isa)))
#else
#define TARGET(isa)
#endif

enum { MOST_THREADS = 512, LINE = 64 };

/* ---- Threads ---- */

typedef struct load load;
struct load {
    void (*part)(const load *l, int k, int64_t times);
    int threads;
    const float *from; /* [count] */
    float *to;         /* [count] */
    int64_t count;
    bool streaming; /* stores that go past the caches */
};

typedef struct member {
    const load *l;
    int k;
    int64_t times;
    pthread_t thread;
} member;

static void *member_main(void *user)
{
    const member *m = user;
    m->l->part(m->l, m->k, m->times);
    return NULL;
}

static weft_status team_work(void *user, int64_t times)
{
    const load *l = user;
    member members[MOST_THREADS];
    int started = 1;
    weft_status status = WEFT_OK;
    for (; started < l->threads; started++) {
        members[started] = (member){.l = l, .k = started, .times = times};
        if (pthread_create(&members[started].thread, NULL, member_main, &members[started]) != 0) {
            status = WEFT_E_NOMEM;
            break;
        }
    }
    l->part(l, 0, times);
    for (int k = 1; k < started; k++)
        pthread_join(members[k].thread, NULL);
    return status;
}

/* ---- Memory ---- */

/* Thread k's part of the floats: whole cache lines. */
static int64_t share_of(const load *l, int k, int64_t *start)
{
    const int64_t lines = l->count * 4 / LINE, first = lines * k / l->threads, end = lines * (k + 1) / l->threads;
    *start = first * LINE / 4;
    return (end - first) * LINE / 4;
}

#if defined(__x86_64__)
/* n is a multiple of 16, both are aligned to cache lines. */
TARGET("avx2") static void copy_past(float *to, const float *from, int64_t n)
{
    for (int64_t i = 0; i < n; i += 16) {
        _mm256_stream_ps(to + i, _mm256_load_ps(from + i));
        _mm256_stream_ps(to + i + 8, _mm256_load_ps(from + i + 8));
    }
    _mm_sfence();
}

static bool can_stream(void)
{
    return __builtin_cpu_supports("avx2");
}
#else
static void copy_past(float *to, const float *from, int64_t n)
{
    memcpy(to, from, (size_t)n * sizeof *to);
}

static bool can_stream(void)
{
    return false;
}
#endif

static void copy_part(const load *l, int k, int64_t times)
{
    int64_t start, n = share_of(l, k, &start);
    for (int64_t t = 0; t < times; t++) {
        if (l->streaming)
            copy_past(l->to + start, l->from + start, n);
        else
            memcpy(l->to + start, l->from + start, (size_t)n * sizeof *l->to);
        __asm__ volatile("" ::: "memory");
    }
}

typedef float lanes __attribute__((vector_size(32), aligned(4), may_alias));

/* Eight sums, so that the loads and not the additions are the limit. */
#define DEFINE_READ(name, attributes)                                                                                  \
    attributes static void name(const load *l, int k, int64_t times)                                                   \
    {                                                                                                                  \
        int64_t start, n = share_of(l, k, &start);                                                                     \
        for (int64_t t = 0; t < times; t++) {                                                                          \
            lanes sums[8] = {{0}};                                                                                     \
            for (int64_t i = 0; i + 64 <= n; i += 64) {                                                                \
                _Pragma("GCC unroll 8") for (int s = 0; s < 8; s++) sums[s] +=                                         \
                    *(const lanes *)(const void *)(l->from + start + i + 8 * s);                                       \
            }                                                                                                          \
            __asm__ volatile("" ::"r"(sums) : "memory");                                                               \
        }                                                                                                              \
    }
DEFINE_READ(read_part, )
#if defined(__x86_64__)
DEFINE_READ(read_part_avx2, TARGET("avx2"))
#else
#define read_part_avx2 read_part
#endif

static void add_stream(weft__gather *g, load l, const char *name, double bytes)
{
    weft_bench_ceiling what = {
        .unit = WEFT_BENCH_UNIT_BYTES, .size = bytes, .work = bytes, .source = "a loop over memory"};
    strncpy(what.name, name, sizeof what.name - 1);
    int at = g->n;
    weft__gather_add(g, what, team_work, &l);
    if (l.part != copy_part || !can_stream())
        return;
    l.streaming = true; /* the ceiling is the faster way */
    weft__gather_add(g, what, team_work, &l);
    if (g->n < at + 2)
        return;
    if (g->out[at + 1].value > g->out[at].value)
        g->out[at] = g->out[at + 1];
    g->n = at + 1;
}

static void add_memory(weft__gather *g, int threads)
{
    const size_t most = (size_t)128 << 20;
    float *block = aligned_alloc((size_t)2 << 20, 2 * most);
    if (!block) {
        g->status = WEFT_E_NOMEM;
        return;
    }
    memset(block, 0, 2 * most);
    load l = {.part = copy_part, .threads = threads, .from = block, .to = block + most / sizeof *block};
    for (size_t bytes = (size_t)8 << 10; bytes <= most; bytes <<= 4) {
        l.count = (int64_t)(bytes / sizeof *block);
        add_stream(g, l, "copy", 2.0 * (double)bytes);
    }
    l.count = (int64_t)(most / sizeof *block);
    add_stream(g, l, "copy", 2.0 * (double)most);
    l.part = can_stream() ? read_part_avx2 : read_part;
    l.count *= 2;
    add_stream(g, l, "read", 2.0 * (double)most);
    free(block);
}

/* ---- Arithmetic ---- */

static void fma_part_f32(const load *l, int k, int64_t times)
{
    (void)l, (void)k;
    (void)weft_bench_fma(NULL, WEFT_F32, times); /* every processor has a widest set */
}

static void fma_part_f64(const load *l, int k, int64_t times)
{
    (void)l, (void)k;
    (void)weft_bench_fma(NULL, WEFT_F64, times);
}

static void add_arithmetic(weft__gather *g, int threads)
{
    weft_bench_ceiling what = {.name = "fma",
                               .dtype = WEFT_F32,
                               .unit = WEFT_BENCH_UNIT_FLOPS,
                               .work = WEFT_BENCH_FMA_FLOPS * (double)threads,
                               .source = "a loop in registers"};
    weft__gather_add(g, what, team_work, &(load){.part = fma_part_f32, .threads = threads});
    what.dtype = WEFT_F64;
    weft__gather_add(g, what, team_work, &(load){.part = fma_part_f64, .threads = threads});
}

void weft__gather_cpu(weft__gather *g, int threads)
{
    threads = threads < MOST_THREADS ? threads : MOST_THREADS;
    add_memory(g, threads);
    add_arithmetic(g, threads);
}
