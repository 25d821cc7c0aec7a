/* safetensors.c - the header of a safetensors file, into a catalogue: an 8-byte length, a JSON object, and data that
 * its tensors cover without gap or overlap. The format: https://github.com/huggingface/safetensors#format */
#include <string.h>
#include "catalogue.h"
#include "safetensors.h"
#include "utf8.h"

static const struct {
    const char *text;
    weft__element element;
} known[] = {
    {"F32", {4, WEFT_F32, 'f', false}},   {"F64", {8, WEFT_F64, 'f', false}}, {"F16", {2, WEFT_F16, 'f', false}},
    {"BF16", {2, WEFT_BF16, 'V', false}}, {"I64", {8, WEFT_I64, 'i', false}}, {"I32", {4, WEFT_I32, 'i', false}},
    {"I16", {2, WEFT_I32, 'i', false}},   {"I8", {1, WEFT_I8, 'i', false}},   {"U8", {1, WEFT_U8, 'u', false}},
    {"U16", {2, WEFT_I32, 'u', false}},   {"U32", {4, WEFT_I64, 'u', false}}, {"BOOL", {1, WEFT_BOOL, 'b', false}}};

typedef struct reader {
    weft__catalogue *c;
    unsigned char *p, *end; /* of the header that is left; texts are unescaped in place */
    char *text;             /* the one read last, with a terminator */
    size_t length;
    uint64_t data, data_size; /* where the data begins in the file, and its size */
    weft_status status;       /* of a failure that says more than "not valid" */
} reader;

static bool broken(reader *r, const char *why)
{
    if (r->status == WEFT_OK)
        r->status = weft__source_fail(&r->c->source, WEFT_E_IO, "%s", why);
    return false;
}

static bool broken_entry(reader *r, const weft__entry *e, const char *why)
{
    if (r->status == WEFT_OK)
        r->status = weft__entry_fail(r->c, e, why);
    return false;
}

/* ---- JSON ---- */

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
    *n += put_utf8(r->text + *n, found ? (uint32_t)(unsigned char)to[found - from] : c);
    return true;
}

/* A text into r->text, where it stands: what an escape means is never longer than the escape. The terminator falls on
 * the closing quote or before it. */
static bool take_text(reader *r)
{
    size_t n = 0;
    if (!take(r, '"'))
        return false;
    r->text = (char *)r->p;
    while (r->p < r->end && *r->p != '"') {
        if (*r->p < 0x20)
            return false;
        if (*r->p != '\\')
            r->text[n++] = (char)*r->p++;
        else if (r->p++, !take_escape(r, &n))
            return false;
    }
    if (r->p == r->end)
        return false;
    r->p++;
    r->text[n] = '\0';
    r->length = n;
    return true;
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
    return r->p > first && (*first != '0' || r->p == first + 1); /* JSON has no 007 */
}

/* ---- Tensors ---- */

typedef struct fields {
    bool dtype, shape, offsets, known; /* known: the dtype is one of ours */
    uint64_t begin, end;
} fields;

/* More dims than we have are read over: the other tensors of the file can be loaded. */
static bool take_shape(reader *r, weft__entry *e)
{
    int ndim = 0;
    if (!take(r, '['))
        return false;
    if (take(r, ']'))
        return true;
    do {
        uint64_t size;
        if (!take_number(r, &size) || size > INT64_MAX)
            return false;
        if (ndim < WEFT_MAX_DIMS)
            e->shape[ndim] = (int64_t)size;
        ndim += ndim <= WEFT_MAX_DIMS;
    } while (take(r, ','));
    e->ndim = ndim <= WEFT_MAX_DIMS ? ndim : 0;
    if (ndim > WEFT_MAX_DIMS)
        e->why = "it has more than 8 dims";
    return take(r, ']');
}

static bool take_dtype(reader *r, weft__entry *e, fields *f)
{
    if (!take_text(r))
        return false;
    weft__entry_dtype(e, r->text);
    for (size_t k = 0; k < sizeof known / sizeof *known; k++)
        if (strcmp(known[k].text, r->text) == 0) {
            e->element = known[k].element;
            f->known = true;
        }
    if (!f->known)
        e->why = strcmp(r->text, "U64") == 0
                     ? "Weft has no unsigned integers of 64 bits; save it as I64"
                     : "Weft has no such dtype; save it as one of F64, F32, F16, BF16, I64, I32, "
                       "I16, I8, U32, U16, U8, BOOL";
    return true;
}

static bool take_field(reader *r, weft__entry *e, fields *f)
{
    if (!take_text(r) || !take(r, ':'))
        return false;
    if (strcmp(r->text, "shape") == 0)
        return !f->shape && (f->shape = take_shape(r, e));
    if (strcmp(r->text, "data_offsets") == 0)
        return f->offsets =
                   take(r, '[') && take_number(r, &f->begin) && take(r, ',') && take_number(r, &f->end) && take(r, ']');
    return strcmp(r->text, "dtype") == 0 && !f->dtype && (f->dtype = take_dtype(r, e, f));
}

/* The offsets must be in the file, and their distance the bytes of the shape. */
static bool place(reader *r, weft__entry *e, const fields *f)
{
    if (f->begin > f->end || f->end > r->data_size)
        return broken_entry(r, e, "its data_offsets are not within the file");
    e->begin = e->offset = r->data + f->begin;
    e->packed = e->size = f->end - f->begin;
    e->described = true;
    if (e->why)
        return true;
    e->count = weft__element_count(e->shape, e->ndim, e->element.bytes);
    if (e->count < 0 || (uint64_t)e->count * (uint64_t)e->element.bytes != e->size)
        return broken_entry(r, e, "its shape does not fit its data_offsets");
    return true;
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

static bool take_tensor(reader *r)
{
    weft__entry *e;
    fields f = {.dtype = false};
    if (!take_text(r) || !take(r, ':'))
        return broken(r, "its header is not valid JSON of tensors");
    if (strcmp(r->text, "__metadata__") == 0)
        return skip_metadata(r) || broken(r, "its __metadata__ is not texts under texts");
    r->status = weft__catalogue_name(r->c, r->text, r->length);
    if (r->status == WEFT_OK)
        r->status = weft__catalogue_add(r->c, &e);
    if (r->status != WEFT_OK)
        return false;
    e->name = r->text;
    bool fine = take(r, '{');
    do
        fine = fine && take_field(r, e, &f);
    while (fine && take(r, ','));
    if (!fine || !take(r, '}') || !f.dtype || !f.shape || !f.offsets)
        return broken_entry(r, e, "it is not an object of dtype, shape and data_offsets");
    return place(r, e, &f);
}

static bool take_all(reader *r)
{
    if (!take(r, '{'))
        return broken(r, "its header is no JSON object in UTF-8");
    bool more = !take(r, '}');
    while (more) {
        if (!take_tensor(r))
            return false;
        more = take(r, ',');
        if (!more && !take(r, '}'))
            return broken(r, "its header is not valid JSON of tensors");
    }
    skip_space(r);
    return r->p == r->end || broken(r, "there is something behind the JSON in its header");
}

static int by_place(const void *a, const void *b)
{
    const weft__entry *x = *(weft__entry *const *)a, *y = *(weft__entry *const *)b;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return x->size < y->size ? -1 : x->size > y->size;
}

static weft_status check_cover(reader *r)
{
    weft_status status = WEFT_OK;
    weft__entry **sorted = weft__catalogue_sort(r->c, by_place, &status);
    uint64_t at = r->data;
    for (size_t k = 0; sorted && k < r->c->n && status == WEFT_OK; k++) {
        if (sorted[k]->offset != at)
            status = weft__entry_fail(r->c, sorted[k],
                                      sorted[k]->offset < at ? "its data overlaps another tensor's"
                                                             : "there is a gap before its data");
        at = sorted[k]->offset + sorted[k]->size;
    }
    weft__catalogue_unsort(r->c, sorted);
    if (status == WEFT_OK && at != r->c->source.size)
        status = weft__source_fail(&r->c->source, WEFT_E_IO, "there are bytes after the last tensor");
    return status;
}

weft_status weft__safetensors_open(weft__catalogue *c)
{
    unsigned char start[8];
    reader r = {.c = c};
    if (c->source.size < 8)
        return weft__source_fail(&c->source, WEFT_E_IO, "it is too short for a safetensors file");
    weft_status status = weft__source_read(&c->source, 0, start, 8);
    if (status != WEFT_OK)
        return status;
    const uint64_t length = weft__little(start, 8);
    if (length > c->source.size - 8 || length > WEFT__SAFETENSORS_HEADER)
        return weft__source_fail(&c->source, WEFT_E_IO,
                                 "its header claims %llu bytes: more than the file has, or than 100 MB",
                                 (unsigned long long)length);
    r.data = 8 + length;
    r.data_size = c->source.size - r.data;
    status = weft__catalogue_text(c, length);
    if (status == WEFT_OK)
        status = weft__source_read(&c->source, 8, c->text, c->text_bytes);
    if (status != WEFT_OK)
        return status;
    r.p = c->text;
    r.end = c->text + length;
    if (length == 0 || *r.p != '{' || !weft__is_utf8((const char *)r.p, (size_t)length))
        return weft__source_fail(&c->source, WEFT_E_IO, "its header is no JSON object in UTF-8");
    if (!take_all(&r))
        return r.status;
    status = weft__catalogue_unique(c);
    return status == WEFT_OK ? check_cover(&r) : status;
}
