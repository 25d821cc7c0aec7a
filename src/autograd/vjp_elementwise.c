/* vjp_elementwise.c - derivatives of the elementwise rows in public operations, for gradients of gradients. The first
 * order runs the fused formulas of ops.def instead; the two are tested against each other. */
#include <math.h>
#include "vjp.h"

const weft__vjp_fn weft__vjps[WEFT_OP_COUNT] = {
#define VJP_YES(ID, name) [WEFT_OP_##ID] = weft__vjp_##name,
#define VJP_NONE(ID, name)
#define VJP_NO(why) VJP_NONE
#define WEFT_UNARY(ID, name, ...) VJP_YES(ID, name)
#define WEFT_UNARY_P(ID, name, ...) VJP_YES(ID, name)
#define WEFT_BINARY(ID, name, ...) VJP_YES(ID, name)
#define WEFT_TERNARY(ID, name, ...) VJP_YES(ID, name)
#define WEFT_REDUCE(ID, name, cls, result, grad, doc) VJP_##grad(ID, name)
#define WEFT_VIEW(ID, name, ...) VJP_YES(ID, name)
#define WEFT_CUSTOM(ID, name, result, params, grad, doc) VJP_##grad(ID, name)
#include "core/ops.def"
};

/* ---- One operand: the gradient from x, y, g (and p, q) ---- */

#define RULE(name, expression)                                                                                         \
    void weft__vjp_##name(weft__vjp *v)                                                                                \
    {                                                                                                                  \
        weft_tensor *x = v->in[0], *y = v->y, *g = v->g;                                                               \
        (void)x, (void)y;                                                                                              \
        v->out[0] = expression;                                                                                        \
    }
#define RULE_P(name, expression)                                                                                       \
    void weft__vjp_##name(weft__vjp *v)                                                                                \
    {                                                                                                                  \
        weft_tensor *x = v->in[0], *g = v->g;                                                                          \
        double p = v->f[0], q = v->f[1];                                                                               \
        (void)x, (void)p, (void)q;                                                                                     \
        v->out[0] = expression;                                                                                        \
    }

static weft_tensor *one_minus(weft_tensor *t)
{
    return weft_add_scalar(weft_neg(t), 1);
}

RULE(neg, weft_neg(g))
RULE(abs, weft_mul(g, weft_sign(x)))
RULE(sign, weft_mul_scalar(g, 0))
RULE(exp, weft_mul(g, y))
RULE(expm1, weft_mul(g, weft_add_scalar(y, 1)))
RULE(log, weft_div(g, x))
RULE(log1p, weft_div(g, weft_add_scalar(x, 1)))
RULE(log2, weft_div(g, weft_mul_scalar(x, 0.69314718055994530942)))
RULE(sqrt, weft_div(g, weft_mul_scalar(y, 2)))
RULE(rsqrt, weft_mul_scalar(weft_mul(g, weft_mul(y, weft_square(y))), -0.5))
RULE(reciprocal, weft_neg(weft_mul(g, weft_square(y))))
RULE(square, weft_mul(g, weft_mul_scalar(x, 2)))
RULE(sin, weft_mul(g, weft_cos(x)))
RULE(cos, weft_neg(weft_mul(g, weft_sin(x))))
RULE(tan, weft_mul(g, weft_add_scalar(weft_square(y), 1)))
RULE(tanh, weft_mul(g, one_minus(weft_square(y))))
RULE(sigmoid, weft_mul(g, weft_mul(y, one_minus(y))))
RULE(relu, weft_where(weft_le(y, weft__constant(v, 0)), weft__constant(v, 0), g))
RULE(softplus, weft_mul(g, weft_sigmoid(x)))
RULE(erf, weft_mul(g, weft_mul_scalar(weft_exp(weft_neg(weft_square(x))), 1.1283791670955125739)))
RULE(floor, weft_mul_scalar(g, 0))
RULE(ceil, weft_mul_scalar(g, 0))
RULE(round, weft_mul_scalar(g, 0))

/* Phi(x) + x phi(x) */
void weft__vjp_gelu(weft__vjp *v)
{
    weft_tensor *x = v->in[0];
    weft_tensor *cdf = weft_mul_scalar(weft_add_scalar(weft_erf(weft_mul_scalar(x, 0.70710678118654752440)), 1), 0.5);
    weft_tensor *pdf = weft_mul_scalar(weft_exp(weft_mul_scalar(weft_square(x), -0.5)), 0.39894228040143267794);
    v->out[0] = weft_mul(v->g, weft_add(cdf, weft_mul(x, pdf)));
}

/* y = x s(u), u = c x (1 + a x^2): dy = s + x s (1 - s) c (1 + 3 a x^2) */
void weft__vjp_gelu_tanh(weft__vjp *v)
{
    const double c = 1.5957691216057307117, a = 0.044715;
    weft_tensor *x = v->in[0], *xx = weft_square(x);
    weft_tensor *u = weft_mul_scalar(weft_mul(x, weft_add_scalar(weft_mul_scalar(xx, a), 1)), c);
    weft_tensor *s = weft_sigmoid(u);
    weft_tensor *du = weft_mul_scalar(weft_add_scalar(weft_mul_scalar(xx, 3 * a), 1), c);
    v->out[0] = weft_mul(v->g, weft_add(s, weft_mul(weft_mul(x, weft_mul(s, one_minus(s))), du)));
}

/* s (1 + x (1 - s)) */
void weft__vjp_silu(weft__vjp *v)
{
    weft_tensor *x = v->in[0], *s = weft_sigmoid(x);
    v->out[0] = weft_mul(v->g, weft_mul(s, weft_add_scalar(weft_mul(x, one_minus(s)), 1)));
}

/* ---- One operand and numbers ---- */

RULE_P(add_scalar, g)
RULE_P(mul_scalar, weft_mul_scalar(g, p))
RULE_P(pow_scalar, p == 0 ? weft_mul_scalar(g, 0) : weft_mul(g, weft_mul_scalar(weft_pow_scalar(x, p - 1), p)))
RULE_P(leaky_relu, weft_where(weft_lt(x, weft__constant(v, 0)), weft_mul_scalar(g, p), g))
/* e^x only where it is used: elsewhere it may overflow, and 0 times infinity is no 0 */
RULE_P(elu, weft_where(weft_gt(x, weft__constant(v, 0)), g,
                       weft_mul(g, weft_mul_scalar(weft_exp(weft_clamp(x, -INFINITY, 0)), p))))
RULE_P(clamp, weft_where(weft_logical_or(weft_lt(x, weft__constant(v, p)), weft_gt(x, weft__constant(v, q))),
                         weft__constant(v, 0), g))

/* ---- Two operands ---- */

#define RULE_2(name, da, db)                                                                                           \
    void weft__vjp_##name(weft__vjp *v)                                                                                \
    {                                                                                                                  \
        weft_tensor *a = v->in[0], *b = v->in[1], *y = v->y, *g = v->g;                                                \
        (void)a, (void)b, (void)y, (void)g;                                                                            \
        if (weft__wants(v, 0))                                                                                         \
            v->out[0] = da;                                                                                            \
        if (weft__wants(v, 1))                                                                                         \
            v->out[1] = db;                                                                                            \
    }

RULE_2(add, g, g)
RULE_2(sub, g, weft_neg(g))
RULE_2(mul, weft_mul(g, b), weft_mul(g, a))
RULE_2(div, weft_div(g, b), weft_neg(weft_div(weft_mul(g, y), b)))
RULE_2(mod, g, weft_neg(weft_mul(g, weft_floor(weft_div(a, b)))))

static weft_tensor *squared_radius(weft_tensor *a, weft_tensor *b)
{
    return weft_add(weft_square(a), weft_square(b));
}

RULE_2(atan2, weft_div(weft_mul(g, b), squared_radius(a, b)), weft_neg(weft_div(weft_mul(g, a), squared_radius(a, b))))

/* b a^(b-1), and 0 for b = 0 even at a = 0 */
static weft_tensor *pow_by_base(weft__vjp *v, weft_tensor *a, weft_tensor *b)
{
    weft_tensor *zero = weft__constant(v, 0), *flat = weft_eq(b, zero);
    weft_tensor *exponent = weft_where(flat, zero, weft_add_scalar(b, -1));
    return weft_where(flat, zero, weft_mul(b, weft_pow(a, exponent)));
}

/* y log a, and 0 for a = 0 where the power is not negative */
static weft_tensor *pow_by_exponent(weft__vjp *v, weft_tensor *a, weft_tensor *b, weft_tensor *y)
{
    weft_tensor *zero = weft__constant(v, 0);
    weft_tensor *flat = weft_logical_and(weft_eq(a, zero), weft_ge(b, zero));
    return weft_where(flat, zero, weft_mul(y, weft_log(weft_where(flat, weft__constant(v, 1), a))));
}

RULE_2(pow, weft_mul(g, pow_by_base(v, a, b)), weft_mul(g, pow_by_exponent(v, a, b, y)))

/* All of g where a is ahead, half where they are equal */
static weft_tensor *share(weft__vjp *v, weft_tensor *ahead, weft_tensor *equal)
{
    weft_dtype dtype = (weft_dtype)v->g->a.dtype;
    return weft_mul(v->g, weft_add(weft_cast(ahead, dtype), weft_mul_scalar(weft_cast(equal, dtype), 0.5)));
}

RULE_2(min, share(v, weft_lt(a, b), weft_eq(a, b)), share(v, weft_lt(b, a), weft_eq(a, b)))
RULE_2(max, share(v, weft_gt(a, b), weft_eq(a, b)), share(v, weft_gt(b, a), weft_eq(a, b)))

void weft__vjp_where(weft__vjp *v)
{
    if (weft__wants(v, 1))
        v->out[1] = weft_where(v->in[0], v->g, weft__constant(v, 0));
    if (weft__wants(v, 2))
        v->out[2] = weft_where(v->in[0], weft__constant(v, 0), v->g);
}
