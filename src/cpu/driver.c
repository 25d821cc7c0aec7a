/* driver.c - between the core, which hands over any dtype and any strides, and kernels that take f32, f64 or i64 and
 * mostly contiguous arrays (the contracts stand in core/attrs.h). Arrays that suit the kernel pass through untouched;
 * others are converted into scratch memory before the kernel, and its outputs back after it:
 *
 *   f16, bf16 <-> f32      i32, i8, u8, bool <-> i64      strided -> contiguous */
#include "driver.h"
#include <string.h>

enum { MAX_ARRAYS = 8 }; /* inputs or outputs of a driven row, optimiser steps aside */

/* What a kernel takes as it comes. Bit k stands for in[k] or out[k]. */
typedef struct traits {
    uint8_t strided; /* inputs with any strides */
    uint8_t index;   /* inputs that must be i64 */
    uint8_t raw_in;  /* inputs of any dtype */
    uint8_t raw_out; /* outputs of any dtype */
    bool as_is;      /* everything: any dtype, any strides */
    bool step;       /* an optimiser step: see the end of this file */
} traits;

#define RAW_SAME 0
#define RAW_INDEX 1
#define RAW_BOOLEAN 1

/* Rows that are not listed take contiguous f32, f64 or i64 only. */
static const traits traits_of[WEFT_OP_COUNT] = {
#define WEFT_REDUCE(ID, name, cls, result, saves, agrees, grad, doc)                                                   \
    [WEFT_OP_##ID] = {.strided = 1, .raw_in = 1, .raw_out = RAW_##result},
#include "core/ops.def"
    [WEFT_OP_COUNT_NONFINITE] = {.strided = 1},
    [WEFT_OP_MATMUL] = {.strided = 3},
    [WEFT_OP_LINEAR] = {.strided = 2},
    [WEFT_OP_LINEAR_ACT] = {.strided = 2},
    [WEFT_OP_GATHER] = {.index = 2, .raw_in = 1, .raw_out = 1},
    [WEFT_OP_INDEX_SELECT] = {.index = 2, .raw_in = 1, .raw_out = 1},
    [WEFT_OP_EMBEDDING] = {.index = 2, .raw_in = 1, .raw_out = 1},
    [WEFT_OP_SCATTER_ADD] = {.index = 2},
    [WEFT_OP_INDEX_ADD] = {.index = 2},
    [WEFT_OP_CROSS_ENTROPY_WITH] = {.index = 2},
    [WEFT_OP_CROSS_ENTROPY_GRAD] = {.index = 2},
    [WEFT_OP_DROPOUT] = {.raw_out = 2},
    [WEFT_OP_DROPOUT_GRAD] = {.raw_in = 2},
    [WEFT_OP_MAX_POOL2D_GRAD] = {.index = 2},
    [WEFT_OP_SGD_STEP] = {.step = true},
    [WEFT_OP_ADAM_STEP] = {.step = true},
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

/* The dtype that a kernel computes in for data of this dtype. */
static int32_t compute_dtype(int32_t dtype)
{
    switch (dtype) {
    case WEFT_F16:
    case WEFT_BF16:
        return WEFT_F32;
    case WEFT_I32:
    case WEFT_I8:
    case WEFT_U8:
    case WEFT_BOOL:
        return WEFT_I64;
    default:
        return dtype;
    }
}

static int32_t wanted_dtype(const traits *t, int k, int32_t dtype)
{
    if (t->index >> k & 1)
        return WEFT_I64;
    return t->raw_in >> k & 1 ? dtype : compute_dtype(dtype);
}

/* to = from, converting; both of one shape. */
static weft_status copy(const weft__exec *e, const weft__array *from, weft__array *to)
{
    const weft__array *in[1] = {from};
    weft__array *out[1] = {to};
    weft__exec c = *e;
    c.op = WEFT_OP_COPY;
    c.in = in;
    c.out = out;
    c.n_in = c.n_out = 1;
    c.attrs = NULL;
    return ((const weft__cpu_device *)e->device)->table->run[WEFT_OP_COPY](&c);
}

/* Row-major strides for a's shape; the caller gives it memory. */
static void pack(weft__array *a)
{
    int64_t stride = 1;
    for (int d = a->ndim - 1; d >= 0; d--) {
        a->strides[d] = stride;
        stride *= a->shape[d];
    }
    a->count = stride;
    a->contiguous = true;
}

static weft_status give_memory(const weft__exec *e, weft__array *a)
{
    a->data = weft__scratch(e, a->count, weft_dtype_size((weft_dtype)a->dtype));
    return a->data ? WEFT_OK : WEFT_E_NOMEM;
}

/* made = a converted to dtype, in scratch. What a repeats by stride 0 is converted once and repeated again if the
 * kernel takes strides. */
static weft_status convert_in(const weft__exec *e, const weft__array *a, int32_t dtype, bool strided, weft__array *made)
{
    weft__array from = *a;
    if (strided && a->count > 0) {
        for (int d = 0; d < a->ndim; d++)
            if (a->strides[d] == 0)
                from.shape[d] = 1;
    }
    *made = from;
    made->dtype = dtype;
    pack(made);
    from.count = made->count;
    weft_status status = give_memory(e, made);
    if (status == WEFT_OK)
        status = copy(e, &from, made);
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

static bool in_suits(const traits *t, int k, const weft__array *a)
{
    return !a || ((a->contiguous || (t->strided >> k & 1)) && a->dtype == wanted_dtype(t, k, a->dtype));
}

static bool out_suits(const traits *t, int k, const weft__array *a)
{
    return !a || (a->contiguous && ((t->raw_out >> k & 1) || a->dtype == compute_dtype(a->dtype)));
}

static bool all_suit(const weft__exec *e, const traits *t)
{
    for (int k = 0; k < e->n_in; k++)
        if (!in_suits(t, k, e->in[k]))
            return false;
    for (int k = 0; k < e->n_out; k++)
        if (!out_suits(t, k, e->out[k]))
            return false;
    return true;
}

static weft_status run_converted(const weft__exec *e, const traits *t, weft__kernel kernel)
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
        status = convert_in(e, e->in[k], wanted_dtype(t, k, e->in[k]->dtype), t->strided >> k & 1, &made_in[k]);
        in[k] = &made_in[k];
    }
    for (int k = 0; k < e->n_out && status == WEFT_OK; k++) {
        out[k] = e->out[k];
        if (out_suits(t, k, out[k]))
            continue;
        made_out[k] = *e->out[k];
        if (!(t->raw_out >> k & 1))
            made_out[k].dtype = compute_dtype(e->out[k]->dtype);
        pack(&made_out[k]);
        status = give_memory(e, &made_out[k]);
        out[k] = &made_out[k];
    }
    if (status != WEFT_OK)
        return status;
    weft__exec inner = *e;
    inner.in = in;
    inner.out = out;
    status = kernel(&inner);
    for (int k = 0; k < e->n_out && status == WEFT_OK; k++)
        if (out[k] != e->out[k])
            status = copy(e, out[k], e->out[k]);
    return status;
}

/* ---- Optimiser steps ----
 * in holds lists of n arrays one after the other: params, grads, velocity or both moments, master weights. All but the
 * gradients are changed in place. The kernel steps f32 or f64 parameters: for a half one its master weights, or a copy.
 * */

enum { MAX_LISTS = 5, PARAMS = 0, GRADS = 1 };

typedef struct stepping {
    const weft__exec *e;
    weft__kernel kernel;
    int64_t n;
    int lists; /* the last one: master weights */
    void *scratch[MAX_LISTS];
} stepping;

static const weft__array *entry(const stepping *s, int list, int64_t k)
{
    return s->e->in[list * s->n + k];
}

static bool steps_directly(const weft__array *a)
{
    return !a || (a->contiguous && (a->dtype == WEFT_F32 || a->dtype == WEFT_F64));
}

/* Scratch for one entry at a time, as large as the largest converted array of each list, so that a model in half
 * precision is not doubled in memory by its own step. */
static weft_status step_scratch(stepping *s)
{
    for (int list = 0; list < s->lists; list++) {
        size_t most = 0;
        for (int64_t k = 0; k < s->n; k++) {
            const weft__array *a = entry(s, list, k);
            size_t bytes = 0;
            if (!steps_directly(a))
                (void)weft__bytes_of(a->count, weft_dtype_size((weft_dtype)compute_dtype(a->dtype)), &bytes);
            most = bytes > most ? bytes : most;
        }
        s->scratch[list] = most ? s->e->host->scratch(s->e, most) : NULL;
        if (most && !s->scratch[list])
            return WEFT_E_NOMEM;
    }
    return WEFT_OK;
}

/* *made = a in the dtype that kernels compute in, in scratch memory. */
static weft_status widen(const stepping *s, int list, const weft__array *a, weft__array *made)
{
    *made = *a;
    made->dtype = compute_dtype(a->dtype);
    pack(made);
    made->data = s->scratch[list];
    return copy(s->e, a, made);
}

/* Where a half parameter is not its master weights rounded, it was written since: they start from it. */
static weft_status take_up(const stepping *s, const weft__array *p, weft__array *master)
{
    if (steps_directly(p) || p->count == 0)
        return WEFT_OK;
    size_t bytes; /* of a tensor's array: they have been checked */
    (void)weft__bytes_of(p->count, weft_dtype_size((weft_dtype)p->dtype), &bytes);
    weft__array rounded = *p;
    rounded.data = s->scratch[PARAMS];
    weft_status status = copy(s->e, master, &rounded);
    if (status != WEFT_OK || memcmp(rounded.data, p->data, bytes) == 0)
        return status;
    const uint16_t *was = rounded.data, *is = p->data;
    float *to = master->data;
    for (int64_t i = 0; i < p->count; i++)
        if (was[i] != is[i])
            to[i] = p->dtype == WEFT_F16 ? weft_f16_to_f32(is[i]) : weft_bf16_to_f32(is[i]);
    return WEFT_OK;
}

/* Entry k of the lists by itself. */
static weft_status step_one(const stepping *s, int64_t k)
{
    if (!entry(s, GRADS, k))
        return WEFT_OK;
    const int last = s->lists - 1;
    const weft__array *in[MAX_LISTS];
    weft__array made[MAX_LISTS];
    weft_status status = WEFT_OK;
    for (int list = 0; list < last && status == WEFT_OK; list++) {
        const weft__array *a = entry(s, list, k);
        in[list] = a;
        if (list == PARAMS && entry(s, last, k)) {
            made[PARAMS] = *entry(s, last, k);
            in[PARAMS] = &made[PARAMS];
            status = take_up(s, a, &made[PARAMS]);
        } else if (!steps_directly(a)) {
            in[list] = &made[list];
            status = widen(s, list, a, &made[list]);
        }
    }
    if (status != WEFT_OK)
        return status;
    weft__attrs attrs = *s->e->attrs;
    attrs.i[0] = 1;
    weft__exec one = *s->e;
    one.in = in;
    one.n_in = last;
    one.attrs = &attrs;
    status = s->kernel(&one);
    for (int list = 0; list < last && status == WEFT_OK; list++) {
        weft__array own;
        if (list == GRADS || in[list] == entry(s, list, k))
            continue;
        own = *entry(s, list, k);
        status = copy(s->e, in[list], &own);
    }
    return status;
}

static weft_status run_step(const weft__exec *e, weft__kernel kernel)
{
    stepping s = {.e = e, .kernel = kernel, .n = e->attrs->i[0]};
    s.lists = s.n > 0 ? (int)(e->n_in / s.n) : 0;
    if (s.lists < 3 || s.lists > MAX_LISTS)
        return e->host->fail(e, WEFT_E_INTERNAL, "%d arrays do not make lists of %lld", (int)e->n_in, (long long)s.n);
    bool direct = true;
    for (int k = 0; k < e->n_in && direct; k++)
        direct = steps_directly(e->in[k]) && (k < (s.lists - 1) * s.n || !e->in[k]);
    if (direct)
        return kernel(e);
    weft_status status = step_scratch(&s);
    for (int64_t k = 0; k < s.n && status == WEFT_OK; k++)
        status = step_one(&s, k);
    return status;
}

weft_status weft__cpu_drive(const weft__exec *e)
{
    const traits *t = &traits_of[e->op];
    weft__kernel kernel = ((const weft__cpu_device *)e->device)->table->run[e->op];
    if (t->step)
        return run_step(e, kernel);
    return t->as_is || all_suit(e, t) ? kernel(e) : run_converted(e, t, kernel);
}
