/* matmul_vector.cu - products of a matrix and a vector, in either order: each reads the matrix once.
 *
 * Long sums over few rows are cut into parts that different warps add up; a second kernel adds the parts, in their
 * order. */
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/product.h"
#include "activation.h"
#include "types.h"

namespace
{

enum { THREADS = 256, WARP = 32, WARPS = THREADS / WARP };
constexpr unsigned FULL = ~0u;
constexpr int64_t MOST_PARTS = 512, LEAST_TERMS = 1024; /* of a part */

/* y[s, r] = act(sum over l of matrix[s, r, l] vector[s, l], + bias[r]) */
template <class T> struct product {
    int64_t rows, k;
    const T *matrix; /* [batch.., rows, k] */
    int64_t row, column;
    const T *vector; /* [batch.., k] */
    int64_t step;
    const T *bias; /* [rows], or [1] with bias_step 0, or NULL */
    int64_t bias_step;
    T *y;   /* [batches, rows] */
    T *pre; /* [rows] or NULL: the sums before the activation */
    int32_t activation;
    weft_compute_t<T> *partial; /* [batches, parts, rows]; not used if there is one part */
    int64_t parts, terms;       /* terms of a part */
    int64_t batches;
    int32_t dims;
    int64_t batch[WEFT__BATCH_DIMS], matrix_batch[WEFT__BATCH_DIMS], vector_batch[WEFT__BATCH_DIMS];
};

/* One part of one batch: its first elements, and the terms [first, last) that it adds up. */
template <class T> struct piece {
    const T *matrix, *vector;
    int64_t batch, part, first, last;
};

/* number counts parts within batches */
template <class T> __device__ __forceinline__ piece<T> find_piece(const product<T> &p, int64_t number)
{
    piece<T> found;
    found.batch = number / p.parts;
    found.part = number % p.parts;
    found.matrix = p.matrix;
    found.vector = p.vector;
    int64_t rest = found.batch;
    for (int d = p.dims - 1; d >= 0; d--) {
        const int64_t at = rest % p.batch[d];
        rest /= p.batch[d];
        found.matrix += at * p.matrix_batch[d];
        found.vector += at * p.vector_batch[d];
    }
    found.first = found.part * p.terms;
    found.last = found.first + p.terms < p.k ? found.first + p.terms : p.k;
    return found;
}

template <class T>
__device__ __forceinline__ void write_sum(const product<T> &p, int64_t batch, int64_t row, weft_compute_t<T> sum)
{
    const weft_compute_t<T> x = p.bias ? sum + weft_load(p.bias[row * p.bias_step]) : sum;
    weft_store(&p.y[batch * p.rows + row], weft_activate(p.activation, x));
    if (p.pre)
        weft_store(&p.pre[row], x);
}

template <class T>
__device__ __forceinline__ void write_part(const product<T> &p, const piece<T> &at, int64_t row, weft_compute_t<T> sum)
{
    if (p.parts == 1)
        write_sum(p, at.batch, row, sum);
    else
        p.partial[(at.batch * p.parts + at.part) * p.rows + row] = sum;
}

/* ---- Dense along the terms, or along nothing: a warp for each row of each part ---- */

/* W > 1: rows and vector are dense and may be read W elements at a time. */
template <class T, int W> __global__ void __launch_bounds__(THREADS) k_matvec_rows(product<T> p)
{
    using C = weft_compute_t<T>;
    const int lane = static_cast<int>(threadIdx.x) % WARP;
    const int64_t step = static_cast<int64_t>(gridDim.x) * WARPS;
    for (int64_t i = static_cast<int64_t>(blockIdx.x) * WARPS + threadIdx.x / WARP; i < p.batches * p.parts * p.rows;
         i += step) {
        const int64_t row = i % p.rows;
        const piece<T> at = find_piece(p, i / p.rows);
        const T *line = at.matrix + row * p.row;
        C sums[W] = {};
        int64_t l = at.first + lane * W;
#pragma unroll 4
        for (; l + W <= at.last; l += WARP * W) {
            if constexpr (W == 1) {
                sums[0] += weft_load(line[l * p.column]) * weft_load(at.vector[l * p.step]);
            } else {
                const weft_pack<T, W> x = *reinterpret_cast<const weft_pack<T, W> *>(line + l);
                const weft_pack<T, W> v = *reinterpret_cast<const weft_pack<T, W> *>(at.vector + l);
#pragma unroll
                for (int j = 0; j < W; j++)
                    sums[j] += weft_load(x.element[j]) * weft_load(v.element[j]);
            }
        }
        for (; l < at.last; l++) /* one lane has the last, incomplete pack */
            sums[0] += weft_load(line[l * p.column]) * weft_load(at.vector[l * p.step]);
        C sum = sums[0];
#pragma unroll
        for (int j = 1; j < W; j++)
            sum += sums[j];
        for (int distance = WARP / 2; distance > 0; distance /= 2)
            sum += __shfl_down_sync(FULL, sum, static_cast<unsigned>(distance));
        if (lane == 0)
            write_part(p, at, row, sum);
    }
}

/* ---- Dense along the rows: a block for each WARP rows of each part, its warps taking turns at the terms ---- */

template <class T> __global__ void __launch_bounds__(THREADS) k_matvec_columns(product<T> p)
{
    using C = weft_compute_t<T>;
    WEFT_SHARED(C, shared, [WARPS][WARP]);
    const int lane = static_cast<int>(threadIdx.x) % WARP, warp = static_cast<int>(threadIdx.x) / WARP;
    const int64_t strips = (p.rows + WARP - 1) / WARP;
    for (int64_t i = blockIdx.x; i < p.batches * p.parts * strips; i += gridDim.x) {
        const int64_t row = i % strips * WARP + lane;
        const piece<T> at = find_piece(p, i / strips);
        C sum = 0;
        if (row < p.rows) {
            const T *line = at.matrix + row * p.row;
#pragma unroll 4
            for (int64_t l = at.first + warp; l < at.last; l += WARPS)
                sum += weft_load(line[l * p.column]) * weft_load(at.vector[l * p.step]);
        }
        shared[warp][lane] = sum;
        __syncthreads();
        if (warp == 0 && row < p.rows) {
            for (int w = 1; w < WARPS; w++)
                sum += shared[w][lane];
            write_part(p, at, row, sum);
        }
        __syncthreads();
    }
}

/* ---- The parts together ---- */

/* p.y [batches, rows] from p.partial [batches, parts, rows] */
template <class T> __global__ void __launch_bounds__(THREADS) k_matvec_join(product<T> p)
{
    const int64_t step = static_cast<int64_t>(gridDim.x) * THREADS;
    for (int64_t i = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x; i < p.batches * p.rows; i += step) {
        const int64_t batch = i / p.rows, row = i % p.rows;
        const weft_compute_t<T> *part = p.partial + batch * p.parts * p.rows + row;
        weft_compute_t<T> sum = part[0];
#pragma unroll 4
        for (int64_t s = 1; s < p.parts; s++)
            sum += part[s * p.rows];
        write_sum(p, batch, row, sum);
    }
}

/* ---- Launching ---- */

/* The matrix is a if the product has one column, else b^T. */
template <class T> product<T> make_product(const weft__cuda_product *from)
{
    const bool column = from->n == 1;
    product<T> p = {};
    p.rows = column ? from->m : from->n;
    p.k = from->k;
    p.matrix = static_cast<const T *>(column ? from->a : from->b);
    p.row = column ? from->a_row : from->b_column;
    p.column = column ? from->a_column : from->b_row;
    p.vector = static_cast<const T *>(column ? from->b : from->a);
    p.step = column ? from->b_row : from->a_column;
    p.bias = static_cast<const T *>(from->bias);
    p.bias_step = column ? 0 : 1;
    p.y = static_cast<T *>(from->y);
    p.pre = static_cast<T *>(from->pre);
    p.activation = from->activation;
    p.batches = from->batches;
    p.dims = from->dims;
    for (int d = 0; d < p.dims; d++) {
        p.batch[d] = from->batch[d];
        p.matrix_batch[d] = column ? from->a_batch[d] : from->b_batch[d];
        p.vector_batch[d] = column ? from->b_batch[d] : from->a_batch[d];
    }
    return p;
}

/* Rows and vector may be read in packs of 16 bytes. */
template <class T> bool is_packed(const product<T> &p)
{
    int64_t strides = p.row;
    for (int d = 0; d < p.dims; d++)
        strides |= p.matrix_batch[d] | p.vector_batch[d];
    return p.column == 1 && p.step == 1 && weft__cuda_aligned16(p.matrix) && weft__cuda_aligned16(p.vector) &&
           static_cast<uint64_t>(strides) * sizeof(T) % 16 == 0;
}

/* Cuts sums so that there are about enough blocks' worth of work, in parts of whole packs. blocks: without cutting. */
template <class T> void cut(const weft__exec *e, product<T> &p, int64_t blocks)
{
    const int64_t enough = static_cast<int64_t>(weft__cuda_device_of(e)->sm_count) * 8;
    int64_t parts = blocks >= enough ? 1 : enough / blocks;
    parts = parts < MOST_PARTS ? parts : MOST_PARTS;
    parts = parts < p.k / LEAST_TERMS ? parts : p.k / LEAST_TERMS;
    p.parts = parts < 1 ? 1 : parts;
    p.terms = (p.k / p.parts / THREADS + 1) * THREADS;
    p.parts = p.k ? (p.k + p.terms - 1) / p.terms : 1;
}

template <class T> weft_status multiply(const weft__exec *e, const weft__cuda_product *from)
{
    product<T> p = make_product<T>(from);
    const bool by_rows = p.column == 1 || p.row != 1 || p.rows == 1;
    const int64_t together = by_rows ? int64_t{WARPS} : int64_t{WARP}; /* rows of a block */
    cut(e, p, (p.rows * p.batches + together - 1) / together);
    if (p.parts > 1) {
        p.partial = static_cast<weft_compute_t<T> *>(weft__scratch(e, p.batches * p.parts * p.rows, sizeof *p.partial));
        if (!p.partial)
            return WEFT_E_NOMEM;
    }
    const unsigned blocks = weft__cuda_blocks(e, p.batches * p.parts * p.rows, together);
    cudaError_t error;
    if (!by_rows)
        error = weft_launch(k_matvec_columns<T>, blocks, THREADS, 0, weft__stream(e), p);
    else if (is_packed(p))
        error = weft_launch(k_matvec_rows<T, 16 / sizeof(T)>, blocks, THREADS, 0, weft__stream(e), p);
    else
        error = weft_launch(k_matvec_rows<T, 1>, blocks, THREADS, 0, weft__stream(e), p);
    if (error == cudaSuccess && p.parts > 1)
        error = weft_launch(k_matvec_join<T>, weft__cuda_blocks(e, p.batches * p.rows, THREADS), THREADS, 0,
                            weft__stream(e), p);
    return weft__cuda_status(e, error);
}

} /* namespace */

extern "C" weft_status weft__cuda_product_vector(const weft__exec *e, const weft__cuda_product *p)
{
    switch (p->dtype) {
    case WEFT_F32:
        return multiply<float>(e, p);
    case WEFT_F64:
        return multiply<double>(e, p);
    case WEFT_F16:
        return multiply<__half>(e, p);
    default:
        return multiply<__nv_bfloat16>(e, p);
    }
}
