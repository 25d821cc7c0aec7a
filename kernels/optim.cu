/* optim.cu - one step of SGD or Adam over many tensors, in one pass over their memory. The formulas stand in
 * <weft/params.h>.
 *
 * Tensors of one dtype go into batches, whose description travels as a kernel parameter: a launch for BATCH tensors.
 * They are cut into chunks of a fixed size, which blocks take in turn. Constants are computed in f64 and rounded once.
 *
 * Parameters and gradients are of type T; state and master weights of the type that T is computed in. */
#include <cmath>
#include "base/scalar.h"
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "types.h"

namespace
{

enum {
    THREADS = 256,
    BATCH = 64,           /* tensors in a launch */
    CHUNK = THREADS * 32, /* elements in a chunk, a multiple of every pack */
    PARAM = 0,            /* the lists of a tensor's arrays */
    GRAD = 1,
    FIRST = 2, /* velocity, or the first moment */
    SECOND = 3,
    MASTER = 4,
    LISTS = 5
};

struct batch {
    int32_t n;                 /* tensors, 1 to BATCH */
    int64_t chunks[BATCH + 1]; /* the first chunk of every tensor, then their number */
    int64_t count[BATCH];      /* elements */
    void *data[LISTS][BATCH];  /* NULL where a list is missing */
    bool packed[BATCH];        /* 16-byte accesses are possible in every list */
};
static_assert(sizeof(batch) <= 3800, "a kernel takes 4 KiB of parameters");

template <class T> constexpr int width_of = 16 / static_cast<int>(sizeof(T));

/* N elements of a list in the type they are computed in. */
template <class T, int N> __device__ __forceinline__ void load_n(weft_compute_t<T> (&v)[N], const T *x, int64_t i)
{
    const weft_pack<T, N> p = *reinterpret_cast<const weft_pack<T, N> *>(x + i);
#pragma unroll
    for (int k = 0; k < N; k++)
        v[k] = weft_load(p.element[k]);
}

template <class T, int N> __device__ __forceinline__ void store_n(T *y, int64_t i, const weft_compute_t<T> (&v)[N])
{
    weft_pack<T, N> p;
#pragma unroll
    for (int k = 0; k < N; k++)
        weft_store(&p.element[k], v[k]);
    *reinterpret_cast<weft_pack<T, N> *>(y + i) = p;
}

/* ---- The rules: step(lists, i) moves elements i ... i + N - 1 ---- */

/* Where a tensor's lists lie. */
template <class T> struct lists {
    using R = weft_compute_t<T>;
    T *param;
    const T *grad;
    R *first, *second, *master;
};

/* What is stepped: the parameter, or its master weights. Those of a parameter that is not their rounding, because it
 * was written since, start from it. */
template <class T, int N>
__device__ __forceinline__ void load_param(weft_compute_t<T> (&p)[N], const lists<T> &l, int64_t i)
{
    load_n(p, l.param, i);
    if (!l.master)
        return;
    weft_compute_t<T> master[N];
    load_n(master, l.master, i);
#pragma unroll
    for (int k = 0; k < N; k++) {
        T rounded;
        weft_store(&rounded, master[k]);
        if (sizeof(T) == sizeof master[k] || weft_load(rounded) == p[k])
            p[k] = master[k];
    }
}

template <class T, int N>
__device__ __forceinline__ void store_param(const lists<T> &l, int64_t i, const weft_compute_t<T> (&p)[N])
{
    store_n(l.param, i, p);
    if (l.master)
        store_n(l.master, i, p);
}

template <class T> struct sgd {
    using R = weft_compute_t<T>;
    R lr, momentum, undamped, decay; /* undamped: 1 - dampening */
    R along, ahead;                  /* p moves along (along d + ahead v) */
    R starting;                      /* at the first step, where v = d, along starting d */
    bool starts;                     /* velocity holds nothing yet */

    explicit sgd(const weft__attrs *attrs) : sgd(attrs->sgd)
    {
    }

    explicit sgd(const weft__sgd_attrs &a)
        : lr(static_cast<R>(a.lr)), momentum(static_cast<R>(a.momentum)), undamped(static_cast<R>(1 - a.dampening)),
          decay(static_cast<R>(a.weight_decay)), along(a.nesterov != 0 ? R(1) : R(0)),
          ahead(a.nesterov != 0 ? momentum : R(1)), starting(static_cast<R>(a.nesterov != 0 ? 1 + a.momentum : 1)),
          starts(a.first_step != 0)
    {
    }

    template <int N> __device__ __forceinline__ void step(const lists<T> &l, int64_t i) const
    {
        R p[N], g[N], v[N];
        const bool reads = l.first && !starts;
        load_param(p, l, i);
        load_n(g, l.grad, i);
        if (reads)
            load_n(v, l.first, i);
#pragma unroll
        for (int k = 0; k < N; k++) {
            const R d = g[k] + decay * p[k];
            v[k] = reads ? momentum * v[k] + undamped * d : d;
            p[k] -= lr * (reads ? along * d + ahead * v[k] : l.first ? starting * d : d);
        }
        if (l.first)
            store_n(l.first, i, v);
        store_param(l, i, p);
    }
};

template <class T> struct adam {
    using R = weft_compute_t<T>;
    R beta1, rest1, beta2, rest2, eps, decay;
    R keep;       /* what decoupled decay leaves of a parameter */
    R rate, root; /* lr / (1 - beta1^t), 1 / sqrt(1 - beta2^t) */

    explicit adam(const weft__attrs *attrs) : adam(attrs->adam)
    {
    }

    explicit adam(const weft__adam_attrs &a)
        : beta1(static_cast<R>(a.beta1)), rest1(static_cast<R>(1 - a.beta1)), beta2(static_cast<R>(a.beta2)),
          rest2(static_cast<R>(1 - a.beta2)), eps(static_cast<R>(a.eps))
    {
        const bool decoupled = a.decoupled != 0;
        const double t = static_cast<double>(a.step), lr = a.lr, w = a.weight_decay;
        decay = static_cast<R>(decoupled ? 0 : w);
        keep = static_cast<R>(decoupled ? 1 - lr * w : 1);
        rate = static_cast<R>(lr / (1 - std::pow(a.beta1, t)));
        root = static_cast<R>(1 / std::sqrt(1 - std::pow(a.beta2, t)));
    }

    template <int N> __device__ __forceinline__ void step(const lists<T> &l, int64_t i) const
    {
        R p[N], g[N], m[N], v[N];
        load_param(p, l, i);
        load_n(g, l.grad, i);
        load_n(m, l.first, i);
        load_n(v, l.second, i);
#pragma unroll
        for (int k = 0; k < N; k++) {
            const R d = g[k] + decay * p[k];
            m[k] = beta1 * m[k] + rest1 * d;
            v[k] = beta2 * v[k] + rest2 * (d * d);
            p[k] = keep * p[k] - rate * m[k] / (root_of(v[k]) * root + eps);
        }
        store_n(l.first, i, m);
        store_n(l.second, i, v);
        store_param(l, i, p);
    }

    static __device__ __forceinline__ float root_of(float x)
    {
        return sqrtf(x);
    }
    static __device__ __forceinline__ double root_of(double x)
    {
        return sqrt(x);
    }
};

/* ---- One launch ---- */

/* The tensor of a chunk: chunks[k] <= chunk < chunks[k + 1]. Tensors without elements have no chunk. */
__device__ __forceinline__ int tensor_of(const batch &b, int64_t chunk)
{
    int low = 0, high = b.n;
    while (high - low > 1) {
        const int middle = (low + high) / 2;
        if (b.chunks[middle] <= chunk)
            low = middle;
        else
            high = middle;
    }
    return low;
}

template <class T> __device__ __forceinline__ lists<T> list_of(const batch &b, int k)
{
    using R = weft_compute_t<T>;
    return {static_cast<T *>(b.data[PARAM][k]), static_cast<const T *>(b.data[GRAD][k]),
            static_cast<R *>(b.data[FIRST][k]), static_cast<R *>(b.data[SECOND][k]),
            static_cast<R *>(b.data[MASTER][k])};
}

/* Every list of the batch [count[k]], of type T, state and master of the type that T is computed in */
template <class T, class Rule>
__global__ void __launch_bounds__(THREADS) k_step(const __grid_constant__ batch b, Rule rule)
{
    constexpr int WIDTH = width_of<T>;
    for (int64_t chunk = blockIdx.x; chunk < b.chunks[b.n]; chunk += gridDim.x) {
        const int k = tensor_of(b, chunk);
        const lists<T> l = list_of<T>(b, k);
        const int64_t begin = (chunk - b.chunks[k]) * CHUNK, left = b.count[k] - begin;
        const int64_t n = left < CHUNK ? left : CHUNK, packs = b.packed[k] ? n / WIDTH : 0;
        for (int64_t i = threadIdx.x; i < packs; i += THREADS)
            rule.template step<WIDTH>(l, begin + i * WIDTH);
        for (int64_t i = packs * WIDTH + threadIdx.x; i < n; i += THREADS)
            rule.template step<1>(l, begin + i);
    }
}

/* The array of tensor k in a list of the call, or NULL. SGD has no second moment; master weights are the last list. */
const weft__array *array_of(const weft__exec *e, int list, int64_t k)
{
    const int64_t n = e->attrs->step.n, last = e->n_in / n - 1;
    if (list >= last && list != MASTER)
        return nullptr;
    return e->in[(list == MASTER ? last : list) * n + k];
}

/* Adds tensor k of the call to the batch. */
void add_tensor(const weft__exec *e, int64_t k, batch &b)
{
    const int at = b.n++;
    b.packed[at] = true;
    for (int list = 0; list < LISTS; list++) {
        const weft__array *a = array_of(e, list, k);
        b.data[list][at] = a ? a->data : nullptr;
        b.packed[at] = b.packed[at] && weft__cuda_aligned16(b.data[list][at]);
    }
    b.count[at] = e->in[k]->count;
    b.chunks[b.n] = b.chunks[at] + b.count[at] / CHUNK + (b.count[at] % CHUNK != 0);
}

template <class T, class Rule> cudaError_t launch_batch(const weft__exec *e, batch &b, const Rule &rule)
{
    if (b.n == 0)
        return cudaSuccess;
    const cudaError_t error =
        weft_launch(k_step<T, Rule>, weft__cuda_blocks(e, b.chunks[b.n], 1), THREADS, 0, weft__stream(e), b, rule);
    b.n = 0;
    return error;
}

/* All tensors of type T; those without a gradient or without elements are left alone. */
template <class T, class Rule> cudaError_t step_type(const weft__exec *e, int32_t dtype, const Rule &rule)
{
    const int64_t n = e->attrs->step.n;
    batch b = {};
    cudaError_t error = cudaSuccess;
    for (int64_t k = 0; k < n && error == cudaSuccess; k++) {
        if (e->in[k]->dtype != dtype || e->in[k]->count == 0 || !e->in[GRAD * n + k])
            continue;
        add_tensor(e, k, b);
        if (b.n == BATCH)
            error = launch_batch<T>(e, b, rule);
    }
    return error == cudaSuccess ? launch_batch<T>(e, b, rule) : error;
}

template <template <class> class Rule> weft_status step_all(const weft__exec *e)
{
    cudaError_t error = cudaSuccess;
    for (int32_t dtype = 0; dtype < WEFT_DTYPE_COUNT && error == cudaSuccess; dtype++)
        error = weft_visit_float(dtype, cudaSuccess, [&](auto name) {
            using T = typename decltype(name)::type;
            return step_type<T>(e, dtype, Rule<T>(e->attrs));
        });
    return weft__cuda_status(e, error);
}

} /* namespace */

/* in params[n], grads[n] (or NULL), velocity[n] (or NULL), master[n] (or NULL), each [...], floats: see ops/ops.def */
extern "C" weft_status weft__cuda_sgd_step(const weft__exec *e)
{
    return step_all<sgd>(e);
}

/* in params[n], grads[n] (or NULL), m[n], v[n], master[n] (or NULL), each [...], likewise */
extern "C" weft_status weft__cuda_adam_step(const weft__exec *e)
{
    return step_all<adam>(e);
}
