/* conv_made.c - convolutions of lines: those of pictures that are one pixel high. */
#include "made.h"

/* Of a picture's parameters those of its width. */
static weft_conv2d_params line_of(int64_t stride, int64_t padding, int64_t dilation, int64_t output_padding,
                                  int64_t groups)
{
    weft_conv2d_params line = WEFT_CONV2D_DEFAULTS;
    line.stride[1] = stride;
    line.padding[1] = padding;
    line.dilation[1] = dilation;
    line.output_padding[1] = output_padding;
    line.groups = groups;
    return line;
}

/* i: stride, padding, dilation, groups */
CALL(conv1d)
{
    c->out[0] = weft_conv1d(c->in[0], c->in[1], c->in[2], c->i[0], c->i[1], c->i[2], c->i[3]);
}

/* i: stride, padding, output padding, dilation, groups */
CALL(conv1d_transpose)
{
    c->out[0] = weft_conv1d_transpose(c->in[0], c->in[1], c->in[2], c->i[0], c->i[1], c->i[2], c->i[3], c->i[4]);
}

/* Two operations for each tap of each channel that a result reads. */
static double flops_conv1d(const weft__work *w)
{
    const weft__array *taps = w->in[1];
    return taps && taps->ndim == 3 && w->out[0] ? 2 * weft__count(w->out[0]) * (double)(taps->shape[1] * taps->shape[2])
                                                : 0;
}

static double flops_conv1d_transpose(const weft__work *w)
{
    const weft__array *taps = w->in[1];
    return taps && taps->ndim == 3 && w->in[0] ? 2 * weft__count(w->in[0]) * (double)(taps->shape[1] * taps->shape[2])
                                               : 0;
}

WEFT__DEFINE_COMPOSITE(CONV1D, conv1d, PARTS(FLOATS, PART(CONV2D, AS_ALONE)), GRADIENT("as of conv2d"),
                       WORK(weft__terms_channels, flops_conv1d, weft__bytes_once),
                       SAMPLE(call_conv1d, RECIPE("x2a9 xba3 xb", "2 1 1 1"), RECIPE("x24a x623 -", "1 0 1 2")))
WEFT__DEFINE_COMPOSITE(CONV1D_TRANSPOSE, conv1d_transpose, PARTS(FLOATS, PART(CONV2D_TRANSPOSE, AS_ALONE)),
                       GRADIENT("as of conv2d_transpose"),
                       WORK(weft__terms_channels, flops_conv1d_transpose, weft__bytes_once),
                       SAMPLE(call_conv1d_transpose, RECIPE("x2a9 xab3 xb", "2 1 1 1 1"),
                              RECIPE("x24a x433 -", "1 0 0 1 2")))

/* [N, C, L] as [N, C, 1, L]; other ranks are refused. */
static bool lines(weft_ctx *ctx, int op, weft_tensor **in)
{
    static const char *const names[] = {"x", "w"};
    for (int k = 0; k < 2; k++) {
        if (!weft__need_float(ctx, op, names[k], in[k]) || !weft__need_rank(ctx, op, names[k], in[k], 3, 3))
            return false;
        in[k] = weft_unsqueeze(in[k], 2);
    }
    return in[0] && in[1];
}

static weft_tensor *convolved(int op, weft_tensor *x, weft_tensor *w, weft_tensor *b, const weft_conv2d_params *line)
{
    weft_tensor *in[] = {x, w, b};
    weft_ctx *ctx = weft__enter(op, in, 3, 4);
    if (!ctx)
        return NULL;
    if (!weft__localise(ctx, in, 3) || !lines(ctx, op, in))
        return weft__leave_with(ctx, NULL);
    weft_tensor *y = op == WEFT_OP_CONV1D ? weft_conv2d(in[0], in[1], in[2], line)
                                          : weft_conv2d_transpose(in[0], in[1], in[2], line);
    return weft__leave_with(ctx, weft_squeeze(y, WEFT_DIMS(2)));
}

weft_tensor *weft_conv1d(weft_tensor *x, weft_tensor *w, weft_tensor *b, int64_t stride, int64_t padding,
                         int64_t dilation, int64_t groups)
{
    const weft_conv2d_params line = line_of(stride, padding, dilation, 0, groups);
    return convolved(WEFT_OP_CONV1D, x, w, b, &line);
}

weft_tensor *weft_conv1d_transpose(weft_tensor *x, weft_tensor *w, weft_tensor *b, int64_t stride, int64_t padding,
                                   int64_t output_padding, int64_t dilation, int64_t groups)
{
    const weft_conv2d_params line = line_of(stride, padding, dilation, output_padding, groups);
    return convolved(WEFT_OP_CONV1D_TRANSPOSE, x, w, b, &line);
}
