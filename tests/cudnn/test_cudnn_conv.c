/* test_cudnn_conv.c - the plans that convolutions get from cuDNN on GPUs that need not be there: cuDNN is told their
 * properties. Skipped, with the reason, where cuDNN 9.8 or later is not installed. */
#include <stdio.h>
#include <string.h>

#include "cuda/dnn_graphs.h"
#include "harness/weft_test.h"
#include "watch.h"

#if defined(__has_include)
#if __has_include(<cudnn_graph.h>)
#include <cudnn_graph.h>
#define COMPARE(name, theirs, number) _Static_assert((int)(theirs) == (number), "cuDNN's " #theirs);
WEFT__DNN_ENUM_LIST(COMPARE)
#undef COMPARE
#endif
#endif

static const size_t most_workspace = (size_t)256 << 20;

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

static weft__dnn_layout dense(const int64_t *shape)
{
    weft__dnn_layout l;
    int64_t stride = 1;
    for (int d = 3; d >= 0; d--) {
        l.shape[d] = shape[d];
        l.strides[d] = stride;
        stride *= shape[d];
    }
    return l;
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
    for (int role = 0; role < WEFT__DNN_ROLES; role++)
        c.arrays[role] = dense(shapes[role]);
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

static void check_plan(const weft__dnn_api *api, const weft__dnn_target *target, const char *gpu, const layer *l,
                       const weft__dnn_conv *c)
{
    static const char *const ways[] = {"forward", "data gradient", "weight gradient"};
    char what[160];
    snprintf(what, sizeof what, "%s, %s, %s%s, data type %d", gpu, l->name, ways[c->way], c->bias ? " with bias" : "",
             (int)c->data_type);
    const weft__dnn_problem problem = weft__dnn_conv_problem(c);
    weft__dnn_plan plan, small;
    if (!weft__dnn_make_plan(api, target, &problem, most_workspace, &plan)) {
        WEFT_FAIL("%s: no plan", what);
        return;
    }
    check_engine(api, &plan, what, (int)c->data_type);
    if (plan.workspace > most_workspace)
        WEFT_FAIL("%s: a work space of %zu bytes", what, plan.workspace);
    if (plan.workspace > 0) { /* a tighter limit holds too */
        const bool found = weft__dnn_make_plan(api, target, &problem, plan.workspace - 1, &small);
        if (found && small.workspace >= plan.workspace)
            WEFT_FAIL("%s: a limit of %zu bytes gave a plan of %zu", what, plan.workspace - 1, small.workspace);
        weft__dnn_drop_plan(api, &small);
    }
    weft__dnn_drop_plan(api, &plan);
    WEFT_CHECK(plan.plan == NULL && plan.made.n == 0);
}

static void check_gpu(int gpu)
{
    static const int types[] = {WEFT__DNN_DATA_FLOAT, WEFT__DNN_DATA_HALF, WEFT__DNN_DATA_BFLOAT16};
    char why[256];
    const weft__dnn_api *api = watch_cudnn(why, sizeof why);
    if (!api)
        WEFT_SKIP("%s", why);
    const weft__dnn_target target = {.device_prop = watch_gpu(api, gpu)};
    if (!target.device_prop)
        return;
    for (size_t k = 0; k < LAYERS * sizeof types / sizeof *types; k++) {
        const layer *l = &layers[k % LAYERS];
        for (int way = WEFT__DNN_FORWARD; way <= WEFT__DNN_FILTER; way++) {
            const weft__dnn_conv c = convolution_of(l, (weft__dnn_way)way, types[k / LAYERS], false);
            check_plan(api, &target, watch_names[gpu], l, &c);
        }
        const weft__dnn_conv c = convolution_of(l, WEFT__DNN_FORWARD, types[k / LAYERS], true);
        check_plan(api, &target, watch_names[gpu], l, &c);
    }
    api->unmake(target.device_prop);
    WEFT_CHECK(watch_seen()->live == 0);
}

WEFT_TEST(CudnnConv, Sm80)
{
    check_gpu(0);
}

WEFT_TEST(CudnnConv, Sm90)
{
    check_gpu(1);
}

WEFT_TEST(CudnnConv, Sm100)
{
    check_gpu(2);
}

WEFT_TEST(CudnnConv, Sm120)
{
    check_gpu(3);
}

/* What cuDNN refuses comes back as no plan, with nothing left behind. */
WEFT_TEST(CudnnConv, RefusedConvolutions)
{
    char why[256];
    const weft__dnn_api *api = watch_cudnn(why, sizeof why);
    if (!api)
        WEFT_SKIP("%s", why);
    const weft__dnn_target target = {.device_prop = watch_gpu(api, 1)};
    weft__dnn_conv wrong_size = convolution_of(&layers[0], WEFT__DNN_FORWARD, WEFT__DNN_DATA_FLOAT, false);
    wrong_size.arrays[WEFT__DNN_GRID].shape[2] += 5;
    weft__dnn_conv wrong_channels = convolution_of(&layers[0], WEFT__DNN_FORWARD, WEFT__DNN_DATA_FLOAT, false);
    wrong_channels.arrays[WEFT__DNN_WEIGHTS].shape[1] = 7;
    const weft__dnn_conv *refused[] = {&wrong_size, &wrong_channels};
    for (int k = 0; k < 2; k++) {
        const weft__dnn_problem problem = weft__dnn_conv_problem(refused[k]);
        weft__dnn_plan plan;
        WEFT_CHECK(!weft__dnn_make_plan(api, &target, &problem, most_workspace, &plan));
        WEFT_CHECK(plan.plan == NULL && plan.made.n == 0);
    }
    api->unmake(target.device_prop);
}
