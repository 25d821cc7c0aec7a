/* vjp_layers.c - derivatives of products, convolutions, pooling, softmax, normalisation, losses. Where a fused kernel
 * exists it runs for the first order; the composition from public operations serves gradients of gradients. */
#include <math.h>
#include "core/op_def.h"
#include "vjp.h"

weft_status weft__run_fused(weft__vjp *v, int op, weft_tensor *const *in, int n_in, weft_tensor *const *out, int n_out)
{
    const weft__array *arrays[8];
    weft__array *outs[WEFT__MAX_OUT];
    for (int k = 0; k < n_in; k++)
        arrays[k] = in[k] ? &in[k]->a : NULL;
    for (int k = 0; k < n_out; k++)
        outs[k] = out[k] ? &out[k]->a : NULL;
    const bool has_attrs = weft__defs[op]->n_ints + weft__defs[op]->n_reals > 0;
    return weft__run_kernel(v->ctx, op, arrays, n_in, outs, n_out, has_attrs ? v->attrs : NULL);
}

/* An uninitialised tensor like operand k, if its gradient is wanted. */
static weft_tensor *room_for(weft__vjp *v, int k)
{
    if (!weft__wants(v, k))
        return NULL;
    const weft__array *a = &v->in[k]->a;
    return v->out[k] = weft__new(v->ctx, (int)v->node->op, (weft_dtype)a->dtype, a->shape, a->ndim);
}

static void drop_all(weft__vjp *v)
{
    for (int k = 0; k < v->node->n_in; k++)
        v->out[k] = NULL;
}

/* ---- Products ---- */

/* [..., n] as [rows, n] */
static weft_tensor *as_rows(weft_tensor *t)
{
    int64_t n = t->a.ndim > 0 ? t->a.shape[t->a.ndim - 1] : 1, rows = 1;
    for (int d = 0; d + 1 < t->a.ndim; d++)
        rows *= t->a.shape[d];
    return weft_reshape(t, (const int64_t[]){rows, n}, 2);
}

void weft__vjp_matmul(weft__vjp *v)
{
    weft_tensor *a = v->in[0], *b = v->in[1], *g = v->g;
    if (weft__wants(v, 0))
        v->out[0] = weft_matmul(g, weft_transpose(b, -1, -2));
    if (!weft__wants(v, 1))
        return;
    if (b->a.ndim == 2 && a->a.ndim > 2) /* one large product instead of a batch to be summed */
        v->out[1] = weft_matmul(weft_transpose(as_rows(a), 0, 1), as_rows(g));
    else
        v->out[1] = weft_matmul(weft_transpose(a, -1, -2), g);
}

/* The derivatives of x w^T + b, from dz, the gradient of that sum. */
static void derive_linear(weft__vjp *v, weft_tensor *dz)
{
    weft_tensor *rows = as_rows(dz);
    if (weft__wants(v, 0))
        v->out[0] = weft_reshape(weft_matmul(rows, v->in[1]), v->in[0]->a.shape, v->in[0]->a.ndim);
    if (weft__wants(v, 1) && !v->create_graph) {
        weft_tensor *in[] = {rows, as_rows(v->in[0])}, *out[] = {room_for(v, 1), room_for(v, 2)};
        if (v->ctx->status != WEFT_OK || weft__run_fused(v, WEFT_OP_LINEAR_GRAD, in, 2, out, 2) != WEFT_OK)
            drop_all(v);
        return;
    }
    if (weft__wants(v, 1))
        v->out[1] = weft_matmul(weft_transpose(rows, 0, 1), as_rows(v->in[0]));
    if (weft__wants(v, 2))
        v->out[2] = weft_sum(rows, WEFT_AXES(0), false);
}

void weft__vjp_linear(weft__vjp *v)
{
    derive_linear(v, v->g);
}

/* The gradient of the sum, by the fused gradient of the activation's own row: of RELU from y, of GELU_TANH from the
 * sum. */
static weft_tensor *through_activation(weft__vjp *v, weft_activation act)
{
    const bool relu = act == WEFT_ACTIVATION_RELU;
    const weft__array *sum = relu ? NULL : &v->extra[0]->a, *y = relu ? &v->y->a : NULL, *g = &v->g->a;
    weft_tensor *dz = weft__new(v->ctx, (int)v->node->op, (weft_dtype)g->dtype, g->shape, g->ndim);
    if (!dz || weft__run_grad(v->ctx, relu ? WEFT_OP_RELU : WEFT_OP_GELU_TANH, (const weft__array *[]){sum, y, g}, 3,
                              (weft__array *[]){&dz->a}, 1, NULL) != WEFT_OK)
        return NULL;
    return dz;
}

/* The same in public operations. The sum of GELU_TANH is made again, since the one that was kept has no history. */
static weft_tensor *compose_activation(weft__vjp *v, weft_activation act)
{
    weft_tensor *x = act == WEFT_ACTIVATION_RELU ? NULL : weft_linear(v->in[0], v->in[1], v->in[2]), *dz = NULL;
    weft__vjp of_row = *v;
    of_row.in = &x;
    of_row.out = &dz;
    (act == WEFT_ACTIVATION_RELU ? weft__vjp_relu : weft__vjp_gelu_tanh)(&of_row);
    return dz;
}

void weft__vjp_linear_act(weft__vjp *v)
{
    const weft_activation act = (weft_activation)v->attrs->linear.activation;
    weft_tensor *dz = v->g;
    if (act != WEFT_ACTIVATION_NONE)
        dz = v->create_graph ? compose_activation(v, act) : through_activation(v, act);
    if (dz)
        derive_linear(v, dz);
}

/* ---- Convolution: the three operations are each other's derivatives ---- */

static weft_conv2d_params conv_params(const weft__vjp *v)
{
    const weft__conv_attrs *a = &v->attrs->conv;
    return (weft_conv2d_params){.struct_size = sizeof(weft_conv2d_params),
                                .stride = {a->stride[0], a->stride[1]},
                                .padding = {a->padding[0], a->padding[1]},
                                .dilation = {a->dilation[0], a->dilation[1]},
                                .groups = a->groups};
}

/* The transpose of a convolution that saw an image of x's size: output_padding restores rows that the stride skipped.
 * */
static weft_tensor *back_to_image(const weft__vjp *v, weft_tensor *g, weft_tensor *w, const weft__array *x)
{
    weft_conv2d_params p = conv_params(v);
    for (int d = 0; d < 2; d++)
        p.output_padding[d] = x->shape[2 + d] - ((g->a.shape[2 + d] - 1) * p.stride[d] - 2 * p.padding[d] +
                                                 p.dilation[d] * (w->a.shape[2 + d] - 1) + 1);
    return weft_conv2d_transpose(g, w, NULL, &p);
}

void weft__vjp_conv2d(weft__vjp *v)
{
    weft_conv2d_params p = conv_params(v);
    weft_tensor *x = v->in[0], *w = v->in[1];
    if (weft__wants(v, 0))
        v->out[0] = back_to_image(v, v->g, w, &x->a);
    if (weft__wants(v, 1))
        v->out[1] = weft_conv2d_weight(x, v->g, w->a.shape + 2, &p);
    if (weft__wants(v, 2))
        v->out[2] = weft_sum(v->g, WEFT_AXES(0, 2, 3), false);
}

void weft__vjp_conv2d_transpose(weft__vjp *v)
{
    weft_conv2d_params p = conv_params(v);
    weft_tensor *x = v->in[0], *w = v->in[1];
    if (weft__wants(v, 0))
        v->out[0] = weft_conv2d(v->g, w, NULL, &p);
    if (weft__wants(v, 1))
        v->out[1] = weft_conv2d_weight(v->g, x, w->a.shape + 2, &p);
    if (weft__wants(v, 2))
        v->out[2] = weft_sum(v->g, WEFT_AXES(0, 2, 3), false);
}

void weft__vjp_conv2d_weight(weft__vjp *v)
{
    weft_conv2d_params p = conv_params(v);
    weft_tensor *x = v->in[0], *g = v->in[1];
    if (weft__wants(v, 0))
        v->out[0] = back_to_image(v, g, v->g, &x->a);
    if (weft__wants(v, 1))
        v->out[1] = weft_conv2d(x, v->g, NULL, &p);
}

/* ---- Pooling ---- */

static weft_pool2d_params pool_params(const weft__vjp *v)
{
    const weft__pool_attrs *a = &v->attrs->pool;
    return (weft_pool2d_params){.struct_size = sizeof(weft_pool2d_params),
                                .kernel = {a->kernel[0], a->kernel[1]},
                                .stride = {a->stride[0], a->stride[1]},
                                .padding = {a->padding[0], a->padding[1]}};
}

void weft__vjp_max_pool2d(weft__vjp *v)
{
    const weft__array *x = &v->in[0]->a, *g = &v->g->a;
    if (!v->create_graph) {
        weft_tensor *dx = room_for(v, 0), *in[] = {v->g, v->extra[0]};
        if (dx && weft__run_fused(v, WEFT_OP_MAX_POOL2D_GRAD, in, 2, &dx, 1) != WEFT_OK)
            drop_all(v);
        return;
    }
    int64_t planes = x->shape[0] * x->shape[1];
    const int64_t *pooled = (const int64_t[]){planes, g->shape[2] * g->shape[3]};
    weft_tensor *zeros =
        weft_zeros(v->ctx, (weft_dtype)g->dtype, (const int64_t[]){planes, x->shape[2] * x->shape[3]}, 2);
    weft_tensor *index = weft_reshape(v->extra[0], pooled, 2);
    v->out[0] = weft_reshape(weft_scatter_add(zeros, index, weft_reshape(v->g, pooled, 2), 1), x->shape, 4);
}

void weft__vjp_avg_pool2d(weft__vjp *v)
{
    weft_pool2d_params p = pool_params(v);
    v->out[0] = weft_avg_unpool2d(v->g, v->in[0]->a.shape + 2, &p);
}

void weft__vjp_avg_unpool2d(weft__vjp *v)
{
    weft_pool2d_params p = pool_params(v);
    v->out[0] = weft_avg_pool2d(v->g, &p);
}

/* ---- Softmax and dropout ---- */

static void softmax_fused(weft__vjp *v, int op)
{
    weft_tensor *dx = room_for(v, 0), *in[] = {v->y, v->g};
    if (dx && weft__run_fused(v, op, in, 2, &dx, 1) != WEFT_OK)
        drop_all(v);
}

void weft__vjp_softmax(weft__vjp *v)
{
    if (!v->create_graph) {
        softmax_fused(v, WEFT_OP_SOFTMAX_GRAD);
        return;
    }
    /* y (g - sum(g y)), taking off all g that of a y above a half, as the kernels do */
    weft_tensor *most = weft_gt(v->y, weft__constant(v, 0.5));
    weft_tensor *base = weft_where(most, weft_detach(v->g), weft__constant(v, 0));
    weft_tensor *g = weft_sub(v->g, weft_sum(base, WEFT_AXES(v->attrs->along.dim), true));
    v->out[0] = weft_mul(v->y, weft_sub(g, weft_sum(weft_mul(g, v->y), WEFT_AXES(v->attrs->along.dim), true)));
}

void weft__vjp_log_softmax(weft__vjp *v)
{
    if (!v->create_graph) {
        softmax_fused(v, WEFT_OP_LOG_SOFTMAX_GRAD);
        return;
    }
    weft_tensor *total = weft_sum(v->g, WEFT_AXES(v->attrs->along.dim), true);
    v->out[0] = weft_sub(v->g, weft_mul(weft_exp(v->y), total));
}

void weft__vjp_dropout(weft__vjp *v)
{
    weft_tensor *mask = v->extra[0];
    const double p = v->attrs->chance.p;
    if (v->create_graph) {
        const double scale = p < 1 ? 1 / (1 - p) : 0;
        v->out[0] = weft_where(mask, weft_mul_scalar(v->g, scale), weft_zeros_like(v->g));
        return;
    }
    const weft__attrs attrs = {WEFT__COUNTS(dropout_grad), .dropout_grad = {.p = p}};
    weft_tensor *dx = room_for(v, 0);
    if (dx && weft__run_kernel(v->ctx, WEFT_OP_DROPOUT_GRAD, (const weft__array *[]){&v->g->a, &mask->a}, 2,
                               (weft__array *[]){&dx->a}, 1, &attrs) != WEFT_OK)
        drop_all(v);
}

/* ---- Cross entropy: (softmax(x) - q) times the row's weight ---- */

/* Rows that do not count are put away before anything is made of them: 0 times their NaN would be NaN. */
static void compose_cross_entropy(weft__vjp *v, weft_tensor *x, weft_tensor *target)
{
    weft_dtype dtype = (weft_dtype)v->g->a.dtype;
    double smoothing = v->attrs->cross_entropy.label_smoothing, classes = (double)x->a.shape[x->a.ndim - 1];
    weft_tensor *zero = weft__constant(v, 0);
    weft_tensor *counts = weft_ne(target, weft_full_like(target, (double)v->attrs->cross_entropy.ignore_index));
    weft_tensor *chosen = weft_unsqueeze(weft_where(counts, target, weft_zeros_like(target)), -1);
    weft_tensor *ones = weft_cast(weft_full_like(chosen, 1), dtype);
    weft_tensor *q = weft_scatter_add(weft_full_like(weft_detach(x), smoothing / classes), chosen,
                                      weft_mul_scalar(ones, 1 - smoothing), -1);
    weft_tensor *weight = weft_where(counts, v->g, zero);
    if (v->attrs->cross_entropy.reduction == WEFT_REDUCTION_MEAN)
        weight = weft_div(weight, weft_clamp(weft_sum(weft_cast(counts, dtype), WEFT_ALL, false), 1, 9e15));
    x = weft_where(weft_unsqueeze(counts, -1), x, zero);
    v->out[0] = weft_mul(weft_sub(weft_softmax(x, -1), q), weft_unsqueeze(weight, -1));
}

void weft__vjp_cross_entropy_with(weft__vjp *v)
{
    weft_tensor *x = v->in[0], *target = v->in[1];
    if (!v->create_graph) {
        weft_tensor *dx = room_for(v, 0), *in[] = {x, target, v->extra[0], v->g};
        if (dx && weft__run_fused(v, WEFT_OP_CROSS_ENTROPY_GRAD, in, 4, &dx, 1) != WEFT_OK)
            drop_all(v);
        return;
    }
    compose_cross_entropy(v, x, target);
}

/* ---- Attention ----
 * With P = softmax(scale q k^T):  dv = P^T g, dS = P (g v^T - rowsum(g y)) scale, dq = dS k, dk = dS^T q. */

/* [T, S]: whether query t sees key s. The last query sees all. */
static weft_tensor *seen_keys(weft__vjp *v)
{
    const int n = v->in[0]->a.ndim;
    const int64_t queries = v->in[0]->a.shape[n - 2], keys = v->in[1]->a.shape[n - 2];
    const double first = (double)(keys - queries);
    weft_tensor *last_seen = weft_arange(v->ctx, WEFT_I64, first, first + (double)queries, 1);
    return weft_ge(weft_unsqueeze(last_seen, 1), weft_arange(v->ctx, WEFT_I64, 0, (double)keys, 1));
}

/* What a mask hides must not come through, and 0 times NaN would. Where operands of a causal attention hold NaN or
 * infinities, those count as 0 in the composition, and rows of the gradients that they do reach are made NaN at its
 * end. */
typedef struct trouble {
    weft_tensor *seen;
    weft_tensor *of_scores,
        *of_slopes; /* [.., T, 1]: queries that it reaches by p, and by dS too; NULL: there is none */
} trouble;

static weft_tensor *rows_in_trouble(weft_tensor *x)
{
    return weft_any(weft_logical_not(weft_isfinite(x)), WEFT_AXES(-1), true);
}

/* [.., T, 1]: queries that see one of these rows [.., S, 1] */
static weft_tensor *who_sees(const trouble *t, weft_tensor *rows)
{
    return weft_any(weft_logical_and(t->seen, weft_transpose(rows, -1, -2)), WEFT_AXES(-1), true);
}

/* Looks for it in q, k, v and g, and replaces them by what can be computed with. */
static trouble find_trouble(weft__vjp *v, weft_tensor *seen, weft_tensor *in[4])
{
    trouble t = {.seen = seen};
    int64_t n = 0;
    for (int k = 0; seen && k < 4; k++)
        n += in[k] ? weft__count_nonfinite(v->ctx, &in[k]->a) : 0;
    if (n == 0)
        return t;
    weft_tensor *own = weft_logical_or(rows_in_trouble(in[0]), rows_in_trouble(in[3]));
    own = weft_logical_and(own, weft_any(seen, WEFT_AXES(-1), true)); /* a query that sees no key gives zeros */
    t.of_scores = weft_logical_or(own, who_sees(&t, rows_in_trouble(in[1])));
    t.of_slopes = weft_logical_or(t.of_scores, who_sees(&t, rows_in_trouble(in[2])));
    for (int k = 0; k < 4; k++)
        in[k] = weft_where(weft_isfinite(in[k]), in[k], weft_zeros_like(in[k]));
    return t;
}

/* dx, NaN in rows that trouble reaches: that of queries, or of keys that such queries see. */
static weft_tensor *with_trouble(const trouble *t, weft_tensor *dx, weft_tensor *queries, bool of_keys)
{
    if (!queries || !dx)
        return dx;
    weft_tensor *rows = queries;
    if (of_keys)
        rows = weft_transpose(weft_any(weft_logical_and(t->seen, queries), WEFT_AXES(-2), true), -1, -2);
    return weft_where(rows, weft_full_like(dx, (double)NAN), dx);
}

static void compose_attention(weft__vjp *v)
{
    weft_tensor *in[] = {v->in[0], v->in[1], v->in[2], v->g};
    weft_tensor *seen = v->attrs->attention.causal ? seen_keys(v) : NULL;
    const trouble t = find_trouble(v, seen, in);
    weft_tensor *q = in[0], *k = in[1], *value = in[2], *g = in[3];
    weft_tensor *scores = weft_mul_scalar(weft_matmul(q, weft_transpose(k, -1, -2)), v->attrs->attention.scale);
    if (scores && seen)
        scores = weft_where(seen, scores, weft_scalar(v->ctx, (weft_dtype)scores->a.dtype, -(double)INFINITY));
    weft_tensor *p = weft_softmax(scores, -1);
    if (weft__wants(v, 2))
        v->out[2] = with_trouble(&t, weft_matmul(weft_transpose(p, -1, -2), g), t.of_scores, true);
    if (!weft__wants(v, 0) && !weft__wants(v, 1))
        return;
    weft_tensor *dp = weft_matmul(g, weft_transpose(value, -1, -2));
    weft_tensor *inner = weft_sum(weft_mul(dp, p), WEFT_AXES(-1), true);
    weft_tensor *ds = weft_mul_scalar(weft_mul(p, weft_sub(dp, inner)), v->attrs->attention.scale);
    if (weft__wants(v, 0))
        v->out[0] = with_trouble(&t, weft_matmul(ds, k), t.of_slopes, false);
    if (weft__wants(v, 1))
        v->out[1] = with_trouble(&t, weft_matmul(weft_transpose(ds, -1, -2), q), t.of_slopes, true);
}

void weft__vjp_attention(weft__vjp *v)
{
    if (v->create_graph) {
        compose_attention(v);
        return;
    }
    weft_tensor *out[] = {room_for(v, 0), room_for(v, 1), room_for(v, 2)};
    weft_tensor *in[] = {v->in[0], v->in[1], v->in[2], v->y, v->extra[0], v->g};
    if (v->ctx->status != WEFT_OK || weft__run_fused(v, WEFT_OP_ATTENTION_GRAD, in, 6, out, 3) != WEFT_OK)
        drop_all(v);
}

/* ---- Normalisation ----
 * With h = (x - mean) r, r = 1 / sqrt(var + eps) and u = g w:  dx = r (u - mean(u) - h mean(u h)), dw = sum g h, db =
 * sum g, means over what is normalised together. Source: Ioffe & Szegedy 2015, Ba et al. 2016; RMS norm lacks the mean
 * terms. */

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
    if (v->create_graph) {
        compose_row_norm(v, true);
        return;
    }
    weft_tensor *out[] = {room_for(v, 0), room_for(v, 1), room_for(v, 2)};
    weft_tensor *in[] = {v->g, v->in[0], v->in[1], v->extra[0], v->extra[1]};
    if (v->ctx->status != WEFT_OK || weft__run_fused(v, WEFT_OP_LAYER_NORM_GRAD, in, 5, out, 3) != WEFT_OK)
        drop_all(v);
}

void weft__vjp_rms_norm(weft__vjp *v)
{
    if (v->create_graph) {
        compose_row_norm(v, false);
        return;
    }
    weft_tensor *out[] = {room_for(v, 0), room_for(v, 1)};
    weft_tensor *in[] = {v->g, v->in[0], v->in[1], v->extra[0]};
    if (v->ctx->status != WEFT_OK || weft__run_fused(v, WEFT_OP_RMS_NORM_GRAD, in, 4, out, 2) != WEFT_OK)
        drop_all(v);
}

void weft__vjp_batch_norm(weft__vjp *v)
{
    weft_tensor *x = v->in[0];
    if (v->create_graph) {
        norm_shape s = {.centred = true};
        for (int d = 0; d < x->a.ndim; d++)
            if (d != 1)
                s.mean_dims[s.n_mean++] = s.sum_dims[s.n_sum++] = d;
        const int64_t channel[WEFT__MAX_DIMS] = {1, x->a.shape[1], 1, 1, 1, 1, 1, 1};
        compose_norm(v, x, v->g, v->in[1] ? weft_reshape(v->in[1], channel, x->a.ndim) : NULL, &s,
                     v->attrs->batch_norm.eps);
        return;
    }
    weft_tensor *out[] = {room_for(v, 0), room_for(v, 1), room_for(v, 2)};
    weft_tensor *in[] = {v->g, x, v->in[1], v->extra[0], v->extra[1]};
    if (v->ctx->status != WEFT_OK || weft__run_fused(v, WEFT_OP_BATCH_NORM_GRAD, in, 5, out, 3) != WEFT_OK)
        drop_all(v);
}
