/* pool.c - records of pooling. */
#include "define.h"

#define SUMS WORK(weft__terms_ratio, weft__flops_each, weft__bytes_once)

/* i: kernel, stride, padding (two each) */
static weft_pool2d_params params_of(const int64_t *i)
{
    return (weft_pool2d_params){.kernel = {i[0], i[1]}, .stride = {i[2], i[3]}, .padding = {i[4], i[5]}};
}

CALL(max_pool2d)
{
    weft_pool2d_params params = params_of(c->i);
    c->out[0] = weft_max_pool2d(c->in[0], &params);
}

CALL(avg_pool2d)
{
    weft_pool2d_params params = params_of(c->i);
    c->out[0] = weft_avg_pool2d(c->in[0], &params);
}

/* i: height, width, then as above */
CALL(avg_unpool2d)
{
    weft_pool2d_params params = params_of(c->i + 2);
    c->out[0] = weft_avg_unpool2d(c->in[0], c->i, &params);
}

/* The index of each largest element is kept, and is all that the derivative reads. */
WEFT__DEFINE(MAX_POOL2D, max_pool2d, OPERANDS(FLOATS), RESULTS(1, EXACT, EXACT), EFFECT(PURE),
             DERIVATIVE(weft__vjp_max_pool2d, ROUNDS_ONCE, READS(NOTHING), MAX_POOL2D_GRAD,
                        GRADIENT("g at the place of each window's largest element")),
             SUMS, SAMPLE(call_max_pool2d, RECIPE("xabcd", "2 2 2 2 0 0"), RECIPE("x2398", "3 2 2 2 1 1")))
WEFT__DEFINE(MAX_POOL2D_GRAD, max_pool2d_grad, OPERANDS(FLOATS, POSITIONS), RESULTS(0, SUMMED), EFFECT(PURE),
             NO_DERIVATIVE, SUMS, SAMPLE_OF(MAX_POOL2D))
WEFT__DEFINE(AVG_POOL2D, avg_pool2d, OPERANDS(FLOATS), RESULTS(1, SUMMED), EFFECT(PURE),
             DERIVATIVE(weft__vjp_avg_pool2d, ROUNDS_ONCE, READS(NOTHING), NO_KERNEL, GRADIENT("avg_unpool2d(g)")),
             SUMS, SAMPLE(call_avg_pool2d, RECIPE("xabcd", "2 2 2 2 0 0"), RECIPE("x2398", "3 2 2 2 1 1")))
WEFT__DEFINE(AVG_UNPOOL2D, avg_unpool2d, OPERANDS(FLOATS), RESULTS(1, SUMMED), EFFECT(PURE),
             DERIVATIVE(weft__vjp_avg_unpool2d, ROUNDS_ONCE, READS(NOTHING), NO_KERNEL, GRADIENT("avg_pool2d(g)")),
             SUMS, SAMPLE(call_avg_unpool2d, RECIPE("xabcd", "2c 2d 2 2 2 2 0 0"), RECIPE("x2355", "9 8 3 2 2 2 1 1")))
