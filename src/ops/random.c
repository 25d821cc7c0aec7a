/* random.c - dropout. */
#include "define.h"

#define EACH WORK(weft__terms_one, weft__flops_each, weft__bytes_once)

/* The result, and the mask of what was kept. */
static bool infer_dropout(weft__infer *q)
{
    weft__set_result(q, 1, WEFT_BOOL, q->in[0]->shape, q->in[0]->ndim);
    return weft__infer_like(q);
}

/* i: training; f: p */
CALL(dropout)
{
    c->out[0] = weft_dropout(c->in[0], c->f[0], c->i[0] != 0);
}

WEFT__DEFINE(DROPOUT, dropout, OPERANDS(FLOATS), ATTRS(chance), INFER(infer_dropout, AS_GIVEN),
             RESULTS(1, ELEMENTWISE, EXACT), EFFECT(DRAWS),
             DERIVATIVE(weft__vjp_dropout, IN_STEPS, READS(NOTHING), DROPOUT_GRAD,
                        GRADIENT("g / (1 - p) where the element was kept, 0 elsewhere; when not training g")),
             EACH, SAMPLE(call_dropout, RECIPE("xab", "1; 0.25")))
WEFT__DEFINE(DROPOUT_GRAD, dropout_grad, OPERANDS(FLOATS, TRUTHS), ATTRS(dropout_grad), NO_INFER,
             RESULTS(0, ELEMENTWISE), EFFECT(PURE), NO_DERIVATIVE, EACH, SAMPLE_OF(DROPOUT))

/* ---- Front ends ---- */

weft_tensor *weft_dropout(weft_tensor *x, double p, bool training)
{
    enum { OP = WEFT_OP_DROPOUT };
    weft_tensor *y = NULL, *out[2];
    weft_ctx *ctx = weft__begin(OP, &x, 1);
    if (!ctx)
        return NULL;
    if (!(p >= 0 && p <= 1)) {
        weft__fail(ctx, OP, WEFT_E_INVALID, "p is %g, but a probability is in [0, 1]; x is %s", p, weft__describe(x).s);
    } else if (weft__need_float(ctx, OP, "x", x)) {
        weft__attrs attrs = {.chance = {.seed = (int64_t)ctx->seed, .p = p}};
        y = x;
        if (training && p > 0) {
            attrs.chance.call = (int64_t)ctx->random_call++;
            y = weft__complete(ctx, OP, &x, 1, &attrs, out) ? out[0] : NULL;
        }
    }
    return weft__leave_with(ctx, y);
}

/* ---- Derivatives ---- */

void weft__vjp_dropout(weft__vjp *v)
{
    weft_tensor *mask = v->extra[0];
    const double p = v->attrs->chance.p;
    if (v->create_graph) {
        const double scale = p < 1 ? 1 / (1 - p) : 0;
        v->out[0] = weft_where(mask, weft_mul_scalar(v->g, scale), weft_zeros_like(v->g));
        return;
    }
    const weft__attrs attrs = {WEFT__COUNTS(dropout_grad), .dropout_grad = {.p = p}};
    weft_tensor *dx = weft__room_for(v, 0);
    if (dx && weft__run_kernel(v->ctx, WEFT_OP_DROPOUT_GRAD, (const weft__array *[]){&v->g->a, &mask->a}, 2,
                               (weft__array *[]){&dx->a}, 1, &attrs) != WEFT_OK)
        weft__drop_all(v);
}
