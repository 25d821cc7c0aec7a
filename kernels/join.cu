/* join.cu - CONCAT, PAD and FLIP: elements only move, any dtype and any strides.
 *
 * Contiguous operands of a concat are copied together, many by one launch. Other operands, and flips, are copies
 * between views, which the copy kernels are good at. A pad reads and writes each element once. Everything moves as many
 * bytes at a time as its rows allow. */
#include "base/number.h"
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "space.h"
#include "types.h"

namespace
{

enum { THREADS = 256, EACH = 4 }; /* loads that a thread has under way */

/* y = x, converting: views of one shape. */
weft_status copy(const weft__exec *e, const weft__array *x, weft__array *y)
{
    return weft__copy_within(e, weft__cuda_copy, x, y);
}

void *element_of(const weft__array *a, int64_t offset)
{
    return static_cast<unsigned char *>(a->data) + offset * static_cast<int64_t>(weft__cuda_bytes(a->dtype));
}

/* Strides that row-major order without gaps would have; sizes of 1 and 0 do not matter. */
bool is_dense(const weft__array *a)
{
    int64_t stride = 1;
    for (int d = a->ndim - 1; d >= 0; d--) {
        if (a->shape[d] != 1 && a->strides[d] != stride)
            return false;
        stride *= a->shape[d];
    }
    return true;
}

/* ---- concat ---- */

enum { PIECES = 32 }; /* operands of one launch */

/* An operand as [outer, width]; it goes to [.., at, ..] of y [outer, total]. In bytes, in the kernel in units. */
struct piece {
    const void *x;
    int64_t count, width, at;
};

struct batch {
    int n;
    int64_t total;
    piece pieces[PIECES];
};

/* The blocks of row k of the grid copy piece k.
 * y [outer, total] */
template <class U, class I> __global__ void __launch_bounds__(THREADS) k_concat(batch b, U *y)
{
    const piece &p = b.pieces[blockIdx.y];
    const U *x = static_cast<const U *>(p.x);
    const I count = static_cast<I>(p.count), width = static_cast<I>(p.width);
    const I step = static_cast<I>(gridDim.x) * (THREADS * EACH);
    for (I first = static_cast<I>(blockIdx.x) * (THREADS * EACH) + threadIdx.x; first < count; first += step) {
        U element[EACH];
#pragma unroll
        for (int k = 0; k < EACH; k++) {
            const I i = first + static_cast<I>(k * THREADS);
            element[k] = i < count ? x[i] : U{};
        }
#pragma unroll
        for (int k = 0; k < EACH; k++) {
            const I i = first + static_cast<I>(k * THREADS);
            if (i >= count)
                continue;
            const I outer = count == width ? 0 : i / width;
            y[static_cast<int64_t>(outer) * b.total + p.at + static_cast<int64_t>(i - outer * width)] = element[k];
        }
    }
}

/* Bytes that move at a time: the most, up to 16, that divide every distance and address. */
int64_t unit_of(const batch &b, const void *y)
{
    uint64_t all = reinterpret_cast<uintptr_t>(y) | static_cast<uint64_t>(b.total);
    for (int k = 0; k < b.n; k++)
        all |= reinterpret_cast<uintptr_t>(b.pieces[k].x) | static_cast<uint64_t>(b.pieces[k].width | b.pieces[k].at);
    int64_t unit = 16;
    while (all % static_cast<uint64_t>(unit) != 0)
        unit /= 2;
    return unit;
}

template <class U> cudaError_t concat_units(const weft__exec *e, batch b)
{
    constexpr int64_t unit = sizeof(U);
    int64_t most = 0;
    b.total /= unit;
    for (int k = 0; k < b.n; k++) {
        b.pieces[k].count /= unit;
        b.pieces[k].width /= unit;
        b.pieces[k].at /= unit;
        most = b.pieces[k].count > most ? b.pieces[k].count : most;
    }
    const dim3 blocks(weft__cuda_blocks(e, most, THREADS * EACH), static_cast<unsigned>(b.n));
    U *y = static_cast<U *>(e->out[0]->data);
    return weft_fits_32_bits(most) ? weft_launch(k_concat<U, uint32_t>, blocks, THREADS, 0, weft__stream(e), b, y)
                                   : weft_launch(k_concat<U, int64_t>, blocks, THREADS, 0, weft__stream(e), b, y);
}

/* Copies the pieces gathered so far, and begins anew. */
weft_status flush(const weft__exec *e, batch &b)
{
    const batch full = b;
    b.n = 0;
    if (full.n == 0)
        return WEFT_OK;
    switch (unit_of(full, e->out[0]->data)) {
    case 1:
        return weft__cuda_status(e, concat_units<uint8_t>(e, full));
    case 2:
        return weft__cuda_status(e, concat_units<uint16_t>(e, full));
    case 4:
        return weft__cuda_status(e, concat_units<uint32_t>(e, full));
    case 8:
        return weft__cuda_status(e, concat_units<uint64_t>(e, full));
    default:
        return weft__cuda_status(e, concat_units<uint4>(e, full));
    }
}

/* The part of y from at on along dim, of x's shape. */
weft__array part_of(const weft__array *y, int dim, int64_t at, const weft__array *x)
{
    weft__array part = *y;
    part.data = element_of(y, at * y->strides[dim]);
    part.shape[dim] = x->shape[dim];
    part.count = x->count;
    part.contiguous = is_dense(&part);
    return part;
}

/* in k, not empty, begins at at along dim. */
weft_status join(const weft__exec *e, int k, int dim, int64_t at, batch &b)
{
    const weft__array *x = e->in[k], *y = e->out[0];
    if (!x->contiguous || !y->contiguous || x->dtype != y->dtype) {
        weft__array part = part_of(y, dim, at, x);
        return copy(e, x, &part);
    }
    const int64_t bytes = static_cast<int64_t>(weft__cuda_bytes(y->dtype)), inner = bytes * y->strides[dim];
    b.total = inner * y->shape[dim];
    b.pieces[b.n++] = {x->data, x->count * bytes, inner * x->shape[dim], inner * at};
    return b.n == PIECES ? flush(e, b) : WEFT_OK;
}

/* ---- pad ---- */

struct padding {
    int32_t ndim; /* 1 to 8 */
    int64_t count;
    int64_t shape[WEFT__MAX_DIMS];  /* of y, contiguous */
    int64_t before[WEFT__MAX_DIMS]; /* where x begins ... */
    int64_t inside[WEFT__MAX_DIMS]; /* ... and how much of it there is */
    int64_t stride[WEFT__MAX_DIMS]; /* of x, in elements */
};

/* Whether element i of y is one of x, and which. */
template <class I> __device__ __forceinline__ bool source_of(const padding &p, I i, int64_t &from)
{
    bool inside = true;
    from = 0;
    for (int d = p.ndim - 1; d >= 0; d--) {
        const I next = d > 0 ? i / static_cast<I>(p.shape[d]) : 0;
        const int64_t at = static_cast<int64_t>(i - next * static_cast<I>(p.shape[d])) - p.before[d];
        inside = inside && at >= 0 && at < p.inside[d];
        from += at * p.stride[d];
        i = next;
    }
    return inside;
}

/* y [shape], x [inside] */
template <class U, class I> __global__ void __launch_bounds__(THREADS) k_pad(padding p, U *y, const U *x, U value)
{
    const I count = static_cast<I>(p.count);
    const I step = static_cast<I>(gridDim.x) * (THREADS * EACH);
    for (I first = static_cast<I>(blockIdx.x) * (THREADS * EACH) + threadIdx.x; first < count; first += step) {
        U element[EACH];
#pragma unroll
        for (int k = 0; k < EACH; k++) {
            const I i = first + static_cast<I>(k * THREADS);
            int64_t from;
            element[k] = i < count && source_of(p, i, from) ? x[from] : value;
        }
#pragma unroll
        for (int k = 0; k < EACH; k++)
            if (first + static_cast<I>(k * THREADS) < count)
                y[first + static_cast<I>(k * THREADS)] = element[k];
    }
}

/* The dims of a pad, those that are not padded joined with the dim before where x's strides allow. */
padding make_padding(const weft__exec *e)
{
    const weft__array *x = e->in[0], *y = e->out[0];
    padding p = {};
    p.count = y->count;
    for (int d = 0; d < y->ndim; d++) {
        const int last = p.ndim - 1;
        const int64_t n = y->shape[d];
        if (n == 1 && x->shape[d] == 1)
            continue;
        if (last >= 0 && x->shape[d] == n && p.stride[last] == x->strides[d] * n) {
            p.shape[last] *= n;
            p.before[last] *= n;
            p.inside[last] *= n;
            p.stride[last] = x->strides[d];
            continue;
        }
        p.shape[p.ndim] = n;
        p.before[p.ndim] = e->attrs->pad.before[d];
        p.inside[p.ndim] = x->shape[d];
        p.stride[p.ndim++] = x->strides[d];
    }
    if (p.ndim == 0) {
        p.shape[0] = p.inside[0] = 1;
        p.ndim = 1;
    }
    return p;
}

/* How many bytes move at a time: x's rows are dense, and 16 bytes, or 8 ..., divide every distance. The dims are then
 * counted in such units. */
size_t widen(padding &p, const void *y, const void *x, size_t bytes)
{
    const int last = p.ndim - 1;
    if (p.stride[last] != 1)
        return bytes;
    size_t unit = 16;
    for (; unit > bytes; unit /= 2) {
        const int64_t n = static_cast<int64_t>(unit / bytes);
        bool fits = (p.shape[last] | p.before[last] | p.inside[last]) % n == 0 &&
                    (reinterpret_cast<uintptr_t>(y) | reinterpret_cast<uintptr_t>(x)) % unit == 0;
        for (int d = 0; d < last; d++)
            fits = fits && p.stride[d] % n == 0;
        if (fits)
            break;
    }
    const int64_t n = static_cast<int64_t>(unit / bytes);
    p.shape[last] /= n;
    p.before[last] /= n;
    p.inside[last] /= n;
    p.count /= n;
    for (int d = 0; d < last; d++)
        p.stride[d] /= n;
    return unit;
}

template <class U>
cudaError_t pad_units(const weft__exec *e, const padding &p, const unsigned char (&element)[8], size_t bytes)
{
    unsigned char pattern[sizeof(U)];
    for (size_t at = 0; at < sizeof pattern; at += bytes)
        memcpy(pattern + at, element, bytes);
    U value;
    memcpy(&value, pattern, sizeof value);
    const unsigned blocks = weft__cuda_blocks(e, p.count, THREADS * EACH);
    U *y = static_cast<U *>(e->out[0]->data);
    const U *x = static_cast<const U *>(e->in[0]->data);
    return weft_fits_32_bits(p.count)
               ? weft_launch(k_pad<U, uint32_t>, blocks, THREADS, 0, weft__stream(e), p, y, x, value)
               : weft_launch(k_pad<U, int64_t>, blocks, THREADS, 0, weft__stream(e), p, y, x, value);
}

cudaError_t pad(const weft__exec *e)
{
    const weft__array *x = e->in[0], *y = e->out[0];
    const size_t bytes = weft__cuda_bytes(x->dtype);
    unsigned char element[8] = {};
    if (y->count == 0)
        return cudaSuccess;
    weft__encode(x->dtype, e->attrs->pad.value, element);
    padding p = make_padding(e);
    switch (widen(p, y->data, x->data, bytes)) {
    case 1:
        return pad_units<uint8_t>(e, p, element, bytes);
    case 2:
        return pad_units<uint16_t>(e, p, element, bytes);
    case 4:
        return pad_units<uint32_t>(e, p, element, bytes);
    case 8:
        return pad_units<uint64_t>(e, p, element, bytes);
    default:
        return pad_units<uint4>(e, p, element, bytes);
    }
}

} /* namespace */

/* n inputs [.., D_k, ..], out [.., sum of D_k, ..] along a dim */
extern "C" weft_status weft__cuda_concat(const weft__exec *e)
{
    const int dim = static_cast<int>(e->attrs->along.dim);
    int64_t at = 0;
    batch b = {};
    weft_status status = WEFT_OK;
    for (int k = 0; k < e->n_in && status == WEFT_OK; k++) {
        if (e->in[k]->count > 0)
            status = join(e, k, dim, at, b);
        at += e->in[k]->shape[dim];
    }
    return status == WEFT_OK ? flush(e, b) : status;
}

/* out's dims are x's, some of them reversed */
extern "C" weft_status weft__cuda_flip(const weft__exec *e)
{
    weft__array reversed = *e->in[0];
    if (reversed.count == 0)
        return WEFT_OK;
    int64_t first = 0;
    for (int d = 0; d < reversed.ndim; d++) {
        if ((e->attrs->flip.dims >> d & 1) == 0)
            continue;
        first += (reversed.shape[d] - 1) * reversed.strides[d];
        reversed.strides[d] = -reversed.strides[d];
    }
    reversed.data = element_of(e->in[0], first);
    reversed.contiguous = is_dense(&reversed);
    return copy(e, &reversed, e->out[0]);
}

/* x [...] in the middle of out, before[d] elements of the value ahead of it along dim d and after[d] behind */
extern "C" weft_status weft__cuda_pad(const weft__exec *e)
{
    return weft__cuda_status(e, pad(e));
}
