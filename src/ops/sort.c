/* sort.c - sort: the elements along a dim in order, and where they were. */
#include "several.h"
#include "define.h"

static bool infer_sort(weft__infer *q)
{
    if (!weft__has_rank(q, 0, 1, WEFT__MAX_DIMS) || !weft__resolve_dim(q, 0, &q->attrs->sort.dim))
        return false;
    weft__set_like(q, 0, 0);
    weft__set_result(q, 1, WEFT_I64, q->out[0].shape, q->out[0].ndim);
    return true;
}

void weft__vjp_sort(weft__vjp *v)
{
    weft__put_back(v, v->g, v->extra[0], v->attrs->sort.dim);
}

/* i: dim, descending. Results: values, indices */
CALL(sort)
{
    c->n_out = 2;
    if (weft_sort(c->in[0], c->i[0], c->i[1] != 0, &c->out[0], &c->out[1]) != WEFT_OK)
        c->out[0] = NULL;
}

WEFT__DEFINE(SORT, sort, OPERANDS(NUMBERS | AS_BYTES), ATTRS(sort), INFER(infer_sort, AS_GIVEN),
             RESULTS(1, EXACT, EXACT), EFFECT(PURE),
             DERIVATIVE(weft__vjp_sort, ROUNDS_ONCE, READS(NOTHING), NO_KERNEL,
                        GRADIENT("of the values: g at the places that they came from; the indices have none")),
             WORK(weft__terms_one, weft__flops_each, weft__bytes_once),
             SAMPLE(call_sort, RECIPE("xab", "1 0"), RECIPE("xab5", "0 1"), RECIPE("tab", "-1 1")))

weft_status weft_sort(weft_tensor *x, int64_t dim, bool descending, weft_tensor **values, weft_tensor **indices)
{
    weft_tensor *out[2], **const y[] = {values, indices};
    weft_ctx *ctx = weft__begin_several(WEFT_OP_SORT, &x, y, 2);
    if (!ctx)
        return weft__refused(x);
    weft__attrs attrs = {.sort = {.dim = dim, .descending = descending}};
    return weft__end_several(ctx, weft__complete_choice(ctx, WEFT_OP_SORT, x, &attrs, out), out, y, 2);
}
