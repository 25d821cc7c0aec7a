/* dnn_graph.c - see dnn_graph.h. */
#include "dnn_graph.h"

enum { BETWEEN = 1000 }; /* ids of tensors between operations begin above */

/* ---- Descriptors ---- */

weft__dnn_descriptor weft__dnn_make(weft__dnn_graph *g, int kind)
{
    weft__dnn_descriptor d = NULL;
    g->fine = g->fine && g->made->n < WEFT__DNN_MOST_DESCRIPTORS && g->api->make(kind, &d) == WEFT__DNN_SUCCESS;
    if (!g->fine)
        return NULL;
    g->made->list[g->made->n++] = d;
    return d;
}

void weft__dnn_set(weft__dnn_graph *g, weft__dnn_descriptor d, int attribute, int type, int64_t n, const void *values)
{
    g->fine = g->fine && g->api->set(d, attribute, type, n, values) == WEFT__DNN_SUCCESS;
}

void weft__dnn_set_descriptor(weft__dnn_graph *g, weft__dnn_descriptor d, int attribute, weft__dnn_descriptor value)
{
    weft__dnn_set(g, d, attribute, WEFT__DNN_TYPE_DESCRIPTOR, 1, &value);
}

void weft__dnn_set_number(weft__dnn_graph *g, weft__dnn_descriptor d, int attribute, int64_t value)
{
    weft__dnn_set(g, d, attribute, WEFT__DNN_TYPE_INT64, 1, &value);
}

/* cuDNN's enumerations are ints. */
void weft__dnn_set_enum(weft__dnn_graph *g, weft__dnn_descriptor d, int attribute, int type, int value)
{
    weft__dnn_set(g, d, attribute, type, 1, &value);
}

weft__dnn_descriptor weft__dnn_finish(weft__dnn_graph *g, weft__dnn_descriptor d)
{
    g->fine = g->fine && g->api->finalize(d) == WEFT__DNN_SUCCESS;
    return d;
}

void weft__dnn_unmake(const weft__dnn_api *api, weft__dnn_made *made, int n)
{
    while (made->n > n)
        api->unmake(made->list[--made->n]);
}

/* ---- Tensors ---- */

static weft__dnn_descriptor tensor(weft__dnn_graph *g, int64_t id, int data_type, const weft__dnn_layout *layout,
                                   bool is_virtual, bool is_by_value)
{
    weft__dnn_descriptor d = weft__dnn_make(g, WEFT__DNN_TENSOR);
    weft__dnn_set_enum(g, d, WEFT__DNN_TENSOR_DATA_TYPE, WEFT__DNN_TYPE_DATA_TYPE, data_type);
    weft__dnn_set(g, d, WEFT__DNN_TENSOR_DIMENSIONS, WEFT__DNN_TYPE_INT64, 4, layout->shape);
    weft__dnn_set(g, d, WEFT__DNN_TENSOR_STRIDES, WEFT__DNN_TYPE_INT64, 4, layout->strides);
    weft__dnn_set_number(g, d, WEFT__DNN_TENSOR_UNIQUE_ID, id);
    weft__dnn_set_number(g, d, WEFT__DNN_TENSOR_BYTE_ALIGNMENT, g->alignment);
    weft__dnn_set(g, d, WEFT__DNN_TENSOR_IS_VIRTUAL, WEFT__DNN_TYPE_BOOLEAN, 1, &is_virtual);
    weft__dnn_set(g, d, WEFT__DNN_TENSOR_IS_BY_VALUE, WEFT__DNN_TYPE_BOOLEAN, 1, &is_by_value);
    return weft__dnn_finish(g, d);
}

weft__dnn_descriptor weft__dnn_array(weft__dnn_graph *g, int64_t id, int data_type, const weft__dnn_layout *layout)
{
    return tensor(g, id, data_type, layout, false, false);
}

weft__dnn_descriptor weft__dnn_scalar(weft__dnn_graph *g, int64_t id, int data_type)
{
    const weft__dnn_layout one = {{1, 1, 1, 1}, {1, 1, 1, 1}};
    return tensor(g, id, data_type, &one, false, true);
}

weft__dnn_descriptor weft__dnn_between(weft__dnn_graph *g, int data_type, const weft__dnn_layout *layout)
{
    return tensor(g, BETWEEN + ++g->last_id, data_type, layout, true, false);
}

/* ---- Operations ---- */

void weft__dnn_append(weft__dnn_graph *g, weft__dnn_descriptor operation)
{
    weft__dnn_finish(g, operation);
    g->fine = g->fine && g->n_operations < WEFT__DNN_MOST_OPERATIONS;
    if (g->fine)
        g->operations[g->n_operations++] = operation;
}

/* what: a finished POINTWISE descriptor */
static void append_pointwise(weft__dnn_graph *g, weft__dnn_descriptor what, weft__dnn_descriptor x,
                             weft__dnn_descriptor b, weft__dnn_descriptor t, weft__dnn_descriptor y)
{
    weft__dnn_descriptor d = weft__dnn_make(g, WEFT__DNN_OPERATION_POINTWISE);
    weft__dnn_set_descriptor(g, d, WEFT__DNN_POINTWISE_DESCRIPTOR, what);
    weft__dnn_set_descriptor(g, d, WEFT__DNN_POINTWISE_X, x);
    if (b)
        weft__dnn_set_descriptor(g, d, WEFT__DNN_POINTWISE_B, b);
    if (t)
        weft__dnn_set_descriptor(g, d, WEFT__DNN_POINTWISE_T, t);
    weft__dnn_set_descriptor(g, d, WEFT__DNN_POINTWISE_Y, y);
    weft__dnn_append(g, d);
}

static weft__dnn_descriptor begin_pointwise(weft__dnn_graph *g, int mode, int compute_type)
{
    weft__dnn_descriptor d = weft__dnn_make(g, WEFT__DNN_POINTWISE);
    weft__dnn_set_enum(g, d, WEFT__DNN_POINTWISE_MODE, WEFT__DNN_TYPE_POINTWISE_MODE, mode);
    weft__dnn_set_enum(g, d, WEFT__DNN_POINTWISE_MATH_PREC, WEFT__DNN_TYPE_DATA_TYPE, compute_type);
    return d;
}

void weft__dnn_pointwise(weft__dnn_graph *g, int mode, int compute_type, weft__dnn_descriptor x, weft__dnn_descriptor b,
                         weft__dnn_descriptor t, weft__dnn_descriptor y)
{
    append_pointwise(g, weft__dnn_finish(g, begin_pointwise(g, mode, compute_type)), x, b, t, y);
}

void weft__dnn_index(weft__dnn_graph *g, int64_t dim, weft__dnn_descriptor x, weft__dnn_descriptor y)
{
    weft__dnn_descriptor d = begin_pointwise(g, WEFT__DNN_POINTWISE_GEN_INDEX, WEFT__DNN_DATA_FLOAT);
    weft__dnn_set_number(g, d, WEFT__DNN_POINTWISE_AXIS, dim);
    append_pointwise(g, weft__dnn_finish(g, d), x, NULL, NULL, y);
}

void weft__dnn_matmul(weft__dnn_graph *g, weft__dnn_descriptor a, weft__dnn_descriptor b, weft__dnn_descriptor c)
{
    weft__dnn_descriptor what = weft__dnn_make(g, WEFT__DNN_MATMUL);
    weft__dnn_set_enum(g, what, WEFT__DNN_MATMUL_COMP_TYPE, WEFT__DNN_TYPE_DATA_TYPE, WEFT__DNN_DATA_FLOAT);
    weft__dnn_finish(g, what);
    weft__dnn_descriptor d = weft__dnn_make(g, WEFT__DNN_OPERATION_MATMUL);
    weft__dnn_set_descriptor(g, d, WEFT__DNN_MATMUL_A, a);
    weft__dnn_set_descriptor(g, d, WEFT__DNN_MATMUL_B, b);
    weft__dnn_set_descriptor(g, d, WEFT__DNN_MATMUL_C, c);
    weft__dnn_set_descriptor(g, d, WEFT__DNN_MATMUL_DESCRIPTOR, what);
    weft__dnn_append(g, d);
}

void weft__dnn_reduce(weft__dnn_graph *g, int how, weft__dnn_descriptor x, weft__dnn_descriptor y)
{
    weft__dnn_descriptor what = weft__dnn_make(g, WEFT__DNN_REDUCTION);
    weft__dnn_set_enum(g, what, WEFT__DNN_REDUCTION_OPERATOR, WEFT__DNN_TYPE_REDUCTION, how);
    weft__dnn_set_enum(g, what, WEFT__DNN_REDUCTION_COMP_TYPE, WEFT__DNN_TYPE_DATA_TYPE, WEFT__DNN_DATA_FLOAT);
    weft__dnn_finish(g, what);
    weft__dnn_descriptor d = weft__dnn_make(g, WEFT__DNN_OPERATION_REDUCTION);
    weft__dnn_set_descriptor(g, d, WEFT__DNN_REDUCTION_X, x);
    weft__dnn_set_descriptor(g, d, WEFT__DNN_REDUCTION_Y, y);
    weft__dnn_set_descriptor(g, d, WEFT__DNN_REDUCTION_DESCRIPTOR, what);
    weft__dnn_append(g, d);
}

void weft__dnn_reshape(weft__dnn_graph *g, weft__dnn_descriptor x, weft__dnn_descriptor y)
{
    weft__dnn_descriptor d = weft__dnn_make(g, WEFT__DNN_OPERATION_RESHAPE);
    weft__dnn_set_descriptor(g, d, WEFT__DNN_RESHAPE_X, x);
    weft__dnn_set_descriptor(g, d, WEFT__DNN_RESHAPE_Y, y);
    weft__dnn_append(g, d);
}

weft__dnn_descriptor weft__dnn_close_graph(weft__dnn_graph *g)
{
    weft__dnn_descriptor d = weft__dnn_make(g, WEFT__DNN_GRAPH);
    if (g->target->handle)
        weft__dnn_set(g, d, WEFT__DNN_GRAPH_HANDLE, WEFT__DNN_TYPE_HANDLE, 1, &g->target->handle);
    weft__dnn_set(g, d, WEFT__DNN_GRAPH_OPS, WEFT__DNN_TYPE_DESCRIPTOR, g->n_operations, g->operations);
    return weft__dnn_finish(g, d);
}
