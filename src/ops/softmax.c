/* softmax.c - softmax, log_softmax. */
#include "define.h"

static bool infer_softmax(weft__infer *q)
{
    return weft__has_rank(q, 0, 1, WEFT__MAX_DIMS) && weft__resolve_dim(q, 0, &q->attrs->along.dim) &&
           weft__infer_like(q);
}

/* i: dim */
CALL(softmax)
{
    c->out[0] = weft_softmax(c->in[0], c->i[0]);
}

CALL(log_softmax)
{
    c->out[0] = weft_log_softmax(c->in[0], c->i[0]);
}

#define SOFTMAX_ROW(ID, name, words)                                                                                   \
    WEFT__DEFINE(ID, name, OPERANDS(FLOATS), ATTRS(along), INFER(infer_softmax, JOIN_FLOATS), RESULTS(1, ROWWISE),     \
                 EFFECT(PURE), DERIVATIVE(weft__vjp_##name, IN_STEPS, READS(RESULT), ID##_GRAD, GRADIENT(words)),      \
                 WORK(weft__terms_along, weft__flops_each, weft__bytes_once),                                          \
                 SAMPLE(call_##name, RECIPE("xab", "-1"), RECIPE("xab", "0")))                                         \
    WEFT__DEFINE(ID##_GRAD, name##_grad, OPERANDS(FLOATS, FLOATS), ATTRS(along), NO_INFER, RESULTS(0, DERIVED),        \
                 EFFECT(PURE), NO_DERIVATIVE, WORK(weft__terms_along, weft__flops_each, weft__bytes_once),             \
                 SAMPLE_OF(ID))

SOFTMAX_ROW(SOFTMAX, softmax, "y (g - sum(g y)), the sum over the dim")
SOFTMAX_ROW(LOG_SOFTMAX, log_softmax, "g - exp(y) sum(g), the sum over the dim")

/* ---- Front ends ---- */

weft_tensor *weft_softmax(weft_tensor *x, int64_t dim)
{
    weft__attrs attrs = {.along = {.dim = dim}};
    return weft__apply(WEFT_OP_SOFTMAX, &x, 1, &attrs);
}

weft_tensor *weft_log_softmax(weft_tensor *x, int64_t dim)
{
    weft__attrs attrs = {.along = {.dim = dim}};
    return weft__apply(WEFT_OP_LOG_SOFTMAX, &x, 1, &attrs);
}

/* ---- Derivatives ---- */

static void softmax_fused(weft__vjp *v, int op)
{
    weft_tensor *dx = weft__room_for(v, 0), *in[] = {v->y, v->g};
    if (dx && weft__run_fused(v, op, in, 2, &dx, 1) != WEFT_OK)
        weft__drop_all(v);
}

void weft__vjp_softmax(weft__vjp *v)
{
    if (!v->compose) {
        softmax_fused(v, WEFT_OP_SOFTMAX_GRAD);
        return;
    }
    /* y (g - sum(g y)), taking off all g that of a y above a half, as the kernels do */
    weft_tensor *most = weft_gt(v->y, weft__constant(v, 0.5));
    weft_tensor *base = weft_where(most, weft_detach(v->g), weft__constant(v, 0));
    weft_tensor *g = weft_sub(v->g, weft_sum(base, WEFT_DIMS(v->attrs->along.dim), true));
    v->out[0] = weft_mul(v->y, weft_sub(g, weft_sum(weft_mul(g, v->y), WEFT_DIMS(v->attrs->along.dim), true)));
}

void weft__vjp_log_softmax(weft__vjp *v)
{
    if (!v->compose) {
        softmax_fused(v, WEFT_OP_LOG_SOFTMAX_GRAD);
        return;
    }
    weft_tensor *total = weft_sum(v->g, WEFT_DIMS(v->attrs->along.dim), true);
    v->out[0] = weft_sub(v->g, weft_mul(weft_exp(v->y), total));
}
