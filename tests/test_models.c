/* test_models.c - what is done with models: generating with a cache, adapters, summaries, batches, first values. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <weft/nn.h>
#include "harness/test_ctx.h"
#include "harness/test_folder.h"
#include "harness/weft_test.h"

static weft_module *open_model(weft_ctx *c)
{
    weft_module *m = NULL;
    WEFT_CHECK_OK(weft_module_open(c, NULL, &m));
    return m;
}

static double furthest(weft_ctx *c, weft_tensor *a, weft_tensor *b)
{
    return weft_item(c, weft_max_over(weft_abs(weft_sub(weft_detach(a), weft_detach(b))), WEFT_ALL, false));
}

static bool same_bits(weft_ctx *c, weft_tensor *a, weft_tensor *b)
{
    return weft_item_i64(c, weft_all(weft_eq(weft_detach(a), weft_detach(b)), WEFT_ALL, false)) == 1;
}

/* ---- Generating ---- */

/* Two blocks, causal; kind 0: as GPT-2, 1: as Llama, with grouped heads and rotary embeddings, 2: as torch.nn. */
static weft_module *blocks(weft_module *model, int kind)
{
    weft_module *net = weft_nn_sequential(model, NULL);
    weft_nn_block_options o = WEFT_NN_BLOCK_DEFAULTS;
    o.names = kind == 0 ? WEFT_NN_NAMES_GPT : kind == 1 ? WEFT_NN_NAMES_LLAMA : WEFT_NN_NAMES_TORCH;
    o.causal = true;
    o.rms = kind == 1;
    o.kv_heads = kind == 1 ? 2 : 4;
    o.rotary = kind == 1 ? 10000 : 0;
    o.activation = kind == 1 ? WEFT_NN_ACTIVATION_SWIGLU : WEFT_NN_ACTIVATION_GELU_TANH;
    for (int k = 0; k < 2; k++)
        weft_nn_block(net, NULL, 16, 4, &o);
    return net;
}

WEFT_TEST(Models, PrefillAndOneTokenAfterTheOtherGiveWhatTheWholeSequenceDoes)
{
    static const int64_t ends[] = {4, 5, 6, 9, 12}; /* the prompt, tokens, and several at once */
    for (int kind = 0; kind < 3; kind++) {
        fault_memory memory = {0};
        weft_ctx *c = fault_ctx_open(&memory);
        weft_module *model = open_model(c), *net = blocks(model, kind);
        weft_cache *cache = NULL;
        WEFT_CHECK_OK(weft_cache_open(c, 12, &cache));
        const int mark = weft_scope_push_no_grad(c);
        weft_tensor *x = weft_randn(c, WEFT_F32, WEFT_DIMS(3, 12, 16), 0, 1), *whole = weft_forward(net, x);
        weft_forward_options o = WEFT_FORWARD_DEFAULTS;
        o.cache = cache;
        for (int round = 0; round < 2; round++) {
            for (int64_t k = 0, from = 0; k < 5; from = ends[k++]) {
                WEFT_CHECK_EQ_INT(weft_cache_tokens(cache), from);
                o.mask = round ? weft_ones(c, WEFT_BOOL, WEFT_DIMS(ends[k] - from, ends[k])) : NULL;
                weft_tensor *y = weft_forward_with(net, weft_slice(x, 1, from, ends[k], 1), &o);
                WEFT_CHECK_NEAR(furthest(c, y, weft_slice(whole, 1, from, ends[k], 1)), 0, 5e-6);
            }
            o.mask = NULL;
            check_no_result(c, weft_forward_with(net, weft_slice(x, 1, 0, 1, 1), &o), WEFT_E_SHAPE,
                            "the cache has 12 tokens of at most 12, and 1 are to come");
            WEFT_CHECK_OK(weft_cache_keep(cache, 0)); /* and again, in the same room */
        }
        WEFT_CHECK_OK(weft_scope_pop(c, mark));
        weft_cache_close(cache);
        weft_module_close(model);
        WEFT_CHECK_EQ_INT(weft_leaks(c, NULL, NULL), 0);
        fault_ctx_close(c, &memory);
    }
}

WEFT_TEST(Models, ACacheSaysWhatItCannotDo)
{
    fault_memory memory = {0};
    weft_ctx *c = fault_ctx_open(&memory);
    weft_module *model = open_model(c), *net = blocks(model, 0);
    weft_cache *cache = NULL;
    WEFT_CHECK_STATUS(weft_cache_open(c, 0, &cache), WEFT_E_INVALID);
    weft_ctx_clear(c);
    WEFT_CHECK_OK(weft_cache_open(c, 8, &cache));
    weft_forward_options o = WEFT_FORWARD_DEFAULTS;
    o.cache = cache;
    weft_tensor *x = weft_ones(c, WEFT_F32, WEFT_DIMS(2, 3, 16));
    check_no_result(c, weft_forward_with(net, x, &o), WEFT_E_STATE, "weft_scope_push_no_grad");
    WEFT_CHECK_EQ_INT(weft_cache_tokens(cache), 0);
    const int mark = weft_scope_push_no_grad(c);
    WEFT_CHECK(weft_forward_with(net, x, &o) != NULL);
    check_no_result(c, weft_forward_with(net, weft_slice(x, 0, 0, 1, 1), &o), WEFT_E_SHAPE, "the cache has keys");
    WEFT_CHECK_STATUS(weft_cache_keep(cache, 4), WEFT_E_INVALID);
    weft_ctx_clear(c);
    WEFT_CHECK_OK(weft_cache_keep(cache, 2));
    WEFT_CHECK_EQ_INT(weft_cache_tokens(cache), 2);
    weft_cache_close(cache);
    weft_cache_close(cache);
    check_no_result(c, weft_forward_with(net, x, &o), WEFT_E_STATE, "the cache that weft_cache_open made at");
    WEFT_CHECK_EQ_INT(weft_cache_tokens(cache), 0);
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
    weft_module_close(model);
    fault_ctx_close(c, &memory);
}

/* The same weights in another dtype give nearly the same, forward and backward. */
WEFT_TEST(Models, BlocksOfEveryFloatingDtype)
{
    static const weft_dtype dtypes[] = {WEFT_F64, WEFT_F16, WEFT_BF16};
    static const double most[] = {1e-5, 0.02, 0.15};
    for (int k = 0; k < 9; k++) {
        fault_memory memory = {0};
        weft_ctx *c = fault_ctx_open(&memory);
        weft_module *model = open_model(c), *net = blocks(model, k / 3), *other = NULL;
        weft_module_options o = WEFT_MODULE_DEFAULTS;
        weft_named_tensor list[64];
        o.dtype = dtypes[k % 3];
        WEFT_CHECK_OK(weft_module_open(c, &o, &other));
        weft_module *copy = blocks(other, k / 3);
        const int n = weft_module_tensors(model, 0, list, 64);
        WEFT_CHECK_OK(weft_module_load_named(other, list, n, NULL));
        weft_tensor *x = weft_randn(c, WEFT_F32, WEFT_DIMS(2, 5, 16), 0, 1), *y[2];
        y[0] = weft_forward(net, x);
        y[1] = weft_forward(copy, weft_cast(x, o.dtype));
        WEFT_CHECK(y[1] && weft_dtype_of(y[1]) == o.dtype);
        WEFT_CHECK_NEAR(furthest(c, y[0], weft_cast(y[1], WEFT_F32)), 0, most[k % 3]);
        for (int side = 0; side < 2; side++)
            WEFT_CHECK_OK(weft_backward(c, weft_sum(weft_square(y[side]), WEFT_ALL, false)));
        weft_tensor *g = weft_grad_of(list[0].tensor), *h = weft_grad_of(weft_module_tensor(other, list[0].name));
        WEFT_REQUIRE(g && h);
        const double size = weft_item(c, weft_max_over(weft_abs(g), WEFT_ALL, false));
        WEFT_CHECK(furthest(c, g, weft_cast(h, WEFT_F32)) < most[k % 3] * (size + 1));
        weft_module_close(model);
        weft_module_close(other);
        fault_ctx_close(c, &memory);
    }
}

/* A mask as truth values and as numbers, with and without dropout's way through the scores. */
WEFT_TEST(Models, MasksHideKeys)
{
    fault_memory memory = {0};
    weft_ctx *c = fault_ctx_open(&memory);
    weft_module *model = open_model(c);
    weft_nn_attention_options o = WEFT_NN_ATTENTION_DEFAULTS;
    o.causal = true;
    weft_module *causal = weft_nn_attention(model, "causal", 8, 2, &o);
    o.causal = false;
    o.dropout = 1e-12; /* through the scores, and drops nothing */
    weft_module *open = weft_nn_attention(model, "open", 8, 2, &o);
    static const char *const names[] = {"in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"};
    for (int k = 0; k < 4; k++)
        WEFT_CHECK_OK(weft_module_set(open, names[k], weft_module_tensor(causal, names[k])));
    weft_tensor *x = weft_randn(c, WEFT_F32, WEFT_DIMS(2, 6, 8), 0, 1), *y = weft_forward(causal, x);
    weft_tensor *seen = weft_tril(weft_ones(c, WEFT_BOOL, WEFT_DIMS(6, 6)), 0);
    weft_forward_options f = WEFT_FORWARD_DEFAULTS;
    for (int k = 0; k < 4; k++) {
        f.mask = k % 2 ? weft_where(seen, weft_scalar(c, WEFT_F32, 0), weft_scalar(c, WEFT_F32, -INFINITY)) : seen;
        WEFT_CHECK_OK(weft_module_train(open, k / 2));
        WEFT_CHECK_NEAR(furthest(c, weft_forward_with(open, x, &f), y), 0, 2e-6);
    }
    /* causal and a mask: the first key is hidden from all but the first query */
    weft_tensor *not_first =
        weft_gt(weft_add(weft_arange(c, WEFT_F32, 0, 6, 1),
                         weft_reshape(weft_eq(weft_arange(c, WEFT_F32, 0, 6, 1), weft_scalar(c, WEFT_F32, 0)),
                                      WEFT_DIMS(6, 1))),
                weft_scalar(c, WEFT_F32, 0));
    f.mask = not_first;
    y = weft_forward_with(causal, x, &f);
    f.mask = weft_logical_and(not_first, seen);
    WEFT_CHECK_NEAR(furthest(c, weft_forward_with(open, x, &f), y), 0, 2e-6);
    WEFT_CHECK(furthest(c, y, weft_forward(causal, x)) > 1e-3);
    check_no_result(c, (f.mask = weft_ones(c, WEFT_BOOL, WEFT_DIMS(5, 6)), weft_forward_with(open, x, &f)),
                    WEFT_E_SHAPE, "[5, 6]");
    weft_module_close(model);
    fault_ctx_close(c, &memory);
}

/* Dropout between layers goes another way than the layers at once; without it both are the same. */
WEFT_TEST(Models, RecurrentLayersOneByOneAreThoseAtOnce)
{
    for (weft_nn_cell cell = WEFT_NN_CELL_RNN; cell <= WEFT_NN_CELL_LSTM; cell++) {
        fault_memory memory = {0};
        weft_ctx *c = fault_ctx_open(&memory);
        weft_module *model = open_model(c);
        weft_nn_recurrent_options o = WEFT_NN_RECURRENT_DEFAULTS;
        o.layers = 3;
        o.bidirectional = true;
        o.dropout = 1e-12;
        weft_module *m = weft_nn_recurrent(model, "m", cell, 3, 4, &o);
        weft_tensor *x = weft_randn(c, WEFT_F32, WEFT_DIMS(5, 2, 3), 0, 1), *s[2] = {NULL, NULL}, *y[2], *h[2], *cs[2];
        for (int k = 0; k < (cell == WEFT_NN_CELL_LSTM ? 2 : 1); k++)
            s[k] = weft_randn(c, WEFT_F32, WEFT_DIMS(6, 2, 4), 0, 1);
        for (int k = 0; k < 2; k++) {
            weft_module_train(m, k);
            WEFT_CHECK_OK(weft_nn_recurrent_forward(m, x, s[0], s[1], &y[k], &h[k], &cs[k]));
        }
        WEFT_CHECK_NEAR(furthest(c, y[0], y[1]), 0, 1e-6);
        WEFT_CHECK_NEAR(furthest(c, h[0], h[1]), 0, 1e-6);
        WEFT_CHECK((cs[0] != NULL) == (cell == WEFT_NN_CELL_LSTM));
        if (cs[0])
            WEFT_CHECK_NEAR(furthest(c, cs[0], cs[1]), 0, 1e-6);
        weft_module_close(model);
        o.dropout = 0.5;
        model = open_model(c);
        m = weft_nn_recurrent(model, "m", cell, 3, 4, &o);
        WEFT_CHECK(furthest(c, weft_forward(m, x), weft_forward(m, x)) > 0.01);
        WEFT_CHECK_STATUS(weft_nn_recurrent_forward(m, x, x, NULL, NULL, NULL, NULL), WEFT_E_SHAPE);
        WEFT_CHECK_STR_HAS(weft_ctx_message(c), "h0 is f32 [5, 2, 3]; it must be [6, N, 4]");
        weft_ctx_clear(c);
        weft_module_close(model);
        fault_ctx_close(c, &memory);
    }
}

/* ---- Adapters ---- */

static void train(weft_ctx *c, weft_module *model, weft_module *net, weft_tensor *x, int steps)
{
    int n;
    weft_optim *opt;
    weft_tensor *const *params = weft_module_parameters(model, &n);
    weft_adam_options adam = WEFT_ADAM_DEFAULTS;
    adam.lr = 0.05;
    WEFT_CHECK_OK(weft_adam_open(c, params, n, &adam, &opt));
    for (int k = 0; k < steps; k++) {
        const int mark = weft_scope_push(c);
        weft_backward(c, weft_mse(weft_forward(net, x), x));
        weft_optim_step(c, opt);
        weft_optim_zero_grad(c, opt);
        WEFT_CHECK_OK(weft_scope_pop(c, mark));
    }
    weft_optim_close(opt);
}

WEFT_TEST(Models, AdaptersAreTrainedAloneMergedAndSaved)
{
    fault_memory memory = {0};
    weft_ctx *c = fault_ctx_open(&memory);
    test_folder folder;
    WEFT_REQUIRE(test_folder_make(&folder));
    weft_module *model = open_model(c), *net = blocks(model, 0), *second = open_model(c), *twin = blocks(second, 0);
    weft_tensor *x = weft_randn(c, WEFT_F32, WEFT_DIMS(2, 5, 16), 0, 1);
    const char *base = test_path(&folder, "base.safetensors");
    WEFT_CHECK_OK(weft_module_save(model, base, 0));
    WEFT_CHECK_OK(weft_module_load(second, base, NULL));
    weft_tensor *before = weft_clone(weft_detach(weft_forward(net, x)));
    weft_lora_options o = WEFT_LORA_DEFAULTS;
    o.rank = 3;
    o.alpha = 6;
    WEFT_CHECK_EQ_INT(weft_lora_add(model, "*.c_attn", &o), 2);
    WEFT_CHECK(same_bits(c, weft_forward(net, x), before)); /* B is zeros at first */
    weft_tensor *a = weft_module_tensor(net, "0.attn.c_attn.lora_A.weight");
    WEFT_CHECK_NEAR(weft_item(c, weft_max_over(weft_abs(weft_detach(a)), WEFT_ALL, false)), 0.24,
                    0.02); /* 1/sqrt(16) */
    weft_named_tensor list[8];
    WEFT_CHECK_EQ_INT(weft_module_tensors(model, WEFT_MODULE_TENSORS_TRAINABLE, list, 8), 4);
    WEFT_CHECK_STR_EQ(list[3].name, "0.1.attn.c_attn.lora_B.weight");
    train(c, model, net, x, 20);
    weft_tensor *w = weft_module_tensor(net, "0.attn.c_attn.weight");
    WEFT_CHECK(same_bits(c, w, weft_module_tensor(twin, "0.attn.c_attn.weight"))); /* only adapters have moved */
    weft_tensor *after = weft_clone(weft_detach(weft_forward(net, x)));
    WEFT_CHECK(furthest(c, after, before) > 0.05);
    WEFT_CHECK_OK(weft_lora_save(model, test_path(&folder, "lora.safetensors")));
    /* merged, and out again */
    WEFT_CHECK_OK(weft_lora_merge(model));
    WEFT_CHECK_OK(weft_lora_merge(model));
    WEFT_CHECK(!same_bits(c, w, weft_module_tensor(twin, "0.attn.c_attn.weight")));
    WEFT_CHECK_NEAR(furthest(c, weft_forward(net, x), after), 0, 5e-6);
    WEFT_CHECK_OK(weft_lora_unmerge(model));
    WEFT_CHECK_NEAR(furthest(c, w, weft_module_tensor(twin, "0.attn.c_attn.weight")), 0, 1e-6);
    WEFT_CHECK_NEAR(furthest(c, weft_forward(net, x), after), 0, 5e-6);
    /* the file has adapters alone, by PEFT's names, and another model takes them */
    weft_named_tensor *saved;
    int n;
    WEFT_CHECK_OK(weft_load_safetensors(c, test_path(&folder, "lora.safetensors"), &saved, &n));
    WEFT_CHECK_EQ_INT(n, 4);
    WEFT_CHECK(weft_named(saved, n, "base_model.model.0.0.attn.c_attn.lora_A.weight") != NULL);
    weft_named_free(c, saved, n);
    WEFT_CHECK_STATUS(weft_lora_load(second, test_path(&folder, "lora.safetensors")), WEFT_E_MISMATCH);
    weft_ctx_clear(c);
    WEFT_CHECK_EQ_INT(weft_lora_add(second, "*.c_attn", &o), 2);
    WEFT_CHECK_OK(weft_lora_load(second, test_path(&folder, "lora.safetensors")));
    WEFT_CHECK(furthest(c, weft_forward(twin, x), after) < 5e-6);
    WEFT_CHECK_EQ_INT(weft_lora_add(second, "*.c_attn", &o), -1);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "weft_lora_add: linear 0.0.attn.c_attn: it has an adapter already");
    weft_ctx_clear(c);
    WEFT_CHECK_EQ_INT(weft_lora_add(second, "*.c_atn", &o), -1);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "no linear layer is named by \"*.c_atn\"");
    weft_ctx_clear(c);
    /* merged and removed it is an ordinary model with other weights */
    WEFT_CHECK_OK(weft_lora_merge(second));
    WEFT_CHECK_OK(weft_lora_remove(second));
    WEFT_CHECK_EQ_INT(weft_module_tensors(second, 0, NULL, 0), 24);
    WEFT_CHECK_NEAR(furthest(c, weft_forward(twin, x), after), 0, 5e-6);
    weft_module_close(model);
    weft_module_close(second);
    test_folder_drop(&folder);
    fault_ctx_close(c, &memory);
}

/* ---- Looking at a model ---- */

typedef struct seen {
    int rows;
    weft_summary_row conv, net;
} seen;

static void see(void *user, const weft_summary_row *row)
{
    seen *s = user;
    s->rows++;
    if (strcmp(row->kind, "conv2d") == 0)
        s->conv = *row;
    if (strcmp(row->kind, "sequential") == 0)
        s->net = *row;
}

WEFT_TEST(Models, ASummaryCountsShapesParametersAndWork)
{
    fault_memory memory = {0};
    weft_ctx *c = fault_ctx_open(&memory);
    weft_module *model = open_model(c), *net = weft_nn_sequential(model, "net");
    weft_nn_conv(net, NULL, 3, 4, WEFT_DIMS(3, 3), NULL);
    weft_module *norm = weft_nn_batch_norm(net, NULL, 4, NULL);
    weft_nn_function(net, NULL, weft_relu);
    weft_nn_flatten(net, NULL, 1);
    weft_nn_linear(net, NULL, 4 * 36, 10, true);
    weft_module_freeze(net, "0");
    weft_tensor *x = weft_ones(c, WEFT_F32, WEFT_DIMS(2, 3, 8, 8));
    seen s = {0};
    WEFT_CHECK_OK(weft_summary(net, x, see, &s));
    WEFT_CHECK_EQ_INT(s.rows, 6);
    WEFT_CHECK(s.conv.ndim == 4 && s.conv.shape[1] == 4 && s.conv.shape[3] == 6 && s.conv.calls == 1);
    WEFT_CHECK_EQ_INT(s.conv.parameters, 4 * 27 + 4);
    WEFT_CHECK_EQ_INT(s.conv.trainable, 0);
    WEFT_CHECK_NEAR(s.conv.flops, 2.0 * 27 * 2 * 4 * 36, 2.0 * 4 * 36 + 1);
    WEFT_CHECK(s.conv.bytes >= 4.0 * (2 * 3 * 64 + 2 * 4 * 36 + 108 + 4));
    WEFT_CHECK(s.net.flops > s.conv.flops + 2.0 * 2 * 144 * 10 && s.net.shape[1] == 10);
    WEFT_CHECK_EQ_INT(s.net.parameters, 112 + 8 + 1450);
    /* evaluation: nothing of the model has moved, and modes are as before */
    WEFT_CHECK_EQ_INT(weft_item_i64(c, weft_module_tensor(norm, "num_batches_tracked")), 0);
    WEFT_CHECK(weft_module_training(norm));
    char text[2000], cut[20];
    const int length = weft_summary_text(net, x, text, sizeof text);
    WEFT_CHECK_EQ_INT(length, (int)strlen(text));
    WEFT_CHECK_STR_HAS(text, "0: conv2d");
    WEFT_CHECK_STR_HAS(text, "[2, 4, 6, 6]");
    WEFT_CHECK_STR_HAS(text, "frozen");
    WEFT_CHECK_STR_HAS(text, "1570 parameters, 1458 trainable, and 9 values of buffers");
    WEFT_CHECK_EQ_INT(weft_summary_text(net, x, cut, sizeof cut), length);
    WEFT_CHECK(strlen(cut) < sizeof cut && strncmp(cut, text, strlen(cut)) == 0);
    WEFT_CHECK_EQ_INT(weft_summary_text(net, x, NULL, 0), length);
    WEFT_CHECK_EQ_INT(weft_summary_text(net, weft_ones(c, WEFT_F32, WEFT_DIMS(2, 3)), text, sizeof text), -1);
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_SHAPE);
    WEFT_CHECK(weft_module_training(norm));
    WEFT_CHECK_STATUS(weft_summary(net, x, NULL, NULL), WEFT_E_NULL_ARGUMENT);
    weft_ctx_clear(c);
    weft_module_close(model);
    fault_ctx_close(c, &memory);
}

/* ---- Loops ---- */

WEFT_TEST(Models, BatchesPermutationsAndAccuracy)
{
    fault_memory memory = {0};
    weft_ctx *c = fault_ctx_open(&memory);
    enum { N = 1000 };
    int64_t order[N], again[N];
    int seen_at[N] = {0}, fixed = 0;
    weft_seed(c, 5);
    weft_tensor *p = weft_randperm(c, N);
    WEFT_CHECK_OK(weft_read(c, p, order, sizeof order));
    WEFT_CHECK_OK(weft_read(c, weft_randperm(c, N), again, sizeof again));
    for (int k = 0; k < N; k++) {
        WEFT_REQUIRE(order[k] >= 0 && order[k] < N);
        seen_at[order[k]]++;
        fixed += order[k] == k;
    }
    for (int k = 0; k < N; k++)
        WEFT_CHECK_EQ_INT(seen_at[k], 1);
    WEFT_CHECK(fixed < 10 && memcmp(order, again, sizeof order) != 0);
    weft_seed(c, 5);
    WEFT_CHECK(same_bits(c, weft_randperm(c, N), p));
    WEFT_CHECK_EQ_INT(weft_count(weft_randperm(c, 0)), 0);
    check_no_result(c, weft_randperm(c, -1), WEFT_E_INVALID, "weft_randperm: n is -1");

    weft_tensor *data[] = {weft_reshape(weft_arange(c, WEFT_F32, 0, 12, 1), WEFT_DIMS(6, 2)),
                           weft_arange(c, WEFT_I64, 10, 16, 1)},
                *batch[2];
    weft_tensor *rows = weft_from_data(c, WEFT_I64, WEFT_DIMS(3), (const int64_t[]){5, 0, 5});
    WEFT_CHECK_OK(weft_batch(c, data, 2, rows, batch));
    WEFT_CHECK_EQ_INT(weft_item_i64(c, weft_select(batch[1], 0, 2)), 15);
    WEFT_CHECK_NEAR(weft_item(c, weft_sum(batch[0], WEFT_ALL, false)), 2 * 21 + 1, 0);
    weft_tensor *other[] = {data[0], weft_ones(c, WEFT_F32, WEFT_DIMS(5))};
    WEFT_CHECK_STATUS(weft_batch(c, other, 2, rows, batch), WEFT_E_SHAPE);
    WEFT_CHECK(batch[0] == NULL && batch[1] == NULL);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "tensor 0 has 6 rows and tensor 1 5");
    weft_ctx_clear(c);
    WEFT_CHECK_STATUS(weft_batch(c, data, 2, data[0], batch), WEFT_E_SHAPE);
    weft_ctx_clear(c);
    WEFT_CHECK_STATUS(weft_batch(c, data, 2, NULL, batch), WEFT_E_NULL_ARGUMENT);
    weft_ctx_clear(c);
    weft_tensor *beyond = weft_from_data(c, WEFT_I64, WEFT_DIMS(1), (const int64_t[]){6});
    WEFT_CHECK_STATUS(weft_batch(c, data, 2, beyond, batch), WEFT_E_INVALID);
    WEFT_CHECK(batch[0] == NULL && batch[1] == NULL);
    weft_ctx_clear(c);

    static const float scores[] = {1, 3, 2, 9, 8, 7, 0, 1, 2, 5, 4, 6};
    weft_tensor *logits = weft_from_data(c, WEFT_F32, WEFT_DIMS(2, 2, 3), scores),
                *target = weft_from_data(c, WEFT_I64, WEFT_DIMS(2, 2), (const int64_t[]){1, 1, 0, 0});
    WEFT_CHECK_NEAR(weft_accuracy(c, logits, target, 1), 0.25, 0);
    WEFT_CHECK_NEAR(weft_accuracy(c, logits, weft_cast(target, WEFT_I32), 2), 0.75, 0);
    WEFT_CHECK_NEAR(weft_accuracy(c, logits, target, 3), 1, 0);
    WEFT_CHECK(isnan(weft_accuracy(c, logits, target, 4)));
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_INVALID);
    WEFT_CHECK(isnan(weft_accuracy(c, logits, rows, 1)));
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_SHAPE);
    WEFT_CHECK(
        isnan(weft_accuracy(c, weft_ones(c, WEFT_F32, WEFT_DIMS(0, 3)), weft_ones(c, WEFT_I64, WEFT_DIMS(0)), 1)));
    WEFT_CHECK(isnan(weft_accuracy(c, NULL, target, 1)));
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_NULL_ARGUMENT);
    fault_ctx_close(c, &memory);
}

WEFT_TEST(Models, ABatchThatFailsHalfWayIsNotHandedBack)
{
    fault_memory memory = {0};
    weft_options o = fault_options(&memory);
    o.memory_budget = 4 << 20;
    weft_ctx *c = NULL;
    WEFT_REQUIRE(weft_ctx_open(&o, &c) == WEFT_OK);
    weft_tensor *data[] = {weft_ones(c, WEFT_F32, WEFT_DIMS(2)), weft_ones(c, WEFT_F32, WEFT_DIMS(2, 200000))},
                *batch[2];
    const int64_t live = weft_live_tensors(c, NULL, NULL);
    weft_tensor *rows = weft_zeros(c, WEFT_I64, WEFT_DIMS(10));
    WEFT_CHECK_STATUS(weft_batch(c, data, 2, rows, batch), WEFT_E_NOMEM);
    WEFT_CHECK(batch[0] == NULL && batch[1] == NULL);
    weft_ctx_clear(c);
    weft_drop(rows);
    WEFT_CHECK_EQ_INT(weft_live_tensors(c, NULL, NULL), live);
    fault_ctx_close(c, &memory);
}

/* ---- First values ---- */

WEFT_TEST(Models, TruncatedNormalsOrthogonalMatricesAndConstants)
{
    static const weft_dtype dtypes[] = {WEFT_F32, WEFT_F64, WEFT_BF16};
    /* mean, std, lo, hi; mean and variance of the truncated distribution (SciPy's truncnorm) */
    static const double known[][6] = {{0, 1, -2, 2, 0, 0.7737413035499232},
                                      {1, 0.5, 1, 3, 1.3988337132936377, 0.09066399173352688},
                                      {0, 1, 5, 6, 5.183147090477182, 0.029452430768436844}};
    for (int k = 0; k < 9; k++) {
        fault_memory m = {0};
        weft_ctx *c = fault_ctx_open(&m);
        weft_tensor *t = weft_param(weft_zeros(c, dtypes[k % 3], WEFT_DIMS(200, 500)), NULL);
        const double *w = known[k / 3], coarse = k % 3 == 2 ? 0.02 * (w[0] + w[3]) : 0;
        WEFT_CHECK(weft_init_trunc_normal_(t, w[0], w[1], w[2], w[3]) == t);
        weft_tensor *x = weft_cast(weft_detach(t), WEFT_F64);
        WEFT_CHECK(weft_item(c, weft_min_over(x, WEFT_ALL, false)) >= w[2]);
        WEFT_CHECK(weft_item(c, weft_max_over(x, WEFT_ALL, false)) <= w[3]);
        WEFT_CHECK_NEAR(weft_item(c, weft_mean(x, WEFT_ALL, false)), w[4], 5 * sqrt(w[5] / 1e5) + coarse / 10);
        WEFT_CHECK_NEAR(weft_item(c, weft_var(x, WEFT_ALL, false, 0)) / w[5], 1, 0.02 + coarse);
        weft_release(t);
        fault_ctx_close(c, &m);
    }
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *mean = weft_zeros(c, WEFT_F64, WEFT_SCALAR);
    for (int k = 0; k < 200; k++) { /* spread evenly: also the first element, which a QR alone makes negative or not */
        weft_tensor *one = weft_init_orthogonal_(weft_zeros(c, WEFT_F64, WEFT_DIMS(2, 2)), 1);
        mean = weft_add(mean, weft_sign(weft_select(weft_select(one, 0, 0), 0, 0)));
    }
    WEFT_CHECK_NEAR(weft_item(c, mean), 0, 60);
    for (int wide = 0; wide < 2; wide++) {
        weft_tensor *w = weft_zeros(c, WEFT_F64, wide ? (const int64_t[]){4, 3, 5} : (const int64_t[]){9, 2, 2}, 3);
        WEFT_CHECK(weft_init_orthogonal_(w, 3) == w);
        weft_tensor *q = weft_flatten(w, 1, -1);
        weft_tensor *product = wide ? weft_matmul(q, weft_transpose(q, 0, 1)) : weft_matmul(weft_transpose(q, 0, 1), q);
        WEFT_CHECK_NEAR(furthest(c, product, weft_mul_scalar(weft_eye(c, WEFT_F64, 4, 4), 9)), 0, 1e-12);
    }
    weft_tensor *t = weft_zeros(c, WEFT_F16, WEFT_DIMS(3));
    WEFT_CHECK(weft_init_constant_(t, 0.5) == t);
    WEFT_CHECK_NEAR(weft_item(c, weft_sum(t, WEFT_ALL, false)), 1.5, 0);
    WEFT_CHECK(weft_init_orthogonal_(weft_zeros(c, WEFT_F32, WEFT_DIMS(0, 3)), 1) != NULL);
    check_no_result(c, weft_init_orthogonal_(t, 1), WEFT_E_SHAPE, "weft_init_orthogonal_: the tensor has 1 dims");
    check_no_result(c, weft_init_trunc_normal_(t, 0, 0, -1, 1), WEFT_E_INVALID,
                    "weft_init_trunc_normal_: mean is 0, std 0");
    check_no_result(c, weft_init_trunc_normal_(t, 0, 1, 1, 1), WEFT_E_INVALID, "lo 1 and hi 1");
    check_no_result(c, weft_init_constant_(weft_ones(c, WEFT_I64, WEFT_DIMS(2)), 1), WEFT_E_DTYPE,
                    "weft_init_constant_: the tensor is i64");
    WEFT_CHECK(weft_init_constant_(NULL, 1) == NULL && weft_init_trunc_normal_(NULL, 0, 1, -1, 1) == NULL);
    fault_ctx_close(c, &m);
}
