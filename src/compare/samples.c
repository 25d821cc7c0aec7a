/* samples.c - see samples.h. */
#include "samples.h"

#include <math.h>

/* ---- Operands ---- */

static double next(weft__sampler *s)
{
    s->state = s->state * 6364136223846793005u + 1442695040888963407u;
    return (double)(s->state >> 11) * 0x1p-53;
}

/* Values at which formulas have a case: 0, the limits that clamp gets, whole numbers. Two operands have them at the
 * same elements, so that there are ties, too. */
static void put_points(const weft__sampler *s, weft_dtype dtype, double *values, int64_t count, double lo, double hi)
{
    static const double points[] = {0, 1, -1, 1.5, 0.5, 2};
    enum { POINTS = sizeof points / sizeof points[0], FEW = 64 };
    for (int k = 0; k < POINTS && count >= FEW && weft_dtype_is_float(dtype); k++)
        if (points[k] >= lo && points[k] <= hi)
            values[k] = points[k];
    for (int k = 0; k < 3 && s->zeros && count >= FEW; k++)
        values[k * (count / 5 - 1)] = 0;
    if (s->ignored && dtype == WEFT_I64 && count > 1)
        values[1] = s->ignored;
}

/* Row-major random values; whole ones for integer dtypes. */
static weft_tensor *fresh(weft__sampler *s, weft_dtype dtype, const int64_t *shape, int ndim, double lo, double hi)
{
    const int64_t count = weft__count_of(shape, ndim);
    double *values = weft__host_array(s->ctx, count + 1, sizeof *values);
    if (!values)
        return weft__fail_named(s->ctx, "compare_ops", WEFT_E_NOMEM, "out of memory for sample operands"), NULL;
    for (int64_t k = 0; k < count; k++) {
        values[k] = lo + (hi - lo) * next(s);
        if (!weft_dtype_is_float(dtype))
            values[k] = dtype == WEFT_BOOL ? values[k] > (lo + hi) / 2 : floor(values[k]);
    }
    put_points(s, dtype, values, count, lo, hi);
    weft_tensor *t = weft_from_data(s->ctx, WEFT_F64, shape, ndim, values);
    weft__host_free(s->ctx, values, sizeof *values * (size_t)(count + 1));
    return dtype == WEFT_F64 ? t : weft_cast(t, dtype);
}

static weft_tensor *as_leaf(weft__sampler *s, weft_tensor *t)
{
    if (!t || !weft_dtype_is_float(weft_dtype_of(t)) || s->n_leaves == WEFT__MOST_SAMPLES)
        return t;
    weft_tensor *leaf = weft_param(t, "sample");
    if (leaf)
        s->leaves[s->n_leaves++] = leaf;
    return leaf;
}

/* The sampler's dtype in its layout: a view of a leaf. */
static weft_tensor *laid_out(weft__sampler *s, const int64_t *shape, int ndim, double lo, double hi, bool leaf)
{
    int64_t other[WEFT_MAX_DIMS];
    for (int d = 0; d < ndim; d++)
        other[d] = shape[d];
    const bool transposed = s->layout == WEFT_LAYOUT_TRANSPOSED && ndim > 1,
               sliced = s->layout == WEFT_LAYOUT_SLICED && ndim > 0;
    if (transposed) {
        other[ndim - 1] = shape[ndim - 2];
        other[ndim - 2] = shape[ndim - 1];
    }
    if (sliced)
        other[ndim - 1] += 2;
    weft_tensor *t = fresh(s, s->dtype, other, ndim, lo, hi);
    if (leaf)
        t = as_leaf(s, t);
    return transposed ? weft_transpose(t, -1, -2) : sliced ? weft_slice(t, -1, 1, other[ndim - 1] - 1, 1) : t;
}

/* X(shape ...): an operand with a gradient; C: one without; I(n, shape ...): indices below n. */
#define X(...) laid_out(s, WEFT_DIMS(__VA_ARGS__), s->lo, s->hi, true)
#define C(...) laid_out(s, WEFT_DIMS(__VA_ARGS__), s->lo, s->hi, false)
#define I(n, ...) fresh(s, WEFT_I64, WEFT_DIMS(__VA_ARGS__), 0, n)

enum { ROWS = 13, COLUMNS = 37 };

/* A row of the table that nobody wrote operands for: it is said, not passed over. */
static weft_tensor *no_sample(weft__sampler *s, int op)
{
    weft__fail(s->ctx, op, WEFT_E_STATE, "the comparison has no operands for it; add them to samples.c");
    return NULL;
}

/* ---- Families ---- */

static weft_tensor *run_family(weft__sampler *s, int op)
{
    const weft__op_info *info = &weft__ops[op];
    s->lo = info->lo;
    s->hi = info->hi;
    switch (info->family) {
    case WEFT__UNARY:
        return weft__unary(op, X(ROWS, COLUMNS), 0, 0);
    case WEFT__UNARY_P:
        return weft__unary(op, X(ROWS, COLUMNS), op == WEFT_OP_CLAMP ? -1 : 0.75, op == WEFT_OP_CLAMP ? 1.5 : 0);
    case WEFT__BINARY:
        return weft__binary(op, X(ROWS, COLUMNS), X(ROWS, COLUMNS));
    default:
        break;
    }
    s->lo = -4;
    s->hi = 4;
    switch (info->family) {
    case WEFT__PREDICATE:
        return weft__predicate(op, X(ROWS, COLUMNS));
    case WEFT__COMPARE:
        return weft__compare(op, X(ROWS, COLUMNS), X(ROWS, COLUMNS));
    case WEFT__TERNARY:
        return weft__ternary(op, fresh(s, WEFT_BOOL, WEFT_DIMS(ROWS, COLUMNS), 0, 1), X(ROWS, COLUMNS),
                             X(ROWS, COLUMNS));
    default: /* REDUCE; products of many stay near 1 */
        s->zeros = op == WEFT_OP_PROD;
        s->lo = op == WEFT_OP_PROD ? 0.8 : s->lo;
        s->hi = op == WEFT_OP_PROD ? 1.25 : s->hi;
        return weft__reduce(op, X(ROWS, 5, COLUMNS), WEFT_AXES(0, 2), false);
    }
}

/* ---- The other rows ---- */

static weft_tensor *run_view(weft__sampler *s, int op)
{
    switch (op) {
    case WEFT_OP_RESHAPE:
        return weft_reshape(X(6, 8), WEFT_DIMS(4, 12));
    case WEFT_OP_TRANSPOSE:
        return weft_transpose(X(6, 8), 0, 1);
    case WEFT_OP_PERMUTE:
        return weft_permute(X(2, 3, 4), WEFT_AXES(2, 0, 1));
    case WEFT_OP_EXPAND:
        return weft_expand(X(1, 8), WEFT_DIMS(5, 8));
    case WEFT_OP_SQUEEZE:
        return weft_squeeze(X(6, 1, 8), WEFT_AXES(1));
    case WEFT_OP_UNSQUEEZE:
        return weft_unsqueeze(X(6, 8), 1);
    case WEFT_OP_SLICE:
        return weft_slice(X(6, 8), 1, 1, 8, 2);
    case WEFT_OP_SELECT:
        return weft_select(X(6, 8), 0, 2);
    case WEFT_OP_DETACH:
        return weft_detach(X(6, 8));
    case WEFT_OP_FLATTEN:
        return weft_flatten(X(2, 3, 4), 1, -1);
    case WEFT_OP_STACK:
        return weft_stack((weft_tensor *[]){X(6, 8), X(6, 8)}, 2, 1);
    case WEFT_OP_CLONE:
        return weft_clone(X(6, 8));
    case WEFT_OP_CONTIGUOUS:
        return weft_contiguous(weft_transpose(X(6, 8), 0, 1));
    default:
        return no_sample(s, op);
    }
}

static weft_tensor *run_split(weft__sampler *s)
{
    weft_tensor *parts[2] = {NULL, NULL};
    if (weft_split(X(6, 8), 0, (const int64_t[]){2, 4}, 2, parts) != WEFT_OK)
        return NULL;
    return weft_concat((weft_tensor *[]){parts[1], parts[0]}, 2, 0);
}

static weft_tensor *run_unbind(weft__sampler *s)
{
    weft_tensor *parts[3] = {NULL, NULL, NULL};
    if (weft_unbind(X(6, 3), 1, 3, parts) != WEFT_OK)
        return NULL;
    return weft_concat((weft_tensor *[]){parts[2], parts[0], parts[1]}, 3, 0);
}

static weft_tensor *run_loss(weft__sampler *s, int op)
{
    s->ignored = -100;
    switch (op) {
    case WEFT_OP_VAR:
        return weft_var(X(ROWS, COLUMNS), WEFT_AXES(1), false, 1);
    case WEFT_OP_MSE:
        return weft_mse(X(ROWS, COLUMNS), X(ROWS, COLUMNS));
    case WEFT_OP_HUBER:
        return weft_huber(X(ROWS, COLUMNS), X(ROWS, COLUMNS), 0.5);
    case WEFT_OP_BCE_WITH_LOGITS:
        return weft_bce_with_logits(X(ROWS, COLUMNS), C(ROWS, COLUMNS));
    case WEFT_OP_NLL:
        return weft_nll(X(ROWS, COLUMNS), I(COLUMNS, ROWS));
    case WEFT_OP_CROSS_ENTROPY:
        return weft_cross_entropy(X(ROWS, COLUMNS), I(COLUMNS, ROWS));
    case WEFT_OP_CROSS_ENTROPY_WITH:
        return weft_cross_entropy_with(X(ROWS, COLUMNS), I(COLUMNS, ROWS), -100, 0.1, WEFT_REDUCTION_NONE);
    default:
        return no_sample(s, op);
    }
}

static weft_tensor *run_layer(weft__sampler *s, int op)
{
    const weft_conv2d_params steps = {.stride = {2, 1}, .padding = {1, 1}, .groups = 2};
    const weft_pool2d_params windows = {.kernel = {3, 2}, .stride = {2, 2}, .padding = {1, 1}};
    switch (op) {
    case WEFT_OP_MATMUL:
        return weft_matmul(X(3, ROWS, COLUMNS), X(3, COLUMNS, 9));
    case WEFT_OP_LINEAR:
        return weft_linear(X(ROWS, COLUMNS), X(9, COLUMNS), X(9));
    case WEFT_OP_LINEAR_ACT:
        return weft_linear_act(X(ROWS, COLUMNS), X(9, COLUMNS), X(9), WEFT_ACTIVATION_GELU_TANH);
    case WEFT_OP_SOFTMAX:
        return weft_softmax(X(ROWS, COLUMNS), -1);
    case WEFT_OP_LOG_SOFTMAX:
        return weft_log_softmax(X(ROWS, COLUMNS), 0);
    case WEFT_OP_ATTENTION: /* the last queries see all keys, the first ones fewer */
        return weft_attention(X(2, 3, ROWS, 8), X(2, 3, COLUMNS, 8), X(2, 3, COLUMNS, 5), 0, true);
    case WEFT_OP_LAYER_NORM:
        return weft_layer_norm(X(ROWS, COLUMNS), X(COLUMNS), X(COLUMNS), 1e-5);
    case WEFT_OP_RMS_NORM:
        return weft_rms_norm(X(ROWS, COLUMNS), X(COLUMNS), 1e-5);
    case WEFT_OP_BATCH_NORM:
        return weft_batch_norm(X(4, 6, 5, 7), X(6), X(6), NULL, NULL,
                               &(weft_batch_norm_params){sizeof(weft_batch_norm_params), 0.1, 1e-5, true});
    case WEFT_OP_DROPOUT:
        return weft_dropout(X(ROWS, COLUMNS), 0.3, true);
    case WEFT_OP_CONV2D:
        return weft_conv2d(X(2, 4, 9, 7), X(6, 2, 3, 3), X(6), &steps);
    case WEFT_OP_CONV2D_TRANSPOSE:
        return weft_conv2d_transpose(X(2, 4, 5, 7), X(4, 3, 3, 3), X(6), &steps);
    case WEFT_OP_CONV2D_WEIGHT:
        return weft_conv2d_weight(X(2, 4, 9, 7), X(2, 6, 5, 7), (const int64_t[]){3, 3}, &steps);
    case WEFT_OP_MAX_POOL2D:
        return weft_max_pool2d(X(2, 3, 9, 8), &windows);
    case WEFT_OP_AVG_POOL2D:
        return weft_avg_pool2d(X(2, 3, 9, 8), &windows);
    case WEFT_OP_AVG_UNPOOL2D:
        return weft_avg_unpool2d(X(2, 3, 5, 5), (const int64_t[]){9, 8}, &windows);
    default:
        return no_sample(s, op);
    }
}

static weft_tensor *run_moving(weft__sampler *s, int op)
{
    switch (op) {
    case WEFT_OP_CAST:
        return weft_cast(X(ROWS, COLUMNS), s->dtype == WEFT_F32 ? WEFT_BF16 : WEFT_F32);
    case WEFT_OP_CONCAT:
        return weft_concat((weft_tensor *[]){X(ROWS, COLUMNS), X(ROWS, 5)}, 2, 1);
    case WEFT_OP_PAD:
        return weft_pad(X(ROWS, COLUMNS), (const int64_t[]){1, 0}, (const int64_t[]){0, 2}, 2, 0.5);
    case WEFT_OP_FLIP:
        return weft_flip(X(ROWS, COLUMNS), WEFT_AXES(1));
    case WEFT_OP_GATHER:
        return weft_gather(X(ROWS, COLUMNS), I(COLUMNS, ROWS, 5), 1);
    case WEFT_OP_SCATTER_ADD:
        return weft_scatter_add(X(ROWS, 5), I(5, ROWS, COLUMNS), X(ROWS, COLUMNS), 1);
    case WEFT_OP_INDEX_SELECT:
        return weft_index_select(X(ROWS, COLUMNS), I(ROWS, 20), 0);
    case WEFT_OP_INDEX_ADD:
        return weft_index_add(X(ROWS, COLUMNS), I(ROWS, 20), X(20, COLUMNS), 0);
    case WEFT_OP_EMBEDDING:
        return weft_embedding(X(ROWS, COLUMNS), I(ROWS, 4, 5));
    default:
        return no_sample(s, op);
    }
}

static weft_tensor *run_in_place(weft__sampler *s, int op)
{
    weft_tensor *x = C(ROWS, COLUMNS), *y = C(1, COLUMNS);
    switch (op) {
    case WEFT_OP_ADD_:
        return weft_add_(x, y);
    case WEFT_OP_SUB_:
        return weft_sub_(x, y);
    case WEFT_OP_MUL_:
        return weft_mul_(x, y);
    case WEFT_OP_DIV_:
        return weft_div_(x, y);
    case WEFT_OP_COPY_:
        return weft_copy_(x, y);
    case WEFT_OP_FILL_:
        return weft_fill_(x, 0.75);
    default:
        return no_sample(s, op);
    }
}

/* Of half types with master weights, which start from the parameter. */
static weft_tensor *run_step(weft__sampler *s, int op)
{
    weft_tensor *p = weft_contiguous(C(ROWS, COLUMNS)), *g = weft_contiguous(C(ROWS, COLUMNS));
    const bool half = weft_dtype_of(p) == WEFT_F16 || weft_dtype_of(p) == WEFT_BF16;
    const weft_dtype wide = half ? WEFT_F32 : weft_dtype_of(p);
    weft_tensor *m = weft_cast(weft_contiguous(C(ROWS, COLUMNS)), wide);
    s->lo = 0.1; /* a second moment is positive */
    weft_tensor *v = weft_cast(weft_contiguous(C(ROWS, COLUMNS)), wide);
    weft_tensor *master = half ? weft_cast(p, WEFT_F32) : NULL;
    if (op == WEFT_OP_SGD_STEP)
        weft_sgd_step(s->ctx, &p, &g, &m, 1,
                      &(weft_sgd_params){.lr = 0.1, .momentum = 0.9, .weight_decay = 0.01, .master = &master});
    else
        weft_adam_step(s->ctx, &p, &g, &m, &v, 1,
                       &(weft_adam_params){.lr = 0.1, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .master = &master}, 3);
    return p;
}

static weft_tensor *run_other(weft__sampler *s, int op)
{
    s->lo = -2;
    s->hi = 2;
    if (weft__ops[op].family == WEFT__VIEW || op == WEFT_OP_FLATTEN || op == WEFT_OP_STACK || op == WEFT_OP_CLONE ||
        op == WEFT_OP_CONTIGUOUS)
        return run_view(s, op);
    if (op == WEFT_OP_SPLIT)
        return run_split(s);
    if (op == WEFT_OP_UNBIND)
        return run_unbind(s);
    if (weft__ops[op].family == WEFT__COMPOSITE || op == WEFT_OP_CROSS_ENTROPY_WITH)
        return run_loss(s, op);
    if (op == WEFT_OP_SGD_STEP || op == WEFT_OP_ADAM_STEP)
        return run_step(s, op);
    if (op >= WEFT_OP_ADD_)
        return run_in_place(s, op);
    if (op == WEFT_OP_CAST || (op >= WEFT_OP_CONCAT && op <= WEFT_OP_EMBEDDING))
        return run_moving(s, op);
    return run_layer(s, op);
}

weft_tensor *weft__sample_run(weft__sampler *s, int op, bool *none)
{
    const weft__family family = weft__ops[op].family;
    *none = family == WEFT__KERNEL;
    if (*none)
        return NULL;
    return family < WEFT__VIEW ? run_family(s, op) : run_other(s, op);
}

void weft__sample_drop(weft__sampler *s)
{
    for (int k = 0; k < s->n_leaves; k++)
        weft_release(s->leaves[k]);
    s->n_leaves = 0;
}
