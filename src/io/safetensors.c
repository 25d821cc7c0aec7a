/* safetensors.c - an 8-byte length, a JSON header, and data that its tensors cover without gap or overlap.
 * The format: https://github.com/huggingface/safetensors#format */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "file.h"
#include "json_text.h"

enum { MOST_HEADER = 100000000, MOST_NAME = 1 << 20 };

static const char *const dtype_names[WEFT_DTYPE_COUNT] = {
    [WEFT_F32] = "F32", [WEFT_F64] = "F64", [WEFT_F16] = "F16", [WEFT_BF16] = "BF16", [WEFT_I64] = "I64",
    [WEFT_I32] = "I32", [WEFT_I8] = "I8",   [WEFT_U8] = "U8",   [WEFT_BOOL] = "BOOL"};

/* ---- Reading ---- */

typedef struct span {
    uint64_t begin, end;
} span;

typedef struct reader {
    weft_ctx *ctx;
    const char *path;
    weft__file file;
    const unsigned char *p, *end; /* of the header that is left */
    const unsigned char *data;
    uint64_t data_size;
    char *name; /* of the text read last, unescaped; room for the whole header */
    size_t name_length;
    weft__list list;
    span *spans; /* of the tensors in the list */
    size_t span_room;
} reader;

static bool broken(reader *r, const char *why)
{
    if (weft_ctx_status(r->ctx) == WEFT_OK)
        weft_ctx_fail(r->ctx, WEFT_E_IO, "weft_load_safetensors: %s: %s", r->path, why);
    return false;
}

static void skip_space(reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\t' || *r->p == '\r'))
        r->p++;
}

static bool take(reader *r, char wanted)
{
    skip_space(r);
    if (r->p == r->end || *r->p != (unsigned char)wanted)
        return false;
    r->p++;
    return true;
}

static int hex4(const unsigned char *p)
{
    int value = 0;
    for (int k = 0; k < 4; k++) {
        const int c = p[k], digit = c >= '0' && c <= '9'   ? c - '0'
                                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                           : -1;
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

static size_t put_utf8(char *to, uint32_t c)
{
    if (c < 0x80)
        return to[0] = (char)c, 1;
    const size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t k = n - 1; k > 0; k--, c >>= 6)
        to[k] = (char)(0x80 | (c & 0x3F));
    to[0] = (char)(lead[n] | c);
    return n;
}

/* \uXXXX, two of them for a character beyond 16 bits; r->p is behind the u. */
static bool take_unicode(reader *r, uint32_t *c)
{
    const int high = r->end - r->p >= 4 ? hex4(r->p) : -1;
    if (high <= 0 || (high >= 0xDC00 && high < 0xE000))
        return false;
    r->p += 4;
    *c = (uint32_t)high;
    if (high < 0xD800 || high >= 0xDC00)
        return true;
    const int low = r->end - r->p >= 6 && r->p[0] == '\\' && r->p[1] == 'u' ? hex4(r->p + 2) : -1;
    if (low < 0xDC00 || low >= 0xE000)
        return false;
    r->p += 6;
    *c = 0x10000 + (((uint32_t)high - 0xD800) << 10) + ((uint32_t)low - 0xDC00);
    return true;
}

static bool take_escape(reader *r, size_t *n)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    uint32_t c;
    if (r->p == r->end)
        return false;
    const int letter = *r->p++;
    const char *found = letter ? strchr(from, letter) : NULL;
    if (!found && (letter != 'u' || !take_unicode(r, &c)))
        return false;
    *n += put_utf8(r->name + *n, found ? (uint32_t)(unsigned char)to[found - from] : c);
    return true;
}

/* A text into r->name. */
static bool take_text(reader *r)
{
    size_t n = 0;
    if (!take(r, '"'))
        return false;
    while (r->p < r->end && *r->p != '"') {
        if (*r->p < 0x20)
            return false;
        if (*r->p != '\\')
            r->name[n++] = (char)*r->p++;
        else if (r->p++, !take_escape(r, &n))
            return false;
    }
    r->name[n] = '\0';
    r->name_length = n;
    return take(r, '"');
}

static bool take_number(reader *r, uint64_t *value)
{
    skip_space(r);
    const unsigned char *first = r->p;
    *value = 0;
    for (; r->p < r->end && *r->p >= '0' && *r->p <= '9'; r->p++)
        if (__builtin_mul_overflow(*value, UINT64_C(10), value) ||
            __builtin_add_overflow(*value, (uint64_t)(*r->p - '0'), value))
            return false;
    return r->p > first;
}

typedef struct entry {
    int dtype; /* -1: not there */
    int64_t shape[WEFT_MAX_DIMS];
    int ndim; /* -1: not there */
    uint64_t begin, end;
    bool has_offsets;
} entry;

static bool take_shape(reader *r, entry *e)
{
    if (e->ndim >= 0 || !take(r, '['))
        return false;
    e->ndim = 0;
    if (take(r, ']'))
        return true;
    do {
        uint64_t size;
        if (e->ndim == WEFT_MAX_DIMS || !take_number(r, &size) || size > INT64_MAX)
            return false;
        e->shape[e->ndim++] = (int64_t)size;
    } while (take(r, ','));
    return take(r, ']');
}

static bool take_field(reader *r, entry *e)
{
    if (!take_text(r) || !take(r, ':'))
        return false;
    if (strcmp(r->name, "shape") == 0)
        return take_shape(r, e);
    if (strcmp(r->name, "data_offsets") == 0)
        return e->has_offsets =
                   take(r, '[') && take_number(r, &e->begin) && take(r, ',') && take_number(r, &e->end) && take(r, ']');
    if (strcmp(r->name, "dtype") != 0 || !take_text(r))
        return false;
    for (e->dtype = WEFT_DTYPE_COUNT - 1; e->dtype >= 0; e->dtype--)
        if (strcmp(dtype_names[e->dtype], r->name) == 0)
            return true;
    return broken(r, "a tensor has a dtype that Weft does not");
}

static bool take_entry(reader *r, entry *e)
{
    *e = (entry){.dtype = -1, .ndim = -1};
    if (!take(r, '{'))
        return false;
    do
        if (!take_field(r, e))
            return false;
    while (take(r, ','));
    return take(r, '}') && e->dtype >= 0 && e->ndim >= 0 && e->has_offsets;
}

/* Texts under texts: for the program that wrote the file. */
static bool skip_metadata(reader *r)
{
    if (!take(r, '{'))
        return false;
    if (take(r, '}'))
        return true;
    do
        if (!take_text(r) || !take(r, ':') || !take_text(r))
            return false;
    while (take(r, ','));
    return take(r, '}');
}

/* Whether the shape's bytes are the offsets' distance. */
static bool fits(const reader *r, const entry *e)
{
    uint64_t bytes = weft_dtype_size((weft_dtype)e->dtype);
    bool overflow = false, empty = false;
    for (int d = 0; d < e->ndim; d++) {
        empty |= e->shape[d] == 0;
        overflow |= __builtin_mul_overflow(bytes, (uint64_t)(e->shape[d] ? e->shape[d] : 1), &bytes);
    }
    if (overflow || e->begin > e->end || e->end > r->data_size)
        return false;
    return e->end - e->begin == (empty ? 0 : bytes);
}

static bool note_span(reader *r, const entry *e)
{
    const size_t n = (size_t)r->list.n;
    if (n == r->span_room) {
        const size_t room = n ? 2 * n : 64;
        span *more = weft_ctx_alloc(r->ctx, sizeof *more * room);
        if (!more)
            return false;
        if (n)
            memcpy(more, r->spans, sizeof *more * n);
        weft_ctx_free(r->ctx, r->spans, sizeof *more * r->span_room);
        r->spans = more;
        r->span_room = room;
    }
    r->spans[n] = (span){e->begin, e->end};
    return true;
}

static bool take_tensor(reader *r)
{
    entry e;
    if (!take_text(r) || !take(r, ':'))
        return broken(r, "its header is not valid JSON of tensors");
    if (strcmp(r->name, "__metadata__") == 0)
        return skip_metadata(r) || broken(r, "its __metadata__ is not texts under texts");
    const size_t length = r->name_length;
    if (strlen(r->name) != length || length > MOST_NAME)
        return broken(r, "a name has a zero byte or more than a million bytes");
    char *name = weft_ctx_alloc(r->ctx, length + 1);
    if (!name)
        return false;
    memcpy(name, r->name, length + 1);
    bool fine =
        take_entry(r, &e) || broken(r, "a tensor is not an object with dtype, shape (at most 8 dims) and data_offsets");
    fine = fine && (fits(r, &e) || broken(r, "the shape of a tensor does not fit its data_offsets, or the file"));
    if (fine) {
        weft_tensor *t = weft_from_data(r->ctx, (weft_dtype)e.dtype, e.shape, e.ndim, r->data + e.begin);
        fine = t && note_span(r, &e) && weft__list_add(&r->list, name, length, t);
    }
    weft_ctx_free(r->ctx, name, length + 1);
    return fine;
}

static int by_begin(const void *a, const void *b)
{
    const span *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}

static bool covers_all(reader *r)
{
    uint64_t at = 0;
    if (r->list.n)
        qsort(r->spans, (size_t)r->list.n, sizeof *r->spans, by_begin);
    for (int k = 0; k < r->list.n; k++) {
        if (r->spans[k].begin != at)
            return broken(r, "its tensors overlap or leave a gap");
        at = r->spans[k].end;
    }
    return at == r->data_size || broken(r, "there are bytes after the last tensor");
}

static bool is_utf8(const unsigned char *p, const unsigned char *end)
{
    while (p < end) {
        const int n = *p < 0x80                 ? 1
                      : *p >= 0xC2 && *p < 0xE0 ? 2
                      : *p >= 0xE0 && *p < 0xF0 ? 3
                      : *p >= 0xF0 && *p < 0xF5 ? 4
                                                : 0;
        if (n == 0 || end - p < n)
            return false;
        for (int k = 1; k < n; k++)
            if ((p[k] & 0xC0) != 0x80)
                return false;
        const unsigned second = n > 2 ? p[1] : 0x90;
        if ((*p == 0xE0 && second < 0xA0) || (*p == 0xED && second >= 0xA0) || (*p == 0xF0 && second < 0x90) ||
            (*p == 0xF4 && second >= 0x90))
            return false;
        p += n;
    }
    return true;
}

static bool read_header(reader *r)
{
    if (r->file.size < 8)
        return broken(r, "it is too short for a safetensors file");
    const uint64_t length = weft__little(r->file.bytes, 8);
    if (length > r->file.size - 8 || length > MOST_HEADER)
        return broken(r, "its header is longer than the file, or than 100 MB");
    r->p = r->file.bytes + 8;
    r->end = r->data = r->p + length;
    r->data_size = r->file.size - 8 - length;
    if (length == 0 || *r->p != '{' || !is_utf8(r->p, r->end))
        return broken(r, "its header is no JSON object in UTF-8");
    r->name = weft_ctx_alloc(r->ctx, (size_t)length + 1);
    if (!r->name)
        return false;
    take(r, '{');
    bool more = !take(r, '}');
    while (more) {
        if (!take_tensor(r))
            return false;
        more = take(r, ',');
        if (!more && !take(r, '}'))
            return broken(r, "its header is not valid JSON of tensors");
    }
    skip_space(r);
    return r->p == r->end ? covers_all(r) : broken(r, "there is something behind the JSON in its header");
}

weft_status weft_load_safetensors(weft_ctx *ctx, const char *path, weft_named_tensor **tensors, int *n)
{
    if (!ctx || !path || !tensors || !n)
        return WEFT_E_NULL_ARGUMENT;
    reader r = {.ctx = ctx, .path = path, .list = {.ctx = ctx}};
    *tensors = NULL;
    *n = 0;
    if (weft_ctx_status(ctx) != WEFT_OK || !weft__file_read(ctx, "load_safetensors", path, &r.file))
        return weft_ctx_status(ctx);
    bool fine = read_header(&r);
    if (fine && weft__list_twice(&r.list))
        fine = broken(&r, "a name is there twice");
    if (r.name)
        weft_ctx_free(ctx, r.name, (size_t)(r.data - r.file.bytes) - 8 + 1);
    weft_ctx_free(ctx, r.spans, sizeof *r.spans * r.span_room);
    weft__file_drop(ctx, &r.file);
    if (!fine) {
        weft_named_free(ctx, r.list.items, r.list.n);
        return weft_ctx_status(ctx);
    }
    *tensors = r.list.items;
    *n = r.list.n;
    return weft_ctx_status(ctx);
}

/* ---- Writing ---- */

static void write_entry(FILE *out, const weft_named_tensor *item, uint64_t begin, uint64_t end)
{
    const weft_tensor *t = item->tensor;
    weft__json_string(out, item->name);
    weft__json_put(out, ":{\"dtype\":\"%s\",\"shape\":[", dtype_names[weft_dtype_of(t)]);
    for (int d = 0; d < weft_ndim(t); d++)
        weft__json_put(out, "%s%lld", d ? "," : "", (long long)weft_shape(t)[d]);
    weft__json_put(out, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)begin, (unsigned long long)end);
}

static size_t bytes_of(const weft_tensor *t)
{
    return (size_t)weft_count(t) * weft_dtype_size(weft_dtype_of(t));
}

/* The header with its length in front, padded to 8 bytes by spaces. */
static void write_header(FILE *out, const weft_named_tensor *tensors, int n)
{
    uint64_t at = 0;
    unsigned char length[8] = {0};
    fwrite(length, 1, 8, out);
    weft__json_put(out, "{");
    for (int k = 0; k < n; k++) {
        const uint64_t end = at + bytes_of(tensors[k].tensor);
        if (k)
            weft__json_put(out, ",");
        write_entry(out, &tensors[k], at, end);
        at = end;
    }
    weft__json_put(out, "}");
    long size = ftell(out) - 8;
    for (; size % 8 != 0; size++)
        weft__json_put(out, " ");
    for (int k = 0; k < 8; k++)
        length[k] = (unsigned char)((uint64_t)size >> (8 * k));
    fseek(out, 0, SEEK_SET);
    fwrite(length, 1, 8, out);
    fseek(out, 0, SEEK_END);
}

static bool write_data(weft_ctx *ctx, FILE *out, weft_tensor *t)
{
    const size_t bytes = bytes_of(t);
    unsigned char *data = weft_ctx_alloc(ctx, bytes + 1);
    const bool fine = data && weft_read(ctx, t, data, bytes) == WEFT_OK;
    if (fine)
        fwrite(data, 1, bytes, out);
    weft_ctx_free(ctx, data, data ? bytes + 1 : 0);
    return fine;
}

weft_status weft_save_safetensors(weft_ctx *ctx, const char *path, const weft_named_tensor *tensors, int n)
{
    if (!ctx || !path || (n > 0 && !tensors))
        return WEFT_E_NULL_ARGUMENT;
    for (int k = 0; k < n; k++)
        if (!tensors[k].tensor || !tensors[k].name)
            return weft_ctx_fail(ctx, WEFT_E_INVALID, "weft_save_safetensors: entry %d has no tensor or no name", k);
    FILE *out = fopen(path, "wb");
    if (!out)
        return weft_ctx_fail(ctx, WEFT_E_IO, "weft_save_safetensors: %s: %s", path, strerror(errno));
    write_header(out, tensors, n);
    bool fine = true;
    for (int k = 0; k < n && fine; k++)
        fine = write_data(ctx, out, tensors[k].tensor);
    const bool bad = ferror(out) != 0;
    if ((fclose(out) != 0 || bad) && fine)
        weft_ctx_fail(ctx, WEFT_E_IO, "weft_save_safetensors: %s: writing failed; is the disk full?", path);
    return weft_ctx_status(ctx);
}
