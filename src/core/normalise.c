/* normalise.c - front ends of softmax, log_softmax, layer_norm, rms_norm and batch_norm. */
#include <math.h>
#include "core.h"

static weft_tensor *softmax(int op, weft_tensor *x, int64_t dim)
{
    weft_ctx *ctx = weft__enter(op, &x, 1, 0);
    if (!ctx)
        return NULL;
    weft_tensor *y = NULL;
    weft__attrs attrs = {.ni = 1};
    bool fine = (x = weft__as_class(x, WEFT__FLT)) && weft__need_rank(ctx, op, "x", x, 1, WEFT__MAX_DIMS);
    int d = fine ? weft__dim(ctx, op, x, dim) : -1;
    if (d >= 0 && (y = weft__new(ctx, op, (weft_dtype)x->a.dtype, x->a.shape, x->a.ndim))) {
        attrs.i[0] = d;
        weft__call call = {.op = op, .ctx = ctx, .in = &x, .n_in = 1, .out = {y}, .n_out = 1, .attrs = &attrs};
        y = weft__run(&call);
    }
    return weft__leave_with(ctx, y);
}

weft_tensor *weft_softmax(weft_tensor *x, int64_t dim)
{
    return softmax(WEFT_OP_SOFTMAX, x, dim);
}

weft_tensor *weft_log_softmax(weft_tensor *x, int64_t dim)
{
    return softmax(WEFT_OP_LOG_SOFTMAX, x, dim);
}

/* The number of trailing elements that are normalised together, from w (or b), or the last dim; -1: error recorded. */
static int64_t normalised(weft_ctx *ctx, int op, weft_tensor *const *in, int n)
{
    const weft_tensor *x = in[0], *like = n > 1 && in[1] ? in[1] : n > 2 ? in[2] : NULL;
    if (!weft__need_float(ctx, op, "x", x) || !weft__need_rank(ctx, op, "x", x, 1, WEFT__MAX_DIMS))
        return -1;
    int rank = like ? like->a.ndim : 1;
    bool fits = rank >= 1 && rank <= x->a.ndim;
    for (int k = 1; fits && k < n; k++) {
        if (!in[k])
            continue;
        fits = in[k]->a.ndim == rank;
        for (int d = 0; fits && d < rank; d++)
            fits = in[k]->a.shape[d] == x->a.shape[x->a.ndim - rank + d];
    }
    if (!fits) {
        weft__fail(ctx, op, WEFT_E_SHAPE, "w is %s%s%s, but must have the trailing dims of x, which is %s",
                   weft__describe(in[1]).s, n > 2 ? ", b is " : "", n > 2 ? weft__describe(in[2]).s : "",
                   weft__describe(x).s);
        return -1;
    }
    int64_t size = 1;
    for (int d = x->a.ndim - rank; d < x->a.ndim; d++)
        size *= x->a.shape[d];
    return size;
}

/* Statistics are one value for each row, in x's dtype (half types: f32). */
static weft_dtype statistics_dtype(const weft_tensor *x)
{
    return x->a.dtype == WEFT_F64 ? WEFT_F64 : WEFT_F32;
}

/* w and b in x's dtype or that of its statistics, as they come: f32 ones beside a half x keep their digits. */
static bool match_dtype(weft_tensor **in, int n)
{
    const weft_dtype wide = statistics_dtype(in[0]);
    for (int k = 1; k < n; k++)
        if (in[k] && in[k]->a.dtype != in[0]->a.dtype && (weft_dtype)in[k]->a.dtype != wide &&
            !(in[k] = weft_cast(in[k], wide)))
            return false;
    return true;
}

static weft_tensor *row_norm(weft_ctx *ctx, int op, weft_tensor **in, int n_in, int n_out, double eps)
{
    int64_t size = weft__localise(ctx, in, n_in) ? normalised(ctx, op, in, n_in) : -1;
    if (size < 0 || !match_dtype(in, n_in))
        return NULL;
    int64_t rows = size > 0 ? in[0]->a.count / size : 0;
    weft__attrs attrs = {.ni = 1, .nf = 1, .i = {size}, .f = {eps}};
    weft__call call = {.op = op, .ctx = ctx, .in = in, .n_in = n_in, .n_out = n_out, .attrs = &attrs};
    call.out[0] = weft__new(ctx, op, (weft_dtype)in[0]->a.dtype, in[0]->a.shape, in[0]->a.ndim);
    for (int k = 1; k < n_out; k++)
        call.out[k] = weft__new(ctx, op, statistics_dtype(in[0]), &rows, 1);
    return ctx->status == WEFT_OK ? weft__run(&call) : NULL;
}

weft_tensor *weft_layer_norm(weft_tensor *x, weft_tensor *w, weft_tensor *b, double eps)
{
    weft_tensor *in[] = {x, w, b};
    weft_ctx *ctx = weft__enter(WEFT_OP_LAYER_NORM, in, 3, 6u);
    if (!ctx)
        return NULL;
    weft_tensor *y = row_norm(ctx, WEFT_OP_LAYER_NORM, in, 3, 3, eps);
    return weft__leave_with(ctx, y);
}

weft_tensor *weft_rms_norm(weft_tensor *x, weft_tensor *w, double eps)
{
    weft_tensor *in[] = {x, w};
    weft_ctx *ctx = weft__enter(WEFT_OP_RMS_NORM, in, 2, 2u);
    if (!ctx)
        return NULL;
    weft_tensor *y = row_norm(ctx, WEFT_OP_RMS_NORM, in, 2, 2, eps);
    return weft__leave_with(ctx, y);
}

/* ---- Batch norm ---- */

static bool channels_fit(weft_ctx *ctx, weft_tensor *const *in)
{
    enum { OP = WEFT_OP_BATCH_NORM };
    static const char *const names[] = {"x", "w", "b", "running_mean", "running_var"};
    if (!weft__need_float(ctx, OP, "x", in[0]) || !weft__need_rank(ctx, OP, "x", in[0], 2, WEFT__MAX_DIMS))
        return false;
    for (int k = 1; k < 5; k++) {
        if (in[k] && (in[k]->a.ndim != 1 || in[k]->a.shape[0] != in[0]->a.shape[1])) {
            weft__fail(ctx, OP, WEFT_E_SHAPE, "%s is %s, but x is %s, so it must be [%lld] (dim 1 holds the channels)",
                       names[k], weft__describe(in[k]).s, weft__describe(in[0]).s, (long long)in[0]->a.shape[1]);
            return false;
        }
    }
    return true;
}

/* [C] as [1, C, 1 ...], to broadcast over x. */
static weft_tensor *by_channel(weft_tensor *t, const weft_tensor *x)
{
    int64_t shape[WEFT__MAX_DIMS] = {1, x->a.shape[1], 1, 1, 1, 1, 1, 1};
    return weft_reshape(t, shape, x->a.ndim);
}

static weft_tensor *apply_running(weft_ctx *ctx, weft_tensor *const *in, double eps)
{
    weft_tensor *x = in[0], *mean = in[3], *var = in[4];
    if (!mean || !var) {
        weft__fail(ctx, WEFT_OP_BATCH_NORM, WEFT_E_NULL_ARGUMENT,
                   "running_mean and running_var are needed when not training");
        return NULL;
    }
    weft_dtype dtype = (weft_dtype)x->a.dtype;
    weft_tensor *wide = weft__widened(x);
    if (!wide)
        return NULL;
    weft_dtype compute = (weft_dtype)wide->a.dtype;
    weft_tensor *scale = weft_cast(weft_rsqrt(weft_add_scalar(weft__widened(var), eps)), compute);
    if (in[1])
        scale = weft_mul(scale, weft_cast(in[1], compute));
    weft_tensor *y = weft_mul(weft_sub(wide, by_channel(weft_cast(mean, compute), x)), by_channel(scale, x));
    if (in[2])
        y = weft_add(y, by_channel(weft_cast(in[2], compute), x));
    return weft__narrowed(y, dtype);
}

/* running <- (1 - momentum) running + momentum now */
static void move_toward(weft_tensor *running, weft_tensor *now, double momentum)
{
    if (!running)
        return;
    weft_tensor *next = weft_add(weft_mul_scalar(weft__widened(running), 1 - momentum), weft_mul_scalar(now, momentum));
    weft_copy_(running, next);
}

static weft_tensor *apply_batch(weft_ctx *ctx, weft_tensor **in, double momentum, double eps)
{
    enum { OP = WEFT_OP_BATCH_NORM };
    weft_tensor *x = in[0], *running[] = {in[3], in[4]};
    int64_t channels = x->a.shape[1], n = channels > 0 ? x->a.count / channels : 0;
    if (!match_dtype(in, 3))
        return NULL;
    weft__attrs attrs = {.nf = 1, .f = {eps}};
    weft__call call = {.op = OP, .ctx = ctx, .in = in, .n_in = 3, .n_out = 4, .attrs = &attrs};
    call.out[0] = weft__new(ctx, OP, (weft_dtype)x->a.dtype, x->a.shape, x->a.ndim);
    for (int k = 1; k < 4; k++)
        call.out[k] = weft__new(ctx, OP, statistics_dtype(x), &channels, 1);
    weft_tensor *y = ctx->status == WEFT_OK ? weft__run(&call) : NULL;
    if (y && n > 0 && (running[0] || running[1])) {
        const bool was = ctx->grad_enabled;
        ctx->grad_enabled = false;
        move_toward(running[0], call.out[1], momentum);
        move_toward(running[1], weft_mul_scalar(call.out[3], n > 1 ? (double)n / (double)(n - 1) : 1), momentum);
        ctx->grad_enabled = was;
    }
    return ctx->status == WEFT_OK ? y : NULL;
}

static bool batch_params(weft_ctx *ctx, const weft_batch_norm_params *given, weft_batch_norm_params *p)
{
    static const weft_batch_norm_params defaults = WEFT_BATCH_NORM_DEFAULTS;
    if (weft_struct_in(ctx, "batch_norm", "weft_batch_norm_params", &defaults, given, p) != WEFT_OK)
        return false;
    if (p->momentum >= 0 && p->momentum <= 1 && p->eps >= 0 && isfinite(p->eps))
        return true;
    weft__fail(ctx, WEFT_OP_BATCH_NORM, WEFT_E_INVALID,
               "momentum %g must lie in [0, 1], and eps %g be finite and at least 0", p->momentum, p->eps);
    return false;
}

weft_tensor *weft_batch_norm(weft_tensor *x, weft_tensor *w, weft_tensor *b, weft_tensor *running_mean,
                             weft_tensor *running_var, const weft_batch_norm_params *params)
{
    weft_batch_norm_params p;
    weft_tensor *in[] = {x, w, b, running_mean, running_var}, *y = NULL;
    weft_ctx *ctx = weft__enter(WEFT_OP_BATCH_NORM, in, 5, 30u);
    if (!ctx)
        return NULL;
    if (weft__localise(ctx, in, 5) && batch_params(ctx, params, &p) && channels_fit(ctx, in))
        y = p.training ? apply_batch(ctx, in, p.momentum, p.eps) : apply_running(ctx, in, p.eps);
    return weft__leave_with(ctx, y);
}
