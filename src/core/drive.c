/* drive.c - between dispatch, which hands over any dtype and any strides, and kernels whose contracts are narrower: by
 * what the row is (weft__operands) and by what the device needs (weft__needs). Arrays that suit the kernel pass through
 * untouched; others are converted into scratch memory before it, and its results back after it:
 *
 *   strided -> contiguous      indices -> i64      f16, bf16 <-> f32      i32, i8, u8, bool <-> i64 */
#include "drive.h"

enum { MOST_ARRAYS = 16 }; /* operands or results of a driven row, optimiser steps aside */

#define FLOATS .domain = WEFT__FLOATS_ONLY
#define NO_BOOL .domain = WEFT__NOT_BOOL
#define MOVES_SAME 0
#define MOVES_INDEX 1
#define MOVES_BOOLEAN 1

/* Rows that are not listed compute with all operands, and take them contiguous. */
const weft__operands weft__operands_of[WEFT_OP_COUNT] = {
#define WEFT_UNARY(ID, ...) [WEFT_OP_##ID] = {.as_is = true},
#define WEFT_UNARY_P(ID, ...) [WEFT_OP_##ID] = {.as_is = true},
#define WEFT_PREDICATE(ID, ...) [WEFT_OP_##ID] = {.as_is = true},
#define WEFT_BINARY(ID, ...) [WEFT_OP_##ID] = {.as_is = true},
#define WEFT_COMPARE(ID, ...) [WEFT_OP_##ID] = {.as_is = true},
#define WEFT_TERNARY(ID, ...) [WEFT_OP_##ID] = {.as_is = true},
#define WEFT_REDUCE(ID, name, cls, result, ...) [WEFT_OP_##ID] = {.strided = 1, .moved_out = MOVES_##result},
#include "ops.def"
    [WEFT_OP_COUNT_NONFINITE] = {.strided = 1},
    [WEFT_OP_MATMUL] = {.strided = 3, FLOATS},
    [WEFT_OP_LINEAR] = {.strided = 2, FLOATS},
    [WEFT_OP_LINEAR_ACT] = {.strided = 2, FLOATS},
    [WEFT_OP_ATTENTION] = {.strided = 7, FLOATS}, /* q, k, v */
    [WEFT_OP_ATTENTION_GRAD] = {.strided = 39},   /* and g */
    [WEFT_OP_GATHER] = {.positions = 2, .moved = 1, .moved_out = 1},
    [WEFT_OP_INDEX_SELECT] = {.positions = 2, .moved = 1, .moved_out = 1},
    [WEFT_OP_EMBEDDING] = {.positions = 2, .moved = 1, .moved_out = 1},
    [WEFT_OP_SCATTER_ADD] = {.positions = 2, NO_BOOL},
    [WEFT_OP_INDEX_ADD] = {.positions = 2, NO_BOOL},
    [WEFT_OP_CROSS_ENTROPY_WITH] = {.positions = 2, FLOATS},
    [WEFT_OP_CROSS_ENTROPY_GRAD] = {.positions = 2},
    [WEFT_OP_DROPOUT] = {.moved_out = 2, FLOATS}, /* the mask */
    [WEFT_OP_DROPOUT_GRAD] = {.moved = 2},        /* likewise */
    [WEFT_OP_LAYER_NORM] = {FLOATS},
    [WEFT_OP_RMS_NORM] = {FLOATS},
    [WEFT_OP_BATCH_NORM] = {FLOATS},
    [WEFT_OP_CONV2D] = {FLOATS},
    [WEFT_OP_CONV2D_TRANSPOSE] = {FLOATS},
    [WEFT_OP_CONV2D_WEIGHT] = {FLOATS},
    [WEFT_OP_MAX_POOL2D] = {FLOATS},
    [WEFT_OP_AVG_POOL2D] = {FLOATS},
    [WEFT_OP_AVG_UNPOOL2D] = {FLOATS},
    [WEFT_OP_MSE] = {FLOATS},
    [WEFT_OP_HUBER] = {FLOATS},
    [WEFT_OP_BCE_WITH_LOGITS] = {FLOATS},
    [WEFT_OP_NLL] = {FLOATS},
    [WEFT_OP_CROSS_ENTROPY] = {FLOATS},
    [WEFT_OP_SGD_STEP] = {.steps = true, FLOATS},
    [WEFT_OP_ADAM_STEP] = {.steps = true, FLOATS},
    [WEFT_OP_CAST] = {.as_is = true},
    [WEFT_OP_CONCAT] = {.as_is = true},
    [WEFT_OP_PAD] = {.as_is = true},
    [WEFT_OP_FLIP] = {.as_is = true},
    [WEFT_OP_ADD_] = {.as_is = true, NO_BOOL},
    [WEFT_OP_SUB_] = {.as_is = true, NO_BOOL},
    [WEFT_OP_MUL_] = {.as_is = true, NO_BOOL},
    [WEFT_OP_DIV_] = {.as_is = true, FLOATS},
    [WEFT_OP_COPY_] = {.as_is = true},
    [WEFT_OP_FILL_] = {.as_is = true},
    [WEFT_OP_COPY] = {.as_is = true},
    [WEFT_OP_FILL] = {.as_is = true},
    [WEFT_OP_ARANGE] = {.as_is = true},
    [WEFT_OP_RAND] = {.as_is = true},
    [WEFT_OP_RANDN] = {.as_is = true},
    [WEFT_OP_RANDINT] = {.as_is = true},
    [WEFT_OP_BERNOULLI] = {.as_is = true},
};

bool weft__checks_positions(weft_op op)
{
    return weft__operands_of[op].positions != 0;
}

/* ---- What suits ---- */

/* A row and a device put together. Bits as in weft__operands. */
typedef struct contract {
    unsigned strided, positions, moved, moved_out;
    bool halves, small_integers; /* are computed with as they come */
} contract;

static contract contract_of(weft_op op, const weft__needs *needs)
{
    const weft__operands *o = &weft__operands_of[op];
    const weft__exception *x = &needs->exceptions[op];
    return (contract){.strided = o->strided & ~(unsigned)x->dense,
                      .positions = o->positions,
                      .moved = o->moved | (unsigned)x->any_dtype,
                      .moved_out = o->moved_out,
                      .halves = needs->halves,
                      .small_integers = needs->small_integers && !x->wide};
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

static int32_t given(const contract *c, int k, int32_t dtype)
{
    return c->moved_out >> k & 1 ? dtype : computed(c, dtype);
}

static bool in_suits(const contract *c, int k, const weft__array *a)
{
    return !a || ((a->contiguous || (c->strided >> k & 1)) && a->dtype == wanted(c, k, a->dtype));
}

static bool out_suits(const contract *c, int k, const weft__array *a)
{
    return !a || (a->contiguous && a->dtype == given(c, k, a->dtype));
}

static bool all_suit(const weft__exec *e, const contract *c)
{
    for (int k = 0; k < e->n_in; k++)
        if (!in_suits(c, k, e->in[k]))
            return false;
    for (int k = 0; k < e->n_out; k++)
        if (!out_suits(c, k, e->out[k]))
            return false;
    return true;
}

/* ---- Converting ---- */

/* to = from, converting; both of one shape. */
static weft_status copy(const weft__exec *e, const weft__needs *needs, const weft__array *from, weft__array *to)
{
    weft__exec c = *e;
    c.op = WEFT_OP_COPY;
    c.in = &from;
    c.out = &to;
    c.n_in = c.n_out = 1;
    c.attrs = NULL;
    return needs->copy(&c);
}

/* Row-major strides, and scratch memory. */
static weft_status make_dense(const weft__exec *e, weft__array *a)
{
    a->count = 1;
    for (int d = a->ndim - 1; d >= 0; d--) {
        a->strides[d] = a->count;
        a->count *= a->shape[d];
    }
    a->contiguous = true;
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
        status = copy(e, needs, &once, made);
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
        if (out_suits(c, k, out[k]))
            continue;
        out[k] = &made_out[k];
        made_out[k] = *e->out[k];
        made_out[k].dtype = given(c, k, e->out[k]->dtype);
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
            status = copy(e, needs, out[k], e->out[k]);
    return status;
}

weft_status weft__drive(const weft__exec *e, const weft__needs *needs, weft__kernel kernel)
{
    const weft__operands *o = &weft__operands_of[e->op];
    if (o->as_is)
        return kernel(e);
    if (o->steps)
        return needs->step ? needs->step(e, kernel) : kernel(e);
    const contract c = contract_of(e->op, needs);
    return all_suit(e, &c) ? kernel(e) : run_converted(e, needs, &c, kernel);
}
