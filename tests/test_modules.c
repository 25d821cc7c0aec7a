/* test_modules.c - models as trees of named tensors: who owns what, lists, freezing, tying, files, mistakes. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <weft/nn.h>
#include "harness/test_ctx.h"
#include "harness/test_folder.h"
#include "harness/weft_test.h"

enum { ROOM = 64 };

static weft_module *open_model(weft_ctx *c)
{
    weft_module *m = NULL;
    WEFT_CHECK_OK(weft_module_open(c, NULL, &m));
    return m;
}

/* Two blocks of one linear layer, a norm by the batch between them, all below "net". */
static weft_module *small_net(weft_module *model)
{
    weft_module *net = weft_nn_sequential(model, "net");
    weft_nn_linear(net, "a.fc", 3, 4, true);
    weft_module_set_forward(weft_module_find(net, "a"), NULL, NULL);
    weft_nn_batch_norm(net, "bn", 4, NULL);
    weft_nn_linear(net, "b", 4, 2, false);
    return net;
}

static void check_names(weft_module *m, int flags, const char *expected)
{
    weft_named_tensor list[ROOM];
    char text[1000] = "";
    const int n = weft_module_tensors(m, flags, list, ROOM);
    for (int k = 0; k < n; k++) {
        if (k)
            strcat(text, " ");
        strcat(text, list[k].name);
    }
    WEFT_CHECK_STR_EQ(text, expected);
}

static bool same_bits(weft_ctx *c, weft_tensor *a, weft_tensor *b)
{
    return weft_item_i64(c, weft_all(weft_eq(weft_detach(a), weft_detach(b)), WEFT_ALL, false)) == 1;
}

static double item(weft_ctx *c, weft_tensor *t)
{
    return weft_item(c, weft_sum(weft_detach(t), WEFT_ALL, false));
}

WEFT_TEST(Modules, NamesAndOrderAreThoseOfAStateDict)
{
    fault_memory memory = {0};
    weft_ctx *c = fault_ctx_open(&memory);
    weft_module *model = open_model(c), *net = small_net(model);
    check_names(model, 0,
                "net.a.fc.weight net.a.fc.bias net.bn.weight net.bn.bias net.bn.running_mean net.bn.running_var "
                "net.bn.num_batches_tracked net.b.weight");
    check_names(net, WEFT_MODULE_TENSORS_PARAMETERS, "a.fc.weight a.fc.bias bn.weight bn.bias b.weight");
    check_names(net, WEFT_MODULE_TENSORS_BUFFERS, "bn.running_mean bn.running_var bn.num_batches_tracked");
    weft_module *fc = weft_module_find(model, "net.a.fc");
    WEFT_CHECK_STR_EQ(weft_module_path(fc), "net.a.fc");
    WEFT_CHECK_STR_EQ(weft_module_kind(fc), "linear");
    WEFT_CHECK(weft_module_find(model, "net.a") != NULL && weft_module_find(model, "net.x") == NULL);
    WEFT_CHECK(weft_module_find(model, "") == model && weft_module_ctx(fc) == c);
    WEFT_CHECK(weft_module_tensor(model, "net.a.fc.weight") == weft_module_tensor(fc, "weight"));
    WEFT_CHECK(weft_module_tensor(model, "net.a.fc.weights") == NULL && weft_module_tensor(fc, "bias") != NULL);
    WEFT_CHECK_STR_EQ(weft_name(weft_module_tensor(fc, "weight")), "net.a.fc.weight");
    static const char *const paths[] = {"", "net", "net.a", "net.a.fc", "net.bn", "net.b"};
    int n = 0;
    for (weft_module *m = weft_module_next(model, NULL); m; m = weft_module_next(model, m), n++)
        WEFT_CHECK_STR_EQ(weft_module_path(m), n < 6 ? paths[n] : "no more");
    WEFT_CHECK_EQ_INT(n, 6);
    WEFT_CHECK(weft_module_next(fc, fc) == NULL && weft_module_next(fc, net) == NULL);
    weft_module_counts counts;
    WEFT_CHECK_OK(weft_module_count(model, &counts, sizeof counts));
    WEFT_CHECK_EQ_INT(counts.tensors, 8);
    WEFT_CHECK_EQ_INT(counts.parameters, 12 + 4 + 8 + 8);
    WEFT_CHECK_EQ_INT(counts.trainable, counts.parameters);
    WEFT_CHECK_EQ_INT(counts.buffers, 9);
    WEFT_CHECK_EQ_INT(counts.bytes, 4 * (32 + 8) + 8);
    weft_module_close(model);
    WEFT_CHECK(weft_module_path(fc) == NULL);
    fault_ctx_close(c, &memory);
}

WEFT_TEST(Modules, AModelThatIsLeftOpenIsOneLeakAndEndsWithItsContext)
{
    fault_memory memory = {0};
    weft_ctx *c = fault_ctx_open(&memory);
    weft_module *model = open_model(c);
    small_net(model);
    WEFT_CHECK_EQ_INT(weft_leaks(c, NULL, NULL), 1);
    memory.logged = 0;
    fault_ctx_close(c, &memory);
    WEFT_CHECK_EQ_INT(memory.logged, 1);
    WEFT_CHECK_STR_HAS(memory.last_log, "model made by weft_module_open at");
    WEFT_CHECK_STR_HAS(memory.last_log, "weft_module_close");
    WEFT_CHECK(weft_module_find(model, "net") == NULL);
    WEFT_CHECK_STATUS(weft_module_train(model, true), WEFT_E_NULL_ARGUMENT);
    weft_module_close(model);
}

WEFT_TEST(Modules, APartIsReplacedByAnother)
{
    fault_memory memory = {0};
    weft_ctx *c = fault_ctx_open(&memory);
    weft_module *model = open_model(c), *fc = weft_nn_linear(model, "fc", 3, 4, true);
    weft_tensor *x = weft_ones(c, WEFT_F32, WEFT_DIMS(2, 3)), *y = weft_forward(fc, x);
    weft_module_close(fc);
    WEFT_CHECK_OK(weft_backward(c, weft_sum(y, WEFT_ALL, false))); /* the graph holds what it needs */
    check_no_result(c, weft_forward(fc, x), WEFT_E_STATE, "was closed before");
    WEFT_CHECK(weft_module_find(model, "fc") == NULL);
    fc = weft_nn_linear(model, "fc", 3, 9, true);
    WEFT_CHECK_EQ_INT(weft_size(weft_forward(fc, x), 1), 9);
    weft_module_close(model);
    weft_module_close(model);
    weft_module_close(fc);
    weft_module_close(NULL);
    fault_ctx_close(c, &memory);
}

WEFT_TEST(Modules, FreezingKeepsBitsAndOptimisersAway)
{
    fault_memory memory = {0};
    weft_ctx *c = fault_ctx_open(&memory);
    weft_module *model = open_model(c), *net = small_net(model);
    WEFT_CHECK_EQ_INT(weft_module_freeze(model, "net.a"), 2);
    check_names(model, WEFT_MODULE_TENSORS_TRAINABLE, "net.bn.weight net.bn.bias net.b.weight");
    weft_tensor *frozen = weft_clone(weft_module_tensor(net, "a.fc.weight")),
                *trained = weft_clone(weft_detach(weft_module_tensor(net, "b.weight")));
    int n = 0;
    weft_tensor *const *params = weft_module_parameters(model, &n);
    WEFT_REQUIRE(n == 3 && params[0] == weft_module_tensor(net, "bn.weight"));
    weft_optim *opt;
    weft_sgd_options sgd = WEFT_SGD_DEFAULTS;
    sgd.lr = 0.5;
    WEFT_CHECK_OK(weft_sgd_open(c, params, n, &sgd, &opt));
    weft_tensor *x = weft_rand(c, WEFT_F32, WEFT_DIMS(6, 3), -1, 1);
    for (int k = 0; k < 3; k++) {
        weft_tensor *h = weft_forward(weft_module_find(net, "bn"), weft_forward(weft_module_find(net, "a.fc"), x));
        h = weft_forward(weft_module_find(net, "b"), weft_relu(h));
        WEFT_CHECK_OK(weft_backward(c, weft_mean(weft_square(h), WEFT_ALL, false)));
        WEFT_CHECK_OK(weft_optim_step(c, opt));
        WEFT_CHECK_OK(weft_optim_zero_grad(c, opt));
    }
    WEFT_CHECK(same_bits(c, frozen, weft_module_tensor(net, "a.fc.weight")));
    WEFT_CHECK(!same_bits(c, trained, weft_module_tensor(net, "b.weight")));
    WEFT_CHECK(weft_grad_of(weft_module_tensor(net, "a.fc.weight")) == NULL);
    weft_optim_close(opt);
    WEFT_CHECK_EQ_INT(weft_module_unfreeze(model, "*"), 5);
    WEFT_CHECK_EQ_INT(weft_module_freeze(model, "*.weight"), 3);
    WEFT_CHECK_EQ_INT(weft_module_unfreeze(model, "net.?.weight"), 1);
    WEFT_CHECK_EQ_INT(weft_module_freeze(model, "*b*"), 4); /* bn, b and a's bias */
    WEFT_CHECK_EQ_INT(weft_module_freeze(net, "bn"), 2);
    WEFT_CHECK_EQ_INT(weft_module_freeze(model, "net.a.fc.weigh"), -1);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "weft_module_freeze: no parameter is named by \"net.a.fc.weigh\"");
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_INVALID);
    weft_module_freeze(model, "*");
    WEFT_CHECK(weft_module_parameters(model, &n) == NULL && n == 0);
    weft_module_close(model);
    fault_ctx_close(c, &memory);
}

WEFT_TEST(Modules, ModesReachAllThatIsBelow)
{
    fault_memory memory = {0};
    weft_ctx *c = fault_ctx_open(&memory);
    weft_module *model = open_model(c), *net = weft_nn_sequential(model, "net"),
                *drop = weft_nn_dropout(net, "drop", 0.5);
    weft_tensor *x = weft_ones(c, WEFT_F32, WEFT_DIMS(400));
    WEFT_CHECK(weft_module_training(drop));
    const double trained = item(c, weft_eq(weft_forward(net, x), weft_scalar(c, WEFT_F32, 2)));
    WEFT_CHECK(trained > 150 && trained < 250);
    WEFT_CHECK_OK(weft_module_train(model, false));
    WEFT_CHECK(!weft_module_training(drop) && weft_forward(net, x) == x);
    WEFT_CHECK(!weft_module_training(weft_nn_dropout(net, NULL, 0.1))); /* what is made later has its parent's */
    WEFT_CHECK_OK(weft_module_train(net, true));
    WEFT_CHECK(weft_module_training(drop) && !weft_module_training(model));
    weft_module_close(model);
    fault_ctx_close(c, &memory);
}

WEFT_TEST(Modules, TiedTensorsCountOnceAndLoadUnderAnyOfTheirNames)
{
    fault_memory memory = {0};
    weft_ctx *c = fault_ctx_open(&memory);
    test_folder folder;
    WEFT_REQUIRE(test_folder_make(&folder));
    for (int once = 0; once < 2; once++) {
        weft_module *model = open_model(c);
        weft_module *wte = weft_nn_embedding(model, "wte", 5, 3), *head = weft_nn_linear(model, "lm_head", 3, 5, false);
        WEFT_CHECK_OK(weft_module_tie(model, "lm_head.weight", "wte.weight"));
        WEFT_CHECK(weft_module_tensor(head, "weight") == weft_module_tensor(wte, "weight"));
        check_names(model, 0, "wte.weight lm_head.weight");
        check_names(model, WEFT_MODULE_TENSORS_ONCE, "wte.weight");
        weft_module_counts counts;
        WEFT_CHECK_OK(weft_module_count(model, &counts, sizeof counts));
        WEFT_CHECK_EQ_INT(counts.parameters, 15);
        int n;
        weft_tensor *const *params = weft_module_parameters(model, &n);
        WEFT_CHECK(n == 1 && params[0] == weft_module_tensor(wte, "weight"));
        weft_tensor *index = weft_from_data(c, WEFT_I64, WEFT_DIMS(2), (const int64_t[]){4, 0});
        WEFT_CHECK_OK(weft_backward(c, weft_sum(weft_forward(head, weft_forward(wte, index)), WEFT_ALL, false)));
        WEFT_CHECK(weft_grad_of(weft_module_tensor(wte, "weight")) != NULL);
        weft_tensor *kept = weft_clone(weft_detach(weft_module_tensor(wte, "weight")));
        const char *path = test_path(&folder, once ? "tied.npz" : "tied.safetensors");
        WEFT_CHECK_OK(weft_module_save(model, path, once ? WEFT_MODULE_TENSORS_ONCE : 0));
        weft_named_tensor *list;
        WEFT_CHECK_OK(once ? weft_load_npz(c, path, &list, &n) : weft_load_safetensors(c, path, &list, &n));
        WEFT_CHECK_EQ_INT(n, once ? 1 : 2);
        weft_named_free(c, list, n);
        weft_fill_(weft_module_tensor(wte, "weight"), 0);
        WEFT_CHECK_OK(weft_module_load(model, path, NULL));
        weft_ctx_clear(c);
        WEFT_CHECK(same_bits(c, kept, weft_module_tensor(head, "weight")));
        const weft_named_tensor other = {"lm_head.weight", weft_ones(c, WEFT_F64, WEFT_DIMS(5, 3))};
        WEFT_CHECK_OK(weft_module_load_named(model, &other, 1, NULL)); /* the second name alone, of another dtype */
        WEFT_CHECK_NEAR(item(c, weft_module_tensor(wte, "weight")), 15, 0);
        weft_module_close(model);
    }
    test_folder_drop(&folder);
    fault_ctx_close(c, &memory);
}

WEFT_TEST(Modules, TwoModelsShareATensor)
{
    fault_memory memory = {0};
    weft_ctx *c = fault_ctx_open(&memory);
    weft_module *a = open_model(c), *b = open_model(c);
    weft_nn_linear(a, "fc", 2, 2, false);
    weft_nn_linear(b, "fc", 2, 2, false);
    WEFT_CHECK_OK(weft_module_set(b, "fc.weight", weft_module_tensor(a, "fc.weight")));
    weft_module_close(a);
    WEFT_CHECK(weft_requires_grad(weft_module_tensor(b, "fc.weight"))); /* it lives on */
    WEFT_CHECK_STATUS(weft_module_set(b, "fc.weight", weft_ones(c, WEFT_F32, WEFT_DIMS(3, 2))), WEFT_E_SHAPE);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "weft_module_set: fc.weight is f32 [2, 2], and what is to take its place "
                                            "f32 [3, 2]");
    weft_ctx_clear(c);
    WEFT_CHECK_STATUS(weft_module_set(b, "fc.bias", weft_ones(c, WEFT_F32, WEFT_DIMS(2))), WEFT_E_INVALID);
    weft_ctx_clear(c);
    WEFT_CHECK_STATUS(weft_module_tie(b, "fc.weight", "none"), WEFT_E_INVALID);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "the model has no tensor none");
    weft_ctx_clear(c);
    weft_module_close(b);
    fault_ctx_close(c, &memory);
}

/* ---- Loading ---- */

typedef struct faults {
    int of[3];
    char text[600];
} faults;

static void note(void *user, weft_load_fault fault, const char *name, const char *text)
{
    faults *f = user;
    f->of[fault]++;
    WEFT_CHECK_STR_HAS(text, name);
    if (strlen(f->text) + strlen(text) + 2 < sizeof f->text)
        strcat(strcat(f->text, text), ". ");
}

WEFT_TEST(Modules, LoadingReportsWhatIsMissingUnexpectedOrOfAnotherShape)
{
    fault_memory memory = {0};
    weft_ctx *c = fault_ctx_open(&memory);
    weft_module *model = open_model(c);
    weft_nn_linear(model, "a", 2, 2, true);
    weft_nn_linear(model, "b", 2, 3, true);
    weft_tensor *before = weft_clone(weft_detach(weft_module_tensor(model, "a.weight")));
    const weft_named_tensor list[] = {{"module.a.weight", weft_ones(c, WEFT_F32, WEFT_DIMS(2, 2))},
                                      {"module.b.weight", weft_ones(c, WEFT_F32, WEFT_DIMS(2, 3))},
                                      {"module.b.bias", weft_ones(c, WEFT_F32, WEFT_DIMS(3))},
                                      {"module.c.weight", weft_ones(c, WEFT_F32, WEFT_DIMS(1))},
                                      {"optimiser.step", weft_ones(c, WEFT_I64, WEFT_SCALAR)}};
    for (int allowed = 0; allowed < 8; allowed++) {
        faults f = {{0}, ""};
        weft_module_load_options o = WEFT_MODULE_LOAD_DEFAULTS;
        o.prefix = "module.";
        o.report = note;
        o.user = &f;
        o.allow_missing = allowed & 1;
        o.allow_unexpected = allowed & 2;
        o.allow_other_shape = allowed & 4;
        const weft_status status = weft_module_load_named(model, list, 5, &o);
        WEFT_CHECK(f.of[0] == 1 && f.of[1] == 1 && f.of[2] == 1);
        WEFT_CHECK_STR_HAS(f.text, "a.bias, f32 [2], is missing");
        WEFT_CHECK_STR_HAS(f.text, "c.weight is not the model's");
        WEFT_CHECK_STR_HAS(f.text, "b.weight is f32 [3, 2] in the model and f32 [2, 3] here");
        WEFT_CHECK_STATUS(status, allowed == 7 ? WEFT_OK : WEFT_E_MISMATCH);
        const char *message = weft_ctx_message(c);
        WEFT_CHECK((strstr(message, "1 missing (a.bias") != NULL) == !(allowed & 1));
        WEFT_CHECK((strstr(message, "1 unexpected (c.weight") != NULL) == !(allowed & 2));
        WEFT_CHECK((strstr(message, "1 of another shape (b.weight") != NULL) == !(allowed & 4));
        weft_ctx_clear(c);
        WEFT_CHECK(same_bits(c, before, weft_module_tensor(model, "a.weight")) == (allowed != 7)); /* all or nothing */
    }
    WEFT_CHECK_NEAR(item(c, weft_module_tensor(model, "a.weight")), 4, 0);
    WEFT_CHECK_NEAR(item(c, weft_module_tensor(model, "b.bias")), 3, 0);
    WEFT_CHECK_STATUS(weft_module_load(model, "/no/such/file", NULL), WEFT_E_IO);
    weft_ctx_clear(c);
    const weft_named_tensor none = {"a.weight", NULL};
    WEFT_CHECK_STATUS(weft_module_load_named(model, &none, 1, NULL), WEFT_E_NULL_ARGUMENT);
    weft_ctx_clear(c);
    weft_module_close(model);
    fault_ctx_close(c, &memory);
}

WEFT_TEST(Modules, WhatIsSavedLoadsIntoAnotherModelBitByBit)
{
    fault_memory memory = {0};
    weft_ctx *c = fault_ctx_open(&memory);
    test_folder folder;
    WEFT_REQUIRE(test_folder_make(&folder));
    weft_module *a = open_model(c), *b = open_model(c);
    weft_module_options half = WEFT_MODULE_DEFAULTS;
    half.dtype = WEFT_BF16;
    weft_module *narrow = NULL;
    WEFT_CHECK_OK(weft_module_open(c, &half, &narrow));
    small_net(a);
    small_net(b);
    small_net(narrow);
    weft_forward(weft_module_find(a, "net.bn"), weft_randn(c, WEFT_F32, WEFT_DIMS(5, 4), 1, 2));
    WEFT_CHECK_OK(weft_module_save(a, test_path(&folder, "a.safetensors"), 0));
    WEFT_CHECK_OK(weft_module_load(b, test_path(&folder, "a.safetensors"), NULL));
    WEFT_CHECK_OK(weft_module_load(narrow, test_path(&folder, "a.safetensors"), NULL));
    weft_named_tensor list[ROOM];
    const int n = weft_module_tensors(a, 0, list, ROOM);
    for (int k = 0; k < n; k++)
        WEFT_CHECK(same_bits(c, list[k].tensor, weft_module_tensor(b, list[k].name)));
    WEFT_CHECK_EQ_INT(weft_item_i64(c, weft_module_tensor(b, "net.bn.num_batches_tracked")), 1);
    WEFT_CHECK(weft_dtype_of(weft_module_tensor(narrow, "net.b.weight")) == WEFT_BF16);
    WEFT_CHECK(weft_dtype_of(weft_module_tensor(narrow, "net.bn.running_var")) == WEFT_F32);
    WEFT_CHECK(same_bits(c, weft_cast(list[0].tensor, WEFT_BF16), weft_module_tensor(narrow, list[0].name)));
    weft_module_close(a);
    weft_module_close(b);
    weft_module_close(narrow);
    test_folder_drop(&folder);
    fault_ctx_close(c, &memory);
}

/* ---- A forward of one's own, and tensors of one's own ---- */

static weft_tensor *scaled(weft_module *m, weft_tensor *x, const weft_forward_options *options, void *user)
{
    const double *factor = user;
    (void)options;
    return weft_mul_scalar(weft_mul(x, weft_module_tensor(m, "gain")), *factor);
}

static weft_tensor *closing(weft_module *m, weft_tensor *x, const weft_forward_options *options, void *user)
{
    (void)options, (void)user;
    weft_module_close(m);
    return x;
}

WEFT_TEST(Modules, AModuleOfOnesOwn)
{
    fault_memory memory = {0};
    weft_ctx *c = fault_ctx_open(&memory);
    weft_module *model = open_model(c), *net = weft_nn_sequential(model, "net"), *own = weft_module_child(net, NULL);
    double factor = 3;
    WEFT_CHECK_STR_EQ(weft_module_path(own), "net.0");
    WEFT_CHECK(weft_module_add_parameter(own, "gain", weft_full(c, WEFT_F32, WEFT_DIMS(2), 2)) != NULL);
    WEFT_CHECK(weft_module_add_buffer(own, "count", weft_zeros(c, WEFT_I64, WEFT_SCALAR)) != NULL);
    WEFT_CHECK_OK(weft_module_set_forward(own, scaled, &factor));
    weft_tensor *x = weft_ones(c, WEFT_F32, WEFT_DIMS(5, 2));
    WEFT_CHECK_NEAR(item(c, weft_forward(net, x)), 60, 0);
    check_names(model, 0, "net.0.gain net.0.count");
    WEFT_CHECK_STR_EQ(weft_name(weft_module_tensor(own, "gain")), "net.0.gain");
    weft_module *end = weft_module_child(net, NULL);
    WEFT_CHECK_OK(weft_module_set_forward(end, closing, NULL));
    WEFT_CHECK(weft_forward(net, x) == NULL); /* it is gone, and nothing is touched */
    weft_ctx_clear(c);
    WEFT_CHECK(weft_module_find(net, "1") == NULL);
    check_no_result(c, weft_module_add_parameter(own, "gain", weft_ones(c, WEFT_F32, WEFT_DIMS(2))), WEFT_E_INVALID,
                    "has net.0.gain already");
    check_no_result(c, weft_module_add_parameter(own, "b.c", weft_ones(c, WEFT_F32, WEFT_DIMS(2))), WEFT_E_INVALID,
                    "\"b.c\" is no name for a tensor");
    check_no_result(c, weft_module_add_parameter(own, "b", weft_ones(c, WEFT_I64, WEFT_DIMS(2))), WEFT_E_DTYPE,
                    "b is i64");
    check_no_result(c, weft_module_add_parameter(own, "b", weft_mul(weft_module_tensor(own, "gain"), x)),
                    WEFT_E_NO_GRADIENT, "computed from others");
    WEFT_CHECK_STATUS(weft_module_set_forward(weft_nn_linear(model, "fc", 1, 1, true), scaled, &factor), WEFT_E_STATE);
    weft_ctx_clear(c);
    weft_module_close(model);
    fault_ctx_close(c, &memory);
}

/* ---- Mistakes ---- */

WEFT_TEST(Modules, MistakesNameTheLayer)
{
    fault_memory memory = {0};
    weft_ctx *c = fault_ctx_open(&memory);
    weft_ctx *other = NULL;
    weft_options options = WEFT_OPTIONS_DEFAULTS;
    WEFT_REQUIRE(weft_ctx_open(&options, &other) == WEFT_OK);
    weft_module *model = open_model(c), *fc = weft_nn_linear(model, "enc.fc", 3, 4, true);
    weft_nn_conv_options conv = WEFT_NN_CONV_DEFAULTS;
    weft_nn_norm_options norm = WEFT_NN_NORM_DEFAULTS;
    weft_nn_attention_options attention = WEFT_NN_ATTENTION_DEFAULTS;
    weft_nn_recurrent_options recurrent = WEFT_NN_RECURRENT_DEFAULTS;
    weft_tensor *x = weft_ones(c, WEFT_F32, WEFT_DIMS(2, 5));
    check_no_result(c, weft_forward(fc, x), WEFT_E_SHAPE, "enc.fc.weight f32 [4, 3]");
    check_no_result(c, weft_forward(fc, weft_ones(other, WEFT_F32, WEFT_DIMS(2, 3))), WEFT_E_MIXED_CONTEXTS,
                    "the input of linear enc.fc");
    check_no_result(c, weft_forward(fc, NULL), WEFT_E_NULL_ARGUMENT, "the input of linear enc.fc");
    check_no_result(c, weft_forward(weft_module_find(model, "enc"), x), WEFT_E_UNSUPPORTED,
                    "weft_forward: module enc: it only holds others");
    check_no_result(c, weft_forward(weft_nn_attention(model, "att", 8, 2, NULL), x), WEFT_E_SHAPE,
                    "weft_forward: attention att: x is f32 [2, 5]; it must be [N, T, 8]");
    check_no_result(c, weft_forward(weft_nn_recurrent(model, "rec", WEFT_NN_CELL_GRU, 8, 2, NULL), x), WEFT_E_SHAPE,
                    "weft_forward: gru rec: x is f32 [2, 5]; it must be [T, N, 8]");
    check_no_result(c, weft_nn_linear(model, "enc.fc", 1, 1, true), WEFT_E_INVALID,
                    "weft_nn_linear: the model has enc.fc already");
    check_no_result(c, weft_nn_linear(model, "enc.fc.weight", 1, 1, true), WEFT_E_INVALID,
                    "weft_nn_linear: the model has enc.fc.weight already");
    check_no_result(c, weft_nn_linear(model, "a..b", 1, 1, true), WEFT_E_INVALID, "\"a..b\" is no name");
    check_no_result(c, weft_nn_linear(model, "", 1, 1, true), WEFT_E_INVALID, "\"\" is no name");
    check_no_result(c, weft_nn_linear(model, "a b", 1, 1, true), WEFT_E_INVALID, "\"a b\" is no name");
    check_no_result(c, weft_nn_linear(model, "new.deep.fc", -1, 1, true), WEFT_E_INVALID,
                    "weft_nn_linear: linear new.deep.fc: in is -1; it must be at least 0");
    WEFT_CHECK(weft_module_find(model, "new") == NULL); /* nothing is left of it */
    WEFT_CHECK(weft_nn_linear(NULL, "fc", 1, 1, true) ==
               NULL); /* there is no context to tell, but the next x has one */
    check_no_result(c, weft_forward(NULL, x), WEFT_E_NULL_ARGUMENT, "weft_forward: the module is NULL");
    check_no_result(c, weft_nn_dropout(model, "d", 1.5), WEFT_E_INVALID, "dropout d: p is 1.5");
    check_no_result(c, weft_nn_function(model, "f", NULL), WEFT_E_NULL_ARGUMENT, "function f: its function is NULL");
    conv.groups = 2;
    check_no_result(c, weft_nn_conv(model, "c", 3, 4, WEFT_DIMS(3, 3), &conv), WEFT_E_INVALID, "groups is 2");
    check_no_result(c, weft_nn_conv(model, "c", 3, 4, WEFT_DIMS(1, 1, 1, 1), NULL), WEFT_E_INVALID, "4 dims");
    check_no_result(c, weft_nn_conv(model, "c", 3, 4, WEFT_DIMS(0), NULL), WEFT_E_INVALID,
                    "conv1d c: a size of the kernel");
    conv.struct_size = 0;
    check_no_result(c, weft_nn_conv(model, "c", 3, 4, WEFT_DIMS(3), &conv), WEFT_E_INVALID, "WEFT_NN_CONV_DEFAULTS");
    norm.eps = -2;
    check_no_result(c, weft_nn_layer_norm(model, "n", WEFT_DIMS(3), &norm), WEFT_E_INVALID,
                    "layer_norm n: the option eps");
    check_no_result(c, weft_nn_group_norm(model, "n", 2, 5, NULL), WEFT_E_INVALID, "groups is 2");
    check_no_result(
        c, weft_forward(weft_nn_instance_norm(model, "in", 5, NULL), weft_ones(c, WEFT_F32, WEFT_DIMS(1, 4, 3))),
        WEFT_E_SHAPE, "instance_norm in: x is f32 [1, 4, 3]; it must be [N, 5, ...]");
    check_no_result(c, weft_nn_attention(model, "a", 8, 3, NULL), WEFT_E_INVALID,
                    "attention a: names is 0, width 8, heads 3");
    attention.rotary = 10000;
    check_no_result(c, weft_nn_attention(model, "a", 6, 2, &attention), WEFT_E_INVALID, "the option rotary");
    recurrent.relu = true;
    check_no_result(c, weft_nn_recurrent(model, "r", WEFT_NN_CELL_LSTM, 1, 1, &recurrent), WEFT_E_INVALID, "relu 1");
    check_no_result(c, weft_nn_max_pool(model, "p", NULL), WEFT_E_INVALID, "max_pool p: a size of the kernel is 0");
    weft_module_options whole = WEFT_MODULE_DEFAULTS;
    whole.dtype = WEFT_I64;
    weft_module *none = model;
    WEFT_CHECK_STATUS(weft_module_open(c, &whole, &none), WEFT_E_DTYPE);
    WEFT_CHECK(none == NULL);
    weft_ctx_clear(c);
    WEFT_CHECK_STATUS(weft_module_open(NULL, NULL, &none), WEFT_E_NULL_ARGUMENT);
    weft_module_close(model);
    weft_ctx_close(other);
    fault_ctx_close(c, &memory);
}

/* A struct whose fields are all 0 was not begun with its macro. */
WEFT_TEST(Modules, StructsThatNoMacroBeganAreRefused)
{
    fault_memory memory = {0};
    weft_ctx *c = fault_ctx_open(&memory);
    weft_module *model = open_model(c), *none;
    weft_module_counts counts;
    WEFT_CHECK_STATUS(weft_module_open(c, &(weft_module_options){0}, &none), WEFT_E_INVALID);
    check_no_result(c, none, WEFT_E_INVALID, "WEFT_MODULE_DEFAULTS");
    check_no_result(c, weft_nn_batch_norm(model, "m", 2, &(weft_nn_norm_options){0}), WEFT_E_INVALID,
                    "WEFT_NN_NORM_DEFAULTS");
    check_no_result(c, weft_nn_recurrent(model, "m", WEFT_NN_CELL_RNN, 1, 1, &(weft_nn_recurrent_options){0}),
                    WEFT_E_INVALID, "WEFT_NN_RECURRENT_DEFAULTS");
    check_no_result(c, weft_nn_attention(model, "m", 2, 1, &(weft_nn_attention_options){0}), WEFT_E_INVALID,
                    "WEFT_NN_ATTENTION_DEFAULTS");
    check_no_result(c, weft_nn_block(model, "m", 2, 1, &(weft_nn_block_options){0}), WEFT_E_INVALID,
                    "WEFT_NN_BLOCK_DEFAULTS");
    check_no_result(c, weft_nn_avg_pool(model, "m", &(weft_window_params){0}), WEFT_E_INVALID, "WEFT_WINDOW_DEFAULTS");
    weft_module *fc = weft_nn_linear(model, "fc", 1, 1, true);
    check_no_result(c, weft_forward_with(fc, weft_ones(c, WEFT_F32, WEFT_DIMS(1)), &(weft_forward_options){0}),
                    WEFT_E_INVALID, "WEFT_FORWARD_DEFAULTS");
    WEFT_CHECK_EQ_INT(weft_lora_add(model, "*", &(weft_lora_options){0}), -1);
    check_no_result(c, NULL, WEFT_E_INVALID, "WEFT_LORA_DEFAULTS");
    WEFT_CHECK_STATUS(weft_module_load_named(model, NULL, 0, &(weft_module_load_options){0}), WEFT_E_INVALID);
    check_no_result(c, NULL, WEFT_E_INVALID, "WEFT_MODULE_LOAD_DEFAULTS");
    WEFT_CHECK_STATUS(weft_module_count(model, &counts, 3), WEFT_E_INVALID);
    check_no_result(c, NULL, WEFT_E_INVALID, "weft_module_counts");
    check_names(model, 0, "fc.weight fc.bias"); /* what was refused left nothing */
    weft_module_close(model);
    fault_ctx_close(c, &memory);
}
