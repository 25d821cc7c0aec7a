/* norm.c - layer_norm, rms_norm, batch_norm. Each result but the first is one statistic for each row or channel: a sum
 * like any other, or one of what is never negative. */
#include <math.h>
#include "define.h"

/* The elements that are normalised together. */
static int64_t normalised(const weft__work *w, int result)
{
    (void)result;
    return w->attrs->norm.size;
}

/* dw and db are sums over the rows. */
static int64_t normalised_or_rows(const weft__work *w, int result)
{
    return result == 0 ? normalised(w, result) : weft__ratio(w->in[0]->count, w->attrs->norm.size);
}

/* w and b (or NULL) have trailing dims of x, or are both missing: the last dim. */
static bool infer_rows(weft__infer *q)
{
    const weft__array *x = q->in[0];
    const weft__array *like = q->in[1] ? q->in[1] : q->n_in > 2 ? q->in[2] : NULL;
    if (!weft__has_rank(q, 0, 1, WEFT__MAX_DIMS))
        return false;
    const int rank = like ? like->ndim : 1;
    bool fits = rank >= 1 && rank <= x->ndim;
    for (int k = 1; fits && k < q->n_in; k++) {
        if (!q->in[k])
            continue;
        fits = q->in[k]->ndim == rank;
        for (int d = 0; fits && d < rank; d++)
            fits = q->in[k]->shape[d] == x->shape[x->ndim - rank + d];
    }
    if (!fits)
        return weft__refuse(q, WEFT_E_SHAPE, "w is %s%s%s, but must have the trailing dims of x, which is %s",
                            weft__operand_text(q, 1).s, q->n_in > 2 ? ", b is " : "",
                            q->n_in > 2 ? weft__operand_text(q, 2).s : "", weft__operand_text(q, 0).s);
    int64_t size = 1;
    for (int d = x->ndim - rank; d < x->ndim; d++)
        size *= x->shape[d];
    q->attrs->norm.size = size;
    weft__infer_like(q);
    const int64_t rows = size > 0 ? x->count / size : 0;
    for (int r = 1; r < q->def->n_out; r++)
        weft__set_result(q, r, weft__wide_dtype(x->dtype), &rows, 1);
    return true;
}

/* Channels are dim 1. Of the five operands of the public function the kernel takes three. */
#define MUST_BE_CHANNELS "%s is %s, but x is %s, so it must be [%lld] (dim 1 holds the channels)"

static bool infer_channels(weft__infer *q)
{
    const weft__array *x = q->in[0];
    if (!weft__has_rank(q, 0, 2, WEFT__MAX_DIMS))
        return false;
    for (int k = 1; k < q->n_in; k++)
        if (q->in[k] && (q->in[k]->ndim != 1 || q->in[k]->shape[0] != x->shape[1]))
            return weft__refuse(q, WEFT_E_SHAPE, MUST_BE_CHANNELS, k == 1 ? "w" : "b", weft__operand_text(q, k).s,
                                weft__operand_text(q, 0).s, (long long)x->shape[1]);
    weft__infer_like(q);
    for (int r = 1; r < q->def->n_out; r++)
        weft__set_result(q, r, weft__wide_dtype(x->dtype), &x->shape[1], 1);
    return true;
}

/* f: eps */
CALL(layer_norm)
{
    c->out[0] = weft_layer_norm(c->in[0], c->in[1], c->in[2], c->f[0]);
}

CALL(rms_norm)
{
    c->out[0] = weft_rms_norm(c->in[0], c->in[1], c->f[0]);
}

/* x, w, b, running mean, running var; i: training; f: momentum, eps. Results: y and the running values. */
CALL(batch_norm)
{
    const weft_batch_norm_params params = {sizeof params, c->f[0], c->f[1], c->i[0] != 0};
    c->out[0] = weft_batch_norm(c->in[0], c->in[1], c->in[2], c->in[3], c->in[4], &params);
    if (c->in[3]) {
        c->n_out = 3;
        c->out[1] = c->in[3];
        c->out[2] = c->in[4];
    }
}

WEFT__DEFINE(LAYER_NORM, layer_norm, OPERANDS(FLOATS, FLOATS | OR_NULL, FLOATS | OR_NULL), ATTRS(norm),
             INFER(infer_rows, BESIDE_FIRST), RESULTS(1, ROWWISE, SUMMED, POSITIVE), EFFECT(PURE),
             DERIVATIVE(weft__vjp_layer_norm, IN_STEPS, READS(FIRST | SECOND), LAYER_NORM_GRAD,
                        GRADIENT("with n the normalised x and h = g w: of x: (h - mean(h) - n mean(h n)) / std; of w: "
                                 "the sum of g n; of b: of g")),
             WORK(normalised, weft__flops_each, weft__bytes_once),
             SAMPLE(call_layer_norm, RECIPE("xab pb xb", "; 1e-5"), RECIPE("xab - -", "; 1e-5"),
                    RECIPE("x3ab pab -", "; 0.1")))
WEFT__DEFINE(LAYER_NORM_GRAD, layer_norm_grad, OPERANDS(FLOATS, FLOATS, FLOATS | OR_NULL, FLOATS, FLOATS), ATTRS(norm),
             NO_INFER, RESULTS(0, DERIVED, DERIVED, SUMMED), EFFECT(PURE), NO_DERIVATIVE,
             WORK(normalised_or_rows, weft__flops_each, weft__bytes_once), SAMPLE_OF(LAYER_NORM))

WEFT__DEFINE(RMS_NORM, rms_norm, OPERANDS(FLOATS, FLOATS | OR_NULL), ATTRS(norm), INFER(infer_rows, BESIDE_FIRST),
             RESULTS(1, ROWWISE, POSITIVE), EFFECT(PURE),
             DERIVATIVE(weft__vjp_rms_norm, IN_STEPS, READS(FIRST | SECOND), RMS_NORM_GRAD,
                        GRADIENT("with n the normalised x and h = g w: of x: (h - n mean(h n)) / rms; of w: the sum of "
                                 "g n")),
             WORK(normalised, weft__flops_each, weft__bytes_once),
             SAMPLE(call_rms_norm, RECIPE("xab pb", "; 1e-5"), RECIPE("xab -", "; 0.1")))
WEFT__DEFINE(RMS_NORM_GRAD, rms_norm_grad, OPERANDS(FLOATS, FLOATS, FLOATS | OR_NULL, FLOATS), ATTRS(norm), NO_INFER,
             RESULTS(0, DERIVED, DERIVED), EFFECT(PURE), NO_DERIVATIVE,
             WORK(normalised_or_rows, weft__flops_each, weft__bytes_once), SAMPLE_OF(RMS_NORM))

WEFT__DEFINE(BATCH_NORM, batch_norm, OPERANDS(FLOATS, FLOATS | OR_NULL, FLOATS | OR_NULL), ATTRS(batch_norm),
             INFER(infer_channels, BESIDE_FIRST), RESULTS(1, ROWWISE, SUMMED, POSITIVE, POSITIVE), EFFECT(PURE),
             DERIVATIVE(weft__vjp_batch_norm, IN_STEPS, READS(FIRST | SECOND), BATCH_NORM_GRAD,
                        GRADIENT("per channel as layer_norm; by running values: g w / sqrt(var + eps)")),
             WORK(weft__terms_channels, weft__flops_each, weft__bytes_once),
             SAMPLE(call_batch_norm, RECIPE("xabcd pb xb - -", "1; 0.1 1e-5"),
                    RECIPE("xabcd pb xb rb qb", "1; 0.1 1e-5"), RECIPE("xabcd pb xb rb qb", "0; 0.1 1e-5"),
                    RECIPE("xab - - - -", "1; 0.1 0.1")))
WEFT__DEFINE(BATCH_NORM_GRAD, batch_norm_grad, OPERANDS(FLOATS, FLOATS, FLOATS | OR_NULL, FLOATS, FLOATS),
             ATTRS(batch_norm), NO_INFER, RESULTS(0, DERIVED, DERIVED, SUMMED), EFFECT(PURE), NO_DERIVATIVE,
             WORK(weft__terms_channels, weft__flops_each, weft__bytes_once), SAMPLE_OF(BATCH_NORM))

/* ---- Front ends ---- */

weft_tensor *weft_layer_norm(weft_tensor *x, weft_tensor *w, weft_tensor *b, double eps)
{
    weft_tensor *in[] = {x, w, b};
    weft__attrs attrs = {.norm = {.eps = eps}};
    return weft__apply(WEFT_OP_LAYER_NORM, in, 3, &attrs);
}

weft_tensor *weft_rms_norm(weft_tensor *x, weft_tensor *w, double eps)
{
    weft_tensor *in[] = {x, w};
    weft__attrs attrs = {.norm = {.eps = eps}};
    return weft__apply(WEFT_OP_RMS_NORM, in, 2, &attrs);
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
    weft_tensor *scale = weft__cast(weft_rsqrt(weft_add_scalar(weft__widened(var), eps)), compute);
    if (in[1])
        scale = weft_mul(scale, weft__cast(in[1], compute));
    weft_tensor *y = weft_mul(weft_sub(wide, by_channel(weft__cast(mean, compute), x)), by_channel(scale, x));
    if (in[2])
        y = weft_add(y, by_channel(weft__cast(in[2], compute), x));
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
    weft_tensor *running[] = {in[3], in[4]}, *out[4];
    const int64_t channels = in[0]->a.shape[1], n = channels > 0 ? in[0]->a.count / channels : 0;
    weft__attrs attrs = {.batch_norm = {.eps = eps}};
    if (!weft__complete(ctx, WEFT_OP_BATCH_NORM, in, 3, &attrs, out))
        return NULL;
    if (n > 0 && (running[0] || running[1])) {
        const bool was = ctx->grad_enabled;
        ctx->grad_enabled = false;
        move_toward(running[0], out[1], momentum);
        move_toward(running[1], weft_mul_scalar(out[3], n > 1 ? (double)n / (double)(n - 1) : 1), momentum);
        ctx->grad_enabled = was;
    }
    return ctx->status == WEFT_OK ? out[0] : NULL;
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

/* The running values are no operands of the row, but must be what infer asks of w and b. An x without channels it
 * refuses itself. */
static bool running_fit(weft_ctx *ctx, weft_tensor *const *in)
{
    static const char *const names[] = {"running_mean", "running_var"};
    const weft__array *x = &in[0]->a;
    for (int k = 0; k < 2; k++) {
        const weft_tensor *t = in[3 + k];
        if (t && !weft__need_float(ctx, WEFT_OP_BATCH_NORM, names[k], t))
            return false;
        if (!t || x->ndim < 2 || (t->a.ndim == 1 && t->a.shape[0] == x->shape[1]))
            continue;
        weft__fail(ctx, WEFT_OP_BATCH_NORM, WEFT_E_SHAPE, MUST_BE_CHANNELS, names[k], weft__describe(t).s,
                   weft__describe(in[0]).s, (long long)x->shape[1]);
        return false;
    }
    return true;
}

weft_tensor *weft_batch_norm(weft_tensor *x, weft_tensor *w, weft_tensor *b, weft_tensor *running_mean,
                             weft_tensor *running_var, const weft_batch_norm_params *params)
{
    weft_batch_norm_params p;
    weft__attrs attrs = {.batch_norm = {.eps = 0}};
    weft_tensor *in[] = {x, w, b, running_mean, running_var}, *y = NULL;
    weft_ctx *ctx = weft__enter(WEFT_OP_BATCH_NORM, in, 5, 30u);
    if (!ctx)
        return NULL;
    if (!weft__localise(ctx, in, 5) || !batch_params(ctx, params, &p) || !running_fit(ctx, in))
        return weft__leave_with(ctx, NULL);
    if (p.training)
        y = apply_batch(ctx, in, p.momentum, p.eps);
    else if (weft__ask(ctx, WEFT_OP_BATCH_NORM, in, 3, &attrs))
        y = apply_running(ctx, in, p.eps);
    return weft__leave_with(ctx, y);
}

/* ---- Derivatives ---- */

typedef struct norm_shape {
    int64_t mean_dims[WEFT__MAX_DIMS], sum_dims[WEFT__MAX_DIMS];
    int n_mean; /* dims that are normalised together */
    int n_sum;  /* dims that share w and b */
    bool centred;
} norm_shape;

static void compose_norm(weft__vjp *v, weft_tensor *x, weft_tensor *g, weft_tensor *w, const norm_shape *s, double eps)
{
    weft_tensor *c = s->centred ? weft_sub(x, weft_mean(x, s->mean_dims, s->n_mean, true)) : x;
    weft_tensor *r = weft_rsqrt(weft_add_scalar(weft_mean(weft_square(c), s->mean_dims, s->n_mean, true), eps));
    weft_tensor *h = weft_mul(c, r), *u = w ? weft_mul(g, w) : g;
    weft_tensor *inner = weft_sub(u, weft_mul(h, weft_mean(weft_mul(u, h), s->mean_dims, s->n_mean, true)));
    if (s->centred)
        inner = weft_sub(inner, weft_mean(u, s->mean_dims, s->n_mean, true));
    if (weft__wants(v, 0))
        v->out[0] = weft_reshape(weft_mul(r, inner), v->in[0]->a.shape, v->in[0]->a.ndim);
    if (weft__wants(v, 1))
        v->out[1] =
            weft_reshape(weft_sum(weft_mul(g, h), s->sum_dims, s->n_sum, false), v->in[1]->a.shape, v->in[1]->a.ndim);
    if (v->node->n_in > 2 && weft__wants(v, 2))
        v->out[2] = weft_reshape(weft_sum(g, s->sum_dims, s->n_sum, false), v->in[2]->a.shape, v->in[2]->a.ndim);
}

static void compose_row_norm(weft__vjp *v, bool centred)
{
    int64_t n = v->attrs->norm.size, rows = n ? v->in[0]->a.count / n : 0;
    const int64_t shape[] = {rows, n};
    norm_shape s = {.mean_dims = {1}, .n_mean = 1, .sum_dims = {0}, .n_sum = 1, .centred = centred};
    weft_tensor *w = v->in[1] ? weft_reshape(v->in[1], shape + 1, 1) : NULL;
    compose_norm(v, weft_reshape(v->in[0], shape, 2), weft_reshape(v->g, shape, 2), w, &s, v->attrs->norm.eps);
}

void weft__vjp_layer_norm(weft__vjp *v)
{
    if (v->compose) {
        compose_row_norm(v, true);
        return;
    }
    weft_tensor *out[] = {weft__room_for(v, 0), weft__room_for(v, 1), weft__room_for(v, 2)};
    weft_tensor *in[] = {v->g, v->in[0], v->in[1], v->extra[0], v->extra[1]};
    if (v->ctx->status != WEFT_OK || weft__run_fused(v, WEFT_OP_LAYER_NORM_GRAD, in, 5, out, 3) != WEFT_OK)
        weft__drop_all(v);
}

void weft__vjp_rms_norm(weft__vjp *v)
{
    if (v->compose) {
        compose_row_norm(v, false);
        return;
    }
    weft_tensor *out[] = {weft__room_for(v, 0), weft__room_for(v, 1)};
    weft_tensor *in[] = {v->g, v->in[0], v->in[1], v->extra[0]};
    if (v->ctx->status != WEFT_OK || weft__run_fused(v, WEFT_OP_RMS_NORM_GRAD, in, 4, out, 2) != WEFT_OK)
        weft__drop_all(v);
}

void weft__vjp_batch_norm(weft__vjp *v)
{
    weft_tensor *x = v->in[0];
    if (v->compose) {
        norm_shape s = {.centred = true};
        for (int d = 0; d < x->a.ndim; d++)
            if (d != 1)
                s.mean_dims[s.n_mean++] = s.sum_dims[s.n_sum++] = d;
        const int64_t channel[WEFT__MAX_DIMS] = {1, x->a.shape[1], 1, 1, 1, 1, 1, 1};
        compose_norm(v, x, v->g, v->in[1] ? weft_reshape(v->in[1], channel, x->a.ndim) : NULL, &s,
                     v->attrs->batch_norm.eps);
        return;
    }
    weft_tensor *out[] = {weft__room_for(v, 0), weft__room_for(v, 1), weft__room_for(v, 2)};
    weft_tensor *in[] = {v->g, x, v->in[1], v->extra[0], v->extra[1]};
    if (v->ctx->status != WEFT_OK || weft__run_fused(v, WEFT_OP_BATCH_NORM_GRAD, in, 5, out, 3) != WEFT_OK)
        weft__drop_all(v);
}
