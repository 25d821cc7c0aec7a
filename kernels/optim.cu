/* optim.cu - steps of optimisers over many tensors, each in one pass over its memory: the kernels of the STEP rows of
 * ops.def, whose formulas stand there.
 *
 * Tensors of one dtype go into batches, whose description travels as a kernel parameter: a launch for each batch.
 * They are cut into chunks of a fixed size, which blocks take in turn. Constants are computed in f64 and rounded once.
 *
 * Parameters and gradients are of type T; state and master weights of the type that T is computed in. State that a call
 * does not have, or that holds nothing yet, is not read, but counts as 0; what a call does not have is not written. */
#include <cmath>
#include "base/scalar_step.h"
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "types.h"

namespace
{

enum {
    THREADS = 256,
    CHUNK = THREADS * 32, /* elements in a chunk, a multiple of every pack */
    PARAM = 0,            /* the lists of a call: these, the state, and last the master weights */
    GRAD = 1,
    STATE = 2
};

/* Tensors in a launch of a row with so many states: what fits into a kernel's parameters. */
constexpr int batch_of(int states)
{
    return states <= 2 ? 64 : 48;
}

template <int STATES> struct batch {
    static constexpr int MOST = batch_of(STATES), LISTS = STATE + STATES + 1;
    int32_t n;                /* tensors, 1 to MOST */
    int64_t chunks[MOST + 1]; /* the first chunk of every tensor, then their number */
    int64_t count[MOST];      /* elements */
    void *data[LISTS][MOST];  /* NULL where a list is missing */
    bool packed[MOST];        /* 16-byte accesses are possible in every list */
};
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

/* ---- Elements ---- */

/* Where a tensor's lists lie. */
template <class T, int STATES> struct lists {
    using R = weft_compute_t<T>;
    T *param;
    const T *grad;
    R *state[STATES], *master;
};

/* What is stepped: the parameter, or its master weights. Those of a parameter that is not their rounding, because it
 * was written since, start from it. */
template <class T, int N>
__device__ __forceinline__ void load_param(weft_compute_t<T> (&p)[N], const T *param, const weft_compute_t<T> *weights,
                                           int64_t i)
{
    load_n(p, param, i);
    if (!weights)
        return;
    weft_compute_t<T> master[N];
    load_n(master, weights, i);
#pragma unroll
    for (int k = 0; k < N; k++) {
        T rounded;
        weft_store(&rounded, master[k]);
        if (sizeof(T) == sizeof master[k] || weft_load(rounded) == p[k])
            p[k] = master[k];
    }
}

/* Moves elements i ... i + N - 1. */
template <class Rule, class T, int N>
__device__ __forceinline__ void step(const Rule &rule, const lists<T, Rule::STATES> &l, int64_t i)
{
    using R = weft_compute_t<T>;
    constexpr int STATES = Rule::STATES;
    R p[N], g[N], s[STATES][N];
    load_param(p, l.param, l.master, i);
    load_n(g, l.grad, i);
#pragma unroll
    for (int state = 0; state < STATES; state++) {
        if (l.state[state] && !rule.unset) {
            load_n(s[state], l.state[state], i);
        } else {
#pragma unroll
            for (int k = 0; k < N; k++)
                s[state][k] = R(0);
        }
    }
#pragma unroll
    for (int k = 0; k < N; k++) {
        R of[STATES];
#pragma unroll
        for (int state = 0; state < STATES; state++)
            of[state] = s[state][k];
        rule.step(p[k], g[k], of);
#pragma unroll
        for (int state = 0; state < STATES; state++)
            s[state][k] = of[state];
    }
#pragma unroll
    for (int state = 0; state < STATES; state++)
        if (l.state[state])
            store_n(l.state[state], i, s[state]);
    store_n(l.param, i, p);
    if (l.master)
        store_n(l.master, i, p);
}

/* ---- One launch ---- */

/* The tensor of a chunk: chunks[k] <= chunk < chunks[k + 1]. Tensors without elements have no chunk. */
template <int STATES> __device__ __forceinline__ int tensor_of(const batch<STATES> &b, int64_t chunk)
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

template <class T, int STATES> __device__ __forceinline__ lists<T, STATES> list_of(const batch<STATES> &b, int k)
{
    using R = weft_compute_t<T>;
    lists<T, STATES> l;
    l.param = static_cast<T *>(b.data[PARAM][k]);
    l.grad = static_cast<const T *>(b.data[GRAD][k]);
#pragma unroll
    for (int state = 0; state < STATES; state++)
        l.state[state] = static_cast<R *>(b.data[STATE + state][k]);
    l.master = static_cast<R *>(b.data[STATE + STATES][k]);
    return l;
}

/* Every list of the batch [count[k]], of type T, state and master of the type that T is computed in */
template <class T, class Rule>
__global__ void __launch_bounds__(THREADS) k_step(const __grid_constant__ batch<Rule::STATES> b, Rule rule)
{
    constexpr int WIDTH = width_of<T>;
    for (int64_t chunk = blockIdx.x; chunk < b.chunks[b.n]; chunk += gridDim.x) {
        const int k = tensor_of(b, chunk);
        const lists<T, Rule::STATES> l = list_of<T>(b, k);
        const int64_t begin = (chunk - b.chunks[k]) * CHUNK, left = b.count[k] - begin;
        const int64_t n = left < CHUNK ? left : CHUNK, packs = b.packed[k] ? n / WIDTH : 0;
        for (int64_t i = threadIdx.x; i < packs; i += THREADS)
            step<Rule, T, WIDTH>(rule, l, begin + i * WIDTH);
        for (int64_t i = packs * WIDTH + threadIdx.x; i < n; i += THREADS)
            step<Rule, T, 1>(rule, l, begin + i);
    }
}

/* Adds tensor k of the call, which has n, to the batch. */
template <int STATES> void add_tensor(const weft__exec *e, int64_t n, int64_t k, batch<STATES> &b)
{
    const int at = b.n++;
    b.packed[at] = true;
    for (int list = 0; list < b.LISTS; list++) {
        const weft__array *a = e->in[list * n + k];
        b.data[list][at] = a ? a->data : nullptr;
        b.packed[at] = b.packed[at] && weft__cuda_aligned16(b.data[list][at]);
    }
    b.count[at] = e->in[k]->count;
    b.chunks[b.n] = b.chunks[at] + b.count[at] / CHUNK + (b.count[at] % CHUNK != 0);
}

template <class T, class Rule> cudaError_t launch_batch(const weft__exec *e, batch<Rule::STATES> &b, const Rule &rule)
{
    static_assert(sizeof b + sizeof rule <= 4096, "a kernel takes 4 KiB of parameters");
    if (b.n == 0)
        return cudaSuccess;
    const cudaError_t error =
        weft_launch(k_step<T, Rule>, weft__cuda_blocks(e, b.chunks[b.n], 1), THREADS, 0, weft__stream(e), b, rule);
    b.n = 0;
    return error;
}

/* All tensors of type T; those without elements are left alone. */
template <class T, class Rule> cudaError_t step_type(const weft__exec *e, int32_t dtype, const Rule &rule)
{
    batch<Rule::STATES> b = {};
    const int64_t n = e->n_in / b.LISTS;
    cudaError_t error = cudaSuccess;
    for (int64_t k = 0; k < n && error == cudaSuccess; k++) {
        if (e->in[k]->dtype != dtype || e->in[k]->count == 0)
            continue;
        add_tensor(e, n, k, b);
        if (b.n == b.MOST)
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
            return step_type<T>(e, dtype, Rule<weft_compute_t<T>>(e->attrs));
        });
    return weft__cuda_status(e, error);
}

/* ---- The rules ---- */

#define RULE_IN(R, suffix, name, members, n_states)                                                                    \
    template <> struct name##_rule<R> {                                                                                \
        static constexpr int STATES = n_states;                                                                        \
        weft__constants_##name##_##suffix constants;                                                                   \
        bool unset; /* the state holds nothing yet */                                                                  \
        explicit name##_rule(const weft__attrs *a)                                                                     \
            : constants(weft__find_##name##_##suffix(a)), unset(weft__unset_##name(&a->members))                       \
        {                                                                                                              \
        }                                                                                                              \
        __device__ __forceinline__ void step(R &p, R g, R *s) const                                                    \
        {                                                                                                              \
            weft__step_##name##_##suffix(constants, &p, g, s);                                                         \
        }                                                                                                              \
    };

#define WEFT_OP(ID, name, family, doc)
#define WEFT_STEP(ID, name, members, type, n_states, when, constants, element, doc)                                    \
    template <class R> struct name##_rule;                                                                             \
    RULE_IN(float, f32, name, members, n_states)                                                                       \
    RULE_IN(double, f64, name, members, n_states)
#include "ops/ops.def"

} /* namespace */

#define WEFT_OP(ID, name, family, doc)
#define WEFT_STEP(ID, name, ...)                                                                                       \
    extern "C" weft_status weft__cuda_##name(const weft__exec *e)                                                      \
    {                                                                                                                  \
        return step_all<name##_rule>(e);                                                                               \
    }
#include "ops/ops.def"
