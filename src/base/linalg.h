/* linalg.h - linear algebra on both devices: one problem, and what can be wrong with its matrix. The algorithms are in
 * linalg.inc, which the kernels of the CPU and of CUDA include. C17 and CUDA C++. */
#ifndef WEFT_BASE_LINALG_H
#define WEFT_BASE_LINALG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "base/op_table.h"

/* One matrix of a batch, as every matrix of it: rows by columns in f64, row by row. */
typedef struct weft__matrix_problem {
    int32_t op;       /* the row */
    int64_t m, n;     /* in[0] is m by n; of reciprocal_gaps 1 by n */
    int64_t k;        /* in[1] has so many columns; 0: there is none */
    bool upper, unit; /* triangular_solve */
    double rtol;      /* pinv: singular values above that times the largest count. reciprocal_gaps: values that lie no
                        further apart than that times the largest are equal */
} weft__matrix_problem;

/* How many f64 of work space solve_problem (linalg.inc) needs. */
static inline int64_t weft__matrix_work(const weft__matrix_problem *p)
{
    const int64_t m = p->m, n = p->n, r = m < n ? m : n, l = m < n ? n : m;
    switch (p->op) {
    case WEFT_OP_QR:
        return n * m + r * m + r;
    case WEFT_OP_SVD:
    case WEFT_OP_PINV:
        return 2 * (r * l + r * r + r);
    case WEFT_OP_COFACTOR_GRAD:
        return 6 * n * n + 4 * n + 1;
    case WEFT_OP_MATRIX_EXP:
        return 6 * n * n + n;
    default:
        return 2 * n * n + n;
    }
}

/* What is wrong with a matrix: a kind, and where. 0: nothing. */
typedef enum weft__matrix_fault {
    WEFT__MATRIX_FINE,
    WEFT__MATRIX_INDEFINITE, /* the leading minor of order at */
    WEFT__MATRIX_SINGULAR,   /* pivot at */
    WEFT__MATRIX_EQUAL,      /* value at and another one */
    WEFT__MATRIX_FAULTS
} weft__matrix_fault;

/* Both as one number. */
#define WEFT__MATRIX_CODE(fault, at) ((int64_t)(fault) + WEFT__MATRIX_FAULTS * (int64_t)(at))

/* A sentence on matrix number `matrix` of a batch. */
static inline void weft__matrix_fault_text(char *text, size_t size, int64_t code, int64_t matrix)
{
    const long long at = (long long)(code / WEFT__MATRIX_FAULTS), which = (long long)matrix;
    switch ((weft__matrix_fault)(code % WEFT__MATRIX_FAULTS)) {
    case WEFT__MATRIX_INDEFINITE:
        snprintf(text, size,
                 "matrix %lld is not positive definite: its leading minor of order %lld is not above 0; add to its "
                 "diagonal, or use weft_eigh",
                 which, at);
        return;
    case WEFT__MATRIX_SINGULAR:
        snprintf(text, size, "matrix %lld is singular: pivot %lld is 0; weft_pinv and weft_lstsq take such matrices",
                 which, at);
        return;
    default:
        snprintf(text, size,
                 "value %lld of row %lld equals another one but for rounding: vectors that belong to equal eigenvalues "
                 "or singular values, or to a singular value of 0, have no derivative",
                 at, which);
    }
}

#endif
