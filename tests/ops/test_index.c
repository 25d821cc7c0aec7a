/* test_index.c - gather, index_select, embedding over several blocks, rows of every unit from 1 to 16 bytes, rows that
 * do not begin on 16 bytes; and what becomes of indices out of range. */
#include "device/both.h"

#include <stdio.h>

#include "harness/weft_test.h"
#include "samples/layout.h"

typedef struct picking {
    weft_dtype dtype;
    int64_t rows, width, n;
    int dim;
    bool shifted; /* x begins one element into its block */
} picking;

/* x [3, rows, width], contiguous. */
static weft_tensor *source(weft_ctx *ctx, const picking *p)
{
    const int64_t count = 3 * p->rows * p->width;
    weft_tensor *x = both_input(ctx, p->dtype, WEFT_DIMS(count + 1), 0, 100, 3);
    const int64_t first = p->shifted;
    return weft_reshape(weft_slice(x, 0, first, first + count, 1), WEFT_DIMS(3, p->rows, p->width));
}

static weft_tensor *selected(weft_ctx *ctx, void *user)
{
    const picking *p = user;
    weft_tensor *x = source(ctx, p);
    return weft_index_select(x, both_input(ctx, WEFT_I64, WEFT_DIMS(p->n), 0, (double)weft_size(x, p->dim), 4), p->dim);
}

WEFT_TEST(DeviceIndex, SelectsRowsOfEveryUnit)
{
    picking cases[] = {
        {WEFT_BF16, 50, 24, 90, 1, false}, {WEFT_F32, 50, 20, 70, 1, true},  {WEFT_I8, 50, 6, 130, 1, false},
        {WEFT_F64, 40, 3, 300, 1, false},  {WEFT_F16, 60, 10, 201, 1, true}, {WEFT_F32, 9, 301, 5000, 2, false},
        {WEFT_U8, 13, 16, 33, 0, false},   {WEFT_I64, 1, 1, 4500, 0, false}, {WEFT_U8, 11, 1, 22000, 1, false},
    };
    for (int k = 0; k < 9; k++) {
        char what[32];
        snprintf(what, sizeof what, "case %d", k);
        check_both(what, selected, &cases[k], 0, 0);
    }
}

static weft_tensor *embedded(weft_ctx *ctx, void *user)
{
    const weft_dtype dtype = *(const weft_dtype *)user;
    weft_tensor *weight = both_input(ctx, dtype, WEFT_DIMS(77, 40), -1, 1, 5);
    return weft_embedding(weight, both_input(ctx, WEFT_I32, WEFT_DIMS(3, 67), 0, 77, 6));
}

WEFT_TEST(DeviceIndex, EmbedsEveryFloat)
{
    weft_dtype dtypes[] = {WEFT_F32, WEFT_F64, WEFT_F16, WEFT_BF16};
    for (int k = 0; k < 4; k++)
        check_both(weft_dtype_name(dtypes[k]), embedded, &dtypes[k], 0, 0);
}

static weft_tensor *gathered(weft_ctx *ctx, void *user)
{
    const picking *p = user;
    weft_tensor *x = source(ctx, p);
    int64_t shape[3] = {2, p->rows - 1, p->width - 1};
    shape[p->dim] = p->n;
    return weft_gather(x, both_input(ctx, WEFT_I64, shape, 3, 0, (double)weft_size(x, p->dim), 7), p->dim);
}

WEFT_TEST(DeviceIndex, GathersAlongEveryDim)
{
    picking cases[] = {
        {WEFT_F32, 31, 17, 23, 0, false}, {WEFT_BF16, 31, 17, 80, 1, true}, {WEFT_F64, 31, 17, 90, 2, false},
        {WEFT_BOOL, 9, 12, 71, 2, false}, {WEFT_I32, 25, 12, 1, 1, false},  {WEFT_U8, 30, 29, 1200, 1, false},
    };
    for (int k = 0; k < 6; k++) {
        char what[32];
        snprintf(what, sizeof what, "dim %d, case %d", cases[k].dim, k);
        check_both(what, gathered, &cases[k], 0, 0);
    }
}

/* ---- Indices out of range: what is wrong is said when the result is read, the context can be used again ---- */

enum { INDICES = 3000, BAD = 2061, ROWS = 10 };

static weft_tensor *bad_index(weft_ctx *ctx, int64_t value)
{
    int64_t index[INDICES];
    for (int k = 0; k < INDICES; k++)
        index[k] = k == BAD ? value : k % ROWS;
    return weft_from_data(ctx, WEFT_I64, WEFT_DIMS(INDICES), index);
}

static void check_refused(weft_ctx *ctx, weft_tensor *y, const char *what)
{
    double first = 0;
    WEFT_CHECK_STATUS_OF(what, weft_read(ctx, weft_slice(weft_reshape(y, WEFT_DIMS(-1)), 0, 0, 1, 1), &first, 8),
                         WEFT_E_INVALID);
    WEFT_CHECK_STR_HAS(weft_ctx_message(ctx), what);
    weft_ctx_clear(ctx);
}

static void check_report(int64_t value, const char *text)
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    weft_tensor *x = weft_zeros(ctx, WEFT_F64, WEFT_DIMS(ROWS, 2)),
                *column = weft_zeros(ctx, WEFT_F64, WEFT_DIMS(ROWS));
    weft_tensor *rows = weft_zeros(ctx, WEFT_F64, WEFT_DIMS(INDICES, 2));
    weft_tensor *values = weft_zeros(ctx, WEFT_F64, WEFT_DIMS(INDICES)), *index = bad_index(ctx, value);
    check_refused(ctx, weft_embedding(x, index), text);
    check_refused(ctx, weft_index_select(column, index, 0), text);
    check_refused(ctx, weft_gather(column, index, 0), text);
    check_refused(ctx, weft_index_add(x, index, rows, 0), text);
    check_refused(ctx, weft_scatter_add(column, index, values, 0), text);
    check_refused(ctx,
                  weft_scatter_add(column, weft_slice(index, 0, BAD, BAD + 1, 1), weft_slice(values, 0, 0, 1, 1), 0),
                  strchr(text, '='));
    double after = 1;
    WEFT_CHECK_OK(
        weft_read(ctx, weft_slice(weft_gather(column, weft_slice(index, 0, 0, 1, 1), 0), 0, 0, 1, 1), &after, 8));
    WEFT_CHECK_NEAR(after, 0, 0);
    test_ctx_close(ctx, &memory);
}

WEFT_TEST(DeviceIndex, ReportsIndicesOutOfRange)
{
    check_report(ROWS, "index[2061] = 10 is outside [0, 10)");
    check_report(-1, "index[2061] = -1 is outside [0, 10)");
}
