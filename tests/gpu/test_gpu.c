/* test_gpu.c - what only a whole run on the device shows: training repeats bit by bit and follows the CPU, closing gives
 * every byte back, the end of device memory is an error and not the end. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/both.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"
#include "samples/device.h"
#include "samples/layout.h"

enum { BATCH = 64, PIXELS = 12, CLASSES = 10, STEPS = 20, HIDDEN = 48 };

typedef struct model {
    weft_tensor *filter, *w1, *b1, *w2;
} model;

static weft_tensor *logits_of(const model *m, weft_tensor *x)
{
    weft_pool2d_params pool = {.kernel = {2, 2}, .stride = {2, 2}};
    weft_tensor *h = weft_max_pool2d(weft_relu(weft_conv2d(x, m->filter, NULL, NULL)), &pool);
    h = weft_dropout(weft_gelu(weft_linear(weft_flatten(h, 1, -1), m->w1, m->b1)), 0.1, true);
    return weft_linear(weft_layer_norm(h, NULL, NULL, 1e-5), m->w2, NULL);
}

/* The losses of a short training as a tensor [STEPS]. */
static weft_tensor *train(weft_ctx *c, void *user)
{
    (void)user;
    const int64_t inner = 8 * (PIXELS - 2) / 2 * (PIXELS - 2) / 2;
    model m = {
        .filter = weft_param(both_input(c, WEFT_F32, WEFT_DIMS(8, 1, 3, 3), -0.3, 0.3, 1), "filter"),
        .w1 = weft_param(both_input(c, WEFT_F32, WEFT_DIMS(HIDDEN, inner), -0.1, 0.1, 2), "w1"),
        .b1 = weft_param(weft_zeros(c, WEFT_F32, WEFT_DIMS(HIDDEN)), "b1"),
        .w2 = weft_param(both_input(c, WEFT_F32, WEFT_DIMS(CLASSES, HIDDEN), -0.1, 0.1, 3), "w2"),
    };
    weft_tensor *params[] = {m.filter, m.w1, m.b1, m.w2}, *losses[STEPS];
    weft_tensor *x = both_input(c, WEFT_F32, WEFT_DIMS(BATCH, 1, PIXELS, PIXELS), -1, 1, 4);
    weft_tensor *y = both_input(c, WEFT_I64, WEFT_DIMS(BATCH), 0, CLASSES, 5);
    weft_optim *opt;
    if (weft_adamw_open(c, params, 4, &(weft_adam_options){.lr = 3e-3, .weight_decay = 0.01}, &opt) != WEFT_OK)
        return NULL;
    for (int step = 0; step < STEPS; step++) {
        weft_tensor *loss = weft_cross_entropy(logits_of(&m, x), y);
        weft_backward(c, loss);
        weft_optim_step(c, opt);
        weft_optim_zero_grad(c, opt);
        losses[step] = weft_detach(loss);
    }
    weft_tensor *curve = weft_stack(losses, STEPS, 0);
    weft_optim_close(opt);
    for (int k = 0; k < 4; k++)
        weft_release(params[k]);
    return curve;
}

/* check_both also compares the bits of two runs on the device. The curves part slowly: rounding differs. */
WEFT_TEST(Gpu, TrainingRepeatsAndFollowsTheCpu)
{
    check_both("20 steps of AdamW", train, NULL, 2e-3, 2e-3);
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
    WEFT_REQUIRE(weft_device_info_get("cuda", 0, &info) == WEFT_OK);
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
    weft_tensor *y = weft_index_select(x, 0, weft_from_data(c, WEFT_I64, WEFT_DIMS(3), (int64_t[]){1, 7, 2}));
    float out[3];
    WEFT_CHECK_STATUS(weft_read(c, y, out, sizeof out), WEFT_E_INVALID);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "index[1] = 7 is outside [0, 5)");
    weft_ctx_clear(c);
    WEFT_CHECK_NEAR(weft_item(c, weft_select(x, 0, 4)), 4, 0);
    test_ctx_close(c, &memory);
}
