/* files.c - two files of tensors: see compare.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "frozen.h"
#include <weft/compare.h>
#include <weft/io.h>

/* A loaded file, and its list by name. */
typedef struct named_file {
    weft_named_tensor *all;
    const weft_named_tensor **sorted;
    int n;
} named_file;

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const weft_named_tensor *const *)a)->name, (*(const weft_named_tensor *const *)b)->name);
}

static weft_status load(weft_ctx *ctx, const char *path, named_file *file)
{
    weft_source source = WEFT_SOURCE_DEFAULTS;
    source.path = path;
    weft_status status = weft_load(ctx, &source, NULL, &file->all, &file->n);
    if (status != WEFT_OK || file->n == 0)
        return status;
    file->sorted = weft__host_alloc(ctx, sizeof *file->sorted * (size_t)file->n);
    if (!file->sorted)
        return weft__fail_named(ctx, "compare_files", WEFT_E_NOMEM, "out of memory for %d names of %s", file->n, path);
    for (int k = 0; k < file->n; k++)
        file->sorted[k] = &file->all[k];
    qsort(file->sorted, (size_t)file->n, sizeof *file->sorted, by_name);
    return WEFT_OK;
}

static void drop(weft_ctx *ctx, named_file *file)
{
    if (file->sorted)
        weft__host_free(ctx, file->sorted, sizeof *file->sorted * (size_t)file->n);
    weft_named_free(ctx, file->all, file->n);
}

static weft_tensor *find(const named_file *file, const char *name)
{
    const weft_named_tensor key = {name, NULL}, *const wanted = &key;
    const weft_named_tensor **found =
        file->n ? bsearch(&wanted, file->sorted, (size_t)file->n, sizeof *file->sorted, by_name) : NULL;
    return found ? (*found)->tensor : NULL;
}

/* ---- Elements: integers stay integers, which a double beyond 2^53 does not ---- */

typedef struct number {
    bool is_integer;
    int64_t i;
    double d; /* the nearest, of an integer */
} number;

static number number_at(const void *elements, int32_t dtype, int64_t k)
{
    if (dtype == WEFT_I64) {
        const int64_t i = ((const int64_t *)elements)[k];
        return (number){true, i, (double)i};
    }
    const double d = weft__element_get(elements, dtype, k);
    return weft_dtype_is_float((weft_dtype)dtype) ? (number){false, 0, d} : (number){true, (int64_t)d, d};
}

static bool same_as_integer(double d, int64_t i)
{
    return d >= -0x1p63 && d < 0x1p63 && d == trunc(d) && (int64_t)d == i;
}

static bool equal(const number *a, const number *b)
{
    if (a->is_integer && b->is_integer)
        return a->i == b->i;
    if (a->is_integer || b->is_integer)
        return a->is_integer ? same_as_integer(b->d, a->i) : same_as_integer(a->d, b->i);
    return a->d == b->d || (isnan(a->d) && isnan(b->d));
}

/* Of two that are not equal: never 0. */
static double distance(const number *a, const number *b)
{
    if (a->is_integer && b->is_integer)
        return (double)(a->i > b->i ? (uint64_t)a->i - (uint64_t)b->i : (uint64_t)b->i - (uint64_t)a->i);
    if (!isfinite(a->d) || !isfinite(b->d))
        return (double)INFINITY;
    const double off = fabs(a->d - b->d);
    return off > 0 ? off : 1; /* the double next to an integer beyond 2^53 is at least that far from it */
}

static void note_worst(weft_file_difference *d, const number *a, const number *b, int64_t k, double error)
{
    d->max_absolute = error;
    d->worst = k;
    d->first = a->d;
    d->second = b->d;
    d->integers = a->is_integer && b->is_integer;
    d->first_integer = a->i;
    d->second_integer = b->i;
}

/* Fills d; false if an element is beyond the tolerance. */
static bool measure(weft_file_difference *d, const void *first, const void *second, int64_t n, double rtol, double atol)
{
    bool fine = true;
    double off = 0, size = 0;
    for (int64_t k = 0; k < n; k++) {
        const number a = number_at(first, (int32_t)d->dtype_first, k),
                     b = number_at(second, (int32_t)d->dtype_second, k);
        size += isfinite(a.d) ? a.d * a.d : 0;
        if (equal(&a, &b))
            continue;
        const double error = distance(&a, &b), scale = fabs(a.d);
        d->different++;
        fine &= isfinite(error) && error <= atol + rtol * scale; /* an infinity has no tolerance beside it */
        d->max_relative = fmax(d->max_relative, scale > 0 && isfinite(error) ? error / scale : (double)INFINITY);
        if (error > d->max_absolute)
            note_worst(d, &a, &b, k, error);
        off += error * error;
    }
    d->relative_l2 = size > 0 ? sqrt(off / size) : off > 0 ? (double)INFINITY : 0;
    return fine;
}

static size_t bytes_of(const weft_tensor *t)
{
    return weft__array_bytes(&t->a);
}

/* Row-major elements in host memory: the tensor's own, since what is loaded is contiguous, or a copy. */
static const void *elements_of(weft_ctx *ctx, weft_tensor *t, weft_status *status)
{
    if (weft_ctx_on_host(ctx))
        return t->a.data;
    void *copy = weft__host_alloc(ctx, bytes_of(t) + 1);
    if (!copy)
        *status = weft__fail_named(ctx, "compare_files", WEFT_E_NOMEM, "out of memory for %zu bytes", bytes_of(t));
    else
        *status = weft_read(ctx, t, copy, bytes_of(t));
    return copy;
}

static void drop_elements(weft_ctx *ctx, const weft_tensor *t, const void *elements)
{
    if (elements && !weft_ctx_on_host(ctx))
        weft__host_free(ctx, (void *)(uintptr_t)elements, bytes_of(t) + 1); /* made above, not const */
}

/* ---- Tensors ---- */

static void describe(const weft_tensor *t, bool *there, weft_dtype *dtype, char *shape, size_t size)
{
    *there = t != NULL;
    if (!t)
        return;
    *dtype = (weft_dtype)t->a.dtype;
    snprintf(shape, size, "%s", weft__shape_text(t->a.shape, t->a.ndim).s);
}

/* One tensor; either may be NULL. *agree: within the tolerances. */
static weft_status compare(weft_ctx *ctx, const char *name, weft_tensor *a, weft_tensor *b, double rtol, double atol,
                           weft_file_difference *d, bool *agree)
{
    *d = (weft_file_difference){.name = name, .worst = -1};
    describe(a, &d->in_first, &d->dtype_first, d->shape_first, sizeof d->shape_first);
    describe(b, &d->in_second, &d->dtype_second, d->shape_second, sizeof d->shape_second);
    d->comparable = a && b && weft__same_shape(&a->a, &b->a);
    *agree = false;
    if (!d->comparable)
        return WEFT_OK;
    weft_status status = WEFT_OK;
    const void *x = elements_of(ctx, a, &status), *y = status == WEFT_OK ? elements_of(ctx, b, &status) : NULL;
    if (status == WEFT_OK)
        *agree = measure(d, x, y, a->a.count, rtol, atol);
    drop_elements(ctx, a, x);
    drop_elements(ctx, b, y);
    return status;
}

/* False: the row closed the scope in which the files were read. */
static bool show(weft_ctx *ctx, void (*row)(void *user, const weft_file_difference *difference), void *user,
                 const weft_file_difference *difference)
{
    const weft__call_id call = weft__call_begins(ctx, "a row callback of weft_compare_files", false);
    if (!call)
        return false;
    row(user, difference);
    return weft__call_ends(ctx, "compare_files", call);
}

static weft_status compare_lists(weft_ctx *ctx, const named_file *first, const named_file *second, double rtol,
                                 double atol, void (*row)(void *user, const weft_file_difference *difference),
                                 void *user)
{
    bool all_agree = true;
    for (int k = 0; k < first->n + second->n; k++) {
        const bool in_first = k < first->n;
        const char *name = in_first ? first->all[k].name : second->all[k - first->n].name;
        weft_tensor *a = in_first ? first->all[k].tensor : find(first, name);
        weft_file_difference d;
        bool agree;
        if (!in_first && a)
            continue; /* shown already */
        const weft_status status = compare(ctx, name, a, find(second, name), rtol, atol, &d, &agree);
        if (status != WEFT_OK)
            return status;
        all_agree &= agree;
        if (row && !show(ctx, row, user, &d))
            return ctx->status;
    }
    return all_agree ? WEFT_OK : WEFT_E_MISMATCH;
}

static weft_status check(weft_ctx *ctx, const char *first, const char *second, double rtol, double atol)
{
    if ((ctx->n_callbacks && !weft__may_enter(ctx, "compare_files")) || ctx->status != WEFT_OK)
        return ctx->status;
    if (!first || !second)
        return weft__fail_named(ctx, "compare_files", WEFT_E_NULL_ARGUMENT, "the path of the %s file is NULL",
                                first ? "second" : "first");
    if (!(rtol >= 0) || !(atol >= 0))
        return weft__fail_named(ctx, "compare_files", WEFT_E_INVALID, "rtol is %g and atol %g; both must be 0 or more",
                                rtol, atol);
    return WEFT_OK;
}

weft_status weft_compare_files(weft_ctx *ctx, const char *first, const char *second, double rtol, double atol,
                               void (*row)(void *user, const weft_file_difference *difference), void *user)
{
    named_file a = {0}, b = {0};
    weft_status status = ctx ? check(ctx, first, second, rtol, atol) : WEFT_E_NULL_ARGUMENT;
    if (status != WEFT_OK)
        return status;
    const int mark = weft_scope_push(ctx);
    if (mark < 0)
        return WEFT_E_NOMEM;
    status = load(ctx, first, &a);
    if (status == WEFT_OK)
        status = load(ctx, second, &b);
    if (status == WEFT_OK)
        status = compare_lists(ctx, &a, &b, rtol, atol, row, user);
    drop(ctx, &a);
    drop(ctx, &b);
    const weft_status popped = weft_scope_pop(ctx, mark);
    return popped == WEFT_OK || (status != WEFT_OK && status != WEFT_E_MISMATCH) ? status : popped;
}
