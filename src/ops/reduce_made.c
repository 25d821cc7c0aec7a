/* reduce_made.c - reductions that are composites. */
#include <math.h>
#include "made.h"

/* i: keepdim, dims..., none: all; f: correction */
CALL(std)
{
    c->out[0] = weft_std(c->in[0], DIMS_OF(c, 1), c->i[0] != 0, c->f[0]);
}

/* i: keepdim, dims... */
CALL(count_nonzero)
{
    c->out[0] = weft_count_nonzero(c->in[0], DIMS_OF(c, 1), c->i[0] != 0);
}

/* i: keepdim, dims... */
CALL(nansum)
{
    c->out[0] = weft_nansum(c->in[0], DIMS_OF(c, 1), c->i[0] != 0);
}

/* i: keepdim, dims... */
CALL(nanmean)
{
    c->out[0] = weft_nanmean(c->in[0], DIMS_OF(c, 1), c->i[0] != 0);
}

/* i: keepdim, dims...; f: the order */
CALL(vector_norm)
{
    c->out[0] = weft_vector_norm(c->in[0], c->f[0], DIMS_OF(c, 1), c->i[0] != 0);
}

/* y, x or none; i: dim; f: dx */
CALL(trapezoid)
{
    c->out[0] = weft_trapezoid(c->in[0], c->in[1], c->f[0], c->i[0]);
}

/* likewise */
CALL(cumulative_trapezoid)
{
    c->out[0] = weft_cumulative_trapezoid(c->in[0], c->in[1], c->f[0], c->i[0]);
}

WEFT__DEFINE_COMPOSITE(STD, std, PARTS(ANY_DTYPE, PART(VAR_MEAN, AS_ALONE), PART(SQRT, AS_ALONE)),
                       GRADIENT("g (x - mean) / ((n - correction) y)"), ROW_ONCE,
                       SAMPLE(call_std, RECIPE("xab", "0 -1; 1"), RECIPE("xa5b", "1 0 2; 0"), RECIPE("xab", "0; 1")))
WEFT__DEFINE_COMPOSITE(COUNT_NONZERO, count_nonzero, PARTS(ANY_DTYPE, PART(NE, AS_ALONE), PART(SUM, OF_BOOL)),
                       GRADIENT(NULL), ROW_ONCE,
                       SAMPLE(call_count_nonzero, RECIPE("rab", "0 -1"), RECIPE("ra5b", "1 0 2"), RECIPE("rab", "0")))
WEFT__DEFINE_COMPOSITE(NANSUM, nansum, PARTS(FLOATS, PART(ISNAN, WIDE), PART(WHERE, WIDE), PART(SUM, WIDE)),
                       GRADIENT("g where x is a number, else 0"), ROW_ONCE,
                       SAMPLE(call_nansum, RECIPE("xab", "0 -1"), RECIPE("xa5b", "1 0 2"), RECIPE("xab", "0")))
WEFT__DEFINE_COMPOSITE(NANMEAN, nanmean,
                       PARTS(FLOATS, PART(ISNAN, WIDE), PART(LOGICAL_NOT, OF_BOOL), PART(WHERE, WIDE), PART(SUM, WIDE),
                             PART(SUM, OF_BOOL), PART(DIV, WIDE)),
                       GRADIENT("g / n where x is one of the n numbers, else 0"), ROW_ONCE,
                       SAMPLE(call_nanmean, RECIPE("xab", "0 -1"), RECIPE("xa5b", "1 0 2"), RECIPE("xab", "0")))
WEFT__DEFINE_COMPOSITE(VECTOR_NORM, vector_norm,
                       PARTS(FLOATS, PART(ABS, WIDE), PART(POW_SCALAR, WIDE), PART(SUM, WIDE)),
                       GRADIENT("g sign(x) |x|^(p-1) / y^(p-1)"), ROW_ONCE,
                       SAMPLE(call_vector_norm, RECIPE("pab", "0 -1; 3"), RECIPE("pa5b", "1 0 2; 1.5"),
                              RECIPE("pab", "0; 3")))

#define AREAS PART(SUB, WIDE), PART(ADD, WIDE), PART(MUL, WIDE), PART(MUL_SCALAR, WIDE)
WEFT__DEFINE_COMPOSITE(
    TRAPEZOID, trapezoid, PARTS(FLOATS, AREAS, PART(SUM, WIDE)),
    GRADIENT("of y g times half the width on either side; of x the differences of g (y[i] + y[i + 1]) / 2"), ROW_ONCE,
    SAMPLE(call_trapezoid, RECIPE("xab xb", "1; 1"), RECIPE("xab xab", "0; 1"), RECIPE("xab -", "1; 0.5")))
WEFT__DEFINE_COMPOSITE(CUMULATIVE_TRAPEZOID, cumulative_trapezoid, PARTS(FLOATS, AREAS, PART(CUMSUM, WIDE)),
                       GRADIENT("as of trapezoid, by the sums of g from each element on"), EACH_ONCE,
                       SAMPLE(call_cumulative_trapezoid, RECIPE("xab xb", "1; 1"), RECIPE("xab xab", "0; 1"),
                              RECIPE("xab -", "1; 0.5")))

weft_tensor *weft_std(weft_tensor *x, const int64_t *dims, int ndim, bool keepdim, double correction)
{
    ENTER_COMPOSITE(STD, &x, 1);
    return weft__leave_with(ctx, weft_sqrt(weft_var(x, dims, ndim, keepdim, correction)));
}

weft_tensor *weft_count_nonzero(weft_tensor *x, const int64_t *dims, int ndim, bool keepdim)
{
    ENTER_COMPOSITE(COUNT_NONZERO, &x, 1);
    return weft__leave_with(ctx, weft_sum(weft_ne(x, weft__constant_like(x, 0)), dims, ndim, keepdim));
}

weft_tensor *weft_nansum(weft_tensor *x, const int64_t *dims, int ndim, bool keepdim)
{
    static const char *const names[] = {"x"};
    ENTER_COMPOSITE(NANSUM, &x, 1);
    weft_dtype dtype;
    if (!weft__join_floats(ctx, WEFT_OP_NANSUM, &x, names, 1, &dtype))
        return weft__leave_with(ctx, NULL);
    weft_tensor *numbers = weft_where(weft_isnan(x), weft__constant_like(x, 0), x);
    return weft__leave_with(ctx, weft__narrowed(weft_sum(numbers, dims, ndim, keepdim), dtype));
}

weft_tensor *weft_nanmean(weft_tensor *x, const int64_t *dims, int ndim, bool keepdim)
{
    static const char *const names[] = {"x"};
    ENTER_COMPOSITE(NANMEAN, &x, 1);
    weft_dtype dtype;
    if (!weft__join_floats(ctx, WEFT_OP_NANMEAN, &x, names, 1, &dtype))
        return weft__leave_with(ctx, NULL);
    weft_tensor *none = weft_isnan(x), *numbers = weft_where(none, weft__constant_like(x, 0), x);
    weft_tensor *n = weft_sum(weft_logical_not(none), dims, ndim, keepdim);
    weft_tensor *sum = weft_sum(numbers, dims, ndim, keepdim);
    n = n ? weft__cast(n, (weft_dtype)x->a.dtype) : NULL;
    return weft__leave_with(ctx, weft__narrowed(weft_div(sum, n), dtype));
}

/* Orders 0, 1, 2 and the infinities by what they are, without a power. */
static weft_tensor *norm_of(weft_tensor *x, double order, const int64_t *dims, int ndim, bool keepdim)
{
    if (order == 2)
        return weft_norm(x, dims, ndim, keepdim);
    if (order == 0) {
        weft_tensor *n = weft_sum(weft_ne(x, weft__constant_like(x, 0)), dims, ndim, keepdim);
        return n ? weft__cast(n, (weft_dtype)x->a.dtype) : NULL;
    }
    /* An even power has no kink at 0, where the derivatives of the absolute value would end it. */
    weft_tensor *size = fmod(order, 2) == 0 ? x : weft_abs(x);
    if (isinf(order))
        return order > 0 ? weft_max_over(size, dims, ndim, keepdim) : weft_min_over(size, dims, ndim, keepdim);
    if (order == 1)
        return weft_sum(size, dims, ndim, keepdim);
    return weft_pow_scalar(weft_sum(weft_pow_scalar(size, order), dims, ndim, keepdim), 1 / order);
}

weft_tensor *weft_vector_norm(weft_tensor *x, double order, const int64_t *dims, int ndim, bool keepdim)
{
    static const char *const names[] = {"x"};
    ENTER_COMPOSITE(VECTOR_NORM, &x, 1);
    weft_dtype dtype;
    if (isnan(order))
        REFUSE(VECTOR_NORM, WEFT_E_INVALID, "the order is NaN");
    if (!weft__join_floats(ctx, WEFT_OP_VECTOR_NORM, &x, names, 1, &dtype))
        return weft__leave_with(ctx, NULL);
    return weft__leave_with(ctx, weft__narrowed(norm_of(x, order, dims, ndim, keepdim), dtype));
}

/* ---- Areas ---- */

/* The area between each two neighbours of y along dim d. in: y, x or NULL; *dtype is their joint one. */
static weft_tensor *areas(weft_ctx *ctx, int op, weft_tensor **in, double dx, int64_t dim, int *d, weft_dtype *dtype)
{
    static const char *const names[] = {"y", "x"};
    if (!weft__join_floats(ctx, op, in, names, 2, dtype) || (*d = weft__dim(ctx, op, in[0], dim)) < 0)
        return NULL;
    weft_tensor *y = in[0], *x = in[1];
    const int64_t n = y->a.shape[*d];
    weft_tensor *sums = weft_add(weft_slice(y, *d, 0, n - 1, 1), weft_slice(y, *d, 1, n, 1));
    if (!x)
        return weft_mul_scalar(sums, dx / 2);
    const bool line = x->a.ndim == 1 && x->a.count == n;
    if (!line && !weft__same_shape(&x->a, &y->a))
        return weft__fail(ctx, op, WEFT_E_SHAPE,
                          "x %s must be [%lld], a place for each element of y %s along dim %d, or of "
                          "y's shape",
                          weft__describe(x).s, (long long)n, weft__describe(y).s, *d),
               NULL;
    const int at = line ? 0 : *d;
    weft_tensor *widths = weft_sub(weft_slice(x, at, 1, n, 1), weft_slice(x, at, 0, n - 1, 1));
    for (int k = *d + 1; line && k < y->a.ndim; k++)
        widths = weft_unsqueeze(widths, -1);
    return weft_mul_scalar(weft_mul(sums, widths), 0.5);
}

/* The place of what may be left out has no tensor to enter with. */
static weft_tensor *integral(int op, weft_tensor *y, weft_tensor *x, double dx, int64_t dim)
{
    weft_tensor *in[] = {y, x};
    weft_ctx *ctx = weft__enter(op, in, 2, 2);
    if (!ctx)
        return NULL;
    int d;
    weft_dtype dtype;
    weft_tensor *all = weft__localise(ctx, in, 2) ? areas(ctx, op, in, dx, dim, &d, &dtype) : NULL;
    if (!all)
        return weft__leave_with(ctx, NULL);
    weft_tensor *made = op == WEFT_OP_TRAPEZOID ? weft_sum(all, WEFT_DIMS(d), false) : weft_cumsum(all, d);
    return weft__leave_with(ctx, weft__narrowed(made, dtype));
}

weft_tensor *weft_trapezoid(weft_tensor *y, weft_tensor *x, double dx, int64_t dim)
{
    return integral(WEFT_OP_TRAPEZOID, y, x, dx, dim);
}

weft_tensor *weft_cumulative_trapezoid(weft_tensor *y, weft_tensor *x, double dx, int64_t dim)
{
    return integral(WEFT_OP_CUMULATIVE_TRAPEZOID, y, x, dx, dim);
}
