/* graph.cpp - see graph.h: tensors, the nodes of a graph, and which tensors each must be given. */
#include "graph.h"

#include <cmath>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include "../simt/checker.h"
#include "cuda/dnn_api.h"

namespace cudnn
{

void refuse(const char *why)
{
    throw std::runtime_error(why);
}

void for_each_place(const int64_t shape[4], const std::function<void(const Place &)> &each)
{
    for (int64_t a = 0; a < shape[0]; a++)
        for (int64_t b = 0; b < shape[1]; b++)
            for (int64_t c = 0; c < shape[2]; c++)
                for (int64_t d = 0; d < shape[3]; d++)
                    each({{a, b, c, d}});
}

/* ---- Tensors ---- */

Tensor::Tensor(const Descriptor &d)
    : id(d.one<int64_t>(WEFT__DNN_TENSOR_UNIQUE_ID)), alignment(d.one<int64_t>(WEFT__DNN_TENSOR_BYTE_ALIGNMENT)),
      type(d.one<int>(WEFT__DNN_TENSOR_DATA_TYPE)), is_virtual(d.one<unsigned char>(WEFT__DNN_TENSOR_IS_VIRTUAL) != 0),
      is_scalar(d.one<unsigned char>(WEFT__DNN_TENSOR_IS_BY_VALUE) != 0)
{
    const auto dims = d.all<int64_t>(WEFT__DNN_TENSOR_DIMENSIONS), steps = d.all<int64_t>(WEFT__DNN_TENSOR_STRIDES);
    if (dims.size() != 4 || steps.size() != 4)
        refuse("a tensor has other than four dims, or not one stride for each");
    for (size_t k = 0; k < 4; k++) {
        shape[k] = dims.at(k);
        strides[k] = steps.at(k);
        if (shape[k] < 1 || strides[k] < (shape[k] > 1 ? 1 : 0))
            refuse("a dim is empty, reversed or standing still");
    }
}

int64_t Tensor::count() const
{
    return shape[0] * shape[1] * shape[2] * shape[3];
}

size_t Tensor::bytes() const
{
    return type == WEFT__DNN_DATA_FLOAT || type == WEFT__DNN_DATA_INT32 ? 4 : type == WEFT__DNN_DATA_BOOLEAN ? 1 : 2;
}

int64_t Tensor::offset(const Place &p) const
{
    int64_t at = 0;
    for (int d = 0; d < 4; d++)
        at += (shape[d] == 1 ? 0 : p.at[d]) * strides[d];
    return at;
}

size_t Tensor::span() const
{
    return (static_cast<size_t>(offset({{shape[0] - 1, shape[1] - 1, shape[2] - 1, shape[3] - 1}})) + 1) * bytes();
}

double &Tensor::value(const Place &p)
{
    int64_t at = 0;
    for (int d = 0; d < 4; d++)
        at = at * shape[d] + (shape[d] == 1 ? 0 : p.at[d]);
    return values.at(static_cast<size_t>(at));
}

void Tensor::load()
{
    values.resize(static_cast<size_t>(count()));
    for_each_place(shape, [&](const Place &place) {
        const char *p = data + static_cast<size_t>(offset(place)) * bytes();
        if (!is_scalar)
            simt::checker::read_by("cudnnBackendExecute", p, bytes());
        if (type == WEFT__DNN_DATA_FLOAT)
            value(place) = static_cast<double>(*reinterpret_cast<const float *>(p));
        else if (type == WEFT__DNN_DATA_INT32)
            value(place) = static_cast<double>(*reinterpret_cast<const int32_t *>(p));
        else if (type == WEFT__DNN_DATA_HALF)
            value(place) = static_cast<double>(__half2float(*reinterpret_cast<const __half *>(p)));
        else
            value(place) = static_cast<double>(__bfloat162float(*reinterpret_cast<const __nv_bfloat16 *>(p)));
    });
}

void Tensor::store()
{
    for_each_place(shape, [&](const Place &place) {
        char *p = data + static_cast<size_t>(offset(place)) * bytes();
        const float rounded = static_cast<float>(value(place));
        if (type == WEFT__DNN_DATA_FLOAT)
            *reinterpret_cast<float *>(p) = rounded;
        else if (type == WEFT__DNN_DATA_HALF)
            *reinterpret_cast<__half *>(p) = __float2half_rn(rounded);
        else
            *reinterpret_cast<__nv_bfloat16 *>(p) = __float2bfloat16_rn(rounded);
        simt::checker::written(p, bytes());
    });
}

void Tensor::round()
{
    for (double &v : values) {
        if (type == WEFT__DNN_DATA_INT32 || type == WEFT__DNN_DATA_BOOLEAN)
            continue;
        const float narrow = static_cast<float>(v);
        v = static_cast<double>(type == WEFT__DNN_DATA_HALF       ? __half2float(__float2half_rn(narrow))
                                : type == WEFT__DNN_DATA_BFLOAT16 ? __bfloat162float(__float2bfloat16_rn(narrow))
                                                                  : narrow);
    }
}

/* ---- Graphs ---- */

Graph::Graph(const Descriptor &d)
{
    for (const Descriptor *operation : d.all<Descriptor *>(WEFT__DNN_GRAPH_OPS))
        add(*operation);
    for (const Node &n : nodes)
        check(n);
}

Tensor &Graph::of(const Node &n, int attribute)
{
    return tensors.at(n.tensors.at(attribute));
}

Tensor *Graph::maybe(const Node &n, int attribute)
{
    return n.tensors.count(attribute) ? &of(n, attribute) : nullptr;
}

void Graph::link(Node &n, const Descriptor &operation, std::initializer_list<int> attributes)
{
    for (int a : attributes) {
        const Tensor t(operation.part(a));
        tensors.emplace(t.id, t);
        n.tensors[a] = t.id;
    }
}

void Graph::add_convolution(Node &n, const Descriptor &c)
{
    n.stride = c.all<int64_t>(WEFT__DNN_CONVOLUTION_STRIDES);
    n.padding = c.all<int64_t>(WEFT__DNN_CONVOLUTION_PRE_PADDINGS);
    n.behind = c.all<int64_t>(WEFT__DNN_CONVOLUTION_POST_PADDINGS);
    n.dilation = c.all<int64_t>(WEFT__DNN_CONVOLUTION_DILATIONS);
}

/* The attribute of what a kind of node writes. */
static int result_of(int kind)
{
    switch (kind) {
    case WEFT__DNN_CONV_FORWARD:
        return WEFT__DNN_FORWARD_Y;
    case WEFT__DNN_CONV_DATA:
        return WEFT__DNN_DATA_DX;
    case WEFT__DNN_CONV_FILTER:
        return WEFT__DNN_FILTER_DW;
    case WEFT__DNN_OPERATION_POINTWISE:
        return WEFT__DNN_POINTWISE_Y;
    case WEFT__DNN_OPERATION_MATMUL:
        return WEFT__DNN_MATMUL_C;
    case WEFT__DNN_OPERATION_REDUCTION:
        return WEFT__DNN_REDUCTION_Y;
    default:
        return WEFT__DNN_RESHAPE_Y;
    }
}

void Graph::add(const Descriptor &o)
{
    Node n;
    n.kind = o.kind;
    switch (n.kind) {
    case WEFT__DNN_CONV_FORWARD:
        link(n, o, {WEFT__DNN_FORWARD_X, WEFT__DNN_FORWARD_W, WEFT__DNN_FORWARD_Y});
        add_convolution(n, o.part(WEFT__DNN_FORWARD_CONV));
        break;
    case WEFT__DNN_CONV_DATA:
        link(n, o, {WEFT__DNN_DATA_DX, WEFT__DNN_DATA_W, WEFT__DNN_DATA_DY});
        add_convolution(n, o.part(WEFT__DNN_DATA_CONV));
        break;
    case WEFT__DNN_CONV_FILTER:
        link(n, o, {WEFT__DNN_FILTER_X, WEFT__DNN_FILTER_DW, WEFT__DNN_FILTER_DY});
        add_convolution(n, o.part(WEFT__DNN_FILTER_CONV));
        break;
    case WEFT__DNN_OPERATION_POINTWISE: {
        const Descriptor &what = o.part(WEFT__DNN_POINTWISE_DESCRIPTOR);
        n.mode = what.one<int>(WEFT__DNN_POINTWISE_MODE);
        n.axis = what.has(WEFT__DNN_POINTWISE_AXIS) ? what.one<int64_t>(WEFT__DNN_POINTWISE_AXIS) : -1;
        link(n, o, {WEFT__DNN_POINTWISE_X, WEFT__DNN_POINTWISE_Y});
        for (int a : {WEFT__DNN_POINTWISE_B, WEFT__DNN_POINTWISE_T})
            if (o.has(a))
                link(n, o, {a});
        break;
    }
    case WEFT__DNN_OPERATION_MATMUL:
        link(n, o, {WEFT__DNN_MATMUL_A, WEFT__DNN_MATMUL_B, WEFT__DNN_MATMUL_C});
        break;
    case WEFT__DNN_OPERATION_REDUCTION:
        n.mode = o.part(WEFT__DNN_REDUCTION_DESCRIPTOR).one<int>(WEFT__DNN_REDUCTION_OPERATOR);
        link(n, o, {WEFT__DNN_REDUCTION_X, WEFT__DNN_REDUCTION_Y});
        break;
    case WEFT__DNN_OPERATION_RESHAPE:
        link(n, o, {WEFT__DNN_RESHAPE_X, WEFT__DNN_RESHAPE_Y});
        break;
    default:
        refuse("an operation that the stand-in does not know");
    }
    tensors.at(n.tensors.at(result_of(n.kind))).is_written = true;
    nodes.push_back(n);
}

std::vector<Tensor *> Graph::outside()
{
    std::vector<Tensor *> list;
    for (auto &entry : tensors)
        if (!entry.second.is_virtual)
            list.push_back(&entry.second);
    return list;
}

bool Graph::has_room(const char *workspace, size_t bytes)
{
    const auto apart = [](const char *a, size_t a_bytes, const char *b, size_t b_bytes) {
        return a + a_bytes <= b || b + b_bytes <= a;
    };
    for (const Tensor *t : outside())
        for (const Tensor *other : outside()) {
            if (!t->is_written || t->is_scalar || other->is_scalar)
                continue;
            if (!apart(t->data, t->span(), workspace, bytes) ||
                (t != other && !apart(t->data, t->span(), other->data, other->span())))
                return false;
        }
    return true;
}

void Graph::carry_out()
{
    for (Node &n : nodes)
        run(n);
}

/* ---- Properties ---- */

bool Graph::dilated() const
{
    for (const Node &n : nodes)
        for (int64_t d : n.dilation)
            if (d != 1)
                return true;
    return false;
}

bool Graph::has_step(int64_t step) const
{
    for (const Node &n : nodes)
        for (int64_t s : n.stride)
            if (s == step)
                return true;
    return false;
}

bool Graph::has_product_over(int64_t terms) const
{
    for (const Node &n : nodes)
        if (n.kind == WEFT__DNN_OPERATION_MATMUL && tensors.at(n.tensors.at(WEFT__DNN_MATMUL_A)).shape[3] == terms)
            return true;
    return false;
}

} /* namespace cudnn */
