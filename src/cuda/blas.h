/* blas.h - cuBLASLt as a part of the device: its functions, plans of products, choices of algorithms. */
#ifndef WEFT_CUDA_BLAS_H
#define WEFT_CUDA_BLAS_H

#include <cublasLt.h>
#include "host.h"
#include "launch.h"
#include "library.h"
#include "product.h"

/* cuBLASLt's functions that are used: X(member, function). */
#define WEFT__BLAS_FUNCTIONS(X)                                                                                        \
    X(create, cublasLtCreate)                                                                                          \
    X(destroy, cublasLtDestroy)                                                                                        \
    X(status_name, cublasLtGetStatusName)                                                                              \
    X(operation_init, cublasLtMatmulDescInit_internal)                                                                 \
    X(operation_set, cublasLtMatmulDescSetAttribute)                                                                   \
    X(layout_init, cublasLtMatrixLayoutInit_internal)                                                                  \
    X(layout_set, cublasLtMatrixLayoutSetAttribute)                                                                    \
    X(preference_init, cublasLtMatmulPreferenceInit_internal)                                                          \
    X(preference_set, cublasLtMatmulPreferenceSetAttribute)                                                            \
    X(heuristic, cublasLtMatmulAlgoGetHeuristic)                                                                       \
    X(check, cublasLtMatmulAlgoCheck)                                                                                  \
    X(matmul, cublasLtMatmul)

/* Everything that a choice of algorithm depends on, for y [m, n] = act(a [m, k] b [k, n]), as numbers that can be
 * compared, hashed and saved. Strides are in elements; an alignment is log2 of bytes. */
enum {
    WEFT__KEY_M,
    WEFT__KEY_N,
    WEFT__KEY_K,
    WEFT__KEY_A_TURNED, /* a's columns are dense, not its rows */
    WEFT__KEY_B_TURNED,
    WEFT__KEY_A_LD, /* from one dense row (or column) to the next */
    WEFT__KEY_B_LD,
    WEFT__KEY_BATCHES,
    WEFT__KEY_A_BATCH, /* from one batch to the next */
    WEFT__KEY_B_BATCH,
    WEFT__KEY_Y_BATCH,
    WEFT__KEY_DTYPE,
    WEFT__KEY_TF32,
    WEFT__KEY_EPILOGUE, /* cublasLtEpilogue_t */
    WEFT__KEY_A_ALIGNMENT,
    WEFT__KEY_B_ALIGNMENT,
    WEFT__KEY_Y_ALIGNMENT,
    WEFT__KEY_VECTOR_ALIGNMENT,
    WEFT__KEY_AUX_ALIGNMENT,
    WEFT__KEYS
};

typedef struct weft__blas_key {
    int64_t part[WEFT__KEYS];
} weft__blas_key;

/* Where one product's matrices are: y = act(a b), or of a trial act(0 a b + 1 y). */
typedef struct weft__blas_data {
    const void *a, *b;
    const void
        *vector; /* what CUBLASLT_MATMUL_DESC_BIAS_POINTER names: the bias, or where the sums of a's rows go; or NULL */
    void *aux;   /* [m, n]: where what the activation is applied to goes, or NULL */
    void *y;
    bool is_trial;
} weft__blas_data;

/* A product that is ready to run. */
typedef struct weft__blas_plan {
    weft__blas_key key;
    bool used;       /* the slot of the table is taken */
    bool usable;     /* false: cuBLASLt has no algorithm for it, or two steps are faster */
    bool is_weighed; /* against two steps */
    cublasLtMatmulDescOpaque_t operation;
    cublasLtMatrixLayoutOpaque_t a, b, y;
    cublasLtMatmulAlgo_t algorithm;
    size_t workspace_bytes; /* that the algorithm needs */
} weft__blas_plan;

/* A plan with what it is to be run on. */
typedef struct weft__blas_step {
    weft__blas_plan plan;
    weft__blas_data data;
} weft__blas_step;

/* What a key whose activation is faster as a step of its own has in the file. */
extern const cublasLtMatmulAlgo_t weft__blas_no_algorithm;

/* An algorithm for a key, from the file or for it. */
typedef struct weft__blas_choice {
    weft__blas_key key;
    cublasLtMatmulAlgo_t algorithm;
} weft__blas_choice;

typedef struct weft__blas {
    weft__cuda_opened library; /* handle NULL: the kernels do its work */
#define WEFT__BLAS_MEMBER(member, function) __typeof__(function) *member;
    WEFT__BLAS_FUNCTIONS(WEFT__BLAS_MEMBER)
#undef WEFT__BLAS_MEMBER
    cublasLtHandle_t handle;
    void *workspace; /* of this operation: its scratch memory */
    size_t workspace_bytes, workspace_limit;

    weft__blas_plan *plans; /* open addressing; a power of two slots, at most half of them used */
    size_t plan_slots, plan_count;

    weft__blas_choice *choices;
    size_t choice_room, choice_count;
} weft__blas;

/* Records a call of cuBLASLt that failed as e's error. */
weft_status weft__blas_fail(const weft__exec *e, const weft__blas *blas, cublasStatus_t status, const char *function);

/* Sees to a work space of at least this many bytes until the end of e. */
weft_status weft__blas_need_workspace(const weft__exec *e, weft__blas *blas, size_t bytes);

/* The plan of a product (plan.c), made if it is new, with a work space for it; data serves for timing, after which y
 * holds the product or garbage. It is valid until the next call. */
weft_status weft__blas_find_plan(const weft__exec *e, weft__blas *blas, const weft__blas_key *key,
                                 const weft__blas_data *data, weft__blas_plan **plan);

/* Runs a usable plan on e's stream. */
cublasStatus_t weft__blas_run_plan(const weft__exec *e, const weft__blas *blas, weft__blas_plan *plan,
                                   const cublasLtMatmulAlgo_t *algorithm, const weft__blas_data *data);

/* SPOILT: the operands hold a NaN or an infinity, and nothing is known. */
typedef enum weft__blas_verdict { WEFT__BLAS_RIGHT, WEFT__BLAS_WRONG, WEFT__BLAS_SPOILT } weft__blas_verdict;

/* Whether a usable plan with an activation computes ours (trial.c): NaN stays, and GELU is as exact as the dtype. y
 * holds garbage afterwards. */
weft_status weft__blas_try_plan(const weft__exec *e, const weft__blas *blas, weft__blas_plan *plan,
                                const weft__blas_data *data, weft__blas_verdict *verdict);

enum { WEFT__BLAS_CANDIDATES = 8 }; /* most algorithms that are looked at for a product */

/* The fastest of n algorithms for a plan (timing.c), by timing them; -1: none runs. */
weft_status weft__blas_fastest(const weft__exec *e, const weft__blas *blas, weft__blas_plan *plan,
                               const cublasLtMatmulHeuristicResult_t *candidates, int n, const weft__blas_data *data,
                               int *fastest);

/* *faster: whether a plan with an activation beats a plan without it followed by rest, which applies it. */
weft_status weft__blas_weigh(const weft__exec *e, const weft__blas *blas, weft__blas_step *whole,
                             weft__blas_step *plain, weft__cuda_rest rest, bool *faster);

static inline bool weft__blas_has(const weft__blas_key *key, cublasLtEpilogue_t epilogue)
{
    return (key->part[WEFT__KEY_EPILOGUE] & (int64_t)epilogue) != 0; /* they are sums of bits */
}

static inline bool weft__blas_activates(const weft__blas_key *key)
{
    return weft__blas_has(key, CUBLASLT_EPILOGUE_RELU) || weft__blas_has(key, CUBLASLT_EPILOGUE_GELU);
}

/* A call of cublasLtMatmul says that it does not do such products. With an epilogue that can be done without, it may
 * also refuse as invalid what its own heuristic proposed. */
static inline bool weft__blas_refuses(const weft__blas_key *key, cublasStatus_t status)
{
    const bool dispensable = (key->part[WEFT__KEY_EPILOGUE] & ~(int64_t)CUBLASLT_EPILOGUE_BIAS) > 1;
    return status == CUBLAS_STATUS_NOT_SUPPORTED || (dispensable && status == CUBLAS_STATUS_INVALID_VALUE);
}

/* The file of choices (choice.c). Reads it, if the context has one. */
weft_status weft__blas_load_choices(const weft__exec *e, weft__blas *blas);

/* NULL: the file has no choice for key. */
const cublasLtMatmulAlgo_t *weft__blas_find_choice(const weft__blas *blas, const weft__blas_key *key);

/* Keeps a choice, and adds it to the file if the context has one. */
weft_status weft__blas_save_choice(const weft__exec *e, weft__blas *blas, const weft__blas_key *key,
                                   const cublasLtMatmulAlgo_t *algorithm);

#endif
