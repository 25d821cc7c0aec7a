/* test_rows.c - softmax, cross entropy and normalisation with rows for a few lanes, a warp, a block, and too long for
 * shared memory; rows that begin anywhere; matrices of many tiles. */
#include "device/both.h"

#include <stdio.h>
#include <string.h>

#include "harness/weft_test.h"
#include "samples/layout.h"

static const weft_dtype dtypes[] = {WEFT_F32, WEFT_F64, WEFT_F16, WEFT_BF16};

typedef enum function {
    SOFTMAX,
    LOG_SOFTMAX,
    LAYER_NORM,
    RMS_NORM,
    BATCH_NORM,
    ENTROPY_NONE, /* weft_reduction after this one */
    ENTROPY_MEAN,
    ENTROPY_SUM
} function;

static const char *const function_names[] = {"softmax",    "log_softmax",  "layer_norm",   "rms_norm",
                                             "batch_norm", "entropy none", "entropy mean", "entropy sum"};

typedef struct run_case {
    function f;
    weft_dtype dtype;
    int64_t shape[4];
    int ndim;
    int dim;       /* softmax */
    int wanted;    /* -1: the result; 0, 1, 2: the gradient of x, w, b */
    double smooth; /* cross entropy */
    bool shifted;  /* x begins one row into its memory */
    bool plain;    /* no w, no b */
    int wide;      /* bit 0: w is f32, bit 1: b is */
} run_case;

/* x, one row further into its memory if c->shifted */
static weft_tensor *input_of(weft_ctx *ctx, const run_case *c)
{
    int64_t shape[4];
    memcpy(shape, c->shape, sizeof shape);
    shape[0] += c->shifted;
    weft_tensor *x = both_input(ctx, c->dtype, shape, c->ndim, -3, 5, 7);
    return c->shifted ? weft_slice(x, 0, 1, shape[0], 1) : x;
}

static weft_tensor *apply(weft_ctx *ctx, const run_case *c, weft_tensor *const *in)
{
    switch (c->f) {
    case SOFTMAX:
        return weft_softmax(in[0], c->dim);
    case LOG_SOFTMAX:
        return weft_log_softmax(in[0], c->dim);
    case LAYER_NORM:
        return weft_layer_norm(in[0], in[1], in[2], 1e-5);
    case RMS_NORM:
        return weft_rms_norm(in[0], in[1], 1e-5);
    case BATCH_NORM:
        return weft_batch_norm(in[0], in[1], in[2], NULL, NULL,
                               &(weft_batch_norm_params){sizeof(weft_batch_norm_params), 0.1, 1e-5, true});
    default: /* about one row in nine is ignored */
        return weft_cross_entropy_with(
            in[0], both_input(ctx, WEFT_I64, c->shape, c->ndim - 1, 0, (double)(c->shape[c->ndim - 1] - 1), 3),
            c->shape[c->ndim - 1] / 9, c->smooth, (weft_reduction)(c->f - ENTROPY_NONE));
    }
}

static weft_tensor *run_one(weft_ctx *ctx, void *user)
{
    const run_case *c = user;
    weft_tensor *in[3] = {input_of(ctx, c), NULL, NULL}, *gradient = NULL;
    const bool scaled = (c->f == LAYER_NORM || c->f == RMS_NORM || c->f == BATCH_NORM) && !c->plain;
    const int64_t n = c->f == BATCH_NORM ? c->shape[1] : c->shape[c->ndim - 1];
    if (scaled)
        in[1] = both_input(ctx, c->wide & 1 ? WEFT_F32 : c->dtype, &n, 1, -2, 2, 8);
    if (scaled && c->f != RMS_NORM)
        in[2] = both_input(ctx, c->wide & 2 ? WEFT_F32 : c->dtype, &n, 1, -2, 2, 9);
    if (c->wanted < 0)
        return apply(ctx, c, in);
    for (int k = 0; k < 3; k++)
        if (in[k])
            weft_set_requires_grad(in[k], true);
    weft_tensor *y = apply(ctx, c, in);
    weft_tensor *g = y ? both_input(ctx, c->dtype, weft_shape(y), weft_ndim(y), -1, 1, 10) : NULL;
    weft_grad(ctx, &y, &g, 1, &in[c->wanted], 1, 0, &gradient);
    return gradient;
}

/* Relative and absolute: a row's sums of some thousand terms, and a rounding of the dtype. */
static double tolerance(weft_dtype dtype)
{
    return dtype == WEFT_F32 ? 1e-5 : dtype == WEFT_F64 ? 1e-12 : dtype == WEFT_F16 ? 2e-3 : 1.6e-2;
}

/* The result of c and the gradients of its first n inputs. */
static void check_one_dtype(run_case c, int n)
{
    for (c.wanted = -1; c.wanted < n; c.wanted++) {
        char what[128];
        snprintf(what, sizeof what, "%s %s [%lld, %lld, %lld] dim %d, gradient %d", function_names[c.f],
                 weft_dtype_name(c.dtype), (long long)c.shape[0], (long long)c.shape[1], (long long)c.shape[2], c.dim,
                 c.wanted);
        const double terms = c.wanted > 0 ? 8 : 1; /* sums of rows, whose terms cancel */
        const double least = tolerance(c.wanted > 0 && c.wide & c.wanted ? WEFT_F32 : c.dtype);
        check_both(what, run_one, &c, least, least * terms);
    }
}

/* The same in every dtype. */
static void check_case(run_case c, int n)
{
    for (int d = 0; d < 4; d++) {
        c.dtype = dtypes[d];
        check_one_dtype(c, n);
    }
}

/* In half types with w, b or both in f32. */
static void check_wide(run_case c, int n, int which)
{
    for (int d = 2; d < 4; d++) {
        c.dtype = dtypes[d];
        c.wide = 1 + (which + d) % 3;
        check_one_dtype(c, n);
    }
}

static const int64_t sizes[][2] = {{70, 10}, {9, 100}, {5, 1027}, {3, 4112}, {2, 13003}};

static void check_rows(function f, bool shifted, int n)
{
    for (int k = 0; k < 5; k++) {
        run_case c = {.f = f, .shape = {sizes[k][0], sizes[k][1]}, .ndim = 2, .dim = 1, .shifted = shifted};
        check_case(c, n);
    }
}

/* The last size is too long for sums of dw and db in shared memory. */
static void check_norm(function f, bool shifted, int n)
{
    static const int64_t norm_sizes[][2] = {{70, 10}, {9, 100}, {4, 1027}, {2, 2064}, {2, 8601}};
    for (int k = 0; k < 5; k++) {
        run_case c = {.f = f, .shape = {norm_sizes[k][0], norm_sizes[k][1]}, .ndim = 2, .shifted = shifted};
        check_case(c, k < 3 ? n : 2);
        check_wide(c, k < 3 ? n : 2, k);
    }
}

WEFT_TEST(DeviceRows, SoftmaxOfRows)
{
    check_rows(SOFTMAX, false, 1);
}

WEFT_TEST(DeviceRows, LogSoftmaxOfRows)
{
    check_rows(LOG_SOFTMAX, true, 1);
}

WEFT_TEST(DeviceRows, SoftmaxOfColumns)
{
    const run_case cases[] = {{.f = SOFTMAX, .shape = {3, 70, 45}, .ndim = 3, .dim = 1},
                              {.f = SOFTMAX, .shape = {9, 5, 3}, .ndim = 3, .dim = 0},
                              {.f = LOG_SOFTMAX, .shape = {2, 33, 80}, .ndim = 3, .dim = 1},
                              {.f = LOG_SOFTMAX, .shape = {300, 2}, .ndim = 2, .dim = 0}};
    for (int k = 0; k < 4; k++)
        check_case(cases[k], 1);
}

WEFT_TEST(DeviceRows, LayerNorm)
{
    check_norm(LAYER_NORM, true, 3);
}

WEFT_TEST(DeviceRows, RmsNorm)
{
    check_norm(RMS_NORM, false, 2);
}

/* The sums of dw and db with the row take 48 KiB, to the byte or nearly, and the reductions a little more. */
WEFT_TEST(DeviceRows, NormAtTheEdgeOfSharedMemory)
{
    const struct {
        weft_dtype dtype;
        int64_t n;
    } edges[] = {{WEFT_BF16, 4096}, {WEFT_F16, 4089}, {WEFT_F32, 3072}, {WEFT_F32, 3069},
                 {WEFT_F64, 1536},  {WEFT_F64, 1535}, {WEFT_F32, 3000}};
    for (int k = 0; k < 7; k++) {
        run_case c = {.f = k % 2 ? RMS_NORM : LAYER_NORM, .dtype = edges[k].dtype, .shape = {3, edges[k].n}, .ndim = 2};
        check_one_dtype(c, k % 2 ? 2 : 3);
    }
}

/* A kernel's share of shared memory is the same for a shorter row after a longer one. */
WEFT_TEST(DeviceRows, NormOfShorterRowsAfterLongerOnes)
{
    for (int64_t n = 5000; n >= 3500; n -= 750) {
        run_case c = {.f = LAYER_NORM, .dtype = WEFT_F32, .shape = {2, n}, .ndim = 2};
        check_one_dtype(c, 2);
    }
}

/* Kept in shared memory by blocks of 512 threads or of 1024, or read twice: which of them depends on the size of an
 * element and the number of inputs. */
WEFT_TEST(DeviceRows, SoftmaxOfLongRows)
{
    static const int64_t columns[] = {20011, 50257};
    for (int k = 0; k < 2; k++) {
        run_case c = {.f = SOFTMAX, .shape = {2, columns[k]}, .ndim = 2, .dim = 1, .shifted = k};
        check_case(c, 1);
    }
}

WEFT_TEST(DeviceRows, LogSoftmaxOfLongRows)
{
    run_case c = {.f = LOG_SOFTMAX, .shape = {3, 50257}, .ndim = 2, .dim = 1};
    check_case(c, 1);
}

WEFT_TEST(DeviceRows, NormOfLongRows)
{
    run_case c = {.f = LAYER_NORM, .shape = {2, 40000}, .ndim = 2};
    check_case(c, 1);
    c = (run_case){.f = RMS_NORM, .shape = {2, 20011}, .ndim = 2, .shifted = true};
    check_case(c, 1);
}

WEFT_TEST(DeviceRows, NormWithoutScale)
{
    run_case c = {.f = LAYER_NORM, .shape = {7, 130}, .ndim = 2, .plain = true};
    check_case(c, 1);
    c.f = RMS_NORM;
    check_case(c, 1);
}

/* More rows than one block takes at a time. */
WEFT_TEST(DeviceRows, NormOfManyRows)
{
    run_case c = {.f = LAYER_NORM, .shape = {600, 8}, .ndim = 2};
    check_case(c, 3);
    c = (run_case){.f = LAYER_NORM, .shape = {75, 40}, .ndim = 2};
    check_case(c, 3);
    c = (run_case){.f = RMS_NORM, .shape = {19, 304}, .ndim = 2};
    check_case(c, 2);
}

/* The mean is far from 0 for the spread. */
static weft_tensor *far_off(weft_ctx *ctx, void *user)
{
    const run_case *c = user;
    weft_tensor *x = both_input(ctx, WEFT_F32, c->shape, c->ndim, 4096, 4098, 7);
    return c->f == LAYER_NORM
               ? weft_layer_norm(x, NULL, NULL, 1e-5)
               : weft_batch_norm(x, NULL, NULL, NULL, NULL,
                                 &(weft_batch_norm_params){sizeof(weft_batch_norm_params), 0.1, 1e-5, true});
}

WEFT_TEST(DeviceRows, LargeMeanOverSmallSpread)
{
    run_case rows = {.f = LAYER_NORM, .shape = {3, 2000}, .ndim = 2};
    check_both("layer_norm far from 0", far_off, &rows, 0, 3e-3);
    run_case planes = {.f = BATCH_NORM, .shape = {5, 2, 500}, .ndim = 3};
    check_both("batch_norm far from 0", far_off, &planes, 0, 3e-3);
    run_case columns = {.f = BATCH_NORM, .shape = {500, 3}, .ndim = 2};
    check_both("batch_norm of columns far from 0", far_off, &columns, 0, 3e-3);
}

WEFT_TEST(DeviceRows, CrossEntropy)
{
    for (function f = ENTROPY_NONE; f <= ENTROPY_SUM; f++)
        for (int smooth = 0; smooth < 2; smooth++)
            for (int k = f == ENTROPY_MEAN ? 0 : 1; k < 4; k += f == ENTROPY_MEAN ? 1 : 2) {
                run_case c = {.f = f, .shape = {sizes[k][0], sizes[k][1]}, .ndim = 2, .smooth = smooth ? 0.1 : 0};
                check_case(c, 1);
            }
}

/* More rows than all blocks take at a time, and logits that begin anywhere. */
WEFT_TEST(DeviceRows, CrossEntropyOfManyRows)
{
    run_case c = {.f = ENTROPY_MEAN, .shape = {1300, 7}, .ndim = 2, .shifted = true};
    check_case(c, 1);
}

WEFT_TEST(DeviceRows, BatchNorm)
{
    const run_case cases[] = {{.f = BATCH_NORM, .shape = {40, 70}, .ndim = 2},
                              {.f = BATCH_NORM, .shape = {130, 13, 3}, .ndim = 3},
                              {.f = BATCH_NORM, .shape = {5, 3, 7, 7}, .ndim = 4},
                              {.f = BATCH_NORM, .shape = {6, 3, 8, 24}, .ndim = 4},
                              {.f = BATCH_NORM, .shape = {2, 2, 9001}, .ndim = 3, .shifted = true},
                              {.f = BATCH_NORM, .shape = {3, 5, 40}, .ndim = 3, .plain = true}};
    for (int k = 0; k < 6; k++) {
        check_case(cases[k], cases[k].plain ? 1 : 3);
        if (!cases[k].plain)
            check_wide(cases[k], 3, k);
    }
}

/* No number of classes fits: the row and the value are named, on the CPU at once, elsewhere at the next
 * synchronisation. */
WEFT_TEST(DeviceRows, CrossEntropyNamesABadTarget)
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx != NULL);
    const int64_t target[] = {0, 4, -1, 2};
    weft_tensor *x = both_input(ctx, WEFT_F32, WEFT_DIMS(4, 4), 0, 1, 1);
    weft_tensor *t = weft_from_data(ctx, WEFT_I64, WEFT_DIMS(4), target);
    weft_tensor *loss = weft_cross_entropy_with(x, t, -1, 0, WEFT_REDUCTION_SUM);
    float value;
    WEFT_CHECK(!loss || weft_read(ctx, loss, &value, sizeof value) == WEFT_E_INVALID);
    WEFT_CHECK_STR_HAS(weft_ctx_message(ctx), "target[1] = 4");
    weft_ctx_clear(ctx);
    test_ctx_close(ctx, &memory);
}

/* More rows, each for a whole block, and more tiles of columns than there are blocks on a small device (the emulator's
 * has 64): one block goes round more than once, and must not write its second row's partial results over those of the
 * first while they are read. */
WEFT_TEST(DeviceRows, BlocksThatGoRoundTwice)
{
    static const function rows[] = {SOFTMAX, LOG_SOFTMAX, LAYER_NORM, RMS_NORM, ENTROPY_MEAN};
    for (int k = 0; k < 5; k++) {
        run_case c = {.f = rows[k], .dtype = WEFT_F32, .shape = {67, 1030}, .ndim = 2, .dim = 1};
        check_one_dtype(c, rows[k] == LAYER_NORM ? 3 : rows[k] == RMS_NORM ? 2 : 1);
    }
    run_case columns = {.f = SOFTMAX, .dtype = WEFT_F32, .shape = {2, 33, 1060}, .ndim = 3, .dim = 1};
    check_one_dtype(columns, 1);
    run_case planes = {.f = BATCH_NORM, .dtype = WEFT_F32, .shape = {2, 67, 40}, .ndim = 3};
    check_one_dtype(planes, 3);
}
