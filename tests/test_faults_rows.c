/* test_faults_rows.c - every row by its sample, forward and backward, with each allocation failing in turn, those of
 * headers and nodes too, and then each kernel: a clean error that names the operation, and nothing stays of the call
 * that failed. */
#include <stdio.h>
#include <string.h>
#include "base/op_def.h"
#include "engine/registry.h"
#include "harness/structs.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"
#include "ops/sample.h"
#include "tally.h"

enum { MOST = 2000 };

typedef struct row_call {
    weft_sample_call sample;
    weft_tensor *leaves[WEFT_SAMPLE_OPERANDS];
    int n_leaves;
} row_call;

/* Of an optimiser's step the sample makes the state, which is not the step's to give up. */
static bool makes_state(int op)
{
    return weft__defs[op]->effect == WEFT__STEPS;
}

static weft_status forward(weft_ctx *c, void *call)
{
    row_call *r = call;
    const int mark = makes_state(r->sample.op) ? weft_scope_push(c) : 0;
    const weft_status status = weft_sample_run(&r->sample);
    if (mark > 0 && weft_scope_pop(c, mark) != status)
        WEFT_FAIL("weft_scope_pop does not return the error of weft_%s", weft__ops[r->sample.op].name);
    return status;
}

static weft_status backward(weft_ctx *c, void *call)
{
    row_call *r = call;
    weft_tensor *found[WEFT_SAMPLE_OPERANDS] = {NULL};
    weft_tensor *y[WEFT_SAMPLE_RESULTS], *g[WEFT_SAMPLE_RESULTS];
    const int n = r->sample.n_smooth;
    const int mark = weft_scope_push(c);
    for (int k = 0; k < n; k++) {
        y[k] = r->sample.out[k];
        g[k] = weft_full_like(y[k], 0.5);
    }
    weft_status status = weft_grad(c, y, g, n, r->leaves, r->n_leaves, WEFT_GRAD_ALLOW_UNUSED, found);
    for (int k = 0; k < r->n_leaves && status != WEFT_OK; k++)
        if (found[k])
            WEFT_FAIL("%s: weft_grad failed and gives gradient %d", weft__ops[r->sample.op].name, k);
    if (mark < 0)
        return weft_ctx_status(c);
    const weft_status popped = weft_scope_pop(c, mark);
    return status != WEFT_OK ? status : popped;
}

/* ---- What fails ---- */

typedef struct fault {
    const char *what;
    weft_status status;
    void (*plan)(fault_memory *memory, int nth); /* the nth from now on fails; 0: none */
} fault;

static void fail_allocation(fault_memory *memory, int nth)
{
    memory->fail_at = nth > 0 ? memory->calls + nth : 0;
}

static int launches, failing_launch; /* this thread alone runs these tests */

static void fail_kernel(fault_memory *memory, int nth)
{
    (void)memory;
    launches = 0;
    failing_launch = nth;
}

static weft_status run_or_fail(const weft__exec *e)
{
    return ++launches == failing_launch ? WEFT_E_DEVICE : weft__cpu_backend()->run[e->op](e);
}

static weft_status grad_or_fail(const weft__exec *e)
{
    return ++launches == failing_launch ? WEFT_E_DEVICE : weft__cpu_backend()->grad[e->op](e);
}

static const fault allocations = {"allocation", WEFT_E_NOMEM, fail_allocation},
                   kernels = {"kernel", WEFT_E_DEVICE, fail_kernel};

/* A context on the CPU, whose kernels fail where they are told to. */
static weft_ctx *open_failing(fault_memory *memory)
{
    static weft__backend failing;
    if (!failing.name) {
        failing = *weft__cpu_backend();
        failing.name = "failing";
        for (int op = 0; op < WEFT_OP_COUNT; op++) {
            failing.run[op] = failing.run[op] ? run_or_fail : NULL;
            failing.grad[op] = failing.grad[op] ? grad_or_fail : NULL;
        }
        WEFT_CHECK(weft__backend_register(&failing));
    }
    weft_options o = fault_options(memory);
    o.device = "failing";
    weft_ctx *c = NULL;
    WEFT_CHECK_OK(weft_ctx_open(&o, &c));
    return c;
}

typedef weft_status failing_call(weft_ctx *c, void *user);

static int fail_each_with(weft_ctx *c, fault_memory *memory, const fault *f, failing_call *call, void *user,
                          const char *name, const char *what, int spare)
{
    for (int nth = 1; nth < MOST; nth++) {
        const tally before = tally_of(c);
        tally_starve(c, spare);
        f->plan(memory, nth);
        const weft_status status = call(c, user);
        f->plan(memory, 0);
        if (status == WEFT_OK)
            return nth - 1;
        WEFT_CHECK_STATUS(status, f->status);
        WEFT_CHECK_STATUS(weft_ctx_status(c), f->status);
        if (name && !strstr(weft_ctx_message(c), name))
            WEFT_FAIL("%s, %s %d: \"%s\" does not name it", name, f->what, nth, weft_ctx_message(c));
        weft_ctx_clear(c);
        if (!tally_same(&before, c, "%s, %s %d", what, f->what, nth))
            return nth;
    }
    WEFT_FAIL("%s: it fails without end", what);
    return MOST;
}

/* Calls with one after the other failing, until the call succeeds; once more with headers and nodes to spare, so that
 * the second and the third of a call cannot be had. name: what each message has, or NULL. Returns how many failed. */
static int fail_each(weft_ctx *c, fault_memory *memory, const fault *f, failing_call *call, void *user,
                     const char *name, const char *what)
{
    int failed = 0;
    for (int spare = 0; spare < (f == &allocations ? 4 : 1); spare++)
        failed += fail_each_with(c, memory, f, call, user, name, what, spare);
    return failed;
}

/* ---- Rows ---- */

static bool is_public(int op)
{
    return weft__ops[op].family != WEFT__KERNEL && !makes_state(op);
}

static int64_t run_recipe(int op, int recipe, const fault *f)
{
    fault_memory memory = {0};
    weft_ctx *c = f == &kernels ? open_failing(&memory) : fault_ctx_open(&memory);
    weft_sample_options o = INIT_SAMPLE(.recipe = recipe, .dtype = WEFT_F32, .sizes = {5, 6, 4});
    if (strchr(weft__defs[op]->recipes[recipe].operands, 'd'))
        memcpy(o.sizes, (const int64_t[]){2, 2, 4, 4}, sizeof o.sizes);
    row_call r = {.n_leaves = 0};
    int64_t failed = 0;
    if (c && weft__sample_make(c, op, &o, &r.sample) == WEFT_OK) {
        for (int k = 0; k < r.sample.n_in; k++)
            if (r.sample.smooth[k])
                r.leaves[r.n_leaves++] = weft_set_requires_grad(r.sample.in[k], true);
        const char *name = weft__ops[op].name;
        failed = fail_each(c, &memory, f, forward, &r, is_public(op) ? name : NULL, name);
        const bool differentiable = r.sample.out[0] && r.n_leaves > 0 && weft_requires_grad(r.sample.out[0]);
        if (differentiable && weft_test_failures() == 0)
            failed += fail_each(c, &memory, f, backward, &r, NULL, "its derivative");
    }
    fault_ctx_close(c, &memory);
    return failed;
}

static int64_t run_row(int op, const fault *f)
{
    int64_t failed = 0;
    for (int k = 0; k < WEFT__MAX_RECIPES && weft__defs[op]->recipes[k].operands; k++)
        failed += run_recipe(op, k, f);
    weft_test_property("failed", failed);
    return failed;
}

static void fail_allocations(void *user)
{
    const int op = (int)(intptr_t)user;
    if (run_row(op, &allocations) < 1 && weft__defs[op]->effect != WEFT__IN_PLACE) /* which need no memory here */
        WEFT_FAIL("%s: no allocation failed", weft__ops[op].name);
}

static void fail_kernels(void *user)
{
    const int op = (int)(intptr_t)user;
    if (run_row(op, &kernels) < 1 && weft__ops[op].family != WEFT__VIEW)
        WEFT_FAIL("%s: no kernel failed", weft__ops[op].name);
}

/* ---- Calls that are no rows ---- */

static const int64_t pair[] = {2, 3};
static const float numbers[] = {1, 2, 3, 4, 5, 6};

typedef struct other_call {
    const char *name;
    weft_tensor *(*make)(weft_ctx *c, weft_tensor *x);
} other_call;

static weft_tensor *shared_and_borrowed(weft_ctx *c, weft_tensor *x)
{
    weft_tensor *shared = weft_share(x), *y = weft_borrow(c, shared);
    weft_release(shared);
    return y;
}

static weft_status no_gradients(weft_ctx *c, weft_tensor *const *in, int n, weft_tensor *const *outputs,
                                weft_tensor *const *gs, weft_tensor **gradients, void *user)
{
    (void)c, (void)in, (void)n, (void)outputs, (void)gs, (void)gradients, (void)user;
    return WEFT_OK;
}

static weft_status write_ones(weft_ctx *c, const weft_array *in, int n, weft_array *out, void *user)
{
    (void)c, (void)in, (void)n, (void)user;
    for (int k = 0; k < 3; k++)
        ((float *)out[k].data)[0] = 1;
    return WEFT_OK;
}

/* A node with more operands and results than have room in it. */
static weft_tensor *custom_of_many(weft_ctx *c, weft_tensor *x)
{
    enum { OPERANDS = 9, RESULTS = 3 };
    (void)x;
    weft_tensor *in[OPERANDS], *y[RESULTS] = {NULL};
    for (int k = 0; k < OPERANDS; k++) {
        in[k] = weft_ones(c, WEFT_F32, NULL, 0);
        (void)weft_set_requires_grad(in[k], true);
    }
    weft_custom_op op =
        INIT_CUSTOM_OP(.name = "many", .forward = write_ones, .n_outputs = RESULTS, .backward_all = no_gradients);
    (void)weft_custom_all(&op, in, OPERANDS, y);
    for (int k = 0; k < OPERANDS; k++)
        weft_drop(in[k]);
    for (int k = 1; k < RESULTS; k++)
        weft_drop(y[k]);
    return y[0];
}

#define MAKES(function, call)                                                                                          \
    static weft_tensor *make_##function(weft_ctx *c, weft_tensor *x)                                                   \
    {                                                                                                                  \
        (void)c, (void)x;                                                                                              \
        return call;                                                                                                   \
    }
#define CALLS                                                                                                          \
    MAKES(from_data, weft_from_data(c, WEFT_F32, pair, 2, numbers))                                                    \
    MAKES(scalar, weft_scalar(c, WEFT_BF16, 2))                                                                        \
    MAKES(zeros, weft_zeros(c, WEFT_I64, pair, 2))                                                                     \
    MAKES(full_like, weft_full_like(x, 3))                                                                             \
    MAKES(eye, weft_eye(c, WEFT_F32, 3, 4))                                                                            \
    MAKES(linspace, weft_linspace(c, WEFT_F16, 0, 1, 7))                                                               \
    MAKES(rand, weft_rand(c, WEFT_F16, pair, 2, 0, 1))                                                                 \
    MAKES(randn, weft_randn(c, WEFT_F32, pair, 2, 0, 1))                                                               \
    MAKES(randint, weft_randint(c, WEFT_U8, pair, 2, 0, 9))                                                            \
    MAKES(bernoulli, weft_bernoulli(c, WEFT_BOOL, pair, 2, 0.5))                                                       \
    MAKES(wrap, weft_wrap(c, WEFT_F32, pair, 2, (void *)(uintptr_t)numbers, NULL, NULL))                               \
    MAKES(clone, weft_clone(x))                                                                                        \
    MAKES(detach, weft_detach(x))                                                                                      \
    MAKES(borrow, shared_and_borrowed(c, x))                                                                           \
    MAKES(custom_all, custom_of_many(c, x))                                                                            \
    MAKES(copy_to, weft_copy_to(c, x))                                                                                 \
    MAKES(cast, weft_cast(x, WEFT_F16))

CALLS
#undef MAKES
#define MAKES(function, call) {#function, make_##function},

static weft_status call_other(weft_ctx *c, void *user)
{
    weft_tensor *const x = ((weft_tensor **)user)[0];
    const other_call *call = ((void **)user)[1];
    weft_tensor *y = call->make(c, x);
    const weft_status status = weft_ctx_status(c);
    if ((y == NULL) != (status != WEFT_OK))
        WEFT_FAIL("weft_%s: %s, and %s", call->name, y ? "a result" : "no result", weft_status_name(status));
    if (y != x)
        weft_drop(y);
    return status;
}

WEFT_TEST(FaultsOfRows, OtherCalls)
{
    static const other_call calls[] = {CALLS};
    for (size_t k = 0; k < sizeof calls / sizeof calls[0]; k++) {
        fault_memory memory = {0};
        weft_ctx *c = fault_ctx_open(&memory);
        WEFT_REQUIRE(c);
        void *user[] = {weft_ones(c, WEFT_F32, pair, 2), (void *)(uintptr_t)&calls[k]};
        if (fail_each(c, &memory, &allocations, call_other, user, NULL, calls[k].name) < 1)
            WEFT_FAIL("weft_%s: no allocation failed", calls[k].name);
        fault_ctx_close(c, &memory);
    }
}

/* ---- What is left behind ---- */

/* What a kernel in place has written before it failed is not known: a graph that reads it must not go on. */
WEFT_TEST(KernelFaults, AFailedChangeMayHaveWritten)
{
    fault_memory memory = {0};
    weft_ctx *c = open_failing(&memory);
    WEFT_REQUIRE(c);
    weft_tensor *x = weft_ones(c, WEFT_F32, pair, 2);
    weft_tensor *w = weft_set_requires_grad(weft_ones(c, WEFT_F32, pair, 2), true);
    weft_tensor *y = weft_sum(weft_mul(w, x), WEFT_ALL, false), *one = weft_ones(c, WEFT_F32, pair, 2);
    fail_kernel(&memory, 1);
    WEFT_CHECK(weft_add_(x, one) == NULL);
    fail_kernel(&memory, 0);
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_DEVICE);
    WEFT_CHECK_STATUS(weft_backward(c, y), WEFT_E_OVERWRITTEN);
    weft_ctx_clear(c);
    fault_ctx_close(c, &memory);
}

/* One parameter after steps of Adam, the first try of which fails or not. */
static float after_steps(bool fails)
{
    fault_memory memory = {0};
    weft_ctx *c = open_failing(&memory);
    weft_tensor *p = weft_param(weft_ones(c, WEFT_F32, WEFT_DIMS(1)), "p");
    weft_optim *o = NULL;
    WEFT_CHECK_OK(weft_adam_open(c, &p, 1, NULL, &o));
    for (int step = 0; step < 3; step++) {
        weft_backward(c, weft_sum(weft_square(p), WEFT_ALL, false));
        if (fails && step == 0) {
            fail_kernel(&memory, 1);
            WEFT_CHECK_STATUS(weft_optim_step(c, o), WEFT_E_DEVICE);
            fail_kernel(&memory, 0);
            weft_ctx_clear(c);
        }
        WEFT_CHECK_OK(weft_optim_step(c, o));
        WEFT_CHECK_OK(weft_optim_zero_grad(c, o));
    }
    const float value = (float)weft_item(c, p);
    weft_optim_close(o);
    weft_release(p);
    fault_ctx_close(c, &memory);
    return value;
}

WEFT_TEST(KernelFaults, AFailedStepDoesNotCount)
{
    WEFT_CHECK_NEAR(after_steps(true), after_steps(false), 0);
}

WEFT_TEST_INIT(faults_of_rows)
{
    for (int op = 0; op < WEFT_OP_COUNT; op++) {
        if (!weft__defs[op]->recipes[0].operands)
            continue;
        void *const user = (void *)(intptr_t)op;
        weft_test_add("FaultsOfRows", weft__ops[op].name, fail_allocations, user, __FILE__, __LINE__);
        weft_test_add("KernelFaultsOfRows", weft__ops[op].name, fail_kernels, user, __FILE__, __LINE__);
    }
}
