/* net.c - see net.h. */
#include "net.h"

#include <math.h>

void *net_layers(net *n, size_t bytes)
{
    n->layers = weft_ctx_alloc(n->ctx, bytes);
    n->layers_size = bytes;
    for (size_t k = 0; n->layers && k < bytes; k++)
        ((char *)n->layers)[k] = 0;
    return n->layers;
}

static weft_tensor *remember(net *n, weft_tensor **list, int *count, weft_tensor *t)
{
    if (*count == NET_MOST_TENSORS) {
        weft_ctx_fail(n->ctx, WEFT_E_INVALID, "a model has more than %d tensors", NET_MOST_TENSORS);
        return NULL;
    }
    if (t)
        list[(*count)++] = t;
    return t;
}

weft_tensor *net_param(net *n, const int64_t *shape, int ndim, double mean, double std)
{
    weft_tensor *t = weft_param(weft_zeros(n->ctx, n->dtype, shape, ndim), NULL);
    return remember(n, n->params, &n->n_params, weft_init_normal_(t, mean, std));
}

weft_tensor *net_keep(net *n, weft_tensor *t)
{
    return remember(n, n->kept, &n->n_kept, weft_keep(t));
}

/* ---- Layers ----
 * Names in brackets are no macros: the place in the model that net.h's macros note is the operation's. */

dense net_dense(net *n, int64_t rows, int64_t in, int64_t out)
{
    n->flops += 2 * (double)rows * (double)in * (double)out;
    const dense d = {.w = net_param(n, WEFT_DIMS(out, in), 0, 0), .b = net_param(n, WEFT_DIMS(out), 0, 0)};
    weft_init_kaiming_normal_(d.w, WEFT_FAN_IN, 1);
    return d;
}

weft_tensor *(net_run_dense)(const dense *d, weft_tensor *x)
{
    return (weft_linear)(x, d->w, d->b);
}

weft_tensor *(net_run_dense_act)(const dense *d, weft_tensor *x, weft_activation act)
{
    return (weft_linear_act)(x, d->w, d->b, act);
}

conv net_conv(net *n, int64_t in, int64_t out, int64_t edge, int64_t stride, int64_t padding, bool bias,
              int64_t out_edge)
{
    const double taps = (double)(in * edge * edge);
    n->flops += 2 * taps * (double)(n->batch * out) * (double)(out_edge * out_edge);
    const conv c = {.w = net_param(n, WEFT_DIMS(out, in, edge, edge), 0, 0),
                    .b = bias ? net_param(n, WEFT_DIMS(out), 0, 0) : NULL,
                    .how = {sizeof c.how, {stride, stride}, {padding, padding}, {1, 1}, {0, 0}, 1}};
    weft_init_kaiming_normal_(c.w, WEFT_FAN_IN, sqrt(2));
    return c;
}

weft_tensor *(net_run_conv)(const conv *c, weft_tensor *x)
{
    return (weft_conv2d)(x, c->w, c->b, &c->how);
}

norm net_batch_norm(net *n, int64_t channels)
{
    return (norm){.w = net_param(n, WEFT_DIMS(channels), 1, 0),
                  .b = net_param(n, WEFT_DIMS(channels), 0, 0),
                  .mean = net_keep(n, weft_zeros(n->ctx, n->dtype, WEFT_DIMS(channels))),
                  .var = net_keep(n, weft_ones(n->ctx, n->dtype, WEFT_DIMS(channels)))};
}

weft_tensor *(net_run_batch_norm)(const norm *b, weft_tensor *x)
{
    weft_batch_norm_params params = WEFT_BATCH_NORM_DEFAULTS;
    params.training = true;
    return (weft_batch_norm)(x, b->w, b->b, b->mean, b->var, &params);
}

norm net_layer_norm(net *n, int64_t width)
{
    return (norm){.w = net_param(n, WEFT_DIMS(width), 1, 0), .b = net_param(n, WEFT_DIMS(width), 0, 0)};
}

weft_tensor *(net_run_layer_norm)(const norm *l, weft_tensor *x)
{
    return (weft_layer_norm)(x, l->w, l->b, 1e-5);
}

/* ---- Data and end ---- */

void net_data(net *n, const int64_t *shape, int ndim, int64_t n_classes)
{
    n->x = net_keep(n, weft_randn(n->ctx, n->dtype, shape, ndim, 0, 1));
    n->y = net_keep(n, weft_randint(n->ctx, WEFT_I64, WEFT_DIMS(n->batch), 0, n_classes));
}

void net_close(net *n)
{
    for (int k = 0; k < n->n_params; k++)
        weft_release(n->params[k]);
    for (int k = 0; k < n->n_kept; k++)
        weft_release(n->kept[k]);
    weft_ctx_free(n->ctx, n->layers, n->layers_size);
}
