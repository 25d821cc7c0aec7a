/* torch.c - what torch.save writes, into a catalogue: a pickle of containers with tensors in them, each a view of a
 * storage, and the storages' bytes. Since PyTorch 1.6 these are entries of a zip archive (NAME/data.pkl, NAME/data/0,
 * NAME/data/1 ...); the form from before is torch_old.c's. The source:
 * https://github.com/pytorch/pytorch/blob/v2.5.0/torch/serialization.py
 *
 * A tensor's name is its path: keys and numbers in lists, with points between them. */
#include <stdlib.h>
#include <string.h>
#include "torch_read.h"
#include "stream.h"
#include "utf8.h"

enum { MOST_DEPTH = 64 };

/* ---- Names of Python that may stand in the pickle ---- */

const char *const weft__torch_globals[] = {
    "collections OrderedDict", "collections Counter", "torch Size", "torch device", "torch Tensor",
    "torch.nn.parameter Parameter", "torch._utils _rebuild_tensor", "torch._utils _rebuild_tensor_v2",
    "torch._utils _rebuild_tensor_v3", "torch._utils _rebuild_parameter", "torch._utils _rebuild_parameter_with_state",
    "torch._tensor _rebuild_from_type_v2", "torch._utils _rebuild_sparse_tensor", "torch._utils _rebuild_qtensor",
    "torch.storage UntypedStorage", "torch.serialization _get_layout", "torch per_tensor_affine",
    "torch per_channel_affine",
    /* element types: those of storages, and dtypes */
    "torch FloatStorage", "torch DoubleStorage", "torch HalfStorage", "torch BFloat16Storage", "torch LongStorage",
    "torch IntStorage", "torch ShortStorage", "torch CharStorage", "torch ByteStorage", "torch BoolStorage",
    "torch ComplexFloatStorage", "torch ComplexDoubleStorage", "torch QInt8Storage", "torch QUInt8Storage",
    "torch QInt32Storage", "torch float32", "torch float64", "torch float16", "torch bfloat16", "torch int64",
    "torch int32", "torch int16", "torch int8", "torch uint8", "torch bool", "torch uint16", "torch uint32",
    "torch uint64", "torch complex32", "torch complex64", "torch complex128", "torch float8_e4m3fn",
    "torch float8_e5m2", "torch float8_e4m3fnuz", "torch float8_e5m2fnuz", "torch float8_e8m0fnu", NULL};

static const struct known {
    const char *storage, *name; /* also "torch NAME" */
    weft__element element;
} known[] = {{"torch FloatStorage", "float32", {4, WEFT_F32, 'f', false}},
             {"torch DoubleStorage", "float64", {8, WEFT_F64, 'f', false}},
             {"torch HalfStorage", "float16", {2, WEFT_F16, 'f', false}},
             {"torch BFloat16Storage", "bfloat16", {2, WEFT_BF16, 'V', false}},
             {"torch LongStorage", "int64", {8, WEFT_I64, 'i', false}},
             {"torch IntStorage", "int32", {4, WEFT_I32, 'i', false}},
             {"torch ShortStorage", "int16", {2, WEFT_I32, 'i', false}},
             {"torch CharStorage", "int8", {1, WEFT_I8, 'i', false}},
             {"torch ByteStorage", "uint8", {1, WEFT_U8, 'u', false}},
             {"torch BoolStorage", "bool", {1, WEFT_BOOL, 'b', false}},
             {"", "float8_e4m3fn", {1, WEFT_F32, '4', false}},
             {"", "float8_e5m2", {1, WEFT_F32, '5', false}},
             {"", "float8_e8m0fnu", {1, WEFT_F32, '8', false}},
             {"", "uint16", {2, WEFT_I32, 'u', false}},
             {"", "uint32", {4, WEFT_I64, 'u', false}}};

weft_status weft__torch_fail(weft__torch_reader *r, const char *why)
{
    return weft__source_fail(&r->c->source, WEFT_E_IO, "%s", why);
}

/* ---- Names of tensors ---- */

typedef struct part {
    const struct part *above;
    const char *text;
    size_t n;
    int depth;
} part;

static size_t name_length(const part *last)
{
    size_t n = 0;
    for (const part *p = last; p; p = p->above)
        n += p->n + (p->above != NULL);
    return n;
}

static const char *write_name(weft__torch_reader *r, const part *last)
{
    size_t at = name_length(last);
    char *const name = r->names;
    r->names += at + 1;
    name[at] = '\0';
    for (const part *p = last; p; p = p->above) {
        at -= p->n;
        memcpy(name + at, p->text, p->n);
        if (p->above)
            name[--at] = '.';
    }
    return name;
}

/* ---- Storages ---- */

static int name_is(const void *name, const void *entry)
{
    return strcmp(name, (*(weft__entry *const *)entry)->name);
}

/* The entry of the archive of this folder and name, or NULL. */
static weft__entry *find_entry(const weft__torch_reader *r, const char *name, size_t n)
{
    char whole[1024];
    if (r->folder_length + n >= sizeof whole)
        return NULL;
    memcpy(whole, r->folder, r->folder_length);
    memcpy(whole + r->folder_length, name, n);
    whole[r->folder_length + n] = '\0';
    weft__entry **found = bsearch(whole, r->sorted, r->archive.n, sizeof *r->sorted, name_is);
    return found ? *found : NULL;
}

/* What of a storage's bytes is known: where they are and how many, and their checksum. false: it is not in the file. */
static bool find_storage(const weft__torch_reader *r, uint32_t key, weft__entry *e)
{
    const weft__value *const text = &r->p.values[key];
    char name[256] = "data/";
    const weft__torch_storage *const old = weft__torch_find_old(r, r->p.bytes + text->at, text->count);
    if (old) {
        e->offset = old->offset;
        e->size = old->bytes;
        return old->offset > 0;
    }
    if (!r->archive.n || text->count > sizeof name - 6)
        return false;
    memcpy(name + 5, r->p.bytes + text->at, text->count);
    const weft__entry *const found = find_entry(r, name, 5 + text->count);
    if (!found)
        return false;
    e->offset = found->offset;
    e->size = found->size;
    e->crc = found->crc;
    e->checked = found->checked;
    if (found->method != WEFT__STORED)
        e->why = "its storage is compressed; torch.save leaves storages as they are";
    return true;
}

/* ---- Tensors ---- */

void weft__torch_element(const weft__torch_reader *r, uint32_t type, weft__entry *e)
{
    const char *const name = weft__torch_globals[r->p.values[type].at];
    const char *const shown = strrchr(name, ' ') + 1;
    weft__entry_dtype(e, shown);
    for (size_t k = 0; k < sizeof known / sizeof *known; k++)
        if (strcmp(known[k].storage, name) == 0 || strcmp(known[k].name, shown) == 0) {
            weft__entry_dtype(e, known[k].name);
            e->element = known[k].element;
            e->element.swap = r->swap && e->element.bytes > 1;
            return;
        }
    e->why =
        "Weft has no such dtype; save it as one of float64, float32, float16, bfloat16, int64, int32, int16, int8, "
        "uint8, uint16, uint32, bool";
}

/* A tuple of whole numbers, none negative; of those beyond 8 only the first 8. */
static bool take_sizes(const weft__torch_reader *r, uint32_t v, int64_t *sizes, uint32_t *n)
{
    const weft__value *const tuple = &r->p.values[v];
    if (v == WEFT__NO_ITEM || tuple->kind != WEFT__PICKLED_TUPLE)
        return false;
    *n = tuple->count;
    uint32_t k = 0;
    for (uint32_t item = tuple->at; item != WEFT__NO_ITEM; item = r->p.items[item].next, k++) {
        const weft__value *const size = &r->p.values[r->p.items[item].value];
        if (size->kind != WEFT__PICKLED_INT || size->number.i < 0)
            return false;
        if (k < WEFT_MAX_DIMS)
            sizes[k] = size->number.i;
    }
    return true;
}

/* Where the elements are in the storage, which e has so far: first the one at `first`, then as the strides say. */
static void place(const weft__torch_reader *r, weft__entry *e, int64_t first, const int64_t *strides)
{
    const uint64_t width = (uint64_t)e->element.bytes;
    uint64_t last = (uint64_t)first, dense = 1, bytes;
    bool overflow = false, contiguous = true;
    e->count = weft__element_count(e->shape, e->ndim, e->element.bytes);
    for (int d = e->ndim - 1; d >= 0; d--) {
        uint64_t reach;
        contiguous &= e->shape[d] == 1 || (uint64_t)strides[d] == dense;
        overflow |=
            __builtin_mul_overflow((uint64_t)(e->shape[d] ? e->shape[d] - 1 : 0), (uint64_t)strides[d], &reach) ||
            __builtin_add_overflow(last, reach, &last) || __builtin_mul_overflow(dense, (uint64_t)e->shape[d], &dense);
        e->strides[d] = strides[d];
    }
    overflow |= __builtin_mul_overflow(last + 1, width, &bytes) || last == UINT64_MAX;
    if (e->count < 0 || (e->count > 0 && (overflow || bytes > e->size))) {
        e->why = "it reaches beyond its storage";
        return;
    }
    if ((uint64_t)e->count / WEFT__DEFLATE_RATIO > r->c->source.size) {
        e->why = "its shape repeats its storage more often than a file should ask for";
        return;
    }
    e->strided = e->count > 0 && !contiguous;
    e->checked &= !e->strided && first == 0 && bytes == e->size;
    e->offset += (uint64_t)first * width;
    e->packed = e->size = e->count > 0 ? bytes - (uint64_t)first * width : 0;
}

/* (storage, first element, shape, strides, ..., dtype in the third form) */
static weft_status fill_tensor(weft__torch_reader *r, weft__entry *e, uint32_t arguments, bool has_dtype)
{
    const weft__pickle *const p = &r->p;
    const uint32_t source = weft__pickle_item(p, arguments, 0), first = weft__pickle_item(p, arguments, 1);
    const uint32_t dtype = has_dtype ? weft__pickle_item(p, arguments, 6) : WEFT__NO_ITEM;
    int64_t strides[WEFT_MAX_DIMS] = {0};
    uint32_t ndim = 0, n_strides = 0;
    if (source == WEFT__NO_ITEM || p->values[source].kind != WEFT__PICKLED_PERSISTENT || first == WEFT__NO_ITEM ||
        p->values[first].kind != WEFT__PICKLED_INT || p->values[first].number.i < 0 ||
        !take_sizes(r, weft__pickle_item(p, arguments, 2), e->shape, &ndim) ||
        !take_sizes(r, weft__pickle_item(p, arguments, 3), strides, &n_strides) || ndim != n_strides)
        return weft__entry_fail(r->c, e, "its pickle does not say storage, place, shape and strides");
    const uint32_t identity = p->values[source].at;
    const uint32_t word = weft__pickle_item(p, identity, 0), type = weft__pickle_item(p, identity, 1),
                   key = weft__pickle_item(p, identity, 2);
    if (p->values[identity].kind != WEFT__PICKLED_TUPLE || key == WEFT__NO_ITEM ||
        !weft__pickle_is(p, word, WEFT__PICKLED_TEXT, "storage") || p->values[type].kind != WEFT__PICKLED_GLOBAL ||
        p->values[key].kind != WEFT__PICKLED_TEXT ||
        (has_dtype && (dtype == WEFT__NO_ITEM || p->values[dtype].kind != WEFT__PICKLED_GLOBAL)))
        return weft__entry_fail(r->c, e, "its pickle does not name its storage");
    weft__torch_element(r, has_dtype ? dtype : type, e);
    if (ndim > WEFT_MAX_DIMS)
        e->why = "it has more than 8 dims";
    e->ndim = ndim > WEFT_MAX_DIMS ? 0 : (int)ndim;
    if (!find_storage(r, key, e))
        return weft__entry_fail(r->c, e, "its storage is not in the file");
    if (!e->why)
        place(r, e, p->values[first].number.i, strides);
    return WEFT_OK;
}

static weft_status take_tensor(weft__torch_reader *r, const part *last, uint32_t arguments, bool has_dtype,
                               const char *why)
{
    weft__entry *e;
    r->tensors++;
    r->name_bytes += name_length(last) + 1;
    if (!r->filling)
        return WEFT_OK;
    weft_status status = weft__catalogue_add(r->c, &e);
    if (status != WEFT_OK)
        return status;
    e->name = write_name(r, last);
    e->described = true;
    e->why = why;
    status = weft__catalogue_name(r->c, e->name, name_length(last));
    return status == WEFT_OK && !why ? fill_tensor(r, e, arguments, has_dtype) : status;
}

/* ---- Containers ---- */

static weft_status walk(weft__torch_reader *r, uint32_t v, const part *last);

static weft_status walk_call(weft__torch_reader *r, uint32_t function, uint32_t arguments, const part *last)
{
    static const char utils[] = "torch._utils ";
    if (function == WEFT__NO_ITEM || r->p.values[function].kind != WEFT__PICKLED_GLOBAL ||
        r->p.values[arguments].kind != WEFT__PICKLED_TUPLE)
        return weft__torch_fail(r, "its pickle calls what is no function of a module");
    const char *const name = weft__torch_globals[r->p.values[function].at];
    const char *const short_name = strncmp(name, utils, sizeof utils - 1) == 0 ? name + sizeof utils - 1 : "";
    if (strcmp(short_name, "_rebuild_tensor_v2") == 0 || strcmp(short_name, "_rebuild_tensor") == 0)
        return take_tensor(r, last, arguments, false, NULL);
    if (strcmp(short_name, "_rebuild_tensor_v3") == 0)
        return take_tensor(r, last, arguments, true, NULL);
    if (strcmp(short_name, "_rebuild_sparse_tensor") == 0)
        return take_tensor(r, last, arguments, false, "it is sparse; save its to_dense()");
    if (strcmp(short_name, "_rebuild_qtensor") == 0)
        return take_tensor(r, last, arguments, false, "it is quantised; save its dequantize()");
    const bool of_type = strcmp(name, "torch._tensor _rebuild_from_type_v2") == 0;
    const uint32_t inner = weft__pickle_item(&r->p, arguments, of_type ? 2 : 0);
    if (of_type && inner != WEFT__NO_ITEM) /* (function, class, its arguments, what else the tensor has) */
        return walk_call(r, weft__pickle_item(&r->p, arguments, 0), inner, last);
    const bool is_parameter = strncmp(short_name, "_rebuild_parameter", 18) == 0;
    return is_parameter && inner != WEFT__NO_ITEM ? walk(r, inner, last) : WEFT_OK;
}

static weft_status walk_items(weft__torch_reader *r, uint32_t v, const part *last)
{
    const bool dict = r->p.values[v].kind == WEFT__PICKLED_DICT;
    weft_status status = WEFT_OK;
    int64_t k = 0;
    for (uint32_t at = r->p.values[v].at; at != WEFT__NO_ITEM && status == WEFT_OK; at = r->p.items[at].next, k++) {
        const weft__value *const key = &r->p.values[r->p.items[at].key];
        char number[24];
        part own = {.above = last, .text = number, .depth = last ? last->depth + 1 : 1};
        if (dict && key->kind == WEFT__PICKLED_TEXT) {
            own.text = (const char *)r->p.bytes + key->at;
            own.n = key->count;
        } else if (!dict || key->kind == WEFT__PICKLED_INT) {
            own.n = (size_t)weft_text(number, sizeof number, "%lld", (long long)(dict ? key->number.i : k));
        } else {
            continue; /* a key without a name: nothing of a state dict */
        }
        status = walk(r, r->p.items[at].value, &own);
    }
    return status;
}

static weft_status walk(weft__torch_reader *r, uint32_t v, const part *last)
{
    weft__value *const value = &r->p.values[v];
    if (r->steps++ > 8 * (uint64_t)r->p.size)
        return weft__torch_fail(r, "its containers hold the same things too often");
    switch (value->kind) {
    case WEFT__PICKLED_LIST:
    case WEFT__PICKLED_TUPLE:
    case WEFT__PICKLED_DICT:
        break;
    case WEFT__PICKLED_CALL:
        return walk_call(r, value->at, value->last, last);
    default:
        return WEFT_OK; /* numbers and texts beside the tensors */
    }
    if (value->inside)
        return weft__torch_fail(r, "a container of it holds itself");
    if (last && last->depth >= MOST_DEPTH)
        return weft__torch_fail(r, "its containers are more than 64 within each other");
    value->inside = true;
    const weft_status status = walk_items(r, v, last);
    r->p.values[v].inside = false;
    return status;
}

/* ---- Files ---- */

weft_status weft__torch_entries(weft__torch_reader *r, uint32_t root)
{
    static const part alone = {.text = "tensor", .n = 6, .depth = 1};
    const part *const last = r->p.values[root].kind == WEFT__PICKLED_CALL ? &alone : NULL;
    weft_status status = walk(r, root, last);
    if (status == WEFT_OK)
        status = weft__catalogue_reserve(r->c, r->tensors);
    if (status == WEFT_OK)
        status = weft__catalogue_text(r->c, r->name_bytes);
    if (status != WEFT_OK)
        return status;
    r->names = (char *)r->c->text;
    r->filling = true;
    r->steps = 0;
    status = walk(r, root, last);
    return status == WEFT_OK ? weft__catalogue_unique(r->c) : status;
}

/* A failure of a pickle, in the context. */
weft_status weft__torch_said(weft__torch_reader *r, const weft__pickle *p, weft_status status)
{
    return status != WEFT_OK && p->why[0] ? weft__source_fail(&r->c->source, status, "%s", p->why) : status;
}

static weft_status read_pickle(weft__torch_reader *r, uint32_t *root)
{
    const weft_status status = weft__pickle_read(&r->p, root);
    return weft__torch_said(r, &r->p, status);
}

weft_status weft__torch_memory(weft__torch_reader *r, uint64_t bytes)
{
    weft_status status = WEFT_OK;
    if (bytes > WEFT__TORCH_PICKLE)
        return weft__torch_fail(r, "its pickle has more than 64 MiB");
    status = weft__catalogue_budget(r->c, bytes + r->archive.text_bytes, "pickle");
    if (status != WEFT_OK)
        return status;
    r->bytes = weft__take(r->c->ctx, (size_t)bytes, &status);
    r->n_bytes = r->bytes ? (size_t)bytes : 0;
    r->p = (weft__pickle){.ctx = r->c->ctx, .bytes = r->bytes, .size = r->n_bytes, .globals = weft__torch_globals};
    return status;
}

void weft__torch_close(weft__torch_reader *r)
{
    weft__pickle_close(&r->p);
    weft_ctx_free(r->c->ctx, r->bytes, r->n_bytes);
    weft_ctx_free(r->c->ctx, r->storages, r->storages_room * sizeof *r->storages);
    weft__catalogue_unsort(&r->archive, r->sorted);
    r->archive.source.fd = -1; /* it is c's */
    weft__catalogue_close(&r->archive);
}

static bool ends_with(const char *name, const char *end)
{
    const size_t n = strlen(name), m = strlen(end);
    return n >= m && strcmp(name + n - m, end) == 0 && (n == m || name[n - m - 1] == '/');
}

static const weft__entry *find_pickle(const weft__catalogue *c)
{
    for (size_t k = 0; k < c->n; k++)
        if (ends_with(c->entries[k].name, "data.pkl"))
            return &c->entries[k];
    return NULL;
}

bool weft__torch_is(const weft__catalogue *c)
{
    return find_pickle(c) != NULL;
}

/* All bytes of an entry of the archive. */
static weft_status read_entry(weft__torch_reader *r, const weft__entry *e, void *to, size_t n)
{
    weft__stream s;
    const char *why = NULL;
    weft_status status = weft__stream_open(&s, &r->archive, e, &why);
    if (status == WEFT_OK && !why)
        status = weft__stream_read(&s, to, n, &why);
    if (status == WEFT_OK && !why)
        status = weft__stream_finish(&s, &why);
    weft__stream_close(&s);
    return status == WEFT_OK && why ? weft__entry_fail(&r->archive, e, why) : status;
}

static weft_status open_archive(weft__torch_reader *r)
{
    const weft__entry *const pickle = find_pickle(&r->archive);
    uint32_t root;
    weft_status status = weft__torch_memory(r, pickle->size);
    if (status == WEFT_OK && pickle->why)
        return weft__entry_fail(&r->archive, pickle, pickle->why);
    if (status == WEFT_OK)
        status = read_entry(r, pickle, r->bytes, r->n_bytes);
    if (status == WEFT_OK)
        r->sorted = weft__catalogue_sort(&r->archive, weft__by_name, &status);
    if (status != WEFT_OK)
        return status;
    r->folder = pickle->name;
    r->folder_length = strlen(pickle->name) - strlen("data.pkl");
    const weft__entry *const order = find_entry(r, "byteorder", 9);
    char text[3] = "";
    if (order && order->size >= sizeof text)
        status = read_entry(r, order, text, sizeof text);
    r->swap = memcmp(text, "big", sizeof text) == 0;
    if (status == WEFT_OK)
        status = read_pickle(r, &root);
    return status == WEFT_OK ? weft__torch_entries(r, root) : status;
}

weft_status weft__torch_open(weft__catalogue *c)
{
    weft__torch_reader r = {.c = c, .archive = *c};
    c->text = NULL;
    c->entries = NULL;
    c->text_bytes = c->n = c->room = 0;
    for (size_t k = 0; k < r.archive.n; k++) /* torch.serialization.set_crc32_options(False) leaves checksums out */
        r.archive.entries[k].checked &= r.archive.entries[k].crc != 0;
    const weft_status status = open_archive(&r);
    weft__torch_close(&r);
    return status;
}
