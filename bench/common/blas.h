/* blas.h - OpenBLAS as the peer of the matrix product, opened at run time where there is one. */
#ifndef BENCH_BLAS_H
#define BENCH_BLAS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct bench_blas {
    bool there;
    char note[256]; /* which library and core type; or why there is none */
} bench_blas;

/* Looks for libopenblas where the dynamic loader does, or at WEFT_BENCH_OPENBLAS. Sets OPENBLAS_CORETYPE first, unless
 * it is set: old releases take a CPU they do not know for the least one, at a fifth of its speed. */
bench_blas bench_blas_open(void);

void bench_blas_threads(int threads);

/* C[m, n] = A[m, k] B[k, n], row-major, f32; transposed: B is stored as [n, k]. */
void bench_blas_sgemm(int64_t m, int64_t n, int64_t k, const float *a, const float *b, bool transposed, float *c);

#endif
