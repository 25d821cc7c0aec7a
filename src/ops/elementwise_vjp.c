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
RULE(trunc, nothing_of(g))
RULE(frac, g)
RULE(cube, weft_mul(g, weft_mul_scalar(weft_square(x), 3)))
RULE(exp2, weft_mul(g, weft_mul_scalar(y, 0.69314718055994530942)))
RULE(log10, weft_div(g, weft_mul_scalar(x, 2.30258509299404568402)))
RULE(cbrt, weft_div(g, weft_mul_scalar(weft_square(y), 3)))
RULE(sinh, weft_mul(g, weft_cosh(x)))
RULE(cosh, weft_mul(g, weft_sinh(x)))
RULE(asinh, weft_div(g, weft_hypot(x, weft__constant(v, 1))))
RULE(acosh, weft_div(g, weft_mul(weft_sqrt(weft_add_scalar(x, -1)), weft_sqrt(weft_add_scalar(x, 1)))))
RULE(atan, weft_div(g, weft_add_scalar(weft_square(x), 1)))
RULE(erfc, weft_mul(g, weft_mul_scalar(weft_exp(weft_neg(weft_square(x))), -1.1283791670955125739)))
RULE(erfinv, weft_mul(g, weft_mul_scalar(weft_exp(weft_square(y)), 0.88622692545275801365)))
RULE(lgamma, weft_mul(g, weft_digamma(x)))
RULE(digamma, weft_mul(g, weft_polygamma(x, 1)))
RULE(logsigmoid, weft_mul(g, weft_sigmoid(weft_neg(x))))
RULE(softsign, weft_div(g, weft_square(weft_add_scalar(weft_abs(x), 1))))
RULE(deg2rad, weft_mul_scalar(g, 0.01745329251994329577))
RULE(rad2deg, weft_mul_scalar(g, 57.29577951308232088))

/* (1 - x) (1 + x), in which nothing cancels near -1 and 1 */
static weft_tensor *circle(weft_tensor *x)
{
    return weft_mul(weft_add_scalar(weft_neg(x), 1), weft_add_scalar(x, 1));
}

RULE(asin, weft_div(g, weft_sqrt(circle(x))))
RULE(acos, weft_neg(weft_div(g, weft_sqrt(circle(x)))))
RULE(atanh, weft_div(g, circle(x)))

/* g strictly between lo and hi, else 0, and NaN of NaN as g is */
static weft_tensor *inside(const weft__vjp *v, weft_tensor *x, double lo, double hi, weft_tensor *g)
{
    weft_tensor *low = weft_le(x, weft__constant(v, lo)), *high = weft_ge(x, weft__constant(v, hi));
    return weft_where(weft_logical_or(low, high), weft__constant(v, 0), g);
}

RULE(relu6, inside(v, x, 0, 6, g))
RULE(hardsigmoid, inside(v, x, -3, 3, weft_div(g, weft__constant(v, 6))))
RULE(hardswish,
     weft_where(weft_ge(x, weft__constant(v, 3)), g,
                inside(v, x, -3, 3,
                       weft_mul(g, weft_div(weft_add_scalar(weft_mul_scalar(x, 2), 3), weft__constant(v, 6))))))

/* e^x only where it is used: elsewhere it may overflow, and 0 times infinity is no 0 */
static weft_tensor *exp_below_0(weft_tensor *x)
{
    return weft_exp(weft_clamp(x, -INFINITY, 0));
}

RULE(selu, weft_mul_scalar(weft_where(weft_gt(x, weft__constant(v, 0)), g,
                                      weft_mul(g, weft_mul_scalar(exp_below_0(x), 1.6732632423543772848))),
                           1.0507009873554804934))

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

/* n / (n + 2) + 4 x w (1 + w) / (n + 2)^2, w = e^x, n = w (w + 2); beyond the limits as at them */
void weft__vjp_mish(weft__vjp *v)
{
    weft_tensor *x = weft_clamp(v->in[0], -800, 40), *w = weft_exp(x);
    weft_tensor *n = weft_mul(w, weft_add_scalar(w, 2)), *m = weft_add_scalar(n, 2);
    weft_tensor *slope = weft_div(weft_mul(w, weft_add_scalar(w, 1)), m);
    slope = weft_mul(weft_mul(x, slope), weft_div(weft__constant(v, 4), m));
    v->out[0] = weft_mul(v->g, weft_add(weft_div(n, m), slope));
}

/* The derivative of sinc as in scalar_slope.inc: up to 0.45 its series, whose derivatives are right at 0, too; beyond
 * (cos(pi x) - sinc(x)) / x with the cosine of the rest of x by 2. */
void weft__vjp_sinc(weft__vjp *v)
{
    static const double series[] = {-7.365893777096939e-11, 3.433076949964284e-09,  -1.3148481279991983e-07,
                                    4.049947846619241e-06,  -9.766223126318928e-05, 0.001781145516372851,
                                    -0.023460810354558225,  0.20918278254123832,    -1.144510944732505,
                                    3.246969701133414,      -3.289868133696453};
    weft_tensor *x = v->in[0], *edge = weft__constant(v, 0.45);
    weft_tensor *near = weft_lt(weft_abs(x), edge);
    weft_tensor *small = weft_where(near, x, edge), *large = weft_where(near, edge, x);
    weft_tensor *z = weft_square(small), *p = weft_mul_scalar(z, 1.3217901389162304e-12);
    for (size_t k = 0; k < sizeof series / sizeof *series; k++) {
        p = weft_add_scalar(p, series[k]);
        if (k + 1 < sizeof series / sizeof *series)
            p = weft_mul(p, z);
    }
    weft_tensor *turns = weft_mul_scalar(weft_round(weft_mul_scalar(weft_detach(large), 0.5)), 2);
    weft_tensor *cosine = weft_cos(weft_mul_scalar(weft_sub(large, turns), 3.14159265358979323846));
    weft_tensor *far = weft_div(weft_sub(cosine, weft_sinc(large)), large);
    v->out[0] = weft_mul(v->g, weft_where(near, weft_mul(small, p), far));
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

/* Whether |x| > most */
static weft_tensor *outside(const weft__vjp *v, weft_tensor *x, double most)
{
    return weft_gt(weft_abs(x), weft__constant(v, most));
}

/* g from lo to hi, those included, else 0, and NaN of NaN as g is */
static weft_tensor *limited(const weft__vjp *v, weft_tensor *x, double lo, double hi, weft_tensor *g)
{
    weft_tensor *low = weft_lt(x, weft__constant(v, lo)), *high = weft_gt(x, weft__constant(v, hi));
    return weft_where(weft_logical_or(low, high), weft__constant(v, 0), g);
}

/* 1 / (x (1 - x)) inside the limits that x was given, 0 beyond them; without limits everywhere */
void weft__vjp_logit(weft__vjp *v)
{
    const double eps = v->attrs->scalar.p;
    weft_tensor *x = v->in[0];
    weft_tensor *slope = weft_div(v->g, weft_mul(x, weft_add_scalar(weft_neg(x), 1)));
    v->out[0] = eps < 0 ? slope : limited(v, x, eps, 1 - eps, slope);
}

RULE_P(add_scalar, g)
RULE_P(mul_scalar, weft_mul_scalar(g, p))
RULE_P(pow_scalar, pow_slope(v, x, p))
RULE_P(leaky_relu, weft_where(weft_le(x, weft__constant(v, 0)), weft_mul_scalar(g, p), g))
RULE_P(elu, weft_where(weft_gt(x, weft__constant(v, 0)), g, weft_mul(weft_mul_scalar(g, p), exp_below_0(x))))
RULE_P(celu, weft_where(weft_gt(x, weft__constant(v, 0)), g,
                        weft_mul(g, weft_exp(weft_div(weft_clamp(x, -INFINITY, 0), weft__constant(v, p))))))
RULE_P(hardtanh, inside(v, x, p, q, g))
RULE_P(softshrink, weft_where(outside(v, x, p), g, weft__constant(v, 0)))
RULE_P(hardshrink, weft_where(outside(v, x, p), g, weft__constant(v, 0)))
RULE_P(threshold, weft_where(weft_le(x, weft__constant(v, p)), weft__constant(v, 0), g))
RULE_P(polygamma, weft_mul(g, weft_polygamma(x, p + 1)))
RULE_P(clamp, limited(v, x, p, q, g))

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
RULE_2(fmod, g, weft_neg(weft_mul(g, mod_quotient(v, a, b, y))))
RULE_2(floor_divide, nothing_of(g), nothing_of(g))

/* g a / sqrt(a^2 + b^2), scaled as in scalar_slope.inc, and 0 at the origin, which is put away as above. */
static weft_tensor *hypot_slope(const weft__vjp *v, weft_tensor *a, weft_tensor *b)
{
    weft_tensor *zero = weft__constant(v, 0), *one = weft__constant(v, 1);
    weft_tensor *m = weft_max(weft_abs(weft_detach(a)), weft_abs(weft_detach(b)));
    weft_tensor *origin = weft_eq(m, zero);
    m = weft_where(origin, one, m);
    a = weft_div(weft_where(origin, one, a), m);
    b = weft_div(weft_where(origin, one, b), m);
    weft_tensor *along = weft_div(a, weft_sqrt(weft_add(weft_square(a), weft_square(b))));
    return weft_mul(weft_where(origin, zero, v->g), along);
}

RULE_2(hypot, hypot_slope(v, a, b), hypot_slope(v, b, a))

/* The product of the signs of a and b, and 0 where a is 0 */
static weft_tensor *same_signs(const weft__vjp *v, weft_tensor *a, weft_tensor *b)
{
    weft_tensor *zero = weft__constant(v, 0), *one = weft__constant(v, 1);
    weft_tensor *both = weft_mul(weft_copysign(one, weft_detach(a)), weft_copysign(one, weft_detach(b)));
    return weft_where(weft_eq(a, zero), zero, both);
}

RULE_2(copysign, weft_mul(g, same_signs(v, a, b)), nothing_of(g))
RULE_2(logaddexp, weft_mul(g, weft_sigmoid(weft_sub(a, b))), weft_mul(g, weft_sigmoid(weft_sub(b, a))))
RULE_2(logaddexp2, weft_mul(g, weft_sigmoid(weft_mul_scalar(weft_sub(a, b), 0.69314718055994530942))),
       weft_mul(g, weft_sigmoid(weft_mul_scalar(weft_sub(b, a), 0.69314718055994530942))))

/* The logarithm of b, or of 1 + b, which is 0 beside a = 0 where it is none: there b is put away, too */
static weft_tensor *xlogy_slope(const weft__vjp *v, weft_tensor *a, weft_tensor *b, bool plus_1)
{
    weft_tensor *zero = weft__constant(v, 0), *least = weft__constant(v, plus_1 ? -1 : 0);
    weft_tensor *flat = weft_logical_and(weft_eq(a, zero), weft_le(b, least));
    b = weft_where(flat, weft__constant(v, 1), b);
    return weft_mul(weft_where(flat, zero, v->g), plus_1 ? weft_log1p(b) : weft_log(b));
}

RULE_2(xlogy, xlogy_slope(v, a, b, false), weft_mul(g, weft_div(a, b)))
RULE_2(xlog1py, xlogy_slope(v, a, b, true), weft_mul(g, weft_div(a, weft_add_scalar(b, 1))))

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

/* All of g where a is the only number, too */
static weft_tensor *share_numbers(weft__vjp *v, weft_tensor *ahead, weft_tensor *a, weft_tensor *b)
{
    weft_tensor *alone = weft_logical_and(weft_eq(a, a), weft_ne(b, b));
    return share(v, weft_logical_or(ahead, alone), weft_eq(a, b));
}

RULE_2(fmin, share_numbers(v, weft_lt(a, b), a, b), share_numbers(v, weft_lt(b, a), b, a))
RULE_2(fmax, share_numbers(v, weft_gt(a, b), a, b), share_numbers(v, weft_gt(b, a), b, a))

void weft__vjp_where(weft__vjp *v)
{
    if (weft__wants(v, 1))
        v->out[1] = weft_where(v->in[0], v->g, weft__constant(v, 0));
    if (weft__wants(v, 2))
        v->out[2] = weft_where(v->in[0], weft__constant(v, 0), v->g);
}
