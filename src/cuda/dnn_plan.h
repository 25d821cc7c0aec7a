/* dnn_plan.h - a convolution as a cuDNN execution plan. Needs no GPU where the target is a description of one. */
#ifndef WEFT_CUDA_DNN_PLAN_H
#define WEFT_CUDA_DNN_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include "dnn_api.h"

/* What a plan is for. One of the two is set. */
typedef struct weft__dnn_target {
    void *handle;                     /* a GPU */
    weft__dnn_descriptor device_prop; /* or what one would be like: a finalised DEVICEPROP descriptor */
} weft__dnn_target;

typedef enum weft__dnn_way { WEFT__DNN_FORWARD, WEFT__DNN_DATA, WEFT__DNN_FILTER } weft__dnn_way;

/* In the order of weft__dnn_conv.shape and of the pointers of a run. */
typedef enum weft__dnn_role { WEFT__DNN_IMAGE, WEFT__DNN_WEIGHTS, WEFT__DNN_GRID, WEFT__DNN_ROLES } weft__dnn_role;

/* A convolution: grid = image * weights. One of the three is the result, as way says. Compared as bytes: start from zeros. */
typedef struct weft__dnn_conv {
    int64_t way, data_type; /* weft__dnn_way; WEFT__DNN_DATA_... of all arrays; sums are f32 */
    int64_t bias;           /* 1: a value for each channel of the result is added (not with FILTER) */
    int64_t alignment;      /* in bytes, of every array */
    int64_t shape[WEFT__DNN_ROLES][4], strides[WEFT__DNN_ROLES][4];
    int64_t stride[2], padding[2], dilation[2];
} weft__dnn_conv;

enum { WEFT__DNN_MOST_DESCRIPTORS = 16 };

typedef struct weft__dnn_plan {
    weft__dnn_descriptor plan;                             /* NULL: cuDNN has none that will do */
    size_t workspace;                                      /* bytes that a run needs */
    weft__dnn_descriptor made[WEFT__DNN_MOST_DESCRIPTORS]; /* what the plan was made from, and it */
    int n_made;
} weft__dnn_plan;

/* The heuristics' first engine that is deterministic and exact (f32 products and sums in f32; no FFT, no Winograd), whose
 * plan can be made and asks for no more than most_workspace bytes. False: there is none; plan is then empty. */
bool weft__dnn_make_plan(const weft__dnn_api *api, const weft__dnn_target *target, const weft__dnn_conv *conv,
                         size_t most_workspace, weft__dnn_plan *plan);

void weft__dnn_drop_plan(const weft__dnn_api *api, weft__dnn_plan *plan);

/* Queues a run on the handle's stream. bias: if the convolution has one; workspace: of at least plan's size. */
bool weft__dnn_run_plan(const weft__dnn_api *api, void *handle, const weft__dnn_plan *plan,
                        void *const data[WEFT__DNN_ROLES], void *bias, void *workspace);

#endif
