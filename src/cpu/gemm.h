/* gemm.h - the packed matrix product C[m, n] (+)= A[m, k] B[k, n] that matmul, linear and convolution share.
 *
 * A and B are cut into panels that are copied next to each other ("packed"), so that one register tile of MR x NR runs
 * over contiguous memory (Goto & van de Geijn 2008). B comes through a function that packs a piece of it: a strided
 * matrix, or windows of an image that never exist as a matrix. Every element of C is summed over k in the same order
 * however C is cut, so results do not depend on the number of threads. gemm_block and gemm_small in blocks agree bit by
 * bit, for any strides; gemm_small without, gemm_dots and gemv have orders of their own. */
#ifndef WEFT_CPU_GEMM_H
#define WEFT_CPU_GEMM_H

#include "vec.h"

enum {
    WEFT__GEMM_KC = 256,  /* k of one packed block: a panel of B stays in the first-level cache */
    WEFT__GEMM_NC = 1024, /* most columns of one block */
};

/* Rows of the register tile, which is two vectors wide; sides of the square of dot products that fits into
 * registers. */
#if WEFT__VEC_BYTES == 64
#define WEFT__GEMM_MR 14
#define WEFT__GEMM_DOTS 5
#elif WEFT__VEC_BYTES == 32
#define WEFT__GEMM_MR 6
#define WEFT__GEMM_DOTS 3
#else
#define WEFT__GEMM_MR 4
#define WEFT__GEMM_DOTS 3
#endif
#define WEFT__GEMM_MC (WEFT__GEMM_MR * 20) /* rows of a packed block of A: it stays in the second-level cache */

#define WEFT__GEMM_DECLARE(real)                                                                                       \
    /* Packs B[k0 .. k0+kc, j0 .. j0+n) into panels of NR columns, weft__panel_pitch apart: \
     * panels[(j / NR)][k][j % NR], zeros past n. */                          \
    typedef void (*weft__pack_b_##real)(const void *source, int64_t k0, int64_t kc, int64_t j0, int64_t n,             \
                                        weft__real_##real *panels, weft__real_##real *spare);                          \
    /* What becomes of n sums that are complete: y = f(c); y may be c. */                                              \
    typedef void (*weft__finish_##real)(const weft__real_##real *c, weft__real_##real *y, int64_t n);                  \
    typedef struct weft__gemm_##real {                                                                                 \
        int64_t m, n, k;                                                                                               \
        const weft__real_##real *a; /* element (i, k) at a[i * a_row + k * a_column] */                                \
        int64_t a_row, a_column;                                                                                       \
        const weft__real_##real *a_packed; /* by gemm_pack_a, or NULL */                                               \
        weft__pack_b_##real pack_b;                                                                                    \
        const void *b;                                                                                                 \
        weft__real_##real *c; /* row-major, ldc between rows */                                                        \
        int64_t ldc;                                                                                                   \
        const weft__real_##real *bias_m, *bias_n; /* added to rows, columns; or NULL */                                \
        bool accumulate;                          /* else C is overwritten, never read */                              \
        weft__finish_##real finish;               /* NULL, or run on each block of C while it is in the cache */       \
        weft__real_##real *y;                     /* where its results go, laid out as C */                            \
    } weft__gemm_##real;                                                                                               \
    typedef struct weft__matrix_##real {                                                                               \
        const weft__real_##real *p;                                                                                    \
        int64_t row, column; /* strides */                                                                             \
    } weft__matrix_##real;                                                                                             \
    /* pack_b for a weft__matrix. */                                                                                   \
    void WEFT__CAT(weft__cpu_gemm_pack_matrix_##real, WEFT_ISA)(const void *source, int64_t k0, int64_t kc,            \
                                                                int64_t j0, int64_t n, weft__real_##real *panels,      \
                                                                weft__real_##real *spare);                             \
    /* All of A in panels, for a product that is cut into many blocks; packed has room for k times m, \
     * rounded up to MR. */                \
    void WEFT__CAT(weft__cpu_gemm_pack_a_##real, WEFT_ISA)(const weft__gemm_##real *g, weft__real_##real *packed);     \
    /* C[i0 .. i1, j0 .. j1); i0 a multiple of MC, j1 - j0 at most NC. work: weft__gemm_work elements. */              \
    void WEFT__CAT(weft__cpu_gemm_block_##real, WEFT_ISA)(const weft__gemm_##real *g, int64_t i0, int64_t i1,          \
                                                          int64_t j0, int64_t j1, weft__real_##real *work);            \
    /* The whole product without packing B, in the calling thread: for small ones. in_blocks: of KC terms. */          \
    void WEFT__CAT(weft__cpu_gemm_small_##real, WEFT_ISA)(const weft__gemm_##real *g, const weft__matrix_##real *b,    \
                                                          bool in_blocks);                                             \
    /* Rows [i0, i1), i0 a multiple of WEFT__GEMM_DOTS, as dot products, where gemm_is_dots finds that \
     * the better way. */               \
    bool WEFT__CAT(weft__cpu_gemm_is_dots_##real, WEFT_ISA)(const weft__gemm_##real *g, const weft__matrix_##real *b); \
    void WEFT__CAT(weft__cpu_gemm_dots_##real, WEFT_ISA)(const weft__gemm_##real *g, const weft__matrix_##real *b,     \
                                                         int64_t i0, int64_t i1);                                      \
    /* y[j] = sum over k of x[k] b(k, j) (+ bias): the matrix is read once. x contiguous; columns [j0, j1). */         \
    void WEFT__CAT(weft__cpu_gemv_##real, WEFT_ISA)(const weft__real_##real *x, const weft__matrix_##real *b,          \
                                                    int64_t k, int64_t j0, int64_t j1, const weft__real_##real *bias,  \
                                                    weft__real_##real *y);

WEFT__GEMM_DECLARE(f32)
WEFT__GEMM_DECLARE(f64)

/* Elements from one packed panel of B to the next: one row more than it has, so that a row written across the panels
 * does not fall on one cache set. */
static inline int64_t weft__panel_pitch(int64_t kc, int64_t nr)
{
    return (kc + 1) * nr;
}

static inline int64_t weft__rounded_up(int64_t n, int64_t to)
{
    return (n + to - 1) / to * to;
}

/* Elements of a packed block of A of a product with m rows and k terms; what follows it is aligned as it is. */
static inline int64_t weft__gemm_a_work(int64_t m, int64_t k)
{
    const int64_t rows = m < WEFT__GEMM_MC ? weft__rounded_up(m, WEFT__GEMM_MR) : WEFT__GEMM_MC;
    return weft__rounded_up(rows * (k < WEFT__GEMM_KC ? k : WEFT__GEMM_KC), 32);
}

/* Elements of work that one worker needs for a product of this size: packed A, packed B, and rows of spare room for
 * pack_b, of B's or of k's length. */
static inline int64_t weft__gemm_work(int64_t m, int64_t n, int64_t k)
{
    const int64_t widest = WEFT__VEC_BYTES / 2; /* NR of f32 */
    const int64_t kc = k < WEFT__GEMM_KC ? k : WEFT__GEMM_KC;
    const int64_t columns = weft__rounded_up(n < WEFT__GEMM_NC ? n : WEFT__GEMM_NC, widest);
    return weft__rounded_up(weft__gemm_a_work(m, k) + weft__panel_pitch(kc, columns) + widest * kc + columns, 32);
}

/* How C is cut into blocks for threads. */
typedef struct weft__gemm_cut {
    int64_t rows, columns; /* of a block */
    int64_t row_blocks, column_blocks;
} weft__gemm_cut;

/* Enough blocks for the threads (batch products each), none smaller than pays. */
static inline weft__gemm_cut weft__gemm_cut_for(int64_t batch, int64_t m, int64_t n, int threads)
{
    weft__gemm_cut cut = {.rows = m, .columns = n < WEFT__GEMM_NC ? n : WEFT__GEMM_NC};
    const int64_t wanted = threads > 1 ? 4 * (int64_t)threads : 1;
    while (batch * ((n + cut.columns - 1) / cut.columns) < wanted && cut.columns >= 256)
        cut.columns = (cut.columns / 2 + 63) / 64 * 64;
    cut.column_blocks = (n + cut.columns - 1) / cut.columns;
    if (batch * cut.column_blocks < wanted && m > WEFT__GEMM_MC)
        cut.rows = WEFT__GEMM_MC;
    cut.row_blocks = (m + cut.rows - 1) / cut.rows;
    return cut;
}

#endif
