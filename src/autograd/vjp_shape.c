/* vjp_shape.c - derivatives of reductions, views, joins and indexing. */
#include <math.h>
#include "vjp.h"

/* ---- Reductions ---- */

/* A reduced tensor under x's shape: the reduced dims come back with size 1, then repeat. */
static weft_tensor *spread(const weft__vjp *v, weft_tensor *t)
{
    const weft__array *x = &v->in[0]->a;
    int64_t shape[WEFT__MAX_DIMS];
    for (int d = 0; d < x->ndim; d++)
        shape[d] = v->attrs->reduce.dims >> d & 1 ? 1 : x->shape[d];
    return weft_expand(weft_reshape(t, shape, x->ndim), x->shape, x->ndim);
}

/* The reduced dims; returns how many. */
static int reduced_dims(const weft__vjp *v, int64_t *dims)
{
    int n = 0;
    for (int d = 0; d < v->in[0]->a.ndim; d++)
        if (v->attrs->reduce.dims >> d & 1)
            dims[n++] = d;
    return n;
}

/* How many elements each reduction took. */
static int64_t reduced_count(const weft__vjp *v)
{
    int64_t dims[WEFT__MAX_DIMS], count = 1;
    for (int k = 0, n = reduced_dims(v, dims); k < n; k++)
        count *= v->in[0]->a.shape[dims[k]];
    return count;
}

typedef weft_tensor *(*reduction)(weft_tensor *x, const int64_t *dims, int ndim, bool keepdim);

/* The reduction of t (of x's shape) over the same dims, which stay with size 1. */
static weft_tensor *reduced_again(const weft__vjp *v, weft_tensor *t, reduction reduce)
{
    int64_t dims[WEFT__MAX_DIMS];
    int n = reduced_dims(v, dims); /* none only of a tensor that has none */
    return reduce(t, dims, n, true);
}

void weft__vjp_sum(weft__vjp *v)
{
    v->out[0] = spread(v, v->g);
}

/* The mean of nothing is NaN, but depends on nothing. */
void weft__vjp_mean(weft__vjp *v)
{
    const int64_t n = reduced_count(v);
    v->out[0] = spread(v, weft_mul_scalar(v->g, n > 0 ? 1 / (double)n : 0));
}

/* x with its reduced dims joined to the last one: [rows, n]. */
static weft_tensor *as_slices(const weft__vjp *v, weft_tensor *x, int64_t *order)
{
    const int64_t n = reduced_count(v);
    int at = 0;
    for (int last = 0; last < 2; last++)
        for (int d = 0; d < x->a.ndim; d++)
            if ((v->attrs->reduce.dims >> d & 1) == last)
                order[at++] = d;
    const int64_t shape[] = {n > 0 ? x->a.count / n : 0, n};
    return weft_reshape(weft_permute(x, order, at), shape, 2);
}

/* The way back. */
static weft_tensor *from_slices(const weft__vjp *v, weft_tensor *t, const int64_t *order)
{
    const weft__array *x = &v->in[0]->a;
    int64_t shape[WEFT__MAX_DIMS], back[WEFT__MAX_DIMS];
    for (int d = 0; d < x->ndim; d++) {
        shape[d] = x->shape[order[d]];
        back[order[d]] = d;
    }
    return weft_permute(weft_reshape(t, shape, x->ndim), back, x->ndim);
}

/* Of each element of x [rows, n] the product of the others in its row, along a tree that pairs the halves of a row: a
 * node is the product of its two, and what is outside of it is its sibling times what is outside of its parent. Without
 * a division, zeros and products that overflow are no cases of their own, in derivatives of any order. */
static weft_tensor *product_of_others(weft_tensor *x)
{
    const int64_t n = x ? x->a.shape[1] : 0, half = (n + 1) / 2;
    if (n < 2)
        return x ? weft_full_like(x, 1) : NULL;
    if (n % 2)
        x = weft_pad(x, (const int64_t[]){0, 0}, (const int64_t[]){0, 1}, 2, 1);
    weft_tensor *left = weft_slice(x, 1, 0, half, 1), *right = weft_slice(x, 1, half, 2 * half, 1);
    weft_tensor *others[] = {right, left};
    if (half > 1) {
        weft_tensor *outside = product_of_others(weft_mul(left, right));
        others[0] = weft_mul(right, outside);
        others[1] = weft_mul(left, outside);
    }
    weft_tensor *joined = weft_concat(others, 2, 1);
    return n % 2 ? weft_slice(joined, 1, 0, n, 1) : joined;
}

void weft__vjp_prod(weft__vjp *v)
{
    int64_t order[WEFT__MAX_DIMS];
    weft_tensor *g = spread(v, v->g);
    if (g && g->a.count > 0 && reduced_count(v) > 1)
        g = weft_mul(g, from_slices(v, product_of_others(as_slices(v, v->in[0], order)), order));
    v->out[0] = g;
}

/* Equal extremes share the gradient evenly; where the extreme is NaN, so is the gradient. */
static void extreme(weft__vjp *v)
{
    weft_tensor *y = weft_detach(v->y), *hit = weft_eq(v->in[0], spread(v, y));
    weft_tensor *ties = reduced_again(v, weft_cast(hit, (weft_dtype)v->g->a.dtype), weft_sum);
    if (!ties)
        return;
    weft_tensor *each = weft_div(weft_reshape(v->g, ties->a.shape, ties->a.ndim), ties);
    weft_tensor *rest = weft_where(weft_isnan(y), y, weft__constant(v, 0));
    v->out[0] = weft_where(hit, spread(v, each), spread(v, rest));
}

void weft__vjp_max_over(weft__vjp *v)
{
    extreme(v);
}

void weft__vjp_min_over(weft__vjp *v)
{
    extreme(v);
}

/* The softmax over all the reduced dims, made from x: y may have rounded too far for e^(x - y). */
void weft__vjp_logsumexp(weft__vjp *v)
{
    int64_t dims[WEFT__MAX_DIMS];
    weft_tensor *x = v->in[0], *p;
    if (reduced_dims(v, dims) == 1)
        p = weft_softmax(x, (int)dims[0]);
    else {
        int64_t order[WEFT__MAX_DIMS];
        p = from_slices(v, weft_softmax(as_slices(v, x, order), 1), order);
    }
    v->out[0] = weft_mul(spread(v, v->g), p);
}

/* x / y; y of a half type may have overflowed where the norm has not. */
void weft__vjp_norm(weft__vjp *v)
{
    weft_tensor *x = v->in[0];
    const bool widened = x->a.dtype != v->node->in[0]->a.dtype;
    weft_tensor *y = widened ? reduced_again(v, x, weft_norm) : v->y;
    if (!y)
        return;
    weft_tensor *zero = weft_eq(y, weft__constant(v, 0));
    weft_tensor *g = weft_where(zero, weft__constant(v, 0), weft_reshape(v->g, y->a.shape, y->a.ndim));
    y = weft_where(zero, weft__constant(v, 1), y);
    v->out[0] = weft_mul(spread(v, g), weft_div(x, spread(v, y)));
}

/* ---- Views ---- */

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

void weft__vjp_cast(weft__vjp *v)
{
    v->out[0] = v->g; /* cast back by the caller */
}

/* ---- Joins ---- */

void weft__vjp_concat(weft__vjp *v)
{
    int d = (int)v->attrs->along.dim;
    int64_t at = 0;
    for (int k = 0; k < v->node->n_in; k++) {
        int64_t n = v->in[k]->a.shape[d];
        if (weft__wants(v, k))
            v->out[k] = weft_slice(v->g, d, at, at + n, 1);
        at += n;
    }
}

void weft__vjp_pad(weft__vjp *v)
{
    const weft__pad_attrs *a = &v->attrs->pad;
    weft_tensor *g = v->g;
    for (int d = 0; d < v->in[0]->a.ndim; d++)
        if (a->before[d] || a->after[d])
            g = weft_slice(g, d, a->before[d], a->before[d] + v->in[0]->a.shape[d], 1);
    v->out[0] = g;
}

void weft__vjp_flip(weft__vjp *v)
{
    int64_t dims[WEFT__MAX_DIMS];
    int n = 0;
    for (int d = 0; d < v->in[0]->a.ndim; d++)
        if (v->attrs->flip.dims >> d & 1)
            dims[n++] = d;
    v->out[0] = n ? weft_flip(v->g, dims, n) : v->g;
}

/* ---- Indexing ---- */

static weft_tensor *zeros_for(const weft__vjp *v, int k)
{
    const weft__array *a = &v->in[k]->a;
    return weft_zeros(v->ctx, (weft_dtype)v->g->a.dtype, a->shape, a->ndim);
}

void weft__vjp_gather(weft__vjp *v)
{
    v->out[0] = weft_scatter_add(zeros_for(v, 0), v->in[1], v->g, (int)v->attrs->along.dim);
}

void weft__vjp_scatter_add(weft__vjp *v)
{
    v->out[0] = v->g;
    if (weft__wants(v, 2))
        v->out[2] = weft_gather(v->g, v->in[1], (int)v->attrs->along.dim);
}

void weft__vjp_index_select(weft__vjp *v)
{
    v->out[0] = weft_index_add(zeros_for(v, 0), v->in[1], v->g, (int)v->attrs->along.dim);
}

void weft__vjp_index_add(weft__vjp *v)
{
    v->out[0] = v->g;
    if (weft__wants(v, 2))
        v->out[2] = weft_index_select(v->g, v->in[1], (int)v->attrs->along.dim);
}

void weft__vjp_embedding(weft__vjp *v)
{
    weft_tensor *index = weft_reshape(v->in[1], (const int64_t[]){v->in[1]->a.count}, 1);
    weft_tensor *rows = weft_reshape(v->g, (const int64_t[]){v->in[1]->a.count, v->in[0]->a.shape[1]}, 2);
    v->out[0] = weft_index_add(zeros_for(v, 0), index, rows, 0);
}
