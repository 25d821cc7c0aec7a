/* owned.c - objects that a context owns beside its tensors: see weft/extend.h.
 *
 * A handle is the number of a slot and the slot's generation, odd while an object lives in it. The slots are the
 * process's, not a context's, because a handle is asked about after its context is gone; they are taken without locks,
 * and what a slot says of its object is read only by whoever holds the handle of that generation. */
#include <string.h>
#include "engine/engine.h"

enum { SLOT_BITS = 14, SLOTS = 1 << SLOT_BITS };

typedef struct slot {
    _Atomic uintptr_t generation;
    _Atomic(weft_ctx *) ctx; /* of the last object, as long as that context lives */
    void *object;
    const weft_object_kind *kind;
    const char *maker;
    weft__site site;
    int next; /* slot of the object that ctx was given before, or -1 */
} slot;

static slot slots[SLOTS];
static atomic_int most_used; /* slots that were ever taken are the first ones */

static void *handle_of(int k)
{
    return (void *)(atomic_load(&slots[k].generation) << SLOT_BITS | (uintptr_t)k);
}

static slot *slot_of(const void *handle, uintptr_t *generation)
{
    *generation = (uintptr_t)handle >> SLOT_BITS;
    return &slots[(uintptr_t)handle & (SLOTS - 1)];
}

/* The slot of a living object, or NULL. */
static slot *living(const weft_object_kind *kind, const void *handle)
{
    uintptr_t generation;
    slot *s = slot_of(handle, &generation);
    return generation % 2 == 1 && atomic_load(&s->generation) == generation && s->kind == kind ? s : NULL;
}

/* A free slot, now taken; -1: there is none. */
static int take_slot(void)
{
    for (int k = 0; k < SLOTS; k++) {
        uintptr_t generation = atomic_load(&slots[k].generation);
        if (generation % 2 == 1 || !atomic_compare_exchange_strong(&slots[k].generation, &generation, generation + 1))
            continue;
        int most = atomic_load(&most_used);
        while (most <= k && !atomic_compare_exchange_weak(&most_used, &most, k + 1))
            ;
        return k;
    }
    return -1;
}

void *weft_own(weft_ctx *ctx, const weft_object_kind *kind, void *object, const char *maker)
{
    if (!ctx || !kind || !object || !maker)
        return weft__fail_named(ctx, "own", WEFT_E_NULL_ARGUMENT, "needs ctx, kind, object and maker"), NULL;
    if (ctx->status != WEFT_OK || (ctx->n_callbacks && !weft__may_enter(ctx, maker)))
        return NULL;
    static const weft_object_kind none = WEFT_OBJECT_KIND_DEFAULTS;
    weft_object_kind known;
    if (weft_struct_in(ctx, "own", "weft_object_kind", &none, kind, &known) != WEFT_OK)
        return NULL;
    if (!known.name || !known.closer || !known.end)
        return weft__fail_named(ctx, "own", WEFT_E_INVALID, "the kind of object lacks its name, closer or end"), NULL;
    const int k = take_slot();
    if (k < 0) {
        weft__fail_named(ctx, maker, WEFT_E_NOMEM,
                         "more than %d objects such as this %s are open in the process; %s ends one", SLOTS, kind->name,
                         kind->closer);
        return NULL;
    }
    slot *s = &slots[k];
    atomic_store(&s->ctx, ctx);
    s->object = object;
    s->kind = kind;
    s->maker = maker;
    s->site = weft__take_site(maker, ctx->depth == 0);
    s->next = ctx->owned;
    ctx->owned = k;
    return handle_of(k);
}

void *weft_owned(const weft_object_kind *kind, const void *handle)
{
    const slot *s = living(kind, handle);
    return s ? s->object : NULL;
}

/* A slot keeps its context's address until that is closed, so an address that a slot has is that of a living context.
 * */
static bool known_to_live(weft_ctx *ctx)
{
    for (int k = 0, n = atomic_load(&most_used); ctx && k < n; k++)
        if (atomic_load(&slots[k].ctx) == ctx)
            return true;
    return false;
}

weft_status weft_owned_fail(weft_ctx *ctx, const char *function, const weft_object_kind *kind, const void *handle)
{
    if (!handle)
        return weft__fail_named(ctx, function, WEFT_E_NULL_ARGUMENT, "the %s is NULL", kind->name);
    uintptr_t generation;
    slot *s = slot_of(handle, &generation);
    weft_ctx *former = atomic_load(&s->ctx);
    if (atomic_load(&s->generation) != generation + 1)
        former = NULL; /* the slot has another object since, and perhaps another context */
    ctx = ctx ? ctx : former;
    if (!known_to_live(ctx))
        return WEFT_E_STATE;
    if (former != ctx)
        return weft__fail_named(ctx, function, WEFT_E_STATE, "the %s was closed before, or its context was",
                                kind->name);
    return weft__fail_named(ctx, function, WEFT_E_STATE, "the %s that weft_%s made at %s was closed before", kind->name,
                            s->maker, weft__site_text(s->site).s);
}

static void end_slot(weft_ctx *ctx, slot *s)
{
    int *link = &ctx->owned;
    while (&slots[*link] != s)
        link = &slots[*link].next;
    *link = s->next;
    void *object = s->object;
    const weft_object_kind *kind = s->kind;
    atomic_fetch_add(&s->generation, 1);
    kind->end(object);
}

void weft_owned_end(const weft_object_kind *kind, const void *handle)
{
    slot *s = living(kind, handle);
    weft_ctx *ctx = s ? atomic_load(&s->ctx) : NULL;
    if (ctx && (ctx->n_callbacks == 0 || weft__may_enter(ctx, "owned_end")))
        end_slot(ctx, s);
}

/* A kind of an earlier release ends before that field. */
static bool is_part(const weft_object_kind *kind)
{
    return kind->struct_size > offsetof(weft_object_kind, part) && kind->part;
}

int64_t weft__each_owned(const weft_ctx *ctx, void (*visit)(void *user, const weft_leak *leak), void *user)
{
    int64_t n = 0;
    for (int k = ctx->owned; k >= 0; k = slots[k].next) {
        const slot *s = &slots[k];
        if (is_part(s->kind))
            continue;
        n++;
        char text[320];
        snprintf(text, sizeof text, "%s made by weft_%s at %s; %s ends it", s->kind->name, s->maker,
                 weft__site_text(s->site).s, s->kind->closer);
        if (visit)
            visit(user,
                  &(weft_leak){.op = s->maker, .file = s->site.file, .line = s->site.line, .name = "", .text = text});
    }
    return n;
}

void weft__end_owned(weft_ctx *ctx)
{
    while (ctx->owned >= 0)
        end_slot(ctx, &slots[ctx->owned]);
    for (int k = 0, n = atomic_load(&most_used); k < n; k++) {
        weft_ctx *mine = ctx;
        atomic_compare_exchange_strong(&slots[k].ctx, &mine, NULL);
    }
}

weft_tensor *weft_owned_keep(weft_tensor *t)
{
    t = weft_keep(t);
    if (t)
        t->owned++;
    return t;
}

void weft_owned_release(weft_tensor *t)
{
    if (t && t->magic == WEFT__LIVE && t->owned > 0)
        t->owned--;
    weft_release(t);
}
