/* matmul.c - matmul, linear, linear_act, matmul_integer. */
#include <string.h>
#include "define.h"

/* A multiply-add for each element of the result and of its sum. */
static double product_flops(const weft__work *w)
{
    const weft__array *a = w->in[0];
    return a && a->ndim > 0 ? 2 * weft__count(w->out[0]) * (double)a->shape[a->ndim - 1] : 0;
}

/* Joint leading dims, then M and N. As in NumPy an a of one dim is a row and has no M, a b of one dim is a column and
 * has no N; the kernel and the derivative get both as matrices, from weft_matmul. */
static bool product_has(weft__infer *q, int32_t dtype)
{
    const weft__array *a = q->in[0], *b = q->in[1];
    if (!weft__has_rank(q, 0, 1, WEFT__MAX_DIMS) || !weft__has_rank(q, 1, 1, WEFT__MAX_DIMS))
        return false;
    const bool row = a->ndim == 1, column = b->ndim == 1;
    const int64_t rows = b->shape[b->ndim - (column ? 1 : 2)];
    if (a->shape[a->ndim - 1] != rows)
        return weft__refuse(
            q, WEFT_E_SHAPE, "inner sizes differ: %s by %s (%lld columns against %lld rows); transpose one operand?",
            weft__operand_text(q, 0).s, weft__operand_text(q, 1).s, (long long)a->shape[a->ndim - 1], (long long)rows);
    weft__array lead_a = *a, lead_b = *b;
    int64_t shape[WEFT__MAX_DIMS];
    int ndim;
    lead_a.ndim -= row ? 1 : 2;
    lead_b.ndim -= column ? 1 : 2;
    if (!weft__broadcast(&lead_a, &lead_b, shape, &ndim))
        return weft__refuse(q, WEFT_E_SHAPE, "leading dims do not broadcast: %s by %s", weft__operand_text(q, 0).s,
                            weft__operand_text(q, 1).s);
    if (!row)
        shape[ndim++] = a->shape[a->ndim - 2];
    if (!column)
        shape[ndim++] = b->shape[b->ndim - 1];
    weft__set_result(q, 0, dtype, shape, ndim);
    return true;
}

static bool infer_matmul(weft__infer *q)
{
    return product_has(q, q->dtype[0]);
}

/* Zero points k of an operand of that size: one for all, or one for each of its rows (of b: columns). */
static bool has_zeros(weft__infer *q, int k, int64_t size, const char *what)
{
    const weft__array *zero = q->in[k], *of = q->in[k - 2];
    if (!zero)
        return true;
    if (zero->dtype != of->dtype)
        return weft__refuse(q, WEFT_E_DTYPE,
                            "zero points have the dtype of what they are of: %s is %s beside %s; use weft_cast",
                            k == 2 ? "a_zero" : "b_zero", weft__operand_text(q, k).s, weft__operand_text(q, k - 2).s);
    if (zero->ndim > 1 || (zero->ndim == 1 && zero->shape[0] != 1 && zero->shape[0] != size))
        return weft__refuse(q, WEFT_E_SHAPE, "%s is %s, but must be [], or [%lld], one zero point for each %s",
                            k == 2 ? "a_zero" : "b_zero", weft__operand_text(q, k).s, (long long)size, what);
    return true;
}

static bool infer_matmul_integer(weft__infer *q)
{
    const weft__array *a = q->in[0], *b = q->in[1];
    return product_has(q, WEFT_I32) && has_zeros(q, 2, a->ndim > 1 ? a->shape[a->ndim - 2] : 1, "row of a") &&
           has_zeros(q, 3, b->ndim > 1 ? b->shape[b->ndim - 1] : 1, "column of b");
}

/* x [..., K], w [N, K], b [N] or NULL. The second result of linear_act, the sums, is for GELU's derivative alone; that
 * of RELU can do with the first. */
static bool infer_linear(weft__infer *q)
{
    const weft__array *x = q->in[0], *w = q->in[1], *b = q->in[2];
    if (!weft__has_rank(q, 0, 1, WEFT__MAX_DIMS) || !weft__has_rank(q, 1, 2, 2))
        return false;
    const int64_t inner = x->shape[x->ndim - 1], outer = w->shape[0];
    if (w->shape[1] != inner || (b && (b->ndim != 1 || b->shape[0] != outer)))
        return weft__refuse(
            q, WEFT_E_SHAPE,
            "x is %s, w is %s, b is %s; w must be [N, K] with K = x's last size (%lld), and b [N] or NULL",
            weft__operand_text(q, 0).s, weft__operand_text(q, 1).s, weft__operand_text(q, 2).s, (long long)inner);
    weft__set_like(q, 0, 0);
    q->out[0].shape[x->ndim - 1] = outer;
    if (q->def->op == WEFT_OP_LINEAR)
        return true;
    const int64_t act = q->attrs->linear.activation;
    if (act != WEFT_ACTIVATION_NONE && act != WEFT_ACTIVATION_RELU && act != WEFT_ACTIVATION_GELU_TANH)
        return weft__refuse(q, WEFT_E_INVALID,
                            "%lld is no activation; give WEFT_ACTIVATION_NONE, WEFT_ACTIVATION_RELU or "
                            "WEFT_ACTIVATION_GELU_TANH, and apply any other to the result of weft_linear",
                            (long long)act);
    const bool sums = act == WEFT_ACTIVATION_GELU_TANH && q->records;
    weft__set_result(q, 1, sums ? q->out[0].dtype : -1, q->out[0].shape, x->ndim);
    return true;
}

CALL(matmul)
{
    c->out[0] = weft_matmul(c->in[0], c->in[1]);
}

CALL(matmul_integer)
{
    c->out[0] = weft_matmul_integer(c->in[0], c->in[1], c->in[2], c->in[3]);
}

CALL(linear)
{
    c->out[0] = weft_linear(c->in[0], c->in[1], c->in[2]);
}

/* x, w, b; i: activation */
CALL(linear_act)
{
    c->out[0] = weft_linear_act(c->in[0], c->in[1], c->in[2], (weft_activation)c->i[0]);
}

WEFT__DEFINE(MATMUL, matmul, OPERANDS(FLOATS | STRIDED | BROADCAST_LEADING, FLOATS | STRIDED | BROADCAST_LEADING),
             NO_ATTRS, INFER(infer_matmul, JOIN), RESULTS(1, SUMMED), EFFECT(PURE),
             DERIVATIVE(weft__vjp_matmul, ROUNDS_ONCE, READS(FIRST | SECOND), NO_KERNEL,
                        GRADIENT("of a: g b^T; of b: a^T g; summed over dims that were broadcast")),
             WORK(weft__terms_columns, product_flops, weft__bytes_once),
             SAMPLE(call_matmul, RECIPE("xac xcb", ""), RECIPE("x3ac xcb", ""), RECIPE("xc x2cb", ""),
                    RECIPE("x2ac xc", "")))
WEFT__DEFINE(MATMUL_INTEGER, matmul_integer,
             OPERANDS(ANY_DTYPE | WHOLE | SMALL | STRIDED | BROADCAST_LEADING,
                      ANY_DTYPE | WHOLE | SMALL | STRIDED | BROADCAST_LEADING,
                      ANY_DTYPE | WHOLE | SMALL | STRIDED | OR_NULL, ANY_DTYPE | WHOLE | SMALL | STRIDED | OR_NULL),
             NO_ATTRS, INFER(infer_matmul_integer, AS_GIVEN), RESULTS(0, EXACT), EFFECT(PURE), NO_DERIVATIVE,
             WORK(weft__terms_columns, product_flops, weft__bytes_once),
             SAMPLE(call_matmul_integer, RECIPE("bac bcb - -", ""), RECIPE("bac bcb b bb", ""),
                    RECIPE("b3ac bcb ba b", ""), RECIPE("bc b2cb - bb", "")))
WEFT__DEFINE(LINEAR, linear, OPERANDS(FLOATS, FLOATS | STRIDED, FLOATS | OR_NULL), NO_ATTRS, INFER(infer_linear, JOIN),
             RESULTS(1, SUMMED), EFFECT(PURE),
             DERIVATIVE(weft__vjp_linear, ROUNDS_ONCE, READS(FIRST | SECOND), LINEAR_GRAD,
                        GRADIENT("of x: g w; of w: g^T x; of b: the sum of g over the rows")),
             WORK(weft__terms_columns, product_flops, weft__bytes_once),
             SAMPLE(call_linear, RECIPE("xac xbc xb", ""), RECIPE("x2ac xbc -", "")))

/* RELU's gradient reads the result. That of GELU reads the sums, which the kernel keeps, and its own derivative makes
 * them again, with the bias. */
static uint64_t activation_reads(const weft__attrs *attrs)
{
    const uint64_t operands = FIRST | SECOND;
    switch (attrs->linear.activation) {
    case WEFT_ACTIVATION_GELU_TANH:
        return operands | THIRD;
    case WEFT_ACTIVATION_RELU:
        return operands | RESULT;
    default:
        return operands;
    }
}

WEFT__DEFINE(LINEAR_ACT, linear_act, OPERANDS(FLOATS, FLOATS | STRIDED, FLOATS | OR_NULL), ATTRS(linear),
             INFER(infer_linear, JOIN), RESULTS(1, SUMMED, SUMMED), EFFECT(PURE),
             DERIVATIVE(weft__vjp_linear_act, IN_STEPS, READS_BY(activation_reads), LINEAR_GRAD,
                        GRADIENT("those of linear, after g times the activation's derivative")),
             WORK(weft__terms_columns, product_flops, weft__bytes_once),
             SAMPLE(call_linear_act, RECIPE("xac xbc xb", "2"), RECIPE("xac xbc xb", "1"), RECIPE("xac xbc xb", "0"),
                    RECIPE("x2ac xbc -", "2")))

/* g [M, N], x [M, K]: sums over the rows, and each element of dw takes one column of g. */
static int64_t row_terms(const weft__work *w, int result)
{
    (void)result;
    return w->in[0] && w->in[0]->ndim > 0 ? w->in[0]->shape[0] : 1;
}

static double row_flops(const weft__work *w)
{
    return w->in[0] && w->in[0]->ndim > 0 ? 2 * weft__count(w->out[0]) * (double)w->in[0]->shape[0] : 0;
}

WEFT__DEFINE(LINEAR_GRAD, linear_grad, OPERANDS(FLOATS, FLOATS), NO_ATTRS, NO_INFER, RESULTS(0, SUMMED, SUMMED),
             EFFECT(PURE), NO_DERIVATIVE, WORK(row_terms, row_flops, weft__bytes_once), SAMPLE_OF(LINEAR))

/* ---- Front ends ---- */

/* A 1-d operand is a row or a column, as in NumPy. */
static inline __attribute__((always_inline)) weft_tensor *multiply(int op, weft_tensor **in, int n)
{
    weft_tensor *out[1];
    weft_ctx *ctx = weft__begin(op, in, n);
    if (!ctx)
        return NULL;
    const bool row = in[0]->a.ndim == 1, column = in[1]->a.ndim == 1;
    weft__attrs none;
    if ((row || column) && !weft__ask(ctx, op, in, n, &none)) /* a message shows them as they were given */
        return weft__leave_with(ctx, NULL);
    if (row)
        in[0] = weft_unsqueeze(in[0], 0);
    if (column)
        in[1] = weft_unsqueeze(in[1], 1);
    weft_tensor *y = weft__complete(ctx, op, in, n, NULL, out) ? out[0] : NULL;
    if (row && y)
        y = weft_squeeze(y, WEFT_DIMS(-2));
    if (column && y)
        y = weft_squeeze(y, WEFT_DIMS(-1));
    return weft__leave_with(ctx, y);
}

weft_tensor *weft_matmul(weft_tensor *a, weft_tensor *b)
{
    weft_tensor *in[2] = {a, b};
    return multiply(WEFT_OP_MATMUL, in, 2);
}

weft_tensor *weft_matmul_integer(weft_tensor *a, weft_tensor *b, weft_tensor *a_zero, weft_tensor *b_zero)
{
    weft_tensor *in[4] = {a, b, a_zero, b_zero};
    return multiply(WEFT_OP_MATMUL_INTEGER, in, 4);
}

weft_tensor *weft_linear(weft_tensor *x, weft_tensor *w, weft_tensor *b)
{
    weft_tensor *in[3] = {x, w, b};
    return weft__apply(WEFT_OP_LINEAR, in, 3, NULL);
}

weft_tensor *weft_linear_act(weft_tensor *x, weft_tensor *w, weft_tensor *b, weft_activation act)
{
    weft_tensor *in[3] = {x, w, b};
    weft__attrs attrs = {.linear = {.activation = act}};
    return weft__apply(WEFT_OP_LINEAR_ACT, in, 3, &attrs);
}

/* ---- Derivatives ---- */

/* [..., n] as [rows, n] */
static weft_tensor *as_rows(weft_tensor *t)
{
    int64_t n = t->a.ndim > 0 ? t->a.shape[t->a.ndim - 1] : 1, rows = 1;
    for (int d = 0; d + 1 < t->a.ndim; d++)
        rows *= t->a.shape[d];
    return weft_reshape(t, (const int64_t[]){rows, n}, 2);
}

void weft__vjp_matmul(weft__vjp *v)
{
    weft_tensor *a = v->in[0], *b = v->in[1], *g = v->g;
    if (weft__wants(v, 0))
        v->out[0] = weft_matmul(g, weft_transpose(b, -1, -2));
    if (!weft__wants(v, 1))
        return;
    if (b->a.ndim == 2 && a->a.ndim > 2) /* one large product instead of a batch to be summed */
        v->out[1] = weft_matmul(weft_transpose(as_rows(a), 0, 1), as_rows(g));
    else
        v->out[1] = weft_matmul(weft_transpose(a, -1, -2), g);
}

/* The derivatives of x w^T + b, from dz, the gradient of that sum. */
static void derive_linear(weft__vjp *v, weft_tensor *dz)
{
    weft_tensor *rows = as_rows(dz);
    if (weft__wants(v, 0))
        v->out[0] = weft_reshape(weft_matmul(rows, v->in[1]), v->in[0]->a.shape, v->in[0]->a.ndim);
    if (weft__wants(v, 1) && !v->compose) {
        weft_tensor *in[] = {rows, as_rows(v->in[0])}, *out[] = {weft__room_for(v, 1), weft__room_for(v, 2)};
        if (v->ctx->status != WEFT_OK || weft__run_fused(v, WEFT_OP_LINEAR_GRAD, in, 2, out, 2) != WEFT_OK)
            weft__drop_all(v);
        return;
    }
    if (weft__wants(v, 1))
        v->out[1] = weft_matmul(weft_transpose(rows, 0, 1), as_rows(v->in[0]));
    if (weft__wants(v, 2))
        v->out[2] = weft_sum(rows, WEFT_DIMS(0), false);
}

void weft__vjp_linear(weft__vjp *v)
{
    derive_linear(v, v->g);
}

/* The gradient of the sum in public operations. The sum of GELU_TANH that was kept has no history: where that is needed
 * it is made again. */
static weft_tensor *compose_activation(weft__vjp *v, weft_activation act)
{
    const weft_dtype dtype = (weft_dtype)v->g->a.dtype;
    weft_tensor *x = NULL, *dz = NULL;
    if (act == WEFT_ACTIVATION_GELU_TANH)
        x = v->create_graph ? weft_linear(v->in[0], v->in[1], v->in[2]) : weft__widened(v->extra[0]);
    weft__vjp of_row = *v;
    of_row.in = &x;
    of_row.out = &dz;
    of_row.g = weft__widened(v->g);
    if (v->ctx->status == WEFT_OK)
        (act == WEFT_ACTIVATION_RELU ? weft__vjp_relu : weft__vjp_gelu_tanh)(&of_row);
    return dz ? weft__narrowed(dz, dtype) : NULL;
}

/* The same by the fused gradient of the activation's own row: of RELU from y, of GELU_TANH from the sum. */
static weft_tensor *through_activation(weft__vjp *v, weft_activation act)
{
    const bool relu = act == WEFT_ACTIVATION_RELU;
    if (!weft__has_fused(v, relu ? WEFT_OP_RELU : WEFT_OP_GELU_TANH))
        return compose_activation(v, act);
    const weft__array *sum = relu ? NULL : &v->extra[0]->a, *y = relu ? &v->y->a : NULL, *g = &v->g->a;
    weft_tensor *dz = weft__new(v->ctx, (int)v->node->op, (weft_dtype)g->dtype, g->shape, g->ndim);
    if (!dz || weft__run_grad(v->ctx, relu ? WEFT_OP_RELU : WEFT_OP_GELU_TANH, (const weft__array *[]){sum, y, g}, 3,
                              (weft__array *[]){&dz->a}, 1, NULL) != WEFT_OK)
        return NULL;
    return dz;
}

void weft__vjp_linear_act(weft__vjp *v)
{
    const weft_activation act = (weft_activation)v->attrs->linear.activation;
    weft_tensor *dz = v->g;
    if (act != WEFT_ACTIVATION_NONE)
        dz = v->compose ? compose_activation(v, act) : through_activation(v, act);
    if (dz)
        derive_linear(v, dz);
}
