/* reduce_with_index.c - max_with_index, min_with_index: the first of the largest or smallest elements along a dim. */
#include "several.h"
#include "define.h"
#include "rows.h"

static bool infer_best(weft__infer *q)
{
    if (!weft__infer_reduced(q))
        return false;
    const weft__array *x = q->in[0], *y = &q->out[0];
    if (x->count == 0 && weft__count_of(y->shape, y->ndim) > 0)
        return weft__refuse(q, WEFT_E_SHAPE, "nothing to choose from: the reduced dim of %s holds no elements",
                            weft__operand_text(q, 0).s);
    weft__set_result(q, 1, WEFT_I64, y->shape, y->ndim);
    return true;
}

static void put_back_one(weft__vjp *v)
{
    const int dim = __builtin_ctz((unsigned)v->attrs->reduce.dims);
    if (v->attrs->reduce.keepdim)
        weft__put_back(v, v->g, v->extra[0], dim);
    else
        weft__put_back(v, weft_unsqueeze(v->g, dim), weft_unsqueeze(v->extra[0], dim), dim);
}

void weft__vjp_max_with_index(weft__vjp *v)
{
    put_back_one(v);
}

void weft__vjp_min_with_index(weft__vjp *v)
{
    put_back_one(v);
}

/* i: keepdim, dim. Results: values, indices */
CALL(max_with_index)
{
    c->n_out = 2;
    if (weft_max_with_index(c->in[0], c->i[1], c->i[0] != 0, &c->out[0], &c->out[1]) != WEFT_OK)
        c->out[0] = NULL;
}

CALL(min_with_index)
{
    c->n_out = 2;
    if (weft_min_with_index(c->in[0], c->i[1], c->i[0] != 0, &c->out[0], &c->out[1]) != WEFT_OK)
        c->out[0] = NULL;
}

#define BEST(ID, name, which)                                                                                          \
    WEFT__DEFINE(                                                                                                      \
        ID, name, OPERANDS(NUMBERS | STRIDED | AS_BYTES), ATTRS(reduce), INFER(infer_best, AS_GIVEN),                  \
        RESULTS(1, EXACT, EXACT), EFFECT(PURE),                                                                        \
        DERIVATIVE(weft__vjp_##name, ROUNDS_ONCE, READS(NOTHING), NO_KERNEL,                                           \
                   GRADIENT("of the values: g at the place of the first " which ", 0 elsewhere; the index has none")), \
        WORK(weft__terms_ratio, weft__flops_each, weft__bytes_once),                                                   \
        SAMPLE(call_##name, RECIPE("xab", "0 1"), RECIPE("xa5b", "1 1"), RECIPE("tab", "0 -1")))
BEST(MAX_WITH_INDEX, max_with_index, "largest")
BEST(MIN_WITH_INDEX, min_with_index, "smallest")

static weft_status best_with_index(int op, weft_tensor *x, int64_t dim, bool keepdim, weft_tensor **const *y)
{
    weft_tensor *out[2];
    weft_ctx *ctx = weft__begin_several(op, &x, y, 2);
    if (!ctx)
        return weft__refused(x);
    const int d = weft__need_rank(ctx, op, "x", x, 1, WEFT__MAX_DIMS) ? weft__dim(ctx, op, x, dim) : -1;
    weft__attrs attrs = {.reduce = {.dims = d < 0 ? 0 : 1 << d, .keepdim = keepdim}};
    return weft__end_several(ctx, d >= 0 && weft__complete_choice(ctx, op, x, &attrs, out), out, y, 2);
}

weft_status weft_max_with_index(weft_tensor *x, int64_t dim, bool keepdim, weft_tensor **values, weft_tensor **indices)
{
    weft_tensor **const y[] = {values, indices};
    return best_with_index(WEFT_OP_MAX_WITH_INDEX, x, dim, keepdim, y);
}

weft_status weft_min_with_index(weft_tensor *x, int64_t dim, bool keepdim, weft_tensor **values, weft_tensor **indices)
{
    weft_tensor **const y[] = {values, indices};
    return best_with_index(WEFT_OP_MIN_WITH_INDEX, x, dim, keepdim, y);
}
