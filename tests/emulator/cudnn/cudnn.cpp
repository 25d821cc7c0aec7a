/* cudnn.cpp - see cudnn.h. Attributes are kept as the bytes that they were set to. */
#include "cudnn.h"

#include <cstring>
#include <map>
#include <vector>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include "../cudart/runtime.h"
#include "../simt/checker.h"
#include "../simt/heap.h"
#include "cuda/dnn_api.h"

namespace
{

enum { SUCCESS = WEFT__DNN_SUCCESS, BAD_PARAM = 2000, NOT_SUPPORTED = 3000, FAILED = 5000 };
enum { NOT_REPEATABLE, GREEDY, GOOD, ENGINES };

constexpr int64_t workspace_of[ENGINES] = {0, INT64_C(1) << 40, 4096};

struct Descriptor {
    int kind = 0, engine = 0;
    bool finalized = false;
    std::map<int, std::vector<unsigned char>> attributes;

    bool has(int attribute) const
    {
        return attributes.count(attribute) != 0;
    }
    template <class T> std::vector<T> all(int attribute) const
    {
        const std::vector<unsigned char> &bytes = attributes.at(attribute);
        std::vector<T> values(bytes.size() / sizeof(T));
        memcpy(values.data(), bytes.data(), bytes.size());
        return values;
    }
    template <class T> T one(int attribute) const
    {
        return all<T>(attribute).at(0);
    }
    const Descriptor &part(int attribute) const
    {
        return *static_cast<const Descriptor *>(one<void *>(attribute));
    }
};

struct Handle {
    cudaStream_t stream = nullptr;
};

cudnn_counts counts;

size_t bytes_of(int type)
{
    switch (type) {
    case WEFT__DNN_TYPE_HANDLE:
    case WEFT__DNN_TYPE_INT64:
    case WEFT__DNN_TYPE_VOID_PTR:
    case WEFT__DNN_TYPE_DESCRIPTOR:
        return 8;
    case WEFT__DNN_TYPE_BOOLEAN:
    case WEFT__DNN_TYPE_CHAR:
        return 1;
    default:
        return 4;
    }
}

/* ---- A convolution, read off its graph ---- */

struct Tensor {
    int64_t id = 0, shape[4] = {}, strides[4] = {};
    int type = 0;
    bool is_virtual = false;
    char *data = nullptr;

    explicit Tensor(const Descriptor &d)
        : id(d.one<int64_t>(WEFT__DNN_TENSOR_UNIQUE_ID)), type(d.one<int>(WEFT__DNN_TENSOR_DATA_TYPE)),
          is_virtual(d.one<unsigned char>(WEFT__DNN_TENSOR_IS_VIRTUAL) != 0)
    {
        memcpy(shape, d.all<int64_t>(WEFT__DNN_TENSOR_DIMENSIONS).data(), sizeof shape);
        memcpy(strides, d.all<int64_t>(WEFT__DNN_TENSOR_STRIDES).data(), sizeof strides);
    }
    int64_t bytes() const
    {
        return type == WEFT__DNN_DATA_FLOAT ? 4 : 2;
    }
    int64_t span() const
    {
        int64_t last = 0;
        for (int d = 0; d < 4; d++)
            last += (shape[d] - 1) * strides[d];
        return (last + 1) * bytes();
    }
    char *at(int64_t a, int64_t b, int64_t c, int64_t d) const
    {
        return data + (a * strides[0] + b * strides[1] + c * strides[2] + d * strides[3]) * bytes();
    }
    double load(int64_t a, int64_t b, int64_t c, int64_t d) const
    {
        const char *p = at(a, b, c, d);
        if (type == WEFT__DNN_DATA_FLOAT)
            return static_cast<double>(*reinterpret_cast<const float *>(p));
        if (type == WEFT__DNN_DATA_HALF)
            return static_cast<double>(__half2float(*reinterpret_cast<const __half *>(p)));
        return static_cast<double>(__bfloat162float(*reinterpret_cast<const __nv_bfloat16 *>(p)));
    }
    void store(int64_t a, int64_t b, int64_t c, int64_t d, double value) const
    {
        char *p = at(a, b, c, d);
        if (type == WEFT__DNN_DATA_FLOAT)
            *reinterpret_cast<float *>(p) = static_cast<float>(value);
        else if (type == WEFT__DNN_DATA_HALF)
            *reinterpret_cast<__half *>(p) = __float2half_rn(static_cast<float>(value));
        else
            *reinterpret_cast<__nv_bfloat16 *>(p) = __float2bfloat16_rn(static_cast<float>(value));
        simt::checker::written(p, static_cast<size_t>(bytes()));
    }
};

struct Convolution {
    int kind;
    std::vector<Tensor> tensors; /* x, w, y */
    std::vector<Tensor> extra;   /* bias and the result that it makes */
    std::vector<int64_t> stride, padding, dilation;

    explicit Convolution(const Descriptor &graph)
    {
        const auto operations = graph.all<Descriptor *>(WEFT__DNN_GRAPH_OPS);
        const Descriptor &o = *operations.at(0);
        kind = o.kind;
        const bool forward = kind == WEFT__DNN_CONV_FORWARD, data = kind == WEFT__DNN_CONV_DATA;
        for (int a : {forward ? WEFT__DNN_FORWARD_X
                      : data  ? WEFT__DNN_DATA_DX
                              : WEFT__DNN_FILTER_X,
                      forward ? WEFT__DNN_FORWARD_W
                      : data  ? WEFT__DNN_DATA_W
                              : WEFT__DNN_FILTER_DW,
                      forward ? WEFT__DNN_FORWARD_Y
                      : data  ? WEFT__DNN_DATA_DY
                              : WEFT__DNN_FILTER_DY})
            tensors.emplace_back(o.part(a));
        const Descriptor &c = o.part(forward ? WEFT__DNN_FORWARD_CONV
                                     : data  ? WEFT__DNN_DATA_CONV
                                             : WEFT__DNN_FILTER_CONV);
        stride = c.all<int64_t>(WEFT__DNN_CONVOLUTION_STRIDES);
        padding = c.all<int64_t>(WEFT__DNN_CONVOLUTION_PRE_PADDINGS);
        dilation = c.all<int64_t>(WEFT__DNN_CONVOLUTION_DILATIONS);
        if (operations.size() > 1) {
            extra.emplace_back(operations[1]->part(WEFT__DNN_POINTWISE_B));
            extra.emplace_back(operations[1]->part(WEFT__DNN_POINTWISE_Y));
        }
    }

    bool is_sound() const
    {
        const Tensor &x = tensors[0], &w = tensors[1], &y = tensors[2];
        bool sound = x.shape[0] == y.shape[0] && w.shape[0] == y.shape[1] && x.shape[1] % w.shape[1] == 0;
        for (int d = 0; d < 2; d++)
            sound =
                sound && (x.shape[2 + d] + 2 * padding[d] - dilation[d] * (w.shape[2 + d] - 1) - 1) / stride[d] + 1 ==
                             y.shape[2 + d];
        return sound;
    }

    /* Calls each(n, k, p, q, c, r, s, h, w, channel of x) for every product. */
    template <class Each> void products(Each &&each) const
    {
        const Tensor &x = tensors[0], &w = tensors[1], &y = tensors[2];
        const int64_t groups = x.shape[1] / w.shape[1], per_group = y.shape[1] / groups;
        for (int64_t n = 0; n < y.shape[0]; n++)
            for (int64_t k = 0; k < y.shape[1]; k++)
                for (int64_t p = 0; p < y.shape[2]; p++)
                    for (int64_t q = 0; q < y.shape[3]; q++)
                        for (int64_t c = 0; c < w.shape[1]; c++)
                            for (int64_t r = 0; r < w.shape[2]; r++)
                                for (int64_t s = 0; s < w.shape[3]; s++) {
                                    const int64_t h = p * stride[0] - padding[0] + r,
                                                  v = q * stride[1] - padding[1] + s;
                                    if (h >= 0 && h < x.shape[2] && v >= 0 && v < x.shape[3])
                                        each(n, k, p, q, c, r, s, h, v, k / per_group * w.shape[1] + c);
                                }
    }

    void carry_out() const
    {
        const Tensor &x = tensors[0], &w = tensors[1], &y = tensors[2];
        const Tensor &result = kind == WEFT__DNN_CONV_FORWARD ? y : kind == WEFT__DNN_CONV_DATA ? x : w;
        std::vector<double> sums(
            static_cast<size_t>(result.shape[0] * result.shape[1] * result.shape[2] * result.shape[3]));
        const auto sum = [&](int64_t a, int64_t b, int64_t c, int64_t d) -> double & {
            return sums.at(
                static_cast<size_t>(((a * result.shape[1] + b) * result.shape[2] + c) * result.shape[3] + d));
        };
        products([&](int64_t n, int64_t k, int64_t p, int64_t q, int64_t c, int64_t r, int64_t s, int64_t h, int64_t v,
                     int64_t channel) {
            if (kind == WEFT__DNN_CONV_FORWARD)
                sum(n, k, p, q) += x.load(n, channel, h, v) * w.load(k, c, r, s);
            else if (kind == WEFT__DNN_CONV_DATA)
                sum(n, channel, h, v) += y.load(n, k, p, q) * w.load(k, c, r, s);
            else
                sum(k, c, r, s) += y.load(n, k, p, q) * x.load(n, channel, h, v);
        });
        for (int64_t a = 0; a < result.shape[0]; a++)
            for (int64_t b = 0; b < result.shape[1]; b++)
                for (int64_t c = 0; c < result.shape[2]; c++)
                    for (int64_t d = 0; d < result.shape[3]; d++)
                        (extra.empty() ? result : extra[1])
                            .store(a, b, c, d, sum(a, b, c, d) + (extra.empty() ? 0 : extra[0].load(0, b, 0, 0)));
    }
};

/* The graph behind an engine configuration. */
const Descriptor &graph_of(const Descriptor &configuration)
{
    return configuration.part(WEFT__DNN_HEUR_GRAPH);
}

int finalize_plan(Descriptor &plan)
{
    const Descriptor &configuration = plan.part(WEFT__DNN_PLAN_ENGINECFG);
    const Convolution c(graph_of(configuration));
    plan.engine = configuration.engine;
    if (c.dilation[0] != 1 || c.dilation[1] != 1) {
        counts.refused++;
        return NOT_SUPPORTED;
    }
    counts.plans++;
    return SUCCESS;
}

int run(const Handle &handle, const Descriptor &plan, const Descriptor &pack)
{
    const auto ids = pack.all<int64_t>(WEFT__DNN_PACK_UNIQUE_IDS);
    const auto pointers = pack.all<char *>(WEFT__DNN_PACK_DATA_POINTERS);
    char *workspace = pack.one<char *>(WEFT__DNN_PACK_WORKSPACE);
    Convolution c(graph_of(plan.part(WEFT__DNN_PLAN_ENGINECFG)));
    const cudart::StreamRef stream = cudart::find_stream(handle.stream);
    if (plan.engine != GOOD || ids.size() != pointers.size() || !stream ||
        !simt::heap_holds(workspace, workspace_of[GOOD]))
        return BAD_PARAM;
    for (auto *list : {&c.tensors, &c.extra})
        for (Tensor &t : *list) {
            for (size_t k = 0; k < ids.size(); k++)
                if (ids[k] == t.id)
                    t.data = pointers[k];
            if (!t.is_virtual && (!t.data || !simt::heap_holds(t.data, static_cast<size_t>(t.span()))))
                return BAD_PARAM;
        }
    if (c.stride[0] == 3 || c.stride[1] == 3) {
        counts.failed++;
        return FAILED;
    }
    counts.runs++;
    cudart::push(stream, [c, workspace] {
        memset(workspace, 0xFF, static_cast<size_t>(workspace_of[GOOD]));
        c.carry_out();
    });
    return SUCCESS;
}

} /* namespace */

cudnn_counts cudnn_count()
{
    return counts;
}

extern "C" {

size_t cudnnGetVersion(void)
{
    return 90000;
}

int cudnnCreate(void **handle)
{
    *handle = new Handle;
    counts.live++;
    return SUCCESS;
}

int cudnnDestroy(void *handle)
{
    delete static_cast<Handle *>(handle);
    counts.live--;
    return SUCCESS;
}

int cudnnSetStream(void *handle, cudaStream_t stream)
{
    static_cast<Handle *>(handle)->stream = stream;
    return SUCCESS;
}

int cudnnBackendCreateDescriptor(int kind, void **made)
{
    Descriptor *d = new Descriptor;
    d->kind = kind;
    *made = d;
    counts.live++;
    return SUCCESS;
}

int cudnnBackendDestroyDescriptor(void *descriptor)
{
    delete static_cast<Descriptor *>(descriptor);
    counts.live--;
    return SUCCESS;
}

int cudnnBackendSetAttribute(void *descriptor, int attribute, int type, int64_t n, const void *values)
{
    Descriptor &d = *static_cast<Descriptor *>(descriptor);
    if (d.finalized)
        return BAD_PARAM;
    const unsigned char *bytes = static_cast<const unsigned char *>(values);
    d.attributes[attribute].assign(bytes, bytes + static_cast<size_t>(n) * bytes_of(type));
    return SUCCESS;
}

int cudnnBackendFinalize(void *descriptor)
{
    Descriptor &d = *static_cast<Descriptor *>(descriptor);
    int status = SUCCESS;
    try {
        if (d.kind == WEFT__DNN_GRAPH)
            status = d.has(WEFT__DNN_GRAPH_HANDLE) && Convolution(d).is_sound() ? SUCCESS : BAD_PARAM;
        else if (d.kind == WEFT__DNN_PLAN)
            status = d.has(WEFT__DNN_PLAN_HANDLE) ? finalize_plan(d) : BAD_PARAM;
    } catch (const std::exception &) { /* an attribute is missing */
        return BAD_PARAM;
    }
    d.finalized = status == SUCCESS;
    return status;
}

int cudnnBackendGetAttribute(void *descriptor, int attribute, int, int64_t n, int64_t *got, void *values)
{
    static const int bad_note = WEFT__DNN_NOTE_NONDETERMINISTIC, fine_note = WEFT__DNN_NOTE_STRICT_NAN_PROP;
    Descriptor &d = *static_cast<Descriptor *>(descriptor);
    *got = 1;
    switch (attribute) {
    case WEFT__DNN_HEUR_RESULTS:
        *got = n < int64_t(ENGINES) ? n : int64_t(ENGINES);
        for (int k = 0; k < *got; k++) {
            Descriptor *to = static_cast<Descriptor **>(values)[k];
            to->engine = k;
            to->finalized = true;
            to->attributes[WEFT__DNN_HEUR_GRAPH] = d.attributes.at(WEFT__DNN_HEUR_GRAPH);
        }
        return SUCCESS;
    case WEFT__DNN_ENGINECFG_ENGINE:
        (*static_cast<Descriptor **>(values))->engine = d.engine;
        return SUCCESS;
    case WEFT__DNN_ENGINE_NUMERICAL_NOTE:
        memcpy(values, d.engine == NOT_REPEATABLE ? &bad_note : &fine_note, sizeof bad_note);
        return SUCCESS;
    case WEFT__DNN_PLAN_WORKSPACE_SIZE:
        memcpy(values, &workspace_of[d.engine], sizeof workspace_of[d.engine]);
        return SUCCESS;
    default:
        return BAD_PARAM;
    }
}

int cudnnBackendExecute(void *handle, void *plan, void *pack)
{
    cudart::Call call("cudnnBackendExecute");
    if (call.refused())
        return FAILED;
    try {
        return run(*static_cast<Handle *>(handle), *static_cast<Descriptor *>(plan), *static_cast<Descriptor *>(pack));
    } catch (const std::exception &) {
        return BAD_PARAM;
    }
}

} /* extern "C" */
