/* conv.h - the geometry of convolutions as the kernels see it, and what their files share.
 *
 * A layer, forward or transposed, is y[point] = sum over taps of w[tap] x[point step + base + tap tap_step].
 * Transposed, grid points whose place modulo the stride differs meet other taps: each such phase of the grid is a layer
 * of its own with step 1, so that no product with an inserted zero is ever made. */
#ifndef WEFT_KERNELS_CONV_H
#define WEFT_KERNELS_CONV_H

#include "base/array.h"
#include "base/attrs.h"
#include "cuda/launch.h"
#include "types.h"
#include "weft_cuda.h"

/* One of the two dims of a layer. */
struct weft_conv_axis {
    int32_t image, taps, grid; /* extents of x, w and y */
    int32_t stride, padding, dilation;
    int32_t phases;     /* 1; transposed: the stride */
    int32_t tap_every;  /* transposed: a phase has one tap in tap_every, which is stride / gcd(stride, dilation) */
    int32_t tap_factor; /* transposed: inverse of dilation / gcd modulo tap_every */
};

/* Grid points first + i every, 0 <= i < points, along one dim. They meet taps tap_first + j tap_every, 0 <= j < taps,
 * at row i step + base + j tap_step of the image, if there is such a row. */
struct weft_conv_phase {
    int32_t first, every, points;
    int32_t tap_first, tap_every, taps;
    int32_t step, base, tap_step;
};

struct weft_conv_layer {
    weft_conv_axis axis[2]; /* height, width */
    int64_t images;
    int32_t groups, c, k; /* channels of one group: of x, of y */
    int64_t w_in, w_out;  /* distances in w: from one channel of x to the next, of y; taps are row-major and dense */
    bool transposed;
};

/* Products of halves are summed in float; the index of the phase is below axis.phases. */
__host__ __device__ inline weft_conv_phase weft_conv_phase_of(const weft_conv_axis &a, int32_t phase, bool transposed)
{
    if (!transposed)
        return {0, 1, a.grid, 0, 1, a.taps, a.stride, -a.padding, a.dilation};
    const int32_t gcd = a.stride / a.tap_every, place = phase + a.padding;
    weft_conv_phase p = {};
    p.first = phase;
    p.every = a.stride;
    p.points = phase < a.grid ? (a.grid - phase - 1) / a.stride + 1 : 0;
    p.tap_every = a.tap_every;
    p.step = 1;
    p.tap_step = -(a.dilation / gcd);
    if (place % gcd != 0)
        return p;
    p.tap_first = static_cast<int32_t>(static_cast<int64_t>(place / gcd % a.tap_every) * a.tap_factor % a.tap_every);
    p.taps = p.tap_first < a.taps ? (a.taps - p.tap_first - 1) / a.tap_every + 1 : 0;
    p.base =
        p.taps == 0 ? 0 : static_cast<int32_t>((place - static_cast<int64_t>(p.tap_first) * a.dilation) / a.stride);
    return p;
}

/* A counter of three digits that steps by a fixed amount without a division: (a, b, c) of a number with c < c_end, b <
 * b_end. */
struct weft_conv_counter {
    int32_t a, b, c;

    __device__ __forceinline__ void set(int64_t number, int32_t b_end, int32_t c_end)
    {
        const int64_t rows = number / c_end;
        c = static_cast<int32_t>(number - rows * c_end);
        a = static_cast<int32_t>(rows / b_end);
        b = static_cast<int32_t>(rows - static_cast<int64_t>(a) * b_end);
    }

    __device__ __forceinline__ void advance(const weft_conv_counter &by, int32_t b_end, int32_t c_end)
    {
        c += by.c;
        b += by.b;
        a += by.a;
        if (c >= c_end) {
            c -= c_end;
            b++;
        }
        if (b >= b_end) {
            b -= b_end;
            a++;
        }
    }
};

/* Added to by image rows below 2^30, it stays outside every image. */
enum : int32_t { WEFT_CONV_NOWHERE = -(1 << 30) };

__device__ __forceinline__ bool weft_conv_inside(int32_t at, int32_t extent)
{
    return static_cast<uint32_t>(at) < static_cast<uint32_t>(extent);
}

/* Fills in layer for CONV2D or CONV2D_TRANSPOSE. False: an extent is beyond what the kernels' 32-bit coordinates
 * hold. */
bool weft_conv_describe(const weft__exec *e, bool transposed, weft_conv_layer *layer);

/* The same for CONV2D_WEIGHT: the forward layer that dw (out[0]) is the gradient of. */
bool weft_conv_describe_weight(const weft__exec *e, weft_conv_layer *layer);

weft_status weft_conv_too_large(const weft__exec *e);

/* Into how many parts sums of terms products, for outputs of blocks blocks, are split so that the device is busy, and
 * no part is longer than accuracy allows. The parts, out_count elements of compute_bytes each, are kept within a
 * limit. */
int weft_conv_splits(const weft__exec *e, int64_t blocks, int64_t terms, int64_t out_count, size_t compute_bytes);

/* y = sum of parts in their order (+ bias[i / plane % channels], if there is one), of y's dtype; parts are f32, or f64
 * for f64.   y [count], parts [splits][count] */
cudaError_t weft_conv_add_parts(const weft__exec *e, const weft__array *y, const weft__array *bias, const void *parts,
                                int splits, int64_t plane, int32_t channels);

/* Few channels on both sides of a group: direct kernels (conv_depthwise.cu). */
bool weft_conv_is_depthwise(const weft_conv_layer &layer);
weft_status weft_conv_depthwise(const weft__exec *e, const weft_conv_layer &layer);
weft_status weft_conv_depthwise_weight(const weft__exec *e, const weft_conv_layer &layer);

#endif
