/* test_copy.c - copies and casts over many blocks: dense, transposed, and every pair of floating dtypes. */
#include "both.h"

#include <stdio.h>

#include "harness/weft_test.h"

/* Dims a and b of an array change places; it begins skip elements into each of its rows. */
typedef struct transposition {
    weft_dtype dtype;
    int64_t shape[3];
    int a, b, skip;
} transposition;

static weft_tensor *transposed(weft_ctx *ctx, void *user)
{
    const transposition *t = user;
    const int64_t *n = t->shape;
    weft_tensor *x = both_input(ctx, t->dtype, WEFT_DIMS(n[0], n[1], n[2] + t->skip), 0, 100, 1);
    return weft_clone(weft_transpose(weft_slice(x, 2, t->skip, n[2] + t->skip, 1), t->a, t->b));
}

/* Whole tiles, and ragged edges, of small elements that move as words: at borders of words, beside them, and in rows that
 * begin at either; several planes; dims that are too short for tiles of words, or for any. */
WEFT_TEST(DeviceCopy, TransposesEveryElementSize)
{
    const transposition cases[] = {
        {0, {2, 128, 256}, 1, 2, 0}, {0, {3, 130, 67}, 0, 2, 0},  {0, {3, 130, 67}, 1, 2, 0},
        {0, {1, 131, 132}, 1, 2, 4}, {0, {1, 132, 131}, 1, 2, 1}, {0, {2, 70, 150}, 1, 2, 2},
        {0, {40, 3, 260}, 0, 2, 0},  {0, {5, 9, 200}, 1, 2, 0},
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
