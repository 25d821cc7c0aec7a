/* index_made.c - composites that read and write by index: take, take_along, index_fill, index_copy, index_put, and
 * means of what is scattered. */
#include <math.h>
#include <string.h>
#include "made.h"

/* ---- Records ---- */

CALL(take)
{
    c->out[0] = weft_take(c->in[0], c->in[1]);
}

/* i: dim */
CALL(take_along)
{
    c->out[0] = weft_take_along(c->in[0], c->in[1], c->i[0]);
}

/* i: dim; f: value */
CALL(index_fill)
{
    c->out[0] = weft_index_fill(c->in[0], c->in[1], c->i[0], c->f[0]);
}

/* i: dim */
CALL(index_copy)
{
    c->out[0] = weft_index_copy(c->in[0], c->in[1], c->in[2], c->i[0]);
}

/* x, values, indices...; i: whether values are added */
CALL(index_put)
{
    c->out[0] = weft_index_put(c->in[0], c->in[1], c->in + 2, c->n_in - 2, c->i[0] != 0);
}

/* i: dim, include_self */
CALL(scatter_mean)
{
    c->out[0] = weft_scatter_mean(c->in[0], c->in[1], c->in[2], c->i[0], c->i[1] != 0);
}

/* i: dim, include_self */
CALL(scatter_prod)
{
    c->out[0] = weft_scatter_prod(c->in[0], c->in[1], c->in[2], c->i[0], c->i[1] != 0);
}

#define MOVED WORK(weft__terms_one, weft__flops_none, weft__bytes_once)

WEFT__DEFINE_COMPOSITE(TAKE, take, PARTS(ANY_DTYPE, PART(INDEX_SELECT, AS_ALONE)),
                       GRADIENT("g, added up at the elements that it came from"), MOVED,
                       SAMPLE(call_take, RECIPE("xb iab<b", ""), RECIPE("x7 i5<7", "")))
WEFT__DEFINE_COMPOSITE(TAKE_ALONG, take_along, PARTS(ANY_DTYPE, PART(GATHER, AS_ALONE)),
                       GRADIENT("scatter_add of g by the same index, summed over dims that were broadcast"), MOVED,
                       SAMPLE(call_take_along, RECIPE("xab iab<b", "1"), RECIPE("xab i1b<a", "0"),
                              RECIPE("x1b ia5<b", "1")))
WEFT__DEFINE_COMPOSITE(INDEX_FILL, index_fill,
                       PARTS(ANY_DTYPE, PART(INDEX_ADD, OF_I64), PART(NE, OF_I64), PART(WHERE, AS_ALONE)),
                       GRADIENT("g, 0 where the value is"), MOVED,
                       SAMPLE(call_index_fill, RECIPE("xab i2<a", "0; 0.5"), RECIPE("xab i2<b", "1; 0.5")))
WEFT__DEFINE_COMPOSITE(INDEX_COPY, index_copy,
                       PARTS(ANY_DTYPE, PART(ARANGE, OF_I64), PART(INDEX_SELECT, OF_I64), PART(SCATTER, AS_ALONE)),
                       GRADIENT("of x g, 0 where src is; of src index_select of g, 0 for slices that others overwrote"),
                       MOVED, SAMPLE(call_index_copy, RECIPE("xab i2<a x2b", "0"), RECIPE("xab i5<b xa5", "1")))
WEFT__DEFINE_COMPOSITE(INDEX_PUT, index_put,
                       PARTS(ANY_DTYPE, PART(ARANGE, OF_I64), PART(INDEX_SELECT, OF_I64), PART(ADD, OF_I64),
                             PART(SCATTER, AS_ALONE)),
                       GRADIENT("of x g, 0 where values are; of values g from their places, 0 for those that others "
                                "overwrote; where they are added, g and all of those"),
                       MOVED,
                       SAMPLE(call_index_put, RECIPE("xab x3 i3<a i3<b", "0"), RECIPE("xab3 x53 i5<a i1<b", "0")))
WEFT__DEFINE_COMPOSITE(SCATTER_MEAN, scatter_mean,
                       PARTS(FLOATS, PART(SCATTER_ADD, OF_F64), PART(CLAMP, OF_F64), PART(DIV, OF_F64)),
                       GRADIENT("of x g / n, of src gather of g / n, n the number of terms of each mean"), ROW_ONCE,
                       SAMPLE(call_scatter_mean, RECIPE("xab iab<b xab", "1 1"), RECIPE("xa5 iab<5 xab", "1 1")))

WEFT__DEFINE_COMPOSITE(SCATTER_PROD, scatter_prod,
                       PARTS(FLOATS, PART(SORT, OF_I64), PART(GATHER, WIDE), PART(EQ, OF_I64), PART(PAD, OF_BOOL),
                             PART(WHERE, WIDE), PART(LINEAR_SCAN, WIDE), PART(SCATTER, WIDE), PART(MUL, WIDE)),
                       GRADIENT("of each factor g times the product of the others of its place"), ROW_ONCE,
                       SAMPLE(call_scatter_prod, RECIPE("nab iab<b nab", "1 1"), RECIPE("na5 iab<5 nab", "1 1")))

/* ---- Reading ---- */

weft_tensor *weft_take(weft_tensor *x, weft_tensor *index)
{
    weft_tensor *in[] = {x, index};
    ENTER_COMPOSITE(TAKE, in, 2);
    if (!weft__need_index(ctx, WEFT_OP_TAKE, "the index", in[1]))
        return weft__leave_with(ctx, NULL);
    weft_tensor *flat = weft_reshape(in[0], (const int64_t[]){in[0]->a.count}, 1);
    weft_tensor *y = weft_index_select(flat, weft_reshape(in[1], (const int64_t[]){in[1]->a.count}, 1), 0);
    return weft__leave_with(ctx, weft_reshape(y, in[1]->a.shape, in[1]->a.ndim));
}

weft_tensor *weft_take_along(weft_tensor *x, weft_tensor *index, int64_t dim)
{
    weft_tensor *in[] = {x, index};
    ENTER_COMPOSITE(TAKE_ALONG, in, 2);
    if (!weft__need_index(ctx, WEFT_OP_TAKE_ALONG, "the index", in[1]))
        return weft__leave_with(ctx, NULL);
    const int d = weft__dim(ctx, WEFT_OP_TAKE_ALONG, in[0], dim), ndim = in[0]->a.ndim;
    if (d < 0)
        return weft__leave_with(ctx, NULL);
    int64_t shape[2][WEFT__MAX_DIMS];
    bool fits = in[1]->a.ndim == ndim;
    for (int k = 0; fits && k < ndim; k++) {
        const int64_t n = in[0]->a.shape[k], m = in[1]->a.shape[k];
        fits = k == d || n == m || n == 1 || m == 1;
        shape[0][k] = k == d ? n : n == 1 ? m : n;
        shape[1][k] = k == d ? m : shape[0][k];
    }
    if (!fits)
        REFUSE(TAKE_ALONG, WEFT_E_SHAPE, "index %s and %s must have as many dims, which broadcast but for dim %d",
               weft__describe(in[1]).s, weft__describe(in[0]).s, d);
    weft_tensor *from = weft_expand(in[0], shape[0], ndim);
    return weft__leave_with(ctx, weft_gather(from, weft_expand(in[1], shape[1], ndim), d));
}

/* ---- Writing ---- */

/* The sizes of x with n in the place of dim d. */
static void slices_shape(const weft_tensor *x, int d, int64_t n, int64_t *shape)
{
    memcpy(shape, x->a.shape, sizeof *shape * (size_t)x->a.ndim);
    shape[d] = n;
}

/* A vector along dim d of ndim, to broadcast. */
static weft_tensor *along(weft_tensor *vector, int d, int ndim)
{
    int64_t shape[WEFT__MAX_DIMS];
    for (int k = 0; k < ndim; k++)
        shape[k] = k == d && vector ? vector->a.count : 1;
    return weft_reshape(vector, shape, ndim);
}

weft_tensor *weft_index_fill(weft_tensor *x, weft_tensor *index, int64_t dim, double value)
{
    weft_tensor *in[] = {x, index};
    ENTER_COMPOSITE(INDEX_FILL, in, 2);
    const int d = weft__dim(ctx, WEFT_OP_INDEX_FILL, in[0], dim);
    if (d < 0 || !weft__need_index(ctx, WEFT_OP_INDEX_FILL, "the index", in[1]) ||
        !weft__need_rank(ctx, WEFT_OP_INDEX_FILL, "the index", in[1], 1, 1))
        return weft__leave_with(ctx, NULL);
    weft_tensor *none = weft_zeros(ctx, WEFT_I64, &in[0]->a.shape[d], 1);
    weft_tensor *times = weft_index_add(none, in[1], weft_ones(ctx, WEFT_I64, in[1]->a.shape, 1), 0);
    weft_tensor *hit = along(weft_ne(times, weft__constant_like(times, 0)), d, in[0]->a.ndim);
    return weft__leave_with(ctx, weft_where(hit, weft__constant_like(in[0], value), in[0]));
}

weft_tensor *weft_index_copy(weft_tensor *x, weft_tensor *index, weft_tensor *src, int64_t dim)
{
    weft_tensor *in[] = {x, index, src};
    ENTER_COMPOSITE(INDEX_COPY, in, 3);
    const int d = weft__dim(ctx, WEFT_OP_INDEX_COPY, in[0], dim), ndim = in[0]->a.ndim;
    if (d < 0 || !weft__need_index(ctx, WEFT_OP_INDEX_COPY, "the index", in[1]) ||
        !weft__need_rank(ctx, WEFT_OP_INDEX_COPY, "the index", in[1], 1, 1))
        return weft__leave_with(ctx, NULL);
    weft__array given = in[0]->a;
    slices_shape(in[0], d, in[1]->a.count, given.shape);
    if (!weft__same_shape(&given, &in[2]->a))
        REFUSE(INDEX_COPY, WEFT_E_SHAPE,
               "src %s must be %s: x %s with a slice along dim %d for each of the %lld indices",
               weft__describe(in[2]).s, weft__shape_text(given.shape, ndim).s, weft__describe(in[0]).s, d,
               (long long)in[1]->a.count);
    /* Looked up first: one that is out of range is found at its place in the index, not in what it is repeated to. */
    weft_tensor *known = weft_index_select(weft_arange(ctx, WEFT_I64, 0, (double)in[0]->a.shape[d], 1), in[1], 0);
    weft_tensor *everywhere = weft_expand(along(known, d, ndim), given.shape, ndim);
    return weft__leave_with(ctx, weft_scatter(in[0], everywhere, in[2], d));
}

/* The shape that all indices broadcast to; false: error recorded. */
static bool joint_shape(weft_ctx *ctx, weft_tensor *const *indices, int n, int64_t *shape, int *ndim)
{
    weft__array joint = indices[0]->a;
    for (int k = 1; k < n; k++) {
        weft__array next = {.ndim = 0};
        if (!weft__broadcast(&joint, &indices[k]->a, next.shape, &next.ndim)) {
            weft__fail(ctx, WEFT_OP_INDEX_PUT, WEFT_E_SHAPE, "index %d %s does not broadcast to those before it, %s", k,
                       weft__describe(indices[k]).s, weft__shape_text(joint.shape, joint.ndim).s);
            return false;
        }
        joint = next;
    }
    memcpy(shape, joint.shape, sizeof *shape * WEFT__MAX_DIMS);
    *ndim = joint.ndim;
    return true;
}

/* The numbers, in row-major order, of the elements that n indices name in the first n dims of x, in their joint shape.
 * What each index contributes is looked up in a table of its dim, which finds those that are out of range. */
static weft_tensor *numbers_of(weft_tensor *x, weft_tensor *const *indices, int n, const int64_t *shape, int ndim)
{
    weft_tensor *numbers = NULL;
    int64_t step = 1;
    for (int k = n - 1; k >= 0; k--) {
        const int64_t size = x->a.shape[k], count = indices[k]->a.count;
        weft_tensor *table = weft_arange(x->ctx, WEFT_I64, 0, (double)(size * step), (double)step);
        weft_tensor *part = weft_index_select(table, weft_reshape(indices[k], &count, 1), 0);
        part = weft_reshape(part, indices[k]->a.shape, indices[k]->a.ndim);
        numbers = numbers ? weft_add(numbers, part) : part;
        step *= size > 0 ? size : 1;
    }
    return weft_expand(numbers, shape, ndim);
}

/* in: x, values, indices... */
static weft_tensor *put(weft_ctx *ctx, weft_tensor **in, int n, bool accumulate)
{
    enum { OP = WEFT_OP_INDEX_PUT };
    weft_tensor *x = in[0], *values = in[1];
    for (int k = 0; k < n; k++)
        if (!weft__need_index(ctx, OP, "an index", in[2 + k]))
            return NULL;
    int64_t shape[2 * WEFT__MAX_DIMS];
    int ndim;
    if (!joint_shape(ctx, in + 2, n, shape, &ndim))
        return NULL;
    const int inner = x->a.ndim - n;
    const int64_t count = weft__count_of(shape, ndim), rows = weft__count_of(x->a.shape, n);
    const int64_t row = weft__count_of(x->a.shape + n, inner);
    memcpy(shape + ndim, x->a.shape + n, sizeof *shape * (size_t)inner);
    weft__array all = {.ndim = ndim + inner}, joint = {.ndim = 0};
    if (all.ndim > WEFT__MAX_DIMS)
        return weft__fail(ctx, OP, WEFT_E_SHAPE,
                          "the indices have %d dims, and %s has %d more: at most %d are possible", ndim,
                          weft__describe(x).s, inner, WEFT__MAX_DIMS),
               NULL;
    memcpy(all.shape, shape, sizeof *shape * (size_t)all.ndim);
    if (!weft__broadcast(&values->a, &all, joint.shape, &joint.ndim) || !weft__same_shape(&joint, &all))
        return weft__fail(ctx, OP, WEFT_E_SHAPE, "values %s do not broadcast to %s, what the indices name of %s",
                          weft__describe(values).s, weft__shape_text(all.shape, all.ndim).s, weft__describe(x).s),
               NULL;
    weft_tensor *numbers = weft_reshape(numbers_of(x, in + 2, n, shape, ndim), &count, 1);
    weft_tensor *src = weft_reshape(weft_expand(values, shape, all.ndim), (const int64_t[]){count, row}, 2);
    weft_tensor *flat = weft_reshape(x, (const int64_t[]){rows, row}, 2), *y;
    if (accumulate)
        y = weft_index_add(flat, numbers, src, 0);
    else
        y = weft_scatter(flat, weft_expand(along(numbers, 0, 2), (const int64_t[]){count, row}, 2), src, 0);
    return weft_reshape(y, x->a.shape, x->a.ndim);
}

weft_tensor *weft_index_put(weft_tensor *x, weft_tensor *values, weft_tensor *const *indices, int n, bool accumulate)
{
    weft_tensor *in[2 + WEFT__MAX_DIMS] = {x, values};
    const bool fits = n >= 1 && n <= WEFT__MAX_DIMS && indices;
    for (int k = 0; fits && k < n; k++)
        in[2 + k] = indices[k];
    ENTER_COMPOSITE(INDEX_PUT, in, fits ? 2 + n : 2);
    if (!fits || n > in[0]->a.ndim)
        REFUSE(INDEX_PUT, WEFT_E_INVALID, "needs an index for each of 1 to %d first dims of %s, not %d", in[0]->a.ndim,
               weft__describe(in[0]).s, n);
    return weft__leave_with(ctx, put(ctx, in, n, accumulate));
}

/* ---- Means ---- */

/* In f64: a sum or a count of many f32 would stop growing. */
weft_tensor *weft_scatter_mean(weft_tensor *x, weft_tensor *index, weft_tensor *src, int64_t dim, bool include_self)
{
    enum { OP = WEFT_OP_SCATTER_MEAN };
    weft_tensor *in[] = {x, index, src};
    ENTER_COMPOSITE(SCATTER_MEAN, in, 3);
    if (!weft__need_float(ctx, OP, "x", in[0]) || !weft__need_float(ctx, OP, "src", in[2]))
        return weft__leave_with(ctx, NULL);
    const weft_dtype dtype = weft_promote((weft_dtype)in[0]->a.dtype, (weft_dtype)in[2]->a.dtype);
    weft_tensor *self = weft_cast(in[0], WEFT_F64), *given = weft_cast(in[2], WEFT_F64);
    weft_tensor *ones = weft_ones(ctx, WEFT_F64, in[2]->a.shape, in[2]->a.ndim);
    weft_tensor *terms = weft_scatter_add(weft_full_like(self, include_self), in[1], ones, dim);
    if (!include_self) /* what nothing goes to stays */
        self = weft_where(weft_eq(terms, weft__constant_like(terms, 0)), self, weft__constant_like(self, 0));
    weft_tensor *sum = weft_scatter_add(self, in[1], given, dim);
    weft_tensor *mean = weft_div(sum, weft_clamp(terms, 1, INFINITY));
    return weft__leave_with(ctx, weft_cast(mean, dtype));
}

/* ---- Products ---- */

/* In the order of their places, equal places beside each other, the products of each place are a recurrence that begins
 * anew where the place changes; its last value is the one that scatter leaves there. The recurrence divides nowhere, so
 * that zeros are no case of their own in derivatives of any order. */
weft_tensor *weft_scatter_prod(weft_tensor *x, weft_tensor *index, weft_tensor *src, int64_t dim, bool include_self)
{
    enum { OP = WEFT_OP_SCATTER_PROD };
    static const char *const names[] = {"x", "src"};
    weft_tensor *in[] = {x, index, src};
    ENTER_COMPOSITE(SCATTER_PROD, in, 3);
    weft_tensor *factors[] = {in[0], in[2]}, *places = NULL, *order = NULL;
    weft_dtype dtype;
    if (!weft__need_index(ctx, OP, "index", in[1]) || !weft__need_rank(ctx, OP, "x", in[0], 1, WEFT__MAX_DIMS) ||
        !weft__join_floats(ctx, OP, factors, names, 2, &dtype))
        return weft__leave_with(ctx, NULL);
    const int d = weft__dim(ctx, OP, in[0], dim);
    if (d < 0)
        return weft__leave_with(ctx, NULL);
    if (!weft__same_shape(&in[1]->a, &in[2]->a) || in[1]->a.ndim != in[0]->a.ndim)
        REFUSE(SCATTER_PROD, WEFT_E_SHAPE, "index %s and src %s must have one shape, and as many dims as x %s",
               weft__describe(in[1]).s, weft__describe(in[2]).s, weft__describe(in[0]).s);
    const int64_t n = in[1]->a.shape[d];
    (void)weft_gather(weft_detach(factors[0]), in[1], d); /* a wrong index is told of where it stands, not in order */
    if (ctx->status != WEFT_OK || weft_sort(weft_cast(in[1], WEFT_I64), d, false, &places, &order) != WEFT_OK)
        return weft__leave_with(ctx, NULL);
    weft_tensor *given = weft_gather(factors[1], order, d), *zero = weft__constant_like(given, 0), *goes_on = NULL;
    if (n > 0) {
        int64_t before[WEFT__MAX_DIMS] = {0}, after[WEFT__MAX_DIMS] = {0};
        before[d] = 1;
        goes_on = weft_eq(weft_slice(places, d, 1, n, 1), weft_slice(places, d, 0, n - 1, 1));
        goes_on = weft_pad(goes_on, before, after, in[1]->a.ndim, 0);
        given = weft_linear_scan(weft_where(goes_on, given, zero), weft_where(goes_on, zero, given), d);
    }
    weft_tensor *self = factors[0], *start = include_self ? weft_full_like(self, 1) : self;
    weft_tensor *y = weft_scatter(start, places, given, d);
    return weft__leave_with(ctx, weft__narrowed(include_self ? weft_mul(self, y) : y, dtype));
}
