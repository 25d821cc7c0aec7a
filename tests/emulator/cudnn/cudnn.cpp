/* cudnn.cpp - see cudnn.h: the interface, engines and plans. */
#include "cudnn.h"

#include <cstring>
#include <memory>
#include "../cudart/runtime.h"
#include "../simt/heap.h"
#include "cuda/dnn_api.h"
#include "graph.h"

using cudnn::Descriptor;
using cudnn::Graph;
using cudnn::Tensor;

namespace
{

enum { SUCCESS = WEFT__DNN_SUCCESS, BAD_PARAM = 2000, NOT_SUPPORTED = 3000, FAILED = 5000 };
enum { NOT_REPEATABLE, GREEDY, GOOD, ENGINES };

constexpr int64_t workspace_of[ENGINES] = {0, INT64_C(1) << 40, 4096};
constexpr int64_t numbered_engine = 5, failing_step = 3, refused_width = 24, failing_width = 40;

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

/* The graph behind an engine configuration, of a heuristic or put together by hand. */
const Descriptor &graph_of(const Descriptor &configuration)
{
    if (configuration.has(WEFT__DNN_ENGINECFG_ENGINE))
        return configuration.part(WEFT__DNN_ENGINECFG_ENGINE).part(WEFT__DNN_ENGINE_GRAPH);
    return configuration.part(WEFT__DNN_HEUR_GRAPH);
}

/* The one engine that can be had by its number, with its knobs right. */
int finalize_configuration(Descriptor &configuration)
{
    std::map<int, int64_t> knobs;
    for (const Descriptor *k : configuration.all<Descriptor *>(WEFT__DNN_ENGINECFG_KNOBS))
        knobs[k->one<int>(WEFT__DNN_KNOB_CHOICE_TYPE)] = k->one<int64_t>(WEFT__DNN_KNOB_CHOICE_VALUE);
    configuration.engine = GOOD;
    const bool known =
        configuration.part(WEFT__DNN_ENGINECFG_ENGINE).one<int64_t>(WEFT__DNN_ENGINE_NUMBER) == numbered_engine &&
        knobs[WEFT__DNN_KNOB_KERNEL_CFG] == 31 && knobs[WEFT__DNN_KNOB_STAGES] == 2;
    return known ? SUCCESS : NOT_SUPPORTED;
}

int finalize_plan(Descriptor &plan)
{
    const Descriptor &configuration = plan.part(WEFT__DNN_PLAN_ENGINECFG);
    const Graph g(graph_of(configuration));
    plan.engine = configuration.engine;
    if (g.dilated() || g.has_product_over(refused_width)) {
        counts.refused++;
        return NOT_SUPPORTED;
    }
    counts.plans++;
    return SUCCESS;
}

/* A tensor is where the pack says, whole, and aligned as promised. */
bool place(Tensor &t, const std::vector<int64_t> &ids, const std::vector<char *> &pointers)
{
    for (size_t k = 0; k < ids.size(); k++)
        if (ids[k] == t.id)
            t.data = pointers[k];
    if (!t.data)
        return false;
    if (t.is_scalar) {
        t.load();
        return true;
    }
    return reinterpret_cast<uintptr_t>(t.data) % static_cast<uintptr_t>(t.alignment) == 0 &&
           simt::heap_holds(t.data, t.span());
}

int run(const Handle &handle, const Descriptor &plan, const Descriptor &pack)
{
    const auto ids = pack.all<int64_t>(WEFT__DNN_PACK_UNIQUE_IDS);
    const auto pointers = pack.all<char *>(WEFT__DNN_PACK_DATA_POINTERS);
    char *workspace = pack.one<char *>(WEFT__DNN_PACK_WORKSPACE);
    const auto g = std::make_shared<Graph>(graph_of(plan.part(WEFT__DNN_PLAN_ENGINECFG)));
    const cudart::StreamRef stream = cudart::find_stream(handle.stream);
    if (plan.engine != GOOD || ids.size() != pointers.size() || !stream ||
        !simt::heap_holds(workspace, workspace_of[GOOD]))
        return BAD_PARAM;
    for (Tensor *t : g->outside())
        if (!place(*t, ids, pointers))
            return BAD_PARAM;
    if (!g->has_room(workspace, static_cast<size_t>(workspace_of[GOOD])))
        return BAD_PARAM;
    if (g->has_step(failing_step) || g->has_product_over(failing_width)) {
        counts.failed++;
        return FAILED;
    }
    counts.runs++;
    cudart::push(stream, [g, workspace] {
        memset(workspace, 0xFF, static_cast<size_t>(workspace_of[GOOD]));
        g->carry_out();
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
    return 91900;
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
            status = d.has(WEFT__DNN_GRAPH_HANDLE) ? (Graph(d), SUCCESS) : BAD_PARAM;
        else if (d.kind == WEFT__DNN_ENGINECFG)
            status = finalize_configuration(d);
        else if (d.kind == WEFT__DNN_PLAN)
            status = d.has(WEFT__DNN_PLAN_HANDLE) ? finalize_plan(d) : BAD_PARAM;
    } catch (const std::exception &) { /* an attribute is missing, or shapes do not fit */
        counts.refused++;
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
