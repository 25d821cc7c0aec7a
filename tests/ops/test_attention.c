/* test_attention.c - attention and its gradients over several tiles of queries, keys and columns, in every floating
 * dtype. */
#include "device/both.h"

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
    return weft_attention(operands[0], operands[1], operands[2], WEFT_ATTENTION_SCALE, c->causal);
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
    return weft_grad(ctx, &y, &g, 1, &operands[c->of], 1, 0, &gradient) == WEFT_OK ? gradient : NULL;
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

/* ---- Heads that are parts of packed rows ----
 * What models do: q, k and v are views of one array [batch, queries, 3, heads, width] and results are turned back.
 * Halves with widths that cuDNN takes, where there is one; 24 and 40 are those for which its stand-in of the emulator
 * has no plan, or one that fails. */

typedef struct packed_case {
    weft_dtype dtype;
    int64_t batch, queries, heads, width;
    bool causal;
} packed_case;

static packed_case packed[] = {
    {WEFT_BF16, 2, 37, 3, 16, true}, {WEFT_F16, 3, 20, 2, 8, false}, {WEFT_F16, 1, 17, 2, 24, true},
    {WEFT_BF16, 2, 9, 2, 40, true},  {WEFT_F32, 2, 11, 2, 16, true}, {WEFT_F16, 2, 9, 3, 12, false},
};
enum { PACKED = sizeof packed / sizeof packed[0] };

static weft_tensor *packed_input(weft_ctx *ctx, const packed_case *c)
{
    const int64_t shape[] = {c->batch, c->queries, 3, c->heads, c->width};
    return both_input(ctx, c->dtype, shape, 5, -1, 1, 5);
}

/* [batch, queries, heads, width] */
static weft_tensor *run_packed(const packed_case *c, weft_tensor *rows)
{
    weft_tensor *part[3];
    for (int k = 0; k < 3; k++)
        part[k] = weft_transpose(weft_select(rows, 2, k), 1, 2);
    return weft_transpose(weft_attention(part[0], part[1], part[2], 0.3, c->causal), 1, 2);
}

static weft_tensor *packed_forward(weft_ctx *ctx, void *user)
{
    return run_packed(user, packed_input(ctx, user));
}

static weft_tensor *packed_backward(weft_ctx *ctx, void *user)
{
    const packed_case *c = user;
    weft_tensor *rows = packed_input(ctx, c), *gradient = NULL;
    weft_set_requires_grad(rows, true);
    weft_tensor *y = run_packed(c, rows);
    const int64_t shape[] = {c->batch, c->queries, c->heads, c->width};
    weft_tensor *g = both_input(ctx, c->dtype, shape, 4, -1, 1, 6);
    return weft_grad(ctx, &y, &g, 1, &rows, 1, 0, &gradient) == WEFT_OK ? gradient : NULL;
}

WEFT_TEST(DeviceAttention, PackedHeads)
{
    for (int k = 0; k < PACKED; k++) {
        const double tolerance = tolerance_of(packed[k].dtype);
        char what[32];
        snprintf(what, sizeof what, "packed case %d", k);
        check_both(what, packed_forward, &packed[k], tolerance, tolerance);
        check_both(what, packed_backward, &packed[k], tolerance, 4 * tolerance);
    }
}

/* Keys and values that several batches share, by a stride of 0: of three dims, and of six with dims of size 1 among
 * them. */
static weft_tensor *shared_keys(weft_ctx *ctx, void *user)
{
    const bool many = *(const bool *)user;
    const int64_t q3[] = {3, 20, 16}, k3[] = {1, 24, 16}, k3_all[] = {3, 24, 16};
    const int64_t q6[] = {2, 1, 3, 2, 20, 16}, k6[] = {1, 1, 3, 2, 24, 16}, k6_all[] = {2, 2, 3, 2, 24, 16};
    weft_tensor *q = many ? both_input(ctx, WEFT_F16, q6, 6, -1, 1, 7) : both_input(ctx, WEFT_F16, q3, 3, -1, 1, 7);
    weft_tensor *kv[2];
    for (int n = 0; n < 2; n++) {
        weft_tensor *one = many ? both_input(ctx, WEFT_F16, k6, 6, -1, 1, (unsigned)(8 + n))
                                : both_input(ctx, WEFT_F16, k3, 3, -1, 1, (unsigned)(8 + n));
        kv[n] = many ? weft_slice(weft_expand(one, k6_all, 6), 1, 0, 1, 1) : weft_expand(one, k3_all, 3);
    }
    return weft_attention(q, kv[0], kv[1], WEFT_ATTENTION_SCALE, false);
}

WEFT_TEST(DeviceAttention, SharedKeys)
{
    static bool shapes[] = {false, true};
    for (int k = 0; k < 2; k++)
        check_both(k ? "of six dims" : "of three dims", shared_keys, &shapes[k], tolerance_of(WEFT_F16),
                   tolerance_of(WEFT_F16));
}

/* Columns that lie two apart, and batches that do not lie at equal distances: neither is a layout that cuDNN takes. */
static weft_tensor *loose(weft_ctx *ctx, void *user)
{
    const bool columns = *(const bool *)user;
    const int64_t wide[] = {2, 3, 20, 32}, turned[] = {3, 2, 2, 20, 16};
    weft_tensor *in[3];
    for (unsigned n = 0; n < 3; n++)
        in[n] = columns ? weft_slice(both_input(ctx, WEFT_F16, wide, 4, -1, 1, 10 + n), 3, 0, 32, 2)
                        : weft_transpose(both_input(ctx, WEFT_F16, turned, 5, -1, 1, 10 + n), 0, 1);
    return weft_attention(in[0], in[1], in[2], WEFT_ATTENTION_SCALE, false);
}

WEFT_TEST(DeviceAttention, LayoutsThatOnlyOwnKernelsTake)
{
    static bool ways[] = {false, true};
    for (int k = 0; k < 2; k++)
        check_both(k ? "columns apart" : "batches turned", loose, &ways[k], tolerance_of(WEFT_F16),
                   tolerance_of(WEFT_F16));
}
