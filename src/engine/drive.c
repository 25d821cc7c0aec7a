/* drive.c - between dispatch, which hands over any dtype and any strides, and kernels whose contracts are narrower: by
 * what the row is (its record, op_def.h) and by what the device needs (weft__needs). Arrays that suit the kernel pass
 * through untouched; others are converted into scratch memory before it, and its results back after it:
 *
 *   strided -> contiguous      indices -> i64      f16, bf16 <-> f32      i32, i8, u8, bool <-> i64 */
#include "engine/drive.h"
#include "base/op_def.h"
#include "engine/engine.h"

enum { MOST_ARRAYS = 64 }; /* operands or results of a driven row, optimiser steps aside */

/* ---- What suits ---- */

/* A row and a device put together. Bit k stands for in[k]. */
typedef struct contract {
    unsigned strided;   /* operands with any strides */
    unsigned positions; /* operands of indices or classes */
    unsigned moved;     /* operands and, moves, results that are not computed with, in whatever dtype they have */
    bool moves;
    bool halves, small_integers; /* are computed with as they come */
} contract;

static bool only_moves(unsigned operand)
{
    return (operand & WEFT__KIND_MASK) == WEFT__ANY_DTYPE;
}

/* Rows whose kernels take all dtypes and strides, of results as well, on every device: the elementwise families, which
 * convert element by element, and what only moves strided data or makes new. */
static bool comes_as_it_is(const weft__op_def *def)
{
    if (weft__ops[def->op].family < WEFT__REDUCE)
        return true;
    for (int k = 0; k < def->n_in; k++)
        if (!only_moves(def->in[k]) || !(def->in[k] & WEFT__STRIDED))
            return false;
    return true;
}

static contract contract_of(const weft__op_def *def, const weft__needs *needs)
{
    const weft__exception *x = &needs->exceptions[def->op];
    contract c = {.moved = x->any_dtype,
                  .moves = only_moves(def->in[0]),
                  .halves = needs->halves,
                  .small_integers = needs->small_integers && !x->wide};
    for (int k = 0; k < def->n_in; k++) {
        const unsigned kind = def->in[k] & WEFT__KIND_MASK, bit = 1u << k;
        c.strided |= def->in[k] & WEFT__STRIDED ? bit : 0;
        c.positions |= kind == WEFT__POSITIONS ? bit : 0;
        c.moved |= kind == WEFT__ANY_DTYPE || kind == WEFT__TRUTHS ? bit : 0;
    }
    c.strided &= ~(unsigned)x->dense;
    return c;
}

/* The dtype that the kernel computes in for data of this dtype. */
static int32_t computed(const contract *c, int32_t dtype)
{
    switch (dtype) {
    case WEFT_F16:
    case WEFT_BF16:
        return c->halves ? dtype : WEFT_F32;
    case WEFT_I32:
    case WEFT_I8:
    case WEFT_U8:
    case WEFT_BOOL:
        return c->small_integers ? dtype : WEFT_I64;
    default:
        return dtype;
    }
}

static int32_t wanted(const contract *c, int k, int32_t dtype)
{
    if (c->positions >> k & 1)
        return WEFT_I64;
    return c->moved >> k & 1 ? dtype : computed(c, dtype);
}

/* Truth values are never computed with. */
static int32_t given(const contract *c, int32_t dtype)
{
    return c->moves || dtype == WEFT_BOOL ? dtype : computed(c, dtype);
}

static bool in_suits(const contract *c, int k, const weft__array *a)
{
    return !a || ((a->contiguous || (c->strided >> k & 1)) && a->dtype == wanted(c, k, a->dtype));
}

static bool out_suits(const contract *c, const weft__array *a)
{
    return !a || (a->contiguous && a->dtype == given(c, a->dtype));
}

static bool all_suit(const weft__exec *e, const contract *c)
{
    for (int k = 0; k < e->n_in; k++)
        if (!in_suits(c, k, e->in[k]))
            return false;
    for (int k = 0; k < e->n_out; k++)
        if (!out_suits(c, e->out[k]))
            return false;
    return true;
}

/* ---- Converting ---- */

/* Row-major strides, and scratch memory. */
static weft_status make_dense(const weft__exec *e, weft__array *a)
{
    weft__set_contiguous(a);
    a->data = weft__scratch(e, a->count, weft_dtype_size((weft_dtype)a->dtype));
    return a->data ? WEFT_OK : WEFT_E_NOMEM;
}

/* *made = a in that dtype, in scratch memory. What a repeats by stride 0 is converted once and repeated again if the
 * kernel takes strides. */
static weft_status convert(const weft__exec *e, const weft__needs *needs, const weft__array *a, int32_t dtype,
                           bool strided, weft__array *made)
{
    weft__array once = *a;
    for (int d = 0; strided && a->count > 0 && d < a->ndim; d++)
        if (a->strides[d] == 0)
            once.shape[d] = 1;
    *made = once;
    made->dtype = dtype;
    weft_status status = make_dense(e, made);
    once.count = made->count;
    if (status == WEFT_OK)
        status = weft__copy_within(e, needs->copy, &once, made);
    if (made->count == a->count)
        return status;
    for (int d = 0; d < a->ndim; d++) {
        if (a->strides[d] == 0)
            made->strides[d] = 0;
        made->shape[d] = a->shape[d];
    }
    made->count = a->count;
    made->contiguous = false;
    return status;
}

static weft_status run_converted(const weft__exec *e, const weft__needs *needs, const contract *c, weft__kernel kernel)
{
    const weft__array *in[MOST_ARRAYS];
    weft__array *out[MOST_ARRAYS], made_in[MOST_ARRAYS], made_out[MOST_ARRAYS];
    if (e->n_in > MOST_ARRAYS || e->n_out > MOST_ARRAYS)
        return e->host->fail(e, WEFT_E_INTERNAL, "%d inputs and %d outputs are more than the driver takes",
                             (int)e->n_in, (int)e->n_out);
    weft_status status = WEFT_OK;
    for (int k = 0; k < e->n_in && status == WEFT_OK; k++) {
        in[k] = e->in[k];
        if (in_suits(c, k, in[k]))
            continue;
        in[k] = &made_in[k];
        status = convert(e, needs, e->in[k], wanted(c, k, e->in[k]->dtype), c->strided >> k & 1, &made_in[k]);
    }
    for (int k = 0; k < e->n_out && status == WEFT_OK; k++) {
        out[k] = e->out[k];
        if (out_suits(c, out[k]))
            continue;
        out[k] = &made_out[k];
        made_out[k] = *e->out[k];
        made_out[k].dtype = given(c, e->out[k]->dtype);
        status = make_dense(e, &made_out[k]);
    }
    if (status != WEFT_OK)
        return status;
    weft__exec inner = *e;
    inner.in = in;
    inner.out = out;
    status = kernel(&inner);
    for (int k = 0; k < e->n_out && status == WEFT_OK; k++)
        if (out[k] != e->out[k])
            status = weft__copy_within(e, needs->copy, out[k], e->out[k]);
    return status;
}

/* What suits whatever the row and the device are: no kernel asks for another dtype of these, or for gaps. */
static inline bool is_plain(const weft__array *a)
{
    return !a || (a->contiguous && (a->dtype == WEFT_F32 || a->dtype == WEFT_F64 || a->dtype == WEFT_I64));
}

static bool all_plain(const weft__exec *e)
{
    for (int k = 0; k < e->n_in; k++)
        if (!is_plain(e->in[k]))
            return false;
    for (int k = 0; k < e->n_out; k++)
        if (!is_plain(e->out[k]))
            return false;
    return true;
}

weft_status weft__drive(const weft__exec *e, const weft__needs *needs, weft__kernel kernel)
{
    const weft__op_def *def = weft__defs[e->op];
    if (def->effect == WEFT__STEPS && needs->step)
        return needs->step(e, kernel);
    const bool as_it_is = def->effect == WEFT__IN_PLACE && def->in[0] & WEFT__STRIDED;
    if (as_it_is || def->effect == WEFT__STEPS) /* take what they change as it is */
        return kernel(e);
    if (all_plain(e) || comes_as_it_is(def))
        return kernel(e);
    const contract c = contract_of(def, needs);
    return all_suit(e, &c) ? kernel(e) : run_converted(e, needs, &c, kernel);
}

bool weft__checks_positions(weft_op op)
{
    const weft__op_def *def = weft__defs[op];
    for (int k = 0; k < def->n_in; k++)
        if ((def->in[k] & WEFT__KIND_MASK) == WEFT__POSITIONS)
            return true;
    return false;
}
