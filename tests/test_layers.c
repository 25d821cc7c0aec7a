/* test_layers.c - each layer against PyTorch's of the same state dict, by tests/nn/layers.safetensors: names, results,
 * gradients, and buffers afterwards. nn/make_layers.py makes the file. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <weft/nn.h>
#include "harness/test_ctx.h"
#include "harness/weft_test.h"

enum { MOST = 4096, NAMES = 64 };

typedef struct reference {
    weft_ctx *c;
    weft_named_tensor *tensors;
    int n;
    const char *name; /* of the case */
} reference;

/* The tensor CASE/what, or NULL. */
static weft_tensor *given(const reference *r, const char *what)
{
    char name[320];
    snprintf(name, sizeof name, "%s/%s", r->name, what);
    return weft_named(r->tensors, r->n, name);
}

static weft_tensor *need(const reference *r, const char *what)
{
    weft_tensor *t = given(r, what);
    if (!t)
        WEFT_FAIL("%s: the file has no %s", r->name, what);
    return t;
}

static void check_close(const reference *r, const char *what, weft_tensor *got, weft_tensor *want)
{
    static double a[MOST], b[MOST];
    if (!got || !want) {
        WEFT_FAIL("%s: there is no %s: %s", r->name, what, weft_ctx_message(r->c));
        return;
    }
    const int64_t n = weft_count(want);
    bool same = weft_ndim(got) == weft_ndim(want) && n <= MOST;
    for (int d = 0; d < weft_ndim(want) && same; d++)
        same = weft_size(got, d) == weft_size(want, d);
    if (!same) {
        WEFT_FAIL("%s: %s has another shape", r->name, what);
        return;
    }
    WEFT_CHECK_OK(weft_read(r->c, weft_cast(weft_detach(got), WEFT_F64), a, (size_t)n * sizeof *a));
    WEFT_CHECK_OK(weft_read(r->c, weft_cast(want, WEFT_F64), b, (size_t)n * sizeof *b));
    for (int64_t k = 0; k < n; k++)
        if (!(fabs(a[k] - b[k]) <= 2e-5 * (1 + fabs(b[k])))) {
            WEFT_FAIL("%s: %s[%lld] is %.9g, PyTorch's %.9g", r->name, what, (long long)k, a[k], b[k]);
            return;
        }
}

/* ---- The cases ---- */

static weft_module *linear(weft_module *p, const char *name)
{
    return weft_nn_linear(p, name, 5, 3, strcmp(name, "linear") == 0);
}

static weft_module *embedding(weft_module *p, const char *name)
{
    return weft_nn_embedding(p, name, 7, 4);
}

static weft_module *conv1d(weft_module *p, const char *name)
{
    weft_nn_conv_options o = WEFT_NN_CONV_DEFAULTS;
    o.stride[0] = o.padding[0] = o.dilation[0] = o.groups = 2;
    return weft_nn_conv(p, name, 4, 6, WEFT_DIMS(3), &o);
}

static weft_module *conv2d(weft_module *p, const char *name)
{
    weft_nn_conv_options o = WEFT_NN_CONV_DEFAULTS;
    o.stride[0] = 2;
    o.padding[0] = 1;
    return weft_nn_conv(p, name, 3, 4, WEFT_DIMS(3, 2), &o);
}

static weft_module *conv3d(weft_module *p, const char *name)
{
    weft_nn_conv_options o = WEFT_NN_CONV_DEFAULTS;
    o.stride[1] = 2;
    o.padding[1] = o.padding[2] = 1;
    o.bias = false;
    return weft_nn_conv(p, name, 2, 3, WEFT_DIMS(2, 3, 2), &o);
}

static weft_module *conv1d_transpose(weft_module *p, const char *name)
{
    weft_nn_conv_options o = WEFT_NN_CONV_DEFAULTS;
    o.stride[0] = o.groups = 2;
    o.padding[0] = o.output_padding[0] = 1;
    return weft_nn_conv_transpose(p, name, 4, 6, WEFT_DIMS(3), &o);
}

static weft_module *conv2d_transpose(weft_module *p, const char *name)
{
    weft_nn_conv_options o = WEFT_NN_CONV_DEFAULTS;
    o.stride[0] = o.dilation[1] = 2;
    o.stride[1] = 3;
    o.padding[0] = 1;
    return weft_nn_conv_transpose(p, name, 3, 4, WEFT_DIMS(3, 2), &o);
}

static weft_module *conv3d_transpose(weft_module *p, const char *name)
{
    weft_nn_conv_options o = WEFT_NN_CONV_DEFAULTS;
    o.stride[0] = o.stride[1] = o.stride[2] = 2;
    o.bias = false;
    return weft_nn_conv_transpose(p, name, 2, 3, WEFT_DIMS(2, 2, 2), &o);
}

static weft_module *batch_norm(weft_module *p, const char *name)
{
    weft_nn_norm_options o = WEFT_NN_NORM_DEFAULTS;
    const bool momentum = strstr(name, "momentum"), untracked = strstr(name, "untracked");
    if (strstr(name, "eval"))
        o.eps = 1e-3;
    o.momentum = momentum ? 0.4 : o.momentum;
    o.affine = !momentum;
    o.running = !untracked;
    return weft_nn_batch_norm(p, name, momentum || untracked ? 3 : 4, &o);
}

static weft_module *layer_norm(weft_module *p, const char *name)
{
    weft_nn_norm_options o = WEFT_NN_NORM_DEFAULTS;
    if (strstr(name, "no_bias")) {
        o.bias = false;
        o.eps = 1e-3;
        return weft_nn_layer_norm(p, name, WEFT_DIMS(4), &o);
    }
    o.affine = !strstr(name, "plain");
    return weft_nn_layer_norm(p, name, WEFT_DIMS(3, 4), &o);
}

static weft_module *rms_norm(weft_module *p, const char *name)
{
    weft_nn_norm_options o = WEFT_NN_NORM_DEFAULTS;
    if (!strstr(name, "plain"))
        return weft_nn_rms_norm(p, name, WEFT_DIMS(6), NULL);
    o.affine = false;
    return weft_nn_rms_norm(p, name, WEFT_DIMS(2, 3), &o);
}

static weft_module *group_norm(weft_module *p, const char *name)
{
    return weft_nn_group_norm(p, name, 2, 6, NULL);
}

static weft_module *instance_norm(weft_module *p, const char *name)
{
    weft_nn_norm_options o = WEFT_NN_NORM_DEFAULTS;
    o.affine = strstr(name, "affine");
    return weft_nn_instance_norm(p, name, 3, &o);
}

static weft_module *max_pool(weft_module *p, const char *name)
{
    weft_window_params w = WEFT_WINDOW_DEFAULTS;
    if (strstr(name, "dilated")) {
        w.kernel[0] = w.kernel[1] = w.dilation[0] = w.dilation[1] = 2;
        w.ceil_mode = true;
        return weft_nn_max_pool(p, name, &w);
    }
    for (int d = 0; d < 2; d++) {
        w.kernel[d] = 3;
        w.stride[d] = 2;
        w.padding[d] = 1;
    }
    return weft_nn_max_pool(p, name, &w);
}

static weft_module *avg_pool(weft_module *p, const char *name)
{
    weft_window_params w = WEFT_WINDOW_DEFAULTS;
    if (strcmp(name, "avg_pool") != 0) {
        w.exclude_padding = strstr(name, "excluding");
        w.kernel[0] = w.kernel[1] = 3;
        w.stride[0] = w.stride[1] = 2;
        w.padding[0] = w.padding[1] = 1;
        return weft_nn_avg_pool(p, name, &w);
    }
    w.ndim = 1;
    w.kernel[0] = 2;
    return weft_nn_avg_pool(p, name, &w);
}

static weft_module *adaptive_avg_pool(weft_module *p, const char *name)
{
    return weft_nn_adaptive_avg_pool(p, name, WEFT_DIMS(2, 3));
}

static weft_module *recurrent(weft_module *p, const char *name)
{
    weft_nn_recurrent_options o = WEFT_NN_RECURRENT_DEFAULTS;
    const bool relu = strcmp(name, "rnn_relu") == 0;
    const weft_nn_cell cell = strcmp(name, "lstm") == 0  ? WEFT_NN_CELL_LSTM
                              : strcmp(name, "gru") == 0 ? WEFT_NN_CELL_GRU
                                                         : WEFT_NN_CELL_RNN;
    o.relu = relu;
    o.bias = !relu;
    o.layers = relu ? 1 : 2;
    o.bidirectional = cell != WEFT_NN_CELL_RNN;
    o.batch_first = relu || cell == WEFT_NN_CELL_LSTM;
    return weft_nn_recurrent(p, name, cell, 3, 4, &o);
}

static weft_module *attention(weft_module *p, const char *name)
{
    weft_nn_attention_options o = WEFT_NN_ATTENTION_DEFAULTS;
    const bool mask = strstr(name, "mask");
    o.bias = !mask;
    return weft_nn_attention(p, name, 8, mask ? 4 : 2, &o);
}

static weft_module *block(weft_module *p, const char *name)
{
    weft_nn_block_options o = WEFT_NN_BLOCK_DEFAULTS;
    if (strstr(name, "gpt")) {
        o.names = WEFT_NN_NAMES_GPT;
        o.activation = WEFT_NN_ACTIVATION_GELU_TANH;
        o.causal = true;
        return weft_nn_block(p, name, 8, 2, &o);
    }
    if (strstr(name, "llama")) {
        o.names = WEFT_NN_NAMES_LLAMA;
        o.activation = WEFT_NN_ACTIVATION_SWIGLU;
        o.rms = o.causal = true;
        o.bias = false;
        o.hidden = 20;
        o.kv_heads = 2;
        o.eps = 1e-6;
        o.rotary = 10000;
        return weft_nn_block(p, name, 16, 4, &o);
    }
    o.hidden = 12;
    if (strstr(name, "relu")) {
        o.activation = WEFT_NN_ACTIVATION_RELU;
        o.bias = false;
    }
    return weft_nn_block(p, name, 8, 2, &o);
}

static weft_module *sequential(weft_module *p, const char *name)
{
    weft_module *net = weft_nn_sequential(p, name);
    weft_nn_conv_options same = WEFT_NN_CONV_DEFAULTS;
    same.padding[0] = same.padding[1] = 1;
    weft_window_params halve = WEFT_WINDOW_DEFAULTS;
    halve.kernel[0] = halve.kernel[1] = 2;
    weft_nn_conv(net, NULL, 1, 2, WEFT_DIMS(3, 3), &same);
    weft_nn_batch_norm(net, NULL, 2, NULL);
    weft_nn_function(net, NULL, weft_relu);
    weft_nn_max_pool(net, NULL, &halve);
    weft_nn_flatten(net, NULL, 1);
    weft_nn_linear(net, NULL, 8, 3, true);
    return net;
}

static const struct {
    const char *name;
    weft_module *(*make)(weft_module *parent, const char *name);
} cases[] = {{"linear", linear},
             {"linear_plain", linear},
             {"embedding", embedding},
             {"conv1d", conv1d},
             {"conv2d", conv2d},
             {"conv3d", conv3d},
             {"conv1d_transpose", conv1d_transpose},
             {"conv2d_transpose", conv2d_transpose},
             {"conv3d_transpose", conv3d_transpose},
             {"batch_norm", batch_norm},
             {"batch_norm_eval", batch_norm},
             {"batch_norm_momentum", batch_norm},
             {"batch_norm_untracked", batch_norm},
             {"layer_norm", layer_norm},
             {"layer_norm_no_bias", layer_norm},
             {"layer_norm_plain", layer_norm},
             {"rms_norm", rms_norm},
             {"rms_norm_plain", rms_norm},
             {"group_norm", group_norm},
             {"instance_norm", instance_norm},
             {"instance_norm_affine", instance_norm},
             {"max_pool", max_pool},
             {"max_pool_dilated", max_pool},
             {"avg_pool", avg_pool},
             {"avg_pool_padded", avg_pool},
             {"avg_pool_excluding", avg_pool},
             {"adaptive_avg_pool", adaptive_avg_pool},
             {"rnn", recurrent},
             {"rnn_relu", recurrent},
             {"gru", recurrent},
             {"lstm", recurrent},
             {"attention", attention},
             {"attention_mask", attention},
             {"block", block},
             {"block_relu", block},
             {"block_gpt", block},
             {"block_llama", block},
             {"sequential", sequential}};
enum { CASES = sizeof cases / sizeof cases[0] };

/* ---- Running them ---- */

static weft_tensor *run(const reference *r, weft_module *m, weft_tensor *x)
{
    weft_forward_options o = WEFT_FORWARD_DEFAULTS;
    weft_tensor *y, *h, *c;
    if (!given(r, "h")) {
        o.mask = given(r, "mask");
        return weft_forward_with(m, x, &o);
    }
    WEFT_CHECK_OK(weft_nn_recurrent_forward(m, x, given(r, "h0"), given(r, "c0"), &y, &h, &c));
    check_close(r, "h", h, need(r, "h"));
    if (given(r, "c"))
        check_close(r, "c", c, need(r, "c"));
    return y;
}

static void check_gradients(const reference *r, weft_module *m, weft_tensor *x)
{
    weft_named_tensor list[NAMES];
    char name[160];
    const int n = weft_module_tensors(m, WEFT_MODULE_TENSORS_PARAMETERS, list, NAMES);
    for (int k = 0; k < n; k++) {
        snprintf(name, sizeof name, "grad/%s", list[k].name);
        check_close(r, name, weft_grad_of(list[k].tensor), need(r, name));
    }
    if (given(r, "dx"))
        check_close(r, "dx", weft_grad_of(x), need(r, "dx"));
}

static void check_buffers(const reference *r, weft_module *m)
{
    weft_named_tensor list[NAMES];
    char name[160];
    const int n = weft_module_tensors(m, WEFT_MODULE_TENSORS_BUFFERS, list, NAMES);
    for (int k = 0; k < n; k++) {
        snprintf(name, sizeof name, "after/%s", list[k].name);
        check_close(r, name, list[k].tensor, need(r, name));
    }
}

static void note(void *user, weft_load_fault fault, const char *name, const char *text)
{
    (void)name;
    WEFT_FAIL("%s: fault %d: %s", (const char *)user, (int)fault, text);
}

static void check_case(void *user)
{
    const int k = *(const int *)user;
    fault_memory memory = {0};
    weft_ctx *c = fault_ctx_open(&memory);
    weft_module *model = NULL;
    char prefix[160];
    reference r = {.c = c, .name = cases[k].name};
    if (weft_load_safetensors(c, WEFT_SOURCE_DIR "/tests/nn/layers.safetensors", &r.tensors, &r.n) == WEFT_OK &&
        weft_module_open(c, NULL, &model) == WEFT_OK) {
        weft_module_load_options o = WEFT_MODULE_LOAD_DEFAULTS;
        snprintf(prefix, sizeof prefix, "%s/state/", r.name);
        o.prefix = prefix;
        o.report = note;
        o.user = (void *)(uintptr_t)r.name;
        weft_module *m = cases[k].make(model, r.name);
        WEFT_CHECK_OK(weft_module_load_named(m, r.tensors, r.n, &o));
        weft_module_train(m, !strstr(r.name, "eval") && !strstr(r.name, "untracked"));
        weft_tensor *x = need(&r, "x");
        if (given(&r, "dx"))
            x = weft_set_requires_grad(weft_clone(x), true);
        weft_tensor *y = run(&r, m, x), *g = need(&r, "g");
        check_close(&r, "y", y, need(&r, "y"));
        if (y && weft_requires_grad(y)) {
            WEFT_CHECK_OK(weft_backward_with(c, &y, &g, 1));
            check_gradients(&r, m, x);
        }
        check_buffers(&r, m);
    }
    WEFT_CHECK_STR_EQ(weft_ctx_message(c), "");
    weft_named_free(c, r.tensors, r.n);
    weft_module_close(model);
    WEFT_CHECK_EQ_INT(weft_leaks(c, NULL, NULL), 0);
    fault_ctx_close(c, &memory);
}

WEFT_TEST_INIT(layers)
{
    static int numbers[CASES];
    for (int k = 0; k < CASES; k++) {
        numbers[k] = k;
        weft_test_add("TorchLayers", cases[k].name, check_case, &numbers[k], __FILE__, __LINE__);
    }
}

/* Every case of the file is tested: what the script has more would be a layer that nobody looks at. */
WEFT_TEST(TorchLayers, EveryCaseOfTheFileIsTested)
{
    fault_memory memory = {0};
    weft_ctx *c = fault_ctx_open(&memory);
    weft_named_tensor *list;
    int n, found = 0;
    WEFT_REQUIRE(weft_load_safetensors(c, WEFT_SOURCE_DIR "/tests/nn/layers.safetensors", &list, &n) == WEFT_OK);
    for (int k = 0; k < n; k++) {
        const char *slash = strchr(list[k].name, '/');
        if (strcmp(slash, "/y") != 0)
            continue;
        bool known = false;
        for (int i = 0; i < CASES; i++)
            known = known || (strncmp(cases[i].name, list[k].name, (size_t)(slash - list[k].name)) == 0 &&
                              strlen(cases[i].name) == (size_t)(slash - list[k].name));
        if (!known)
            WEFT_FAIL("%s is not tested", list[k].name);
        found++;
    }
    WEFT_CHECK_EQ_INT(found, CASES);
    weft_named_free(c, list, n);
    fault_ctx_close(c, &memory);
}
