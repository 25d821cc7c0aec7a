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

/* f: eps */
CALL(layer_norm)
{
    c->out[0] = weft_layer_norm(c->in[0], c->in[1], c->in[2], c->f[0]);
}

CALL(rms_norm)
{
    c->out[0] = weft_rms_norm(c->in[0], c->in[1], c->f[0]);
}

/* x, w, b, running mean, running var; i: training; f: momentum, eps. Results: y and the running values. */
CALL(batch_norm)
{
    const weft_batch_norm_params params = {sizeof params, c->f[0], c->f[1], c->i[0] != 0};
    c->out[0] = weft_batch_norm(c->in[0], c->in[1], c->in[2], c->in[3], c->in[4], &params);
    if (c->in[3]) {
        c->n_out = 3;
        c->out[1] = c->in[3];
        c->out[2] = c->in[4];
    }
}

WEFT__DEFINE(LAYER_NORM, layer_norm, OPERANDS(FLOATS, FLOATS | OR_NULL, FLOATS | OR_NULL),
             RESULTS(1, ROWWISE, SUMMED, POSITIVE), EFFECT(PURE),
             DERIVATIVE(weft__vjp_layer_norm, IN_STEPS, READS(FIRST | SECOND), LAYER_NORM_GRAD,
                        GRADIENT("with n the normalised x and h = g w: of x: (h - mean(h) - n mean(h n)) / std; of w: "
                                 "the sum of g n; of b: of g")),
             WORK(normalised, weft__flops_each, weft__bytes_once),
             SAMPLE(call_layer_norm, RECIPE("xab pb xb", "; 1e-5"), RECIPE("xab - -", "; 1e-5"),
                    RECIPE("x3ab pab -", "; 0.1")))
WEFT__DEFINE(LAYER_NORM_GRAD, layer_norm_grad, OPERANDS(FLOATS, FLOATS, FLOATS | OR_NULL, FLOATS, FLOATS),
             RESULTS(0, DERIVED, DERIVED, SUMMED), EFFECT(PURE), NO_DERIVATIVE,
             WORK(normalised_or_rows, weft__flops_each, weft__bytes_once), SAMPLE_OF(LAYER_NORM))

WEFT__DEFINE(RMS_NORM, rms_norm, OPERANDS(FLOATS, FLOATS | OR_NULL), RESULTS(1, ROWWISE, POSITIVE), EFFECT(PURE),
             DERIVATIVE(weft__vjp_rms_norm, IN_STEPS, READS(FIRST | SECOND), RMS_NORM_GRAD,
                        GRADIENT("with n the normalised x and h = g w: of x: (h - n mean(h n)) / rms; of w: the sum of "
                                 "g n")),
             WORK(normalised, weft__flops_each, weft__bytes_once),
             SAMPLE(call_rms_norm, RECIPE("xab pb", "; 1e-5"), RECIPE("xab -", "; 0.1")))
WEFT__DEFINE(RMS_NORM_GRAD, rms_norm_grad, OPERANDS(FLOATS, FLOATS, FLOATS | OR_NULL, FLOATS),
             RESULTS(0, DERIVED, DERIVED), EFFECT(PURE), NO_DERIVATIVE,
             WORK(normalised_or_rows, weft__flops_each, weft__bytes_once), SAMPLE_OF(RMS_NORM))

WEFT__DEFINE(BATCH_NORM, batch_norm, OPERANDS(FLOATS, FLOATS | OR_NULL, FLOATS | OR_NULL),
             RESULTS(1, ROWWISE, SUMMED, POSITIVE, POSITIVE), EFFECT(PURE),
             DERIVATIVE(weft__vjp_batch_norm, IN_STEPS, READS(FIRST | SECOND), BATCH_NORM_GRAD,
                        GRADIENT("per channel as layer_norm; by running values: g w / sqrt(var + eps)")),
             WORK(weft__terms_channels, weft__flops_each, weft__bytes_once),
             SAMPLE(call_batch_norm, RECIPE("xabcd pb xb - -", "1; 0.1 1e-5"),
                    RECIPE("xabcd pb xb rb qb", "1; 0.1 1e-5"), RECIPE("xabcd pb xb rb qb", "0; 0.1 1e-5"),
                    RECIPE("xab - - - -", "1; 0.1 0.1")))
WEFT__DEFINE(BATCH_NORM_GRAD, batch_norm_grad, OPERANDS(FLOATS, FLOATS, FLOATS | OR_NULL, FLOATS, FLOATS),
             RESULTS(0, DERIVED, DERIVED, SUMMED), EFFECT(PURE), NO_DERIVATIVE,
             WORK(weft__terms_channels, weft__flops_each, weft__bytes_once), SAMPLE_OF(BATCH_NORM))
