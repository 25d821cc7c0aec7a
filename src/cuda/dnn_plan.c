/* dnn_plan.c - see dnn_plan.h. */
#include "dnn_plan.h"
#include <string.h>

enum { MOST_ENGINES = 32, MOST_NOTES = 32 };

/* A search for an engine. */
typedef struct search {
    const weft__dnn_graph *graph;
    weft__dnn_descriptor operations; /* the graph's */
    size_t most_workspace;
    weft__dnn_plan *plan;
} search;

static bool note_fits(int note, bool strict_f32)
{
    switch (note) {
    case WEFT__DNN_NOTE_TENSOR_CORE:
        return !strict_f32; /* f32 would be rounded to TF32 */
    case WEFT__DNN_NOTE_STRICT_NAN_PROP:
        return true;
    default:
        return false; /* inexact, or not repeatable; or a note that is newer than this list */
    }
}

/* The engine of a configuration computes as the table of tolerances demands, and the same each time. */
static bool engine_fits(const search *s, weft__dnn_descriptor configuration)
{
    const weft__dnn_api *api = s->graph->api;
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
        fits = note_fits(notes[k], s->graph->strict_f32);
    api->unmake(engine);
    return fits;
}

/* -1: it is not told. */
static int64_t workspace_of(const search *s, weft__dnn_descriptor d, int attribute)
{
    int64_t bytes = 0, got = 0;
    return s->graph->api->get(d, attribute, WEFT__DNN_TYPE_INT64, 1, &got, &bytes) == WEFT__DNN_SUCCESS ? bytes : -1;
}

static bool is_too_much(const search *s, int64_t workspace)
{
    return workspace > 0 && (uint64_t)workspace > s->most_workspace;
}

/* Makes a plan of the configuration, if that can be done within the workspace. What a configuration says beforehand
 * saves making a plan that may take a second to compile. */
static bool try_plan(search *s, weft__dnn_descriptor configuration)
{
    const weft__dnn_api *api = s->graph->api;
    const weft__dnn_target *target = s->graph->target;
    weft__dnn_descriptor d = NULL;
    if (is_too_much(s, workspace_of(s, configuration, WEFT__DNN_ENGINECFG_WORKSPACE_SIZE)) ||
        api->make(WEFT__DNN_PLAN, &d) != WEFT__DNN_SUCCESS)
        return false;
    weft__dnn_graph attempt = *s->graph;
    weft__dnn_set_descriptor(&attempt, d, WEFT__DNN_PLAN_ENGINECFG, configuration);
    if (target->handle)
        weft__dnn_set(&attempt, d, WEFT__DNN_PLAN_HANDLE, WEFT__DNN_TYPE_HANDLE, 1, &target->handle);
    else
        weft__dnn_set_descriptor(&attempt, d, WEFT__DNN_PLAN_DEVICEPROP, target->device_prop);
    weft__dnn_finish(&attempt, d);
    const int64_t workspace = attempt.fine ? workspace_of(s, d, WEFT__DNN_PLAN_WORKSPACE_SIZE) : -1;
    if (workspace < 0 || is_too_much(s, workspace)) {
        api->unmake(d);
        return false;
    }
    s->plan->plan = d;
    s->plan->workspace = (size_t)workspace;
    return true;
}

/* The number of configurations that the heuristic fills in; made: how many there are to be given back. */
static int64_t ask(search *s, weft__dnn_graph *attempt, int mode, weft__dnn_descriptor *found, int *made)
{
    const weft__dnn_api *api = s->graph->api;
    int64_t n = 0;
    weft__dnn_descriptor d = weft__dnn_make(attempt, WEFT__DNN_ENGINEHEUR);
    weft__dnn_set_descriptor(attempt, d, WEFT__DNN_HEUR_GRAPH, s->operations);
    weft__dnn_set_enum(attempt, d, WEFT__DNN_HEUR_MODE, WEFT__DNN_TYPE_HEUR_MODE, mode);
    if (!attempt->target->handle)
        weft__dnn_set_descriptor(attempt, d, WEFT__DNN_HEUR_DEVICEPROP, attempt->target->device_prop);
    weft__dnn_finish(attempt, d);
    while (attempt->fine && *made < MOST_ENGINES && api->make(WEFT__DNN_ENGINECFG, &found[*made]) == WEFT__DNN_SUCCESS)
        ++*made;
    if (!attempt->fine ||
        api->get(d, WEFT__DNN_HEUR_RESULTS, WEFT__DNN_TYPE_DESCRIPTOR, *made, &n, found) != WEFT__DNN_SUCCESS)
        return 0;
    return n < *made ? n : *made;
}

/* The first configuration of a heuristic that will do. It is kept for as long as its plan. */
static bool try_heuristic(search *s, int mode)
{
    const weft__dnn_api *api = s->graph->api;
    weft__dnn_made *kept = &s->plan->made;
    weft__dnn_descriptor found[MOST_ENGINES] = {0};
    weft__dnn_graph attempt = *s->graph;
    int made = 0, chosen = -1;
    const int before = kept->n;
    const int64_t n = ask(s, &attempt, mode, found, &made);
    for (int k = 0; k < n && chosen < 0; k++)
        if (engine_fits(s, found[k]) && try_plan(s, found[k]))
            chosen = k;
    for (int k = 0; k < made; k++)
        if (k != chosen)
            api->unmake(found[k]);
    if (chosen < 0) { /* nothing of this heuristic is wanted */
        weft__dnn_unmake(api, kept, before);
        return false;
    }
    kept->list[kept->n++] = found[chosen];
    kept->list[kept->n++] = s->plan->plan;
    return true;
}

/* The graph's own engine as a configuration. */
static weft__dnn_descriptor configure(weft__dnn_graph *g, weft__dnn_descriptor operations)
{
    enum { KNOBS = sizeof g->engine->knobs / sizeof *g->engine->knobs };
    weft__dnn_descriptor knobs[KNOBS] = {0}, engine = weft__dnn_make(g, WEFT__DNN_ENGINE);
    weft__dnn_set_descriptor(g, engine, WEFT__DNN_ENGINE_GRAPH, operations);
    weft__dnn_set_number(g, engine, WEFT__DNN_ENGINE_NUMBER, g->engine->number);
    if (!g->target->handle)
        weft__dnn_set_descriptor(g, engine, WEFT__DNN_ENGINE_DEVICEPROP, g->target->device_prop);
    weft__dnn_finish(g, engine);
    for (int k = 0; k < g->engine->n_knobs; k++) {
        knobs[k] = weft__dnn_make(g, WEFT__DNN_KNOB_CHOICE);
        weft__dnn_set_enum(g, knobs[k], WEFT__DNN_KNOB_CHOICE_TYPE, WEFT__DNN_TYPE_KNOB, g->engine->knobs[k].type);
        weft__dnn_set_number(g, knobs[k], WEFT__DNN_KNOB_CHOICE_VALUE, g->engine->knobs[k].value);
        weft__dnn_finish(g, knobs[k]);
    }
    weft__dnn_descriptor d = weft__dnn_make(g, WEFT__DNN_ENGINECFG);
    weft__dnn_set_descriptor(g, d, WEFT__DNN_ENGINECFG_ENGINE, engine);
    weft__dnn_set(g, d, WEFT__DNN_ENGINECFG_KNOBS, WEFT__DNN_TYPE_DESCRIPTOR, g->engine->n_knobs, knobs);
    return weft__dnn_finish(g, d);
}

static bool try_own_engine(search *s)
{
    weft__dnn_made *kept = &s->plan->made;
    weft__dnn_graph attempt = *s->graph;
    weft__dnn_descriptor configuration = configure(&attempt, s->operations);
    if (!attempt.fine || kept->n == WEFT__DNN_MOST_DESCRIPTORS || !engine_fits(s, configuration) ||
        !try_plan(s, configuration))
        return false;
    kept->list[kept->n++] = s->plan->plan;
    return true;
}

bool weft__dnn_make_plan(const weft__dnn_api *api, const weft__dnn_target *target, const weft__dnn_problem *problem,
                         size_t most_workspace, weft__dnn_plan *plan)
{
    static const int heuristics[] = {WEFT__DNN_HEUR_A, WEFT__DNN_HEUR_FALLBACK};
    enum { BY_A_HEURISTIC = 3 }; /* descriptors that are still to be made: the heuristic, its configuration, the plan */
    memset(plan, 0, sizeof *plan);
    weft__dnn_graph g = {.api = api, .target = target, .made = &plan->made, .alignment = 16, .fine = true};
    problem->build(&g, problem->what);
    search s = {.graph = &g, .most_workspace = most_workspace, .plan = plan};
    s.operations = weft__dnn_close_graph(&g);
    g.fine = g.fine && plan->made.n + BY_A_HEURISTIC <= WEFT__DNN_MOST_DESCRIPTORS;
    if (g.fine && g.engine && try_own_engine(&s))
        return true;
    for (int k = 0; g.fine && !g.engine && k < 2; k++)
        if (try_heuristic(&s, heuristics[k]))
            return true;
    weft__dnn_drop_plan(api, plan);
    return false;
}

void weft__dnn_drop_plan(const weft__dnn_api *api, weft__dnn_plan *plan)
{
    weft__dnn_unmake(api, &plan->made, 0);
    memset(plan, 0, sizeof *plan);
}

bool weft__dnn_run_plan(const weft__dnn_api *api, void *handle, const weft__dnn_plan *plan, void *const *data, int n,
                        void *workspace)
{
    int64_t ids[WEFT__DNN_MOST_ARGUMENTS], count = 0;
    void *pointers[WEFT__DNN_MOST_ARGUMENTS];
    for (int k = 0; k < n && k < WEFT__DNN_MOST_ARGUMENTS; k++)
        if (data[k]) {
            ids[count] = k + 1;
            pointers[count++] = data[k];
        }
    weft__dnn_descriptor pack = NULL;
    if (api->make(WEFT__DNN_VARIANT_PACK, &pack) != WEFT__DNN_SUCCESS)
        return false;
    const bool ran =
        api->set(pack, WEFT__DNN_PACK_UNIQUE_IDS, WEFT__DNN_TYPE_INT64, count, ids) == WEFT__DNN_SUCCESS &&
        api->set(pack, WEFT__DNN_PACK_DATA_POINTERS, WEFT__DNN_TYPE_VOID_PTR, count, pointers) == WEFT__DNN_SUCCESS &&
        api->set(pack, WEFT__DNN_PACK_WORKSPACE, WEFT__DNN_TYPE_VOID_PTR, 1, &workspace) == WEFT__DNN_SUCCESS &&
        api->finalize(pack) == WEFT__DNN_SUCCESS && api->execute(handle, plan->plan, pack) == WEFT__DNN_SUCCESS;
    api->unmake(pack);
    return ran;
}
