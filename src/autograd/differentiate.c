/* differentiate.c - the derivative of one node of a backward pass: by its fused formula, its rule, or the callback of a
 * custom operation. */
#include <stdio.h>
#include <string.h>
#include "engine/observe.h"
#include "engine/supports.h"
#include "walk.h"

void weft__refuse_operand(weft_ctx *ctx, const weft__node *node, int k)
{
    weft__fail_named(ctx, "backward", WEFT_E_OVERWRITTEN,
                     "weft_%s (called at %s) needs an operand: %s was changed in place after it was used, and the "
                     "gradient needs the old values; change a weft_clone instead, or after the backward pass",
                     weft__node_name(node), weft__site_text(node->site).s, weft__describe(node->in[k]).s);
}

void weft__refuse_result(weft_ctx *ctx, const weft__node *node, int k, const weft_tensor *t)
{
    const bool alone = node->n_out + node->n_extra == 1;
    char which[32];
    snprintf(which, sizeof which, alone ? "the result" : "result %d", k);
    weft__fail_named(ctx, "backward", WEFT_E_OVERWRITTEN,
                     "%s of weft_%s (called at %s): %s was changed in place after it was used, and the gradient needs "
                     "the old values; change a weft_clone instead, or after the backward pass",
                     which, weft__node_name(node), weft__site_text(node->site).s, weft__describe(t).s);
}

/* A saved result; with its history when the gradient itself is to be differentiated. */
static weft_tensor *saved_result(weft__walk *w, weft__node *node, int k)
{
    const weft__result *result = weft__result_of(node, k);
    if (!result->saved || !w->create_graph || !weft_dtype_is_float((weft_dtype)result->saved->a.dtype))
        return result->saved;
    if (result->tensor)
        return result->tensor;
    weft_tensor *y = weft__alias(w->ctx, node->op, result->saved);
    if (y) {
        y->node = node;
        y->result = k;
        y->flags |= WEFT__REQUIRES_GRAD;
        node->refs++;
    }
    return y;
}

/* False: out of memory, recorded. */
static bool load_results(weft__walk *w, weft__node *node)
{
    for (int k = 0; k < node->n_out; k++) {
        w->saved[k] = saved_result(w, node, k);
        if (!w->saved[k] && weft__result_of(node, k)->saved)
            return false;
    }
    return true;
}

/* The fused formula of the row: one kernel for all operands, at the result's shape. */
static void fused_elementwise(weft__walk *w, weft__node *node, uint64_t unwanted, weft_tensor *g, weft_tensor **out)
{
    const weft__op_info *info = &weft__ops[node->op];
    bool one = info->family == WEFT__UNARY || info->family == WEFT__UNARY_P, three = info->family == WEFT__TERNARY;
    int first = three ? 1 : 0, n_out = one ? 1 : 2, n = 0, n_wanted = 0;
    const bool passes[2] = {info->gradient_is_g, info->gradient_b_is_g};
    weft__array expanded[2], *outs[2] = {NULL, NULL};
    const weft__array *arrays[4];
    for (int k = 0; k < n_out; k++) {
        if (!weft__requires(node->in[first + k]) || unwanted >> (first + k) & 1u)
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
        arrays[n++] = info->saves & WEFT__SAVES_Y ? &node->first.saved->a : NULL;
    arrays[n++] = &g->a;
    weft__attrs attrs;
    weft__node_attrs(node, &attrs);
    weft__run_grad(w->ctx, node->op, arrays, n, outs, n_out, &attrs);
}

static bool is_elementwise(const weft__node *node)
{
    if (node->is_custom)
        return false;
    weft__family family = weft__ops[node->op].family;
    return family == WEFT__UNARY || family == WEFT__UNARY_P || family == WEFT__BINARY || family == WEFT__TERNARY;
}

/* Else its rule does the same in public operations. */
static bool has_fused(const weft__walk *w, const weft__node *node)
{
    return weft__backend_has_gradient(w->ctx->backend, node->op, w->grads[0]->a.dtype);
}

weft_tensor *weft__taken(weft__walk *w, const char *function, weft_tensor *g, const char *what, int number)
{
    weft_ctx *ctx = w->ctx;
    if (!weft__check(ctx, function, g, what, number) || !weft__localise(ctx, &g, 1))
        return NULL;
    return w->create_graph || !weft__requires(g) ? g : weft__alias(ctx, -1, g);
}

/* Whether a callback's gradient fits an operand: of its shape, or of one that the operand broadcasts to (it is
 * summed). */
static bool fits_operand(const weft_tensor *gradient, const weft_tensor *operand)
{
    int64_t shape[WEFT__MAX_DIMS];
    int ndim;
    return weft__broadcast(&gradient->a, &operand->a, shape, &ndim) && ndim == gradient->a.ndim &&
           memcmp(shape, gradient->a.shape, sizeof *shape * (size_t)ndim) == 0;
}

static weft_status call_backward(weft__walk *w, weft__node *node, weft_tensor **out)
{
    weft_ctx *ctx = w->ctx;
    const weft_custom_op op = weft__custom_known(node->custom);
    const weft__call_id call = weft__call_begins(ctx, "the backward callback of a custom operation", false);
    if (!call)
        return ctx->status;
    const weft_status status = op.backward_all
                                   ? op.backward_all(ctx, node->in, node->n_in, w->saved, w->grads, out, op.user)
                                   : op.backward(ctx, node->in, node->n_in, w->saved[0], w->grads[0], out, op.user);
    return weft__call_ends(ctx, "backward", call) ? status : WEFT_E_STATE;
}

static weft_status observe_backward(weft__walk *w, weft__node *node, weft_tensor **out)
{
    weft_ctx *ctx = w->ctx;
    const int depth = ctx->depth;
    if (!ctx->observer)
        return call_backward(w, node, out);
    weft__launch l = {.ctx = ctx, .op = WEFT_OP_COUNT, .grad = true, .custom = node->custom};
    weft__launch_begins(&l);
    const weft_status status = call_backward(w, node, out);
    if (!weft__pass_is_gone(ctx, depth))
        weft__launch_ends(&l, status);
    return status;
}

static void custom_backward(weft__walk *w, weft__node *node, weft_tensor **out)
{
    weft_ctx *ctx = w->ctx;
    const int depth = ctx->depth;
    weft_status status = observe_backward(w, node, out);
    if (weft__pass_is_gone(ctx, depth))
        return;
    if (status != WEFT_OK)
        weft__fail_named(ctx, node->custom->name, WEFT_E_CALLBACK, "its backward callback returned %s",
                         weft_status_name(status));
    for (int k = 0; k < node->n_in && ctx->status == WEFT_OK; k++) {
        if (!out[k] ||
            !(out[k] = weft__taken(w, node->custom->name, out[k], "its backward callback's gradient of operand", k)))
            continue;
        if (!fits_operand(out[k], node->in[k]))
            weft__fail_named(ctx, node->custom->name, WEFT_E_CALLBACK,
                             "its backward callback gave %s as the gradient of operand %d, which is %s",
                             weft__describe(out[k]).s, k, weft__describe(node->in[k]).s);
    }
}

/* Of a custom operation whose gradient is to be differentiated: what its callback gave must be a recorded function of
 * the gradient that it was given, and by operations that have a derivative. Else the second derivative misses it. */
static bool is_recorded(weft__walk *w, const weft__node *node, weft_tensor *const *out, uint32_t cuts)
{
    bool given = false;
    for (int k = 0; k < node->n_out; k++)
        given |= weft__requires(w->grads[k]);
    for (int k = 0; k < node->n_in && given; k++) {
        if (!out[k] || weft__requires(out[k]) || !weft__requires(node->in[k]) || !weft__leads(w, node->in[k]))
            continue;
        weft__fail_named(
            w->ctx, node->custom->name, WEFT_E_NO_GRADIENT,
            "it has no second derivative: what its backward callback gave for operand %d (called at %s) was "
            "not computed from the gradient by recorded operations",
            k, weft__site_text(node->site).s);
        return false;
    }
    if (!w->twice || w->ctx->cuts == cuts)
        return true;
    weft__fail_named(w->ctx, node->custom->name, WEFT_E_NO_GRADIENT,
                     "it has no second derivative: its backward callback (called at %s) uses %s",
                     weft__site_text(node->site).s, weft__cut_text(w->ctx->last_cut, w->ctx->last_cut_site).s);
    return false;
}

/* Operands that lead to none of the inputs of a narrow pass: half of the work in the derivative of a derivative. */
static uint64_t find_unwanted(weft__walk *w, const weft__node *node)
{
    uint64_t unwanted = 0;
    for (int k = 0; k < node->n_in && k < 64 && w->narrow; k++)
        if (weft__requires(node->in[k]) && !weft__leads(w, node->in[k]))
            unwanted |= UINT64_C(1) << k;
    return unwanted;
}

void weft__differentiate(weft__walk *w, weft__node *node, weft_tensor **out, weft__place *place)
{
    const uint64_t unwanted = find_unwanted(w, node);
    if (is_elementwise(node) && !w->create_graph && has_fused(w, node)) {
        fused_elementwise(w, node, unwanted, w->grads[0], out);
        return;
    }
    if (!load_results(w, node))
        return;
    if (node->is_custom) {
        const int depth = w->ctx->depth;
        const uint32_t cuts = w->ctx->cuts;
        weft_ctx *ctx = w->ctx;
        custom_backward(w, node, out);
        if (!weft__pass_is_gone(ctx, depth) && ctx->status == WEFT_OK && w->narrow && w->create_graph)
            is_recorded(w, node, out, cuts);
        return;
    }
    weft__attrs attrs;
    weft__node_attrs(node, &attrs);
    weft__vjp v = {.ctx = w->ctx,
                   .node = node,
                   .g = w->grads[0],
                   .gs = w->grads,
                   .in = node->in,
                   .y = w->saved[0],
                   .ys = w->saved,
                   .extra = weft__extra_of(node),
                   .attrs = &attrs,
                   .create_graph = w->create_graph,
                   .unwanted = unwanted,
                   .out = out};
    const bool watched = w->ctx->options.nan_watch;
    w->ctx->options.nan_watch = false; /* on its way a rule may pass infinities, which it masks: what it gives counts */
    weft__derive(&v);
    w->ctx->options.nan_watch = watched;
    *place = v.place;
}
