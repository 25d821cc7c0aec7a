/* test_optim_options.c - which options of optimisers are refused, and in which words. */
#include <math.h>
#include "harness/structs.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"

typedef struct refusal {
    const char *text;
    weft_status status;
    const weft_optim *opened;
} refusal;

static void check_options(weft_ctx *c, const refusal *r)
{
    WEFT_CHECK_STATUS(r->status, WEFT_E_INVALID);
    WEFT_CHECK(r->opened == NULL);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), r->text);
    weft_ctx_clear(c);
}

WEFT_TEST(OptimOptions, EveryRuleNamesTheOptionThatIsOutOfRange)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *p = weft_param(weft_ones(c, WEFT_F32, WEFT_DIMS(2)), "p");
    weft_optim *opt = NULL;
#define REFUSED(name, NAME, text, ...)                                                                                 \
    do {                                                                                                               \
        const weft_status status = weft_##name##_open(c, &p, 1, &WITH_##NAME(__VA_ARGS__), &opt);                      \
        check_options(c, &(refusal){text, status, opt});                                                               \
    } while (0)
    REFUSED(adagrad, ADAGRAD, "weft_adagrad_open: lr_decay is -1; it must be finite and at least 0", .lr_decay = -1);
    REFUSED(adagrad, ADAGRAD, "weight_decay is nan", .weight_decay = NAN);
    REFUSED(adagrad, ADAGRAD, "initial_accumulator is -2", .initial_accumulator = -2);
    REFUSED(adagrad, ADAGRAD, "eps is inf", .eps = INFINITY);
    REFUSED(adadelta, ADADELTA, "weft_adadelta_open: rho is 1.5; it must be in [0, 1]", .rho = 1.5);
    REFUSED(adadelta, ADADELTA, "eps is -1", .eps = -1);
    REFUSED(adadelta, ADADELTA, "weight_decay is inf", .weight_decay = INFINITY);
    REFUSED(nadam, NADAM, "weft_nadam_open: beta1 is 1; it must be in [0, 1)", .beta1 = 1);
    REFUSED(nadam, NADAM, "beta2 is -0.5", .beta2 = -0.5);
    REFUSED(nadam, NADAM, "eps is nan", .eps = NAN);
    REFUSED(nadam, NADAM, "weight_decay is -1", .weight_decay = -1);
    REFUSED(nadam, NADAM, "momentum_decay is -1", .momentum_decay = -1);
    REFUSED(lion, LION, "weft_lion_open: beta1 is nan", .beta1 = NAN);
    REFUSED(lion, LION, "beta2 is 1; it must be in [0, 1)", .beta2 = 1);
    REFUSED(lion, LION, "weight_decay is nan", .weight_decay = NAN);
#undef REFUSED
    weft_release(p);
    fault_ctx_close(c, &m);
}
