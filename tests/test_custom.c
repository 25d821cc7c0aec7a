/* test_custom.c - operations of the user's own with several results, and structs of earlier headers. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include "fake_device.h"
#include "harness/structs.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"

enum { MANY = WEFT_CUSTOM_OUTPUTS };

static double item(weft_ctx *c, weft_tensor *x, int64_t k)
{
    return weft_item(c, weft_select(weft_flatten(x, 0, -1), 0, k));
}

/* ---- Polar coordinates: two results that are both used, or one of them ---- */

static weft_status polar_forward(weft_ctx *c, const weft_array *in, int n, weft_array *out, void *user)
{
    (void)c, (void)n, (void)user;
    for (int64_t k = 0; k < out[0].count; k++) {
        const double r = ((const double *)in[0].data)[k], t = ((const double *)in[1].data)[k];
        ((double *)out[0].data)[k] = r * r * t;
        ((double *)out[1].data)[k] = r / t;
    }
    return WEFT_OK;
}

/* u = r^2 t, v = r / t. user: which gradients were there, as bits. */
static weft_status polar_backward(weft_ctx *c, weft_tensor *const *in, int n, weft_tensor *const *outputs,
                                  weft_tensor *const *gs, weft_tensor **gradients, void *user)
{
    (void)c, (void)n;
    weft_tensor *r = in[0], *t = in[1];
    *(int *)user |= (gs[0] != NULL) | (gs[1] != NULL) << 1;
    if (gs[0]) {
        gradients[0] = weft_mul(gs[0], weft_mul_scalar(weft_mul(r, t), 2));
        gradients[1] = weft_mul(gs[0], weft_square(r));
    }
    if (gs[1]) {
        weft_tensor *dr = weft_div(gs[1], t), *dt = weft_neg(weft_div(weft_mul(gs[1], outputs[1]), t));
        gradients[0] = gs[0] ? weft_add(gradients[0], dr) : dr;
        gradients[1] = gs[0] ? weft_add(gradients[1], dt) : dt;
    }
    return WEFT_OK;
}

typedef struct polar {
    weft_custom_op op;
    int seen; /* gradients */
    int used; /* results, as bits */
} polar;

static weft_tensor *apply_polar(weft_ctx *c, weft_tensor *const *in, int n, void *user)
{
    polar *p = user;
    weft_tensor *y[2];
    (void)c;
    if (weft_custom_all(&p->op, in, n, y) != WEFT_OK)
        return NULL;
    return p->used == 3 ? weft_add(weft_square(y[0]), weft_mul(y[0], y[1])) : weft_exp(y[p->used >> 1]);
}

static polar make_polar(int *seen)
{
    return (polar){.op = INIT_CUSTOM_OP(.name = "polar", .forward = polar_forward, .n_outputs = 2,
                                        .backward_all = polar_backward, .user = seen)};
}

WEFT_TEST(CustomAll, TwoResultsPassBothChecksWhicheverIsUsed)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *in[] = {weft_set_requires_grad(weft_rand(c, WEFT_F64, WEFT_DIMS(2, 3), 0.5, 1), true),
                         weft_set_requires_grad(weft_rand(c, WEFT_F64, WEFT_DIMS(2, 3), 0.5, 1), true)};
    for (int used = 1; used <= 3; used++) {
        int seen = 0;
        polar p = make_polar(&seen);
        p.used = used;
        WEFT_CHECK_OK(weft_gradcheck(c, in, 2, apply_polar, &p, NULL));
        WEFT_CHECK_EQ_INT(seen, used);
        WEFT_CHECK_OK(weft_gradgradcheck(c, in, 2, apply_polar, &p, NULL));
        weft_ctx_clear(c);
    }
    fault_ctx_close(c, &m);
}

WEFT_TEST(CustomAll, ResultsThatAreReadMustNotChange)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    int seen = 0;
    polar p = make_polar(&seen);
    weft_tensor *in[] = {weft_param(weft_ones(c, WEFT_F64, WEFT_DIMS(2)), "r"),
                         weft_param(weft_ones(c, WEFT_F64, WEFT_DIMS(2)), "t")};
    weft_tensor *y[2];
    WEFT_CHECK_OK(weft_custom_all(&p.op, in, 2, y));
    weft_tensor *loss = weft_sum(weft_add(y[0], y[1]), WEFT_ALL, false);
    const bool was = weft_set_grad_enabled(c, false);
    WEFT_CHECK(weft_fill_(weft_detach(y[1]), 7) != NULL);
    weft_set_grad_enabled(c, was);
    WEFT_CHECK_STATUS(weft_backward(c, loss), WEFT_E_OVERWRITTEN);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "result 1 of weft_polar");
    weft_ctx_clear(c);
    weft_release(in[0]);
    weft_release(in[1]);
    fault_ctx_close(c, &m);
}

/* ---- As many results as there can be, of several shapes and dtypes ---- */

/* Result k: (k + 1) x, of odd k as a column; the last one counts elements, i64. */
static weft_status many_shapes(weft_ctx *c, const weft_array *in, int n, weft_dtype *dtype, int64_t *shape, int *ndim,
                               void *user)
{
    (void)c, (void)n, (void)user;
    for (int k = 0; k < MANY; k++) {
        ndim[k] = k % 2 ? 2 : 1;
        shape[8 * k] = in[0].count;
        shape[8 * k + 1] = 1;
    }
    dtype[MANY - 1] = WEFT_I64;
    return WEFT_OK;
}

static weft_status many_forward(weft_ctx *c, const weft_array *in, int n, weft_array *out, void *user)
{
    (void)c, (void)n, (void)user;
    for (int k = 0; k < MANY; k++)
        for (int64_t i = 0; i < in[0].count; i++) {
            if (k < MANY - 1)
                ((float *)out[k].data)[i] = (float)(k + 1) * ((const float *)in[0].data)[i];
            else
                ((int64_t *)out[k].data)[i] = i;
        }
    return WEFT_OK;
}

static weft_status many_on_device(weft_ctx *c, const weft_array *in, int n, weft_array *out, void *stream, void *user)
{
    return stream == FAKE_STREAM ? many_forward(c, in, n, out, user) : WEFT_E_INTERNAL;
}

/* user: how many gradients came. */
static weft_status many_backward(weft_ctx *c, weft_tensor *const *in, int n, weft_tensor *const *outputs,
                                 weft_tensor *const *gs, weft_tensor **gradients, void *user)
{
    (void)n;
    if (weft_requires_grad(outputs[MANY - 1]) || gs[MANY - 1])
        return weft_ctx_fail(c, WEFT_E_INTERNAL, "indices carry a gradient");
    gradients[0] = weft_zeros_like(in[0]);
    for (int k = 0; k < MANY; k++) {
        if (!gs[k])
            continue;
        ++*(int *)user;
        gradients[0] = weft_add(gradients[0], weft_mul_scalar(weft_flatten(gs[k], 0, -1), k + 1));
    }
    return WEFT_OK;
}

static weft_custom_op make_many(int *gradients)
{
    return (weft_custom_op)INIT_CUSTOM_OP(.name = "many", .infer = many_shapes, .forward = many_forward,
                                          .devices = {{"test", many_on_device}}, .user = gradients, .n_outputs = MANY,
                                          .backward_all = many_backward);
}

static void use_many(weft_ctx *c)
{
    int gradients = 0;
    weft_custom_op op = make_many(&gradients);
    weft_tensor *y[MANY], *x = weft_set_requires_grad(weft_full(c, WEFT_F32, WEFT_DIMS(3), 2), true);
    WEFT_CHECK_OK(weft_custom_all(&op, &x, 1, y));
    for (int k = 0; k < MANY - 1; k++) {
        WEFT_CHECK_EQ_INT(weft_ndim(y[k]), k % 2 ? 2 : 1);
        WEFT_CHECK(item(c, y[k], 2) == 2.0 * (k + 1));
        WEFT_CHECK(weft_requires_grad(y[k]));
    }
    WEFT_CHECK_EQ_INT(weft_dtype_of(y[MANY - 1]), WEFT_I64);
    WEFT_CHECK(item(c, y[MANY - 1], 2) == 2);
    WEFT_CHECK(!weft_requires_grad(y[MANY - 1]));
    /* of 63 results the 1st, the 40th and the 63rd are used */
    weft_tensor *sum = weft_add(weft_sum(y[0], WEFT_ALL, false), weft_sum(y[39], WEFT_ALL, false)), *g;
    sum = weft_add(sum, weft_sum(y[62], WEFT_ALL, false));
    WEFT_CHECK_OK(weft_grad(c, &sum, NULL, 1, &x, 1, 0, &g));
    WEFT_CHECK_EQ_INT(gradients, 3);
    WEFT_CHECK(item(c, g, 0) == 1 + 40 + 63);
    WEFT_CHECK_STATUS(weft_ctx_status(c), WEFT_OK);
}

WEFT_TEST(CustomAll, SixtyFourResults)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    use_many(c);
    int gradients = 0;
    weft_custom_op op = make_many(&gradients);
    weft_tensor *y[MANY], *x = weft_set_requires_grad(weft_ones(c, WEFT_F32, WEFT_DIMS(3)), true);
    WEFT_CHECK_OK(weft_custom_all(&op, &x, 1, y));
    WEFT_CHECK_STATUS(weft_backward(c, weft_sum(weft_cast(y[MANY - 1], WEFT_F32), WEFT_ALL, false)),
                      WEFT_E_NO_GRADIENT);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "weft_custom");
    weft_ctx_clear(c);
    fault_ctx_close(c, &m);
}

static weft_ctx *open_on(const char *device, fault_memory *m)
{
    weft_options o = fault_options(m);
    weft_ctx *c = NULL;
    fake_device();
    o.device = device;
    WEFT_CHECK_OK(weft_ctx_open(&o, &c));
    return c;
}

WEFT_TEST(CustomAll, SixtyFourResultsOnADevice)
{
    fault_memory m = {0};
    weft_ctx *c = open_on("test", &m);
    WEFT_REQUIRE(c);
    use_many(c);
    fault_ctx_close(c, &m);
}

/* ---- Mistakes ---- */

static void check_refused(weft_ctx *c, const weft_custom_op *op, weft_tensor *x, const char *says)
{
    weft_tensor *y[MANY] = {x, x};
    WEFT_CHECK_STATUS(weft_custom_all(op, &x, 1, y), WEFT_E_INVALID);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), says);
    WEFT_CHECK(y[0] == NULL);
    weft_ctx_clear(c);
}

static weft_status backward_of_one(weft_ctx *c, weft_tensor *const *in, int n, weft_tensor *out, weft_tensor *g,
                                   weft_tensor **gradients, void *user)
{
    (void)c, (void)in, (void)n, (void)out, (void)user;
    gradients[0] = g;
    return WEFT_OK;
}

WEFT_TEST(CustomAll, MistakesAreNamed)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    int gradients = 0;
    weft_tensor *x = weft_ones(c, WEFT_F32, WEFT_DIMS(3)), *y[MANY];
    weft_custom_op op = make_many(&gradients);
    WEFT_CHECK(weft_custom(&op, &x, 1) == NULL);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "weft_custom_all");
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_INVALID);
    op.backward_all = NULL;
    op.backward = backward_of_one;
    check_refused(c, &op, x, "backward_all");
    op.n_outputs = MANY + 1;
    check_refused(c, &op, x, "at most 64 results");
    op.n_outputs = (size_t)-1;
    check_refused(c, &op, x, "at most 64 results");
    op = make_many(&gradients);
    op.name = NULL;
    check_refused(c, &op, x, "needs a name");
    op = make_many(&gradients);
    op.forward = NULL;
    op.devices[0].device = NULL;
    check_refused(c, &op, x, "needs a forward callback");
    WEFT_CHECK_STATUS(weft_custom_all(NULL, &x, 1, y), WEFT_E_INVALID);
    WEFT_CHECK_STATUS(weft_custom_all(&op, &x, 1, NULL), WEFT_E_INVALID);
    weft_ctx_clear(c);
    fault_ctx_close(c, &m);
}

/* ---- Structs of earlier headers ---- */

static weft_status doubles(weft_ctx *c, const weft_array *in, int n, weft_array *out, void *user)
{
    (void)c, (void)n, (void)user;
    for (int64_t i = 0; i < out->count; i++)
        ((float *)out->data)[i] = 2 * ((const float *)in[0].data)[i];
    return WEFT_OK;
}

static weft_status doubles_backward(weft_ctx *c, weft_tensor *const *in, int n, weft_tensor *out, weft_tensor *g,
                                    weft_tensor **gradients, void *user)
{
    (void)c, (void)in, (void)n, (void)out, (void)user;
    gradients[0] = weft_mul_scalar(g, 2);
    return WEFT_OK;
}

/* A struct that ends behind a field: what lies there belongs to somebody else, here bytes of ones. */
WEFT_TEST(CustomAll, AnEarlierStructIsReadAsFarAsItGoes)
{
    static const size_t ends[] = {offsetof(weft_custom_op, devices),      offsetof(weft_custom_op, backward),
                                  offsetof(weft_custom_op, user),         offsetof(weft_custom_op, n_outputs),
                                  offsetof(weft_custom_op, backward_all), sizeof(weft_custom_op)};
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    for (int k = 0; k < 6; k++) {
        weft_custom_op op = INIT_CUSTOM_OP(.name = "doubles", .forward = doubles, .backward = doubles_backward);
        op.struct_size = ends[k];
        memset((char *)&op + ends[k], 0xFF, sizeof op - ends[k]);
        const bool has_backward = ends[k] > offsetof(weft_custom_op, backward);
        weft_tensor *x = weft_set_requires_grad(weft_ones(c, WEFT_F32, WEFT_DIMS(3)), true), *y, *g;
        WEFT_CHECK((y = weft_custom(&op, &x, 1)) != NULL);
        WEFT_CHECK(item(c, y, 2) == 2);
        WEFT_CHECK(weft_requires_grad(y) == has_backward);
        if (has_backward) {
            weft_tensor *sum = weft_sum(y, WEFT_ALL, false);
            WEFT_CHECK_OK(weft_grad(c, &sum, NULL, 1, &x, 1, 0, &g));
            WEFT_CHECK(item(c, g, 2) == 2);
        }
        WEFT_CHECK_OK(weft_custom_all(&op, &x, 1, &y));
        WEFT_CHECK(item(c, y, 0) == 2);
        WEFT_CHECK_STATUS(weft_ctx_status(c), WEFT_OK);
    }
    fault_ctx_close(c, &m);
}

/* ---- One result, which its derivative reads ---- */

static weft_status exp_forward(weft_ctx *c, const weft_array *in, int n, weft_array *out, void *user)
{
    (void)c, (void)n, (void)user;
    for (int64_t k = 0; k < out->count; k++)
        ((double *)out->data)[k] = exp(((const double *)in[0].data)[k]);
    return WEFT_OK;
}

static weft_status exp_backward(weft_ctx *c, weft_tensor *const *in, int n, weft_tensor *y, weft_tensor *g,
                                weft_tensor **gradients, void *user)
{
    (void)c, (void)in, (void)n, (void)user;
    gradients[0] = weft_mul(g, y);
    return WEFT_OK;
}

WEFT_TEST(Custom, ADerivativeThatReadsItsResult)
{
    fault_memory memory = {0};
    weft_ctx *c = fault_ctx_open(&memory);
    weft_custom_op op = INIT_CUSTOM_OP(.name = "exp", .forward = exp_forward, .backward = exp_backward);
    const double at[] = {0.5, -1, 2};
    weft_tensor *x = weft_param(weft_from_data(c, WEFT_F64, WEFT_DIMS(3), at), "x");
    weft_tensor *y = weft_custom(&op, &x, 1);
    WEFT_CHECK_OK(weft_backward(c, weft_sum(weft_mul_scalar(y, 3), WEFT_ALL, false)));
    for (int k = 0; k < 3; k++)
        WEFT_CHECK_NEAR(item(c, weft_grad_of(x), k), 3 * exp(at[k]), 1e-14);
    weft_release(x);
    fault_ctx_close(c, &memory);
}

/* ---- Gradients that are wider than their operand ---- */

static weft_status copy_forward(weft_ctx *c, const weft_array *in, int n, weft_array *out, void *user)
{
    (void)c, (void)n, (void)user;
    memcpy(out->data, in[0].data, 2 * (size_t)out->count);
    return WEFT_OK;
}

static weft_status number_backward(weft_ctx *c, weft_tensor *const *in, int n, weft_tensor *y, weft_tensor *g,
                                   weft_tensor **gradients, void *user)
{
    (void)n, (void)y, (void)g;
    gradients[0] = weft_full(c, WEFT_F32, WEFT_DIMS(weft_size(in[0], 0)), *(const double *)user);
    return WEFT_OK;
}

/* f32 gradients of an f16 operand are added up before the sum is rounded: the second number is no f16, and halfway
 * between two. */
WEFT_TEST(Custom, WideGradientsOfANarrowOperandAreRoundedOnce)
{
    static const double numbers[] = {-1, 1 + 1.0 / 2048};
    fault_memory memory = {0};
    weft_ctx *c = fault_ctx_open(&memory);
    for (int first = 0; first < 2; first++) {
        weft_tensor *x = weft_set_requires_grad(weft_ones(c, WEFT_F16, WEFT_DIMS(3)), true), *loss = NULL;
        weft_custom_op ops[2];
        for (int k = 0; k < 2; k++) {
            ops[k] =
                (weft_custom_op)INIT_CUSTOM_OP(.name = "number", .forward = copy_forward, .backward = number_backward,
                                               .user = (void *)&numbers[(first + k) % 2]);
            weft_tensor *sum = weft_sum(weft_custom(&ops[k], &x, 1), WEFT_ALL, false);
            loss = loss ? weft_add(loss, sum) : sum;
        }
        WEFT_CHECK_OK(weft_backward(c, loss));
        WEFT_CHECK(weft_dtype_of(weft_grad_of(x)) == WEFT_F16);
        for (int k = 0; k < 3; k++)
            WEFT_CHECK_NEAR(item(c, weft_grad_of(x), k), 1.0 / 2048, 0);
    }
    fault_ctx_close(c, &memory);
}
