/* reduce.c - reductions: shapes and front end. */
#include "vjp.h"
#include "rows.h"

static bool chooses(int op)
{
    return op == WEFT_OP_MAX_OVER || op == WEFT_OP_MIN_OVER || op == WEFT_OP_ARGMAX || op == WEFT_OP_ARGMIN;
}

/* Integers add up in i64, and bool counts as them. */
static int32_t reduced_dtype(int op, int32_t dtype)
{
    if (weft__ops[op].result != WEFT__SAME)
        return weft__ops[op].result == WEFT__INDEX ? WEFT_I64 : WEFT_BOOL;
    const bool adds_up = op == WEFT_OP_SUM || op == WEFT_OP_PROD;
    return !weft_dtype_is_float((weft_dtype)dtype) && adds_up ? WEFT_I64 : dtype;
}

bool weft__infer_reduced(weft__infer *q)
{
    const weft__reduce_attrs *a = &q->attrs->reduce;
    const weft__array *x = q->in[0];
    weft__array *y = &q->out[0];
    int64_t reduced = 1;
    y->dtype = reduced_dtype(q->def->op, q->dtype[0]);
    y->ndim = 0;
    for (int d = 0; d < x->ndim; d++) {
        const bool goes = a->dims >> d & 1;
        if (goes)
            reduced *= x->shape[d];
        if (!goes || a->keepdim)
            y->shape[y->ndim++] = goes ? 1 : x->shape[d];
    }
    if (reduced == 0 && chooses(q->def->op) && weft__count_of(y->shape, y->ndim) > 0)
        return weft__refuse(q, WEFT_E_SHAPE, "nothing to choose from: the reduced dims of %s hold no elements",
                            weft__operand_text(q, 0).s);
    return true;
}

/* The largest truth value, found among bytes: the operand is never converted, the result is. */
static weft_tensor *over_truths(weft_ctx *ctx, int op, weft_tensor *x, weft__attrs *attrs)
{
    weft__array bytes = x->a;
    bytes.dtype = WEFT_U8;
    weft_tensor *as_bytes = weft__new_on(ctx, op, &bytes, x->storage), *out[1];
    return as_bytes && weft__complete(ctx, op, &as_bytes, 1, attrs, out) ? weft__cast(out[0], WEFT_I64) : NULL;
}

weft_tensor *weft__reduce(int op, weft_tensor *x, const int64_t *dims, int ndim, bool keepdim)
{
    weft_tensor *y = NULL, *out[1];
    weft__attrs attrs;
    weft_ctx *ctx = weft__begin(op, &x, 1);
    if (!ctx)
        return NULL;
    const int mask = weft__dim_mask(ctx, op, x, dims, ndim);
    attrs.reduce = (weft__reduce_attrs){.dims = mask, .keepdim = keepdim};
    if (mask >= 0 && x->a.dtype == WEFT_BOOL && weft__defs[op]->in[0] & WEFT__AS_BYTES)
        y = over_truths(ctx, op, x, &attrs);
    else if (mask >= 0)
        y = weft__complete(ctx, op, &x, 1, &attrs, out) ? out[0] : NULL;
    return weft__leave_with(ctx, y);
}

/* ---- Derivatives ---- */

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
