/* test_io_load.c - loading: from anywhere, in part, within limits, and all or nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* clang-format off */
#include <weft/io.h>
/* clang-format on */
#include "harness/structs.h"
#include "harness/test_archive.h"
#include "harness/test_ctx.h"
#include "harness/test_folder.h"
#include "harness/weft_test.h"

static weft_ctx *open_ctx(void)
{
    weft_ctx *ctx = NULL;
    return weft_ctx_open(NULL, &ctx) == WEFT_OK ? ctx : NULL;
}

static weft_source in_memory(const test_bytes *b)
{
    return WITH_SOURCE(.bytes = b->p, .size = b->n);
}

static const float six[6] = {1, 2, 3, 4, 5, 6};

/* Two arrays of six floats, and beside them a text and an object. */
static test_bytes mixed_npz(test_method method)
{
    test_zip z = {0};
    test_zip_add(&z, "a.npy", method, test_npy("'<f4'", "False", "(2, 3)", six, sizeof six));
    test_zip_add(&z, "label.npy", method, test_npy("'<U2'", "False", "(1,)", "w\0\0\0e\0\0\0", 8));
    test_zip_add(&z, "thing.npy", method, test_npy("'|O'", "False", "(1,)", "x", 1));
    test_zip_add(&z, "rows.npy", method, test_npy("[('x', '<f4'), ('y', '<i4', (2,))]", "False", "(1,)", six, 12));
    test_zip_add(&z, "note.txt", method, (test_bytes){0});
    test_zip_add(&z, "b.npy", method, test_npy("'<f4'", "True", "(2, 3)", six, sizeof six));
    return test_zip_close(&z);
}

static void check_values(weft_ctx *ctx, weft_tensor *t, weft_dtype dtype, const double *want, int n)
{
    WEFT_REQUIRE(t != NULL);
    WEFT_CHECK_EQ_INT(weft_dtype_of(t), dtype);
    WEFT_CHECK_EQ_INT(weft_count(t), n);
    double got[16];
    WEFT_REQUIRE(weft_count(t) == n && n <= 16);
    WEFT_CHECK_OK(weft_read(ctx, weft_cast(t, WEFT_F64), got, sizeof *got * (size_t)n));
    for (int k = 0; k < n; k++)
        WEFT_CHECK_NEAR(got[k], want[k], 0);
}

/* ---- From anywhere ---- */

typedef struct reading {
    const test_bytes *b;
    uint64_t total;
    int calls, fail_at; /* 0: none */
} reading;

static bool read_bytes(void *user, uint64_t offset, void *to, size_t n)
{
    reading *r = user;
    r->total += n;
    if (++r->calls == r->fail_at || offset > r->b->n || n > r->b->n - offset)
        return false;
    memcpy(to, r->b->p + offset, n);
    return true;
}

static void load_a_and_b(const weft_source *source)
{
    static const double rows[] = {1, 2, 3, 4, 5, 6}, columns[] = {1, 3, 5, 2, 4, 6};
    weft_ctx *ctx = open_ctx();
    weft_named_tensor *all;
    int n;
    WEFT_CHECK_OK(weft_load(ctx, source, &WITH_LOAD(.names = (const char *[]){"b", "a"}, .n_names = 2), &all, &n));
    if (weft_ctx_status(ctx) == WEFT_OK && n == 2) {
        WEFT_CHECK_STR_EQ(all[0].name, "b");
        WEFT_CHECK_STR_EQ(all[1].name, "a");
        check_values(ctx, all[0].tensor, WEFT_F32, columns, 6); /* Fortran order */
        check_values(ctx, all[1].tensor, WEFT_F32, rows, 6);
        weft_named_free(ctx, all, n);
    } else {
        WEFT_FAIL("%d: %s", n, weft_ctx_message(ctx));
    }
    weft_ctx_close(ctx);
}

WEFT_TEST(Load, FromAFileMemoryAndACallback)
{
    for (int k = 0; k < 2; k++) {
        test_folder folder;
        test_bytes b = mixed_npz(k ? TEST_DEFLATED : TEST_STORED);
        reading r = {.b = &b};
        const weft_source memory = in_memory(&b);
        WEFT_REQUIRE(test_folder_make(&folder) && test_file_write(test_path(&folder, "x"), b.p, b.n));
        load_a_and_b(&WITH_SOURCE(.path = test_path(&folder, "x")));
        load_a_and_b(&memory);
        load_a_and_b(&WITH_SOURCE(.read = read_bytes, .user = &r, .size = b.n));
        test_folder_drop(&folder);
        free(b.p);
    }
}

WEFT_TEST(Load, ACallbackThatFails)
{
    test_bytes b = mixed_npz(TEST_DEFLATED);
    const weft_load_options options = INIT_LOAD(.names = (const char *[]){"a", "b"}, .n_names = 2);
    weft_status status = WEFT_E_CALLBACK;
    int fail_at = 1;
    for (; status == WEFT_E_CALLBACK; fail_at++) {
        weft_ctx *ctx = open_ctx();
        reading r = {.b = &b, .fail_at = fail_at};
        weft_named_tensor *all = &(weft_named_tensor){NULL, NULL};
        int n = 7;
        status = weft_load(ctx, &WITH_SOURCE(.read = read_bytes, .user = &r, .size = b.n, .name = "shelf"), &options,
                           &all, &n);
        if (status == WEFT_E_CALLBACK) {
            WEFT_CHECK(all == NULL && n == 0);
            WEFT_CHECK_STR_HAS(weft_ctx_message(ctx), "weft_load: shelf: the callback could not read");
            WEFT_CHECK_EQ_INT(memory_of(ctx).live_tensors, 0);
        } else {
            WEFT_CHECK_OK(status);
            weft_named_free(ctx, all, n);
        }
        weft_ctx_close(ctx);
    }
    WEFT_CHECK(fail_at > 10);
    free(b.p);
}

static void refuse(const weft_source *source, weft_status want, const char *part)
{
    weft_ctx *ctx = open_ctx();
    weft_named_tensor *all;
    int n;
    WEFT_CHECK_STATUS(weft_load(ctx, source, NULL, &all, &n), want);
    WEFT_CHECK_STR_HAS(weft_ctx_message(ctx), part);
    weft_ctx_close(ctx);
}

/* At once: a FIFO must not be waited for. */
WEFT_TEST(Load, PathsThatAreNoOrdinaryFiles)
{
    test_folder folder;
    WEFT_REQUIRE(test_folder_make(&folder));
    const char *fifo = test_path(&folder, "fifo");
    WEFT_REQUIRE(mkfifo(fifo, 0600) == 0);
    refuse(&WITH_SOURCE(.path = fifo), WEFT_E_IO, "a FIFO or pipe: read it into memory, and give weft_load the bytes");
    refuse(&WITH_SOURCE(.path = folder.path), WEFT_E_IO, "a folder");
    refuse(&WITH_SOURCE(.path = "/dev/zero"), WEFT_E_IO, "a device");
    refuse(&WITH_SOURCE(.path = "/nowhere/at/all"), WEFT_E_IO, "/nowhere/at/all: No such file");
    test_folder_drop(&folder);
}

WEFT_TEST(Load, SourcesThatAreNone)
{
    refuse(&WITH_SOURCE(0), WEFT_E_NULL_ARGUMENT, "exactly one of path, bytes and read");
    refuse(&WITH_SOURCE(.path = "x", .bytes = "y"), WEFT_E_INVALID, "not 2");
    refuse(&WITH_SOURCE(.struct_size = 5, .path = "x"), WEFT_E_INVALID, "struct_size of the weft_source is 5");
    refuse(NULL, WEFT_E_NULL_ARGUMENT, "the source is NULL");
    refuse(&WITH_SOURCE(.bytes = "", .size = 0), WEFT_E_IO, "neither like an npz");
    weft_ctx *ctx = open_ctx();
    weft_named_tensor *all;
    int n;
    WEFT_CHECK_STATUS(weft_load_npz(ctx, NULL, &all, &n), WEFT_E_NULL_ARGUMENT);
    WEFT_CHECK_STR_HAS(weft_ctx_message(ctx), "weft_load_npz: the path is NULL");
    weft_ctx_clear(ctx);
    WEFT_CHECK_STATUS(weft_load_safetensors(ctx, "x", NULL, &n), WEFT_E_NULL_ARGUMENT);
    WEFT_CHECK_STR_HAS(weft_ctx_message(ctx), "weft_load_safetensors: tensors");
    weft_ctx_clear(ctx);
    WEFT_CHECK_STATUS(weft_load_npz(ctx, "x", &all, NULL), WEFT_E_NULL_ARGUMENT);
    WEFT_CHECK_STR_HAS(weft_ctx_message(ctx), "weft_load_npz: n, where");
    WEFT_CHECK_STATUS(weft_load_npz(NULL, "x", &all, &n), WEFT_E_NULL_ARGUMENT);
    weft_ctx_close(ctx);
}

WEFT_TEST(Load, TheOtherFormatIsNamed)
{
    test_folder folder;
    weft_ctx *ctx = open_ctx();
    weft_named_tensor *all;
    int n;
    WEFT_REQUIRE(test_folder_make(&folder));
    const char *npz = test_path(&folder, "npz"), *safe = test_path(&folder, "safe");
    const weft_named_tensor one = {"w", weft_ones(ctx, WEFT_F32, WEFT_DIMS(3))};
    WEFT_CHECK_OK(weft_save_npz(ctx, npz, &one, 1));
    WEFT_CHECK_OK(weft_save_safetensors(ctx, safe, &one, 1));
    WEFT_CHECK_STATUS(weft_load_npz(ctx, safe, &all, &n), WEFT_E_IO);
    WEFT_CHECK_STR_HAS(weft_ctx_message(ctx), "it is a safetensors file: weft_load_safetensors reads it");
    weft_ctx_clear(ctx);
    WEFT_CHECK_STATUS(weft_load_safetensors(ctx, npz, &all, &n), WEFT_E_IO);
    WEFT_CHECK_STR_HAS(weft_ctx_message(ctx), "it is an npz file: weft_load_npz reads it");
    weft_ctx_clear(ctx);
    for (int k = 0; k < 2; k++) {
        WEFT_CHECK_OK(weft_load(ctx, &WITH_SOURCE(.path = k ? safe : npz), NULL, &all, &n));
        WEFT_CHECK_EQ_INT(n, 1);
        weft_named_free(ctx, all, n);
    }
    weft_ctx_close(ctx);
    test_folder_drop(&folder);
}

/* ---- In part ---- */

typedef struct listing {
    char text[2048];
} listing;

static void write_row(void *user, const weft_file_tensor *t)
{
    listing *l = user;
    const size_t n = strlen(l->text);
    snprintf(l->text + n, sizeof l->text - n, "%s|%s|%d|%lld|%s|%llu|%s\n", t->name, t->dtype, t->ndim,
             t->ndim ? (long long)t->shape[0] : -1, t->problem ? "" : weft_dtype_name(t->as),
             (unsigned long long)t->bytes, t->problem ? t->problem : "");
}

WEFT_TEST(Load, AListOfWhatIsInAFile)
{
    test_bytes b = mixed_npz(TEST_STORED);
    weft_ctx *ctx = open_ctx();
    const weft_source source = in_memory(&b);
    listing l = {""};
    WEFT_CHECK_OK(weft_list_tensors(ctx, &source, NULL, write_row, &l));
    WEFT_CHECK_STR_EQ(l.text, "a|<f4|2|2|f32|24|\n"
                              "label|<U2|1|1||0|Weft has no texts\n"
                              "thing||O|1|1||0|Weft has no Python objects\n"
                              "rows|[...]|1|1||0|Weft has no structures; save their fields one by one\n"
                              "note.txt||0|-1||0|it does not begin like an npy file\n"
                              "b|<f4|2|2|f32|24|\n");
    WEFT_CHECK_STATUS(weft_list_tensors(ctx, &source, NULL, NULL, NULL), WEFT_E_NULL_ARGUMENT);
    WEFT_CHECK_STR_HAS(weft_ctx_message(ctx), "row is NULL");
    weft_ctx_close(ctx);
    refuse(&source, WEFT_E_IO, "tensor \"label\" of dtype <U2: Weft has no texts");
    free(b.p);
}

WEFT_TEST(Load, ANameThatIsNotThere)
{
    test_bytes b = mixed_npz(TEST_STORED);
    weft_ctx *ctx = open_ctx();
    const weft_source source = in_memory(&b);
    weft_named_tensor *all;
    int n;
    const char *names[] = {"a", "c"};
    WEFT_CHECK_STATUS(weft_load(ctx, &source, &WITH_LOAD(.names = names, .n_names = 2), &all, &n), WEFT_E_IO);
    WEFT_CHECK_STR_HAS(weft_ctx_message(ctx), "it holds no tensor \"c\"");
    weft_ctx_clear(ctx);
    WEFT_CHECK_OK(weft_load(ctx, &source, &WITH_LOAD(.names = names, .n_names = 0), &all, &n));
    WEFT_CHECK(all == NULL && n == 0);
    WEFT_CHECK_STATUS(weft_load(ctx, &source, &WITH_LOAD(.names = names, .n_names = -1), &all, &n), WEFT_E_INVALID);
    weft_ctx_clear(ctx);
    names[1] = NULL;
    WEFT_CHECK_STATUS(weft_load(ctx, &source, &WITH_LOAD(.names = names, .n_names = 2), &all, &n),
                      WEFT_E_NULL_ARGUMENT);
    WEFT_CHECK_STR_HAS(weft_ctx_message(ctx), "names[1] is NULL");
    weft_ctx_close(ctx);
    free(b.p);
}

/* ---- What elements become ---- */

static void check_one(test_bytes b, weft_dtype dtype, const double *want, int n)
{
    weft_ctx *ctx = open_ctx();
    const weft_source source = in_memory(&b);
    weft_named_tensor *all;
    int count;
    if (weft_load(ctx, &source, NULL, &all, &count) == WEFT_OK) {
        check_values(ctx, all[0].tensor, dtype, want, n);
        weft_named_free(ctx, all, count);
    } else {
        WEFT_FAIL("%s", weft_ctx_message(ctx));
    }
    weft_ctx_close(ctx);
    free(b.p);
}

WEFT_TEST(Load, NumbersAreWidened)
{
    static const double i16[] = {-2, 32767}, u16[] = {65534, 32767}, u32[] = {4294967294, 32767};
    static const unsigned char big[] = {0xFF, 0xFE, 0x7F, 0xFF};
    check_one(
        test_safetensors("{\"x\":{\"dtype\":\"I16\",\"shape\":[2],\"data_offsets\":[0,4]}}", "\xfe\xff\xff\x7f", 4),
        WEFT_I32, i16, 2);
    check_one(
        test_safetensors("{\"x\":{\"dtype\":\"U16\",\"shape\":[2],\"data_offsets\":[0,4]}}", "\xfe\xff\xff\x7f", 4),
        WEFT_I32, u16, 2);
    check_one(test_safetensors("{\"x\":{\"dtype\":\"U32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
                               "\xfe\xff\xff\xff\xff\x7f\0\0", 8),
              WEFT_I64, u32, 2);
    check_one(test_npy("'>i2'", "False", "(2,)", big, 4), WEFT_I32, i16, 2);
    check_one(test_npy("'>u2'", "False", "(2,)", big, 4), WEFT_I32, u16, 2);
}

/* The raw bytes of a bool are 0 or 1, whatever the file says. */
WEFT_TEST(Load, ABoolThatIsNotZeroIsOne)
{
    for (int k = 0; k < 2; k++) {
        test_bytes b = k ? test_npy("'|b1'", "False", "(5,)", "\0\1\2\x80\xff", 5)
                         : test_safetensors("{\"x\":{\"dtype\":\"BOOL\",\"shape\":[5],\"data_offsets\":[0,5]}}",
                                            "\0\1\2\x80\xff", 5);
        weft_ctx *ctx = open_ctx();
        const weft_source source = in_memory(&b);
        unsigned char raw[5];
        weft_named_tensor *all;
        int n;
        WEFT_REQUIRE(weft_load(ctx, &source, NULL, &all, &n) == WEFT_OK);
        WEFT_CHECK_OK(weft_read(ctx, all[0].tensor, raw, 5));
        WEFT_CHECK(memcmp(raw, "\0\1\1\1\1", 5) == 0);
        weft_named_free(ctx, all, n);
        weft_ctx_close(ctx);
        free(b.p);
    }
}

WEFT_TEST(Load, SafetensorsOfDtypesThatWeftHasNot)
{
    test_bytes b =
        test_safetensors("{\"good\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                         "\"big\":{\"dtype\":\"U64\",\"shape\":[1],\"data_offsets\":[1,9]},"
                         "\"tiny\":{\"dtype\":\"F4\",\"shape\":[2],\"data_offsets\":[9,11]},"
                         "\"deep\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[11,12]}}",
                         "\x07___________", 12);
    static const double seven[] = {7};
    const weft_source source = in_memory(&b);
    weft_ctx *ctx = open_ctx();
    weft_named_tensor *all;
    int n;
    listing l = {""};
    static const struct {
        const char *name, *part;
    } bad[] = {{"big", "tensor \"big\" of dtype U64: Weft has no unsigned integers of 64 bits"},
               {"tiny", "tensor \"tiny\" of dtype F4: Weft has no such dtype"},
               {"deep", "tensor \"deep\" of dtype U8: it has more than 8 dims"}};
    refuse(&source, WEFT_E_IO, bad[0].part);
    for (int k = 0; k < 3; k++) {
        WEFT_CHECK_STATUS(weft_load(ctx, &source, &WITH_LOAD(.names = &bad[k].name, .n_names = 1), &all, &n),
                          WEFT_E_IO);
        WEFT_CHECK_STR_HAS(weft_ctx_message(ctx), bad[k].part);
        weft_ctx_clear(ctx);
    }
    WEFT_REQUIRE(weft_load(ctx, &source, &WITH_LOAD(.names = (const char *[]){"good"}, .n_names = 1), &all, &n) ==
                 WEFT_OK);
    check_values(ctx, all[0].tensor, WEFT_U8, seven, 1);
    weft_named_free(ctx, all, n);
    WEFT_CHECK_OK(weft_list_tensors(ctx, &source, NULL, write_row, &l));
    WEFT_CHECK_STR_HAS(l.text, "good|U8|1|1|u8|1|\nbig|U64|1|1||0|Weft");
    weft_ctx_close(ctx);
    free(b.p);
}

WEFT_TEST(Load, SafetensorsErrorsNameTheTensor)
{
    static const struct {
        const char *header, *part;
    } bad[] = {
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}",
         "tensor \"w\" of dtype F32: its shape does not fit"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
         "tensor \"w\" of dtype F32: its data_offsets are not"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[1]}}", "tensor \"w\" of dtype F32: it is not an object of dtype, shape"},
        {"{\"w\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[2,4]}}", "tensor \"w\" of dtype U8: there is a gap"},
        {"{\"v\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},\"w\":{\"dtype\":\"U8\",\"shape\":[2],"
         "\"data_offsets\":[1,3]}}",
         "tensor \"w\" of dtype U8: its data overlaps"},
        {"{\"w\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"w\":{\"dtype\":\"U8\",\"shape\":[2],"
         "\"data_offsets\":[2,4]}}",
         "tensor \"w\" of dtype U8: it is there twice"}};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        test_bytes b = test_safetensors(bad[k].header, "____", 4);
        const weft_source source = in_memory(&b);
        refuse(&source, WEFT_E_IO, bad[k].part);
        free(b.p);
    }
}

/* What Python and safetensors' own reader refuse. */
WEFT_TEST(Load, NumbersThatAreNone)
{
    static const char *const shapes[] = {"(1 3)", "(2, 03)", "(1, , 3)", "(-1, 3)", "(1, 3"};
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        test_bytes b = test_npy("'<f4'", "False", shapes[k], six, sizeof six);
        const weft_source source = in_memory(&b);
        refuse(&source, WEFT_E_IO, "npy header is not the dictionary");
        free(b.p);
    }
    test_bytes b = test_safetensors("{\"w\":{\"dtype\":\"U8\",\"shape\":[04],\"data_offsets\":[0,4]}}", "____", 4);
    const weft_source source = in_memory(&b);
    refuse(&source, WEFT_E_IO, "tensor \"w\" of dtype U8: it is not an object");
    free(b.p);
}

/* ---- Limits ---- */

WEFT_TEST(Load, EntriesOfAnArchiveMustNotOverlap)
{
    test_zip z = {0};
    test_bytes content = test_npy("'<f4'", "False", "(2, 3)", six, sizeof six), copy = {0};
    test_put(&copy, content.p, content.n);
    test_zip_add(&z, "a.npy", TEST_STORED, copy);
    for (int k = 0; k < 50; k++) {
        char name[24];
        snprintf(name, sizeof name, "b%d.npy", k);
        test_zip_alias(&z, name, 0, &content);
    }
    test_bytes b = test_zip_close(&z);
    const weft_source source = in_memory(&b);
    refuse(&source, WEFT_E_IO, "it overlaps another entry of the archive");
    free(content.p);
    free(b.p);
}

static void limited(const weft_source *source, const weft_load_options *options, weft_status want, const char *part)
{
    weft_ctx *ctx = open_ctx();
    weft_named_tensor *all;
    int n;
    WEFT_CHECK_STATUS(weft_load(ctx, source, options, &all, &n), want);
    WEFT_CHECK_STR_HAS(weft_ctx_message(ctx), part);
    if (all)
        weft_named_free(ctx, all, n);
    weft_ctx_close(ctx);
}

WEFT_TEST(Load, LimitsOfTheCaller)
{
    test_zip z = {0};
    test_zip_add(&z, "a.npy", TEST_STORED, test_npy("'<f4'", "False", "(6,)", six, sizeof six));
    test_zip_add(&z, "longer.npy", TEST_STORED, test_npy("'<f4'", "False", "(6,)", six, sizeof six));
    test_bytes files[] = {
        test_zip_close(&z),
        test_safetensors("{\"a\":{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[0,24]},\"longer\":"
                         "{\"dtype\":\"F32\",\"shape\":[0,6],\"data_offsets\":[24,24]}}",
                         six, sizeof six)};
    for (int k = 0; k < 2; k++) {
        const weft_source source = in_memory(&files[k]);
        const uint64_t bytes = k ? 24 : 48;
        limited(&source, &WITH_LOAD(.max_bytes = bytes), WEFT_OK, "");
        limited(&source, &WITH_LOAD(.max_bytes = bytes - 1), WEFT_E_IO, "max_bytes is");
        limited(&source, &WITH_LOAD(.max_tensors = 2), WEFT_OK, "");
        limited(&source, &WITH_LOAD(.max_tensors = 1), WEFT_E_IO, "max_tensors, 1");
        limited(&source, &WITH_LOAD(.max_name = 6), WEFT_OK, "");
        limited(&source, &WITH_LOAD(.max_name = 5), WEFT_E_IO, "\"longer\" has 6 bytes; the limit is 5");
        limited(&source, &WITH_LOAD(.struct_size = 3), WEFT_E_INVALID, "struct_size of the weft_load_options is 3");
        free(files[k].p);
    }
}

/* Host memory with its high mark. */
typedef struct gauge {
    size_t now, peak;
} gauge;

static void *gauge_alloc(void *user, size_t bytes, size_t alignment)
{
    gauge *g = user;
    g->now += bytes;
    g->peak = g->now > g->peak ? g->now : g->peak;
    return aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}

static void gauge_free(void *user, void *block, size_t bytes)
{
    ((gauge *)user)->now -= bytes;
    free(block);
}

enum { LARGE = 1 << 22, MARGIN = 400 << 10 };

/* 4 MiB of zeros: stored, deflated, in Fortran order, big endian, as safetensors. */
static test_bytes large_file(int kind)
{
    unsigned char *zeros = calloc(1, LARGE);
    test_zip z = {0};
    test_bytes b;
    if (kind == 4)
        b = test_safetensors("{\"x\":{\"dtype\":\"F32\",\"shape\":[2,524288],\"data_offsets\":[0,4194304]}}", zeros,
                             LARGE);
    else {
        test_zip_add(
            &z, "x.npy", kind == 1 ? TEST_DEFLATED : TEST_STORED,
            test_npy(kind == 3 ? "'>f4'" : "'<f4'", kind == 2 ? "True" : "False", "(2, 524288)", zeros, LARGE));
        b = test_zip_close(&z);
    }
    free(zeros);
    return b;
}

WEFT_TEST(Load, TheBudgetHoldsBeforeAnythingIsRead)
{
    for (int kind = 0; kind < 5; kind++) {
        test_bytes b = large_file(kind);
        reading r = {.b = &b};
        gauge g = {0};
        weft_ctx *ctx;
        weft_named_tensor *all;
        int n;
        WEFT_REQUIRE(weft_ctx_open(&WITH_OPTIONS(.memory_budget = 1 << 20, .alloc = gauge_alloc, .free = gauge_free,
                                                 .alloc_user = &g),
                                   &ctx) == WEFT_OK);
        const size_t before = g.now;
        const weft_source source = INIT_SOURCE(.read = read_bytes, .user = &r, .size = b.n);
        WEFT_CHECK_STATUS(weft_load(ctx, &source, NULL, &all, &n), WEFT_E_NOMEM);
        WEFT_CHECK_STR_HAS(weft_ctx_message(ctx), "memory_budget, 1048576");
        WEFT_CHECK(g.peak - before < MARGIN);
        WEFT_CHECK(r.total < MARGIN);
        weft_ctx_close(ctx);
        WEFT_CHECK_EQ_INT(g.now, 0);
        free(b.p);
    }
}

WEFT_TEST(Load, ThePeakIsTheTensor)
{
    for (int kind = 0; kind < 5; kind++) {
        test_bytes b = large_file(kind);
        gauge g = {0};
        weft_ctx *ctx;
        weft_named_tensor *all;
        int n;
        WEFT_REQUIRE(weft_ctx_open(&WITH_OPTIONS(.memory_budget = LARGE + 4096, .alloc = gauge_alloc,
                                                 .free = gauge_free, .alloc_user = &g),
                                   &ctx) == WEFT_OK);
        const size_t before = g.now;
        const weft_source source = in_memory(&b);
        WEFT_CHECK_OK(weft_load(ctx, &source, NULL, &all, &n));
        WEFT_CHECK(g.peak - before < LARGE + MARGIN);
        weft_named_free(ctx, all, n);
        weft_ctx_close(ctx);
        WEFT_CHECK_EQ_INT(g.now, 0);
        free(b.p);
    }
}

/* Saving takes no copy of what lies in memory as it is written. */
WEFT_TEST(Load, SavingTakesNoCopy)
{
    test_folder folder;
    gauge g = {0};
    weft_ctx *ctx;
    WEFT_REQUIRE(test_folder_make(&folder));
    WEFT_REQUIRE(weft_ctx_open(&WITH_OPTIONS(.alloc = gauge_alloc, .free = gauge_free, .alloc_user = &g), &ctx) ==
                 WEFT_OK);
    const weft_named_tensor one = {"w", weft_ones(ctx, WEFT_U8, WEFT_DIMS(LARGE))};
    const size_t before = g.peak;
    WEFT_CHECK_OK(weft_save_npz(ctx, test_path(&folder, "a"), &one, 1));
    WEFT_CHECK_OK(weft_save_safetensors(ctx, test_path(&folder, "b"), &one, 1));
    WEFT_CHECK(g.peak - before < MARGIN);
    weft_ctx_close(ctx);
    test_folder_drop(&folder);
}

/* ---- All or nothing ---- */

static void each_allocation_fails(const weft_source *source, const weft_load_options *options)
{
    weft_status status = WEFT_E_NOMEM;
    long fail_at = 1;
    for (; status != WEFT_OK && fail_at < 500; fail_at++) {
        fault_memory memory = {0};
        weft_options o = fault_options(&memory);
        weft_ctx *ctx;
        weft_named_tensor *all = &(weft_named_tensor){NULL, NULL};
        int n = 7;
        WEFT_REQUIRE(weft_ctx_open(&o, &ctx) == WEFT_OK);
        memory.fail_at = memory.calls + fail_at;
        status = weft_load(ctx, source, options, &all, &n);
        memory.fail_at = 0;
        if (status != WEFT_OK) {
            WEFT_CHECK_STATUS(status, WEFT_E_NOMEM);
            WEFT_CHECK_STATUS(weft_ctx_status(ctx), WEFT_E_NOMEM);
            WEFT_CHECK(all == NULL && n == 0);
            WEFT_CHECK_EQ_INT(memory_of(ctx).live_tensors, 0);
            weft_ctx_clear(ctx);
            WEFT_CHECK_OK(weft_load(ctx, source, options, &all, &n));
        }
        weft_named_free(ctx, all, n);
        weft_ctx_close(ctx);
        WEFT_CHECK_EQ_INT(memory.live_blocks, 0);
        WEFT_CHECK(!memory.mismatch);
    }
    WEFT_CHECK_OK(status);
    WEFT_CHECK(fail_at > 5);
}

WEFT_TEST(Load, OutOfMemoryGivesNothing)
{
    char header[4096] = "{";
    for (int k = 0; k < 20; k++) /* more than a list of any first size */
        snprintf(header + strlen(header), sizeof header - strlen(header),
                 "%s\"w%d\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%d,%d]}", k ? "," : "", k, k, k + 1);
    strcat(header, "}");
    test_bytes files[] = {mixed_npz(TEST_STORED), mixed_npz(TEST_DEFLATED),
                          test_safetensors(header, "____________________", 20),
                          test_npy("'>f4'", "True", "(2, 3)", six, sizeof six)};
    const weft_load_options some = INIT_LOAD(.names = (const char *[]){"a", "b"}, .n_names = 2);
    for (int k = 0; k < 4; k++) {
        const weft_source source = in_memory(&files[k]);
        each_allocation_fails(&source, k < 2 ? &some : NULL);
        free(files[k].p);
    }
}

static void clear_error(void *user, weft_log_level level, const char *message)
{
    (void)level;
    (void)message;
    weft_ctx_clear(*(weft_ctx **)user);
}

/* A log callback that would clear the error does not make a success of it: the error sticks until it has returned. */
WEFT_TEST(Load, AClearedErrorIsStillReturned)
{
    weft_ctx *ctx = NULL;
    weft_named_tensor *all;
    int n;
    const weft_source source = INIT_SOURCE(.bytes = "PK\3\4 is no archive", .size = 18);
    WEFT_REQUIRE(weft_ctx_open(&WITH_OPTIONS(.log = clear_error, .log_user = &ctx), &ctx) == WEFT_OK);
    WEFT_CHECK_STATUS(weft_load(ctx, &source, NULL, &all, &n), WEFT_E_IO);
    WEFT_CHECK_STATUS(weft_ctx_clear(ctx), WEFT_E_IO);
    WEFT_CHECK_STATUS(weft_load_npz(ctx, NULL, &all, &n), WEFT_E_NULL_ARGUMENT);
    WEFT_CHECK_STATUS(weft_ctx_clear(ctx), WEFT_E_NULL_ARGUMENT);
    WEFT_CHECK_STATUS(weft_load_npz(ctx, "/nowhere", &all, &n), WEFT_E_IO);
    WEFT_CHECK_STATUS(weft_ctx_clear(ctx), WEFT_E_IO);
    WEFT_CHECK_STATUS(weft_save_npz(ctx, "/nowhere/at/all", NULL, 0), WEFT_E_IO);
    WEFT_CHECK_STATUS(weft_ctx_clear(ctx), WEFT_E_IO);
    WEFT_CHECK_STATUS(weft_save_safetensors(ctx, "/tmp", NULL, 0), WEFT_E_IO);
    WEFT_CHECK_STATUS(weft_ctx_clear(ctx), WEFT_E_IO);
    WEFT_CHECK(all == NULL && n == 0);
    weft_ctx_close(ctx);
}
