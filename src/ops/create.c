/* create.c - makers of tensors: from data, constant, ramps, random. */
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include "base/number.h"
#include "define.h"

#define MOVES WORK(weft__terms_one, weft__flops_each, weft__bytes_once)

/* ---- Makers ---- */

#define MAKER(ID, name, attributes, effect, numbers)                                                                   \
    WEFT__DEFINE(ID, name, NO_OPERANDS, ATTRS(attributes), NO_INFER, RESULTS(0, ELEMENTWISE), EFFECT(effect),          \
                 NO_DERIVATIVE, MOVES, SAMPLE(call_##name, RECIPE("", numbers)))

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

/* i: shape; f: lo, hi */
CALL(rand)
{
    c->out[0] = weft_rand(c->ctx, c->dtype, c->i, c->ni, c->f[0], c->f[1]);
}

/* i: shape; f: mean, deviation */
CALL(randn)
{
    c->out[0] = weft_randn(c->ctx, c->dtype, c->i, c->ni, c->f[0], c->f[1]);
}

/* i: shape, lo, hi */
CALL(randint)
{
    const int ndim = c->ni - 2;
    c->out[0] = weft_randint(c->ctx, WEFT_I64, c->i, ndim, c->i[ndim], c->i[ndim + 1]);
}

/* i: shape; f: p */
CALL(bernoulli)
{
    c->out[0] = weft_bernoulli(c->ctx, WEFT_BOOL, c->i, c->ni, c->f[0]);
}

MAKER(FILL, fill, fill, PURE, "a b; 0.75")
MAKER(ARANGE, arange, arange, PURE, "; 0 12 0.5")
MAKER(RAND, rand, rand, DRAWS, "a b; -1 1")
MAKER(RANDN, randn, randn, DRAWS, "a b; 0 1")
MAKER(RANDINT, randint, randint, DRAWS, "a b 0 9")
MAKER(BERNOULLI, bernoulli, chance, DRAWS, "a b; 0.25")

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

/* Enters, checks and allocates; the caller fills and leaves. NULL: already left. */
static weft_tensor *blank(weft_ctx *ctx, const char *name, weft_dtype dtype, const int64_t *shape, int ndim)
{
    if (!weft__enter_named(name, ctx, NULL, 0, 0))
        return NULL;
    weft_tensor *t = check_shape(ctx, name, dtype, shape, ndim) ? weft__new(ctx, -1, dtype, shape, ndim) : NULL;
    if (!t)
        weft__leave(ctx);
    return t;
}

weft_tensor *weft_from_data(weft_ctx *ctx, weft_dtype dtype, const int64_t *shape, int ndim, const void *data)
{
    if (!weft__enter_named("from_data", ctx, NULL, 0, 0))
        return NULL;
    weft_tensor *t = NULL;
    if (check_shape(ctx, "from_data", dtype, shape, ndim))
        t = weft__from_host(ctx, "from_data", dtype, shape, ndim, data);
    weft__leave(ctx);
    return t;
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
    weft_tensor *t = blank(ctx, name, dtype, shape, ndim);
    if (!t)
        return NULL;
    weft_status status = weft__fill_array(ctx, &t->a, value);
    weft__leave(ctx);
    return status == WEFT_OK ? t : NULL;
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

static weft_tensor *run_maker(weft_ctx *ctx, int op, weft_tensor *t, const weft__attrs *attrs)
{
    if (t && weft__run_kernel(ctx, op, NULL, 0, (weft__array *[]){&t->a}, 1, attrs) != WEFT_OK)
        t = NULL;
    weft__leave(ctx);
    return t;
}

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
    double n = ceil((stop - start) / step);
    weft_tensor *t = NULL;
    weft__attrs attrs = {WEFT__COUNTS(arange)};
    if (can_count(ctx, dtype, start, stop, step, n)) {
        int64_t count = n > 0 ? (int64_t)n : 0;
        attrs.arange = (weft__arange_attrs){
            .start = start, .step = step, .whole_start = weft__to_i64(start), .whole_step = weft__to_i64(step)};
        t = weft__new(ctx, -1, dtype, &count, 1);
    }
    return run_maker(ctx, WEFT_OP_ARANGE, t, &attrs);
}

weft_tensor *weft_linspace(weft_ctx *ctx, weft_dtype dtype, double start, double stop, int64_t n)
{
    if (!weft__enter_named("linspace", ctx, NULL, 0, 0))
        return NULL;
    weft_tensor *t = NULL;
    weft__attrs attrs = {WEFT__COUNTS(arange)};
    if (n < 0 || !weft_dtype_is_float(dtype)) {
        weft__fail_named(ctx, "linspace", WEFT_E_INVALID, "needs n >= 0 (is %lld) and a floating dtype (is %s)",
                         (long long)n, weft_dtype_name(dtype));
    } else {
        attrs.arange = (weft__arange_attrs){.ends = 1,
                                            .start = start,
                                            .step = n > 1 ? (stop - start) / (double)(n - 1) : 0,
                                            .last = n > 1 ? stop : start};
        t = weft__new(ctx, -1, dtype, &n, 1);
    }
    return run_maker(ctx, WEFT_OP_ARANGE, t, &attrs);
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

/* ---- Random ---- */

static weft_tensor *random_values(weft_ctx *ctx, const char *name, int op, weft_dtype dtype, const int64_t *shape,
                                  int ndim, weft__attrs *attrs)
{
    weft_tensor *t = blank(ctx, name, dtype, shape, ndim);
    if (!t)
        return NULL;
    attrs->draw.seed = (int64_t)ctx->seed;
    attrs->draw.call = (int64_t)ctx->random_call++;
    return run_maker(ctx, op, t, attrs);
}

static bool need_float(weft_ctx *ctx, const char *name, weft_dtype dtype)
{
    if (weft_dtype_is_float(dtype))
        return true;
    weft__fail_named(ctx, name, WEFT_E_INVALID, "makes floating values, not %s; weft_randint makes integers",
                     weft_dtype_name(dtype));
    return false;
}

weft_tensor *weft_rand(weft_ctx *ctx, weft_dtype dtype, const int64_t *shape, int ndim, double lo, double hi)
{
    if (!need_float(ctx, "rand", dtype))
        return NULL;
    if (!(lo <= hi) || !isfinite(hi - lo))
        return weft__fail_named(ctx, "rand", WEFT_E_INVALID, "lo is %g, hi is %g; they must be finite, lo <= hi", lo,
                                hi),
               NULL;
    weft__attrs attrs = {WEFT__COUNTS(rand), .rand = {.lo = lo, .hi = hi}};
    return random_values(ctx, "rand", WEFT_OP_RAND, dtype, shape, ndim, &attrs);
}

weft_tensor *weft_randn(weft_ctx *ctx, weft_dtype dtype, const int64_t *shape, int ndim, double mean, double std)
{
    if (!need_float(ctx, "randn", dtype))
        return NULL;
    if (!isfinite(mean) || !(std >= 0) || !isfinite(std))
        return weft__fail_named(ctx, "randn", WEFT_E_INVALID, "mean is %g, std is %g; they must be finite, std >= 0",
                                mean, std),
               NULL;
    weft__attrs attrs = {WEFT__COUNTS(randn), .randn = {.mean = mean, .std = std}};
    return random_values(ctx, "randn", WEFT_OP_RANDN, dtype, shape, ndim, &attrs);
}

/* The whole numbers that a dtype holds without a gap. */
static weft__int_range whole_numbers(weft_dtype dtype)
{
    const int bits = dtype == WEFT_F64 ? 53 : dtype == WEFT_F32 ? 24 : dtype == WEFT_F16 ? 11 : 8;
    const int64_t most = INT64_C(1) << bits;
    return weft_dtype_is_float(dtype) ? (weft__int_range){-most, most} : weft__int_range_of((int32_t)dtype);
}

static bool can_draw(weft_ctx *ctx, weft_dtype dtype, int64_t lo, int64_t hi)
{
    if (dtype == WEFT_BOOL || (unsigned)dtype >= WEFT_DTYPE_COUNT) {
        weft__fail_named(ctx, "randint", WEFT_E_INVALID, "makes numbers, not %s; weft_bernoulli makes bool",
                         weft_dtype_name(dtype));
        return false;
    }
    if (lo >= hi) {
        weft__fail_named(ctx, "randint", WEFT_E_INVALID,
                         "lo is %lld, hi is %lld; lo must be below hi, which is excluded", (long long)lo,
                         (long long)hi);
        return false;
    }
    const weft__int_range held = whole_numbers(dtype);
    if (lo >= held.lo && hi - 1 <= held.hi)
        return true;
    weft__fail_named(
        ctx, "randint", WEFT_E_INVALID,
        "the numbers from %lld to %lld do not fit %s, which has all from %lld to %lld; draw i64 and weft_cast "
        "that",
        (long long)lo, (long long)(hi - 1), weft_dtype_name(dtype), (long long)held.lo, (long long)held.hi);
    return false;
}

weft_tensor *weft_randint(weft_ctx *ctx, weft_dtype dtype, const int64_t *shape, int ndim, int64_t lo, int64_t hi)
{
    if (!can_draw(ctx, dtype, lo, hi))
        return NULL;
    weft__attrs attrs = {WEFT__COUNTS(randint), .randint = {.lo = lo, .hi = hi}};
    return random_values(ctx, "randint", WEFT_OP_RANDINT, dtype, shape, ndim, &attrs);
}

weft_tensor *weft_bernoulli(weft_ctx *ctx, weft_dtype dtype, const int64_t *shape, int ndim, double p)
{
    if (!(p >= 0 && p <= 1))
        return weft__fail_named(ctx, "bernoulli", WEFT_E_INVALID, "p is %g, but a probability is in [0, 1]", p), NULL;
    weft__attrs attrs = {WEFT__COUNTS(chance), .chance = {.p = p}};
    return random_values(ctx, "bernoulli", WEFT_OP_BERNOULLI, dtype, shape, ndim, &attrs);
}
