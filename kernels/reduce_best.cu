/* reduce_best.cu - the largest or smallest element and where it is: MAX_OVER, MIN_OVER, ARGMAX, ARGMIN, MAX_WITH_INDEX,
 * MIN_WITH_INDEX. NaN wins; the first of equals is the one that is found. The kernels stand in reduce.h.
 *
 * Smallest is largest of turned elements: reals with the sign changed, integers with all bits changed. */
#include "cuda/kernels.h"
#include "reduce.h"

namespace
{

/* What elements are compared in: narrow integers in 32 bits. */
template <class T> struct compared {
    using type = std::conditional_t<std::is_integral_v<T>, std::conditional_t<sizeof(T) == 8, int64_t, int32_t>,
                                    weft_compute_t<T>>;
};

template <class T> struct turn {
    using V = typename compared<T>::type;
    V flip; /* reals: the factor, 1 or -1; integers: the bits that change, none or all */

    explicit turn(bool largest) : flip(std::is_integral_v<T> ? (largest ? 0 : -1) : (largest ? 1 : -1))
    {
    }

    static __device__ __forceinline__ V least()
    {
        if constexpr (std::is_same_v<V, float>)
            return -__int_as_float(0x7f800000);
        else if constexpr (std::is_same_v<V, double>)
            return -__longlong_as_double(0x7ff0000000000000);
        else if constexpr (sizeof(V) == 8)
            return INT64_MIN;
        else
            return INT32_MIN;
    }

    __device__ __forceinline__ V in(T x) const
    {
        if constexpr (std::is_integral_v<T>)
            return static_cast<V>(x) ^ flip;
        else
            return weft_load(x) * flip;
    }

    __device__ __forceinline__ void out(T *y, V v) const
    {
        if constexpr (std::is_integral_v<T>)
            *y = static_cast<T>(v ^ flip);
        else
            weft_store(y, v * flip);
    }
};

template <class V> __device__ __forceinline__ bool is_nan(V v)
{
    return v != v;
}

/* ---- max_over, min_over ---- */

template <class T> struct fold_extreme {
    using element = T;
    using acc = typename compared<T>::type;
    using out = T;
    turn<T> order;

    __device__ acc init() const
    {
        return turn<T>::least();
    }

    template <int N> __device__ __forceinline__ void take(acc &a, const T (&x)[N], int64_t, int64_t) const
    {
#pragma unroll
        for (int k = 0; k < N; k++)
            merge(a, order.in(x[k]));
    }

    __device__ __forceinline__ void merge(acc &a, acc b) const
    {
        a = b > a || is_nan(b) ? b : a;
    }

    __device__ void finish(T *y, acc a) const
    {
        order.out(y, a);
    }
};

/* ---- argmax, argmin ---- */

/* Without padding: 4-byte values are followed by 4 bytes that are always 0. */
template <class V, size_t BYTES = sizeof(V)> struct best {
    int64_t at;
    V value;
};
template <class V> struct best<V, 4> {
    int64_t at;
    V value;
    uint32_t zero;
};

template <class T> struct fold_arg {
    using element = T;
    using V = typename compared<T>::type;
    using acc = best<V>;
    using out = int64_t;
    turn<T> order;

    /* Any element is better, were it as small: it comes first. */
    __device__ acc init() const
    {
        acc a = {};
        a.at = INT64_MAX;
        a.value = turn<T>::least();
        return a;
    }

    template <int N> __device__ __forceinline__ void take(acc &a, const T (&x)[N], int64_t at, int64_t weight) const
    {
#pragma unroll
        for (int k = 0; k < N; k++)
            offer(a, order.in(x[k]), at + k * weight);
    }

    __device__ void merge(acc &a, const acc &b) const
    {
        offer(a, b.value, b.at);
    }

    __device__ void finish(int64_t *y, const acc &a) const
    {
        *y = a.at;
    }

    static __device__ __forceinline__ void offer(acc &a, V value, int64_t at)
    {
        const bool further = value > a.value || (is_nan(value) && !is_nan(a.value));
        const bool same = value == a.value || (is_nan(value) && is_nan(a.value));
        if (further || (same && at < a.at)) {
            a.value = value;
            a.at = at;
        }
    }
};

/* ---- max_with_index, min_with_index ---- */

/* Both results: the value where a fold writes, its position at the same place of indices. */
template <class T> struct fold_both : fold_arg<T> {
    using typename fold_arg<T>::acc;
    using out = T;
    const T *values;
    int64_t *indices;

    fold_both(turn<T> order, const T *values, int64_t *indices) : fold_arg<T>{order}, values(values), indices(indices)
    {
    }

    __device__ void finish(T *y, const acc &a) const
    {
        this->order.out(y, a.value);
        indices[y - values] = a.at;
    }
};

/* run(weft_type_name<T>()) for every dtype; bool is u8. */
template <class Run> weft_status visit_ordered(int32_t dtype, Run &&run)
{
    return weft_visit(dtype == WEFT_BOOL ? static_cast<int32_t>(WEFT_U8) : dtype, WEFT_E_DTYPE,
                      [&](auto name) -> weft_status {
                          if constexpr (std::is_same_v<typename decltype(name)::type, weft_bool>)
                              return WEFT_E_DTYPE;
                          else
                              return run(name);
                      });
}

weft_status extreme(const weft__exec *e, bool largest)
{
    return visit_ordered(e->in[0]->dtype, [&](auto name) {
        using T = typename decltype(name)::type;
        return weft_reduce(e, e->in[0], e->attrs->reduce.dims, e->out[0], fold_extreme<T>{turn<T>(largest)});
    });
}

weft_status arg(const weft__exec *e, bool largest)
{
    return visit_ordered(e->in[0]->dtype, [&](auto name) {
        using T = typename decltype(name)::type;
        return weft_reduce(e, e->in[0], e->attrs->reduce.dims, e->out[0], fold_arg<T>{turn<T>(largest)});
    });
}

weft_status both(const weft__exec *e, bool largest)
{
    return visit_ordered(e->in[0]->dtype, [&](auto name) {
        using T = typename decltype(name)::type;
        const fold_both<T> fold(turn<T>(largest), static_cast<const T *>(e->out[0]->data),
                                static_cast<int64_t *>(e->out[1]->data));
        return weft_reduce(e, e->in[0], e->attrs->reduce.dims, e->out[0], fold);
    });
}

} /* namespace */

/* x any strides, any dtype; y the kept dims, of x's dtype */
extern "C" weft_status weft__cuda_max_over(const weft__exec *e)
{
    return extreme(e, true);
}

extern "C" weft_status weft__cuda_min_over(const weft__exec *e)
{
    return extreme(e, false);
}

/* x any strides, any dtype; y the kept dims, i64 */
extern "C" weft_status weft__cuda_argmax(const weft__exec *e)
{
    return arg(e, true);
}

extern "C" weft_status weft__cuda_argmin(const weft__exec *e)
{
    return arg(e, false);
}

/* x any strides, any dtype; values the kept dims, of x's dtype, indices likewise, i64; one dim is reduced */
extern "C" weft_status weft__cuda_max_with_index(const weft__exec *e)
{
    return both(e, true);
}

extern "C" weft_status weft__cuda_min_with_index(const weft__exec *e)
{
    return both(e, false);
}
