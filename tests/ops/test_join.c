/* test_join.c - concat, pad and flip over several blocks, in units from 1 to 16 bytes and from views with gaps. */
#include "device/both.h"

#include <stdio.h>

#include "harness/weft_test.h"

typedef struct joining {
    weft_dtype dtype;
    int dim; /* of concat; mask of flip */
    int64_t shape[3], before[3], after[3];
} joining;

static weft_tensor *joined(weft_ctx *ctx, void *user)
{
    const joining *j = user;
    int64_t turned[3] = {j->shape[2], j->shape[1], j->shape[0]};
    weft_tensor *parts[4] = {both_input(ctx, j->dtype, j->shape, 3, 0, 90, 1),
                             weft_transpose(both_input(ctx, j->dtype, turned, 3, 0, 90, 2), 0, 2),
                             weft_slice(both_input(ctx, WEFT_U8, j->shape, 3, 0, 90, 3), j->dim, 1, 3, 1)};
    parts[3] = weft_slice(parts[0], j->dim, 0, 0, 1);
    return weft_concat(parts, 4, j->dim);
}

WEFT_TEST(DeviceJoin, Concatenates)
{
    joining cases[] = {
        {.dtype = WEFT_F32, .dim = 0, .shape = {9, 20, 16}},  {.dtype = WEFT_BF16, .dim = 1, .shape = {9, 21, 16}},
        {.dtype = WEFT_F64, .dim = 2, .shape = {11, 20, 17}}, {.dtype = WEFT_I8, .dim = 1, .shape = {7, 30, 13}},
        {.dtype = WEFT_F16, .dim = 2, .shape = {40, 9, 48}},
    };
    for (int k = 0; k < 5; k++) {
        char what[32];
        snprintf(what, sizeof what, "case %d", k);
        check_both(what, joined, &cases[k], 0, 0);
    }
}

/* Contiguous operands alone, more than one launch takes. */
static weft_tensor *many_joined(weft_ctx *ctx, void *user)
{
    const joining *j = user;
    weft_tensor *parts[70];
    for (int k = 0; k < 70; k++) {
        int64_t shape[3] = {j->shape[0], j->shape[1], j->shape[2]};
        shape[j->dim] += k == 3 ? 30 * shape[j->dim] : 0;
        parts[k] = both_input(ctx, j->dtype, shape, 3, 0, 90, (uint64_t)k);
    }
    return weft_concat(parts, 70, j->dim);
}

WEFT_TEST(DeviceJoin, ConcatenatesMany)
{
    joining cases[] = {
        {.dtype = WEFT_F32, .dim = 0, .shape = {3, 2, 5}},
        {.dtype = WEFT_BF16, .dim = 1, .shape = {9, 2, 8}},
        {.dtype = WEFT_I8, .dim = 2, .shape = {51, 50, 1}},
        {.dtype = WEFT_F64, .dim = 2, .shape = {2, 1, 3}},
    };
    for (int k = 0; k < 4; k++) {
        char what[32];
        snprintf(what, sizeof what, "case %d", k);
        check_both(what, many_joined, &cases[k], 0, 0);
    }
}

static weft_tensor *padded(weft_ctx *ctx, void *user)
{
    const joining *j = user;
    return weft_pad(both_input(ctx, j->dtype, j->shape, 3, 0, 90, 1), j->before, j->after, 3, 5);
}

static weft_tensor *padded_view(weft_ctx *ctx, void *user)
{
    const joining *j = user;
    int64_t wide[3] = {j->shape[1], j->shape[0] + 2, j->shape[2] + 1};
    weft_tensor *x = weft_transpose(both_input(ctx, j->dtype, wide, 3, 0, 90, 1), 0, 1);
    x = weft_slice(weft_slice(x, 0, 1, j->shape[0] + 1, 1), 2, 1, j->shape[2] + 1, 1);
    return weft_pad(x, j->before, j->after, 3, 5);
}

WEFT_TEST(DeviceJoin, Pads)
{
    joining cases[] = {
        {.dtype = WEFT_F32, .shape = {6, 20, 16}, .before = {0, 1, 1}, .after = {0, 1, 1}},
        {.dtype = WEFT_BF16, .shape = {6, 20, 16}, .before = {2, 0, 8}, .after = {0, 0, 8}},
        {.dtype = WEFT_F64, .shape = {9, 11, 14}, .before = {0, 3, 0}, .after = {1, 0, 0}},
        {.dtype = WEFT_I8, .shape = {5, 9, 32}, .before = {0, 7, 0}, .after = {0, 40, 0}},
        {.dtype = WEFT_F16, .shape = {4, 1, 6}, .before = {0, 0, 2}, .after = {0, 9, 4}},
        {.dtype = WEFT_I32, .shape = {3, 0, 6}, .before = {1, 2, 1}, .after = {0, 40, 1}},
        {.dtype = WEFT_F32, .shape = {1, 1, 1}, .before = {0, 0, 0}, .after = {0, 0, 0}},
        {.dtype = WEFT_F16, .shape = {9, 85, 89}, .before = {0, 1, 1}, .after = {0, 0, 0}},
    };
    for (int k = 0; k < 8; k++) {
        char what[32];
        snprintf(what, sizeof what, "case %d", k);
        check_both(what, padded, &cases[k], 0, 0);
        if (cases[k].shape[1] > 0)
            check_both(what, padded_view, &cases[k], 0, 0);
    }
}

static weft_tensor *flipped(weft_ctx *ctx, void *user)
{
    const joining *j = user;
    int64_t dims[3];
    int n = 0;
    for (int d = 0; d < 3; d++)
        if (j->dim >> d & 1)
            dims[n++] = d;
    return weft_flip(both_input(ctx, j->dtype, j->shape, 3, 0, 90, 1), dims, n);
}

WEFT_TEST(DeviceJoin, FlipsEverySetOfDims)
{
    const weft_dtype dtypes[] = {WEFT_F32, WEFT_BF16, WEFT_F64, WEFT_I8};
    for (int mask = 0; mask < 8; mask++) {
        joining j = {.dtype = dtypes[mask % 4], .dim = mask, .shape = {5, 33, 24}};
        char what[32];
        snprintf(what, sizeof what, "mask %d", mask);
        check_both(what, flipped, &j, 0, 0);
    }
}
