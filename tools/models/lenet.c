/* lenet.c - LeNet-5 on images of 32 x 32 (LeCun et al. 1998), with relu and max pooling. */
#include "net.h"

typedef struct lenet {
    conv first, second;
    dense third, fourth, last;
} lenet;

static void build(net *n)
{
    lenet *m = net_layers(n, sizeof *m);
    if (!m)
        return;
    m->first = net_conv(n, 1, 6, 5, 1, 0, true, 28);
    n->spared = n->flops;
    m->second = net_conv(n, 6, 16, 5, 1, 0, true, 10);
    m->third = net_dense(n, n->batch, 16 * 5 * 5, 120);
    m->fourth = net_dense(n, n->batch, 120, 84);
    m->last = net_dense(n, n->batch, 84, 10);
    net_data(n, WEFT_DIMS(n->batch, 1, 32, 32), 10);
}

static weft_tensor *loss(net *n)
{
    weft_pool2d_params half = WEFT_POOL2D_DEFAULTS;
    half.kernel[0] = half.kernel[1] = 2;
    const lenet *m = n->layers;
    weft_tensor *h = weft_max_pool2d(weft_relu(net_run_conv(&m->first, n->x)), &half); /* [batch, 6, 14, 14] */
    h = weft_max_pool2d(weft_relu(net_run_conv(&m->second, h)), &half);                /* [batch, 16, 5, 5] */
    h = net_run_dense_act(&m->third, weft_flatten(h, 1, -1), WEFT_ACTIVATION_RELU);    /* [batch, 120] */
    h = net_run_dense_act(&m->fourth, h, WEFT_ACTIVATION_RELU);                        /* [batch, 84] */
    return weft_cross_entropy(net_run_dense(&m->last, h), n->y);
}

const model model_lenet = {"lenet", "LeNet-5 on 32x32", 64, 1024, build, loss};
