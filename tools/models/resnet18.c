/* resnet18.c - ResNet-18 on images of 224 x 224 (He et al. 2016): eight blocks of two convolutions. */
#include "net.h"

enum { BLOCKS = 8, CLASSES = 1000 };

typedef struct block {
    conv first, second;
    norm first_norm, second_norm;
    bool changes_size; /* then the shortcut is a convolution of 1 x 1 */
    conv shortcut;
    norm shortcut_norm;
} block;

typedef struct resnet {
    conv stem;
    norm stem_norm;
    block blocks[BLOCKS];
    dense last;
} resnet;

/* edge: height and width of the block's result. */
static block build_block(net *n, int64_t in, int64_t out, int64_t stride, int64_t edge)
{
    block b = {.first = net_conv(n, in, out, 3, stride, 1, false, edge), .changes_size = stride != 1 || in != out};
    b.first_norm = net_batch_norm(n, out);
    b.second = net_conv(n, out, out, 3, 1, 1, false, edge);
    b.second_norm = net_batch_norm(n, out);
    if (b.changes_size) {
        b.shortcut = net_conv(n, in, out, 1, stride, 0, false, edge);
        b.shortcut_norm = net_batch_norm(n, out);
    }
    return b;
}

static void build(net *n)
{
    static const int64_t width[BLOCKS] = {64, 64, 128, 128, 256, 256, 512, 512};
    static const int64_t edge[BLOCKS] = {56, 56, 28, 28, 14, 14, 7, 7};
    resnet *m = net_layers(n, sizeof *m);
    if (!m)
        return;
    m->stem = net_conv(n, 3, 64, 7, 2, 3, false, 112);
    n->spared = n->flops;
    m->stem_norm = net_batch_norm(n, 64);
    for (int k = 0; k < BLOCKS; k++) {
        bool halves = k > 0 && edge[k] != edge[k - 1];
        m->blocks[k] = build_block(n, k ? width[k - 1] : 64, width[k], halves ? 2 : 1, edge[k]);
    }
    m->last = net_dense(n, n->batch, 512, CLASSES);
    net_data(n, WEFT_DIMS(n->batch, 3, 224, 224), CLASSES);
}

static weft_tensor *run_block(const block *b, weft_tensor *x)
{
    weft_tensor *h = weft_relu(net_run_batch_norm(&b->first_norm, net_run_conv(&b->first, x)));
    h = net_run_batch_norm(&b->second_norm, net_run_conv(&b->second, h));
    if (b->changes_size)
        x = net_run_batch_norm(&b->shortcut_norm, net_run_conv(&b->shortcut, x));
    return weft_relu(weft_add(h, x));
}

static weft_tensor *loss(net *n)
{
    const weft_pool2d_params pool = {sizeof pool, .kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}};
    const resnet *m = n->layers;
    weft_tensor *h = weft_relu(net_run_batch_norm(&m->stem_norm, net_run_conv(&m->stem, n->x)));
    h = weft_max_pool2d(h, &pool); /* [batch, 64, 56, 56] */
    for (int k = 0; k < BLOCKS; k++)
        h = run_block(&m->blocks[k], h); /* at last [batch, 512, 7, 7] */
    h = weft_mean(h, WEFT_DIMS(2, 3), false);
    return weft_cross_entropy(net_run_dense(&m->last, h), n->y);
}

const model model_resnet18 = {"resnet18", "ResNet-18 on 224x224", 2, 64, build, loss};
