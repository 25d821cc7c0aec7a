/* test_init.c - first values of parameters: their bounds and moments by the formulas of init.h, and where they come
 * from. */
#include <math.h>
#include <string.h>
#include "harness/test_ctx.h"
#include "harness/weft_test.h"

typedef weft_tensor *maker(weft_tensor *w);

static weft_tensor *layer(weft_tensor *w)
{
    return weft_init_layer_(w, NULL);
}

static weft_tensor *kaiming_in(weft_tensor *w)
{
    return weft_init_kaiming_uniform_(w, WEFT_FAN_IN, sqrt(2));
}

static weft_tensor *kaiming_out(weft_tensor *w)
{
    return weft_init_kaiming_uniform_(w, WEFT_FAN_OUT, 1);
}

static weft_tensor *kaiming_normal(weft_tensor *w)
{
    return weft_init_kaiming_normal_(w, WEFT_FAN_OUT, sqrt(2));
}

static weft_tensor *xavier(weft_tensor *w)
{
    return weft_init_xavier_uniform_(w, 5.0 / 3);
}

static weft_tensor *xavier_normal(weft_tensor *w)
{
    return weft_init_xavier_normal_(w, 1);
}

static weft_tensor *uniform(weft_tensor *w)
{
    return weft_init_uniform_(w, -0.25, 0.75);
}

static weft_tensor *normal(weft_tensor *w)
{
    return weft_init_normal_(w, -3, 0.5);
}

/* For w [40, 30, 5, 4]: fan_in 600, fan_out 800. edge: half the width of a uniform distribution; 0: it is normal. */
static const struct {
    const char *name;
    maker *make;
    double mean, std, edge;
} makers[] = {{"layer", layer, 0, 0.023570226, 0.040824829},             /* 1 / sqrt(1800), 1 / sqrt(600) */
              {"kaiming in", kaiming_in, 0, 0.057735027, 0.1},           /* sqrt(2 / 600), sqrt(6 / 600) */
              {"kaiming out", kaiming_out, 0, 0.035355339, 0.061237244}, /* 1 / sqrt(800), sqrt(3 / 800) */
              {"kaiming normal", kaiming_normal, 0, 0.05, 0},            /* sqrt(2 / 800) */
              {"xavier", xavier, 0, 0.062994079, 0.10910895},            /* 5/3 sqrt(2 / 1400), 5/3 sqrt(6 / 1400) */
              {"xavier normal", xavier_normal, 0, 0.037796447, 0},       /* sqrt(2 / 1400) */
              {"uniform", uniform, 0.25, 0.28867513, 0.5},
              {"normal", normal, -3, 0.5, 0}};

static double over_all(weft_ctx *c, weft_tensor *(*reduce)(weft_tensor *, const int64_t *, int, bool), weft_tensor *t)
{
    return weft_item(c, reduce(weft_cast(t, WEFT_F64), WEFT_ALL, false));
}

static weft_ctx *open_seeded(fault_memory *m, uint64_t seed)
{
    weft_ctx *c = NULL;
    weft_options o = fault_options(m);
    o.seed = seed;
    WEFT_CHECK_OK(weft_ctx_open(&o, &c));
    return c;
}

WEFT_TEST(Init, BoundsAndMomentsAreThoseOfTheFormulas)
{
    static const weft_dtype dtypes[] = {WEFT_F32, WEFT_F64, WEFT_F16, WEFT_BF16};
    enum { N = 40 * 30 * 5 * 4 };
    for (int k = 0; k < 32; k++) {
        fault_memory m = {0};
        weft_ctx *c = open_seeded(&m, (uint64_t)k);
        weft_tensor *w = weft_param(weft_zeros(c, dtypes[k % 4], WEFT_DIMS(40, 30, 5, 4)), "w");
        const double mean = makers[k / 4].mean, std = makers[k / 4].std, edge = makers[k / 4].edge;
        WEFT_CHECK(makers[k / 4].make(w) == w);
        const double rounding = k % 4 == 3 ? 0x1p-8 : k % 4 == 2 ? 0x1p-11 : 1e-7;
        WEFT_CHECK_NEAR(over_all(c, weft_mean, w), mean, 5 * std / sqrt(N) + rounding * fabs(mean));
        weft_tensor *off = weft_add_scalar(weft_cast(weft_detach(w), WEFT_F64), -mean);
        WEFT_CHECK_NEAR(sqrt(over_all(c, weft_mean, weft_square(off))) / std, 1, 0.02);
        const double fourth = over_all(c, weft_mean, weft_square(weft_square(off))) / (std * std * std * std);
        WEFT_CHECK_NEAR(fourth, edge > 0 ? 1.8 : 3, edge > 0 ? 0.05 : 0.25); /* uniform, normal */
        const double least = over_all(c, weft_min_over, w) - mean, most = over_all(c, weft_max_over, w) - mean;
        if (edge > 0 && (least < -edge * (1 + rounding) || least > -edge * (0.999 - rounding) ||
                         most > edge * (1 + rounding) || most < edge * (0.999 - rounding)))
            WEFT_FAIL("%s, %s: from %.9g to %.9g, but the edge is %.9g", makers[k / 4].name,
                      weft_dtype_name(dtypes[k % 4]), least, most, edge);
        WEFT_CHECK(weft_requires_grad(w));
        weft_release(w);
        fault_ctx_close(c, &m);
    }
}

WEFT_TEST(Init, TheBiasOfALayerHasTheFanOfItsWeights)
{
    fault_memory m = {0};
    weft_ctx *c = open_seeded(&m, 3);
    weft_tensor *w = weft_zeros(c, WEFT_F32, WEFT_DIMS(5000, 4)), *b = weft_zeros(c, WEFT_F32, WEFT_DIMS(5000));
    WEFT_CHECK(weft_init_layer_(w, b) == w);
    WEFT_CHECK_NEAR(over_all(c, weft_max_over, b), 0.5, 1e-3);
    WEFT_CHECK_NEAR(over_all(c, weft_min_over, b), -0.5, 1e-3);
    WEFT_CHECK_NEAR(over_all(c, weft_mean, b), 0, 0.02);
    WEFT_CHECK_EQ_INT(weft_fan_of(w, WEFT_FAN_IN), 4);
    WEFT_CHECK_EQ_INT(weft_fan_of(w, WEFT_FAN_OUT), 5000);
    WEFT_CHECK_EQ_INT(weft_fan_of(b, WEFT_FAN_IN), -1);
    WEFT_CHECK_EQ_INT(weft_fan_of(NULL, WEFT_FAN_IN), -1);
    w = weft_zeros(c, WEFT_F32, WEFT_DIMS(6, 2, 3, 5)); /* of conv2d: 6 results, 2 inputs a group, 3 x 5 taps */
    WEFT_CHECK_EQ_INT(weft_fan_of(w, WEFT_FAN_IN), 30);
    WEFT_CHECK_EQ_INT(weft_fan_of(w, WEFT_FAN_OUT), 90);
    w = weft_zeros(c, WEFT_F32, WEFT_DIMS(3, 0)); /* no inputs: nothing is infinite */
    b = weft_ones(c, WEFT_F32, WEFT_DIMS(3));
    WEFT_CHECK(weft_init_layer_(w, b) == w);
    WEFT_CHECK_NEAR(over_all(c, weft_max_over, b), 0, 0);
    fault_ctx_close(c, &m);
}

/* The same stream as of weft_rand and weft_randn: values follow from the seed and the order of calls. */
WEFT_TEST(Init, ValuesFollowFromTheSeed)
{
    float values[3][70];
    for (int k = 0; k < 3; k++) {
        fault_memory m = {0};
        weft_ctx *c = open_seeded(&m, k == 2 ? 8 : 7);
        weft_tensor *t = weft_zeros(c, WEFT_F32, WEFT_DIMS(7, 10));
        weft_init_uniform_(t, -2, 3);
        WEFT_CHECK_OK(weft_read(c, t, values[k], sizeof values[k]));
        weft_seed(c, k == 2 ? 8 : 7);
        weft_tensor *same = weft_rand(c, WEFT_F32, WEFT_DIMS(7, 10), -2, 3);
        WEFT_CHECK_EQ_INT(weft_item_i64(c, weft_all(weft_eq(t, same), WEFT_ALL, false)), 1);
        weft_tensor *half = weft_zeros(c, WEFT_BF16, WEFT_DIMS(7, 10));
        weft_seed(c, 1);
        weft_init_normal_(half, 1, 2);
        weft_seed(c, 1);
        same = weft_cast(weft_randn(c, WEFT_F32, WEFT_DIMS(7, 10), 1, 2), WEFT_BF16);
        WEFT_CHECK_EQ_INT(weft_item_i64(c, weft_all(weft_eq(half, same), WEFT_ALL, false)), 1);
        fault_ctx_close(c, &m);
    }
    WEFT_CHECK(memcmp(values[0], values[1], sizeof values[0]) == 0);
    WEFT_CHECK(memcmp(values[0], values[2], sizeof values[0]) != 0);
}

static void check_refused(weft_ctx *c, weft_tensor *result, weft_status status, const char *text)
{
    WEFT_CHECK(result == NULL);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), text);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "test_init.c:");
    WEFT_CHECK_STATUS(weft_ctx_clear(c), status);
}

WEFT_TEST(Init, MistakesAreNamed)
{
    fault_memory m = {0};
    weft_ctx *c = open_seeded(&m, 1);
    weft_tensor *w = weft_param(weft_ones(c, WEFT_F32, WEFT_DIMS(2, 3)), "w"),
                *row = weft_ones(c, WEFT_F32, WEFT_DIMS(3)), *whole = weft_ones(c, WEFT_I64, WEFT_DIMS(2, 3));
    check_refused(c, weft_init_layer_(row, NULL), WEFT_E_SHAPE, "weft_init_layer_: the tensor has 1 dims");
    check_refused(c, weft_init_kaiming_normal_(whole, WEFT_FAN_IN, 1), WEFT_E_DTYPE,
                  "weft_init_kaiming_normal_: the tensor is i64");
    check_refused(c, weft_init_xavier_uniform_(w, NAN), WEFT_E_INVALID, "weft_init_xavier_uniform_: gain is nan");
    check_refused(c, weft_init_xavier_normal_(w, -1), WEFT_E_INVALID, "weft_init_xavier_normal_: gain is -1");
    check_refused(c, weft_init_uniform_(w, 1, 0), WEFT_E_INVALID, "weft_init_uniform_: lo is 1 and hi 0");
    check_refused(c, weft_init_uniform_(w, 0, NAN), WEFT_E_INVALID, "weft_init_uniform_: lo is 0 and hi nan");
    check_refused(c, weft_init_normal_(w, 0, -1), WEFT_E_INVALID, "weft_init_normal_: mean is 0 and std -1");
    check_refused(c, weft_init_normal_(weft_mul_scalar(w, 2), 0, 1), WEFT_E_NO_GRADIENT, "was computed from others");
    WEFT_CHECK(weft_init_normal_(NULL, 0, 1) == NULL);
    WEFT_CHECK(weft_init_layer_(NULL, row) == NULL);
    WEFT_CHECK_NEAR(over_all(c, weft_min_over, w), 1, 0); /* what was refused changed nothing */
    /* A graph that needs the old values knows that they are gone. */
    weft_tensor *loss = weft_sum(weft_square(w), WEFT_ALL, false);
    WEFT_CHECK(weft_init_uniform_(w, 0, 1) == w);
    WEFT_CHECK_STATUS(weft_backward(c, loss), WEFT_E_OVERWRITTEN);
    weft_ctx_clear(c);
    weft_release(w);
    fault_ctx_close(c, &m);
}
