/* cublaslt.h - cuBLASLt as the peer of the matrix product on a GPU: for a product, the fastest of all algorithms that
 * it proposes with ample work space, whether they repeat bit by bit or not. Opened at run time; without cublasLt.h at
 * build time there is none. */
#ifndef BENCH_CUBLASLT_H
#define BENCH_CUBLASLT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weft/weft.h>

/* y [batches, m, n] = a [batches, m, k] b [batches, k, n], all contiguous; turned: stored as [batches, k, m], or
 * [batches, n, k]. */
typedef struct bench_product {
    int64_t batches, m, n, k;
    bool a_turned, b_turned;
    weft_dtype dtype; /* f32, f16 or bf16; sums in f32 */
    bool tf32;        /* f32 factors may be rounded to TF32 */
} bench_product;

typedef struct bench_lt bench_lt;
typedef struct bench_lt_plan bench_lt_plan;

/* path: the file, or "" for where the loader looks. The products run on ctx's stream, as an operation of it. NULL: note
 * says why. */
bench_lt *bench_lt_open(weft_ctx *ctx, const char *path, char *note, size_t size);
void bench_lt_close(bench_lt *lt);

/* Times every algorithm for a product and keeps the fastest. The operands live in ctx's innermost scope. NULL: message
 * says why. */
bench_lt_plan *bench_lt_prepare(bench_lt *lt, const bench_product *p, char *message, size_t size);
int bench_lt_candidates(const bench_lt_plan *plan); /* how many were timed */
void bench_lt_drop(bench_lt_plan *plan);

/* Queues the product once. */
void bench_lt_run(bench_lt_plan *plan);

#endif
