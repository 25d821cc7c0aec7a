/* reduce_flag.cu - reductions that look at an element's bits: ANY, ALL and COUNT_NONFINITE. The kernels stand in
 * reduce.h. Elements are unsigned integers of their size, so that dtypes of one size share a kernel. */
#include "cuda/kernels.h"
#include "reduce.h"

namespace
{

/* The bits that are set in a nonzero element: all but the sign of a real, so that -0 is zero and NaN is not. */
template <class U> U value_bits(const weft__array *x)
{
    const U all = static_cast<U>(~U(0));
    return weft_holds_reals(x) ? static_cast<U>(all >> 1) : all;
}

/* The bits that are all set in a NaN and in an infinity. */
uint64_t exponent_bits(int32_t dtype)
{
    switch (dtype) {
    case WEFT_F32:
        return 0x7f800000u;
    case WEFT_F64:
        return UINT64_C(0x7ff0000000000000);
    case WEFT_F16:
        return 0x7c00u;
    default:
        return 0x7f80u;
    }
}

/* ---- any, all: has a nonzero element (any) or a zero one (all) been seen? ---- */

template <class U> struct fold_flag {
    using element = U;
    using acc = uint32_t;
    using out = uint8_t;
    U bits;
    bool sought; /* that an element is nonzero */

    __device__ acc init() const
    {
        return 0;
    }

    template <int N> __device__ __forceinline__ void take(acc &a, const U (&x)[N], int64_t, int64_t) const
    {
#pragma unroll
        for (int k = 0; k < N; k++)
            a |= ((x[k] & bits) != 0) == sought;
    }

    __device__ void merge(acc &a, acc b) const
    {
        a |= b;
    }

    __device__ void finish(uint8_t *y, acc a) const
    {
        *y = (a != 0) == sought;
    }
};

/* ---- count_nonfinite ---- */

template <class U> struct fold_nonfinite {
    using element = U;
    using acc = int64_t;
    using out = int64_t;
    U bits;

    __device__ acc init() const
    {
        return 0;
    }

    template <int N> __device__ __forceinline__ void take(acc &a, const U (&x)[N], int64_t, int64_t) const
    {
        int32_t found = 0;
#pragma unroll
        for (int k = 0; k < N; k++)
            found += (x[k] & bits) == bits;
        a += found;
    }

    __device__ void merge(acc &a, acc b) const
    {
        a += b;
    }

    __device__ void finish(int64_t *y, acc a) const
    {
        *y = a;
    }
};

template <class U> weft_status flag(const weft__exec *e, bool sought)
{
    const weft__array *x = e->in[0];
    return weft_reduce(e, x, e->attrs->reduce.dims, e->out[0], fold_flag<U>{value_bits<U>(x), sought});
}

weft_status flags(const weft__exec *e, bool sought)
{
    switch (weft__cuda_bytes(e->in[0]->dtype)) {
    case 1:
        return flag<uint8_t>(e, sought);
    case 2:
        return flag<uint16_t>(e, sought);
    case 4:
        return flag<uint32_t>(e, sought);
    default:
        return flag<uint64_t>(e, sought);
    }
}

template <class U> weft_status nonfinite(const weft__exec *e)
{
    const weft__array *x = e->in[0];
    const int64_t all_dims = (INT64_C(1) << x->ndim) - 1;
    return weft_reduce(e, x, all_dims, e->out[0], fold_nonfinite<U>{static_cast<U>(exponent_bits(x->dtype))});
}

} /* namespace */

/* x any strides, any dtype; y the kept dims, bool */
extern "C" weft_status weft__cuda_any(const weft__exec *e)
{
    return flags(e, true);
}

extern "C" weft_status weft__cuda_all(const weft__exec *e)
{
    return flags(e, false);
}

/* x any strides, any dtype; y [] i64. Integers are all finite. */
extern "C" weft_status weft__cuda_count_nonfinite(const weft__exec *e)
{
    switch (e->in[0]->dtype) {
    case WEFT_F32:
        return nonfinite<uint32_t>(e);
    case WEFT_F64:
        return nonfinite<uint64_t>(e);
    case WEFT_F16:
    case WEFT_BF16:
        return nonfinite<uint16_t>(e);
    default:
        return weft__cuda_status(e, cudaMemsetAsync(e->out[0]->data, 0, sizeof(int64_t), weft__stream(e)));
    }
}
