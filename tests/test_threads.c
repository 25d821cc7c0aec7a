/* test_threads.c - eight threads with a context each and shared weights; results that do not depend on the number of
 * threads inside a context; two threads in one context (debug). Meant for TSan too. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include "harness/structs.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"

enum { THREADS = 8, STEPS = 30, OPS = 2000 };

typedef struct job {
    pthread_t thread;
    int number;
    weft_tensor *weights;
    double result;
    weft_status status;
} job;

/* Trains on shared weights and its own, then calls many small operations. */
static void *work(void *arg)
{
    job *j = arg;
    weft_ctx *c = NULL;
    weft_options o = INIT_OPTIONS(.seed = 5, .threads = 2);
    j->status = weft_ctx_open(&o, &c);
    if (j->status != WEFT_OK)
        return NULL;
    weft_tensor *w = weft_param(weft_randn(c, WEFT_F32, WEFT_DIMS(16, 32), 0, 0.3), "w"),
                *x = weft_randn(c, WEFT_F32, WEFT_DIMS(64, 48), 0, 1);
    weft_optim *opt = NULL;
    j->status = weft_adam_open(c, &w, 1, NULL, &opt);
    for (int k = 0; k < STEPS && j->status == WEFT_OK; k++) {
        int mark = weft_scope_push(c);
        weft_tensor *y =
            weft_softmax(weft_matmul(weft_tanh(weft_linear(x, j->weights, NULL)), weft_transpose(w, 0, 1)), 1);
        weft_backward(c, weft_mean(weft_square(y), WEFT_ALL, false));
        weft_optim_step(c, opt);
        weft_optim_zero_grad(c, opt);
        j->status = weft_scope_pop(c, mark);
    }
    for (int k = 0; k < OPS && j->status == WEFT_OK; k++) {
        int mark = weft_scope_push(c);
        weft_sum(weft_mul(weft_borrow(c, j->weights), weft_scalar(c, WEFT_F32, k)), WEFT_ALL, false);
        j->status = weft_scope_pop(c, mark);
    }
    j->result = weft_item(c, weft_sum(w, WEFT_ALL, false));
    weft_optim_close(opt);
    weft_release(w);
    weft_ctx_close(c);
    return NULL;
}

WEFT_TEST(Threads, EachWithItsOwnContextAndSharedWeights)
{
    weft_ctx *c = NULL;
    WEFT_REQUIRE(weft_ctx_open(NULL, &c) == WEFT_OK);
    weft_tensor *weights = weft_share(weft_randn(c, WEFT_F32, WEFT_DIMS(32, 48), 0, 0.2));
    job jobs[THREADS];
    for (int k = 0; k < THREADS; k++) {
        jobs[k] = (job){.number = k, .weights = weights};
        WEFT_REQUIRE(pthread_create(&jobs[k].thread, NULL, work, &jobs[k]) == 0);
    }
    for (int k = 0; k < THREADS; k++) {
        pthread_join(jobs[k].thread, NULL);
        WEFT_CHECK_OK(jobs[k].status);
        WEFT_CHECK(jobs[k].result == jobs[0].result); /* same seed, same bits */
    }
    weft_release(weights);
    weft_ctx_close(c);
}

/* ---- The number of threads inside ---- */

static void *run_model(int threads, size_t *bytes)
{
    weft_options o = INIT_OPTIONS(.seed = 11, .threads = threads);
    weft_ctx *c = NULL;
    if (weft_ctx_open(&o, &c) != WEFT_OK)
        return NULL;
    weft_tensor *x = weft_randn(c, WEFT_F32, WEFT_DIMS(16, 8, 28, 28), 0, 1);
    weft_tensor *w = weft_set_requires_grad(weft_randn(c, WEFT_F32, WEFT_DIMS(16, 8, 3, 3), 0, 0.1), true);
    weft_tensor *v = weft_set_requires_grad(weft_randn(c, WEFT_F32, WEFT_DIMS(200, 3136), 0, 0.02), true);
    weft_tensor *g = weft_set_requires_grad(weft_ones(c, WEFT_F32, WEFT_DIMS(16)), true);
    weft_tensor *h = weft_conv2d(x, w, NULL, &WITH_CONV2D(.padding = {1, 1}));
    h = weft_max_pool2d(
        weft_gelu(weft_batch_norm(h, g, NULL, NULL, NULL,
                                  &(weft_batch_norm_params){sizeof(weft_batch_norm_params), 0.1, 1e-5, true})),
        &WITH_POOL2D(.kernel = {2, 2}));
    h = weft_layer_norm(weft_linear(weft_flatten(h, 1, -1), v, NULL), NULL, NULL, 1e-5);
    weft_tensor *loss = weft_add(weft_logsumexp(h, WEFT_ALL, false), weft_mean(weft_softmax(h, 0), WEFT_ALL, false));
    weft_backward(c, loss);
    weft_tensor *parts[] = {weft_flatten(weft_grad_of(w), 0, -1),
                            weft_flatten(weft_grad_of(v), 0, -1),
                            weft_grad_of(g),
                            weft_flatten(h, 0, -1),
                            weft_unsqueeze(loss, 0),
                            weft_flatten(weft_sum(x, WEFT_DIMS(0, 2), false), 0, -1),
                            weft_flatten(weft_dropout(x, 0.5, true), 0, -1)};
    weft_tensor *all = weft_concat(parts, 7, 0);
    *bytes = (size_t)weft_count(all) * sizeof(float);
    void *result = malloc(*bytes ? *bytes : 1);
    if (weft_read(c, all, result, *bytes) != WEFT_OK) {
        WEFT_FAIL("%s", weft_ctx_message(c));
        free(result);
        result = NULL;
    }
    weft_ctx_close(c);
    return result;
}

WEFT_TEST(Threads, ResultsAreTheSameBitsForAnyNumber)
{
    size_t bytes = 0, other = 0;
    void *reference = run_model(1, &bytes);
    WEFT_REQUIRE(reference);
    static const int counts[] = {2, 3, 8};
    for (int k = 0; k < 3; k++) {
        void *again = run_model(counts[k], &other);
        WEFT_CHECK_EQ_INT(other, bytes);
        if (again && memcmp(again, reference, bytes) != 0)
            WEFT_FAIL("%d threads give other bits than one", counts[k]);
        free(again);
    }
    free(reference);
}

/* ---- Two threads in one context ---- */

#if !defined(NDEBUG) && !defined(__SANITIZE_THREAD__)
typedef struct intruder {
    weft_ctx *ctx;
    weft_tensor *t;
    atomic_int inside;
} intruder;

static weft_status wait_inside(weft_ctx *c, const weft_array *in, int n, weft_array *out, void *user)
{
    intruder *i = user;
    (void)c, (void)in, (void)n;
    for (int64_t k = 0; k < out->count; k++)
        ((float *)out->data)[k] = 0;
    atomic_store(&i->inside, 1);
    while (atomic_load(&i->inside) != 2)
        ;
    return WEFT_OK;
}

static void *intrude(void *arg)
{
    intruder *i = arg;
    while (atomic_load(&i->inside) != 1)
        ;
    weft_neg(i->t);
    atomic_store(&i->inside, 2);
    return NULL;
}

WEFT_TEST(Threads, TwoInOneContextAreReportedInDebug)
{
    weft_ctx *c = NULL;
    WEFT_REQUIRE(weft_ctx_open(NULL, &c) == WEFT_OK);
    intruder i = {.ctx = c, .t = weft_ones(c, WEFT_F32, WEFT_DIMS(2))};
    weft_custom_op op = INIT_CUSTOM_OP(.name = "wait", .forward = wait_inside, .user = &i);
    pthread_t thread;
    WEFT_REQUIRE(pthread_create(&thread, NULL, intrude, &i) == 0);
    weft_custom(&op, &i.t, 1);
    pthread_join(thread, NULL);
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_THREAD);
    weft_ctx_close(c);
}
#endif
