/* dnn_graph.h - a graph of cuDNN operations, put together node by node. The first call that fails turns `fine` false;
 * those after it do nothing. */
#ifndef WEFT_CUDA_DNN_GRAPH_H
#define WEFT_CUDA_DNN_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include "dnn_api.h"

/* What a plan is for. One of the two is set. */
typedef struct weft__dnn_target {
    void *handle;                     /* a GPU */
    weft__dnn_descriptor device_prop; /* or what one would be like: a finalised DEVICEPROP descriptor */
} weft__dnn_target;

enum { WEFT__DNN_MOST_DESCRIPTORS = 128, WEFT__DNN_MOST_OPERATIONS = 24 };

/* Descriptors that are given back together, the last one first. */
typedef struct weft__dnn_made {
    weft__dnn_descriptor list[WEFT__DNN_MOST_DESCRIPTORS];
    int n;
} weft__dnn_made;

/* An engine by its number, some of whose knobs are set. */
typedef struct weft__dnn_engine {
    int64_t number;
    int n_knobs;
    struct {
        int type; /* WEFT__DNN_KNOB_... */
        int64_t value;
    } knobs[2];
} weft__dnn_engine;

typedef struct weft__dnn_graph {
    const weft__dnn_api *api;
    const weft__dnn_target *target;
    weft__dnn_made *made;
    weft__dnn_descriptor operations[WEFT__DNN_MOST_OPERATIONS];
    int n_operations;
    int64_t alignment;              /* in bytes, of every array */
    bool strict_f32;                /* products of f32 may not be rounded to TF32 */
    const weft__dnn_engine *engine; /* the only one that will do; NULL: what the heuristics offer */
    bool fine;
    int64_t last_id; /* given to a tensor between operations */
} weft__dnn_graph;

typedef struct weft__dnn_layout {
    int64_t shape[4], strides[4]; /* strides in elements */
} weft__dnn_layout;

/* ---- Descriptors ---- */

weft__dnn_descriptor weft__dnn_make(weft__dnn_graph *g, int kind);
void weft__dnn_set(weft__dnn_graph *g, weft__dnn_descriptor d, int attribute, int type, int64_t n, const void *values);
void weft__dnn_set_descriptor(weft__dnn_graph *g, weft__dnn_descriptor d, int attribute, weft__dnn_descriptor value);
void weft__dnn_set_number(weft__dnn_graph *g, weft__dnn_descriptor d, int attribute, int64_t value);
void weft__dnn_set_enum(weft__dnn_graph *g, weft__dnn_descriptor d, int attribute, int type, int value);
weft__dnn_descriptor weft__dnn_finish(weft__dnn_graph *g, weft__dnn_descriptor d);

/* Gives back all but the first n. */
void weft__dnn_unmake(const weft__dnn_api *api, weft__dnn_made *made, int n);

/* ---- Tensors ----
 * Those that a run gets are numbered from 1 (weft__dnn_run_plan). */

weft__dnn_descriptor weft__dnn_array(weft__dnn_graph *g, int64_t id, int data_type, const weft__dnn_layout *layout);
weft__dnn_descriptor weft__dnn_scalar(weft__dnn_graph *g, int64_t id,
                                      int data_type); /* in host memory, read at the run */
weft__dnn_descriptor weft__dnn_between(weft__dnn_graph *g, int data_type, const weft__dnn_layout *layout);

/* ---- Operations, which compute in f32 ---- */

/* y = mode(x, b, t); b and t are NULL where the mode has none. */
void weft__dnn_pointwise(weft__dnn_graph *g, int mode, int compute_type, weft__dnn_descriptor x, weft__dnn_descriptor b,
                         weft__dnn_descriptor t, weft__dnn_descriptor y);
/* y = the index along dim of each of x's elements */
void weft__dnn_index(weft__dnn_graph *g, int64_t dim, weft__dnn_descriptor x, weft__dnn_descriptor y);
void weft__dnn_matmul(weft__dnn_graph *g, weft__dnn_descriptor a, weft__dnn_descriptor b, weft__dnn_descriptor c);
/* y = x, reduced along the dims in which y has one element */
void weft__dnn_reduce(weft__dnn_graph *g, int how, weft__dnn_descriptor x, weft__dnn_descriptor y);
/* y = x seen with another shape, strides and data type */
void weft__dnn_reshape(weft__dnn_graph *g, weft__dnn_descriptor x, weft__dnn_descriptor y);
/* An operation of another kind, all set. */
void weft__dnn_append(weft__dnn_graph *g, weft__dnn_descriptor operation);

/* The descriptor of the whole. */
weft__dnn_descriptor weft__dnn_close_graph(weft__dnn_graph *g);

#endif
