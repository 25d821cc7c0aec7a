/* copy.cu - copies between any two layouts and dtypes: COPY, CAST and copy_.
 *
 * Same dtype: one copy by the device where both sides are contiguous; tiles through shared memory where rows of one
 * side are columns of the other; else element by element, elements being as large as rows and alignment allow, up to 16
 * bytes. Another dtype: contiguous floats many at a time, everything else one by one by way of f64 or i64. */
#include "base/number.h"
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "space.h"
#include "types.h"

namespace
{

enum { THREADS = 256, TILE = 32, TILE_ROWS = 8 };

template <class T> T *data_of(const weft__array *a)
{
    return static_cast<T *>(a->data);
}

/* ---- Same dtype: elements of type U move ---- */

/* space of {y, x}, U any type of the elements' size */
template <class U, class I> __global__ void __launch_bounds__(THREADS) k_copy_strided(weft_space<2> s, U *y, const U *x)
{
    const I count = static_cast<I>(s.count);
    const I step = static_cast<I>(gridDim.x) * THREADS;
    for (I i = static_cast<I>(blockIdx.x) * THREADS + threadIdx.x; i < count; i += step) {
        int64_t at[2];
        weft_space_offsets(s, i, at);
        y[at[0]] = x[at[1]];
    }
}

template <class U> cudaError_t copy_strided(const weft__exec *e, const weft_space<2> &s, void *y, const void *x)
{
    const unsigned blocks = weft__cuda_blocks(e, s.count, THREADS);
    U *to = static_cast<U *>(y);
    const U *from = static_cast<const U *>(x);
    return weft_fits_32_bits(s.count)
               ? weft_launch(k_copy_strided<U, uint32_t>, blocks, THREADS, 0, weft__stream(e), s, to, from)
               : weft_launch(k_copy_strided<U, int64_t>, blocks, THREADS, 0, weft__stream(e), s, to, from);
}

/* N small elements side by side, in 4 bytes; or one element. */
template <class T, int N> using word_of = std::conditional_t<N == 1, T, uint32_t>;

/* p[N], of which left are there. whole: one access will do. */
template <int N, class T> __device__ __forceinline__ word_of<T, N> get_word(const T *p, int64_t left, bool whole)
{
    if constexpr (N == 1) {
        return left > 0 ? *p : T(0);
    } else {
        if (whole && left >= N)
            return *reinterpret_cast<const uint32_t *>(p);
        uint32_t word = 0;
#pragma unroll
        for (int k = 0; k < N; k++)
            if (k < left)
                word |= static_cast<uint32_t>(p[k]) << (32 / N * k);
        return word;
    }
}

template <int N, class T> __device__ __forceinline__ void put_word(T *p, word_of<T, N> word, int64_t left, bool whole)
{
    if constexpr (N == 1) {
        if (left > 0)
            *p = word;
    } else {
        if (whole && left >= N) {
            *reinterpret_cast<uint32_t *>(p) = word;
            return;
        }
#pragma unroll
        for (int k = 0; k < N; k++)
            if (k < left)
                p[k] = static_cast<T>(word >> (32 / N * k));
    }
}

/* The upper shift bits of each 2 shift bits of a, and the lower ones of b, change places. */
__device__ __forceinline__ void swap_bits(uint32_t &a, uint32_t &b, int shift, uint32_t lower)
{
    const uint32_t both = (a >> shift ^ b) & lower;
    b ^= both;
    a ^= both << shift;
}

/* Element i of word j and element j of word i change places. */
template <int N, class W> __device__ __forceinline__ void exchange(W (&words)[N])
{
    if constexpr (N > 1) {
#pragma unroll
        for (int i = 0; i < N / 2; i++)
            swap_bits(words[i], words[i + N / 2], 16, 0x0000ffff);
    }
    if constexpr (N == 4) {
#pragma unroll
        for (int i = 0; i < N; i += 2)
            swap_bits(words[i], words[i + 1], 8, 0x00ff00ff);
    }
}

/* Dims last - 1 and last of s are rows and columns: y's columns and x's rows lie side by side in memory. Blocks take
 * tiles of 32 N x 32 N, one after the other, of all planes that the dims before span. A thread takes N x N elements at
 * a time, so that both sides move as words of N elements, and the tile holds words, N to a row, each in a plane of its
 * own. whole_y, whole_x: every word but those at an edge begins at a multiple of its size.
 * y [planes.., rows, columns], x likewise */
template <class T, int N>
__global__ void __launch_bounds__(TILE *TILE_ROWS, 6 - N / 2)
    k_transpose(weft_space<2> s, T *y, bool whole_y, const T *x, bool whole_x)
{
    using word = word_of<T, N>;
    constexpr int EDGE = TILE * N;
    WEFT_SHARED(word, tile, [N][TILE][TILE + 1]);
    const int last = s.ndim - 1, lane = static_cast<int>(threadIdx.x), line = static_cast<int>(threadIdx.y);
    const int64_t rows = s.shape[last - 1], columns = s.shape[last];
    const int64_t y_step = s.stride[0][last - 1], x_step = s.stride[1][last];
    const int64_t row_tiles = (rows + EDGE - 1) / EDGE, column_tiles = (columns + EDGE - 1) / EDGE;
    const int64_t tiles = s.count / (rows * columns) * row_tiles * column_tiles;
    for (int64_t t = blockIdx.x; t < tiles; t += gridDim.x) {
        const int64_t row = t / column_tiles % row_tiles * EDGE, column = t % column_tiles * EDGE;
        const int64_t rows_left = rows - row - lane * N, columns_left = columns - column - lane * N;
        int64_t plane = t / (column_tiles * row_tiles), to = row * y_step + column, from = column * x_step + row;
        for (int d = last - 2; d >= 0; d--) {
            const int64_t at = plane % s.shape[d];
            plane /= s.shape[d];
            to += at * s.stride[0][d];
            from += at * s.stride[1][d];
        }
#pragma unroll
        for (int k = 0; k < TILE; k += TILE_ROWS) {
            word words[N];
#pragma unroll
            for (int i = 0; i < N; i++) {
                const int64_t c = (k + line) * N + i;
                words[i] =
                    column + c < columns ? get_word<N>(x + from + c * x_step + lane * N, rows_left, whole_x) : word(0);
            }
            exchange(words);
#pragma unroll
            for (int i = 0; i < N; i++)
                tile[i][lane][k + line] = words[i];
        }
        __syncthreads();
#pragma unroll
        for (int k = 0; k < TILE; k += TILE_ROWS)
#pragma unroll
            for (int i = 0; i < N; i++) {
                const int64_t r = (k + line) * N + i;
                if (row + r < rows)
                    put_word<N>(y + to + r * y_step + lane * N, tile[i][k + line][lane], columns_left, whole_y);
            }
        __syncthreads();
    }
}

/* Words of n elements, along dim dense of array k, begin at multiples of their size. */
bool has_whole_words(const weft_space<2> &s, int k, int dense, const void *data, size_t bytes, int n)
{
    bool whole = reinterpret_cast<uintptr_t>(data) % (bytes * static_cast<size_t>(n)) == 0;
    for (int d = 0; d < s.ndim; d++)
        whole = whole && (d == dense || s.stride[k][d] % n == 0);
    return whole;
}

template <class T, int N> cudaError_t transpose_words(const weft__exec *e, const weft_space<2> &s, T *y, const T *x)
{
    const bool whole_y = has_whole_words(s, 0, s.ndim - 1, y, sizeof *y, N);
    const bool whole_x = has_whole_words(s, 1, s.ndim - 2, x, sizeof *x, N);
    return weft_launch(k_transpose<T, N>, weft__cuda_blocks(e, s.count, TILE * N * TILE * N), dim3(TILE, TILE_ROWS), 0,
                       weft__stream(e), s, y, whole_y, x, whole_x);
}

/* Both dims of a tile should be long enough for it: at least a quarter is work. */
enum { LEAST = TILE / 4 };

template <class T> cudaError_t transpose(const weft__exec *e, const weft_space<2> &s, void *y, const void *x)
{
    constexpr int N = sizeof(T) < 4 ? static_cast<int>(4 / sizeof(T)) : 1;
    T *to = static_cast<T *>(y);
    const T *from = static_cast<const T *>(x);
    const bool wide = s.shape[s.ndim - 1] >= LEAST * N && s.shape[s.ndim - 2] >= LEAST * N;
    return wide ? transpose_words<T, N>(e, s, to, from) : transpose_words<T, 1>(e, s, to, from);
}

/* If x is dense along another dim than y, and both dims are long enough for tiles, brings that dim next to the last. */
bool is_transposed(weft_space<2> &s)
{
    const int last = s.ndim - 1;
    if (last < 1 || s.stride[0][last] != 1 || weft_magnitude(s.stride[1][last]) <= 1 || s.shape[last] < LEAST)
        return false;
    int t = last - 1;
    while (t >= 0 && s.stride[1][t] != 1)
        t--;
    if (t < 0 || s.shape[t] < LEAST)
        return false;
    for (; t < last - 1; t++)
        weft_space_swap(s, t, t + 1);
    return true;
}

/* How many bytes move at a time: rows of both sides are dense, and 16 bytes, or 8 ..., divide every distance. The space
 * is then counted in such units. */
size_t widen(weft_space<2> &s, const void *y, const void *x, size_t bytes)
{
    const int last = s.ndim - 1;
    if (s.stride[0][last] != 1 || s.stride[1][last] != 1)
        return bytes;
    size_t unit = 16;
    for (; unit > bytes; unit /= 2) {
        const int64_t n = static_cast<int64_t>(unit / bytes);
        bool fits =
            s.shape[last] % n == 0 && (reinterpret_cast<uintptr_t>(y) | reinterpret_cast<uintptr_t>(x)) % unit == 0;
        for (int k = 0; k < 2; k++)
            for (int d = 0; d < last; d++)
                fits = fits && s.stride[k][d] % n == 0;
        if (fits)
            break;
    }
    const int64_t n = static_cast<int64_t>(unit / bytes);
    s.shape[last] /= n;
    s.count /= n;
    for (int k = 0; k < 2; k++)
        for (int d = 0; d < last; d++)
            s.stride[k][d] /= n;
    return unit;
}

cudaError_t copy_same(const weft__exec *e, const weft__array *x, const weft__array *y)
{
    const size_t bytes = weft__cuda_bytes(y->dtype);
    if (x->data == y->data && x->contiguous && y->contiguous)
        return cudaSuccess;
    if (x->contiguous && y->contiguous)
        return cudaMemcpyAsync(y->data, x->data, static_cast<size_t>(y->count) * bytes, cudaMemcpyDeviceToDevice,
                               weft__stream(e));
    weft_space<2> s = weft_make_space<2>({y, x});
    if (is_transposed(s)) {
        switch (bytes) {
        case 1:
            return transpose<uint8_t>(e, s, y->data, x->data);
        case 2:
            return transpose<uint16_t>(e, s, y->data, x->data);
        case 4:
            return transpose<uint32_t>(e, s, y->data, x->data);
        default:
            return transpose<uint64_t>(e, s, y->data, x->data);
        }
    }
    switch (widen(s, y->data, x->data, bytes)) {
    case 1:
        return copy_strided<uint8_t>(e, s, y->data, x->data);
    case 2:
        return copy_strided<uint16_t>(e, s, y->data, x->data);
    case 4:
        return copy_strided<uint32_t>(e, s, y->data, x->data);
    case 8:
        return copy_strided<uint64_t>(e, s, y->data, x->data);
    default:
        return copy_strided<uint4>(e, s, y->data, x->data);
    }
}

/* ---- Another dtype, one element ---- */

/* y[i] = x, a real number that f64 holds exactly */
__device__ __forceinline__ void store_real(void *y, int64_t i, int32_t dtype, double x)
{
    switch (dtype) {
    case WEFT_F32:
        static_cast<float *>(y)[i] = static_cast<float>(x);
        break;
    case WEFT_F64:
        static_cast<double *>(y)[i] = x;
        break;
    case WEFT_F16:
        static_cast<__half *>(y)[i] = __float2half_rn(weft__f64_to_f32_odd(x));
        break;
    case WEFT_BF16:
        static_cast<__nv_bfloat16 *>(y)[i] = __float2bfloat16_rn(weft__f64_to_f32_odd(x));
        break;
    case WEFT_I64:
        static_cast<int64_t *>(y)[i] = weft__to_i64(x);
        break;
    case WEFT_I32:
        static_cast<int32_t *>(y)[i] = static_cast<int32_t>(weft__to_integer(WEFT_I32, x));
        break;
    case WEFT_I8:
        static_cast<int8_t *>(y)[i] = static_cast<int8_t>(weft__to_integer(WEFT_I8, x));
        break;
    case WEFT_U8:
        static_cast<uint8_t *>(y)[i] = static_cast<uint8_t>(weft__to_integer(WEFT_U8, x));
        break;
    default:
        static_cast<uint8_t *>(y)[i] = x != 0;
        break;
    }
}

/* y[i] = x; narrower integers wrap */
__device__ __forceinline__ void store_integer(void *y, int64_t i, int32_t dtype, int64_t x)
{
    switch (dtype) {
    case WEFT_F32:
        static_cast<float *>(y)[i] = static_cast<float>(x);
        break;
    case WEFT_F64:
    case WEFT_F16:
    case WEFT_BF16:
        store_real(y, i, dtype, static_cast<double>(x));
        break;
    case WEFT_I64:
        static_cast<int64_t *>(y)[i] = x;
        break;
    case WEFT_I32:
        static_cast<int32_t *>(y)[i] = static_cast<int32_t>(x);
        break;
    case WEFT_I8:
    case WEFT_U8:
        static_cast<uint8_t *>(y)[i] = static_cast<uint8_t>(x);
        break;
    default:
        static_cast<uint8_t *>(y)[i] = x != 0;
        break;
    }
}

/* y[to] = x[from] */
__device__ __forceinline__ void convert_element(void *y, int64_t to, int32_t y_dtype, const void *x, int64_t from,
                                                int32_t x_dtype)
{
    switch (x_dtype) {
    case WEFT_F32:
        store_real(y, to, y_dtype, static_cast<double>(static_cast<const float *>(x)[from]));
        break;
    case WEFT_F64:
        store_real(y, to, y_dtype, static_cast<const double *>(x)[from]);
        break;
    case WEFT_F16:
        store_real(y, to, y_dtype, static_cast<double>(__half2float(static_cast<const __half *>(x)[from])));
        break;
    case WEFT_BF16:
        store_real(y, to, y_dtype, static_cast<double>(__bfloat162float(static_cast<const __nv_bfloat16 *>(x)[from])));
        break;
    case WEFT_I64:
        store_integer(y, to, y_dtype, static_cast<const int64_t *>(x)[from]);
        break;
    case WEFT_I32:
        store_integer(y, to, y_dtype, static_cast<const int32_t *>(x)[from]);
        break;
    case WEFT_I8:
        store_integer(y, to, y_dtype, static_cast<const int8_t *>(x)[from]);
        break;
    default:
        store_integer(y, to, y_dtype, static_cast<const uint8_t *>(x)[from]);
        break;
    }
}

/* space of {y, x}, any dtypes */
template <class I>
__global__ void __launch_bounds__(THREADS)
    k_convert_strided(weft_space<2> s, void *y, int32_t y_dtype, const void *x, int32_t x_dtype)
{
    const I count = static_cast<I>(s.count);
    const I step = static_cast<I>(gridDim.x) * THREADS;
    for (I i = static_cast<I>(blockIdx.x) * THREADS + threadIdx.x; i < count; i += step) {
        int64_t at[2];
        weft_space_offsets(s, i, at);
        convert_element(y, at[0], y_dtype, x, at[1], x_dtype);
    }
}

cudaError_t convert_strided(const weft__exec *e, const weft__array *x, const weft__array *y)
{
    const weft_space<2> s = weft_make_space<2>({y, x});
    const unsigned blocks = weft__cuda_blocks(e, s.count, THREADS);
    return weft_fits_32_bits(s.count) ? weft_launch(k_convert_strided<uint32_t>, blocks, THREADS, 0, weft__stream(e), s,
                                                    y->data, y->dtype, x->data, x->dtype)
                                      : weft_launch(k_convert_strided<int64_t>, blocks, THREADS, 0, weft__stream(e), s,
                                                    y->data, y->dtype, x->data, x->dtype);
}

/* ---- Contiguous floats of two dtypes ---- */

template <class D, class S> __device__ __forceinline__ void convert_float(D *y, S x)
{
    const auto value = weft_load(x);
    if constexpr (std::is_same_v<S, double> && sizeof(D) == 2)
        weft_store(y, weft__f64_to_f32_odd(value));
    else
        weft_store(y, static_cast<weft_compute_t<D>>(value));
}

/* y[count], x[count], both aligned to 16 bytes */
template <class D, class S> __global__ void __launch_bounds__(THREADS) k_convert(int64_t count, D *y, const S *x)
{
    constexpr int WIDTH = 16 / (sizeof(D) < sizeof(S) ? sizeof(D) : sizeof(S));
    const int64_t first = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x;
    const int64_t step = static_cast<int64_t>(gridDim.x) * THREADS;
    const int64_t packs = count / WIDTH;
    for (int64_t i = first; i < packs; i += step) {
        const weft_pack<S, WIDTH> from = reinterpret_cast<const weft_pack<S, WIDTH> *>(x)[i];
        weft_pack<D, WIDTH> to;
#pragma unroll
        for (int k = 0; k < WIDTH; k++)
            convert_float(&to.element[k], from.element[k]);
        reinterpret_cast<weft_pack<D, WIDTH> *>(y)[i] = to;
    }
    for (int64_t i = packs * WIDTH + first; i < count; i += step)
        convert_float(&y[i], x[i]);
}

template <class D, class S> cudaError_t convert_dense(const weft__exec *e, const weft__array *x, const weft__array *y)
{
    return weft_launch(k_convert<D, S>, weft__cuda_blocks(e, y->count, THREADS * 8), THREADS, 0, weft__stream(e),
                       y->count, data_of<D>(y), data_of<const S>(x));
}

template <class D> cudaError_t convert_dense_to(const weft__exec *e, const weft__array *x, const weft__array *y)
{
    return weft_visit_float(x->dtype, cudaErrorInvalidValue, [&](auto name) -> cudaError_t {
        using S = typename decltype(name)::type;
        if constexpr (std::is_same_v<S, D>)
            return cudaErrorInvalidValue;
        else
            return convert_dense<D, S>(e, x, y);
    });
}

bool is_float(int32_t dtype)
{
    return dtype == WEFT_F32 || dtype == WEFT_F64 || dtype == WEFT_F16 || dtype == WEFT_BF16;
}

/* y = x: any strides and dtypes, one shape. Floats to integers truncate toward 0 and saturate, NaN gives 0; integers
 * wrap; to bool: nonzero. */
weft_status convert(const weft__exec *e, const weft__array *x, const weft__array *y)
{
    if (y->count == 0)
        return WEFT_OK;
    if (x->dtype == y->dtype)
        return weft__cuda_status(e, copy_same(e, x, y));
    const bool dense = x->contiguous && y->contiguous && weft__cuda_aligned16(x->data) && weft__cuda_aligned16(y->data);
    if (!dense || !is_float(x->dtype) || !is_float(y->dtype))
        return weft__cuda_status(e, convert_strided(e, x, y));
    return weft__cuda_status(e, weft_visit_float(y->dtype, cudaErrorInvalidValue, [&](auto name) {
                                 return convert_dense_to<typename decltype(name)::type>(e, x, y);
                             }));
}

} /* namespace */

extern "C" weft_status weft__cuda_copy(const weft__exec *e)
{
    return convert(e, e->in[0], e->out[0]);
}

extern "C" weft_status weft__cuda_cast(const weft__exec *e)
{
    return convert(e, e->in[0], e->out[0]);
}

/* In place: in = {x, y}, out = {x}, y broadcast to x's shape by stride 0. */
extern "C" weft_status weft__cuda_copy_(const weft__exec *e)
{
    return convert(e, e->in[1], e->out[0]);
}
