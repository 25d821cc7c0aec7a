/* unreached.c - which parameters a pass has not reached, or only through step functions, and what cut them off. */
#include "walk.h"

weft__flat weft__flat_behind(const weft__node *node, weft__flat arrived, bool replaced)
{
    if (!node->is_custom && weft__ops[node->op].gradient_is_zero)
        return (weft__flat){.op = node->op, .site = node->site};
    return replaced ? (weft__flat){.op = WEFT_OP_COUNT} : arrived;
}

const char *weft__cut_name(int op)
{
    op &= ~WEFT__CUT_RESULT;
    return op < WEFT_OP_COUNT ? weft__ops[op].name : op == WEFT__CUT_COPY_TO ? "copy_to" : "custom";
}

static const char *cut_reason(int op)
{
    if (op & WEFT__CUT_RESULT)
        return "the result of it that was used is not differentiable";
    const char *why = op < WEFT_OP_COUNT ? weft__ops[op].no_grad_reason : NULL;
    if (op == WEFT__CUT_COPY_TO)
        why = "no gradient flows from one context to another";
    if (op == WEFT__CUT_CUSTOM)
        why = "the operation has no backward callback";
    return why ? why : "recording was switched off";
}

weft__reason weft__cut_text(int op, weft__site site)
{
    weft__reason text;
    weft_text(text.s, sizeof text.s, "weft_%s at %s (%s)", weft__cut_name(op), weft__site_text(site).s, cut_reason(op));
    return text;
}

static void cut_here(weft__leaf *leaf, const weft_tensor *t)
{
    if (leaf->cut_op != WEFT_OP_COUNT || t->cut_op == WEFT_OP_COUNT || t->cut_epoch != t->ctx->backward_count)
        return;
    leaf->cut_op = t->cut_op;
    leaf->cut_site = t->cut_site;
}

static void cut_at_results(weft__leaf *leaf, weft__node *node)
{
    for (int k = 0; k < node->n_out; k++)
        if (weft__result_of(node, k)->tensor)
            cut_here(leaf, weft__result_of(node, k)->tensor);
}

/* Follows the leaf forward over the live tape until something cut the path. */
static void find_cut(weft_ctx *ctx, weft__leaf *leaf)
{
    uint32_t visit = ++ctx->visit;
    leaf->cut_op = WEFT_OP_COUNT;
    cut_here(leaf, leaf->owner);
    for (weft__node *node = ctx->tape_first; node && leaf->cut_op == WEFT_OP_COUNT; node = node->next) {
        for (int k = 0; k < node->n_in; k++) {
            const weft_tensor *t = node->in[k];
            if (!t || (t != leaf->owner && !(t->node && t->node->visit == visit)))
                continue;
            node->visit = visit;
            cut_at_results(leaf, node);
            break;
        }
    }
}

void weft__note_unreached(weft_ctx *ctx)
{
    for (weft__leaf *leaf = ctx->leaf_list; leaf; leaf = leaf->next) {
        leaf->unreached = false;
        if (!weft__requires(leaf->owner) || leaf->owner->node || leaf->used_epoch != ctx->backward_count)
            continue;
        const bool reached = leaf->reached_epoch == ctx->backward_count;
        leaf->only_flat = reached && leaf->flat.op != WEFT_OP_COUNT;
        leaf->unreached = !reached || leaf->only_flat;
        if (leaf->only_flat) {
            leaf->cut_op = leaf->flat.op;
            leaf->cut_site = leaf->flat.site;
        } else if (!reached) {
            find_cut(ctx, leaf);
        }
    }
}
