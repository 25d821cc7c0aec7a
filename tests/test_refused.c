/* test_refused.c - what is cheap to refuse: structs of another size, NULL where something is needed, an allocator that
 * does not keep its word, functions that give nothing. Every refusal is a status, with a sentence where there is a
 * context, and leaves no result behind; so is the error of a call that had no context. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/bench.h>
#include <weft/compare.h>
#include <weft/profile.h>
#include <weft/weft.h>
#include "harness/structs.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"

static weft_ctx *open_ctx(void)
{
    weft_ctx *c = NULL;
    WEFT_CHECK_OK(weft_ctx_open(NULL, &c));
    return c;
}

/* The call returned this, and so says the context, with these words; clears it. */
static void check_refused(weft_ctx *c, weft_status returned, weft_status status, const char *a, const char *b)
{
    WEFT_CHECK_STATUS(returned, status);
    WEFT_CHECK_STATUS(weft_ctx_status(c), status);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), a);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), b);
    weft_ctx_clear(c);
}

static weft_status no_step(weft_ctx *ctx, void *model, int step, double *loss)
{
    (void)ctx, (void)model, (void)step;
    *loss = 0;
    return WEFT_OK;
}

/* ---- Structs that carry their size ---- */

/* A context opens with options of every size that ends with a field, and with no other. */
WEFT_TEST(Refused, AStructSizeThatEndsWithinAField)
{
    weft_ctx *c = open_ctx(), *other = open_ctx();
    for (size_t size = 0; size < 2 * sizeof(weft_options); size++) {
        weft_options o = WEFT_OPTIONS_DEFAULTS;
        weft_ctx *opened = c;
        o.struct_size = size;
        weft_status status = weft_ctx_open(&o, &opened);
        const bool known = size > sizeof(size_t) && size % sizeof(size_t) == 0 && size <= sizeof o;
        if (status != (known ? WEFT_OK : WEFT_E_INVALID) || !opened == known)
            WEFT_FAIL("weft_options of %zu bytes: %s", size, weft_status_name(status));
        weft_ctx_close(opened);
        if (weft_test_failures() > 3)
            break;
    }
    weft_device_info info;
    WEFT_CHECK_STATUS(weft_device_info_get("cpu", 0, &info, 20), WEFT_E_INVALID);
    WEFT_CHECK_STATUS(weft_device_info_get("cpu", 0, &info, 0), WEFT_E_INVALID);
    WEFT_CHECK_STATUS(weft_device_info_get("cpu", 0, &info, sizeof info + 8), WEFT_E_INVALID);
    WEFT_CHECK_OK(weft_device_info_get("cpu", 0, &info, sizeof info));

    weft_lockstep_report report = {0};
    weft_lockstep_options steps = INIT_LOCKSTEP(.struct_size = sizeof steps - 4);
    check_refused(c, weft_lockstep(c, NULL, other, NULL, no_step, &steps, &report, sizeof report), WEFT_E_INVALID,
                  "weft_lockstep", "struct_size");
    check_refused(c, weft_lockstep(c, NULL, other, NULL, no_step, NULL, &report, 12), WEFT_E_INVALID, "weft_lockstep",
                  "a weft_lockstep_report of 12 bytes");
    steps = WITH_LOCKSTEP(.steps = 0);
    check_refused(c, weft_lockstep(c, NULL, other, NULL, no_step, &steps, &report, sizeof report), WEFT_E_INVALID,
                  "weft_lockstep", "steps must be at least 1");
    int64_t n = 7;
    weft_compare_ops_options ops = INIT_COMPARE_OPS(.struct_size = 11);
    check_refused(c, weft_compare_ops(c, other, &ops, NULL, NULL, &n), WEFT_E_INVALID, "weft_compare_ops",
                  "struct_size");
    WEFT_CHECK_EQ_INT(n, 0);
    ops = WITH_COMPARE_OPS(.dtypes = 0);
    check_refused(c, weft_compare_ops(c, other, &ops, NULL, NULL, &n), WEFT_E_INVALID, "weft_compare_ops",
                  "no dtype or no layout");
    weft_ctx_close(other);
    weft_ctx_close(c);
}

/* ---- NULL ---- */

WEFT_TEST(Refused, NullArgumentsLeaveASentence)
{
    weft_ctx *c = open_ctx(), *other = open_ctx();
    weft_lockstep_report report = {.steps = 5, .differences = 3};
    weft_difference difference = {.step = 5};
    int64_t n = 7;
    check_refused(c, weft_lockstep(c, NULL, NULL, NULL, no_step, NULL, &report, sizeof report), WEFT_E_NULL_ARGUMENT,
                  "weft_lockstep", "needs");
    WEFT_CHECK(report.steps == 0 && report.differences == 0);
    check_refused(other, weft_lockstep(NULL, NULL, other, NULL, no_step, NULL, &report, sizeof report),
                  WEFT_E_NULL_ARGUMENT, "weft_lockstep", "needs");
    check_refused(c, weft_lockstep(c, NULL, other, NULL, NULL, NULL, &report, sizeof report), WEFT_E_NULL_ARGUMENT,
                  "weft_lockstep", "needs");
    check_refused(c, weft_lockstep(c, NULL, other, NULL, no_step, NULL, NULL, 0), WEFT_E_NULL_ARGUMENT, "weft_lockstep",
                  "needs");
    check_refused(c, weft_replay(c, NULL, &difference, sizeof difference), WEFT_E_NULL_ARGUMENT, "weft_replay",
                  "needs");
    WEFT_CHECK_EQ_INT(difference.step, 0);
    check_refused(c, weft_replay(c, "x.npz", NULL, 0), WEFT_E_NULL_ARGUMENT, "weft_replay", "needs");
    check_refused(c, weft_compare_ops(c, NULL, NULL, NULL, NULL, &n), WEFT_E_NULL_ARGUMENT, "weft_compare_ops",
                  "needs");
    WEFT_CHECK_EQ_INT(n, 0);
    check_refused(c, weft_compare_ops(c, other, NULL, NULL, NULL, NULL), WEFT_E_NULL_ARGUMENT, "weft_compare_ops",
                  "needs");
    check_refused(c, weft_compare_files(c, "a.npz", NULL, 0, 0, NULL, NULL), WEFT_E_NULL_ARGUMENT, "weft_compare_files",
                  "second");
    check_refused(c, weft_profile_begin(c, NULL), WEFT_E_NULL_ARGUMENT, "weft_profile_begin", "");
    weft_tensor *leaf = weft_set_requires_grad(weft_ones(c, WEFT_F32, WEFT_DIMS(2)), true);
    check_refused(c, weft_add_hook(leaf, NULL, NULL), WEFT_E_NULL_ARGUMENT, "weft_add_hook", "NULL");
    weft_profile *profile = (weft_profile *)(void *)&n;
    WEFT_CHECK_STATUS(weft_profile_begin(NULL, &profile), WEFT_E_NULL_ARGUMENT);
    WEFT_CHECK(profile == NULL);
    check_refused(c, weft_ctx_fail(c, WEFT_E_IO, NULL), WEFT_E_IO, "", weft_status_text(WEFT_E_IO));
    weft_call_site("somewhere.c", 3, NULL);
    WEFT_CHECK_NEAR(weft_item(c, weft_sum(leaf, WEFT_ALL, false)), 2, 0);
    weft_ctx_close(other);
    weft_ctx_close(c);
}

WEFT_TEST(Refused, AFailedGradLeavesNoGradientsBehind)
{
    weft_ctx *c = open_ctx();
    weft_tensor *x = weft_ones(c, WEFT_F32, WEFT_DIMS(2)), *found[2] = {x, x};
    weft_ctx_fail(c, WEFT_E_IO, "an earlier error");
    WEFT_CHECK_STATUS(weft_grad(c, &x, NULL, 1, (weft_tensor *[]){x, x}, 2, 0, found), WEFT_E_IO);
    WEFT_CHECK(!found[0] && !found[1]);
    weft_ctx_close(c);
}

/* ---- Functions that give nothing ---- */

static weft_tensor *nothing(weft_ctx *c, weft_tensor *const *in, int n, void *user)
{
    (void)c, (void)in, (void)n;
    ++*(int *)user;
    return NULL;
}

WEFT_TEST(Refused, ChecksOfAFunctionThatReturnsNull)
{
    static const int64_t sizes[] = {2, 0};
    weft_ctx *c = open_ctx();
    for (int k = 0; k < 2; k++) {
        int calls = 0;
        weft_tensor *x = weft_set_requires_grad(weft_ones(c, WEFT_F64, &sizes[k], 1), true);
        check_refused(c, weft_gradcheck(c, &x, 1, nothing, &calls, NULL), WEFT_E_CALLBACK, "weft_gradcheck",
                      "the function returned NULL");
        check_refused(c, weft_gradgradcheck(c, &x, 1, nothing, &calls, NULL), WEFT_E_CALLBACK, "weft_gradcheck",
                      "the function returned NULL");
        WEFT_CHECK_EQ_INT(calls, 2);
    }
    weft_ctx_close(c);
}

/* ---- An allocator that does not keep its word ---- */

typedef struct careless {
    long calls, misaligned_at, live;
    bool for_good;
} careless;

static void *careless_alloc(void *user, size_t bytes, size_t alignment)
{
    careless *a = user;
    long call = ++a->calls;
    char *block = aligned_alloc(64, (bytes + 128 + alignment + 63) / 64 * 64);
    size_t shift = call == a->misaligned_at || (a->for_good && call > a->misaligned_at) ? 8 : 0;
    char *at = block + 64 + (alignment - (uintptr_t)(block + 64) % alignment) % alignment + shift;
    memcpy(at - 8, &block, sizeof block); /* where free finds it */
    a->live++;
    return at;
}

static void careless_free(void *user, void *pointer, size_t bytes)
{
    (void)bytes;
    void *block;
    memcpy(&block, (char *)pointer - 8, sizeof block);
    ((careless *)user)->live--;
    free(block);
}

/* Some of everything that asks for memory. */
static weft_status work(weft_ctx *c)
{
    int mark = weft_scope_push(c);
    weft_tensor *x = weft_set_requires_grad(weft_rand(c, WEFT_BF16, WEFT_DIMS(9, 9), 0, 1), true);
    weft_tensor *shared = weft_share(x);
    weft_backward(c, weft_sum(weft_softmax(weft_matmul(x, weft_transpose(x, 0, 1)), 1), WEFT_ALL, false));
    weft_release(shared);
    return mark < 0 ? weft_ctx_status(c) : weft_scope_pop(c, mark);
}

WEFT_TEST(Refused, ABlockThatIsNotAlignedAsAsked)
{
    long refused = 0;
    for (int for_good = 0; for_good < 2; for_good++)
        for (long nth = 1; nth < 500; nth++) {
            careless a = {.misaligned_at = nth, .for_good = for_good};
            weft_options o =
                INIT_OPTIONS(.alloc = careless_alloc, .free = careless_free, .alloc_user = &a, .threads = 2);
            weft_ctx *c = NULL;
            weft_status status = weft_ctx_open(&o, &c);
            if (!c)
                WEFT_CHECK(status == WEFT_E_INVALID || status == WEFT_E_NOMEM);
            else if ((status = work(c)) != WEFT_OK)
                check_refused(c, status, WEFT_E_NOMEM, "aligned", "");
            weft_ctx_close(c);
            if (a.live != 0)
                WEFT_FAIL("block %ld misaligned: %ld blocks stay", nth, a.live);
            if (status == WEFT_OK && a.calls < nth)
                break;
            refused++;
            if (weft_test_failures() > 3)
                return;
        }
    WEFT_CHECK(refused > 20);
    careless first = {.misaligned_at = 1};
    weft_ctx *c = NULL;
    WEFT_CHECK_STATUS(
        weft_ctx_open(&WITH_OPTIONS(.alloc = careless_alloc, .free = careless_free, .alloc_user = &first), &c),
        WEFT_E_INVALID);
    WEFT_CHECK(!c && first.live == 0);
}

/* ---- Calls without a context ---- */

WEFT_TEST(Refused, OperandsThatAreAllSharedHaveNoContext)
{
    weft_ctx *c = open_ctx();
    weft_tensor *a = weft_share(weft_ones(c, WEFT_F32, WEFT_DIMS(2))),
                *b = weft_share(weft_ones(c, WEFT_F32, WEFT_SCALAR));
    const char *message = NULL;
    WEFT_CHECK_STATUS(weft_lost_error(&message), WEFT_OK);
    WEFT_CHECK_STR_EQ(message, "");

    WEFT_CHECK(!weft_add(a, b));
    WEFT_CHECK_STATUS(weft_lost_error(&message), WEFT_E_STATE);
    WEFT_CHECK_STR_HAS(message, "weft_add");
    WEFT_CHECK_STR_HAS(message, "weft_borrow");
    WEFT_CHECK_STR_HAS(message, "test_refused.c:");
    WEFT_CHECK_STATUS(weft_lost_error(NULL), WEFT_OK);

    int mark = weft_scope_push(c); /* a function that computes on shared tensors alone does not pass for a success */
    weft_tensor *y = weft_relu(weft_mul(a, b));
    WEFT_CHECK(!y);
    check_refused(c, weft_scope_pop(c, mark), WEFT_E_STATE, "weft_mul", "weft_borrow");
    WEFT_CHECK_STATUS(weft_lost_error(NULL), WEFT_OK);

    WEFT_CHECK(!weft_concat((weft_tensor *[]){a, b}, 2, 0));
    weft_ctx_clear(c);
    mark = weft_scope_push(c);
    WEFT_CHECK_OK(weft_scope_pop(c, mark));

    WEFT_CHECK(!weft_exp(NULL)); /* whoever made the NULL has said why */
    mark = weft_scope_push(c);
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
    WEFT_CHECK_STATUS(weft_lost_error(&message), WEFT_E_NULL_ARGUMENT);
    WEFT_CHECK_STR_HAS(message, "weft_exp");
    weft_release(a);
    weft_release(b);
    weft_ctx_close(c);
}

/* ---- Wraps of the same memory ---- */

WEFT_TEST(Refused, OverlappingWrapsAreViewsOfOneMemory)
{
    weft_ctx *c = open_ctx();
    float data[] = {1, 2, 3, 4, 5, 6, 7, 8};
    weft_tensor *low = weft_wrap(c, WEFT_F32, WEFT_DIMS(7), data, NULL, NULL);
    weft_tensor *high = weft_wrap(c, WEFT_F32, WEFT_DIMS(7), data + 1, NULL, NULL);
    weft_add_(high, low); /* what is read is what was there before */
    for (int k = 1; k < 8; k++)
        WEFT_CHECK_NEAR((double)data[k], 2.0 * k + 1, 0);

    weft_tensor *w = weft_set_requires_grad(weft_ones(c, WEFT_F32, WEFT_DIMS(7)), true);
    weft_tensor *loss = weft_sum(weft_mul(w, low), WEFT_ALL, false); /* saves low */
    weft_fill_(weft_slice(high, 0, 0, 1, 1), 0);
    WEFT_CHECK_STATUS(weft_backward(c, loss), WEFT_E_OVERWRITTEN);
    weft_ctx_clear(c);

    weft_tensor *apart = weft_wrap(c, WEFT_F32, WEFT_DIMS(3), data, NULL, NULL);
    loss = weft_sum(weft_mul(w, weft_wrap(c, WEFT_F32, WEFT_DIMS(1), data + 7, NULL, NULL)), WEFT_ALL, false);
    weft_fill_(apart, 0); /* other memory: nothing was overwritten */
    WEFT_CHECK_OK(weft_backward(c, loss));
    weft_ctx_close(c);
}
