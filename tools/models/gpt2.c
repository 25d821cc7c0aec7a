/* gpt2.c - GPT-2 (Radford et al. 2019): token and position embedding, blocks of causal attention and a GELU perceptron
 * with the norms in front, the head tied to the token embedding, next-token cross entropy. */
#include "net.h"

enum { MOST_BLOCKS = 12 };

typedef struct block {
    norm norm1, norm2;
    dense qkv, joined, up, down;
} block;

typedef struct gpt2 {
    int64_t width, heads, blocks, vocabulary, length;
    weft_tensor *tokens;    /* [vocabulary, width] */
    weft_tensor *positions; /* [length, width] */
    block block[MOST_BLOCKS];
    norm last;
} gpt2;

static void build_sized(net *n, int64_t width, int64_t heads, int64_t blocks, int64_t vocabulary, int64_t length)
{
    gpt2 *m = net_layers(n, sizeof *m);
    if (!m)
        return;
    const int64_t rows = n->batch * length;
    *m = (gpt2){.width = width, .heads = heads, .blocks = blocks, .vocabulary = vocabulary, .length = length};
    m->tokens = net_param(n, WEFT_DIMS(vocabulary, width), 0, 0.02);
    m->positions = net_param(n, WEFT_DIMS(length, width), 0, 0.02);
    for (int64_t k = 0; k < blocks; k++) {
        block *b = &m->block[k];
        b->norm1 = net_layer_norm(n, width);
        b->qkv = net_dense(n, rows, width, 3 * width);
        b->joined = net_dense(n, rows, width, width);
        b->norm2 = net_layer_norm(n, width);
        b->up = net_dense(n, rows, width, 4 * width);
        b->down = net_dense(n, rows, 4 * width, width);
        n->flops += 2 * (double)rows * (double)length * (double)width; /* q k^T, and weights times v, half of each */
    }
    m->last = net_layer_norm(n, width);
    n->flops += 2 * (double)rows * (double)width * (double)vocabulary;
    n->x = net_keep(n, weft_randint(n->ctx, WEFT_I64, WEFT_DIMS(n->batch, length), 0, vocabulary));
    n->y = net_keep(n, weft_randint(n->ctx, WEFT_I64, WEFT_DIMS(n->batch, length), 0, vocabulary));
}

/* [batch, length, heads * size] to [batch, heads, length, size] */
static weft_tensor *by_head(const gpt2 *m, int64_t batch, weft_tensor *x)
{
    weft_tensor *split = weft_reshape(x, WEFT_DIMS(batch, m->length, m->heads, m->width / m->heads));
    return weft_transpose(split, 1, 2);
}

static weft_tensor *attention(const gpt2 *m, const block *b, int64_t batch, weft_tensor *x)
{
    const int64_t thirds[] = {m->width, m->width, m->width};
    weft_tensor *part[3];
    if (weft_split(net_run_dense(&b->qkv, x), -1, thirds, 3, part) != WEFT_OK)
        return NULL;
    weft_tensor *q = by_head(m, batch, part[0]), *k = by_head(m, batch, part[1]), *v = by_head(m, batch, part[2]);
    weft_tensor *joined =
        weft_transpose(weft_attention(q, k, v, WEFT_ATTENTION_SCALE, true), 1, 2); /* [batch, length, heads, size] */
    return net_run_dense(&b->joined, weft_reshape(joined, WEFT_DIMS(batch, m->length, m->width)));
}

static weft_tensor *perceptron(const block *b, weft_tensor *x)
{
    return net_run_dense(&b->down, net_run_dense_act(&b->up, x, WEFT_ACTIVATION_GELU_TANH));
}

static weft_tensor *loss(net *n)
{
    const gpt2 *m = n->layers;
    weft_tensor *h = weft_add(weft_embedding(m->tokens, n->x), m->positions); /* [batch, length, width] */
    for (int64_t k = 0; k < m->blocks; k++) {
        const block *b = &m->block[k];
        h = weft_add(h, attention(m, b, n->batch, net_run_layer_norm(&b->norm1, h)));
        h = weft_add(h, perceptron(b, net_run_layer_norm(&b->norm2, h)));
    }
    weft_tensor *logits =
        weft_linear(net_run_layer_norm(&m->last, h), m->tokens, NULL); /* [batch, length, vocabulary] */
    return weft_cross_entropy(logits, n->y);
}

static void build_tiny(net *n)
{
    build_sized(n, 128, 4, 4, 1024, 64);
}

static void build_124m(net *n)
{
    build_sized(n, 768, 12, 12, 50257, n->large_device ? 1024 : 64);
}

const model model_gpt2_tiny = {"gpt2-tiny", "4 blocks of width 128, 64 tokens", 8, 64, build_tiny, loss};
const model model_gpt2_124m = {
    "gpt2-124m", "12 blocks of width 768, 64 tokens on the CPU, 1024 on a GPU", 1, 4, build_124m, loss};
