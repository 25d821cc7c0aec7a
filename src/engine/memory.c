/* memory.c - host memory through the context's hooks, slabs for headers, device blocks cached by size class. */
#include <string.h>
#include "engine/engine.h"
#include "base/host_memory.h"
#include "base/poison.h"

#if WEFT__VALGRIND
bool weft__on_valgrind;

__attribute__((constructor)) static void ask_for_valgrind(void)
{
    weft__on_valgrind = RUNNING_ON_VALGRIND > 0;
}
#endif

enum { CHUNK_OBJECTS = 64, SMALL_ALIGNMENT = 64 };

void *weft__hooked_alloc(const weft_options *o, size_t bytes, size_t alignment, bool *misaligned)
{
    *misaligned = false;
    if (bytes > PTRDIFF_MAX)
        return NULL; /* a hook may add to it */
    void *block = o->alloc(o->alloc_user, bytes, alignment);
    *misaligned = ((uintptr_t)block & (alignment - 1)) != 0;
    if (!*misaligned)
        return block;
    o->free(o->alloc_user, block, bytes);
    return NULL;
}

/* Through the program's hook, if it has one. */
static void *call_alloc(weft_ctx *ctx, size_t bytes, size_t alignment)
{
    const weft_options *o = &ctx->options;
    if (o->alloc == weft__default_alloc)
        return weft__default_alloc(NULL, bytes, alignment);
    const weft__call_id call = weft__call_begins(ctx, "the alloc hook", true);
    bool misaligned = false;
    void *block = call ? weft__hooked_alloc(o, bytes, alignment, &misaligned) : NULL;
    if (call)
        weft__call_ends(ctx, "ctx_alloc", call);
    if (misaligned)
        weft__fail_named(ctx, ctx->outer_name ? ctx->outer_name : "ctx_alloc", WEFT_E_NOMEM,
                         "the alloc hook gave a block that is not aligned as it was asked to be (%zu bytes)",
                         alignment);
    return block;
}

static void call_free(weft_ctx *ctx, void *block, size_t bytes)
{
    const weft_options *o = &ctx->options;
    if (o->free == weft__default_free) {
        weft__default_free(NULL, block, bytes);
        return;
    }
    const weft__call_id call = weft__call_begins(ctx, "the free hook", true);
    if (!call)
        return; /* the hook calls itself without end */
    o->free(o->alloc_user, block, bytes);
    weft__call_ends(ctx, "ctx_free", call);
}

void *weft__host_alloc_aligned(weft_ctx *ctx, size_t bytes, size_t alignment)
{
    void *block = call_alloc(ctx, bytes, alignment);
    if (block)
        ctx->host_bytes += bytes;
    return block;
}

void *weft__host_alloc(weft_ctx *ctx, size_t bytes)
{
    return weft__host_alloc_aligned(ctx, bytes, SMALL_ALIGNMENT);
}

void *weft__host_array(weft_ctx *ctx, int64_t count, size_t size)
{
    size_t bytes;
    return weft__bytes_of(count, size, &bytes) ? weft__host_alloc(ctx, bytes) : NULL;
}

void weft__host_free(weft_ctx *ctx, void *block, size_t bytes)
{
    if (!block)
        return;
    ctx->host_bytes -= bytes;
    call_free(ctx, block, bytes);
}

void *weft_ctx_alloc(weft_ctx *ctx, size_t bytes)
{
    if (!ctx || ctx->status != WEFT_OK)
        return NULL;
    void *block = weft__host_alloc(ctx, bytes ? bytes : 1);
    if (!block)
        weft__fail_named(ctx, "ctx_alloc", WEFT_E_NOMEM, "out of memory for %zu bytes", bytes);
    return block;
}

void weft_ctx_free(weft_ctx *ctx, void *block, size_t bytes)
{
    if (ctx)
        weft__host_free(ctx, block, bytes ? bytes : 1);
}

/* ---- Slabs ---- */

static size_t chunk_bytes(const weft__slab *slab)
{
    return SMALL_ALIGNMENT + CHUNK_OBJECTS * slab->object_size;
}

void weft__slab_init(weft__slab *slab, size_t object_size, size_t shown_from, size_t shown_to)
{
    memset(slab, 0, sizeof *slab);
    slab->object_size = (object_size + 15) & ~(size_t)15;
    slab->shown_from = shown_from;
    slab->shown_to = shown_to;
}

void weft__slab_hide(const weft__slab *slab, const void *object)
{
    if (!WEFT__POISONS)
        return;
    weft__poison(object, slab->shown_from);
    weft__poison((const char *)object + slab->shown_to, slab->object_size - slab->shown_to);
}

static bool grow(weft_ctx *ctx, weft__slab *slab)
{
    char *chunk = weft__host_alloc(ctx, chunk_bytes(slab));
    if (!chunk)
        return false;
    memset(chunk, 0, chunk_bytes(slab)); /* so that an object never used does not look alive */
    memcpy(chunk, &slab->chunks, sizeof slab->chunks);
    slab->chunks = chunk;
    for (int k = CHUNK_OBJECTS - 1; k >= 0; k--) {
        void *object = chunk + SMALL_ALIGNMENT + (size_t)k * slab->object_size;
        *(void **)object = slab->free_list;
        slab->free_list = object;
        weft__slab_hide(slab, object);
    }
    return true;
}

void *weft__slab_get(weft_ctx *ctx, weft__slab *slab)
{
    if (!slab->free_list && !grow(ctx, slab))
        return NULL;
    void *object = slab->free_list;
    weft__unpoison(object, slab->object_size, sizeof(void *));
    slab->free_list = *(void **)object;
    slab->in_use++;
    return object;
}

void weft__slab_put(weft__slab *slab, void *object)
{
    weft__unpoison(object, sizeof(void *), 0); /* the link to the next */
    *(void **)object = slab->free_list;
    slab->free_list = object;
    slab->in_use--;
    weft__slab_hide(slab, object);
}

void weft__slab_close(weft_ctx *ctx, weft__slab *slab)
{
    while (slab->chunks) {
        void *chunk = slab->chunks;
        memcpy(&slab->chunks, chunk, sizeof slab->chunks);
        weft__unpoison(chunk, chunk_bytes(slab), 0);
        weft__host_free(ctx, chunk, chunk_bytes(slab));
    }
    slab->free_list = NULL;
}

/* ---- Device blocks ----
 * Classes: 64 bytes, then four per octave (64, 80, 96, 112, 128, 160 ...), so that at most a fifth is lost. */

static int class_of(size_t bytes)
{
    if (bytes <= 64)
        return 0;
    int octave = 63 - __builtin_clzll((unsigned long long)(bytes - 1)); /* 2^octave < bytes <= 2^(octave+1) */
    size_t quarter = (size_t)1 << (octave - 2);
    size_t above = bytes - ((size_t)1 << octave);
    return (octave - 6) * 4 + (int)((above + quarter - 1) / quarter);
}

static size_t class_bytes(int size_class)
{
    int octave = 6 + size_class / 4;
    return ((size_t)1 << octave) + (size_t)(size_class % 4) * ((size_t)1 << (octave - 2));
}

static bool over_budget(const weft_ctx *ctx, size_t more)
{
    size_t budget = ctx->options.memory_budget;
    return more > budget || ctx->live_bytes + ctx->cached_bytes > budget - more;
}

/* Of a block only its first bytes are in use; none when it is free. A device's own memory is none of the host's tools.
 * */
static void show_block(const weft_ctx *ctx, const weft__storage *s, size_t bytes)
{
    if (!WEFT__POISONS || !ctx->backend->host_memory)
        return;
    weft__unpoison(s->data, bytes, 0);
    weft__poison((const char *)s->data + bytes, s->bytes - bytes);
}

static void free_block(weft_ctx *ctx, weft__storage *s)
{
    show_block(ctx, s, s->bytes);
    ctx->backend->free(ctx->device, s->data, s->bytes);
    weft__slab_put(&ctx->storages, s);
}

void weft__cache_trim(weft_ctx *ctx)
{
    for (int k = 0; k < WEFT__SIZE_CLASSES; k++) {
        while (ctx->cache[k]) {
            weft__storage *s = ctx->cache[k];
            ctx->cache[k] = s->next;
            ctx->cached_bytes -= s->bytes;
            free_block(ctx, s);
        }
    }
}

static void *block_alloc(weft_ctx *ctx, size_t bytes)
{
    if (over_budget(ctx, bytes)) {
        weft__cache_trim(ctx);
        if (over_budget(ctx, bytes))
            return NULL;
    }
    void *data = ctx->backend->alloc(ctx->device, bytes);
    if (!data && ctx->cached_bytes > 0) {
        weft__cache_trim(ctx);
        data = ctx->backend->alloc(ctx->device, bytes);
    }
    if (!data && ctx->backend->message && ctx->backend->message(ctx->device)[0])
        weft__fail_device(ctx, ctx->outer_name ? ctx->outer_name : "tensor", WEFT_E_DEVICE, "");
    return data;
}

static void count_live(weft_ctx *ctx, size_t bytes)
{
    ctx->live_bytes += bytes;
    if (ctx->live_bytes > ctx->peak_bytes)
        ctx->peak_bytes = ctx->live_bytes;
}

/* Of that class, from the device. */
static __attribute__((noinline)) weft__storage *fresh_block(weft_ctx *ctx, int size_class)
{
    weft__storage *s = weft__slab_get(ctx, &ctx->storages);
    if (!s)
        return NULL;
    s->bytes = class_bytes(size_class);
    s->size_class = size_class;
    s->release = NULL;
    s->read_only = false;
    s->data = block_alloc(ctx, s->bytes);
    if (s->data)
        return s;
    weft__slab_put(&ctx->storages, s);
    return NULL;
}

weft__storage *weft__storage_new(weft_ctx *ctx, size_t bytes)
{
    if (bytes > (size_t)1 << 55)
        return NULL;
    int size_class = class_of(bytes);
    weft__storage *s = ctx->cache[size_class];
    if (__builtin_expect(s != NULL, 1)) {
        ctx->cache[size_class] = s->next;
        ctx->cached_bytes -= s->bytes;
    } else if (!(s = fresh_block(ctx, size_class))) {
        return NULL;
    }
    show_block(ctx, s, bytes);
    s->refs = 1;
    s->version = 0;
    count_live(ctx, s->bytes);
    return s;
}

weft__storage *weft__storage_wrap(weft_ctx *ctx, void *data, size_t bytes)
{
    weft__storage *s = weft__slab_get(ctx, &ctx->storages);
    if (!s)
        return NULL;
    *s = (weft__storage){
        .next = ctx->wrapped, .link = &ctx->wrapped, .data = data, .bytes = bytes, .refs = 1, .size_class = -1};
    if (s->next)
        s->next->link = &s->next;
    return ctx->wrapped = s;
}

bool weft__storages_overlap(const weft__storage *a, const weft__storage *b)
{
    if (a == b)
        return true;
    if (a->size_class >= 0 || b->size_class >= 0)
        return false;
    const uintptr_t from_a = (uintptr_t)a->data, from_b = (uintptr_t)b->data;
    return from_a < from_b ? from_b - from_a < a->bytes : from_a - from_b < b->bytes;
}

void weft__storage_written(weft_ctx *ctx, weft__storage *s)
{
    s->version++;
    for (weft__storage *other = s->size_class < 0 ? ctx->wrapped : NULL; other; other = other->next)
        if (other != s && weft__storages_overlap(s, other))
            other->version++;
}

void weft__call_release(weft_ctx *ctx, void (*release)(void *user, void *data), void *user, void *data)
{
    const weft__call_id call = weft__call_begins(ctx, "a release callback of weft_wrap", true);
    if (!call)
        return; /* it wraps anew what it is to release, without end */
    release(user, data);
    weft__call_ends(ctx, "wrap", call);
}

static __attribute__((noinline)) void unwrap(weft_ctx *ctx, weft__storage *s)
{
    *s->link = s->next;
    if (s->next)
        s->next->link = s->link;
    if (s->release)
        weft__call_release(ctx, s->release, s->release_user, s->data);
    weft__slab_put(&ctx->storages, s);
}

void weft__storage_release(weft_ctx *ctx, weft__storage *s)
{
    if (--s->refs > 0)
        return;
    if (s->size_class < 0) {
        unwrap(ctx, s);
        return;
    }
    show_block(ctx, s, 0);
    ctx->live_bytes -= s->bytes;
    ctx->cached_bytes += s->bytes;
    s->next = ctx->cache[s->size_class];
    ctx->cache[s->size_class] = s;
}

weft_status weft_memory(const weft_ctx *ctx, weft_memory_info *out, size_t size)
{
    if (!ctx || !out)
        return WEFT_E_NULL_ARGUMENT;
    const weft_memory_info info = {.live_bytes = ctx->live_bytes,
                                   .peak_bytes = ctx->peak_bytes,
                                   .cached_bytes = ctx->cached_bytes,
                                   .host_bytes = ctx->host_bytes,
                                   .live_tensors = ctx->tensors.in_use - ctx->quarantined,
                                   .live_nodes = ctx->nodes.in_use,
                                   .budget_bytes = ctx->options.memory_budget};
    return weft_struct_out(NULL, "memory", "weft_memory_info", &info, sizeof info, out, size);
}

bool weft_ctx_on_host(const weft_ctx *ctx)
{
    return ctx && ctx->backend->host_memory;
}

void weft_memory_reset_peak(weft_ctx *ctx)
{
    if (ctx)
        ctx->peak_bytes = ctx->live_bytes;
}

void weft_memory_trim(weft_ctx *ctx)
{
    if (ctx && !ctx->only_look)
        weft__cache_trim(ctx);
}
