/* test_io.c - npz and safetensors: there and back, files of other software, and hostile ones. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* clang-format off */
#include <weft/io.h>
/* clang-format on */
#include "harness/structs.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"

typedef weft_status save_fn(weft_ctx *ctx, const char *path, const weft_named_tensor *tensors, int n);
typedef weft_status load_fn(weft_ctx *ctx, const char *path, weft_named_tensor **tensors, int *n);

static bool temporary(char path[32])
{
    snprintf(path, 32, "/tmp/weft_io_XXXXXX");
    const int file = mkstemp(path);
    if (file >= 0)
        close(file);
    return file >= 0;
}

/* ---- There and back ---- */

enum { KINDS = WEFT_DTYPE_COUNT + 3 };

static int make_all(weft_ctx *ctx, weft_named_tensor *all, char names[KINDS][24])
{
    int n = 0;
    for (int d = 0; d < WEFT_DTYPE_COUNT; d++, n++) {
        snprintf(names[n], sizeof names[n], "of/%s \"x\"", weft_dtype_name((weft_dtype)d));
        all[n].tensor =
            weft_cast(weft_transpose(weft_randn(ctx, WEFT_F32, WEFT_DIMS(3, 5), 1, 40), 0, 1), (weft_dtype)d);
    }
    snprintf(names[n], sizeof names[n], "scalar");
    all[n++].tensor = weft_scalar(ctx, WEFT_F64, 0.1);
    snprintf(names[n], sizeof names[n], "empty");
    all[n++].tensor = weft_zeros(ctx, WEFT_F32, WEFT_DIMS(2, 0, 3));
    snprintf(names[n], sizeof names[n], "sliced");
    all[n++].tensor = weft_slice(weft_arange(ctx, WEFT_I64, 0, 20, 1), 0, 1, 20, 3);
    for (int k = 0; k < n; k++)
        all[k].name = names[k];
    return n;
}

static void check_same(weft_ctx *ctx, const weft_named_tensor *a, weft_tensor *b)
{
    const size_t bytes = (size_t)weft_count(a->tensor) * weft_dtype_size(weft_dtype_of(a->tensor));
    if (!b || weft_dtype_of(b) != weft_dtype_of(a->tensor) || weft_ndim(b) != weft_ndim(a->tensor) ||
        memcmp(weft_shape(b), weft_shape(a->tensor), sizeof(int64_t) * (size_t)weft_ndim(b)) != 0) {
        WEFT_FAIL("%s: missing, or another dtype or shape", a->name);
        return;
    }
    char *x = malloc(bytes + 1), *y = malloc(bytes + 1);
    WEFT_CHECK_OK(weft_read(ctx, a->tensor, x, bytes));
    WEFT_CHECK_OK(weft_read(ctx, b, y, bytes));
    if (memcmp(x, y, bytes) != 0)
        WEFT_FAIL("%s: other values", a->name);
    free(x);
    free(y);
}

static void there_and_back(save_fn *save, load_fn *load)
{
    fault_memory memory = {0};
    weft_options options = fault_options(&memory);
    weft_ctx *ctx;
    char path[32], names[KINDS][24];
    weft_named_tensor all[KINDS], *back = NULL;
    int n_back = 0;
    WEFT_REQUIRE(temporary(path));
    WEFT_REQUIRE(weft_ctx_open(&options, &ctx) == WEFT_OK);
    const int n = make_all(ctx, all, names);
    WEFT_CHECK_OK(save(ctx, path, all, n));
    WEFT_CHECK_OK(load(ctx, path, &back, &n_back));
    WEFT_CHECK_EQ_INT(n_back, n);
    for (int k = 0; k < n; k++)
        check_same(ctx, &all[k], weft_named(back, n_back, all[k].name));
    weft_named_free(ctx, back, n_back);
    WEFT_CHECK_OK(save(ctx, path, NULL, 0));
    WEFT_CHECK_OK(load(ctx, path, &back, &n_back));
    WEFT_CHECK_EQ_INT(n_back, 0);
    weft_named_free(ctx, back, n_back);
    weft_ctx_close(ctx);
    WEFT_CHECK_EQ_INT(memory.live_bytes, 0);
    WEFT_CHECK(!memory.mismatch);
    unlink(path);
}

WEFT_TEST(Files, NpzThereAndBack)
{
    there_and_back(weft_save_npz, weft_load_npz);
}

WEFT_TEST(Files, SafetensorsThereAndBack)
{
    there_and_back(weft_save_safetensors, weft_load_safetensors);
}

WEFT_TEST(Files, MessagesNameTheFile)
{
    weft_ctx *ctx;
    weft_named_tensor *all;
    int n;
    WEFT_REQUIRE(weft_ctx_open(NULL, &ctx) == WEFT_OK);
    WEFT_CHECK_STATUS(weft_load_npz(ctx, "/nowhere/at/all.npz", &all, &n), WEFT_E_IO);
    WEFT_CHECK_STR_HAS(weft_ctx_message(ctx), "weft_load_npz: /nowhere/at/all.npz: No such file");
    weft_ctx_clear(ctx);
    WEFT_CHECK_STATUS(weft_save_safetensors(ctx, "/nowhere/at/all", NULL, 0), WEFT_E_IO);
    weft_ctx_close(ctx);
}

/* ---- Any damage is an error or a file, never more memory than a few times its size ---- */

static void load_bytes(load_fn *load, const char *path, const unsigned char *bytes, size_t size)
{
    FILE *f = fopen(path, "wb");
    weft_ctx *ctx;
    weft_named_tensor *all;
    int n;
    fwrite(bytes, 1, size, f);
    fclose(f);
    WEFT_REQUIRE(weft_ctx_open(&WITH_OPTIONS(.memory_budget = 1 << 20), &ctx) == WEFT_OK);
    const weft_status status = load(ctx, path, &all, &n);
    if (status == WEFT_OK)
        weft_named_free(ctx, all, n);
    else if (status != WEFT_E_IO)
        WEFT_FAIL("%s: %s", weft_status_name(status), weft_ctx_message(ctx));
    weft_ctx_close(ctx);
}

static void damage(save_fn *save, load_fn *load)
{
    weft_ctx *ctx;
    char path[32], names[KINDS][24];
    weft_named_tensor all[KINDS];
    unsigned char bytes[16384];
    WEFT_REQUIRE(temporary(path));
    WEFT_REQUIRE(weft_ctx_open(NULL, &ctx) == WEFT_OK);
    const int n = make_all(ctx, all, names);
    WEFT_CHECK_OK(save(ctx, path, all, n));
    weft_ctx_close(ctx);
    FILE *f = fopen(path, "rb");
    const size_t size = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    for (size_t cut = 0; cut < size; cut += 29)
        load_bytes(load, path, bytes, cut);
    for (size_t k = 0; k < size; k += 11) {
        const unsigned char was = bytes[k];
        bytes[k] = (unsigned char)(was ^ (1u << k % 8));
        load_bytes(load, path, bytes, size);
        bytes[k] = 0xFF;
        load_bytes(load, path, bytes, size);
        bytes[k] = was;
    }
    unlink(path);
}

WEFT_TEST(Files, DamagedNpz)
{
    damage(weft_save_npz, weft_load_npz);
}

WEFT_TEST(Files, DamagedSafetensors)
{
    damage(weft_save_safetensors, weft_load_safetensors);
}

/* ---- Files of other software, real and hostile ----
 * They are not part of this repository: WEFT_SHARED_DATA names a folder with malformed/, npy/ and safetensors/
 * (default: ../shared/data beside the sources). Values of such files are in tests/files/values, which is:
 * test_io_values.c. */

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* Loads one file and checks that it is taken, or refused, as its name says: *_ok_*. 0 if the extension is another's. */
static int load_one(const char *folder, const char *name, bool want)
{
    char path[1024];
    weft_ctx *ctx;
    weft_named_tensor *all;
    int n;
    const bool safe = ends_with(name, ".safetensors");
    if (!safe && !ends_with(name, ".npy") && !ends_with(name, ".npz"))
        return 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (weft_ctx_open(NULL, &ctx) != WEFT_OK)
        return 0;
    const weft_status status = safe ? weft_load_safetensors(ctx, path, &all, &n) : weft_load_npz(ctx, path, &all, &n);
    if ((status == WEFT_OK) != want || (!want && status != WEFT_E_IO))
        WEFT_FAIL("%s: %s %s", name, weft_status_name(status), weft_ctx_message(ctx));
    if (status == WEFT_OK)
        weft_named_free(ctx, all, n);
    weft_ctx_close(ctx);
    return 1;
}

static bool is_good(const char *name)
{
    static const char *const good[] = {"_ok_",          "st_many", "st_long_name", "npy_trail", "npz_bomb",
                                       "npz_traversal", "burn-",   "encodec",      "-float",    "-int",
                                       "bool.npy",      "test.np", "boost.npz",    "gsl.npz",   "local.npz"};
    for (size_t k = 0; k < sizeof good / sizeof *good; k++)
        if (strstr(name, good[k]))
            return true;
    return false;
}

static int load_folder(const char *data, const char *folder)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", data, folder);
    DIR *dir = opendir(path);
    int n = 0;
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        n += load_one(path, entry->d_name, is_good(entry->d_name));
    if (dir)
        closedir(dir);
    return n;
}

WEFT_TEST(Files, OfOtherSoftware)
{
    const char *data = getenv("WEFT_SHARED_DATA");
    data = data ? data : WEFT_SOURCE_DIR "/../shared/data";
    int n = 0;
    static const char *const folders[] = {"malformed", "safetensors", "npy/npyjs", "npy/candle"};
    for (size_t k = 0; k < sizeof folders / sizeof *folders; k++)
        n += load_folder(data, folders[k]);
    if (n == 0)
        WEFT_SKIP("%s holds none of the files; WEFT_SHARED_DATA may name the folder", data);
    weft_test_property("files", n);
}
