/* test_io_ends.c - files that go on behind their end, halves of characters in names, and names that begin others. */
#include <stdlib.h>
#include <string.h>

/* clang-format off */
#include <weft/io.h>
/* clang-format on */
#include "harness/structs.h"
#include "harness/test_archive.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"

static const float six[6] = {1, 2, 3, 4, 5, 6};

static test_bytes safetensors_of(const char *header, size_t data)
{
    test_bytes b = {0};
    test_put_number(&b, strlen(header), 8);
    test_put(&b, header, strlen(header));
    for (size_t k = 0; k < data; k++)
        test_put(&b, "\0", 1);
    return b;
}

WEFT_TEST(Load, SafetensorsThatGoOnOrHaveHalfACharacter)
{
    static const struct {
        const char *header;
        size_t data;
        const char *why;
    } cases[] = {
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, NULL},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 5, "bytes"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 8, "bytes"},
        {"{\"\\udc00\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "header"},
        {"{\"\\ud83d\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "header"},
        {"{\"\\ud83d\\ude00\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, NULL},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        test_bytes b = safetensors_of(cases[k].header, cases[k].data);
        fault_memory m = {0};
        weft_ctx *c = fault_ctx_open(&m);
        weft_source source = WITH_SOURCE(.bytes = b.p, .size = b.n);
        weft_named_tensor *all = NULL;
        int n = 0;
        WEFT_CHECK_STATUS(weft_load(c, &source, NULL, &all, &n), cases[k].why ? WEFT_E_IO : WEFT_OK);
        if (cases[k].why)
            WEFT_CHECK_STR_HAS(weft_ctx_message(c), cases[k].why);
        weft_named_free(c, all, n);
        (void)weft_ctx_clear(c);
        fault_ctx_close(c, &m);
        free(b.p);
    }
}

WEFT_TEST(Load, TheBeginningOfANameIsAnotherName)
{
    test_zip z = {0};
    test_zip_add(&z, "weights.npy", TEST_STORED, test_npy("'<f4'", "False", "(2, 3)", six, sizeof six));
    test_bytes b = test_zip_close(&z);
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_source source = WITH_SOURCE(.bytes = b.p, .size = b.n);
    static const char *const names[] = {"w", "weight", "weights", "weights2"};
    for (int k = 0; k < 4; k++) {
        const weft_load_options o = WITH_LOAD(.names = &names[k], .n_names = 1);
        weft_named_tensor *all = NULL;
        int n = 0;
        const weft_status status = weft_load(c, &source, &o, &all, &n);
        WEFT_CHECK((status == WEFT_OK) == (k == 2));
        weft_named_free(c, all, n);
        weft_ctx_clear(c);
    }
    (void)weft_ctx_clear(c);
    fault_ctx_close(c, &m);
    free(b.p);
}
