/* io.h - tensors in files: NumPy's npz and safetensors.
 *
 *     weft_named_tensor *all;
 *     int n;
 *     if (weft_load_npz(ctx, "model.npz", &all, &n) != WEFT_OK) ...
 *     weft_tensor *w = weft_named(all, n, "w1");
 *     ...
 *     weft_named_free(ctx, all, n);
 *
 * Files are taken as hostile: every size is checked against the file's own before memory is taken, and what does not fit is
 * WEFT_E_IO with a sentence that says what is wrong where.
 *
 * Part of the public API; not included by weft.h. */
#ifndef WEFT_IO_H
#define WEFT_IO_H

#include <weft/weft.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_named_tensor {
    const char *name;
    weft_tensor *tensor;
} weft_named_tensor;

/* An npz file: a zip archive of stored (not compressed) npy entries, little endian, as numpy.savez writes it; names without
 * ".npy". bf16, which NumPy does not have, is written as "<V2". */
WEFT_API WEFT_MUST_CHECK weft_status weft_save_npz(weft_ctx *ctx, const char *path, const weft_named_tensor *tensors,
                                                   int n);

/* Reads npy versions 1.0 to 3.0, C and Fortran order, of the dtypes of dtype.h (big-endian numbers too; u16 and u32 become
 * i32 and i64; "V2" bf16). Compressed entries need zlib (libz.so.1), which is opened when the first one comes. A plain
 * .npy file is read as one tensor named "arr_0". Tensors belong to the innermost scope; the list is freed by
 * weft_named_free. */
WEFT_API WEFT_MUST_CHECK weft_status weft_load_npz(weft_ctx *ctx, const char *path, weft_named_tensor **tensors,
                                                   int *n);

/* A safetensors file: F64 F32 F16 BF16 I64 I32 I8 U8 BOOL. */
WEFT_API WEFT_MUST_CHECK weft_status weft_save_safetensors(weft_ctx *ctx, const char *path,
                                                           const weft_named_tensor *tensors, int n);
WEFT_API WEFT_MUST_CHECK weft_status weft_load_safetensors(weft_ctx *ctx, const char *path, weft_named_tensor **tensors,
                                                           int *n);

/* Frees the list and its names, not the tensors. NULL is fine. */
WEFT_API void weft_named_free(weft_ctx *ctx, weft_named_tensor *tensors, int n);

/* The tensor of that name, or NULL. */
WEFT_API weft_tensor *weft_named(const weft_named_tensor *tensors, int n, const char *name);

#ifdef __cplusplus
}
#endif
#endif
