/* loss.c - losses: cross_entropy_with, and those that are composites. */
#include "loss.h"

/* Operand 1 has one class for each row of operand 0. */
static bool has_classes(weft__infer *q)
{
    if (!weft__has_rank(q, 0, 1, WEFT__MAX_DIMS))
        return false;
    weft__array lead = *q->in[0];
    lead.ndim--;
    if (weft__same_shape(&lead, q->in[1]))
        return true;
    return weft__refuse(q, WEFT_E_SHAPE,
                        "%s needs a target of shape %s (one class for each row; the last dim holds the classes), not "
                        "%s",
                        weft__operand_text(q, 0).s, weft__shape_text(lead.shape, lead.ndim).s,
                        weft__operand_text(q, 1).s);
}

/* The loss, and of each row its logsumexp. */
static bool infer_cross_entropy(weft__infer *q)
{
    const weft__array *logits = q->in[0], *target = q->in[1];
    const weft__cross_entropy_attrs *a = &q->attrs->cross_entropy;
    if (!has_classes(q))
        return false;
    if (!(a->label_smoothing >= 0 && a->label_smoothing <= 1) || (uint64_t)a->reduction > WEFT_REDUCTION_SUM)
        return weft__refuse(q, WEFT_E_INVALID,
                            "label_smoothing %g must be in [0, 1] and reduction %lld one of weft_reduction",
                            a->label_smoothing, (long long)a->reduction);
    if (logits->shape[logits->ndim - 1] == 0 && target->count > 0)
        return weft__refuse(q, WEFT_E_SHAPE, "%s has no classes", weft__operand_text(q, 0).s);
    weft__set_result(q, 0, q->dtype[0], target->shape, a->reduction == WEFT_REDUCTION_NONE ? target->ndim : 0);
    weft__set_result(q, 1, weft__wide_dtype(q->dtype[0]), target->shape, target->ndim);
    return true;
}

/* i: ignore index, reduction; f: label smoothing */
CALL(cross_entropy_with)
{
    c->out[0] = weft_cross_entropy_with(c->in[0], c->in[1], c->i[0], c->f[0], (weft_reduction)c->i[1]);
}

WEFT__DEFINE(
    CROSS_ENTROPY_WITH, cross_entropy_with, OPERANDS(FLOATS, POSITIONS), ATTRS(cross_entropy),
    INFER(infer_cross_entropy, AS_GIVEN), RESULTS(1, ROWWISE, ROWWISE), EFFECT(PURE),
    DERIVATIVE(weft__vjp_cross_entropy_with, IN_STEPS, READS(FIRST | SECOND), CROSS_ENTROPY_GRAD,
               GRADIENT("g (softmax(logits) - q), q = (1 - s) [class = target] + s / C; for the mean over rows "
                        "that count; 0 in the others")),
    WORK(weft__terms_ratio, weft__flops_each, weft__bytes_once),
    SAMPLE(call_cross_entropy_with, RECIPE("xab ka<b", "-100 2; 0.1"), RECIPE("xab ka<b", "-100 0; 0"),
           RECIPE("xab ka<b", "-100 1; 0.1")))
WEFT__DEFINE(CROSS_ENTROPY_GRAD, cross_entropy_grad, OPERANDS(FLOATS, POSITIONS, FLOATS, FLOATS), ATTRS(cross_entropy),
             NO_INFER, RESULTS(0, DERIVED), EFFECT(PURE), NO_DERIVATIVE,
             WORK(weft__terms_ratio, weft__flops_each, weft__bytes_once), SAMPLE_OF(CROSS_ENTROPY_WITH))

CALL(mse)
{
    c->out[0] = weft_mse(c->in[0], c->in[1]);
}

/* f: delta */
CALL(huber)
{
    c->out[0] = weft_huber(c->in[0], c->in[1], c->f[0]);
}

CALL(bce_with_logits)
{
    c->out[0] = weft_bce_with_logits(c->in[0], c->in[1]);
}

CALL(nll)
{
    c->out[0] = weft_nll(c->in[0], c->in[1]);
}

CALL(cross_entropy)
{
    c->out[0] = weft_cross_entropy(c->in[0], c->in[1]);
}

WEFT__DEFINE_COMPOSITE(MSE, mse, PARTS(FLOATS, PART(SUB, WIDE), PART(SQUARE, WIDE), PART(MEAN, WIDE)),
                       GRADIENT("of the prediction g 2 (prediction - target) / n; of the target the negative of that"),
                       WORK(weft__terms_ratio, weft__flops_each, weft__bytes_once),
                       SAMPLE(call_mse, RECIPE("xab xab", ""), RECIPE("xab x1b", "")))
WEFT__DEFINE_COMPOSITE(HUBER, huber,
                       PARTS(FLOATS, PART(SUB, WIDE), PART(CLAMP, WIDE), PART(MUL_SCALAR, WIDE), PART(MUL, WIDE),
                             PART(MEAN, WIDE)),
                       GRADIENT("of the prediction g clamp(prediction - target, -delta, delta) / n; of the target the "
                                "negative of that"),
                       WORK(weft__terms_ratio, weft__flops_each, weft__bytes_once),
                       SAMPLE(call_huber, RECIPE("xab xab", "; 0.5"), RECIPE("xb xab", "; 0.5")))
WEFT__DEFINE_COMPOSITE(BCE_WITH_LOGITS, bce_with_logits,
                       PARTS(FLOATS, PART(GT, WIDE), PART(NEG, WIDE), PART(WHERE, WIDE), PART(SOFTPLUS, WIDE),
                             PART(ADD_SCALAR, WIDE), PART(MUL, WIDE), PART(ADD, WIDE), PART(MEAN, WIDE)),
                       GRADIENT("of the logits g (sigmoid(logits) - target) / n"),
                       WORK(weft__terms_ratio, weft__flops_each, weft__bytes_once),
                       SAMPLE(call_bce_with_logits, RECIPE("xab pab", "")))
WEFT__DEFINE_COMPOSITE(NLL, nll,
                       PARTS(FLOATS, PART(NE, OF_I64), PART(WHERE, OF_I64), PART(GATHER, WIDE), PART(WHERE, WIDE),
                             PART(SUM, WIDE), PART(SUM, OF_BOOL), PART(CLAMP, OF_I64), PART(DIV, WIDE),
                             PART(NEG, WIDE)),
                       GRADIENT("-g / rows at the target of each row that counts, 0 elsewhere"),
                       WORK(weft__terms_ratio, weft__flops_each, weft__bytes_once),
                       SAMPLE(call_nll, RECIPE("xab ka<b", "")))
WEFT__DEFINE_COMPOSITE(CROSS_ENTROPY, cross_entropy, PARTS(FLOATS, PART(CROSS_ENTROPY_WITH, AS_ALONE)),
                       GRADIENT("g (softmax(logits) - [class = target]) / rows; 0 in rows that are ignored"),
                       WORK(weft__terms_ratio, weft__flops_each, weft__bytes_once),
                       SAMPLE(call_cross_entropy, RECIPE("xab ka<b", "")))

/* ---- Front ends ---- */

weft_tensor *weft_cross_entropy_with(weft_tensor *logits, weft_tensor *target, int64_t ignore_index,
                                     double label_smoothing, weft_reduction reduction)
{
    weft_tensor *in[] = {logits, target};
    weft__attrs attrs = {
        .cross_entropy = {.reduction = reduction, .ignore_index = ignore_index, .label_smoothing = label_smoothing}};
    return weft__apply(WEFT_OP_CROSS_ENTROPY_WITH, in, 2, &attrs);
}

/* Operands of a loss broadcast to one of them, not to more elements than either has: [8, 1] and [8] would make 64
 * pairs. */
static bool losses_pair(weft_ctx *ctx, int op, weft_tensor *const *in)
{
    int64_t shape[WEFT__MAX_DIMS];
    int ndim;
    if (!weft__broadcast(&in[0]->a, &in[1]->a, shape, &ndim)) {
        weft__fail(ctx, op, WEFT_E_SHAPE, "prediction %s and target %s do not broadcast; they usually have one shape",
                   weft__describe(in[0]).s, weft__describe(in[1]).s);
        return false;
    }
    int64_t count = weft__count_of(shape, ndim);
    if (count >= 0 && (count <= in[0]->a.count || count <= in[1]->a.count))
        return true;
    weft__fail(ctx, op, WEFT_E_SHAPE,
               "prediction %s and target %s would broadcast to %s, pairs that neither has; give both one shape with "
               "weft_reshape, weft_squeeze or weft_unsqueeze, or weft_expand one of them if all pairs are meant",
               weft__describe(in[0]).s, weft__describe(in[1]).s, weft__shape_text(shape, ndim).s);
    return false;
}

bool weft__loss_pair(weft_ctx *ctx, int op, weft_tensor **in, weft_dtype *dtype)
{
    if (!losses_pair(ctx, op, in))
        return false;
    *dtype = weft_promote((weft_dtype)in[0]->a.dtype, (weft_dtype)in[1]->a.dtype);
    if (!weft__need_float(ctx, op, "the prediction", in[0]))
        return false;
    in[0] = weft__widened(in[0]);
    in[1] = weft__widened(in[1]);
    return in[0] && in[1];
}

weft_tensor *weft_mse(weft_tensor *prediction, weft_tensor *target)
{
    weft_tensor *in[] = {prediction, target};
    ENTER_COMPOSITE(MSE, in, 2);
    weft_dtype dtype;
    if (!weft__loss_pair(ctx, WEFT_OP_MSE, in, &dtype))
        return weft__leave_with(ctx, NULL);
    return weft__leave_with(ctx,
                            weft__narrowed(weft_mean(weft_square(weft_sub(in[0], in[1])), WEFT_ALL, false), dtype));
}

weft_tensor *weft_huber(weft_tensor *prediction, weft_tensor *target, double delta)
{
    weft_tensor *in[] = {prediction, target};
    ENTER_COMPOSITE(HUBER, in, 2);
    if (!(delta > 0))
        return weft__fail(ctx, WEFT_OP_HUBER, WEFT_E_INVALID, "delta is %g, but must be positive", delta),
               weft__leave_with(ctx, NULL);
    weft_dtype dtype;
    if (!weft__loss_pair(ctx, WEFT_OP_HUBER, in, &dtype))
        return weft__leave_with(ctx, NULL);
    /* With c = d limited to [-delta, delta], all branches are c (d - c/2): smooth where d is 0, as |d| is not. */
    weft_tensor *difference = weft_sub(in[0], in[1]);
    weft_tensor *limited = weft_clamp(difference, -delta, delta);
    weft_tensor *loss = weft_mul(limited, weft_sub(difference, weft_mul_scalar(limited, 0.5)));
    return weft__leave_with(ctx, weft__narrowed(weft_mean(loss, WEFT_ALL, false), dtype));
}

weft_tensor *weft_bce_with_logits(weft_tensor *logits, weft_tensor *target)
{
    weft_tensor *in[] = {logits, target};
    ENTER_COMPOSITE(BCE_WITH_LOGITS, in, 2);
    weft_dtype dtype;
    if (!weft__loss_pair(ctx, WEFT_OP_BCE_WITH_LOGITS, in, &dtype))
        return weft__leave_with(ctx, NULL);
    /* softplus(x) - t x with x taken out of softplus where it is positive: written so, neither the parts nor their
     * slopes, s(x) and t, cancel where the prediction is right. */
    weft_tensor *x = in[0], *zero = weft_scalar(ctx, (weft_dtype)x->a.dtype, 0), *positive = weft_gt(x, zero);
    weft_tensor *t =
        weft_dtype_is_float((weft_dtype)in[1]->a.dtype) ? in[1] : weft__cast(in[1], (weft_dtype)x->a.dtype);
    weft_tensor *curve = weft_softplus(weft_where(positive, weft_neg(x), x)), *minus = weft_neg(t);
    weft_tensor *loss = weft_add(curve, weft_mul(weft_where(positive, weft_add_scalar(minus, 1), minus), x));
    return weft__leave_with(ctx, weft__narrowed(weft_mean(loss, WEFT_ALL, false), dtype));
}

/* As infer of cross_entropy_with finds out. */
static bool classes_fit(weft_ctx *ctx, int op, weft_tensor *const *in)
{
    const weft__array *arrays[] = {&in[0]->a, &in[1]->a};
    weft__infer q = {.def = weft__defs[op], .n_in = 2, .in = arrays, .tensors = in, .describe = weft__describe};
    if (!weft__need_float(ctx, op, "log_probs", in[0]) || !weft__need_index(ctx, op, "the target", in[1]))
        return false;
    if (has_classes(&q))
        return true;
    weft__fail(ctx, op, q.status, "%s", q.message);
    return false;
}

weft_tensor *weft_nll(weft_tensor *log_probs, weft_tensor *target)
{
    enum { IGNORED = -100 };
    weft_tensor *in[] = {log_probs, target};
    ENTER_COMPOSITE(NLL, in, 2);
    if (!classes_fit(ctx, WEFT_OP_NLL, in))
        return weft__leave_with(ctx, NULL);
    weft_dtype dtype = (weft_dtype)in[0]->a.dtype;
    in[0] = weft__widened(in[0]);
    if (!in[0])
        return weft__leave_with(ctx, NULL);
    weft_tensor *counts = weft_ne(in[1], weft_full_like(in[1], IGNORED));
    weft_tensor *chosen = weft_where(counts, in[1], weft_zeros_like(in[1]));
    weft_tensor *picked = weft_squeeze(weft_gather(in[0], weft_unsqueeze(chosen, -1), -1), WEFT_DIMS(-1));
    weft_tensor *total = weft_sum(weft_where(counts, picked, weft_zeros_like(picked)), WEFT_ALL, false);
    weft_tensor *n = weft__cast(weft_clamp(weft_sum(counts, WEFT_ALL, false), 1, 9e15), (weft_dtype)in[0]->a.dtype);
    return weft__leave_with(ctx, weft__narrowed(weft_neg(weft_div(total, n)), dtype));
}

weft_tensor *weft_cross_entropy(weft_tensor *logits, weft_tensor *target)
{
    weft_tensor *in[] = {logits, target};
    ENTER_COMPOSITE(CROSS_ENTROPY, in, 2);
    return weft__leave_with(ctx, weft_cross_entropy_with(in[0], in[1], -100, 0, WEFT_REDUCTION_MEAN));
}

/* ---- Derivatives ---- */

/* Rows that do not count are put away before anything is made of them: 0 times their NaN would be NaN. */
static void compose_cross_entropy(weft__vjp *v, weft_tensor *x, weft_tensor *target)
{
    weft_dtype dtype = (weft_dtype)v->g->a.dtype;
    double smoothing = v->attrs->cross_entropy.label_smoothing, classes = (double)x->a.shape[x->a.ndim - 1];
    weft_tensor *zero = weft__constant(v, 0);
    weft_tensor *counts = weft_ne(target, weft_full_like(target, (double)v->attrs->cross_entropy.ignore_index));
    weft_tensor *chosen = weft_unsqueeze(weft_where(counts, target, weft_zeros_like(target)), -1);
    weft_tensor *ones = weft_cast(weft_full_like(chosen, 1), dtype);
    weft_tensor *q = weft_scatter_add(weft_full_like(weft_detach(x), smoothing / classes), chosen,
                                      weft_mul_scalar(ones, 1 - smoothing), -1);
    weft_tensor *weight = weft_where(counts, v->g, zero);
    if (v->attrs->cross_entropy.reduction == WEFT_REDUCTION_MEAN)
        weight = weft_div(weight, weft_clamp(weft_sum(weft_cast(counts, dtype), WEFT_ALL, false), 1, 9e15));
    x = weft_where(weft_unsqueeze(counts, -1), x, zero);
    v->out[0] = weft_mul(weft_sub(weft_softmax(x, -1), q), weft_unsqueeze(weight, -1));
}

void weft__vjp_cross_entropy_with(weft__vjp *v)
{
    weft_tensor *x = v->in[0], *target = v->in[1];
    if (!v->compose) {
        weft_tensor *dx = weft__room_for(v, 0), *in[] = {x, target, v->extra[0], v->g};
        if (dx && weft__run_fused(v, WEFT_OP_CROSS_ENTROPY_GRAD, in, 4, &dx, 1) != WEFT_OK)
            weft__drop_all(v);
        return;
    }
    compose_cross_entropy(v, x, target);
}
