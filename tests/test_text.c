/* test_text.c - weft/text.h, and names and messages that are cut, hold control characters or begin with a name. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <weft/weft.h>

#include "harness/structs.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"

WEFT_TEST(Text, CountsLikePrintf)
{
    char text[8] = "xxxxxxx";
    WEFT_CHECK_EQ_INT(weft_text(NULL, 0, "%.3f", 1.5), 5);
    WEFT_CHECK_EQ_INT(weft_text(text, sizeof text, "%.2f|%d", 0.25, 12345678), 13);
    WEFT_CHECK_STR_EQ(text, "0.25|12");
    WEFT_CHECK_EQ_INT(weft_text(text, 1, "abc"), 3);
    WEFT_CHECK_STR_EQ(text, "");
}

WEFT_TEST(Text, CutsBetweenCharacters)
{
    /* ä is two bytes, € three, 😀 four */
    static const char all[] = "a\303\244b\342\202\254c\360\237\230\200d";
    static const size_t borders[] = {0, 1, 1, 3, 4, 4, 4, 7, 8, 8, 8, 8, 12, 13};
    char text[16];
    for (size_t most = 0; most < sizeof borders / sizeof *borders; most++) {
        weft_text(text, most + 1, "%s", all);
        WEFT_CHECK_EQ_INT(strlen(text), borders[most]);
        WEFT_CHECK(strncmp(text, all, borders[most]) == 0);
    }
    weft_text(text, 5, "%s", "ab\200\200\200\200\200"); /* no UTF-8: as it is */
    WEFT_CHECK(strlen(text) <= 4 && strncmp(text, "ab", 2) == 0);
}

WEFT_TEST(Text, KnowsCharacters)
{
    static const struct {
        const char *text;
        int bytes;
    } cases[] = {{"", 0},
                 {"a", 1},
                 {"\177", 1},
                 {"\302\200", 2},
                 {"\303\244x", 2},
                 {"\342\202\254", 3},
                 {"\360\237\230\200", 4},
                 {"\364\217\277\277", 4},
                 {"\200", 0},
                 {"\300\200", 0},         /* longer than it need be */
                 {"\340\200\200", 0},     /* the same */
                 {"\360\200\200\200", 0}, /* the same */
                 {"\355\240\200", 0},     /* a surrogate */
                 {"\364\220\200\200", 0}, /* beyond U+10FFFF */
                 {"\303", 0},
                 {"\342\202", 0},
                 {"\342\202x", 0},
                 {"\377", 0}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        if (weft_text_character(cases[k].text) != cases[k].bytes)
            WEFT_FAIL("case %zu: %d", k, weft_text_character(cases[k].text));
}

WEFT_TEST(Text, ReadsNumbers)
{
    char *end;
    WEFT_CHECK(weft_number("1.25e2,5", &end) == 125 && strcmp(end, ",5") == 0);
    WEFT_CHECK(isnan(weft_number("nan", NULL)) && isinf(weft_number("-inf", NULL)));
    static const char none[] = "x";
    WEFT_CHECK(weft_number(none, &end) == 0 && end == none);
}

WEFT_TEST(Text, NamesAreCutBetweenCharacters)
{
    fault_memory m = {0};
    weft_options o = fault_options(&m);
    weft_ctx *c;
    WEFT_REQUIRE(weft_ctx_open(&o, &c) == WEFT_OK);
    weft_tensor *t = weft_zeros(c, WEFT_F32, WEFT_DIMS(2));
    weft_set_name(t, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\303\244\303\266"); /* 46 and two of two bytes */
    WEFT_CHECK_STR_EQ(weft_name(t), "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    weft_set_name(t, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\303\244\303\266"); /* 45: one fits */
    WEFT_CHECK_STR_EQ(weft_name(t), "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\303\244");
    weft_ctx_close(c);
}

WEFT_TEST(Text, MessagesHoldNoControlCharacters)
{
    fault_memory m = {0};
    weft_options o = fault_options(&m);
    weft_ctx *c;
    WEFT_REQUIRE(weft_ctx_open(&o, &c) == WEFT_OK);
    weft_tensor *t = weft_set_name(weft_zeros(c, WEFT_F32, WEFT_DIMS(2)), "w\033[2J\007\302\233\177\303\244");
    (void)weft_add(t, weft_zeros(c, WEFT_F32, WEFT_DIMS(3)));
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "w?[2J????\303\244 f32 [2]");
    WEFT_CHECK(strstr(m.last_log, "w?[2J????\303\244") && !strchr(m.last_log, '\033'));
    weft_ctx_clear(c);
    weft_ctx_close(c);
}

static weft_status refuse(weft_ctx *ctx, const weft_array *in, int n, weft_array *out, void *user)
{
    (void)in, (void)n, (void)out;
    return weft_ctx_fail(ctx, WEFT_E_INVALID, "%s", (const char *)user);
}

WEFT_TEST(Text, AnOperationIsNamedOnce)
{
    static const char *const texts[][2] = {{"swish: x must be positive", "weft_swish: x must be positive"},
                                           {"weft_swish: x must be positive", "weft_swish: x must be positive"},
                                           {"swishy: x", "weft_swish: swishy: x"},
                                           {"x must be positive", "weft_swish: x must be positive"}};
    fault_memory m = {0};
    weft_options o = fault_options(&m);
    weft_ctx *c;
    WEFT_REQUIRE(weft_ctx_open(&o, &c) == WEFT_OK);
    weft_tensor *x = weft_ones(c, WEFT_F32, WEFT_DIMS(2));
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
        const weft_custom_op swish =
            INIT_CUSTOM_OP(.name = "swish", .forward = refuse, .user = (void *)(uintptr_t)texts[k][0]);
        WEFT_CHECK(weft_custom(&swish, &x, 1) == NULL);
        const char *message = weft_ctx_message(c);
        if (strncmp(message, texts[k][1], strlen(texts[k][1])) != 0)
            WEFT_FAIL("\"%s\", not \"%s\"", message, texts[k][1]);
        weft_ctx_clear(c);
    }
    weft_ctx_close(c);
}
