/* attention_made.c - attention with a mask or a bias, and rotary positions. */
#include <math.h>
#include "made.h"

/* f: scale */
CALL(attention_with_bias)
{
    c->out[0] = weft_attention_with_bias(c->in[0], c->in[1], c->in[2], c->in[3], c->f[0]);
}

CALL(rotary_embedding)
{
    c->out[0] = weft_rotary_embedding(c->in[0], c->in[1], c->in[2]);
}

/* Products of queries and keys, and of weights and values. */
static double flops_attention(const weft__work *w)
{
    const weft__array *q = w->in[0], *k = w->in[1], *v = w->in[2];
    if (!q || !k || !v || q->ndim < 2 || k->ndim < 2 || v->ndim < 2)
        return 0;
    return 2 * weft__count(q) * (double)k->shape[k->ndim - 2] +
           2 * weft__count(w->out[0]) * (double)v->shape[v->ndim - 2];
}

WEFT__DEFINE_COMPOSITE(ATTENTION_WITH_BIAS, attention_with_bias,
                       PARTS(FLOATS, PART(MATMUL, WIDE), PART(MUL_SCALAR, WIDE), PART(ADD, WIDE), PART(SOFTMAX, WIDE)),
                       GRADIENT("as of attention, of the bias the gradient of the scores"),
                       WORK(weft__terms_columns, flops_attention, weft__bytes_once),
                       SAMPLE(call_attention_with_bias, RECIPE("xabc xa5c xa54 xb5", "; 0.5"),
                              RECIPE("x2abc xa5c xa54 x2ab5", "; 0.25")))
WEFT__DEFINE_COMPOSITE(ROTARY_EMBEDDING, rotary_embedding,
                       PARTS(FLOATS, PART(NEG, WIDE), PART(CONCAT, WIDE), PART(MUL, WIDE), PART(ADD, WIDE)),
                       GRADIENT("g, turned back"), EACH_ONCE,
                       SAMPLE(call_rotary_embedding, RECIPE("x2ab6 qb6 qb6", "")))

weft_tensor *weft_attention_with_bias(weft_tensor *q, weft_tensor *k, weft_tensor *v, weft_tensor *bias, double scale)
{
    static const char *const names[] = {"q", "k", "v", "the bias"};
    weft_tensor *in[] = {q, k, v, bias};
    ENTER_COMPOSITE(ATTENTION_WITH_BIAS, in, 4);
    weft_dtype dtype;
    if (!weft__join_floats(ctx, WEFT_OP_ATTENTION_WITH_BIAS, in, names, 4, &dtype))
        return weft__leave_with(ctx, NULL);
    for (int n = 0; n < 3; n++)
        if (!weft__need_rank(ctx, WEFT_OP_ATTENTION_WITH_BIAS, names[n], in[n], 2, WEFT__MAX_DIMS))
            return weft__leave_with(ctx, NULL);
    const int64_t width = in[0]->a.shape[in[0]->a.ndim - 1];
    if (scale == WEFT_ATTENTION_SCALE)
        scale = width > 0 ? 1 / sqrt((double)width) : 1;
    weft_tensor *scores = weft_mul_scalar(weft_matmul(in[0], weft_transpose(in[1], -1, -2)), scale);
    weft_tensor *weights = weft_softmax(weft_add(scores, in[3]), -1); /* a row of all -inf gives zeros */
    return weft__leave_with(ctx, weft__narrowed(weft_matmul(weights, in[2]), dtype));
}

weft_tensor *weft_rotary_embedding(weft_tensor *x, weft_tensor *cosines, weft_tensor *sines)
{
    static const char *const names[] = {"x", "the cosines", "the sines"};
    weft_tensor *in[] = {x, cosines, sines};
    ENTER_COMPOSITE(ROTARY_EMBEDDING, in, 3);
    weft_dtype dtype;
    if (!weft__join_floats(ctx, WEFT_OP_ROTARY_EMBEDDING, in, names, 3, &dtype) ||
        !weft__need_rank(ctx, WEFT_OP_ROTARY_EMBEDDING, "x", in[0], 1, WEFT__MAX_DIMS))
        return weft__leave_with(ctx, NULL);
    const int64_t width = in[0]->a.shape[in[0]->a.ndim - 1];
    if (width % 2 != 0)
        REFUSE(ROTARY_EMBEDDING, WEFT_E_SHAPE,
               "the last dim of %s must have an even size: its halves are turned against each other",
               weft__describe(in[0]).s);
    weft_tensor *halves[] = {weft_neg(weft_slice(in[0], -1, width / 2, width, 1)),
                             weft_slice(in[0], -1, 0, width / 2, 1)};
    weft_tensor *turned = weft_concat(halves, 2, -1);
    return weft__leave_with(ctx, weft__narrowed(weft_add(weft_mul(in[0], in[1]), weft_mul(turned, in[2])), dtype));
}
