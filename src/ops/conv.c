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

/* i: stride, padding, dilation, output padding (two each), groups */
static weft_conv2d_params params_of(const int64_t *i)
{
    return (weft_conv2d_params){.stride = {i[0], i[1]},
                                .padding = {i[2], i[3]},
                                .dilation = {i[4], i[5]},
                                .output_padding = {i[6], i[7]},
                                .groups = i[8]};
}

/* The defaults, which NULL asks for. */
static bool is_plain(const int64_t *i)
{
    return i[0] == 1 && i[1] == 1 && !i[2] && !i[3] && i[4] == 1 && i[5] == 1 && !i[6] && !i[7] && i[8] == 1;
}

CALL(conv2d)
{
    weft_conv2d_params params = params_of(c->i);
    c->out[0] = weft_conv2d(c->in[0], c->in[1], c->in[2], is_plain(c->i) ? NULL : &params);
}

CALL(conv2d_transpose)
{
    weft_conv2d_params params = params_of(c->i);
    c->out[0] = weft_conv2d_transpose(c->in[0], c->in[1], c->in[2], is_plain(c->i) ? NULL : &params);
}

/* x, g; i: kernel (two), then as above */
CALL(conv2d_weight)
{
    weft_conv2d_params params = params_of(c->i + 2);
    c->out[0] = weft_conv2d_weight(c->in[0], c->in[1], c->i, is_plain(c->i + 2) ? NULL : &params);
}

WEFT__DEFINE(CONV2D, conv2d, OPERANDS(FLOATS, FLOATS, FLOATS | OR_NULL), RESULTS(1, SUMMED), EFFECT(PURE),
             DERIVATIVE(weft__vjp_conv2d, ROUNDS_ONCE, READS(FIRST | SECOND), NO_KERNEL,
                        GRADIENT("of x: conv2d_transpose(g, w); of w: conv2d_weight(x, g); of b: the sum of g over N, "
                                 "H', W'")),
             WORK(by_filter, result_by_filter, weft__bytes_once),
             SAMPLE(call_conv2d, RECIPE("xabcd xbb33 xb", "1 1 1 1 1 1 0 0 1"),
                    RECIPE("x2497 x6233 x6", "2 1 1 1 1 1 0 0 2"), RECIPE("xabcd x3b11 -", "1 1 0 0 1 1 0 0 1")))
WEFT__DEFINE(CONV2D_TRANSPOSE, conv2d_transpose, OPERANDS(FLOATS, FLOATS, FLOATS | OR_NULL), RESULTS(1, SUMMED),
             EFFECT(PURE),
             DERIVATIVE(weft__vjp_conv2d_transpose, ROUNDS_ONCE, READS(FIRST | SECOND), NO_KERNEL,
                        GRADIENT("of x: conv2d(g, w); of w: conv2d_weight(g, x); of b: the sum of g over N, H', W'")),
             WORK(by_channel, operand_by_filter, weft__bytes_once),
             SAMPLE(call_conv2d_transpose, RECIPE("xabcd xbb33 xb", "1 1 1 1 1 1 0 0 1"),
                    RECIPE("x2457 x4333 x6", "2 1 1 1 1 1 0 0 2")))
WEFT__DEFINE(CONV2D_WEIGHT, conv2d_weight, OPERANDS(FLOATS, FLOATS), RESULTS(1, SUMMED), EFFECT(PURE),
             DERIVATIVE(weft__vjp_conv2d_weight, ROUNDS_ONCE, READS(FIRST | SECOND), NO_KERNEL,
                        GRADIENT("with u the gradient that arrives: of x: conv2d_transpose(g, u); of g: conv2d(x, u)")),
             WORK(by_channel, gradient_by_filter, weft__bytes_once),
             SAMPLE(call_conv2d_weight, RECIPE("xabcd xabcd", "3 3 1 1 1 1 1 1 0 0 1"),
                    RECIPE("x2497 x2657", "3 3 2 1 1 1 1 1 0 0 2")))
