/* search.c - searchsorted: where values belong in sorted rows. */
#include "define.h"

static bool infer_searchsorted(weft__infer *q)
{
    const weft__array *sorted = q->in[0], *values = q->in[1];
    if (!weft__has_rank(q, 0, 1, WEFT__MAX_DIMS))
        return false;
    bool fits = sorted->ndim == 1 || sorted->ndim == values->ndim;
    for (int d = 0; fits && d + 1 < sorted->ndim; d++)
        fits = sorted->shape[d] == values->shape[d];
    if (!fits)
        return weft__refuse(q, WEFT_E_SHAPE,
                            "sorted %s and values %s must have equal sizes in all dims but the last, or sorted one dim",
                            weft__operand_text(q, 0).s, weft__operand_text(q, 1).s);
    weft__set_result(q, 0, WEFT_I64, values->shape, values->ndim);
    return true;
}

/* i: right */
CALL(searchsorted)
{
    c->out[0] = weft_searchsorted(c->in[0], c->in[1], c->i[0] != 0);
}

WEFT__DEFINE(SEARCHSORTED, searchsorted, OPERANDS(NUMBERS, NUMBERS), ATTRS(search),
             INFER(infer_searchsorted, JOIN_NUMBERS), RESULTS(0, EXACT), EFFECT(PURE), NO_DERIVATIVE,
             WORK(weft__terms_one, weft__flops_each, weft__bytes_once),
             SAMPLE(call_searchsorted, RECIPE("rab rac", "0"), RECIPE("r9 rab", "1")))

weft_tensor *weft_searchsorted(weft_tensor *sorted, weft_tensor *values, bool right)
{
    weft_tensor *in[] = {sorted, values};
    weft__attrs attrs = {.search = {.right = right}};
    return weft__apply(WEFT_OP_SEARCHSORTED, in, 2, &attrs);
}
