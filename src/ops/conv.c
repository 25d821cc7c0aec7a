/* conv.c - records of the three convolutions, which are each other's derivatives. */
#include "define.h"

/* Terms: the elements of w that one output channel takes; of x's or of g's, for the weights. */
static int64_t by_filter(const weft__work *w, int result)
{
    (void)result;
    return w->in[1] ? weft__ratio(w->in[1]->count, w->in[1]->shape[0]) : 1;
}

static int64_t by_channel(const weft__work *w, int result)
{
    (void)result;
    return w->in[1] ? weft__ratio(w->in[1]->count, w->in[1]->shape[1]) : 1;
}

/* A multiply-add for every one of n elements and every element of filters beside one of its first dim. */
static double conv_flops(const weft__array *n, const weft__array *filters)
{
    return filters && filters->shape[0] > 0 ? 2 * weft__count(n) * weft__count(filters) / (double)filters->shape[0] : 0;
}

static double result_by_filter(const weft__work *w)
{
    return conv_flops(w->out[0], w->in[1]);
}

static double operand_by_filter(const weft__work *w)
{
    return conv_flops(w->in[0], w->in[1]);
}

static double gradient_by_filter(const weft__work *w)
{
    return conv_flops(w->in[1], w->out[0]);
}

WEFT__DEFINE(CONV2D, conv2d, OPERANDS(FLOATS, FLOATS, FLOATS | OR_NULL), RESULTS(1, SUMMED), EFFECT(PURE),
             DERIVATIVE(weft__vjp_conv2d, ROUNDS_ONCE, READS(FIRST | SECOND), NO_KERNEL),
             WORK(by_filter, result_by_filter, weft__bytes_once))
WEFT__DEFINE(CONV2D_TRANSPOSE, conv2d_transpose, OPERANDS(FLOATS, FLOATS, FLOATS | OR_NULL), RESULTS(1, SUMMED),
             EFFECT(PURE), DERIVATIVE(weft__vjp_conv2d_transpose, ROUNDS_ONCE, READS(FIRST | SECOND), NO_KERNEL),
             WORK(by_channel, operand_by_filter, weft__bytes_once))
WEFT__DEFINE(CONV2D_WEIGHT, conv2d_weight, OPERANDS(FLOATS, FLOATS), RESULTS(1, SUMMED), EFFECT(PURE),
             DERIVATIVE(weft__vjp_conv2d_weight, ROUNDS_ONCE, READS(FIRST | SECOND), NO_KERNEL),
             WORK(by_channel, gradient_by_filter, weft__bytes_once))
