/* dnn_api.h - the part of cuDNN 9's graph API that Weft calls: descriptors with attributes, all by number.
 *
 * cuDNN is opened at run time and its headers are not needed to build, so the numbers stand here; they are part of its
 * binary interface, and tests/cudnn compares them with the headers where there are any. */
#ifndef WEFT_CUDA_DNN_API_H
#define WEFT_CUDA_DNN_API_H

#include <stdint.h>

typedef void *weft__dnn_descriptor;

enum { WEFT__DNN_SUCCESS = 0 }; /* of cudnnStatus_t */

/* WEFT__DNN_ENUM(our name, cuDNN's name, number) */
#define WEFT__DNN_ENUM_LIST(X)                                                                                         \
    X(DATA_FLOAT, CUDNN_DATA_FLOAT, 0)                                                                                 \
    X(DATA_HALF, CUDNN_DATA_HALF, 2)                                                                                   \
    X(DATA_INT32, CUDNN_DATA_INT32, 4)                                                                                 \
    X(DATA_BFLOAT16, CUDNN_DATA_BFLOAT16, 9)                                                                           \
    X(DATA_BOOLEAN, CUDNN_DATA_BOOLEAN, 11)                                                                            \
    X(CROSS_CORRELATION, CUDNN_CROSS_CORRELATION, 1)                                                                   \
    X(POINTWISE_ADD, CUDNN_POINTWISE_ADD, 0)                                                                           \
    X(POINTWISE_MUL, CUDNN_POINTWISE_MUL, 1)                                                                           \
    X(POINTWISE_DIV, CUDNN_POINTWISE_DIV, 6)                                                                           \
    X(POINTWISE_SUB, CUDNN_POINTWISE_SUB, 9)                                                                           \
    X(POINTWISE_EXP, CUDNN_POINTWISE_EXP, 13)                                                                          \
    X(POINTWISE_LOG, CUDNN_POINTWISE_LOG, 15)                                                                          \
    X(POINTWISE_CMP_GE, CUDNN_POINTWISE_CMP_GE, 303)                                                                   \
    X(POINTWISE_GEN_INDEX, CUDNN_POINTWISE_GEN_INDEX, 501)                                                             \
    X(POINTWISE_SELECT, CUDNN_POINTWISE_BINARY_SELECT, 601)                                                            \
    X(REDUCE_ADD, CUDNN_REDUCE_TENSOR_ADD, 0)                                                                          \
    X(REDUCE_MAX, CUDNN_REDUCE_TENSOR_MAX, 3)                                                                          \
    X(KNOB_STAGES, CUDNN_KNOB_TYPE_STAGES, 14)                                                                         \
    X(KNOB_KERNEL_CFG, CUDNN_KNOB_TYPE_KERNEL_CFG, 24)                                                                 \
    X(HEUR_FALLBACK, CUDNN_HEUR_MODE_FALLBACK, 2)                                                                      \
    X(HEUR_A, CUDNN_HEUR_MODE_A, 3)                                                                                    \
    X(NOTE_TENSOR_CORE, CUDNN_NUMERICAL_NOTE_TENSOR_CORE, 0)                                                           \
    X(NOTE_DOWN_CONVERT_INPUTS, CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS, 1)                                           \
    X(NOTE_REDUCED_PRECISION_REDUCTION, CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION, 2)                           \
    X(NOTE_FFT, CUDNN_NUMERICAL_NOTE_FFT, 3)                                                                           \
    X(NOTE_NONDETERMINISTIC, CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC, 4)                                                 \
    X(NOTE_WINOGRAD, CUDNN_NUMERICAL_NOTE_WINOGRAD, 5)                                                                 \
    X(NOTE_WINOGRAD_4x4, CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4, 6)                                                    \
    X(NOTE_WINOGRAD_6x6, CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6, 7)                                                    \
    X(NOTE_WINOGRAD_13x13, CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13, 8)                                                \
    X(NOTE_STRICT_NAN_PROP, CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP, 9)                                                   \
    /* attribute types */                                                                                              \
    X(TYPE_HANDLE, CUDNN_TYPE_HANDLE, 0)                                                                               \
    X(TYPE_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1)                                                                         \
    X(TYPE_BOOLEAN, CUDNN_TYPE_BOOLEAN, 2)                                                                             \
    X(TYPE_INT64, CUDNN_TYPE_INT64, 3)                                                                                 \
    X(TYPE_FLOAT, CUDNN_TYPE_FLOAT, 4)                                                                                 \
    X(TYPE_VOID_PTR, CUDNN_TYPE_VOID_PTR, 6)                                                                           \
    X(TYPE_CONVOLUTION_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 7)                                                           \
    X(TYPE_HEUR_MODE, CUDNN_TYPE_HEUR_MODE, 8)                                                                         \
    X(TYPE_KNOB, CUDNN_TYPE_KNOB_TYPE, 9)                                                                              \
    X(TYPE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE, 11)                                                              \
    X(TYPE_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 14)                                                              \
    X(TYPE_DESCRIPTOR, CUDNN_TYPE_BACKEND_DESCRIPTOR, 15)                                                              \
    X(TYPE_REDUCTION, CUDNN_TYPE_REDUCTION_OPERATOR_TYPE, 18)                                                          \
    X(TYPE_CHAR, CUDNN_TYPE_CHAR, 24)                                                                                  \
    /* descriptors */                                                                                                  \
    X(POINTWISE, CUDNN_BACKEND_POINTWISE_DESCRIPTOR, 0)                                                                \
    X(CONVOLUTION, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, 1)                                                            \
    X(ENGINE, CUDNN_BACKEND_ENGINE_DESCRIPTOR, 2)                                                                      \
    X(ENGINECFG, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, 3)                                                                \
    X(ENGINEHEUR, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, 4)                                                              \
    X(PLAN, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, 5)                                                                \
    X(KNOB_CHOICE, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, 7)                                                            \
    X(CONV_FORWARD, CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR, 10)                                        \
    X(CONV_FILTER, CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR, 11)                                 \
    X(CONV_DATA, CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR, 12)                                     \
    X(OPERATION_POINTWISE, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR, 13)                                           \
    X(GRAPH, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, 15)                                                              \
    X(VARIANT_PACK, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, 16)                                                         \
    X(TENSOR, CUDNN_BACKEND_TENSOR_DESCRIPTOR, 17)                                                                     \
    X(MATMUL, CUDNN_BACKEND_MATMUL_DESCRIPTOR, 18)                                                                     \
    X(OPERATION_MATMUL, CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR, 19)                                                 \
    X(REDUCTION, CUDNN_BACKEND_REDUCTION_DESCRIPTOR, 21)                                                               \
    X(OPERATION_REDUCTION, CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR, 22)                                           \
    X(OPERATION_RESHAPE, CUDNN_BACKEND_OPERATION_RESHAPE_DESCRIPTOR, 31)                                               \
    X(DEVICEPROP, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, 38)                                                             \
    /* attributes */                                                                                                   \
    X(POINTWISE_MODE, CUDNN_ATTR_POINTWISE_MODE, 0)                                                                    \
    X(POINTWISE_MATH_PREC, CUDNN_ATTR_POINTWISE_MATH_PREC, 1)                                                          \
    X(POINTWISE_AXIS, CUDNN_ATTR_POINTWISE_AXIS, 9)                                                                    \
    X(CONVOLUTION_COMP_TYPE, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, 100)                                                    \
    X(CONVOLUTION_MODE, CUDNN_ATTR_CONVOLUTION_CONV_MODE, 101)                                                         \
    X(CONVOLUTION_DILATIONS, CUDNN_ATTR_CONVOLUTION_DILATIONS, 102)                                                    \
    X(CONVOLUTION_STRIDES, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, 103)                                                 \
    X(CONVOLUTION_POST_PADDINGS, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, 104)                                            \
    X(CONVOLUTION_PRE_PADDINGS, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, 105)                                              \
    X(CONVOLUTION_SPATIAL_DIMS, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, 106)                                              \
    X(HEUR_MODE, CUDNN_ATTR_ENGINEHEUR_MODE, 200)                                                                      \
    X(HEUR_GRAPH, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, 201)                                                          \
    X(HEUR_RESULTS, CUDNN_ATTR_ENGINEHEUR_RESULTS, 202)                                                                \
    X(HEUR_DEVICEPROP, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, 204)                                                          \
    X(ENGINECFG_ENGINE, CUDNN_ATTR_ENGINECFG_ENGINE, 300)                                                              \
    X(ENGINECFG_KNOBS, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, 302)                                                         \
    X(ENGINECFG_WORKSPACE_SIZE, CUDNN_ATTR_ENGINECFG_WORKSPACE_SIZE, 303)                                              \
    X(PLAN_HANDLE, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, 400)                                                              \
    X(PLAN_ENGINECFG, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, 401)                                                    \
    X(PLAN_WORKSPACE_SIZE, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, 402)                                              \
    X(PLAN_DEVICEPROP, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, 407)                                                      \
    X(KNOB_CHOICE_TYPE, CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, 600)                                                         \
    X(KNOB_CHOICE_VALUE, CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, 601)                                                       \
    X(FORWARD_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, 700)                                              \
    X(FORWARD_BETA, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, 701)                                                \
    X(FORWARD_CONV, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, 702)                                           \
    X(FORWARD_W, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, 703)                                                      \
    X(FORWARD_X, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, 704)                                                      \
    X(FORWARD_Y, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, 705)                                                      \
    X(DATA_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, 706)                                                \
    X(DATA_BETA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA, 707)                                                  \
    X(DATA_CONV, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, 708)                                             \
    X(DATA_W, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, 709)                                                        \
    X(DATA_DX, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, 710)                                                      \
    X(DATA_DY, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, 711)                                                      \
    X(FILTER_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, 712)                                            \
    X(FILTER_BETA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA, 713)                                              \
    X(FILTER_CONV, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC, 714)                                         \
    X(FILTER_DW, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW, 715)                                                  \
    X(FILTER_X, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, 716)                                                    \
    X(FILTER_DY, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY, 717)                                                  \
    X(POINTWISE_DESCRIPTOR, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, 750)                                         \
    X(POINTWISE_X, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, 751)                                                          \
    X(POINTWISE_B, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, 752)                                                          \
    X(POINTWISE_Y, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, 753)                                                          \
    X(POINTWISE_T, CUDNN_ATTR_OPERATION_POINTWISE_TDESC, 758)                                                          \
    X(GRAPH_HANDLE, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, 800)                                                             \
    X(GRAPH_OPS, CUDNN_ATTR_OPERATIONGRAPH_OPS, 801)                                                                   \
    X(TENSOR_BYTE_ALIGNMENT, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, 900)                                                    \
    X(TENSOR_DATA_TYPE, CUDNN_ATTR_TENSOR_DATA_TYPE, 901)                                                              \
    X(TENSOR_DIMENSIONS, CUDNN_ATTR_TENSOR_DIMENSIONS, 902)                                                            \
    X(TENSOR_STRIDES, CUDNN_ATTR_TENSOR_STRIDES, 903)                                                                  \
    X(TENSOR_UNIQUE_ID, CUDNN_ATTR_TENSOR_UNIQUE_ID, 906)                                                              \
    X(TENSOR_IS_VIRTUAL, CUDNN_ATTR_TENSOR_IS_VIRTUAL, 907)                                                            \
    X(TENSOR_IS_BY_VALUE, CUDNN_ATTR_TENSOR_IS_BY_VALUE, 908)                                                          \
    X(PACK_UNIQUE_IDS, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, 1000)                                                       \
    X(PACK_DATA_POINTERS, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, 1001)                                                 \
    X(PACK_WORKSPACE, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, 1003)                                                         \
    X(ENGINE_GRAPH, CUDNN_ATTR_ENGINE_OPERATION_GRAPH, 1300)                                                           \
    X(ENGINE_NUMBER, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, 1301)                                                             \
    X(ENGINE_NUMERICAL_NOTE, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, 1303)                                                   \
    X(ENGINE_DEVICEPROP, CUDNN_ATTR_ENGINE_DEVICEPROP, 1307)                                                           \
    X(MATMUL_COMP_TYPE, CUDNN_ATTR_MATMUL_COMP_TYPE, 1500)                                                             \
    X(MATMUL_A, CUDNN_ATTR_OPERATION_MATMUL_ADESC, 1520)                                                               \
    X(MATMUL_B, CUDNN_ATTR_OPERATION_MATMUL_BDESC, 1521)                                                               \
    X(MATMUL_C, CUDNN_ATTR_OPERATION_MATMUL_CDESC, 1522)                                                               \
    X(MATMUL_DESCRIPTOR, CUDNN_ATTR_OPERATION_MATMUL_DESC, 1523)                                                       \
    X(REDUCTION_OPERATOR, CUDNN_ATTR_REDUCTION_OPERATOR, 1600)                                                         \
    X(REDUCTION_COMP_TYPE, CUDNN_ATTR_REDUCTION_COMP_TYPE, 1601)                                                       \
    X(REDUCTION_X, CUDNN_ATTR_OPERATION_REDUCTION_XDESC, 1610)                                                         \
    X(REDUCTION_Y, CUDNN_ATTR_OPERATION_REDUCTION_YDESC, 1611)                                                         \
    X(REDUCTION_DESCRIPTOR, CUDNN_ATTR_OPERATION_REDUCTION_DESC, 1612)                                                 \
    X(RESHAPE_X, CUDNN_ATTR_OPERATION_RESHAPE_XDESC, 2200)                                                             \
    X(RESHAPE_Y, CUDNN_ATTR_OPERATION_RESHAPE_YDESC, 2201)                                                             \
    X(DEVICEPROP_JSON, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, 2702)

enum {
#define WEFT__DNN_ENUM(name, theirs, number) WEFT__DNN_##name = number,
    WEFT__DNN_ENUM_LIST(WEFT__DNN_ENUM)
#undef WEFT__DNN_ENUM
};

/* The functions. cuDNN declares enumerations where int stands here: the same to the C ABI of every CUDA platform. */
typedef struct weft__dnn_api {
    int (*create)(void **handle);
    int (*destroy)(void *handle);
    int (*set_stream)(void *handle, void *stream);
    int (*make)(int descriptor, weft__dnn_descriptor *made);
    int (*unmake)(weft__dnn_descriptor d);
    int (*finalize)(weft__dnn_descriptor d);
    int (*set)(weft__dnn_descriptor d, int attribute, int type, int64_t n, const void *values);
    int (*get)(weft__dnn_descriptor d, int attribute, int type, int64_t n, int64_t *got, void *values);
    int (*execute)(void *handle, weft__dnn_descriptor plan, weft__dnn_descriptor pack);
} weft__dnn_api;

/* The names of these functions, in their order. */
#define WEFT__DNN_FUNCTIONS                                                                                            \
    "cudnnCreate", "cudnnDestroy", "cudnnSetStream", "cudnnBackendCreateDescriptor", "cudnnBackendDestroyDescriptor",  \
        "cudnnBackendFinalize", "cudnnBackendSetAttribute", "cudnnBackendGetAttribute", "cudnnBackendExecute"

enum { WEFT__DNN_FUNCTION_COUNT = 9 };

#endif
