/* inplace.c - operations that change their first operand, with the rules that keep gradients true. */
#include <math.h>
#include <string.h>
#include "core.h"

/* May x be written? Recorded history would be wrong afterwards; memory seen through stride 0 would be written often. A leaf
 * that is overwritten whole has no history, and a graph that has kept its old values sees the version change. */
static bool writable(weft_ctx *ctx, int op, weft_tensor *x)
{
    if (x->flags & WEFT__IS_SHARED || x->storage->frozen) {
        weft__fail(ctx, op, WEFT_E_STATE, "%s is shared memory and never written; use a weft_clone",
                   weft__describe(x).s);
        return false;
    }
    bool overwrites_leaf = !x->node && (op == WEFT_OP_COPY_ || op == WEFT_OP_FILL_);
    if (ctx->grad_enabled && (x->flags & WEFT__REQUIRES_GRAD) && !overwrites_leaf) {
        weft__fail(ctx, op, WEFT_E_STATE,
                   "%s requires a gradient, so changing it in place would falsify the graph; use the operation without "
                   "the underscore, or switch recording off with weft_set_grad_enabled",
                   weft__describe(x).s);
        return false;
    }
    for (int d = 0; d < x->a.ndim; d++) {
        if (x->a.strides[d] == 0 && x->a.shape[d] > 1) {
            weft__fail(ctx, op, WEFT_E_STATE, "%s is expanded: several elements share memory; use a weft_clone",
                       weft__describe(x).s);
            return false;
        }
    }
    return true;
}

static bool fits(weft_ctx *ctx, int op, weft_tensor *x, weft_tensor *y)
{
    int64_t shape[WEFT__MAX_DIMS];
    int ndim;
    weft__array joint = {.ndim = 0};
    if (weft__broadcast(&x->a, &y->a, shape, &ndim)) {
        joint.ndim = ndim;
        memcpy(joint.shape, shape, sizeof shape);
        if (weft__same_shape(&joint, &x->a))
            return true;
    }
    weft__fail(ctx, op, WEFT_E_SHAPE, "%s does not broadcast to %s, which is changed in place and keeps its shape",
               weft__describe(y).s, weft__describe(x).s);
    return false;
}

/* Views of the same memory in another order would be read after they are written. */
static weft_tensor *without_overlap(weft_tensor *x, weft_tensor *y)
{
    bool same = x->a.data == y->a.data && weft__same_shape(&x->a, &y->a) &&
                memcmp(x->a.strides, y->a.strides, sizeof x->a.strides[0] * (size_t)x->a.ndim) == 0;
    return x->storage != y->storage || same ? y : weft_clone(y);
}

static weft_tensor *change(int op, weft_tensor *x, weft_tensor *y)
{
    weft_tensor *in[2] = {x, y};
    weft_ctx *ctx = weft__enter(op, in, 2, 0);
    if (!ctx)
        return NULL;
    weft_tensor *result = NULL;
    weft_dtype dtype = (weft_dtype)x->a.dtype;
    if (!weft__localise(ctx, &in[1], 1) || !writable(ctx, op, x) || !fits(ctx, op, x, y)) {
        result = NULL;
    } else if (ctx->grad_enabled && weft__requires(y)) {
        weft__fail(ctx, op, WEFT_E_STATE,
                   "operand 2 (%s) requires a gradient, which an in-place operation cannot carry; use the operation "
                   "without the underscore, or weft_detach it",
                   weft__describe(y).s);
    } else if (op == WEFT_OP_DIV_ && !weft_dtype_is_float(dtype)) {
        weft__fail(ctx, op, WEFT_E_DTYPE, "%s is not of a floating dtype; weft_div makes f32 from it",
                   weft__describe(x).s);
    } else if (op != WEFT_OP_COPY_ && !weft_dtype_is_float(dtype) && weft_dtype_is_float((weft_dtype)y->a.dtype)) {
        weft__fail(
            ctx, op, WEFT_E_DTYPE,
            "%s would be cut to whole numbers before it meets %s, which keeps its dtype; use the operation without "
            "the underscore, or weft_cast it if that is meant",
            weft__describe(y).s, weft__describe(x).s);
    } else if (dtype == WEFT_BOOL && op != WEFT_OP_COPY_) {
        weft__fail(ctx, op, WEFT_E_DTYPE,
                   "%s is bool, which has no arithmetic in place; use weft_logical_or and its kin",
                   weft__describe(x).s);
    } else {
        if (op != WEFT_OP_COPY_ && (weft_dtype)in[1]->a.dtype != dtype)
            in[1] = weft_cast(in[1], dtype);
        if (in[1])
            in[1] = without_overlap(x, in[1]);
        if (in[1]) {
            weft__array expanded = weft__expanded(&in[1]->a, x->a.shape, x->a.ndim);
            weft__attrs attrs;
            attrs.ni = attrs.nf = 0;
            const bool watched =
                ctx->options.nan_watch && weft__first_nonfinite(ctx, (weft_tensor *[]){x, in[1]}, 2) < 0;
            if (weft__run_kernel(ctx, op, (const weft__array *[]){&x->a, &expanded}, 2, (weft__array *[]){&x->a}, 1,
                                 &attrs) == WEFT_OK)
                result = x;
            x->storage->version++;
            if (result && watched && !weft__watch_result(ctx, weft__ops[op].name, NULL, 0, x))
                result = NULL;
        }
    }
    return weft__leave_with(ctx, result);
}

weft_tensor *weft_add_(weft_tensor *x, weft_tensor *y)
{
    return change(WEFT_OP_ADD_, x, y);
}

weft_tensor *weft_sub_(weft_tensor *x, weft_tensor *y)
{
    return change(WEFT_OP_SUB_, x, y);
}

weft_tensor *weft_mul_(weft_tensor *x, weft_tensor *y)
{
    return change(WEFT_OP_MUL_, x, y);
}

weft_tensor *weft_div_(weft_tensor *x, weft_tensor *y)
{
    return change(WEFT_OP_DIV_, x, y);
}

weft_tensor *weft_copy_(weft_tensor *x, weft_tensor *y)
{
    return change(WEFT_OP_COPY_, x, y);
}

weft_tensor *weft_fill_(weft_tensor *x, double value)
{
    weft_ctx *ctx = weft__enter(WEFT_OP_FILL_, &x, 1, 0);
    if (!ctx)
        return NULL;
    bool done = false;
    if (writable(ctx, WEFT_OP_FILL_, x)) {
        done = weft__fill_array(ctx, &x->a, value) == WEFT_OK;
        x->storage->version++;
    }
    weft__leave(ctx);
    return done ? x : NULL;
}

/* ---- Optimiser steps ---- */

static const char *const group_names[] = {"parameter", "gradient", "state", "second state"};

/* A kernel gets the tensors of these lists as they are, so that none may be memory of the host alone. */
static weft_status check_member(weft_ctx *ctx, int op, weft_tensor *t, const char *what, int k)
{
    if (!weft__check(ctx, weft__ops[op].name, t, what, k))
        return ctx->status;
    if (!(t->flags & WEFT__IS_SHARED))
        return WEFT_OK;
    return weft__fail(ctx, op, WEFT_E_STATE,
                      "%s %d (%s) is shared memory; use weft_borrow for a gradient, weft_clone for "
                      "what is changed",
                      what, k, weft__describe(t).s);
}

static weft_status check_group(weft_ctx *ctx, int op, const char *what, weft_tensor *const *params,
                               weft_tensor *const *group, int n)
{
    for (int k = 0; k < n; k++) {
        if (!group[k])
            continue;
        if (!weft__same_shape(&group[k]->a, &params[k]->a) || group[k]->a.dtype != params[k]->a.dtype)
            return weft__fail(ctx, op, WEFT_E_SHAPE, "%s %d is %s, its parameter %s; shape and dtype must be equal",
                              what, k, weft__describe(group[k]).s, weft__describe(params[k]).s);
        if (!group[k]->a.contiguous)
            return weft__fail(ctx, op, WEFT_E_STATE, "%s %d (%s) is not contiguous; use weft_contiguous", what, k,
                              weft__describe(group[k]).s);
    }
    return WEFT_OK;
}

/* Groups of n tensors each: parameters, gradients, then state. */
static weft_status step(weft_ctx *ctx, int op, weft_tensor *const *groups[4], int n_groups, int n,
                        const weft__attrs *attrs)
{
    size_t bytes = sizeof(weft__array *) * (size_t)n * (size_t)n_groups;
    const weft__array **arrays = weft__host_alloc(ctx, bytes);
    if (!arrays)
        return weft__fail(ctx, op, WEFT_E_NOMEM, "out of memory for %d parameters", n);
    weft_status status = WEFT_OK;
    for (int g = 0; g < n_groups && status == WEFT_OK; g++) {
        if (groups[g])
            status = check_group(ctx, op, group_names[g], groups[0], groups[g], n);
        for (int k = 0; k < n && status == WEFT_OK; k++) {
            weft_tensor *t = groups[g] ? groups[g][k] : NULL;
            if (t && g != 1 && !writable(ctx, op, t))
                status = ctx->status;
            if (t && g == 0 && !weft__need_float(ctx, op, "a parameter", t))
                status = ctx->status;
            arrays[g * n + k] = t ? &t->a : NULL;
        }
    }
    if (status == WEFT_OK)
        status = weft__run_kernel(ctx, op, arrays, n * n_groups, NULL, 0, attrs);
    for (int g = 0; g < n_groups && status == WEFT_OK; g++)
        for (int k = 0; g != 1 && groups[g] && k < n; k++)
            if (groups[1][k])
                groups[g][k]->storage->version++;
    weft__host_free(ctx, arrays, bytes);
    return status;
}

static weft_status run_step(weft_ctx *ctx, int op, weft_tensor *const *groups[4], int n_groups, int n,
                            const weft__attrs *attrs)
{
    bool was = ctx->grad_enabled;
    ctx->grad_enabled = false; /* the parameters are leaves: changing them is the purpose */
    weft_status status = WEFT_OK;
    for (int g = 0; g < n_groups && status == WEFT_OK; g++)
        for (int k = 0; groups[g] && k < n && status == WEFT_OK; k++)
            if (groups[g][k] || g != 1) /* a parameter may have no gradient */
                status = check_member(ctx, op, groups[g][k], group_names[g], k);
    if (status == WEFT_OK)
        status = step(ctx, op, groups, n_groups, n, attrs);
    ctx->grad_enabled = was;
    return status;
}

weft_status weft_sgd_step(weft_ctx *ctx, weft_tensor *const *params, weft_tensor *const *grads,
                          weft_tensor *const *velocity, int n, const weft_sgd_params *hyper)
{
    enum { OP = WEFT_OP_SGD_STEP };
    if (!ctx)
        return WEFT_E_NULL_ARGUMENT;
    if (!weft__enter_named(weft__ops[OP].name, ctx, NULL, 0, 0))
        return ctx->status;
    weft_status status;
    if (!params || !grads || !hyper || n < 1) {
        status = weft__fail(ctx, OP, WEFT_E_NULL_ARGUMENT, "needs params, grads, hyper and n >= 1");
    } else if (hyper->momentum != 0 && !velocity) {
        status =
            weft__fail(ctx, OP, WEFT_E_NULL_ARGUMENT, "momentum is %g, which needs velocity tensors", hyper->momentum);
    } else {
        weft__attrs attrs = {.ni = 3, .nf = 4};
        attrs.i[0] = n;
        attrs.i[1] = hyper->nesterov;
        attrs.i[2] = hyper->first_step;
        attrs.f[WEFT__SGD_LR] = hyper->lr;
        attrs.f[WEFT__SGD_MOMENTUM] = hyper->momentum;
        attrs.f[WEFT__SGD_DAMPENING] = hyper->dampening;
        attrs.f[WEFT__SGD_WEIGHT_DECAY] = hyper->weight_decay;
        status = run_step(ctx, OP, (weft_tensor *const *[4]){params, grads, velocity}, 3, n, &attrs);
    }
    weft__leave_with(ctx, NULL);
    return status;
}

weft_status weft_adam_step(weft_ctx *ctx, weft_tensor *const *params, weft_tensor *const *grads, weft_tensor *const *m,
                           weft_tensor *const *v, int n, const weft_adam_params *hyper, int64_t step_number)
{
    enum { OP = WEFT_OP_ADAM_STEP };
    if (!ctx)
        return WEFT_E_NULL_ARGUMENT;
    if (!weft__enter_named(weft__ops[OP].name, ctx, NULL, 0, 0))
        return ctx->status;
    weft_status status;
    if (!params || !grads || !m || !v || !hyper || n < 1 || step_number < 1) {
        status = weft__fail(ctx, OP, WEFT_E_NULL_ARGUMENT, "needs params, grads, m, v, hyper, n >= 1 and step >= 1");
    } else {
        weft__attrs attrs = {.ni = 3, .nf = 5};
        attrs.i[0] = n;
        attrs.i[1] = hyper->decoupled;
        attrs.i[2] = step_number;
        attrs.f[WEFT__ADAM_LR] = hyper->lr;
        attrs.f[WEFT__ADAM_BETA1] = hyper->beta1;
        attrs.f[WEFT__ADAM_BETA2] = hyper->beta2;
        attrs.f[WEFT__ADAM_EPS] = hyper->eps;
        attrs.f[WEFT__ADAM_WEIGHT_DECAY] = hyper->weight_decay;
        status = run_step(ctx, OP, (weft_tensor *const *[4]){params, grads, m, v}, 4, n, &attrs);
    }
    weft__leave_with(ctx, NULL);
    return status;
}
