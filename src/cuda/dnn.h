/* dnn.h - cuDNN as the launchers use it: problems are run by plans that are kept, in a work space that all share. */
#ifndef WEFT_CUDA_DNN_H
#define WEFT_CUDA_DNN_H

#include "engine/backend.h"
#include "dnn_graphs.h"

enum { WEFT__DNN_MOST_WORKSPACE = 256 << 20 }; /* bytes that a plan may ask for */

/* A tensor of a problem: data, or a place of room bytes in the work space, or (both 0) none. */
typedef struct weft__dnn_argument {
    void *data;
    size_t room;
} weft__dnn_argument;

/* cuDNN's version as cudnnGetVersion has it; 0: there is none that can be used. */
int weft__cuda_dnn_version(const weft__exec *e);

/* WEFT__DNN_DATA_..., or -1 for a dtype that cuDNN is not used for: f64 has kernels that are as good. */
int weft__cuda_dnn_data_type(int32_t dtype);

/* Queues the problem. arguments[k]: the tensor with id k + 1. False: nothing has come of it, and own kernels are to do
 * it. */
bool weft__cuda_dnn_run(const weft__exec *e, const weft__dnn_problem *problem, const weft__dnn_argument *arguments,
                        int n);

#endif
