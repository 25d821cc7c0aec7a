/* scan.c - cumsum. */
#include "define.h"

/* As sums do, integers and bool add up in i64. */
static bool infer_scan(weft__infer *q)
{
    if (!weft__has_rank(q, 0, 1, WEFT__MAX_DIMS) || !weft__resolve_dim(q, 0, &q->attrs->scan.dim))
        return false;
    const int32_t dtype = q->dtype[0];
    weft__set_result(q, 0, weft_dtype_is_float((weft_dtype)dtype) ? dtype : WEFT_I64, q->in[0]->shape, q->in[0]->ndim);
    return true;
}

static weft_tensor *scan(weft_tensor *x, int64_t dim, bool reverse)
{
    weft__attrs attrs = {.scan = {.dim = dim, .reverse = reverse}};
    return weft__apply(WEFT_OP_CUMSUM, &x, 1, &attrs);
}

/* An element is in the sums from its own on: their gradients, added up the other way. */
static void vjp_cumsum(weft__vjp *v)
{
    v->out[0] = scan(v->g, v->attrs->scan.dim, !v->attrs->scan.reverse);
}

/* i: dim */
CALL(cumsum)
{
    c->out[0] = weft_cumsum(c->in[0], c->i[0]);
}

WEFT__DEFINE(CUMSUM, cumsum, OPERANDS(NUMBERS), ATTRS(scan), INFER(infer_scan, AS_GIVEN), RESULTS(1, SUMMED),
             EFFECT(PURE),
             DERIVATIVE(vjp_cumsum, ROUNDS_ONCE, READS(NOTHING), NO_KERNEL,
                        GRADIENT("the sums of g from each element on, along the dim")),
             WORK(weft__terms_along, weft__flops_each, weft__bytes_once),
             SAMPLE(call_cumsum, RECIPE("xab", "1"), RECIPE("xab", "0"), RECIPE("xabcd", "1")))

weft_tensor *weft_cumsum(weft_tensor *x, int64_t dim)
{
    return scan(x, dim, false);
}
