/* pool2d.c - pooling. */
#include "pool2d.h"

#define SUMS WORK(weft__terms_ratio, weft__flops_each, weft__bytes_once)

/* Pooled height and width of a plane; false if no window fits. */
static bool pooled(const weft__pool_attrs *a, const int64_t *plane, int64_t *out)
{
    for (int d = 0; d < 2; d++) {
        if (plane[d] < 1 || plane[d] > INT64_MAX / 2) /* then nothing below overflows */
            return false;
        const int64_t room = plane[d] + 2 * a->padding[d] - a->kernel[d];
        if (room < 0)
            return false;
        out[d] = room / a->stride[d] + 1;
    }
    return true;
}

/* The windows' results, and of the largest elements their places. */
static bool infer_pooled(weft__infer *q)
{
    const weft__pool_attrs *a = &q->attrs->pool;
    if (!weft__has_rank(q, 0, 4, 4))
        return false;
    weft__infer_like(q);
    if (!pooled(a, q->in[0]->shape + 2, q->out[0].shape + 2))
        return weft__refuse(q, WEFT_E_SHAPE, "a window of %lld x %lld does not fit into %s; use a smaller kernel",
                            (long long)a->kernel[0], (long long)a->kernel[1], weft__operand_text(q, 0).s);
    if (q->def->n_out > 1)
        weft__set_result(q, 1, WEFT_I64, q->out[0].shape, 4);
    return true;
}

static bool infer_unpooled(weft__infer *q)
{
    const weft__pool_attrs *a = &q->attrs->pool;
    int64_t plane[2];
    if (!weft__has_rank(q, 0, 4, 4))
        return false;
    const int64_t *g = q->in[0]->shape;
    if (!pooled(a, a->size, plane) || plane[0] != g[2] || plane[1] != g[3])
        return weft__refuse(q, WEFT_E_SHAPE, "g is %s, which is not what pooling [.., %lld, %lld] gives",
                            weft__operand_text(q, 0).s, (long long)a->size[0], (long long)a->size[1]);
    weft__set_result(q, 0, q->dtype[0], (const int64_t[]){g[0], g[1], a->size[0], a->size[1]}, 4);
    return true;
}

/* i: kernel, stride, padding (two each) */
static weft_pool2d_params params_of(const int64_t *i)
{
    return (weft_pool2d_params){sizeof(weft_pool2d_params), .kernel = {i[0], i[1]}, .stride = {i[2], i[3]},
                                .padding = {i[4], i[5]}};
}

CALL(max_pool2d)
{
    weft_pool2d_params params = params_of(c->i);
    c->out[0] = weft_max_pool2d(c->in[0], &params);
}

CALL(avg_pool2d)
{
    weft_pool2d_params params = params_of(c->i);
    c->out[0] = weft_avg_pool2d(c->in[0], &params);
}

/* i: height, width, then as above */
CALL(avg_unpool2d)
{
    weft_pool2d_params params = params_of(c->i + 2);
    c->out[0] = weft_avg_unpool2d(c->in[0], c->i, &params);
}

/* The index of each largest element is kept, and is all that the derivative reads. */
WEFT__DEFINE(MAX_POOL2D, max_pool2d, OPERANDS(FLOATS), ATTRS(pool), INFER(infer_pooled, AS_GIVEN),
             RESULTS(1, EXACT, EXACT), EFFECT(PURE),
             DERIVATIVE(weft__vjp_max_pool2d, ROUNDS_ONCE, READS(NOTHING), MAX_POOL2D_GRAD,
                        GRADIENT("g at the place of each window's largest element")),
             SUMS, SAMPLE(call_max_pool2d, RECIPE("xabcd", "2 2 2 2 0 0"), RECIPE("x2398", "3 2 2 2 1 1")))
WEFT__DEFINE(MAX_POOL2D_GRAD, max_pool2d_grad, OPERANDS(FLOATS, POSITIONS), ATTRS(pool), NO_INFER, RESULTS(0, SUMMED),
             EFFECT(PURE), NO_DERIVATIVE, SUMS, SAMPLE_OF(MAX_POOL2D))
WEFT__DEFINE(AVG_POOL2D, avg_pool2d, OPERANDS(FLOATS), ATTRS(pool), INFER(infer_pooled, AS_GIVEN), RESULTS(1, SUMMED),
             EFFECT(PURE),
             DERIVATIVE(weft__vjp_avg_pool2d, ROUNDS_ONCE, READS(NOTHING), NO_KERNEL, GRADIENT("avg_unpool2d(g)")),
             SUMS, SAMPLE(call_avg_pool2d, RECIPE("xabcd", "2 2 2 2 0 0"), RECIPE("x2398", "3 2 2 2 1 1")))
WEFT__DEFINE(AVG_UNPOOL2D, avg_unpool2d, OPERANDS(FLOATS), ATTRS(pool), INFER(infer_unpooled, AS_GIVEN),
             RESULTS(1, SUMMED), EFFECT(PURE),
             DERIVATIVE(weft__vjp_avg_unpool2d, ROUNDS_ONCE, READS(NOTHING), NO_KERNEL, GRADIENT("avg_pool2d(g)")),
             SUMS, SAMPLE(call_avg_unpool2d, RECIPE("xabcd", "2c 2d 2 2 2 2 0 0"), RECIPE("x2355", "9 8 3 2 2 2 1 1")))

/* ---- Front ends ---- */

bool weft__pool2d_attrs(weft_ctx *ctx, int op, const weft_pool2d_params *params, const weft_tensor *x,
                        weft__attrs *attrs)
{
    enum { MOST = INT32_MAX - 1 };
    static const weft_pool2d_params defaults = WEFT_POOL2D_DEFAULTS;
    weft_pool2d_params known, *p = &known;
    if (!params) {
        weft__fail(ctx, op, WEFT_E_INVALID, "params is NULL, but must give the kernel's sizes; the operand is %s",
                   weft__describe(x).s);
        return false;
    }
    if (weft_struct_in(ctx, weft__ops[op].name, "weft_pool2d_params", &defaults, params, p) != WEFT_OK)
        return false;
    for (int d = 0; d < 2; d++) {
        const bool as_kernel = p->stride[d] == WEFT_POOL2D_KERNEL;
        if (!weft__field_fits(ctx, op, "kernel", d, p->kernel[d], 1, MOST, x) ||
            (!as_kernel && !weft__field_fits(ctx, op, "stride", d, p->stride[d], 1, MOST, x)))
            return false;
        if (p->padding[d] < 0 || p->padding[d] > p->kernel[d] / 2) {
            weft__fail(
                ctx, op, WEFT_E_INVALID,
                "padding[%d] is %lld, but must be from 0 to half the kernel, whose size is %lld; the operand is %s", d,
                (long long)p->padding[d], (long long)p->kernel[d], weft__describe(x).s);
            return false;
        }
        attrs->pool.kernel[d] = p->kernel[d];
        attrs->pool.stride[d] = as_kernel ? p->kernel[d] : p->stride[d];
        attrs->pool.padding[d] = p->padding[d];
        attrs->pool.size[d] = 0;
    }
    return true;
}

static weft_tensor *pool2d(int op, weft_tensor *x, const weft_pool2d_params *params)
{
    weft_tensor *out[2], *y = NULL;
    weft__attrs attrs;
    weft_ctx *ctx = weft__begin(op, &x, 1);
    if (!ctx)
        return NULL;
    if (weft__pool2d_attrs(ctx, op, params, x, &attrs) && weft__complete(ctx, op, &x, 1, &attrs, out))
        y = out[0];
    return weft__leave_with(ctx, y);
}

weft_tensor *weft_max_pool2d(weft_tensor *x, const weft_pool2d_params *params)
{
    return pool2d(WEFT_OP_MAX_POOL2D, x, params);
}

weft_tensor *weft_avg_pool2d(weft_tensor *x, const weft_pool2d_params *params)
{
    return pool2d(WEFT_OP_AVG_POOL2D, x, params);
}

weft_tensor *weft_avg_unpool2d(weft_tensor *g, const int64_t *size, const weft_pool2d_params *params)
{
    enum { OP = WEFT_OP_AVG_UNPOOL2D };
    weft_tensor *out[1], *y = NULL;
    weft__attrs attrs;
    weft_ctx *ctx = weft__begin(OP, &g, 1);
    if (!ctx)
        return NULL;
    if (!size || size[0] < 1 || size[1] < 1) {
        weft__fail(ctx, OP, WEFT_E_INVALID, "size is %s, but must hold height and width of at least 1; g is %s",
                   size ? weft__shape_text(size, 2).s : "NULL", weft__describe(g).s);
    } else if (weft__pool2d_attrs(ctx, OP, params, g, &attrs)) {
        attrs.pool.size[0] = size[0];
        attrs.pool.size[1] = size[1];
        y = weft__complete(ctx, OP, &g, 1, &attrs, out) ? out[0] : NULL;
    }
    return weft__leave_with(ctx, y);
}

/* ---- Derivatives ---- */

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
    if (!v->compose) {
        weft_tensor *dx = weft__room_for(v, 0), *in[] = {v->g, v->extra[0]};
        if (dx && weft__run_fused(v, WEFT_OP_MAX_POOL2D_GRAD, in, 2, &dx, 1) != WEFT_OK)
            weft__drop_all(v);
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
