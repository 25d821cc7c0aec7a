/* front.c - what is done inside of a call that has been entered: checks, conversions, copies, changes in place. */
#include <string.h>
#include "engine/engine.h"

weft_tensor *weft__cast(weft_tensor *x, weft_dtype dtype)
{
    if (!x || (weft_dtype)x->a.dtype == dtype)
        return x;
    weft_tensor *out[1];
    weft__attrs attrs;
    attrs.cast.dtype = dtype;
    return weft__complete(x->ctx, WEFT_OP_CAST, &x, 1, &attrs, out) ? out[0] : NULL;
}

weft_tensor *weft__widened(weft_tensor *x)
{
    return x && weft__is_half(x->a.dtype) ? weft__cast(x, WEFT_F32) : x;
}

weft_tensor *weft__narrowed(weft_tensor *y, weft_dtype dtype)
{
    return y && weft__is_half((int32_t)dtype) ? weft__cast(y, dtype) : y;
}

bool weft__localise(weft_ctx *ctx, weft_tensor **in, int n)
{
    for (int k = 0; k < n; k++)
        if (in[k] && (in[k]->flags & WEFT__IS_SHARED) && !(in[k] = weft__borrow(ctx, in[k])))
            return false;
    return true;
}

bool weft__need_float(weft_ctx *ctx, int op, const char *what, const weft_tensor *t)
{
    if (weft_dtype_is_float((weft_dtype)t->a.dtype))
        return true;
    weft__fail(ctx, op, WEFT_E_DTYPE, WEFT__MUST_BE, what, weft__describe(t).s, WEFT__A_FLOAT);
    return false;
}

bool weft__need_index(weft_ctx *ctx, int op, const char *what, const weft_tensor *t)
{
    if (t->a.dtype == WEFT_I64 || t->a.dtype == WEFT_I32)
        return true;
    weft__fail(ctx, op, WEFT_E_DTYPE, WEFT__MUST_BE, what, weft__describe(t).s, WEFT__AN_INDEX);
    return false;
}

bool weft__need_rank(weft_ctx *ctx, int op, const char *what, const weft_tensor *t, int lo, int hi)
{
    if (t->a.ndim >= lo && t->a.ndim <= hi)
        return true;
    if (lo == hi)
        weft__fail(ctx, op, WEFT_E_SHAPE, WEFT__MUST_HAVE_DIMS, what, weft__describe(t).s, lo);
    else
        weft__fail(ctx, op, WEFT_E_SHAPE, WEFT__MUST_HAVE_SO_MANY_DIMS, what, weft__describe(t).s, lo, hi);
    return false;
}

/* Recorded history would be wrong afterwards; memory seen through stride 0 would be written often. A leaf
 * that is overwritten whole has no history, and a graph that has kept its old values sees the version change. */
bool weft__writable(weft_ctx *ctx, int op, weft_tensor *x)
{
    if (x->flags & WEFT__IS_SHARED || x->storage->read_only) {
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

weft_status weft__copy_array(weft_ctx *ctx, const weft__array *from, weft__array *to)
{
    return weft__run_kernel(ctx, WEFT_OP_COPY, (const weft__array *[]){from}, 1, (weft__array *[]){to}, 1, NULL);
}

weft_status weft__fill_array(weft_ctx *ctx, weft__array *to, double value)
{
    const weft__attrs attrs = {WEFT__COUNTS(fill), .fill = {.value = value}};
    return weft__run_kernel(ctx, WEFT_OP_FILL, NULL, 0, (weft__array *[]){to}, 1, &attrs);
}

/* op: what made it, for messages. */
static weft_tensor *copy_of(weft_ctx *ctx, int op, weft_tensor *t)
{
    weft_tensor *copy = weft__new(ctx, op, (weft_dtype)t->a.dtype, t->a.shape, t->a.ndim);
    return copy && weft__copy_array(ctx, &t->a, &copy->a) == WEFT_OK ? copy : NULL;
}

weft_tensor *weft__copied(weft_ctx *ctx, weft_tensor *t)
{
    return copy_of(ctx, WEFT_OP_CONTIGUOUS, t);
}

weft_tensor *weft__recorded_copy(weft_ctx *ctx, int op, weft_tensor *x)
{
    weft_tensor *y = copy_of(ctx, op, x);
    if (!y)
        return NULL;
    weft__attrs attrs;
    attrs.ni = x->a.ndim;
    attrs.nf = 0;
    for (int d = 0; d < x->a.ndim; d++)
        attrs.shape.sizes[d] = x->a.shape[d];
    return weft__record(&(weft__call){WEFT_OP_RESHAPE, 1, 1, ctx, &x, &y, &attrs}) ? y : NULL;
}

weft_tensor *weft__dense(weft_ctx *ctx, weft_tensor *t)
{
    return t->a.contiguous ? t : weft__copied(ctx, t);
}

weft_tensor *weft__filled(weft_ctx *ctx, weft_dtype dtype, const int64_t *shape, int ndim, double value)
{
    weft__attrs attrs = {.fill = {.dtype = dtype, .ndim = ndim, .value = value}};
    for (int d = 0; d < ndim; d++)
        attrs.fill.sizes[d] = shape[d];
    weft_tensor *y;
    return weft__complete(ctx, WEFT_OP_FILL, NULL, 0, &attrs, &y) ? y : NULL;
}

weft_tensor *weft__update(weft_ctx *ctx, int op, weft_tensor *x, weft_tensor *y)
{
    weft_tensor *in[] = {x, y}, *out;
    return y && weft__complete(ctx, op, in, 2, NULL, &out) ? x : NULL;
}

bool weft__field_fits(weft_ctx *ctx, int op, const char *field, int d, int64_t value, int64_t least, int64_t most,
                      const weft_tensor *x)
{
    if (value >= least && value <= most)
        return true;
    weft__fail(ctx, op, WEFT_E_INVALID, "%s[%d] is %lld, but must be from %lld to %lld; the first operand is %s", field,
               d, (long long)value, (long long)least, (long long)most, weft__describe(x).s);
    return false;
}
