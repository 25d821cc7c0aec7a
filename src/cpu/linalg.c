/* linalg.c - factorisations of matrices, what is solved with them, and functions of matrices: one matrix of a batch is
 * one piece of work, computed in f64 by base/linalg.inc. Contracts: ops.def. */
#include <float.h>
#include "gemm.h"
#include "lapack.h"
#include "rows.h"
#include "base/linalg.h"

/* A team is one thread. */
#define TEAM_FN static
#define TEAM_ONE true
#define TEAM_EACH(i, from, to) for (int64_t i = (from), i##_end = (to); i < i##_end; i++)
#define TEAM_ROWS TEAM_EACH
#define TEAM_COLS TEAM_EACH
#define TEAM_SYNC ((void)0)
#define TEAM_MULTIPLY

static void multiply(double *c, const double *a, const double *b, int64_t m, int64_t n, int64_t k)
{
    const weft__matrix_f64 right = {.p = b, .row = k, .column = 1};
    const weft__gemm_f64 g = {.m = m, .n = k, .k = n, .a = a, .a_row = n, .a_column = 1, .b = &right, .c = c, .ldc = k};
    WEFT__CPU(gemm_small_f64)(&g, &right, false);
}

#include "base/linalg.inc"
#include "linalg_blocked.inc"
#include "linalg_large.inc"

enum { MOST_OUT = 3 };

typedef struct task {
    const weft__exec *e;
    weft__matrix_problem problem;
    int n_in;
    int64_t n_batch;
    int64_t in_count[2], out_count[MOST_OUT]; /* elements of a matrix */
    int64_t room;                             /* of f64 that a worker has */
    double *rooms;
    const weft__lapack *lapack; /* NULL: it is not asked */
    int64_t *codes;             /* [n_batch] */
} task;

/* Where matrix number `batch` of a begins, in elements; its own dims are the last `own` ones. */
static int64_t matrix_at(const weft__array *a, int own, int64_t batch)
{
    int64_t at = 0;
    for (int d = a->ndim - own - 1; d >= 0; d--) {
        at += batch % a->shape[d] * a->strides[d];
        batch /= a->shape[d];
    }
    return at;
}

static void load_matrix(const weft__array *a, int own, int64_t batch, int64_t count, double *to)
{
    const int64_t first = matrix_at(a, own, batch), columns = a->shape[a->ndim - 1];
    const int64_t row = own == 2 ? a->strides[a->ndim - 2] : 0, column = a->strides[a->ndim - 1];
    if (column == 1) {
        for (int64_t i = 0; count > 0 && i < count / columns; i++)
            if (a->dtype == WEFT_F32)
                for (int64_t j = 0; j < columns; j++)
                    to[i * columns + j] = (double)((const float *)a->data)[first + i * row + j];
            else
                memcpy(to + i * columns, (const double *)a->data + first + i * row, sizeof *to * (size_t)columns);
        return;
    }
    for (int64_t i = 0; count > 0 && i < count / columns; i++)
        for (int64_t j = 0; j < columns; j++) {
            const int64_t at = first + i * row + j * column;
            to[i * columns + j] =
                a->dtype == WEFT_F32 ? (double)((const float *)a->data)[at] : ((const double *)a->data)[at];
        }
}

static void store_matrix(weft__array *a, int64_t batch, int64_t count, const double *from)
{
    if (a->dtype == WEFT_F64)
        memcpy((double *)a->data + batch * count, from, sizeof *from * (size_t)count);
    else
        for (int64_t i = 0; i < count; i++)
            ((float *)a->data)[batch * count + i] = (float)from[i];
}

static void run_matrices(void *arg, int64_t begin, int64_t end, int worker)
{
    const task *t = arg;
    const int own = t->e->op == WEFT_OP_RECIPROCAL_GAPS ? 1 : 2;
    double *in[2] = {NULL, NULL}, *out[MOST_OUT] = {NULL, NULL, NULL}, *room = t->rooms + worker * t->room;
    for (int k = 0; k < t->n_in; room += t->in_count[k++])
        in[k] = room;
    for (int k = 0; k < t->e->n_out; room += t->out_count[k++])
        out[k] = room;
    for (int64_t batch = begin; batch < end; batch++) {
        for (int k = 0; k < t->n_in; k++)
            load_matrix(t->e->in[k], own, batch, t->in_count[k], in[k]);
        if (!t->lapack && is_for_blocks(&t->problem))
            t->codes[batch] = solve_blocked(&t->problem, in, out, room);
        else if (!t->lapack || !solve_large(t->lapack, &t->problem, in, out, room, &t->codes[batch]))
            t->codes[batch] = solve_problem(&t->problem, in, out, room);
        for (int k = 0; k < t->e->n_out; k++)
            store_matrix(t->e->out[k], batch, t->out_count[k], out[k]);
    }
}

static weft_status fail_first(const task *t)
{
    char text[256];
    for (int64_t batch = 0; batch < t->n_batch; batch++)
        if (t->codes[batch]) {
            weft__matrix_fault_text(text, sizeof text, t->codes[batch], batch);
            return t->e->host->fail(t->e, WEFT_E_INVALID, "%s", text);
        }
    return WEFT_OK;
}

static weft_status run(const weft__exec *e, weft__matrix_problem problem)
{
    const weft__array *a = e->in[0], *b = e->n_in > 1 ? e->in[1] : NULL;
    const int own = e->op == WEFT_OP_RECIPROCAL_GAPS ? 1 : 2;
    task t = {.e = e, .problem = problem, .n_in = e->n_in, .n_batch = 1};
    t.problem.op = (int32_t)e->op;
    t.problem.n = a->shape[a->ndim - 1];
    t.problem.m = own == 2 ? a->shape[a->ndim - 2] : 1;
    t.problem.k = b ? b->shape[b->ndim - 1] : 0;
    for (int d = 0; d < a->ndim - own; d++)
        t.n_batch *= a->shape[d];
    t.in_count[0] = t.problem.m * t.problem.n;
    t.in_count[1] = b ? b->shape[b->ndim - 2] * t.problem.k : 0;
    t.lapack = is_for_lapack(&t.problem) ? weft__lapack_open() : NULL;
    t.room = weft__matrix_work(&t.problem);
    if (t.lapack)
        t.room = weft__most(t.room, room_for_lapack(&t.problem));
    if (is_for_blocks(&t.problem))
        t.room = weft__most(t.room, room_for_blocks(&t.problem));
    t.room += t.in_count[0] + t.in_count[1];
    for (int k = 0; k < e->n_out && t.n_batch > 0; k++) {
        t.out_count[k] = e->out[k]->count / t.n_batch;
        t.room += t.out_count[k];
    }
    if (t.n_batch == 0)
        return WEFT_OK;
    t.room = (t.room + 7) / 8 * 8 + 8; /* workers keep off each other's cache lines */
    const int64_t threads = weft__pool_threads(weft__exec_pool(e));
    t.codes = weft__scratch(e, t.n_batch, sizeof *t.codes);
    t.rooms = t.codes ? weft__scratch(e, t.room * weft__least(threads, t.n_batch), sizeof *t.rooms) : NULL;
    if (!t.rooms)
        return WEFT_E_NOMEM;
    const int64_t terms = weft__most(t.problem.m, t.problem.n) + t.problem.k;
    weft__pool_for(weft__exec_pool(e), t.n_batch, weft__grain((t.in_count[0] + t.in_count[1]) * terms), run_matrices,
                   &t);
    return fail_first(&t);
}

/* Those that nothing but their operands decides. */
#define PLAIN(name)                                                                                                    \
    weft_status WEFT__CPU(name)(const weft__exec *e)                                                                   \
    {                                                                                                                  \
        return run(e, (weft__matrix_problem){.op = 0});                                                                \
    }
PLAIN(cholesky)
PLAIN(solve)
PLAIN(inverse)
PLAIN(det)
PLAIN(slogdet)
PLAIN(cofactor)
PLAIN(cofactor_grad)
PLAIN(qr)
PLAIN(eigh)
PLAIN(svd)
PLAIN(matrix_exp)

weft_status WEFT__CPU(triangular_solve)(const weft__exec *e)
{
    const weft__triangle_attrs *a = &e->attrs->triangle;
    return run(e, (weft__matrix_problem){.upper = a->upper != 0, .unit = a->unit != 0});
}

weft_status WEFT__CPU(pinv)(const weft__exec *e)
{
    return run(e, (weft__matrix_problem){.rtol = e->attrs->rtol.rtol});
}

weft_status WEFT__CPU(reciprocal_gaps)(const weft__exec *e)
{
    return run(e, (weft__matrix_problem){.rtol = e->attrs->rtol.rtol});
}
