/* observe.c - see observe.h. */
#include "observe.h"

void weft__observe(weft_ctx *ctx, weft__observer *observer)
{
    observer->next = ctx->observer;
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

const char *weft__phase_name(weft__phase phase)
{
    static const char *const names[] = {"forward", "backward", "optimiser"};
    return names[phase];
}
