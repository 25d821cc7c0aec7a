/* reduce.cu - sums and products: SUM, MEAN and PROD. The kernels stand in reduce.h. */
#include "cuda/kernels.h"
#include "reduce.h"

namespace
{

template <class T> constexpr bool is_real = !std::is_integral_v<T>;

/* Running results of reals; integers of every width wrap around in 64 bits, so they are kept unsigned. */
template <class T> struct sum_of {
    using type = std::conditional_t<is_real<T>, weft_compute_t<T>, uint64_t>;
    using result = std::conditional_t<is_real<T>, T, int64_t>;
};

/* ---- sum, mean: pairs of pairs within a pack, over threads and over chunks ---- */

template <class T> struct fold_sum {
    using element = T;
    using acc = typename sum_of<T>::type;
    using out = typename sum_of<T>::result;
    acc divisor; /* 1, or how many elements a mean is of */

    __device__ acc init() const
    {
        return 0;
    }

    template <int N> __device__ __forceinline__ void take(acc &a, const T (&x)[N], int64_t, int64_t) const
    {
        acc v[N];
#pragma unroll
        for (int k = 0; k < N; k++)
            v[k] = value(x[k]);
#pragma unroll
        for (int apart = 1; apart < N; apart *= 2)
#pragma unroll
            for (int k = 0; k + apart < N; k += 2 * apart)
                v[k] += v[k + apart];
        a += v[0];
    }

    __device__ void merge(acc &a, acc b) const
    {
        a += b;
    }

    __device__ void finish(out *y, acc a) const
    {
        if constexpr (is_real<T>)
            weft_store(y, a / divisor);
        else
            *y = static_cast<out>(a);
    }

    static __device__ __forceinline__ acc value(T x)
    {
        if constexpr (is_real<T>)
            return weft_load(x);
        else
            return static_cast<acc>(x);
    }
};

/* ---- prod: in f64, where no product of a few f32 overflows that comes back to its range ---- */

template <class T> struct fold_prod {
    using element = T;
    using acc = std::conditional_t<is_real<T>, double, uint64_t>;
    using out = typename sum_of<T>::result;

    __device__ acc init() const
    {
        return 1;
    }

    template <int N> __device__ __forceinline__ void take(acc &a, const T (&x)[N], int64_t, int64_t) const
    {
#pragma unroll
        for (int k = 0; k < N; k++)
            a *= static_cast<acc>(fold_sum<T>::value(x[k]));
    }

    __device__ void merge(acc &a, acc b) const
    {
        a *= b;
    }

    __device__ void finish(out *y, acc a) const
    {
        if constexpr (is_real<T>)
            weft_store(y, static_cast<weft_compute_t<T>>(a));
        else
            *y = static_cast<out>(a);
    }
};

/* run(weft_type_name<T>()) for the dtypes that numbers add up in. */
template <class Run> weft_status visit_sums(const weft__exec *e, Run &&run)
{
    switch (e->in[0]->dtype) {
    case WEFT_I64:
        return run(weft_type_name<int64_t>());
    case WEFT_I32:
        return run(weft_type_name<int32_t>());
    case WEFT_I8:
        return run(weft_type_name<int8_t>());
    case WEFT_U8:
    case WEFT_BOOL:
        return run(weft_type_name<uint8_t>());
    default:
        return weft_visit_float(e->in[0]->dtype, WEFT_E_DTYPE, run);
    }
}

} /* namespace */

/* x any strides, any dtype; y the kept dims, of integers i64 */
extern "C" weft_status weft__cuda_sum(const weft__exec *e)
{
    return visit_sums(e, [&](auto name) {
        using T = typename decltype(name)::type;
        return weft_reduce(e, e->in[0], e->attrs->reduce.dims, e->out[0], fold_sum<T>{1});
    });
}

/* x any strides, floats; y the kept dims */
extern "C" weft_status weft__cuda_mean(const weft__exec *e)
{
    const int64_t mask = e->attrs->reduce.dims;
    return visit_sums(e, [&](auto name) -> weft_status {
        using T = typename decltype(name)::type;
        if constexpr (is_real<T>) {
            using R = typename fold_sum<T>::acc;
            return weft_reduce(e, e->in[0], mask, e->out[0],
                               fold_sum<T>{static_cast<R>(weft_reduced_count(e->in[0], mask))});
        } else {
            return weft_reduce_refuses(e);
        }
    });
}

/* x any strides, any dtype; y the kept dims, of integers i64 */
extern "C" weft_status weft__cuda_prod(const weft__exec *e)
{
    return visit_sums(e, [&](auto name) {
        using T = typename decltype(name)::type;
        return weft_reduce(e, e->in[0], e->attrs->reduce.dims, e->out[0], fold_prod<T>{});
    });
}
