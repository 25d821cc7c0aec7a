/* dnn_conv.c - the launchers of convolutions: cuDNN's plans where there is one, the kernels of kernels/conv.cu for
 * everything else. */
#include <string.h>
#include "dnn.h"
#include "kernels.h"
#include "launch.h"

/* Arrays of more than 2^31 elements are too many for some of cuDNN's engines, and one channel a group is better done
 * directly. */
static bool suits(const weft__exec *e, const weft__array *const arrays[WEFT__DNN_ROLES])
{
    const int64_t groups = e->attrs->conv.groups;
    if (weft__cuda_dnn_data_type(arrays[0]->dtype) < 0)
        return false;
    for (int role = 0; role < WEFT__DNN_ROLES; role++)
        if (arrays[role]->count == 0 || arrays[role]->count > INT32_MAX)
            return false;
    return groups == 1 || (arrays[WEFT__DNN_IMAGE]->shape[1] > groups && arrays[WEFT__DNN_GRID]->shape[1] > groups);
}

static weft__dnn_conv describe(const weft__exec *e, weft__dnn_way way, const weft__array *const arrays[WEFT__DNN_ROLES],
                               const weft__array *bias)
{
    weft__dnn_conv c;
    uintptr_t addresses = 16 | (bias ? (uintptr_t)bias->data : 0);
    memset(&c, 0, sizeof c);
    c.way = way;
    c.data_type = weft__cuda_dnn_data_type(arrays[0]->dtype);
    c.bias = bias != NULL;
    for (int role = 0; role < WEFT__DNN_ROLES; role++) {
        addresses |= (uintptr_t)arrays[role]->data;
        memcpy(c.arrays[role].shape, arrays[role]->shape, sizeof c.arrays[role].shape);
        memcpy(c.arrays[role].strides, arrays[role]->strides, sizeof c.arrays[role].strides);
    }
    c.alignment = (int64_t)(addresses & (~addresses + 1));
    for (int d = 0; d < 2; d++) {
        c.stride[d] = e->attrs->conv.stride[d];
        c.padding[d] = e->attrs->conv.padding[d];
        c.dilation[d] = e->attrs->conv.dilation[d];
    }
    return c;
}

/* False: nothing has come of it. */
static bool run_cudnn(const weft__exec *e, weft__dnn_way way, const weft__array *const arrays[WEFT__DNN_ROLES],
                      const weft__array *bias)
{
    if (weft__cuda_invariant(e) || !suits(e, arrays)) /* its plans follow from the number of images */
        return false;
    const weft__dnn_conv c = describe(e, way, arrays, bias);
    const weft__dnn_problem problem = weft__dnn_conv_problem(&c);
    weft__dnn_argument arguments[WEFT__DNN_CONV_TENSORS] = {[WEFT__DNN_BIAS] = {bias ? bias->data : NULL, 0}};
    for (int role = 0; role < WEFT__DNN_ROLES; role++)
        arguments[role].data = arrays[role]->data;
    return weft__cuda_dnn_run(e, &problem, arguments, WEFT__DNN_CONV_TENSORS);
}

weft_status weft__cuda_conv2d(const weft__exec *e)
{
    const weft__array *const arrays[WEFT__DNN_ROLES] = {e->in[0], e->in[1], e->out[0]};
    return run_cudnn(e, WEFT__DNN_FORWARD, arrays, e->in[2]) ? WEFT_OK : weft__cuda_conv2d_tiled(e);
}

/* cuDNN adds no bias to a data gradient. */
weft_status weft__cuda_conv2d_transpose(const weft__exec *e)
{
    const weft__array *const arrays[WEFT__DNN_ROLES] = {e->out[0], e->in[1], e->in[0]};
    if (!run_cudnn(e, WEFT__DNN_DATA, arrays, NULL))
        return weft__cuda_conv2d_transpose_tiled(e);
    return e->in[2] ? weft__cuda_conv2d_add_bias(e) : WEFT_OK;
}

weft_status weft__cuda_conv2d_weight(const weft__exec *e)
{
    const weft__array *const arrays[WEFT__DNN_ROLES] = {e->in[0], e->out[0], e->in[1]};
    return run_cudnn(e, WEFT__DNN_FILTER, arrays, NULL) ? WEFT_OK : weft__cuda_conv2d_weight_tiled(e);
}
