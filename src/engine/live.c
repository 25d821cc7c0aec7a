/* live.c - what lives in a context, by the line that made it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "engine/engine.h"

typedef struct entry {
    weft_tensor *t;
    size_t bytes; /* of its storage, for one tensor of each storage; else 0 */
} entry;

typedef struct list {
    entry *entries;
    int64_t n;
} list;

static void collect(weft_tensor *t, void *arg)
{
    list *l = arg;
    l->entries[l->n++].t = t;
}

/* Tensors of one storage side by side, the largest view first. */
static int by_storage(const void *a, const void *b)
{
    const weft_tensor *x = ((const entry *)a)->t, *y = ((const entry *)b)->t;
    if (x->storage != y->storage)
        return (uintptr_t)x->storage < (uintptr_t)y->storage ? -1 : 1;
    return x->a.count > y->a.count ? -1 : x->a.count < y->a.count;
}

static int compare_places(const weft_tensor *x, const weft_tensor *y)
{
    if (!x->site.file != !y->site.file)
        return x->site.file ? -1 : 1;
    const int files = x->site.file ? strcmp(x->site.file, y->site.file) : 0;
    if (files != 0)
        return files;
    if (x->site.line != y->site.line)
        return x->site.line < y->site.line ? -1 : 1;
    return strcmp(x->maker, y->maker);
}

static int by_place(const void *a, const void *b)
{
    return compare_places(((const entry *)a)->t, ((const entry *)b)->t);
}

/* A run of entries of one place. */
typedef struct group {
    const entry *first;
    int64_t n;
    size_t bytes;
} group;

static int by_bytes(const void *a, const void *b)
{
    const group *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    return x->n > y->n ? -1 : x->n < y->n;
}

static void count_storages(list *l)
{
    if (l->n)
        qsort(l->entries, (size_t)l->n, sizeof *l->entries, by_storage);
    for (int64_t k = 0; k < l->n; k++)
        l->entries[k].bytes =
            k && l->entries[k].t->storage == l->entries[k - 1].t->storage ? 0 : l->entries[k].t->storage->bytes;
}

static int64_t make_groups(list *l, group *groups)
{
    int64_t n = 0;
    if (l->n)
        qsort(l->entries, (size_t)l->n, sizeof *l->entries, by_place);
    for (int64_t k = 0; k < l->n; k++) {
        if (k == 0 || compare_places(l->entries[k - 1].t, l->entries[k].t) != 0)
            groups[n++] = (group){.first = &l->entries[k]};
        groups[n - 1].n++;
        groups[n - 1].bytes += l->entries[k].bytes;
    }
    if (n)
        qsort(groups, (size_t)n, sizeof *groups, by_bytes);
    return n;
}

static int outermost_scope(const group *g)
{
    int outermost = -1;
    for (int64_t k = 0; k < g->n; k++)
        if (g->first[k].t->in_scope && (outermost < 0 || g->first[k].t->scope < outermost))
            outermost = g->first[k].t->scope;
    return outermost;
}

static void tell(const group *g, void (*report)(void *user, const weft_live *group), void *user)
{
    const weft_tensor *t = g->first->t;
    const int outermost = outermost_scope(g);
    char text[512], scope[48] = "in no scope";
    if (outermost >= 0)
        snprintf(scope, sizeof scope, "in scope %d%s", outermost, g->n > 1 ? " and deeper" : "");
    snprintf(text, sizeof text, "%lld tensor%s, %zu bytes, made by weft_%s at %s, %s; %s %s", (long long)g->n,
             g->n > 1 ? "s" : "", g->bytes, t->maker, weft__site_text(t->site).s, scope,
             g->n > 1 ? "one of them is" : "it is", weft__describe(t).s);
    report(user, &(weft_live){.op = t->maker,
                              .file = t->site.file,
                              .line = t->site.line,
                              .tensors = g->n,
                              .bytes = g->bytes,
                              .outermost = outermost,
                              .text = text});
}

int64_t weft_live_tensors(weft_ctx *ctx, void (*report)(void *user, const weft_live *group), void *user)
{
    if (!ctx)
        return 0;
    const size_t room = (size_t)ctx->tensors.in_use + 1, bytes = room * (sizeof(entry) + sizeof(group));
    list l = {.entries = weft__host_alloc(ctx, bytes)};
    if (!l.entries) {
        weft__fail_named(ctx, "live_tensors", WEFT_E_NOMEM, "out of memory for a list of %zu tensors", room - 1);
        return -1;
    }
    group *groups = (group *)(l.entries + room);
    weft__each_tensor(ctx, collect, &l);
    count_storages(&l);
    const int64_t n = make_groups(&l, groups);
    const weft__call_id call = report ? weft__call_begins(ctx, "a report of live tensors", true) : 0;
    for (int64_t k = 0; k < n; k++)
        weft__ref(groups[k].first->t); /* a report may release it */
    for (int64_t k = 0; call && k < n; k++)
        tell(&groups[k], report, user);
    for (int64_t k = 0; k < n; k++)
        weft__unref(groups[k].first->t);
    if (call)
        weft__call_ends(ctx, "live_tensors", call);
    weft__host_free(ctx, l.entries, bytes);
    return n;
}
