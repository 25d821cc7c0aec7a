/* narrow.c - which part of the tape leads from some inputs to what is computed from them, for passes that look at
 * nothing else. */
#include "walk.h"

static bool is_leaf_among(weft_tensor *const *inputs, int n, const weft_tensor *t)
{
    for (int k = 0; k < n; k++)
        if (inputs[k] == t)
            return true;
    return false;
}

static bool makes_one_of(weft_tensor *const *inputs, int n, const weft__node *node)
{
    for (int k = 0; k < n; k++)
        if (inputs[k]->node == node)
            return true;
    return false;
}

bool weft__is_asked_for(const weft__walk *w, const weft__node *node)
{
    return makes_one_of(w->inputs, w->n_inputs, node);
}

static bool is_marked(uint32_t visit, weft_tensor *const *inputs, int n, const weft_tensor *t)
{
    return t && weft__requires(t) && (t->node ? t->node->visit == visit : is_leaf_among(inputs, n, t));
}

uint32_t weft__mark_leads(weft_ctx *ctx, weft_tensor *const *inputs, int n)
{
    const uint32_t visit = ++ctx->visit;
    for (weft__node *node = ctx->tape_first; node; node = node->next) {
        bool leads = makes_one_of(inputs, n, node);
        for (int k = 0; k < node->n_in && !leads; k++)
            leads = is_marked(visit, inputs, n, node->in[k]);
        if (leads)
            node->visit = visit;
    }
    return visit;
}

bool weft__leads_through_custom(const weft_ctx *ctx, uint32_t visit)
{
    for (const weft__node *node = ctx->tape_first; node; node = node->next)
        if (node->is_custom && node->visit == visit)
            return true;
    return false;
}

bool weft__leads(weft__walk *w, const weft_tensor *t)
{
    if (w->visit == 0 || w->ctx->visit != w->visit)
        w->visit = weft__mark_leads(w->ctx, w->inputs, w->n_inputs);
    return is_marked(w->visit, w->inputs, w->n_inputs, t);
}
