/* test_pieces.c - rows that kernels cut into pieces, and runs that they gather: what belongs to a later piece must not
 * be taken from the first. Whole numbers, so that sums are exact. */
#include <stdlib.h>

#include "harness/test_ctx.h"
#include "harness/weft_test.h"
#include "samples/compare.h"

static weft_tensor *counting(weft_ctx *c, weft_dtype dtype, int64_t rows, int64_t cols, int64_t period)
{
    float *x = malloc(sizeof *x * (size_t)(rows * cols));
    for (int64_t k = 0; k < rows * cols; k++)
        x[k] = (float)(k * 7 % period);
    weft_tensor *t = weft_from_data(c, WEFT_F32, WEFT_DIMS(rows, cols), x);
    free(x);
    return weft_cast(t, dtype);
}

/* y as element (i, j) of what f says. */
static void check(weft_ctx *c, const char *what, weft_tensor *y, int64_t cols,
                  double (*f)(const double *from, int64_t i, int64_t j), const double *from)
{
    double *got = y ? read_doubles(c, y) : NULL;
    WEFT_CHECK(got != NULL);
    int64_t wrong = 0;
    for (int64_t k = 0; got && k < weft_count(y); k++)
        wrong += got[k] != f(from, k / cols, k % cols);
    if (wrong)
        WEFT_FAIL("%s: %lld elements are wrong", what, (long long)wrong);
    free(got);
}

enum { ROWS = 3, WIDE = 1000, TARGETS = 5 };

/* ---- Additions to rows ---- */

static int64_t target_of(int64_t i, int64_t j)
{
    return (i + j / 100) % TARGETS;
}

static double scattered(const double *from, int64_t i, int64_t j)
{
    double sum = 0;
    for (int64_t k = 0; k < ROWS; k++)
        if (target_of(k, j) == i)
            sum += from[k * WIDE + j];
    return sum;
}

static double added(const double *from, int64_t i, int64_t j)
{
    return i >= 1 && i <= ROWS ? from[(i - 1) * WIDE + j] : 0;
}

WEFT_TEST(Pieces, AdditionsToWideRows)
{
    static const weft_dtype dtypes[] = {WEFT_F32, WEFT_F64, WEFT_F16, WEFT_I64};
    for (int k = 0; k < 4; k++) {
        fault_memory m = {0};
        weft_ctx *c = fault_ctx_open(&m);
        weft_tensor *src = counting(c, dtypes[k], ROWS, WIDE, 512),
                    *y = weft_zeros(c, dtypes[k], WEFT_DIMS(TARGETS, WIDE));
        double *from = read_doubles(c, src);
        int64_t *index = malloc(sizeof *index * ROWS * WIDE);
        for (int64_t i = 0; i < ROWS; i++)
            for (int64_t j = 0; j < WIDE; j++)
                index[i * WIDE + j] = target_of(i, j);
        weft_tensor *where = weft_from_data(c, WEFT_I64, WEFT_DIMS(ROWS, WIDE), index);
        weft_tensor *rows = weft_from_data(c, WEFT_I64, WEFT_DIMS(ROWS), (const int64_t[]){1, 2, 3});
        check(c, "scatter_add", weft_scatter_add(y, where, src, 0), WIDE, scattered, from);
        check(c, "index_add", weft_index_add(y, rows, src, 0), WIDE, added, from);
        free(index);
        free(from);
        fault_ctx_close(c, &m);
    }
}

/* ---- Moves ---- */

enum { LONG = 70000 };

static double moved(const double *from, int64_t i, int64_t j)
{
    (void)i;
    return j < LONG ? from[2 * j] : from[2 * (j - LONG)];
}

/* Every other element of a row longer than two pieces, joined to itself. */
WEFT_TEST(Pieces, LongRowsWithGaps)
{
    static const weft_dtype dtypes[] = {WEFT_F32, WEFT_F64, WEFT_F16, WEFT_I8};
    for (int k = 0; k < 4; k++) {
        fault_memory m = {0};
        weft_ctx *c = fault_ctx_open(&m);
        weft_tensor *x = counting(c, dtypes[k], 1, 2 * LONG, 113);
        double *from = read_doubles(c, x);
        weft_tensor *gaps = weft_slice(x, 1, 0, 2 * LONG, 2), *both[] = {gaps, gaps};
        check(c, "concat", weft_concat(both, 2, 1), 2 * LONG, moved, from);
        free(from);
        fault_ctx_close(c, &m);
    }
}

/* ---- Short runs ---- */

/* The place of the extreme among runs that lie apart: beyond what is gathered at a time. */
WEFT_TEST(Pieces, PlacesInShortRuns)
{
    enum { RUNS = 5000, RUN = 3, APART = 7 };
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    for (int64_t at = 0; at < RUNS * RUN; at += RUNS * RUN / 7) {
        float *x = calloc(RUNS * APART, sizeof *x);
        x[at / RUN * APART + at % RUN] = 5;
        weft_tensor *t = weft_from_data(c, WEFT_F32, WEFT_DIMS(RUNS, APART), x);
        weft_tensor *part = weft_slice(t, 1, 0, RUN, 1);
        WEFT_CHECK_NEAR(weft_item(c, weft_argmax(part, WEFT_ALL, false)), (double)at, 0);
        WEFT_CHECK_NEAR(weft_item(c, weft_sum(part, WEFT_ALL, false)), 5, 0);
        free(x);
    }
    fault_ctx_close(c, &m);
}
