/* product.c - front ends of the matrix products. */
#include <string.h>
#include "core.h"

/* Both operands floating and of one dtype. */
static bool promote_floats(weft_ctx *ctx, int op, weft_tensor **in, int n)
{
    weft_dtype dtype = (weft_dtype)in[0]->a.dtype;
    for (int k = 0; k < n; k++) {
        if (!in[k])
            continue;
        if (!weft__need_float(ctx, op, k == 0 ? "operand 0" : k == 1 ? "operand 1" : "the bias", in[k]))
            return false;
        dtype = weft_promote(dtype, (weft_dtype)in[k]->a.dtype);
    }
    for (int k = 0; k < n; k++)
        if (in[k] && (weft_dtype)in[k]->a.dtype != dtype && !(in[k] = weft_cast(in[k], dtype)))
            return false;
    return true;
}

/* The result's shape: joint leading dims, then M and N. */
static bool matmul_shape(weft_ctx *ctx, const weft_tensor *a, const weft_tensor *b, int64_t *shape, int *ndim)
{
    const weft__array *x = &a->a, *y = &b->a;
    weft__array lead_x = *x, lead_y = *y;
    lead_x.ndim -= 2;
    lead_y.ndim -= 2;
    if (x->shape[x->ndim - 1] != y->shape[y->ndim - 2]) {
        weft__fail(ctx, WEFT_OP_MATMUL, WEFT_E_SHAPE,
                   "inner sizes differ: %s by %s (%lld columns against %lld rows); transpose one operand?",
                   weft__describe(a).s, weft__describe(b).s, (long long)x->shape[x->ndim - 1],
                   (long long)y->shape[y->ndim - 2]);
        return false;
    }
    if (!weft__broadcast(&lead_x, &lead_y, shape, ndim)) {
        weft__fail(ctx, WEFT_OP_MATMUL, WEFT_E_SHAPE, "leading dims do not broadcast: %s by %s", weft__describe(a).s,
                   weft__describe(b).s);
        return false;
    }
    shape[(*ndim)++] = x->shape[x->ndim - 2];
    shape[(*ndim)++] = y->shape[y->ndim - 1];
    return true;
}

static weft_tensor *multiply(weft_ctx *ctx, weft_tensor **in)
{
    int64_t shape[WEFT__MAX_DIMS];
    int ndim;
    if (!matmul_shape(ctx, in[0], in[1], shape, &ndim))
        return NULL;
    weft_tensor *y = weft__new(ctx, WEFT_OP_MATMUL, (weft_dtype)in[0]->a.dtype, shape, ndim);
    if (!y)
        return NULL;
    int64_t columns = shape[ndim - 1], inner = in[0]->a.shape[in[0]->a.ndim - 1];
    shape[ndim - 1] = inner;
    weft__array a = weft__expanded(&in[0]->a, shape, ndim);
    shape[ndim - 2] = inner;
    shape[ndim - 1] = columns;
    weft__array b = weft__expanded(&in[1]->a, shape, ndim);
    weft__attrs attrs;
    attrs.ni = attrs.nf = 0;
    weft__call call = {.op = WEFT_OP_MATMUL,
                       .ctx = ctx,
                       .in = in,
                       .n_in = 2,
                       .arrays = (const weft__array *[]){&a, &b},
                       .out = {y},
                       .n_out = 1,
                       .attrs = &attrs};
    return weft__run(&call);
}

weft_tensor *weft_matmul(weft_tensor *a, weft_tensor *b)
{
    weft_tensor *in[2] = {a, b}, *y = NULL;
    weft_ctx *ctx = weft__enter(WEFT_OP_MATMUL, in, 2, 0);
    if (!ctx)
        return NULL;
    bool row = a->a.ndim == 1, column = b->a.ndim == 1;
    if (weft__localise(ctx, in, 2) && weft__need_rank(ctx, WEFT_OP_MATMUL, "operand 0", a, 1, WEFT__MAX_DIMS) &&
        weft__need_rank(ctx, WEFT_OP_MATMUL, "operand 1", b, 1, WEFT__MAX_DIMS) &&
        promote_floats(ctx, WEFT_OP_MATMUL, in, 2)) {
        if (row)
            in[0] = weft_unsqueeze(in[0], 0);
        if (column)
            in[1] = weft_unsqueeze(in[1], 1);
        y = in[0] && in[1] ? multiply(ctx, in) : NULL;
        if (row && y)
            y = weft_squeeze(y, WEFT_AXES(-2));
        if (column && y)
            y = weft_squeeze(y, WEFT_AXES(-1));
    }
    return weft__leave_with(ctx, y);
}

/* ---- Linear layers: LINEAR, and LINEAR_ACT with an activation of its result ---- */

/* x [..., K], w [N, K], b [N] or NULL. The result's shape but for its last size is x's. */
static bool linear_fits(weft_ctx *ctx, int op, weft_tensor *const *in)
{
    const weft_tensor *x = in[0], *w = in[1], *b = in[2];
    if (!weft__need_rank(ctx, op, "x", x, 1, WEFT__MAX_DIMS) || !weft__need_rank(ctx, op, "w", w, 2, 2))
        return false;
    int64_t inner = x->a.shape[x->a.ndim - 1], outer = w->a.shape[0];
    if (w->a.shape[1] == inner && (!b || (b->a.ndim == 1 && b->a.shape[0] == outer)))
        return true;
    weft__fail(ctx, op, WEFT_E_SHAPE,
               "x is %s, w is %s, b is %s; w must be [N, K] with K = x's last size (%lld), and b [N] or NULL",
               weft__describe(x).s, weft__describe(w).s, weft__describe(b).s, (long long)inner);
    return false;
}

static weft_tensor *linear_result(weft_ctx *ctx, int op, weft_tensor *const *in)
{
    const weft__array *x = &in[0]->a;
    int64_t shape[WEFT__MAX_DIMS];
    memcpy(shape, x->shape, sizeof shape);
    shape[x->ndim - 1] = in[1]->a.shape[0];
    return weft__new(ctx, op, (weft_dtype)x->dtype, shape, x->ndim);
}

/* GELU's derivative reads the sums; that of RELU can do with the result. */
static bool keeps_sums(const weft_ctx *ctx, weft_tensor *const *in, weft_activation act)
{
    return act == WEFT_ACTIVATION_GELU_TANH && ctx->grad_enabled &&
           (weft__requires(in[0]) || weft__requires(in[1]) || weft__requires(in[2]));
}

static weft_tensor *run_linear(weft_ctx *ctx, int op, weft_tensor **in, weft_activation act)
{
    if (!weft__localise(ctx, in, 3) || !linear_fits(ctx, op, in) || !promote_floats(ctx, op, in, 3))
        return NULL;
    weft__attrs attrs;
    attrs.ni = op == WEFT_OP_LINEAR_ACT;
    attrs.nf = 0;
    attrs.i[0] = act;
    weft__call call = {.op = op, .ctx = ctx, .in = in, .n_in = 3, .n_out = 1 + attrs.ni, .attrs = &attrs};
    call.out[0] = linear_result(ctx, op, in);
    if (keeps_sums(ctx, in, act))
        call.out[1] = linear_result(ctx, op, in);
    return ctx->status == WEFT_OK ? weft__run(&call) : NULL;
}

/* A NULL bias is fine, but not one that an error left behind: the context's status tells them apart. */
enum { BIAS_IS_OPTIONAL = 1u << 2 };

weft_tensor *weft_linear(weft_tensor *x, weft_tensor *w, weft_tensor *b)
{
    weft_tensor *in[3] = {x, w, b};
    weft_ctx *ctx = weft__enter(WEFT_OP_LINEAR, in, 3, BIAS_IS_OPTIONAL);
    if (!ctx)
        return NULL;
    weft_tensor *y = run_linear(ctx, WEFT_OP_LINEAR, in, WEFT_ACTIVATION_NONE);
    return weft__leave_with(ctx, y);
}

weft_tensor *weft_linear_act(weft_tensor *x, weft_tensor *w, weft_tensor *b, weft_activation act)
{
    enum { OP = WEFT_OP_LINEAR_ACT };
    weft_tensor *in[3] = {x, w, b}, *y = NULL;
    weft_ctx *ctx = weft__enter(OP, in, 3, BIAS_IS_OPTIONAL);
    if (!ctx)
        return NULL;
    if (act == WEFT_ACTIVATION_NONE || act == WEFT_ACTIVATION_RELU || act == WEFT_ACTIVATION_GELU_TANH)
        y = run_linear(ctx, OP, in, act);
    else
        weft__fail(ctx, OP, WEFT_E_INVALID,
                   "%d is no activation; give WEFT_ACTIVATION_NONE, WEFT_ACTIVATION_RELU or WEFT_ACTIVATION_GELU_TANH, "
                   "and apply any other "
                   "to the result of weft_linear",
                   (int)act);
    return weft__leave_with(ctx, y);
}
