/* test_temporaries.c - what lives how long without gradients: what an operation makes on its way, what the caller
 * drops, scopes that switch recording off, and work space that fits the problem. */
#include <stdio.h>
#include "harness/structs.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"
#include "samples/device.h"
#include "samples/layout.h"

/* ---- Every operation leaves its results and nothing else ---- */

/* Tensors among the case's results that are neither its operands nor each other. */
static int64_t new_results(const weft_case *c)
{
    int64_t n = 0;
    for (int k = 0; k < c->n_out; k++) {
        bool known = false;
        for (int j = 0; j < c->n_in; j++)
            known = known || c->out[k] == c->in[j];
        for (int j = 0; j < k; j++)
            known = known || c->out[k] == c->out[j];
        n += !known;
    }
    return n;
}

static void check_row(weft_ctx *ctx, const case_row *row, weft_dtype dtype)
{
    for (const gold_record *r = gold_next(row->name, NULL); r; r = gold_next(row->name, r))
        for (int how = 0; how < LAYOUT_COUNT; how++) {
            if (!record_takes(r, dtype) || !layout_applies(r, (layout)how))
                continue;
            weft_case c;
            int mark = weft_scope_push_no_grad(ctx);
            case_begin(&c, ctx, r);
            WEFT_REQUIRE(lay_out_all(&c, r, dtype, (layout)how));
            const int64_t before = memory_of(ctx).live_tensors;
            WEFT_REQUIRE(case_run(row, &c));
            const int64_t left = memory_of(ctx).live_tensors - before - new_results(&c);
            if (left > 0 && weft_test_failures() < 40)
                WEFT_FAIL("%s, record %s, %s, %s: %lld tensors are left beside the results", row->name, r->name,
                          layout_name((layout)how), weft_dtype_name(dtype), (long long)left);
            WEFT_CHECK_OK(weft_scope_pop(ctx, mark));
            if (left > 0)
                return;
        }
}

WEFT_TEST(Temporaries, OfEveryOperationDieWithTheCall)
{
    static const weft_dtype dtypes[] = {WEFT_F32, WEFT_BF16, WEFT_I32, WEFT_BOOL};
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    for (int r = 0; r < case_row_count; r++)
        for (int d = 0; d < 4; d++)
            check_row(ctx, &case_rows[r], dtypes[d]);
    test_ctx_close(ctx, &memory);
}

/* A loss of half types widens both operands and computes in f32: none of that is left. */
WEFT_TEST(Temporaries, OfALossDieWithTheCall)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *a = weft_rand(c, WEFT_BF16, WEFT_DIMS(64, 1024), 0, 1);
    weft_tensor *b = weft_rand(c, WEFT_BF16, WEFT_DIMS(64, 1024), 0, 1);
    const size_t before = memory_of(c).live_bytes;
    WEFT_CHECK(weft_huber(a, b, 0.5) && weft_bce_with_logits(a, b) && weft_var(a, WEFT_ALL, false, 1));
    WEFT_CHECK(memory_of(c).live_bytes - before <= 3 * 64);
    fault_ctx_close(c, &m);
}

/* What the graph needs stays, and the gradient is right. */
WEFT_TEST(Temporaries, ThatTheGraphNeedsStay)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *x = weft_set_requires_grad(weft_full(c, WEFT_BF16, WEFT_DIMS(8), 3), true);
    weft_tensor *loss = weft_mse(x, weft_ones(c, WEFT_BF16, WEFT_DIMS(8)));
    WEFT_CHECK_OK(weft_backward(c, loss));
    WEFT_CHECK_NEAR(weft_item(c, weft_select(weft_grad_of(x), 0, 7)), 0.5, 0);
    fault_ctx_close(c, &m);
}

/* ---- Scopes without gradients ---- */

WEFT_TEST(Scope, WithoutGradientsRestoresWhatWas)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *w = weft_set_requires_grad(weft_ones(c, WEFT_F32, WEFT_DIMS(2)), true);
    int mark = weft_scope_push_no_grad(c);
    WEFT_CHECK(!weft_grad_enabled(c));
    WEFT_CHECK(!weft_requires_grad(weft_neg(w)));
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
    WEFT_CHECK(weft_grad_enabled(c));
    WEFT_CHECK(weft_requires_grad(weft_neg(w)));
    int outer = weft_scope_push(c); /* an outer pop, as after an early return */
    weft_scope_push_no_grad(c);
    weft_set_grad_enabled(c, true);
    weft_scope_push_no_grad(c);
    weft_scope_push(c);
    WEFT_CHECK(!weft_grad_enabled(c));
    WEFT_CHECK_OK(weft_scope_pop(c, outer));
    WEFT_CHECK(weft_grad_enabled(c));
    weft_set_grad_enabled(c, false); /* off before, off after */
    mark = weft_scope_push_no_grad(c);
    weft_set_grad_enabled(c, true);
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
    WEFT_CHECK(!weft_grad_enabled(c));
    mark = weft_scope_push(c); /* an ordinary scope leaves it alone */
    weft_set_grad_enabled(c, true);
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
    WEFT_CHECK(weft_grad_enabled(c));
    WEFT_CHECK_EQ_INT(weft_scope_push_no_grad(NULL), -1);
    fault_ctx_close(c, &m);
}

/* ---- weft_drop ---- */

WEFT_TEST(Drop, FreesAtOnceUnlessSomebodyHolds)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    const size_t before = memory_of(c).live_bytes;
    weft_drop(weft_ones(c, WEFT_F32, WEFT_DIMS(1000)));
    weft_drop(NULL);
    WEFT_CHECK_EQ_INT(memory_of(c).live_bytes, before);
    weft_tensor *kept = weft_keep(weft_ones(c, WEFT_F32, WEFT_DIMS(3)));
    weft_drop(kept);
    weft_drop(kept); /* it is in no scope any more */
    WEFT_CHECK_NEAR(weft_item(c, weft_sum(kept, WEFT_ALL, false)), 3, 0);
    weft_release(kept);
    weft_tensor *x = weft_ones(c, WEFT_F32, WEFT_DIMS(4)), *view = weft_slice(x, 0, 1, 3, 1);
    weft_drop(x);
    WEFT_CHECK_NEAR(weft_item(c, weft_sum(view, WEFT_ALL, false)), 2, 0);
    weft_tensor *w = weft_set_requires_grad(weft_full(c, WEFT_F32, WEFT_SCALAR, 5), true);
    weft_tensor *y = weft_square(w), *z = weft_square(y);
    weft_drop(y); /* the graph of z holds it */
    WEFT_CHECK_OK(weft_backward(c, z));
    WEFT_CHECK_NEAR(weft_item(c, weft_grad_of(w)), 500, 1e-3);
    int mark = weft_scope_push(c);
    weft_drop(z); /* of an outer scope */
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
    fault_ctx_close(c, &m);
}

WEFT_TEST(Drop, AUseAfterwardsIsNamed)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *x = weft_ones(c, WEFT_F32, WEFT_DIMS(4));
    weft_drop(x);
    WEFT_CHECK(weft_neg(x) == NULL);
    WEFT_CHECK_STATUS(weft_ctx_status(c), WEFT_E_DEAD_TENSOR);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "weft_drop");
    weft_ctx_clear(c);
    weft_drop(x);
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_DEAD_TENSOR);
    fault_ctx_close(c, &m);
}

/* ---- Peaks ---- */

/* A layer whose steps nobody has a name for. */
static weft_tensor *layer(weft_tensor *h, weft_tensor *w, weft_tensor *gain)
{
    return weft_add(h, weft_linear_act(weft_rms_norm(h, gain, 1e-5), w, NULL, WEFT_ACTIVATION_GELU_TANH));
}

/* Bytes beside the parameters and the input at the worst moment of a forward pass of n layers. */
static size_t peak_of(weft_ctx *c, weft_tensor *x, weft_tensor *w, weft_tensor *gain, int n, bool thrifty)
{
    const size_t before = memory_of(c).live_bytes;
    weft_memory_reset_peak(c);
    int mark = weft_scope_push_no_grad(c);
    weft_tensor *h = x;
    for (int k = 0; k < n; k++) {
        int inner = thrifty ? weft_scope_push(c) : 0;
        weft_tensor *next = layer(h, w, gain);
        if (thrifty) {
            weft_escape(next);
            WEFT_CHECK_OK(weft_scope_pop(c, inner));
            weft_drop(h == x ? NULL : h);
        }
        h = next;
    }
    WEFT_CHECK(h != NULL);
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
    return memory_of(c).peak_bytes - before;
}

WEFT_TEST(Drop, AForwardPassNeedsOneLayer)
{
    enum { ROWS = 64, WIDTH = 64, LAYERS = 12 };
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *x = weft_rand(c, WEFT_F32, WEFT_DIMS(ROWS, WIDTH), -1, 1);
    weft_tensor *w = weft_param(weft_rand(c, WEFT_F32, WEFT_DIMS(WIDTH, WIDTH), -0.1, 0.1), "w");
    weft_tensor *gain = weft_param(weft_ones(c, WEFT_F32, WEFT_DIMS(WIDTH)), "gain");
    const size_t each = sizeof(float) * ROWS * WIDTH, work = 64 << 10;
    WEFT_CHECK(peak_of(c, x, w, gain, LAYERS, true) <= 5 * each + work);
    WEFT_CHECK(peak_of(c, x, w, gain, LAYERS, false) >= 3 * LAYERS * each);
    weft_release(w);
    weft_release(gain);
    fault_ctx_close(c, &m);
}

/* Products of these sizes pass forward and backward within a small budget. */
WEFT_TEST(WorkSpace, FitsTheProblem)
{
    for (int kind = 0; kind < 5; kind++) {
        fault_memory m = {0};
        weft_ctx *c = NULL;
        weft_options o = fault_options(&m);
        o.memory_budget = kind == 3 ? 512 << 10 : 192 << 10;
        o.threads = 2;
        WEFT_CHECK_OK(weft_ctx_open(&o, &c));
        weft_tensor *a =
            weft_set_requires_grad(weft_rand(c, kind == 4 ? WEFT_F64 : WEFT_F32, WEFT_DIMS(32, 32), -1, 1), true);
        weft_tensor *b = weft_set_requires_grad(weft_neg(weft_detach(a)), true), *y = NULL;
        if (kind == 0 || kind == 4)
            y = weft_matmul(a, b);
        else if (kind == 1)
            y = weft_linear(a, b, NULL);
        else if (kind == 2)
            y = weft_conv2d(weft_reshape(a, WEFT_DIMS(2, 8, 8, 8)),
                            weft_reshape(weft_slice(b, 0, 0, 18, 1), WEFT_DIMS(8, 8, 3, 3)), NULL, NULL);
        else
            y = weft_attention(weft_reshape(a, WEFT_DIMS(2, 16, 32)), weft_reshape(b, WEFT_DIMS(2, 16, 32)),
                               weft_reshape(b, WEFT_DIMS(2, 16, 32)), WEFT_ATTENTION_SCALE, true);
        weft_backward(c, weft_sum(y, WEFT_ALL, false));
        if (weft_ctx_status(c) != WEFT_OK)
            WEFT_FAIL("kind %d: %s", kind, weft_ctx_message(c));
        weft_ctx_clear(c);
        fault_ctx_close(c, &m);
    }
}
