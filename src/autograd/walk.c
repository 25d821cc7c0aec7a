/* walk.c - the backward pass: gradients travel from results to leaves, latest operation first. */
#include <string.h>
#include "core/observe.h"
#include "vjp.h"
#include "walk.h"

/* ---- Delivering ---- */

/* Where t's gradient is gathered in this pass; NULL: t is a constant, or out of memory (recorded). */
static weft__sum *sum_of(weft__walk *w, weft_tensor *t)
{
    if (t->node) {
        if (!t->node->pending.begun) {
            weft__sum_begin(&t->node->pending, t);
            t->node->refs++;
            w->pending++;
        }
        return &t->node->pending;
    }
    weft__leaf *leaf = weft__leaf_of(t);
    if (leaf && !leaf->touched) {
        leaf->touched = true;
        leaf->next_touched = w->touched;
        w->touched = leaf;
        weft__ref(t); /* a hook may let go of it */
        weft__sum_begin(&leaf->pass, t);
    }
    if (leaf && !leaf->pass.begun) {
        weft__fail_named(
            w->ctx, "backward", WEFT_E_STATE,
            "a gradient arrives at %s while its hooks run, so that one of them runs a backward pass through "
            "its own tensor",
            weft__describe(t).s);
        return NULL;
    }
    return leaf ? &leaf->pass : NULL;
}

static void deliver(weft__walk *w, weft_tensor *t, weft_tensor *g)
{
    weft__sum *sum = sum_of(w, t);
    if (sum)
        weft__sum_add(sum, t, g, w->create_graph);
}

static bool is_asked_for(const weft__walk *w, const weft__node *node)
{
    for (int k = 0; k < w->n_inputs; k++)
        if (w->inputs[k]->node == node)
            return true;
    return false;
}

/* Does nothing but show another tensor's memory otherwise, so that a gradient may go past it to that tensor? */
static bool is_mere_view(const weft__walk *w, const weft__node *node)
{
    if (node->is_custom || (node->output && node->output->leaf && node->output->leaf->hooks))
        return false;
    switch (node->op) {
    case WEFT_OP_RESHAPE:
    case WEFT_OP_TRANSPOSE:
    case WEFT_OP_PERMUTE:
    case WEFT_OP_SQUEEZE:
    case WEFT_OP_UNSQUEEZE:
    case WEFT_OP_SLICE:
    case WEFT_OP_SELECT:
        return !is_asked_for(w, node);
    default:
        return false;
    }
}

/* The gradient of a slice goes to the tensor whose memory it shows, past the views between them: a loop that reshapes or
 * transposes anew before each slice would make a whole gradient for each of those views. */
static void deliver_part(weft__walk *w, weft_tensor *sliced, const weft__place *place, weft_tensor *g)
{
    enum { DEEP = 8 };
    weft__node *views[DEEP];
    weft_tensor *t = sliced;
    int n = 0;
    while (!w->create_graph && n < DEEP && t->node && is_mere_view(w, t->node)) {
        views[n++] = t->node;
        t = t->node->in[0];
    }
    weft__sum *sum = sum_of(w, t);
    if (!sum)
        return;
    if (w->create_graph)
        weft__sum_note_part(sum, t, place, g);
    else if (!weft__sum_add_part(sum, t, views, n, sliced, place, g) && w->ctx->status == WEFT_OK)
        weft__sum_add_part(sum_of(w, sliced), sliced, NULL, 0, sliced, place, g);
}

/* ---- One node ---- */

static bool unchanged(weft__walk *w, const weft__node *node)
{
    const char *name = node->is_custom ? node->custom->name : weft__ops[node->op].name;
    for (int k = 0; k <= node->n_in; k++) {
        const weft_tensor *t = k < node->n_in ? node->in[k] : node->y;
        uint32_t then = k < node->n_in ? node->versions[k] : node->y_version;
        if (!t || then == UINT32_MAX || t->storage->version == then)
            continue;
        weft__text where = k < node->n_in ? (weft__text){""} : (weft__text){"the result of "};
        weft__fail_named(
            w->ctx, "backward", WEFT_E_OVERWRITTEN,
            "%sweft_%s (called at %s)%s: %s was changed in place after it was used, and the gradient needs "
            "the old values; change a weft_clone instead, or after the backward pass",
            where.s, name, weft__site_text(node->site).s, k < node->n_in ? " needs an operand" : "",
            weft__describe(t).s);
        return false;
    }
    return true;
}

/* The saved result; with its history when the gradient itself is to be differentiated. */
static weft_tensor *saved_result(weft__walk *w, weft__node *node)
{
    if (!node->y || !w->create_graph)
        return node->y;
    if (node->output)
        return node->output;
    weft_tensor *y = weft__alias(w->ctx, node->op, node->y);
    if (y) {
        y->node = node;
        y->flags |= WEFT__REQUIRES_GRAD;
        node->refs++;
    }
    return y;
}

/* The fused formula of the row: one kernel for all operands, at the result's shape. */
static void fused_elementwise(weft__walk *w, weft__node *node, weft_tensor *g, weft_tensor **out)
{
    const weft__op_info *info = &weft__ops[node->op];
    bool one = info->family == WEFT__UNARY || info->family == WEFT__UNARY_P, three = info->family == WEFT__TERNARY;
    int first = three ? 1 : 0, n_out = one ? 1 : 2, n = 0, n_wanted = 0;
    const bool passes[2] = {info->gradient_is_g, info->gradient_b_is_g};
    weft__array expanded[2], *outs[2] = {NULL, NULL};
    const weft__array *arrays[4];
    for (int k = 0; k < n_out; k++) {
        if (!weft__requires(node->in[first + k]))
            continue;
        out[first + k] = passes[k] ? g : weft__new(w->ctx, node->op, (weft_dtype)g->a.dtype, g->a.shape, g->a.ndim);
        if (passes[k])
            continue;
        if (!out[first + k])
            return;
        outs[k] = &out[first + k]->a;
        n_wanted++;
    }
    if (n_wanted == 0)
        return;
    for (int k = 0; k < (one ? 1 : three ? 1 : 2); k++) {
        bool read = three || (info->saves >> k & 1);
        expanded[k] = weft__expanded(&node->in[k]->a, g->a.shape, g->a.ndim);
        arrays[n++] = read ? &expanded[k] : NULL;
    }
    if (!three)
        arrays[n++] = info->saves & WEFT__SAVES_Y ? &node->y->a : NULL;
    arrays[n++] = &g->a;
    weft__attrs attrs;
    attrs.ni = 0;
    attrs.nf = node->nf;
    for (int k = 0; k < node->nf; k++)
        attrs.f[k] = node->f[k];
    weft__run_grad(w->ctx, node->op, arrays, n, outs, n_out, &attrs);
}

static bool is_elementwise(const weft__node *node)
{
    if (node->is_custom)
        return false;
    weft__family family = weft__ops[node->op].family;
    return family == WEFT__UNARY || family == WEFT__UNARY_P || family == WEFT__BINARY || family == WEFT__TERNARY;
}

/* A gradient that a callback gave, as the pass goes on with it: a tensor of this context, and without the history that it
 * may have (a leaf, say) where no graph is wanted, so that a leaf never holds itself. NULL: error recorded. */
static weft_tensor *taken(weft__walk *w, const char *function, weft_tensor *g, const char *what, int number)
{
    weft_ctx *ctx = w->ctx;
    if (!weft__check(ctx, function, g, what, number) || !weft__localise(ctx, &g, 1))
        return NULL;
    return w->create_graph || !weft__requires(g) ? g : weft__alias(ctx, -1, g);
}

/* Whether a callback's gradient fits an operand: of its shape, or of one that the operand broadcasts to (it is summed). */
static bool fits_operand(const weft_tensor *gradient, const weft_tensor *operand)
{
    int64_t shape[WEFT__MAX_DIMS];
    int ndim;
    return weft__broadcast(&gradient->a, &operand->a, shape, &ndim) && ndim == gradient->a.ndim &&
           memcmp(shape, gradient->a.shape, sizeof *shape * (size_t)ndim) == 0;
}

static weft_status call_backward(weft__walk *w, weft__node *node, weft_tensor *g, weft_tensor *y, weft_tensor **out)
{
    const weft_custom_op *op = node->custom;
    if (!w->ctx->observer)
        return op->backward(w->ctx, node->in, node->n_in, y, g, out, op->user);
    weft__launch l = {.ctx = w->ctx, .op = WEFT_OP_COUNT, .grad = true, .custom = op};
    weft__launch_begins(&l);
    const weft_status status = op->backward(w->ctx, node->in, node->n_in, y, g, out, op->user);
    weft__launch_ends(&l, status);
    return status;
}

static void custom_backward(weft__walk *w, weft__node *node, weft_tensor *g, weft_tensor *y, weft_tensor **out)
{
    weft_status status = call_backward(w, node, g, y, out);
    if (status != WEFT_OK)
        weft__fail_named(w->ctx, node->custom->name, WEFT_E_CALLBACK, "its backward callback returned %s",
                         weft_status_name(status));
    for (int k = 0; k < node->n_in && w->ctx->status == WEFT_OK; k++) {
        if (!out[k] ||
            !(out[k] = taken(w, node->custom->name, out[k], "its backward callback's gradient of operand", k + 1)))
            continue;
        if (!fits_operand(out[k], node->in[k]))
            weft__fail_named(w->ctx, node->custom->name, WEFT_E_CALLBACK,
                             "its backward callback gave %s as the gradient of operand %d, which is %s",
                             weft__describe(out[k]).s, k + 1, weft__describe(node->in[k]).s);
    }
}

/* place: as in weft__vjp. */
static void differentiate(weft__walk *w, weft__node *node, weft_tensor *g, weft_tensor **out, weft__place *place)
{
    if (is_elementwise(node) && !w->create_graph) {
        fused_elementwise(w, node, g, out);
        return;
    }
    weft_tensor *y = saved_result(w, node);
    if (node->y && !y)
        return;
    if (node->is_custom) {
        custom_backward(w, node, g, y, out);
        return;
    }
    weft__vjp v = {.ctx = w->ctx,
                   .node = node,
                   .g = g,
                   .in = node->in,
                   .y = y,
                   .extra = node->extra,
                   .i = node->i,
                   .f = node->f,
                   .create_graph = w->create_graph,
                   .out = out};
    weft__derive(&v);
    *place = v.place;
}

static weft_tensor *run_hooks(weft__walk *w, weft_tensor *t, weft_tensor *g)
{
    weft_ctx *ctx = w->ctx;
    if (!t || !t->leaf || !t->leaf->hooks)
        return g;
    weft__ref(t); /* a hook may let go of it, and the hooks with it */
    for (weft__hook_entry *h = t->leaf->hooks; h && ctx->status == WEFT_OK; h = h->next) {
        weft_tensor *other = h->hook(h->user, t, g);
        if (!other || ctx->status != WEFT_OK)
            continue;
        other = taken(w, "backward", other, "the gradient that a hook returned", -1);
        if (!other)
            break;
        if (!weft__same_shape(&other->a, &g->a) || other->a.dtype != g->a.dtype) {
            weft__fail_named(ctx, "backward", WEFT_E_CALLBACK,
                             "a hook of %s returned %s for a gradient that is %s; shape and dtype must be equal",
                             weft__describe(t).s, weft__describe(other).s, weft__describe(g).s);
            break;
        }
        g = other;
    }
    weft__unref(t);
    return g;
}

/* Hands g to those who asked for it: the inputs with this node, or, as for a leaf, this tensor. */
static void capture(weft__walk *w, const weft__node *node, const weft_tensor *leaf, weft_tensor *g)
{
    for (int k = 0; k < w->n_inputs; k++) {
        const weft_tensor *input = w->inputs[k];
        if (node ? input->node != node : input != leaf)
            continue;
        weft__ref(g);
        w->captured[k] = g;
    }
}

static void process(weft__walk *w, weft__node *node)
{
    weft_ctx *ctx = w->ctx;
    weft_tensor *g = NULL, *few[8] = {NULL}, **out = few;
    size_t bytes = sizeof *out * (size_t)node->n_in;
    ctx->deriving = node;
    int mark = weft_scope_push(ctx);
    if (mark < 0 || ctx->status != WEFT_OK || !unchanged(w, node) || !(g = weft__sum_take(ctx, &node->pending)))
        goto done;
    if (node->n_in > 8) {
        out = weft__host_alloc(ctx, bytes);
        if (!out) {
            weft__fail_named(ctx, "backward", WEFT_E_NOMEM, "out of memory for %d gradients", node->n_in);
            goto done;
        }
        memset(out, 0, bytes);
    }
    weft_tensor *seen = run_hooks(w, node->output, g);
    capture(w, node, NULL, seen);
    weft__place place = {.step = 0};
    if (ctx->status == WEFT_OK)
        differentiate(w, node, seen, out, &place);
    if (ctx->options.nan_watch)
        weft__watch_gradients(ctx, node, seen, out);
    if (place.step > 0 && out[0] && ctx->status == WEFT_OK)
        deliver_part(w, node->in[0], &place, out[0]);
    for (int k = 0; k < node->n_in && place.step == 0 && ctx->status == WEFT_OK; k++)
        if (out[k] && weft__requires(node->in[k]))
            deliver(w, node->in[k], out[k]);
    if (out != few)
        weft__host_free(ctx, out, bytes);
done:
    ctx->deriving = NULL;
    if (node->pending.begun)
        weft__sum_drop(ctx, &node->pending);
    if (g)
        weft__unref(g);
    if (mark >= 0 && weft_scope_pop(ctx, mark) != WEFT_OK)
        return; /* the status is in the context */
}

/* ---- The pass ---- */

static void seed(weft__walk *w, weft_tensor *const *results, weft_tensor *const *cotangents, int n)
{
    weft_ctx *ctx = w->ctx;
    for (int k = 0; k < n; k++) {
        weft_tensor *t = results[k], *g = cotangents ? cotangents[k] : NULL;
        if (g && (!weft__check(ctx, "backward", g, "cotangent", k) || !weft__localise(ctx, &g, 1)))
            return;
        if (!weft__requires(t))
            continue;
        if (g && !weft__same_shape(&g->a, &t->a)) {
            weft__fail_named(ctx, "backward", WEFT_E_SHAPE, "cotangent %d is %s, its result %s; shapes must be equal",
                             k, weft__describe(g).s, weft__describe(t).s);
            return;
        }
        if (!g && t->a.count != 1) {
            weft__fail_named(ctx, "backward", WEFT_E_SHAPE,
                             "result %s has %lld elements; reduce it to one (weft_mean, weft_sum) or give a cotangent "
                             "(weft_backward_with)",
                             weft__describe(t).s, (long long)t->a.count);
            return;
        }
        if (!g)
            g = weft_full_like(t, 1);
        if (g)
            deliver(w, t, g);
    }
}

static weft__node *last_of(weft_tensor *const *results, int n)
{
    /* Nodes are in the order of execution, so the latest result is found by walking back from the tape's end. */
    for (weft__node *node = results[0]->ctx->tape_last; node; node = node->prev)
        for (int k = 0; k < n; k++)
            if (results[k]->node == node)
                return node;
    return NULL;
}

/* The gradient of a leaf is complete: it stays in leaf->pass.whole. */
static void finish_leaf(weft__walk *w, weft__leaf *leaf)
{
    weft_tensor *t = leaf->owner, *g = weft__sum_take(w->ctx, &leaf->pass), *seen = g ? run_hooks(w, t, g) : NULL;
    if (seen && w->ctx->status == WEFT_OK) {
        weft__sum_begin(&leaf->pass, t);
        weft__ref(seen);
        leaf->pass.whole = seen;
        capture(w, NULL, t, seen);
    }
    if (g)
        weft__unref(g);
}

weft_status weft__walk_run(weft__walk *w, weft_tensor *const *results, weft_tensor *const *cotangents, int n)
{
    weft_ctx *ctx = w->ctx;
    bool was = ctx->grad_enabled, nested = ctx->in_backward;
    ctx->grad_enabled = w->create_graph;
    ctx->in_backward = true;
    int mark = weft_scope_push(ctx);
    weft__node *node = last_of(results, n); /* before seeding, which may record nodes of its own */
    if (mark >= 0)
        seed(w, results, cotangents, n);
    while (node && w->pending > 0) { /* after an error too, to let go of what waits */
        weft__node *before = node->prev;
        if (node->pending.begun) {
            w->pending--;
            process(w, node);
            before = node->prev;
            weft__node_unref(ctx, node);
        }
        node = before;
    }
    for (weft__leaf *leaf = w->touched; leaf && ctx->status == WEFT_OK; leaf = leaf->next_touched)
        finish_leaf(w, leaf);
    weft_status status = mark >= 0 ? weft_scope_pop(ctx, mark) : ctx->status;
    ctx->grad_enabled = was;
    ctx->in_backward = nested;
    return status;
}

void weft__walk_end(weft__walk *w)
{
    while (w->touched) {
        weft__leaf *leaf = w->touched;
        w->touched = leaf->next_touched;
        leaf->touched = false;
        weft__sum_drop(w->ctx, &leaf->pass);
        weft__unref(leaf->owner);
    }
}

/* ---- What was not reached ---- */

static void cut_here(weft__leaf *leaf, const weft_tensor *t)
{
    if (leaf->cut_op != WEFT_OP_COUNT || t->cut_op == WEFT_OP_COUNT || t->cut_epoch != t->ctx->backward_count)
        return;
    leaf->cut_op = t->cut_op;
    leaf->cut_site = t->cut_site;
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
            if (node->output)
                cut_here(leaf, node->output);
            break;
        }
    }
}

void weft__note_unreached(weft_ctx *ctx)
{
    for (weft__leaf *leaf = ctx->leaf_list; leaf; leaf = leaf->next) {
        leaf->unreached = false;
        if (!weft__requires(leaf->owner) || leaf->owner->node || leaf->used_epoch != ctx->backward_count ||
            leaf->reached_epoch == ctx->backward_count)
            continue;
        leaf->unreached = true;
        find_cut(ctx, leaf);
    }
}
