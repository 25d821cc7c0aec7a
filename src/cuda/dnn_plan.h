/* dnn_plan.h - cuDNN's execution plans. Making one needs no GPU where the target is a description of one. */
#ifndef WEFT_CUDA_DNN_PLAN_H
#define WEFT_CUDA_DNN_PLAN_H

#include "dnn_graph.h"

/* Something to compute. Two problems are the same if their functions and their bytes are. */
typedef struct weft__dnn_problem {
    void (*build)(weft__dnn_graph *g, const void *what); /* appends the operations */
    const void *what;                                    /* build's numbers: int64_t without gaps */
    size_t bytes;
} weft__dnn_problem;

typedef struct weft__dnn_plan {
    weft__dnn_descriptor plan; /* NULL: cuDNN has none that will do */
    size_t workspace;          /* bytes that a run needs */
    weft__dnn_made made;       /* what the plan was made from, and it */
} weft__dnn_plan;

/* A plan by the graph's own engine, or the heuristics' first, that is deterministic and exact (f32 products in f32
 * where the graph is strict; no FFT, no Winograd), whose plan can be made and asks for no more than most_workspace
 * bytes. False: there is none; plan is then empty. */
bool weft__dnn_make_plan(const weft__dnn_api *api, const weft__dnn_target *target, const weft__dnn_problem *problem,
                         size_t most_workspace, weft__dnn_plan *plan);

void weft__dnn_drop_plan(const weft__dnn_api *api, weft__dnn_plan *plan);

enum { WEFT__DNN_MOST_ARGUMENTS = 16 };

/* Queues a run on the handle's stream. data[k]: the tensor with id k + 1, or NULL if there is none; n <=
 * MOST_ARGUMENTS. workspace: of at least plan's size. */
bool weft__dnn_run_plan(const weft__dnn_api *api, void *handle, const weft__dnn_plan *plan, void *const *data, int n,
                        void *workspace);

#endif
