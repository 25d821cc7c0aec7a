/* test_functional_batch.c - Jacobians row by row and gradients of single samples: against closed forms and PyTorch's,
 * the number of passes, and rows that are not apart. */
#include <math.h>
#include "harness/structs.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"
#include "lists.h"

static weft_tensor *passes_on(void *user, weft_tensor *t, weft_tensor *gradient)
{
    (void)t, (void)gradient;
    ++*(int *)user;
    return NULL;
}

/* PyTorch 2.15.0: torch.func.vmap(grad(f), (None, 0)), float64 */
static const double sample_gradients[] = {0.16754075220185277,
                                          -0.39092842180432313,
                                          0.61431609140679355,
                                          -0.23040928032813077,
                                          0.53762165409897178,
                                          -0.84483402786981288,
                                          0.37937233302566842,
                                          0.075874466605133695,
                                          -0.15174893321026739,
                                          0.17927016994944753,
                                          0.035854033989889504,
                                          -0.071708067979779008,
                                          0.35494801129416237,
                                          -0.53242201694124358,
                                          -0.295790009411802,
                                          0.42689326540225087,
                                          -0.64033989810337633,
                                          -0.35574438783520906,
                                          -0.046045435881856597,
                                          0,
                                          0.55254523058227911,
                                          0.07578417022780215,
                                          0,
                                          -0.90941004273362558};
static const double sample_losses[] = {0.96254907425976, 0.94477738401316125, 0.82178281180235191, 0.46339934291229057};

/* ---- Rows ---- */

static weft_tensor *row_loss(weft_ctx *c, weft_tensor *const *in, int n, void *user)
{
    (void)c, (void)n, (void)user;
    weft_tensor *h = weft_squeeze(weft_matmul(in[0], weft_unsqueeze(in[1], 2)), WEFT_DIMS(2));
    return weft_sum(weft_square(weft_tanh(h)), WEFT_DIMS(1), false);
}

static weft_tensor *row_pair(weft_ctx *c, weft_tensor *const *in, int n, void *user)
{
    (void)c, (void)n;
    ++*(int *)user;
    weft_tensor *both_of[2] = {weft_mul(weft_square(in[0]), in[1]), weft_sin(weft_sum(in[0], WEFT_DIMS(1), true))};
    weft_tensor *y = weft_concat(both_of, 2, 1); /* [B, 3] */
    weft_add_hook(y, passes_on, user);
    return y;
}

WEFT_TEST(FunctionalBatch, RowsOfABatchTakeAPassForEachElementOfARow)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *x = weft_rand(c, WEFT_F64, WEFT_DIMS(5, 2), -1, 1), *w = weft_rand(c, WEFT_F64, WEFT_DIMS(5, 1), 1, 2);
    weft_tensor *in[2] = {x, w}, *out[2], *y = NULL;
    double xs[5][2], ws[5], got[5][3][2], by_w[5][3];
    WEFT_CHECK_OK(weft_read(c, x, xs, sizeof xs));
    WEFT_CHECK_OK(weft_read(c, w, ws, sizeof ws));
    for (int flags = 0; flags < 8; flags++) {
        int counted = 0;
        WEFT_CHECK_OK(weft_batch_jacobian(c, in, 2, row_pair, &counted, flags, &y, out));
        WEFT_CHECK_EQ_INT(counted, 1 + 3 + (flags & WEFT_GRAD_CHECK_ROWS ? 1 : 0));
        check_shape(out[0], WEFT_DIMS(5, 3, 2));
        check_shape(out[1], WEFT_DIMS(5, 3, 1));
        WEFT_CHECK_OK(weft_read(c, out[0], got, sizeof got));
        WEFT_CHECK_OK(weft_read(c, out[1], by_w, sizeof by_w));
        for (int b = 0; b < 5; b++)
            for (int k = 0; k < 2; k++) {
                WEFT_CHECK_NEAR(got[b][k][k], 2 * xs[b][k] * ws[b], 1e-14);
                WEFT_CHECK_NEAR(got[b][k][1 - k], 0, 0);
                WEFT_CHECK_NEAR(got[b][2][k], cos(xs[b][0] + xs[b][1]), 1e-14);
                WEFT_CHECK_NEAR(by_w[b][k], xs[b][k] * xs[b][k], 1e-14);
                WEFT_CHECK_NEAR(by_w[b][2], 0, 0);
            }
    }
    fault_ctx_close(c, &m);
}

static weft_tensor *row_mixed(weft_ctx *c, weft_tensor *const *in, int n, void *user)
{
    (void)c, (void)n;
    return weft_softmax(in[0], *(const int *)user);
}

WEFT_TEST(FunctionalBatch, RowsThatDependOnOneAnotherAreFoundOut)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    for (int dtype = WEFT_F32; dtype <= WEFT_BF16; dtype++) {
        if (!weft_dtype_is_float((weft_dtype)dtype))
            continue;
        for (int rows = 2; rows < 10; rows += 3) {
            weft_tensor *x = weft_cast(weft_rand(c, WEFT_F64, WEFT_DIMS(rows, 3), -1, 1), (weft_dtype)dtype), *j = x;
            int along = 1;
            WEFT_CHECK_OK(weft_batch_jacobian(c, &x, 1, row_mixed, &along, WEFT_GRAD_CHECK_ROWS, NULL, &j));
            along = 0;
            WEFT_CHECK_OK(weft_batch_jacobian(c, &x, 1, row_mixed, &along, 0, NULL, &j));
            WEFT_CHECK_STATUS(weft_batch_jacobian(c, &x, 1, row_mixed, &along, WEFT_GRAD_CHECK_ROWS, NULL, &j),
                              WEFT_E_MISMATCH);
            WEFT_CHECK_STR_HAS(weft_ctx_message(c), "depend on other rows of input 0");
            WEFT_CHECK(!j);
            weft_ctx_clear(c);
        }
    }
    fault_ctx_close(c, &m);
}

WEFT_TEST(FunctionalBatch, GradientsOfSamplesAreWhatPyTorchFinds)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *w = VALUES(c, WEFT_DIMS(2, 3), 0.5, -1, 0.25, 1.5, 0.75, -0.5);
    weft_tensor *x = VALUES(c, WEFT_DIMS(4, 3), 0.3, -0.7, 1.1, 1, 0.2, -0.4, -0.6, 0.9, 0.5, 0.1, 0, -1.2);
    for (int flags = 0; flags < 8; flags++) {
        weft_tensor *losses = NULL, *g = NULL;
        WEFT_CHECK_OK(weft_per_sample_grad(c, &w, 1, &x, 1, row_loss, NULL, flags, &losses, &g));
        CHECK_LIST(c, losses, sample_losses);
        CHECK_LIST(c, g, sample_gradients);
        check_shape(g, WEFT_DIMS(4, 2, 3));
    }
    weft_tensor *p = weft_set_requires_grad(weft_contiguous(w), true), *g = NULL, *hand = NULL;
    WEFT_CHECK_OK(weft_per_sample_grad(c, &p, 1, &x, 1, row_loss, NULL, WEFT_GRAD_CREATE_GRAPH, NULL, &g));
    WEFT_CHECK_OK(weft_backward(c, weft_sum(weft_square(g), WEFT_ALL, false))); /* 2 sum of H_b g_b */
    double got[6], want[6] = {0};
    WEFT_CHECK_OK(weft_read(c, weft_grad_of(p), got, sizeof got));
    for (int b = 0; b < 4; b++) {
        weft_tensor *row = weft_slice(x, 0, b, b + 1, 1), *gb = weft_select(weft_detach(g), 0, b);
        weft_tensor *list[2] = {weft_unsqueeze(w, 0), row}, *along[2] = {weft_unsqueeze(gb, 0), NULL}, *h[2];
        double part[6];
        WEFT_CHECK_OK(weft_hvp(c, list, along, 2, row_loss, NULL, 0, &hand, h));
        WEFT_CHECK_OK(weft_read(c, h[0], part, sizeof part));
        for (int k = 0; k < 6; k++)
            want[k] += 2 * part[k];
    }
    for (int k = 0; k < 6; k++)
        WEFT_CHECK_NEAR(got[k], want[k], 1e-12);
    weft_tensor *nobody = weft_zeros(c, WEFT_F64, WEFT_DIMS(0, 3));
    WEFT_CHECK_OK(weft_per_sample_grad(c, &w, 1, &nobody, 1, row_loss, NULL, WEFT_GRAD_CHECK_ROWS, &hand, &g));
    check_shape(g, WEFT_DIMS(0, 2, 3));
    fault_ctx_close(c, &m);
}
