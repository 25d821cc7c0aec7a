/* tensor.c - tensor headers: making, counting references, tearing down without recursion; side data of leaves. */
#include <string.h>
#include "engine/engine.h"

static void link_into_scope(weft_ctx *ctx, weft_tensor *t, int scope)
{
    weft_tensor **head = &ctx->scopes[scope].first;
    t->scope_next = *head;
    t->scope_link = head;
    if (*head)
        (*head)->scope_link = &t->scope_next;
    *head = t;
    t->in_scope = 1;
    t->scope = scope;
}

static void unlink_from_scope(weft_tensor *t)
{
    *t->scope_link = t->scope_next;
    if (t->scope_next)
        t->scope_next->scope_link = t->scope_link;
    t->in_scope = 0;
}

/* Of the operation that makes a tensor, or of the call in progress. */
static const char *name_of(const weft_ctx *ctx, int op)
{
    return op >= 0 && op < WEFT_OP_COUNT ? weft__ops[op].name : ctx->outer_name ? ctx->outer_name : "tensor";
}

/* A header without data; refs 1 for the scope. */
static weft_tensor *header(weft_ctx *ctx, int op)
{
    weft_tensor *t = weft__slab_get(ctx, &ctx->tensors);
    if (!t)
        return NULL;
    t->magic = WEFT__LIVE;
    t->op = (uint16_t)op;
    t->flags = 0;
    t->refs = 1;
    t->kept = 0;
    t->owned = 0;
    t->cut_op = WEFT_OP_COUNT;
    t->ctx = ctx;
    t->storage = NULL;
    t->node = NULL;
    t->leaf = NULL;
    t->maker = name_of(ctx, op);
    t->site = ctx->site;
    t->cut_epoch = 0;
    if (ctx->made++ == 0) {
        ctx->made_in = ctx->n_scopes - 1;
        ctx->before = ctx->scopes[ctx->made_in].first;
        ctx->first_made = t;
    }
    link_into_scope(ctx, t, ctx->n_scopes - 1);
    return t;
}

static weft_tensor *no_memory(weft_ctx *ctx, int op, weft_dtype dtype, const int64_t *shape, int ndim, size_t bytes)
{
    weft__fail_named(ctx, name_of(ctx, op), WEFT_E_NOMEM,
                     "out of memory for %s %s (%zu bytes); %zu bytes are in use%s; pop scopes sooner, use smaller "
                     "batches or raise the budget (weft_live_tensors lists what lives, by line)",
                     weft_dtype_name(dtype), weft__shape_text(shape, ndim).s, bytes, ctx->live_bytes,
                     weft__budget_text(ctx).s);
    return NULL;
}

static weft_tensor *too_large(weft_ctx *ctx, int op, weft_dtype dtype, const int64_t *shape, int ndim)
{
    int64_t least = 0;
    for (int d = 0; d < ndim; d++)
        least = shape[d] < least ? shape[d] : least;
    weft__fail_named(ctx, name_of(ctx, op), WEFT_E_SHAPE,
                     least < 0 ? "%s %s has a negative size"
                               : "%s %s is too large: more bytes than can be addressed (2^63 - 1)",
                     weft_dtype_name(dtype), weft__shape_text(shape, ndim).s);
    return NULL;
}

weft_tensor *weft__new(weft_ctx *ctx, int op, weft_dtype dtype, const int64_t *shape, int ndim)
{
    int64_t count = weft__count_of(shape, ndim);
    size_t bytes;
    if (__builtin_expect(!weft__bytes_of(count, weft__dtype_size((int32_t)dtype), &bytes), 0))
        return too_large(ctx, op, dtype, shape, ndim);
    weft__storage *storage = weft__storage_new(ctx, bytes);
    weft_tensor *t = storage ? header(ctx, op) : NULL;
    if (!t) {
        if (storage)
            weft__storage_release(ctx, storage);
        return no_memory(ctx, op, dtype, shape, ndim, bytes);
    }
    t->storage = storage;
    t->a.data = storage->data;
    t->a.dtype = (int32_t)dtype;
    t->a.ndim = ndim;
    t->a.count = count;
    t->a.contiguous = true;
    for (int d = 0; d < ndim; d++)
        t->a.shape[d] = shape[d];
    weft__row_major(shape, ndim, t->a.strides);
    return t;
}

weft_tensor *weft__new_on(weft_ctx *ctx, int op, const weft__array *a, weft__storage *storage)
{
    size_t bytes;
    if (__builtin_expect(!weft__bytes_of(a->count, weft__dtype_size(a->dtype), &bytes), 0))
        return too_large(ctx, op, (weft_dtype)a->dtype, a->shape, a->ndim);
    weft_tensor *t = header(ctx, op);
    if (!t)
        return no_memory(ctx, op, (weft_dtype)a->dtype, a->shape, a->ndim, 0);
    t->a = *a;
    t->storage = storage;
    storage->refs++;
    return t;
}

weft_tensor *weft__alias(weft_ctx *ctx, int op, weft_tensor *t)
{
    return weft__new_on(ctx, op, &t->a, t->storage);
}

/* ---- References ---- */

void weft__ref(weft_tensor *t)
{
    if (t->flags & WEFT__IS_SHARED)
        atomic_fetch_add_explicit(&t->shared_refs, 1, memory_order_relaxed);
    else
        t->refs++;
}

static void leaf_free(weft_ctx *ctx, weft__leaf *leaf)
{
    *leaf->link = leaf->next;
    if (leaf->next)
        leaf->next->link = leaf->link;
    while (leaf->hooks) {
        weft__hook_entry *hook = leaf->hooks;
        leaf->hooks = hook->next;
        weft__host_free(ctx, hook, sizeof *hook);
    }
    if (leaf->grad)
        weft__unref(leaf->grad);
    if (leaf->rest)
        weft__unref(leaf->rest);
    weft__slab_put(&ctx->leaves, leaf);
}

static void unref_all(weft_tensor *const *tensors, int n)
{
    for (int k = 0; k < n; k++)
        if (tensors[k])
            weft__unref(tensors[k]);
}

void weft__node_unref(weft_ctx *ctx, weft__node *node)
{
    if (--node->refs > 0)
        return;
    *(node->prev ? &node->prev->next : &ctx->tape_first) = node->next;
    *(node->next ? &node->next->prev : &ctx->tape_last) = node->prev;
    unref_all(node->in, node->n_in);
    unref_all(weft__extra_of(node), node->n_extra);
    if (node->first.saved)
        weft__unref(node->first.saved);
    for (int k = 1; k < node->n_out; k++)
        if (node->more[k - 1].saved)
            weft__unref(node->more[k - 1].saved);
    if (node->has_blocks)
        weft__node_free_blocks(ctx, node);
    weft__slab_put(&ctx->nodes, node);
}

/* A dead header is held back for a while, so that a use after free is seen as such. */
static void header_free(weft_ctx *ctx, weft_tensor *t)
{
    weft_tensor *oldest = ctx->quarantine[ctx->quarantine_next];
    weft__slab_hide(&ctx->tensors, t);
    ctx->quarantine[ctx->quarantine_next] = t;
    ctx->quarantine_next = (ctx->quarantine_next + 1) % WEFT__QUARANTINE;
    if (oldest)
        weft__slab_put(&ctx->tensors, oldest);
    else
        ctx->quarantined++;
}

/* The last reference is gone. What t held may die too: that queues up, so depth never grows with the graph. */
static void tear_down(weft_ctx *ctx, weft_tensor *t)
{
    t->scope_next = ctx->dying;
    ctx->dying = t;
    if (ctx->tearing_down)
        return;
    ctx->tearing_down = true;
    while (ctx->dying) {
        weft_tensor *dead = ctx->dying;
        ctx->dying = dead->scope_next;
        if (dead->node) {
            weft__result *result = weft__result_of(dead->node, dead->result);
            if (result->tensor == dead)
                result->tensor = NULL;
            weft__node_unref(ctx, dead->node);
        }
        if (dead->leaf)
            leaf_free(ctx, dead->leaf);
        weft__storage_release(ctx, dead->storage);
        dead->magic = WEFT__DEAD;
        dead->leaf = NULL;
        header_free(ctx, dead);
    }
    ctx->tearing_down = false;
}

void weft__unref(weft_tensor *t)
{
    if (t->flags & WEFT__IS_SHARED)
        weft__shared_unref(t);
    else if (--t->refs == 0)
        tear_down(t->ctx, t);
}

void weft__scope_remove(weft_tensor *t)
{
    if (!t->in_scope)
        return;
    unlink_from_scope(t);
    weft__unref(t);
}

void weft__adopt(weft_ctx *ctx, weft_tensor *t)
{
    if (t->in_scope || (t->flags & WEFT__IS_SHARED))
        weft__unref(t);
    else
        link_into_scope(ctx, t, ctx->n_scopes - 1);
}

weft_tensor *weft_keep(weft_tensor *t)
{
    if (!t || !weft__alive(t, "keep") || (t->ctx && t->ctx->n_callbacks && !weft__may_enter(t->ctx, "keep")))
        return NULL;
    weft__ref(t);
    if (!(t->flags & WEFT__IS_SHARED))
        t->kept++;
    return t;
}

void weft_release(weft_tensor *t)
{
    if (!t || !weft__alive(t, "release"))
        return;
    if (!(t->flags & WEFT__IS_SHARED)) {
        if (t->kept == t->owned) {
            weft__fail_named(
                t->ctx, "release", WEFT_E_STATE,
                "%s is not kept: only what weft_keep or weft_param returned is released, once for each call",
                weft__describe(t).s);
            return;
        }
        t->kept--;
    }
    weft__unref(t);
}

void weft_drop(weft_tensor *t)
{
    if (!t || !weft__alive(t, "drop") || !t->in_scope || (t->ctx->n_callbacks && !weft__may_enter(t->ctx, "drop")))
        return;
    t->scope = -1; /* for the message about a use of it */
    weft__scope_remove(t);
}

weft_tensor *weft_escape(weft_tensor *t)
{
    if (!t || !weft__alive(t, "escape") || (t->ctx && t->ctx->n_callbacks && !weft__may_enter(t->ctx, "escape")))
        return NULL;
    if (t->in_scope && t->scope > 0) {
        unlink_from_scope(t);
        link_into_scope(t->ctx, t, t->scope - 1);
    }
    return t;
}

weft__leaf *weft__leaf_of(weft_tensor *t)
{
    if (t->leaf)
        return t->leaf;
    weft_ctx *ctx = t->ctx;
    weft__leaf *leaf = weft__slab_get(ctx, &ctx->leaves);
    if (!leaf) {
        weft__fail_named(ctx, ctx->outer_name ? ctx->outer_name : "tensor", WEFT_E_NOMEM,
                         "out of memory for the side data of %s", weft__describe(t).s);
        return NULL;
    }
    memset(leaf, 0, sizeof *leaf);
    leaf->owner = t;
    leaf->next = ctx->leaf_list;
    leaf->link = &ctx->leaf_list;
    if (leaf->next)
        leaf->next->link = &leaf->next;
    ctx->leaf_list = leaf;
    return t->leaf = leaf;
}
