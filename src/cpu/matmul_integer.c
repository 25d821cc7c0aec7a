/* matmul_integer.c - MATMUL_INTEGER: sums of products of 8-bit integers in 32 bits, which wrap.
 *
 * Operands are packed into panels of 32-bit words of a few terms, which one instruction multiplies and adds up:
 *
 *   two terms of 16 bits   vpmaddwd, or plain C. Zero points are taken off while an operand is packed: what is left
 *                          lies in [-255, 255], and the sum of two products in 18 bits.
 *   four terms of 8 bits   vpdpbusd, where the processor has AVX-512 VNNI or AVX-VNNI. It wants signed bytes of one
 *                          operand and unsigned ones of the other. Where both are alike, the highest bit of b's is
 *                          turned, which moves them by 128; what that adds is taken off afterwards, as zero points
 *                          are.
 *
 * vpmaddubsw, which does four terms without VNNI, saturates where it adds two products in 16 bits: it is not used. All
 * that is done here wraps in 32 bits, so that every way gives the same bits, in whatever order it adds. */
#include "base/scalar.h"
#include "gemm.h"
#include "loop.h"

#define MR WEFT__GEMM_MR
enum {
    LANES = WEFT__VEC_BYTES / 4,
    NR = 2 * LANES, /* columns of the register tile */
    KC = 256,       /* words of one packed block: a panel of b stays in the first-level cache */
    MC = MR * 20,   /* rows of a packed block of a: it stays in the second-level cache */
    NC = WEFT__GEMM_NC,
    SMALL_TERMS = 1024,     /* m n k up to which packing does not pay */
    SERIAL_TERMS = 1 << 18, /* m n k below which a second thread does not pay */
    VECTOR_COLUMNS = 256,   /* of a vector by a matrix, in one piece */
    HIGHEST_BIT = 0x80
};
#define UNROLL_TILE _Pragma("GCC unroll 16")
static_assert(NR >= LANES && NC % NR == 0, "blocks are made of whole panels");

typedef uint32_t words __attribute__((vector_size(WEFT__VEC_BYTES)));
typedef uint32_t words_anywhere __attribute__((vector_size(WEFT__VEC_BYTES), aligned(4), may_alias));

/* Where the processor has it, vpdpbusd in functions of their own: the rest of this file is compiled without. */
#if WEFT__VEC_BYTES == 64
#define WITH_FOURS __attribute__((target("avx512vnni")))
#elif WEFT__VEC_BYTES == 32 && (__GNUC__ >= 11 || __clang_major__ >= 12)
#define WITH_FOURS __attribute__((target("avxvnni")))
#endif

/* An operand: element o of its outer dim (a's rows, b's columns), term l of the sums, at p[o * outer + l * inner]. What
 * is computed with is value + shift, and the byte of that has the bits of flip turned. */
typedef struct side {
    const uint8_t *p;
    int64_t outer, inner;
    bool is_signed;
    uint8_t flip;
    int32_t shift;       /* 128, -128 or 0 */
    const uint8_t *zero; /* the zero points, of the same dtype, zero_step apart; or NULL */
    int64_t zero_step;
} side;

static int32_t value_of(const side *s, uint8_t byte)
{
    return s->is_signed ? (int8_t)byte : byte;
}

static int32_t zero_at(const side *s, int64_t o)
{
    return s->zero ? value_of(s, s->zero[o * s->zero_step]) : 0;
}

/* The bytes as signed ones, or as unsigned ones. */
static void take_as(side *s, bool as_signed)
{
    s->flip = s->is_signed == as_signed ? 0 : HIGHEST_BIT;
    s->shift = s->is_signed == as_signed ? 0 : as_signed ? -128 : 128;
}

static words load(const void *p)
{
    return *(const words_anywhere *)p;
}

static void store(void *p, words v)
{
    *(words_anywhere *)p = v;
}

/* batch products of one shape: product t at the offsets that t's leading indices give. */
typedef struct products {
    int64_t m, n, k;
    side a, b; /* of product 0 */
    uint32_t *y;
    const weft__array *a_array, *b_array, *y_array;
    weft__gemm_cut cut;
    int64_t pieces;     /* of a vector's result */
    bool fours;         /* by vpdpbusd */
    uint32_t *work;     /* one buffer for each worker */
    int64_t work_words; /* of each */
} products;

static void product_at(products *p, int64_t t)
{
    p->y += t * p->m * p->n;
    for (int d = p->y_array->ndim - 3; d >= 0; d--) {
        const int64_t index = t % p->y_array->shape[d];
        t /= p->y_array->shape[d];
        p->a.p += index * p->a_array->strides[d];
        p->b.p += index * p->b_array->strides[d];
    }
}

/* sums[o] = the sum of the values of element first + o of the outer dim. */
static void sum_values(const side *s, int64_t first, int64_t n, int64_t k, uint32_t *sums)
{
    const uint8_t flip = s->is_signed ? HIGHEST_BIT : 0;
    const uint32_t moved = (uint32_t)k * flip;
    const uint8_t *p = s->p + first * s->outer;
    for (int64_t o = 0; o < n; o++)
        sums[o] = 0;
    if (s->inner == 1) {
        for (int64_t o = 0; o < n; o++) {
            uint32_t sum = 0;
            for (int64_t l = 0; l < k; l++)
                sum += (uint8_t)(p[o * s->outer + l] ^ flip);
            sums[o] = sum;
        }
    } else {
        for (int64_t l = 0; l < k; l++)
            for (int64_t o = 0; o < n; o++)
                sums[o] += (uint8_t)(p[o * s->outer + l * s->inner] ^ flip);
    }
    for (int64_t o = 0; o < n; o++)
        sums[o] -= moved;
}

static bool is_moved(const side *s)
{
    return s->shift != 0 || s->zero;
}

/* What (a - A) (b' - B) has beside a b', where b' = b + shift, B = zero point + shift, A a's zero point: y is the
 * latter. sums: room for as many words as rows and columns. */
static void take_off(const products *p, int64_t i0, int64_t i1, int64_t j0, int64_t j1, uint32_t *sums)
{
    uint32_t *of_a = sums, *of_b = sums + (i1 - i0);
    if (is_moved(&p->b))
        sum_values(&p->a, i0, i1 - i0, p->k, of_a);
    if (p->a.zero)
        sum_values(&p->b, j0, j1 - j0, p->k, of_b);
    for (int64_t i = i0; i < i1; i++) {
        uint32_t *y = p->y + i * p->n;
        const uint32_t away = (uint32_t)zero_at(&p->a, i);
        if (away != 0)
            for (int64_t j = j0; j < j1; j++)
                y[j] -= away * (of_b[j - j0] + (uint32_t)p->k * (uint32_t)p->b.shift);
        if (!is_moved(&p->b))
            continue;
        /* - B R + k A B, R the sum of a: R - k A is the sum of what its zero points leave */
        const uint32_t rest = of_a[i - i0] - (uint32_t)p->k * (uint32_t)zero_at(&p->a, i);
        if (!p->b.zero || p->b.zero_step == 0) {
            const uint32_t off = (uint32_t)(zero_at(&p->b, 0) + p->b.shift) * rest;
            for (int64_t j = j0; j < j1; j++)
                y[j] -= off;
        } else {
            for (int64_t j = j0; j < j1; j++)
                y[j] -= (uint32_t)(zero_at(&p->b, j) + p->b.shift) * rest;
        }
    }
}

#define WAY pairs
#define TERMS 2
#define TARGET
#include "matmul_integer.inc"
#undef WAY
#undef TERMS
#undef TARGET

#if defined(WITH_FOURS)
#define WAY fours
#define TERMS 4
#define TARGET WITH_FOURS
#include "matmul_integer.inc"
#undef WAY
#undef TERMS
#undef TARGET
#endif

/* ---- Small products ---- */

static void small_range(void *arg, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    for (int64_t t = begin; t < end; t++) {
        products p = *(const products *)arg;
        product_at(&p, t);
        for (int64_t i = 0; i < p.m; i++)
            for (int64_t j = 0; j < p.n; j++) {
                const int32_t zero_a = zero_at(&p.a, i), zero_b = zero_at(&p.b, j);
                uint32_t sum = 0;
                for (int64_t l = 0; l < p.k; l++)
                    sum += (uint32_t)((value_of(&p.a, p.a.p[i * p.a.outer + l * p.a.inner]) - zero_a) *
                                      (value_of(&p.b, p.b.p[j * p.b.outer + l * p.b.inner]) - zero_b));
                p.y[i * p.n + j] = sum;
            }
    }
}

/* ---- All ---- */

static side side_of(const weft__array *a, int outer, int inner, const weft__array *zero)
{
    return (side){.p = a->data,
                  .outer = a->strides[outer],
                  .inner = a->strides[inner],
                  .is_signed = a->dtype == WEFT_I8,
                  .zero = zero ? zero->data : NULL,
                  .zero_step = zero && zero->ndim > 0 && zero->shape[0] > 1 ? zero->strides[0] : 0};
}

/* A column is the row of the product that is turned. */
static void turn(products *p)
{
    const side a = p->a;
    const weft__array *array = p->a_array;
    p->a = p->b;
    p->b = a;
    p->a_array = p->b_array;
    p->b_array = array;
    p->n = p->m;
    p->m = 1;
}

static weft_status run_vectors(const weft__exec *e, products *p, int64_t batch, int threads)
{
    p->pieces = (p->n + VECTOR_COLUMNS - 1) / VECTOR_COLUMNS;
    p->work_words = weft__rounded_up(p->k, 256) / 2 + VECTOR_COLUMNS + 64;
    p->work = weft__scratch(e, p->work_words * threads, sizeof(uint32_t));
    if (!p->work)
        return WEFT_E_NOMEM;
    weft__range_fn range = vectors_pairs;
#if defined(WITH_FOURS)
    if (p->fours)
        range = vectors_fours;
#endif
    const int64_t grain = threads == 1 ? batch * p->pieces : SERIAL_TERMS / (p->k * VECTOR_COLUMNS) + 1;
    weft__pool_for(weft__exec_pool(e), batch * p->pieces, grain, range, p);
    return WEFT_OK;
}

static weft_status run_blocks(const weft__exec *e, products *p, int64_t batch, int threads)
{
    p->cut = weft__gemm_cut_for(batch, p->m, p->n, threads);
    const int64_t columns = weft__rounded_up(p->cut.columns, NR), rows = weft__rounded_up(p->m < MC ? p->m : MC, MR);
    p->work_words = weft__rounded_up((rows + columns) * KC + p->cut.rows + columns, 64);
    p->work = weft__scratch(e, p->work_words * threads, sizeof(uint32_t));
    if (!p->work)
        return WEFT_E_NOMEM;
    weft__range_fn range = blocks_pairs;
#if defined(WITH_FOURS)
    if (p->fours)
        range = blocks_fours;
#endif
    const int64_t tasks = batch * p->cut.row_blocks * p->cut.column_blocks;
    weft__pool_for(weft__exec_pool(e), tasks, threads == 1 ? tasks : 1, range, p);
    return WEFT_OK;
}

/* in a [.., M, K], b [.., K, N], a_zero [] or [M] or NULL, b_zero [] or [N] or NULL, all i8 or u8 and of any strides;
 * out y [.., M, N] i32 */
weft_status WEFT__CPU(matmul_integer)(const weft__exec *e)
{
    const weft__array *a = e->in[0], *b = e->in[1], *y = e->out[0];
    const int n = y->ndim;
    weft__pool *pool = weft__exec_pool(e);
    products p = {.m = y->shape[n - 2],
                  .n = y->shape[n - 1],
                  .k = a->shape[n - 1],
                  .a = side_of(a, n - 2, n - 1, e->in[2]),
                  .b = side_of(b, n - 1, n - 2, e->in[3]),
                  .y = y->data,
                  .a_array = a,
                  .b_array = b,
                  .y_array = y,
                  .fours = ((const weft__cpu_device *)e->device)->has_vnni};
    if (y->count == 0)
        return WEFT_OK;
    if (p.k == 0) {
        memset(y->data, 0, (size_t)y->count * sizeof(int32_t));
        return WEFT_OK;
    }
    const int64_t terms = p.m * p.n * p.k, batch = y->count / (p.m * p.n);
    const int threads = batch * terms < 2 * SERIAL_TERMS ? 1 : weft__pool_threads(pool);
    if (p.n == 1)
        turn(&p);
    if (terms <= SMALL_TERMS) {
        weft__pool_for(pool, batch, SERIAL_TERMS / terms, small_range, &p);
        return WEFT_OK;
    }
    return p.m == 1 ? run_vectors(e, &p, batch, threads) : run_blocks(e, &p, batch, threads);
}
