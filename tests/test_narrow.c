/* test_narrow.c - reductions of narrow types read their operand as it is: no copy of it in a wider type is made, in any
 * layout, and the results are those of the wide copy. */
#include "harness/structs.h"
#include "harness/weft_test.h"
#include "samples/layout.h"

enum { ROWS = 300, COLUMNS = 701 }; /* beyond the buffers, and no multiple of anything */

typedef struct reduction {
    const char *name;
    weft_tensor *(*run)(weft_tensor *x, const int64_t *dims, int ndim, bool keepdim);
} reduction;

static const reduction reductions[] = {
    {"sum", weft_sum},       {"prod", weft_prod},     {"max_over", weft_max_over}, {"min_over", weft_min_over},
    {"argmax", weft_argmax}, {"argmin", weft_argmin}, {"any", weft_any},           {"all", weft_all}};
enum { REDUCTIONS = sizeof reductions / sizeof reductions[0] };

static const weft_dtype narrow[] = {WEFT_BOOL, WEFT_U8, WEFT_I8, WEFT_I32};

/* Few values, so that there are ties, and rows without a 0 or with nothing else. */
static weft_tensor *operand(weft_ctx *c, weft_dtype dtype)
{
    static int64_t values[ROWS * COLUMNS];
    for (int64_t k = 0; k < ROWS * COLUMNS; k++) {
        const int64_t row = k / COLUMNS;
        values[k] = row % 50 == 7 ? 0 : row % 50 == 8 ? 1 : k * 7919 % 11;
        if (dtype == WEFT_I8 || dtype == WEFT_I32)
            values[k] -= row % 50 == 7 || row % 50 == 8 ? 0 : 5;
        if (dtype == WEFT_I32)
            values[k] *= 100003;
    }
    return weft_cast(weft_from_data(c, WEFT_I64, WEFT_DIMS(ROWS, COLUMNS), values), dtype);
}

/* Views of the operand; what they are called. */
static weft_tensor *view(weft_tensor *x, int which, const char **name)
{
    static const char *const names[] = {"contiguous", "transposed", "sliced columns", "every third row",
                                        "a column",   "expanded",   "folded"};
    *name = names[which];
    switch (which) {
    case 0:
        return x;
    case 1:
        return weft_transpose(x, 0, 1);
    case 2:
        return weft_slice(x, 1, 3, COLUMNS - 2, 1);
    case 3:
        return weft_slice(x, 0, 0, ROWS, 3);
    case 4:
        return weft_slice(x, 1, 5, 6, 1);
    case 5:
        return weft_expand(weft_slice(x, 0, 4, 5, 1), WEFT_DIMS(40, COLUMNS));
    default:
        return weft_slice(weft_transpose(weft_reshape(x, WEFT_DIMS(ROWS / 3, 3, COLUMNS)), 0, 1), 2, 0, COLUMNS, 2);
    }
}
enum { VIEWS = 7 };

static weft_tensor *over(const reduction *r, weft_tensor *x, int dims)
{
    return dims == 0 ? r->run(x, WEFT_ALL, false) : r->run(x, WEFT_DIMS(dims == 1 ? 0 : -1), false);
}

static void check_one(weft_ctx *c, const reduction *r, weft_dtype dtype, weft_tensor *x, const char *layout, int dims)
{
    int mark = weft_scope_push(c);
    weft_memory_trim(c);
    weft_memory_reset_peak(c);
    const size_t before = memory_of(c).live_bytes;
    weft_tensor *y = over(r, x, dims);
    /* results of a row or a column and their i64 copies, partial results, room for a launch: far from a copy of x */
    const size_t extra = memory_of(c).peak_bytes - before, allowed = 80000 + 32 * (size_t)weft_count(y);
    if (extra > allowed)
        WEFT_FAIL("%s of %s, %s, dims %d: %zu bytes beside the operand's %lld elements", r->name,
                  weft_dtype_name(dtype), layout, dims, extra, (long long)weft_count(x));
    weft_tensor *wide = over(r, weft_cast(x, WEFT_I64), dims);
    const bool flag = r->run == weft_any || r->run == weft_all;
    const bool keeps = (r->run == weft_max_over || r->run == weft_min_over) && dtype != WEFT_BOOL;
    WEFT_CHECK(weft_dtype_of(y) == (flag ? WEFT_BOOL : keeps ? dtype : WEFT_I64));
    if (weft_item(c, weft_all(weft_eq(weft_cast(y, WEFT_I64), weft_cast(wide, WEFT_I64)), WEFT_ALL, false)) != 1)
        WEFT_FAIL("%s of %s, %s, dims %d is not that of its i64 copy", r->name, weft_dtype_name(dtype), layout, dims);
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
}

WEFT_TEST(Narrow, ReductionsReadTheirOperandAsItIs)
{
    test_memory memory;
    weft_ctx *c = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(c);
    for (size_t d = 0; d < sizeof narrow / sizeof narrow[0]; d++) {
        int mark = weft_scope_push(c);
        weft_tensor *x = operand(c, narrow[d]);
        for (int v = 0; v < VIEWS; v++) {
            const char *layout;
            weft_tensor *seen = view(x, v, &layout);
            for (int r = 0; r < REDUCTIONS; r++)
                for (int dims = 0; dims < 3; dims++)
                    check_one(c, &reductions[r], narrow[d], seen, layout, dims);
        }
        WEFT_CHECK_OK(weft_scope_pop(c, mark));
    }
    test_ctx_close(c, &memory);
}

/* With no room for a copy there is room for the sum. */
WEFT_TEST(Narrow, ABudgetOfTheOperandAloneIsEnough)
{
    enum { COUNT = 1 << 22 };
    weft_options options = INIT_OPTIONS(.memory_budget = COUNT + (1 << 20));
    weft_ctx *c;
    WEFT_REQUIRE(weft_ctx_open(&options, &c) == WEFT_OK);
    weft_tensor *x = weft_full(c, WEFT_BOOL, WEFT_DIMS(COUNT), 1);
    WEFT_CHECK_EQ_INT(weft_item_i64(c, weft_sum(x, WEFT_ALL, false)), COUNT);
    WEFT_CHECK_EQ_INT(weft_item_i64(c, weft_all(x, WEFT_ALL, false)), 1);
    WEFT_CHECK_EQ_INT(weft_item_i64(c, weft_argmin(x, WEFT_ALL, false)), 0);
    WEFT_CHECK_OK(weft_ctx_status(c));
    weft_ctx_close(c);
}
