/* loss_made.c - losses that are composites and may be reduced: loss, an expression of each pair, then its mean, its
 * sum or itself. */
#include <math.h>
#include "loss.h"
#include "made.h"

weft_tensor *weft__reduced_loss(weft_ctx *ctx, int op, weft_tensor *loss, weft_reduction reduction, weft_dtype dtype)
{
    if ((unsigned)reduction > WEFT_REDUCTION_SUM)
        return weft__fail(ctx, op, WEFT_E_INVALID, "reduction %d is none of weft_reduction", (int)reduction), NULL;
    if (reduction == WEFT_REDUCTION_MEAN)
        loss = weft_mean(loss, WEFT_ALL, false);
    if (reduction == WEFT_REDUCTION_SUM)
        loss = weft_sum(loss, WEFT_ALL, false);
    return weft__narrowed(loss, dtype);
}

/* in: prediction and target, and *dtype, once they have been checked; p and t are what is computed with. */
#define BEGIN_LOSS(OP)                                                                                                 \
    weft_tensor *in[] = {prediction, target};                                                                          \
    ENTER_COMPOSITE(OP, in, 2);                                                                                        \
    weft_dtype dtype;                                                                                                  \
    if (!weft__loss_pair(ctx, WEFT_OP_##OP, in, &dtype))                                                               \
        return weft__leave_with(ctx, NULL);                                                                            \
    weft_tensor *p = in[0], *t = in[1]
#define END_LOSS(OP, loss) return weft__leave_with(ctx, weft__reduced_loss(ctx, WEFT_OP_##OP, loss, reduction, dtype))
#define REDUCTION(c) (weft_reduction)(c)->i[0]
#define SAMPLES(call, operands, reals) SAMPLE(call, RECIPE(operands, "1" reals), RECIPE(operands, "0" reals))

/* ---- Regression ---- */

/* i: reduction */
CALL(l1_loss)
{
    c->out[0] = weft_l1_loss(c->in[0], c->in[1], REDUCTION(c));
}

/* i: reduction; f: beta */
CALL(smooth_l1_loss)
{
    c->out[0] = weft_smooth_l1_loss(c->in[0], c->in[1], c->f[0], REDUCTION(c));
}

/* i: reduction; f: q */
CALL(quantile_loss)
{
    c->out[0] = weft_quantile_loss(c->in[0], c->in[1], c->f[0], REDUCTION(c));
}

/* i: reduction; f: eps */
CALL(gaussian_nll_loss)
{
    c->out[0] = weft_gaussian_nll_loss(c->in[0], c->in[1], c->in[2], c->f[0], REDUCTION(c));
}

/* i: reduction, whether the prediction is a logarithm; f: eps */
CALL(poisson_nll_loss)
{
    c->out[0] = weft_poisson_nll_loss(c->in[0], c->in[1], c->i[1] != 0, c->f[0], REDUCTION(c));
}

WEFT__DEFINE_COMPOSITE(L1_LOSS, l1_loss, PARTS(FLOATS, PART(SUB, WIDE), PART(ABS, WIDE), PART(MEAN, WIDE)),
                       GRADIENT("of the prediction sign(prediction - target), of the target the negative of that"),
                       ROW_ONCE, SAMPLES(call_l1_loss, "xab xab", ""))
WEFT__DEFINE_COMPOSITE(
    SMOOTH_L1_LOSS, smooth_l1_loss,
    PARTS(FLOATS, PART(SUB, WIDE), PART(CLAMP, WIDE), PART(MUL_SCALAR, WIDE), PART(MUL, WIDE), PART(MEAN, WIDE)),
    GRADIENT("of the prediction clamp((prediction - target) / beta, -1, 1), of the target the negative of that"),
    ROW_ONCE, SAMPLES(call_smooth_l1_loss, "xab xab", "; 0.5"))
WEFT__DEFINE_COMPOSITE(
    QUANTILE_LOSS, quantile_loss,
    PARTS(FLOATS, PART(SUB, WIDE), PART(MUL_SCALAR, WIDE), PART(MAX, WIDE), PART(MEAN, WIDE)),
    GRADIENT("of the prediction -q below the target, 1 - q above it; of the target the negative of that"), ROW_ONCE,
    SAMPLES(call_quantile_loss, "xab xab", "; 0.25"))
WEFT__DEFINE_COMPOSITE(
    GAUSSIAN_NLL_LOSS, gaussian_nll_loss,
    PARTS(FLOATS, PART(SUB, WIDE), PART(SQUARE, WIDE), PART(CLAMP, WIDE), PART(DIV, WIDE), PART(LOG, WIDE),
          PART(ADD, WIDE), PART(MUL_SCALAR, WIDE), PART(MEAN, WIDE)),
    GRADIENT("of the prediction (prediction - target) / variance, of the variance (1 - d^2 / variance) / (2 variance)"),
    ROW_ONCE, SAMPLES(call_gaussian_nll_loss, "xab xab pab", "; 1e-6"))
WEFT__DEFINE_COMPOSITE(
    POISSON_NLL_LOSS, poisson_nll_loss,
    PARTS(FLOATS, PART(EXP, WIDE), PART(MUL, WIDE), PART(SUB, WIDE), PART(MEAN, WIDE)),
    GRADIENT("of the prediction e^prediction - target, of the target -prediction; of a rate 1 - target / (rate + eps)"),
    ROW_ONCE, SAMPLE(call_poisson_nll_loss, RECIPE("xab pab", "1 1; 1e-8"), RECIPE("xab pab", "0 1; 1e-8")))

weft_tensor *weft_l1_loss(weft_tensor *prediction, weft_tensor *target, weft_reduction reduction)
{
    BEGIN_LOSS(L1_LOSS);
    END_LOSS(L1_LOSS, weft_abs(weft_sub(p, t)));
}

weft_tensor *weft_smooth_l1_loss(weft_tensor *prediction, weft_tensor *target, double beta, weft_reduction reduction)
{
    BEGIN_LOSS(SMOOTH_L1_LOSS);
    if (!(beta > 0))
        REFUSE(SMOOTH_L1_LOSS, WEFT_E_INVALID, "beta is %g, but must be positive; weft_l1_loss is the loss for beta 0",
               beta);
    /* as in huber, all divided by beta */
    weft_tensor *d = weft_sub(p, t), *limited = weft_clamp(d, -beta, beta);
    weft_tensor *loss = weft_mul(limited, weft_sub(d, weft_mul_scalar(limited, 0.5)));
    END_LOSS(SMOOTH_L1_LOSS, weft_mul_scalar(loss, 1 / beta));
}

weft_tensor *weft_quantile_loss(weft_tensor *prediction, weft_tensor *target, double q, weft_reduction reduction)
{
    BEGIN_LOSS(QUANTILE_LOSS);
    if (!(q >= 0 && q <= 1))
        REFUSE(QUANTILE_LOSS, WEFT_E_INVALID, "the quantile is %g, but must be in [0, 1]", q);
    weft_tensor *d = weft_sub(t, p);
    END_LOSS(QUANTILE_LOSS, weft_max(weft_mul_scalar(d, q), weft_mul_scalar(d, q - 1)));
}

weft_tensor *weft_gaussian_nll_loss(weft_tensor *prediction, weft_tensor *target, weft_tensor *variance, double eps,
                                    weft_reduction reduction)
{
    weft_tensor *in[] = {prediction, target, variance};
    ENTER_COMPOSITE(GAUSSIAN_NLL_LOSS, in, 3);
    weft_dtype dtype;
    if (!weft__loss_pair(ctx, WEFT_OP_GAUSSIAN_NLL_LOSS, in, &dtype) ||
        !weft__need_float(ctx, WEFT_OP_GAUSSIAN_NLL_LOSS, "the variance", in[2]))
        return weft__leave_with(ctx, NULL);
    if (!(eps >= 0))
        REFUSE(GAUSSIAN_NLL_LOSS, WEFT_E_INVALID, "eps is %g, but must not be negative", eps);
    dtype = weft_promote(dtype, (weft_dtype)in[2]->a.dtype);
    weft_tensor *spread = weft_clamp(weft__widened(in[2]), eps, INFINITY);
    weft_tensor *off = weft_div(weft_square(weft_sub(in[0], in[1])), spread);
    END_LOSS(GAUSSIAN_NLL_LOSS, weft_mul_scalar(weft_add(weft_log(spread), off), 0.5));
}

weft_tensor *weft_poisson_nll_loss(weft_tensor *prediction, weft_tensor *target, bool is_log, double eps,
                                   weft_reduction reduction)
{
    BEGIN_LOSS(POISSON_NLL_LOSS);
    if (is_log)
        END_LOSS(POISSON_NLL_LOSS, weft_sub(weft_exp(p), weft_mul(t, p)));
    END_LOSS(POISSON_NLL_LOSS, weft_sub(p, weft_mul(t, weft_log(weft_add_scalar(p, eps)))));
}

/* ---- Classification ---- */

/* i: reduction */
CALL(bce)
{
    c->out[0] = weft_bce(c->in[0], c->in[1], REDUCTION(c));
}

/* i: reduction, whether the target is a logarithm */
CALL(kl_div)
{
    c->out[0] = weft_kl_div(c->in[0], c->in[1], c->i[1] != 0, REDUCTION(c));
}

/* i: reduction */
CALL(soft_margin_loss)
{
    c->out[0] = weft_soft_margin_loss(c->in[0], c->in[1], REDUCTION(c));
}

/* i: reduction; f: margin */
CALL(hinge_embedding_loss)
{
    c->out[0] = weft_hinge_embedding_loss(c->in[0], c->in[1], c->f[0], REDUCTION(c));
}

/* i: reduction; f: margin */
CALL(margin_ranking_loss)
{
    c->out[0] = weft_margin_ranking_loss(c->in[0], c->in[1], c->in[2], c->f[0], REDUCTION(c));
}

/* i: reduction; f: alpha, gamma */
CALL(focal_loss)
{
    c->out[0] = weft_focal_loss(c->in[0], c->in[1], c->f[0], c->f[1], REDUCTION(c));
}

WEFT__DEFINE_COMPOSITE(BCE, bce,
                       PARTS(FLOATS, PART(LOG, WIDE), PART(LOG1P, WIDE), PART(CLAMP, WIDE), PART(NEG, WIDE),
                             PART(MUL, WIDE), PART(ADD_SCALAR, WIDE), PART(SUB, WIDE), PART(MEAN, WIDE)),
                       GRADIENT("of the prediction (prediction - target) / (prediction (1 - prediction))"), ROW_ONCE,
                       SAMPLES(call_bce, "gab gab", ""))
WEFT__DEFINE_COMPOSITE(KL_DIV, kl_div,
                       PARTS(FLOATS, PART(XLOGY, WIDE), PART(MUL, WIDE), PART(SUB, WIDE), PART(MEAN, WIDE)),
                       GRADIENT("of log_q -p, of p log p + 1 - log_q"), ROW_ONCE,
                       SAMPLE(call_kl_div, RECIPE("xab pab", "1 0"), RECIPE("xab pab", "0 0")))
WEFT__DEFINE_COMPOSITE(SOFT_MARGIN_LOSS, soft_margin_loss,
                       PARTS(FLOATS, PART(MUL, WIDE), PART(NEG, WIDE), PART(SOFTPLUS, WIDE), PART(MEAN, WIDE)),
                       GRADIENT("of the prediction -target sigmoid(-target prediction)"), ROW_ONCE,
                       SAMPLES(call_soft_margin_loss, "xab xab", ""))
WEFT__DEFINE_COMPOSITE(HINGE_EMBEDDING_LOSS, hinge_embedding_loss,
                       PARTS(FLOATS, PART(GT, WIDE), PART(NEG, WIDE), PART(ADD_SCALAR, WIDE), PART(RELU, WIDE),
                             PART(WHERE, WIDE), PART(MEAN, WIDE)),
                       GRADIENT("of the prediction 1 where the target is 1, -1 elsewhere below the margin"), ROW_ONCE,
                       SAMPLES(call_hinge_embedding_loss, "xab rab", "; 1"))
WEFT__DEFINE_COMPOSITE(
    MARGIN_RANKING_LOSS, margin_ranking_loss,
    PARTS(FLOATS, PART(SUB, WIDE), PART(MUL, WIDE), PART(NEG, WIDE), PART(ADD_SCALAR, WIDE), PART(RELU, WIDE),
          PART(MEAN, WIDE)),
    GRADIENT("of a -target where the order is wrong or within the margin, of b the negative of that"), ROW_ONCE,
    SAMPLES(call_margin_ranking_loss, "xab xab rab", "; 0.5"))
WEFT__DEFINE_COMPOSITE(FOCAL_LOSS, focal_loss,
                       PARTS(FLOATS, PART(SIGMOID, WIDE), PART(NEG, WIDE), PART(ADD_SCALAR, WIDE), PART(MUL, WIDE),
                             PART(ADD, WIDE), PART(SOFTPLUS, WIDE), PART(POW_SCALAR, WIDE), PART(MUL_SCALAR, WIDE),
                             PART(SUB, WIDE), PART(MEAN, WIDE)),
                       GRADIENT("that of the formula"), ROW_ONCE, SAMPLES(call_focal_loss, "xab qab", "; 0.25 2"))

weft_tensor *weft_bce(weft_tensor *prediction, weft_tensor *target, weft_reduction reduction)
{
    BEGIN_LOSS(BCE);
    weft_tensor *hit = weft_clamp(weft_log(p), -100, INFINITY),
                *miss = weft_clamp(weft_log1p(weft_neg(p)), -100, INFINITY);
    weft_tensor *rest = weft_add_scalar(t, -1);
    END_LOSS(BCE, weft_sub(weft_mul(rest, miss), weft_mul(t, hit)));
}

weft_tensor *weft_kl_div(weft_tensor *log_q, weft_tensor *p, bool is_log, weft_reduction reduction)
{
    weft_tensor *in[] = {log_q, p};
    ENTER_COMPOSITE(KL_DIV, in, 2);
    weft_dtype dtype;
    if (!weft__loss_pair(ctx, WEFT_OP_KL_DIV, in, &dtype))
        return weft__leave_with(ctx, NULL);
    if (is_log)
        END_LOSS(KL_DIV, weft_mul(weft_exp(in[1]), weft_sub(in[1], in[0])));
    END_LOSS(KL_DIV, weft_sub(weft_xlogy(in[1], in[1]), weft_mul(in[1], in[0])));
}

weft_tensor *weft_soft_margin_loss(weft_tensor *prediction, weft_tensor *target, weft_reduction reduction)
{
    BEGIN_LOSS(SOFT_MARGIN_LOSS);
    END_LOSS(SOFT_MARGIN_LOSS, weft_softplus(weft_neg(weft_mul(t, p))));
}

weft_tensor *weft_hinge_embedding_loss(weft_tensor *prediction, weft_tensor *target, double margin,
                                       weft_reduction reduction)
{
    BEGIN_LOSS(HINGE_EMBEDDING_LOSS);
    weft_tensor *same = weft_gt(t, weft__constant_like(t, 0));
    END_LOSS(HINGE_EMBEDDING_LOSS, weft_where(same, p, weft_relu(weft_add_scalar(weft_neg(p), margin))));
}

weft_tensor *weft_margin_ranking_loss(weft_tensor *a, weft_tensor *b, weft_tensor *target, double margin,
                                      weft_reduction reduction)
{
    weft_tensor *in[] = {a, b, target};
    ENTER_COMPOSITE(MARGIN_RANKING_LOSS, in, 3);
    weft_dtype dtype;
    if (!weft__loss_pair(ctx, WEFT_OP_MARGIN_RANKING_LOSS, in, &dtype))
        return weft__leave_with(ctx, NULL);
    weft_tensor *ahead = weft_mul(weft__widened(in[2]), weft_sub(in[0], in[1]));
    END_LOSS(MARGIN_RANKING_LOSS, weft_relu(weft_add_scalar(weft_neg(ahead), margin)));
}

weft_tensor *weft_focal_loss(weft_tensor *prediction, weft_tensor *target, double alpha, double gamma,
                             weft_reduction reduction)
{
    BEGIN_LOSS(FOCAL_LOSS);
    if (!(gamma >= 0))
        REFUSE(FOCAL_LOSS, WEFT_E_INVALID, "gamma is %g, but must not be negative", gamma);
    /* 1 - p_t = s (1 - t) + (1 - s) t, and 1 - s(x) is s(-x); -log p_t is softplus(x) - t x */
    weft_tensor *rest = weft_add_scalar(weft_neg(t), 1);
    weft_tensor *wrong = weft_add(weft_mul(weft_sigmoid(p), rest), weft_mul(weft_sigmoid(weft_neg(p)), t));
    weft_tensor *loss = weft_sub(weft_softplus(p), weft_mul(t, p));
    loss = weft_mul(loss, weft_pow_scalar(wrong, gamma));
    if (alpha >= 0)
        loss = weft_mul(loss, weft_add(weft_mul_scalar(t, alpha), weft_mul_scalar(rest, 1 - alpha)));
    END_LOSS(FOCAL_LOSS, loss);
}

/* ---- Distances ---- */

/* i: reduction; f: margin */
CALL(triplet_margin_loss)
{
    c->out[0] = weft_triplet_margin_loss(c->in[0], c->in[1], c->in[2], c->f[0], REDUCTION(c));
}

/* i: reduction; f: margin */
CALL(cosine_embedding_loss)
{
    c->out[0] = weft_cosine_embedding_loss(c->in[0], c->in[1], c->in[2], c->f[0], REDUCTION(c));
}

WEFT__DEFINE_COMPOSITE(TRIPLET_MARGIN_LOSS, triplet_margin_loss,
                       PARTS(FLOATS, PART(SUB, WIDE), PART(ADD_SCALAR, WIDE), PART(NORM, WIDE), PART(RELU, WIDE),
                             PART(MEAN, WIDE)),
                       GRADIENT("those of the two distances, where the margin is not kept"), ROW_ONCE,
                       SAMPLES(call_triplet_margin_loss, "xab xab xab", "; 1"))
WEFT__DEFINE_COMPOSITE(
    COSINE_EMBEDDING_LOSS, cosine_embedding_loss,
    PARTS(FLOATS, PART(MUL, WIDE), PART(SUM, WIDE), PART(NORM, WIDE), PART(CLAMP, WIDE), PART(DIV, WIDE),
          PART(NEG, WIDE), PART(ADD_SCALAR, WIDE), PART(RELU, WIDE), PART(GT, WIDE), PART(WHERE, WIDE),
          PART(MEAN, WIDE)),
    GRADIENT("of cosine_similarity the negative where the target is 1, elsewhere where it is above the margin"),
    ROW_ONCE, SAMPLES(call_cosine_embedding_loss, "xab xab ra", "; 0.25"))

weft_tensor *weft_triplet_margin_loss(weft_tensor *anchor, weft_tensor *positive, weft_tensor *negative, double margin,
                                      weft_reduction reduction)
{
    static const char *const names[] = {"the anchor", "the positive", "the negative"};
    weft_tensor *in[] = {anchor, positive, negative};
    ENTER_COMPOSITE(TRIPLET_MARGIN_LOSS, in, 3);
    weft_dtype dtype;
    if (!weft__join_floats(ctx, WEFT_OP_TRIPLET_MARGIN_LOSS, in, names, 3, &dtype))
        return weft__leave_with(ctx, NULL);
    weft_tensor *near = weft_pairwise_distance(in[0], in[1], 1e-6), *far = weft_pairwise_distance(in[0], in[2], 1e-6);
    END_LOSS(TRIPLET_MARGIN_LOSS, weft_relu(weft_add_scalar(weft_sub(near, far), margin)));
}

weft_tensor *weft_cosine_embedding_loss(weft_tensor *a, weft_tensor *b, weft_tensor *target, double margin,
                                        weft_reduction reduction)
{
    static const char *const names[] = {"a", "b", "the target"};
    weft_tensor *in[] = {a, b, target};
    ENTER_COMPOSITE(COSINE_EMBEDDING_LOSS, in, 3);
    weft_dtype dtype;
    if (!weft__join_floats(ctx, WEFT_OP_COSINE_EMBEDDING_LOSS, in, names, 3, &dtype))
        return weft__leave_with(ctx, NULL);
    weft_tensor *cosine = weft_cosine_similarity(in[0], in[1], -1, 1e-8);
    weft_tensor *same = weft_gt(in[2], weft__constant_like(in[2], 0));
    weft_tensor *off = weft_add_scalar(weft_neg(cosine), 1), *above = weft_relu(weft_add_scalar(cosine, -margin));
    END_LOSS(COSINE_EMBEDDING_LOSS, weft_where(same, off, above));
}
