/* loss.c - cross_entropy_with; the other losses are composites. */
#include "define.h"
#include "rows.h"

bool weft__has_classes(weft__infer *q)
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
    if (!weft__has_classes(q))
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

/* ---- Front ends ---- */

weft_tensor *weft_cross_entropy_with(weft_tensor *logits, weft_tensor *target, int64_t ignore_index,
                                     double label_smoothing, weft_reduction reduction)
{
    weft_tensor *in[] = {logits, target};
    weft__attrs attrs = {
        .cross_entropy = {.reduction = reduction, .ignore_index = ignore_index, .label_smoothing = label_smoothing}};
    return weft__apply(WEFT_OP_CROSS_ENTROPY_WITH, in, 2, &attrs);
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
