/* torch_old.c - files of torch.save from before PyTorch 1.6: pickles of a magic number, a version, what the machine was
 * like, the tensors, and the keys of the storages; then for each key how many elements, and they. The source:
 * https://github.com/pytorch/pytorch/blob/v2.5.0/torch/serialization.py (_legacy_save) */
#include <stdlib.h>
#include <string.h>
#include "torch_read.h"

static int by_key(const void *a, const void *b)
{
    const weft__torch_storage *x = a, *y = b;
    const int order = memcmp(x->key, y->key, x->length < y->length ? x->length : y->length);
    return order ? order : (x->length > y->length) - (x->length < y->length);
}

weft__torch_storage *weft__torch_find_old(const weft__torch_reader *r, const unsigned char *key, uint32_t length)
{
    const weft__torch_storage wanted = {.key = key, .length = length};
    return r->n_storages ? bsearch(&wanted, r->storages, r->n_storages, sizeof wanted, by_key) : NULL;
}

/* A pickle of the number 0x1950a86a20f9469cfc6c. */
static const unsigned char old_start[] = {0x80, 2,    0x8A, 10,   0x6C, 0xFC, 0x9C, 0x46,
                                          0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, '.'};

bool weft__torch_is_old(const unsigned char *start, size_t n)
{
    return n >= 9 && memcmp(start, old_start, n < sizeof old_start ? n : sizeof old_start) == 0;
}

/* The next pickle of the stream, as values of a machine of its own. */
static weft_status next_pickle(weft__torch_reader *r, weft__pickle *p, size_t *at, uint32_t *root)
{
    *p = (weft__pickle){
        .ctx = r->c->ctx, .bytes = r->bytes + *at, .size = r->n_bytes - *at, .globals = weft__torch_globals};
    const weft_status status = weft__pickle_read(p, root);
    *at += p->used;
    return weft__torch_said(r, p, status);
}

static weft_status skip_pickle(weft__torch_reader *r, size_t *at, bool *big_endian)
{
    weft__pickle p;
    uint32_t root = 0;
    const weft_status status = next_pickle(r, &p, at, &root);
    if (status == WEFT_OK && p.values[root].kind == WEFT__PICKLED_DICT)
        for (uint32_t k = p.values[root].at; k != WEFT__NO_ITEM; k = p.items[k].next)
            if (weft__pickle_is(&p, p.items[k].key, WEFT__PICKLED_TEXT, "little_endian"))
                *big_endian =
                    p.values[p.items[k].value].kind == WEFT__PICKLED_BOOL && !p.values[p.items[k].value].number.i;
    weft__pickle_close(&p);
    return status;
}

/* The key of a storage and how wide its elements are, if v is one that can be read. */
static bool describe_storage(const weft__torch_reader *r, const weft__value *v, weft__torch_storage *s)
{
    weft__entry e = {0};
    const uint32_t identity = v->kind == WEFT__PICKLED_PERSISTENT ? v->at : WEFT__NO_ITEM;
    const uint32_t type = weft__pickle_item(&r->p, identity, 1), key = weft__pickle_item(&r->p, identity, 2);
    const uint32_t view = weft__pickle_item(&r->p, identity, 5);
    if (key == WEFT__NO_ITEM || r->p.values[key].kind != WEFT__PICKLED_TEXT ||
        r->p.values[type].kind != WEFT__PICKLED_GLOBAL ||
        (view != WEFT__NO_ITEM && r->p.values[view].kind != WEFT__PICKLED_NONE))
        return false;
    weft__torch_element(r, type, &e);
    if (e.why)
        return false;
    *s = (weft__torch_storage){
        .key = r->p.bytes + r->p.values[key].at, .length = r->p.values[key].count, .width = e.element.bytes};
    return true;
}

/* The storages that the tensors' pickle names, sorted, each once; where they are is not known yet. */
static weft_status name_storages(weft__torch_reader *r)
{
    weft_status status = WEFT_OK;
    size_t n = 0, kept = 0;
    weft__torch_storage s;
    for (uint32_t k = 0; k < r->p.n_values; k++)
        n += describe_storage(r, &r->p.values[k], &s);
    weft__torch_storage *const all = n ? weft__take(r->c->ctx, n * sizeof *all, &status) : NULL;
    if (!all)
        return status;
    r->storages = all;
    r->storages_room = n;
    n = 0;
    for (uint32_t k = 0; k < r->p.n_values; k++)
        n += describe_storage(r, &r->p.values[k], &all[n]);
    qsort(all, n, sizeof *all, by_key);
    for (size_t k = 0; k < n; k++)
        if (k == 0 || by_key(&all[kept - 1], &all[k]) != 0)
            all[kept++] = all[k];
    r->n_storages = kept;
    return WEFT_OK;
}

/* At `at` in the file: how many elements the storage has, and they. *at goes behind them. */
static weft_status place_storage(weft__torch_reader *r, weft__torch_storage *s, uint64_t *at)
{
    unsigned char count[8];
    uint64_t elements = 0;
    if (!weft__source_holds(&r->c->source, *at, sizeof count))
        return weft__torch_fail(r, "it ends before its storages do");
    const weft_status status = weft__source_read(&r->c->source, *at, count, sizeof count);
    if (status != WEFT_OK)
        return status;
    for (int k = 0; k < 8; k++)
        elements |= (uint64_t)count[r->swap ? 7 - k : k] << (8 * k);
    s->offset = *at + sizeof count;
    if (__builtin_mul_overflow(elements, (uint64_t)s->width, &s->bytes) ||
        !weft__source_holds(&r->c->source, s->offset, s->bytes))
        return weft__torch_fail(r, "it ends before its storages do");
    *at = s->offset + s->bytes;
    return WEFT_OK;
}

/* The list of keys is followed by the storages, in its order. */
static weft_status place_storages(weft__torch_reader *r, const weft__pickle *keys, uint32_t list, uint64_t at)
{
    weft_status status = name_storages(r);
    if (status == WEFT_OK && keys->values[list].kind != WEFT__PICKLED_LIST)
        return weft__torch_fail(r, "it does not list its storages");
    for (uint32_t k = keys->values[list].at; k != WEFT__NO_ITEM && status == WEFT_OK; k = keys->items[k].next) {
        const weft__value *const key = &keys->values[keys->items[k].value];
        weft__torch_storage *const s =
            key->kind == WEFT__PICKLED_TEXT ? weft__torch_find_old(r, keys->bytes + key->at, key->count) : NULL;
        if (!s)
            return weft__torch_fail(r,
                                    "it holds a storage that no tensor names, or of a dtype that Weft does not have");
        status = place_storage(r, s, &at);
    }
    return status;
}

static weft_status open_old(weft__torch_reader *r)
{
    const uint64_t size = r->c->source.size < WEFT__TORCH_PICKLE ? r->c->source.size : WEFT__TORCH_PICKLE;
    size_t at = 0;
    uint32_t root = 0, list = 0;
    weft__pickle keys = {.ctx = r->c->ctx};
    weft_status status = weft__torch_memory(r, size);
    if (status == WEFT_OK)
        status = weft__source_read(&r->c->source, 0, r->bytes, r->n_bytes);
    for (int k = 0; k < 3 && status == WEFT_OK; k++) /* the number, the version and the machine */
        status = skip_pickle(r, &at, &r->swap);
    if (status == WEFT_OK)
        status = next_pickle(r, &r->p, &at, &root);
    if (status == WEFT_OK)
        status = next_pickle(r, &keys, &at, &list);
    if (status == WEFT_OK)
        status = place_storages(r, &keys, list, at);
    weft__pickle_close(&keys);
    return status == WEFT_OK ? weft__torch_entries(r, root) : status;
}

weft_status weft__torch_open_old(weft__catalogue *c)
{
    weft__torch_reader r = {.c = c, .archive.ctx = c->ctx, .archive.source.fd = -1};
    const weft_status status = open_old(&r);
    weft__torch_close(&r);
    return status;
}
