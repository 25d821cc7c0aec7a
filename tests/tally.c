/* tally.c - see tally.h. */
#include "tally.h"
#include <stdarg.h>
#include <stdio.h>
#include "harness/weft_test.h"

enum { CHUNK_HEAD = 64, CHUNK_OBJECTS = 64 }; /* as in memory.c */
enum { MOST_SPARE = 8 };

static int64_t slab_bytes(const weft__slab *slab)
{
    int64_t chunks = 0;
    for (void *chunk = slab->chunks; chunk; memcpy(&chunk, chunk, sizeof chunk))
        chunks++;
    return chunks * (int64_t)(CHUNK_HEAD + CHUNK_OBJECTS * slab->object_size);
}

static int64_t blocks_bytes(const weft_ctx *ctx)
{
    return ctx->backend->host_memory ? (int64_t)ctx->live_bytes : 0;
}

tally tally_of(weft_ctx *ctx)
{
    weft__cache_trim(ctx);
    const int64_t slabs =
        slab_bytes(&ctx->tensors) + slab_bytes(&ctx->storages) + slab_bytes(&ctx->nodes) + slab_bytes(&ctx->leaves);
    tally t = {.tensors = ctx->tensors.in_use - ctx->quarantined,
               .storages = ctx->storages.in_use,
               .nodes = ctx->nodes.in_use,
               .leaves = ctx->leaves.in_use,
               .live_bytes = (int64_t)ctx->live_bytes,
               .scopes = ctx->n_scopes,
               .depth = ctx->depth,
               .callbacks = ctx->n_callbacks,
               .launches = ctx->launches,
               .undo = ctx->undo != NULL,
               .grad_enabled = ctx->grad_enabled,
               .in_backward = ctx->in_backward};
    t.other_bytes =
        (int64_t)ctx->host_bytes - slabs - blocks_bytes(ctx) - (int64_t)sizeof *ctx->scopes * ctx->scope_room;
    return t;
}

bool tally_same(const tally *before, weft_ctx *ctx, const char *what, ...)
{
    const tally after = tally_of(ctx);
    const struct {
        const char *name;
        int64_t before, after;
    } counts[] = {
        {"tensors", before->tensors, after.tensors},
        {"storages", before->storages, after.storages},
        {"nodes", before->nodes, after.nodes},
        {"leaves", before->leaves, after.leaves},
        {"bytes of tensors", before->live_bytes, after.live_bytes},
        {"other bytes", before->other_bytes, after.other_bytes},
        {"scopes", before->scopes, after.scopes},
        {"calls in progress", before->depth, after.depth},
        {"callbacks", before->callbacks, after.callbacks},
        {"launches in progress", before->launches, after.launches},
        {"calls to be undone", before->undo, after.undo},
        {"gradients enabled", before->grad_enabled, after.grad_enabled},
        {"backward passes", before->in_backward, after.in_backward},
    };
    bool same = true;
    char sentence[256];
    va_list args;
    va_start(args, what);
    vsnprintf(sentence, sizeof sentence, what, args);
    va_end(args);
    for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++) {
        if (counts[k].before == counts[k].after)
            continue;
        same = false;
        WEFT_FAIL("%s: %s were %lld and are %lld", sentence, counts[k].name, (long long)counts[k].before,
                  (long long)counts[k].after);
    }
    return same;
}

void tally_starve(weft_ctx *ctx, int spare)
{
    weft__slab *const slabs[] = {&ctx->tensors, &ctx->storages, &ctx->nodes, &ctx->leaves};
    void *kept[MOST_SPARE];
    for (int k = 0; k < 4; k++) {
        int n = 0;
        while (n < spare && n < MOST_SPARE && slabs[k]->free_list)
            kept[n++] = weft__slab_get(ctx, slabs[k]);
        slabs[k]->free_list = NULL; /* what else was free there is gone until the context closes */
        while (n > 0)
            weft__slab_put(slabs[k], kept[--n]);
    }
}
