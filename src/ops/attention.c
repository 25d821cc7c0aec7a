/* attention.c - scaled dot-product attention. */
#include <math.h>
#include <string.h>
#include "define.h"

/* Sums over the keys, or for dk and dv over the queries, of what are sums over a head's width themselves. */
static int64_t attention_terms(const weft__work *w, int result)
{
    (void)result;
    return weft__extent(w->in[0], 1) + weft__extent(w->in[1], 2);
}

static int64_t gradient_terms(const weft__work *w, int result)
{
    const weft__array *q = w->in[0], *k = w->in[1], *v = w->in[2];
    return weft__extent(q, 1) + weft__extent(result > 0 ? q : k, 2) + weft__extent(v, 1);
}

/* Flops of a product of attention for each column of its factors: two for each pair of a query and a key that it sees.
 * Causal, a query hides half of the square of the last queries and keys, the diagonal counted by half, as the benches
 * count. */
static double pairs_of(const weft__array *q, const weft__array *k, bool causal)
{
    const double queries = (double)q->shape[q->ndim - 2], keys = (double)k->shape[k->ndim - 2];
    const double square = queries < keys ? queries : keys;
    const double seen = !causal ? queries * keys : queries < keys ? square * (keys - square / 2) : square * square / 2;
    const double width = (double)q->shape[q->ndim - 1];
    return queries > 0 && width > 0 ? 2 * seen * weft__count(q) / (queries * width) : 0;
}

static double pairs_in(const weft__work *w)
{
    return pairs_of(w->in[0], w->in[1], w->attrs && w->attrs->attention.causal != 0);
}

/* The scores and what they weigh. */
static double attention_flops(const weft__work *w)
{
    return pairs_in(w) * (double)(weft__extent(w->in[0], 1) + weft__extent(w->in[2], 1));
}

/* The scores once more, and the products of the gradients that are wanted. */
static double gradient_flops(const weft__work *w)
{
    const double d = (double)weft__extent(w->in[0], 1), e = (double)weft__extent(w->in[2], 1);
    const bool dq = w->out[0], dk = w->out[1], dv = w->out[2];
    return pairs_in(w) * (d + (dq || dk ? e : 0) + (dq ? d : 0) + (dk ? d : 0) + (dv ? e : 0));
}

/* The result, and of each query the log of its sum. What stands for the default scale becomes it. */
static bool infer_attention(weft__infer *q)
{
    for (int i = 0; i < 3; i++)
        if (!weft__has_rank(q, i, 2, WEFT__MAX_DIMS))
            return false;
    const weft__array *query = q->in[0], *key = q->in[1], *value = q->in[2];
    const int lead = query->ndim - 2;
    const size_t bytes = sizeof *query->shape * (size_t)lead;
    if (key->ndim != query->ndim || value->ndim != query->ndim || memcmp(query->shape, key->shape, bytes) != 0 ||
        memcmp(query->shape, value->shape, bytes) != 0)
        return weft__refuse(
            q, WEFT_E_SHAPE,
            "q is %s, k is %s, v is %s: their leading dims (batch, heads) must be equal; repeat k and v "
            "for the heads that share them with weft_expand",
            weft__operand_text(q, 0).s, weft__operand_text(q, 1).s, weft__operand_text(q, 2).s);
    if (key->shape[lead + 1] != query->shape[lead + 1] || value->shape[lead] != key->shape[lead])
        return weft__refuse(q, WEFT_E_SHAPE,
                            "q is %s, k is %s, v is %s, but they must be q [..., T, D], k [..., S, D], v [..., S, E]; "
                            "weft_transpose swaps dims",
                            weft__operand_text(q, 0).s, weft__operand_text(q, 1).s, weft__operand_text(q, 2).s);
    double *scale = &q->attrs->attention.scale;
    if (!isfinite(*scale))
        return weft__refuse(q, WEFT_E_INVALID,
                            "scale is %g; it must be finite, or WEFT_ATTENTION_SCALE, which is 1 / sqrt(D)", *scale);
    const int64_t width = query->shape[lead + 1];
    if (*scale == WEFT_ATTENTION_SCALE)
        *scale = width > 0 ? 1 / sqrt((double)width) : 1;
    weft__set_result(q, 0, q->dtype[0], query->shape, query->ndim);
    q->out[0].shape[lead + 1] = value->shape[lead + 1];
    weft__set_result(q, 1, weft__wide_dtype(q->dtype[0]), query->shape, query->ndim - 1);
    return true;
}

/* q, k, v; i: causal; f: scale */
CALL(attention)
{
    c->out[0] = weft_attention(c->in[0], c->in[1], c->in[2], c->f[0], c->i[0] != 0);
}

WEFT__DEFINE(ATTENTION, attention, OPERANDS(FLOATS | STRIDED, FLOATS | STRIDED, FLOATS | STRIDED), ATTRS(attention),
             INFER(infer_attention, JOIN), RESULTS(1, ROWWISE, ROWWISE), EFFECT(PURE),
             DERIVATIVE(weft__vjp_attention, IN_STEPS, READS(FIRST | SECOND | THIRD | RESULT), ATTENTION_GRAD,
                        GRADIENT("with p the probabilities and ds = p (g v^T - rowsum(p g v^T)): of q: scale ds k; of "
                                 "k: scale ds^T q; of v: p^T g")),
             WORK(attention_terms, attention_flops, weft__bytes_once),
             SAMPLE(call_attention, RECIPE("xabcd xabcd xabcd", "1; 0.5"), RECIPE("x23a8 x23b8 x23b5", "1; 0"),
                    RECIPE("xab xab xab", "0; 0.3")))
WEFT__DEFINE(ATTENTION_GRAD, attention_grad,
             OPERANDS(FLOATS | STRIDED, FLOATS | STRIDED, FLOATS | STRIDED, FLOATS, FLOATS, FLOATS | STRIDED),
             ATTRS(attention), NO_INFER, RESULTS(0, DERIVED, DERIVED, DERIVED), EFFECT(PURE), NO_DERIVATIVE,
             WORK(gradient_terms, gradient_flops, weft__bytes_once), SAMPLE_OF(ATTENTION))

/* ---- Front ends ---- */

weft_tensor *weft_attention(weft_tensor *q, weft_tensor *k, weft_tensor *v, double scale, bool causal)
{
    weft_tensor *in[] = {q, k, v};
    weft__attrs attrs = {.attention = {.causal = causal, .scale = scale}};
    return weft__apply(WEFT_OP_ATTENTION, in, 3, &attrs);
}

/* ---- Derivatives ---- */

/* [T, S]: whether query t sees key s. The last query sees all. */
static weft_tensor *seen_keys(weft__vjp *v)
{
    const int n = v->in[0]->a.ndim;
    const int64_t queries = v->in[0]->a.shape[n - 2], keys = v->in[1]->a.shape[n - 2];
    const double first = (double)(keys - queries);
    weft_tensor *last_seen = weft_arange(v->ctx, WEFT_I64, first, first + (double)queries, 1);
    return weft_ge(weft_unsqueeze(last_seen, 1), weft_arange(v->ctx, WEFT_I64, 0, (double)keys, 1));
}

/* What a mask hides must not come through, and 0 times NaN would. Where operands of a causal attention hold NaN or
 * infinities, those count as 0 in the composition, and rows of the gradients that they do reach are made NaN at its
 * end. */
typedef struct trouble {
    weft_tensor *seen;
    weft_tensor *of_scores,
        *of_slopes; /* [.., T, 1]: queries that it reaches by p, and by dS too; NULL: there is none */
} trouble;

static weft_tensor *rows_in_trouble(weft_tensor *x)
{
    return weft_any(weft_logical_not(weft_isfinite(x)), WEFT_DIMS(-1), true);
}

/* [.., T, 1]: queries that see one of these rows [.., S, 1] */
static weft_tensor *who_sees(const trouble *t, weft_tensor *rows)
{
    return weft_any(weft_logical_and(t->seen, weft_transpose(rows, -1, -2)), WEFT_DIMS(-1), true);
}

/* Looks for it in q, k, v and g, and replaces them by what can be computed with. */
static trouble find_trouble(weft__vjp *v, weft_tensor *seen, weft_tensor *in[4])
{
    trouble t = {.seen = seen};
    int64_t n = 0;
    for (int k = 0; seen && k < 4; k++)
        n += in[k] ? weft__count_nonfinite(v->ctx, &in[k]->a) : 0;
    if (n == 0)
        return t;
    weft_tensor *own = weft_logical_or(rows_in_trouble(in[0]), rows_in_trouble(in[3]));
    own = weft_logical_and(own, weft_any(seen, WEFT_DIMS(-1), true)); /* a query that sees no key gives zeros */
    t.of_scores = weft_logical_or(own, who_sees(&t, rows_in_trouble(in[1])));
    t.of_slopes = weft_logical_or(t.of_scores, who_sees(&t, rows_in_trouble(in[2])));
    for (int k = 0; k < 4; k++)
        in[k] = weft_where(weft_isfinite(in[k]), in[k], weft_zeros_like(in[k]));
    return t;
}

/* dx, NaN in rows that trouble reaches: that of queries, or of keys that such queries see. */
static weft_tensor *with_trouble(const trouble *t, weft_tensor *dx, weft_tensor *queries, bool of_keys)
{
    if (!queries || !dx)
        return dx;
    weft_tensor *rows = queries;
    if (of_keys)
        rows = weft_transpose(weft_any(weft_logical_and(t->seen, queries), WEFT_DIMS(-2), true), -1, -2);
    return weft_where(rows, weft_full_like(dx, (double)NAN), dx);
}

static void compose_attention(weft__vjp *v)
{
    weft_tensor *in[] = {v->in[0], v->in[1], v->in[2], v->g};
    weft_tensor *seen = v->attrs->attention.causal ? seen_keys(v) : NULL;
    const trouble t = find_trouble(v, seen, in);
    weft_tensor *q = in[0], *k = in[1], *value = in[2], *g = in[3];
    weft_tensor *scores = weft_mul_scalar(weft_matmul(q, weft_transpose(k, -1, -2)), v->attrs->attention.scale);
    if (scores && seen)
        scores = weft_where(seen, scores, weft_scalar(v->ctx, (weft_dtype)scores->a.dtype, -(double)INFINITY));
    weft_tensor *p = weft_softmax(scores, -1);
    if (weft__wants(v, 2))
        v->out[2] = with_trouble(&t, weft_matmul(weft_transpose(p, -1, -2), g), t.of_scores, true);
    if (!weft__wants(v, 0) && !weft__wants(v, 1))
        return;
    weft_tensor *dp = weft_matmul(g, weft_transpose(value, -1, -2));
    weft_tensor *inner = weft_sum(weft_mul(dp, p), WEFT_DIMS(-1), true);
    weft_tensor *ds = weft_mul_scalar(weft_mul(p, weft_sub(dp, inner)), v->attrs->attention.scale);
    if (weft__wants(v, 0))
        v->out[0] = with_trouble(&t, weft_matmul(ds, k), t.of_slopes, false);
    if (weft__wants(v, 1))
        v->out[1] = with_trouble(&t, weft_matmul(weft_transpose(ds, -1, -2), q), t.of_slopes, true);
}

void weft__vjp_attention(weft__vjp *v)
{
    if (v->compose) {
        compose_attention(v);
        return;
    }
    weft_tensor *out[] = {weft__room_for(v, 0), weft__room_for(v, 1), weft__room_for(v, 2)};
    weft_tensor *in[] = {v->in[0], v->in[1], v->in[2], v->y, v->extra[0], v->g};
    if (v->ctx->status != WEFT_OK || weft__run_fused(v, WEFT_OP_ATTENTION_GRAD, in, 6, out, 3) != WEFT_OK)
        weft__drop_all(v);
}
