/* cases.c - see cases.h. */
#include "cases.h"

#include <math.h>

#define OF(ctx, dtype, ...)                                                                                            \
    weft_cast(weft_from_data(ctx, WEFT_F64,                                                                            \
                             (const int64_t[]){(int64_t)(sizeof((const double[]){__VA_ARGS__}) / sizeof(double))}, 1,  \
                             (const double[]){__VA_ARGS__}),                                                           \
              dtype)
#define SHAPE(...) (const int64_t[]){__VA_ARGS__}, (int)(sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

static weft_tensor *total(weft_tensor *x)
{
    return weft_sum(x, WEFT_ALL, false);
}

/* The sum of w y, w = 0.7, -0.4, 1.1, 0.3 ... by turns. */
static weft_tensor *weighed(weft_ctx *ctx, weft_tensor *y)
{
    static const double turns[] = {0.7, -0.4, 1.1, 0.3};
    double w[RIGHT_MOST];
    const int64_t n = weft_count(y);
    for (int64_t k = 0; k < n && k < RIGHT_MOST; k++)
        w[k] = turns[k % 4];
    return total(weft_mul(y, weft_from_data(ctx, WEFT_F64, weft_shape(y), weft_ndim(y), w)));
}

/* ---- Norms ---- */

static weft_tensor *weight_norm(weft_ctx *ctx, weft_tensor *x)
{
    return weighed(ctx, weft_weight_norm(weft_reshape(x, SHAPE(1, 2)), OF(ctx, WEFT_F64, 1.5), 0));
}

static weft_tensor *layer_norm(weft_ctx *ctx, weft_tensor *x)
{
    return weighed(ctx, weft_layer_norm(x, OF(ctx, WEFT_F64, 1, 1, 1, 1), NULL, 1e-5));
}

static weft_tensor *batch_norm(weft_ctx *ctx, weft_tensor *x)
{
    weft_batch_norm_params params = WEFT_BATCH_NORM_DEFAULTS;
    params.training = true;
    return weighed(ctx, weft_batch_norm(weft_reshape(x, SHAPE(4, 1)), NULL, NULL, NULL, NULL, &params));
}

static weft_tensor *instance_norm(weft_ctx *ctx, weft_tensor *x)
{
    return weighed(ctx, weft_instance_norm(weft_reshape(x, SHAPE(1, 1, 4)), NULL, NULL, 1e-5));
}

static weft_tensor *vector_norm_4(weft_ctx *ctx, weft_tensor *x)
{
    (void)ctx;
    return weft_vector_norm(x, 4, WEFT_ALL, false);
}

static weft_tensor *cdist(weft_ctx *ctx, weft_tensor *x)
{
    (void)ctx;
    weft_tensor *points = weft_reshape(x, SHAPE(2, 2));
    return total(weft_cdist(weft_slice(points, 0, 0, 1, 1), weft_slice(points, 0, 1, 2, 1)));
}

/* ---- One number ---- */

static weft_tensor *sinc(weft_ctx *ctx, weft_tensor *x)
{
    (void)ctx;
    return total(weft_sinc(x));
}

static weft_tensor *power_0(weft_ctx *ctx, weft_tensor *x)
{
    return total(weft_pow(x, OF(ctx, WEFT_F64, 0)));
}

static weft_tensor *power_1(weft_ctx *ctx, weft_tensor *x)
{
    return total(weft_pow(x, OF(ctx, WEFT_F64, 1)));
}

static weft_tensor *power_2(weft_ctx *ctx, weft_tensor *x)
{
    return total(weft_pow(x, OF(ctx, WEFT_F64, 2)));
}

static weft_tensor *lgamma_of(weft_ctx *ctx, weft_tensor *x)
{
    (void)ctx;
    return total(weft_lgamma(x));
}

static weft_tensor *hardsigmoid(weft_ctx *ctx, weft_tensor *x)
{
    (void)ctx;
    return total(weft_hardsigmoid(x));
}

/* The first of eight. */
static weft_tensor *gelu(weft_ctx *ctx, weft_tensor *x)
{
    (void)ctx;
    return weft_select(weft_gelu(x), 0, 0);
}

static weft_tensor *soft_margin(weft_ctx *ctx, weft_tensor *x)
{
    return total(weft_soft_margin_loss(x, OF(ctx, WEFT_F32, 1), WEFT_REDUCTION_SUM));
}

/* ---- Sums in half types ---- */

static weft_tensor *bias_of_layer_norm(weft_ctx *ctx, weft_tensor *x)
{
    weft_tensor *rows = weft_reshape(weft_arange(ctx, WEFT_F32, 0, 2048, 1), SHAPE(512, 4));
    weft_tensor *one = OF(ctx, WEFT_BF16, 1, 1, 1, 1);
    return total(weft_cast(weft_layer_norm(weft_cast(rows, WEFT_BF16), one, x, 1e-5), WEFT_F32));
}

static weft_tensor *embedding(weft_ctx *ctx, weft_tensor *x)
{
    weft_tensor *same = weft_full(ctx, WEFT_I64, SHAPE(512), 1);
    return total(weft_cast(weft_embedding(weft_reshape(x, SHAPE(2, 1)), same), WEFT_F32));
}

static weft_tensor *area(weft_ctx *ctx, weft_tensor *x)
{
    (void)ctx;
    weft_tensor *cube = weft_contiguous(weft_expand(x, SHAPE(1, 1, 8, 8, 16)));
    return weft_select(weft_reshape(weft_interpolate(cube, SHAPE(1, 1, 2), WEFT_INTERPOLATION_AREA, false), SHAPE(2)),
                       0, 0);
}

/* ---- Sums of many in f32 ---- */

enum { MANY = 20000000 };

static weft_tensor *norm_of_many(weft_ctx *ctx, weft_tensor *x)
{
    (void)ctx;
    return weft_vector_norm(weft_contiguous(weft_expand(x, SHAPE(MANY))), 1.5, WEFT_ALL, false);
}

static weft_tensor *softmax_of_many(weft_ctx *ctx, weft_tensor *x)
{
    (void)ctx;
    weft_tensor *column = weft_contiguous(weft_expand(x, SHAPE(MANY, 1)));
    return weft_mul_scalar(weft_select(weft_reshape(weft_softmax(column, 0), SHAPE(MANY)), 0, 5), MANY);
}

static weft_tensor *lp_pool(weft_ctx *ctx, weft_tensor *x)
{
    (void)ctx;
    return total(weft_lp_pool2d(weft_reshape(x, SHAPE(1, 1, 2, 2)), 3, 2, 2));
}

/* ---- The table ---- */

/* ---- Scans, matrices, losses, pools ---- */

static weft_tensor *logcumsumexp(weft_ctx *ctx, weft_tensor *x)
{
    return weighed(ctx, weft_logcumsumexp(x, 0));
}

static weft_tensor *det(weft_ctx *ctx, weft_tensor *x)
{
    (void)ctx;
    const int64_t n = weft_count(x) == 9 ? 3 : 2;
    return weft_det(weft_reshape(x, SHAPE(n, n)));
}

/* Four steps, three symbols, the target 1 2. */
static weft_tensor *ctc(weft_ctx *ctx, weft_tensor *x)
{
    weft_tensor *target = weft_from_data(ctx, WEFT_I64, SHAPE(1, 2), (const int64_t[]){1, 2});
    return weft_ctc_loss(weft_reshape(x, SHAPE(4, 1, 3)), target, NULL, NULL, 0, false, WEFT_REDUCTION_SUM);
}

/* Windows of two over a row of five with a peak: two of them name one place, which PyTorch gives twice the gradient. */
static weft_tensor *max_unpool(weft_ctx *ctx, weft_tensor *x)
{
    (void)ctx;
    weft_pool2d_params window = WEFT_POOL2D_DEFAULTS;
    window.kernel[0] = window.stride[0] = window.stride[1] = 1;
    window.kernel[1] = 2;
    weft_tensor *values = NULL, *index = NULL;
    if (weft_max_pool2d_with_index(weft_reshape(x, SHAPE(1, 1, 1, 5)), &window, &values, &index) != WEFT_OK)
        return NULL;
    return total(weft_max_unpool2d(values, index, (const int64_t[]){1, 5}));
}

/* A line a case. */
/* clang-format off */
const right_case right_cases[] = {
    {"weight_norm", weight_norm, WEFT_F64, 2, 2, {0.6, -1.1}, {1, 0.5}, -0.8546837392710381, 1e-12},
    {"weight_norm", weight_norm, WEFT_F64, 3, 2, {0.6, -1.1}, {1, 0.5}, -1.1897855589399287, 1e-12},
    {"layer_norm", layer_norm, WEFT_F64, 2, 4, {0.5, -1.2, 0.8, 2.0},
     {1, 0.5, -0.25, 0.75}, -0.1844035033386904, 1e-12},
    {"layer_norm", layer_norm, WEFT_F64, 3, 4, {0.5, -1.2, 0.8, 2.0},
     {1, 0.5, -0.25, 0.75}, 0.22626672491544944, 1e-12},
    {"batch_norm", batch_norm, WEFT_F64, 2, 4, {0.5, -1.2, 0.8, 2.0},
     {1, 0.5, -0.25, 0.75}, -0.1844035033386904, 1e-12},
    {"batch_norm", batch_norm, WEFT_F64, 3, 4, {0.5, -1.2, 0.8, 2.0},
     {1, 0.5, -0.25, 0.75}, 0.22626672491544944, 1e-12},
    {"instance_norm", instance_norm, WEFT_F64, 2, 4, {0.5, -1.2, 0.8, 2.0},
     {1, 0.5, -0.25, 0.75}, -0.1844035033386904, 1e-12},
    {"instance_norm", instance_norm, WEFT_F64, 3, 4, {0.5, -1.2, 0.8, 2.0},
     {1, 0.5, -0.25, 0.75}, 0.22626672491544944, 1e-12},
    {"vector_norm_4", vector_norm_4, WEFT_F64, 3, 2, {1, 0}, {1, 0.5}, 0, 1e-12},
    {"vector_norm_4", vector_norm_4, WEFT_F64, 4, 2, {1, 0}, {1, 0.5}, 0.375, 1e-12},
    {"cdist", cdist, WEFT_F64, 3, 4, {0.3, -0.2, 1.1, 0.7}, {1, 0.5, -0.25, 0.75}, 1.612258622216964, 1e-12},
    {"sinc", sinc, WEFT_F64, 2, 1, {0}, {1}, -3.289868133696453, 1e-12},
    {"sinc", sinc, WEFT_F64, 3, 1, {0}, {1}, 0, 1e-12},
    {"sinc", sinc, WEFT_F32, 1, 1, {1e-4}, {1e4}, -3.289868018117699, 1e-6},
    {"sinc", sinc, WEFT_F32, 1, 1, {1e-6}, {1e6}, -3.289868125387087, 1e-6},
    {"power_0", power_0, WEFT_F64, 1, 1, {0}, {1}, 0, 0},
    {"power_1", power_1, WEFT_F64, 1, 1, {0}, {1}, 1, 0},
    {"power_1", power_1, WEFT_F64, 2, 1, {0}, {1}, 0, 0},
    {"power_1", power_1, WEFT_F64, 3, 1, {0}, {1}, 0, 0},
    {"power_2", power_2, WEFT_F64, 2, 1, {0}, {1}, 2, 0},
    {"power_2", power_2, WEFT_F64, 3, 1, {0}, {1}, 0, 0},
    {"power_2", power_2, WEFT_F64, 4, 1, {0}, {1}, 0, 0},
    {"lgamma", lgamma_of, WEFT_F64, 2, 1, {3.7}, {1}, 0.3100378576700383, 1e-13},
    {"lgamma", lgamma_of, WEFT_F64, 3, 1, {3.7}, {1}, -0.09539530872855403, 1e-13},
    {"hardsigmoid", hardsigmoid, WEFT_F64, 1, 1, {0.5}, {1}, 0.16666666666666666, 1e-15},
    {"gelu", gelu, WEFT_F32, 0, 8, {INFINITY, 1, 1, 1, 1, 1, 1, 1}, {1}, INFINITY, 0},
    {"gelu", gelu, WEFT_F32, 0, 8, {-5, 1, 1, 1, 1, 1, 1, 1}, {1}, -1.4332578593959695e-06, 1e-12},
    {"soft_margin", soft_margin, WEFT_F32, 0, 1, {-89}, {1}, 89, 1e-7},
    {"soft_margin", soft_margin, WEFT_F32, 1, 1, {-89}, {1}, -1, 1e-7},
    {"bias_of_layer_norm", bias_of_layer_norm, WEFT_BF16, 1, 4, {0, 0, 0, 0}, {1, 0, 0, 0}, 512, 0},
    {"embedding", embedding, WEFT_BF16, 1, 2, {0, 0}, {0, 1}, 512, 0},
    {"area", area, WEFT_BF16, 0, 1, {0.75}, {1}, 0.75, 0},
    {"norm_of_many", norm_of_many, WEFT_F32, 0, 1, {0.25}, {1}, 18420.157493201932, 1e-6},
    {"softmax_of_many", softmax_of_many, WEFT_F32, 0, 1, {1}, {1}, 1, 1e-6},
    {"lp_pool", lp_pool, WEFT_F64, 0, 4, {-3, 4, 0, 0}, {1}, 4.497941445275415, 1e-14},
    {"logcumsumexp", logcumsumexp, WEFT_F64, 3, 2, {0.3, -0.5}, {1, 0.5}, 0.004063738360460798, 1e-12},
    {"det", det, WEFT_F64, 2, 4, {0, 0, 0, 0}, {1, 0.5, -0.25, 0.75}, 1.75, 1e-14},
    {"det", det, WEFT_F64, 3, 9, {1, 2, 3, 4, 5, 6, 7, 8, 9},
     {1, 0.5, -0.25, 0.75, -1, 0.5, 0.25, 1, 1}, -12.375, 1e-12},
    {"ctc", ctc, WEFT_F64, 1, 12, {-1, -0.5, -2, -0.7, -1.3, -1, -2, -0.4, -1.5, -0.9, -1.2, -0.8},
     {1, 0.5, -0.25, 0.75, -1, 0.5, 0.25, 1, -0.5, 0.3, -0.7, 0.2}, -1.041660361688217, 1e-12},
    {"max_unpool", max_unpool, WEFT_F64, 1, 5, {1, 2, 5, 3, 2}, {0, 0, 1, 0, 0}, 1, 0},
};
/* clang-format on */
const int right_case_count = sizeof right_cases / sizeof right_cases[0];

/* ---- Running ---- */

/* g u, summed. */
static weft_tensor *along(weft_ctx *ctx, const right_case *c, weft_tensor *g)
{
    weft_tensor *u = weft_cast(weft_from_data(ctx, WEFT_F64, SHAPE(c->n), c->u), c->dtype);
    return total(weft_cast(weft_mul(g, u), c->dtype == WEFT_F64 ? WEFT_F64 : WEFT_F32));
}

weft_status right_derivative(weft_ctx *ctx, const right_case *c, int order, double shift, double *value)
{
    double at[RIGHT_MOST];
    for (int k = 0; k < c->n; k++)
        at[k] = c->x[k] + shift * c->u[k];
    weft_tensor *x = weft_cast(weft_from_data(ctx, WEFT_F64, SHAPE(c->n), at), c->dtype);
    x = weft_set_requires_grad(weft_detach(x), true);
    weft_tensor *y = c->f(ctx, x);
    *value = 0;
    for (int k = 0; k < order && y; k++) {
        weft_tensor *g = NULL;
        if (!weft_requires_grad(y)) /* it does not depend on x any more */
            return weft_ctx_status(ctx);
        if (weft_grad(ctx, &y, NULL, 1, &x, 1, WEFT_GRAD_CREATE_GRAPH | WEFT_GRAD_ALLOW_UNUSED, &g) != WEFT_OK || !g)
            return weft_ctx_status(ctx);
        y = along(ctx, c, g);
    }
    *value = weft_item(ctx, y);
    return weft_ctx_status(ctx);
}
