/* test_compare_files.c - two files of tensors: integers exactly, names in any order, arguments. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
#include <weft/compare.h>
#include <weft/io.h>
/* clang-format on */
#include "harness/test_folder.h"
#include "harness/weft_test.h"

typedef struct seen {
    int rows, lone;
    weft_file_difference last;
} seen;

static void take_row(void *user, const weft_file_difference *d)
{
    seen *s = user;
    s->rows++;
    s->lone += !d->comparable;
    s->last = *d;
}

static void save_one(weft_ctx *ctx, const char *path, weft_dtype dtype, const void *values, int64_t n)
{
    const weft_named_tensor one = {"x", weft_from_data(ctx, dtype, &n, 1, values)};
    WEFT_CHECK_OK(weft_save_safetensors(ctx, path, &one, 1));
}

typedef struct pair {
    weft_dtype dtype;
    int64_t i;
    double d; /* for the floating dtype */
} pair;

/* The status and the row for two values. */
static weft_status compare_two(pair a, pair b, double rtol, double atol, seen *s)
{
    test_folder folder;
    weft_ctx *ctx = NULL;
    weft_status status = WEFT_E_INTERNAL;
    *s = (seen){0};
    if (!test_folder_make(&folder) || weft_ctx_open(NULL, &ctx) != WEFT_OK)
        return status;
    save_one(ctx, test_path(&folder, "a"), a.dtype, a.dtype == WEFT_F64 ? (void *)&a.d : (void *)&a.i, 1);
    save_one(ctx, test_path(&folder, "b"), b.dtype, b.dtype == WEFT_F64 ? (void *)&b.d : (void *)&b.i, 1);
    status = weft_compare_files(ctx, test_path(&folder, "a"), test_path(&folder, "b"), rtol, atol, take_row, s);
    WEFT_CHECK_OK(weft_ctx_status(ctx));
    weft_ctx_close(ctx);
    test_folder_drop(&folder);
    return status;
}

WEFT_TEST(CompareFiles, IntegersExactly)
{
    const int64_t two53 = INT64_C(1) << 53;
    const pair even = {WEFT_I64, two53, 0}, odd = {WEFT_I64, two53 + 1, 0}, real = {WEFT_F64, 0, 0x1p53};
    const pair least = {WEFT_I64, INT64_MIN, 0}, most = {WEFT_I64, INT64_MAX, 0}, beyond = {WEFT_F64, 0, 0x1p63};
    seen s;
    WEFT_CHECK_STATUS(compare_two(even, even, 0, 0, &s), WEFT_OK);
    WEFT_CHECK_STATUS(compare_two(even, odd, 0, 0, &s), WEFT_E_MISMATCH);
    WEFT_CHECK(s.last.different == 1 && s.last.max_absolute == 1 && s.last.integers);
    WEFT_CHECK(s.last.first_integer == two53 && s.last.second_integer == two53 + 1);
    WEFT_CHECK_STATUS(compare_two(even, odd, 0, 1, &s), WEFT_OK);
    WEFT_CHECK_EQ_INT(s.last.different, 1);
    WEFT_CHECK_STATUS(compare_two(real, even, 0, 0, &s), WEFT_OK);
    WEFT_CHECK_STATUS(compare_two(odd, real, 0, 0, &s), WEFT_E_MISMATCH);
    WEFT_CHECK(s.last.max_absolute == 1 && !s.last.integers);
    WEFT_CHECK_STATUS(compare_two(least, most, 0, 0, &s), WEFT_E_MISMATCH);
    WEFT_CHECK(s.last.max_absolute == 0x1p64);
    WEFT_CHECK_STATUS(compare_two(most, beyond, 0, 0, &s), WEFT_E_MISMATCH);
    WEFT_CHECK_STATUS(compare_two((pair){WEFT_F64, 0, (double)NAN}, (pair){WEFT_F64, 0, (double)NAN}, 0, 0, &s),
                      WEFT_OK);
}

/* The same names in the opposite order, one more in each: found whatever their number. */
WEFT_TEST(CompareFiles, ManyNames)
{
    enum { N = 20000 };
    test_folder folder;
    weft_ctx *ctx;
    seen s = {0};
    WEFT_REQUIRE(test_folder_make(&folder) && weft_ctx_open(NULL, &ctx) == WEFT_OK);
    weft_named_tensor *all = malloc(sizeof *all * (N + 1));
    char(*names)[24] = malloc(sizeof *names * (N + 1));
    weft_tensor *x = weft_ones(ctx, WEFT_I32, WEFT_DIMS(2));
    for (int k = 0; k < N; k++) {
        snprintf(names[k], sizeof *names, "layer %d", k);
        all[k] = (weft_named_tensor){names[k], x};
    }
    all[N] = (weft_named_tensor){"first only", x};
    WEFT_CHECK_OK(weft_save_npz(ctx, test_path(&folder, "a"), all, N + 1));
    for (int k = 0; k < N; k++)
        all[N - 1 - k] = (weft_named_tensor){names[k], x};
    all[N] = (weft_named_tensor){"second only", x};
    WEFT_CHECK_OK(weft_save_safetensors(ctx, test_path(&folder, "b"), all, N + 1));
    WEFT_CHECK_STATUS(weft_compare_files(ctx, test_path(&folder, "a"), test_path(&folder, "b"), 0, 0, take_row, &s),
                      WEFT_E_MISMATCH);
    WEFT_CHECK_EQ_INT(s.rows, N + 2);
    WEFT_CHECK_EQ_INT(s.lone, 2);
    WEFT_CHECK_OK(weft_compare_files(ctx, test_path(&folder, "a"), test_path(&folder, "a"), 0, 0, NULL, NULL));
    free(names);
    free(all);
    weft_ctx_close(ctx);
    test_folder_drop(&folder);
}

WEFT_TEST(CompareFiles, ArgumentsThatAreNone)
{
    weft_ctx *ctx;
    WEFT_REQUIRE(weft_ctx_open(NULL, &ctx) == WEFT_OK);
    WEFT_CHECK_STATUS(weft_compare_files(ctx, "a", NULL, 0, 0, NULL, NULL), WEFT_E_NULL_ARGUMENT);
    WEFT_CHECK_STR_HAS(weft_ctx_message(ctx), "weft_compare_files: the path of the second file is NULL");
    weft_ctx_clear(ctx);
    WEFT_CHECK_STATUS(weft_compare_files(ctx, "a", "b", (double)NAN, 0, NULL, NULL), WEFT_E_INVALID);
    weft_ctx_clear(ctx);
    WEFT_CHECK_STATUS(weft_compare_files(ctx, "a", "b", 0, -1, NULL, NULL), WEFT_E_INVALID);
    WEFT_CHECK_STR_HAS(weft_ctx_message(ctx), "atol -1");
    WEFT_CHECK_STATUS(weft_compare_files(ctx, "a", "b", 0, 0, NULL, NULL), WEFT_E_INVALID); /* it sticks */
    WEFT_CHECK_STATUS(weft_compare_files(NULL, "a", "b", 0, 0, NULL, NULL), WEFT_E_NULL_ARGUMENT);
    weft_ctx_close(ctx);
}
