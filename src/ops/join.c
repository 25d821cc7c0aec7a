/* join.c - concat, pad, flip; stack, split, unbind. */
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

/* tensors...; i: dim */
CALL(stack)
{
    c->out[0] = weft_stack(c->in, c->n_in, c->i[0]);
}

/* Whether there is room for n results. */
static bool has_room(weft_sample_call *c, int64_t n)
{
    if (n < 0 || n > WEFT_SAMPLE_RESULTS)
        weft__fail(c->ctx, c->op, WEFT_E_UNSUPPORTED, "a call by weft_sample_run has room for %d results, not %lld",
                   WEFT_SAMPLE_RESULTS, (long long)n);
    return n >= 0 && n <= WEFT_SAMPLE_RESULTS;
}

/* i: dim, sizes... */
CALL(split)
{
    if (!has_room(c, c->ni - 1))
        return;
    c->n_out = c->n_smooth = c->ni - 1;
    if (weft_split(c->in[0], c->i[0], c->i + 1, c->ni - 1, c->out) != WEFT_OK)
        c->out[0] = NULL;
}

/* i: dim, n */
CALL(unbind)
{
    if (!has_room(c, c->i[1]))
        return;
    c->n_out = c->n_smooth = (int)c->i[1];
    if (weft_unbind(c->in[0], c->i[0], (int)c->i[1], c->out) != WEFT_OK)
        c->out[0] = NULL;
}

WEFT__DEFINE_COMPOSITE(STACK, stack, PARTS(ANY_DTYPE, PART(CONCAT, AS_ALONE)),
                       GRADIENT("of each operand its slice of g"),
                       WORK(weft__terms_one, weft__flops_each, weft__bytes_once),
                       SAMPLE(call_stack, RECIPE("xab xab", "0"), RECIPE("xab xab xab", "-1")))
WEFT__DEFINE_COMPOSITE(SPLIT, split, NO_PARTS(ANY_DTYPE), GRADIENT("the gradients of the parts, one after the other"),
                       WORK(weft__terms_one, weft__flops_none, weft__bytes_none),
                       SAMPLE(call_split, RECIPE("xab", "0 1 a-1")))
WEFT__DEFINE_COMPOSITE(UNBIND, unbind, NO_PARTS(ANY_DTYPE),
                       GRADIENT("the gradients of the slices, one after the other"),
                       WORK(weft__terms_one, weft__flops_none, weft__bytes_none),
                       SAMPLE(call_unbind, RECIPE("xa3b", "1 3")))

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

weft_tensor *weft_stack(weft_tensor *const *tensors, int n, int64_t dim)
{
    enum { FEW = 64 };
    if (!tensors || n < 1)
        return weft__note_lost("stack", WEFT_E_INVALID, tensors ? "was given no tensors" : "was given NULL"), NULL;
    weft_ctx *ctx = weft__enter(WEFT_OP_STACK, tensors, n, 0);
    if (!ctx)
        return NULL;
    weft_tensor *few[FEW], **raised = few, *y = NULL;
    if (n > FEW && !(raised = weft__host_alloc(ctx, sizeof *raised * (size_t)n))) {
        weft__fail(ctx, WEFT_OP_STACK, WEFT_E_NOMEM, "out of memory for %d operands", n);
        return weft__leave_with(ctx, NULL);
    }
    bool fine = true;
    for (int k = 0; fine && k < n; k++) {
        raised[k] = tensors[k];
        fine = weft__localise(ctx, &raised[k], 1);
        if (fine && !weft__same_shape(&tensors[k]->a, &tensors[0]->a)) {
            weft__fail(ctx, WEFT_OP_STACK, WEFT_E_SHAPE, "operand %d is %s, operand 0 is %s; shapes must be equal", k,
                       weft__describe(tensors[k]).s, weft__describe(tensors[0]).s);
            fine = false;
        }
        fine = fine && (raised[k] = weft_unsqueeze(raised[k], dim));
    }
    if (fine)
        y = weft_concat(raised, n, dim < 0 ? dim + raised[0]->a.ndim : dim);
    if (raised != few)
        weft__host_free(ctx, raised, sizeof *raised * (size_t)n);
    return weft__leave_with(ctx, y);
}

static bool sizes_fit(weft_ctx *ctx, weft_tensor *x, int d, const int64_t *sizes, int n)
{
    int64_t total = 0;
    for (int k = 0; k < n; k++) {
        if (sizes[k] < 0 || __builtin_add_overflow(total, sizes[k], &total)) {
            weft__fail(ctx, WEFT_OP_SPLIT, WEFT_E_INVALID, "size %d is %lld", k, (long long)sizes[k]);
            return false;
        }
    }
    if (total != x->a.shape[d])
        weft__fail(ctx, WEFT_OP_SPLIT, WEFT_E_SHAPE, "the %d sizes add up to %lld, but dim %d of %s has %lld", n,
                   (long long)total, d, weft__describe(x).s, (long long)x->a.shape[d]);
    return total == x->a.shape[d];
}

/* All parts, or none of them. */
static weft_status leave_with_parts(weft_ctx *ctx)
{
    const weft_status status = ctx->status;
    if (status == WEFT_OK)
        weft__leave(ctx);
    else
        (void)weft__leave_with(ctx, NULL);
    return status;
}

weft_status weft_split(weft_tensor *x, int64_t dim, const int64_t *sizes, int n, weft_tensor **out)
{
    for (int k = 0; out && k < n; k++)
        out[k] = NULL;
    weft_ctx *ctx = weft__enter(WEFT_OP_SPLIT, &x, 1, 0);
    if (!ctx)
        return x && x->ctx ? x->ctx->status : WEFT_E_NULL_ARGUMENT;
    int d = -1;
    if (!sizes || !out || n < 1)
        weft__fail(ctx, WEFT_OP_SPLIT, WEFT_E_NULL_ARGUMENT, "needs sizes and out for at least one part");
    else
        d = weft__dim(ctx, WEFT_OP_SPLIT, x, dim);
    if (d >= 0 && sizes_fit(ctx, x, d, sizes, n)) {
        int64_t at = 0;
        for (int k = 0; k < n && ctx->status == WEFT_OK; at += sizes[k++])
            out[k] = weft_slice(x, d, at, at + sizes[k], 1);
        for (int k = 0; ctx->status != WEFT_OK && k < n; k++)
            out[k] = NULL;
    }
    return leave_with_parts(ctx);
}

weft_status weft_unbind(weft_tensor *x, int64_t dim, int n, weft_tensor **out)
{
    for (int k = 0; out && k < n; k++)
        out[k] = NULL;
    weft_ctx *ctx = weft__enter(WEFT_OP_UNBIND, &x, 1, 0);
    if (!ctx)
        return x && x->ctx ? x->ctx->status : WEFT_E_NULL_ARGUMENT;
    int d = weft__dim(ctx, WEFT_OP_UNBIND, x, dim);
    if (d >= 0 && n != x->a.shape[d])
        weft__fail(ctx, WEFT_OP_UNBIND, WEFT_E_SHAPE, "n is %d, but dim %d of %s has %lld slices; out has room for n",
                   n, d, weft__describe(x).s, (long long)x->a.shape[d]);
    else if (d >= 0 && !out && n > 0)
        weft__fail(ctx, WEFT_OP_UNBIND, WEFT_E_NULL_ARGUMENT, "out is NULL; it needs room for %d tensors", n);
    for (int k = 0; k < n && ctx->status == WEFT_OK; k++)
        out[k] = weft_select(x, d, k);
    for (int k = 0; ctx->status != WEFT_OK && out && k < n; k++)
        out[k] = NULL;
    return leave_with_parts(ctx);
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
