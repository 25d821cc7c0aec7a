/* dispatch.c - runs an operation: check, infer, allocate, run the kernel, record. The elementwise and reduction
 * families are here whole; other rows have a front end of their own that ends in weft__run. */
#include <stdarg.h>
#include <stdio.h>
#include "drive.h"
#include "observe.h"
#include "supports.h"

enum { MAX_SCRATCH = 32 };

/* What a running kernel's host services work on. */
typedef struct running {
    weft_ctx *ctx;
    int n_scratch;
    weft__storage *scratch[MAX_SCRATCH];
} running;

static weft_status host_fail(const weft__exec *e, weft_status status, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    weft_text_list(text, sizeof text, format, args);
    va_end(args);
    return weft__fail(((running *)e->core)->ctx, (int)e->op, status, "%s", text);
}

static void *host_scratch(const weft__exec *e, size_t bytes)
{
    running *r = e->core;
    weft__storage *s = r->n_scratch < MAX_SCRATCH ? weft__storage_new(r->ctx, bytes) : NULL;
    if (!s) {
        if (bytes == SIZE_MAX)
            weft__fail(r->ctx, (int)e->op, WEFT_E_NOMEM, "it needs more bytes of work space than can be addressed");
        else
            weft__fail(
                r->ctx, (int)e->op, WEFT_E_NOMEM,
                "out of memory for %zu bytes of work space; %zu bytes are in use%s; use smaller batches or raise the "
                "budget",
                bytes, r->ctx->live_bytes, weft__budget_text(r->ctx).s);
        return NULL;
    }
    r->scratch[r->n_scratch++] = s;
    return s->data;
}

static const weft__host host = {.struct_size = sizeof host,
                                .fail = host_fail,
                                .scratch = host_scratch,
                                .drive = weft__drive,
                                .checks_positions = weft__checks_positions};

static weft_status launch(weft_ctx *ctx, weft__kernel kernel, weft__exec *e)
{
    running r;
    r.ctx = ctx;
    r.n_scratch = 0;
    e->core = &r;
    weft_status status = kernel(e);
    while (r.n_scratch > 0)
        weft__storage_release(ctx, r.scratch[--r.n_scratch]);
    return status;
}

static __attribute__((noinline)) weft_status launch_observed(weft_ctx *ctx, weft__kernel kernel, weft__exec *e)
{
    weft__launch l = {.ctx = ctx,
                      .op = (int)e->op,
                      .grad = kernel == ctx->backend->grad[e->op],
                      .in = e->in,
                      .out = e->out,
                      .n_in = e->n_in,
                      .n_out = e->n_out,
                      .attrs = e->attrs};
    weft__launch_begins(&l);
    weft_status status = launch(ctx, kernel, e);
    weft__launch_ends(&l, status);
    return status;
}

/* Of a device that may lack a kernel for the row, or for what it would get: WEFT_OK if it has it. */
static __attribute__((noinline, cold)) weft_status check_kernel(weft_ctx *ctx, weft__kernel kernel, int op,
                                                                const weft__array *const *in, int n_in,
                                                                weft__array *const *out, int n_out)
{
    const int32_t dtype = weft__data_dtype(op, in, n_in, out, n_out);
    if (kernel && weft__backend_supports(ctx->backend, op, dtype))
        return WEFT_OK;
    char why[512];
    weft__say_unsupported(ctx->backend, op, dtype, why, sizeof why);
    return weft__fail(ctx, op, WEFT_E_UNSUPPORTED, "%s", why);
}

static weft_status run(weft_ctx *ctx, weft__kernel kernel, int op, const weft__array *const *in, int n_in,
                       weft__array *const *out, int n_out, const weft__attrs *attrs)
{
    if (__builtin_expect(!kernel || ctx->backend->supports, 0) &&
        check_kernel(ctx, kernel, op, in, n_in, out, n_out) != WEFT_OK)
        return ctx->status;
    weft__exec e = {.op = (weft_op)op,
                    .n_in = n_in,
                    .n_out = n_out,
                    .in = in,
                    .out = out,
                    .attrs = attrs,
                    .host = &host,
                    .device = ctx->device};
    weft_status status =
        __builtin_expect(ctx->observer != NULL, 0) ? launch_observed(ctx, kernel, &e) : launch(ctx, kernel, &e);
    if (status != WEFT_OK && ctx->status == WEFT_OK)
        weft__fail(ctx, op, status, "the kernel failed: %s", weft_status_text(status));
    return status;
}

weft_status weft__run_kernel(weft_ctx *ctx, int op, const weft__array *const *in, int n_in, weft__array *const *out,
                             int n_out, const weft__attrs *attrs)
{
    return run(ctx, ctx->backend->run[op], op, in, n_in, out, n_out, attrs);
}

weft_status weft__run_grad(weft_ctx *ctx, int op, const weft__array *const *in, int n_in, weft__array *const *out,
                           int n_out, const weft__attrs *attrs)
{
    return run(ctx, ctx->backend->grad[op], op, in, n_in, out, n_out, attrs);
}

weft_tensor *weft__run(weft__call *call)
{
    enum { FEW = 16 };
    weft_ctx *ctx = call->ctx;
    const weft__array *few[FEW];
    const weft__array **arrays = few;
    if (call->arrays) {
        arrays = (const weft__array **)call->arrays;
    } else {
        if (call->n_in > FEW && !(arrays = weft__host_alloc(ctx, sizeof *arrays * (size_t)call->n_in)))
            return weft__fail(ctx, call->op, WEFT_E_NOMEM, "out of memory for %d operands", call->n_in), NULL;
        for (int k = 0; k < call->n_in; k++)
            arrays[k] = call->in[k] ? &call->in[k]->a : NULL;
    }
    weft__array *outs[WEFT__MAX_OUT];
    for (int k = 0; k < call->n_out; k++)
        outs[k] = call->out[k] ? &call->out[k]->a : NULL;
    weft_status status =
        run(ctx, ctx->backend->run[call->op], call->op, arrays, call->n_in, outs, call->n_out, call->attrs);
    if (!call->arrays && arrays != few)
        weft__host_free(ctx, arrays, sizeof *arrays * (size_t)call->n_in);
    if (status != WEFT_OK || (ctx->options.nan_watch &&
                              !weft__watch_result(ctx, weft__ops[call->op].name, call->in, call->n_in, call->out[0])))
        return NULL;
    if (!call->no_record && !weft__record(call))
        return NULL;
    return call->out[0];
}

/* ---- Elementwise families ---- */

static bool is_number(int op)
{
    return weft__ops[op].cls == WEFT__NUM;
}

weft_tensor *weft__unary(int op, weft_tensor *x, double p, double q)
{
    weft_ctx *ctx = weft__enter(op, &x, 1, 0);
    if (!ctx)
        return NULL;
    weft_tensor *y = NULL;
    weft__attrs attrs;
    attrs.ni = 0;
    attrs.nf = weft__ops[op].family == WEFT__UNARY_P ? 2 : 0;
    attrs.f[0] = p;
    attrs.f[1] = q;
    bool fits = attrs.nf == 0 || weft__scalars_fit(ctx, op, p, q, x);
    x = fits ? weft__as_class(x, weft__ops[op].cls) : NULL;
    if (x)
        y = weft__new(ctx, op, (weft_dtype)x->a.dtype, x->a.shape, x->a.ndim);
    if (y) {
        weft__call call = {.op = op, .ctx = ctx, .in = &x, .n_in = 1, .out = {y}, .n_out = 1, .attrs = &attrs};
        y = weft__run(&call);
    }
    return weft__leave_with(ctx, y);
}

weft_tensor *weft__predicate(int op, weft_tensor *x)
{
    weft_ctx *ctx = weft__enter(op, &x, 1, 0);
    if (!ctx)
        return NULL;
    weft_tensor *y = weft__new(ctx, op, WEFT_BOOL, x->a.shape, x->a.ndim);
    if (y) {
        weft__call call = {.op = op, .ctx = ctx, .in = &x, .n_in = 1, .out = {y}, .n_out = 1};
        y = weft__run(&call);
    }
    return weft__leave_with(ctx, y);
}

/* Both operands in their common dtype. */
static bool promote(int op, weft_tensor **a, weft_tensor **b, bool keep_bool)
{
    weft_dtype dtype = weft_promote((weft_dtype)(*a)->a.dtype, (weft_dtype)(*b)->a.dtype);
    if (!is_number(op) && !weft_dtype_is_float(dtype))
        dtype = WEFT_F32;
    if (dtype == WEFT_BOOL && !keep_bool)
        dtype = WEFT_I64;
    if ((weft_dtype)(*a)->a.dtype != dtype)
        *a = weft__cast(*a, dtype);
    if ((weft_dtype)(*b)->a.dtype != dtype)
        *b = weft__cast(*b, dtype);
    return *a && *b;
}

/* Runs an operation whose operands broadcast to the result's shape. */
static weft_tensor *run_broadcast(weft_ctx *ctx, int op, weft_dtype dtype, weft_tensor *const *in, int n,
                                  const int64_t *shape, int ndim)
{
    weft_tensor *y = weft__new(ctx, op, dtype, shape, ndim);
    if (!y)
        return NULL;
    weft__array expanded[3];
    const weft__array *arrays[3];
    for (int k = 0; k < n; k++) {
        arrays[k] = &in[k]->a;
        if (!weft__same_shape(arrays[k], &y->a)) {
            expanded[k] = weft__expanded(arrays[k], shape, ndim);
            arrays[k] = &expanded[k];
        }
    }
    weft__attrs attrs;
    attrs.ni = attrs.nf = 0;
    weft__call call = {
        .op = op, .ctx = ctx, .in = in, .n_in = n, .arrays = arrays, .out = {y}, .n_out = 1, .attrs = &attrs};
    return weft__run(&call);
}

static weft_tensor *two_operands(int op, weft_tensor *a, weft_tensor *b, bool compare)
{
    weft_tensor *in[2] = {a, b};
    weft_ctx *ctx = weft__enter(op, in, 2, 0);
    if (!ctx)
        return NULL;
    weft_tensor *y = NULL;
    int64_t shape[WEFT__MAX_DIMS];
    int ndim;
    if (!weft__localise(ctx, in, 2))
        y = NULL;
    else if (!weft__broadcast(&a->a, &b->a, shape, &ndim))
        weft__fail(
            ctx, op, WEFT_E_SHAPE,
            "shapes do not broadcast: %s and %s; sizes must agree or be 1, counted from the last dim; reshape or "
            "unsqueeze one of them",
            weft__describe(a).s, weft__describe(b).s);
    else if (a->a.dtype == b->a.dtype
                 ? (weft_dtype_is_float((weft_dtype)a->a.dtype) || promote(op, &in[0], &in[1], compare))
                 : promote(op, &in[0], &in[1], compare))
        y = run_broadcast(ctx, op, compare ? WEFT_BOOL : (weft_dtype)in[0]->a.dtype, in, 2, shape, ndim);
    return weft__leave_with(ctx, y);
}

weft_tensor *weft__binary(int op, weft_tensor *a, weft_tensor *b)
{
    return two_operands(op, a, b, false);
}

weft_tensor *weft__compare(int op, weft_tensor *a, weft_tensor *b)
{
    return two_operands(op, a, b, true);
}

weft_tensor *weft__ternary(int op, weft_tensor *c, weft_tensor *a, weft_tensor *b)
{
    weft_tensor *in[3] = {c, a, b};
    weft_ctx *ctx = weft__enter(op, in, 3, 0);
    if (!ctx)
        return NULL;
    weft_tensor *y = NULL;
    weft__array joint;
    int64_t shape[WEFT__MAX_DIMS];
    int ndim;
    if (!weft__localise(ctx, in, 3)) {
        return weft__leave_with(ctx, NULL);
    }
    bool fits = weft__broadcast(&a->a, &b->a, joint.shape, &joint.ndim) && weft__broadcast(&c->a, &joint, shape, &ndim);
    if (!fits) {
        weft__fail(ctx, op, WEFT_E_SHAPE, "shapes do not broadcast: condition %s, %s and %s; sizes must agree or be 1",
                   weft__describe(c).s, weft__describe(a).s, weft__describe(b).s);
    } else {
        if (c->a.dtype != WEFT_BOOL) {
            in[0] = weft__cast(in[0], WEFT_BOOL);
        }
        if (in[0] && promote(op, &in[1], &in[2], true))
            y = run_broadcast(ctx, op, (weft_dtype)in[1]->a.dtype, in, 3, shape, ndim);
    }
    return weft__leave_with(ctx, y);
}

/* ---- Reductions ---- */

static bool refuses_empty(int op)
{
    return op == WEFT_OP_MAX_OVER || op == WEFT_OP_MIN_OVER || op == WEFT_OP_ARGMAX || op == WEFT_OP_ARGMIN;
}

/* Of the result. Integers add up in i64, and bool counts as them. */
static weft_dtype reduced_dtype(int op, weft_dtype dtype)
{
    if (weft__ops[op].result != WEFT__SAME)
        return weft__ops[op].result == WEFT__INDEX ? WEFT_I64 : WEFT_BOOL;
    const bool adds_up = op == WEFT_OP_SUM || op == WEFT_OP_PROD;
    return !weft_dtype_is_float(dtype) && (adds_up || dtype == WEFT_BOOL) ? WEFT_I64 : dtype;
}

/* The largest truth value, found among bytes: the operand is never converted, the result is. */
static weft_tensor *reduce_truths(weft_ctx *ctx, int op, weft_tensor *x, const int64_t *shape, int ndim,
                                  weft__attrs *attrs)
{
    weft__array bytes = x->a;
    bytes.dtype = WEFT_U8;
    weft_tensor *y = weft__new(ctx, op, WEFT_U8, shape, ndim);
    const weft__array *arrays[] = {&bytes};
    weft__call call = {
        .op = op, .ctx = ctx, .in = &x, .n_in = 1, .arrays = arrays, .out = {y}, .n_out = 1, .attrs = attrs};
    return y && weft__run(&call) ? weft__cast(y, WEFT_I64) : NULL;
}

static weft_tensor *reduce_over(weft_ctx *ctx, int op, weft_tensor *x, int mask, bool keepdim)
{
    int64_t shape[WEFT__MAX_DIMS], reduced = 1;
    int ndim = 0;
    for (int d = 0; d < x->a.ndim; d++) {
        if (mask >> d & 1)
            reduced *= x->a.shape[d];
        if (!(mask >> d & 1) || keepdim)
            shape[ndim++] = mask >> d & 1 ? 1 : x->a.shape[d];
    }
    if (reduced == 0 && refuses_empty(op) && weft__count_of(shape, ndim) > 0) {
        weft__fail(ctx, op, WEFT_E_SHAPE, "nothing to choose from: the reduced dims of %s hold no elements",
                   weft__describe(x).s);
        return NULL;
    }
    weft__attrs attrs;
    attrs.ni = 2;
    attrs.nf = 0;
    attrs.i[WEFT__RED_MASK] = mask;
    attrs.i[WEFT__RED_KEEPDIM] = keepdim;
    if (x->a.dtype == WEFT_BOOL && (op == WEFT_OP_MAX_OVER || op == WEFT_OP_MIN_OVER))
        return reduce_truths(ctx, op, x, shape, ndim, &attrs);
    weft_tensor *y = weft__new(ctx, op, reduced_dtype(op, (weft_dtype)x->a.dtype), shape, ndim);
    if (!y)
        return NULL;
    weft__call call = {.op = op, .ctx = ctx, .in = &x, .n_in = 1, .out = {y}, .n_out = 1, .attrs = &attrs};
    return weft__run(&call);
}

weft_tensor *weft__reduce(int op, weft_tensor *x, const int64_t *dims, int ndim, bool keepdim)
{
    weft_ctx *ctx = weft__enter(op, &x, 1, 0);
    if (!ctx)
        return NULL;
    weft_tensor *y = NULL;
    int mask = weft__dim_mask(ctx, op, x, dims, ndim);
    if (mask >= 0 && weft__ops[op].cls == WEFT__FLT)
        x = weft__as_class(x, WEFT__FLT);
    if (mask >= 0 && x)
        y = reduce_over(ctx, op, x, mask, keepdim);
    return weft__leave_with(ctx, y);
}
