/* groups.c - one optimiser of several: parameter groups, each with its own options or rule. */
#include <string.h>
#include "list.h"
#include "optim.h"

/* The parameters of all parts, one list after the other. */
static weft_status check_distinct(weft_ctx *ctx, weft_optim *const *parts, int n, int total)
{
    const size_t bytes = sizeof(weft_tensor *) * (size_t)total;
    weft_tensor **all = weft_ctx_alloc(ctx, bytes);
    if (!all)
        return weft_ctx_status(ctx);
    for (int g = 0, at = 0; g < n; g++) {
        const weft__optim *part = weft_owned(&weft__optim_kind, parts[g]);
        memcpy(all + at, part->params, sizeof *all * (size_t)part->n);
        at += part->n;
    }
    int before = 0;
    const int k = weft__first_repeated(ctx, all, total, &before);
    const char *name = k >= 0 ? weft_name(all[k]) : "";
    if (k >= 0)
        weft_ctx_fail(ctx, WEFT_E_INVALID,
                      "weft_optim_join: parameter%s%s is in two of the optimisers, and would be stepped twice",
                      name[0] ? " " : "", name);
    weft_ctx_free(ctx, all, bytes);
    return weft_ctx_status(ctx);
}

static weft_status check_parts(weft_ctx *ctx, weft_optim *const *parts, int n)
{
    int total = 0;
    if (!parts || n < 1)
        return weft_ctx_fail(ctx, WEFT_E_NULL_ARGUMENT, "weft_optim_join: needs optims and n >= 1; n is %d", n);
    for (int g = 0; g < n; g++) {
        const weft__optim *part = weft_owned(&weft__optim_kind, parts[g]);
        if (!part)
            return weft_owned_fail(ctx, "optim_join", &weft__optim_kind, parts[g]);
        if (part->ctx != ctx)
            return weft_ctx_fail(ctx, WEFT_E_MIXED_CONTEXTS, "weft_optim_join: optimiser %d belongs to another context",
                                 g);
        if (part->parts || part->rule->search)
            return weft_ctx_fail(ctx, WEFT_E_INVALID, "weft_optim_join: optimiser %d %s", g,
                                 part->parts ? "is a joined one; list its parts"
                                             : "searches along all its parameters at once and cannot be a part");
        total += part->n;
    }
    return check_distinct(ctx, parts, n, total);
}

weft_status weft_optim_join(weft_ctx *ctx, weft_optim *const *optims, int n, weft_optim **out)
{
    if (out)
        *out = NULL;
    if (!ctx)
        return WEFT_E_NULL_ARGUMENT;
    if (weft_ctx_status(ctx) != WEFT_OK)
        return weft_ctx_status(ctx);
    if (!out)
        return weft_ctx_fail(ctx, WEFT_E_NULL_ARGUMENT, "weft_optim_join: out is NULL");
    if (check_parts(ctx, optims, n) != WEFT_OK)
        return weft_ctx_status(ctx);
    const size_t bytes = sizeof(weft__optim) + sizeof(weft_optim *) * (size_t)n;
    weft__optim *o = weft_ctx_alloc(ctx, bytes);
    if (!o)
        return weft_ctx_status(ctx);
    *o = (weft__optim){.ctx = ctx, .bytes = bytes, .n = n, .steps = weft_optim_steps(optims[0])};
    o->parts = (weft_optim **)(void *)(o + 1);
    memcpy(o->parts, optims, sizeof *o->parts * (size_t)n);
    *out = weft_own(ctx, &weft__optim_kind, o, "optim_join");
    if (!*out)
        weft_ctx_free(ctx, o, bytes);
    return weft_ctx_status(ctx);
}
