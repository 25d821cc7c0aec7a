/* scan.cu - cumsum: sums of the elements up to each one along a dim, or from each one on.
 *
 * An array is seen as [outer, n, inner] with n the dim's size. With inner 1 a block goes through a row, a tile at a
 * time; else a thread goes through a column. Floats add up in f64; the order depends on nothing but the length. */
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "block_scan.h"
#include "types.h"

namespace
{

/* What elements of type T add up in, and what that becomes: integers wrap, in i64. */
template <class T> struct sum_of {
    static constexpr bool floats = std::is_floating_point_v<weft_compute_t<T>>;
    using type = std::conditional_t<floats, double, unsigned long long>;
    using result = std::conditional_t<floats, T, int64_t>;
};

template <class T> __device__ __forceinline__ typename sum_of<T>::type element(T x)
{
    if constexpr (std::is_same_v<T, weft_bool>)
        return x.byte;
    else if constexpr (std::is_integral_v<T>)
        return static_cast<unsigned long long>(static_cast<int64_t>(x));
    else
        return static_cast<double>(weft_load(x));
}

__device__ __forceinline__ void put(int64_t *y, unsigned long long sum)
{
    *y = static_cast<int64_t>(sum);
}
template <class T> __device__ __forceinline__ void put(T *y, double sum)
{
    weft_store(y, static_cast<weft_compute_t<T>>(sum));
}

enum { THREADS = 256, EACH = 4, TILE = THREADS * EACH };

/* x, y [rows, n] */
template <class T>
__global__ void __launch_bounds__(THREADS)
    k_scan_rows(const T *x, typename sum_of<T>::result *y, int64_t rows, int64_t n, bool reverse)
{
    using S = typename sum_of<T>::type;
    for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
        S carried = 0;
        for (int64_t tile = 0; tile < n; tile += TILE) {
            const int64_t from = tile + static_cast<int64_t>(threadIdx.x) * EACH;
            S sums[EACH], all;
#pragma unroll
            for (int k = 0; k < EACH; k++) {
                const int64_t i = from + k;
                const S value = i < n ? element(x[row * n + (reverse ? n - 1 - i : i)]) : S(0);
                sums[k] = k > 0 ? sums[k - 1] + value : value;
            }
            const S before = carried + weft_sum_before<THREADS>(sums[EACH - 1], all);
#pragma unroll
            for (int k = 0; k < EACH; k++) {
                const int64_t i = from + k;
                if (i < n)
                    put(&y[row * n + (reverse ? n - 1 - i : i)], before + sums[k]);
            }
            carried += all;
        }
    }
}

/* x, y [outer, n, inner], columns = outer * inner */
template <class T>
__global__ void __launch_bounds__(THREADS)
    k_scan_columns(const T *x, typename sum_of<T>::result *y, int64_t columns, int64_t n, int64_t inner, bool reverse)
{
    for (int64_t column = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x; column < columns;
         column += static_cast<int64_t>(gridDim.x) * THREADS) {
        const int64_t outer = column / inner, first = outer * n * inner + (column - outer * inner);
        typename sum_of<T>::type sum = 0;
        for (int64_t i = 0; i < n; i++) {
            const int64_t at = first + (reverse ? n - 1 - i : i) * inner;
            sum += element(x[at]);
            put(&y[at], sum);
        }
    }
}

} /* namespace */

extern "C" weft_status weft__cuda_cumsum(const weft__exec *e)
{
    const weft__array *a = e->in[0];
    const weft__scan_attrs attrs = e->attrs->scan;
    int64_t outer = 1, n = 1, inner = 1;
    for (int d = 0; d < a->ndim; d++)
        *(d < attrs.dim ? &outer : d == attrs.dim ? &n : &inner) *= a->shape[d];
    if (a->count == 0)
        return WEFT_OK;
    return weft__cuda_status(e, weft_visit(a->dtype, cudaErrorInvalidValue, [&](auto name) {
                                 using T = typename decltype(name)::type;
                                 const T *x = static_cast<const T *>(a->data);
                                 auto *y = static_cast<typename sum_of<T>::result *>(e->out[0]->data);
                                 const bool reverse = attrs.reverse != 0;
                                 if (inner == 1)
                                     return weft_launch(k_scan_rows<T>, weft__cuda_blocks(e, outer, 1), THREADS, 0,
                                                        weft__stream(e), x, y, outer, n, reverse);
                                 return weft_launch(k_scan_columns<T>, weft__cuda_blocks(e, outer * inner, THREADS),
                                                    THREADS, 0, weft__stream(e), x, y, outer * inner, n, inner,
                                                    reverse);
                             }));
}
