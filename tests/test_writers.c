/* test_writers.c - whatever changes a tensor in place is seen by the graphs that have kept what was there: each such
 * function runs on tensors that two graphs have read before, one for a gradient and one for the gradient of a
 * gradient. Where a value has changed, both are errors; where none has, both work. test_records_overwritten.c has the
 * other half: that every operation keeps what its derivative reads. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "engine/engine.h"
#include "base/op_def.h"
#include "harness/structs.h"
#include "harness/weft_test.h"
#include "samples/layout.h"

enum { MOST = 16 };

/* A tensor, two graphs that have read it, and its values then. */
typedef struct watched {
    weft_tensor *t, *leaf, *loss, *slope;
    double *before;
    bool changed;
} watched;

typedef struct scene {
    weft_ctx *ctx;
    weft_dtype dtype;
    const char *name;
    watched w[MOST];
    int n;
} scene;

static double *values_of(weft_tensor *t)
{
    double *values = calloc((size_t)weft_count(t) + 1, sizeof *values);
    const bool was = weft_set_grad_enabled(weft_ctx_of(t), false);
    WEFT_CHECK_OK(weft_read(weft_ctx_of(t), weft_cast(t, WEFT_F64), values, sizeof *values * (size_t)weft_count(t)));
    weft_set_grad_enabled(weft_ctx_of(t), was);
    return values;
}

/* leaf t leaf, summed: its gradient reads t, and so does the gradient of that. */
static weft_tensor *reader(weft_tensor *leaf, weft_tensor *t)
{
    return weft_sum(weft_mul(weft_mul(leaf, t), leaf), WEFT_ALL, false);
}

/* Returns t. */
static weft_tensor *watch(scene *s, weft_tensor *t)
{
    WEFT_CHECK(t && s->n < MOST && weft_count(t) > 0);
    if (!t || !weft_dtype_is_float(weft_dtype_of(t)) || s->n == MOST)
        return t;
    watched *w = &s->w[s->n++];
    weft_tensor *leaf = weft_full(s->ctx, weft_dtype_of(t), weft_shape(t), weft_ndim(t), 0.5);
    *w = (watched){.t = t, .leaf = weft_set_requires_grad(leaf, true), .before = values_of(t)};
    w->loss = reader(leaf, weft_detach(t));
    weft_tensor *again = reader(leaf, weft_detach(t));
    WEFT_CHECK_OK(weft_grad(s->ctx, &again, NULL, 1, &leaf, 1, WEFT_GRAD_CREATE_GRAPH, &w->slope));
    w->slope = weft_sum(w->slope, WEFT_ALL, false);
    return t;
}

static void check_one(const scene *s, const watched *w, int k)
{
    const weft_status want = w->changed ? WEFT_E_OVERWRITTEN : WEFT_OK;
    for (int order = 1; order <= 2; order++) {
        weft_tensor *g;
        const weft_status got = weft_grad(s->ctx, order == 1 ? &w->loss : &w->slope, NULL, 1, &w->leaf, 1, 0, &g);
        if (got != want)
            WEFT_FAIL("%s, %s: tensor %d has%s changed, but a gradient of order %d that reads it is %s %s", s->name,
                      weft_dtype_name(s->dtype), k, w->changed ? "" : " not", order, weft_status_name(got),
                      weft_ctx_message(s->ctx));
        weft_ctx_clear(s->ctx);
    }
}

/* After the writer, which must have changed so many of them at least. */
static void check(scene *s, int least)
{
    int changed = 0;
    if (weft_ctx_status(s->ctx) != WEFT_OK)
        WEFT_FAIL("%s, %s: %s", s->name, weft_dtype_name(s->dtype), weft_ctx_message(s->ctx));
    weft_ctx_clear(s->ctx);
    for (int k = 0; k < s->n; k++) {
        watched *w = &s->w[k];
        double *after = values_of(w->t);
        w->changed = memcmp(w->before, after, sizeof *after * (size_t)weft_count(w->t)) != 0;
        changed += w->changed;
        check_one(s, w, k);
        free(after);
        free(w->before);
    }
    if (changed < least)
        WEFT_FAIL("%s, %s: %d tensors have changed, not %d", s->name, weft_dtype_name(s->dtype), changed, least);
    s->n = 0;
}

static scene new_scene(weft_ctx *ctx, weft_dtype dtype, const char *name)
{
    return (scene){.ctx = ctx, .dtype = dtype, .name = name};
}

static weft_tensor *numbers(const scene *s, int seed)
{
    double values[6];
    for (int k = 0; k < 6; k++)
        values[k] = 0.5 + ((seed * 7 + k * 5) % 11) * 0.25;
    return weft_cast(weft_from_data(s->ctx, WEFT_F64, WEFT_DIMS(2, 3), values), s->dtype);
}

static weft_tensor *param(const scene *s, int seed)
{
    return weft_set_requires_grad(numbers(s, seed), true);
}

static bool is_half(weft_dtype dtype)
{
    return dtype == WEFT_F16 || dtype == WEFT_BF16;
}

/* ---- The rows of the table ---- */

/* Everything that a sample of a row is given; what it changes is the row's to say, how much it must be at least. */
static void check_row(weft_ctx *ctx, int op, int recipe, weft_dtype dtype)
{
    scene s = new_scene(ctx, dtype, weft__ops[op].name);
    weft_sample_options o = INIT_SAMPLE(.recipe = recipe, .dtype = dtype, .sizes = {2, 3, -1, 2});
    weft_sample_call call;
    WEFT_CHECK_OK(weft_sample_make(ctx, op, &o, &call));
    for (int k = 0; k < call.n_in; k++)
        if (call.in[k])
            watch(&s, call.in[k]);
    WEFT_CHECK_OK(weft_sample_run(&call));
    check(&s, 1);
}

/* The first operand as a part of a larger tensor: that, and another part which is not touched, count as read. */
static void check_part(weft_ctx *ctx, int op, weft_dtype dtype)
{
    scene s = new_scene(ctx, dtype, weft__ops[op].name);
    weft_sample_options o = INIT_SAMPLE(.dtype = dtype, .sizes = {2, 3, -1, 2});
    weft_sample_call call;
    const double value = op == WEFT_OP_RELU_ ? -1.5 : 1.5; /* which is changed */
    weft_tensor *whole = weft_full(ctx, dtype, WEFT_DIMS(2, 2, 3), value);
    WEFT_CHECK_OK(weft_sample_make(ctx, op, &o, &call));
    call.in[0] = weft_select(whole, 0, 1);
    watch(&s, whole);
    WEFT_CHECK_OK(weft_sample_run(&call));
    check(&s, 1);
}

/* ---- Steps: parameters, gradients, state and master weights; the second parameter has no gradient ---- */

enum { PARAMS = 2 };

typedef struct lists {
    weft_tensor *p[PARAMS], *g[PARAMS], *state[2 * PARAMS], *master[PARAMS];
    weft_step_lists given;
} lists;

static void make_lists(scene *s, lists *l)
{
    scene wide = *s;
    wide.dtype = is_half(s->dtype) ? WEFT_F32 : s->dtype;
    for (int k = 0; k < PARAMS; k++) {
        l->p[k] = watch(s, param(s, k));
        l->g[k] = k == 0 ? watch(s, numbers(s, k + 2)) : NULL;
        l->state[k] = watch(s, numbers(&wide, k + 4));
        l->state[PARAMS + k] = watch(s, numbers(&wide, k + 6));
        l->master[k] = is_half(s->dtype) ? watch(s, numbers(&wide, k + 8)) : NULL;
    }
    l->given =
        WITH_STEP_LISTS(.params = l->p, .grads = l->g, .state = l->state, .master = l->master, .n = PARAMS, .step = 2);
}

static void sgd_step(scene *s)
{
    lists l;
    make_lists(s, &l);
    WEFT_CHECK_OK(weft_sgd_step(s->ctx, &l.given, &WITH_SGD(.lr = 0.5, .momentum = 0.5)));
}

static void adam_step(scene *s)
{
    lists l;
    make_lists(s, &l);
    WEFT_CHECK_OK(weft_adam_step(s->ctx, &l.given, &WITH_ADAM(.lr = 0.5, .beta1 = 0.5, .beta2 = 0.5)));
}

/* ---- Optimisers, by their handles ---- */

typedef weft_status (*opener)(weft_ctx *ctx, weft_tensor *const *params, int n, weft_optim **optim);

static weft_status open_sgd(weft_ctx *ctx, weft_tensor *const *params, int n, weft_optim **optim)
{
    const weft_sgd_options o = INIT_SGD(.lr = 0.5, .momentum = 0.5, .master_weights = true);
    return weft_sgd_open(ctx, params, n, &o, optim);
}

static weft_status open_adam(weft_ctx *ctx, weft_tensor *const *params, int n, weft_optim **optim)
{
    const weft_adam_options o = INIT_ADAM(.lr = 0.5, .master_weights = true);
    return weft_adam_open(ctx, params, n, &o, optim);
}

static weft_status open_adamw(weft_ctx *ctx, weft_tensor *const *params, int n, weft_optim **optim)
{
    const weft_adam_options o = INIT_ADAM(.lr = 0.5, .weight_decay = 0.1, .master_weights = true);
    return weft_adamw_open(ctx, params, n, &o, optim);
}

/* A loss whose gradient is of many values. */
static void run_backward(scene *s, weft_tensor *p)
{
    WEFT_CHECK_OK(weft_backward(s->ctx, weft_sum(weft_mul(weft_square(p), numbers(s, 3)), WEFT_ALL, false)));
}

static void step_by(scene *s, opener open)
{
    weft_optim *optim = NULL;
    weft_tensor *p = param(s, 1), *state[MOST];
    WEFT_CHECK_OK(open(s->ctx, &p, 1, &optim));
    run_backward(s, p);
    WEFT_CHECK_OK(weft_optim_step(s->ctx, optim)); /* the first one may make state */
    const int n = weft_optim_state(optim, state, MOST);
    WEFT_CHECK(n > 0 && n < MOST - 2);
    for (int k = 0; k < n; k++)
        watch(s, weft_detach(state[k])); /* the optimiser ends before it is looked at */
    watch(s, p);
    watch(s, weft_grad_of(p));
    WEFT_CHECK_OK(weft_optim_step(s->ctx, optim));
    weft_optim_close(optim);
}

static void optim_sgd(scene *s)
{
    step_by(s, open_sgd);
}

static void optim_adam(scene *s)
{
    step_by(s, open_adam);
}

static void optim_adamw(scene *s)
{
    step_by(s, open_adamw);
}

/* ---- Gradients ---- */

static void clip_norm(scene *s)
{
    weft_tensor *p = param(s, 1);
    run_backward(s, p);
    watch(s, p);
    watch(s, weft_grad_of(p));
    weft_clip_grad_norm(s->ctx, &p, 1, 0.25);
}

static void clip_value(scene *s)
{
    weft_tensor *p = param(s, 1);
    run_backward(s, p);
    watch(s, p);
    watch(s, weft_grad_of(p));
    WEFT_CHECK_OK(weft_clip_grad_value(s->ctx, &p, 1, 0.25));
}

/* A pass adds to the gradient of the one before. */
static void second_pass(scene *s)
{
    weft_tensor *p = param(s, 1);
    run_backward(s, p);
    watch(s, p);
    watch(s, weft_grad_of(p));
    run_backward(s, p);
}

/* ---- Others ---- */

/* x, w, b and the running values. */
static void running_values(scene *s)
{
    weft_tensor *t[5];
    for (int k = 0; k < 5; k++)
        t[k] = watch(s, k == 0 ? numbers(s, 0) : weft_clone(weft_select(numbers(s, k), 0, 1)));
    const weft_batch_norm_params params = {sizeof params, 0.5, 1e-5, true};
    weft_batch_norm(t[0], t[1], t[2], t[3], t[4], &params);
}

static void write(scene *s)
{
    char bytes[6 * sizeof(double)] = {1};
    weft_tensor *t = watch(s, numbers(s, 0));
    WEFT_CHECK_OK(weft_write(s->ctx, t, bytes, 6 * weft_dtype_size(s->dtype)));
}

static void write_to_slice(scene *s)
{
    char bytes[3 * sizeof(double)] = {1};
    weft_tensor *t = watch(s, numbers(s, 0));
    WEFT_CHECK_OK(weft_write(s->ctx, weft_select(t, 0, 1), bytes, 3 * weft_dtype_size(s->dtype)));
}

/* Memory that is wrapped twice, in part the same, and a third piece behind it. */
static void wrapped(scene *s)
{
    static char block[16 * sizeof(double)];
    const size_t size = weft_dtype_size(s->dtype);
    memset(block, 0, sizeof block);
    weft_tensor *a = weft_wrap(s->ctx, s->dtype, WEFT_DIMS(6), block, NULL, NULL);
    weft_tensor *b = weft_wrap(s->ctx, s->dtype, WEFT_DIMS(6), block + 5 * size, NULL, NULL);
    weft_tensor *far = weft_wrap(s->ctx, s->dtype, WEFT_DIMS(5), block + 11 * size, NULL, NULL);
    watch(s, a);
    watch(s, b);
    watch(s, far);
    weft_fill_(a, 2);
}

static void init(scene *s)
{
    weft_tensor *t[8];
    for (int k = 0; k < 8; k++)
        t[k] = watch(s, param(s, k));
    weft_init_layer_(t[0], t[1]);
    weft_init_kaiming_uniform_(t[2], WEFT_FAN_IN, 1);
    weft_init_kaiming_normal_(t[3], WEFT_FAN_IN, 1);
    weft_init_xavier_uniform_(t[4], 1);
    weft_init_xavier_normal_(t[5], 1);
    weft_init_uniform_(t[6], -1, 1);
    weft_init_normal_(t[7], 0, 1);
}

typedef struct writer {
    const char *name;
    void (*run)(scene *s);
    int least; /* tensors that it changes, for f64 */
} writer;

static const writer writers[] = {
    {"sgd_step", sgd_step, 2},
    {"adam_step", adam_step, 3},
    {"sgd", optim_sgd, 2},
    {"adam", optim_adam, 3},
    {"adamw", optim_adamw, 3},
    {"clip_grad_norm", clip_norm, 1},
    {"clip_grad_value", clip_value, 1},
    {"a second backward pass", second_pass, 1},
    {"batch_norm", running_values, 2},
    {"write", write, 1},
    {"write to a slice", write_to_slice, 1},
    {"fill_ of wrapped memory", wrapped, 2},
    {"init", init, 8},
};

static const weft_dtype dtypes[] = {WEFT_F64, WEFT_F32, WEFT_BF16};
enum { DTYPES = sizeof dtypes / sizeof *dtypes };

WEFT_TEST(Writers, OfTheTableAreSeenByGraphs)
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    int rows = 0;
    for (int op = 0; op < weft_op_count(); op++) {
        const weft__op_def *def = weft__defs[op];
        if (def->effect != WEFT__IN_PLACE && def->effect != WEFT__STEPS)
            continue;
        rows++;
        for (int d = 0; d < DTYPES; d++) {
            const int mark = weft_scope_push(ctx);
            for (int r = 0; r < WEFT__MAX_RECIPES && def->recipes[r].operands; r++)
                check_row(ctx, op, r, dtypes[d]);
            if (def->effect == WEFT__IN_PLACE)
                check_part(ctx, op, dtypes[d]);
            WEFT_CHECK_OK(weft_scope_pop(ctx, mark));
        }
    }
    WEFT_CHECK(rows >= 8);
    test_ctx_close(ctx, &memory);
}

WEFT_TEST(Writers, OfOtherFunctionsAreSeenByGraphs)
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(ctx);
    for (int k = 0; k < (int)(sizeof writers / sizeof *writers); k++)
        for (int d = 0; d < DTYPES; d++) {
            scene s = new_scene(ctx, dtypes[d], writers[k].name);
            const int mark = weft_scope_push(ctx);
            writers[k].run(&s);
            check(&s, writers[k].least);
            WEFT_CHECK_OK(weft_scope_pop(ctx, mark));
        }
    test_ctx_close(ctx, &memory);
}
