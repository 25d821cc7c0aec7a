/* attention.c - attention with heads, and the cache of its keys and values. See weft/nn.h. */
#define WEFT_NO_CALL_SITES
#include "tree.h"

#include <math.h>
#include <string.h>

static const char *const in_names[][3] = {[WEFT_NN_NAMES_TORCH] = {NULL},
                                          [WEFT_NN_NAMES_GPT] = {"c_attn"},
                                          [WEFT_NN_NAMES_LLAMA] = {"q_proj", "k_proj", "v_proj"}};
static const char *const out_names[] = {
    [WEFT_NN_NAMES_TORCH] = "out_proj", [WEFT_NN_NAMES_GPT] = "c_proj", [WEFT_NN_NAMES_LLAMA] = "o_proj"};

/* ---- Rotary embeddings ---- */

static weft_tensor *wide_scalar(weft_ctx *ctx, double value)
{
    return weft_scalar(ctx, WEFT_F64, value);
}

/* Cosines and sines [T, size] for the tokens from `from` on: the angle of token t and column j is t base^(-2 j / size),
 * j counting in each half. */
static void turns(weft__member *m, int64_t from, int64_t n, weft_tensor **cosines, weft_tensor **sines)
{
    const weft__attention_state *s = &m->as.attention;
    const int64_t half = s->size / 2;
    weft_tensor *at = weft_arange(m->ctx, WEFT_F64, (double)from, (double)(from + n), 1);
    weft_tensor *speeds = weft_exp(weft_mul(weft_arange(m->ctx, WEFT_F64, 0, (double)half, 1),
                                            wide_scalar(m->ctx, -2 * log(s->rotary) / (double)s->size)));
    weft_tensor *angles = weft_mul(weft_reshape(at, WEFT_DIMS(n, 1)), weft_reshape(speeds, WEFT_DIMS(1, half)));
    weft_tensor *both[2] = {angles, angles};
    angles = weft_concat(both, 2, 1);
    const weft_dtype dtype = m->dtype == WEFT_F64 ? WEFT_F64 : WEFT_F32;
    *cosines = weft_cast(weft_cos(angles), dtype);
    *sines = weft_cast(weft_sin(angles), dtype);
}

static weft_tensor *turned(weft_tensor *x, weft_tensor *cosines, weft_tensor *sines)
{
    return x ? weft_cast(weft_rotary_embedding(x, cosines, sines), weft_dtype_of(x)) : NULL;
}

/* ---- Forward ---- */

/* [N, T, heads size] as [N, heads, T, size] */
static weft_tensor *as_heads(const weft__attention_state *s, weft_tensor *x, int64_t heads)
{
    return x ? weft_transpose(weft_reshape(x, WEFT_DIMS(weft_size(x, 0), weft_size(x, 1), heads, s->size)), 1, 2)
             : NULL;
}

/* Queries, keys and values as one product or three. */
static void project(weft__member *m, weft_tensor *x, weft_tensor **q, weft_tensor **k, weft_tensor **v)
{
    const weft__attention_state *s = &m->as.attention;
    const char *const *names = in_names[s->names];
    const int64_t nq = s->heads * s->size, nk = s->kv_heads * s->size;
    if (names[1]) {
        *q = weft__part_forward(m, names[0], x, NULL);
        *k = weft__part_forward(m, names[1], x, NULL);
        *v = weft__part_forward(m, names[2], x, NULL);
    } else {
        weft_tensor *all =
            names[0] ? weft__part_forward(m, names[0], x, NULL)
                     : weft_linear(x, weft__own_tensor(m, "in_proj_weight"), weft__own_tensor(m, "in_proj_bias"));
        *q = weft_slice(all, 2, 0, nq, 1);
        *k = weft_slice(all, 2, nq, nq + nk, 1);
        *v = weft_slice(all, 2, nq + nk, nq + 2 * nk, 1);
    }
    *q = as_heads(s, *q, s->heads);
    *k = as_heads(s, *k, s->kv_heads);
    *v = as_heads(s, *v, s->kv_heads);
}

/* 0 where a query sees a key, else -inf, as far as flags say it; what is added to scores stays. */
static weft_tensor *hidden_by(weft_tensor *seen, weft_dtype dtype)
{
    weft_ctx *ctx = weft_ctx_of(seen);
    return ctx ? weft_where(seen, weft_scalar(ctx, dtype, 0), weft_scalar(ctx, dtype, -INFINITY)) : NULL;
}

/* The mask as numbers that are added to the scores of T queries and S keys; NULL: none. */
static weft_tensor *bias_of(weft__member *m, weft_tensor *mask, weft_dtype dtype, int64_t t, int64_t s)
{
    weft_tensor *bias = mask && weft_dtype_of(mask) == WEFT_BOOL ? hidden_by(mask, dtype) : mask;
    if (!m->as.attention.causal)
        return bias;
    weft_tensor *below = hidden_by(weft_tril(weft_ones(m->ctx, WEFT_BOOL, WEFT_DIMS(t, s)), s - t), dtype);
    return bias ? weft_add(bias, below) : below;
}

static weft_tensor *attend(weft__member *m, weft_tensor *q, weft_tensor *k, weft_tensor *v, weft_tensor *mask)
{
    const weft__attention_state *s = &m->as.attention;
    const bool drops = m->training && s->dropout > 0;
    if (s->kv_heads < s->heads) {
        k = weft_repeat_interleave(k, s->heads / s->kv_heads, 1);
        v = weft_repeat_interleave(v, s->heads / s->kv_heads, 1);
    }
    if (!q || !k || !v)
        return NULL;
    if (!mask && !drops)
        return weft_attention(q, k, v, WEFT_ATTENTION_SCALE, s->causal);
    weft_tensor *bias = bias_of(m, mask, weft_dtype_of(q), weft_size(q, 2), weft_size(k, 2));
    if (weft_ctx_status(m->ctx) != WEFT_OK)
        return NULL;
    if (!drops)
        return weft_attention_with_bias(q, k, v, bias, WEFT_ATTENTION_SCALE);
    weft_tensor *scores = weft_matmul(weft_mul_scalar(q, 1 / sqrt((double)s->size)), weft_transpose(k, 2, 3));
    weft_tensor *weights = weft_softmax(bias ? weft_add(scores, bias) : scores, -1);
    return weft_matmul(weft__drop(m, weights, s->dropout), v);
}

static weft_tensor *run(weft__member *m, weft_tensor *x, const weft_forward_options *options)
{
    const weft__attention_state *s = &m->as.attention;
    weft_tensor *q, *k, *v, *cosines, *sines;
    char text[160];
    if (weft_ndim(x) != 3 || weft_size(x, 2) != s->width) {
        weft__layer_fail(m, "forward", WEFT_E_SHAPE, "x is %s; it must be [N, T, %lld]",
                         weft__tensor_text(x, text, sizeof text), (long long)s->width);
        return NULL;
    }
    const int64_t t = weft_size(x, 1);
    project(m, x, &q, &k, &v);
    if (s->rotary > 0) {
        turns(m, weft__cache_length(m, options->cache), t, &cosines, &sines);
        q = turned(q, cosines, sines);
        k = turned(k, cosines, sines);
    }
    if (weft_ctx_status(m->ctx) != WEFT_OK || (options->cache && !weft__cache_append(m, options->cache, &k, &v)))
        return NULL;
    weft_tensor *y = attend(m, q, k, v, options->mask);
    if (!y)
        return NULL;
    y = weft_reshape(weft_transpose(y, 1, 2), WEFT_DIMS(weft_size(x, 0), t, s->heads * s->size));
    return weft__part_forward(m, out_names[s->names], y, NULL);
}

/* ---- Making ---- */

static const weft__layer attention = {"attention", run};

static void make_parts(weft__member *m, const char *function, bool bias)
{
    const weft__attention_state *s = &m->as.attention;
    const char *const *names = in_names[s->names];
    const int64_t nq = s->heads * s->size, nk = s->kv_heads * s->size;
    if (s->names == WEFT_NN_NAMES_TORCH) {
        weft_init_xavier_uniform_(weft__new_parameter(m, "in_proj_weight", WEFT_DIMS(nq + 2 * nk, s->width), 0), 1);
        if (bias)
            weft__new_parameter(m, "in_proj_bias", WEFT_DIMS(nq + 2 * nk), 0);
    } else if (names[1]) {
        for (int k = 0; k < 3; k++)
            weft__child_linear(m, function, names[k], s->width, k ? nk : nq, bias);
    } else {
        weft__child_linear(m, function, names[0], s->width, nq + 2 * nk, bias);
    }
    weft__member *out = weft__child_linear(m, function, out_names[s->names], nq, s->width, bias);
    if (out && bias && s->names == WEFT_NN_NAMES_TORCH)
        weft_fill_(weft__own_tensor(out, "bias"), 0);
}

weft_module *weft_nn_attention(weft_module *parent, const char *name, int64_t width, int64_t heads,
                               const weft_nn_attention_options *options)
{
    static const weft_nn_attention_options defaults = WEFT_NN_ATTENTION_DEFAULTS;
    const char *function = "nn_attention";
    weft_nn_attention_options o;
    weft__member *m = weft__layer_open(function, parent, name, &attention);
    if (!m || weft_struct_in(m->ctx, function, "weft_nn_attention_options", &defaults, options, &o) != WEFT_OK)
        return weft__layer_done(m);
    const int64_t kv = o.kv_heads == WEFT_NN_KV_HEADS ? heads : o.kv_heads;
    if (!weft__at_least(m, function, "width", width, 1) || !weft__at_least(m, function, "heads", heads, 1) ||
        !weft__at_least(m, function, "the option kv_heads", kv, 1) ||
        !weft__is_share(m, function, "the option dropout", o.dropout))
        return weft__layer_done(m);
    const bool turns_pairs = o.rotary != 0;
    if ((unsigned)o.names > WEFT_NN_NAMES_LLAMA || width % heads || heads % kv)
        weft__layer_fail(
            m, function, WEFT_E_INVALID,
            "names is %d, width %lld, heads %lld, kv_heads %lld; names is one of weft_nn_names, heads divides "
            "width and kv_heads heads",
            (int)o.names, (long long)width, (long long)heads, (long long)kv);
    else if (turns_pairs && (!(o.rotary > 1) || !isfinite(o.rotary) || width / heads % 2))
        weft__layer_fail(
            m, function, WEFT_E_INVALID,
            "the option rotary is %g and a head has %lld columns; it is 0 or above 1, with an even number of "
            "columns",
            o.rotary, (long long)(width / heads));
    else {
        m->as.attention = (weft__attention_state){.names = o.names,
                                                  .width = width,
                                                  .heads = heads,
                                                  .kv_heads = kv,
                                                  .size = width / heads,
                                                  .dropout = o.dropout,
                                                  .rotary = o.rotary,
                                                  .causal = o.causal};
        make_parts(m, function, o.bias);
    }
    return weft__layer_done(m);
}
