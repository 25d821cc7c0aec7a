/* plan.c - plans of products: cuBLASLt's descriptors with an algorithm, kept by key.
 *
 * Algorithms must give the same bits each time. cuBLASLt promises that by itself for one that does not cut sums, or
 * adds their parts in a step of its own (REDUCTION_SCHEME_COMPUTE_TYPE); the other two schemes round parts to the type
 * of the result, and are left out for that. */
#include <string.h>
#include "blas.h"

enum {
    FIRST_SLOTS = 64,
    MOST_PLANS = 4096, /* then the table is emptied: shapes that change all the time must not fill the memory */
};

/* ---- Descriptors ---- */

static cudaDataType type_of(int64_t dtype)
{
    switch (dtype) {
    case WEFT_F64:
        return CUDA_R_64F;
    case WEFT_F16:
        return CUDA_R_16F;
    case WEFT_BF16:
        return CUDA_R_16BF;
    default:
        return CUDA_R_32F;
    }
}

static cublasComputeType_t compute_of(const int64_t *key)
{
    if (key[WEFT__KEY_DTYPE] == WEFT_F64)
        return CUBLAS_COMPUTE_64F;
    return key[WEFT__KEY_TF32] ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
}

/* A matrix of rows x columns that lies by column, or by row if turned. */
static cublasStatus_t make_layout(const weft__blas *blas, cublasLtMatrixLayout_t layout, const int64_t *key,
                                  int64_t rows, int64_t columns, bool turned, int64_t ld, int64_t batch)
{
    const int32_t batches = (int32_t)key[WEFT__KEY_BATCHES];
    cublasStatus_t status =
        blas->layout_init(layout, sizeof *layout, type_of(key[WEFT__KEY_DTYPE]), (uint64_t)(turned ? columns : rows),
                          (uint64_t)(turned ? rows : columns), ld);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = blas->layout_set(layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &batches, sizeof batches);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = blas->layout_set(layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &batch, sizeof batch);
    return status;
}

static cublasStatus_t make_layouts(const weft__blas *blas, weft__blas_plan *plan)
{
    const int64_t *key = plan->key.part, m = key[WEFT__KEY_M], n = key[WEFT__KEY_N], k = key[WEFT__KEY_K];
    cublasStatus_t status = make_layout(blas, &plan->a, key, k, m, key[WEFT__KEY_A_TURNED] != 0, key[WEFT__KEY_A_LD],
                                        key[WEFT__KEY_A_BATCH]);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = make_layout(blas, &plan->b, key, n, k, key[WEFT__KEY_B_TURNED] != 0, key[WEFT__KEY_B_LD],
                             key[WEFT__KEY_B_BATCH]);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = make_layout(blas, &plan->y, key, n, m, false, n, key[WEFT__KEY_Y_BATCH]);
    return status;
}

static cublasStatus_t set_pointers(const weft__blas *blas, weft__blas_plan *plan, const weft__blas_data *data)
{
    const cublasLtMatmulDesc_t operation = &plan->operation;
    cublasStatus_t status = CUBLAS_STATUS_SUCCESS;
    if (data->vector)
        status = blas->operation_set(operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &data->vector, sizeof data->vector);
    if (status == CUBLAS_STATUS_SUCCESS && data->aux)
        status =
            blas->operation_set(operation, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, &data->aux, sizeof data->aux);
    return status;
}

/* The pointers are set for the heuristic, which looks at their alignment. */
static cublasStatus_t make_operation(const weft__blas *blas, weft__blas_plan *plan, const weft__blas_data *data)
{
    const int64_t *key = plan->key.part, aux_ld = key[WEFT__KEY_N];
    const int32_t turn_b = key[WEFT__KEY_B_TURNED] ? CUBLAS_OP_T : CUBLAS_OP_N;
    const int32_t turn_a = key[WEFT__KEY_A_TURNED] ? CUBLAS_OP_T : CUBLAS_OP_N;
    const uint32_t epilogue = (uint32_t)key[WEFT__KEY_EPILOGUE];
    cublasLtMatmulDesc_t operation = &plan->operation;
    cublasStatus_t status = blas->operation_init(operation, sizeof *operation, compute_of(key),
                                                 key[WEFT__KEY_DTYPE] == WEFT_F64 ? CUDA_R_64F : CUDA_R_32F);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = blas->operation_set(operation, CUBLASLT_MATMUL_DESC_TRANSA, &turn_b, sizeof turn_b);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = blas->operation_set(operation, CUBLASLT_MATMUL_DESC_TRANSB, &turn_a, sizeof turn_a);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = blas->operation_set(operation, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue);
    if (status == CUBLAS_STATUS_SUCCESS && data->aux)
        status = blas->operation_set(operation, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, &aux_ld, sizeof aux_ld);
    return status == CUBLAS_STATUS_SUCCESS ? set_pointers(blas, plan, data) : status;
}

static cublasStatus_t make_preference(const weft__blas *blas, const int64_t *key, cublasLtMatmulPreference_t preference)
{
    const uint64_t bytes = blas->workspace_limit;
    const uint32_t reduction = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
    const struct {
        cublasLtMatmulPreferenceAttributes_t attribute;
        uint32_t bytes;
    } alignments[] = {
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, 1u << key[WEFT__KEY_B_ALIGNMENT]},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, 1u << key[WEFT__KEY_A_ALIGNMENT]},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, 1u << key[WEFT__KEY_Y_ALIGNMENT]},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, 1u << key[WEFT__KEY_Y_ALIGNMENT]},
    };
    cublasStatus_t status = blas->preference_init(preference, sizeof *preference);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = blas->preference_set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &bytes, sizeof bytes);
    if (status == CUBLAS_STATUS_SUCCESS)
        status =
            blas->preference_set(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &reduction, sizeof reduction);
    for (size_t k = 0; k < sizeof alignments / sizeof *alignments && status == CUBLAS_STATUS_SUCCESS; k++)
        status =
            blas->preference_set(preference, alignments[k].attribute, &alignments[k].bytes, sizeof alignments[k].bytes);
    return status;
}

/* Whether cuBLASLt takes the descriptors. If not - this release wants other ones, or there are too many batches - the
 * plan stays unusable, and the kernels do the product. */
static bool describe(const weft__blas *blas, weft__blas_plan *plan, const weft__blas_data *data)
{
    return plan->key.part[WEFT__KEY_BATCHES] <= INT32_MAX &&
           make_operation(blas, plan, data) == CUBLAS_STATUS_SUCCESS &&
           make_layouts(blas, plan) == CUBLAS_STATUS_SUCCESS;
}

/* ---- Running ---- */

cublasStatus_t weft__blas_run_plan(const weft__exec *e, const weft__blas *blas, weft__blas_plan *plan,
                                   const cublasLtMatmulAlgo_t *algorithm, const weft__blas_data *data)
{
    static const float numbers[] = {0, 1};
    static const double wide_numbers[] = {0, 1};
    const bool wide = plan->key.part[WEFT__KEY_DTYPE] == WEFT_F64, product = !data->is_trial, old = data->is_trial;
    const void *alpha = wide ? (const void *)&wide_numbers[product] : &numbers[product];
    const void *beta = wide ? (const void *)&wide_numbers[old] : &numbers[old];
    const cublasStatus_t status = set_pointers(blas, plan, data);
    if (status != CUBLAS_STATUS_SUCCESS)
        return status;
    return blas->matmul(blas->handle, &plan->operation, alpha, data->b, &plan->b, data->a, &plan->a, beta, data->y,
                        &plan->y, data->y, &plan->y, algorithm, blas->workspace, blas->workspace_bytes,
                        weft__stream(e));
}

/* ---- Choosing an algorithm ---- */

/* A saved algorithm is used if cuBLASLt still accepts it within our work space. */
static bool is_accepted(const weft__blas *blas, weft__blas_plan *plan, const cublasLtMatmulAlgo_t *algorithm,
                        size_t *workspace)
{
    cublasLtMatmulHeuristicResult_t result;
    const cublasStatus_t status =
        blas->check(blas->handle, &plan->operation, &plan->b, &plan->a, &plan->y, &plan->y, algorithm, &result);
    *workspace = status == CUBLAS_STATUS_SUCCESS ? result.workspaceSize : 0;
    return status == CUBLAS_STATUS_SUCCESS && *workspace <= blas->workspace_limit;
}

/* cuBLASLt's proposals, the best first. CUBLAS_STATUS_SUCCESS with *n = 0: it has none. */
static cublasStatus_t propose(const weft__blas *blas, weft__blas_plan *plan,
                              cublasLtMatmulHeuristicResult_t candidates[WEFT__BLAS_CANDIDATES], int *n)
{
    cublasLtMatmulPreferenceOpaque_t preference;
    int found = 0;
    *n = 0;
    cublasStatus_t status = make_preference(blas, plan->key.part, &preference);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = blas->heuristic(blas->handle, &plan->operation, &plan->b, &plan->a, &plan->y, &plan->y, &preference,
                                 WEFT__BLAS_CANDIDATES, candidates, &found);
    if (status == CUBLAS_STATUS_NOT_SUPPORTED || status == CUBLAS_STATUS_INVALID_VALUE)
        return CUBLAS_STATUS_SUCCESS;
    if (status != CUBLAS_STATUS_SUCCESS)
        return status;
    for (int k = 0; k < found; k++)
        if (candidates[k].state == CUBLAS_STATUS_SUCCESS)
            candidates[(*n)++] = candidates[k];
    return CUBLAS_STATUS_SUCCESS;
}

static weft_status choose_new(const weft__exec *e, weft__blas *blas, weft__blas_plan *plan, const weft__blas_data *data)
{
    cublasLtMatmulHeuristicResult_t candidates[WEFT__BLAS_CANDIDATES];
    int n, chosen = 0;
    const cublasStatus_t status = propose(blas, plan, candidates, &n);
    if (status != CUBLAS_STATUS_SUCCESS)
        return weft__blas_fail(e, blas, status, "cublasLtMatmulAlgoGetHeuristic");
    plan->usable = n > 0;
    if (!plan->usable)
        return WEFT_OK;
    const bool timed = weft__cuda_device_of(e)->options.time_matmul;
    size_t workspace = 0;
    for (int k = 0; k < (timed ? n : 1); k++)
        workspace = candidates[k].workspaceSize > workspace ? candidates[k].workspaceSize : workspace;
    weft_status ready = weft__blas_need_workspace(e, blas, workspace);
    if (ready == WEFT_OK && timed && n > 1)
        ready = weft__blas_fastest(e, blas, plan, candidates, n, data, &chosen);
    plan->usable = chosen >= 0;
    if (!plan->usable)
        return ready;
    if (ready == WEFT_OK && timed)
        ready = weft__blas_save_choice(e, blas, &plan->key, &candidates[chosen].algo);
    plan->algorithm = candidates[chosen].algo;
    plan->workspace_bytes = candidates[chosen].workspaceSize;
    return ready;
}

static weft_status choose(const weft__exec *e, weft__blas *blas, weft__blas_plan *plan, const weft__blas_data *data)
{
    const weft__device_options *o = &weft__cuda_device_of(e)->options;
    const cublasLtMatmulAlgo_t *saved = weft__blas_find_choice(blas, &plan->key);
    if (!saved)
        return choose_new(e, blas, plan, data);
    plan->is_weighed = true;
    if (memcmp(saved, &weft__blas_no_algorithm, sizeof *saved) == 0)
        return WEFT_OK;
    if (is_accepted(blas, plan, saved, &plan->workspace_bytes)) {
        plan->algorithm = *saved;
        plan->usable = true;
        return weft__blas_need_workspace(e, blas, plan->workspace_bytes);
    }
    plan->is_weighed = false;
    if (o->time_matmul)
        return choose_new(e, blas, plan, data);
    return e->host->fail(
        e, WEFT_E_IO,
        "cuBLASLt does not accept the algorithm that \"%.200s\" has for this product; delete the file, or "
        "make it anew with time_matmul",
        o->matmul_choices);
}

/* ---- The table ---- */

static uint64_t hash_of(const weft__blas_key *key)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (int k = 0; k < WEFT__KEYS; k++) {
        hash = (hash ^ (uint64_t)key->part[k]) * 0x100000001b3u;
        hash ^= hash >> 29;
    }
    return hash;
}

/* The slot that holds key, or the free one where it belongs. */
static weft__blas_plan *find_slot(const weft__blas *blas, const weft__blas_key *key)
{
    size_t at = (size_t)hash_of(key) & (blas->plan_slots - 1);
    while (blas->plans[at].used && memcmp(&blas->plans[at].key, key, sizeof *key) != 0)
        at = (at + 1) & (blas->plan_slots - 1);
    return &blas->plans[at];
}

/* Room for one more plan, at twice the size if need be. */
static bool make_room(weft__cuda_device *d, weft__blas *blas)
{
    const weft__device_options *o = &d->options;
    if (blas->plan_count >= MOST_PLANS) {
        memset(blas->plans, 0, blas->plan_slots * sizeof *blas->plans);
        blas->plan_count = 0;
    }
    if (blas->plan_count * 2 < blas->plan_slots)
        return true;
    weft__blas old = *blas;
    const size_t slots = old.plan_slots ? old.plan_slots * 2 : FIRST_SLOTS;
    weft__blas_plan *plans = o->alloc(o->user, slots * sizeof *plans, 64);
    if (!plans)
        return false;
    memset(plans, 0, slots * sizeof *plans);
    blas->plans = plans;
    blas->plan_slots = slots;
    for (size_t k = 0; k < old.plan_slots; k++)
        if (old.plans[k].used)
            *find_slot(blas, &old.plans[k].key) = old.plans[k];
    if (old.plans)
        o->free(o->user, old.plans, old.plan_slots * sizeof *old.plans);
    return true;
}

weft_status weft__blas_find_plan(const weft__exec *e, weft__blas *blas, const weft__blas_key *key,
                                 const weft__blas_data *data, weft__blas_plan **plan)
{
    if (blas->plans && (*plan = find_slot(blas, key))->used)
        return (*plan)->usable ? weft__blas_need_workspace(e, blas, (*plan)->workspace_bytes) : WEFT_OK;
    if (!make_room(weft__cuda_device_of(e), blas))
        return e->host->fail(e, WEFT_E_NOMEM, "out of host memory for the plans of matrix products");
    *plan = find_slot(blas, key);
    **plan = (weft__blas_plan){.key = *key};
    weft_status status = WEFT_OK;
    weft__blas_verdict verdict = WEFT__BLAS_RIGHT;
    if (describe(blas, *plan, data))
        status = choose(e, blas, *plan, data);
    if (status == WEFT_OK && (*plan)->usable && weft__blas_activates(key))
        status = weft__blas_try_plan(e, blas, *plan, data, &verdict);
    (*plan)->usable = (*plan)->usable && verdict == WEFT__BLAS_RIGHT;
    (*plan)->used = status == WEFT_OK && verdict != WEFT__BLAS_SPOILT; /* if not, the next such product tries again */
    blas->plan_count += (*plan)->used;
    return status;
}
