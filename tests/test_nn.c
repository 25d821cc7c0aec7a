/* test_nn.c - layers and losses of networks beyond their golden values: derivatives of the third order, states that are
 * handed on, layers so many that their weights have no bit of their own, and what is refused. */
#include <math.h>
#include <weft/weft.h>
#include "harness/structs.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"

/* ---- Derivatives of the third order ---- */

enum { STEPS = 5, BATCH = 2, CLASSES = 4, LABELS = 2 };

/* x, or, where a check only wants values, one that is differentiated in its place. */
static weft_tensor *differentiable(weft_ctx *c, weft_tensor *x)
{
    weft_set_grad_enabled(c, true);
    return weft_requires_grad(x) ? x : weft_set_requires_grad(weft_detach(x), true);
}

/* The gradient of a loss by x, which can be differentiated on. */
static weft_tensor *slope(weft_ctx *c, weft_tensor *loss, weft_tensor *x)
{
    weft_tensor *total = weft_sum(loss, WEFT_ALL, false), *g = NULL;
    return weft_grad(c, &total, NULL, 1, &x, 1, WEFT_GRAD_CREATE_GRAPH, &g) == WEFT_OK ? g : NULL;
}

static weft_tensor *slope_of_ctc(weft_ctx *c, weft_tensor *const *in, int n, void *user)
{
    static const int64_t labels[] = {1, 1, 2, 3}, steps[] = {STEPS, STEPS - 1}, lengths[] = {LABELS, 1};
    (void)n, (void)user;
    weft_tensor *targets = weft_from_data(c, WEFT_I64, WEFT_DIMS(BATCH, LABELS), labels);
    weft_tensor *x = differentiable(c, in[0]), *log_probs = weft_log_softmax(x, -1);
    return slope(c, weft_ctc_loss(log_probs, targets, steps, lengths, 0, false, WEFT_REDUCTION_MEAN), x);
}

static weft_tensor *slope_of_lstm(weft_ctx *c, weft_tensor *const *in, int n, void *user)
{
    weft_tensor *y = NULL, *last = NULL, *x = differentiable(c, in[0]);
    (void)n, (void)user;
    if (weft_lstm(x, NULL, NULL, in + 1, 4, NULL, &y, NULL, &last) != WEFT_OK)
        return NULL;
    return slope(c, weft_add(weft_sum(weft_square(y), WEFT_ALL, false), weft_sum(last, WEFT_ALL, false)), x);
}

static weft_tensor *slope_of_sampling(weft_ctx *c, weft_tensor *const *in, int n, void *user)
{
    (void)n, (void)user;
    weft_tensor *at = differentiable(c, in[1]);
    weft_tensor *read = weft_grid_sample(in[0], at, WEFT_INTERPOLATION_LINEAR, WEFT_OUTSIDE_REFLECTION, false);
    return slope(c, weft_mul(weft_square(read), read), at);
}

static void check_slope(weft_ctx *c, weft_tensor **in, int n, weft_function f)
{
    for (int k = 0; k < n; k++)
        in[k] = weft_set_requires_grad(in[k], true);
    if (weft_gradcheck(c, in, n, f, NULL, NULL) != WEFT_OK)
        WEFT_FAIL("second order: %s", weft_ctx_message(c));
    weft_ctx_clear(c);
    if (weft_gradgradcheck(c, in, n, f, NULL, NULL) != WEFT_OK)
        WEFT_FAIL("third order: %s", weft_ctx_message(c));
    weft_ctx_clear(c);
}

WEFT_TEST(Layers, DerivativesOfTheThirdOrder)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    WEFT_REQUIRE(c);
    weft_seed(c, 3);
    weft_tensor *scores = weft_rand(c, WEFT_F64, WEFT_DIMS(STEPS, BATCH, CLASSES), -1, 1);
    check_slope(c, &scores, 1, slope_of_ctc);
    weft_tensor *lstm[] = {weft_rand(c, WEFT_F64, WEFT_DIMS(3, 1, 2), -1, 1),
                           weft_rand(c, WEFT_F64, WEFT_DIMS(8, 2), -1, 1),
                           weft_rand(c, WEFT_F64, WEFT_DIMS(8, 2), -1, 1), weft_rand(c, WEFT_F64, WEFT_DIMS(8), -1, 1),
                           weft_rand(c, WEFT_F64, WEFT_DIMS(8), -1, 1)};
    check_slope(c, lstm, 5, slope_of_lstm);
    static const double places[] = {-0.63, 0.11, 0.72, -1.42, 1.23, 0.31};
    weft_tensor *read[] = {weft_rand(c, WEFT_F64, WEFT_DIMS(1, 1, 3, 4), -1, 1),
                           weft_from_data(c, WEFT_F64, WEFT_DIMS(1, 1, 3, 2), places)};
    check_slope(c, read, 2, slope_of_sampling);
    fault_ctx_close(c, &m);
}

/* ---- States and weights ---- */

/* The largest difference of two tensors of one shape. */
static double apart(weft_ctx *c, weft_tensor *a, weft_tensor *b)
{
    return weft_item(c, weft_max_over(weft_abs(weft_sub(a, b)), WEFT_ALL, false));
}

/* Two steps, and three more from the states after them, are five. */
WEFT_TEST(Layers, StatesAreHandedOn)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    WEFT_REQUIRE(c);
    weft_tensor *x = weft_rand(c, WEFT_F64, WEFT_DIMS(5, 2, 3), -1, 1);
    weft_tensor *w[4] = {weft_rand(c, WEFT_F64, WEFT_DIMS(8, 3), -1, 1),
                         weft_rand(c, WEFT_F64, WEFT_DIMS(8, 2), -1, 1)};
    weft_tensor *y, *h, *cell, *first, *second;
    WEFT_CHECK_OK(weft_lstm(x, NULL, NULL, w, 4, NULL, &y, &h, &cell));
    weft_tensor *h1, *c1, *h2, *c2;
    WEFT_CHECK_OK(weft_lstm(weft_slice(x, 0, 0, 2, 1), NULL, NULL, w, 4, NULL, &first, &h1, &c1));
    WEFT_CHECK_OK(weft_lstm(weft_slice(x, 0, 2, 5, 1), h1, c1, w, 4, NULL, &second, &h2, &c2));
    WEFT_CHECK(apart(c, weft_slice(y, 0, 0, 2, 1), first) == 0);
    WEFT_CHECK(apart(c, weft_slice(y, 0, 2, 5, 1), second) == 0);
    WEFT_CHECK(apart(c, h, h2) == 0);
    WEFT_CHECK(apart(c, cell, c2) == 0);
    WEFT_CHECK(apart(c, weft_select(h, 0, 0), weft_select(y, 0, 4)) == 0);
    fault_ctx_close(c, &m);
}

/* 9 layers both ways have 72 weights; a matrix that is missing behind the 32nd operand is named as any other. */
WEFT_TEST(Layers, ManyOfThem)
{
    enum { LAYERS = 9, N = 8 * LAYERS };
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    WEFT_REQUIRE(c);
    weft_tensor *x = weft_rand(c, WEFT_F64, WEFT_DIMS(2, 1, 1), -1, 1), *w[N] = {NULL}, *y, *h;
    for (int k = 0; k < N; k += 4) {
        w[k] = weft_full(c, WEFT_F64, WEFT_DIMS(1, k < 8 ? 1 : 2), 0.5);
        w[k + 1] = weft_full(c, WEFT_F64, WEFT_DIMS(1, 1), 0.25);
    }
    const weft_recurrent_params p = {sizeof p, LAYERS, true, false, false};
    WEFT_CHECK_OK(weft_rnn(x, NULL, w, N, &p, &y, &h));
    WEFT_CHECK_EQ_INT(weft_size(y, 2), 2);
    WEFT_CHECK_EQ_INT(weft_size(h, 0), 2 * LAYERS);
    WEFT_CHECK(
        apart(c, weft_select(weft_select(h, 0, 2 * LAYERS - 2), 1, 0), weft_select(weft_select(y, 0, 1), 1, 0)) == 0);
    w[60] = NULL;
    WEFT_CHECK_STATUS(weft_rnn(x, NULL, w, N, &p, &y, &h), WEFT_E_NULL_ARGUMENT);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "operand 62 is NULL");
    WEFT_CHECK(!y && !h);
    weft_ctx_clear(c);
    fault_ctx_close(c, &m);
}

/* ---- What is refused ---- */

WEFT_TEST(Layers, RefuseWhatDoesNotFit)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    WEFT_REQUIRE(c);
    weft_tensor *x = weft_ones(c, WEFT_F32, WEFT_DIMS(3, 2, 4)), *y, *h;
    weft_tensor *w[8] = {weft_ones(c, WEFT_F32, WEFT_DIMS(5, 4)), weft_ones(c, WEFT_F32, WEFT_DIMS(5, 5))};
    w[4] = w[0];
    w[5] = w[1];
    weft_recurrent_params p = WEFT_RECURRENT_DEFAULTS;
    weft_rnn(x, NULL, w, 8, &p, &y, &h);
    check_no_result(c, y, WEFT_E_INVALID, "there are 8 weights, but must be 4");
    weft_rnn(x, NULL, NULL, 4, &p, &y, &h);
    check_no_result(c, y, WEFT_E_INVALID, "there are 0 weights");
    p.layers = 33;
    weft_rnn(x, NULL, w, 4, &p, &y, &h);
    check_no_result(c, y, WEFT_E_INVALID, "layers is 33, but must be from 1 to 32");
    weft_gru(x, NULL, w, 4, NULL, &y, &h);
    check_no_result(c, y, WEFT_E_SHAPE, "w_ih, operand 2, is f32 [5, 4], but must be [15, 4]: 3 gates of a state of 5");
    weft_rnn(x, weft_ones(c, WEFT_F32, WEFT_DIMS(1, 2, 4)), w, 4, NULL, &y, &h);
    check_no_result(c, y, WEFT_E_SHAPE, "must be [1, 2, 5]: one for each layer and direction");
    weft_rnn(weft_ones(c, WEFT_F32, WEFT_DIMS(0, 2, 4)), NULL, w, 4, NULL, &y, &h);
    check_no_result(c, y, WEFT_E_SHAPE, "has 0 steps (dim 0)");
    weft_rnn(x, NULL, w, 4, NULL, NULL, NULL);
    check_no_result(c, NULL, WEFT_E_NULL_ARGUMENT, "every place for a result is NULL");
    weft_tensor *row = weft_ones(c, WEFT_F32, WEFT_DIMS(2, 4));
    check_no_result(c, weft_rnn_cell(row, weft_ones(c, WEFT_F32, WEFT_DIMS(1, 5)), w[0], w[1], NULL, NULL, false),
                    WEFT_E_SHAPE, "the state f32 [1, 5], operand 1, must be [2, 5]");

    weft_tensor *volume = weft_ones(c, WEFT_F32, WEFT_DIMS(1, 4, 3, 3, 3)),
                *taps = weft_ones(c, WEFT_F32, WEFT_DIMS(2, 3, 2, 2, 2));
    check_no_result(c, weft_conv3d(volume, taps, NULL, NULL), WEFT_E_SHAPE, "do not fit with 1 groups");
    weft_conv3d_params cp = WEFT_CONV3D_DEFAULTS;
    cp.groups = 0;
    check_no_result(c, weft_conv3d(volume, taps, NULL, &cp), WEFT_E_INVALID, "groups is 0");
    cp.groups = 1;
    cp.stride[2] = 0;
    check_no_result(c, weft_conv3d(volume, taps, NULL, &cp), WEFT_E_INVALID, "stride[2] is 0");
    cp.stride[2] = 1;
    cp.output_padding[0] = 1;
    check_no_result(c, weft_conv3d_transpose(volume, taps, NULL, &cp), WEFT_E_INVALID, "output_padding[0] is 1");
    cp.output_padding[0] = 0;
    cp.padding[1] = 2;
    taps = weft_ones(c, WEFT_F32, WEFT_DIMS(4, 3, 2, 2, 2));
    check_no_result(c, weft_conv3d_transpose(volume, taps, weft_ones(c, WEFT_F32, WEFT_DIMS(2)), NULL), WEFT_E_SHAPE,
                    "b f32 [2] must be [3]");
    check_no_result(c, weft_conv3d_transpose(weft_slice(volume, 3, 0, 1, 1), taps, NULL, &cp), WEFT_E_SHAPE,
                    "would have -2 elements");
    taps = weft_ones(c, WEFT_F32, WEFT_DIMS(2, 4, 4, 1, 1));
    check_no_result(c, weft_conv3d(volume, taps, NULL, NULL), WEFT_E_SHAPE, "does not fit into dim 2");
    weft_pool3d_params pool = WEFT_POOL3D_DEFAULTS;
    check_no_result(c, weft_max_pool3d(volume, NULL), WEFT_E_INVALID, "params is NULL");
    check_no_result(c, weft_max_pool3d(volume, &pool), WEFT_E_INVALID, "kernel[0] is 0");
    pool.kernel[0] = pool.kernel[1] = pool.kernel[2] = 4;
    check_no_result(c, weft_avg_pool3d(volume, &pool), WEFT_E_SHAPE, "a window of 4 does not fit into dim 2");
    pool.padding[1] = 3;
    check_no_result(c, weft_avg_pool3d(weft_ones(c, WEFT_F32, WEFT_DIMS(1, 1, 9, 9, 9)), &pool), WEFT_E_INVALID,
                    "padding[1] is 3, but must be from 0 to 2");
    weft_window_params window = WEFT_WINDOW_DEFAULTS;
    check_no_result(c, weft_max_pool(row, NULL), WEFT_E_INVALID, "params is NULL");
    check_no_result(c, weft_max_pool(row, &window), WEFT_E_INVALID, "kernel[0] is 0");
    window.kernel[0] = window.kernel[1] = 2;
    window.dilation[1] = 4;
    check_no_result(c, weft_avg_pool(row, &window), WEFT_E_SHAPE, "a window of 2, 4 apart, does not fit into dim 1");
    window.padding[1] = 3;
    check_no_result(c, weft_avg_pool(row, &window), WEFT_E_INVALID, "padding[1] is 3, but must be from 0 to 2");
    check_no_result(c, weft_lp_pool(row, 0, &window), WEFT_E_INVALID, "the order is 0");
    window.ndim = 3;
    check_no_result(c, weft_max_pool(row, &window), WEFT_E_INVALID, "ndim is 3, but must be from 1 to 3 and at most");
    check_no_result(c, weft_interpolate_antialias(row, WEFT_DIMS(3), WEFT_INTERPOLATION_AREA), WEFT_E_INVALID,
                    "the linear or the cubic way");
    check_no_result(c, weft_adaptive_max_pool(row, NULL, 1), WEFT_E_INVALID, "needs sizes for 1 to 2 last dims");
    check_no_result(c, weft_adaptive_max_pool(weft_ones(c, WEFT_F32, WEFT_DIMS(2, 0)), WEFT_DIMS(3)), WEFT_E_SHAPE,
                    "size 3 for dim 1");
    fault_ctx_close(c, &m);
}

WEFT_TEST(Layers, RefusePlacesAndLengths)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    WEFT_REQUIRE(c);
    weft_tensor *table = weft_ones(c, WEFT_F32, WEFT_DIMS(3, 2)), *index = weft_zeros(c, WEFT_I64, WEFT_DIMS(4));
    check_no_result(c, weft_embedding_bag(table, index, NULL, WEFT_DIMS(1, 2), WEFT_BAG_SUM), WEFT_E_INVALID,
                    "bag 0 begins at 1");
    check_no_result(c, weft_embedding_bag(table, index, NULL, WEFT_DIMS(0, 3, 2), WEFT_BAG_SUM), WEFT_E_INVALID,
                    "bag 2 begins at 2");
    check_no_result(c, weft_embedding_bag(table, index, NULL, WEFT_DIMS(0, 5), WEFT_BAG_SUM), WEFT_E_INVALID,
                    "bag 1 begins at 5");
    check_no_result(c, weft_embedding_bag(table, index, NULL, NULL, 0, WEFT_BAG_SUM), WEFT_E_INVALID, "there are 0");
    check_no_result(c, weft_embedding_bag(table, index, NULL, WEFT_DIMS(0), (weft_bag)3), WEFT_E_INVALID,
                    "3 is none of weft_bag");
    check_no_result(c,
                    weft_embedding_bag(table, index, weft_ones(c, WEFT_F32, WEFT_DIMS(3)), WEFT_DIMS(0), WEFT_BAG_SUM),
                    WEFT_E_SHAPE, "the scale f32 [3] must be one number for each entry of the index");
    weft_tensor *picture = weft_ones(c, WEFT_F32, WEFT_DIMS(1, 1, 2, 2)),
                *grid = weft_zeros(c, WEFT_F32, WEFT_DIMS(1, 1, 1, 2));
    check_no_result(c, weft_grid_sample(picture, grid, WEFT_INTERPOLATION_CUBIC, WEFT_OUTSIDE_ZERO, false),
                    WEFT_E_INVALID, "the way is 2, but must be nearest or linear");
    check_no_result(c,
                    weft_grid_sample(picture, weft_zeros(c, WEFT_F32, WEFT_DIMS(2, 1, 1, 2)), WEFT_INTERPOLATION_LINEAR,
                                     WEFT_OUTSIDE_ZERO, false),
                    WEFT_E_SHAPE, "must be [1, rows, columns, 2]");
    check_no_result(c, weft_affine_grid(picture, WEFT_DIMS(2, 2), false), WEFT_E_SHAPE, "must be [N, 2, 3]");
    check_no_result(c, weft_affine_grid(picture, WEFT_DIMS(2), false), WEFT_E_INVALID, "not 1");
    check_no_result(c, weft_affine_grid(weft_ones(c, WEFT_F32, WEFT_DIMS(1, 2, 3)), WEFT_DIMS(-1, 2), false),
                    WEFT_E_SHAPE, "the sizes are [-1, 2]");
    weft_tensor *places = weft_zeros(c, WEFT_I64, WEFT_DIMS(1, 1, 2, 1));
    check_no_result(c, weft_max_unpool2d(picture, places, (const int64_t[]){4, 4}), WEFT_E_SHAPE,
                    "must have one place for each element");

    weft_tensor *log_probs = weft_zeros(c, WEFT_F32, WEFT_DIMS(3, 1, 2)),
                *target = weft_ones(c, WEFT_I64, WEFT_DIMS(1, 2));
    const int64_t none[] = {0}, four[] = {4};
    check_no_result(c, weft_ctc_loss(log_probs, target, none, NULL, 0, false, WEFT_REDUCTION_SUM), WEFT_E_INVALID,
                    "input length 0 is 0, but must be from 1 to the 3 steps");
    check_no_result(c, weft_ctc_loss(log_probs, target, NULL, four, 0, false, WEFT_REDUCTION_SUM), WEFT_E_INVALID,
                    "target length 0 is 4, but must be from 0 to the 2 labels");
    check_no_result(c, weft_ctc_loss(log_probs, target, NULL, NULL, 2, false, WEFT_REDUCTION_SUM), WEFT_E_INVALID,
                    "blank is 2, but must be one of the 2 classes");
    check_no_result(c, weft_ctc_loss(log_probs, target, NULL, NULL, 0, false, (weft_reduction)3), WEFT_E_INVALID,
                    "the reduction is 3");
    check_no_result(
        c, weft_ctc_loss(log_probs, weft_ones(c, WEFT_I64, WEFT_DIMS(2, 2)), NULL, NULL, 0, false, WEFT_REDUCTION_SUM),
        WEFT_E_SHAPE, "must be [N, S]: 1 sequences");
    weft_tensor *scores = weft_zeros(c, WEFT_F32, WEFT_DIMS(2, 3)), *right = weft_zeros(c, WEFT_I64, WEFT_DIMS(2));
    check_no_result(c, weft_multi_margin_loss(scores, right, 3, 1, WEFT_REDUCTION_MEAN), WEFT_E_INVALID,
                    "the power is 3");
    check_no_result(c, weft_multilabel_margin_loss(scores, right, WEFT_REDUCTION_MEAN), WEFT_E_SHAPE,
                    "must be [..., C]");
    check_no_result(c, weft_multi_margin_loss(scores, right, 1, 1, (weft_reduction)7), WEFT_E_INVALID, "reduction 7");
    weft_tensor *boxes = weft_zeros(c, WEFT_F32, WEFT_DIMS(2, 4));
    check_no_result(c, weft_box_iou(boxes, scores), WEFT_E_SHAPE, "b f32 [2, 3] must be [..., boxes, 4]");
    check_no_result(c, weft_box_decode(boxes, scores, 1, 1, 1), WEFT_E_SHAPE,
                    "the offsets f32 [2, 3] must be [..., 4]");
    check_no_result(c, weft_box_decode(boxes, boxes, 1, 1, NAN), WEFT_E_INVALID, "the limit is NaN");
    check_no_result(c, weft_nms(boxes, scores, 0.5), WEFT_E_SHAPE, "the scores f32 [2, 3] [N]");
    check_no_result(c, weft_nms(boxes, weft_zeros(c, WEFT_F32, WEFT_DIMS(2)), NAN), WEFT_E_INVALID,
                    "the threshold is NaN");
    fault_ctx_close(c, &m);
}

/* A score that is NaN comes before all others, and of equals the first one. */
WEFT_TEST(Layers, NmsOfNaN)
{
    static const double corners[] = {0, 0, 2, 2, 5, 5, 6, 6, 0, 0, 2, 2, 5, 5, 6, 6}, values[] = {1, 1, NAN, 1};
    int64_t kept[2];
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    WEFT_REQUIRE(c);
    weft_tensor *y = weft_nms(weft_from_data(c, WEFT_F64, WEFT_DIMS(4, 4), corners),
                              weft_from_data(c, WEFT_F64, WEFT_DIMS(4), values), 0.5);
    WEFT_REQUIRE(weft_count(y) == 2);
    WEFT_CHECK_OK(weft_read(c, y, kept, sizeof kept));
    WEFT_CHECK(kept[0] == 2 && kept[1] == 1);
    fault_ctx_close(c, &m);
}
