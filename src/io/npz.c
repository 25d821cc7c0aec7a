/* npz.c - zip archives of npy files. Reading goes by the central directory; writing makes stored entries, with the 64-bit
 * fields where a size needs them. The format: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "inflate.h"
#include "npy.h"

enum {
    LOCAL = 0x04034b50,
    CENTRAL = 0x02014b50,
    END = 0x06054b50,
    END64 = 0x06064b50,
    LOCATOR64 = 0x07064b50,
    LOCAL_SIZE = 30,
    CENTRAL_SIZE = 46,
    END_SIZE = 22,
    END64_SIZE = 56,
    LOCATOR64_SIZE = 20,
    EXTRA64 = 20, /* of a local entry: tag, size, two sizes */
    STORED = 0,
    DEFLATED = 8,
    MOST_RATIO = 1032 /* of deflate */
};

static uint32_t crc_of(uint32_t crc, const unsigned char *p, size_t n)
{
    static const uint32_t nibble[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
                                        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    crc = ~crc;
    for (size_t k = 0; k < n; k++) {
        crc = nibble[(crc ^ p[k]) & 15] ^ crc >> 4;
        crc = nibble[(crc ^ (uint32_t)(p[k] >> 4)) & 15] ^ crc >> 4;
    }
    return ~crc;
}

/* ---- Reading ---- */

typedef struct archive {
    weft_ctx *ctx;
    const char *path;
    weft__file file;
    uint64_t at, n; /* of the central directory: its next entry, and how many follow */
} archive;

typedef struct member {
    const char *name;
    size_t name_length;
    int method;
    uint32_t crc;
    uint64_t packed, size, offset;
} member;

static weft_status broken(const archive *a, const char *entry, size_t length, const char *why)
{
    return weft_ctx_fail(a->ctx, WEFT_E_IO, "weft_load_npz: %s%s%.*s%s: %s", a->path, entry ? ", entry \"" : "",
                         entry ? (int)(length < 80 ? length : 80) : 0, entry ? entry : "", entry ? "\"" : "", why);
}

static const unsigned char *bytes_at(const archive *a, uint64_t offset, uint64_t n)
{
    return offset <= a->file.size && n <= a->file.size - offset ? a->file.bytes + offset : NULL;
}

/* The end record stands last, before a comment of at most 64 KiB. */
static bool find_directory(archive *a)
{
    const size_t size = a->file.size, lowest = size > 65535 + END_SIZE ? size - 65535 - END_SIZE : 0;
    for (size_t at = size >= END_SIZE ? size - END_SIZE + 1 : 0; at-- > lowest;) {
        const unsigned char *end = a->file.bytes + at;
        if (weft__little(end, 4) != END || at + END_SIZE + weft__little(end + 20, 2) != size)
            continue;
        a->n = weft__little(end + 10, 2);
        a->at = weft__little(end + 16, 4);
        uint64_t length = weft__little(end + 12, 4);
        const unsigned char *locator = at >= LOCATOR64_SIZE ? bytes_at(a, at - LOCATOR64_SIZE, LOCATOR64_SIZE) : NULL;
        if (locator && weft__little(locator, 4) == LOCATOR64) {
            const unsigned char *wide = bytes_at(a, weft__little(locator + 8, 8), END64_SIZE);
            if (!wide || weft__little(wide, 4) != END64)
                return false;
            a->n = weft__little(wide + 32, 8);
            length = weft__little(wide + 40, 8);
            a->at = weft__little(wide + 48, 8);
        }
        return bytes_at(a, a->at, length) && a->n <= length / CENTRAL_SIZE;
    }
    return false;
}

/* 64-bit values stand in an extra field, those whose short form is all ones, in this order. */
static void widen(member *m, const unsigned char *extra, size_t n)
{
    uint64_t *const values[] = {&m->size, &m->packed, &m->offset};
    while (n >= 4) {
        const size_t length = (size_t)weft__little(extra + 2, 2);
        if (length > n - 4)
            return;
        size_t at = 0;
        for (int k = 0; k < 3 && weft__little(extra, 2) == 1; k++)
            if (*values[k] == UINT32_MAX && at + 8 <= length) {
                *values[k] = weft__little(extra + 4 + at, 8);
                at += 8;
            }
        extra += 4 + length;
        n -= 4 + length;
    }
}

static bool next_member(archive *a, member *m)
{
    const unsigned char *p = bytes_at(a, a->at, CENTRAL_SIZE);
    if (!p || weft__little(p, 4) != CENTRAL)
        return false;
    const uint64_t name = weft__little(p + 28, 2), extra = weft__little(p + 30, 2), comment = weft__little(p + 32, 2);
    if (!bytes_at(a, a->at, CENTRAL_SIZE + name + extra + comment))
        return false;
    *m = (member){.name = (const char *)p + CENTRAL_SIZE,
                  .name_length = (size_t)name,
                  .method = (int)weft__little(p + 10, 2),
                  .crc = (uint32_t)weft__little(p + 16, 4),
                  .packed = weft__little(p + 20, 4),
                  .size = weft__little(p + 24, 4),
                  .offset = weft__little(p + 42, 4)};
    if (weft__little(p + 8, 2) & 1)
        m->method = -1; /* encrypted */
    widen(m, p + CENTRAL_SIZE + name, (size_t)extra);
    a->at += CENTRAL_SIZE + name + extra + comment;
    return true;
}

/* The packed bytes of m, or NULL with *why. */
static const unsigned char *data_of(const archive *a, const member *m, const char **why)
{
    const unsigned char *local = bytes_at(a, m->offset, LOCAL_SIZE);
    if (!local || weft__little(local, 4) != LOCAL)
        return *why = "there is no such entry where the directory says", NULL;
    const uint64_t at = m->offset + LOCAL_SIZE + weft__little(local + 26, 2) + weft__little(local + 28, 2);
    const unsigned char *data = bytes_at(a, at, m->packed);
    if (!data)
        *why = "it reaches beyond the end of the file";
    return data;
}

static weft_tensor *read_member(const archive *a, const member *m, const char **why)
{
    const unsigned char *data = data_of(a, m, why);
    if (!data)
        return NULL;
    if (m->method == STORED) {
        if (crc_of(0, data, (size_t)m->packed) != m->crc)
            return *why = "its checksum is wrong", NULL;
        return weft__npy_read(a->ctx, data, (size_t)m->packed, why);
    }
    if (m->method != DEFLATED)
        return *why = "it is compressed in a way other than deflate, or encrypted", NULL;
    if (m->size > (m->packed + 1) * MOST_RATIO)
        return *why = "it claims more bytes than its data can hold", NULL;
    unsigned char *plain = weft_ctx_alloc(a->ctx, (size_t)m->size + 1);
    if (!plain)
        return *why = NULL, NULL;
    *why = weft__inflate(data, (size_t)m->packed, plain, (size_t)m->size);
    if (!*why && crc_of(0, plain, (size_t)m->size) != m->crc)
        *why = "its checksum is wrong";
    weft_tensor *t = *why ? NULL : weft__npy_read(a->ctx, plain, (size_t)m->size, why);
    weft_ctx_free(a->ctx, plain, (size_t)m->size + 1);
    return t;
}

static weft_status read_members(archive *a, weft__list *list)
{
    for (uint64_t k = 0; k < a->n; k++) {
        member m;
        const char *why = NULL;
        if (!next_member(a, &m))
            return broken(a, NULL, 0, "its zip directory is damaged");
        if (memchr(m.name, '\0', m.name_length))
            return broken(a, NULL, 0, "the name of an entry has a zero byte in it");
        weft_tensor *t = read_member(a, &m, &why);
        if (!t)
            return why ? broken(a, m.name, m.name_length, why) : weft_ctx_status(a->ctx);
        const bool suffix = m.name_length > 4 && memcmp(m.name + m.name_length - 4, ".npy", 4) == 0;
        if (!weft__list_add(list, m.name, m.name_length - (suffix ? 4 : 0), t))
            return weft_ctx_status(a->ctx);
    }
    const char *twice = weft__list_twice(list);
    return twice ? broken(a, twice, strlen(twice), "it is there twice") : weft_ctx_status(a->ctx);
}

static weft_status read_plain(const archive *a, weft__list *list)
{
    const char *why = NULL;
    weft_tensor *t = weft__npy_read(a->ctx, a->file.bytes, a->file.size, &why);
    if (!t)
        return why ? broken(a, NULL, 0, why) : weft_ctx_status(a->ctx);
    return weft__list_add(list, "arr_0", 5, t) ? WEFT_OK : weft_ctx_status(a->ctx);
}

weft_status weft_load_npz(weft_ctx *ctx, const char *path, weft_named_tensor **tensors, int *n)
{
    if (!ctx || !path || !tensors || !n)
        return WEFT_E_NULL_ARGUMENT;
    archive a = {.ctx = ctx, .path = path};
    weft__list list = {.ctx = ctx};
    *tensors = NULL;
    *n = 0;
    if (weft_ctx_status(ctx) != WEFT_OK || !weft__file_read(ctx, "load_npz", path, &a.file))
        return weft_ctx_status(ctx);
    weft_status status;
    if (a.file.size >= 6 && memcmp(a.file.bytes, "\x93NUMPY", 6) == 0)
        status = read_plain(&a, &list);
    else if (find_directory(&a))
        status = read_members(&a, &list);
    else
        status = broken(&a, NULL, 0, "it is neither a zip archive with a whole directory nor an npy file");
    weft__file_drop(ctx, &a.file);
    if (status != WEFT_OK) {
        weft_named_free(ctx, list.items, list.n);
        return status;
    }
    *tensors = list.items;
    *n = list.n;
    return WEFT_OK;
}

/* ---- Writing ---- */

typedef struct writer {
    weft_ctx *ctx;
    const char *path;
    FILE *out;
    uint64_t at;
} writer;

typedef struct written {
    uint64_t offset, size;
    uint32_t crc;
} written;

static void put(unsigned char *p, uint64_t value, int bytes)
{
    for (int k = 0; k < bytes; k++)
        p[k] = (unsigned char)(value >> (8 * k));
}

static void emit(writer *w, const void *bytes, size_t n)
{
    fwrite(bytes, 1, n, w->out); /* ferror is asked at the end */
    w->at += n;
}

/* What local and central headers share, from "version needed" on: sizes are in the extra field. */
static void put_common(unsigned char *p, const written *m, size_t name, size_t extra)
{
    put(p, 45, 2);        /* version with 64-bit sizes */
    put(p + 2, 0x800, 2); /* the name is UTF-8 */
    put(p + 4, STORED, 2);
    put(p + 8, (1 << 5) | 1, 2); /* 1980-01-01: files of the same tensors are the same */
    put(p + 10, m->crc, 4);
    put(p + 14, UINT32_MAX, 4);
    put(p + 18, UINT32_MAX, 4);
    put(p + 22, name, 2);
    put(p + 24, extra, 2);
}

static void write_local(writer *w, const char *name, const written *m)
{
    unsigned char head[LOCAL_SIZE] = {0}, extra[EXTRA64] = {0};
    const size_t length = strlen(name) + 4;
    put(head, LOCAL, 4);
    put_common(head + 4, m, length, sizeof extra);
    put(extra, 1, 2);
    put(extra + 2, 16, 2);
    put(extra + 4, m->size, 8);
    put(extra + 12, m->size, 8);
    emit(w, head, sizeof head);
    emit(w, name, length - 4);
    emit(w, ".npy", 4);
    emit(w, extra, sizeof extra);
}

static void write_central(writer *w, const char *name, const written *m)
{
    unsigned char head[CENTRAL_SIZE] = {0}, extra[EXTRA64 + 8] = {0};
    const size_t length = strlen(name) + 4;
    put(head, CENTRAL, 4);
    put(head + 4, 45, 2);
    put_common(head + 6, m, length, sizeof extra);
    put(head + 42, UINT32_MAX, 4);
    put(extra, 1, 2);
    put(extra + 2, 24, 2);
    put(extra + 4, m->size, 8);
    put(extra + 12, m->size, 8);
    put(extra + 20, m->offset, 8);
    emit(w, head, sizeof head);
    emit(w, name, length - 4);
    emit(w, ".npy", 4);
    emit(w, extra, sizeof extra);
}

static void write_end(writer *w, uint64_t directory, int n)
{
    unsigned char wide[END64_SIZE] = {0}, locator[LOCATOR64_SIZE] = {0}, end[END_SIZE] = {0};
    const uint64_t at = w->at;
    put(wide, END64, 4);
    put(wide + 4, END64_SIZE - 12, 8);
    put(wide + 12, 45, 2);
    put(wide + 14, 45, 2);
    put(wide + 24, (uint64_t)n, 8);
    put(wide + 32, (uint64_t)n, 8);
    put(wide + 40, at - directory, 8);
    put(wide + 48, directory, 8);
    put(locator, LOCATOR64, 4);
    put(locator + 8, at, 8);
    put(locator + 16, 1, 4);
    put(end, END, 4);
    put(end + 8, n < 65535 ? (uint64_t)n : 65535, 2);
    put(end + 10, n < 65535 ? (uint64_t)n : 65535, 2);
    put(end + 12, at - directory < UINT32_MAX ? at - directory : UINT32_MAX, 4);
    put(end + 16, directory < UINT32_MAX ? directory : UINT32_MAX, 4);
    emit(w, wide, sizeof wide);
    emit(w, locator, sizeof locator);
    emit(w, end, sizeof end);
}

static bool write_member(writer *w, const weft_named_tensor *item, written *m)
{
    unsigned char header[WEFT__NPY_HEADER];
    weft_tensor *t = item->tensor;
    const size_t head = weft__npy_header(t, header);
    const size_t bytes = (size_t)weft_count(t) * weft_dtype_size(weft_dtype_of(t));
    unsigned char *data = weft_ctx_alloc(w->ctx, bytes + 1);
    if (!data)
        return false;
    const bool fine = weft_read(w->ctx, t, data, bytes) == WEFT_OK;
    if (fine) {
        *m = (written){.offset = w->at, .size = head + bytes, .crc = crc_of(crc_of(0, header, head), data, bytes)};
        write_local(w, item->name, m);
        emit(w, header, head);
        emit(w, data, bytes);
    }
    weft_ctx_free(w->ctx, data, bytes + 1);
    return fine;
}

static bool write_all(writer *w, const weft_named_tensor *tensors, int n, written *members)
{
    for (int k = 0; k < n; k++)
        if (!write_member(w, &tensors[k], &members[k]))
            return false;
    const uint64_t directory = w->at;
    for (int k = 0; k < n; k++)
        write_central(w, tensors[k].name, &members[k]);
    write_end(w, directory, n);
    return true;
}

weft_status weft_save_npz(weft_ctx *ctx, const char *path, const weft_named_tensor *tensors, int n)
{
    if (!ctx || !path || (n > 0 && !tensors))
        return WEFT_E_NULL_ARGUMENT;
    for (int k = 0; k < n; k++)
        if (!tensors[k].tensor || !tensors[k].name || strlen(tensors[k].name) > 60000)
            return weft_ctx_fail(ctx, WEFT_E_INVALID,
                                 "weft_save_npz: entry %d has no tensor, no name or one of more than 60000 bytes", k);
    const size_t bytes = sizeof(written) * (size_t)(n + 1);
    written *members = weft_ctx_alloc(ctx, bytes);
    if (!members)
        return weft_ctx_status(ctx);
    writer w = {.ctx = ctx, .path = path, .out = fopen(path, "wb")};
    if (!w.out) {
        weft_ctx_fail(ctx, WEFT_E_IO, "weft_save_npz: %s: %s", path, strerror(errno));
    } else {
        const bool written_all = write_all(&w, tensors, n, members), bad = ferror(w.out) != 0;
        if ((fclose(w.out) != 0 || bad) && written_all)
            weft_ctx_fail(ctx, WEFT_E_IO, "weft_save_npz: %s: writing failed; is the disk full?", path);
    }
    weft_ctx_free(ctx, members, bytes);
    return weft_ctx_status(ctx);
}
