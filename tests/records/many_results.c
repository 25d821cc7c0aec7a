/* many_results.c - a row of 64 results, in the place of cumsum's record: y_k = (k + 1) x^2, of which all but the last
 * one are differentiable, and the last one holds positions. Linked into a program of its own. */
#include "many_results.h"
#include "ops/define.h"

static bool infer_many(weft__infer *q)
{
    for (int k = 0; k < MANY; k++)
        weft__set_like(q, k, 0);
    q->out[MANY - 1].dtype = WEFT_I64;
    q->out[MANY - 2].dtype = q->attrs->scan.dim ? -1 : q->dtype[0]; /* not wanted */
    return true;
}

int many_rules;

/* 2 y_k / x, which reads every result that a gradient has come to. */
static void vjp_many(weft__vjp *v)
{
    many_rules++;
    for (int k = 0; k < MANY - 1; k++) {
        if (!v->gs[k])
            continue;
        weft_tensor *part = weft_mul(v->gs[k], weft_div(weft_mul_scalar(v->ys[k], 2), v->in[0]));
        v->out[0] = v->out[0] ? weft_add(v->out[0], part) : part;
    }
}

CALL(cumsum)
{
    c->out[0] = weft_cumsum(c->in[0], c->i[0]);
}

#define EIGHT ELEMENTWISE, ELEMENTWISE, ELEMENTWISE, ELEMENTWISE, ELEMENTWISE, ELEMENTWISE, ELEMENTWISE, ELEMENTWISE
#define FROM_THE_16TH_ON WEFT__READS_RESULT(15)
#define BEFORE ((UINT64_MAX >> 49) << 48)

WEFT__DEFINE(CUMSUM, cumsum, OPERANDS(FLOATS), ATTRS(scan), INFER(infer_many, AS_GIVEN),
             RESULTS(63, EIGHT, EIGHT, EIGHT, EIGHT, EIGHT, EIGHT, EIGHT, EIGHT), EFFECT(PURE),
             DERIVATIVE(vjp_many, IN_STEPS, READS(FIRST | BEFORE | FROM_THE_16TH_ON), NO_KERNEL,
                        GRADIENT("2 g y / x, over all results")),
             WORK(weft__terms_one, weft__flops_each, weft__bytes_once),
             SAMPLE(call_cumsum, RECIPE("xab", "1"), RECIPE("xab", "0"), RECIPE("xabcd", "1")))

bool many_results(weft_tensor *x, bool without_last, weft_tensor **out)
{
    weft__attrs attrs = {.scan = {.dim = without_last}};
    weft_ctx *ctx = weft__begin(WEFT_OP_CUMSUM, &x, 1);
    const bool done = ctx && weft__complete(ctx, WEFT_OP_CUMSUM, &x, 1, &attrs, out);
    if (ctx)
        weft__leave(ctx);
    return done;
}

weft_tensor *weft_cumsum(weft_tensor *x, int64_t dim)
{
    weft__attrs attrs = {.scan = {.dim = dim}};
    return weft__apply(WEFT_OP_CUMSUM, &x, 1, &attrs);
}
