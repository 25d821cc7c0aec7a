/* test_records_positions.c - every operation that takes indices or classes, by its sample: one out of range is an error
 * that names operation, place and value, on the CPU from the call and on a device at the latest when a result is read;
 * the context can be used again. Which operations those are the recipes say. */
#include <stdio.h>
#include <string.h>
#include "base/op_def.h"
#include "harness/structs.h"
#include "harness/weft_test.h"
#include "samples/device.h"
#include "samples/layout.h"

/* The index to be planted. */
typedef struct bad_index {
    int operand; /* of the call, from 0 */
    int64_t value, element;
} bad_index;

static void plant(void *user, int k, weft_dtype dtype, double *values, int64_t count)
{
    bad_index *bad = user;
    (void)dtype;
    if (k != bad->operand)
        return;
    bad->element = count - 1;
    values[count - 1] = (double)bad->value;
}

static const char *word_of(const char *words, int k)
{
    for (; words && k > 0; k--) {
        words = strchr(words, ' ');
        words += words != NULL;
    }
    return words;
}

static bool takes_positions(const char *word)
{
    return word && (*word == 'i' || *word == 'k');
}

static int64_t limit_of(const char *word, const int64_t *sizes)
{
    const char letter = strchr(word, '<')[1];
    return letter >= 'a' ? sizes[letter - 'a'] : letter - '0';
}

static void check_index(weft_ctx *c, int op, int recipe, int operand, int64_t value, weft_dtype dtype)
{
    const char *name = weft__ops[op].name;
    bad_index bad = {.operand = operand, .value = value};
    const weft_sample_options o =
        INIT_SAMPLE(.recipe = recipe, .dtype = WEFT_F32, .sizes = {5, 6, 4, 3}, .change = plant, .user = &bad);
    const char *word = word_of(weft__defs[op]->recipes[recipe].operands, operand);
    const int64_t limit = limit_of(word, o.sizes);
    char place[96];
    const int mark = weft_scope_push(c);
    weft_sample_call call;
    WEFT_REQUIRE(weft_sample_make(c, op, &o, &call) == WEFT_OK);
    call.in[operand] = weft_cast(call.in[operand], dtype);
    (void)weft_sample_run(&call);
    (void)weft_synchronise(c);
    snprintf(place, sizeof place, "%s[%lld] = %lld is outside [0, %lld)", *word == 'k' ? "target" : "index",
             (long long)bad.element, (long long)value, (long long)limit);
    WEFT_CHECK_STATUS(weft_ctx_status(c), WEFT_E_INVALID);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), place);
    /* On a device the kernel notes it, and who waits next reads the note: "weft_item: weft_nll, run before: ...". */
    snprintf(place, sizeof place, test_on_cpu() ? "weft_%s: " : "weft_%s", name);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), place);
    weft_ctx_clear(c);
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
    WEFT_CHECK(weft_item(c, weft_add(weft_scalar(c, WEFT_F32, 1), weft_scalar(c, WEFT_F32, 2))) == 3);
}

static void check_operand(weft_ctx *c, int op, int recipe, int operand)
{
    const int64_t sizes[] = {5, 6, 4, 3};
    const int64_t limit = limit_of(word_of(weft__defs[op]->recipes[recipe].operands, operand), sizes);
    const int64_t values[] = {-1, limit, -101, 2000000000, (int64_t)1 << 40, -((int64_t)1 << 40)};
    for (int k = 0; k < 6; k++)
        check_index(c, op, recipe, operand, values[k], WEFT_I64);
    for (int k = 0; k < 4; k++)
        check_index(c, op, recipe, operand, values[k], WEFT_I32);
}

static void check_row(void *user)
{
    const int op = *(const int *)user;
    test_memory memory;
    weft_ctx *c = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(c);
    const weft__recipe *recipes = weft__defs[op]->recipes;
    for (int r = 0; r < WEFT__MAX_RECIPES && recipes[r].operands; r++)
        for (int k = 0; word_of(recipes[r].operands, k); k++)
            if (takes_positions(word_of(recipes[r].operands, k)))
                check_operand(c, op, r, k);
    test_ctx_close(c, &memory);
}

static bool has_positions(const char *words)
{
    for (int k = 0; word_of(words, k); k++)
        if (takes_positions(word_of(words, k)))
            return true;
    return false;
}

/* What the record says of its operands, and what its recipes are. */
WEFT_TEST(RecordsPositions, AreInTheRecipesOfEveryRowThatTakesThem)
{
    int found = 0;
    for (int op = 0; op < WEFT_OP_COUNT; op++) {
        const weft__op_def *def = weft__defs[op];
        bool takes = false;
        for (int k = 0; k < def->n_in; k++)
            takes |= (def->in[k] & WEFT__KIND_MASK) == WEFT__POSITIONS;
        if (!def->call || weft__ops[op].family == WEFT__COMPOSITE)
            continue; /* composites have no operands of their own; kernels of gradients get those of their row */
        found += takes;
        for (int r = 0; r < WEFT__MAX_RECIPES && def->recipes[r].operands; r++)
            if (has_positions(def->recipes[r].operands) != takes)
                WEFT_FAIL("%s: the recipe \"%s\" and the record differ on indices", weft__ops[op].name,
                          def->recipes[r].operands);
    }
    WEFT_CHECK(found >= 6);
}

static int ops[WEFT_OP_COUNT];

WEFT_TEST_INIT(positions)
{
    for (int op = 0; op < weft_op_count(); op++)
        if (has_positions(weft__defs[op]->recipes[0].operands)) {
            ops[op] = op;
            weft_test_add("RecordsPositions", weft__ops[op].name, check_row, &ops[op], __FILE__, __LINE__);
        }
}
