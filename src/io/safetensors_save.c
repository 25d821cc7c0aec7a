/* safetensors_save.c - see safetensors.c. */
#include <stdio.h>
#include <string.h>
#include "json_text.h"
#include "safetensors.h"
#include "save.h"

static const char *const dtype_names[WEFT_DTYPE_COUNT] = {
    [WEFT_F32] = "F32", [WEFT_F64] = "F64", [WEFT_F16] = "F16", [WEFT_BF16] = "BF16", [WEFT_I64] = "I64",
    [WEFT_I32] = "I32", [WEFT_I8] = "I8",   [WEFT_U8] = "U8",   [WEFT_BOOL] = "BOOL"};

enum { FIELDS = 320 }; /* most bytes of what follows a name: 8 sizes and 2 offsets of at most 20 digits */

/* What follows a name. */
static size_t put_fields(char fields[FIELDS], const weft_tensor *t, uint64_t begin)
{
    const uint64_t end = begin + weft__save_bytes(t);
    int n = snprintf(fields, FIELDS, ":{\"dtype\":\"%s\",\"shape\":[", dtype_names[weft_dtype_of(t)]);
    for (int d = 0; d < weft_ndim(t); d++)
        n += snprintf(fields + n, (size_t)(FIELDS - n), "%s%lld", d ? "," : "", (long long)weft_shape(t)[d]);
    n += snprintf(fields + n, (size_t)(FIELDS - n), "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)begin,
                  (unsigned long long)end);
    return (size_t)n;
}

/* The bytes of the header without padding. */
static uint64_t header_size(const weft__saver *s)
{
    char fields[FIELDS];
    uint64_t size = 2, begin = 0;
    for (int k = 0; k < s->n; k++) {
        size += (k > 0) + weft__json_string_size(s->tensors[k].name) + put_fields(fields, s->tensors[k].tensor, begin);
        begin += weft__save_bytes(s->tensors[k].tensor);
    }
    return size;
}

/* The header with its length in front, padded to 8 bytes by spaces. */
static void write_header(weft__saver *s, uint64_t size)
{
    const uint64_t padded = (size + 7) / 8 * 8;
    unsigned char length[8];
    char fields[FIELDS];
    uint64_t begin = 0;
    for (int k = 0; k < 8; k++)
        length[k] = (unsigned char)(padded >> (8 * k));
    weft__save_put(s, length, 8);
    weft__save_put(s, "{", 1);
    for (int k = 0; k < s->n; k++) {
        if (k > 0)
            weft__save_put(s, ",", 1);
        weft__json_string(s->file.out, s->tensors[k].name);
        weft__save_put(s, fields, put_fields(fields, s->tensors[k].tensor, begin));
        begin += weft__save_bytes(s->tensors[k].tensor);
    }
    weft__save_put(s, "}       ", (size_t)(1 + padded - size));
}

static weft_status write_all(weft__saver *s, void *size)
{
    weft_status status = WEFT_OK;
    write_header(s, *(const uint64_t *)size);
    for (int k = 0; k < s->n && status == WEFT_OK; k++) {
        weft_tensor *t = s->tensors[k].tensor;
        const unsigned char *data = weft__save_elements(s, t, &status);
        if (!data)
            return status;
        weft__save_put(s, data, weft__save_bytes(t));
        weft__save_drop(s, t, data);
    }
    return status;
}

weft_status weft_save_safetensors(weft_ctx *ctx, const char *path, const weft_named_tensor *tensors, int n)
{
    weft__saver s = {.ctx = ctx,
                     .function = "save_safetensors",
                     .path = path,
                     .tensors = tensors,
                     .n = n,
                     .max_name = WEFT__MOST_NAME,
                     .reserved = "__metadata__"};
    const weft_status status = weft__save_check(&s);
    if (status != WEFT_OK)
        return status;
    uint64_t size = header_size(&s);
    if (size > WEFT__SAFETENSORS_HEADER - 8)
        return weft_ctx_fail(
            ctx, WEFT_E_INVALID,
            "weft_save_safetensors: %s: its header would have %llu bytes; readers take at most 100 MB: "
            "shorten the names, or save an npz",
            path, (unsigned long long)size);
    return weft__save_file(&s, write_all, &size);
}
