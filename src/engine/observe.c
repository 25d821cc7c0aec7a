/* observe.c - see observe.h. */
#include "engine/observe.h"
#include "base/op_def.h"

void weft__observe(weft_ctx *ctx, weft__observer *observer)
{
    observer->next = ctx->observer;
    observer->before = ctx->launches;
    ctx->observer = observer;
}

void weft__unobserve(weft_ctx *ctx, weft__observer *observer)
{
    weft__observer **link = &ctx->observer;
    while (*link && *link != observer)
        link = &(*link)->next;
    if (*link)
        *link = observer->next;
}

static weft__phase phase_of(const weft__launch *l)
{
    if (!l->custom && weft__defs[l->op]->effect == WEFT__STEPS)
        return WEFT__OPTIMISER;
    return l->ctx->in_backward ? WEFT__BACKWARD : WEFT__FORWARD;
}

static void explain(weft__launch *l)
{
    weft_ctx *ctx = l->ctx;
    const weft__node *node = ctx->deriving;
    l->name = weft__launch_kernel(l);
    l->site = ctx->site;
    l->caller = ctx->outer_name;
    l->phase = phase_of(l);
    if (l->phase == WEFT__OPTIMISER && !l->site.file)
        l->site = weft__take_site("optim_step", true); /* the optimiser's own calls note no place */
    if (node && l->phase == WEFT__BACKWARD) {
        l->name = node->is_custom ? node->custom->name : weft__ops[node->op].name;
        l->site = node->site;
    }
}

void weft__launch_begins(weft__launch *launch)
{
    explain(launch);
    launch->ctx->launches++;
    for (weft__observer *o = launch->ctx->observer; o; o = o->next)
        o->begin(o, launch);
}

void weft__launch_ends(const weft__launch *launch, weft_status status)
{
    const int outer = --launch->ctx->launches;
    for (weft__observer *o = launch->ctx->observer; o; o = o->next)
        if (o->before <= outer)
            o->end(o, launch, status);
        else
            o->before = outer;
}

void weft__launches_cut(weft_ctx *ctx, int launches)
{
    if (ctx->launches <= launches)
        return;
    ctx->launches = launches;
    for (weft__observer *o = ctx->observer; o; o = o->next) {
        if (o->before > launches)
            o->before = launches;
        if (o->cut)
            o->cut(o, launches - o->before);
    }
}

const char *weft__launch_kernel(const weft__launch *launch)
{
    return launch->custom ? launch->custom->name : weft__ops[launch->op].name;
}

const char *weft__phase_name(weft__phase phase)
{
    static const char *const names[] = {"forward", "backward", "optimiser"};
    return names[phase];
}
