/* shape.c - sizes, strides, broadcasting, dims. */
#include <string.h>
#include "engine/engine.h"

void weft__set_contiguous(weft__array *a)
{
    weft__row_major(a->shape, a->ndim, a->strides);
    a->count = weft__count_of(a->shape, a->ndim);
    a->contiguous = true;
}

void weft__refresh(weft__array *a)
{
    a->count = weft__count_of(a->shape, a->ndim);
    a->contiguous = true;
    int64_t stride = 1;
    for (int d = a->ndim - 1; d >= 0 && a->count > 1; d--) {
        if (a->shape[d] == 1)
            continue;
        if (a->strides[d] != stride) {
            a->contiguous = false;
            return;
        }
        stride *= a->shape[d];
    }
}

bool weft__broadcast(const weft__array *a, const weft__array *b, int64_t *shape, int *ndim)
{
    int n = a->ndim > b->ndim ? a->ndim : b->ndim;
    for (int d = 0; d < n; d++) {
        int da = d - (n - a->ndim), db = d - (n - b->ndim);
        int64_t sa = da < 0 ? 1 : a->shape[da], sb = db < 0 ? 1 : b->shape[db];
        if (sa != sb && sa != 1 && sb != 1)
            return false;
        shape[d] = sa == 1 ? sb : sa;
    }
    *ndim = n;
    return true;
}

weft__array weft__expanded(const weft__array *a, const int64_t *shape, int ndim)
{
    weft__array e;
    e.data = a->data;
    e.dtype = a->dtype;
    e.ndim = ndim;
    for (int d = 0; d < ndim; d++) {
        int from = d - (ndim - a->ndim);
        e.shape[d] = shape[d];
        e.strides[d] = from < 0 || (a->shape[from] == 1 && shape[d] != 1) ? 0 : a->strides[from];
    }
    weft__refresh(&e);
    return e;
}

int weft__dim(weft_ctx *ctx, int op, const weft_tensor *t, int64_t dim)
{
    int ndim = t->a.ndim;
    if (dim >= -ndim && dim < ndim)
        return (int)(dim < 0 ? dim + ndim : dim);
    weft__fail(ctx, op, WEFT_E_INVALID, "dim %lld is out of range for %s, which has %d dims; use %d to %d",
               (long long)dim, weft__describe(t).s, ndim, -ndim, ndim - 1);
    return -1;
}

int weft__dim_mask(weft_ctx *ctx, int op, const weft_tensor *t, const int64_t *dims, int n)
{
    if (n == -1 && !dims)
        return (1 << t->a.ndim) - 1;
    if (n < 0 || (n > 0 && !dims)) {
        weft__fail(ctx, op, WEFT_E_INVALID, "a list of %d dims at %s is not valid; pass WEFT_ALL or WEFT_DIMS(...)", n,
                   dims ? "an address" : "NULL");
        return -1;
    }
    int mask = 0;
    for (int k = 0; k < n; k++) {
        int d = weft__dim(ctx, op, t, dims[k]);
        if (d < 0)
            return -1;
        if (mask >> d & 1) {
            weft__fail(ctx, op, WEFT_E_INVALID, "dim %lld of %s is listed twice; name each dim once",
                       (long long)dims[k], weft__describe(t).s);
            return -1;
        }
        mask |= 1 << d;
    }
    return mask;
}
