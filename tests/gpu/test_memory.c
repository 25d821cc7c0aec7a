/* test_memory.c - the end of a device's memory, or of a context's budget, reached by blocks and not by one impossible
 * size: the error is clean, what is there stays as it is, freed blocks make room, and the context goes on. What fills a
 * device wants it for itself, and waits for WEFT_TEST_FILL=1. */
#include <stdlib.h>
#include <string.h>

#include <weft/weft.h>

#include "harness/structs.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"
#include "samples/device.h"
#include "samples/layout.h"

enum { MOST_BLOCKS = 1024, SIDE = 512 };

static const int64_t smallest = (int64_t)1 << 18, largest = (int64_t)1 << 30;

/* Blocks of device memory, each full of its number. */
typedef struct hoard {
    weft_tensor *blocks[MOST_BLOCKS];
    int64_t bytes;
    int n;
} hoard;

static int number_of(int k)
{
    return k % 251 + 1;
}

/* A tensor that only its keeper holds; NULL with the context's error. */
static weft_tensor *kept_full(weft_ctx *c, weft_dtype dtype, int64_t rows, int64_t columns, double value)
{
    const int mark = weft_scope_push(c);
    weft_tensor *t = weft_keep(weft_full(c, dtype, WEFT_DIMS(rows, columns), value));
    return weft_scope_pop(c, mark) == WEFT_OK ? t : NULL;
}

/* Adds blocks of this size until there is no room. */
static void fill(weft_ctx *c, hoard *h, int64_t bytes)
{
    while (h->n < MOST_BLOCKS) {
        weft_tensor *t = kept_full(c, WEFT_U8, 1, bytes, number_of(h->n));
        if (!t)
            return;
        h->blocks[h->n++] = t;
        h->bytes += bytes;
    }
}

/* The error of a full device, which is then forgotten. */
static void expect_out_of_memory(weft_ctx *c)
{
    WEFT_CHECK_STATUS(weft_ctx_status(c), WEFT_E_NOMEM);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "out of memory for u8");
    weft_ctx_clear(c);
}

static void drop_last(hoard *h, int n)
{
    for (; n > 0 && h->n > 0; n--) {
        h->n--;
        h->bytes -= weft_count(h->blocks[h->n]);
        weft_release(h->blocks[h->n]);
    }
}

/* Every block still holds its number, and nothing else. */
static void check_intact(weft_ctx *c, const hoard *h)
{
    for (int k = 0; k < h->n; k++) {
        const int mark = weft_scope_push(c);
        const int64_t low = weft_item_i64(c, weft_min_over(h->blocks[k], WEFT_ALL, false));
        const int64_t high = weft_item_i64(c, weft_max_over(h->blocks[k], WEFT_ALL, false));
        WEFT_CHECK_OK(weft_scope_pop(c, mark));
        if (low != number_of(k) || high != number_of(k))
            WEFT_FAIL("block %d of %d holds %lld to %lld, not %d", k, h->n, (long long)low, (long long)high,
                      number_of(k));
    }
}

/* With blocks of this size, then ever smaller ones. */
static void fill_up(weft_ctx *c, hoard *h, int64_t bytes)
{
    for (; bytes > smallest; bytes /= 4) {
        fill(c, h, bytes);
        expect_out_of_memory(c);
    }
    fill(c, h, smallest);
    expect_out_of_memory(c);
}

/* A freed block stays in the context's cache, and goes back when another size is asked for. */
static void check_room_is_made(weft_ctx *c, hoard *h)
{
    const int64_t bytes = weft_count(h->blocks[0]);
    weft_tensor *first = h->blocks[0];
    weft_release(first);
    WEFT_CHECK(memory_of(c).cached_bytes >= (size_t)bytes);
    h->blocks[0] = kept_full(c, WEFT_U8, 1, bytes / 8 * 5, number_of(0));
    h->bytes -= bytes / 8 * 3;
    WEFT_CHECK(h->blocks[0]);
    WEFT_CHECK_OK(weft_ctx_status(c));
    WEFT_CHECK(memory_of(c).cached_bytes < (size_t)bytes);
}

/* A power of two, of which the allocator loses nothing. */
static int64_t block_size(size_t memory)
{
    int64_t bytes = smallest;
    while (bytes < largest && bytes * 2 <= (int64_t)(memory / 24))
        bytes *= 2;
    return bytes;
}

static weft_device_info describe(void)
{
    weft_device_info info = {0};
    WEFT_CHECK_OK(weft_device_info_get("cuda", 0, &info, sizeof info));
    return info;
}

static bool may_fill(void)
{
    const char *wish = getenv("WEFT_TEST_FILL");
    return wish && strcmp(wish, "1") == 0;
}

static const char *const alone = "it fills the device's memory, and nothing can run beside it: set WEFT_TEST_FILL=1";

WEFT_TEST(GpuMemory, FilledToTheEnd)
{
    if (!may_fill())
        WEFT_SKIP("%s", alone);
    static hoard h;
    test_memory memory;
    h = (hoard){0};
    weft_ctx *c = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(c);
    weft_tensor *kept = weft_arange(c, WEFT_I32, 0, 1000, 1);
    const weft_device_info before = describe();
    fill_up(c, &h, block_size(before.free_memory));
    WEFT_CHECK((double)h.bytes > 0.8 * (double)before.free_memory);
    check_room_is_made(c, &h);
    check_intact(c, &h);
    WEFT_CHECK_NEAR(weft_item(c, weft_sum(kept, WEFT_ALL, false)), 499500, 0);
    drop_last(&h, h.n);
    weft_memory_trim(c);
    WEFT_CHECK_OK(weft_synchronise(c));
    WEFT_CHECK((double)describe().free_memory > 0.9 * (double)before.free_memory);
    fill(c, &h, block_size(before.free_memory) * 2);
    expect_out_of_memory(c);
    WEFT_CHECK((double)h.bytes > 0.8 * (double)before.free_memory);
    drop_last(&h, h.n);
    test_ctx_close(c, &memory);
}

/* The result of a b, all SIDE, in a block that spare gives up for it. False after an error. */
static bool multiply(weft_ctx *c, weft_tensor *a, weft_tensor *b, weft_tensor *spare)
{
    const int mark = weft_scope_push(c);
    weft_release(spare);
    weft_tensor *y = weft_matmul(a, b);
    const double value = weft_item(c, weft_select(weft_select(y, 0, SIDE - 1), 0, 7));
    const bool done = weft_scope_pop(c, mark) == WEFT_OK;
    if (done)
        WEFT_CHECK_NEAR(value, SIDE, 0);
    return done;
}

/* The first product of a context wants a work space for cuBLASLt: it does without, or fails and says so. */
WEFT_TEST(GpuMemory, NoRoomForALibrarysWorkSpace)
{
    if (!may_fill())
        WEFT_SKIP("%s", alone);
    static hoard h;
    test_memory memory;
    h = (hoard){0};
    weft_ctx *c = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(c);
    weft_tensor *a = weft_ones(c, WEFT_F32, WEFT_DIMS(SIDE, SIDE)), *b = weft_ones(c, WEFT_F32, WEFT_DIMS(SIDE, SIDE));
    weft_tensor *spare = kept_full(c, WEFT_F32, SIDE, SIDE, 0);
    fill_up(c, &h, block_size(describe().free_memory));
    if (!multiply(c, a, b, spare)) {
        WEFT_CHECK(weft_ctx_status(c) == WEFT_E_NOMEM || weft_ctx_status(c) == WEFT_E_DEVICE);
        WEFT_CHECK_STR_HAS(weft_ctx_message(c), "matmul");
        weft_ctx_clear(c);
    }
    check_intact(c, &h);
    drop_last(&h, h.n);
    weft_memory_trim(c);
    WEFT_CHECK(multiply(c, a, b, NULL));
    test_ctx_close(c, &memory);
}

WEFT_TEST(GpuMemory, FilledToABudget)
{
    static hoard h;
    const int64_t budget = 16 * smallest;
    fault_memory memory = {0};
    weft_options options = fault_options(&memory);
    h = (hoard){0};
    options.device = test_device();
    options.memory_budget = (size_t)budget;
    weft_ctx *c;
    WEFT_REQUIRE(weft_ctx_open(&options, &c) == WEFT_OK);
    fill(c, &h, smallest);
    expect_out_of_memory(c);
    WEFT_CHECK_EQ_INT(h.bytes, budget);
    check_room_is_made(c, &h);
    check_intact(c, &h);
    drop_last(&h, h.n);
    weft_ctx_close(c);
    WEFT_CHECK_EQ_INT(memory.live_blocks, 0);
}
