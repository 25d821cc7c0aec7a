/* npy.c - see npy.h. The format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
#include "npy.h"

#include <stdio.h>
#include <string.h>

/* ---- The header: a Python dictionary with three keys, {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } ---- */

typedef struct header {
    char descr[16];
    bool fortran;
    int64_t shape[WEFT_MAX_DIMS];
    int ndim;
    bool has_descr, has_order, has_shape;
} header;

typedef struct cursor {
    const char *p, *end;
} cursor;

static void skip_space(cursor *c)
{
    while (c->p < c->end && (*c->p == ' ' || *c->p == '\n' || *c->p == '\t' || *c->p == '\r'))
        c->p++;
}

static bool take(cursor *c, char wanted)
{
    skip_space(c);
    if (c->p == c->end || *c->p != wanted)
        return false;
    c->p++;
    return true;
}

/* A quoted text without escapes, cut off if it is too long for any that we know. */
static bool take_text(cursor *c, char *text, size_t size)
{
    skip_space(c);
    if (c->p == c->end || (*c->p != '\'' && *c->p != '"'))
        return false;
    const char quote = *c->p++;
    const char *close = memchr(c->p, quote, (size_t)(c->end - c->p));
    if (!close)
        return false;
    snprintf(text, size, "%.*s", close - c->p < 64 ? (int)(close - c->p) : 64, c->p);
    c->p = close + 1;
    return true;
}

static bool take_word(cursor *c, const char *word)
{
    skip_space(c);
    const size_t length = strlen(word);
    if ((size_t)(c->end - c->p) < length || memcmp(c->p, word, length) != 0)
        return false;
    c->p += length;
    return true;
}

/* A size; Python 2 wrote an L behind it. */
static bool take_size(cursor *c, int64_t *size)
{
    skip_space(c);
    const char *first = c->p;
    *size = 0;
    for (; c->p < c->end && *c->p >= '0' && *c->p <= '9'; c->p++)
        if (__builtin_mul_overflow(*size, INT64_C(10), size) || __builtin_add_overflow(*size, *c->p - '0', size))
            return false;
    const bool digits = c->p > first;
    if (c->p < c->end && *c->p == 'L')
        c->p++;
    return digits;
}

static bool take_shape(cursor *c, header *h)
{
    if (!take(c, '('))
        return false;
    while (!take(c, ')')) {
        if (h->ndim == WEFT_MAX_DIMS || !take_size(c, &h->shape[h->ndim]))
            return false;
        h->ndim++;
        if (!take(c, ',') && h->ndim != 1 && (c->p == c->end || *c->p != ')'))
            return false;
    }
    return true;
}

static bool take_entry(cursor *c, header *h)
{
    char key[32];
    if (!take_text(c, key, sizeof key) || !take(c, ':'))
        return false;
    if (strcmp(key, "descr") == 0)
        return h->has_descr = take_text(c, h->descr, sizeof h->descr);
    if (strcmp(key, "fortran_order") == 0) {
        h->fortran = take_word(c, "True");
        return h->has_order = h->fortran || take_word(c, "False");
    }
    return strcmp(key, "shape") == 0 && !h->has_shape && (h->has_shape = take_shape(c, h));
}

static bool parse(const char *text, size_t length, header *h)
{
    cursor c = {text, text + length};
    *h = (header){.ndim = 0};
    if (!take(&c, '{'))
        return false;
    while (!take(&c, '}'))
        if (!take_entry(&c, h) || (!take(&c, ',') && (c.p == c.end || *c.p != '}')))
            return false;
    skip_space(&c);
    return c.p == c.end && h->has_descr && h->has_order && h->has_shape;
}

/* ---- Dtypes ---- */

typedef struct element {
    int bytes;
    weft_dtype dtype;
    char kind; /* what stands in the file: f, i, u, b (bool) or V (bf16) */
    bool swap;
} element;

static bool find_element(const char *descr, element *e)
{
    static const struct {
        const char *text;
        element element;
    } known[] = {
        {"f4", {4, WEFT_F32, 'f', false}},  {"f8", {8, WEFT_F64, 'f', false}}, {"f2", {2, WEFT_F16, 'f', false}},
        {"V2", {2, WEFT_BF16, 'V', false}}, {"i8", {8, WEFT_I64, 'i', false}}, {"i4", {4, WEFT_I32, 'i', false}},
        {"i2", {2, WEFT_I32, 'i', false}},  {"i1", {1, WEFT_I8, 'i', false}},  {"u1", {1, WEFT_U8, 'u', false}},
        {"u2", {2, WEFT_I32, 'u', false}},  {"u4", {4, WEFT_I64, 'u', false}}, {"b1", {1, WEFT_BOOL, 'b', false}}};
    const bool order = descr[0] && strchr("<>|=", descr[0]);
    for (size_t k = 0; k < sizeof known / sizeof *known; k++)
        if (strcmp(descr + order, known[k].text) == 0) {
            *e = known[k].element;
            e->swap = descr[0] == '>' && e->bytes > 1;
            return true;
        }
    return false;
}

/* One element of the file, as bits or as a number of the tensor's width. */
static void convert(const element *e, const unsigned char *from, unsigned char *to)
{
    unsigned char swapped[8];
    for (int k = 0; k < e->bytes && e->swap; k++)
        swapped[k] = from[e->bytes - 1 - k];
    const unsigned char *bytes = e->swap ? swapped : from;
    const uint64_t raw = weft__little(bytes, e->bytes);
    const int width = (int)weft_dtype_size(e->dtype);
    uint64_t bits = e->kind == 'b' ? raw != 0 : raw;
    if (e->kind == 'i' && e->bytes < width && raw >> (8 * e->bytes - 1))
        bits |= ~UINT64_C(0) << (8 * e->bytes);
    for (int k = 0; k < width; k++)
        to[k] = (unsigned char)(bits >> (8 * k));
}

/* Row-major elements. Fortran order counts the first dim fastest. */
static void unpack(const header *h, const element *e, const unsigned char *from, int64_t count, unsigned char *to)
{
    const size_t width = weft_dtype_size(e->dtype);
    int64_t at[WEFT_MAX_DIMS] = {0}, strides[WEFT_MAX_DIMS], stride = 1, offset = 0;
    for (int k = 0; k < h->ndim; k++) {
        const int d = h->fortran ? k : h->ndim - 1 - k;
        strides[d] = stride;
        stride *= h->shape[d];
    }
    for (int64_t k = 0; k < count; k++) {
        convert(e, from + offset * e->bytes, to + (size_t)k * width);
        for (int d = h->ndim - 1; d >= 0; d--) {
            offset += strides[d];
            if (++at[d] < h->shape[d])
                break;
            offset -= strides[d] * h->shape[d];
            at[d] = 0;
        }
    }
}

/* The number of elements, or -1 if their bytes are more than there are. */
static int64_t count_of(const header *h, const element *e, size_t available)
{
    int64_t count = 1, bytes;
    bool empty = false, overflow = false;
    for (int d = 0; d < h->ndim; d++) {
        empty |= h->shape[d] == 0;
        overflow |= __builtin_mul_overflow(count, h->shape[d] ? h->shape[d] : 1, &count);
    }
    if (overflow || __builtin_mul_overflow(count, (int64_t)e->bytes, &bytes))
        return -1;
    if (empty)
        return 0;
    return (uint64_t)bytes <= available ? count : -1;
}

static weft_tensor *make(weft_ctx *ctx, const header *h, const element *e, const unsigned char *data, int64_t count)
{
    const size_t bytes = (size_t)count * weft_dtype_size(e->dtype);
    unsigned char *values = weft_ctx_alloc(ctx, bytes + 1);
    if (!values)
        return NULL;
    unpack(h, e, data, count, values);
    weft_tensor *t = weft_from_data(ctx, e->dtype, h->shape, h->ndim, values);
    weft_ctx_free(ctx, values, bytes + 1);
    return t;
}

weft_tensor *weft__npy_read(weft_ctx *ctx, const unsigned char *bytes, size_t size, const char **why)
{
    header h;
    element e;
    if (size < 10 || memcmp(bytes, "\x93NUMPY", 6) != 0)
        return *why = "it does not begin like an npy file", NULL;
    const int version = bytes[6], prefix = version == 1 ? 10 : 12;
    if (version < 1 || version > 3)
        return *why = "its version of the npy format is none of 1, 2 and 3", NULL;
    if (size < (size_t)prefix)
        return *why = "it ends within the npy header", NULL;
    const uint64_t length = weft__little(bytes + 8, prefix - 8);
    if (length > size - (size_t)prefix)
        return *why = "its npy header is longer than the file", NULL;
    if (!parse((const char *)bytes + prefix, (size_t)length, &h))
        return *why = "its npy header is not the dictionary of descr, fortran_order and shape (at most 8 dims)", NULL;
    if (!find_element(h.descr, &e))
        return *why = "its dtype is none that Weft has (objects, structures, complex numbers, u64, texts)", NULL;
    const size_t available = size - (size_t)prefix - (size_t)length;
    const int64_t count = count_of(&h, &e, available);
    if (count < 0)
        return *why = "its shape needs more bytes than there are", NULL;
    *why = NULL;
    return make(ctx, &h, &e, bytes + prefix + length, count);
}

size_t weft__npy_header(const weft_tensor *t, unsigned char header[WEFT__NPY_HEADER])
{
    static const char *const descr[WEFT_DTYPE_COUNT] = {
        [WEFT_F32] = "<f4", [WEFT_F64] = "<f8", [WEFT_F16] = "<f2", [WEFT_BF16] = "<V2", [WEFT_I64] = "<i8",
        [WEFT_I32] = "<i4", [WEFT_I8] = "|i1",  [WEFT_U8] = "|u1",  [WEFT_BOOL] = "|b1"};
    char text[WEFT__NPY_HEADER];
    int used =
        snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr[weft_dtype_of(t)]);
    for (int d = 0; d < weft_ndim(t); d++)
        used += snprintf(text + used, sizeof text - (size_t)used, "%s%lld", d ? ", " : "", (long long)weft_shape(t)[d]);
    used += snprintf(text + used, sizeof text - (size_t)used, "%s), }", weft_ndim(t) == 1 ? "," : "");
    const size_t whole = (10 + (size_t)used + 1 + 63) / 64 * 64;
    memset(header, ' ', whole);
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    header[8] = (unsigned char)((whole - 10) & 0xFF);
    header[9] = (unsigned char)((whole - 10) >> 8);
    memcpy(header + 10, text, (size_t)used);
    header[whole - 1] = '\n';
    return whole;
}
