/* blas.c - see blas.h. */
#include "blas.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "limits.h"

enum { ROW_MAJOR = 101, PLAIN = 111, TRANSPOSED = 112 }; /* of the CBLAS interface */

typedef void (*sgemm_fn)(int order, int ta, int tb, int m, int n, int k, float alpha, const float *a, int lda,
                         const float *b, int ldb, float beta, float *c, int ldc);
static sgemm_fn sgemm;
static void (*set_threads)(int threads);

static const char *core_type(void)
{
    return bench_has_isa("avx512") ? "SkylakeX" : bench_has_isa("avx2") ? "Haswell" : NULL;
}

/* memcpy: ISO C has no cast from object to function pointers. */
static bool find(void *library, const char *name, void *function)
{
    void *symbol = dlsym(library, name);
    memcpy(function, &symbol, sizeof symbol);
    return symbol != NULL;
}

bench_blas bench_blas_open(void)
{
    bench_blas blas = {0};
    const char *own = getenv("WEFT_BENCH_OPENBLAS");
    const char *const names[] = {own ? own : "libopenblas.so.0", own ? own : "libopenblas.so"};
    if (core_type())
        setenv("OPENBLAS_CORETYPE", core_type(), 0);
    void *library = NULL;
    for (int k = 0; k < 2 && !library; k++)
        library = dlopen(names[k], RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        snprintf(blas.note, sizeof blas.note,
                 "no OpenBLAS to compare with (%s not found; Debian has it in libopenblas0-pthread)", names[0]);
        return blas;
    }
    blas.there = find(library, "cblas_sgemm", &sgemm) && find(library, "openblas_set_num_threads", &set_threads);
    char *(*core)(void) = NULL;
    const char *chosen = find(library, "openblas_get_corename", &core) ? core() : "unknown";
    snprintf(blas.note, sizeof blas.note,
             blas.there ? "OpenBLAS with its kernels for %s" : "an OpenBLAS without the CBLAS interface (%s)", chosen);
    return blas;
}

void bench_blas_threads(int threads)
{
    set_threads(threads);
}

void bench_blas_sgemm(int64_t m, int64_t n, int64_t k, const float *a, const float *b, bool transposed, float *c)
{
    sgemm(ROW_MAJOR, PLAIN, transposed ? TRANSPOSED : PLAIN, (int)m, (int)n, (int)k, 1, a, (int)k, b,
          transposed ? (int)k : (int)n, 0, c, (int)n);
}
