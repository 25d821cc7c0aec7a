/* window.c - front ends of convolution and pooling. */
#include "core.h"

/* ---- Convolution ---- */

/* field[d] of the params, height or width, within what can be counted with; false: recorded. */
static bool field_fits(weft_ctx *ctx, int op, const char *field, int d, int64_t value, int64_t least, int64_t most,
                       const weft_tensor *x)
{
    if (value >= least && value <= most)
        return true;
    weft__fail(ctx, op, WEFT_E_INVALID, "%s[%d] is %lld, but must be from %lld to %lld; the first operand is %s", field,
               d, (long long)value, (long long)least, (long long)most, weft__describe(x).s);
    return false;
}

static bool conv_attrs(weft_ctx *ctx, int op, const weft_conv2d_params *params, const weft_tensor *x,
                       weft__attrs *attrs)
{
    enum { MOST = INT32_MAX - 1 };
    static const weft_conv2d_params none = {0};
    const weft_conv2d_params *p = params ? params : &none;
    attrs->ni = 7;
    attrs->nf = 0;
    for (int d = 0; d < 2; d++) {
        if (!field_fits(ctx, op, "stride", d, p->stride[d], 0, MOST, x) ||
            !field_fits(ctx, op, "padding", d, p->padding[d], 0, MOST, x) ||
            !field_fits(ctx, op, "dilation", d, p->dilation[d], 0, MOST, x) ||
            !field_fits(ctx, op, "output_padding", d, p->output_padding[d], 0, MOST, x))
            return false;
        attrs->i[WEFT__CONV_STRIDE + d] = p->stride[d] ? p->stride[d] : 1;
        attrs->i[WEFT__CONV_PADDING + d] = p->padding[d];
        attrs->i[WEFT__CONV_DILATION + d] = p->dilation[d] ? p->dilation[d] : 1;
    }
    attrs->i[WEFT__CONV_GROUPS] = p->groups ? p->groups : 1;
    if (p->groups >= 0)
        return true;
    weft__fail(ctx, op, WEFT_E_INVALID, "groups is %lld, but must be 0 (one group) or more; the first operand is %s",
               (long long)p->groups, weft__describe(x).s);
    return false;
}

/* Sizes below this cannot overflow when they are multiplied by a stride or dilation and padding is added. */
enum { LONGEST_SIDE = 1 << 30 };

/* Output size of a window of r taps over n elements; 0 if it does not fit, as any does into an image without elements:
 * then there is no transpose that would give the image back. */
static int64_t conv_size(const weft__attrs *a, int d, int64_t n, int64_t r)
{
    if (n < 1 || r < 1 || n > LONGEST_SIDE || r > LONGEST_SIDE)
        return 0;
    int64_t span = a->i[WEFT__CONV_DILATION + d] * (r - 1) + 1, room = n + 2 * a->i[WEFT__CONV_PADDING + d] - span;
    return room < 0 ? 0 : room / a->i[WEFT__CONV_STRIDE + d] + 1;
}

/* The size that conv_size makes n of; 0 if there is none. */
static int64_t transposed_size(const weft__attrs *a, int d, int64_t n, int64_t r, int64_t extra)
{
    if (n < 1 || r < 1 || n > LONGEST_SIDE || r > LONGEST_SIDE)
        return 0;
    int64_t size = (n - 1) * a->i[WEFT__CONV_STRIDE + d] - 2 * a->i[WEFT__CONV_PADDING + d] +
                   a->i[WEFT__CONV_DILATION + d] * (r - 1) + extra + 1;
    return size > 0 ? size : 0;
}

/* x, w (and b) are floats of one dtype with 4 (and 1) dims. */
static bool conv_operands(weft_ctx *ctx, int op, const char *second, weft_tensor **in)
{
    if (!weft__localise(ctx, in, 3) || !weft__need_rank(ctx, op, "x", in[0], 4, 4) ||
        !weft__need_rank(ctx, op, second, in[1], 4, 4) || (in[2] && !weft__need_rank(ctx, op, "b", in[2], 1, 1)))
        return false;
    weft_dtype dtype = (weft_dtype)in[0]->a.dtype;
    for (int k = 0; k < 3; k++) {
        if (!in[k])
            continue;
        if (!weft__need_float(ctx, op, k == 0 ? "x" : k == 1 ? second : "b", in[k]))
            return false;
        dtype = weft_promote(dtype, (weft_dtype)in[k]->a.dtype);
    }
    for (int k = 0; k < 3; k++)
        if (in[k] && !(in[k] = weft_cast(in[k], dtype)))
            return false;
    return true;
}

static bool channels_fit(weft_ctx *ctx, int op, weft_tensor *const *in, int64_t channels_in, int64_t per_group,
                         int64_t channels_out, int64_t groups)
{
    bool fits = channels_in % groups == 0 && channels_out % groups == 0 && per_group == channels_in / groups &&
                (!in[2] || in[2]->a.shape[0] == channels_out);
    if (!fits)
        weft__fail(
            ctx, op, WEFT_E_SHAPE,
            "channels do not fit: x %s, w %s, b %s, groups %lld; both channel counts must be multiples of groups, w "
            "holds the channels of one group, b one value for each output channel",
            weft__describe(in[0]).s, weft__describe(in[1]).s, weft__describe(in[2]).s, (long long)groups);
    return fits;
}

static weft_tensor *run_conv(weft_ctx *ctx, int op, weft_tensor *const *in, int n_in, const int64_t *shape,
                             weft__attrs *attrs)
{
    weft_tensor *y = weft__new(ctx, op, (weft_dtype)in[0]->a.dtype, shape, 4);
    if (!y)
        return NULL;
    weft__call call = {.op = op, .ctx = ctx, .in = in, .n_in = n_in, .out = {y}, .n_out = 1, .attrs = attrs};
    return weft__run(&call);
}

static weft_tensor *window_too_large(weft_ctx *ctx, int op, weft_tensor *const *in, const weft__attrs *attrs)
{
    const int64_t *i = attrs->i;
    weft__fail(ctx, op, WEFT_E_SHAPE,
               "the window of %s does not fit into %s with padding [%lld, %lld] and dilation [%lld, %lld]; use more "
               "padding; both need at least one row and column, and at most 2^30",
               weft__describe(in[1]).s, weft__describe(in[0]).s, (long long)i[WEFT__CONV_PADDING],
               (long long)i[WEFT__CONV_PADDING + 1], (long long)i[WEFT__CONV_DILATION],
               (long long)i[WEFT__CONV_DILATION + 1]);
    return NULL;
}

static weft_tensor *conv2d(weft_ctx *ctx, weft_tensor **in, const weft_conv2d_params *params)
{
    enum { OP = WEFT_OP_CONV2D };
    weft__attrs attrs;
    if (!conv_attrs(ctx, OP, params, in[0], &attrs) || !conv_operands(ctx, OP, "w", in))
        return NULL;
    const int64_t *x = in[0]->a.shape, *w = in[1]->a.shape, groups = attrs.i[WEFT__CONV_GROUPS];
    if (!channels_fit(ctx, OP, in, x[1], w[1], w[0], groups))
        return NULL;
    int64_t shape[4] = {x[0], w[0], conv_size(&attrs, 0, x[2], w[2]), conv_size(&attrs, 1, x[3], w[3])};
    if (shape[2] == 0 || shape[3] == 0)
        return window_too_large(ctx, OP, in, &attrs);
    return run_conv(ctx, OP, in, 3, shape, &attrs);
}

weft_tensor *weft_conv2d(weft_tensor *x, weft_tensor *w, weft_tensor *b, const weft_conv2d_params *params)
{
    weft_tensor *in[3] = {x, w, b};
    weft_ctx *ctx = weft__enter(WEFT_OP_CONV2D, in, 3, 1u << 2);
    if (!ctx)
        return NULL;
    weft_tensor *y = conv2d(ctx, in, params);
    return weft__leave_with(ctx, y);
}

static weft_tensor *conv2d_transpose(weft_ctx *ctx, weft_tensor **in, const weft_conv2d_params *params)
{
    enum { OP = WEFT_OP_CONV2D_TRANSPOSE };
    weft__attrs attrs;
    if (!conv_attrs(ctx, OP, params, in[0], &attrs) || !conv_operands(ctx, OP, "w", in))
        return NULL;
    const int64_t *x = in[0]->a.shape, *w = in[1]->a.shape, groups = attrs.i[WEFT__CONV_GROUPS];
    int64_t out_channels, shape[4];
    bool fits = !__builtin_mul_overflow(w[1], groups, &out_channels) && x[1] == w[0] && x[1] % groups == 0 &&
                (!in[2] || in[2]->a.shape[0] == out_channels);
    if (!fits) {
        weft__fail(ctx, OP, WEFT_E_SHAPE,
                   "channels do not fit: x %s, w %s, b %s, groups %lld; w must be [C, K/groups, R, S] for x [N, C, H, "
                   "W] and b [K]",
                   weft__describe(in[0]).s, weft__describe(in[1]).s, weft__describe(in[2]).s, (long long)groups);
        return NULL;
    }
    shape[0] = x[0];
    shape[1] = out_channels;
    for (int d = 0; d < 2; d++) {
        int64_t stride = attrs.i[WEFT__CONV_STRIDE + d], extra = params ? params->output_padding[d] : 0;
        if (extra >= stride && extra > 0) {
            weft__fail(ctx, OP, WEFT_E_INVALID,
                       "output_padding %lld must be less than the stride %lld (index %d); x is %s", (long long)extra,
                       (long long)stride, d, weft__describe(in[0]).s);
            return NULL;
        }
        shape[2 + d] = transposed_size(&attrs, d, x[2 + d], w[2 + d], extra);
    }
    if (shape[2] == 0 || shape[3] == 0)
        return window_too_large(ctx, OP, in, &attrs);
    return run_conv(ctx, OP, in, 3, shape, &attrs);
}

weft_tensor *weft_conv2d_transpose(weft_tensor *x, weft_tensor *w, weft_tensor *b, const weft_conv2d_params *params)
{
    weft_tensor *in[3] = {x, w, b};
    weft_ctx *ctx = weft__enter(WEFT_OP_CONV2D_TRANSPOSE, in, 3, 1u << 2);
    if (!ctx)
        return NULL;
    weft_tensor *y = conv2d_transpose(ctx, in, params);
    return weft__leave_with(ctx, y);
}

static weft_tensor *conv2d_weight(weft_ctx *ctx, weft_tensor **in, const int64_t *kernel,
                                  const weft_conv2d_params *params)
{
    enum { OP = WEFT_OP_CONV2D_WEIGHT };
    weft__attrs attrs;
    if (!kernel || kernel[0] < 1 || kernel[1] < 1) {
        weft__fail(ctx, OP, WEFT_E_INVALID, "kernel is %s, but must hold two sizes of at least 1 {R, S}; x is %s",
                   kernel ? weft__shape_text(kernel, 2).s : "NULL", weft__describe(in[0]).s);
        return NULL;
    }
    if (!conv_attrs(ctx, OP, params, in[0], &attrs) || !conv_operands(ctx, OP, "g", in))
        return NULL;
    const int64_t *x = in[0]->a.shape, *g = in[1]->a.shape, groups = attrs.i[WEFT__CONV_GROUPS];
    if (x[0] != g[0] || x[1] % groups || g[1] % groups || g[2] < 1 || g[3] < 1 ||
        conv_size(&attrs, 0, x[2], kernel[0]) != g[2] || conv_size(&attrs, 1, x[3], kernel[1]) != g[3]) {
        weft__fail(ctx, OP, WEFT_E_SHAPE,
                   "g %s is not the shape of a convolution of x %s with kernel [%lld, %lld] and %lld groups",
                   weft__describe(in[1]).s, weft__describe(in[0]).s, (long long)kernel[0], (long long)kernel[1],
                   (long long)groups);
        return NULL;
    }
    return run_conv(ctx, OP, in, 2, (const int64_t[]){g[1], x[1] / groups, kernel[0], kernel[1]}, &attrs);
}

weft_tensor *weft_conv2d_weight(weft_tensor *x, weft_tensor *g, const int64_t *kernel, const weft_conv2d_params *params)
{
    weft_tensor *in[3] = {x, g, NULL};
    weft_ctx *ctx = weft__enter(WEFT_OP_CONV2D_WEIGHT, in, 2, 0);
    if (!ctx)
        return NULL;
    weft_tensor *y = conv2d_weight(ctx, in, kernel, params);
    return weft__leave_with(ctx, y);
}

/* ---- Pooling ---- */

static bool pool_attrs(weft_ctx *ctx, int op, const weft_pool2d_params *p, const weft_tensor *x, weft__attrs *attrs)
{
    enum { MOST = INT32_MAX - 1 };
    attrs->ni = 6;
    attrs->nf = 0;
    if (!p) {
        weft__fail(ctx, op, WEFT_E_INVALID, "params is NULL, but must give the kernel's sizes; the operand is %s",
                   weft__describe(x).s);
        return false;
    }
    for (int d = 0; d < 2; d++) {
        if (!field_fits(ctx, op, "kernel", d, p->kernel[d], 1, MOST, x) ||
            !field_fits(ctx, op, "stride", d, p->stride[d], 0, MOST, x))
            return false;
        if (p->padding[d] < 0 || p->padding[d] > p->kernel[d] / 2) {
            weft__fail(
                ctx, op, WEFT_E_INVALID,
                "padding[%d] is %lld, but must be from 0 to half the kernel, whose size is %lld; the operand is %s", d,
                (long long)p->padding[d], (long long)p->kernel[d], weft__describe(x).s);
            return false;
        }
        attrs->i[WEFT__POOL_KERNEL + d] = p->kernel[d];
        attrs->i[WEFT__POOL_STRIDE + d] = p->stride[d] ? p->stride[d] : p->kernel[d];
        attrs->i[WEFT__POOL_PADDING + d] = p->padding[d];
    }
    return true;
}

/* Pooled height and width of a plane; false if no window fits. */
static bool pooled(const weft__attrs *a, const int64_t *plane, int64_t *out)
{
    for (int d = 0; d < 2; d++) {
        if (plane[d] < 1 || plane[d] > INT64_MAX / 2) /* then nothing below overflows */
            return false;
        int64_t room = plane[d] + 2 * a->i[WEFT__POOL_PADDING + d] - a->i[WEFT__POOL_KERNEL + d];
        if (room < 0)
            return false;
        out[d] = room / a->i[WEFT__POOL_STRIDE + d] + 1;
    }
    return true;
}

static weft_tensor *pool2d(int op, weft_tensor *x, const weft_pool2d_params *params, int n_out)
{
    weft_ctx *ctx = weft__enter(op, &x, 1, 0);
    if (!ctx)
        return NULL;
    weft__attrs attrs;
    weft_tensor *y = NULL;
    int64_t shape[4];
    if (weft__need_rank(ctx, op, "x", x, 4, 4) && weft__need_float(ctx, op, "x", x) &&
        pool_attrs(ctx, op, params, x, &attrs)) {
        shape[0] = x->a.shape[0];
        shape[1] = x->a.shape[1];
        if (!pooled(&attrs, x->a.shape + 2, shape + 2)) {
            weft__fail(ctx, op, WEFT_E_SHAPE, "a window of %lld x %lld does not fit into %s; use a smaller kernel",
                       (long long)attrs.i[WEFT__POOL_KERNEL], (long long)attrs.i[WEFT__POOL_KERNEL + 1],
                       weft__describe(x).s);
        } else {
            weft__call call = {.op = op, .ctx = ctx, .in = &x, .n_in = 1, .n_out = n_out, .attrs = &attrs};
            call.out[0] = weft__new(ctx, op, (weft_dtype)x->a.dtype, shape, 4);
            if (n_out > 1)
                call.out[1] = weft__new(ctx, op, WEFT_I64, shape, 4);
            y = ctx->status == WEFT_OK ? weft__run(&call) : NULL;
        }
    }
    return weft__leave_with(ctx, y);
}

weft_tensor *weft_max_pool2d(weft_tensor *x, const weft_pool2d_params *params)
{
    return pool2d(WEFT_OP_MAX_POOL2D, x, params, 2);
}

weft_tensor *weft_avg_pool2d(weft_tensor *x, const weft_pool2d_params *params)
{
    return pool2d(WEFT_OP_AVG_POOL2D, x, params, 1);
}

weft_tensor *weft_avg_unpool2d(weft_tensor *g, const int64_t *size, const weft_pool2d_params *params)
{
    enum { OP = WEFT_OP_AVG_UNPOOL2D };
    weft_ctx *ctx = weft__enter(OP, &g, 1, 0);
    if (!ctx)
        return NULL;
    weft__attrs attrs;
    weft_tensor *y = NULL;
    int64_t plane[2];
    if (!size || size[0] < 1 || size[1] < 1) {
        weft__fail(ctx, OP, WEFT_E_INVALID, "size is %s, but must hold height and width of at least 1; g is %s",
                   size ? weft__shape_text(size, 2).s : "NULL", weft__describe(g).s);
    } else if (weft__need_rank(ctx, OP, "g", g, 4, 4) && weft__need_float(ctx, OP, "g", g) &&
               pool_attrs(ctx, OP, params, g, &attrs)) {
        if (!pooled(&attrs, size, plane) || plane[0] != g->a.shape[2] || plane[1] != g->a.shape[3])
            weft__fail(ctx, OP, WEFT_E_SHAPE, "g is %s, which is not what pooling [.., %lld, %lld] gives",
                       weft__describe(g).s, (long long)size[0], (long long)size[1]);
        else
            y = run_conv(ctx, OP, &g, 1, (const int64_t[]){g->a.shape[0], g->a.shape[1], size[0], size[1]}, &attrs);
    }
    return weft__leave_with(ctx, y);
}
