/* matmul_integer.cu - products of 8-bit integers by dp4a: four products of signed bytes, added up in 32 bits that wrap.
 *
 * Both operands pass through shared memory as words of four terms. Unsigned bytes become signed ones by turning their
 * highest bit, which moves them by -128; what that adds, and zero points, is taken off afterwards by the sums of the
 * other operand's terms, which the words of the tile give as well. Sums of integers have no order, so that the result
 * is the CPU's. */
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/product.h"
#include "weft_cuda.h"

namespace
{

enum { SIDE = 16, THREADS = SIDE * SIDE, SPAN = 4, TILE = SIDE * SPAN, DEPTH = 8, PITCH = TILE + 4, TERMS = 4 };

/* a as [outer = m, inner = k], b as [outer = n, inner = k]. */
struct operand {
    const uint8_t *data;
    int64_t outer, inner; /* strides */
    uint32_t flip;        /* of a byte; in every byte of a word */
    int32_t shift;        /* -128 of unsigned bytes, 0 of signed ones */
    const uint8_t *zero;  /* zero points of every outer index modulo zeros, or NULL */
    int64_t zero_step, zeros;
    bool words; /* terms lie side by side, and every fourth begins at a multiple of 4 bytes */
};

struct product {
    int64_t m, n, k;
    operand a, b;
    uint32_t *y; /* [batches, m, n] */
    bool a_moved, b_moved;
    int64_t batches;
    int32_t dims;
    int64_t batch[WEFT__BATCH_DIMS], a_batch[WEFT__BATCH_DIMS], b_batch[WEFT__BATCH_DIMS];
};

/* Terms [l, l + TERMS) of outer index o, signed; what lies outside counts as 0. */
__device__ __forceinline__ uint32_t word_at(const operand &x, const uint8_t *data, int64_t o, int64_t size, int64_t l,
                                            int64_t k)
{
    if (o >= size || l >= k)
        return 0;
    const uint8_t *from = data + o * x.outer + l * x.inner;
    if (x.words && l + TERMS <= k)
        return *reinterpret_cast<const uint32_t *>(from) ^ x.flip;
    uint32_t word = 0;
#pragma unroll
    for (int t = 0; t < TERMS; t++)
        if (l + t < k)
            word |= ((from[t * x.inner] ^ x.flip) & 0xffu) << (8 * t);
    return word;
}

/* A tile [DEPTH words][TILE outer indices] of an operand: threads side by side read what lies so. */
__device__ __forceinline__ void fetch(const operand &x, const uint8_t *data, int64_t first, int64_t size, int64_t l,
                                      int64_t k, uint32_t *tile)
{
#pragma unroll
    for (int p = 0; p < TILE * DEPTH / THREADS; p++) {
        const int q = static_cast<int>(threadIdx.x) + p * THREADS;
        const int o = x.words ? q / DEPTH : q % TILE, w = x.words ? q % DEPTH : q / TILE;
        tile[w * PITCH + o] = word_at(x, data, first + o, size, l + w * TERMS, k);
    }
}

__device__ __forceinline__ int32_t moved_by(const operand &x, int64_t o)
{
    if (!x.zero)
        return x.shift;
    const uint8_t byte = x.zero[o % x.zeros * x.zero_step];
    return (x.flip ? static_cast<int32_t>(byte) : static_cast<int32_t>(static_cast<int8_t>(byte))) + x.shift;
}

/* p.y [batches, m, n] = (p.a [batches, m, k] - zero points) (p.b [batches, k, n] - zero points) */
__global__ void __launch_bounds__(THREADS) k_matmul_integer(product p)
{
    WEFT_SHARED(uint32_t, a_tile, [DEPTH * PITCH]);
    WEFT_SHARED(uint32_t, b_tile, [DEPTH * PITCH]);
    const int64_t down = (p.m + TILE - 1) / TILE, along = (p.n + TILE - 1) / TILE, tiles = down * along;
    const int row = static_cast<int>(threadIdx.x) / SIDE * SPAN, column = static_cast<int>(threadIdx.x) % SIDE * SPAN;
    for (int64_t t = blockIdx.x; t < tiles * p.batches; t += gridDim.x) {
        int64_t rest = t / tiles, a_at = 0, b_at = 0;
        for (int d = p.dims - 1; d >= 0; d--) {
            a_at += rest % p.batch[d] * p.a_batch[d];
            b_at += rest % p.batch[d] * p.b_batch[d];
            rest /= p.batch[d];
        }
        const int64_t i0 = t % tiles / along * TILE, j0 = t % along * TILE;
        int32_t sum[SPAN][SPAN] = {}, of_a[SPAN] = {}, of_b[SPAN] = {};
        for (int64_t l = 0; l < p.k; l += DEPTH * TERMS) {
            fetch(p.a, p.a.data + a_at, i0, p.m, l, p.k, a_tile);
            fetch(p.b, p.b.data + b_at, j0, p.n, l, p.k, b_tile);
            __syncthreads();
#pragma unroll
            for (int w = 0; w < DEPTH; w++) {
                int32_t a[SPAN], b[SPAN];
#pragma unroll
                for (int s = 0; s < SPAN; s++) {
                    a[s] = static_cast<int32_t>(a_tile[w * PITCH + row + s]);
                    b[s] = static_cast<int32_t>(b_tile[w * PITCH + column + s]);
                }
#pragma unroll
                for (int i = 0; i < SPAN; i++)
#pragma unroll
                    for (int j = 0; j < SPAN; j++)
                        sum[i][j] = __dp4a(a[i], b[j], sum[i][j]);
#pragma unroll
                for (int s = 0; s < SPAN; s++) {
                    if (p.b_moved)
                        of_a[s] = __dp4a(a[s], 0x01010101, of_a[s]);
                    if (p.a_moved)
                        of_b[s] = __dp4a(b[s], 0x01010101, of_b[s]);
                }
            }
            __syncthreads();
        }
        uint32_t *y = p.y + t / tiles * p.m * p.n;
#pragma unroll
        for (int i = 0; i < SPAN; i++)
#pragma unroll
            for (int j = 0; j < SPAN; j++) {
                const int64_t at_row = i0 + row + i, at_column = j0 + column + j;
                if (at_row >= p.m || at_column >= p.n)
                    continue;
                /* (a' - A) (b' - B) = a' b' - A b' - B a' + k A B, modulo 2^32 */
                const uint32_t of_row = static_cast<uint32_t>(moved_by(p.a, at_row));
                const uint32_t of_column = static_cast<uint32_t>(moved_by(p.b, at_column));
                y[at_row * p.n + at_column] =
                    static_cast<uint32_t>(sum[i][j]) - of_row * static_cast<uint32_t>(of_b[j]) -
                    of_column * static_cast<uint32_t>(of_a[i]) + static_cast<uint32_t>(p.k) * of_row * of_column;
            }
    }
}

operand make_operand(const weft__array *from, const weft__array *zero, int64_t outer, int64_t inner, int64_t zeros,
                     int32_t dims, const int64_t *batch_strides)
{
    const bool is_signed = from->dtype == WEFT_I8;
    int64_t begins = static_cast<int64_t>(reinterpret_cast<uintptr_t>(from->data)) | outer;
    for (int d = 0; d < dims; d++)
        begins |= batch_strides[d];
    operand x = {};
    x.data = static_cast<const uint8_t *>(from->data);
    x.outer = outer;
    x.inner = inner;
    x.flip = is_signed ? 0u : 0x80808080u;
    x.shift = is_signed ? 0 : -128;
    x.zero = zero ? static_cast<const uint8_t *>(zero->data) : nullptr;
    x.zero_step = zero && zero->ndim > 0 && zero->shape[0] > 1 ? zero->strides[0] : 0;
    x.zeros = zeros;
    x.words = inner == 1 && begins % TERMS == 0;
    return x;
}

} /* namespace */

extern "C" weft_status weft__cuda_matmul_integer(const weft__exec *e)
{
    const weft__array *y = e->out[0];
    if (y->count == 0)
        return WEFT_OK;
    weft__cuda_product from;
    weft__cuda_describe_product(e, &from); /* may make rows of a batch: there are zero points for those of one */
    product p = {};
    p.m = from.m;
    p.n = from.n;
    p.k = from.k;
    p.a = make_operand(e->in[0], e->in[2], from.a_row, from.a_column, y->shape[y->ndim - 2], from.dims, from.a_batch);
    p.b = make_operand(e->in[1], e->in[3], from.b_column, from.b_row, p.n, from.dims, from.b_batch);
    p.y = static_cast<uint32_t *>(y->data);
    p.a_moved = p.a.shift != 0 || p.a.zero;
    p.b_moved = p.b.shift != 0 || p.b.zero;
    p.batches = from.batches;
    p.dims = from.dims;
    for (int d = 0; d < p.dims; d++) {
        p.batch[d] = from.batch[d];
        p.a_batch[d] = from.a_batch[d];
        p.b_batch[d] = from.b_batch[d];
    }
    const int64_t tiles = ((p.m + TILE - 1) / TILE) * ((p.n + TILE - 1) / TILE) * p.batches;
    return weft__cuda_status(
        e, weft_launch(k_matmul_integer, weft__cuda_blocks(e, tiles, 1), THREADS, 0, weft__stream(e), p));
}
