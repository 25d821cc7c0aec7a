/* pool_made.c - pools of volumes, which are those of planes and then of depths; windows that fit a size; and largest
 * elements put back to their places. */
#include "several.h"
#include "made.h"
#include "pool2d.h"

/* i: kernel, stride, padding (three each) */
static weft_pool3d_params params_of(const int64_t *i)
{
    return (weft_pool3d_params){sizeof(weft_pool3d_params), .kernel = {i[0], i[1], i[2]}, .stride = {i[3], i[4], i[5]},
                                .padding = {i[6], i[7], i[8]}};
}

CALL(max_pool3d)
{
    weft_pool3d_params params = params_of(c->i);
    c->out[0] = weft_max_pool3d(c->in[0], &params);
}

CALL(avg_pool3d)
{
    weft_pool3d_params params = params_of(c->i);
    c->out[0] = weft_avg_pool3d(c->in[0], &params);
}

/* i: sizes */
CALL(adaptive_max_pool)
{
    c->out[0] = weft_adaptive_max_pool(c->in[0], c->i, c->ni);
}

/* i: kernel, stride, padding (two each) */
CALL(max_pool2d_with_index)
{
    weft_pool2d_params params = {sizeof params, {c->i[0], c->i[1]}, {c->i[2], c->i[3]}, {c->i[4], c->i[5]}};
    c->n_out = 2;
    if (weft_max_pool2d_with_index(c->in[0], &params, &c->out[0], &c->out[1]) != WEFT_OK)
        c->out[0] = NULL;
}

/* i: height, width */
CALL(max_unpool2d)
{
    c->out[0] = weft_max_unpool2d(c->in[0], c->in[1], c->i);
}

WEFT__DEFINE_COMPOSITE(MAX_POOL3D, max_pool3d, PARTS(FLOATS, PART(MAX_POOL2D, AS_ALONE)),
                       GRADIENT("g at the place of each window's largest element"), ROW_ONCE,
                       SAMPLE(call_max_pool3d, RECIPE("x2a446", "2 2 2 2 2 2 0 0 0"),
                              RECIPE("x12365", "3 2 2 1 2 2 1 1 0")))
WEFT__DEFINE_COMPOSITE(AVG_POOL3D, avg_pool3d, PARTS(FLOATS, PART(AVG_POOL2D, WIDE)),
                       GRADIENT("g / the kernel's size to each element of the window"), ROW_ONCE,
                       SAMPLE(call_avg_pool3d, RECIPE("x2a446", "2 2 2 2 2 2 0 0 0"),
                              RECIPE("x12365", "3 2 2 1 2 2 1 1 0")))
WEFT__DEFINE_COMPOSITE(ADAPTIVE_MAX_POOL, adaptive_max_pool,
                       PARTS(FLOATS, PART(INDEX_SELECT, AS_ALONE), PART(MAX_WITH_INDEX, AS_ALONE)),
                       GRADIENT("g at the place of each window's largest element"), ROW_ONCE,
                       SAMPLE(call_adaptive_max_pool, RECIPE("xab75", "3 2"), RECIPE("xab", "2")))
WEFT__DEFINE_COMPOSITE(MAX_POOL2D_WITH_INDEX, max_pool2d_with_index, PARTS(FLOATS, PART(MAX_POOL2D, AS_ALONE)),
                       GRADIENT("as of max_pool2d"), ROW_ONCE,
                       SAMPLE(call_max_pool2d_with_index, RECIPE("x2a46", "2 2 2 2 0 0"),
                              RECIPE("x2398", "3 2 2 2 1 1")))
WEFT__DEFINE_COMPOSITE(MAX_UNPOOL2D, max_unpool2d, PARTS(FLOATS, PART(SCATTER, AS_ALONE)),
                       GRADIENT("g at the place that each element was put to, 0 where another one replaced it"),
                       EACH_ONCE, SAMPLE(call_max_unpool2d, RECIPE("x2a22 i2a22<9", "3 3")))

/* ---- Volumes ---- */

static bool fits(weft_ctx *ctx, int op, const weft_pool3d_params *p, const weft_tensor *x)
{
    enum { MOST = INT32_MAX - 1 };
    for (int d = 0; d < 3; d++) {
        const bool as_kernel = p->stride[d] == WEFT_POOL2D_KERNEL;
        if (!weft__field_fits(ctx, op, "kernel", d, p->kernel[d], 1, MOST, x) ||
            (!as_kernel && !weft__field_fits(ctx, op, "stride", d, p->stride[d], 1, MOST, x)) ||
            !weft__field_fits(ctx, op, "padding", d, p->padding[d], 0, p->kernel[d] / 2, x))
            return false;
        if (x->a.shape[2 + d] < 1 || x->a.shape[2 + d] > INT64_MAX / 2 ||
            x->a.shape[2 + d] + 2 * p->padding[d] < p->kernel[d])
            return weft__fail(ctx, op, WEFT_E_SHAPE, "a window of %lld does not fit into dim %d of %s",
                              (long long)p->kernel[d], 2 + d, weft__describe(x).s),
                   false;
    }
    return true;
}

/* op over the last two dims of rows. */
static weft_tensor *over(int op, weft_tensor *rows, const weft_pool3d_params *p, int d, bool both)
{
    weft_pool2d_params window = WEFT_POOL2D_DEFAULTS;
    window.kernel[1] = window.stride[1] = 1;
    for (int k = 0; k < (both ? 2 : 1); k++) {
        window.kernel[k] = p->kernel[d + k];
        window.stride[k] = p->stride[d + k];
        window.padding[k] = p->padding[d + k];
    }
    return op == WEFT_OP_MAX_POOL3D ? weft_max_pool2d(rows, &window) : weft_avg_pool2d(rows, &window);
}

/* x [N, C, D, H, W]: planes of H x W, then [D, H' W'] along D alone. Of equals the first one in a plane wins, then the
 * first plane, and so the first one in the window. */
static weft_tensor *pooled(int op, weft_tensor *x, const weft_pool3d_params *params)
{
    static const weft_pool3d_params defaults = WEFT_POOL3D_DEFAULTS;
    static const char *const names[] = {"x"};
    weft_ctx *ctx = weft__enter(op, &x, 1, 0);
    if (!ctx)
        return NULL;
    weft_pool3d_params p;
    weft_dtype dtype;
    if (!weft__localise(ctx, &x, 1) || !weft__need_float(ctx, op, "x", x) || !weft__need_rank(ctx, op, "x", x, 5, 5))
        return weft__leave_with(ctx, NULL);
    if (!params)
        return weft__fail(ctx, op, WEFT_E_INVALID, "params is NULL, but must give the kernel's sizes; x is %s",
                          weft__describe(x).s),
               weft__leave_with(ctx, NULL);
    if (weft_struct_in(ctx, weft__ops[op].name, "weft_pool3d_params", &defaults, params, &p) != WEFT_OK ||
        !fits(ctx, op, &p, x))
        return weft__leave_with(ctx, NULL);
    dtype = (weft_dtype)x->a.dtype;
    if (op == WEFT_OP_AVG_POOL3D && !weft__join_floats(ctx, op, &x, names, 1, &dtype))
        return weft__leave_with(ctx, NULL);
    const int64_t *s = x->a.shape;
    weft_tensor *y = over(op, weft_reshape(x, WEFT_DIMS(s[0], s[1] * s[2], s[3], s[4])), &p, 1, true);
    if (!y)
        return weft__leave_with(ctx, NULL);
    const int64_t height = y->a.shape[2], width = y->a.shape[3];
    y = over(op, weft_reshape(y, WEFT_DIMS(s[0], s[1], s[2], height * width)), &p, 0, false);
    const int64_t depth = y ? y->a.shape[2] : 0;
    y = weft_reshape(y, WEFT_DIMS(s[0], s[1], depth, height, width));
    return weft__leave_with(ctx, weft__narrowed(y, dtype));
}

weft_tensor *weft_max_pool3d(weft_tensor *x, const weft_pool3d_params *params)
{
    return pooled(WEFT_OP_MAX_POOL3D, x, params);
}

weft_tensor *weft_avg_pool3d(weft_tensor *x, const weft_pool3d_params *params)
{
    return pooled(WEFT_OP_AVG_POOL3D, x, params);
}

/* ---- Windows that fit a size ---- */

/* First element of window o of `to`, and the one behind its last. */
static int64_t window_from(int64_t o, int64_t from, int64_t to)
{
    return o / to * from + o % to * from / to;
}

static int64_t window_to(int64_t o, int64_t from, int64_t to)
{
    const int64_t at = window_from(o + 1, from, to);
    return at + ((o + 1) % to * from % to != 0);
}

/* The largest of each window of dim d; windows that are shorter repeat their first element. */
static weft_tensor *fitted(weft_ctx *ctx, weft_tensor *x, int64_t d, int64_t size)
{
    const int64_t from = x->a.shape[d];
    int64_t most = 1;
    for (int64_t o = 0; o < size; o++) {
        const int64_t n = window_to(o, from, size) - window_from(o, from, size);
        most = n > most ? n : most;
    }
    const int64_t count = size > INT64_MAX / 16 / most ? -1 : size * most;
    int64_t *places = count < 0 ? NULL : weft__host_array(ctx, count + 1, sizeof *places);
    if (!places)
        return weft__fail(ctx, WEFT_OP_ADAPTIVE_MAX_POOL, WEFT_E_NOMEM, "out of memory for %lld windows",
                          (long long)size),
               NULL;
    for (int64_t o = 0; o < size; o++)
        for (int64_t k = 0; k < most; k++) {
            const int64_t first = window_from(o, from, size), end = window_to(o, from, size);
            places[o * most + k] = first + k < end ? first + k : first;
        }
    weft_tensor *taken = weft_index_select(x, weft_from_data(ctx, WEFT_I64, &count, 1, places), d), *y = NULL;
    weft__host_free(ctx, places, sizeof *places * (size_t)(count + 1));
    taken = weft_unflatten(taken, d, WEFT_DIMS(size, most));
    return taken && weft_max_with_index(taken, d + 1, false, &y, NULL) == WEFT_OK ? y : NULL;
}

weft_tensor *weft_adaptive_max_pool(weft_tensor *x, const int64_t *sizes, int n)
{
    enum { OP = WEFT_OP_ADAPTIVE_MAX_POOL };
    ENTER_COMPOSITE(ADAPTIVE_MAX_POOL, &x, 1);
    if (!weft__need_float(ctx, OP, "x", x))
        return weft__leave_with(ctx, NULL);
    if (!sizes || n < 1 || n > x->a.ndim || x->a.ndim >= WEFT__MAX_DIMS)
        REFUSE(ADAPTIVE_MAX_POOL, WEFT_E_INVALID,
               "needs sizes for 1 to %d last dims of %s, which has at most %d (not %d)", x->a.ndim, weft__describe(x).s,
               WEFT__MAX_DIMS - 1, n);
    for (int k = 0; k < n; k++) {
        const int64_t from = x->a.shape[x->a.ndim - n + k];
        if (sizes[k] < 0 || sizes[k] > INT32_MAX || from > INT32_MAX || (sizes[k] > 0 && from == 0))
            REFUSE(ADAPTIVE_MAX_POOL, WEFT_E_SHAPE, "size %lld for dim %d of %s", (long long)sizes[k],
                   x->a.ndim - n + k, weft__describe(x).s);
    }
    weft_tensor *y = x;
    for (int k = n - 1; k >= 0 && y; k--) /* lines first: of equals the first one in the window wins */
        y = fitted(ctx, y, x->a.ndim - n + k, sizes[k]);
    return weft__leave_with(ctx, y);
}

/* ---- Places of largest elements ---- */

weft_status weft_max_pool2d_with_index(weft_tensor *x, const weft_pool2d_params *params, weft_tensor **values,
                                       weft_tensor **indices)
{
    weft_tensor *out[2], **const places[] = {values, indices};
    weft__attrs attrs;
    weft_ctx *ctx = weft__begin_several(WEFT_OP_MAX_POOL2D_WITH_INDEX, &x, places, 2);
    if (!ctx)
        return weft__refused(x);
    const bool done = weft__pool2d_attrs(ctx, WEFT_OP_MAX_POOL2D_WITH_INDEX, params, x, &attrs) &&
                      weft__complete(ctx, WEFT_OP_MAX_POOL2D, &x, 1, &attrs, out);
    return weft__end_several(ctx, done, out, places, 2);
}

weft_tensor *weft_max_unpool2d(weft_tensor *x, weft_tensor *index, const int64_t *size)
{
    enum { OP = WEFT_OP_MAX_UNPOOL2D };
    weft_tensor *in[] = {x, index};
    ENTER_COMPOSITE(MAX_UNPOOL2D, in, 2);
    if (!weft__need_float(ctx, OP, "x", in[0]) || !weft__need_index(ctx, OP, "the index", in[1]) ||
        !weft__need_rank(ctx, OP, "x", in[0], 4, 4))
        return weft__leave_with(ctx, NULL);
    if (!weft__same_shape(&in[0]->a, &in[1]->a))
        REFUSE(MAX_UNPOOL2D, WEFT_E_SHAPE, "the index %s must have one place for each element of x %s",
               weft__describe(in[1]).s, weft__describe(in[0]).s);
    if (!size || size[0] < 0 || size[1] < 0 || weft__count_of(size, 2) < 0)
        REFUSE(MAX_UNPOOL2D, WEFT_E_INVALID, "size is %s, but must hold height and width of the result; x is %s",
               size ? weft__shape_text(size, 2).s : "NULL", weft__describe(in[0]).s);
    const int64_t *s = in[0]->a.shape, planes = s[0] * s[1], each = s[2] * s[3];
    weft_tensor *none = weft_zeros(ctx, (weft_dtype)in[0]->a.dtype, WEFT_DIMS(planes, size[0] * size[1]));
    weft_tensor *taken = weft_reshape(in[0], WEFT_DIMS(planes, each));
    weft_tensor *y = weft_scatter(none, weft_reshape(in[1], WEFT_DIMS(planes, each)), taken, 1);
    return weft__leave_with(ctx, weft_reshape(y, WEFT_DIMS(s[0], s[1], size[0], size[1])));
}
