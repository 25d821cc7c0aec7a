/* test_compare.c - lockstep: planted bugs are found and named, right programs are left alone. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* clang-format off */
#include <weft/compare.h> /* first, so that the calls below record where they are */
/* clang-format on */
#include "harness/structs.h"
#include "harness/weft_test.h"
#include "planted.h"

/* ---- A network with something of everything ---- */

enum { PARAMETERS = 9, BATCH = 8, CLASSES = 5 };

typedef struct net {
    weft_tensor *p[PARAMETERS], *x, *target;
    weft_optim *optim;
} net;

/* The first difference that the last comparison reported, and how many it did. */
static weft_difference first;
static int64_t reported;

static void keep_difference(void *user, const weft_difference *difference)
{
    (void)user;
    if (reported++ == 0)
        first = *difference;
}

static weft_status run_lockstep(weft_ctx *reference, void *model, weft_ctx *other, void *other_model, weft_step step,
                                const weft_lockstep_options *options, weft_lockstep_report *report)
{
    weft_lockstep_options o = options ? *options : (weft_lockstep_options)WEFT_LOCKSTEP_DEFAULTS;
    o.difference = keep_difference;
    first = (weft_difference){.text = ""};
    reported = 0;
    const weft_status status = weft_lockstep(reference, model, other, other_model, step, &o, report, sizeof *report);
    WEFT_CHECK_EQ_INT(reported, o.keep_going ? report->differences : report->differences > 0);
    return status;
}

static void net_make(weft_ctx *ctx, net *n, weft_dtype dtype, bool adam)
{
    static const int64_t shapes[PARAMETERS][4] = {{4, 2, 3, 3}, {4}, {16, 64}, {16}, {16}, {16}, {5, 16}, {5}, {16}};
    static const int dims[PARAMETERS] = {4, 1, 2, 1, 1, 1, 2, 1, 1};
    weft_seed(ctx, 11);
    for (int k = 0; k < PARAMETERS; k++) {
        char name[16];
        snprintf(name, sizeof name, "p%d", k);
        weft_tensor *start = weft_cast(weft_randn(ctx, WEFT_F32, shapes[k], dims[k], k == 4 ? 1 : 0, 0.3), dtype);
        n->p[k] = weft_param(start, name);
    }
    n->x = weft_keep(weft_cast(weft_randn(ctx, WEFT_F32, WEFT_DIMS(BATCH, 2, 8, 8), 0, 1), dtype));
    n->target = weft_keep(weft_randint(ctx, WEFT_I64, WEFT_DIMS(BATCH), 0, CLASSES));
    if (adam)
        WEFT_CHECK_OK(weft_adam_open(ctx, n->p, PARAMETERS, &WITH_ADAM(.lr = 0.01), &n->optim));
    else
        WEFT_CHECK_OK(weft_sgd_open(ctx, n->p, PARAMETERS, &WITH_SGD(.lr = 0.05, .momentum = 0.9), &n->optim));
}

static void net_drop(net *n)
{
    weft_optim_close(n->optim);
    for (int k = 0; k < PARAMETERS; k++)
        weft_release(n->p[k]);
    weft_release(n->x);
    weft_release(n->target);
}

enum { LINEAR_LINE = __LINE__ + 10 }; /* of the first weft_linear below */

static weft_status net_step(weft_ctx *ctx, void *model, int step, double *loss)
{
    net *n = model;
    (void)step;
    const int mark = weft_scope_push(ctx);
    weft_tensor *h = weft_relu(weft_conv2d(n->x, n->p[0], n->p[1], &WITH_CONV2D(.padding = {1, 1})));
    h = weft_max_pool2d(h, &WITH_POOL2D(.kernel = {2, 2}));
    h = weft_reshape(h, WEFT_DIMS(BATCH, 64));
    h = weft_gelu(weft_linear(h, n->p[2], n->p[3]));
    h = weft_dropout(weft_layer_norm(h, n->p[4], n->p[5], 1e-5), 0.1, true);
    h = weft_mul(h, weft_sigmoid(n->p[8]));
    weft_tensor *l = weft_cross_entropy(weft_linear(h, n->p[6], n->p[7]), n->target);
    l = weft_add(l, weft_mul_scalar(weft_mean(weft_exp(weft_tanh(h)), WEFT_ALL, false), 0.1));
    l = weft_add(l, weft_mul_scalar(weft_sum(weft_softmax(weft_sub(h, n->p[5]), -1), WEFT_DIMS(0), false), 0));
    l = weft_mean(l, WEFT_ALL, false);
    weft_backward(ctx, l);
    weft_optim_step(ctx, n->optim);
    weft_optim_zero_grad(ctx, n->optim);
    *loss = weft_item(ctx, l);
    return weft_scope_pop(ctx, mark);
}

static weft_ctx *open_threads(int threads)
{
    weft_ctx *ctx = NULL;
    WEFT_CHECK_OK(weft_ctx_open(&WITH_OPTIONS(.threads = threads), &ctx));
    return ctx;
}

static weft_ctx *open_ctx(const char *isa)
{
    weft_ctx *ctx = NULL;
    if (isa)
        setenv("WEFT_ISA", isa, 1);
    const weft_status status = weft_ctx_open(NULL, &ctx);
    if (isa)
        unsetenv("WEFT_ISA");
    WEFT_CHECK_OK(status);
    return ctx;
}

/* ---- Planted bugs ---- */

typedef struct bug_case {
    int op;
    bool grad;
    planted_bug bug;
    const char *kernel, *op_name, *phase; /* what the report must say */
    bool sgd;
} bug_case;

#define FORWARD(ID, name, bug)                                                                                         \
    {                                                                                                                  \
        WEFT_OP_##ID, false, bug, name, name, "forward", false                                                         \
    }
#define BACKWARD(ID, kernel, of, bug)                                                                                  \
    {                                                                                                                  \
        WEFT_OP_##ID, false, bug, kernel, of, "backward", false                                                        \
    }
#define FUSED(ID, name, bug)                                                                                           \
    {                                                                                                                  \
        WEFT_OP_##ID, true, bug, name " (gradient)", name, "backward", false                                           \
    }

static const bug_case bugs[] = {
    FORWARD(CONV2D, "conv2d", PLANTED_ELEMENT),
    FORWARD(CONV2D, "conv2d", PLANTED_NO_THIRD),
    FORWARD(RELU, "relu", PLANTED_ZERO),
    FORWARD(MAX_POOL2D, "max_pool2d", PLANTED_SHIFT),
    FORWARD(LINEAR, "linear", PLANTED_NO_THIRD),
    FORWARD(LINEAR, "linear", PLANTED_DRIFT),
    FORWARD(GELU, "gelu", PLANTED_ELEMENT),
    FORWARD(LAYER_NORM, "layer_norm", PLANTED_DRIFT),
    FORWARD(LAYER_NORM, "layer_norm", PLANTED_NAN),
    FORWARD(DROPOUT, "dropout", PLANTED_REAL),
    FORWARD(CROSS_ENTROPY_WITH, "cross_entropy_with", PLANTED_DRIFT),
    FORWARD(SUB, "sub", PLANTED_SWAP),
    FORWARD(EXP, "exp", PLANTED_STALE),
    FORWARD(TANH, "tanh", PLANTED_NAN),
    FORWARD(MEAN, "mean", PLANTED_DRIFT),
    FORWARD(SOFTMAX, "softmax", PLANTED_SHIFT),
    FORWARD(MUL_SCALAR, "mul_scalar", PLANTED_REAL),
    FUSED(GELU, "gelu", PLANTED_ELEMENT),
    FUSED(TANH, "tanh", PLANTED_DRIFT),
    FUSED(RELU, "relu", PLANTED_STALE),
    FUSED(MUL, "mul", PLANTED_SWAP),
    BACKWARD(LAYER_NORM_GRAD, "layer_norm_grad", "layer_norm", PLANTED_ELEMENT),
    BACKWARD(CROSS_ENTROPY_GRAD, "cross_entropy_grad", "cross_entropy_with", PLANTED_DRIFT),
    BACKWARD(MAX_POOL2D_GRAD, "max_pool2d_grad", "max_pool2d", PLANTED_SHIFT),
    BACKWARD(CONV2D_WEIGHT, "conv2d_weight", "conv2d", PLANTED_NAN),
    BACKWARD(DROPOUT_GRAD, "dropout_grad", "dropout", PLANTED_REAL),
    {WEFT_OP_ADAM_STEP, false, PLANTED_REAL, "adam_step", "adam_step", "optimiser", false},
    {WEFT_OP_SGD_STEP, false, PLANTED_ELEMENT, "sgd_step", "sgd_step", "optimiser", true},
};

static void check_bug(const bug_case *b)
{
    weft_ctx *reference = open_ctx(NULL), *other = open_ctx(NULL);
    weft_lockstep_report report = {0};
    net n = {0};
    net_make(reference, &n, WEFT_F32, !b->sgd);
    plant(other, b->op, b->grad, b->bug);
    const weft_status status = run_lockstep(reference, &n, other, NULL, net_step, NULL, &report);
    const weft_difference *d = &first;
    if (status != WEFT_E_MISMATCH)
        WEFT_FAIL("%s, bug %d: %s %s %s", b->kernel, b->bug, weft_status_name(status), weft_ctx_message(reference),
                  weft_ctx_message(other));
    else if (strcmp(d->kernel, b->kernel) != 0 || strcmp(d->op, b->op_name) != 0 || strcmp(d->phase, b->phase) != 0)
        WEFT_FAIL("%s, bug %d is reported as %s", b->kernel, b->bug, d->text);
    else if (weft_dtype_is_float(d->dtype) && !(d->other_error > d->reference_error) && !isnan(d->other))
        WEFT_FAIL("%s, bug %d: the wrong side is blamed: %s", b->kernel, b->bug, d->text);
    net_drop(&n);
    weft_ctx_close(reference);
    weft_ctx_close(other);
}

WEFT_TEST(Lockstep, NamesEveryPlantedBug)
{
    for (size_t k = 0; k < sizeof bugs / sizeof *bugs; k++)
        check_bug(&bugs[k]);
    WEFT_CHECK(sizeof bugs / sizeof *bugs >= 20);
}

WEFT_TEST(Lockstep, TellsTheCallersLineAndShapes)
{
    weft_ctx *reference = open_ctx(NULL), *other = open_ctx(NULL);
    weft_lockstep_report report = {0};
    net n = {0};
    net_make(reference, &n, WEFT_F32, true);
    plant(other, WEFT_OP_LINEAR, false, PLANTED_NO_THIRD);
    WEFT_CHECK_STATUS(run_lockstep(reference, &n, other, NULL, net_step, NULL, &report), WEFT_E_MISMATCH);
    WEFT_CHECK_EQ_INT(first.line, LINEAR_LINE);
    WEFT_CHECK_STR_HAS(first.file, "test_compare.c");
    WEFT_CHECK_STR_EQ(first.shapes, "f32 [8, 64], f32 [16, 64], f32 [16] -> f32 [8, 16]");
    WEFT_CHECK_STR_HAS(first.text, "the other is wrong");
    net_drop(&n);
    weft_ctx_close(reference);
    weft_ctx_close(other);
}

/* ---- No false alarms ---- */

static int64_t clean_run(const char *isa, const char *other_isa, bool widen, bool adam, int steps)
{
    weft_ctx *reference = open_ctx(isa), *other = open_ctx(other_isa);
    weft_lockstep_report report = {0};
    net n = {0};
    net_make(reference, &n, WEFT_F32, adam);
    const weft_lockstep_options options = INIT_LOCKSTEP(.steps = steps, .widen = widen, .keep_going = true);
    const weft_status status = run_lockstep(reference, &n, other, NULL, net_step, &options, &report);
    if (status != WEFT_OK)
        WEFT_FAIL("%s against %s: %s: %s%s", isa ? isa : "the best", widen ? "f64" : other_isa,
                  weft_status_name(status), first.text, weft_ctx_message(reference));
    WEFT_CHECK_EQ_INT(report.steps, steps);
    net_drop(&n);
    weft_ctx_close(reference);
    weft_ctx_close(other);
    return report.launches;
}

WEFT_TEST(Lockstep, RaisesNoFalseAlarm)
{
    int64_t compared = 0;
    compared += clean_run(NULL, NULL, true, true, 8);
    compared += clean_run(NULL, NULL, true, false, 4);
    compared += clean_run("plain", NULL, false, true, 8);
    compared += clean_run(NULL, "plain", false, false, 4);
    WEFT_CHECK(compared >= 1000);
    weft_test_property("clean_comparisons", compared);
}

/* Large enough that every operation is divided among the threads. */
static weft_status large_step(weft_ctx *ctx, void *model, int step, double *loss)
{
    (void)model, (void)step;
    const int mark = weft_scope_push(ctx);
    weft_tensor *x = weft_set_requires_grad(weft_randn(ctx, WEFT_F32, WEFT_DIMS(4, 8, 64, 64), 0.1, 1), true);
    weft_tensor *w = weft_set_requires_grad(weft_randn(ctx, WEFT_F32, WEFT_DIMS(8, 8, 3, 3), 0, 0.1), true);
    weft_tensor *m = weft_set_requires_grad(weft_randn(ctx, WEFT_F32, WEFT_DIMS(256, 1024), 0, 0.1), true);
    weft_tensor *h = weft_conv2d(x, w, NULL, &WITH_CONV2D(.padding = {1, 1}));
    h = weft_gelu(weft_batch_norm(h, NULL, NULL, NULL, NULL,
                                  &(weft_batch_norm_params){sizeof(weft_batch_norm_params), 0.1, 1e-5, true}));
    h = weft_linear(weft_reshape(h, WEFT_DIMS(128, 1024)), m, NULL);
    h = weft_softmax(weft_layer_norm(h, NULL, NULL, 1e-5), -1);
    weft_tensor *l = weft_mean(weft_square(h), WEFT_ALL, false);
    weft_backward(ctx, l);
    *loss = weft_item(ctx, l);
    return weft_scope_pop(ctx, mark);
}

WEFT_TEST(Lockstep, OneThreadAgreesWithSeveral)
{
    weft_ctx *reference = open_threads(1), *other = open_threads(3);
    weft_lockstep_report report = {0};
    const weft_lockstep_options options = INIT_LOCKSTEP(.steps = 2, .keep_going = true);
    WEFT_CHECK_OK(run_lockstep(reference, NULL, other, NULL, large_step, &options, &report));
    if (report.differences > 0)
        WEFT_FAIL("%s", first.text);
    WEFT_CHECK(report.launches > 30);
    plant(other, WEFT_OP_BATCH_NORM_GRAD, false, PLANTED_DRIFT);
    WEFT_CHECK_STATUS(run_lockstep(reference, NULL, other, NULL, large_step, NULL, &report), WEFT_E_MISMATCH);
    WEFT_CHECK_STR_EQ(first.kernel, "batch_norm_grad");
    weft_ctx_close(reference);
    weft_ctx_close(other);
}

/* TF32 where f32 was asked for is seen in a sum of 1024 terms, wide as the bounds of its elements are. */
WEFT_TEST(Lockstep, ALowerPrecisionOfTheOperandsShows)
{
    weft_ctx *reference = open_ctx(NULL), *other = open_ctx(NULL);
    weft_lockstep_report report = {0};
    plant(other, WEFT_OP_LINEAR, false, PLANTED_COARSE); /* over 1024 terms */
    WEFT_CHECK_STATUS(run_lockstep(reference, NULL, other, NULL, large_step, NULL, &report), WEFT_E_MISMATCH);
    WEFT_CHECK_STR_EQ(first.kernel, "linear");
    WEFT_CHECK(first.other_error > 100 * first.reference_error);
    weft_ctx_close(reference);
    weft_ctx_close(other);
}

/* ---- Drift ---- */

WEFT_TEST(Lockstep, ShowsDriftOfF32AgainstF64)
{
    enum { STEPS = 6 };
    weft_ctx *reference = open_ctx(NULL), *other = open_ctx(NULL);
    weft_drift drift[STEPS];
    weft_lockstep_report report;
    net n = {0}, wide = {0};
    net_make(reference, &n, WEFT_F32, true);
    net_make(other, &wide, WEFT_F64, true);
    const weft_lockstep_options options = INIT_LOCKSTEP(.steps = STEPS, .drift = drift, .drift_room = STEPS);
    WEFT_CHECK_OK(run_lockstep(reference, &n, other, &wide, net_step, &options, &report));
    WEFT_CHECK_EQ_INT(report.n_drift, STEPS);
    WEFT_CHECK(drift[0].loss_error < 1e-5 && drift[0].parameter_error < 1e-4);
    WEFT_CHECK(drift[STEPS - 1].parameter_error > 0 && drift[STEPS - 1].parameter_error < 1e-2);
    char plot[4096], *svg = malloc(16384);
    WEFT_CHECK(weft_drift_plot(drift, STEPS, plot, sizeof plot) < (int)sizeof plot);
    WEFT_CHECK_STR_HAS(plot, "steps 1 to 6");
    WEFT_CHECK(weft_drift_svg(drift, STEPS, svg, 16384) < 16384);
    WEFT_CHECK_STR_HAS(svg, "</svg>");
    free(svg);
    net_drop(&n);
    net_drop(&wide);
    weft_ctx_close(reference);
    weft_ctx_close(other);
}

/* ---- Saving and replaying ---- */

WEFT_TEST(Lockstep, SavesTheBadOperationForAReplay)
{
    char path[] = "/tmp/weft_replay_XXXXXX";
    const int file = mkstemp(path);
    WEFT_REQUIRE(file >= 0);
    close(file);
    weft_ctx *reference = open_ctx(NULL), *other = open_ctx(NULL);
    weft_lockstep_report report = {0};
    net n = {0};
    net_make(reference, &n, WEFT_F32, true);
    plant(other, WEFT_OP_MATMUL, false, PLANTED_ELEMENT); /* with a transposed operand */
    const weft_lockstep_options options = INIT_LOCKSTEP(.save_path = path);
    WEFT_CHECK_STATUS(run_lockstep(reference, &n, other, NULL, net_step, &options, &report), WEFT_E_MISMATCH);
    WEFT_CHECK(report.saved);
    weft_difference again;
    WEFT_CHECK_STATUS(weft_replay(other, path, &again, sizeof again), WEFT_E_MISMATCH);
    WEFT_CHECK_STR_EQ(again.text, first.text);
    weft_ctx *right = open_ctx(NULL);
    WEFT_CHECK_OK(weft_replay(right, path, &again, sizeof again));
    WEFT_CHECK_STR_EQ(again.kernel, "matmul");
    weft_ctx_close(right);
    unlink(path);
    WEFT_CHECK_STATUS(weft_replay(reference, path, &again, sizeof again), WEFT_E_IO);
    WEFT_CHECK_STR_HAS(weft_ctx_message(reference), path);
    net_drop(&n);
    weft_ctx_close(reference);
    weft_ctx_close(other);
}

/* ---- Operations of the program's own ---- */

/* Doubles; in the context that user names, one element is off. */
static weft_status doubled(weft_ctx *ctx, const weft_array *in, int n, weft_array *out, void *user)
{
    (void)n;
    for (int64_t k = 0; k < out->count; k++)
        ((float *)out->data)[k] = 2 * ((const float *)in[0].data)[k];
    if (ctx == user)
        ((float *)out->data)[3] += 0.01F;
    return WEFT_OK;
}

static weft_status doubled_backward(weft_ctx *ctx, weft_tensor *const *in, int n, weft_tensor *out,
                                    weft_tensor *gradient, weft_tensor **gradients, void *user)
{
    (void)ctx, (void)in, (void)n, (void)out, (void)user;
    gradients[0] = weft_mul_scalar(gradient, 2);
    return WEFT_OK;
}

static weft_status custom_step(weft_ctx *ctx, void *model, int step, double *loss)
{
    const int mark = weft_scope_push(ctx);
    (void)step;
    weft_tensor *x = weft_set_requires_grad(weft_randn(ctx, WEFT_F32, WEFT_DIMS(4, 6), 1, 0.1), true);
    weft_tensor *l = weft_sum(weft_custom((const weft_custom_op *)model, &x, 1), WEFT_ALL, false);
    weft_backward(ctx, l);
    *loss = weft_item(ctx, l);
    return weft_scope_pop(ctx, mark);
}

WEFT_TEST(Lockstep, ComparesOperationsOfTheProgram)
{
    weft_ctx *reference = open_ctx(NULL), *other = open_ctx(NULL);
    weft_lockstep_report report = {0};
    weft_custom_op op = INIT_CUSTOM_OP(.name = "doubled", .forward = doubled, .backward = doubled_backward);
    WEFT_CHECK_OK(run_lockstep(reference, &op, other, NULL, custom_step, NULL, &report));
    const int64_t launches = report.launches;
    WEFT_CHECK_OK(run_lockstep(reference, &op, other, NULL, custom_step, &WITH_LOCKSTEP(.widen = true), &report));
    WEFT_CHECK_EQ_INT(report.launches, launches);
    op.user = other;
    WEFT_CHECK_STATUS(run_lockstep(reference, &op, other, NULL, custom_step, NULL, &report), WEFT_E_MISMATCH);
    WEFT_CHECK_STR_EQ(first.op, "doubled");
    WEFT_CHECK_STR_EQ(first.kernel, "doubled");
    WEFT_CHECK_STR_EQ(first.phase, "forward");
    WEFT_CHECK_EQ_INT(first.element, 3);
    WEFT_CHECK_STR_HAS(first.file, "test_compare.c");
    op.user = NULL;
    plant(other, WEFT_OP_MUL_SCALAR, false, PLANTED_REAL); /* within its backward callback */
    WEFT_CHECK_STATUS(run_lockstep(reference, &op, other, NULL, custom_step, NULL, &report), WEFT_E_MISMATCH);
    WEFT_CHECK_STR_EQ(first.op, "doubled");
    WEFT_CHECK_STR_EQ(first.kernel, "mul_scalar");
    WEFT_CHECK_STR_EQ(first.phase, "backward");
    weft_ctx_close(reference);
    weft_ctx_close(other);
}

/* Result 1 doubles, result 0 is a copy. */
static weft_status copied_and_doubled(weft_ctx *ctx, const weft_array *in, int n, weft_array *out, void *user)
{
    memcpy(out[0].data, in[0].data, sizeof(float) * (size_t)out[0].count);
    return doubled(ctx, in, n, &out[1], user);
}

static weft_status several_step(weft_ctx *ctx, void *model, int step, double *loss)
{
    const int mark = weft_scope_push(ctx);
    (void)step;
    weft_tensor *x = weft_randn(ctx, WEFT_F32, WEFT_DIMS(4, 6), 1, 0.1), *y[2];
    if (weft_custom_all(model, &x, 1, y) == WEFT_OK)
        *loss = weft_item(ctx, weft_sum(weft_mul(y[0], y[1]), WEFT_ALL, false));
    return weft_scope_pop(ctx, mark);
}

WEFT_TEST(Lockstep, ComparesEachResultOfAnOperationOfTheProgram)
{
    weft_ctx *reference = open_ctx(NULL), *other = open_ctx(NULL);
    weft_lockstep_report report = {0};
    weft_custom_op op = INIT_CUSTOM_OP(.name = "several", .forward = copied_and_doubled, .n_outputs = 2);
    WEFT_CHECK_OK(run_lockstep(reference, &op, other, NULL, several_step, NULL, &report));
    op.user = other;
    WEFT_CHECK_STATUS(run_lockstep(reference, &op, other, NULL, several_step, NULL, &report), WEFT_E_MISMATCH);
    WEFT_CHECK_STR_EQ(first.op, "several");
    WEFT_CHECK_EQ_INT(first.output, 1);
    WEFT_CHECK_EQ_INT(first.element, 3);
    weft_ctx_close(reference);
    weft_ctx_close(other);
}

/* ---- Ties ---- */

/* Equal values everywhere: any index is right. */
static weft_status choose(weft_ctx *ctx, void *model, int step, double *loss)
{
    (void)model, (void)step;
    const int mark = weft_scope_push(ctx);
    *loss = weft_item(ctx, weft_argmax(weft_ones(ctx, WEFT_F32, WEFT_DIMS(4, 6)), WEFT_ALL, false));
    return weft_scope_pop(ctx, mark);
}

WEFT_TEST(Lockstep, TiesAreTies)
{
    weft_ctx *reference = open_ctx(NULL), *other = open_ctx(NULL);
    weft_lockstep_report report = {0};
    plant(other, WEFT_OP_ARGMAX, false, PLANTED_ELEMENT); /* the next index */
    WEFT_CHECK_OK(run_lockstep(reference, NULL, other, NULL, choose, NULL, &report));
    WEFT_CHECK_EQ_INT(report.ties, 1);
    weft_ctx_close(reference);
    weft_ctx_close(other);
}

static weft_status pool(weft_ctx *ctx, void *model, int step, double *loss)
{
    const bool equal = *(const bool *)model;
    (void)step;
    const int mark = weft_scope_push(ctx);
    weft_tensor *x = weft_reshape(weft_arange(ctx, WEFT_F32, 0, 16, 1), WEFT_DIMS(1, 1, 4, 4));
    if (equal)
        x = weft_ones(ctx, WEFT_F32, WEFT_DIMS(1, 1, 4, 4));
    weft_tensor *y = weft_max_pool2d(x, &WITH_POOL2D(.kernel = {2, 2}));
    *loss = weft_item(ctx, weft_sum(y, WEFT_ALL, false));
    return weft_scope_pop(ctx, mark);
}

static void check_pool(bool equal, planted_bug bug, weft_status expected, int64_t ties)
{
    weft_ctx *reference = open_ctx(NULL), *other = open_ctx(NULL);
    weft_lockstep_report report = {0};
    plant(other, WEFT_OP_MAX_POOL2D, false, bug);
    WEFT_CHECK_STATUS(run_lockstep(reference, &equal, other, NULL, pool, NULL, &report), expected);
    WEFT_CHECK_EQ_INT(report.ties, ties);
    if (expected != WEFT_OK) {
        WEFT_CHECK_STR_EQ(first.kernel, "max_pool2d");
        WEFT_CHECK_EQ_INT(first.output, 1);
    }
    weft_ctx_close(reference);
    weft_ctx_close(other);
}

WEFT_TEST(Lockstep, EqualValuesOfAPoolingWindowAreTies)
{
    check_pool(true, PLANTED_INDEX, WEFT_OK, 4);             /* another element of the window, as large */
    check_pool(false, PLANTED_INDEX, WEFT_E_MISMATCH, 0);    /* a smaller one */
    check_pool(true, PLANTED_FAR_INDEX, WEFT_E_MISMATCH, 0); /* as large, but of another window */
}

/* ---- Every operation ---- */

typedef struct tally {
    int rows, ran, bad;
} tally;

static void count_row(void *user, const weft_op_agreement *row)
{
    tally *t = user;
    t->rows++;
    t->ran += row->ran;
    t->bad += !row->agrees;
    if (!row->agrees)
        WEFT_FAIL("%s %s %s: %s%s", row->op, weft_dtype_name(row->dtype), weft_layout_name(row->layout),
                  row->first ? row->first->text : "", row->text);
    if (row->dtype == WEFT_F32 && !row->ran && !strstr(row->text, "place"))
        WEFT_FAIL("%s did not run: %s", row->op, row->text);
}

WEFT_TEST(CompareOps, InstructionSetsAgree)
{
    weft_ctx *reference = open_ctx(NULL), *other = open_ctx("plain");
    tally t = {0};
    int64_t bad = -1;
    WEFT_CHECK_OK(weft_compare_ops(reference, other, NULL, count_row, &t, &bad));
    WEFT_CHECK_EQ_INT(bad, 0);
    if (t.rows < 15 * 100 || t.ran < t.rows * 7 / 10)
        WEFT_FAIL("only %d of %d rows ran", t.ran, t.rows);
    weft_test_property("rows", t.rows);
    weft_test_property("ran", t.ran);
    weft_ctx_close(reference);
    weft_ctx_close(other);
}

static void keep_row(void *user, const weft_op_agreement *row)
{
    weft_op_agreement *kept = user;
    *kept = *row;
    first = row->first ? *row->first : (weft_difference){.text = ""}; /* row's own is only valid now */
    kept->first = row->first ? &first : NULL;
}

typedef struct op_bug {
    int op;
    const char *name;
    bool grad;
    planted_bug bug;
    weft_dtype dtype;
} op_bug;

static void check_op_bug(const op_bug *b)
{
    weft_ctx *reference = open_ctx(NULL), *other = open_ctx(NULL);
    weft_op_agreement row = {0};
    int64_t bad = 0;
    plant(other, b->op, b->grad, b->bug);
    const weft_compare_ops_options options =
        INIT_COMPARE_OPS(.op = b->name, .dtypes = 1u << b->dtype, .layouts = 1u << WEFT_LAYOUT_SLICED);
    const weft_status status = weft_compare_ops(reference, other, &options, keep_row, &row, &bad);
    const weft_difference *d = &first;
    if (status != WEFT_E_MISMATCH || bad != 1 || row.agrees)
        WEFT_FAIL("%s %s, bug %d is not found: %s %s", b->name, weft_dtype_name(b->dtype), b->bug,
                  weft_status_name(status), row.text);
    else if (d->dtype != b->dtype || strncmp(d->kernel, b->name, strlen(b->name)) != 0 ||
             (b->grad && !strstr(d->kernel, "gradient")))
        WEFT_FAIL("%s %s, bug %d is reported as %s", b->name, weft_dtype_name(b->dtype), b->bug, d->text);
    else if (!(d->other_error > d->reference_error) || (b->bug == PLANTED_NAN && strcmp(d->what, "NaN") != 0))
        WEFT_FAIL("%s %s, bug %d: the wrong side is blamed: %s", b->name, weft_dtype_name(b->dtype), b->bug, d->text);
    weft_ctx_close(reference);
    weft_ctx_close(other);
}

WEFT_TEST(CompareOps, FindsPlantedBugsInEveryFloatingDtype)
{
    static const weft_dtype dtypes[] = {WEFT_F32, WEFT_F64, WEFT_F16, WEFT_BF16};
    static const op_bug kinds[] = {{WEFT_OP_SUM, "sum", false, PLANTED_DRIFT, 0},
                                   {WEFT_OP_LOGSUMEXP, "logsumexp", false, PLANTED_DRIFT, 0},
                                   {WEFT_OP_LINEAR, "linear", false, PLANTED_DRIFT, 0},
                                   {WEFT_OP_SOFTMAX, "softmax", false, PLANTED_NAN, 0},
                                   {WEFT_OP_SUM, "sum", false, PLANTED_NAN, 0},
                                   {WEFT_OP_TANH, "tanh", true, PLANTED_DRIFT, 0},
                                   {WEFT_OP_CONV2D, "conv2d", false, PLANTED_ELEMENT, 0},
                                   {WEFT_OP_LAYER_NORM, "layer_norm", false, PLANTED_DRIFT, 0},
                                   {WEFT_OP_BATCH_NORM, "batch_norm", false, PLANTED_SHIFT, 0},
                                   {WEFT_OP_ATTENTION, "attention", false, PLANTED_DRIFT, 0},
                                   {WEFT_OP_CROSS_ENTROPY_WITH, "cross_entropy_with", false, PLANTED_DRIFT, 0},
                                   {WEFT_OP_RELU, "relu", false, PLANTED_STALE, 0}};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (size_t d = 0; d < sizeof dtypes / sizeof *dtypes; d++) {
            op_bug b = kinds[k];
            b.dtype = dtypes[d];
            check_op_bug(&b);
        }
}

/* A row that has a kernel: that one runs, and not another that stands in for it. */
WEFT_TEST(CompareOps, RunsTheKernelOfEveryOperation)
{
    const weft__backend *right = weft__cpu_backend();
    int found = 0;
    for (int op = 0; op < WEFT_OP_COUNT; op++) {
        const weft__family family = weft__ops[op].family;
        const bool own = family != WEFT__VIEW && family != WEFT__COMPOSITE && family != WEFT__KERNEL;
        const bool in_place = op >= WEFT_OP_ADD_ && op <= WEFT_OP_FILL_; /* the kernels of other rows */
        if (!own || in_place || !right->run[op])
            continue;
        weft_ctx *reference = open_ctx(NULL), *other = open_ctx(NULL);
        int64_t bad = 0;
        plant(other, op, false, PLANTED_STALE);
        const weft_compare_ops_options options = INIT_COMPARE_OPS(.op = weft__ops[op].name, .dtypes = 1u << WEFT_F32,
                                                                  .layouts = 1u << WEFT_LAYOUT_CONTIGUOUS);
        if (weft_compare_ops(reference, other, &options, NULL, NULL, &bad) != WEFT_E_MISMATCH)
            WEFT_FAIL("a %s that writes nothing is not found", weft__ops[op].name);
        found++;
        weft_ctx_close(reference);
        weft_ctx_close(other);
    }
    WEFT_CHECK(found > 80);
}

WEFT_TEST(CompareOps, FindsAPlantedBug)
{
    weft_ctx *reference = open_ctx(NULL), *other = open_ctx(NULL);
    weft_op_agreement row = {0};
    int64_t bad = 0;
    plant(other, WEFT_OP_TANH, false, PLANTED_ELEMENT);
    const weft_compare_ops_options options =
        INIT_COMPARE_OPS(.op = "tanh", .dtypes = 1u << WEFT_F32, .layouts = 1u << WEFT_LAYOUT_SLICED);
    WEFT_CHECK_STATUS(weft_compare_ops(reference, other, &options, keep_row, &row, &bad), WEFT_E_MISMATCH);
    WEFT_CHECK_EQ_INT(bad, 1);
    if (row.agrees || row.reference_ulp > 4 || row.other_ulp < 1000)
        WEFT_FAIL("%d, %g and %g ulp: %s", row.agrees, row.reference_ulp, row.other_ulp, first.text);
    WEFT_CHECK_STR_EQ(first.kernel, "tanh");
    WEFT_CHECK_STR_HAS(row.inputs, "operand 0 = ");
    weft_ctx_close(reference);
    weft_ctx_close(other);
}
