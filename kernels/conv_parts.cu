/* conv_parts.cu - what the convolution kernels share on the host's side: geometry, sums made in parts, and a
 * bias on its own. */
#include "conv.h"
#include "cuda/kernels.h"

namespace
{

enum { THREADS = 256 };

/* Terms of a part, and parts of a sum. */
constexpr int64_t shortest_part = 256, longest_part = 16384, most_parts = 512;
constexpr int64_t most_part_bytes = INT64_C(96) << 20;
constexpr int64_t largest = INT64_C(1) << 30; /* of every extent, and of an image with its padding */

int32_t gcd(int32_t a, int32_t b)
{
    while (b != 0) {
        const int32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* The inverse of a modulo m, by Euclid; they have no common divisor. 0 for m = 1. */
int32_t inverse(int32_t a, int32_t m)
{
    int64_t r0 = m, r1 = a % m, t0 = 0, t1 = 1;
    while (r1 != 0) {
        const int64_t quotient = r0 / r1, r2 = r0 - quotient * r1, t2 = t0 - quotient * t1;
        r0 = r1;
        r1 = r2;
        t0 = t1;
        t1 = t2;
    }
    return static_cast<int32_t>(m == 1 ? 0 : (t0 % m + m) % m);
}

bool describe_axis(const weft__attrs *attrs, int d, int64_t image, int64_t taps, int64_t grid, bool transposed,
                   weft_conv_axis *a)
{
    const int64_t stride = attrs->conv.stride[d], padding = attrs->conv.padding[d];
    const int64_t dilation = attrs->conv.dilation[d];
    /* Every coordinate that a kernel works out lies within the padded image and a window or a stride around it. */
    const int64_t padded = (transposed ? grid : image) + 2 * padding;
    if (padded >= largest / 2 || image >= largest || grid >= largest || stride >= largest / 2 ||
        dilation >= largest / 2 || taps >= largest || (taps - 1) * dilation >= largest / 2)
        return false;
    *a = {};
    a->image = static_cast<int32_t>(image);
    a->taps = static_cast<int32_t>(taps);
    a->grid = static_cast<int32_t>(grid);
    a->stride = static_cast<int32_t>(stride);
    a->padding = static_cast<int32_t>(padding);
    a->dilation = static_cast<int32_t>(dilation);
    a->phases = transposed ? a->stride : 1;
    const int32_t common = gcd(a->stride, a->dilation);
    a->tap_every = a->stride / common;
    a->tap_factor = inverse(a->dilation / common, a->tap_every);
    return true;
}

bool describe(const weft__attrs *attrs, const int64_t *x, const int64_t *w, const int64_t *y, bool transposed,
              weft_conv_layer *layer)
{
    const int64_t groups = attrs->conv.groups;
    if (x[1] >= largest || y[1] >= largest || groups >= largest)
        return false;
    *layer = {};
    layer->transposed = transposed;
    layer->images = x[0];
    layer->groups = static_cast<int32_t>(groups);
    layer->c = static_cast<int32_t>(x[1] / groups);
    layer->k = static_cast<int32_t>(y[1] / groups);
    const int64_t taps = w[2] * w[3];
    layer->w_in = transposed ? layer->k * taps : taps;
    layer->w_out = transposed ? taps : layer->c * taps;
    return x[0] < largest && layer->c * taps < largest &&
           describe_axis(attrs, 0, x[2], w[2], y[2], transposed, &layer->axis[0]) &&
           describe_axis(attrs, 1, x[3], w[3], y[3], transposed, &layer->axis[1]);
}

/* y [count], parts [splits][count], bias [channels] or NULL */
template <class T, class C>
__global__ void __launch_bounds__(THREADS)
    k_add_parts(int64_t count, T *y, const C *parts, int32_t splits, const T *bias, int64_t plane, int32_t channels)
{
    const int64_t step = static_cast<int64_t>(gridDim.x) * THREADS;
    for (int64_t i = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x; i < count; i += step) {
        C sum = 0;
#pragma unroll 4
        for (int32_t s = 0; s < splits; s++)
            sum += parts[s * count + i];
        if (bias)
            sum += weft_load(bias[i / plane % channels]);
        weft_store(&y[i], sum);
    }
}

/* V elements at a time, all of one channel.   y [images][channels][plane], bias [channels] */
template <class T, int V>
__global__ void __launch_bounds__(THREADS)
    k_add_bias(int64_t packs, T *y, const T *bias, int64_t plane, int32_t channels)
{
    const int64_t step = static_cast<int64_t>(gridDim.x) * THREADS;
    weft_pack<T, V> *y_packs = reinterpret_cast<weft_pack<T, V> *>(y);
    for (int64_t i = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x; i < packs; i += step) {
        weft_pack<T, V> pack = y_packs[i];
        const weft_compute_t<T> value = weft_load(bias[i * V / plane % channels]);
#pragma unroll
        for (int k = 0; k < V; k++)
            weft_store(&pack.element[k], weft_load(pack.element[k]) + value);
        y_packs[i] = pack;
    }
}

template <class T, int V> cudaError_t add_bias(const weft__exec *e, const weft__array *y, const weft__array *bias)
{
    const int64_t packs = y->count / V;
    return weft_launch(k_add_bias<T, V>, weft__cuda_blocks(e, packs, THREADS), THREADS, 0, weft__stream(e), packs,
                       static_cast<T *>(y->data), static_cast<const T *>(bias->data), y->shape[2] * y->shape[3],
                       static_cast<int32_t>(y->shape[1]));
}

} /* namespace */

extern "C" weft_status weft__cuda_conv2d_add_bias(const weft__exec *e)
{
    const weft__array *bias = e->in[2], *y = e->out[0];
    if (y->count == 0)
        return WEFT_OK;
    return weft__cuda_status(e, weft_visit_float(y->dtype, cudaErrorInvalidValue, [&](auto name) {
                                 using T = typename decltype(name)::type;
                                 constexpr int V = 16 / sizeof(T);
                                 const bool wide = weft__cuda_aligned16(y->data) && y->shape[2] * y->shape[3] % V == 0;
                                 return wide ? add_bias<T, V>(e, y, bias) : add_bias<T, 1>(e, y, bias);
                             }));
}

bool weft_conv_describe(const weft__exec *e, bool transposed, weft_conv_layer *layer)
{
    return describe(e->attrs, e->in[0]->shape, e->in[1]->shape, e->out[0]->shape, transposed, layer);
}

bool weft_conv_describe_weight(const weft__exec *e, weft_conv_layer *layer)
{
    return describe(e->attrs, e->in[0]->shape, e->out[0]->shape, e->in[1]->shape, false, layer);
}

weft_status weft_conv_too_large(const weft__exec *e)
{
    return e->host->fail(e, WEFT_E_UNSUPPORTED,
                         "on CUDA the sides of padded images, and strides and dilated windows, must stay below 2^29, "
                         "and the numbers of images and channels below 2^30; cut the image up, or use the CPU");
}

int weft_conv_splits(const weft__exec *e, int64_t blocks, int64_t terms, int64_t out_count, size_t compute_bytes)
{
    const int64_t wanted = 3 * static_cast<int64_t>(weft__cuda_device_of(e)->sm_count);
    int64_t splits = (wanted + blocks - 1) / blocks;
    if (splits > terms / shortest_part)
        splits = terms / shortest_part;
    if (weft__cuda_invariant(e)) { /* the number of images decides nothing */
        splits = terms / longest_part;
        return static_cast<int>(splits < 1 ? 1 : splits > most_parts ? most_parts : splits);
    }
    if (splits < terms / longest_part)
        splits = terms / longest_part;
    const int64_t affordable = most_part_bytes / (out_count * static_cast<int64_t>(compute_bytes));
    if (splits > affordable)
        splits = affordable;
    if (splits > most_parts)
        splits = most_parts;
    return static_cast<int>(splits < 1 ? 1 : splits);
}

cudaError_t weft_conv_add_parts(const weft__exec *e, const weft__array *y, const weft__array *bias, const void *parts,
                                int splits, int64_t plane, int32_t channels)
{
    return weft_visit_float(y->dtype, cudaErrorInvalidValue, [&](auto name) {
        using T = typename decltype(name)::type;
        using C = weft_compute_t<T>;
        return weft_launch(k_add_parts<T, C>, weft__cuda_blocks(e, y->count, THREADS), THREADS, 0, weft__stream(e),
                           y->count, static_cast<T *>(y->data), static_cast<const C *>(parts), splits,
                           bias ? static_cast<const T *>(bias->data) : nullptr, plane, channels);
    });
}
