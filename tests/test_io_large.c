/* test_io_large.c - npy files that are larger than what is read at once: converted elements, headers beyond 64 KiB; one
 * that is cut; and the headers of saved ones. */
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

/* The elements of the one tensor of the file, which it frees; check looks at them. */
static void load_and_check(test_bytes file, int64_t count, void (*check)(const void *elements))
{
    fault_memory memory = {0};
    weft_ctx *c = fault_ctx_open(&memory);
    weft_source source = INIT_SOURCE(.bytes = file.p, .size = file.n);
    weft_named_tensor *all = NULL;
    int n = 0;
    WEFT_CHECK_OK(weft_load(c, &source, NULL, &all, &n));
    WEFT_CHECK(n == 1 && weft_count(all[0].tensor) == count);
    if (n == 1 && weft_count(all[0].tensor) == count)
        check(weft_data(all[0].tensor));
    weft_named_free(c, all, n);
    free(file.p);
    fault_ctx_close(c, &memory);
}

enum { LONG = 40000, ROWS = 151, COLUMNS = 307 };

static void check_long(const void *elements)
{
    for (uint32_t k = 0; k < LONG && weft_test_failures() < 3; k++)
        WEFT_CHECK_EQ_INT(((const int32_t *)elements)[k], (int32_t)(k * 77777u));
}

WEFT_TEST(Load, BigEndianNumbersOfSeveralPieces)
{
    static unsigned char data[4 * LONG];
    for (uint32_t k = 0; k < LONG; k++)
        for (int b = 0; b < 4; b++)
            data[4 * k + (uint32_t)b] = (unsigned char)(k * 77777u >> (24 - 8 * b));
    load_and_check(test_npy("'>i4'", "False", "(40000,)", data, sizeof data), LONG, check_long);
}

static void check_places(const void *elements)
{
    for (int k = 0; k < ROWS * COLUMNS && weft_test_failures() < 3; k++)
        WEFT_CHECK_EQ_INT(((const int32_t *)elements)[k], k);
}

WEFT_TEST(Load, FortranOrderOfSeveralPieces)
{
    static unsigned char data[2 * ROWS * COLUMNS];
    for (int j = 0; j < COLUMNS; j++)
        for (int i = 0; i < ROWS; i++) {
            const int at = j * ROWS + i, value = i * COLUMNS + j;
            data[2 * at] = (unsigned char)(value & 0xFF);
            data[2 * at + 1] = (unsigned char)(value >> 8);
        }
    load_and_check(test_npy("'<u2'", "True", "(151, 307)", data, sizeof data), ROWS * COLUMNS, check_places);
}

static void check_two(const void *elements)
{
    WEFT_CHECK(((const float *)elements)[0] == 1.5F && ((const float *)elements)[1] == -3);
}

WEFT_TEST(Load, AHeaderBeyond64KiB)
{
    static const char dictionary[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }";
    enum { ROOM = 0x1ABCD };
    test_bytes f = {0};
    test_put(&f, "\x93NUMPY\x02\x00", 8);
    test_put_number(&f, ROOM, 4);
    test_put(&f, dictionary, sizeof dictionary - 1);
    for (size_t k = sizeof dictionary - 1; k < ROOM; k++)
        test_put(&f, " ", 1);
    test_put(&f, (const float[]){1.5F, -3}, 8);
    load_and_check(f, 2, check_two);
}

static void keep_problem(void *user, const weft_file_tensor *t)
{
    *(bool *)user = t->problem != NULL;
    WEFT_CHECK_EQ_INT(t->bytes, t->problem ? 0 : 12);
}

/* Whole, and without its last byte: to be known before it is read. */
WEFT_TEST(Load, ACutFileIsListedWithItsProblem)
{
    fault_memory memory = {0};
    weft_ctx *c = fault_ctx_open(&memory);
    test_bytes f = test_npy("'<f4'", "False", "(3,)", (const float[]){1, 2, 3}, 12);
    for (size_t cut = 0; cut < 2; cut++) {
        weft_source source = INIT_SOURCE(.bytes = f.p, .size = f.n - cut);
        bool problem = false;
        WEFT_CHECK_OK(weft_list_tensors(c, &source, NULL, keep_problem, &problem));
        WEFT_CHECK(problem == (cut > 0));
    }
    free(f.p);
    fault_ctx_close(c, &memory);
}

/* ---- Saved headers ---- */

typedef struct header {
    weft_dtype dtype;
    int64_t shape[WEFT_MAX_DIMS];
    int ndim;
    const char *text; /* as NumPy writes it */
} header;

#define DICTIONARY(descr, shape) "{'descr': '" descr "', 'fortran_order': False, 'shape': " shape ", }"

static const header headers[] = {
    {WEFT_F32, {0}, 0, DICTIONARY("<f4", "()")},
    {WEFT_F64, {3}, 1, DICTIONARY("<f8", "(3,)")},
    {WEFT_F16, {2, 3}, 2, DICTIONARY("<f2", "(2, 3)")},
    {WEFT_BF16, {2, 3}, 2, DICTIONARY("<V2", "(2, 3)")},
    {WEFT_I64, {1, 0}, 2, DICTIONARY("<i8", "(1, 0)")},
    {WEFT_I32, {12345678, 0}, 2, DICTIONARY("<i4", "(12345678, 0)")},
    {WEFT_I8, {4}, 1, DICTIONARY("|i1", "(4,)")},
    {WEFT_U8, {1, 2, 3}, 3, DICTIONARY("|u1", "(1, 2, 3)")},
    {WEFT_BOOL, {3, 4, 5, 6, 7, 0, 8, 9}, 8, DICTIONARY("|b1", "(3, 4, 5, 6, 7, 0, 8, 9)")},
};

/* At the front of an npy file: the text, spaces, a newline, and together a multiple of 64 bytes, so that the data can
 * be mapped as they lie. */
static void check_header(const unsigned char *npy, size_t n, const char *text)
{
    const size_t length = n > 10 ? npy[8] + (size_t)256 * npy[9] : 0, used = strlen(text);
    WEFT_REQUIRE(length > used && 10 + length <= n);
    WEFT_CHECK_EQ_INT((10 + length) % 64, 0);
    WEFT_CHECK_EQ_INT(npy[10 + length - 1], '\n');
    if (memcmp(npy + 10, text, used) != 0)
        WEFT_FAIL("%.*s, not %s", (int)used, (const char *)npy + 10, text);
    for (size_t k = used; k < length - 1; k++)
        WEFT_CHECK_EQ_INT(npy[10 + k], ' ');
}

WEFT_TEST(Save, HeadersAreAsNumPyWritesThem)
{
    fault_memory memory = {0};
    test_folder folder;
    weft_ctx *c = fault_ctx_open(&memory);
    WEFT_REQUIRE(c && test_folder_make(&folder));
    for (size_t k = 0; k < sizeof headers / sizeof headers[0]; k++) {
        const header *h = &headers[k];
        const weft_named_tensor one = {"x", weft_zeros(c, h->dtype, h->shape, h->ndim)};
        WEFT_CHECK_OK(weft_save_npz(c, test_path(&folder, "a.npz"), &one, 1));
        size_t n = 0, at = 0;
        unsigned char *bytes = test_file_read(test_path(&folder, "a.npz"), &n);
        while (bytes && at + 10 < n && memcmp(bytes + at, "\x93NUMPY\x01\x00", 8) != 0)
            at++;
        if (bytes && at + 10 < n)
            check_header(bytes + at, n - at, h->text);
        else
            WEFT_FAIL("no npy file in the archive");
        free(bytes);
    }
    test_folder_drop(&folder);
    fault_ctx_close(c, &memory);
}

/* Readers take headers of 100 MB with the length in front. Here a header is what is wrong, or only the folder, which is
 * looked for afterwards. Names are ends of one text, of control characters, which take six bytes each; the last one's
 * letters make up the rest. */
WEFT_TEST(Save, TheLargestHeaderThatReadersTake)
{
    enum { N = 17, NAME = 1 << 20, SHORTER = 870000, MOST = 100000000 - 8 };
    fault_memory memory = {0};
    weft_ctx *c = fault_ctx_open(&memory);
    char *text = malloc(NAME + 1), *letters = malloc(NAME + 1);
    WEFT_REQUIRE(c && text && letters);
    memset(text, 1, NAME);
    memset(letters, 'x', NAME);
    text[NAME] = letters[NAME] = '\0';
    weft_named_tensor all[N];
    for (int k = 0; k < N; k++)
        all[k].tensor = weft_zeros(c, WEFT_F32, WEFT_DIMS(0)), all[k].name = text + k;
    all[N - 2].name = text + NAME - SHORTER;
    all[N - 1].name = letters;
    long long bytes = 0;
    for (long long want = MOST + 1; want >= MOST; want--) {
        WEFT_CHECK_STATUS(weft_save_safetensors(c, "/nowhere/x", all, N), WEFT_E_INVALID);
        const char *said = strstr(weft_ctx_message(c), "its header would have ");
        WEFT_REQUIRE(said && sscanf(said, "its header would have %lld bytes", &bytes) == 1);
        (void)weft_ctx_clear(c);
        WEFT_REQUIRE(bytes > want && bytes - want < NAME);
        all[N - 1].name += bytes - want;
    }
    WEFT_CHECK_EQ_INT(bytes, MOST + 1);
    WEFT_CHECK_STATUS(weft_save_safetensors(c, "/nowhere/x", all, N), WEFT_E_IO);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "No such file or directory");
    (void)weft_ctx_clear(c);
    free(text);
    free(letters);
    fault_ctx_close(c, &memory);
}
