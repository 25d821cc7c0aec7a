/* product.c - records of matmul, linear, linear_act and their kernels. */
#include "define.h"

/* A multiply-add for each element of the result and of its sum. */
static double product_flops(const weft__work *w)
{
    const weft__array *a = w->in[0];
    return a && a->ndim > 0 ? 2 * weft__count(w->out[0]) * (double)a->shape[a->ndim - 1] : 0;
}

CALL(matmul)
{
    c->out[0] = weft_matmul(c->in[0], c->in[1]);
}

CALL(linear)
{
    c->out[0] = weft_linear(c->in[0], c->in[1], c->in[2]);
}

/* x, w, b; i: activation */
CALL(linear_act)
{
    c->out[0] = weft_linear_act(c->in[0], c->in[1], c->in[2], (weft_activation)c->i[0]);
}

WEFT__DEFINE(MATMUL, matmul, OPERANDS(FLOATS | STRIDED, FLOATS | STRIDED), RESULTS(1, SUMMED), EFFECT(PURE),
             DERIVATIVE(weft__vjp_matmul, ROUNDS_ONCE, READS(FIRST | SECOND), NO_KERNEL,
                        GRADIENT("of a: g b^T; of b: a^T g; summed over dims that were broadcast")),
             WORK(weft__terms_columns, product_flops, weft__bytes_once),
             SAMPLE(call_matmul, RECIPE("xac xcb", ""), RECIPE("x3ac xcb", ""), RECIPE("xc x2cb", "")))
WEFT__DEFINE(LINEAR, linear, OPERANDS(FLOATS, FLOATS | STRIDED, FLOATS | OR_NULL), RESULTS(1, SUMMED), EFFECT(PURE),
             DERIVATIVE(weft__vjp_linear, ROUNDS_ONCE, READS(FIRST | SECOND), LINEAR_GRAD,
                        GRADIENT("of x: g w; of w: g^T x; of b: the sum of g over the rows")),
             WORK(weft__terms_columns, product_flops, weft__bytes_once),
             SAMPLE(call_linear, RECIPE("xac xbc xb", ""), RECIPE("x2ac xbc -", "")))

/* RELU's gradient reads the result. That of GELU reads the sums, which the kernel keeps, and its own derivative makes
 * them again, with the bias. */
static uint64_t activation_reads(const weft__attrs *attrs)
{
    const uint64_t operands = FIRST | SECOND;
    switch (attrs->linear.activation) {
    case WEFT_ACTIVATION_GELU_TANH:
        return operands | THIRD;
    case WEFT_ACTIVATION_RELU:
        return operands | RESULT;
    default:
        return operands;
    }
}

WEFT__DEFINE(LINEAR_ACT, linear_act, OPERANDS(FLOATS, FLOATS | STRIDED, FLOATS | OR_NULL), RESULTS(1, SUMMED, SUMMED),
             EFFECT(PURE),
             DERIVATIVE(weft__vjp_linear_act, IN_STEPS, READS_BY(activation_reads), LINEAR_GRAD,
                        GRADIENT("those of linear, after g times the activation's derivative")),
             WORK(weft__terms_columns, product_flops, weft__bytes_once),
             SAMPLE(call_linear_act, RECIPE("xac xbc xb", "2"), RECIPE("xac xbc xb", "1"), RECIPE("xac xbc xb", "0"),
                    RECIPE("x2ac xbc -", "2")))

/* g [M, N], x [M, K]: sums over the rows, and each element of dw takes one column of g. */
static int64_t row_terms(const weft__work *w, int result)
{
    (void)result;
    return w->in[0] && w->in[0]->ndim > 0 ? w->in[0]->shape[0] : 1;
}

static double row_flops(const weft__work *w)
{
    return w->in[0] && w->in[0]->ndim > 0 ? 2 * weft__count(w->out[0]) * (double)w->in[0]->shape[0] : 0;
}

WEFT__DEFINE(LINEAR_GRAD, linear_grad, OPERANDS(FLOATS, FLOATS), RESULTS(0, SUMMED, SUMMED), EFFECT(PURE),
             NO_DERIVATIVE, WORK(row_terms, row_flops, weft__bytes_once), SAMPLE_OF(LINEAR))
