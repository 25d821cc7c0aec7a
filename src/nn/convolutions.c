/* convolutions.c - convolution layers and their transposes, in one to three dims. See weft/nn.h. */
#define WEFT_NO_CALL_SITES
#include "tree.h"

#include <string.h>

static weft_tensor *run2(const weft__conv_state *s, weft_tensor *x, weft_tensor *w, weft_tensor *b)
{
    weft_conv2d_params p = WEFT_CONV2D_DEFAULTS;
    for (int d = 0; d < 2; d++) {
        p.stride[d] = s->stride[d];
        p.padding[d] = s->padding[d];
        p.dilation[d] = s->dilation[d];
        p.output_padding[d] = s->output_padding[d];
    }
    p.groups = s->groups;
    return s->transposed ? weft_conv2d_transpose(x, w, b, &p) : weft_conv2d(x, w, b, &p);
}

static weft_tensor *run3(const weft__conv_state *s, weft_tensor *x, weft_tensor *w, weft_tensor *b)
{
    weft_conv3d_params p = WEFT_CONV3D_DEFAULTS;
    for (int d = 0; d < 3; d++) {
        p.stride[d] = s->stride[d];
        p.padding[d] = s->padding[d];
        p.dilation[d] = s->dilation[d];
        p.output_padding[d] = s->output_padding[d];
    }
    p.groups = s->groups;
    return s->transposed ? weft_conv3d_transpose(x, w, b, &p) : weft_conv3d(x, w, b, &p);
}

static weft_tensor *run(weft__member *m, weft_tensor *x, const weft_forward_options *options)
{
    (void)options;
    const weft__conv_state *s = &m->as.conv;
    weft_tensor *w = weft__own_tensor(m, "weight"), *b = weft__own_tensor(m, "bias");
    if (s->ndim == 3)
        return run3(s, x, w, b);
    if (s->ndim == 2)
        return run2(s, x, w, b);
    if (s->transposed)
        return weft_conv1d_transpose(x, w, b, s->stride[0], s->padding[0], s->output_padding[0], s->dilation[0],
                                     s->groups);
    return weft_conv1d(x, w, b, s->stride[0], s->padding[0], s->dilation[0], s->groups);
}

static const weft__layer layers[2][3] = {
    {{"conv1d", run}, {"conv2d", run}, {"conv3d", run}},
    {{"conv1d_transpose", run}, {"conv2d_transpose", run}, {"conv3d_transpose", run}}};

/* Whether what the options say can be at all; what fits no input is found by the operation. */
static bool is_possible(weft__member *m, const char *function, int64_t in, int64_t out, const int64_t *kernel)
{
    const weft__conv_state *s = &m->as.conv;
    bool fine = weft__at_least(m, function, "in", in, 1) && weft__at_least(m, function, "out", out, 1) &&
                weft__at_least(m, function, "groups", s->groups, 1);
    if (fine && (in % s->groups || out % s->groups)) {
        weft__layer_fail(m, function, WEFT_E_INVALID, "groups is %lld, which divides not both in, %lld, and out, %lld",
                         (long long)s->groups, (long long)in, (long long)out);
        fine = false;
    }
    for (int d = 0; d < s->ndim && fine; d++)
        fine = weft__at_least(m, function, "a size of the kernel", kernel[d], 1) &&
               weft__at_least(m, function, "a stride", s->stride[d], 1) &&
               weft__at_least(m, function, "a padding", s->padding[d], 0) &&
               weft__at_least(m, function, "a dilation", s->dilation[d], 1) &&
               weft__at_least(m, function, "an output_padding", s->output_padding[d], 0);
    return fine;
}

static weft_module *make(const char *function, weft_module *parent, const char *name, bool transposed, int64_t in,
                         int64_t out, const int64_t *kernel, int ndim, const weft_nn_conv_options *options)
{
    static const weft_nn_conv_options defaults = WEFT_NN_CONV_DEFAULTS;
    weft_nn_conv_options o;
    const bool is_ndim = ndim >= 1 && ndim <= 3 && kernel;
    weft__member *m = weft__layer_open(function, parent, name, &layers[transposed][is_ndim ? ndim - 1 : 1]);
    if (!m)
        return NULL;
    if (!is_ndim)
        weft__layer_fail(m, function, WEFT_E_INVALID, "the kernel has %d dims; it has 1 to 3, WEFT_DIMS(3, 3)", ndim);
    else if (weft_struct_in(m->ctx, function, "weft_nn_conv_options", &defaults, options, &o) == WEFT_OK) {
        weft__conv_state *s = &m->as.conv;
        *s = (weft__conv_state){.ndim = ndim, .transposed = transposed, .groups = o.groups};
        memcpy(s->stride, o.stride, sizeof s->stride);
        memcpy(s->padding, o.padding, sizeof s->padding);
        memcpy(s->dilation, o.dilation, sizeof s->dilation);
        memcpy(s->output_padding, o.output_padding, sizeof s->output_padding);
        if (is_possible(m, function, in, out, kernel)) {
            int64_t shape[5] = {transposed ? in : out, (transposed ? out : in) / o.groups};
            memcpy(shape + 2, kernel, sizeof(int64_t) * (size_t)ndim);
            weft_tensor *w = weft__new_parameter(m, "weight", shape, ndim + 2, 0),
                        *b = o.bias ? weft__new_parameter(m, "bias", WEFT_DIMS(out), 0) : NULL;
            weft_init_layer_(w, b);
        }
    }
    return weft__layer_done(m);
}

weft_module *weft_nn_conv(weft_module *parent, const char *name, int64_t in, int64_t out, const int64_t *kernel,
                          int ndim, const weft_nn_conv_options *options)
{
    return make("nn_conv", parent, name, false, in, out, kernel, ndim, options);
}

weft_module *weft_nn_conv_transpose(weft_module *parent, const char *name, int64_t in, int64_t out,
                                    const int64_t *kernel, int ndim, const weft_nn_conv_options *options)
{
    return make("nn_conv_transpose", parent, name, true, in, out, kernel, ndim, options);
}
