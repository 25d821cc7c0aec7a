/* norm_made.c - composites that normalise: by groups of channels, across channels, vectors to length 1. */
#include <math.h>
#include "made.h"

/* i: groups; f: eps */
CALL(group_norm)
{
    c->out[0] = weft_group_norm(c->in[0], c->in[1], c->in[2], c->i[0], c->f[0]);
}

/* f: eps */
CALL(instance_norm)
{
    c->out[0] = weft_instance_norm(c->in[0], c->in[1], c->in[2], c->f[0]);
}

/* i: size; f: alpha, beta, k */
CALL(local_response_norm)
{
    c->out[0] = weft_local_response_norm(c->in[0], c->i[0], c->f[0], c->f[1], c->f[2]);
}

/* i: dim */
CALL(weight_norm)
{
    c->out[0] = weft_weight_norm(c->in[0], c->in[1], c->i[0]);
}

/* i: dim; f: eps */
CALL(normalize)
{
    c->out[0] = weft_normalize(c->in[0], c->i[0], c->f[0]);
}

/* i: dim; f: eps */
CALL(cosine_similarity)
{
    c->out[0] = weft_cosine_similarity(c->in[0], c->in[1], c->i[0], c->f[0]);
}

/* f: eps */
CALL(pairwise_distance)
{
    c->out[0] = weft_pairwise_distance(c->in[0], c->in[1], c->f[0]);
}

CALL(cdist)
{
    c->out[0] = weft_cdist(c->in[0], c->in[1]);
}

/* A difference, a square and a sum for each dim of each pair. */
static double flops_cdist(const weft__work *w)
{
    return w->out[0] ? 3 * weft__count(w->out[0]) * (double)weft__extent(w->in[0], 1) : 0;
}

/* i: dim; f: order, most */
CALL(renorm)
{
    c->out[0] = weft_renorm(c->in[0], c->f[0], c->i[0], c->f[1]);
}

WEFT__DEFINE_COMPOSITE(GROUP_NORM, group_norm, PARTS(FLOATS, PART(LAYER_NORM, WIDE), PART(MUL, WIDE), PART(ADD, WIDE)),
                       GRADIENT("as that of layer_norm over each group"), ROW_ONCE,
                       SAMPLE(call_group_norm, RECIPE("xa6b p6 x6", "2; 1e-5"), RECIPE("x24ab p4 x4", "4; 1e-5")))
WEFT__DEFINE_COMPOSITE(INSTANCE_NORM, instance_norm,
                       PARTS(FLOATS, PART(LAYER_NORM, WIDE), PART(MUL, WIDE), PART(ADD, WIDE)),
                       GRADIENT("as that of layer_norm over each channel"), ROW_ONCE,
                       SAMPLE(call_instance_norm, RECIPE("x2ab5 pa xa", "; 1e-5")))
WEFT__DEFINE_COMPOSITE(LOCAL_RESPONSE_NORM, local_response_norm,
                       PARTS(FLOATS, PART(SQUARE, WIDE), PART(PAD, WIDE), PART(AVG_POOL2D, WIDE),
                             PART(MUL_SCALAR, WIDE), PART(ADD_SCALAR, WIDE), PART(POW_SCALAR, WIDE), PART(DIV, WIDE)),
                       GRADIENT("that of the formula"), ROW_ONCE,
                       SAMPLE(call_local_response_norm, RECIPE("xa5b", "3; 0.5 0.75 1"),
                              RECIPE("x2ba5", "2; 0.5 0.75 2")))
WEFT__DEFINE_COMPOSITE(WEIGHT_NORM, weight_norm, PARTS(FLOATS, PART(NORM, WIDE), PART(DIV, WIDE), PART(MUL, WIDE)),
                       GRADIENT("of v g gain / |v| less its part along v, of the gain the sum of g v / |v|"), ROW_ONCE,
                       SAMPLE(call_weight_norm, RECIPE("xab pa", "0"), RECIPE("xabc pb", "1")))
WEFT__DEFINE_COMPOSITE(NORMALIZE, normalize, PARTS(FLOATS, PART(NORM, WIDE), PART(CLAMP, WIDE), PART(DIV, WIDE)),
                       GRADIENT("(g - y sum(g y)) / |x|"), ROW_ONCE,
                       SAMPLE(call_normalize, RECIPE("xab", "1; 1e-12"), RECIPE("xab", "0; 1e-12")))
WEFT__DEFINE_COMPOSITE(COSINE_SIMILARITY, cosine_similarity,
                       PARTS(FLOATS, PART(MUL, WIDE), PART(SUM, WIDE), PART(NORM, WIDE), PART(CLAMP, WIDE),
                             PART(DIV, WIDE)),
                       GRADIENT("of a g (b / |b| - y a / |a|) / |a|, of b likewise"), ROW_ONCE,
                       SAMPLE(call_cosine_similarity, RECIPE("xab xab", "1; 1e-8"), RECIPE("xab xab", "0; 1e-8")))
WEFT__DEFINE_COMPOSITE(PAIRWISE_DISTANCE, pairwise_distance,
                       PARTS(FLOATS, PART(SUB, WIDE), PART(ADD_SCALAR, WIDE), PART(NORM, WIDE)),
                       GRADIENT("of a g (a - b) / y, of b the negative of that"), ROW_ONCE,
                       SAMPLE(call_pairwise_distance, RECIPE("xab xab", "; 1e-6")))
WEFT__DEFINE_COMPOSITE(RENORM, renorm,
                       PARTS(FLOATS, PART(NORM, WIDE), PART(GT, WIDE), PART(WHERE, WIDE), PART(DIV, WIDE),
                             PART(MUL, WIDE)),
                       GRADIENT("g; of a slice that was scaled down that of most x / |x|"), EACH_ONCE,
                       SAMPLE(call_renorm, RECIPE("xab", "0; 2 1.5"), RECIPE("x5ab", "-1; 2 1.5")))
WEFT__DEFINE_COMPOSITE(CDIST, cdist, PARTS(FLOATS, PART(SUB, WIDE), PART(NORM, WIDE)),
                       GRADIENT("of each a the sum of g (a - b) / y, 0 where they are equal; of b likewise"),
                       WORK(weft__terms_columns, flops_cdist, weft__bytes_once),
                       SAMPLE(call_cdist, RECIPE("xab x5b", ""), RECIPE("x2ab x13b", "")))

/* One number for each channel as [C, 1, 1 ...] of ndim - 1 dims; x NULL stays. */
static weft_tensor *by_channel(weft_tensor *x, int64_t channels, int ndim)
{
    int64_t shape[WEFT__MAX_DIMS] = {channels};
    for (int d = 1; d < ndim - 1; d++)
        shape[d] = 1;
    return x ? weft_reshape(x, shape, ndim - 1) : NULL;
}

/* in: x, weight, bias; groups -1: as many as there are channels. */
static weft_tensor *grouped(weft_ctx *ctx, int op, weft_tensor **in, int64_t groups, double eps)
{
    static const char *const names[] = {"x", "the weight", "the bias"};
    weft_dtype dtype;
    if (!weft__join_floats(ctx, op, in, names, 3, &dtype) || !weft__need_rank(ctx, op, "x", in[0], 2, WEFT__MAX_DIMS))
        return NULL;
    const weft__array a = in[0]->a;
    const int64_t channels = a.shape[1];
    if (groups < 0)
        groups = channels;
    if (groups < 1 || channels % groups != 0)
        return weft__fail(ctx, op, WEFT_E_INVALID, "the %lld channels (dim 1) of %s are no multiple of %lld groups",
                          (long long)channels, weft__describe(in[0]).s, (long long)groups),
               NULL;
    for (int k = 1; k < 3; k++)
        if (in[k] && (in[k]->a.ndim != 1 || in[k]->a.count != channels))
            return weft__fail(ctx, op, WEFT_E_SHAPE, "%s %s must be [%lld], one number for each channel (dim 1) of %s",
                              names[k], weft__describe(in[k]).s, (long long)channels, weft__describe(in[0]).s),
                   NULL;
    int64_t inner = a.count; /* of a group */
    if (a.count > 0)
        inner = a.count / (a.shape[0] * groups);
    weft_tensor *rows = weft_reshape(in[0], (const int64_t[]){a.shape[0], groups, inner}, 3);
    weft_tensor *y = a.count > 0 ? weft_layer_norm(rows, NULL, NULL, eps) : rows;
    y = weft_reshape(y, a.shape, a.ndim);
    if (in[1])
        y = weft_mul(y, by_channel(in[1], channels, a.ndim));
    if (in[2])
        y = weft_add(y, by_channel(in[2], channels, a.ndim));
    return weft__narrowed(y, dtype);
}

/* The weight and the bias may be left out. */
static weft_tensor *enter_grouped(int op, weft_tensor *x, weft_tensor *weight, weft_tensor *bias, int64_t groups,
                                  double eps)
{
    weft_tensor *in[] = {x, weight, bias};
    weft_ctx *ctx = weft__enter(op, in, 3, 6);
    if (!ctx)
        return NULL;
    return weft__leave_with(ctx, weft__localise(ctx, in, 3) ? grouped(ctx, op, in, groups, eps) : NULL);
}

weft_tensor *weft_group_norm(weft_tensor *x, weft_tensor *weight, weft_tensor *bias, int64_t groups, double eps)
{
    return enter_grouped(WEFT_OP_GROUP_NORM, x, weight, bias, groups < 0 ? 0 : groups, eps);
}

weft_tensor *weft_instance_norm(weft_tensor *x, weft_tensor *weight, weft_tensor *bias, double eps)
{
    return enter_grouped(WEFT_OP_INSTANCE_NORM, x, weight, bias, -1, eps);
}

weft_tensor *weft_local_response_norm(weft_tensor *x, int64_t size, double alpha, double beta, double k)
{
    static const char *const names[] = {"x"};
    ENTER_COMPOSITE(LOCAL_RESPONSE_NORM, &x, 1);
    weft_dtype dtype;
    if (!weft__join_floats(ctx, WEFT_OP_LOCAL_RESPONSE_NORM, &x, names, 1, &dtype) ||
        !weft__need_rank(ctx, WEFT_OP_LOCAL_RESPONSE_NORM, "x", x, 3, WEFT__MAX_DIMS))
        return weft__leave_with(ctx, NULL);
    if (size < 1)
        REFUSE(LOCAL_RESPONSE_NORM, WEFT_E_INVALID, "the size is %lld", (long long)size);
    const weft__array a = x->a;
    const int64_t n = a.shape[0], channels = a.shape[1], rest = a.count > 0 ? a.count / (n * channels) : 0;
    weft_tensor *squares = weft_reshape(weft_square(x), (const int64_t[]){n, 1, channels, rest}, 4);
    squares = weft_pad(squares, (const int64_t[]){0, 0, size / 2, 0}, (const int64_t[]){0, 0, (size - 1) / 2, 0}, 4, 0);
    weft_pool2d_params window = WEFT_POOL2D_DEFAULTS;
    window.kernel[0] = size;
    window.kernel[1] = window.stride[0] = window.stride[1] = 1;
    weft_tensor *mean = weft_reshape(weft_avg_pool2d(squares, &window), a.shape, a.ndim);
    weft_tensor *power = weft_pow_scalar(weft_add_scalar(weft_mul_scalar(mean, alpha), k), beta);
    return weft__leave_with(ctx, weft__narrowed(weft_div(x, power), dtype));
}

weft_tensor *weft_weight_norm(weft_tensor *v, weft_tensor *gain, int64_t dim)
{
    static const char *const names[] = {"v", "the gain"};
    weft_tensor *in[] = {v, gain};
    ENTER_COMPOSITE(WEIGHT_NORM, in, 2);
    weft_dtype dtype;
    if (!weft__join_floats(ctx, WEFT_OP_WEIGHT_NORM, in, names, 2, &dtype))
        return weft__leave_with(ctx, NULL);
    const int d = weft__dim(ctx, WEFT_OP_WEIGHT_NORM, in[0], dim);
    if (d < 0)
        return weft__leave_with(ctx, NULL);
    const int64_t n = in[0]->a.shape[d];
    if (in[1]->a.count != n)
        REFUSE(WEIGHT_NORM, WEFT_E_SHAPE,
               "the gain %s must have one number for each of the %lld slices of %s along dim %d",
               weft__describe(in[1]).s, (long long)n, weft__describe(in[0]).s, d);
    int64_t others[WEFT__MAX_DIMS], shape[WEFT__MAX_DIMS];
    int n_others = 0;
    for (int k = 0; k < in[0]->a.ndim; k++) {
        shape[k] = k == d ? n : 1;
        if (k != d)
            others[n_others++] = k;
    }
    weft_tensor *size = weft_norm(in[0], others, n_others, true);
    weft_tensor *y = weft_mul(weft_div(in[0], size), weft_reshape(in[1], shape, in[0]->a.ndim));
    return weft__leave_with(ctx, weft__narrowed(y, dtype));
}

weft_tensor *weft_renorm(weft_tensor *x, double order, int64_t dim, double most)
{
    static const char *const names[] = {"x"};
    ENTER_COMPOSITE(RENORM, &x, 1);
    weft_dtype dtype;
    if (!weft__join_floats(ctx, WEFT_OP_RENORM, &x, names, 1, &dtype))
        return weft__leave_with(ctx, NULL);
    const int d = weft__dim(ctx, WEFT_OP_RENORM, x, dim);
    if (d < 0)
        return weft__leave_with(ctx, NULL);
    if (!(order > 0) || !(most >= 0))
        REFUSE(RENORM, WEFT_E_INVALID, "order is %g and most %g; the order must be above 0, most not below it", order,
               most);
    int64_t others[WEFT__MAX_DIMS];
    int n = 0;
    for (int k = 0; k < x->a.ndim; k++)
        if (k != d)
            others[n++] = k;
    weft_tensor *size = weft_vector_norm(x, order, others, n, true), *one = weft__constant_like(x, 1);
    weft_tensor *above = weft_gt(size, weft__constant_like(x, most));
    weft_tensor *divisor = weft_where(above, size, one); /* where nothing is scaled the norm has no gradient, either */
    weft_tensor *scale = weft_where(above, weft_div(weft__constant_like(x, most), divisor), one);
    return weft__leave_with(ctx, weft__narrowed(weft_mul(x, scale), dtype));
}

weft_tensor *weft_normalize(weft_tensor *x, int64_t dim, double eps)
{
    static const char *const names[] = {"x"};
    ENTER_COMPOSITE(NORMALIZE, &x, 1);
    weft_dtype dtype;
    if (!weft__join_floats(ctx, WEFT_OP_NORMALIZE, &x, names, 1, &dtype))
        return weft__leave_with(ctx, NULL);
    weft_tensor *size = weft_clamp(weft_norm(x, &dim, 1, true), eps, INFINITY);
    return weft__leave_with(ctx, weft__narrowed(weft_div(x, size), dtype));
}

weft_tensor *weft_cosine_similarity(weft_tensor *a, weft_tensor *b, int64_t dim, double eps)
{
    static const char *const names[] = {"a", "b"};
    weft_tensor *in[] = {a, b};
    ENTER_COMPOSITE(COSINE_SIMILARITY, in, 2);
    weft_dtype dtype;
    if (!weft__join_floats(ctx, WEFT_OP_COSINE_SIMILARITY, in, names, 2, &dtype))
        return weft__leave_with(ctx, NULL);
    weft_tensor *product = weft_sum(weft_mul(in[0], in[1]), &dim, 1, false);
    for (int k = 0; k < 2; k++)
        product = weft_div(product, weft_clamp(weft_norm(in[k], &dim, 1, false), eps, INFINITY));
    return weft__leave_with(ctx, weft__narrowed(product, dtype));
}

weft_tensor *weft_pairwise_distance(weft_tensor *a, weft_tensor *b, double eps)
{
    static const char *const names[] = {"a", "b"};
    weft_tensor *in[] = {a, b};
    ENTER_COMPOSITE(PAIRWISE_DISTANCE, in, 2);
    weft_dtype dtype;
    if (!weft__join_floats(ctx, WEFT_OP_PAIRWISE_DISTANCE, in, names, 2, &dtype))
        return weft__leave_with(ctx, NULL);
    weft_tensor *off = weft_add_scalar(weft_sub(in[0], in[1]), eps);
    return weft__leave_with(ctx, weft__narrowed(weft_norm(off, WEFT_DIMS(-1), false), dtype));
}

weft_tensor *weft_cdist(weft_tensor *a, weft_tensor *b)
{
    static const char *const names[] = {"a", "b"};
    weft_tensor *in[] = {a, b};
    ENTER_COMPOSITE(CDIST, in, 2);
    weft_dtype dtype;
    if (!weft__join_floats(ctx, WEFT_OP_CDIST, in, names, 2, &dtype))
        return weft__leave_with(ctx, NULL);
    for (int k = 0; k < 2; k++)
        if (!weft__need_rank(ctx, WEFT_OP_CDIST, names[k], in[k], 2, WEFT__MAX_DIMS - 1))
            return weft__leave_with(ctx, NULL);
    weft_tensor *off = weft_sub(weft_unsqueeze(in[0], -2), weft_unsqueeze(in[1], -3));
    return weft__leave_with(ctx, weft__narrowed(weft_norm(off, WEFT_DIMS(-1), false), dtype));
}
