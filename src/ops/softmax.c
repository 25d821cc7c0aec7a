/* softmax.c - records of softmax, log_softmax and their kernels. */
#include "define.h"

static int64_t along_dim(const weft__work *w, int result)
{
    (void)result;
    return w->attrs && w->in[0] && w->in[0]->ndim > 0 ? w->in[0]->shape[w->attrs->along.dim] : 1;
}

#define SOFTMAX_ROW(ID, name)                                                                                          \
    WEFT__DEFINE(ID, name, OPERANDS(FLOATS), RESULTS(1, ROWWISE), EFFECT(PURE),                                        \
                 DERIVATIVE(weft__vjp_##name, IN_STEPS, READS(RESULT), ID##_GRAD),                                     \
                 WORK(along_dim, weft__flops_each, weft__bytes_once))                                                  \
    WEFT__DEFINE(ID##_GRAD, name##_grad, OPERANDS(FLOATS, FLOATS), RESULTS(0, DERIVED), EFFECT(PURE), NO_DERIVATIVE,   \
                 WORK(along_dim, weft__flops_each, weft__bytes_once))

SOFTMAX_ROW(SOFTMAX, softmax)
SOFTMAX_ROW(LOG_SOFTMAX, log_softmax)
