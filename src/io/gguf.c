/* gguf.c - see gguf.h: "GGUF", version, numbers of tensors and of metadata, the metadata (passed by, but for the
 * alignment), a record for each tensor, and the data. The format:
 * https://github.com/ggml-org/ggml/blob/master/docs/gguf.md */
#include "gguf.h"

#include <string.h>
#include "utf8.h"

enum { BUFFER = 4096, SHORTEST_TENSOR = 8 + 4 + 4 + 8, SHORTEST_PAIR = 8 + 4 + 1 };

typedef struct cursor {
    weft__catalogue *c;
    uint64_t at;
    uint64_t first, held; /* which bytes of the file the buffer has */
    unsigned char buffer[BUFFER];
} cursor;

static weft_status ends_early(const cursor *r)
{
    return weft__source_fail(&r->c->source, WEFT_E_IO, "its header ends early");
}

/* n <= 8 bytes as a number. */
static weft_status take(cursor *r, int n, uint64_t *x)
{
    if (!weft__source_holds(&r->c->source, r->at, (uint64_t)n))
        return ends_early(r);
    if (r->at < r->first || r->at + (uint64_t)n > r->first + r->held) {
        const uint64_t left = r->c->source.size - r->at;
        r->first = r->at;
        r->held = left < BUFFER ? left : BUFFER;
        const weft_status status = weft__source_read(&r->c->source, r->at, r->buffer, (size_t)r->held);
        if (status != WEFT_OK)
            return status;
    }
    *x = weft__little(r->buffer + (r->at - r->first), n);
    r->at += (uint64_t)n;
    return WEFT_OK;
}

static weft_status skip(cursor *r, uint64_t n)
{
    if (!weft__source_holds(&r->c->source, r->at, n))
        return ends_early(r);
    r->at += n;
    return WEFT_OK;
}

/* The length of a text; its bytes come next. */
static weft_status take_length(cursor *r, uint64_t *n)
{
    const weft_status status = take(r, 8, n);
    return status == WEFT_OK && !weft__source_holds(&r->c->source, r->at, *n) ? ends_early(r) : status;
}

/* ---- Metadata ---- */

enum { UINT32 = 4, TEXT = 8, ARRAY = 9, TYPES = 13 };
static const int widths[TYPES] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

static weft_status skip_values(cursor *r, uint64_t type, uint64_t n)
{
    weft_status status = WEFT_OK;
    if (type >= TYPES || type == ARRAY)
        return weft__source_fail(&r->c->source, WEFT_E_IO, "a value of its metadata has the type %llu",
                                 (unsigned long long)type);
    if (type != TEXT) {
        uint64_t bytes;
        return __builtin_mul_overflow(n, (uint64_t)widths[type], &bytes) ? ends_early(r) : skip(r, bytes);
    }
    for (uint64_t k = 0; k < n && status == WEFT_OK; k++) {
        uint64_t length = 0;
        status = take_length(r, &length);
        if (status == WEFT_OK)
            status = skip(r, length);
    }
    return status;
}

static weft_status take_pair(cursor *r, uint64_t *alignment)
{
    static const char wanted[] = "general.alignment";
    unsigned char key[sizeof wanted - 1];
    uint64_t length = 0, type = 0, inner = 0, n = 1;
    weft_status status = take_length(r, &length);
    const uint64_t at = r->at;
    if (status == WEFT_OK)
        status = skip(r, length);
    if (status == WEFT_OK)
        status = take(r, 4, &type);
    if (status != WEFT_OK)
        return status;
    if (length == sizeof key && type == UINT32) {
        status = weft__source_read(&r->c->source, at, key, sizeof key);
        if (status == WEFT_OK && memcmp(key, wanted, sizeof key) == 0)
            return take(r, 4, alignment);
    }
    if (status != WEFT_OK || type != ARRAY)
        return status == WEFT_OK ? skip_values(r, type, n) : status;
    status = take(r, 4, &inner);
    if (status == WEFT_OK)
        status = take(r, 8, &n);
    return status == WEFT_OK ? skip_values(r, inner, n) : status;
}

/* ---- Tensors ---- */

static const struct known {
    int type;
    const char *name;
    weft__element element;
    weft__blocks blocks;
} known[] = {{0, "F32", {4, WEFT_F32, 'f', false}, WEFT__BLOCKS_NONE},
             {1, "F16", {2, WEFT_F16, 'f', false}, WEFT__BLOCKS_NONE},
             {2, "Q4_0", {4, WEFT_F32, 'f', false}, WEFT__BLOCKS_Q4_0},
             {3, "Q4_1", {4, WEFT_F32, 'f', false}, WEFT__BLOCKS_Q4_1},
             {6, "Q5_0", {4, WEFT_F32, 'f', false}, WEFT__BLOCKS_Q5_0},
             {7, "Q5_1", {4, WEFT_F32, 'f', false}, WEFT__BLOCKS_Q5_1},
             {8, "Q8_0", {4, WEFT_F32, 'f', false}, WEFT__BLOCKS_Q8_0},
             {24, "I8", {1, WEFT_I8, 'i', false}, WEFT__BLOCKS_NONE},
             {25, "I16", {2, WEFT_I32, 'i', false}, WEFT__BLOCKS_NONE},
             {26, "I32", {4, WEFT_I32, 'i', false}, WEFT__BLOCKS_NONE},
             {27, "I64", {8, WEFT_I64, 'i', false}, WEFT__BLOCKS_NONE},
             {28, "F64", {8, WEFT_F64, 'f', false}, WEFT__BLOCKS_NONE},
             {30, "BF16", {2, WEFT_BF16, 'V', false}, WEFT__BLOCKS_NONE}};

/* Those that Weft does not read, for messages. */
static const struct named {
    int type;
    const char *name;
} named[] = {{10, "Q2_K"},    {11, "Q3_K"},   {12, "Q4_K"},    {13, "Q5_K"},  {14, "Q6_K"},   {15, "Q8_K"},
             {16, "IQ2_XXS"}, {17, "IQ2_XS"}, {18, "IQ3_XXS"}, {19, "IQ1_S"}, {20, "IQ4_NL"}, {21, "IQ3_S"},
             {22, "IQ2_S"},   {23, "IQ4_XS"}, {29, "IQ1_M"},   {34, "TQ1_0"}, {35, "TQ2_0"},  {39, "MXFP4"}};

static void take_type(weft__entry *e, uint64_t type)
{
    weft__entry_dtype(e, "?");
    for (size_t k = 0; k < sizeof named / sizeof *named; k++)
        if ((uint64_t)named[k].type == type)
            weft__entry_dtype(e, named[k].name);
    for (size_t k = 0; k < sizeof known / sizeof *known; k++)
        if ((uint64_t)known[k].type == type) {
            weft__entry_dtype(e, known[k].name);
            e->element = known[k].element;
            e->blocks = known[k].blocks;
            return;
        }
    e->why =
        "Weft does not read this type; it reads F64, F32, F16, BF16, I64, I32, I16, I8, Q8_0, Q5_1, Q5_0, Q4_1, Q4_0";
}

/* How many bytes the elements have in the file, or e->why. */
static void weigh(weft__entry *e)
{
    e->count = weft__element_count(e->shape, e->ndim, e->element.bytes);
    if (e->count < 0) {
        e->why = "its shape has too many elements";
        return;
    }
    if (e->blocks == WEFT__BLOCKS_NONE)
        e->size = (uint64_t)e->count * (uint64_t)e->element.bytes;
    else if (e->ndim < 1 || e->shape[e->ndim - 1] % WEFT__BLOCK)
        e->why = "its rows are not whole blocks of 32";
    else
        e->size = (uint64_t)(e->count / WEFT__BLOCK) * (uint64_t)weft__block_bytes(e->blocks);
}

/* Dims come with the one that runs fastest first. */
static weft_status take_shape(cursor *r, weft__entry *e)
{
    uint64_t ndim = 0, sizes[WEFT_MAX_DIMS], size = 0;
    weft_status status = take(r, 4, &ndim);
    for (uint64_t d = 0; d < ndim && status == WEFT_OK; d++) {
        status = take(r, 8, &size);
        if (status == WEFT_OK && size > INT64_MAX)
            e->why = "a size of its shape is beyond 2^63";
        if (d < WEFT_MAX_DIMS)
            sizes[d] = size;
    }
    if (ndim > WEFT_MAX_DIMS)
        e->why = "it has more than 8 dims";
    if (status != WEFT_OK || e->why)
        return status;
    e->ndim = (int)ndim;
    for (int d = 0; d < e->ndim; d++)
        e->shape[d] = (int64_t)sizes[e->ndim - 1 - d];
    return WEFT_OK;
}

/* A record. names: where its name goes, if it is to be kept; *bytes grows by the name's. */
static weft_status take_tensor(cursor *r, char *names, uint64_t *bytes)
{
    uint64_t length = 0, type = 0;
    weft__entry *e, passed = {0};
    weft_status status = take_length(r, &length);
    if (status == WEFT_OK && names)
        status = weft__catalogue_add(r->c, &e);
    if (status != WEFT_OK)
        return status;
    if (names) {
        status = weft__source_read(&r->c->source, r->at, names + *bytes, (size_t)length);
        names[*bytes + length] = '\0';
        e->name = names + *bytes;
        e->described = true;
        if (status == WEFT_OK)
            status = weft__catalogue_name(r->c, e->name, (size_t)length);
    } else {
        e = &passed;
    }
    *bytes += length + 1;
    if (status == WEFT_OK)
        status = skip(r, length);
    if (status == WEFT_OK)
        status = take_shape(r, e);
    if (status == WEFT_OK)
        status = take(r, 4, &type);
    if (status == WEFT_OK)
        status = take(r, 8, &e->offset);
    if (status == WEFT_OK && names)
        take_type(e, type);
    if (status == WEFT_OK && names && !e->why)
        weigh(e);
    return status;
}

static int by_place(const void *a, const void *b)
{
    const weft__entry *x = *(weft__entry *const *)a, *y = *(weft__entry *const *)b;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return x->size < y->size ? -1 : x->size > y->size;
}

/* Offsets count from the data's begin; tensors must be in the file and not share bytes. */
static weft_status place(weft__catalogue *c, uint64_t begin)
{
    weft_status status = WEFT_OK;
    for (size_t k = 0; k < c->n && status == WEFT_OK; k++) {
        weft__entry *const e = &c->entries[k];
        if (__builtin_add_overflow(e->offset, begin, &e->offset) ||
            (!e->why && !weft__source_holds(&c->source, e->offset, e->size)))
            status = weft__entry_fail(c, e, "its data is not within the file");
        e->packed = e->size;
    }
    weft__entry **sorted = status == WEFT_OK ? weft__catalogue_sort(c, by_place, &status) : NULL;
    for (size_t k = 1; sorted && k < c->n && status == WEFT_OK; k++)
        if (sorted[k]->offset < sorted[k - 1]->offset + sorted[k - 1]->size && sorted[k]->size > 0)
            status = weft__entry_fail(c, sorted[k], "its data overlaps another tensor's");
    weft__catalogue_unsort(c, sorted);
    return status;
}

static weft_status take_tensors(cursor *r, uint64_t n, uint64_t alignment)
{
    const uint64_t first = r->at;
    uint64_t bytes = 0;
    weft_status status = WEFT_OK;
    for (uint64_t k = 0; k < n && status == WEFT_OK; k++)
        status = take_tensor(r, NULL, &bytes);
    if (status == WEFT_OK)
        status = weft__catalogue_reserve(r->c, n);
    if (status == WEFT_OK)
        status = weft__catalogue_text(r->c, bytes);
    r->at = first;
    bytes = 0;
    for (uint64_t k = 0; k < n && status == WEFT_OK; k++)
        status = take_tensor(r, (char *)r->c->text, &bytes);
    if (status == WEFT_OK)
        status = weft__catalogue_unique(r->c);
    return status == WEFT_OK ? place(r->c, (r->at + alignment - 1) / alignment * alignment) : status;
}

weft_status weft__gguf_open(weft__catalogue *c)
{
    cursor r = {.c = c, .at = 4};
    uint64_t version = 0, tensors = 0, pairs = 0, alignment = 32;
    weft_status status = take(&r, 4, &version);
    if (status == WEFT_OK && version != 2 && version != 3)
        return weft__source_fail(&c->source, WEFT_E_IO, "it is a GGUF file of version %llu%s; 2 and 3 are read",
                                 (unsigned long long)(version >> 24 ? version >> 24 : version),
                                 version >> 24 ? " for machines with the highest byte first" : "");
    if (status == WEFT_OK)
        status = take(&r, 8, &tensors);
    if (status == WEFT_OK)
        status = take(&r, 8, &pairs);
    if (status != WEFT_OK)
        return status;
    if (tensors > c->source.size / SHORTEST_TENSOR || pairs > c->source.size / SHORTEST_PAIR)
        return weft__source_fail(&c->source, WEFT_E_IO, "its header claims more tensors or metadata than it can hold");
    for (uint64_t k = 0; k < pairs && status == WEFT_OK; k++)
        status = take_pair(&r, &alignment);
    if (status == WEFT_OK && (alignment == 0 || alignment > UINT32_MAX || (alignment & (alignment - 1))))
        return weft__source_fail(&c->source, WEFT_E_IO, "its alignment, %llu, is no power of two",
                                 (unsigned long long)alignment);
    return status == WEFT_OK ? take_tensors(&r, tensors, alignment) : status;
}
