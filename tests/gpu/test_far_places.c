/* test_far_places.c - places beyond 2^31 in the memory of a device: bytes there are written, moved and found by their
 * indices. A tensor of 2 GiB; it waits for WEFT_TEST_FILL=1, as what fills a device does. */
#include <stdlib.h>

#include "harness/structs.h"
#include "harness/weft_test.h"
#include "samples/device.h"
#include "samples/layout.h"

enum { FAR = 8, COLUMNS = 1024 };

/* Behind 2^31 - 4, on both sides of the border and at the end. */
static int64_t place(int64_t k)
{
    return (INT64_C(1) << 31) - 4 + k * (k < FAR - 1 ? 1 : 4097);
}

static void check_bytes(weft_ctx *c, const char *what, weft_tensor *y)
{
    uint8_t got[FAR] = {0};
    if (!y || weft_read(c, y, got, sizeof got) != WEFT_OK) {
        WEFT_FAIL("%s: %s", what, weft_ctx_message(c));
        weft_ctx_clear(c);
        return;
    }
    for (int k = 0; k < FAR; k++)
        if (got[k] != k + 1)
            WEFT_FAIL("%s: place %lld holds %d, not %d", what, (long long)place(k), got[k], k + 1);
}

WEFT_TEST(GpuMemory, PlacesBeyondTwoGigaAreFound)
{
    const char *fill = getenv("WEFT_TEST_FILL");
    if (!fill || strcmp(fill, "1") != 0)
        WEFT_SKIP("a tensor of 2 GiB is made where WEFT_TEST_FILL=1 allows it");
    const int64_t rows = (INT64_C(1) << 31) / COLUMNS + 64;
    test_memory memory;
    weft_ctx *c = test_ctx_open(&memory, 2);
    WEFT_REQUIRE(c);
    weft_tensor *x = weft_zeros(c, WEFT_U8, WEFT_DIMS(rows * COLUMNS));
    if (!x && weft_ctx_status(c) == WEFT_E_NOMEM) { /* the emulated device has less */
        weft_ctx_clear(c);
        test_ctx_close(c, &memory);
        WEFT_SKIP("the device has no 2 GiB for a tensor");
    }
    int64_t at[FAR], row[FAR];
    for (int k = 0; k < FAR; k++) {
        at[k] = place(k);
        row[k] = at[k] / COLUMNS;
        weft_fill_(weft_slice(x, 0, at[k], at[k] + 1, 1), k + 1);
    }
    weft_tensor *index = weft_from_data(c, WEFT_I64, WEFT_DIMS(FAR), at);
    weft_tensor *row_index = weft_from_data(c, WEFT_I64, WEFT_DIMS(FAR), row);
    check_bytes(c, "gather", weft_gather(x, index, 0));
    check_bytes(c, "index_select", weft_index_select(x, index, 0));
    weft_tensor *table = weft_reshape(x, WEFT_DIMS(rows, COLUMNS)), *found[FAR];
    weft_tensor *selected = weft_index_select(table, row_index, 0), *embedded = weft_embedding(table, row_index);
    for (int k = 0; k < FAR; k++)
        found[k] = weft_slice(weft_select(selected, 0, k), 0, at[k] % COLUMNS, at[k] % COLUMNS + 1, 1);
    check_bytes(c, "index_select of rows", weft_concat(found, FAR, 0));
    for (int k = 0; k < FAR; k++)
        found[k] = weft_slice(weft_select(embedded, 0, k), 0, at[k] % COLUMNS, at[k] % COLUMNS + 1, 1);
    check_bytes(c, "embedding", weft_concat(found, FAR, 0));
    for (int k = 0; k < FAR; k++)
        found[k] = weft_slice(x, 0, at[k], at[k] + 1, 1);
    check_bytes(c, "slices", weft_concat(found, FAR, 0));
    WEFT_CHECK_EQ_INT(weft_item_i64(c, weft_sum(x, WEFT_ALL, false)), FAR * (FAR + 1) / 2);
    WEFT_CHECK_EQ_INT(weft_item_i64(c, weft_argmax(x, WEFT_ALL, false)), place(FAR - 1));
    test_ctx_close(c, &memory);
}
