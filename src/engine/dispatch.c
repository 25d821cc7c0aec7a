/* dispatch.c - the one way of an operation's call: enter, localise, promote, infer, allocate, run, record. What an
 * operation is stands in its record (op_def.h); front ends pack arguments into attributes and come here. It is one
 * file, and its steps are inlined, because a call on a small tensor costs tens of nanoseconds. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "engine/drive.h"
#include "base/infer.h"
#include "engine/observe.h"
#include "engine/supports.h"

#define INLINE inline __attribute__((always_inline))

/* What a running kernel's host services work on. */
typedef struct running {
    weft_ctx *ctx;
    weft__storage *scratch; /* latest first; NULL: none */
} running;

static weft_status host_fail(const weft__exec *e, weft_status status, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    weft_text_list(text, sizeof text, format, args);
    va_end(args);
    return weft__fail(((running *)e->engine)->ctx, (int)e->op, status, "%s", text);
}

static void *try_scratch(const weft__exec *e, size_t bytes)
{
    running *r = e->engine;
    weft__storage *s = weft__storage_new(r->ctx, bytes);
    if (!s)
        return NULL;
    s->next = r->scratch;
    r->scratch = s;
    return s->data;
}

static void *host_scratch(const weft__exec *e, size_t bytes)
{
    const running *r = e->engine;
    void *room = try_scratch(e, bytes);
    if (room)
        return room;
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

static const weft__host host = {.struct_size = sizeof host,
                                .fail = host_fail,
                                .scratch = host_scratch,
                                .try_scratch = try_scratch,
                                .drive = weft__drive,
                                .checks_positions = weft__checks_positions};

static weft_status launch(weft_ctx *ctx, weft__kernel kernel, weft__exec *e)
{
    running r;
    r.ctx = ctx;
    r.scratch = NULL;
    e->engine = &r;
    weft_status status = kernel(e);
    while (r.scratch) {
        weft__storage *s = r.scratch;
        r.scratch = s->next;
        weft__storage_release(ctx, s);
    }
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
                    .caller = (weft_op)(ctx->outer_op >= 0 ? ctx->outer_op : op),
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

weft_status weft__change(weft_ctx *ctx, int op, weft_tensor *const *in, int n, weft__attrs *attrs)
{
    const weft__op_def *def = weft__defs[op];
    const weft__array **all = weft__host_array(ctx, n, sizeof *all);
    if (!all)
        return weft__fail(ctx, op, WEFT_E_NOMEM, "out of memory for %d operands", n);
    for (int k = 0; k < n; k++)
        all[k] = in[k] ? &in[k]->a : NULL;
    attrs->ni = def->n_ints;
    attrs->nf = def->n_reals;
    const weft_status status = weft__run_kernel(ctx, op, all, n, NULL, 0, attrs);
    for (int k = 0; k < n && status == WEFT_OK; k++)
        if (in[k] && weft__operand(def, k, n) & WEFT__CHANGED)
            weft__storage_written(ctx, in[k]->storage);
    weft__host_free(ctx, all, sizeof *all * (size_t)n);
    return status;
}

/* ---- The call of an operation ---- */

/* Whether operand 0 may be changed by the others. */
static __attribute__((noinline)) bool may_change(weft_ctx *ctx, int op, weft_tensor *const *in, int n)
{
    if (!weft__writable(ctx, op, in[0]))
        return false;
    for (int k = 1; k < n && ctx->grad_enabled; k++)
        if (weft__requires(in[k]))
            return weft__fail(ctx, op, WEFT_E_STATE,
                              "operand %d (%s) requires a gradient, which an in-place operation cannot carry; use the "
                              "operation without the underscore, or weft_detach it",
                              k, weft__describe(in[k]).s),
                   false;
    return true;
}

weft_ctx *weft__begin(int op, weft_tensor **in, int n)
{
    unsigned flags;
    weft_ctx *ctx = weft__enter_op(op, in, n, &flags);
    if (!ctx)
        return NULL;
    const bool shares = flags & WEFT__IS_SHARED, changes = weft__defs[op]->effect == WEFT__IN_PLACE;
    if (__builtin_expect((!shares || weft__localise(ctx, in, n)) && (!changes || may_change(ctx, op, in, n)), 1))
        return ctx;
    weft__leave_with(ctx, NULL);
    return NULL;
}

/* ---- Views: no kernel, the same memory ---- */

static weft_tensor *make_view(weft_ctx *ctx, weft_tensor **in, weft__infer *q)
{
    if (q->copies) {
        weft_tensor *dense = weft__recorded_copy(ctx, WEFT_OP_CONTIGUOUS, in[0]);
        if (!dense)
            return NULL;
        in[0] = dense;
        q->out[0].data = dense->a.data;
    }
    weft_tensor *y = weft__new_on(ctx, q->def->op, &q->out[0], in[0]->storage);
    if (!y)
        return NULL;
    return weft__record(&(weft__call){q->def->op, 1, 1, ctx, in, &y, q->attrs}) ? y : NULL;
}

/* a has y's dims but for the last two. */
static inline bool has_leading(const weft__array *a, const weft__array *y)
{
    bool same = a->ndim == y->ndim;
    for (int d = 0; same && d < y->ndim - 2; d++)
        same = a->shape[d] == y->shape[d];
    return same;
}

/* Operands that kernels see under the result's shape: of those that broadcast, one with as many elements has it. */
static inline void broadcast(const weft__op_def *def, int n, const weft__array *y, weft__array *seen,
                             const weft__array **arrays)
{
    for (int k = 0; k < n; k++) {
        const weft__array *a = arrays[k];
        if (def->in[k] & WEFT__BROADCAST && (a->count != y->count || a->ndim != y->ndim || y->count == 0)) {
            *seen = weft__expanded(a, y->shape, y->ndim);
            arrays[k] = seen++;
        } else if (def->in[k] & WEFT__BROADCAST_LEADING && !has_leading(a, y)) {
            int64_t shape[WEFT__MAX_DIMS];
            memcpy(shape, y->shape, sizeof shape);
            for (int d = 1; d <= 2; d++)
                shape[y->ndim - d] = a->shape[a->ndim - d];
            *seen = weft__expanded(a, shape, y->ndim);
            arrays[k] = seen++;
        }
    }
}

/* ---- In place: operand 0 is the result ---- */

/* Views of the same memory in another order would be read after they are written. */
static bool keep_apart(weft_ctx *ctx, weft_tensor *x, weft_tensor **y, const weft__array **array)
{
    const weft__array *a = &x->a, *b = *array;
    const bool same = a->data == b->data && weft__same_shape(a, b) &&
                      memcmp(a->strides, b->strides, sizeof a->strides[0] * (size_t)a->ndim) == 0;
    if (same || !weft__storages_overlap(x->storage, (*y)->storage))
        return true;
    weft_tensor *copy = weft__copied(ctx, *y);
    if (!copy)
        return false;
    *y = copy;
    *array = &copy->a;
    return true;
}

/* Nothing is recorded: whoever has saved what was there sees by the version that it is no longer. */
static __attribute__((noinline)) weft_tensor *change(weft_ctx *ctx, const weft__infer *q, weft_tensor **in, int n,
                                                     const weft__array **arrays)
{
    const int op = q->def->op;
    weft_tensor *x = in[0];
    weft__array seen[WEFT__MAX_BROADCAST], *out = &x->a;
    for (int k = 1; k < n; k++)
        if (!keep_apart(ctx, x, &in[k], &arrays[k]))
            return NULL;
    broadcast(q->def, n, out, seen, arrays);
    const bool watched = ctx->options.nan_watch && weft__first_nonfinite(ctx, in, n) < 0;
    const weft_status status = run(ctx, ctx->backend->run[op], op, arrays, n, &out, 1, q->attrs);
    weft__storage_written(ctx, x->storage);
    if (status != WEFT_OK || (watched && !weft__watch_results(ctx, weft__ops[op].name, NULL, 0, &x, 1)))
        return NULL;
    return x;
}

/* ---- Kernels ---- */

static bool convert(weft__infer *q, weft_tensor **in, const weft__array **arrays)
{
    const bool is_list = q->def->arity == WEFT__LIST;
    for (int k = 0; k < q->n_in; k++) {
        const int32_t dtype = q->dtype[is_list ? 0 : k];
        if (!in[k] || in[k]->a.dtype == dtype)
            continue;
        in[k] = weft__cast(in[k], (weft_dtype)dtype);
        if (!in[k])
            return false;
        arrays[k] = &in[k]->a;
    }
    return true;
}

/* What the operands of a call are, from one look at each. */
typedef struct look {
    const weft__array **arrays; /* room for all of them */
    weft__array *results;       /* likewise */
    unsigned flags;             /* all of theirs together */
    bool plain;                 /* data of one floating dtype: nothing is to be converted */
} look;

static inline void look_at(const weft__op_def *def, weft_tensor *const *in, int n, look *l)
{
    const int32_t first = n > 0 && in[0] ? in[0]->a.dtype : -1;
    bool alike = def->arity == WEFT__FIXED && weft__is_float(first) && weft__takes_data(def);
    l->flags = 0;
    for (int k = 0; k < n; k++) {
        weft_tensor *t = in[k];
        l->arrays[k] = t ? &t->a : NULL;
        l->flags |= t ? t->flags : 0;
        alike &= t && t->a.dtype == first;
    }
    l->plain = alike;
}

/* Nothing to record, and no cut to pass on. */
static inline bool has_no_history(const look *l, weft_tensor *const *in, int n)
{
    return !(l->flags & WEFT__REQUIRES_GRAD) && (n == 0 || !in[0] || in[0]->cut_op == WEFT_OP_COUNT);
}

/* The results that a program computes with. Those that are kept for the derivative may be infinite in good order, as
 * the logarithm of a sum over no keys is. */
static inline int n_given(const weft__op_def *def)
{
    return def->n_differentiable > 0 ? def->n_differentiable : def->n_out;
}

/* Infinities that were asked for, as a pool asks for them around a picture, are none that an operation made. */
static bool fills_with_infinity(int op, const weft__attrs *attrs)
{
    return op == WEFT_OP_PAD && !isfinite(attrs->pad.value);
}

static INLINE bool run_inferred(weft_ctx *ctx, const weft__op_def *def, weft__infer *q, weft_tensor **in, int n,
                                const look *l, weft_tensor **out)
{
    const int op = def->op, n_out = def->n_out;
    weft__array seen[WEFT__MAX_BROADCAST], *outs[WEFT__MAX_DEF_RESULTS];
    for (int k = 0; k < n_out; k++) {
        const weft__array *a = &q->out[k];
        out[k] = NULL;
        outs[k] = NULL;
        if (a->dtype < 0)
            continue;
        if (!(out[k] = weft__new(ctx, n > 0 ? op : -1, (weft_dtype)a->dtype, a->shape, a->ndim)))
            return false;
        outs[k] = &out[k]->a;
    }
    if (def->arity == WEFT__FIXED)
        broadcast(def, n, &out[0]->a, seen, l->arrays);
    if (run(ctx, ctx->backend->run[op], op, l->arrays, n, outs, n_out, q->attrs) != WEFT_OK ||
        (ctx->options.nan_watch && n > 0 && !fills_with_infinity(op, q->attrs) &&
         !weft__watch_results(ctx, weft__ops[op].name, in, n, out, n_given(def))))
        return false;
    return has_no_history(l, in, n) || weft__record(&(weft__call){op, n, n_out, ctx, in, out, q->attrs});
}

/* What the record says of the call. False: error recorded. */
static INLINE bool ask(weft_ctx *ctx, const weft__op_def *def, weft_tensor *const *in, int n, weft__attrs *attrs,
                       look *l, weft__infer *q)
{
    look_at(def, in, n, l);
    if (!def->any_length) {
        attrs->ni = def->n_ints;
        attrs->nf = def->n_reals;
    }
    q->def = def;
    q->n_in = n;
    q->in = l->arrays;
    q->out = l->results;
    q->attrs = attrs;
    q->records = l->flags & WEFT__REQUIRES_GRAD && def->vjp && ctx->grad_enabled;
    q->describe = weft__describe;
    q->tensors = in;
    q->status = WEFT_OK;
    q->copies = false;
    for (int k = 0; k < WEFT__MAX_DEF_OPERANDS && l->plain; k++)
        q->dtype[k] = in[0]->a.dtype;
    if (__builtin_expect(l->plain ? def->infer(q) : weft__infer_call(q), 1))
        return true;
    weft__fail(ctx, def->op, q->status, "%s", q->message);
    return false;
}

bool weft__ask(weft_ctx *ctx, int op, weft_tensor *const *in, int n, weft__attrs *attrs)
{
    const weft__array *arrays[WEFT__MAX_DEF_OPERANDS];
    weft__array results[WEFT__MAX_DEF_RESULTS];
    look l = {.arrays = arrays, .results = results};
    weft__infer q;
    return ctx->status == WEFT_OK && ask(ctx, weft__defs[op], in, n, attrs, &l, &q);
}

static INLINE bool complete(weft_ctx *ctx, int op, weft_tensor **in, int n, weft__attrs *attrs,
                            const weft__array **arrays, weft__array *results, weft_tensor **out)
{
    const weft__op_def *def = weft__defs[op];
    look l = {.arrays = arrays, .results = results};
    weft__infer q;
    weft__attrs none;
    if (!ask(ctx, def, in, n, attrs ? attrs : &none, &l, &q))
        return false;
    if (weft__ops[op].family == WEFT__VIEW)
        return (out[0] = make_view(ctx, in, &q)) != NULL;
    if (!l.plain && !convert(&q, in, arrays))
        return false;
    if (__builtin_expect(def->effect == WEFT__IN_PLACE, 0))
        return (out[0] = change(ctx, &q, in, n, arrays)) != NULL;
    return run_inferred(ctx, def, &q, in, n, &l, out);
}

/* The arrays of operands and results in blocks of their own. */
static __attribute__((noinline)) bool complete_many(weft_ctx *ctx, int op, weft_tensor **in, int n, weft__attrs *attrs,
                                                    weft_tensor **out)
{
    const int n_out = weft__defs[op]->n_out;
    const weft__array **arrays = weft__host_array(ctx, n, sizeof *arrays);
    weft__array *results = arrays ? weft__host_array(ctx, n_out, sizeof *results) : NULL;
    const bool done = results && complete(ctx, op, in, n, attrs, arrays, results, out);
    if (!results)
        weft__fail(ctx, op, WEFT_E_NOMEM, "out of memory for %d operands and %d results", n, n_out);
    if (results)
        weft__host_free(ctx, results, sizeof *results * (size_t)n_out);
    if (arrays)
        weft__host_free(ctx, arrays, sizeof *arrays * (size_t)n);
    return done;
}

bool weft__complete(weft_ctx *ctx, int op, weft_tensor **in, int n, weft__attrs *attrs, weft_tensor **out)
{
    const weft__array *few[WEFT__MAX_DEF_OPERANDS];
    weft__array results[WEFT__FEW_RESULTS];
    if (ctx->status != WEFT_OK)
        return false;
    if (n > WEFT__MAX_DEF_OPERANDS || weft__defs[op]->n_out > WEFT__FEW_RESULTS)
        return complete_many(ctx, op, in, n, attrs, out);
    return complete(ctx, op, in, n, attrs, few, results, out);
}

weft_tensor *weft__apply(int op, weft_tensor **in, int n, weft__attrs *attrs)
{
    weft_tensor *out[WEFT__MAX_DEF_RESULTS];
    weft_ctx *ctx = weft__begin(op, in, n);
    if (!ctx)
        return NULL;
    return weft__leave_with(ctx, weft__complete(ctx, op, in, n, attrs, out) ? out[0] : NULL);
}
