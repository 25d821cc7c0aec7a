/* sort_made.c - composites of what is in order: argsort, the k-th value, medians, quantiles, the different values. */
#include "several.h"
#include "made.h"

/* ---- Records ---- */

/* i: dim, descending */
CALL(argsort)
{
    c->out[0] = weft_argsort(c->in[0], c->i[0], c->i[1] != 0);
}

/* i: k, dim, keepdim. Results: values, indices */
CALL(kthvalue)
{
    c->n_out = 2;
    if (weft_kthvalue(c->in[0], c->i[0], c->i[1], c->i[2] != 0, &c->out[0], &c->out[1]) != WEFT_OK)
        c->out[0] = NULL;
}

/* i: dim, keepdim. Results: values, indices */
CALL(median)
{
    c->n_out = 2;
    if (weft_median(c->in[0], c->i[0], c->i[1] != 0, &c->out[0], &c->out[1]) != WEFT_OK)
        c->out[0] = NULL;
}

/* i: dim, keepdim. Results: values, indices */
CALL(nanmedian)
{
    c->n_out = 2;
    if (weft_nanmedian(c->in[0], c->i[0], c->i[1] != 0, &c->out[0], &c->out[1]) != WEFT_OK)
        c->out[0] = NULL;
}

/* i: dim, keepdim; f: q */
CALL(quantile)
{
    c->out[0] = weft_quantile(c->in[0], c->f[0], c->i[0], c->i[1] != 0);
}

/* i: dim, keepdim; f: q */
CALL(nanquantile)
{
    c->out[0] = weft_nanquantile(c->in[0], c->f[0], c->i[0], c->i[1] != 0);
}

/* Results: values, inverse, counts */
CALL(unique)
{
    c->n_out = 3;
    c->n_smooth = 0;
    if (weft_unique(c->in[0], &c->out[0], &c->out[1], &c->out[2]) != WEFT_OK)
        c->out[0] = NULL;
}

WEFT__DEFINE_COMPOSITE(ARGSORT, argsort, PARTS(ANY_DTYPE, PART(SORT, AS_ALONE)), GRADIENT(NULL), ROW_ONCE,
                       SAMPLE(call_argsort, RECIPE("rab", "1 0"), RECIPE("rab5", "0 1")))
WEFT__DEFINE_COMPOSITE(KTHVALUE, kthvalue, PARTS(ANY_DTYPE, PART(SORT, AS_ALONE)),
                       GRADIENT("g at the place of the value, 0 elsewhere; the index has none"), ROW_ONCE,
                       SAMPLE(call_kthvalue, RECIPE("xab", "2 1 0"), RECIPE("xa5b", "5 1 1")))
WEFT__DEFINE_COMPOSITE(MEDIAN, median,
                       PARTS(ANY_DTYPE, PART(SORT, AS_ALONE), PART(ISNAN, AS_ALONE), PART(SUM, OF_BOOL),
                             PART(SUB, OF_I64), PART(WHERE, OF_I64), PART(GATHER, AS_ALONE), PART(GATHER, OF_I64)),
                       GRADIENT("g at the place of the value, 0 elsewhere; the index has none"), ROW_ONCE,
                       SAMPLE(call_median, RECIPE("xab", "1 0"), RECIPE("xa5b", "1 1"), RECIPE("xab", "0 0")))
WEFT__DEFINE_COMPOSITE(NANMEDIAN, nanmedian,
                       PARTS(ANY_DTYPE, PART(SORT, AS_ALONE), PART(ISNAN, AS_ALONE), PART(SUM, OF_BOOL),
                             PART(SUB, OF_I64), PART(RELU, OF_I64), PART(FLOOR_DIVIDE, OF_I64), PART(GATHER, AS_ALONE),
                             PART(GATHER, OF_I64)),
                       GRADIENT("g at the place of the value, 0 elsewhere; the index has none"), ROW_ONCE,
                       SAMPLE(call_nanmedian, RECIPE("xab", "1 0"), RECIPE("xa5b", "1 1"), RECIPE("xab", "0 0")))
WEFT__DEFINE_COMPOSITE(QUANTILE, quantile,
                       PARTS(FLOATS, PART(SORT, WIDE), PART(EQ, WIDE), PART(MUL_SCALAR, WIDE), PART(ADD, WIDE),
                             PART(ISNAN, WIDE), PART(WHERE, WIDE)),
                       GRADIENT("of the lower neighbour g (1 - t), of the upper g t, t the way from one to the other"),
                       ROW_ONCE,
                       SAMPLE(call_quantile, RECIPE("xab", "1 0; 0.4"), RECIPE("xa5b", "1 1; 0.75"),
                              RECIPE("xab", "0 0; 0.5")))
WEFT__DEFINE_COMPOSITE(
    NANQUANTILE, nanquantile,
    PARTS(FLOATS, PART(SORT, WIDE), PART(ISNAN, WIDE), PART(SUM, OF_BOOL), PART(SUB, OF_I64), PART(RELU, OF_I64),
          PART(MUL_SCALAR, OF_F64), PART(FLOOR, OF_F64), PART(CEIL, OF_F64), PART(SUB, OF_F64), PART(GATHER, WIDE),
          PART(SUB, WIDE), PART(MUL, WIDE), PART(ADD, WIDE), PART(EQ, WIDE), PART(WHERE, WIDE)),
    GRADIENT("of the lower neighbour g (1 - t), of the upper g t, t the way from one to the other"), ROW_ONCE,
    SAMPLE(call_nanquantile, RECIPE("xab", "1 0; 0.4"), RECIPE("xa5b", "1 1; 0.75"), RECIPE("xab", "0 0; 0.5")))
WEFT__DEFINE_COMPOSITE(UNIQUE, unique,
                       PARTS(ANY_DTYPE, PART(SORT, AS_ALONE), PART(NE, AS_ALONE), PART(CONCAT, OF_BOOL),
                             PART(CUMSUM, OF_BOOL), PART(ARANGE, OF_I64), PART(SEARCHSORTED, OF_I64),
                             PART(INDEX_SELECT, AS_ALONE), PART(SUB, OF_I64), PART(SCATTER_ADD, OF_I64)),
                       GRADIENT(NULL), EACH_ONCE, SAMPLE(call_unique, RECIPE("rab", ""), RECIPE("r9", "")))

/* ---- One place of each slice ---- */

weft_tensor *weft_argsort(weft_tensor *x, int64_t dim, bool descending)
{
    ENTER_COMPOSITE(ARGSORT, &x, 1);
    weft_tensor *indices = NULL;
    (void)weft_sort(x, dim, descending, NULL, &indices); /* NULL: the context has the error */
    return weft__leave_with(ctx, indices);
}

/* Sorts x along dim into out, values and indices; the dim's number. -1: error recorded. */
static int sorted_along(weft_ctx *ctx, int op, weft_tensor *x, int64_t dim, weft_tensor **out)
{
    const int d = weft__need_rank(ctx, op, "x", x, 1, WEFT__MAX_DIMS) ? weft__dim(ctx, op, x, dim) : -1;
    return d >= 0 && weft_sort(x, d, false, &out[0], &out[1]) == WEFT_OK ? d : -1;
}

/* The element at that number of dim d, in memory of its own: a view would keep all that was sorted. */
static weft_tensor *one_of(weft_tensor *t, int d, int64_t at, bool keepdim)
{
    return weft_clone(keepdim ? weft_slice(t, d, at, at + 1, 1) : weft_select(t, d, at));
}

weft_status weft_kthvalue(weft_tensor *x, int64_t k, int64_t dim, bool keepdim, weft_tensor **values,
                          weft_tensor **indices)
{
    enum { OP = WEFT_OP_KTHVALUE };
    weft_tensor *out[2], **const y[] = {values, indices};
    weft_ctx *ctx = weft__begin_several(OP, &x, y, 2);
    if (!ctx)
        return weft__refused(x);
    const int d = sorted_along(ctx, OP, x, dim, out);
    const int64_t n = d < 0 ? 0 : x->a.shape[d];
    if (d >= 0 && (k < 1 || k > n))
        weft__fail(ctx, OP, WEFT_E_INVALID, "k is %lld, but dim %d of %s has %lld elements; use a k from 1 to %lld",
                   (long long)k, d, weft__describe(x).s, (long long)n, (long long)n);
    for (int r = 0; r < 2 && ctx->status == WEFT_OK; r++)
        out[r] = one_of(out[r], d, k - 1, keepdim);
    return weft__end_several(ctx, ctx->status == WEFT_OK, out, y, 2);
}

static weft_tensor *whole(weft_ctx *ctx, int64_t value)
{
    return weft_scalar(ctx, WEFT_I64, (double)value);
}

/* Which of n in order is in the middle of those that are no NaN; with nans, NaN's first one where there are any. */
static weft_tensor *middle(weft_ctx *ctx, int64_t n, weft_tensor *nans, bool skips)
{
    if (!skips)
        return weft_where(nans, weft_sub(whole(ctx, n), nans), whole(ctx, (n - 1) / 2));
    return weft_floor_divide(weft_relu(weft_sub(whole(ctx, n - 1), nans)), whole(ctx, 2));
}

static weft_status median(int op, weft_tensor *x, int64_t dim, bool keepdim, bool skips, weft_tensor **const *y)
{
    weft_tensor *out[2];
    weft_ctx *ctx = weft__begin_several(op, &x, y, 2);
    if (!ctx)
        return weft__refused(x);
    const int d = sorted_along(ctx, op, x, dim, out);
    if (d >= 0 && x->a.shape[d] == 0)
        weft__fail(ctx, op, WEFT_E_SHAPE, "dim %d of %s holds no elements", d, weft__describe(x).s);
    if (ctx->status == WEFT_OK) {
        weft_tensor *nans = weft_sum(weft_isnan(out[0]), WEFT_DIMS(d), true);
        weft_tensor *at = middle(ctx, x->a.shape[d], nans, skips);
        for (int r = 0; r < 2; r++) {
            out[r] = weft_gather(out[r], at, d);
            out[r] = keepdim ? out[r] : weft_squeeze(out[r], WEFT_DIMS(d));
        }
    }
    return weft__end_several(ctx, ctx->status == WEFT_OK, out, y, 2);
}

weft_status weft_median(weft_tensor *x, int64_t dim, bool keepdim, weft_tensor **values, weft_tensor **indices)
{
    weft_tensor **const y[] = {values, indices};
    return median(WEFT_OP_MEDIAN, x, dim, keepdim, false, y);
}

weft_status weft_nanmedian(weft_tensor *x, int64_t dim, bool keepdim, weft_tensor **values, weft_tensor **indices)
{
    weft_tensor **const y[] = {values, indices};
    return median(WEFT_OP_NANMEDIAN, x, dim, keepdim, true, y);
}

/* (1 - t) a + t b, where a + t (b - a) would be NaN beside an infinity; equals are taken as they are, not rounded. */
weft_tensor *weft_quantile(weft_tensor *x, double q, int64_t dim, bool keepdim)
{
    static const char *const names[] = {"x"};
    ENTER_COMPOSITE(QUANTILE, &x, 1);
    weft_dtype dtype;
    weft_tensor *in_order[2];
    if (!(q >= 0 && q <= 1))
        REFUSE(QUANTILE, WEFT_E_INVALID, "q is %g; it must lie in [0, 1]", q);
    if (!weft__join_floats(ctx, WEFT_OP_QUANTILE, &x, names, 1, &dtype))
        return weft__leave_with(ctx, NULL);
    const int d = sorted_along(ctx, WEFT_OP_QUANTILE, x, dim, in_order);
    if (d < 0)
        return weft__leave_with(ctx, NULL);
    const int64_t n = x->a.shape[d];
    if (n == 0)
        REFUSE(QUANTILE, WEFT_E_SHAPE, "dim %d of %s holds no elements", d, weft__describe(x).s);
    const double place = q * (double)(n - 1);
    const int64_t below = (int64_t)place, above = below + 1 < n ? below + 1 : below;
    const double t = place - (double)below;
    weft_tensor *v = in_order[0], *last = one_of(v, d, n - 1, keepdim);
    weft_tensor *a = one_of(v, d, below, keepdim), *b = one_of(v, d, t > 0 ? above : below, keepdim);
    weft_tensor *between = weft_add(weft_mul_scalar(a, 1 - t), weft_mul_scalar(b, t));
    weft_tensor *y = weft_where(weft_isnan(last), last, weft_where(weft_eq(a, b), a, between));
    return weft__leave_with(ctx, weft__narrowed(y, dtype));
}

/* The place of each slice follows from how many of its elements are numbers: NaN is last in order. In f64, as places of
 * weft_quantile are. */
weft_tensor *weft_nanquantile(weft_tensor *x, double q, int64_t dim, bool keepdim)
{
    static const char *const names[] = {"x"};
    ENTER_COMPOSITE(NANQUANTILE, &x, 1);
    weft_dtype dtype;
    weft_tensor *in_order[2];
    if (!(q >= 0 && q <= 1))
        REFUSE(NANQUANTILE, WEFT_E_INVALID, "q is %g; it must lie in [0, 1]", q);
    if (!weft__join_floats(ctx, WEFT_OP_NANQUANTILE, &x, names, 1, &dtype))
        return weft__leave_with(ctx, NULL);
    const int d = sorted_along(ctx, WEFT_OP_NANQUANTILE, x, dim, in_order);
    if (d < 0)
        return weft__leave_with(ctx, NULL);
    const int64_t n = x->a.shape[d];
    if (n == 0)
        REFUSE(NANQUANTILE, WEFT_E_SHAPE, "dim %d of %s holds no elements", d, weft__describe(x).s);
    weft_tensor *v = in_order[0], *nans = weft_sum(weft_isnan(v), WEFT_DIMS(d), true);
    weft_tensor *last = weft_relu(weft_sub(whole(ctx, n - 1), nans));
    weft_tensor *place = weft_mul_scalar(weft_cast(last, WEFT_F64), q), *below = weft_floor(place);
    weft_tensor *t = weft_cast(weft_sub(place, below), (weft_dtype)v->a.dtype);
    weft_tensor *a = weft_gather(v, weft_cast(below, WEFT_I64), d);
    weft_tensor *b = weft_gather(v, weft_cast(weft_ceil(place), WEFT_I64), d);
    weft_tensor *between = weft_add(weft_mul(a, weft_sub(weft__constant_like(v, 1), t)), weft_mul(b, t));
    weft_tensor *y = weft_where(weft_eq(a, b), a, between);
    return weft__leave_with(ctx, weft__narrowed(keepdim ? y : weft_squeeze(y, WEFT_DIMS(d)), dtype));
}

/* ---- The different values ---- */

/* Numbers each of the n in order by how many different ones there are up to it. */
static weft_tensor *groups_of(weft_ctx *ctx, weft_tensor *in_order, int64_t n)
{
    if (n == 0)
        return weft_zeros(ctx, WEFT_I64, WEFT_DIMS(0));
    weft_tensor *changes = weft_ne(weft_slice(in_order, 0, 1, n, 1), weft_slice(in_order, 0, 0, n - 1, 1));
    weft_tensor *parts[] = {weft_ones(ctx, WEFT_BOOL, WEFT_DIMS(1)), changes};
    return weft_cumsum(weft_concat(parts, 2, 0), 0);
}

weft_status weft_unique(weft_tensor *x, weft_tensor **values, weft_tensor **inverse, weft_tensor **counts)
{
    enum { OP = WEFT_OP_UNIQUE };
    weft_tensor *out[3] = {NULL}, *in_order = NULL, *from = NULL, **const y[] = {values, inverse, counts};
    weft_ctx *ctx = weft__begin_several(OP, &x, y, 3);
    if (!ctx)
        return weft__refused(x);
    const int64_t n = x->a.count;
    (void)weft_sort(weft_reshape(weft_detach(x), WEFT_DIMS(n)), 0, false, &in_order, &from);
    weft_tensor *group = in_order ? groups_of(ctx, in_order, n) : NULL;
    const int64_t m = weft__counted(ctx, "unique", group);
    if (m >= 0) {
        weft_tensor *number = weft_arange(ctx, WEFT_I64, 1, (double)m + 1, 1);
        weft_tensor *begin = weft_searchsorted(group, number, false);
        out[0] = weft_index_select(in_order, begin, 0);
        if (inverse)
            out[1] = weft_reshape(
                weft_scatter_add(weft_zeros(ctx, WEFT_I64, WEFT_DIMS(n)), from, weft_sub(group, whole(ctx, 1)), 0),
                x->a.shape, x->a.ndim);
        if (counts)
            out[2] = weft_sub(weft_searchsorted(group, number, true), begin);
    }
    return weft__end_several(ctx, ctx->status == WEFT_OK, out, y, 3);
}
