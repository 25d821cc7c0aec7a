/* dnn.c - see dnn.h: the device's part with the library's handle, the plans by what they compute, and the work
 * space. */
#include "dnn.h"
#include <string.h>
#include "host.h"
#include "launch.h"
#include "library.h"

enum { BUCKETS = 64, MOST_PLANS = 512, ROOM_ALIGNMENT = 256 };

typedef struct entry {
    weft__dnn_plan plan; /* without a plan: cuDNN is not to be asked again */
    struct entry *next;
    void (*build)(weft__dnn_graph *g, const void *what);
    size_t bytes;
    int64_t what[]; /* the problem's numbers */
} entry;

/* The device's part WEFT__CUDA_DNN. */
typedef struct dnn {
    weft__dnn_api api;
    void *handle; /* NULL: there is no usable cuDNN */
    int version;
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
            d->options.free(d->options.user, e, sizeof *e + e->bytes);
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
    part->version = opened.version;
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

int weft__cuda_dnn_version(const weft__exec *e)
{
    const dnn *part = part_of(e);
    return part ? part->version : 0;
}

int weft__cuda_dnn_data_type(int32_t dtype)
{
    switch (dtype) {
    case WEFT_F32:
        return WEFT__DNN_DATA_FLOAT;
    case WEFT_F16:
        return WEFT__DNN_DATA_HALF;
    case WEFT_BF16:
        return WEFT__DNN_DATA_BFLOAT16;
    default:
        return -1;
    }
}

/* ---- Plans ---- */

static uint64_t hash_of(const weft__dnn_problem *p)
{
    const unsigned char *what = p->what;
    uint64_t hash = (uint64_t)(uintptr_t)p->build;
    for (size_t k = 0; k < p->bytes; k += sizeof hash) {
        uint64_t word;
        memcpy(&word, what + k, sizeof word);
        hash = (hash ^ word) * 0x9E3779B97F4A7C15u + (hash >> 29);
    }
    return hash ^ hash >> 32;
}

static entry *find(const dnn *part, const weft__dnn_problem *p, uint64_t hash)
{
    entry *e = part->buckets[hash % BUCKETS];
    while (e && (e->build != p->build || e->bytes != p->bytes || memcmp(e->what, p->what, p->bytes) != 0))
        e = e->next;
    return e;
}

/* The plan for p, made now if it is new; one without a plan if cuDNN has none. NULL: out of host memory. */
static entry *plan_for(const weft__exec *exec, dnn *part, const weft__dnn_problem *p)
{
    weft__cuda_device *d = weft__cuda_device_of(exec);
    const uint64_t hash = hash_of(p);
    entry *e = find(part, p, hash);
    if (e)
        return e;
    if (part->plans == MOST_PLANS) { /* begin anew; none may be dropped that is still running */
        (void)cudaStreamSynchronize(d->stream);
        drop_plans(d, part);
    }
    e = allocate(d, sizeof *e + p->bytes);
    if (!e)
        return NULL;
    const weft__dnn_target target = {.handle = part->handle};
    e->build = p->build;
    e->bytes = p->bytes;
    memcpy(e->what, p->what, p->bytes);
    (void)weft__dnn_make_plan(&part->api, &target, p, WEFT__DNN_MOST_WORKSPACE, &e->plan);
    (void)cudaGetLastError(); /* of engines that could not be had */
    e->next = part->buckets[hash % BUCKETS];
    part->buckets[hash % BUCKETS] = e;
    part->plans++;
    return e;
}

/* ---- Runs ---- */

static size_t padded(size_t bytes)
{
    return (bytes + ROOM_ALIGNMENT - 1) / ROOM_ALIGNMENT * ROOM_ALIGNMENT;
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

bool weft__cuda_dnn_run(const weft__exec *e, const weft__dnn_problem *problem, const weft__dnn_argument *arguments,
                        int n)
{
    dnn *part = part_of(e);
    entry *found = part && n <= WEFT__DNN_MOST_ARGUMENTS ? plan_for(e, part, problem) : NULL;
    if (!found || !found->plan.plan)
        return false;
    size_t bytes = padded(found->plan.workspace);
    for (int k = 0; k < n; k++)
        bytes += padded(arguments[k].room);
    if (!reserve(weft__cuda_device_of(e), part, bytes))
        return false;
    void *data[WEFT__DNN_MOST_ARGUMENTS];
    size_t at = padded(found->plan.workspace);
    for (int k = 0; k < n; k++) {
        data[k] = arguments[k].room ? (char *)part->workspace + at : arguments[k].data;
        at += padded(arguments[k].room);
    }
    if (weft__dnn_run_plan(&part->api, part->handle, &found->plan, data, n, part->workspace))
        return true;
    (void)cudaStreamSynchronize(weft__stream(e)); /* an earlier part may still be running by it */
    weft__dnn_drop_plan(&part->api, &found->plan);
    (void)cudaGetLastError();
    return false;
}
