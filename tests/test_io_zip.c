/* test_io_zip.c - zip archives as other programs write them, and as nobody should: extra fields, 64-bit sizes,
 * comments, entries that overlap by a byte, data that go on; and archives with more entries than 16 bits count. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
#include <weft/io.h>
/* clang-format on */
#include "harness/structs.h"
#include "harness/test_archive.h"
#include "harness/test_ctx.h"
#include "harness/test_folder.h"
#include "harness/weft_test.h"

static test_bytes three(float last)
{
    return test_npy("'<f4'", "False", "(3,)", (const float[]){1, 2, last}, 12);
}

/* Loads the archive, which it frees: n tensors of 1, 2 and something; why: what a refusal must say, or NULL. */
static void check(test_bytes file, int n, const char *why)
{
    fault_memory memory = {0};
    weft_ctx *c = fault_ctx_open(&memory);
    weft_source source = INIT_SOURCE(.bytes = file.p, .size = file.n);
    weft_named_tensor *all = NULL;
    int found = 0;
    const weft_status status = weft_load(c, &source, NULL, &all, &found);
    WEFT_CHECK_STATUS(status, why ? WEFT_E_IO : WEFT_OK);
    if (why)
        WEFT_CHECK_STR_HAS(weft_ctx_message(c), why);
    else
        WEFT_CHECK_EQ_INT(found, n);
    for (int k = 0; k < found; k++)
        WEFT_CHECK(weft_count(all[k].tensor) == 3 && ((const float *)weft_data(all[k].tensor))[1] == 2);
    weft_named_free(c, all, found);
    (void)weft_ctx_clear(c);
    free(file.p);
    fault_ctx_close(c, &memory);
}

/* A field with times before that of the sizes, as Info-ZIP writes it, and the sizes alone; in both records. */
WEFT_TEST(Zip, SizesInAnExtraField)
{
    for (int method = TEST_STORED; method <= TEST_DEFLATED; method += TEST_DEFLATED)
        for (int times = 0; times < 2; times++) {
            test_bytes extra = {0}, content = three(3);
            const size_t packed = content.n + (method == TEST_DEFLATED ? 5 : 0);
            if (times)
                test_put(&extra, "UT\5\0\1\2\3\4\5", 9);
            test_put(&extra, "\1\0\x10\0", 4);
            test_put_number(&extra, content.n, 8);
            test_put_number(&extra, packed, 8);
            test_zip z = {.extra = &extra, .wide = true};
            test_zip_add(&z, "a.npy", (test_method)method, content);
            test_zip_add(&z, "b.npy", (test_method)method, three(4));
            check(test_zip_close(&z), 2, NULL);
            free(extra.p);
        }
}

/* Another archive's end record within the comment is no end. */
WEFT_TEST(Zip, AnEndRecordInTheComment)
{
    static const unsigned char comment[40] = "see PK\5\6";
    test_zip z = {0};
    test_zip_add(&z, "a.npy", TEST_STORED, three(3));
    test_bytes file = test_zip_close(&z);
    file.p[file.n - 2] = sizeof comment;
    test_put(&file, comment, sizeof comment);
    check(file, 1, NULL);
}

/* The second entry begins with the last byte of the first, which is a P by chance. */
WEFT_TEST(Zip, EntriesThatShareAByte)
{
    const uint32_t bits = 0x50000001;
    float last;
    memcpy(&last, &bits, sizeof last);
    for (size_t shared = 0; shared < 2; shared++) {
        test_zip z = {0};
        test_zip_add(&z, "a.npy", TEST_STORED, three(last));
        z.file.n -= shared;
        test_zip_add(&z, "b.npy", TEST_STORED, three(3));
        check(test_zip_close(&z), 2, shared ? "overlaps another entry" : NULL);
    }
}

/* The size and the checksum of the front, the packed data of more. */
WEFT_TEST(Zip, DataThatGoOnBehindTheirSize)
{
    test_bytes whole = three(3), more = three(3);
    test_put(&more, "more", 4);
    test_zip front = {0}, z = {0};
    test_zip_add(&front, "a.npy", TEST_DEFLATED, whole);
    test_zip_add(&z, "a.npy", TEST_DEFLATED, more);
    memcpy(z.directory.p + 16, front.directory.p + 16, 4); /* checksum */
    memcpy(z.directory.p + 24, front.directory.p + 24, 4); /* size */
    free(front.file.p);
    free(front.directory.p);
    check(test_zip_close(&z), 0, "goes on behind the size");
}

WEFT_TEST(Zip, MoreEntriesThan16BitsCount)
{
    enum { N = 65537 };
    fault_memory memory = {0};
    test_folder folder;
    weft_ctx *c = fault_ctx_open(&memory);
    WEFT_REQUIRE(c && test_folder_make(&folder));
    weft_named_tensor *all = calloc(N, sizeof *all), *again = NULL;
    char(*names)[12] = calloc(N, sizeof *names);
    WEFT_REQUIRE(all && names);
    weft_tensor *x = weft_scalar(c, WEFT_F32, 2);
    for (int k = 0; k < N; k++) {
        snprintf(names[k], sizeof names[k], "%d", k);
        all[k] = (weft_named_tensor){names[k], x};
    }
    int n = 0;
    WEFT_CHECK_OK(weft_save_npz(c, test_path(&folder, "a.npz"), all, N));
    WEFT_CHECK_OK(weft_load_npz(c, test_path(&folder, "a.npz"), &again, &n));
    WEFT_CHECK_EQ_INT(n, N);
    if (n == N) {
        WEFT_CHECK_STR_EQ(again[N - 1].name, names[N - 1]);
        WEFT_CHECK_NEAR(weft_item(c, again[N - 1].tensor), 2, 0);
    }
    weft_named_free(c, again, n);
    free(names);
    free(all);
    test_folder_drop(&folder);
    fault_ctx_close(c, &memory);
}

/* ---- Beside what is in use ---- */

WEFT_TEST(Load, TheBudgetCountsWhatIsInUse)
{
    enum { N = 3000 };
    static const float values[N];
    weft_ctx *c = NULL;
    WEFT_REQUIRE(weft_ctx_open(&WITH_OPTIONS(.memory_budget = 16384 + 8192), &c) == WEFT_OK);
    test_bytes file = test_npy("'<f4'", "False", "(3000,)", values, sizeof values);
    weft_source source = INIT_SOURCE(.bytes = file.p, .size = file.n);
    weft_tensor *held = weft_ones(c, WEFT_F32, WEFT_DIMS(4096));
    weft_named_tensor *all = NULL;
    int n = 0;
    WEFT_CHECK_STATUS(weft_load(c, &source, NULL, &all, &n), WEFT_E_NOMEM);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "its tensors hold 12000 bytes");
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "24576, 16384 are in use");
    (void)weft_ctx_clear(c);
    weft_drop(held);
    WEFT_CHECK_OK(weft_load(c, &source, NULL, &all, &n));
    weft_named_free(c, all, n);
    free(file.p);
    weft_ctx_close(c);
}

WEFT_TEST(Load, AZeroCharacterInANameIsRefused)
{
    weft_ctx *c = NULL;
    WEFT_REQUIRE(weft_ctx_open(NULL, &c) == WEFT_OK);
    test_bytes file =
        test_safetensors("{\"a\\u0000b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", "x", 1);
    weft_source source = INIT_SOURCE(.bytes = file.p, .size = file.n);
    weft_named_tensor *all = NULL;
    int n = 0;
    WEFT_CHECK_STATUS(weft_load(c, &source, NULL, &all, &n), WEFT_E_IO);
    weft_named_free(c, all, n);
    free(file.p);
    weft_ctx_close(c);
}

/* A stored entry whose bytes are not those of its checksum. */
WEFT_TEST(Zip, AChecksumThatDoesNotFit)
{
    for (int method = TEST_STORED; method <= TEST_DEFLATED; method += TEST_DEFLATED) {
        test_zip z = {0};
        test_zip_add(&z, "a.npy", (test_method)method, three(3));
        test_bytes file = test_zip_close(&z);
        const float was = 3, is = 5; /* in the data: the tensor would load */
        bool found = false;
        for (size_t k = 0; k + 4 <= file.n && !found; k++) {
            found = memcmp(file.p + k, (const float[]){2, was}, 8) == 0;
            if (found)
                memcpy(file.p + k + 4, &is, 4);
        }
        WEFT_CHECK(found);
        check(file, 1, "checksum");
    }
}
