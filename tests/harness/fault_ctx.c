/* fault_ctx.c - contexts on test_ctx.c's memory, opened and closed with the checks of a test. */
#include "test_ctx.h"
#include "weft_test.h"

weft_ctx *fault_ctx_open(fault_memory *memory)
{
    weft_ctx *ctx = NULL;
    weft_options o = fault_options(memory);
    WEFT_CHECK_OK(weft_ctx_open(&o, &ctx));
    return ctx;
}

void fault_ctx_close(weft_ctx *ctx, fault_memory *memory)
{
    if (weft_ctx_status(ctx) != WEFT_OK)
        WEFT_FAIL("%s", weft_ctx_message(ctx));
    weft_ctx_close(ctx);
    WEFT_CHECK_EQ_INT(memory->live_blocks, 0);
    WEFT_CHECK_EQ_INT(memory->live_bytes, 0);
    WEFT_CHECK(!memory->mismatch);
}

void check_no_result(weft_ctx *ctx, const void *result, weft_status status, const char *words)
{
    WEFT_CHECK(result == NULL);
    WEFT_CHECK_STATUS(weft_ctx_status(ctx), status);
    WEFT_CHECK_STR_HAS(weft_ctx_message(ctx), words);
    weft_ctx_clear(ctx);
}
