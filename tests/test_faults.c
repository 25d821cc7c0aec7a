/* test_faults.c - every allocation of a scenario fails once, and from there on for good: a clean error, nothing leaked,
 * the context usable. */
#include <stdio.h>
#include <weft/compare.h>
#include <weft/nn.h>
#include <weft/profile.h>
#include "harness/structs.h"
#include "harness/test_ctx.h"
#include "harness/test_folder.h"
#include "harness/weft_test.h"
#include "planted.h"
#include "tally.h"

/* Each works in a scope of its own and reports what the library reports. */

static weft_status train_mlp(weft_ctx *c)
{
    weft_tensor *w1 = weft_param(weft_full(c, WEFT_F32, WEFT_DIMS(8, 4), 0.1), "w1");
    weft_tensor *b1 = weft_param(weft_zeros(c, WEFT_F32, WEFT_DIMS(8)), "b1");
    weft_tensor *w2 = weft_param(weft_full(c, WEFT_F32, WEFT_DIMS(3, 8), 0.1), "w2");
    weft_tensor *params[] = {w1, b1, w2};
    weft_tensor *x = weft_rand(c, WEFT_F32, WEFT_DIMS(5, 4), -1, 1), *y = weft_zeros(c, WEFT_I64, WEFT_DIMS(5));
    weft_optim *opt = NULL;
    weft_status status = weft_adam_open(c, params, 3, NULL, &opt);
    for (int step = 0; step < 3 && status == WEFT_OK; step++) {
        int mark = weft_scope_push(c);
        weft_tensor *h = weft_dropout(weft_gelu(weft_linear(x, w1, b1)), 0.2, true);
        weft_backward(c, weft_cross_entropy(weft_linear(h, w2, NULL), y));
        weft_clip_grad_norm(c, params, 3, 1);
        weft_optim_step(c, opt);
        weft_optim_zero_grad(c, opt);
        status = weft_scope_pop(c, mark);
    }
    weft_optim_close(opt);
    for (int k = 0; k < 3; k++)
        weft_release(params[k]);
    return weft_ctx_status(c);
}

static weft_status convolve(weft_ctx *c)
{
    weft_tensor *w = weft_set_requires_grad(weft_full(c, WEFT_F32, WEFT_DIMS(4, 2, 3, 3), 0.1), true);
    weft_tensor *gamma = weft_set_requires_grad(weft_ones(c, WEFT_F32, WEFT_DIMS(4)), true);
    weft_tensor *mean = weft_zeros(c, WEFT_F32, WEFT_DIMS(4)), *var = weft_ones(c, WEFT_F32, WEFT_DIMS(4));
    weft_tensor *x = weft_rand(c, WEFT_F16, WEFT_DIMS(2, 2, 8, 8), -1, 1);
    weft_tensor *h = weft_conv2d(x, w, NULL, &WITH_CONV2D(.padding = {1, 1}));
    h = weft_relu(weft_batch_norm(h, gamma, NULL, mean, var,
                                  &(weft_batch_norm_params){sizeof(weft_batch_norm_params), 0.1, 1e-5, true}));
    h = weft_max_pool2d(h, &WITH_POOL2D(.kernel = {2, 2}));
    return weft_backward(c, weft_mean(weft_square(h), WEFT_ALL, false));
}

static weft_status second_order(weft_ctx *c)
{
    weft_tensor *x = weft_set_requires_grad(weft_rand(c, WEFT_F64, WEFT_DIMS(3, 4), 0.5, 1), true), *g = NULL;
    weft_tensor *y = weft_sum(weft_mul(weft_tanh(x), weft_log_softmax(x, 1)), WEFT_ALL, false);
    weft_grad(c, &y, NULL, 1, &x, 1, WEFT_GRAD_CREATE_GRAPH, &g);
    weft_backward(c, weft_sum(weft_square(g), WEFT_ALL, false));
    return weft_ctx_status(c);
}

static weft_status shapes(weft_ctx *c)
{
    weft_tensor *x = weft_set_requires_grad(weft_arange(c, WEFT_F32, 0, 24, 1), true);
    weft_tensor *t = weft_transpose(weft_reshape(x, WEFT_DIMS(2, 3, 4)), 0, 2);
    weft_tensor *parts[] = {weft_contiguous(t), weft_flip(t, WEFT_DIMS(1)),
                            weft_slice(weft_concat(&t, 1, 0), 0, 0, 4, 1)};
    weft_tensor *index = weft_from_data(c, WEFT_I64, WEFT_DIMS(2), (const int64_t[]){1, 0});
    t = weft_index_select(weft_stack(parts, 3, 0), index, 1);
    weft_tensor *halves[2];
    weft_split(t, 1, (const int64_t[]){1, 1}, 2, halves);
    return weft_backward(c, weft_sum(weft_mul(halves[0], halves[1]), WEFT_ALL, false));
}

static weft_status many_inputs(weft_ctx *c)
{
    enum { N = 100 };
    weft_tensor *parts[N];
    for (int k = 0; k < N; k++)
        parts[k] = weft_set_requires_grad(weft_scalar(c, WEFT_F32, k), true);
    return weft_backward(c, weft_sum(weft_stack(parts, N, 0), WEFT_ALL, false));
}

static weft_status text(weft_ctx *c)
{
    char buffer[256];
    weft_tensor *x = weft_rand(c, WEFT_BF16, WEFT_DIMS(5, 5), 0, 1);
    weft_tensor *shared = weft_share(x);
    weft_format(c, weft_borrow(c, shared), buffer, sizeof buffer);
    weft_release(shared);
    weft_set_name(x, "x");
    weft_tensor *product = weft_matmul(weft_cast(x, WEFT_F32), weft_eye(c, WEFT_F32, 5, 5));
    weft_format(c, product, buffer, sizeof buffer);
    return weft_ctx_status(c);
}

static weft_tensor *cubed(weft_ctx *c, weft_tensor *const *in, int n, void *user)
{
    (void)c, (void)n, (void)user;
    return weft_mul(weft_square(in[0]), in[0]);
}

static weft_status checked(weft_ctx *c)
{
    weft_tensor *x = weft_set_requires_grad(weft_rand(c, WEFT_F64, WEFT_DIMS(2), 0.5, 1), true);
    weft_gradcheck(c, &x, 1, cubed, NULL, NULL);
    return weft_gradgradcheck(c, &x, 1, cubed, NULL, NULL);
}

static weft_tensor *energy(weft_ctx *c, weft_tensor *const *in, int n, void *user)
{
    (void)c, (void)n, (void)user;
    return weft_sum(weft_mul(weft_exp(in[0]), in[1]), WEFT_ALL, false);
}

static weft_tensor *rows_of(weft_ctx *c, weft_tensor *const *in, int n, void *user)
{
    (void)c, (void)n, (void)user;
    return weft_sum(weft_mul(weft_square(in[0]), in[1]), WEFT_DIMS(1), false);
}

static weft_status functional(weft_ctx *c)
{
    weft_tensor *in[2] = {weft_set_requires_grad(weft_rand(c, WEFT_F64, WEFT_DIMS(3, 2), 0.5, 1), true),
                          weft_rand(c, WEFT_F64, WEFT_DIMS(3, 2), 0.5, 1)};
    weft_tensor *along[2] = {in[1], NULL}, *y, *out[4];
    for (int flags = 0; flags <= WEFT_GRAD_CREATE_GRAPH; flags += WEFT_GRAD_CREATE_GRAPH) {
        weft_vjp(c, in, 2, NULL, energy, NULL, flags, &y, out);
        weft_jvp(c, in, along, 2, rows_of, NULL, flags, &y, out);
        weft_hvp(c, in, along, 2, energy, NULL, flags, &y, out);
        weft_jacobian(c, in, 2, rows_of, NULL, flags, &y, out);
        weft_hessian(c, in, 2, energy, NULL, flags, &y, out);
        weft_batch_jacobian(c, in, 2, rows_of, NULL, flags | WEFT_GRAD_CHECK_ROWS, &y, out);
        weft_tensor *w = weft_ones(c, WEFT_F64, WEFT_DIMS(2));
        weft_per_sample_grad(c, &w, 1, in, 1, rows_of, NULL, flags, &y, out);
        if (weft_ctx_status(c) != WEFT_OK && (y || out[0]))
            WEFT_FAIL("something is handed back with the error");
    }
    return weft_ctx_status(c);
}

static weft_tensor *outer_product(weft_ctx *c, weft_tensor *const *in, int n, void *user)
{
    (void)c, (void)n, (void)user;
    return weft_mul(weft_reshape(weft_sin(in[0]), WEFT_DIMS(2, 1)), weft_ones(c, WEFT_F64, WEFT_DIMS(1, 3)));
}

static weft_status columns(weft_ctx *c)
{
    weft_tensor *x = weft_rand(c, WEFT_F64, WEFT_DIMS(2), 0.5, 1), *j;
    weft_jacobian(c, &x, 1, outer_product, NULL, 0, NULL, &j);
    return weft_jacobian(c, &x, 1, outer_product, NULL, WEFT_GRAD_CREATE_GRAPH, NULL, &j);
}

/* ---- What looks on: beside a context whose memory holds ---- */

typedef struct layer {
    weft_tensor *w, *x;
    weft_optim *optim;
} layer;

static bool layer_make(weft_ctx *c, layer *l)
{
    *l = (layer){.w = weft_param(weft_full(c, WEFT_F32, WEFT_DIMS(3, 4), 0.1), "w"),
                 .x = weft_keep(weft_full(c, WEFT_F32, WEFT_DIMS(4, 5), 0.5))};
    return weft_sgd_open(c, &l->w, 1, NULL, &l->optim) == WEFT_OK && l->x;
}

static void layer_drop(layer *l)
{
    weft_optim_close(l->optim);
    weft_release(l->w);
    weft_release(l->x);
}

static weft_status layer_step(weft_ctx *c, void *model, int step, double *loss)
{
    layer *l = model;
    (void)step;
    const int mark = weft_scope_push(c);
    weft_tensor *y =
        weft_mean(weft_square(weft_matmul(l->w, weft_contiguous(weft_flip(l->x, WEFT_DIMS(1))))), WEFT_ALL, false);
    weft_backward(c, y);
    weft_optim_step(c, l->optim);
    *loss = weft_item(c, y);
    return mark < 0 ? weft_ctx_status(c) : weft_scope_pop(c, mark);
}

static weft_status lockstep_beside(weft_ctx *c, weft_ctx *other)
{
    layer mine, theirs;
    weft_drift drift[2];
    weft_lockstep_report report;
    const weft_lockstep_options options = INIT_LOCKSTEP(.steps = 2, .widen = true, .drift = drift, .drift_room = 2);
    if (layer_make(c, &mine) && layer_make(other, &theirs)) {
        const weft_status status =
            weft_lockstep(c, &mine, other, &theirs, layer_step, &options, &report, sizeof report);
        if (status != weft_ctx_status(c))
            WEFT_FAIL("weft_lockstep says %s, the context %s", weft_status_name(status),
                      weft_status_name(weft_ctx_status(c)));
        layer_drop(&theirs);
    }
    layer_drop(&mine);
    return weft_ctx_status(c);
}

/* run(c, other) beside an other context of its own. */
static weft_status beside(weft_ctx *c, weft_status (*run)(weft_ctx *c, weft_ctx *other))
{
    weft_ctx *other = NULL;
    if (weft_ctx_open(&(weft_options)INIT_OPTIONS(), &other) != WEFT_OK)
        return WEFT_E_INTERNAL;
    const weft_status status = run(c, other);
    weft_ctx_close(other);
    return status;
}

static weft_status lockstep(weft_ctx *c)
{
    return beside(c, lockstep_beside);
}

static char saved_launch[64]; /* the path of one that is bad, written by the first run of the scenario */

static weft_status save_launch(weft_ctx *c, weft_ctx *other)
{
    layer l;
    weft_lockstep_report report;
    const weft_lockstep_options options = INIT_LOCKSTEP(.save_path = saved_launch);
    plant(other, WEFT_OP_MATMUL, false, PLANTED_ELEMENT);
    const weft_status status = layer_make(c, &l)
                                   ? weft_lockstep(c, &l, other, NULL, layer_step, &options, &report, sizeof report)
                                   : WEFT_E_INTERNAL;
    layer_drop(&l);
    return status == WEFT_E_MISMATCH && report.saved ? WEFT_OK : WEFT_E_INTERNAL;
}

/* In each run by one that has its memory. */
static weft_status replay(weft_ctx *c)
{
    test_folder folder;
    weft_ctx *maker = NULL;
    weft_difference difference;
    if (!test_folder_make(&folder) || weft_ctx_open(&(weft_options)INIT_OPTIONS(), &maker) != WEFT_OK)
        return WEFT_E_INTERNAL;
    snprintf(saved_launch, sizeof saved_launch, "%s", test_path(&folder, "bad.npz"));
    weft_status status = beside(maker, save_launch);
    weft_ctx_close(maker);
    if (status == WEFT_OK)
        status = weft_replay(c, saved_launch, &difference, sizeof difference);
    test_folder_drop(&folder);
    return status;
}

static weft_status compare_files_beside(weft_ctx *c, weft_ctx *other)
{
    test_folder folder;
    if (!test_folder_make(&folder))
        return WEFT_E_INTERNAL;
    const weft_named_tensor pair[] = {{"a", weft_ones(other, WEFT_F32, WEFT_DIMS(3, 4))},
                                      {"b", weft_arange(other, WEFT_I64, 0, 5, 1)}};
    if (weft_save_npz(other, test_path(&folder, "a.npz"), pair, 2) == WEFT_OK &&
        weft_save_safetensors(other, test_path(&folder, "b.safetensors"), pair, 2) == WEFT_OK &&
        weft_compare_files(c, test_path(&folder, "a.npz"), test_path(&folder, "b.safetensors"), 0, 0, NULL, NULL) !=
            weft_ctx_status(c))
        WEFT_FAIL("weft_compare_files and the context do not say the same");
    test_folder_drop(&folder);
    return weft_ctx_status(c);
}

static weft_status compare_files(weft_ctx *c)
{
    return beside(c, compare_files_beside);
}

static weft_status profiled(weft_ctx *c)
{
    test_folder folder;
    weft_profile *p = NULL;
    char table[2000];
    if (!test_folder_make(&folder))
        return WEFT_E_INTERNAL;
    if (weft_profile_begin(c, &p) == WEFT_OK) {
        weft_tensor *x = weft_set_requires_grad(weft_ones(c, WEFT_F32, WEFT_DIMS(3, 4)), true);
        weft_backward(c, weft_sum(weft_exp(weft_matmul(x, weft_transpose(x, 0, 1))), WEFT_ALL, false));
        weft_profile_end(p);
        weft_profile_table(p, table, sizeof table);
        if (weft_profile_trace(p, test_path(&folder, "trace.json")) != WEFT_OK && weft_ctx_status(c) == WEFT_OK)
            WEFT_FAIL("weft_profile_trace fails, and the context does not say so");
        weft_profile_free(p);
    }
    test_folder_drop(&folder);
    return weft_ctx_status(c);
}

static void see_row(void *user, const weft_summary_row *row)
{
    *(int *)user += row->calls;
}

static void use_model(weft_ctx *c, weft_module *model, weft_tensor *x)
{
    weft_named_tensor list[32];
    weft_forward_options with = WEFT_FORWARD_DEFAULTS;
    int n, calls = 0;
    weft_tensor *const *params = weft_module_parameters(model, &n);
    weft_backward(c, weft_mean(weft_square(weft_forward(model, x)), WEFT_ALL, false));
    weft_clip_grad_norm(c, params, n, 1);
    weft_lora_add(model, "*.c_fc", NULL);
    weft_forward(model, x);
    weft_lora_merge(model);
    weft_lora_remove(model);
    n = weft_module_tensors(model, 0, list, 32);
    weft_module_load_named(model, list, n < 32 ? n : 0, NULL);
    weft_summary(model, x, see_row, &calls);
    const int mark = weft_scope_push_no_grad(c);
    if (weft_cache_open(c, 8, &with.cache) == WEFT_OK)
        weft_forward_with(model, x, &with);
    weft_cache_close(with.cache);
    if (mark >= 0 && weft_scope_pop(c, mark) != weft_ctx_status(c))
        WEFT_FAIL("the scope and the context do not say the same");
}

static weft_status models(weft_ctx *c)
{
    weft_module *root = NULL;
    weft_nn_block_options o = WEFT_NN_BLOCK_DEFAULTS;
    o.names = WEFT_NN_NAMES_GPT;
    if (weft_module_open(c, NULL, &root) == WEFT_OK) {
        weft_module *net = weft_nn_sequential(root, "a.deep.net");
        weft_nn_block(net, NULL, 4, 2, &o);
        weft_nn_batch_norm(net, NULL, 3, NULL);
        weft_nn_recurrent(net, NULL, WEFT_NN_CELL_LSTM, 4, 2, NULL);
        weft_nn_linear(net, NULL, 2, 2, true);
        weft_tensor *x = weft_rand(c, WEFT_F32, WEFT_DIMS(2, 3, 4), -1, 1), *order = weft_randperm(c, 2),
                    *pair[] = {x, order}, *batch[2];
        if (weft_batch(c, pair, 2, order, batch) != WEFT_OK && (batch[0] || batch[1]))
            WEFT_FAIL("a batch is handed back with the error");
        use_model(c, net, x);
    }
    weft_module_close(root);
    return weft_ctx_status(c);
}

static const struct {
    const char *name;
    weft_status (*run)(weft_ctx *c);
} scenarios[] = {{"train_mlp", train_mlp},
                 {"convolve", convolve},
                 {"second_order", second_order},
                 {"shapes", shapes},
                 {"many_inputs", many_inputs},
                 {"text", text},
                 {"gradcheck", checked},
                 {"functional", functional},
                 {"jacobian_by_columns", columns},
                 {"lockstep", lockstep},
                 {"replay", replay},
                 {"compare_files", compare_files},
                 {"profile", profiled},
                 {"models", models}};

static void fail_each_allocation(weft_status (*run)(weft_ctx *c), const char *name, bool for_good)
{
    long failures = 0;
    for (long nth = 1; nth < 5000; nth++) {
        fault_memory m = {.fail_at = nth, .for_good = for_good};
        weft_options o = fault_options(&m);
        o.threads = 2;
        weft_ctx *c = NULL;
        weft_status opened = weft_ctx_open(&o, &c);
        weft_status status = opened;
        if (c) {
            const tally before = tally_of(c);
            int mark = weft_scope_push(c);
            status = run(c);
            weft_status popped = mark < 0 ? weft_ctx_status(c) : weft_scope_pop(c, mark);
            if (popped != status)
                WEFT_FAIL("%s, allocation %ld: returned %s, but the scope says %s", name, nth, weft_status_name(status),
                          weft_status_name(popped));
            if (status != WEFT_OK && status != WEFT_E_NOMEM)
                WEFT_FAIL("%s, allocation %ld: %s: %s", name, nth, weft_status_name(status), weft_ctx_message(c));
            m.fail_at = 0;
            weft_ctx_clear(c);
            tally_same(&before, c, "%s, allocation %ld", name, nth);
            mark = weft_scope_push(c);
            if (status != WEFT_OK && run(c) != WEFT_OK)
                WEFT_FAIL("%s, allocation %ld: the context does not recover: %s", name, nth, weft_ctx_message(c));
            if (weft_scope_pop(c, mark) != WEFT_OK || weft_leaks(c, NULL, NULL) != 0)
                WEFT_FAIL("%s, allocation %ld: something is still kept", name, nth);
            tally_same(&before, c, "%s, after allocation %ld failed and it ran again", name, nth);
            weft_ctx_close(c);
        } else if (opened != WEFT_E_NOMEM) {
            WEFT_FAIL("%s, allocation %ld: opening gave %s", name, nth, weft_status_name(opened));
        }
        if (m.live_blocks || m.mismatch)
            WEFT_FAIL("%s, allocation %ld: %ld blocks leaked%s", name, nth, m.live_blocks,
                      m.mismatch ? ", one freed with a wrong size" : "");
        if (status == WEFT_OK)
            break; /* the whole scenario ran before its nth allocation */
        failures++;
        if (weft_test_failures() > 5)
            break;
    }
    if (failures < 5)
        WEFT_FAIL("%s: only %ld allocations failed; the scenario tests nothing", name, failures);
    weft_test_property("allocations_failed", failures);
}

static void once(void *user)
{
    size_t k = *(const size_t *)user;
    fail_each_allocation(scenarios[k].run, scenarios[k].name, false);
}

static void for_good(void *user)
{
    size_t k = *(const size_t *)user;
    fail_each_allocation(scenarios[k].run, scenarios[k].name, true);
}

WEFT_TEST_INIT(faults)
{
    static size_t numbers[sizeof scenarios / sizeof scenarios[0]];
    for (size_t k = 0; k < sizeof scenarios / sizeof scenarios[0]; k++) {
        char name[64];
        numbers[k] = k;
        snprintf(name, sizeof name, "%s_once", scenarios[k].name);
        weft_test_add("Faults", name, once, &numbers[k], __FILE__, __LINE__);
        snprintf(name, sizeof name, "%s_for_good", scenarios[k].name);
        weft_test_add("Faults", name, for_good, &numbers[k], __FILE__, __LINE__);
    }
}
