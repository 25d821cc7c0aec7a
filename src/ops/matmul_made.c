/* matmul_made.c - products that are composites. */
#include <math.h>
#include "made.h"

CALL(outer)
{
    c->out[0] = weft_outer(c->in[0], c->in[1]);
}

CALL(dot)
{
    c->out[0] = weft_dot(c->in[0], c->in[1]);
}

CALL(kron)
{
    c->out[0] = weft_kron(c->in[0], c->in[1]);
}

/* i: dims */
CALL(tensordot)
{
    c->out[0] = weft_tensordot(c->in[0], c->in[1], c->i[0]);
}

/* f: beta, alpha */
CALL(addmm)
{
    c->out[0] = weft_addmm(c->in[0], c->in[1], c->in[2], c->f[0], c->f[1]);
}

/* f: beta, alpha */
CALL(baddbmm)
{
    c->out[0] = weft_baddbmm(c->in[0], c->in[1], c->in[2], c->f[0], c->f[1]);
}

/* i: n */
CALL(matrix_power)
{
    c->out[0] = weft_matrix_power(c->in[0], c->i[0]);
}

/* i: dim */
CALL(cross)
{
    c->out[0] = weft_cross(c->in[0], c->in[1], c->i[0]);
}

/* f: correction */
CALL(cov)
{
    c->out[0] = weft_cov(c->in[0], c->f[0]);
}

CALL(corrcoef)
{
    c->out[0] = weft_corrcoef(c->in[0]);
}

/* Of products that are added up along a's last dim. */
static double flops_of_sums(const weft__work *w, const weft__array *a)
{
    return w->out[0] && a && a->ndim > 0 ? 2 * weft__count(w->out[0]) * (double)a->shape[a->ndim - 1] : 0;
}

static double flops_dot(const weft__work *w)
{
    return flops_of_sums(w, w->in[0]);
}

/* Of sizes M K, K N and M N: 2 M K N. */
static double flops_tensordot(const weft__work *w)
{
    return 2 * sqrt(weft__count(w->in[0]) * weft__count(w->in[1]) * weft__count(w->out[0]));
}

static double flops_addmm(const weft__work *w)
{
    return flops_of_sums(w, w->in[1]);
}

WEFT__DEFINE_COMPOSITE(OUTER, outer, PARTS(ANY_DTYPE, PART(MUL, AS_ALONE)), GRADIENT("of a g b, of b a g"), EACH_ONCE,
                       SAMPLE(call_outer, RECIPE("xa xb", "")))
WEFT__DEFINE_COMPOSITE(DOT, dot, PARTS(FLOATS, PART(MATMUL, AS_ALONE)), GRADIENT("of a g b, of b g a"),
                       WORK(weft__terms_ratio, flops_dot, weft__bytes_once),
                       SAMPLE(call_dot, RECIPE("xa xa", ""), RECIPE("xb xb", "")))
WEFT__DEFINE_COMPOSITE(KRON, kron, PARTS(ANY_DTYPE, PART(MUL, AS_ALONE)),
                       GRADIENT("of a the sums of g b over b's block, of b those of g a over all blocks"), EACH_ONCE,
                       SAMPLE(call_kron, RECIPE("xab x23", ""), RECIPE("xa xb", "")))
WEFT__DEFINE_COMPOSITE(TENSORDOT, tensordot, PARTS(FLOATS, PART(MATMUL, AS_ALONE)), GRADIENT("as of matmul"),
                       WORK(weft__terms_columns, flops_tensordot, weft__bytes_once),
                       SAMPLE(call_tensordot, RECIPE("xab xb3", "1"), RECIPE("xab2 xb25", "2")))
WEFT__DEFINE_COMPOSITE(ADDMM, addmm, PARTS(FLOATS, PART(MATMUL, WIDE), PART(MUL_SCALAR, WIDE), PART(ADD, WIDE)),
                       GRADIENT("of c beta g, of a alpha g b^T, of b alpha a^T g"),
                       WORK(weft__terms_columns, flops_addmm, weft__bytes_once),
                       SAMPLE(call_addmm, RECIPE("xab xa4 x4b", "; 0.5 2"), RECIPE("xb xa4 x4b", "; 0.5 2")))

WEFT__DEFINE_COMPOSITE(BADDBMM, baddbmm, PARTS(FLOATS, PART(MATMUL, WIDE), PART(MUL_SCALAR, WIDE), PART(ADD, WIDE)),
                       GRADIENT("of c beta g, of a alpha g b^T, of b alpha a^T g"),
                       WORK(weft__terms_columns, flops_addmm, weft__bytes_once),
                       SAMPLE(call_baddbmm, RECIPE("x2ab x2a4 x24b", "; 0.5 2"), RECIPE("xb x3a4 x34b", "; 0.5 2")))
WEFT__DEFINE_COMPOSITE(MATRIX_POWER, matrix_power, PARTS(FLOATS, PART(MATMUL, WIDE)),
                       GRADIENT("sum of x^k^T g x^(n - 1 - k)^T over k < n"),
                       WORK(weft__terms_columns, flops_dot, weft__bytes_once),
                       SAMPLE(call_matrix_power, RECIPE("xa33", "3"), RECIPE("x55", "2")))
WEFT__DEFINE_COMPOSITE(CROSS, cross, PARTS(FLOATS, PART(CONCAT, WIDE), PART(MUL, WIDE), PART(SUB, WIDE)),
                       GRADIENT("of a cross of b and g, of b cross of g and a"), EACH_ONCE,
                       SAMPLE(call_cross, RECIPE("xa3 xa3", "1"), RECIPE("x3b xa3b", "1")))
WEFT__DEFINE_COMPOSITE(COV, cov,
                       PARTS(FLOATS, PART(MEAN, WIDE), PART(SUB, WIDE), PART(MATMUL, WIDE), PART(MUL_SCALAR, WIDE)),
                       GRADIENT("(g + g^T) (x - mean) / (N - correction), less its mean over the observations"),
                       WORK(weft__terms_columns, flops_dot, weft__bytes_once),
                       SAMPLE(call_cov, RECIPE("xab", "; 1"), RECIPE("x2ab", "; 0")))
WEFT__DEFINE_COMPOSITE(CORRCOEF, corrcoef,
                       PARTS(FLOATS, PART(MEAN, WIDE), PART(SUB, WIDE), PART(NORM, WIDE), PART(DIV, WIDE),
                             PART(MATMUL, WIDE)),
                       GRADIENT("(g + g^T) u through u = (x - mean) / |x - mean|"),
                       WORK(weft__terms_columns, flops_dot, weft__bytes_once),
                       SAMPLE(call_corrcoef, RECIPE("xab", ""), RECIPE("x2ab", "")))

weft_tensor *weft_outer(weft_tensor *a, weft_tensor *b)
{
    weft_tensor *in[] = {a, b};
    ENTER_COMPOSITE(OUTER, in, 2);
    if (!weft__need_rank(ctx, WEFT_OP_OUTER, "a", in[0], 1, 1) ||
        !weft__need_rank(ctx, WEFT_OP_OUTER, "b", in[1], 1, 1))
        return weft__leave_with(ctx, NULL);
    return weft__leave_with(ctx, weft_mul(weft_unsqueeze(in[0], 1), in[1]));
}

weft_tensor *weft_dot(weft_tensor *a, weft_tensor *b)
{
    weft_tensor *in[] = {a, b};
    ENTER_COMPOSITE(DOT, in, 2);
    if (!weft__need_rank(ctx, WEFT_OP_DOT, "a", in[0], 1, 1) || !weft__need_rank(ctx, WEFT_OP_DOT, "b", in[1], 1, 1))
        return weft__leave_with(ctx, NULL);
    return weft__leave_with(ctx, weft_matmul(in[0], in[1]));
}

weft_tensor *weft_kron(weft_tensor *a, weft_tensor *b)
{
    weft_tensor *in[] = {a, b};
    ENTER_COMPOSITE(KRON, in, 2);
    const int ndim = in[0]->a.ndim > in[1]->a.ndim ? in[0]->a.ndim : in[1]->a.ndim;
    if (2 * ndim > WEFT__MAX_DIMS)
        REFUSE(KRON, WEFT_E_SHAPE, "%s and %s: at most %d dims", weft__describe(in[0]).s, weft__describe(in[1]).s,
               WEFT__MAX_DIMS / 2);
    int64_t first[WEFT__MAX_DIMS], second[WEFT__MAX_DIMS], joined[WEFT__MAX_DIMS]; /* dims of both by turns */
    for (int d = 0; d < ndim; d++) {
        const int da = d - ndim + in[0]->a.ndim, db = d - ndim + in[1]->a.ndim;
        const int64_t na = da < 0 ? 1 : in[0]->a.shape[da], nb = db < 0 ? 1 : in[1]->a.shape[db];
        first[2 * d] = na, first[2 * d + 1] = 1;
        second[2 * d] = 1, second[2 * d + 1] = nb;
        if (__builtin_mul_overflow(na, nb, &joined[d]))
            REFUSE(KRON, WEFT_E_SHAPE, "%s and %s: too many elements", weft__describe(in[0]).s,
                   weft__describe(in[1]).s);
    }
    weft_tensor *y = weft_mul(weft_reshape(in[0], first, 2 * ndim), weft_reshape(in[1], second, 2 * ndim));
    return weft__leave_with(ctx, weft_reshape(y, joined, ndim));
}

/* The product of the sizes of dims [from, to). */
static int64_t size_of(const weft_tensor *x, int from, int to)
{
    return weft__count_of(x->a.shape + from, to - from);
}

weft_tensor *weft_tensordot(weft_tensor *a, weft_tensor *b, int64_t dims)
{
    weft_tensor *in[] = {a, b};
    ENTER_COMPOSITE(TENSORDOT, in, 2);
    const int na = in[0]->a.ndim, nb = in[1]->a.ndim, n = (int)dims;
    if (dims < 0 || dims > na || dims > nb)
        REFUSE(TENSORDOT, WEFT_E_INVALID, "%lld dims of %s and %s", (long long)dims, weft__describe(in[0]).s,
               weft__describe(in[1]).s);
    if (na + nb - 2 * n > WEFT__MAX_DIMS)
        REFUSE(TENSORDOT, WEFT_E_SHAPE, "the result would have %d dims; at most %d are possible", na + nb - 2 * n,
               WEFT__MAX_DIMS);
    for (int d = 0; d < n; d++)
        if (in[0]->a.shape[na - n + d] != in[1]->a.shape[d])
            REFUSE(TENSORDOT, WEFT_E_SHAPE, "the last %d dims of %s are not the first of %s", n,
                   weft__describe(in[0]).s, weft__describe(in[1]).s);
    const int64_t rows = size_of(in[0], 0, na - n), inner = size_of(in[1], 0, n), columns = size_of(in[1], n, nb);
    weft_tensor *y = weft_matmul(weft_reshape(in[0], (const int64_t[]){rows, inner}, 2),
                                 weft_reshape(in[1], (const int64_t[]){inner, columns}, 2));
    int64_t shape[WEFT__MAX_DIMS];
    int ndim = 0;
    for (int d = 0; d < na - n; d++)
        shape[ndim++] = in[0]->a.shape[d];
    for (int d = n; d < nb; d++)
        shape[ndim++] = in[1]->a.shape[d];
    return weft__leave_with(ctx, weft_reshape(y, shape, ndim));
}

/* in: c, a, b; op ADDMM or BADDBMM, whose a and b have three dims. */
static weft_tensor *added(weft_ctx *ctx, int op, weft_tensor **in, double beta, double alpha)
{
    static const char *const names[] = {"c", "a", "b"};
    weft_dtype dtype;
    if (!weft__join_floats(ctx, op, in, names, 3, &dtype))
        return NULL;
    for (int k = 1; op == WEFT_OP_BADDBMM && k < 3; k++)
        if (!weft__need_rank(ctx, op, names[k], in[k], 3, 3))
            return NULL;
    weft_tensor *y = weft_matmul(in[1], in[2]);
    if (alpha != 1)
        y = weft_mul_scalar(y, alpha);
    if (beta != 0) /* c is not read: a NaN in it is of no matter */
        y = weft_add(beta == 1 ? in[0] : weft_mul_scalar(in[0], beta), y);
    return weft__narrowed(y, dtype);
}

weft_tensor *weft_addmm(weft_tensor *c, weft_tensor *a, weft_tensor *b, double beta, double alpha)
{
    weft_tensor *in[] = {c, a, b};
    ENTER_COMPOSITE(ADDMM, in, 3);
    return weft__leave_with(ctx, added(ctx, WEFT_OP_ADDMM, in, beta, alpha));
}

weft_tensor *weft_baddbmm(weft_tensor *c, weft_tensor *a, weft_tensor *b, double beta, double alpha)
{
    weft_tensor *in[] = {c, a, b};
    ENTER_COMPOSITE(BADDBMM, in, 3);
    return weft__leave_with(ctx, added(ctx, WEFT_OP_BADDBMM, in, beta, alpha));
}

/* ---- Of matrices and vectors ---- */

weft_tensor *weft_matrix_power(weft_tensor *x, int64_t n)
{
    static const char *const names[] = {"x"};
    ENTER_COMPOSITE(MATRIX_POWER, &x, 1);
    weft_dtype dtype;
    if (!weft__join_floats(ctx, WEFT_OP_MATRIX_POWER, &x, names, 1, &dtype) ||
        !weft__need_rank(ctx, WEFT_OP_MATRIX_POWER, "x", x, 2, WEFT__MAX_DIMS))
        return weft__leave_with(ctx, NULL);
    const int64_t side = x->a.shape[x->a.ndim - 1];
    if (x->a.shape[x->a.ndim - 2] != side)
        REFUSE(MATRIX_POWER, WEFT_E_SHAPE, "%s must be square matrices [..., N, N]", weft__describe(x).s);
    if (n < 0)
        REFUSE(MATRIX_POWER, WEFT_E_INVALID, "the power is %lld; negative ones would need an inverse", (long long)n);
    weft_tensor *y = NULL;
    if (n == 0)
        y = weft_clone(weft_expand(weft_eye(ctx, (weft_dtype)x->a.dtype, side, side), x->a.shape, x->a.ndim));
    for (weft_tensor *square = x; n > 0 && square; n /= 2) {
        if (n % 2)
            y = y ? weft_matmul(y, square) : square;
        square = n > 1 ? weft_matmul(square, square) : NULL;
    }
    return weft__leave_with(ctx, weft__narrowed(y == x ? weft_clone(y) : y, dtype));
}

weft_tensor *weft_cross(weft_tensor *a, weft_tensor *b, int64_t dim)
{
    static const char *const names[] = {"a", "b"};
    weft_tensor *in[] = {a, b}, *next[2], *after[2];
    ENTER_COMPOSITE(CROSS, in, 2);
    weft_dtype dtype;
    if (!weft__join_floats(ctx, WEFT_OP_CROSS, in, names, 2, &dtype))
        return weft__leave_with(ctx, NULL);
    const int longer = in[0]->a.ndim >= in[1]->a.ndim ? 0 : 1;
    const int d = weft__dim(ctx, WEFT_OP_CROSS, in[longer], dim);
    if (d < 0)
        return weft__leave_with(ctx, NULL);
    for (int k = 0; k < 2; k++) {
        const int own = d - in[longer]->a.ndim + in[k]->a.ndim;
        if (own < 0 || in[k]->a.shape[own] != 3)
            REFUSE(CROSS, WEFT_E_SHAPE, "%s %s must have 3 elements along dim %d of what both broadcast to", names[k],
                   weft__describe(in[k]).s, d);
        next[k] = weft_roll(in[k], -1, own);
        after[k] = weft_roll(in[k], -2, own);
    }
    weft_tensor *y = weft_sub(weft_mul(next[0], after[1]), weft_mul(after[0], next[1]));
    return weft__leave_with(ctx, weft__narrowed(y, dtype));
}

/* x [..., V, N] less the mean of each row; NULL: error recorded. *dtype is x's. */
static weft_tensor *centred(weft_ctx *ctx, int op, weft_tensor *x, weft_dtype *dtype)
{
    static const char *const names[] = {"x"};
    if (!weft__join_floats(ctx, op, &x, names, 1, dtype) || !weft__need_rank(ctx, op, "x", x, 2, WEFT__MAX_DIMS))
        return NULL;
    return weft_sub(x, weft_mean(x, WEFT_DIMS(-1), true));
}

weft_tensor *weft_cov(weft_tensor *x, double correction)
{
    ENTER_COMPOSITE(COV, &x, 1);
    weft_dtype dtype;
    weft_tensor *off = centred(ctx, WEFT_OP_COV, x, &dtype);
    if (!off)
        return weft__leave_with(ctx, NULL);
    const double n = (double)x->a.shape[x->a.ndim - 1] - correction;
    weft_tensor *y = weft_mul_scalar(weft_matmul(off, weft_transpose(off, -1, -2)), 1 / (n > 0 ? n : 0));
    return weft__leave_with(ctx, weft__narrowed(y, dtype));
}

weft_tensor *weft_corrcoef(weft_tensor *x)
{
    ENTER_COMPOSITE(CORRCOEF, &x, 1);
    weft_dtype dtype;
    weft_tensor *off = centred(ctx, WEFT_OP_CORRCOEF, x, &dtype);
    if (!off)
        return weft__leave_with(ctx, NULL);
    weft_tensor *unit = weft_div(off, weft_norm(off, WEFT_DIMS(-1), true));
    return weft__leave_with(ctx, weft__narrowed(weft_matmul(unit, weft_transpose(unit, -1, -2)), dtype));
}
