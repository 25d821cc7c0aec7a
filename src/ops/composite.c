/* composite.c - operations written in terms of others: derivatives and devices come with the parts. */
#include "define.h"
#include "rows.h"

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

WEFT__DEFINE_COMPOSITE(FLATTEN, flatten, NO_PARTS(ANY_DTYPE), GRADIENT("g in x's shape"), NOT_MOVED,
                       SAMPLE(call_flatten, RECIPE("xabcd", "1 -1")))
WEFT__DEFINE_COMPOSITE(STACK, stack, PARTS(ANY_DTYPE, PART(CONCAT, AS_ALONE)),
                       GRADIENT("of each operand its slice of g"), MOVED,
                       SAMPLE(call_stack, RECIPE("xab xab", "0"), RECIPE("xab xab xab", "-1")))
WEFT__DEFINE_COMPOSITE(SPLIT, split, NO_PARTS(ANY_DTYPE), GRADIENT("the gradients of the parts, one after the other"),
                       NOT_MOVED, SAMPLE(call_split, RECIPE("xab", "0 1 a-1")))
WEFT__DEFINE_COMPOSITE(UNBIND, unbind, NO_PARTS(ANY_DTYPE),
                       GRADIENT("the gradients of the slices, one after the other"), NOT_MOVED,
                       SAMPLE(call_unbind, RECIPE("xa3b", "1 3")))
WEFT__DEFINE_COMPOSITE(CLONE, clone, NO_PARTS(ANY_DTYPE), GRADIENT("g"), MOVED,
                       SAMPLE(call_clone, RECIPE("xab", ""), RECIPE("tab", "")))
WEFT__DEFINE_COMPOSITE(CONTIGUOUS, contiguous, NO_PARTS(ANY_DTYPE), GRADIENT("g"), MOVED,
                       SAMPLE(call_contiguous, RECIPE("tab", "")))

/* ---- Statistics and losses ---- */

/* i: keepdim, dims..., none: all; f: correction */
CALL(var)
{
    c->out[0] = weft_var(c->in[0], DIMS_OF(c, 1), c->i[0] != 0, c->f[0]);
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

WEFT__DEFINE_COMPOSITE(VAR, var, PARTS(ANY_DTYPE, PART(VAR_MEAN, AS_ALONE)),
                       GRADIENT("g 2 (x - mean) / (n - correction)"), SUMMED_UP,
                       SAMPLE(call_var, RECIPE("xab", "0 -1; 1"), RECIPE("xa5b", "1 0 2; 0"), RECIPE("xab", "0; 1")))
WEFT__DEFINE_COMPOSITE(MSE, mse, PARTS(FLOATS, PART(SUB, WIDE), PART(SQUARE, WIDE), PART(MEAN, WIDE)),
                       GRADIENT("of the prediction g 2 (prediction - target) / n; of the target the negative of that"),
                       SUMMED_UP, SAMPLE(call_mse, RECIPE("xab xab", ""), RECIPE("xab x1b", "")))
WEFT__DEFINE_COMPOSITE(HUBER, huber,
                       PARTS(FLOATS, PART(SUB, WIDE), PART(CLAMP, WIDE), PART(MUL_SCALAR, WIDE), PART(MUL, WIDE),
                             PART(MEAN, WIDE)),
                       GRADIENT("of the prediction g clamp(prediction - target, -delta, delta) / n; of the target the "
                                "negative of that"),
                       SUMMED_UP, SAMPLE(call_huber, RECIPE("xab xab", "; 0.5"), RECIPE("xb xab", "; 0.5")))
WEFT__DEFINE_COMPOSITE(BCE_WITH_LOGITS, bce_with_logits,
                       PARTS(FLOATS, PART(GT, WIDE), PART(NEG, WIDE), PART(WHERE, WIDE), PART(SOFTPLUS, WIDE),
                             PART(ADD_SCALAR, WIDE), PART(MUL, WIDE), PART(ADD, WIDE), PART(MEAN, WIDE)),
                       GRADIENT("of the logits g (sigmoid(logits) - target) / n"), SUMMED_UP,
                       SAMPLE(call_bce_with_logits, RECIPE("xab pab", "")))
WEFT__DEFINE_COMPOSITE(NLL, nll,
                       PARTS(FLOATS, PART(NE, OF_I64), PART(WHERE, OF_I64), PART(GATHER, WIDE), PART(WHERE, WIDE),
                             PART(SUM, WIDE), PART(SUM, OF_BOOL), PART(CLAMP, OF_I64), PART(DIV, WIDE),
                             PART(NEG, WIDE)),
                       GRADIENT("-g / rows at the target of each row that counts, 0 elsewhere"), SUMMED_UP,
                       SAMPLE(call_nll, RECIPE("xab ka<b", "")))
WEFT__DEFINE_COMPOSITE(CROSS_ENTROPY, cross_entropy, PARTS(FLOATS, PART(CROSS_ENTROPY_WITH, AS_ALONE)),
                       GRADIENT("g (softmax(logits) - [class = target]) / rows; 0 in rows that are ignored"), SUMMED_UP,
                       SAMPLE(call_cross_entropy, RECIPE("xab ka<b", "")))

/* ---- Front ends ---- */

#define ENTER(OP, tensors, n)                                                                                          \
    weft_ctx *ctx = weft__enter(WEFT_OP_##OP, tensors, n, 0);                                                          \
    if (!ctx)                                                                                                          \
        return NULL;                                                                                                   \
    if (!weft__localise(ctx, tensors, n))                                                                              \
    return weft__leave_with(ctx, NULL)

weft_tensor *weft_flatten(weft_tensor *x, int64_t first_dim, int64_t last_dim)
{
    ENTER(FLATTEN, &x, 1);
    if (x->a.ndim == 0)
        return weft__leave_with(ctx, weft_reshape(x, (const int64_t[]){1}, 1));
    int first = weft__dim(ctx, WEFT_OP_FLATTEN, x, first_dim);
    int last = first < 0 ? -1 : weft__dim(ctx, WEFT_OP_FLATTEN, x, last_dim);
    if (first >= 0 && last >= 0 && first > last)
        last = (weft__fail(ctx, WEFT_OP_FLATTEN, WEFT_E_INVALID, "dim %lld comes after dim %lld", (long long)first_dim,
                           (long long)last_dim),
                -1);
    if (last < 0)
        return weft__leave_with(ctx, NULL);
    int64_t shape[WEFT__MAX_DIMS];
    int ndim = 0;
    for (int d = 0; d < x->a.ndim; d++) {
        if (d > first && d <= last)
            shape[ndim - 1] *= x->a.shape[d];
        else
            shape[ndim++] = x->a.shape[d];
    }
    return weft__leave_with(ctx, weft_reshape(x, shape, ndim));
}

weft_tensor *weft_stack(weft_tensor *const *tensors, int n, int64_t dim)
{
    enum { FEW = 64 };
    if (!tensors || n < 1)
        return weft__note_lost("stack", WEFT_E_INVALID, tensors ? "was given no tensors" : "was given NULL"), NULL;
    weft_ctx *ctx = weft__enter(WEFT_OP_STACK, tensors, n, 0);
    if (!ctx)
        return NULL;
    weft_tensor *few[FEW], **raised = few, *y = NULL;
    if (n > FEW && !(raised = weft__host_alloc(ctx, sizeof *raised * (size_t)n))) {
        weft__fail(ctx, WEFT_OP_STACK, WEFT_E_NOMEM, "out of memory for %d operands", n);
        return weft__leave_with(ctx, NULL);
    }
    bool fine = true;
    for (int k = 0; fine && k < n; k++) {
        raised[k] = tensors[k];
        fine = weft__localise(ctx, &raised[k], 1);
        if (fine && !weft__same_shape(&tensors[k]->a, &tensors[0]->a)) {
            weft__fail(ctx, WEFT_OP_STACK, WEFT_E_SHAPE, "operand %d is %s, operand 0 is %s; shapes must be equal", k,
                       weft__describe(tensors[k]).s, weft__describe(tensors[0]).s);
            fine = false;
        }
        fine = fine && (raised[k] = weft_unsqueeze(raised[k], dim));
    }
    if (fine)
        y = weft_concat(raised, n, dim < 0 ? dim + raised[0]->a.ndim : dim);
    if (raised != few)
        weft__host_free(ctx, raised, sizeof *raised * (size_t)n);
    return weft__leave_with(ctx, y);
}

static bool sizes_fit(weft_ctx *ctx, weft_tensor *x, int d, const int64_t *sizes, int n)
{
    int64_t total = 0;
    for (int k = 0; k < n; k++) {
        if (sizes[k] < 0 || __builtin_add_overflow(total, sizes[k], &total)) {
            weft__fail(ctx, WEFT_OP_SPLIT, WEFT_E_INVALID, "size %d is %lld", k, (long long)sizes[k]);
            return false;
        }
    }
    if (total != x->a.shape[d])
        weft__fail(ctx, WEFT_OP_SPLIT, WEFT_E_SHAPE, "the %d sizes add up to %lld, but dim %d of %s has %lld", n,
                   (long long)total, d, weft__describe(x).s, (long long)x->a.shape[d]);
    return total == x->a.shape[d];
}

/* All parts, or none of them. */
static weft_status leave_with_parts(weft_ctx *ctx)
{
    const weft_status status = ctx->status;
    if (status == WEFT_OK)
        weft__leave(ctx);
    else
        (void)weft__leave_with(ctx, NULL);
    return status;
}

weft_status weft_split(weft_tensor *x, int64_t dim, const int64_t *sizes, int n, weft_tensor **out)
{
    for (int k = 0; out && k < n; k++)
        out[k] = NULL;
    weft_ctx *ctx = weft__enter(WEFT_OP_SPLIT, &x, 1, 0);
    if (!ctx)
        return x && x->ctx ? x->ctx->status : WEFT_E_NULL_ARGUMENT;
    int d = -1;
    if (!sizes || !out || n < 1)
        weft__fail(ctx, WEFT_OP_SPLIT, WEFT_E_NULL_ARGUMENT, "needs sizes and out for at least one part");
    else
        d = weft__dim(ctx, WEFT_OP_SPLIT, x, dim);
    if (d >= 0 && sizes_fit(ctx, x, d, sizes, n)) {
        int64_t at = 0;
        for (int k = 0; k < n && ctx->status == WEFT_OK; at += sizes[k++])
            out[k] = weft_slice(x, d, at, at + sizes[k], 1);
        for (int k = 0; ctx->status != WEFT_OK && k < n; k++)
            out[k] = NULL;
    }
    return leave_with_parts(ctx);
}

weft_status weft_unbind(weft_tensor *x, int64_t dim, int n, weft_tensor **out)
{
    for (int k = 0; out && k < n; k++)
        out[k] = NULL;
    weft_ctx *ctx = weft__enter(WEFT_OP_UNBIND, &x, 1, 0);
    if (!ctx)
        return x && x->ctx ? x->ctx->status : WEFT_E_NULL_ARGUMENT;
    int d = weft__dim(ctx, WEFT_OP_UNBIND, x, dim);
    if (d >= 0 && n != x->a.shape[d])
        weft__fail(ctx, WEFT_OP_UNBIND, WEFT_E_SHAPE, "n is %d, but dim %d of %s has %lld slices; out has room for n",
                   n, d, weft__describe(x).s, (long long)x->a.shape[d]);
    else if (d >= 0 && !out && n > 0)
        weft__fail(ctx, WEFT_OP_UNBIND, WEFT_E_NULL_ARGUMENT, "out is NULL; it needs room for %d tensors", n);
    for (int k = 0; k < n && ctx->status == WEFT_OK; k++)
        out[k] = weft_select(x, d, k);
    for (int k = 0; ctx->status != WEFT_OK && out && k < n; k++)
        out[k] = NULL;
    return leave_with_parts(ctx);
}

weft_tensor *weft_var(weft_tensor *x, const int64_t *dims, int ndim, bool keepdim, double correction)
{
    ENTER(VAR, &x, 1);
    weft_tensor *var = NULL;
    (void)weft_var_mean(x, dims, ndim, keepdim, correction, &var, NULL); /* NULL: the context has the error */
    return weft__leave_with(ctx, var);
}

/* ---- Losses ---- */

/* Operands of a loss broadcast to one of them, not to more elements than either has: [8, 1] and [8] would make 64
 * pairs. */
static bool losses_pair(weft_ctx *ctx, int op, weft_tensor *const *in)
{
    int64_t shape[WEFT__MAX_DIMS];
    int ndim;
    if (!weft__broadcast(&in[0]->a, &in[1]->a, shape, &ndim)) {
        weft__fail(ctx, op, WEFT_E_SHAPE, "prediction %s and target %s do not broadcast; they usually have one shape",
                   weft__describe(in[0]).s, weft__describe(in[1]).s);
        return false;
    }
    int64_t count = weft__count_of(shape, ndim);
    if (count >= 0 && (count <= in[0]->a.count || count <= in[1]->a.count))
        return true;
    weft__fail(ctx, op, WEFT_E_SHAPE,
               "prediction %s and target %s would broadcast to %s, pairs that neither has; give both one shape with "
               "weft_reshape, weft_squeeze or weft_unsqueeze, or weft_expand one of them if all pairs are meant",
               weft__describe(in[0]).s, weft__describe(in[1]).s, weft__shape_text(shape, ndim).s);
    return false;
}

/* Checks prediction and target, and widens both; *dtype is the result's. */
static bool two_floats(weft_ctx *ctx, int op, weft_tensor **in, weft_dtype *dtype)
{
    if (!losses_pair(ctx, op, in))
        return false;
    *dtype = weft_promote((weft_dtype)in[0]->a.dtype, (weft_dtype)in[1]->a.dtype);
    if (!weft__need_float(ctx, op, "the prediction", in[0]))
        return false;
    in[0] = weft__widened(in[0]);
    in[1] = weft__widened(in[1]);
    return in[0] && in[1];
}

weft_tensor *weft_mse(weft_tensor *prediction, weft_tensor *target)
{
    weft_tensor *in[] = {prediction, target};
    ENTER(MSE, in, 2);
    weft_dtype dtype;
    if (!two_floats(ctx, WEFT_OP_MSE, in, &dtype))
        return weft__leave_with(ctx, NULL);
    return weft__leave_with(ctx,
                            weft__narrowed(weft_mean(weft_square(weft_sub(in[0], in[1])), WEFT_ALL, false), dtype));
}

weft_tensor *weft_huber(weft_tensor *prediction, weft_tensor *target, double delta)
{
    weft_tensor *in[] = {prediction, target};
    ENTER(HUBER, in, 2);
    if (!(delta > 0))
        return weft__fail(ctx, WEFT_OP_HUBER, WEFT_E_INVALID, "delta is %g, but must be positive", delta),
               weft__leave_with(ctx, NULL);
    weft_dtype dtype;
    if (!two_floats(ctx, WEFT_OP_HUBER, in, &dtype))
        return weft__leave_with(ctx, NULL);
    /* With c = d limited to [-delta, delta], all branches are c (d - c/2): smooth where d is 0, as |d| is not. */
    weft_tensor *difference = weft_sub(in[0], in[1]);
    weft_tensor *limited = weft_clamp(difference, -delta, delta);
    weft_tensor *loss = weft_mul(limited, weft_sub(difference, weft_mul_scalar(limited, 0.5)));
    return weft__leave_with(ctx, weft__narrowed(weft_mean(loss, WEFT_ALL, false), dtype));
}

weft_tensor *weft_bce_with_logits(weft_tensor *logits, weft_tensor *target)
{
    weft_tensor *in[] = {logits, target};
    ENTER(BCE_WITH_LOGITS, in, 2);
    weft_dtype dtype;
    if (!two_floats(ctx, WEFT_OP_BCE_WITH_LOGITS, in, &dtype))
        return weft__leave_with(ctx, NULL);
    /* softplus(x) - t x with x taken out of softplus where it is positive: written so, neither the parts nor their
     * slopes, s(x) and t, cancel where the prediction is right. */
    weft_tensor *x = in[0], *zero = weft_scalar(ctx, (weft_dtype)x->a.dtype, 0), *positive = weft_gt(x, zero);
    weft_tensor *t =
        weft_dtype_is_float((weft_dtype)in[1]->a.dtype) ? in[1] : weft__cast(in[1], (weft_dtype)x->a.dtype);
    weft_tensor *curve = weft_softplus(weft_where(positive, weft_neg(x), x)), *minus = weft_neg(t);
    weft_tensor *loss = weft_add(curve, weft_mul(weft_where(positive, weft_add_scalar(minus, 1), minus), x));
    return weft__leave_with(ctx, weft__narrowed(weft_mean(loss, WEFT_ALL, false), dtype));
}

/* As infer of cross_entropy_with finds out. */
static bool classes_fit(weft_ctx *ctx, int op, weft_tensor *const *in)
{
    const weft__array *arrays[] = {&in[0]->a, &in[1]->a};
    weft__infer q = {.def = weft__defs[op], .n_in = 2, .in = arrays, .tensors = in, .describe = weft__describe};
    if (!weft__need_float(ctx, op, "log_probs", in[0]) || !weft__need_index(ctx, op, "the target", in[1]))
        return false;
    if (weft__has_classes(&q))
        return true;
    weft__fail(ctx, op, q.status, "%s", q.message);
    return false;
}

weft_tensor *weft_nll(weft_tensor *log_probs, weft_tensor *target)
{
    enum { IGNORED = -100 };
    weft_tensor *in[] = {log_probs, target};
    ENTER(NLL, in, 2);
    if (!classes_fit(ctx, WEFT_OP_NLL, in))
        return weft__leave_with(ctx, NULL);
    weft_dtype dtype = (weft_dtype)in[0]->a.dtype;
    in[0] = weft__widened(in[0]);
    if (!in[0])
        return weft__leave_with(ctx, NULL);
    weft_tensor *counts = weft_ne(in[1], weft_full_like(in[1], IGNORED));
    weft_tensor *chosen = weft_where(counts, in[1], weft_zeros_like(in[1]));
    weft_tensor *picked = weft_squeeze(weft_gather(in[0], weft_unsqueeze(chosen, -1), -1), WEFT_DIMS(-1));
    weft_tensor *total = weft_sum(weft_where(counts, picked, weft_zeros_like(picked)), WEFT_ALL, false);
    weft_tensor *n = weft__cast(weft_clamp(weft_sum(counts, WEFT_ALL, false), 1, 9e15), (weft_dtype)in[0]->a.dtype);
    return weft__leave_with(ctx, weft__narrowed(weft_neg(weft_div(total, n)), dtype));
}

weft_tensor *weft_cross_entropy(weft_tensor *logits, weft_tensor *target)
{
    weft_tensor *in[] = {logits, target};
    ENTER(CROSS_ENTROPY, in, 2);
    return weft__leave_with(ctx, weft_cross_entropy_with(in[0], in[1], -100, 0, WEFT_REDUCTION_MEAN));
}
