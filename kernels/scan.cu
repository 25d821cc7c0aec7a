/* scan.cu - along a dim what the elements up to each one make together, or those from each one on: sums, products, the
 * largest and smallest with their indices, logarithms of sums, a linear recurrence.
 *
 * An array is seen as [outer, n, inner] with n the dim's size. With inner 1 a block goes through a row, a tile at a
 * time; else a thread goes through a column. Each operation is a struct: what it carries along (V), what that is of no
 * elements and of one, what two neighbouring stretches make, and what is written. Floats are combined in f64; the order
 * depends on nothing but the length. */
#include <cmath>
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "block_scan.h"
#include "types.h"

namespace
{

/* What is computed with: unsigned integers wrap, floats are wide. */
template <class T>
using element_t = std::conditional_t<std::is_integral_v<T> || std::is_same_v<T, weft_bool>, unsigned long long, double>;

template <class T> __device__ __forceinline__ element_t<T> element(T x)
{
    if constexpr (std::is_same_v<T, weft_bool>)
        return static_cast<unsigned long long>(x.byte);
    else if constexpr (std::is_integral_v<T>)
        return static_cast<unsigned long long>(static_cast<int64_t>(x));
    else
        return static_cast<double>(weft_load(x));
}

__device__ __forceinline__ void put(int64_t *y, unsigned long long x)
{
    *y = static_cast<int64_t>(x);
}
template <class T> __device__ __forceinline__ void put(T *y, double x)
{
    weft_store(y, static_cast<weft_compute_t<T>>(x));
}

/* What elements of type T add up and multiply to: integers wrap, in i64. */
template <class T> using combined = std::conditional_t<std::is_floating_point_v<weft_compute_t<T>>, T, int64_t>;

template <class T> struct sums {
    using V = element_t<T>;
    const T *x;
    combined<T> *y;

    static __device__ V none()
    {
        return 0;
    }
    __device__ V at(int64_t i, int64_t, bool) const
    {
        return element(x[i]);
    }
    static __device__ V join(const V &a, const V &b)
    {
        return a + b;
    }
    __device__ void write(int64_t i, const V &v) const
    {
        put(&y[i], v);
    }
};

/* m 2^e: a product of many elements leaves the range of f64 long before what comes after it brings it back, and 0 times
 * infinity would be NaN. */
struct product {
    double m;
    int e;

    template <class Move> __device__ __forceinline__ product moved(Move move) const
    {
        return {move(m), move(e)};
    }
    static __device__ product of(double x)
    {
        product p = {x, 0};
        if (x != 0 && x - x == 0) /* finite */
            p.m = frexp(x, &p.e);
        return p;
    }
    static __device__ product join(const product &a, const product &b)
    {
        product p = of(a.m * b.m);
        p.e += p.m == 0 ? 0 : a.e + b.e;
        return p;
    }
    __device__ double times(double x) const
    {
        return ldexp(m * x, e);
    }
};

template <class T> struct products {
    using V = std::conditional_t<std::is_floating_point_v<weft_compute_t<T>>, product, unsigned long long>;
    const T *x;
    combined<T> *y;

    static __device__ V none()
    {
        if constexpr (std::is_same_v<V, product>)
            return {1, 0};
        else
            return 1;
    }
    __device__ V at(int64_t i, int64_t, bool) const
    {
        if constexpr (std::is_same_v<V, product>)
            return product::of(element(x[i]));
        else
            return element(x[i]);
    }
    static __device__ V join(const V &a, const V &b)
    {
        if constexpr (std::is_same_v<V, product>)
            return product::join(a, b);
        else
            return a * b;
    }
    __device__ void write(int64_t i, const V &v) const
    {
        if constexpr (std::is_same_v<V, product>)
            put(&y[i], v.times(1));
        else
            put(&y[i], v);
    }
};

/* The best so far and its place; place -1: none yet. NaN is best; of equals the first that is met. */
template <class C> struct found {
    C value;
    int64_t place;

    template <class Move> __device__ __forceinline__ found moved(Move move) const
    {
        return {move(value), move(place)};
    }
};

template <class T, bool LARGEST> struct bests {
    using C = std::conditional_t<std::is_integral_v<T>, int64_t, weft_compute_t<T>>;
    using V = found<C>;
    const T *x;
    T *y;
    int64_t *index;

    static __device__ V none()
    {
        return {C(0), -1};
    }
    __device__ V at(int64_t i, int64_t place, bool) const
    {
        if constexpr (std::is_integral_v<T>)
            return {static_cast<C>(x[i]), place};
        else
            return {weft_load(x[i]), place};
    }
    static __device__ V join(const V &a, const V &b)
    {
        const bool better = LARGEST ? b.value > a.value : b.value < a.value;
        const bool number = a.value == a.value;
        return b.place >= 0 && (a.place < 0 || (number && (better || b.value != b.value))) ? b : a;
    }
    __device__ void write(int64_t i, const V &v) const
    {
        if constexpr (std::is_integral_v<T>)
            y[i] = static_cast<T>(v.value);
        else
            weft_store(&y[i], v.value);
        index[i] = v.place;
    }
};

/* The largest, and the sum of e^(x - largest). */
struct log_sum {
    double largest, sum;

    template <class Move> __device__ __forceinline__ log_sum moved(Move move) const
    {
        return {move(largest), move(sum)};
    }
};

template <class T> struct log_sums {
    using V = log_sum;
    const T *x;
    T *y;

    static __device__ V none()
    {
        return {-INFINITY, 0};
    }
    __device__ V at(int64_t i, int64_t, bool) const
    {
        const double value = element(x[i]);
        return {value, value == value ? 1 : value};
    }
    static __device__ double scaled(const V &v, double largest)
    {
        return v.largest == largest ? v.sum : v.sum * exp(v.largest - largest);
    }
    static __device__ V join(const V &a, const V &b)
    {
        const double largest = b.largest > a.largest || a.largest != a.largest ? b.largest : a.largest;
        return {largest, scaled(a, largest) + scaled(b, largest)};
    }
    __device__ void write(int64_t i, const V &v) const
    {
        put(&y[i], log(v.sum) + v.largest);
    }
};

/* A stretch of the recurrence: what it makes of y is factor y + rest. */
struct stretch {
    product factor;
    double rest;

    template <class Move> __device__ __forceinline__ stretch moved(Move move) const
    {
        return {factor.moved(move), move(rest)};
    }
};

template <class T> struct recurrence {
    using V = stretch;
    const T *a, *b;
    T *y;

    static __device__ V none()
    {
        return {{1, 0}, 0};
    }
    __device__ V at(int64_t i, int64_t, bool is_first) const
    {
        return {product::of(is_first ? 0 : element(a[i])), element(b[i])};
    }
    static __device__ V join(const V &p, const V &q)
    {
        return {product::join(p.factor, q.factor), q.factor.times(p.rest) + q.rest};
    }
    __device__ void write(int64_t i, const V &v) const
    {
        put(&y[i], v.rest);
    }
};

enum { THREADS = 256, EACH = 4, TILE = THREADS * EACH };

/* arrays [rows, n] */
template <class F> __global__ void __launch_bounds__(THREADS) k_scan_rows(F f, int64_t rows, int64_t n, bool reverse)
{
    using V = typename F::V;
    for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
        V carried = F::none();
        for (int64_t tile = 0; tile < n; tile += TILE) {
            const int64_t from = tile + static_cast<int64_t>(threadIdx.x) * EACH;
            V joined[EACH], all;
#pragma unroll
            for (int k = 0; k < EACH; k++) {
                const int64_t i = from + k, place = reverse ? n - 1 - i : i;
                const V value = i < n ? f.at(row * n + place, place, i == 0) : F::none();
                joined[k] = k > 0 ? F::join(joined[k - 1], value) : value;
            }
            const V before = F::join(
                carried, weft_joined_before<THREADS>(
                             joined[EACH - 1], F::none(), [](const V &a, const V &b) { return F::join(a, b); }, all));
#pragma unroll
            for (int k = 0; k < EACH; k++) {
                const int64_t i = from + k;
                if (i < n)
                    f.write(row * n + (reverse ? n - 1 - i : i), F::join(before, joined[k]));
            }
            carried = F::join(carried, all);
        }
    }
}

/* arrays [outer, n, inner], columns = outer * inner */
template <class F>
__global__ void __launch_bounds__(THREADS) k_scan_columns(F f, int64_t columns, int64_t n, int64_t inner, bool reverse)
{
    for (int64_t column = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x; column < columns;
         column += static_cast<int64_t>(gridDim.x) * THREADS) {
        const int64_t outer = column / inner, first = outer * n * inner + (column - outer * inner);
        typename F::V so_far = F::none();
        for (int64_t i = 0; i < n; i++) {
            const int64_t place = reverse ? n - 1 - i : i, at = first + place * inner;
            so_far = F::join(so_far, f.at(at, place, i == 0));
            f.write(at, so_far);
        }
    }
}

template <class F> cudaError_t scan(const weft__exec *e, const F &f)
{
    const weft__array *x = e->in[0];
    const weft__scan_attrs attrs = e->attrs->scan;
    int64_t outer = 1, n = 1, inner = 1;
    for (int d = 0; d < x->ndim; d++)
        *(d < attrs.dim ? &outer : d == attrs.dim ? &n : &inner) *= x->shape[d];
    const bool reverse = attrs.reverse != 0;
    if (x->count == 0)
        return cudaSuccess;
    if (weft__cuda_invariant(e) ? attrs.dim == x->ndim - 1 : inner == 1) /* as in softmax.cu */
        return weft_launch(k_scan_rows<F>, weft__cuda_blocks(e, outer, 1), THREADS, 0, weft__stream(e), f, outer, n,
                           reverse);
    return weft_launch(k_scan_columns<F>, weft__cuda_blocks(e, outer * inner, THREADS), THREADS, 0, weft__stream(e), f,
                       outer * inner, n, inner, reverse);
}

template <class T> const T *operand(const weft__exec *e, int k)
{
    return static_cast<const T *>(e->in[k]->data);
}

template <class T> T *result(const weft__exec *e)
{
    return static_cast<T *>(e->out[0]->data);
}

template <bool LARGEST> weft_status scan_best(const weft__exec *e)
{
    return weft__cuda_status(e, weft_visit(e->in[0]->dtype, cudaErrorInvalidValue, [&](auto name) {
                                 using T = typename decltype(name)::type;
                                 if constexpr (std::is_same_v<T, weft_bool>) /* comes as bytes */
                                     return cudaErrorInvalidValue;
                                 else
                                     return scan(e, bests<T, LARGEST>{operand<T>(e, 0), result<T>(e),
                                                                      static_cast<int64_t *>(e->out[1]->data)});
                             }));
}

} /* namespace */

extern "C" weft_status weft__cuda_cumsum(const weft__exec *e)
{
    return weft__cuda_status(e, weft_visit(e->in[0]->dtype, cudaErrorInvalidValue, [&](auto name) {
                                 using T = typename decltype(name)::type;
                                 return scan(e, sums<T>{operand<T>(e, 0), result<combined<T>>(e)});
                             }));
}

extern "C" weft_status weft__cuda_cumprod(const weft__exec *e)
{
    return weft__cuda_status(e, weft_visit(e->in[0]->dtype, cudaErrorInvalidValue, [&](auto name) {
                                 using T = typename decltype(name)::type;
                                 return scan(e, products<T>{operand<T>(e, 0), result<combined<T>>(e)});
                             }));
}

extern "C" weft_status weft__cuda_cummax(const weft__exec *e)
{
    return scan_best<true>(e);
}

extern "C" weft_status weft__cuda_cummin(const weft__exec *e)
{
    return scan_best<false>(e);
}

extern "C" weft_status weft__cuda_logcumsumexp(const weft__exec *e)
{
    return weft__cuda_status(e, weft_visit_float(e->in[0]->dtype, cudaErrorInvalidValue, [&](auto name) {
                                 using T = typename decltype(name)::type;
                                 return scan(e, log_sums<T>{operand<T>(e, 0), result<T>(e)});
                             }));
}

extern "C" weft_status weft__cuda_linear_scan(const weft__exec *e)
{
    return weft__cuda_status(e, weft_visit_float(e->in[0]->dtype, cudaErrorInvalidValue, [&](auto name) {
                                 using T = typename decltype(name)::type;
                                 return scan(e, recurrence<T>{operand<T>(e, 0), operand<T>(e, 1), result<T>(e)});
                             }));
}
