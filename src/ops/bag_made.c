/* bag_made.c - embedding_bag: rows of a table, bag by bag made one. */
#include "made.h"

/* i: the way, then where bags begin */
CALL(embedding_bag)
{
    c->out[0] = weft_embedding_bag(c->in[0], c->in[1], c->in[2], c->i + 1, c->ni - 1, (weft_bag)c->i[0]);
}

static double flops_bag(const weft__work *w)
{
    return weft__count(w->in[1]) * (double)weft__extent(w->in[0], 1);
}

/* The rows that are named, not the table. */
static double bytes_bag(const weft__work *w)
{
    const double rows = flops_bag(w), size = (double)(w->in[0] ? weft_dtype_size((weft_dtype)w->in[0]->dtype) : 0);
    const double weights = weft__count(w->in[2]) * size;
    return (rows + weft__count(w->out[0])) * size + weights +
           weft__count(w->in[1]) * (double)(w->in[1] ? weft_dtype_size((weft_dtype)w->in[1]->dtype) : 0);
}

WEFT__DEFINE_COMPOSITE(EMBEDDING_BAG, embedding_bag,
                       PARTS(FLOATS, PART(EMBEDDING, WIDE), PART(MUL, WIDE), PART(INDEX_ADD, WIDE)),
                       GRADIENT("g to each row of its bag, by what it was multiplied by; of the largest to that row"),
                       WORK(weft__terms_one, flops_bag, bytes_bag),
                       SAMPLE(call_embedding_bag, RECIPE("xab i7<a x7", "0 0 3 3 5")))

/* ---- Which row is in which bag ---- */

/* The bag of each of n rows, i64 [n]; and, factors not NULL, one over the rows of each bag, f64 [bags, 1] (of an empty
 * one 1). */
static weft_tensor *bags_of(weft_ctx *ctx, const int64_t *offsets, int bags, int64_t n, weft_tensor **factors)
{
    int64_t *of = weft__host_array(ctx, n + 1, sizeof *of);
    double *one_over = weft__host_array(ctx, (int64_t)bags + 1, sizeof *one_over);
    weft_tensor *made = NULL;
    if (of && one_over) {
        for (int k = 0; k < bags; k++) {
            const int64_t end = k + 1 < bags ? offsets[k + 1] : n;
            for (int64_t row = offsets[k]; row < end; row++)
                of[row] = k;
            one_over[k] = end > offsets[k] ? 1 / (double)(end - offsets[k]) : 1;
        }
        made = weft_from_data(ctx, WEFT_I64, &n, 1, of);
        if (factors)
            *factors = weft_from_data(ctx, WEFT_F64, WEFT_DIMS(bags, 1), one_over);
    } else {
        weft__fail(ctx, WEFT_OP_EMBEDDING_BAG, WEFT_E_NOMEM, "out of memory for the bags of %lld rows", (long long)n);
    }
    if (of)
        weft__host_free(ctx, of, sizeof *of * (size_t)(n + 1));
    if (one_over)
        weft__host_free(ctx, one_over, sizeof *one_over * ((size_t)bags + 1));
    return made;
}

/* The largest of each bag's rows [n, D], the first of equals; NaN wins. Each row takes what it and the next 1, 3, 7 ...
 * of its bag have, so that in the end the first one of each has all. */
static weft_tensor *largest(weft_ctx *ctx, weft_tensor *rows, weft_tensor *of, const int64_t *offsets, int bags)
{
    const int64_t n = rows->a.shape[0], width = rows->a.shape[1];
    for (int64_t step = 1; step < n && rows; step *= 2) {
        weft_tensor *here = weft_slice(rows, 0, 0, n - step, 1), *ahead = weft_slice(rows, 0, step, n, 1);
        weft_tensor *same = weft_eq(weft_slice(of, 0, 0, n - step, 1), weft_slice(of, 0, step, n, 1));
        weft_tensor *above = weft_logical_or(weft_gt(ahead, here), weft_isnan(ahead));
        weft_tensor *merged = weft_where(weft_logical_and(weft_unsqueeze(same, 1), above), ahead, here);
        weft_tensor *parts[] = {merged, weft_slice(rows, 0, n - step, n, 1)};
        rows = weft_concat(parts, 2, 0);
    }
    if (!rows)
        return NULL;
    weft_tensor **results = weft__host_array(ctx, (int64_t)bags + 1, sizeof *results), *y = NULL;
    if (!results)
        return weft__fail(ctx, WEFT_OP_EMBEDDING_BAG, WEFT_E_NOMEM, "out of memory for %d bags", bags), NULL;
    for (int k = 0; k < bags; k++) {
        const bool empty = offsets[k] == (k + 1 < bags ? offsets[k + 1] : n);
        results[k] = empty ? weft_zeros(ctx, (weft_dtype)rows->a.dtype, WEFT_DIMS(1, width))
                           : weft_slice(rows, 0, offsets[k], offsets[k] + 1, 1);
    }
    y = weft_concat(results, bags, 0);
    weft__host_free(ctx, results, sizeof *results * ((size_t)bags + 1));
    return y;
}

/* ---- Front end ---- */

static bool fits(weft_ctx *ctx, weft_tensor *const *in, const int64_t *offsets, int n)
{
    enum { OP = WEFT_OP_EMBEDDING_BAG };
    if (!weft__need_rank(ctx, OP, "the weight", in[0], 2, 2) || !weft__need_index(ctx, OP, "the index", in[1]) ||
        !weft__need_rank(ctx, OP, "the index", in[1], 1, 1))
        return false;
    const int64_t rows = in[1]->a.count;
    if (in[2] && (in[2]->a.ndim != 1 || in[2]->a.count != rows))
        return weft__fail(ctx, OP, WEFT_E_SHAPE, "the scale %s must be one number for each entry of the index %s",
                          weft__describe(in[2]).s, weft__describe(in[1]).s),
               false;
    if (!offsets || n < 1)
        return weft__fail(ctx, OP, WEFT_E_INVALID,
                          "needs where bags begin in the index, the first one at 0; there are %d", n),
               false;
    for (int k = 0; k < n; k++)
        if (offsets[k] < (k ? offsets[k - 1] : 0) || offsets[k] > (k ? rows : 0))
            return weft__fail(ctx, OP, WEFT_E_INVALID,
                              "bag %d begins at %lld, but bags begin at 0, then each where or after the one before it "
                              "does, and not beyond the index %s",
                              k, (long long)offsets[k], weft__describe(in[1]).s),
                   false;
    return true;
}

weft_tensor *weft_embedding_bag(weft_tensor *weight, weft_tensor *index, weft_tensor *scale, const int64_t *offsets,
                                int n, weft_bag way)
{
    enum { OP = WEFT_OP_EMBEDDING_BAG };
    static const char *const names[] = {"the weight", "the scale"};
    weft_tensor *in[] = {weight, index, scale};
    weft_ctx *ctx = weft__enter(OP, in, 3, 4);
    if (!ctx)
        return NULL;
    if (!weft__localise(ctx, in, 3))
        return weft__leave_with(ctx, NULL);
    weft_tensor *floats[] = {in[0], in[2]};
    weft_dtype dtype;
    if (!weft__join_floats(ctx, OP, floats, names, 2, &dtype) || !fits(ctx, in, offsets, n))
        return weft__leave_with(ctx, NULL);
    if ((unsigned)way > WEFT_BAG_MAX)
        REFUSE(EMBEDDING_BAG, WEFT_E_INVALID, "%d is none of weft_bag", (int)way);
    weft_tensor *factors = NULL, *rows = weft_embedding(floats[0], in[1]);
    weft_tensor *of = bags_of(ctx, offsets, n, in[1]->a.count, way == WEFT_BAG_MEAN ? &factors : NULL);
    if (floats[1])
        rows = weft_mul(rows, weft_unsqueeze(floats[1], 1));
    if (!rows || !of)
        return weft__leave_with(ctx, NULL);
    if (way == WEFT_BAG_MAX)
        return weft__leave_with(ctx, weft__narrowed(largest(ctx, rows, of, offsets, n), dtype));
    const weft_dtype wide = (weft_dtype)rows->a.dtype;
    weft_tensor *y = weft_index_add(weft_zeros(ctx, wide, WEFT_DIMS(n, rows->a.shape[1])), of, rows, 0);
    if (way == WEFT_BAG_MEAN)
        y = weft_mul(y, factors ? weft__cast(factors, wide) : NULL);
    return weft__leave_with(ctx, weft__narrowed(y, dtype));
}
