/* reduce_var_mean.c - var_mean: variance and mean in one pass; var. */
#include "several.h"
#include "define.h"
#include "rows.h"

static bool infer_var_mean(weft__infer *q)
{
    if (!weft__infer_reduced(q))
        return false;
    weft__set_result(q, 1, q->out[0].dtype, q->out[0].shape, q->out[0].ndim);
    return true;
}

/* What is left of x after a reduction, with the reduced dims as 1. */
static weft_tensor *with_kept_dims(const weft__vjp *v, weft_tensor *t)
{
    const weft__array *x = &v->in[0]->a;
    int64_t shape[WEFT__MAX_DIMS];
    for (int d = 0; d < x->ndim; d++)
        shape[d] = v->attrs->var.dims >> d & 1 ? 1 : x->shape[d];
    return v->attrs->var.keepdim ? t : weft_reshape(t, shape, x->ndim);
}

static double reduced_count(const weft__vjp *v)
{
    const weft__array *x = &v->in[0]->a;
    double n = 1;
    for (int d = 0; d < x->ndim; d++)
        n *= v->attrs->var.dims >> d & 1 ? (double)x->shape[d] : 1;
    return n;
}

/* The result; of half types, where it has been rounded, the mean of what it is the mean of. */
static weft_tensor *mean_of(const weft__vjp *v)
{
    int64_t dims[WEFT__MAX_DIMS];
    int n = 0;
    if (v->ys[1] && v->node->in[0]->a.dtype == v->in[0]->a.dtype)
        return with_kept_dims(v, v->ys[1]);
    for (int d = 0; d < v->in[0]->a.ndim; d++)
        if (v->attrs->var.dims >> d & 1)
            dims[n++] = d;
    return n ? weft_mean(v->in[0], dims, n, true) : v->in[0];
}

/* dx = g_var 2 (x - mean) / max(0, n - correction) + g_mean / n */
void weft__vjp_var_mean(weft__vjp *v)
{
    const weft__array *x = &v->in[0]->a;
    const double n = reduced_count(v), divisor = n - v->attrs->var.correction;
    weft_tensor *dx = NULL;
    if (v->gs[0]) {
        weft_tensor *slope = weft_mul_scalar(with_kept_dims(v, v->gs[0]), 2 / (divisor > 0 ? divisor : 0.0));
        dx = weft_mul(weft_sub(v->in[0], mean_of(v)), slope);
    }
    if (v->gs[1]) {
        weft_tensor *share = weft_mul_scalar(with_kept_dims(v, v->gs[1]), 1 / n);
        dx = dx ? weft_add(dx, share) : weft_expand(share, x->shape, x->ndim);
    }
    v->out[0] = dx;
}

/* i: keepdim, dims..., none: all; f: correction. Results: var, mean */
CALL(var_mean)
{
    c->n_out = c->n_smooth = 2;
    if (weft_var_mean(c->in[0], DIMS_OF(c, 1), c->i[0] != 0, c->f[0], &c->out[0], &c->out[1]) != WEFT_OK)
        c->out[0] = NULL;
}

/* Four operations an element: two sums, a difference and its square. */
static double flops(const weft__work *w)
{
    return 4 * weft__count(w->in[0]);
}

WEFT__DEFINE(VAR_MEAN, var_mean, OPERANDS(FLOATS | STRIDED), ATTRS(var), INFER(infer_var_mean, JOIN_FLOATS),
             RESULTS(2, POSITIVE, SUMMED), EFFECT(PURE),
             DERIVATIVE(weft__vjp_var_mean, IN_STEPS, READS(FIRST | WEFT__READS_RESULT(1)), NO_KERNEL,
                        GRADIENT("of the variance: g 2 (x - mean) / (n - correction); of the mean: g / n")),
             WORK(weft__terms_ratio, flops, weft__bytes_once),
             SAMPLE(call_var_mean, RECIPE("xab", "0 1; 1"), RECIPE("xa5b", "1 0 2; 0"), RECIPE("tab", "0; 1")))

weft_status weft_var_mean(weft_tensor *x, const int64_t *dims, int ndim, bool keepdim, double correction,
                          weft_tensor **var, weft_tensor **mean)
{
    enum { OP = WEFT_OP_VAR_MEAN };
    weft_tensor *out[2], **const y[] = {var, mean};
    weft_ctx *ctx = weft__begin_several(OP, &x, y, 2);
    if (!ctx)
        return weft__refused(x);
    const int mask = weft__dim_mask(ctx, OP, x, dims, ndim);
    weft__attrs attrs = {.var = {.dims = mask, .keepdim = keepdim, .correction = correction}};
    return weft__end_several(ctx, mask >= 0 && weft__complete(ctx, OP, &x, 1, &attrs, out), out, y, 2);
}

/* ---- The variance alone ---- */

/* i: keepdim, dims..., none: all; f: correction */
CALL(var)
{
    c->out[0] = weft_var(c->in[0], DIMS_OF(c, 1), c->i[0] != 0, c->f[0]);
}

WEFT__DEFINE_COMPOSITE(VAR, var, PARTS(ANY_DTYPE, PART(VAR_MEAN, AS_ALONE)),
                       GRADIENT("g 2 (x - mean) / (n - correction)"),
                       WORK(weft__terms_ratio, weft__flops_each, weft__bytes_once),
                       SAMPLE(call_var, RECIPE("xab", "0 -1; 1"), RECIPE("xa5b", "1 0 2; 0"), RECIPE("xab", "0; 1")))

weft_tensor *weft_var(weft_tensor *x, const int64_t *dims, int ndim, bool keepdim, double correction)
{
    ENTER_COMPOSITE(VAR, &x, 1);
    weft_tensor *var = NULL;
    (void)weft_var_mean(x, dims, ndim, keepdim, correction, &var, NULL); /* NULL: the context has the error */
    return weft__leave_with(ctx, var);
}
