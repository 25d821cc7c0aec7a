/* test_matmul_linear.c - linear layers with an activation and their gradients, over several tiles, with tails, in every
 * dtype. */
#include "device/both.h"

#include <stdio.h>

#include "harness/weft_test.h"

typedef struct layer {
    int64_t m, k, n;
    bool biased;
    bool turned; /* w lies by column */
    int offset;  /* columns cut off at w's left: another alignment */
} layer;

typedef struct layer_case {
    layer l;
    weft_dtype dtype;
    weft_activation act;
    bool learns;
} layer_case;

/* Multiples of 1/8, so that sums of products are exact in any order, and small, so that GELU is curved. */
static weft_tensor *eighths(weft_ctx *ctx, const layer_case *c, const int64_t *shape, int ndim, uint64_t seed)
{
    return weft_mul_scalar(weft_cast(both_input(ctx, WEFT_I32, shape, ndim, -2, 3, seed), c->dtype), 0.125);
}

static weft_tensor *weight(weft_ctx *ctx, const layer_case *c)
{
    const int64_t wide = c->l.k + c->l.offset, shape[] = {c->l.turned ? wide : c->l.n, c->l.turned ? c->l.n : wide};
    weft_tensor *w = weft_set_requires_grad(eighths(ctx, c, shape, 2, 2), c->learns);
    return weft_slice(c->l.turned ? weft_transpose(w, 0, 1) : w, 1, c->l.offset, wide, 1);
}

static weft_tensor *flat(weft_tensor *t)
{
    return weft_reshape(weft_detach(t), WEFT_DIMS(-1));
}

/* y, and the gradients of x, w and b where the layer learns. */
static weft_tensor *run_layer(weft_ctx *ctx, void *user)
{
    const layer_case *c = user;
    weft_tensor *x = weft_set_requires_grad(eighths(ctx, c, WEFT_DIMS(c->l.m, c->l.k), 1), c->learns);
    weft_tensor *w = weight(ctx, c), *b = NULL, *out[3] = {NULL}, *parts[4];
    if (c->l.biased)
        b = weft_set_requires_grad(eighths(ctx, c, WEFT_DIMS(c->l.n), 3), c->learns);
    weft_tensor *y = weft_linear_act(x, w, b, c->act), *in[] = {x, w, b};
    if (!c->learns || !y)
        return y;
    weft_tensor *g = eighths(ctx, c, WEFT_DIMS(c->l.m, c->l.n), 4);
    const int n = b ? 3 : 2;
    if (weft_grad(ctx, &y, &g, 1, in, n, 0, out) != WEFT_OK)
        return NULL;
    parts[0] = flat(y);
    for (int k = 0; k < n; k++)
        parts[k + 1] = flat(out[k]);
    return weft_concat(parts, n + 1, 0);
}

static double tolerance(const layer_case *c)
{
    if (c->act != WEFT_ACTIVATION_GELU_TANH)
        return 0;
    return c->dtype == WEFT_F64 ? 1e-12 : c->dtype == WEFT_F32 ? 4e-6 : c->dtype == WEFT_F16 ? 4e-3 : 3e-2;
}

static void check_layers(const layer *layers, int n, bool learns)
{
    static const weft_dtype dtypes[] = {WEFT_F32, WEFT_F64, WEFT_F16, WEFT_BF16};
    for (int k = 0; k < n; k++)
        for (int d = 0; d < 4; d++)
            for (int act = WEFT_ACTIVATION_NONE; act <= WEFT_ACTIVATION_GELU_TANH; act++) {
                layer_case c = {layers[k], dtypes[d], (weft_activation)act, learns};
                char what[64];
                snprintf(what, sizeof what, "layer %d in %s, activation %d", k, weft_dtype_name(c.dtype), act);
                check_both(what, run_layer, &c, tolerance(&c), tolerance(&c));
            }
}

WEFT_TEST(DeviceLinear, SeveralTiles)
{
    static const layer layers[] = {
        {.m = 68, .k = 36, .n = 72, .biased = true},
        {.m = 67, .k = 35, .n = 71, .biased = true, .turned = true},
        {.m = 20, .k = 40, .n = 67, .offset = 1},
        {.m = 3, .k = 5, .n = 8, .biased = true},
    };
    check_layers(layers, (int)(sizeof layers / sizeof *layers), false);
}

WEFT_TEST(DeviceLinear, Vectors)
{
    static const layer layers[] = {
        {.m = 1, .k = 130, .n = 70, .biased = true},  {.m = 1, .k = 130, .n = 70, .turned = true},
        {.m = 37, .k = 264, .n = 1, .biased = true},  {.m = 5, .k = 6000, .n = 1},
        {.m = 1, .k = 5003, .n = 40, .biased = true},
    };
    check_layers(layers, (int)(sizeof layers / sizeof *layers), false);
}

WEFT_TEST(DeviceLinear, Gradients)
{
    static const layer layers[] = {
        {.m = 40, .k = 24, .n = 72, .biased = true},
        {.m = 67, .k = 9, .n = 71, .biased = true, .turned = true},
        {.m = 70, .k = 13, .n = 40},
        {.m = 1, .k = 30, .n = 20, .biased = true},
        {.m = 33, .k = 20, .n = 1, .biased = true, .offset = 1},
        {.m = 30, .k = 1, .n = 40, .biased = true},
    };
    check_layers(layers, (int)(sizeof layers / sizeof *layers), true);
}

WEFT_TEST(DeviceLinear, LargeTiles)
{
    layer_case c = {{.m = 260, .k = 20, .n = 265, .biased = true}, WEFT_F32, WEFT_ACTIVATION_GELU_TANH, true};
    check_both("large tiles", run_layer, &c, tolerance(&c), tolerance(&c));
    c.act = WEFT_ACTIVATION_RELU;
    check_both("large tiles, relu", run_layer, &c, 0, 0);
}
