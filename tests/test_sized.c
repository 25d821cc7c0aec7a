/* test_sized.c - structs that grow: a caller's struct_size says which fields it has; the others are defaults, and what
 * no release can have made is refused with a sentence. */
#include <math.h>
#include <string.h>
#include <weft/extend.h>
#include <weft/weft.h>
#include "harness/structs.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"

static const weft_batch_norm_params batch_norm = WEFT_BATCH_NORM_DEFAULTS;

static void check_refused(weft_ctx *c, const char *words)
{
    WEFT_CHECK_STATUS(weft_ctx_status(c), WEFT_E_INVALID);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), words);
    weft_ctx_clear(c);
}

/* Every prefix that ends with a field is read, and what it lacks has its default. */
WEFT_TEST(Sized, ShorterOnesArePadded)
{
    const weft_batch_norm_params given = {sizeof given, 0.75, 0.5, true};
    for (size_t size = offsetof(weft_batch_norm_params, eps); size <= sizeof given; size += sizeof(size_t)) {
        weft_batch_norm_params old, out;
        memset(&old, 0xee, sizeof old); /* what lies behind an older struct */
        memcpy(&old, &given, size);
        old.struct_size = size;
        WEFT_CHECK_OK(weft_struct_in(NULL, "batch_norm", "weft_batch_norm_params", &batch_norm, &old, &out));
        WEFT_CHECK(out.struct_size == sizeof out);
        WEFT_CHECK(out.momentum == 0.75);
        WEFT_CHECK(out.eps == (size > offsetof(weft_batch_norm_params, eps) ? 0.5 : batch_norm.eps));
        WEFT_CHECK(out.training == (size > offsetof(weft_batch_norm_params, training)));
    }
}

WEFT_TEST(Sized, NullIsTheDefaults)
{
    weft_batch_norm_params out;
    WEFT_CHECK_OK(weft_struct_in(NULL, "batch_norm", "weft_batch_norm_params", &batch_norm, NULL, &out));
    WEFT_CHECK(memcmp(&out, &batch_norm, sizeof out) == 0);
}

WEFT_TEST(Sized, OthersAreRefused)
{
    static const struct {
        size_t size;
        const char *words;
    } runs[] = {{0, "struct_size of the weft_batch_norm_params is 0: begin with \"weft_batch_norm_params x = "
                    "WEFT_BATCH_NORM_DEFAULTS;\""},
                {sizeof(size_t), "is 8, where no field of it ends: begin with"},
                {sizeof batch_norm - 1, "is 31, where no field of it ends"},
                {sizeof batch_norm + 8, "is 40, but this library knows 32 bytes of it"},
                {SIZE_MAX, "where no field of it ends"}};
    fault_memory memory = {0};
    weft_ctx *c = fault_ctx_open(&memory);
    WEFT_REQUIRE(c != NULL);
    weft_tensor *x = weft_ones(c, WEFT_F32, WEFT_DIMS(4, 3));
    for (size_t k = 0; k < sizeof runs / sizeof *runs; k++) {
        weft_batch_norm_params p = {runs[k].size, 0.1, 1e-5, true}, out;
        WEFT_CHECK(weft_batch_norm(x, NULL, NULL, NULL, NULL, &p) == NULL);
        WEFT_CHECK_STR_HAS(weft_ctx_message(c), "weft_batch_norm: ");
        check_refused(c, runs[k].words);
        WEFT_CHECK_STATUS(weft_struct_in(c, "mine", "weft_batch_norm_params", &batch_norm, &p, &out), WEFT_E_INVALID);
        WEFT_CHECK(memcmp(&out, &batch_norm, sizeof out) == 0);
        check_refused(c, "weft_mine: ");
    }
    fault_ctx_close(c, &memory);
}

/* What is written is what is used: 0 too. NULL: the running values, with the defaults. */
WEFT_TEST(Sized, BatchNorm)
{
    fault_memory memory = {0};
    weft_ctx *c = fault_ctx_open(&memory);
    WEFT_REQUIRE(c != NULL);
    weft_tensor *x = weft_from_data(c, WEFT_F64, WEFT_DIMS(2, 1), (const double[]){1, 5});
    weft_tensor *mean = weft_full(c, WEFT_F64, WEFT_DIMS(1), 2), *var = weft_full(c, WEFT_F64, WEFT_DIMS(1), 9);
    weft_tensor *y = weft_batch_norm(x, NULL, NULL, mean, var, NULL);
    WEFT_CHECK_NEAR(weft_item(c, weft_slice(y, 0, 1, 2, 1)), 3 / sqrt(9 + 1e-5), 1e-15);
    weft_batch_norm_params p = WEFT_BATCH_NORM_DEFAULTS;
    p.eps = 0;
    y = weft_batch_norm(x, NULL, NULL, mean, var, &p);
    WEFT_CHECK(weft_item(c, weft_slice(y, 0, 1, 2, 1)) == 1);
    p.training = true;
    p.momentum = 0; /* the running values stay */
    y = weft_batch_norm(x, NULL, NULL, mean, var, &p);
    WEFT_CHECK(weft_item(c, weft_slice(y, 0, 1, 2, 1)) == 1);
    WEFT_CHECK(weft_item(c, mean) == 2);
    WEFT_CHECK(weft_item(c, var) == 9);
    p.momentum = 1; /* they become the batch's, the variance unbiased */
    weft_batch_norm(x, NULL, NULL, mean, var, &p);
    WEFT_CHECK(weft_item(c, mean) == 3);
    WEFT_CHECK(weft_item(c, var) == 8);
    static const double bad[][2] = {{-0.1, 0}, {1.5, 0}, {NAN, 0}, {0.1, -1e-5}, {0.1, NAN}, {0.1, INFINITY}};
    for (int k = 0; k < 6; k++) {
        p = (weft_batch_norm_params){sizeof p, bad[k][0], bad[k][1], k % 2 == 0};
        WEFT_CHECK(weft_batch_norm(x, NULL, NULL, mean, var, &p) == NULL);
        check_refused(c, "must lie in [0, 1], and eps");
    }
    fault_ctx_close(c, &memory);
}

/* The macros of the tests say what the public ones say, which fill every field: padding is all that may differ. */
WEFT_TEST(Sized, DefaultsOfTheTests)
{
#define SAME(type, NAME)                                                                                               \
    do {                                                                                                               \
        static const type ours = INIT_##NAME(), theirs = WEFT_##NAME##_DEFAULTS;                                       \
        WEFT_CHECK(memcmp(&ours, &theirs, sizeof ours) == 0);                                                          \
        WEFT_CHECK(theirs.struct_size == sizeof theirs);                                                               \
    } while (0)
    SAME(weft_options, OPTIONS);
    SAME(weft_conv2d_params, CONV2D);
    SAME(weft_pool2d_params, POOL2D);
    SAME(weft_sgd_options, SGD);
    SAME(weft_adam_options, ADAM);
    SAME(weft_adagrad_options, ADAGRAD);
    SAME(weft_adadelta_options, ADADELTA);
    SAME(weft_nadam_options, NADAM);
    SAME(weft_lion_options, LION);
    SAME(weft_step_lists, STEP_LISTS);
    SAME(weft_gradcheck_options, GRADCHECK);
    SAME(weft_bench_options, BENCH);
    SAME(weft_lockstep_options, LOCKSTEP);
    SAME(weft_compare_ops_options, COMPARE_OPS);
    SAME(weft_load_options, LOAD);
    SAME(weft_source, SOURCE);
    SAME(weft_sample_options, SAMPLE);
    SAME(weft_custom_op, CUSTOM_OP);
#undef SAME
}

/* One step of Adam on p = 2 with gradient 0.5: p - lr m' / (sqrt(v') + eps), by hand. */
static double adam_step(weft_ctx *c, const weft_adam_options *o)
{
    const int mark = weft_scope_push(c);
    weft_tensor *p = weft_param(weft_scalar(c, WEFT_F64, 2), "p");
    weft_optim *opt = NULL;
    double after = NAN;
    if (weft_adam_open(c, &p, 1, o, &opt) == WEFT_OK) {
        weft_backward(c, weft_mul_scalar(p, 0.5));
        weft_optim_step(c, opt);
        after = weft_item(c, p);
    }
    weft_optim_close(opt);
    weft_release(p);
    return weft_scope_pop(c, mark) == WEFT_OK ? after : (double)NAN;
}

WEFT_TEST(Sized, ZeroIsAValueOfAdam)
{
    fault_memory memory = {0};
    weft_ctx *c = fault_ctx_open(&memory);
    WEFT_REQUIRE(c != NULL);
    WEFT_CHECK(adam_step(c, &WITH_ADAM(.lr = 0)) == 2);
    WEFT_CHECK(adam_step(c, &WITH_ADAM(.lr = 0.25, .eps = 0)) == 2 - 0.25);
    WEFT_CHECK_NEAR(adam_step(c, &WITH_ADAM(.lr = 0.25, .eps = 0.5)), 2 - 0.25 * 0.5 / (0.5 + 0.5), 1e-15);
    /* the second of two steps with gradients 0.5 and then 1.5 tells the betas */
    static const double betas[][2] = {{0, 0.999}, {0.9, 0}, {0, 0}};
    for (int k = 0; k < 3; k++) {
        const int mark = weft_scope_push(c);
        const double b1 = betas[k][0], b2 = betas[k][1];
        weft_tensor *p = weft_param(weft_scalar(c, WEFT_F64, 2), "p");
        weft_optim *opt = NULL;
        WEFT_CHECK_OK(weft_adam_open(c, &p, 1, &WITH_ADAM(.lr = 0.25, .beta1 = b1, .beta2 = b2, .eps = 0), &opt));
        weft_backward(c, weft_mul_scalar(p, 0.5));
        weft_optim_step(c, opt);
        weft_optim_zero_grad(c, opt);
        weft_backward(c, weft_mul_scalar(p, 1.5));
        weft_optim_step(c, opt);
        const double m = (b1 * (1 - b1) * 0.5 + (1 - b1) * 1.5) / (1 - b1 * b1);
        const double v = (b2 * (1 - b2) * 0.25 + (1 - b2) * 2.25) / (1 - b2 * b2);
        WEFT_CHECK_NEAR(weft_item(c, p), 2 - 0.25 - 0.25 * m / sqrt(v), 1e-14);
        weft_optim_close(opt);
        weft_release(p);
        WEFT_CHECK_OK(weft_scope_pop(c, mark));
    }
    fault_ctx_close(c, &memory);
}

WEFT_TEST(Sized, ZeroIsAValueOfSgd)
{
    fault_memory memory = {0};
    weft_ctx *c = fault_ctx_open(&memory);
    WEFT_REQUIRE(c != NULL);
    weft_tensor *p = weft_param(weft_scalar(c, WEFT_F64, 2), "p");
    weft_optim *opt = NULL;
    WEFT_CHECK_OK(weft_sgd_open(c, &p, 1, &WITH_SGD(.lr = 0), &opt));
    WEFT_CHECK(weft_optim_lr(opt) == 0);
    weft_backward(c, weft_mul_scalar(p, 0.5));
    weft_optim_step(c, opt);
    WEFT_CHECK(weft_item(c, p) == 2);
    weft_optim_close(opt);
    weft_release(p);
    fault_ctx_close(c, &memory);
}

/* A struct whose fields are all 0 was not begun with its macro, and would mean what nobody wants. */
WEFT_TEST(Sized, AllZeroIsRefused)
{
    fault_memory memory = {0};
    weft_ctx *c = fault_ctx_open(&memory), *none = c;
    WEFT_REQUIRE(c != NULL);
    weft_tensor *p = weft_param(weft_ones(c, WEFT_F64, WEFT_DIMS(2)), "p"), *out;
    weft_optim *opt;
    weft_named_tensor *list;
    int n;
    weft_bench_result result;
    WEFT_CHECK_STATUS(weft_sgd_open(c, &p, 1, &(weft_sgd_options){0}, &opt), WEFT_E_INVALID);
    check_refused(c, "WEFT_SGD_DEFAULTS");
    WEFT_CHECK_STATUS(weft_adam_open(c, &p, 1, &(weft_adam_options){0}, &opt), WEFT_E_INVALID);
    check_refused(c, "WEFT_ADAM_DEFAULTS");
    WEFT_CHECK_STATUS(weft_sgd_step(c, &(weft_step_lists){0}, NULL), WEFT_E_INVALID);
    check_refused(c, "WEFT_STEP_LISTS_DEFAULTS");
    WEFT_CHECK_STATUS(weft_adam_step(c, NULL, &(weft_adam_options){0}), WEFT_E_INVALID);
    check_refused(c, "WEFT_ADAM_DEFAULTS");
    WEFT_CHECK_STATUS(weft_gradcheck(c, &p, 1, NULL, NULL, &(weft_gradcheck_options){0}), WEFT_E_INVALID);
    check_refused(c, "WEFT_GRADCHECK_DEFAULTS");
    WEFT_CHECK_STATUS(weft_load(c, &(weft_source){.path = "x"}, NULL, &list, &n), WEFT_E_INVALID);
    check_refused(c, "WEFT_SOURCE_DEFAULTS");
    WEFT_CHECK_STATUS(weft_load(c, &WITH_SOURCE(.path = "x"), &(weft_load_options){0}, &list, &n), WEFT_E_INVALID);
    check_refused(c, "WEFT_LOAD_DEFAULTS");
    WEFT_CHECK((out = weft_custom(&(weft_custom_op){.name = "x"}, &p, 1)) == NULL);
    check_refused(c, "WEFT_CUSTOM_OP_DEFAULTS");
    WEFT_CHECK(weft_own(c, &(weft_object_kind){.name = "x"}, &n, "x") == NULL);
    check_refused(c, "WEFT_OBJECT_KIND_DEFAULTS");
    WEFT_CHECK_STATUS(weft_bench_measure((weft_bench_work)0, NULL, NULL, &result), WEFT_E_NULL_ARGUMENT);
    weft_options o = {0}; /* says so to the log that stands where a struct of this header has it */
    o.log = fault_options(&memory).log;
    o.log_user = &memory;
    WEFT_CHECK_STATUS(weft_ctx_open(&o, &none), WEFT_E_INVALID);
    WEFT_CHECK(none == NULL);
    WEFT_CHECK_STR_HAS(memory.last_log, "WEFT_OPTIONS_DEFAULTS");
    weft_release(p);
    fault_ctx_close(c, &memory);
}

/* A limit that was computed to be 0 is no licence. */
WEFT_TEST(Sized, ZeroIsALimit)
{
    fault_memory memory = {0};
    weft_options o = fault_options(&memory);
    weft_ctx *c = NULL;
    o.memory_budget = 0;
    WEFT_CHECK_OK(weft_ctx_open(&o, &c));
    WEFT_CHECK(memory_of(c).budget_bytes == 0);
    WEFT_CHECK(weft_ones(c, WEFT_F32, WEFT_DIMS(1)) == NULL);
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_NOMEM);
    weft_ctx_close(c);
    o = fault_options(&memory);
    WEFT_CHECK_OK(weft_ctx_open(&o, &c));
    WEFT_CHECK(memory_of(c).budget_bytes == SIZE_MAX);
    for (int threads = -2; threads <= 1025; threads += threads == 1 ? 1024 : 1) {
        weft_ctx *other = NULL;
        o.threads = threads;
        const weft_status status = weft_ctx_open(&o, &other);
        WEFT_CHECK_STATUS(status, threads == -1 || threads == 1 ? WEFT_OK : WEFT_E_INVALID);
        weft_ctx_close(other);
    }
    weft_ctx_close(c);
}

/* What the library fills ends where the caller's struct does. */
WEFT_TEST(Sized, ShorterResultsAreFilledAsFarAsTheyGo)
{
    fault_memory memory = {0};
    weft_ctx *c = fault_ctx_open(&memory);
    WEFT_REQUIRE(c != NULL);
    const size_t sizes[] = {0, sizeof(size_t), 2 * sizeof(size_t) + 1, sizeof(weft_memory_info) + sizeof(size_t)};
    weft_memory_info info, untouched;
    memset(&untouched, 0xee, sizeof untouched);
    for (int k = 0; k < 4; k++) {
        info = untouched;
        WEFT_CHECK_STATUS(weft_memory(c, &info, sizes[k]), WEFT_E_INVALID);
        WEFT_CHECK(memcmp(&info, &untouched, sizeof info) == 0);
    }
    weft_tensor *x = weft_ones(c, WEFT_F32, WEFT_DIMS(100));
    WEFT_CHECK(x != NULL);
    WEFT_CHECK_OK(weft_memory(c, &info, offsetof(weft_memory_info, cached_bytes)));
    WEFT_CHECK(info.live_bytes >= 400 && info.peak_bytes >= 400);
    WEFT_CHECK(info.cached_bytes == untouched.cached_bytes && info.budget_bytes == untouched.budget_bytes);
    WEFT_CHECK_STATUS(weft_memory(NULL, &info, sizeof info), WEFT_E_NULL_ARGUMENT);
    WEFT_CHECK_STATUS(weft_memory(c, NULL, sizeof info), WEFT_E_NULL_ARGUMENT);
    weft_profile *profile = NULL;
    weft_profile_op rows[4];
    WEFT_CHECK_OK(weft_profile_begin(c, &profile));
    weft_tanh(weft_exp(x));
    const size_t to_calls = offsetof(weft_profile_op, calls); /* rows of a caller that knows no more */
    memset(rows, 0xee, sizeof rows);
    WEFT_CHECK_EQ_INT(weft_profile_ops(profile, rows, 4, to_calls), 2);
    const weft_profile_op *second = (const weft_profile_op *)((const char *)rows + to_calls);
    WEFT_CHECK(rows[0].kernel != second->kernel);
    WEFT_CHECK_STR_EQ(second->phase, "forward");
    WEFT_CHECK(rows[3].calls == (int64_t)0xeeeeeeeeeeeeeeee);
    WEFT_CHECK_EQ_INT(weft_profile_ops(profile, rows, 4, to_calls + 1), 0);
    check_refused(c, "a weft_profile_op of");
    weft_profile_free(profile);
    fault_ctx_close(c, &memory);
}
