/* topk.c - topk: the first elements in order along a dim, and where they are. */
#include <string.h>
#include "several.h"
#include "define.h"

static bool infer_topk(weft__infer *q)
{
    weft__topk_attrs *a = &q->attrs->topk;
    if (!weft__has_rank(q, 0, 1, WEFT__MAX_DIMS) || !weft__resolve_dim(q, 0, &a->dim))
        return false;
    const int64_t n = q->in[0]->shape[a->dim];
    if (a->k < 0 || a->k > n)
        return weft__refuse(q, WEFT_E_SHAPE, "k is %lld, but dim %lld of %s has %lld elements; use a k from 0 to %lld",
                            (long long)a->k, (long long)a->dim, weft__operand_text(q, 0).s, (long long)n, (long long)n);
    weft__set_like(q, 0, 0);
    q->out[0].shape[a->dim] = a->k;
    weft__set_result(q, 1, WEFT_I64, q->out[0].shape, q->out[0].ndim);
    return true;
}

void weft__vjp_topk(weft__vjp *v)
{
    weft__put_back(v, v->g, v->extra[0], v->attrs->topk.dim);
}

/* i: k, dim, largest. Results: values, indices */
CALL(topk)
{
    c->n_out = 2;
    if (weft_topk(c->in[0], c->i[0], c->i[1], c->i[2] != 0, &c->out[0], &c->out[1]) != WEFT_OK)
        c->out[0] = NULL;
}

/* Selecting among n elements looks at each; ordering what is found is little beside it. */
WEFT__DEFINE(TOPK, topk, OPERANDS(NUMBERS | AS_BYTES), ATTRS(topk), INFER(infer_topk, AS_GIVEN),
             RESULTS(1, EXACT, EXACT), EFFECT(PURE),
             DERIVATIVE(weft__vjp_topk, ROUNDS_ONCE, READS(NOTHING), NO_KERNEL,
                        GRADIENT("of the values: g at the places that they came from, 0 elsewhere; the indices have "
                                 "none")),
             WORK(weft__terms_one, weft__flops_each, weft__bytes_once),
             SAMPLE(call_topk, RECIPE("xab", "1 1 1"), RECIPE("xab5", "a-1 0 0"), RECIPE("tab", "b 1 1")))

weft_status weft_topk(weft_tensor *x, int64_t k, int64_t dim, bool largest, weft_tensor **values, weft_tensor **indices)
{
    weft_tensor *out[2], **const y[] = {values, indices};
    weft_ctx *ctx = weft__begin_several(WEFT_OP_TOPK, &x, y, 2);
    if (!ctx)
        return weft__refused(x);
    weft__attrs attrs = {.topk = {.k = k, .dim = dim, .largest = largest}};
    return weft__end_several(ctx, weft__complete_choice(ctx, WEFT_OP_TOPK, x, &attrs, out), out, y, 2);
}
