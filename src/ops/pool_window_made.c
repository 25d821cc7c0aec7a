/* pool_window_made.c - pools of the last one to three dims by windows with gaps, with a last one that is not full, and
 * with or without the padding. One dim after the other, the last one first: its windows become a dim of their own, over
 * which the pool is a reduction. */
#include <math.h>
#include "made.h"

/* i: ndim, kernel, stride, padding, dilation (ndim each), ceil_mode, exclude_padding */
static weft_window_params params_of(const int64_t *i)
{
    weft_window_params p = WEFT_WINDOW_DEFAULTS;
    const int64_t n = i[0] >= 1 && i[0] <= 3 ? i[0] : 1; /* a fuzzer says anything; the call refuses it */
    p.ndim = i[0];
    for (int64_t k = 0; k < n; k++) {
        p.kernel[k] = i[1 + k];
        p.stride[k] = i[1 + n + k];
        p.padding[k] = i[1 + 2 * n + k];
        p.dilation[k] = i[1 + 3 * n + k];
    }
    p.ceil_mode = i[1 + 4 * n] != 0;
    p.exclude_padding = i[2 + 4 * n] != 0;
    return p;
}

CALL(max_pool)
{
    const weft_window_params params = params_of(c->i);
    c->out[0] = weft_max_pool(c->in[0], &params);
}

CALL(avg_pool)
{
    const weft_window_params params = params_of(c->i);
    c->out[0] = weft_avg_pool(c->in[0], &params);
}

/* f: the order */
CALL(lp_pool)
{
    const weft_window_params params = params_of(c->i);
    c->out[0] = weft_lp_pool(c->in[0], c->f[0], &params);
}

#define WINDOWS(how) PART(PAD, how), PART(INDEX_SELECT, how)

WEFT__DEFINE_COMPOSITE(MAX_POOL, max_pool, PARTS(FLOATS, WINDOWS(AS_ALONE), PART(MAX_WITH_INDEX, AS_ALONE)),
                       GRADIENT("g at the place of each window's largest element"), ROW_ONCE,
                       SAMPLE(call_max_pool, RECIPE("xab9", "1 3 2 1 2 1 0"), RECIPE("xa57", "2 2 3 2 2 1 1 1 1 0 0")))
WEFT__DEFINE_COMPOSITE(AVG_POOL, avg_pool, PARTS(FLOATS, WINDOWS(WIDE), PART(SUM, WIDE), PART(MUL, WIDE)),
                       GRADIENT("g / what the sum was divided by to each element of the window"), ROW_ONCE,
                       SAMPLE(call_avg_pool, RECIPE("xab9", "1 3 2 1 1 1 1"), RECIPE("xa57", "2 2 3 2 2 1 1 1 1 0 0")))
WEFT__DEFINE_COMPOSITE(LP_POOL, lp_pool,
                       PARTS(FLOATS, PART(ABS, WIDE), PART(POW_SCALAR, WIDE), WINDOWS(WIDE), PART(SUM, WIDE),
                             PART(NE, WIDE), PART(WHERE, WIDE)),
                       GRADIENT("g sign(x) (|x| / y)^(order - 1); 0 in a window of zeros"), ROW_ONCE,
                       SAMPLE(call_lp_pool, RECIPE("pab9", "1 3 2 1 1 1 0; 3"),
                              RECIPE("pa57", "2 2 3 2 2 1 1 1 1 0 0; 2")))

/* ---- Windows ---- */

/* Of one dim of `from` elements: how many windows there are, and how far the last one reaches beyond it. */
static int64_t count_of(const weft_window_params *p, int k, int64_t from, int64_t *beyond)
{
    const int64_t reach = p->dilation[k] * (p->kernel[k] - 1) + 1, room = from + 2 * p->padding[k] - reach;
    if (room < 0)
        return -1;
    int64_t n = (room + (p->ceil_mode ? p->stride[k] - 1 : 0)) / p->stride[k] + 1;
    if (p->ceil_mode && (n - 1) * p->stride[k] >= from + p->padding[k])
        n--; /* it would begin behind the elements */
    const int64_t end = (n - 1) * p->stride[k] - p->padding[k] + reach;
    *beyond = end > from ? end - from : 0;
    return n;
}

/* x with dim d as windows [count, kernel], and `outside` where there is no element. */
static weft_tensor *windows_of(weft_ctx *ctx, int op, weft_tensor *x, int d, const weft_window_params *p, int k,
                               double outside)
{
    int64_t beyond = 0, before[WEFT__MAX_DIMS] = {0}, after[WEFT__MAX_DIMS] = {0};
    const int64_t n = count_of(p, k, x->a.shape[d], &beyond), kernel = p->kernel[k];
    const int64_t count = n > INT64_MAX / 16 / kernel ? -1 : n * kernel;
    int64_t *places = count < 0 ? NULL : weft__host_array(ctx, count + 1, sizeof *places);
    if (!places)
        return weft__fail(ctx, op, WEFT_E_NOMEM, "out of memory for %lld windows", (long long)n), NULL;
    for (int64_t o = 0; o < n; o++)
        for (int64_t j = 0; j < kernel; j++)
            places[o * kernel + j] = o * p->stride[k] + j * p->dilation[k];
    before[d] = p->padding[k];
    after[d] = beyond;
    if (before[d] > 0 || after[d] > 0)
        x = weft_pad(x, before, after, x->a.ndim, outside);
    weft_tensor *taken = weft_index_select(x, weft_from_data(ctx, WEFT_I64, &count, 1, places), d);
    weft__host_free(ctx, places, sizeof *places * (size_t)(count + 1));
    return weft_unflatten(taken, d, WEFT_DIMS(n, kernel));
}

/* One over what the sum of each window along dim d is divided by, shaped to meet y: the places within the padding, or
 * the elements alone. */
static weft_tensor *shares_of(weft_ctx *ctx, const weft_window_params *p, int k, int64_t from, const weft_tensor *y,
                              int d)
{
    const int64_t n = y->a.shape[d];
    int64_t column[WEFT__MAX_DIMS] = {n};
    double *shares = weft__host_array(ctx, n + 1, sizeof *shares);
    if (!shares)
        return weft__fail(ctx, WEFT_OP_AVG_POOL, WEFT_E_NOMEM, "out of memory for %lld windows", (long long)n), NULL;
    const int64_t low = p->exclude_padding ? 0 : -p->padding[k],
                  high = p->exclude_padding ? from : from + p->padding[k];
    for (int64_t o = 0; o < n; o++) {
        int64_t counted = 0;
        for (int64_t j = 0; j < p->kernel[k]; j++) {
            const int64_t at = o * p->stride[k] - p->padding[k] + j * p->dilation[k];
            counted += at >= low && at < high;
        }
        shares[o] = counted > 0 ? 1 / (double)counted : 1;
    }
    for (int j = 1; j < y->a.ndim - d; j++)
        column[j] = 1;
    weft_tensor *made = weft_from_data(ctx, WEFT_F64, column, y->a.ndim - d, shares);
    weft__host_free(ctx, shares, sizeof *shares * (size_t)(n + 1));
    return made ? weft__cast(made, (weft_dtype)y->a.dtype) : NULL;
}

/* ---- Front ends ---- */

static bool params_fit(weft_ctx *ctx, int op, const weft_tensor *x, const weft_window_params *params,
                       weft_window_params *p)
{
    enum { MOST = INT32_MAX - 1 };
    static const weft_window_params defaults = WEFT_WINDOW_DEFAULTS;
    if (!params)
        return weft__fail(ctx, op, WEFT_E_INVALID, "params is NULL, but must give the kernel's sizes; x is %s",
                          weft__describe(x).s),
               false;
    if (weft_struct_in(ctx, weft__ops[op].name, "weft_window_params", &defaults, params, p) != WEFT_OK)
        return false;
    if (p->ndim < 1 || p->ndim > 3 || p->ndim > x->a.ndim || x->a.ndim >= WEFT__MAX_DIMS)
        return weft__fail(ctx, op, WEFT_E_INVALID,
                          "ndim is %lld, but must be from 1 to 3 and at most the dims of x %s, which has at most %d",
                          (long long)p->ndim, weft__describe(x).s, WEFT__MAX_DIMS - 1),
               false;
    for (int k = 0; k < p->ndim; k++) {
        if (p->stride[k] == WEFT_POOL2D_KERNEL)
            p->stride[k] = p->kernel[k];
        if (!weft__field_fits(ctx, op, "kernel", k, p->kernel[k], 1, MOST, x) ||
            !weft__field_fits(ctx, op, "stride", k, p->stride[k], 1, MOST, x) ||
            !weft__field_fits(ctx, op, "dilation", k, p->dilation[k], 1, MOST, x) ||
            !weft__field_fits(ctx, op, "padding", k, p->padding[k], 0, (p->dilation[k] * (p->kernel[k] - 1) + 1) / 2,
                              x))
            return false;
        const int d = x->a.ndim - (int)p->ndim + k;
        int64_t beyond;
        if (x->a.shape[d] < 1 || x->a.shape[d] > INT64_MAX / 4 || count_of(p, k, x->a.shape[d], &beyond) < 1)
            return weft__fail(ctx, op, WEFT_E_SHAPE, "a window of %lld, %lld apart, does not fit into dim %d of %s",
                              (long long)p->kernel[k], (long long)p->dilation[k], d, weft__describe(x).s),
                   false;
    }
    return true;
}

weft_tensor *weft_max_pool(weft_tensor *x, const weft_window_params *params)
{
    enum { OP = WEFT_OP_MAX_POOL };
    ENTER_COMPOSITE(MAX_POOL, &x, 1);
    weft_window_params p;
    if (!weft__need_float(ctx, OP, "x", x) || !params_fit(ctx, OP, x, params, &p))
        return weft__leave_with(ctx, NULL);
    for (int k = (int)p.ndim - 1, d = x->a.ndim - 1; k >= 0 && x; k--, d--) {
        weft_tensor *windows = windows_of(ctx, OP, x, d, &p, k, -INFINITY);
        x = NULL;
        if (windows && weft_max_with_index(windows, d + 1, false, &x, NULL) != WEFT_OK)
            x = NULL;
    }
    return weft__leave_with(ctx, x);
}

/* Sums over windows, each divided by its share of places where that is asked for. */
static weft_tensor *sums_of(weft_ctx *ctx, int op, weft_tensor *x, const weft_window_params *p)
{
    for (int k = (int)p->ndim - 1, d = x->a.ndim - 1; k >= 0 && x; k--, d--) {
        const int64_t from = x->a.shape[d];
        x = weft_sum(windows_of(ctx, op, x, d, p, k, 0), WEFT_DIMS(d + 1), false);
        if (x && op == WEFT_OP_AVG_POOL)
            x = weft_mul(x, shares_of(ctx, p, k, from, x, d));
    }
    return x;
}

weft_tensor *weft_avg_pool(weft_tensor *x, const weft_window_params *params)
{
    enum { OP = WEFT_OP_AVG_POOL };
    static const char *const names[] = {"x"};
    ENTER_COMPOSITE(AVG_POOL, &x, 1);
    weft_window_params p;
    weft_dtype dtype;
    if (!weft__join_floats(ctx, OP, &x, names, 1, &dtype) || !params_fit(ctx, OP, x, params, &p))
        return weft__leave_with(ctx, NULL);
    return weft__leave_with(ctx, weft__narrowed(sums_of(ctx, OP, x, &p), dtype));
}

weft_tensor *weft_lp_pool(weft_tensor *x, double order, const weft_window_params *params)
{
    enum { OP = WEFT_OP_LP_POOL };
    static const char *const names[] = {"x"};
    ENTER_COMPOSITE(LP_POOL, &x, 1);
    weft_window_params p;
    weft_dtype dtype;
    if (!weft__join_floats(ctx, OP, &x, names, 1, &dtype))
        return weft__leave_with(ctx, NULL);
    if (!(order > 0) || isinf(order))
        REFUSE(LP_POOL, WEFT_E_INVALID, "the order is %g, but must be positive and finite", order);
    if (!params_fit(ctx, OP, x, params, &p))
        return weft__leave_with(ctx, NULL);
    /* of a sum of zeros the root has no slope, and gets none */
    weft_tensor *powers = weft_pow_scalar(weft_abs(x), order);
    weft_tensor *sum = powers ? sums_of(ctx, OP, powers, &p) : NULL, *zero = weft__constant_like(sum, 0);
    weft_tensor *some = weft_ne(sum, zero);
    weft_tensor *root = weft_pow_scalar(weft_where(some, sum, weft__constant_like(sum, 1)), 1 / order);
    return weft__leave_with(ctx, weft__narrowed(weft_where(some, root, zero), dtype));
}
