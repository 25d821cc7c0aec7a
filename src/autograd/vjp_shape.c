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
        shape[d] = v->i[WEFT__RED_MASK] >> d & 1 ? 1 : x->shape[d];
    return weft_expand(weft_reshape(t, shape, x->ndim), x->shape, x->ndim);
}

/* The reduction of t (of x's shape) over the same dims, spread again. */
static weft_tensor *sum_and_spread(const weft__vjp *v, weft_tensor *t)
{
    int64_t dims[WEFT__MAX_DIMS];
    int n = 0;
    for (int d = 0; d < v->in[0]->a.ndim; d++)
        if (v->i[WEFT__RED_MASK] >> d & 1)
            dims[n++] = d;
    return n == 0 ? t : spread(v, weft_sum(t, dims, n, true)); /* an empty list would mean all dims */
}

void weft__vjp_sum(weft__vjp *v)
{
    v->out[0] = spread(v, v->g);
}

void weft__vjp_mean(weft__vjp *v)
{
    double n = 1;
    for (int d = 0; d < v->in[0]->a.ndim; d++)
        n *= v->i[WEFT__RED_MASK] >> d & 1 ? (double)v->in[0]->a.shape[d] : 1;
    v->out[0] = spread(v, weft_mul_scalar(v->g, 1 / n));
}

/* The product of the others: y / x where no element is 0; with one zero only that element has a gradient. */
void weft__vjp_prod(weft__vjp *v)
{
    weft_tensor *x = v->in[0], *zero = weft__constant(v, 0), *one = weft__constant(v, 1);
    weft_dtype dtype = (weft_dtype)v->g->a.dtype;
    int64_t dims[WEFT__MAX_DIMS];
    int n = 0;
    for (int d = 0; d < x->a.ndim; d++)
        if (v->i[WEFT__RED_MASK] >> d & 1)
            dims[n++] = d;
    if (n == 0) {
        v->out[0] = weft_reshape(v->g, x->a.shape, x->a.ndim);
        return;
    }
    weft_tensor *is_zero = weft_eq(x, zero);
    weft_tensor *zeros = sum_and_spread(v, weft_cast(is_zero, dtype));
    weft_tensor *nonzero = weft_where(is_zero, one, x);
    weft_tensor *product = spread(v, weft_prod(nonzero, dims, n, true));
    weft_tensor *lone = weft_logical_and(is_zero, weft_eq(zeros, one));
    weft_tensor *others = weft_where(weft_eq(zeros, zero), weft_div(product, nonzero), weft_where(lone, product, zero));
    v->out[0] = weft_mul(spread(v, v->g), others);
}

/* Equal extremes share the gradient evenly. */
static void extreme(weft__vjp *v)
{
    weft_tensor *hit = weft_cast(weft_eq(v->in[0], spread(v, weft_detach(v->y))), (weft_dtype)v->g->a.dtype);
    v->out[0] = weft_mul(weft_div(hit, sum_and_spread(v, hit)), spread(v, v->g));
}

void weft__vjp_max_over(weft__vjp *v)
{
    extreme(v);
}

void weft__vjp_min_over(weft__vjp *v)
{
    extreme(v);
}

/* softmax(x) = e^(x - y); over nothing but -inf it is 0 */
void weft__vjp_logsumexp(weft__vjp *v)
{
    weft_tensor *nothing = weft_eq(v->y, weft__constant(v, -INFINITY));
    weft_tensor *y = weft_where(nothing, weft__constant(v, 0), v->y);
    v->out[0] = weft_mul(spread(v, v->g), weft_exp(weft_sub(v->in[0], spread(v, y))));
}

void weft__vjp_norm(weft__vjp *v)
{
    weft_tensor *zero = weft_eq(v->y, weft__constant(v, 0));
    weft_tensor *scale = weft_div(v->g, weft_where(zero, weft__constant(v, 1), v->y));
    v->out[0] = weft_mul(spread(v, scale), v->in[0]);
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
    v->out[0] = weft_transpose(v->g, (int)v->i[0], (int)v->i[1]);
}

void weft__vjp_permute(weft__vjp *v)
{
    int64_t back[WEFT__MAX_DIMS];
    int n = v->in[0]->a.ndim;
    for (int d = 0; d < n; d++)
        back[v->i[d]] = d;
    v->out[0] = weft_permute(v->g, back, n);
}

void weft__vjp_expand(weft__vjp *v)
{
    v->out[0] = v->g; /* summed to the operand's shape by the caller */
}

void weft__vjp_detach(weft__vjp *v)
{
    v->out[0] = NULL; /* never recorded */
}

void weft__vjp_slice(weft__vjp *v)
{
    v->place = (weft__place){.dim = (int)v->i[0], .from = v->i[1], .step = v->i[3]};
    v->out[0] = v->g;
}

void weft__vjp_select(weft__vjp *v)
{
    v->place = (weft__place){.dim = (int)v->i[0], .from = v->i[1], .step = 1};
    v->out[0] = weft_unsqueeze(v->g, v->place.dim);
}

void weft__vjp_cast(weft__vjp *v)
{
    v->out[0] = v->g; /* cast back by the caller */
}

/* ---- Joins ---- */

void weft__vjp_concat(weft__vjp *v)
{
    int d = (int)v->i[0];
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
    weft_tensor *g = v->g;
    for (int d = 0; d < v->in[0]->a.ndim; d++)
        if (v->i[d] || v->i[8 + d])
            g = weft_slice(g, d, v->i[d], v->i[d] + v->in[0]->a.shape[d], 1);
    v->out[0] = g;
}

void weft__vjp_flip(weft__vjp *v)
{
    int64_t dims[WEFT__MAX_DIMS];
    int n = 0;
    for (int d = 0; d < v->in[0]->a.ndim; d++)
        if (v->i[0] >> d & 1)
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
    v->out[0] = weft_scatter_add(zeros_for(v, 0), (int)v->i[0], v->in[1], v->g);
}

void weft__vjp_scatter_add(weft__vjp *v)
{
    v->out[0] = v->g;
    if (weft__wants(v, 2))
        v->out[2] = weft_gather(v->g, (int)v->i[0], v->in[1]);
}

void weft__vjp_index_select(weft__vjp *v)
{
    v->out[0] = weft_index_add(zeros_for(v, 0), (int)v->i[0], v->in[1], v->g);
}

void weft__vjp_index_add(weft__vjp *v)
{
    v->out[0] = v->g;
    if (weft__wants(v, 2))
        v->out[2] = weft_index_select(v->g, (int)v->i[0], v->in[1]);
}

void weft__vjp_embedding(weft__vjp *v)
{
    weft_tensor *index = weft_reshape(v->in[1], (const int64_t[]){v->in[1]->a.count}, 1);
    weft_tensor *rows = weft_reshape(v->g, (const int64_t[]){v->in[1]->a.count, v->in[0]->a.shape[1]}, 2);
    v->out[0] = weft_index_add(zeros_for(v, 0), 0, index, rows);
}
