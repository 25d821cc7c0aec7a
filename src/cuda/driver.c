/* driver.c - between the core, which hands over any dtype and any strides, and launchers whose contracts (kernels.h)
 * are narrower. Arrays that suit pass through untouched; others are copied into scratch memory by the COPY kernel
 * before the launch, and outputs back after it:
 *
 *   strided -> contiguous      index arrays -> i64      i32, i8, u8, bool <-> i64 where a row adds integers up */
#include "host.h"
#include "launch.h"

enum { MAX_ARRAYS = 8 }; /* inputs or outputs of a driven row, optimiser steps aside */

/* What a launcher takes as it comes. Bit k stands for in[k]. */
typedef struct traits {
    uint8_t strided; /* inputs with any strides */
    uint8_t index;   /* inputs that must be i64, and hold indices that are checked */
    bool widen;      /* integers must be i64 */
    bool as_is;      /* everything: any dtype, any strides */
} traits;

/* Rows that are not listed take contiguous arrays of any dtype that the core lets through. */
static const traits traits_of[WEFT_OP_COUNT] = {
#define WEFT_UNARY(ID, ...) [WEFT_OP_##ID] = {.as_is = true},
#define WEFT_UNARY_P(ID, ...) [WEFT_OP_##ID] = {.as_is = true},
#define WEFT_PREDICATE(ID, ...) [WEFT_OP_##ID] = {.as_is = true},
#define WEFT_BINARY(ID, ...) [WEFT_OP_##ID] = {.as_is = true},
#define WEFT_COMPARE(ID, ...) [WEFT_OP_##ID] = {.as_is = true},
#define WEFT_TERNARY(ID, ...) [WEFT_OP_##ID] = {.as_is = true},
#define WEFT_REDUCE(ID, ...) [WEFT_OP_##ID] = {.strided = 1},
#include "core/ops.def"
    [WEFT_OP_COUNT_NONFINITE] = {.strided = 1},
    [WEFT_OP_MATMUL] = {.strided = 3},
    [WEFT_OP_LINEAR] = {.strided = 2},
    [WEFT_OP_LINEAR_ACT] = {.strided = 2},
    [WEFT_OP_ATTENTION] = {.strided = 7},       /* q, k, v */
    [WEFT_OP_ATTENTION_GRAD] = {.strided = 39}, /* and g */
    [WEFT_OP_GATHER] = {.index = 2},
    [WEFT_OP_INDEX_SELECT] = {.index = 2},
    [WEFT_OP_EMBEDDING] = {.index = 2},
    [WEFT_OP_SCATTER_ADD] = {.index = 2, .widen = true},
    [WEFT_OP_INDEX_ADD] = {.index = 2, .widen = true},
    [WEFT_OP_CROSS_ENTROPY_WITH] = {.index = 2},
    [WEFT_OP_CROSS_ENTROPY_GRAD] = {.index = 2},
    [WEFT_OP_SGD_STEP] = {.as_is = true}, /* the core has made sure that they are contiguous */
    [WEFT_OP_ADAM_STEP] = {.as_is = true},
    [WEFT_OP_CAST] = {.as_is = true},
    [WEFT_OP_CONCAT] = {.as_is = true},
    [WEFT_OP_PAD] = {.as_is = true},
    [WEFT_OP_FLIP] = {.as_is = true},
    [WEFT_OP_ADD_] = {.as_is = true},
    [WEFT_OP_SUB_] = {.as_is = true},
    [WEFT_OP_MUL_] = {.as_is = true},
    [WEFT_OP_DIV_] = {.as_is = true},
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

bool weft__cuda_may_fault(weft_op op)
{
    return traits_of[op].index != 0;
}

static int32_t widened(const traits *t, int32_t dtype)
{
    bool narrow = dtype == WEFT_I32 || dtype == WEFT_I8 || dtype == WEFT_U8 || dtype == WEFT_BOOL;
    return t->widen && narrow ? WEFT_I64 : dtype;
}

static int32_t wanted_dtype(const traits *t, int k, int32_t dtype)
{
    return t->index >> k & 1 ? WEFT_I64 : widened(t, dtype);
}

static bool in_suits(const traits *t, int k, const weft__array *a)
{
    return !a || ((a->contiguous || (t->strided >> k & 1)) && a->dtype == wanted_dtype(t, k, a->dtype));
}

static bool out_suits(const traits *t, const weft__array *a)
{
    return !a || (a->contiguous && a->dtype == widened(t, a->dtype));
}

static bool all_suit(const weft__exec *e, const traits *t)
{
    for (int k = 0; k < e->n_in; k++)
        if (!in_suits(t, k, e->in[k]))
            return false;
    for (int k = 0; k < e->n_out; k++)
        if (!out_suits(t, e->out[k]))
            return false;
    return true;
}

/* to = from, converting; both of one shape. */
static weft_status copy(const weft__exec *e, const weft__array *from, weft__array *to)
{
    weft__exec c = *e;
    c.op = WEFT_OP_COPY;
    c.in = &from;
    c.out = &to;
    c.n_in = c.n_out = 1;
    c.attrs = NULL;
    return weft__cuda_kernels.run[WEFT_OP_COPY](&c);
}

/* made = contiguous scratch memory of a's shape. */
static weft_status make_like(const weft__exec *e, const weft__array *a, int32_t dtype, weft__array *made)
{
    *made = *a;
    made->dtype = dtype;
    made->contiguous = true;
    int64_t stride = 1;
    for (int d = a->ndim - 1; d >= 0; d--) {
        made->strides[d] = stride;
        stride *= a->shape[d];
    }
    made->data = weft__scratch(e, a->count, weft__cuda_bytes(dtype));
    return made->data ? WEFT_OK : WEFT_E_NOMEM;
}

static weft_status run_converted(const weft__exec *e, const traits *t, weft__kernel launch)
{
    const weft__array *in[MAX_ARRAYS];
    weft__array *out[MAX_ARRAYS], made_in[MAX_ARRAYS], made_out[MAX_ARRAYS];
    if (e->n_in > MAX_ARRAYS || e->n_out > MAX_ARRAYS)
        return e->host->fail(e, WEFT_E_INTERNAL, "%d inputs and %d outputs are more than the driver takes",
                             (int)e->n_in, (int)e->n_out);
    weft_status status = WEFT_OK;
    for (int k = 0; k < e->n_in && status == WEFT_OK; k++) {
        in[k] = e->in[k];
        if (in_suits(t, k, in[k]))
            continue;
        in[k] = &made_in[k];
        status = make_like(e, e->in[k], wanted_dtype(t, k, e->in[k]->dtype), &made_in[k]);
        if (status == WEFT_OK)
            status = copy(e, e->in[k], &made_in[k]);
    }
    for (int k = 0; k < e->n_out && status == WEFT_OK; k++) {
        out[k] = e->out[k];
        if (out_suits(t, out[k]))
            continue;
        out[k] = &made_out[k];
        status = make_like(e, e->out[k], widened(t, e->out[k]->dtype), &made_out[k]);
    }
    if (status != WEFT_OK)
        return status;
    weft__exec inner = *e;
    inner.in = in;
    inner.out = out;
    status = launch(&inner);
    for (int k = 0; k < e->n_out && status == WEFT_OK; k++)
        if (out[k] != e->out[k])
            status = copy(e, out[k], e->out[k]);
    return status;
}

weft_status weft__cuda_drive(const weft__exec *e)
{
    const traits *t = &traits_of[e->op];
    weft__kernel launch = weft__cuda_kernels.run[e->op];
    return t->as_is || all_suit(e, t) ? launch(e) : run_converted(e, t, launch);
}

weft_status weft__cuda_drive_dense(const weft__exec *e, weft__kernel launch)
{
    const traits dense = {.strided = 0};
    return all_suit(e, &dense) ? launch(e) : run_converted(e, &dense, launch);
}
