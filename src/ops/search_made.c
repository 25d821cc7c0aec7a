/* search_made.c - composites that look where something is, or count it: bucketize, bincount, histc, nonzero,
 * masked_select. */
#include <math.h>
#include "made.h"

/* ---- Records ---- */

/* i: right */
CALL(bucketize)
{
    c->out[0] = weft_bucketize(c->in[0], c->in[1], c->i[0] != 0);
}

/* i: bins */
CALL(bincount)
{
    c->out[0] = weft_bincount(c->in[0], c->i[0]);
}

/* i: bins; f: lo, hi */
CALL(histc)
{
    c->out[0] = weft_histc(c->in[0], c->i[0], c->f[0], c->f[1]);
}

CALL(nonzero)
{
    c->out[0] = weft_nonzero(c->in[0]);
}

CALL(masked_select)
{
    c->out[0] = weft_masked_select(c->in[0], c->in[1]);
}

WEFT__DEFINE_COMPOSITE(BUCKETIZE, bucketize, PARTS(ANY_DTYPE, PART(SEARCHSORTED, AS_ALONE)), GRADIENT(NULL), EACH_ONCE,
                       SAMPLE(call_bucketize, RECIPE("rab rc", "0"), RECIPE("rab r9", "1")))
WEFT__DEFINE_COMPOSITE(BINCOUNT, bincount, PARTS(ANY_DTYPE, PART(SCATTER_ADD, OF_I64)), GRADIENT(NULL), EACH_ONCE,
                       SAMPLE(call_bincount, RECIPE("iab<5", "5"), RECIPE("i9<b", "b")))
WEFT__DEFINE_COMPOSITE(HISTC, histc,
                       PARTS(FLOATS, PART(ARANGE, WIDE), PART(SEARCHSORTED, WIDE), PART(GE, WIDE), PART(LE, WIDE),
                             PART(LOGICAL_AND, OF_BOOL), PART(SCATTER_ADD, OF_I64)),
                       GRADIENT(NULL), EACH_ONCE,
                       SAMPLE(call_histc, RECIPE("rab", "4; -1 1.5"), RECIPE("r9", "3; -2 2")))
#define CHOSEN_PARTS PART(CUMSUM, OF_BOOL), PART(ARANGE, OF_I64), PART(SEARCHSORTED, OF_I64)
WEFT__DEFINE_COMPOSITE(NONZERO, nonzero,
                       PARTS(ANY_DTYPE, PART(NE, AS_ALONE), CHOSEN_PARTS, PART(MOD, OF_I64), PART(FLOOR_DIVIDE, OF_I64),
                             PART(CONCAT, OF_I64)),
                       GRADIENT(NULL), EACH_ONCE, SAMPLE(call_nonzero, RECIPE("rab", ""), RECIPE("rab5", "")))
WEFT__DEFINE_COMPOSITE(MASKED_SELECT, masked_select, PARTS(ANY_DTYPE, CHOSEN_PARTS, PART(INDEX_SELECT, AS_ALONE)),
                       GRADIENT("g at the places where the mask is true, 0 elsewhere"), EACH_ONCE,
                       SAMPLE(call_masked_select, RECIPE("xab cab", ""), RECIPE("xab cb", "")))

/* ---- Counts ---- */

weft_tensor *weft_bucketize(weft_tensor *x, weft_tensor *boundaries, bool right)
{
    weft_tensor *in[] = {x, boundaries};
    ENTER_COMPOSITE(BUCKETIZE, in, 2);
    if (!weft__need_rank(ctx, WEFT_OP_BUCKETIZE, "boundaries", in[1], 1, 1))
        return weft__leave_with(ctx, NULL);
    return weft__leave_with(ctx, weft_searchsorted(in[1], in[0], right));
}

/* How often each of so many bins is among the index, whose elements count as many as they are times. */
static weft_tensor *counted(weft_ctx *ctx, weft_tensor *index, weft_tensor *times, int64_t bins)
{
    return weft_scatter_add(weft_zeros(ctx, WEFT_I64, WEFT_DIMS(bins)), index, times, 0);
}

weft_tensor *weft_bincount(weft_tensor *x, int64_t bins)
{
    ENTER_COMPOSITE(BINCOUNT, &x, 1);
    if (!weft__need_index(ctx, WEFT_OP_BINCOUNT, "x", x))
        return weft__leave_with(ctx, NULL);
    if (bins < 0)
        REFUSE(BINCOUNT, WEFT_E_INVALID, "%lld bins", (long long)bins);
    weft_tensor *flat = weft_reshape(x, WEFT_DIMS(x->a.count));
    return weft__leave_with(ctx, counted(ctx, flat, weft_ones(ctx, WEFT_I64, WEFT_DIMS(x->a.count)), bins));
}

weft_tensor *weft_histc(weft_tensor *x, int64_t bins, double lo, double hi)
{
    static const char *const names[] = {"x"};
    ENTER_COMPOSITE(HISTC, &x, 1);
    weft_dtype dtype;
    if (bins < 1)
        REFUSE(HISTC, WEFT_E_INVALID, "%lld bins; use at least 1", (long long)bins);
    if (!(lo < hi) || isinf(lo) || isinf(hi))
        REFUSE(HISTC, WEFT_E_INVALID, "the limits are %g and %g; use finite ones, lo < hi", lo, hi);
    if (!weft__join_floats(ctx, WEFT_OP_HISTC, &x, names, 1, &dtype))
        return weft__leave_with(ctx, NULL);
    x = weft_detach(weft_reshape(x, WEFT_DIMS(x->a.count)));
    weft_tensor *edges = x ? weft_linspace(ctx, (weft_dtype)x->a.dtype, lo, hi, bins + 1) : NULL;
    /* By the edges within: what lies beyond all of them is in the first or the last bin, where it counts 0 times. */
    weft_tensor *bin = weft_searchsorted(weft_slice(edges, 0, 1, bins, 1), x, true);
    weft_tensor *within =
        weft_logical_and(weft_ge(x, weft__constant_like(x, lo)), weft_le(x, weft__constant_like(x, hi)));
    return weft__leave_with(ctx, within ? counted(ctx, bin, weft__cast(within, WEFT_I64), bins) : NULL);
}

/* ---- Sizes that depend on data ---- */

int64_t weft__counted(weft_ctx *ctx, const char *function, weft_tensor *sums)
{
    int64_t m = 0;
    if (!sums || ctx->status != WEFT_OK)
        return -1;
    if (sums->a.count == 0)
        return 0;
    return weft__to_host(ctx, function, weft_select(sums, 0, -1), &m) == WEFT_OK ? m : -1;
}

/* Where the flat truths are true: [m]. The k-th one is where their sums reach k. */
static weft_tensor *places_of(weft_ctx *ctx, const char *function, weft_tensor *truths)
{
    weft_tensor *sums = weft_cumsum(truths, 0);
    const int64_t m = weft__counted(ctx, function, sums);
    return m < 0 ? NULL : weft_searchsorted(sums, weft_arange(ctx, WEFT_I64, 1, (double)m + 1, 1), false);
}

weft_tensor *weft_nonzero(weft_tensor *x)
{
    ENTER_COMPOSITE(NONZERO, &x, 1);
    weft_tensor *is = weft_ne(x, weft__constant_like(x, 0));
    weft_tensor *place = places_of(ctx, "nonzero", weft_reshape(is, WEFT_DIMS(x->a.count)));
    if (!place)
        return weft__leave_with(ctx, NULL);
    if (x->a.ndim == 0)
        return weft__leave_with(ctx, weft_zeros(ctx, WEFT_I64, WEFT_DIMS(place->a.count, 0)));
    weft_tensor *index[WEFT__MAX_DIMS];
    for (int d = x->a.ndim - 1; d > 0; d--) {
        weft_tensor *size = weft_scalar(ctx, WEFT_I64, (double)x->a.shape[d]);
        index[d] = weft_mod(place, size);
        place = weft_floor_divide(place, size);
    }
    index[0] = place;
    return weft__leave_with(ctx, weft_stack(index, x->a.ndim, 1));
}

weft_tensor *weft_masked_select(weft_tensor *x, weft_tensor *mask)
{
    weft_tensor *in[] = {x, mask};
    ENTER_COMPOSITE(MASKED_SELECT, in, 2);
    int64_t shape[WEFT__MAX_DIMS];
    int ndim;
    if (!weft__broadcast(&in[0]->a, &in[1]->a, shape, &ndim) || ndim != in[0]->a.ndim ||
        weft__count_of(shape, ndim) != in[0]->a.count)
        REFUSE(MASKED_SELECT, WEFT_E_SHAPE, "the mask %s does not broadcast to %s", weft__describe(in[1]).s,
               weft__describe(in[0]).s);
    const int64_t n = in[0]->a.count;
    weft_tensor *truths = weft_expand(weft_cast(weft_detach(in[1]), WEFT_BOOL), shape, ndim);
    weft_tensor *place = places_of(ctx, "masked_select", weft_reshape(truths, WEFT_DIMS(n)));
    return weft__leave_with(ctx, weft_index_select(weft_reshape(in[0], WEFT_DIMS(n)), place, 0));
}
