/* loss_classes_made.c - losses of scores of classes [..., C], by margins or by yes and no. */
#include "loss.h"
#include "made.h"

/* i: reduction, the power; f: margin */
CALL(multi_margin_loss)
{
    c->out[0] = weft_multi_margin_loss(c->in[0], c->in[1], c->i[1], c->f[0], (weft_reduction)c->i[0]);
}

/* i: reduction */
CALL(multilabel_margin_loss)
{
    c->out[0] = weft_multilabel_margin_loss(c->in[0], c->in[1], (weft_reduction)c->i[0]);
}

/* i: reduction */
CALL(multilabel_soft_margin_loss)
{
    c->out[0] = weft_multilabel_soft_margin_loss(c->in[0], c->in[1], (weft_reduction)c->i[0]);
}

WEFT__DEFINE_COMPOSITE(MULTI_MARGIN_LOSS, multi_margin_loss,
                       PARTS(FLOATS, PART(GATHER, WIDE), PART(SUB, WIDE), PART(ADD_SCALAR, WIDE), PART(RELU, WIDE),
                             PART(ARANGE, OF_I64), PART(EQ, OF_I64), PART(WHERE, WIDE), PART(SUM, WIDE),
                             PART(MUL_SCALAR, WIDE), PART(MEAN, WIDE)),
                       GRADIENT("of each class that is within the margin 1 / C, of the right one less all of these"),
                       ROW_ONCE,
                       SAMPLE(call_multi_margin_loss, RECIPE("xab ia<b", "1 1; 0.5"), RECIPE("xab ia<b", "0 1; 1")))
WEFT__DEFINE_COMPOSITE(MULTILABEL_MARGIN_LOSS, multilabel_margin_loss,
                       PARTS(FLOATS, PART(LT, OF_I64), PART(CUMSUM, OF_BOOL), PART(EQ, OF_I64), PART(CLAMP, OF_I64),
                             PART(SCATTER_ADD, OF_I64), PART(GATHER, WIDE), PART(SUB, WIDE), PART(ADD_SCALAR, WIDE),
                             PART(RELU, WIDE), PART(LOGICAL_AND, OF_BOOL), PART(WHERE, WIDE), PART(SUM, WIDE),
                             PART(MUL_SCALAR, WIDE), PART(MEAN, WIDE)),
                       GRADIENT("of each pair within the margin 1 / C to the wrong class and -1 / C to the right one"),
                       ROW_ONCE, SAMPLE(call_multilabel_margin_loss, RECIPE("xa9 wa9", "1"), RECIPE("xa9 wa9", "0")))
WEFT__DEFINE_COMPOSITE(MULTILABEL_SOFT_MARGIN_LOSS, multilabel_soft_margin_loss,
                       PARTS(FLOATS, PART(NEG, WIDE), PART(SOFTPLUS, WIDE), PART(ADD_SCALAR, WIDE), PART(MUL, WIDE),
                             PART(ADD, WIDE), PART(MEAN, WIDE)),
                       GRADIENT("of the prediction (sigmoid(prediction) - target) / C"), ROW_ONCE,
                       SAMPLE(call_multilabel_soft_margin_loss, RECIPE("xab qab", "1"), RECIPE("xab qab", "0")))

/* Scores [..., C], C at least 1, and an index of their shape, or of that without the last dim. */
static bool classes_fit(weft_ctx *ctx, int op, weft_tensor **in, bool each, weft_dtype *dtype)
{
    static const char *const names[] = {"the prediction"};
    if (!weft__join_floats(ctx, op, in, names, 1, dtype) || !weft__need_index(ctx, op, "the target", in[1]) ||
        !weft__need_rank(ctx, op, "the prediction", in[0], 1, WEFT__MAX_DIMS - 1))
        return false;
    const weft__array *x = &in[0]->a, *t = &in[1]->a;
    bool fit = t->ndim == x->ndim - !each && x->shape[x->ndim - 1] > 0;
    for (int d = 0; d < t->ndim && fit; d++)
        fit = t->shape[d] == x->shape[d];
    if (!fit)
        return weft__fail(ctx, op, WEFT_E_SHAPE,
                          "the prediction %s is [..., C] with C at least 1, the target %s must be %s",
                          weft__describe(in[0]).s, weft__describe(in[1]).s, each ? "[..., C]" : "[...]"),
               false;
    return (in[1] = weft__cast(in[1], WEFT_I64)) != NULL;
}

weft_tensor *weft_multi_margin_loss(weft_tensor *prediction, weft_tensor *target, int64_t power, double margin,
                                    weft_reduction reduction)
{
    enum { OP = WEFT_OP_MULTI_MARGIN_LOSS };
    weft_tensor *in[] = {prediction, target};
    ENTER_COMPOSITE(MULTI_MARGIN_LOSS, in, 2);
    weft_dtype dtype;
    if (!classes_fit(ctx, OP, in, false, &dtype))
        return weft__leave_with(ctx, NULL);
    if (power != 1 && power != 2)
        REFUSE(MULTI_MARGIN_LOSS, WEFT_E_INVALID, "the power is %lld, but must be 1 or 2", (long long)power);
    const int64_t classes = in[0]->a.shape[in[0]->a.ndim - 1];
    weft_tensor *right = weft_unsqueeze(in[1], -1);
    weft_tensor *within = weft_relu(weft_add_scalar(weft_sub(in[0], weft_gather(in[0], right, -1)), margin));
    if (power == 2)
        within = weft_square(within);
    weft_tensor *itself = weft_eq(weft_arange(ctx, WEFT_I64, 0, (double)classes, 1), right);
    weft_tensor *loss = weft_sum(weft_where(itself, weft__constant_like(within, 0), within), WEFT_DIMS(-1), false);
    loss = weft_mul_scalar(loss, 1 / (double)classes);
    return weft__leave_with(ctx, weft__reduced_loss(ctx, OP, loss, reduction, dtype));
}

weft_tensor *weft_multilabel_margin_loss(weft_tensor *prediction, weft_tensor *target, weft_reduction reduction)
{
    enum { OP = WEFT_OP_MULTILABEL_MARGIN_LOSS };
    weft_tensor *in[] = {prediction, target};
    ENTER_COMPOSITE(MULTILABEL_MARGIN_LOSS, in, 2);
    weft_dtype dtype;
    if (!classes_fit(ctx, OP, in, true, &dtype))
        return weft__leave_with(ctx, NULL);
    const int64_t classes = in[0]->a.shape[in[0]->a.ndim - 1];
    weft_tensor *zero = weft_scalar(ctx, WEFT_I64, 0);
    weft_tensor *named = weft_eq(weft_cumsum(weft_lt(in[1], zero), -1), zero); /* before the first negative one */
    weft_tensor *index = weft_clamp(in[1], 0, 0x1p62);
    weft_tensor *times = weft_scatter_add(weft_zeros(ctx, WEFT_I64, in[1]->a.shape, in[1]->a.ndim), index,
                                          named ? weft__cast(named, WEFT_I64) : NULL, -1);
    weft_tensor *wrong = weft_eq(times, zero);
    weft_tensor *off = weft_sub(weft_unsqueeze(in[0], -2), weft_unsqueeze(weft_gather(in[0], index, -1), -1));
    weft_tensor *counts = weft_logical_and(weft_unsqueeze(named, -1), weft_unsqueeze(wrong, -2));
    weft_tensor *within = weft_relu(weft_add_scalar(off, 1));
    within = weft_where(counts, within, weft__constant_like(within, 0));
    weft_tensor *loss = weft_mul_scalar(weft_sum(within, WEFT_DIMS(-2, -1), false), 1 / (double)classes);
    return weft__leave_with(ctx, weft__reduced_loss(ctx, OP, loss, reduction, dtype));
}

weft_tensor *weft_multilabel_soft_margin_loss(weft_tensor *prediction, weft_tensor *target, weft_reduction reduction)
{
    enum { OP = WEFT_OP_MULTILABEL_SOFT_MARGIN_LOSS };
    weft_tensor *in[] = {prediction, target};
    ENTER_COMPOSITE(MULTILABEL_SOFT_MARGIN_LOSS, in, 2);
    weft_dtype dtype;
    if (!weft__loss_pair(ctx, OP, in, &dtype) || !weft__need_rank(ctx, OP, "the prediction", in[0], 1, WEFT__MAX_DIMS))
        return weft__leave_with(ctx, NULL);
    /* both kinds of errors by themselves: neither cancels where the prediction is right */
    weft_tensor *missed = weft_mul(in[1], weft_softplus(weft_neg(in[0])));
    weft_tensor *raised = weft_mul(weft_add_scalar(weft_neg(in[1]), 1), weft_softplus(in[0]));
    weft_tensor *loss = weft_mean(weft_add(missed, raised), WEFT_DIMS(-1), false);
    return weft__leave_with(ctx, weft__reduced_loss(ctx, OP, loss, reduction, dtype));
}
