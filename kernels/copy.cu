/* copy.cu - copies between any two layouts and dtypes: COPY, CAST and copy_.
 *
 * Same dtype: one copy by the device where both sides are contiguous; tiles through shared memory where rows of one side
 * are columns of the other; else element by element, elements being as large as rows and alignment allow, up to 16 bytes.
 * Another dtype: contiguous floats many at a time, everything else one by one by way of f64 or i64. */
#include "core/half.h"
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

/* Dims last - 1 and last of s are rows and columns: y's columns and x's rows lie side by side in memory. Blocks take
 * tiles of TILE x TILE, one after the other, of all planes that the dims before span.
 * y [planes.., rows, columns], x likewise */
template <class U> __global__ void __launch_bounds__(TILE *TILE_ROWS) k_transpose(weft_space<2> s, U *y, const U *x)
{
    WEFT_SHARED(U, tile, [TILE][TILE + 1]);
    const int last = s.ndim - 1;
    const int64_t rows = s.shape[last - 1], columns = s.shape[last];
    const int64_t row_tiles = (rows + TILE - 1) / TILE, column_tiles = (columns + TILE - 1) / TILE;
    const int64_t tiles = s.count / (rows * columns) * row_tiles * column_tiles;
    for (int64_t t = blockIdx.x; t < tiles; t += gridDim.x) {
        const int64_t row = t / column_tiles % row_tiles * TILE, column = t % column_tiles * TILE;
        int64_t plane = t / (column_tiles * row_tiles), to = 0, from = 0;
        for (int d = last - 2; d >= 0; d--) {
            const int64_t at = plane % s.shape[d];
            plane /= s.shape[d];
            to += at * s.stride[0][d];
            from += at * s.stride[1][d];
        }
        for (int k = static_cast<int>(threadIdx.y); k < TILE; k += TILE_ROWS)
            if (column + k < columns && row + threadIdx.x < rows)
                tile[k][threadIdx.x] =
                    x[from + (row + threadIdx.x) * s.stride[1][last - 1] + (column + k) * s.stride[1][last]];
        __syncthreads();
        for (int k = static_cast<int>(threadIdx.y); k < TILE; k += TILE_ROWS)
            if (row + k < rows && column + threadIdx.x < columns)
                y[to + (row + k) * s.stride[0][last - 1] + (column + threadIdx.x) * s.stride[0][last]] =
                    tile[threadIdx.x][k];
        __syncthreads();
    }
}

template <class U> cudaError_t transpose(const weft__exec *e, const weft_space<2> &s, void *y, const void *x)
{
    return weft_launch(k_transpose<U>, weft__cuda_blocks(e, s.count, TILE * TILE), dim3(TILE, TILE_ROWS), 0,
                       weft__stream(e), s, static_cast<U *>(y), static_cast<const U *>(x));
}

/* If x is dense along another dim than y, and both dims are long enough for tiles, brings that dim next to the last. */
bool is_transposed(weft_space<2> &s)
{
    const int last = s.ndim - 1;
    if (last < 1 || s.stride[0][last] != 1 || weft_magnitude(s.stride[1][last]) <= 1 || s.shape[last] < TILE / 4)
        return false;
    int t = last - 1;
    while (t >= 0 && s.stride[1][t] != 1)
        t--;
    if (t < 0 || s.shape[t] < TILE / 4)
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

/* Toward 0, saturating; NaN gives 0. */
__device__ __forceinline__ int64_t to_integer(double x, double lo, double hi)
{
    if (x != x)
        return 0;
    if (x >= hi)
        return hi >= 0x1p63 ? INT64_MAX : static_cast<int64_t>(hi);
    return x <= lo ? static_cast<int64_t>(lo) : static_cast<int64_t>(x);
}

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
        static_cast<int64_t *>(y)[i] = to_integer(x, -0x1p63, 0x1p63);
        break;
    case WEFT_I32:
        static_cast<int32_t *>(y)[i] = static_cast<int32_t>(to_integer(x, INT32_MIN, INT32_MAX));
        break;
    case WEFT_I8:
        static_cast<int8_t *>(y)[i] = static_cast<int8_t>(to_integer(x, INT8_MIN, INT8_MAX));
        break;
    case WEFT_U8:
        static_cast<uint8_t *>(y)[i] = static_cast<uint8_t>(to_integer(x, 0, UINT8_MAX));
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

/* y = x: any strides and dtypes, one shape. Floats to integers truncate toward 0 and saturate, NaN gives 0; integers wrap;
 * to bool: nonzero. */
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
