/* conv_3d_made.c - convolutions of volumes: those of their planes. The taps along the depth are channels of a plane, so
 * that one convolution of planes adds up all of them. */
#include "conv.h"
#include "made.h"

/* i: stride, padding, dilation, output padding (three each), groups */
static weft_conv3d_params params_of(const int64_t *i)
{
    return (weft_conv3d_params){.struct_size = sizeof(weft_conv3d_params),
                                .stride = {i[0], i[1], i[2]},
                                .padding = {i[3], i[4], i[5]},
                                .dilation = {i[6], i[7], i[8]},
                                .output_padding = {i[9], i[10], i[11]},
                                .groups = i[12]};
}

CALL(conv3d)
{
    weft_conv3d_params params = params_of(c->i);
    c->out[0] = weft_conv3d(c->in[0], c->in[1], c->in[2], &params);
}

CALL(conv3d_transpose)
{
    weft_conv3d_params params = params_of(c->i);
    c->out[0] = weft_conv3d_transpose(c->in[0], c->in[1], c->in[2], &params);
}

/* Two operations for each tap of each channel that a result reads, or that an operand adds to. */
static double flops_of(const weft__work *w, const weft__array *each)
{
    const weft__array *taps = w->in[1];
    double n = 2 * weft__count(each);
    for (int d = 1; taps && d < taps->ndim; d++)
        n *= (double)taps->shape[d];
    return taps ? n : 0;
}

static double flops_conv3d(const weft__work *w)
{
    return flops_of(w, w->out[0]);
}

static double flops_conv3d_transpose(const weft__work *w)
{
    return flops_of(w, w->in[0]);
}

WEFT__DEFINE_COMPOSITE(CONV3D, conv3d,
                       PARTS(FLOATS, PART(PAD, AS_ALONE), PART(CONCAT, AS_ALONE), PART(CONV2D, AS_ALONE)),
                       GRADIENT("as of conv2d"), WORK(weft__terms_channels, flops_conv3d, weft__bytes_once),
                       SAMPLE(call_conv3d, RECIPE("x2a354 xba233 xb", "1 1 1 1 1 1 1 1 1 0 0 0 1"),
                              RECIPE("x14365 x62222 -", "2 1 2 0 1 0 1 2 1 0 0 0 2")))
WEFT__DEFINE_COMPOSITE(CONV3D_TRANSPOSE, conv3d_transpose,
                       PARTS(FLOATS, PART(CONV2D_TRANSPOSE, WIDE), PART(INDEX_ADD, WIDE), PART(ADD, WIDE)),
                       GRADIENT("as of conv2d_transpose"),
                       WORK(weft__terms_channels, flops_conv3d_transpose, weft__bytes_once),
                       SAMPLE(call_conv3d_transpose, RECIPE("x2a234 xab233 xb", "2 1 1 1 1 0 1 1 1 1 0 0 1"),
                              RECIPE("x14233 x43222 -", "1 2 2 0 1 0 2 1 1 0 1 1 2")))

/* ---- What both check ---- */

static bool params_fit(weft_ctx *ctx, int op, const weft_conv3d_params *params, const weft_tensor *x,
                       weft_conv3d_params *p)
{
    static const weft_conv3d_params defaults = WEFT_CONV3D_DEFAULTS;
    if (weft_struct_in(ctx, weft__ops[op].name, "weft_conv3d_params", &defaults, params, p) != WEFT_OK ||
        !weft__conv_fields_fit(
            ctx, op, &(weft__conv_fields){p->stride, p->padding, p->dilation, p->output_padding, 3, p->groups}, x))
        return false;
    for (int d = 0; d < 3; d++) {
        const int64_t below = p->stride[d] > p->dilation[d] ? p->stride[d] : p->dilation[d];
        if (op == WEFT_OP_CONV3D_TRANSPOSE && p->output_padding[d] >= below)
            return weft__fail(ctx, op, WEFT_E_INVALID,
                              "output_padding[%d] is %lld, but must be less than the stride or the dilation, %lld", d,
                              (long long)p->output_padding[d], (long long)below),
                   false;
    }
    return true;
}

/* x [N, C, D, H, W] and w, whose dim `channels` says how many channels of x a group has: dim 1, or all in dim 0 of a
 * transposed layer. outputs: the channels of the result. */
static bool shapes_fit(weft_ctx *ctx, int op, weft_tensor *const *in, int64_t groups, int64_t *outputs)
{
    for (int k = 0; k < 2; k++)
        if (!weft__need_rank(ctx, op, k ? "w" : "x", in[k], 5, 5))
            return false;
    const int64_t *x = in[0]->a.shape, *w = in[1]->a.shape;
    const bool transposed = op == WEFT_OP_CONV3D_TRANSPOSE;
    const bool match = transposed ? w[0] == x[1] : w[0] % groups == 0 && w[1] * groups == x[1];
    *outputs = transposed ? w[1] * groups : w[0];
    bool empty = false;
    for (int d = 2; d < 5; d++)
        empty |= x[d] < 1 || w[d] < 1;
    if (!match || x[1] % groups != 0 || empty)
        return weft__fail(
                   ctx, op, WEFT_E_SHAPE,
                   "x %s and w %s do not fit with %lld groups: x is [N, C, D, H, W], w %s, groups divide C and K, "
                   "and no size of a volume or kernel is 0",
                   weft__describe(in[0]).s, weft__describe(in[1]).s, (long long)groups,
                   transposed ? "[C, K/groups, T, R, S]" : "[K, C/groups, T, R, S]"),
               false;
    if (in[2] && (in[2]->a.ndim != 1 || in[2]->a.count != *outputs))
        return weft__fail(ctx, op, WEFT_E_SHAPE, "b %s must be [%lld], one number for each channel of the result",
                          weft__describe(in[2]).s, (long long)*outputs),
               false;
    return true;
}

/* Height and width's part of the parameters. */
static weft_conv2d_params plane_of(const weft_conv3d_params *p)
{
    weft_conv2d_params plane = WEFT_CONV2D_DEFAULTS;
    for (int d = 0; d < 2; d++) {
        plane.stride[d] = p->stride[d + 1];
        plane.padding[d] = p->padding[d + 1];
        plane.dilation[d] = p->dilation[d + 1];
        plane.output_padding[d] = p->output_padding[d + 1];
    }
    plane.groups = p->groups;
    return plane;
}

/* n planes of each of N volumes, [N n, K, H, W], as [N, K, n, H, W]. */
static weft_tensor *as_volumes(weft_tensor *planes, int64_t volumes, int64_t n)
{
    if (!planes)
        return NULL;
    const int64_t *s = planes->a.shape;
    weft_tensor *y = weft_reshape(planes, WEFT_DIMS(volumes, n, s[1], s[2], s[3]));
    return weft_contiguous(weft_permute(y, WEFT_DIMS(0, 2, 1, 3, 4)));
}

/* ---- Forward ---- */

/* x [N, C, D, H, W] as planes [N D', C T, H, W], of fewer than 2^31 taps: tap t of channel c is channel c T + t. */
static weft_tensor *unfolded(weft_ctx *ctx, weft_tensor *x, const weft_conv3d_params *p, int64_t taps, int64_t depth)
{
    const int64_t *s = x->a.shape, span = (depth - 1) * p->stride[0] + 1;
    weft_tensor **parts = weft__host_array(ctx, taps + 1, sizeof *parts);
    if (!parts)
        return weft__fail(ctx, WEFT_OP_CONV3D, WEFT_E_NOMEM, "out of memory for %lld taps", (long long)taps), NULL;
    weft_tensor *wide = x;
    if (p->padding[0] > 0) {
        const int64_t around[5] = {0, 0, p->padding[0], 0, 0};
        wide = weft_pad(x, around, around, 5, 0);
    }
    wide = weft_permute(wide, WEFT_DIMS(0, 2, 1, 3, 4));
    for (int64_t t = 0; t < taps; t++) {
        const int64_t from = t * p->dilation[0];
        parts[t] = weft_unsqueeze(weft_slice(wide, 1, from, from + span, p->stride[0]), 3);
    }
    weft_tensor *y = weft_concat(parts, (int)taps, 3);
    weft__host_free(ctx, parts, sizeof *parts * (size_t)(taps + 1));
    return weft_reshape(y, WEFT_DIMS(s[0] * depth, s[1] * taps, s[3], s[4]));
}

weft_tensor *weft_conv3d(weft_tensor *x, weft_tensor *w, weft_tensor *b, const weft_conv3d_params *params)
{
    enum { OP = WEFT_OP_CONV3D };
    weft_tensor *in[] = {x, w, b};
    weft_ctx *ctx = weft__enter(OP, in, 3, 4);
    if (!ctx)
        return NULL;
    weft_conv3d_params p;
    int64_t outputs;
    if (!weft__localise(ctx, in, 3) || !weft__need_float(ctx, OP, "x", in[0]) ||
        !weft__need_float(ctx, OP, "w", in[1]) || !params_fit(ctx, OP, params, in[0], &p) ||
        !shapes_fit(ctx, OP, in, p.groups, &outputs))
        return weft__leave_with(ctx, NULL);
    const int64_t *s = in[0]->a.shape, *k = in[1]->a.shape;
    int64_t sizes[3];
    for (int d = 0; d < 3; d++) {
        const int64_t room = s[2 + d] / 2 < INT64_MAX / 8 && k[2 + d] < INT32_MAX
                                 ? s[2 + d] + 2 * p.padding[d] - p.dilation[d] * (k[2 + d] - 1) - 1
                                 : -1;
        if (room < 0)
            REFUSE(CONV3D, WEFT_E_SHAPE, "the kernel of w %s does not fit into dim %d of x %s; use more padding",
                   weft__describe(in[1]).s, 2 + d, weft__describe(in[0]).s);
        sizes[d] = room / p.stride[d] + 1;
    }
    const weft_conv2d_params plane = plane_of(&p);
    weft_tensor *planes = unfolded(ctx, in[0], &p, k[2], sizes[0]);
    weft_tensor *taps = weft_reshape(in[1], WEFT_DIMS(k[0], k[1] * k[2], k[3], k[4]));
    return weft__leave_with(ctx, as_volumes(weft_conv2d(planes, taps, in[2], &plane), s[0], sizes[0]));
}

/* ---- Transposed ---- */

/* Of planes [N, K, D T, H, W], tap t of plane d is added to plane d stride + t dilation of `depth` planes. */
static weft_tensor *folded(weft_ctx *ctx, weft_tensor *planes, const weft_conv3d_params *p, int64_t taps, int64_t depth)
{
    const int64_t *s = planes->a.shape, count = s[2];
    int64_t *places = weft__host_array(ctx, count + 1, sizeof *places);
    if (!places)
        return weft__fail(ctx, WEFT_OP_CONV3D_TRANSPOSE, WEFT_E_NOMEM, "out of memory for %lld places",
                          (long long)count),
               NULL;
    for (int64_t k = 0; k < count; k++)
        places[k] = k / taps * p->stride[0] + k % taps * p->dilation[0];
    weft_tensor *index = weft_from_data(ctx, WEFT_I64, &count, 1, places);
    weft__host_free(ctx, places, sizeof *places * (size_t)(count + 1));
    weft_tensor *none = weft_zeros(ctx, (weft_dtype)planes->a.dtype, WEFT_DIMS(s[0], s[1], depth, s[3], s[4]));
    return weft_index_add(none, index, planes, 2);
}

weft_tensor *weft_conv3d_transpose(weft_tensor *x, weft_tensor *w, weft_tensor *b, const weft_conv3d_params *params)
{
    enum { OP = WEFT_OP_CONV3D_TRANSPOSE };
    static const char *const names[] = {"x", "w", "b"};
    weft_tensor *in[] = {x, w, b};
    weft_ctx *ctx = weft__enter(OP, in, 3, 4);
    if (!ctx)
        return NULL;
    weft_conv3d_params p;
    weft_dtype dtype;
    int64_t outputs;
    if (!weft__localise(ctx, in, 3) || !weft__join_floats(ctx, OP, in, names, 3, &dtype) ||
        !params_fit(ctx, OP, params, in[0], &p) || !shapes_fit(ctx, OP, in, p.groups, &outputs))
        return weft__leave_with(ctx, NULL);
    const int64_t *s = in[0]->a.shape, *k = in[1]->a.shape;
    int64_t sizes[3];
    for (int d = 0; d < 3; d++) {
        const bool countable = s[2 + d] < INT32_MAX && k[2 + d] < INT32_MAX;
        sizes[d] = !countable ? 0
                              : (s[2 + d] - 1) * p.stride[d] - 2 * p.padding[d] + p.dilation[d] * (k[2 + d] - 1) + 1 +
                                    p.output_padding[d];
        if (sizes[d] < 1)
            REFUSE(CONV3D_TRANSPOSE, WEFT_E_SHAPE, "dim %d of the result of x %s and w %s would have %lld elements",
                   2 + d, weft__describe(in[0]).s, weft__describe(in[1]).s, (long long)sizes[d]);
    }
    const weft_conv2d_params plane = plane_of(&p);
    weft_tensor *planes = weft_permute(in[0], WEFT_DIMS(0, 2, 1, 3, 4));
    planes = weft_reshape(planes, WEFT_DIMS(s[0] * s[2], s[1], s[3], s[4]));
    weft_tensor *taps = weft_reshape(in[1], WEFT_DIMS(k[0], k[1] * k[2], k[3], k[4]));
    planes = weft_conv2d_transpose(planes, taps, NULL, &plane); /* [N D, K T, H', W'] */
    planes = weft_reshape(planes, WEFT_DIMS(s[0], s[2], outputs, k[2], sizes[1], sizes[2]));
    planes = weft_reshape(weft_permute(planes, WEFT_DIMS(0, 2, 1, 3, 4, 5)),
                          WEFT_DIMS(s[0], outputs, s[2] * k[2], sizes[1], sizes[2]));
    if (!planes)
        return weft__leave_with(ctx, NULL);
    const int64_t reach = (s[2] - 1) * p.stride[0] + p.dilation[0] * (k[2] - 1) + 1, end = p.padding[0] + sizes[0];
    weft_tensor *y = folded(ctx, planes, &p, k[2], end > reach ? end : reach);
    y = weft_contiguous(weft_slice(y, 2, p.padding[0], end, 1));
    if (in[2])
        y = weft_add(y, weft_reshape(in[2], WEFT_DIMS(outputs, 1, 1, 1)));
    return weft__leave_with(ctx, weft__narrowed(y, dtype));
}
