/* callbacks.c - see callbacks.h. */
#include "callbacks.h"
#include "harness/structs.h"

weft_ctx *open_faulty(fault_memory *m)
{
    weft_ctx *c = NULL;
    weft_options o = fault_options(m);
    WEFT_CHECK_OK(weft_ctx_open(&o, &c));
    return c;
}

void check_whole(weft_ctx *c, fault_memory *m)
{
    WEFT_CHECK_OK(weft_ctx_status(c));
    WEFT_CHECK(weft_grad_enabled(c));
    const int mark = weft_scope_push(c);
    weft_tensor *x = weft_set_requires_grad(weft_full(c, WEFT_F32, WEFT_DIMS(3), 2), true);
    WEFT_CHECK_OK(weft_backward(c, weft_sum(weft_mul(x, x), WEFT_ALL, false)));
    WEFT_CHECK_NEAR(weft_item(c, weft_select(weft_grad_of(x), 0, 1)), 4, 0);
    weft_add(x, weft_ones(c, WEFT_F32, WEFT_DIMS(7))); /* a message of the outermost call, with this line */
    WEFT_CHECK(strncmp(weft_ctx_message(c), "weft_add: ", 10) == 0);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "callbacks.c:");
    weft_ctx_clear(c);
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
    WEFT_CHECK_EQ_INT(weft_leaks(c, NULL, NULL), 0);
    weft_ctx_close(c);
    WEFT_CHECK_EQ_INT(m->live_blocks, 0);
    WEFT_CHECK(!m->mismatch);
}

void refused(weft_ctx *c, weft_status want, const char *part)
{
    WEFT_CHECK_STATUS(weft_ctx_status(c), want);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), part);
    WEFT_CHECK_STATUS(weft_ctx_clear(c), want);
}

void use(weft_ctx *c)
{
    const int mark = weft_scope_push(c);
    weft_tensor *t = weft_add(weft_ones(c, WEFT_F32, WEFT_DIMS(3)), weft_ones(c, WEFT_F32, WEFT_DIMS(3)));
    weft_keep(t);
    WEFT_CHECK(t == NULL && mark == -1);
    WEFT_CHECK(weft_scope_pop(c, 0) != WEFT_OK);
    WEFT_CHECK(weft_scope_pop(c, 1) != WEFT_OK);
    weft_set_grad_enabled(c, false);
    weft_memory_trim(c);
    weft_ctx_close(c);
    WEFT_CHECK(memory_of(c).host_bytes > 0);
}
