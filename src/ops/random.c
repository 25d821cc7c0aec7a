/* random.c - makers of random numbers, and dropout. */
#include <math.h>
#include "base/number.h"
#include "create.h"

#define EACH WORK(weft__terms_one, weft__flops_each, weft__bytes_once)

/* ---- Shapes and dtypes, and what else attributes must be ---- */

static bool makes_floats(weft__infer *q)
{
    const weft_dtype dtype = (weft_dtype)q->out[0].dtype;
    return weft_dtype_is_float(dtype) ||
           weft__refuse(q, WEFT_E_INVALID, "makes floating values, not %s; weft_randint makes integers",
                        weft_dtype_name(dtype));
}

static bool infer_rand(weft__infer *q)
{
    const weft__rand_attrs *a = &q->attrs->rand;
    if (!weft__infer_made(q, a->dtype, a->sizes, a->ndim) || !makes_floats(q))
        return false;
    return (a->lo <= a->hi && isfinite(a->hi - a->lo)) ||
           weft__refuse(q, WEFT_E_INVALID, "lo is %g, hi is %g; they must be finite, lo <= hi", a->lo, a->hi);
}

static bool infer_randn(weft__infer *q)
{
    const weft__randn_attrs *a = &q->attrs->randn;
    if (!weft__infer_made(q, a->dtype, a->sizes, a->ndim) || !makes_floats(q))
        return false;
    return (isfinite(a->mean) && a->std >= 0 && isfinite(a->std)) ||
           weft__refuse(q, WEFT_E_INVALID, "mean is %g, std is %g; they must be finite, std >= 0", a->mean, a->std);
}

/* The whole numbers that a dtype holds without a gap. */
static weft__int_range whole_numbers(weft_dtype dtype)
{
    const int bits = dtype == WEFT_F64 ? 53 : dtype == WEFT_F32 ? 24 : dtype == WEFT_F16 ? 11 : 8;
    const int64_t most = INT64_C(1) << bits;
    return weft_dtype_is_float(dtype) ? (weft__int_range){-most, most} : weft__int_range_of((int32_t)dtype);
}

static bool infer_randint(weft__infer *q)
{
    const weft__randint_attrs *a = &q->attrs->randint;
    const weft_dtype dtype = (weft_dtype)a->dtype;
    if (!weft__infer_made(q, a->dtype, a->sizes, a->ndim))
        return false;
    if (dtype == WEFT_BOOL)
        return weft__refuse(q, WEFT_E_INVALID, "makes numbers, not bool; weft_bernoulli makes bool");
    if (a->lo >= a->hi)
        return weft__refuse(q, WEFT_E_INVALID, "lo is %lld, hi is %lld; lo must be below hi, which is excluded",
                            (long long)a->lo, (long long)a->hi);
    const weft__int_range held = whole_numbers(dtype);
    return (a->lo >= held.lo && a->hi - 1 <= held.hi) ||
           weft__refuse(
               q, WEFT_E_INVALID,
               "the numbers from %lld to %lld do not fit %s, which has all from %lld to %lld; draw i64 and weft_cast "
               "that",
               (long long)a->lo, (long long)(a->hi - 1), weft_dtype_name(dtype), (long long)held.lo,
               (long long)held.hi);
}

static bool infer_bernoulli(weft__infer *q)
{
    const weft__bernoulli_attrs *a = &q->attrs->bernoulli;
    if (!weft__infer_made(q, a->dtype, a->sizes, a->ndim))
        return false;
    return (a->p >= 0 && a->p <= 1) || weft__refuse(q, WEFT_E_INVALID, "p is %g, but a probability is in [0, 1]", a->p);
}

/* The result, and the mask of what was kept. */
static bool infer_dropout(weft__infer *q)
{
    weft__set_result(q, 1, WEFT_BOOL, q->in[0]->shape, q->in[0]->ndim);
    return weft__infer_like(q);
}

/* ---- Records ---- */

/* i: shape; f: lo, hi */
CALL(rand)
{
    c->out[0] = weft_rand(c->ctx, c->dtype, c->i, c->ni, c->f[0], c->f[1]);
}

/* i: shape; f: mean, deviation */
CALL(randn)
{
    c->out[0] = weft_randn(c->ctx, c->dtype, c->i, c->ni, c->f[0], c->f[1]);
}

/* i: shape, lo, hi */
CALL(randint)
{
    const int ndim = c->ni - 2;
    c->out[0] = weft_randint(c->ctx, WEFT_I64, c->i, ndim, c->i[ndim], c->i[ndim + 1]);
}

/* i: shape; f: p */
CALL(bernoulli)
{
    c->out[0] = weft_bernoulli(c->ctx, WEFT_BOOL, c->i, c->ni, c->f[0]);
}

MAKER(RAND, rand, DRAWS, "a b; -1 1")
MAKER(RANDN, randn, DRAWS, "a b; 0 1")
MAKER(RANDINT, randint, DRAWS, "a b 0 9")
MAKER(BERNOULLI, bernoulli, DRAWS, "a b; 0.25")

/* i: training; f: p */
CALL(dropout)
{
    c->out[0] = weft_dropout(c->in[0], c->f[0], c->i[0] != 0);
}

WEFT__DEFINE(DROPOUT, dropout, OPERANDS(FLOATS), ATTRS(chance), INFER(infer_dropout, AS_GIVEN),
             RESULTS(1, ELEMENTWISE, EXACT), EFFECT(DRAWS),
             DERIVATIVE(weft__vjp_dropout, IN_STEPS, READS(NOTHING), DROPOUT_GRAD,
                        GRADIENT("g / (1 - p) where the element was kept, 0 elsewhere; when not training g")),
             EACH, SAMPLE(call_dropout, RECIPE("xab", "1; 0.25")))
WEFT__DEFINE(DROPOUT_GRAD, dropout_grad, OPERANDS(FLOATS, TRUTHS), ATTRS(dropout_grad), NO_INFER,
             RESULTS(0, ELEMENTWISE), EFFECT(PURE), NO_DERIVATIVE, EACH, SAMPLE_OF(DROPOUT))

/* ---- Front ends ---- */

/* The rest of a maker of random numbers. What is refused counts as no call. */
static weft_tensor *draw(weft_ctx *ctx, int op, weft__attrs *attrs)
{
    attrs->draw.seed = (int64_t)ctx->seed;
    attrs->draw.call = (int64_t)ctx->random_call;
    weft_tensor *y = weft__make(ctx, op, attrs);
    ctx->random_call += y != NULL;
    return y;
}

weft_tensor *weft_rand(weft_ctx *ctx, weft_dtype dtype, const int64_t *shape, int ndim, double lo, double hi)
{
    weft__attrs attrs = {.rand = {.dtype = dtype, .ndim = ndim, .lo = lo, .hi = hi}};
    return weft__begin_making(ctx, "rand", dtype, shape, ndim, attrs.rand.sizes) ? draw(ctx, WEFT_OP_RAND, &attrs)
                                                                                 : NULL;
}

weft_tensor *weft_randn(weft_ctx *ctx, weft_dtype dtype, const int64_t *shape, int ndim, double mean, double std)
{
    weft__attrs attrs = {.randn = {.dtype = dtype, .ndim = ndim, .mean = mean, .std = std}};
    return weft__begin_making(ctx, "randn", dtype, shape, ndim, attrs.randn.sizes) ? draw(ctx, WEFT_OP_RANDN, &attrs)
                                                                                   : NULL;
}

weft_tensor *weft_randint(weft_ctx *ctx, weft_dtype dtype, const int64_t *shape, int ndim, int64_t lo, int64_t hi)
{
    weft__attrs attrs = {.randint = {.dtype = dtype, .ndim = ndim, .lo = lo, .hi = hi}};
    return weft__begin_making(ctx, "randint", dtype, shape, ndim, attrs.randint.sizes)
               ? draw(ctx, WEFT_OP_RANDINT, &attrs)
               : NULL;
}

weft_tensor *weft_bernoulli(weft_ctx *ctx, weft_dtype dtype, const int64_t *shape, int ndim, double p)
{
    weft__attrs attrs = {.bernoulli = {.dtype = dtype, .ndim = ndim, .p = p}};
    return weft__begin_making(ctx, "bernoulli", dtype, shape, ndim, attrs.bernoulli.sizes)
               ? draw(ctx, WEFT_OP_BERNOULLI, &attrs)
               : NULL;
}

weft_tensor *weft_dropout(weft_tensor *x, double p, bool training)
{
    enum { OP = WEFT_OP_DROPOUT };
    weft_tensor *y = NULL, *out[2];
    weft_ctx *ctx = weft__begin(OP, &x, 1);
    if (!ctx)
        return NULL;
    if (!(p >= 0 && p <= 1)) {
        weft__fail(ctx, OP, WEFT_E_INVALID, "p is %g, but a probability is in [0, 1]; x is %s", p, weft__describe(x).s);
    } else if (weft__need_float(ctx, OP, "x", x)) {
        weft__attrs attrs = {.chance = {.seed = (int64_t)ctx->seed, .p = p}};
        y = x;
        if (training && p > 0) {
            attrs.chance.call = (int64_t)ctx->random_call++;
            y = weft__complete(ctx, OP, &x, 1, &attrs, out) ? out[0] : NULL;
        }
    }
    return weft__leave_with(ctx, y);
}

/* ---- Derivatives ---- */

void weft__vjp_dropout(weft__vjp *v)
{
    weft_tensor *mask = v->extra[0];
    const double p = v->attrs->chance.p;
    if (v->compose) {
        const double scale = p < 1 ? 1 / (1 - p) : 0;
        v->out[0] = weft_where(mask, weft_mul_scalar(v->g, scale), weft_zeros_like(v->g));
        return;
    }
    const weft__attrs attrs = {WEFT__COUNTS(dropout_grad), .dropout_grad = {.p = p}};
    weft_tensor *dx = weft__room_for(v, 0);
    if (dx && weft__run_kernel(v->ctx, WEFT_OP_DROPOUT_GRAD, (const weft__array *[]){&v->g->a, &mask->a}, 2,
                               (weft__array *[]){&dx->a}, 1, &attrs) != WEFT_OK)
        weft__drop_all(v);
}
