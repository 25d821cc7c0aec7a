/* composite.c - records of what is made of other operations. */
#include "define.h"

#define NOT_MOVED WORK(weft__terms_one, weft__flops_none, weft__bytes_none)
#define MOVED WORK(weft__terms_one, weft__flops_each, weft__bytes_once)
#define SUMMED_UP WORK(weft__terms_ratio, weft__flops_each, weft__bytes_once)

/* ---- Shapes ---- */

/* i: first, last */
CALL(flatten)
{
    c->out[0] = weft_flatten(c->in[0], c->i[0], c->i[1]);
}

/* tensors...; i: dim */
CALL(stack)
{
    c->out[0] = weft_stack(c->in, c->n_in, c->i[0]);
}

/* Whether there is room for n results. */
static bool has_room(weft_sample_call *c, int64_t n)
{
    if (n < 0 || n > WEFT_SAMPLE_RESULTS)
        weft__fail(c->ctx, c->op, WEFT_E_UNSUPPORTED, "a call by weft_sample_run has room for %d results, not %lld",
                   WEFT_SAMPLE_RESULTS, (long long)n);
    return n >= 0 && n <= WEFT_SAMPLE_RESULTS;
}

/* i: dim, sizes... */
CALL(split)
{
    if (!has_room(c, c->ni - 1))
        return;
    c->n_out = c->n_smooth = c->ni - 1;
    if (weft_split(c->in[0], c->i[0], c->i + 1, c->ni - 1, c->out) != WEFT_OK)
        c->out[0] = NULL;
}

/* i: dim, n */
CALL(unbind)
{
    if (!has_room(c, c->i[1]))
        return;
    c->n_out = c->n_smooth = (int)c->i[1];
    if (weft_unbind(c->in[0], c->i[0], (int)c->i[1], c->out) != WEFT_OK)
        c->out[0] = NULL;
}

CALL(clone)
{
    c->out[0] = weft_clone(c->in[0]);
}

CALL(contiguous)
{
    c->out[0] = weft_contiguous(c->in[0]);
}

WEFT__DEFINE_COMPOSITE(FLATTEN, flatten, GRADIENT("g in x's shape"), NOT_MOVED,
                       SAMPLE(call_flatten, RECIPE("xabcd", "1 -1")))
WEFT__DEFINE_COMPOSITE(STACK, stack, GRADIENT("of each operand its slice of g"), MOVED,
                       SAMPLE(call_stack, RECIPE("xab xab", "0"), RECIPE("xab xab xab", "-1")))
WEFT__DEFINE_COMPOSITE(SPLIT, split, GRADIENT("the gradients of the parts, one after the other"), NOT_MOVED,
                       SAMPLE(call_split, RECIPE("xab", "0 1 a-1")))
WEFT__DEFINE_COMPOSITE(UNBIND, unbind, GRADIENT("the gradients of the slices, one after the other"), NOT_MOVED,
                       SAMPLE(call_unbind, RECIPE("xa3b", "1 3")))
WEFT__DEFINE_COMPOSITE(CLONE, clone, GRADIENT("g"), MOVED, SAMPLE(call_clone, RECIPE("xab", ""), RECIPE("tab", "")))
WEFT__DEFINE_COMPOSITE(CONTIGUOUS, contiguous, GRADIENT("g"), MOVED, SAMPLE(call_contiguous, RECIPE("tab", "")))

/* ---- Statistics and losses ---- */

/* i: keepdim, dims...; f: correction */
CALL(var)
{
    c->out[0] = weft_var(c->in[0], c->ni > 1 ? c->i + 1 : NULL, c->ni - 1, c->i[0] != 0, c->f[0]);
}

CALL(mse)
{
    c->out[0] = weft_mse(c->in[0], c->in[1]);
}

/* f: delta */
CALL(huber)
{
    c->out[0] = weft_huber(c->in[0], c->in[1], c->f[0]);
}

CALL(bce_with_logits)
{
    c->out[0] = weft_bce_with_logits(c->in[0], c->in[1]);
}

CALL(nll)
{
    c->out[0] = weft_nll(c->in[0], c->in[1]);
}

CALL(cross_entropy)
{
    c->out[0] = weft_cross_entropy(c->in[0], c->in[1]);
}

WEFT__DEFINE_COMPOSITE(VAR, var, GRADIENT("g 2 (x - mean) / (n - correction)"), SUMMED_UP,
                       SAMPLE(call_var, RECIPE("xab", "0 -1; 1"), RECIPE("xa5b", "1 0 2; 0"), RECIPE("xab", "0; 1")))
WEFT__DEFINE_COMPOSITE(MSE, mse,
                       GRADIENT("of the prediction g 2 (prediction - target) / n; of the target the negative of that"),
                       SUMMED_UP, SAMPLE(call_mse, RECIPE("xab xab", ""), RECIPE("xab x1b", "")))
WEFT__DEFINE_COMPOSITE(HUBER, huber,
                       GRADIENT("of the prediction g clamp(prediction - target, -delta, delta) / n; of the target the "
                                "negative of that"),
                       SUMMED_UP, SAMPLE(call_huber, RECIPE("xab xab", "; 0.5"), RECIPE("xb xab", "; 0.5")))
WEFT__DEFINE_COMPOSITE(BCE_WITH_LOGITS, bce_with_logits, GRADIENT("of the logits g (sigmoid(logits) - target) / n"),
                       SUMMED_UP, SAMPLE(call_bce_with_logits, RECIPE("xab pab", "")))
WEFT__DEFINE_COMPOSITE(NLL, nll, GRADIENT("-g / rows at the target of each row that counts, 0 elsewhere"), SUMMED_UP,
                       SAMPLE(call_nll, RECIPE("xab ka<b", "")))
WEFT__DEFINE_COMPOSITE(CROSS_ENTROPY, cross_entropy,
                       GRADIENT("g (softmax(logits) - [class = target]) / rows; 0 in rows that are ignored"), SUMMED_UP,
                       SAMPLE(call_cross_entropy, RECIPE("xab ka<b", "")))
