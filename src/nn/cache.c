/* cache.c - keys and values of the tokens that a model has seen. See weft/nn.h. */
#define WEFT_NO_CALL_SITES
#include "tree.h"

/* Of one layer of attention: [N, heads, most, size]. */
typedef struct entry {
    struct entry *next;
    weft_module *layer;
    weft_tensor *k, *v;
    int64_t tokens;
} entry;

typedef struct cache {
    weft_ctx *ctx;
    int64_t most;
    entry *entries;
} cache;

static void end(void *object)
{
    cache *c = object;
    while (c->entries) {
        entry *e = c->entries;
        c->entries = e->next;
        weft_owned_release(e->k);
        weft_owned_release(e->v);
        weft_ctx_free(c->ctx, e, sizeof *e);
    }
    weft_ctx_free(c->ctx, c, sizeof *c);
}

static const weft_object_kind kind = {sizeof kind, "cache", "weft_cache_close", end, false};

weft_status weft_cache_open(weft_ctx *ctx, int64_t most, weft_cache **out)
{
    if (out)
        *out = NULL;
    if (!ctx)
        return WEFT_E_NULL_ARGUMENT;
    if (weft_ctx_status(ctx) != WEFT_OK)
        return weft_ctx_status(ctx);
    if (!out)
        return weft_ctx_fail(ctx, WEFT_E_NULL_ARGUMENT, "weft_cache_open: out is NULL");
    if (most < 1)
        return weft_ctx_fail(ctx, WEFT_E_INVALID, "weft_cache_open: most is %lld; a cache has room for a token or more",
                             (long long)most);
    cache *c = weft_ctx_alloc(ctx, sizeof *c);
    if (!c)
        return weft_ctx_status(ctx);
    *c = (cache){ctx, most, NULL};
    *out = weft_own(ctx, &kind, c, "cache_open");
    if (!*out)
        weft_ctx_free(ctx, c, sizeof *c);
    return weft_ctx_status(ctx);
}

void weft_cache_close(weft_cache *handle)
{
    weft_owned_end(&kind, handle);
}

int64_t weft_cache_tokens(weft_cache *handle)
{
    const cache *c = weft_owned(&kind, handle);
    if (!c || !c->entries)
        return 0;
    int64_t least = c->entries->tokens;
    for (const entry *e = c->entries; e; e = e->next)
        least = e->tokens < least ? e->tokens : least;
    return least;
}

weft_status weft_cache_keep(weft_cache *handle, int64_t tokens)
{
    cache *c = weft_owned(&kind, handle);
    if (!c)
        return weft_owned_fail(NULL, "cache_keep", &kind, handle);
    if (tokens < 0 || tokens > weft_cache_tokens(handle))
        return weft_ctx_fail(c->ctx, WEFT_E_INVALID, "weft_cache_keep: tokens is %lld; the cache has %lld",
                             (long long)tokens, (long long)weft_cache_tokens(handle));
    for (entry *e = c->entries; e; e = e->next)
        e->tokens = tokens;
    return weft_ctx_status(c->ctx);
}

static entry *entry_of(const cache *c, const weft__member *m)
{
    for (entry *e = c ? c->entries : NULL; e; e = e->next)
        if (e->layer == m->handle)
            return e;
    return NULL;
}

int64_t weft__cache_length(weft__member *m, weft_cache *handle)
{
    const entry *e = entry_of(weft_owned(&kind, handle), m);
    return e ? e->tokens : 0;
}

static entry *add_entry(cache *c, weft__member *m, const weft_tensor *k)
{
    entry *e = weft_ctx_alloc(c->ctx, sizeof *e);
    if (!e)
        return NULL;
    *e = (entry){.layer = m->handle};
    const int64_t shape[] = {weft_size(k, 0), weft_size(k, 1), c->most, weft_size(k, 3)};
    weft_tensor *keys = weft_zeros(c->ctx, weft_dtype_of(k), shape, 4),
                *values = weft_zeros(c->ctx, weft_dtype_of(k), shape, 4);
    if (!keys || !values) {
        weft_drop(keys);
        weft_ctx_free(c->ctx, e, sizeof *e);
        return NULL;
    }
    e->k = weft_owned_keep(keys);
    e->v = weft_owned_keep(values);
    weft_drop(keys);
    weft_drop(values);
    e->next = c->entries;
    c->entries = e;
    return e;
}

bool weft__cache_append(weft__member *m, weft_cache *handle, weft_tensor **k, weft_tensor **v)
{
    cache *c = weft_owned(&kind, handle);
    if (!c) {
        weft_owned_fail(m->ctx, "forward", &kind, handle);
        return false;
    }
    char have[160], come[160];
    entry *e = entry_of(c, m);
    const int64_t more = weft_size(*k, 2);
    if (c->ctx != m->ctx)
        weft__layer_fail(m, "forward", WEFT_E_MIXED_CONTEXTS, "the cache is another context's");
    else if (weft_grad_enabled(m->ctx))
        weft__layer_fail(m, "forward", WEFT_E_STATE,
                         "a cache is for generating, while operations are recorded; use weft_scope_push_no_grad");
    else if (more + (e ? e->tokens : 0) > c->most)
        weft__layer_fail(m, "forward", WEFT_E_SHAPE, "the cache has %lld tokens of at most %lld, and %lld are to come",
                         (long long)(e ? e->tokens : 0), (long long)c->most, (long long)more);
    else if (e && (weft_size(*k, 0) != weft_size(e->k, 0) || weft_dtype_of(*k) != weft_dtype_of(e->k)))
        weft__layer_fail(m, "forward", WEFT_E_SHAPE, "the cache has keys %s, and %s are to come",
                         weft__tensor_text(e->k, have, sizeof have), weft__tensor_text(*k, come, sizeof come));
    else if (!e)
        e = add_entry(c, m, *k);
    if (weft_ctx_status(m->ctx) != WEFT_OK)
        return false;
    const int64_t all = e->tokens + more;
    weft_copy_(weft_slice(e->k, 2, e->tokens, all, 1), *k);
    weft_copy_(weft_slice(e->v, 2, e->tokens, all, 1), *v);
    *k = weft_slice(e->k, 2, 0, all, 1);
    *v = weft_slice(e->v, 2, 0, all, 1);
    if (weft_ctx_status(m->ctx) != WEFT_OK)
        return false;
    e->tokens = all;
    return true;
}
