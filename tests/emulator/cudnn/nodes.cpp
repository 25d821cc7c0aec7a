/* nodes.cpp - see graph.h: what each kind of node computes, and the shapes that it takes. */
#include "graph.h"

#include <cmath>
#include <limits>
#include "cuda/dnn_api.h"

namespace cudnn
{

namespace
{

bool is_half(const Tensor &t)
{
    return t.type == WEFT__DNN_DATA_HALF || t.type == WEFT__DNN_DATA_BFLOAT16;
}

/* x's dims are y's, or 1. */
void need_broadcast(const Tensor &x, const Tensor &y)
{
    for (int d = 0; d < 4; d++)
        if (x.shape[d] != y.shape[d] && x.shape[d] != 1)
            refuse("shapes do not fit");
}

/* The values of a node's operand, read from memory where no node has computed them. */
Tensor &ready(Tensor &t)
{
    if (!t.values.empty())
        return t;
    if (t.is_virtual)
        refuse("a node reads what no node before it has written");
    t.load();
    return t;
}

/* A node's result, all set to start. */
Tensor &begin(Tensor &t, double start)
{
    t.values.assign(static_cast<size_t>(t.count()), start);
    return t;
}

void end(Tensor &t)
{
    t.round();
    if (!t.is_virtual)
        t.store();
}

double pointwise_value(int mode, double x, double b, double t)
{
    switch (mode) {
    case WEFT__DNN_POINTWISE_ADD:
        return x + b;
    case WEFT__DNN_POINTWISE_SUB:
        return x - b;
    case WEFT__DNN_POINTWISE_MUL:
        return x * b;
    case WEFT__DNN_POINTWISE_DIV:
        return x / b;
    case WEFT__DNN_POINTWISE_EXP:
        return std::exp(x);
    case WEFT__DNN_POINTWISE_LOG:
        return std::log(x);
    case WEFT__DNN_POINTWISE_CMP_GE:
        return x >= b ? 1 : 0;
    case WEFT__DNN_POINTWISE_SELECT:
        return t != 0 ? x : b;
    default:
        refuse("a pointwise mode that the stand-in does not know");
    }
}

/* The attributes of image, weights and grid, and which of them (0, 1, 2) is the result. */
struct Roles {
    int attributes[3], result;
};

Roles roles_of(int kind)
{
    if (kind == WEFT__DNN_CONV_FORWARD)
        return {{WEFT__DNN_FORWARD_X, WEFT__DNN_FORWARD_W, WEFT__DNN_FORWARD_Y}, 2};
    if (kind == WEFT__DNN_CONV_DATA)
        return {{WEFT__DNN_DATA_DX, WEFT__DNN_DATA_W, WEFT__DNN_DATA_DY}, 0};
    return {{WEFT__DNN_FILTER_X, WEFT__DNN_FILTER_DW, WEFT__DNN_FILTER_DY}, 1};
}

} /* namespace */

/* ---- What fits ---- */

void Graph::check(const Node &n)
{
    switch (n.kind) {
    case WEFT__DNN_CONV_FORWARD:
    case WEFT__DNN_CONV_DATA:
    case WEFT__DNN_CONV_FILTER:
        return check_convolution(n, roles_of(n.kind).attributes);
    case WEFT__DNN_OPERATION_POINTWISE:
        for (int a : {WEFT__DNN_POINTWISE_X, WEFT__DNN_POINTWISE_B, WEFT__DNN_POINTWISE_T})
            if (maybe(n, a))
                need_broadcast(of(n, a), of(n, WEFT__DNN_POINTWISE_Y));
        return;
    case WEFT__DNN_OPERATION_MATMUL: {
        const Tensor &a = of(n, WEFT__DNN_MATMUL_A), &b = of(n, WEFT__DNN_MATMUL_B), &c = of(n, WEFT__DNN_MATMUL_C);
        bool fits = a.shape[2] == c.shape[2] && a.shape[3] == b.shape[2] && b.shape[3] == c.shape[3];
        for (int d = 0; d < 2; d++)
            fits = fits && a.shape[d] == c.shape[d] && b.shape[d] == c.shape[d];
        if (!fits || (!a.is_virtual && !is_half(a)) || (!b.is_virtual && !is_half(b)))
            refuse("the matrices of a product do not fit");
        return;
    }
    case WEFT__DNN_OPERATION_REDUCTION:
        return need_broadcast(of(n, WEFT__DNN_REDUCTION_Y), of(n, WEFT__DNN_REDUCTION_X));
    default:
        if (of(n, WEFT__DNN_RESHAPE_X).count() != of(n, WEFT__DNN_RESHAPE_Y).count())
            refuse("a reshape changes the number of elements");
    }
}

void Graph::check_convolution(const Node &n, const int roles[3])
{
    const Tensor &x = of(n, roles[0]), &w = of(n, roles[1]), &y = of(n, roles[2]);
    bool sound = x.shape[0] == y.shape[0] && w.shape[0] == y.shape[1] && x.shape[1] % w.shape[1] == 0;
    for (size_t d = 0; d < 2; d++) {
        const int64_t room = x.shape[2 + d] + n.padding[d] + n.behind[d] - n.dilation[d] * (w.shape[2 + d] - 1) - 1;
        sound = sound && room / n.stride[d] + 1 == y.shape[2 + d];
    }
    if (!sound)
        refuse("the arrays of a convolution do not fit");
}

/* ---- What is computed ---- */

void Graph::run(Node &n)
{
    switch (n.kind) {
    case WEFT__DNN_CONV_FORWARD:
    case WEFT__DNN_CONV_DATA:
    case WEFT__DNN_CONV_FILTER:
        return convolve(n, roles_of(n.kind).attributes, roles_of(n.kind).result);
    case WEFT__DNN_OPERATION_POINTWISE:
        return pointwise(n);
    case WEFT__DNN_OPERATION_MATMUL:
        return multiply(n);
    case WEFT__DNN_OPERATION_REDUCTION:
        return reduce(n);
    default:
        return reshape(n);
    }
}

void Graph::pointwise(const Node &n)
{
    Tensor &x = of(n, WEFT__DNN_POINTWISE_X), &y = of(n, WEFT__DNN_POINTWISE_Y);
    Tensor *b = maybe(n, WEFT__DNN_POINTWISE_B), *t = maybe(n, WEFT__DNN_POINTWISE_T);
    for (Tensor *operand : {&x, b, t})
        if (operand)
            ready(*operand);
    begin(y, 0);
    for_each_place(y.shape, [&](const Place &p) {
        y.value(p) = n.mode == WEFT__DNN_POINTWISE_GEN_INDEX
                         ? static_cast<double>(p.at[n.axis])
                         : pointwise_value(n.mode, x.value(p), b ? b->value(p) : 0, t ? t->value(p) : 0);
    });
    end(y);
}

void Graph::multiply(const Node &n)
{
    Tensor &a = ready(of(n, WEFT__DNN_MATMUL_A)), &b = ready(of(n, WEFT__DNN_MATMUL_B));
    Tensor &c = begin(of(n, WEFT__DNN_MATMUL_C), 0);
    for_each_place(c.shape, [&](const Place &p) {
        double sum = 0;
        for (int64_t k = 0; k < a.shape[3]; k++)
            sum += a.value({{p.at[0], p.at[1], p.at[2], k}}) * b.value({{p.at[0], p.at[1], k, p.at[3]}});
        c.value(p) = sum;
    });
    end(c);
}

void Graph::reduce(const Node &n)
{
    const bool is_max = n.mode == WEFT__DNN_REDUCE_MAX;
    if (!is_max && n.mode != WEFT__DNN_REDUCE_ADD)
        refuse("a reduction that the stand-in does not know");
    Tensor &x = ready(of(n, WEFT__DNN_REDUCTION_X));
    Tensor &y = begin(of(n, WEFT__DNN_REDUCTION_Y), is_max ? -std::numeric_limits<double>::infinity() : 0);
    for_each_place(x.shape, [&](const Place &p) {
        double &to = y.value(p);
        const double from = x.value(p);
        to = !is_max ? to + from : from > to || std::isnan(from) ? from : to;
    });
    end(y);
}

/* y's strides are steps in x's memory. */
void Graph::reshape(const Node &n)
{
    Tensor &x = ready(of(n, WEFT__DNN_RESHAPE_X)), &y = begin(of(n, WEFT__DNN_RESHAPE_Y), 0);
    std::map<int64_t, double> memory;
    for_each_place(x.shape, [&](const Place &p) { memory[x.offset(p)] = x.value(p); });
    for_each_place(y.shape, [&](const Place &p) { y.value(p) = memory.at(y.offset(p)); });
    end(y);
}

void Graph::convolve(const Node &n, const int roles[3], int result)
{
    Tensor *const arrays[] = {&of(n, roles[0]), &of(n, roles[1]), &of(n, roles[2])};
    Tensor &x = *arrays[0], &w = *arrays[1], &y = *arrays[2];
    for (int role = 0; role < 3; role++)
        if (role != result)
            ready(*arrays[role]);
    begin(*arrays[result], 0);
    const int64_t per_group = y.shape[1] / (x.shape[1] / w.shape[1]);
    for_each_place(y.shape, [&](const Place &at) {
        for (int64_t c = 0; c < w.shape[1]; c++)
            for (int64_t r = 0; r < w.shape[2]; r++)
                for (int64_t s = 0; s < w.shape[3]; s++) {
                    const int64_t h = at.at[2] * n.stride[0] - n.padding[0] + r;
                    const int64_t v = at.at[3] * n.stride[1] - n.padding[1] + s;
                    if (h < 0 || h >= x.shape[2] || v < 0 || v >= x.shape[3])
                        continue;
                    const Place image = {{at.at[0], at.at[1] / per_group * w.shape[1] + c, h, v}};
                    const Place weight = {{at.at[1], c, r, s}};
                    if (result == 2)
                        y.value(at) += x.value(image) * w.value(weight);
                    else if (result == 0)
                        x.value(image) += y.value(at) * w.value(weight);
                    else
                        w.value(weight) += y.value(at) * x.value(image);
                }
    });
    end(*arrays[result]);
}

} /* namespace cudnn */
