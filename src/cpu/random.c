/* random.c - RAND, RANDN, RANDINT, BERNOULLI, DROPOUT and its gradient. base/rng.h says which words an element takes; a
 * block of elements always starts at a multiple of WEFT__BLOCK, so results do not depend on the chunks. */
#include "base/half.h"
#include "base/rng.h"
#include "loop.h"

/* GRAIN: elements per chunk of work, a multiple of the block. WORDS: of a block that takes two an element. */
enum { GRAIN = 4096, WORDS = 2 * WEFT__BLOCK };

/* Words [0, 4 n) of n Philox blocks. */
static void make_words(const weft__attrs *attrs, int64_t first_block, int64_t n, uint32_t *words)
{
    const uint64_t seed = (uint64_t)attrs->draw.seed;
    const uint64_t call = (uint64_t)attrs->draw.call;
    WEFT__SIMD for (int64_t j = 0; j < n; j++)
    {
        uint32_t w[4];
        weft__philox(seed, call, (uint64_t)(first_block + j), w);
        words[4 * j] = w[0];
        words[4 * j + 1] = w[1];
        words[4 * j + 2] = w[2];
        words[4 * j + 3] = w[3];
    }
}

/* For n elements from `begin` on, a multiple of 4: one word each, or two. */
static void one_word_each(const weft__attrs *attrs, int64_t begin, int64_t n, uint32_t *words)
{
    make_words(attrs, begin / 4, (n + 3) / 4, words);
}

static void two_words_each(const weft__attrs *attrs, int64_t begin, int64_t n, uint32_t *words)
{
    make_words(attrs, begin / 2, (n + 1) / 2, words);
}

/* ---- Fresh tensors ---- */

/* Fills a block of the compute type with elements [begin, begin + n), n at most WEFT__BLOCK. */
typedef void (*draw_fn)(const weft__attrs *attrs, int32_t dtype, int64_t begin, int64_t n, void *block);

typedef struct draw_job {
    const weft__attrs *attrs;
    const weft__array *y;
    draw_fn draw;
} draw_job;

static void draw_range(void *arg, int64_t begin, int64_t end, int worker)
{
    const draw_job *j = arg;
    const int64_t bytes = weft__dtype_bytes(j->y->dtype);
    _Alignas(64) uint64_t block[WEFT__BLOCK];
    (void)worker;
    for (; begin < end; begin += WEFT__BLOCK) {
        int64_t n = end - begin < WEFT__BLOCK ? end - begin : WEFT__BLOCK;
        j->draw(j->attrs, j->y->dtype, begin, n, block);
        WEFT__CPU(store)(n, j->y->dtype, block, (char *)j->y->data + begin * bytes, bytes);
    }
}

static weft_status draw_all(const weft__exec *e, draw_fn draw)
{
    draw_job j = {e->attrs, e->out[0], draw};
    weft__pool_for(weft__exec_pool(e), j.y->count, GRAIN, draw_range, &j);
    return WEFT_OK;
}

/* The value that x becomes in a half dtype. */
static float rounded_to(int32_t dtype, float x)
{
    return dtype == WEFT_F16 ? weft__f16_to_f32(weft__f16_from_f32(x)) : weft__bf16_to_f32(weft__bf16_from_f32(x));
}

static void draw_rand_f32(const weft__attrs *attrs, int32_t dtype, int64_t begin, int64_t n, float *y)
{
    const float lo = (float)attrs->rand.lo;
    const float hi = (float)attrs->rand.hi;
    const int bits = dtype == WEFT_F32 ? WEFT__UNIFORM_F32 : dtype == WEFT_F16 ? WEFT__UNIFORM_F16 : WEFT__UNIFORM_BF16;
    uint32_t words[WORDS];
    one_word_each(attrs, begin, n, words);
    WEFT__SIMD for (int64_t k = 0; k < n; k++)
    {
        y[k] = weft__rand_f32(weft__uniform_f32(words[k], bits), lo, hi);
    }
    if (dtype == WEFT_F32) {
        return;
    }
    for (int64_t k = 0; k < n; k++) {
        float r = rounded_to(dtype, y[k]);
        y[k] = r < hi ? r : lo;
    }
}

static void draw_rand_f64(const weft__attrs *attrs, int64_t begin, int64_t n, double *y)
{
    uint32_t words[WORDS];
    two_words_each(attrs, begin, n, words);
    WEFT__SIMD for (int64_t k = 0; k < n; k++)
    {
        double u = weft__uniform_f64(words[2 * k], words[2 * k + 1]);
        y[k] = weft__rand_f64(u, attrs->rand.lo, attrs->rand.hi);
    }
}

static void draw_rand(const weft__attrs *attrs, int32_t dtype, int64_t begin, int64_t n, void *block)
{
    if (dtype == WEFT_F64) {
        draw_rand_f64(attrs, begin, n, block);
    } else {
        draw_rand_f32(attrs, dtype, begin, n, block);
    }
}

/* Whole pairs are made: the block has room for one element more than an odd n. */
static void draw_randn_f32(const weft__attrs *attrs, int64_t begin, int64_t n, float *y)
{
    const float mean = (float)attrs->randn.mean;
    const float std = (float)attrs->randn.std;
    uint32_t words[WORDS];
    one_word_each(attrs, begin, n, words);
    WEFT__SIMD for (int64_t k = 0; k < (n + 1) / 2; k++)
    {
        float z0, z1;
        weft__normal_pair_f32(words[2 * k], words[2 * k + 1], &z0, &z1);
        y[2 * k] = WEFT__RN_FMAF(z0, std, mean);
        y[2 * k + 1] = WEFT__RN_FMAF(z1, std, mean);
    }
}

static void draw_randn_f64(const weft__attrs *attrs, int64_t begin, int64_t n, double *y)
{
    const double mean = attrs->randn.mean;
    const double std = attrs->randn.std;
    uint32_t words[WORDS];
    two_words_each(attrs, begin, n, words);
    for (int64_t k = 0; k < (n + 1) / 2; k++) {
        double z0, z1;
        weft__normal_pair_f64(words + 4 * k, &z0, &z1);
        y[2 * k] = WEFT__RN_FMA(z0, std, mean);
        y[2 * k + 1] = WEFT__RN_FMA(z1, std, mean);
    }
}

static void draw_randn(const weft__attrs *attrs, int32_t dtype, int64_t begin, int64_t n, void *block)
{
    if (dtype == WEFT_F64) {
        draw_randn_f64(attrs, begin, n, block);
    } else {
        draw_randn_f32(attrs, begin, n, block);
    }
}

/* Integers below 2^24 are exact in f32, all of 53 bits in f64; half types round once. */
static void put_integers(int32_t dtype, int64_t n, const int64_t *v, void *block)
{
    float *f32 = block;
    double *f64 = block;
    int64_t *i64 = block;
    for (int64_t k = 0; k < n; k++) {
        switch (weft__compute_type_of(dtype)) {
        case WEFT__COMPUTE_F32:
            f32[k] = dtype == WEFT_F32 ? (float)v[k] : weft__f64_to_f32_odd((double)v[k]);
            break;
        case WEFT__COMPUTE_F64:
            f64[k] = (double)v[k];
            break;
        default:
            i64[k] = v[k];
            break;
        }
    }
}

static void draw_randint(const weft__attrs *attrs, int32_t dtype, int64_t begin, int64_t n, void *block)
{
    const int64_t lo = attrs->randint.lo;
    const int64_t hi = attrs->randint.hi;
    uint32_t words[WORDS];
    int64_t v[WEFT__BLOCK];
    two_words_each(attrs, begin, n, words);
    for (int64_t k = 0; k < n; k++) {
        v[k] = weft__randint(words[2 * k], words[2 * k + 1], lo, hi);
    }
    put_integers(dtype, n, v, block);
}

static void draw_bernoulli(const weft__attrs *attrs, int32_t dtype, int64_t begin, int64_t n, void *block)
{
    const double p = attrs->bernoulli.p;
    uint32_t words[WORDS];
    int64_t v[WEFT__BLOCK];
    one_word_each(attrs, begin, n, words);
    for (int64_t k = 0; k < n; k++) {
        v[k] = (double)weft__uniform_f32(words[k], WEFT__UNIFORM_F32) < p;
    }
    put_integers(dtype, n, v, block);
}

/* y contiguous, f32 f64 f16 bf16: uniform in [lo, hi). */
weft_status WEFT__CPU(rand)(const weft__exec *e)
{
    return draw_all(e, draw_rand);
}

/* y contiguous, f32 f64 f16 bf16: normal with a mean and a standard deviation. */
weft_status WEFT__CPU(randn)(const weft__exec *e)
{
    return draw_all(e, draw_randn);
}

/* y contiguous, any dtype: uniform integers in [lo, hi). */
weft_status WEFT__CPU(randint)(const weft__exec *e)
{
    return draw_all(e, draw_randint);
}

/* y contiguous, any dtype: 1 with probability p, else 0. */
weft_status WEFT__CPU(bernoulli)(const weft__exec *e)
{
    return draw_all(e, draw_bernoulli);
}

/* ---- Dropout ---- */

typedef struct dropout_job {
    const weft__attrs *attrs;
    const weft__array *x;
    weft__array *y, *mask;
} dropout_job;

/* What survives is scaled by 1 / (1 - p), so that the mean stays. */
static double survivor_scale(double p)
{
    return p < 1 ? 1 / (1 - p) : 0;
}

static void drop_f32(int64_t n, const void *const *in, void *out, const void *param)
{
    const uint8_t *keep = in[0];
    const float *x = in[1];
    float *y = out;
    const float scale = (float)survivor_scale(*(const double *)param);
    WEFT__SIMD for (int64_t i = 0; i < n; i++)
    {
        y[i] = keep[i] ? x[i] * scale : 0;
    }
}

static void drop_f64(int64_t n, const void *const *in, void *out, const void *param)
{
    const uint8_t *keep = in[0];
    const double *x = in[1];
    double *y = out;
    const double scale = survivor_scale(*(const double *)param);
    WEFT__SIMD for (int64_t i = 0; i < n; i++)
    {
        y[i] = keep[i] ? x[i] * scale : 0;
    }
}

/* Keep where the uniform number is at least p. */
static void make_mask(const weft__attrs *attrs, int64_t begin, int64_t n, uint8_t *mask)
{
    const double p = attrs->chance.p;
    uint32_t words[WORDS];
    one_word_each(attrs, begin, n, words);
    for (int64_t k = 0; k < n; k++) {
        mask[k] = (double)weft__uniform_f32(words[k], WEFT__UNIFORM_F32) >= p;
    }
}

static void dropout_range(void *arg, int64_t begin, int64_t end, int worker)
{
    const dropout_job *j = arg;
    const int64_t bytes = weft__dtype_bytes(j->x->dtype);
    _Alignas(64) uint64_t block[WEFT__BLOCK];
    (void)worker;
    for (; begin < end; begin += WEFT__BLOCK) {
        int64_t n = end - begin < WEFT__BLOCK ? end - begin : WEFT__BLOCK;
        uint8_t *mask = (uint8_t *)j->mask->data + begin;
        const void *in[2] = {mask, block};
        make_mask(j->attrs, begin, n, mask);
        WEFT__CPU(load)(n, j->x->dtype, (const char *)j->x->data + begin * bytes, bytes, block);
        (j->x->dtype == WEFT_F64 ? drop_f64 : drop_f32)(n, in, block, &j->attrs->chance.p);
        WEFT__CPU(store)(n, j->y->dtype, block, (char *)j->y->data + begin * bytes, bytes);
    }
}

/* x, y contiguous, f32 f64 f16 bf16; mask contiguous, bool, 1 where x is kept. */
weft_status WEFT__CPU(dropout)(const weft__exec *e)
{
    dropout_job j = {e->attrs, e->in[0], e->out[0], e->out[1]};
    weft__pool_for(weft__exec_pool(e), j.x->count, GRAIN, dropout_range, &j);
    return WEFT_OK;
}

/* dx = mask ? g / (1 - p) : 0; all of one shape. */
weft_status WEFT__CPU(dropout_grad)(const weft__exec *e)
{
    const weft__compute_type type = weft__compute_type_of(e->in[0]->dtype);
    weft__map m;
    m.n_in = 2;
    m.n_out = 1;
    m.in[0] = e->in[1];
    m.in_type[0] = WEFT__COMPUTE_BYTE;
    m.in[1] = e->in[0];
    m.in_type[1] = type;
    m.out[0] = e->out[0];
    m.out_type[0] = type;
    m.loop[0] = type == WEFT__COMPUTE_F64 ? drop_f64 : drop_f32;
    m.param = &e->attrs->dropout_grad.p;
    m.grain = 4 * GRAIN;
    return weft__run_map(e, &m);
}
