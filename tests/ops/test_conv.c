/* test_conv.c - convolutions over several tiles and phases: every dtype, all three operations, with strides, paddings
 * and dilations that differ between the dims, sums in parts, few channels, and arrays that start at odd places. */
#include "device/both.h"

#include <math.h>
#include <stdio.h>

#include "harness/structs.h"
#include "harness/weft_test.h"

typedef enum way { FORWARD, TRANSPOSE, WEIGHT, WAYS } way;

static const char *const way_names[WAYS] = {"conv2d", "conv2d_transpose", "conv2d_weight"};

/* Of the forward layer. */
typedef struct layer {
    const char *name;
    int64_t n, c, h, w, k, r, s;
    weft_conv2d_params params;
    bool odd; /* arrays start one element after an aligned place */
} layer;

typedef struct job {
    const layer *l;
    way way;
    weft_dtype dtype;
    bool bias;
} job;

/* What the transpose cannot know of the image's size, which the stride has rounded away. */
static int64_t lost(const layer *l, int d)
{
    const int64_t size = d == 0 ? l->h : l->w, taps = d == 0 ? l->r : l->s;
    return (size + 2 * l->params.padding[d] - l->params.dilation[d] * (taps - 1) - 1) % l->params.stride[d];
}

static int64_t grid_of(const layer *l, int d)
{
    const int64_t size = d == 0 ? l->h : l->w, taps = d == 0 ? l->r : l->s;
    return (size + 2 * l->params.padding[d] - l->params.dilation[d] * (taps - 1) - 1) / l->params.stride[d] + 1;
}

static weft_tensor *array(weft_ctx *ctx, const job *j, const int64_t *shape, uint64_t seed)
{
    if (!j->l->odd)
        return both_input(ctx, j->dtype, shape, 4, -1, 1, seed);
    const int64_t count = shape[0] * shape[1] * shape[2] * shape[3];
    weft_tensor *flat = both_input(ctx, j->dtype, (const int64_t[]){count + 1}, 1, -1, 1, seed);
    return weft_reshape(weft_slice(flat, 0, 1, count + 1, 1), shape, 4);
}

static weft_tensor *run(weft_ctx *ctx, void *user)
{
    const job *j = user;
    const layer *l = j->l;
    weft_conv2d_params params = l->params;
    const int64_t groups = params.groups;
    const int64_t x_shape[4] = {l->n, l->c, l->h, l->w}, w_shape[4] = {l->k, l->c / groups, l->r, l->s};
    const int64_t y_shape[4] = {l->n, l->k, grid_of(l, 0), grid_of(l, 1)};
    const int64_t channels = j->way == FORWARD ? l->k : l->c;
    weft_tensor *b = j->bias ? both_input(ctx, j->dtype, &channels, 1, -2, 2, 4) : NULL;
    weft_tensor *w = array(ctx, j, w_shape, 2);
    if (j->way == FORWARD)
        return weft_conv2d(array(ctx, j, x_shape, 1), w, b, &params);
    weft_tensor *y = array(ctx, j, y_shape, 3);
    if (j->way == WEIGHT)
        return weft_conv2d_weight(array(ctx, j, x_shape, 1), y, w_shape + 2, &params);
    for (int d = 0; d < 2; d++)
        params.output_padding[d] = lost(l, d);
    return weft_conv2d_transpose(y, w, b, &params);
}

static void check_layer(const layer *l, way way, weft_dtype dtype, bool bias)
{
    /* Sums of hundreds of products, of which those in f32 differ by the order of their terms. */
    static const double rtol[WEFT_DTYPE_COUNT] = {
        [WEFT_F32] = 1e-5, [WEFT_F64] = 1e-12, [WEFT_F16] = 2e-3, [WEFT_BF16] = 1.6e-2};
    static const double atol[WEFT_DTYPE_COUNT] = {
        [WEFT_F32] = 5e-5, [WEFT_F64] = 1e-12, [WEFT_F16] = 2e-3, [WEFT_BF16] = 1.6e-2};
    job j = {.l = l, .way = way, .dtype = dtype, .bias = bias};
    char what[128];
    snprintf(what, sizeof what, "%s, %s, %s%s", way_names[way], l->name, weft_dtype_name(dtype), bias ? ", bias" : "");
    check_both(what, run, &j, rtol[dtype], atol[dtype]);
}

static void check_all_ways(const layer *l, weft_dtype dtype)
{
    check_layer(l, FORWARD, dtype, true);
    check_layer(l, TRANSPOSE, dtype, true);
    check_layer(l, WEIGHT, dtype, false);
}

static void check_all_dtypes(const layer *l)
{
    static const weft_dtype dtypes[] = {WEFT_F32, WEFT_F64, WEFT_F16, WEFT_BF16};
    for (int k = 0; k < 4; k++)
        check_all_ways(l, dtypes[k]);
}

#define PARAMS(sh, sw, ph, pw, dh, dw, g)                                                                              \
    {                                                                                                                  \
        .struct_size = sizeof(weft_conv2d_params), .stride = {sh, sw}, .padding = {ph, pw}, .dilation = {dh, dw},      \
        .groups = g                                                                                                    \
    }

/* Rows of w below 32, between 32 and 64, and above: each has tiles of its own. */
WEFT_TEST(DeviceConv, EveryTile)
{
    static const layer few = {"few rows", 2, 5, 11, 13, 10, 3, 3, PARAMS(1, 1, 1, 1, 1, 1, 1), false};
    static const layer some = {"some rows", 2, 10, 12, 15, 40, 3, 2, PARAMS(1, 1, 1, 1, 1, 1, 1), false};
    check_all_dtypes(&few);
    check_all_dtypes(&some);
}

WEFT_TEST(DeviceConv, LargeTiles)
{
    static const layer wide = {"wide tiles", 3, 36, 14, 13, 50, 1, 1, PARAMS(1, 1, 0, 0, 1, 1, 1), false};
    static const layer tall = {"tall tiles", 2, 70, 12, 16, 100, 1, 3, PARAMS(1, 1, 0, 1, 1, 1, 1), false};
    check_all_ways(&wide, WEFT_F32);
    check_all_ways(&tall, WEFT_F32);
    check_layer(&tall, FORWARD, WEFT_BF16, true);
}

/* Strides and dilations with and without common divisors, which decide what taps a phase of the transpose meets. */
WEFT_TEST(DeviceConv, StridesAndDilations)
{
    static const layer layers[] = {
        {"stride 2 and 3", 2, 6, 17, 20, 8, 3, 3, PARAMS(2, 3, 1, 2, 1, 1, 1), false},
        {"stride 4, dilation 2", 1, 3, 23, 21, 4, 3, 5, PARAMS(4, 2, 3, 0, 2, 4, 1), false},
        {"stride 6, dilation 4", 1, 3, 30, 19, 5, 4, 2, PARAMS(6, 3, 5, 1, 4, 2, 1), false},
        {"dilation 3 without stride", 1, 4, 14, 18, 6, 3, 3, PARAMS(1, 1, 3, 0, 3, 2, 1), false},
        {"stride larger than the taps", 2, 4, 15, 16, 3, 1, 2, PARAMS(5, 3, 0, 1, 1, 1, 1), false},
    };
    for (size_t k = 0; k < sizeof layers / sizeof *layers; k++)
        check_all_ways(&layers[k], WEFT_F32);
}

WEFT_TEST(DeviceConv, Groups)
{
    static const layer l = {"groups", 2, 12, 9, 10, 18, 3, 3, PARAMS(1, 2, 1, 1, 1, 1, 3), false};
    check_all_dtypes(&l);
}

WEFT_TEST(DeviceConv, TapsBeyondTheImage)
{
    static const layer large = {"taps beyond the image", 2, 3, 3, 2, 5, 7, 5, PARAMS(1, 1, 4, 3, 1, 1, 1), false};
    static const layer line = {"one row", 3, 5, 1, 41, 6, 1, 7, PARAMS(1, 2, 0, 3, 1, 1, 1), false};
    check_all_ways(&large, WEFT_F32);
    check_all_ways(&line, WEFT_F64);
}

/* Sums of so many terms for so few outputs that they are made in parts. */
WEFT_TEST(DeviceConv, SumsInParts)
{
    static const layer deep = {"deep", 1, 96, 5, 4, 34, 3, 3, PARAMS(1, 1, 1, 1, 1, 1, 1), false};
    static const layer flat = {"flat", 2, 4, 30, 27, 6, 2, 2, PARAMS(1, 1, 0, 0, 1, 1, 1), false};
    check_layer(&deep, FORWARD, WEFT_F32, true);
    check_layer(&deep, FORWARD, WEFT_BF16, true);
    check_layer(&deep, FORWARD, WEFT_F64, false);
    check_layer(&deep, TRANSPOSE, WEFT_F16, true);
    check_layer(&flat, WEIGHT, WEFT_F32, false);
    check_layer(&flat, WEIGHT, WEFT_F16, false);
    check_layer(&flat, WEIGHT, WEFT_F64, false);
}

/* One channel of x or of y a group. */
WEFT_TEST(DeviceConv, Depthwise)
{
    static const layer layers[] = {
        {"3 taps", 2, 7, 13, 17, 7, 3, 3, PARAMS(1, 1, 1, 1, 1, 1, 7), false},
        {"3 taps, aligned", 2, 6, 12, 16, 6, 3, 3, PARAMS(1, 1, 1, 1, 1, 1, 6), false},
        {"3 taps, stride 2", 2, 6, 14, 17, 6, 3, 3, PARAMS(2, 2, 1, 1, 1, 1, 6), false},
        {"5 taps", 1, 5, 11, 19, 5, 5, 5, PARAMS(1, 1, 2, 2, 1, 1, 5), false},
        {"5 taps, stride 2", 1, 5, 12, 19, 5, 3, 5, PARAMS(1, 2, 0, 1, 1, 1, 5), false},
        {"dilated", 1, 5, 15, 14, 5, 3, 3, PARAMS(1, 1, 2, 3, 2, 3, 5), false},
        {"three of y to one of x", 2, 4, 9, 10, 12, 3, 2, PARAMS(2, 1, 1, 1, 1, 1, 4), false},
        {"one of y to two of x", 2, 10, 9, 11, 5, 3, 2, PARAMS(1, 2, 1, 0, 1, 1, 5), false},
    };
    for (size_t k = 0; k < sizeof layers / sizeof *layers; k++)
        check_all_ways(&layers[k], WEFT_F32);
    check_all_dtypes(&layers[1]);
    check_all_ways(&layers[6], WEFT_BF16);
    check_all_ways(&layers[3], WEFT_F16);
}

/* More shares of the work than blocks, so that a block takes several. */
WEFT_TEST(DeviceConv, ManyGroups)
{
    static const layer two = {"groups of two channels", 1, 140, 7, 6, 140, 3, 3, PARAMS(2, 1, 1, 1, 1, 1, 70), false};
    static const layer one = {"depthwise", 2, 70, 16, 32, 70, 3, 3, PARAMS(1, 1, 1, 1, 1, 1, 70), false};
    check_all_ways(&two, WEFT_F32);
    check_all_ways(&one, WEFT_F32);
}

WEFT_TEST(DeviceConv, OddStarts)
{
    static const layer l = {"odd start", 2, 8, 8, 12, 40, 3, 3, PARAMS(1, 1, 1, 1, 1, 1, 1), true};
    static const layer depthwise = {"odd start, depthwise", 2, 8, 8, 12, 8, 3, 3, PARAMS(1, 1, 1, 1, 1, 1, 8), true};
    check_all_ways(&l, WEFT_F32);
    check_all_ways(&l, WEFT_BF16);
    check_all_ways(&depthwise, WEFT_F16);
}

/* No images: nothing to do forward, and a weight gradient of zeros. No channels in x: the bias alone. */
WEFT_TEST(DeviceConv, Empty)
{
    static const layer no_images = {"no images", 0, 4, 9, 9, 6, 3, 3, PARAMS(1, 1, 1, 1, 1, 1, 1), false};
    static const layer no_channels = {"no channels", 2, 0, 9, 9, 6, 3, 3, PARAMS(1, 1, 1, 1, 1, 1, 1), false};
    static const layer no_outputs = {"no outputs", 2, 4, 9, 9, 0, 3, 3, PARAMS(1, 1, 1, 1, 1, 1, 1), false};
    check_all_ways(&no_images, WEFT_F32);
    check_all_ways(&no_channels, WEFT_F32);
    check_all_ways(&no_outputs, WEFT_F32);
}

/* A NaN in x reaches the outputs whose windows hold it, and no others. */
static weft_tensor *with_nan(weft_ctx *ctx, void *user)
{
    const weft_conv2d_params params = INIT_CONV2D(.padding = {1, 1}, .groups = *(const int64_t *)user);
    float values[6 * 9 * 10];
    for (int k = 0; k < 6 * 9 * 10; k++)
        values[k] = k % 101 == 50 ? NAN : 0.25f * (float)(k % 7);
    weft_tensor *x = weft_from_data(ctx, WEFT_F32, WEFT_DIMS(1, 6, 9, 10), values);
    weft_tensor *w = both_input(ctx, WEFT_F32, WEFT_DIMS(6, 6 / params.groups, 3, 3), -1, 1, 2);
    return weft_conv2d(x, w, NULL, &params);
}

WEFT_TEST(DeviceConv, PropagatesNan)
{
    int64_t groups[] = {1, 6};
    for (int k = 0; k < 2; k++)
        check_both(k == 0 ? "one group" : "depthwise", with_nan, &groups[k], 1e-5, 1e-5);
}
