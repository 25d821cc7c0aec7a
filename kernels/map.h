/* map.h - how elementwise operations run: one formula applied to every element of up to six arrays of one shape, any
 * strides.
 *
 * There is one kernel. It takes packs of WIDTH elements along the innermost dim: 16 bytes of each operand where all lie
 * dense there and aligned, an operand that is repeated along it (a scalar, a column) being read once; else WIDTH is 1.
 * Offsets come from weft_space, so that a row [N] over [M, N], a transposed pair or a view take the same path, and
 * plain contiguous arrays are a space of one dim. Indices are 32 bits wide: the host cuts what is larger into parts. */
#ifndef WEFT_KERNELS_MAP_H
#define WEFT_KERNELS_MAP_H

#include "base/number.h"
#include "cuda/launch.h"
#include "space.h"
#include "types.h"

enum { WEFT_MAP_THREADS = 256 };

/* ---- Rows ----
 * A formula is a struct that derives from weft_map_formula and has, for V = float, double and, if it takes INTEGERS,
 * int64_t (int64_t alone, if it takes no FLOATS)
 *     static __device__ void apply(const V *x, V *y, V p, V q)
 * x[IN] and y[OUT] being one element of each operand. The first CONDITIONS inputs are bool, and so is the output if
 * TRUTH (y not 0); all else is of the dtype that it runs for. CHEAP: so few instructions that memory bandwidth is
 * the limit. */
template <int IN_COUNT, int OUT_COUNT, bool TAKES_INTEGERS> struct weft_map_formula {
    static constexpr int IN = IN_COUNT, OUT = OUT_COUNT, COUNT = IN_COUNT + OUT_COUNT, CONDITIONS = 0;
    static constexpr bool INTEGERS = TAKES_INTEGERS, FLOATS = true, CHEAP = TAKES_INTEGERS, TRUTH = false;
};

/* For ops.def: of each class the types that it has formulas for, APPLY(name, V, suffix) making apply. */
#define WEFT_MAP_FLT(APPLY, name) APPLY(name, float, f32) APPLY(name, double, f64)
#define WEFT_MAP_NUM(APPLY, name) WEFT_MAP_FLT(APPLY, name) APPLY(name, int64_t, i64)
#define WEFT_MAP_INTEGERS_FLT false
#define WEFT_MAP_INTEGERS_NUM true

/* ---- Elements ---- */

template <class T> inline constexpr bool weft_is_integer = std::is_integral_v<T> || std::is_same_v<T, weft_bool>;

/* What formulas compute in: halves in float, integers and bool in int64_t. */
template <class T> struct weft_map_value {
    using type = std::conditional_t<weft_is_integer<T>, int64_t, weft_compute_t<T>>;
};
template <class T> using weft_map_value_t = typename weft_map_value<T>::type;

template <class T> __device__ __forceinline__ weft_map_value_t<T> weft_map_load(T x)
{
    if constexpr (std::is_same_v<T, weft_bool>)
        return x.byte;
    else if constexpr (weft_is_integer<T>)
        return x;
    else
        return weft_load(x);
}

/* Floats round to nearest even, integers wrap, bool is not 0. */
template <class T, class V> __device__ __forceinline__ void weft_map_store(T *y, V x)
{
    if constexpr (std::is_same_v<T, weft_bool>)
        y->byte = x != 0;
    else if constexpr (weft_is_integer<T>)
        *y = static_cast<T>(x);
    else
        weft_store(y, x);
}

/* Elements of a pack: 16 bytes, except that more than 8 would need too many registers. */
template <class T> inline constexpr int weft_map_width = sizeof(T) == 1 ? 8 : static_cast<int>(16 / sizeof(T));

/* Packs that a thread loads before it computes: enough bytes under way, without a formula that is long many times. */
template <class Formula, int WIDTH>
inline constexpr int weft_map_packs = Formula::CHEAP ? (WIDTH == 1         ? (Formula::IN <= 2 ? 4 : 2)
                                                        : Formula::IN == 1 ? 4
                                                        : Formula::IN == 2 ? 2
                                                                           : 1)
                                                     : (WIDTH == 1 || WIDTH == 4 ? 2 : 1);

/* ---- The kernel ---- */

/* The arrays, outputs first. After weft_map_pack a step along the last dim is a pack. */
template <int COUNT> struct weft_map_operands {
    weft_space<COUNT> space;
    void *data[COUNT];
    uint32_t repeated; /* bit k: array k does not move along the last dim */
    bool plain;        /* one dim, and all arrays dense: the packs of all have the same number */
    int tail;          /* elements after the last whole pack; only in a space of one dim */
};

/* WIDTH elements of T from x on, or x[0] that often. */
template <class T, int WIDTH> __device__ __forceinline__ weft_pack<T, WIDTH> weft_map_take(const T *x, bool repeated)
{
    if (!repeated)
        return *reinterpret_cast<const weft_pack<T, WIDTH> *>(x);
    weft_pack<T, WIDTH> pack;
    const T element = *x;
#pragma unroll
    for (int j = 0; j < WIDTH; j++)
        pack.element[j] = element;
    return pack;
}

/* One pack of every operand of Formula for dtype T. */
template <class Formula, class T, int WIDTH> struct weft_map_packs_of {
    static constexpr int OUT = Formula::OUT, IN = Formula::IN, CONDITIONS = Formula::CONDITIONS;
    using V = weft_map_value_t<T>;
    using Y = std::conditional_t<Formula::TRUTH, weft_bool, T>;
    using operands = weft_map_operands<Formula::COUNT>;

    int64_t at[Formula::COUNT]; /* where the pack begins in each array, in elements */
    weft_pack<weft_bool, WIDTH> condition[CONDITIONS + 1];
    weft_pack<T, WIDTH> x[IN];

    /* Pack i of arrays that are dense. */
    __device__ __forceinline__ void at_pack(uint32_t i)
    {
#pragma unroll
        for (int k = 0; k < Formula::COUNT; k++)
            at[k] = static_cast<int64_t>(i) * WIDTH;
    }

    template <bool MAY_REPEAT> __device__ __forceinline__ void load(const operands &o)
    {
#pragma unroll
        for (int k = 0; k < IN; k++) {
            const void *data = o.data[OUT + k];
            const bool repeated = MAY_REPEAT && WIDTH > 1 && (o.repeated >> (OUT + k) & 1) != 0;
            if (k < CONDITIONS)
                condition[k] =
                    weft_map_take<weft_bool, WIDTH>(static_cast<const weft_bool *>(data) + at[OUT + k], repeated);
            else
                x[k] = weft_map_take<T, WIDTH>(static_cast<const T *>(data) + at[OUT + k], repeated);
        }
    }

    __device__ __forceinline__ void apply_and_store(const operands &o, V p, V q) const
    {
        weft_pack<Y, WIDTH> made[OUT];
#pragma unroll
        for (int j = 0; j < WIDTH; j++) {
            V in[IN], out[OUT];
#pragma unroll
            for (int k = 0; k < IN; k++) {
                if (k < CONDITIONS)
                    in[k] = static_cast<V>(weft_map_load(condition[k].element[j]));
                else
                    in[k] = weft_map_load(x[k].element[j]);
            }
            Formula::apply(in, out, p, q);
#pragma unroll
            for (int k = 0; k < OUT; k++)
                weft_map_store(&made[k].element[j], out[k]);
        }
#pragma unroll
        for (int k = 0; k < OUT; k++)
            *reinterpret_cast<weft_pack<Y, WIDTH> *>(static_cast<Y *>(o.data[k]) + at[k]) = made[k];
    }
};

/* The elements after the last whole pack, one a thread of the first block. */
template <class Formula, class T>
__device__ __forceinline__ void weft_map_tail(const weft_map_operands<Formula::COUNT> &o, int width,
                                              weft_map_value_t<T> p, weft_map_value_t<T> q)
{
    if (blockIdx.x != 0 || static_cast<int>(threadIdx.x) >= o.tail)
        return;
    weft_map_packs_of<Formula, T, 1> one;
    for (int k = 0; k < Formula::COUNT; k++)
        one.at[k] = (o.repeated >> k & 1) != 0 ? 0 : o.space.count * width + threadIdx.x;
    one.template load<false>(o);
    one.apply_and_store(o, p, q);
}

/* y.. = Formula(x..; p, q) over o.space, whose elements are packs of WIDTH.
 * out: Formula::OUT arrays, in: Formula::IN arrays, each of o.space.shape by its own strides, 0 where it repeats */
template <class Formula, class T, int WIDTH>
__global__ void __launch_bounds__(WEFT_MAP_THREADS)
    k_map(weft_map_operands<Formula::COUNT> o, weft_map_value_t<T> p, weft_map_value_t<T> q)
{
    constexpr int PACKS = weft_map_packs<Formula, WIDTH>;
    constexpr uint32_t THREADS = WEFT_MAP_THREADS, TILE = THREADS * PACKS;
    const uint32_t count = static_cast<uint32_t>(o.space.count);
    for (uint32_t tile = blockIdx.x * TILE; tile < count; tile += gridDim.x * TILE) {
        const uint32_t first = tile + threadIdx.x;
        weft_map_packs_of<Formula, T, WIDTH> packs[PACKS];
        if (o.plain && tile + TILE <= count) { /* no branch between the loads: all are under way at once */
#pragma unroll
            for (int u = 0; u < PACKS; u++) {
                packs[u].at_pack(first + u * THREADS);
                packs[u].template load<false>(o);
            }
        } else {
#pragma unroll
            for (int u = 0; u < PACKS; u++) {
                if (first + u * THREADS >= count)
                    continue;
                weft_space_offsets(o.space, first + u * THREADS, packs[u].at);
                packs[u].template load<true>(o);
            }
        }
#pragma unroll
        for (int u = 0; u < PACKS; u++)
            if (first + u * THREADS < count)
                packs[u].apply_and_store(o, p, q);
    }
    if constexpr (WIDTH > 1)
        weft_map_tail<Formula, T>(o, WIDTH, p, q);
}

/* ---- Host side ----
 * All but the launch is the same for every formula of so many arrays, and compiled once. */

/* A formula at a dtype, as the host sees it. */
template <int COUNT> struct weft_map_run {
    int outputs;          /* of the arrays, the first ones */
    uint8_t bytes[COUNT]; /* an element of each array */
    int width;            /* elements of a pack */
    int packs, one_packs; /* that a thread takes at a time, of these and of one element */
    cudaError_t (*launch)(const weft__exec *e, const weft_map_operands<COUNT> &o, bool wide, unsigned blocks);
};

/* Packs of width elements do for array k: dense along the last dim, and every row begins on a pack; or, an input,
 * repeated along it. */
template <int COUNT> bool weft_map_packs_fit(const weft_map_operands<COUNT> &o, const weft_map_run<COUNT> &run, int k)
{
    const int last = o.space.ndim - 1;
    const int64_t *stride = o.space.stride[k];
    if (stride[last] == 0)
        return k >= run.outputs;
    if (stride[last] != 1 ||
        reinterpret_cast<uintptr_t>(o.data[k]) % static_cast<size_t>(run.bytes[k] * run.width) != 0)
        return false;
    for (int d = 0; d < last; d++)
        if (stride[d] % run.width != 0)
            return false;
    return true;
}

/* Counts the last dim of o in packs of the run's width; false, with o as it was, where that is not possible. */
template <int COUNT> bool weft_map_pack(weft_map_operands<COUNT> &o, const weft_map_run<COUNT> &run)
{
    weft_space<COUNT> &s = o.space;
    const int last = s.ndim - 1;
    if (s.shape[last] < run.width || (last > 0 && s.shape[last] % run.width != 0))
        return false;
    for (int k = 0; k < COUNT; k++)
        if (!weft_map_packs_fit(o, run, k))
            return false;
    o.tail = static_cast<int>(s.shape[last] % run.width);
    s.shape[last] /= run.width;
    s.count /= run.width;
    for (int k = 0; k < COUNT; k++) {
        o.repeated |= s.stride[k][last] == 0 ? 1u << k : 0;
        s.stride[k][last] *= run.width;
    }
    return true;
}

/* In parts that 32-bit indices are wide enough for. */
template <int COUNT>
cudaError_t weft_map_parts(const weft__exec *e, const weft_map_operands<COUNT> &o, const weft_map_run<COUNT> &run)
{
    weft_map_operands<COUNT> low = o, high = o;
    if (weft_fits_32_bits(o.space.count)) {
        const bool wide = weft_map_pack(low, run);
        low.plain = low.space.ndim == 1;
        for (int k = 0; k < COUNT; k++)
            low.plain = low.plain && low.space.stride[k][0] == (wide ? run.width : 1);
        const int64_t tile = WEFT_MAP_THREADS * (wide ? run.packs : run.one_packs);
        return run.launch(e, low, wide, weft__cuda_blocks(e, low.space.count, tile));
    }
    int64_t first[COUNT];
    weft_space_halve(o.space, low.space, high.space, first);
    for (int k = 0; k < COUNT; k++)
        high.data[k] = static_cast<unsigned char *>(o.data[k]) + first[k] * run.bytes[k];
    const cudaError_t error = weft_map_parts(e, low, run);
    return error != cudaSuccess ? error : weft_map_parts(e, high, run);
}

template <int COUNT>
cudaError_t weft_map_arrays(const weft__exec *e, const weft__array *const (&arrays)[COUNT],
                            const weft_map_run<COUNT> &run)
{
    if (arrays[0]->count == 0)
        return cudaSuccess;
    weft_map_operands<COUNT> o = {};
    o.space = weft_make_space<COUNT>(arrays);
    for (int k = 0; k < COUNT; k++)
        o.data[k] = arrays[k]->data;
    return weft_map_parts(e, o, run);
}

/* Parameter k of a formula as what it computes in, 0 where the operation has none; the engine lets integers have only
 * what they hold, or what lies beyond. */
template <class V> V weft_map_param(const weft__exec *e, int k)
{
    const double p = !e->attrs || e->attrs->nf <= k ? 0 : k == 0 ? e->attrs->scalar.p : e->attrs->scalar.q;
    if constexpr (!std::is_same_v<V, int64_t>)
        return static_cast<V>(p);
    return static_cast<V>(weft__to_i64(p));
}

template <class Formula, class T>
cudaError_t weft_map_launch(const weft__exec *e, const weft_map_operands<Formula::COUNT> &o, bool wide, unsigned blocks)
{
    using V = weft_map_value_t<T>;
    return weft_launch(wide ? k_map<Formula, T, weft_map_width<T>> : k_map<Formula, T, 1>, blocks, WEFT_MAP_THREADS, 0,
                       weft__stream(e), o, weft_map_param<V>(e, 0), weft_map_param<V>(e, 1));
}

template <class Formula, class T> constexpr weft_map_run<Formula::COUNT> weft_map_make_run()
{
    weft_map_run<Formula::COUNT> run = {};
    run.outputs = Formula::OUT;
    for (int k = 0; k < Formula::COUNT; k++) {
        const bool is_bool = k < Formula::OUT ? Formula::TRUTH : k - Formula::OUT < Formula::CONDITIONS;
        run.bytes[k] = is_bool ? sizeof(weft_bool) : sizeof(T);
    }
    run.width = weft_map_width<T>;
    run.packs = weft_map_packs<Formula, weft_map_width<T>>;
    run.one_packs = weft_map_packs<Formula, 1>;
    run.launch = weft_map_launch<Formula, T>;
    return run;
}

/* Runs Formula over outputs out[Formula::OUT] and e's inputs, the last of which has the dtype that it computes with. An
 * input that is NULL is not read by the formula: the last one stands in for it, and loads of it are optimised away.
 * attrs: scalar, or none. */
template <class Formula> weft_status weft_map(const weft__exec *e, const weft__array *const (&out)[Formula::OUT])
{
    const weft__array *arrays[Formula::COUNT];
    for (int k = 0; k < Formula::OUT; k++)
        arrays[k] = out[k];
    for (int k = 0; k < Formula::IN; k++)
        arrays[Formula::OUT + k] = e->in[k] ? e->in[k] : e->in[Formula::IN - 1];
    using run = weft_map_run<Formula::COUNT>;
    const run *found =
        weft_visit(e->in[Formula::IN - 1]->dtype, static_cast<const run *>(nullptr), [](auto name) -> const run * {
            using T = typename decltype(name)::type;
            if constexpr (!(weft_is_integer<T> ? Formula::INTEGERS : Formula::FLOATS)) {
                return nullptr;
            } else {
                static constexpr run of_dtype = weft_map_make_run<Formula, T>();
                return &of_dtype;
            }
        });
    if (!found)
        return e->host->fail(e, WEFT_E_DTYPE, Formula::FLOATS ? "needs a floating dtype" : "needs whole numbers");
    return weft__cuda_status(e, weft_map_arrays<Formula::COUNT>(e, arrays, *found));
}

#endif
