/* test_gpu.c - what only a whole run on the device shows: training repeats bit by bit and follows the CPU, closing
 * gives every byte back, the end of device memory is an error and not the end, and no launch of a training step parts
 * from the CPU's. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/compare.h>

#include "device/both.h"
#include "harness/structs.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"
#include "samples/device.h"
#include "samples/layout.h"

enum { BATCH = 64, PIXELS = 12, CLASSES = 10, STEPS = 12, HIDDEN = 48 };

typedef struct model {
    weft_tensor *filter, *w1, *b1, *w2;
} model;

static weft_tensor *logits_of(const model *m, weft_tensor *x)
{
    weft_pool2d_params pool = INIT_POOL2D(.kernel = {2, 2}, .stride = {2, 2});
    weft_tensor *h = weft_max_pool2d(weft_relu(weft_conv2d(x, m->filter, NULL, NULL)), &pool);
    h = weft_dropout(weft_gelu(weft_linear(weft_flatten(h, 1, -1), m->w1, m->b1)), 0.1, true);
    return weft_linear(weft_layer_norm(h, NULL, NULL, 1e-5), m->w2, NULL);
}

/* A model with data and an optimiser. */
typedef struct trained {
    model m;
    weft_tensor *x, *y;
    weft_optim *opt;
} trained;

static weft_status prepare(weft_ctx *c, trained *t, int64_t batch)
{
    const int64_t inner = 8 * (PIXELS - 2) / 2 * (PIXELS - 2) / 2;
    t->m = (model){
        .filter = weft_param(both_input(c, WEFT_F32, WEFT_DIMS(8, 1, 3, 3), -0.3, 0.3, 1), "filter"),
        .w1 = weft_param(both_input(c, WEFT_F32, WEFT_DIMS(HIDDEN, inner), -0.1, 0.1, 2), "w1"),
        .b1 = weft_param(weft_zeros(c, WEFT_F32, WEFT_DIMS(HIDDEN)), "b1"),
        .w2 = weft_param(both_input(c, WEFT_F32, WEFT_DIMS(CLASSES, HIDDEN), -0.1, 0.1, 3), "w2"),
    };
    t->x = both_input(c, WEFT_F32, WEFT_DIMS(batch, 1, PIXELS, PIXELS), -1, 1, 4);
    t->y = both_input(c, WEFT_I64, WEFT_DIMS(batch), 0, CLASSES, 5);
    weft_tensor *params[] = {t->m.filter, t->m.w1, t->m.b1, t->m.w2};
    return weft_adamw_open(c, params, 4, &WITH_ADAM(.lr = 3e-3, .weight_decay = 0.01), &t->opt);
}

static void finish(trained *t)
{
    weft_tensor *params[] = {t->m.filter, t->m.w1, t->m.b1, t->m.w2};
    weft_optim_close(t->opt);
    for (int k = 0; k < 4; k++)
        weft_release(params[k]);
}

static weft_tensor *step_of(weft_ctx *c, const trained *t)
{
    weft_tensor *loss = weft_cross_entropy(logits_of(&t->m, t->x), t->y);
    weft_backward(c, loss);
    weft_optim_step(c, t->opt);
    weft_optim_zero_grad(c, t->opt);
    return weft_detach(loss);
}

/* The losses of a short training as a tensor [STEPS]. */
static weft_tensor *train(weft_ctx *c, void *user)
{
    (void)user;
    trained t;
    weft_tensor *losses[STEPS];
    if (prepare(c, &t, BATCH) != WEFT_OK)
        return NULL;
    for (int step = 0; step < STEPS; step++)
        losses[step] = step_of(c, &t);
    weft_tensor *curve = weft_stack(losses, STEPS, 0);
    finish(&t);
    return curve;
}

/* check_both also compares the bits of two runs on the device. The curves part slowly: rounding differs. */
WEFT_TEST(Gpu, TrainingRepeatsAndFollowsTheCpu)
{
    check_both("steps of AdamW", train, NULL, 2e-3, 2e-3);
}

WEFT_TEST(Gpu, CloseGivesEverythingBack)
{
    fault_memory memory = {0};
    weft_options options = fault_options(&memory);
    options.device = test_device();
    weft_ctx *c;
    WEFT_REQUIRE(weft_ctx_open(&options, &c) == WEFT_OK);
    WEFT_CHECK(train(c, NULL) != NULL);
    WEFT_CHECK_OK(weft_ctx_status(c));
    weft_ctx_close(c);
    WEFT_CHECK(!strstr(memory.last_log, "not given back"));
    WEFT_CHECK_EQ_INT(memory.live_blocks, 0);
}

WEFT_TEST(Gpu, OutOfMemoryIsAnErrorAndTheContextGoesOn)
{
    test_memory memory;
    weft_ctx *c = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(c);
    weft_device_info info = {0};
    WEFT_REQUIRE(weft_device_info_get("cuda", 0, &info, sizeof info) == WEFT_OK);
    weft_tensor *kept = weft_full(c, WEFT_F32, WEFT_DIMS(1000), 7);
    WEFT_CHECK(!weft_zeros(c, WEFT_U8, WEFT_DIMS((int64_t)info.total_memory * 2)));
    WEFT_CHECK_STATUS(weft_ctx_status(c), WEFT_E_NOMEM);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "out of memory");
    weft_ctx_clear(c);
    WEFT_CHECK_NEAR(weft_item(c, weft_sum(kept, WEFT_ALL, false)), 7000, 0);
    test_ctx_close(c, &memory);
}

WEFT_TEST(Gpu, AnIndexOutOfRangeIsNamedAtTheNextWait)
{
    test_memory memory;
    weft_ctx *c = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(c);
    weft_tensor *x = weft_arange(c, WEFT_F32, 0, 5, 1);
    weft_tensor *y = weft_index_select(x, weft_from_data(c, WEFT_I64, WEFT_DIMS(3), (int64_t[]){1, 7, 2}), 0);
    float out[3];
    WEFT_CHECK_STATUS(weft_read(c, y, out, sizeof out), WEFT_E_INVALID);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "index[1] = 7 is outside [0, 5)");
    weft_ctx_clear(c);
    WEFT_CHECK_NEAR(weft_item(c, weft_select(x, 0, 4)), 4, 0);
    test_ctx_close(c, &memory);
}

/* ---- Launch by launch ---- */

static weft_status lockstep_step(weft_ctx *c, void *user, int step, double *loss)
{
    (void)step;
    int mark = weft_scope_push(c);
    *loss = weft_item(c, step_of(c, user));
    return weft_scope_pop(c, mark);
}

static void keep_difference(void *user, const weft_difference *difference)
{
    *(weft_difference *)user = *difference;
}

WEFT_TEST(Gpu, EveryLaunchOfAStepAgreesWithTheCpu)
{
    test_memory cpu_memory, memory;
    weft_ctx *cpu = test_ctx_open_on("cpu", &cpu_memory, 1), *c = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(cpu && c);
    trained on_cpu, on_device;
    WEFT_CHECK_OK(prepare(cpu, &on_cpu, 8));
    WEFT_CHECK_OK(prepare(c, &on_device, 8));
    weft_drift drift[2];
    weft_difference first = {.text = ""};
    weft_lockstep_options options =
        INIT_LOCKSTEP(.steps = 2, .drift = drift, .drift_room = 2, .difference = keep_difference, .user = &first);
    weft_lockstep_report report;
    WEFT_CHECK_OK(weft_lockstep(cpu, &on_cpu, c, &on_device, lockstep_step, &options, &report, sizeof report));
    if (report.differences)
        WEFT_FAIL("%s", first.text);
    WEFT_CHECK(report.launches > 40);
    WEFT_CHECK_EQ_INT(report.n_drift, 2);
    finish(&on_cpu);
    finish(&on_device);
    test_ctx_close(c, &memory);
    test_ctx_close(cpu, &cpu_memory);
}
