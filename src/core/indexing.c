/* indexing.c - front ends of gather, scatter_add, index_select, index_add, embedding. */
#include <string.h>
#include "core.h"

static weft_tensor *run(weft_ctx *ctx, int op, weft_tensor *const *in, int n, const int64_t *shape, int ndim,
                        int64_t dim)
{
    weft_tensor *y = weft__new(ctx, op, (weft_dtype)in[0]->a.dtype, shape, ndim);
    if (!y)
        return NULL;
    weft__attrs attrs;
    attrs.ni = 1;
    attrs.nf = 0;
    attrs.i[0] = dim;
    weft__call call = {.op = op, .ctx = ctx, .in = in, .n_in = n, .out = {y}, .n_out = 1, .attrs = &attrs};
    return weft__run(&call);
}

/* x and src in one dtype that adds up. */
static bool promote_sum(weft_ctx *ctx, int op, weft_tensor **x, weft_tensor **src)
{
    weft_dtype dtype = weft_promote((weft_dtype)(*x)->a.dtype, (weft_dtype)(*src)->a.dtype);
    if (dtype == WEFT_BOOL)
        return weft__fail(ctx, op, WEFT_E_DTYPE, "bool does not add up; use weft_cast"), false;
    *x = weft_cast(*x, dtype);
    *src = weft_cast(*src, dtype);
    return *x && *src;
}

/* index has x's rank and is no larger than x in the other dims. */
static bool index_fits(weft_ctx *ctx, int op, weft_tensor *x, weft_tensor *index, int d)
{
    bool fits = index->a.ndim == x->a.ndim;
    for (int k = 0; fits && k < x->a.ndim; k++)
        fits = k == d || index->a.shape[k] <= x->a.shape[k];
    if (!fits)
        weft__fail(ctx, op, WEFT_E_SHAPE,
                   "index %s does not fit %s along dim %d: the ranks must be equal and the other sizes no larger",
                   weft__describe(index).s, weft__describe(x).s, d);
    return fits;
}

static bool prepare(weft_ctx *ctx, int op, weft_tensor **in, int n, int64_t dim, int *d)
{
    return weft__localise(ctx, in, n) && weft__need_rank(ctx, op, "x", in[0], 1, WEFT__MAX_DIMS) &&
           (*d = weft__dim(ctx, op, in[0], dim)) >= 0 && weft__need_index(ctx, op, "index", in[1]);
}

weft_tensor *weft_gather(weft_tensor *x, weft_tensor *index, int64_t dim)
{
    weft_tensor *in[] = {x, index}, *y = NULL;
    weft_ctx *ctx = weft__enter(WEFT_OP_GATHER, in, 2, 0);
    int d;
    if (!ctx)
        return NULL;
    if (prepare(ctx, WEFT_OP_GATHER, in, 2, dim, &d) && index_fits(ctx, WEFT_OP_GATHER, in[0], in[1], d))
        y = run(ctx, WEFT_OP_GATHER, in, 2, in[1]->a.shape, in[1]->a.ndim, d);
    return weft__leave_with(ctx, y);
}

weft_tensor *weft_scatter_add(weft_tensor *x, weft_tensor *index, weft_tensor *src, int64_t dim)
{
    enum { OP = WEFT_OP_SCATTER_ADD };
    weft_tensor *in[] = {x, index, src}, *y = NULL;
    weft_ctx *ctx = weft__enter(OP, in, 3, 0);
    int d;
    if (!ctx)
        return NULL;
    if (prepare(ctx, OP, in, 3, dim, &d) && index_fits(ctx, OP, in[0], in[1], d)) {
        if (!weft__same_shape(&in[1]->a, &in[2]->a))
            weft__fail(ctx, OP, WEFT_E_SHAPE, "index %s and src %s must have one shape", weft__describe(in[1]).s,
                       weft__describe(in[2]).s);
        else if (promote_sum(ctx, OP, &in[0], &in[2]))
            y = run(ctx, OP, in, 3, in[0]->a.shape, in[0]->a.ndim, d);
    }
    return weft__leave_with(ctx, y);
}

weft_tensor *weft_index_select(weft_tensor *x, weft_tensor *index, int64_t dim)
{
    enum { OP = WEFT_OP_INDEX_SELECT };
    weft_tensor *in[] = {x, index}, *y = NULL;
    weft_ctx *ctx = weft__enter(OP, in, 2, 0);
    int d;
    if (!ctx)
        return NULL;
    if (prepare(ctx, OP, in, 2, dim, &d) && weft__need_rank(ctx, OP, "index", in[1], 1, 1)) {
        int64_t shape[WEFT__MAX_DIMS];
        memcpy(shape, in[0]->a.shape, sizeof shape);
        shape[d] = in[1]->a.count;
        y = run(ctx, OP, in, 2, shape, in[0]->a.ndim, d);
    }
    return weft__leave_with(ctx, y);
}

weft_tensor *weft_index_add(weft_tensor *x, weft_tensor *index, weft_tensor *src, int64_t dim)
{
    enum { OP = WEFT_OP_INDEX_ADD };
    weft_tensor *in[] = {x, index, src}, *y = NULL;
    weft_ctx *ctx = weft__enter(OP, in, 3, 0);
    int d;
    if (!ctx)
        return NULL;
    if (prepare(ctx, OP, in, 3, dim, &d) && weft__need_rank(ctx, OP, "index", in[1], 1, 1)) {
        weft__array expected = in[0]->a;
        expected.shape[d] = in[1]->a.count;
        if (!weft__same_shape(&expected, &in[2]->a))
            weft__fail(ctx, OP, WEFT_E_SHAPE, "src is %s, but %s with an index of %lld along dim %d needs %s",
                       weft__describe(in[2]).s, weft__describe(in[0]).s, (long long)in[1]->a.count, d,
                       weft__shape_text(expected.shape, expected.ndim).s);
        else if (promote_sum(ctx, OP, &in[0], &in[2]))
            y = run(ctx, OP, in, 3, in[0]->a.shape, in[0]->a.ndim, d);
    }
    return weft__leave_with(ctx, y);
}

weft_tensor *weft_embedding(weft_tensor *weight, weft_tensor *index)
{
    enum { OP = WEFT_OP_EMBEDDING };
    weft_tensor *in[] = {weight, index}, *y = NULL;
    weft_ctx *ctx = weft__enter(OP, in, 2, 0);
    if (!ctx)
        return NULL;
    if (weft__localise(ctx, in, 2) && weft__need_rank(ctx, OP, "weight", in[0], 2, 2) &&
        weft__need_index(ctx, OP, "index", in[1]) && weft__need_rank(ctx, OP, "index", in[1], 0, WEFT__MAX_DIMS - 1)) {
        int64_t shape[WEFT__MAX_DIMS];
        memcpy(shape, in[1]->a.shape, sizeof shape);
        shape[in[1]->a.ndim] = in[0]->a.shape[1];
        y = run(ctx, OP, in, 2, shape, in[1]->a.ndim + 1, 0);
    }
    return weft__leave_with(ctx, y);
}
