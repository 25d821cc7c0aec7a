/* walk.c - the backward pass: gradients travel from results to leaves, latest operation first. */
#include <string.h>
#include "walk.h"

enum { FEW_OPERANDS = 8 };

/* ---- Delivering ---- */

/* What an outer pass has gathered at a place that this one, begun by a callback within it, comes to as well. It is put
 * back when this one ends. */
struct weft__displaced {
    weft__displaced *next;
    weft__sum *place;
    weft__sum sum;
    weft__leaf *leaf; /* whose it is, or NULL: of a node's result */
    const void *toucher;
    weft__leaf *next_touched;
};

static bool displace(weft__walk *w, weft__sum *sum, weft__leaf *leaf)
{
    weft__displaced *d = weft__host_alloc(w->ctx, sizeof *d);
    if (!d) {
        weft__fail_named(w->ctx, "backward", WEFT_E_NOMEM, "out of memory for a backward pass within another");
        return false;
    }
    *d = (weft__displaced){.next = w->displaced, .place = sum, .sum = *sum, .leaf = leaf};
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
        *d->place = d->sum;
        if (d->leaf) {
            d->leaf->toucher = d->toucher;
            d->leaf->next_touched = d->next_touched;
        }
        weft__host_free(w->ctx, d, sizeof *d);
    }
}

static bool waits(const weft__walk *w, const weft__result *result)
{
    return result->pending.begun && result->pending.walk == w;
}

static bool any_waits(const weft__walk *w, weft__node *node)
{
    bool any = waits(w, &node->first);
    for (int k = 1; k < node->n_out && !any; k++)
        any = waits(w, weft__result_of(node, k));
    return any;
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
        weft__result *result = weft__result_of(node, t->result);
        if (waits(w, result))
            return go_on(w, &result->pending);
        if (result->pending.begun && !displace(w, &result->pending, NULL))
            return NULL;
        node->refs++;
        w->pending++;
        return begin(w, &result->pending, t);
    }
    weft__leaf *leaf = weft__leaf_of(t);
    if (!leaf || leaf->toucher == w)
        return leaf ? go_on(w, &leaf->pass) : NULL;
    if (leaf->toucher && !displace(w, &leaf->pass, leaf))
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

/* Does nothing but show another tensor's memory otherwise, so that a gradient may go past it to that tensor? */
static bool is_mere_view(const weft__walk *w, const weft__node *node)
{
    const weft_tensor *result = node->first.tensor;
    if (node->is_custom || (result && result->leaf && result->leaf->hooks))
        return false;
    switch (node->op) {
    case WEFT_OP_RESHAPE:
    case WEFT_OP_TRANSPOSE:
    case WEFT_OP_PERMUTE:
    case WEFT_OP_SQUEEZE:
    case WEFT_OP_UNSQUEEZE:
    case WEFT_OP_SLICE:
    case WEFT_OP_SELECT:
        return !weft__is_asked_for(w, node);
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

static bool was_changed(const weft_tensor *t, uint32_t version)
{
    return t && version != UINT32_MAX && t->storage->version != version;
}

static bool are_unchanged(weft_ctx *ctx, weft__node *node)
{
    for (int k = 1; k < node->n_out; k++) {
        const weft__result *result = weft__result_of(node, k);
        if (was_changed(result->saved, result->version))
            return weft__refuse_result(ctx, node, k, result->saved), false;
    }
    weft_tensor *const *extra = weft__extra_of(node);
    for (int k = 0; k < node->n_extra; k++)
        if (was_changed(extra[k], node->versions[node->n_in + k]))
            return weft__refuse_result(ctx, node, node->n_out + k, extra[k]), false;
    return true;
}

/* Whether what the derivative reads is as it was when it was recorded; else error recorded. */
static bool is_unchanged(weft_ctx *ctx, weft__node *node)
{
    for (int k = 0; k < node->n_in; k++)
        if (was_changed(node->in[k], node->versions[k]))
            return weft__refuse_operand(ctx, node, k), false;
    if (was_changed(node->first.saved, node->first.version))
        return weft__refuse_result(ctx, node, 0, node->first.saved), false;
    return (node->n_out == 1 && node->n_extra == 0) || are_unchanged(ctx, node);
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
    other = weft__taken(w, "backward", other, "the gradient that a hook returned", -1);
    if (other && ctx->options.nan_watch && weft__first_nonfinite(ctx, &other, 1) == 0 &&
        weft__first_nonfinite(ctx, &g, 1) < 0) {
        weft__fail_named(ctx, "backward", WEFT_E_NOT_FINITE,
                         "in the backward pass a hook of %s, made by weft_%s at %s, returned NaN or infinite elements "
                         "for a finite gradient",
                         weft__describe(t).s, t->maker, weft__site_text(t->site).s);
        return NULL;
    }
    if (!other || (weft__same_shape(&other->a, &g->a) && other->a.dtype == g->a.dtype))
        return other;
    weft__fail_named(ctx, "backward", WEFT_E_CALLBACK,
                     "a hook of %s returned %s for a gradient that is %s; shape and dtype must be equal",
                     weft__describe(t).s, weft__describe(other).s, weft__describe(g).s);
    return NULL;
}

/* The hooks of t, NULL or not, on the gradient in w->grads[k]; what they make of it is held then. False: an error, or
 * the pass is gone. */
static bool run_hooks(weft__walk *w, weft_tensor *t, int k)
{
    const weft_ctx *ctx = w->ctx;
    const int depth = ctx->depth;
    if (!t || !t->leaf || !t->leaf->hooks)
        return true;
    weft__ref(t); /* a hook may let go of it, and the hooks with it */
    w->hooked = t;
    for (weft__hook_entry *h = t->leaf->hooks; h && ctx->status == WEFT_OK; h = h->next) {
        weft_tensor *other = call_hook(w, h, t, w->grads[k]);
        if (weft__pass_is_gone(ctx, depth))
            return false;
        if (!other)
            break;
        weft__ref(other);
        weft__unref(w->grads[k]);
        w->grads[k] = other;
        w->replaced = true;
    }
    w->hooked = NULL;
    weft__unref(t);
    return ctx->status == WEFT_OK;
}

/* Hands g to those who asked for it: the inputs that are this result of a node, or, as for a leaf, this tensor. */
static void capture(weft__walk *w, const weft__node *node, int result, const weft_tensor *leaf, weft_tensor *g)
{
    for (int k = 0; k < w->n_inputs; k++) {
        const weft_tensor *input = w->inputs[k];
        if (node ? input->node != node || input->result != result : input != leaf)
            continue;
        weft__ref(g);
        w->captured[k] = g;
    }
}

/* The hooks of a result that a gradient has arrived at, and those who asked for it. False: an error, or the pass is
 * gone. */
static inline bool arrive(weft__walk *w, const weft__node *node, const weft__result *result, int k)
{
    if (!w->grads[k])
        return true;
    if (!run_hooks(w, result->tensor, k))
        return false;
    capture(w, node, k, NULL, w->grads[k]);
    return true;
}

static bool arrive_at_all(weft__walk *w, weft__node *node)
{
    w->replaced = false;
    bool fine = arrive(w, node, &node->first, 0);
    for (int k = 1; k < node->n_out && fine; k++)
        fine = arrive(w, node, weft__result_of(node, k), k);
    return fine;
}

static void propagate(weft__walk *w, weft__node *node)
{
    weft_ctx *ctx = w->ctx;
    weft_tensor *few[FEW_OPERANDS] = {NULL}, **out = w->out ? w->out : few;
    const int depth = ctx->depth;
    weft__place place = {.step = 0};
    if (!arrive_at_all(w, node) || (w->narrow && weft__is_asked_for(w, node)))
        return;
    w->flat = weft__flat_behind(node, w->flat, w->replaced);
    weft__differentiate(w, node, out, &place);
    if (weft__pass_is_gone(ctx, depth))
        return;
    if (ctx->options.nan_watch)
        weft__watch_gradients(ctx, node, w->grads, out);
    if (place.step > 0 && out[0] && ctx->status == WEFT_OK && (!w->narrow || weft__leads(w, node->in[0])))
        deliver_part(w, node->in[0], &place, out[0]);
    for (int k = 0; k < node->n_in && place.step == 0 && ctx->status == WEFT_OK; k++)
        if (out[k] && weft__requires(node->in[k]) && (!w->narrow || weft__leads(w, node->in[k])))
            deliver(w, node->in[k], out[k]);
}

static void let_go(weft__walk *w)
{
    for (int k = 0; k < w->n_grads; k++)
        if (w->grads[k])
            weft__unref(w->grads[k]);
    if (w->block)
        weft__host_free(w->ctx, w->block, w->block_bytes);
    w->n_grads = 0;
    w->block = w->out = NULL;
}

/* Places for the gradients and saved results of many results, and for the gradients of many operands. False: out of
 * memory, recorded. */
static __attribute__((noinline)) bool make_room(weft__walk *w, int n_out, int n_in)
{
    w->block_bytes = sizeof *w->block * (2 * (size_t)n_out + (size_t)n_in);
    w->block = weft__host_alloc(w->ctx, w->block_bytes);
    if (!w->block) {
        weft__fail_named(w->ctx, "backward", WEFT_E_NOMEM, "out of memory for %d gradients", n_out + n_in);
        return false;
    }
    memset(w->block, 0, w->block_bytes);
    if (n_out) {
        w->grads = w->block;
        w->saved = w->block + n_out;
    }
    if (n_in)
        w->out = w->block + 2 * n_out;
    return true;
}

static bool room_for(weft__walk *w, const weft__node *node)
{
    const int n_out = node->n_out > 1 ? node->n_out : 0, n_in = node->n_in > FEW_OPERANDS ? node->n_in : 0;
    w->grads = &w->held;
    w->saved = &w->held_saved;
    w->held = NULL;
    if ((n_out || n_in) && !make_room(w, n_out, n_in))
        return false;
    w->n_grads = node->n_out;
    return true;
}

/* Takes what has arrived at a result into w->grads, or drops it. It is flat as a whole if all that arrives is. Returns
 * whether anything has arrived. */
static inline bool take_gradient(weft__walk *w, weft__result *result, int k, bool first, bool drop)
{
    if (!waits(w, result))
        return false;
    if (first || result->pending.flat.op == WEFT_OP_COUNT)
        w->flat = result->pending.flat;
    if (drop)
        weft__sum_drop(w->ctx, &result->pending);
    else
        w->grads[k] = weft__sum_take(w->ctx, &result->pending);
    return true;
}

/* The node leaves the pass: of the references that its results' gradients held, the caller keeps one. */
static void take_gradients(weft__walk *w, weft__node *node, bool drop)
{
    int n = take_gradient(w, &node->first, 0, true, drop);
    for (int k = 1; k < node->n_out; k++)
        n += take_gradient(w, weft__result_of(node, k), k, n == 0, drop);
    w->pending -= n;
    node->refs -= n - 1;
}

/* False: the pass is gone. */
static bool process(weft__walk *w, weft__node *node)
{
    weft_ctx *ctx = w->ctx;
    const int depth = ctx->depth, mark = weft_scope_push(ctx);
    const bool fine = mark >= 0 && ctx->status == WEFT_OK && is_unchanged(ctx, node) && room_for(w, node);
    take_gradients(w, node, !fine);
    w->node = node;
    ctx->deriving = node;
    if (fine && ctx->status == WEFT_OK)
        propagate(w, node);
    if (weft__pass_is_gone(ctx, depth))
        return false;
    ctx->deriving = NULL;
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
        if (!weft__requires(t) || (w->narrow && !weft__leads(w, t)))
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
            g = weft__filled(w->ctx, (weft_dtype)t->a.dtype, t->a.shape, t->a.ndim, 1);
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
    w->grads = &w->held;
    w->n_grads = 1;
    w->replaced = false;
    w->held = weft__sum_take(w->ctx, &leaf->pass);
    const bool fine = w->held && run_hooks(w, t, 0);
    if (weft__pass_is_gone(ctx, depth))
        return false;
    if (fine) {
        if (w->replaced)
            leaf->flat.op = WEFT_OP_COUNT;
        weft__sum_begin(&leaf->pass, t, w);
        weft__ref(w->held);
        leaf->pass.whole = w->held;
        capture(w, NULL, 0, t, w->held);
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
        for (int k = 0, n_out = node->n_out; k < n_out; k++) {
            if (!waits(w, weft__result_of(node, k)))
                continue;
            weft__sum_drop(ctx, &weft__result_of(node, k)->pending);
            weft__node_unref(ctx, node); /* the results still hold it */
        }
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
        if (any_waits(w, node)) {
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
