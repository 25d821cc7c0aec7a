/* access.c - looking at tensors and moving data in and out. */
#include <math.h>
#include <string.h>
#include "engine/engine.h"
#include "base/half.h"

/* Whether there is something to look at. */
static inline bool seen(const weft_tensor *t, const char *function)
{
    return t && weft__alive(t, function);
}

int weft_ndim(const weft_tensor *t)
{
    return seen(t, "ndim") ? t->a.ndim : 0;
}

const int64_t *weft_shape(const weft_tensor *t)
{
    return seen(t, "shape") ? t->a.shape : NULL;
}

const int64_t *weft_strides(const weft_tensor *t)
{
    return seen(t, "strides") ? t->a.strides : NULL;
}

int64_t weft_size(const weft_tensor *t, int64_t dim)
{
    if (!seen(t, "size"))
        return 0;
    if (dim < -t->a.ndim || dim >= t->a.ndim)
        return -1;
    return t->a.shape[dim < 0 ? dim + t->a.ndim : dim];
}

int64_t weft_count(const weft_tensor *t)
{
    return seen(t, "count") ? t->a.count : 0;
}

size_t weft_bytes(const weft_tensor *t)
{
    return seen(t, "bytes") ? weft__array_bytes(&t->a) : 0;
}

weft_dtype weft_dtype_of(const weft_tensor *t)
{
    return seen(t, "dtype_of") ? (weft_dtype)t->a.dtype : WEFT_F32;
}

bool weft_is_contiguous(const weft_tensor *t)
{
    return seen(t, "is_contiguous") && t->a.contiguous;
}

weft_ctx *weft_ctx_of(const weft_tensor *t)
{
    return seen(t, "ctx_of") ? t->ctx : NULL;
}

weft_tensor *weft_set_name(weft_tensor *t, const char *name)
{
    if (!t || !t->ctx || !weft__enter_named("set_name", NULL, &t, 1, 0))
        return t && t->magic == WEFT__LIVE ? t : NULL;
    weft__leaf *leaf = weft__leaf_of(t);
    if (leaf)
        weft_text(leaf->name, sizeof leaf->name, "%s", name ? name : "");
    weft__leave(t->ctx);
    return t;
}

const char *weft_name(const weft_tensor *t)
{
    return seen(t, "name") && t->leaf ? t->leaf->name : "";
}

void *weft_data(weft_tensor *t)
{
    return seen(t, "data") ? t->a.data : NULL;
}

/* ---- Reading and writing ---- */

static weft_status null_tensor(weft_ctx *ctx, const char *name)
{
    if (!ctx)
        return WEFT_E_NULL_ARGUMENT;
    if (ctx->status != WEFT_OK)
        return ctx->status;
    return weft__fail_named(ctx, name, WEFT_E_NULL_ARGUMENT, "the tensor is NULL; %s", weft__why_null().s);
}

static weft_status check_bytes(weft_ctx *ctx, const char *name, const weft_tensor *t, const void *data, size_t bytes)
{
    size_t needed = weft__array_bytes(&t->a);
    if (bytes != needed)
        return weft__fail_named(ctx, name, WEFT_E_INVALID,
                                "%s holds %zu bytes, the buffer has %zu; sizes must be equal", weft__describe(t).s,
                                needed, bytes);
    if (needed && !data)
        return weft__fail_named(ctx, name, WEFT_E_NULL_ARGUMENT, "the buffer is NULL");
    return WEFT_OK;
}

weft_tensor *weft__from_host(weft_ctx *ctx, const char *function, weft_dtype dtype, const int64_t *shape, int ndim,
                             const void *data)
{
    weft_tensor *t = weft__new(ctx, -1, dtype, shape, ndim);
    if (!t)
        return NULL;
    const size_t bytes = weft__array_bytes(&t->a);
    weft_status status = WEFT_OK;
    if (bytes && !data)
        status = weft__fail_named(ctx, function, WEFT_E_NULL_ARGUMENT, "data is NULL for %s", weft__describe(t).s);
    else if (bytes && (status = ctx->backend->from_host(ctx->device, t->a.data, data, bytes)) != WEFT_OK)
        weft__fail_device(ctx, function, status, "the copy to the device failed");
    else if (dtype == WEFT_BOOL && weft__first_untruth(data, bytes) >= 0)
        status = weft__make_truths(ctx, &t->a);
    return status == WEFT_OK ? t : NULL;
}

weft_status weft__to_host(weft_ctx *ctx, const char *function, weft_tensor *t, void *out)
{
    const size_t bytes = weft__array_bytes(&t->a);
    if (bytes == 0)
        return WEFT_OK;
    weft_tensor *dense = weft__dense(ctx, t);
    if (!dense)
        return ctx->status;
    weft_status status = ctx->backend->to_host(ctx->device, out, dense->a.data, bytes);
    if (dense != t)
        weft__scope_remove(dense);
    return status == WEFT_OK ? WEFT_OK : weft__fail_device(ctx, function, status, "the copy from the device failed");
}

weft_status weft_read(weft_ctx *ctx, weft_tensor *t, void *out, size_t bytes)
{
    if (!t || !ctx)
        return null_tensor(ctx, "read");
    if (!weft__enter_named("read", ctx, &t, 1, 0))
        return ctx->status;
    weft_status status = check_bytes(ctx, "read", t, out, bytes);
    if (status == WEFT_OK)
        status = weft__to_host(ctx, "read", t, out);
    weft__leave_with(ctx, NULL);
    return status;
}

/* By way of a copy on the device: t may be strided, and what fails on the way leaves it as it was. */
static weft_status overwrite(weft_ctx *ctx, weft_tensor *t, const void *data)
{
    weft_tensor *source = weft__from_host(ctx, "write", (weft_dtype)t->a.dtype, t->a.shape, t->a.ndim, data);
    if (!source)
        return ctx->status;
    const weft_status status = weft__copy_array(ctx, &source->a, &t->a);
    weft__storage_written(ctx, t->storage);
    weft__scope_remove(source);
    return status;
}

weft_status weft_write(weft_ctx *ctx, weft_tensor *t, const void *data, size_t bytes)
{
    if (!t || !ctx)
        return null_tensor(ctx, "write");
    if (!weft__enter_named("write", ctx, &t, 1, 0))
        return ctx->status;
    weft_status status = check_bytes(ctx, "write", t, data, bytes);
    if (status == WEFT_OK && bytes) {
        status = weft__writable(ctx, WEFT_OP_COPY_, t) ? overwrite(ctx, t, data) : ctx->status;
    }
    weft__leave_with(ctx, NULL);
    return status;
}

/* One element of any dtype, widened. */
static double element_f64(const void *p, weft_dtype dtype)
{
    switch (dtype) {
    case WEFT_F32:
        return (double)*(const float *)p;
    case WEFT_F64:
        return *(const double *)p;
    case WEFT_F16:
        return (double)weft__f16_to_f32(*(const uint16_t *)p);
    case WEFT_BF16:
        return (double)weft__bf16_to_f32(*(const uint16_t *)p);
    case WEFT_I64:
        return (double)*(const int64_t *)p;
    case WEFT_I32:
        return *(const int32_t *)p;
    case WEFT_I8:
        return *(const int8_t *)p;
    default:
        return *(const uint8_t *)p;
    }
}

static bool one_element(weft_ctx *ctx, const char *name, weft_tensor *t, void *out)
{
    if (t->a.count != 1) {
        weft__fail_named(ctx, name, WEFT_E_SHAPE, "%s has %lld elements, not one; reduce or select first",
                         weft__describe(t).s, (long long)t->a.count);
        return false;
    }
    return weft__to_host(ctx, name, t, out) == WEFT_OK;
}

double weft_item(weft_ctx *ctx, weft_tensor *t)
{
    if (!t || !ctx)
        return null_tensor(ctx, "item"), (double)NAN;
    if (!weft__enter_named("item", ctx, &t, 1, 0))
        return (double)NAN;
    int64_t raw = 0;
    double value = one_element(ctx, "item", t, &raw) ? element_f64(&raw, (weft_dtype)t->a.dtype) : (double)NAN;
    weft__leave_with(ctx, NULL);
    return value;
}

int64_t weft_item_i64(weft_ctx *ctx, weft_tensor *t)
{
    if (!t || !ctx)
        return null_tensor(ctx, "item_i64"), INT64_MIN;
    if (!weft__enter_named("item_i64", ctx, &t, 1, 0))
        return INT64_MIN;
    int64_t raw = 0, value = INT64_MIN;
    if (weft_dtype_is_float((weft_dtype)t->a.dtype))
        weft__fail_named(ctx, "item_i64", WEFT_E_DTYPE, "%s is not of an integer dtype; use weft_item",
                         weft__describe(t).s);
    else if (one_element(ctx, "item_i64", t, &raw))
        value = t->a.dtype == WEFT_I64 ? raw : (int64_t)element_f64(&raw, (weft_dtype)t->a.dtype);
    weft__leave_with(ctx, NULL);
    return value;
}
