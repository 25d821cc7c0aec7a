/* linalg_made.c - linear algebra that is made of the factorisations. */
#include <math.h>
#include "made.h"

CALL(cholesky_solve)
{
    c->out[0] = weft_cholesky_solve(c->in[0], c->in[1]);
}

CALL(logdet)
{
    c->out[0] = weft_logdet(c->in[0]);
}

CALL(eigvalsh)
{
    c->out[0] = weft_eigvalsh(c->in[0]);
}

CALL(svdvals)
{
    c->out[0] = weft_svdvals(c->in[0]);
}

/* a, b; f: rtol */
CALL(lstsq)
{
    c->out[0] = weft_lstsq(c->in[0], c->in[1], c->f[0]);
}

/* Two triangles. */
static double flops_cholesky_solve(const weft__work *w)
{
    return 2 * (double)weft__extent(w->in[0], 1) * weft__count(w->out[0]);
}

/* Of square matrices f n^3 each, n their columns. */
static double flops_cubed(const weft__work *w, double f)
{
    return f * weft__count(w->in[0]) * (double)weft__extent(w->in[0], 1);
}

static double flops_logdet(const weft__work *w)
{
    return flops_cubed(w, 2.0 / 3);
}

static double flops_values(const weft__work *w)
{
    return flops_cubed(w, 8 * 6);
}

/* The rotations, and the product with b. */
static double flops_lstsq(const weft__work *w)
{
    return flops_values(w) + 2 * weft__count(w->out[0]) * (double)weft__extent(w->in[0], 2);
}

#define COSTS(flops) WORK(weft__terms_columns, flops, weft__bytes_once)

WEFT__DEFINE_COMPOSITE(CHOLESKY_SOLVE, cholesky_solve, PARTS(FLOATS, PART(TRIANGULAR_SOLVE, WIDE)),
                       GRADIENT("as of triangular_solve, twice"), COSTS(flops_cholesky_solve),
                       SAMPLE(call_cholesky_solve, RECIPE("ma44 xa43", ""), RECIPE("m33 xa32", "")))
WEFT__DEFINE_COMPOSITE(LOGDET, logdet, PARTS(FLOATS, PART(SLOGDET, WIDE), PART(LT, WIDE), PART(WHERE, WIDE)),
                       GRADIENT("g times the inverse transposed"), COSTS(flops_logdet),
                       SAMPLE(call_logdet, RECIPE("ma44", ""), RECIPE("m55", "")))
WEFT__DEFINE_COMPOSITE(EIGVALSH, eigvalsh, PARTS(FLOATS, PART(EIGH, AS_ALONE)), GRADIENT("v diag(g) v^T"),
                       COSTS(flops_values), SAMPLE(call_eigvalsh, RECIPE("xa44", ""), RECIPE("x33", "")))
WEFT__DEFINE_COMPOSITE(SVDVALS, svdvals, PARTS(FLOATS, PART(SVD, AS_ALONE)), GRADIENT("u diag(g) v^T"),
                       COSTS(flops_values), SAMPLE(call_svdvals, RECIPE("xa43", ""), RECIPE("x35", "")))
WEFT__DEFINE_COMPOSITE(LSTSQ, lstsq, PARTS(FLOATS, PART(PINV, WIDE), PART(MATMUL, WIDE)),
                       GRADIENT("as of pinv and matmul"), COSTS(flops_lstsq),
                       SAMPLE(call_lstsq, RECIPE("xa43 xa42", "; -1"), RECIPE("x35 x3", "; -1")))

weft_tensor *weft_cholesky_solve(weft_tensor *l, weft_tensor *b)
{
    static const char *const names[] = {"l", "b"};
    weft_tensor *in[] = {l, b};
    ENTER_COMPOSITE(CHOLESKY_SOLVE, in, 2);
    weft_dtype dtype;
    if (!weft__join_floats(ctx, WEFT_OP_CHOLESKY_SOLVE, in, names, 2, &dtype))
        return weft__leave_with(ctx, NULL);
    weft_tensor *half = weft_triangular_solve(in[0], in[1], 0);
    weft_tensor *x = weft_triangular_solve(in[0], half, WEFT_TRIANGULAR_SOLVE_TRANSPOSED);
    return weft__leave_with(ctx, weft__narrowed(x, dtype));
}

weft_tensor *weft_logdet(weft_tensor *x)
{
    static const char *const names[] = {"x"};
    ENTER_COMPOSITE(LOGDET, &x, 1);
    weft_dtype dtype;
    weft_tensor *sign, *size;
    if (!weft__join_floats(ctx, WEFT_OP_LOGDET, &x, names, 1, &dtype) || weft_slogdet(x, &sign, &size) != WEFT_OK)
        return weft__leave_with(ctx, NULL);
    weft_tensor *negative = weft_lt(sign, weft__constant_like(sign, 0));
    return weft__leave_with(ctx,
                            weft__narrowed(weft_where(negative, weft__constant_like(size, (double)NAN), size), dtype));
}

weft_tensor *weft_eigvalsh(weft_tensor *x)
{
    ENTER_COMPOSITE(EIGVALSH, &x, 1);
    weft_tensor *values = NULL;
    (void)weft_eigh(x, &values, NULL); /* NULL: the context has the error */
    return weft__leave_with(ctx, values);
}

weft_tensor *weft_svdvals(weft_tensor *x)
{
    ENTER_COMPOSITE(SVDVALS, &x, 1);
    weft_tensor *values = NULL;
    (void)weft_svd(x, NULL, &values, NULL);
    return weft__leave_with(ctx, values);
}

weft_tensor *weft_lstsq(weft_tensor *a, weft_tensor *b, double rtol)
{
    static const char *const names[] = {"a", "b"};
    weft_tensor *in[] = {a, b};
    ENTER_COMPOSITE(LSTSQ, in, 2);
    weft_dtype dtype;
    if (!weft__join_floats(ctx, WEFT_OP_LSTSQ, in, names, 2, &dtype) ||
        !weft__need_rank(ctx, WEFT_OP_LSTSQ, "a", in[0], 2, WEFT__MAX_DIMS) ||
        !weft__need_rank(ctx, WEFT_OP_LSTSQ, "b", in[1], 1, WEFT__MAX_DIMS))
        return weft__leave_with(ctx, NULL);
    const weft__array *p = &in[0]->a, *q = &in[1]->a;
    if (q->shape[q->ndim == 1 ? 0 : q->ndim - 2] != p->shape[p->ndim - 2])
        REFUSE(LSTSQ, WEFT_E_SHAPE, "a is %s, b is %s, but b must have as many rows as a: %lld",
               weft__describe(in[0]).s, weft__describe(in[1]).s, (long long)p->shape[p->ndim - 2]);
    return weft__leave_with(ctx, weft__narrowed(weft_matmul(weft_pinv(in[0], rtol), in[1]), dtype));
}
