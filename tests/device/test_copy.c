/* test_copy.c - copies and casts over many blocks: dense, transposed, and every pair of floating dtypes. */
#include "both.h"

#include <stdio.h>

#include "harness/weft_test.h"

static weft_tensor *transposed(weft_ctx *ctx, void *user)
{
    const weft_dtype dtype = *(const weft_dtype *)user;
    weft_tensor *x = both_input(ctx, dtype, WEFT_DIMS(3, 130, 67), 0, 2, 1);
    return weft_clone(weft_transpose(x, 0, 2));
}

WEFT_TEST(DeviceCopy, TransposesEveryElementSize)
{
    weft_dtype dtypes[] = {WEFT_F32, WEFT_F64, WEFT_BF16, WEFT_I8};
    for (int k = 0; k < 4; k++)
        check_both(weft_dtype_name(dtypes[k]), transposed, &dtypes[k], 0, 0);
}

static weft_tensor *converted(weft_ctx *ctx, void *user)
{
    const weft_dtype *pair = user;
    return weft_cast(both_input(ctx, pair[0], WEFT_DIMS(9001), -3, 300, 2), pair[1]);
}

WEFT_TEST(DeviceCopy, ConvertsBetweenAllDtypes)
{
    for (int from = 0; from < WEFT_DTYPE_COUNT; from++)
        for (int to = 0; to < WEFT_DTYPE_COUNT; to++) {
            char what[64];
            weft_dtype pair[2] = {(weft_dtype)from, (weft_dtype)to};
            snprintf(what, sizeof what, "%s to %s", weft_dtype_name(pair[0]), weft_dtype_name(pair[1]));
            check_both(what, converted, pair, 0, 0);
        }
}
