/* lapack.h - LAPACK, where the machine has it: opened when a large matrix first wants it (cpu/linalg_large.inc). */
#ifndef WEFT_CPU_LAPACK_H
#define WEFT_CPU_LAPACK_H

#include <stddef.h>

/* Matrices by columns, integers of 32 bits, the lengths of texts behind the other arguments, as compilers of Fortran
 * pass them. */
typedef struct weft__lapack {
    void (*geqrf)(const int *m, const int *n, double *a, const int *lda, double *tau, double *work, const int *lwork,
                  int *info);
    void (*orgqr)(const int *m, const int *n, const int *k, double *a, const int *lda, const double *tau, double *work,
                  const int *lwork, int *info);
    void (*syevd)(const char *jobz, const char *uplo, const int *n, double *a, const int *lda, double *w, double *work,
                  const int *lwork, int *iwork, const int *liwork, int *info, size_t, size_t);
    void (*gesdd)(const char *jobz, const int *m, const int *n, double *a, const int *lda, double *s, double *u,
                  const int *ldu, double *vt, const int *ldvt, double *work, const int *lwork, int *iwork, int *info,
                  size_t);
} weft__lapack;

/* NULL: there is none, or the environment says WEFT_LAPACK=none. Else WEFT_LAPACK is the library's path, or unset:
 * OpenBLAS, or what the system's libraries of the name LAPACK are. */
const weft__lapack *weft__lapack_open(void);

#endif
