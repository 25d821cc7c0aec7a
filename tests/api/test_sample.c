/* test_sample.c - weft/sample.h as a program uses it: every operation is made, called, counted and differentiated
 * without being known by name, and what is wrong is told. */
#include <string.h>
#include <weft/sample.h>
#include "harness/structs.h"
#include "harness/weft_test.h"

static weft_ctx *open_ctx(void)
{
    weft_ctx *c = NULL;
    WEFT_CHECK_OK(weft_ctx_open(NULL, &c));
    return c;
}

WEFT_TEST(Sample, EveryOperationCanBeCalled)
{
    weft_ctx *c = open_ctx();
    WEFT_REQUIRE(c);
    int with_gradient = 0;
    for (int op = 0; op < weft_op_count(); op++) {
        weft_op_description about = {0};
        weft_sample_description how = {0};
        WEFT_CHECK_OK(weft_op_describe(op, &about, sizeof about));
        WEFT_CHECK_OK(weft_sample_describe(op, &how, sizeof how));
        with_gradient += how.has_gradient;
        if (how.recipes < 1 || how.sizes < 2 || how.sizes > 4 || (how.gradient != NULL) != about.differentiable)
            WEFT_FAIL("%s: %d recipes of %d sizes, gradient %s", about.name, how.recipes, how.sizes, how.gradient);
        for (int r = 0; r < how.recipes; r++)
            for (int random = 0; random < 2; random++) {
                const int mark = weft_scope_push(c);
                const weft_sample_options o =
                    INIT_SAMPLE(.recipe = r, .dtype = WEFT_F32, .sizes = {4, 5, 6, 7}, .random = random == 1);
                weft_sample_call call;
                double flops = -1, bytes = -1;
                WEFT_CHECK_OK(weft_sample_make(c, op, &o, &call));
                if (weft_sample_run(&call) != WEFT_OK || !weft_sample_result(&call))
                    WEFT_FAIL("%s, recipe %d (%s): %s", about.name, r, how.operands[r], weft_ctx_message(c));
                WEFT_CHECK_OK(weft_sample_work(&call, &flops, &bytes));
                WEFT_CHECK(flops >= 0 && bytes >= 0);
                weft_ctx_clear(c);
                WEFT_CHECK_OK(weft_scope_pop(c, mark));
            }
    }
    WEFT_CHECK(with_gradient > 80);
    weft_ctx_close(c);
}

/* [2, 4] times [4, 3]: 48 flops, 4 (8 + 12 + 6) bytes. */
WEFT_TEST(Sample, OfAProductIsWhatItsWordsSay)
{
    weft_ctx *c = open_ctx();
    WEFT_REQUIRE(c);
    const weft_sample_options o = INIT_SAMPLE(.dtype = WEFT_F32, .sizes = {2, 3, 4});
    weft_sample_description how = {0};
    weft_sample_call call;
    double flops, bytes;
    const int op = weft_op_find("matmul");
    WEFT_CHECK_OK(weft_sample_describe(op, &how, sizeof how));
    WEFT_CHECK_STR_EQ(how.operands[0], "xac xcb");
    WEFT_CHECK_EQ_INT(how.sizes, 3);
    WEFT_CHECK_OK(weft_sample_make(c, op, &o, &call));
    WEFT_CHECK(call.smooth[0] && call.smooth[1] && call.n_in == 2);
    WEFT_CHECK_EQ_INT(weft_size(call.in[0], 1), 4);
    WEFT_CHECK_EQ_INT(weft_size(call.in[1], 0), 4);
    WEFT_CHECK_OK(weft_sample_work(&call, &flops, &bytes));
    WEFT_CHECK_NEAR(flops, 48, 0);
    WEFT_CHECK_NEAR(bytes, 4 * (8 + 12 + 6), 0);
    weft_ctx_close(c);
}

WEFT_TEST(Sample, IsTheSameAtEachCall)
{
    weft_ctx *c = open_ctx();
    WEFT_REQUIRE(c);
    const weft_sample_options o = INIT_SAMPLE(.dtype = WEFT_F64, .sizes = {3, 4, -1});
    weft_sample_call first, second;
    const int op = weft_op_find("add");
    WEFT_CHECK_OK(weft_sample_make(c, op, &o, &first));
    WEFT_CHECK_OK(weft_sample_make(c, op, &o, &second));
    for (int k = 0; k < 2; k++)
        WEFT_CHECK(weft_item(c, weft_all(weft_eq(first.in[k], second.in[k]), WEFT_ALL, false)) == 1);
    WEFT_CHECK(weft_item(c, weft_any(weft_eq(first.in[0], first.in[1]), WEFT_ALL, false)) == 0);
    weft_ctx_close(c);
}

/* A strided convolution with a kernel that no recipe has, and a product whose second factor lies transposed. */
WEFT_TEST(Sample, TakesWordsOfTheProgram)
{
    weft_ctx *c = open_ctx();
    WEFT_REQUIRE(c);
    weft_sample_options o = INIT_SAMPLE(.dtype = WEFT_F32, .sizes = {2, 3, 12, 5}, .operands = "xabcc xdbef -",
                                        .numbers = "2 e-4 0 0 1 1 0 0 1", .more_sizes = {5, 4});
    weft_sample_call call;
    WEFT_CHECK_OK(weft_sample_make(c, weft_op_find("conv2d"), &o, &call));
    WEFT_CHECK_EQ_INT(call.n_in, 3);
    WEFT_CHECK(call.in[2] == NULL && call.i[0] == 2 && call.i[1] == 1);
    WEFT_CHECK_OK(weft_sample_run(&call));
    WEFT_CHECK_EQ_INT(weft_size(call.out[0], 1), 5);
    WEFT_CHECK_EQ_INT(weft_size(call.out[0], 2), 4);
    WEFT_CHECK_EQ_INT(weft_size(call.out[0], 3), 9);
    o = WITH_SAMPLE(.dtype = WEFT_F32, .sizes = {2, 3, 4, 6}, .operands = "xdac tdcb", .random = true);
    WEFT_CHECK_OK(weft_sample_make(c, weft_op_find("matmul"), &o, &call));
    WEFT_CHECK(weft_is_contiguous(call.in[0]) && !weft_is_contiguous(call.in[1]));
    WEFT_CHECK_OK(weft_sample_run(&call));
    WEFT_CHECK_EQ_INT(weft_count(call.out[0]), 6 * 2 * 3);
    o = WITH_SAMPLE(.dtype = WEFT_F32, .sizes = {4, 7}, .operands = "rab iab<7");
    WEFT_CHECK_OK(weft_sample_make(c, weft_op_find("gather"), &o, &call));
    WEFT_CHECK(call.below[0] == 0 && call.below[1] == 7 && !call.smooth[0]);
    weft_ctx_close(c);
}

static void refused(weft_ctx *c, int op, const weft_sample_options *o, weft_status status, const char *text)
{
    weft_sample_call call;
    WEFT_CHECK_STATUS(weft_sample_make(c, op, o, &call), status);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), text);
    WEFT_CHECK_EQ_INT(call.n_in, 0);
    WEFT_CHECK_STATUS(weft_sample_make(c, op, o, &call), status); /* it sticks */
    weft_ctx_clear(c);
}

WEFT_TEST(Sample, TellsWhatIsWrong)
{
    weft_ctx *c = open_ctx();
    WEFT_REQUIRE(c);
    const int op = weft_op_find("linear");
    weft_sample_options o = INIT_SAMPLE(.dtype = WEFT_F32, .sizes = {2, 3, 4});
    weft_sample_description how = {0};
    weft_sample_call call;
    double flops, bytes;
    WEFT_CHECK_STATUS(weft_sample_describe(-1, &how, sizeof how), WEFT_E_INVALID);
    WEFT_CHECK_STATUS(weft_sample_describe(weft_op_count(), &how, sizeof how), WEFT_E_INVALID);
    WEFT_CHECK_STATUS(weft_sample_describe(op, NULL, 0), WEFT_E_NULL_ARGUMENT);
    WEFT_CHECK_STATUS(weft_sample_make(NULL, op, &o, &call), WEFT_E_NULL_ARGUMENT);
    WEFT_CHECK_STATUS(weft_sample_run(&call), WEFT_E_NULL_ARGUMENT); /* what was not made */
    WEFT_CHECK_STATUS(weft_sample_run(NULL), WEFT_E_NULL_ARGUMENT);
    WEFT_CHECK_STATUS(weft_sample_work(NULL, &flops, &bytes), WEFT_E_NULL_ARGUMENT);
    WEFT_CHECK(!weft_sample_result(NULL));
    WEFT_CHECK_OK(weft_sample_make(c, op, NULL, &call)); /* the defaults */
    WEFT_CHECK(call.dtype == WEFT_F32 && weft_size(call.in[0], 0) == 3);
    refused(c, -1, &o, WEFT_E_INVALID, "no operation of that index");
    refused(c, weft_op_count(), &o, WEFT_E_INVALID, "no operation of that index");
    o.recipe = 99;
    refused(c, op, &o, WEFT_E_INVALID, "linear has 2 recipes, not number 99");
    static const char *const bad_operands[] = {"yab", "xaz", "xabababcab", "i", "iab",  "iab<", "iab<xx", "ka<",
                                               "-a",  ";",   "xab;xab",    "<", "x\tb", "xA",   "iab<bb", "k<"};
    for (size_t k = 0; k < sizeof bad_operands / sizeof *bad_operands; k++) {
        o = WITH_SAMPLE(.sizes = {2, 3, 4}, .operands = bad_operands[k]);
        refused(c, op, &o, WEFT_E_INVALID, "is no operand, or one too many");
    }
    o = WITH_SAMPLE(.operands = "xa xa xa xa xa xa xa xa xa xa xa xa xa xa xa xa xa xa xa xa xa xa xa xa xa");
    refused(c, op, &o, WEFT_E_INVALID, "is no operand, or one too many");
    static const char *const bad_numbers[] = {"z", "1 x", "3ax", "9223372036854775807a", "1; x", "1; 2; 3", "a-"};
    for (size_t k = 0; k < sizeof bad_numbers / sizeof *bad_numbers; k++) {
        o = WITH_SAMPLE(.sizes = {2, 3, 4}, .numbers = bad_numbers[k]);
        refused(c, op, &o, WEFT_E_INVALID, "are none, or too many");
    }
    o = WITH_SAMPLE(.operands = "xae", .more_sizes = {-2});
    refused(c, op, &o, WEFT_E_INVALID, "size e of linear is -2");
    o = WITH_SAMPLE(.dtype = WEFT_F32, .sizes = {2, -3, 4});
    refused(c, op, &o, WEFT_E_INVALID, "size b of linear is -3");
    o = WITH_SAMPLE(.dtype = (weft_dtype)77, .sizes = {2, 3, 4});
    refused(c, op, &o, WEFT_E_DTYPE, "dtype");
    o = WITH_SAMPLE(.dtype = WEFT_F32, .sizes = {(int64_t)1 << 40, (int64_t)1 << 40, 4});
    refused(c, weft_op_find("add"), &o, WEFT_E_SHAPE, "");
    o = WITH_SAMPLE(.struct_size = 3, .dtype = WEFT_F32, .sizes = {2, 3, 4});
    refused(c, op, &o, WEFT_E_INVALID, "struct_size");
    weft_ctx_close(c);
}

WEFT_TEST(Sample, CallsBeyondTheirPlacesAreErrors)
{
    weft_ctx *c = open_ctx();
    WEFT_REQUIRE(c);
    const weft_sample_options o = INIT_SAMPLE(.dtype = WEFT_F32, .sizes = {2, 3, -1});
    weft_sample_call call;
    WEFT_CHECK_OK(weft_sample_make(c, weft_op_find("unbind"), &o, &call));
    call.i[1] = 1000;
    WEFT_CHECK_STATUS(weft_sample_run(&call), WEFT_E_UNSUPPORTED);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "room for 12 results");
    weft_ctx_clear(c);
    WEFT_CHECK_OK(weft_sample_make(c, weft_op_find("sgd_step"), &o, &call));
    call.i[0] = 7;
    WEFT_CHECK_STATUS(weft_sample_run(&call), WEFT_E_INVALID);
    weft_ctx_clear(c);
    WEFT_CHECK_OK(weft_sample_make(c, weft_op_find("concat"), &o, &call));
    call.n_in = 25;
    WEFT_CHECK_STATUS(weft_sample_run(&call), WEFT_E_INVALID);
    weft_ctx_clear(c);
    call.n_in = 2;
    call.in[1] = NULL;
    WEFT_CHECK_STATUS(weft_sample_run(&call), WEFT_E_NULL_ARGUMENT);
    weft_ctx_clear(c);
    weft_ctx_close(c);
}

/* ---- What a sample holds ---- */

/* Indices reach all that is below their bound, whole numbers all of their domain, truth values are both. */
WEFT_TEST(Sample, WholeNumbersReachTheEndsOfTheirDomain)
{
    static const struct {
        const char *op, *operands;
        weft_dtype dtype;
        int operand;
        double least, most;
    } cases[] = {
        {"gather", "rab iab<c", WEFT_F32, 1, 0, 4}, {"gather", "rab iab<7 -", WEFT_F32, 1, 0, 6},
        {"add", "xab xab", WEFT_I32, 0, -4, 3},     {"add", "xab xab", WEFT_I64, 1, -4, 3},
        {"logical_not", "cab", WEFT_F32, 0, 0, 1},  {"logical_not", "xab", WEFT_BOOL, 0, 0, 1},
    };
    weft_ctx *c = open_ctx();
    WEFT_REQUIRE(c);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        for (int random = 0; random < 2; random++) {
            const weft_sample_options o = INIT_SAMPLE(.dtype = cases[k].dtype, .sizes = {12, 11, 5},
                                                      .operands = cases[k].operands, .random = random == 1);
            weft_sample_call call;
            double values[132], least = 99, most = -99;
            WEFT_CHECK_OK(weft_sample_make(c, weft_op_find(cases[k].op), &o, &call));
            weft_tensor *t = call.in[cases[k].operand];
            WEFT_REQUIRE(t && weft_count(t) == 132);
            WEFT_CHECK_OK(weft_read(c, weft_cast(t, WEFT_F64), values, sizeof values));
            for (int e = 0; e < 132; e++) {
                least = values[e] < least ? values[e] : least;
                most = values[e] > most ? values[e] : most;
            }
            WEFT_CHECK_NEAR(least, cases[k].least, 0);
            WEFT_CHECK_NEAR(most, cases[k].most, 0);
        }
    weft_ctx_close(c);
}

/* As many as the first letters of the alphabet that the words of the first recipe use, in whatever order. */
WEFT_TEST(Sample, SizesAreCountedInAnyOrder)
{
    static const struct {
        const char *op;
        int sizes;
    } rows[] = {{"add", 2}, {"matmul", 3}, {"linear", 3}, {"conv2d", 4}, {"cross_entropy", 2}};
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        weft_sample_description how = {0};
        WEFT_CHECK_OK(weft_sample_describe(weft_op_find(rows[k].op), &how, sizeof how));
        WEFT_CHECK_EQ_INT(how.sizes, rows[k].sizes);
    }
}

/* Each number of a convolution counts, where all others are those that NULL stands for, too. */
WEFT_TEST(Sample, EachNumberOfAConvolutionCounts)
{
    static const struct {
        const char *numbers;
        int64_t height, width; /* 0: refused */
    } cases[] = {
        {"1 1 0 0 1 1 0 0 1", 3, 3}, {"2 1 0 0 1 1 0 0 1", 2, 3}, {"1 2 0 0 1 1 0 0 1", 3, 2},
        {"1 1 1 0 1 1 0 0 1", 5, 3}, {"1 1 0 1 1 1 0 0 1", 3, 5}, {"1 1 0 0 2 1 0 0 1", 1, 3},
        {"1 1 0 0 1 2 0 0 1", 3, 1}, {"1 1 0 0 1 1 0 0 2", 0, 0},
    };
    weft_ctx *c = open_ctx();
    WEFT_REQUIRE(c);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const weft_sample_options o =
            INIT_SAMPLE(.dtype = WEFT_F32, .operands = "x1155 x1133 -", .numbers = cases[k].numbers);
        weft_sample_call call;
        WEFT_CHECK_OK(weft_sample_make(c, weft_op_find("conv2d"), &o, &call));
        WEFT_CHECK((weft_sample_run(&call) == WEFT_OK) == (cases[k].height > 0));
        if (call.out[0] && cases[k].height) {
            WEFT_CHECK_EQ_INT(weft_size(call.out[0], 2), cases[k].height);
            WEFT_CHECK_EQ_INT(weft_size(call.out[0], 3), cases[k].width);
        }
        weft_ctx_clear(c);
    }
    weft_ctx_close(c);
}
