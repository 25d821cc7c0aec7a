/* test_memory.c - blocks are as large as what they hold, and the peak counts what is in use alone. */
#include "engine/engine.h"
#include "harness/structs.h"
#include "harness/weft_test.h"

WEFT_TEST(Memory, BlocksHoldTheirElements)
{
    weft_ctx *c = NULL;
    WEFT_REQUIRE(weft_ctx_open(NULL, &c) == WEFT_OK);
    for (int64_t n = 1; n < 5000 && weft_test_failures() < 3; n++) {
        weft_tensor *t = weft_zeros(c, WEFT_U8, &n, 1);
        const size_t bytes = t ? t->storage->bytes : 0, wanted = (size_t)n;
        if (bytes < wanted || (bytes > 64 && 4 * bytes > 5 * wanted))
            WEFT_FAIL("%lld bytes get a block of %zu", (long long)n, bytes);
        weft_drop(t);
    }
    weft_ctx_close(c);
}

WEFT_TEST(Memory, ThePeakIsOfWhatIsInUse)
{
    weft_ctx *c = NULL;
    WEFT_REQUIRE(weft_ctx_open(NULL, &c) == WEFT_OK);
    weft_drop(weft_ones(c, WEFT_F32, (const int64_t[]){4096}, 1));
    WEFT_CHECK(weft_ones(c, WEFT_F32, (const int64_t[]){2048}, 1));
    const weft_memory_info m = memory_of(c);
    WEFT_CHECK(m.live_bytes == 8192 && m.cached_bytes == 16384 && m.peak_bytes == 16384);
    weft_ctx_close(c);
}
