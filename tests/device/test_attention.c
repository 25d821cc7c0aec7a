/* test_attention.c - attention and its gradients over several tiles of queries, keys and columns, in every floating dtype. */
#include "both.h"

#include <stdio.h>

#include "harness/weft_test.h"

typedef struct attention_case {
    weft_dtype dtype;
    int64_t batch, queries, keys, width, columns;
    bool causal;
    int of; /* which operand's gradient */
} attention_case;

static attention_case cases[] = {
    {WEFT_F32, 2, 70, 131, 33, 65, false, 0},  {WEFT_F32, 1, 130, 67, 64, 64, true, 0},
    {WEFT_F64, 2, 35, 67, 40, 70, true, 0},    {WEFT_F16, 1, 66, 130, 16, 24, true, 0},
    {WEFT_BF16, 1, 65, 64, 31, 130, false, 0}, {WEFT_F32, 1, 5, 3, 130, 3, true, 0},
};
enum { CASES = sizeof cases / sizeof cases[0] };

static weft_tensor *run(weft_ctx *ctx, const attention_case *c, weft_tensor **operands)
{
    const int64_t q[] = {c->batch, c->queries, c->width}, k[] = {c->batch, c->keys, c->width};
    const int64_t v[] = {c->batch, c->keys, c->columns};
    operands[0] = both_input(ctx, c->dtype, q, 3, -1, 1, 1);
    operands[1] = both_input(ctx, c->dtype, k, 3, -1, 1, 2);
    operands[2] = both_input(ctx, c->dtype, v, 3, -1, 1, 3);
    for (int n = 0; n < 3; n++)
        weft_set_requires_grad(operands[n], true);
    return weft_attention(operands[0], operands[1], operands[2], 0, c->causal);
}

static weft_tensor *forward(weft_ctx *ctx, void *user)
{
    weft_tensor *operands[3];
    return run(ctx, user, operands);
}

static weft_tensor *backward(weft_ctx *ctx, void *user)
{
    const attention_case *c = user;
    weft_tensor *operands[3], *y = run(ctx, c, operands), *gradient = NULL;
    const int64_t shape[] = {c->batch, c->queries, c->columns};
    weft_tensor *g = both_input(ctx, c->dtype, shape, 3, -1, 1, 4);
    return weft_grad(ctx, &y, &g, 1, &operands[c->of], &gradient, 1, 0) == WEFT_OK ? gradient : NULL;
}

static double tolerance_of(weft_dtype dtype)
{
    return dtype == WEFT_F64 ? 1e-12 : dtype == WEFT_F32 ? 2e-6 : dtype == WEFT_F16 ? 2e-3 : 1.6e-2;
}

WEFT_TEST(DeviceAttention, OverSeveralTiles)
{
    for (int k = 0; k < CASES; k++) {
        char what[32];
        snprintf(what, sizeof what, "case %d", k);
        check_both(what, forward, &cases[k], tolerance_of(cases[k].dtype), tolerance_of(cases[k].dtype));
    }
}

WEFT_TEST(DeviceAttention, GradientsOverSeveralTiles)
{
    for (int k = 0; k < CASES; k++) {
        for (int of = 0; of < 3; of++) {
            char what[48];
            snprintf(what, sizeof what, "case %d, operand %d", k, of + 1);
            attention_case c = cases[k];
            c.of = of;
            check_both(what, backward, &c, tolerance_of(c.dtype), 4 * tolerance_of(c.dtype));
        }
    }
}
