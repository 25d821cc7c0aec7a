/* blocks.c - a block of a transformer: attention and two linear layers, each behind a norm. See weft/nn.h. */
#define WEFT_NO_CALL_SITES
#include "tree.h"

typedef struct parts {
    const char *norm1, *attention, *norm2, *up, *gate, *down;
} parts;

static const parts names_of[] = {
    [WEFT_NN_NAMES_TORCH] = {"norm1", "self_attn", "norm2", "linear1", "linear_gate", "linear2"},
    [WEFT_NN_NAMES_GPT] = {"ln_1", "attn", "ln_2", "mlp.c_fc", "mlp.c_gate", "mlp.c_proj"},
    [WEFT_NN_NAMES_LLAMA] = {"input_layernorm", "self_attn", "post_attention_layernorm", "mlp.up_proj", "mlp.gate_proj",
                             "mlp.down_proj"}};

static weft_tensor *activated(weft__member *m, const parts *p, weft_tensor *x)
{
    weft_tensor *h = weft__part_forward(m, p->up, x, NULL);
    switch (m->as.block.activation) {
    case WEFT_NN_ACTIVATION_RELU:
        return weft_relu(h);
    case WEFT_NN_ACTIVATION_GELU:
        return weft_gelu(h);
    case WEFT_NN_ACTIVATION_GELU_TANH:
        return weft_gelu_tanh(h);
    default:
        return weft_swiglu(weft__part_forward(m, p->gate, x, NULL), h);
    }
}

static weft_tensor *run(weft__member *m, weft_tensor *x, const weft_forward_options *options)
{
    const weft__block_state *s = &m->as.block;
    const parts *p = &names_of[s->names];
    weft_tensor *h = weft__part_forward(m, p->attention, weft__part_forward(m, p->norm1, x, NULL), options);
    x = weft_add(x, weft__drop(m, h, s->dropout));
    h = x ? activated(m, p, weft__part_forward(m, p->norm2, x, NULL)) : NULL;
    if (s->names == WEFT_NN_NAMES_TORCH) /* there between the two as well */
        h = weft__drop(m, h, s->dropout);
    h = weft__part_forward(m, p->down, h, NULL);
    return weft_add(x, weft__drop(m, h, s->dropout));
}

static const weft__layer block = {"block", run};

static void make_norm(weft__member *m, const char *name, int64_t width, const weft_nn_block_options *o)
{
    weft_nn_norm_options norm = WEFT_NN_NORM_DEFAULTS;
    norm.eps = o->eps;
    norm.bias = o->bias;
    if (weft_ctx_status(m->ctx) != WEFT_OK)
        return;
    if (o->rms)
        weft_nn_rms_norm(m->handle, name, WEFT_DIMS(width), &norm);
    else
        weft_nn_layer_norm(m->handle, name, WEFT_DIMS(width), &norm);
}

static void make_parts(weft__member *m, const char *function, int64_t width, int64_t heads,
                       const weft_nn_block_options *o)
{
    const parts *p = &names_of[o->names];
    const int64_t hidden = o->hidden == WEFT_NN_HIDDEN ? 4 * width : o->hidden;
    weft_nn_attention_options attention = WEFT_NN_ATTENTION_DEFAULTS;
    attention.names = o->names;
    attention.kv_heads = o->kv_heads;
    attention.causal = o->causal;
    attention.bias = o->bias;
    attention.dropout = o->dropout;
    attention.rotary = o->rotary;
    const bool torch = o->names == WEFT_NN_NAMES_TORCH; /* which has its norms last */
    if (!torch)
        make_norm(m, p->norm1, width, o);
    if (weft_ctx_status(m->ctx) == WEFT_OK)
        weft_nn_attention(m->handle, p->attention, width, heads, &attention);
    if (!torch)
        make_norm(m, p->norm2, width, o);
    weft__child_linear(m, function, p->up, width, hidden, o->bias);
    if (o->activation == WEFT_NN_ACTIVATION_SWIGLU)
        weft__child_linear(m, function, p->gate, width, hidden, o->bias);
    weft__child_linear(m, function, p->down, hidden, width, o->bias);
    if (torch) {
        make_norm(m, p->norm1, width, o);
        make_norm(m, p->norm2, width, o);
    }
}

weft_module *weft_nn_block(weft_module *parent, const char *name, int64_t width, int64_t heads,
                           const weft_nn_block_options *options)
{
    static const weft_nn_block_options defaults = WEFT_NN_BLOCK_DEFAULTS;
    const char *function = "nn_block";
    weft_nn_block_options o;
    weft__member *m = weft__layer_open(function, parent, name, &block);
    if (!m || weft_struct_in(m->ctx, function, "weft_nn_block_options", &defaults, options, &o) != WEFT_OK)
        return weft__layer_done(m);
    if ((unsigned)o.names > WEFT_NN_NAMES_LLAMA || (unsigned)o.activation > WEFT_NN_ACTIVATION_SWIGLU)
        weft__layer_fail(m, function, WEFT_E_INVALID,
                         "names is %d and activation %d; they must be of weft_nn_names and weft_nn_activation",
                         (int)o.names, (int)o.activation);
    else if (weft__at_least(m, function, "width", width, 1) &&
             weft__is_share(m, function, "the option dropout", o.dropout) &&
             (o.hidden == WEFT_NN_HIDDEN || weft__at_least(m, function, "the option hidden", o.hidden, 1))) {
        m->as.block = (weft__block_state){.names = o.names, .activation = o.activation, .dropout = o.dropout};
        make_parts(m, function, width, heads, &o);
    }
    return weft__layer_done(m);
}
