/* copy_to.c - tensors that go from one context to another, on any two devices. */
#include "engine/engine.h"

static const char NAME[] = "copy_to";

enum { PIECE = 16 << 20 }; /* of what goes by way of the host */

/* From one device's memory into another's that cannot reach it. */
static weft_status by_way_of_host(weft_ctx *ctx, char *to, weft_ctx *source, const char *from, size_t bytes)
{
    const size_t room = bytes < PIECE ? bytes : PIECE;
    void *piece = weft__host_alloc(ctx, room);
    if (!piece)
        return weft__fail_named(ctx, NAME, WEFT_E_NOMEM, "out of memory for %zu bytes on the way", room);
    weft_status status = WEFT_OK;
    for (size_t at = 0; at < bytes && status == WEFT_OK; at += room) {
        const size_t n = bytes - at < room ? bytes - at : room;
        status = source->backend->to_host(source->device, piece, from + at, n);
        if (status != WEFT_OK)
            weft__fail_device(source, NAME, status, "the copy from the device failed");
        else if ((status = ctx->backend->from_host(ctx->device, to + at, piece, n)) != WEFT_OK)
            weft__fail_device(ctx, NAME, status, "the copy to the device failed");
    }
    weft__host_free(ctx, piece, room);
    return status;
}

/* What fails is recorded in the context whose device it was. */
static weft_status move_bytes(weft_ctx *ctx, void *to, weft_ctx *source, const void *from, size_t bytes)
{
    const weft__backend *there = source->backend, *here = ctx->backend;
    if (here == there && here->from_device) {
        const weft_status status = here->from_device(ctx->device, to, source->device, from, bytes);
        return status == WEFT_OK ? status : weft__fail_device(ctx, NAME, status, "the copy between devices failed");
    }
    if (here->host_memory) {
        const weft_status status = there->to_host(source->device, to, from, bytes);
        return status == WEFT_OK ? status : weft__fail_device(source, NAME, status, "the copy from the device failed");
    }
    if (there->host_memory) {
        const weft_status status = here->from_host(ctx->device, to, from, bytes);
        return status == WEFT_OK ? status : weft__fail_device(ctx, NAME, status, "the copy to the device failed");
    }
    return by_way_of_host(ctx, to, source, from, bytes);
}

/* The values of t, which lives in source, another context that has been entered. */
static weft_tensor *copied_from(weft_ctx *ctx, weft_ctx *source, weft_tensor *t)
{
    weft_tensor *y = weft__new(ctx, -1, (weft_dtype)t->a.dtype, t->a.shape, t->a.ndim);
    weft_tensor *dense = y ? weft__dense(source, t) : NULL;
    if (!dense)
        return NULL;
    const size_t bytes = weft__array_bytes(&t->a);
    const weft_status status = bytes ? move_bytes(ctx, y->a.data, source, dense->a.data, bytes) : WEFT_OK;
    if (dense != t)
        weft__scope_remove(dense);
    if (status != WEFT_OK)
        return NULL;
    weft__mark_cut(source, WEFT__CUT_COPY_TO, &t, 1, y);
    return y;
}

/* Enters t's context for as long as it takes. Its error becomes ctx's, too: else nobody would see why there is no
 * result. */
static weft_tensor *copy_between(weft_ctx *ctx, weft_tensor *t)
{
    weft_ctx *source = t->ctx;
    weft_tensor *y = NULL;
    if (weft__enter_named(NAME, source, &t, 1, 0)) {
        source->site = ctx->site;
        y = copied_from(ctx, source, t);
        weft__leave(source);
    }
    if (!y && ctx->status == WEFT_OK && source->status != WEFT_OK)
        weft__fail_named(ctx, NAME, source->status, "the context that the tensor is in has an error: %s",
                         source->message);
    return y;
}

static weft_tensor *copy_here(weft_ctx *ctx, weft_tensor *t)
{
    if (t && t->magic == WEFT__LIVE && t->flags & WEFT__IS_SHARED)
        return weft__from_host(ctx, NAME, (weft_dtype)t->a.dtype, t->a.shape, t->a.ndim, t->a.data);
    if (t && t->ctx != ctx && (t->magic == WEFT__LIVE || t->magic == WEFT__DEAD))
        return copy_between(ctx, t);
    if (!weft__check(ctx, NAME, t, "the tensor", -1))
        return NULL;
    weft_tensor *y = weft__copied(ctx, t);
    if (y)
        weft__mark_cut(ctx, WEFT__CUT_COPY_TO, &t, 1, y);
    return y;
}

weft_tensor *weft_copy_to(weft_ctx *ctx, weft_tensor *t)
{
    if (!ctx)
        return weft__note_lost(NAME, WEFT_E_NULL_ARGUMENT, "the context is NULL"), NULL;
    if (!weft__enter_named(NAME, ctx, NULL, 0, 0))
        return NULL;
    return weft__leave_with(ctx, copy_here(ctx, t));
}
