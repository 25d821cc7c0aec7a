/* test_files.c - files from and to the memory of a device: by way of the host, larger than the pieces in which files
 * are read. */
#include "both.h"

#include <stdlib.h>
#include <weft/io.h>

#include "harness/structs.h"
#include "harness/test_archive.h"
#include "harness/test_folder.h"
#include "harness/weft_test.h"

enum { ROWS = 130, COLUMNS = 700 };

typedef struct way {
    weft_status (*save)(weft_ctx *ctx, const char *path, const weft_named_tensor *tensors, int n);
    weft_dtype dtype;
} way;

/* A matrix and its transposed view, through a file. */
static weft_tensor *there_and_back(weft_ctx *ctx, void *user)
{
    const way *w = user;
    test_folder folder;
    weft_named_tensor *all;
    weft_tensor *y = NULL;
    int n;
    weft_tensor *x = both_input(ctx, w->dtype, WEFT_DIMS(ROWS, COLUMNS), 0, 2, 3);
    const weft_named_tensor both[] = {{"x", x}, {"turned", weft_transpose(x, 0, 1)}};
    if (!test_folder_make(&folder))
        return NULL;
    if (w->save(ctx, test_path(&folder, "f"), both, 2) == WEFT_OK &&
        weft_load(ctx, &WITH_SOURCE(.path = test_path(&folder, "f")), NULL, &all, &n) == WEFT_OK) {
        WEFT_CHECK(weft_is_contiguous(all[1].tensor));
        y = weft_concat((weft_tensor *[]){all[0].tensor, weft_transpose(all[1].tensor, 0, 1)}, 2, 0);
        weft_named_free(ctx, all, n);
    }
    test_folder_drop(&folder);
    return y;
}

WEFT_TEST(DeviceFiles, ThereAndBack)
{
    const way ways[] = {{weft_save_npz, WEFT_F32},          {weft_save_safetensors, WEFT_BF16},
                        {weft_save_npz, WEFT_BOOL},         {weft_save_npz, WEFT_BF16},
                        {weft_save_safetensors, WEFT_BOOL}, {weft_save_safetensors, WEFT_I64}};
    for (size_t k = 0; k < sizeof ways / sizeof *ways; k++)
        check_both("there and back", there_and_back, (void *)(uintptr_t)&ways[k], 0, 0);
}

/* What is converted on the way: Fortran order, big endian, u16. */
static weft_tensor *converted(weft_ctx *ctx, void *user)
{
    (void)user;
    weft_named_tensor *all;
    int n;
    test_bytes numbers = {0};
    for (unsigned k = 0; k < ROWS * COLUMNS; k++)
        test_put_number(&numbers, (k * 40503u) & 0xFFFF, 2);
    test_bytes b = test_npy("'>u2'", "True", "(130, 700)", numbers.p, numbers.n);
    weft_tensor *y = NULL;
    if (weft_load(ctx, &WITH_SOURCE(.bytes = b.p, .size = b.n), NULL, &all, &n) == WEFT_OK) {
        y = all[0].tensor;
        weft_named_free(ctx, all, n);
    }
    free(numbers.p);
    free(b.p);
    return y;
}

WEFT_TEST(DeviceFiles, Converted)
{
    check_both("converted", converted, NULL, 0, 0);
}
