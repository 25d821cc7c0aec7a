/* fft.cu - discrete Fourier transforms along a dim: FFT, RFFT, IRFFT.
 *
 * An array is seen as [outer, n, inner] lines with n along the dim. Stockham's algorithm: each stage takes a factor
 * r of n, and goes from one array to another. Short lines are transformed in shared memory, a block each; long ones
 * stage by stage in global memory, all together. Factors up to 5 have stages of their own, in which a thread holds r
 * elements; for any other prime a thread adds up the r terms of one element. Real numbers are transformed as complex
 * ones. cuda/fft.c gives to cuFFT what this is slow at. */
#include "base/fft_roots.h"
#include "cuda/fft.h"
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "types.h"

namespace
{

enum { THREADS = 256 };

template <class C> struct alignas(2 * sizeof(C)) complex {
    C re, im;
};

template <class C> __device__ __forceinline__ complex<C> operator*(complex<C> a, complex<C> b)
{
    return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}
template <class C> __device__ __forceinline__ complex<C> operator+(complex<C> a, complex<C> b)
{
    return {a.re + b.re, a.im + b.im};
}

enum kinds { FROM_REAL = WEFT__FFT_FROM_REAL, TO_REAL = WEFT__FFT_TO_REAL };

template <class T> struct task {
    using C = weft_compute_t<T>;
    const T *x;
    T *y;
    int64_t lines, inner, n;
    int kind;
    bool inverse, adjoint;
    C scale;
    const complex<C> *roots; /* [n]: e^(-2 pi i k / n), conjugate of the inverse */
};

/* k = 0 and n / 2: they have no mirror image in the other half of the spectrum of real numbers */
template <class T> __device__ __forceinline__ bool is_alone(const task<T> &t, int64_t k)
{
    return k == 0 || 2 * k == t.n;
}

/* Place of element j of a line in an array whose lines have n. */
template <class T> __device__ __forceinline__ int64_t place(const task<T> &t, int64_t line, int64_t j, int64_t n)
{
    const int64_t outer = line / t.inner;
    return (outer * n + j) * t.inner + (line - outer * t.inner);
}

template <class T>
__device__ __forceinline__ complex<weft_compute_t<T>> load_element(const task<T> &t, int64_t line, int64_t j)
{
    using C = weft_compute_t<T>;
    if (t.kind == FROM_REAL)
        return {static_cast<C>(weft_load(t.x[place(t, line, j, t.n)])), C(0)};
    const int64_t h = t.kind == TO_REAL ? t.n / 2 + 1 : t.n, k = j < h ? j : t.n - j;
    const T *pair = t.x + 2 * place(t, line, k, h);
    complex<C> z = {weft_load(pair[0]), weft_load(pair[1])};
    if (t.kind == TO_REAL) {
        const C part = t.adjoint && !is_alone(t, k) ? C(0.5) : C(1);
        z = {part * z.re, is_alone(t, k) ? C(0) : j < h ? part * z.im : -part * z.im};
    }
    return z;
}

template <class T>
__device__ __forceinline__ void store_element(const task<T> &t, int64_t line, int64_t k, complex<weft_compute_t<T>> z)
{
    using C = weft_compute_t<T>;
    if (t.kind == TO_REAL) {
        weft_store(t.y + place(t, line, k, t.n), t.scale * z.re);
        return;
    }
    const int64_t h = t.kind == FROM_REAL ? t.n / 2 + 1 : t.n;
    if (k >= h)
        return;
    T *pair = t.y + 2 * place(t, line, k, h);
    const bool real = t.kind == FROM_REAL, alone = real && is_alone(t, k);
    const C scale = real && t.adjoint && !alone ? 2 * t.scale : t.scale;
    weft_store(pair, scale * z.re);
    weft_store(pair + 1, alone ? C(0) : scale * z.im);
}

/* One stage of a line, units first, first + stride ... of it: x [r, m, s] to y [m, r, s]. n = r m s; root k of r m is
 * w[k s]. */
template <int R, class C>
__device__ __forceinline__ void stage_of(const complex<C> *x, complex<C> *y, int64_t m, int64_t s, const complex<C> *w,
                                         int64_t first, int64_t stride)
{
    for (int64_t unit = first; unit < m * s; unit += stride) {
        const int64_t p = unit / s, q = unit - p * s;
        complex<C> a[R];
#pragma unroll
        for (int j = 0; j < R; j++)
            a[j] = x[q + s * (p + j * m)];
#pragma unroll
        for (int k = 0; k < R; k++) {
            complex<C> sum = a[0];
#pragma unroll
            for (int j = 1; j < R; j++)
                sum = sum + (j * k % R == 0 ? a[j] : a[j] * w[j * k % R * m * s]);
            y[q + s * (R * p + k)] = k == 0 ? sum : sum * w[k * p * s];
        }
    }
}

/* The same for any factor; a unit is one element of y. */
template <class C>
__device__ __forceinline__ void stage_any(const complex<C> *x, complex<C> *y, int64_t r, int64_t m, int64_t s,
                                          const complex<C> *w, int64_t first, int64_t stride)
{
    for (int64_t unit = first; unit < r * m * s; unit += stride) {
        const int64_t row = unit / s, q = unit - row * s, p = row / r, k = row - p * r;
        complex<C> sum = x[q + s * p];
        for (int64_t j = 1; j < r; j++)
            sum = sum + x[q + s * (p + j * m)] * w[j * k % r * m * s];
        y[unit] = sum * w[k * p * s];
    }
}

template <class C>
__device__ __forceinline__ void stage(int64_t r, const complex<C> *x, complex<C> *y, int64_t m, int64_t s,
                                      const complex<C> *w, int64_t first, int64_t stride)
{
    switch (r) {
    case 2:
        return stage_of<2>(x, y, m, s, w, first, stride);
    case 3:
        return stage_of<3>(x, y, m, s, w, first, stride);
    case 4:
        return stage_of<4>(x, y, m, s, w, first, stride);
    case 5:
        return stage_of<5>(x, y, m, s, w, first, stride);
    default:
        return stage_any(x, y, r, m, s, w, first, stride);
    }
}

template <class C> __global__ void __launch_bounds__(THREADS) k_fft_roots(complex<C> *roots, int64_t n, bool inverse)
{
    for (int64_t k = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x; k < n;
         k += static_cast<int64_t>(gridDim.x) * THREADS) {
        double re, im;
        weft__fft_root(k, n, &re, &im);
        roots[k] = {static_cast<C>(re), static_cast<C>(inverse ? im : -im)};
    }
}

/* A block a line. */
template <class T> __global__ void __launch_bounds__(THREADS) k_fft_lines(task<T> t)
{
    using complex_t = complex<weft_compute_t<T>>;
    WEFT_DYN_SHARED(complex_t, shared);
    for (int64_t line = blockIdx.x; line < t.lines; line += gridDim.x) {
        complex_t *x = shared, *y = shared + t.n;
        for (int64_t j = threadIdx.x; j < t.n; j += THREADS)
            x[j] = load_element(t, line, j);
        __syncthreads();
        int64_t s = 1;
        for (int64_t rest = t.n; rest > 1;) {
            const int64_t r = weft__fft_factor(rest), m = rest / r;
            stage(r, x, y, m, s, t.roots, threadIdx.x, THREADS);
            __syncthreads();
            complex_t *hold = x;
            x = y;
            y = hold;
            rest = m;
            s *= r;
        }
        for (int64_t k = threadIdx.x; k < t.n; k += THREADS)
            store_element(t, line, k, x[k]);
        __syncthreads();
    }
}

template <class T> __global__ void __launch_bounds__(THREADS) k_fft_load(task<T> t, complex<weft_compute_t<T>> *z)
{
    for (int64_t i = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x; i < t.lines * t.n;
         i += static_cast<int64_t>(gridDim.x) * THREADS)
        z[i] = load_element(t, i / t.n, i % t.n);
}

template <class T>
__global__ void __launch_bounds__(THREADS) k_fft_store(task<T> t, const complex<weft_compute_t<T>> *z)
{
    for (int64_t i = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x; i < t.lines * t.n;
         i += static_cast<int64_t>(gridDim.x) * THREADS)
        store_element(t, i / t.n, i % t.n, z[i]);
}

/* per_line blocks go through a line together. */
template <class C>
__global__ void __launch_bounds__(THREADS)
    k_fft_stage(const complex<C> *x, complex<C> *y, int64_t lines, int64_t n, int64_t r, int64_t m, int64_t s,
                const complex<C> *w, int64_t per_line)
{
    for (int64_t item = blockIdx.x; item < lines * per_line; item += gridDim.x) {
        const int64_t line = item / per_line, part = item - line * per_line;
        stage(r, x + line * n, y + line * n, m, s, w, part * THREADS + threadIdx.x, per_line * THREADS);
    }
}

template <class T> weft_status run_stages(const weft__exec *e, const task<T> &t)
{
    using C = weft_compute_t<T>;
    complex<C> *a = static_cast<complex<C> *>(weft__scratch(e, t.lines * t.n, sizeof *a));
    complex<C> *b = static_cast<complex<C> *>(weft__scratch(e, t.lines * t.n, sizeof *b));
    if (!a || !b)
        return WEFT_E_NOMEM;
    const unsigned blocks = weft__cuda_blocks(e, t.lines * t.n, THREADS);
    cudaError_t error = weft_launch(k_fft_load<T>, blocks, THREADS, 0, weft__stream(e), t, a);
    int64_t s = 1;
    for (int64_t rest = t.n; rest > 1 && error == cudaSuccess;) {
        const int64_t r = weft__fft_factor(rest), m = rest / r, units = r <= 5 ? t.n / r : t.n;
        const int64_t per_line = units / THREADS + (units % THREADS != 0);
        error = weft_launch(k_fft_stage<C>, weft__cuda_blocks(e, t.lines * per_line, 1), THREADS, 0, weft__stream(e), a,
                            b, t.lines, t.n, r, m, s, t.roots, per_line);
        complex<C> *hold = a;
        a = b;
        b = hold;
        rest = m;
        s *= r;
    }
    if (error == cudaSuccess)
        error = weft_launch(k_fft_store<T>, blocks, THREADS, 0, weft__stream(e), t, a);
    return weft__cuda_status(e, error);
}

template <class T> weft_status run(const weft__exec *e, task<T> t)
{
    using C = weft_compute_t<T>;
    complex<C> *roots = static_cast<complex<C> *>(weft__scratch(e, t.n, sizeof *roots));
    if (!roots)
        return WEFT_E_NOMEM;
    t.roots = roots;
    cudaError_t error = weft_launch(k_fft_roots<C>, weft__cuda_blocks(e, t.n, THREADS), THREADS, 0, weft__stream(e),
                                    roots, t.n, t.inverse);
    if (error != cudaSuccess)
        return weft__cuda_status(e, error);
    const weft__fft_lines l = weft__cuda_fft_lines(e);
    if (!weft__cuda_fft_is_short(e, &l))
        return run_stages(e, t);
    return weft__cuda_status(e, weft_launch(k_fft_lines<T>, weft__cuda_blocks(e, t.lines, 1), THREADS,
                                            static_cast<size_t>(t.n) * 2 * sizeof(complex<C>), weft__stream(e), t));
}

/* ---- For cuFFT (cuda/fft.c): lines behind each other in f32 or f64, and back ---- */

template <class T> __global__ void __launch_bounds__(THREADS) k_fft_gather(task<T> t, void *to)
{
    using C = weft_compute_t<T>;
    const int64_t each = t.kind == TO_REAL ? t.n / 2 + 1 : t.n;
    for (int64_t i = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x; i < t.lines * each;
         i += static_cast<int64_t>(gridDim.x) * THREADS) {
        const complex<C> z = load_element(t, i / each, i % each);
        if (t.kind == FROM_REAL)
            static_cast<C *>(to)[i] = z.re;
        else
            static_cast<complex<C> *>(to)[i] = z;
    }
}

/* from may be y: an element is read before it is written, by the same thread. */
template <class T> __global__ void __launch_bounds__(THREADS) k_fft_spread(task<T> t, const void *from)
{
    using C = weft_compute_t<T>;
    const int64_t each = t.kind == FROM_REAL ? t.n / 2 + 1 : t.n;
    for (int64_t i = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x; i < t.lines * each;
         i += static_cast<int64_t>(gridDim.x) * THREADS) {
        const int64_t line = i / each, k = i % each, at = from == t.y ? place(t, line, k, each) : i;
        const complex<C> z = t.kind == TO_REAL ? complex<C>{static_cast<const C *>(from)[at], C(0)}
                                               : static_cast<const complex<C> *>(from)[at];
        store_element(t, line, k, z);
    }
}

template <class T> task<T> task_of(const weft__exec *e, const weft__fft_lines &l)
{
    const weft__fft_attrs *a = &e->attrs->fft;
    return {static_cast<const T *>(e->in[0]->data),
            static_cast<T *>(e->out[0]->data),
            l.outer * l.inner,
            l.inner,
            l.n,
            static_cast<int>(l.kind),
            a->inverse != 0,
            a->adjoint != 0,
            static_cast<weft_compute_t<T>>(a->scale),
            nullptr};
}

} /* namespace */

extern "C" weft__fft_lines weft__cuda_fft_lines(const weft__exec *e)
{
    const int64_t dim = e->attrs->fft.dim;
    weft__fft_lines l = {};
    l.kind = e->op == WEFT_OP_RFFT ? WEFT__FFT_FROM_REAL : e->op == WEFT_OP_IRFFT ? WEFT__FFT_TO_REAL : WEFT__FFT_PAIRS;
    const weft__array *pairs = l.kind == WEFT__FFT_FROM_REAL ? e->out[0] : e->in[0];
    l.n = l.kind == WEFT__FFT_TO_REAL ? e->out[0]->shape[dim] : e->in[0]->shape[dim];
    l.half = l.n / 2 + 1;
    l.outer = l.inner = 1;
    for (int d = 0; d < pairs->ndim - 1; d++)
        if (d != dim)
            *(d < dim ? &l.outer : &l.inner) *= pairs->shape[d];
    l.wide = e->in[0]->dtype == WEFT_F64;
    return l;
}

extern "C" bool weft__cuda_fft_is_short(const weft__exec *e, const weft__fft_lines *l)
{
    const size_t element = l->wide ? sizeof(complex<double>) : sizeof(complex<float>);
    return static_cast<size_t>(l->n) <= weft__cuda_usual_shared(e) / (2 * element);
}

extern "C" weft_status weft__cuda_fft_gather(const weft__exec *e, void *to)
{
    const weft__fft_lines l = weft__cuda_fft_lines(e);
    return weft_visit_float(e->in[0]->dtype, WEFT_E_DTYPE, [&](auto name) {
        using T = typename decltype(name)::type;
        const task<T> t = task_of<T>(e, l);
        return weft__cuda_status(e, weft_launch(k_fft_gather<T>, weft__cuda_blocks(e, t.lines * t.n, THREADS), THREADS,
                                                0, weft__stream(e), t, to));
    });
}

extern "C" weft_status weft__cuda_fft_spread(const weft__exec *e, const void *from)
{
    const weft__fft_lines l = weft__cuda_fft_lines(e);
    return weft_visit_float(e->in[0]->dtype, WEFT_E_DTYPE, [&](auto name) {
        using T = typename decltype(name)::type;
        const task<T> t = task_of<T>(e, l);
        return weft__cuda_status(e, weft_launch(k_fft_spread<T>, weft__cuda_blocks(e, t.lines * t.n, THREADS), THREADS,
                                                0, weft__stream(e), t, from ? from : t.y));
    });
}

/* x, y [outer, n, inner, 2]; of numbers [outer, n, inner]; half a spectrum [outer, n / 2 + 1, inner, 2]   attributes of
 * all: fft */
extern "C" weft_status weft__cuda_fft_own(const weft__exec *e)
{
    const weft__fft_lines l = weft__cuda_fft_lines(e);
    if (e->in[0]->count == 0 || e->out[0]->count == 0)
        return WEFT_OK;
    return weft_visit_float(e->in[0]->dtype, WEFT_E_DTYPE, [&](auto name) {
        using T = typename decltype(name)::type;
        return run(e, task_of<T>(e, l));
    });
}
