/* scan_further.c - along a dim what the elements up to each one make beside their sum: cumprod, cummax, cummin,
 * logcumsumexp, and the recurrence linear_scan. */
#include <math.h>
#include "several.h"
#include "define.h"

/* ---- Shapes and dtypes ---- */

static bool has_dim(weft__infer *q)
{
    return weft__has_rank(q, 0, 1, WEFT__MAX_DIMS) && weft__resolve_dim(q, 0, &q->attrs->scan.dim);
}

/* As products do, integers and bool multiply in i64. */
static bool infer_product(weft__infer *q)
{
    if (!has_dim(q))
        return false;
    const int32_t dtype = q->dtype[0];
    weft__set_result(q, 0, weft_dtype_is_float((weft_dtype)dtype) ? dtype : WEFT_I64, q->in[0]->shape, q->in[0]->ndim);
    return true;
}

static bool infer_like(weft__infer *q)
{
    return has_dim(q) && weft__infer_like(q);
}

static bool infer_best(weft__infer *q)
{
    if (!infer_like(q))
        return false;
    weft__set_result(q, 1, WEFT_I64, q->out[0].shape, q->out[0].ndim);
    return true;
}

static bool infer_linear(weft__infer *q)
{
    if (!weft__same_shape(q->in[0], q->in[1]))
        return weft__refuse(q, WEFT_E_SHAPE, "a %s and b %s must have one shape; use weft_expand",
                            weft__operand_text(q, 0).s, weft__operand_text(q, 1).s);
    return infer_like(q);
}

/* ---- What derivatives are made of ---- */

static weft_tensor *scan(int op, weft_tensor *x, int64_t dim, bool reverse)
{
    weft__attrs attrs = {.scan = {.dim = dim, .reverse = reverse}};
    return weft__apply(op, &x, 1, &attrs);
}

static weft_tensor *recur(weft_tensor *a, weft_tensor *b, int64_t dim, bool reverse)
{
    weft_tensor *in[] = {a, b};
    weft__attrs attrs = {.scan = {.dim = dim, .reverse = reverse}};
    return weft__apply(WEFT_OP_LINEAR_SCAN, in, 2, &attrs);
}

/* Each element replaced by the one after it along dim (higher), or before it; fill where there is none. */
static weft_tensor *neighbour(weft_tensor *t, int64_t dim, bool higher, double fill)
{
    int64_t before[WEFT__MAX_DIMS] = {0}, after[WEFT__MAX_DIMS] = {0};
    if (!t)
        return NULL;
    const int64_t n = t->a.shape[dim];
    *(higher ? &after[dim] : &before[dim]) = n > 0;
    return weft_pad(weft_slice(t, dim, higher ? 1 : 0, higher ? n : n - 1, 1), before, after, t->a.ndim, fill);
}

/* ---- Derivatives ---- */

/* dx[k] = sum over i >= k of g[i] times the product of the others up to i = (x[0] ... x[k - 1]) s[k], with s[k] = g[k]
 * + x[k + 1] s[k + 1]: without a division, so that zeros are no case of their own in any order. */
void weft__vjp_cumprod(weft__vjp *v)
{
    const int64_t dim = v->attrs->scan.dim;
    const bool reverse = v->attrs->scan.reverse != 0;
    weft_tensor *before = neighbour(scan(WEFT_OP_CUMPROD, v->in[0], dim, reverse), dim, reverse, 1);
    weft_tensor *later = recur(neighbour(v->in[0], dim, !reverse, 0), v->g, dim, !reverse);
    v->out[0] = weft_mul(before, later);
}

void weft__vjp_cummax(weft__vjp *v)
{
    weft__put_back(v, v->g, v->extra[0], v->attrs->scan.dim);
}

void weft__vjp_cummin(weft__vjp *v)
{
    weft__vjp_cummax(v);
}

/* dx[k] = sum over i >= k of g[i] e^(x[k] - y[i]) = e^(x[k] - y[k]) s[k], with s[k] = g[k] + e^(y[k] - y[k + 1])
 * s[k + 1]. y never falls, so that no exponential is above 1, whatever the range of x. It is computed anew in f64: its
 * rounding in x's dtype would be a relative error here. Where y is -inf all elements so far are, and have no part in
 * anything. Where it is +inf all of it is the first +inf's, as in the limit of an x that rises beyond all others. What
 * is not chosen is 0, not infinite, so that no derivative of it is NaN. */
void weft__vjp_logcumsumexp(weft__vjp *v)
{
    const int64_t dim = v->attrs->scan.dim;
    const bool reverse = v->attrs->scan.reverse != 0;
    weft_tensor *x = weft_cast(v->in[0], WEFT_F64), *y = scan(WEFT_OP_LOGCUMSUMEXP, x, dim, reverse);
    weft_tensor *before = neighbour(y, dim, reverse, -INFINITY), *none = weft_scalar(v->ctx, WEFT_F64, -INFINITY);
    weft_tensor *zero = weft_scalar(v->ctx, WEFT_F64, 0), *one = weft_scalar(v->ctx, WEFT_F64, 1);
    weft_tensor *most = weft_scalar(v->ctx, WEFT_F64, INFINITY);
    weft_tensor *is_most = weft_eq(y, most), *was_most = weft_eq(before, most);
    x = weft_where(is_most, zero, x);
    before = weft_where(is_most, zero, before);
    y = weft_where(weft_logical_or(is_most, weft_eq(y, none)), zero, y);
    weft_tensor *share = weft_where(is_most, weft_where(was_most, zero, one), weft_exp(weft_sub(x, y)));
    weft_tensor *kept = weft_where(is_most, weft_where(was_most, one, zero), weft_exp(weft_sub(before, y)));
    weft_tensor *later = recur(neighbour(kept, dim, !reverse, 0), weft_cast(v->g, WEFT_F64), dim, !reverse);
    v->out[0] = weft_mul(share, later);
}

/* db[i] = g[i] + a[i + 1] db[i + 1], da[i] = db[i] y[i - 1]. */
void weft__vjp_linear_scan(weft__vjp *v)
{
    const int64_t dim = v->attrs->scan.dim;
    const bool reverse = v->attrs->scan.reverse != 0;
    v->out[1] = recur(neighbour(v->in[0], dim, !reverse, 0), v->g, dim, !reverse);
    if (weft__wants(v, 0))
        v->out[0] = weft_mul(v->out[1], neighbour(v->y, dim, reverse, 0));
}

/* ---- Records ---- */

/* i: dim */
CALL(cumprod)
{
    c->out[0] = weft_cumprod(c->in[0], c->i[0]);
}

/* i: dim. Results: values, indices */
CALL(cummax)
{
    c->n_out = 2;
    if (weft_cummax(c->in[0], c->i[0], &c->out[0], &c->out[1]) != WEFT_OK)
        c->out[0] = NULL;
}

/* i: dim. Results: values, indices */
CALL(cummin)
{
    c->n_out = 2;
    if (weft_cummin(c->in[0], c->i[0], &c->out[0], &c->out[1]) != WEFT_OK)
        c->out[0] = NULL;
}

/* i: dim */
CALL(logcumsumexp)
{
    c->out[0] = weft_logcumsumexp(c->in[0], c->i[0]);
}

/* i: dim */
CALL(linear_scan)
{
    c->out[0] = weft_linear_scan(c->in[0], c->in[1], c->i[0]);
}

/* Products of many elements stay near 1. */
WEFT__DEFINE(CUMPROD, cumprod, OPERANDS(NUMBERS), ATTRS(scan), INFER(infer_product, AS_GIVEN), RESULTS(1, ROWWISE),
             EFFECT(PURE),
             DERIVATIVE(weft__vjp_cumprod, IN_STEPS, READS(FIRST), NO_KERNEL,
                        GRADIENT("of element k: the sum over i >= k of g[i] times the product of the other elements up "
                                 "to i")),
             WORK(weft__terms_along, weft__flops_each, weft__bytes_once),
             SAMPLE(call_cumprod, RECIPE("nab", "1"), RECIPE("nab", "0"), RECIPE("nabcd", "1")))
#define BEST(ID, name, which)                                                                                          \
    WEFT__DEFINE(ID, name, OPERANDS(NUMBERS | AS_BYTES), ATTRS(scan), INFER(infer_best, AS_GIVEN),                     \
                 RESULTS(1, EXACT, EXACT), EFFECT(PURE),                                                               \
                 DERIVATIVE(weft__vjp_##name, ROUNDS_ONCE, READS(NOTHING), NO_KERNEL,                                  \
                            GRADIENT("of the values: g, added up at the places of the " which                          \
                                     " so far; the indices have none")),                                               \
                 WORK(weft__terms_one, weft__flops_each, weft__bytes_once),                                            \
                 SAMPLE(call_##name, RECIPE("xab", "1"), RECIPE("xab", "0"), RECIPE("xabcd", "1")))
BEST(CUMMAX, cummax, "largest")
BEST(CUMMIN, cummin, "smallest")
WEFT__DEFINE(LOGCUMSUMEXP, logcumsumexp, OPERANDS(FLOATS), ATTRS(scan), INFER(infer_like, JOIN_FLOATS),
             RESULTS(1, ROWWISE), EFFECT(PURE),
             DERIVATIVE(weft__vjp_logcumsumexp, IN_STEPS, READS(FIRST), NO_KERNEL,
                        GRADIENT("of element k: the sum over i >= k of g[i] e^(x[k] - y[i]); 0 where y[i] is -inf")),
             WORK(weft__terms_along, weft__flops_each, weft__bytes_once),
             SAMPLE(call_logcumsumexp, RECIPE("xab", "1"), RECIPE("xab", "0"), RECIPE("xabcd", "1")))
WEFT__DEFINE(LINEAR_SCAN, linear_scan, OPERANDS(FLOATS, FLOATS), ATTRS(scan), INFER(infer_linear, JOIN_FLOATS),
             RESULTS(1, SUMMED), EFFECT(PURE),
             DERIVATIVE(weft__vjp_linear_scan, IN_STEPS, READS(FIRST | RESULT), NO_KERNEL,
                        GRADIENT("of b: s[i] = g[i] + a[i + 1] s[i + 1]; of a: s[i] y[i - 1]")),
             WORK(weft__terms_along, weft__flops_each, weft__bytes_once),
             SAMPLE(call_linear_scan, RECIPE("gab xab", "1"), RECIPE("gab xab", "0"), RECIPE("gabcd xabcd", "1")))

/* ---- Front ends ---- */

weft_tensor *weft_cumprod(weft_tensor *x, int64_t dim)
{
    return scan(WEFT_OP_CUMPROD, x, dim, false);
}

weft_tensor *weft_logcumsumexp(weft_tensor *x, int64_t dim)
{
    return scan(WEFT_OP_LOGCUMSUMEXP, x, dim, false);
}

weft_tensor *weft_linear_scan(weft_tensor *a, weft_tensor *b, int64_t dim)
{
    return recur(a, b, dim, false);
}

static weft_status best(int op, weft_tensor *x, int64_t dim, weft_tensor **const *y)
{
    weft_tensor *out[2];
    weft_ctx *ctx = weft__begin_several(op, &x, y, 2);
    if (!ctx)
        return weft__refused(x);
    weft__attrs attrs = {.scan = {.dim = dim}};
    return weft__end_several(ctx, weft__complete_choice(ctx, op, x, &attrs, out), out, y, 2);
}

weft_status weft_cummax(weft_tensor *x, int64_t dim, weft_tensor **values, weft_tensor **indices)
{
    weft_tensor **const y[] = {values, indices};
    return best(WEFT_OP_CUMMAX, x, dim, y);
}

weft_status weft_cummin(weft_tensor *x, int64_t dim, weft_tensor **values, weft_tensor **indices)
{
    weft_tensor **const y[] = {values, indices};
    return best(WEFT_OP_CUMMIN, x, dim, y);
}
