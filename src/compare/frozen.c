/* frozen.c - see frozen.h. A held block covers the elements from the lowest to the highest that the strides reach, so
 * that a rerun sees the same layout; gaps between them are copied too. */
#include "frozen.h"
#include "base/op_def.h"

#include <stdio.h>
#include <string.h>

double weft__element_get(const void *block, int32_t dtype, int64_t k)
{
    switch (dtype) {
    case WEFT_F32:
        return (double)((const float *)block)[k];
    case WEFT_F64:
        return ((const double *)block)[k];
    case WEFT_F16:
        return (double)weft_f16_to_f32(((const uint16_t *)block)[k]);
    case WEFT_BF16:
        return (double)weft_bf16_to_f32(((const uint16_t *)block)[k]);
    case WEFT_I64:
        return (double)((const int64_t *)block)[k];
    case WEFT_I32:
        return (double)((const int32_t *)block)[k];
    case WEFT_I8:
        return (double)((const int8_t *)block)[k];
    default:
        return (double)((const uint8_t *)block)[k];
    }
}

/* Floating dtypes only. */
void weft__element_set(void *block, int32_t dtype, int64_t k, double value)
{
    switch (dtype) {
    case WEFT_F32:
        ((float *)block)[k] = (float)value;
        return;
    case WEFT_F64:
        ((double *)block)[k] = value;
        return;
    case WEFT_F16:
        ((uint16_t *)block)[k] = weft_f32_to_f16((float)value);
        return;
    default:
        ((uint16_t *)block)[k] = weft_f32_to_bf16((float)value);
    }
}

/* The offsets of the lowest and highest element, from a's first; false if there are no elements. */
static bool span(const weft__array *a, int64_t *lowest, int64_t *highest)
{
    *lowest = *highest = 0;
    if (a->count == 0)
        return false;
    for (int d = 0; d < a->ndim; d++) {
        const int64_t reach = (a->shape[d] - 1) * a->strides[d];
        *(reach < 0 ? lowest : highest) += reach;
    }
    return true;
}

bool weft__held_make(weft_ctx *owner, const weft__array *a, weft__held *h)
{
    int64_t lowest, highest;
    const bool any = span(a, &lowest, &highest);
    const size_t size = weft_dtype_size((weft_dtype)a->dtype);
    *h = (weft__held){.a = *a, .lowest = lowest, .shares = -1};
    h->bytes = (any ? (size_t)(highest - lowest + 1) : 1) * size;
    h->block = weft__host_alloc(owner, h->bytes);
    h->a.data = h->block ? (char *)h->block - lowest * (int64_t)size : NULL;
    return h->block != NULL;
}

void weft__held_drop(weft_ctx *owner, weft__held *h)
{
    if (h->block)
        weft__host_free(owner, h->block, h->bytes);
    h->block = NULL;
}

static const char *start_of(const weft__array *a, const weft__held *h)
{
    return (const char *)a->data + h->lowest * (int64_t)weft_dtype_size((weft_dtype)a->dtype);
}

static bool hold(weft_ctx *owner, weft_ctx *ctx, const weft__array *a, weft__held *h)
{
    *h = (weft__held){.shares = -1};
    if (!a)
        return true;
    return weft__held_make(owner, a, h) &&
           (a->count == 0 || ctx->backend->to_host(ctx->device, h->block, start_of(a, h), h->bytes) == WEFT_OK);
}

static weft__held *make_list(weft_ctx *owner, int n)
{
    weft__held *list = weft__host_alloc(owner, sizeof *list * (size_t)(n + 1));
    if (list)
        memset(list, 0, sizeof *list * (size_t)(n + 1));
    return list;
}

static void drop_list(weft_ctx *owner, weft__held *list, int n)
{
    for (int k = 0; list && k < n; k++)
        weft__held_drop(owner, &list[k]);
    if (list)
        weft__host_free(owner, list, sizeof *list * (size_t)(n + 1));
}

void weft__frozen_drop(weft__frozen *f)
{
    if (!f->owner)
        return;
    drop_list(f->owner, f->in, f->n_in);
    drop_list(f->owner, f->out, f->n_out);
    f->owner = NULL;
}

/* Whether the launch has no outputs, but changes inputs. */
static bool is_step(const weft__frozen *f)
{
    return !f->custom && weft__defs[f->op]->effect == WEFT__STEPS;
}

/* Which input an output is: the same memory seen the same way. */
static int shared_with(const weft__launch *l, const weft__array *out)
{
    for (int k = 0; out && k < l->n_in; k++)
        if (l->in[k] && l->in[k]->data == out->data && out->count > 0 && l->in[k]->dtype == out->dtype &&
            weft__same_shape(l->in[k], out))
            return k;
    return -1;
}

/* Which input becomes output k: the k-th of those that an optimiser step changes. */
static int changed_input(const weft__frozen *f, int k)
{
    for (int i = 0; i < f->n_in; i++)
        if (weft__operand(weft__defs[f->op], i, f->n_in) & WEFT__CHANGED && k-- == 0)
            return i;
    return -1;
}

static int count_changed(const weft__frozen *f)
{
    int n = 0;
    for (int i = 0; i < f->n_in; i++)
        n += (weft__operand(weft__defs[f->op], i, f->n_in) & WEFT__CHANGED) != 0;
    return n;
}

bool weft__frozen_lists(weft__frozen *f)
{
    f->in = make_list(f->owner, f->n_in);
    f->out = make_list(f->owner, f->n_out);
    return f->in && f->out;
}

bool weft__freeze_inputs(weft__frozen *f, weft_ctx *owner, const weft__launch *l)
{
    *f = (weft__frozen){.owner = owner,
                        .op = l->op,
                        .grad = l->grad,
                        .phase = l->phase,
                        .site = l->site,
                        .n_in = l->n_in,
                        .n_out = l->n_out,
                        .has_attrs = l->attrs != NULL,
                        .custom = l->custom,
                        .run = l->run};
    weft_text(f->name, sizeof f->name, "%s", l->name);
    if (l->attrs)
        f->attrs = *l->attrs;
    if (is_step(f))
        f->n_out = count_changed(f);
    if (!weft__frozen_lists(f))
        return false;
    for (int k = 0; k < f->n_in; k++)
        if (!hold(owner, l->ctx, l->in[k], &f->in[k]))
            return false;
    return true;
}

bool weft__freeze_outputs(weft__frozen *f, const weft__launch *l)
{
    for (int k = 0; k < f->n_out; k++) {
        const int from = is_step(f) ? changed_input(f, k) : -1;
        if (!hold(f->owner, l->ctx, from >= 0 ? l->in[from] : l->out[k], &f->out[k]))
            return false;
        f->out[k].shares = from >= 0 ? from : shared_with(l, l->out[k]);
    }
    return true;
}

/* ---- Rerun ---- */

typedef struct rerun {
    weft_ctx *ctx;
    const weft__frozen *f;
    weft__rerun_kind kind;
    uint64_t noise;
    weft__storage **storage; /* of inputs, then of outputs; NULL where shared */
    weft__array *arrays;
    const weft__array **in;
    weft__array **out;
    size_t bytes; /* of the block that holds the four lists, storage first */
} rerun;

static int32_t rerun_dtype(const rerun *r, int32_t dtype)
{
    return r->kind != WEFT__AS_IT_WAS && weft_dtype_is_float((weft_dtype)dtype) ? WEFT_F64 : dtype;
}

/* Up or down by one part in 2^23: what a rounding of the input may have done. */
static double shaken(rerun *r, double x, int32_t dtype)
{
    r->noise = r->noise * 6364136223846793005u + 1442695040888963407u;
    const double part = dtype == WEFT_F64 ? 0x1p-52 : 0x1p-23;
    return r->noise >> 63 ? x + x * part : x - x * part;
}

static double converted(rerun *r, double x, int32_t dtype)
{
    return r->kind == WEFT__ABSOLUTE ? (x < 0 ? -x : x) : r->kind == WEFT__SHAKEN ? shaken(r, x, dtype) : x;
}

static bool upload(rerun *r, const weft__held *h, weft__storage *to)
{
    weft_ctx *ctx = r->ctx;
    if (rerun_dtype(r, h->a.dtype) == h->a.dtype && r->kind <= WEFT__WIDENED)
        return ctx->backend->from_host(ctx->device, to->data, h->block, h->bytes) == WEFT_OK;
    if (!weft_dtype_is_float((weft_dtype)h->a.dtype))
        return ctx->backend->from_host(ctx->device, to->data, h->block, h->bytes) == WEFT_OK;
    const int64_t n = (int64_t)(h->bytes / weft_dtype_size((weft_dtype)h->a.dtype));
    double *wide = weft__host_array(r->f->owner, n, sizeof *wide);
    if (!wide)
        return false;
    for (int64_t k = 0; k < n; k++)
        wide[k] = converted(r, weft__element_get(h->block, h->a.dtype, k), h->a.dtype);
    const weft_status status = ctx->backend->from_host(ctx->device, to->data, wide, sizeof *wide * (size_t)n);
    weft__host_free(r->f->owner, wide, sizeof *wide * (size_t)n);
    return status == WEFT_OK;
}

/* Full of NaN (bool: of what is neither true nor false), so that an element that is not written shows. */
static bool poison(rerun *r, const weft__held *h, weft__storage *to)
{
    const size_t bytes =
        h->bytes / weft_dtype_size((weft_dtype)h->a.dtype) * weft_dtype_size((weft_dtype)rerun_dtype(r, h->a.dtype));
    void *block = weft__host_alloc(r->f->owner, bytes);
    if (!block)
        return false;
    memset(block, 0xFF, bytes);
    const weft_status status = r->ctx->backend->from_host(r->ctx->device, to->data, block, bytes);
    weft__host_free(r->f->owner, block, bytes);
    return status == WEFT_OK;
}

/* Device memory for held array k of a list; the array that kernels see of it. */
static bool place(rerun *r, const weft__held *h, int slot, bool is_input)
{
    const size_t size = weft_dtype_size((weft_dtype)rerun_dtype(r, h->a.dtype));
    const int64_t n = (int64_t)(h->bytes / weft_dtype_size((weft_dtype)h->a.dtype));
    size_t bytes;
    weft__storage *s = weft__bytes_of(n, size, &bytes) ? weft__storage_new(r->ctx, bytes) : NULL;
    if (!s)
        return false;
    r->storage[slot] = s;
    r->arrays[slot] = h->a;
    r->arrays[slot].dtype = rerun_dtype(r, h->a.dtype);
    r->arrays[slot].data = (char *)s->data - h->lowest * (int64_t)size;
    return is_input ? upload(r, h, s) : poison(r, h, s);
}

static bool make_arrays(rerun *r)
{
    const weft__frozen *f = r->f;
    const size_t n = (size_t)(f->n_in + f->n_out);
    r->bytes = (n + 1) * (sizeof *r->storage + sizeof *r->arrays + sizeof *r->in);
    char *block = weft__host_alloc(f->owner, r->bytes);
    if (!block)
        return false;
    memset(block, 0, r->bytes);
    r->storage = (weft__storage **)(void *)block;
    r->in = (const weft__array **)(void *)(r->storage + n + 1);
    r->out = (weft__array **)(void *)(r->in + f->n_in);
    r->arrays = (weft__array *)(void *)(r->in + n + 1);
    for (int k = 0; k < f->n_in; k++) {
        if (!f->in[k].block)
            continue;
        if (!place(r, &f->in[k], k, true))
            return false;
        r->in[k] = &r->arrays[k];
    }
    for (int k = 0; k < f->n_out; k++) {
        const weft__held *h = &f->out[k];
        const int slot = h->shares >= 0 ? h->shares : f->n_in + k;
        if (!h->block)
            continue;
        if (h->shares < 0 && !place(r, h, slot, false))
            return false;
        r->out[k] = &r->arrays[slot];
    }
    return true;
}

static bool fetch(const rerun *r, weft__held *results)
{
    for (int k = 0; k < r->f->n_out; k++) {
        if (!r->out[k])
            continue;
        weft_ctx *ctx = r->ctx;
        weft__held *h = &results[k];
        const int slot = r->f->out[k].shares >= 0 ? r->f->out[k].shares : r->f->n_in + k;
        if (!weft__held_make(r->f->owner, r->out[k], h) ||
            ctx->backend->to_host(ctx->device, h->block, r->storage[slot]->data, h->bytes) != WEFT_OK)
            return false;
    }
    return true;
}

const char *weft__frozen_kernel(const weft__frozen *f)
{
    return f->custom ? f->custom->name : weft__ops[f->op].name;
}

bool weft__can_rerun(const weft_ctx *ctx, const weft__launch *l)
{
    if (!l->custom)
        return true;
    const weft_custom_op known = weft__custom_known(l->custom);
    return !l->grad && weft__custom_runs(ctx, &known, NULL);
}

weft__held *weft__rerun(weft_ctx *ctx, const weft__frozen *f, weft__rerun_kind kind)
{
    rerun r = {.ctx = ctx, .f = f, .kind = kind, .noise = 88172645463325252u};
    weft__held *results = make_list(f->owner, f->n_out);
    weft_status status = WEFT_E_NOMEM;
    if (results && make_arrays(&r)) {
        const int n_out = is_step(f) ? 0 : f->n_out;
        const weft__attrs *attrs = f->has_attrs ? &f->attrs : NULL;
        status = f->custom ? f->run(ctx, f->custom, r.in, f->n_in, r.out)
                 : f->grad ? weft__run_grad(ctx, f->op, r.in, f->n_in, r.out, n_out, attrs)
                           : weft__run_kernel(ctx, f->op, r.in, f->n_in, r.out, n_out, attrs);
    }
    if (status == WEFT_OK && !fetch(&r, results))
        status = WEFT_E_NOMEM;
    for (int k = 0; r.storage && k < f->n_in + f->n_out; k++)
        if (r.storage[k])
            weft__storage_release(ctx, r.storage[k]);
    if (r.storage)
        weft__host_free(f->owner, r.storage, r.bytes);
    if (status == WEFT_OK)
        return results;
    weft__fail(ctx, f->op, status, "it could not be run again for the comparison: %s", weft_status_text(status));
    weft__results_drop(f, results);
    return NULL;
}

void weft__results_drop(const weft__frozen *f, weft__held *results)
{
    drop_list(f->owner, results, f->n_out);
}

double *weft__values(weft_ctx *ctx, const weft__held *h)
{
    const weft__array *a = &h->a;
    double *values = weft__host_array(ctx, a->count + 1, sizeof *values);
    int64_t at[WEFT__MAX_DIMS] = {0}, offset = 0;
    for (int64_t k = 0; values && k < a->count; k++) {
        values[k] = weft__element_get(h->block, a->dtype, offset - h->lowest);
        for (int d = a->ndim - 1; d >= 0; d--) {
            offset += a->strides[d];
            if (++at[d] < a->shape[d])
                break;
            offset -= a->strides[d] * a->shape[d];
            at[d] = 0;
        }
    }
    return values;
}
