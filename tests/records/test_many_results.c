/* test_many_results.c - the call path, the tape and the driver with a row of as many results as a record describes. */
#include <stdio.h>
#include <string.h>
#include "engine/drive.h"
#include "fake_device.h"
#include "harness/structs.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"
#include "many_results.h"

/* f32 and f64 alone, so that the driver has 65 half arrays to convert. */
static weft_status compute(const weft__exec *e)
{
    if (e->n_out != MANY)
        return WEFT_E_INTERNAL;
    for (int k = 0; k < MANY; k++)
        for (int64_t i = 0; e->out[k] && i < e->out[k]->count; i++) {
            const bool wide = e->in[0]->dtype == WEFT_F64;
            const double x = wide ? ((const double *)e->in[0]->data)[i] : (double)((const float *)e->in[0]->data)[i];
            if (k == MANY - 1)
                ((int64_t *)e->out[k]->data)[i] = i;
            else if (wide)
                ((double *)e->out[k]->data)[i] = (k + 1) * x * x;
            else
                ((float *)e->out[k]->data)[i] = (float)((k + 1) * x * x);
        }
    return WEFT_OK;
}

static weft__exception exceptions[WEFT_OP_COUNT];
static weft__needs needs = {.exceptions = exceptions};

static weft_status driven(const weft__exec *e)
{
    return e->host->drive(e, &needs, compute);
}

static weft_ctx *open_watched(fault_memory *m, bool nan_watch)
{
    weft__backend *fake = fake_device();
    weft_options o = fault_options(m);
    weft_ctx *c = NULL;
    needs.copy = fake->run[WEFT_OP_COPY];
    fake->run[WEFT_OP_CUMSUM] = driven;
    o.device = "test";
    o.nan_watch = nan_watch;
    WEFT_CHECK_OK(weft_ctx_open(&o, &c));
    return c;
}

static weft_ctx *open_ctx(fault_memory *m)
{
    return open_watched(m, false);
}

static double item(weft_ctx *c, weft_tensor *x, int64_t k)
{
    return weft_item(c, weft_select(x, 0, k));
}

static weft_tensor *sum(weft_tensor *x)
{
    return weft_sum(x, WEFT_ALL, false);
}

static void check_gradients(weft_ctx *c, weft_dtype dtype)
{
    weft_tensor *y[MANY], *g, *h, *x = weft_set_requires_grad(weft_full(c, dtype, WEFT_DIMS(3), 2), true);
    WEFT_REQUIRE(many_results(x, false, y));
    for (int k = 0; k < MANY - 1; k++) {
        WEFT_CHECK(item(c, y[k], 1) == 4.0 * (k + 1));
        WEFT_CHECK(weft_requires_grad(y[k]));
    }
    WEFT_CHECK_EQ_INT(weft_dtype_of(y[MANY - 1]), WEFT_I64);
    WEFT_CHECK(item(c, y[MANY - 1], 2) == 2);
    WEFT_CHECK(!weft_requires_grad(y[MANY - 1]));
    weft_tensor *loss = weft_add(weft_add(sum(y[0]), sum(y[15])), weft_add(sum(y[16]), sum(y[62])));
    many_rules = 0;
    WEFT_CHECK_OK(weft_grad(c, &loss, NULL, 1, &x, 1, WEFT_GRAD_CREATE_GRAPH, &g));
    WEFT_CHECK_EQ_INT(many_rules, 1);
    WEFT_CHECK(item(c, g, 0) == 2 * 2.0 * (1 + 16 + 17 + 63));
    loss = sum(g);
    WEFT_CHECK_OK(weft_grad(c, &loss, NULL, 1, &x, 1, 0, &h));
    WEFT_CHECK(item(c, h, 0) == 2.0 * (1 + 16 + 17 + 63));
    WEFT_CHECK_STATUS(weft_ctx_status(c), WEFT_OK);
}

WEFT_TEST(ManyResults, FirstAndSecondDerivatives)
{
    fault_memory m = {0};
    weft_ctx *c = open_ctx(&m);
    check_gradients(c, WEFT_F64);
    check_gradients(c, WEFT_F32);
    fault_ctx_close(c, &m);
}

WEFT_TEST(ManyResults, AreConvertedByTheDriver)
{
    fault_memory m = {0};
    weft_ctx *c = open_ctx(&m);
    weft_tensor *y[MANY], *x = weft_full(c, WEFT_BF16, WEFT_DIMS(3), 0.5);
    WEFT_REQUIRE(many_results(x, false, y));
    for (int k = 0; k < MANY - 1; k++) {
        WEFT_CHECK_EQ_INT(weft_dtype_of(y[k]), WEFT_BF16);
        WEFT_CHECK(item(c, y[k], 2) == 0.25 * (k + 1));
    }
    fault_ctx_close(c, &m);
}

/* The last differentiable one is not wanted: no tensor, no gradient. */
WEFT_TEST(ManyResults, OneMayBeMissing)
{
    fault_memory m = {0};
    weft_ctx *c = open_ctx(&m);
    weft_tensor *y[MANY], *g, *x = weft_set_requires_grad(weft_full(c, WEFT_F32, WEFT_DIMS(3), 2), true);
    WEFT_REQUIRE(many_results(x, true, y));
    WEFT_CHECK(y[MANY - 2] == NULL);
    weft_tensor *loss = sum(y[61]);
    WEFT_CHECK_OK(weft_grad(c, &loss, NULL, 1, &x, 1, 0, &g));
    WEFT_CHECK(item(c, g, 0) == 4.0 * 62);
    fault_ctx_close(c, &m);
}

WEFT_TEST(ManyResults, OneThatIsReadMustNotChange)
{
    static const int results[] = {0, 14, 15, 16, 62};
    fault_memory m = {0};
    weft_ctx *c = open_ctx(&m);
    for (int k = 0; k < 5; k++) {
        char which[40];
        weft_tensor *y[MANY], *g, *x = weft_set_requires_grad(weft_full(c, WEFT_F32, WEFT_DIMS(3), 2), true);
        WEFT_REQUIRE(many_results(x, false, y));
        weft_tensor *loss = sum(y[30]);
        weft_fill_(weft_detach(y[results[k]]), 7);
        WEFT_CHECK_STATUS(weft_grad(c, &loss, NULL, 1, &x, 1, 0, &g), WEFT_E_OVERWRITTEN);
        snprintf(which, sizeof which, "result %d of weft_cumsum", results[k]);
        WEFT_CHECK_STR_HAS(weft_ctx_message(c), which);
        weft_ctx_clear(c);
    }
    fault_ctx_close(c, &m);
}

/* Wherever memory runs out, nothing is lost and nothing crashes. */
WEFT_TEST(ManyResults, RunOutOfMemoryAnywhere)
{
    fault_memory m = {0};
    weft_ctx *c = open_ctx(&m);
    int failed = 0;
    for (int after = 0; after < 400; after++) {
        weft_tensor *y[MANY], *g;
        const int mark = weft_scope_push(c);
        weft_tensor *x = weft_set_requires_grad(weft_full(c, WEFT_F32, WEFT_DIMS(3), 2), true);
        m.fail_at = m.calls + after + 1;
        weft_tensor *loss = many_results(x, false, y) ? sum(y[5]) : NULL;
        const bool done = loss && weft_grad(c, &loss, NULL, 1, &x, 1, 0, &g) == WEFT_OK;
        m.fail_at = 0;
        failed += !done;
        WEFT_CHECK_STATUS(weft_ctx_clear(c), done ? WEFT_OK : WEFT_E_NOMEM);
        WEFT_CHECK_OK(weft_scope_pop(c, mark));
        if (done)
            break;
        weft_memory_trim(c);
    }
    WEFT_CHECK(failed > 2);
    fault_ctx_close(c, &m);
}

WEFT_TEST(ManyResults, TheNanWatchLooksAtEachOfThem)
{
    fault_memory m = {0};
    weft_ctx *c = open_watched(&m, true);
    weft_tensor *y[MANY];
    WEFT_CHECK(!many_results(weft_full(c, WEFT_F32, WEFT_DIMS(3), 1e19), false, y)); /* 1e38, 2e38, 3e38, infinite */
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "made 3 NaN or infinite elements of 3 in result 3, f32 [3]");
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "in the forward pass");
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_NOT_FINITE);
    WEFT_CHECK(many_results(weft_full(c, WEFT_F32, WEFT_DIMS(3), 1e18), false, y));
    fault_ctx_close(c, &m);
}
