/* view.c - VIEW rows: new strides over the same storage. */
#include <string.h>
#include "core.h"

/* A view is recorded like any operation, without a kernel. */
static weft_tensor *finish(weft_ctx *ctx, int op, weft_tensor *x, const weft__array *a, weft__attrs *attrs)
{
    weft_tensor *y = weft__new_on(ctx, op, a, x->storage);
    if (y) {
        weft__call call = {.op = op, .ctx = ctx, .in = &x, .n_in = 1, .out = {y}, .n_out = 1, .attrs = attrs};
        if (!weft__record(&call))
            y = NULL;
    }
    return y;
}

/* A shape argument with at most one -1; resolves it. */
static bool resolve_shape(weft_ctx *ctx, weft_tensor *x, const int64_t *shape, int ndim, int64_t *resolved)
{
    int64_t known = 1, wanted = x->a.count;
    int unknown = -1;
    bool fine = ndim >= 0 && ndim <= WEFT__MAX_DIMS && (ndim == 0 || shape);
    for (int d = 0; fine && d < ndim; d++) {
        resolved[d] = shape[d];
        if (shape[d] == -1 && unknown < 0)
            unknown = d;
        else if (shape[d] < 0 || __builtin_mul_overflow(known, shape[d], &known))
            fine = false;
    }
    if (fine && unknown >= 0) {
        fine = known > 0 && wanted % known == 0;
        if (fine)
            resolved[unknown] = wanted / known;
    } else if (fine) {
        fine = known == wanted;
    }
    if (!fine && unknown >= 0 && known == 0 && wanted == 0)
        weft__fail(ctx, WEFT_OP_RESHAPE, WEFT_E_SHAPE,
                   "%s has no elements, so the -1 in %s could be any size; write the size that is meant",
                   weft__describe(x).s, weft__shape_text(shape, ndim).s);
    else if (!fine)
        weft__fail(ctx, WEFT_OP_RESHAPE, WEFT_E_SHAPE,
                   "%s (%lld elements) does not fit shape %s; sizes must multiply to the same count, one may be -1",
                   weft__describe(x).s, (long long)wanted,
                   ndim >= 0 && ndim <= WEFT__MAX_DIMS && shape ? weft__shape_text(shape, ndim).s
                                                                : "with too many dims");
    return fine;
}

/* Strides for the new shape over the old memory, group by group of dims with equal products; false: a copy is
 * needed. */
static bool restride(const weft__array *x, weft__array *y)
{
    int64_t old_shape[WEFT__MAX_DIMS], old_strides[WEFT__MAX_DIMS];
    int n = 0;
    for (int d = 0; d < x->ndim; d++) {
        if (x->shape[d] == 1)
            continue;
        old_shape[n] = x->shape[d];
        old_strides[n++] = x->strides[d];
    }
    int from = 0, to = 0;
    while (from < n && to < y->ndim) {
        int64_t old_size = old_shape[from], new_size = y->shape[to];
        int from_end = from + 1, to_end = to + 1;
        while (old_size != new_size) {
            if (new_size < old_size)
                new_size *= y->shape[to_end++];
            else
                old_size *= old_shape[from_end++];
        }
        for (int d = from; d + 1 < from_end; d++)
            if (old_strides[d] != old_strides[d + 1] * old_shape[d + 1])
                return false;
        y->strides[to_end - 1] = old_strides[from_end - 1];
        for (int d = to_end - 1; d > to; d--)
            y->strides[d - 1] = y->strides[d] * y->shape[d];
        from = from_end;
        to = to_end;
    }
    int64_t last = to > 0 ? y->strides[to - 1] : 1;
    for (; to < y->ndim; to++)
        y->strides[to] = last;
    return true;
}

weft_tensor *weft_reshape(weft_tensor *x, const int64_t *shape, int ndim)
{
    weft_ctx *ctx = weft__enter(WEFT_OP_RESHAPE, &x, 1, 0);
    if (!ctx)
        return NULL;
    weft__array a = x->a;
    weft__attrs attrs;
    attrs.nf = 0;
    if (!resolve_shape(ctx, x, shape, ndim, a.shape))
        return weft__leave_with(ctx, NULL);
    a.ndim = ndim;
    if (x->a.contiguous || x->a.count == 0) {
        weft__set_contiguous(&a);
    } else if (restride(&x->a, &a)) {
        weft__refresh(&a);
    } else {
        x = weft_contiguous(x);
        if (!x)
            return weft__leave_with(ctx, NULL);
        a.data = x->a.data;
        weft__set_contiguous(&a);
    }
    attrs.ni = ndim;
    memcpy(attrs.i, a.shape, sizeof a.shape[0] * (size_t)ndim);
    return weft__leave_with(ctx, finish(ctx, WEFT_OP_RESHAPE, x, &a, &attrs));
}

weft_tensor *weft_transpose(weft_tensor *x, int64_t dim0, int64_t dim1)
{
    weft_ctx *ctx = weft__enter(WEFT_OP_TRANSPOSE, &x, 1, 0);
    if (!ctx)
        return NULL;
    int d0 = weft__dim(ctx, WEFT_OP_TRANSPOSE, x, dim0);
    int d1 = d0 < 0 ? -1 : weft__dim(ctx, WEFT_OP_TRANSPOSE, x, dim1);
    if (d1 < 0)
        return weft__leave_with(ctx, NULL);
    weft__array a = x->a;
    a.shape[d0] = x->a.shape[d1];
    a.shape[d1] = x->a.shape[d0];
    a.strides[d0] = x->a.strides[d1];
    a.strides[d1] = x->a.strides[d0];
    weft__refresh(&a);
    weft__attrs attrs;
    attrs.ni = 2;
    attrs.nf = 0;
    attrs.i[0] = d0;
    attrs.i[1] = d1;
    return weft__leave_with(ctx, finish(ctx, WEFT_OP_TRANSPOSE, x, &a, &attrs));
}

weft_tensor *weft_permute(weft_tensor *x, const int64_t *dims, int ndim)
{
    weft_ctx *ctx = weft__enter(WEFT_OP_PERMUTE, &x, 1, 0);
    if (!ctx)
        return NULL;
    if (ndim != x->a.ndim) {
        weft__fail(ctx, WEFT_OP_PERMUTE, WEFT_E_SHAPE, "%d dims are listed for %s, which has %d; list each once", ndim,
                   weft__describe(x).s, x->a.ndim);
        return weft__leave_with(ctx, NULL);
    }
    if (ndim > 0 && weft__dim_mask(ctx, WEFT_OP_PERMUTE, x, dims, ndim) < 0)
        return weft__leave_with(ctx, NULL);
    weft__array a = x->a;
    weft__attrs attrs;
    attrs.ni = ndim;
    attrs.nf = 0;
    for (int d = 0; d < ndim; d++) {
        int from = (int)(dims[d] < 0 ? dims[d] + ndim : dims[d]);
        a.shape[d] = x->a.shape[from];
        a.strides[d] = x->a.strides[from];
        attrs.i[d] = from;
    }
    weft__refresh(&a);
    return weft__leave_with(ctx, finish(ctx, WEFT_OP_PERMUTE, x, &a, &attrs));
}

weft_tensor *weft_expand(weft_tensor *x, const int64_t *shape, int ndim)
{
    weft_ctx *ctx = weft__enter(WEFT_OP_EXPAND, &x, 1, 0);
    if (!ctx)
        return NULL;
    int64_t resolved[WEFT__MAX_DIMS];
    bool fits = ndim >= x->a.ndim && ndim <= WEFT__MAX_DIMS && (ndim == 0 || shape);
    for (int d = 0; fits && d < ndim; d++) {
        int from = d - (ndim - x->a.ndim);
        int64_t size = from < 0 ? 1 : x->a.shape[from];
        resolved[d] = shape[d] == -1 && from >= 0 ? size : shape[d];
        fits = resolved[d] >= 0 && (size == resolved[d] || size == 1);
    }
    if (!fits) {
        weft__fail(ctx, WEFT_OP_EXPAND, WEFT_E_SHAPE,
                   "%s does not expand to %s; only dims of size 1 grow, and new dims come in front",
                   weft__describe(x).s,
                   ndim >= 0 && ndim <= WEFT__MAX_DIMS && shape ? weft__shape_text(shape, ndim).s : "that many dims");
        return weft__leave_with(ctx, NULL);
    }
    weft__array a = weft__expanded(&x->a, resolved, ndim);
    weft__attrs attrs;
    attrs.ni = ndim;
    attrs.nf = 0;
    memcpy(attrs.i, resolved, sizeof resolved[0] * (size_t)ndim);
    return weft__leave_with(ctx, finish(ctx, WEFT_OP_EXPAND, x, &a, &attrs));
}

weft_tensor *weft_squeeze(weft_tensor *x, const int64_t *dims, int ndim)
{
    weft_ctx *ctx = weft__enter(WEFT_OP_SQUEEZE, &x, 1, 0);
    if (!ctx)
        return NULL;
    int mask = weft__dim_mask(ctx, WEFT_OP_SQUEEZE, x, dims, ndim);
    if (mask < 0)
        return weft__leave_with(ctx, NULL);
    weft__array a = x->a;
    weft__attrs attrs;
    attrs.ni = attrs.nf = a.ndim = 0;
    for (int d = 0; d < x->a.ndim; d++) {
        bool drop = (mask >> d & 1) && x->a.shape[d] == 1;
        if ((mask >> d & 1) && !drop && ndim > 0) {
            weft__fail(ctx, WEFT_OP_SQUEEZE, WEFT_E_SHAPE, "dim %d of %s has size %lld, not 1", d, weft__describe(x).s,
                       (long long)x->a.shape[d]);
            return weft__leave_with(ctx, NULL);
        }
        if (drop)
            continue;
        a.shape[a.ndim] = x->a.shape[d];
        a.strides[a.ndim++] = x->a.strides[d];
    }
    return weft__leave_with(ctx, finish(ctx, WEFT_OP_SQUEEZE, x, &a, &attrs));
}

weft_tensor *weft_unsqueeze(weft_tensor *x, int64_t dim)
{
    weft_ctx *ctx = weft__enter(WEFT_OP_UNSQUEEZE, &x, 1, 0);
    if (!ctx)
        return NULL;
    const int n = x->a.ndim;
    const int64_t at = dim < 0 ? dim + n + 1 : dim;
    if (at < 0 || at > n || n == WEFT__MAX_DIMS) {
        weft__fail(ctx, WEFT_OP_UNSQUEEZE, n == WEFT__MAX_DIMS ? WEFT_E_SHAPE : WEFT_E_INVALID,
                   "cannot insert dim %lld into %s; %d to %d are possible, and at most %d dims", (long long)dim,
                   weft__describe(x).s, -n - 1, n, WEFT__MAX_DIMS);
        return weft__leave_with(ctx, NULL);
    }
    weft__array a = x->a;
    a.ndim = n + 1;
    for (int d = n; d > at; d--) {
        a.shape[d] = x->a.shape[d - 1];
        a.strides[d] = x->a.strides[d - 1];
    }
    a.shape[at] = 1;
    a.strides[at] = at < n ? x->a.strides[at] * x->a.shape[at] : 1;
    weft__attrs attrs;
    attrs.ni = 1;
    attrs.nf = 0;
    attrs.i[0] = at;
    return weft__leave_with(ctx, finish(ctx, WEFT_OP_UNSQUEEZE, x, &a, &attrs));
}

/* Moves the data pointer by elements along a dim; empty arrays stay where they are. */
static void advance(weft__array *a, int64_t elements)
{
    if (a->data && elements)
        a->data = (char *)a->data + elements * (int64_t)weft_dtype_size((weft_dtype)a->dtype);
}

static int64_t clip(int64_t at, int64_t size)
{
    if (at < 0)
        at += size;
    return at < 0 ? 0 : at > size ? size : at;
}

weft_tensor *weft_slice(weft_tensor *x, int64_t dim, int64_t start, int64_t stop, int64_t step)
{
    weft_ctx *ctx = weft__enter(WEFT_OP_SLICE, &x, 1, 0);
    if (!ctx)
        return NULL;
    int d = weft__dim(ctx, WEFT_OP_SLICE, x, dim);
    if (d >= 0 && step < 1)
        d = (weft__fail(ctx, WEFT_OP_SLICE, WEFT_E_INVALID,
                        "step is %lld for %s, but must be at least 1; weft_flip reverses", (long long)step,
                        weft__describe(x).s),
             -1);
    if (d < 0)
        return weft__leave_with(ctx, NULL);
    weft__array a = x->a;
    int64_t from = clip(start, a.shape[d]), to = clip(stop, a.shape[d]);
    a.shape[d] = to > from ? (to - from - 1) / step + 1 : 0;
    if (a.shape[d] > 0)
        advance(&a, from * a.strides[d]);
    if (a.shape[d] > 1)
        a.strides[d] *= step;
    weft__refresh(&a);
    weft__attrs attrs;
    attrs.ni = 4;
    attrs.nf = 0;
    attrs.i[0] = d;
    attrs.i[1] = from;
    attrs.i[2] = to;
    attrs.i[3] = step;
    return weft__leave_with(ctx, finish(ctx, WEFT_OP_SLICE, x, &a, &attrs));
}

weft_tensor *weft_select(weft_tensor *x, int64_t dim, int64_t index)
{
    weft_ctx *ctx = weft__enter(WEFT_OP_SELECT, &x, 1, 0);
    if (!ctx)
        return NULL;
    int d = weft__dim(ctx, WEFT_OP_SELECT, x, dim);
    if (d < 0)
        return weft__leave_with(ctx, NULL);
    int64_t size = x->a.shape[d], at = index < 0 ? index + size : index;
    if (at < 0 || at >= size) {
        weft__fail(ctx, WEFT_OP_SELECT, WEFT_E_INVALID, "index %lld is outside dim %d of %s; use %lld to %lld",
                   (long long)index, d, weft__describe(x).s, (long long)-size, (long long)size - 1);
        return weft__leave_with(ctx, NULL);
    }
    weft__array a = x->a;
    advance(&a, at * a.strides[d]);
    a.ndim--;
    for (int k = d; k < a.ndim; k++) {
        a.shape[k] = x->a.shape[k + 1];
        a.strides[k] = x->a.strides[k + 1];
    }
    weft__refresh(&a);
    weft__attrs attrs;
    attrs.ni = 2;
    attrs.nf = 0;
    attrs.i[0] = d;
    attrs.i[1] = at;
    return weft__leave_with(ctx, finish(ctx, WEFT_OP_SELECT, x, &a, &attrs));
}

weft_tensor *weft_detach(weft_tensor *x)
{
    weft_ctx *ctx = weft__enter(WEFT_OP_DETACH, &x, 1, 0);
    if (!ctx)
        return NULL;
    weft__attrs attrs;
    attrs.ni = attrs.nf = 0;
    return weft__leave_with(ctx, finish(ctx, WEFT_OP_DETACH, x, &x->a, &attrs));
}
