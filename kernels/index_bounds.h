/* index_bounds.h - indices that kernels check, and where they note one that is out of range. */
#ifndef WEFT_KERNELS_INDEX_BOUNDS_H
#define WEFT_KERNELS_INDEX_BOUNDS_H

#include "cuda/kernels.h"
#include "cuda/launch.h"

struct weft_bounds {
    int64_t limit;
    int32_t op;
    weft__cuda_fault *fault;
};

inline weft_bounds weft_bounds_of(const weft__exec *e, int64_t limit)
{
    return {limit, e->caller, weft__cuda_device_of(e)->fault};
}

__device__ __forceinline__ bool weft_is_inside(const weft_bounds &b, int64_t index)
{
    return index >= 0 && index < b.limit;
}

/* The same, noting one that is not, at that position of the index array. */
__device__ __forceinline__ bool weft_in_range(const weft_bounds &b, int64_t position, int64_t index)
{
    if (weft_is_inside(b, index))
        return true;
    weft__cuda_report(b.fault, b.op, position, index, b.limit);
    return false;
}

#endif
