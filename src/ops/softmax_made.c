/* softmax_made.c - sparsemax: the point of the simplex that is nearest to x. */
#include "made.h"

/* i: dim */
CALL(sparsemax)
{
    c->out[0] = weft_sparsemax(c->in[0], c->i[0]);
}

WEFT__DEFINE_COMPOSITE(SPARSEMAX, sparsemax,
                       PARTS(FLOATS, PART(TOPK, WIDE), PART(SUB, WIDE), PART(CUMSUM, WIDE), PART(ARANGE, WIDE),
                             PART(MUL, WIDE), PART(ADD_SCALAR, WIDE), PART(GT, WIDE), PART(WHERE, WIDE),
                             PART(SUM, OF_BOOL), PART(SUM, WIDE), PART(DIV, WIDE)),
                       GRADIENT("where y is not 0: g less its mean over those elements; else 0"), EACH_ONCE,
                       SAMPLE(call_sparsemax, RECIPE("xab", "-1"), RECIPE("xabc", "1")))

/* (sum of the chosen elements along d - 1) / how many they are: what is taken off each of them, so that they add up to
 * 1. */
static weft_tensor *threshold(weft_tensor *x, weft_tensor *chosen, int64_t d)
{
    weft_tensor *sum = weft_sum(weft_where(chosen, x, weft__constant_like(x, 0)), &d, 1, true);
    weft_tensor *n = weft_sum(chosen, &d, 1, true);
    return weft_div(weft_add_scalar(sum, -1), n ? weft__cast(n, (weft_dtype)x->a.dtype) : NULL);
}

weft_tensor *weft_sparsemax(weft_tensor *x, int64_t dim)
{
    static const char *const names[] = {"x"};
    ENTER_COMPOSITE(SPARSEMAX, &x, 1);
    weft_dtype dtype;
    if (!weft__join_floats(ctx, WEFT_OP_SPARSEMAX, &x, names, 1, &dtype))
        return weft__leave_with(ctx, NULL);
    const int d = weft__dim(ctx, WEFT_OP_SPARSEMAX, x, dim);
    if (d < 0)
        return weft__leave_with(ctx, NULL);
    /* Which elements are not 0 is found without a record: the k largest, for the most k whose last one is above what
     * would be taken off. Of those alone y is a linear function. */
    const int64_t n = x->a.shape[d];
    int64_t column[WEFT__MAX_DIMS] = {n};
    for (int k = 1; k < x->a.ndim - d; k++)
        column[k] = 1;
    weft_tensor *sorted = NULL;
    if (weft_topk(weft_detach(x), n, d, true, &sorted, NULL) != WEFT_OK)
        return weft__leave_with(ctx, NULL);
    weft_tensor *most = weft_slice(sorted, d, 0, 1, 1); /* off first, or what is large cancels */
    x = weft_sub(x, most);
    sorted = weft_sub(sorted, most);
    weft_tensor *ranks = sorted ? weft_arange(ctx, (weft_dtype)sorted->a.dtype, 1, (double)n + 1, 1) : NULL;
    ranks = weft_reshape(ranks, column, sorted ? sorted->a.ndim - d : 0);
    weft_tensor *ahead = weft_add_scalar(weft_mul(sorted, ranks), 1);
    weft_tensor *limit = threshold(sorted, weft_gt(ahead, weft_cumsum(sorted, d)), d);
    weft_tensor *chosen = weft_gt(weft_detach(x), limit);
    weft_tensor *y = weft_where(chosen, weft_sub(x, threshold(x, chosen, d)), weft__constant_like(x, 0));
    return weft__leave_with(ctx, weft__narrowed(y, dtype));
}
