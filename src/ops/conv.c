/* conv.c - the three convolutions, which are each other's derivatives. */
#include "conv.h"

/* Terms: the elements of w that one output channel takes; of x's or of g's, for the weights. */
static int64_t by_filter(const weft__work *w, int result)
{
    (void)result;
    return w->in[1] ? weft__ratio(w->in[1]->count, w->in[1]->shape[0]) : 1;
}

static int64_t by_channel(const weft__work *w, int result)
{
    (void)result;
    return w->in[1] ? weft__ratio(w->in[1]->count, w->in[1]->shape[1]) : 1;
}

/* A multiply-add for every one of n elements and every element of filters beside one of its first dim. */
static double conv_flops(const weft__array *n, const weft__array *filters)
{
    return filters && filters->shape[0] > 0 ? 2 * weft__count(n) * weft__count(filters) / (double)filters->shape[0] : 0;
}

static double result_by_filter(const weft__work *w)
{
    return conv_flops(w->out[0], w->in[1]);
}

static double operand_by_filter(const weft__work *w)
{
    return conv_flops(w->in[0], w->in[1]);
}

static double gradient_by_filter(const weft__work *w)
{
    return conv_flops(w->in[1], w->out[0]);
}

/* Sizes below this cannot overflow when they are multiplied by a stride or dilation and padding is added. */
enum { LONGEST_SIDE = 1 << 30 };

/* Output size of a window of r taps over n elements; 0 if it does not fit, as any does into an image without elements:
 * then there is no transpose that would give the image back. */
static int64_t conv_size(const weft__conv_attrs *a, int d, int64_t n, int64_t r)
{
    if (n < 1 || r < 1 || n > LONGEST_SIDE || r > LONGEST_SIDE)
        return 0;
    const int64_t span = a->dilation[d] * (r - 1) + 1, room = n + 2 * a->padding[d] - span;
    return room < 0 ? 0 : room / a->stride[d] + 1;
}

/* The size that conv_size makes n of; 0 if there is none. */
static int64_t transposed_size(const weft__conv_attrs *a, int d, int64_t n, int64_t r)
{
    if (n < 1 || r < 1 || n > LONGEST_SIDE || r > LONGEST_SIDE)
        return 0;
    const int64_t size =
        (n - 1) * a->stride[d] - 2 * a->padding[d] + a->dilation[d] * (r - 1) + a->output_padding[d] + 1;
    return size > 0 ? size : 0;
}

/* x, w (and b) have 4 (and 1) dims. */
static bool ranks_fit(weft__infer *q)
{
    return weft__has_rank(q, 0, 4, 4) && weft__has_rank(q, 1, 4, 4) &&
           (q->n_in < 3 || !q->in[2] || weft__has_rank(q, 2, 1, 1));
}

static bool window_too_large(weft__infer *q)
{
    const weft__conv_attrs *a = &q->attrs->conv;
    return weft__refuse(
        q, WEFT_E_SHAPE,
        "the window of %s does not fit into %s with padding [%lld, %lld] and dilation [%lld, %lld]; use "
        "more padding; both need at least one row and column, and at most 2^30",
        weft__operand_text(q, 1).s, weft__operand_text(q, 0).s, (long long)a->padding[0], (long long)a->padding[1],
        (long long)a->dilation[0], (long long)a->dilation[1]);
}

static bool infer_conv2d(weft__infer *q)
{
    const weft__conv_attrs *a = &q->attrs->conv;
    if (!ranks_fit(q))
        return false;
    const int64_t *x = q->in[0]->shape, *w = q->in[1]->shape;
    if (x[1] % a->groups || w[0] % a->groups || w[1] != x[1] / a->groups || (q->in[2] && q->in[2]->shape[0] != w[0]))
        return weft__refuse(
            q, WEFT_E_SHAPE,
            "channels do not fit: x %s, w %s, b %s, groups %lld; both channel counts must be multiples of groups, w "
            "holds the channels of one group, b one value for each output channel",
            weft__operand_text(q, 0).s, weft__operand_text(q, 1).s, weft__operand_text(q, 2).s, (long long)a->groups);
    weft__set_result(q, 0, q->dtype[0],
                     (const int64_t[]){x[0], w[0], conv_size(a, 0, x[2], w[2]), conv_size(a, 1, x[3], w[3])}, 4);
    return (q->out[0].shape[2] > 0 && q->out[0].shape[3] > 0) || window_too_large(q);
}

static bool infer_transpose(weft__infer *q)
{
    const weft__conv_attrs *a = &q->attrs->conv;
    int64_t channels;
    if (!ranks_fit(q))
        return false;
    const int64_t *x = q->in[0]->shape, *w = q->in[1]->shape;
    if (__builtin_mul_overflow(w[1], a->groups, &channels) || x[1] != w[0] || x[1] % a->groups ||
        (q->in[2] && q->in[2]->shape[0] != channels))
        return weft__refuse(q, WEFT_E_SHAPE,
                            "channels do not fit: x %s, w %s, b %s, groups %lld; w must be [C, K/groups, R, S] for x "
                            "[N, C, H, W] and b [K]",
                            weft__operand_text(q, 0).s, weft__operand_text(q, 1).s, weft__operand_text(q, 2).s,
                            (long long)a->groups);
    for (int d = 0; d < 2; d++)
        if (a->output_padding[d] >= a->stride[d] && a->output_padding[d] > 0)
            return weft__refuse(
                q, WEFT_E_INVALID, "output_padding %lld must be less than the stride %lld (index %d); x is %s",
                (long long)a->output_padding[d], (long long)a->stride[d], d, weft__operand_text(q, 0).s);
    weft__set_result(
        q, 0, q->dtype[0],
        (const int64_t[]){x[0], channels, transposed_size(a, 0, x[2], w[2]), transposed_size(a, 1, x[3], w[3])}, 4);
    return (q->out[0].shape[2] > 0 && q->out[0].shape[3] > 0) || window_too_large(q);
}

static bool infer_weight(weft__infer *q)
{
    const weft__conv_attrs *a = &q->attrs->conv;
    if (!ranks_fit(q))
        return false;
    const int64_t *x = q->in[0]->shape, *g = q->in[1]->shape;
    if (x[0] != g[0] || x[1] % a->groups || g[1] % a->groups || g[2] < 1 || g[3] < 1 ||
        conv_size(a, 0, x[2], a->filter[0]) != g[2] || conv_size(a, 1, x[3], a->filter[1]) != g[3])
        return weft__refuse(q, WEFT_E_SHAPE,
                            "g %s is not the shape of a convolution of x %s with kernel [%lld, %lld] and %lld groups",
                            weft__operand_text(q, 1).s, weft__operand_text(q, 0).s, (long long)a->filter[0],
                            (long long)a->filter[1], (long long)a->groups);
    weft__set_result(q, 0, q->dtype[0], (const int64_t[]){g[1], x[1] / a->groups, a->filter[0], a->filter[1]}, 4);
    return true;
}

/* i: stride, padding, dilation, output padding (two each), groups */
static weft_conv2d_params params_of(const int64_t *i)
{
    return (weft_conv2d_params){.struct_size = sizeof(weft_conv2d_params),
                                .stride = {i[0], i[1]},
                                .padding = {i[2], i[3]},
                                .dilation = {i[4], i[5]},
                                .output_padding = {i[6], i[7]},
                                .groups = i[8]};
}

/* The defaults, which NULL asks for. */
static bool is_plain(const int64_t *i)
{
    return i[0] == 1 && i[1] == 1 && !i[2] && !i[3] && i[4] == 1 && i[5] == 1 && !i[6] && !i[7] && i[8] == 1;
}

CALL(conv2d)
{
    weft_conv2d_params params = params_of(c->i);
    c->out[0] = weft_conv2d(c->in[0], c->in[1], c->in[2], is_plain(c->i) ? NULL : &params);
}

CALL(conv2d_transpose)
{
    weft_conv2d_params params = params_of(c->i);
    c->out[0] = weft_conv2d_transpose(c->in[0], c->in[1], c->in[2], is_plain(c->i) ? NULL : &params);
}

/* x, g; i: kernel (two), then as above */
CALL(conv2d_weight)
{
    weft_conv2d_params params = params_of(c->i + 2);
    c->out[0] = weft_conv2d_weight(c->in[0], c->in[1], c->i, is_plain(c->i + 2) ? NULL : &params);
}

WEFT__DEFINE(CONV2D, conv2d, OPERANDS(FLOATS, FLOATS, FLOATS | OR_NULL), ATTRS(conv), INFER(infer_conv2d, JOIN),
             RESULTS(1, SUMMED), EFFECT(PURE),
             DERIVATIVE(weft__vjp_conv2d, ROUNDS_ONCE, READS(FIRST | SECOND), NO_KERNEL,
                        GRADIENT("of x: conv2d_transpose(g, w); of w: conv2d_weight(x, g); of b: the sum of g over N, "
                                 "H', W'")),
             WORK(by_filter, result_by_filter, weft__bytes_once),
             SAMPLE(call_conv2d, RECIPE("xabcd xbb33 xb", "1 1 1 1 1 1 0 0 1"),
                    RECIPE("x2497 x6233 x6", "2 1 1 1 1 1 0 0 2"), RECIPE("xabcd x3b11 -", "1 1 0 0 1 1 0 0 1")))
WEFT__DEFINE(CONV2D_TRANSPOSE, conv2d_transpose, OPERANDS(FLOATS, FLOATS, FLOATS | OR_NULL), ATTRS(conv),
             INFER(infer_transpose, JOIN), RESULTS(1, SUMMED), EFFECT(PURE),
             DERIVATIVE(weft__vjp_conv2d_transpose, ROUNDS_ONCE, READS(FIRST | SECOND), NO_KERNEL,
                        GRADIENT("of x: conv2d(g, w); of w: conv2d_weight(g, x); of b: the sum of g over N, H', W'")),
             WORK(by_channel, operand_by_filter, weft__bytes_once),
             SAMPLE(call_conv2d_transpose, RECIPE("xabcd xbb33 xb", "1 1 1 1 1 1 0 0 1"),
                    RECIPE("x2457 x4333 x6", "2 1 1 1 1 1 0 0 2")))
WEFT__DEFINE(CONV2D_WEIGHT, conv2d_weight, OPERANDS(FLOATS, FLOATS), ATTRS(conv), INFER(infer_weight, JOIN),
             RESULTS(1, SUMMED), EFFECT(PURE),
             DERIVATIVE(weft__vjp_conv2d_weight, ROUNDS_ONCE, READS(FIRST | SECOND), NO_KERNEL,
                        GRADIENT("with u the gradient that arrives: of x: conv2d_transpose(g, u); of g: conv2d(x, u)")),
             WORK(by_channel, gradient_by_filter, weft__bytes_once),
             SAMPLE(call_conv2d_weight, RECIPE("xabcd xabcd", "3 3 1 1 1 1 1 1 0 0 1"),
                    RECIPE("x2497 x2657", "3 3 2 1 1 1 1 1 0 0 2")))

/* ---- Front ends ---- */

bool weft__conv_fields_fit(weft_ctx *ctx, int op, const weft__conv_fields *f, const weft_tensor *x)
{
    enum { MOST = INT32_MAX - 1 };
    for (int d = 0; d < f->dims; d++)
        if (!weft__field_fits(ctx, op, "stride", d, f->stride[d], 1, MOST, x) ||
            !weft__field_fits(ctx, op, "padding", d, f->padding[d], 0, MOST, x) ||
            !weft__field_fits(ctx, op, "dilation", d, f->dilation[d], 1, MOST, x) ||
            !weft__field_fits(ctx, op, "output_padding", d, f->output_padding[d], 0, MOST, x))
            return false;
    if (f->groups >= 1)
        return true;
    weft__fail(ctx, op, WEFT_E_INVALID, "groups is %lld, but must be at least 1; the first operand is %s",
               (long long)f->groups, weft__describe(x).s);
    return false;
}

static bool pack_params(weft_ctx *ctx, int op, const weft_conv2d_params *params, const weft_tensor *x,
                        weft__attrs *attrs)
{
    static const weft_conv2d_params defaults = WEFT_CONV2D_DEFAULTS;
    weft_conv2d_params known, *p = &known;
    if (weft_struct_in(ctx, weft__ops[op].name, "weft_conv2d_params", &defaults, params, p) != WEFT_OK ||
        !weft__conv_fields_fit(
            ctx, op, &(weft__conv_fields){p->stride, p->padding, p->dilation, p->output_padding, 2, p->groups}, x))
        return false;
    weft__conv_attrs *a = &attrs->conv;
    for (int d = 0; d < 2; d++) {
        a->stride[d] = p->stride[d];
        a->padding[d] = p->padding[d];
        a->dilation[d] = p->dilation[d];
        a->output_padding[d] = p->output_padding[d];
        a->filter[d] = 0;
    }
    a->groups = p->groups;
    return true;
}

static weft_tensor *conv(int op, weft_tensor *x, weft_tensor *w, weft_tensor *b, const weft_conv2d_params *params)
{
    weft_tensor *in[3] = {x, w, b}, *out[1], *y = NULL;
    weft__attrs attrs;
    weft_ctx *ctx = weft__begin(op, in, 3);
    if (!ctx)
        return NULL;
    if (pack_params(ctx, op, params, in[0], &attrs) && weft__complete(ctx, op, in, 3, &attrs, out))
        y = out[0];
    return weft__leave_with(ctx, y);
}

weft_tensor *weft_conv2d(weft_tensor *x, weft_tensor *w, weft_tensor *b, const weft_conv2d_params *params)
{
    return conv(WEFT_OP_CONV2D, x, w, b, params);
}

weft_tensor *weft_conv2d_transpose(weft_tensor *x, weft_tensor *w, weft_tensor *b, const weft_conv2d_params *params)
{
    return conv(WEFT_OP_CONV2D_TRANSPOSE, x, w, b, params);
}

weft_tensor *weft_conv2d_weight(weft_tensor *x, weft_tensor *g, const int64_t *kernel, const weft_conv2d_params *params)
{
    enum { OP = WEFT_OP_CONV2D_WEIGHT };
    weft_tensor *in[2] = {x, g}, *out[1], *y = NULL;
    weft__attrs attrs;
    weft_ctx *ctx = weft__begin(OP, in, 2);
    if (!ctx)
        return NULL;
    if (!kernel || kernel[0] < 1 || kernel[1] < 1) {
        weft__fail(ctx, OP, WEFT_E_INVALID, "kernel is %s, but must hold two sizes of at least 1 {R, S}; x is %s",
                   kernel ? weft__shape_text(kernel, 2).s : "NULL", weft__describe(in[0]).s);
    } else if (pack_params(ctx, OP, params, in[0], &attrs)) {
        attrs.conv.filter[0] = kernel[0];
        attrs.conv.filter[1] = kernel[1];
        y = weft__complete(ctx, OP, in, 2, &attrs, out) ? out[0] : NULL;
    }
    return weft__leave_with(ctx, y);
}

/* ---- Derivatives ---- */

static weft_conv2d_params conv_params(const weft__vjp *v)
{
    const weft__conv_attrs *a = &v->attrs->conv;
    return (weft_conv2d_params){.struct_size = sizeof(weft_conv2d_params),
                                .stride = {a->stride[0], a->stride[1]},
                                .padding = {a->padding[0], a->padding[1]},
                                .dilation = {a->dilation[0], a->dilation[1]},
                                .groups = a->groups};
}

/* The transpose of a convolution that saw an image of x's size: output_padding restores rows that the stride skipped.
 * */
static weft_tensor *back_to_image(const weft__vjp *v, weft_tensor *g, weft_tensor *w, const weft__array *x)
{
    weft_conv2d_params p = conv_params(v);
    for (int d = 0; d < 2; d++)
        p.output_padding[d] = x->shape[2 + d] - ((g->a.shape[2 + d] - 1) * p.stride[d] - 2 * p.padding[d] +
                                                 p.dilation[d] * (w->a.shape[2 + d] - 1) + 1);
    return weft_conv2d_transpose(g, w, NULL, &p);
}

void weft__vjp_conv2d(weft__vjp *v)
{
    weft_conv2d_params p = conv_params(v);
    weft_tensor *x = v->in[0], *w = v->in[1];
    if (weft__wants(v, 0))
        v->out[0] = back_to_image(v, v->g, w, &x->a);
    if (weft__wants(v, 1))
        v->out[1] = weft_conv2d_weight(x, v->g, w->a.shape + 2, &p);
    if (weft__wants(v, 2))
        v->out[2] = weft_sum(v->g, WEFT_DIMS(0, 2, 3), false);
}

void weft__vjp_conv2d_transpose(weft__vjp *v)
{
    weft_conv2d_params p = conv_params(v);
    weft_tensor *x = v->in[0], *w = v->in[1];
    if (weft__wants(v, 0))
        v->out[0] = weft_conv2d(v->g, w, NULL, &p);
    if (weft__wants(v, 1))
        v->out[1] = weft_conv2d_weight(v->g, x, w->a.shape + 2, &p);
    if (weft__wants(v, 2))
        v->out[2] = weft_sum(v->g, WEFT_DIMS(0, 2, 3), false);
}

void weft__vjp_conv2d_weight(weft__vjp *v)
{
    weft_conv2d_params p = conv_params(v);
    weft_tensor *x = v->in[0], *g = v->in[1];
    if (weft__wants(v, 0))
        v->out[0] = back_to_image(v, g, v->g, &x->a);
    if (weft__wants(v, 1))
        v->out[1] = weft_conv2d(x, v->g, NULL, &p);
}
