/* io.h - tensors in files: NumPy's npz and safetensors; of PyTorch's and ggml's, what is in them.
 *
 *     weft_named_tensor *all;
 *     int n;
 *     if (weft_load_npz(ctx, "model.npz", &all, &n) != WEFT_OK) ...
 *     weft_tensor *w = weft_named(all, n, "w1");
 *     ...
 *     weft_named_free(ctx, all, n);
 *
 * Loading. Files are taken as hostile: every size is checked against the file's own, the context's memory budget and
 * the caller's limits before memory is taken, and what does not fit is a status with a sentence that says what is wrong
 * where. The bytes go straight into the tensors' memory (on a GPU by way of one tensor's size of host memory). Loading
 * gives all that was asked for or nothing: after a failure *tensors is NULL, *n is 0 and no tensor is left behind.
 *
 * Saving. The list and every tensor in it are looked at before any file is touched: a name that is missing, there
 * twice, not UTF-8, too long or "__metadata__" (safetensors), or a tensor that is NULL, dead or of another context, is
 * an error. The new file is written beside the old one, brought to the disk and renamed: whatever happens - a full
 * disk, kill -9, a power cut - the path holds the old file or the new one, whole. So the folder must allow new files,
 * and hard links to the old file keep the old contents. A symbolic link stays, and the file that it names is replaced;
 * an old file's mode stays, and its owner where the system allows that; one that may not be written is not replaced.
 * Where the file system cannot make files without a name (O_TMPFILE), a killed process can leave a .weft-*.tmp in the
 * folder. What is no ordinary file cannot be replaced: a device, /dev/stdout or a FIFO that somebody reads is written
 * as it comes.
 *
 * Statuses of both: WEFT_E_IO for files, WEFT_E_NOMEM, WEFT_E_INVALID and WEFT_E_NULL_ARGUMENT for arguments; an error
 * that the context already has is returned before anything else happens.
 *
 * Part of the public API; not included by weft.h. */
#ifndef WEFT_IO_H
#define WEFT_IO_H

#include <weft/weft.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Complete: it never grows. */
typedef struct weft_named_tensor {
    const char *name;
    weft_tensor *tensor;
} weft_named_tensor;

/* ---- npz ---- */

/* An npz file: a zip archive of stored (not compressed) npy entries, little endian, as numpy.savez writes it; names
 * without ".npy", at most 60000 bytes. bf16, which NumPy does not have, is written as "<V2". n may be 0. */
WEFT_API WEFT_MUST_CHECK weft_status weft_save_npz(weft_ctx *ctx, const char *path, const weft_named_tensor *tensors,
                                                   int n);

/* Reads npy versions 1.0 to 3.0, C and Fortran order, of the dtypes of dtype.h (big-endian numbers too; i16, u16 and
 * u32 become i32, i32 and i64; "V2" bf16; a bool that is not 0 is 1). Compressed entries need zlib (libz.so.1), which
 * is opened when the first one comes. A plain .npy file is read as one tensor named "arr_0". Tensors belong to the
 * innermost scope; the list is freed by weft_named_free. An entry of another kind (texts, objects, complex numbers) is
 * an error: weft_load with the names of the others leaves it out. */
WEFT_API WEFT_MUST_CHECK weft_status weft_load_npz(weft_ctx *ctx, const char *path, weft_named_tensor **tensors,
                                                   int *n);

/* ---- safetensors ---- */

/* A safetensors file: F64 F32 F16 BF16 I64 I32 I8 U8 BOOL. Names of at most 2^20 bytes. */
WEFT_API WEFT_MUST_CHECK weft_status weft_save_safetensors(weft_ctx *ctx, const char *path,
                                                           const weft_named_tensor *tensors, int n);

/* Of those, and I16, U16 and U32, which become i32, i32 and i64, and F8_E4M3, F8_E5M2 and F8_E8M0, which become f32. An
 * index (model.safetensors.index.json) of files that lie beside it is read as one file of all the tensors that it
 * names; all its files must be there. The rest as for weft_load_npz. */
WEFT_API WEFT_MUST_CHECK weft_status weft_load_safetensors(weft_ctx *ctx, const char *path, weft_named_tensor **tensors,
                                                           int *n);

/* ---- Any of them, from anywhere, in part ---- */

/* Where a file's bytes are; exactly one of path, bytes and read. All must stay as they are during the call. */
typedef struct weft_source {
    size_t struct_size; /* set by WEFT_SOURCE_DEFAULTS; all else is NULL and 0 there */
    const char *path;   /* an ordinary file; anything else (a folder, a device, a FIFO) is refused at once */
    const void *bytes;  /* size bytes in memory */
    /* Copies n bytes from offset on to `to`; true: done. offset + n <= size. Called in any order, some bytes more than
     * once. It must return, and may use ctx for all but closing it or popping scopes that were open before the call
     * (ctx.h: Callbacks). */
    bool (*read)(void *user, uint64_t offset, void *to, size_t n);
    void *user;
    uint64_t size;    /* of bytes, or of what read reads */
    const char *name; /* for messages; NULL: the path, or "memory", "callback" */
} weft_source;
#define WEFT_SOURCE_DEFAULTS                                                                                           \
    {                                                                                                                  \
        sizeof(weft_source), NULL, NULL, NULL, NULL, 0, NULL                                                           \
    }

/* A file beyond a limit is WEFT_E_IO. */
typedef struct weft_load_options {
    size_t struct_size;       /* set by WEFT_LOAD_DEFAULTS */
    const char *const *names; /* load these only, in this order; one that is not there is an error. NULL: all */
    int n_names;
    /* Of the data of all tensors that are loaded; default UINT64_MAX. Whatever it is, no more than the context's memory
     * budget leaves, or without one what a file of this size can hold: deflate makes at most 1032 bytes of one. */
    uint64_t max_bytes;
    int64_t max_tensors; /* in the file; default INT64_MAX. Whatever it is, no more than its size can hold */
    size_t max_name;     /* bytes of a name; default 2^20 */
} weft_load_options;
#define WEFT_LOAD_DEFAULTS                                                                                             \
    {                                                                                                                  \
        sizeof(weft_load_options), NULL, 0, UINT64_MAX, INT64_MAX, (size_t)1 << 20                                     \
    }

/* Loads npz, npy, safetensors (an index too), what torch.save writes or GGUF, whichever it is. options NULL: the
 * defaults. Results as for weft_load_npz.
 *
 * torch.save (.pt, .pth; the zip archives of PyTorch 1.6 and later, and the form from before): tensors and
 * parameters in dicts, lists and tuples, as of a state_dict, an optimiser's or both in one dict; each has its path
 * as its name, "model.fc1.weight", "optimizer.state.0.exp_avg", a tensor alone "tensor". Numbers and texts beside
 * them are passed by. float64, float32, float16, bfloat16, int64, int32, int8, uint8 and bool; int16, uint16 and
 * uint32, which become i32, i32 and i64; float8_e4m3fn, float8_e5m2 and float8_e8m0fnu, which become f32; views come
 * as the elements that they show. Such a file is a Python program for a machine that can call any function; here
 * nothing is called, and what names anything but tensors and plain containers (a whole torch.nn.Module, a NumPy
 * number) is refused with that name. Of a storage only a part of which is a tensor the archive's checksum is not
 * looked at.
 *
 * GGUF, versions 2 and 3: F64 F32 F16 BF16 I64 I32 I8, I16 (i32), and Q8_0, Q5_1, Q5_0, Q4_1 and Q4_0, which become
 * f32 (what each 4-bit to 8-bit number stands for, d q or d q + m). Other kinds (Q4_K ...) are an error for each
 * tensor: leave them out by name. Dims come in the order of this library, the one that runs fastest last. The
 * metadata is passed by. */
WEFT_API WEFT_MUST_CHECK weft_status weft_load(weft_ctx *ctx, const weft_source *source,
                                               const weft_load_options *options, weft_named_tensor **tensors, int *n);

/* What is known of one tensor in a file without its data. Valid during the call. */
typedef struct weft_file_tensor {
    const char *name;
    char dtype[16]; /* as the file says it, cut: "<f4", "|O", "F8_E4M3"; "" if that cannot be read */
    weft_dtype as;  /* what it is loaded as, if it can be */
    int ndim;       /* 0, if the shape cannot be read or has more than 8 dims: then there is a problem, too */
    int64_t shape[WEFT_MAX_DIMS];
    uint64_t bytes;      /* of the tensor's memory, if it can be loaded */
    const char *problem; /* NULL: it can be loaded; else why not, as a part of a sentence */
} weft_file_tensor;

/* Calls row for each tensor of the file, in its order, without reading data; one that cannot be loaded is a row too.
 * row must return, and may use ctx for all but closing it. options NULL: the defaults; names and max_bytes mean nothing
 * here. The status says whether the file as a whole can be read: damage to the data itself is not looked for. */
WEFT_API WEFT_MUST_CHECK weft_status weft_list_tensors(weft_ctx *ctx, const weft_source *source,
                                                       const weft_load_options *options,
                                                       void (*row)(void *user, const weft_file_tensor *tensor),
                                                       void *user);

/* ---- Lists ---- */

/* Frees a list that was loaded and its names, not the tensors. NULL is fine. */
WEFT_API void weft_named_free(weft_ctx *ctx, weft_named_tensor *tensors, int n);

/* The tensor of that name, or NULL. Looks at one after the other: to find many among thousands, ask weft_load for their
 * names, whose order the list then has. */
WEFT_API weft_tensor *weft_named(const weft_named_tensor *tensors, int n, const char *name);

#ifdef __cplusplus
}
#endif
#endif
