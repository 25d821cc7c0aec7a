/* elementwise_vjp.c - derivatives of the elementwise rows in public operations, for gradients of gradients. The first
 * order runs the fused formulas of ops.def instead; the two are tested against each other. */
#include <math.h>
#include "vjp.h"

/* ---- One operand: the gradient from x, y, g (and p, q) ---- */

#define RULE(name, expression)                                                                                         \
    void weft__vjp_##name(weft__vjp *v)                                                                                \
    {                                                                                                                  \
        weft_tensor *x = v->in[0], *y = v->y, *g = v->g;                                                               \
        (void)x, (void)y, (void)g;                                                                                     \
        v->out[0] = expression;                                                                                        \
    }
#define RULE_P(name, expression)                                                                                       \
    void weft__vjp_##name(weft__vjp *v)                                                                                \
    {                                                                                                                  \
        weft_tensor *x = v->in[0], *g = v->g;                                                                          \
        double p = v->attrs->scalar.p, q = v->attrs->scalar.q;                                                         \
        (void)x, (void)g, (void)p, (void)q;                                                                            \
        v->out[0] = expression;                                                                                        \
    }

/* 0 under g's shape, with g as its history: zeros without one would end a second derivative with an error. */
static weft_tensor *nothing_of(weft_tensor *g)
{
    return weft_mul_scalar(g, 0);
}

/* s(x) s(-x), s the sigmoid. Unlike a formula of |x| it is smooth, and unlike 1 - y it is not 0 where y has rounded to
 * 1. */
static weft_tensor *sigmoid_slope(weft_tensor *x)
{
    return weft_mul(weft_sigmoid(x), weft_sigmoid(weft_neg(x)));
}

RULE(neg, weft_neg(g))
RULE(abs, weft_where(weft_gt(x, weft__constant(v, 0)), g,
                     weft_where(weft_lt(x, weft__constant(v, 0)), weft_neg(g), weft__constant(v, 0))))
RULE(sign, nothing_of(g))
RULE(exp, weft_mul(g, y))
RULE(expm1, weft_mul(g, weft_exp(x)))
RULE(log, weft_div(g, x))
RULE(log1p, weft_div(g, weft_add_scalar(x, 1)))
RULE(log2, weft_div(g, weft_mul_scalar(x, 0.69314718055994530942)))
RULE(sqrt, weft_div(g, weft_mul_scalar(y, 2)))
RULE(rsqrt, weft_mul(weft_mul(weft_mul(weft_mul_scalar(g, -0.5), y), y), y))
RULE(reciprocal, weft_neg(weft_mul(weft_mul(g, y), y)))
RULE(square, weft_mul(g, weft_mul_scalar(x, 2)))
RULE(sin, weft_mul(g, weft_cos(x)))
RULE(cos, weft_neg(weft_mul(g, weft_sin(x))))
RULE(tan, weft_mul(g, weft_add_scalar(weft_square(y), 1)))
RULE(tanh, weft_mul(g, weft_mul_scalar(sigmoid_slope(weft_mul_scalar(x, 2)), 4)))
RULE(sigmoid, weft_mul(g, sigmoid_slope(x)))
RULE(relu, weft_where(weft_le(y, weft__constant(v, 0)), weft__constant(v, 0), g))
RULE(softplus, weft_mul(g, weft_sigmoid(x)))
RULE(erf, weft_mul(g, weft_mul_scalar(weft_exp(weft_neg(weft_square(x))), 1.1283791670955125739)))
RULE(floor, nothing_of(g))
RULE(ceil, nothing_of(g))
RULE(round, nothing_of(g))

/* Phi(x), the normal distribution function: (1 + erf) / 2, but gelu(x) / x below -1, where that sum cancels. */
static weft_tensor *normal_cdf(const weft__vjp *v, weft_tensor *x)
{
    weft_tensor *low = weft_lt(x, weft__constant(v, -1)), *edge = weft__constant(v, -1);
    weft_tensor *tail = weft_where(low, x, edge), *rest = weft_where(low, edge, x);
    weft_tensor *sum = weft_add_scalar(weft_erf(weft_mul_scalar(rest, 0.70710678118654752440)), 1);
    return weft_where(low, weft_div(weft_gelu(tail), tail), weft_mul_scalar(sum, 0.5));
}

/* Phi(x) + x phi(x); beyond the limits as at them */
void weft__vjp_gelu(weft__vjp *v)
{
    weft_tensor *x = weft_clamp(v->in[0], -40, 40);
    weft_tensor *pdf = weft_mul_scalar(weft_exp(weft_mul_scalar(weft_square(x), -0.5)), 0.39894228040143267794);
    v->out[0] = weft_mul(v->g, weft_add(normal_cdf(v, x), weft_mul(x, pdf)));
}

/* y = x s(u), u = c x (1 + a x^2): dy = s(u) + x s(u) s(-u) c (1 + 3 a x^2); beyond the limits as at them */
void weft__vjp_gelu_tanh(weft__vjp *v)
{
    const double c = 1.5957691216057307117, a = 0.044715;
    weft_tensor *x = weft_clamp(v->in[0], -40, 40), *xx = weft_square(x);
    weft_tensor *u = weft_mul_scalar(weft_mul(x, weft_add_scalar(weft_mul_scalar(xx, a), 1)), c);
    weft_tensor *du = weft_mul_scalar(weft_add_scalar(weft_mul_scalar(xx, 3 * a), 1), c);
    v->out[0] = weft_mul(v->g, weft_add(weft_sigmoid(u), weft_mul(weft_mul(x, sigmoid_slope(u)), du)));
}

/* s(x) (1 + x s(-x)); beyond the limits as at them */
void weft__vjp_silu(weft__vjp *v)
{
    weft_tensor *x = weft_clamp(v->in[0], -800, 800);
    weft_tensor *inner = weft_add_scalar(weft_mul(x, weft_sigmoid(weft_neg(x))), 1);
    v->out[0] = weft_mul(v->g, weft_mul(weft_sigmoid(x), inner));
}

/* ---- One operand and numbers ---- */

/* From here on every number of the dtype is even, and rounding loses that one less is odd. */
static double first_even(const weft__vjp *v)
{
    return v->g->a.dtype == WEFT_F64 ? 0x1p53 : 0x1p24;
}

/* t with the sign of x, also of a zero. */
static weft_tensor *signed_like(const weft__vjp *v, weft_tensor *t, weft_tensor *x)
{
    weft_tensor *zero = weft__constant(v, 0), *of_zero = weft_lt(weft_reciprocal(weft_detach(x)), zero);
    return weft_where(weft_logical_or(weft_lt(x, zero), of_zero), weft_neg(t), t);
}

/* p x^(p-1) */
static weft_tensor *pow_slope(const weft__vjp *v, weft_tensor *x, double p)
{
    if (p == 0)
        return nothing_of(v->g);
    const bool odd = fabs(p) >= first_even(v) && isfinite(p);
    weft_tensor *power = odd ? signed_like(v, weft_pow_scalar(weft_abs(x), p - 1), x) : weft_pow_scalar(x, p - 1);
    return weft_mul(weft_mul_scalar(v->g, p), power);
}

RULE_P(add_scalar, g)
RULE_P(mul_scalar, weft_mul_scalar(g, p))
RULE_P(pow_scalar, pow_slope(v, x, p))
RULE_P(leaky_relu, weft_where(weft_le(x, weft__constant(v, 0)), weft_mul_scalar(g, p), g))
/* e^x only where it is used: elsewhere it may overflow, and 0 times infinity is no 0 */
RULE_P(elu, weft_where(weft_gt(x, weft__constant(v, 0)), g,
                       weft_mul(weft_mul_scalar(g, p), weft_exp(weft_clamp(x, -INFINITY, 0)))))
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

/* The whole number q in y = a - q b, which has no derivative. As in scalar_slope.inc. */
static weft_tensor *mod_quotient(const weft__vjp *v, weft_tensor *a, weft_tensor *b, weft_tensor *y)
{
    a = weft_detach(a), b = weft_detach(b), y = weft_detach(y);
    weft_tensor *q = weft_round(weft_sub(weft_div(a, b), weft_div(y, b)));
    weft_tensor *to_far = weft_where(weft_eq(y, a), weft__constant(v, 0), weft__constant(v, -1));
    return weft_where(weft_logical_and(weft_isinf(b), weft_eq(y, y)), to_far, q);
}

RULE_2(mod, g, weft_neg(weft_mul(g, mod_quotient(v, a, b, y))))

/* g p / (p^2 + q^2), scaled as in scalar_slope.inc. Where it is 0 by definition, the operands are put away, so that no
 * derivative of it meets 0 / 0. */
static weft_tensor *atan2_slope(const weft__vjp *v, weft_tensor *p, weft_tensor *q)
{
    weft_tensor *zero = weft__constant(v, 0), *one = weft__constant(v, 1);
    weft_tensor *m = weft_max(weft_abs(weft_detach(p)), weft_abs(weft_detach(q)));
    weft_tensor *flat = weft_logical_or(weft_eq(m, zero), weft_isinf(m));
    m = weft_where(flat, one, m);
    p = weft_div(weft_where(flat, one, p), m);
    q = weft_div(weft_where(flat, one, q), m);
    weft_tensor *along = weft_div(p, weft_add(weft_square(p), weft_square(q)));
    return weft_div(weft_mul(weft_where(flat, zero, v->g), along), m);
}

RULE_2(atan2, atan2_slope(v, b, a), weft_neg(atan2_slope(v, a, b)))

/* b a^(b-1), and 0 for b = 0 where 1 / a is infinite; elsewhere b = 0 is no case: the product's own derivative by b
 * counts */
static weft_tensor *pow_by_base(weft__vjp *v, weft_tensor *a, weft_tensor *b)
{
    weft_tensor *zero = weft__constant(v, 0), *over = weft_logical_not(weft_isfinite(weft_reciprocal(weft_detach(a))));
    weft_tensor *flat = weft_logical_and(weft_eq(b, zero), over);
    weft_tensor *odd = weft_logical_and(weft_ge(weft_abs(b), weft__constant(v, first_even(v))), weft_isfinite(b));
    weft_tensor *exponent = weft_where(flat, zero, weft_add_scalar(b, -1));
    weft_tensor *power = weft_pow(weft_where(odd, weft_abs(a), a), exponent);
    power = weft_where(odd, signed_like(v, power, a), power);
    return weft_where(flat, zero, weft_mul(weft_mul(v->g, b), power));
}

/* y log a, and 0 for a = 0 where the power is not negative */
static weft_tensor *pow_by_exponent(weft__vjp *v, weft_tensor *a, weft_tensor *b, weft_tensor *y)
{
    weft_tensor *zero = weft__constant(v, 0);
    weft_tensor *flat = weft_logical_and(weft_eq(a, zero), weft_ge(b, zero));
    weft_tensor *log_a = weft_log(weft_where(flat, weft__constant(v, 1), a));
    return weft_mul(weft_mul(weft_where(flat, zero, v->g), y), log_a);
}

RULE_2(pow, pow_by_base(v, a, b), pow_by_exponent(v, a, b, y))

/* All of g where a is ahead, half where they are equal */
static weft_tensor *share(weft__vjp *v, weft_tensor *ahead, weft_tensor *equal)
{
    return weft_where(ahead, v->g, weft_where(equal, weft_mul_scalar(v->g, 0.5), weft__constant(v, 0)));
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
