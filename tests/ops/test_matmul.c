/* test_matmul.c - matrix products over several tiles and blocks, in the layouts that are fetched in different ways. */
#include "device/both.h"

#include <stdio.h>

#include "harness/weft_test.h"

typedef struct product {
    int64_t batch, m, k, n;
    bool a_turned, b_turned; /* lies by column */
    int offset;              /* columns that are cut off at the left of both: another alignment */
    int step;                /* every step-th column */
    int spare;               /* rows that are cut off at the end of both: lines longer than the matrix */
    bool bias;
} product;

typedef struct product_case {
    product p;
    weft_dtype dtype;
} product_case;

/* [batch, rows, columns] of small integers, so that every order of a sum gives the same. */
static weft_tensor *factor(weft_ctx *ctx, const product_case *c, int64_t rows, int64_t columns, bool turned,
                           uint64_t seed)
{
    const int64_t wide = columns * c->p.step + c->p.offset, high = rows + c->p.spare;
    const int64_t shape[3] = {c->p.batch, turned ? wide : high, turned ? high : wide};
    weft_tensor *x = weft_cast(both_input(ctx, WEFT_I32, shape, 3, -2, 3, seed), c->dtype);
    if (turned)
        x = weft_transpose(x, 1, 2);
    return weft_slice(weft_slice(x, 1, 0, rows, 1), 2, c->p.offset, wide, c->p.step);
}

static weft_tensor *multiplied(weft_ctx *ctx, void *user)
{
    const product_case *c = user;
    const product *p = &c->p;
    weft_tensor *a = factor(ctx, c, p->m, p->k, p->a_turned, 1), *b = factor(ctx, c, p->k, p->n, p->b_turned, 2);
    if (!p->bias)
        return weft_matmul(a, b);
    weft_tensor *bias = weft_cast(both_input(ctx, WEFT_I32, &p->n, 1, -2, 3, 3), c->dtype);
    return weft_linear(a, weft_transpose(weft_select(b, 0, 0), 0, 1), bias);
}

static void check_products(const product *products, int n)
{
    static const weft_dtype dtypes[] = {WEFT_F32, WEFT_F64, WEFT_F16, WEFT_BF16};
    for (int k = 0; k < n; k++)
        for (int d = 0; d < 4; d++) {
            product_case c = {products[k], dtypes[d]};
            char what[64];
            snprintf(what, sizeof what, "product %d in %s", k, weft_dtype_name(c.dtype));
            check_both(what, multiplied, &c, 0, 0);
        }
}

WEFT_TEST(DeviceMatmul, LayoutsOfSeveralTiles)
{
    static const product products[] = {
        {.batch = 1, .m = 68, .k = 36, .n = 72, .step = 1},
        {.batch = 1, .m = 68, .k = 36, .n = 72, .step = 1, .a_turned = true},
        {.batch = 1, .m = 68, .k = 36, .n = 72, .step = 1, .b_turned = true},
        {.batch = 1, .m = 67, .k = 35, .n = 71, .step = 1, .a_turned = true, .b_turned = true},
        {.batch = 1, .m = 67, .k = 33, .n = 65, .step = 1, .offset = 1},
        {.batch = 1, .m = 33, .k = 17, .n = 70, .step = 2, .a_turned = true},
        {.batch = 3, .m = 20, .k = 40, .n = 24, .step = 1, .b_turned = true, .bias = true},
        {.batch = 2, .m = 66, .k = 19, .n = 35, .step = 1, .a_turned = true, .spare = 2},
        {.batch = 5, .m = 7, .k = 3, .n = 9, .step = 1},
    };
    check_products(products, (int)(sizeof products / sizeof *products));
}

WEFT_TEST(DeviceMatmul, LargeTiles)
{
    static const product products[] = {
        {.batch = 1, .m = 260, .k = 20, .n = 264, .step = 1},
        {.batch = 4, .m = 65, .k = 21, .n = 67, .step = 1, .a_turned = true, .bias = false},
    };
    check_products(products, (int)(sizeof products / sizeof *products));
}

WEFT_TEST(DeviceMatmul, Vectors)
{
    static const product products[] = {
        {.batch = 1, .m = 37, .k = 264, .n = 1, .step = 1},
        {.batch = 1, .m = 37, .k = 263, .n = 1, .step = 1},
        {.batch = 1, .m = 70, .k = 130, .n = 1, .step = 1, .a_turned = true},
        {.batch = 1, .m = 1, .k = 130, .n = 70, .step = 1, .bias = true},
        {.batch = 1, .m = 1, .k = 264, .n = 37, .step = 1, .b_turned = true},
        {.batch = 3, .m = 1, .k = 50, .n = 40, .step = 2},
        {.batch = 1, .m = 5, .k = 6000, .n = 1, .step = 1, .bias = true},
        {.batch = 1, .m = 1, .k = 5003, .n = 40, .step = 1},
        {.batch = 2, .m = 1, .k = 9001, .n = 1, .step = 1},
    };
    check_products(products, (int)(sizeof products / sizeof *products));
}
