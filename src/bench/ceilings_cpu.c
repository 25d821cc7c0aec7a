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

/* ---- Arithmetic ----
 * Enough accumulators to hide the latency of two units. The empty asm pins each in a register, so that the compiler can
 * neither drop nor merge them. One unit of work is FMA_FLOPS on each thread, whatever the vectors' length. */
#define FMA_FLOPS (384.0 * 2048)

#if defined(__x86_64__)
#define PIN(v) __asm__ volatile("" : "+v"(v))
#elif defined(__aarch64__)
#define PIN(v) __asm__ volatile("" : "+w"(v))
#else
#define PIN(v) __asm__ volatile("" : "+m"(v))
#endif

#define DEFINE_FMA(name, attributes, type, CHAINS, LANES, SPLAT, FMA)                                                  \
    attributes static void name(const load *l, int thread, int64_t times)                                              \
    {                                                                                                                  \
        (void)l, (void)thread;                                                                                         \
        const int64_t rounds = times * (int64_t)FMA_FLOPS / (2 * (LANES) * (CHAINS));                                  \
        type sums[CHAINS], x = SPLAT(0.5f), y = SPLAT(1e-9f);                                                          \
        PIN(x);                                                                                                        \
        PIN(y);                                                                                                        \
        _Pragma("GCC unroll 32") for (int k = 0; k < (CHAINS); k++) sums[k] = y;                                       \
        for (int64_t round = 0; round < rounds; round++) {                                                             \
            _Pragma("GCC unroll 32") for (int k = 0; k < (CHAINS); k++)                                                \
            {                                                                                                          \
                sums[k] = FMA(sums[k], x, y);                                                                          \
                PIN(sums[k]);                                                                                          \
            }                                                                                                          \
        }                                                                                                              \
    }

typedef float four __attribute__((vector_size(16)));
typedef double two __attribute__((vector_size(16)));
#define SPLAT_FOUR(x) ((four){x, x, x, x})
#define SPLAT_TWO(x) ((two){(double)(x), (double)(x)})
#define SEPARATELY(a, b, c) ((a) * (b) + (c))
DEFINE_FMA(fma_f32_plain, , four, 12, 4, SPLAT_FOUR, SEPARATELY)
DEFINE_FMA(fma_f64_plain, , two, 12, 2, SPLAT_TWO, SEPARATELY)

#if defined(__x86_64__)
#define SPLAT_PD(x) _mm256_set1_pd((double)(x))
#define SPLAT_PD512(x) _mm512_set1_pd((double)(x))
DEFINE_FMA(fma_f32_avx2, TARGET("avx2,fma"), __m256, 12, 8, _mm256_set1_ps, _mm256_fmadd_ps)
DEFINE_FMA(fma_f64_avx2, TARGET("avx2,fma"), __m256d, 12, 4, SPLAT_PD, _mm256_fmadd_pd)
DEFINE_FMA(fma_f32_avx512, TARGET("avx512f"), __m512, 24, 16, _mm512_set1_ps, _mm512_fmadd_ps)
DEFINE_FMA(fma_f64_avx512, TARGET("avx512f"), __m512d, 24, 8, SPLAT_PD512, _mm512_fmadd_pd)
#endif

static void add_arithmetic(weft__gather *g, int threads)
{
    load f32 = {.part = fma_f32_plain, .threads = threads}, f64 = {.part = fma_f64_plain, .threads = threads};
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) {
        f32.part = fma_f32_avx512;
        f64.part = fma_f64_avx512;
    } else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        f32.part = fma_f32_avx2;
        f64.part = fma_f64_avx2;
    }
#endif
    weft_bench_ceiling what = {.name = "fma",
                               .dtype = WEFT_F32,
                               .unit = WEFT_BENCH_UNIT_FLOPS,
                               .work = FMA_FLOPS * (double)threads,
                               .source = "a loop in registers"};
    weft__gather_add(g, what, team_work, &f32);
    what.dtype = WEFT_F64;
    weft__gather_add(g, what, team_work, &f64);
}

void weft__gather_cpu(weft__gather *g, int threads)
{
    threads = threads < MOST_THREADS ? threads : MOST_THREADS;
    add_memory(g, threads);
    add_arithmetic(g, threads);
}
