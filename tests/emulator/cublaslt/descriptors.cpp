/* descriptors.cpp - handles, descriptors with their attributes, and the heuristic. */
#include "descriptors.h"

#include <cstddef>
#include <cstring>
#include "../cudart/runtime.h"

namespace cublaslt
{
namespace
{

/* Where an attribute lies in its descriptor. */
struct Field {
    int attribute;
    size_t offset, bytes;
};

#define FIELD(attribute, type, member)                                                                                 \
    {                                                                                                                  \
        attribute, offsetof(type, member), sizeof(type::member)                                                        \
    }

const Field operation_fields[] = {
    FIELD(CUBLASLT_MATMUL_DESC_COMPUTE_TYPE, Operation, compute),
    FIELD(CUBLASLT_MATMUL_DESC_SCALE_TYPE, Operation, scale),
    FIELD(CUBLASLT_MATMUL_DESC_POINTER_MODE, Operation, pointer_mode),
    FIELD(CUBLASLT_MATMUL_DESC_TRANSA, Operation, transpose_a),
    FIELD(CUBLASLT_MATMUL_DESC_TRANSB, Operation, transpose_b),
    FIELD(CUBLASLT_MATMUL_DESC_TRANSC, Operation, transpose_c),
    FIELD(CUBLASLT_MATMUL_DESC_FILL_MODE, Operation, fill_mode),
    FIELD(CUBLASLT_MATMUL_DESC_EPILOGUE, Operation, epilogue),
    FIELD(CUBLASLT_MATMUL_DESC_BIAS_POINTER, Operation, bias),
    FIELD(CUBLASLT_MATMUL_DESC_BIAS_BATCH_STRIDE, Operation, bias_batch_stride),
    FIELD(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, Operation, bias_type),
    FIELD(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, Operation, aux),
    FIELD(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, Operation, aux_ld),
    FIELD(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_BATCH_STRIDE, Operation, aux_batch_stride),
    FIELD(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_DATA_TYPE, Operation, aux_type),
};

const Field layout_fields[] = {
    FIELD(CUBLASLT_MATRIX_LAYOUT_TYPE, Layout, type),
    FIELD(CUBLASLT_MATRIX_LAYOUT_ORDER, Layout, order),
    FIELD(CUBLASLT_MATRIX_LAYOUT_ROWS, Layout, rows),
    FIELD(CUBLASLT_MATRIX_LAYOUT_COLS, Layout, cols),
    FIELD(CUBLASLT_MATRIX_LAYOUT_LD, Layout, ld),
    FIELD(CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, Layout, batch_count),
    FIELD(CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, Layout, batch_stride),
};

const Field preference_fields[] = {
    FIELD(CUBLASLT_MATMUL_PREF_SEARCH_MODE, Preference, search_mode),
    FIELD(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, Preference, max_workspace),
    FIELD(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, Preference, reduction_mask),
    FIELD(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, Preference, alignment[0]),
    FIELD(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, Preference, alignment[1]),
    FIELD(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, Preference, alignment[2]),
    FIELD(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, Preference, alignment[3]),
};

const Field algorithm_fields[] = {
    FIELD(CUBLASLT_ALGO_CONFIG_ID, Algorithm, id),
    FIELD(CUBLASLT_ALGO_CONFIG_SPLITK_NUM, Algorithm, split_k),
    FIELD(CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME, Algorithm, reduction),
};

#undef FIELD

/* Fastest first, as the real heuristic orders them; the last needs no workspace and no alignment. */
const Algorithm algorithms[] = {
    {algorithm_magic, 66, 1, CUBLASLT_REDUCTION_SCHEME_NONE, 16, 1 << 16},
    {algorithm_magic, 21, 3, CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE, 1, 1 << 14},
    {algorithm_magic, 5, 1, CUBLASLT_REDUCTION_SCHEME_NONE, 1, 0},
};

template <size_t N> const Field *find_field(const Field (&fields)[N], int attribute)
{
    for (const Field &field : fields)
        if (field.attribute == attribute)
            return &field;
    return nullptr;
}

template <size_t N>
cublasStatus_t set_attribute(void *descriptor, const Field (&fields)[N], int attribute, const void *value, size_t bytes)
{
    const Field *field = find_field(fields, attribute);
    if (!field)
        return CUBLAS_STATUS_NOT_SUPPORTED;
    if (!descriptor || !value || bytes != field->bytes)
        return CUBLAS_STATUS_INVALID_VALUE;
    memcpy(static_cast<char *>(descriptor) + field->offset, value, bytes);
    return CUBLAS_STATUS_SUCCESS;
}

template <size_t N>
cublasStatus_t get_attribute(const void *descriptor, const Field (&fields)[N], int attribute, void *value, size_t bytes,
                             size_t *written)
{
    const Field *field = find_field(fields, attribute);
    if (!field)
        return CUBLAS_STATUS_NOT_SUPPORTED;
    if (!descriptor || (bytes == 0 && !written) || (bytes && (!value || bytes != field->bytes)))
        return CUBLAS_STATUS_INVALID_VALUE;
    if (bytes)
        memcpy(value, static_cast<const char *>(descriptor) + field->offset, bytes);
    if (written)
        *written = field->bytes;
    return CUBLAS_STATUS_SUCCESS;
}

/* Creation is where the real library allocates. */
template <class Opaque> cublasStatus_t create(const char *function, Opaque **handle)
{
    cudart::Call call(function);
    if (call.refused())
        return CUBLAS_STATUS_ALLOC_FAILED;
    if (!handle)
        return CUBLAS_STATUS_INVALID_VALUE;
    *handle = new Opaque{};
    return CUBLAS_STATUS_SUCCESS;
}

Operation new_operation(cublasComputeType_t compute, cudaDataType_t scale)
{
    Operation operation = {};
    operation.compute = compute;
    operation.scale = scale;
    operation.fill_mode = CUBLAS_FILL_MODE_FULL;
    operation.epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    operation.aux_type = operation.bias_type = -1;
    return operation;
}

Preference new_preference()
{
    Preference preference = {};
    preference.reduction_mask = CUBLASLT_REDUCTION_SCHEME_MASK;
    for (uint32_t &alignment : preference.alignment)
        alignment = 256;
    return preference;
}

bool allowed(const Algorithm &algorithm, const Preference &preference)
{
    return algorithm.workspace <= preference.max_workspace && (algorithm.reduction & ~preference.reduction_mask) == 0 &&
           algorithm.alignment <= preference.alignment[0] && algorithm.alignment <= preference.alignment[1];
}

cublasLtMatmulHeuristicResult_t result_of(const Algorithm &algorithm)
{
    cublasLtMatmulHeuristicResult_t result = {};
    memcpy(&result.algo, &algorithm, sizeof algorithm);
    result.workspaceSize = algorithm.workspace;
    result.state = CUBLAS_STATUS_SUCCESS;
    result.wavesCount = 1.0f;
    return result;
}

/* It is one of ours as it came, and not something that was read from a file. */
bool is_known(const Algorithm &algorithm)
{
    for (const Algorithm &known : algorithms)
        if (memcmp(&known, &algorithm, sizeof known) == 0)
            return true;
    return false;
}

} /* namespace */
} /* namespace cublaslt */

using namespace cublaslt;

extern "C" {

cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle)
{
    cudart::Call call("cublasLtCreate");
    if (call.refused())
        return CUBLAS_STATUS_NOT_INITIALIZED;
    *handle = reinterpret_cast<cublasLtHandle_t>(new int);
    cudart::count_handle(1);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle)
{
    cudart::Call call("cublasLtDestroy");
    delete reinterpret_cast<int *>(handle);
    cudart::count_handle(-1);
    return CUBLAS_STATUS_SUCCESS;
}

size_t cublasLtGetVersion(void)
{
    return CUBLAS_VERSION;
}

const char *cublasLtGetStatusName(cublasStatus_t status)
{
    switch (status) {
    case CUBLAS_STATUS_SUCCESS:
        return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_NOT_INITIALIZED:
        return "CUBLAS_STATUS_NOT_INITIALIZED";
    case CUBLAS_STATUS_ALLOC_FAILED:
        return "CUBLAS_STATUS_ALLOC_FAILED";
    case CUBLAS_STATUS_INVALID_VALUE:
        return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_EXECUTION_FAILED:
        return "CUBLAS_STATUS_EXECUTION_FAILED";
    case CUBLAS_STATUS_NOT_SUPPORTED:
        return "CUBLAS_STATUS_NOT_SUPPORTED";
    default:
        return "unknown status";
    }
}

const char *cublasLtGetStatusString(cublasStatus_t status)
{
    return cublasLtGetStatusName(status);
}

/* --- matmul descriptor -------------------------------------------------------------------------------------------- */

cublasStatus_t cublasLtMatmulDescInit_internal(cublasLtMatmulDesc_t handle, size_t bytes, cublasComputeType_t compute,
                                               cudaDataType_t scale)
{
    if (bytes < sizeof(Operation))
        return CUBLAS_STATUS_ALLOC_FAILED;
    *of(handle) = new_operation(compute, scale);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *handle, cublasComputeType_t compute, cudaDataType_t scale)
{
    const cublasStatus_t status = create("cublasLtMatmulDescCreate", handle);
    if (status == CUBLAS_STATUS_SUCCESS)
        *of(*handle) = new_operation(compute, scale);
    return status;
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t handle)
{
    delete handle;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t handle, cublasLtMatmulDescAttributes_t attribute,
                                              const void *value, size_t bytes)
{
    return set_attribute(handle, operation_fields, attribute, value, bytes);
}

cublasStatus_t cublasLtMatmulDescGetAttribute(cublasLtMatmulDesc_t handle, cublasLtMatmulDescAttributes_t attribute,
                                              void *value, size_t bytes, size_t *written)
{
    return get_attribute(handle, operation_fields, attribute, value, bytes, written);
}

/* --- matrix layout ------------------------------------------------------------------------------------------------ */

cublasStatus_t cublasLtMatrixLayoutInit_internal(cublasLtMatrixLayout_t handle, size_t bytes, cudaDataType type,
                                                 uint64_t rows, uint64_t cols, int64_t ld)
{
    if (bytes < sizeof(Layout))
        return CUBLAS_STATUS_ALLOC_FAILED;
    *of(handle) = {type, CUBLASLT_ORDER_COL, rows, cols, ld, 1, 0};
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *handle, cudaDataType type, uint64_t rows,
                                          uint64_t cols, int64_t ld)
{
    const cublasStatus_t status = create("cublasLtMatrixLayoutCreate", handle);
    if (status != CUBLAS_STATUS_SUCCESS)
        return status;
    return cublasLtMatrixLayoutInit_internal(*handle, sizeof **handle, type, rows, cols, ld);
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t handle)
{
    delete handle;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t handle,
                                                cublasLtMatrixLayoutAttribute_t attribute, const void *value,
                                                size_t bytes)
{
    return set_attribute(handle, layout_fields, attribute, value, bytes);
}

cublasStatus_t cublasLtMatrixLayoutGetAttribute(cublasLtMatrixLayout_t handle,
                                                cublasLtMatrixLayoutAttribute_t attribute, void *value, size_t bytes,
                                                size_t *written)
{
    return get_attribute(handle, layout_fields, attribute, value, bytes, written);
}

/* --- preference and heuristic ------------------------------------------------------------------------------------- */

cublasStatus_t cublasLtMatmulPreferenceInit_internal(cublasLtMatmulPreference_t handle, size_t bytes)
{
    if (bytes < sizeof(Preference))
        return CUBLAS_STATUS_ALLOC_FAILED;
    *of(handle) = new_preference();
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *handle)
{
    const cublasStatus_t status = create("cublasLtMatmulPreferenceCreate", handle);
    if (status == CUBLAS_STATUS_SUCCESS)
        *of(*handle) = new_preference();
    return status;
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t handle)
{
    delete handle;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t handle,
                                                    cublasLtMatmulPreferenceAttributes_t attribute, const void *value,
                                                    size_t bytes)
{
    return set_attribute(handle, preference_fields, attribute, value, bytes);
}

cublasStatus_t cublasLtMatmulPreferenceGetAttribute(cublasLtMatmulPreference_t handle,
                                                    cublasLtMatmulPreferenceAttributes_t attribute, void *value,
                                                    size_t bytes, size_t *written)
{
    return get_attribute(handle, preference_fields, attribute, value, bytes, written);
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t operation,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int requested,
                                              cublasLtMatmulHeuristicResult_t results[], int *returned)
{
    cudart::Call call("cublasLtMatmulAlgoGetHeuristic");
    if (call.refused())
        return CUBLAS_STATUS_ALLOC_FAILED;
    if (!operation || !a || !b || !c || !d || !preference || requested < 1 || !results || !returned)
        return CUBLAS_STATUS_INVALID_VALUE;
    *returned = 0;
    const cublasStatus_t status = check_product(operation, a, b, c, d);
    if (status != CUBLAS_STATUS_SUCCESS)
        return status;
    for (const Algorithm &algorithm : algorithms) {
        if (!allowed(algorithm, *of(preference)) || !algorithm.knows(of(operation)->epilogue) || *returned == requested)
            continue;
        results[(*returned)++] = result_of(algorithm);
    }
    return *returned ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
}

cublasStatus_t cublasLtMatmulAlgoCheck(cublasLtHandle_t, cublasLtMatmulDesc_t operation, cublasLtMatrixLayout_t a,
                                       cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                       const cublasLtMatmulAlgo_t *handle, cublasLtMatmulHeuristicResult_t *result)
{
    cudart::Call call("cublasLtMatmulAlgoCheck");
    if (call.refused())
        return CUBLAS_STATUS_ALLOC_FAILED;
    if (!operation || !a || !b || !c || !d || !handle || !result)
        return CUBLAS_STATUS_INVALID_VALUE;
    Algorithm algorithm;
    memcpy(&algorithm, handle, sizeof algorithm);
    if (!is_known(algorithm) || !algorithm.knows(of(operation)->epilogue))
        return CUBLAS_STATUS_NOT_SUPPORTED;
    *result = result_of(algorithm);
    return check_product(operation, a, b, c, d);
}

cublasStatus_t cublasLtMatmulAlgoConfigGetAttribute(const cublasLtMatmulAlgo_t *algorithm,
                                                    cublasLtMatmulAlgoConfigAttributes_t attribute, void *value,
                                                    size_t bytes, size_t *written)
{
    return get_attribute(algorithm, algorithm_fields, attribute, value, bytes, written);
}

} /* extern "C" */
