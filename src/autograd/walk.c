/* walk.c - the backward pass: gradients travel from results to leaves, latest operation first. */
#include <string.h>
#include "core/observe.h"
#include "vjp.h"
#include "walk.h"

/* ---- Delivering ---- */

/* What an outer pass has gathered at a place that this one, begun by a callback within it, comes to as well. It is put
 * back when this one ends. */
struct weft__displaced {
    weft__displaced *next;
    weft__node *node; /* or */
    weft__leaf *leaf;
    weft__sum sum;
    const void *toucher;
    weft__leaf *next_touched;
};

static bool displace(weft__walk *w, weft__node *node, weft__leaf *leaf)
{
    weft__displaced *d = weft__host_alloc(w->ctx, sizeof *d);
    if (!d) {
        weft__fail_named(w->ctx, "backward", WEFT_E_NOMEM, "out of memory for a backward pass within another");
        return false;
    }
    weft__sum *sum = node ? &node->pending : &leaf->pass;
    *d = (weft__displaced){.next = w->displaced, .node = node, .leaf = leaf, .sum = *sum};
    *sum = (weft__sum){.begun = false};
    if (leaf) {
        d->toucher = leaf->toucher;
        d->next_touched = leaf->next_touched;
        leaf->toucher = NULL;
    }
    w->displaced = d;
    return true;
}

static void put_back(weft__walk *w)
{
    while (w->displaced) {
        weft__displaced *d = w->displaced;
        w->displaced = d->next;
        *(d->node ? &d->node->pending : &d->leaf->pass) = d->sum;
        if (d->leaf) {
            d->leaf->toucher = d->toucher;
            d->leaf->next_touched = d->next_touched;
        }
        weft__host_free(w->ctx, d, sizeof *d);
    }
}

static bool waits(const weft__walk *w, const weft__node *node)
{
    return node->pending.begun && node->pending.walk == w;
}

/* Begins the gathering for t, of what is delivered now, or goes on with it: it is flat as long as all of it is. */
static weft__sum *begin(weft__walk *w, weft__sum *sum, const weft_tensor *t)
{
    weft__sum_begin(sum, t, w);
    sum->flat = w->flat;
    return sum;
}

static weft__sum *go_on(const weft__walk *w, weft__sum *sum)
{
    if (w->flat.op == WEFT_OP_COUNT)
        sum->flat.op = WEFT_OP_COUNT;
    return sum;
}

/* Where t's gradient is gathered in this pass; NULL: t is a constant, or out of memory (recorded). */
static weft__sum *sum_of(weft__walk *w, weft_tensor *t)
{
    weft__node *node = t->node;
    if (node) {
        if (waits(w, node))
            return go_on(w, &node->pending);
        if (node->pending.begun && !displace(w, node, NULL))
            return NULL;
        node->refs++;
        w->pending++;
        return begin(w, &node->pending, t);
    }
    weft__leaf *leaf = weft__leaf_of(t);
    if (!leaf || leaf->toucher == w)
        return leaf ? go_on(w, &leaf->pass) : NULL;
    if (leaf->toucher && !displace(w, NULL, leaf))
        return NULL;
    leaf->toucher = w;
    leaf->next_touched = w->touched;
    w->touched = leaf;
    weft__ref(t); /* a hook may let go of it */
    return begin(w, &leaf->pass, t);
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

/* The gradient of a slice goes to the tensor whose memory it shows, past the views between them: a loop that reshapes
 * or transposes anew before each slice would make a whole gradient for each of those views. */
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
    else if (!weft__sum_add_part(sum, t, views, n, sliced, place, g) && w->ctx->status == WEFT_OK &&
             (sum = sum_of(w, sliced)))
        weft__sum_add_part(sum, sliced, NULL, 0, sliced, place, g);
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

/* A gradient that a callback gave, as the pass goes on with it: a tensor of this context, and without the history that
 * it may have (a leaf, say) where no graph is wanted, so that a leaf never holds itself. NULL: error recorded. */
static weft_tensor *taken(weft__walk *w, const char *function, weft_tensor *g, const char *what, int number)
{
    weft_ctx *ctx = w->ctx;
    if (!weft__check(ctx, function, g, what, number) || !weft__localise(ctx, &g, 1))
        return NULL;
    return w->create_graph || !weft__requires(g) ? g : weft__alias(ctx, -1, g);
}

/* Whether a callback's gradient fits an operand: of its shape, or of one that the operand broadcasts to (it is summed).
 * */
static bool fits_operand(const weft_tensor *gradient, const weft_tensor *operand)
{
    int64_t shape[WEFT__MAX_DIMS];
    int ndim;
    return weft__broadcast(&gradient->a, &operand->a, shape, &ndim) && ndim == gradient->a.ndim &&
           memcmp(shape, gradient->a.shape, sizeof *shape * (size_t)ndim) == 0;
}

/* Has a callback, called since the context was at this depth, closed the scopes around the pass? Then the pass is gone,
 * *w too (drop_all below). */
static bool is_gone(const weft_ctx *ctx, int depth)
{
    return ctx->depth < depth;
}

static weft_status call_backward(weft_ctx *ctx, weft__node *node, weft_tensor *g, weft_tensor *y, weft_tensor **out)
{
    const weft_custom_op *op = node->custom;
    const weft__call_id call = weft__call_begins(ctx, "the backward callback of a custom operation", false);
    if (!call)
        return ctx->status;
    const weft_status status = op->backward(ctx, node->in, node->n_in, y, g, out, op->user);
    return weft__call_ends(ctx, "backward", call) ? status : WEFT_E_STATE;
}

static weft_status observe_backward(weft_ctx *ctx, weft__node *node, weft_tensor *g, weft_tensor *y, weft_tensor **out)
{
    const int depth = ctx->depth;
    if (!ctx->observer)
        return call_backward(ctx, node, g, y, out);
    weft__launch l = {.ctx = ctx, .op = WEFT_OP_COUNT, .grad = true, .custom = node->custom};
    weft__launch_begins(&l);
    const weft_status status = call_backward(ctx, node, g, y, out);
    if (!is_gone(ctx, depth))
        weft__launch_ends(&l, status);
    return status;
}

static void custom_backward(weft__walk *w, weft__node *node, weft_tensor *g, weft_tensor *y, weft_tensor **out)
{
    weft_ctx *ctx = w->ctx;
    const int depth = ctx->depth;
    weft_status status = observe_backward(ctx, node, g, y, out);
    if (is_gone(ctx, depth))
        return;
    if (status != WEFT_OK)
        weft__fail_named(ctx, node->custom->name, WEFT_E_CALLBACK, "its backward callback returned %s",
                         weft_status_name(status));
    for (int k = 0; k < node->n_in && ctx->status == WEFT_OK; k++) {
        if (!out[k] ||
            !(out[k] = taken(w, node->custom->name, out[k], "its backward callback's gradient of operand", k)))
            continue;
        if (!fits_operand(out[k], node->in[k]))
            weft__fail_named(ctx, node->custom->name, WEFT_E_CALLBACK,
                             "its backward callback gave %s as the gradient of operand %d, which is %s",
                             weft__describe(out[k]).s, k, weft__describe(node->in[k]).s);
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

/* What the hook put in g's place, or g; NULL: an error, or the pass is gone. */
static weft_tensor *call_hook(weft__walk *w, const weft__hook_entry *h, weft_tensor *t, weft_tensor *g)
{
    weft_ctx *ctx = w->ctx;
    const weft__call_id call = weft__call_begins(ctx, "a hook", false);
    if (!call)
        return NULL;
    weft_tensor *other = h->hook(h->user, t, g);
    if (!weft__call_ends(ctx, "backward", call) || ctx->status != WEFT_OK)
        return NULL;
    if (!other)
        return g;
    other = taken(w, "backward", other, "the gradient that a hook returned", -1);
    if (!other || (weft__same_shape(&other->a, &g->a) && other->a.dtype == g->a.dtype))
        return other;
    weft__fail_named(ctx, "backward", WEFT_E_CALLBACK,
                     "a hook of %s returned %s for a gradient that is %s; shape and dtype must be equal",
                     weft__describe(t).s, weft__describe(other).s, weft__describe(g).s);
    return NULL;
}

/* The hooks of t, NULL or not, on w->held; what they make of it is held then. False: an error, or the pass is gone. */
static bool run_hooks(weft__walk *w, weft_tensor *t)
{
    const weft_ctx *ctx = w->ctx;
    const int depth = ctx->depth;
    if (!t || !t->leaf || !t->leaf->hooks)
        return true;
    weft__ref(t); /* a hook may let go of it, and the hooks with it */
    w->hooked = t;
    for (weft__hook_entry *h = t->leaf->hooks; h && ctx->status == WEFT_OK; h = h->next) {
        weft_tensor *other = call_hook(w, h, t, w->held);
        if (is_gone(ctx, depth))
            return false;
        if (!other)
            break;
        weft__ref(other);
        weft__unref(w->held);
        w->held = other;
    }
    w->hooked = NULL;
    weft__unref(t);
    return ctx->status == WEFT_OK;
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

static void propagate(weft__walk *w, weft__node *node)
{
    weft_ctx *ctx = w->ctx;
    weft_tensor *few[8] = {NULL}, **out = w->out ? w->out : few;
    const int depth = ctx->depth;
    weft__place place = {.step = 0};
    const weft_tensor *arrived = w->held;
    if (!run_hooks(w, node->output))
        return;
    weft_tensor *g = w->held;
    w->flat = weft__flat_behind(node, w->flat, g != arrived);
    capture(w, node, NULL, g);
    differentiate(w, node, g, out, &place);
    if (is_gone(ctx, depth))
        return;
    if (ctx->options.nan_watch)
        weft__watch_gradients(ctx, node, g, out);
    if (place.step > 0 && out[0] && ctx->status == WEFT_OK)
        deliver_part(w, node->in[0], &place, out[0]);
    for (int k = 0; k < node->n_in && place.step == 0 && ctx->status == WEFT_OK; k++)
        if (out[k] && weft__requires(node->in[k]))
            deliver(w, node->in[k], out[k]);
}

static void let_go(weft__walk *w)
{
    if (w->held)
        weft__unref(w->held);
    if (w->out)
        weft__host_free(w->ctx, w->out, w->out_bytes);
    w->held = NULL;
    w->out = NULL;
}

/* False: the pass is gone. */
static bool process(weft__walk *w, weft__node *node)
{
    weft_ctx *ctx = w->ctx;
    const int depth = ctx->depth, mark = weft_scope_push(ctx);
    const bool fine = mark >= 0 && ctx->status == WEFT_OK && unchanged(w, node);
    w->pending--;
    w->node = node;
    w->flat = node->pending.flat;
    ctx->deriving = node;
    if (fine && (w->held = weft__sum_take(ctx, &node->pending)) && node->n_in > 8) {
        w->out_bytes = sizeof *w->out * (size_t)node->n_in;
        if ((w->out = weft__host_alloc(ctx, w->out_bytes)))
            memset(w->out, 0, w->out_bytes);
        else
            weft__fail_named(ctx, "backward", WEFT_E_NOMEM, "out of memory for %d gradients", node->n_in);
    }
    if (w->held && ctx->status == WEFT_OK)
        propagate(w, node);
    if (is_gone(ctx, depth))
        return false;
    ctx->deriving = NULL;
    if (waits(w, node))
        weft__sum_drop(ctx, &node->pending);
    let_go(w);
    w->node = NULL;
    if (mark >= 0)
        weft__pop_to(ctx, mark);
    return true;
}

/* ---- The pass ---- */

static void seed(weft__walk *w, weft_tensor *const *cotangents)
{
    weft_ctx *ctx = w->ctx;
    w->flat.op = WEFT_OP_COUNT;
    for (int k = 0; k < w->n_results; k++) {
        weft_tensor *t = w->results[k], *g = cotangents ? cotangents[k] : NULL;
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

static weft__node *last_of(const weft__walk *w)
{
    /* Nodes are in the order of execution, so the latest result is found by walking back from the tape's end. */
    for (weft__node *node = w->ctx->tape_last; node; node = node->prev)
        for (int k = 0; k < w->n_results; k++)
            if (w->results[k]->node == node)
                return node;
    return NULL;
}

/* The gradient of a leaf is complete: it stays in leaf->pass.whole. False: the pass is gone. */
static bool finish_leaf(weft__walk *w, weft__leaf *leaf)
{
    const weft_ctx *ctx = w->ctx;
    const int depth = ctx->depth;
    weft_tensor *t = leaf->owner;
    leaf->flat = leaf->pass.flat;
    const weft_tensor *arrived = w->held = weft__sum_take(w->ctx, &leaf->pass);
    const bool fine = w->held && run_hooks(w, t);
    if (is_gone(ctx, depth))
        return false;
    if (fine) {
        if (w->held != arrived)
            leaf->flat.op = WEFT_OP_COUNT;
        weft__sum_begin(&leaf->pass, t, w);
        weft__ref(w->held);
        leaf->pass.whole = w->held;
        capture(w, NULL, t, w->held);
    }
    let_go(w);
    return true;
}

/* A copy, strong, at *place, which is moved behind it. */
static weft_tensor **hold(weft_tensor ***place, weft_tensor *const *tensors, int n)
{
    weft_tensor **copy = *place;
    for (int k = 0; k < n; k++) {
        copy[k] = tensors[k];
        weft__ref(copy[k]);
    }
    *place += n;
    return copy;
}

weft__walk *weft__walk_new(weft_ctx *ctx, bool create_graph, weft_tensor *const *results, int n_results,
                           weft_tensor *const *inputs, int n_inputs)
{
    const size_t bytes = sizeof(weft__walk) + sizeof(weft_tensor *) * ((size_t)n_results + 2 * (size_t)n_inputs);
    weft__walk *w = weft__host_alloc(ctx, bytes);
    if (!w) {
        weft__fail_named(ctx, "backward", WEFT_E_NOMEM, "out of memory for a backward pass");
        return NULL;
    }
    memset(w, 0, bytes);
    weft_tensor **place = (weft_tensor **)(w + 1);
    w->ctx = ctx;
    w->bytes = bytes;
    w->create_graph = create_graph;
    w->n_results = n_results;
    w->n_inputs = n_inputs;
    w->results = hold(&place, results, n_results);
    w->inputs = hold(&place, inputs, n_inputs);
    w->captured = place;
    return w;
}

/* All that a pass holds, at its end or when a callback of it will not come back. */
static void drop_all(weft_ctx *ctx, weft__undo *undo)
{
    weft__walk *w = (weft__walk *)undo;
    let_go(w);
    if (w->hooked)
        weft__unref(w->hooked);
    for (weft__node *node = w->pending > 0 ? ctx->tape_last : NULL, *before; node; node = before) {
        before = node->prev;
        if (!waits(w, node))
            continue;
        weft__sum_drop(ctx, &node->pending);
        weft__node_unref(ctx, node); /* the results still hold it */
    }
    if (w->node)
        weft__node_unref(ctx, w->node);
    while (w->touched) {
        weft__leaf *leaf = w->touched;
        w->touched = leaf->next_touched;
        leaf->toucher = NULL;
        weft__sum_drop(ctx, &leaf->pass);
        weft__unref(leaf->owner);
    }
    put_back(w);
    for (int k = 0; k < w->n_inputs; k++) {
        if (w->captured[k])
            weft__unref(w->captured[k]);
        weft__unref(w->inputs[k]);
    }
    for (int k = 0; k < w->n_results; k++)
        weft__unref(w->results[k]);
    weft__host_free(ctx, w, w->bytes);
}

bool weft__walk_run(weft__walk *w, weft_tensor *const *cotangents)
{
    weft_ctx *ctx = w->ctx;
    bool was = ctx->grad_enabled, nested = ctx->in_backward;
    weft__undo_push(ctx, &w->undo, drop_all);
    ctx->grad_enabled = w->create_graph;
    ctx->in_backward = true;
    int mark = weft_scope_push(ctx);
    weft__node *node = last_of(w); /* before seeding, which may record nodes of its own */
    if (mark >= 0)
        seed(w, cotangents);
    while (node && w->pending > 0) { /* after an error too, to let go of what waits */
        weft__node *before = node->prev;
        if (waits(w, node)) {
            if (!process(w, node))
                return false;
            before = node->prev;
            weft__node_unref(ctx, node);
        }
        node = before;
    }
    for (weft__leaf *leaf = w->touched; leaf && ctx->status == WEFT_OK; leaf = leaf->next_touched)
        if (!finish_leaf(w, leaf))
            return false;
    if (mark >= 0)
        weft__pop_to(ctx, mark);
    ctx->grad_enabled = was;
    ctx->in_backward = nested;
    return true;
}

void weft__walk_end(weft__walk *w)
{
    weft_ctx *ctx = w->ctx;
    weft__undo_pop(ctx, &w->undo);
    drop_all(ctx, &w->undo);
}
