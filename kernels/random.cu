/* random.cu - RAND, RANDN, RANDINT, BERNOULLI, DROPOUT and its gradient: the CPU's numbers, bit by bit. base/rng.h says
 * which words an element takes and makes numbers of them; nothing here may be fused or rounded in another way.
 *
 * A thread makes four elements at a time, of one Philox block or of two. */
#include "base/half.h"
#include "base/rng.h"
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "types.h"

namespace
{

enum { THREADS = 256, FOUR = 4 };

struct stream {
    uint64_t seed, call;
};

stream stream_of(const weft__exec *e)
{
    return {static_cast<uint64_t>(e->attrs->draw.seed), static_cast<uint64_t>(e->attrs->draw.call)};
}

/* Elements 4 quad ... 4 quad + 3 in memory, or those of them that are below count; packed: all at once where
 * possible. */
template <class T>
__device__ __forceinline__ weft_pack<T, FOUR> load_quad(const T *x, int64_t quad, int64_t count, bool packed)
{
    weft_pack<T, FOUR> v = {};
    if (packed && (quad + 1) * FOUR <= count)
        return reinterpret_cast<const weft_pack<T, FOUR> *>(x)[quad];
    for (int k = 0; k < FOUR; k++)
        if (quad * FOUR + k < count)
            v.element[k] = x[quad * FOUR + k];
    return v;
}

template <class T>
__device__ __forceinline__ void store_quad(T *y, int64_t quad, int64_t count, bool packed, const weft_pack<T, FOUR> &v)
{
    if (packed && (quad + 1) * FOUR <= count) {
        reinterpret_cast<weft_pack<T, FOUR> *>(y)[quad] = v;
        return;
    }
    for (int k = 0; k < FOUR; k++)
        if (quad * FOUR + k < count)
            y[quad * FOUR + k] = v.element[k];
}

/* y = a real number that is rounded once: by way of f64 to odd for halves */
template <class T> __device__ __forceinline__ void store_integer(T *y, int64_t v)
{
    if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double>)
        *y = static_cast<T>(v);
    else if constexpr (std::is_same_v<T, __half> || std::is_same_v<T, __nv_bfloat16>)
        weft_store(y, weft__f64_to_f32_odd(static_cast<double>(v)));
    else if constexpr (std::is_same_v<T, weft_bool>)
        y->byte = v != 0;
    else
        *y = static_cast<T>(v);
}

/* ---- What is drawn: fill(s, quad, v) makes the four elements of a quad ---- */

template <class T> struct draw_rand {
    double lo, hi;

    __device__ __forceinline__ void fill(const stream &s, int64_t quad, T (&v)[FOUR]) const
    {
        uint32_t w[FOUR];
        if constexpr (std::is_same_v<T, double>) {
            for (int half = 0; half < 2; half++) {
                weft__philox(s.seed, s.call, static_cast<uint64_t>(2 * quad + half), w);
                v[2 * half] = weft__rand_f64(weft__uniform_f64(w[0], w[1]), lo, hi);
                v[2 * half + 1] = weft__rand_f64(weft__uniform_f64(w[2], w[3]), lo, hi);
            }
        } else {
            constexpr int bits = std::is_same_v<T, float>    ? WEFT__UNIFORM_F32
                                 : std::is_same_v<T, __half> ? WEFT__UNIFORM_F16
                                                             : WEFT__UNIFORM_BF16;
            const float from = static_cast<float>(lo), to = static_cast<float>(hi);
            weft__philox(s.seed, s.call, static_cast<uint64_t>(quad), w);
            for (int k = 0; k < FOUR; k++) {
                weft_store(&v[k], weft__rand_f32(weft__uniform_f32(w[k], bits), from, to));
                if (!(weft_load(v[k]) < to)) /* where rounding to a half reaches the end */
                    weft_store(&v[k], from);
            }
        }
    }
};

template <class T> struct draw_randn {
    double mean, std;

    __device__ __forceinline__ void fill(const stream &s, int64_t quad, T (&v)[FOUR]) const
    {
        uint32_t w[FOUR];
        if constexpr (std::is_same_v<T, double>) {
            for (int half = 0; half < 2; half++) {
                double z0, z1;
                weft__philox(s.seed, s.call, static_cast<uint64_t>(2 * quad + half), w);
                weft__normal_pair_f64(w, &z0, &z1);
                v[2 * half] = WEFT__RN_FMA(z0, std, mean);
                v[2 * half + 1] = WEFT__RN_FMA(z1, std, mean);
            }
        } else {
            const float center = static_cast<float>(mean), width = static_cast<float>(std);
            weft__philox(s.seed, s.call, static_cast<uint64_t>(quad), w);
            for (int pair = 0; pair < 2; pair++) {
                float z0, z1;
                weft__normal_pair_f32(w[2 * pair], w[2 * pair + 1], &z0, &z1);
                weft_store(&v[2 * pair], WEFT__RN_FMAF(z0, width, center));
                weft_store(&v[2 * pair + 1], WEFT__RN_FMAF(z1, width, center));
            }
        }
    }
};

template <class T> struct draw_randint {
    int64_t lo, hi;

    __device__ __forceinline__ void fill(const stream &s, int64_t quad, T (&v)[FOUR]) const
    {
        for (int half = 0; half < 2; half++) {
            uint32_t w[FOUR];
            weft__philox(s.seed, s.call, static_cast<uint64_t>(2 * quad + half), w);
            store_integer(&v[2 * half], weft__randint(w[0], w[1], lo, hi));
            store_integer(&v[2 * half + 1], weft__randint(w[2], w[3], lo, hi));
        }
    }
};

template <class T> struct draw_bernoulli {
    double p;

    __device__ __forceinline__ void fill(const stream &s, int64_t quad, T (&v)[FOUR]) const
    {
        uint32_t w[FOUR];
        weft__philox(s.seed, s.call, static_cast<uint64_t>(quad), w);
        for (int k = 0; k < FOUR; k++)
            store_integer(&v[k], static_cast<double>(weft__uniform_f32(w[k], WEFT__UNIFORM_F32)) < p ? 1 : 0);
    }
};

/* y[count] */
template <class T, class Draw>
__global__ void __launch_bounds__(THREADS) k_draw(int64_t count, T *y, bool packed, stream s, Draw draw)
{
    const int64_t quads = (count + FOUR - 1) / FOUR, step = static_cast<int64_t>(gridDim.x) * THREADS;
    for (int64_t quad = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x; quad < quads; quad += step) {
        weft_pack<T, FOUR> v;
        draw.fill(s, quad, v.element);
        store_quad(y, quad, count, packed, v);
    }
}

template <class T, class Draw> cudaError_t draw_all(const weft__exec *e, const Draw &draw)
{
    const weft__array *y = e->out[0];
    if (y->count == 0)
        return cudaSuccess;
    return weft_launch(k_draw<T, Draw>, weft__cuda_blocks(e, y->count, THREADS * FOUR), THREADS, 0, weft__stream(e),
                       y->count, static_cast<T *>(y->data), weft__cuda_aligned16(y->data), stream_of(e), draw);
}

/* ---- Dropout ---- */

/* What survives is scaled by 1 / (1 - p), so that the mean stays. */
double survivor_scale(double p)
{
    return p < 1 ? 1 / (1 - p) : 0;
}

template <class T> __device__ __forceinline__ void drop(T *y, T x, bool keep, weft_compute_t<T> scale)
{
    using R = weft_compute_t<T>;
    weft_store(y, keep ? weft_load(x) * scale : R(0));
}

/* x [count], y [count], mask [count]: 1 where x is kept, where the uniform number is at least p */
template <class T>
__global__ void __launch_bounds__(THREADS)
    k_dropout(int64_t count, const T *x, T *y, uint8_t *mask, bool packed, stream s, double p, weft_compute_t<T> scale)
{
    const int64_t quads = (count + FOUR - 1) / FOUR, step = static_cast<int64_t>(gridDim.x) * THREADS;
    for (int64_t quad = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x; quad < quads; quad += step) {
        uint32_t w[FOUR];
        weft_pack<T, FOUR> v = load_quad(x, quad, count, packed);
        weft_pack<uint8_t, FOUR> keep;
        weft__philox(s.seed, s.call, static_cast<uint64_t>(quad), w);
        for (int k = 0; k < FOUR; k++) {
            keep.element[k] = static_cast<double>(weft__uniform_f32(w[k], WEFT__UNIFORM_F32)) >= p;
            drop(&v.element[k], v.element[k], keep.element[k] != 0, scale);
        }
        store_quad(mask, quad, count, packed, keep);
        store_quad(y, quad, count, packed, v);
    }
}

/* g [count], mask [count], dx [count] */
template <class T>
__global__ void __launch_bounds__(THREADS)
    k_dropout_grad(int64_t count, const T *g, const uint8_t *mask, T *dx, bool packed, weft_compute_t<T> scale)
{
    const int64_t quads = (count + FOUR - 1) / FOUR, step = static_cast<int64_t>(gridDim.x) * THREADS;
    for (int64_t quad = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x; quad < quads; quad += step) {
        weft_pack<T, FOUR> v = load_quad(g, quad, count, packed);
        const weft_pack<uint8_t, FOUR> keep = load_quad(mask, quad, count, packed);
        for (int k = 0; k < FOUR; k++)
            drop(&v.element[k], v.element[k], keep.element[k] != 0, scale);
        store_quad(dx, quad, count, packed, v);
    }
}

bool all_aligned(const void *a, const void *b, const void *c)
{
    return weft__cuda_aligned16(a) && weft__cuda_aligned16(b) && weft__cuda_aligned16(c);
}

} /* namespace */

/* y contiguous, f32 f64 f16 bf16: uniform in [lo, hi). */
extern "C" weft_status weft__cuda_rand(const weft__exec *e)
{
    const weft__rand_attrs a = e->attrs->rand;
    return weft__cuda_status(e, weft_visit_float(e->out[0]->dtype, cudaErrorInvalidValue, [&](auto name) {
                                 using T = typename decltype(name)::type;
                                 return draw_all<T>(e, draw_rand<T>{a.lo, a.hi});
                             }));
}

/* y contiguous, f32 f64 f16 bf16: normal with a mean and a standard deviation. */
extern "C" weft_status weft__cuda_randn(const weft__exec *e)
{
    const weft__randn_attrs a = e->attrs->randn;
    return weft__cuda_status(e, weft_visit_float(e->out[0]->dtype, cudaErrorInvalidValue, [&](auto name) {
                                 using T = typename decltype(name)::type;
                                 return draw_all<T>(e, draw_randn<T>{a.mean, a.std});
                             }));
}

/* y contiguous, any dtype: uniform integers in [lo, hi). */
extern "C" weft_status weft__cuda_randint(const weft__exec *e)
{
    const weft__randint_attrs a = e->attrs->randint;
    return weft__cuda_status(e, weft_visit(e->out[0]->dtype, cudaErrorInvalidValue, [&](auto name) {
                                 using T = typename decltype(name)::type;
                                 return draw_all<T>(e, draw_randint<T>{a.lo, a.hi});
                             }));
}

/* y contiguous, any dtype: 1 with probability p, else 0. */
extern "C" weft_status weft__cuda_bernoulli(const weft__exec *e)
{
    const double p = e->attrs->bernoulli.p;
    return weft__cuda_status(e, weft_visit(e->out[0]->dtype, cudaErrorInvalidValue, [&](auto name) {
                                 using T = typename decltype(name)::type;
                                 return draw_all<T>(e, draw_bernoulli<T>{p});
                             }));
}

/* x, y contiguous, f32 f64 f16 bf16; mask contiguous, bool, 1 where x is kept. */
extern "C" weft_status weft__cuda_dropout(const weft__exec *e)
{
    const weft__array *x = e->in[0], *y = e->out[0], *mask = e->out[1];
    const double p = e->attrs->chance.p;
    if (x->count == 0)
        return WEFT_OK;
    return weft__cuda_status(
        e, weft_visit_float(x->dtype, cudaErrorInvalidValue, [&](auto name) {
            using T = typename decltype(name)::type;
            return weft_launch(k_dropout<T>, weft__cuda_blocks(e, x->count, THREADS * FOUR), THREADS, 0,
                               weft__stream(e), x->count, static_cast<const T *>(x->data), static_cast<T *>(y->data),
                               static_cast<uint8_t *>(mask->data), all_aligned(x->data, y->data, mask->data),
                               stream_of(e), p, static_cast<weft_compute_t<T>>(survivor_scale(p)));
        }));
}

/* dx = mask ? g / (1 - p) : 0; all of one shape, contiguous. */
extern "C" weft_status weft__cuda_dropout_grad(const weft__exec *e)
{
    const weft__array *g = e->in[0], *mask = e->in[1], *dx = e->out[0];
    if (g->count == 0)
        return WEFT_OK;
    return weft__cuda_status(e, weft_visit_float(g->dtype, cudaErrorInvalidValue, [&](auto name) {
                                 using T = typename decltype(name)::type;
                                 return weft_launch(
                                     k_dropout_grad<T>, weft__cuda_blocks(e, g->count, THREADS * FOUR), THREADS, 0,
                                     weft__stream(e), g->count, static_cast<const T *>(g->data),
                                     static_cast<const uint8_t *>(mask->data), static_cast<T *>(dx->data),
                                     all_aligned(g->data, mask->data, dx->data),
                                     static_cast<weft_compute_t<T>>(survivor_scale(e->attrs->dropout_grad.p)));
                             }));
}
