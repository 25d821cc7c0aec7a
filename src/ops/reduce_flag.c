/* reduce_flag.c - the record of count_nonfinite, which looks at values for the engine (watch.c). */
#include "define.h"

CALL(count_nonfinite)
{
    if (c->in[0])
        c->out[0] = weft_scalar(c->ctx, WEFT_I64, (double)weft__count_nonfinite(c->ctx, &c->in[0]->a));
}

WEFT__DEFINE(COUNT_NONFINITE, count_nonfinite, OPERANDS(FLOATS | STRIDED), NO_ATTRS, NO_INFER, RESULTS(0, EXACT),
             EFFECT(PURE), NO_DERIVATIVE, WORK(weft__terms_ratio, weft__flops_each, weft__bytes_once),
             SAMPLE(call_count_nonfinite, RECIPE("rab", "")))
