/* norm.c - records of layer_norm, rms_norm, batch_norm and their kernels. Each result but the first is one statistic
 * for each row or channel: a sum like any other, or one of what is never negative. */
#include "define.h"

/* The elements that are normalised together. */
static int64_t normalised(const weft__work *w, int result)
{
    (void)result;
    return w->attrs->norm.size;
}

/* dw and db are sums over the rows. */
static int64_t normalised_or_rows(const weft__work *w, int result)
{
    return result == 0 ? normalised(w, result) : weft__ratio(w->in[0]->count, w->attrs->norm.size);
}

WEFT__DEFINE(LAYER_NORM, layer_norm, OPERANDS(FLOATS, FLOATS | OR_NULL, FLOATS | OR_NULL),
             RESULTS(1, ROWWISE, SUMMED, POSITIVE), EFFECT(PURE),
             DERIVATIVE(weft__vjp_layer_norm, IN_STEPS, READS(FIRST | SECOND), LAYER_NORM_GRAD),
             WORK(normalised, weft__flops_each, weft__bytes_once))
WEFT__DEFINE(LAYER_NORM_GRAD, layer_norm_grad, OPERANDS(FLOATS, FLOATS, FLOATS | OR_NULL, FLOATS, FLOATS),
             RESULTS(0, DERIVED, DERIVED, SUMMED), EFFECT(PURE), NO_DERIVATIVE,
             WORK(normalised_or_rows, weft__flops_each, weft__bytes_once))

WEFT__DEFINE(RMS_NORM, rms_norm, OPERANDS(FLOATS, FLOATS | OR_NULL), RESULTS(1, ROWWISE, POSITIVE), EFFECT(PURE),
             DERIVATIVE(weft__vjp_rms_norm, IN_STEPS, READS(FIRST | SECOND), RMS_NORM_GRAD),
             WORK(normalised, weft__flops_each, weft__bytes_once))
WEFT__DEFINE(RMS_NORM_GRAD, rms_norm_grad, OPERANDS(FLOATS, FLOATS, FLOATS | OR_NULL, FLOATS),
             RESULTS(0, DERIVED, DERIVED), EFFECT(PURE), NO_DERIVATIVE,
             WORK(normalised_or_rows, weft__flops_each, weft__bytes_once))

WEFT__DEFINE(BATCH_NORM, batch_norm, OPERANDS(FLOATS, FLOATS | OR_NULL, FLOATS | OR_NULL),
             RESULTS(1, ROWWISE, SUMMED, POSITIVE, POSITIVE), EFFECT(PURE),
             DERIVATIVE(weft__vjp_batch_norm, IN_STEPS, READS(FIRST | SECOND), BATCH_NORM_GRAD),
             WORK(weft__terms_channels, weft__flops_each, weft__bytes_once))
WEFT__DEFINE(BATCH_NORM_GRAD, batch_norm_grad, OPERANDS(FLOATS, FLOATS, FLOATS | OR_NULL, FLOATS, FLOATS),
             RESULTS(0, DERIVED, DERIVED, SUMMED), EFFECT(PURE), NO_DERIVATIVE,
             WORK(weft__terms_channels, weft__flops_each, weft__bytes_once))
