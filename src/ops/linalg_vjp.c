/* linalg_vjp.c - derivatives of linear algebra, in operations: so there are those of every order.
 *
 * Sources: Giles 2008, Collected matrix derivative results for forward and reverse mode algorithmic differentiation;
 * Murray 2016, Differentiation of the Cholesky decomposition; Walter and Lehmann 2018, Algorithmic differentiation of
 * linear algebra functions with application in optimum experimental design; Townsend 2016, Differentiating the singular
 * value decomposition; Golub and Pereyra 1973, The differentiation of pseudo-inverses; Mathias 1996, A chain rule for
 * matrix functions and applications. */
#include "define.h"

static weft_tensor *turned(weft_tensor *x)
{
    return weft_transpose(x, -1, -2);
}

static weft_tensor *sum_of(weft_tensor *a, weft_tensor *b)
{
    return a && b ? weft_add(a, b) : a ? a : b;
}

static weft_tensor *symmetric_part(weft_tensor *x)
{
    return weft_mul_scalar(weft_add(x, turned(x)), 0.5);
}

static weft_tensor *solve_triangle(weft_tensor *a, weft_tensor *b, bool upper, bool unit)
{
    weft_tensor *in[2] = {a, b};
    weft__attrs attrs = {.triangle = {.upper = upper, .unit = unit}};
    return weft__apply(WEFT_OP_TRIANGULAR_SOLVE, in, 2, &attrs);
}

/* Results of half types have been rounded. A rule in which that would grow - by a condition number, or because terms
 * cancel - makes them again. */
static bool was_rounded(const weft__vjp *v)
{
    return v->node->in[0]->a.dtype != v->in[0]->a.dtype;
}

/* s = l^-T p l^-1, p the lower triangle of l^T g with half its diagonal; the gradient is the symmetric part of s. */
void weft__vjp_cholesky(weft__vjp *v)
{
    weft_tensor *l = was_rounded(v) ? weft_cholesky(v->in[0]) : v->y;
    weft_tensor *product = weft_matmul(turned(l), v->g);
    weft_tensor *p = weft_mul_scalar(weft_add(weft_tril(product, 0), weft_tril(product, -1)), 0.5);
    weft_tensor *half = solve_triangle(turned(l), p, true, false);         /* l^-T p */
    weft_tensor *s = solve_triangle(turned(l), turned(half), true, false); /* its transpose times l^-1, transposed */
    v->out[0] = symmetric_part(s);
}

void weft__vjp_triangular_solve(weft__vjp *v)
{
    const bool upper = v->attrs->triangle.upper, unit = v->attrs->triangle.unit;
    weft_tensor *d = solve_triangle(turned(v->in[0]), v->g, !upper, unit);
    if (weft__wants(v, 1))
        v->out[1] = d;
    if (!weft__wants(v, 0))
        return;
    weft_tensor *all = weft_neg(weft_matmul(d, turned(v->y)));
    v->out[0] = upper ? weft_triu(all, unit) : weft_tril(all, -(int64_t)unit);
}

void weft__vjp_solve(weft__vjp *v)
{
    weft_tensor *d = weft_solve(turned(v->in[0]), v->g);
    if (weft__wants(v, 1))
        v->out[1] = d;
    if (weft__wants(v, 0))
        v->out[0] = weft_neg(weft_matmul(d, turned(v->y)));
}

void weft__vjp_inverse(weft__vjp *v)
{
    weft_tensor *y = turned(v->y);
    v->out[0] = weft_neg(weft_matmul(weft_matmul(y, v->g), y));
}

/* A number for each matrix, as matrices of one element. */
static weft_tensor *as_matrices(weft_tensor *g)
{
    return weft_unsqueeze(weft_unsqueeze(g, -1), -1);
}

void weft__vjp_det(weft__vjp *v)
{
    v->out[0] = weft_mul(as_matrices(v->g), weft_cofactor(v->in[0]));
}

void weft__vjp_slogdet(weft__vjp *v)
{
    v->out[0] = weft_mul(as_matrices(v->g), turned(weft_inverse(v->in[0])));
}

/* ---- Cofactors ---- */

/* Which rows are left when one is taken out: [n (n - 1)]. */
static weft_tensor *left_rows(weft_ctx *ctx, int64_t n)
{
    int64_t *rows = weft__host_array(ctx, n * n + 1, sizeof *rows), at = 0;
    if (!rows)
        return weft__fail_named(ctx, "backward", WEFT_E_NOMEM, "out of memory for %lld minors", (long long)(n * n)),
               NULL;
    for (int64_t out = 0; out < n; out++)
        for (int64_t row = 0; row < n; row++)
            if (row != out)
                rows[at++] = row;
    weft_tensor *made = weft_from_data(ctx, WEFT_I64, &at, 1, rows);
    weft__host_free(ctx, rows, sizeof *rows * (size_t)(n * n + 1));
    return made;
}

/* (-1)^(i + j), [n, 1, n, 1] */
static weft_tensor *signs(const weft__vjp *v, int64_t n)
{
    weft_tensor *numbers = weft_arange(v->ctx, WEFT_I64, 0, (double)n, 1);
    weft_tensor *odd = weft_bitwise_and(numbers, weft_scalar(v->ctx, WEFT_I64, 1));
    weft_tensor *sign = weft_cast(weft_add_scalar(weft_mul_scalar(odd, -2), 1), (weft_dtype)v->g->a.dtype);
    return weft_mul(weft_reshape(sign, WEFT_DIMS(n, 1, 1, 1)), weft_reshape(sign, WEFT_DIMS(1, 1, n, 1)));
}

/* The sum over i and j of g[i][j] (-1)^(i + j) times the gradient of the determinant of the minor without row i and
 * column j, which are the minor's cofactors at the minor's place. That takes n^4 numbers for a matrix, but is made of
 * cofactors again, and so has derivatives of every order for matrices of any rank. */
static void derive_minors(weft__vjp *v)
{
    const weft__array *x = &v->in[0]->a;
    const int64_t n = x->shape[x->ndim - 1], less = n > 0 ? n - 1 : 0;
    int64_t batch = 1;
    for (int d = 0; d < x->ndim - 2; d++)
        batch *= x->shape[d];
    weft_tensor *rows = left_rows(v->ctx, n);
    weft_tensor *all = weft_reshape(v->in[0], WEFT_DIMS(batch, n, n));
    all = weft_index_select(weft_index_select(all, rows, 1), rows, 2);
    weft_tensor *minors = weft_permute(weft_reshape(all, WEFT_DIMS(batch, n, less, n, less)), WEFT_DIMS(0, 1, 3, 2, 4));
    weft_tensor *parts = weft_permute(weft_cofactor(minors), WEFT_DIMS(0, 1, 3, 2, 4));
    weft_tensor *weights = weft_mul(weft_reshape(v->g, WEFT_DIMS(batch, n, 1, n, 1)), signs(v, n));
    parts = weft_reshape(weft_mul(parts, weights), WEFT_DIMS(batch, n * less, n * less));
    const weft_dtype dtype = (weft_dtype)v->g->a.dtype;
    parts = weft_index_add(weft_zeros(v->ctx, dtype, WEFT_DIMS(batch, n * less, n)), rows, parts, 2);
    parts = weft_index_add(weft_zeros(v->ctx, dtype, WEFT_DIMS(batch, n, n)), rows, parts, 1);
    v->out[0] = weft_reshape(parts, x->shape, x->ndim);
}

void weft__vjp_cofactor(weft__vjp *v)
{
    if (v->compose) {
        derive_minors(v);
        return;
    }
    weft_tensor *in[] = {v->in[0], v->g}, *out[] = {weft__room_for(v, 0)};
    if (v->ctx->status != WEFT_OK || weft__run_fused(v, WEFT_OP_COFACTOR_GRAD, in, 2, out, 1) != WEFT_OK)
        weft__drop_all(v);
}

/* ---- QR ---- */

/* (gq + q c) r^-T, c the symmetric matrix that has the lower triangle of r gr^T - gq^T q; gq or gr may be NULL. */
static weft_tensor *derive_qr(weft_tensor *q, weft_tensor *r, weft_tensor *gq, weft_tensor *gr)
{
    weft_tensor *c = gr ? weft_matmul(r, turned(weft_triu(gr, 0))) : NULL;
    if (gq)
        c = sum_of(c, weft_neg(weft_matmul(turned(gq), q)));
    c = weft_add(weft_tril(c, 0), turned(weft_tril(c, -1)));
    weft_tensor *all = sum_of(gq, weft_matmul(q, c));
    return turned(solve_triangle(r, turned(all), true, false));
}

/* Columns beyond the m-th, rest, are q times theirs of r. */
void weft__vjp_qr(weft__vjp *v)
{
    weft_tensor *q = v->ys[0], *r = v->ys[1], *gq = v->gs[0], *gr = v->gs[1];
    if (was_rounded(v) && weft_qr(v->in[0], &q, &r) != WEFT_OK)
        return;
    const weft__array *x = &v->in[0]->a;
    const int64_t m = x->shape[x->ndim - 2], n = x->shape[x->ndim - 1];
    if (m >= n) {
        v->out[0] = derive_qr(q, r, gq, gr);
        return;
    }
    weft_tensor *rest = weft_slice(v->in[0], -1, m, n, 1), *g_rest = weft_mul_scalar(rest, 0);
    if (gr) {
        g_rest = weft_slice(gr, -1, m, n, 1);
        gr = weft_slice(gr, -1, 0, m, 1);
        gq = sum_of(gq, weft_matmul(rest, turned(g_rest)));
    }
    weft_tensor *parts[] = {derive_qr(q, weft_slice(r, -1, 0, m, 1), gq, gr), weft_matmul(q, g_rest)};
    v->out[0] = weft_concat(parts, 2, -1);
}

/* ---- Eigenvalues and singular values ---- */

void weft__vjp_eigh(weft__vjp *v)
{
    weft_tensor *values = v->ys[0], *vectors = v->ys[1];
    if (was_rounded(v) && weft_eigh(v->in[0], &values, &vectors) != WEFT_OK)
        return;
    weft_tensor *inner = v->gs[0] ? weft_diag_embed(v->gs[0]) : NULL;
    if (v->gs[1])
        inner = sum_of(inner, weft_mul(weft_reciprocal_gaps(values), weft_matmul(turned(vectors), v->gs[1])));
    v->out[0] = symmetric_part(weft_matmul(weft_matmul(vectors, inner), turned(vectors)));
}

/* 1 / (s[j]^2 - s[i]^2), 0 on the diagonal, as a product, so that small ones are told apart; *reciprocals: 1 / s, where
 * vectors have a part beyond the others (m is not n), by the gaps to a 0 at the end. */
static weft_tensor *square_gaps(weft_tensor *s, bool beyond, weft_tensor **reciprocals)
{
    const int64_t n = s->a.shape[s->a.ndim - 1];
    weft_tensor *gaps;
    if (beyond) {
        weft_tensor *one = weft_mul_scalar(weft_slice(s, -1, 0, 1, 1), 0), *parts[] = {s, one};
        weft_tensor *all = weft_reciprocal_gaps(weft_concat(parts, 2, -1));
        *reciprocals = weft_slice(weft_slice(all, -2, n, n + 1, 1), -1, 0, n, 1);
        gaps = weft_slice(weft_slice(all, -2, 0, n, 1), -1, 0, n, 1);
    } else {
        gaps = weft_reciprocal_gaps(s);
    }
    weft_tensor *sums = weft_add(weft_unsqueeze(s, -1), weft_unsqueeze(s, -2));
    return weft_div(gaps, weft_add(sums, weft_eye(s->ctx, (weft_dtype)s->a.dtype, n, n)));
}

static weft_tensor *skew_part(weft_tensor *x)
{
    return weft_sub(x, turned(x));
}

void weft__vjp_svd(weft__vjp *v)
{
    weft_tensor *u = v->ys[0], *s = v->ys[1], *vh = v->ys[2], *gu = v->gs[0], *gs = v->gs[1], *gvh = v->gs[2];
    if (was_rounded(v) && weft_svd(v->in[0], &u, &s, &vh) != WEFT_OK)
        return;
    const weft__array *x = &v->in[0]->a;
    const int64_t m = x->shape[x->ndim - 2], n = x->shape[x->ndim - 1];
    if (x->count == 0) {
        v->out[0] = weft_zeros(v->ctx, (weft_dtype)x->dtype, x->shape, x->ndim);
        return;
    }
    weft_tensor *inner = gs ? weft_diag_embed(gs) : NULL, *reciprocals = NULL;
    weft_tensor *f = gu || gvh ? square_gaps(s, m != n, &reciprocals) : NULL;
    if (gu)
        inner = sum_of(inner, weft_mul(weft_mul(f, skew_part(weft_matmul(turned(u), gu))), weft_unsqueeze(s, -2)));
    if (gvh)
        inner = sum_of(inner, weft_mul(weft_mul(f, skew_part(weft_matmul(vh, turned(gvh)))), weft_unsqueeze(s, -1)));
    weft_tensor *all = weft_matmul(weft_matmul(u, inner), vh);
    if (gu && m > n) {
        weft_tensor *beyond = weft_sub(gu, weft_matmul(u, weft_matmul(turned(u), gu)));
        all = weft_add(all, weft_matmul(weft_mul(beyond, reciprocals), vh));
    }
    if (gvh && m < n) {
        weft_tensor *beyond = weft_sub(gvh, weft_matmul(weft_matmul(gvh, turned(vh)), vh));
        all = weft_add(all, weft_matmul(weft_mul(u, reciprocals), beyond));
    }
    v->out[0] = all;
}

void weft__vjp_pinv(weft__vjp *v)
{
    weft_tensor *in[] = {v->in[0]};
    weft__attrs attrs = {.rtol = v->attrs->rtol};
    weft_tensor *x = v->in[0], *y = was_rounded(v) ? weft__apply(WEFT_OP_PINV, in, 1, &attrs) : v->y, *g = v->g;
    weft_tensor *yt = turned(y), *gt = turned(g);
    weft_tensor *left = weft_matmul(weft_sub(gt, weft_matmul(x, weft_matmul(y, gt))), weft_matmul(y, yt));
    weft_tensor *right = weft_matmul(weft_matmul(yt, y), weft_sub(gt, weft_matmul(weft_matmul(gt, y), x)));
    v->out[0] = weft_add(weft_sub(left, weft_matmul(weft_matmul(yt, g), yt)), right);
}

/* The exponential of a matrix of blocks has the derivative beside the function. */
void weft__vjp_matrix_exp(weft__vjp *v)
{
    const weft__array *a = &v->in[0]->a;
    const int64_t n = a->shape[a->ndim - 1];
    weft_tensor *x = turned(v->in[0]), *zeros = weft_zeros(v->ctx, (weft_dtype)a->dtype, a->shape, a->ndim);
    weft_tensor *upper[] = {x, v->g}, *lower[] = {zeros, x};
    weft_tensor *blocks[] = {weft_concat(upper, 2, -1), weft_concat(lower, 2, -1)};
    weft_tensor *whole = weft_matrix_exp(weft_concat(blocks, 2, -2));
    v->out[0] = weft_slice(weft_slice(whole, -2, 0, n, 1), -1, n, 2 * n, 1);
}

void weft__vjp_reciprocal_gaps(weft__vjp *v)
{
    weft_tensor *all = weft_mul(v->g, weft_square(v->y));
    v->out[0] = weft_sub(weft_sum(all, WEFT_DIMS(-1), false), weft_sum(all, WEFT_DIMS(-2), false));
}
