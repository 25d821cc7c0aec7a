/* test_sized.c - structs that grow: a caller's struct_size says which fields it has; the others are defaults, and what
 * no release can have made is refused with a sentence. */
#include <math.h>
#include <string.h>
#include <weft/extend.h>
#include <weft/weft.h>
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
