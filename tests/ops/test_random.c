/* test_random.c - random numbers are the same bits on every device, over many blocks and with ragged ends. */
#include "device/both.h"

#include <stdio.h>

#include "harness/weft_test.h"

typedef enum kind { UNIFORM, NORMAL, INTEGERS, COIN } kind;

typedef struct draw {
    kind kind;
    weft_dtype dtype;
    int64_t count;
    double a, b;
} draw;

/* The third call of its context: neither seed nor call are 0. */
static weft_tensor *drawn(weft_ctx *ctx, void *user)
{
    const draw *d = user;
    weft_tensor *y = NULL;
    weft_seed(ctx, UINT64_C(0x9e3779b97f4a7c15));
    for (int k = 0; k < 3; k++)
        switch (d->kind) {
        case UNIFORM:
            y = weft_rand(ctx, d->dtype, WEFT_DIMS(d->count), d->a, d->b);
            break;
        case NORMAL:
            y = weft_randn(ctx, d->dtype, WEFT_DIMS(d->count), d->a, d->b);
            break;
        case INTEGERS:
            y = weft_randint(ctx, d->dtype, WEFT_DIMS(d->count), (int64_t)d->a, (int64_t)d->b);
            break;
        case COIN:
            y = weft_bernoulli(ctx, d->dtype, WEFT_DIMS(d->count), d->a);
            break;
        }
    return y;
}

static void check_draw(const char *name, draw d)
{
    static const int64_t counts[] = {1, 2, 3, 5, 4099, 0};
    for (int k = 0; k < 6; k++) {
        char what[96];
        d.count = counts[k];
        snprintf(what, sizeof what, "%lld %s %s", (long long)d.count, name, weft_dtype_name(d.dtype));
        check_both(what, drawn, &d, 0, 0);
    }
}

WEFT_TEST(DeviceRandom, RealsAreEqualBitByBit)
{
    static const weft_dtype floats[] = {WEFT_F32, WEFT_F64, WEFT_F16, WEFT_BF16};
    for (int k = 0; k < 4; k++) {
        check_draw("uniform", (draw){.kind = UNIFORM, .dtype = floats[k], .a = -1.3, .b = 2.7});
        check_draw("uniform from one value", (draw){.kind = UNIFORM, .dtype = floats[k], .a = 3, .b = 3});
        check_draw("normal", (draw){.kind = NORMAL, .dtype = floats[k], .a = 0.1, .b = 1.7});
    }
}

WEFT_TEST(DeviceRandom, WholeNumbersAreEqual)
{
    for (int dtype = 0; dtype < WEFT_DTYPE_COUNT; dtype++) {
        const double lo = dtype == WEFT_U8 ? 0 : -100;
        if (dtype != WEFT_BOOL)
            check_draw("integer", (draw){.kind = INTEGERS, .dtype = (weft_dtype)dtype, .a = lo, .b = 111});
        check_draw("coin", (draw){.kind = COIN, .dtype = (weft_dtype)dtype, .a = 0.3});
    }
    check_draw("integer", (draw){.kind = INTEGERS, .dtype = WEFT_I64, .a = -9.2e18, .b = 9.2e18});
    check_draw("integer", (draw){.kind = INTEGERS, .dtype = WEFT_F32, .a = -16777216, .b = 16777217});
    check_draw("integer", (draw){.kind = INTEGERS, .dtype = WEFT_BF16, .a = -256, .b = 257});
}

typedef struct drop {
    weft_dtype dtype;
    double p;
    bool shifted; /* x does not start at a border of 16 bytes */
    bool gradient;
} drop;

static weft_tensor *dropped(weft_ctx *ctx, void *user)
{
    const drop *d = user;
    weft_tensor *x = both_input(ctx, d->dtype, WEFT_DIMS(4100), -3, 3, 5);
    if (d->shifted)
        x = weft_slice(x, 0, 1, 4100, 1);
    if (!d->gradient)
        return weft_dropout(x, d->p, true);
    weft_tensor *leaf = weft_param(x, "x"), *g = both_input(ctx, d->dtype, WEFT_DIMS(weft_count(leaf)), -2, 2, 6);
    weft_tensor *dx = NULL, *y = weft_dropout(leaf, d->p, true);
    weft_grad(ctx, &y, &g, 1, &leaf, 1, 0, &dx);
    weft_release(leaf);
    return dx;
}

WEFT_TEST(DeviceRandom, DropoutDropsTheSame)
{
    static const weft_dtype floats[] = {WEFT_F32, WEFT_F64, WEFT_F16, WEFT_BF16};
    static const double chances[] = {0.3, 0, 0.999};
    for (int k = 0; k < 24; k++) {
        drop d = {floats[k % 4], chances[k / 8], k / 4 % 2 != 0, false};
        check_both(weft_dtype_name(d.dtype), dropped, &d, 0, 0);
    }
}

WEFT_TEST(DeviceRandom, TheGradientDropsWhatWasDropped)
{
    static const weft_dtype floats[] = {WEFT_F32, WEFT_F64, WEFT_F16, WEFT_BF16};
    for (int k = 0; k < 4; k++) {
        drop d = {floats[k], 0.25, false, true};
        check_both(weft_dtype_name(d.dtype), dropped, &d, 0, 0);
    }
}
