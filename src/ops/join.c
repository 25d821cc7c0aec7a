/* join.c - concat, pad, flip. */
#include <string.h>
#include "define.h"

#define MOVES WORK(weft__terms_one, weft__flops_each, weft__bytes_once)

static bool infer_concat(weft__infer *q)
{
    int64_t *dim = &q->attrs->along.dim;
    if (!weft__has_rank(q, 0, 1, WEFT__MAX_DIMS) || !weft__resolve_dim(q, 0, dim))
        return false;
    weft__set_like(q, 0, 0);
    int64_t *sum = &q->out[0].shape[*dim];
    *sum = 0;
    for (int k = 0; k < q->n_in; k++) {
        weft__array like = *q->in[0];
        if (q->in[k]->ndim > *dim)
            like.shape[*dim] = q->in[k]->shape[*dim];
        if (!weft__same_shape(&like, q->in[k]) || __builtin_add_overflow(*sum, q->in[k]->shape[*dim], sum))
            return weft__refuse(q, WEFT_E_SHAPE, "operand %d is %s, operand 0 is %s; all sizes but dim %lld must agree",
                                k, weft__operand_text(q, k).s, weft__operand_text(q, 0).s, (long long)*dim);
    }
    return true;
}

static bool infer_pad(weft__infer *q)
{
    const weft__pad_attrs *a = &q->attrs->pad;
    weft__infer_like(q);
    for (int d = 0; d < q->in[0]->ndim; d++) {
        int64_t *size = &q->out[0].shape[d];
        const bool negative = a->before[d] < 0 || a->after[d] < 0;
        if (negative || __builtin_add_overflow(*size, a->before[d], size) ||
            __builtin_add_overflow(*size, a->after[d], size))
            return weft__refuse(q, WEFT_E_SHAPE, "dim %d of %s cannot have %lld elements before and %lld after it; %s",
                                d, weft__operand_text(q, 0).s, (long long)a->before[d], (long long)a->after[d],
                                negative ? "they must be >= 0 (weft_slice takes away)" : "the sum is beyond 64 bits");
    }
    return true;
}

/* tensors...; i: dim */
CALL(concat)
{
    c->out[0] = weft_concat(c->in, c->n_in, c->i[0]);
}

/* i: before..., after...; f: value */
CALL(pad)
{
    const int ndim = c->ni / 2;
    c->out[0] = weft_pad(c->in[0], c->i, c->i + ndim, ndim, c->f[0]);
}

/* i: dims...; none: all */
CALL(flip)
{
    c->out[0] = weft_flip(c->in[0], DIMS_OF(c, 0));
}

WEFT__DEFINE(CONCAT, concat, LIST_OF(ANY_DTYPE | STRIDED), ATTRS(along), INFER(infer_concat, JOIN), RESULTS(1, EXACT),
             EFFECT(PURE),
             DERIVATIVE(weft__vjp_concat, ROUNDS_ONCE, READS(NOTHING), NO_KERNEL,
                        GRADIENT("of each operand its slice of g")),
             MOVES, SAMPLE(call_concat, RECIPE("xab xab", "1"), RECIPE("xab xa5 xa1", "-1")))
WEFT__DEFINE(PAD, pad, OPERANDS(ANY_DTYPE | STRIDED), ATTRS(pad), INFER(infer_pad, AS_GIVEN), RESULTS(1, ELEMENTWISE),
             EFFECT(PURE),
             DERIVATIVE(weft__vjp_pad, ROUNDS_ONCE, READS(NOTHING), NO_KERNEL, GRADIENT("the inner part of g")), MOVES,
             SAMPLE(call_pad, RECIPE("xab", "1 0 0 2; 0.5")))
WEFT__DEFINE(FLIP, flip, OPERANDS(ANY_DTYPE | STRIDED), ATTRS(flip), INFER(weft__infer_like, AS_GIVEN),
             RESULTS(1, EXACT), EFFECT(PURE),
             DERIVATIVE(weft__vjp_flip, ROUNDS_ONCE, READS(NOTHING), NO_KERNEL, GRADIENT("g, flipped back")), MOVES,
             SAMPLE(call_flip, RECIPE("xab", "1"), RECIPE("xab", "0 1")))

/* ---- Front ends ---- */

weft_tensor *weft_concat(weft_tensor *const *tensors, int n, int64_t dim)
{
    if (!tensors || n < 1)
        return weft__note_lost("concat", WEFT_E_INVALID, tensors ? "was given no tensors" : "was given NULL"), NULL;
    unsigned flags;
    weft_ctx *ctx = weft__enter_op(WEFT_OP_CONCAT, tensors, n, &flags);
    if (!ctx)
        return NULL;
    const size_t bytes = sizeof(weft_tensor *) * (size_t)n;
    weft_tensor **in = weft__host_alloc(ctx, bytes), *y = NULL, *out[1];
    weft__attrs attrs;
    attrs.along.dim = dim;
    if (!in) {
        weft__fail(ctx, WEFT_OP_CONCAT, WEFT_E_NOMEM, "out of memory for %d operands", n);
    } else {
        memcpy(in, tensors, bytes);
        if ((!(flags & WEFT__IS_SHARED) || weft__localise(ctx, in, n)) &&
            weft__complete(ctx, WEFT_OP_CONCAT, in, n, &attrs, out))
            y = out[0];
        weft__host_free(ctx, in, bytes);
    }
    return weft__leave_with(ctx, y);
}

weft_tensor *weft_pad(weft_tensor *x, const int64_t *before, const int64_t *after, int ndim, double value)
{
    enum { OP = WEFT_OP_PAD };
    weft_tensor *y = NULL, *out[1];
    weft_ctx *ctx = weft__begin(OP, &x, 1);
    if (!ctx)
        return NULL;
    if (ndim != x->a.ndim || (ndim > 0 && (!before || !after))) {
        weft__fail(
            ctx, OP, WEFT_E_SHAPE, "%s needs before and after with %d sizes each; %d were given, before %s, after %s",
            weft__describe(x).s, x->a.ndim, ndim, before ? "at an address" : "NULL", after ? "at an address" : "NULL");
    } else {
        weft__attrs attrs = {.pad = {.value = value}};
        for (int d = 0; d < ndim; d++) {
            attrs.pad.before[d] = before[d];
            attrs.pad.after[d] = after[d];
        }
        y = weft__complete(ctx, OP, &x, 1, &attrs, out) ? out[0] : NULL;
    }
    return weft__leave_with(ctx, y);
}

weft_tensor *weft_flip(weft_tensor *x, const int64_t *dims, int ndim)
{
    weft_tensor *y = NULL, *out[1];
    weft_ctx *ctx = weft__begin(WEFT_OP_FLIP, &x, 1);
    if (!ctx)
        return NULL;
    const int mask = weft__dim_mask(ctx, WEFT_OP_FLIP, x, dims, ndim);
    weft__attrs attrs = {.flip = {.dims = mask}};
    if (mask >= 0)
        y = weft__complete(ctx, WEFT_OP_FLIP, &x, 1, &attrs, out) ? out[0] : NULL;
    return weft__leave_with(ctx, y);
}

/* ---- Derivatives ---- */

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
