/* solver.h - what cuSOLVER needs before and after it, by kernels (kernels/linalg.cu). C17 and C++17. */
#ifndef WEFT_CUDA_SOLVER_H
#define WEFT_CUDA_SOLVER_H

#include "base/linalg.h"
#include "engine/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How cuSOLVER, whose matrices are by columns, gets a matrix that we have by rows. */
typedef enum weft__solver_form {
    WEFT__SOLVER_AS_IT_IS, /* so it sees the transpose */
    WEFT__SOLVER_TURNED,
    WEFT__SOLVER_SYMMETRIC, /* the mean of the matrix and its transpose, which looks the same from both sides */
} weft__solver_form;

enum { WEFT__SOLVER_INFOS = 2 }; /* calls for a matrix: a factorisation, and what is made of it */

/* Matrices first ... first + count - 1 of e's batch in work space. */
typedef struct weft__solver_task {
    weft__matrix_problem problem;
    weft__solver_form form;
    int64_t batch, first, count;
    int64_t r, rights; /* min(m, n); columns of right sides: 0 if there are none */
    double *a;         /* [count, m n] */
    double *b;         /* [count, n rights], by columns; of svd and pinv U as cuSOLVER has it, [count, l r] */
    double *vt;        /* svd and pinv: V^T, [count, r r] */
    double *values;    /* [count, r]: eigenvalues, singular values, the factors of reflections */
    double *signs;     /* [count, r]: of vectors */
    int *pivots;       /* [count, n] */
    int *infos;        /* [count, WEFT__SOLVER_INFOS], 0 before cuSOLVER writes there */
    int *left;         /* [batch]: not 0 where our own kernel is to do the matrix */
} weft__solver_task;

weft__matrix_problem weft__cuda_matrix_problem(const weft__exec *e);

/* The operands in the work space. A matrix with a NaN or an infinity, with which an iteration may not end, and one
 * whose squares may overflow or vanish, is left, and a unit matrix takes its place; likewise a triangle with a 0 on its
 * diagonal. Of a triangle the pivots are filled in. */
weft_status weft__cuda_solver_load(const weft__exec *e, const weft__solver_task *t);

/* Matrices of which cuSOLVER's call number `call` says that they have no result are left. */
weft_status weft__cuda_solver_sort_out(const weft__exec *e, const weft__solver_task *t, int call);

/* Of the others, result number `result` of e. */
weft_status weft__cuda_solver_store(const weft__exec *e, const weft__solver_task *t, int result);

/* The matrices that are left, by our own kernel, which also tells what is wrong with one, in a room of so many
 * bytes. */
size_t weft__cuda_matrices_left_room(const weft__exec *e);
weft_status weft__cuda_matrices_left(const weft__exec *e, const int *left, void *room);

#ifdef __cplusplus
}
#endif

#endif
