/* test_norm.c - norms of half types with weights, biases and running statistics in f32, which keep their digits. */
#include <math.h>
#include <stdlib.h>
#include "samples/layout.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"

typedef enum kind { LAYER, RMS, BATCH, BATCH_RUNNING, KINDS } kind;

static const char *const kind_names[] = {"layer_norm", "rms_norm", "batch_norm", "batch_norm by running statistics"};

enum { ROWS = 64, COLUMNS = 6, NAMES = 5 };

/* x, w, b, running mean and variance; half: x in that dtype, the others in f32. Else all in f64, with the same
 * values. */
typedef struct operands {
    weft_tensor *t[NAMES];
} operands;

static operands make(weft_ctx *c, weft_dtype half, bool reference)
{
    operands o;
    weft_seed(c, 5);
    for (int k = 0; k < NAMES; k++) {
        const int64_t shape[] = {ROWS, COLUMNS};
        const double lo = k == 0 ? -3 : k == 4 ? 1 : -2;
        weft_tensor *t = weft_rand(c, WEFT_F32, k == 0 ? shape : shape + 1, k == 0 ? 2 : 1, lo, k == 4 ? 3 : 2);
        if (k == 0)
            t = weft_cast(t, half);
        o.t[k] = weft_cast(t, reference ? WEFT_F64 : weft_dtype_of(t));
        if (k < 3)
            weft_set_requires_grad(o.t[k], true);
    }
    return o;
}

static weft_tensor *apply(kind k, const operands *o)
{
    switch (k) {
    case LAYER:
        return weft_layer_norm(o->t[0], o->t[1], o->t[2], 1e-5);
    case RMS:
        return weft_rms_norm(o->t[0], o->t[1], 1e-5);
    default:
        return weft_batch_norm(o->t[0], o->t[1], o->t[2], o->t[3], o->t[4],
                               &(weft_batch_norm_params){sizeof(weft_batch_norm_params), 0.1, 1e-5, k == BATCH});
    }
}

/* How far a is from b, at most, beside 1 or the largest of b. */
static double distance(weft_ctx *c, weft_tensor *a, weft_tensor *b)
{
    weft_tensor *off = weft_sub(weft_cast(weft_detach(a), WEFT_F64), weft_detach(b));
    const double largest = weft_item(c, weft_max_over(weft_abs(weft_detach(b)), WEFT_ALL, false));
    return weft_item(c, weft_max_over(weft_abs(off), WEFT_ALL, false)) / fmax(1, largest);
}

static void check_kind(weft_ctx *c, kind k, weft_dtype half, int flags)
{
    const double rounding = half == WEFT_F16 ? 0x1p-11 : 0x1p-8;
    operands o = make(c, half, false), reference = make(c, half, true);
    weft_tensor *y = apply(k, &o), *want = apply(k, &reference), *got[3], *wanted[3];
    const int n = k == RMS ? 2 : 3;
    weft_tensor *g = weft_cast(weft_rand(c, WEFT_F32, WEFT_DIMS(ROWS, COLUMNS), -1, 1), half),
                *g64 = weft_cast(g, WEFT_F64);
    WEFT_CHECK_OK(weft_grad(c, &y, &g, 1, o.t, n, flags, got));
    WEFT_CHECK_OK(weft_grad(c, &want, &g64, 1, reference.t, n, flags, wanted));
    if (weft_ctx_status(c) != WEFT_OK)
        return;
    WEFT_CHECK_EQ_INT(weft_dtype_of(y), half);
    WEFT_CHECK_NEAR(distance(c, y, want), 0, rounding);
    for (int i = 0; i < n; i++) {
        const double off = distance(c, got[i], wanted[i]), bound = i == 0 ? 2 * rounding : 1e-5;
        if (weft_dtype_of(got[i]) != (i == 0 ? half : WEFT_F32) || !(off < bound))
            WEFT_FAIL("%s of %s, flags %d: gradient %d is %s and off by %.3g", kind_names[k], weft_dtype_name(half),
                      flags, i, weft_dtype_name(weft_dtype_of(got[i])), off);
    }
    for (int i = 3; i < NAMES && k == BATCH; i++) { /* moved in f32, where they are f32 */
        WEFT_CHECK_EQ_INT(weft_dtype_of(o.t[i]), WEFT_F32);
        WEFT_CHECK_NEAR(distance(c, o.t[i], reference.t[i]), 0, 1e-5);
    }
}

WEFT_TEST(NormWide, WeightsOfHalfNormsKeepTheirDigits)
{
    static const weft_dtype halves[] = {WEFT_F16, WEFT_BF16};
    test_memory memory;
    weft_ctx *c = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(c != NULL);
    for (int k = 0; k < KINDS; k++)
        for (int d = 0; d < 2; d++)
            for (int flags = 0; flags < 2; flags++) {
                const int mark = weft_scope_push(c);
                check_kind(c, (kind)k, halves[d], flags ? WEFT_GRAD_CREATE_GRAPH : 0);
                WEFT_CHECK_OK(weft_scope_pop(c, mark));
            }
    test_ctx_close(c, &memory);
}

/* xhat is 1 and -1: y = w + b in f32, where w and b rounded to half cancel. */
WEFT_TEST(NormWide, WeightsAndBiasesAreAddedInF32)
{
    static const struct {
        weft_dtype dtype;
        double w, b;
    } runs[] = {{WEFT_F16, 2049, -2048}, {WEFT_BF16, 257, -256}, {WEFT_F32, 2049, -2048}};
    for (int k = 0; k < 3; k++) {
        test_memory memory;
        weft_ctx *c = test_ctx_open(&memory, 1);
        WEFT_REQUIRE(c != NULL);
        weft_tensor *x = weft_from_data(c, WEFT_F32, WEFT_DIMS(2, 1), (const float[]){1, -1}),
                    *w = weft_full(c, WEFT_F32, WEFT_DIMS(1), runs[k].w),
                    *b = weft_full(c, WEFT_F32, WEFT_DIMS(1), runs[k].b);
        weft_tensor *y = weft_batch_norm(weft_cast(x, runs[k].dtype), w, b, NULL, NULL,
                                         &(weft_batch_norm_params){sizeof(weft_batch_norm_params), 0.1, 0, true});
        WEFT_CHECK_NEAR(weft_item(c, weft_select(weft_select(y, 0, 0), 0, 0)), 1, 1e-3);
        x = weft_reshape(x, WEFT_DIMS(1, 2));
        w = weft_full(c, WEFT_F64, WEFT_DIMS(2), runs[k].w); /* of any floating dtype */
        b = weft_full(c, WEFT_F32, WEFT_DIMS(2), runs[k].b);
        y = weft_layer_norm(weft_cast(x, runs[k].dtype), w, b, 0);
        WEFT_CHECK_NEAR(weft_item(c, weft_select(weft_select(y, 0, 0), 0, 0)), 1, 1e-3);
        test_ctx_close(c, &memory);
    }
}

/* The gradient of w and b over many rows, of x and g in dtype. */
static void gradient_of_rows(weft_ctx *c, weft_dtype dtype, double *dw, double *db)
{
    enum { ROWS = 300000, COLS = 4 };
    const int mark = weft_scope_push(c);
    float *x = malloc(sizeof *x * ROWS * COLS);
    for (int k = 0; k < ROWS * COLS; k++)
        x[k] = (float)((k * 37 + k / 4 * 11) % 101) / 64;
    weft_tensor *t = weft_cast(weft_from_data(c, WEFT_F32, WEFT_DIMS(ROWS, COLS), x), dtype), *g[2] = {NULL};
    free(x);
    weft_tensor *of[] = {weft_set_requires_grad(weft_ones(c, dtype, WEFT_DIMS(COLS)), true),
                         weft_set_requires_grad(weft_zeros(c, dtype, WEFT_DIMS(COLS)), true)};
    weft_tensor *y = weft_layer_norm(t, of[0], of[1], 1e-5), *with = weft_add_scalar(weft_square(t), 0.1);
    WEFT_CHECK_OK(weft_grad(c, &y, &with, 1, of, 2, 0, g));
    WEFT_CHECK_OK(weft_read(c, weft_cast(g[0], WEFT_F64), dw, sizeof *dw * COLS));
    WEFT_CHECK_OK(weft_read(c, weft_cast(g[1], WEFT_F64), db, sizeof *db * COLS));
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
}

/* Sums over rows do not lose digits with their number: those of f32 are within two roundings of those of f64, beside
 * what the terms themselves are off. */
WEFT_TEST(Norm, GradientsOfWeightsOverManyRows)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    double dw[4], db[4], want_dw[4], want_db[4];
    gradient_of_rows(c, WEFT_F64, want_dw, want_db);
    gradient_of_rows(c, WEFT_F32, dw, db);
    for (int k = 0; k < 4; k++) {
        WEFT_CHECK_NEAR(dw[k] / want_dw[k], 1, 4e-7);
        WEFT_CHECK_NEAR(db[k] / want_db[k], 1, 2e-7);
    }
    fault_ctx_close(c, &m);
}
