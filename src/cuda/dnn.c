/* dnn.c - the convolution launchers: cuDNN's plans where it has one that is exact, repeatable and modest in work space,
 * the kernels of kernels/conv.cu for everything else. Plans are kept by what they compute. */
#include <string.h>
#include "dnn_plan.h"
#include "host.h"
#include "kernels.h"
#include "launch.h"
#include "library.h"

enum { BUCKETS = 64, MOST_PLANS = 512, DIMS = 4 };

static const size_t most_workspace = (size_t)256 << 20;

typedef struct entry {
    weft__dnn_conv conv;
    weft__dnn_plan plan; /* without a plan: cuDNN is not to be asked again */
    struct entry *next;
} entry;

/* The device's part WEFT__CUDA_DNN. */
typedef struct dnn {
    weft__dnn_api api;
    void *handle; /* NULL: there is no usable cuDNN */
    entry *buckets[BUCKETS];
    int plans;
    void *workspace; /* one for all plans, since they run one after the other; grows to the largest */
    size_t workspace_bytes;
} dnn;

/* ---- The part ---- */

static void *allocate(const weft__cuda_device *d, size_t bytes)
{
    void *block = d->options.alloc(d->options.user, bytes, 64);
    if (block)
        memset(block, 0, bytes);
    return block;
}

static void drop_plans(weft__cuda_device *d, dnn *part)
{
    for (int k = 0; k < BUCKETS; k++)
        while (part->buckets[k]) {
            entry *e = part->buckets[k];
            part->buckets[k] = e->next;
            weft__dnn_drop_plan(&part->api, &e->plan);
            d->options.free(d->options.user, e, sizeof *e);
        }
    part->plans = 0;
}

static void close_part(weft__cuda_device *d, void *state)
{
    dnn *part = state;
    drop_plans(d, part);
    weft__cuda_free(d, part->workspace, part->workspace_bytes);
    if (part->handle)
        (void)part->api.destroy(part->handle);
    d->options.free(d->options.user, part, sizeof *part);
}

static void open_library(const weft__cuda_device *d, dnn *part)
{
    static const char *const names[WEFT__DNN_FUNCTION_COUNT] = {WEFT__DNN_FUNCTIONS};
    void (*functions[WEFT__DNN_FUNCTION_COUNT])(void);
    weft__cuda_opened opened;
    weft__cuda_library_open(WEFT__CUDA_CUDNN, &opened);
    if (!weft__cuda_library_functions(&opened, WEFT__DNN_FUNCTION_COUNT, names, functions))
        return;
    _Static_assert(sizeof part->api == sizeof functions, "the functions in the order of their names");
    memcpy(&part->api, functions, sizeof functions);
    if (part->api.create(&part->handle) != WEFT__DNN_SUCCESS) {
        part->handle = NULL;
        return;
    }
    if (part->api.set_stream(part->handle, d->stream) == WEFT__DNN_SUCCESS)
        return;
    (void)part->api.destroy(part->handle);
    part->handle = NULL;
}

/* NULL: do without. */
static dnn *part_of(const weft__exec *e)
{
    weft__cuda_device *d = weft__cuda_device_of(e);
    if (!d->parts[WEFT__CUDA_DNN].state) {
        dnn *part = allocate(d, sizeof *part);
        if (!part)
            return NULL;
        open_library(d, part);
        (void)cudaGetLastError(); /* cuDNN may have left one */
        d->parts[WEFT__CUDA_DNN].close = close_part;
        d->parts[WEFT__CUDA_DNN].state = part;
    }
    dnn *part = d->parts[WEFT__CUDA_DNN].state;
    return part->handle ? part : NULL;
}

/* ---- Plans ---- */

static uint64_t hash_of(const weft__dnn_conv *c)
{
    int64_t words[sizeof *c / sizeof(int64_t)];
    uint64_t hash = 0;
    memcpy(words, c, sizeof words);
    for (size_t k = 0; k < sizeof words / sizeof *words; k++)
        hash = (hash ^ (uint64_t)words[k]) * 0x9E3779B97F4A7C15u + (hash >> 29);
    return hash ^ hash >> 32;
}

static entry *find(const dnn *part, const weft__dnn_conv *c, uint64_t hash)
{
    entry *e = part->buckets[hash % BUCKETS];
    while (e && memcmp(&e->conv, c, sizeof *c) != 0)
        e = e->next;
    return e;
}

/* The plan for c, made now if it is new; one without a plan if cuDNN has none. NULL: out of host memory. */
static entry *plan_for(const weft__exec *exec, dnn *part, const weft__dnn_conv *c)
{
    weft__cuda_device *d = weft__cuda_device_of(exec);
    const uint64_t hash = hash_of(c);
    entry *e = find(part, c, hash);
    if (e)
        return e;
    if (part->plans == MOST_PLANS) { /* begin anew; none may be dropped that is still running */
        (void)cudaStreamSynchronize(d->stream);
        drop_plans(d, part);
    }
    e = allocate(d, sizeof *e);
    if (!e)
        return NULL;
    const weft__dnn_target target = {.handle = part->handle};
    e->conv = *c;
    (void)weft__dnn_make_plan(&part->api, &target, c, most_workspace, &e->plan);
    e->next = part->buckets[hash % BUCKETS];
    part->buckets[hash % BUCKETS] = e;
    part->plans++;
    return e;
}

static bool reserve(weft__cuda_device *d, dnn *part, size_t bytes)
{
    if (bytes <= part->workspace_bytes)
        return true;
    weft__cuda_free(d, part->workspace, part->workspace_bytes);
    part->workspace = weft__cuda_alloc(d, bytes);
    part->workspace_bytes = part->workspace ? bytes : 0;
    return part->workspace != NULL;
}

/* ---- Which convolutions go there ---- */

static int data_type_of(int32_t dtype)
{
    return dtype == WEFT_F32 ? WEFT__DNN_DATA_FLOAT : dtype == WEFT_F16 ? WEFT__DNN_DATA_HALF : WEFT__DNN_DATA_BFLOAT16;
}

/* f64 has kernels that are as good, arrays of more than 2^31 elements are too many for some of cuDNN's, and one channel a
 * group is better done directly. */
static bool suits(const weft__exec *e, const weft__array *const arrays[WEFT__DNN_ROLES])
{
    const int64_t groups = e->attrs->i[WEFT__CONV_GROUPS];
    if (arrays[0]->dtype != WEFT_F32 && arrays[0]->dtype != WEFT_F16 && arrays[0]->dtype != WEFT_BF16)
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
    c.data_type = data_type_of(arrays[0]->dtype);
    c.bias = bias != NULL;
    for (int role = 0; role < WEFT__DNN_ROLES; role++) {
        addresses |= (uintptr_t)arrays[role]->data;
        for (int d = 0; d < DIMS; d++) {
            c.shape[role][d] = arrays[role]->shape[d];
            c.strides[role][d] = arrays[role]->strides[d];
        }
    }
    c.alignment = (int64_t)(addresses & (~addresses + 1));
    for (int d = 0; d < 2; d++) {
        c.stride[d] = e->attrs->i[WEFT__CONV_STRIDE + d];
        c.padding[d] = e->attrs->i[WEFT__CONV_PADDING + d];
        c.dilation[d] = e->attrs->i[WEFT__CONV_DILATION + d];
    }
    return c;
}

/* False: nothing has come of it. */
static bool run_cudnn(const weft__exec *e, weft__dnn_way way, const weft__array *const arrays[WEFT__DNN_ROLES],
                      const weft__array *bias)
{
    dnn *part = suits(e, arrays) ? part_of(e) : NULL;
    if (!part)
        return false;
    const weft__dnn_conv c = describe(e, way, arrays, bias);
    entry *found = plan_for(e, part, &c);
    if (!found || !found->plan.plan || !reserve(weft__cuda_device_of(e), part, found->plan.workspace))
        return false;
    void *data[WEFT__DNN_ROLES];
    for (int role = 0; role < WEFT__DNN_ROLES; role++)
        data[role] = arrays[role]->data;
    if (weft__dnn_run_plan(&part->api, part->handle, &found->plan, data, bias ? bias->data : NULL, part->workspace))
        return true;
    weft__dnn_drop_plan(&part->api, &found->plan);
    (void)cudaGetLastError();
    return false;
}

/* ---- Launchers ---- */

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
