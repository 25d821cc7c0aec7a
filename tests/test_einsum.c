/* test_einsum.c - what golden values do not show of einsum and of what writes by index: that errors name the letter or
 * the operand, in which order operands are contracted, and that of equal places one stays. */
#include <stdio.h>
#include <string.h>
#include <weft/weft.h>
#include "base/op_def.h"
#include "engine/observe.h"
#include "harness/weft_test.h"
#include "samples/layout.h"

/* ---- Errors ---- */

typedef struct mistake {
    const char *equation;
    int n;
    int64_t shapes[2][3]; /* the first 0 ends one */
    weft_status status;
    const char *words;
} mistake;

static const mistake mistakes[] = {
    {"ij,jk->ik",
     2,
     {{2, 3}, {4, 5}},
     WEFT_E_SHAPE,
     "letter 'j' has size 4 in operand 1, f32 [4, 5], but 3 in operand 0"},
    {"ij,jk->iq", 2, {{2, 3}, {3, 5}}, WEFT_E_INVALID, "character 9 ('q'): a letter of the result that no operand has"},
    {"ij->iij", 1, {{2, 3}}, WEFT_E_INVALID, "character 6 ('i'): a letter that comes twice in the result"},
    {"i?", 1, {{2, 3}}, WEFT_E_INVALID, "character 2 ('?'): neither a letter"},
    {"i.j", 1, {{2, 3}}, WEFT_E_INVALID, "character 2 ('.'): a dot alone"},
    {"...i...", 1, {{2, 3}}, WEFT_E_INVALID, "character 5 ('.'): a second \"...\""},
    {"ij-ji", 1, {{2, 3}}, WEFT_E_INVALID, "character 3 ('-'): a '-' without '>'"},
    {"ij->j,i", 1, {{2, 3}}, WEFT_E_INVALID, "character 6 (','): the equation goes on after its result"},
    {"ij->j->", 1, {{2, 3}}, WEFT_E_INVALID, "character 6 ('-'): the equation goes on after its result"},
    {"ijk", 1, {{2, 3}}, WEFT_E_SHAPE, "operand 0 has 3 letters, but is f32 [2, 3] with 2 dims"},
    {"i", 1, {{2, 3}}, WEFT_E_SHAPE, "operand 0 has 1 letters, but is f32 [2, 3] with 2 dims"},
    {"i...jk", 1, {{2, 3}}, WEFT_E_SHAPE, "operand 0 has 3 letters beside \"...\""},
    {"ij", 2, {{2, 3}, {2, 3}}, WEFT_E_INVALID, "has 1 operands, but 2 were given"},
    {"ij,jk,kl", 2, {{2, 3}, {3, 3}}, WEFT_E_INVALID, "has more operands than the 2 that were given"},
    {"...i,...i", 2, {{2, 3}, {4, 3}}, WEFT_E_SHAPE, "a dim of \"...\" has size 4 in operand 1, f32 [4, 3], but 2"},
    {"abcdefghi", 1, {{2, 3}}, WEFT_E_INVALID, "character 9 ('i'): more letters than a tensor has dims"},
    {"ii->ii", 1, {{2, 3}}, WEFT_E_SHAPE, "letter 'i' has size 3 in operand 0"},
};

WEFT_TEST(Einsum, SaysWhichLetterIsWrong)
{
    test_memory memory;
    weft_ctx *c = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(c);
    for (size_t k = 0; k < sizeof mistakes / sizeof *mistakes; k++) {
        const mistake *m = &mistakes[k];
        weft_tensor *in[2];
        const int mark = weft_scope_push(c);
        for (int j = 0; j < m->n; j++) {
            int ndim = 0;
            while (ndim < 3 && m->shapes[j][ndim])
                ndim++;
            in[j] = weft_ones(c, WEFT_F32, m->shapes[j], ndim);
        }
        WEFT_CHECK(weft_einsum(in, m->n, m->equation) == NULL);
        WEFT_CHECK_STATUS(weft_ctx_status(c), m->status);
        WEFT_CHECK_STR_HAS(weft_ctx_message(c), m->words);
        WEFT_CHECK_STR_HAS(weft_ctx_message(c), "weft_einsum");
        weft_ctx_clear(c);
        WEFT_CHECK_OK(weft_scope_pop(c, mark));
    }
    test_ctx_close(c, &memory);
}

/* ---- The order ---- */

typedef struct adder {
    weft__observer observer; /* first: the callbacks get its address */
    double flops;
} adder;

static void add(weft__observer *observer, const weft__launch *l)
{
    if (l->custom || l->op != WEFT_OP_MATMUL)
        return;
    const weft__work w = weft__launch_work(l);
    ((adder *)observer)->flops += weft__defs[WEFT_OP_MATMUL]->flops(&w);
}

static void ignore(weft__observer *observer, const weft__launch *l, weft_status status)
{
    (void)observer, (void)l, (void)status;
}

/* Operations of all the products of a chain of n matrices with these sizes. */
static double flops_of_chain(weft_ctx *c, const char *equation, const int64_t *sizes, int n)
{
    weft_tensor *in[6];
    adder to = {.observer = {.begin = add, .end = ignore}};
    const int mark = weft_scope_push(c);
    for (int k = 0; k < n; k++)
        in[k] = weft_ones(c, WEFT_F32, sizes + k, 2);
    weft__observe(c, &to.observer);
    WEFT_CHECK(weft_einsum(in, n, equation) != NULL);
    weft__unobserve(c, &to.observer);
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
    return to.flops;
}

WEFT_TEST(Einsum, TakesTheCheapestOrder)
{
    test_memory memory;
    weft_ctx *c = test_ctx_open_on("cpu", &memory, 1);
    WEFT_REQUIRE(c);
    /* from the left 2 (64 2 64 + 64 64 2) operations, from the right 2 (2 64 2 + 64 2 2) */
    WEFT_CHECK_NEAR(flops_of_chain(c, "ab,bc,cd->ad", (const int64_t[]){64, 2, 64, 2}, 3), 2 * (256 + 256), 0);
    /* the pair that is the cheapest alone, 2 1 10, would be followed by 2 10 3 */
    WEFT_CHECK_NEAR(flops_of_chain(c, "ab,bc,cd->ad", (const int64_t[]){2, 1, 10, 3}, 3), 2 * (30 + 6), 0);
    WEFT_CHECK_NEAR(flops_of_chain(c, "ab,bc,cd,de->ae", (const int64_t[]){1, 9, 8, 9, 1}, 4), 2 * (72 + 72 + 8), 0);
    /* greedily: the pair of the least cost again and again */
    WEFT_CHECK_NEAR(flops_of_chain(c, "ab,bc,cd,de,ef->af", (const int64_t[]){7, 6, 5, 4, 3, 2}, 5),
                    2 * (4 * 3 * 2 + 5 * 4 * 2 + 6 * 5 * 2 + 7 * 6 * 2), 0);
    test_ctx_close(c, &memory);
}

/* ---- Equal places ---- */

static void check_values(weft_ctx *c, weft_tensor *t, const float *want, int n)
{
    float got[8] = {0};
    WEFT_REQUIRE(t);
    WEFT_CHECK_OK(weft_read(c, t, got, sizeof *got * (size_t)n));
    for (int k = 0; k < n; k++)
        WEFT_CHECK_NEAR(got[k], want[k], 0);
}

static weft_tensor *leaf(weft_ctx *c, int64_t n, const float *values)
{
    return weft_set_requires_grad(weft_from_data(c, WEFT_F32, &n, 1, values), true);
}

/* Two sources go to place 1, of which the second stays; place 2 has none. */
WEFT_TEST(Scatter, GivesTheGradientToTheSourceThatStays)
{
    test_memory memory;
    weft_ctx *c = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(c);
    const int64_t three = 3;
    weft_tensor *x = leaf(c, 3, (const float[]){1, 2, 3}), *src = leaf(c, 3, (const float[]){5, 6, 7});
    weft_tensor *index = weft_from_data(c, WEFT_I64, &three, 1, (const int64_t[]){1, 0, 1});
    weft_tensor *y = weft_scatter(x, index, src, 0);
    check_values(c, y, (const float[]){6, 7, 3}, 3);
    weft_tensor *weights = weft_from_data(c, WEFT_F32, &three, 1, (const float[]){10, 20, 30});
    WEFT_CHECK_OK(weft_backward(c, weft_sum(weft_mul(y, weights), WEFT_ALL, false)));
    check_values(c, weft_grad_of(x), (const float[]){0, 0, 30}, 3);
    check_values(c, weft_grad_of(src), (const float[]){0, 10, 20}, 3);
    test_ctx_close(c, &memory);
}

/* x and two sources are equally large at place 0; of place 1 the source alone is. */
WEFT_TEST(Scatter, SharesTheGradientOfEqualExtremes)
{
    test_memory memory;
    weft_ctx *c = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(c);
    const int64_t three = 3;
    weft_tensor *x = leaf(c, 2, (const float[]){4, 1}), *src = leaf(c, 3, (const float[]){4, 2, 4});
    weft_tensor *index = weft_from_data(c, WEFT_I64, &three, 1, (const int64_t[]){0, 1, 0});
    for (int self = 1; self >= 0; self--) {
        weft_tensor *y = weft_scatter_max(x, index, src, 0, self == 1);
        check_values(c, y, (const float[]){4, 2}, 2);
        WEFT_CHECK_OK(weft_zero_grad(c, (weft_tensor *[]){x, src}, 2));
        WEFT_CHECK_OK(weft_backward(c, weft_mul_scalar(weft_sum(y, WEFT_ALL, false), 6)));
        check_values(c, weft_grad_of(x), self ? (const float[]){2, 0} : (const float[]){0, 0}, 2);
        check_values(c, weft_grad_of(src), self ? (const float[]){2, 6, 2} : (const float[]){3, 6, 3}, 3);
    }
    test_ctx_close(c, &memory);
}

/* ---- Sizes that do not fit ---- */

WEFT_TEST(IndexPut, SaysWhatDoesNotFit)
{
    test_memory memory;
    weft_ctx *c = test_ctx_open_on("cpu", &memory, 1);
    WEFT_REQUIRE(c);
    const int64_t shape[] = {3, 4}, two = 2, three = 3;
    weft_tensor *x = weft_ones(c, WEFT_F32, shape, 2), *one = weft_scalar(c, WEFT_F32, 1);
    weft_tensor *rows = weft_from_data(c, WEFT_I64, &two, 1, (const int64_t[]){0, 2});
    weft_tensor *other = weft_from_data(c, WEFT_I64, &three, 1, (const int64_t[]){0, 1, 2});
    weft_tensor *far = weft_from_data(c, WEFT_I64, &two, 1, (const int64_t[]){0, 3});
    struct {
        weft_tensor *values, *indices[2];
        int n;
        weft_status status;
        const char *words;
    } calls[] = {
        {one, {rows, other}, 2, WEFT_E_SHAPE, "index 1 i64 [3] does not broadcast"},
        {x, {rows, NULL}, 1, WEFT_E_SHAPE, "do not broadcast to [2, 4]"},
        {one, {far, rows}, 2, WEFT_E_INVALID, "= 3 is outside [0, 3)"}, /* though 3 * 4 + 2 - 4 would be a place */
        {one, {rows, NULL}, 0, WEFT_E_INVALID, "needs an index for each of 1 to 2 first dims"},
        {one, {one, NULL}, 1, WEFT_E_DTYPE, "i64 or i32"},
    };
    for (size_t k = 0; k < sizeof calls / sizeof *calls; k++) {
        WEFT_CHECK(weft_index_put(x, calls[k].values, calls[k].indices, calls[k].n, false) == NULL);
        WEFT_CHECK_STATUS(weft_ctx_status(c), calls[k].status);
        WEFT_CHECK_STR_HAS(weft_ctx_message(c), calls[k].words);
        weft_ctx_clear(c);
    }
    test_ctx_close(c, &memory);
}

WEFT_TEST(Slice, RefusesAStepOfZero)
{
    test_memory memory;
    weft_ctx *c = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(c);
    const int64_t seven = 7;
    WEFT_CHECK(weft_slice(weft_ones(c, WEFT_F32, &seven, 1), 0, 0, 7, 0) == NULL);
    WEFT_CHECK_STATUS(weft_ctx_status(c), WEFT_E_INVALID);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "must not be 0");
    weft_ctx_clear(c);
    weft_tensor *x = weft_arange(c, WEFT_F32, 0, 7, 1);
    check_values(c, weft_slice(x, 0, -1, INT64_MIN, -1), (const float[]){6, 5, 4, 3, 2, 1, 0}, 7);
    check_values(c, weft_slice(x, 0, INT64_MAX, INT64_MIN, INT64_MIN), (const float[]){6}, 1);
    test_ctx_close(c, &memory);
}
