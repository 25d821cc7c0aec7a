/* test_copy.c - copies and casts over many blocks: dense, transposed, and every pair of floating dtypes. */
#include "device/both.h"

#include <stdio.h>

#include "harness/weft_test.h"

/* Dims a and b of an array change places. It begins skip elements into each row of its memory and ends pad before the
 * next; so does the result, if pad is not 0. */
typedef struct transposition {
    weft_dtype dtype;
    int64_t shape[3];
    int a, b;
    int64_t skip, pad;
} transposition;

static weft_tensor *transposed(weft_ctx *ctx, void *user)
{
    const transposition *t = user;
    const int64_t *n = t->shape, row = n[2] + t->skip + t->pad;
    weft_tensor *memory = both_input(ctx, t->dtype, WEFT_DIMS(n[0], n[1], row), 0, 100, 1);
    weft_tensor *x = weft_transpose(weft_slice(memory, 2, t->skip, t->skip + n[2], 1), t->a, t->b);
    if (t->pad == 0)
        return weft_clone(x);
    const int64_t columns = weft_size(x, 2);
    weft_tensor *y = weft_ones(ctx, t->dtype, WEFT_DIMS(weft_size(x, 0), weft_size(x, 1), columns + t->pad));
    weft_copy_(weft_slice(y, 2, 0, columns, 1), x);
    return y;
}

/* Whole tiles, and ragged edges, of small elements that move as words: at borders of words, beside them, and in rows
 * that begin at either, or end amid a word; several planes; dims that are too short for tiles of words, or for any. */
WEFT_TEST(DeviceCopy, TransposesEveryElementSize)
{
    const transposition cases[] = {
        {0, {2, 128, 256}, 1, 2, 0, 0}, {0, {3, 130, 67}, 0, 2, 0, 0},  {0, {3, 130, 67}, 1, 2, 0, 0},
        {0, {1, 131, 132}, 1, 2, 4, 0}, {0, {1, 132, 131}, 1, 2, 1, 0}, {0, {2, 70, 150}, 1, 2, 2, 0},
        {0, {40, 3, 260}, 0, 2, 0, 0},  {0, {5, 9, 200}, 1, 2, 0, 0},   {0, {2, 131, 69}, 1, 2, 0, 3},
        {0, {1, 129, 135}, 1, 2, 0, 1}, {0, {1, 70, 135}, 1, 2, 4, 5},
    };
    for (int dtype = 0; dtype < WEFT_DTYPE_COUNT; dtype++)
        for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
            transposition t = cases[k];
            char what[96];
            t.dtype = (weft_dtype)dtype;
            snprintf(what, sizeof what, "%s [%lld, %lld, %lld], dims %d and %d", weft_dtype_name(t.dtype),
                     (long long)t.shape[0], (long long)t.shape[1], (long long)t.shape[2], t.a, t.b);
            check_both(what, transposed, &t, 0, 0);
        }
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
