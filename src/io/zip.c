/* zip.c - the directory of a zip archive, into a catalogue. Entries must not overlap, nor reach into the directory:
 * that is how a small archive becomes a large one. */
#include <stdlib.h>
#include <string.h>
#include "catalogue.h"
#include "zip.h"

enum { COMMENT = 65535, TAIL = WEFT__ZIP_LOCATOR64_SIZE + WEFT__ZIP_END_SIZE + COMMENT };

typedef struct directory {
    uint64_t at, length, n;
} directory;

static weft_status damaged(const weft__catalogue *c)
{
    return weft__source_fail(&c->source, WEFT_E_IO, "its zip directory is damaged");
}

/* ---- Where the directory is ---- */

/* The record with 64-bit values, which stands where the locator says. */
static weft_status read_wide(const weft__catalogue *c, const unsigned char *locator, directory *d, bool *found)
{
    unsigned char wide[WEFT__ZIP_END64_SIZE];
    const uint64_t at = weft__little(locator + 8, 8);
    *found = weft__source_holds(&c->source, at, sizeof wide);
    if (!*found)
        return WEFT_OK;
    const weft_status status = weft__source_read(&c->source, at, wide, sizeof wide);
    *found = status == WEFT_OK && weft__little(wide, 4) == WEFT__ZIP_END64;
    if (*found)
        *d = (directory){
            .n = weft__little(wide + 32, 8), .length = weft__little(wide + 40, 8), .at = weft__little(wide + 48, 8)};
    return status;
}

/* The end record stands last, before a comment of at most 64 KiB. */
static weft_status search(const weft__catalogue *c, const unsigned char *tail, size_t size, directory *d, bool *found)
{
    *found = false;
    for (size_t at = size >= WEFT__ZIP_END_SIZE ? size - WEFT__ZIP_END_SIZE + 1 : 0; at-- > 0;) {
        const unsigned char *end = tail + at;
        if (weft__little(end, 4) != WEFT__ZIP_END || at + WEFT__ZIP_END_SIZE + weft__little(end + 20, 2) != size)
            continue;
        *d = (directory){
            .n = weft__little(end + 10, 2), .length = weft__little(end + 12, 4), .at = weft__little(end + 16, 4)};
        const unsigned char *locator = at >= WEFT__ZIP_LOCATOR64_SIZE ? end - WEFT__ZIP_LOCATOR64_SIZE : NULL;
        *found = true;
        weft_status status = WEFT_OK;
        if (locator && weft__little(locator, 4) == WEFT__ZIP_LOCATOR64)
            status = read_wide(c, locator, d, found);
        *found =
            *found && weft__source_holds(&c->source, d->at, d->length) && d->n <= d->length / WEFT__ZIP_CENTRAL_SIZE;
        return status;
    }
    return WEFT_OK;
}

static weft_status find_directory(const weft__catalogue *c, directory *d)
{
    const size_t size = c->source.size < TAIL ? (size_t)c->source.size : TAIL;
    weft_status status = WEFT_OK;
    bool found = false;
    unsigned char *tail = weft__take(c->ctx, size, &status);
    if (!tail)
        return status;
    status = weft__source_read(&c->source, c->source.size - size, tail, size);
    if (status == WEFT_OK)
        status = search(c, tail, size, d, &found);
    weft_ctx_free(c->ctx, tail, size);
    if (status != WEFT_OK || found)
        return status;
    return weft__source_fail(&c->source, WEFT_E_IO,
                             "it is neither a zip archive with a whole directory nor an npy file");
}

/* ---- Its entries ---- */

/* 64-bit values stand in an extra field, those whose short form is all ones, in this order. */
static void widen(weft__entry *e, const unsigned char *extra, size_t n)
{
    uint64_t *const values[] = {&e->size, &e->packed, &e->offset};
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

/* The terminator of the name takes the place of its first byte, which moves over the record before it, used by then. */
static const char *terminated(unsigned char *name, size_t length)
{
    memmove(name - 1, name, length);
    name[length - 1] = '\0';
    return (const char *)name - 1;
}

static weft_status take_entry(weft__catalogue *c, uint64_t *at)
{
    unsigned char *const p = c->text + *at;
    const uint64_t left = c->text_bytes - *at;
    if (left < WEFT__ZIP_CENTRAL_SIZE || weft__little(p, 4) != WEFT__ZIP_CENTRAL)
        return damaged(c);
    const size_t name = (size_t)weft__little(p + 28, 2), extra = (size_t)weft__little(p + 30, 2);
    const size_t whole = WEFT__ZIP_CENTRAL_SIZE + name + extra + (size_t)weft__little(p + 32, 2);
    if (left < whole)
        return damaged(c);
    weft__entry *e;
    weft_status status = weft__catalogue_add(c, &e);
    if (status != WEFT_OK)
        return status;
    const unsigned flags = (unsigned)weft__little(p + 8, 2), method = (unsigned)weft__little(p + 10, 2);
    const bool known = !(flags & WEFT__ZIP_SECRET) && (method == WEFT__STORED || method == WEFT__DEFLATED);
    *e = (weft__entry){.checked = true,
                       .method = known ? (int)method : WEFT__OTHER_METHOD,
                       .crc = (uint32_t)weft__little(p + 16, 4),
                       .packed = weft__little(p + 20, 4),
                       .size = weft__little(p + 24, 4),
                       .offset = weft__little(p + 42, 4)};
    widen(e, p + WEFT__ZIP_CENTRAL_SIZE + name, extra);
    unsigned char *const text = p + WEFT__ZIP_CENTRAL_SIZE;
    const bool suffix = name >= 4 && memcmp(text + name - 4, ".npy", 4) == 0;
    const size_t length = name - (suffix ? 4 : 0);
    *at += whole;
    e->name = length ? terminated(text, length) : "";
    return weft__catalogue_name(c, e->name, length);
}

/* Where the packed bytes are, from the entry's local record. */
static weft_status find_data(const weft__catalogue *c, weft__entry *e, const directory *d)
{
    unsigned char local[WEFT__ZIP_LOCAL_SIZE];
    if (!weft__source_holds(&c->source, e->offset, sizeof local))
        return weft__entry_fail(c, e, "there is no such entry where the directory says");
    const weft_status status = weft__source_read(&c->source, e->offset, local, sizeof local);
    if (status != WEFT_OK)
        return status;
    if (weft__little(local, 4) != WEFT__ZIP_LOCAL)
        return weft__entry_fail(c, e, "there is no such entry where the directory says");
    const uint64_t data = e->offset + sizeof local + weft__little(local + 26, 2) + weft__little(local + 28, 2);
    if (!weft__source_holds(&c->source, data, e->packed))
        return weft__entry_fail(c, e, "it reaches beyond the end of the file");
    if (e->offset < d->at + d->length && data + e->packed > d->at)
        return weft__entry_fail(c, e, "it overlaps the archive's directory");
    e->begin = e->offset;
    e->offset = data;
    if (e->method == WEFT__STORED)
        e->size = e->packed;
    else if (e->size / WEFT__DEFLATE_RATIO > e->packed)
        e->why = "it claims more bytes than its data can hold";
    return WEFT_OK;
}

static int by_place(const void *a, const void *b)
{
    const weft__entry *x = *(weft__entry *const *)a, *y = *(weft__entry *const *)b;
    return x->begin < y->begin ? -1 : x->begin > y->begin;
}

static weft_status check_places(const weft__catalogue *c)
{
    weft_status status = WEFT_OK;
    weft__entry **sorted = weft__catalogue_sort(c, by_place, &status);
    for (size_t k = 1; sorted && k < c->n && status == WEFT_OK; k++)
        if (sorted[k]->begin < sorted[k - 1]->offset + sorted[k - 1]->packed)
            status = weft__entry_fail(c, sorted[k], "it overlaps another entry of the archive");
    weft__catalogue_unsort(c, sorted);
    return status;
}

weft_status weft__zip_open(weft__catalogue *c)
{
    directory d = {0};
    uint64_t at = 0;
    weft_status status = find_directory(c, &d);
    if (status == WEFT_OK)
        status = weft__catalogue_text(c, d.length);
    if (status == WEFT_OK)
        status = weft__source_read(&c->source, d.at, c->text, c->text_bytes);
    if (status == WEFT_OK)
        status = weft__catalogue_reserve(c, d.n);
    for (uint64_t k = 0; status == WEFT_OK && k < d.n; k++)
        status = take_entry(c, &at);
    for (size_t k = 0; k < c->n && status == WEFT_OK; k++)
        status = find_data(c, &c->entries[k], &d);
    if (status == WEFT_OK)
        status = weft__catalogue_unique(c);
    return status == WEFT_OK ? check_places(c) : status;
}
