/* mlp.c - a perceptron with two hidden layers, of the size that is usual for MNIST. */
#include "net.h"

typedef struct mlp {
    dense first, second, last;
} mlp;

static void build(net *n)
{
    mlp *m = net_layers(n, sizeof *m);
    if (!m)
        return;
    m->first = net_dense(n, n->batch, 784, 512);
    n->spared = n->flops;
    m->second = net_dense(n, n->batch, 512, 512);
    m->last = net_dense(n, n->batch, 512, 10);
    net_data(n, WEFT_DIMS(n->batch, 784), 10);
}

static weft_tensor *loss(net *n)
{
    const mlp *m = n->layers;
    weft_tensor *h = net_run_dense_act(&m->first, n->x, WEFT_ACTIVATION_RELU); /* [batch, 512] */
    h = net_run_dense_act(&m->second, h, WEFT_ACTIVATION_RELU);                /* [batch, 512] */
    return weft_cross_entropy(net_run_dense(&m->last, h), n->y);
}

const model model_mlp = {"mlp", "784-512-512-10, relu", 128, 4096, build, loss};
