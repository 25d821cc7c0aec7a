/* npz_save.c - zip archives of npy files: stored entries, with 64-bit sizes. The format:
 * https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT */
#include <string.h>
#include "crc.h"
#include "npy.h"
#include "save.h"
#include "zip.h"

enum { EXTRA64 = 20 /* of a local entry: tag, size, two sizes */, MOST_NAME = 60000 };

typedef struct written {
    uint64_t offset, size;
    uint32_t crc;
} written;

static void put(unsigned char *p, uint64_t value, int bytes)
{
    for (int k = 0; k < bytes; k++)
        p[k] = (unsigned char)(value >> (8 * k));
}

/* What local and central headers share, from "version needed" on: sizes are in the extra field. */
static void put_common(unsigned char *p, const written *m, size_t name, size_t extra)
{
    put(p, 45, 2); /* version with 64-bit sizes */
    put(p + 2, WEFT__ZIP_UTF8, 2);
    put(p + 4, WEFT__STORED, 2);
    put(p + 8, (1 << 5) | 1, 2); /* 1980-01-01: files of the same tensors are the same */
    put(p + 10, m->crc, 4);
    put(p + 14, UINT32_MAX, 4);
    put(p + 18, UINT32_MAX, 4);
    put(p + 22, name, 2);
    put(p + 24, extra, 2);
}

static void write_local(weft__saver *s, const char *name, const written *m)
{
    unsigned char head[WEFT__ZIP_LOCAL_SIZE] = {0}, extra[EXTRA64] = {0};
    const size_t length = strlen(name) + 4;
    put(head, WEFT__ZIP_LOCAL, 4);
    put_common(head + 4, m, length, sizeof extra);
    put(extra, 1, 2);
    put(extra + 2, 16, 2);
    put(extra + 4, m->size, 8);
    put(extra + 12, m->size, 8);
    weft__save_put(s, head, sizeof head);
    weft__save_put(s, name, length - 4);
    weft__save_put(s, ".npy", 4);
    weft__save_put(s, extra, sizeof extra);
}

static void write_central(weft__saver *s, const char *name, const written *m)
{
    unsigned char head[WEFT__ZIP_CENTRAL_SIZE] = {0}, extra[EXTRA64 + 8] = {0};
    const size_t length = strlen(name) + 4;
    put(head, WEFT__ZIP_CENTRAL, 4);
    put(head + 4, 45, 2);
    put_common(head + 6, m, length, sizeof extra);
    put(head + 42, UINT32_MAX, 4);
    put(extra, 1, 2);
    put(extra + 2, 24, 2);
    put(extra + 4, m->size, 8);
    put(extra + 12, m->size, 8);
    put(extra + 20, m->offset, 8);
    weft__save_put(s, head, sizeof head);
    weft__save_put(s, name, length - 4);
    weft__save_put(s, ".npy", 4);
    weft__save_put(s, extra, sizeof extra);
}

/* 64-bit values only where they are needed: an archive of nothing must begin with the short record, or NumPy refuses
 * it. */
static void write_end(weft__saver *s, uint64_t directory, int n)
{
    unsigned char wide[WEFT__ZIP_END64_SIZE] = {0}, locator[WEFT__ZIP_LOCATOR64_SIZE] = {0},
                  end[WEFT__ZIP_END_SIZE] = {0};
    const uint64_t at = s->at;
    const bool large = n >= UINT16_MAX || at >= UINT32_MAX;
    put(wide, WEFT__ZIP_END64, 4);
    put(wide + 4, WEFT__ZIP_END64_SIZE - 12, 8);
    put(wide + 12, 45, 2);
    put(wide + 14, 45, 2);
    put(wide + 24, (uint64_t)n, 8);
    put(wide + 32, (uint64_t)n, 8);
    put(wide + 40, at - directory, 8);
    put(wide + 48, directory, 8);
    put(locator, WEFT__ZIP_LOCATOR64, 4);
    put(locator + 8, at, 8);
    put(locator + 16, 1, 4);
    put(end, WEFT__ZIP_END, 4);
    put(end + 8, large ? UINT16_MAX : (uint64_t)n, 2);
    put(end + 10, large ? UINT16_MAX : (uint64_t)n, 2);
    put(end + 12, large ? UINT32_MAX : at - directory, 4);
    put(end + 16, large ? UINT32_MAX : directory, 4);
    if (large) {
        weft__save_put(s, wide, sizeof wide);
        weft__save_put(s, locator, sizeof locator);
    }
    weft__save_put(s, end, sizeof end);
}

static weft_status write_member(weft__saver *s, const weft_named_tensor *item, written *m)
{
    unsigned char header[WEFT__NPY_HEADER];
    weft_tensor *t = item->tensor;
    weft_status status = WEFT_OK;
    const size_t head = weft__npy_header(t, header), bytes = weft__save_bytes(t);
    const unsigned char *data = weft__save_elements(s, t, &status);
    if (!data)
        return status;
    *m = (written){.offset = s->at, .size = head + bytes, .crc = weft__crc(weft__crc(0, header, head), data, bytes)};
    write_local(s, item->name, m);
    weft__save_put(s, header, head);
    weft__save_put(s, data, bytes);
    weft__save_drop(s, t, data);
    return WEFT_OK;
}

static weft_status write_all(weft__saver *s, void *members)
{
    written *m = members;
    weft_status status = WEFT_OK;
    for (int k = 0; k < s->n && status == WEFT_OK; k++)
        status = write_member(s, &s->tensors[k], &m[k]);
    const uint64_t directory = s->at;
    for (int k = 0; k < s->n && status == WEFT_OK; k++)
        write_central(s, s->tensors[k].name, &m[k]);
    write_end(s, directory, s->n);
    return status;
}

weft_status weft_save_npz(weft_ctx *ctx, const char *path, const weft_named_tensor *tensors, int n)
{
    weft__saver s = {
        .ctx = ctx, .function = "save_npz", .path = path, .tensors = tensors, .n = n, .max_name = MOST_NAME};
    weft_status status = weft__save_check(&s);
    if (status != WEFT_OK)
        return status;
    const size_t bytes = sizeof(written) * ((size_t)n + 1);
    written *members = weft__take(ctx, bytes, &status);
    if (!members)
        return status;
    status = weft__save_file(&s, write_all, members);
    weft_ctx_free(ctx, members, bytes);
    return status;
}
