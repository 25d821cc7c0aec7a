/* backward.c - the public functions of autograd.h around the pass of walk.c. */
#include <string.h>
#include "sum.h"
#include "walk.h"

/* ---- What gets a gradient ---- */

weft_tensor *weft_set_requires_grad(weft_tensor *t, bool on)
{
    weft_ctx *ctx = weft__enter_named("set_requires_grad", NULL, &t, 1, 0);
    if (!ctx)
        return NULL;
    weft_tensor *result = NULL;
    if (on && !weft_dtype_is_float((weft_dtype)t->a.dtype)) {
        weft__fail_named(ctx, "set_requires_grad", WEFT_E_DTYPE, "%s is not of a floating dtype, so it has no gradient",
                         weft__describe(t).s);
    } else if (t->node) {
        if (on)
            result = t; /* it has one already */
        else
            weft__fail_named(ctx, "set_requires_grad", WEFT_E_STATE,
                             "%s was computed from tensors that require a gradient; weft_detach cuts it off",
                             weft__describe(t).s);
    } else if (!on) {
        t->flags &= (uint8_t)~WEFT__REQUIRES_GRAD;
        result = t;
    } else if (weft__leaf_of(t)) {
        t->flags |= WEFT__REQUIRES_GRAD;
        t->cut_op = WEFT_OP_COUNT;
        result = t;
    }
    weft__leave(ctx);
    return result;
}

bool weft_requires_grad(const weft_tensor *t)
{
    return t && weft__alive(t, "requires_grad") && weft__requires(t);
}

weft_tensor *weft_param(weft_tensor *t, const char *name)
{
    if (!weft_set_requires_grad(t, true))
        return NULL;
    return weft_keep(name ? weft_set_name(t, name) : t);
}

bool weft_set_grad_enabled(weft_ctx *ctx, bool on)
{
    if (!ctx)
        return false;
    if (ctx->n_callbacks)
        weft__settle(ctx);
    bool was = ctx->grad_enabled;
    if (!ctx->only_look)
        ctx->grad_enabled = on;
    return was;
}

bool weft_grad_enabled(const weft_ctx *ctx)
{
    return ctx && ctx->grad_enabled;
}

/* ---- Gradients of leaves ---- */

weft_tensor *weft_grad_of(weft_tensor *t)
{
    return t && weft__alive(t, "grad_of") && t->leaf ? t->leaf->grad : NULL;
}

static void forget(weft__leaf *leaf)
{
    weft_tensor *grad = leaf->grad, *rest = leaf->rest;
    leaf->grad = leaf->rest = NULL;
    if (grad)
        weft__unref(grad);
    if (rest)
        weft__unref(rest);
}

weft_status weft_zero_grad(weft_ctx *ctx, weft_tensor *const *params, int n)
{
    if (!ctx)
        return WEFT_E_NULL_ARGUMENT;
    if (ctx->n_callbacks && !weft__may_enter(ctx, "zero_grad"))
        return ctx->status;
    if (!params && n > 0)
        return weft__fail_named(ctx, "zero_grad", WEFT_E_NULL_ARGUMENT, "params is NULL");
    for (int k = 0; k < n; k++) {
        if (!weft__check(ctx, "zero_grad", params[k], "parameter", k))
            return ctx->status;
        if (params[k]->leaf)
            forget(params[k]->leaf);
    }
    return ctx->status;
}

/* Half types: what rounding takes from the sum of several passes stays with the leaf and joins the next one, as long as
 * nobody has changed the gradient in between. Otherwise ones would add up to 256 in bf16 and no further. */
static void add_to_half(weft_ctx *ctx, weft__leaf *leaf, weft_tensor *g)
{
    weft_tensor *grad = leaf->grad, *total = weft__cast(grad, WEFT_F32), *rest = leaf->rest;
    if (!total)
        return;
    if (rest && leaf->rest_version == grad->storage->version)
        weft__update(ctx, WEFT_OP_ADD_, total, rest);
    weft__update(ctx, WEFT_OP_ADD_, total, g);
    if (!weft__update(ctx, WEFT_OP_COPY_, grad, total) || !weft__update(ctx, WEFT_OP_SUB_, total, grad))
        return;
    leaf->rest = weft_where(weft_isfinite(total), total, weft__filled(ctx, WEFT_F32, total->a.shape, total->a.ndim, 0));
    leaf->rest_version = grad->storage->version;
    if (leaf->rest)
        weft__ref(leaf->rest);
    if (rest)
        weft__unref(rest);
}

/* Adds the pass's gradient to the leaf's own. A gradient that nobody else sees is taken as it is; one whose memory is
 * shared (an addition hands the same one to both operands) is copied. */
static void accumulate(weft_ctx *ctx, weft__leaf *leaf)
{
    weft_tensor *g = leaf->pass.whole, *grad = leaf->grad;
    if (!g)
        return;
    bool was = weft_set_grad_enabled(ctx, false);
    int mark = weft_scope_push(ctx);
    if (mark < 0)
        grad = NULL;
    else if (!grad)
        grad = weft__is_own(g) ? g : weft__copied(ctx, g);
    else if (weft_dtype_size((weft_dtype)grad->a.dtype) == 2)
        add_to_half(ctx, leaf, g);
    else
        weft__update(ctx, WEFT_OP_ADD_, grad, g);
    if (grad && !leaf->grad) {
        weft__ref(grad);
        weft__scope_remove(grad);
        leaf->grad = grad;
    }
    if (mark >= 0 && weft_scope_pop(ctx, mark) != WEFT_OK)
        mark = -1; /* the status is in the context */
    weft_set_grad_enabled(ctx, was);
}

static weft_status no_path(weft_ctx *ctx, const char *function, const weft_tensor *t)
{
    if (t->cut_op == WEFT_OP_COUNT)
        return weft__fail_named(ctx, function, WEFT_E_NO_GRADIENT,
                                "%s made by weft_%s does not depend on any tensor that requires a gradient; mark the "
                                "parameters with weft_param or weft_set_requires_grad before they are used%s",
                                weft__describe(t).s, t->maker, ctx->grad_enabled ? "" : " (recording is switched off)");
    return weft__fail_named(ctx, function, WEFT_E_NO_GRADIENT,
                            "%s does not lead back to a parameter: the path was cut by %s", weft__describe(t).s,
                            weft__cut_text(t->cut_op, t->cut_site).s);
}

static bool any_path(weft_tensor *const *results, int n)
{
    for (int k = 0; k < n; k++)
        if (weft__requires(results[k]))
            return true;
    return false;
}

/* "w2 (f32 [10, 256]) was used, but ..." */
static void explain(const weft__leaf *leaf, char *text, size_t size)
{
    if (leaf->only_flat) {
        weft_text(text, size,
                  "%s was used, but its gradient is 0 whatever the loss: it comes through weft_%s at %s alone (a step "
                  "function, whose derivative is 0)",
                  weft__describe(leaf->owner).s, weft__cut_name(leaf->cut_op), weft__site_text(leaf->cut_site).s);
        return;
    }
    if (leaf->cut_op == WEFT_OP_COUNT) {
        weft_text(text, size, "%s was used, but nothing computed from it leads to the loss",
                  weft__describe(leaf->owner).s);
        return;
    }
    weft_text(text, size, "%s was used, but no gradient reaches it: the path was cut by %s",
              weft__describe(leaf->owner).s, weft__cut_text(leaf->cut_op, leaf->cut_site).s);
}

int64_t weft_unreached(weft_ctx *ctx, void (*report)(void *user, weft_tensor *leaf, const char *why), void *user)
{
    int64_t n = 0;
    const weft__call_id call = ctx && report ? weft__call_begins(ctx, "a report of unreached leaves", true) : 0;
    for (weft__leaf *leaf = ctx ? ctx->leaf_list : NULL, *next; leaf; leaf = next) {
        weft_tensor *owner = leaf->owner;
        weft__ref(owner); /* the report may release it */
        if (leaf->unreached) {
            n++;
            char text[1000];
            explain(leaf, text, sizeof text);
            if (call)
                report(user, owner, text);
        }
        next = leaf->next;
        weft__unref(owner);
    }
    if (call)
        weft__call_ends(ctx, "unreached", call);
    return n;
}

static void log_unreached(void *user, weft_tensor *leaf, const char *why)
{
    (void)leaf;
    weft__log(user, WEFT_LOG_LEVEL_WARNING, "weft_backward: %s", why);
}

/* Hands the gradients of a pass that went well to their leaves. */
static void finish(weft_ctx *ctx, const weft__walk *w)
{
    if (ctx->status != WEFT_OK)
        return;
    ctx->backward_count++;
    for (weft__leaf *leaf = w->touched; leaf && ctx->status == WEFT_OK; leaf = leaf->next_touched) {
        leaf->reached_epoch = ctx->backward_count;
        accumulate(ctx, leaf);
    }
    weft__note_unreached(ctx);
    if (ctx->options.log)
        weft_unreached(ctx, log_unreached, ctx);
}

weft_status weft_backward_with(weft_ctx *ctx, weft_tensor *const *results, weft_tensor *const *cotangents, int n)
{
    if (!ctx)
        return WEFT_E_NULL_ARGUMENT;
    if (ctx->status != WEFT_OK)
        return ctx->status;
    if (!results || n < 1)
        return weft__fail_named(ctx, "backward", WEFT_E_NULL_ARGUMENT, "needs at least one result");
    if (!weft__enter_named("backward", ctx, results, n, 0))
        return ctx->status;
    weft__walk *w = NULL;
    if (!any_path(results, n))
        no_path(ctx, "backward", results[0]);
    else
        w = weft__walk_new(ctx, false, results, n, NULL, 0);
    if (w && !weft__walk_run(w, cotangents))
        return WEFT_E_STATE;
    if (w) {
        finish(ctx, w);
        weft__walk_end(w);
    }
    weft_status status = ctx->status;
    weft__leave(ctx);
    return status;
}

weft_status weft_backward(weft_ctx *ctx, weft_tensor *loss)
{
    if (ctx && ctx->status == WEFT_OK && !loss)
        return weft__fail_named(ctx, "backward", WEFT_E_NULL_ARGUMENT, "the loss is NULL; %s", weft__why_null().s);
    return weft_backward_with(ctx, &loss, NULL, 1);
}

/* ---- Gradients as values ---- */

static bool all_found(const weft__walk *w)
{
    for (int k = 0; k < w->n_inputs; k++) {
        if (w->captured[k])
            continue;
        weft__fail_named(w->ctx, "grad", WEFT_E_NO_GRADIENT,
                         "input %d (%s) is not reached from the results (first: %s made by weft_%s); pass "
                         "WEFT_GRAD_ALLOW_UNUSED if that is meant",
                         k, weft__describe(w->inputs[k]).s, weft__describe(w->results[0]).s, w->results[0]->maker);
        return false;
    }
    return true;
}

static void hand_over(weft__walk *w, weft_tensor **gradients)
{
    for (int k = 0; k < w->n_inputs; k++) {
        gradients[k] = w->captured[k];
        w->captured[k] = NULL;
        if (gradients[k])
            weft__adopt(w->ctx, gradients[k]);
    }
}

/* False: a callback has closed the scopes around it. */
static bool grad(weft_ctx *ctx, weft_tensor *const *results, weft_tensor *const *cotangents, int n_results,
                 weft_tensor *const *inputs, weft_tensor **gradients, int n_inputs, int flags)
{
    bool allow_unused = flags & WEFT_GRAD_ALLOW_UNUSED;
    for (int k = 0; k < n_inputs; k++) {
        if (!weft__requires(inputs[k])) {
            weft__fail_named(ctx, "grad", WEFT_E_NO_GRADIENT,
                             "input %d (%s) does not require a gradient; use weft_set_requires_grad before it is used",
                             k, weft__describe(inputs[k]).s);
            return true;
        }
    }
    if (!any_path(results, n_results)) {
        if (!allow_unused)
            no_path(ctx, "grad", results[0]);
        return true;
    }
    weft__walk *w = weft__walk_new(ctx, flags & WEFT_GRAD_CREATE_GRAPH, results, n_results, inputs, n_inputs);
    if (!w)
        return true;
    if (!weft__walk_run(w, cotangents))
        return false;
    if (ctx->status == WEFT_OK && (allow_unused || all_found(w)))
        hand_over(w, gradients);
    weft__walk_end(w);
    return true;
}

weft_status weft_grad(weft_ctx *ctx, weft_tensor *const *results, weft_tensor *const *cotangents, int n_results,
                      weft_tensor *const *inputs, int n_inputs, int flags, weft_tensor **gradients)
{
    if (gradients && n_inputs > 0)
        memset(gradients, 0, sizeof *gradients * (size_t)n_inputs);
    if (!ctx)
        return WEFT_E_NULL_ARGUMENT;
    if (ctx->status != WEFT_OK)
        return ctx->status;
    if (!results || !inputs || !gradients || n_results < 1 || n_inputs < 1)
        return weft__fail_named(ctx, "grad", WEFT_E_NULL_ARGUMENT, "needs results, inputs and room for the gradients");
    if (!weft__enter_named("grad", ctx, results, n_results, 0))
        return ctx->status;
    if (weft__enter_named("grad", ctx, inputs, n_inputs, 0)) {
        if (!grad(ctx, results, cotangents, n_results, inputs, gradients, n_inputs, flags))
            return WEFT_E_STATE;
        weft__leave(ctx);
    }
    weft_status status = ctx->status;
    weft__leave(ctx);
    return status;
}

weft_status weft_add_hook(weft_tensor *t, weft_hook hook, void *user)
{
    if (!t)
        return WEFT_E_NULL_ARGUMENT;
    weft_ctx *ctx = weft__enter_named("add_hook", NULL, &t, 1, 0);
    if (!ctx)
        return t->ctx ? t->ctx->status : WEFT_E_STATE;
    weft_status status = WEFT_OK;
    weft__leaf *leaf = NULL;
    if (!hook)
        status = weft__fail_named(ctx, "add_hook", WEFT_E_NULL_ARGUMENT, "the hook is NULL");
    else if (!weft__requires(t))
        status = weft__fail_named(ctx, "add_hook", WEFT_E_NO_GRADIENT, "%s does not require a gradient",
                                  weft__describe(t).s);
    else if (!(leaf = weft__leaf_of(t)))
        status = ctx->status;
    weft__hook_entry *entry = leaf ? weft__host_alloc(ctx, sizeof *entry) : NULL;
    if (leaf && !entry)
        status = weft__fail_named(ctx, "add_hook", WEFT_E_NOMEM, "out of memory for a hook");
    if (entry) {
        *entry = (weft__hook_entry){.hook = hook, .user = user};
        weft__hook_entry **last = &leaf->hooks;
        while (*last)
            last = &(*last)->next;
        *last = entry;
    }
    weft__leave(ctx);
    return status;
}
