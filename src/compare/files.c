/* files.c - two files of tensors: see compare.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "frozen.h"
#include <weft/compare.h>
#include <weft/io.h>

typedef struct named_file {
    weft_named_tensor *all;
    int n;
} named_file;

static weft_status load(weft_ctx *ctx, const char *path, named_file *file)
{
    static const char extension[] = ".safetensors";
    const size_t n = strlen(path), m = sizeof extension - 1;
    const bool safe = n >= m && strcmp(path + n - m, extension) == 0;
    return safe ? weft_load_safetensors(ctx, path, &file->all, &file->n)
                : weft_load_npz(ctx, path, &file->all, &file->n);
}

/* Row-major values of t, or NULL; loaded tensors are contiguous. */
static double *values_of(weft_ctx *ctx, weft_tensor *t)
{
    weft__held h;
    double *values = NULL;
    if (!weft__held_make(ctx, &t->a, &h))
        return NULL;
    if (weft_read(ctx, t, h.block, (size_t)t->a.count * weft_dtype_size((weft_dtype)t->a.dtype)) == WEFT_OK)
        values = weft__values(ctx, &h);
    weft__held_drop(ctx, &h);
    return values;
}

/* Fills d; false if an element is beyond the tolerance. */
static bool measure(weft_file_difference *d, const double *a, const double *b, int64_t n, double rtol, double atol)
{
    bool fine = true;
    double off = 0, size = 0;
    d->worst = -1;
    for (int64_t k = 0; k < n; k++) {
        if (a[k] == b[k] || (isnan(a[k]) && isnan(b[k]))) {
            size += isfinite(a[k]) ? a[k] * a[k] : 0;
            continue;
        }
        const double error = isfinite(a[k]) && isfinite(b[k]) ? fabs(a[k] - b[k]) : (double)INFINITY;
        const double relative = a[k] != 0 && isfinite(error) ? error / fabs(a[k]) : (double)INFINITY;
        d->different++;
        fine &= error <= atol + rtol * fabs(a[k]);
        d->max_relative = fmax(d->max_relative, relative);
        if (error > d->max_absolute) {
            d->max_absolute = error;
            d->worst = k;
            d->first = a[k];
            d->second = b[k];
        }
        off += error * error;
        size += isfinite(a[k]) ? a[k] * a[k] : 0;
    }
    d->relative_l2 = size > 0 ? sqrt(off / size) : off > 0 ? (double)INFINITY : 0;
    return fine;
}

static void describe(const weft_tensor *t, bool *there, weft_dtype *dtype, char *shape, size_t size)
{
    *there = t != NULL;
    if (!t)
        return;
    *dtype = (weft_dtype)t->a.dtype;
    snprintf(shape, size, "%s", weft__shape_text(t->a.shape, t->a.ndim).s);
}

/* One tensor; either may be NULL. */
static weft_status compare(weft_ctx *ctx, const char *name, weft_tensor *a, weft_tensor *b, double rtol, double atol,
                           weft_file_difference *d)
{
    *d = (weft_file_difference){.name = name, .worst = -1};
    describe(a, &d->in_first, &d->dtype_first, d->shape_first, sizeof d->shape_first);
    describe(b, &d->in_second, &d->dtype_second, d->shape_second, sizeof d->shape_second);
    d->comparable = a && b && weft__same_shape(&a->a, &b->a);
    if (!d->comparable)
        return WEFT_E_MISMATCH;
    double *x = values_of(ctx, a), *y = values_of(ctx, b);
    weft_status status = WEFT_E_NOMEM;
    if (x && y)
        status = measure(d, x, y, a->a.count, rtol, atol) ? WEFT_OK : WEFT_E_MISMATCH;
    if (x)
        weft__host_free(ctx, x, sizeof *x * (size_t)(a->a.count + 1));
    if (y)
        weft__host_free(ctx, y, sizeof *y * (size_t)(a->a.count + 1));
    return status == WEFT_E_NOMEM
               ? weft__fail_named(ctx, "compare_files", status, "out of memory for the values of %s", name)
               : status;
}

static weft_status compare_lists(weft_ctx *ctx, const named_file *first, const named_file *second, double rtol,
                                 double atol, void (*row)(void *user, const weft_file_difference *difference),
                                 void *user)
{
    weft_status result = WEFT_OK;
    for (int k = 0; k < first->n + second->n; k++) {
        const bool in_first = k < first->n;
        const char *name = in_first ? first->all[k].name : second->all[k - first->n].name;
        weft_tensor *a = in_first ? first->all[k].tensor : weft_named(first->all, first->n, name);
        weft_file_difference d;
        if (!in_first && a)
            continue; /* shown already */
        weft_tensor *b = weft_named(second->all, second->n, name);
        const weft_status status = compare(ctx, name, a, b, rtol, atol, &d);
        if (status != WEFT_OK && status != WEFT_E_MISMATCH)
            return status;
        if (status != WEFT_OK)
            result = status;
        if (row)
            row(user, &d);
    }
    return result;
}

weft_status weft_compare_files(weft_ctx *ctx, const char *first, const char *second, double rtol, double atol,
                               void (*row)(void *user, const weft_file_difference *difference), void *user)
{
    if (!ctx || !first || !second)
        return WEFT_E_NULL_ARGUMENT;
    named_file a = {0}, b = {0};
    const int mark = weft_scope_push(ctx);
    weft_status status = load(ctx, first, &a);
    if (status == WEFT_OK)
        status = load(ctx, second, &b);
    if (status == WEFT_OK)
        status = compare_lists(ctx, &a, &b, rtol, atol, row, user);
    weft_named_free(ctx, a.all, a.n);
    weft_named_free(ctx, b.all, b.n);
    if (mark >= 0 && weft_scope_pop(ctx, mark) != WEFT_OK)
        return ctx->status;
    return status;
}
