/* dnn_plan.c - see dnn_plan.h. */
#include "dnn_plan.h"
#include <string.h>

enum { MOST_ENGINES = 32, MOST_NOTES = 32 };

/* Unique ids: a role + 1, then these. */
enum { BIAS_ID = WEFT__DNN_ROLES + 1, SUM_ID };

/* A plan under construction. fine turns false with the first call that fails; later ones then do nothing. */
typedef struct builder {
    const weft__dnn_api *api;
    const weft__dnn_target *target;
    weft__dnn_plan *plan;
    bool fine;
} builder;

static weft__dnn_descriptor make(builder *b, int kind)
{
    weft__dnn_descriptor d = NULL;
    b->fine = b->fine && b->plan->n_made < WEFT__DNN_MOST_DESCRIPTORS && b->api->make(kind, &d) == WEFT__DNN_SUCCESS;
    if (!b->fine)
        return NULL;
    b->plan->made[b->plan->n_made++] = d;
    return d;
}

static void set(builder *b, weft__dnn_descriptor d, int attribute, int type, int64_t n, const void *values)
{
    b->fine = b->fine && b->api->set(d, attribute, type, n, values) == WEFT__DNN_SUCCESS;
}

static void set_descriptor(builder *b, weft__dnn_descriptor d, int attribute, weft__dnn_descriptor value)
{
    set(b, d, attribute, WEFT__DNN_TYPE_DESCRIPTOR, 1, &value);
}

static void set_number(builder *b, weft__dnn_descriptor d, int attribute, int64_t value)
{
    set(b, d, attribute, WEFT__DNN_TYPE_INT64, 1, &value);
}

/* cuDNN's enumerations are ints. */
static void set_enum(builder *b, weft__dnn_descriptor d, int attribute, int type, int value)
{
    set(b, d, attribute, type, 1, &value);
}

static weft__dnn_descriptor finish(builder *b, weft__dnn_descriptor d)
{
    b->fine = b->fine && b->api->finalize(d) == WEFT__DNN_SUCCESS;
    return d;
}

/* ---- The graph ---- */

static weft__dnn_descriptor tensor(builder *b, const weft__dnn_conv *c, int64_t id, int data_type, const int64_t *shape,
                                   const int64_t *strides)
{
    const bool is_virtual = id == SUM_ID;
    weft__dnn_descriptor d = make(b, WEFT__DNN_TENSOR);
    set_enum(b, d, WEFT__DNN_TENSOR_DATA_TYPE, WEFT__DNN_TYPE_DATA_TYPE, data_type);
    set(b, d, WEFT__DNN_TENSOR_DIMENSIONS, WEFT__DNN_TYPE_INT64, 4, shape);
    set(b, d, WEFT__DNN_TENSOR_STRIDES, WEFT__DNN_TYPE_INT64, 4, strides);
    set_number(b, d, WEFT__DNN_TENSOR_UNIQUE_ID, id);
    set_number(b, d, WEFT__DNN_TENSOR_BYTE_ALIGNMENT, c->alignment);
    set(b, d, WEFT__DNN_TENSOR_IS_VIRTUAL, WEFT__DNN_TYPE_BOOLEAN, 1, &is_virtual);
    return finish(b, d);
}

static weft__dnn_descriptor convolution(builder *b, const weft__dnn_conv *c)
{
    weft__dnn_descriptor d = make(b, WEFT__DNN_CONVOLUTION);
    set_enum(b, d, WEFT__DNN_CONVOLUTION_COMP_TYPE, WEFT__DNN_TYPE_DATA_TYPE, WEFT__DNN_DATA_FLOAT);
    set_enum(b, d, WEFT__DNN_CONVOLUTION_MODE, WEFT__DNN_TYPE_CONVOLUTION_MODE, WEFT__DNN_CROSS_CORRELATION);
    set_number(b, d, WEFT__DNN_CONVOLUTION_SPATIAL_DIMS, 2);
    set(b, d, WEFT__DNN_CONVOLUTION_PRE_PADDINGS, WEFT__DNN_TYPE_INT64, 2, c->padding);
    set(b, d, WEFT__DNN_CONVOLUTION_POST_PADDINGS, WEFT__DNN_TYPE_INT64, 2, c->padding);
    set(b, d, WEFT__DNN_CONVOLUTION_DILATIONS, WEFT__DNN_TYPE_INT64, 2, c->dilation);
    set(b, d, WEFT__DNN_CONVOLUTION_STRIDES, WEFT__DNN_TYPE_INT64, 2, c->stride);
    return finish(b, d);
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

static weft__dnn_descriptor conv_operation(builder *b, const weft__dnn_conv *c,
                                           const weft__dnn_descriptor tensors[WEFT__DNN_ROLES])
{
    const float one = 1, zero = 0;
    weft__dnn_descriptor conv = convolution(b, c), d = make(b, ways[c->way].operation);
    set_descriptor(b, d, ways[c->way].conv, conv);
    set(b, d, ways[c->way].alpha, WEFT__DNN_TYPE_FLOAT, 1, &one);
    set(b, d, ways[c->way].beta, WEFT__DNN_TYPE_FLOAT, 1, &zero);
    for (int role = 0; role < WEFT__DNN_ROLES; role++)
        set_descriptor(b, d, ways[c->way].role[role], tensors[role]);
    return finish(b, d);
}

/* y = sum + bias, the values of a channel each */
static weft__dnn_descriptor bias_operation(builder *b, const weft__dnn_conv *c, weft__dnn_descriptor sum,
                                           weft__dnn_descriptor y, int64_t channels)
{
    const int64_t shape[4] = {1, channels, 1, 1}, strides[4] = {channels, 1, 1, 1};
    weft__dnn_descriptor bias = tensor(b, c, BIAS_ID, (int)c->data_type, shape, strides);
    weft__dnn_descriptor add = make(b, WEFT__DNN_POINTWISE);
    set_enum(b, add, WEFT__DNN_POINTWISE_MODE, WEFT__DNN_TYPE_POINTWISE_MODE, WEFT__DNN_POINTWISE_ADD);
    set_enum(b, add, WEFT__DNN_POINTWISE_MATH_PREC, WEFT__DNN_TYPE_DATA_TYPE, WEFT__DNN_DATA_FLOAT);
    finish(b, add);
    weft__dnn_descriptor d = make(b, WEFT__DNN_OPERATION_POINTWISE);
    set_descriptor(b, d, WEFT__DNN_POINTWISE_DESCRIPTOR, add);
    set_descriptor(b, d, WEFT__DNN_POINTWISE_X, sum);
    set_descriptor(b, d, WEFT__DNN_POINTWISE_B, bias);
    set_descriptor(b, d, WEFT__DNN_POINTWISE_Y, y);
    return finish(b, d);
}

static weft__dnn_descriptor graph(builder *b, const weft__dnn_conv *c)
{
    weft__dnn_descriptor tensors[WEFT__DNN_ROLES], operations[2];
    int n = 0;
    for (int role = 0; role < WEFT__DNN_ROLES; role++)
        tensors[role] = tensor(b, c, role + 1, (int)c->data_type, c->shape[role], c->strides[role]);
    const weft__dnn_role result = ways[c->way].result;
    weft__dnn_descriptor y = tensors[result];
    if (c->bias)
        tensors[result] = tensor(b, c, SUM_ID, WEFT__DNN_DATA_FLOAT, c->shape[result], c->strides[result]);
    operations[n++] = conv_operation(b, c, tensors);
    if (c->bias)
        operations[n++] = bias_operation(b, c, tensors[result], y, c->shape[result][1]);
    weft__dnn_descriptor d = make(b, WEFT__DNN_GRAPH);
    if (b->target->handle)
        set(b, d, WEFT__DNN_GRAPH_HANDLE, WEFT__DNN_TYPE_HANDLE, 1, &b->target->handle);
    set(b, d, WEFT__DNN_GRAPH_OPS, WEFT__DNN_TYPE_DESCRIPTOR, n, operations);
    return finish(b, d);
}

/* ---- Engines ---- */

static bool note_fits(int note, bool is_f32)
{
    switch (note) {
    case WEFT__DNN_NOTE_TENSOR_CORE:
        return !is_f32; /* f32 would be rounded to TF32 */
    case WEFT__DNN_NOTE_STRICT_NAN_PROP:
        return true;
    default:
        return false; /* inexact, or not repeatable; or a note that is newer than this list */
    }
}

/* The engine of a configuration computes as the table of tolerances demands, and the same each time. */
static bool engine_fits(builder *b, weft__dnn_descriptor configuration, bool is_f32)
{
    const weft__dnn_api *api = b->api;
    weft__dnn_descriptor engine = NULL;
    int notes[MOST_NOTES];
    int64_t got = 0;
    if (api->make(WEFT__DNN_ENGINE, &engine) != WEFT__DNN_SUCCESS)
        return false;
    bool fits = api->get(configuration, WEFT__DNN_ENGINECFG_ENGINE, WEFT__DNN_TYPE_DESCRIPTOR, 1, &got, &engine) ==
                    WEFT__DNN_SUCCESS &&
                api->get(engine, WEFT__DNN_ENGINE_NUMERICAL_NOTE, WEFT__DNN_TYPE_NUMERICAL_NOTE, MOST_NOTES, &got,
                         notes) == WEFT__DNN_SUCCESS;
    for (int64_t k = 0; fits && k < got && k < MOST_NOTES; k++)
        fits = note_fits(notes[k], is_f32);
    api->unmake(engine);
    return fits;
}

/* A plan with this configuration, if it can be made within the workspace. */
static bool try_plan(builder *b, weft__dnn_descriptor configuration, size_t most_workspace)
{
    const weft__dnn_api *api = b->api;
    weft__dnn_descriptor d = NULL;
    int64_t workspace = 0, got = 0;
    if (api->make(WEFT__DNN_PLAN, &d) != WEFT__DNN_SUCCESS)
        return false;
    builder attempt = *b;
    set_descriptor(&attempt, d, WEFT__DNN_PLAN_ENGINECFG, configuration);
    if (b->target->handle)
        set(&attempt, d, WEFT__DNN_PLAN_HANDLE, WEFT__DNN_TYPE_HANDLE, 1, &b->target->handle);
    else
        set_descriptor(&attempt, d, WEFT__DNN_PLAN_DEVICEPROP, b->target->device_prop);
    finish(&attempt, d);
    attempt.fine = attempt.fine && api->get(d, WEFT__DNN_PLAN_WORKSPACE_SIZE, WEFT__DNN_TYPE_INT64, 1, &got,
                                            &workspace) == WEFT__DNN_SUCCESS;
    if (!attempt.fine || workspace < 0 || (uint64_t)workspace > most_workspace) {
        api->unmake(d);
        return false;
    }
    b->plan->plan = d;
    b->plan->workspace = (size_t)workspace;
    return true;
}

/* The first configuration of a heuristic that will do. It is kept for as long as its plan. */
static bool try_heuristic(builder *b, weft__dnn_descriptor operations, int mode, bool is_f32, size_t most_workspace)
{
    const weft__dnn_api *api = b->api;
    weft__dnn_descriptor found[MOST_ENGINES] = {0};
    int64_t n = 0;
    int made = 0, chosen = -1;
    const int before = b->plan->n_made;
    builder attempt = *b;
    weft__dnn_descriptor d = make(&attempt, WEFT__DNN_ENGINEHEUR);
    set_descriptor(&attempt, d, WEFT__DNN_HEUR_GRAPH, operations);
    set_enum(&attempt, d, WEFT__DNN_HEUR_MODE, WEFT__DNN_TYPE_HEUR_MODE, mode);
    if (!b->target->handle)
        set_descriptor(&attempt, d, WEFT__DNN_HEUR_DEVICEPROP, b->target->device_prop);
    finish(&attempt, d);
    for (; attempt.fine && made < MOST_ENGINES; made++)
        if (api->make(WEFT__DNN_ENGINECFG, &found[made]) != WEFT__DNN_SUCCESS)
            break;
    if (!attempt.fine ||
        api->get(d, WEFT__DNN_HEUR_RESULTS, WEFT__DNN_TYPE_DESCRIPTOR, made, &n, found) != WEFT__DNN_SUCCESS)
        n = 0;
    for (int k = 0; k < n && k < made && chosen < 0; k++)
        if (engine_fits(b, found[k], is_f32) && try_plan(b, found[k], most_workspace))
            chosen = k;
    for (int k = 0; k < made; k++)
        if (k != chosen)
            api->unmake(found[k]);
    if (chosen < 0) { /* nothing of this heuristic is wanted */
        while (b->plan->n_made > before)
            api->unmake(b->plan->made[--b->plan->n_made]);
        return false;
    }
    b->plan->made[b->plan->n_made++] = found[chosen];
    b->plan->made[b->plan->n_made++] = b->plan->plan;
    return true;
}

bool weft__dnn_make_plan(const weft__dnn_api *api, const weft__dnn_target *target, const weft__dnn_conv *conv,
                         size_t most_workspace, weft__dnn_plan *plan)
{
    static const int heuristics[] = {WEFT__DNN_HEUR_A, WEFT__DNN_HEUR_FALLBACK};
    memset(plan, 0, sizeof *plan);
    builder b = {.api = api, .target = target, .plan = plan, .fine = true};
    weft__dnn_descriptor operations = graph(&b, conv);
    for (int k = 0; b.fine && k < 2; k++)
        if (try_heuristic(&b, operations, heuristics[k], conv->data_type == WEFT__DNN_DATA_FLOAT, most_workspace))
            return true;
    weft__dnn_drop_plan(api, plan);
    return false;
}

void weft__dnn_drop_plan(const weft__dnn_api *api, weft__dnn_plan *plan)
{
    while (plan->n_made > 0)
        api->unmake(plan->made[--plan->n_made]);
    memset(plan, 0, sizeof *plan);
}

bool weft__dnn_run_plan(const weft__dnn_api *api, void *handle, const weft__dnn_plan *plan,
                        void *const data[WEFT__DNN_ROLES], void *bias, void *workspace)
{
    int64_t ids[WEFT__DNN_ROLES + 1], n = 0;
    void *pointers[WEFT__DNN_ROLES + 1];
    for (; n < WEFT__DNN_ROLES; n++) {
        ids[n] = n + 1;
        pointers[n] = data[n];
    }
    if (bias) {
        ids[n] = BIAS_ID;
        pointers[n++] = bias;
    }
    weft__dnn_descriptor pack = NULL;
    if (api->make(WEFT__DNN_VARIANT_PACK, &pack) != WEFT__DNN_SUCCESS)
        return false;
    const bool ran =
        api->set(pack, WEFT__DNN_PACK_UNIQUE_IDS, WEFT__DNN_TYPE_INT64, n, ids) == WEFT__DNN_SUCCESS &&
        api->set(pack, WEFT__DNN_PACK_DATA_POINTERS, WEFT__DNN_TYPE_VOID_PTR, n, pointers) == WEFT__DNN_SUCCESS &&
        api->set(pack, WEFT__DNN_PACK_WORKSPACE, WEFT__DNN_TYPE_VOID_PTR, 1, &workspace) == WEFT__DNN_SUCCESS &&
        api->finalize(pack) == WEFT__DNN_SUCCESS && api->execute(handle, plan->plan, pack) == WEFT__DNN_SUCCESS;
    api->unmake(pack);
    return ran;
}
