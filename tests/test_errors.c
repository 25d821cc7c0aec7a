/* test_errors.c - mistakes: every one is a status and a message that names the operation, the shapes or dtypes, and a
 * remedy; nothing crashes, and the context works on after weft_ctx_clear. */
#include <math.h>
#include <stdio.h>

#include "base/op_def.h"
#include "harness/structs.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"
#include "samples/layout.h"
#include "tally.h"

/* ---- One mistake each, family by family ---- */

static bool operands_require_grad;

static weft_tensor *ones(weft_ctx *c, const int64_t *shape, int ndim)
{
    return weft_set_requires_grad(weft_ones(c, WEFT_F32, shape, ndim), operands_require_grad);
}

static weft_tensor *whole(weft_ctx *c, const int64_t *shape, int ndim, double value)
{
    return weft_full(c, WEFT_I64, shape, ndim, value);
}

#define F(...) ones(c, WEFT_DIMS(__VA_ARGS__))
#define I(value, ...) whole(c, WEFT_DIMS(__VA_ARGS__), value)
#define MISTAKE(name, call, ...)                                                                                       \
    static weft_tensor *name(weft_ctx *c)                                                                              \
    {                                                                                                                  \
        return call;                                                                                                   \
    }
#include "mistakes.def"
#undef MISTAKE

typedef struct mistake {
    const char *name;
    weft_tensor *(*make)(weft_ctx *c);
    weft_status status;
    const char *parts[4]; /* what the message must contain */
} mistake;

static const mistake mistakes[] = {
#define MISTAKE(name, call, code, ...) {#name, name, WEFT_E_##code, {__VA_ARGS__}},
#include "mistakes.def"
#undef MISTAKE
};
enum { N_MISTAKES = sizeof mistakes / sizeof mistakes[0] };

static void check_usable(weft_ctx *c, const char *after)
{
    weft_ctx_clear(c);
    double three = weft_item(c, weft_add(weft_scalar(c, WEFT_F32, 1), weft_scalar(c, WEFT_F32, 2)));
    if (weft_ctx_status(c) != WEFT_OK || three != 3)
        WEFT_FAIL("after %s the context does not work: %s", after, weft_ctx_message(c));
    weft_ctx_clear(c);
}

/* The message begins with the function that the program called, whatever failed inside it. */
static bool begins_with(const char *message, const char *function)
{
    const size_t length = strlen(function);
    return strncmp(message, function, length) == 0 && message[length] == ':';
}

static void look_at_maker(void *user, const weft_live *group)
{
    static const char *const of_operands[] = {"ones", "full", "expand", "scalar"};
    for (size_t k = 0; k < sizeof of_operands / sizeof of_operands[0]; k++)
        if (strcmp(group->op, of_operands[k]) == 0)
            return;
    WEFT_FAIL("%s: after the error lives %s", (const char *)user, group->text);
}

/* Of the call that failed nothing lives: neither its result nor anything on the way there. */
static void check_only_operands(weft_ctx *c, const char *name)
{
    WEFT_CHECK(weft_live_tensors(c, look_at_maker, (void *)(uintptr_t)name) >= 0);
    WEFT_CHECK_EQ_INT(memory_of(c).live_nodes, 0);
}

static void run_mistake(void *user)
{
    const mistake *m = user;
    test_memory memory;
    weft_ctx *c = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(c);
    const tally before = tally_of(c);
    int mark = weft_scope_push(c);
    if (m->make(c))
        WEFT_FAIL("%s returned a tensor", m->name);
    WEFT_CHECK_STATUS(weft_ctx_status(c), m->status);
    check_only_operands(c, m->name);
    for (int k = 0; k < 4 && m->parts[k]; k++)
        WEFT_CHECK_STR_HAS(weft_ctx_message(c), m->parts[k]);
    if (strncmp(m->parts[0], "weft_", 5) == 0)
        WEFT_CHECK(begins_with(weft_ctx_message(c), m->parts[0]));
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "mistakes.def:"); /* where it was called */
    /* The error sticks, and is what the scope returns. */
    WEFT_CHECK(weft_add(weft_scalar(c, WEFT_F32, 1), weft_scalar(c, WEFT_F32, 2)) == NULL);
    WEFT_CHECK_STATUS(weft_scope_pop(c, mark), m->status);
    weft_ctx_clear(c);
    tally_same(&before, c, "%s", m->name);
    /* On the tape, too: with operands that require a gradient the mistake may be another one, or none. */
    mark = weft_scope_push(c);
    operands_require_grad = true;
    (void)m->make(c);
    operands_require_grad = false;
    weft_ctx_clear(c);
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
    tally_same(&before, c, "%s with operands that require a gradient", m->name);
    check_usable(c, m->name);
    test_ctx_close(c, &memory);
}

/* ---- The same mistake with every operation ---- */

static weft_dtype dtype_of_first(const case_row *row)
{
    if (strcmp(row->name, "matmul_integer") == 0)
        return WEFT_I8;
    return row->family == CASE_INTEGER ? WEFT_I64 : WEFT_F32;
}

static const gold_record *usable_record(const case_row *row)
{
    for (const gold_record *record = gold_next(row->name, NULL); record; record = gold_next(row->name, record))
        if (record_takes(record, dtype_of_first(row)) && !(record->flags & GOLD_SPECIAL))
            return record;
    return NULL;
}

static bool lay_out_first(weft_case *c, weft_ctx *ctx, const case_row *row)
{
    const gold_record *record = usable_record(row);
    if (!record)
        return false;
    case_begin(c, ctx, record);
    return lay_out_all(c, record, dtype_of_first(row), LAYOUT_CONTIGUOUS);
}

/* Which operands a row can do without. */
static bool is_optional(const case_row *row, int operand)
{
    static const struct {
        const char *name;
        unsigned mask;
    } optional[] = {{"linear", 4},
                    {"matmul_integer", 12},
                    {"linear_act", 4},
                    {"layer_norm", 6},
                    {"rms_norm", 2},
                    {"batch_norm", 30},
                    {"conv2d", 4},
                    {"conv2d_transpose", 4},
                    {"group_norm", 6},
                    {"instance_norm", 6},
                    {"conv1d", 4},
                    {"conv1d_transpose", 4},
                    {"conv3d", 4},
                    {"conv3d_transpose", 4},
                    {"embedding_bag", 4},
                    {"rnn_cell", 48},
                    {"gru_cell", 48},
                    {"lstm_cell", 96},
                    {"rnn", 2 + 0xccccc * 4},
                    {"gru", 2 + 0xccccc * 4},
                    {"lstm", 6 + 0x66666 * 16},
                    {"trapezoid", 2},
                    {"cumulative_trapezoid", 2}};
    if (weft__defs[row->op]->effect == WEFT__STEPS)
        return operand == 1; /* the gradient of the only parameter */
    for (size_t k = 0; k < sizeof optional / sizeof optional[0]; k++)
        if (strcmp(optional[k].name, row->name) == 0)
            return optional[k].mask >> operand & 1;
    return false;
}

WEFT_TEST(Errors, NullGivesNullWithEveryOperation)
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    for (int r = 0; r < case_row_count; r++) {
        const gold_record *record = usable_record(&case_rows[r]);
        for (int k = 0; record && k < record->n_in; k++) {
            weft_case c;
            int mark = weft_scope_push(ctx);
            bool made = lay_out_first(&c, ctx, &case_rows[r]);
            WEFT_CHECK(made);
            if (is_optional(&case_rows[r], k) || !c.in[k]) {
                WEFT_CHECK_OK(weft_scope_pop(ctx, mark));
                continue;
            }
            c.in[k] = NULL;
            const tally before = tally_of(ctx);
            if (case_run(&case_rows[r], &c))
                WEFT_FAIL("weft_%s with operand %d NULL has a result", case_rows[r].name, k);
            if (record->n_in > 1) {
                char place[32]; /* counted from 0 */
                snprintf(place, sizeof place, "operand %d is NULL", k);
                WEFT_CHECK_STATUS(weft_ctx_status(ctx), WEFT_E_NULL_ARGUMENT);
                if (!strstr(case_rows[r].name, "_step")) /* those have lists of operands, each counted by itself */
                    WEFT_CHECK_STR_HAS(weft_ctx_message(ctx), place);
            }
            tally_same(&before, ctx, "weft_%s with operand %d NULL", case_rows[r].name, k);
            weft_ctx_clear(ctx);
            WEFT_CHECK_OK(weft_scope_pop(ctx, mark));
        }
        check_usable(ctx, case_rows[r].name);
    }
    test_ctx_close(ctx, &memory);
}

WEFT_TEST(Errors, AnEarlierErrorStopsEveryOperation)
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    for (int r = 0; r < case_row_count; r++) {
        weft_case c;
        int mark = weft_scope_push(ctx);
        if (!lay_out_first(&c, ctx, &case_rows[r])) {
            WEFT_FAIL("no record for %s: %s", case_rows[r].name, weft_ctx_message(ctx));
            continue;
        }
        const tally before = tally_of(ctx);
        weft_ctx_fail(ctx, WEFT_E_IO, "planted");
        if (case_run(&case_rows[r], &c))
            WEFT_FAIL("weft_%s works after an error", case_rows[r].name);
        WEFT_CHECK_STR_HAS(weft_ctx_message(ctx), "planted");
        tally_same(&before, ctx, "weft_%s after an error", case_rows[r].name);
        WEFT_CHECK_STATUS(weft_scope_pop(ctx, mark), WEFT_E_IO);
        check_usable(ctx, case_rows[r].name);
    }
    test_ctx_close(ctx, &memory);
}

WEFT_TEST(Errors, TwoContextsDoNotMixInAnyOperation)
{
    test_memory memory, other_memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1), *other = test_ctx_open(&other_memory, 1);
    WEFT_REQUIRE(ctx && other);
    for (int r = 0; r < case_row_count; r++) {
        weft_case c, d;
        int mark = weft_scope_push(ctx), other_mark = weft_scope_push(other);
        bool made = lay_out_first(&c, ctx, &case_rows[r]) && lay_out_first(&d, other, &case_rows[r]);
        WEFT_CHECK(made);
        if (made && c.n_in > 1 && c.in[1]) {
            c.in[1] = d.in[1];
            const tally before = tally_of(ctx);
            if (case_run(&case_rows[r], &c))
                WEFT_FAIL("weft_%s took a tensor of another context", case_rows[r].name);
            WEFT_CHECK_STATUS(weft_ctx_status(ctx), WEFT_E_MIXED_CONTEXTS);
            WEFT_CHECK_STR_HAS(weft_ctx_message(ctx), case_rows[r].name);
            if (!strstr(case_rows[r].name, "_step")) /* those get state that the case makes */
                tally_same(&before, ctx, "weft_%s with a tensor of another context", case_rows[r].name);
        }
        weft_ctx_clear(ctx);
        WEFT_CHECK_OK(weft_scope_pop(ctx, mark));
        WEFT_CHECK_OK(weft_scope_pop(other, other_mark));
    }
    test_ctx_close(ctx, &memory);
    test_ctx_close(other, &other_memory);
}

WEFT_TEST(Errors, OperationsWithoutAnyTensorAreHarmless)
{
    WEFT_CHECK(weft_add(NULL, NULL) == NULL);
    WEFT_CHECK(weft_exp(NULL) == NULL);
    WEFT_CHECK(weft_matmul(NULL, NULL) == NULL);
    WEFT_CHECK(weft_sum(NULL, WEFT_ALL, false) == NULL);
    WEFT_CHECK(weft_reshape(NULL, NULL, 0) == NULL);
    WEFT_CHECK(weft_zeros(NULL, WEFT_F32, WEFT_DIMS(2)) == NULL);
    WEFT_CHECK(isnan(weft_item(NULL, NULL)));
    WEFT_CHECK(weft_read(NULL, NULL, NULL, 0) != WEFT_OK);
    WEFT_CHECK(weft_backward(NULL, NULL) != WEFT_OK);
}

WEFT_TEST_INIT(errors)
{
    for (int k = 0; k < N_MISTAKES; k++)
        weft_test_add("Mistake", mistakes[k].name, run_mistake, (void *)(uintptr_t)&mistakes[k], __FILE__, __LINE__);
}

/* ---- What is told, and for how long ---- */

WEFT_TEST(Errors, ClearingTakesTheMessageAlong)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    WEFT_CHECK(weft_add(weft_ones(c, WEFT_F32, WEFT_DIMS(2)), weft_ones(c, WEFT_F32, WEFT_DIMS(3))) == NULL);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "add");
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_SHAPE);
    WEFT_CHECK_STR_EQ(weft_ctx_message(c), "");
    fault_ctx_close(c, &m);
}

/* Without the macro the place of a call is not known; that of an earlier one is not taken for it. */
WEFT_TEST(Errors, APlaceIsTakenOnce)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *x = weft_ones(c, WEFT_F32, WEFT_DIMS(2)), *z = weft_ones(c, WEFT_F32, WEFT_DIMS(3));
    WEFT_CHECK(weft_add(weft_relu(x), weft_relu(weft_neg(x))) != NULL);
    WEFT_CHECK((weft_add)(x, z) == NULL);
    WEFT_CHECK(!strstr(weft_ctx_message(c), "test_errors.c"));
    weft_ctx_clear(c);
    WEFT_CHECK(weft_add(x, z) == NULL);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "test_errors.c");
    weft_ctx_clear(c);
    fault_ctx_close(c, &m);
}

WEFT_TEST(Errors, OutOfMemoryTellsOfABudget)
{
    fault_memory m = {0};
    weft_options o = fault_options(&m);
    o.memory_budget = 5000;
    weft_ctx *c = NULL;
    WEFT_REQUIRE(weft_ctx_open(&o, &c) == WEFT_OK);
    WEFT_CHECK(weft_ones(c, WEFT_F32, WEFT_DIMS(10000)) == NULL);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "of a budget of 5000");
    weft_ctx_clear(c);
    fault_ctx_close(c, &m);
    m = (fault_memory){0};
    c = fault_ctx_open(&m);
    m.fail_at = m.calls + 1;
    WEFT_CHECK(weft_ones(c, WEFT_F32, WEFT_DIMS(10000)) == NULL);
    WEFT_CHECK_STATUS(weft_ctx_status(c), WEFT_E_NOMEM);
    WEFT_CHECK(!strstr(weft_ctx_message(c), "of a budget"));
    weft_ctx_clear(c);
    fault_ctx_close(c, &m);
}

WEFT_TEST(Errors, AReadIsOfAllBytesAndNoMore)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *x = weft_ones(c, WEFT_F32, WEFT_DIMS(2, 3));
    float room[8];
    for (size_t n = 5; n <= 7; n++) {
        const weft_status want = n == 6 ? WEFT_OK : WEFT_E_INVALID;
        WEFT_CHECK_STATUS(weft_read(c, x, room, n * sizeof *room), want);
        WEFT_CHECK_STATUS(weft_ctx_clear(c), want);
        WEFT_CHECK_STATUS(weft_write(c, x, room, n * sizeof *room), want);
        WEFT_CHECK_STATUS(weft_ctx_clear(c), want);
    }
    fault_ctx_close(c, &m);
}

/* Of a long path the end is kept, which has the name. */
WEFT_TEST(Errors, ALongPathKeepsItsName)
{
    char path[400];
    memset(path, 'x', sizeof path);
    memcpy(path + sizeof path - sizeof "/train.c", "/train.c", sizeof "/train.c");
    WEFT_CHECK_STR_HAS(weft__site_text((weft__site){path, 31}).s, "/train.c:31");
}
