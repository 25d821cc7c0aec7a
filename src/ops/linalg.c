/* linalg.c - factorisations of matrices, what is solved with them, and functions of matrices: records and front ends.
 * The derivatives are in linalg_vjp.c. */
#include <float.h>
#include <math.h>
#include "several.h"
#include "define.h"

/* ---- Shapes ---- */

static bool is_square(weft__infer *q, int k)
{
    const weft__array *a = q->in[k];
    if (!weft__has_rank(q, k, 2, WEFT__MAX_DIMS))
        return false;
    return a->shape[a->ndim - 1] == a->shape[a->ndim - 2] ||
           weft__refuse(q, WEFT_E_SHAPE, "%s is no square matrix: its last two dims must be equal; slice or pad it",
                        weft__operand_text(q, k).s);
}

static bool infer_square(weft__infer *q)
{
    if (!is_square(q, 0))
        return false;
    weft__set_like(q, 0, 0);
    return true;
}

static bool infer_det(weft__infer *q)
{
    if (!is_square(q, 0))
        return false;
    for (int r = 0; r < q->def->n_out; r++)
        weft__set_result(q, r, q->dtype[0], q->in[0]->shape, q->in[0]->ndim - 2);
    return true;
}

static bool infer_solve(weft__infer *q)
{
    const weft__array *a = q->in[0], *b = q->in[1];
    if (!is_square(q, 0) || !weft__has_rank(q, 1, q->def->op == WEFT_OP_SOLVE ? 1 : 2, WEFT__MAX_DIMS))
        return false;
    const bool column = b->ndim == 1;
    const int64_t n = a->shape[a->ndim - 1];
    weft__array lead_a = *a, lead_b = *b;
    int64_t shape[WEFT__MAX_DIMS];
    int ndim;
    lead_a.ndim -= 2;
    lead_b.ndim -= column ? 1 : 2;
    if (b->shape[lead_b.ndim] != n)
        return weft__refuse(q, WEFT_E_SHAPE, "a is %s, b is %s, but b must have as many rows as a: %lld",
                            weft__operand_text(q, 0).s, weft__operand_text(q, 1).s, (long long)n);
    if (!weft__broadcast(&lead_a, &lead_b, shape, &ndim))
        return weft__refuse(q, WEFT_E_SHAPE, "leading dims do not broadcast: a is %s, b is %s",
                            weft__operand_text(q, 0).s, weft__operand_text(q, 1).s);
    shape[ndim++] = n;
    if (!column)
        shape[ndim++] = b->shape[b->ndim - 1];
    weft__set_result(q, 0, q->dtype[0], shape, ndim);
    return true;
}

/* x's leading dims, and rows by columns behind them; rows < 0: columns alone. */
static void set_matrix(weft__infer *q, int r, int64_t rows, int64_t columns)
{
    const weft__array *x = q->in[0];
    int64_t shape[WEFT__MAX_DIMS];
    int ndim = 0;
    for (; ndim < x->ndim - 2; ndim++)
        shape[ndim] = x->shape[ndim];
    if (rows >= 0)
        shape[ndim++] = rows;
    shape[ndim++] = columns;
    weft__set_result(q, r, q->dtype[0], shape, ndim);
}

static bool infer_factors(weft__infer *q)
{
    const weft__array *x = q->in[0];
    if (!weft__has_rank(q, 0, 2, WEFT__MAX_DIMS))
        return false;
    const int64_t m = x->shape[x->ndim - 2], n = x->shape[x->ndim - 1], r = m < n ? m : n;
    switch ((int)q->def->op) {
    case WEFT_OP_QR:
        set_matrix(q, 0, m, r);
        set_matrix(q, 1, r, n);
        return true;
    case WEFT_OP_EIGH:
        set_matrix(q, 0, -1, n);
        set_matrix(q, 1, n, n);
        return is_square(q, 0);
    case WEFT_OP_SVD:
        set_matrix(q, 0, m, r);
        set_matrix(q, 1, -1, r);
        set_matrix(q, 2, r, n);
        return true;
    default:
        set_matrix(q, 0, n, m);
        return q->attrs->rtol.rtol <= DBL_MAX ||
               weft__refuse(q, WEFT_E_INVALID, "rtol is no finite number; a negative one stands for max(m, n) epsilon");
    }
}

static bool infer_gaps(weft__infer *q)
{
    const weft__array *x = q->in[0];
    if (!weft__has_rank(q, 0, 1, WEFT__MAX_DIMS - 1))
        return false;
    weft__set_like(q, 0, 0);
    q->out[0].shape[q->out[0].ndim++] = x->shape[x->ndim - 1];
    return true;
}

/* ---- Work ---- */

/* Of matrices m by n, how many there are times f(m, n). */
static double for_each(const weft__work *w, double own, double each)
{
    return own > 0 ? weft__count(w->in[0]) / own * each : 0;
}

static double rows_of(const weft__work *w)
{
    return (double)weft__extent(w->in[0], 2);
}

static double columns_of(const weft__work *w)
{
    return (double)weft__extent(w->in[0], 1);
}

static double flops_cholesky(const weft__work *w)
{
    const double n = columns_of(w);
    return for_each(w, n * n, n * n * n / 3);
}

static double flops_lu(const weft__work *w)
{
    const double n = columns_of(w);
    return for_each(w, n * n, 2 * n * n * n / 3);
}

static double flops_inverse(const weft__work *w)
{
    const double n = columns_of(w);
    return for_each(w, n * n, 2 * n * n * n);
}

static double flops_triangular_solve(const weft__work *w)
{
    return columns_of(w) * weft__count(w->out[0]);
}

/* The factors of a where it is repeated by stride 0 are computed again. */
static double flops_solve(const weft__work *w)
{
    const double n = columns_of(w), k = w->out[0]->ndim > 1 ? (double)weft__extent(w->out[0], 1) : 1;
    return n * k > 0 ? weft__count(w->out[0]) / (n * k) * (2 * n * n * n / 3 + 2 * n * n * k) : 0;
}

/* Reflections, and as many again for the columns of q. */
static double flops_qr(const weft__work *w)
{
    const double m = rows_of(w), n = columns_of(w), r = m < n ? m : n;
    return for_each(w, m * n, 4 * m * n * r - 4 * r * r * r / 3);
}

/* Jacobi's rotations of about eight sweeps. */
static double flops_eigh(const weft__work *w)
{
    const double n = columns_of(w);
    return for_each(w, n * n, 8 * 6 * n * n * n);
}

static double flops_svd(const weft__work *w)
{
    const double m = rows_of(w), n = columns_of(w), r = m < n ? m : n, l = m < n ? n : m;
    return for_each(w, m * n, 8 * r * r * (6 * l + 3 * r));
}

/* Six products, a solution, and a few squares. */
static double flops_matrix_exp(const weft__work *w)
{
    const double n = columns_of(w);
    return for_each(w, n * n, 20 * n * n * n);
}

/* ---- Records ---- */

CALL(cholesky)
{
    c->out[0] = weft_cholesky(c->in[0]);
}

/* a, b; i: flags */
CALL(triangular_solve)
{
    c->out[0] = weft_triangular_solve(c->in[0], c->in[1], (int)c->i[0]);
}

CALL(solve)
{
    c->out[0] = weft_solve(c->in[0], c->in[1]);
}

CALL(inverse)
{
    c->out[0] = weft_inverse(c->in[0]);
}

CALL(det)
{
    c->out[0] = weft_det(c->in[0]);
}

/* Results: the logarithm, which is differentiable, then the sign. */
CALL(slogdet)
{
    c->n_out = 2;
    if (weft_slogdet(c->in[0], &c->out[1], &c->out[0]) != WEFT_OK)
        c->out[0] = NULL;
}

CALL(cofactor)
{
    c->out[0] = weft_cofactor(c->in[0]);
}

CALL(qr)
{
    c->n_out = c->n_smooth = 2;
    if (weft_qr(c->in[0], &c->out[0], &c->out[1]) != WEFT_OK)
        c->out[0] = NULL;
}

CALL(eigh)
{
    c->n_out = c->n_smooth = 2;
    if (weft_eigh(c->in[0], &c->out[0], &c->out[1]) != WEFT_OK)
        c->out[0] = NULL;
}

CALL(svd)
{
    c->n_out = c->n_smooth = 3;
    if (weft_svd(c->in[0], &c->out[0], &c->out[1], &c->out[2]) != WEFT_OK)
        c->out[0] = NULL;
}

/* f: rtol */
CALL(pinv)
{
    c->out[0] = weft_pinv(c->in[0], c->f[0]);
}

CALL(matrix_exp)
{
    c->out[0] = weft_matrix_exp(c->in[0]);
}

CALL(reciprocal_gaps)
{
    c->out[0] = weft_reciprocal_gaps(c->in[0]);
}

#define RESULT_2 WEFT__READS_RESULT(1)
#define RESULT_3 WEFT__READS_RESULT(2)
#define MATRIX FLOATS | STRIDED
#define SIDE FLOATS | STRIDED | BROADCAST_LEADING
#define COSTS(flops) WORK(weft__terms_columns, flops, weft__bytes_once)

WEFT__DEFINE(CHOLESKY, cholesky, OPERANDS(MATRIX), NO_ATTRS, INFER(infer_square, AS_GIVEN), RESULTS(1, ROWWISE),
             EFFECT(PURE),
             DERIVATIVE(weft__vjp_cholesky, IN_STEPS, READS(FIRST | RESULT), NO_KERNEL,
                        GRADIENT("the symmetric part of l^-T p l^-1, p = l^T g without what is above the diagonal, "
                                 "which is halved (Murray 2016)")),
             COSTS(flops_cholesky), SAMPLE(call_cholesky, RECIPE("ma44", ""), RECIPE("m55", "")))
WEFT__DEFINE(TRIANGULAR_SOLVE, triangular_solve, OPERANDS(SIDE, SIDE), ATTRS(triangle), INFER(infer_solve, JOIN),
             RESULTS(1, ROWWISE), EFFECT(PURE),
             DERIVATIVE(weft__vjp_triangular_solve, IN_STEPS, READS(FIRST | RESULT), NO_KERNEL,
                        GRADIENT("of b: the solution d of a^T d = g; of a: -d x^T where a is read")),
             COSTS(flops_triangular_solve),
             SAMPLE(call_triangular_solve, RECIPE("ma44 xa43", "0"), RECIPE("m33 xa32", "1"), RECIPE("m44 x44", "10"),
                    RECIPE("m55 x53", "4")))
WEFT__DEFINE(SOLVE, solve, OPERANDS(SIDE, SIDE), NO_ATTRS, INFER(infer_solve, JOIN), RESULTS(1, ROWWISE), EFFECT(PURE),
             DERIVATIVE(weft__vjp_solve, IN_STEPS, READS(FIRST | RESULT), NO_KERNEL,
                        GRADIENT("of b: the solution d of a^T d = g; of a: -d x^T (Giles 2008)")),
             COSTS(flops_solve),
             SAMPLE(call_solve, RECIPE("ma44 xa43", ""), RECIPE("m33 xa32", ""), RECIPE("m55 x5", "")))
WEFT__DEFINE(INVERSE, inverse, OPERANDS(MATRIX), NO_ATTRS, INFER(infer_square, AS_GIVEN), RESULTS(1, ROWWISE),
             EFFECT(PURE),
             DERIVATIVE(weft__vjp_inverse, IN_STEPS, READS(RESULT), NO_KERNEL, GRADIENT("-y^T g y^T (Giles 2008)")),
             COSTS(flops_inverse), SAMPLE(call_inverse, RECIPE("ma44", ""), RECIPE("m55", "")))
WEFT__DEFINE(DET, det, OPERANDS(MATRIX), NO_ATTRS, INFER(infer_det, AS_GIVEN), RESULTS(1, ROWWISE), EFFECT(PURE),
             DERIVATIVE(weft__vjp_det, IN_STEPS, READS(FIRST), NO_KERNEL,
                        GRADIENT("g times the cofactors (Jacobi's formula)")),
             COSTS(flops_lu), SAMPLE(call_det, RECIPE("xa44", ""), RECIPE("x33", "")))
WEFT__DEFINE(SLOGDET, slogdet, OPERANDS(MATRIX), NO_ATTRS, INFER(infer_det, AS_GIVEN), RESULTS(1, ROWWISE, EXACT),
             EFFECT(PURE),
             DERIVATIVE(weft__vjp_slogdet, IN_STEPS, READS(FIRST), NO_KERNEL,
                        GRADIENT("of the logarithm: g times the inverse transposed (Giles 2008); the sign has none")),
             COSTS(flops_lu), SAMPLE(call_slogdet, RECIPE("ma44", ""), RECIPE("m55", "")))
WEFT__DEFINE(COFACTOR, cofactor, OPERANDS(MATRIX), NO_ATTRS, INFER(infer_square, AS_GIVEN), RESULTS(1, ROWWISE),
             EFFECT(PURE),
             DERIVATIVE(weft__vjp_cofactor, IN_STEPS, READS(FIRST), COFACTOR_GRAD,
                        GRADIENT("the sum of each element of g times the cofactors of its minor")),
             COSTS(flops_inverse), SAMPLE(call_cofactor, RECIPE("xa44", ""), RECIPE("x33", "")))
WEFT__DEFINE(QR, qr, OPERANDS(MATRIX), NO_ATTRS, INFER(infer_factors, AS_GIVEN), RESULTS(2, ROWWISE, ROWWISE),
             EFFECT(PURE),
             DERIVATIVE(weft__vjp_qr, IN_STEPS, READS(FIRST | RESULT | RESULT_2), NO_KERNEL,
                        GRADIENT("(gq + q c) r^-T, c the symmetric matrix with the lower triangle of r gr^T - gq^T q "
                                 "(Walter and Lehmann 2018); of columns beyond the m-th: q gr")),
             COSTS(flops_qr), SAMPLE(call_qr, RECIPE("xa43", ""), RECIPE("x25", ""), RECIPE("m44", "")))
WEFT__DEFINE(EIGH, eigh, OPERANDS(MATRIX), NO_ATTRS, INFER(infer_factors, AS_GIVEN), RESULTS(2, ROWWISE, ROWWISE),
             EFFECT(PURE),
             DERIVATIVE(weft__vjp_eigh, IN_STEPS, READS(FIRST | RESULT | RESULT_2), NO_KERNEL,
                        GRADIENT("the symmetric part of v (diag(gl) + f * (v^T gv)) v^T, f the reciprocal gaps of the "
                                 "values l, v the vectors (Giles 2008)")),
             COSTS(flops_eigh), SAMPLE(call_eigh, RECIPE("xa44", ""), RECIPE("x33", "")))
WEFT__DEFINE(SVD, svd, OPERANDS(MATRIX), NO_ATTRS, INFER(infer_factors, AS_GIVEN),
             RESULTS(3, ROWWISE, ROWWISE, ROWWISE), EFFECT(PURE),
             DERIVATIVE(weft__vjp_svd, IN_STEPS, READS(FIRST | RESULT | RESULT_2 | RESULT_3), NO_KERNEL,
                        GRADIENT("u (f * (u^T gu - gu^T u) s + s f * (v^T gv - gv^T v) + diag(gs)) v^T, f of the "
                                 "squares of s, and what lies beyond u and v (Townsend 2016)")),
             COSTS(flops_svd), SAMPLE(call_svd, RECIPE("xa43", ""), RECIPE("x35", ""), RECIPE("x33", "")))
WEFT__DEFINE(PINV, pinv, OPERANDS(MATRIX), ATTRS(rtol), INFER(infer_factors, AS_GIVEN), RESULTS(1, ROWWISE),
             EFFECT(PURE),
             DERIVATIVE(weft__vjp_pinv, IN_STEPS, READS(FIRST | RESULT), NO_KERNEL,
                        GRADIENT("-y^T g y^T + (1 - x y) g^T y y^T + y^T y g^T (1 - y x) (Golub and Pereyra 1973)")),
             COSTS(flops_svd), SAMPLE(call_pinv, RECIPE("xa43", "; -1"), RECIPE("x35", "; 1e-3")))
WEFT__DEFINE(MATRIX_EXP, matrix_exp, OPERANDS(MATRIX), NO_ATTRS, INFER(infer_square, AS_GIVEN), RESULTS(1, ROWWISE),
             EFFECT(PURE),
             DERIVATIVE(weft__vjp_matrix_exp, IN_STEPS, READS(FIRST), NO_KERNEL,
                        GRADIENT("the upper right block of exp [x^T g; 0 x^T] (Mathias 1996)")),
             COSTS(flops_matrix_exp), SAMPLE(call_matrix_exp, RECIPE("xa33", ""), RECIPE("x44", "")))
WEFT__DEFINE(RECIPROCAL_GAPS, reciprocal_gaps, OPERANDS(MATRIX), ATTRS(rtol), INFER(infer_gaps, AS_GIVEN),
             RESULTS(1, ROWWISE), EFFECT(PURE),
             DERIVATIVE(weft__vjp_reciprocal_gaps, IN_STEPS, READS(RESULT), NO_KERNEL,
                        GRADIENT("the sums of g y^2 over j less those over i")),
             COSTS(weft__flops_each), SAMPLE(call_reciprocal_gaps, RECIPE("m22", ""), RECIPE("x7", "")))
WEFT__DEFINE(COFACTOR_GRAD, cofactor_grad, OPERANDS(MATRIX, MATRIX), NO_ATTRS, NO_INFER, RESULTS(0, ROWWISE),
             EFFECT(PURE), NO_DERIVATIVE, COSTS(flops_svd), SAMPLE_OF(COFACTOR))

/* ---- Front ends ---- */

weft_tensor *weft_cholesky(weft_tensor *x)
{
    return weft__apply(WEFT_OP_CHOLESKY, &x, 1, NULL);
}

weft_tensor *weft_inverse(weft_tensor *x)
{
    return weft__apply(WEFT_OP_INVERSE, &x, 1, NULL);
}

weft_tensor *weft_det(weft_tensor *x)
{
    return weft__apply(WEFT_OP_DET, &x, 1, NULL);
}

weft_tensor *weft_cofactor(weft_tensor *x)
{
    return weft__apply(WEFT_OP_COFACTOR, &x, 1, NULL);
}

weft_tensor *weft_matrix_exp(weft_tensor *x)
{
    return weft__apply(WEFT_OP_MATRIX_EXP, &x, 1, NULL);
}

/* Transposed matrices and those to the right are the others' transposes. */
weft_tensor *weft_triangular_solve(weft_tensor *a, weft_tensor *b, int flags)
{
    enum {
        OP = WEFT_OP_TRIANGULAR_SOLVE,
        ALL = WEFT_TRIANGULAR_SOLVE_UPPER | WEFT_TRIANGULAR_SOLVE_TRANSPOSED | WEFT_TRIANGULAR_SOLVE_UNIT |
              WEFT_TRIANGULAR_SOLVE_RIGHT
    };
    weft_tensor *in[2] = {a, b}, *out[1];
    weft_ctx *ctx = weft__begin(OP, in, 2);
    if (!ctx)
        return NULL;
    const bool right = flags & WEFT_TRIANGULAR_SOLVE_RIGHT,
               turn = right != !!(flags & WEFT_TRIANGULAR_SOLVE_TRANSPOSED);
    const bool upper = flags & WEFT_TRIANGULAR_SOLVE_UPPER;
    if (flags & ~ALL) {
        weft__fail(ctx, OP, WEFT_E_INVALID, "flags %d have bits beyond those of weft_triangular_solve_flags", flags);
        return weft__leave_with(ctx, NULL);
    }
    if (!weft__need_rank(ctx, OP, "a", in[0], 2, WEFT__MAX_DIMS) ||
        !weft__need_rank(ctx, OP, "b", in[1], 2, WEFT__MAX_DIMS))
        return weft__leave_with(ctx, NULL);
    if (right && in[1]->a.shape[in[1]->a.ndim - 1] != in[0]->a.shape[in[0]->a.ndim - 1]) {
        weft__fail(ctx, OP, WEFT_E_SHAPE, "of x a = b a is %s and b %s, but b must have as many columns as a",
                   weft__describe(in[0]).s, weft__describe(in[1]).s);
        return weft__leave_with(ctx, NULL);
    }
    if (turn)
        in[0] = weft_transpose(in[0], -1, -2);
    if (right)
        in[1] = weft_transpose(in[1], -1, -2);
    weft__attrs attrs = {.triangle = {.upper = upper != turn, .unit = (flags & WEFT_TRIANGULAR_SOLVE_UNIT) != 0}};
    weft_tensor *x = in[0] && in[1] && weft__complete(ctx, OP, in, 2, &attrs, out) ? out[0] : NULL;
    return weft__leave_with(ctx, right && x ? weft_transpose(x, -1, -2) : x);
}

weft_tensor *weft_solve(weft_tensor *a, weft_tensor *b)
{
    weft_tensor *in[2] = {a, b}, *out[1];
    weft_ctx *ctx = weft__begin(WEFT_OP_SOLVE, in, 2);
    if (!ctx)
        return NULL;
    const bool column = in[1]->a.ndim == 1;
    weft__attrs none;
    if (column && !weft__ask(ctx, WEFT_OP_SOLVE, in, 2, &none)) /* a message shows them as they were given */
        return weft__leave_with(ctx, NULL);
    if (column)
        in[1] = weft_unsqueeze(in[1], 1);
    weft_tensor *x = in[1] && weft__complete(ctx, WEFT_OP_SOLVE, in, 2, NULL, out) ? out[0] : NULL;
    return weft__leave_with(ctx, column && x ? weft_squeeze(x, WEFT_DIMS(-1)) : x);
}

static weft_status factors(int op, weft_tensor *x, weft_tensor **const *y, int n)
{
    weft_tensor *out[3];
    weft_ctx *ctx = weft__begin_several(op, &x, y, n);
    if (!ctx)
        return weft__refused(x);
    return weft__end_several(ctx, weft__complete(ctx, op, &x, 1, NULL, out), out, y, n);
}

weft_status weft_slogdet(weft_tensor *x, weft_tensor **sign, weft_tensor **log_of_size)
{
    weft_tensor **const y[] = {log_of_size, sign};
    return factors(WEFT_OP_SLOGDET, x, y, 2);
}

weft_status weft_qr(weft_tensor *x, weft_tensor **q, weft_tensor **r)
{
    weft_tensor **const y[] = {q, r};
    return factors(WEFT_OP_QR, x, y, 2);
}

weft_status weft_eigh(weft_tensor *x, weft_tensor **values, weft_tensor **vectors)
{
    weft_tensor **const y[] = {values, vectors};
    return factors(WEFT_OP_EIGH, x, y, 2);
}

weft_status weft_svd(weft_tensor *x, weft_tensor **u, weft_tensor **s, weft_tensor **vh)
{
    weft_tensor **const y[] = {u, s, vh};
    return factors(WEFT_OP_SVD, x, y, 3);
}

static double epsilon_of(int32_t dtype)
{
    switch (dtype) {
    case WEFT_F64:
        return 0x1p-52;
    case WEFT_F16:
        return 0x1p-10;
    case WEFT_BF16:
        return 0x1p-7;
    default:
        return 0x1p-23;
    }
}

weft_tensor *weft_pinv(weft_tensor *x, double rtol)
{
    weft_tensor *out[1];
    weft_ctx *ctx = weft__begin(WEFT_OP_PINV, &x, 1);
    if (!ctx)
        return NULL;
    const int64_t m = weft__extent(&x->a, 2), n = weft__extent(&x->a, 1);
    weft__attrs attrs = {.rtol = {.rtol = rtol < 0 ? epsilon_of(x->a.dtype) * (double)(m > n ? m : n) : rtol}};
    return weft__leave_with(ctx, weft__complete(ctx, WEFT_OP_PINV, &x, 1, &attrs, out) ? out[0] : NULL);
}

weft_tensor *weft_reciprocal_gaps(weft_tensor *x)
{
    weft_tensor *out[1];
    weft_ctx *ctx = weft__begin(WEFT_OP_RECIPROCAL_GAPS, &x, 1);
    if (!ctx)
        return NULL;
    weft__attrs attrs = {.rtol = {.rtol = epsilon_of(x->a.dtype) * (double)weft__extent(&x->a, 1)}};
    return weft__leave_with(ctx, weft__complete(ctx, WEFT_OP_RECIPROCAL_GAPS, &x, 1, &attrs, out) ? out[0] : NULL);
}
