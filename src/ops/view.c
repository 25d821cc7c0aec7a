/* view.c - VIEW rows: new strides over the same memory; and flatten. */
#include <string.h>
#include "define.h"

/* ---- Records: infer gives the whole array, strides and first element included ---- */

/* out[0] as operand 0, to be changed. */
static weft__array *view_of(weft__infer *q)
{
    q->out[0] = *q->in[0];
    return &q->out[0];
}

/* The shape that is asked for, with at most one -1, resolved. */
static bool resolve_shape(weft__infer *q)
{
    int64_t *sizes = q->attrs->shape.sizes, known = 1;
    const int64_t wanted = q->in[0]->count;
    const int ndim = q->attrs->ni;
    int unknown = -1;
    bool fine = true;
    for (int d = 0; fine && d < ndim; d++) {
        if (sizes[d] == -1 && unknown < 0)
            unknown = d;
        else
            fine = sizes[d] >= 0 && !__builtin_mul_overflow(known, sizes[d], &known);
    }
    if (fine && unknown >= 0) {
        fine = known > 0 && wanted % known == 0;
        if (fine)
            sizes[unknown] = wanted / known;
    } else if (fine) {
        fine = known == wanted;
    }
    if (fine)
        return true;
    if (unknown >= 0 && known == 0 && wanted == 0)
        return weft__refuse(q, WEFT_E_SHAPE,
                            "%s has no elements, so the -1 in %s could be any size; write the size that is meant",
                            weft__operand_text(q, 0).s, weft__shape_text(sizes, ndim).s);
    return weft__refuse(
        q, WEFT_E_SHAPE,
        "%s (%lld elements) does not fit shape %s; sizes must multiply to the same count, one may be -1",
        weft__operand_text(q, 0).s, (long long)wanted, weft__shape_text(sizes, ndim).s);
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

static bool infer_reshape(weft__infer *q)
{
    const weft__array *x = q->in[0];
    if (!resolve_shape(q))
        return false;
    weft__array *y = view_of(q);
    y->ndim = q->attrs->ni;
    memcpy(y->shape, q->attrs->shape.sizes, sizeof y->shape[0] * (size_t)y->ndim);
    if (!x->contiguous && x->count > 0 && restride(x, y)) {
        weft__refresh(y);
        return true;
    }
    q->copies = !x->contiguous && x->count > 0;
    weft__set_contiguous(y);
    return true;
}

static bool infer_transpose(weft__infer *q)
{
    weft__transpose_attrs *a = &q->attrs->transpose;
    const weft__array *x = q->in[0];
    if (!weft__resolve_dim(q, 0, &a->dim0) || !weft__resolve_dim(q, 0, &a->dim1))
        return false;
    weft__array *y = view_of(q);
    y->shape[a->dim0] = x->shape[a->dim1];
    y->shape[a->dim1] = x->shape[a->dim0];
    y->strides[a->dim0] = x->strides[a->dim1];
    y->strides[a->dim1] = x->strides[a->dim0];
    weft__refresh(y);
    return true;
}

/* sizes[] are dims here, each once. */
static bool infer_permute(weft__infer *q)
{
    int64_t *dims = q->attrs->shape.sizes;
    const weft__array *x = q->in[0];
    weft__array *y = view_of(q);
    for (int d = 0; d < x->ndim; d++) {
        if (!weft__resolve_dim(q, 0, &dims[d]))
            return false;
        y->shape[d] = x->shape[dims[d]];
        y->strides[d] = x->strides[dims[d]];
    }
    weft__refresh(y);
    return true;
}

static bool infer_expand(weft__infer *q)
{
    const weft__array *x = q->in[0];
    int64_t *sizes = q->attrs->shape.sizes, resolved[WEFT__MAX_DIMS];
    const int ndim = q->attrs->ni;
    bool fits = ndim >= x->ndim;
    for (int d = 0; fits && d < ndim; d++) {
        const int from = d - (ndim - x->ndim);
        const int64_t size = from < 0 ? 1 : x->shape[from];
        resolved[d] = sizes[d] == -1 && from >= 0 ? size : sizes[d];
        fits = resolved[d] >= 0 && (size == resolved[d] || size == 1);
    }
    if (!fits)
        return weft__refuse(q, WEFT_E_SHAPE,
                            "%s does not expand to %s; only dims of size 1 grow, and new dims come in front",
                            weft__operand_text(q, 0).s, weft__shape_text(sizes, ndim).s);
    memcpy(sizes, resolved, sizeof *sizes * (size_t)ndim);
    q->out[0] = weft__expanded(x, sizes, ndim);
    return true;
}

/* Dims of the mask that have size 1; others are an error only where they were listed. */
static bool infer_squeeze(weft__infer *q)
{
    const weft__squeeze_attrs *a = &q->attrs->squeeze;
    const weft__array *x = q->in[0];
    weft__array *y = view_of(q);
    y->ndim = 0;
    for (int d = 0; d < x->ndim; d++) {
        const bool named = a->dims >> d & 1;
        if (named && a->listed && x->shape[d] != 1)
            return weft__refuse(q, WEFT_E_SHAPE, "dim %d of %s has size %lld, not 1", d, weft__operand_text(q, 0).s,
                                (long long)x->shape[d]);
        if (named && x->shape[d] == 1)
            continue;
        y->shape[y->ndim] = x->shape[d];
        y->strides[y->ndim++] = x->strides[d];
    }
    return true;
}

static bool infer_unsqueeze(weft__infer *q)
{
    const weft__array *x = q->in[0];
    const int n = x->ndim;
    const int64_t dim = q->attrs->along.dim, at = dim < 0 ? dim + n + 1 : dim;
    if (at < 0 || at > n || n == WEFT__MAX_DIMS)
        return weft__refuse(q, n == WEFT__MAX_DIMS ? WEFT_E_SHAPE : WEFT_E_INVALID,
                            "cannot insert dim %lld into %s; %d to %d are possible, and at most %d dims",
                            (long long)dim, weft__operand_text(q, 0).s, -n - 1, n, WEFT__MAX_DIMS);
    q->attrs->along.dim = at;
    weft__array *y = view_of(q);
    y->ndim = n + 1;
    for (int d = n; d > at; d--) {
        y->shape[d] = x->shape[d - 1];
        y->strides[d] = x->strides[d - 1];
    }
    y->shape[at] = 1;
    y->strides[at] = at < n ? x->strides[at] * x->shape[at] : 1;
    return true;
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

static bool infer_slice(weft__infer *q)
{
    weft__slice_attrs *a = &q->attrs->slice;
    if (!weft__resolve_dim(q, 0, &a->dim))
        return false;
    if (a->step < 1)
        return weft__refuse(q, WEFT_E_INVALID,
                            "step is %lld for %s, but must not be 0; below 0 it reverses, as weft_flip does",
                            (long long)a->step, weft__operand_text(q, 0).s);
    weft__array *y = view_of(q);
    int64_t *size = &y->shape[a->dim], *stride = &y->strides[a->dim];
    a->start = clip(a->start, *size);
    a->stop = clip(a->stop, *size);
    *size = a->stop > a->start ? (a->stop - a->start - 1) / a->step + 1 : 0;
    if (*size > 0)
        advance(y, a->start * *stride);
    if (*size > 1)
        *stride *= a->step;
    weft__refresh(y);
    return true;
}

static bool infer_select(weft__infer *q)
{
    weft__select_attrs *a = &q->attrs->select;
    if (!weft__resolve_dim(q, 0, &a->dim))
        return false;
    weft__array *y = view_of(q);
    const int64_t size = y->shape[a->dim], at = a->index < 0 ? a->index + size : a->index;
    if (at < 0 || at >= size)
        return weft__refuse(q, WEFT_E_INVALID, "index %lld is outside dim %lld of %s; use %lld to %lld",
                            (long long)a->index, (long long)a->dim, weft__operand_text(q, 0).s, (long long)-size,
                            (long long)size - 1);
    a->index = at;
    advance(y, at * y->strides[a->dim]);
    y->ndim--;
    for (int64_t d = a->dim; d < y->ndim; d++) {
        y->shape[d] = y->shape[d + 1];
        y->strides[d] = y->strides[d + 1];
    }
    weft__refresh(y);
    return true;
}

static bool infer_detach(weft__infer *q)
{
    view_of(q);
    return true;
}

/* ---- Samples ---- */

/* i: shape... */
CALL(reshape)
{
    c->out[0] = weft_reshape(c->in[0], c->i, c->ni);
}

/* i: dim0, dim1 */
CALL(transpose)
{
    c->out[0] = weft_transpose(c->in[0], c->i[0], c->i[1]);
}

/* i: dims... */
CALL(permute)
{
    c->out[0] = weft_permute(c->in[0], c->i, c->ni);
}

/* i: shape... */
CALL(expand)
{
    c->out[0] = weft_expand(c->in[0], c->i, c->ni);
}

/* i: dims...; none: all */
CALL(squeeze)
{
    c->out[0] = weft_squeeze(c->in[0], DIMS_OF(c, 0));
}

/* i: dim */
CALL(unsqueeze)
{
    c->out[0] = weft_unsqueeze(c->in[0], c->i[0]);
}

/* i: dim, start, stop, step */
CALL(slice)
{
    c->out[0] = weft_slice(c->in[0], c->i[0], c->i[1], c->i[2], c->i[3]);
}

/* i: dim, index */
CALL(select)
{
    c->out[0] = weft_select(c->in[0], c->i[0], c->i[1]);
}

CALL(detach)
{
    c->out[0] = weft_detach(c->in[0]);
}

WEFT__DEFINE_VIEW(RESHAPE, reshape, ATTRS_LIST(shape), infer_reshape, weft__vjp_reshape, GRADIENT("g in x's shape"),
                  SAMPLE(call_reshape, RECIPE("xab", "b a"), RECIPE("xab", "-1")))
WEFT__DEFINE_VIEW(TRANSPOSE, transpose, ATTRS(transpose), infer_transpose, weft__vjp_transpose,
                  GRADIENT("g with the two dims swapped back"), SAMPLE(call_transpose, RECIPE("xab", "0 1")))
WEFT__DEFINE_VIEW(PERMUTE, permute, ATTRS_LIST(shape), infer_permute, weft__vjp_permute,
                  GRADIENT("g with the dims in x's order"), SAMPLE(call_permute, RECIPE("xabcd", "2 0 3 1")))
WEFT__DEFINE_VIEW(EXPAND, expand, ATTRS_LIST(shape), infer_expand, weft__vjp_expand,
                  GRADIENT("g, summed over the dims that were repeated"),
                  SAMPLE(call_expand, RECIPE("xab", "2 a b"), RECIPE("x1b", "5 -1")))
WEFT__DEFINE_VIEW(SQUEEZE, squeeze, ATTRS(squeeze), infer_squeeze, weft__vjp_squeeze, GRADIENT("g in x's shape"),
                  SAMPLE(call_squeeze, RECIPE("xa1b", "1"), RECIPE("x1ab1", "")))
WEFT__DEFINE_VIEW(UNSQUEEZE, unsqueeze, ATTRS(along), infer_unsqueeze, weft__vjp_unsqueeze, GRADIENT("g in x's shape"),
                  SAMPLE(call_unsqueeze, RECIPE("xab", "1")))
WEFT__DEFINE_VIEW(SLICE, slice, ATTRS(slice), infer_slice, weft__vjp_slice,
                  GRADIENT("g at the places that were taken, 0 elsewhere"),
                  SAMPLE(call_slice, RECIPE("xab", "1 1 b 2")))
WEFT__DEFINE_VIEW(SELECT, select, ATTRS(select), infer_select, weft__vjp_select,
                  GRADIENT("g at the place that was taken, 0 elsewhere"), SAMPLE(call_select, RECIPE("xab", "0 1")))
WEFT__DEFINE_VIEW(DETACH, detach, NO_ATTRS, infer_detach, NULL, GRADIENT(NULL), SAMPLE(call_detach, RECIPE("xab", "")))

/* i: first, last */
CALL(flatten)
{
    c->out[0] = weft_flatten(c->in[0], c->i[0], c->i[1]);
}

WEFT__DEFINE_COMPOSITE(FLATTEN, flatten, NO_PARTS(ANY_DTYPE), GRADIENT("g in x's shape"),
                       WORK(weft__terms_one, weft__flops_none, weft__bytes_none),
                       SAMPLE(call_flatten, RECIPE("xabcd", "1 -1")))

/* ---- Front ends ---- */

/* A list of at most WEFT__MAX_DIMS sizes as attributes; false: there is no such list, which the caller says. */
static bool pack_list(weft__attrs *attrs, const int64_t *list, int n)
{
    if (n < 0 || n > WEFT__MAX_DIMS || (n > 0 && !list))
        return false;
    attrs->ni = n;
    attrs->nf = 0;
    for (int d = 0; d < n; d++)
        attrs->shape.sizes[d] = list[d];
    return true;
}

static weft_tensor *finish(weft_ctx *ctx, int op, weft_tensor *x, weft__attrs *attrs)
{
    weft_tensor *out[1];
    return weft__leave_with(ctx, weft__complete(ctx, op, &x, 1, attrs, out) ? out[0] : NULL);
}

weft_tensor *weft_reshape(weft_tensor *x, const int64_t *shape, int ndim)
{
    weft__attrs attrs;
    weft_ctx *ctx = weft__begin(WEFT_OP_RESHAPE, &x, 1);
    if (!ctx)
        return NULL;
    if (!pack_list(&attrs, shape, ndim))
        weft__fail(ctx, WEFT_OP_RESHAPE, WEFT_E_SHAPE,
                   "%s (%lld elements) does not fit shape %s; sizes must multiply to the same count, one may be -1",
                   weft__describe(x).s, (long long)x->a.count, "with too many dims");
    return finish(ctx, WEFT_OP_RESHAPE, x, &attrs);
}

weft_tensor *weft_transpose(weft_tensor *x, int64_t dim0, int64_t dim1)
{
    weft__attrs attrs;
    attrs.transpose = (weft__transpose_attrs){.dim0 = dim0, .dim1 = dim1};
    return weft__apply(WEFT_OP_TRANSPOSE, &x, 1, &attrs);
}

weft_tensor *weft_permute(weft_tensor *x, const int64_t *dims, int ndim)
{
    weft__attrs attrs;
    weft_ctx *ctx = weft__begin(WEFT_OP_PERMUTE, &x, 1);
    if (!ctx)
        return NULL;
    if (ndim != x->a.ndim)
        weft__fail(ctx, WEFT_OP_PERMUTE, WEFT_E_SHAPE, "%d dims are listed for %s, which has %d; list each once", ndim,
                   weft__describe(x).s, x->a.ndim);
    else if (weft__dim_mask(ctx, WEFT_OP_PERMUTE, x, dims, ndim) >= 0)
        pack_list(&attrs, dims, ndim);
    return finish(ctx, WEFT_OP_PERMUTE, x, &attrs);
}

weft_tensor *weft_expand(weft_tensor *x, const int64_t *shape, int ndim)
{
    weft__attrs attrs;
    weft_ctx *ctx = weft__begin(WEFT_OP_EXPAND, &x, 1);
    if (!ctx)
        return NULL;
    if (!pack_list(&attrs, shape, ndim))
        weft__fail(ctx, WEFT_OP_EXPAND, WEFT_E_SHAPE,
                   "%s does not expand to that many dims; only dims of size 1 grow, and new dims come in front",
                   weft__describe(x).s);
    return finish(ctx, WEFT_OP_EXPAND, x, &attrs);
}

weft_tensor *weft_squeeze(weft_tensor *x, const int64_t *dims, int ndim)
{
    weft__attrs attrs;
    weft_ctx *ctx = weft__begin(WEFT_OP_SQUEEZE, &x, 1);
    if (!ctx)
        return NULL;
    attrs.squeeze.dims = weft__dim_mask(ctx, WEFT_OP_SQUEEZE, x, dims, ndim);
    attrs.squeeze.listed = ndim >= 0;
    return finish(ctx, WEFT_OP_SQUEEZE, x, &attrs);
}

weft_tensor *weft_unsqueeze(weft_tensor *x, int64_t dim)
{
    weft__attrs attrs;
    attrs.along.dim = dim;
    return weft__apply(WEFT_OP_UNSQUEEZE, &x, 1, &attrs);
}

/* As clip, of an end from which one counts down: -1 is before the first element. */
static int64_t clip_down(int64_t at, int64_t size)
{
    if (at < 0)
        at += size;
    return at < 0 ? -1 : at >= size ? size - 1 : at;
}

/* A view with the step upwards, reversed. */
static weft_tensor *slice_down(weft_tensor *x, int64_t dim, int64_t start, int64_t stop, int64_t step)
{
    ENTER_COMPOSITE(SLICE, &x, 1);
    const int d = weft__dim(ctx, WEFT_OP_SLICE, x, dim);
    if (d < 0)
        return weft__leave_with(ctx, NULL);
    const int64_t up = step == INT64_MIN ? INT64_MAX : -step;
    const int64_t from = clip_down(start, x->a.shape[d]), to = clip_down(stop, x->a.shape[d]);
    const int64_t more = from > to ? (from - to - 1) / up : 0; /* elements after the first */
    weft_tensor *y = from > to ? weft_slice(x, d, from - more * up, from + 1, up) : weft_slice(x, d, 0, 0, 1);
    return weft__leave_with(ctx, weft_flip(y, WEFT_DIMS(d)));
}

weft_tensor *weft_slice(weft_tensor *x, int64_t dim, int64_t start, int64_t stop, int64_t step)
{
    if (step < 0)
        return slice_down(x, dim, start, stop, step);
    weft__attrs attrs;
    attrs.slice = (weft__slice_attrs){.dim = dim, .start = start, .stop = stop, .step = step};
    return weft__apply(WEFT_OP_SLICE, &x, 1, &attrs);
}

weft_tensor *weft_select(weft_tensor *x, int64_t dim, int64_t index)
{
    weft__attrs attrs;
    attrs.select = (weft__select_attrs){.dim = dim, .index = index};
    return weft__apply(WEFT_OP_SELECT, &x, 1, &attrs);
}

weft_tensor *weft_detach(weft_tensor *x)
{
    return weft__apply(WEFT_OP_DETACH, &x, 1, NULL);
}

weft_tensor *weft_flatten(weft_tensor *x, int64_t first_dim, int64_t last_dim)
{
    ENTER_COMPOSITE(FLATTEN, &x, 1);
    if (x->a.ndim == 0)
        return weft__leave_with(ctx, weft_reshape(x, (const int64_t[]){1}, 1));
    int first = weft__dim(ctx, WEFT_OP_FLATTEN, x, first_dim);
    int last = first < 0 ? -1 : weft__dim(ctx, WEFT_OP_FLATTEN, x, last_dim);
    if (first >= 0 && last >= 0 && first > last)
        last = (weft__fail(ctx, WEFT_OP_FLATTEN, WEFT_E_INVALID, "dim %lld comes after dim %lld", (long long)first_dim,
                           (long long)last_dim),
                -1);
    if (last < 0)
        return weft__leave_with(ctx, NULL);
    int64_t shape[WEFT__MAX_DIMS];
    int ndim = 0;
    for (int d = 0; d < x->a.ndim; d++) {
        if (d > first && d <= last)
            shape[ndim - 1] *= x->a.shape[d];
        else
            shape[ndim++] = x->a.shape[d];
    }
    return weft__leave_with(ctx, weft_reshape(x, shape, ndim));
}

/* ---- Derivatives ---- */

static void restore_shape(weft__vjp *v)
{
    v->out[0] = weft_reshape(v->g, v->in[0]->a.shape, v->in[0]->a.ndim);
}

void weft__vjp_reshape(weft__vjp *v)
{
    restore_shape(v);
}

void weft__vjp_squeeze(weft__vjp *v)
{
    restore_shape(v);
}

void weft__vjp_unsqueeze(weft__vjp *v)
{
    restore_shape(v);
}

void weft__vjp_transpose(weft__vjp *v)
{
    v->out[0] = weft_transpose(v->g, (int)v->attrs->transpose.dim0, (int)v->attrs->transpose.dim1);
}

void weft__vjp_permute(weft__vjp *v)
{
    int64_t back[WEFT__MAX_DIMS];
    int n = v->in[0]->a.ndim;
    for (int d = 0; d < n; d++)
        back[v->attrs->shape.sizes[d]] = d;
    v->out[0] = weft_permute(v->g, back, n);
}

void weft__vjp_expand(weft__vjp *v)
{
    v->out[0] = v->g; /* summed to the operand's shape by the caller */
}

void weft__vjp_slice(weft__vjp *v)
{
    const weft__slice_attrs *a = &v->attrs->slice;
    v->place = (weft__place){.dim = (int)a->dim, .from = a->start, .step = a->step};
    v->out[0] = v->g;
}

void weft__vjp_select(weft__vjp *v)
{
    v->place = (weft__place){.dim = (int)v->attrs->select.dim, .from = v->attrs->select.index, .step = 1};
    v->out[0] = weft_unsqueeze(v->g, v->place.dim);
}
