/* test_cudnn_plans.c - the plans that convolutions get from cuDNN on GPUs that need not be there: cuDNN is told their
 * properties. Skipped, with the reason, where cuDNN 9.8 or later is not installed. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda/dnn_plan.h"
#include "harness/weft_test.h"

#if defined(__has_include)
#if __has_include(<cudnn_graph.h>)
#include <cudnn_graph.h>
#define COMPARE(name, theirs, number) _Static_assert((int)(theirs) == (number), "cuDNN's " #theirs);
WEFT__DNN_ENUM_LIST(COMPARE)
#undef COMPARE
#endif
#endif

enum { OLDEST = 90800 }; /* takes descriptions of devices */

static const size_t most_workspace = (size_t)256 << 20;

/* ---- cuDNN ---- */

typedef struct library {
    weft__dnn_api api;
    int version;
    char reason[256]; /* why there is none; "": there is one */
} library;

static bool resolve(void *handle, const char *name, void (**function)(void))
{
    void *symbol = dlsym(handle, name);
    memcpy(function, &symbol, sizeof symbol);
    return symbol != NULL;
}

static void open_library(library *l)
{
    static const char *const names[WEFT__DNN_FUNCTION_COUNT] = {WEFT__DNN_FUNCTIONS};
    static const char *const places[] = {"libcudnn.so.9", "/usr/local/cuda/lib64/libcudnn.so.9"};
    const char *wish = getenv("WEFT_CUDNN");
    void *handle = NULL;
    memset(l, 0, sizeof *l);
    for (int k = 0; !handle && k < 2; k++)
        handle = dlopen(wish && *wish ? wish : places[k], RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        snprintf(l->reason, sizeof l->reason, "cuDNN is not here: %.200s", dlerror());
        return;
    }
    void (*functions[WEFT__DNN_FUNCTION_COUNT])(void), (*version)(void);
    for (int k = 0; k < WEFT__DNN_FUNCTION_COUNT; k++)
        if (!resolve(handle, names[k], &functions[k]))
            snprintf(l->reason, sizeof l->reason, "cuDNN has no %s", names[k]);
    if (!resolve(handle, "cudnnGetVersion", &version))
        snprintf(l->reason, sizeof l->reason, "cuDNN has no cudnnGetVersion");
    if (l->reason[0])
        return;
    memcpy(&l->api, functions, sizeof l->api);
    l->version = (int)((size_t(*)(void))version)();
    if (l->version < OLDEST)
        snprintf(l->reason, sizeof l->reason, "cuDNN %d takes no descriptions of devices", l->version);
}

static const library *the_library(void)
{
    static library one;
    static bool opened;
    if (!opened)
        open_library(&one);
    opened = true;
    return &one;
}

/* ---- Devices ---- */

typedef struct gpu {
    const char *name;
    int sm, multiprocessors, shared_opt_in;
} gpu;

static const gpu gpus[] = {
    {"NVIDIA A100-SXM4-80GB", 800, 108, 166912},
    {"NVIDIA H100 80GB HBM3", 900, 132, 232448},
    {"NVIDIA B200", 1000, 148, 232448},
    {"NVIDIA GeForce RTX 5090", 1200, 170, 101376},
};

enum { GPUS = sizeof gpus / sizeof *gpus };

static weft__dnn_descriptor describe(const weft__dnn_api *api, const gpu *g)
{
    char json[2048];
    int n =
        snprintf(json, sizeof json,
                 "{\"deviceName\":\"%s\",\"cudaDeviceId\":0,\"deviceVer\":%d,\"driverVer\":13000,\"isTccDriver\":0,"
                 "\"l2CacheSize\":52428800,\"maxCtasPerSM\":32,\"maxRegistersPerSM\":65536,"
                 "\"maxSharedMemoryPerBlock\":49152,\"maxSharedMemoryPerBlockOptin\":%d,\"maxThreadsPerBlock\":1024,"
                 "\"maxThreadsPerSM\":2048,\"memClockRateKHz\":2619000,\"multiProcessorCount\":%d,"
                 "\"pciDeviceId\":0,\"regsPerBlock\":65536,\"reservedSharedMemoryPerBlock\":1024,"
                 "\"smClockRateKHz\":1980000,\"supportCoopLaunch\":1,\"totalGlobalMem\":85014216704,"
                 "\"warpSize\":32,\"maxBlockSize\":[1024,1024,64],\"maxGridSize\":[2147483647,65535,65535]}",
                 g->name, g->sm, g->shared_opt_in, g->multiprocessors);
    weft__dnn_descriptor d = NULL;
    if (api->make(WEFT__DNN_DEVICEPROP, &d) != WEFT__DNN_SUCCESS ||
        api->set(d, WEFT__DNN_DEVICEPROP_JSON, WEFT__DNN_TYPE_CHAR, n + 1, json) != WEFT__DNN_SUCCESS ||
        api->finalize(d) != WEFT__DNN_SUCCESS) {
        WEFT_FAIL("cuDNN does not take the description of %s", g->name);
        return NULL;
    }
    return d;
}

/* ---- Convolutions ---- */

typedef struct layer {
    const char *name;
    int64_t n, c, h, k, r, stride, padding, groups;
} layer;

static const layer layers[] = {
    {"3x3", 32, 64, 56, 64, 3, 1, 1, 1},     {"3x3 stride 2", 32, 128, 56, 128, 3, 2, 1, 1},
    {"1x1", 32, 64, 56, 256, 1, 1, 0, 1},    {"7x7 stride 2, three channels", 32, 3, 224, 64, 7, 2, 3, 1},
    {"groups", 16, 64, 28, 128, 3, 1, 1, 4}, {"odd", 3, 5, 13, 7, 3, 1, 1, 1},
};

enum { LAYERS = sizeof layers / sizeof *layers };

static void dense(int64_t *strides, const int64_t *shape)
{
    int64_t stride = 1;
    for (int d = 3; d >= 0; d--) {
        strides[d] = stride;
        stride *= shape[d];
    }
}

static weft__dnn_conv convolution_of(const layer *l, weft__dnn_way way, int data_type, bool bias)
{
    const int64_t out = (l->h + 2 * l->padding - l->r) / l->stride + 1;
    weft__dnn_conv c;
    memset(&c, 0, sizeof c);
    c.way = way;
    c.data_type = data_type;
    c.bias = bias;
    c.alignment = 16;
    const int64_t shapes[WEFT__DNN_ROLES][4] = {
        {l->n, l->c, l->h, l->h}, {l->k, l->c / l->groups, l->r, l->r}, {l->n, l->k, out, out}};
    for (int role = 0; role < WEFT__DNN_ROLES; role++) {
        memcpy(c.shape[role], shapes[role], sizeof shapes[role]);
        dense(c.strides[role], shapes[role]);
    }
    for (int d = 0; d < 2; d++) {
        c.stride[d] = l->stride;
        c.padding[d] = l->padding;
        c.dilation[d] = 1;
    }
    return c;
}

/* ---- Tests ---- */

/* What an engine may not be noted for: everything but tensor cores, where arrays are halves, and NaN that spread. */
static bool is_bad_note(int note, int data_type)
{
    return note != WEFT__DNN_NOTE_STRICT_NAN_PROP &&
           (note != WEFT__DNN_NOTE_TENSOR_CORE || data_type == WEFT__DNN_DATA_FLOAT);
}

/* Asks the plan itself which engine it runs. */
static void check_engine(const weft__dnn_api *api, const weft__dnn_plan *plan, const char *what, int data_type)
{
    weft__dnn_descriptor configuration = NULL, engine = NULL;
    int notes[64];
    int64_t n = 0;
    WEFT_REQUIRE(api->make(WEFT__DNN_ENGINECFG, &configuration) == WEFT__DNN_SUCCESS);
    WEFT_REQUIRE(api->make(WEFT__DNN_ENGINE, &engine) == WEFT__DNN_SUCCESS);
    WEFT_CHECK(api->get(plan->plan, WEFT__DNN_PLAN_ENGINECFG, WEFT__DNN_TYPE_DESCRIPTOR, 1, &n, &configuration) ==
               WEFT__DNN_SUCCESS);
    WEFT_CHECK(api->get(configuration, WEFT__DNN_ENGINECFG_ENGINE, WEFT__DNN_TYPE_DESCRIPTOR, 1, &n, &engine) ==
               WEFT__DNN_SUCCESS);
    WEFT_CHECK(api->get(engine, WEFT__DNN_ENGINE_NUMERICAL_NOTE, WEFT__DNN_TYPE_NUMERICAL_NOTE, 64, &n, notes) ==
               WEFT__DNN_SUCCESS);
    for (int64_t k = 0; k < n; k++)
        if (is_bad_note(notes[k], data_type))
            WEFT_FAIL("%s: an engine with numerical note %d was chosen", what, notes[k]);
    api->unmake(engine);
    api->unmake(configuration);
}

static void check_plan(const weft__dnn_api *api, const weft__dnn_target *target, const gpu *g, const layer *l,
                       const weft__dnn_conv *c)
{
    static const char *const ways[] = {"forward", "data gradient", "weight gradient"};
    char what[160];
    snprintf(what, sizeof what, "%s, %s, %s%s, data type %d", g->name, l->name, ways[c->way],
             c->bias ? " with bias" : "", (int)c->data_type);
    weft__dnn_plan plan, small;
    if (!weft__dnn_make_plan(api, target, c, most_workspace, &plan)) {
        WEFT_FAIL("%s: no plan", what);
        return;
    }
    check_engine(api, &plan, what, (int)c->data_type);
    if (plan.workspace > most_workspace)
        WEFT_FAIL("%s: a work space of %zu bytes", what, plan.workspace);
    if (plan.workspace > 0) { /* a tighter limit holds too */
        const bool found = weft__dnn_make_plan(api, target, c, plan.workspace - 1, &small);
        if (found && small.workspace >= plan.workspace)
            WEFT_FAIL("%s: a limit of %zu bytes gave a plan of %zu", what, plan.workspace - 1, small.workspace);
        weft__dnn_drop_plan(api, &small);
    }
    weft__dnn_drop_plan(api, &plan);
    WEFT_CHECK(plan.plan == NULL && plan.n_made == 0);
}

static void check_gpu(const gpu *g)
{
    const library *cudnn = the_library();
    static const int types[] = {WEFT__DNN_DATA_FLOAT, WEFT__DNN_DATA_HALF, WEFT__DNN_DATA_BFLOAT16};
    if (cudnn->reason[0])
        WEFT_SKIP("%s", cudnn->reason);
    const weft__dnn_target target = {.device_prop = describe(&cudnn->api, g)};
    if (!target.device_prop)
        return;
    for (size_t k = 0; k < LAYERS * sizeof types / sizeof *types; k++) {
        const layer *l = &layers[k % LAYERS];
        for (int way = WEFT__DNN_FORWARD; way <= WEFT__DNN_FILTER; way++) {
            const weft__dnn_conv c = convolution_of(l, (weft__dnn_way)way, types[k / LAYERS], false);
            check_plan(&cudnn->api, &target, g, l, &c);
        }
        const weft__dnn_conv c = convolution_of(l, WEFT__DNN_FORWARD, types[k / LAYERS], true);
        check_plan(&cudnn->api, &target, g, l, &c);
    }
    cudnn->api.unmake(target.device_prop);
}

WEFT_TEST(CudnnPlans, Sm80)
{
    check_gpu(&gpus[0]);
}

WEFT_TEST(CudnnPlans, Sm90)
{
    check_gpu(&gpus[1]);
}

WEFT_TEST(CudnnPlans, Sm100)
{
    check_gpu(&gpus[2]);
}

WEFT_TEST(CudnnPlans, Sm120)
{
    check_gpu(&gpus[3]);
}

/* What cuDNN refuses comes back as no plan, with nothing left behind. */
WEFT_TEST(CudnnPlans, RefusedConvolutions)
{
    const library *cudnn = the_library();
    if (cudnn->reason[0])
        WEFT_SKIP("%s", cudnn->reason);
    const weft__dnn_target target = {.device_prop = describe(&cudnn->api, &gpus[1])};
    weft__dnn_conv wrong_size = convolution_of(&layers[0], WEFT__DNN_FORWARD, WEFT__DNN_DATA_FLOAT, false);
    wrong_size.shape[WEFT__DNN_GRID][2] += 5;
    weft__dnn_conv wrong_channels = convolution_of(&layers[0], WEFT__DNN_FORWARD, WEFT__DNN_DATA_FLOAT, false);
    wrong_channels.shape[WEFT__DNN_WEIGHTS][1] = 7;
    const weft__dnn_conv *refused[] = {&wrong_size, &wrong_channels};
    for (int k = 0; k < 2; k++) {
        weft__dnn_plan plan;
        WEFT_CHECK(!weft__dnn_make_plan(&cudnn->api, &target, refused[k], most_workspace, &plan));
        WEFT_CHECK(plan.plan == NULL && plan.n_made == 0);
    }
    cudnn->api.unmake(target.device_prop);
}
