/* linalg.c - the launchers of linear algebra: cuSOLVER for large matrices, kernels/linalg.cu for everything else.
 *
 * As everywhere, all is computed in f64 and rounded once, and factors have the signs of base/linalg.inc. cuSOLVER has
 * one matrix at a time and the whole GPU for it; our kernel gives each matrix of a batch a block. So cuSOLVER gets
 * matrices from LARGE rows and columns on (of eigenvalues and singular values LARGE_FOR_ROTATIONS) unless there are
 * many: a block takes about n^2 longer for a column than there is to wait between the steps of one matrix, so that up
 * to (n / LARGE)^2 of them are better done one after the other. No GPU has measured this (docs/gpu-status.md);
 * WEFT_CUSOLVER_FROM=n in the environment gives cuSOLVER all matrices of n rows and columns or more, and no others.
 *
 * A triangle is solved by getrs, which takes it for one factor of a matrix whose other factor is the unit matrix: twice
 * the work of cuBLAS's trsm, and no other library.
 *
 * Nothing waits for what cuSOLVER says of a matrix: a kernel reads it, and those that it gives up, or finds to have no
 * result, are done again by our own kernel behind it, which notes faults as it always does. So it is with matrices that
 * hold a NaN or an infinity: the numbers and errors are our own.
 *
 * cuSOLVER's own default is results that repeat; its handle keeps some memory that no budget counts. Work space is
 * scratch memory of the operation; if there is not enough, or if cuSOLVER fails, our kernel does all. */
#include "solver.h"
#include <string.h>
#include "host.h"
#include "kernels.h"
#include "launch.h"
#include "library.h"
#include "solver_api.h"

enum { FUNCTIONS = 16, LARGE = 64, LARGE_FOR_ROTATIONS = 32, MOST = 20000 };
enum { MOST_ROOM = 256 << 20 }; /* bytes for the matrices that are in the work space together, of two or more */

/* The device's part WEFT__CUDA_SOLVER. */
typedef struct solver {
    weft__solver_api api;
    weft__solver_handle handle; /* NULL: there is no usable cuSOLVER, or it has not been opened */
    bool opened;
    int64_t from; /* WEFT_CUSOLVER_FROM */
} solver;

/* ---- The part ---- */

static void close_part(weft__cuda_device *d, void *state)
{
    solver *part = state;
    if (part->handle)
        (void)part->api.destroy(part->handle);
    d->options.free(d->options.user, part, sizeof *part);
}

static void open_library(const weft__cuda_device *d, solver *part)
{
    static const char *const names[FUNCTIONS] = {WEFT__SOLVER_FUNCTIONS};
    void (*functions[FUNCTIONS])(void);
    weft__cuda_opened opened;
    weft__cuda_library_open(WEFT__CUDA_CUSOLVER, &opened);
    if (!weft__cuda_library_functions(&opened, FUNCTIONS, names, functions))
        return;
    _Static_assert(sizeof part->api == sizeof functions, "the functions in the order of their names");
    memcpy(&part->api, functions, sizeof functions);
    if (part->api.create(&part->handle) != WEFT__SOLVER_SUCCESS) {
        part->handle = NULL;
        return;
    }
    if (part->api.set_stream(part->handle, d->stream) == WEFT__SOLVER_SUCCESS)
        return;
    (void)part->api.destroy(part->handle);
    part->handle = NULL;
}

/* NULL: do without. */
static solver *part_of(const weft__exec *e)
{
    weft__cuda_device *d = weft__cuda_device_of(e);
    solver *part = d->parts[WEFT__CUDA_SOLVER].state;
    if (!part) {
        part = d->options.alloc(d->options.user, sizeof *part, 64);
        if (!part)
            return NULL;
        memset(part, 0, sizeof *part);
        part->from = weft__cuda_library_from("WEFT_CUSOLVER_FROM");
        d->parts[WEFT__CUDA_SOLVER].close = close_part;
        d->parts[WEFT__CUDA_SOLVER].state = part;
    }
    return part;
}

/* ---- Which matrices ---- */

static int64_t least_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most_of(int64_t a, int64_t b)
{
    return a < b ? b : a;
}

static bool has_sides(int32_t op)
{
    return op == WEFT_OP_SOLVE || op == WEFT_OP_TRIANGULAR_SOLVE;
}

static bool is_by_rotations(const weft__matrix_problem *p)
{
    return p->op == WEFT_OP_EIGH || p->op == WEFT_OP_SVD || p->op == WEFT_OP_PINV;
}

static bool suits(const weft__exec *e, const solver *part, const weft__matrix_problem *p, int64_t batch)
{
    const int64_t r = least_of(p->m, p->n), large = is_by_rotations(p) ? LARGE_FOR_ROTATIONS : LARGE;
    if (weft__cuda_invariant(e) || r == 0 || batch == 0 || (has_sides(p->op) && p->k == 0) ||
        most_of(p->m, most_of(p->n, p->k)) > MOST)
        return false;
    return part->from ? r >= part->from : r >= large && batch <= (r / large) * (r / large);
}

/* ---- Work space ---- */

static weft__solver_task describe(const weft__exec *e)
{
    weft__solver_task t = {.problem = weft__cuda_matrix_problem(e), .form = WEFT__SOLVER_AS_IT_IS, .batch = 1};
    const weft__matrix_problem *p = &t.problem;
    for (int d = 0; d < e->in[0]->ndim - 2; d++)
        t.batch *= e->in[0]->shape[d];
    t.r = least_of(p->m, p->n);
    t.rights = has_sides(p->op) ? p->k : p->op == WEFT_OP_INVERSE ? p->n : 0;
    if (p->op == WEFT_OP_CHOLESKY || p->op == WEFT_OP_EIGH)
        t.form = WEFT__SOLVER_SYMMETRIC;
    else if (p->op == WEFT_OP_QR || p->upper ||
             (is_by_rotations(p) && p->m > p->n)) /* gesvd takes no more columns than rows */
        t.form = WEFT__SOLVER_TURNED;
    return t;
}

static int64_t rows_of(const weft__solver_task *t) /* as cuSOLVER sees a matrix */
{
    return t->form == WEFT__SOLVER_TURNED ? t->problem.m : t->problem.n;
}

static bool has_singular_values(const weft__solver_task *t)
{
    return t->problem.op == WEFT_OP_SVD || t->problem.op == WEFT_OP_PINV;
}

/* A piece of the work space: count elements of size bytes at *at, which moves on; NULL while it is only measured. */
static void *piece(char *start, size_t *at, int64_t count, size_t size)
{
    char *place = start ? start + *at : NULL;
    *at += ((size_t)count * size + 255) / 256 * 256;
    return place;
}

/* Lays out everything for t->count matrices from start on, and returns its bytes: the list of those that are left, then
 * what makes room for the work on those. No count of elements is above MOST^2 times a few, or MOST_ROOM. */
static size_t lay_out(weft__solver_task *t, char *start, int lwork, double **work, void **behind)
{
    const weft__matrix_problem *p = &t->problem;
    const int64_t n = t->count, r = t->r, l = most_of(p->m, p->n);
    const bool singular = has_singular_values(t);
    size_t at = 0;
    t->left = piece(start, &at, t->batch, sizeof(int));
    *behind = start ? start + at : NULL;
    t->a = piece(start, &at, n * p->m * p->n, sizeof(double));
    t->b = piece(start, &at, singular ? n * l * r : n * p->n * t->rights, sizeof(double));
    t->vt = piece(start, &at, singular ? n * r * r : 0, sizeof(double));
    t->values = piece(start, &at, n * r, sizeof(double));
    t->signs = piece(start, &at, n * r, sizeof(double));
    t->pivots = piece(start, &at, n * p->n, sizeof(int));
    t->infos = piece(start, &at, n * WEFT__SOLVER_INFOS, sizeof(int));
    *work = piece(start, &at, lwork, sizeof(double));
    return at;
}

/* What the calls for a matrix want, in elements; -1: cuSOLVER does not say. */
static int work_size(const solver *part, const weft__solver_task *t)
{
    const weft__solver_api *f = &part->api;
    const int m = (int)t->problem.m, n = (int)t->problem.n, r = (int)t->r, l = (int)most_of(m, n);
    int lwork = 0, more = 0, result;
    switch (t->problem.op) {
    case WEFT_OP_CHOLESKY:
        result = f->potrf_size(part->handle, WEFT__SOLVER_UPPER, n, t->a, n, &lwork);
        break;
    case WEFT_OP_QR:
        result = f->geqrf_size(part->handle, m, n, t->a, m, &lwork);
        if (result == WEFT__SOLVER_SUCCESS)
            result = f->orgqr_size(part->handle, m, r, r, t->a, m, t->values, &more);
        break;
    case WEFT_OP_EIGH:
        result = f->syevd_size(part->handle, WEFT__SOLVER_VECTORS, WEFT__SOLVER_UPPER, n, t->a, n, t->values, &lwork);
        break;
    case WEFT_OP_SVD:
    case WEFT_OP_PINV:
        result = f->gesvd_size(part->handle, l, r, &lwork);
        break;
    case WEFT_OP_TRIANGULAR_SOLVE:
        result = WEFT__SOLVER_SUCCESS;
        break;
    default:
        result = f->getrf_size(part->handle, n, n, t->a, n, &lwork);
    }
    return result == WEFT__SOLVER_SUCCESS && lwork >= 0 && more >= 0 ? (int)most_of(lwork, more) : -1;
}

/* ---- Calls ---- */

/* Call number `call` for matrix number k of the work space. */
static int run_call(const solver *part, const weft__solver_task *t, int call, int64_t k, double *work, int lwork)
{
    const weft__solver_api *f = &part->api;
    const int m = (int)t->problem.m, n = (int)t->problem.n, r = (int)t->r, l = (int)most_of(m, n);
    const int rows = (int)rows_of(t);
    double *a = t->a + k * m * n, *values = t->values + k * r;
    int *info = t->infos + k * WEFT__SOLVER_INFOS + call, *pivots = t->pivots + k * n;
    switch (t->problem.op) {
    case WEFT_OP_CHOLESKY:
        return f->potrf(part->handle, WEFT__SOLVER_UPPER, n, a, n, work, lwork, info);
    case WEFT_OP_QR:
        if (call == 0)
            return f->geqrf(part->handle, m, n, a, m, values, work, lwork, info);
        return f->orgqr(part->handle, m, r, r, a, m, values, work, lwork, info);
    case WEFT_OP_EIGH:
        return f->syevd(part->handle, WEFT__SOLVER_VECTORS, WEFT__SOLVER_UPPER, n, a, n, values, work, lwork, info);
    case WEFT_OP_SVD:
    case WEFT_OP_PINV:
        return f->gesvd(part->handle, 'S', 'S', l, r, a, rows, values, t->b + k * l * r, l, t->vt + k * r * r, r, work,
                        lwork, NULL, info);
    default:
        if (call == 0)
            return f->getrf(part->handle, n, n, a, n, work, pivots, info);
        return f->getrs(part->handle, t->form == WEFT__SOLVER_TURNED ? WEFT__SOLVER_PLAIN : WEFT__SOLVER_TRANSPOSED, n,
                        (int)t->rights, a, n, pivots, t->b + k * n * t->rights, n, info);
    }
}

/* False: cuSOLVER has failed. Queues one call for each matrix, and looks at what it says. */
static weft_status run_calls(const weft__exec *e, const solver *part, const weft__solver_task *t, int call,
                             double *work, int lwork, bool *fine)
{
    for (int64_t k = 0; k < t->count && *fine; k++)
        *fine = run_call(part, t, call, k, work, lwork) == WEFT__SOLVER_SUCCESS;
    if (*fine)
        return weft__cuda_solver_sort_out(e, t, call);
    (void)cudaGetLastError();
    return WEFT_OK;
}

/* The matrices that are in the work space together. */
static weft_status run_part(const weft__exec *e, const solver *part, const weft__solver_task *t, double *work,
                            int lwork, bool *fine)
{
    const bool is_qr = t->problem.op == WEFT_OP_QR;
    weft_status status = weft__cuda_solver_load(e, t);
    if (status == WEFT_OK && t->problem.op != WEFT_OP_TRIANGULAR_SOLVE)
        status = run_calls(e, part, t, 0, work, lwork, fine);
    if (status == WEFT_OK && *fine && is_qr) /* the call for q overwrites r */
        status = weft__cuda_solver_store(e, t, 1);
    if (status == WEFT_OK && *fine && (is_qr || t->rights))
        status = run_calls(e, part, t, 1, work, lwork, fine);
    for (int k = 0; k < (is_qr ? 1 : e->n_out) && status == WEFT_OK && *fine; k++)
        status = weft__cuda_solver_store(e, t, k);
    return status;
}

/* *done: false if our kernel is to do it. */
static weft_status run_library(const weft__exec *e, const solver *part, weft__solver_task *t, bool *done)
{
    double *work;
    void *behind;
    bool fine = true;
    t->count = 1;
    const int lwork = work_size(part, t);
    const int64_t each = (int64_t)lay_out(t, NULL, 0, &work, &behind);
    t->count = least_of(t->batch, most_of(1, MOST_ROOM / each));
    const size_t before = (size_t)(t->batch + 64) * sizeof(int), own = before + weft__cuda_matrices_left_room(e);
    const size_t bytes = lay_out(t, NULL, lwork < 0 ? 0 : lwork, &work, &behind);
    char *room = lwork < 0 ? NULL : e->host->try_scratch(e, bytes > own ? bytes : own);
    if (!room)
        return WEFT_OK;
    (void)lay_out(t, room, lwork, &work, &behind);
    const int64_t together = t->count;
    weft_status status = WEFT_OK;
    for (t->first = 0; t->first < t->batch && status == WEFT_OK && fine; t->first += together) {
        t->count = least_of(together, t->batch - t->first);
        status = run_part(e, part, t, work, lwork, &fine);
    }
    *done = fine;
    return status == WEFT_OK && fine ? weft__cuda_matrices_left(e, t->left, behind) : status;
}

static weft_status launch(const weft__exec *e)
{
    weft__solver_task t = describe(e);
    solver *part = part_of(e);
    bool done = false;
    const bool wanted = part && suits(e, part, &t.problem, t.batch);
    if (wanted && !part->opened) {
        part->opened = true;
        open_library(weft__cuda_device_of(e), part);
        (void)cudaGetLastError(); /* cuSOLVER may have left one */
    }
    const weft_status status = wanted && part->handle ? run_library(e, part, &t, &done) : WEFT_OK;
    return status != WEFT_OK || done ? status : weft__cuda_matrices_own(e);
}

/* Rows differ in what weft__cuda_matrix_problem reads of them. */
#define LAUNCHER(name)                                                                                                 \
    weft_status weft__cuda_##name(const weft__exec *e)                                                                 \
    {                                                                                                                  \
        return launch(e);                                                                                              \
    }
LAUNCHER(cholesky)
LAUNCHER(triangular_solve)
LAUNCHER(solve)
LAUNCHER(inverse)
LAUNCHER(det)
LAUNCHER(slogdet)
LAUNCHER(qr)
LAUNCHER(eigh)
LAUNCHER(svd)
LAUNCHER(pinv)
