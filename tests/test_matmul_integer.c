/* test_matmul_integer.c - products of 8-bit integers against sums in 64 bits, over several tiles and blocks: every pair
 * of dtypes, zero points, layouts, and values at which an instruction that saturates would be seen. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cpu/isa.h"
#include "engine/engine.h"
#include "harness/structs.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"
#include "samples/device.h"

typedef enum layout { DENSE, TURNED, STEPPED, LAYOUTS } layout;

typedef struct product {
    int64_t batch, m, k, n;
    weft_dtype a, b;
    layout a_layout, b_layout;
    int zeros; /* 0: none, 1: one each, 2: one for each row and column, 3: of b alone, 4: of a alone, for each row */
    bool extremes; /* the largest and the smallest values alone */
} product;

static uint64_t state;

static int drawn(int lo, int hi)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return lo + (int)((state >> 33) % (uint64_t)(hi - lo + 1));
}

static int value(weft_dtype dtype, bool extremes)
{
    const int lo = dtype == WEFT_I8 ? -128 : 0, hi = dtype == WEFT_I8 ? 127 : 255;
    return extremes ? (drawn(0, 9) ? lo : hi) : drawn(lo, hi);
}

/* A tensor of these values in that layout. */
static weft_tensor *laid_out(weft_ctx *c, const uint8_t *values, weft_dtype dtype, int64_t batch, int64_t rows,
                             int64_t columns, layout how)
{
    weft_tensor *x = weft_from_data(c, dtype, WEFT_DIMS(batch, rows, columns), values);
    if (how == TURNED)
        return weft_transpose(weft_clone(weft_transpose(x, 1, 2)), 1, 2);
    if (how == DENSE)
        return x;
    weft_tensor *pairs[2] = {weft_full_like(x, 77), x}; /* every second one, behind another value */
    return weft_select(weft_stack(pairs, 2, 3), 3, 1);
}

static weft_tensor *zeros_of(weft_ctx *c, const uint8_t *values, weft_dtype dtype, int64_t n)
{
    return n == 0 ? NULL : n == 1 ? weft_from_data(c, dtype, NULL, 0, values) : weft_from_data(c, dtype, &n, 1, values);
}

static int64_t number(weft_dtype dtype, uint8_t byte)
{
    return dtype == WEFT_I8 ? (int8_t)byte : byte;
}

static void check_product(weft_ctx *c, const product *p, const char *where)
{
    const int64_t a_count = p->batch * p->m * p->k, b_count = p->batch * p->k * p->n, y_count = p->batch * p->m * p->n;
    const int64_t of_a = p->zeros == 0 || p->zeros == 3 ? 0 : p->zeros == 1 ? 1 : p->m;
    const int64_t of_b = p->zeros == 0 || p->zeros == 4 ? 0 : p->zeros == 2 ? p->n : 1;
    uint8_t *a = malloc((size_t)(a_count + b_count + p->m + p->n) + 1);
    int32_t *want = malloc((size_t)(y_count + 1) * sizeof *want);
    WEFT_REQUIRE(a && want);
    uint8_t *b = a + a_count, *a_zero = b + b_count, *b_zero = a_zero + p->m;
    state = 1;
    for (int64_t e = 0; e < a_count; e++)
        a[e] = (uint8_t)value(p->a, p->extremes);
    for (int64_t e = 0; e < b_count; e++)
        b[e] = (uint8_t)value(p->b, p->extremes);
    for (int64_t e = 0; e < p->m; e++)
        a_zero[e] = (uint8_t)value(p->a, p->extremes);
    for (int64_t e = 0; e < p->n; e++)
        b_zero[e] = (uint8_t)value(p->b, p->extremes);
    for (int64_t t = 0; t < p->batch; t++)
        for (int64_t i = 0; i < p->m; i++)
            for (int64_t j = 0; j < p->n; j++) {
                const int64_t from_a = of_a == 0 ? 0 : number(p->a, a_zero[of_a == 1 ? 0 : i]);
                const int64_t from_b = of_b == 0 ? 0 : number(p->b, b_zero[of_b == 1 ? 0 : j]);
                int64_t sum = 0;
                for (int64_t l = 0; l < p->k; l++)
                    sum += (number(p->a, a[(t * p->m + i) * p->k + l]) - from_a) *
                           (number(p->b, b[(t * p->k + l) * p->n + j]) - from_b);
                want[(t * p->m + i) * p->n + j] = (int32_t)(uint32_t)(uint64_t)sum;
            }
    const int mark = weft_scope_push(c);
    weft_tensor *y = weft_matmul_integer(laid_out(c, a, p->a, p->batch, p->m, p->k, p->a_layout),
                                         laid_out(c, b, p->b, p->batch, p->k, p->n, p->b_layout),
                                         zeros_of(c, a_zero, p->a, of_a), zeros_of(c, b_zero, p->b, of_b));
    int32_t *got = malloc((size_t)(y_count + 1) * sizeof *got);
    WEFT_REQUIRE(got);
    WEFT_CHECK_OK(y ? weft_read(c, y, got, (size_t)y_count * sizeof *got) : weft_ctx_status(c));
    for (int64_t e = 0; e < y_count; e++)
        if (got[e] != want[e]) {
            WEFT_FAIL(
                "%s: %s %lld x [%lld, %lld] layout %d by %s [%lld, %lld] layout %d, zeros %d, extremes %d: element "
                "%lld is %d, not %d",
                where, weft_dtype_name(p->a), (long long)p->batch, (long long)p->m, (long long)p->k, (int)p->a_layout,
                weft_dtype_name(p->b), (long long)p->k, (long long)p->n, (int)p->b_layout, p->zeros, p->extremes,
                (long long)e, got[e], want[e]);
            break;
        }
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
    free(got);
    free(want);
    free(a);
}

/* Whole and broken tiles, more than one block of terms, rows, columns and vectors; k that ends within a word. */
static void check_all(weft_ctx *c, const char *where, bool large)
{
    static const int64_t sizes[][4] = {{1, 3, 5, 4},    {1, 33, 70, 65}, {2, 17, 129, 31},
                                       {1, 1, 67, 130}, {3, 1, 131, 66}, {1, 130, 258, 1},
                                       {1, 1, 300, 7},  {1, 64, 64, 64}, {1, 5, 9, 600}};
    static const int64_t more[][4] = {{1, 290, 1100, 40}, {1, 16, 530, 1100}, {1, 1, 2050, 1100}};
    const int n = (int)(sizeof sizes / sizeof sizes[0]), n_more = large ? (int)(sizeof more / sizeof more[0]) : 0;
    for (int s = 0; s < n + n_more; s++)
        for (int dtypes = 0; dtypes < 4; dtypes++)
            for (int way = 0; way < (s < n ? LAYOUTS * LAYOUTS : 1); way++) {
                const int64_t *size = s < n ? sizes[s] : more[s - n];
                product p = {.batch = size[0],
                             .m = size[1],
                             .k = size[2],
                             .n = size[3],
                             .a = dtypes & 1 ? WEFT_U8 : WEFT_I8,
                             .b = dtypes & 2 ? WEFT_U8 : WEFT_I8,
                             .a_layout = (layout)(way / LAYOUTS),
                             .b_layout = (layout)(way % LAYOUTS),
                             .zeros = (s + dtypes + way) % 5,
                             .extremes = way % 2 == 1};
                check_product(c, &p, where);
                if (s >= n)
                    continue;
                p.zeros = 0;
                p.extremes = !p.extremes;
                check_product(c, &p, where);
            }
}

WEFT_TEST(DeviceMatmulInteger, EveryPairOfDtypesAndLayout)
{
    weft_ctx *c = NULL;
    WEFT_REQUIRE(weft_ctx_open(&WITH_OPTIONS(.device = test_device(), .threads = 2), &c) == WEFT_OK);
    check_all(c, test_device(), false);
    weft_ctx_close(c);
}

WEFT_TEST(MatmulInteger, EveryInstructionSetGivesTheSameBits)
{
    const char *before = getenv("WEFT_ISA");
    char *kept = before ? strdup(before) : NULL;
    const weft__cpu_table *tables[WEFT__MAX_ISAS];
    const int n = weft__cpu_isas(tables);
    for (int k = 0; k < n; k++)
        for (int threads = 1; threads <= 3; threads += 2) {
            weft_ctx *c = NULL;
            setenv("WEFT_ISA", tables[k]->isa, 1);
            WEFT_REQUIRE(weft_ctx_open(&WITH_OPTIONS(.threads = threads), &c) == WEFT_OK);
            weft__cpu_device *device = c->device;
            check_all(c, tables[k]->isa, true);
            if (device->has_vnni && threads == 1) {
                device->has_vnni = false;
                check_all(c, "without VNNI", true);
            }
            weft_ctx_close(c);
        }
    if (kept)
        setenv("WEFT_ISA", kept, 1);
    else
        unsetenv("WEFT_ISA");
    free(kept);
}

/* 140000 terms of 127 * 127 are beyond 31 bits. */
WEFT_TEST(DeviceMatmulInteger, SumsWrap)
{
    weft_ctx *c = NULL;
    WEFT_REQUIRE(weft_ctx_open(&WITH_OPTIONS(.device = test_device()), &c) == WEFT_OK);
    const int64_t k = 140000;
    weft_tensor *a = weft_full(c, WEFT_I8, WEFT_DIMS(2, k), 127), *b = weft_full(c, WEFT_I8, WEFT_DIMS(k, 3), 127);
    int32_t got[6] = {0};
    WEFT_CHECK_OK(weft_read(c, weft_matmul_integer(a, b, NULL, NULL), got, sizeof got));
    for (int e = 0; e < 6; e++)
        WEFT_CHECK_EQ_INT(got[e], (int32_t)(uint32_t)(k * 127 * 127));
    weft_ctx_close(c);
}

WEFT_TEST(MatmulInteger, ReadsNothingBehindItsOperands)
{
    fault_memory memory = {0};
    weft_ctx *c = fault_ctx_open(&memory);
    weft_tensor *empty = weft_zeros(c, WEFT_I8, WEFT_DIMS(3, 0)), *other = weft_zeros(c, WEFT_I8, WEFT_DIMS(0, 2));
    int32_t got[6] = {1, 1, 1, 1, 1, 1};
    WEFT_CHECK_OK(weft_read(c, weft_matmul_integer(empty, other, NULL, NULL), got, sizeof got));
    for (int e = 0; e < 6; e++)
        WEFT_CHECK_EQ_INT(got[e], 0);
    weft_tensor *row = weft_ones(c, WEFT_I8, WEFT_DIMS(4)), *two = weft_full(c, WEFT_I8, WEFT_DIMS(4, 2), 2);
    weft_tensor *y =
        weft_matmul_integer(row, two, weft_ones(c, WEFT_I8, WEFT_DIMS(1)), weft_ones(c, WEFT_I8, WEFT_DIMS(2)));
    WEFT_CHECK(weft_ndim(y) == 1 && weft_size(y, 0) == 2 && weft_dtype_of(y) == WEFT_I32);
    fault_ctx_close(c, &memory);
}

WEFT_TEST(MatmulInteger, RefusesOtherDtypesAndShapes)
{
    fault_memory memory = {0};
    weft_ctx *c = fault_ctx_open(&memory);
    weft_tensor *a = weft_ones(c, WEFT_I8, WEFT_DIMS(2, 3)), *b = weft_ones(c, WEFT_U8, WEFT_DIMS(3, 4));
    check_no_result(c, weft_matmul_integer(weft_cast(a, WEFT_I32), b, NULL, NULL), WEFT_E_DTYPE,
                    "a is i32 [2, 3], but must be i8 or u8; use weft_cast");
    check_no_result(c, weft_matmul_integer(a, weft_cast(b, WEFT_F32), NULL, NULL), WEFT_E_DTYPE,
                    "b is f32 [3, 4], but must be i8 or u8; use weft_cast");
    check_no_result(c, weft_matmul_integer(a, weft_ones(c, WEFT_I8, WEFT_DIMS(4, 3)), NULL, NULL), WEFT_E_SHAPE,
                    "transpose one operand?");
    check_no_result(c, weft_matmul_integer(a, b, weft_ones(c, WEFT_U8, NULL, 0), NULL), WEFT_E_DTYPE,
                    "a_zero is u8 [] beside i8 [2, 3]");
    check_no_result(c, weft_matmul_integer(a, b, weft_ones(c, WEFT_I8, WEFT_DIMS(3)), NULL), WEFT_E_SHAPE,
                    "a_zero is i8 [3], but must be [], or [2], one zero point for each row of a");
    check_no_result(c, weft_matmul_integer(a, b, NULL, weft_ones(c, WEFT_U8, WEFT_DIMS(1, 4))), WEFT_E_SHAPE,
                    "b_zero is u8 [1, 4], but must be [], or [4], one zero point for each column of b");
    fault_ctx_close(c, &memory);
}
