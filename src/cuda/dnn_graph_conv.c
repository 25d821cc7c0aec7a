/* dnn_graph_conv.c - a convolution with its bias, or one of its gradients, as a graph. */
#include "dnn_graphs.h"

static weft__dnn_descriptor convolution(weft__dnn_graph *g, const weft__dnn_conv *c)
{
    weft__dnn_descriptor d = weft__dnn_make(g, WEFT__DNN_CONVOLUTION);
    weft__dnn_set_enum(g, d, WEFT__DNN_CONVOLUTION_COMP_TYPE, WEFT__DNN_TYPE_DATA_TYPE, WEFT__DNN_DATA_FLOAT);
    weft__dnn_set_enum(g, d, WEFT__DNN_CONVOLUTION_MODE, WEFT__DNN_TYPE_CONVOLUTION_MODE, WEFT__DNN_CROSS_CORRELATION);
    weft__dnn_set_number(g, d, WEFT__DNN_CONVOLUTION_SPATIAL_DIMS, 2);
    weft__dnn_set(g, d, WEFT__DNN_CONVOLUTION_PRE_PADDINGS, WEFT__DNN_TYPE_INT64, 2, c->padding);
    weft__dnn_set(g, d, WEFT__DNN_CONVOLUTION_POST_PADDINGS, WEFT__DNN_TYPE_INT64, 2, c->padding);
    weft__dnn_set(g, d, WEFT__DNN_CONVOLUTION_DILATIONS, WEFT__DNN_TYPE_INT64, 2, c->dilation);
    weft__dnn_set(g, d, WEFT__DNN_CONVOLUTION_STRIDES, WEFT__DNN_TYPE_INT64, 2, c->stride);
    return weft__dnn_finish(g, d);
}

/* The operation of each way and its attributes, those of the arrays in the order of the roles. */
static const struct {
    int operation, conv, alpha, beta, role[WEFT__DNN_ROLES];
    weft__dnn_role result;
} ways[] = {
    [WEFT__DNN_FORWARD] = {WEFT__DNN_CONV_FORWARD,
                           WEFT__DNN_FORWARD_CONV,
                           WEFT__DNN_FORWARD_ALPHA,
                           WEFT__DNN_FORWARD_BETA,
                           {WEFT__DNN_FORWARD_X, WEFT__DNN_FORWARD_W, WEFT__DNN_FORWARD_Y},
                           WEFT__DNN_GRID},
    [WEFT__DNN_DATA] = {WEFT__DNN_CONV_DATA,
                        WEFT__DNN_DATA_CONV,
                        WEFT__DNN_DATA_ALPHA,
                        WEFT__DNN_DATA_BETA,
                        {WEFT__DNN_DATA_DX, WEFT__DNN_DATA_W, WEFT__DNN_DATA_DY},
                        WEFT__DNN_IMAGE},
    [WEFT__DNN_FILTER] = {WEFT__DNN_CONV_FILTER,
                          WEFT__DNN_FILTER_CONV,
                          WEFT__DNN_FILTER_ALPHA,
                          WEFT__DNN_FILTER_BETA,
                          {WEFT__DNN_FILTER_X, WEFT__DNN_FILTER_DW, WEFT__DNN_FILTER_DY},
                          WEFT__DNN_WEIGHTS},
};

static void append_convolution(weft__dnn_graph *g, const weft__dnn_conv *c,
                               const weft__dnn_descriptor tensors[WEFT__DNN_ROLES])
{
    const float one = 1, zero = 0;
    weft__dnn_descriptor conv = convolution(g, c), d = weft__dnn_make(g, ways[c->way].operation);
    weft__dnn_set_descriptor(g, d, ways[c->way].conv, conv);
    weft__dnn_set(g, d, ways[c->way].alpha, WEFT__DNN_TYPE_FLOAT, 1, &one);
    weft__dnn_set(g, d, ways[c->way].beta, WEFT__DNN_TYPE_FLOAT, 1, &zero);
    for (int role = 0; role < WEFT__DNN_ROLES; role++)
        weft__dnn_set_descriptor(g, d, ways[c->way].role[role], tensors[role]);
    weft__dnn_append(g, d);
}

/* y = sum + bias, the values of a channel each */
static void append_bias(weft__dnn_graph *g, const weft__dnn_conv *c, weft__dnn_descriptor sum, weft__dnn_descriptor y,
                        int64_t channels)
{
    const weft__dnn_layout layout = {{1, channels, 1, 1}, {channels, 1, 1, 1}};
    weft__dnn_descriptor bias = weft__dnn_array(g, WEFT__DNN_BIAS + 1, (int)c->data_type, &layout);
    weft__dnn_pointwise(g, WEFT__DNN_POINTWISE_ADD, WEFT__DNN_DATA_FLOAT, sum, bias, NULL, y);
}

static void build(weft__dnn_graph *g, const void *what)
{
    const weft__dnn_conv *c = what;
    const weft__dnn_role result = ways[c->way].result;
    weft__dnn_descriptor tensors[WEFT__DNN_ROLES];
    g->alignment = c->alignment;
    g->strict_f32 = c->data_type == WEFT__DNN_DATA_FLOAT;
    for (int role = 0; role < WEFT__DNN_ROLES; role++)
        tensors[role] = weft__dnn_array(g, role + 1, (int)c->data_type, &c->arrays[role]);
    weft__dnn_descriptor y = tensors[result];
    if (c->bias)
        tensors[result] = weft__dnn_between(g, WEFT__DNN_DATA_FLOAT, &c->arrays[result]);
    append_convolution(g, c, tensors);
    if (c->bias)
        append_bias(g, c, tensors[result], y, c->arrays[result].shape[1]);
}

weft__dnn_problem weft__dnn_conv_problem(const weft__dnn_conv *conv)
{
    const weft__dnn_problem problem = {build, conv, sizeof *conv};
    return problem;
}
