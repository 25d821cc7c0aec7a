/* test_io_ends.c - files that go on behind their end or stop at their signature, halves of characters in names, names
 * that begin others or come twice, what stays open, and what other programs read. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* clang-format off */
#include <weft/io.h>
/* clang-format on */
#include "harness/structs.h"
#include "harness/test_archive.h"
#include "harness/test_ctx.h"
#include "harness/test_folder.h"
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

/* ---- What two names, an encrypted entry and many opened files come to ---- */

WEFT_TEST(Save, TwoTensorsOfOneName)
{
    test_folder folder;
    WEFT_REQUIRE(test_folder_make(&folder));
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *x = weft_ones(c, WEFT_F32, WEFT_DIMS(2));
    const weft_named_tensor pair[] = {{"w", x}, {"w", x}}, fine[] = {{"w", x}, {"v", x}};
    WEFT_CHECK_STATUS(weft_save_npz(c, test_path(&folder, "a.npz"), pair, 2), WEFT_E_INVALID);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "\"w\"");
    weft_ctx_clear(c);
    WEFT_CHECK_STATUS(weft_save_safetensors(c, test_path(&folder, "a.safetensors"), pair, 2), WEFT_E_INVALID);
    weft_ctx_clear(c);
    WEFT_CHECK_EQ_INT(test_folder_count(&folder), 0);
    WEFT_CHECK_OK(weft_save_npz(c, test_path(&folder, "a.npz"), fine, 2));
    fault_ctx_close(c, &m);
    test_folder_drop(&folder);
}

WEFT_TEST(Load, AnEncryptedEntryIsRefused)
{
    test_zip z = {0};
    test_zip_add(&z, "w.npy", TEST_STORED, test_npy("'<f4'", "False", "(2, 3)", six, sizeof six));
    test_bytes b = test_zip_close(&z);
    for (size_t k = 0; k + 10 < b.n; k++) { /* bit 0 of the flags, in the entry and in the directory */
        const bool entry = memcmp(b.p + k, "PK\3\4", 4) == 0, listed = memcmp(b.p + k, "PK\1\2", 4) == 0;
        if (entry || listed)
            b.p[k + (entry ? 6 : 8)] |= 1;
    }
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_source source = WITH_SOURCE(.bytes = b.p, .size = b.n);
    weft_named_tensor *all = NULL;
    int n = 0;
    WEFT_CHECK_STATUS(weft_load(c, &source, NULL, &all, &n), WEFT_E_IO);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "encrypted");
    weft_named_free(c, all, n);
    (void)weft_ctx_clear(c);
    fault_ctx_close(c, &m);
    free(b.p);
}

/* The number that a file is opened by, the lowest that is free. */
static int next_descriptor(void)
{
    const int fd = open("/dev/null", O_RDONLY);
    close(fd);
    return fd;
}

WEFT_TEST(Load, NoFileStaysOpen)
{
    test_folder folder;
    WEFT_REQUIRE(test_folder_make(&folder));
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    const weft_named_tensor one = {"w", weft_ones(c, WEFT_F32, WEFT_DIMS(2))};
    char paths[3][80];
    snprintf(paths[0], sizeof paths[0], "%s/a.npz", folder.path);
    snprintf(paths[1], sizeof paths[1], "%s/a.safetensors", folder.path);
    snprintf(paths[2], sizeof paths[2], "%s/none.npz", folder.path);
    WEFT_CHECK_OK(weft_save_npz(c, paths[0], &one, 1));
    WEFT_CHECK_OK(weft_save_safetensors(c, paths[1], &one, 1));
    WEFT_CHECK(test_file_write(paths[2], "PK\3\4 and no more", 16));
    const int before = next_descriptor();
    for (int k = 0; k < 3; k++) {
        const weft_source source = WITH_SOURCE(.path = paths[k]);
        weft_named_tensor *all = NULL;
        int n = 0;
        WEFT_CHECK_STATUS(weft_load(c, &source, NULL, &all, &n), k < 2 ? WEFT_OK : WEFT_E_IO);
        weft_named_free(c, all, n);
        weft_ctx_clear(c);
        WEFT_CHECK_EQ_INT(next_descriptor(), before);
    }
    fault_ctx_close(c, &m);
    test_folder_drop(&folder);
}

/* ---- Six bytes of an npy file, and data behind an array ---- */

WEFT_TEST(Load, AFileThatEndsWithItsSignature)
{
    for (size_t n = 5; n < 11; n++) {
        fault_memory m = {0};
        weft_ctx *c = fault_ctx_open(&m);
        weft_source source = WITH_SOURCE(.bytes = "\x93NUMPY\1\0\x76\0", .size = n);
        weft_named_tensor *all = NULL;
        int count = 0;
        WEFT_CHECK_STATUS(weft_load(c, &source, NULL, &all, &count), WEFT_E_IO);
        WEFT_CHECK_STR_HAS(weft_ctx_message(c), n < 6    ? "begins neither like"
                                                : n < 10 ? "does not begin like an npy file"
                                                         : "header is longer than the file");
        (void)weft_ctx_clear(c);
        fault_ctx_close(c, &m);
    }
}

/* NumPy leaves alone what lies behind the array; its checksum is the whole entry's. */
WEFT_TEST(Load, BytesBehindAnArrayAreReadForTheChecksum)
{
    enum { MORE = 10000 };
    static const unsigned char more[MORE] = {1, 2, 3};
    for (int method = TEST_STORED; method <= TEST_DEFLATED; method += TEST_DEFLATED)
        for (int spoilt = 0; spoilt < 2; spoilt++) {
            test_zip z = {0};
            test_bytes content = test_npy("'<f4'", "False", "(2, 3)", six, sizeof six);
            test_put(&content, more, MORE);
            test_zip_add(&z, "w.npy", (test_method)method, content);
            if (spoilt)
                z.file.p[z.file.n - 1] ^= 1;
            test_bytes b = test_zip_close(&z);
            fault_memory m = {0};
            weft_ctx *c = fault_ctx_open(&m);
            weft_source source = WITH_SOURCE(.bytes = b.p, .size = b.n);
            weft_named_tensor *all = NULL;
            int n = 0;
            WEFT_CHECK_STATUS(weft_load(c, &source, NULL, &all, &n), spoilt ? WEFT_E_IO : WEFT_OK);
            if (spoilt)
                WEFT_CHECK_STR_HAS(weft_ctx_message(c), "its checksum is wrong");
            else
                WEFT_CHECK(n == 1 && memcmp(weft_data(all[0].tensor), six, sizeof six) == 0);
            weft_named_free(c, all, n);
            (void)weft_ctx_clear(c);
            fault_ctx_close(c, &m);
            free(b.p);
        }
}

/* ---- What other programs read of an archive ---- */

static uint64_t number_at(const unsigned char *p, int bytes)
{
    uint64_t value = 0;
    for (int k = bytes; k-- > 0;)
        value = value << 8 | p[k];
    return value;
}

/* 4.5 is the version with 64-bit sizes: readers that know less refuse the archive, and say why. */
WEFT_TEST(Save, AnArchiveSaysWhichVersionItNeeds)
{
    static const struct {
        const char *record;
        size_t at;
        int bytes;
        uint64_t value;
    } fields[] = {
        {"PK\3\4", 4, 2, 45},  {"PK\3\4", 6, 2, 0x800}, {"PK\3\4", 8, 2, 0},     {"PK\3\4", 12, 2, 33},
        {"PK\1\2", 4, 2, 45},  {"PK\1\2", 6, 2, 45},    {"PK\1\2", 8, 2, 0x800}, {"PK\1\2", 10, 2, 0},
        {"PK\1\2", 14, 2, 33}, {"PK\5\6", 8, 2, 1},     {"PK\5\6", 10, 2, 1},    {"PK\5\6", 20, 2, 0},
    };
    test_folder folder;
    WEFT_REQUIRE(test_folder_make(&folder));
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    const weft_named_tensor one = {"w", weft_ones(c, WEFT_F32, WEFT_DIMS(2))};
    WEFT_CHECK_OK(weft_save_npz(c, test_path(&folder, "a.npz"), &one, 1));
    size_t n = 0;
    unsigned char *bytes = test_file_read(test_path(&folder, "a.npz"), &n);
    for (size_t k = 0; bytes && k < sizeof fields / sizeof *fields; k++) {
        size_t from = 0;
        while (from + 22 < n && memcmp(bytes + from, fields[k].record, 4) != 0)
            from++;
        WEFT_REQUIRE(memcmp(bytes + from, fields[k].record, 4) == 0);
        WEFT_CHECK_EQ_INT(number_at(bytes + from + fields[k].at, fields[k].bytes), fields[k].value);
    }
    WEFT_CHECK(bytes != NULL);
    free(bytes);
    fault_ctx_close(c, &m);
    test_folder_drop(&folder);
}
