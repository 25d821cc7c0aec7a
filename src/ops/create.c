/* create.c - makers of tensors: from data, constant, ramps. */
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include "base/number.h"
#include "create.h"

/* ---- Shapes and dtypes, which attributes say; and what else they must be ---- */

static bool infer_fill(weft__infer *q)
{
    const weft__fill_attrs *a = &q->attrs->fill;
    return weft__infer_made(q, a->dtype, a->sizes, a->ndim);
}

static bool infer_arange(weft__infer *q)
{
    const weft__arange_attrs *a = &q->attrs->arange;
    return weft__infer_made(q, a->dtype, &a->n, 1);
}

/* ---- Records ---- */

/* i: shape; f: value */
CALL(fill)
{
    c->out[0] = weft_full(c->ctx, c->dtype, c->i, c->ni, c->f[0]);
}

/* f: start, stop, step */
CALL(arange)
{
    c->out[0] = weft_arange(c->ctx, c->dtype, c->f[0], c->f[1], c->f[2]);
}

MAKER(FILL, fill, PURE, "a b; 0.75")
MAKER(ARANGE, arange, PURE, "; 0 12 0.5")
/* ---- Front ends ---- */

static bool check_shape(weft_ctx *ctx, const char *name, weft_dtype dtype, const int64_t *shape, int ndim)
{
    if ((unsigned)dtype >= WEFT_DTYPE_COUNT) {
        weft__fail_named(ctx, name, WEFT_E_DTYPE, "%d is not a dtype", (int)dtype);
        return false;
    }
    if (ndim < 0 || ndim > WEFT__MAX_DIMS || (ndim > 0 && !shape)) {
        weft__fail_named(ctx, name, WEFT_E_SHAPE, "a shape of %d dims at %s: between 0 and %d dims are possible", ndim,
                         shape ? "an address" : "NULL", WEFT__MAX_DIMS);
        return false;
    }
    return true;
}

weft_tensor *weft__make(weft_ctx *ctx, int op, weft__attrs *attrs)
{
    weft_tensor *y;
    return weft__leave_with(ctx, weft__complete(ctx, op, NULL, 0, attrs, &y) ? y : NULL);
}

bool weft__begin_making(weft_ctx *ctx, const char *name, weft_dtype dtype, const int64_t *shape, int ndim,
                        int64_t *sizes)
{
    if (!weft__enter_named(name, ctx, NULL, 0, 0))
        return false;
    if (!check_shape(ctx, name, dtype, shape, ndim)) {
        weft__leave(ctx);
        return false;
    }
    for (int d = 0; d < ndim; d++)
        sizes[d] = shape[d];
    return true;
}

weft_tensor *weft_from_data(weft_ctx *ctx, weft_dtype dtype, const int64_t *shape, int ndim, const void *data)
{
    if (!weft__enter_named("from_data", ctx, NULL, 0, 0))
        return NULL;
    weft_tensor *t = NULL;
    if (check_shape(ctx, "from_data", dtype, shape, ndim))
        t = weft__from_host(ctx, "from_data", dtype, shape, ndim, data);
    return weft__leave_with(ctx, t);
}

static weft_tensor *wrap(weft_ctx *ctx, weft_dtype dtype, const int64_t *shape, int ndim, void *data)
{
    if (!check_shape(ctx, "wrap", dtype, shape, ndim))
        return NULL;
    int64_t count = weft__count_of(shape, ndim);
    size_t bytes;
    bool fits = weft__bytes_of(count, weft_dtype_size(dtype), &bytes);
    if (!fits || (count > 0 && !data)) {
        weft__fail_named(ctx, "wrap", fits ? WEFT_E_NULL_ARGUMENT : WEFT_E_SHAPE, "%s for %s %s",
                         fits ? "data is NULL" : "sizes are negative or too large", weft_dtype_name(dtype),
                         weft__shape_text(shape, ndim).s);
        return NULL;
    }
    if ((uintptr_t)data % weft_dtype_size(dtype)) {
        weft__fail_named(ctx, "wrap", WEFT_E_INVALID, "data must be aligned to its elements (%zu bytes)",
                         weft_dtype_size(dtype));
        return NULL;
    }
    int64_t untrue = dtype == WEFT_BOOL ? weft__first_untruth(data, (size_t)count) : -1;
    if (untrue >= 0) {
        weft__fail_named(ctx, "wrap", WEFT_E_INVALID,
                         "a bool is 0 or 1, but byte %lld is %d; the memory is yours, so make it so first, or use "
                         "weft_from_data, which does it to its copy",
                         (long long)untrue, ((const unsigned char *)data)[untrue]);
        return NULL;
    }
    weft__storage *storage = weft__storage_wrap(ctx, data, bytes);
    if (!storage) {
        weft__fail_named(ctx, "wrap", WEFT_E_NOMEM, "out of memory for a header");
        return NULL;
    }
    weft__array a = {.data = data, .dtype = (int32_t)dtype, .ndim = ndim};
    memcpy(a.shape, shape ? shape : a.shape, sizeof *shape * (size_t)ndim);
    weft__set_contiguous(&a);
    weft_tensor *t = weft__new_on(ctx, -1, &a, storage);
    weft__storage_release(ctx, storage); /* the tensor holds it now, or nobody does */
    return t;
}

weft_tensor *weft_wrap(weft_ctx *ctx, weft_dtype dtype, const int64_t *shape, int ndim, void *data,
                       void (*release)(void *user, void *data), void *user)
{
    weft_tensor *t = NULL;
    if (weft__enter_named("wrap", ctx, NULL, 0, 0)) {
        if (!ctx->backend->host_memory)
            weft__fail_named(ctx, "wrap", WEFT_E_UNSUPPORTED,
                             "the device \"%s\" cannot use host memory in place; use "
                             "weft_from_data",
                             ctx->backend->name);
        else
            t = wrap(ctx, dtype, shape, ndim, data);
        weft__leave(ctx);
    }
    if (t) {
        t->storage->release = release;
        t->storage->release_user = user;
    } else if (release && ctx) {
        weft__call_release(ctx, release, user, data);
    } else if (release) {
        release(user, data);
    }
    return t;
}

static weft_tensor *filled(weft_ctx *ctx, const char *name, weft_dtype dtype, const int64_t *shape, int ndim,
                           double value)
{
    weft__attrs attrs = {.fill = {.dtype = dtype, .ndim = ndim, .value = value}};
    return weft__begin_making(ctx, name, dtype, shape, ndim, attrs.fill.sizes) ? weft__make(ctx, WEFT_OP_FILL, &attrs)
                                                                               : NULL;
}

weft_tensor *weft_full(weft_ctx *ctx, weft_dtype dtype, const int64_t *shape, int ndim, double value)
{
    return filled(ctx, "full", dtype, shape, ndim, value);
}

weft_tensor *weft_zeros(weft_ctx *ctx, weft_dtype dtype, const int64_t *shape, int ndim)
{
    return filled(ctx, "zeros", dtype, shape, ndim, 0);
}

weft_tensor *weft_ones(weft_ctx *ctx, weft_dtype dtype, const int64_t *shape, int ndim)
{
    return filled(ctx, "ones", dtype, shape, ndim, 1);
}

weft_tensor *weft_scalar(weft_ctx *ctx, weft_dtype dtype, double value)
{
    return filled(ctx, "scalar", dtype, NULL, 0, value);
}

static weft_tensor *filled_like(const char *name, weft_tensor *x, double value)
{
    weft_ctx *ctx = weft__enter_named(name, NULL, &x, 1, 0);
    if (!ctx)
        return NULL;
    weft_tensor *t = filled(ctx, name, (weft_dtype)x->a.dtype, x->a.shape, x->a.ndim, value);
    weft__leave(ctx);
    return t;
}

weft_tensor *weft_zeros_like(weft_tensor *x)
{
    return filled_like("zeros_like", x, 0);
}

weft_tensor *weft_full_like(weft_tensor *x, double value)
{
    return filled_like("full_like", x, value);
}

/* ---- Ramps ---- */

#define MOST_COUNTED 9e15 /* elements of a range: beyond, f64 has not every index */

static bool cannot_count(weft_ctx *ctx, double start, double stop, double step, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

static bool cannot_count(weft_ctx *ctx, double start, double stop, double step, const char *format, ...)
{
    char why[160];
    va_list args;
    va_start(args, format);
    weft_text_list(why, sizeof why, format, args);
    va_end(args);
    weft__fail_named(ctx, "arange", WEFT_E_INVALID, "cannot count from %g to %g by %g: %s", start, stop, step, why);
    return false;
}

/* n: how many elements it takes. An integer dtype must hold every one: nothing is cut, nothing wraps. */
static bool can_count(weft_ctx *ctx, weft_dtype dtype, double start, double stop, double step, double n)
{
    const char *name = weft_dtype_name(dtype);
    if (!check_shape(ctx, "arange", dtype, NULL, 0))
        return false;
    if (dtype == WEFT_BOOL)
        return cannot_count(ctx, start, stop, step, "the dtype is bool, which counts nothing; use a number's");
    if (!isfinite(start) || !isfinite(stop) || !isfinite(step))
        return cannot_count(ctx, start, stop, step, "all three must be finite");
    if (step == 0)
        return cannot_count(ctx, start, stop, step, "the step must not be 0");
    if (!(n < MOST_COUNTED))
        return cannot_count(ctx, start, stop, step, "that makes %.3g elements, %.0g are possible", n, MOST_COUNTED);
    if (weft_dtype_is_float(dtype) || n < 1)
        return true;
    if (n > 1 && step != floor(step))
        return cannot_count(ctx, start, stop, step, "%s holds whole numbers, so the step must be one", name);
    const double ends[] = {start, start + (n - 1) * step};
    for (int k = 0; k < 2; k++)
        if (!weft__holds((int32_t)dtype, ends[k]))
            return cannot_count(ctx, start, stop, step, "%s cannot hold %g; count in f64 and weft_cast that", name,
                                ends[k]);
    return true;
}

weft_tensor *weft_arange(weft_ctx *ctx, weft_dtype dtype, double start, double stop, double step)
{
    if (!weft__enter_named("arange", ctx, NULL, 0, 0))
        return NULL;
    const double n = ceil((stop - start) / step);
    if (!can_count(ctx, dtype, start, stop, step, n))
        return weft__leave_with(ctx, NULL);
    weft__attrs attrs = {.arange = {.dtype = dtype,
                                    .n = n > 0 ? (int64_t)n : 0,
                                    .start = start,
                                    .step = step,
                                    .whole_start = weft__to_i64(start),
                                    .whole_step = weft__to_i64(step)}};
    return weft__make(ctx, WEFT_OP_ARANGE, &attrs);
}

weft_tensor *weft_linspace(weft_ctx *ctx, weft_dtype dtype, double start, double stop, int64_t n)
{
    if (!weft__enter_named("linspace", ctx, NULL, 0, 0))
        return NULL;
    if (n < 0 || !weft_dtype_is_float(dtype)) {
        weft__fail_named(ctx, "linspace", WEFT_E_INVALID, "needs n >= 0 (is %lld) and a floating dtype (is %s)",
                         (long long)n, weft_dtype_name(dtype));
        return weft__leave_with(ctx, NULL);
    }
    weft__attrs attrs = {.arange = {.dtype = dtype,
                                    .n = n,
                                    .ends = 1,
                                    .start = start,
                                    .step = n > 1 ? (stop - start) / (double)(n - 1) : 0,
                                    .last = n > 1 ? stop : start}};
    return weft__make(ctx, WEFT_OP_ARANGE, &attrs);
}

weft_tensor *weft_eye(weft_ctx *ctx, weft_dtype dtype, int64_t rows, int64_t columns)
{
    weft_tensor *t = filled(ctx, "eye", dtype, (const int64_t[]){rows, columns}, 2, 0);
    if (!t || t->a.count == 0)
        return t;
    weft__array diagonal = {.data = t->a.data, .dtype = t->a.dtype, .ndim = 1};
    diagonal.shape[0] = rows < columns ? rows : columns;
    diagonal.strides[0] = columns + 1;
    weft__refresh(&diagonal);
    return weft__fill_array(ctx, &diagonal, 1) == WEFT_OK ? t : NULL;
}
