/* safetensors.c - the header of a safetensors file, into a catalogue: an 8-byte length, a JSON object, and data that
 * its tensors cover without gap or overlap. The format: https://github.com/huggingface/safetensors#format */
#include <string.h>
#include "catalogue.h"
#include "json_read.h"
#include "safetensors.h"
#include "utf8.h"

static const struct {
    const char *text;
    weft__element element;
} known[] = {{"F32", {4, WEFT_F32, 'f', false}},     {"F64", {8, WEFT_F64, 'f', false}},
             {"F16", {2, WEFT_F16, 'f', false}},     {"BF16", {2, WEFT_BF16, 'V', false}},
             {"I64", {8, WEFT_I64, 'i', false}},     {"I32", {4, WEFT_I32, 'i', false}},
             {"I16", {2, WEFT_I32, 'i', false}},     {"I8", {1, WEFT_I8, 'i', false}},
             {"U8", {1, WEFT_U8, 'u', false}},       {"U16", {2, WEFT_I32, 'u', false}},
             {"U32", {4, WEFT_I64, 'u', false}},     {"BOOL", {1, WEFT_BOOL, 'b', false}},
             {"F8_E4M3", {1, WEFT_F32, '4', false}}, {"F8_E5M2", {1, WEFT_F32, '5', false}},
             {"F8_E8M0", {1, WEFT_F32, '8', false}}};

typedef struct reader {
    weft__catalogue *c;
    weft__json j;             /* what is left of the header */
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

/* ---- Tensors ---- */

typedef struct fields {
    bool dtype, shape, offsets, known; /* known: the dtype is one of ours */
    uint64_t begin, end;
} fields;

/* More dims than we have are read over: the other tensors of the file can be loaded. */
static bool take_shape(reader *r, weft__entry *e)
{
    int ndim = 0;
    if (!weft__json_take(&r->j, '['))
        return false;
    if (weft__json_take(&r->j, ']'))
        return true;
    do {
        uint64_t size;
        if (!weft__json_number(&r->j, &size) || size > INT64_MAX)
            return false;
        if (ndim < WEFT_MAX_DIMS)
            e->shape[ndim] = (int64_t)size;
        ndim += ndim <= WEFT_MAX_DIMS;
    } while (weft__json_take(&r->j, ','));
    e->ndim = ndim <= WEFT_MAX_DIMS ? ndim : 0;
    if (ndim > WEFT_MAX_DIMS)
        e->why = "it has more than 8 dims";
    return weft__json_take(&r->j, ']');
}

static bool take_dtype(reader *r, weft__entry *e, fields *f)
{
    if (!weft__json_text(&r->j))
        return false;
    weft__entry_dtype(e, r->j.text);
    for (size_t k = 0; k < sizeof known / sizeof *known; k++)
        if (strcmp(known[k].text, r->j.text) == 0) {
            e->element = known[k].element;
            f->known = true;
        }
    if (!f->known)
        e->why = strcmp(r->j.text, "U64") == 0
                     ? "Weft has no unsigned integers of 64 bits; save it as I64"
                     : "Weft has no such dtype; save it as one of F64, F32, F16, BF16, I64, I32, "
                       "I16, I8, U32, U16, U8, BOOL, F8_E4M3, F8_E5M2, F8_E8M0";
    return true;
}

static bool take_field(reader *r, weft__entry *e, fields *f)
{
    if (!weft__json_text(&r->j) || !weft__json_take(&r->j, ':'))
        return false;
    if (strcmp(r->j.text, "shape") == 0)
        return !f->shape && (f->shape = take_shape(r, e));
    if (strcmp(r->j.text, "data_offsets") == 0)
        return f->offsets = weft__json_take(&r->j, '[') && weft__json_number(&r->j, &f->begin) &&
                            weft__json_take(&r->j, ',') && weft__json_number(&r->j, &f->end) &&
                            weft__json_take(&r->j, ']');
    return strcmp(r->j.text, "dtype") == 0 && !f->dtype && (f->dtype = take_dtype(r, e, f));
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
    if (!weft__json_take(&r->j, '{'))
        return false;
    if (weft__json_take(&r->j, '}'))
        return true;
    do
        if (!weft__json_text(&r->j) || !weft__json_take(&r->j, ':') || !weft__json_text(&r->j))
            return false;
    while (weft__json_take(&r->j, ','));
    return weft__json_take(&r->j, '}');
}

static bool take_tensor(reader *r)
{
    weft__entry *e;
    fields f = {.dtype = false};
    if (!weft__json_text(&r->j) || !weft__json_take(&r->j, ':'))
        return broken(r, "its header is not valid JSON of tensors");
    if (strcmp(r->j.text, "__metadata__") == 0)
        return skip_metadata(r) || broken(r, "its __metadata__ is not texts under texts");
    r->status = weft__catalogue_name(r->c, r->j.text, r->j.length);
    if (r->status == WEFT_OK)
        r->status = weft__catalogue_add(r->c, &e);
    if (r->status != WEFT_OK)
        return false;
    e->name = r->j.text;
    bool fine = weft__json_take(&r->j, '{');
    do
        fine = fine && take_field(r, e, &f);
    while (fine && weft__json_take(&r->j, ','));
    if (!fine || !weft__json_take(&r->j, '}') || !f.dtype || !f.shape || !f.offsets)
        return broken_entry(r, e, "it is not an object of dtype, shape and data_offsets");
    return place(r, e, &f);
}

static bool take_all(reader *r)
{
    if (!weft__json_take(&r->j, '{'))
        return broken(r, "its header is no JSON object in UTF-8");
    bool more = !weft__json_take(&r->j, '}');
    while (more) {
        if (!take_tensor(r))
            return false;
        more = weft__json_take(&r->j, ',');
        if (!more && !weft__json_take(&r->j, '}'))
            return broken(r, "its header is not valid JSON of tensors");
    }
    weft__json_space(&r->j);
    return r->j.p == r->j.end || broken(r, "there is something behind the JSON in its header");
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
    r.j.p = c->text;
    r.j.end = c->text + length;
    if (length == 0 || *r.j.p != '{' || !weft__is_utf8((const char *)r.j.p, (size_t)length))
        return weft__source_fail(&c->source, WEFT_E_IO, "its header is no JSON object in UTF-8");
    if (!take_all(&r))
        return r.status;
    status = weft__catalogue_unique(c);
    return status == WEFT_OK ? check_cover(&r) : status;
}
