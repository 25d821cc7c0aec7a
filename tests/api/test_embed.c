/* test_embed.c - the shared library as an embedding program sees it: public headers only, a model trained from end to
 * end. */
#include <math.h>
#include <weft/weft.h>
#include "weft_test.h"
#include "harness/structs.h"

typedef struct model {
    weft_tensor *w1, *b1, *w2;
    weft_optim *opt;
} model;

static weft_status train_step(weft_ctx *c, model *m, weft_tensor *x, weft_tensor *y, double *loss)
{
    int mark = weft_scope_push(c);
    weft_tensor *h = weft_tanh(weft_linear(x, m->w1, m->b1));
    weft_tensor *l = weft_cross_entropy(weft_linear(h, m->w2, NULL), y);
    weft_backward(c, l);
    weft_optim_step(c, m->opt);
    weft_optim_zero_grad(c, m->opt);
    *loss = weft_item(c, l);
    return weft_scope_pop(c, mark);
}

WEFT_TEST(Embed, TrainsExclusiveOr)
{
    static const float points[] = {0, 0, 0, 1, 1, 0, 1, 1};
    static const int64_t classes[] = {0, 1, 1, 0};
    weft_ctx *c = NULL;
    WEFT_REQUIRE(weft_ctx_open(&WITH_OPTIONS(.seed = 1), &c) == WEFT_OK);
    weft_tensor *x = weft_from_data(c, WEFT_F32, WEFT_DIMS(4, 2), points),
                *y = weft_from_data(c, WEFT_I64, WEFT_DIMS(4), classes);
    model m = {weft_param(weft_randn(c, WEFT_F32, WEFT_DIMS(16, 2), 0, 1), "w1"),
               weft_param(weft_zeros(c, WEFT_F32, WEFT_DIMS(16)), "b1"),
               weft_param(weft_randn(c, WEFT_F32, WEFT_DIMS(2, 16), 0, 0.3), "w2"), NULL};
    weft_tensor *params[] = {m.w1, m.b1, m.w2};
    WEFT_CHECK_OK(weft_adam_open(c, params, 3, &WITH_ADAM(.lr = 0.05), &m.opt));
    double loss = NAN;
    for (int k = 0; k < 200; k++)
        WEFT_CHECK_OK(train_step(c, &m, x, y, &loss));
    WEFT_CHECK(loss < 0.05);
    WEFT_CHECK_EQ_INT(memory_of(c).live_nodes, 0);
    WEFT_CHECK_STATUS(train_step(c, &m, weft_ones(c, WEFT_F32, WEFT_DIMS(4, 3)), y, &loss), WEFT_E_SHAPE);
    WEFT_CHECK(isnan(loss));
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "weft_linear");
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "w1");
    weft_ctx_clear(c);
    WEFT_CHECK_OK(train_step(c, &m, x, y, &loss));
    weft_optim_close(m.opt);
    for (int k = 0; k < 3; k++)
        weft_release(params[k]);
    WEFT_CHECK_EQ_INT(weft_leaks(c, NULL, NULL), 0);
    weft_ctx_close(c);
}
