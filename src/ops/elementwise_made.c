/* elementwise_made.c - composites of one element each: of several operands, with a condition, or gated. */
#include <math.h>
#include "made.h"

bool weft__join_floats(weft_ctx *ctx, int op, weft_tensor **in, const char *const *names, int n, weft_dtype *dtype)
{
    int joined = -1;
    for (int k = 0; k < n; k++) {
        if (!in[k])
            continue;
        if (!weft__need_float(ctx, op, names[k], in[k]))
            return false;
        *dtype = joined < 0 ? (weft_dtype)in[k]->a.dtype : weft_promote(*dtype, (weft_dtype)in[k]->a.dtype);
        joined = k;
        if (!(in[k] = weft__widened(in[k])))
            return false;
    }
    return joined >= 0;
}

/* ---- Records ---- */

CALL(lerp)
{
    c->out[0] = weft_lerp(c->in[0], c->in[1], c->in[2]);
}

/* f: value */
CALL(addcmul)
{
    c->out[0] = weft_addcmul(c->in[0], c->in[1], c->in[2], c->f[0]);
}

/* f: value */
CALL(addcdiv)
{
    c->out[0] = weft_addcdiv(c->in[0], c->in[1], c->in[2], c->f[0]);
}

/* i: whether NaN is close to NaN; f: rtol, atol */
CALL(isclose)
{
    c->out[0] = weft_isclose(c->in[0], c->in[1], c->f[0], c->f[1], c->i[0] != 0);
}

/* f: what stands for NaN, inf and -inf */
CALL(nan_to_num)
{
    c->out[0] = weft_nan_to_num(c->in[0], c->f[0], c->f[1], c->f[2]);
}

CALL(prelu)
{
    c->out[0] = weft_prelu(c->in[0], c->in[1]);
}

/* f: value */
CALL(masked_fill)
{
    c->out[0] = weft_masked_fill(c->in[0], c->in[1], c->f[0]);
}

/* i: dim */
CALL(glu)
{
    c->out[0] = weft_glu(c->in[0], c->i[0]);
}

CALL(swiglu)
{
    c->out[0] = weft_swiglu(c->in[0], c->in[1]);
}

/* i: dim */
CALL(diff)
{
    c->out[0] = weft_diff(c->in[0], c->i[0]);
}

WEFT__DEFINE_COMPOSITE(LERP, lerp,
                       PARTS(FLOATS, PART(NEG, WIDE), PART(ADD_SCALAR, WIDE), PART(MUL, WIDE), PART(ADD, WIDE)),
                       GRADIENT("of a g (1 - w), of b g w, of w g (b - a)"), EACH_ONCE,
                       SAMPLE(call_lerp, RECIPE("xab xab xab", ""), RECIPE("xab xb x1", "")))
WEFT__DEFINE_COMPOSITE(ADDCMUL, addcmul, PARTS(FLOATS, PART(MUL, WIDE), PART(MUL_SCALAR, WIDE), PART(ADD, WIDE)),
                       GRADIENT("of x g, of a g value b, of b g value a"), EACH_ONCE,
                       SAMPLE(call_addcmul, RECIPE("xab xab xab", "; 0.5")))
WEFT__DEFINE_COMPOSITE(ADDCDIV, addcdiv, PARTS(FLOATS, PART(DIV, WIDE), PART(MUL_SCALAR, WIDE), PART(ADD, WIDE)),
                       GRADIENT("of x g, of a g value / b, of b -g value a / b^2"), EACH_ONCE,
                       SAMPLE(call_addcdiv, RECIPE("xab xab pab", "; 0.5")))
WEFT__DEFINE_COMPOSITE(ISCLOSE, isclose,
                       PARTS(FLOATS, PART(SUB, WIDE), PART(ABS, WIDE), PART(MUL_SCALAR, WIDE), PART(ADD_SCALAR, WIDE),
                             PART(LE, WIDE), PART(EQ, WIDE), PART(LOGICAL_OR, OF_BOOL), PART(ISFINITE, WIDE),
                             PART(LOGICAL_AND, OF_BOOL)),
                       GRADIENT(NULL), EACH_ONCE, SAMPLE(call_isclose, RECIPE("rab rab", "0; 0.1 0.5")))
WEFT__DEFINE_COMPOSITE(NAN_TO_NUM, nan_to_num,
                       PARTS(FLOATS, PART(ISNAN, WIDE), PART(ISPOSINF, WIDE), PART(ISNEGINF, WIDE), PART(WHERE, WIDE)),
                       GRADIENT("g where x is finite, else 0"), EACH_ONCE,
                       SAMPLE(call_nan_to_num, RECIPE("xab", "; 0 9 -9")))
WEFT__DEFINE_COMPOSITE(PRELU, prelu, PARTS(FLOATS, PART(GT, WIDE), PART(MUL, WIDE), PART(WHERE, WIDE)),
                       GRADIENT("of x g, or g weight at and below 0; of the weight the sum of g x there"), EACH_ONCE,
                       SAMPLE(call_prelu, RECIPE("xab pb", ""), RECIPE("xabc p1", "")))
WEFT__DEFINE_COMPOSITE(MASKED_FILL, masked_fill, PARTS(ANY_DTYPE, PART(WHERE, AS_ALONE)),
                       GRADIENT("g where the mask is false, else 0"), EACH_ONCE,
                       SAMPLE(call_masked_fill, RECIPE("xab cab", "; 0.5"), RECIPE("xab cb", "; 1")))
WEFT__DEFINE_COMPOSITE(GLU, glu, PARTS(FLOATS, PART(SIGMOID, WIDE), PART(MUL, WIDE)),
                       GRADIENT("of the first half g s(b), of the second g a s(b) (1 - s(b))"), EACH_ONCE,
                       SAMPLE(call_glu, RECIPE("xa4", "-1"), RECIPE("x2b", "0")))
WEFT__DEFINE_COMPOSITE(SWIGLU, swiglu, PARTS(FLOATS, PART(SILU, WIDE), PART(MUL, WIDE)),
                       GRADIENT("of a g b s(a) (1 + a (1 - s(a))), of b g silu(a)"), EACH_ONCE,
                       SAMPLE(call_swiglu, RECIPE("xab xab", "")))
WEFT__DEFINE_COMPOSITE(DIFF, diff, PARTS(ANY_DTYPE, PART(SUB, AS_ALONE)),
                       GRADIENT("the negative differences of g, which is 0 beyond its ends"), EACH_ONCE,
                       SAMPLE(call_diff, RECIPE("xab", "1"), RECIPE("xab", "0")))

/* ---- Front ends ---- */

weft_tensor *weft_lerp(weft_tensor *a, weft_tensor *b, weft_tensor *w)
{
    static const char *const names[] = {"a", "b", "w"};
    weft_tensor *in[] = {a, b, w};
    ENTER_COMPOSITE(LERP, in, 3);
    weft_dtype dtype;
    if (!weft__join_floats(ctx, WEFT_OP_LERP, in, names, 3, &dtype))
        return weft__leave_with(ctx, NULL);
    weft_tensor *rest = weft_add_scalar(weft_neg(in[2]), 1);
    return weft__leave_with(ctx, weft__narrowed(weft_add(weft_mul(in[0], rest), weft_mul(in[1], in[2])), dtype));
}

weft_tensor *weft_addcmul(weft_tensor *x, weft_tensor *a, weft_tensor *b, double value)
{
    static const char *const names[] = {"x", "a", "b"};
    weft_tensor *in[] = {x, a, b};
    ENTER_COMPOSITE(ADDCMUL, in, 3);
    weft_dtype dtype;
    if (!weft__join_floats(ctx, WEFT_OP_ADDCMUL, in, names, 3, &dtype))
        return weft__leave_with(ctx, NULL);
    weft_tensor *more = weft_mul_scalar(weft_mul(in[1], in[2]), value);
    return weft__leave_with(ctx, weft__narrowed(weft_add(in[0], more), dtype));
}

weft_tensor *weft_addcdiv(weft_tensor *x, weft_tensor *a, weft_tensor *b, double value)
{
    static const char *const names[] = {"x", "a", "b"};
    weft_tensor *in[] = {x, a, b};
    ENTER_COMPOSITE(ADDCDIV, in, 3);
    weft_dtype dtype;
    if (!weft__join_floats(ctx, WEFT_OP_ADDCDIV, in, names, 3, &dtype))
        return weft__leave_with(ctx, NULL);
    weft_tensor *more = weft_mul_scalar(weft_div(in[1], in[2]), value);
    return weft__leave_with(ctx, weft__narrowed(weft_add(in[0], more), dtype));
}

weft_tensor *weft_isclose(weft_tensor *a, weft_tensor *b, double rtol, double atol, bool equal_nan)
{
    static const char *const names[] = {"a", "b"};
    weft_tensor *in[] = {a, b};
    ENTER_COMPOSITE(ISCLOSE, in, 2);
    weft_dtype dtype;
    if (!(rtol >= 0 && atol >= 0))
        REFUSE(ISCLOSE, WEFT_E_INVALID, "rtol %g and atol %g must not be negative", rtol, atol);
    if (!weft__join_floats(ctx, WEFT_OP_ISCLOSE, in, names, 2, &dtype))
        return weft__leave_with(ctx, NULL);
    /* an infinity is close to itself alone, whatever the bound */
    weft_tensor *bound = weft_add_scalar(weft_mul_scalar(weft_abs(in[1]), rtol), atol);
    weft_tensor *off = weft_abs(weft_sub(in[0], in[1]));
    weft_tensor *near = weft_logical_and(weft_le(off, bound), weft_isfinite(off));
    weft_tensor *close = weft_logical_or(near, weft_eq(in[0], in[1]));
    if (equal_nan)
        close = weft_logical_or(close, weft_logical_and(weft_isnan(in[0]), weft_isnan(in[1])));
    return weft__leave_with(ctx, close);
}

weft_tensor *weft_nan_to_num(weft_tensor *x, double nan, double posinf, double neginf)
{
    static const char *const names[] = {"x"};
    ENTER_COMPOSITE(NAN_TO_NUM, &x, 1);
    weft_dtype dtype;
    if (!weft__join_floats(ctx, WEFT_OP_NAN_TO_NUM, &x, names, 1, &dtype))
        return weft__leave_with(ctx, NULL);
    weft_tensor *y = weft_where(weft_isnan(x), weft__constant_like(x, nan), x);
    y = weft_where(weft_isposinf(x), weft__constant_like(x, posinf), y);
    y = weft_where(weft_isneginf(x), weft__constant_like(x, neginf), y);
    return weft__leave_with(ctx, weft__narrowed(y, dtype));
}

weft_tensor *weft_prelu(weft_tensor *x, weft_tensor *weight)
{
    static const char *const names[] = {"x", "the weight"};
    weft_tensor *in[] = {x, weight};
    ENTER_COMPOSITE(PRELU, in, 2);
    weft_dtype dtype;
    if (!weft__join_floats(ctx, WEFT_OP_PRELU, in, names, 2, &dtype))
        return weft__leave_with(ctx, NULL);
    const int ndim = in[0]->a.ndim;
    const int64_t n = in[1]->a.count;
    if (in[1]->a.ndim > 1 || (n != 1 && (ndim < 2 || n != in[0]->a.shape[1])))
        REFUSE(PRELU, WEFT_E_SHAPE, "the weight %s must be one number, or one for each channel (dim 1) of %s",
               weft__describe(in[1]).s, weft__describe(in[0]).s);
    int64_t shape[WEFT__MAX_DIMS] = {n};
    for (int d = 1; d < ndim; d++)
        shape[d] = 1;
    weft_tensor *w = weft_reshape(in[1], shape, n == 1 ? 0 : ndim - 1);
    weft_tensor *y = weft_where(weft_gt(in[0], weft__constant_like(in[0], 0)), in[0], weft_mul(in[0], w));
    return weft__leave_with(ctx, weft__narrowed(y, dtype));
}

weft_tensor *weft_masked_fill(weft_tensor *x, weft_tensor *mask, double value)
{
    weft_tensor *in[] = {x, mask};
    ENTER_COMPOSITE(MASKED_FILL, in, 2);
    int64_t shape[WEFT__MAX_DIMS];
    int ndim;
    if (!weft__broadcast(&in[0]->a, &in[1]->a, shape, &ndim) || ndim != in[0]->a.ndim ||
        weft__count_of(shape, ndim) != in[0]->a.count)
        REFUSE(MASKED_FILL, WEFT_E_SHAPE, "the mask %s does not broadcast to %s", weft__describe(in[1]).s,
               weft__describe(in[0]).s);
    return weft__leave_with(ctx, weft_where(in[1], weft__constant_like(in[0], value), in[0]));
}

weft_tensor *weft_glu(weft_tensor *x, int64_t dim)
{
    static const char *const names[] = {"x"};
    ENTER_COMPOSITE(GLU, &x, 1);
    weft_dtype dtype;
    if (!weft__join_floats(ctx, WEFT_OP_GLU, &x, names, 1, &dtype))
        return weft__leave_with(ctx, NULL);
    const int d = weft__dim(ctx, WEFT_OP_GLU, x, dim);
    if (d < 0)
        return weft__leave_with(ctx, NULL);
    const int64_t n = x->a.shape[d];
    if (n % 2 != 0)
        REFUSE(GLU, WEFT_E_SHAPE, "dim %d of %s must have an even size: one half gates the other", d,
               weft__describe(x).s);
    weft_tensor *a = weft_slice(x, d, 0, n / 2, 1), *b = weft_slice(x, d, n / 2, n, 1);
    return weft__leave_with(ctx, weft__narrowed(weft_mul(a, weft_sigmoid(b)), dtype));
}

weft_tensor *weft_swiglu(weft_tensor *a, weft_tensor *b)
{
    static const char *const names[] = {"a", "b"};
    weft_tensor *in[] = {a, b};
    ENTER_COMPOSITE(SWIGLU, in, 2);
    weft_dtype dtype;
    if (!weft__join_floats(ctx, WEFT_OP_SWIGLU, in, names, 2, &dtype))
        return weft__leave_with(ctx, NULL);
    return weft__leave_with(ctx, weft__narrowed(weft_mul(weft_silu(in[0]), in[1]), dtype));
}

weft_tensor *weft_diff(weft_tensor *x, int64_t dim)
{
    ENTER_COMPOSITE(DIFF, &x, 1);
    const int d = weft__dim(ctx, WEFT_OP_DIFF, x, dim);
    if (d < 0)
        return weft__leave_with(ctx, NULL);
    const int64_t n = x->a.shape[d], last = n > 0 ? n - 1 : 0;
    return weft__leave_with(ctx, weft_sub(weft_slice(x, d, 1, n > 0 ? n : 1, 1), weft_slice(x, d, 0, last, 1)));
}
