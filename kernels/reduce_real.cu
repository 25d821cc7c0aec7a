/* reduce_real.cu - reductions of reals that watch their range: LOGSUMEXP, NORM and VAR_MEAN. The kernels stand in
 * reduce.h. */
#include "base/scalar.h"
#include "cuda/kernels.h"
#include "reduce.h"

namespace
{

/* ---- logsumexp ---- */

/* sum of e^(x - shift(top)), top the largest element so far, -inf at first. R float or double. The sum is kept in f64:
 * where it nearly cancels top, its error would be all of the result. Without padding: zero is always 0. */
template <class R> struct exps;
template <> struct exps<float> {
    double sum;
    float top;
    uint32_t zero;
};
template <> struct exps<double> {
    double sum, top;
};

__device__ __forceinline__ float infinity(float)
{
    return __int_as_float(0x7f800000);
}
__device__ __forceinline__ double infinity(double)
{
    return __longlong_as_double(0x7ff0000000000000);
}

/* e^x of a T's worth of accuracy: halves take the hardware's power of 2. */
template <class T> __device__ __forceinline__ weft_compute_t<T> power_of_e(weft_compute_t<T> x)
{
    if constexpr (std::is_same_v<T, double>)
        return exp(x);
    else if constexpr (std::is_same_v<T, float>)
        return weft__m_exp_f32(x);
    else
        return exp2f(x * 1.44269504088896340736f);
}

/* With every element -inf there is nothing to shift, and with +inf the sum is infinite anyway; inf - inf would be NaN.
 * */
template <class R> __device__ __forceinline__ R shift_of(R top)
{
    return top == infinity(R()) || top == -infinity(R()) ? R(0) : top;
}

template <class R> __device__ __forceinline__ R larger(R a, R b)
{
    return a > b || a != a ? a : b;
}

template <class T> struct fold_exps {
    using element = T;
    using R = weft_compute_t<T>;
    using acc = exps<R>;
    using out = T;

    __device__ acc init() const
    {
        acc a = {};
        a.top = -infinity(R());
        return a;
    }

    template <int N> __device__ __forceinline__ void take(acc &a, const T (&x)[N], int64_t, int64_t) const
    {
        R v[N], top = a.top;
#pragma unroll
        for (int k = 0; k < N; k++) {
            v[k] = weft_load(x[k]);
            top = larger(v[k], top);
        }
        const R shift = shift_of(top);
        R sum = 0;
#pragma unroll
        for (int k = 0; k < N; k++)
            sum += power_of_e<T>(v[k] - shift);
        a.sum = rescaled(a, shift) + static_cast<double>(sum);
        a.top = top;
    }

    __device__ void merge(acc &a, const acc &b) const
    {
        const R top = larger(b.top, a.top), shift = shift_of(top);
        a.sum = rescaled(a, shift) + rescaled(b, shift);
        a.top = top;
    }

    __device__ void finish(T *y, const acc &a) const
    {
        weft_store(y, static_cast<R>(static_cast<double>(shift_of(a.top)) + log(a.sum)));
    }

    static __device__ __forceinline__ double rescaled(const acc &a, R shift)
    {
        return a.sum == 0 ? 0 : a.sum * static_cast<double>(power_of_e<T>(shift_of(a.top) - shift));
    }
};

/* ---- norm ---- */

/* Up to f32 the squares fit into f64. */
template <class T> struct fold_norm {
    using element = T;
    using acc = double;
    using out = T;

    __device__ acc init() const
    {
        return 0;
    }

    template <int N> __device__ __forceinline__ void take(acc &a, const T (&x)[N], int64_t, int64_t) const
    {
#pragma unroll
        for (int k = 0; k < N; k++) {
            const double v = static_cast<double>(weft_load(x[k]));
            a = fma(v, v, a);
        }
    }

    __device__ void merge(acc &a, acc b) const
    {
        a += b;
    }

    __device__ void finish(T *y, acc a) const
    {
        weft_store(y, static_cast<float>(sqrt(a)));
    }
};

/* Squares of f64 overflow or vanish: the large and the small are scaled by powers of two and summed by themselves.
 * Source: Blue 1978, with the constants of Anderson, ACM TOMS algorithm 978. */
struct squares {
    double large, middle, small;
};

template <> struct fold_norm<double> {
    using element = double;
    using acc = squares;
    using out = double;

    __device__ acc init() const
    {
        return {0, 0, 0};
    }

    /* NaN goes to the middle. */
    template <int N> __device__ __forceinline__ void take(acc &a, const double (&x)[N], int64_t, int64_t) const
    {
#pragma unroll
        for (int k = 0; k < N; k++) {
            const double v = fabs(x[k]);
            const bool large = v > 0x1p486, small = v < 0x1p-511;
            const double scaled = large ? v * 0x1p-538 : small ? v * 0x1p537 : v, square = scaled * scaled;
            a.large += large ? square : 0;
            a.small += small ? square : 0;
            a.middle += large || small ? 0 : square;
        }
    }

    __device__ void merge(acc &a, const acc &b) const
    {
        a.large += b.large;
        a.middle += b.middle;
        a.small += b.small;
    }

    /* The small do not count beside the large. */
    __device__ void finish(double *y, const acc &a) const
    {
        if (a.large > 0)
            *y = sqrt(a.large + a.middle * 0x1p-538 * 0x1p-538) * 0x1p538;
        else if (a.small > 0 && a.middle < 0x1p-900)
            *y = sqrt(a.middle * 0x1p537 * 0x1p537 + a.small) * 0x1p-537;
        else
            *y = sqrt(a.middle);
    }
};

/* ---- var_mean ---- */

/* Some elements: how many, their sum, their mean, and the sum of their squared distances from it. The sum beside the
 * mean, since a mean that is joined from an infinite one would be NaN. */
struct moments {
    double count, sum, mean, spread;
};

/* Elements that come together have their own mean, and all are joined by Chan, Golub & LeVeque (1983), in f64: a large
 * mean over a small spread does no harm. */
template <class T> struct fold_moments {
    using element = T;
    using acc = moments;
    using out = T;
    const T *var;
    T *mean;
    double count, divisor;

    __device__ acc init() const
    {
        return {0, 0, 0, 0};
    }

    template <int N> __device__ __forceinline__ void take(acc &a, const T (&x)[N], int64_t, int64_t) const
    {
        moments b = {N, 0, 0, 0};
#pragma unroll
        for (int k = 0; k < N; k++)
            b.sum += static_cast<double>(weft_load(x[k]));
        b.mean = b.sum * (1.0 / N);
#pragma unroll
        for (int k = 0; k < N; k++) {
            const double d = static_cast<double>(weft_load(x[k])) - b.mean;
            b.spread += d * d;
        }
        merge(a, b);
    }

    __device__ __forceinline__ void merge(acc &a, const acc &b) const
    {
        if (b.count == 0)
            return;
        if (a.count == 0) {
            a = b;
            return;
        }
        const double all = a.count + b.count, share = b.count / all, apart = b.mean - a.mean;
        a.spread += b.spread + apart * apart * (a.count * share);
        a.mean += apart * share;
        a.sum += b.sum;
        a.count = all;
    }

    __device__ void finish(T *y, const acc &a) const
    {
        weft_store(y, static_cast<weft_compute_t<T>>(a.spread / divisor));
        weft_store(&mean[y - var], static_cast<weft_compute_t<T>>(a.sum / count));
    }
};

} /* namespace */

/* x any strides, floats; y the kept dims */
extern "C" weft_status weft__cuda_logsumexp(const weft__exec *e)
{
    return weft_visit_float(e->in[0]->dtype, WEFT_E_DTYPE, [&](auto name) {
        using T = typename decltype(name)::type;
        return weft_reduce(e, e->in[0], e->attrs->reduce.dims, e->out[0], fold_exps<T>{});
    });
}

/* x any strides, floats; y the kept dims */
extern "C" weft_status weft__cuda_norm(const weft__exec *e)
{
    return weft_visit_float(e->in[0]->dtype, WEFT_E_DTYPE, [&](auto name) {
        using T = typename decltype(name)::type;
        return weft_reduce(e, e->in[0], e->attrs->reduce.dims, e->out[0], fold_norm<T>{});
    });
}

/* x any strides, floats; var and mean the kept dims. attributes: var */
extern "C" weft_status weft__cuda_var_mean(const weft__exec *e)
{
    const int64_t mask = e->attrs->reduce.dims;
    const double count = static_cast<double>(weft_reduced_count(e->in[0], mask)),
                 divisor = count - e->attrs->var.correction;
    return weft_visit_float(e->in[0]->dtype, WEFT_E_DTYPE, [&](auto name) {
        using T = typename decltype(name)::type;
        const fold_moments<T> fold = {static_cast<const T *>(e->out[0]->data), static_cast<T *>(e->out[1]->data), count,
                                      divisor > 0 ? divisor : 0};
        return weft_reduce(e, e->in[0], mask, e->out[0], fold);
    });
}
