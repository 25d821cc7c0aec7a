/* loss.cu - cross entropy of logits against class numbers, and its first-order gradient, each in one pass over the
 * logits.
 *
 *   x [rows, C] logits, target [rows], lse [rows] log of the sum of e^x of a row, loss [] or [rows] (reduction none)
 *
 *   loss of a row = sum over c of q_c (lse - x_c),    q_c = (1 - s) [c = target] + s / C,   s the label smoothing
 *   dx_c = g (e^(x_c - lse) - q_c)
 *
 * Rows whose target is the ignored class have loss 0 and gradient 0 whatever their logits; a target that is no class is
 * reported, and its row treated likewise. Every block sums the losses of its own rows; the blocks' sums are added up in
 * a second kernel, in order. */
#include <weft/params.h>
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "rows.h"

namespace
{

/* Which rows count, and by how much. */
struct labels {
    const int64_t *target; /* [rows] */
    int64_t rows, classes, ignore;
    double smoothing;
    weft__cuda_fault *fault;
    int32_t op;
    bool anywhere; /* weft_row_at */

    /* The class of a row; -1: it counts nothing. */
    __device__ __forceinline__ int64_t of(int64_t row) const
    {
        const int64_t c = target[row];
        return c == ignore || c < 0 || c >= classes ? -1 : c;
    }

    __device__ __forceinline__ void report(int64_t row) const
    {
        const int64_t c = target[row];
        if (c != ignore && (c < 0 || c >= classes))
            weft__cuda_report(fault, op, row, c, classes);
    }
};

/* What a block, or the whole, adds up to. */
struct total {
    double loss;
    int64_t counted;

    template <class Move> __device__ __forceinline__ total moved(Move move) const
    {
        return {move(loss), move(counted)};
    }

    __device__ __forceinline__ static total merge(const total &a, const total &b)
    {
        return {a.loss + b.loss, a.counted + b.counted};
    }
};

/* ---- Forward ---- */

/* Of a row: its exponentials, and with smoothing the sum of x - center. */
template <class T> struct entropy_stat {
    using C = weft_compute_t<T>;
    weft_online<T> online;
    C off;

    template <class Move> __device__ __forceinline__ entropy_stat moved(Move move) const
    {
        return {online.moved(move), move(off)};
    }

    __device__ __forceinline__ static entropy_stat merge(const entropy_stat &a, const entropy_stat &b)
    {
        return {weft_online<T>::merge(a.online, b.online), a.off + b.off};
    }
};

/* A row of all -inf has an infinite loss. Without smoothing only the target's logit enters, so that a class masked by
 * -inf does no harm (0 times inf would). */
template <class T>
__device__ __forceinline__ double row_loss(const entropy_stat<T> &s, double log_sum, weft_compute_t<T> at_target,
                                           weft_compute_t<T> center, const labels &l)
{
    if (s.online.top == -INFINITY && s.online.sum == 0)
        return INFINITY;
    const double shift = static_cast<double>(s.online.shift()), smoothing = l.smoothing;
    double loss = smoothing == 1 ? 0 : (1 - smoothing) * (shift - static_cast<double>(at_target) + log_sum);
    if (smoothing != 0)
        loss += smoothing * (log_sum + (shift - static_cast<double>(center)) -
                             static_cast<double>(s.off) / static_cast<double>(l.classes));
    return loss;
}

/* x [rows, C], lse [rows], each [rows] or NULL, totals [blocks] or NULL */
template <int GROUP, bool SMOOTH, class T>
__global__ void __launch_bounds__(weft_row_threads<GROUP>)
    k_entropy(labels l, const T *x, weft_compute_t<T> *lse, T *each, total *totals)
{
    using C = weft_compute_t<T>;
    constexpr int THREADS = weft_row_threads<GROUP>, GROUPS = THREADS / GROUP;
    const int lane = static_cast<int>(threadIdx.x) % GROUP, group = static_cast<int>(threadIdx.x) / GROUP;
    total mine = {0, 0};
    for (int64_t base = static_cast<int64_t>(blockIdx.x) * GROUPS; base < l.rows;
         base += static_cast<int64_t>(gridDim.x) * GROUPS) {
        const bool active = base + group < l.rows;
        const int64_t row = active ? base + group : 0;
        const T *logits = x + row * l.classes;
        C center = 0;
        if constexpr (SMOOTH)
            center = isfinite(weft_load(logits[0])) ? weft_load(logits[0]) : C(0);
        entropy_stat<T> s = {weft_online<T>::none(), 0};
        weft_each<GROUP, T>(weft_row_at(logits, active ? l.classes : 0, l.anywhere), lane,
                            [&](auto number, int64_t i, int64_t) {
                                constexpr int N = decltype(number)::value;
                                C v[N];
                                weft_widen(v, weft_get<N>(logits + i));
                                s.online.add(v);
                                if constexpr (SMOOTH) {
#pragma unroll
                                    for (int k = 0; k < N; k++)
                                        s.off += v[k] - center;
                                }
                            });
        if constexpr (SMOOTH)
            s = weft_reduce_group<GROUP>(s, entropy_stat<T>::merge);
        else
            s.online = weft_reduce_group<GROUP>(s.online, weft_online<T>::merge);
        if (!active || lane != 0)
            continue;
        const double log_sum = log(static_cast<double>(s.online.sum));
        const int64_t c = l.of(row);
        const double loss = c < 0 ? 0 : row_loss<T>(s, log_sum, weft_load(logits[c]), center, l);
        l.report(row);
        lse[row] = static_cast<C>(static_cast<double>(s.online.shift()) + log_sum);
        if (each)
            weft_store(&each[row], static_cast<C>(loss));
        mine = total::merge(mine, {loss, c < 0 ? 0 : 1});
    }
    if (!totals)
        return;
    mine = weft_reduce_block<THREADS>(mine, total::merge);
    if (threadIdx.x == 0)
        totals[blockIdx.x] = mine;
}

enum { THREADS = 256 };

/* loss [] from totals [blocks], in one block; of no rows: 0 */
template <class T>
__global__ void __launch_bounds__(THREADS) k_entropy_total(int64_t blocks, const total *totals, bool mean, T *loss)
{
    total sum = {0, 0};
    for (int64_t i = threadIdx.x; i < blocks; i += THREADS)
        sum = total::merge(sum, totals[i]);
    sum = weft_reduce_block<THREADS>(sum, total::merge);
    if (threadIdx.x != 0)
        return;
    const double y = mean && sum.counted > 0 ? sum.loss / static_cast<double>(sum.counted) : sum.loss;
    weft_store(loss, static_cast<weft_compute_t<T>>(y));
}

/* ---- Backward ---- */

/* *counted, zero before, becomes how many rows count. Integers: the order of the additions does not matter. */
__global__ void __launch_bounds__(THREADS) k_count_rows(labels l, unsigned long long *counted)
{
    total mine = {0, 0};
    const int64_t step = static_cast<int64_t>(gridDim.x) * THREADS;
    for (int64_t row = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x; row < l.rows; row += step)
        mine.counted += l.of(row) >= 0;
    mine = weft_reduce_block<THREADS>(mine, total::merge);
    if (threadIdx.x == 0)
        atomicAdd(counted, static_cast<unsigned long long>(mine.counted));
}

/* x [rows, C], lse [rows], g [] or [rows] (per_row), counted [] or NULL (not the mean), dx [rows, C] */
template <int GROUP, class T>
__global__ void __launch_bounds__(weft_row_threads<GROUP>)
    k_entropy_grad(labels l, const T *x, const weft_compute_t<T> *lse, const T *g, bool per_row,
                   const unsigned long long *counted, T *dx)
{
    using C = weft_compute_t<T>;
    constexpr int GROUPS = weft_row_threads<GROUP> / GROUP;
    const int lane = static_cast<int>(threadIdx.x) % GROUP, group = static_cast<int>(threadIdx.x) / GROUP;
    const C smooth = static_cast<C>(l.smoothing / static_cast<double>(l.classes)),
            sharp = static_cast<C>(1 - l.smoothing);
    const unsigned long long rows_counted = counted ? *counted : 1;
    const C scale_all = static_cast<C>(1 / static_cast<double>(rows_counted > 0 ? rows_counted : 1));
    for (int64_t row = static_cast<int64_t>(blockIdx.x) * GROUPS + group; row < l.rows;
         row += static_cast<int64_t>(gridDim.x) * GROUPS) {
        const int64_t offset = row * l.classes, c = l.of(row);
        const C shift = lse[row] == -C(INFINITY) ? C(0) : lse[row];
        const C scale = weft_load(g[per_row ? row : 0]) * scale_all;
        if (lane == 0)
            l.report(row);
        weft_each<GROUP, T>(weft_row_at(x + offset, l.classes, l.anywhere), lane, [&](auto number, int64_t i, int64_t) {
            constexpr int N = decltype(number)::value;
            C v[N];
            weft_widen(v, weft_get<N>(x + offset + i));
#pragma unroll
            for (int k = 0; k < N; k++) {
                const C away = weft_exp<T>(v[k] - shift) - smooth;
                v[k] = c < 0 ? C(0) : scale * (i + k == c ? away - sharp : away);
            }
            weft_put_all(dx + offset + i, v);
        });
    }
}

/* ---- Launchers ---- */

labels labels_of(const weft__exec *e)
{
    const weft__array *x = e->in[0], *target = e->in[1];
    return {static_cast<const int64_t *>(target->data),
            target->count,
            x->shape[x->ndim - 1],
            e->attrs->cross_entropy.ignore_index,
            e->attrs->cross_entropy.label_smoothing,
            weft__cuda_device_of(e)->fault,
            static_cast<int32_t>(e->caller),
            weft__cuda_invariant(e)};
}

/* visit(weft_number<GROUP>()), GROUP the threads for a row */
template <class Visit> cudaError_t visit_group(int64_t n, Visit visit)
{
    if (n <= WEFT_SHORT_ROW)
        return visit(weft_number<4>());
    if (n <= WEFT_WARP_ROW)
        return visit(weft_number<WEFT_WARP>());
    return visit(weft_number<256>());
}

template <class T> cudaError_t forward(const weft__exec *e, const labels &l, total *totals)
{
    using C = weft_compute_t<T>;
    const bool none = e->attrs->cross_entropy.reduction == WEFT_REDUCTION_NONE,
               mean = e->attrs->cross_entropy.reduction == WEFT_REDUCTION_MEAN;
    const T *x = static_cast<const T *>(e->in[0]->data);
    T *loss = static_cast<T *>(e->out[0]->data);
    C *lse = static_cast<C *>(e->out[1]->data);
    unsigned blocks = 0;
    cudaError_t error = cudaSuccess;
    if (l.rows > 0)
        error = visit_group(l.classes, [&](auto group) {
            constexpr int GROUP = decltype(group)::value, THREADS_OF = weft_row_threads<GROUP>;
            blocks = weft__cuda_blocks(e, l.rows, THREADS_OF / GROUP);
            return weft_launch(l.smoothing == 0 ? k_entropy<GROUP, false, T> : k_entropy<GROUP, true, T>, blocks,
                               THREADS_OF, 0, weft__stream(e), l, x, lse, none ? loss : nullptr, totals);
        });
    if (error != cudaSuccess || none)
        return error;
    return weft_launch(k_entropy_total<T>, 1, THREADS, 0, weft__stream(e), blocks, totals, mean, loss);
}

template <class T> cudaError_t backward(const weft__exec *e, const labels &l, const unsigned long long *counted)
{
    using C = weft_compute_t<T>;
    return visit_group(l.classes, [&](auto group) {
        constexpr int GROUP = decltype(group)::value, THREADS_OF = weft_row_threads<GROUP>;
        return weft_launch(k_entropy_grad<GROUP, T>, weft__cuda_blocks(e, l.rows, THREADS_OF / GROUP), THREADS_OF, 0,
                           weft__stream(e), l, static_cast<const T *>(e->in[0]->data),
                           static_cast<const C *>(e->in[2]->data), static_cast<const T *>(e->in[3]->data),
                           e->attrs->cross_entropy.reduction == WEFT_REDUCTION_NONE, counted,
                           static_cast<T *>(e->out[0]->data));
    });
}

cudaError_t count_rows(const weft__exec *e, const labels &l, unsigned long long *counted)
{
    const cudaError_t error = cudaMemsetAsync(counted, 0, sizeof *counted, weft__stream(e));
    if (error != cudaSuccess)
        return error;
    return weft_launch(k_count_rows, weft__cuda_blocks(e, l.rows, THREADS * 8), THREADS, 0, weft__stream(e), l,
                       counted);
}

} /* namespace */

extern "C" weft_status weft__cuda_cross_entropy_with(const weft__exec *e)
{
    const labels l = labels_of(e);
    total *totals = nullptr;
    if (e->attrs->cross_entropy.reduction != WEFT_REDUCTION_NONE) {
        const int64_t most_blocks = weft__cuda_blocks(e, l.rows, 1);
        totals = static_cast<total *>(weft__scratch(e, most_blocks, sizeof *totals));
        if (!totals)
            return WEFT_E_NOMEM;
    }
    return weft__cuda_status(e, weft_visit_float(e->in[0]->dtype, cudaErrorInvalidValue, [&](auto name) {
                                 return forward<typename decltype(name)::type>(e, l, totals);
                             }));
}

extern "C" weft_status weft__cuda_cross_entropy_grad(const weft__exec *e)
{
    const labels l = labels_of(e);
    unsigned long long *counted = nullptr;
    if (e->out[0]->count == 0)
        return WEFT_OK;
    if (e->attrs->cross_entropy.reduction == WEFT_REDUCTION_MEAN) {
        counted = static_cast<unsigned long long *>(e->host->scratch(e, sizeof *counted));
        if (!counted)
            return WEFT_E_NOMEM;
        const cudaError_t error = count_rows(e, l, counted);
        if (error != cudaSuccess)
            return weft__cuda_status(e, error);
    }
    return weft__cuda_status(e, weft_visit_float(e->in[0]->dtype, cudaErrorInvalidValue, [&](auto name) {
                                 return backward<typename decltype(name)::type>(e, l, counted);
                             }));
}
