/* share.c - read-only tensors that belong to no context and may be read by many threads. */
#include <string.h>
#include "engine/engine.h"

/* One block holds it all; only the count changes after it is made. */
typedef struct shared {
    weft_tensor t; /* first, so that a pointer to one is a pointer to the other */
    weft__storage storage;
    size_t bytes; /* of the whole block */
    void (*free)(void *user, void *block, size_t bytes);
    void *user;
} shared;

enum { DATA_OFFSET = (sizeof(shared) + 63) / 64 * 64 };

static shared *freeze(weft_ctx *ctx, weft_tensor *t)
{
    size_t data = weft__array_bytes(&t->a), bytes = DATA_OFFSET + data;
    shared *s = weft__host_alloc(ctx, bytes);
    if (!s) {
        weft__fail_named(ctx, "share", WEFT_E_NOMEM, "out of memory for a copy of %s", weft__describe(t).s);
        return NULL;
    }
    ctx->host_bytes -= bytes; /* it outlives the context */
    memset(s, 0, sizeof *s);
    s->bytes = bytes;
    s->free = ctx->options.free;
    s->user = ctx->options.alloc_user;
    s->t.a = t->a;
    s->t.a.data = (char *)s + DATA_OFFSET;
    weft__set_contiguous(&s->t.a);
    if (weft__to_host(ctx, "share", t, s->t.a.data) != WEFT_OK) {
        s->free(s->user, s, bytes);
        return NULL;
    }
    return s;
}

weft_tensor *weft_share(weft_tensor *t)
{
    if (t && (t->flags & WEFT__IS_SHARED))
        return weft_keep(t);
    weft_ctx *ctx = weft__enter_named("share", NULL, &t, 1, 0);
    if (!ctx)
        return NULL;
    shared *s = freeze(ctx, t);
    if (s) {
        s->storage = (weft__storage){
            .data = s->t.a.data, .bytes = s->bytes - DATA_OFFSET, .refs = 1, .size_class = -1, .read_only = true};
        s->t.magic = WEFT__LIVE;
        s->t.op = t->op;
        s->t.flags = WEFT__IS_SHARED;
        s->t.cut_op = WEFT_OP_COUNT;
        s->t.storage = &s->storage;
        s->t.maker = "share";
        s->t.site = ctx->site;
        atomic_init(&s->t.shared_refs, 1);
    }
    weft__leave_with(ctx, NULL);
    return s ? &s->t : NULL;
}

void weft__shared_unref(weft_tensor *t)
{
    if (atomic_fetch_sub_explicit(&t->shared_refs, 1, memory_order_acq_rel) > 1)
        return;
    shared *s = (shared *)t;
    t->magic = WEFT__DEAD;
    s->free(s->user, s, s->bytes);
}

static void let_go(void *user, void *data)
{
    (void)data;
    weft__unref(user);
}

/* The shared memory itself, in a header of ctx. */
static weft_tensor *view_of(weft_ctx *ctx, weft_tensor *t)
{
    weft__storage *storage = weft__storage_wrap(ctx, t->a.data, t->storage->bytes);
    if (!storage) {
        weft__fail_named(ctx, "borrow", WEFT_E_NOMEM, "out of memory for a header");
        return NULL;
    }
    weft__ref(t);
    storage->release = let_go;
    storage->release_user = t;
    storage->read_only = true;
    weft_tensor *view = weft__new_on(ctx, -1, &t->a, storage);
    weft__storage_release(ctx, storage);
    return view;
}

weft_tensor *weft__borrow(weft_ctx *ctx, weft_tensor *t)
{
    if (ctx->backend->host_memory)
        return view_of(ctx, t);
    return weft__from_host(ctx, "borrow", (weft_dtype)t->a.dtype, t->a.shape, t->a.ndim, t->a.data);
}

weft_tensor *weft_borrow(weft_ctx *ctx, weft_tensor *t)
{
    if (!ctx || !weft__enter_named("borrow", ctx, &t, 1, 0))
        return NULL;
    weft_tensor *view = NULL;
    if (t->flags & WEFT__IS_SHARED)
        view = weft__borrow(ctx, t);
    else
        weft__fail_named(ctx, "borrow", WEFT_E_STATE, "%s is not shared; make it so with weft_share",
                         weft__describe(t).s);
    weft__leave(ctx);
    return view;
}
