/* fma.c - the most arithmetic that a core can do: independent multiply-adds in registers (bench.h). */
#include <stdint.h>
#include <string.h>
#include <weft/bench.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define TARGET(isa) __attribute__((target(isa)))
#endif

/* Enough sums to hide the latency of two units. The empty asm pins each in a register, so that the compiler can neither
 * drop nor merge them. */
#if defined(__x86_64__)
#define PIN(v) __asm__ volatile("" : "+v"(v))
#elif defined(__aarch64__)
#define PIN(v) __asm__ volatile("" : "+w"(v))
#else
#define PIN(v) __asm__ volatile("" : "+m"(v))
#endif

/* LANES: elements of a vector. */
#define DEFINE_FMA(name, attributes, type, SUMS, LANES, SPLAT, FMA)                                                    \
    attributes static void name(int64_t times)                                                                         \
    {                                                                                                                  \
        const int64_t rounds = times * (int64_t)WEFT_BENCH_FMA_FLOPS / (2 * (LANES) * (SUMS));                         \
        type sums[SUMS], x = SPLAT(0.5f), y = SPLAT(1e-9f);                                                            \
        PIN(x);                                                                                                        \
        PIN(y);                                                                                                        \
        _Pragma("GCC unroll 32") for (int k = 0; k < (SUMS); k++) sums[k] = y;                                         \
        for (int64_t round = 0; round < rounds; round++) {                                                             \
            _Pragma("GCC unroll 32") for (int k = 0; k < (SUMS); k++)                                                  \
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
DEFINE_FMA(plain_f32, , four, 12, 4, SPLAT_FOUR, SEPARATELY)
DEFINE_FMA(plain_f64, , two, 12, 2, SPLAT_TWO, SEPARATELY)

#if defined(__x86_64__)
#define SPLAT_PD(x) _mm256_set1_pd((double)(x))
#define SPLAT_PD512(x) _mm512_set1_pd((double)(x))
DEFINE_FMA(avx2_f32, TARGET("avx2,fma"), __m256, 12, 8, _mm256_set1_ps, _mm256_fmadd_ps)
DEFINE_FMA(avx2_f64, TARGET("avx2,fma"), __m256d, 12, 4, SPLAT_PD, _mm256_fmadd_pd)
DEFINE_FMA(avx512_f32, TARGET("avx512f"), __m512, 24, 16, _mm512_set1_ps, _mm512_fmadd_ps)
DEFINE_FMA(avx512_f64, TARGET("avx512f"), __m512d, 24, 8, SPLAT_PD512, _mm512_fmadd_pd)

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f");
}
#endif

static bool has_plain(void)
{
    return true;
}

typedef struct set {
    const char *name;
    bool (*there)(void);
    void (*f32)(int64_t times);
    void (*f64)(int64_t times);
} set;

/* The widest first. */
static const set sets[] = {
#if defined(__x86_64__)
    {"avx512", has_avx512, avx512_f32, avx512_f64},
    {"avx2", has_avx2, avx2_f32, avx2_f64},
#else
    {"avx512", NULL, NULL, NULL},
    {"avx2", NULL, NULL, NULL},
#endif
    {"plain", has_plain, plain_f32, plain_f64},
};

weft_status weft_bench_fma(const char *isa, weft_dtype dtype, int64_t times)
{
    if (dtype != WEFT_F32 && dtype != WEFT_F64)
        return WEFT_E_DTYPE;
    if (times < 0 || times > INT64_MAX / (int64_t)WEFT_BENCH_FMA_FLOPS)
        return WEFT_E_INVALID;
    for (size_t k = 0; k < sizeof sets / sizeof *sets; k++) {
        if (isa && strcmp(isa, sets[k].name) != 0)
            continue;
        if (sets[k].there && sets[k].there()) {
            (dtype == WEFT_F32 ? sets[k].f32 : sets[k].f64)(times);
            return WEFT_OK;
        }
        if (isa)
            return WEFT_E_UNSUPPORTED;
    }
    return WEFT_E_INVALID;
}
