/* search.cu - where values belong in sorted rows: SEARCHSORTED.
 *
 *   in sorted [rows or one, n], values [rows, m], one dtype      out index [rows, m]
 *
 * A thread finds the place of a value by halving, always as often as the length says. NaN comes after all numbers, as
 * sort has it. */
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "types.h"

namespace
{

enum { THREADS = 256 };

template <class T> __device__ __forceinline__ weft_compute_t<T> number(T x)
{
    if constexpr (std::is_integral_v<T>)
        return x;
    else
        return weft_load(x);
}

/* Does a come before b? NaN != NaN. */
template <class C> __device__ __forceinline__ bool before(C a, C b)
{
    return a < b || (b != b && a == a);
}

/* step: from a row of sorted to the next, 0: there is one */
template <class T>
__global__ void __launch_bounds__(THREADS) k_search(const T *sorted, const T *values, int64_t *index, int64_t count,
                                                    int64_t n, int64_t m, int64_t step, bool right)
{
    for (int64_t v = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x; v < count;
         v += static_cast<int64_t>(gridDim.x) * THREADS) {
        const T *row = sorted + v / m * step, *from = row;
        const auto value = number(values[v]);
        for (int64_t left = n; left > 0; left /= 2) { /* the place is within left elements from from */
            const int64_t half = (left + 1) / 2;
            const auto e = number(from[half - 1]);
            from += (right ? !before(value, e) : before(e, value)) ? half : 0;
        }
        index[v] = from - row;
    }
}

} /* namespace */

/* sorted, values: one dtype but bool   attributes: search */
extern "C" weft_status weft__cuda_searchsorted(const weft__exec *e)
{
    const weft__array *sorted = e->in[0], *values = e->in[1];
    if (values->count == 0)
        return WEFT_OK;
    const int64_t n = sorted->shape[sorted->ndim - 1];
    const bool one = sorted->ndim == 1;
    return weft__cuda_status(e, weft_visit(values->dtype, cudaErrorInvalidValue, [&](auto name) {
                                 using T = typename decltype(name)::type;
                                 if constexpr (std::is_same_v<T, weft_bool>)
                                     return cudaErrorInvalidValue;
                                 else
                                     return weft_launch(
                                         k_search<T>, weft__cuda_blocks(e, values->count, THREADS), THREADS, 0,
                                         weft__stream(e), static_cast<const T *>(sorted->data),
                                         static_cast<const T *>(values->data), static_cast<int64_t *>(e->out[0]->data),
                                         values->count, n, one ? values->count : values->shape[values->ndim - 1],
                                         one ? INT64_C(0) : n, e->attrs->search.right != 0);
                             }));
}
