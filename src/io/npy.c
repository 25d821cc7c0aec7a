/* npy.c - see npy.h. The format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
#include "npy.h"

#include <stdio.h>
#include <string.h>
#include "stream.h"

enum { MOST_HEADER = 1 << 20 };

/* ---- The header: a Python dictionary with three keys, {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
 * ---- */

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
    const bool digits = c->p > first && (*first != '0' || c->p == first + 1); /* 010 was 8 to Python 2 */
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
        if (!take(c, ',') && (c->p == c->end || *c->p != ')'))
            return false;
    }
    return true;
}

/* A list of fields, [('x', '<f4'), ...]: where it ends is all that we want to know. */
static bool skip_fields(cursor *c)
{
    char field[16];
    int depth = 0;
    do {
        skip_space(c);
        if (c->p == c->end)
            return false;
        if (*c->p == '\'' || *c->p == '"') {
            if (!take_text(c, field, sizeof field))
                return false;
            continue;
        }
        depth += *c->p == '[' || *c->p == '(';
        depth -= *c->p == ']' || *c->p == ')';
        c->p++;
    } while (depth > 0);
    return true;
}

static bool take_descr(cursor *c, header *h)
{
    skip_space(c);
    if (c->p == c->end || *c->p != '[')
        return take_text(c, h->descr, sizeof h->descr);
    snprintf(h->descr, sizeof h->descr, "[...]");
    return skip_fields(c);
}

static bool take_entry(cursor *c, header *h)
{
    char key[32];
    if (!take_text(c, key, sizeof key) || !take(c, ':'))
        return false;
    if (strcmp(key, "descr") == 0)
        return h->has_descr = take_descr(c, h);
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

static bool find_element(const char *descr, weft__element *e)
{
    static const struct {
        const char *text;
        weft__element element;
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

/* Why a dtype is none of ours. */
static const char *why_not(const char *descr)
{
    switch (descr[descr[0] && strchr("<>|=", descr[0])]) {
    case 'O':
        return "Weft has no Python objects";
    case 'U':
    case 'S':
    case 'a':
        return "Weft has no texts";
    case 'c':
        return "Weft has no complex numbers";
    case 'u':
        return "Weft has no unsigned integers of 64 bits; save it as int64";
    case 'M':
    case 'm':
        return "Weft has no dates; save it as int64";
    case '[':
    case 'V':
        return "Weft has no structures; save their fields one by one";
    default:
        return "Weft has no such dtype";
    }
}

/* ---- Of an entry ---- */

/* What the header says, or e->why. */
static void describe(weft__entry *e, const char *text, size_t length)
{
    header h;
    if (!parse(text, length, &h)) {
        e->why = "its npy header is not the dictionary of descr, fortran_order and shape (at most 8 dims)";
        return;
    }
    weft__entry_dtype(e, h.descr);
    memcpy(e->shape, h.shape, sizeof e->shape);
    e->ndim = h.ndim;
    e->fortran = h.fortran;
    if (!find_element(h.descr, &e->element)) {
        e->why = why_not(h.descr);
        return;
    }
    e->count = weft__element_count(e->shape, e->ndim, e->element.bytes);
    if (e->count < 0 || (uint64_t)e->count * (uint64_t)e->element.bytes > e->size - e->head)
        e->why = "its shape needs more bytes than there are";
}

static weft_status read_text(weft__catalogue *c, weft__stream *s, weft__entry *e, uint64_t length)
{
    weft_status status = WEFT_OK;
    char *text = weft__take(c->ctx, (size_t)length, &status);
    if (!text)
        return status;
    status = weft__stream_read(s, text, (size_t)length, &e->why);
    if (status == WEFT_OK && !e->why)
        describe(e, text, (size_t)length);
    weft_ctx_free(c->ctx, text, (size_t)length);
    return status;
}

static weft_status read_header(weft__catalogue *c, weft__stream *s, weft__entry *e)
{
    unsigned char start[12];
    if (e->size < 10)
        return e->why = "it does not begin like an npy file", WEFT_OK;
    weft_status status = weft__stream_read(s, start, 10, &e->why);
    if (status != WEFT_OK || e->why)
        return status;
    if (memcmp(start, "\x93NUMPY", 6) != 0)
        return e->why = "it does not begin like an npy file", WEFT_OK;
    const int version = start[6], prefix = version == 1 ? 10 : 12;
    if (version < 1 || version > 3)
        return e->why = "its version of the npy format is none of 1, 2 and 3", WEFT_OK;
    if (prefix == 12)
        status = weft__stream_read(s, start + 10, 2, &e->why);
    if (status != WEFT_OK || e->why)
        return status;
    const uint64_t length = weft__little(start + 8, prefix - 8);
    if (length > e->size - (uint64_t)prefix)
        return e->why = "its npy header is longer than the file", WEFT_OK;
    if (length > MOST_HEADER)
        return e->why = "its npy header is longer than 1 MiB", WEFT_OK;
    e->head = (uint64_t)prefix + length;
    return read_text(c, s, e, length);
}

weft_status weft__npy_describe(weft__catalogue *c, weft__entry *e)
{
    weft__stream s;
    if (e->described)
        return WEFT_OK;
    e->described = true;
    if (e->why)
        return WEFT_OK;
    weft_status status = weft__stream_open(&s, c, e, &e->why);
    if (status == WEFT_OK && !e->why)
        status = read_header(c, &s, e);
    weft__stream_close(&s);
    return status;
}

weft_status weft__npy_open(weft__catalogue *c)
{
    weft__entry *e;
    const weft_status status = weft__catalogue_add(c, &e);
    if (status == WEFT_OK)
        *e = (weft__entry){.name = "arr_0", .packed = c->source.size, .size = c->source.size};
    return status;
}

/* ---- Writing ---- */

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
