/* test_ctx.c - contexts, sticking errors, scopes, keep and release, leaks. */
#include <math.h>
#include <setjmp.h>
#include "harness/structs.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"

static void close_ctx(weft_ctx *c, fault_memory *m)
{
    weft_ctx_close(c);
    WEFT_CHECK_EQ_INT(m->live_blocks, 0);
    WEFT_CHECK_EQ_INT(m->live_bytes, 0);
    WEFT_CHECK(!m->mismatch);
}

WEFT_TEST(Ctx, OpensWithDefaultsAndCloses)
{
    weft_ctx *c = NULL;
    WEFT_CHECK_OK(weft_ctx_open(NULL, &c));
    WEFT_CHECK(c != NULL);
    WEFT_CHECK_OK(weft_ctx_status(c));
    WEFT_CHECK_STR_EQ(weft_ctx_message(c), "");
    weft_ctx_close(c);
    weft_ctx_close(NULL);
}

WEFT_TEST(Ctx, RefusesBadOptions)
{
    fault_memory m = {0};
    weft_ctx *c = (weft_ctx *)&m;
    weft_options o = fault_options(&m);
    o.threads = -5;
    WEFT_CHECK_STATUS(weft_ctx_open(&o, &c), WEFT_E_INVALID);
    WEFT_CHECK(c == NULL);
    WEFT_CHECK_STR_HAS(m.last_log, "threads");
    o = fault_options(&m);
    o.free = NULL;
    WEFT_CHECK_STATUS(weft_ctx_open(&o, &c), WEFT_E_INVALID);
    o = fault_options(&m);
    o.device = "tpu";
    WEFT_CHECK_STATUS(weft_ctx_open(&o, &c), WEFT_E_DEVICE);
    o = fault_options(&m);
    o.struct_size = sizeof o + 8;
    WEFT_CHECK_STATUS(weft_ctx_open(&o, &c), WEFT_E_INVALID);
    WEFT_CHECK_STATUS(weft_ctx_open(NULL, NULL), WEFT_E_NULL_ARGUMENT);
    WEFT_CHECK_EQ_INT(m.live_blocks, 0);
}

WEFT_TEST(Ctx, FirstErrorSticksAndNullGivesNull)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    int mark = weft_scope_push(c);
    weft_tensor *a = weft_ones(c, WEFT_F32, WEFT_DIMS(2, 3)), *b = weft_ones(c, WEFT_F32, WEFT_DIMS(4, 5));
    WEFT_CHECK(weft_add(a, b) == NULL);
    WEFT_CHECK_STATUS(weft_ctx_status(c), WEFT_E_SHAPE);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "weft_add");
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "[2, 3]");
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "[4, 5]");
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "test_ctx.c:");
    WEFT_CHECK(weft_matmul(a, a) == NULL); /* another mistake: the first message stays */
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "weft_add");
    WEFT_CHECK(weft_relu(a) == NULL);
    WEFT_CHECK(weft_relu(NULL) == NULL);
    WEFT_CHECK(isnan(weft_item(c, NULL)));
    WEFT_CHECK_STATUS(weft_backward(c, NULL), WEFT_E_SHAPE);
    WEFT_CHECK_STATUS(weft_scope_pop(c, mark), WEFT_E_SHAPE);
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_SHAPE);
    WEFT_CHECK_OK(weft_ctx_status(c));
    WEFT_CHECK_NEAR(weft_item(c, weft_scalar(c, WEFT_F32, 2)), 2, 0);
    close_ctx(c, &m);
}

WEFT_TEST(Ctx, TerminalsRecordNull)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    float out;
    WEFT_CHECK(isnan(weft_item(c, NULL)));
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_NULL_ARGUMENT);
    WEFT_CHECK_STATUS(weft_read(c, NULL, &out, sizeof out), WEFT_E_NULL_ARGUMENT);
    weft_ctx_clear(c);
    WEFT_CHECK_STATUS(weft_backward(c, NULL), WEFT_E_NULL_ARGUMENT);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "weft_backward");
    weft_ctx_clear(c);
    WEFT_CHECK_STATUS(weft_optim_step(c, NULL), WEFT_E_NULL_ARGUMENT);
    weft_ctx_clear(c);
    WEFT_CHECK_STATUS(weft_ctx_status(NULL), WEFT_E_NULL_ARGUMENT);
    close_ctx(c, &m);
}

WEFT_TEST(Ctx, UserErrorsStickToo)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    WEFT_CHECK_STATUS(weft_ctx_fail(c, WEFT_E_IO, "cannot read %s", "x.bin"), WEFT_E_IO);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "cannot read x.bin");
    WEFT_CHECK(weft_scalar(c, WEFT_F32, 1) == NULL);
    weft_ctx_clear(c);
    close_ctx(c, &m);
}

WEFT_TEST(Ctx, StatusNamesAndTexts)
{
    WEFT_CHECK_STR_EQ(weft_status_name(WEFT_E_SHAPE), "SHAPE");
    WEFT_CHECK_STR_EQ(weft_status_name((weft_status)99), "UNKNOWN");
    WEFT_CHECK_STR_HAS(weft_status_text(WEFT_E_NOMEM), "memory");
    WEFT_CHECK_STR_EQ(weft_version(), "0.1.0");
}

/* ---- Scopes ---- */

WEFT_TEST(Scope, FreesTemporaries)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_memory_info before = memory_of(c);
    int mark = weft_scope_push(c);
    for (int k = 0; k < 100; k++)
        weft_exp(weft_ones(c, WEFT_F32, WEFT_DIMS(10)));
    WEFT_CHECK_EQ_INT(memory_of(c).live_tensors, before.live_tensors + 200);
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
    WEFT_CHECK_EQ_INT(memory_of(c).live_tensors, before.live_tensors);
    WEFT_CHECK_EQ_INT(memory_of(c).live_bytes, before.live_bytes);
    close_ctx(c, &m);
}

WEFT_TEST(Scope, KeepEscapeRelease)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    int outer = weft_scope_push(c), inner = weft_scope_push(c);
    weft_tensor *kept = weft_keep(weft_scalar(c, WEFT_F64, 1));
    weft_tensor *escaped = weft_escape(weft_scalar(c, WEFT_F64, 2));
    WEFT_CHECK_OK(weft_scope_pop(c, inner));
    WEFT_CHECK_NEAR(weft_item(c, kept), 1, 0);
    WEFT_CHECK_NEAR(weft_item(c, escaped), 2, 0);
    WEFT_CHECK_OK(weft_scope_pop(c, outer));
    WEFT_CHECK_NEAR(weft_item(c, kept), 1, 0);
    WEFT_CHECK_EQ_INT(memory_of(c).live_tensors, 1);
    weft_release(kept);
    WEFT_CHECK_EQ_INT(memory_of(c).live_tensors, 0);
    WEFT_CHECK_OK(weft_ctx_status(c));
    close_ctx(c, &m);
}

WEFT_TEST(Scope, ReleaseOfWhatIsNotKeptIsAnError)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *t = weft_scalar(c, WEFT_F32, 1);
    weft_release(t);
    WEFT_CHECK_STATUS(weft_ctx_status(c), WEFT_E_STATE);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "weft_release");
    weft_ctx_clear(c);
    WEFT_CHECK_NEAR(weft_item(c, t), 1, 0);
    weft_release(NULL);
    close_ctx(c, &m);
}

WEFT_TEST(Scope, PopClosesInnerScopes)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    int outer = weft_scope_push(c);
    for (int k = 0; k < 40; k++) { /* more than the first block of scopes */
        weft_scope_push(c);
        weft_scalar(c, WEFT_F32, k);
    }
    WEFT_CHECK_OK(weft_scope_pop(c, outer));
    WEFT_CHECK_EQ_INT(memory_of(c).live_tensors, 0);
    WEFT_CHECK_STATUS(weft_scope_pop(c, outer), WEFT_E_STATE);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "weft_scope_pop");
    weft_ctx_clear(c);
    close_ctx(c, &m);
}

static jmp_buf back;

static void jump_out(weft_ctx *c, weft_tensor *x)
{
    weft_scope_push(c);
    weft_relu(weft_matmul(x, x));
    longjmp(back, 1);
}

WEFT_TEST(Scope, SurvivesLongjmp)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *x = weft_ones(c, WEFT_F32, WEFT_DIMS(4, 4));
    weft_memory_info before = memory_of(c);
    int mark = weft_scope_push(c);
    if (!setjmp(back))
        jump_out(c, x);
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
    WEFT_CHECK_EQ_INT(memory_of(c).live_tensors, before.live_tensors);
    close_ctx(c, &m);
}

WEFT_TEST(Scope, UseAfterPopIsReported)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    int mark = weft_scope_push(c);
    weft_tensor *t = weft_exp(weft_ones(c, WEFT_F32, WEFT_DIMS(3)));
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
    for (int k = 0; k < 100; k++)
        weft_scalar(c, WEFT_F32, 0);
    WEFT_CHECK(weft_neg(t) == NULL);
    WEFT_CHECK_STATUS(weft_ctx_status(c), WEFT_E_DEAD_TENSOR);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "weft_exp");
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "test_ctx.c");
    weft_ctx_clear(c);
    WEFT_CHECK_NEAR(weft_item(c, weft_scalar(c, WEFT_F32, 5)), 5, 0);
    close_ctx(c, &m);
}

WEFT_TEST(Ctx, MixingContextsIsAnError)
{
    fault_memory m = {0}, n = {0};
    weft_ctx *c = fault_ctx_open(&m), *d = fault_ctx_open(&n);
    weft_tensor *a = weft_scalar(c, WEFT_F32, 1), *b = weft_scalar(d, WEFT_F32, 2);
    WEFT_CHECK(weft_add(a, b) == NULL);
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_MIXED_CONTEXTS);
    WEFT_CHECK_OK(weft_ctx_status(d));
    close_ctx(c, &m);
    close_ctx(d, &n);
}

/* ---- Leaks and memory ---- */

static void count_text(void *user, const weft_leak *leak)
{
    *(int *)user += leak->line > 0 && leak->file && strstr(leak->text, "test_ctx.c") && strstr(leak->text, "f32 [7]");
}

WEFT_TEST(Memory, LeaksNameTheirPlace)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_keep(weft_zeros(c, WEFT_F32, WEFT_DIMS(7)));
    int described = 0;
    WEFT_CHECK_EQ_INT(weft_leaks(c, count_text, &described), 1);
    WEFT_CHECK_EQ_INT(described, 1);
    close_ctx(c, &m);
    WEFT_CHECK_STR_HAS(m.last_log, "never released");
    WEFT_CHECK_STR_HAS(m.last_log, "weft_zeros at");
}

typedef struct live_seen {
    int groups;
    weft_live first;
    char text[512];
    size_t bytes;
} live_seen;

static void see_live(void *user, const weft_live *group)
{
    live_seen *seen = user;
    if (seen->groups++ == 0) {
        seen->first = *group;
        snprintf(seen->text, sizeof seen->text, "%s", group->text);
    }
    seen->bytes += group->bytes;
}

/* A loop without a scope: its line comes first, with all its tensors and bytes. */
WEFT_TEST(Memory, LiveTensorsAreCountedByTheirLine)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    WEFT_CHECK_EQ_INT(weft_live_tensors(c, NULL, NULL), 0);
    WEFT_CHECK_EQ_INT(weft_live_tensors(NULL, NULL, NULL), 0);
    const int line = __LINE__ + 3;
    weft_tensor *x = weft_zeros(c, WEFT_F32, WEFT_DIMS(2000));
    for (int k = 0; k < 300; k++)
        weft_select(weft_relu(x), 0, 0); /* a result and a view of it */
    (void)weft_relu(x);
    live_seen seen = {0};
    WEFT_CHECK_EQ_INT(weft_live_tensors(c, see_live, &seen), 4); /* zeros, relu on two lines, select */
    WEFT_CHECK_EQ_INT(seen.groups, 4);
    WEFT_CHECK_EQ_INT(seen.first.tensors, 300);
    WEFT_CHECK_EQ_INT(seen.first.line, line);
    WEFT_CHECK_STR_EQ(seen.first.op, "relu");
    WEFT_CHECK_EQ_INT(seen.first.outermost, 0);
    WEFT_CHECK_STR_HAS(seen.text, "300 tensors, ");
    WEFT_CHECK_STR_HAS(seen.text, "test_ctx.c:");
    WEFT_CHECK_EQ_INT(seen.bytes, memory_of(c).live_bytes); /* no storage counts twice */
    m.fail_at = m.calls + 1;
    WEFT_CHECK_EQ_INT(weft_live_tensors(c, see_live, &seen), -1);
    WEFT_CHECK_STATUS(weft_ctx_status(c), WEFT_E_NOMEM);
    weft_ctx_clear(c);
    close_ctx(c, &m);
}

WEFT_TEST(Memory, BudgetIsKeptAndTheContextGoesOn)
{
    fault_memory m = {0};
    weft_options o = fault_options(&m);
    o.memory_budget = 1 << 20;
    weft_ctx *c;
    WEFT_REQUIRE(weft_ctx_open(&o, &c) == WEFT_OK);
    int mark = weft_scope_push(c);
    weft_tensor *t = weft_zeros(c, WEFT_F32, WEFT_DIMS(100, 1000)); /* 400 kB */
    WEFT_CHECK(t != NULL);
    WEFT_CHECK(weft_zeros(c, WEFT_F32, WEFT_DIMS(200, 1000)) == NULL);
    WEFT_CHECK_STATUS(weft_ctx_status(c), WEFT_E_NOMEM);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "budget");
    weft_ctx_clear(c);
    WEFT_CHECK_NEAR(weft_item(c, weft_sum(t, WEFT_ALL, false)), 0, 0);
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
    WEFT_CHECK(weft_zeros(c, WEFT_F32, WEFT_DIMS(200, 1000)) != NULL); /* the cache makes room */
    WEFT_CHECK(memory_of(c).live_bytes + memory_of(c).cached_bytes <= o.memory_budget);
    close_ctx(c, &m);
}

WEFT_TEST(Memory, HugeSizesAreRefusedCleanly)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    WEFT_CHECK(weft_zeros(c, WEFT_F32, WEFT_DIMS(INT64_MAX, 2)) == NULL);
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_SHAPE);
    WEFT_CHECK(weft_zeros(c, WEFT_F64, WEFT_DIMS(INT64_MAX / 8)) == NULL);
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_NOMEM);
    WEFT_CHECK(weft_zeros(c, WEFT_F32, WEFT_DIMS(-1, 2)) == NULL);
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_SHAPE);
    WEFT_CHECK(weft_zeros(c, WEFT_F32, NULL, 3) == NULL);
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_SHAPE);
    WEFT_CHECK(weft_zeros(c, (weft_dtype)77, WEFT_DIMS(1)) == NULL);
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_DTYPE);
    WEFT_CHECK(weft_from_data(c, WEFT_F32, WEFT_DIMS(3), NULL) == NULL);
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_NULL_ARGUMENT);
    close_ctx(c, &m);
}

WEFT_TEST(Memory, TrimGivesEverythingBack)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    int mark = weft_scope_push(c);
    weft_zeros(c, WEFT_F32, WEFT_DIMS(1000));
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
    const size_t cached = memory_of(c).cached_bytes;
    WEFT_CHECK(cached >= 4000);
    WEFT_CHECK_EQ_INT(memory_of(c).host_bytes, m.live_bytes);
    const uint64_t call = weft_callback_begin(c, "one that looks", true);
    weft_memory_trim(c);
    WEFT_CHECK_EQ_INT(memory_of(c).cached_bytes, cached);
    WEFT_CHECK(weft_callback_end(c, "trim", call));
    weft_memory_trim(c);
    WEFT_CHECK_EQ_INT(memory_of(c).cached_bytes, 0);
    WEFT_CHECK_EQ_INT(memory_of(c).host_bytes, m.live_bytes);
    close_ctx(c, &m);
}
