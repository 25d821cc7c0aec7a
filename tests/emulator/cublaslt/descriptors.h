/* descriptors.h - what the stand-in keeps inside cuBLASLt's semi-opaque descriptors. */
#ifndef WEFT_TESTS_CUBLASLT_DESCRIPTORS_H
#define WEFT_TESTS_CUBLASLT_DESCRIPTORS_H

#include <cublasLt.h>
#include <cstdint>

namespace cublaslt
{

struct Operation {
    int32_t compute, scale, pointer_mode, transpose_a, transpose_b, transpose_c, fill_mode;
    uint32_t epilogue;
    void *bias;
    int64_t bias_batch_stride;
    void *aux;
    int64_t aux_ld, aux_batch_stride;
    int32_t aux_type, bias_type; /* -1: as D */
};

struct Layout {
    int32_t type, order;
    uint64_t rows, cols;
    int64_t ld;
    int32_t batch_count;
    int64_t batch_stride;
};

struct Preference {
    uint32_t search_mode;
    uint32_t reduction_mask;
    uint64_t max_workspace;
    uint32_t alignment[4]; /* of A, B, C, D */
};

/* What an algorithm handle stands for. magic tells one of ours from garbage. */
struct Algorithm {
    uint64_t magic;
    int32_t id, split_k;
    uint32_t reduction;
    uint32_t alignment; /* bytes, of A and B */
    uint64_t workspace;

    /* Parts of a sum are joined in a step of its own, which knows a bias alone. */
    bool knows(uint32_t epilogue) const
    {
        return split_k == 1 || (epilogue & ~(uint32_t{CUBLASLT_EPILOGUE_DEFAULT} | CUBLASLT_EPILOGUE_BIAS)) == 0;
    }
    /* Its activations are those of a GPU in a hurry: max(x, 0) is 0 for NaN, tanh has 11 bits. */
    bool is_hasty() const
    {
        return id == 5;
    }
};
constexpr uint64_t algorithm_magic = 0x77656674616c676full;

static_assert(sizeof(Operation) <= sizeof(cublasLtMatmulDescOpaque_t) &&
                  sizeof(Layout) <= sizeof(cublasLtMatrixLayoutOpaque_t) &&
                  sizeof(Preference) <= sizeof(cublasLtMatmulPreferenceOpaque_t) &&
                  sizeof(Algorithm) <= sizeof(cublasLtMatmulAlgo_t),
              "the stand-in's descriptors live in the real ones' storage");

/* Whether such a product can be done at all: types, sizes, leading dims, batches. The epilogue's pointers do not
 * count. */
cublasStatus_t check_product(cublasLtMatmulDesc_t operation, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                             cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d);

inline Operation *of(cublasLtMatmulDesc_t handle)
{
    return reinterpret_cast<Operation *>(handle);
}
inline Layout *of(cublasLtMatrixLayout_t handle)
{
    return reinterpret_cast<Layout *>(handle);
}
inline Preference *of(cublasLtMatmulPreference_t handle)
{
    return reinterpret_cast<Preference *>(handle);
}

} /* namespace cublaslt */

#endif
