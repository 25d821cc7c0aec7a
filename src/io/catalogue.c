/* catalogue.c - see catalogue.h. */
#include "catalogue.h"

#include <stdlib.h>
#include <string.h>
#include "utf8.h"

enum { FIRST_ROOM = 32 };

weft_status weft__catalogue_budget(const weft__catalogue *c, uint64_t bytes, const char *what)
{
    weft_memory_info m;
    const weft_status status = weft_memory(c->ctx, &m, sizeof m);
    if (status != WEFT_OK || bytes <= m.budget_bytes)
        return status;
    return weft__source_fail(&c->source, WEFT_E_NOMEM,
                             "its %s needs %llu bytes, and the context's memory_budget is %zu", what,
                             (unsigned long long)bytes, m.budget_bytes);
}

weft_status weft__catalogue_text(weft__catalogue *c, uint64_t bytes)
{
    weft_status status = weft__catalogue_budget(c, bytes, "directory");
    if (status != WEFT_OK)
        return status;
    c->text = weft__take(c->ctx, (size_t)bytes + 1, &status);
    if (!c->text)
        return status;
    c->text_bytes = (size_t)bytes;
    c->text[bytes] = '\0';
    return WEFT_OK;
}

weft_status weft__catalogue_reserve(weft__catalogue *c, uint64_t n)
{
    if (n > c->max_tensors)
        return weft__source_fail(&c->source, WEFT_E_IO, "it holds more tensors than max_tensors, %llu, allows",
                                 (unsigned long long)c->max_tensors);
    if (n <= c->room)
        return WEFT_OK;
    weft_status status = weft__catalogue_budget(c, n * sizeof *c->entries + c->text_bytes, "directory");
    if (status != WEFT_OK)
        return status;
    weft__entry *more = weft__take(c->ctx, (size_t)n * sizeof *more, &status);
    if (!more)
        return status;
    memset(more, 0, (size_t)n * sizeof *more);
    if (c->n)
        memcpy(more, c->entries, c->n * sizeof *more);
    weft_ctx_free(c->ctx, c->entries, c->room * sizeof *more);
    c->entries = more;
    c->room = (size_t)n;
    return WEFT_OK;
}

weft_status weft__catalogue_add(weft__catalogue *c, weft__entry **e)
{
    if (c->n == c->room) {
        const uint64_t doubled = c->room ? 2 * (uint64_t)c->room : FIRST_ROOM;
        const uint64_t room = c->n < c->max_tensors && doubled > c->max_tensors ? c->max_tensors : doubled;
        const weft_status status = weft__catalogue_reserve(c, room);
        if (status != WEFT_OK)
            return status;
    }
    *e = &c->entries[c->n++];
    return WEFT_OK;
}

weft_status weft__catalogue_name(const weft__catalogue *c, const char *name, size_t length)
{
    if (length > c->max_name)
        return weft__source_fail(&c->source, WEFT_E_IO, "the name \"%s\" has %zu bytes; the limit is %zu",
                                 weft__show(name).text, length, c->max_name);
    if (memchr(name, '\0', length))
        return weft__source_fail(&c->source, WEFT_E_IO, "the name \"%s\" has a zero byte in it", weft__show(name).text);
    if (!weft__is_utf8(name, length))
        return weft__source_fail(&c->source, WEFT_E_IO, "a name is not UTF-8");
    return WEFT_OK;
}

weft__entry **weft__catalogue_sort(const weft__catalogue *c, int (*compare)(const void *, const void *),
                                   weft_status *status)
{
    if (!c->n)
        return NULL;
    weft__entry **sorted = weft__take(c->ctx, c->n * sizeof *sorted, status);
    if (!sorted)
        return NULL;
    for (size_t k = 0; k < c->n; k++)
        sorted[k] = &c->entries[k];
    qsort(sorted, c->n, sizeof *sorted, compare);
    return sorted;
}

void weft__catalogue_unsort(const weft__catalogue *c, weft__entry **sorted)
{
    weft_ctx_free(c->ctx, sorted, sorted ? c->n * sizeof *sorted : 0);
}

int weft__by_name(const void *a, const void *b)
{
    return strcmp((*(weft__entry *const *)a)->name, (*(weft__entry *const *)b)->name);
}

weft_status weft__catalogue_unique(const weft__catalogue *c)
{
    weft_status status = WEFT_OK;
    weft__entry **sorted = weft__catalogue_sort(c, weft__by_name, &status);
    for (size_t k = 1; sorted && k < c->n && status == WEFT_OK; k++)
        if (strcmp(sorted[k - 1]->name, sorted[k]->name) == 0)
            status = weft__entry_fail(c, sorted[k], "it is there twice");
    weft__catalogue_unsort(c, sorted);
    return status;
}

void weft__entry_dtype(weft__entry *e, const char *text)
{
    size_t n = 0;
    for (; text[n] && n < sizeof e->dtype - 1; n++)
        e->dtype[n] = text[n] > ' ' && text[n] < 0x7F ? text[n] : '?';
    e->dtype[n] = '\0';
}

weft_status weft__entry_fail(const weft__catalogue *c, const weft__entry *e, const char *why)
{
    const weft__source *const source = e->in ? &e->in->source : &c->source;
    return weft__source_fail(source, WEFT_E_IO, "tensor \"%s\"%s%s: %s", weft__show(e->name).text,
                             e->dtype[0] ? " of dtype " : "", e->dtype, why);
}

void weft__catalogue_close(weft__catalogue *c)
{
    weft_ctx_free(c->ctx, c->text, c->text ? c->text_bytes + 1 : 0);
    weft_ctx_free(c->ctx, c->entries, c->room * sizeof *c->entries);
    for (size_t k = 0; k < c->n_parts; k++)
        weft__catalogue_close(&c->parts[k]);
    weft_ctx_free(c->ctx, c->parts, c->n_parts * sizeof *c->parts);
    weft__source_close(&c->source);
    c->parts = NULL;
    c->n_parts = 0;
    c->text = NULL;
    c->entries = NULL;
    c->room = c->n = 0;
}
