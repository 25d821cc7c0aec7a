/* nn.h - layers: PyTorch's torch.nn for models of module.h.
 *
 *     weft_module *net = weft_nn_sequential(model, "net");
 *     weft_nn_linear(net, NULL, 784, 128, true);        // "net.0.weight", "net.0.bias"
 *     weft_nn_function(net, NULL, weft_relu);
 *     weft_nn_linear(net, NULL, 128, 10, true);         // "net.2.weight", "net.2.bias"
 *     ...
 *     weft_tensor *logits = weft_forward(net, x);
 *
 * Each weft_nn_NAME makes a module below parent, under a name (weft_module_child: NULL is its number), with parameters
 * that have the names, shapes and first values of PyTorch's class, so that a state dict of either side fits the other.
 * The model owns it; weft_forward runs it. Draws come from the context's random stream. On failure NULL, nothing is
 * left in the model, and the error, which names the layer, is recorded.
 *
 * First values: weights of linear and convolution layers and their biases as weft_init_layer_ makes them, those of
 * recurrent layers uniform in +-1 / sqrt(hidden), embeddings normal (0, 1), norms 1 and 0. Functions of init.h
 * overwrite them: weft_init_trunc_normal_(weft_module_tensor(m, "weight"), 0, 0.02, -2, 2).
 *
 * Part of the public API; not included by weft.h; includes module.h. */
#ifndef WEFT_NN_H
#define WEFT_NN_H

#include <weft/module.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Containers and functions ---- */

/* Runs its children one after the other, each on the result of the one before (Sequential). */
WEFT_API weft_module *weft_nn_sequential(weft_module *parent, const char *name);

/* An operation of one operand, such as weft_relu, as a layer (ReLU, GELU, Tanh ...). */
WEFT_API weft_module *weft_nn_function(weft_module *parent, const char *name, weft_tensor *(*fn)(weft_tensor *x));

/* Zeroes elements with probability p in training mode and scales the others by 1 / (1 - p) (Dropout). */
WEFT_API weft_module *weft_nn_dropout(weft_module *parent, const char *name, double p);

/* weft_flatten from first_dim to the last dim; PyTorch's default is 1 (Flatten). */
WEFT_API weft_module *weft_nn_flatten(weft_module *parent, const char *name, int64_t first_dim);

/* ---- Linear ---- */

/* x weight^T + bias over the last dim: weight [out, in], bias [out] (Linear). LoRA adapters fit it, see below. */
WEFT_API weft_module *weft_nn_linear(weft_module *parent, const char *name, int64_t in, int64_t out, bool bias);

/* Rows of weight [rows, size] by index (Embedding). */
WEFT_API weft_module *weft_nn_embedding(weft_module *parent, const char *name, int64_t rows, int64_t size);

/* ---- Convolutions and pools ---- */

/* Entry k is that of the kth dim of the kernel. */
typedef struct weft_nn_conv_options {
    size_t struct_size;        /* set by WEFT_NN_CONV_DEFAULTS */
    int64_t stride[3];         /* at least 1; default 1 */
    int64_t padding[3];        /* zeros added on both sides; default 0 */
    int64_t dilation[3];       /* distance between kernel taps, at least 1; default 1 */
    int64_t output_padding[3]; /* transposed ones only: more at the end; default 0 */
    int64_t groups;            /* at least 1, which is the default; divides in and out */
    bool bias;                 /* default true */
} weft_nn_conv_options;
#define WEFT_NN_CONV_DEFAULTS                                                                                          \
    {                                                                                                                  \
        sizeof(weft_nn_conv_options), {1, 1, 1}, {0, 0, 0}, {1, 1, 1}, {0, 0, 0}, 1, true                              \
    }

/* Convolution of lines, pictures or volumes, by how many dims the kernel has (Conv1d, Conv2d, Conv3d): weight
 * [out, in / groups, kernel...], bias [out]. options NULL: the defaults. */
WEFT_API weft_module *weft_nn_conv(weft_module *parent, const char *name, int64_t in, int64_t out,
                                   const int64_t *kernel, int ndim, const weft_nn_conv_options *options);

/* Its transpose (ConvTranspose1d to 3d): weight [in, out / groups, kernel...], bias [out]. */
WEFT_API weft_module *weft_nn_conv_transpose(weft_module *parent, const char *name, int64_t in, int64_t out,
                                             const int64_t *kernel, int ndim, const weft_nn_conv_options *options);

/* weft_max_pool and weft_avg_pool (MaxPool1d to 3d, AvgPool1d to 3d), and the mean over each of sizes[k] windows along
 * the last n dims (AdaptiveAvgPool1d to 3d). */
WEFT_API weft_module *weft_nn_max_pool(weft_module *parent, const char *name, const weft_window_params *params);
WEFT_API weft_module *weft_nn_avg_pool(weft_module *parent, const char *name, const weft_window_params *params);
WEFT_API weft_module *weft_nn_adaptive_avg_pool(weft_module *parent, const char *name, const int64_t *sizes, int n);

/* ---- Norms ---- */

/* The eps of a norm that is PyTorch's default: 1e-5, of rms_norm the dtype's epsilon (2^-23 of f32). */
#define WEFT_NN_EPS (-1.0)

typedef struct weft_nn_norm_options {
    size_t struct_size; /* set by WEFT_NN_NORM_DEFAULTS */
    double eps;         /* at least 0, or WEFT_NN_EPS, the default */
    bool affine;        /* weight and bias; default true (PyTorch's InstanceNorm: false) */
    bool bias;          /* with affine; rms_norm has none; default true */
    double momentum;    /* batch_norm: share of the batch in the running values; default 0.1 */
    bool running;       /* batch_norm: running_mean, running_var and num_batches_tracked (PyTorch: track_running_stats);
                           without them evaluation, too, goes by the batch; default true */
} weft_nn_norm_options;
#define WEFT_NN_NORM_DEFAULTS                                                                                          \
    {                                                                                                                  \
        sizeof(weft_nn_norm_options), WEFT_NN_EPS, true, true, 0.1, true                                               \
    }

/* By channel of x [N, C, ...] (BatchNorm1d to 3d): parameters weight and bias [C], buffers running_mean, running_var
 * [C] and num_batches_tracked. In training mode by the batch, and the running values move. */
WEFT_API weft_module *weft_nn_batch_norm(weft_module *parent, const char *name, int64_t channels,
                                         const weft_nn_norm_options *options);
/* Over the trailing dims of that shape (LayerNorm, RMSNorm). */
WEFT_API weft_module *weft_nn_layer_norm(weft_module *parent, const char *name, const int64_t *shape, int ndim,
                                         const weft_nn_norm_options *options);
WEFT_API weft_module *weft_nn_rms_norm(weft_module *parent, const char *name, const int64_t *shape, int ndim,
                                       const weft_nn_norm_options *options);
/* Over groups of channels, or each of them, and all that they hold (GroupNorm, InstanceNorm1d to 3d). */
WEFT_API weft_module *weft_nn_group_norm(weft_module *parent, const char *name, int64_t groups, int64_t channels,
                                         const weft_nn_norm_options *options);
WEFT_API weft_module *weft_nn_instance_norm(weft_module *parent, const char *name, int64_t channels,
                                            const weft_nn_norm_options *options);

/* ---- Recurrent layers ---- */

typedef enum weft_nn_cell { WEFT_NN_CELL_RNN, WEFT_NN_CELL_GRU, WEFT_NN_CELL_LSTM } weft_nn_cell;

typedef struct weft_nn_recurrent_options {
    size_t struct_size; /* set by WEFT_NN_RECURRENT_DEFAULTS */
    int64_t layers;     /* 1 to 32; default 1 */
    bool bidirectional; /* default false */
    bool batch_first;   /* x and y are [N, T, ...]; default false: [T, N, ...] */
    bool bias;          /* default true */
    bool relu;          /* WEFT_NN_CELL_RNN only: in the place of tanh; default false */
    double dropout;     /* between the layers, in training mode; default 0 */
} weft_nn_recurrent_options;
#define WEFT_NN_RECURRENT_DEFAULTS                                                                                     \
    {                                                                                                                  \
        sizeof(weft_nn_recurrent_options), 1, false, false, true, false, 0                                             \
    }

/* RNN, GRU and LSTM: parameters weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, weight_ih_l0_reverse ...
 * weft_forward gives y of x, from states of zeros. */
WEFT_API weft_module *weft_nn_recurrent(weft_module *parent, const char *name, weft_nn_cell cell, int64_t input,
                                        int64_t hidden, const weft_nn_recurrent_options *options);

/* The same with states, as weft_rnn has them: h0 and c0 (LSTM only) may be NULL, and so may y, h and c. */
WEFT_API weft_status weft_nn_recurrent_forward(weft_module *module, weft_tensor *x, weft_tensor *h0, weft_tensor *c0,
                                               weft_tensor **y, weft_tensor **h, weft_tensor **c);

/* ---- Attention ---- */

/* Under which names the parts of attention and of a block stand: those of
 *   TORCH  torch.nn: in_proj_weight, in_proj_bias, out_proj; norm1, self_attn, norm2, linear1, linear2
 *   GPT    GPT-2 as nanoGPT writes it: c_attn, c_proj; ln_1, attn, ln_2, mlp.c_fc, mlp.c_proj
 *   LLAMA  q_proj, k_proj, v_proj, o_proj; input_layernorm, self_attn, post_attention_layernorm, mlp.up_proj,
 *          mlp.down_proj, mlp.gate_proj
 * The gate of a gated block is linear_gate and mlp.c_gate in the first two. */
typedef enum weft_nn_names { WEFT_NN_NAMES_TORCH, WEFT_NN_NAMES_GPT, WEFT_NN_NAMES_LLAMA } weft_nn_names;

typedef struct weft_nn_attention_options {
    size_t struct_size;  /* set by WEFT_NN_ATTENTION_DEFAULTS */
    weft_nn_names names; /* default WEFT_NN_NAMES_TORCH */
    int64_t kv_heads;    /* heads of keys and values, which groups of query heads share; divides heads; or
                            WEFT_NN_KV_HEADS, the default: as many as heads */
    bool causal;         /* a token sees itself and those before it; default false */
    bool bias;           /* default true */
    double dropout;      /* of the weights of attention, in training mode; default 0 */
    double rotary;       /* base of rotary embeddings of queries and keys (10000: Su 2021); default 0: none */
} weft_nn_attention_options;
#define WEFT_NN_KV_HEADS (-1)
#define WEFT_NN_ATTENTION_DEFAULTS                                                                                     \
    {                                                                                                                  \
        sizeof(weft_nn_attention_options), WEFT_NN_NAMES_TORCH, WEFT_NN_KV_HEADS, false, true, 0, 0                    \
    }

/* Attention of x [N, T, width] to itself with that many heads (MultiheadAttention with batch_first and q = k = v):
 * softmax(q k^T / sqrt(width / heads)) v. Mask and cache are weft_forward_options. */
WEFT_API weft_module *weft_nn_attention(weft_module *parent, const char *name, int64_t width, int64_t heads,
                                        const weft_nn_attention_options *options);

typedef enum weft_nn_activation {
    WEFT_NN_ACTIVATION_RELU,
    WEFT_NN_ACTIVATION_GELU,
    WEFT_NN_ACTIVATION_GELU_TANH,
    WEFT_NN_ACTIVATION_SWIGLU /* down(silu(gate(x)) up(x)), a gated one (Shazeer 2020) */
} weft_nn_activation;

typedef struct weft_nn_block_options {
    size_t struct_size;            /* set by WEFT_NN_BLOCK_DEFAULTS */
    weft_nn_names names;           /* default WEFT_NN_NAMES_TORCH */
    int64_t kv_heads;              /* as of attention */
    int64_t hidden;                /* width between up and down, or WEFT_NN_HIDDEN, the default: 4 width */
    weft_nn_activation activation; /* default WEFT_NN_ACTIVATION_GELU */
    bool rms;                      /* rms_norm in the place of layer_norm; default false */
    bool causal;                   /* default false */
    bool bias;                     /* of linear layers and layer_norm; default true */
    double eps;                    /* of the norms; default WEFT_NN_EPS */
    double dropout;                /* of attention and of what is added to x, in training mode; default 0 */
    double rotary;                 /* as of attention */
} weft_nn_block_options;
#define WEFT_NN_HIDDEN (-1)
#define WEFT_NN_BLOCK_DEFAULTS                                                                                         \
    {                                                                                                                  \
        sizeof(weft_nn_block_options), WEFT_NN_NAMES_TORCH, WEFT_NN_KV_HEADS, WEFT_NN_HIDDEN, WEFT_NN_ACTIVATION_GELU, \
            false, false, true, WEFT_NN_EPS, 0, 0                                                                      \
    }

/* A block of a transformer, norm first: x <- x + attention(norm(x)); x <- x + down(activation(up(norm(x))))
 * (TransformerEncoderLayer with norm_first and batch_first; with WEFT_NN_NAMES_GPT a block of GPT-2). */
WEFT_API weft_module *weft_nn_block(weft_module *parent, const char *name, int64_t width, int64_t heads,
                                    const weft_nn_block_options *options);

/* ---- Generating: a cache of keys and values ---- */

/* Opens a cache for at most `most` tokens of each sequence, for use in weft_forward_options: a forward pass of a model
 * with it takes x for the tokens that follow what the cache has, and adds their keys and values. So the prompt at once
 * and then one token after the other give what the whole sequence would. The layers of attention take their room when
 * they are first met; recording must be off. The context owns it; on failure *out is NULL. */
WEFT_API WEFT_MUST_CHECK weft_status weft_cache_open(weft_ctx *ctx, int64_t most, weft_cache **out);
WEFT_API void weft_cache_close(weft_cache *cache); /* NULL and one that was closed are fine */
/* How many tokens it has; 0 where there is no cache. During a pass what it had before. */
WEFT_API int64_t weft_cache_tokens(weft_cache *cache);
/* Forgets all tokens but the first ones; its room stays. */
WEFT_API weft_status weft_cache_keep(weft_cache *cache, int64_t tokens);

/* ---- Low-rank adapters (Hu et al. 2021) ---- */

typedef struct weft_lora_options {
    size_t struct_size; /* set by WEFT_LORA_DEFAULTS */
    int64_t rank;       /* at least 1; default 8 */
    double alpha;       /* the adapters' share is alpha / rank; default 8 */
    double dropout;     /* of their input, in training mode; default 0 */
    bool freeze;        /* all other parameters of the module; default true */
} weft_lora_options;
#define WEFT_LORA_DEFAULTS                                                                                             \
    {                                                                                                                  \
        sizeof(weft_lora_options), 8, 8, 0, true                                                                       \
    }

/* Gives an adapter to each linear layer at or below module that pattern names (weft_module_freeze: "*.c_attn"):
 * y = x weight^T + bias + alpha / rank (dropout(x) A^T) B^T, with parameters lora_A.weight [rank, in], uniform as PEFT
 * draws it, and lora_B.weight [out, rank], zeros, so that nothing changes at first. Returns how many layers; -1 after
 * an error: none is named (WEFT_E_INVALID), or one has an adapter already (WEFT_E_STATE); then none is added. */
WEFT_API int weft_lora_add(weft_module *module, const char *pattern, const weft_lora_options *options);

/* Adds the adapters to the weights, so that they cost nothing, and takes them out again, which restores the weights up
 * to rounding. What is so already stays. */
WEFT_API weft_status weft_lora_merge(weft_module *module);
WEFT_API weft_status weft_lora_unmerge(weft_module *module);

/* Takes the adapters away: merged ones stay in the weights, others are lost. Frozen parameters stay frozen. */
WEFT_API weft_status weft_lora_remove(weft_module *module);

/* The adapters alone, by PEFT's names: "base_model.model.blocks.0.attn.c_attn.lora_A.weight". Loading needs
 * weft_lora_add first, and every adapter of the module in the file, and nothing else. */
WEFT_API weft_status weft_lora_save(weft_module *module, const char *path);
WEFT_API weft_status weft_lora_load(weft_module *module, const char *path);

/* ---- What a loop needs ---- */

/* out[k] = the rows of tensors[k] that index [B], i64 or i32, names, for n >= 1 tensors with equally many rows: a batch
 * of inputs and targets. */
WEFT_API weft_status weft_batch(weft_ctx *ctx, weft_tensor *const *tensors, int n, weft_tensor *index,
                                weft_tensor **out);

/* The numbers 0 to n - 1 in random order, i64 [n], from the context's random stream. */
WEFT_API weft_tensor *weft_randperm(weft_ctx *ctx, int64_t n);

/* The share, 0 to 1, of the rows of logits [..., C] whose target [...], i64 or i32, is among the k largest (ties as
 * weft_topk breaks them). NAN after an error, and of no rows. */
WEFT_API double weft_accuracy(weft_ctx *ctx, weft_tensor *logits, weft_tensor *target, int64_t k);

#ifdef __cplusplus
}
#endif

#ifndef WEFT_NO_CALL_SITES
#define weft_nn_sequential(...) (WEFT_HERE("nn_sequential"), weft_nn_sequential(__VA_ARGS__))
#define weft_nn_function(...) (WEFT_HERE("nn_function"), weft_nn_function(__VA_ARGS__))
#define weft_nn_dropout(...) (WEFT_HERE("nn_dropout"), weft_nn_dropout(__VA_ARGS__))
#define weft_nn_flatten(...) (WEFT_HERE("nn_flatten"), weft_nn_flatten(__VA_ARGS__))
#define weft_nn_linear(...) (WEFT_HERE("nn_linear"), weft_nn_linear(__VA_ARGS__))
#define weft_nn_embedding(...) (WEFT_HERE("nn_embedding"), weft_nn_embedding(__VA_ARGS__))
#define weft_nn_conv(...) (WEFT_HERE("nn_conv"), weft_nn_conv(__VA_ARGS__))
#define weft_nn_conv_transpose(...) (WEFT_HERE("nn_conv_transpose"), weft_nn_conv_transpose(__VA_ARGS__))
#define weft_nn_max_pool(...) (WEFT_HERE("nn_max_pool"), weft_nn_max_pool(__VA_ARGS__))
#define weft_nn_avg_pool(...) (WEFT_HERE("nn_avg_pool"), weft_nn_avg_pool(__VA_ARGS__))
#define weft_nn_adaptive_avg_pool(...) (WEFT_HERE("nn_adaptive_avg_pool"), weft_nn_adaptive_avg_pool(__VA_ARGS__))
#define weft_nn_batch_norm(...) (WEFT_HERE("nn_batch_norm"), weft_nn_batch_norm(__VA_ARGS__))
#define weft_nn_layer_norm(...) (WEFT_HERE("nn_layer_norm"), weft_nn_layer_norm(__VA_ARGS__))
#define weft_nn_rms_norm(...) (WEFT_HERE("nn_rms_norm"), weft_nn_rms_norm(__VA_ARGS__))
#define weft_nn_group_norm(...) (WEFT_HERE("nn_group_norm"), weft_nn_group_norm(__VA_ARGS__))
#define weft_nn_instance_norm(...) (WEFT_HERE("nn_instance_norm"), weft_nn_instance_norm(__VA_ARGS__))
#define weft_nn_recurrent(...) (WEFT_HERE("nn_recurrent"), weft_nn_recurrent(__VA_ARGS__))
#define weft_nn_recurrent_forward(...) (WEFT_HERE("nn_recurrent_forward"), weft_nn_recurrent_forward(__VA_ARGS__))
#define weft_nn_attention(...) (WEFT_HERE("nn_attention"), weft_nn_attention(__VA_ARGS__))
#define weft_nn_block(...) (WEFT_HERE("nn_block"), weft_nn_block(__VA_ARGS__))
#define weft_cache_open(...) (WEFT_HERE("cache_open"), weft_cache_open(__VA_ARGS__))
#define weft_lora_add(...) (WEFT_HERE("lora_add"), weft_lora_add(__VA_ARGS__))
#define weft_batch(...) (WEFT_HERE("batch"), weft_batch(__VA_ARGS__))
#define weft_randperm(...) (WEFT_HERE("randperm"), weft_randperm(__VA_ARGS__))
#define weft_accuracy(...) (WEFT_HERE("accuracy"), weft_accuracy(__VA_ARGS__))
#endif
#endif
